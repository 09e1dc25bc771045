//! CSV, as spreadsheets write it.

use super::header::{FileHeader, Record, SoughtColumns};
use super::{FileError, LONGEST_ROW, Legibility, Line, MOST_COLUMNS, Pending};
use csv_core::{ReadRecordResult, ReaderBuilder};
use std::sync::Arc;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A byte more than the longest row: csv-core asks for room as soon as the buffer is full.
const ROOM: usize = LONGEST_ROW + 1;

/// The rows of a CSV file.
#[derive(Debug)]
pub(crate) struct CsvRows {
    shape: SoughtColumns,
    pub(crate) pending: Pending,
    pub(crate) header: Option<Arc<FileHeader>>,
    parser: Parser,
    number: u64,
    over: bool,
}

/// A record being put together.
#[derive(Debug)]
struct Parser {
    reader: csv_core::Reader,
    fields: Vec<u8>,
    written: usize,
    ends: Vec<usize>,
    ended: usize,
    too_long: bool,
}

enum Step {
    Record,
    MoreInput,
    End,
}

impl Parser {
    fn new(delimiter: u8) -> Self {
        let mut reader = ReaderBuilder::new().delimiter(delimiter).build();
        // Before its first byte csv-core takes a chunk that is a byte order mark, and nothing else, for the end of the file.
        // The file's own is passed by already; an empty line is nothing.
        reader.read_record(b"\n", &mut [0], &mut [0]);
        Self { reader, fields: vec![0; 4_096], written: 0, ends: vec![0; 64], ended: 0, too_long: false }
    }

    /// Reads on. An empty input says that there is no more.
    fn step(&mut self, input: &[u8]) -> (Step, usize) {
        let mut read = 0;
        loop {
            let rest = input.get(read..).unwrap_or_default();
            if rest.is_empty() && !input.is_empty() {
                return (Step::MoreInput, read);
            }
            let output = self.fields.get_mut(self.written..).unwrap_or_default();
            let ends = self.ends.get_mut(self.ended..).unwrap_or_default();
            let (result, taken, wrote, ended) = self.reader.read_record(rest, output, ends);
            read += taken;
            self.written += wrote;
            self.ended += ended;
            match result {
                ReadRecordResult::InputEmpty if input.is_empty() => return (Step::End, read),
                ReadRecordResult::InputEmpty => return (Step::MoreInput, read),
                ReadRecordResult::OutputFull if self.fields.len() < ROOM => {
                    self.fields.resize((self.fields.len() * 2).min(ROOM), 0);
                }
                ReadRecordResult::OutputEndsFull if self.ends.len() < 2 * MOST_COLUMNS => {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                // The rest of the record is read over what was kept of it.
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    self.too_long = true;
                    self.written = 0;
                    self.ended = 0;
                }
                ReadRecordResult::Record => return (Step::Record, read),
                ReadRecordResult::End => return (Step::End, read),
            }
        }
    }

    /// The cells of the record that ended, and whether all of them are UTF-8; `None` where it was too long.
    fn take(&mut self) -> Option<(Vec<String>, bool)> {
        let mut start = 0;
        let mut utf8 = true;
        let ends = self.ends.get(..self.ended).unwrap_or_default();
        let cells = ends.iter().map(|end| {
            let bytes = self.fields.get(start..*end).unwrap_or_default();
            start = *end;
            match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => {
                    utf8 = false;
                    String::from_utf8_lossy(bytes).into_owned()
                }
            }
        });
        let cells = if self.too_long { Vec::new() } else { cells.collect() };
        let too_long = std::mem::take(&mut self.too_long);
        self.written = 0;
        self.ended = 0;
        (!too_long).then_some((cells, utf8))
    }
}

impl CsvRows {
    pub(crate) fn new(shape: SoughtColumns) -> Self {
        Self { shape, pending: Pending::default(), header: None, parser: Parser::new(b';'), number: 0, over: false }
    }

    /// Bytes of the record being put together.
    pub(crate) fn held(&self) -> usize {
        self.parser.fields.capacity() + self.parser.ends.capacity() * size_of::<usize>()
    }

    pub(crate) fn next_line(&mut self, finished: bool) -> Result<Option<Line>, FileError> {
        let header = match &self.header {
            Some(header) => Arc::clone(header),
            None => match self.read_header(finished)? {
                Some(header) => header,
                None => return Ok(None),
            },
        };
        if self.over {
            return Ok(None);
        }
        let rest = self.pending.rest();
        if rest.is_empty() && !finished {
            return Ok(None);
        }
        let (mut step, read) = self.parser.step(rest);
        self.pending.advance(read);
        if let (Step::MoreInput, true) = (&step, finished) {
            step = self.parser.step(&[]).0;
        }
        match step {
            Step::MoreInput => Ok(None),
            Step::End => {
                self.over = true;
                Ok(None)
            }
            Step::Record => {
                self.number += 1;
                Ok(Some(line(self.number, header, self.parser.take())))
            }
        }
    }

    /// The line of names, once it is whole. A first line `sep=;`, which Excel understands, is passed over.
    fn read_header(&mut self, finished: bool) -> Result<Option<Arc<FileHeader>>, FileError> {
        let rest = self.pending.rest();
        if rest.starts_with(b"\xff\xfe") || rest.starts_with(b"\xfe\xff") {
            return Err(FileError::Utf16);
        }
        if BYTE_ORDER_MARK.starts_with(rest) && !finished {
            return Ok(None);
        }
        let mark = rest.starts_with(BYTE_ORDER_MARK);
        let text = if mark { rest.get(BYTE_ORDER_MARK.len()..).unwrap_or_default() } else { rest };
        let mut start = blank(text);
        let Some(mut end) = line_end(text, start, finished) else {
            if text.contains(&0) {
                return Err(FileError::Binary);
            }
            return if text.len() > LONGEST_ROW { Err(FileError::HeaderTooLong) } else { Ok(None) };
        };
        let told = separator_line(text.get(start..end).unwrap_or_default());
        if told.is_some() {
            start = end + blank(text.get(end..).unwrap_or_default());
            match line_end(text, start, finished) {
                Some(next) => end = next,
                None => return Ok(None),
            }
        }
        let names = text.get(start..end).unwrap_or_default();
        if names.contains(&0) || names.starts_with(b"PK\x03\x04") {
            return Err(FileError::Binary);
        }
        if names.len() > LONGEST_ROW {
            return Err(FileError::HeaderTooLong);
        }
        if names.trim_ascii().is_empty() {
            return Err(FileError::Empty);
        }
        let header = Arc::new(self.header_of(names, told, mark)?);
        let skipped = end + if mark { BYTE_ORDER_MARK.len() } else { 0 };
        self.pending.advance(skipped);
        self.parser = Parser::new(header.delimiter);
        self.header = Some(Arc::clone(&header));
        Ok(Some(header))
    }

    /// The names, separated by whichever of `;` and `,` finds the key; where neither does, by the more frequent.
    fn header_of(&self, line: &[u8], told: Option<u8>, mark: bool) -> Result<FileHeader, FileError> {
        let split = |delimiter| {
            let mut parser = Parser::new(delimiter);
            let (step, _) = parser.step(line);
            if let Step::MoreInput = step {
                parser.step(&[]);
            }
            parser.take().ok_or(FileError::TooManyColumns)
        };
        let candidates = match told {
            Some(delimiter) => vec![delimiter],
            None => {
                let count = |delimiter: u8| line.iter().filter(|byte| **byte == delimiter).count();
                if count(b',') > count(b';') { vec![b',', b';'] } else { vec![b';', b','] }
            }
        };
        let mut first = None;
        for delimiter in candidates {
            let (names, utf8) = split(delimiter)?;
            if self.shape.holds_key(&names) || first.is_none() {
                let found = self.shape.holds_key(&names);
                first = Some((names, utf8, delimiter));
                if found {
                    break;
                }
            }
        }
        let Some((names, utf8, delimiter)) = first else { return Err(FileError::Empty) };
        if !utf8 {
            return Err(FileError::HeaderEncoding);
        }
        FileHeader::of(&self.shape, names, delimiter, mark)
    }
}

/// A row of the file: cells that are missing at its end are empty ones.
fn line(number: u64, header: Arc<FileHeader>, record: Option<(Vec<String>, bool)>) -> Line {
    let columns = header.names().len();
    let of = |cells: Vec<String>, content| Line {
        number,
        record: Record { header: Arc::clone(&header), cells, object: None },
        content,
    };
    let Some((mut cells, utf8)) = record else { return of(Vec::new(), Legibility::TooLong) };
    let found = cells.len();
    let beyond = cells.split_off(columns.min(found));
    cells.resize(columns, String::new());
    if beyond.iter().any(|cell| !cell.trim().is_empty()) {
        let why = format!("{found} cellules pour {columns} colonnes ; en trop : {}", beyond.join(" | "));
        return of(cells, Legibility::Unreadable(why));
    }
    if !utf8 {
        let why = "pas de l'UTF-8 : annoncez « charset=iso-8859-1 » dans Content-Type si c'en est".to_owned();
        return of(cells, Legibility::Unreadable(why));
    }
    of(cells, Legibility::Row)
}

/// The line ends at the beginning of a text.
fn blank(text: &[u8]) -> usize {
    text.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// The end of the line that starts here, outside quotes; the end of the text where the file is over.
fn line_end(text: &[u8], start: usize, finished: bool) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in text.iter().enumerate().skip(start) {
        match byte {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => return Some(at),
            _ => {}
        }
    }
    finished.then_some(text.len())
}

/// The separator of a line `sep=;`.
fn separator_line(line: &[u8]) -> Option<u8> {
    match line {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', separator @ (b';' | b',')] => Some(*separator),
        _ => None,
    }
}
