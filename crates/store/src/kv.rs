//! The few operations this crate needs of a key-value store.

use serde::Serialize;
use serde_json::Value;
use std::future::Future;

/// A value that cannot be trusted.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged;

/// Largest value this crate writes, in bytes. The smallest limit of the hosts is 400 KB
/// (DynamoDB, Cosmos DB); the rest is left for their own overhead.
pub const VALUE_MAX: usize = 300 * 1024;

/// Longest key this crate writes, in bytes.
pub const KEY_MAX: usize = 200;

/// Why a value could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store itself failed: try again later.
    #[error("the store did not answer: {0}")]
    Unavailable(String),
    /// A value of the generation is missing or damaged: a fault, never "no data".
    #[error("the value {0} is missing or damaged")]
    Damaged(String),
    /// What lies there was written by another version of the application, in a layout that this one does not know: never
    /// "nothing there", and never a value to write over.
    #[error("{key} is of layout {layout}, which this version of the application does not know")]
    OtherLayout {
        /// What was read.
        key: String,
        /// The layout that it names.
        layout: u32,
    },
    /// A value cannot be written as it is: trying again does not help.
    #[error("the value of {key} cannot be written: {reason}")]
    Invalid {
        /// Where it was to lie.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value that no host is sure to take was about to be written: trying again makes the same one, so whoever makes it
    /// ends with this as its reason.
    #[error("the value {0} would hold {1} bytes, {VALUE_MAX} at most are written")]
    TooLarge(String, usize),
    /// Nothing has been published yet.
    #[error("nothing has been published yet")]
    Empty,
}

impl StoreError {
    /// Why a job ends by it, in French; `None` where trying again later may help.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Unavailable(_) | Self::Empty => None,
            Self::Damaged(what) => Some(format!("valeur absente ou abîmée dans le magasin : {what}")),
            Self::OtherLayout { key, layout } => Some(format!(
                "{key} est de la disposition {layout}, que cette version de l'application ne connaît pas : servir avec la version qui l'a écrit, ou revenir à la génération précédente avec elle"
            )),
            Self::Invalid { key, reason } => Some(format!("la valeur de {key} ne peut pas être écrite : {reason}")),
            Self::TooLarge(what, bytes) => Some(format!(
                "valeur trop grande pour le magasin : {what} aurait {bytes} octets, {VALUE_MAX} au plus sont écrits"
            )),
        }
    }
}

/// The JSON of what is to lie under a key.
///
/// # Errors
/// [`StoreError::Invalid`] where it has none: nothing is written in its place.
pub fn to_json<V: Serialize + ?Sized>(key: &str, value: &V) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|fault| StoreError::Invalid { key: key.to_owned(), reason: fault.to_string() })
}

/// The same as a value that more is put into. By way of the bytes: each type would be compiled for values once more.
///
/// # Errors
/// As [`to_json`].
pub fn to_value<V: Serialize + ?Sized>(key: &str, value: &V) -> Result<Value, StoreError> {
    let invalid = |fault: serde_json::Error| StoreError::Invalid { key: key.to_owned(), reason: fault.to_string() };
    serde_json::from_slice(&to_json(key, value)?).map_err(invalid)
}

/// Whether a value may be written: invariant 8, at every write.
fn holds(key: &str, value: &[u8]) -> Result<(), StoreError> {
    if value.len() > VALUE_MAX {
        return Err(StoreError::TooLarge(key.to_owned(), value.len()));
    }
    Ok(())
}

/// Reading.
pub trait KeyValue {
    /// The value under a key, `None` where there is none.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>>;
}

/// Writing. Listing keys is not offered, on purpose: see invariant 8.
///
/// Stores give the `_brut` functions; everyone else calls those that refuse a value beyond [`VALUE_MAX`], so that no
/// such value ever reaches a store.
pub trait KeyValueWrite: KeyValue {
    /// Writes values whatever their size; each lies whole or not at all, the lot need not be atomic.
    fn set_many_raw(&self, pairs: Vec<(String, Vec<u8>)>) -> impl Future<Output = Result<(), StoreError>>;

    /// Deletes keys; absent ones are no error.
    fn delete_many(&self, keys: Vec<String>) -> impl Future<Output = Result<(), StoreError>>;

    /// Replaces the value of an existing key if it still is `old`, whatever its size; `false` if it is not.
    fn swap_raw(&self, key: &str, old: &[u8], new: Vec<u8>) -> impl Future<Output = Result<bool, StoreError>>;

    /// Writes the value of an absent key; `false` if there is one. Only a store that can swap what is absent keeps two
    /// callers apart here: on the others the later of two that come at the same moment stands.
    fn create_raw(&self, key: &str, value: Vec<u8>) -> impl Future<Output = Result<bool, StoreError>> {
        async move {
            if self.get(key).await?.is_some() {
                return Ok(false);
            }
            self.set_many_raw(vec![(key.to_owned(), value)]).await?;
            Ok(true)
        }
    }

    /// Writes values; each lies whole or not at all, the lot need not be atomic.
    fn set_many(&self, pairs: Vec<(String, Vec<u8>)>) -> impl Future<Output = Result<(), StoreError>> {
        async move {
            pairs.iter().try_for_each(|(key, value)| holds(key, value))?;
            self.set_many_raw(pairs).await
        }
    }

    /// Replaces the value of an existing key if it still is `old`; `false` if it is not.
    fn swap(&self, key: &str, old: &[u8], new: Vec<u8>) -> impl Future<Output = Result<bool, StoreError>> {
        async move {
            holds(key, &new)?;
            self.swap_raw(key, old, new).await
        }
    }

    /// Writes the value of an absent key; `false` if there is one. See [`Self::create_raw`].
    fn create(&self, key: &str, value: Vec<u8>) -> impl Future<Output = Result<bool, StoreError>> {
        async move {
            holds(key, &value)?;
            self.create_raw(key, value).await
        }
    }

    /// Writes one value.
    fn set(&self, key: &str, value: Vec<u8>) -> impl Future<Output = Result<(), StoreError>> {
        self.set_many(vec![(key.to_owned(), value)])
    }
}

impl<K: KeyValue + ?Sized> KeyValue for &K {
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> {
        (**self).get(key)
    }
}

impl<K: KeyValueWrite + ?Sized> KeyValueWrite for &K {
    fn set_many_raw(&self, pairs: Vec<(String, Vec<u8>)>) -> impl Future<Output = Result<(), StoreError>> {
        (**self).set_many_raw(pairs)
    }

    fn delete_many(&self, keys: Vec<String>) -> impl Future<Output = Result<(), StoreError>> {
        (**self).delete_many(keys)
    }

    fn swap_raw(&self, key: &str, old: &[u8], new: Vec<u8>) -> impl Future<Output = Result<bool, StoreError>> {
        (**self).swap_raw(key, old, new)
    }

    fn create_raw(&self, key: &str, value: Vec<u8>) -> impl Future<Output = Result<bool, StoreError>> {
        (**self).create_raw(key, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_without_json_is_an_error_and_not_an_empty_value() {
        let without = std::collections::BTreeMap::from([((1, 2), "a key of JSON is a text")]);
        assert!(matches!(to_json("k", &without), Err(StoreError::Invalid { key, .. }) if key == "k"));
        assert_eq!(to_json("k", &1), Ok(b"1".to_vec()));
    }
}
