//! What a route needs of the world around it.

use crate::error::ApiError;
use std::fmt;
use std::future::Future;
use std::rc::Rc;
use store::kv::KeyValue;
use store::reading::Cache;
use store::{Pointer, Reader, StoreError};

/// A variable that could not be read, because what keeps it did not answer. It may hold a secret, so a request that needs
/// it is neither let through nor turned away: it is told to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableFault {
    /// The variable.
    pub name: String,
    /// What the runtime said, for the log.
    pub reason: String,
}

impl fmt::Display for VariableFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the variable {} could not be read: {}", self.name, self.reason)
    }
}

impl std::error::Error for VariableFault {}

impl From<VariableFault> for ApiError {
    fn from(fault: VariableFault) -> Self {
        // The reason is for the log.
        eprintln!("variables: {fault}");
        Self::Unavailable
    }
}

/// What a route tells of a request, for the log alone.
#[derive(Clone, Debug)]
pub enum LogFact<'a> {
    /// Who asked.
    User(&'a str),
    /// The start of the digest of the personal key that was used.
    Key(&'a str),
    /// The instance had the answer ready.
    Kept,
    /// What the answer is read from.
    Pointer(Rc<Pointer>),
}

/// Follows the pointer, for a request that came at this instant of the monotonic clock.
///
/// # Errors
/// Those of [`Reader::open`].
pub async fn open<M: Runtime>(runtime: &M, monotonic: u64) -> Result<Reader<M::Kv>, StoreError> {
    open_over(runtime, runtime.kv(), monotonic).await
}

/// The same over a store of the route's own.
pub(crate) async fn open_over<M: Runtime, K: KeyValue>(
    runtime: &M,
    kv: K,
    monotonic: u64,
) -> Result<Reader<K>, StoreError> {
    let reader = Reader::open(kv, runtime.cache(), monotonic).await?;
    runtime.note(LogFact::Pointer(reader.shared_pointer()));
    Ok(reader)
}

/// The generation before, for a request that found the one in use damaged.
pub(crate) fn fall_back<M: Runtime, K: KeyValue>(runtime: &M, reader: Option<Reader<K>>) -> Option<Reader<K>> {
    reader.inspect(|reader| runtime.note(LogFact::Pointer(reader.shared_pointer())))
}

/// The runtime, as routes see it.
pub trait Runtime {
    /// The store; cheap to clone, so that a streamed answer can keep it.
    type Kv: KeyValue + Clone + 'static;

    /// The store of documents.
    fn kv(&self) -> Self::Kv;

    /// What this instance keeps between requests.
    fn cache(&self) -> Rc<Cache>;

    /// A variable of the application; empty where it is not set.
    ///
    /// # Errors
    /// [`VariableFault`] where it could not be read: nobody knows then whether it is set.
    fn variable(&self, name: &str) -> impl Future<Output = Result<String, VariableFault>>;

    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// Milliseconds of a clock that never goes back.
    fn monotonic_ms(&self) -> u64;

    /// Takes note of a fact for the log, where there is one.
    fn note(&self, _fact: LogFact<'_>) {}
}
