//! Switches: each treatment can be turned off for each statistical source.
//!
//! Why: the services take the treatments over one by one (contract, "Two ways in, one way out").
//! A source whose documents already come treated must not be treated twice.

use domain::{Document, Filiere, Universe};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The eight treatments, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// 1. Certifications from the tables of the BCN.
    Nomenclature,
    /// 2. Lineage of certifications.
    #[serde(rename = "lignee")]
    Lineage,
    /// 3. Labels of MEFs, old labels.
    Libelles,
    /// 4. Familles de metiers.
    Familles,
    /// 5. Missing values and computed rates of statistics. Without it, only what the service sends.
    #[serde(rename = "statistiques")]
    Statistics,
    /// 6. Lineage of statistics.
    Continuum,
    /// 7. Non-final years, shared first years.
    #[serde(rename = "annees")]
    Years,
    /// 8. Roles of establishments.
    Roles,
}

impl Treatment {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Nomenclature,
        Self::Lineage,
        Self::Libelles,
        Self::Familles,
        Self::Statistics,
        Self::Continuum,
        Self::Years,
        Self::Roles,
    ];

    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nomenclature => "nomenclature",
            Self::Lineage => "lignee",
            Self::Libelles => "libelles",
            Self::Familles => "familles",
            Self::Statistics => "statistiques",
            Self::Continuum => "continuum",
            Self::Years => "annees",
            Self::Roles => "roles",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }
}

/// The treatments that are turned off for one source. Default: none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    #[serde(rename = "coupes")]
    turned_off: BTreeSet<Treatment>,
}

impl Switches {
    /// Everything but these.
    pub fn without(turned_off: impl IntoIterator<Item = Treatment>) -> Self {
        Self { turned_off: turned_off.into_iter().collect() }
    }

    /// Reads a list of names of treatments to turn off, separated by commas; empty turns none off.
    ///
    /// # Errors
    /// The first name that is no treatment.
    ///
    /// ```
    /// use treatments::{Switches, Treatment};
    /// let inserjeunes = Switches::read("continuum, annees").unwrap();
    /// assert!(!inserjeunes.is_on(Treatment::Continuum));
    /// assert!(inserjeunes.is_on(Treatment::Roles));
    /// assert_eq!(Switches::read("contiuum"), Err("contiuum".to_owned()));
    /// ```
    pub fn read(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim).filter(|n| !n.is_empty());
        names
            .map(|n| Treatment::parse(n).ok_or_else(|| n.to_owned()))
            .collect::<Result<_, _>>()
            .map(|turned_off| Self { turned_off })
    }

    /// Whether a treatment runs.
    #[must_use]
    pub fn is_on(&self, treatment: Treatment) -> bool {
        !self.turned_off.contains(&treatment)
    }
}

/// The switches of every source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreatmentSettings {
    /// Of the nomenclature (treatments 1 to 4).
    pub bcn: Switches,
    /// Of secondary education (treatments 5 to 8).
    pub inserjeunes: Switches,
    /// Of higher education (treatments 5 and 8).
    pub insersup: Switches,
}

impl TreatmentSettings {
    /// The switches of the source of some statistics. Unknown: those of InserJeunes.
    #[must_use]
    pub fn of(&self, universe: Option<Universe>) -> &Switches {
        if universe == Some(Universe::Superieur) { &self.insersup } else { &self.inserjeunes }
    }
}

/// Secondary (InserJeunes) or higher education (InserSup): the source a statistic came from.
#[must_use]
pub fn universe(document: &Document) -> Option<Universe> {
    document.get("filiere").and_then(|f| f.as_str()).and_then(Filiere::parse).map(Filiere::universe)
}
