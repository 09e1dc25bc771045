//! The publication threshold.
//!
//! Rule (contract, "One document", rule 2): where a group counts fewer than 20 young people, no
//! rate and no count of it is published, but its size. It protects people, so it is a type: a
//! [`PublishedDocument`] can only be made by [`PublishedDocument::new`], which hides what must be
//! hidden, and only published documents can be rendered, listed, indexed or logged.

use crate::Document;
use crate::indicator::{NB_ANNEE_TERM, below_threshold, is_indicator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The smallest group whose figures are published.
pub const PUBLICATION_THRESHOLD: f64 = 20.0;

/// The message that goes with hidden figures.
pub const THRESHOLD_MESSAGE: &str =
    "Les taux ne peuvent pas être affichés car il n'y a pas assez d'élèves pour fournir une information fiable.";

/// How far the threshold reaches: a decision of the statistical offices (docs/SECRET.md).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secrecy {
    /// As the contract has it: salaries stay, and a document without a size hides nothing.
    #[default]
    #[serde(rename = "contrat")]
    Contract,
    /// Salaries go with the rest, and figures without a size are those of a group under the threshold.
    #[serde(rename = "strict")]
    Strict,
}

impl Secrecy {
    /// Reads the name of a setting. What is neither is the stricter one: a slip of the pen must not show more.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        if matches!(name.trim(), "" | "contrat") { Self::Contract } else { Self::Strict }
    }

    /// Its name in the application's variable and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Contract => "contrat",
            Self::Strict => "strict",
        }
    }

    /// Whether the threshold hides the figures of a document.
    #[must_use]
    pub fn hides(self, document: &Document) -> bool {
        let size = document.get(NB_ANNEE_TERM);
        let without_size = || size.is_none() && document.iter().any(|(field, value)| is_figure(field, value));
        is_below_threshold(size) || self == Self::Strict && without_size()
    }

    /// Whether a document as it was pushed shows less under [`Self::Strict`] than under [`Self::Contract`].
    #[must_use]
    pub fn strict_would_hide(document: &Document) -> bool {
        let hidden_anyway = Self::Contract.hides(document);
        let shown = |field: &str| !(hidden_anyway && below_threshold(field));
        Self::Strict.hides(document) && document.iter().any(|(field, value)| is_figure(field, value) && shown(field))
    }
}

/// Whether a field holds a figure that a group under the threshold may not show when all is hidden.
fn is_figure(field: &str, value: &Value) -> bool {
    field != NB_ANNEE_TERM && is_indicator(field) && !value.is_null()
}

/// A document that holds nothing below the threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedDocument {
    document: Document,
    below_threshold: bool,
    withheld: bool,
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
    pub fn new(document: Document) -> Self {
        Self::under(document, Secrecy::Contract, false)
    }

    /// The same, as far as the threshold reaches under `secrecy`. A document that is `withheld` hides its counts and rates
    /// though its group may be large enough: those of a smaller one would follow from them.
    #[must_use]
    pub fn under(mut document: Document, secrecy: Secrecy, withheld: bool) -> Self {
        let below_the_threshold = secrecy.hides(&document);
        if below_the_threshold || withheld {
            let salaries = below_the_threshold && secrecy == Secrecy::Strict;
            for (field, value) in &mut document {
                if below_threshold(field) || salaries && field != NB_ANNEE_TERM && is_indicator(field) {
                    *value = Value::Null;
                }
            }
        }
        Self { document, below_threshold: below_the_threshold, withheld }
    }

    /// Whether the threshold hid figures.
    #[must_use]
    pub fn is_below_threshold(&self) -> bool {
        self.below_threshold
    }

    /// Whether it was withheld, so that a smaller group's figures do not follow.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        self.withheld
    }

    /// Whether figures were hidden, for either reason.
    #[must_use]
    pub fn hides(&self) -> bool {
        self.below_threshold || self.withheld
    }

    /// The published fields.
    #[must_use]
    pub fn as_document(&self) -> &Document {
        &self.document
    }

    /// Adds or replaces a field that is no indicator (a label, a message, a place).
    /// An indicator is left as the threshold decided it.
    pub fn put(&mut self, field: &str, value: Value) {
        if !is_indicator(field) {
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
    fn strict_hides_salaries_and_figures_without_a_size_and_counts_them_in_either_setting() {
        let figures = |value: &Value, secrecy| {
            let published = PublishedDocument::under(value.as_object().unwrap().clone(), secrecy, false);
            published.as_document().values().filter(|v| v.is_number()).count()
        };
        for (document, contract, strict) in [
            (json!({"nb_annee_term": 19, "nb_sortant": 7, "salaire_12_mois_q1": 1300}), 2, 1),
            (json!({"nb_annee_term": 20, "nb_sortant": 7, "salaire_12_mois_q1": 1300}), 3, 3),
            (json!({"nb_sortant": 7, "taux_en_formation": 40}), 2, 0),
            (json!({"salaire_12_mois_q1": 1300}), 1, 0),
            (json!({"nb_annee_term": 3, "nb_sortant": 7}), 1, 1),
        ] {
            assert_eq!(figures(&document, Secrecy::Contract), contract, "{document}");
            assert_eq!(figures(&document, Secrecy::Strict), strict, "{document}");
            assert_eq!(Secrecy::strict_would_hide(document.as_object().unwrap()), contract > strict, "{document}");
        }
        let without_figures = json!({"libelle": "une année non terminale"});
        assert!(!Secrecy::Strict.hides(without_figures.as_object().unwrap()), "there is nothing to hide");
        assert_eq!(
            ["", "contrat", "strict", "sctrict"].map(Secrecy::parse).map(Secrecy::name),
            ["contrat", "contrat", "strict", "strict"]
        );
    }

    #[test]
    fn a_withheld_document_keeps_its_size_and_its_salaries_and_no_count() {
        let document =
            json!({"nb_annee_term": 45, "nb_sortant": 7, "taux_en_formation": 40, "salaire_12_mois_q1": 1300});
        let published = PublishedDocument::under(document.as_object().unwrap().clone(), Secrecy::Strict, true);
        let expected =
            json!({"nb_annee_term": 45, "nb_sortant": null, "taux_en_formation": null, "salaire_12_mois_q1": 1300});
        assert_eq!(Value::Object(published.as_document().clone()), expected);
        assert!(published.is_withheld() && !published.is_below_threshold());
    }

    #[test]
    fn the_threshold_itself_and_an_absent_size_hide_nothing() {
        for doc in [json!({"nb_annee_term": 20, "nb_sortant": 0}), json!({"nb_sortant": 0})] {
            assert_eq!(published(doc).as_document()["nb_sortant"], 0);
        }
    }
}
