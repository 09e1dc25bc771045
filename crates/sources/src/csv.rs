//! Files of ACCE and of Certif Info: CSV, `;`, a header line. Read as they come, a row at a time.
//!
//! ACCE writes ISO-8859-1, Certif Info UTF-8. What is no UTF-8 there is read as ISO-8859-1: a file that was saved again
//! by a spreadsheet keeps its accents.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use domain::Document;

/// What editors write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
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
    /// The first bytes, until they say whether they are a byte order mark: csv-core takes a chunk that is one, and nothing
    /// else, for the end of the file.
    start: Option<Vec<u8>>,
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
            start: Some(Vec::new()),
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
        chunk: &[u8],
        mut header: impl FnMut(&[String]) -> Result<Vec<bool>, E>,
        mut each: impl FnMut(Document) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(mut start) = self.start.take() else { return self.read(chunk, &mut header, &mut each) };
        start.extend_from_slice(chunk);
        let mut rest = start.as_slice();
        while let Some(after) = rest.strip_prefix(BYTE_ORDER_MARK) {
            rest = after;
        }
        if !chunk.is_empty() && BYTE_ORDER_MARK.starts_with(rest) {
            self.start = Some(rest.to_vec());
            return Ok(());
        }
        if !rest.is_empty() {
            self.read(rest, &mut header, &mut each)?;
        }
        if chunk.is_empty() { self.read(chunk, &mut header, &mut each) } else { Ok(()) }
    }

    fn read<E: From<CsvFault>>(
        &mut self,
        mut chunk: &[u8],
        header: &mut impl FnMut(&[String]) -> Result<Vec<bool>, E>,
        each: &mut impl FnMut(Document) -> Result<(), E>,
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
            text.trim().to_owned()
        });
        let values = values.collect();
        self.written = 0;
        self.ended = 0;
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a file that comes in these chunks.
    fn rows(chunks: &[&[u8]]) -> Vec<String> {
        let mut table = CsvTable::new(Letters::Latin1);
        let mut rows = Vec::new();
        for chunk in chunks.iter().copied().filter(|chunk| !chunk.is_empty()).chain([[].as_slice()]) {
            let each = |row: Document| {
                rows.push(serde_json::to_string(&row).unwrap());
                Ok(())
            };
            table.push::<CsvFault>(chunk, |names| Ok(vec![true; names.len()]), each).unwrap();
        }
        rows
    }

    #[test]
    fn a_byte_order_mark_is_none_of_the_file_wherever_its_chunks_end() {
        for mark in ["", "\u{feff}", "\u{feff}\u{feff}"] {
            let file = format!("{mark}\"numero_uai\";commune\n0751234J;Paris\n").into_bytes();
            for at in 0..file.len() {
                let (first, second) = file.split_at(at);
                assert_eq!(
                    rows(&[first, second]),
                    [r#"{"numero_uai":"0751234J","commune":"Paris"}"#],
                    "{mark:?}, {at}"
                );
            }
        }
    }
}
