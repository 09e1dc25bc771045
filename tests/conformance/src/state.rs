//! A recorded state of the store as a push.

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use support::push::Push;

/// The collections of a state, and the kind of their documents in a push.
const KINDS: [(&str, &str); 7] = [
    ("certificationsStats", "certification"),
    ("regionalesStats", "regionale"),
    ("formationsStats", "formation"),
    ("bcn", "bcn"),
    ("bcn_sise", "bcn_sise"),
    ("acceEtablissements", "etablissement"),
    ("users", "user"),
];

/// The push that brings a state, with the latest millésimes of a configuration in force.
///
/// # Errors
/// Where the state has a collection that is not known.
pub fn push(state: &Map<String, Value>, config: &Value) -> anyhow::Result<Push> {
    let mut lines = String::new();
    for (collection, documents) in state {
        let Some((_, kind)) = KINDS.iter().find(|(name, _)| name == collection) else {
            bail!("the collection {collection} has no kind");
        };
        for document in documents.as_array().context("a collection is a list")? {
            let doc = match *kind {
                "user" => json!({"username": document["username"], "password": document["password"]}),
                _ => plain(document),
            };
            lines += &json!({"kind": kind, "doc": doc}).to_string();
            lines.push('\n');
        }
    }
    Ok(Push::all(lines).in_force(in_force(config)))
}

/// The latest millésimes of a configuration, named as in the import.
#[must_use]
pub fn in_force(config: &Value) -> Value {
    let mut millesimes = Map::new();
    for (ours, theirs) in [
        ("certifications", "default"),
        ("certifications_sup", "defaultSup"),
        ("regionales", "regionales"),
        ("formations", "formations"),
        ("formations_sup", "formationsSup"),
    ] {
        if let Some(last) = config["millesimes"][theirs].as_array().and_then(|list| list.last()) {
            millesimes.insert(ours.to_owned(), last.clone());
        }
    }
    millesimes.into()
}

/// `{"$date": instant}` becomes the instant's text.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => match members.get("$date") {
            Some(instant) => instant.clone(),
            None => members.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        },
        Value::Array(items) => items.iter().map(plain).collect(),
        value => value.clone(),
    }
}
