//! What the tests of what a push is believed share: a day at which rules of plausibility are asked.

use domain::{Document, date};
use publication::{Environment, PlausibilityRules};
use store::kv::StoreError;

/// A world at a day, a number of minutes after midnight.
pub struct World(pub i64);

/// The day begins.
pub const MIDNIGHT: World = World(0);

impl Environment for World {
    fn now_ms(&self) -> i64 {
        date::read_iso("2026-11-27").unwrap() + self.0 * 60_000
    }
    fn monotonic_ms(&self) -> u64 {
        0
    }
    async fn user(&self, _: &Document) -> Result<(), StoreError> {
        Ok(())
    }
    fn batch(&self) -> usize {
        25
    }
    async fn plausibility(&self) -> Result<Option<PlausibilityRules>, StoreError> {
        Ok(Some(PlausibilityRules { year: Some(2026), ..PlausibilityRules::default() }))
    }
}
