//! What the tests of routes share: a store that counts its reads.

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
