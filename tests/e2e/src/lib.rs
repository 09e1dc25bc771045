//! The built application over HTTP. What tests share is in `support`; here is what they publish.

#![allow(clippy::indexing_slicing, reason = "only JSON values are indexed, which answer null")]

use serde_json::{Value, json};
use support::push::Push;
use support::{Application, Settings, root};

/// Bytes of a part.
const PART: usize = 4 * 1024 * 1024;

/// The sample of `data/`.
///
/// # Errors
/// Where it cannot be read.
pub fn sample() -> anyhow::Result<Push> {
    let mut lines = Vec::new();
    let mut files: Vec<_> =
        std::fs::read_dir(root().join("data"))?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "ndjson")) {
        lines.extend(std::fs::read(file)?);
    }
    Ok(Push { parts: in_parts(&lines), ..Push::all("") })
}

/// Lines cut into parts that the service takes.
#[must_use]
pub fn in_parts(lines: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        match parts.last_mut() {
            Some(part) if part.len() + line.len() <= PART => part.extend_from_slice(line),
            _ => parts.push(line.to_vec()),
        }
    }
    parts
}

/// The application with the sample published.
///
/// # Errors
/// Where it does not start or the publication does not end well.
pub fn with_sample(settings: Settings) -> anyhow::Result<Application> {
    with(settings, &sample()?)
}

/// The application with a push published.
///
/// # Errors
/// Where it does not start or the publication does not end well.
pub fn with(settings: Settings, push: &Push) -> anyhow::Result<Application> {
    let application = Application::start(settings)?;
    let job = application.push(push)?;
    anyhow::ensure!(job["etape"] == "publie", "the publication ends in {}: {}", job["etape"], job["bilan"]);
    Ok(application)
}

/// Instances that answer one request each: nothing is kept from one to the next.
#[must_use]
pub fn cold() -> Settings {
    let mut settings = Settings::default();
    settings.reuse.max_requests = 1;
    settings
}

/// A line of a push.
#[must_use]
pub fn line(kind: &str, doc: &Value) -> String {
    json!({"kind": kind, "doc": doc}).to_string() + "\n"
}

/// The generation that is served.
///
/// # Errors
/// Where the status cannot be had.
pub fn generation(application: &Application) -> anyhow::Result<String> {
    let status = application.send(&application.import("GET", "status"))?;
    let generation = status.json()["pointeur"]["generation"].as_str().map(str::to_owned);
    generation.ok_or_else(|| anyhow::anyhow!("no generation: {} {}", status.status, status.text()))
}
