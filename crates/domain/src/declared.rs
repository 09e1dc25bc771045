//! Mailles that a push declares. The contract has no route of its own for them: academies, for example, or departements.
//!
//! A declaration names the maille, and the field of its documents that holds their place. The checker of lines writes both
//! into each document, as [`MAILLE_FIELD`] and [`PLACE_FIELD`]. Whoever reads a document later needs no declaration.

use crate::{Document, indicator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Declared mailles in force at once, at most: the pointer names them all, within its kilobyte.
pub const MAILLES_MAX: usize = 6;
/// Longest name, in characters.
pub const NAME_MAX: usize = 16;
/// Longest place, in characters.
pub const PLACE_MAX: usize = 20;

/// The field that names the maille of a document.
pub const MAILLE_FIELD: &str = "maille";
/// The field that holds the place of a document.
pub const PLACE_FIELD: &str = "lieu";

/// Names that would be taken for something else in paths, answers or reports.
const RESERVED: [&str; 7] = ["certifications", "regionales", "formations", "bcn", "auth", "mailles", "pagination"];

/// Fields of a document that say something else than its place.
const OTHER_FIELDS: [&str; 14] = [
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
    MAILLE_FIELD,
    "_meta",
];

/// A maille that a push declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredMaille {
    /// Its name in paths: lower-case letters, digits, `_`, `-`.
    #[serde(rename = "nom")]
    pub name: String,
    /// What people read.
    pub libelle: String,
    /// The field that holds the place of a document, `field` or `field.sub_field`.
    #[serde(rename = "cle")]
    pub key: String,
}

impl DeclaredMaille {
    /// Reads a declaration.
    ///
    /// # Errors
    /// Why it is refused, in words for the one who sent it.
    pub fn read(document: &Document) -> Result<Self, String> {
        let text = |field: &str| match document.get(field).and_then(Value::as_str) {
            Some(text) if !text.trim().is_empty() && text.len() <= 100 => Ok(text.to_owned()),
            _ => Err(format!("{field} : un texte non vide d'au plus 100 octets est attendu")),
        };
        let read = Self { name: text("nom")?, libelle: text("libelle")?, key: text("cle")? };
        if !is_name(&read.name) {
            return Err(format!(
                "nom : « {} » n'est pas fait d'une minuscule puis de minuscules, chiffres, « _ » ou « - » ({NAME_MAX} caractères au plus)",
                read.name
            ));
        }
        if RESERVED.contains(&read.name.as_str()) {
            return Err(format!("nom : « {} » est réservé", read.name));
        }
        let segments: Vec<&str> = read.key.split('.').collect();
        if segments.len() > 2 || !segments.iter().all(|s| is_field(s)) {
            return Err(format!("cle : « {} » ne désigne ni un champ ni un sous-champ (champ.sous_champ)", read.key));
        }
        if OTHER_FIELDS.contains(&read.root()) || indicator::is_indicator(read.root()) {
            return Err(format!("cle : « {} » n'est pas un champ de lieu", read.key));
        }
        Ok(read)
    }

    /// The field of a document that its key lies in.
    #[must_use]
    pub fn root(&self) -> &str {
        self.key.split('.').next().unwrap_or_default()
    }

    /// The place of a document.
    ///
    /// The field it lies in may hold texts only: a figure in it would pass the publication
    /// threshold unseen.
    ///
    /// # Errors
    /// Why there is none, in words for the one who sent it; no value is repeated.
    pub fn place<'a>(&self, document: &'a Document) -> Result<&'a str, String> {
        let mut value = document.get(self.root());
        if let Some(Value::Object(fields)) = value
            && fields.values().any(|v| !v.is_string() && !v.is_null())
        {
            return Err(format!("{} : des textes seulement sont attendus", self.root()));
        }
        if let Some((_, sub_field)) = self.key.split_once('.') {
            value = value.and_then(|v| v.get(sub_field));
        }
        value.and_then(Value::as_str).filter(|place| is_place(place)).ok_or_else(|| {
            format!(
                "{} : la clé de la maille {} est attendue (lettres, chiffres, « _ » ou « - », {PLACE_MAX} caractères au plus)",
                self.key, self.name
            )
        })
    }
}

/// Whether a text can be the name of a maille.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    text.len() <= NAME_MAX && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(rest)
}

/// Whether a text can be a place. It holds no dot: in a path that begins an extension.
#[must_use]
pub fn is_place(text: &str) -> bool {
    (1..=PLACE_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn is_field(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(value: Value) -> Document {
        value.as_object().unwrap().clone()
    }

    fn declare(name: &str, key: &str) -> Result<DeclaredMaille, String> {
        DeclaredMaille::read(&document(json!({"nom": name, "libelle": "Académies", "cle": key})))
    }

    #[test]
    fn a_declaration_names_a_maille_and_the_field_of_its_places() {
        let academies = declare("academies", "academie.code").unwrap();
        assert_eq!(academies.root(), "academie");
        assert_eq!(academies.place(&document(json!({"academie": {"code": "10", "nom": "Lyon"}}))), Ok("10"));
        let areas = declare("bassins", "bassin").unwrap();
        assert_eq!(areas.place(&document(json!({"bassin": "0061_2-A"}))), Ok("0061_2-A"));
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        for (name, key, reason) in [
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
            let refusal = declare(name, key).unwrap_err();
            assert!(refusal.starts_with(reason), "{refusal} / {reason}");
        }
    }

    #[test]
    fn a_place_is_a_short_text_without_dot_beside_texts_only() {
        let academies = declare("academies", "academie.code").unwrap();
        for academie in [
            json!(null),
            json!({}),
            json!({"code": ""}),
            json!({"code": "a.b"}),
            json!({"code": 10}),
            json!("10"),
            json!({"code": "1".repeat(21)}),
        ] {
            assert!(academies.place(&document(json!({"academie": academie}))).is_err(), "{academie}");
        }
        // A count hidden where nobody looks for one.
        let refusal = academies.place(&document(json!({"academie": {"code": "10", "sortants": 7}}))).unwrap_err();
        assert_eq!(refusal, "academie : des textes seulement sont attendus");
    }
}
