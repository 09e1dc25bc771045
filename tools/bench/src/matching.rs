//! A catalogue of 25,000 rows, matched by the built component: the time to the first row and to the last, memory, and
//! whether an answer that was cut off goes on with the same bytes.

use crate::server::{KEY, Server};
use anyhow::{Context, ensure};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Rows of the catalogue.
pub const ROWS: usize = 25_000;

/// What a catalogue took.
#[derive(Debug, Clone, Default)]
pub struct Matched {
    /// Bytes sent.
    pub sent: usize,
    /// Bytes of the answer.
    pub bytes: usize,
    /// Rows of the answer.
    pub rows: usize,
    /// Of these, covered ones.
    pub covered: usize,
    /// Until the first row was there, one a round.
    pub first_row: Vec<Duration>,
    /// Until all of them were, one a round.
    pub whole: Vec<Duration>,
    /// Seconds of the server's processor time for the whole, one a round: what others take from it does not count.
    pub cpu: Vec<f64>,
    /// Peak memory of an instance.
    pub memory: Option<u64>,
}

/// One answer.
struct Reply {
    body: Vec<u8>,
    generation: String,
    first_row: Duration,
    whole: Duration,
}

/// Sends a catalogue and reads the answer as it comes, up to so many bytes.
fn send(server: &Server, query: &str, file: &[u8], most: usize) -> anyhow::Result<Reply> {
    let mut stream = TcpStream::connect(server.address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let head = format!(
        "POST /api/appariement/formations{query} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n{}: {}\r\naccept: text/csv\r\n\
         content-type: text/csv\r\ncontent-length: {}\r\n\r\n",
        KEY.0,
        KEY.1,
        file.len()
    );
    let start = Instant::now();
    stream.write_all(head.as_bytes())?;
    let mut writer = stream.try_clone()?;
    std::thread::scope(|scope| {
        scope.spawn(move || writer.write_all(file));
        let (mut raw, mut buffer, mut first_row) = (Vec::new(), vec![0; 1 << 16], None);
        while raw.len() < most {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            raw.extend_from_slice(buffer.get(..read).unwrap_or_default());
            // The first piece holds the names and a row.
            if first_row.is_none() && unchunked(&raw).1.iter().filter(|byte| **byte == b'\n').count() > 1 {
                first_row = Some(start.elapsed());
            }
        }
        let whole = start.elapsed();
        // Unblocks the writer where the answer was left.
        let _ = stream.shutdown(std::net::Shutdown::Both);
        let (head, body) = unchunked(&raw);
        ensure!(head.starts_with("HTTP/1.1 200"), "appariement: {}", head.lines().next().unwrap_or_default());
        let generation = head.lines().find_map(|line| line.strip_prefix("x-generation: ")).unwrap_or_default();
        Ok(Reply { body, generation: generation.to_owned(), first_row: first_row.context("no row came")?, whole })
    })
}

/// The whole answer. One that ends for its time, where neighbours take most of the core, is taken up again as clients do.
fn whole(server: &Server, query: &str, file: &[u8]) -> anyhow::Result<Reply> {
    let mut reply = send(server, query, file, usize::MAX)?;
    loop {
        let end = reply.body.len().saturating_sub(1);
        let start =
            reply.body.get(..end).unwrap_or_default().iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let last = String::from_utf8_lossy(reply.body.get(start..).unwrap_or_default()).into_owned();
        let Some(next) = last.strip_prefix("#suite;").and_then(|rest| rest.split(';').next()) else { return Ok(reply) };
        reply.body.truncate(start);
        let rest = send(server, &format!("?a_partir={next}&generation={}", reply.generation), file, usize::MAX)?;
        reply.body.extend(rest.body);
        reply.whole += rest.whole;
    }
}

/// Head and body of an answer, as far as they came.
fn unchunked(raw: &[u8]) -> (String, Vec<u8>) {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(raw.len());
    let head =
        String::from_utf8_lossy(raw.get(..end).unwrap_or_default()).to_ascii_lowercase().replacen("http", "HTTP", 1);
    let mut rest = raw.get(end + 4..).unwrap_or_default();
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = rest.get(..line).and_then(|size| std::str::from_utf8(size).ok());
        let Some(size) = size.and_then(|size| usize::from_str_radix(size, 16).ok()) else { break };
        let chunk = rest.get(line + 2..).unwrap_or_default();
        body.extend_from_slice(chunk.get(..size.min(chunk.len())).unwrap_or_default());
        if size == 0 || chunk.len() < size + 2 {
            break;
        }
        rest = chunk.get(size + 2..).unwrap_or_default();
    }
    (head, body)
}

/// Measures so many rounds, each on instances of its own.
pub fn measure(server: &Server, file: &[u8], rounds: usize) -> anyhow::Result<Matched> {
    let mut matched = Matched { sent: file.len(), ..Matched::default() };
    let mut answered = Vec::new();
    for _ in 0..rounds {
        std::thread::sleep(crate::IDLE);
        let before = server.cpu()?;
        let reply = whole(server, "", file)?;
        matched.cpu.push(server.cpu()? - before);
        ensure!(answered.is_empty() || answered == reply.body, "two answers to one catalogue differ");
        matched.first_row.push(reply.first_row);
        matched.whole.push(reply.whole);
        answered = reply.body;
    }
    let lines: Vec<&[u8]> = answered.split_inclusive(|byte| *byte == b'\n').collect();
    matched.bytes = answered.len();
    matched.rows = lines.len().saturating_sub(1);
    matched.covered = lines.iter().filter(|line| line.windows(17).any(|text| text == b";couvert;couvert;")).count();
    ensure!(matched.rows == ROWS, "{} rows of {ROWS}", matched.rows);
    let cut = send(server, "", file, matched.bytes / 2)?;
    let whole_lines = cut.body.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut kept = cut.body.get(..whole_lines).unwrap_or_default().to_vec();
    let next = kept.iter().filter(|byte| **byte == b'\n').count();
    let query = format!("?a_partir={next}&generation={}", cut.generation);
    kept.extend(whole(server, &query, file)?.body);
    ensure!(kept == answered, "an answer that was cut off goes on with other bytes");
    matched.memory = server.counter("appariement", "peak_memory");
    Ok(matched)
}
