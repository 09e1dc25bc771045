//! The only crate of the application that knows spin-sdk.
//!
//! It turns Spin's requests and answers into those of [`api`], and gives routes the store, the
//! variables and the clocks of the runtime. A read component calls [`serve`] and nothing else, so
//! that of the key-value interface its binary imports `open` and `get` only.

#![cfg(target_family = "wasm")]

mod http;
mod log;
mod network;
mod read_store;
mod write_store;

pub use network::{Network, ReceivedBody, RuntimeClock};
pub use read_store::ReadStore;
#[doc(hidden)]
pub use spin_sdk::wasip3;
pub use spin_sdk::wasip3::http::types::{Request, Response};
pub use write_store::{WriteProfile, WriteStore};

use api::error::ApiError;
use api::matcher::Stopwatch;
use api::{BodyStream, LogFact, Request as ApiRequest, Response as ApiResponse, Runtime, VariableFault};
use log::{Facts, RequestLog};
use spin_sdk::wasip3::random::random::get_random_u64;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};
use store::reading::Cache;

/// The label that everything lies under. It needs no configuration anywhere, and is the only one on
/// some hosts; a deployment that wants stores of their own changes it here and in the manifest.
pub const LABEL: &str = "default";

/// Largest body that read routes look at, plus one byte to see that there is more.
const BODY_READ: usize = 100 * 1024 + 1;

thread_local! {
    static CACHE: Rc<Cache> = Rc::new(Cache::new());
    static VARIABLES: RefCell<Vec<(String, u64, String)>> = const { RefCell::new(Vec::new()) };
    static START: std::time::Instant = std::time::Instant::now();
}

/// The runtime, as routes see it; `K` is the store, opened for reading or for writing.
#[derive(Clone, Debug)]
pub struct Spin<K> {
    store: K,
    facts: Rc<Facts>,
}

impl<K: store::KeyValue + Clone + 'static> Runtime for Spin<K> {
    type Kv = K;

    fn kv(&self) -> K {
        self.store.clone()
    }

    fn cache(&self) -> Rc<Cache> {
        CACHE.with(Rc::clone)
    }

    async fn variable(&self, name: &str) -> Result<String, VariableFault> {
        variable(name).await
    }

    fn now_ms(&self) -> i64 {
        now_ms()
    }

    fn monotonic_ms(&self) -> u64 {
        monotonic_ms()
    }

    fn note(&self, fact: LogFact<'_>) {
        self.facts.take(fact);
    }
}

impl outside::Outside for Spin<WriteStore> {
    type Fetch = Network;
    type Clock = RuntimeClock;

    fn fetch(&self) -> Network {
        Network
    }

    fn clock(&self) -> RuntimeClock {
        RuntimeClock
    }

    fn batch(&self) -> usize {
        self.store.profile().batch()
    }

    fn random(&self) -> [u8; 16] {
        random()
    }
}

/// How long an instance may go by a variable it has read, in milliseconds: as long as by the pointer. A list asks for
/// two or three of them, and each one is a call as long as a get.
const VARIABLE_TTL_MS: u64 = store::reading::POINTER_TTL_MS;

/// A variable of the component, at most [`VARIABLE_TTL_MS`] old; empty where it is not set.
///
/// # Errors
/// [`VariableFault`] where what keeps the variables failed.
pub async fn variable(name: &str) -> Result<String, VariableFault> {
    match known(name) {
        Some(value) => Ok(value),
        None => fetch(name).await,
    }
}

#[inline(never)]
fn known(name: &str) -> Option<String> {
    let now = monotonic_ms();
    VARIABLES.with_borrow(|variables| {
        let known =
            variables.iter().find(|(known, read, _)| known == name && now.saturating_sub(*read) < VARIABLE_TTL_MS);
        known.map(|(_, _, value)| value.clone())
    })
}

/// Asks the runtime. Boxed, because the code of a call would lie once in each place that asks for a variable.
#[inline(never)]
fn fetch(name: &str) -> Pin<Box<dyn Future<Output = Result<String, VariableFault>> + '_>> {
    Box::pin(async move {
        let now = monotonic_ms();
        let value = match spin_sdk::variables::get(name).await {
            Ok(value) => value,
            Err(spin_sdk::variables::Error::Undefined(_)) => String::new(),
            Err(fault) => return Err(VariableFault { name: name.to_owned(), reason: fault.to_string() }),
        };
        VARIABLES.with_borrow_mut(|variables| {
            variables.retain(|(known, _, _)| known != name);
            variables.push((name.to_owned(), now, value.clone()));
        });
        Ok(value)
    })
}

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|d| i64::try_from(d.as_millis()).ok())
        .unwrap_or_default()
}

/// Milliseconds of a clock that never goes back.
#[must_use]
pub fn monotonic_ms() -> u64 {
    START.with(|start| u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// Random bytes of the runtime.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let stream_of_random = std::iter::repeat_with(|| get_random_u64().to_le_bytes()).flatten();
    bytes.iter_mut().zip(stream_of_random).for_each(|(byte, draw)| *byte = draw);
    bytes
}

/// Makes a function the component's handler: `edge::service!(handle)`. The SDK's own attribute would turn every request
/// into an `http::Request` first.
#[macro_export]
macro_rules! service {
    ($handle:path) => {
        struct HttpService;
        $crate::wasip3::http::service::export!(HttpService);

        impl $crate::wasip3::exports::http::handler::Guest for HttpService {
            async fn handle(
                request: $crate::Request,
            ) -> Result<$crate::Response, $crate::wasip3::http::types::ErrorCode> {
                Ok($handle(request).await)
            }
        }
    };
}

/// Answers a request by a read route.
pub async fn serve(request: Request, route: impl AsyncFnOnce(&Spin<ReadStore>, ApiRequest) -> ApiResponse) -> Response {
    let started = monotonic_ms();
    let api_request = http::read(request, BODY_READ, false).await;
    let log = RequestLog::begin(&api_request, started);
    let runtime = Spin { store: ReadStore::open().await, facts: log.facts() };
    http::respond(route(&runtime, api_request).await, log)
}

/// Answers a request by a read route that takes its body as it comes, and keeps the clock for as long as its answer is
/// sent.
pub async fn serve_streaming(
    request: Request,
    route: impl AsyncFnOnce(&Spin<ReadStore>, ApiRequest, BodyStream, Stopwatch) -> ApiResponse,
) -> Response {
    let started = monotonic_ms();
    let api_request = http::head(&request);
    let log = RequestLog::begin(&api_request, started);
    let body = http::body_stream(request);
    let runtime = Spin { store: ReadStore::open().await, facts: log.facts() };
    http::respond(route(&runtime, api_request, body, Rc::new(monotonic_ms)).await, log)
}

/// Answers a request by a route that writes: its binary imports the writing half of the store too.
pub async fn serve_writing(
    request: Request,
    body_max: usize,
    route: impl AsyncFnOnce(&Spin<WriteStore>, ApiRequest) -> ApiResponse,
) -> Response {
    let started = monotonic_ms();
    let api_request = http::read(request, body_max.saturating_add(1), true).await;
    let log = RequestLog::begin(&api_request, started);
    let profile = match variable("store_profile").await {
        Ok(profile) => WriteProfile::read(&profile),
        Err(fault) => return http::respond(ApiError::from(fault).response(), log),
    };
    let runtime = Spin { store: WriteStore::open(profile).await, facts: log.facts() };
    http::respond(route(&runtime, api_request).await, log)
}
