//! Bodies of requests: parsed on every route, as the former service did.

use crate::error::ApiError;
use crate::request::{Request, decode};
use serde_json::{Map, Value};

/// Largest body, in bytes.
pub const BODY_MAX: usize = 100 * 1024;

/// The fields of a JSON or form body; empty for every other content type and for no body.
///
/// # Errors
/// 413 above [`BODY_MAX`], 415 for a charset that is not read, 400 for what is neither object nor
/// array.
pub fn read(request: &Request) -> Result<Value, ApiError> {
    let empty = || Value::Object(Map::new());
    if request.body.is_empty() {
        return Ok(empty());
    }
    let content = request.header("content-type").unwrap_or_default();
    let mut parts = content.split(';').map(str::trim);
    let error_type = parts.next().unwrap_or_default().to_ascii_lowercase();
    let json = error_type == "application/json";
    if !json && error_type != "application/x-www-form-urlencoded" {
        return Ok(empty());
    }
    let charset = parts
        .find_map(|p| p.get(..8).filter(|d| d.eq_ignore_ascii_case("charset="))?.len().checked_sub(8).and(p.get(8..)));
    let charset = charset.map(|j| j.trim_matches('"').to_ascii_lowercase());
    if charset.is_some_and(|j| !matches!(j.as_str(), "utf-8" | "utf8" | "us-ascii")) {
        return Err(ApiError::Charset);
    }
    if request.body.len() > BODY_MAX {
        return Err(ApiError::TooLarge("Le corps de la requête dépasse 100 Ko".into()));
    }
    if json {
        return match serde_json::from_slice(&request.body) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(value),
            _ => Err(ApiError::Unreadable("Le corps de la requête n'est pas un objet JSON")),
        };
    }
    let mut fields = Map::new();
    for pair in String::from_utf8_lossy(&request.body).split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        insert(&mut fields, &decode(name, true), decode(value, true));
    }
    Ok(Value::Object(fields))
}

/// `a[b]=c` is an object, a repeated name an array: neither is ever a text.
fn insert(fields: &mut Map<String, Value>, name: &str, value: String) {
    if let Some((name, key)) = name.split_once('[').filter(|(name, _)| !name.is_empty()) {
        let key = key.strip_suffix(']').unwrap_or(key);
        let object = fields.entry(name).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(object) = object {
            object.insert(key.to_owned(), value.into());
        }
        return;
    }
    match fields.get_mut(name) {
        None => {
            fields.insert(name.to_owned(), value.into());
        }
        Some(Value::Array(values)) => values.push(value.into()),
        Some(before) => *before = Value::Array(vec![before.take(), value.into()]),
    }
}
