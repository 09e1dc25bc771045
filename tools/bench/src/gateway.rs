//! What stands before the application: nginx with the files of `deploy/nginx`, and a static file of it as the machine's own
//! yardstick.

use crate::load::{Load, Rate};
use crate::requests::Requests;
use crate::server::{self, Server};
use crate::{LOAD_CORE, Options, SERVER_CORE, Site};
use anyhow::{Context, ensure};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the gateway adds to paths, and the cache takes away.
const PREFIX: &str = "/exposition-inserjeunes-insersup";
/// The size of the static file: that of bare-get's value.
const FILE_BYTES: usize = 1_024;
/// Where it lies, and no route does.
const STATIC_PATH: &str = "/yardstick/file";
/// The row that the others are ratios to.
pub const STATIC: &str = "static file of nginx";
/// Requests that a cache has seen before it is measured, in seconds of its own traffic.
const FILLING_S: u32 = 10;

/// A row of the gateway, second by second, and the yardstick's second before each.
pub struct Passed {
    /// What was asked.
    pub row: &'static str,
    /// Who was asked: nginx alone, before the application, or the application without it.
    pub rates: Vec<(Rate, Rate)>,
}

/// Measures a static file, the application alone and the cache before it, each on the server's core: what a request takes of
/// nginx is counted, the application's own core is the load's, and nothing of it is left once the cache is full.
pub fn measure(options: &Options, out: &Path, site: &Site) -> anyhow::Result<Vec<Passed>> {
    let program = beside::program("nginx", "bench --gateway").context("nginx is missing")?;
    let requests = Requests::read(&site.data)?;
    let application = Server::start(options.runtime, &site.folder, LOAD_CORE, Some(crate::REUSE))?;
    let folder = out.join("gateway");
    let gateway = nginx(&program, &folder, application.address)?;
    let prefixed = |targets: &[String]| -> Vec<String> { targets.iter().map(|t| format!("{PREFIX}{t}")).collect() };
    let one = prefixed(requests.zipf.get(..1).unwrap_or_default());
    let rows = [
        (STATIC, vec![STATIC_PATH.to_owned()]),
        ("document, kept by the cache", one),
        ("document, Zipf, through the cache", prefixed(&requests.zipf)),
    ];
    let urls: Vec<(&'static str, PathBuf)> = rows
        .into_iter()
        .map(|(row, targets)| {
            let file = folder.join(row.replace([',', ' '], "-") + ".urls");
            std::fs::write(&file, targets.join("\n"))?;
            Ok((row, file))
        })
        .collect::<anyhow::Result<_>>()?;
    let load = |urls| Load { folder: out, server: &gateway, urls, headers: &crate::CLIENT, seconds: 1, failing: false };
    let (_, yardstick) = urls.first().context("no yardstick")?;
    let mut passed = Vec::new();
    for (row, targets) in &urls {
        Load { seconds: FILLING_S, ..load(targets) }.once()?;
        let mut rates = Vec::new();
        for _ in 0..options.rounds * options.seconds as usize {
            rates.push((load(targets).run()?, load(yardstick).run()?));
        }
        passed.push(Passed { row, rates });
    }
    Ok(passed)
}

/// The deployed cache, and a server of one static file beside it under the same address.
fn nginx(program: &Path, folder: &Path, application: SocketAddr) -> anyhow::Result<Server> {
    let address = server::free_address()?;
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("file"), vec![b'x'; FILE_BYTES])?;
    let made = Command::new(crate::root().join("tests/gateway/configure.sh"))
        .arg(folder)
        .args([application.to_string(), address.to_string()])
        .status()?;
    ensure!(made.success(), "tests/gateway/configure.sh");
    let site = folder.join("site.conf");
    let text = std::fs::read_to_string(&site)?;
    // Before every pattern of the routes.
    let file = format!("location = {STATIC_PATH} {{ alias {}/file; }}", folder.display());
    let (before, end) = text.rsplit_once('}').context("site.conf has no server")?;
    std::fs::write(&site, format!("{before}{file}\n}}{end}"))?;
    let process = Command::new("taskset")
        .args(["-c", SERVER_CORE])
        .arg(program)
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(folder.join("nginx.conf"))
        .args(["-g", "daemon off;"])
        .stderr(Stdio::null())
        .spawn()?;
    Server::of(process, address)
}
