//! Requests, as routes see them.

use crate::error::ApiError;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;

/// Parameters of a query, at most, repeated ones counted each.
pub const PARAMETERS_MAX: usize = 64;

/// Where headers come from: a name in lower case to its first value.
type HeaderSource = Rc<dyn Fn(&str) -> Option<String>>;

/// The headers of a request. A route reads two or three of a dozen, and each one that crosses the runtime's border
/// costs: they are fetched when they are asked for, once.
#[derive(Default)]
pub struct Headers {
    source: Option<HeaderSource>,
    read: SeenHeaders,
}

/// Headers that were asked for, in that order.
#[derive(Default)]
struct SeenHeaders(OnceCell<Box<SeenHeader>>);

struct SeenHeader {
    name: Cow<'static, str>,
    value: Option<String>,
    rest: SeenHeaders,
}

impl Headers {
    /// Headers that `source` fetches, given a name in lower case.
    #[must_use]
    pub fn new_ones(source: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self { source: Some(Rc::new(source)), read: SeenHeaders::default() }
    }

    /// The same without one of them.
    #[must_use]
    pub fn without(&self, header: &'static str) -> Self {
        let source = self.source.clone();
        Self::new_ones(move |name| source.as_ref().filter(|_| name != header)?(name))
    }

    fn read(&self, name: Cow<'static, str>) -> Option<&str> {
        let source = self.source.as_ref()?;
        let mut seen = &self.read;
        loop {
            let next =
                || Box::new(SeenHeader { value: source(&name), name: name.clone(), rest: SeenHeaders::default() });
            let header = seen.0.get_or_init(next);
            if header.name == name {
                return header.value.as_deref();
            }
            seen = &header.rest;
        }
    }
}

impl Clone for Headers {
    fn clone(&self) -> Self {
        Self { source: self.source.clone(), read: SeenHeaders::default() }
    }
}

impl fmt::Debug for Headers {
    // No values: keys are among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").finish_non_exhaustive()
    }
}

impl From<Vec<(String, String)>> for Headers {
    fn from(headers: Vec<(String, String)>) -> Self {
        Self::new_ones(move |name| {
            one_value(name, &mut headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.clone()))
        })
    }
}

/// The value of a header that may have been sent several times: of a list, all of them as one (RFC 9110, 5.3); of
/// another, the first.
#[must_use]
pub fn one_value(name: &str, values: &mut dyn Iterator<Item = String>) -> Option<String> {
    let mut value = values.next()?;
    if matches!(name, "if-none-match" | "accept-encoding") {
        for other in values {
            value.push_str(", ");
            value.push_str(&other);
        }
    }
    Some(value)
}

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `HEAD`, …
    pub method: Cow<'static, str>,
    /// The path as sent, escapes kept.
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// The headers.
    pub headers: Headers,
    /// The body; one byte longer than the limit where it was cut there.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, as [`one_value`] makes it; its name in lower case.
    #[must_use]
    pub fn header(&self, name: impl Into<Cow<'static, str>>) -> Option<&str> {
        self.headers.read(name.into())
    }

    /// The segments of the path, undecoded: one trailing slash is accepted, a doubled one is a
    /// segment of its own that no route knows.
    #[must_use]
    pub fn segments(&self) -> Vec<&str> {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.is_empty() { Vec::new() } else { path.split('/').collect() }
    }

    /// The pairs of the query, decoded, in order.
    fn pairs(&self) -> impl Iterator<Item = (String, &str)> {
        self.query.split('&').filter(|p| !p.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), value)
        })
    }

    /// The values of one parameter, decoded, in order. However many the query holds, it is looked through once.
    pub fn values_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        self.pairs().filter(move |(n, _)| n == name).map(|(_, value)| decode(value, true))
    }

    /// The query as it was sent, without the parameters of these names, however they are written.
    #[must_use]
    pub fn query_without(&self, names: &[&str]) -> Vec<&str> {
        let kept = |pair: &&str| {
            let name = decode(pair.split('=').next().unwrap_or_default(), true);
            !pair.is_empty() && !names.contains(&name.as_str())
        };
        self.query.split('&').filter(kept).collect()
    }

    /// The parameters of the query, decoded, in order; a repeated one holds several values.
    ///
    /// # Errors
    /// [`ApiError::Unreadable`] for more than [`PARAMETERS_MAX`].
    pub fn parameters(&self) -> Result<Vec<(String, Vec<String>)>, ApiError> {
        let mut parameters: Vec<(String, Vec<String>)> = Vec::new();
        for (rank, (name, value)) in self.pairs().enumerate() {
            if rank >= PARAMETERS_MAX {
                return Err(ApiError::Unreadable("La requête porte plus de 64 paramètres"));
            }
            let value = decode(value, true);
            match parameters.iter_mut().find(|(n, _)| *n == name) {
                Some((_, values)) => values.push(value),
                None => parameters.push((name, vec![value])),
            }
        }
        Ok(parameters)
    }
}

/// Decodes percent escapes; what is none stays as it is, and bytes that are no UTF-8 become U+FFFD.
#[must_use]
pub fn decode(text: &str, plus: bool) -> String {
    String::from_utf8_lossy(&bytes(text, plus)).into_owned()
}

/// Decodes a segment of the path; `None` where an escape cannot be decoded.
#[must_use]
pub fn decode_segment(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(text.into());
    }
    let mut remainder = text;
    while let Some((_, after)) = remainder.split_once('%') {
        if !after.as_bytes().get(..2)?.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        remainder = after;
    }
    String::from_utf8(bytes(text, false)).ok().map(Cow::from)
}

/// [`decode_segment`], or the fault that the client is told.
///
/// # Errors
/// [`ApiError::Unreadable`].
pub fn read_segment(text: &str) -> Result<Cow<'_, str>, ApiError> {
    decode_segment(text).ok_or(ApiError::Unreadable("Le chemin contient un échappement qui ne se décode pas"))
}

/// A text as a part of an address: bytes that are not `kept` are escaped.
pub(crate) fn escaped(text: &str, kept: impl Fn(u8) -> bool) -> String {
    let mut output = String::with_capacity(text.len());
    for byte in text.bytes() {
        if kept(byte) {
            output.push(char::from(byte));
        } else {
            output.push('%');
            for digit in [byte >> 4, byte & 15] {
                output.extend(char::from_digit(digit.into(), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    output
}

fn bytes(text: &str, plus: bool) -> Vec<u8> {
    let mut output = Vec::with_capacity(text.len());
    let mut remainder = text.as_bytes();
    while let Some((&byte, after)) = remainder.split_first() {
        remainder = after;
        let escaped = match (byte, after) {
            (b'%', [a, b, ..]) => char::from(*a).to_digit(16).zip(char::from(*b).to_digit(16)),
            _ => None,
        };
        match escaped.and_then(|(a, b)| u8::try_from(a * 16 + b).ok()) {
            Some(decode) => {
                output.push(decode);
                remainder = after.get(2..).unwrap_or_default();
            }
            None => output.push(if plus && byte == b'+' { b' ' } else { byte }),
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, query: &str) -> Request {
        Request { path: path.into(), query: query.into(), ..Request::default() }
    }

    #[test]
    fn headers_are_fetched_when_asked_for_and_once() {
        let demanded = Rc::new(std::cell::RefCell::new(Vec::new()));
        let views = Rc::clone(&demanded);
        let headers = Headers::new_ones(move |name| {
            views.borrow_mut().push(name.to_owned());
            (name == "accept").then(|| "text/html".to_owned())
        });
        let request = Request { headers, ..Request::default() };
        assert!(demanded.borrow().is_empty());
        for _ in 0..2 {
            assert_eq!(request.header("if-none-match"), None);
            assert_eq!(request.header("accept"), Some("text/html"));
        }
        assert_eq!(*demanded.borrow(), ["if-none-match", "accept"]);
        let without = Request { headers: request.headers.without("accept"), ..request };
        assert_eq!(without.header("accept"), None);
    }

    #[test]
    fn one_trailing_slash_is_accepted_a_doubled_one_is_not_the_route() {
        assert_eq!(request("/api/bcn/", "").segments(), ["api", "bcn"]);
        assert_eq!(request("/api//bcn", "").segments(), ["api", "", "bcn"]);
        assert_eq!(request("/api/bcn//", "").segments(), ["api", "bcn", ""]);
        assert!(request("/", "").segments().is_empty());
    }

    #[test]
    fn queries_are_decoded_and_repeated_names_kept_together() {
        let read = request("/", "a=1&b=%2C+x&a=2&c&%E0%A4%A=%E0%A4%A").parameters().unwrap();
        let expected = [("a", vec!["1", "2"]), ("b", vec![", x"]), ("c", vec![""]), ("\u{fffd}%A", vec!["\u{fffd}%A"])];
        assert_eq!(read, expected.map(|(n, v)| (n.to_owned(), v.into_iter().map(str::to_owned).collect::<Vec<_>>())));
    }

    #[test]
    fn a_query_of_more_parameters_than_any_route_has_is_told_so_at_once() {
        let query = |count: usize| (0..count).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        assert_eq!(request("/", &query(64)).parameters().unwrap().len(), 64);
        for query in [query(65), "a=1&".repeat(65), query(8_000)] {
            assert!(
                matches!(request("/", &query).parameters(), Err(ApiError::Unreadable(text)) if text.contains("64"))
            );
        }
        let query = format!("{}&api%4Bey=cle&a=1", query(8_000));
        assert_eq!(request("/", &query).values_of("apiKey").collect::<Vec<_>>(), ["cle"]);
        let query = "api%4Bey=cle&pag%65=2&&apiKey=x&page=1&b=%2C&apikey";
        assert_eq!(request("/", query).query_without(&["apiKey", "page"]), ["b=%2C", "apikey"]);
    }

    #[test]
    fn segments_that_cannot_be_decoded_are_told() {
        assert_eq!(decode_segment("12345678%7C8").as_deref(), Some("12345678|8"));
        for text in ["%E0%A4%A", "%", "%zz", "%ff"] {
            assert_eq!(decode_segment(text), None, "{text}");
        }
    }
}
