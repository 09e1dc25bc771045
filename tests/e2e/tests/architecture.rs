//! The house: which room may know what.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use std::path::{Path, PathBuf};
use support::root;

/// The crates that know no runtime and do no I/O of their own.
const PURE: [&str; 5] = ["domain", "treatments", "store", "api", "widget"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn invariant_1_pure_crates_depend_on_no_runtime() {
    for name in PURE {
        let manifest = std::fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dev-dependencies]").next().unwrap();
        for runtime in ["spin-sdk", "edge", "host", "tokio", "wasmtime", "hyper", "rusqlite", "ureq", "getrandom"] {
            let depends = dependencies.lines().any(|l| l.split(['.', ' ', '=']).next() == Some(runtime));
            assert!(!depends, "{name} depends on {runtime}");
        }
    }
}

#[test]
fn invariant_1_pure_crates_do_no_input_or_output_of_their_own() {
    for name in PURE {
        let mut files = Vec::new();
        sources(&root().join("crates").join(name).join("src"), &mut files);
        assert!(!files.is_empty(), "{name}");
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for forbidden in ["std::fs", "std::net", "std::process", "std::env::", "SystemTime::now", "Instant::now"] {
                assert!(!code.contains(forbidden), "{} uses {forbidden}", file.display());
            }
        }
    }
}

#[test]
fn only_edge_and_components_know_the_sdk() {
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name == "edge" || !manifest.lines().any(|l| l.starts_with("spin-sdk")), "{name}");
    }
}
