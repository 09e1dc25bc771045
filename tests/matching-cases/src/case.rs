//! Cases, as they are recorded.

use cases::{Files, LoadError};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

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

/// The cases of a file, or of every `.json` file of a folder, by file.
///
/// # Errors
/// [`LoadError`].
pub fn load(path: &Path) -> Result<Files<Case>, LoadError> {
    cases::load(path, read)
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
