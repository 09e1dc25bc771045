//! Digests of a set of documents: the same whatever the order and the partitions.
//!
//! There are three. That of documents as they were pushed tells whether anything changed, and stays inside: whoever knows all but
//! one document would find that one by search. Nobody gains by making two sets look alike there, so it is 128 bits of XXH64. That of documents as they leave is public. That of the rows of
//! each list is public too, and can be made anew of its CSV export.

use super::JobStepper;
use crate::Environment;
use domain::Kind;
use sha2::{Digest, Sha256};
use store::codec::{hex, keyed_digest};
use store::kv::KeyValueWrite;

/// Adds the digest of a document to that of the set.
fn add(sum: &mut [u64; 4], kind: Kind, parts: &[&[u8]]) {
    let mut digest = Sha256::new().chain_update([kind.rank()]);
    for part in parts {
        digest.update(part);
    }
    add_up(sum, digest);
}

/// Adds a row of a CSV export to the digest of its list: of what leaves, so that anybody who holds the export can make it anew
/// (docs/recettes/empreinte.py).
pub(super) fn add_row(sum: &mut [u64; 4], row: &[u8]) {
    add_up(sum, Sha256::new_with_prefix(row));
}

/// A digest of a set as it is written.
pub(super) fn written(sum: &[u64; 4]) -> String {
    hex(&sum.map(u64::to_le_bytes).concat())
}

fn add_up(sum: &mut [u64; 4], digest: Sha256) {
    for (sum, bytes) in sum.iter_mut().zip(digest.finalize().chunks_exact(8)) {
        *sum = sum.wrapping_add(bytes.try_into().map(u64::from_le_bytes).unwrap_or_default());
    }
}

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    /// That of documents as they were pushed, in hexadecimal.
    pub(super) fn digest(&self) -> String {
        written(&self.state.digest)
    }

    /// That of documents as they leave.
    pub(super) fn public_digest(&self) -> String {
        written(&self.state.public_digest)
    }

    /// A document as it was pushed.
    pub(super) fn count_digest(&mut self, kind: Kind, json: &[u8]) {
        for (sum, lane) in self.state.digest.iter_mut().zip(0..2) {
            *sum = sum.wrapping_add(keyed_digest(json, u64::from(kind.rank()) * 2 + lane));
        }
    }

    /// A document that leaves as it was pushed.
    pub(super) fn count_whole(&mut self, kind: Kind, json: &[u8]) {
        self.count_digest(kind, json);
        add(&mut self.state.public_digest, kind, &[json]);
    }

    /// A statistic, as it leaves: its place, and the digest of all that is served of it.
    pub(super) fn count_published(&mut self, kind: Kind, place: &str, served: u64) {
        add(&mut self.state.public_digest, kind, &[place.as_bytes(), &served.to_le_bytes()]);
    }
}
