//! A small seeded generator: the same seed gives the same data on every machine, for ever.

/// SplitMix64 (Steele, Lea, Flood, 2014): one 64-bit state, one multiplication chain a step.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator that starts from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of one document: its seed depends on nothing but the document's key, so that
    /// neither the order nor the size of a run changes it.
    #[must_use]
    pub fn from_key(parts: &[&str]) -> Self {
        // FNV-1a over the parts, with a separator that no part contains.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for part in parts {
            for byte in part.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Self(hash)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number from 0 to `fence - 1`; 0 where `fence` is 0.
    pub fn below(&mut self, fence: u32) -> u32 {
        let remainder = self.draw().checked_rem(u64::from(fence)).unwrap_or(0);
        u32::try_from(remainder).unwrap_or(0)
    }

    /// A whole number from `low` to `high`, both included.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        low.saturating_add(self.below(high.saturating_sub(low).saturating_add(1)))
    }

    /// True in `percent` cases of a hundred.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// An index below `length`; 0 where it is 0.
    pub fn rank(&mut self, length: usize) -> usize {
        let fence = u32::try_from(length).unwrap_or(u32::MAX);
        usize::try_from(self.below(fence)).unwrap_or(0)
    }

    /// One element of a list.
    pub fn choice<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let rank = self.rank(list.len());
        list.get(rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // First outputs of the reference implementation for the seed 1234567.
        let mut random = Random::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.draw()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut random = Random::from_key(&["a", "b"]);
        for _ in 0..1_000 {
            assert!((5..=9).contains(&random.between(5, 9)));
            assert!(random.below(3) < 3);
        }
        assert_eq!(random.below(0), 0);
        assert_ne!(Random::from_key(&["ab", ""]).draw(), Random::from_key(&["a", "b"]).draw());
    }
}
