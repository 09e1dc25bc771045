//! The import of production size from staged answers: the services are simulated, asked once, and then what comes after
//! the calls is measured: treatments and publication.

#![allow(clippy::indexing_slicing, reason = "only JSON values are indexed, which answer null")]

use crate::server::{Runtime, Server};
use anyhow::{Context, bail};
use services::{Data, Options, Services};
use std::collections::BTreeMap;
use std::path::Path;

/// What an import from staged answers took.
#[derive(Debug, Clone)]
pub struct Pull {
    /// Size of the simulated services; 1 is production.
    pub factor: f64,
    /// Calls whose answers were staged before the clock started.
    pub calls: u64,
    /// Documents published.
    pub documents: u64,
    /// Seconds of each treatment.
    pub treatments: BTreeMap<String, f64>,
    /// Seconds of the publication.
    pub publication: f64,
    /// Values written, staging of the answers included.
    pub writes: u64,
    /// The largest memory of an instance of the import or of the pull, in bytes.
    pub memory: Option<u64>,
}

/// Runs it.
pub fn measure(runtime: Runtime, folder: &Path, factor: f64) -> anyhow::Result<Pull> {
    let services = Services::start(Options { data: Data::Production(factor), ..Options::default() })?;
    let mut variables = services.variables();
    variables.insert("collecte_par_seconde".to_owned(), "1000".to_owned());
    let folder = folder.join("pull");
    let _ = std::fs::remove_dir_all(&folder);
    let server = Server::start_with(runtime, &folder, "0,1", None, &variables, None)?;
    let opened = server.import("POST", "pull", b"")?;
    let id = opened["collecte"]["id"].as_str().context("a run without id")?.to_owned();
    let job = loop {
        let state = server.import("POST", "pull/run", b"")?;
        if let Some("echec" | "abandonnee") = state["collecte"]["etape"].as_str() {
            bail!("the collection fails: {}", state["collecte"]["echec"]);
        }
        match state["travail"]["etape"].as_str() {
            Some("publie") => break state["travail"].clone(),
            Some("echec" | "inchange" | "abandonne" | "attendre_confirmation") => bail!("not published: {state}"),
            _ => {}
        }
    };
    let report = server.import("GET", &format!("reports/{id}"), b"")?;
    let told = &report["collecte"]["rapport"];
    let treatments: BTreeMap<String, f64> = told["durees_ms"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(step, _)| *step != "collecter")
        .map(|(step, ms)| (step.clone(), ms.as_f64().unwrap_or(0.0) / 1000.0))
        .collect();
    let publication = job["bilan"]["duree_ms"].as_f64().unwrap_or(0.0) / 1000.0;
    let writes = job["bilan"]["ecritures"].as_u64().unwrap_or(0) + told["ecritures"].as_u64().unwrap_or(0);
    let memory = server.counter("import", "peak_memory").max(server.counter("collecte", "peak_memory"));
    let documents: u64 = ["certifications", "regionales", "formations"]
        .into_iter()
        .flat_map(|maille| job["bilan"]["documents"][maille].as_object().into_iter().flatten())
        .flat_map(|(_, sources)| sources.as_object().into_iter().flatten())
        .filter_map(|(_, n)| n.as_u64())
        .sum();
    let calls: u64 = told["sources"].as_object().into_iter().flatten().filter_map(|(_, s)| s["appels"].as_u64()).sum();
    Ok(Pull { factor, calls, documents, treatments, publication, writes, memory })
}
