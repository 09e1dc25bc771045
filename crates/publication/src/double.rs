//! The environment's double: a world whose clocks a test turns.

use crate::{Environment, PlausibilityRules, SecrecySettings};
use domain::Document;
use std::cell::Cell;
use store::kv::StoreError;

/// Stands still at its beginning, knows no rules, and counts the accounts that are written.
pub struct TurnedWorld {
    /// Milliseconds since 1970.
    pub now: Cell<i64>,
    /// The clock that never goes back, in milliseconds.
    pub monotonic: Cell<u64>,
    /// How far the monotonic clock goes at each look, in milliseconds.
    pub stride: Cell<u64>,
    /// How many accounts were written.
    pub users: Cell<usize>,
    /// What the statistical offices decided to hide.
    pub secrecy: Cell<SecrecySettings>,
    /// How documents are checked for plausibility.
    pub plausibility: Option<PlausibilityRules>,
    /// How many values one batch may hold.
    pub batch: usize,
}

impl Default for TurnedWorld {
    fn default() -> Self {
        Self {
            now: Cell::default(),
            monotonic: Cell::default(),
            stride: Cell::default(),
            users: Cell::default(),
            secrecy: Cell::default(),
            plausibility: None,
            batch: 25,
        }
    }
}

impl TurnedWorld {
    /// A world at this time, in milliseconds since 1970.
    #[must_use]
    pub fn at(now: i64) -> Self {
        Self { now: Cell::new(now), ..Self::default() }
    }

    /// A world whose monotonic clock goes so many milliseconds on at each look: a call does a part of its job only.
    #[must_use]
    pub fn striding(stride: u64) -> Self {
        Self { stride: Cell::new(stride), ..Self::default() }
    }
}

impl Environment for TurnedWorld {
    fn now_ms(&self) -> i64 {
        self.now.get()
    }
    fn monotonic_ms(&self) -> u64 {
        self.monotonic.set(self.monotonic.get() + self.stride.get());
        self.monotonic.get()
    }
    async fn user(&self, _: &Document) -> Result<(), StoreError> {
        self.users.set(self.users.get() + 1);
        Ok(())
    }
    async fn secrecy(&self) -> Result<SecrecySettings, StoreError> {
        Ok(self.secrecy.get())
    }
    async fn plausibility(&self) -> Result<Option<PlausibilityRules>, StoreError> {
        Ok(self.plausibility.clone())
    }
    fn batch(&self) -> usize {
        self.batch
    }
}
