//! Look-ups as they lie in a store: small records under keys, made at publication and asked for by a request.
//!
//! A pushed document says [`facts`]: records, each under a key of one of two [`Section`]s. All records of a key are one
//! entry. [`Packed`] answers the questions of the rules from entries; whoever holds them ([`Entries`]) may not have
//! them at hand yet. It then says that there are none, remembers what was asked, fetches it, and the row is judged again:
//! a row is a function of what it asks for, so it is judged as often as something new was asked.
//!
//! A group below the threshold has a record that says so, and no number in it: [`Coverage`] is packed, never a size.

mod facts;
mod reading;
mod records;

pub use facts::facts;
pub use reading::{Entries, InForce, Label, Packed, Taught};

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// The resolver, national pay, labels: found by identifiers and codes.
    Links,
    /// Establishments: found by their UAI, one after the other.
    Places,
}

/// A record, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// Where.
    pub section: Section,
    /// Its key. Keys of one establishment begin with its UAI; see [`place_of`].
    pub key: String,
    /// What it says.
    pub record: Vec<u8>,
}

/// The establishment of a key of [`Section::Places`], by which entries that are asked for together lie together.
#[must_use]
pub fn place_of(key: &str) -> &str {
    key.split('|').next().unwrap_or_default()
}

/// Bytes of an entry, at most. An identifier with more codes than fit is ambiguous by any part of them.
const ENTRY_MAX: usize = 64 * 1024;

/// The entry of a key: its records in order, each once.
#[must_use]
pub fn entry<'a>(records: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let records: std::collections::BTreeSet<&[u8]> = records.into_iter().collect();
    let mut entry = store::codec::Encoder::default();
    for record in records {
        if entry.0.len() + record.len() < ENTRY_MAX {
            entry.bytes(record);
        }
    }
    entry.0
}
