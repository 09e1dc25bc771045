//! Counts of a document, and the rates that follow from them.
//!
//! The rules are those of the import (contract, "Statistics"): missing counts that follow from
//! others are filled in, rates are shares of `nb_annee_term`, rounding is [`domain::taux`]'s.
//! Nothing is hidden here: pushed documents are raw, hiding small groups is the import's work.

use crate::alea::Alea;
use domain::{
    Document,
    taux::{nombre, taux, taux_autres},
};

/// Delays in months, in the order in which documents carry them.
const DELAIS: [(usize, &str); 4] = [(3, "24"), (2, "18"), (1, "12"), (0, "6")];

/// The seven counts: numbers of young people, `None` where the source gives none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effectifs {
    /// In their final year.
    pub annee_term: Option<u32>,
    /// Among them, still in education the year after.
    pub poursuite_etudes: Option<u32>,
    /// Among them, out of education.
    pub sortant: Option<u32>,
    /// Employed after 6, 12, 18 and 24 months.
    pub en_emploi: [Option<u32>; 4],
}

impl Effectifs {
    /// Fills in what follows from the rest: those who left, where both other terms are there;
    /// nobody employed, where everyone goes on studying.
    #[must_use]
    pub fn completes(mut self) -> Self {
        if let (Some(total), Some(poursuite)) = (self.annee_term, self.poursuite_etudes) {
            self.sortant = self.sortant.or_else(|| total.checked_sub(poursuite));
            if total == poursuite {
                self.en_emploi = self.en_emploi.map(|n| n.or(Some(0)));
            }
        }
        self
    }

    /// Believable made-up counts for a group of a given size.
    #[must_use]
    pub fn synthetiques(alea: &mut Alea, annee_term: u32) -> Self {
        let part = |total: u32, pourcent: u32| {
            let produit = u64::from(total) * u64::from(pourcent.min(100));
            u32::try_from((produit + 50) / 100).unwrap_or(total)
        };
        let poursuite = part(annee_term, alea.entre(8, 72));
        let sortant = annee_term.saturating_sub(poursuite);
        let a_6_mois = alea.entre(25, 80);
        let hausse = alea.entre(1, 6);
        let en_emploi = [0, 1, 2, 3].map(|rang| Some(part(sortant, a_6_mois + rang * hausse)));
        Self { annee_term: Some(annee_term), poursuite_etudes: Some(poursuite), sortant: Some(sortant), en_emploi }
    }

    /// Sums groups that belong together; a count is known only where every group knows it.
    #[must_use]
    pub fn somme(groupes: &[Self]) -> Self {
        let somme = |lire: &dyn Fn(&Self) -> Option<u32>| {
            groupes.iter().map(lire).try_fold(0_u32, |total, n| total.checked_add(n?)).filter(|_| !groupes.is_empty())
        };
        Self {
            annee_term: somme(&|g| g.annee_term),
            poursuite_etudes: somme(&|g| g.poursuite_etudes),
            sortant: somme(&|g| g.sortant),
            en_emploi: [
                somme(&|g| g.en_emploi[0]),
                somme(&|g| g.en_emploi[1]),
                somme(&|g| g.en_emploi[2]),
                somme(&|g| g.en_emploi[3]),
            ],
        }
    }

    /// `nb_poursuite_etudes / nb_annee_term`, as a rounded percentage.
    #[must_use]
    pub fn taux_en_formation(&self) -> Option<f64> {
        taux(f64::from(self.poursuite_etudes?), f64::from(self.annee_term?))
    }

    /// Adds counts and rates to a document. A missing term leaves its field out.
    ///
    /// `taux_en_formation` is the source's own where it publishes one, else the share computed
    /// from the counts; `taux_rupture_contrats` is known for apprenticeship only.
    pub fn poser(&self, doc: &mut Document, taux_en_formation: Option<f64>, taux_rupture_contrats: Option<u32>) {
        let mut poser = |champ: String, valeur: Option<f64>| {
            if let Some(valeur) = valeur {
                doc.insert(champ, nombre(valeur));
            }
        };
        let delais = || DELAIS.iter().map(|(rang, mois)| (*mois, self.en_emploi.get(*rang).copied().flatten()));
        let taux_en_formation = taux_en_formation.or_else(|| self.taux_en_formation());
        let part = |n: Option<u32>| taux(f64::from(n?), f64::from(self.annee_term?));

        poser("nb_annee_term".into(), self.annee_term.map(f64::from));
        for (mois, n) in delais() {
            poser(format!("nb_en_emploi_{mois}_mois"), n.map(f64::from));
        }
        poser("nb_poursuite_etudes".into(), self.poursuite_etudes.map(f64::from));
        poser("nb_sortant".into(), self.sortant.map(f64::from));
        poser("taux_rupture_contrats".into(), taux_rupture_contrats.map(f64::from));
        poser("taux_en_formation".into(), taux_en_formation);
        for (mois, n) in delais() {
            poser(format!("taux_en_emploi_{mois}_mois"), part(n));
        }
        for (mois, n) in delais() {
            let autres = part(n).zip(taux_en_formation).map(|(emploi, formation)| taux_autres(emploi, formation));
            poser(format!("taux_autres_{mois}_mois"), autres);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rates_are_shares_of_the_whole_group() {
        let effectifs = Effectifs {
            annee_term: Some(200),
            poursuite_etudes: Some(101),
            sortant: None,
            en_emploi: [Some(1), None, Some(3), Some(199)],
        };
        let mut doc = Document::new();
        effectifs.completes().poser(&mut doc, None, None);
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
        let tous = Effectifs { annee_term: Some(12), poursuite_etudes: Some(12), ..Effectifs::default() };
        assert_eq!(tous.completes().sortant, Some(0));
        assert_eq!(tous.completes().en_emploi, [Some(0); 4]);
        let aucun = Effectifs { annee_term: Some(3), ..Effectifs::default() };
        assert_eq!(aucun.completes(), aucun);
    }

    #[test]
    fn a_sum_knows_what_every_part_knows() {
        let a = Effectifs {
            annee_term: Some(10),
            poursuite_etudes: Some(4),
            sortant: Some(6),
            en_emploi: [Some(3), Some(3), None, None],
        };
        let b = Effectifs { en_emploi: [Some(1), None, None, Some(2)], ..a };
        let somme = Effectifs::somme(&[a, b]);
        assert_eq!((somme.annee_term, somme.en_emploi), (Some(20), [Some(4), None, None, None]));
        assert_eq!(Effectifs::somme(&[]), Effectifs::default());
    }
}
