//! The one framing of what lies in the store, since layout 4.
//!
//! A framed value is a row of pieces, each with a checksum of its own, so that a reader verifies what it takes and nothing
//! else:
//!
//! ```text
//! layout (1 byte) | sum of the table (4) | pieces (4) | table | payload
//! table: per piece its end in the payload (4) and its sum (4)
//! ```
//!
//! Every sum is keyed by the key that the value lies under: two values that were exchanged in the store are damage, as a
//! flipped bit is, and never another answer (invariant 9).

use crate::codec;
use crate::kv::Damaged;
use crate::kv::{StoreError, to_json};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// The layout that this framing belongs to, written first in every value. No JSON text begins with it.
const LAYOUT: u8 = 4;
const HEADER: usize = 9;
const ROW: usize = 8;

/// What the checksums of a value are keyed by: where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seal(u64);

impl Seal {
    fn of(key: &str) -> Self {
        Self(codec::digest(key.as_bytes()))
    }

    fn table(self, table: &[u8]) -> u32 {
        codec::keyed_sum(table, self.0)
    }

    /// Pieces of one value are told apart as values are.
    fn piece(self, rank: usize, bytes: &[u8]) -> u32 {
        codec::keyed_sum(bytes, self.0.wrapping_add(1).wrapping_add(rank as u64))
    }
}

/// What is to lie under a key: pieces, one after the other. Only [`Content::seal`] makes a value of it, and it asks for the
/// key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    payload: Vec<u8>,
    ends: Vec<u32>,
}

impl From<Vec<u8>> for Content {
    /// One piece.
    fn from(payload: Vec<u8>) -> Self {
        let mut content = Self { payload, ends: Vec::new() };
        content.end_piece();
        content
    }
}

impl Content {
    /// The payload so far: what is appended belongs to the piece that [`Self::end_piece`] ends.
    pub fn payload(&mut self) -> &mut Vec<u8> {
        &mut self.payload
    }

    /// Ends a piece.
    pub fn end_piece(&mut self) {
        self.ends.push(u32::try_from(self.payload.len()).unwrap_or(u32::MAX));
    }

    /// Bytes of the value.
    #[must_use]
    pub fn sealed_len(&self) -> usize {
        HEADER + self.ends.len() * ROW + self.payload.len()
    }

    /// The value, for the key it is to lie under.
    #[must_use]
    pub fn seal(&self, key: &str) -> Vec<u8> {
        let seal = Seal::of(key);
        let mut table = Vec::with_capacity(self.ends.len() * ROW);
        let mut start = 0;
        for (rank, end) in self.ends.iter().enumerate() {
            let until = usize::try_from(*end).unwrap_or(usize::MAX);
            table.extend_from_slice(&end.to_le_bytes());
            let sum = seal.piece(rank, self.payload.get(start..until).unwrap_or_default());
            table.extend_from_slice(&sum.to_le_bytes());
            start = until;
        }
        let mut value = Vec::with_capacity(self.sealed_len());
        value.push(LAYOUT);
        value.extend_from_slice(&seal.table(&table).to_le_bytes());
        value.extend_from_slice(&u32::try_from(self.ends.len()).unwrap_or(u32::MAX).to_le_bytes());
        value.extend_from_slice(&table);
        value.extend_from_slice(&self.payload);
        value
    }
}

/// Frames one piece.
#[must_use]
pub fn seal(key: &str, content: Vec<u8>) -> Vec<u8> {
    Content::from(content).seal(key)
}

/// The one piece of what [`seal`] made.
///
/// # Errors
/// [`Damaged`] where it is not what was written under this key.
pub fn open<'a>(key: &str, value: &'a [u8]) -> Result<&'a [u8], Damaged> {
    let frame = Frame::read(key, value)?.whole()?;
    if frame.pieces() == 1 { frame.piece(0) } else { Err(Damaged) }
}

/// Frames a value in its JSON form.
///
/// # Errors
/// [`StoreError::Invalid`] where it has none.
pub fn seal_json<V: Serialize>(key: &str, value: &V) -> Result<Vec<u8>, StoreError> {
    Ok(seal(key, to_json(key, value)?))
}

/// Reads what [`seal_json`] made.
///
/// # Errors
/// [`StoreError::OtherLayout`] for JSON without a frame, as the version before wrote it; [`StoreError::Damaged`].
pub fn open_json<V: DeserializeOwned>(key: &str, value: &[u8]) -> Result<V, StoreError> {
    if value.starts_with(b"{") {
        let key = key.to_owned();
        let whole = serde_json::from_slice::<IgnoredAny>(value).is_ok();
        return Err(if whole { StoreError::OtherLayout { key, layout: 3 } } else { StoreError::Damaged(key) });
    }
    let content = open(key, value).map_err(|Damaged| StoreError::Damaged(key.to_owned()))?;
    serde_json::from_slice(content).map_err(|_| StoreError::Damaged(key.to_owned()))
}

/// Whether bytes claim to be framed: what the version before wrote does not.
#[must_use]
pub fn is_framed(value: &[u8]) -> bool {
    value.first() == Some(&LAYOUT)
}

/// Later layouts that a value may claim to be of; other first bytes are damage.
const LATER: std::ops::RangeInclusive<u8> = LAYOUT + 1..=LAYOUT + 4;

/// The later layout that a value claims to be of, where that is no flipped bit of a value of this one. So a later layout must
/// seal otherwise: its values may not pass for ones of this layout once their first byte is changed.
#[must_use]
pub fn later_layout(key: &str, value: &[u8]) -> Option<u32> {
    let (layout, rest) = value.split_first().filter(|(layout, _)| LATER.contains(layout))?;
    let as_ours = [&[LAYOUT], rest].concat();
    open(key, &as_ours).is_err().then_some(u32::from(*layout))
}

/// A framed value. Nothing comes out of it that its checksum does not prove, but for [`Frame::unproven`].
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    seal: Seal,
    sum: u32,
    table: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Takes the value under a key apart; the pieces are verified as they are taken.
    ///
    /// # Errors
    /// [`Damaged`] where it has no frame.
    pub fn read(key: &str, value: &'a [u8]) -> Result<Self, Damaged> {
        let (header, rest) = value.split_first_chunk::<HEADER>().ok_or(Damaged)?;
        let [layout, s0, s1, s2, s3, n0, n1, n2, n3] = *header;
        let pieces = usize::try_from(u32::from_le_bytes([n0, n1, n2, n3])).map_err(|_| Damaged)?;
        let length = pieces.checked_mul(ROW).filter(|_| layout == LAYOUT).ok_or(Damaged)?;
        let (table, payload) = rest.split_at_checked(length).ok_or(Damaged)?;
        Ok(Self { seal: Seal::of(key), sum: u32::from_le_bytes([s0, s1, s2, s3]), table, payload })
    }

    /// How many pieces it says it has.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.table.len() / ROW
    }

    /// The same, its table verified: only then its number of pieces and the end of the last one are proven.
    ///
    /// # Errors
    /// [`Damaged`] where the table is not what was written, or more follows than it tells.
    pub fn whole(self) -> Result<Self, Damaged> {
        let end = match self.pieces().checked_sub(1) {
            None => 0,
            Some(last) => self.cell(last, 0).ok_or(Damaged)?,
        };
        if self.seal.table(self.table) == self.sum && end == self.payload.len() { Ok(self) } else { Err(Damaged) }
    }

    fn cell(&self, piece: usize, at: usize) -> Option<usize> {
        let start = piece.checked_mul(ROW)?.checked_add(at)?;
        usize::try_from(u32::from_le_bytes(*self.table.get(start..)?.first_chunk()?)).ok()
    }

    /// A piece before its checksum is looked at: to search in, where what is found proves itself.
    #[must_use]
    pub fn unproven(&self, piece: usize) -> Option<&'a [u8]> {
        let start = if piece == 0 { 0 } else { self.cell(piece - 1, 0)? };
        self.payload.get(start..self.cell(piece, 0)?)
    }

    /// A piece.
    ///
    /// # Errors
    /// [`Damaged`] where there is none, or it is not what was written.
    pub fn piece(&self, piece: usize) -> Result<&'a [u8], Damaged> {
        let bytes = self.unproven(piece).ok_or(Damaged)?;
        let sum = usize::try_from(self.seal.piece(piece, bytes)).ok();
        if sum.is_some() && self.cell(piece, 4) == sum { Ok(bytes) } else { Err(Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn build(key: &str, pieces: &[Vec<u8>]) -> Vec<u8> {
        let mut content = Content::default();
        for piece in pieces {
            content.payload().extend_from_slice(piece);
            content.end_piece();
        }
        let value = content.seal(key);
        assert_eq!(value.len(), content.sealed_len());
        value
    }

    fn read(key: &str, value: &[u8]) -> Result<Vec<Vec<u8>>, Damaged> {
        let frame = Frame::read(key, value)?.whole()?;
        (0..frame.pieces()).map(|piece| frame.piece(piece).map(<[u8]>::to_vec)).collect()
    }

    proptest! {
        #[test]
        fn what_is_framed_is_read(key: String, pieces: Vec<Vec<u8>>) {
            prop_assert_eq!(read(&key, &build(&key, &pieces)), Ok(pieces));
        }

        /// Invariant 9: of every flip, cut and exchange.
        #[test]
        fn invariant_9_a_changed_cut_or_exchanged_value_is_damage(
            key in "[a-z0-9:]{1,12}", other in "[a-z0-9:]{1,12}", pieces: Vec<Vec<u8>>, at: prop::sample::Index, flip in 1u8..,
        ) {
            let value = build(&key, &pieces);
            let mut flipped = value.clone();
            flipped[at.index(value.len())] ^= flip;
            prop_assert_eq!(read(&key, &flipped), Err(Damaged));
            prop_assert_eq!(read(&key, &value[..at.index(value.len())]), Err(Damaged));
            let longer = [value.as_slice(), b"x"].concat();
            prop_assert_eq!(read(&key, &longer), Err(Damaged));
            prop_assert_eq!(read(&other, &value).is_ok(), other == key);
        }

        /// A piece taken alone, as readers take it, is the one that was written or none.
        #[test]
        fn invariant_9_a_piece_taken_alone_proves_itself(
            pieces in proptest::collection::vec(any::<Vec<u8>>(), 1..9), at: prop::sample::Index, flip in 1u8.., which: prop::sample::Index,
        ) {
            let mut value = build("k", &pieces);
            let at = at.index(value.len());
            value[at] ^= flip;
            let which = which.index(pieces.len());
            if let Ok(piece) = Frame::read("k", &value).and_then(|frame| frame.piece(which)) {
                prop_assert_eq!(piece, pieces[which].as_slice());
            }
        }

        #[test]
        fn foreign_bytes_never_panic(key: String, bytes: Vec<u8>, piece: usize) {
            if let Ok(frame) = Frame::read(&key, &bytes) {
                let _ = (frame.whole().is_ok(), frame.piece(piece), frame.unproven(piece));
            }
        }
    }
}
