//! Folding of what is read as a whole: sources, staged parts, sorted runs, counts, tables. Rows of lists, of which an answer
//! takes a few, have a folding of their own (`folding`).
//!
//! Figures are taken out of the text, a byte or two each, and LZ4 folds what is left: long runs then repeat as a whole, where
//! figures would have cut them.
//!
//! ```text
//! bytes unfolded | bytes of the skeleton | figures, with their length | the skeleton, folded
//! skeleton: runs of text, the length of each before it; between two runs a figure
//! ```

use crate::codec::{Decoder, Encoder};
use lz4_flex::block;

/// What a block may unfold to: a bound on what damaged bytes may ask for.
const UNFOLDED_MAX: usize = 4 * 1024 * 1024;
/// Digits of a figure that is taken out, at most.
const DIGITS_MAX: usize = 9;

/// A text without its figures.
#[derive(Debug, Default)]
struct BareText {
    runs: Encoder,
    figures: Encoder,
}

impl BareText {
    fn of(bytes: &[u8]) -> Self {
        let mut skeleton = Self::default();
        let mut run = 0;
        let mut next = next_mark(bytes, 0);
        while let Some(at) = next {
            let rest = bytes.get(at + 1..).unwrap_or_default();
            let digits = rest.iter().take(DIGITS_MAX + 1).take_while(|b| b.is_ascii_digit()).count();
            let (figure, after) = rest.split_at_checked(digits).unwrap_or_default();
            // What is written back is what was there: no zero stands before a figure.
            let is_plain = figure.first().is_some_and(|first| *first != b'0' || digits == 1);
            let ends = matches!(after.first(), Some(b',' | b'}' | b']' | b';' | b'\n'));
            if is_plain && ends && digits <= DIGITS_MAX {
                skeleton.runs.bytes(bytes.get(run..=at).unwrap_or_default());
                skeleton.figures.number(figure.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0')));
                run = at + 1 + digits;
            }
            next = next_mark(bytes, at + 1 + digits);
        }
        skeleton.runs.bytes(bytes.get(run..).unwrap_or_default());
        skeleton
    }
}

/// The next `:` or `;`, eight bytes at a time: they differ in their lowest bit alone. A byte at a time this is a fourteenth of an
/// import's time; `memchr` looks at four bytes where addresses have 32 bits.
fn next_mark(bytes: &[u8], from: usize) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let rest = bytes.get(from..)?;
    let (words, tail) = rest.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let others = (u64::from_le_bytes(*word) ^ (EACH * u64::from(b':'))) & (EACH * 0xfe);
        // The lowest byte that is zero has the lowest of these bits.
        let marks = others.wrapping_sub(EACH) & !others & (EACH * 0x80);
        if marks != 0 {
            return Some(from + n * 8 + marks.trailing_zeros() as usize / 8);
        }
    }
    let at = tail.iter().position(|byte| matches!(byte, b':' | b';'))?;
    Some(from + words.len() * 8 + at)
}

/// Folds a text.
#[must_use]
pub fn fold(bytes: &[u8]) -> Vec<u8> {
    let BareText { runs, figures } = BareText::of(bytes);
    let mut encoder = Encoder::default();
    encoder.size(bytes.len()).size(runs.0.len()).bytes(&figures.0);
    encoder.0.extend_from_slice(&block::compress(&runs.0));
    encoder.0
}

/// The text that was folded.
#[must_use]
pub fn unfold(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = Decoder(bytes);
    let bounded = |size: &usize| *size <= UNFOLDED_MAX;
    let (size, runs_size) = (decoder.size().filter(bounded)?, decoder.size().filter(bounded)?);
    let mut figures = Decoder(decoder.bytes()?);
    let runs = block::decompress_with_dict(decoder.0, runs_size, &[]).ok().filter(|runs| runs.len() == runs_size)?;
    let mut runs = Decoder(&runs);
    let mut text = Vec::with_capacity(size);
    loop {
        text.extend_from_slice(runs.bytes()?);
        if runs.0.is_empty() {
            break;
        }
        write_figure(&mut text, figures.number()?);
    }
    (text.len() == size && figures.0.is_empty()).then_some(text)
}

/// Most figures are rates and small counts.
fn write_figure(text: &mut Vec<u8>, figure: u64) {
    match u8::try_from(figure) {
        Ok(units @ 0..10) => text.push(b'0' + units),
        Ok(small @ 10..100) => text.extend_from_slice(&[b'0' + small / 10, b'0' + small % 10]),
        _ => text.extend_from_slice(itoa::Buffer::new().format(figure).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn figures_are_taken_out_and_codes_stay() {
        let row =
            br#"{"code":"32221031","a":0,"b":12,"c":[7],"d":123456789012,"e":1.5,"f":-3,"g":"T10:00:30"};0;012;99"#;
        let skeleton = BareText::of(row);
        assert_eq!(skeleton.figures.0, [0, 12, 0]);
        assert_eq!(unfold(&fold(row)).as_deref(), Some(row.as_slice()));
    }

    proptest! {
        #[test]
        fn marks_are_found_where_they_stand(bytes in proptest::collection::vec(prop_oneof![Just(b':'), Just(b';'), Just(0xbb), any::<u8>()], 0..40), from in 0_usize..45) {
            let expected = bytes.iter().enumerate().position(|(at, byte)| at >= from && matches!(byte, b':' | b';'));
            prop_assert_eq!(next_mark(&bytes, from), expected);
        }

        #[test]
        fn every_text_comes_back(
            parts in proptest::collection::vec(("[a-z{},:;\"\\n]{0,6}", proptest::option::of(any::<u64>())), 0..40),
            bytes: Vec<u8>,
        ) {
            let text: String = parts.iter().map(|(text, n)| text.clone() + &n.map_or(String::new(), |n| n.to_string())).collect();
            for text in [text.as_bytes(), &bytes] {
                prop_assert_eq!(unfold(&fold(text)), Some(text.to_vec()));
            }
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>) {
            let _ = unfold(&bytes);
        }
    }
}
