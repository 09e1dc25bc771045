//! Filieres, and the two universes they belong to.

use std::fmt;

/// A track of initial education.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filiere {
    /// Agricultural education under school status.
    Agricultural,
    /// Apprenticeship.
    Apprentissage,
    /// Vocational education under school status.
    Pro,
    /// Higher education.
    Superieur,
}

impl Filiere {
    /// Every filiere.
    pub const ALL: [Self; 4] = [Self::Agricultural, Self::Apprentissage, Self::Pro, Self::Superieur];

    /// Its name in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agricultural => "agricole",
            Self::Apprentissage => "apprentissage",
            Self::Pro => "pro",
            Self::Superieur => "superieur",
        }
    }

    /// Reads the name used in documents.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.as_str() == text)
    }

    /// Secondary or higher education.
    #[must_use]
    pub fn universe(self) -> Universe {
        match self {
            Self::Superieur => Universe::Superieur,
            _ => Universe::Secondaire,
        }
    }
}

impl fmt::Display for Filiere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Secondary education (InserJeunes) or higher education (InserSup).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Universe {
    /// Apprenticeship and the school tracks: InserJeunes.
    Secondaire,
    /// Higher education: InserSup.
    Superieur,
}

impl Universe {
    /// Its name in queries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secondaire => "secondaire",
            Self::Superieur => "superieur",
        }
    }

    /// The statistical source of its figures, as named to readers.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::Secondaire => "InserJeunes",
            Self::Superieur => "InserSup",
        }
    }
}
