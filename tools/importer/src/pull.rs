//! The pull: asks the service to collect, follows it to its end, tells what came of it.

use crate::TO_CONFIRM;
use crate::options::Pull;
use crate::publication::{advance, bar, confirm, confirmed, step, text};
use crate::report;
use crate::service::{Body, Refusal, Service};
use anyhow::{Context, bail};
use indicatif::ProgressBar;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long a call advances the run: it reads its tables again each time.
const BUDGET_MS: u32 = 10_000;
/// How long another run is waited for.
const BUSY: Duration = Duration::from_secs(600);

/// Follows a run to its end; the program's exit code.
pub fn pull(options: &Pull) -> anyhow::Result<u8> {
    let service = &options.service;
    if options.abandon {
        let state = service.once("DELETE", "pull", &Body::None)?.map_err(Refusal::fault)?;
        eprintln!("Collecte {} abandonnée", text(&state["collecte"]["id"]));
        return Ok(0);
    }
    let state = open(options)?;
    let id = text(&state["collecte"]["id"]).to_owned();
    let state = collect(service, state)?;
    if step(&state["collecte"]) == "remise" {
        let mut job = advance(service, &id, state["travail"].clone())?;
        while step(&job) == "attendre_confirmation" {
            let only_losses = report::TO_CONFIRM[1..]
                .iter()
                .all(|(field, _)| job["bilan"][*field].as_array().is_none_or(Vec::is_empty));
            let goes_on = (options.confirm_losses && only_losses) || confirmed(&job)?;
            if !goes_on {
                eprintln!("Rien n'est publié. Pour publier quand même : scripts/import confirm {id}");
                return Ok(TO_CONFIRM);
            }
            job = advance(service, &id, confirm(service, &id)?)?;
        }
        // The report is kept by the call after the last step.
        service.repeat("POST", "pull/run?budget_ms=1", &Body::None)?.map_err(Refusal::fault)?;
    }
    let report = service.repeat("GET", &format!("reports/{id}"), &Body::None)?.map_err(Refusal::fault)?;
    show(&report, options.json)?;
    match step(&report) {
        "publie" | "inchange" => Ok(0),
        "abandonne" => bail!("la collecte a été abandonnée"),
        _ => {
            let why = [&report["collecte"]["echec"], &report["bilan"]["echec"]];
            bail!("la collecte a échoué : {}", why.into_iter().find_map(Value::as_str).unwrap_or_default())
        }
    }
}

/// Shows a kept report, or the list of them.
pub fn reports(service: &Service, id: Option<&str>, json: bool) -> anyhow::Result<()> {
    let Some(id) = id else {
        let list = service.repeat("GET", "reports", &Body::None)?.map_err(Refusal::fault)?;
        if json {
            println!("{}", serde_json::to_string_pretty(&list)?);
        }
        for report in list["rapports"].as_array().into_iter().flatten().filter(|_| !json) {
            println!("{}", report::headline(report));
        }
        return Ok(());
    };
    let report = service.repeat("GET", &format!("reports/{id}"), &Body::None)?.map_err(Refusal::fault)?;
    show(&report, json)
}

fn show(report: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        print!("{}", report::text(report));
    }
    Ok(())
}

/// Takes up the run under way, or opens one.
fn open(options: &Pull) -> anyhow::Result<Value> {
    let service = &options.service;
    let ended = ["publie", "inchange", "abandonne", "echec", "depot", ""];
    match service.repeat("GET", "pull", &Body::None)? {
        Ok(state) => {
            let collecting = !["remise", "abandonnee", "echec"].contains(&step(&state["collecte"]));
            let publishing = step(&state["collecte"]) == "remise" && !ended.contains(&step(&state["travail"]));
            if collecting || publishing {
                eprintln!("Reprise de la collecte {}", text(&state["collecte"]["id"]));
                return Ok(state);
            }
        }
        Err(Refusal { status: 404, .. }) => {}
        Err(refusal) => return Err(refusal.fault()),
    }
    service.once("POST", "pull", &Body::Json(&options.demand))?.map_err(Refusal::fault)
}

/// Advances the run until its documents are handed to the publication, or it has failed.
fn collect(service: &Service, mut state: Value) -> anyhow::Result<Value> {
    let begun = Instant::now();
    let (mut shown, mut line) = (String::new(), ProgressBar::hidden());
    while !["remise", "abandonnee", "echec"].contains(&step(&state["collecte"])) {
        let run = &state["collecte"];
        let title = format!("{} {}", words(step(run)), text(&run["objet"]));
        if title != shown {
            line.finish_and_clear();
            line = bar(&title, 0, "{pos}/{len}");
            shown = title;
        }
        line.set_length(run["avancement"][1].as_u64().unwrap_or(0));
        line.set_position(run["avancement"][0].as_u64().unwrap_or(0));
        match service.repeat("POST", &format!("pull/run?budget_ms={BUDGET_MS}"), &Body::None) {
            Ok(Ok(next)) => state = next,
            // Someone else advances it, or publishes.
            Ok(Err(Refusal { status: 409, message })) if begun.elapsed() < BUSY => {
                line.set_message(message);
                std::thread::sleep(Duration::from_secs(1));
                continue;
            }
            Ok(Err(refusal)) => return Err(refusal.fault()),
            Err(fault) => {
                return Err(fault).context("la collecte est interrompue ; relancer la même commande la reprend");
            }
        }
        if let Some(why) = state["collecte"]["attente"][1].as_str() {
            line.println(format!("  attend : {why}"));
            line.set_message(why.to_owned());
            std::thread::sleep(Duration::from_secs(5));
        }
    }
    line.finish_and_clear();
    Ok(state)
}

fn words(step: &str) -> &'static str {
    match step {
        "collecter" => "Appels",
        "nomenclature" => "Nomenclature",
        "etablissements" => "Établissements",
        "catalogue" => "Catalogue",
        "liens" => "Tables de passage",
        "statistiques" => "Statistiques",
        "grouper" => "Traitements",
        _ => "Remise",
    }
}
