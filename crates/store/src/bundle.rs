//! Bundles: many small entries in one value, each found by its key without reading the others.
//!
//! The first piece of the value ([`crate::frame`]) holds the hashes of the keys, rising, eight bytes each; a piece for each
//! entry follows, its key before it. An entry that is found proves itself. That none is there is proven by the hashes: a
//! damaged bundle is a fault, never "no data" (invariant 9).

use crate::codec::{Decoder, Encoder};
use crate::frame::{Content, Frame};
use crate::keys;
use crate::kv::Damaged;

/// Packs entries, keyed by text. Two equal keys are the caller's mistake: the first is found.
#[must_use]
pub fn pack(mut entries: Vec<(String, Vec<u8>)>) -> Content {
    entries.sort_by(|a, b| (keys::hash(&a.0), &a.0).cmp(&(keys::hash(&b.0), &b.0)));
    let mut bundle = Content::default();
    for (key, _) in &entries {
        bundle.payload().extend_from_slice(&keys::hash(key).to_le_bytes());
    }
    bundle.end_piece();
    for (key, value) in &entries {
        let mut encoder = Encoder(std::mem::take(bundle.payload()));
        encoder.text(key);
        encoder.0.extend_from_slice(value);
        *bundle.payload() = encoder.0;
        bundle.end_piece();
    }
    bundle
}

fn entry<'a>(bundle: &Frame<'a>, rank: usize) -> Result<(&'a str, &'a [u8]), Damaged> {
    let mut decoder = Decoder(bundle.piece(rank + 1)?);
    let key = decoder.text().ok_or(Damaged)?;
    Ok((key, decoder.0))
}

/// The entry of a key: `Ok(None)` only where the bundle is whole and does not hold it.
///
/// # Errors
/// [`Damaged`] where what decides fails its checksum.
pub fn find<'a>(bundle: &Frame<'a>, key: &str) -> Result<Option<&'a [u8]>, Damaged> {
    let hashes = bundle.unproven(0).ok_or(Damaged)?;
    let wanted = keys::hash(key);
    let hash_at = |rank: usize| {
        let bytes = hashes.get(rank * 8..)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    };
    let (mut low, mut high) = (0, hashes.len() / 8);
    while low < high {
        let middle = low.midpoint(high);
        if hash_at(middle).unwrap_or_default() < wanted { low = middle + 1 } else { high = middle }
    }
    while hash_at(low) == Some(wanted) {
        let (found, value) = entry(bundle, low)?;
        if found == key {
            return Ok(Some(value));
        }
        low += 1;
    }
    bundle.whole()?.piece(0)?;
    Ok(None)
}

/// Every entry, to verify or rewrite a bundle.
///
/// # Errors
/// [`Damaged`] where anything fails its checksum.
pub fn entries<'a>(bundle: &Frame<'a>) -> Result<Vec<(&'a str, &'a [u8])>, Damaged> {
    let bundle = bundle.whole()?;
    let hashes = bundle.piece(0)?;
    if bundle.pieces() != hashes.len() / 8 + 1 {
        return Err(Damaged);
    }
    (0..bundle.pieces() - 1).map(|rank| entry(&bundle, rank)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const KEY: &str = "g1:formations:0";

    fn found(bundle: &[u8], key: &str) -> Result<Option<Vec<u8>>, Damaged> {
        find(&Frame::read(KEY, bundle)?, key).map(|found| found.map(<[u8]>::to_vec))
    }

    fn all(key: &str, bundle: &[u8]) -> Result<usize, Damaged> {
        entries(&Frame::read(key, bundle)?).map(|entries| entries.len())
    }

    proptest! {
        #[test]
        fn every_entry_is_found_and_no_other(map: BTreeMap<String, Vec<u8>>, other: String) {
            let bundle = pack(map.clone().into_iter().collect()).seal(KEY);
            for (key, value) in &map {
                prop_assert_eq!(found(&bundle, key), Ok(Some(value.clone())));
            }
            prop_assert_eq!(found(&bundle, &other), Ok(map.get(&other).cloned()));
            prop_assert_eq!(all(KEY, &bundle), Ok(map.len()));
        }

        /// Invariant 9: damage is a fault, never "no data" and never wrong data; so is a bundle that lies where another should.
        #[test]
        fn invariant_9_a_damaged_bundle_is_a_fault(map in proptest::collection::btree_map("[a-z]{1,8}", proptest::collection::vec(any::<u8>(), 1..40), 1..12), at: prop::sample::Index, flip in 1u8.., other in "[a-z]{1,8}") {
            let mut bundle = pack(map.clone().into_iter().collect()).seal(KEY);
            prop_assert_eq!(all("g1:formations:1", &bundle), Err(Damaged));
            let at = at.index(bundle.len());
            bundle[at] ^= flip;
            for key in map.keys().chain([&other]) {
                match found(&bundle, key) {
                    Err(Damaged) => {}
                    Ok(found) => prop_assert_eq!(found.as_ref(), map.get(key)),
                }
            }
            prop_assert_eq!(all(KEY, &bundle), Err(Damaged));
        }

        #[test]
        fn invariant_9_a_truncated_bundle_is_a_fault(map in proptest::collection::btree_map("[a-z]{1,8}", any::<Vec<u8>>(), 1..12), cut: prop::sample::Index) {
            let bundle = pack(map.into_iter().collect()).seal(KEY);
            let cut = cut.index(bundle.len());
            prop_assert_eq!(all(KEY, &bundle[..cut]), Err(Damaged));
        }
    }
}
