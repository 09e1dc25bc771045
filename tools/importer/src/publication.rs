//! From files to a generation that readers follow.

use crate::files::Sources;
use crate::options::Options;
use crate::parts::{self, Part};
use crate::resume::{Notebook, Progress};
use crate::service::{Body, Refusal, Service};
use crate::{REFUSED, TO_CONFIRM, TO_SIGN, report};
use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indicatif::{ProgressBar, ProgressStyle};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a call advances a job: short, so that the bar moves, but each call writes out all that it has collected.
const BUDGET_MS: u32 = 5000;
/// How long another publication is waited for.
const BUSY: Duration = Duration::from_secs(600);

/// Publishes; the program's exit code.
pub fn publish(options: &Options) -> anyhow::Result<u8> {
    let sources = Sources::of(&options.files)?;
    let parts = parts::cut(&sources.files)?;
    let notebook = Notebook::of(options, &parts);
    let service = &options.service;
    let (mut progress, mut job) = open(options, &notebook)?;
    if step(&job) == "depot" {
        let refused = send(service, &parts, &mut progress, &notebook)?;
        if refused > 0 && !options.accept_refusals && options.order.get("verifier").is_none() {
            let _ = service.once("DELETE", &format!("jobs/{}", progress.job), &Body::None);
            notebook.forget();
            eprintln!(
                "{refused} lignes refusées : rien n'est publié. Les corriger, ou publier sans elles : --accepter-refus"
            );
            return Ok(REFUSED);
        }
        job = order(options, &progress, parts.len())?;
    }
    job = advance(service, &progress.job, job)?;
    if step(&job) == "attendre_confirmation" && (stands(options, &job) || confirmed(&job)?) {
        job = confirm(service, &progress.job)?;
        job = advance(service, &progress.job, job)?;
    }
    match step(&job) {
        "attendre_confirmation" => {
            eprintln!("Rien n'est publié. Pour publier quand même : scripts/import confirm {}", progress.job);
            eprintln!("Pour renoncer : scripts/import abandon {}", progress.job);
            return Ok(TO_CONFIRM);
        }
        "attendre_validation" => {
            print!("{}", report::text(&job));
            eprintln!(
                "La nouvelle génération attend une validation. Ce qui change : scripts/import diff SERVIE {}",
                text(&job["generation"])
            );
            eprintln!(
                "Pour valider : scripts/import confirm {0} ; pour renoncer : scripts/import abandon {0}",
                progress.job
            );
            return Ok(TO_SIGN);
        }
        _ => {}
    }
    notebook.forget();
    if options.json {
        println!("{}", serde_json::to_string_pretty(&job)?);
    } else {
        print!("{}", report::text(&job));
    }
    match step(&job) {
        "publie" | "inchange" => Ok(0),
        "verifie" => Ok(verified(&job)),
        "abandonne" => bail!("la publication a été abandonnée"),
        _ => bail!("la publication a échoué : {}", text(&job["bilan"]["echec"])),
    }
}

/// What a dry run found: nothing, refused lines, or what would have to be confirmed.
fn verified(job: &Value) -> u8 {
    let any = |field: &str| job["bilan"][field].as_array().is_some_and(|told| !told.is_empty());
    if job["bilan"]["lignes_refusees"].as_u64().unwrap_or(0) > 0 {
        REFUSED
    } else if report::TO_CONFIRM.iter().any(|(field, _)| any(field)) {
        TO_CONFIRM
    } else {
        0
    }
}

/// Whether all that a job waits for was confirmed on the command line: it was not known by then.
fn stands(options: &Options, job: &Value) -> bool {
    let any = |field: &str| job["bilan"][field].as_array().is_some_and(|told| !told.is_empty());
    let on = |option: &str| options.order.get(option).is_some_and(|value| *value == true);
    (!any("pertes") || options.confirm_losses)
        && (!any("anomalies_a_confirmer") || on("confirmer_anomalies"))
        && (!any("doublons") || on("accepter_doublons"))
        && (!any("en_vigueur_a_confirmer") || options.in_force.is_some())
}

/// Confirms all that a job waits for; its signature is another matter.
pub fn confirm(service: &Service, id: &str) -> anyhow::Result<Value> {
    let order = json!({"parties": 1, "confirmer_pertes": true, "confirmer_anomalies": true,
        "accepter_doublons": true, "confirmer_en_vigueur": true});
    service.repeat("POST", &format!("jobs/{id}/publish"), &Body::Json(&order))?.map_err(Refusal::fault)
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
            Ok(job) if !["publie", "inchange", "verifie", "abandonne", "echec"].contains(&step(&job)) => {
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
    let mut told = ToldFile::default();
    for (number, part) in parts.iter().enumerate() {
        if number < progress.sent {
            bar.inc(part.length);
            continue;
        }
        let bytes = part.read()?;
        let body = Body::Lines { bytes: &bytes, digest: STANDARD.encode(part.digest) };
        let file = utf8_percent_encode(&part.name, NON_ALPHANUMERIC);
        let path = format!("jobs/{}/parts/{number}", progress.job);
        let info = service
            .repeat("PUT", &format!("{path}?fichier={file}&premiere_ligne={}", part.first_line), &body)
            .context("l'envoi est interrompu ; relancer la même commande le reprend")?
            .map_err(Refusal::fault)
            .with_context(|| part.place(1))?;
        let here = info["refusees"].as_u64().unwrap_or(0);
        refused += here;
        for refusal in info["refus"].as_array().into_iter().flatten().take(SHOWN) {
            let line = refusal["ligne"].as_u64().and_then(|line| usize::try_from(line).ok()).unwrap_or(1);
            bar.suspend(|| eprintln!("{} : {}", part.place(line), text(&refusal["raison"])));
        }
        if info.get("dits").is_some() {
            let more = here.saturating_sub(SHOWN as u64);
            let kept = told.add(service, &path, part).context("le détail des lignes ne s'écrit pas")?;
            if more > 0 {
                bar.suspend(|| eprintln!("… et {more} autres : {}", kept.display()));
            }
        }
        // From the first refused line on, parts count as not sent: the run that takes this one up must hear of it.
        if refused == 0 {
            progress.sent = number + 1;
            notebook.write(progress);
        }
        bar.inc(part.length);
    }
    bar.finish_and_clear();
    if let Some(path) = &told.0 {
        eprintln!("Tout ce qui est dit des lignes (refusées, à confirmer, notées) : {}", path.display());
    }
    Ok(refused)
}

/// Refused lines that are shown, a part; all are in the file.
const SHOWN: usize = 10;

/// The file with all that the service said of lines.
#[derive(Default)]
struct ToldFile(Option<PathBuf>);

impl ToldFile {
    /// Adds what was said of a part; its lines are those of the sender's file.
    fn add(&mut self, service: &Service, path: &str, part: &Part) -> anyhow::Result<PathBuf> {
        let table = service.text(&format!("{path}/dits"))?.map_err(Refusal::fault)?;
        let first = self.0.is_none();
        let file = self.0.get_or_insert_with(|| PathBuf::from(format!("lignes-{}.csv", std::process::id()))).clone();
        let mut out = std::fs::OpenOptions::new().create(true).append(true).open(&file)?;
        if first {
            // A spreadsheet knows by the mark that the file is in UTF-8.
            out.write_all("\u{feff}fichier;ligne;suite;explication\n".as_bytes())?;
        }
        for row in table.lines().skip(1) {
            let mut cells = row.splitn(3, ';').skip(1);
            let line = cells.next().and_then(|line| line.parse::<usize>().ok());
            let line = line.map(|line| (part.first_line + line.saturating_sub(1)).to_string()).unwrap_or_default();
            writeln!(out, "{};{line};{}", part.name, cells.next().unwrap_or_default())?;
        }
        Ok(file)
    }
}

/// Says how the job is to be published, and lets its steps begin or go on.
fn order(options: &Options, progress: &Progress, parts: usize) -> anyhow::Result<Value> {
    let mut order = json!({
        "parties": parts,
        // A dry run goes on without them, and says so.
        "accepter_refus": options.accept_refusals || options.order.contains_key("verifier"),
        "confirmer_pertes": options.confirm_losses,
    });
    for (option, value) in &options.order {
        order[option] = value.clone();
    }
    if let Some(millesimes) = &options.in_force {
        order["millesimes"] = Value::Object(millesimes.clone());
    }
    let path = format!("jobs/{}/publish", progress.job);
    options.service.repeat("POST", &path, &Body::Json(&order))?.map_err(Refusal::fault)
}

/// Advances a job until nothing more happens by itself.
pub fn advance(service: &Service, id: &str, mut job: Value) -> anyhow::Result<Value> {
    let ends = ["publie", "inchange", "verifie", "abandonne", "echec", "attendre_confirmation", "attendre_validation"];
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
        "indexer" => "Recherche",
        "apparier" => "Appariement",
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

/// Shows what is to be confirmed, and asks where someone can answer.
pub fn confirmed(job: &Value) -> anyhow::Result<bool> {
    for (field, title) in report::TO_CONFIRM {
        let told = job["bilan"][field].as_array();
        for (rank, sentence) in told.into_iter().flatten().take(20).enumerate() {
            if rank == 0 {
                eprintln!("{title} :");
            }
            eprintln!("  {}", text(sentence));
        }
    }
    asked("Publier quand même ?")
}

/// Asks where someone can answer; elsewhere the answer is no.
pub fn asked(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("{question} [o/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(["o", "oui"].contains(&answer.trim().to_lowercase().as_str()))
}
