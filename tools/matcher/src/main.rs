//! `matcher`: sends a catalogue to be matched, piece by piece, and tells what came of it.
//!
//! A file is cut into pieces of whole rows ([`pieces`]), each is answered by the service ([`service`]), the answers follow
//! each other in one file ([`run`]), and a table sums them up ([`table`]). A run that was cut is taken up where it
//! stopped: what is written counts only once the notebook beside the answer says so.

mod pieces;
mod run;
mod service;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

/// The service refuses the file.
const REFUSED: u8 = 2;

const HELP: &str = "scripts/appariement FICHIER [options]

Envoie un catalogue (CSV, tableau JSON ou un objet JSON par ligne) au service, et écrit la réponse à côté.

  --sortie FICHIER     où écrire la réponse (FICHIER.apparie.csv ou .ndjson sans cette option)
  --url ADRESSE        le service (http://127.0.0.1:3000)
  --cle CLE            la clé, sinon celle de la variable API_KEY
  --date AAAA-MM-JJ    la date de la campagne (31 août de l'année)
  --millesime M        un autre millésime que les derniers
  --voie VOIE          Scolaire ou Apprentissage, pour les lignes qui ne le disent pas
  --colonne-cle NOM    la colonne qui tient lieu de CODEFORMATIONACCUEIL
  --retenues           ne rendre que la clé et les colonnes ajoutées

Une exécution interrompue reprend où elle s'est arrêtée. Codes de sortie : 0 fait, 1 panne (relancer), 2 fichier refusé.
";

/// What is asked for.
struct Options {
    file: PathBuf,
    output: Option<PathBuf>,
    url: String,
    key: String,
    query: Vec<(&'static str, String)>,
}

fn read(mut words: impl Iterator<Item = String>) -> anyhow::Result<Option<Options>> {
    let (mut file, mut output, mut query) = (None, None, Vec::new());
    let mut url = "http://127.0.0.1:3000".to_owned();
    let mut key = std::env::var("API_KEY").unwrap_or_default();
    while let Some(word) = words.next() {
        let (name, told) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (word.clone(), None),
        };
        let mut value =
            || told.clone().or_else(|| words.next()).ok_or_else(|| anyhow::anyhow!("{name} : valeur manquante"));
        match name.as_str() {
            "--help" | "-h" => return Ok(None),
            "--sortie" => output = Some(PathBuf::from(value()?)),
            "--url" => url = value()?,
            "--cle" => key = value()?,
            "--date" => query.push(("date_campagne", value()?)),
            "--millesime" => query.push(("millesime", value()?)),
            "--voie" => query.push(("voie", value()?)),
            "--colonne-cle" => query.push(("cle", value()?)),
            "--retenues" => query.push(("colonnes", "retenues".to_owned())),
            _ if name.starts_with("--") => anyhow::bail!("option {name} inconnue (voir --help)"),
            _ if file.is_none() => file = Some(PathBuf::from(word)),
            _ => anyhow::bail!("un seul fichier à la fois : {word} est de trop"),
        }
    }
    let Some(file) = file else { return Ok(None) };
    Ok(Some(Options { file, output, url, key, query }))
}

fn main() -> ExitCode {
    let done = match read(std::env::args().skip(1)) {
        Ok(Some(options)) => run::run(&options),
        Ok(None) => {
            print!("{HELP}");
            Ok(0)
        }
        Err(fault) => Err(fault),
    };
    match done {
        Ok(code) => code.into(),
        Err(fault) => {
            eprintln!("appariement : {fault:#}");
            ExitCode::FAILURE
        }
    }
}
