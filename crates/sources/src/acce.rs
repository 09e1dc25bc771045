//! The ACCE file: CSV, `;`, ISO-8859-1, a header line. Read as it comes, a row at a time.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use domain::Document;

/// The longest row, in bytes.
const LONGEST_ROW: usize = 1 << 20;

/// Why the file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceFault {
    TooLong,
    Empty,
}

/// Reads the file in chunks.
pub(crate) struct CsvTable {
    reader: Reader,
    header: Option<Vec<String>>,
    fields: Vec<u8>,
    written: usize,
    ends: Vec<usize>,
    ended: usize,
}

impl CsvTable {
    pub(crate) fn new() -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(b';').build(),
            header: None,
            fields: vec![0; 4_096],
            written: 0,
            ends: vec![0; 128],
            ended: 0,
        }
    }

    /// Takes a chunk; the first line goes to `header`, every other one to `each`. An empty chunk
    /// says that the file is over.
    pub(crate) fn push<E: From<AcceFault>>(
        &mut self,
        mut chunk: &[u8],
        mut header: impl FnMut(&[String]) -> Result<(), E>,
        mut each: impl FnMut(Document) -> Result<(), E>,
    ) -> Result<(), E> {
        let last = chunk.is_empty();
        loop {
            let output = self.fields.get_mut(self.written..).unwrap_or_default();
            let ends = self.ends.get_mut(self.ended..).unwrap_or_default();
            let (result, read, wrote, ended) = self.reader.read_record(chunk, output, ends);
            chunk = chunk.get(read..).unwrap_or_default();
            self.written += wrote;
            self.ended += ended;
            match result {
                ReadRecordResult::InputEmpty => {
                    if !last {
                        return Ok(());
                    }
                }
                ReadRecordResult::OutputFull => {
                    if self.fields.len() >= LONGEST_ROW {
                        return Err(AcceFault::TooLong.into());
                    }
                    self.fields.resize(self.fields.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    if self.ends.len() >= LONGEST_ROW / 8 {
                        return Err(AcceFault::TooLong.into());
                    }
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                ReadRecordResult::Record => {
                    let values = self.record();
                    match &self.header {
                        Some(names) => {
                            let pairs = names.iter().zip(values).filter(|(_, value)| !value.is_empty());
                            each(pairs.map(|(name, value)| (name.clone(), value.into())).collect())?;
                        }
                        None => {
                            header(&values)?;
                            self.header = Some(values);
                        }
                    }
                }
                ReadRecordResult::End => {
                    return if self.header.is_some() { Ok(()) } else { Err(AcceFault::Empty.into()) };
                }
            }
        }
    }

    /// The fields of the row that ended, as text: a byte of ISO-8859-1 is the character of its number.
    fn record(&mut self) -> Vec<String> {
        let mut start = 0;
        let ends = self.ends.get(..self.ended).unwrap_or_default();
        let values = ends.iter().map(|end| {
            let bytes = self.fields.get(start..*end).unwrap_or_default();
            start = *end;
            bytes.iter().map(|byte| char::from(*byte)).collect::<String>().trim().to_owned()
        });
        let values = values.collect();
        self.written = 0;
        self.ended = 0;
        values
    }
}
