//! Reading and writing fields of documents.

use domain::Document;
use domain::date::{Instant, read_iso, read_value, write_iso};
use serde_json::{Map, Value};

/// A text field; empty counts as missing.
pub(crate) fn field<'a>(document: &'a Document, name: &str) -> Option<&'a str> {
    document.get(name).and_then(Value::as_str).filter(|t| !t.is_empty())
}

/// A field of an object field.
pub(crate) fn sub_field<'a>(document: &'a Document, name: &str, below: &str) -> Option<&'a str> {
    document.get(name)?.get(below)?.as_str()
}

/// A scalar as text: the services send the same column as a number or as a string.
pub(crate) fn scalar(document: &Document, name: &str) -> Option<String> {
    match document.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// A list of texts.
pub(crate) fn list(document: &Document, name: &str) -> Vec<String> {
    let values = document.get(name).and_then(Value::as_array);
    values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A date of a stored document.
pub(crate) fn date(document: &Document, name: &str) -> Option<Instant> {
    document.get(name).and_then(read_value)
}

/// A day of the BCN: its first ten characters, at midnight UTC.
pub(crate) fn day_utc(document: &Document, name: &str) -> Option<Instant> {
    read_iso(field(document, name)?.get(..10)?)
}

/// An instant as documents hold it.
pub(crate) fn date_value(instant: Instant) -> Value {
    let mut object = Map::new();
    object.insert("$date".to_owned(), write_iso(instant).into());
    Value::Object(object)
}

/// Sets a field that has a value; nothing otherwise (null and missing mean the same).
pub(crate) fn put(document: &mut Document, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        document.insert(name.to_owned(), value.into());
    }
}
