//! Segments: consecutive rows of a list in one value, folded in blocks, so that an answer of ten rows unfolds those and a
//! few more.
//!
//! The first piece of the value ([`crate::frame`]) tells how many rows there are and how many lie in a block, then what all
//! blocks are folded against; a piece for each block follows.

use crate::codec::{Decoder, Encoder};
use crate::fold::{Dictionary, fold, unfold};
use crate::frame::{Content, Frame};
use crate::kv::Damaged;
use domain::date::Instant;

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
    /// The stored form.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.instant(self.closing).size(self.rest.len());
        encoder.0.extend_from_slice(&self.start);
        encoder.0.extend_from_slice(&self.rest);
    }
}

/// Writes a JSON row as it is sent.
///
/// # Errors
/// [`Damaged`] where it is no row.
pub fn write_row(out: &mut Vec<u8>, row: &[u8], now: Instant) -> Result<(), Damaged> {
    let mut decoder = Decoder(row);
    let (closing, rest) = decoder.instant().zip(decoder.size()).ok_or(Damaged)?;
    let start = decoder.0.len().checked_sub(rest).ok_or(Damaged)?;
    let (start, rest) = decoder.0.split_at_checked(start).ok_or(Damaged)?;
    out.extend_from_slice(start);
    if !rest.is_empty() {
        out.extend_from_slice(crate::version_set::closed_json(closing, || now));
        out.extend_from_slice(rest);
    }
    Ok(())
}

/// Rows of a segment, unfolded: one after the other, each with its length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    blocks: Vec<Vec<u8>>,
    skip: usize,
    count: usize,
}

impl Rows {
    /// Of rows that lie apart.
    pub(crate) fn of<'a>(rows: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut block = Encoder::default();
        let mut count = 0;
        for row in rows {
            block.bytes(row);
            count += 1;
        }
        Self { blocks: vec![block.0], skip: 0, count }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the blocks that they lie in, and a few for what is written around each.
    #[must_use]
    pub fn unfolded_len(&self) -> usize {
        self.blocks.iter().map(Vec::len).sum::<usize>() + 8 * self.count
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let all = self.blocks.iter().flat_map(|block| {
            let mut decoder = Decoder(block);
            std::iter::from_fn(move || decoder.bytes())
        });
        all.skip(self.skip).take(self.count)
    }
}

/// Packs the rows of a segment in blocks.
#[must_use]
pub fn pack(rows: &[Vec<u8>], block: usize) -> Content {
    let block = block.max(1);
    let dictionary = Dictionary::of(rows.first().map(Vec::as_slice).unwrap_or_default());
    let mut head = Encoder::default();
    head.size(rows.len()).size(block);
    head.0.extend_from_slice(&dictionary.encode());
    let mut segment = Content::from(head.0);
    for rows in rows.chunks(block) {
        let mut text = Encoder::default();
        for row in rows {
            text.bytes(row);
        }
        segment.payload().extend_from_slice(&fold(&text.0, &dictionary));
        segment.end_piece();
    }
    segment
}

/// The rows `from .. from + count` of a segment: their blocks are verified, no others.
///
/// # Errors
/// [`Damaged`] where a checksum fails or a row is not there.
pub fn rows(segment: &Frame<'_>, from: usize, count: usize) -> Result<Rows, Damaged> {
    let mut head = Decoder(segment.piece(0)?);
    let (total, block) = head.size().zip(head.size().filter(|block| *block > 0)).ok_or(Damaged)?;
    let until = from.checked_add(count).filter(|until| *until <= total).ok_or(Damaged)?;
    let dictionary = Dictionary::decode(head.0).ok_or(Damaged)?;
    let first = from / block;
    let blocks = (first..until.div_ceil(block)).map(|n| unfold(segment.piece(n + 1)?, &dictionary).ok_or(Damaged));
    let rows = Rows { blocks: blocks.collect::<Result<_, _>>()?, skip: from - first * block, count };
    Ok(rows)
}

/// Every row of a segment.
///
/// # Errors
/// [`Damaged`] where anything fails its checksum.
pub fn unpack(segment: &Frame<'_>) -> Result<Rows, Damaged> {
    let segment = segment.whole()?;
    let total = Decoder(segment.piece(0)?).size().ok_or(Damaged)?;
    let rows = rows(&segment, 0, total)?;
    if rows.blocks.len() + 1 == segment.pieces() && rows.iter().count() == total { Ok(rows) } else { Err(Damaged) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "g1:liste.formations.lieux.json:0";

    fn vectors(rows: Result<Rows, Damaged>) -> Option<Vec<Vec<u8>>> {
        rows.ok().map(|rows| rows.iter().map(<[u8]>::to_vec).collect())
    }

    #[test]
    fn a_row_is_put_together_around_what_depends_on_the_day() {
        let mut encoder = Encoder::default();
        let row = JsonRow { closing: Some(5), start: b"{\"a\":1,\"formation_fermee\":".to_vec(), rest: b"}".to_vec() };
        row.encode(&mut encoder);
        for (now, closed) in [(5, "false"), (6, "true")] {
            let mut out = Vec::new();
            write_row(&mut out, &encoder.0, now).unwrap();
            assert_eq!(out, format!("{{\"a\":1,\"formation_fermee\":{closed}}}").into_bytes());
        }
    }

    proptest! {
        #[test]
        fn segments_come_back_and_damage_is_a_fault(packed: Vec<Vec<u8>>, block in 1usize..6, from in 0usize..8, count in 0usize..8, at: prop::sample::Index, flip in 1u8..) {
            let mut segment = pack(&packed, block).seal(KEY);
            let all = |segment: &[u8]| vectors(Frame::read(KEY, segment).and_then(|frame| unpack(&frame)));
            let some = |segment: &[u8]| vectors(Frame::read(KEY, segment).and_then(|frame| rows(&frame, from, count)));
            prop_assert_eq!(all(&segment).unwrap(), packed.clone());
            let wanted = packed.get(from..from + count).map(<[Vec<u8>]>::to_vec);
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
