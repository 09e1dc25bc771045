//! Compare-and-swap on a store whose swap is atomic but whose answer means nothing: Redis under Spin.
//!
//! Spin's Redis provider watches the key, then writes in a transaction that the server refuses where the key has changed
//! since. So a swap either happens whole or not at all. But its answer is "lost" after it has written, and in other
//! versions "won" after it was refused. What happened is therefore read back, and for that every value says whose it is:
//! behind the content lies the **trail**, the ids of the attempts that made this value and the ones before it, newest
//! first. Ids are drawn anew for each attempt.
//!
//! # Why it holds
//!
//! Let `p` be the id that led the value when attempt `a` saw it (where it bore no trail, a digest of the value; where the
//! key was absent, [`BIRTH`]). The server accepts `a` only on top of that very value, so `a` lies directly before `p` in
//! every trail from then on, until one of the two drops off its end. After the attempt the key is read once:
//!
//! | what is read | what happened | answer |
//! | --- | --- | --- |
//! | a trail with `a` | `a` was accepted, whoever wrote since | won |
//! | a trail with `p`, not led by it, without `a` | another attempt was accepted on top of `p`; the server refuses `a` for ever | lost |
//! | what was seen before, or nothing | the connection broke: `a` may still arrive | error: not known |
//! | neither `a` nor `p` | more than [`LENGTH`] changes since, or a plain write | error: not known |
//!
//! Interleavings of two attempts `a` and `b` on `p` (W: watch and read, X: execute, R: read back):
//! `Wa Wb Xa Xb Ra Rb`: the server refuses `Xb`; both read `a p`: won, lost. `Wa Xa Wb Xb Ra`: `a` reads `b a p`: won.
//! `Wa Wb Xb Ra…`: `a` was refused and reads `b p`: lost. A process that dies leaves the value before or after, never a
//! lock; what it held by the value's content ends by the time that is written there. A transaction that arrives after its
//! client gave up is refused like any other where the key has changed since, because the watch was its connection's own.
//!
//! "Not known" is an error that callers already bear: it is what a store says whose answer got lost. Nobody who is told so
//! goes on as if the swap was made, and none is told that it was not.
//!
//! It rests on one server that keeps what it acknowledged (no failover to a replica that lags behind) and on the watch
//! ending with its connection: addresses with `?protocol=resp3` reconnect by themselves and are not to be used.
//!
//! # How it lies
//!
//! The trail is written in spaces, tabs and line ends, two bits each: JSON may end in those. So the read components, which
//! know nothing of it, read pointer and accounts as before, and so do older versions of the application. The writing half of
//! the store takes it off ([`strip`]), for framed values too: its checksum is over the content.

use crate::kv::{KeyValue, StoreError};
use std::future::Future;
use xxhash_rust::xxh64::xxh64;

/// Ids that a trail keeps: so many changes may come between an attempt and its reading back.
pub const LENGTH: usize = 8;

/// What stands before the first value of a key.
const BIRTH: u64 = 0;

const SYMBOLS: [u8; 4] = *b" \t\n\r";
/// Symbols of a number of 64 bits.
const DIGITS: usize = 32;
/// Symbols of how many ids there are.
const COUNT_DIGITS: usize = 4;
const SEED: u64 = 7;

/// A store that swaps without telling what came of it.
pub trait BlindSwap: KeyValue {
    /// Reads the key as it lies and, where `change` gives a value for that, sends it to be written if the key has not
    /// changed meanwhile. `false` where `change` gave none and nothing was sent.
    ///
    /// # Errors
    /// Only where nothing was sent.
    fn attempt(
        &self,
        key: &str,
        change: impl FnOnce(Option<&[u8]>) -> Option<Vec<u8>>,
    ) -> impl Future<Output = Result<bool, StoreError>>;

    /// The value as it lies, with its trail.
    fn get_as_stored(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>>;
}

/// Replaces the value of a key if its content still is `old` (`None`: if there is none); `false` if it is not.
/// `id` is drawn for this call.
///
/// # Errors
/// [`StoreError::Unavailable`] where it is not known what happened, else those of the store.
pub async fn swap<S: BlindSwap>(
    store: &S,
    key: &str,
    old: Option<&[u8]>,
    new: &[u8],
    id: u64,
) -> Result<bool, StoreError> {
    let mut before = Vec::new();
    let sent = store
        .attempt(key, |stored| {
            let (content, ids) = stored.map_or((None, vec![BIRTH]), |stored| {
                let (content, ids) = split(stored);
                (Some(content), ids)
            });
            (content == old).then(|| {
                let trail: Vec<u64> = std::iter::once(id).chain(ids.iter().copied()).take(LENGTH).collect();
                before = ids;
                join(new, &trail)
            })
        })
        .await?;
    if !sent {
        return Ok(false);
    }
    let ids = store.get_as_stored(key).await?.map(|stored| split(&stored).1).unwrap_or_default();
    let base = before.first();
    if ids.contains(&id) {
        Ok(true)
    } else if ids.first() != base && base.is_some_and(|base| ids.contains(base)) {
        Ok(false)
    } else {
        Err(StoreError::Unavailable(format!("it is not known whether {key} was changed")))
    }
}

/// The content of a value without its trail.
#[must_use]
pub fn strip(mut stored: Vec<u8>) -> Vec<u8> {
    if let Some((content, _)) = read(&stored) {
        stored.truncate(content);
    }
    stored
}

fn split(stored: &[u8]) -> (&[u8], Vec<u64>) {
    match read(stored).and_then(|(length, ids)| Some((stored.get(..length)?, ids))) {
        Some(split) => split,
        None => (stored, vec![xxh64(stored, SEED).max(1)]),
    }
}

fn join(content: &[u8], ids: &[u64]) -> Vec<u8> {
    let mut value = content.to_vec();
    ids.iter().for_each(|id| write_digits(&mut value, *id, DIGITS));
    write_digits(&mut value, check(content, ids), DIGITS);
    write_digits(&mut value, u64::try_from(ids.len()).unwrap_or_default(), COUNT_DIGITS);
    value
}

/// How long the content is, and the ids behind it; `None` where there is no trail.
fn read(stored: &[u8]) -> Option<(usize, Vec<u64>)> {
    let (rest, count) = read_digits(stored, COUNT_DIGITS)?;
    let count = usize::try_from(count).ok().filter(|count| (1..=LENGTH).contains(count))?;
    let (mut rest, checksum) = read_digits(rest, DIGITS)?;
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        let (before, id) = read_digits(rest, DIGITS)?;
        ids.push(id);
        rest = before;
    }
    ids.reverse();
    (check(rest, &ids) == checksum).then_some((rest.len(), ids))
}

fn check(content: &[u8], ids: &[u64]) -> u64 {
    ids.iter().fold(xxh64(content, SEED), |sum, id| xxh64(&id.to_le_bytes(), sum))
}

fn write_digits(value: &mut Vec<u8>, number: u64, digits: usize) {
    for place in (0..digits).rev() {
        let symbol = (number >> (2 * place)) & 3;
        value.extend(usize::try_from(symbol).ok().and_then(|symbol| SYMBOLS.get(symbol)));
    }
}

fn read_digits(stored: &[u8], digits: usize) -> Option<(&[u8], u64)> {
    let (rest, read) = stored.split_at_checked(stored.len().checked_sub(digits)?)?;
    let mut number = 0;
    for byte in read {
        let symbol = SYMBOLS.iter().position(|symbol| symbol == byte)?;
        number = number << 2 | u64::try_from(symbol).ok()?;
    }
    Some((rest, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_is_white_space_to_whoever_reads_json() {
        let content = br#"{"a": [1, 2]}"#;
        let value = join(content, &[7, u64::MAX, 0]);
        assert_eq!(split(&value), (&content[..], vec![7, u64::MAX, 0]));
        assert_eq!(strip(value.clone()), content);
        let read: serde_json::Value = serde_json::from_slice(&value).unwrap();
        assert_eq!(read["a"][1], 2);
        let longest = join(b"", &[1; LENGTH]);
        assert_eq!(longest.len(), LENGTH * DIGITS + DIGITS + COUNT_DIGITS);
        assert_eq!(strip(longest), b"");
    }

    #[test]
    fn what_only_looks_like_a_trail_is_content() {
        let mut changed = join(b"{}", &[7]);
        changed[1] = b']';
        for value in [b"{}".to_vec(), b"{}  \n".to_vec(), vec![b' '; 500], vec![b'\t'; 500], Vec::new(), changed] {
            assert_eq!(strip(value.clone()), value);
            assert_eq!(split(&value).1.len(), 1);
        }
    }
}
