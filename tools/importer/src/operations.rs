//! What an operator does and looks at, in words that an operator knows.

use crate::options::Operation;
use crate::publication::{advance, asked, confirm, confirmed, step, text};
use crate::report;
use crate::service::{Body, Refusal, Service};
use crate::{TO_CONFIRM, TO_SIGN};
use anyhow::{Context, bail};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// Does it; the program's exit code.
pub fn run(service: &Service, operation: &Operation, as_json: bool, yes: bool) -> anyhow::Result<u8> {
    let get = |path: &str| service.repeat("GET", path, &Body::None)?.map_err(Refusal::fault);
    let show = |value: &Value, words: String| {
        if as_json { println!("{value:#}") } else { print!("{words}") }
    };
    match operation {
        Operation::Status => {
            let state = get("status")?;
            show(&state, status(&state));
        }
        Operation::Rollback => {
            let pointer = service.once("POST", "rollback", &Body::None)?.map_err(Refusal::fault)?;
            let generation = text(&pointer["generation"]);
            show(
                &pointer,
                format!("La génération {generation} est de nouveau en service. La même commande remet l'autre.\n"),
            );
        }
        Operation::Abandon(id) => {
            let job = service.once("DELETE", &format!("jobs/{id}"), &Body::None)?.map_err(Refusal::fault)?;
            show(&job, format!("Travail {id} abandonné : ce qui est en service ne change pas.\n"));
        }
        Operation::Confirm(id) => return sign(service, id, as_json, yes),
        Operation::Differences { names, table } => {
            let path = match names {
                Some((before, after)) => format!("differences/{before}/{after}"),
                None => "differences".to_owned(),
            };
            if *table {
                print!("{}", service.text(&format!("{path}?format=csv"))?.map_err(Refusal::fault)?);
            } else {
                let told = get(&path)?;
                let mut words = format!("De {} à {}\n", text(&told["avant"]), text(&told["apres"]));
                report::differences(&mut words, &told);
                show(&told, words);
            }
        }
        Operation::Trace { codes, place, millesime } => {
            for code in codes {
                let encoded = |value: &str| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
                let mut path = format!("trace?code={}&lieu={}", encoded(code), encoded(place));
                if let Some(millesime) = millesime {
                    path += &format!("&millesime={}", encoded(millesime));
                }
                let told = get(&path)?;
                show(&told, traced(code, &told));
            }
        }
        Operation::Preview => {
            let told = get("/internal/apercu")?;
            show(&told, previews(service.url(), &told));
        }
        Operation::Coverage => print!("{}", service.text("couverture")?.map_err(Refusal::fault)?),
        Operation::Calendar(file) => {
            let text = std::fs::read(file).with_context(|| file.display().to_string())?;
            let calendar: Value = serde_json::from_slice(&text)
                .with_context(|| format!("{} : un objet JSON {{\"publications\": […]}} est attendu", file.display()))?;
            let kept = service.repeat("PUT", "calendrier", &Body::Json(&calendar))?.map_err(Refusal::fault)?;
            let count = kept["publications"].as_array().map_or(0, Vec::len);
            show(&kept, format!("{count} publications attendues ; /etat/changements les montre.\n"));
        }
        Operation::Rules => {
            let told = get("regles")?;
            let words = told["regles"].as_array().into_iter().flatten().map(|rule| {
                let said = |name: &str| text(&rule[name]).to_owned();
                format!("{:<20} {:<10} {} ({})\n", said("regle"), said("niveau"), said("attendu"), said("source"))
            });
            show(&told, words.collect());
        }
    }
    Ok(0)
}

/// Confirms or signs what waits, once it was shown.
fn sign(service: &Service, id: &str, as_json: bool, yes: bool) -> anyhow::Result<u8> {
    let mut job = service.repeat("GET", &format!("jobs/{id}"), &Body::None)?.map_err(Refusal::fault)?;
    if step(&job) == "attendre_confirmation" {
        if !yes && !confirmed(&job)? {
            eprintln!("Rien n'est confirmé. Sans question : scripts/import confirm {id} --oui");
            return Ok(TO_CONFIRM);
        }
        job = advance(service, id, confirm(service, id)?)?;
    }
    if step(&job) == "attendre_validation" {
        print!("{}", report::text(&job));
        if !yes && !asked("Valider et mettre en service ?")? {
            eprintln!("Rien n'est validé. Sans question : scripts/import confirm {id} --oui");
            return Ok(TO_SIGN);
        }
        let order = json!({"parties": 1, "valider": true});
        let path = format!("jobs/{id}/publish");
        let ordered = service.repeat("POST", &path, &Body::Json(&order))?.map_err(Refusal::fault)?;
        job = advance(service, id, ordered)?;
    }
    if as_json {
        println!("{job:#}")
    } else {
        print!("{}", report::text(&job))
    }
    match step(&job) {
        "publie" | "inchange" => Ok(0),
        _ => bail!("la publication n'est pas en service : {}", text(&job["bilan"]["echec"])),
    }
}

/// Where what waits may be looked at.
fn previews(url: &str, told: &Value) -> String {
    let words = |preview: &Value| {
        let said = |name: &str| text(&preview[name]);
        format!(
            "{} (travail {}) : {url}{}\n  valider : scripts/import confirm {}\n",
            said("generation"),
            said("travail"),
            said("chemin"),
            said("travail")
        )
    };
    match told["apercus"].as_array().map(Vec::as_slice) {
        Some([]) | None => "Rien n'attend de validation.\n".to_owned(),
        Some(waiting) => waiting.iter().map(words).collect(),
    }
}

/// What is served, what waits, and what to do.
fn status(state: &Value) -> String {
    let mut words = match state["pointeur"]["generation"].as_str() {
        Some(generation) => {
            let before = state["pointeur"]["precedent"]["generation"].as_str();
            let back = before.map_or("aucune".to_owned(), |before| format!("{before} (scripts/import rollback)"));
            format!("En service     {generation}\nPrécédente     {back}\n")
        }
        None => "En service     rien n'est publié\n".to_owned(),
    };
    if let Some(fault) = state["pointeur_illisible"].as_str() {
        words += &format!("ILLISIBLE      {fault} : scripts/import rollback remet la dernière génération entière\n");
    }
    for (name, millesime) in state["pointeur"]["millesimes"].as_object().into_iter().flatten() {
        if let Some(millesime) = millesime.as_str() {
            words += &format!("En vigueur     {name} {millesime}\n");
        }
    }
    for job in state["travaux"].as_array().into_iter().flatten() {
        let id = text(&job["id"]);
        let opened = job["ouvert_ms"].as_i64().map(domain::date::write_iso).unwrap_or_default();
        words += &match step(job) {
            "depot" => format!(
                "Travail        {id} reçoit des parties depuis {opened} ; renoncer : scripts/import abandon {id}\n"
            ),
            "attendre_confirmation" | "attendre_validation" => format!(
                "Attend         {id} : {}\n               scripts/import confirm {id}, ou scripts/import abandon {id}\n",
                text(&job["attend"])
            ),
            other => format!("Travail        {id} en cours ({other})\n"),
        };
    }
    let run = &state["collecte"];
    if !matches!(step(run), "" | "remise" | "abandonnee" | "echec") {
        words += &format!("Collecte       {} en cours ({})\n", text(&run["id"]), step(run));
    }
    for kept in state["rapports"].as_array().into_iter().flatten().take(5) {
        words += &format!("Rapport        {}\n", report::headline(kept));
    }
    words
}

/// Where the documents of a code come from.
fn traced(code: &str, told: &Value) -> String {
    let documents: Vec<&Value> = told["documents"].as_array().into_iter().flatten().collect();
    if documents.is_empty() {
        return format!("{code} : aucun document publié à ce lieu et pour ce millésime\n");
    }
    let mut words = String::new();
    for document in documents {
        let said = |name: &str| text(&document[name]);
        words += &format!("{code} {} {}, génération {}\n", said("millesime"), said("filiere"), said("generation"));
        let origin = &document["origine"];
        let day = origin["ouvert_ms"].as_i64().map(domain::date::write_iso).unwrap_or_default();
        let file = origin["fichier"].as_str().map_or_else(|| format!("partie {}", origin["partie"]), str::to_owned);
        words += &match origin["travail"].as_str() {
            Some(job) if origin["collecte"] == true => {
                format!("  collecte {job} du {day}, document {} de la {file} remise\n", origin["ligne"])
            }
            Some(job) => format!("  envoi {job} du {day}, {file}, ligne {}\n", origin["ligne"]),
            None => "  origine trop ancienne pour être gardée\n".to_owned(),
        };
        for stage in document["etapes"].as_array().into_iter().flatten() {
            let field = stage["champ"].as_str().unwrap_or_default();
            let change = match (&stage["avant"], &stage["apres"]) {
                (Value::Null, _) => String::new(),
                (before, after) => format!(" ({before} → {after})"),
            };
            words += &format!("  {:<12} {field} : {}{change}\n", text(&stage["etape"]), text(&stage["dit"]));
        }
        if let Some(original) = document.get("original") {
            let (code, place) = (text(&original["code_certification"]), text(&original["lieu"]));
            let place = if place.is_empty() { String::new() } else { format!(" --lieu {place}") };
            words += &format!(
                "  original : scripts/import trace {code}{place} --millesimes {}\n",
                text(&original["millesime"])
            );
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_what_waits_and_what_to_do() {
        let words = status(&json!({
            "pointeur": {"generation": "g4", "precedent": {"generation": "g3"}, "millesimes": {"certifications": "2023"}},
            "travaux": [{"id": "j1", "etape": "attendre_confirmation", "attend": "des documents disparaîtraient"},
                {"id": "j2", "etape": "depot", "ouvert_ms": 0}],
            "rapports": [],
        }));
        for expected in [
            "En service     g4",
            "g3 (scripts/import rollback)",
            "certifications 2023",
            "j1 : des documents disparaîtraient",
            "scripts/import confirm j1",
            "scripts/import abandon j2",
        ] {
            assert!(words.contains(expected), "{expected}: {words}");
        }
    }

    #[test]
    fn a_preview_is_an_address_to_open() {
        let told = json!({"apercus": [{"travail": "j1", "generation": "g5", "chemin": "/internal/apercu/g5-0a/"}]});
        let words = previews("http://127.0.0.1:3000", &told);
        assert!(words.starts_with("g5 (travail j1) : http://127.0.0.1:3000/internal/apercu/g5-0a/\n"), "{words}");
        assert!(words.contains("scripts/import confirm j1"), "{words}");
        assert!(previews("", &json!({"apercus": []})).starts_with("Rien n'attend"));
    }

    #[test]
    fn a_trace_leads_from_a_number_to_its_line_and_to_its_original() {
        let words = traced(
            "40025214",
            &json!({"documents": [{"generation": "g4", "millesime": "2023", "filiere": "apprentissage",
            "origine": {"travail": "j1", "ouvert_ms": 0, "collecte": false, "partie": 0, "fichier": "a.csv", "ligne": 12},
            "etapes": [{"etape": "taux", "champ": "taux_en_emploi_12_mois", "avant": {"nb_en_emploi_12_mois": 20},
                "apres": 50, "dit": "arrondi"}],
            "original": {"code_certification": "40025213", "lieu": "0750652B", "millesime": "2023"}}]}),
        );
        for expected in ["envoi j1 du 1970-01-01", "a.csv, ligne 12", "→ 50", "trace 40025213 --lieu 0750652B"] {
            assert!(words.contains(expected), "{expected}: {words}");
        }
    }
}
