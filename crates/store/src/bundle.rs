//! Bundles: many small entries in one value, each found by its key without reading the others.
//!
//! ```text
//! format (1 byte) | sum of the table (4) | entries (4) | table | payload
//! table: per entry, by rising hash: hash (8) | end of the entry in the payload (4) | sum (4)
//! ```
//!
//! The sum of the table proves that an absent key is absent, the sum of an entry that it is
//! whole: a damaged bundle is a fault, never "no data" (invariant 9).

use crate::codec::{self, Decoder, Encoder};
use crate::keys;

/// The format written first in every bundle.
pub const FORMAT: u8 = 1;
const HEADER: usize = 9;
const ROW: usize = 16;

/// A bundle that cannot be trusted.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged;

/// Packs entries, keyed by text. Two equal keys are the caller's mistake: the first is found.
#[must_use]
pub fn pack(mut entries: Vec<(String, Vec<u8>)>) -> Vec<u8> {
    entries.sort_by(|a, b| (keys::hash(&a.0), &a.0).cmp(&(keys::hash(&b.0), &b.0)));
    let mut table = Vec::with_capacity(entries.len() * ROW);
    let mut payload = Vec::new();
    for (key, value) in &entries {
        let mut encoder = Encoder(std::mem::take(&mut payload));
        let start = encoder.0.len();
        encoder.text(key);
        encoder.0.extend_from_slice(value);
        payload = encoder.0;
        table.extend_from_slice(&keys::hash(key).to_le_bytes());
        table.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        table.extend_from_slice(&codec::sum(payload.get(start..).unwrap_or_default()).to_le_bytes());
    }
    let mut bundle = vec![FORMAT];
    bundle.extend_from_slice(&codec::sum(&table).to_le_bytes());
    bundle.extend_from_slice(&u32::try_from(entries.len()).unwrap_or(u32::MAX).to_le_bytes());
    bundle.append(&mut table);
    bundle.append(&mut payload);
    bundle
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}

/// The table, its sum as it should be, and the payload.
fn split(bundle: &[u8]) -> Option<(&[u8], usize, &[u8])> {
    if bundle.first() != Some(&FORMAT) {
        return None;
    }
    let (sum, count) = (u32_at(bundle, 1)?, u32_at(bundle, 5)?);
    let (table, payload) = bundle.get(HEADER..)?.split_at_checked(count.checked_mul(ROW)?)?;
    Some((table, sum, payload))
}

fn is_whole(table: &[u8], sum: usize) -> bool {
    usize::try_from(codec::sum(table)) == Ok(sum)
}

fn entry<'a>(table: &[u8], payload: &'a [u8], rank: usize) -> Option<(&'a str, &'a [u8])> {
    let start = if rank == 0 { 0 } else { u32_at(table, (rank - 1) * ROW + 8)? };
    let end = u32_at(table, rank * ROW + 8)?;
    let bytes = payload.get(start..end)?;
    if usize::try_from(codec::sum(bytes)).ok()? != u32_at(table, rank * ROW + 12)? {
        return None;
    }
    let mut decoder = Decoder(bytes);
    let key = decoder.text()?;
    Some((key, decoder.0))
}

/// The entry of a key: `Ok(None)` only where the bundle is whole and does not hold it.
///
/// An entry that is found proves itself, by its own sum and its key; the table is verified where there is none.
///
/// # Errors
/// [`Damaged`] where the table or the entry fails its checksum.
pub fn find<'a>(bundle: &'a [u8], key: &str) -> Result<Option<&'a [u8]>, Damaged> {
    let (table, sum, payload) = split(bundle).ok_or(Damaged)?;
    let wanted = keys::hash(key).to_le_bytes();
    let hash_at = |rank: usize| table.get(rank * ROW..rank * ROW + 8);
    let (mut low, mut high) = (0, table.len() / ROW);
    let order = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or_default();
    while low < high {
        let middle = low.midpoint(high);
        if order(hash_at(middle).unwrap_or_default()) < u64::from_le_bytes(wanted) {
            low = middle + 1
        } else {
            high = middle
        }
    }
    while hash_at(low) == Some(&wanted) {
        let (found, value) = entry(table, payload, low).ok_or(Damaged)?;
        if found == key {
            return Ok(Some(value));
        }
        low += 1;
    }
    if is_whole(table, sum) { Ok(None) } else { Err(Damaged) }
}

/// Every entry, to verify or rewrite a bundle.
///
/// # Errors
/// [`Damaged`] where anything fails its checksum.
pub fn entries(bundle: &[u8]) -> Result<Vec<(&str, &[u8])>, Damaged> {
    let (table, sum, payload) = split(bundle).ok_or(Damaged)?;
    if !is_whole(table, sum) {
        return Err(Damaged);
    }
    (0..table.len() / ROW).map(|rank| entry(table, payload, rank).ok_or(Damaged)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn every_entry_is_found_and_no_other(map: BTreeMap<String, Vec<u8>>, other: String) {
            let bundle = pack(map.clone().into_iter().collect());
            for (key, value) in &map {
                prop_assert_eq!(find(&bundle, key), Ok(Some(value.as_slice())));
            }
            prop_assert_eq!(find(&bundle, &other), Ok(map.get(&other).map(Vec::as_slice)));
            prop_assert_eq!(entries(&bundle).unwrap().len(), map.len());
        }

        /// Invariant 9: damage is a fault, never "no data" and never wrong data.
        #[test]
        fn invariant_9_a_damaged_bundle_is_a_fault(map in proptest::collection::btree_map("[a-z]{1,8}", proptest::collection::vec(any::<u8>(), 1..40), 1..12), at: prop::sample::Index, flip in 1u8..) {
            let mut bundle = pack(map.clone().into_iter().collect());
            let at = at.index(bundle.len());
            bundle[at] ^= flip;
            for (key, value) in &map {
                match find(&bundle, key) {
                    Err(Damaged) => {}
                    Ok(found) => prop_assert_eq!(found, Some(value.as_slice())),
                }
            }
            prop_assert_eq!(entries(&bundle), Err(Damaged));
        }

        #[test]
        fn invariant_9_a_truncated_bundle_is_a_fault(map in proptest::collection::btree_map("[a-z]{1,8}", any::<Vec<u8>>(), 1..12), cut: prop::sample::Index) {
            let bundle = pack(map.into_iter().collect());
            let cut = cut.index(bundle.len());
            prop_assert_eq!(entries(&bundle[..cut]), Err(Damaged));
        }
    }
}
