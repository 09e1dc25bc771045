//! Files of ACCE and of Certif Info: CSV, `;`, a header line. Read as they come, a row at a time.
//!
//! ACCE writes ISO-8859-1, Certif Info UTF-8. What is no UTF-8 there is read as ISO-8859-1: a file that was saved again
//! by a spreadsheet keeps its accents.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use domain::Document;

/// The longest row, in bytes.
const LONGEST_ROW: usize = 1 << 20;

/// How letters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letters {
    Latin1,
    Utf8,
}

/// Why the file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CsvFault {
    TooLong,
    Empty,
}

/// Reads the file in chunks.
pub(crate) struct CsvTable {
    reader: Reader,
    letters: Letters,
    /// The columns, and whether each is kept.
    header: Option<Vec<(String, bool)>>,
    fields: Vec<u8>,
    written: usize,
    ends: Vec<usize>,
    ended: usize,
}

impl CsvTable {
    pub(crate) fn new(letters: Letters) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(b';').build(),
            letters,
            header: None,
            fields: vec![0; 4_096],
            written: 0,
            ends: vec![0; 128],
            ended: 0,
        }
    }

    /// Takes a chunk; the first line goes to `header`, which says of each column whether it is kept, every other one to
    /// `each`. An empty chunk says that the file is over.
    pub(crate) fn push<E: From<CsvFault>>(
        &mut self,
        mut chunk: &[u8],
        mut header: impl FnMut(&[String]) -> Result<Vec<bool>, E>,
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
                        return Err(CsvFault::TooLong.into());
                    }
                    self.fields.resize(self.fields.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    if self.ends.len() >= LONGEST_ROW / 8 {
                        return Err(CsvFault::TooLong.into());
                    }
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                ReadRecordResult::Record => {
                    let values = self.record();
                    match &self.header {
                        Some(names) => {
                            let kept = names.iter().zip(values).filter(|((_, kept), value)| *kept && !value.is_empty());
                            each(kept.map(|((name, _), value)| (name.clone(), value.into())).collect())?;
                        }
                        None => {
                            let kept = header(&values)?;
                            self.header = Some(values.into_iter().zip(kept).collect());
                        }
                    }
                }
                ReadRecordResult::End => {
                    return if self.header.is_some() { Ok(()) } else { Err(CsvFault::Empty.into()) };
                }
            }
        }
    }

    /// The fields of the row that ended, as text.
    fn record(&mut self) -> Vec<String> {
        let mut start = 0;
        let ends = self.ends.get(..self.ended).unwrap_or_default();
        let values = ends.iter().map(|end| {
            let bytes = self.fields.get(start..*end).unwrap_or_default();
            start = *end;
            let utf8 = std::str::from_utf8(bytes).ok().filter(|_| self.letters == Letters::Utf8);
            // A byte of ISO-8859-1 is the character of its number.
            let text = utf8.map_or_else(|| bytes.iter().map(|byte| char::from(*byte)).collect(), str::to_owned);
            text.trim_start_matches('\u{feff}').trim().to_owned()
        });
        let values = values.collect();
        self.written = 0;
        self.ended = 0;
        values
    }
}
