//! Folding of what is read as a whole: sources, staged parts, sorted runs, counts, tables. Rows of lists, of which an answer
//! takes a few, have a folding of their own (`folding`).
//!
//! ```text
//! bytes unfolded | LZ4
//! ```

use crate::codec::{Decoder, Encoder};
use lz4_flex::block;

/// What a block may unfold to: a bound on what damaged bytes may ask for.
const UNFOLDED_MAX: usize = 4 * 1024 * 1024;

/// Folds a text.
#[must_use]
pub fn fold(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.size(bytes.len());
    encoder.0.extend_from_slice(&block::compress(bytes));
    encoder.0
}

/// The text that was folded.
#[must_use]
pub fn unfold(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = Decoder(bytes);
    let size = decoder.size().filter(|size| *size <= UNFOLDED_MAX)?;
    block::decompress(decoder.0, size).ok().filter(|text| text.len() == size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_comes_back(bytes: Vec<u8>, times in 1usize..5) {
            let text = bytes.repeat(times);
            prop_assert_eq!(unfold(&fold(&text)), Some(text));
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>) {
            let _ = unfold(&bytes);
        }
    }
}
