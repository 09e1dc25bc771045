//! Pushed lines: what is accepted, what is refused and why, what is kept out.

use domain::indicateur::{self, est_indicateur};
use domain::{Document, Filiere, Kind, Millesime, Uai, territoire};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Why a line is refused, in words for the one who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LigneRefusee(pub String);

/// A line as the store keeps it.
#[derive(Debug)]
pub struct LigneValide {
    /// Its kind.
    pub kind: Kind,
    /// The document's JSON, without what is kept out.
    pub json: Vec<u8>,
}

#[derive(Deserialize)]
struct Ligne<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    doc: &'a RawValue,
}

/// The fields of a statistic that are no indicator.
const CHAMPS: [&str; 22] = [
    "uai",
    "libelle_etablissement",
    "millesime",
    "code_certification",
    "code_certification_type",
    "code_formation_diplome",
    "libelle",
    "libelle_ancien",
    "diplome",
    "filiere",
    "date_fermeture",
    "familleMetier",
    "certificationsTerminales",
    "donnee_source",
    "region",
    "academie",
    "uai_type",
    "uai_donnee",
    "uai_donnee_type",
    "uai_lieu_formation",
    "uai_formateur",
    "uai_gestionnaire",
];

/// Fields that are dropped without a word: they are internal to whoever exports them.
const INTERNES: [&str; 3] = ["_meta", "_id", "__v"];

/// Largest document, in bytes of JSON. A row must fit into a value of the store with its neighbours.
const DOCUMENT_MAX: usize = 64 * 1024;

/// Reads and checks a line. Unknown fields are kept out and counted in `inconnus`;
/// `ajoutes` are the indicators that the deployment adds to those of the contract.
///
/// # Errors
/// The reason of the refusal.
pub fn valider(
    ligne: &[u8],
    ajoutes: &[String],
    inconnus: &mut BTreeMap<String, u64>,
) -> Result<LigneValide, LigneRefusee> {
    let refus = |raison: String| LigneRefusee(raison);
    let lue: Ligne<'_> = serde_json::from_slice(ligne)
        .map_err(|e| refus(format!("la ligne n'est pas un objet JSON {{\"kind\", \"doc\"}} : {e}")))?;
    let kind = Kind::parse(&lue.kind).ok_or_else(|| {
        let connus: Vec<&str> = Kind::TOUS.iter().map(|k| k.nom()).collect();
        refus(format!("kind « {} » inconnu ; attendu : {}", lue.kind, connus.join(", ")))
    })?;
    let document: Document =
        serde_json::from_str(lue.doc.get()).map_err(|e| refus(format!("doc n'est pas un objet JSON : {e}")))?;
    valider_document(kind, document, ajoutes, inconnus)
}

/// Checks a document as [`valider`] does the line that holds it.
///
/// # Errors
/// The reason of the refusal.
pub fn valider_document(
    kind: Kind,
    mut document: Document,
    ajoutes: &[String],
    inconnus: &mut BTreeMap<String, u64>,
) -> Result<LigneValide, LigneRefusee> {
    let refus = |raison: String| LigneRefusee(raison);
    document.retain(|champ, _| !INTERNES.contains(&champ.as_str()));
    match kind {
        Kind::Certification | Kind::Regionale | Kind::Formation => {
            garder_les_champs_connus(&mut document, ajoutes, inconnus);
            verifier_statistique(kind, &document)?;
        }
        Kind::Bcn => exiger(&document, &["code_certification", "type"])?,
        Kind::BcnMef => exiger(&document, &["mef_stat_11"])?,
        Kind::BcnSise => exiger(&document, &["diplome_sise"])?,
        Kind::Etablissement => exiger(&document, &["numero_uai"])?,
        Kind::Catalogue => {
            // Recorded rows name themselves `{"$oid": …}`.
            if let Some(id) = document.get("id").and_then(|id| id.get("$oid")).cloned() {
                document.insert("id".to_owned(), id);
            }
            exiger(&document, &["id"])?;
        }
        Kind::User => {
            exiger(&document, &["username"])?;
            // Never repeated in a message: it may be a password as well as its hash.
            let garde = document.get("password").and_then(Value::as_str).unwrap_or_default();
            if garde.is_empty() || garde.len() > 1_000 {
                return Err(refus("password : la forme conservée d'un mot de passe est attendue".into()));
            }
        }
    }
    let json = serde_json::to_vec(&document).map_err(|e| refus(e.to_string()))?;
    if json.len() > DOCUMENT_MAX {
        return Err(refus(format!("le document dépasse {} Kio", DOCUMENT_MAX / 1024)));
    }
    Ok(LigneValide { kind, json })
}

fn garder_les_champs_connus(document: &mut Document, ajoutes: &[String], inconnus: &mut BTreeMap<String, u64>) {
    let connu = |champ: &str| {
        CHAMPS.contains(&champ)
            || indicateur::EFFECTIFS.contains(&champ)
            || indicateur::TAUX.contains(&champ)
            || indicateur::SALAIRES.contains(&champ)
            || champ == indicateur::NB_DIPLOME
            || ajoutes.iter().any(|a| a == champ)
    };
    document.retain(|champ, _| {
        let garde = connu(champ);
        if !garde && (inconnus.len() < 200 || inconnus.contains_key(champ)) {
            *inconnus.entry(champ.clone()).or_default() += 1;
        }
        garde
    });
}

fn exiger(document: &Document, champs: &[&str]) -> Result<(), LigneRefusee> {
    champs.iter().try_for_each(|champ| texte(document, champ).map(|_| ()))
}

fn texte<'a>(document: &'a Document, champ: &str) -> Result<&'a str, LigneRefusee> {
    match document.get(champ) {
        Some(Value::String(t)) if !t.is_empty() && t.len() <= 100 && !t.contains(['\0', '|']) => Ok(t),
        Some(valeur) => Err(LigneRefusee(format!("{champ} : un texte non vide est attendu, reçu {}", court(valeur)))),
        None => Err(LigneRefusee(format!("{champ} manque"))),
    }
}

fn court(valeur: &Value) -> String {
    let texte = valeur.to_string();
    texte.chars().take(60).collect()
}

fn verifier_statistique(kind: Kind, document: &Document) -> Result<(), LigneRefusee> {
    let refus = |raison: String| Err(LigneRefusee(raison));
    let code = texte(document, "code_certification")?;
    if code.len() > 11 || !code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
        return refus(format!("code_certification : « {code} » n'est ni un CFD, ni un MEFSTAT11, ni un code SISE"));
    }
    let millesime = texte(document, "millesime")?;
    if Millesime::parse(millesime).is_none() {
        return refus(format!("millesime : « {millesime} » n'est ni une année (2023) ni une période (2022_2023)"));
    }
    let filiere = texte(document, "filiere")?;
    if Filiere::parse(filiere).is_none() {
        let connues: Vec<&str> = Filiere::TOUTES.iter().map(|f| f.as_str()).collect();
        return refus(format!("filiere : « {filiere} » inconnue ; attendu : {}", connues.join(", ")));
    }
    if kind == Kind::Formation {
        let uai = texte(document, "uai")?;
        if Uai::parse(uai).is_none() {
            return refus(format!("uai : « {uai} » n'a pas la forme 7 chiffres et une majuscule"));
        }
    }
    if kind != Kind::Certification {
        match document.get("region").and_then(|r| r.get("code")).and_then(Value::as_str) {
            Some(code) if territoire::region(code).is_some() => {}
            Some(code) => return refus(format!("region.code : « {code} » n'est pas un code de région de l'INSEE")),
            None if kind == Kind::Regionale => return refus("region.code manque".into()),
            None => {}
        }
    }
    for (champ, valeur) in document.iter().filter(|(champ, _)| est_indicateur(champ)) {
        if !valeur.is_null() && !valeur.is_number() {
            // The value is not repeated: it may belong to a group under the threshold.
            return refus(format!("{champ} : un nombre ou null est attendu"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_is_wrong() {
        let base = r#""code_certification":"12345678","millesime":"2020","filiere":"pro""#;
        for (ligne, raison) in [
            ("pas du json".to_owned(), "la ligne n'est pas un objet JSON"),
            (r#"{"kind":"x","doc":{}}"#.into(), "kind « x » inconnu"),
            (r#"{"kind":"bcn","doc":[]}"#.into(), "doc n'est pas un objet JSON"),
            (r#"{"kind":"bcn","doc":{"type":"cfd"}}"#.into(), "code_certification manque"),
            (
                r#"{"kind":"certification","doc":{"code_certification":"é","millesime":"2020","filiere":"pro"}}"#
                    .into(),
                "code_certification : « é »",
            ),
            (
                r#"{"kind":"certification","doc":{"code_certification":"12345678","millesime":"20","filiere":"pro"}}"#
                    .into(),
                "millesime : « 20 »",
            ),
            (
                r#"{"kind":"certification","doc":{"code_certification":"12345678","millesime":"2020","filiere":"x"}}"#
                    .into(),
                "filiere : « x » inconnue",
            ),
            (
                format!(r#"{{"kind":"certification","doc":{{{base},"nb_sortant":"12"}}}}"#),
                "nb_sortant : un nombre ou null",
            ),
            (format!(r#"{{"kind":"regionale","doc":{{{base}}}}}"#), "region.code manque"),
            (r#"{"kind":"user","doc":{"username":"a"}}"#.into(), "password : la forme"),
            (format!(r#"{{"kind":"formation","doc":{{{base},"uai":"075"}}}}"#), "uai : « 075 »"),
            (
                format!(r#"{{"kind":"certification","doc":{{{base},"libelle":"{}"}}}}"#, "x".repeat(70_000)),
                "le document dépasse",
            ),
        ] {
            let refus = valider(ligne.as_bytes(), &[], &mut BTreeMap::new()).unwrap_err();
            assert!(refus.0.starts_with(raison), "{} / {raison}", refus.0);
        }
    }

    #[test]
    fn a_row_of_the_catalogue_may_be_named_as_it_was_recorded() {
        for id in [r#""a1""#, r#"{"$oid":"a1"}"#] {
            let ligne = format!(r#"{{"kind":"catalogue","doc":{{"id":{id},"cfd":"40023204"}}}}"#);
            let valide = valider(ligne.as_bytes(), &[], &mut BTreeMap::new()).unwrap();
            assert_eq!(valide.json, br#"{"id":"a1","cfd":"40023204"}"#);
        }
    }

    #[test]
    fn unknown_fields_are_kept_out_and_counted_unless_the_deployment_adds_them() {
        let ligne = br#"{"kind":"certification","doc":{"code_certification":"12345678","millesime":"2020","filiere":"pro","taux_mobilite":3,"autre":1,"_meta":{"x":1}}}"#;
        let mut inconnus = BTreeMap::new();
        let valide = valider(ligne, &["taux_mobilite".into()], &mut inconnus).unwrap();
        let document: Document = serde_json::from_slice(&valide.json).unwrap();
        assert_eq!(document["taux_mobilite"], 3);
        assert!(!document.contains_key("autre") && !document.contains_key("_meta"));
        assert_eq!(inconnus, BTreeMap::from([("autre".to_owned(), 1)]));
    }
}
