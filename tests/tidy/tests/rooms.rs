//! Rooms: what may know what.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use tidy::{definitions, imports, module_of, root, sources};

/// Modules of a crate and the modules of the same crate that they name.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn graphs() -> BTreeMap<String, Graph> {
    let sources = sources();
    let mut graphs: BTreeMap<String, Graph> = BTreeMap::new();
    for (file, source) in &sources {
        let Some((krate, module)) = module_of(file) else { continue };
        graphs.entry(krate.to_owned()).or_default().entry(module.clone()).or_default().extend(imports(&module, source));
    }
    for graph in graphs.values_mut() {
        let known: BTreeSet<String> = graph.keys().cloned().collect();
        for imported in graph.values_mut() {
            // `a::b::Name` is a name in `a::b`; what is no module and in none is of the crate's root, which only gathers.
            *imported = imported.iter().filter_map(|path| longest(path, &known)).collect();
        }
    }
    graphs
}

/// The longest start of a path that is a module, the root aside.
fn longest(path: &str, known: &BTreeSet<String>) -> Option<String> {
    let parts: Vec<&str> = path.split("::").collect();
    (1..=parts.len()).rev().map(|n| parts[..n].join("::")).find(|module| known.contains(module))
}

/// Whether one is the other's folder: a module and its own parts are one room.
fn is_family(one: &str, other: &str) -> bool {
    let within = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with("::"));
    within(one, other) || within(other, one)
}

/// Pairs from before there was this test. The list only gets shorter.
const KNOWN: [&str; 0] = [];

#[test]
fn no_module_imports_one_that_imports_it() {
    let mut found = Vec::new();
    let mut seen = 0;
    for (krate, graph) in graphs() {
        for (module, imported) in &graph {
            seen += imported.len();
            for other in imported.iter().filter(|other| *other > module && !is_family(other, module)) {
                if graph.get(other).is_some_and(|back| back.contains(module)) {
                    found.push(format!("{krate}: {module} and {other}"));
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} imports were seen");
    let new: Vec<&String> = found.iter().filter(|pair| !KNOWN.contains(&pair.as_str())).collect();
    assert!(new.is_empty(), "let one of each pair know the other only: {new:#?}");
    let gone: Vec<&&str> = KNOWN.iter().filter(|pair| !found.iter().any(|found| found == **pair)).collect();
    assert!(gone.is_empty(), "mended: take them off the list: {gone:#?}");
}

/// The crates that a component is made of.
fn tree(package: &str) -> BTreeSet<String> {
    let cargo = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package", package])
        .args(["--target", "wasm32-wasip2"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(cargo.status.success(), "cargo tree -p {package}: {}", String::from_utf8_lossy(&cargo.stderr));
    let text = String::from_utf8_lossy(&cargo.stdout);
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn invariant_4_a_read_component_is_made_without_what_writes() {
    for component in [
        "bcn",
        "certifications",
        "documentation",
        "formations",
        "identifiants",
        "images",
        "lists",
        "lots",
        "mailles",
        "mcp",
        "recherche",
        "regionales",
        "site",
        "status",
    ] {
        let tree = tree(component);
        assert!(tree.contains("store") || component == "documentation", "{component}: {tree:?}");
        for forbidden in ["accounts", "admin", "argon2", "collection", "pbkdf2", "publication", "sources", "treatments"]
        {
            assert!(!tree.contains(forbidden), "{component} is made with {forbidden}");
        }
    }
    let auth = tree("auth");
    assert!(auth.contains("argon2") && !auth.contains("publication") && !auth.contains("sources"), "{auth:?}");
    // The preview knows which jobs wait, and nothing of accounts, services or routes that write.
    let preview = tree("apercu");
    for forbidden in ["accounts", "admin", "argon2", "collection", "sources"] {
        assert!(!preview.contains(forbidden), "apercu is made with {forbidden}");
    }
    assert!(tree("import").contains("publication") && tree("collecte").contains("collection"));
}

#[test]
fn invariant_1_the_inner_rooms_know_no_runtime() {
    for room in [
        "accounts",
        "admin",
        "api",
        "collection",
        "domain",
        "matching",
        "pages",
        "preview",
        "publication",
        "raster",
        "sources",
        "store",
        "treatments",
        "widget",
    ] {
        let tree = tree(room);
        for forbidden in ["edge", "spin-sdk", "tokio", "wasmtime"] {
            assert!(!tree.contains(forbidden), "{room} is made with {forbidden}");
        }
    }
}

/// The rooms that a row of ARCHITECTURE.md names after "in": until the next sentence.
fn named_rooms(row: &str) -> BTreeSet<String> {
    let rooms = row.split(" in ").nth(1).unwrap_or_default();
    let rooms = rooms.split([';', ':', '(']).next().unwrap_or_default();
    rooms.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn each_invariant_is_shown_where_the_page_says() {
    let mut tested: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, source) in &sources() {
        for definition in definitions(file, source) {
            let Some((number, _)) = definition.name.strip_prefix("invariant_").and_then(|name| name.split_once('_'))
            else {
                continue;
            };
            let room = file.split('/').take(2).collect::<Vec<_>>().join("/");
            tested.entry(number.to_owned()).or_default().insert(room);
        }
    }
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let mut told = BTreeMap::new();
    for row in page.lines().filter(|row| row.contains("`invariant_")) {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let (number, shown) = (cells.next().unwrap_or_default(), cells.nth(1).unwrap_or_default());
        assert!(shown.starts_with(&format!("`invariant_{number}_…` in ")), "{row}");
        told.insert(number.to_owned(), named_rooms(shown));
    }
    assert_eq!(told, tested, "left: what ARCHITECTURE.md says, right: where the tests are");
}
