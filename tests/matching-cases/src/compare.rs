//! Comparison of answers with what is expected.

use serde_json::{Map, Value};

/// The differences, a line each.
#[must_use]
pub fn answers(expected: &[Map<String, Value>], found: &[Map<String, Value>]) -> Vec<String> {
    if expected.is_empty() {
        return Vec::new();
    }
    if expected.len() != found.len() {
        return vec![format!("{} answers expected, {} found", expected.len(), found.len())];
    }
    let mut differences = Vec::new();
    for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
        for (key, wanted) in expected {
            let value = found.get(key).unwrap_or(&Value::Null);
            if !agree(key, wanted, value) {
                differences.push(format!("row {}: {key}: expected {wanted}, found {value}", number + 1));
            }
        }
    }
    differences
}

/// `source` may be a list of accepted values; numbers agree by value.
fn agree(key: &str, wanted: &Value, found: &Value) -> bool {
    match wanted {
        Value::Array(accepted) if key == "source" => accepted.contains(found),
        Value::Number(wanted) => found.as_f64().is_some_and(|found| wanted.as_f64() == Some(found)),
        _ => wanted == found,
    }
}

/// The lines of the resolver that are missing.
#[must_use]
pub fn lines(expected: &[Value], found: &[Value]) -> Vec<String> {
    let holds = |wanted: &Value, line: &Value| {
        wanted.as_object().is_some_and(|wanted| wanted.iter().all(|(key, value)| line.get(key) == Some(value)))
    };
    expected
        .iter()
        .filter(|wanted| !found.iter().any(|line| holds(wanted, line)))
        .map(|wanted| format!("resolver: no line {wanted}"))
        .collect()
}
