//! The files that forges and catalogues read are what they should be: nobody sees otherwise that one is malformed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use std::path::Path;
use support::root;
use yaml_rust2::{Yaml, YamlLoader};

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn yaml(path: &Path) -> Yaml {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    let documents = YamlLoader::load_from_str(&text).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    assert_eq!(documents.len(), 1, "{}", path.display());
    documents.into_iter().next().unwrap()
}

/// The file of the public standard for public code, by its mandatory fields and their ranges.
#[test]
fn publiccode_is_valid() {
    let file = yaml(Path::new("publiccode.yml"));
    let text = |value: &Yaml| value.as_str().unwrap_or_default().to_owned();
    assert_eq!(text(&file["publiccodeYmlVersion"]), "0.7");
    assert!(text(&file["url"]).starts_with("https://") && !text(&file["name"]).is_empty());
    assert!(
        ["concept", "development", "beta", "stable", "obsolete"].contains(&text(&file["developmentStatus"]).as_str())
    );
    assert_eq!(text(&file["softwareType"]), "standalone/backend");
    assert!(!file["platforms"].as_vec().unwrap().is_empty());
    for language in ["fr", "en"] {
        let description = &file["description"][language];
        let length = |name: &str| text(&description[name]).chars().count();
        assert!((1..=150).contains(&length("shortDescription")), "{language}: {}", length("shortDescription"));
        assert!((150..=10_000).contains(&length("longDescription")), "{language}");
        assert!(!description["features"].as_vec().unwrap().is_empty(), "{language}");
    }
    assert_eq!(text(&file["legal"]["license"]), "MIT");
    assert_eq!(text(&file["maintenance"]["type"]), "internal");
    assert!(!text(&file["maintenance"]["contacts"][0]["name"]).is_empty(), "internal maintenance names contacts");
    assert_eq!(file["localisation"]["localisationReady"].as_bool(), Some(false));
    assert_eq!(text(&file["localisation"]["availableLanguages"][0]), "fr");
}

/// One version, said in five places, and dated where readers look.
#[test]
fn the_version_is_the_same_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    let publiccode = yaml(Path::new("publiccode.yml"));
    assert_eq!(publiccode["softwareVersion"].as_str(), Some(version));
    let date = publiccode["releaseDate"].as_str().unwrap();
    let changelog = read("CHANGELOG.md");
    let mut versions = changelog.lines().filter(|line| line.starts_with("## "));
    assert_eq!(versions.next(), Some("## Unreleased"));
    assert_eq!(versions.next(), Some(format!("## {version} — {date}").as_str()));
    for manifest in ["spin.toml", "deploy/spin-cron/spin.toml"] {
        let manifest: toml::Table = read(manifest).parse().unwrap();
        assert_eq!(manifest["application"]["version"].as_str(), Some(version));
    }
}

/// The compiler of CI is the one that the project asks for, and the image of a forge has it.
#[test]
fn the_compiler_is_the_same_everywhere() {
    let pinned: toml::Table = read("rust-toolchain.toml").parse().unwrap();
    let channel = pinned["toolchain"]["channel"].as_str().unwrap();
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let least = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    assert!(channel.starts_with(&format!("{least}.")), "{channel}, {least}");
    assert!(pinned["toolchain"].get("targets").is_none(), "rustup would ask its servers for them");
    let image = yaml(Path::new(".gitlab-ci.yml"))["test"]["image"].as_str().unwrap().to_owned();
    assert!(image.starts_with(&format!("rust:{channel}-")), "{image}");
}

#[test]
fn both_forges_run_what_a_developer_runs() {
    let runs = |steps: &[Yaml], command: &str| steps.iter().any(|step| step.as_str() == Some(command));
    let github = yaml(Path::new(".github/workflows/ci.yml"));
    let steps = github["jobs"]["test"]["steps"].as_vec().unwrap();
    assert!(steps.iter().any(|step| step["run"].as_str() == Some(".ci/run")));
    let gitlab = yaml(Path::new(".gitlab-ci.yml"));
    assert!(runs(gitlab["test"]["script"].as_vec().unwrap(), ".ci/run"));
    assert!(read(".ci/run").contains("scripts/test"));
}

#[test]
fn forms_say_what_they_are_for() {
    let mut forms = 0;
    for entry in std::fs::read_dir(root().join(".github/ISSUE_TEMPLATE")).unwrap() {
        let path = entry.unwrap().path();
        let form = yaml(&path);
        if path.ends_with("config.yml") {
            assert!(form["contact_links"][0]["url"].as_str().is_some());
            continue;
        }
        forms += 1;
        assert!(form["name"].as_str().is_some() && form["description"].as_str().is_some(), "{}", path.display());
        for field in form["body"].as_vec().unwrap() {
            let kind = field["type"].as_str().unwrap();
            let (attributes, id) = (&field["attributes"], &field["id"]);
            match kind {
                "markdown" => assert!(attributes["value"].as_str().is_some(), "{}", path.display()),
                "textarea" | "input" => assert!(attributes["label"].as_str().is_some() && id.as_str().is_some()),
                "dropdown" => assert!(!attributes["options"].as_vec().unwrap().is_empty() && id.as_str().is_some()),
                other => panic!("{}: {other}", path.display()),
            }
        }
    }
    let gitlab = std::fs::read_dir(root().join(".gitlab/issue_templates")).unwrap().count();
    assert_eq!((forms, gitlab), (4, 4), "the two forges have the same forms");
    assert_eq!(read(".github/pull_request_template.md"), read(".gitlab/merge_request_templates/Default.md"));
}
