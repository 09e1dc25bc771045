//! Answers, as CSV or as an object a line.

use super::header::{FileHeader, Record};
use super::{Legibility, Line};
use crate::answer::{Blocks, RowAnswer, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// CSV with the separator of the file that was read, `;` for JSON. The columns are those of its first row: what
    /// an object has beyond them is left out.
    Csv,
    /// An object a line. Objects come back as they were written, ours behind.
    Ndjson,
}

/// Writes answers, row by row: the row as it came, then our columns.
#[derive(Debug)]
pub struct AnswerWriter {
    output: Output,
    blocks: Blocks,
    retained_only: bool,
    /// The columns of CSV: those of the first row.
    columns: Option<Arc<FileHeader>>,
    /// Our names beside the columns of the latest row.
    names: Option<(Arc<FileHeader>, ColumnNames)>,
}

#[derive(Clone, Debug)]
struct ColumnNames {
    theirs: Vec<String>,
    ours: Vec<String>,
}

impl AnswerWriter {
    /// A writer of these blocks.
    #[must_use]
    pub fn new(output: Output, blocks: Blocks) -> Self {
        Self { output, blocks, retained_only: false, columns: None, names: None }
    }

    /// Hands back the key and our columns only (`colonnes=retenues`).
    #[must_use]
    pub fn retained_only(mut self) -> Self {
        self.retained_only = true;
        self
    }

    /// The line of names, for a CSV answer; written by the first row where it was not asked for before.
    pub fn start(&mut self, header: &Arc<FileHeader>, to: &mut Vec<u8>) {
        if self.output != Output::Csv || self.columns.is_some() {
            return;
        }
        self.columns = Some(Arc::clone(header));
        if header.byte_order_mark {
            to.extend_from_slice(b"\xef\xbb\xbf");
        }
        let names = self.names_beside(header).clone();
        let theirs: Vec<&str> = if self.retained_only {
            vec![header.key_name()]
        } else {
            header.names().iter().map(String::as_str).collect()
        };
        csv_line(header.delimiter, theirs.into_iter().chain(names.ours.iter().map(String::as_str)), to);
    }

    /// A row and its answer. A row that could not be read is answered as such, whatever the answer given.
    pub fn line(&mut self, line: &Line, answer: &RowAnswer, to: &mut Vec<u8>) {
        let unreadable = match &line.content {
            Legibility::Row => None,
            Legibility::Unreadable(why) => Some(RowAnswer::unreadable(why)),
            Legibility::TooLong => Some(RowAnswer::unreadable("plus de 64 Kio")),
        };
        let values = unreadable.as_ref().unwrap_or(answer).values(self.blocks);
        self.start(&line.record.header, to);
        match self.output {
            Output::Csv => self.csv(&line.record, &values, to),
            Output::Ndjson => self.ndjson(&line.record, &values, to),
        }
    }

    /// The last line of an answer that ends before the file does: where to take it up again.
    ///
    /// Source: contract, "Routes".
    pub fn continuation(&self, number: u64, generation: &str, to: &mut Vec<u8>) {
        if self.output == Output::Csv {
            let delimiter = self.columns.as_ref().map_or(b';', |header| header.delimiter);
            csv_line(delimiter, ["#suite", &number.to_string(), generation].into_iter(), to);
        } else {
            let line = serde_json::json!({"suite": {"ligne": number, "generation": generation}});
            to.extend_from_slice(line.to_string().as_bytes());
            to.push(b'\n');
        }
    }

    fn csv(&self, record: &Record, values: &[Value], to: &mut Vec<u8>) {
        let columns = self.columns.as_ref().unwrap_or(&record.header);
        let same = Arc::ptr_eq(columns, &record.header);
        let named = |name: &String| {
            let place = record.header.names().iter().position(|one| one == name);
            place.and_then(|place| record.cells.get(place)).map_or("", String::as_str)
        };
        let theirs: Vec<&str> = if self.retained_only {
            vec![record.row().key]
        } else if same {
            record.cells.iter().map(String::as_str).collect()
        } else {
            columns.names().iter().map(named).collect()
        };
        let ours: Vec<String> = values.iter().map(text).collect();
        csv_line(columns.delimiter, theirs.into_iter().chain(ours.iter().map(String::as_str)), to);
    }

    fn ndjson(&mut self, record: &Record, values: &[Value], to: &mut Vec<u8>) {
        let names = self.names_beside(&record.header).clone();
        to.push(b'{');
        let mut first = true;
        match &record.object {
            Some(object) if !self.retained_only => {
                let inner = object.trim().trim_start_matches('{');
                let inner = inner.strip_suffix('}').unwrap_or(inner).trim();
                to.extend_from_slice(inner.as_bytes());
                first = inner.is_empty();
            }
            _ if self.retained_only => {
                member(&mut first, record.header.key_name(), &record.row().key.into(), to);
            }
            _ => {
                for (name, cell) in names.theirs.iter().zip(&record.cells) {
                    member(&mut first, name, &cell.as_str().into(), to);
                }
            }
        }
        for (name, value) in names.ours.iter().zip(values) {
            member(&mut first, name, &value.to_json(), to);
        }
        to.extend_from_slice(b"}\n");
    }

    /// The names beside these columns. Ours get a suffix where theirs are the same; theirs are told apart where a file
    /// has one twice, as members of an object.
    fn names_beside(&mut self, header: &Arc<FileHeader>) -> &ColumnNames {
        let known = self.names.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, header));
        if !known {
            self.names = None;
        }
        let (blocks, retained_only) = (self.blocks, self.retained_only);
        let make = || {
            let mut taken: HashSet<String> = HashSet::new();
            let theirs = header.names().iter().map(|name| free(name, "", &mut taken)).collect();
            if retained_only {
                taken = HashSet::from([header.key_name().to_owned()]);
            }
            let ours = blocks.columns().iter().map(|name| free(name, "_appariement", &mut taken)).collect();
            (Arc::clone(header), ColumnNames { theirs, ours })
        };
        &self.names.get_or_insert_with(make).1
    }
}

/// The first name that is free: itself, with the suffix, with a number behind.
fn free(name: &str, suffix: &str, taken: &mut HashSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 1_u32;
    while taken.contains(&candidate) {
        candidate = if number == 1 && !suffix.is_empty() {
            format!("{name}{suffix}")
        } else {
            format!("{name}{suffix}_{}", number.max(2))
        };
        number = number.saturating_add(1);
    }
    taken.insert(candidate.clone());
    candidate
}

fn member(first: &mut bool, name: &str, value: &serde_json::Value, to: &mut Vec<u8>) {
    if !std::mem::take(first) {
        to.push(b',');
    }
    to.extend_from_slice(serde_json::Value::from(name).to_string().as_bytes());
    to.push(b':');
    to.extend_from_slice(value.to_string().as_bytes());
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Absent => String::new(),
    }
}

/// A line of CSV. Cells are quoted where they have to be, and otherwise written byte for byte.
fn csv_line<'a>(delimiter: u8, cells: impl Iterator<Item = &'a str>, to: &mut Vec<u8>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            to.push(delimiter);
        }
        let special = |byte: u8| byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n');
        if cell.bytes().any(special) {
            to.push(b'"');
            for byte in cell.bytes() {
                if byte == b'"' {
                    to.push(b'"');
                }
                to.push(byte);
            }
            to.push(b'"');
        } else {
            to.extend_from_slice(cell.as_bytes());
        }
    }
    to.push(b'\n');
}
