//! What a collection from the statistical services tells, as a part of the page of the status.
//!
//! It is made of the public copy of the report: counts, names of fields, kinds of reasons.

use crate::template::escape;
use serde_json::{Map, Value};

/// The treatments of statistics, in their order, and what the page calls the state after them.
const TREATMENTS: [(&str, &str); 4] = [
    ("statistiques", "Reçus des services"),
    ("continuum", "Après la lignée des diplômes"),
    ("annees", "Après les années non terminales"),
    ("roles", "Après les rôles des établissements"),
];

/// The kinds of reasons for which a row is refused.
const REASONS: [(&str, &str); 9] = [
    ("certification_inconnue", "certification absente des nomenclatures"),
    ("etablissement_inconnu", "établissement absent d’ACCE"),
    ("uai_incorrect", "clé de l’UAI incorrecte"),
    ("departement_inconnu", "département inconnu"),
    ("academie_inconnue", "académie inconnue"),
    ("filiere_inconnue", "filière inconnue"),
    ("champ_manquant", "champ manquant"),
    ("millesime_incorrect", "millésime illisible"),
    ("discipline_en_double", "autre discipline du même diplôme"),
];

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn names(value: &Value) -> String {
    let names: Vec<String> = members(value).map(|(name, n)| format!("{} ({n})", escape(name))).collect();
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

fn table(title: &str, headers: &[&str], rows: &str) -> String {
    let headers: String = headers.iter().map(|e| format!("<th scope=\"col\">{e}</th>")).collect();
    format!(
        "<div class=\"defile\" role=\"region\" aria-label=\"{title}\" tabindex=\"0\"><table><caption>{title}</caption><thead><tr>{headers}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// The collection of an import; empty where it was a push.
pub(crate) fn run(report: &Value) -> String {
    let Some(latest_run) = report.get("collecte").filter(|c| c.get("sources").is_some()) else { return String::new() };
    let from = |field: &str| latest_run.get(field).unwrap_or(&Value::Null);
    let id = report.get("id").and_then(Value::as_str).unwrap_or_default();
    let sources: String = members(from("sources"))
        .map(|(name, source)| {
            let n = |field: &str| source.get(field).and_then(Value::as_u64).unwrap_or_default();
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(service(name)),
                n("appels"),
                n("sans_donnee"),
                n("en_echec"),
                n("requetes"),
                n("reprises"),
                n("lignes"),
                names(source.get("champs_inconnus").unwrap_or(&Value::Null)),
            )
        })
        .collect();
    let rejections: String = members(from("traitements"))
        .flat_map(|(name, treatment)| {
            let empty = Value::Null;
            let rejections = treatment.get("rejets").unwrap_or(&empty).clone();
            let name = service(name).to_owned();
            let rows: Vec<String> = members(&rejections)
                .map(|(reason, n)| {
                    let reason = REASONS.iter().find(|(r, _)| r == reason).map_or(reason.as_str(), |(_, words)| words);
                    format!("<tr><th scope=\"row\">{}</th><td>{}</td><td>{n}</td></tr>", escape(&name), escape(reason))
                })
                .collect();
            rows
        })
        .collect();
    let mut coverage = String::new();
    for (treatment, title) in TREATMENTS {
        let after = from("couverture").get(treatment).unwrap_or(&Value::Null);
        for (maille, by_millesime) in members(after) {
            let count = |wanted: &[&str]| -> u64 {
                members(by_millesime)
                    .flat_map(|(_, provenances)| members(provenances))
                    .filter(|(provenance, _)| wanted.contains(&provenance.as_str()))
                    .filter_map(|(_, n)| n.as_u64())
                    .sum()
            };
            coverage.push_str(&format!(
                "<tr><th scope=\"row\">{title}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(maille),
                count(&["self"]),
                count(&["ancienne", "nouvelle"]),
                count(&["aucune"]),
            ));
        }
    }
    let mut body = table(
        "Services interrogés",
        &["Service", "Appels", "Sans donnée", "En échec", "Requêtes", "Dont reprises", "Lignes", "Champs inconnus"],
        &sources,
    );
    if !rejections.is_empty() {
        body.push_str(&table("Lignes rejetées", &["Service", "Raison", "Nombre"], &rejections));
    }
    if !coverage.is_empty() {
        body.push_str(&table(
            "Documents après chaque traitement",
            &["Étape", "Maille", "Données propres", "D’un autre diplôme de la lignée", "Année non terminale"],
            &coverage,
        ));
    }
    format!("<details><summary>Détail de la collecte <code>{}</code></summary>{body}</details>", escape(id))
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
        let html = run(&report);
        for expected in [
            "<th scope=\"row\">BCN</th><td>9</td>",
            "&lt;b&gt; (3)",
            "clé de l’UAI incorrecte</td><td>4</td>",
            "<td>formations</td><td>5</td><td>3</td><td>7</td>",
        ] {
            assert!(html.contains(expected), "{expected}: {html}");
        }
        assert_eq!(run(&json!({"id": "j2", "bilan": {}})), "");
    }
}
