//! Which packages are linked into the components.

use anyhow::{Context, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// The manifests whose components are deployed.
const MANIFESTS: [&str; 2] = ["spin.toml", "deploy/spin-cron/spin.toml"];
const TARGET: &str = "wasm32-wasip2";

/// A package from outside of the project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it says of its licence, an SPDX expression.
    pub licence: String,
}

/// The packages of the project that become components.
///
/// # Errors
/// Where a manifest does not say how a component is built.
pub fn components(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for manifest in MANIFESTS {
        let table: toml::Table = std::fs::read_to_string(root.join(manifest)).context(manifest)?.parse()?;
        let components = table.get("component").and_then(toml::Value::as_table).context(manifest)?;
        // Two components may be one program; one of them builds it.
        let commands = components.values().filter_map(|component| component.get("build")?.get("command")?.as_str());
        for command in commands {
            let (_, name) = command.split_once(" -p ").with_context(|| format!("{manifest}: {command}"))?;
            names.insert(name.trim().to_owned());
        }
    }
    Ok(names)
}

/// What is linked into the components. Programs that run while compiling, procedural macros, are not.
///
/// Asks cargo's own view of a build, so features that only programs of this machine use bring nothing in. Works without
/// a network once the components are built.
///
/// # Errors
/// Where cargo fails.
pub fn packages(root: &Path) -> anyhow::Result<BTreeSet<Package>> {
    let mut arguments = vec!["tree", "--locked", "--offline", "--target", TARGET, "--edges", "normal,no-proc-macro"];
    arguments.extend(["--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"]);
    let components = components(root)?;
    arguments.extend(components.iter().flat_map(|name| ["--package", name]));
    let text = cargo(root, &arguments)?;
    let mut packages = BTreeSet::new();
    // Packages of the project are followed by their path.
    for line in text.lines().filter(|line| !line.is_empty() && !line.contains(" (/")) {
        let (name, licence) = line.split_once('|').with_context(|| line.to_owned())?;
        let (name, version) = name.split_once(" v").with_context(|| line.to_owned())?;
        let [name, version, licence] = [name, version, licence].map(|text| text.trim().to_owned());
        packages.insert(Package { name, version, licence });
    }
    ensure!(!packages.is_empty(), "cargo names no package");
    Ok(packages)
}

/// What the manifests of packages say, by name and version, and what depends on what: `cargo metadata --locked`.
///
/// # Errors
/// Where cargo fails.
pub fn metadata(root: &Path) -> anyhow::Result<Value> {
    let text = cargo(root, &["metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET])?;
    Ok(serde_json::from_str(&text)?)
}

/// Checksums of `Cargo.lock`, by name and version.
///
/// # Errors
/// Where it cannot be read.
pub fn checksums(root: &Path) -> anyhow::Result<BTreeMap<(String, String), String>> {
    let lock: toml::Table = std::fs::read_to_string(root.join("Cargo.lock")).context("Cargo.lock")?.parse()?;
    let mut checksums = BTreeMap::new();
    for package in lock.get("package").and_then(toml::Value::as_array).into_iter().flatten() {
        let text = |name: &str| package.get(name).and_then(toml::Value::as_str).map(str::to_owned);
        if let (Some(name), Some(version), Some(checksum)) = (text("name"), text("version"), text("checksum")) {
            checksums.insert((name, version), checksum);
        }
    }
    Ok(checksums)
}

fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program).args(arguments).current_dir(root).output().context("cargo does not start")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo {} fails:\n{said}", arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}
