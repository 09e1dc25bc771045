//! The columns of a file.

use super::{FileError, MOST_COLUMNS};
use crate::nomenclatures::Nomenclatures;
use crate::row::{FormationRow, RowColumn};
use domain::letters::without_accents;
use std::sync::Arc;

/// A name without case, accents and surrounding blanks.
///
/// Source: contract, "Input" ("case and accents ignored"); case 112.
#[must_use]
pub fn fold(name: &str) -> String {
    without_accents(name.trim()).to_lowercase()
}

/// Which columns are looked for, their names folded.
#[derive(Clone, Debug)]
pub(crate) struct SoughtColumns {
    key: String,
    columns: [(RowColumn, String); RowColumn::ALL.len()],
    identifiers: Vec<String>,
}

impl SoughtColumns {
    pub(crate) fn new(nomenclatures: &Nomenclatures, key: &str) -> Self {
        Self {
            key: key.to_owned(),
            columns: RowColumn::ALL
                .map(|column| (column, fold(if column == RowColumn::Key { key } else { column.name() }))),
            identifiers: nomenclatures.identifiers().iter().map(|identifier| fold(identifier.source.0)).collect(),
        }
    }

    /// Whether these names hold the key.
    pub(crate) fn holds_key(&self, names: &[String]) -> bool {
        let key = fold(&self.key);
        names.iter().any(|name| fold(name) == key)
    }
}

/// The columns of a file, and where those are that the rules read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHeader {
    names: Vec<String>,
    columns: Vec<(RowColumn, Option<usize>)>,
    identifiers: Vec<Option<usize>>,
    pub(crate) delimiter: u8,
    pub(crate) byte_order_mark: bool,
}

impl FileHeader {
    /// Finds the columns. A column that is read may stand once only: with two, none could be picked.
    pub(crate) fn of(shape: &SoughtColumns, names: Vec<String>, delimiter: u8, mark: bool) -> Result<Self, FileError> {
        let header = Self::loose(shape, names, delimiter, mark)?;
        if header.place(RowColumn::Key).is_none() {
            let columns = header.names.iter().take(50).map(|name| name.chars().take(60).collect()).collect();
            return Err(FileError::NoKey { key: shape.key.clone(), columns });
        }
        Ok(header)
    }

    /// The same without a key: objects of JSON after the first.
    pub(crate) fn loose(
        shape: &SoughtColumns,
        names: Vec<String>,
        delimiter: u8,
        mark: bool,
    ) -> Result<Self, FileError> {
        if names.len() > MOST_COLUMNS {
            return Err(FileError::TooManyColumns);
        }
        let folded: Vec<String> = names.iter().map(|name| fold(name)).collect();
        let find = |wanted: &str| {
            let mut places = folded.iter().enumerate().filter(|(_, name)| name.as_str() == wanted).map(|(at, _)| at);
            match (places.next(), places.next()) {
                (Some(at), Some(_)) => Err(FileError::TwoColumns {
                    column: names.get(at).map(|n| n.trim().to_owned()).unwrap_or_default(),
                }),
                (place, _) => Ok(place),
            }
        };
        let columns =
            shape.columns.iter().map(|(column, name)| Ok((*column, find(name)?))).collect::<Result<_, _>>()?;
        let identifiers = shape.identifiers.iter().map(|name| find(name)).collect::<Result<_, _>>()?;
        Ok(Self { names, columns, identifiers, delimiter, byte_order_mark: mark })
    }

    /// No column at all.
    pub(crate) fn nameless() -> Self {
        Self {
            names: Vec::new(),
            columns: Vec::new(),
            identifiers: Vec::new(),
            delimiter: b';',
            byte_order_mark: false,
        }
    }

    /// The names of the columns, as they are written.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn place(&self, column: RowColumn) -> Option<usize> {
        self.columns.iter().find(|(one, _)| *one == column).and_then(|(_, place)| *place)
    }

    /// The name of the key, as it is written.
    pub(crate) fn key_name(&self) -> &str {
        self.place(RowColumn::Key).and_then(|place| self.names.get(place)).map_or("", String::as_str)
    }
}

/// The cells of a row under the columns of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub(crate) header: Arc<FileHeader>,
    pub(crate) cells: Vec<String>,
    /// The object as it came, where the file is JSON.
    pub(crate) object: Option<String>,
}

impl Record {
    /// The cells, as they came: blanks, case and unknown columns untouched.
    #[must_use]
    pub fn cells(&self) -> &[String] {
        &self.cells
    }

    /// The columns.
    #[must_use]
    pub fn header(&self) -> &Arc<FileHeader> {
        &self.header
    }

    /// The row as the rules read it.
    #[must_use]
    pub fn row(&self) -> FormationRow<'_> {
        let cell = |place: Option<usize>| place.and_then(|place| self.cells.get(place)).map_or("", String::as_str);
        FormationRow::of(
            |column| cell(self.header.place(column)),
            self.header.identifiers.iter().map(|place| cell(*place)),
        )
    }
}
