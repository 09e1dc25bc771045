//! The runtime of a preview: the same store, where the pointer leads to the generation that waits.

use api::{Runtime, VariableFault};
use std::rc::Rc;
use store::kv::{KeyValue, StoreError};
use store::reading::Cache;
use store::{Pointer, keys};

/// A store in which one generation is in force. Everything else is read as it lies there.
#[derive(Clone, Debug)]
pub(crate) struct PreviewStore<K> {
    store: K,
    pointer: Rc<[u8]>,
}

impl<K: KeyValue> KeyValue for PreviewStore<K> {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if key == keys::POINTER { Ok(Some(self.pointer.to_vec())) } else { self.store.get(key).await }
    }
}

/// What routes see of the world while they show a generation that is not in force.
pub(crate) struct PreviewRuntime<'a, M: Runtime> {
    outer: &'a M,
    store: PreviewStore<M::Kv>,
    /// Nothing is kept from one request to the next: two previews may be looked at side by side.
    cache: Rc<Cache>,
    /// The key that opens lists: whoever came this far may read them.
    key: &'a str,
}

impl<'a, M: Runtime> PreviewRuntime<'a, M> {
    /// Over a generation's own pointer. The one before it is left out: what is damaged in a preview is told, and never
    /// answered from the generation that is served.
    ///
    /// # Errors
    /// [`StoreError`] where the pointer cannot be written.
    pub(crate) fn new(outer: &'a M, pointer: Pointer, key: &'a str) -> Result<Self, StoreError> {
        let alone = Pointer { previous: None, ..pointer };
        let store = PreviewStore { store: outer.kv(), pointer: alone.write()?.into() };
        Ok(Self { outer, store, cache: Rc::new(Cache::new()), key })
    }
}

impl<M: Runtime> Runtime for PreviewRuntime<'_, M> {
    type Kv = PreviewStore<M::Kv>;

    fn kv(&self) -> Self::Kv {
        self.store.clone()
    }

    fn cache(&self) -> Rc<Cache> {
        Rc::clone(&self.cache)
    }

    async fn variable(&self, name: &str) -> Result<String, VariableFault> {
        match name {
            "legacy_api_key" => Ok(self.key.to_owned()),
            "authentification" => Ok("local".to_owned()),
            // Links stay within the preview, and nobody's limits are used up by it.
            "adresse_publique" | "limites" | "legacy_api_key_precedent" => Ok(String::new()),
            other => self.outer.variable(other).await,
        }
    }

    fn now_ms(&self) -> i64 {
        self.outer.now_ms()
    }

    fn monotonic_ms(&self) -> u64 {
        self.outer.monotonic_ms()
    }
}
