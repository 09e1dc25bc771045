//! The store, for reading.

use spin_sdk::key_value::Store;
use std::cell::RefCell;
use std::rc::Rc;
use store::kv::{KeyValue, StoreError};

thread_local! {
    /// The store stays open between the requests of an instance.
    static OUVERT: RefCell<Option<Rc<Store>>> = const { RefCell::new(None) };
}

/// Opens the store, once for an instance.
pub(crate) async fn ouvrir() -> Result<Rc<Store>, StoreError> {
    if let Some(ouvert) = OUVERT.with_borrow(Clone::clone) {
        return Ok(ouvert);
    }
    let store = Store::open(crate::LABEL).await.map_err(|e| StoreError::Unavailable(e.to_string()))?;
    let store = Rc::new(store);
    OUVERT.set(Some(Rc::clone(&store)));
    Ok(store)
}

/// The store, or why it did not open: routes see it as a store that cannot be read.
#[derive(Clone)]
pub struct Magasin(pub(crate) Result<Rc<Store>, StoreError>);

impl std::fmt::Debug for Magasin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Magasin").field(&self.0.is_ok()).finish()
    }
}

impl Magasin {
    /// Opens the store.
    pub async fn ouvrir() -> Self {
        Self(ouvrir().await)
    }
}

impl KeyValue for Magasin {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let store = self.0.as_ref().map_err(Clone::clone)?;
        store.get(key).await.map_err(|e| StoreError::Unavailable(e.to_string()))
    }
}
