//! An open store as a guest holds it: the store's operations, with the faults and counters of tests around them.

use crate::backend::Backend;
use crate::redis_store::Watcher;
use crate::runtime::{Component, Runtime};
use crate::store::{self, Outcome};
use crate::testing::{Effect, Operation, count};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{block_in_place, spawn_blocking};

/// An open store. Cloning it is cheap and shares it.
#[derive(Clone)]
pub struct Bucket(Arc<Inner>);

struct Inner {
    label: String,
    component: Arc<Component>,
    runtime: Arc<Runtime>,
}

/// Why a store was not opened.
pub(crate) enum Refusal {
    /// The manifest does not grant it.
    Denied,
    /// A fault of a test.
    Other(String),
}

/// How far a value read by a compare-and-swap is known.
#[derive(Clone)]
pub struct Swap {
    pub(crate) bucket: Bucket,
    pub(crate) key: String,
    /// The value `current` last saw; `None` before it is called and where the key was absent, as under Spin.
    pub(crate) seen: Option<Vec<u8>>,
    /// On Redis the server remembers it instead, for this connection.
    watcher: Option<Watcher>,
}

/// What a test's fault leaves of an operation that goes ahead.
struct Plan {
    absent: bool,
    fail_after: bool,
}

impl Plan {
    fn finish<T>(self, outcome: Outcome<T>) -> Outcome<T> {
        if self.fail_after { outcome.and(injected()) } else { outcome }
    }
}

fn injected<T>() -> Outcome<T> {
    Err("injected fault".to_owned())
}

impl Bucket {
    pub(crate) async fn open(label: String, component: Arc<Component>, runtime: Arc<Runtime>) -> Result<Self, Refusal> {
        count(&component.tally.opens, 1);
        if !component.stores.contains(&label) {
            return Err(Refusal::Denied);
        }
        let bucket = Self(Arc::new(Inner { label, component, runtime }));
        bucket.plan(Operation::Open, [].into_iter()).await.map_err(Refusal::Other)?;
        if let Backend::Redis(redis) = &bucket.0.runtime.store {
            redis.open().await.map_err(Refusal::Other)?;
        }
        Ok(bucket)
    }

    async fn plan<'k>(&self, operation: Operation, keys: impl Iterator<Item = &'k str> + Clone) -> Outcome<Plan> {
        let mut plan = Plan { absent: false, fail_after: false };
        match self.0.runtime.faults.strike(&self.0.component.id, operation, keys) {
            None => {}
            Some(Effect::Fail) => return injected(),
            Some(Effect::FailAfter) => plan.fail_after = true,
            Some(Effect::Absent) => plan.absent = true,
            Some(Effect::Delay(milliseconds)) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
        }
        Ok(plan)
    }

    /// Reads one key. That is short, so it runs on the spot, unless something long has the connection.
    fn short<T>(&self, store: &store::Store, read: impl FnOnce(&rusqlite::Connection, &str) -> T) -> T {
        let Inner { runtime, label, .. } = &*self.0;
        if runtime.long_operations.load(Relaxed) == 0 {
            read(&store.lock(), label)
        } else {
            block_in_place(|| read(&store.lock(), label))
        }
    }

    /// Does what may take long (a write waits for the disk), giving the thread's other tasks away meanwhile.
    fn long<T>(&self, store: &store::Store, work: impl FnOnce(&store::Store, &str) -> T) -> T {
        block_in_place(|| self.long_here(store, work))
    }

    /// [`Bucket::long`] on a thread that has no other tasks.
    fn long_here<T>(&self, store: &store::Store, work: impl FnOnce(&store::Store, &str) -> T) -> T {
        let Inner { runtime, label, .. } = &*self.0;
        runtime.long_operations.fetch_add(1, Relaxed);
        let done = work(store, label);
        runtime.long_operations.fetch_sub(1, Relaxed);
        done
    }

    pub(crate) async fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>> {
        let tally = &self.0.component.tally;
        count(&tally.gets, 1);
        let plan = self.plan(Operation::Get, [key].into_iter()).await?;
        if plan.absent {
            return Ok(None);
        }
        let value = match &self.0.runtime.store {
            Backend::Sqlite(store) => self.short(store, |connection, label| store::get(connection, label, key)),
            Backend::Redis(redis) => redis.get(key).await,
        }?;
        count(&tally.bytes_read, value.as_ref().map_or(0, Vec::len));
        plan.finish(Ok(value))
    }

    pub(crate) async fn exists(&self, key: &str) -> Outcome<bool> {
        count(&self.0.component.tally.exists, 1);
        let plan = self.plan(Operation::Exists, [key].into_iter()).await?;
        if plan.absent {
            return Ok(false);
        }
        plan.finish(match &self.0.runtime.store {
            Backend::Sqlite(store) => self.short(store, |connection, label| store::exists(connection, label, key)),
            Backend::Redis(redis) => redis.exists(key).await,
        })
    }

    pub(crate) async fn set(&self, key: &str, value: &[u8]) -> Outcome<()> {
        let tally = &self.0.component.tally;
        count(&tally.sets, 1);
        let plan = self.plan(Operation::Set, [key].into_iter()).await?;
        count(&tally.bytes_written, value.len());
        plan.finish(match &self.0.runtime.store {
            Backend::Sqlite(store) => self.long(store, |store, label| store.set(label, key, value)),
            Backend::Redis(redis) => redis.set(key, value).await,
        })
    }

    pub(crate) async fn delete(&self, key: &str) -> Outcome<()> {
        count(&self.0.component.tally.deletes, 1);
        let plan = self.plan(Operation::Delete, [key].into_iter()).await?;
        plan.finish(match &self.0.runtime.store {
            Backend::Sqlite(store) => self.long(store, |store, label| store.delete(label, key)),
            Backend::Redis(redis) => redis.delete(key).await,
        })
    }

    pub(crate) async fn keys(&self) -> Outcome<Vec<String>> {
        count(&self.0.component.tally.lists, 1);
        let plan = self.plan(Operation::List, [].into_iter()).await?;
        if plan.absent {
            return Ok(Vec::new());
        }
        plan.finish(match &self.0.runtime.store {
            Backend::Sqlite(store) => self.long(store, |store, label| store.keys(label)),
            Backend::Redis(redis) => redis.keys().await,
        })
    }

    /// The keys as a stream, and how it ended. The connection stays taken until the reader has drained or dropped it.
    pub(crate) async fn stream_keys(&self) -> (mpsc::Receiver<String>, oneshot::Receiver<Outcome<()>>) {
        count(&self.0.component.tally.lists, 1);
        let (keys, received) = mpsc::channel(4);
        let (ended, end) = oneshot::channel();
        let plan = self.plan(Operation::List, [].into_iter()).await;
        let bucket = self.clone();
        if let Backend::Redis(_) = &bucket.0.runtime.store {
            tokio::spawn(async move {
                let outcome = bucket.scan(plan, &keys).await;
                drop(keys);
                let _ = ended.send(outcome);
            });
            return (received, end);
        }
        spawn_blocking(move || {
            let outcome = plan.and_then(|plan| match &bucket.0.runtime.store {
                Backend::Sqlite(store) if !plan.absent => {
                    let visit = |key| keys.blocking_send(key).is_ok();
                    plan.finish(bucket.long_here(store, |store, label| store.visit_keys(label, visit)))
                }
                _ => Ok(()),
            });
            drop(keys);
            let _ = ended.send(outcome);
        });
        (received, end)
    }

    async fn scan(&self, plan: Outcome<Plan>, keys: &mpsc::Sender<String>) -> Outcome<()> {
        match (plan?, &self.0.runtime.store) {
            (plan, Backend::Redis(redis)) if !plan.absent => plan.finish(redis.send_keys(keys).await),
            _ => Ok(()),
        }
    }

    /// `Ok(None)` where Spin panics: see [`crate::redis_store`].
    pub(crate) async fn get_many(&self, keys: Vec<String>) -> Outcome<Option<Vec<(String, Vec<u8>)>>> {
        let tally = &self.0.component.tally;
        count(&tally.batches, 1);
        count(&tally.batch_keys, keys.len());
        let plan = self.plan(Operation::GetMany, keys.iter().map(String::as_str)).await?;
        if plan.absent {
            return Ok(Some(Vec::new()));
        }
        let pairs = match &self.0.runtime.store {
            Backend::Sqlite(store) => self.long(store, |store, label| store.get_many(label, keys)).map(Some),
            Backend::Redis(redis) => redis.get_many(keys).await,
        }?;
        count(&tally.bytes_read, pairs.iter().flatten().map(|(_, value)| value.len()).sum());
        plan.finish(Ok(pairs))
    }

    pub(crate) async fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Outcome<()> {
        let tally = &self.0.component.tally;
        count(&tally.batches, 1);
        count(&tally.batch_keys, pairs.len());
        let keys = pairs.iter().map(|(key, _)| key.as_str());
        let plan = self.plan(Operation::SetMany, keys).await?;
        count(&tally.bytes_written, pairs.iter().map(|(_, value)| value.len()).sum());
        plan.finish(match &self.0.runtime.store {
            Backend::Sqlite(store) => self.long(store, |store, label| store.set_many(label, pairs)),
            Backend::Redis(redis) => redis.set_many(pairs).await,
        })
    }

    pub(crate) async fn delete_many(&self, keys: &[String]) -> Outcome<()> {
        let tally = &self.0.component.tally;
        count(&tally.batches, 1);
        count(&tally.batch_keys, keys.len());
        let plan = self.plan(Operation::DeleteMany, keys.iter().map(String::as_str)).await?;
        plan.finish(match &self.0.runtime.store {
            Backend::Sqlite(store) => self.long(store, |store, label| store.delete_many(label, keys)),
            Backend::Redis(redis) => redis.delete_many(keys).await,
        })
    }

    /// `Ok(None)` where the value is not eight bytes.
    pub(crate) async fn increment(&self, key: &str, delta: i64) -> Outcome<Option<i64>> {
        count(&self.0.component.tally.atomics, 1);
        let plan = self.plan(Operation::Increment, [key].into_iter()).await?;
        plan.finish(match &self.0.runtime.store {
            Backend::Sqlite(store) => self.long(store, |store, label| store.increment(label, key, delta)),
            Backend::Redis(redis) => redis.increment(key, delta).await.map(Some),
        })
    }
}

impl Swap {
    /// Of a key of which nothing is known yet; on Redis with a connection of its own.
    pub(crate) async fn new(bucket: Bucket, key: String) -> Outcome<Self> {
        let watcher = match &bucket.0.runtime.store {
            Backend::Sqlite(_) => None,
            Backend::Redis(redis) => Some(redis.watcher().await?),
        };
        Ok(Self { bucket, key, seen: None, watcher })
    }

    /// Whether the host keeps it after a swap, and its connection with it, until the instance ends: as Spin does.
    pub(crate) fn lingers(&self) -> bool {
        self.watcher.is_some()
    }

    /// Reads the key and remembers what was read.
    pub(crate) async fn current(&mut self) -> Outcome<Option<Vec<u8>>> {
        let Some(watcher) = &mut self.watcher else {
            self.seen = self.bucket.get(&self.key).await?;
            return Ok(self.seen.clone());
        };
        let tally = &self.bucket.0.component.tally;
        count(&tally.gets, 1);
        let plan = self.bucket.plan(Operation::Get, [self.key.as_str()].into_iter()).await?;
        if plan.absent {
            return Ok(None);
        }
        plan.finish(watcher.current(&self.key).await)
    }

    /// False where the key no longer has the value remembered; on Redis always.
    pub(crate) async fn swap(&mut self, value: &[u8]) -> Outcome<bool> {
        let Bucket(inner) = &self.bucket;
        count(&inner.component.tally.atomics, 1);
        let plan = self.bucket.plan(Operation::Swap, [self.key.as_str()].into_iter()).await?;
        count(&inner.component.tally.bytes_written, value.len());
        let swapped = match (&inner.runtime.store, &mut self.watcher) {
            (Backend::Sqlite(store), _) => {
                let seen = self.seen.as_deref();
                self.bucket.long(store, |store, label| store.swap(label, &self.key, seen, value))
            }
            (Backend::Redis(_), Some(watcher)) => Ok(watcher.swap(&self.key, value).await),
            (Backend::Redis(_), None) => Ok(false),
        };
        plan.finish(swapped)
    }
}
