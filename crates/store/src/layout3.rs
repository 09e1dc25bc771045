//! What versions 0.1 and 0.2 wrote before layout 4: served, carried over and rolled back to, never written.
//!
//! Each kind of value had a form of its own, and checksums did not know where their value lies.

use crate::codec::{self, Decoder};
use crate::keys;
use crate::kv::Damaged;
use crate::segment::RowStyle;
use crate::version_set::closed_json;
use domain::date::Instant;

/// The format written first in every bundle.
const FORMAT: u8 = 1;
/// The plan of the search index lay in a bundle of its own, under this key.
const PLAN_FAMILY: &str = "recherche";
/// Of a bundle: format, sum of the table, entries.
const HEADER: usize = 9;
/// Of the table: hash, end of the entry, its sum.
const ROW: usize = 16;
/// Of a segment: sum of the rest of the head, rows, rows under one checksum.
const HEAD: usize = 12;

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

fn holds(bytes: &[u8], sum: usize) -> Option<()> {
    (usize::try_from(codec::sum(bytes)).ok()? == sum).then_some(())
}

/// The entry of a key in a bundle.
pub(crate) fn find<'a>(bundle: &'a [u8], key: &str) -> Result<Option<&'a [u8]>, Damaged> {
    search(bundle, key).ok_or(Damaged)
}

fn search<'a>(bundle: &'a [u8], key: &str) -> Option<Option<&'a [u8]>> {
    let rest = bundle.get(HEADER..).filter(|_| bundle.first() == Some(&FORMAT))?;
    let count = u32_at(bundle, 5)?;
    let (table, payload) = rest.split_at_checked(count.checked_mul(ROW)?)?;
    holds(table, u32_at(bundle, 1)?)?;
    let wanted = keys::hash(key).to_le_bytes();
    for rank in (0..count).filter(|rank| table.get(rank * ROW..rank * ROW + 8) == Some(&wanted)) {
        let start = if rank == 0 { 0 } else { u32_at(table, (rank - 1) * ROW + 8)? };
        let entry = payload.get(start..u32_at(table, rank * ROW + 8)?)?;
        holds(entry, u32_at(table, rank * ROW + 12)?)?;
        let mut decoder = Decoder(entry);
        if decoder.text()? == key {
            return Some(Some(decoder.0));
        }
    }
    Some(None)
}

/// Appends rows of a segment.
pub(crate) fn append_rows(
    out: &mut Vec<u8>,
    key: &str,
    segment: &[u8],
    from: usize,
    count: usize,
    style: RowStyle<'_>,
) -> Result<(), Damaged> {
    let is_json = family(key).ends_with(".json");
    for (rank, row) in read_rows(segment, from, count).ok_or(Damaged)?.into_iter().enumerate() {
        if !(style.first && rank == 0) {
            out.extend_from_slice(style.between);
        }
        if is_json { write_row(out, row, style.now).ok_or(Damaged)? } else { out.extend_from_slice(row) }
    }
    Ok(())
}

/// Two pieces, around what depends on the day.
fn write_row(out: &mut Vec<u8>, row: &[u8], now: Instant) -> Option<()> {
    let mut decoder = Decoder(row);
    let (closing, start, rest) = (decoder.instant()?, decoder.bytes()?, decoder.bytes()?);
    out.extend_from_slice(start);
    if !rest.is_empty() {
        out.extend_from_slice(closed_json(closing, || now));
        out.extend_from_slice(rest);
    }
    Some(())
}

fn read_rows(segment: &[u8], from: usize, wanted: usize) -> Option<Vec<&[u8]>> {
    let (count, block) = (u32_at(segment, 4)?, u32_at(segment, 8).filter(|block| *block > 0)?);
    let tables = count.checked_add(count.div_ceil(block))?.checked_mul(4)?;
    let (head, payload) = segment.split_at_checked(HEAD.checked_add(tables)?)?;
    holds(head.get(4..)?, u32_at(head, 0)?)?;
    let (ends, sums) = head.get(HEAD..)?.split_at_checked(count.checked_mul(4)?)?;
    let start = |rank: usize| if rank == 0 { Some(0) } else { u32_at(ends, (rank - 1) * 4) };
    let until = from.checked_add(wanted).filter(|until| *until <= count)?;
    for b in from / block..until.div_ceil(block) {
        let bytes = payload.get(start(b * block)?..start((b + 1).saturating_mul(block).min(count))?)?;
        holds(bytes, u32_at(sums, b * 4)?)?;
    }
    (from..until).map(|rank| payload.get(start(rank)?..start(rank + 1)?)).collect()
}

fn family(key: &str) -> &str {
    key.split(':').nth(1).unwrap_or_default()
}

/// What a value of one piece holds, by its family.
pub(crate) fn content<'a>(key: &str, value: &'a [u8]) -> Result<&'a [u8], Damaged> {
    let family = family(key);
    let sealed = || {
        let (sum, rest) = value.split_at_checked(4)?;
        holds(rest, u32_at(sum, 0)?)?;
        Some(rest)
    };
    if family.starts_with("suite.") || family.starts_with("flux.") {
        sealed().ok_or(Damaged)
    } else if family.starts_with("plan.") {
        read_rows(value, 0, 1).and_then(|rows| rows.first().copied()).ok_or(Damaged)
    } else if family == PLAN_FAMILY {
        find(value, PLAN_FAMILY)?.ok_or(Damaged)
    } else {
        // Manifests, declarations and public records had no checksum.
        Ok(value)
    }
}
