//! A small native network and clock for `sources::Sources`: HTTP/1.1 without encryption, a connection for each request.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use outside::{Body, Clock, Fetch, FetchError, Method, ServiceRequest, ServiceResponse};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};
use tokio::net::TcpStream;

/// The network of this machine; needs a tokio runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeFetch;

/// The body of an answer, as it comes.
#[derive(Debug)]
pub struct NativeBody(Incoming);

impl Fetch for NativeFetch {
    type Body = NativeBody;

    async fn fetch(&self, request: &ServiceRequest) -> Result<ServiceResponse<NativeBody>, FetchError> {
        let uri: http::Uri = request.url.parse().map_err(|_| FetchError::Address)?;
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(FetchError::Address);
        };
        let port = authority.port_u16().unwrap_or(80);
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, port)).await.map_err(|_| FetchError::Connection)?;
        let connected = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = connected.map_err(|_| FetchError::Connection)?;
        tokio::spawn(connection);
        let method = match request.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
        };
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let mut sent = http::Request::builder().method(method).uri(target).header("host", authority.as_str());
        for (name, value) in &request.headers {
            sent = sent.header(*name, value);
        }
        let body = Full::new(Bytes::from(request.body.clone().unwrap_or_default()));
        let sent = sent.body(body).map_err(|_| FetchError::Address)?;
        let answer = sender.send_request(sent).await.map_err(|_| FetchError::Interrupted)?;
        let headers = answer.headers().iter();
        let headers = headers.map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
        let (status, headers) = (answer.status().as_u16(), headers.collect());
        Ok(ServiceResponse { status, headers, body: NativeBody(answer.into_body()) })
    }
}

impl Body for NativeBody {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        loop {
            match self.0.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes.into()));
                    }
                }
                Some(Err(_)) => return Err(FetchError::Interrupted),
                None => return Ok(None),
            }
        }
    }
}

/// The clock of this machine; needs a tokio runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeClock;

impl Clock for NativeClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.ok().and_then(|since| u64::try_from(since.as_millis()).ok()).unwrap_or_default()
    }

    async fn sleep(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    fn random(&self) -> f64 {
        // Every state is seeded anew.
        f64::from(u16::try_from(RandomState::new().hash_one(0) & 0xffff).unwrap_or_default()) / 65_536.0
    }
}
