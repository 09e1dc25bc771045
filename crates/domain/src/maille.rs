//! Mailles: the levels a statistic is about.

use serde::{Deserialize, Serialize};

/// A level of statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Maille {
    /// A certification in the whole country.
    #[serde(rename = "nationale")]
    National,
    /// A certification in a region.
    Regionale,
    /// A certification in an establishment: a formation.
    Etablissement,
    /// A certification in a place of a maille that a push declares ([`crate::DeclaredMaille`]).
    #[serde(rename = "declaree")]
    Declared,
}

impl Maille {
    /// Every maille of the contract: those with a route of their own, which the treatments know.
    pub const ALL: [Self; 3] = [Self::National, Self::Regionale, Self::Etablissement];

    /// The name of its list, in URLs, answers and reports; declared mailles have names of their own.
    #[must_use]
    pub fn list(self) -> &'static str {
        match self {
            Self::National => "certifications",
            Self::Regionale => "regionales",
            Self::Etablissement => "formations",
            Self::Declared => "mailles",
        }
    }
}
