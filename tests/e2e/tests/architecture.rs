//! The house: which room may know what.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use std::path::{Path, PathBuf};
use support::root;

/// The crates that know no runtime and do no I/O of their own.
const PURE: [&str; 7] = ["domain", "treatments", "matching", "store", "api", "widget", "raster"];

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

/// The services' addresses and secrets: each is handed to the pull and to nobody else, secrets are marked, an address
/// that is not set grants nothing.
#[test]
fn invariant_4_only_the_pull_knows_the_services() {
    let manifest: toml::Table = std::fs::read_to_string(root().join("spin.toml")).unwrap().parse().unwrap();
    for name in admin::services::VARIABLES.into_iter().chain(admin::pull::VARIABLES) {
        let declared = manifest["variables"][name].as_table().unwrap();
        let secret = ["_key", "_login", "_username", "_password"].iter().any(|end| name.ends_with(end));
        assert_eq!(declared.get("secret").and_then(toml::Value::as_bool), secret.then_some(true), "{name}");
        let default = declared["default"].as_str().unwrap();
        assert!(
            default.is_empty()
                || name.starts_with("collecte_")
                || (name.ends_with("_chemin") && default.starts_with('/')),
            "{name}"
        );
        for (id, component) in manifest["component"].as_table().unwrap() {
            let handed = component.get("variables").and_then(|variables| variables.get(name));
            let template = (id == admin::runs::COMPONENT).then(|| format!("{{{{ {name} }}}}"));
            assert_eq!(handed.and_then(toml::Value::as_str), template.as_deref(), "{id}: {name}");
        }
    }
    let hosts = |id: &str| -> Vec<String> {
        let hosts = manifest["component"][id]["allowed_outbound_hosts"].as_array().unwrap();
        hosts.iter().map(|host| host.as_str().unwrap().to_owned()).collect()
    };
    let wanted = admin::services::VARIABLES.iter().filter(|name| name.ends_with("_origine"));
    assert_eq!(hosts(admin::runs::COMPONENT), wanted.map(|name| format!("{{{{ {name} }}}}")).collect::<Vec<_>>());
    assert_eq!(admin::runs::ORIGIN, format!("http://{}.spin.internal", admin::runs::COMPONENT));
    assert_eq!(hosts("import"), [admin::runs::ORIGIN], "the import calls the pull and nothing outside");
    // What the offices decided to hide is read where documents are made: a switch that is not handed on would not be known.
    for name in ["secret", "secret_secondaire"] {
        for (id, component) in manifest["component"].as_table().unwrap() {
            let handed = component.get("variables").and_then(|variables| variables.get(name)).is_some();
            assert_eq!(handed, id == "import", "{id}: {name}");
        }
    }
}
