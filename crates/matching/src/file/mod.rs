//! Files of catalogues, in and out: read as they come, a row at a time, in bounded memory.
//!
//! ```
//! use matching::file::{Legibility, Encoding, FileFormat, Output, FileReader, AnswerWriter};
//! use matching::{Blocks, Day, Matcher, Nomenclatures, Options, LookupTables};
//!
//! let (tables, nomenclatures) = (LookupTables::default(), Nomenclatures::default());
//! let matcher = Matcher::new(&tables, &nomenclatures, Options::of_campaign(Day::read("2024-08-31").unwrap()));
//! let mut reader = FileReader::new(FileFormat::Csv, Encoding::Utf8, &nomenclatures);
//! let mut writer = AnswerWriter::new(Output::Csv, Blocks::ALL);
//! let mut answer = Vec::new();
//! for chunk in [&b"CODEFORMATIONACCUEIL;COD"[..], b"EMEF\r\n47168;3113121321\r\n", b""] {
//!     reader.feed(chunk); // an empty chunk: the file is over
//!     while let Some(line) = reader.next_line()? {
//!         if let Legibility::Row = line.content {
//!             writer.line(&line, &matcher.answer(&line.record.row()), &mut answer);
//!         }
//!     }
//! }
//! let text = String::from_utf8(answer).unwrap();
//! assert!(text.starts_with("CODEFORMATIONACCUEIL;CODEMEF;code_certification_retenu;"));
//! assert!(text.contains("\n47168;3113121321;;;;"));
//! # Ok::<(), matching::file::FileError>(())
//! ```

mod csv;
mod encoding;
mod header;
mod json;
mod writer;

pub use encoding::Encoding;
pub use header::{FileHeader, Record, fold};
pub use writer::{AnswerWriter, Output};

use crate::nomenclatures::Nomenclatures;
use crate::row::RowColumn;
use std::sync::Arc;

/// The longest row, in bytes of UTF-8. Source: contract, "Routes" ("A row over 64 KiB: 413").
pub const LONGEST_ROW: usize = 64 * 1024;

/// The most columns. Parcoursup's catalogue has some forty; the bound keeps a header of 64 KiB from being one column a
/// byte, each with its place in every row.
pub const MOST_COLUMNS: usize = 1_024;

/// How a catalogue is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// CSV, separated by `;` or `,`.
    Csv,
    /// A JSON array of objects, or an object a line.
    Json,
}

/// Why a file is not answered at all. Texts are read by the person who sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Nothing in it.
    #[error("Le fichier est vide : il faut au moins la ligne des noms de colonnes.")]
    Empty,
    /// No text.
    #[error("Le fichier n'est pas du texte (classeur Excel, archive, image ?) : enregistrez la feuille en CSV.")]
    Binary,
    /// UTF-16.
    #[error("Le fichier est en UTF-16 : enregistrez-le en CSV UTF-8.")]
    Utf16,
    /// Names of columns that are not UTF-8.
    #[error(
        "Les noms de colonnes ne sont pas en UTF-8 : enregistrez le fichier en UTF-8, ou annoncez \
         « charset=iso-8859-1 » dans Content-Type."
    )]
    HeaderEncoding,
    /// The line of names does not end.
    #[error("La ligne des noms de colonnes dépasse 64 Kio : un guillemet n'est peut-être pas fermé.")]
    HeaderTooLong,
    /// Too many columns.
    #[error("Le fichier a plus de {MOST_COLUMNS} colonnes.")]
    TooManyColumns,
    /// No key.
    #[error("La colonne {key} manque. Colonnes trouvées : {}.", columns.join(", "))]
    NoKey {
        /// The key.
        key: String,
        /// The columns that were found, at most fifty.
        columns: Vec<String>,
    },
    /// A column that is read stands twice.
    #[error("La colonne {column} est présente deux fois (les majuscules et les accents ne comptent pas).")]
    TwoColumns {
        /// Its name.
        column: String,
    },
    /// No JSON.
    #[error("Le fichier n'est pas un tableau JSON d'objets, ni un objet JSON par ligne.")]
    NotJson,
}

/// A row of a file, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1; the line of names is not counted.
    pub number: u64,
    /// Its cells.
    pub record: Record,
    /// Whether it can be judged.
    pub content: Legibility,
}

/// Whether a row can be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Legibility {
    /// It can.
    Row,
    /// It cannot: why, in French. The file goes on.
    Unreadable(String),
    /// It is longer than 64 KiB, and its cells are not kept. The file goes on.
    TooLong,
}

/// Reads a catalogue chunk by chunk. It holds a chunk and a row, whatever the size of the file.
#[derive(Debug)]
pub struct FileReader {
    encoding: Encoding,
    finished: bool,
    rows: CatalogueRows,
}

#[derive(Debug)]
enum CatalogueRows {
    Csv(Box<csv::CsvRows>),
    Json(Box<json::JsonRows>),
}

/// What was fed and not yet read.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    bytes: Vec<u8>,
    read: usize,
}

impl Pending {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.read..).unwrap_or_default()
    }

    fn advance(&mut self, by: usize) {
        self.read = (self.read + by).min(self.bytes.len());
    }

    fn feed(&mut self, chunk: &[u8], encoding: Encoding) {
        self.bytes.drain(..self.read);
        self.read = 0;
        encoding.append(chunk, &mut self.bytes);
    }
}

impl FileReader {
    /// A reader of a catalogue whose key is CODEFORMATIONACCUEIL.
    #[must_use]
    pub fn new(format: FileFormat, encoding: Encoding, nomenclatures: &Nomenclatures) -> Self {
        Self::with_key(format, encoding, nomenclatures, RowColumn::Key.name())
    }

    /// A reader of a catalogue whose key is another column.
    #[must_use]
    pub fn with_key(format: FileFormat, encoding: Encoding, nomenclatures: &Nomenclatures, key: &str) -> Self {
        let shape = header::SoughtColumns::new(nomenclatures, key);
        let rows = match format {
            FileFormat::Csv => CatalogueRows::Csv(Box::new(csv::CsvRows::new(shape))),
            FileFormat::Json => CatalogueRows::Json(Box::new(json::JsonRows::new(shape))),
        };
        Self { encoding, finished: false, rows }
    }

    /// Takes a chunk. An empty one says that the file is over. Read all lines before the next: what is not read is
    /// kept.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.finished |= chunk.is_empty();
        match &mut self.rows {
            CatalogueRows::Csv(rows) => rows.pending.feed(chunk, self.encoding),
            CatalogueRows::Json(rows) => rows.pending.feed(chunk, self.encoding),
        }
    }

    /// The next line; `None` where it takes another chunk, or where the file is over.
    ///
    /// # Errors
    /// [`FileError`], before the first line only.
    pub fn next_line(&mut self) -> Result<Option<Line>, FileError> {
        match &mut self.rows {
            CatalogueRows::Csv(rows) => rows.next_line(self.finished),
            CatalogueRows::Json(rows) => rows.next_line(self.finished),
        }
    }

    /// How many bytes its buffers take: of a chunk, of a row, of what was found in it.
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.rows {
            CatalogueRows::Csv(rows) => rows.pending.bytes.capacity() + rows.held(),
            CatalogueRows::Json(rows) => rows.pending.bytes.capacity() + rows.held(),
        }
    }

    /// The columns, once they are known: of the first object in JSON.
    #[must_use]
    pub fn header(&self) -> Option<&Arc<FileHeader>> {
        match &self.rows {
            CatalogueRows::Csv(rows) => rows.header.as_ref(),
            CatalogueRows::Json(rows) => rows.header.as_ref(),
        }
    }
}
