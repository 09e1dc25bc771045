//! A local runtime for the application of a `spin.toml`, for machines without the `spin` command.
//!
//! **A development tool, never deployed.** It exists so that tests run in one process and a first run needs nothing
//! but a Rust toolchain. It keeps Spin 4.1's rules (routes, grants, variables, outgoing requests, reuse of instances,
//! the file and the semantics of the default key-value store), so that what holds here holds there; where it offers
//! less than Spin it refuses to start and says so.
//!
//! The way of a request: `server` accepts it and asks [`router`] for a component; the component's pool of instances
//! (`runtime`) runs it; the guest's imports (`interfaces`) lead to the [`store`] and to [`variables`]; outgoing
//! requests pass [`outbound`]. [`testing`] holds what tests turn and read: the clock, faults, counters.
//!
//! ```no_run
//! # fn main() -> Result<(), host::Error> {
//! let host = host::Host::start(host::Config::new("spin.toml"))?;
//! println!("http://{}", host.address());
//! host.stop();
//! # Ok(())
//! # }
//! ```
//!
//! A [`Host`] has threads of its own, so it can be started from a plain test as well as from an async one. Dropping
//! it cuts everything off at once; [`Host::stop`] lets requests finish.

mod backend;
mod bucket;
mod control;
mod error;
mod interfaces;
mod loader;
pub mod manifest;
pub mod outbound;
mod patience;
mod redis_store;
pub mod router;
mod runtime;
mod server;
pub mod store;
pub mod testing;
pub mod variables;

pub use error::Error;

use backend::Backend;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioIo, TokioTimer};
use loader::Loader;
use manifest::{Manifest, Target};
use patience::{Patient, PatientBody};
use redis_store::RedisStore;
use runtime::{Inside, Runtime};
use server::App;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};
use testing::{AllCounters, Faults};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use variables::{Sources, Variables};
use wasmtime_wasi_http::WasiBody;

/// How long [`Host::stop`] waits for requests that are still running.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct Config {
    /// The application's `spin.toml`.
    pub manifest: PathBuf,
    /// Where to listen; port 0 takes a free one, which [`Host::address`] tells.
    pub listen: SocketAddr,
    /// The store's file; Spin's own default beside the manifest unless given.
    pub store: Option<PathBuf>,
    /// The address of a Redis or Valkey server that holds the store instead, as `redis://host:6379`.
    pub redis: Option<String>,
    /// Application variables; they win over the environment.
    pub variables: BTreeMap<String, String>,
    /// A file of `SPIN_VARIABLE_NAME=value` lines; `.env` beside the manifest, where there is one, unless given.
    pub env_file: Option<PathBuf>,
    /// Skips every fsync of the store. Tests only.
    pub fast_unsafe_store: bool,
    /// Counts the fuel guests consume. Slows them down.
    pub fuel: bool,
    /// Writes the map of guest functions that `perf report` looks for.
    pub perf_map: bool,
    /// How instances are reused.
    pub reuse: Reuse,
    /// Prints a line per request on standard error.
    pub log_requests: bool,
}

impl Config {
    /// Spin's defaults, on a free port of the loopback address.
    pub fn new(manifest: impl Into<PathBuf>) -> Self {
        Self {
            manifest: manifest.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            store: None,
            redis: None,
            variables: BTreeMap::new(),
            env_file: None,
            fast_unsafe_store: false,
            fuel: false,
            perf_map: false,
            reuse: Reuse::default(),
            log_requests: false,
        }
    }
}

/// How instances are reused; the defaults are Spin's. A component of WASI 0.2 is never reused.
#[derive(Debug, Clone, Copy)]
pub struct Reuse {
    /// Requests an instance answers before it is dropped.
    pub max_requests: usize,
    /// Requests an instance answers at the same time.
    pub max_concurrent: usize,
    /// How long an instance without work is kept.
    pub idle: Duration,
    /// Instances of all components at the same time; past it a request fails with a 500.
    pub max_instances: usize,
}

impl Default for Reuse {
    fn default() -> Self {
        Self { max_requests: 128, max_concurrent: 16, idle: Duration::from_secs(1), max_instances: 1000 }
    }
}

/// A running application.
pub struct Host {
    app: Arc<App>,
    routes: Vec<Route>,
    /// Always there until dropped.
    threads: Option<tokio::runtime::Runtime>,
    stop: watch::Sender<bool>,
}

/// A line of the start-up message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The component's id; `static` for a fixed answer.
    pub component: String,
    /// The component's description; may be empty.
    pub description: String,
    /// The route, ` (wildcard)` behind it where it is one; `None` where it is private.
    pub path: Option<String>,
}

impl Host {
    /// Reads the manifest, compiles the components, opens the store, and serves from then on.
    pub fn start(config: Config) -> Result<Self, Error> {
        let manifest = Manifest::read(&config.manifest)?;
        let variables = read_variables(&config, &manifest)?;
        let folder = config.manifest.parent().map(PathBuf::from).unwrap_or_default();
        let file = config.store.unwrap_or_else(|| folder.join(".spin").join("sqlite_key_value.db"));
        let broken = |error: String| Error::Runtime(error);
        let loader = Loader::new(config.fuel, config.perf_map, config.reuse.max_instances)
            .map_err(|error| broken(format!("{error:#}")))?;
        let threads = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| broken(error.to_string()))?;
        let store = match &config.redis {
            None => Backend::Sqlite(store::Store::open(&file, config.fast_unsafe_store)?),
            Some(address) => {
                let redis = RedisStore::new(address).map_err(Error::Redis)?;
                redis.keeps_what_it_takes(&threads).map_err(Error::Redis)?;
                Backend::Redis(redis)
            }
        };
        let runtime = Arc::new(Runtime::new(store, variables, config.reuse, config.fuel));
        let mut pools = BTreeMap::new();
        for (id, component) in &manifest.components {
            pools.insert(id.clone(), loader.load(id, component, &runtime)?);
        }
        let routes = shown_routes(&manifest);
        let mut info = serde_json::Map::from_iter([("name".to_owned(), manifest.name.into())]);
        info.extend(manifest.version.map(|version| ("version".to_owned(), version.into())));
        let info = serde_json::to_string_pretty(&info).map_err(|error| broken(error.to_string()))?;
        let public = manifest.triggers.into_iter().filter_map(|trigger| Some((trigger.route?, trigger.target)));
        let (router, replaced) = router::Router::new(public);
        for (route, _) in replaced {
            eprintln!("the route {} is given twice; the first is never used", route.raw());
        }
        let (listener, address) = listen(&threads, config.listen)?;
        let app = Arc::new(App { router, pools, address, runtime, info, log_requests: config.log_requests });
        let inside: Arc<dyn Inside> = app.clone();
        let _ = app.runtime.app.set(Arc::downgrade(&inside));
        let (stop, stopped) = watch::channel(false);
        threads.spawn(accept(listener, app.clone(), stopped, |app, request, client| async move {
            app.answer(request, client).await
        }));
        Ok(Self { app, routes, threads: Some(threads), stop })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.app.address
    }

    /// The routes in the order of the manifest, private ones included.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The store's file, for tests that seed it or look into it; its connection is the guests' own. `None` on Redis.
    pub fn store(&self) -> Option<&store::Store> {
        match &self.app.runtime.store {
            Backend::Sqlite(store) => Some(store),
            Backend::Redis(_) => None,
        }
    }

    /// Where the store lies, for the person at the terminal.
    pub fn shown_store(&self) -> String {
        match &self.app.runtime.store {
            Backend::Sqlite(store) => format!("{:?}", store.file()),
            Backend::Redis(redis) => redis.shown(),
        }
    }

    /// Makes every guest's wall clock stand still at this instant; `None` gives the real time back. The monotonic
    /// clock stays real.
    pub fn set_clock(&self, time: Option<SystemTime>) {
        self.app.runtime.clock.set(time);
    }

    /// Puts these faults in force, in place of earlier ones; the default value clears them.
    pub fn inject_faults(&self, faults: Faults) {
        self.app.runtime.faults.set(faults);
    }

    /// What each component has done since the start or the last reset.
    pub fn counters(&self) -> AllCounters {
        self.app.counters()
    }

    /// Sets every counter to 0.
    pub fn reset_counters(&self) {
        self.app.reset_counters();
    }

    /// Calls a component past the routes, as another component would through `http://<component>.spin.internal`: the
    /// way to a private one. The body of the answer is read to its end. `None` where there is no such component or
    /// its answer broke off.
    pub async fn call(&self, component: &str, request: http::Request<Bytes>) -> Option<http::Response<Bytes>> {
        let (app, id) = (self.app.clone(), component.to_owned());
        let mut request = request.map(server::full);
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("http://{id}.spin.internal{path}").parse().ok()?;
        let call = async move {
            let (parts, body) = app.call_component(&id, request).await?.into_parts();
            let body = body.collect().await.ok()?.to_bytes();
            Some(http::Response::from_parts(parts, body))
        };
        self.threads.as_ref()?.spawn(call).await.ok()?
    }

    /// Opens the control port (clock, faults, counters over HTTP) and returns its address.
    pub fn open_control(&self, address: SocketAddr) -> Result<SocketAddr, Error> {
        let threads = self.threads.as_ref().ok_or_else(|| Error::Runtime("the host is stopped".to_owned()))?;
        let (listener, address) = listen(threads, address)?;
        threads.spawn(accept(listener, self.app.clone(), self.stop.subscribe(), |app, request, _| async move {
            control::answer(&app, request).await
        }));
        Ok(address)
    }

    /// Accepts nothing more, lets running requests finish, then ends.
    pub fn stop(self) {
        let Some(threads) = &self.threads else { return };
        let _ = self.stop.send(true);
        let (done, wait) = mpsc::channel();
        let stop = self.stop.clone();
        threads.spawn(async move {
            // Every connection holds a receiver until it is closed.
            stop.closed().await;
            let _ = done.send(());
        });
        let _ = wait.recv_timeout(STOP_PATIENCE);
    }

    /// Serves until the process is asked to end (interrupt, or termination), then stops.
    pub fn run_until_interrupted(self) {
        let Some(threads) = &self.threads else { return };
        let (asked, wait) = mpsc::channel();
        threads.spawn(async move {
            interrupted().await;
            let _ = asked.send(());
        });
        let _ = wait.recv();
        self.stop();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.app.runtime.stopping.store(true, Relaxed);
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

fn read_variables(config: &Config, manifest: &Manifest) -> Result<Variables, Error> {
    let beside = config.manifest.with_file_name(".env");
    let file = match &config.env_file {
        Some(file) => Some(file.clone()),
        None => Some(beside).filter(|file| file.exists()),
    };
    let file = match file {
        None => BTreeMap::new(),
        Some(file) => {
            let fault = |reason| Error::Variables(format!("{}: {reason}", file.display()));
            let text = std::fs::read_to_string(&file).map_err(|error| fault(error.to_string()))?;
            variables::parse_env_file(&text).map_err(fault)?
        }
    };
    for name in config.variables.keys() {
        if !manifest.variables.contains_key(name) {
            eprintln!("the variable {name} is given but the manifest declares no such variable");
        }
    }
    let sources = Sources { given: config.variables.clone(), environment: Sources::process_environment(), file };
    let variables = Variables::new(&manifest.variables, &sources);
    let missing: Vec<_> = variables
        .missing()
        .map(|name| format!("{name} (set SPIN_VARIABLE_{} or --variable {name}=…)", name.to_ascii_uppercase()))
        .collect();
    if missing.is_empty() {
        Ok(variables)
    } else {
        Err(Error::Variables(format!("required variables have no value: {}", missing.join(", "))))
    }
}

fn shown_routes(manifest: &Manifest) -> Vec<Route> {
    let shown = |trigger: &manifest::Trigger| {
        let (component, description) = match &trigger.target {
            Target::Static(_) => ("static".to_owned(), String::new()),
            Target::Component(id) => {
                let description = manifest.components.get(id).map(|component| component.description.clone());
                (id.clone(), description.unwrap_or_default())
            }
        };
        Route { component, description, path: trigger.route.as_ref().map(router::Route::shown) }
    };
    manifest.triggers.iter().map(shown).collect()
}

fn listen(threads: &tokio::runtime::Runtime, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let fault = |reason| Error::Listen { address, reason };
    let listener = std::net::TcpListener::bind(address).map_err(fault)?;
    listener.set_nonblocking(true).map_err(fault)?;
    let _inside = threads.enter();
    let listener = TcpListener::from_std(listener).map_err(fault)?;
    let address = listener.local_addr().map_err(fault)?;
    Ok((listener, address))
}

/// Serves connections until told to stop.
async fn accept<Answer, Answered>(
    listener: TcpListener,
    app: Arc<App>,
    mut stopped: watch::Receiver<bool>,
    answer: Answer,
) where
    Answer: Fn(Arc<App>, http::Request<WasiBody>, SocketAddr) -> Answered + Copy + Send + Sync + 'static,
    Answered: Future<Output = http::Response<WasiBody>> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        match accepted {
            Ok((stream, client)) => {
                let (app, stopped) = (app.clone(), stopped.clone());
                tokio::spawn(serve(stream, stopped, move |request| answer(app.clone(), request, client)));
            }
            // Out of file descriptors, mostly: leave the connections at hand the time to end.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve<Answer, Answered>(stream: TcpStream, stopped: watch::Receiver<bool>, answer: Answer)
where
    Answer: Fn(http::Request<WasiBody>) -> Answered + Send + 'static,
    Answered: Future<Output = http::Response<WasiBody>> + Send + 'static,
{
    serve_for(stream, stopped, answer, patience::USUAL).await;
}

/// Serves a connection whose client may keep each wait going for so long.
async fn serve_for<Answer, Answered>(
    stream: TcpStream,
    mut stopped: watch::Receiver<bool>,
    answer: Answer,
    patience: Duration,
) where
    Answer: Fn(http::Request<WasiBody>) -> Answered + Send + 'static,
    Answered: Future<Output = http::Response<WasiBody>> + Send + 'static,
{
    // An answer in two pieces must not wait for the client's acknowledgement of the first.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let answered = answer(request.map(|body| PatientBody::new(body, patience).boxed_unsync()));
        async move { Ok::<_, std::convert::Infallible>(answered.await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .serve_connection(TokioIo::new(Patient::new(stream, patience)), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A client that goes away, or a guest that breaks off its answer, ends the connection and nothing else.
        _ = connection.as_mut() => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Sends a beginning, then nothing, and takes nothing: whether the connection ends, and what the request came to.
    async fn stall(sent: &'static [u8], answer: usize) -> (bool, Option<bool>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (_stop, stopped) = watch::channel(false);
        let (told, tell) = mpsc::channel();
        let served = serve_for(
            stream,
            stopped,
            move |request| {
                let told = told.clone();
                async move {
                    let _ = told.send(request.into_body().collect().await.is_ok());
                    http::Response::new(server::full(vec![b'x'; answer]))
                }
            },
            Duration::from_millis(200),
        );
        client.write_all(sent).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(10), served).await.is_ok();
        let mut rest = [0; 16];
        let _ = client.read(&mut rest).await;
        (ended, tell.try_recv().ok())
    }

    #[test]
    fn a_client_that_stalls_is_left() {
        let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        threads.block_on(async {
            assert_eq!(stall(b"GET / HTTP/1.1\r\nHost: a", 0).await, (true, None), "a head that does not end");
            let body = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc";
            assert_eq!(stall(body, 0).await.1, Some(false), "a body that does not come is no whole one");
            let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
            assert_eq!(stall(get, 64 << 20).await, (true, Some(true)), "an answer that is not taken");
        });
    }
}
