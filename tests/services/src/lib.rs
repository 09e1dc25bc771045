//! The statistical services, simulated: real HTTP on loopback, their logins, their data, and faults on demand.
//!
//! ```no_run
//! use services::{Data, Effect, Fault, Options, Services};
//! let services = Services::start(Options { data: Data::Sample, ..Options::default() })?;
//! services.set_faults([Fault::of("bcn", "N_MEF", Effect::status(503)).times(2)]);
//! // … a client that is given `services.config()`, or an application that is given `services.variables()` …
//! assert!(services.calls()["bcn"].max_per_second <= 5);
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! Each service lies under its name ([`sources::Service::name`]) and, from there on, where the real one lies:
//! `/inserjeunes/api/v1.0/…`, `/bcn/bcnAPI/…`. What is asked, and what is answered: contract, "Sources". Where the
//! data comes from, and what of it is made up: [`real`].
//!
//! While it runs it is steered over HTTP too, for a program of its own:
//!
//! | route | what |
//! | --- | --- |
//! | `POST /_fautes` | [`Faults`] as JSON; replaces those before |
//! | `POST /_rejeu` | recorded exchanges as JSON, to be answered as they were; `null` ends it |
//! | `GET /_appels` | [`Calls`] by service; `DELETE` forgets them |

pub mod answer;
mod client;
mod faults;
mod journal;
pub mod real;
mod replay;
mod route;
pub mod sample;
mod server;
pub mod tables;

pub use client::{NativeBody, NativeClock, NativeFetch};
pub use faults::{Effect, Fault, Faults};
pub use journal::Calls;
pub use replay::exchanges;
pub use sources::Service;

use crate::answer::{DataSet, Summary};
use crate::server::{State, lock};
use anyhow::Context;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sources::Config;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The account that every service with a login knows.
pub const ACCOUNT: &str = "compte-de-simulation";
/// Its password.
pub const PASSWORD: &str = "motdepasse-de-simulation";
/// The key of the services that want one.
pub const KEY: &str = "cle-de-simulation";

/// What the services know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Data {
    /// The project's own sample.
    Sample,
    /// The real tables.
    Real,
    /// The real tables where they are, else the sample.
    RealOrSample,
    /// The real tables, as many rows as in production, times a factor.
    Production(f64),
}

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the services know.
    pub data: Data,
    /// The port on loopback; 0: any.
    pub port: u16,
    /// How long a session lasts. InserJeunes gives its tokens a little over two minutes.
    pub token_life: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { data: Data::RealOrSample, port: 0, token_life: Duration::from_secs(130) }
    }
}

/// The running services; dropped, they stop.
pub struct Services {
    state: Arc<State>,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Reads or makes the data.
///
/// # Errors
/// Real tables that are asked for and not there, or that cannot be read.
pub fn data(data: Data) -> anyhow::Result<Arc<dyn DataSet>> {
    let tables = || tables::Tables::beside().context("the real tables are not there (../shared/data)");
    Ok(match data {
        Data::Sample => Arc::new(sample::Sample::new()),
        Data::Real => Arc::new(real::Real::read(tables()?)?),
        Data::Production(factor) => Arc::new(real::Real::production(tables()?, factor)?),
        Data::RealOrSample => match tables() {
            Ok(tables) => Arc::new(real::Real::read(tables)?),
            Err(_) => Arc::new(sample::Sample::new()),
        },
    })
}

impl Services {
    /// Starts them on a thread of their own.
    ///
    /// # Errors
    /// Data that cannot be read; a port that is taken.
    pub fn start(options: Options) -> anyhow::Result<Self> {
        let state = Arc::new(State::new(data(options.data)?, options.token_life));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        // Bound without the runtime, so that tests may start them from within one of their own.
        let listener = std::net::TcpListener::bind(("127.0.0.1", options.port));
        let listener = listener.with_context(|| format!("port {}", options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let entered = runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        drop(entered);
        runtime.spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { state, address, runtime: Some(runtime) })
    }

    /// Where they listen: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base URL of a service, as [`Config`] wants it.
    #[must_use]
    pub fn base_url(&self, service: Service) -> String {
        format!("{}{}", self.origin(), path(service))
    }

    /// The millesimes that there are statistics of.
    #[must_use]
    pub fn millesimes(&self) -> Summary {
        self.state.data.sources()
    }

    /// What a native client needs.
    #[must_use]
    pub fn config(&self) -> Config {
        Config {
            inserjeunes_url: self.base_url(Service::InserJeunes),
            inserjeunes_username: ACCOUNT.into(),
            inserjeunes_password: PASSWORD.into(),
            insersup_url: self.base_url(Service::InserSup),
            insersup_key: KEY.into(),
            insersup_national_url: self.base_url(Service::InserSupNational),
            insersup_national_source: String::new(),
            bcn_url: self.base_url(Service::Bcn),
            bcn_key: KEY.into(),
            bcn_login: ACCOUNT.into(),
            bcn_password: PASSWORD.into(),
            catalogue_url: self.base_url(Service::Catalogue),
            catalogue_username: ACCOUNT.into(),
            catalogue_password: PASSWORD.into(),
            acce_url: self.base_url(Service::Acce),
            certif_info_url: self.base_url(Service::CertifInfo),
            onisep_url: self.base_url(Service::Onisep),
            onisep_passage_url: self.base_url(Service::OnisepPassage),
            acce_meres_url: self.base_url(Service::AcceMothers),
        }
    }

    /// What the application needs: its variables, by name.
    #[must_use]
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        for service in Service::ALL {
            variables.insert(format!("{}_origine", service.name()), self.origin());
            variables.insert(format!("{}_chemin", service.name()), path(service));
        }
        for (name, value) in [
            ("inserjeunes_username", ACCOUNT),
            ("inserjeunes_password", PASSWORD),
            ("insersup_key", KEY),
            ("bcn_key", KEY),
            ("bcn_login", ACCOUNT),
            ("bcn_password", PASSWORD),
            ("catalogue_username", ACCOUNT),
            ("catalogue_password", PASSWORD),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        let Summary { years, periods, .. } = self.millesimes();
        for (name, millesimes) in [
            ("certifications", &years),
            ("certifications_sup", &periods),
            ("regionales", &periods),
            ("formations", &periods),
            ("formations_sup", &periods),
        ] {
            variables.insert(format!("millesimes_{name}"), millesimes.join(","));
        }
        variables
    }

    /// Faults from now on; replaces those before. None: healthy services.
    pub fn set_faults(&self, rules: impl IntoIterator<Item = Fault>) {
        lock(&self.state.board).set(Faults { rules: rules.into_iter().collect() });
    }

    /// Answers recorded exchanges as they were; `None` ends it. Credentials are not looked at then.
    ///
    /// # Errors
    /// An exchange with none of the services.
    pub fn replay(&self, exchanges: Option<&[Value]>) -> anyhow::Result<()> {
        *lock(&self.state.replay) = exchanges.map(replay::Replay::of).transpose()?;
        Ok(())
    }

    /// What was asked so far, by service.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, Calls> {
        lock(&self.state.journal).calls()
    }

    /// Forgets what was asked.
    pub fn forget_calls(&self) {
        lock(&self.state.journal).clear();
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Where a service lies on this server.
fn path(service: Service) -> String {
    format!("/{}{}", service.name(), route::base(service))
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(move |request| Arc::clone(&state).answer(request));
            // A connection that ends badly ends on demand, or by the client.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
