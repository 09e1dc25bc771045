//! What the tests with a guest share: its binary, an application around it, a client.

#![allow(dead_code, reason = "each test binary uses its part")]

use bytes::Bytes;
use host::{Config, Host};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The guest's component, built once.
pub fn guest() -> &'static Path {
    static GUEST: OnceLock<PathBuf> = OnceLock::new();
    GUEST.get_or_init(|| beside::guest("guest"))
}

/// An empty folder of this test's own.
pub fn folder(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}-{number}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The folder of a fresh application: tests/app with the guest's component.
pub fn app_folder() -> PathBuf {
    let folder = folder("app");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/app/spin.toml");
    std::fs::copy(manifest, folder.join("spin.toml")).unwrap();
    std::fs::copy(guest(), folder.join("guest.wasm")).unwrap();
    folder
}

/// How to run a fresh application.
pub fn config() -> Config {
    let mut config = Config::new(app_folder().join("spin.toml"));
    config.variables.insert("secret".to_owned(), "s".to_owned());
    config.fast_unsafe_store = true;
    config
}

/// Runs a fresh application.
pub fn start() -> Host {
    Host::start(config()).unwrap()
}

/// Sends a request on a connection of its own.
pub async fn send<B>(address: std::net::SocketAddr, request: http::Request<B>) -> http::Response<Incoming>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}

/// Sends a request with a body and reads the answer: `(status, text)`.
pub async fn request(host: &Host, method: &str, path: &str, body: &str) -> (u16, String) {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", host.address().to_string())
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    let response = send(host.address(), request).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// Gets a path: `(status, text)`.
pub async fn get(host: &Host, path: &str) -> (u16, String) {
    request(host, "GET", path, "").await
}

/// Gets a path that must answer 200, and returns the text.
pub async fn text(host: &Host, path: &str) -> String {
    let (status, text) = get(host, path).await;
    assert_eq!(status, 200, "{path}: {text}");
    text
}
