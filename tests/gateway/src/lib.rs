//! What the tests of the cache share: Debian's nginx with the files of `deploy/nginx`, before the built application.

use anyhow::{Context, ensure};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::client::send;
use support::{Answer, Folder, Request, root};

/// The path that the gateway adds, and nginx takes away.
pub const PREFIX: &str = "/exposition-inserjeunes-insersup";

/// Where nginx is; `None` where the test is skipped.
#[must_use]
pub fn nginx(test: &str) -> Option<PathBuf> {
    beside::program("nginx", test)
}

/// A port of this machine that nobody listens on.
///
/// # Errors
/// Where there is none.
pub fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// A running nginx; it ends when it is dropped.
#[derive(Debug)]
pub struct Nginx {
    /// Where it listens.
    pub address: SocketAddr,
    folder: Folder,
    child: Child,
}

impl Nginx {
    /// The cache, as it is deployed, before an application.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn cache(program: &Path, application: SocketAddr) -> anyhow::Result<Self> {
        let (folder, address) = (Folder::new("nginx-cache")?, free_address()?);
        let made = Command::new(root().join("tests/gateway/configure.sh"))
            .arg(folder.path())
            .args([application.to_string(), address.to_string()])
            .status()?;
        ensure!(made.success(), "configure.sh");
        Self::start(program, folder, address)
    }

    /// An nginx that makes the ages of answers short, so that a test sees them end: `max-age=600` becomes two seconds, and
    /// the time beyond it one. It stands for the application, and may be stopped in its place.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn short_ages(program: &Path, application: SocketAddr, address: SocketAddr) -> anyhow::Result<Self> {
        let folder = Folder::new("nginx-ages")?;
        let path = folder.path().display();
        std::fs::create_dir_all(folder.path().join("log"))?;
        let user = if running_as_root()? { "user root;" } else { "" };
        let text = format!(
            r#"{user} worker_processes 1; pid {path}/pid; error_log {path}/log/error.log;
            events {{ worker_connections 1024; }}
            http {{
                client_body_temp_path {path}/a; proxy_temp_path {path}/b; fastcgi_temp_path {path}/c;
                uwsgi_temp_path {path}/d; scgi_temp_path {path}/e;
                log_format asked '$status $request_uri $http_if_none_match'; access_log {path}/log/asked.log asked;
                map $upstream_http_cache_control $age {{
                    default $upstream_http_cache_control;
                    "~^public, max-age=600, stale-while-revalidate=60, (?<rest>stale-if-error=.*)$"
                        "public, max-age=2, stale-while-revalidate=1, $rest";
                }}
                upstream application {{ server {application}; keepalive 16; }}
                server {{
                    listen {address};
                    location / {{
                        proxy_http_version 1.1; proxy_set_header Connection "";
                        proxy_hide_header Cache-Control; add_header Cache-Control $age always;
                        proxy_pass_header Date;
                        proxy_pass http://application;
                    }}
                }}
            }}"#
        );
        std::fs::write(folder.path().join("nginx.conf"), text)?;
        Self::start(program, folder, address)
    }

    fn start(program: &Path, folder: Folder, address: SocketAddr) -> anyhow::Result<Self> {
        let configuration = folder.path().join("nginx.conf");
        let child = Command::new(program)
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&configuration)
            .args(["-g", "daemon off;"])
            .stderr(Stdio::null())
            .spawn()?;
        let mut started = Self { address, folder, child };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = started.child.try_wait()?;
            ensure!(
                ended.is_none() && begun.elapsed() < Duration::from_secs(20),
                "nginx: {ended:?} {}",
                started.logs()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(started)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// Where no whole answer comes back.
    pub fn send(&self, request: &Request) -> std::io::Result<Answer> {
        send(self.address, request)
    }

    /// Gets a path, under the prefix.
    ///
    /// # Errors
    /// Where no whole answer comes back.
    pub fn get(&self, path: &str) -> std::io::Result<Answer> {
        self.send(&Request::get(&format!("{PREFIX}{path}")))
    }

    /// Everything that it has logged.
    #[must_use]
    pub fn logs(&self) -> String {
        let files = std::fs::read_dir(self.folder.path().join("log")).into_iter().flatten().flatten();
        files.map(|file| std::fs::read_to_string(file.path()).unwrap_or_default()).collect()
    }

    /// What it keeps on disk, as text.
    #[must_use]
    pub fn kept(&self) -> String {
        let mut folders = vec![self.folder.path().join("cache")];
        let mut text = String::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                match std::fs::read(entry.path()) {
                    Ok(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
                    Err(_) => folders.push(entry.path()),
                }
            }
        }
        text
    }

    /// Stops or continues its processes without ending them: connections are taken, and nobody answers.
    ///
    /// # Errors
    /// Where they cannot be told so.
    pub fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let own = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children"))?;
        for process in children.split_whitespace().chain([own.to_string().as_str()]) {
            let told = Command::new("kill").args([signal, process]).status().context("kill")?;
            ensure!(told.success(), "kill {signal} {process}");
        }
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // TERM to the master ends its workers too; killed, it would leave them.
        let _ = self.signal("-CONT");
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

fn running_as_root() -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}

/// Numbers that are the same in every run.
#[derive(Clone, Copy, Debug)]
pub struct Chance(pub u64);

impl Chance {
    /// Below `n`, by Zipf's law of exponent 1, as the bench draws: the first of all is the most frequent.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of a list"
    )]
    pub fn zipf(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let unit = (self.0 >> 11) as f64 / (1u64 << 53) as f64;
        // The inverse of the harmonic sum, which grows as a logarithm.
        let rank = ((n as f64 + 1.0).ln() * unit).exp() - 1.0;
        (rank as usize).min(n.saturating_sub(1))
    }
}
