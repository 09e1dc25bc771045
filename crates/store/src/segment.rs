//! Segments: consecutive rows of a list in one value, folded in blocks, so that an answer of ten rows unfolds those and a
//! few more.
//!
//! The first piece of the value ([`crate::frame`]) tells how many rows there are and how many lie in a block, then what all
//! blocks share; a piece for each block follows (`folding`). LZ4 takes a quarter more off each piece, blocks with what they
//! share before their eyes; a list of ten reads two or three pieces, so it unfolds some 5 KB.
//!
//! ```text
//! first piece: rows | 0 | rows in a block | bytes of what is shared | what is shared, folded by LZ4
//! block: its bytes | the block, folded by LZ4 with what is shared as its dictionary
//! either, where LZ4 takes less than an eighth off: 0 | as it is
//! ```
//!
//! Segments of before have `rows | rows in a block | what is shared`, and blocks as they are. No block has 0 rows, so that the
//! version before finds damage in a segment of this one, and serves the generation before it.

use crate::codec::{Decoder, Encoder};
use crate::frame::{Content, Frame};
use crate::kv::Damaged;
use crate::version_set::closed_json;
use domain::date::Instant;
use folding::{Folding, SegmentHead, Unfolding, Wanted};
use lz4_flex::block::{compress_with_dict, decompress_with_dict};
use std::borrow::Cow;

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

/// In place of the rows of a block, where pieces are folded by LZ4.
const FOLDED: usize = 0;
/// In place of the bytes of a piece that is not folded.
const AS_IT_IS: usize = 0;
/// What a piece may unfold to: a bound on what damaged bytes may ask for. A block has at most a tenth of a value's rows.
const PIECE_MAX: usize = 4 * 1024 * 1024;

/// The first piece of a segment.
struct SegmentStart<'a> {
    rows: usize,
    /// Rows in a block, never none.
    block: usize,
    shared: Cow<'a, [u8]>,
    is_folded: bool,
}

impl<'a> SegmentStart<'a> {
    fn read(segment: &'a Frame<'_>) -> Result<Self, Damaged> {
        Self::decode(segment.piece(0)?).filter(|start| start.block > 0).ok_or(Damaged)
    }

    fn decode(piece: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder(piece);
        let (rows, block) = decoder.size().zip(decoder.size())?;
        if block != FOLDED {
            return Some(Self { rows, block, shared: decoder.0.into(), is_folded: false });
        }
        let block = decoder.size()?;
        Some(Self { rows, block, shared: unfold(decoder.0, &[])?, is_folded: true })
    }

    /// A block as `folding` made it.
    fn block<'b>(&self, piece: &'b [u8]) -> Option<Cow<'b, [u8]>> {
        if self.is_folded { unfold(piece, &self.shared) } else { Some(piece.into()) }
    }
}

/// A piece that LZ4 makes an eighth smaller is folded; unfolding others is not worth a reader's time.
fn fold(bytes: &[u8], dictionary: &[u8]) -> Vec<u8> {
    let folded = compress_with_dict(bytes, dictionary);
    let mut encoder = Encoder::default();
    let (size, piece) = if folded.len() < bytes.len() / 8 * 7 { (bytes.len(), &*folded) } else { (AS_IT_IS, bytes) };
    encoder.size(size);
    encoder.0.extend_from_slice(piece);
    encoder.0
}

/// What [`fold`] made of bytes that a checksum has proven.
#[inline(never)]
fn unfold<'a>(bytes: &'a [u8], dictionary: &[u8]) -> Option<Cow<'a, [u8]>> {
    let mut decoder = Decoder(bytes);
    match decoder.size().filter(|size| *size <= PIECE_MAX)? {
        AS_IT_IS => Some(decoder.0.into()),
        size => decompress_with_dict(decoder.0, size, dictionary).ok().map(Cow::Owned),
    }
}

/// Packs the rows of a segment in blocks.
#[must_use]
pub fn pack(rows: &[TextRow<'_>], block: usize, figures: FigureFolding) -> Content {
    let block = block.max(1);
    let folding = Folding::new(rows, block, figures);
    let shared = folding.head();
    let mut start = Encoder::default();
    start.size(rows.len()).size(FOLDED).size(block);
    start.0.extend_from_slice(&fold(&shared, &[]));
    let mut segment = Content::from(start.0);
    for block in folding.blocks() {
        segment.payload().extend_from_slice(&fold(&block, &shared));
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
    append(out, segment, &SegmentStart::read(segment)?, from, count, style)
}

fn append(
    out: &mut Vec<u8>,
    segment: &Frame<'_>,
    start: &SegmentStart<'_>,
    from: usize,
    count: usize,
    style: RowStyle<'_>,
) -> Result<(), Damaged> {
    let block = start.block;
    let until = from.checked_add(count).filter(|until| *until <= start.rows).ok_or(Damaged)?;
    let mut unfolding = Unfolding::new(SegmentHead::read(&start.shared).ok_or(Damaged)?);
    let day = |closing| closed_json(closing, || style.now);
    let (mut next, mut first) = (from, style.first);
    while next < until {
        let n = next / block;
        let (skip, count) = (next - n * block, until.min((n + 1) * block) - next);
        let wanted = Wanted { skip, count, first, between: style.between, day: &day };
        let rows = start.block(segment.piece(n + 1)?).ok_or(Damaged)?;
        if unfolding.append(out, &rows, wanted) != Some(count) {
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
    let start = SegmentStart::read(&segment)?;
    let (rows, block) = (start.rows, start.block);
    append(&mut Vec::new(), &segment, &start, 0, rows, RowStyle { first: true, between: &[], now: 0 })?;
    if rows.div_ceil(block) + 1 == segment.pieces() { Ok(rows) } else { Err(Damaged) }
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

    /// As segments were before LZ4 took its share.
    fn pack_of_before(rows: &[TextRow<'_>], block: usize) -> Content {
        let folding = Folding::new(rows, block, FigureFolding::TakenOut);
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

    #[test]
    fn rows_that_share_their_texts_take_less_than_before() {
        let rows: Vec<String> = (0..600)
            .map(|n| {
                let (town, code) = (n * 7 % 150, n * 31 % 1_000);
                format!("{{\"etablissement\":\"Lycée professionnel de la commune numéro {town} sur Loire\",\"code\":\"400{code:05}\"}}")
            })
            .collect();
        let texts: Vec<TextRow<'_>> = rows.iter().map(|row| TextRow::text(row.as_bytes())).collect();
        let (now, before) = (pack(&texts, 10, FigureFolding::TakenOut), pack_of_before(&texts, 10));
        assert!(now.sealed_len() < before.sealed_len(), "{} of {}", now.sealed_len(), before.sealed_len());
    }

    proptest! {
        #[test]
        fn segments_of_before_are_read(packed: Vec<Vec<u8>>, block in 1usize..6) {
            let rows: Vec<TextRow<'_>> = packed.iter().map(|row| TextRow::text(row)).collect();
            let segment = pack_of_before(&rows, block).seal(KEY);
            let frame = Frame::read(KEY, &segment).unwrap();
            prop_assert_eq!(verify(&frame).ok(), Some(packed.len()));
            let mut out = Vec::new();
            append_rows(&mut out, &frame, 0, packed.len(), RowStyle { first: true, between: b"\n", now: 0 }).unwrap();
            prop_assert_eq!(out, packed.join(b"\n".as_slice()));
        }

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
