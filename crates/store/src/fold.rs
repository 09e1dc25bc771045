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
        for (at, byte) in bytes.iter().enumerate() {
            if !matches!(byte, b':' | b';') || at < run {
                continue;
            }
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
        }
        skeleton.runs.bytes(bytes.get(run..).unwrap_or_default());
        skeleton
    }
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
