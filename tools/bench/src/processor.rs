//! What the kernel counts of processor time.

use anyhow::Context;

/// Ticks of the kernel's clocks in a second, as `/proc` tells them on every Linux of today.
pub const TICKS: f64 = 100.0;

/// Seconds that the server's core was given to other machines of the same hardware.
pub fn stolen() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let name = format!("cpu{} ", crate::SERVER_CORE);
    let line = text.lines().find(|line| line.starts_with(&name)).context("no such core in /proc/stat")?;
    let ticks: f64 = line.split_whitespace().nth(8).unwrap_or("0").parse()?;
    Ok(ticks / TICKS)
}
