//! The format of the recorded cases.

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// Where it lies.
    #[serde(skip)]
    pub path: PathBuf,
    /// What every case has in force.
    pub config: Value,
    /// States of the store, by id: collections of documents.
    pub states: BTreeMap<String, Map<String, Value>>,
    /// The cases.
    pub cases: Vec<Case>,
}

/// A request and the recorded answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// Its state of the store.
    pub state: String,
    /// The instant at which it was recorded.
    pub now: String,
    /// What it changes in the file's configuration.
    #[serde(default)]
    pub config: Option<Value>,
    /// The request.
    pub request: RecordedRequest,
    /// The answer.
    pub response: Recorded,
    /// Rows in any order.
    #[serde(default)]
    pub any_order: bool,
    /// Lists that are sets, such as `*.codes_certifications`.
    #[serde(default)]
    pub unordered_fields: Vec<String>,
    /// Whether the answer depends on the clock. This runner fixes it and plays them all.
    #[serde(default)]
    pub clock_sensitive: bool,
    /// Where the required answer differs on purpose.
    #[serde(default)]
    pub deviation: Vec<String>,
}

/// A recorded request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedRequest {
    /// The method.
    pub method: String,
    /// Path and query, as sent.
    pub path_with_query: String,
    /// The headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: Option<String>,
    /// What `{{jwt}}` in a header stands for.
    #[serde(default)]
    pub jwt: Option<crate::jwt::Token>,
}

/// A recorded answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The status.
    pub status: u16,
    /// The headers that are compared.
    pub headers: BTreeMap<String, String>,
    /// `json`, `text` or `empty`.
    pub body_type: String,
    /// The body: a JSON value, or a text.
    #[serde(default)]
    pub body: Value,
    /// What an image shows.
    #[serde(default)]
    pub svg: Option<crate::image::Shown>,
    /// What `{{jwt}}` in the body stands for.
    #[serde(default)]
    pub jwt: Option<crate::jwt::Token>,
}

impl CaseFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it is not of this format.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let fault = || format!("{}", path.display());
        let text = std::fs::read_to_string(path).with_context(fault)?;
        let mut file: Self = serde_json::from_str(&text).with_context(fault)?;
        path.clone_into(&mut file.path);
        for case in &file.cases {
            ensure!(file.states.contains_key(&case.state), "{}: no state {}", case.id, case.state);
        }
        Ok(file)
    }

    /// The last part of its path.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What a case has in force: the file's configuration, and what the case changes in it.
    #[must_use]
    pub fn config_of(&self, case: &Case) -> Value {
        let mut config = self.config.clone();
        if let Some(changes) = &case.config {
            merge(&mut config, changes);
        }
        config
    }
}

fn merge(into: &mut Value, changes: &Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (name, change) in changes {
                merge(into.entry(name.clone()).or_insert(Value::Null), change);
            }
        }
        (into, change) => change.clone_into(into),
    }
}
