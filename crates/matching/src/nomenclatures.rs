//! The one place that says which identifiers a catalogue may carry, and in which order they are asked.
//!
//! A new nomenclature (FRESQ, which is to replace the SISE codes of higher education) is one line here,
//! a column of the catalogue and a kind of links: see `tests/fresq.rs`.

use std::fmt;

/// What a code was found by: the column of the catalogue, or `manuel`. Its text is its name on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeSource(pub &'static str);

impl CodeSource {
    /// A code given by hand for the key of the row.
    pub const MANUAL: Self = Self("manuel");
    /// The MEF that the row declares.
    pub const MEF: Self = Self("CODEMEF");
    /// The CFD that the row declares.
    pub const CFD: Self = Self("CODECFD");
    /// The SISE code that the row declares.
    pub const SISE: Self = Self("CODESISE");
    /// Entries of the national directory of certifications.
    pub const RNCP: Self = Self("LISTE_RNCP");
    /// Formations of Onisep.
    pub const IDEO: Self = Self("LISTE_IDEO");
    /// A row of the catalogue de l'apprentissage.
    pub const ID_RCO: Self = Self("ID_RCO");
}

impl fmt::Display for CodeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// How an identifier leads to codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// N_MEF: MEF to MEFSTAT11, and to its CFD.
    Mef,
    /// A CFD stands for itself.
    Cfd,
    /// A SISE code stands for itself.
    Sise,
    /// Certif Info, else the RNCP kit, to CFDs; Certif Info, else the table RNCP ↔ SISE, to SISE codes.
    Rncp,
    /// Certif Info, else Onisep, to CFDs; Certif Info, else through the RNCP, to SISE codes.
    Ideo,
    /// The catalogue de l'apprentissage to CFDs and RNCP entries.
    Catalogue,
    /// An entry of Certif Info stands for its codes.
    Entry,
    /// A table of links of this kind, from the identifier straight to codes.
    Links(&'static str),
}

/// A column of the catalogue that identifies a certification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// The column, which is also the name of the source in answers.
    pub source: CodeSource,
    /// Where it leads.
    pub path: Path,
    /// Whether the cell is a list, separated by `;`.
    pub list: bool,
    /// Its place among the sources of CFD and MEFSTAT11 codes; `None`: it gives none. Identifiers of one place are
    /// tried as one.
    pub secondary: Option<u8>,
    /// Its place among the sources of SISE codes; `None`: it gives none.
    pub higher: Option<u8>,
}

/// Up to this place an identifier is a declared code, which comes before inferred ones of either family.
pub const DECLARED: u8 = 10;

/// The identifiers of today.
///
/// Source: contract, "Choice": CODEMEF/CODECFD, LISTE_RNCP, LISTE_IDEO, ID_RCO for CFD and MEFSTAT11 codes;
/// CODESISE, LISTE_RNCP, ID_RCO, LISTE_IDEO for SISE codes (two orders: details, 5.18).
const TODAY: [Identifier; 6] = [
    identifier(CodeSource::MEF, Path::Mef, false, Some(DECLARED), None),
    identifier(CodeSource::CFD, Path::Cfd, false, Some(DECLARED), None),
    identifier(CodeSource::SISE, Path::Sise, false, None, Some(DECLARED)),
    identifier(CodeSource::RNCP, Path::Rncp, true, Some(20), Some(20)),
    identifier(CodeSource::IDEO, Path::Ideo, true, Some(30), Some(40)),
    identifier(CodeSource::ID_RCO, Path::Catalogue, false, Some(40), Some(30)),
];

const fn identifier(
    source: CodeSource,
    path: Path,
    list: bool,
    secondary: Option<u8>,
    higher: Option<u8>,
) -> Identifier {
    Identifier { source, path, list, secondary, higher }
}

/// The identifiers that are read from a catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nomenclatures(Vec<Identifier>);

impl Default for Nomenclatures {
    fn default() -> Self {
        Self(TODAY.to_vec())
    }
}

impl Nomenclatures {
    /// Adds an identifier, or replaces the one of the same column.
    #[must_use]
    pub fn with(mut self, added: Identifier) -> Self {
        self.0.retain(|known| known.source != added.source);
        self.0.push(added);
        self
    }

    /// In no order that matters; a row holds its values in this one.
    #[must_use]
    pub fn identifiers(&self) -> &[Identifier] {
        &self.0
    }
}
