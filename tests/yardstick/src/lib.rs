//! What the routes are measured against, in the same runtime: the last segment of the path chooses.
//!
//! - `…/empty`: a constant, the cost of a request;
//! - `…/bare-get/N`: one value of 1 KB by its key, the least that an answer from a store costs;
//! - `POST …/seed/N`: writes N such values. It is called once, before anything is measured.
//!
//! The store is opened for every request, as the SDK's examples do.

use bytes::Bytes;
use spin_sdk::http::{FullBody, Request, Response, StatusCode};
use spin_sdk::http_service;
use spin_sdk::key_value::Store;

const BYTES: usize = 1024;

#[http_service]
async fn handle(request: Request) -> Response<FullBody<Bytes>> {
    let path = request.uri().path();
    let mut segments = path.rsplit('/');
    let (last, before) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let found = match (before, last) {
        (_, "empty") => Some(b"ok".to_vec()),
        ("bare-get", n) => get(n).await,
        ("seed", n) if request.method() == "POST" => seed(n.parse().unwrap_or(1)).await,
        _ => None,
    };
    let status = if found.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let mut response = Response::new(FullBody::new(found.unwrap_or_default().into()));
    *response.status_mut() = status;
    response
}

fn key(n: &str) -> String {
    format!("yardstick:{n}")
}

async fn get(n: &str) -> Option<Vec<u8>> {
    Store::open_default().await.ok()?.get(key(n)).await.ok()?
}

async fn seed(count: u32) -> Option<Vec<u8>> {
    let store = Store::open_default().await.ok()?;
    for n in 0..count {
        store.set(key(&n.to_string()), vec![b'v'; BYTES]).await.ok()?;
    }
    Some(count.to_string().into_bytes())
}
