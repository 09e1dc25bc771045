//! What a collection from the statistical services tells, as a part of the page of the status.
//!
//! It is made of the public copy of the report: counts, names of fields, kinds of reasons.

use crate::gabarit::echapper;
use serde_json::{Map, Value};

/// The treatments of statistics, in their order, and what the page calls the state after them.
const TRAITEMENTS: [(&str, &str); 4] = [
    ("statistiques", "Reçus des services"),
    ("continuum", "Après la lignée des diplômes"),
    ("annees", "Après les années non terminales"),
    ("roles", "Après les rôles des établissements"),
];

/// The kinds of reasons for which a row is refused.
const RAISONS: [(&str, &str); 9] = [
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

fn membres(valeur: &Value) -> impl Iterator<Item = (&String, &Value)> {
    valeur.as_object().into_iter().flat_map(Map::iter)
}

fn noms(valeur: &Value) -> String {
    let noms: Vec<String> = membres(valeur).map(|(nom, n)| format!("{} ({n})", echapper(nom))).collect();
    if noms.is_empty() { "–".into() } else { noms.join(", ") }
}

fn service(nom: &str) -> &str {
    match nom {
        "inserjeunes" => "InserJeunes",
        "insersup" => "InserSup, établissements",
        "insersup_national" => "InserSup, France",
        "bcn" => "BCN",
        "acce" => "ACCE",
        "catalogue" => "Catalogue de l’apprentissage",
        autre => autre,
    }
}

fn tableau(titre: &str, entetes: &[&str], lignes: &str) -> String {
    let entetes: String = entetes.iter().map(|e| format!("<th scope=\"col\">{e}</th>")).collect();
    format!(
        "<div class=\"defile\" role=\"region\" aria-label=\"{titre}\" tabindex=\"0\"><table><caption>{titre}</caption><thead><tr>{entetes}</tr></thead><tbody>{lignes}</tbody></table></div>"
    )
}

/// The collection of an import; empty where it was a push.
pub(crate) fn collecte(rapport: &Value) -> String {
    let Some(releve) = rapport.get("collecte").filter(|c| c.get("sources").is_some()) else { return String::new() };
    let de = |champ: &str| releve.get(champ).unwrap_or(&Value::Null);
    let id = rapport.get("id").and_then(Value::as_str).unwrap_or_default();
    let sources: String = membres(de("sources"))
        .map(|(nom, source)| {
            let n = |champ: &str| source.get(champ).and_then(Value::as_u64).unwrap_or_default();
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                echapper(service(nom)),
                n("appels"),
                n("sans_donnee"),
                n("en_echec"),
                n("requetes"),
                n("reprises"),
                n("lignes"),
                noms(source.get("champs_inconnus").unwrap_or(&Value::Null)),
            )
        })
        .collect();
    let rejets: String = membres(de("traitements"))
        .flat_map(|(nom, traitement)| {
            let vide = Value::Null;
            let rejets = traitement.get("rejets").unwrap_or(&vide).clone();
            let nom = service(nom).to_owned();
            let lignes: Vec<String> = membres(&rejets)
                .map(|(raison, n)| {
                    let raison = RAISONS.iter().find(|(r, _)| r == raison).map_or(raison.as_str(), |(_, mots)| mots);
                    format!(
                        "<tr><th scope=\"row\">{}</th><td>{}</td><td>{n}</td></tr>",
                        echapper(&nom),
                        echapper(raison)
                    )
                })
                .collect();
            lignes
        })
        .collect();
    let mut couverture = String::new();
    for (traitement, titre) in TRAITEMENTS {
        let apres = de("couverture").get(traitement).unwrap_or(&Value::Null);
        for (maille, par_millesime) in membres(apres) {
            let compter = |voulue: &[&str]| -> u64 {
                membres(par_millesime)
                    .flat_map(|(_, provenances)| membres(provenances))
                    .filter(|(provenance, _)| voulue.contains(&provenance.as_str()))
                    .filter_map(|(_, n)| n.as_u64())
                    .sum()
            };
            couverture.push_str(&format!(
                "<tr><th scope=\"row\">{titre}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                echapper(maille),
                compter(&["self"]),
                compter(&["ancienne", "nouvelle"]),
                compter(&["aucune"]),
            ));
        }
    }
    let mut corps = tableau(
        "Services interrogés",
        &["Service", "Appels", "Sans donnée", "En échec", "Requêtes", "Dont reprises", "Lignes", "Champs inconnus"],
        &sources,
    );
    if !rejets.is_empty() {
        corps.push_str(&tableau("Lignes rejetées", &["Service", "Raison", "Nombre"], &rejets));
    }
    if !couverture.is_empty() {
        corps.push_str(&tableau(
            "Documents après chaque traitement",
            &["Étape", "Maille", "Données propres", "D’un autre diplôme de la lignée", "Année non terminale"],
            &couverture,
        ));
    }
    format!("<details><summary>Détail de la collecte <code>{}</code></summary>{corps}</details>", echapper(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_collection_is_told_in_words_and_a_push_has_none() {
        let rapport = json!({"id": "j1", "collecte": {
            "sources": {"bcn": {"appels": 9, "lignes": 12, "champs_inconnus": {"<b>": 3}}},
            "traitements": {"acce": {"rejets": {"uai_incorrect": 4}}},
            "couverture": {"continuum": {"formations": {"2021_2022": {"self": 5, "ancienne": 2, "nouvelle": 1, "aucune": 7}}}}}});
        let html = collecte(&rapport);
        for attendu in [
            "<th scope=\"row\">BCN</th><td>9</td>",
            "&lt;b&gt; (3)",
            "clé de l’UAI incorrecte</td><td>4</td>",
            "<td>formations</td><td>5</td><td>3</td><td>7</td>",
        ] {
            assert!(html.contains(attendu), "{attendu}: {html}");
        }
        assert_eq!(collecte(&json!({"id": "j2", "bilan": {}})), "");
    }
}
