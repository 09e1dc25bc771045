//! What a route needs of the world around it.

use std::future::Future;
use std::rc::Rc;
use store::kv::KeyValue;
use store::reading::Cache;

/// The runtime, as routes see it.
pub trait Runtime {
    /// The store; cheap to clone, so that a streamed answer can keep it.
    type Kv: KeyValue + Clone + 'static;

    /// The store of documents.
    fn kv(&self) -> Self::Kv;

    /// What this instance keeps between requests.
    fn cache(&self) -> Rc<Cache>;

    /// A variable of the application; empty where it is not set.
    fn variable(&self, name: &str) -> impl Future<Output = String>;

    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// Milliseconds of a clock that never goes back.
    fn monotonic_ms(&self) -> u64;
}
