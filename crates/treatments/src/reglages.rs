//! Switches: each treatment can be turned off for each statistical source.
//!
//! Why: the services take the treatments over one by one (contract, "Two ways in, one way out").
//! A source whose documents already come treated must not be treated twice.

use domain::{Document, Filiere, Univers};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The eight treatments, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traitement {
    /// 1. Certifications from the tables of the BCN.
    Nomenclature,
    /// 2. Lineage of certifications.
    Lignee,
    /// 3. Labels of MEFs, old labels.
    Libelles,
    /// 4. Familles de metiers.
    Familles,
    /// 5. Missing values and computed rates of statistics. Without it, only what the service sends.
    Statistiques,
    /// 6. Lineage of statistics.
    Continuum,
    /// 7. Non-final years, shared first years.
    Annees,
    /// 8. Roles of establishments.
    Roles,
}

impl Traitement {
    /// All of them.
    pub const TOUS: [Self; 8] = [
        Self::Nomenclature,
        Self::Lignee,
        Self::Libelles,
        Self::Familles,
        Self::Statistiques,
        Self::Continuum,
        Self::Annees,
        Self::Roles,
    ];

    /// Its name in the configuration.
    #[must_use]
    pub fn nom(self) -> &'static str {
        match self {
            Self::Nomenclature => "nomenclature",
            Self::Lignee => "lignee",
            Self::Libelles => "libelles",
            Self::Familles => "familles",
            Self::Statistiques => "statistiques",
            Self::Continuum => "continuum",
            Self::Annees => "annees",
            Self::Roles => "roles",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn parse(nom: &str) -> Option<Self> {
        Self::TOUS.into_iter().find(|t| t.nom() == nom)
    }
}

/// The treatments that are turned off for one source. Default: none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupteurs {
    coupes: BTreeSet<Traitement>,
}

impl Interrupteurs {
    /// Everything but these.
    pub fn sans(coupes: impl IntoIterator<Item = Traitement>) -> Self {
        Self { coupes: coupes.into_iter().collect() }
    }

    /// Reads a list of names of treatments to turn off, separated by commas; empty turns none off.
    ///
    /// # Errors
    /// The first name that is no treatment.
    ///
    /// ```
    /// use treatments::{Interrupteurs, Traitement};
    /// let inserjeunes = Interrupteurs::lire("continuum, annees").unwrap();
    /// assert!(!inserjeunes.actif(Traitement::Continuum));
    /// assert!(inserjeunes.actif(Traitement::Roles));
    /// assert_eq!(Interrupteurs::lire("contiuum"), Err("contiuum".to_owned()));
    /// ```
    pub fn lire(texte: &str) -> Result<Self, String> {
        let noms = texte.split(',').map(str::trim).filter(|n| !n.is_empty());
        noms.map(|n| Traitement::parse(n).ok_or_else(|| n.to_owned()))
            .collect::<Result<_, _>>()
            .map(|coupes| Self { coupes })
    }

    /// Whether a treatment runs.
    #[must_use]
    pub fn actif(&self, traitement: Traitement) -> bool {
        !self.coupes.contains(&traitement)
    }
}

/// The switches of every source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reglages {
    /// Of the nomenclature (treatments 1 to 4).
    pub bcn: Interrupteurs,
    /// Of secondary education (treatments 5 to 8).
    pub inserjeunes: Interrupteurs,
    /// Of higher education (treatments 5 and 8).
    pub insersup: Interrupteurs,
}

impl Reglages {
    /// The switches of the source of some statistics. Unknown: those of InserJeunes.
    #[must_use]
    pub fn de(&self, univers: Option<Univers>) -> &Interrupteurs {
        if univers == Some(Univers::Superieur) { &self.insersup } else { &self.inserjeunes }
    }
}

/// Secondary (InserJeunes) or higher education (InserSup): the source a statistic came from.
#[must_use]
pub fn univers(document: &Document) -> Option<Univers> {
    document.get("filiere").and_then(|f| f.as_str()).and_then(Filiere::parse).map(Filiere::univers)
}
