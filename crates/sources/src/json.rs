//! Cutting large answers into rows while they come.
//!
//! The services answer with one JSON document that holds an array of rows; some answers pass
//! 100 MB. [`RowCutter`] takes such a document in chunks of any size and hands out the text of one row
//! at a time: its memory is one row. What lies outside of the rows is skipped, its brackets and
//! strings are checked. A document that was sent as a JSON string (JSON in JSON) is unwrapped on
//! the way.

/// The longest row, in bytes: longer ones are no rows of these services.
const LONGEST_ROW: usize = 1 << 20;
/// The deepest nesting.
const DEEPEST: usize = 128;

/// Why a text is no such document. The text itself is never quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonFault {
    /// It is no JSON.
    Malformed,
    /// It ends too early.
    Truncated,
    /// A row is too long.
    TooLong,
    /// The array of rows is not there.
    NoRows,
}

impl JsonFault {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "ce n'est pas du JSON",
            Self::Truncated => "elle s'arrête trop tôt",
            Self::TooLong => "une ligne dépasse 1 Mio",
            Self::NoRows => "aucune liste de lignes",
        }
    }
}

/// Where the rows are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RowsPlace {
    /// The document is the array.
    Root,
    /// The array is a member of the document.
    Member(&'static str),
}

/// See the module.
pub(crate) struct RowCutter {
    wrapping: Wrapping,
    cutter: Cutter,
}

enum Wrapping {
    /// Nothing but white space came.
    Unknown,
    None,
    String(Unescape),
    Closed,
}

impl RowCutter {
    pub(crate) fn new(place: RowsPlace) -> Self {
        Self { wrapping: Wrapping::Unknown, cutter: Cutter::new(place) }
    }

    /// Takes a chunk; each row that ends in it goes to `each`.
    pub(crate) fn push<E: From<JsonFault>>(
        &mut self,
        chunk: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for byte in chunk {
            match &mut self.wrapping {
                Wrapping::Unknown if is_space(*byte) => {}
                // A byte order mark, which some servers send.
                Wrapping::Unknown if [0xEF, 0xBB, 0xBF].contains(byte) => {}
                Wrapping::Unknown if *byte == b'"' => self.wrapping = Wrapping::String(Unescape::default()),
                Wrapping::Unknown => {
                    self.wrapping = Wrapping::None;
                    self.cutter.byte(*byte, &mut each)?;
                }
                Wrapping::None => self.cutter.byte(*byte, &mut each)?,
                Wrapping::String(unescape) => match unescape.byte(*byte)? {
                    Unescaped::Nothing => {}
                    Unescaped::Byte(byte) => self.cutter.byte(byte, &mut each)?,
                    Unescaped::Char(char) => {
                        for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                            self.cutter.byte(byte, &mut each)?;
                        }
                    }
                    Unescaped::End => self.wrapping = Wrapping::Closed,
                },
                Wrapping::Closed if is_space(*byte) => {}
                Wrapping::Closed => return Err(JsonFault::Malformed.into()),
            }
        }
        Ok(())
    }

    /// Says that the document is over.
    pub(crate) fn finish(&self) -> Result<(), JsonFault> {
        match self.wrapping {
            Wrapping::Unknown | Wrapping::String(_) => Err(JsonFault::Truncated),
            Wrapping::None | Wrapping::Closed => self.cutter.finish(),
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Undoes the escapes of a JSON string, a byte at a time.
#[derive(Default)]
struct Unescape {
    escaped: bool,
    hex: Option<(u32, u8)>,
    high: Option<u32>,
}

enum Unescaped {
    Nothing,
    Byte(u8),
    Char(char),
    End,
}

impl Unescape {
    fn byte(&mut self, byte: u8) -> Result<Unescaped, JsonFault> {
        if let Some((value, digits)) = self.hex {
            let digit = char::from(byte).to_digit(16).ok_or(JsonFault::Malformed)?;
            let value = value * 16 + digit;
            if digits < 3 {
                self.hex = Some((value, digits + 1));
                return Ok(Unescaped::Nothing);
            }
            self.hex = None;
            return self.unit(value);
        }
        if self.escaped {
            self.escaped = false;
            if byte == b'u' {
                self.hex = Some((0, 0));
                return Ok(Unescaped::Nothing);
            }
            if self.high.is_some() {
                return Err(JsonFault::Malformed);
            }
            return match byte {
                b'"' | b'\\' | b'/' => Ok(Unescaped::Byte(byte)),
                b'n' => Ok(Unescaped::Byte(b'\n')),
                b'r' => Ok(Unescaped::Byte(b'\r')),
                b't' => Ok(Unescaped::Byte(b'\t')),
                b'b' => Ok(Unescaped::Byte(8)),
                b'f' => Ok(Unescaped::Byte(12)),
                _ => Err(JsonFault::Malformed),
            };
        }
        match byte {
            b'\\' => {
                self.escaped = true;
                Ok(Unescaped::Nothing)
            }
            _ if self.high.is_some() => Err(JsonFault::Malformed),
            b'"' => Ok(Unescaped::End),
            _ => Ok(Unescaped::Byte(byte)),
        }
    }

    /// A unit of UTF-16: half of a pair, or a character.
    fn unit(&mut self, value: u32) -> Result<Unescaped, JsonFault> {
        let code = match (self.high.take(), value) {
            (None, 0xD800..0xDC00) => {
                self.high = Some(value);
                return Ok(Unescaped::Nothing);
            }
            (None, _) => value,
            (Some(high), 0xDC00..0xE000) => 0x10000 + ((high - 0xD800) << 10) + (value - 0xDC00),
            (Some(_), _) => return Err(JsonFault::Malformed),
        };
        char::from_u32(code).map(Unescaped::Char).ok_or(JsonFault::Malformed)
    }
}

/// Finds the array and cuts it.
struct Cutter {
    place: RowsPlace,
    /// Open brackets.
    open: Vec<u8>,
    in_string: bool,
    escaped: bool,
    /// The next string at the first level is the name of a member.
    name_expected: bool,
    name: Vec<u8>,
    reading_name: bool,
    /// The last name is that of the array.
    at_member: bool,
    /// Open brackets within which rows lie.
    rows_at: Option<usize>,
    found: bool,
    row: Vec<u8>,
    over: bool,
}

impl Cutter {
    fn new(place: RowsPlace) -> Self {
        Self {
            place,
            open: Vec::new(),
            in_string: false,
            escaped: false,
            name_expected: false,
            name: Vec::new(),
            reading_name: false,
            at_member: false,
            rows_at: None,
            found: false,
            row: Vec::new(),
            over: false,
        }
    }

    fn byte<E: From<JsonFault>>(&mut self, byte: u8, each: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if self.in_string {
            self.keep(byte)?;
            if self.reading_name && byte != b'"' && self.name.len() <= 64 {
                self.name.push(byte);
            }
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
                if self.reading_name {
                    self.reading_name = false;
                    self.at_member = matches!(self.place, RowsPlace::Member(m) if m.as_bytes() == self.name.as_slice());
                }
            }
            return Ok(());
        }
        if is_space(byte) {
            return if self.row.is_empty() { Ok(()) } else { self.keep(byte).map_err(E::from) };
        }
        if self.over || (self.open.is_empty() && !matches!(byte, b'{' | b'[')) {
            return Err(JsonFault::Malformed.into());
        }
        if self.name_expected && self.open.len() == 1 && !matches!(byte, b'"' | b'}') {
            return Err(JsonFault::Malformed.into());
        }
        match byte {
            b'"' => {
                self.in_string = true;
                if self.name_expected && self.open.len() == 1 {
                    self.name_expected = false;
                    self.reading_name = true;
                    self.name.clear();
                }
                self.keep(byte)?;
            }
            b'{' | b'[' => {
                let rows = byte == b'['
                    && match self.place {
                        RowsPlace::Root => self.open.is_empty(),
                        RowsPlace::Member(_) => self.open.len() == 1 && self.at_member,
                    };
                if !rows {
                    self.keep(byte)?;
                }
                self.name_expected = byte == b'{' && self.open.is_empty();
                self.open.push(byte);
                if self.open.len() > DEEPEST {
                    return Err(JsonFault::Malformed.into());
                }
                if rows {
                    self.rows_at = Some(self.open.len());
                    self.found = true;
                }
            }
            b'}' | b']' => {
                if self.rows_at == Some(self.open.len()) {
                    self.end_row(each)?;
                    self.rows_at = None;
                }
                let opened = self.open.pop();
                if opened != Some(if byte == b'}' { b'{' } else { b'[' }) {
                    return Err(JsonFault::Malformed.into());
                }
                self.keep(byte)?;
                self.over = self.open.is_empty();
                self.at_member &= self.open.len() > 1;
                self.name_expected = false;
            }
            b',' if self.rows_at == Some(self.open.len()) => {
                if self.row.is_empty() {
                    return Err(JsonFault::Malformed.into());
                }
                self.end_row(each)?;
            }
            b',' => {
                self.keep(byte)?;
                if self.open.len() == 1 {
                    self.name_expected = self.open.first() == Some(&b'{');
                    self.at_member = false;
                }
            }
            _ => self.keep(byte)?,
        }
        Ok(())
    }

    /// Keeps a byte of a row.
    fn keep(&mut self, byte: u8) -> Result<(), JsonFault> {
        if self.rows_at.is_some_and(|at| at <= self.open.len()) {
            if self.row.len() >= LONGEST_ROW {
                return Err(JsonFault::TooLong);
            }
            self.row.push(byte);
        }
        Ok(())
    }

    fn end_row<E>(&mut self, each: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if !self.row.is_empty() {
            each(self.row.trim_ascii_end())?;
            self.row.clear();
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), JsonFault> {
        if !self.over {
            return Err(JsonFault::Truncated);
        }
        if self.found { Ok(()) } else { Err(JsonFault::NoRows) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl From<JsonFault> for String {
        fn from(fault: JsonFault) -> Self {
            fault.reason().to_owned()
        }
    }

    /// The rows of a text, cut into chunks of every length.
    fn rows(place: RowsPlace, text: &str) -> Result<Vec<String>, String> {
        let whole = cut(place, text, usize::MAX);
        for length in 1..text.len().min(12) {
            assert_eq!(cut(place, text, length), whole, "{text} in chunks of {length}");
        }
        whole
    }

    fn cut(place: RowsPlace, text: &str, length: usize) -> Result<Vec<String>, String> {
        let mut rows = RowCutter::new(place);
        let mut found = Vec::new();
        for chunk in text.as_bytes().chunks(length.min(text.len().max(1))) {
            rows.push(chunk, |row| {
                found.push(String::from_utf8(row.to_vec()).unwrap());
                Ok::<_, String>(())
            })?;
        }
        rows.finish()?;
        Ok(found)
    }

    const DATA: RowsPlace = RowsPlace::Member("data");

    #[test]
    fn rows_are_found_wherever_they_are() {
        for (text, expected) in [
            (r#"{"data": [{"a": 1}, {"b": [1, "],"]}]}"#, vec![r#"{"a": 1}"#, r#"{"b": [1, "],"]}"#]),
            (r#" {"meta": {"data": [9]}, "x": "data", "data":[ 1 , "two" ], "after": [{}]} "#, vec!["1", "\"two\""]),
            (r#"{"data": []}"#, vec![]),
            (r#"{"data\"": [5], "data": [{"q": "\\\""}]}"#, vec![r#"{"q": "\\\""}"#]),
        ] {
            assert_eq!(rows(DATA, text).unwrap(), expected, "{text}");
            let wrapped = serde_json::to_string(text).unwrap();
            assert_eq!(rows(DATA, &wrapped).unwrap(), expected, "JSON in JSON: {wrapped}");
        }
        assert_eq!(rows(RowsPlace::Root, "[{}, [1]]").unwrap(), ["{}", "[1]"]);
    }

    #[test]
    fn escaped_characters_are_unwrapped() {
        assert_eq!(rows(DATA, r#""{\"data\": [\"\u00e9\ud83d\ude00\\u00e9\"]}""#).unwrap(), ["\"é😀\\u00e9\""]);
    }

    #[test]
    fn other_texts_are_refused() {
        for (text, reason) in [
            ("{json:", "ce n'est pas du JSON"),
            ("", "elle s'arrête trop tôt"),
            ("null", "ce n'est pas du JSON"),
            (r#"{"data": [{"a": 1}"#, "elle s'arrête trop tôt"),
            (r#"{"data": [1}}"#, "ce n'est pas du JSON"),
            (r#"{"data": null}"#, "aucune liste de lignes"),
            (r#"{"rows": [1]}"#, "aucune liste de lignes"),
            (r#"{"data": [,1]}"#, "ce n'est pas du JSON"),
            (r#"{"data": []} x"#, "ce n'est pas du JSON"),
            (r#""{\"data\": []}" x"#, "ce n'est pas du JSON"),
            ("<html>", "ce n'est pas du JSON"),
        ] {
            assert_eq!(rows(DATA, text), Err(reason.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_row_has_a_greatest_length() {
        let text = format!(r#"{{"data": ["{}"]}}"#, "x".repeat(LONGEST_ROW));
        assert_eq!(cut(DATA, &text, 4_096), Err("une ligne dépasse 1 Mio".to_owned()));
    }
}
