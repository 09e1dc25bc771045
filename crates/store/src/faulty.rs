//! A store that fails as stores fail, for the tests of every crate that writes.
//!
//! | fault | what happens |
//! | --- | --- |
//! | error | the operation does nothing and says so |
//! | answer lost | the operation is done, and its answer is an error |
//! | lost write | a value is not written, and the answer says that it is |
//! | torn batch | the first values of a batch are written, then an error |
//! | stale read | a read answers what the key held before its last write |
//! | slow | each operation turns the clock of the test by so many milliseconds |
//! | kill | one operation never comes back, torn where it is a batch; nothing after it happens ([`Faulty::kill_after`]) |
//!
//! Faults are drawn from a seed: the same seed and the same operations make the same faults.

use crate::kv::{KeyValue, KeyValueWrite, StoreError};
use crate::memory::MemoryStore;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::rc::Rc;

/// How often each fault comes, in thousandths of the operations that it can befall, and how long operations take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// Operations refused.
    pub error: u32,
    /// Operations done whose answer is an error.
    pub answer_lost: u32,
    /// Values, each of its own, that are acknowledged and not written.
    pub lost_write: u32,
    /// Batches of which only the beginning is written.
    pub torn_batch: u32,
    /// Reads that answer the value before.
    pub stale_read: u32,
    /// Milliseconds of a read.
    pub get_ms: u64,
    /// Milliseconds of a write, a batch being one.
    pub set_ms: u64,
}

/// A seeded source of chance, the same everywhere.
#[derive(Clone, Debug)]
pub struct Chance(Cell<u64>);

impl Chance {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    /// A number under `n`; 0 where `n` is 0.
    pub fn below(&self, n: u64) -> u64 {
        // xorshift64*: its high bits are good, and those are used.
        let mut x = self.0.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0.set(x);
        let drawn = x.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16;
        drawn.checked_rem(n).unwrap_or(0)
    }

    fn comes(&self, thousandths: u32) -> bool {
        thousandths > 0 && self.below(1_000) < u64::from(thousandths)
    }
}

/// The in-memory store behind faults.
#[derive(Debug)]
pub struct Faulty {
    /// What truly lies in the store.
    pub inner: MemoryStore,
    /// The faults of now; a test may change them between two calls.
    pub faults: Cell<FaultRates>,
    /// Turned by slow operations; clocks of the test read it.
    pub clock: Rc<Cell<u64>>,
    chance: Chance,
    /// What keys held before their last write, for stale reads.
    before: RefCell<BTreeMap<String, Option<Vec<u8>>>>,
    /// Operations, a value of a batch being one, until the kill.
    left: Cell<Option<u64>>,
    /// Operations so far.
    pub operations: Cell<u64>,
    /// Faults so far.
    pub struck: Cell<u64>,
}

impl Faulty {
    /// An empty store.
    #[must_use]
    pub fn new(seed: u64, faults: FaultRates) -> Self {
        Self {
            inner: MemoryStore::default(),
            faults: Cell::new(faults),
            clock: Rc::default(),
            chance: Chance::new(seed),
            before: RefCell::default(),
            left: Cell::new(None),
            operations: Cell::new(0),
            struck: Cell::new(0),
        }
    }

    /// After so many operations the next one never comes back, and none after it; `None` ends that.
    pub fn kill_after(&self, operations: Option<u64>) {
        self.left.set(operations);
    }

    fn strike<T>(&self, value: T) -> T {
        self.struck.set(self.struck.get() + 1);
        value
    }

    fn refused(&self) -> StoreError {
        self.strike(StoreError::Unavailable("injected".into()))
    }

    fn turn(&self, ms: u64) {
        self.clock.set(self.clock.get() + ms);
    }

    /// One operation of a process that may be killed at it.
    async fn operation(&self) {
        self.operations.set(self.operations.get() + 1);
        match self.left.get() {
            Some(0) => pending().await,
            Some(n) => self.left.set(Some(n - 1)),
            None => {}
        }
    }

    async fn remember(&self, key: &str) {
        if self.faults.get().stale_read > 0 {
            let held = self.inner.get(key).await.ok().flatten();
            self.before.borrow_mut().insert(key.to_owned(), held);
        }
    }
}

impl KeyValue for Faulty {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let faults = self.faults.get();
        self.operation().await;
        self.turn(faults.get_ms);
        if self.chance.comes(faults.error) {
            return Err(self.refused());
        }
        if self.chance.comes(faults.stale_read)
            && let Some(before) = self.before.borrow().get(key)
        {
            return self.strike(Ok(before.clone()));
        }
        self.inner.get(key).await
    }
}

impl KeyValueWrite for Faulty {
    async fn set_many_raw(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        let faults = self.faults.get();
        self.turn(faults.set_ms);
        if self.chance.comes(faults.error) {
            return Err(self.refused());
        }
        let torn = self.chance.comes(faults.torn_batch).then(|| self.chance.below(pairs.len() as u64));
        for (rank, (key, value)) in pairs.into_iter().enumerate() {
            self.operation().await;
            if torn == Some(rank as u64) {
                return Err(self.refused());
            }
            if self.chance.comes(faults.lost_write) {
                self.strike(());
                continue;
            }
            self.remember(&key).await;
            self.inner.set_many_raw(vec![(key, value)]).await?;
        }
        if self.chance.comes(faults.answer_lost) { Err(self.refused()) } else { Ok(()) }
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        let faults = self.faults.get();
        self.turn(faults.set_ms);
        if self.chance.comes(faults.error) {
            return Err(self.refused());
        }
        for key in keys {
            self.operation().await;
            self.remember(&key).await;
            self.inner.delete_many(vec![key]).await?;
        }
        if self.chance.comes(faults.answer_lost) { Err(self.refused()) } else { Ok(()) }
    }

    async fn swap_raw(&self, key: &str, old: &[u8], new: Vec<u8>) -> Result<bool, StoreError> {
        let faults = self.faults.get();
        self.operation().await;
        self.turn(faults.set_ms);
        if self.chance.comes(faults.error) {
            return Err(self.refused());
        }
        if self.chance.comes(faults.lost_write) {
            return self.strike(Ok(self.inner.get(key).await?.as_deref() == Some(old)));
        }
        self.remember(key).await;
        let done = self.inner.swap_raw(key, old, new).await?;
        if self.chance.comes(faults.answer_lost) { Err(self.refused()) } else { Ok(done) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_executor::block_on;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn once<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn pairs(n: u8) -> Vec<(String, Vec<u8>)> {
        (0..n).map(|i| (format!("k{i}"), vec![i])).collect()
    }

    #[test]
    fn each_fault_does_what_its_name_says() {
        let always = |faults| Faulty::new(1, faults);
        block_on(async {
            let kv = always(FaultRates { error: 1_000, ..FaultRates::default() });
            assert!(kv.set_many(pairs(3)).await.is_err() && kv.inner.keys().is_empty());
            let kv = always(FaultRates { answer_lost: 1_000, ..FaultRates::default() });
            assert!(kv.set_many(pairs(3)).await.is_err() && kv.inner.keys().len() == 3);
            let kv = always(FaultRates { lost_write: 1_000, ..FaultRates::default() });
            assert!(kv.set_many(pairs(3)).await.is_ok() && kv.inner.keys().is_empty());
            let kv = always(FaultRates { torn_batch: 1_000, ..FaultRates::default() });
            assert!(kv.set_many(pairs(3)).await.is_err() && kv.inner.keys().len() < 3);
            let kv = always(FaultRates { stale_read: 1_000, get_ms: 7, set_ms: 5, ..FaultRates::default() });
            kv.set("k", vec![1]).await.unwrap();
            assert_eq!(kv.get("k").await.unwrap(), None);
            kv.set("k", vec![2]).await.unwrap();
            assert_eq!(kv.get("k").await.unwrap(), Some(vec![1]));
            assert!(kv.swap("k", &[2], vec![3]).await.unwrap(), "a swap looks at what truly lies there");
            assert_eq!(kv.clock.get(), 2 * 7 + 3 * 5);
        });
        let kv = Faulty::new(1, FaultRates::default());
        kv.kill_after(Some(2));
        assert_eq!(once(kv.set_many(pairs(3))), None);
        assert_eq!(once(kv.get("k0")), None, "nothing happens after a kill");
        kv.kill_after(None);
        assert_eq!(kv.inner.keys(), ["k0", "k1"]);
        assert_eq!(once(kv.get("k1")), Some(Ok(Some(vec![1]))));
    }

    #[test]
    fn the_same_seed_makes_the_same_faults() {
        let played = |seed| {
            let kv =
                Faulty::new(seed, FaultRates { error: 100, torn_batch: 200, lost_write: 50, ..FaultRates::default() });
            block_on(async {
                for _ in 0..50 {
                    let _ = kv.set_many(pairs(20)).await;
                }
            });
            (kv.struck.get(), kv.operations.get())
        };
        assert_eq!(played(3), played(3));
        assert_ne!(played(3), played(4));
        assert!(played(3).0 > 20);
    }

    /// Invariant 8: a value that some host would refuse is refused before it reaches a store.
    #[test]
    fn invariant_8_a_value_too_large_is_refused_where_it_is_made() {
        let kv = Faulty::new(1, FaultRates::default());
        let large = vec![0; crate::kv::VALUE_MAX + 1];
        block_on(async {
            kv.set("k", vec![1]).await.unwrap();
            let refused = [
                kv.set_many(vec![("j".into(), vec![1]), ("k".into(), large.clone())]).await.unwrap_err(),
                kv.swap("k", &[1], large.clone()).await.unwrap_err(),
            ];
            for error in refused {
                assert_eq!(error, StoreError::TooLarge("k".into(), large.len()));
                assert!(error.reason().unwrap().contains("trop grande"));
            }
            assert_eq!(kv.inner.keys(), ["k"], "nothing of the lot is written");
        });
    }
}
