//! As many documents as in production, for measurements.
//!
//! Keys are real wherever the reference data is there: certifications and establishments of the
//! nomenclature and the directory, pupils by establishment and MEF, courses of the catalogue of
//! apprenticeships, certifications by region. Where it is not, or where more is asked for than there is,
//! keys are invented. **Every rate is made up**, always, and every label of a statistic says so:
//! it ends with [`RATES_MENTION`], or with [`ALL_MENTION`] where the key is made up too (indicators
//! by establishment are not open data: only their keys and headcounts are).
//!
//! Sizes at factor 1, over six millesimes: 30,000 national, 150,000 regional and 300,000
//! establishment documents; 6,000 certifications, 9,000 establishments. Each key lacks one of the
//! six millesimes, so that "no data for this millesime" is met as in life; keys that belong
//! together (final years and the years before them) lack the same one.
//!
//! Memory is bounded by the keys (about 20 bytes each); documents are made one at a time, each from a
//! generator seeded by its key, so that neither order nor factor changes its figures.

mod choosing;
mod documents;
mod real;

use crate::{Error, Line, MAX_FACTOR};
use domain::{CodeType, Document, Filiere, territory};
use real::Real;
use std::{collections::BTreeMap, path::Path};

/// What the label of a statistic with a real key ends with.
pub const RATES_MENTION: &str = " (taux synthétiques)";

/// What the label of a statistic with an invented key ends with.
pub const ALL_MENTION: &str = " (clé et taux synthétiques)";

/// National millesimes; a regional or establishment millesime is the period that ends with one.
pub const YEARS: [u32; 6] = [2018, 2019, 2020, 2021, 2022, 2023];

const MEFS: u32 = 2_600;
const CFDS: u32 = 2_600;
const SISES: u32 = 800;
const ETABLISSEMENTS: u32 = 9_000;
/// Certification × region; five of six millesimes each.
const REGIONALE_KEYS: u32 = 30_000;
/// Certification × establishment; five of six millesimes each.
const FORMATION_KEYS: u32 = 60_000;

/// The regions that figures are about: all but the first, the overseas collectivities.
fn regions() -> impl Iterator<Item = &'static territory::Region> {
    territory::REGIONS.iter().skip(1)
}

#[derive(Clone, Debug)]
struct Certif {
    code: String,
    code_type: CodeType,
    cfd: String,
    libelle: String,
    diplome: Option<(String, String)>,
    closing_date: Option<String>,
    filiere: Filiere,
    /// Code and label of the famille de metiers, and whether this is its shared first year.
    family: Option<(String, String, bool)>,
    /// Indices of the final years; empty for a final year.
    final_years: Vec<u32>,
    /// Certifications that belong together lack the same millesime and are taught in the same regions.
    group: u32,
    real: bool,
    /// Real regions, one bit each in the order of [`regions`].
    real_regions: u32,
}

#[derive(Clone, Debug)]
struct Etab {
    uai: String,
    name: String,
    academie: &'static territory::Academie,
    region: &'static territory::Region,
    doc: Document,
}

/// A certification in an establishment.
#[derive(Clone, Copy, Debug)]
struct Key {
    etab: u32,
    certif: u32,
    /// Real headcount; 0 where there is none.
    headcount: u32,
    real: bool,
}

/// What documents are made from: certifications, establishments, and the pairs of both.
#[derive(Clone, Debug)]
pub struct Production {
    certifs: Vec<Certif>,
    etabs: Vec<Etab>,
    /// By establishment.
    keys: Vec<Key>,
    /// Regions of a group, one bit each.
    regions_of_group: Vec<u32>,
    /// Indices of the establishments of each region.
    etabs_by_region: BTreeMap<&'static str, Vec<u32>>,
    /// Indices of the final years of each nomenclature.
    by_type: BTreeMap<CodeType, Vec<u32>>,
    /// Entries of the nomenclature that come along.
    nomenclature: Vec<Document>,
    nomenclature_sise: Vec<Document>,
}

/// `n` at factor 1, at another factor.
fn scaled(n: u32, factor: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "above 0 and at most MAX_FACTOR × n")]
    let size = (f64::from(n) * factor).round() as u32;
    usize::try_from(size.max(1)).unwrap_or(usize::MAX)
}

/// An index of a list as it is kept in keys.
fn index(rank: usize) -> u32 {
    u32::try_from(rank).unwrap_or(u32::MAX)
}

fn element<T>(list: &[T], index: u32) -> Option<&T> {
    list.get(usize::try_from(index).ok()?)
}

impl Production {
    /// Chooses keys. `data` is the folder of reference data; without it all keys are invented.
    ///
    /// # Errors
    /// [`Error::Factor`]; those of reading the tables.
    pub fn new(factor: f64, data: Option<&Path>) -> Result<Self, Error> {
        if !(factor > 0.0 && factor <= MAX_FACTOR) {
            return Err(Error::Factor(factor));
        }
        let real = data.map(Real::read).transpose()?.unwrap_or_default();
        let mut production = Self {
            certifs: Vec::new(),
            etabs: Vec::new(),
            keys: Vec::new(),
            regions_of_group: Vec::new(),
            etabs_by_region: BTreeMap::new(),
            by_type: BTreeMap::new(),
            nomenclature: Vec::new(),
            nomenclature_sise: Vec::new(),
        };
        production.choose_certifications(factor, &real);
        production.choose_etablissements(factor, &real);
        production.choose_keys(factor, &real);
        production.choose_regions(factor);
        Ok(production)
    }

    /// Every line, kind by kind.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        self.certifications()
            .chain(self.regionales())
            .chain(self.formations())
            .chain(self.bcn())
            .chain(self.bcn_sise())
            .chain(self.etablissements())
    }
}

/// Whether a key lacks the millesime of a rank: each lacks one of six.
fn missing(key: u32, rank: usize) -> bool {
    key % 6 == index(rank)
}

/// Regional figures are of the school track and of apprenticeship only.
fn is_regional(certif: &Certif) -> bool {
    matches!(certif.filiere, Filiere::Pro | Filiere::Apprentissage)
}
