//! Plays cases: one application for each state and configuration.

use crate::case::{Case, CaseFile, RecordedRequest};
use crate::compare::{self, Findings};
use crate::image::Shown;
use crate::table::Table;
use crate::{deviation, state};
use anyhow::Context;
use serde_json::Value;
use std::sync::Mutex;
use support::{Answer, Application, Request, Settings};

/// Rows asked for at once when a whole list is walked.
const PAGE: usize = 100;

/// A case that was played.
#[derive(Debug)]
pub struct Outcome {
    /// The file's place among those given.
    pub file: usize,
    /// The case's place in the file.
    pub case: usize,
    /// What was found.
    pub findings: Findings,
}

/// Cases of one state and configuration.
struct Group {
    key: String,
    config: Value,
    members: Vec<(usize, usize)>,
}

/// Plays the cases of some files, on every processor; `only` chooses one by its id.
#[must_use]
pub fn all(files: &[CaseFile], only: Option<&str>) -> Vec<Outcome> {
    let groups = groups(files, only);
    let (queue, outcomes) = (Mutex::new(groups.into_iter()), Mutex::new(Vec::new()));
    let next = || queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
    let work = || {
        while let Some(group) = next() {
            let played = play(files, &group);
            outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(played);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    outcomes.sort_by_key(|outcome| (outcome.file, outcome.case));
    outcomes
}

fn groups(files: &[CaseFile], only: Option<&str>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (file_number, file) in files.iter().enumerate() {
        for (case_number, case) in file.cases.iter().enumerate() {
            if only.is_some_and(|only| only != case.id) {
                continue;
            }
            let config = file.config_of(case);
            let state = file.states.get(&case.state).cloned().unwrap_or_default();
            let key = format!("{config}{}", Value::Object(state));
            let member = (file_number, case_number);
            match groups.iter_mut().find(|group| group.key == key) {
                Some(group) => group.members.push(member),
                None => groups.push(Group { key, config, members: vec![member] }),
            }
        }
    }
    groups
}

fn play(files: &[CaseFile], group: &Group) -> Vec<Outcome> {
    let case_of = |(file, case): (usize, usize)| files.get(file).and_then(|f| Some((f, f.cases.get(case)?)));
    let application = group
        .members
        .first()
        .and_then(|member| case_of(*member))
        .context("a group has a case")
        .and_then(|(file, case)| start(file, case, &group.config));
    let play = |member: &(usize, usize)| {
        let (_, case) = case_of(*member)?;
        let mut findings = Findings::default();
        let judged = match &application {
            Ok(application) => judge(case, &Server { application, config: &group.config }, &mut findings),
            Err(fault) => Err(anyhow::anyhow!("the state does not get in: {fault:#}")),
        };
        if let Err(fault) = judged {
            findings.differ(format!("{fault:#}"));
        }
        Some(Outcome { file: member.0, case: member.1, findings })
    };
    group.members.iter().filter_map(play).collect()
}

/// The application with a case's state published.
fn start(file: &CaseFile, case: &Case, config: &Value) -> anyhow::Result<Application> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let application = Application::start(Settings {
        legacy_api_key: text(&config["legacy_api_key"]),
        jwt_secret: text(&config["jwt"]["secret"]),
        ..Settings::default()
    })?;
    let state = file.states.get(&case.state).context("the state is there")?;
    let job = application.push(&state::push(state, config)?)?;
    anyhow::ensure!(job["etape"] == "publie", "the publication ends in {}: {}", job["etape"], job["bilan"]["echec"]);
    Ok(application)
}

/// The application that a case is played against.
pub struct Server<'a> {
    application: &'a Application,
    config: &'a Value,
}

impl Server<'_> {
    /// What is in force.
    #[must_use]
    pub fn config(&self) -> &Value {
        self.config
    }

    /// The key that re-users share.
    #[must_use]
    pub fn legacy_key(&self) -> &str {
        &self.application.settings.legacy_api_key
    }

    /// Sends a recorded request.
    ///
    /// # Errors
    /// Where its token cannot be made or no whole answer comes back.
    pub fn ask(&self, recorded: &RecordedRequest) -> anyhow::Result<Answer> {
        let token = recorded.jwt.as_ref().map(crate::jwt::Token::sign).transpose()?.unwrap_or_default();
        let mut request = Request::new(&recorded.method, &recorded.path_with_query.replace("{{jwt}}", &token));
        for (name, value) in &recorded.headers {
            request = request.header(name, &value.replace("{{jwt}}", &token));
        }
        let request = request.body(recorded.body.clone().unwrap_or_default());
        self.application.send(&request).with_context(|| format!("{} {}", recorded.method, recorded.path_with_query))
    }

    /// Every page of a list, by another size of page.
    fn walk<T>(
        &self,
        recorded: &RecordedRequest,
        rows: impl Fn(&Answer) -> anyhow::Result<Vec<T>>,
    ) -> anyhow::Result<Vec<T>> {
        let path = deviation::without(&recorded.path_with_query, &["page", "items_par_page"]);
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut all = Vec::new();
        for page in 1.. {
            let path_with_query = format!("{path}{separator}items_par_page={PAGE}&page={page}");
            let request = RecordedRequest { path_with_query, ..recorded.clone() };
            let read = rows(&self.ask(&request)?)?;
            let last = read.len() < PAGE;
            all.extend(read);
            if last {
                break;
            }
        }
        Ok(all)
    }
}

fn judge(case: &Case, server: &Server<'_>, findings: &mut Findings) -> anyhow::Result<()> {
    let now = host::testing::parse_instant(&case.now).map_err(anyhow::Error::msg)?;
    server.application.host.set_clock(Some(now));
    let answer = server.ask(&case.request)?;
    if case.deviation.is_empty() {
        check_recorded(case, &answer, server, findings)
    } else {
        deviation::judge(case, &answer, server, findings)
    }
}

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
