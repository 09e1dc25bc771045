//! Requests and answers, on the interface of WASI itself.
//!
//! The SDK would make an `http::Request` of every request: all headers copied over the border, a URI parsed, a map
//! filled, and the same backwards. Routes read the path and two or three headers, so this asks for those.

use crate::log::{RequestLog, Sent};
use api::{BodyStream, Header, Headers, Request as ApiRequest, Response as ApiResponse, ResponseBody, one_value};
use futures_channel::oneshot;
use futures_util::StreamExt;
use futures_util::future::ready;
use futures_util::stream::unfold;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Method, Request, Response};
use spin_sdk::wasip3::wit_bindgen::rt::async_support::{StreamReader, StreamResult, StreamWriter, spawn};
use spin_sdk::wasip3::{wit_future, wit_stream};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;
use store::StoreError;

/// How much of a body is asked for at once.
const PIECE: usize = 64 * 1024;

/// Reads a request. `body_max` bounds the body: what lies beyond is left. Read routes look at a body only where its
/// type is told, so without one it is not fetched.
pub(crate) async fn read(request: Request, body_max: usize, untyped: bool) -> ApiRequest {
    let mut api_request = head(&request);
    if untyped || api_request.header("content-type").is_some() {
        api_request.body = read_body(request, body_max).await;
    }
    api_request
}

/// A request without its body.
pub(crate) fn head(request: &Request) -> ApiRequest {
    let fields = request.get_headers();
    let headers = Headers::new_ones(move |name| {
        let text =
            |value| String::from_utf8(value).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        one_value(name, &mut fields.get(name).into_iter().map(text))
    });
    let method = method(request.get_method());
    let mut path = request.get_path_with_query().unwrap_or_default();
    let query = match path.split_once('?') {
        Some((before, query)) => {
            let (length, query) = (before.len(), query.to_owned());
            path.truncate(length);
            query
        }
        None => String::new(),
    };
    ApiRequest { method, path, query, headers, body: Vec::new() }
}

/// The body of a request, chunk by chunk, as it comes. Where it breaks off before its end, that is a fault.
pub(crate) fn body_stream(request: Request) -> BodyStream {
    let (_read, end) = wit_future::new::<Result<(), ErrorCode>>(|| Ok(()));
    let (stream, trailers): (StreamReader<u8>, _) = Request::consume_body(request, end);
    BodyStream::new(unfold(Some((stream, trailers)), |body| async move {
        let (mut stream, trailers) = body?;
        let (state, bytes) = stream.read(Vec::with_capacity(PIECE)).await;
        if !bytes.is_empty() {
            return Some((Ok(bytes), Some((stream, trailers))));
        }
        // An empty piece is not yet the end.
        if matches!(state, StreamResult::Complete(_)) {
            return Some((Ok(bytes), Some((stream, trailers))));
        }
        // A stream ends alike when the body is whole and when it broke off. Only the trailers tell which.
        drop(stream);
        match trailers.await {
            Ok(_) => None,
            Err(error) => Some((Err(StoreError::Unavailable(format!("the body broke off: {error:?}"))), None)),
        }
    }))
}

fn method(method: Method) -> Cow<'static, str> {
    let name = match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => return name.into(),
    };
    name.into()
}

async fn read_body(request: Request, max: usize) -> Vec<u8> {
    let (_read, end) = wit_future::new::<Result<(), ErrorCode>>(|| Ok(()));
    let (mut stream, _trailers): (StreamReader<u8>, _) = Request::consume_body(request, end);
    let mut read = Vec::new();
    while read.len() < max {
        // What is read is appended: the vector's own room bounds it.
        read.reserve_exact(PIECE.min(max - read.len()));
        let (state, bytes) = stream.read(read).await;
        read = bytes;
        // A body that breaks off is judged by its digest or its form.
        if !matches!(state, StreamResult::Complete(_)) {
            break;
        }
    }
    read.truncate(max);
    read
}

/// Headers that belong to one answer; the others are alike from answer to answer.
const OWN: [&str; 9] = [
    "etag",
    "content-length",
    "link",
    "location",
    "content-disposition",
    "retry-after",
    "x-total-count",
    "x-row-count",
    "ratelimit",
];
/// How many sets of headers an instance keeps made: JSON and images, with and without gzip, 304, lists.
const TEMPLATES_MAX: usize = 8;

/// Headers that are alike, made once. A copy of them is a reference in the runtime, where a list of seven is a dozen
/// copies over the border, as many allocations on both sides, and each name looked up: a tenth of a document.
struct HeaderTemplate {
    headers: Vec<Header>,
    fields: Fields,
}

thread_local! {
    static TEMPLATES: RefCell<VecDeque<HeaderTemplate>> = const { RefCell::new(VecDeque::new()) };
}

/// The headers of an answer, for the runtime.
fn fields(headers: &[Header]) -> Fields {
    let common = || headers.iter().filter(|(name, _)| !OWN.contains(name));
    let fields = TEMPLATES.with_borrow_mut(|templates| {
        if let Some(template) = templates.iter().find(|template| are_equal(&template.headers, common())) {
            return template.fields.clone();
        }
        let fields = Fields::new();
        for (name, value) in common() {
            add(&fields, name, value);
        }
        if templates.len() == TEMPLATES_MAX {
            templates.pop_front();
        }
        templates.push_back(HeaderTemplate { headers: common().cloned().collect(), fields: fields.clone() });
        fields
    });
    for (name, value) in headers.iter().filter(|(name, _)| OWN.contains(name)) {
        add(&fields, name, value);
    }
    fields
}

/// Whether headers are those of a set. Nearly all of them are the same constants: their addresses tell, where comparing
/// the bytes takes 7,900 instructions, 8 % of a document's.
fn are_equal<'a>(template: &[Header], mut headers: impl Iterator<Item = &'a Header>) -> bool {
    let equal = |one: &str, other: &str| std::ptr::eq(one, other) || one == other;
    let follow =
        template.iter().all(|(name, value)| headers.next().is_some_and(|(n, v)| equal(name, n) && equal(value, v)));
    follow && headers.next().is_none()
}

fn add(fields: &Fields, name: &str, value: &str) {
    // Names are our own; a value that is no header is left out.
    if value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) {
        let _ = fields.append(name, value.as_bytes());
    }
}

/// A body on its way.
enum Outgoing {
    Nothing,
    Bytes(StreamWriter<u8>, Vec<u8>),
    Stream(StreamWriter<u8>, BodyStream),
}

/// Sends an answer. Its body follows once the runtime has the head, and its line in the log once the body has gone.
pub(crate) fn respond(api_response: ApiResponse, log: RequestLog) -> Response {
    let fields = fields(&api_response.headers);
    let status = api_response.status;
    let (end, rest) = wit_future::new(|| Ok(None));
    let (outgoing, reader) = match api_response.body {
        ResponseBody::Bytes(bytes) if bytes.is_empty() => (Outgoing::Nothing, None),
        ResponseBody::Bytes(bytes) => {
            let (writer, reader) = wit_stream::new();
            (Outgoing::Bytes(writer, bytes), Some(reader))
        }
        ResponseBody::Stream(stream) => {
            let (writer, reader) = wit_stream::new();
            (Outgoing::Stream(writer, stream), Some(reader))
        }
    };
    afterwards(async move {
        let mut sent = Sent::default();
        let finished = match outgoing {
            Outgoing::Nothing => Ok(()),
            Outgoing::Bytes(mut writer, bytes) => {
                // A client that has gone takes nothing more: no fault of ours.
                sent.piece(bytes.len(), writer.write_all(bytes).await.len());
                Ok(())
            }
            Outgoing::Stream(writer, stream) => send(writer, stream, &mut sent).await,
        };
        let _ = end.write(finished.map(|()| None)).await;
        log.end(status, sent).await;
    });
    let (http_response, _sent) = Response::new(fields, reader, rest);
    // An answer is made with 200; other codes are our own, so none is refused.
    if status != 200 {
        let _ = http_response.set_status_code(status);
    }
    http_response
}

/// Does what is left once the runtime has the head.
///
/// The bindings poll spawned futures together, and yield after a round in which each of them waits. The runtime goes on
/// with what has yielded only when an instance has nothing else to do: under load, answers that clients received long
/// ago keep their memory and their handles, until the runtime ends the instance for holding too many. So a round is
/// never whole: one future does the work, one waits for its end and is not polled before, and one ends the first round.
fn afterwards(work: impl Future<Output = ()> + 'static) {
    let (finished, wait) = oneshot::channel::<()>();
    spawn(async move {
        work.await;
        drop(finished);
    });
    spawn(async move {
        let _ = wait.await;
    });
    spawn(ready(()));
}

/// Sends a body piece by piece; a fault of the store breaks it off, so that the client sees it is not whole.
async fn send(mut writer: StreamWriter<u8>, mut stream: BodyStream, sent: &mut Sent) -> Result<(), ErrorCode> {
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| {
            sent.broken = true;
            ErrorCode::InternalError(Some(error.to_string()))
        })?;
        sent.piece(piece.len(), writer.write_all(piece).await.len());
        if sent.broken {
            break;
        }
    }
    Ok(())
}
