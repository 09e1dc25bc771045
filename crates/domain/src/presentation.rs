//! The sentences that go with a document: its title, its details, its messages.

use crate::declaree::{CHAMP_LIEU, CHAMP_MAILLE};
use crate::seuil::MESSAGE_SEUIL;
use crate::{Document, DocumentPublie, Filiere};
use serde_json::Value;

fn texte<'a>(document: &'a Document, chemin: &[&str]) -> Option<&'a str> {
    let (premier, reste) = chemin.split_first()?;
    reste.iter().try_fold(document.get(*premier)?, |valeur, cle| valeur.get(cle))?.as_str()
}

/// `Certification 40025214, établissement 0750652B`.
#[must_use]
pub fn titre(document: &Document) -> String {
    let code = texte(document, &["code_certification"]).unwrap_or_default();
    match texte(document, &["uai"]) {
        Some(uai) => format!("Certification {code}, établissement {uai}"),
        None => format!("Certification {code}"),
    }
}

/// What the figures are about: source, certification, place, millesime.
///
/// A region is named on the regional maille only: the documents of establishments hold one too.
#[must_use]
pub fn details(document: &Document) -> String {
    let champ = |nom: &str| texte(document, &[nom]).unwrap_or_default();
    let filiere = champ("filiere");
    let source = Filiere::parse(filiere).map_or("InserJeunes", |f| f.univers().source());
    let diplome = texte(document, &["diplome", "libelle"]).map_or(String::new(), |d| format!("{d} "));
    let code = champ("code_certification");
    let mut details = format!("Données {source} pour la certification {code} ({diplome}filière {filiere})");
    let uai = texte(document, &["uai"]);
    if let Some(uai) = uai {
        details += &format!(" dispensée par l'établissement {uai},");
    }
    details += &format!(" pour le millésime {}", champ("millesime"));
    if let (Some(maille), Some(lieu)) = (texte(document, &[CHAMP_MAILLE]), texte(document, &[CHAMP_LIEU])) {
        details += &format!(", maille {maille}, lieu {lieu}");
    } else if uai.is_none()
        && let Some(region) = texte(document, &["region", "nom"])
    {
        details += &format!(" et la région {region}");
    }
    details
}

/// The messages readers must see with the figures: hidden by the threshold, or coming from
/// another kind of establishment than the one asked for. Both where both apply.
#[must_use]
pub fn messages(document: &DocumentPublie) -> Vec<&'static str> {
    let mut messages = Vec::new();
    if document.est_sous_seuil() {
        messages.push(MESSAGE_SEUIL);
    }
    messages.extend(message_provenance(document.as_document()));
    messages
}

/// Where `uai_type` differs from `uai_donnee_type`: which kind of establishment the numbers come
/// from.
fn message_provenance(document: &Document) -> Option<&'static str> {
    let provenance = texte(document, &["uai_donnee_type"])?;
    if document.get("uai_type").and_then(Value::as_str) == Some(provenance) {
        return None;
    }
    match provenance {
        "lieu_formation" => Some("Les données pour cette formation proviennent du lieu de formation de la formation."),
        "formateur" => Some("Les données pour cette formation proviennent de l'organisme formateur de la formation."),
        "gestionnaire" => {
            Some("Les données pour cette formation proviennent de l'organisme gestionnaire de la formation.")
        }
        "inconnu" => Some(
            "Nous ne pouvons pas déterminer si les données pour cette formation proviennent de l'organisme gestionnaire, de l'organisme formateur ou du lieu de formation",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(valeur: Value) -> Document {
        valeur.as_object().unwrap().clone()
    }

    #[test]
    fn sentences_follow_the_maille() {
        let base = json!({"code_certification": "12345678", "filiere": "apprentissage", "millesime": "2018_2019", "diplome": {"code": "4", "libelle": "BAC"}, "region": {"code": "11", "nom": "Île-de-France"}});
        let regionale = document(base.clone());
        assert_eq!(titre(&regionale), "Certification 12345678");
        assert_eq!(
            details(&regionale),
            "Données InserJeunes pour la certification 12345678 (BAC filière apprentissage) pour le millésime 2018_2019 et la région Île-de-France"
        );
        let mut declaree = regionale.clone();
        declaree.extend(document(json!({"maille": "academies", "lieu": "01"})));
        assert!(details(&declaree).ends_with(" pour le millésime 2018_2019, maille academies, lieu 01"));
        let mut formation = regionale;
        formation.insert("uai".into(), json!("0751234J"));
        assert_eq!(titre(&formation), "Certification 12345678, établissement 0751234J");
        assert_eq!(
            details(&formation),
            "Données InserJeunes pour la certification 12345678 (BAC filière apprentissage) dispensée par l'établissement 0751234J, pour le millésime 2018_2019"
        );
    }

    #[test]
    fn both_messages_are_kept() {
        let publie = DocumentPublie::nouveau(document(
            json!({"nb_annee_term": 12, "uai_type": "lieu_formation", "uai_donnee_type": "formateur"}),
        ));
        assert_eq!(messages(&publie).len(), 2);
        let same = DocumentPublie::nouveau(document(
            json!({"nb_annee_term": 20, "uai_type": "inconnu", "uai_donnee_type": "inconnu"}),
        ));
        assert!(messages(&same).is_empty());
    }
}
