//! What the clients need from their surroundings: network, time, chance, a place for answers.
//!
//! Everything is single-threaded: a component handles its calls on one thread, so no future needs
//! to be `Send`.

use std::fmt;

/// A request, ready to send.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceRequest {
    /// GET or POST.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// Names (lower case) and values. They hold secrets: never print them.
    pub headers: Vec<(&'static str, String)>,
    /// The body. It may hold secrets.
    pub body: Option<Vec<u8>>,
}

impl fmt::Debug for ServiceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} … ({} headers)", self.method, self.headers.len())
    }
}

/// The methods that the services use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Logs in.
    Post,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
        })
    }
}

/// The start of an answer: its body is still to be read.
#[derive(Debug)]
pub struct ServiceResponse<B> {
    /// HTTP status.
    pub status: u16,
    /// Names (any case) and values.
    pub headers: Vec<(String, String)>,
    /// The body, in chunks.
    pub body: B,
}

impl<B> ServiceResponse<B> {
    /// The first header of a name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// Why nothing was answered. The texts are ours: what a runtime says may hold addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The host has no address, refuses, or is not allowed to be called.
    #[error("pas de connexion")]
    Connection,
    /// Nothing came for too long.
    #[error("pas de réponse à temps")]
    Timeout,
    /// The connection broke while the answer came.
    #[error("la réponse s'est interrompue")]
    Interrupted,
    /// The address is malformed: check the base URL.
    #[error("l'adresse est mal formée")]
    Address,
}

/// The network.
#[expect(async_fn_in_trait, reason = "single-threaded on purpose: no future needs to be Send")]
pub trait Fetch {
    /// The body of answers.
    type Body: Body;

    /// Sends a request; returns when the head of the answer is there.
    async fn fetch(&self, request: &ServiceRequest) -> Result<ServiceResponse<Self::Body>, FetchError>;
}

/// A body that comes in chunks.
#[expect(async_fn_in_trait, reason = "single-threaded on purpose: no future needs to be Send")]
pub trait Body {
    /// The next chunk; `None` at the end.
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError>;
}

/// Time and chance.
#[expect(async_fn_in_trait, reason = "single-threaded on purpose: no future needs to be Send")]
pub trait Clock {
    /// Milliseconds since 1970, UTC.
    fn now_ms(&self) -> u64;

    /// Waits.
    async fn sleep(&self, ms: u64);

    /// An evenly spread number in `0.0..1.0`, for jitter.
    fn random(&self) -> f64;
}

/// Where a raw answer goes while it comes.
#[expect(async_fn_in_trait, reason = "single-threaded on purpose: no future needs to be Send")]
pub trait Sink {
    /// Forgets what came: the call is made (again) from its start.
    async fn restart(&mut self) -> Result<(), SinkError>;

    /// Takes the next chunk.
    async fn write(&mut self, chunk: &[u8]) -> Result<(), SinkError>;
}

/// The staging area refused a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkError;

impl Sink for Vec<u8> {
    async fn restart(&mut self) -> Result<(), SinkError> {
        self.clear();
        Ok(())
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), SinkError> {
        self.extend_from_slice(chunk);
        Ok(())
    }
}

/// What the import needs of the runtime besides what every route has.
pub trait Outside {
    /// The network, for the services.
    type Fetch: Fetch;

    /// Time and chance, for the services.
    type Clock: Clock;

    /// Calls outside.
    fn fetch(&self) -> Self::Fetch;

    /// Waits between calls.
    fn clock(&self) -> Self::Clock;

    /// How many values one batch may hold.
    fn batch(&self) -> usize;

    /// Random bytes.
    fn random(&self) -> [u8; 16];
}
