//! Rules of plausibility that were broken, counted: what a report says of them.

use domain::Kind;
use plausibility::{Finding, Rule, Severities, Severity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sentences kept of a rule, as examples.
const EXAMPLES: usize = 3;
/// Statistics that a push needs before a share of them says something.
const STATISTICS_MIN: u64 = 100;
/// The share, one in so many, from which on something noted is no exception any more.
const OFTEN: u64 = 20;
/// Rules that whole columns break where something is wrong with all of them.
const OF_COLUMNS: [Rule; 6] = [
    Rule::ShareSum,
    Rule::CountAboveSize,
    Rule::WageOrder,
    Rule::CodeFiliere,
    Rule::UaiTerritory,
    Rule::AcademieRegion,
];

/// How often a rule was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleTally {
    /// What becomes of a document that breaks it.
    #[serde(rename = "niveau")]
    pub level: Severity,
    /// How often.
    #[serde(rename = "nombre")]
    pub count: u64,
    /// The first ones, in words.
    #[serde(rename = "exemples")]
    pub examples: Vec<String>,
}

/// The rules that a push breaks, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomalies {
    /// By rule.
    #[serde(rename = "regles", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, RuleTally>,
    /// Statistics that were looked at.
    #[serde(rename = "statistiques", default)]
    pub statistics: u64,
}

impl Anomalies {
    /// Adds what a document breaks.
    pub(super) fn add(&mut self, kind: Kind, findings: &[Finding]) {
        self.statistics += u64::from(kind.maille().is_some());
        for finding in findings {
            self.put(finding.rule, finding.level, || finding.message());
        }
    }

    pub(super) fn put(&mut self, rule: Rule, level: Severity, message: impl FnOnce() -> String) {
        let name = rule.text().name;
        let tally = match self.rules.get_mut(name) {
            Some(tally) => tally,
            None => {
                let none = RuleTally { level, count: 0, examples: Vec::new() };
                self.rules.entry(name.to_owned()).or_insert(none)
            }
        };
        tally.count += 1;
        if tally.examples.len() < EXAMPLES {
            tally.examples.push(message());
        }
    }

    /// Adds those of the next part.
    pub(super) fn add_all(&mut self, other: &Self) {
        self.statistics += other.statistics;
        for (name, more) in &other.rules {
            match self.rules.get_mut(name) {
                None => drop(self.rules.insert(name.clone(), more.clone())),
                Some(tally) => {
                    tally.count += more.count;
                    let place = EXAMPLES.saturating_sub(tally.examples.len());
                    tally.examples.extend(more.examples.iter().take(place).cloned());
                }
            }
        }
    }

    /// Forgets what was found of some rules: it is looked for again.
    pub(super) fn forget(&mut self, rules: &[Rule]) {
        self.rules.retain(|name, _| !rules.iter().any(|rule| rule.text().name == name));
    }

    /// Whether nothing was broken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What someone must confirm before it is published, a sentence a rule.
    pub(super) fn to_confirm(&self, levels: &Severities) -> Vec<String> {
        let mut sentences = Vec::new();
        for (name, tally) in &self.rules {
            let example = tally.examples.first().map(String::as_str).unwrap_or_default();
            let often = tally.count.saturating_mul(OFTEN) > self.statistics && self.statistics >= STATISTICS_MIN;
            let of_columns = OF_COLUMNS.iter().any(|rule| rule.text().name == name);
            if tally.level == Severity::Confirmed {
                sentences.push(format!("{name} : {} fois, par exemple {example}", tally.count));
            } else if levels.of(Rule::NotedOften) >= Severity::Confirmed && often && of_columns {
                let of = self.statistics;
                sentences.push(format!(
                    "{name} : {} fois sur {of}, trop pour des exceptions, par exemple {example}",
                    tally.count
                ));
            }
        }
        sentences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_waits_once_it_is_no_exception() {
        let mut anomalies = Anomalies { statistics: 1_000, ..Anomalies::default() };
        for _ in 0..50 {
            anomalies.put(Rule::ShareSum, Severity::Noted, || "somme".into());
            anomalies.put(Rule::CodeUnknown, Severity::Noted, || "code".into());
        }
        assert!(anomalies.to_confirm(&Severities::default()).is_empty());
        let mut more = Anomalies::default();
        more.put(Rule::ShareSum, Severity::Noted, || "autre".into());
        more.put(Rule::MillesimeFuture, Severity::Confirmed, || "2033".into());
        anomalies.add_all(&more);
        let sentences = anomalies.to_confirm(&Severities::default());
        assert_eq!(sentences.len(), 2, "{sentences:?}");
        assert!(sentences.iter().any(|s| s.starts_with("parts_somme : 51 fois sur 1000")));
        assert!(sentences.iter().any(|s| s.starts_with("millesime_futur : 1 fois, par exemple 2033")));
        assert_eq!(anomalies.rules["parts_somme"].examples.len(), EXAMPLES);
    }
}
