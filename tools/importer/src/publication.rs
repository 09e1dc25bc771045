//! From files to a generation that readers follow.

use crate::options::Options;
use crate::parts::{self, Part};
use crate::resume::{Notebook, Progress};
use crate::service::{Body, Refusal, Service};
use crate::{REFUSED, TO_CONFIRM, report};
use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How long a call advances a job: short, so that the bar moves.
const BUDGET_MS: u32 = 1000;
/// How long another publication is waited for.
const BUSY: Duration = Duration::from_secs(600);

/// Publishes; the program's exit code.
pub fn publish(options: &Options) -> anyhow::Result<u8> {
    let parts = parts::cut(&options.files)?;
    let notebook = Notebook::of(options, &parts);
    let service = &options.service;
    let (mut progress, mut job) = open(options, &notebook)?;
    if step(&job) == "depot" {
        let refused = send(service, &parts, &mut progress, &notebook)?;
        if refused > 0 && !options.accept_refusals {
            let _ = service.once("DELETE", &format!("jobs/{}", progress.job), &Body::None);
            notebook.forget();
            eprintln!(
                "{refused} lignes refusées : rien n'est publié. Les corriger, ou publier sans elles : --accepter-refus"
            );
            return Ok(REFUSED);
        }
        job = order(options, &progress, parts.len(), options.confirm_losses)?;
    }
    loop {
        job = advance(service, &progress.job, job)?;
        if step(&job) != "attendre_confirmation" {
            break;
        }
        if !options.confirm_losses && !confirmed(&job)? {
            eprintln!("Rien n'est publié. Pour publier quand même : la même commande avec --confirmer-pertes");
            return Ok(TO_CONFIRM);
        }
        job = order(options, &progress, parts.len(), true)?;
    }
    notebook.forget();
    if options.json {
        println!("{}", serde_json::to_string_pretty(&job)?);
    } else {
        print!("{}", report::text(&job));
    }
    match step(&job) {
        "publie" | "inchange" => Ok(0),
        "abandonne" => bail!("la publication a été abandonnée"),
        _ => bail!("la publication a échoué : {}", text(&job["bilan"]["echec"])),
    }
}

/// Where a job stands.
pub fn step(job: &Value) -> &str {
    job["etape"].as_str().unwrap_or_default()
}

/// A text, empty where there is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Takes up the job of an earlier run, or opens one.
fn open(options: &Options, notebook: &Notebook) -> anyhow::Result<(Progress, Value)> {
    let service = &options.service;
    if let Some(progress) = notebook.read() {
        let found = service.repeat("GET", &format!("jobs/{}", progress.job), &Body::None)?;
        match found {
            Ok(job) if !["publie", "inchange", "abandonne", "echec"].contains(&step(&job)) => {
                eprintln!("Reprise de l'envoi interrompu ({} parties déjà reçues)", progress.sent);
                return Ok((progress, job));
            }
            Ok(_) | Err(Refusal { status: 404, .. }) => notebook.forget(),
            Err(refusal) => return Err(refusal.fault()),
        }
    }
    let job = service.once("POST", "jobs", &Body::Json(&options.opening))?.map_err(Refusal::fault)?;
    let progress = Progress { job: text(&job["id"]).to_owned(), sent: 0 };
    notebook.write(&progress);
    Ok((progress, job))
}

/// Sends the parts that are missing; how many lines of theirs were refused.
fn send(service: &Service, parts: &[Part], progress: &mut Progress, notebook: &Notebook) -> anyhow::Result<u64> {
    let total: u64 = parts.iter().map(|part| part.length).sum();
    let bar = bar("Envoi", total, "{bytes}/{total_bytes}");
    let mut refused = 0;
    for (number, part) in parts.iter().enumerate() {
        if number < progress.sent {
            bar.inc(part.length);
            continue;
        }
        let bytes = part.read()?;
        let body = Body::Lines { bytes: &bytes, digest: STANDARD.encode(part.digest) };
        let info = service
            .repeat("PUT", &format!("jobs/{}/parts/{number}", progress.job), &body)
            .context("l'envoi est interrompu ; relancer la même commande le reprend")?
            .map_err(Refusal::fault)
            .with_context(|| part.place(1))?;
        refused += info["refusees"].as_u64().unwrap_or(0);
        for refusal in info["refus"].as_array().into_iter().flatten().take(10) {
            let line = refusal["ligne"].as_u64().and_then(|line| usize::try_from(line).ok()).unwrap_or(1);
            bar.suspend(|| eprintln!("{} : {}", part.place(line), text(&refusal["raison"])));
        }
        // From the first refused line on, parts count as not sent: the run that takes this one up must hear of it.
        if refused == 0 {
            progress.sent = number + 1;
            notebook.write(progress);
        }
        bar.inc(part.length);
    }
    bar.finish_and_clear();
    Ok(refused)
}

/// Says how the job is to be published, and lets its steps begin or go on.
fn order(options: &Options, progress: &Progress, parts: usize, confirm_losses: bool) -> anyhow::Result<Value> {
    let mut order = json!({
        "parties": parts,
        "accepter_refus": options.accept_refusals,
        "confirmer_pertes": confirm_losses,
    });
    if let Some(millesimes) = &options.in_force {
        order["millesimes"] = Value::Object(millesimes.clone());
    }
    let path = format!("jobs/{}/publish", progress.job);
    options.service.repeat("POST", &path, &Body::Json(&order))?.map_err(Refusal::fault)
}

/// Advances a job until nothing more happens by itself.
pub fn advance(service: &Service, id: &str, mut job: Value) -> anyhow::Result<Value> {
    let ends = ["publie", "inchange", "abandonne", "echec", "attendre_confirmation"];
    let begun = Instant::now();
    let (mut shown, mut line) = (String::new(), ProgressBar::hidden());
    while !ends.contains(&step(&job)) {
        if step(&job) != shown {
            line.finish_and_clear();
            step(&job).clone_into(&mut shown);
            line = bar(words(&shown), 0, "{pos}/{len}");
        }
        line.set_length(job["avancement"][1].as_u64().unwrap_or(0));
        line.set_position(job["avancement"][0].as_u64().unwrap_or(0));
        let call = service.repeat("POST", &format!("jobs/{id}/run?budget_ms={BUDGET_MS}"), &Body::None);
        match call.context("la publication est interrompue ; relancer la même commande la reprend")? {
            Ok(next) => job = next,
            // Someone else publishes, or advances this job.
            Err(Refusal { status: 409, message }) if begun.elapsed() < BUSY => {
                line.set_message(message);
                std::thread::sleep(Duration::from_secs(1));
            }
            Err(refusal) => return Err(refusal.fault()),
        }
    }
    line.finish_and_clear();
    Ok(job)
}

fn words(step: &str) -> &'static str {
    match step {
        "repartir" => "Répartition",
        "proteger" => "Secret secondaire",
        "construire" => "Fiches",
        "lister" => "Listes",
        "compter" => "Effectifs",
        "verifier" => "Vérification",
        "basculer" => "Bascule",
        _ => "Publication",
    }
}

/// A bar at the terminal, a line elsewhere.
pub fn bar(name: &str, length: u64, figures: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        eprintln!("{name}…");
        return ProgressBar::hidden();
    }
    let template = format!("{{prefix:13}} {{wide_bar}} {figures} {{elapsed}} {{msg}}");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style).with_prefix(name.to_owned())
}

/// Shows what would be lost, and asks where someone can answer.
pub fn confirmed(job: &Value) -> anyhow::Result<bool> {
    eprintln!("Des documents disparaîtraient :");
    for loss in job["bilan"]["pertes"].as_array().into_iter().flatten() {
        eprintln!("  {}", text(loss));
    }
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("Publier quand même ? [o/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(["o", "oui"].contains(&answer.trim().to_lowercase().as_str()))
}
