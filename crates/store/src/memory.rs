//! An in-memory double of the store, for tests and native tools.

use crate::kv::{KEY_MAX, KeyValue, KeyValueWrite, StoreError, VALUE_MAX};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Keeps everything in a map, counts operations, refuses what a hosted store would refuse, and
/// fails on demand.
#[derive(Debug, Default)]
pub struct MemoryStore {
    values: RefCell<BTreeMap<String, Vec<u8>>>,
    /// Reads so far.
    pub gets: Cell<u64>,
    /// Values written so far.
    pub sets: Cell<u64>,
    /// Where some: how many further operations succeed before every one fails.
    pub remaining: Cell<Option<u64>>,
}

impl MemoryStore {
    /// The keys held now, for assertions.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.values.borrow().keys().cloned().collect()
    }

    /// Sets a value past every rule, to damage a store in a test.
    pub fn corrupt(&self, key: &str, value: Option<Vec<u8>>) {
        match value {
            Some(value) => self.values.borrow_mut().insert(key.to_owned(), value),
            None => self.values.borrow_mut().remove(key),
        };
    }

    fn operation(&self) -> Result<(), StoreError> {
        match self.remaining.get() {
            Some(0) => Err(StoreError::Unavailable("injected".into())),
            Some(n) => {
                self.remaining.set(Some(n - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl KeyValue for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.operation()?;
        self.gets.set(self.gets.get() + 1);
        Ok(self.values.borrow().get(key).cloned())
    }
}

impl KeyValueWrite for MemoryStore {
    async fn set_many_raw(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        for (key, value) in pairs {
            self.operation()?;
            let known = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
            assert!(key.len() <= KEY_MAX && key.bytes().all(known), "invariant 8: key {key}");
            assert!(value.len() <= VALUE_MAX, "invariant 8: {} bytes under {key}", value.len());
            self.sets.set(self.sets.get() + 1);
            self.values.borrow_mut().insert(key, value);
        }
        Ok(())
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        for key in keys {
            self.operation()?;
            self.values.borrow_mut().remove(&key);
        }
        Ok(())
    }

    async fn swap_raw(&self, key: &str, old: &[u8], new: Vec<u8>) -> Result<bool, StoreError> {
        self.operation()?;
        let mut values = self.values.borrow_mut();
        match values.get_mut(key) {
            Some(value) if value == old => {
                *value = new;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
