//! Counts of a document, and the rates that follow from them.
//!
//! The rules are those of the import (contract, "Statistics"): missing counts that follow from
//! others are filled in, rates are shares of `nb_annee_term`, rounding is [`domain::rate`]'s.
//! Nothing is hidden here: pushed documents are raw, hiding small groups is the import's work.

use crate::random::Random;
use domain::{
    Document,
    rates::{number, other_rate, rate},
};

/// Delays in months, in the order in which documents carry them.
const DELAYS: [(usize, &str); 4] = [(3, "24"), (2, "18"), (1, "12"), (0, "6")];

/// The seven counts: numbers of young people, `None` where the source gives none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headcounts {
    /// In their final year.
    pub final_year: Option<u32>,
    /// Among them, still in education the year after.
    pub further_study: Option<u32>,
    /// Among them, out of education.
    pub leaver: Option<u32>,
    /// Employed after 6, 12, 18 and 24 months.
    pub employed: [Option<u32>; 4],
}

impl Headcounts {
    /// Fills in what follows from the rest: those who left, where both other terms are there;
    /// nobody employed, where everyone goes on studying.
    #[must_use]
    pub fn completes(mut self) -> Self {
        if let (Some(total), Some(further_study)) = (self.final_year, self.further_study) {
            self.leaver = self.leaver.or_else(|| total.checked_sub(further_study));
            if total == further_study {
                self.employed = self.employed.map(|n| n.or(Some(0)));
            }
        }
        self
    }

    /// Believable made-up counts for a group of a given size.
    #[must_use]
    pub fn synthetic(random: &mut Random, final_year: u32) -> Self {
        let part = |total: u32, percent: u32| {
            let product = u64::from(total) * u64::from(percent.min(100));
            u32::try_from((product + 50) / 100).unwrap_or(total)
        };
        let further_study = part(final_year, random.between(8, 72));
        let leaver = final_year.saturating_sub(further_study);
        let at_6_months = random.between(25, 80);
        let increase = random.between(1, 6);
        let employed = [0, 1, 2, 3].map(|rank| Some(part(leaver, at_6_months + rank * increase)));
        Self { final_year: Some(final_year), further_study: Some(further_study), leaver: Some(leaver), employed }
    }

    /// Sums groups that belong together; a count is known only where every group knows it.
    #[must_use]
    pub fn sum(groups: &[Self]) -> Self {
        let sum = |read: &dyn Fn(&Self) -> Option<u32>| {
            groups.iter().map(read).try_fold(0_u32, |total, n| total.checked_add(n?)).filter(|_| !groups.is_empty())
        };
        Self {
            final_year: sum(&|g| g.final_year),
            further_study: sum(&|g| g.further_study),
            leaver: sum(&|g| g.leaver),
            employed: [
                sum(&|g| g.employed[0]),
                sum(&|g| g.employed[1]),
                sum(&|g| g.employed[2]),
                sum(&|g| g.employed[3]),
            ],
        }
    }

    /// `nb_poursuite_etudes / nb_annee_term`, as a rounded percentage.
    #[must_use]
    pub fn training_rate(&self) -> Option<f64> {
        rate(f64::from(self.further_study?), f64::from(self.final_year?))
    }

    /// Adds counts and rates to a document. A missing term leaves its field out.
    ///
    /// `taux_en_formation` is the source's own where it publishes one, else the share computed
    /// from the counts; `taux_rupture_contrats` is known for apprenticeship only.
    pub fn put(&self, doc: &mut Document, training_rate: Option<f64>, termination_rate: Option<u32>) {
        let mut put = |field: String, value: Option<f64>| {
            if let Some(value) = value {
                doc.insert(field, number(value));
            }
        };
        let delays = || DELAYS.iter().map(|(rank, month)| (*month, self.employed.get(*rank).copied().flatten()));
        let training_rate = training_rate.or_else(|| self.training_rate());
        let part = |n: Option<u32>| rate(f64::from(n?), f64::from(self.final_year?));

        put("nb_annee_term".into(), self.final_year.map(f64::from));
        for (month, n) in delays() {
            put(format!("nb_en_emploi_{month}_mois"), n.map(f64::from));
        }
        put("nb_poursuite_etudes".into(), self.further_study.map(f64::from));
        put("nb_sortant".into(), self.leaver.map(f64::from));
        put("taux_rupture_contrats".into(), termination_rate.map(f64::from));
        put("taux_en_formation".into(), training_rate);
        for (month, n) in delays() {
            put(format!("taux_en_emploi_{month}_mois"), part(n));
        }
        for (month, n) in delays() {
            let others = part(n).zip(training_rate).map(|(employment, formation)| other_rate(employment, formation));
            put(format!("taux_autres_{month}_mois"), others);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rates_are_shares_of_the_whole_group() {
        let headcounts = Headcounts {
            final_year: Some(200),
            further_study: Some(101),
            leaver: None,
            employed: [Some(1), None, Some(3), Some(199)],
        };
        let mut doc = Document::new();
        headcounts.completes().put(&mut doc, None, None);
        assert_eq!(
            json!(doc),
            json!({
                "nb_annee_term": 200, "nb_en_emploi_24_mois": 199, "nb_en_emploi_18_mois": 3, "nb_en_emploi_6_mois": 1,
                "nb_poursuite_etudes": 101, "nb_sortant": 99, "taux_en_formation": 50,
                "taux_en_emploi_24_mois": 100, "taux_en_emploi_18_mois": 2, "taux_en_emploi_6_mois": 0,
                "taux_autres_24_mois": 0, "taux_autres_18_mois": 48, "taux_autres_6_mois": 50,
            })
        );
    }

    #[test]
    fn where_everyone_goes_on_studying_nobody_is_employed() {
        let all = Headcounts { final_year: Some(12), further_study: Some(12), ..Headcounts::default() };
        assert_eq!(all.completes().leaver, Some(0));
        assert_eq!(all.completes().employed, [Some(0); 4]);
        let none = Headcounts { final_year: Some(3), ..Headcounts::default() };
        assert_eq!(none.completes(), none);
    }

    #[test]
    fn a_sum_knows_what_every_part_knows() {
        let a = Headcounts {
            final_year: Some(10),
            further_study: Some(4),
            leaver: Some(6),
            employed: [Some(3), Some(3), None, None],
        };
        let b = Headcounts { employed: [Some(1), None, None, Some(2)], ..a };
        let sum = Headcounts::sum(&[a, b]);
        assert_eq!((sum.final_year, sum.employed), (Some(20), [Some(4), None, None, None]));
        assert_eq!(Headcounts::sum(&[]), Headcounts::default());
    }
}
