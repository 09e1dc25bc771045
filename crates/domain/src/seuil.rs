//! The publication threshold.
//!
//! Rule (contract, "One document", rule 2): where a group counts fewer than 20 young people, no
//! rate and no count of it is published, but its size. It protects people, so it is a type: a
//! [`DocumentPublie`] can only be made by [`DocumentPublie::nouveau`], which hides what must be
//! hidden, and only published documents can be rendered, listed, indexed or logged.

use crate::Document;
use crate::indicateur::{NB_ANNEE_TERM, sous_seuil};
use serde_json::Value;

/// The smallest group whose figures are published.
pub const SEUIL_PUBLICATION: f64 = 20.0;

/// The message that goes with hidden figures.
pub const MESSAGE_SEUIL: &str =
    "Les taux ne peuvent pas être affichés car il n'y a pas assez d'élèves pour fournir une information fiable.";

/// A document that holds nothing below the threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentPublie {
    document: Document,
    sous_seuil: bool,
}

impl DocumentPublie {
    /// Hides what the threshold hides: every count and rate that the document holds, except the
    /// size of the group, becomes `null` where that size is below 20 (`null` counts as 0).
    /// Absent fields stay absent, salaries stay; a missing size hides nothing.
    ///
    /// ```
    /// use domain::DocumentPublie;
    /// let raw = serde_json::json!({"nb_annee_term": 19, "nb_sortant": 7, "salaire_12_mois_q1": 1300});
    /// let published = DocumentPublie::nouveau(raw.as_object().unwrap().clone());
    /// assert!(published.est_sous_seuil());
    /// assert!(published.as_document()["nb_sortant"].is_null());
    /// assert_eq!(published.as_document()["salaire_12_mois_q1"], 1300);
    /// ```
    #[must_use]
    pub fn nouveau(mut document: Document) -> Self {
        let sous_le_seuil = est_sous_seuil(document.get(NB_ANNEE_TERM));
        if sous_le_seuil {
            for (champ, valeur) in &mut document {
                if sous_seuil(champ) {
                    *valeur = Value::Null;
                }
            }
        }
        Self { document, sous_seuil: sous_le_seuil }
    }

    /// Whether figures were hidden.
    #[must_use]
    pub fn est_sous_seuil(&self) -> bool {
        self.sous_seuil
    }

    /// The published fields.
    #[must_use]
    pub fn as_document(&self) -> &Document {
        &self.document
    }

    /// Adds or replaces a field that is no indicator (a label, a message, a place).
    /// An indicator is left as the threshold decided it.
    pub fn poser(&mut self, champ: &str, valeur: Value) {
        if !crate::indicateur::est_indicateur(champ) {
            self.document.insert(champ.to_owned(), valeur);
        }
    }
}

/// Whether a group of this size (the value of `nb_annee_term`) is below the threshold. An absent
/// size hides nothing, `null` counts as 0; a size that is no number hides, to be safe.
#[must_use]
pub fn est_sous_seuil(nb_annee_term: Option<&Value>) -> bool {
    match nb_annee_term {
        None => false,
        Some(Value::Number(n)) => n.as_f64().is_none_or(|n| n < SEUIL_PUBLICATION),
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn publie(value: Value) -> DocumentPublie {
        DocumentPublie::nouveau(value.as_object().unwrap().clone())
    }

    /// Invariant 3: nothing under the threshold can be held by a published document.
    #[test]
    fn invariant_3_a_published_document_cannot_hold_a_hidden_value() {
        for size in [json!(0), json!(19), json!(19.9), json!(null), json!("30"), json!(-1)] {
            let doc = publie(
                json!({"nb_annee_term": size, "nb_sortant": 3, "taux_en_formation": 40, "nb_diplome": 2, "taux_nouveau": 1, "libelle": "x"}),
            );
            for (champ, valeur) in doc.as_document() {
                assert!(!sous_seuil(champ) || valeur.is_null(), "{size} {champ}");
            }
            let mut tentative = doc.clone();
            tentative.poser("nb_sortant", json!(3));
            assert_eq!(tentative, doc, "an indicator cannot be put back");
        }
    }

    #[test]
    fn the_threshold_itself_and_an_absent_size_hide_nothing() {
        for doc in [json!({"nb_annee_term": 20, "nb_sortant": 0}), json!({"nb_sortant": 0})] {
            assert_eq!(publie(doc).as_document()["nb_sortant"], 0);
        }
    }
}
