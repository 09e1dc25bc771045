//! Comparing what is stored with what was recorded.
//!
//! Rules (the recorded cases' own): collections and lists are sets; internal ids and the dates of
//! `_meta` do not count, `_meta.inserjeunes` and `_meta.insersup` do; `{{now}}` and `{{random}}`
//! match anything; null is the same as missing.

use domain::Document;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Differences between recorded and found collections, a line each.
#[must_use]
pub fn states(expected: &BTreeMap<String, Vec<Document>>, found: &BTreeMap<String, Vec<Document>>) -> Vec<String> {
    let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let documents = |of: &BTreeMap<String, Vec<Document>>, name: &String| -> Vec<Value> {
        of.get(name).into_iter().flatten().map(normal).collect()
    };
    let mut differences = Vec::new();
    for name in names {
        collection(name, documents(expected, name), documents(found, name), &mut differences);
    }
    differences
}

fn collection(name: &str, expected: Vec<Value>, mut found: Vec<Value>, differences: &mut Vec<String>) {
    let mut missing = Vec::new();
    for document in expected {
        match found.iter().position(|f| same(&document, f)) {
            Some(place) => {
                found.remove(place);
            }
            None => missing.push(document),
        }
    }
    for document in missing {
        // The nearest found document tells more than two whole ones.
        let nearest = found.iter().enumerate().max_by_key(|(_, f)| common(&document, f));
        match nearest.filter(|(_, f)| identity(f) == identity(&document)).map(|(place, _)| place) {
            Some(place) => {
                let other = found.remove(place);
                differences.push(format!("{name}: {}", identity(&document)));
                fields("", &document, &other, differences);
            }
            None => differences.push(format!("{name}: missing {document}")),
        }
    }
    differences.extend(found.into_iter().map(|document| format!("{name}: too many {document}")));
}

fn identity(document: &Value) -> String {
    let names =
        ["code_certification", "millesime", "filiere", "uai", "mef_stat_11", "diplome_sise", "numero_uai", "id"];
    let values = names.iter().filter_map(|name| document.get(name)).map(Value::to_string);
    values.collect::<Vec<_>>().join(" ")
}

fn common(a: &Value, b: &Value) -> usize {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return 0 };
    a.iter().filter(|(name, value)| b.get(*name).is_some_and(|other| same(value, other))).count()
}

fn fields(path: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    if same(expected, found) {
        return;
    }
    let (Some(a), Some(b)) = (expected.as_object(), found.as_object()) else {
        differences.push(format!("  {path}: expected {expected}, found {found}"));
        return;
    };
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (a.get(name), b.get(name)) {
            (Some(a), Some(b)) => fields(&path, a, b, differences),
            (Some(a), None) => differences.push(format!("  {path}: expected {a}, missing")),
            (None, Some(b)) => differences.push(format!("  {path}: not expected, found {b}")),
            (None, None) => {}
        }
    }
}

/// Equal as values, lists as sets, placeholders as anything.
fn same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(text), _) if text == "{{now}}" || text == "{{random}}" => true,
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => {
            let mut rest: Vec<&Value> = b.iter().collect();
            a.len() == b.len()
                && a.iter().all(|value| {
                    let place = rest.iter().position(|other| same(value, other));
                    place.map(|place| rest.remove(place)).is_some()
                })
        }
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => expected == found,
    }
}

/// A document without what does not count.
fn normal(document: &Document) -> Value {
    let mut document: Map<String, Value> = document.iter().filter(|(_, v)| !v.is_null()).map(pair).collect();
    document.remove("_id");
    if let Some(Value::Object(meta)) = document.get_mut("_meta") {
        meta.retain(|name, _| name == "inserjeunes" || name == "insersup");
        if meta.is_empty() {
            document.remove("_meta");
        }
    }
    Value::Object(document)
}

fn pair((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn state(value: Value) -> BTreeMap<String, Vec<Document>> {
        let list = value.as_array().unwrap().iter().map(|d| d.as_object().unwrap().clone()).collect();
        BTreeMap::from([("bcn".to_owned(), list)])
    }

    #[test]
    fn order_dates_and_placeholders_do_not_count() {
        let expected =
            state(json!([{"code_certification": "a", "l": [1, 2]}, {"code_certification": "b", "hash": "{{random}}"}]));
        let found = state(json!([
            {"code_certification": "b", "hash": "x", "_meta": {"date_import": "now"}, "nothing": null},
            {"code_certification": "a", "l": [2, 1.0]},
        ]));
        assert_eq!(states(&expected, &found), Vec::<String>::new());
    }

    #[test]
    fn differences_name_the_field() {
        let expected = state(json!([{"code_certification": "a", "n": 1, "_meta": {"inserjeunes": {}}}]));
        let found = state(json!([{"code_certification": "a", "n": 2, "m": 3}]));
        let differences = states(&expected, &found).join("\n");
        for part in ["n: expected 1, found 2", "m: not expected, found 3", "_meta: expected"] {
            assert!(differences.contains(part), "{differences}");
        }
    }
}
