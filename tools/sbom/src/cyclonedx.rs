//! The bill of materials, as CycloneDX 1.5 in JSON. The same sources make the same bytes: it has no date and no serial
//! number.

use crate::licence::Expression;
use crate::shipped;
use anyhow::Context;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The bill of materials of the components.
///
/// # Errors
/// Where cargo fails, or a file cannot be read.
pub fn bill(root: &Path) -> anyhow::Result<Value> {
    let (components, metadata) = (shipped::components(root)?, shipped::metadata(root)?);
    let (packages, checksums) = (shipped::packages(root)?, shipped::checksums(root)?);
    let shipped: BTreeSet<(&str, &str)> = packages.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect();
    // Packages by cargo's id: those of the project, and what is shipped of others.
    let mut known: BTreeMap<&str, &Value> = BTreeMap::new();
    for package in metadata["packages"].as_array().context("cargo metadata has packages")? {
        let text = |name: &str| package[name].as_str().unwrap_or_default();
        if package["source"].is_null() || shipped.contains(&(text("name"), text("version"))) {
            known.insert(text("id"), package);
        }
    }
    let graph = graph(&metadata, &known);
    let starts = known.iter().filter(|(_, package)| package["name"].as_str().is_some_and(|n| components.contains(n)));
    let starts: Vec<&str> = starts.map(|(id, _)| *id).collect();
    let reached = reach(&starts, &graph);
    let version = known.values().find(|p| p["source"].is_null()).map_or(Value::Null, |p| p["version"].clone());

    let mut parts = Vec::new();
    let mut dependencies = vec![json!({
        "ref": "exposition",
        "dependsOn": starts.iter().filter_map(|id| known.get(id)).map(|package| reference(package)).collect::<Vec<_>>(),
    })];
    for package in reached.iter().filter_map(|id| known.get(id)) {
        let text = |name: &str| package[name].as_str().unwrap_or_default();
        let mut part = json!({
            "type": if components.contains(text("name")) { "application" } else { "library" },
            "bom-ref": reference(package),
            "name": text("name"),
            "version": text("version"),
            "licenses": [{"expression": spdx(&Expression::parse(text("license"))?)}],
        });
        if package["source"].is_string() {
            part["purl"] = reference(package).into();
            let checksum = checksums.get(&(text("name").to_owned(), text("version").to_owned()));
            part["hashes"] = json!([{"alg": "SHA-256", "content": checksum.context("Cargo.lock has a checksum")?}]);
            if let Some(repository) = package["repository"].as_str() {
                part["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
            }
        }
        parts.push(part);
        let used = graph.get(text("id")).into_iter().flatten().filter_map(|id| known.get(id));
        let used: BTreeSet<String> = used.map(|package| reference(package)).collect();
        dependencies.push(json!({"ref": reference(package), "dependsOn": used}));
    }
    for (name, licence) in [("swagger-ui-dist", "Apache-2.0"), ("@gouvfr/dsfr", "etalab-2.0")] {
        let version = crate::notice::npm_version(root, name)?;
        let url = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
        parts.push(json!({
            "type": "library",
            "bom-ref": url,
            "name": name,
            "version": version,
            "description": "Embedded in the component documentation, where it is built with scripts/assets --install",
            "licenses": [{"expression": licence}],
            "purl": url,
        }));
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {
            "type": "application",
            "bom-ref": "exposition",
            "name": "exposition",
            "version": version,
            "licenses": [{"expression": "MIT"}],
        }},
        "components": parts,
        "dependencies": dependencies,
    }))
}

/// What each known package links, by id.
fn graph<'m>(metadata: &'m Value, known: &BTreeMap<&str, &Value>) -> BTreeMap<&'m str, Vec<&'m str>> {
    let mut graph = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().into_iter().flatten() {
        let normal =
            |edge: &&Value| edge["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k["kind"].is_null()));
        let edges = node["deps"].as_array().into_iter().flatten().filter(normal);
        let ids = edges.filter_map(|edge| edge["pkg"].as_str()).filter(|id| known.contains_key(id)).collect();
        graph.insert(node["id"].as_str().unwrap_or_default(), ids);
    }
    graph
}

fn reach<'m>(starts: &[&'m str], graph: &BTreeMap<&'m str, Vec<&'m str>>) -> BTreeSet<&'m str> {
    let (mut reached, mut open) = (BTreeSet::new(), starts.to_vec());
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            open.extend(graph.get(id).into_iter().flatten());
        }
    }
    reached
}

/// What a package is called in the bill: for those of the registry, its package URL.
fn reference(package: &Value) -> String {
    let text = |name: &str| package[name].as_str().unwrap_or_default();
    if package["source"].is_null() {
        return format!("exposition/{}@{}", text("name"), text("version"));
    }
    // The only character of a version that a package URL escapes.
    format!("pkg:cargo/{}@{}", text("name"), text("version").replace('+', "%2B"))
}

/// An expression in today's spelling.
fn spdx(expression: &Expression) -> String {
    let join = |parts: &[Expression], word: &str| {
        let inner = parts.iter().map(|part| match part {
            Expression::One(licence) => licence.clone(),
            group => format!("({})", spdx(group)),
        });
        inner.collect::<Vec<_>>().join(word)
    };
    match expression {
        Expression::One(licence) => licence.clone(),
        Expression::All(parts) => join(parts, " AND "),
        Expression::Any(parts) => join(parts, " OR "),
    }
}
