//! What a collection from the statistical services tells, as a part of the page of the status.
//!
//! It is made of the public copy of the report: counts, names of fields, kinds of reasons.

use crate::fields::members;
use crate::template::table;
use maud::{Markup, html};
use serde_json::Value;

/// The treatments of statistics, in their order, and what the page calls the state after them.
const TREATMENTS: [(&str, &str); 4] = [
    ("statistiques", "Reçus des services"),
    ("continuum", "Après la lignée des diplômes"),
    ("annees", "Après les années non terminales"),
    ("roles", "Après les rôles des établissements"),
];

/// The kinds of reasons for which a row is refused.
const REASONS: [(&str, &str); 10] = [
    ("certification_inconnue", "certification absente des nomenclatures"),
    ("etablissement_inconnu", "établissement absent d’ACCE"),
    ("uai_incorrect", "clé de l’UAI incorrecte"),
    ("departement_inconnu", "département inconnu"),
    ("academie_inconnue", "académie inconnue"),
    ("filiere_inconnue", "filière inconnue"),
    ("champ_manquant", "champ manquant"),
    ("millesime_incorrect", "millésime illisible"),
    ("lignee_sans_mef", "diplôme renouvelé dont aucun MEF ne se correspond\u{a0}: chiffres non repris"),
    ("discipline_en_double", "autre discipline du même diplôme"),
];

fn names(value: &Value) -> String {
    let names: Vec<String> = members(value).map(|(name, n)| format!("{name} ({n})")).collect();
    if names.is_empty() { "–".into() } else { names.join(", ") }
}

fn service(name: &str) -> &str {
    match name {
        "inserjeunes" => "InserJeunes",
        "insersup" => "InserSup, établissements",
        "insersup_national" => "InserSup, France",
        "bcn" => "BCN",
        "acce" => "ACCE",
        "catalogue" => "Catalogue de l’apprentissage",
        other => other,
    }
}

/// The collection of an import; empty where it was a push.
pub(crate) fn run(report: &Value) -> Markup {
    let Some(latest_run) = report.get("collecte").filter(|c| c.get("sources").is_some()) else {
        return Markup::default();
    };
    let from = |field: &str| latest_run.get(field).unwrap_or(&Value::Null);
    let sources = html! {
        @for (name, source) in members(from("sources")) {
            tr {
                th scope="row" { (service(name)) }
                @for field in ["appels", "sans_donnee", "en_echec", "requetes", "reprises", "lignes"] {
                    td { (source.get(field).and_then(Value::as_u64).unwrap_or_default()) }
                }
                td { (names(source.get("champs_inconnus").unwrap_or(&Value::Null))) }
            }
        }
    };
    let rejections = html! {
        @for (name, treatment) in members(from("traitements")) {
            @for (reason, n) in members(treatment.get("rejets").unwrap_or(&Value::Null)) {
                tr {
                    th scope="row" { (service(name)) }
                    td { (REASONS.iter().find(|(r, _)| r == reason).map_or(reason.as_str(), |(_, words)| words)) }
                    td { (n) }
                }
            }
        }
    };
    let coverage = html! {
        @for (treatment, title) in TREATMENTS {
            @for (maille, by_millesime) in members(from("couverture").get(treatment).unwrap_or(&Value::Null)) {
                tr {
                    th scope="row" { (title) }
                    td { (maille) }
                    @for wanted in [["self"].as_slice(), &["ancienne", "nouvelle"], &["aucune"]] {
                        td { (provenances(by_millesime, wanted)) }
                    }
                }
            }
        }
    };
    html! {
        details {
            summary {
                "Détail de la collecte " code { (report.get("id").and_then(Value::as_str).unwrap_or_default()) }
            }
            (table("Services interrogés", "Services interrogés", &SERVICE_COLUMNS, &sources))
            @if !rejections.0.is_empty() {
                (table("Lignes rejetées", "Lignes rejetées", &["Service", "Raison", "Nombre"], &rejections))
            }
            @if !coverage.0.is_empty() {
                (table("Documents après chaque traitement", "Documents après chaque traitement", &COVERAGE_COLUMNS, &coverage))
            }
        }
    }
}

const SERVICE_COLUMNS: [&str; 8] =
    ["Service", "Appels", "Sans donnée", "En échec", "Requêtes", "Dont reprises", "Lignes", "Champs inconnus"];
const COVERAGE_COLUMNS: [&str; 5] =
    ["Étape", "Maille", "Données propres", "D’un autre diplôme de la lignée", "Année non terminale"];

/// How many documents, whatever their millesime, come from these.
fn provenances(by_millesime: &Value, wanted: &[&str]) -> u64 {
    members(by_millesime)
        .flat_map(|(_, provenances)| members(provenances))
        .filter(|(provenance, _)| wanted.contains(&provenance.as_str()))
        .filter_map(|(_, n)| n.as_u64())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_collection_is_told_in_words_and_a_push_has_none() {
        let report = json!({"id": "j1", "collecte": {
            "sources": {"bcn": {"appels": 9, "lignes": 12, "champs_inconnus": {"<b>": 3}}},
            "traitements": {"acce": {"rejets": {"uai_incorrect": 4}}},
            "couverture": {"continuum": {"formations": {"2021_2022": {"self": 5, "ancienne": 2, "nouvelle": 1, "aucune": 7}}}}}});
        let html = run(&report).into_string();
        for expected in [
            "<th scope=\"row\">BCN</th><td>9</td>",
            "&lt;b&gt; (3)",
            "clé de l’UAI incorrecte</td><td>4</td>",
            "<td>formations</td><td>5</td><td>3</td><td>7</td>",
        ] {
            assert!(html.contains(expected), "{expected}: {html}");
        }
        assert_eq!(run(&json!({"id": "j2", "bilan": {}})).into_string(), "");
    }
}
