//! A small value that several calls may change at once: created once, from then on only swapped.

use crate::kv::{KeyValueWrite, StoreError, to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Attempts at a compare-and-swap before giving up.
const ATTEMPTS: usize = 20;

/// Changes the value under a key by compare-and-swap; the default stands where there is none yet.
///
/// # Errors
/// [`StoreError::Damaged`] where the value cannot be read, else those of the store.
pub async fn update<K: KeyValueWrite, V: Default + Serialize + DeserializeOwned, T>(
    kv: &K,
    key: &str,
    change: impl FnMut(&mut V) -> T,
) -> Result<T, StoreError> {
    swap(kv, key, |bytes| serde_json::from_slice(bytes).map_err(|_| StoreError::Damaged(key.into())), change).await
}

/// The same for a value that can be made anew: one that cannot be read counts as none.
///
/// # Errors
/// Those of the store.
pub async fn change_or_rebuild<K: KeyValueWrite, V: Default + Serialize + DeserializeOwned, T>(
    kv: &K,
    key: &str,
    change: impl FnMut(&mut V) -> T,
) -> Result<T, StoreError> {
    swap(kv, key, |bytes| Ok(serde_json::from_slice(bytes).unwrap_or_default()), change).await
}

async fn swap<K: KeyValueWrite, V: Default + Serialize, T>(
    kv: &K,
    key: &str,
    read: impl Fn(&[u8]) -> Result<V, StoreError>,
    mut change: impl FnMut(&mut V) -> T,
) -> Result<T, StoreError> {
    for _ in 0..ATTEMPTS {
        let bytes = match kv.get(key).await? {
            Some(bytes) => bytes,
            None => {
                let empty = to_json(key, &V::default())?;
                if !kv.create(key, empty.clone()).await? {
                    continue;
                }
                empty
            }
        };
        let mut value = read(&bytes)?;
        let output = change(&mut value);
        let new = to_json(key, &value)?;
        if new == bytes || kv.swap(key, &bytes, new).await? {
            return Ok(output);
        }
    }
    Err(StoreError::Unavailable(format!("{key} keeps changing")))
}
