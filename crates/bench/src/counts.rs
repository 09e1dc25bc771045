//! Instructions of the server for a request, its own and the guest's, counted by callgrind: the same in every run,
//! whatever else the machine does. What the kernel does for a request is not in them.

use crate::report::Count;
use crate::server::Server;
use anyhow::{Context, ensure};
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
    Ok(Count {
        instructions: a_request(newest_total(folder)?),
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

/// The sum of the dump that was written last, which is then removed.
fn newest_total(folder: &Path) -> anyhow::Result<u64> {
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
    let sum = text.lines().find_map(|line| line.strip_prefix("summary: ").or(line.strip_prefix("totals: ")));
    Ok(sum.context("a dump without its sum")?.trim().parse()?)
}
