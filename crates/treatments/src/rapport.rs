//! What a treatment tells about its run.

use crate::rejet::Rejet;
use crate::texte::{champ, sous_champ};
use domain::Document;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many unknown measures a report tells apart, and how much of their names and of an example it keeps, in characters.
const MESURES: usize = 200;
const TEXTE: usize = 300;
/// How many examples of a rejection a report keeps.
pub const EXEMPLES: usize = 10;

/// Counters of a treatment. Reports of steps add up ([`Rapport::ajouter`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rapport {
    /// Rows read.
    pub lignes: u64,
    /// Rows left out on purpose, by reason: another millesime, a total, no certification.
    pub ignorees: BTreeMap<String, u64>,
    /// Rows refused, by reason ([`Rejet::raison`]).
    pub rejets: BTreeMap<String, Rejets>,
    /// Measures that no document holds, with how often they came.
    pub mesures_inconnues: BTreeMap<String, u64>,
}

/// The rejections of one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejets {
    /// How many.
    pub nombre: u64,
    /// The first ones, in words, at most [`EXEMPLES`].
    pub exemples: Vec<String>,
}

impl Rapport {
    /// Counts a rejection.
    pub fn rejeter(&mut self, rejet: &Rejet) {
        let rejets = self.rejets.entry(rejet.raison().to_owned()).or_default();
        rejets.nombre += 1;
        let exemple: String = rejet.to_string().chars().take(TEXTE).collect();
        if rejets.exemples.len() < EXEMPLES && !rejets.exemples.contains(&exemple) {
            rejets.exemples.push(exemple);
        }
    }

    /// Counts a row left out on purpose.
    pub fn ignorer(&mut self, raison: &str) {
        compter(&mut self.ignorees, raison, 1);
    }

    /// Counts a measure that no document holds.
    pub fn mesure_inconnue(&mut self, mesure: &str) {
        self.compter_mesure(mesure, 1);
    }

    /// Names are a service's own words: of any number and length.
    fn compter_mesure(&mut self, mesure: &str, nombre: u64) {
        let mesure = mesure.char_indices().nth(TEXTE).and_then(|(fin, _)| mesure.get(..fin)).unwrap_or(mesure);
        if self.mesures_inconnues.len() < MESURES || self.mesures_inconnues.contains_key(mesure) {
            compter(&mut self.mesures_inconnues, mesure, nombre);
        }
    }

    /// All rejections together.
    #[must_use]
    pub fn nombre_de_rejets(&self) -> u64 {
        self.rejets.values().map(|r| r.nombre).sum()
    }

    /// Adds the counters of another run.
    pub fn ajouter(&mut self, autre: &Self) {
        self.lignes += autre.lignes;
        for (raison, nombre) in &autre.ignorees {
            compter(&mut self.ignorees, raison, *nombre);
        }
        for (mesure, nombre) in &autre.mesures_inconnues {
            self.compter_mesure(mesure, *nombre);
        }
        for (raison, rejets) in &autre.rejets {
            let ici = self.rejets.entry(raison.clone()).or_default();
            ici.nombre += rejets.nombre;
            for exemple in &rejets.exemples {
                if ici.exemples.len() < EXEMPLES && !ici.exemples.contains(exemple) {
                    ici.exemples.push(exemple.clone());
                }
            }
        }
    }
}

fn compter(comptes: &mut BTreeMap<String, u64>, nom: &str, nombre: u64) {
    match comptes.get_mut(nom) {
        Some(compte) => *compte += nombre,
        None => {
            comptes.insert(nom.to_owned(), nombre);
        }
    }
}

/// Documents by millesime and `donnee_source.type` (`aucune` for a non-final year).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Couverture(pub BTreeMap<String, BTreeMap<String, u64>>);

impl Couverture {
    /// Counts a statistic.
    pub fn compter(&mut self, document: &Document) {
        let source = sous_champ(document, "donnee_source", "type").unwrap_or("aucune");
        let comptes = self.0.entry(champ(document, "millesime").unwrap_or_default().to_owned()).or_default();
        compter(comptes, source, 1);
    }

    /// Counts many.
    pub fn compter_tous<'a>(&mut self, documents: impl IntoIterator<Item = &'a Document>) {
        documents.into_iter().for_each(|d| self.compter(d));
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
        let mut rapport = Rapport::default();
        for n in 0..25 {
            rapport.rejeter(&Rejet::CertificationInconnue { code: format!("{n:08}") });
        }
        let mut total = rapport.clone();
        total.ajouter(&rapport);
        assert_eq!(total.nombre_de_rejets(), 50);
        assert_eq!(total.rejets["certification_inconnue"].exemples.len(), EXEMPLES);
    }
}
