//! Streams of records cut into partitions: how data is sorted without holding it.
//!
//! Records of a partition are collected in memory and appended as pieces; each piece names the
//! one before it of the same partition, so that the state holds one number a partition.

use crate::writer::Writer;
use serde::{Deserialize, Serialize};
use store::Shelf;
use store::codec::{Decoder, Encoder};
use store::fold::fold;
use store::kv::{KeyValue, KeyValueWrite, StoreError};

/// Largest piece, in bytes.
const PIECE_MAX: usize = 256 * 1024;

/// Where a piece lies: the fencing number of the attempt that wrote it, and its number there.
pub(super) type PiecePlace = (u64, usize);

/// What is known of a stream between two steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordStream {
    #[serde(rename = "nom")]
    name: String,
    /// The last piece of each partition.
    #[serde(rename = "derniers")]
    last: Vec<Option<PiecePlace>>,
    /// The next number under the present fencing number.
    #[serde(rename = "numero")]
    number: u64,
    #[serde(rename = "prochain")]
    next: usize,
    #[serde(skip)]
    buffers: Vec<Vec<u8>>,
    #[serde(skip)]
    size: usize,
}

fn family(name: &str, number: u64) -> String {
    format!("flux.{name}.{number}")
}

impl RecordStream {
    /// An empty stream of so many partitions.
    #[must_use]
    pub fn new(name: &str, partitions: usize) -> Self {
        Self { name: name.to_owned(), last: vec![None; partitions.max(1)], ..Self::default() }
    }

    /// The same without a record.
    pub(super) fn emptied(&self) -> Self {
        Self::new(&self.name, self.partitions())
    }

    /// What the families of its pieces begin with.
    pub(super) fn family(&self) -> String {
        format!("flux.{}.", self.name)
    }

    /// How many partitions there are.
    #[must_use]
    pub fn partitions(&self) -> usize {
        self.last.len()
    }

    /// Bytes that wait in memory.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Adds a record of at most some 250 KB. Writes a piece where the partition has collected one.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`], or those of the store.
    pub async fn add<K: KeyValueWrite>(
        &mut self,
        writer: &mut Writer<'_, K>,
        number: u64,
        partition: usize,
        record: &[u8],
    ) -> Result<(), StoreError> {
        if self.buffers.len() != self.last.len() {
            self.buffers = vec![Vec::new(); self.last.len()];
        }
        let Some(buffer) = self.buffers.get_mut(partition) else {
            return Err(StoreError::Damaged(format!("partition {partition} of {}", self.name)));
        };
        if record.len() > PIECE_MAX {
            return Err(StoreError::TooLarge(format!("un enregistrement de {}", self.name), record.len()));
        }
        let before = buffer.len();
        if before > 0 && before + record.len() + 8 > PIECE_MAX {
            self.write(writer, number, partition).await?;
        }
        if let Some(buffer) = self.buffers.get_mut(partition) {
            let mut encoder = Encoder(std::mem::take(buffer));
            let before = encoder.0.len();
            encoder.bytes(record);
            self.size += encoder.0.len() - before;
            *buffer = encoder.0;
        }
        Ok(())
    }

    async fn write<K: KeyValueWrite>(
        &mut self,
        writer: &mut Writer<'_, K>,
        number: u64,
        partition: usize,
    ) -> Result<(), StoreError> {
        let (Some(buffer), Some(last)) = (self.buffers.get_mut(partition), self.last.get_mut(partition)) else {
            return Ok(());
        };
        if buffer.is_empty() {
            return Ok(());
        }
        if self.number != number {
            (self.number, self.next) = (number, 0);
        }
        // The buffer is given up, not kept: a hundred kept buffers are most of an instance's memory.
        let body = std::mem::take(buffer);
        let mut piece = Encoder::default();
        match last {
            None => piece.number(0),
            Some((number, n)) => piece.number(1).number(*number).size(*n),
        };
        piece.0.extend_from_slice(&fold(&body));
        self.size -= body.len();
        *last = Some((number, self.next));
        writer.put(&family(&self.name, number), self.next, piece.0).await?;
        self.next += 1;
        Ok(())
    }

    /// Lets a partition hold these records in place of those it has; those lie unread until their generation goes.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(super) async fn replace<K: KeyValueWrite>(
        &mut self,
        writer: &mut Writer<'_, K>,
        number: u64,
        partition: usize,
        records: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<(), StoreError> {
        self.write(writer, number, partition).await?;
        if let Some(last) = self.last.get_mut(partition) {
            *last = None;
        }
        for record in records {
            self.add(writer, number, partition, &record).await?;
        }
        self.write(writer, number, partition).await
    }

    /// Writes the fullest buffers until no more than `remainder` bytes wait.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn flush<K: KeyValueWrite>(
        &mut self,
        writer: &mut Writer<'_, K>,
        number: u64,
        remainder: usize,
    ) -> Result<(), StoreError> {
        let mut order: Vec<usize> = (0..self.buffers.len()).collect();
        order.sort_by_key(|p| std::cmp::Reverse(self.buffers.get(*p).map_or(0, Vec::len)));
        for partition in order {
            if self.size <= remainder {
                break;
            }
            self.write(writer, number, partition).await?;
        }
        Ok(())
    }

    /// The last piece of a partition.
    pub(super) fn last(&self, partition: usize) -> Option<PiecePlace> {
        self.last.get(partition).copied().flatten()
    }

    /// A piece, and the one before it of the same partition.
    pub(super) async fn read_piece<K: KeyValue>(
        &self,
        kv: &K,
        shelf: Shelf<'_>,
        (number, n): PiecePlace,
    ) -> Result<(Partition, Option<PiecePlace>), StoreError> {
        let value = shelf.get(kv, &family(&self.name, number), n).await?;
        let mut decoder = Decoder(value.content()?);
        let mut before = || match decoder.number()? {
            0 => Some(None),
            _ => Some(Some((decoder.number()?, decoder.size()?))),
        };
        let before = before().ok_or_else(|| value.damaged())?;
        let records = shelf.unfolded(decoder.0.to_vec()).ok_or_else(|| value.damaged())?;
        Ok((Partition(vec![records]), before))
    }

    /// The records of a partition, in the order they were added, from the pieces of a shelf.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a piece is missing or damaged, else those of the store.
    pub async fn read<K: KeyValue>(&self, kv: &K, shelf: Shelf<'_>, partition: usize) -> Result<Partition, StoreError> {
        let mut pieces = Vec::new();
        let mut place = self.last(partition);
        while let Some(here) = place {
            let (piece, before) = self.read_piece(kv, shelf, here).await?;
            pieces.extend(piece.0);
            place = before;
        }
        pieces.reverse();
        Ok(Partition(pieces))
    }
}

/// The pieces of a partition, read.
#[derive(Debug)]
pub struct Partition(Vec<Vec<u8>>);

impl Partition {
    /// Its records.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().flat_map(|piece| {
            let mut decoder = Decoder(piece);
            std::iter::from_fn(move || decoder.bytes())
        })
    }
}
