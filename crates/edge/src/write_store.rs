//! The store, for writing: components that write use this, read components never do.

use crate::read_store;
use spin_sdk::experimental::wasi::keyvalue::{atomics, batch, store as wasi_store};
use spin_sdk::key_value::Store;
use std::rc::Rc;
use store::kv::{KeyValue, KeyValueWrite, StoreError};
use store::trail::{self, BlindSwap};

/// What the deployment's store can do: the variable `store_profile`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteProfile {
    /// SQLite: batches in one transaction, compare-and-swap.
    #[default]
    Sqlite,
    /// Redis or Valkey: batches, and swaps whose answer means nothing, see [`store::trail`].
    Redis,
    /// Neither: one value at a time. Two who write at once are not kept apart, each may be told that it won.
    Basic,
}

impl WriteProfile {
    /// Reads the variable; an unknown word is the most careful profile.
    #[must_use]
    pub fn read(name: &str) -> Self {
        match name {
            "" | "sqlite" => Self::Sqlite,
            "redis" => Self::Redis,
            _ => Self::Basic,
        }
    }

    /// How many values one batch may hold. On SQLite each batch is a transaction, which waits four times for the disk; a
    /// large one keeps readers waiting for some milliseconds. On Redis it is a command.
    #[must_use]
    pub fn batch(self) -> usize {
        match self {
            Self::Sqlite => 100,
            Self::Redis => 25,
            Self::Basic => 1,
        }
    }
}

/// The store, opened for writing.
#[derive(Clone)]
pub struct WriteStore {
    reading: Result<Rc<Store>, StoreError>,
    profile: WriteProfile,
}

impl std::fmt::Debug for WriteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteStore").field("profile", &self.profile).finish_non_exhaustive()
    }
}

fn refusal(error: impl std::fmt::Debug) -> StoreError {
    StoreError::Unavailable(format!("{error:?}"))
}

impl WriteStore {
    /// Opens the store.
    pub async fn open(profile: WriteProfile) -> Self {
        Self { reading: read_store::open().await, profile }
    }

    /// What the store can do.
    #[must_use]
    pub fn profile(&self) -> WriteProfile {
        self.profile
    }

    fn store(&self) -> Result<&Store, StoreError> {
        self.reading.as_deref().map_err(Clone::clone)
    }
}

impl KeyValue for WriteStore {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.get_as_stored(key).await?;
        Ok(if self.profile == WriteProfile::Redis { value.map(trail::strip) } else { value })
    }
}

impl BlindSwap for WriteStore {
    async fn attempt(
        &self,
        key: &str,
        change: impl FnOnce(Option<&[u8]>) -> Option<Vec<u8>>,
    ) -> Result<bool, StoreError> {
        let bucket = wasi_store::open(crate::LABEL).map_err(refusal)?;
        let cas = atomics::Cas::new(&bucket, key).map_err(refusal)?;
        let Some(new) = change(cas.current().map_err(refusal)?.as_deref()) else { return Ok(false) };
        // Whatever it answers: what happened is read back.
        let _ = atomics::swap(cas, &new);
        Ok(true)
    }

    async fn get_as_stored(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store()?.get(key).await.map_err(|e| StoreError::Unavailable(e.to_string()))
    }
}

impl KeyValueWrite for WriteStore {
    async fn set_many_raw(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        if self.profile == WriteProfile::Basic || pairs.len() == 1 {
            for (key, value) in pairs {
                self.store()?.set(key, value).await.map_err(|e| StoreError::Unavailable(e.to_string()))?;
            }
            return Ok(());
        }
        let bucket = wasi_store::open(crate::LABEL).map_err(refusal)?;
        for batch in pairs.chunks(self.profile.batch()) {
            batch::set_many(&bucket, batch).map_err(refusal)?;
        }
        Ok(())
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        if self.profile == WriteProfile::Basic || keys.len() == 1 {
            for key in keys {
                self.store()?.delete(key).await.map_err(|e| StoreError::Unavailable(e.to_string()))?;
            }
            return Ok(());
        }
        let bucket = wasi_store::open(crate::LABEL).map_err(refusal)?;
        for batch in keys.chunks(self.profile.batch()) {
            batch::delete_many(&bucket, batch).map_err(refusal)?;
        }
        Ok(())
    }

    async fn swap_raw(&self, key: &str, old: &[u8], new: Vec<u8>) -> Result<bool, StoreError> {
        match self.profile {
            WriteProfile::Redis => trail::swap(self, key, Some(old), &new, id()).await,
            WriteProfile::Basic => {
                let same = self.get(key).await?.as_deref() == Some(old);
                if same {
                    self.set(key, new).await?;
                }
                Ok(same)
            }
            WriteProfile::Sqlite => {
                let bucket = wasi_store::open(crate::LABEL).map_err(refusal)?;
                let cas = atomics::Cas::new(&bucket, key).map_err(refusal)?;
                if cas.current().map_err(refusal)?.as_deref() != Some(old) {
                    return Ok(false);
                }
                match atomics::swap(cas, &new) {
                    Ok(()) => Ok(true),
                    Err(atomics::CasError::CasFailed(_)) => Ok(false),
                    Err(atomics::CasError::StoreError(error)) => Err(refusal(error)),
                }
            }
        }
    }

    async fn create_raw(&self, key: &str, value: Vec<u8>) -> Result<bool, StoreError> {
        if self.profile == WriteProfile::Redis {
            return trail::swap(self, key, None, &value, id()).await;
        }
        // Neither SQLite's swap, which writes over what another call has just made, nor `basic` can keep two apart.
        let absent = self.get(key).await?.is_none();
        if absent {
            self.set(key, value).await?;
        }
        Ok(absent)
    }
}

/// The id of an attempt: never that of another.
fn id() -> u64 {
    u64::from_le_bytes(crate::random())
}
