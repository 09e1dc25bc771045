//! A Redis server of a test's own.

use crate::{required, skipped};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// `1` makes a missing server a failure, `0` lets it be skipped; without it, CI decides.
const REQUIRE: &str = "EXPOSITION_REQUIRE_REDIS";
const PROGRAMS: [&str; 2] = ["valkey-server", "redis-server"];

/// A server on a port of its own, which goes with its data when it is dropped.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    program: &'static str,
    port: u16,
    folder: PathBuf,
    options: Vec<String>,
}

impl RedisServer {
    /// Starts one that keeps what it acknowledged across restarts. `None`, and a line that says so, where the machine has
    /// none: `test` has nothing to do then.
    ///
    /// # Panics
    /// Where it is missing and required: in CI, or by `EXPOSITION_REQUIRE_REDIS=1`; where it does not answer.
    #[must_use]
    pub fn start(test: &str, options: &[&str]) -> Option<Self> {
        let there = |program: &&str| {
            let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            asked.is_ok_and(|status| status.success())
        };
        let Some(program) = PROGRAMS.into_iter().find(there) else {
            let variable = |name: &str| std::env::var(name).ok();
            assert!(
                !required(variable(REQUIRE).as_deref(), variable("CI").as_deref()),
                "{test} needs valkey-server or redis-server; {REQUIRE}=0 skips it"
            );
            skipped(test, "valkey-server or redis-server");
            return None;
        };
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Relaxed);
        let folder = std::env::temp_dir().join(format!("redis-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = free.map_or(0, |address| address.port());
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let child = Self::spawn(program, port, &folder, &options);
        let server = Self { child, program, port, folder, options };
        server.wait();
        Some(server)
    }

    fn spawn(program: &str, port: u16, folder: &PathBuf, options: &[String]) -> Child {
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
        command.args(["--appendfsync", "always", "--dir"]).arg(folder).args(options);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        child.unwrap_or_else(|error| panic!("{program}: {error}"))
    }

    fn wait(&self) {
        let begun = Instant::now();
        while self.try_ask("PING").is_none_or(|answer| answer != ["PONG"]) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{} does not answer", self.program);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its address, as a host takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on what it kept.
    pub fn start_again(&mut self) {
        self.kill();
        self.child = Self::spawn(self.program, self.port, &self.folder, &self.options);
        self.wait();
    }

    /// What it answers to a command of words without spaces: the texts of its answer, one after another.
    ///
    /// # Panics
    /// Where it does not answer.
    #[must_use]
    pub fn ask(&self, command: &str) -> Vec<String> {
        self.try_ask(command).unwrap_or_else(|| panic!("no answer to {command}"))
    }

    fn try_ask(&self, command: &str) -> Option<Vec<String>> {
        let mut stream = TcpStream::connect(self.address()).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
        let mut texts = Vec::new();
        read(&mut BufReader::new(stream), &mut texts)?;
        Some(texts)
    }

    /// Writes down what clients send from now on.
    ///
    /// # Panics
    /// Where it does not answer.
    #[must_use]
    pub fn watch(&self) -> Watch {
        let stream = TcpStream::connect(self.address()).and_then(|mut stream| {
            stream.write_all(b"MONITOR\r\n")?;
            Ok(stream)
        });
        let stream = stream.unwrap_or_else(|error| panic!("{error}"));
        let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        assert!(reader.read_line(&mut line).is_ok() && line.starts_with("+OK"), "{line}");
        Watch { reader, marks: 0 }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Reads one answer of the protocol.
fn read(reader: &mut impl BufRead, texts: &mut Vec<String>) -> Option<()> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let line = line.trim_end();
    let rest = line.get(1..)?;
    match line.as_bytes().first()? {
        b'*' => (0..rest.parse::<usize>().ok()?).try_for_each(|_| read(reader, texts)),
        b'$' => {
            let Ok(length) = rest.parse::<usize>() else { return Some(()) };
            let mut text = vec![0; length + 2];
            reader.read_exact(&mut text).ok()?;
            text.truncate(length);
            texts.push(String::from_utf8_lossy(&text).into_owned());
            Some(())
        }
        _ => {
            texts.push(rest.to_owned());
            Some(())
        }
    }
}

/// What clients send.
#[derive(Debug)]
pub struct Watch {
    reader: BufReader<TcpStream>,
    marks: usize,
}

impl Watch {
    /// The commands since the last call, each as `connection COMMAND words`, values cut to a few letters; connections are
    /// numbered as they come.
    pub fn commands(&mut self, server: &RedisServer) -> Vec<String> {
        self.marks += 1;
        let mark = format!("mark-{}", self.marks);
        let _ = server.ask(&format!("ECHO {mark}"));
        let (mut commands, mut connections) = (Vec::new(), Vec::new());
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).is_err() || line.is_empty() || line.contains(&mark) {
                return commands;
            }
            let Some((head, words)) = line.trim_end().split_once("] ") else { continue };
            let words: Vec<&str> = words.split("\" \"").map(|word| word.trim_matches('"')).collect();
            if words.first() == Some(&"CLIENT") {
                continue;
            }
            let client = head.rsplit(' ').next().unwrap_or_default().to_owned();
            let number = connections.iter().position(|known| *known == client).unwrap_or_else(|| {
                connections.push(client);
                connections.len() - 1
            });
            let words: Vec<String> = words.iter().map(|word| word.chars().take(12).collect()).collect();
            commands.push(format!("{number} {}", words.join(" ")));
        }
    }
}
