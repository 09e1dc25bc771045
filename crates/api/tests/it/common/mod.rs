//! What the tests of routes share: a store that counts its reads, and the world of a publication.

use domain::Document;
use publication::Environment;
use std::cell::Cell;
use std::rc::Rc;
use store::MemoryStore;
use store::kv::{KeyValue, StoreError};

/// The store, and how many values were read.
#[derive(Clone, Default)]
pub struct ReadStore(pub Rc<MemoryStore>, pub Rc<Cell<usize>>);

impl KeyValue for ReadStore {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.1.set(self.1.get() + 1);
        self.0.get(key).await
    }
}

/// A world in which no time passes.
pub struct World;

impl Environment for World {
    fn now_ms(&self) -> i64 {
        0
    }
    fn monotonic_ms(&self) -> u64 {
        0
    }
    async fn user(&self, _: &Document) -> Result<(), StoreError> {
        Ok(())
    }
    fn batch(&self) -> usize {
        25
    }
}
