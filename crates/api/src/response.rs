//! Answers, and what every one of them carries.

use crate::links::WebLink;
use crate::stream::BodyStream;
use crate::{Request, Runtime, going, links};
use std::borrow::Cow;
use store::codec::{self, Decoder, Encoder};

/// A header of an answer: its name in lower case, and its value.
pub type Header = (&'static str, Cow<'static, str>);

/// Room for the headers of an answer: most have eight or nine.
const HEADERS: usize = 12;

/// Answers above this size are compressed where the client takes it, in bytes. Below, the body is one packet as it is (1,500
/// bytes of Ethernet less 100 of IP, TCP and TLS): compressed it would arrive no sooner, and take three times the work of all
/// the rest of a document.
const GZIP_MIN: usize = 1_400;

/// The body of an answer.
pub enum ResponseBody {
    /// Known as a whole.
    Bytes(Vec<u8>),
    /// Sent piece by piece.
    Stream(BodyStream),
}

/// An answer.
pub struct Response {
    /// The status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<Header>,
    /// Where it leads: written as `Link` when the answer is finished.
    pub links: Vec<WebLink>,
    /// The body.
    pub body: ResponseBody,
    /// How long an instance may send it again.
    pub freshness: Freshness,
}

/// How long an answer stays what it is, within a generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freshness {
    /// It is made anew each time.
    #[default]
    No,
    /// As long as the generation is in use.
    Generation,
    /// Until this instant, in milliseconds since 1970.
    Until(i64),
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("headers", &self.headers).finish_non_exhaustive()
    }
}

/// The type of single JSON answers and of errors.
pub const JSON: &str = "application/json; charset=utf-8";
/// The type of images.
pub(crate) const SVG: &str = "image/svg+xml; charset=utf-8";
/// The type of painted ones.
pub(crate) const PNG: &str = "image/png";
/// How long a public answer may be kept, where no closing shortens it: a publication is seen within ten minutes, by
/// caches that answer before they ask within eleven. A day without the service is bridged.
pub const AGE: &str = "public, max-age=600, stale-while-revalidate=60, stale-if-error=86400";

impl Response {
    /// An answer with a body of this type.
    #[must_use]
    pub fn new(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        let mut headers = Vec::with_capacity(HEADERS);
        headers.push(("content-type", content_type.into()));
        Self { status, headers, links: Vec::new(), body: ResponseBody::Bytes(body), freshness: Freshness::No }
    }

    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status, JSON, value.to_string().into_bytes())
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With one more link.
    #[must_use]
    pub fn link(mut self, link: WebLink) -> Self {
        self.links.push(link);
        self
    }

    /// The same, not to be kept by anyone, whatever it said before.
    #[must_use]
    pub fn not_kept(mut self) -> Self {
        self.headers.retain(|(name, _)| *name != "cache-control");
        self.freshness = Freshness::No;
        self.with("cache-control", "no-store")
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_ref())
    }

    /// Completes a cacheable answer: gzip where the client takes it, a strong ETag of the content
    /// as sent, 304 where the client holds it.
    #[must_use]
    pub fn with_etag(self, request: &Request) -> Self {
        self.tag(request).conditional(request)
    }

    /// Compressed where the client takes it, with its ETag.
    #[must_use]
    pub(crate) fn tag(self, request: &Request) -> Self {
        let response = self.compress(request);
        let ResponseBody::Bytes(body) = &response.body else { return response };
        let encoding = response.header("content-encoding").unwrap_or_default();
        // One digest of the content; the second one only tells renderings and encodings apart.
        let content = codec::digest(body).to_le_bytes();
        let rendered = [crate::RENDERING_VERSION.as_bytes(), &[0], encoding.as_bytes(), &[0], &content];
        let etag = codec::digest(&rendered.concat());
        let mut text = String::with_capacity(18);
        text.push('"');
        for rank in (0..16).rev() {
            let digit = u32::try_from(etag >> (rank * 4) & 0xf).unwrap_or_default();
            text.push(char::from_digit(digit, 16).unwrap_or_default());
        }
        text.push('"');
        response.with("etag", text)
    }

    /// 304 where the client holds what its ETag names.
    #[must_use]
    pub(crate) fn conditional(mut self, request: &Request) -> Self {
        if self.status == 200 && holds(request, self.header("etag").unwrap_or_default()) {
            self.status = 304;
            self.body = ResponseBody::Bytes(Vec::new());
            self.headers.retain(|(name, _)| !matches!(*name, "content-type" | "content-encoding"));
        }
        self
    }

    /// What an instance keeps of this answer; `None` where it may not.
    pub(crate) fn rendered(&self) -> Option<Vec<u8>> {
        let until = match self.freshness {
            Freshness::No => return None,
            Freshness::Generation => None,
            Freshness::Until(instant) => Some(instant),
        };
        let ResponseBody::Bytes(body) = &self.body else { return None };
        let own = self.header("content-type")?;
        let content_type = (0..).zip(KEPT_TYPES).find(|(_, kept)| *kept == own)?.0;
        let (gzip, etag) = (self.header("content-encoding").is_some(), self.header("etag")?);
        // What has more headers could not be made again; its age is told by `freshness`.
        if self.status != 200 || !self.links.is_empty() || self.headers.len() != 4 + usize::from(gzip) {
            return None;
        }
        let mut encoder = Encoder(Vec::with_capacity(body.len() + 64));
        encoder.instant(until).number(content_type).number(gzip.into()).text(etag);
        encoder.0.extend_from_slice(body);
        Some(encoder.0)
    }

    /// The answer that was kept, where it still holds; `now` is asked only where the day decides.
    pub(crate) fn from_rendered(rendered: &[u8], request: &Request, now: impl FnOnce() -> i64) -> Option<Self> {
        let mut decoder = Decoder(rendered);
        if decoder.instant()?.is_some_and(|until| now() >= until) {
            return None;
        }
        let content_type = KEPT_TYPES.get(decoder.size()?)?;
        let (gzip, etag) = (decoder.number()? > 0, decoder.text()?);
        let headers = kept_headers(content_type, gzip, etag);
        // A body that is not sent is not copied.
        let body = if holds(request, etag) { Vec::new() } else { decoder.0.to_vec() };
        let body = ResponseBody::Bytes(body);
        let response = Self { status: 200, headers, links: Vec::new(), body, freshness: Freshness::No };
        Some(response.conditional(request))
    }

    /// Compresses the body where the client takes gzip.
    #[must_use]
    pub fn compress(mut self, request: &Request) -> Self {
        self.headers.push(("vary", "Accept-Encoding".into()));
        if !accepts_gzip(request) {
            return self;
        }
        self.body = match self.body {
            ResponseBody::Bytes(body) if body.len() <= GZIP_MIN => ResponseBody::Bytes(body),
            ResponseBody::Bytes(body) => {
                self.headers.push(("content-encoding", "gzip".into()));
                ResponseBody::Bytes(gzip::compress(&body))
            }
            ResponseBody::Stream(stream) => {
                self.headers.push(("content-encoding", "gzip".into()));
                ResponseBody::Stream(stream.gzip())
            }
        };
        self
    }

    /// What every answer carries, and what a HEAD answer does not; its links, as the client must follow them.
    pub async fn finish<M: Runtime>(mut self, runtime: &M, request: &Request) -> Self {
        // The address is a call of the runtime: documents lead nowhere and do without.
        if !self.links.is_empty() {
            let base = links::base(runtime, request).await;
            self.headers.push(("link", links::header(&self.links, &base).into()));
        }
        going::announce(self, &request.path, going::GOING).complete(request)
    }

    fn complete(mut self, request: &Request) -> Self {
        self.headers.push(("access-control-allow-origin", "*".into()));
        self.headers.push(("access-control-allow-headers", ALLOWED_HEADERS.into()));
        self.headers.push(("access-control-expose-headers", EXPOSED_HEADERS.into()));
        self.headers.push(("x-content-type-options", "nosniff".into()));
        if self.header("content-type") == Some(SVG) {
            // An image opened by itself is a page of this site: nothing in it runs or loads.
            self.headers.push(("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'".into()));
        }
        if let ResponseBody::Bytes(body) = &self.body
            && self.status != 304
            && self.status != 204
        {
            self.headers.push(("content-length", itoa::Buffer::new().format(body.len()).to_owned().into()));
        }
        if request.method == "HEAD" {
            self.body = ResponseBody::Bytes(Vec::new());
        }
        self
    }
}

/// What a page of another site may send: the former service's list, the headers that carry a key, and the one that asks
/// whether something changed.
const ALLOWED_HEADERS: &str =
    "Origin, X-Requested-With, Content-Type, Accept, API-Key, X-Api-Key, Authorization, If-None-Match";

/// What a script of another site may read beside what every browser shows it: what answers add that a client acts on.
const EXPOSED_HEADERS: &str = "ETag, Link, Retry-After, X-Total-Count, X-Row-Count, X-Generation, RateLimit, \
     RateLimit-Policy, Content-Disposition, Deprecation, Sunset";

/// The types of answers that are kept, by their rank: a document, and its pictures.
const KEPT_TYPES: [&str; 3] = [JSON, SVG, PNG];

/// The headers of an answer that is kept.
fn kept_headers(content_type: &'static str, gzip: bool, etag: &str) -> Vec<Header> {
    let mut headers = Vec::with_capacity(HEADERS);
    headers.push(("content-type", content_type.into()));
    headers.push(("cache-control", AGE.into()));
    headers.push(("vary", "Accept-Encoding".into()));
    if gzip {
        headers.push(("content-encoding", "gzip".into()));
    }
    headers.push(("etag", etag.to_owned().into()));
    headers
}

/// Whether the client holds the content of an ETag.
fn holds(request: &Request, etag: &str) -> bool {
    request.header("if-none-match").is_some_and(|known| {
        known.split(',').map(|c| c.trim().trim_start_matches("W/")).any(|c| c == "*" || names(c, etag))
    })
}

/// Whether a client's ETag is ours. A proxy that compresses marks the one that it hands on (`"…-gzip"`) and takes it back
/// as the client sends it.
fn names(known: &str, etag: &str) -> bool {
    let marked = |mark: &str| {
        let bare = known.strip_suffix('"').and_then(|k| k.strip_suffix(mark));
        !etag.is_empty() && bare.is_some_and(|bare| etag.strip_suffix('"') == Some(bare))
    };
    known == etag || marked("-gzip") || marked(";gzip")
}

/// Whether the client takes gzip: by its name where it is named, else by `*`, and not with a weight of 0.
#[must_use]
pub fn accepts_gzip(request: &Request) -> bool {
    let (mut named, mut others) = (None, None);
    for coding in request.header("accept-encoding").unwrap_or_default().split(',') {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        // A weight of 0 has no other digit (RFC 9110, 12.4.2); parsing it as a number would cost 14 KiB of code.
        let zero = |q: &str| q.starts_with('0') && q.bytes().all(|b| matches!(b, b'0' | b'.'));
        let mut weights = parts.filter_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
        let accepted = !weights.any(zero);
        if name.eq_ignore_ascii_case("gzip") {
            named = Some(named.unwrap_or(true) && accepted);
        } else if name == "*" {
            others = Some(accepted);
        }
    }
    named.or(others).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str, value: &str) -> Request {
        Request { method: "GET".into(), headers: vec![(name.into(), value.into())].into(), ..Request::default() }
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (accepts, expected) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
            ("gzip;q=0, *", false),
            ("*, gzip; q=0.000", false),
            ("*;q=0, gzip", true),
            ("gzip;Q=0", false),
        ] {
            assert_eq!(accepts_gzip(&request("accept-encoding", accepts)), expected, "{accepts}");
        }
    }

    #[test]
    fn the_etag_follows_the_content_as_sent_and_answers_304() {
        let body = || Response::new(200, JSON, vec![b'x'; 2000]);
        let plain = body().with_etag(&Request::default());
        let compressed = body().with_etag(&request("accept-encoding", "gzip"));
        assert_ne!(plain.header("etag"), compressed.header("etag"));
        let etag = plain.header("etag").unwrap().to_owned();
        let marked = format!("W/{}-gzip\"", etag.trim_end_matches('"'));
        for known in [etag.clone(), "*".into(), format!("W/{etag}"), format!("\"x\", {etag}"), marked] {
            let again = body().with_etag(&request("if-none-match", &known));
            assert_eq!((again.status, again.header("content-type")), (304, None), "{known}");
            assert_eq!(again.header("etag"), Some(etag.as_str()));
        }
        for other in ["\"autre\"", "\"autre-gzip\"", "\"-gzip\"", "-gzip\"", ""] {
            assert_eq!(body().with_etag(&request("if-none-match", other)).status, 200, "{other}");
        }
        let two = [("if-none-match".to_owned(), "\"x\"".to_owned()), ("if-none-match".to_owned(), etag)];
        let two = Request { headers: two.to_vec().into(), ..Request::default() };
        assert_eq!(body().with_etag(&two).status, 304, "a list in two headers is one list");
    }

    #[test]
    fn an_image_runs_and_loads_nothing_and_an_error_may_be_kept_by_no_one() {
        let image = Response::new(200, SVG, b"<svg/>".to_vec()).complete(&Request::default());
        assert!(image.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
        assert_eq!(
            Response::new(200, JSON, Vec::new()).complete(&Request::default()).header("content-security-policy"),
            None
        );
        let private = Response::new(404, JSON, Vec::new()).with("cache-control", "public, max-age=60").not_kept();
        let ages: Vec<_> = private.headers.iter().filter(|(name, _)| *name == "cache-control").collect();
        assert_eq!(ages, [&("cache-control", Cow::from("no-store"))]);
    }
}
