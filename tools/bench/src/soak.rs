//! A soak: campaign traffic for a time or a number of requests, while generations are published, rolled back and given
//! up. Every answer is checked: its status, its end, its rows, and that all it holds comes from one generation.

use crate::requests::{Chance, Requests};
use crate::server::{self, Server};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Clients at once.
const CLIENTS: usize = 8;
/// What a label ends with: the generation that it was published in.
const MARK: &str = " (marque ";
/// How often the memory of the server is read.
const SAMPLE: Duration = Duration::from_secs(2);
/// The pause between two changes of what is served.
const PAUSE: Duration = Duration::from_secs(5);
/// How much more memory the last third of a run may take than the one before it, once instances have filled.
const GROWTH: f64 = 1.1;
/// Faults that are told; the rest is counted.
const TOLD: usize = 20;

/// How long.
#[derive(Debug, Clone, Copy)]
pub enum Length {
    /// For so many minutes.
    Minutes(f64),
    /// Until so many requests have been answered.
    Requests(u64),
}

/// What is asked, and what has to come back.
struct Ask {
    name: &'static str,
    target: String,
    headers: Vec<(&'static str, &'static str)>,
    expect: Expect,
}

/// What has to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// This status.
    Status(u16),
    /// Any answer but a fault of the server.
    NoFault,
}

#[derive(Default)]
struct Tally {
    answered: BTreeMap<&'static str, u64>,
    faults: u64,
    told: Vec<String>,
    bytes: u64,
}

/// What a soak came to.
struct Soak {
    tally: Tally,
    changes: BTreeMap<&'static str, u64>,
    memory: Vec<u64>,
    seconds: f64,
}

/// Publishes the data of a folder once more, every label with a mark of its own.
fn publish(server: &Server, data: &Path, mark: u64) -> anyhow::Result<()> {
    let folder = data.with_extension("marked");
    std::fs::create_dir_all(&folder)?;
    for kind in server::kinds() {
        let source = data.join(dataset::file_name(kind));
        if !source.exists() {
            continue;
        }
        let mut file = std::io::BufWriter::new(std::fs::File::create(folder.join(dataset::file_name(kind)))?);
        for line in std::io::BufReader::new(std::fs::File::open(source)?).lines() {
            let mut line: Value = serde_json::from_str(&line?)?;
            if let Some(label) = line.pointer_mut("/doc/libelle") {
                let marked = format!("{}{MARK}{mark})", label.as_str().unwrap_or_default());
                *label = Value::String(marked);
            }
            serde_json::to_writer(&mut file, &line)?;
            file.write_all(b"\n")?;
        }
        file.flush()?;
    }
    server.publish(&folder).map(drop)
}

/// Changes what is served until it is told to stop: publications, rollbacks, and jobs that are given up.
fn change(server: &Server, data: &Path, stop: &AtomicBool) -> anyhow::Result<BTreeMap<&'static str, u64>> {
    let mut changes = BTreeMap::new();
    let mut round = 1;
    while !stop.load(Relaxed) {
        publish(server, data, round)?;
        *changes.entry("publications").or_default() += 1;
        if round % 3 == 0 {
            server.import("POST", "rollback", b"{}")?;
            *changes.entry("rollbacks").or_default() += 1;
        }
        if round % 2 == 0 {
            let job = server.import("POST", "jobs", b"{}")?;
            let id = job.get("id").and_then(Value::as_str).context("a job without id")?.to_owned();
            let line = json!({"kind": "certification", "doc": {}}).to_string();
            server.import("PUT", &format!("jobs/{id}/parts/0"), line.as_bytes())?;
            server.import("DELETE", &format!("jobs/{id}"), b"")?;
            *changes.entry("jobs given up").or_default() += 1;
        }
        round += 1;
        let waits = Instant::now();
        while waits.elapsed() < PAUSE && !stop.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(changes)
}

/// The parts that hostile targets are put together from.
const PIECES: &[&str] = &[
    "api",
    "inserjeunes",
    "formations",
    "certifications",
    "regionales",
    "mailles",
    "bcn",
    "recherche",
    "identifiants",
    "RNCP",
    "status",
    "doc",
    ".csv",
    ".svg",
    ".json",
    "/",
    "//",
    "?",
    "&",
    "=",
    "-",
    ",",
    "|",
    "%2F",
    "%00",
    "%ff",
    "%",
    "+",
    ";",
    "..",
    "0",
    "99999999999999999999",
    "-1",
    "1e9",
    "null",
    "true",
    "40025214",
    "0751234J",
    "millesime",
    "millesimes",
    "2022_2023",
    "page",
    "items_par_page",
    "regions",
    "academies",
    "vue",
    "filieres",
    "format",
    "csv",
    "json",
    "q",
    "x",
    "\u{e9}",
];

fn hostile(chance: &mut Chance) -> String {
    let mut target = String::from(if chance.below(2) == 0 { "/api/inserjeunes/" } else { "/" });
    for _ in 0..=chance.below(14) {
        target.push_str(PIECES.get(chance.below(PIECES.len())).copied().unwrap_or("x"));
    }
    target
}

fn draw(requests: &Requests, chance: &mut Chance) -> Ask {
    let list = "/api/inserjeunes/formations";
    let one = |from: &[String], chance: &mut Chance| from.get(chance.below(from.len())).cloned().unwrap_or_default();
    let ask = |name, target| Ask { name, target, headers: vec![server::KEY], expect: Expect::Status(200) };
    let mut ask = match chance.below(1_000) {
        0..500 => ask("document", one(&requests.zipf, chance)),
        500..560 => ask("document, uniform", one(&requests.documents, chance)),
        560..590 if !requests.first_years.is_empty() => ask("final year", one(&requests.first_years, chance)),
        560..640 => ask("national", one(&requests.national, chance)),
        640..680 => ask("filieres view", one(&requests.filieres, chance)),
        680..720 => ask("image", one(&requests.svg, chance)),
        720..760 => ask("search", one(&requests.searches, chance)),
        760..800 => Ask { expect: Expect::Status(404), ..ask("missing", one(&requests.misses, chance)) },
        800..830 => ask("list", one(&requests.one_filter, chance)),
        830..860 => ask("list", one(&requests.three_filters, chance)),
        860..880 => ask("list", one(&requests.code_filter, chance)),
        880..897 => ask("list", one(&requests.uai_filter, chance)),
        897 => ask("long list", format!("{list}?items_par_page=2500&page={}", 1 + chance.below(2))),
        898 => ask("long CSV", format!("{list}.csv?items_par_page=6000")),
        _ => Ask { name: "hostile", target: hostile(chance), headers: Vec::new(), expect: Expect::NoFault },
    };
    if chance.below(2) == 0 {
        ask.headers.push(("accept-encoding", "gzip"));
    }
    ask
}

/// What is wrong with an answer, if something is.
fn fault(ask: &Ask, answer: &crate::http::Answer) -> anyhow::Result<()> {
    match ask.expect {
        Expect::Status(status) => ensure!(answer.status == status, "status {}", answer.status),
        Expect::NoFault => ensure!(answer.status < 500, "status {}", answer.status),
    }
    let mut body = Vec::new();
    if answer.header("content-encoding") == Some("gzip") {
        flate2::read::MultiGzDecoder::new(answer.body.as_slice()).read_to_end(&mut body).context("gzip is cut")?;
    } else {
        body.clone_from(&answer.body);
    }
    let kind = answer.header("content-type").unwrap_or_default();
    if answer.status != 200 {
        return Ok(());
    }
    let rows = answer.header("x-row-count").map(str::parse::<usize>).transpose()?;
    let text = String::from_utf8_lossy(&body);
    if kind.contains("json") {
        let read: Value = serde_json::from_str(&text).context("no whole JSON")?;
        let sent = read.as_object().and_then(|o| o.iter().find(|(name, _)| *name != "pagination"));
        let sent = sent.and_then(|(_, list)| list.as_array()).map(Vec::len);
        ensure!(rows.is_none() || rows == sent, "{sent:?} rows where {rows:?} were told");
    } else if let (true, Some(rows)) = (kind.contains("csv"), rows) {
        // Made-up data holds no line end in a cell.
        let lines = text.lines().count().saturating_sub(1);
        ensure!(lines == rows, "{lines} lines where {rows} were told");
    } else if kind.contains("svg") {
        ensure!(text.trim_end().ends_with("</svg>"), "an image without end");
    }
    let mut marks: Vec<&str> = text.split(MARK).skip(1).filter_map(|rest| rest.split(')').next()).collect();
    marks.sort_unstable();
    marks.dedup();
    ensure!(marks.len() <= 1, "two generations in one answer: {marks:?}");
    Ok(())
}

/// Asks until it is told to stop.
fn ask(server: &Server, requests: &Requests, seed: usize, stop: &AtomicBool, sent: &AtomicU64, most: u64) -> Tally {
    let mut tally = Tally::default();
    let mut chance = Chance::seeded(seed);
    let mut client = None;
    while !stop.load(Relaxed) && sent.fetch_add(1, Relaxed) < most {
        let ask = draw(requests, &mut chance);
        let answer = match client.take().map_or_else(|| server.client(), Ok) {
            Ok(mut open) => {
                let answer = open.send("GET", &ask.target, &ask.headers, &[], true);
                if answer.as_ref().is_ok_and(|a| a.header("connection") != Some("close")) {
                    client = Some(open);
                }
                answer
            }
            Err(error) => Err(error),
        };
        *tally.answered.entry(ask.name).or_default() += 1;
        let checked = answer.and_then(|answer| {
            tally.bytes += u64::try_from(answer.bytes).unwrap_or_default();
            fault(&ask, &answer)
        });
        if let Err(error) = checked {
            tally.faults += 1;
            if tally.told.len() < TOLD {
                tally.told.push(format!("{} {}: {error:#}", ask.name, ask.target));
            }
        }
    }
    stop.store(true, Relaxed);
    tally
}

/// Runs it.
pub fn run(server: &Server, data: &Path, length: Length) -> anyhow::Result<()> {
    let requests = Requests::read(data)?;
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let (deadline, most) = match length {
        Length::Minutes(minutes) => (Some(Duration::from_secs_f64(minutes * 60.0)), u64::MAX),
        Length::Requests(requests) => (None, requests),
    };
    let begun = Instant::now();
    let soak = std::thread::scope(|scope| -> anyhow::Result<Soak> {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|seed| {
                let (requests, stop, sent) = (&requests, &stop, &sent);
                scope.spawn(move || ask(server, requests, seed + 1, stop, sent, most))
            })
            .collect();
        let changes = scope.spawn(|| {
            let changes = change(server, data, &stop);
            stop.store(true, Relaxed);
            changes
        });
        let mut memory = Vec::new();
        let mut told = Instant::now();
        while !stop.load(Relaxed) {
            memory.extend(server.resident());
            std::thread::sleep(SAMPLE);
            if told.elapsed() > Duration::from_secs(30) {
                told = Instant::now();
                let mebibytes = memory.last().copied().unwrap_or_default() >> 20;
                eprintln!("{:.0} s, {} requests, {mebibytes} MiB", begun.elapsed().as_secs_f64(), sent.load(Relaxed));
            }
            if deadline.is_some_and(|deadline| begun.elapsed() > deadline) {
                stop.store(true, Relaxed);
            }
        }
        let mut tally = Tally::default();
        for client in clients {
            let own = client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?;
            for (name, count) in own.answered {
                *tally.answered.entry(name).or_default() += count;
            }
            tally.faults += own.faults;
            tally.bytes += own.bytes;
            tally.told.extend(own.told);
        }
        let changes = changes.join().map_err(|_| anyhow::anyhow!("the publisher panicked"))??;
        Ok(Soak { tally, changes, memory, seconds: begun.elapsed().as_secs_f64() })
    })?;
    soak.tell()
}

impl Soak {
    /// Prints it; an error where an answer was wrong or memory grew.
    fn tell(&self) -> anyhow::Result<()> {
        println!("| asked for | answers |\n| --- | --- |");
        for (name, count) in &self.tally.answered {
            println!("| {name} | {count} |");
        }
        let answers: u64 = self.tally.answered.values().sum();
        let mebibytes = self.tally.bytes >> 20;
        println!("{answers} answers, {mebibytes} MiB in {:.0} s; meanwhile: {:?}", self.seconds, self.changes);
        for told in self.tally.told.iter().take(TOLD) {
            println!("wrong: {told}");
        }
        let third = self.memory.len() / 3;
        let most = |part: &[u64]| part.iter().copied().max().unwrap_or_default();
        let (before, last) = (
            most(self.memory.get(third..2 * third).unwrap_or_default()),
            most(self.memory.get(2 * third..).unwrap_or_default()),
        );
        println!("memory: {} MiB at most in the second third, {} MiB in the last", before >> 20, last >> 20);
        ensure!(self.tally.faults == 0, "{} wrong answers", self.tally.faults);
        // The instances are filled after some minutes: before that growth says nothing.
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let growth = if before == 0 { 1.0 } else { last as f64 / before as f64 };
        ensure!(self.seconds < 300.0 || growth <= GROWTH, "memory grew {growth:.2} times");
        println!("no failed, no short and no mixed answer");
        Ok(())
    }
}
