//! How documents lie in a key-value store.
//!
//! A **generation** is a complete, immutable set of values under keys that begin with its id; one
//! key, [`keys::POINTER`], says which generation readers follow. Inside a generation:
//!
//! - **bundles** ([`bundle`]) hold what single lookups need: all millesimes and filieres of one
//!   certification in one place, rendered ([`version_set`]), in values of some 40 KB found by a hash;
//! - **lists** ([`list`]) hold every row in two published orders, in segments, with plans that
//!   turn any filter into ranges of rows;
//! - **the search index** ([`search`]) finds certifications and establishments by words and codes;
//! - **sources** hold the documents as they were pushed, so that the next publication can carry
//!   over what it does not replace. No route reads them.
//!
//! Every value is framed ([`frame`]): its checksums know the key that it lies under. A generation says its layout
//! ([`shelf`]); the one before is read too.
//!
//! Reading is in [`reading`]; the crate `publication` writes. Everything goes through the small
//! [`kv::KeyValue`] trait: nothing here knows a runtime, and no key is ever listed.

pub mod bundle;
pub mod chain;
pub mod changes;
pub mod codec;
pub mod counts;
pub mod exchange;
pub mod faulty;
pub mod finding;
pub mod fold;
pub mod frame;
mod hot;
pub mod interleaving;
pub mod keys;
pub mod kv;
mod layout3;
pub mod list;
pub mod lookup;
pub mod mark;
pub mod matching;
pub mod memory;
mod per_family;
pub mod pointer;
pub mod public_record;
pub mod query;
pub mod reading;
pub mod recent;
pub mod search;
pub mod segment;
pub mod shelf;
pub mod trail;
pub mod version_set;

pub use kv::{KeyValue, KeyValueWrite, StoreError};
pub use memory::MemoryStore;
pub use per_family::PerFamily;
pub use pointer::Pointer;
pub use reading::Reader;
pub use shelf::{LayoutVersion, Shelf, StoredValue};
