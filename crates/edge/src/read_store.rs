//! The store, for reading.

use spin_sdk::key_value::Store;
use std::cell::RefCell;
use std::rc::Rc;
use store::kv::{KeyValue, StoreError};

thread_local! {
    /// The store stays open between the requests of an instance.
    static OPENED: RefCell<Option<Rc<Store>>> = const { RefCell::new(None) };
}

/// Opens the store, once for an instance.
pub(crate) async fn open() -> Result<Rc<Store>, StoreError> {
    if let Some(opened) = OPENED.with_borrow(Clone::clone) {
        return Ok(opened);
    }
    let store = Store::open(crate::LABEL).await.map_err(|e| StoreError::Unavailable(e.to_string()))?;
    let store = Rc::new(store);
    OPENED.set(Some(Rc::clone(&store)));
    Ok(store)
}

/// The store, or why it did not open: routes see it as a store that cannot be read.
#[derive(Clone)]
pub struct ReadStore(pub(crate) Result<Rc<Store>, StoreError>);

impl std::fmt::Debug for ReadStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ReadStore").field(&self.0.is_ok()).finish()
    }
}

impl ReadStore {
    /// Opens the store.
    pub async fn open() -> Self {
        Self(open().await)
    }
}

impl KeyValue for ReadStore {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let store = self.0.as_ref().map_err(Clone::clone)?;
        store.get(key).await.map_err(|e| StoreError::Unavailable(e.to_string()))
    }
}
