//! Plays cases: one application for each state and configuration.

use crate::case::{Case, CaseFile};
use crate::compare::Findings;
use crate::recorded::check_recorded;
use crate::server::Server;
use crate::{deviation, state};
use anyhow::Context;
use serde_json::Value;
use std::sync::Mutex;
use support::{Application, Settings};

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
