//! An instance of the routes over a store, which knows the shared key, and whose clocks the test turns.

use api::{BodyStream, Request, Response, ResponseBody, Runtime, VariableFault, lots, routes, search};
use futures_executor::{block_on, block_on_stream};
use futures_util::stream::iter;
use std::cell::Cell;
use std::rc::Rc;
use store::kv::KeyValue;
use store::reading::Cache;

#[derive(Default)]
pub struct Instance<K> {
    pub store: K,
    pub cache: Rc<Cache>,
    /// Milliseconds since 1970.
    pub now: i64,
    /// The clock that never goes back, in milliseconds.
    pub monotonic: Rc<Cell<u64>>,
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
        self.monotonic.get()
    }
}

impl<K: KeyValue + Clone + 'static> Instance<K> {
    /// What the component of a public address answers to a reader.
    pub fn get(&self, path: &str, query: &str) -> Response {
        let request =
            Request { method: "GET".into(), path: path.to_owned(), query: query.to_owned(), ..Request::default() };
        block_on(async {
            match path.trim_start_matches("/api/inserjeunes").trim_matches('/').split('/').next().unwrap() {
                "certifications" => routes::certifications(self, request).await,
                "regionales" => routes::regionales(self, request).await,
                "formations" => routes::formations(self, request).await,
                "mailles" => routes::mailles(self, request).await,
                _ if path.starts_with("/api/recherche") => search::respond(self, request).await,
                _ => lots::respond(self, request, BodyStream::new(iter([])), Rc::new(|| 0)).await,
            }
        })
    }
}

/// The body of an answer, to its end.
pub fn bytes(response: Response) -> Vec<u8> {
    match response.body {
        ResponseBody::Bytes(bytes) => bytes,
        ResponseBody::Stream(stream) => block_on_stream(stream).map(Result::unwrap).collect::<Vec<_>>().concat(),
    }
}
