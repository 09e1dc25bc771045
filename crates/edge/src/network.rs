//! The network and the clock, for the clients of the statistical services: only the import uses them.

use crate::{now_ms, random};
use bytes::Bytes;
use futures_util::future::poll_fn;
use http::{HeaderValue, Uri, header};
use http_body::{Body as _, Frame, SizeHint};
use outside::{Body, Clock, Fetch, FetchError, Method, ServiceRequest, ServiceResponse};
use spin_sdk::wasip3::http::types::ErrorCode;
use spin_sdk::wasip3::http_compat::IncomingResponseBody;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Requests to hosts that the manifest grants. Dropping a request's future cancels it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network;

impl Fetch for Network {
    type Body = ReceivedBody;

    async fn fetch(&self, request: &ServiceRequest) -> Result<ServiceResponse<ReceivedBody>, FetchError> {
        let received =
            spin_sdk::http::send(api_request(request)?).await.map_err(|code| fault(&code, FetchError::Connection))?;
        let fields = received.headers().iter();
        let headers =
            fields.map(|(name, v)| (name.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
        Ok(ServiceResponse {
            status: received.status().as_u16(),
            headers: headers.collect(),
            body: ReceivedBody(received.into_body()),
        })
    }
}

/// A request for the SDK. An address without a scheme or host is refused here: the runtime would take it for one of
/// the application itself.
fn api_request(request: &ServiceRequest) -> Result<http::Request<SentBody>, FetchError> {
    let uri: Uri = request.url.parse().map_err(|_| FetchError::Address)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(FetchError::Address);
    }
    let sent = SentBody(request.body.clone().filter(|body| !body.is_empty()).map(Bytes::from));
    let length = sent.0.as_ref().map_or(0, Bytes::len);
    let method = match request.method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
    };
    let mut api_request = http::Request::new(sent);
    *api_request.method_mut() = method;
    *api_request.uri_mut() = uri;
    if request.method == Method::Post {
        // Else the body leaves in chunks, which some gateways refuse at a login.
        api_request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    for (name, value) in &request.headers {
        // A secret with a line end in it is no header: the variable is wrong, not the network.
        let mut value = HeaderValue::from_str(value).map_err(|_| FetchError::Address)?;
        value.set_sensitive(true);
        api_request.headers_mut().insert(header::HeaderName::from_static(name), value);
    }
    Ok(api_request)
}

/// The body of a request, whole.
struct SentBody(Option<Bytes>);

impl http_body::Body for SentBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// The body of an answer, read as it comes: 16 KiB at a time at most.
pub struct ReceivedBody(IncomingResponseBody);

impl std::fmt::Debug for ReceivedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CorpsRecu(…)")
    }
}

impl Body for ReceivedBody {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        loop {
            match poll_fn(|cx| Pin::new(&mut self.0).poll_frame(cx)).await {
                // Trailers are of no use here.
                Some(Ok(piece)) => match piece.into_data() {
                    Ok(bytes) if !bytes.is_empty() => return Ok(Some(bytes.into())),
                    _ => {}
                },
                Some(Err(code)) => return Err(fault(&code, FetchError::Interrupted)),
                None => return Ok(None),
            }
        }
    }
}

/// What the runtime reports, without its texts: they may hold addresses.
fn fault(code: &ErrorCode, otherwise: FetchError) -> FetchError {
    match code {
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => FetchError::Timeout,
        ErrorCode::ConnectionTerminated
        | ErrorCode::HttpResponseIncomplete
        | ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseTransferCoding(_)
        | ErrorCode::HttpProtocolError => FetchError::Interrupted,
        ErrorCode::HttpRequestUriInvalid | ErrorCode::HttpRequestUriTooLong => FetchError::Address,
        _ => otherwise,
    }
}

/// The clocks and the random numbers of the runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct RuntimeClock;

impl Clock for RuntimeClock {
    fn now_ms(&self) -> u64 {
        u64::try_from(now_ms()).unwrap_or_default()
    }

    async fn sleep(&self, ms: u64) {
        spin_sdk::time::sleep(std::time::Duration::from_millis(ms)).await;
    }

    fn random(&self) -> f64 {
        let draw = u32::from_le_bytes(random());
        f64::from(draw) / (f64::from(u32::MAX) + 1.0)
    }
}
