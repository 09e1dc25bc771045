//! Segments: consecutive rows of a list in one value, folded in blocks, so that an answer of ten rows unfolds those and a
//! few more.
//!
//! The first piece of the value ([`crate::frame`]) tells how many rows there are and how many lie in a block, then what all
//! blocks share; a piece for each block follows (`folding`).

use crate::codec::{Decoder, Encoder};
use crate::frame::{Content, Frame};
use crate::kv::Damaged;
use crate::version_set::closed_json;
use domain::date::Instant;
use folding::{Folding, SegmentHead, Unfolding, Wanted};

pub use folding::{FigureFolding, TextRow};

/// A JSON row: two pieces around what depends on the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonRow {
    /// When the course closes; `None` never.
    pub closing: Option<Instant>,
    /// From `{` up to the value of `formation_fermee`, or the whole row where `rest` is empty.
    pub start: Vec<u8>,
    /// What follows that value.
    pub rest: Vec<u8>,
}

impl JsonRow {
    /// The form in which it waits to be sorted.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.instant(self.closing).size(self.rest.len());
        encoder.0.extend_from_slice(&self.start);
        encoder.0.extend_from_slice(&self.rest);
    }

    /// Reads that form.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<TextRow<'_>> {
        let mut decoder = Decoder(bytes);
        let (closing, rest) = decoder.instant().zip(decoder.size())?;
        let (start, rest) = decoder.0.split_at_checked(decoder.0.len().checked_sub(rest)?)?;
        Some(TextRow { start, day: (!rest.is_empty()).then_some(closing), rest })
    }
}

/// How rows are written one after the other.
#[derive(Clone, Copy, Debug)]
pub struct RowStyle<'a> {
    /// Whether nothing stands before the first of them.
    pub first: bool,
    /// What stands between two rows.
    pub between: &'a [u8],
    /// The day of the request.
    pub now: Instant,
}

/// Packs the rows of a segment in blocks.
#[must_use]
pub fn pack(rows: &[TextRow<'_>], block: usize, figures: FigureFolding) -> Content {
    let block = block.max(1);
    let folding = Folding::new(rows, block, figures);
    let mut head = Encoder::default();
    head.size(rows.len()).size(block);
    head.0.extend_from_slice(&folding.head());
    let mut segment = Content::from(head.0);
    for block in folding.blocks() {
        segment.payload().extend_from_slice(&block);
        segment.end_piece();
    }
    segment
}

/// Appends the rows `from .. from + count` of a segment: their blocks are verified, no others.
///
/// # Errors
/// [`Damaged`] where a checksum fails or a row is not there.
pub fn append_rows(
    out: &mut Vec<u8>,
    segment: &Frame<'_>,
    from: usize,
    count: usize,
    style: RowStyle<'_>,
) -> Result<(), Damaged> {
    let mut head = Decoder(segment.piece(0)?);
    let (total, block) = head.size().zip(head.size().filter(|block| *block > 0)).ok_or(Damaged)?;
    let until = from.checked_add(count).filter(|until| *until <= total).ok_or(Damaged)?;
    let mut unfolding = Unfolding::new(SegmentHead::read(head.0).ok_or(Damaged)?);
    let day = |closing| closed_json(closing, || style.now);
    let (mut next, mut first) = (from, style.first);
    while next < until {
        let n = next / block;
        let (skip, count) = (next - n * block, until.min((n + 1) * block) - next);
        let wanted = Wanted { skip, count, first, between: style.between, day: &day };
        if unfolding.append(out, segment.piece(n + 1)?, wanted) != Some(count) {
            return Err(Damaged);
        }
        (next, first) = (next + count, false);
    }
    Ok(())
}

/// How many rows a segment has, each of them unfolded.
///
/// # Errors
/// [`Damaged`] where anything fails its checksum.
pub fn verify(segment: &Frame<'_>) -> Result<usize, Damaged> {
    let segment = segment.whole()?;
    let mut head = Decoder(segment.piece(0)?);
    let (total, block) = head.size().zip(head.size().filter(|block| *block > 0)).ok_or(Damaged)?;
    append_rows(&mut Vec::new(), &segment, 0, total, RowStyle { first: true, between: &[], now: 0 })?;
    if total.div_ceil(block) + 1 == segment.pieces() { Ok(total) } else { Err(Damaged) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "g1:liste.formations.lieux.json:0";

    #[test]
    fn a_row_is_put_together_around_what_depends_on_the_day() {
        let mut encoder = Encoder::default();
        let row = JsonRow { closing: Some(5), start: b"{\"a\":1,\"formation_fermee\":".to_vec(), rest: b"}".to_vec() };
        row.encode(&mut encoder);
        let segment = pack(&[JsonRow::read(&encoder.0).unwrap()], 10, FigureFolding::TakenOut).seal(KEY);
        for (now, closed) in [(5, "false"), (6, "true")] {
            let mut out = Vec::new();
            let style = RowStyle { first: true, between: b",", now };
            append_rows(&mut out, &Frame::read(KEY, &segment).unwrap(), 0, 1, style).unwrap();
            assert_eq!(out, format!("{{\"a\":1,\"formation_fermee\":{closed}}}").into_bytes());
        }
    }

    proptest! {
        #[test]
        fn segments_come_back_and_damage_is_a_fault(packed: Vec<Vec<u8>>, block in 1usize..6, from in 0usize..8, count in 0usize..8, at: prop::sample::Index, flip in 1u8..) {
            let rows: Vec<TextRow<'_>> = packed.iter().map(|row| TextRow::text(row)).collect();
            let mut segment = pack(&rows, block, FigureFolding::TakenOut).seal(KEY);
            let all = |segment: &[u8]| Frame::read(KEY, segment).and_then(|frame| verify(&frame)).ok();
            let some = |segment: &[u8]| {
                let (mut out, style) = (Vec::new(), RowStyle { first: true, between: b"\n", now: 0 });
                let read = Frame::read(KEY, segment).and_then(|frame| append_rows(&mut out, &frame, from, count, style));
                read.is_ok().then_some(out)
            };
            prop_assert_eq!(all(&segment), Some(packed.len()));
            let wanted = packed.get(from..from + count).map(|rows| rows.join(b"\n".as_slice()));
            prop_assert_eq!(some(&segment), wanted.clone());
            let at = at.index(segment.len());
            segment[at] ^= flip;
            prop_assert_eq!(all(&segment), None);
            // Damage elsewhere is passed by; these rows are as they were, or a fault.
            if let Some(read) = some(&segment) {
                prop_assert_eq!(Some(read), wanted);
            }
            segment.pop();
            prop_assert_eq!(all(&segment), None);
        }
    }
}
