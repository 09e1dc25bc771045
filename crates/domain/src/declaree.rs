//! Mailles that a push declares: levels the contract has no route of its own for, such as the
//! academie or the departement.
//!
//! A declaration names the maille and the field of its documents that holds their place. From then
//! on such a document says both itself, in its fields [`CHAMP_MAILLE`] and [`CHAMP_LIEU`], so that
//! nobody needs the declaration to read it.

use crate::{Document, indicateur};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Declared mailles in force at once, at most: the pointer names them all, within its kilobyte.
pub const MAILLES_MAX: usize = 6;
/// Longest name, in characters.
pub const NOM_MAX: usize = 16;
/// Longest place, in characters.
pub const LIEU_MAX: usize = 20;

/// The field that names the maille of a document.
pub const CHAMP_MAILLE: &str = "maille";
/// The field that holds the place of a document.
pub const CHAMP_LIEU: &str = "lieu";

/// Names that would be taken for something else in paths, answers or reports.
const RESERVES: [&str; 7] = ["certifications", "regionales", "formations", "bcn", "auth", "mailles", "pagination"];

/// Fields of a document that say something else than its place.
const AUTRES_CHAMPS: [&str; 14] = [
    "millesime",
    "filiere",
    "code_certification",
    "code_certification_type",
    "code_formation_diplome",
    "libelle",
    "libelle_ancien",
    "diplome",
    "date_fermeture",
    "familleMetier",
    "certificationsTerminales",
    "donnee_source",
    CHAMP_MAILLE,
    "_meta",
];

/// A maille that a push declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailleDeclaree {
    /// Its name in paths: lower-case letters, digits, `_`, `-`.
    pub nom: String,
    /// What people read.
    pub libelle: String,
    /// The field that holds the place of a document, `champ` or `champ.sous_champ`.
    pub cle: String,
}

impl MailleDeclaree {
    /// Reads a declaration.
    ///
    /// # Errors
    /// Why it is refused, in words for the one who sent it.
    pub fn lire(document: &Document) -> Result<Self, String> {
        let texte = |champ: &str| match document.get(champ).and_then(Value::as_str) {
            Some(texte) if !texte.trim().is_empty() && texte.len() <= 100 => Ok(texte.to_owned()),
            _ => Err(format!("{champ} : un texte non vide d'au plus 100 octets est attendu")),
        };
        let lue = Self { nom: texte("nom")?, libelle: texte("libelle")?, cle: texte("cle")? };
        if !est_nom(&lue.nom) {
            return Err(format!(
                "nom : « {} » n'est pas fait d'une minuscule puis de minuscules, chiffres, « _ » ou « - » ({NOM_MAX} caractères au plus)",
                lue.nom
            ));
        }
        if RESERVES.contains(&lue.nom.as_str()) {
            return Err(format!("nom : « {} » est réservé", lue.nom));
        }
        let segments: Vec<&str> = lue.cle.split('.').collect();
        if segments.len() > 2 || !segments.iter().all(|s| est_champ(s)) {
            return Err(format!("cle : « {} » ne désigne ni un champ ni un sous-champ (champ.sous_champ)", lue.cle));
        }
        if AUTRES_CHAMPS.contains(&lue.racine()) || indicateur::est_indicateur(lue.racine()) {
            return Err(format!("cle : « {} » n'est pas un champ de lieu", lue.cle));
        }
        Ok(lue)
    }

    /// The field of a document that its key lies in.
    #[must_use]
    pub fn racine(&self) -> &str {
        self.cle.split('.').next().unwrap_or_default()
    }

    /// The place of a document.
    ///
    /// The field it lies in may hold texts only: a figure in it would pass the publication
    /// threshold unseen.
    ///
    /// # Errors
    /// Why there is none, in words for the one who sent it; no value is repeated.
    pub fn lieu<'a>(&self, document: &'a Document) -> Result<&'a str, String> {
        let mut valeur = document.get(self.racine());
        if let Some(Value::Object(champs)) = valeur
            && champs.values().any(|v| !v.is_string() && !v.is_null())
        {
            return Err(format!("{} : des textes seulement sont attendus", self.racine()));
        }
        if let Some((_, sous_champ)) = self.cle.split_once('.') {
            valeur = valeur.and_then(|v| v.get(sous_champ));
        }
        valeur.and_then(Value::as_str).filter(|lieu| est_lieu(lieu)).ok_or_else(|| {
            format!(
                "{} : la clé de la maille {} est attendue (lettres, chiffres, « _ » ou « - », {LIEU_MAX} caractères au plus)",
                self.cle, self.nom
            )
        })
    }
}

/// Whether a text can be the name of a maille.
#[must_use]
pub fn est_nom(texte: &str) -> bool {
    let suite = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    texte.len() <= NOM_MAX && texte.starts_with(|c: char| c.is_ascii_lowercase()) && texte.bytes().all(suite)
}

/// Whether a text can be a place. It holds no dot: in a path that begins an extension.
#[must_use]
pub fn est_lieu(texte: &str) -> bool {
    (1..=LIEU_MAX).contains(&texte.len()) && texte.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn est_champ(texte: &str) -> bool {
    (1..=40).contains(&texte.len()) && texte.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(valeur: Value) -> Document {
        valeur.as_object().unwrap().clone()
    }

    fn declarer(nom: &str, cle: &str) -> Result<MailleDeclaree, String> {
        MailleDeclaree::lire(&document(json!({"nom": nom, "libelle": "Académies", "cle": cle})))
    }

    #[test]
    fn a_declaration_names_a_maille_and_the_field_of_its_places() {
        let academies = declarer("academies", "academie.code").unwrap();
        assert_eq!(academies.racine(), "academie");
        assert_eq!(academies.lieu(&document(json!({"academie": {"code": "10", "nom": "Lyon"}}))), Ok("10"));
        let bassins = declarer("bassins", "bassin").unwrap();
        assert_eq!(bassins.lieu(&document(json!({"bassin": "0061_2-A"}))), Ok("0061_2-A"));
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        for (nom, cle, raison) in [
            ("Academies", "academie.code", "nom : « Academies »"),
            ("academies_et_rectorats", "academie.code", "nom :"),
            ("1er", "academie.code", "nom :"),
            ("bcn", "academie.code", "nom : « bcn » est réservé"),
            ("academies", "academie.code.x", "cle :"),
            ("academies", "", "cle : un texte"),
            ("academies", "a-b", "cle : « a-b » ne désigne"),
            ("academies", "nb_sortant", "cle : « nb_sortant » n'est pas un champ de lieu"),
            ("academies", "diplome.code", "cle : « diplome.code » n'est pas un champ de lieu"),
        ] {
            let refus = declarer(nom, cle).unwrap_err();
            assert!(refus.starts_with(raison), "{refus} / {raison}");
        }
    }

    #[test]
    fn a_place_is_a_short_text_without_dot_beside_texts_only() {
        let academies = declarer("academies", "academie.code").unwrap();
        for academie in [
            json!(null),
            json!({}),
            json!({"code": ""}),
            json!({"code": "a.b"}),
            json!({"code": 10}),
            json!("10"),
            json!({"code": "1".repeat(21)}),
        ] {
            assert!(academies.lieu(&document(json!({"academie": academie}))).is_err(), "{academie}");
        }
        // A count hidden where nobody looks for one.
        let refus = academies.lieu(&document(json!({"academie": {"code": "10", "sortants": 7}}))).unwrap_err();
        assert_eq!(refus, "academie : des textes seulement sont attendus");
    }
}
