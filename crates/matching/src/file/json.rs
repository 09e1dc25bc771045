//! JSON: an array of objects, or an object a line.

use super::header::{FileHeader, Record, SoughtColumns};
use super::{FileError, LONGEST_ROW, Legibility, Line, Pending};
use serde_json::{Map, Value};
use std::sync::Arc;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The rows of a JSON file.
#[derive(Debug)]
pub(crate) struct JsonRows {
    shape: SoughtColumns,
    pub(crate) pending: Pending,
    pub(crate) header: Option<Arc<FileHeader>>,
    latest: Option<Arc<FileHeader>>,
    layout: Layout,
    element: Vec<u8>,
    too_long: bool,
    depth: u32,
    quoted: bool,
    escaped: bool,
    number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Unknown,
    Array,
    Lines,
    Over,
}

impl JsonRows {
    pub(crate) fn new(shape: SoughtColumns) -> Self {
        Self {
            shape,
            pending: Pending::default(),
            header: None,
            latest: None,
            layout: Layout::Unknown,
            element: Vec::new(),
            too_long: false,
            depth: 0,
            quoted: false,
            escaped: false,
            number: 0,
        }
    }

    /// Bytes of the element being put together.
    pub(crate) fn held(&self) -> usize {
        self.element.capacity()
    }

    pub(crate) fn next_line(&mut self, finished: bool) -> Result<Option<Line>, FileError> {
        if self.layout == Layout::Unknown && !self.find_layout(finished)? {
            return Ok(None);
        }
        loop {
            let Some((ended, separator)) = self.cut(finished) else {
                return self.none_left(finished);
            };
            if !ended {
                return Ok(None);
            }
            let element = std::mem::take(&mut self.element);
            let too_long = std::mem::take(&mut self.too_long);
            let text = element.trim_ascii();
            // Between the last element and the end there is nothing; an empty line is no row.
            if text.is_empty() && !too_long && (self.layout != Layout::Array || separator != b',') {
                continue;
            }
            return self.line(text, too_long).map(Some);
        }
    }

    /// A file that is over without a single object has no key.
    fn none_left(&self, finished: bool) -> Result<Option<Line>, FileError> {
        if finished && self.header.is_none() { Err(FileError::Empty) } else { Ok(None) }
    }

    /// Passes over blanks and a byte order mark, and tells the two layouts apart.
    fn find_layout(&mut self, finished: bool) -> Result<bool, FileError> {
        let rest = self.pending.rest();
        if rest.starts_with(b"\xff\xfe") || rest.starts_with(b"\xfe\xff") {
            return Err(FileError::Utf16);
        }
        if BYTE_ORDER_MARK.starts_with(rest) && !rest.is_empty() && !finished {
            return Ok(false);
        }
        let mark = if rest.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let text = rest.get(mark..).unwrap_or_default();
        let blanks = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        match text.get(blanks) {
            Some(b'[') => {
                self.layout = Layout::Array;
                self.pending.advance(mark + blanks + 1);
            }
            Some(b'{') => {
                self.layout = Layout::Lines;
                self.pending.advance(mark + blanks);
            }
            Some(0) => return Err(FileError::Binary),
            Some(_) => return Err(FileError::NotJson),
            None if finished => return Err(FileError::Empty),
            // Blanks before the first value are not kept.
            None if mark == 0 => {
                self.pending.advance(blanks);
                return Ok(false);
            }
            None => return Ok(false),
        }
        Ok(true)
    }

    /// Moves bytes into the element up to its separator. `None`: nothing is left of a file that is over, or of an array
    /// that is closed. The flag says whether the element ended.
    fn cut(&mut self, finished: bool) -> Option<(bool, u8)> {
        if self.layout == Layout::Over {
            let left = self.pending.rest().len();
            self.pending.advance(left);
            return None;
        }
        let array = self.layout == Layout::Array;
        let mut taken = 0;
        let mut separator = None;
        for byte in self.pending.rest() {
            taken += 1;
            let ends =
                if array { !self.quoted && self.depth == 0 && matches!(byte, b',' | b']') } else { *byte == b'\n' };
            if ends {
                separator = Some(*byte);
                break;
            }
            if array {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' if self.quoted => self.escaped = true,
                    b'"' => self.quoted = !self.quoted,
                    b'{' | b'[' if !self.quoted => self.depth = self.depth.saturating_add(1),
                    b'}' | b']' if !self.quoted => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
            }
            if self.element.len() < LONGEST_ROW {
                self.element.push(*byte);
            } else {
                self.too_long = true;
            }
        }
        self.pending.advance(taken);
        match separator {
            Some(b']') => {
                self.layout = Layout::Over;
                Some((true, b']'))
            }
            Some(separator) => Some((true, separator)),
            None if finished => {
                let left = !self.element.trim_ascii().is_empty() || self.too_long;
                self.layout = Layout::Over;
                // What an array that is cut off ends with is no object, and comes back as such.
                left.then_some((true, if array { b',' } else { b'\n' }))
            }
            None => Some((false, 0)),
        }
    }

    fn line(&mut self, text: &[u8], too_long: bool) -> Result<Line, FileError> {
        self.number += 1;
        let number = self.number;
        if too_long {
            return Ok(Line { number, record: self.nothing(None), content: Legibility::TooLong });
        }
        let Ok(text) = std::str::from_utf8(text) else {
            let record = self.nothing(Some(String::from_utf8_lossy(text).into_owned()));
            return Ok(Line { number, record, content: Legibility::Unreadable("pas de l'UTF-8".to_owned()) });
        };
        let Ok(object) = serde_json::from_str::<Map<String, Value>>(text) else {
            if self.header.is_none() {
                return Err(FileError::NotJson);
            }
            let record = self.nothing(Some(text.to_owned()));
            return Ok(Line { number, record, content: Legibility::Unreadable("pas un objet JSON".to_owned()) });
        };
        let header = match self.header_of(&object) {
            Ok(header) => header,
            // The first object stands for the columns of the file.
            Err(error) if self.header.is_none() => return Err(error),
            Err(error) => {
                let record = self.nothing(Some(text.to_owned()));
                return Ok(Line { number, record, content: Legibility::Unreadable(error.to_string()) });
            }
        };
        // Blanks between tokens are all that a line end can be in JSON.
        let object_text = text.chars().filter(|letter| !matches!(letter, '\n' | '\r')).collect();
        let cells = object.values().map(cell).collect();
        Ok(Line { number, record: Record { header, cells, object: Some(object_text) }, content: Legibility::Row })
    }

    fn header_of(&mut self, object: &Map<String, Value>) -> Result<Arc<FileHeader>, FileError> {
        if let Some(latest) = &self.latest
            && latest.names().len() == object.len()
            && latest.names().iter().zip(object.keys()).all(|(name, key)| name == key)
        {
            return Ok(Arc::clone(latest));
        }
        let names: Vec<String> = object.keys().cloned().collect();
        let first = self.header.is_none();
        let header = if first {
            FileHeader::of(&self.shape, names, b';', false)?
        } else {
            FileHeader::loose(&self.shape, names, b';', false)?
        };
        let header = Arc::new(header);
        self.latest = Some(Arc::clone(&header));
        self.header.get_or_insert_with(|| Arc::clone(&header));
        Ok(header)
    }

    /// A row of which only the text is known.
    fn nothing(&self, text: Option<String>) -> Record {
        let header = self.header.clone().unwrap_or_else(|| Arc::new(FileHeader::nameless()));
        let cells = vec![String::new(); header.names().len()];
        // As an object, so that it comes back: the text that could not be read.
        let object = text.map(|text| format!("{{\"ligne\":{}}}", Value::from(text)));
        Record { header, cells, object }
    }
}

/// A value as a cell: a list is one, separated by `;`.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    }
}
