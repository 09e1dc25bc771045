//! What an instance keeps of what it was asked for: bytes by key, in pages that are used again in turn.
//!
//! Thousands of small values with lives of their own would leave the allocator of an instance in pieces, and every
//! later allocation would search them. Values lie here one after the other; when the pages are full, the oldest page
//! goes as a whole, and what was asked for in the older half meanwhile has moved to the youngest page.

use crate::codec::{Decoder, Encoder};
use crate::keys;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Bytes of a page.
const PAGE: usize = 256 * 1024;

/// Up to `PAGES` pages of values.
#[derive(Debug, Default)]
pub struct HotValues<const PAGES: usize> {
    /// The page of sequence number `s` is the one at `s % PAGES`.
    pages: Vec<Vec<u8>>,
    /// The sequence number of the page that values go to.
    last: usize,
    index: HashMap<u64, Slot, BuildHasherDefault<IdentityHasher>>,
}

/// Where a value lies, its key before it.
#[derive(Clone, Copy, Debug)]
struct Slot {
    page: usize,
    start: usize,
    end: usize,
}

/// Keys of the index are hashes already.
#[derive(Debug, Default)]
struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

impl<const PAGES: usize> HotValues<PAGES> {
    /// The value of a key, given to `read`.
    pub fn find<T>(&mut self, key: &str, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let place = *self.index.get(&keys::hash(key))?;
        let bytes = self.pages.get(place.page % PAGES)?.get(place.start..place.end)?;
        let mut decoder = Decoder(bytes);
        if decoder.text()? != key {
            return None;
        }
        let read = read(decoder.0);
        if self.last - place.page > PAGES / 2 {
            let value = decoder.0.to_vec();
            self.keep(key, &value);
        }
        Some(read)
    }

    /// Keeps a value, and lets go of what no longer has room.
    pub fn keep(&mut self, key: &str, value: &[u8]) {
        let size = key.len() + value.len() + 10;
        if size > PAGE {
            return;
        }
        let full = self.pages.get(self.last % PAGES).is_none_or(|page| page.len() + size > PAGE);
        if full {
            self.turn();
        }
        let page = self.last;
        let Some(bytes) = self.pages.get_mut(page % PAGES) else { return };
        let start = bytes.len();
        let mut encoder = Encoder(std::mem::take(bytes));
        encoder.text(key);
        encoder.0.extend_from_slice(value);
        *bytes = encoder.0;
        self.index.insert(keys::hash(key), Slot { page, start, end: bytes.len() });
    }

    /// A new page, or the oldest one, emptied.
    fn turn(&mut self) {
        if !self.pages.is_empty() {
            self.last += 1;
        }
        match self.pages.get_mut(self.last % PAGES) {
            Some(page) => {
                page.clear();
                let oldest = (self.last + 1).saturating_sub(PAGES);
                self.index.retain(|_, place| place.page >= oldest);
            }
            None => self.pages.push(Vec::with_capacity(PAGE)),
        }
    }

    /// Lets go of everything; the pages stay for what comes.
    pub fn clear(&mut self) {
        self.index.clear();
        self.pages.iter_mut().for_each(Vec::clear);
        self.last = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found<const N: usize>(hot: &mut HotValues<N>, key: &str) -> Option<Vec<u8>> {
        hot.find(key, <[u8]>::to_vec)
    }

    #[test]
    fn the_oldest_go_and_what_is_asked_for_stays() {
        let mut hot = HotValues::<4>::default();
        let value = |n: usize| vec![u8::try_from(n % 251).unwrap(); 10_000];
        for n in 0..1_000 {
            hot.keep(&n.to_string(), &value(n));
            assert_eq!(found(&mut hot, "0"), Some(value(0)), "asked for after {n}");
        }
        assert_eq!(found(&mut hot, "999"), Some(value(999)));
        assert_eq!(found(&mut hot, "500"), None);
        assert!(hot.pages.len() == 4 && hot.pages.iter().all(|p| p.capacity() == PAGE), "bounded");
        assert!(hot.index.len() <= 4 * PAGE / 10_000);
        hot.clear();
        assert_eq!(found(&mut hot, "999"), None);
        hot.keep("999", b"autre");
        assert_eq!(found(&mut hot, "999"), Some(b"autre".to_vec()));
    }

    #[test]
    fn what_fits_no_page_is_not_kept() {
        let mut hot = HotValues::<2>::default();
        hot.keep("grand", &vec![0; PAGE]);
        assert_eq!(found(&mut hot, "grand"), None);
    }

    proptest! {
        #[test]
        fn a_key_has_its_last_value_or_none(gestures in proptest::collection::vec((0u8..20, 0usize..60_000, any::<u8>()), 0..120)) {
            let mut hot = HotValues::<3>::default();
            let mut last = HashMap::new();
            for (key, size, byte) in gestures {
                let key = key.to_string();
                if let Some(read) = found(&mut hot, &key) {
                    prop_assert_eq!(Some(&read), last.get(&key));
                }
                hot.keep(&key, &vec![byte; size]);
                last.insert(key.clone(), vec![byte; size]);
                prop_assert_eq!(found(&mut hot, &key), last.get(&key).cloned());
            }
        }
    }
}
