//! Cases, as they are recorded.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A row of a table or of a catalogue: every cell a text, empty where it is `null`.
pub type Cells = Map<String, Value>;

/// A case of a file.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// What it shows.
    pub why: String,
    /// The date of the campaign.
    pub campaign: String,
    /// The last millesime of every filiere.
    pub last_millesime: String,
    /// The tables that it needs, by name.
    pub tables: BTreeMap<String, Vec<Cells>>,
    /// Rows of a catalogue.
    pub rows: Vec<Cells>,
    /// What the answers must hold, one a row. Empty: only the resolver is asked.
    pub expected: Vec<Map<String, Value>>,
    /// Lines that the resolver must give, among others.
    pub expected_resolver: Vec<Value>,
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

/// The cases of a file, or of every `.json` file of a folder, by file.
///
/// # Errors
/// [`LoadError`].
pub fn load(path: &Path) -> Result<BTreeMap<String, Vec<Case>>, LoadError> {
    let unreadable = |path: &Path, reason: String| LoadError::Unreadable { path: path.to_owned(), reason };
    let mut paths = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(|e| unreadable(path, e.to_string()))? {
            paths.push(entry.map_err(|e| unreadable(path, e.to_string()))?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    } else {
        paths.push(path.to_owned());
    }
    let mut files = BTreeMap::new();
    for path in paths {
        let text = std::fs::read(&path).map_err(|e| unreadable(&path, e.to_string()))?;
        let value: Value = serde_json::from_slice(&text).map_err(|e| unreadable(&path, e.to_string()))?;
        let malformed = |what| LoadError::Malformed { path: path.clone(), what };
        let cases = value.get("cases").and_then(Value::as_array).ok_or_else(|| malformed("cases"))?;
        let cases = cases.iter().map(|case| read(case).ok_or_else(|| malformed("a case"))).collect::<Result<_, _>>()?;
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        files.insert(name.to_owned(), cases);
    }
    Ok(files)
}

fn read(case: &Value) -> Option<Case> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let list = |name: &str| case.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let options = case.get("options")?;
    let tables = case.get("tables")?.as_object()?;
    Some(Case {
        id: text(case, "id")?,
        why: text(case, "why").unwrap_or_default(),
        campaign: text(options, "date_campagne")?,
        last_millesime: text(options, "dernier_millesime")?,
        tables: tables.iter().map(|(name, rows)| Some((name.clone(), cells(rows)?))).collect::<Option<_>>()?,
        rows: cells(case.get("rows")?)?,
        expected: list("expected").iter().map(|row| row.as_object().cloned()).collect::<Option<_>>()?,
        expected_resolver: list("expected_resolver"),
    })
}

fn cells(rows: &Value) -> Option<Vec<Cells>> {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let row = |row: &Value| {
        let row = row.as_object()?;
        Some(row.iter().map(|(name, value)| (name.clone(), text(value).into())).collect())
    };
    rows.as_array()?.iter().map(row).collect()
}
