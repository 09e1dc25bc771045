//! `scripts/usage`: what logs tell of usage.
#![allow(clippy::indexing_slicing, reason = "an index into JSON gives null where there is nothing")]

use anyhow::{Context, bail, ensure};
use flate2::read::MultiGzDecoder;
use lexopt::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use usage::metrics::Metrics;
use usage::totals::Totals;
use usage::{public, report};

const HELP: &str = "\
Lit les journaux de requêtes : ceux de l'application, ceux de nginx (deploy/nginx, ou son format « combined »), compressés ou non.
Une requête que les deux journaux contiennent compte une fois.

  usage [OPTIONS] JOURNAL…          le rapport : usage.html, usage.csv, certifications.csv
      --dans DOSSIER                où les écrire (défaut : .cache/usage)
      --publier ADRESSE             envoie la somme publique et le dernier jour des clés à l'application
      --montrer-somme               montre la somme publique, sans rien envoyer

  usage mesures [OPTIONS] [JOURNAL]  des mesures pour Prometheus, tant que des lignes arrivent (« - » : l'entrée standard)
      --vers FICHIER                le fichier .prom, réécrit toutes les 15 secondes (défaut : la sortie, à la fin)
      --application ADRESSE         interrogée aussi : /api/status, et les comptes avec le secret

Le secret d'import, là où il en faut un : variable SPIN_VARIABLE_IMPORT_SECRET.
";
/// The longest line that is looked at.
const LINE_MAX: usize = 64 * 1024;
/// How often metrics are written.
const EVERY: Duration = Duration::from_secs(15);
/// How long the application may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Months that the public sum holds.
const MONTHS_MAX: usize = 24;

fn main() -> ExitCode {
    let mut parser = lexopt::Parser::from_env();
    let done = run(&mut parser);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("usage : {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Options {
    logs: Vec<PathBuf>,
    folder: Option<PathBuf>,
    publish: Option<String>,
    show: bool,
    metrics: bool,
    to: Option<PathBuf>,
    application: Option<String>,
}

fn run(parser: &mut lexopt::Parser) -> anyhow::Result<()> {
    let mut options = Options::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => {
                print!("{HELP}");
                return Ok(());
            }
            Long("dans") => options.folder = Some(parser.value()?.into()),
            Long("publier") => options.publish = Some(parser.value()?.string()?),
            Long("montrer-somme") => options.show = true,
            Long("vers") => options.to = Some(parser.value()?.into()),
            Long("application") => options.application = Some(parser.value()?.string()?),
            Value(word) if word == "mesures" && options.logs.is_empty() && !options.metrics => options.metrics = true,
            Value(log) => options.logs.push(log.into()),
            other => return Err(other.unexpected()).context("voir --help"),
        }
    }
    if options.metrics { measure(&options) } else { summarize(&options) }
}

/// The lines of a log, decompressed where it is compressed; `-` is the input.
fn open(log: &Path) -> anyhow::Result<Box<dyn BufRead + Send>> {
    if log == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let file = File::open(log).with_context(|| log.display().to_string())?;
    let mut file = BufReader::with_capacity(1 << 20, file);
    let compressed = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if compressed { Box::new(BufReader::with_capacity(1 << 20, MultiGzDecoder::new(file))) } else { Box::new(file) })
}

/// Gives every line to `take`; one that is too long or no text is passed over by whoever reads it.
fn lines(mut log: Box<dyn BufRead + Send>, mut take: impl FnMut(&str) -> bool) -> std::io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
        if log.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() == LINE_MAX && line.last() != Some(&b'\n') {
            log.skip_until(b'\n')?;
        }
        if !take(std::str::from_utf8(&line).unwrap_or("?")) {
            return Ok(());
        }
    }
}

fn summarize(options: &Options) -> anyhow::Result<()> {
    ensure!(!options.logs.is_empty(), "aucun journal : voir --help");
    let started = Instant::now();
    let mut totals = Totals::default();
    for log in &options.logs {
        lines(open(log)?, |line| {
            totals.line(line);
            true
        })
        .with_context(|| log.display().to_string())?;
    }
    let folder = options.folder.clone().unwrap_or_else(|| PathBuf::from(".cache/usage"));
    std::fs::create_dir_all(&folder)?;
    for (name, text) in [
        ("usage.html", report::page(&totals)),
        ("usage.csv", report::table(&totals)),
        ("certifications.csv", report::certifications(&totals)),
    ] {
        std::fs::write(folder.join(name), text)?;
    }
    eprintln!(
        "{} requêtes lues en {:.1} s, {} lignes laissées ; {}",
        totals.read,
        started.elapsed().as_secs_f64(),
        totals.unread,
        folder.join("usage.html").display()
    );
    let sum = public::sum(&totals);
    if options.show {
        println!("{}", serde_json::to_string_pretty(&sum)?);
    }
    match &options.publish {
        Some(address) => publish(address, &sum, &totals),
        None => Ok(()),
    }
}

/// Sends the public sum, where its months take the place of those that are known, and the last day of each key.
fn publish(address: &str, sum: &Value, totals: &Totals) -> anyhow::Result<()> {
    let service = Service::new(address);
    let known = service.call("GET", "usage", None)?;
    let mut months: BTreeMap<String, Value> = BTreeMap::new();
    for month in [&known, sum].into_iter().flat_map(|sum| sum["mois"].as_array().into_iter().flatten()) {
        months.insert(month["mois"].as_str().unwrap_or_default().to_owned(), month.clone());
    }
    while months.len() > MONTHS_MAX {
        months.pop_first();
    }
    let months: Vec<Value> = months.into_values().collect();
    service.call("PUT", "usage", Some(&json!({"mois": months})))?;
    let mut by_user: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
    for (key, user, day) in totals.keys() {
        by_user.entry(user).or_default().insert(key, day);
    }
    let keys: usize = by_user.values().map(BTreeMap::len).sum();
    for (user, keys) in by_user {
        service.call("PUT", "users/usages", Some(&json!({"username": user, "usages": keys})))?;
    }
    eprintln!("{} mois publiés, dernier jour de {keys} clés", months.len());
    Ok(())
}

/// The application.
struct Service {
    agent: ureq::Agent,
    address: String,
}

impl Service {
    fn new(address: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        Self { agent: config.into(), address: address.trim_end_matches('/').to_owned() }
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let secret = std::env::var("SPIN_VARIABLE_IMPORT_SECRET").unwrap_or_default();
        ensure!(!secret.is_empty(), "SPIN_VARIABLE_IMPORT_SECRET n'est pas là");
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/internal/import/{path}", self.address))
            .header("authorization", format!("Bearer {secret}"))
            .header("content-type", "application/json");
        let mut response = match body {
            Some(body) => self.agent.run(request.body(body.to_string())?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let status = response.status();
        let answer: Value = serde_json::from_reader(response.body_mut().as_reader()).unwrap_or_default();
        if !status.is_success() {
            bail!("{method} {path} : {status} {}", answer["message"].as_str().unwrap_or_default());
        }
        Ok(answer)
    }

    /// What the application says of itself; `None` where it does not.
    fn state(&self) -> Option<Value> {
        let answer = self.agent.get(format!("{}/api/status", self.address)).call();
        serde_json::from_reader(answer.ok()?.body_mut().as_reader()).ok()
    }
}

/// Reads lines as they come and writes metrics now and then.
fn measure(options: &Options) -> anyhow::Result<()> {
    ensure!(options.logs.len() < 2, "un journal au plus : les réunir par un tube");
    let log = open(options.logs.first().map_or(Path::new("-"), PathBuf::as_path))?;
    let service = options.application.as_deref().map(Service::new);
    let (sender, receiver) = sync_channel::<String>(10_000);
    let reader = std::thread::spawn(move || lines(log, |line| sender.send(line.to_owned()).is_ok()));
    let mut metrics = Metrics::default();
    let mut next = Instant::now();
    loop {
        match receiver.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                metrics.line(&line);
                if Instant::now() < next {
                    continue;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        write(options, service.as_ref(), &mut metrics)?;
        next = Instant::now() + EVERY;
    }
    if let Ok(ended) = reader.join() {
        ended?;
    }
    write(options, service.as_ref(), &mut metrics)?;
    if options.to.is_none() {
        print!("{}", metrics.write(now_s()));
    }
    Ok(())
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}

/// Asks the application, and replaces the file in one move: whoever reads it finds it whole.
fn write(options: &Options, service: Option<&Service>, metrics: &mut Metrics) -> anyhow::Result<()> {
    if let Some(service) = service {
        metrics.state(service.state().as_ref());
        // Without the secret, or while the application is away, what is known of keys stays.
        if let Ok(accounts) = service.call("GET", "users", None) {
            metrics.accounts(&accounts, i64::try_from(now_s() / 86_400)?);
        }
    }
    let Some(to) = &options.to else { return Ok(()) };
    let aside = to.with_extension("prom.nouveau");
    std::fs::write(&aside, metrics.write(now_s())).with_context(|| aside.display().to_string())?;
    Ok(std::fs::rename(&aside, to)?)
}
