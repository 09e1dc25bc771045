//! The network and the clock, for the clients of the statistical services: only the import uses them.

use crate::{alea, maintenant_ms};
use bytes::Bytes;
use futures_util::future::poll_fn;
use http::{HeaderValue, Uri, header};
use http_body::{Body as _, Frame, SizeHint};
use sources::{Body, Clock, Fetch, FetchError, Method, Request, Response};
use spin_sdk::wasip3::http::types::ErrorCode;
use spin_sdk::wasip3::http_compat::IncomingResponseBody;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Requests to hosts that the manifest grants. Dropping a request's future cancels it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reseau;

impl Fetch for Reseau {
    type Body = CorpsRecu;

    async fn fetch(&self, request: &Request) -> Result<Response<CorpsRecu>, FetchError> {
        let recue =
            spin_sdk::http::send(requete(request)?).await.map_err(|code| faute(&code, FetchError::Connection))?;
        let entetes = recue.headers().iter();
        let headers =
            entetes.map(|(nom, v)| (nom.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
        Ok(Response { status: recue.status().as_u16(), headers: headers.collect(), body: CorpsRecu(recue.into_body()) })
    }
}

/// A request for the SDK. An address without a scheme or host is refused here: the runtime would take it for one of
/// the application itself.
fn requete(request: &Request) -> Result<http::Request<Envoi>, FetchError> {
    let uri: Uri = request.url.parse().map_err(|_| FetchError::Address)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(FetchError::Address);
    }
    let envoi = Envoi(request.body.clone().filter(|corps| !corps.is_empty()).map(Bytes::from));
    let longueur = envoi.0.as_ref().map_or(0, Bytes::len);
    let method = match request.method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
    };
    let mut requete = http::Request::new(envoi);
    *requete.method_mut() = method;
    *requete.uri_mut() = uri;
    if request.method == Method::Post {
        // Else the body leaves in chunks, which some gateways refuse at a login.
        requete.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(longueur));
    }
    for (nom, valeur) in &request.headers {
        // A secret with a line end in it is no header: the variable is wrong, not the network.
        let mut valeur = HeaderValue::from_str(valeur).map_err(|_| FetchError::Address)?;
        valeur.set_sensitive(true);
        requete.headers_mut().insert(header::HeaderName::from_static(nom), valeur);
    }
    Ok(requete)
}

/// The body of a request, whole.
struct Envoi(Option<Bytes>);

impl http_body::Body for Envoi {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().0.take().map(|octets| Ok(Frame::data(octets))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |octets| octets.len() as u64))
    }
}

/// The body of an answer, read as it comes: 16 KiB at a time at most.
pub struct CorpsRecu(IncomingResponseBody);

impl std::fmt::Debug for CorpsRecu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CorpsRecu(…)")
    }
}

impl Body for CorpsRecu {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        loop {
            match poll_fn(|cx| Pin::new(&mut self.0).poll_frame(cx)).await {
                // Trailers are of no use here.
                Some(Ok(morceau)) => match morceau.into_data() {
                    Ok(octets) if !octets.is_empty() => return Ok(Some(octets.into())),
                    _ => {}
                },
                Some(Err(code)) => return Err(faute(&code, FetchError::Interrupted)),
                None => return Ok(None),
            }
        }
    }
}

/// What the runtime reports, without its texts: they may hold addresses.
fn faute(code: &ErrorCode, sinon: FetchError) -> FetchError {
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
        _ => sinon,
    }
}

/// The clocks and the random numbers of the runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct Horloge;

impl Clock for Horloge {
    fn now_ms(&self) -> u64 {
        u64::try_from(maintenant_ms()).unwrap_or_default()
    }

    async fn sleep(&self, ms: u64) {
        spin_sdk::time::sleep(std::time::Duration::from_millis(ms)).await;
    }

    fn random(&self) -> f64 {
        let tire = u32::from_le_bytes(alea());
        f64::from(tire) / (f64::from(u32::MAX) + 1.0)
    }
}
