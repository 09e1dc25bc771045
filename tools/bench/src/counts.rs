//! Instructions of the server for a request, its own and the guest's, counted by callgrind: the same in every run,
//! whatever else the machine does. What the kernel does for a request is not in them.

use crate::report::{Count, Misses};
use crate::server::Server;
use anyhow::{Context, ensure};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Requests that are counted of a row.
const REQUESTS: usize = 100;
/// Requests before them: they make instances, open the store, read what an instance keeps.
const BEFORE: usize = 20;

/// Counts the requests of a row, one after the other on one connection; those before it are others of the same row.
pub fn count(
    server: &Server,
    folder: &Path,
    component: &str,
    targets: &[String],
    headers: &[(&str, &str)],
) -> anyhow::Result<Count> {
    let mut client = server.client()?;
    let mut ask = |rank: usize| -> anyhow::Result<()> {
        let target = targets.get(rank % targets.len()).context("no target")?;
        let status = client.send("GET", target, headers, &[], false)?.status;
        ensure!(status < 500, "{status} on {target}");
        Ok(())
    };
    (0..BEFORE).try_for_each(|rank| ask(targets.len() / 2 + rank))?;
    let counter = |name| server.counter(component, name).unwrap_or_default();
    let (gets, bytes) = (counter("gets"), counter("bytes_read"));
    control(server, "--zero")?;
    (0..REQUESTS).try_for_each(&mut ask)?;
    control(server, "--dump")?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let a_request = |n: u64| n as f64 / REQUESTS as f64;
    let totals = newest_totals(folder)?;
    let total = |event: &str| totals.get(event).copied().map(a_request);
    let misses = total("I1mr")
        .zip(total("DLmr").zip(total("DLmw")))
        .map(|(code, (read, written))| Misses { code, data: read + written });
    Ok(Count {
        instructions: total("Ir").context("a dump without instructions")?,
        misses,
        gets: a_request(counter("gets") - gets),
        bytes: a_request(counter("bytes_read") - bytes),
    })
}

fn control(server: &Server, order: &str) -> anyhow::Result<()> {
    let output = Command::new("callgrind_control").args([order, &server.pid().to_string()]).output();
    let output = output.context("callgrind_control does not run: is valgrind installed?")?;
    ensure!(output.status.success(), "callgrind_control {order}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The sums of the dump that was written last, which is then removed.
fn newest_totals(folder: &Path) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut newest = None;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let rank =
            entry.file_name().to_string_lossy().strip_prefix("callgrind.out.").and_then(|n| n.parse::<u32>().ok());
        newest = newest.max(rank.map(|rank| (rank, entry.path())));
    }
    let (_, file) = newest.context("callgrind wrote nothing")?;
    let text = std::fs::read_to_string(&file)?;
    std::fs::remove_file(&file)?;
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::split_whitespace);
    let sums = line("summary: ").or_else(|| line("totals: ")).context("a dump without its sums")?;
    let events = line("events: ").context("a dump without its events")?;
    events.zip(sums).map(|(event, sum)| Ok((event.to_owned(), sum.parse()?))).collect()
}
