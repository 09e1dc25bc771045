//! The application, served by `spin` or by the bundled host, pinned to a core.

use crate::http::Client;
use crate::processor::TICKS;
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The secret of the import routes; it guards nothing but a store of made-up data on a loopback address.
const SECRET: &str = "bench-import";
/// The key of list routes.
pub const KEY: (&str, &str) = ("x-api-key", "bench-key");
/// The account of the login.
pub const ACCOUNT: (&str, &str) = ("bench", "Bench-Bench-1");
/// Values of each size that the yardsticks choose from.
pub const SEEDS: usize = 64;
/// Their sizes, in bytes; the first is that of `bare-get`.
const SEED_BYTES: [usize; 6] = [1_024, 4_096, 12_288, 32_768, 73_728, 262_144];
/// Largest part of a push, in bytes.
const PART: usize = 8 * 1024 * 1024;

/// What callgrind is given: see where it is used.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000";

/// Caches of a server's core of today: 32 KiB of code, 48 KiB of data, 2 MiB of both.
const CACHES: [&str; 4] = ["--cache-sim=yes", "--I1=32768,8,64", "--D1=49152,12,64", "--LL=2097152,16,64"];

/// What serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// The bundled host, which counts what components do.
    Host,
    /// The same under callgrind, which counts its instructions.
    Counted {
        /// And what its caches lack.
        caches: bool,
    },
    /// Spin 4.1 or later.
    Spin,
}

impl Runtime {
    /// How long it may take to start: callgrind slows down the compiler of the components, which works once.
    fn patience(self) -> Duration {
        Duration::from_secs(if matches!(self, Self::Counted { .. }) { 2_400 } else { 180 })
    }
}

/// A running application. It ends when dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    control: Option<SocketAddr>,
    process: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both runtimes end cleanly when asked to.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// The kinds of lines that are published.
pub fn kinds() -> impl Iterator<Item = domain::Kind> {
    dataset::KINDS.into_iter().chain(dataset::catalogue::LINK_KINDS)
}

/// What opens the import routes.
pub fn bearer() -> String {
    format!("Bearer {SECRET}")
}

/// A port of this machine that nobody listens on.
pub fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Copies the components and the manifest that names them, with the yardsticks beside them, into `folder`: what is
/// measured stays the same while others build.
pub fn freeze(folder: &Path) -> anyhow::Result<()> {
    let root = crate::root();
    let manifest = std::fs::read_to_string(root.join("spin.toml"))?;
    std::fs::create_dir_all(folder)?;
    let copy = |source: &str| -> anyhow::Result<String> {
        let file = root.join(source);
        let name = file.file_name().context("a source without name")?;
        std::fs::copy(&file, folder.join(name)).with_context(|| format!("{source} is not built"))?;
        Ok(format!("source = \"{}\"", folder.join(name).display()))
    };
    let mut text = String::new();
    for line in manifest.lines() {
        match line.strip_prefix("source = \"").and_then(|s| s.strip_suffix('"')) {
            Some(source) => text.push_str(&copy(source)?),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    let yardstick = copy("target/wasm32-wasip2/release/yardstick.wasm")?;
    for id in ["empty", "bare-get"] {
        text.push_str(&format!(
            "\n[[trigger.http]]\nroute = \"/yardstick/{id}/...\"\ncomponent = \"yardstick-{id}\"\n\
             [component.yardstick-{id}]\n{yardstick}\nkey_value_stores = [\"default\"]\n"
        ));
    }
    Ok(std::fs::write(folder.join("spin.toml"), text)?)
}

impl Server {
    /// Starts the application on the store of `folder`; `cores` is a list for taskset, `reuse` how many requests an
    /// instance answers.
    pub fn start(runtime: Runtime, folder: &Path, cores: &str, reuse: Option<usize>) -> anyhow::Result<Self> {
        Self::start_with(runtime, folder, cores, reuse, &BTreeMap::new(), None)
    }

    /// The same, with variables of the application, and on a Redis server's address instead of a file.
    pub fn start_with(
        runtime: Runtime,
        folder: &Path,
        cores: &str,
        reuse: Option<usize>,
        variables: &BTreeMap<String, String>,
        redis: Option<&str>,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        // Beside the manifest lies the store: each data set has a copy of its own.
        std::fs::copy(folder.with_file_name("components").join("spin.toml"), folder.join("spin.toml"))?;
        let address = free_address()?;
        let control = (runtime != Runtime::Spin).then(free_address).transpose()?;
        let mut command = Command::new("taskset");
        command.args(["-c", cores]);
        if let Runtime::Counted { caches } = runtime {
            command.args(["valgrind", "--tool=callgrind", "--smc-check=all-non-file"]);
            if caches {
                command.args(CACHES);
            }
            command.arg(format!("--callgrind-out-file={}", folder.join("callgrind.out").display()));
            // In the C library's other way to copy and to fill every byte would count as an instruction.
            command.env("GLIBC_TUNABLES", TUNABLES);
        }
        match runtime {
            Runtime::Host | Runtime::Counted { .. } => command.arg(crate::root().join("target/debug/host")),
            Runtime::Spin => command.arg("spin"),
        };
        command.args(["up", "--from"]).arg(folder.join("spin.toml"));
        command.arg("--listen").arg(address.to_string());
        for (name, value) in [("import_secret", SECRET), ("legacy_api_key", KEY.1), ("jwt_secret", "bench-jwt")] {
            command.arg("--variable").arg(format!("{name}={value}"));
        }
        for (name, value) in variables {
            command.arg("--variable").arg(format!("{name}={value}"));
        }
        match (redis, runtime) {
            (Some(url), Runtime::Spin) => {
                let file = folder.join("runtime-config.toml");
                std::fs::write(&file, format!("[key_value_store.default]\ntype = \"redis\"\nurl = \"{url}\"\n"))?;
                command.arg("--runtime-config-file").arg(file);
            }
            (Some(url), _) => drop(command.args(["--store", url])),
            (None, _) => {}
        }
        if let Some(count) = reuse {
            command.arg("--max-instance-reuse-count").arg(count.to_string());
            if count == crate::REUSE {
                command.args(["--idle-instance-timeout", crate::REUSE_IDLE]);
            }
        }
        if let Some(control) = control {
            command.arg("--control").arg(control.to_string());
            // No .env of whoever runs the bench.
            std::fs::write(folder.join("env"), "")?;
            command.arg("--env-file").arg(folder.join("env"));
        }
        let log = std::fs::File::create(folder.join("server.log"))?;
        command.stdout(log.try_clone()?).stderr(log).stdin(Stdio::null());
        let mut process = command.spawn().context("taskset does not run")?;
        let start = Instant::now();
        loop {
            let up = Client::new(address).and_then(|mut c| c.send("GET", "/yardstick/empty/empty", &[], &[], false));
            if up.is_ok_and(|answer| answer.status == 200) {
                return Ok(Self { address, control, process });
            }
            if process.try_wait()?.is_some() || start.elapsed() > runtime.patience() {
                let _ = process.kill();
                bail!("the application does not start: see {}", folder.join("server.log").display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Another program that answers HTTP, measured as the application is: it listens on `address` already, or will.
    pub fn of(process: Child, address: SocketAddr) -> anyhow::Result<Self> {
        let server = Self { address, control: None, process };
        let start = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            ensure!(start.elapsed() < Duration::from_secs(20), "nothing listens on {address}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// The processes of the server, with the processor ticks of each: `spin up` serves in one that it starts.
    fn processes(&self) -> anyhow::Result<BTreeMap<u32, u64>> {
        let mut processes = BTreeMap::new();
        for entry in std::fs::read_dir("/proc")? {
            let Ok(stat) = std::fs::read_to_string(entry?.path().join("stat")) else { continue };
            // The name stands in parentheses and may hold anything.
            let (Some((pid, _)), Some((_, rest))) = (stat.split_once(' '), stat.rsplit_once(')')) else { continue };
            let fields: Vec<&str> = rest.split_whitespace().collect();
            let field = |rank: usize| fields.get(rank).and_then(|f| f.parse::<u32>().ok()).unwrap_or_default();
            processes.insert(pid.parse::<u32>()?, (field(1), field(11) + field(12)));
        }
        let own = |mut pid: u32| {
            while pid != self.process.id() {
                let Some((parent, _)) = processes.get(&pid) else { return false };
                pid = *parent;
            }
            true
        };
        Ok(processes.iter().filter(|(pid, _)| own(**pid)).map(|(pid, (_, ticks))| (*pid, u64::from(*ticks))).collect())
    }

    /// Processor time in seconds, of the process and of those it has started.
    pub fn cpu(&self) -> anyhow::Result<f64> {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        Ok(self.processes()?.values().sum::<u64>() as f64 / TICKS)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Bytes of memory that are resident, of the same processes as [`Self::cpu`] counts.
    pub fn resident(&self) -> Option<u64> {
        let kib = |pid: &u32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        let all = self.processes().ok()?.keys().filter_map(kib).sum::<u64>();
        (all > 0).then_some(all * 1_024)
    }

    /// A connection.
    pub fn client(&self) -> anyhow::Result<Client> {
        Client::new(self.address)
    }

    /// A counter of a component; `None` where the runtime counts nothing.
    pub fn counter(&self, component: &str, name: &str) -> Option<u64> {
        let mut client = Client::new(self.control?).ok()?;
        let answer = client.send("GET", "/counters", &[], &[], true).ok()?;
        let counters: Value = serde_json::from_slice(&answer.body).ok()?;
        counters.get(component)?.get(name)?.as_u64()
    }

    /// Calls an import route.
    pub fn import(&self, method: &str, target: &str, body: &[u8]) -> anyhow::Result<Value> {
        let bearer = bearer();
        let target = format!("/internal/import/{target}");
        let answer = self.client()?.send(method, &target, &[("authorization", &bearer)], body, true)?;
        ensure!(answer.status < 300, "{method} {target}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// Writes the values of `bare-get` and the account of the login.
    pub fn seed(&self) -> anyhow::Result<()> {
        for bytes in SEED_BYTES {
            let target = format!("/yardstick/bare-get/seed-{bytes}/{SEEDS}");
            let seeded = self.client()?.send("POST", &target, &[], &[], false)?;
            ensure!(seeded.status == 200, "the yardsticks were not seeded");
        }
        let account = json!({"username": ACCOUNT.0, "password": ACCOUNT.1});
        self.import("POST", "users", account.to_string().as_bytes()).map(drop)
    }

    /// Stages the lines of a folder, then publishes them.
    pub fn publish(&self, data: &Path) -> anyhow::Result<Import> {
        let id = self.import("POST", "jobs", b"{}")?;
        let id = id.get("id").and_then(Value::as_str).context("a job without id")?.to_owned();
        let start = Instant::now();
        let mut parts = 0;
        let mut part = Vec::with_capacity(PART);
        let mut send = |part: &mut Vec<u8>| -> anyhow::Result<()> {
            let info = self.import("PUT", &format!("jobs/{id}/parts/{parts}"), part)?;
            ensure!(info.get("refusees").and_then(Value::as_u64) == Some(0), "refused lines: {info}");
            parts += 1;
            part.clear();
            Ok(())
        };
        for kind in kinds() {
            let file = data.join(dataset::file_name(kind));
            if !file.exists() {
                continue;
            }
            let mut lines = std::io::BufReader::new(std::fs::File::open(file)?);
            let mut line = Vec::new();
            while std::io::BufRead::read_until(&mut lines, b'\n', &mut line)? > 0 {
                if part.len() + line.len() > PART {
                    send(&mut part)?;
                }
                part.append(&mut line);
            }
        }
        if !part.is_empty() {
            send(&mut part)?;
        }
        let staging = start.elapsed();
        let order = json!({"parties": parts}).to_string();
        let start = Instant::now();
        self.import("POST", &format!("jobs/{id}/publish"), order.as_bytes())?;
        let job = loop {
            let job = self.import("POST", &format!("jobs/{id}/run"), b"")?;
            match job.get("etape").and_then(Value::as_str) {
                Some("publie") => break job,
                Some("echec" | "inchange" | "abandonne" | "attendre_confirmation") => bail!("not published: {job}"),
                _ => {}
            }
        };
        let seconds = start.elapsed().as_secs_f64();
        let writes = job.get("bilan").and_then(|b| b.get("ecritures")).and_then(Value::as_u64).unwrap_or_default();
        let peak_memory = self.counter("import", "peak_memory");
        let start = Instant::now();
        while self.import("POST", "run", b"")?.get("encore").and_then(Value::as_bool) == Some(true) {}
        let cleaning = start.elapsed();
        Ok(Import {
            parts,
            staging: staging.as_secs_f64(),
            seconds,
            writes,
            peak_memory,
            cleaning: cleaning.as_secs_f64(),
        })
    }
}

/// What a publication took.
#[derive(Debug, Clone)]
pub struct Import {
    /// Parts sent.
    pub parts: usize,
    /// Seconds to stage them.
    pub staging: f64,
    /// Seconds from `publish` to the moved pointer.
    pub seconds: f64,
    /// Values written from `publish` on.
    pub writes: u64,
    /// The largest memory of an instance of the import, in bytes.
    pub peak_memory: Option<u64>,
    /// Seconds to delete what only the making needed.
    pub cleaning: f64,
}
