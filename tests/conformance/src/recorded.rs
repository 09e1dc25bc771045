//! Compares an answer with the recorded one, by the rules of the format.

use crate::case::Case;
use crate::compare::{self, Findings};
use crate::image::Shown;
use crate::server::Server;
use crate::table::Table;
use anyhow::Context;
use serde_json::Value;
use support::Answer;

/// The headers that a browser must be allowed to send beside the recorded ones: they carry a key, or ask whether
/// something changed (deviation `cors`).
const ALLOWED: [&str; 3] = ["x-api-key", "authorization", "if-none-match"];

/// What of the recorded list of allowed headers, and of [`ALLOWED`], ours does not hold.
fn not_allowed(recorded: &str, ours: &str) -> Vec<String> {
    let names = |list: &str| -> Vec<String> { list.split(',').map(|name| name.trim().to_ascii_lowercase()).collect() };
    let held = names(ours);
    let wanted = names(recorded).into_iter().chain(ALLOWED.map(str::to_owned));
    wanted.filter(|name| !held.contains(name)).collect()
}

/// Compares status and headers; the content type is the one given.
pub fn check_head(case: &Case, answer: &Answer, status: u16, content_type: Option<&String>, findings: &mut Findings) {
    if answer.status != status {
        let text: String = answer.text().chars().take(300).collect();
        findings.differ(format!("status: expected {status}, got {} with {text}", answer.status));
    }
    let today = case.now.get(..10).unwrap_or_default();
    let others = case.response.headers.iter().filter(|(name, _)| *name != "content-type");
    let content_type = content_type.map(|value| ("content-type".to_owned(), value.clone()));
    for (name, value) in others.map(|(name, value)| (name.clone(), value.clone())).chain(content_type) {
        let expected = value.replace("{{today}}", today);
        let got = answer.header(&name);
        if name == "access-control-allow-headers" {
            let missing = not_allowed(&expected, got.unwrap_or_default());
            if !missing.is_empty() {
                findings.differ(format!("{name}: {missing:?} are not in {got:?}"));
            }
            continue;
        }
        if got != Some(expected.as_str()) {
            findings.differ(format!("{name}: expected {expected}, got {}", got.unwrap_or("nothing")));
        }
    }
}

/// Compares an answer with the recorded one.
///
/// # Errors
/// Where the rest of a list gets no answer.
pub fn check_recorded(
    case: &Case,
    answer: &Answer,
    server: &Server<'_>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let response = &case.response;
    check_head(case, answer, response.status, response.headers.get("content-type"), findings);
    if answer.status != response.status {
        return Ok(());
    }
    let text = answer.text();
    if case.request.method == "HEAD" || response.body_type == "empty" {
        if !text.is_empty() {
            findings.differ(format!("body: expected none, got {text}"));
        }
        return Ok(());
    }
    if let Some(shown) = &response.svg {
        findings.differences.extend(Shown::read(&text)?.differences(shown));
        return Ok(());
    }
    match &response.body {
        Value::String(recorded) if response.body_type == "text" => {
            if answer.header("content-type").is_some_and(|kind| kind.starts_with("text/csv")) {
                return csv(case, recorded, &text, server, findings);
            }
            if *recorded != text {
                findings.differ(format!("body: expected {recorded:?}, got {text:?}"));
            }
        }
        recorded => {
            let ours: Value = serde_json::from_str(&text).with_context(|| format!("no JSON: {text}"))?;
            json(case, recorded, ours, server, findings)?;
        }
    }
    Ok(())
}

fn json(
    case: &Case,
    recorded: &Value,
    mut ours: Value,
    server: &Server<'_>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    if let Some(token) = &case.response.jwt {
        if let Err(fault) = token.check(ours["token"].as_str().unwrap_or_default()) {
            findings.differ(format!("token: {fault:#}"));
        }
        ours["token"] = "{{jwt}}".into();
    }
    let is_list = |name: &&String| recorded[name.as_str()].is_array() && ours[name.as_str()].is_array();
    let list = recorded.as_object().filter(|_| case.any_order && recorded["pagination"].is_object());
    let Some(name) = list.and_then(|list| list.keys().find(is_list)) else {
        compare::json(case, recorded, &ours, findings);
        return Ok(());
    };
    let (mut head_theirs, mut head_ours) = (recorded.clone(), ours.clone());
    let rows_of = |value: &mut Value| match value[name.as_str()].take() {
        Value::Array(rows) => rows,
        _ => Vec::new(),
    };
    let (theirs, rows) = (rows_of(&mut head_theirs), rows_of(&mut head_ours));
    compare::json(case, &head_theirs, &head_ours, findings);
    let total = recorded["pagination"]["total"].as_u64().and_then(|total| usize::try_from(total).ok()).unwrap_or(0);
    if total <= theirs.len() {
        compare::rows(case, &theirs, &rows, findings);
        return Ok(());
    }
    let all = server.walk(&case.request, |answer| {
        answer.json()[name.as_str()].as_array().cloned().with_context(|| format!("no list: {}", answer.text()))
    })?;
    if all.len() != total || rows.len() != theirs.len() {
        let (expected, got) = (theirs.len(), rows.len());
        findings.differ(format!("expected {expected} rows of {total}, got {got} of {}", all.len()));
    }
    for (whose, list) in [("recorded", &theirs), ("our", &rows)] {
        for row in list.iter().filter(|row| !all.iter().any(|other| compare::equal(case, row, other))) {
            findings.differ(format!("a {whose} row that is not in our full list: {row}"));
        }
    }
    Ok(())
}

fn csv(case: &Case, recorded: &str, text: &str, server: &Server<'_>, findings: &mut Findings) -> anyhow::Result<()> {
    let ours = match Table::read(text) {
        Ok(table) => table,
        Err(fault) => {
            findings.differ(format!("the table cannot be read: {fault:#}"));
            return Ok(());
        }
    };
    if case.any_order {
        let rows = server.walk(&case.request, |answer| Ok(Table::read(&answer.text())?.rows))?;
        let all = Table { header: ours.header.clone(), rows };
        if all.rows.len() > ours.rows.len() {
            let differences = all.differences(recorded, true);
            let (missing, left): (Vec<_>, Vec<_>) = differences.into_iter().partition(|line| !line.starts_with('+'));
            findings.differences.extend(missing);
            let expected = all.rows.len() - left.len();
            if expected != ours.rows.len() {
                findings.differ(format!("expected {expected} rows, got {}", ours.rows.len()));
            }
            for row in ours.rows.iter().filter(|row| !all.holds(row)) {
                findings.differ(format!("a row that is not in our full table: {row:?}"));
            }
            return Ok(());
        }
    }
    findings.differences.extend(ours.differences(recorded, case.any_order));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_headers_are_a_set_that_holds_the_recorded_ones_and_ours() {
        let ours = "If-None-Match, Authorization, API-Key, Origin, X-Api-Key";
        assert!(not_allowed("Origin, API-Key", ours).is_empty());
        assert_eq!(not_allowed("Origin, Accept", ours), ["accept"]);
        assert_eq!(not_allowed("", "Origin").len(), 4);
    }
}
