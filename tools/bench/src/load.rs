//! Load: closed-loop by wrk on a core of its own, open-loop by threads of this program.

use crate::http::Client;
use crate::processor::stolen;
use crate::server::Server;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Connections of a closed-loop run.
pub const CONNECTIONS: usize = 32;
/// Connections of the run before it, and its seconds.
const WARM_UP: (usize, u32) = (2, 1);
/// The share of the server's core that a run may lose to other machines of the same hardware.
const STOLEN: f64 = 0.05;
/// How often a run that lost more is run again.
const AGAIN: usize = 2;

/// What wrk runs: the requests of a file in turn, each run from a place of its own, so that one does not ask for what the
/// one before it has made instances keep; and a line of JSON at the end.
const SCRIPT: &str = r#"
local lines, headers, at = {}, {}, 0
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args)
  for line in io.lines(args[1]) do lines[#lines + 1] = line end
  for i = 2, #args, 2 do headers[args[i]] = args[i + 1] end
  math.randomseed(os.time())
  at = math.random(#lines)
  for i = 1, #lines do lines[i] = wrk.format("GET", lines[i], headers) end
end
function request()
  at = at % #lines + 1
  return lines[at]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"us":%d,"bytes":%d,"p50":%.1f,"p99":%.1f,"status":%d,"broken":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"#;

/// What a run came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    /// Requests a second.
    pub rate: f64,
    /// Half of the answers came within so many microseconds.
    pub p50: f64,
    /// 99 of 100 answers came within so many microseconds.
    pub p99: f64,
    /// Processor time of the server, in microseconds a request.
    pub cpu: f64,
    /// The share of its core that went to other machines of the same hardware meanwhile.
    pub stolen: f64,
}

/// Writes the script of a [`Load`] beside the results.
pub fn write_script(folder: &Path) -> std::io::Result<()> {
    std::fs::write(folder.join("load.lua"), SCRIPT)
}

/// What a closed-loop run asks for.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// The folder of the script.
    pub folder: &'a Path,
    /// Who is asked.
    pub server: &'a Server,
    /// A file of targets.
    pub urls: &'a Path,
    /// Sent with each of them.
    pub headers: &'a [(&'a str, &'a str)],
    /// How long.
    pub seconds: u32,
    /// Answers outside of 2xx and 3xx are what is asked for.
    pub failing: bool,
}

impl Load<'_> {
    /// As fast as [`CONNECTIONS`] connections go. A run that others took the processor from is run again, and the one
    /// that they took least from counts.
    pub fn run(self) -> anyhow::Result<Rate> {
        let mut best = self.run_with(CONNECTIONS)?;
        for _ in 0..AGAIN {
            if best.stolen <= STOLEN {
                break;
            }
            let other = self.run_with(CONNECTIONS)?;
            if other.stolen < best.stolen {
                best = other;
            }
        }
        Ok(best)
    }

    /// A moment of a few connections: a runtime without instances makes one for nearly every connection that comes at
    /// once, by chance two or thirty, and thirty take turns at half the rate.
    pub fn warm_up(self) -> anyhow::Result<()> {
        let (connections, seconds) = WARM_UP;
        Load { seconds, ..self }.run_with(connections).map(drop)
    }

    /// One run of [`CONNECTIONS`] connections, whatever others took.
    pub fn once(self) -> anyhow::Result<Rate> {
        self.run_with(CONNECTIONS)
    }

    fn run_with(self, connections: usize) -> anyhow::Result<Rate> {
        let Load { folder, server, urls, headers, seconds, failing } = self;
        let mut command = Command::new("taskset");
        command.args(["-c", crate::LOAD_CORE, "wrk", "-t1"]);
        command.args([format!("-c{connections}"), format!("-d{seconds}s"), "--timeout".into(), "10s".into()]);
        command.arg("-s").arg(folder.join("load.lua")).arg(format!("http://{}", server.address)).arg("--").arg(urls);
        for (name, value) in headers {
            command.args([name, value]);
        }
        let (cpu, stolen_before, start) = (server.cpu()?, stolen()?, Instant::now());
        let output = command.output().context("wrk does not run: is it installed?")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().rfind(|line| line.starts_with('{')).with_context(|| format!("wrk says {text}"))?;
        let read: Value = serde_json::from_str(line)?;
        let number = |name: &str| read.get(name).and_then(Value::as_f64).unwrap_or_default();
        let (requests, status, broken) = (number("requests"), number("status"), number("broken"));
        ensure!(requests > 0.0 && broken == 0.0, "{line} on {}", urls.display());
        let expected = if failing { requests } else { 0.0 };
        ensure!(status == expected, "{line} on {}: unexpected statuses", urls.display());
        Ok(Rate {
            rate: requests / number("us") * 1e6,
            p50: number("p50"),
            p99: number("p99"),
            cpu: (server.cpu()? - cpu) * 1e6 / requests,
            stolen: (stolen()? - stolen_before) / start.elapsed().as_secs_f64(),
        })
    }
}

/// Latencies at a fixed rate, in microseconds, sorted: each from the instant its request was due, so that a stalled
/// server is not spared the requests it kept waiting.
pub fn open(
    address: SocketAddr,
    urls: &[String],
    headers: &[(&str, &str)],
    rate: f64,
    duration: Duration,
) -> anyhow::Result<Vec<f64>> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands")]
    let count = (rate * duration.as_secs_f64()) as usize;
    let next = AtomicUsize::new(0);
    let latencies = Mutex::new(Vec::with_capacity(count));
    let start = Instant::now() + Duration::from_millis(50);
    std::thread::scope(|scope| {
        let work = || -> anyhow::Result<()> {
            let mut client = Client::new(address)?;
            let mut own = Vec::new();
            loop {
                let n = next.fetch_add(1, Relaxed);
                if n >= count {
                    break;
                }
                #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
                let due = start + Duration::from_secs_f64(n as f64 / rate);
                if let Some(wait) = due.checked_duration_since(Instant::now()) {
                    std::thread::sleep(wait);
                }
                let url = urls.get(n % urls.len()).context("no request")?;
                let answer = client.send("GET", url, headers, &[], false)?;
                ensure!(answer.status == 200, "{} on {url}", answer.status);
                own.push(due.elapsed().as_secs_f64() * 1e6);
            }
            latencies.lock().map_err(|_| anyhow::anyhow!("a thread failed"))?.extend(own);
            Ok(())
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked")).and_then(|r| r))
    })?;
    let mut latencies = latencies.into_inner().map_err(|_| anyhow::anyhow!("a thread failed"))?;
    latencies.sort_by(f64::total_cmp);
    Ok(latencies)
}

/// A percentile of sorted values.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of a list"
    )]
    let rank = (sorted.len() as f64 * share) as usize;
    sorted.get(rank.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}
