//! Records in the order they came, read again from wherever a step stopped: raw answers.
//!
//! Unlike a [`super::RecordStream`] it is read a piece at a time, from its start, whatever its length.

use crate::writer::Writer;
use serde::{Deserialize, Serialize};
use store::codec::{Decoder, Encoder};
use store::fold::{fold, unfold};
use store::kv::{KeyValue, KeyValueWrite, StoreError};
use store::{Shelf, keys};

/// Largest piece, in bytes.
const PIECE_MAX: usize = 256 * 1024;

/// Consecutive pieces that one attempt wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Series {
    /// The fencing number of the attempt: a slower twin writes under another one.
    #[serde(rename = "numero")]
    number: u64,
    #[serde(rename = "premier")]
    first: usize,
    #[serde(rename = "nombre")]
    count: usize,
}

/// What is known of a journal between two steps; it counts only what its holder has saved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    #[serde(rename = "nom")]
    name: String,
    series: Vec<Series>,
    /// The number of the attempt that writes, and its next piece. Pieces are never numbered twice.
    #[serde(rename = "numero")]
    number: u64,
    #[serde(rename = "prochain")]
    next: usize,
    #[serde(skip)]
    buffer: Vec<u8>,
}

/// Where the reading of a journal stands: series, piece of it, byte of the piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position(usize, usize, usize);

fn family(name: &str, number: u64) -> String {
    format!("journal.{name}.{number}")
}

impl Journal {
    /// An empty one; its name tells it from others under the same prefix.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// How many pieces it has.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.series.iter().map(|s| s.count).sum()
    }

    /// Adds a record of at most some 250 KB.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`], or those of the store.
    pub async fn add<K: KeyValueWrite>(
        &mut self,
        writer: &mut Writer<'_, K>,
        number: u64,
        record: &[u8],
    ) -> Result<(), StoreError> {
        if record.len() > PIECE_MAX {
            return Err(StoreError::TooLarge(format!("un enregistrement de {}", self.name), record.len()));
        }
        if !self.buffer.is_empty() && self.buffer.len() + record.len() + 8 > PIECE_MAX {
            self.flush(writer, number).await?;
        }
        let mut encoder = Encoder(std::mem::take(&mut self.buffer));
        encoder.bytes(record);
        self.buffer = encoder.0;
        Ok(())
    }

    /// Writes what waits in memory as a piece.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn flush<K: KeyValueWrite>(&mut self, writer: &mut Writer<'_, K>, number: u64) -> Result<(), StoreError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if self.number != number {
            (self.number, self.next) = (number, 0);
        }
        let piece = fold(&std::mem::take(&mut self.buffer));
        let n = self.next;
        self.next += 1;
        match self.series.last_mut() {
            Some(s) if s.number == number && s.first + s.count == n => s.count += 1,
            _ => self.series.push(Series { number, first: n, count: 1 }),
        }
        writer.put(&family(&self.name, number), n, piece).await
    }

    /// Forgets what was added since `bookmark`, a copy taken right after [`Journal::flush`].
    pub fn go_back(&mut self, bookmark: &Self) {
        self.buffer.clear();
        self.series.clone_from(&bookmark.series);
    }

    /// Reads from a position on: pieces lie under `prefix`.
    #[must_use]
    pub fn reading<'a, K>(&'a self, kv: &'a K, prefix: &'a str, since: Position) -> JournalReading<'a, K> {
        JournalReading { journal: self, kv, prefix, position: since, piece: None }
    }
}

/// The reading of a journal.
pub struct JournalReading<'a, K> {
    journal: &'a Journal,
    kv: &'a K,
    prefix: &'a str,
    position: Position,
    piece: Option<Vec<u8>>,
}

impl<K: KeyValue> JournalReading<'_, K> {
    /// Where the next record lies.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a piece is missing or damaged, else those of the store.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        loop {
            let Position(series, rank, byte) = self.position;
            let Some(s) = self.journal.series.get(series) else { return Ok(None) };
            if rank >= s.count {
                (self.position, self.piece) = (Position(series + 1, 0, 0), None);
                continue;
            }
            let family = family(&self.journal.name, s.number);
            let damaged = || StoreError::Damaged(keys::value(self.prefix, &family, s.first + rank));
            let piece = match self.piece.take() {
                Some(piece) => piece,
                None => {
                    let value = Shelf::own(self.prefix).get(self.kv, &family, s.first + rank).await?;
                    unfold(value.content()?).ok_or_else(damaged)?
                }
            };
            let mut decoder = Decoder(piece.get(byte..).ok_or_else(damaged)?);
            if decoder.0.is_empty() {
                self.position = Position(series, rank + 1, 0);
                continue;
            }
            let record = decoder.bytes().ok_or_else(damaged)?.to_vec();
            self.position = Position(series, rank, piece.len() - decoder.0.len());
            self.piece = Some(piece);
            return Ok(Some(record));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_executor::block_on;
    use store::MemoryStore;

    #[test]
    fn records_come_back_in_order_from_any_position_and_without_those_taken_back() {
        let kv = MemoryStore::default();
        block_on(async {
            let mut writer = Writer::open(&kv, "r1", 25).await.unwrap();
            let mut journal = Journal::new("brut");
            let record = |n: u8| vec![n; 100_000];
            for n in 0..5 {
                journal.add(&mut writer, 7, &record(n)).await.unwrap();
            }
            journal.flush(&mut writer, 7).await.unwrap();
            let bookmark = journal.clone();
            for n in 50..55 {
                journal.add(&mut writer, 7, &record(n)).await.unwrap();
            }
            journal.go_back(&bookmark);
            // Another attempt, after the state was saved and read again.
            let mut journal: Journal = serde_json::from_slice(&serde_json::to_vec(&journal).unwrap()).unwrap();
            for n in 5..8 {
                journal.add(&mut writer, 8, &record(n)).await.unwrap();
            }
            journal.flush(&mut writer, 8).await.unwrap();
            writer.flush().await.unwrap();
            let mut position = Position::default();
            for n in 0..8 {
                let mut reading = journal.reading(&kv, "r1", position);
                assert_eq!(reading.next().await.unwrap(), Some(record(n)), "{n}");
                position = reading.position();
            }
            assert_eq!(journal.reading(&kv, "r1", position).next().await.unwrap(), None);
            let key = kv.keys().into_iter().find(|k| k.contains("journal")).unwrap();
            kv.corrupt(&key, Some(b"abcdef".to_vec()));
            assert!(matches!(
                journal.reading(&kv, "r1", Position::default()).next().await,
                Err(StoreError::Damaged(_))
            ));
        });
    }
}
