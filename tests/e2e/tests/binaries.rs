//! Invariant 4, read off the built files: who may write, who may call outside, what Spin must offer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use std::collections::{BTreeMap, BTreeSet};
use wasmparser::{Parser, Payload};

/// The components that may write to the store, and those that may call: the pull outside, the import the pull.
const WRITERS: [&str; 4] = ["auth", "collecte", "import", "comptes"];
const CALLERS: [&str; 2] = ["collecte", "import"];

/// What a component imports, what it exports, and the functions that its core modules call.
#[derive(Debug, Default)]
struct Binary {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
    called: BTreeSet<(String, String)>,
}

fn read(bytes: &[u8]) -> Binary {
    let mut binary = Binary::default();
    // Modules and components lie inside each other; only the outermost one meets the runtime.
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= i32::from(depth > 0),
            Payload::ComponentImportSection(section) if depth == 0 => {
                binary.imports.extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                binary.exports.extend(section.into_iter().map(|export| export.unwrap().name.name.to_owned()));
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.unwrap();
                    // `[async-lower][method]store.get` calls `store.get`.
                    let function = import.name.rsplit(']').next().unwrap_or_default();
                    binary.called.insert((import.module.to_owned(), function.to_owned()));
                }
            }
            _ => {}
        }
    }
    binary
}

fn binaries() -> BTreeMap<String, Binary> {
    support::components_are_built().unwrap();
    let manifest = host::manifest::Manifest::read(&support::root().join("spin.toml")).unwrap();
    let read = |source| read(&std::fs::read(source).unwrap());
    manifest.components.into_iter().map(|(id, component)| (id, read(component.source))).collect()
}

/// The list of interfaces as patterns: `wasi:cli/* @0.2.6 and @0.3.0 (with their clocks, random)`.
fn offered(list: &str) -> Vec<(String, String, String)> {
    let mut patterns = Vec::new();
    for line in list.lines().filter_map(|line| line.strip_prefix("import ")) {
        let (line, with) = line.split_once(" (with their ").unwrap_or((line, ""));
        let mut pieces = line.split('@');
        let (package, interfaces) = pieces.next().unwrap().trim().split_once('/').unwrap();
        let versions: Vec<&str> = pieces.map(|piece| piece.split(' ').next().unwrap()).collect();
        let namespace = package.split(':').next().unwrap();
        let others = with.trim_end_matches(')').split(", ").filter(|name| !name.is_empty());
        let packages = std::iter::once((package.to_owned(), interfaces))
            .chain(others.map(|name| (format!("{namespace}:{name}"), "*")));
        for (package, interfaces) in packages {
            for interface in interfaces.split(", ") {
                for version in &versions {
                    patterns.push((package.clone(), interface.to_owned(), (*version).to_owned()));
                }
            }
        }
    }
    patterns
}

fn is_offered(import: &str, offered: &[(String, String, String)]) -> bool {
    let Some((name, version)) = import.split_once('@') else { return false };
    let Some((package, interface)) = name.split_once('/') else { return false };
    offered.iter().any(|(p, i, v)| p == package && (i == "*" || i == interface) && v == version)
}

#[test]
fn invariant_4_components_import_what_spin_offers_and_export_one_handler() {
    let offered = offered(include_str!("../interfaces.txt"));
    assert!(is_offered("wasi:clocks/monotonic-clock@0.3.0", &offered));
    assert!(!is_offered("wasi:clocks/monotonic-clock@0.3.1", &offered));
    for (id, binary) in binaries() {
        let unknown: Vec<&String> = binary.imports.iter().filter(|import| !is_offered(import, &offered)).collect();
        assert!(unknown.is_empty(), "{id} imports what Spin does not offer: {unknown:?}");
        assert_eq!(binary.exports, BTreeSet::from(["wasi:http/handler@0.3.0".to_owned()]), "{id}");
    }
}

#[test]
fn the_list_of_interfaces_is_the_one_that_was_recorded() {
    let Some(recorded) = support::shared("design/spin-4.1-interfaces.txt", "the_list_of_interfaces") else { return };
    assert_eq!(std::fs::read_to_string(recorded).unwrap(), include_str!("../interfaces.txt"));
}

#[test]
fn invariant_4_read_components_open_and_get_and_nothing_else() {
    for (id, binary) in binaries() {
        let of_store = |module: &str| module.starts_with("spin:key-value/") || module.starts_with("wasi:keyvalue/");
        let called: BTreeSet<&str> = binary
            .called
            .iter()
            .filter(|(module, _)| of_store(module))
            .map(|(_, function)| function.as_str())
            .filter(|function| *function != "store")
            .collect();
        if WRITERS.contains(&id.as_str()) {
            assert!(called.iter().any(|function| function.contains("set")), "{id} writes nothing: {called:?}");
            assert!(!called.iter().any(|function| function.contains("keys")), "{id} lists keys: {called:?}");
        } else {
            assert!(called.iter().all(|function| ["store.open", "store.get"].contains(function)), "{id}: {called:?}");
            assert!(!binary.imports.iter().any(|import| import.starts_with("wasi:keyvalue/")), "{id}");
        }
    }
}

/// Without the variable a component takes every store for Spin's own file, and believes what a swap on Redis answers.
#[test]
fn whoever_writes_is_told_what_the_store_can_do() {
    let manifest = host::manifest::Manifest::read(&support::root().join("spin.toml")).unwrap();
    for (id, binary) in binaries() {
        let swaps = binary.imports.iter().any(|import| import.starts_with("wasi:keyvalue/"));
        assert_eq!(swaps, manifest.components[&id].variables.contains_key("store_profile"), "{id}");
    }
}

#[test]
fn invariant_4_only_the_pull_and_the_import_may_call() {
    let manifest = host::manifest::Manifest::read(&support::root().join("spin.toml")).unwrap();
    for (id, binary) in binaries() {
        let calls: Vec<_> = binary
            .called
            .iter()
            .filter(|(module, _)| {
                module.starts_with("wasi:http/client") || module.starts_with("wasi:http/outgoing-handler")
            })
            .collect();
        let hosts = &manifest.components[&id].allowed_outbound_hosts;
        if !CALLERS.contains(&id.as_str()) {
            assert!(calls.is_empty(), "{id} calls outside: {calls:?}");
            assert!(hosts.is_empty(), "{id} is allowed to call {hosts:?}");
        }
    }
}
