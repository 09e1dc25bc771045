//! Rows that are alike, folded against each other, and written out again straight into an answer.
//!
//! A row of a list differs from the one before it in a few texts and in figures. FigureFolding are taken out of it, a byte or two
//! each; what is left, its skeleton, is told as steps along the skeleton of an earlier row: so many units alike, so many
//! passed by, these instead. Reading copies each byte of an answer once, in long runs; there is no text in between.
//!
//! ```text
//! head:    slots of the template, each with the text before it and its kind | text | groups of figures, each with the texts
//!          between them | texts that several blocks tell
//! block:   bytes of numbers | numbers | rows
//! row:     rows back to the one it is told against, 0 for the template | number of steps | steps | units alike at its end
//! step:    units alike | passed by (4 bits), what comes instead (4 bits) | what these 4 bits could not hold
//! instead: 0–12 bytes of text, 13 a slot, 14 a text that was told before, by its number, 15 a longer text
//! ```
//!
//! A unit is a byte of text or a slot. In place of a slot stands a number: a figure, when a course closes, or a byte that
//! would be taken for a slot.

mod binary;
mod reading;
mod skeleton;
mod writing;

pub use binary::{Decoder, Encoder};
pub use reading::{SegmentHead, Unfolding, Wanted};
pub use skeleton::{FigureFolding, TextRow};
pub use writing::Folding;

/// What comes instead, as a step tells it.
mod step {
    /// ToldTexts up to here have their length in the step.
    pub(crate) const TEXT_MAX: usize = 12;
    pub(crate) const SLOT: usize = 13;
    pub(crate) const AGAIN: usize = 14;
    pub(crate) const LONGER: usize = 15;
    /// From here on the number of units that are passed by is told apart.
    pub(crate) const PASSED_MAX: usize = 15;
    /// ToldTexts from here on are numbered, to be told again.
    pub(crate) const NUMBERED_MIN: usize = 3;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folded(rows: &[TextRow<'_>], block: usize, figures: FigureFolding) -> (Vec<u8>, Vec<Vec<u8>>) {
        let folding = Folding::new(rows, block, figures);
        (folding.head(), folding.blocks().collect())
    }

    fn unfolded(head: &[u8], blocks: &[Vec<u8>], between: &[u8]) -> Option<Vec<u8>> {
        let mut unfolding = Unfolding::new(SegmentHead::read(head)?);
        let mut out = Vec::new();
        for (rank, block) in blocks.iter().enumerate() {
            let day = &|closing| if closing == Some(7) { b"true".as_slice() } else { b"false" };
            unfolding.append(&mut out, block, Wanted { skip: 0, count: usize::MAX, first: rank == 0, between, day })?;
        }
        Some(out)
    }

    fn plain(rows: &[TextRow<'_>], between: &[u8]) -> Vec<u8> {
        let day = |row: &TextRow<'_>| match row.day {
            None => "",
            Some(Some(7)) => "true",
            Some(_) => "false",
        };
        let rows: Vec<Vec<u8>> = rows.iter().map(|row| [row.start, day(row).as_bytes(), row.rest].concat()).collect();
        rows.join(between)
    }

    #[test]
    fn rows_alike_are_folded_to_little() {
        let rows: Vec<String> = (0..100u64)
            .map(|n| {
                let (code, rate) = (40_025_214 + n / 3, n % 100);
                let missing = if n % 7 == 0 { "" } else { ",\"taux_rupture\":12" };
                format!("{{\"libelle\":\"CUISINE\",\"code\":\"{code}\"{missing},\"taux_en_emploi_6_mois\":{rate},\"nb\":{n}}}\n")
            })
            .collect();
        let texts: Vec<TextRow<'_>> = rows.iter().map(|row| TextRow::text(row.as_bytes())).collect();
        let (head, blocks) = folded(&texts, 10, FigureFolding::TakenOut);
        let size = head.len() + blocks.iter().map(Vec::len).sum::<usize>();
        assert!(size * 5 < rows.concat().len(), "{size} of {}", rows.concat().len());
        assert_eq!(unfolded(&head, &blocks, b"").unwrap(), rows.concat().into_bytes());
    }

    /// What comes before a closing instant, the instant where there is a place for it, what comes after.
    type Parts = (Vec<u8>, Option<Option<i64>>, Vec<u8>);

    fn texts() -> impl Strategy<Value = Vec<Parts>> {
        let piece = prop_oneof![
            4 => prop::sample::select(vec!["{", "\"a\":", "\"libelle\":\"", "CUISINE", "\",", ",", ";", "null", "}", ":", "\n"]).prop_map(|s| s.as_bytes().to_vec()),
            2 => any::<u32>().prop_map(|n| (n % 1200).to_string().into_bytes()),
            1 => any::<u64>().prop_map(|n| n.to_string().into_bytes()),
            1 => proptest::collection::vec(any::<u8>(), 0..6),
            1 => proptest::collection::vec(0u8..4, 0..3),
        ];
        let text = || proptest::collection::vec(piece.clone(), 0..30).prop_map(|pieces| pieces.concat());
        let day = proptest::option::of(proptest::option::of(prop_oneof![Just(7i64), any::<i64>()]));
        let row = (text(), day, text());
        proptest::collection::vec((row, 1usize..4), 0..12)
            .prop_map(|rows| rows.into_iter().flat_map(|(row, times)| std::iter::repeat_n(row, times)).collect())
    }

    proptest! {
        #[test]
        fn every_row_comes_back(rows in texts(), block in 1usize..7, between in "[,]?", stay: bool) {
            let figures = if stay { FigureFolding::Stay } else { FigureFolding::TakenOut };
            let rows: Vec<TextRow<'_>> = rows.iter().map(|(start, day, rest)| TextRow { start, day: *day, rest }).collect();
            let (head, blocks) = folded(&rows, block, figures);
            prop_assert_eq!(unfolded(&head, &blocks, between.as_bytes()), Some(plain(&rows, between.as_bytes())));
        }

        #[test]
        fn some_rows_of_a_block_are_those_of_all(rows in texts(), skip in 0usize..9, count in 0usize..9, first: bool) {
            let rows: Vec<TextRow<'_>> = rows.iter().map(|(start, day, rest)| TextRow { start, day: *day, rest }).collect();
            let (head, blocks) = folded(&rows, rows.len().max(1), FigureFolding::TakenOut);
            let mut unfolding = Unfolding::new(SegmentHead::read(&head).unwrap());
            let Some(block) = blocks.first() else { return Ok(()) };
            let mut out = b"before".to_vec();
            let day = &|closing| if closing == Some(7) { b"true".as_slice() } else { b"false" };
            unfolding.append(&mut out, block, Wanted { skip, count, first, between: b",", day }).unwrap();
            let wanted: Vec<TextRow<'_>> = rows.into_iter().skip(skip).take(count).collect();
            let comma: &[u8] = if first || wanted.is_empty() { b"" } else { b"," };
            prop_assert_eq!(out, [b"before", comma, &plain(&wanted, b",")].concat());
        }

        #[test]
        fn foreign_bytes_never_panic(head: Vec<u8>, block: Vec<u8>, rows in texts(), at: prop::sample::Index, flip in 1u8.., skip in 0usize..4) {
            let rows: Vec<TextRow<'_>> = rows.iter().map(|(start, day, rest)| TextRow { start, day: *day, rest }).collect();
            let (known, mut blocks) = folded(&rows, rows.len().max(1), FigureFolding::TakenOut);
            let _ = unfolded(&head, std::slice::from_ref(&block), b",");
            let Some(folded) = blocks.first_mut() else { return Ok(()) };
            let at = at.index(folded.len());
            folded[at] ^= flip;
            let mut unfolding = Unfolding::new(SegmentHead::read(&known).unwrap());
            let day = &|_| b"false".as_slice();
            for block in [&block, &*folded] {
                let _ = unfolding.append(&mut Vec::new(), block, Wanted { skip, count: 9, first: true, between: b"", day });
            }
        }
    }
}
