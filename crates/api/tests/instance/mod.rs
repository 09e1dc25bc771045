//! An instance of the routes over a store, which knows the shared key, and for which no time passes.

use api::{Runtime, VariableFault};
use std::rc::Rc;
use store::kv::KeyValue;
use store::reading::Cache;

#[derive(Default)]
pub struct Instance<K> {
    pub store: K,
    pub cache: Rc<Cache>,
    /// Milliseconds since 1970.
    pub now: i64,
}

impl<K: KeyValue + Clone + 'static> Runtime for Instance<K> {
    type Kv = K;
    fn kv(&self) -> K {
        self.store.clone()
    }
    fn cache(&self) -> Rc<Cache> {
        Rc::clone(&self.cache)
    }
    async fn variable(&self, name: &str) -> Result<String, VariableFault> {
        Ok(if name == "legacy_api_key" { "cle".to_owned() } else { String::new() })
    }
    fn now_ms(&self) -> i64 {
        self.now
    }
    fn monotonic_ms(&self) -> u64 {
        0
    }
}
