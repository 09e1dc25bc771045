//! What a treatment tells about its run.

use crate::rejection::Rejection;
use crate::text::{field, sub_field};
use domain::Document;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many unknown measures a report tells apart, and how much of their names and of an example it keeps, in characters.
const MEASURES: usize = 200;
const TEXT: usize = 300;
/// How many examples of a rejection a report keeps.
pub const EXAMPLES: usize = 10;

/// Counters of a treatment. Reports of steps add up ([`TreatmentReport::add`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreatmentReport {
    /// Rows read.
    #[serde(rename = "lignes")]
    pub rows: u64,
    /// Rows left out on purpose, by reason: another millesime, a total, no certification.
    #[serde(rename = "ignorees")]
    pub ignored: BTreeMap<String, u64>,
    /// Rows refused, by reason ([`Rejection::reason`]).
    #[serde(rename = "rejets")]
    pub rejections: BTreeMap<String, RejectionCount>,
    /// Measures that no document holds, with how often they came.
    #[serde(rename = "mesures_inconnues")]
    pub unknown_measures: BTreeMap<String, u64>,
}

/// The rejections of one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionCount {
    /// How many.
    #[serde(rename = "nombre")]
    pub count: u64,
    /// The first ones, in words, at most [`EXAMPLES`].
    #[serde(rename = "exemples")]
    pub examples: Vec<String>,
}

impl TreatmentReport {
    /// Counts a rejection.
    pub fn reject(&mut self, rejection: &Rejection) {
        let rejections = self.rejections.entry(rejection.reason().to_owned()).or_default();
        rejections.count += 1;
        let example: String = rejection.to_string().chars().take(TEXT).collect();
        if rejections.examples.len() < EXAMPLES && !rejections.examples.contains(&example) {
            rejections.examples.push(example);
        }
    }

    /// Counts a row left out on purpose.
    pub fn ignore(&mut self, reason: &str) {
        tally(&mut self.ignored, reason, 1);
    }

    /// Counts a measure that no document holds.
    pub fn unknown_measure(&mut self, measure: &str) {
        self.count_measure(measure, 1);
    }

    /// Names are a service's own words: of any number and length.
    fn count_measure(&mut self, measure: &str, count: u64) {
        let measure = measure.char_indices().nth(TEXT).and_then(|(end, _)| measure.get(..end)).unwrap_or(measure);
        if self.unknown_measures.len() < MEASURES || self.unknown_measures.contains_key(measure) {
            tally(&mut self.unknown_measures, measure, count);
        }
    }

    /// All rejections together.
    #[must_use]
    pub fn rejection_count(&self) -> u64 {
        self.rejections.values().map(|r| r.count).sum()
    }

    /// Adds the counters of another run.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        for (reason, count) in &other.ignored {
            tally(&mut self.ignored, reason, *count);
        }
        for (measure, count) in &other.unknown_measures {
            self.count_measure(measure, *count);
        }
        for (reason, rejections) in &other.rejections {
            let here = self.rejections.entry(reason.clone()).or_default();
            here.count += rejections.count;
            for example in &rejections.examples {
                if here.examples.len() < EXAMPLES && !here.examples.contains(example) {
                    here.examples.push(example.clone());
                }
            }
        }
    }
}

fn tally(counts: &mut BTreeMap<String, u64>, name: &str, count: u64) {
    match counts.get_mut(name) {
        Some(so_far) => *so_far += count,
        None => {
            counts.insert(name.to_owned(), count);
        }
    }
}

/// Documents by millesime and `donnee_source.type` (`aucune` for a non-final year).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountsBySource(pub BTreeMap<String, BTreeMap<String, u64>>);

impl CountsBySource {
    /// Counts a statistic.
    pub fn tally(&mut self, document: &Document) {
        let source = sub_field(document, "donnee_source", "type").unwrap_or("aucune");
        let counts = self.0.entry(field(document, "millesime").unwrap_or_default().to_owned()).or_default();
        tally(counts, source, 1);
    }

    /// Counts many.
    pub fn count_all<'a>(&mut self, documents: impl IntoIterator<Item = &'a Document>) {
        documents.into_iter().for_each(|d| self.tally(d));
    }

    /// All documents.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().flat_map(BTreeMap::values).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejections_are_counted_and_keep_few_examples() {
        let mut report = TreatmentReport::default();
        for n in 0..25 {
            report.reject(&Rejection::UnknownCertification { code: format!("{n:08}") });
        }
        let mut total = report.clone();
        total.add(&report);
        assert_eq!(total.rejection_count(), 50);
        assert_eq!(total.rejections["certification_inconnue"].examples.len(), EXAMPLES);
    }
}
