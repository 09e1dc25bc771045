//! What versions 0.1 and 0.2 wrote before layout 4: served, carried over and rolled back to, never written.
//!
//! Each kind of value had a form of its own, and checksums did not know where their value lies.

use crate::codec::{self, Decoder, Encoder};
use crate::keys;
use crate::kv::Damaged;
use crate::segment::{JsonRow, Rows};

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

/// The rows of a segment, JSON rows in the form of today.
pub(crate) fn rows(key: &str, segment: &[u8], from: usize, count: usize) -> Result<Rows, Damaged> {
    let rows = read_rows(segment, from, count).ok_or(Damaged)?;
    if !family(key).ends_with(".json") {
        return Ok(Rows::of(rows));
    }
    let today = |row: &&[u8]| {
        let mut decoder = Decoder(row);
        let closing = decoder.instant()?;
        let (start, rest) = (decoder.bytes()?.to_vec(), decoder.bytes()?.to_vec());
        let mut encoder = Encoder::default();
        JsonRow { closing, start, rest }.encode(&mut encoder);
        Some(encoder.0)
    };
    let rows: Vec<Vec<u8>> = rows.iter().map(today).collect::<Option<_>>().ok_or(Damaged)?;
    Ok(Rows::of(rows.iter().map(Vec::as_slice)))
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
