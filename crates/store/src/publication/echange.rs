//! A small value that several calls may change at once: created once, from then on only swapped.

use crate::kv::{KeyValueWrite, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Attempts at a compare-and-swap before giving up.
const ESSAIS: usize = 20;

/// Changes the value under a key by compare-and-swap; the default stands where there is none yet.
///
/// # Errors
/// [`StoreError::Damaged`] where the value cannot be read, else those of the store.
pub async fn changer<K: KeyValueWrite, V: Default + Serialize + DeserializeOwned, T>(
    kv: &K,
    cle: &str,
    change: impl FnMut(&mut V) -> T,
) -> Result<T, StoreError> {
    echanger(kv, cle, |bytes| serde_json::from_slice(bytes).map_err(|_| StoreError::Damaged(cle.into())), change).await
}

/// The same for a value that can be made anew: one that cannot be read counts as none.
///
/// # Errors
/// Those of the store.
pub async fn changer_ou_refaire<K: KeyValueWrite, V: Default + Serialize + DeserializeOwned, T>(
    kv: &K,
    cle: &str,
    change: impl FnMut(&mut V) -> T,
) -> Result<T, StoreError> {
    echanger(kv, cle, |bytes| Ok(serde_json::from_slice(bytes).unwrap_or_default()), change).await
}

async fn echanger<K: KeyValueWrite, V: Default + Serialize, T>(
    kv: &K,
    cle: &str,
    lire: impl Fn(&[u8]) -> Result<V, StoreError>,
    mut change: impl FnMut(&mut V) -> T,
) -> Result<T, StoreError> {
    for _ in 0..ESSAIS {
        let bytes = match kv.get(cle).await? {
            Some(bytes) => bytes,
            None => {
                let vide = serde_json::to_vec(&V::default()).unwrap_or_default();
                kv.set(cle, vide.clone()).await?;
                vide
            }
        };
        let mut valeur = lire(&bytes)?;
        let sortie = change(&mut valeur);
        let nouvelle = serde_json::to_vec(&valeur).unwrap_or_default();
        if nouvelle == bytes || kv.swap(cle, &bytes, nouvelle).await? {
            return Ok(sortie);
        }
    }
    Err(StoreError::Unavailable(format!("{cle} keeps changing")))
}
