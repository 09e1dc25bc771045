//! `audit`: which hidden figures follow from what is published. See `audit --help`.

use anyhow::{Context, bail};
use audit::answers::{Cell, ViewAnswer};
use audit::equations::{Means, attack};
use audit::report;
use audit::service::{Protection, Service};
use audit::site::Site;
use dataset::real::Real;
use domain::declared::{MAILLE_FIELD, PLACE_FIELD};
use domain::{DeclaredMaille, Document, Kind, Secrecy};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

const HELP: &str = "\
Plays the attacker: which hidden figures follow from what anyone may ask for.

Usage:
  audit --data DATA [OPTIONS]      the open regional figures, as `dataset real` makes them
  audit FILE… [OPTIONS]            pushed documents, lines {\"kind\": …, \"doc\": {…}}
  audit --url ORIGIN [--cle KEY]   a running service, over HTTP: whatever it is set to; the key opens its lists

  --secret contrat|strict   how far the threshold reaches (contrat)
  --secondaire              with the treatment secret_secondaire
  --marge N                 the same for another margin than ±2: 0 where only what is known exactly matters
  --sans-protection         views add up whatever there is, as in the former service
  --csv FILE                writes the cells of which something is known; it names counts and says none

  audit --help
";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("audit: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    data: Option<PathBuf>,
    files: Vec<PathBuf>,
    secrecy: Secrecy,
    protection: Protection,
    secondary: Option<i64>,
    csv: Option<PathBuf>,
    site: Option<String>,
    key: String,
}

fn options(mut args: impl Iterator<Item = String>) -> anyhow::Result<Option<Options>> {
    let mut options = Options {
        data: None,
        files: Vec::new(),
        secrecy: Secrecy::Contract,
        protection: Protection::Sums,
        secondary: None,
        csv: None,
        site: None,
        key: String::new(),
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} needs a value (see --help)"));
        match arg.as_str() {
            "-h" | "--help" => return Ok(None),
            "--data" => options.data = Some(value()?.into()),
            "--url" => options.site = Some(value()?),
            "--cle" => options.key = value()?,
            "--csv" => options.csv = Some(value()?.into()),
            "--secret" => {
                let name = value()?;
                options.secrecy = Secrecy::parse(&name);
                if options.secrecy.name() != name {
                    bail!("--secret {name}: contrat or strict (see --help)");
                }
            }
            "--secondaire" => options.secondary = options.secondary.or(Some(2)),
            "--marge" => options.secondary = Some(value()?.parse().context("--marge: a whole number")?),
            "--sans-protection" => options.protection = Protection::None,
            _ if arg.starts_with('-') => bail!("unknown option {arg} (see --help)"),
            _ => options.files.push(arg.into()),
        }
    }
    Ok(Some(options))
}

/// The statistics among pushed lines; those of declared mailles are told their place.
fn statistics(files: &[PathBuf]) -> anyhow::Result<Vec<Document>> {
    let mut documents = Vec::new();
    let mut declared: BTreeMap<String, DeclaredMaille> = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        for (rank, line) in text.lines().enumerate() {
            let at = || format!("{}, line {}", file.display(), rank + 1);
            let line: Value = serde_json::from_str(line).with_context(at)?;
            let kind = line.get("kind").and_then(Value::as_str).and_then(Kind::parse).with_context(at)?;
            let Some(Value::Object(mut document)) = line.get("doc").cloned() else { bail!("{}: no document", at()) };
            match kind {
                Kind::Maille => {
                    let maille = DeclaredMaille::read(&document).map_err(anyhow::Error::msg).with_context(at)?;
                    declared.insert(maille.name.clone(), maille);
                }
                Kind::Statistic => {
                    let name = document.get(MAILLE_FIELD).and_then(Value::as_str).unwrap_or_default();
                    let maille = declared.get(name).with_context(at)?;
                    let place = maille.place(&document).map_err(anyhow::Error::msg).with_context(at)?.to_owned();
                    document.insert(PLACE_FIELD.into(), place.into());
                    documents.push(document);
                }
                Kind::Certification | Kind::Regionale | Kind::Formation => documents.push(document),
                _ => {}
            }
        }
    }
    Ok(documents)
}

fn run(args: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let Some(options) = options(args)? else {
        print!("{HELP}");
        return Ok(());
    };
    let start = Instant::now();
    if let Some(origin) = &options.site {
        let told = Site::new(origin, &options.key).ask()?;
        if told.views.is_empty() {
            bail!("{origin}: no view tells anything, so nothing was tried (is the nomenclature published?)");
        }
        println!(
            "{origin} : {} requêtes, {} documents, {} réponses de vues",
            told.requests,
            told.cells.len(),
            told.views.len()
        );
        play(&options, &told.cells, &told.views)?;
        eprintln!("{:.1} s", start.elapsed().as_secs_f64());
        return Ok(());
    }
    let documents: Vec<Document> = match &options.data {
        Some(data) => {
            let real = Real::read(data)?;
            real.certifications().chain(real.regionales()).map(|line| line.doc).collect()
        }
        None if options.files.is_empty() => bail!("--data DATA or files of pushed documents (see --help)"),
        None => statistics(&options.files)?,
    };
    let strict = documents.iter().filter(|document| Secrecy::strict_would_hide(document)).count();
    let documents_read = documents.len();
    let shown = documents.iter().filter(|document| !options.secrecy.hides(document)).count();
    let service = if let Some(margin) = options.secondary {
        let (service, result) = Service::publish_withholding(documents, options.protection, options.secrecy, margin);
        println!("secret_secondaire : {} documents de plus masqués sur {shown} montrés", result.further);
        println!("groupes que rien ne restait pour protéger : {}", result.exposed);
        service
    } else {
        Service::publish_hiding(documents, options.protection, options.secrecy, |_| false)
    };
    let (views, of_one) = service.asked_views();
    println!("{documents_read} documents ; secret = {} ; {} réponses de vues", options.secrecy.name(), views.len());
    println!("documents où « strict » montre moins que « contrat » : {strict}");
    for (maille, of_one) in of_one {
        println!(
            "vues d'une seule certification, {maille} : {}, dont {} sans leurs chiffres",
            of_one.views, of_one.closed
        );
    }
    play(&options, &service.cells(), &views)?;
    eprintln!("{:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Attacks with less and more, and prints what is found.
fn play(options: &Options, published: &[Cell], views: &[ViewAnswer]) -> anyhow::Result<()> {
    for (name, means) in [
        ("Par les différences de vues, sans bornes", Means::DIFFERENCES),
        ("Par les vues et leurs différences, avec bornes", Means::VIEWS),
        ("Par les sommes que portent les données", Means::SUMS),
        ("Par les deux ensemble", Means::ALL),
    ] {
        let mut cells = published.to_vec();
        let outcome = attack(&mut cells, views, means);
        println!("\n{name}\n{}", report::table(&cells, &outcome));
        if outcome.contradictions + outcome.given_up > 0 {
            println!("équations écartées : {} contredites, {} trop grandes", outcome.contradictions, outcome.given_up);
        }
        if let (Some(file), Means::ALL) = (&options.csv, means) {
            std::fs::write(file, report::csv(&cells, &outcome)).with_context(|| file.display().to_string())?;
            println!("cellules écrites dans {}", file.display());
        }
    }
    Ok(())
}
