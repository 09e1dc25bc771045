//! The publication threshold.
//!
//! Rule (contract, "One document", rule 2): where a group counts fewer than 20 young people, no
//! rate and no count of it is published, but its size. It protects people, so it is a type: a
//! [`PublishedDocument`] can only be made by [`PublishedDocument::new`], which hides what must be
//! hidden, and only published documents can be rendered, listed, indexed or logged.

use crate::Document;
use crate::indicator::{NB_ANNEE_TERM, below_threshold};
use serde_json::Value;

/// The smallest group whose figures are published.
pub const PUBLICATION_THRESHOLD: f64 = 20.0;

/// The message that goes with hidden figures.
pub const THRESHOLD_MESSAGE: &str =
    "Les taux ne peuvent pas être affichés car il n'y a pas assez d'élèves pour fournir une information fiable.";

/// A document that holds nothing below the threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedDocument {
    document: Document,
    below_threshold: bool,
}

impl PublishedDocument {
    /// Hides what the threshold hides: every count and rate that the document holds, except the
    /// size of the group, becomes `null` where that size is below 20 (`null` counts as 0).
    /// Absent fields stay absent, salaries stay; a missing size hides nothing.
    ///
    /// ```
    /// use domain::PublishedDocument;
    /// let raw = serde_json::json!({"nb_annee_term": 19, "nb_sortant": 7, "salaire_12_mois_q1": 1300});
    /// let published = PublishedDocument::new(raw.as_object().unwrap().clone());
    /// assert!(published.is_below_threshold());
    /// assert!(published.as_document()["nb_sortant"].is_null());
    /// assert_eq!(published.as_document()["salaire_12_mois_q1"], 1300);
    /// ```
    #[must_use]
    pub fn new(mut document: Document) -> Self {
        let below_the_threshold = is_below_threshold(document.get(NB_ANNEE_TERM));
        if below_the_threshold {
            for (field, value) in &mut document {
                if below_threshold(field) {
                    *value = Value::Null;
                }
            }
        }
        Self { document, below_threshold: below_the_threshold }
    }

    /// Whether figures were hidden.
    #[must_use]
    pub fn is_below_threshold(&self) -> bool {
        self.below_threshold
    }

    /// The published fields.
    #[must_use]
    pub fn as_document(&self) -> &Document {
        &self.document
    }

    /// Adds or replaces a field that is no indicator (a label, a message, a place).
    /// An indicator is left as the threshold decided it.
    pub fn put(&mut self, field: &str, value: Value) {
        if !crate::indicator::is_indicator(field) {
            self.document.insert(field.to_owned(), value);
        }
    }
}

/// Whether a group of this size (the value of `nb_annee_term`) is below the threshold. An absent
/// size hides nothing, `null` counts as 0; a size that is no number hides, to be safe.
#[must_use]
pub fn is_below_threshold(nb_annee_term: Option<&Value>) -> bool {
    match nb_annee_term {
        None => false,
        Some(Value::Number(n)) => n.as_f64().is_none_or(|n| n < PUBLICATION_THRESHOLD),
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn published(value: Value) -> PublishedDocument {
        PublishedDocument::new(value.as_object().unwrap().clone())
    }

    /// Invariant 3: nothing under the threshold can be held by a published document.
    #[test]
    fn invariant_3_a_published_document_cannot_hold_a_hidden_value() {
        for size in [json!(0), json!(19), json!(19.9), json!(null), json!("30"), json!(-1)] {
            let doc = published(
                json!({"nb_annee_term": size, "nb_sortant": 3, "taux_en_formation": 40, "nb_diplome": 2, "taux_nouveau": 1, "libelle": "x"}),
            );
            for (field, value) in doc.as_document() {
                assert!(!below_threshold(field) || value.is_null(), "{size} {field}");
            }
            let mut tentative = doc.clone();
            tentative.put("nb_sortant", json!(3));
            assert_eq!(tentative, doc, "an indicator cannot be put back");
        }
    }

    #[test]
    fn the_threshold_itself_and_an_absent_size_hide_nothing() {
        for doc in [json!({"nb_annee_term": 20, "nb_sortant": 0}), json!({"nb_sortant": 0})] {
            assert_eq!(published(doc).as_document()["nb_sortant"], 0);
        }
    }
}
