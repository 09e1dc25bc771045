//! Streams of records cut into partitions: how data is sorted without holding it.
//!
//! Records of a partition are collected in memory, folded block by block, and appended as pieces of several blocks, so that
//! a value holds as many records as fit. Each piece names the one before it of the same partition, so that the state holds
//! one number a partition.

use crate::writer::Writer;
use serde::{Deserialize, Serialize};
use store::Shelf;
use store::codec::{Decoder, Encoder};
use store::fold::{fold, unfold};
use store::kv::{KeyValue, KeyValueWrite, StoreError};

/// Largest piece as it is written, in bytes, unless one block alone is larger.
const PIECE_MAX: usize = 256 * 1024;
/// Bytes that are folded at once: LZ4 looks back 64 KiB, so a longer block folds little better, and waits unfolded.
const BLOCK: usize = 64 * 1024;
/// Largest record, in bytes.
const RECORD_MAX: usize = 256 * 1024;

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
    buffers: Vec<Buffer>,
    #[serde(skip)]
    size: usize,
}

/// What waits of a partition.
#[derive(Clone, Debug, Default, PartialEq)]
struct Buffer {
    /// Blocks, each folded, with its length.
    folded: Encoder,
    /// Records, each with its length.
    records: Encoder,
}

impl Buffer {
    fn size(&self) -> usize {
        self.folded.0.len() + self.records.0.len()
    }
}

/// How a piece begins: whether one lies before it, and whether its records are one block (as the version before wrote them)
/// or several.
mod head {
    pub(super) const FIRST_OF_ONE: u64 = 0;
    pub(super) const NEXT_OF_ONE: u64 = 1;
    pub(super) const FIRST: u64 = 2;
    pub(super) const NEXT: u64 = 3;
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
            self.buffers = vec![Buffer::default(); self.last.len()];
        }
        let Some(buffer) = self.buffers.get_mut(partition) else {
            return Err(StoreError::Damaged(format!("partition {partition} of {}", self.name)));
        };
        if record.len() > RECORD_MAX {
            return Err(StoreError::TooLarge(format!("un enregistrement de {}", self.name), record.len()));
        }
        if !buffer.records.0.is_empty() && buffer.records.0.len() + record.len() > BLOCK {
            self.fold(writer, number, partition).await?;
        }
        if let Some(buffer) = self.buffers.get_mut(partition) {
            let before = buffer.size();
            buffer.records.bytes(record);
            self.size += buffer.size() - before;
        }
        Ok(())
    }

    /// Folds what a partition has collected. Writes what was folded before where both are no value.
    async fn fold<K: KeyValueWrite>(
        &mut self,
        writer: &mut Writer<'_, K>,
        number: u64,
        partition: usize,
    ) -> Result<(), StoreError> {
        let Some(buffer) = self.buffers.get_mut(partition) else { return Ok(()) };
        // The buffer is given up, not kept: a hundred kept buffers are most of an instance's memory.
        let records = std::mem::take(&mut buffer.records).0;
        if records.is_empty() {
            return Ok(());
        }
        self.size -= records.len();
        let block = fold(&records);
        if buffer.folded.0.len() + block.len() > PIECE_MAX {
            self.write_folded(writer, number, partition).await?;
        }
        if let Some(buffer) = self.buffers.get_mut(partition) {
            let before = buffer.size();
            buffer.folded.bytes(&block);
            self.size += buffer.size() - before;
        }
        Ok(())
    }

    async fn write<K: KeyValueWrite>(
        &mut self,
        writer: &mut Writer<'_, K>,
        number: u64,
        partition: usize,
    ) -> Result<(), StoreError> {
        self.fold(writer, number, partition).await?;
        self.write_folded(writer, number, partition).await
    }

    async fn write_folded<K: KeyValueWrite>(
        &mut self,
        writer: &mut Writer<'_, K>,
        number: u64,
        partition: usize,
    ) -> Result<(), StoreError> {
        let (Some(buffer), Some(last)) = (self.buffers.get_mut(partition), self.last.get_mut(partition)) else {
            return Ok(());
        };
        let folded = std::mem::take(&mut buffer.folded).0;
        if folded.is_empty() {
            return Ok(());
        }
        self.size -= folded.len();
        if self.number != number {
            (self.number, self.next) = (number, 0);
        }
        let mut piece = Encoder::default();
        match last {
            None => piece.number(head::FIRST),
            Some((number, n)) => piece.number(head::NEXT).number(*number).size(*n),
        };
        piece.0.extend_from_slice(&folded);
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
        order.sort_by_key(|p| std::cmp::Reverse(self.buffers.get(*p).map_or(0, Buffer::size)));
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
        let mut read = || {
            let head = decoder.number()?;
            let before = match head {
                head::NEXT_OF_ONE | head::NEXT => Some((decoder.number()?, decoder.size()?)),
                _ => None,
            };
            let mut blocks = Vec::new();
            match head {
                head::FIRST_OF_ONE | head::NEXT_OF_ONE => blocks.push(shelf.unfolded(decoder.0.to_vec())?),
                head::FIRST | head::NEXT => {
                    while !decoder.0.is_empty() {
                        blocks.push(unfold(decoder.bytes()?)?);
                    }
                }
                _ => return None,
            }
            Some((Partition(blocks), before))
        };
        read().ok_or_else(|| value.damaged())
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
            pieces.extend(piece.0.into_iter().rev());
            place = before;
        }
        pieces.reverse();
        Ok(Partition(pieces))
    }
}

/// The blocks of a partition, read.
#[derive(Debug)]
pub struct Partition(Vec<Vec<u8>>);

impl Partition {
    /// Its records.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().flat_map(|block| {
            let mut decoder = Decoder(block);
            std::iter::from_fn(move || decoder.bytes())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_executor::block_on;
    use proptest::prelude::*;
    use store::memory::MemoryStore;

    /// A record of so many bytes that fold to nothing, or not at all.
    fn record(seed: usize, len: usize, folds: bool) -> Vec<u8> {
        let mut state = seed as u64 | 1;
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if folds { b'a' } else { (state >> 56) as u8 }
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn records_come_back_in_the_order_they_were_added(
            sizes in prop::collection::vec((0_usize..3, prop_oneof![0_usize..40, 30_000_usize..70_000, Just(RECORD_MAX)], any::<bool>()), 0..40),
            flushes in prop::collection::vec((0_usize..40, 0_usize..300_000, any::<bool>()), 0..6),
        ) {
            block_on(async {
                let kv = MemoryStore::default();
                let mut writer = Writer::open(&kv, "g1", 25).await.unwrap();
                let (mut stream, mut expected, mut attempt) = (RecordStream::new("x", 3), vec![Vec::new(); 3], 7);
                for (rank, (partition, len, folds)) in sizes.into_iter().enumerate() {
                    for (_, remainder, ends) in flushes.iter().filter(|(at, ..)| *at == rank) {
                        stream.flush(&mut writer, attempt, *remainder).await.unwrap();
                        prop_assert!(stream.size() <= *remainder);
                        attempt += u64::from(*ends);
                    }
                    let record = record(rank, len, folds);
                    stream.add(&mut writer, attempt, partition, &record).await.unwrap();
                    expected[partition].push(record);
                }
                stream.flush(&mut writer, attempt, 0).await.unwrap();
                writer.flush().await.unwrap();
                prop_assert_eq!(stream.size(), 0);
                let stream: RecordStream = serde_json::from_str(&serde_json::to_string(&stream).unwrap()).unwrap();
                for (partition, expected) in expected.iter().enumerate() {
                    let read = stream.read(&kv, Shelf::own("g1"), partition).await.unwrap();
                    prop_assert_eq!(&read.records().map(<[u8]>::to_vec).collect::<Vec<_>>(), expected);
                }
                Ok(())
            })?;
        }
    }

    /// A job that the version before began is ended by this one, and what it published is carried over.
    #[test]
    fn pieces_of_one_block_are_read() {
        block_on(async {
            let kv = MemoryStore::default();
            let mut writer = Writer::open(&kv, "g1", 1).await.unwrap();
            for (n, before) in [None, Some((4, 0))].into_iter().enumerate() {
                let (mut piece, mut records) = (Encoder::default(), Encoder::default());
                match before {
                    None => piece.number(head::FIRST_OF_ONE),
                    Some((number, n)) => piece.number(head::NEXT_OF_ONE).number(number).size(n),
                };
                records.bytes(format!("a{n}").as_bytes()).bytes(b"b");
                piece.0.extend_from_slice(&fold(&records.0));
                writer.put(&family("x", 4), n, piece.0).await.unwrap();
            }
            writer.flush().await.unwrap();
            let mut stream = RecordStream::new("x", 1);
            stream.last = vec![Some((4, 1))];
            stream.add(&mut writer, 5, 0, b"c").await.unwrap();
            stream.flush(&mut writer, 5, 0).await.unwrap();
            writer.flush().await.unwrap();
            let read = stream.read(&kv, Shelf::own("g1"), 0).await.unwrap();
            assert_eq!(read.records().collect::<Vec<_>>(), [b"a0".as_slice(), b"b", b"a1", b"b", b"c"]);
        });
    }
}
