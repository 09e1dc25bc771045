//! What the other treatments look up.

use super::certification::{Certification, Nature, Sise};
use super::levels::Diplome;
use crate::rejection::Rejection;
use crate::text::{date, field, scalar};
use domain::Document;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What the treatments need of a row of N_MEF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MefRow {
    pub(crate) scheme: Option<String>,
    pub(crate) year: Option<String>,
}

/// The nomenclature in memory: certifications, rows of N_MEF, higher education.
///
/// About 400 bytes a certification: 18,000 of them take 10 MiB.
#[derive(Clone, Debug, Default)]
pub struct Nomenclature {
    certifications: Vec<Certification>,
    by_code: HashMap<String, usize>,
    mefs_by_cfd: HashMap<String, BTreeSet<String>>,
    mef_rows: HashMap<String, MefRow>,
    mef_rows_by_cfd: HashMap<String, BTreeSet<String>>,
    sise: HashMap<String, Sise>,
}

impl Nomenclature {
    /// From stored documents of the kinds `bcn`, `bcn_mef` and `bcn_sise`.
    #[must_use]
    pub fn of<'a>(
        bcn: impl IntoIterator<Item = &'a Document>,
        bcn_mef: impl IntoIterator<Item = &'a Document>,
        bcn_sise: impl IntoIterator<Item = &'a Document>,
    ) -> Self {
        let mut nomenclature = Self::default();
        for document in bcn {
            if let Some(certification) = Certification::read(document) {
                nomenclature.add(certification);
            }
        }
        bcn_mef.into_iter().for_each(|d| nomenclature.add_mef_row(d));
        bcn_sise.into_iter().for_each(|d| nomenclature.add_sise(d));
        nomenclature
    }

    /// Adds a certification, or merges it into the one of its code. Says whether it is new.
    pub fn add(&mut self, certification: Certification) -> bool {
        if certification.nature == Nature::Mef {
            let mefs = self.mefs_by_cfd.entry(certification.cfd.clone()).or_default();
            mefs.insert(certification.code.clone());
        }
        let place = self.by_code.get(&certification.code).copied();
        if let Some(here) = place.and_then(|p| self.certifications.get_mut(p)) {
            if here.nature == Nature::Mef
                && here.cfd != certification.cfd
                && let Some(mefs) = self.mefs_by_cfd.get_mut(&here.cfd)
            {
                mefs.remove(&here.code);
            }
            here.merge(certification);
            return false;
        }
        self.by_code.insert(certification.code.clone(), self.certifications.len());
        self.certifications.push(certification);
        true
    }

    /// Takes a stored `bcn_mef` document (or a row of N_MEF: the columns have the same names).
    pub fn add_mef_row(&mut self, document: &Document) {
        let Some(code) = field(document, "mef_stat_11") else { return };
        let row = self.mef_rows.entry(code.to_owned()).or_default();
        row.scheme = scalar(document, "dispositif_formation").or(row.scheme.take());
        row.year = scalar(document, "annee_dispositif").or(row.year.take());
        if let Some(cfd) = field(document, "formation_diplome") {
            self.mef_rows_by_cfd.entry(cfd.to_owned()).or_default().insert(code.to_owned());
        }
    }

    /// Takes a stored `bcn_sise` document.
    pub fn add_sise(&mut self, document: &Document) {
        let Some(code) = field(document, "diplome_sise") else { return };
        let sise = Sise {
            libelle: field(document, "libelle_intitule_1").map(str::to_owned),
            diplome: Diplome::read(document),
            closing_date: date(document, "date_fermeture"),
        };
        self.sise.insert(code.to_owned(), sise);
    }

    /// All certifications, in the order they came.
    pub fn certifications(&self) -> impl Iterator<Item = &Certification> {
        self.certifications.iter()
    }

    /// A certification.
    #[must_use]
    pub fn certification(&self, code: &str) -> Option<&Certification> {
        self.certifications.get(*self.by_code.get(code)?)
    }

    pub(crate) fn certification_mut(&mut self, code: &str) -> Option<&mut Certification> {
        self.certifications.get_mut(*self.by_code.get(code)?)
    }

    /// A certification of higher education.
    #[must_use]
    pub fn sise(&self, code: &str) -> Option<&Sise> {
        self.sise.get(code)
    }

    /// How many certifications of higher education.
    #[must_use]
    pub fn sise_count(&self) -> usize {
        self.sise.len()
    }

    /// The MEFs of a CFD among the certifications, in order of codes.
    pub fn mefs(&self, cfd: &str) -> impl Iterator<Item = &str> {
        self.mefs_by_cfd.get(cfd).into_iter().flatten().map(String::as_str)
    }

    /// The rows of N_MEF of a CFD, in order of codes: MEF and year of the course.
    pub fn years(&self, cfd: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
        let codes = self.mef_rows_by_cfd.get(cfd).into_iter().flatten();
        codes.map(|code| (code.as_str(), self.mef_rows.get(code).and_then(|l| l.year.as_deref())))
    }

    pub(crate) fn scheme(&self, mef: &str) -> Option<&str> {
        self.mef_rows.get(mef)?.scheme.as_deref()
    }

    /// The certification part of a statistic, from `bcn`, else from `bcn_sise`.
    ///
    /// # Errors
    /// [`Rejection::UnknownCertification`].
    pub fn part(&self, code: &str, superieur: bool) -> Result<Document, Rejection> {
        let part =
            if superieur { self.sise(code).map(Sise::part) } else { self.certification(code).map(Certification::part) };
        part.ok_or_else(|| Rejection::UnknownCertification { code: code.to_owned() })
    }

    /// Codes of the certifications of each famille de metiers that are its shared first year.
    #[must_use]
    pub fn annees_communes(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut families: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for certification in &self.certifications {
            if let Some(famille_metier) = certification.famille_metier.as_ref().filter(|f| f.annee_commune) {
                families.entry(&famille_metier.code).or_default().push(&certification.code);
            }
        }
        families
    }
}
