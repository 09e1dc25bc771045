//! A component whose every path shows one behaviour of the runtime it runs in.
//!
//! `tests/guest` serves the tests of `tools/host`; it is no part of the application. The first segment of the
//! path chooses the behaviour, the rest is its argument.

#![cfg(target_family = "wasm")]

use bytes::Bytes;
use edge::{Network, RuntimeClock};
use futures_util::future::{Either, select};
use futures_util::{SinkExt, StreamExt};
use outside::{Body as _, Clock as _, Fetch as _, FetchError, Method};
use spin_sdk::experimental::wasi::keyvalue::{atomics, batch, store};
use spin_sdk::http::body::{IncomingBodyExt, stream};
use spin_sdk::http::{self, BoxBody, FullBody, Request, Response, StatusCode, box_body};
use spin_sdk::key_value::{Error, Store};
use spin_sdk::wasip3::clocks::{monotonic_clock, system_clock};
use spin_sdk::{http_service, variables};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Requests this instance has begun.
static SERVED: AtomicU32 = AtomicU32::new(0);

#[http_service]
async fn handle(request: Request) -> Response<BoxBody> {
    let served = SERVED.fetch_add(1, Relaxed) + 1;
    let path = request.uri().path().trim_start_matches("/second").to_owned();
    let (behaviour, argument) = path.trim_matches('/').split_once('/').unwrap_or((path.trim_matches('/'), ""));
    match behaviour {
        "empty" => text("ok"),
        "served" => text(served),
        "headers" => headers(&request),
        "bare-get" => bare_get(argument).await,
        "get" => key_value(get("default", argument).await),
        "open" => key_value(Store::open(argument).await.map(|_| "opened")),
        "set" => key_value(set(argument, request).await),
        "delete" => key_value(delete(argument).await),
        "exists" => key_value(exists(argument).await),
        "keys" => key_value(keys().await),
        "batch" => wasi(batches(argument)),
        "set-many" => wasi(set_many(argument)),
        "get-many" => wasi(get_many(argument)),
        "delete-many" => wasi(delete_many(argument)),
        "list" => wasi(list()),
        "increment" => wasi(increment(argument)),
        "swap" => swap(argument),
        "stream" => large(argument.parse().unwrap_or(1)),
        "echo" => echo(request),
        "sleep" => sleep(argument.parse().unwrap_or(0)).await,
        "spin" => spin(argument.parse().unwrap_or(0)),
        "trap" => std::process::abort(),
        "panic" => panic!("asked for"),
        "clock" => clocks().await,
        "variable" => match variables::get(argument).await {
            Ok(value) => text(value),
            Err(error) => failed(error),
        },
        "fetch" => fetch(&request).await,
        "reseau" => network(request, argument.parse().unwrap_or(10_000)).await,
        _ => answer(StatusCode::NOT_FOUND, "no such behaviour"),
    }
}

fn answer(status: StatusCode, body: impl Into<Bytes>) -> Response<BoxBody> {
    let mut response = Response::new(box_body(FullBody::new(body.into())));
    *response.status_mut() = status;
    response
}

fn text(value: impl ToString) -> Response<BoxBody> {
    answer(StatusCode::OK, value.to_string())
}

fn failed(error: impl std::fmt::Debug) -> Response<BoxBody> {
    answer(StatusCode::BAD_GATEWAY, format!("{error:?}"))
}

fn key_value(outcome: Result<impl Into<Bytes>, Error>) -> Response<BoxBody> {
    match outcome {
        Ok(value) => answer(StatusCode::OK, value),
        Err(error) => failed(error),
    }
}

fn wasi(outcome: Result<String, store::Error>) -> Response<BoxBody> {
    outcome.map_or_else(failed, text)
}

/// Every header, a line each.
fn headers(request: &Request) -> Response<BoxBody> {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))
    };
    let lines: String = request.headers().iter().map(line).collect();
    text(format!("uri: {}\n{lines}", request.uri()))
}

/// Gets one value and sends it, opening the store each time: the yardstick of the benchmarks.
async fn bare_get(key: &str) -> Response<BoxBody> {
    let value = match Store::open_default().await {
        Ok(store) => store.get(key).await,
        Err(error) => Err(error),
    };
    match value {
        Ok(Some(value)) => answer(StatusCode::OK, value),
        Ok(None) => answer(StatusCode::NOT_FOUND, Bytes::new()),
        Err(error) => failed(error),
    }
}

async fn get(label: &str, key: &str) -> Result<Vec<u8>, Error> {
    let value = Store::open(label).await?.get(key).await?;
    Ok(value.unwrap_or_else(|| b"absent".to_vec()))
}

/// Sets a key to the request's body, or to as many bytes as the query says.
async fn set(key: &str, request: Request) -> Result<&'static str, Error> {
    let value = match request.uri().query().and_then(|query| query.parse().ok()) {
        Some(length) => vec![b'v'; length],
        None => {
            let body = request.into_body().bytes().await;
            body.map_err(|error| Error::Other(error.to_string()))?.to_vec()
        }
    };
    Store::open_default().await?.set(key, value).await?;
    Ok("set")
}

async fn delete(key: &str) -> Result<&'static str, Error> {
    Store::open_default().await?.delete(key).await?;
    Ok("deleted")
}

async fn exists(key: &str) -> Result<String, Error> {
    Ok(Store::open_default().await?.exists(key).await?.to_string())
}

async fn keys() -> Result<String, Error> {
    let mut keys = Store::open_default().await?.get_keys().await.collect().await?;
    keys.sort_unstable();
    Ok(keys.join(" "))
}

/// Sets as many keys as asked, with 1 KiB each, in one batch; reads them back with one that is absent; deletes them.
fn batches(count: &str) -> Result<String, store::Error> {
    let bucket = store::open("default")?;
    let count: usize = count.parse().unwrap_or(1);
    let mut keys: Vec<String> = (0..count).map(|n| format!("batch.{n}")).collect();
    let pairs: Vec<_> = keys.iter().map(|key| (key.clone(), vec![b'v'; 1024])).collect();
    batch::set_many(&bucket, &pairs)?;
    keys.push("absent".to_owned());
    let found = batch::get_many(&bucket, &keys)?;
    batch::delete_many(&bucket, &keys)?;
    let left = batch::get_many(&bucket, &keys)?;
    Ok(format!("{} found, {} left", found.len(), left.len()))
}

/// Sets the keys named in one batch, each to `v`.
fn set_many(keys: &str) -> Result<String, store::Error> {
    let pairs: Vec<_> = keys.split(',').map(|key| (key.to_owned(), b"v".to_vec())).collect();
    batch::set_many(&store::open("default")?, &pairs)?;
    Ok("set".to_owned())
}

/// How many of the keys named a batch finds.
fn get_many(keys: &str) -> Result<String, store::Error> {
    let keys: Vec<_> = keys.split(',').map(str::to_owned).collect();
    Ok(batch::get_many(&store::open("default")?, &keys)?.len().to_string())
}

fn delete_many(keys: &str) -> Result<String, store::Error> {
    let keys: Vec<_> = keys.split(',').map(str::to_owned).collect();
    batch::delete_many(&store::open("default")?, &keys)?;
    Ok("deleted".to_owned())
}

/// Every key, as `wasi:keyvalue` lists them.
fn list() -> Result<String, store::Error> {
    let mut keys = store::open("default")?.list_keys(None)?.keys;
    keys.sort_unstable();
    Ok(keys.join(" "))
}

fn increment(key: &str) -> Result<String, store::Error> {
    let bucket = store::open("default")?;
    Ok(atomics::increment(&bucket, key, 3)?.to_string())
}

/// Two handles on one key: both look, both swap. Says how each fared and what is there in the end.
fn swap(key: &str) -> Response<BoxBody> {
    let Ok(bucket) = store::open("default") else {
        return failed("open");
    };
    let handle = || -> Result<atomics::Cas, store::Error> {
        let cas = atomics::Cas::new(&bucket, key)?;
        cas.current()?;
        Ok(cas)
    };
    let (Ok(first), Ok(second)) = (handle(), handle()) else {
        return failed("current");
    };
    let fared = |outcome: Result<(), atomics::CasError>| match outcome {
        Ok(()) => "won".to_owned(),
        Err(atomics::CasError::StoreError(error)) => format!("{error:?}"),
        Err(atomics::CasError::CasFailed(cas)) => {
            let now = cas.current().ok().flatten().unwrap_or_default();
            format!("lost to {}", String::from_utf8_lossy(&now))
        }
    };
    let first = fared(atomics::swap(first, b"first"));
    let second = fared(atomics::swap(second, b"second"));
    let end = bucket.get(key).ok().flatten().unwrap_or_default();
    text(format!("{first}, {second}, {}", String::from_utf8_lossy(&end)))
}

/// Streams this many MiB in pieces of 64 KiB.
fn large(mebibytes: usize) -> Response<BoxBody> {
    let (mut sender, body) = stream::<Bytes>();
    spin_sdk::wasip3::spawn(async move {
        let piece = Bytes::from(vec![b's'; 64 * 1024]);
        for _ in 0..mebibytes * 16 {
            if sender.send(piece.clone()).await.is_err() {
                break;
            }
        }
    });
    Response::new(box_body(body))
}

/// Sends the request's body back, piece by piece as it arrives.
fn echo(request: Request) -> Response<BoxBody> {
    let (mut sender, body) = stream::<Bytes>();
    spin_sdk::wasip3::spawn(async move {
        let mut pieces = request.into_body().stream();
        while let Some(Ok(piece)) = pieces.next().await {
            if sender.send(piece).await.is_err() {
                break;
            }
        }
    });
    Response::new(box_body(body))
}

async fn sleep(milliseconds: u64) -> Response<BoxBody> {
    spin_sdk::time::sleep(Duration::from_millis(milliseconds)).await;
    text("slept")
}

/// Keeps the processor busy for this many rounds.
fn spin(rounds: u64) -> Response<BoxBody> {
    let mix = |value: u64, round| std::hint::black_box(value.wrapping_mul(31).wrapping_add(round));
    text((0..rounds).fold(1, mix))
}

/// Seconds on the wall clocks of WASI 0.3 and 0.2 (the standard library's), then nanoseconds between two looks at the
/// monotonic clock a millisecond apart.
async fn clocks() -> Response<BoxBody> {
    let now = system_clock::now();
    let library = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let before = monotonic_clock::now();
    spin_sdk::time::sleep(Duration::from_millis(1)).await;
    let passed = monotonic_clock::now().saturating_sub(before);
    text(format!("{} {library} {passed}", now.seconds))
}

/// Fetches the URL that the query is, and tells status and body.
async fn fetch(request: &Request) -> Response<BoxBody> {
    let url = request.uri().query().unwrap_or_default();
    match http::get(url).await {
        Ok(response) => {
            let status = response.status();
            let body = response.into_body().bytes().await.unwrap_or_default();
            text(format!("{} {}", status.as_u16(), String::from_utf8_lossy(&body)))
        }
        Err(error) => failed(error),
    }
}

/// Sends a request through the import's own network to the URL that the query is: a POST of this request's body where it
/// is one. Gives up, and drops the exchange, after so many milliseconds. Tells status, number of chunks over 64 KiB, type
/// and body of the answer (its length where it is long), or the fault.
async fn network(request: Request, milliseconds: u64) -> Response<BoxBody> {
    let url = request.uri().query().unwrap_or_default().to_owned();
    let post = request.method() == "POST";
    let body = if post { request.into_body().bytes().await.ok().map(|body| body.to_vec()) } else { None };
    let request = outside::ServiceRequest {
        method: if post { Method::Post } else { Method::Get },
        url,
        headers: vec![("x-omogen-api-key", "key".to_owned())],
        body,
    };
    let exchange = async {
        let mut response = Network.fetch(&request).await?;
        let (mut body, mut large) = (Vec::new(), 0);
        while let Some(chunk) = response.body.chunk().await? {
            large += u32::from(chunk.len() > 65_536);
            body.extend(chunk);
        }
        let kind = response.header("Content-Type").unwrap_or("-").to_owned();
        let shown =
            if body.len() > 1_000 { body.len().to_string() } else { String::from_utf8_lossy(&body).into_owned() };
        Ok::<_, FetchError>(format!("{} {large} {kind} {shown}", response.status))
    };
    match select(pin!(exchange), pin!(RuntimeClock.sleep(milliseconds))).await {
        Either::Left((Ok(told), _)) => text(told),
        Either::Left((Err(fault), _)) => answer(StatusCode::BAD_GATEWAY, format!("{fault:?}: {fault}")),
        Either::Right(_) => text("given up"),
    }
}
