//! What an instance keeps of what it was asked for: bytes by key, in pages that are used again in turn.
//!
//! Thousands of small values with lives of their own would leave the allocator of an instance in pieces, and every
//! later allocation would search them. Values lie here one after the other; when the pages are full, the oldest page
//! goes as a whole, and what was asked for in the older half meanwhile has moved to the youngest page.

use crate::cle;
use crate::codec::{Reader, Writer};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Bytes of a page.
const PAGE: usize = 256 * 1024;

/// Up to `PAGES` pages of values.
#[derive(Debug, Default)]
pub struct Chaud<const PAGES: usize> {
    /// The page of sequence number `s` is the one at `s % PAGES`.
    pages: Vec<Vec<u8>>,
    /// The sequence number of the page that values go to.
    derniere: usize,
    index: HashMap<u64, Place, BuildHasherDefault<Hache>>,
}

/// Where a value lies, its key before it.
#[derive(Clone, Copy, Debug)]
struct Place {
    page: usize,
    debut: usize,
    fin: usize,
}

/// Keys of the index are hashes already.
#[derive(Debug, Default)]
struct Hache(u64);

impl Hasher for Hache {
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

impl<const PAGES: usize> Chaud<PAGES> {
    /// The value of a key, given to `lire`.
    pub fn trouver<T>(&mut self, cle: &str, lire: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let place = *self.index.get(&cle::hash(cle))?;
        let octets = self.pages.get(place.page % PAGES)?.get(place.debut..place.fin)?;
        let mut reader = Reader(octets);
        if reader.text()? != cle {
            return None;
        }
        let lu = lire(reader.0);
        if self.derniere - place.page > PAGES / 2 {
            let valeur = reader.0.to_vec();
            self.garder(cle, &valeur);
        }
        Some(lu)
    }

    /// Keeps a value, and lets go of what no longer has room.
    pub fn garder(&mut self, cle: &str, valeur: &[u8]) {
        let taille = cle.len() + valeur.len() + 10;
        if taille > PAGE {
            return;
        }
        let pleine = self.pages.get(self.derniere % PAGES).is_none_or(|page| page.len() + taille > PAGE);
        if pleine {
            self.tourner();
        }
        let page = self.derniere;
        let Some(octets) = self.pages.get_mut(page % PAGES) else { return };
        let debut = octets.len();
        let mut writer = Writer(std::mem::take(octets));
        writer.text(cle);
        writer.0.extend_from_slice(valeur);
        *octets = writer.0;
        self.index.insert(cle::hash(cle), Place { page, debut, fin: octets.len() });
    }

    /// A new page, or the oldest one, emptied.
    fn tourner(&mut self) {
        if !self.pages.is_empty() {
            self.derniere += 1;
        }
        match self.pages.get_mut(self.derniere % PAGES) {
            Some(page) => {
                page.clear();
                let plus_ancienne = (self.derniere + 1).saturating_sub(PAGES);
                self.index.retain(|_, place| place.page >= plus_ancienne);
            }
            None => self.pages.push(Vec::with_capacity(PAGE)),
        }
    }

    /// Lets go of everything; the pages stay for what comes.
    pub fn vider(&mut self) {
        self.index.clear();
        self.pages.iter_mut().for_each(Vec::clear);
        self.derniere = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trouve<const N: usize>(chaud: &mut Chaud<N>, cle: &str) -> Option<Vec<u8>> {
        chaud.trouver(cle, <[u8]>::to_vec)
    }

    #[test]
    fn the_oldest_go_and_what_is_asked_for_stays() {
        let mut chaud = Chaud::<4>::default();
        let valeur = |n: usize| vec![u8::try_from(n % 251).unwrap(); 10_000];
        for n in 0..1_000 {
            chaud.garder(&n.to_string(), &valeur(n));
            assert_eq!(trouve(&mut chaud, "0"), Some(valeur(0)), "asked for after {n}");
        }
        assert_eq!(trouve(&mut chaud, "999"), Some(valeur(999)));
        assert_eq!(trouve(&mut chaud, "500"), None);
        assert!(chaud.pages.len() == 4 && chaud.pages.iter().all(|p| p.capacity() == PAGE), "bounded");
        assert!(chaud.index.len() <= 4 * PAGE / 10_000);
        chaud.vider();
        assert_eq!(trouve(&mut chaud, "999"), None);
        chaud.garder("999", b"autre");
        assert_eq!(trouve(&mut chaud, "999"), Some(b"autre".to_vec()));
    }

    #[test]
    fn what_fits_no_page_is_not_kept() {
        let mut chaud = Chaud::<2>::default();
        chaud.garder("grand", &vec![0; PAGE]);
        assert_eq!(trouve(&mut chaud, "grand"), None);
    }

    proptest! {
        #[test]
        fn a_key_has_its_last_value_or_none(gestes in proptest::collection::vec((0u8..20, 0usize..60_000, any::<u8>()), 0..120)) {
            let mut chaud = Chaud::<3>::default();
            let mut dernieres = HashMap::new();
            for (cle, taille, octet) in gestes {
                let cle = cle.to_string();
                if let Some(lu) = trouve(&mut chaud, &cle) {
                    prop_assert_eq!(Some(&lu), dernieres.get(&cle));
                }
                chaud.garder(&cle, &vec![octet; taille]);
                dernieres.insert(cle.clone(), vec![octet; taille]);
                prop_assert_eq!(trouve(&mut chaud, &cle), dernieres.get(&cle).cloned());
            }
        }
    }
}
