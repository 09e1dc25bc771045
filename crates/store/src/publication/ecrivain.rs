//! Writing under a generation, so that it can be deleted later without listing a key.

use crate::cle;
use crate::kv::{KeyValue, KeyValueWrite, StoreError, VALUE_MAX};
use std::collections::BTreeMap;

/// How far ahead a high-water mark is raised: one write of marks covers so many values.
const AVANCE: usize = 256;
/// Bytes of a value of a long text.
const MORCEAU_LONG: usize = 256 * 1024;
/// How many bytes wait for a batch, at most.
const ATTENTE_MAX: usize = 3 * 1024 * 1024;

/// The key of the marks of a prefix (a generation, or the parts of a job).
pub(super) fn cle_marques(prefixe: &str) -> String {
    format!("work:marks:{prefixe}")
}

/// The high-water marks of a prefix.
pub(super) async fn lire_marques<K: KeyValueWrite>(
    kv: &K,
    prefixe: &str,
) -> Result<BTreeMap<String, usize>, StoreError> {
    let bytes = kv.get(&cle_marques(prefixe)).await?;
    Ok(bytes.and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default())
}

/// Writes bytes of any length as consecutive values of a family, from `debut` on: how many.
///
/// # Errors
/// Those of the store.
pub async fn poser_long<K: KeyValueWrite>(
    ecrivain: &mut Ecrivain<'_, K>,
    famille: &str,
    debut: usize,
    bytes: &[u8],
) -> Result<usize, StoreError> {
    let mut n = 0;
    for morceau in bytes.chunks(MORCEAU_LONG) {
        ecrivain.poser(famille, debut + n, morceau.to_vec()).await?;
        n += 1;
    }
    Ok(n)
}

/// Reads what [`poser_long`] wrote.
///
/// # Errors
/// [`StoreError::Damaged`] where a value is missing, else those of the store.
pub async fn lire_long<K: KeyValue>(
    kv: &K,
    prefixe: &str,
    famille: &str,
    debut: usize,
    nombre: usize,
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    for n in debut..debut + nombre {
        let key = cle::valeur(prefixe, famille, n);
        bytes.extend(kv.get(&key).await?.ok_or(StoreError::Damaged(key))?);
    }
    Ok(bytes)
}

/// Writes values under a prefix in batches, each family's mark raised before its first value
/// beyond it.
pub struct Ecrivain<'a, K> {
    kv: &'a K,
    prefixe: String,
    lot: usize,
    avance: usize,
    marques: BTreeMap<String, usize>,
    attente: Vec<(String, Vec<u8>)>,
    octets: usize,
    /// Values written, marks included.
    pub ecritures: u64,
}

impl<'a, K: KeyValueWrite> Ecrivain<'a, K> {
    /// For the values of a prefix, in batches of `lot`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn ouvrir(kv: &'a K, prefixe: &str, lot: usize) -> Result<Self, StoreError> {
        let marques = lire_marques(kv, prefixe).await?;
        Ok(Self {
            kv,
            prefixe: prefixe.to_owned(),
            lot: lot.max(1),
            avance: AVANCE,
            marques,
            attente: Vec::new(),
            octets: 0,
            ecritures: 0,
        })
    }

    /// With marks raised by less: for a prefix of many small families, whose deletion should not
    /// count down through keys that never were.
    #[must_use]
    pub fn avec_avance(mut self, avance: usize) -> Self {
        self.avance = avance.max(1);
        self
    }

    /// Writes a value, now or with its batch.
    ///
    /// # Errors
    /// Those of the store, and a value over [`VALUE_MAX`].
    pub async fn poser(&mut self, famille: &str, n: usize, valeur: Vec<u8>) -> Result<(), StoreError> {
        if valeur.len() > VALUE_MAX {
            return Err(StoreError::Unavailable(format!("{famille}:{n} would hold {} bytes", valeur.len())));
        }
        if self.marques.get(famille).is_none_or(|m| n >= *m) {
            // Values that wait may lie under marks that are not written yet: marks go first.
            self.marques.insert(famille.to_owned(), n + self.avance);
            let marques = serde_json::to_vec(&self.marques).unwrap_or_default();
            self.kv.set(&cle_marques(&self.prefixe), marques).await?;
            self.ecritures += 1;
        }
        self.octets += valeur.len();
        self.attente.push((cle::valeur(&self.prefixe, famille, n), valeur));
        if self.attente.len() >= self.lot || self.octets >= ATTENTE_MAX {
            self.vider().await?;
        }
        Ok(())
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn vider(&mut self) -> Result<(), StoreError> {
        if !self.attente.is_empty() {
            self.ecritures += self.attente.len() as u64;
            self.octets = 0;
            self.kv.set_many(std::mem::take(&mut self.attente)).await?;
        }
        Ok(())
    }
}

/// Deletes the families of a prefix that `choix` names, counting down from their marks: `true`
/// once nothing of them is left. At most `limite` keys a call; the marks are lowered behind what
/// is gone.
pub(super) async fn effacer<K: KeyValueWrite>(
    kv: &K,
    prefixe: &str,
    lot: usize,
    limite: usize,
    choix: impl Fn(&str) -> bool,
) -> Result<bool, StoreError> {
    let mut marques = lire_marques(kv, prefixe).await?;
    let mut reste = limite;
    while reste > 0 {
        let Some((famille, &marque)) = marques.iter().rfind(|(famille, _)| choix(famille)) else {
            break;
        };
        let famille = famille.clone();
        let de = marque.saturating_sub(reste.min(lot.max(1)));
        kv.delete_many((de..marque).map(|n| cle::valeur(prefixe, &famille, n)).collect()).await?;
        reste = reste.saturating_sub(marque - de);
        if de == 0 {
            marques.remove(&famille);
        } else {
            marques.insert(famille, de);
        }
    }
    if marques.is_empty() {
        kv.delete_many(vec![cle_marques(prefixe)]).await?;
    } else {
        kv.set(&cle_marques(prefixe), serde_json::to_vec(&marques).unwrap_or_default()).await?;
    }
    Ok(!marques.keys().any(|famille| choix(famille)))
}
