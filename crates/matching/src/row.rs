//! A row of a catalogue, as far as the rules read it.

use crate::nomenclatures::{CodeSource, Nomenclatures, Path};

/// Under which status a formation is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Voie {
    /// Under school status: the code is a MEFSTAT11.
    School,
    /// Apprenticeship: the code is a CFD.
    Apprenticeship,
}

impl Voie {
    /// Reads `Scolaire` or `Apprentissage`, in any case.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        [Self::School, Self::Apprenticeship].into_iter().find(|voie| voie.as_str().eq_ignore_ascii_case(text))
    }

    /// Its name in catalogues.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::School => "Scolaire",
            Self::Apprenticeship => "Apprentissage",
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::School => Self::Apprenticeship,
            Self::Apprenticeship => Self::School,
        }
    }
}

/// A column of a catalogue that is no identifier of a certification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowColumn {
    /// The key of the formation.
    Key,
    /// The establishment where it is taught.
    Composante,
    /// The establishment to which pupils are assigned.
    Affectation,
    /// The establishment that runs it.
    Gestionnaire,
    /// School or apprenticeship.
    Voie,
    /// The type of diploma: only the summary reads it.
    DiplomaType,
    /// The number of candidates: only the summary reads it.
    Demands,
}

impl RowColumn {
    /// Every column.
    pub const ALL: [Self; 7] = [
        Self::Key,
        Self::Composante,
        Self::Affectation,
        Self::Gestionnaire,
        Self::Voie,
        Self::DiplomaType,
        Self::Demands,
    ];

    /// Its name in Parcoursup's catalogue.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "CODEFORMATIONACCUEIL",
            Self::Composante => "UAI_COMPOSANTE",
            Self::Affectation => "UAI_AFF",
            Self::Gestionnaire => "UAI_GES",
            Self::Voie => "APPRENTISSAGEOUSCOLAIRE",
            Self::DiplomaType => "LIBFORMATION",
            Self::Demands => "NBDEDEMANDES",
        }
    }
}

/// The cells of a row that the rules read, their surrounding blanks removed. An empty cell is an absent one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormationRow<'a> {
    /// CODEFORMATIONACCUEIL.
    pub key: &'a str,
    /// UAI_COMPOSANTE.
    pub composante: &'a str,
    /// UAI_AFF.
    pub affectation: &'a str,
    /// UAI_GES.
    pub gestionnaire: &'a str,
    /// APPRENTISSAGEOUSCOLAIRE; `None` where it is absent or neither of the two.
    pub voie: Option<Voie>,
    /// LIBFORMATION.
    pub diploma_type: &'a str,
    /// NBDEDEMANDES.
    pub demands: Option<u32>,
    /// The identifiers, in the order of the nomenclatures.
    identifiers: Vec<&'a str>,
}

impl<'a> FormationRow<'a> {
    /// Reads a row through a function that gives the cell of a column, empty where it is absent.
    ///
    /// ```
    /// use matching::{FormationRow, Nomenclatures};
    /// let row = FormationRow::read(&Nomenclatures::default(), |column| match column {
    ///     "CODEFORMATIONACCUEIL" => " 47168 ",
    ///     "APPRENTISSAGEOUSCOLAIRE" => "scolaire",
    ///     _ => "",
    /// });
    /// assert_eq!((row.key, row.voie), ("47168", Some(matching::Voie::School)));
    /// ```
    #[must_use]
    pub fn read(nomenclatures: &Nomenclatures, cell: impl Fn(&str) -> &'a str) -> Self {
        Self::of(
            |column| cell(column.name()),
            nomenclatures.identifiers().iter().map(|identifier| cell(identifier.source.0)),
        )
    }

    /// Puts a row together: its columns by a function, its identifiers in the order of the nomenclatures.
    pub(crate) fn of(cell: impl Fn(RowColumn) -> &'a str, identifiers: impl Iterator<Item = &'a str>) -> Self {
        let cell = |column| cell(column).trim();
        Self {
            key: cell(RowColumn::Key),
            composante: cell(RowColumn::Composante),
            affectation: cell(RowColumn::Affectation),
            gestionnaire: cell(RowColumn::Gestionnaire),
            voie: Voie::read(cell(RowColumn::Voie)),
            diploma_type: cell(RowColumn::DiplomaType),
            demands: cell(RowColumn::Demands).parse().ok(),
            identifiers: identifiers.map(str::trim).collect(),
        }
    }

    /// The cell of an identifier by its place in the nomenclatures.
    pub(crate) fn identifier(&self, place: usize) -> &'a str {
        self.identifiers.get(place).copied().unwrap_or_default()
    }

    /// The first identifier that leads along this path, and its value.
    pub(crate) fn along(&self, nomenclatures: &Nomenclatures, path: Path) -> Option<(CodeSource, &'a str)> {
        let place = nomenclatures.identifiers().iter().position(|identifier| identifier.path == path)?;
        let source = nomenclatures.identifiers().get(place)?.source;
        Some((source, self.identifier(place)))
    }
}
