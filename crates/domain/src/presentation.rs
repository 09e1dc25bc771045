//! The sentences that go with a document: its title, its details, its messages.

use crate::declared::{MAILLE_FIELD, PLACE_FIELD};
use crate::indicator::NB_ANNEE_TERM;
use crate::threshold::THRESHOLD_MESSAGE;
use crate::{Document, Filiere, PublishedDocument, Universe};
use serde_json::Value;
use std::borrow::Cow;

fn text<'a>(document: &'a Document, path: &[&str]) -> Option<&'a str> {
    let (first, remainder) = path.split_first()?;
    remainder.iter().try_fold(document.get(*first)?, |value, key| value.get(key))?.as_str()
}

/// `Certification 40025214, établissement 0750652B`.
#[must_use]
pub fn title(document: &Document) -> String {
    let code = text(document, &["code_certification"]).unwrap_or_default();
    match text(document, &["uai"]) {
        Some(uai) => format!("Certification {code}, établissement {uai}"),
        None => format!("Certification {code}"),
    }
}

/// What the figures are about: source, certification, place, millesime.
///
/// A region is named on the regional maille only: the documents of establishments hold one too.
#[must_use]
pub fn details(document: &Document) -> String {
    let field = |name: &str| text(document, &[name]).unwrap_or_default();
    let filiere = field("filiere");
    let source = Filiere::parse(filiere).map_or("InserJeunes", |f| f.universe().source());
    let diplome = text(document, &["diplome", "libelle"]).map_or(String::new(), |d| format!("{d} "));
    let code = field("code_certification");
    let mut details = format!("Données {source} pour la certification {code} ({diplome}filière {filiere})");
    let uai = text(document, &["uai"]);
    if let Some(uai) = uai {
        details += &format!(" dispensée par l'établissement {uai},");
    }
    details += &format!(" pour le millésime {}", field("millesime"));
    if let (Some(maille), Some(place)) = (text(document, &[MAILLE_FIELD]), text(document, &[PLACE_FIELD])) {
        details += &format!(", maille {maille}, lieu {place}");
    } else if uai.is_none()
        && let Some(region) = text(document, &["region", "nom"])
    {
        details += &format!(" et la région {region}");
    }
    details
}

/// The messages readers must see with the figures: hidden, and what can be seen instead; or coming from
/// another kind of establishment than the one asked for. Both where both apply.
///
/// The sentence of the contract speaks of pupils, whoever is counted, and does not say how many are enough: it stays, and
/// one that does follows it.
#[must_use]
pub fn messages(document: &PublishedDocument) -> Vec<Cow<'static, str>> {
    let mut messages: Vec<Cow<'static, str>> = Vec::new();
    if document.is_below_threshold() {
        messages.push(THRESHOLD_MESSAGE.into());
    }
    if document.hides() {
        messages.push(why_hidden(document).into());
    }
    messages.extend(provenance_message(document.as_document()).map(Cow::from));
    messages
}

/// Who is counted.
#[must_use]
pub fn people(filiere: Option<Filiere>) -> &'static str {
    match filiere {
        Some(Filiere::Apprentissage) => "apprentis",
        Some(Filiere::Superieur) => "étudiants",
        Some(Filiere::Pro | Filiere::Agricultural) => "élèves",
        None => "jeunes",
    }
}

const SMALL: &str = "Ce groupe compte moins de 20 ";
const UNKNOWN: &str = "On ne sait pas si ce groupe compte au moins 20 ";
const FOR_THEM: &str = " : pour protéger ces personnes, ses taux et le détail de ses effectifs ne sont pas montrés. ";
const SEE_COUNTRY: &str = "Voyez la même certification dans toute la France.";
const SEE_OTHERS: &str = "Voyez un autre millésime.";

/// The messages of a filiere of a view that the threshold hides: constants, since every read component holds them.
pub const SUM_MESSAGES: [&str; 2] = [
    THRESHOLD_MESSAGE,
    "Ces certifications comptent ensemble moins de 20 jeunes, ou on ne sait pas combien : pour protéger ces personnes, leurs chiffres ne sont pas montrés. Voyez-les dans toute la France, ou un autre millésime.",
];

/// Why figures are hidden, and what can be seen instead.
fn why_hidden(published: &PublishedDocument) -> String {
    let document = published.as_document();
    let filiere = text(document, &["filiere"]).and_then(Filiere::parse);
    let people = people(filiere);
    let size = document.get(NB_ANNEE_TERM).filter(|size| !size.is_null());
    let (why, end) = match (published.is_below_threshold(), size) {
        (true, Some(_)) => (SMALL, FOR_THEM),
        (true, None) => (UNKNOWN, FOR_THEM),
        (false, _) => (
            "Les chiffres d'un groupe voisin de moins de 20 ",
            " se déduiraient de ceux-ci : pour protéger ces personnes, ils ne sont pas montrés. ",
        ),
    };
    let regions = filiere.is_none_or(|filiere| filiere.universe() == Universe::Secondaire);
    let region = text(document, &["region", "nom"]);
    let lower = document.contains_key("uai") || document.contains_key(MAILLE_FIELD);
    let instead: Cow<'_, str> = match (lower, region) {
        (true, Some(region)) if regions => {
            ["Voyez la même certification en région (", region, "), ou dans toute la France."].concat().into()
        }
        (true, None) if regions => "Voyez la même certification dans la région, ou dans toute la France.".into(),
        (true, _) | (false, Some(_)) => SEE_COUNTRY.into(),
        (false, None) => SEE_OTHERS.into(),
    };
    [why, people, end, &instead].concat()
}

/// Where `uai_type` differs from `uai_donnee_type`: which kind of establishment the numbers come
/// from.
fn provenance_message(document: &Document) -> Option<&'static str> {
    let provenance = text(document, &["uai_donnee_type"])?;
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

    fn document(value: Value) -> Document {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn sentences_follow_the_maille() {
        let base = json!({"code_certification": "12345678", "filiere": "apprentissage", "millesime": "2018_2019", "diplome": {"code": "4", "libelle": "BAC"}, "region": {"code": "11", "nom": "Île-de-France"}});
        let regionale = document(base.clone());
        assert_eq!(title(&regionale), "Certification 12345678");
        assert_eq!(
            details(&regionale),
            "Données InserJeunes pour la certification 12345678 (BAC filière apprentissage) pour le millésime 2018_2019 et la région Île-de-France"
        );
        let mut declared = regionale.clone();
        declared.extend(document(json!({"maille": "academies", "lieu": "01"})));
        assert!(details(&declared).ends_with(" pour le millésime 2018_2019, maille academies, lieu 01"));
        let mut formation = regionale;
        formation.insert("uai".into(), json!("0751234J"));
        assert_eq!(title(&formation), "Certification 12345678, établissement 0751234J");
        assert_eq!(
            details(&formation),
            "Données InserJeunes pour la certification 12345678 (BAC filière apprentissage) dispensée par l'établissement 0751234J, pour le millésime 2018_2019"
        );
    }

    #[test]
    fn what_is_hidden_says_why_and_what_can_be_seen_instead() {
        let shown = |value: Value, withheld: bool| {
            let published = PublishedDocument::under(document(value), crate::Secrecy::Strict, withheld);
            messages(&published).pop().map(String::from).unwrap_or_default()
        };
        let occitanie = json!({"code": "76", "nom": "Occitanie"});
        for (value, expected) in [
            (
                json!({"nb_annee_term": 3, "filiere": "apprentissage", "uai": "0751234J", "region": occitanie}),
                "Ce groupe compte moins de 20 apprentis : pour protéger ces personnes, ses taux et le détail de ses effectifs ne sont pas montrés. Voyez la même certification en région (Occitanie), ou dans toute la France.",
            ),
            (
                json!({"nb_annee_term": 3, "filiere": "superieur", "uai": "0751234J", "region": occitanie}),
                "Ce groupe compte moins de 20 étudiants : pour protéger ces personnes, ses taux et le détail de ses effectifs ne sont pas montrés. Voyez la même certification dans toute la France.",
            ),
            (
                json!({"nb_annee_term": null, "filiere": "pro", "region": occitanie}),
                "On ne sait pas si ce groupe compte au moins 20 élèves : pour protéger ces personnes, ses taux et le détail de ses effectifs ne sont pas montrés. Voyez la même certification dans toute la France.",
            ),
            (
                json!({"taux_en_formation": 3, "filiere": "pro"}),
                "On ne sait pas si ce groupe compte au moins 20 élèves : pour protéger ces personnes, ses taux et le détail de ses effectifs ne sont pas montrés. Voyez un autre millésime.",
            ),
        ] {
            assert_eq!(shown(value, false), expected);
        }
        let withheld = shown(json!({"nb_annee_term": 45, "filiere": "pro", "maille": "academies", "lieu": "10"}), true);
        assert!(withheld.starts_with("Les chiffres d'un groupe voisin de moins de 20 élèves"), "{withheld}");
        assert!(withheld.ends_with("dans la région, ou dans toute la France."), "{withheld}");
        assert_eq!(shown(json!({"nb_annee_term": 45, "filiere": "pro"}), false), "");
    }

    #[test]
    fn both_messages_are_kept() {
        let published = PublishedDocument::new(document(
            json!({"nb_annee_term": 12, "uai_type": "lieu_formation", "uai_donnee_type": "formateur"}),
        ));
        assert_eq!(messages(&published).len(), 3);
        let same = PublishedDocument::new(document(
            json!({"nb_annee_term": 20, "uai_type": "inconnu", "uai_donnee_type": "inconnu"}),
        ));
        assert!(messages(&same).is_empty());
    }
}
