//! A small HTTP/1.1 client on one kept connection: the bench must know when the first byte came.

use anyhow::{Context, ensure};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A connection.
pub struct Client {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; empty where only its length was asked for.
    pub body: Vec<u8>,
    /// Bytes of the body.
    pub bytes: usize,
    /// From the first byte sent to the first byte of the body.
    pub first_byte: Duration,
    /// From the first byte sent to the last byte received.
    pub whole: Duration,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

impl Client {
    /// Connects.
    pub fn new(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(Self { address, stream: BufReader::with_capacity(1 << 16, stream) })
    }

    /// Sends a request and reads the answer; `keep` says whether its body is kept.
    pub fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        keep: bool,
    ) -> anyhow::Result<Answer> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if method != "GET" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut sent = head.into_bytes();
        sent.extend_from_slice(body);
        let start = Instant::now();
        self.stream.get_mut().write_all(&sent)?;
        let line = self.line()?;
        let status = line.get(9..12).and_then(|s| s.parse().ok()).context("the answer is no HTTP/1.1")?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer =
            Answer { status, headers, body: Vec::new(), bytes: 0, first_byte: Duration::ZERO, whole: Duration::ZERO };
        if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = usize::from_str_radix(self.line()?.split(';').next().unwrap_or_default(), 16)?;
                if answer.bytes == 0 {
                    answer.first_byte = start.elapsed();
                }
                self.take(size, keep, &mut answer)?;
                ensure!(self.line()?.is_empty(), "a chunk without end");
                if size == 0 {
                    break;
                }
            }
        } else {
            let length = answer.header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
            if length > 0 {
                self.stream.fill_buf()?;
            }
            answer.first_byte = start.elapsed();
            self.take(length, keep, &mut answer)?;
        }
        answer.whole = start.elapsed();
        Ok(answer)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(self.stream.read_line(&mut line)? > 0, "the connection was closed");
        Ok(line.trim_end().to_owned())
    }

    fn take(&mut self, size: usize, keep: bool, answer: &mut Answer) -> anyhow::Result<()> {
        let length = u64::try_from(size)?;
        let mut part = self.stream.by_ref().take(length);
        let read = if keep {
            part.read_to_end(&mut answer.body)?
        } else {
            usize::try_from(std::io::copy(&mut part, &mut std::io::sink())?)?
        };
        ensure!(read == size, "the body was cut off");
        answer.bytes += size;
        Ok(())
    }
}
