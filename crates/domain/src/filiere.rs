//! Filieres, and the two univers they belong to.

use std::fmt;

/// A track of initial education.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filiere {
    /// Agricultural education under school status.
    Agricole,
    /// Apprenticeship.
    Apprentissage,
    /// Vocational education under school status.
    Pro,
    /// Higher education.
    Superieur,
}

impl Filiere {
    /// Every filiere.
    pub const TOUTES: [Self; 4] = [Self::Agricole, Self::Apprentissage, Self::Pro, Self::Superieur];

    /// Its name in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agricole => "agricole",
            Self::Apprentissage => "apprentissage",
            Self::Pro => "pro",
            Self::Superieur => "superieur",
        }
    }

    /// Reads the name used in documents.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::TOUTES.into_iter().find(|f| f.as_str() == text)
    }

    /// Secondary or higher education.
    #[must_use]
    pub fn univers(self) -> Univers {
        match self {
            Self::Superieur => Univers::Superieur,
            _ => Univers::Secondaire,
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
pub enum Univers {
    /// Apprenticeship and the school tracks: InserJeunes.
    Secondaire,
    /// Higher education: InserSup.
    Superieur,
}

impl Univers {
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
