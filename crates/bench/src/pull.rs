//! The import of production size from staged answers: the services are simulated, asked once, and then what comes after
//! the calls is measured: treatments and publication.

#![allow(clippy::indexing_slicing, reason = "only JSON values are indexed, which answer null")]

use crate::server::{Runtime, Server};
use anyhow::{Context, bail};
use services::{Data, Options, Services};
use std::collections::BTreeMap;
use std::path::Path;

/// Seconds from the staged answers to the moved pointer, at factor 1.
const SECONDS: f64 = 90.0;
/// Guest memory, in bytes.
const MEMORY: u64 = 128 << 20;
/// Values written.
const WRITES: u64 = 40_000;

/// Runs it and prints its table.
pub fn measure(runtime: Runtime, folder: &Path, factor: f64) -> anyhow::Result<()> {
    let services = Services::start(Options { data: Data::Production(factor), ..Options::default() })?;
    let mut variables = services.variables();
    variables.insert("collecte_par_seconde".to_owned(), "1000".to_owned());
    let folder = folder.join("pull");
    let _ = std::fs::remove_dir_all(&folder);
    let server = Server::start_with(runtime, &folder, "0,1", None, &variables)?;
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
    let steps: BTreeMap<&str, f64> = told["durees_ms"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(step, ms)| (step.as_str(), ms.as_f64().unwrap_or(0.0) / 1000.0))
        .collect();
    let treatments: f64 = steps.iter().filter(|(step, _)| **step != "collecter").map(|(_, s)| s).sum();
    let publication = job["bilan"]["duree_ms"].as_f64().unwrap_or(0.0) / 1000.0;
    let writes = job["bilan"]["ecritures"].as_u64().unwrap_or(0) + told["ecritures"].as_u64().unwrap_or(0);
    let memory = server.counter("import", "peak_memory");
    let documents: u64 = ["certifications", "regionales", "formations"]
        .into_iter()
        .flat_map(|maille| job["bilan"]["documents"][maille].as_object().into_iter().flatten())
        .flat_map(|(_, sources)| sources.as_object().into_iter().flatten())
        .filter_map(|(_, n)| n.as_u64())
        .sum();
    let calls: u64 = told["sources"].as_object().into_iter().flatten().filter_map(|(_, s)| s["appels"].as_u64()).sum();
    println!("\n| import from staged answers × {factor} | measured | budget at × 1 |\n| --- | --- | --- |");
    println!("| calls staged before | {calls} | |\n| documents published | {documents} | |");
    println!("| treatments | {treatments:.1} s ({}) | |", listed(&steps));
    println!("| publication | {publication:.1} s | |");
    let verdict = |met: bool| if met { "met" } else { "**missed**" };
    let seconds = treatments + publication;
    println!("| together | {seconds:.1} s | {SECONDS:.0} s: {} |", verdict(seconds <= SECONDS * factor));
    println!(
        "| values written, staging of the answers included | {writes} | {WRITES}: {} |",
        verdict(writes <= WRITES)
    );
    if let Some(memory) = memory {
        println!("| guest memory at most | {} MiB | 128 MiB: {} |", memory >> 20, verdict(memory <= MEMORY));
    }
    Ok(())
}

fn listed(steps: &BTreeMap<&str, f64>) -> String {
    let listed = steps.iter().filter(|(step, _)| **step != "collecter").map(|(step, s)| format!("{step} {s:.1}"));
    listed.collect::<Vec<_>>().join(", ")
}
