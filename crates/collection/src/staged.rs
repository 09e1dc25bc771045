//! The staging of raw answers: what is there, how an answer is written and read again.

use crate::demand::Lot;
use outside::{Sink, SinkError};
use publication::{Journal, JournalReading, Position, Writer, put_long, read_long};
use serde::{Deserialize, Serialize};
use sources::{AnswerReader, Call, ReadReport, SourceError};
use std::collections::BTreeMap;
use store::exchange::change_or_rebuild;
use store::kv::{StoreError, to_json};
use store::{KeyValueWrite, Shelf, frame};

/// The key of the list of what is staged. It is created once and then only swapped.
const KEY: &str = "work:reserve";
/// Bytes of an answer that lie in one record.
const SLICE: usize = 128 * 1024;

/// The answers of a lot, all there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedLot {
    /// What their keys begin with.
    #[serde(rename = "prefixe")]
    pub prefix: String,
    /// When the last came, in milliseconds since 1970.
    #[serde(rename = "obtenu_ms")]
    pub obtained_ms: i64,
    /// Their bytes.
    #[serde(rename = "octets")]
    pub bytes: u64,
    /// Where they lie; empty where that is said by values of its own.
    #[serde(default)]
    pub(crate) journal: Journal,
    /// The family number and the number of those values: each step that staged answers adds to the journal, and a slow
    /// service makes thousands of steps.
    #[serde(rename = "ailleurs", default, skip_serializing_if = "Option::is_none")]
    elsewhere: Option<(u64, usize)>,
}

/// Bytes of a journal that lie in the list of what is staged.
const JOURNAL_MAX: usize = 4 * 1024;

fn journal_family(number: u64) -> String {
    format!("series.{number}")
}

impl StagedLot {
    /// A lot that is all there.
    pub(crate) async fn new<K: KeyValueWrite>(
        kv: &K,
        lot: usize,
        prefix: &str,
        obtained_ms: i64,
        bytes: u64,
        (number, journal): (u64, &Journal),
    ) -> Result<Self, StoreError> {
        let text = to_json(prefix, journal)?;
        let mut fresh =
            Self { prefix: prefix.to_owned(), obtained_ms, bytes, journal: Journal::default(), elsewhere: None };
        if text.len() <= JOURNAL_MAX {
            fresh.journal = journal.clone();
            return Ok(fresh);
        }
        let mut writer = Writer::open(kv, prefix, lot).await?.with_ahead(1);
        let count = put_long(&mut writer, &journal_family(number), 0, &text).await?;
        writer.flush().await?;
        fresh.elsewhere = Some((number, count));
        Ok(fresh)
    }

    /// The same, with its journal.
    pub(crate) async fn whole_number<K: KeyValueWrite>(&self, kv: &K) -> Result<Self, StoreError> {
        let mut whole_number = self.clone();
        if let Some((number, count)) = whole_number.elsewhere.take() {
            let family = journal_family(number);
            let text = read_long(kv, Shelf::own(&self.prefix), &family, 0, count).await?;
            whole_number.journal = serde_json::from_slice(&text).map_err(|_| StoreError::Damaged(family))?;
        }
        Ok(whole_number)
    }

    /// How many values they lie in, for one that is [`StagedLot::whole_number`].
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.journal.pieces()
    }
}

/// What is staged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedLots {
    /// By [`Lot::key`].
    pub lots: BTreeMap<String, StagedLot>,
}

impl StagedLots {
    /// What is staged now.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn read<K: KeyValueWrite>(kv: &K) -> Result<Self, StoreError> {
        // One that cannot be read leads to nothing any more: the services are asked again, and what it named goes.
        Ok(kv.get(KEY).await?.and_then(|value| frame::open_json(KEY, &value).ok()).unwrap_or_default())
    }

    pub(crate) fn lot(&self, lot: &Lot) -> Option<&StagedLot> {
        self.lots.get(&lot.key())
    }

    /// Puts a whole lot in the place of an older one: the prefix that nobody needs any more.
    pub(crate) async fn replace<K: KeyValueWrite>(
        kv: &K,
        lot: &Lot,
        fresh: StagedLot,
    ) -> Result<Option<String>, StoreError> {
        let prefix = fresh.prefix.clone();
        let old = change_or_rebuild(kv, KEY, |staged: &mut Self| staged.lots.insert(lot.key(), fresh.clone())).await?;
        Ok(old.map(|a| a.prefix).filter(|p| *p != prefix))
    }
}

const CALL: u8 = 0;
const BODY: u8 = 1;
const END: u8 = 2;
const NO_DATA: u8 = 3;

fn record(nature: u8, body: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(body.len() + 1);
    record.push(nature);
    record.extend_from_slice(body);
    record
}

fn text(call: &Call) -> Result<Vec<u8>, StoreError> {
    to_json(KEY, call)
}

/// The writing half of a lot.
pub(crate) struct LotWriter<'a, 'k, K> {
    pub journal: &'a mut Journal,
    pub writer: &'a mut Writer<'k, K>,
    pub number: u64,
}

impl<K: KeyValueWrite> LotWriter<'_, '_, K> {
    async fn add(&mut self, nature: u8, body: &[u8]) -> Result<(), StoreError> {
        self.journal.add(self.writer, self.number, &record(nature, body)).await
    }

    /// Writes a whole answer; `None`: the service has nothing.
    pub async fn put(&mut self, call: &Call, body: Option<&[u8]>) -> Result<(), StoreError> {
        let Some(body) = body else { return self.add(NO_DATA, &text(call)?).await };
        self.add(CALL, &text(call)?).await?;
        for slice in body.chunks(SLICE) {
            self.add(BODY, slice).await?;
        }
        self.add(END, &[]).await
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        self.journal.flush(self.writer, self.number).await
    }
}

/// Stages a large answer while it comes, and checks that it can be read.
pub(crate) struct StreamedAnswer<'a, 'k, K> {
    lot_writer: LotWriter<'a, 'k, K>,
    call: &'a Call,
    bookmark: Journal,
    reader: Option<AnswerReader>,
    fault: Option<SourceError>,
}

impl<'a, 'k, K: KeyValueWrite> StreamedAnswer<'a, 'k, K> {
    pub async fn open(mut lot_writer: LotWriter<'a, 'k, K>, call: &'a Call) -> Result<Self, StoreError> {
        lot_writer.flush().await?;
        let bookmark = lot_writer.journal.clone();
        lot_writer.add(CALL, &text(call)?).await?;
        Ok(Self { lot_writer, call, bookmark, reader: Some(AnswerReader::new(call)), fault: None })
    }

    /// The answer is over: what was read, or why it cannot be.
    pub async fn close(mut self) -> Result<Result<ReadReport, SourceError>, StoreError> {
        let read = match (self.fault.take(), self.reader.take()) {
            (None, Some(reader)) => reader.finish(|_| ()),
            (Some(fault), _) => Err(fault),
            (None, None) => Ok(ReadReport::default()),
        };
        if read.is_ok() {
            self.lot_writer.add(END, &[]).await?;
        } else {
            self.lot_writer.journal.go_back(&self.bookmark);
        }
        Ok(read)
    }

    /// The call failed: nothing of it stays.
    pub fn forget(self) {
        self.lot_writer.journal.go_back(&self.bookmark);
    }
}

impl<K: KeyValueWrite> Sink for StreamedAnswer<'_, '_, K> {
    async fn restart(&mut self) -> Result<(), SinkError> {
        self.lot_writer.journal.go_back(&self.bookmark);
        self.reader = Some(AnswerReader::new(self.call));
        self.fault = None;
        let call = text(self.call).map_err(|_| SinkError)?;
        self.lot_writer.add(CALL, &call).await.map_err(|_| SinkError)
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), SinkError> {
        if let Some(reader) = &mut self.reader
            && let Err(fault) = reader.push(chunk, |_| ())
        {
            (self.reader, self.fault) = (None, Some(fault));
        }
        for slice in chunk.chunks(SLICE) {
            self.lot_writer.add(BODY, slice).await.map_err(|_| SinkError)?;
        }
        Ok(())
    }
}

/// The reading half of a lot.
pub(crate) struct LotReader<'a, K>(JournalReading<'a, K>);

impl<'a, K: KeyValueWrite> LotReader<'a, K> {
    pub fn of(kv: &'a K, lot: &'a StagedLot, since: Position) -> Self {
        Self(lot.journal.reading(kv, &lot.prefix, since))
    }

    /// Where the next answer begins.
    pub fn position(&self) -> Position {
        self.0.position()
    }

    fn damaged() -> StoreError {
        StoreError::Damaged("staged answer".into())
    }

    /// The next answer, to be read by [`LotReader::rows`], [`LotReader::body`] or not at all.
    pub async fn next(&mut self) -> Result<Option<(Call, bool)>, StoreError> {
        loop {
            let Some(record) = self.0.next().await? else { return Ok(None) };
            let (nature, body) = record.split_first().ok_or_else(Self::damaged)?;
            if [CALL, NO_DATA].contains(nature) {
                let call = serde_json::from_slice(body).map_err(|_| Self::damaged())?;
                return Ok(Some((call, *nature == CALL)));
            }
        }
    }

    /// The rest of the answer, a chunk at a time.
    async fn slice(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let mut record = self.0.next().await?.ok_or_else(Self::damaged)?;
        match record.first() {
            Some(&BODY) => {
                record.remove(0);
                Ok(Some(record))
            }
            Some(&END) => Ok(None),
            _ => Err(Self::damaged()),
        }
    }

    /// The rest of the answer.
    pub async fn body(&mut self) -> Result<Vec<u8>, StoreError> {
        let mut body = Vec::new();
        while let Some(slice) = self.slice().await? {
            body.extend(slice);
        }
        Ok(body)
    }

    /// The rows of the next chunk of an answer; `None` once it is over. A last row may come with the end: whoever reads
    /// to `None` has them all. The answer was read once when it was staged; one that cannot be read now was staged by
    /// another version of the clients.
    pub async fn next_rows(
        &mut self,
        reader: &mut Option<AnswerReader>,
    ) -> Result<Result<Option<Vec<domain::Document>>, SourceError>, StoreError> {
        if reader.is_none() {
            return Ok(Ok(None));
        }
        let mut rows = Vec::new();
        let read = match (self.slice().await?, reader.as_mut()) {
            (Some(slice), Some(reader)) => reader.push(&slice, |row| rows.push(row)),
            _ => reader.take().map_or(Ok(()), |reader| reader.finish(|row| rows.push(row)).map(|_| ())),
        };
        Ok(read.map(|()| Some(rows)))
    }

    /// The rows of an answer, one after the other.
    pub async fn rows(
        &mut self,
        call: &Call,
        mut each: impl FnMut(domain::Document),
    ) -> Result<Result<(), SourceError>, StoreError> {
        let mut reader = AnswerReader::new(call);
        while let Some(slice) = self.slice().await? {
            if let Err(fault) = reader.push(&slice, &mut each) {
                return Ok(Err(fault));
            }
        }
        Ok(reader.finish(each).map(|_| ()))
    }
}
