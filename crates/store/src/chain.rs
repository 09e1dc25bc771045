//! Entries that do not fit beside others: what lies in values of their own, and what leads to them.
//!
//! An entry of a bundle or page is some hundred bytes; that of a place with tens of thousands of rows, or of the counts
//! of a diploma with as many courses, is larger than a value may be. Such an entry is cut over consecutive values of
//! `suite.{family}`, and a **head** lies in its place. A head begins with a length that no entry begins with, so what does
//! not know heads finds a damaged entry, never a short one.

use crate::codec::{Decoder, Encoder};
use crate::kv::{KeyValue, StoreError};
use crate::shelf::Shelf;

/// Entries up to this size lie in place, in bytes.
pub const ENTRY_MAX: usize = 64 * 1024;
/// Bytes of a value of a cut entry.
const PIECE: usize = 256 * 1024;

/// The family of the values of cut entries of a family.
#[must_use]
pub fn family(family: &str) -> String {
    format!("suite.{family}")
}

/// Where a cut entry lies: its first value and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Number of the first value.
    pub first: usize,
    /// How many values.
    pub count: usize,
}

impl ChainHead {
    /// What lies in the place of the entry.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.number(u64::MAX).size(self.first).size(self.count);
        encoder.0
    }

    /// `None`: the entry lies in place.
    #[must_use]
    pub fn read(entry: &[u8]) -> Option<Self> {
        let mut decoder = Decoder(entry);
        if decoder.number()? != u64::MAX {
            return None;
        }
        let head = Self { first: decoder.size()?, count: decoder.size()? };
        decoder.0.is_empty().then_some(head)
    }
}

/// The contents of the values of an entry that is too large to lie in place; `None` where it may.
#[must_use]
pub fn cut_up(entry: &[u8], place: usize) -> Option<Vec<Vec<u8>>> {
    (entry.len() > place).then(|| entry.chunks(PIECE).map(<[u8]>::to_vec).collect())
}

/// The whole entry: as it lies in place, or put together from its values.
///
/// # Errors
/// [`StoreError::Damaged`] where a value is missing or damaged, else those of the store.
pub async fn whole<K: KeyValue>(kv: &K, shelf: Shelf<'_>, name: &str, entry: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let Some(head) = ChainHead::read(&entry) else { return Ok(entry) };
    let family = family(name);
    let mut entry = Vec::new();
    for rank in 0..head.count {
        let value = shelf.get(kv, &family, head.first.saturating_add(rank)).await?;
        entry.extend_from_slice(value.content()?);
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::KeyValueWrite;
    use crate::list::{CodeEntry, UaiEntry};
    use crate::{MemoryStore, counts};
    use crate::{frame, keys};
    use futures_executor::block_on;

    #[test]
    fn an_entry_comes_back_whole_or_as_a_fault() {
        let entry: Vec<u8> = (0..700_000u32).map(|n| n.to_le_bytes()[0]).collect();
        assert_eq!(cut_up(&entry[..ENTRY_MAX], ENTRY_MAX), None);
        let pieces = cut_up(&entry, ENTRY_MAX).unwrap();
        let kv = MemoryStore::default();
        block_on(async {
            for (n, piece) in pieces.iter().enumerate() {
                let key = keys::value("g1", "suite.uais.x", 5 + n);
                kv.set(&key, frame::seal(&key, piece.clone())).await.unwrap();
            }
            let head = ChainHead { first: 5, count: pieces.len() };
            let read = || whole(&kv, Shelf::own("g1"), "uais.x", head.encode());
            assert_eq!(read().await.unwrap(), entry);
            let exchanged = kv.get("g1:suite.uais.x:5").await.unwrap();
            kv.corrupt("g1:suite.uais.x:6", exchanged);
            assert!(matches!(read().await, Err(StoreError::Damaged(_))));
            kv.corrupt("g1:suite.uais.x:6", None);
            assert!(matches!(read().await, Err(StoreError::Damaged(_))));
            assert_eq!(whole(&kv, Shelf::own("g1"), "uais.x", vec![3, 1, 2]).await.unwrap(), [3, 1, 2]);
        });
    }

    #[test]
    fn what_does_not_know_heads_finds_damage() {
        let head = ChainHead { first: 0, count: 2 }.encode();
        assert!(CodeEntry::decode(&head).is_err() && UaiEntry::decode(&head).is_err());
        assert_eq!(counts::view(&[("40025214".into(), head)], |_| true, "", 0), None);
    }
}
