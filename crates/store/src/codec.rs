//! The binary form of what lies in values, and its checksums.

use xxhash_rust::xxh64::xxh64;

pub use folding::{Decoder, Encoder};

/// A digest that tells changed bytes from unchanged ones: xxHash64. In WASM CRC-32 costs 15 instructions a byte and
/// SHA-256 some 40, this one a few. It is no match for someone who forges bytes; whoever can write to the store could
/// write anything.
#[must_use]
pub fn digest(bytes: &[u8]) -> u64 {
    xxh64(bytes, 0)
}

/// The same with a key: another key, another digest.
#[must_use]
pub fn keyed_digest(bytes: &[u8], key: u64) -> u64 {
    xxh64(bytes, key)
}

/// A checksum that is stored beside what it guards: the low half of an xxHash64, with a key of its own for everything that
/// must not be taken for something else.
#[must_use]
pub fn keyed_sum(bytes: &[u8], key: u64) -> u32 {
    u32::try_from(keyed_digest(bytes, key) & u64::from(u32::MAX)).unwrap_or_default()
}

/// The same without a key.
#[must_use]
pub fn sum(bytes: &[u8]) -> u32 {
    keyed_sum(bytes, 0)
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|n| char::from_digit(u32::from(n), 16)).collect()
}
