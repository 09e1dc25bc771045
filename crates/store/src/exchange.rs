//! A small value that several calls may change at once: created once, from then on only swapped.

use crate::frame;
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
    let read = |bytes: &[u8]| serde_json::from_slice(bytes).map_err(|_| StoreError::Damaged(key.into()));
    update_as(kv, key, read, |value| to_json(key, value), change).await
}

/// The same for a framed value that can be made anew: one that cannot be read counts as none.
///
/// # Errors
/// Those of the store.
pub async fn change_or_rebuild<K: KeyValueWrite, V: Default + Serialize + DeserializeOwned, T>(
    kv: &K,
    key: &str,
    change: impl FnMut(&mut V) -> T,
) -> Result<T, StoreError> {
    let read = |bytes: &[u8]| Ok(frame::open_json(key, bytes).unwrap_or_default());
    update_as(kv, key, read, |value| frame::seal_json(key, value), change).await
}

/// The same for a value with a form of its own.
///
/// # Errors
/// What `read` says of a value that it cannot read, else those of the store.
pub async fn update_as<K: KeyValueWrite, V: Default, T>(
    kv: &K,
    key: &str,
    read: impl Fn(&[u8]) -> Result<V, StoreError>,
    write: impl Fn(&V) -> Result<Vec<u8>, StoreError>,
    mut change: impl FnMut(&mut V) -> T,
) -> Result<T, StoreError> {
    for _ in 0..ATTEMPTS {
        let bytes = match kv.get(key).await? {
            Some(bytes) => bytes,
            None => {
                let empty = write(&V::default())?;
                if !kv.create(key, empty.clone()).await? {
                    continue;
                }
                empty
            }
        };
        let mut value = read(&bytes)?;
        let output = change(&mut value);
        let new = write(&value)?;
        if new == bytes || kv.swap(key, &bytes, new).await? {
            return Ok(output);
        }
    }
    Err(StoreError::Unavailable(format!("{key} keeps changing")))
}
