//! Mailles: the levels a statistic is about.

/// A level with a route of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Maille {
    /// A certification in the whole country.
    Nationale,
    /// A certification in a region.
    Regionale,
    /// A certification in an establishment: a formation.
    Etablissement,
}

impl Maille {
    /// Every maille.
    pub const TOUTES: [Self; 3] = [Self::Nationale, Self::Regionale, Self::Etablissement];

    /// The name of its list, in URLs, answers and reports.
    #[must_use]
    pub fn liste(self) -> &'static str {
        match self {
            Self::Nationale => "certifications",
            Self::Regionale => "regionales",
            Self::Etablissement => "formations",
        }
    }

    /// Its kind of pushed line.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Nationale => "certification",
            Self::Regionale => "regionale",
            Self::Etablissement => "formation",
        }
    }
}
