//! Where this service differs from the former one on purpose: which answer is required instead.
//!
//! Some marks name the whole answer (an unknown route, a refused token); some say that a request must be answered as
//! its *twin* is, one that the former service could have answered (`,` for `|`, the millésime written out); some only
//! change how the recorded text is read (CSV).

use crate::case::{Case, RecordedRequest};
use crate::compare::{self, Findings};
use crate::recorded::{check_head, check_recorded};
use crate::server::{Server, without};
use crate::table::{self, Table};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use support::Answer;

/// Every mark, the one that decides first.
const MARKS: [&str; 20] = [
    "unknown-route",
    "path-case",
    "jwt-without-user",
    "jwt-without-expiry",
    "jwt-algorithm",
    "parser-text",
    "query-over-path",
    "query-sanitizer",
    "page-bounds",
    "jwt-in-query",
    "sise-default",
    "pipe-in-query",
    "health",
    "disclosure",
    "null-message",
    "available-once",
    "csv-empty",
    "bcn-date",
    "csv-quoting",
    // What a browser may send is held against every case: `check_head`.
    "cors",
];

const JSON: &str = "application/json; charset=utf-8";

/// Holds an answer against what the marks of its case require.
///
/// # Errors
/// Where a twin gets no answer.
pub fn judge(case: &Case, answer: &Answer, server: &Server<'_>, findings: &mut Findings) -> anyhow::Result<()> {
    for unknown in case.deviation.iter().filter(|mark| !MARKS.contains(&mark.as_str())) {
        findings.differ(format!("the mark {unknown} is not known"));
    }
    let Some(mark) = MARKS.into_iter().find(|mark| case.deviation.iter().any(|given| given == mark)) else {
        return Ok(());
    };
    match mark {
        "unknown-route" | "path-case" => {
            fixed(case, answer, 404, "Not Found", Some("Not Found"), findings);
        }
        "jwt-without-user" | "jwt-without-expiry" | "jwt-algorithm" => {
            fixed(case, answer, 401, "Unauthorized", Some("Not authorized"), findings);
        }
        "parser-text" => {
            let error = case.response.body["error"].as_str().unwrap_or_default();
            fixed(case, answer, case.response.status, error, None, findings);
        }
        "query-over-path" => not_allowed(case, answer, findings),
        "query-sanitizer" => as_sent(case, answer, findings),
        "page-bounds" => out_of_bounds(case, answer, findings),
        "jwt-in-query" => {
            let mut twin = case.request.clone();
            twin.path_with_query = without(&twin.path_with_query, &["apiKey"]);
            twin.headers.insert("x-api-key".to_owned(), server.legacy_key().to_owned());
            as_twin(case, answer, &server.ask(&twin)?, findings);
            if answer.status == 401 {
                findings.differ("a valid token is refused");
            }
        }
        "sise-default" => sise_default(case, answer, server, findings)?,
        "pipe-in-query" => {
            let mut twin = case.request.clone();
            if let Some((path, query)) = case.request.path_with_query.split_once('?') {
                let query = query.replace('|', ",").replace("%7C", ",").replace("%7c", ",");
                twin.path_with_query = format!("{path}?{query}");
            }
            as_twin(case, answer, &server.ask(&twin)?, findings);
        }
        "health" => {
            check_head(case, answer, case.response.status, case.response.headers.get("content-type"), findings);
            let body = answer.json();
            for name in ["version", "env", "healthcheck"] {
                if body[name].is_null() {
                    findings.differ(format!("{name} is absent: {}", answer.text()));
                }
            }
        }
        "disclosure" => disclosure(case, answer, server, findings)?,
        "null-message" => expect(case, answer, server, findings, without_null_messages)?,
        "available-once" => expect(case, answer, server, findings, each_year_once)?,
        "csv-empty" => {
            check_head(case, answer, case.response.status, case.response.headers.get("content-type"), findings);
            let columns = table::columns(&case.request.path_with_query).unwrap_or_default();
            match Table::read(&answer.text()) {
                Ok(table) if table.header == columns && table.rows.is_empty() => {}
                Ok(table) => findings.differ(format!("expected the header row {columns:?}, got {table:?}")),
                Err(fault) => findings.differ(fault.to_string()),
            }
        }
        // How ours is written is checked by reading it; what remains is the date.
        _ => {
            let mut expected = case.clone();
            if let Value::String(text) = &case.response.body
                && case.deviation.iter().any(|mark| mark == "bcn-date")
            {
                expected.response.body = without_present_time(text, &case.now).into();
            }
            check_recorded(&expected, answer, server, findings)?;
        }
    }
    Ok(())
}

/// The recorded answer with another body.
fn expect(
    case: &Case,
    answer: &Answer,
    server: &Server<'_>,
    findings: &mut Findings,
    body: impl FnOnce(&mut Value),
) -> anyhow::Result<()> {
    let mut expected = case.clone();
    body(&mut expected.response.body);
    check_recorded(&expected, answer, server, findings)
}

/// A message of null is none; without any, a document of a list has no `_meta`.
fn without_null_messages(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_null_messages),
        Value::Object(members) => {
            members.values_mut().for_each(without_null_messages);
            if let Some(Value::Object(meta)) = members.get_mut("_meta") {
                let empty = meta.get_mut("messages").and_then(Value::as_array_mut).is_some_and(|messages| {
                    messages.retain(|message| !message.is_null());
                    messages.is_empty()
                });
                if empty {
                    meta.remove("messages");
                }
                if empty && meta.is_empty() {
                    members.remove("_meta");
                }
            }
        }
        _ => {}
    }
}

fn each_year_once(body: &mut Value) {
    if let Some(years) = body["data"]["millesimesDisponible"].as_array_mut() {
        let mut seen = Vec::new();
        years.retain(|year| {
            !seen.contains(year) && {
                seen.push(year.clone());
                true
            }
        });
    }
}

/// A view that would open a hidden group: its sizes as recorded, no figure, and a message that says why. An image of it is
/// that of a view of which no figure is known.
fn disclosure(case: &Case, answer: &Answer, server: &Server<'_>, findings: &mut Findings) -> anyhow::Result<()> {
    if case.response.svg.as_ref().is_some_and(|shown| !shown.percentages.is_empty()) {
        no_figure(case, answer, findings);
        return Ok(());
    }
    if case.response.svg.is_some() || !case.response.body.is_object() {
        return check_recorded(case, answer, server, findings);
    }
    let (mut expected, mut body) = (case.clone(), answer.json());
    for (filiere, aggregate) in expected.response.body.as_object_mut().into_iter().flatten() {
        for (name, value) in aggregate.as_object_mut().into_iter().flatten() {
            let figure = name.starts_with("taux_") || name.starts_with("nb_") && name != "nb_annee_term";
            if figure {
                *value = Value::Null;
            }
        }
        let meta = body[filiere.as_str()].as_object_mut().and_then(|ours| ours.remove("_meta"));
        let messages = meta.as_ref().and_then(|meta| meta["messages"].as_array().cloned()).unwrap_or_default();
        if messages.is_empty() || !messages.iter().all(Value::is_string) {
            findings.differ(format!("{filiere}._meta.messages: expected why nothing is shown, got {meta:?}"));
        }
        if let Some(recorded) = aggregate.as_object_mut() {
            recorded.remove("_meta");
        }
    }
    check_head(case, answer, case.response.status, case.response.headers.get("content-type"), findings);
    compare::json(&expected, &expected.response.body, &body, findings);
    Ok(())
}

/// No image, or the one that the request wants in its place.
fn no_figure(case: &Case, answer: &Answer, findings: &mut Findings) {
    let wanted = parameters(&case.request).into_iter().find(|(name, _)| name == "imageOnError").map(|(_, value)| value);
    match wanted.as_deref() {
        Some(image @ ("true" | "empty")) => {
            check_head(case, answer, 200, case.response.headers.get("content-type"), findings);
            match crate::image::Shown::read(&answer.text()) {
                Ok(shown) if shown.title.is_none() && shown.percentages.is_empty() => {}
                other => findings.differ(format!("expected the image of imageOnError={image}, got {other:?}")),
            }
        }
        _ => fixed(case, answer, 404, "Not Found", Some("Données non disponibles"), findings),
    }
}

/// An error whose members are known.
fn fixed(case: &Case, answer: &Answer, status: u16, error: &str, message: Option<&str>, findings: &mut Findings) {
    check_head(case, answer, status, Some(&JSON.to_owned()), findings);
    if case.request.method == "HEAD" {
        return;
    }
    let body = answer.json();
    let message = message.map_or_else(|| body["message"].clone(), Value::from);
    let expected = json!({"statusCode": status, "error": error, "message": message});
    if body != expected || !message.is_string() {
        findings.differ(format!("body: expected {expected}, got {}", answer.text()));
    }
}

/// A 400 with faults: these.
fn refused(case: &Case, answer: &Answer, findings: &mut Findings) -> Vec<Value> {
    check_head(case, answer, 400, Some(&JSON.to_owned()), findings);
    let body = answer.json();
    let head = json!([body["statusCode"], body["error"], body["message"]]);
    let details = body["details"].as_array().cloned().unwrap_or_default();
    let complete = details.iter().all(|fault| {
        fault["message"].is_string()
            && fault["type"].is_string()
            && fault["context"].is_object()
            && fault["path"].is_array()
    });
    if head != json!([400, "Bad Request", "Erreur de validation"]) || details.is_empty() || !complete {
        findings.differ(format!("expected faults of validation, got {}", answer.text()));
    }
    details
}

fn not_allowed(case: &Case, answer: &Answer, findings: &mut Findings) {
    let names: Vec<String> = parameters(&case.request).into_iter().map(|(name, _)| name).collect();
    for fault in refused(case, answer, findings) {
        let known = fault["path"][0].as_str().is_some_and(|name| names.iter().any(|sent| sent == name));
        if fault["type"] != "object.unknown" || !known {
            findings.differ(format!("expected \"not allowed\" for one of {names:?}, got {fault}"));
        }
    }
}

fn out_of_bounds(case: &Case, answer: &Answer, findings: &mut Findings) {
    let below = |name: &str| {
        let value = parameters(&case.request).into_iter().find(|(sent, _)| sent == name)?.1;
        value.trim().parse::<f64>().ok().filter(|number| *number < 0.0)
    };
    let expected: Vec<Value> =
        ["items_par_page", "page"].into_iter().filter(|name| below(name).is_some()).map(|name| json!([name])).collect();
    let details = refused(case, answer, findings);
    let paths: Vec<Value> = details.iter().map(|fault| fault["path"].clone()).collect();
    if paths != expected {
        findings.differ(format!("expected faults at {expected:?}, got {paths:?}"));
    }
}

/// Values and names as they were sent: the recorded faults with the characters put back that the former service had
/// replaced, and faults of values that it had made valid.
fn as_sent(case: &Case, answer: &Answer, findings: &mut Findings) {
    let parameters = parameters(&case.request);
    let sent: Vec<&String> = parameters.iter().flat_map(|(name, value)| [name, value]).collect();
    let recorded = case.response.body["details"].as_array().cloned().unwrap_or_default();
    let mut expected = recorded.iter().map(|fault| put_back(fault, &sent)).peekable();
    for ours in refused(case, answer, findings) {
        let same = |theirs: &Value| {
            ["path", "type", "context"].into_iter().all(|name| compare::equal(case, &theirs[name], &ours[name]))
        };
        if expected.next_if(same).is_some() {
            continue;
        }
        let about = |(name, value): &(String, String)| {
            ours["path"][0] == name.as_str()
                && (cleaned(name) != *name || cleaned(value) != *value || name == "__proto__")
        };
        if !parameters.iter().any(about) {
            findings.differ(format!("an unexpected fault: {ours}"));
        }
    }
    for missing in expected {
        findings.differ(format!("a missing fault: {missing}"));
    }
}

fn cleaned(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || "_:,-| %".contains(c) { c } else { '_' }).collect()
}

fn put_back(value: &Value, sent: &[&String]) -> Value {
    match value {
        Value::String(text) => {
            let mut text = text.clone();
            for sent in sent {
                let cleaned = cleaned(sent);
                if cleaned != **sent {
                    text = text.replace(&cleaned, sent);
                }
            }
            text.into()
        }
        Value::Array(items) => items.iter().map(|item| put_back(item, sent)).collect(),
        Value::Object(members) => members.iter().map(|(name, item)| (name.clone(), put_back(item, sent))).collect(),
        value => value.clone(),
    }
}

/// A SISE code without millésime gets the latest year of higher education.
fn sise_default(case: &Case, answer: &Answer, server: &Server<'_>, findings: &mut Findings) -> anyhow::Result<()> {
    let list = if case.request.path_with_query.contains("/formations/") { "formationsSup" } else { "defaultSup" };
    let latest = server.config()["millesimes"][list].as_array().and_then(|list| list.last());
    let latest = latest.and_then(Value::as_str).unwrap_or_default();
    let mut twin = case.request.clone();
    let separator = if twin.path_with_query.contains('?') { '&' } else { '?' };
    twin.path_with_query += &format!("{separator}millesime={latest}");
    as_twin(case, answer, &server.ask(&twin)?, findings);
    let end = |millesime: &str| millesime.rsplit('_').next().map(str::to_owned);
    let body = answer.json();
    let millesime = body["millesime"].as_str().or_else(|| body["data"]["millesime"].as_str());
    if millesime.is_some_and(|millesime| end(millesime) != end(latest)) {
        findings.differ(format!("expected the millesime {latest}, got {millesime:?}"));
    }
    Ok(())
}

/// The answer is that of another request.
fn as_twin(case: &Case, answer: &Answer, twin: &Answer, findings: &mut Findings) {
    check_head(case, answer, twin.status, twin.header("content-type").map(str::to_owned).as_ref(), findings);
    if answer.body != twin.body {
        findings.differ(format!("expected {}, got {}", twin.text(), answer.text()));
    }
}

/// The decoded names and values of a query.
fn parameters(request: &RecordedRequest) -> Vec<(String, String)> {
    let query = request.path_with_query.split_once('?').map_or("", |(_, query)| query);
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Dates that are the present instant, which stood for missing ones, taken out.
fn without_present_time(text: &str, now: &str) -> String {
    let present = |value: &str| {
        let looks = value.len() == 25 && value.as_bytes().get(10) == Some(&b'T');
        let (Ok(instant), Ok(now)) = (crate::jwt::seconds(value), crate::jwt::seconds(now)) else { return false };
        looks && instant.abs_diff(now) <= 60
    };
    let line = |line: &str| -> String {
        line.split(';').map(|value| if present(value) { "" } else { value }).collect::<Vec<_>>().join(";")
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_taken_apart() {
        assert_eq!(without("/a?x=1&apiKey=k&y=2", &["apiKey"]), "/a?x=1&y=2");
        assert_eq!(without("/a?apiKey=k", &["apiKey"]), "/a");
        assert_eq!(decoded("a%5B%5d+%"), "a[] %");
    }

    #[test]
    fn replaced_characters_are_put_back_everywhere_in_a_fault() {
        let fault = json!({"message": "\"millesimes__ne_\" is not allowed", "path": ["millesimes__ne_"]});
        let expected = json!({"message": "\"millesimes[$ne]\" is not allowed", "path": ["millesimes[$ne]"]});
        assert_eq!(put_back(&fault, &[&"millesimes[$ne]".to_owned()]), expected);
    }

    #[test]
    fn the_present_time_stands_for_a_missing_date() {
        let text = "a;2024-06-15T14:00:00+02:00;\nb;2010-09-01T00:00:00+02:00;\n";
        let expected = "a;;\nb;2010-09-01T00:00:00+02:00;\n";
        assert_eq!(without_present_time(text, "2024-06-15T12:00:00.000Z"), expected);
    }

    #[test]
    fn null_messages_go_with_what_held_them() {
        let mut body = json!({"list": [{"_meta": {"messages": [null]}}, {"_meta": {"messages": [null, "m"]}}],
            "_meta": {"messages": [null], "titre": "t"}});
        without_null_messages(&mut body);
        assert_eq!(body, json!({"list": [{}, {"_meta": {"messages": ["m"]}}], "_meta": {"titre": "t"}}));
    }

    #[test]
    fn a_year_is_available_once() {
        let mut body = json!({"data": {"millesimesDisponible": ["2021", "2020", "2020"]}});
        each_year_once(&mut body);
        assert_eq!(body["data"]["millesimesDisponible"], json!(["2021", "2020"]));
    }
}
