//! One key, one document: what a push says of one key more than once.

use super::JobStepper;
use super::placement::BundledDocument;
use crate::Environment;
use plausibility::{Rule, Severity};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::{self, Display, Formatter};
use store::kv::{KeyValueWrite, StoreError};

/// Sentences kept; beyond, they are counted.
const SENTENCES_MAX: usize = 100;

/// What tells the documents of one pair apart.
#[derive(Deserialize, Default, PartialEq, Eq, PartialOrd, Ord)]
#[serde(default)]
struct VersionFields<'a> {
    #[serde(borrow)]
    millesime: Cow<'a, str>,
    #[serde(borrow)]
    filiere: Cow<'a, str>,
}

impl Display for VersionFields<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        if self.millesime.is_empty() {
            return Ok(());
        }
        write!(formatter, ", millésime {}, filière {}", self.millesime, self.filiere)
    }
}

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    /// Finds what this push says twice of one key, among the documents of a bundle: by entry, then in the order of the push.
    pub(super) fn find_duplicates(&mut self, documents: &[BundledDocument<'_>]) -> Result<(), StoreError> {
        // The treatments hand over what they made of a key, the later in place of the earlier.
        if self.job.run {
            return Ok(());
        }
        let carried = self.state.base.as_ref().map_or(0, |base| base.sequence);
        for pair in documents.chunk_by(|a, b| a.0 == b.0) {
            let pushed: Vec<_> = pair.iter().filter(|(_, _, own, ..)| *own >= carried).collect();
            if pushed.len() < 2 {
                continue;
            }
            let mut seen: BTreeMap<VersionFields<'_>, (u64, &[u8])> = BTreeMap::new();
            for (pair, _, sequence, kind, json) in pushed {
                let version: VersionFields<'_> = match kind.maille() {
                    Some(_) => serde_json::from_slice(json).map_err(|_| StoreError::Damaged("source".into()))?,
                    None => VersionFields::default(),
                };
                self.note_spellings(pair, &version, &seen);
                match seen.entry(version) {
                    Entry::Vacant(place) => drop(place.insert((*sequence, json))),
                    Entry::Occupied(mut known) => {
                        let (before, other) = known.insert((*sequence, json));
                        let lines = format!("{} et {}", self.line_of(before), self.line_of(*sequence));
                        let told = format!("{} {pair}{} : {lines}", kind.name(), known.key());
                        self.duplicate(other == *json, told);
                    }
                }
            }
        }
        Ok(())
    }

    fn duplicate(&mut self, equal: bool, told: String) {
        let rule = if equal { Rule::DuplicateEqual } else { Rule::Duplicate };
        let level = if equal { Severity::Noted } else { Severity::Refused };
        let summary = &mut self.job.summary;
        if !equal && summary.duplicates.len() < SENTENCES_MAX {
            summary.duplicates.push(told.clone());
        }
        summary.anomalies.put(rule, level, || told);
    }

    /// Two spellings of one year are two documents, side by side.
    fn note_spellings(
        &mut self,
        pair: &str,
        version: &VersionFields<'_>,
        seen: &BTreeMap<VersionFields<'_>, (u64, &[u8])>,
    ) {
        let year = |text: &str| text.rsplit('_').next().unwrap_or_default().to_owned();
        let other = seen.keys().find(|other| {
            other.filiere == version.filiere
                && other.millesime != version.millesime
                && year(&other.millesime) == year(&version.millesime)
        });
        if let Some(other) = other {
            let told = format!("{pair}, filière {} : {} et {}", version.filiere, other.millesime, version.millesime);
            self.job.summary.anomalies.put(Rule::TwoSpellings, Severity::Noted, || told);
        }
    }

    /// Where a document of this push came in, in words.
    fn line_of(&self, sequence: u64) -> String {
        self.state.origins.find(sequence).map_or_else(|| "une ligne".to_owned(), |origin| origin.place())
    }
}
