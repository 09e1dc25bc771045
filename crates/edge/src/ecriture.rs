//! The store, for writing: components that write use this, read components never do.

use crate::magasin;
use spin_sdk::experimental::wasi::keyvalue::{atomics, batch, store as wasi_store};
use spin_sdk::key_value::Store;
use std::rc::Rc;
use store::kv::{KeyValue, KeyValueWrite, StoreError};

/// What the deployment's store can do: the variable `store_profile`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ecriture {
    /// SQLite: batches in one transaction, compare-and-swap.
    #[default]
    Sqlite,
    /// Redis or Valkey: batches and compare-and-swap, read back because a lost one may look won.
    Redis,
    /// Neither: one value at a time. Two schedulers are not kept apart.
    Basic,
}

impl Ecriture {
    /// Reads the variable; an unknown word is the most careful profile.
    #[must_use]
    pub fn lire(nom: &str) -> Self {
        match nom {
            "" | "sqlite" => Self::Sqlite,
            "redis" => Self::Redis,
            _ => Self::Basic,
        }
    }

    /// How many values one batch may hold; DynamoDB's own limit is 25.
    #[must_use]
    pub fn lot(self) -> usize {
        if self == Self::Basic { 1 } else { 25 }
    }
}

/// The store, opened for writing.
#[derive(Clone)]
pub struct MagasinEcriture {
    lecture: Result<Rc<Store>, StoreError>,
    profil: Ecriture,
}

impl std::fmt::Debug for MagasinEcriture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MagasinEcriture").field("profil", &self.profil).finish_non_exhaustive()
    }
}

fn refus(erreur: impl std::fmt::Debug) -> StoreError {
    StoreError::Unavailable(format!("{erreur:?}"))
}

impl MagasinEcriture {
    /// Opens the store.
    pub async fn ouvrir(profil: Ecriture) -> Self {
        Self { lecture: magasin::ouvrir().await, profil }
    }

    /// What the store can do.
    #[must_use]
    pub fn profil(&self) -> Ecriture {
        self.profil
    }

    fn store(&self) -> Result<&Store, StoreError> {
        self.lecture.as_deref().map_err(Clone::clone)
    }
}

impl KeyValue for MagasinEcriture {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store()?.get(key).await.map_err(|e| StoreError::Unavailable(e.to_string()))
    }
}

impl KeyValueWrite for MagasinEcriture {
    async fn set_many_brut(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        if self.profil == Ecriture::Basic || pairs.len() == 1 {
            for (key, value) in pairs {
                self.store()?.set(key, value).await.map_err(|e| StoreError::Unavailable(e.to_string()))?;
            }
            return Ok(());
        }
        let bucket = wasi_store::open(crate::LABEL).map_err(refus)?;
        for lot in pairs.chunks(self.profil.lot()) {
            batch::set_many(&bucket, lot).map_err(refus)?;
        }
        Ok(())
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        if self.profil == Ecriture::Basic || keys.len() == 1 {
            for key in keys {
                self.store()?.delete(key).await.map_err(|e| StoreError::Unavailable(e.to_string()))?;
            }
            return Ok(());
        }
        let bucket = wasi_store::open(crate::LABEL).map_err(refus)?;
        for lot in keys.chunks(self.profil.lot()) {
            batch::delete_many(&bucket, lot).map_err(refus)?;
        }
        Ok(())
    }

    async fn swap_brut(&self, key: &str, old: &[u8], new: Vec<u8>) -> Result<bool, StoreError> {
        if self.profil == Ecriture::Basic {
            if self.get(key).await?.as_deref() != Some(old) {
                return Ok(false);
            }
            self.set(key, new).await?;
            return Ok(true);
        }
        let bucket = wasi_store::open(crate::LABEL).map_err(refus)?;
        let cas = atomics::Cas::new(&bucket, key).map_err(refus)?;
        if cas.current().map_err(refus)?.as_deref() != Some(old) {
            return Ok(false);
        }
        match atomics::swap(cas, &new) {
            Ok(()) => Ok(self.profil != Ecriture::Redis || self.get(key).await?.as_deref() == Some(new.as_slice())),
            Err(atomics::CasError::CasFailed(_)) => Ok(false),
            Err(atomics::CasError::StoreError(erreur)) => Err(refus(erreur)),
        }
    }
}
