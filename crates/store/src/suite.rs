//! Entries that do not fit beside others: what lies in values of their own, and what leads to them.
//!
//! An entry of a bundle or page is some hundred bytes; that of a place with tens of thousands of rows, or of the counts
//! of a diploma with as many courses, is larger than a value may be. Such an entry is cut over consecutive values of
//! `suite.{family}`, and a **head** lies in its place. A head begins with a length that no entry begins with, so what does
//! not know heads finds a damaged entry, never a short one.

use crate::bundle::Damaged;
use crate::cle;
use crate::codec::{self, Reader, SCEAU, Writer};
use crate::kv::{KeyValue, StoreError};

/// Entries up to this size lie in place, in bytes.
pub const ENTREE_MAX: usize = 64 * 1024;
/// Bytes of a value of a cut entry.
const MORCEAU: usize = 256 * 1024;

/// The family of the values of cut entries of a family.
#[must_use]
pub fn famille(famille: &str) -> String {
    format!("suite.{famille}")
}

/// Where a cut entry lies: its first value and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tete {
    /// Number of the first value.
    pub premier: usize,
    /// How many values.
    pub nombre: usize,
}

impl Tete {
    /// What lies in the place of the entry.
    #[must_use]
    pub fn coder(self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(u64::MAX).size(self.premier).size(self.nombre);
        writer.0
    }

    /// `None`: the entry lies in place.
    #[must_use]
    pub fn lire(entree: &[u8]) -> Option<Self> {
        let mut reader = Reader(entree);
        if reader.number()? != u64::MAX {
            return None;
        }
        let tete = Self { premier: reader.size()?, nombre: reader.size()? };
        reader.0.is_empty().then_some(tete)
    }
}

/// The values of an entry that is too large to lie in place; `None` where it may.
#[must_use]
pub fn couper(entree: &[u8], place: usize) -> Option<Vec<Vec<u8>>> {
    (entree.len() > place).then(|| {
        let morceau = |octets: &[u8]| {
            let mut morceau = vec![0; SCEAU];
            morceau.extend_from_slice(octets);
            codec::sceller(&mut morceau);
            morceau
        };
        entree.chunks(MORCEAU).map(morceau).collect()
    })
}

/// The whole entry: as it lies in place, or put together from its values.
///
/// # Errors
/// [`StoreError::Damaged`] where a value is missing or damaged, else those of the store.
pub async fn entiere<K: KeyValue>(kv: &K, generation: &str, nom: &str, entree: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let Some(tete) = Tete::lire(&entree) else { return Ok(entree) };
    let famille = famille(nom);
    let mut entree = Vec::new();
    for rang in 0..tete.nombre {
        let key = cle::valeur(generation, &famille, tete.premier.saturating_add(rang));
        let valeur = kv.get(&key).await?.ok_or_else(|| StoreError::Damaged(key.clone()))?;
        entree.extend_from_slice(codec::desceller(&valeur).ok_or(Damaged).map_err(|Damaged| StoreError::Damaged(key))?);
    }
    Ok(entree)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::KeyValueWrite;
    use crate::liste::{EntreeCode, EntreeUai};
    use crate::{Memoire, compte};
    use futures_executor::block_on;

    #[test]
    fn an_entry_comes_back_whole_or_as_a_fault() {
        let entree: Vec<u8> = (0..700_000u32).map(|n| n.to_le_bytes()[0]).collect();
        assert_eq!(couper(&entree[..ENTREE_MAX], ENTREE_MAX), None);
        let morceaux = couper(&entree, ENTREE_MAX).unwrap();
        let kv = Memoire::default();
        block_on(async {
            for (n, morceau) in morceaux.iter().enumerate() {
                kv.set(&cle::valeur("g1", "suite.uais.x", 5 + n), morceau.clone()).await.unwrap();
            }
            let tete = Tete { premier: 5, nombre: morceaux.len() };
            let lire = || entiere(&kv, "g1", "uais.x", tete.coder());
            assert_eq!(lire().await.unwrap(), entree);
            kv.corrupt("g1:suite.uais.x:6", Some(morceaux[0][1..].to_vec()));
            assert!(matches!(lire().await, Err(StoreError::Damaged(_))));
            kv.corrupt("g1:suite.uais.x:6", None);
            assert!(matches!(lire().await, Err(StoreError::Damaged(_))));
            assert_eq!(entiere(&kv, "g1", "uais.x", vec![3, 1, 2]).await.unwrap(), [3, 1, 2]);
        });
    }

    #[test]
    fn what_does_not_know_heads_finds_damage() {
        let tete = Tete { premier: 0, nombre: 2 }.coder();
        assert!(EntreeCode::decoder(&tete).is_err() && EntreeUai::decoder(&tete).is_err());
        assert_eq!(compte::vue(&[("40025214".into(), tete)], |_| true, None, 0), None);
    }
}
