//! What the routes are measured against, in the same runtime: the last segment of the path chooses.
//!
//! - `…/empty`: a constant, the cost of a request;
//! - `…/bare-get/N`: one value of 1 KB by its key, the least that an answer from a store costs;
//! - `…/get-BYTES/N`: one value of so many bytes, of which the first KB is sent: what the size of a value costs;
//! - `POST …/seed-BYTES/N`: writes N such values. It is called once for each size, before anything is measured.
//!
//! The store is opened for every request, as the SDK's examples do.

#![cfg(target_family = "wasm")]

use bytes::Bytes;
use spin_sdk::http::{FullBody, Request, Response, StatusCode};
use spin_sdk::http_service;
use spin_sdk::key_value::Store;

/// What is sent of a value, in bytes; values of `bare-get` are no longer.
const SENT: usize = 1024;

#[http_service]
async fn handle(request: Request) -> Response<FullBody<Bytes>> {
    let path = request.uri().path();
    let mut segments = path.rsplit('/');
    let (last, before) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let sized = |prefix| before.strip_prefix(prefix).and_then(|bytes| bytes.parse().ok());
    let found = if last == "empty" {
        Some(b"ok".to_vec())
    } else if before == "bare-get" {
        get(&key(SENT, last)).await
    } else if let Some(bytes) = sized("get-") {
        get(&key(bytes, last)).await.map(|value| value.get(..SENT).unwrap_or_default().to_vec())
    } else if let Some(bytes) = sized("seed-").filter(|_| request.method() == "POST") {
        seed(bytes, last.parse().unwrap_or(1)).await
    } else {
        None
    };
    let status = if found.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let mut response = Response::new(FullBody::new(found.unwrap_or_default().into()));
    *response.status_mut() = status;
    response
}

fn key(bytes: usize, n: &str) -> String {
    format!("yardstick:{bytes}:{n}")
}

async fn get(key: &str) -> Option<Vec<u8>> {
    Store::open_default().await.ok()?.get(key).await.ok()?
}

async fn seed(bytes: usize, count: u32) -> Option<Vec<u8>> {
    let store = Store::open_default().await.ok()?;
    for n in 0..count {
        store.set(key(bytes, &n.to_string()), vec![b'v'; bytes]).await.ok()?;
    }
    Some(count.to_string().into_bytes())
}
