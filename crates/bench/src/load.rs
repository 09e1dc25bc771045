//! Load: closed-loop by wrk on a core of its own, open-loop by threads of this program.

use crate::http::Client;
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

/// What wrk runs: the requests of a file in turn, each connection from a place of its own, and a line of JSON at the
/// end.
const SCRIPT: &str = r#"
local lines, headers, at = {}, {}, 0
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args)
  for line in io.lines(args[1]) do lines[#lines + 1] = line end
  for i = 2, #args, 2 do headers[args[i]] = args[i + 1] end
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
}

/// Writes the script for [`closed`] beside the results.
pub fn write_script(folder: &Path) -> std::io::Result<()> {
    std::fs::write(folder.join("load.lua"), SCRIPT)
}

/// What a closed-loop run asks for.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// The folder of the script.
    pub folder: &'a Path,
    /// Who is asked.
    pub address: SocketAddr,
    /// A file of targets.
    pub urls: &'a Path,
    /// Sent with each of them.
    pub headers: &'a [(&'a str, &'a str)],
    /// How long.
    pub seconds: u32,
    /// Answers outside of 2xx and 3xx are what is asked for.
    pub failing: bool,
}

/// As fast as [`CONNECTIONS`] connections go, after a moment of a few of them: a runtime without instances makes one
/// for nearly every connection that comes at once, by chance two or thirty, and thirty take turns at half the rate.
pub fn closed(load: Load<'_>) -> anyhow::Result<Rate> {
    let (connections, seconds) = WARM_UP;
    run(Load { seconds, ..load }, connections)?;
    at_once(load)
}

/// The same without the moment before.
pub fn at_once(load: Load<'_>) -> anyhow::Result<Rate> {
    run(load, CONNECTIONS)
}

fn run(load: Load<'_>, connections: usize) -> anyhow::Result<Rate> {
    let Load { folder, address, urls, headers, seconds, failing } = load;
    let mut command = Command::new("taskset");
    command.args(["-c", crate::LOAD_CORE, "wrk", "-t1"]);
    command.args([format!("-c{connections}"), format!("-d{seconds}s"), "--timeout".into(), "10s".into()]);
    command.arg("-s").arg(folder.join("load.lua")).arg(format!("http://{address}")).arg("--").arg(urls);
    for (name, value) in headers {
        command.args([name, value]);
    }
    let output = command.output().context("wrk does not run: is it installed?")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().rfind(|line| line.starts_with('{')).with_context(|| format!("wrk says {text}"))?;
    let read: Value = serde_json::from_str(line)?;
    let number = |name: &str| read.get(name).and_then(Value::as_f64).unwrap_or_default();
    let (requests, status, broken) = (number("requests"), number("status"), number("broken"));
    ensure!(requests > 0.0 && broken == 0.0, "{line} on {}", urls.display());
    let expected = if failing { requests } else { 0.0 };
    ensure!(status == expected, "{line} on {}: unexpected statuses", urls.display());
    Ok(Rate { rate: requests / number("us") * 1e6, p50: number("p50"), p99: number("p99") })
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
