//! Fields of JSON as pages read them: what is missing is empty.

use serde_json::{Map, Value};

/// The text of a field.
#[must_use]
pub fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The whole number of a field.
#[must_use]
pub fn number(value: &Value, field: &str) -> u64 {
    value.get(field).and_then(Value::as_u64).unwrap_or_default()
}

/// The fields of an object.
pub fn members<'v>(value: impl Into<Option<&'v Value>>) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value.into().and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

/// What is told by maille, millesime and filiere: these three, and what is told of them.
pub fn by_filiere<'v>(
    value: impl Into<Option<&'v Value>>,
) -> impl Iterator<Item = (&'v String, &'v String, &'v String, &'v Value)> {
    members(value).flat_map(|(maille, millesimes)| {
        members(millesimes).flat_map(move |(millesime, filieres)| {
            members(filieres).map(move |(filiere, told)| (maille, millesime, filiere, told))
        })
    })
}
