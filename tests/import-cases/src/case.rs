//! Cases, as they are recorded.

use domain::Document;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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

/// Why a file of cases cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder or file cannot be read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It is no file of cases.
    #[error("{}: {what} is missing or malformed", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What.
        what: &'static str,
    },
}

/// The cases of every `.json` file of a folder, by file.
///
/// # Errors
/// [`LoadError`].
pub fn load(folder: &Path) -> Result<BTreeMap<String, Vec<Case>>, LoadError> {
    let unreadable = |path: &Path, reason: String| LoadError::Unreadable { path: path.to_owned(), reason };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(|e| unreadable(folder, e.to_string()))? {
        let path = entry.map_err(|e| unreadable(folder, e.to_string()))?.path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let text = std::fs::read(&path).map_err(|e| unreadable(&path, e.to_string()))?;
        let value: Value = serde_json::from_slice(&text).map_err(|e| unreadable(&path, e.to_string()))?;
        let malformed = |what| LoadError::Malformed { path: path.clone(), what };
        let cases = value.get("cases").and_then(Value::as_array).ok_or_else(|| malformed("cases"))?;
        let cases = cases.iter().map(|case| read(case).ok_or_else(|| malformed("a case"))).collect::<Result<_, _>>()?;
        let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or_default();
        files.insert(name.to_owned(), cases);
    }
    Ok(files)
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
