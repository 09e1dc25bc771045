//! Samples of keys: where a sort is cut into even partitions before anything is sorted.

use serde::{Deserialize, Serialize};
use store::keys;

/// Keys kept as a sample of an order, to cut it into even partitions.
const SAMPLE: usize = 1_024;

/// A deterministic sample of sort keys: those whose hash ends in `bits` zeros, whatever the order
/// they come in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct KeySample {
    pub(super) bits: u32,
    #[serde(rename = "cles")]
    pub(super) keys: Vec<String>,
}

impl KeySample {
    pub(super) fn retains(&self, key: &str) -> bool {
        keys::hash(key).trailing_zeros() >= self.bits
    }

    pub(super) fn add(&mut self, key: String) {
        if self.retains(&key) {
            self.keys.push(key);
            while self.keys.len() > SAMPLE {
                self.bits += 1;
                let keys = std::mem::take(&mut self.keys);
                self.keys = keys.into_iter().filter(|c| self.retains(c)).collect();
            }
        }
    }

    /// Keys that cut what was sampled into `parts` even parts.
    pub(super) fn separators(mut self, parts: usize) -> Vec<String> {
        self.keys.sort_unstable();
        self.keys.dedup();
        let n = self.keys.len();
        let mut separators: Vec<String> = (1..parts).filter_map(|i| self.keys.get(i * n / parts).cloned()).collect();
        separators.dedup();
        separators
    }
}
