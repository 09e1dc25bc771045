//! A client that sends exactly the bytes it is given, hostile ones too, on a connection of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Past it an answer is taken for lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request. Nothing in it is checked.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path with its query, as sent.
    pub target: Vec<u8>,
    /// The headers; `host`, `connection` and `content-length` are added.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without body.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.as_bytes().to_vec(), ..Self::default() }
    }

    /// A GET.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn head(&self, address: SocketAddr) -> Vec<u8> {
        let mut head = Vec::new();
        head.extend_from_slice(self.method.as_bytes());
        head.push(b' ');
        head.extend_from_slice(&self.target);
        head.extend_from_slice(format!(" HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n").as_bytes());
        let has = |name: &str| self.headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name));
        let measured = has("content-length") || has("transfer-encoding");
        if !measured && (!self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH")) {
            head.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// An answer, whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers as they came; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its transfer coding.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `Null` where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Sends a request and reads the whole answer.
///
/// # Errors
/// Those of the connection, and an answer that is cut off or is no HTTP.
pub fn send(address: SocketAddr, request: &Request) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&request.head(address))?;
    let mut bytes = Vec::new();
    if request.body.len() < 64 * 1024 {
        let _ = stream.write_all(&request.body);
        stream.read_to_end(&mut bytes)?;
    } else {
        // A server may answer, and hang up, before it has read everything: read while writing.
        let mut writer = stream.try_clone()?;
        std::thread::scope(|scope| {
            scope.spawn(move || writer.write_all(&request.body));
            stream.read_to_end(&mut bytes).or_else(|fault| if bytes.is_empty() { Err(fault) } else { Ok(0) })
        })?;
    }
    parse(&bytes, request.method == "HEAD")
}

fn bad(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn parse(bytes: &[u8], head_only: bool) -> io::Result<Answer> {
    let split = |separator: &[u8]| bytes.windows(separator.len()).position(|window| window == separator);
    let end = split(b"\r\n\r\n").ok_or_else(|| bad("the answer is empty or cut off"))?;
    let (head, body) = bytes.split_at(end);
    let mut body = body.get(4..).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok())
        .ok_or_else(|| bad("the answer is no HTTP/1.1"))?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: Vec::new() };
    if status == 100 {
        return parse(body, head_only);
    }
    if head_only || status == 204 || status == 304 {
        answer.body = body.to_vec();
        return Ok(answer);
    }
    if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        loop {
            let line = body.windows(2).position(|window| window == b"\r\n").ok_or_else(|| bad("a chunk is cut off"))?;
            let size = body.get(..line).and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
            let size = size.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16).map_err(|_| bad("a chunk has no size"))?;
            body = body.get(line + 2..).unwrap_or_default();
            if size == 0 {
                return Ok(answer);
            }
            answer.body.extend_from_slice(body.get(..size).ok_or_else(|| bad("a chunk is cut off"))?);
            body = body.get(size + 2..).ok_or_else(|| bad("a chunk is cut off"))?;
        }
    }
    answer.body = match answer.header("content-length").map(str::parse::<usize>) {
        Some(Ok(length)) => body.get(..length).ok_or_else(|| bad("the body is cut off"))?.to_vec(),
        Some(Err(_)) => return Err(bad("content-length is no number")),
        None => body.to_vec(),
    };
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn bodies_are_read_in_each_of_their_forms_and_cut_ones_are_refused() {
        for (bytes, body) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab", Some("ab")),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", None),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n", Some("abc")),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n", None),
            ("HTTP/1.1 200 OK\r\n\r\nto the end", Some("to the end")),
            ("HTTP/1.1 200 OK\r\n", None),
        ] {
            let read = parse(bytes.as_bytes(), false).ok().map(|answer| answer.text());
            assert_eq!(read.as_deref(), body, "{bytes:?}");
        }
    }
}
