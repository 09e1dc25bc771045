//! A store on Redis or Valkey: the commands of Spin 4.1's provider, defects included, so that what works here works there.
//!
//! | operation | sent |
//! | --- | --- |
//! | open | `PING`, its failure ignored |
//! | get, set, delete, exists | `GET`, `SET`, `DEL`, `EXISTS`; keys as they are, without the store's label |
//! | listing | `KEYS *` (wasi), `SCAN` (spin) |
//! | batch set, batch delete | `MSET`, `DEL` |
//! | batch get | `KEYS` with the keys as its arguments: an error, or a panic, never the values |
//! | increment | `INCRBY` |
//! | swap | a connection of its own: `WATCH`, `GET`; then `MULTI SET EXEC`, and `UNWATCH` with an argument, which the server refuses: every swap that reaches it reads as lost, and one that was refused would read as won |
//!
//! Everything else goes over one connection, made by the first open and made anew when it breaks; the command that
//! notices fails. The client library is Spin's own in the same version, its waiting times too.

use crate::store::{MAX_RESULT_BYTES, Outcome};
use redis::aio::ConnectionManager;
use redis::{AsyncCommands, Client, RedisError, cmd, pipe};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{OnceCell, mpsc};

/// How long the start waits to learn the server's eviction policy.
const START_PATIENCE: Duration = Duration::from_secs(2);

/// A server, connected to when it is first asked for.
pub(crate) struct RedisStore {
    client: Client,
    connection: OnceCell<ConnectionManager>,
}

impl RedisStore {
    /// For an address like `redis://host:6379/0`.
    pub(crate) fn new(address: &str) -> Outcome<Self> {
        Ok(Self { client: Client::open(address).map_err(text)?, connection: OnceCell::new() })
    }

    /// The server and its port, without a password.
    pub(crate) fn shown(&self) -> String {
        format!("Redis at {}", self.client.get_connection_info().addr)
    }

    /// Refuses a server that drops values when its memory is full. One that cannot be asked is let pass, as Spin lets it.
    pub(crate) fn keeps_what_it_takes(&self, threads: &Runtime) -> Result<(), String> {
        let client = self.client.clone();
        let asked = async move {
            let mut connection = client.get_multiplexed_async_connection().await?;
            cmd("CONFIG").arg("GET").arg("maxmemory-policy").query_async::<Vec<String>>(&mut connection).await
        };
        // Not blocked on: who starts a host may be inside a runtime of its own.
        let (tell, told) = std::sync::mpsc::channel();
        threads.spawn(async move { tell.send(tokio::time::timeout(START_PATIENCE, asked).await) });
        let Ok(Ok(Ok(answer))) = told.recv() else { return Ok(()) };
        match answer.get(1) {
            Some(policy) if policy.starts_with("allkeys-") => {
                Err(format!("maxmemory-policy is {policy}: the server would drop values; set it to noeviction"))
            }
            _ => Ok(()),
        }
    }

    async fn connection(&self) -> Outcome<ConnectionManager> {
        let made = self.connection.get_or_try_init(|| self.client.get_connection_manager());
        made.await.cloned().map_err(text)
    }

    pub(crate) async fn open(&self) -> Outcome<()> {
        let _ = self.connection().await?.ping::<()>().await;
        Ok(())
    }

    pub(crate) async fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>> {
        bounded(self.connection().await?.get(key).await.map_err(text)?)
    }

    pub(crate) async fn set(&self, key: &str, value: &[u8]) -> Outcome<()> {
        self.connection().await?.set(key, value).await.map_err(text)
    }

    pub(crate) async fn delete(&self, key: &str) -> Outcome<()> {
        self.connection().await?.del(key).await.map_err(text)
    }

    pub(crate) async fn exists(&self, key: &str) -> Outcome<bool> {
        self.connection().await?.exists(key).await.map_err(text)
    }

    pub(crate) async fn keys(&self) -> Outcome<Vec<String>> {
        self.connection().await?.keys("*").await.map_err(text)
    }

    /// Sends every key, some perhaps twice, until nobody listens.
    pub(crate) async fn send_keys(&self, keys: &mpsc::Sender<String>) -> Outcome<()> {
        let mut connection = self.connection().await?;
        let mut scan = connection.scan::<String>().await.map_err(text)?;
        while let Some(key) = scan.next_item().await {
            if keys.send(key).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// `Ok(None)` where Spin's task panics: an odd number of keys matches.
    pub(crate) async fn get_many(&self, keys: Vec<String>) -> Outcome<Option<Vec<(String, Vec<u8>)>>> {
        if keys.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let names: Vec<String> = self.connection().await?.keys(keys).await.map_err(text)?;
        let (pairs, rest) = names.as_chunks();
        let pairs = pairs.iter().map(|[name, value]| (name.clone(), value.clone().into_bytes()));
        Ok(rest.is_empty().then(|| pairs.collect()))
    }

    pub(crate) async fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Outcome<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        self.connection().await?.mset(pairs).await.map_err(text)
    }

    pub(crate) async fn delete_many(&self, keys: &[String]) -> Outcome<()> {
        if keys.is_empty() {
            return Ok(());
        }
        self.connection().await?.del(keys).await.map_err(text)
    }

    pub(crate) async fn increment(&self, key: &str, delta: i64) -> Outcome<i64> {
        self.connection().await?.incr(key, delta).await.map_err(text)
    }

    /// The connection of one compare-and-swap: a watch is a connection's own.
    pub(crate) async fn watcher(&self) -> Outcome<Watcher> {
        Ok(Watcher(self.client.get_connection_manager().await.map_err(text)?))
    }
}

/// A connection that watches one key.
#[derive(Clone)]
pub(crate) struct Watcher(ConnectionManager);

impl Watcher {
    pub(crate) async fn current(&mut self, key: &str) -> Outcome<Option<Vec<u8>>> {
        cmd("WATCH").arg(key).exec_async(&mut self.0).await.map_err(text)?;
        bounded(self.0.get(key).await.map_err(text)?)
    }

    /// Whether it reads as won, which it never does while the server refuses `UNWATCH` with an argument.
    pub(crate) async fn swap(&mut self, key: &str, value: &[u8]) -> bool {
        let written: Result<(), RedisError> = pipe().atomic().set(key, value).query_async(&mut self.0).await;
        cmd("UNWATCH").arg(key).exec_async(&mut self.0).await.is_ok() && written.is_ok()
    }
}

fn bounded(value: Option<Vec<u8>>) -> Outcome<Option<Vec<u8>>> {
    match value {
        Some(value) if value.len() > MAX_RESULT_BYTES => {
            Err(format!("query result exceeds limit of {MAX_RESULT_BYTES} bytes"))
        }
        value => Ok(value),
    }
}

fn text(error: RedisError) -> String {
    error.to_string()
}
