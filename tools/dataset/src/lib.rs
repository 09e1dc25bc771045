//! Makes pushed documents, as NDJSON lines `{"kind": …, "doc": {…}}`.
//!
//! Three kinds of data, each of which says what it is in its labels:
//!
//! - [`sample`]: fictitious and small, committed under `data/` as it is generated;
//! - [`real`]: open data by region, joined with the nomenclature; national documents are sums;
//! - [`production`]: as many documents as in production, for measurements: real keys where the
//!   reference data is there, made-up rates.
//!
//! Everything is deterministic: no clock, no entropy, one small seeded generator ([`random`]).
//! Documents are raw: they do hold counts of small groups, as a statistical service delivers
//! them. Hiding these is the work of the import, which is why tests need them.
//!
//! ```
//! let first = dataset::sample::lines().next().unwrap();
//! assert_eq!(first.kind.name(), "certification");
//! assert!(first.doc["libelle"].as_str().unwrap().ends_with("(données fictives)"));
//! ```

pub mod catalogue;
mod document;
pub mod headcounts;
pub mod production;
pub mod random;
pub mod real;
pub mod sample;
mod tables;

use domain::{Document, Kind};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written: check that the folder is there and may be used.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A table does not hold what it is known to hold: it is another vintage, or damaged.
    #[error("{}: {reason}", path.display())]
    Table {
        /// Which file.
        path: PathBuf,
        /// Which row or column, and what is wrong.
        reason: String,
    },
    /// The size factor is outside of what can be made: choose another.
    #[error("factor {0}: expected a number above 0 and at most {max}", max = MAX_FACTOR)]
    Factor(f64),
}

/// The largest size factor: invented UAIs of a departement stay among four digits.
pub const MAX_FACTOR: f64 = 20.0;

/// The kinds made here, in the order in which files are written.
pub const KINDS: [Kind; 11] = [
    Kind::Certification,
    Kind::Regionale,
    Kind::Formation,
    Kind::Bcn,
    Kind::BcnMef,
    Kind::BcnSise,
    Kind::Etablissement,
    Kind::Catalogue,
    Kind::Maille,
    Kind::Statistic,
    Kind::Rncp,
];

/// The file that holds the lines of a kind.
#[must_use]
pub fn file_name(kind: Kind) -> String {
    format!("{}.ndjson", kind.name())
}

/// One pushed document.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it is about.
    pub kind: Kind,
    /// Its fields, in the order in which they are written.
    pub doc: Document,
}

impl Line {
    /// Writes it with its line end.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{{\"kind\":\"{}\",\"doc\":", self.kind.name())?;
        serde_json::to_writer(&mut *out, &self.doc)?;
        out.write_all(b"}\n")
    }
}

/// What was written of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Documents.
    pub lines: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Writes lines to one file a kind, in a folder that is created where it is missing.
///
/// A file of a kind without lines is left alone. `progress` is called with the kind and its number
/// of lines after every 50,000 of them.
///
/// # Errors
/// [`Error::File`] where a file cannot be written.
pub fn write(
    dir: &Path,
    lines: impl Iterator<Item = Line>,
    mut progress: impl FnMut(Kind, u64),
) -> Result<BTreeMap<Kind, Written>, Error> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    std::fs::create_dir_all(dir).map_err(at(dir))?;
    let mut files: BTreeMap<Kind, (PathBuf, BufWriter<File>, Written)> = BTreeMap::new();
    let mut buffer = Vec::new();
    for line in lines {
        let (path, file, written) = match files.entry(line.kind) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let path = dir.join(file_name(line.kind));
                let file = File::create(&path).map_err(at(&path))?;
                entry.insert((path, BufWriter::with_capacity(1 << 18, file), Written::default()))
            }
        };
        buffer.clear();
        line.write_to(&mut buffer).and_then(|()| file.write_all(&buffer)).map_err(at(path))?;
        written.lines += 1;
        written.bytes += u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        if written.lines.is_multiple_of(50_000) {
            progress(line.kind, written.lines);
        }
    }
    files
        .into_iter()
        .map(|(kind, (path, mut file, written))| {
            file.flush().map_err(at(&path))?;
            Ok((kind, written))
        })
        .collect()
}
