//! How documents lie in a key-value store.
//!
//! A **generation** is a complete, immutable set of values under keys that begin with its id; one
//! key, [`cle::POINTER`], says which generation readers follow. Inside a generation:
//!
//! - **bundles** ([`bundle`]) hold what single lookups need: all millesimes and filieres of one
//!   certification in one place, rendered ([`fiche`]), in values of some 40 KB found by a hash;
//! - **lists** ([`liste`]) hold every row in two published orders, in segments, with plans that
//!   turn any filter into ranges of rows;
//! - **the search index** ([`recherche`]) finds certifications and establishments by words and codes;
//! - **sources** hold the documents as they were pushed, so that the next publication can carry
//!   over what it does not replace. No route reads them.
//!
//! Reading is in [`lecture`], writing in [`publication`]. Everything goes through the small
//! [`kv::KeyValue`] trait: nothing here knows a runtime, and no key is ever listed.

pub mod bundle;
mod chaud;
pub mod cle;
pub mod codec;
pub mod compte;
pub mod faulty;
pub mod fiche;
pub mod kv;
pub mod lecture;
pub mod liste;
pub mod memoire;
pub mod pointeur;
pub mod publication;
pub mod publique;
pub mod recherche;
pub mod suite;

pub use kv::{KeyValue, KeyValueWrite, StoreError};
pub use lecture::Lecteur;
pub use memoire::Memoire;
pub use pointeur::Pointeur;
