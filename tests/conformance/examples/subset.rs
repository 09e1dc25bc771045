//! Takes the cases that `chosen.txt` names out of the recorded ones beside the project:
//! `cargo run -p conformance --example subset -- ../shared/conformance`.
//!
//! The files keep their names and format. A state comes along where a chosen case is played on it. Of a service's long
//! table stay the first rows and those that the case speaks of: what is stored afterwards is compared as recorded.
//! Addresses of persons do not come along.

#![allow(clippy::indexing_slicing, reason = "only JSON values are indexed, which answer null")]

use anyhow::{Context, bail};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Folder of the recorded cases, list of the chosen ones, folder that they go to.
const PARTS: [(&str, &str, &str); 2] = [
    ("http", "tests/conformance/cases/chosen.txt", "tests/conformance/cases/http"),
    ("import", "tests/import-cases/cases/chosen.txt", "tests/import-cases/cases"),
];
/// A table of the services with more rows is shortened.
const LONG: usize = 40;
/// Rows of a long table that stay in any case.
const FIRST: usize = 10;
/// Together they may not outweigh the code.
const WHOLE_SIZE: usize = 1_500_000;

fn main() -> anyhow::Result<()> {
    let Some(recorded) = std::env::args().nth(1) else { bail!("subset FOLDER: the folder of the recorded cases") };
    let mut size = 0;
    for (part, chosen, out) in PARTS {
        let mut missing = chosen_ids(&std::fs::read_to_string(support::root().join(chosen)).context(chosen)?);
        let mut entries: Vec<_> = std::fs::read_dir(Path::new(&recorded).join(part))?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            let mut file: Value = serde_json::from_slice(&std::fs::read(entry.path())?)?;
            reduce(&mut file, &mut missing);
            if file["cases"].as_array().is_some_and(Vec::is_empty) {
                continue;
            }
            let text = lines(&file);
            size += text.len();
            std::fs::write(support::root().join(out).join(entry.file_name()), text)?;
        }
        anyhow::ensure!(missing.is_empty(), "{chosen} names cases that are not recorded: {missing:?}");
    }
    anyhow::ensure!(size < WHOLE_SIZE, "{size} bytes; {WHOLE_SIZE} are too many");
    println!("{size} bytes");
    Ok(())
}

/// What stands after the last colon of each line.
fn chosen_ids(text: &str) -> BTreeSet<String> {
    let rules = text.lines().filter(|line| !line.starts_with('#'));
    rules.filter_map(|line| line.rsplit_once(": ")).flat_map(|(_, ids)| ids.split(' ').map(str::to_owned)).collect()
}

/// Leaves the chosen cases and their states; what is found is no longer missing.
fn reduce(file: &mut Value, missing: &mut BTreeSet<String>) {
    let mut states = BTreeSet::new();
    if let Some(cases) = file["cases"].as_array_mut() {
        cases.retain(|case| case["id"].as_str().is_some_and(|id| missing.remove(id)));
        cases.iter_mut().for_each(shorten);
        cases.iter_mut().filter_map(|case| case.get_mut("upstream")).for_each(hide_addresses);
        states.extend(cases.iter().filter_map(|case| case["state"].as_str().map(str::to_owned)));
    }
    if let Some(all) = file.get_mut("states").and_then(Value::as_object_mut) {
        all.retain(|id, _| states.contains(id));
    }
}

/// Takes rows out of the long tables of a case that nothing else in it names by one of their first two fields.
fn shorten(case: &mut Value) {
    let mut whole = case.clone();
    let Some(exchanges) = case.get_mut("upstream").and_then(Value::as_array_mut) else { return };
    let mut long: Vec<&mut Vec<Value>> = exchanges
        .iter_mut()
        .filter_map(|exchange| exchange.pointer_mut("/response/body/data")?.as_array_mut())
        .filter(|rows| rows.len() > LONG)
        .collect();
    for exchange in whole["upstream"].as_array_mut().into_iter().flatten() {
        if let Some(rows) = exchange.pointer_mut("/response/body/data").and_then(Value::as_array_mut) {
            rows.truncate(if rows.len() > LONG { 0 } else { LONG });
        }
    }
    let mut named = BTreeSet::new();
    texts(&whole, &mut named);
    // A certification's first three characters are the code of its level.
    let levels: Vec<String> = named.iter().filter_map(|text| text.get(..3).map(str::to_owned)).collect();
    named.extend(levels);
    let kept = |row: &Value, named: &BTreeSet<String>| {
        let keys = row.as_object().into_iter().flat_map(serde_json::Map::values).take(2);
        // A single letter is no key.
        keys.filter_map(Value::as_str).any(|key| key.len() > 1 && named.contains(key))
    };
    // What a kept row names is kept too: a link brings its group.
    let links: Vec<&Value> = long.iter().flat_map(|rows| rows.iter()).filter(|row| kept(row, &named)).collect();
    links.into_iter().for_each(|row| texts(row, &mut named));
    for rows in &mut long {
        let mut place = 0;
        rows.retain(|row| {
            place += 1;
            place <= FIRST || kept(row, &named)
        });
    }
}

/// Replaces mail addresses, which the recorded catalogue has of persons. No treatment reads them.
fn hide_addresses(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('@') => *text = "courriel@example.org".to_owned(),
        Value::Array(items) => items.iter_mut().for_each(hide_addresses),
        Value::Object(members) => members.values_mut().for_each(hide_addresses),
        _ => {}
    }
}

/// Every text in a value.
fn texts(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(into.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(members) => members.values().for_each(|member| texts(member, into)),
        _ => {}
    }
}

/// A line a state and a case, so that a change shows as what it is.
fn lines(file: &Value) -> String {
    let mut parts = vec![format!("\"config\":{}", file["config"])];
    if let Some(states) = file["states"].as_object() {
        let states: Vec<_> = states.iter().map(|(id, state)| format!("{}:{state}", Value::from(id.as_str()))).collect();
        parts.push(format!("\"states\":{{\n{}\n}}", states.join(",\n")));
    }
    let cases: Vec<_> = file["cases"].as_array().into_iter().flatten().map(Value::to_string).collect();
    parts.push(format!("\"cases\":[\n{}\n]", cases.join(",\n")));
    format!("{{{}}}\n", parts.join(",\n"))
}
