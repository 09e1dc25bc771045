//! Cases, as they are recorded.

use cases::{Files, LoadError};
use domain::Document;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A case of a file.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// Name of the step.
    pub job: String,
    /// Positional arguments of the step.
    pub args: Vec<Value>,
    /// Name and text of the files the step reads.
    pub files: BTreeMap<String, String>,
    /// Stored documents, by collection.
    pub before: BTreeMap<String, Vec<Document>>,
    /// Recorded exchanges.
    pub upstream: Vec<Value>,
    /// What must be stored then.
    pub after: BTreeMap<String, Vec<Document>>,
    /// The text of the error that the step ends with.
    pub thrown: Option<String>,
    /// Where what is stored then differs on purpose.
    pub deviation: Vec<String>,
}

/// The cases of a file, or of every `.json` file of a folder, by file.
///
/// # Errors
/// [`LoadError`].
pub fn load(path: &Path) -> Result<Files<Case>, LoadError> {
    cases::load(path, read)
}

fn read(case: &Value) -> Option<Case> {
    let list = |name: &str| case.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let files = case.get("files").and_then(Value::as_object).into_iter().flatten();
    let content = |file: &Value| file.get("content").and_then(Value::as_str).unwrap_or_default().to_owned();
    let thrown = case.get("thrown").filter(|t| !t.is_null());
    Some(Case {
        id: case.get("id")?.as_str()?.to_owned(),
        job: case.get("job")?.as_str()?.to_owned(),
        args: list("args"),
        files: files.map(|(name, file)| (name.clone(), content(file))).collect(),
        before: collections(case.get("before")?)?,
        upstream: list("upstream"),
        after: collections(case.get("after")?)?,
        deviation: list("deviation").iter().filter_map(|mark| mark.as_str().map(str::to_owned)).collect(),
        thrown: thrown.map(|t| t.get("message").and_then(Value::as_str).unwrap_or_default().to_owned()),
    })
}

fn collections(value: &Value) -> Option<BTreeMap<String, Vec<Document>>> {
    let documents = |list: &Value| list.as_array()?.iter().map(|d| d.as_object().cloned()).collect::<Option<_>>();
    value.as_object()?.iter().map(|(name, list)| Some((name.clone(), documents(list)?))).collect()
}
