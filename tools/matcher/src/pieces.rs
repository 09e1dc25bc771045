//! A file, cut into pieces of whole rows.

use anyhow::Context;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Bytes of a piece. A client that sends everything before it reads anything must not be answered more than buffers on
/// the way hold; and a piece is what is lost by a cut.
const PIECE: usize = 256 * 1024;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// CSV: every piece begins with the line of names.
    Csv,
    /// An object a line.
    Lines,
    /// An array: sent as objects a line.
    Array,
}

/// The form of a file, by its first letter.
pub fn form(path: &Path) -> anyhow::Result<Form> {
    let mut head = Vec::new();
    let file = std::fs::File::open(path).with_context(|| format!("{} ne s'ouvre pas", path.display()))?;
    file.take(4_096).read_to_end(&mut head)?;
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    Ok(match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => Form::Array,
        Some(b'{') => Form::Lines,
        _ => Form::Csv,
    })
}

/// A piece: its bytes, and how many bytes of the file end with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// What is sent.
    pub bytes: Vec<u8>,
    /// Where the file stands after it.
    pub until: u64,
}

/// Calls back with every piece, in order; stops where the call says so.
pub fn each(path: &Path, form: Form, mut call: impl FnMut(Piece) -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let open = || std::fs::File::open(path).with_context(|| format!("{} ne s'ouvre pas", path.display()));
    if form == Form::Array {
        let rows: Vec<Box<serde_json::value::RawValue>> = serde_json::from_reader(BufReader::new(open()?))
            .with_context(|| format!("{} n'est pas un tableau JSON", path.display()))?;
        let mut piece = Piece { bytes: Vec::new(), until: 0 };
        for row in rows {
            // A row that spans lines is one of them.
            piece.bytes.extend(row.get().bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
            piece.bytes.push(b'\n');
            piece.until += row.get().len() as u64 + 1;
            if piece.bytes.len() >= PIECE {
                let until = piece.until;
                if !call(std::mem::replace(&mut piece, Piece { bytes: Vec::new(), until }))? {
                    return Ok(());
                }
            }
        }
        if !piece.bytes.is_empty() {
            call(piece)?;
        }
        return Ok(());
    }
    let mut reader = BufReader::new(open()?);
    let mut names = Vec::new();
    let mut until = 0;
    if form == Form::Csv {
        until += row(&mut reader, true, &mut names)? as u64;
        if names.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"sep=")) {
            until += row(&mut reader, true, &mut names)? as u64;
        }
        if !names.ends_with(b"\n") {
            names.push(b'\n');
        }
    }
    let mut sent = false;
    loop {
        let mut bytes = names.clone();
        let mut last = false;
        while bytes.len() < PIECE + names.len() {
            let read = row(&mut reader, form == Form::Csv, &mut bytes)?;
            until += read as u64;
            if read == 0 {
                last = true;
                break;
            }
        }
        // A file of names only is sent all the same: the service says what is wrong with it, or that it is empty.
        if bytes.len() > names.len() || !sent {
            sent = true;
            if !call(Piece { bytes, until })? {
                return Ok(());
            }
        }
        if last {
            return Ok(());
        }
    }
}

/// Reads a row, its line end included; in CSV a line end between quotes is none.
fn row(reader: &mut impl BufRead, quoted: bool, to: &mut Vec<u8>) -> std::io::Result<usize> {
    let (mut read, mut open) = (0, false);
    loop {
        let start = to.len();
        let line = reader.read_until(b'\n', to)?;
        read += line;
        let quotes = to.get(start..).unwrap_or_default().iter().filter(|byte| **byte == b'"').count();
        open ^= quoted && quotes % 2 == 1;
        if line == 0 || !open {
            return Ok(read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        let path = std::env::temp_dir().join(format!("matcher-{}-{}", std::process::id(), text.len()));
        std::fs::write(&path, text).unwrap();
        let mut pieces = Vec::new();
        let form = form(&path).unwrap();
        each(&path, form, |piece| {
            pieces.push(String::from_utf8(piece.bytes).unwrap());
            Ok(true)
        })
        .unwrap();
        std::fs::remove_file(&path).unwrap();
        pieces
    }

    #[test]
    fn pieces_hold_whole_rows_and_the_names() {
        let cell = "x".repeat(100_000);
        let text = format!("A;B\r\n1;\"a\nb\"\r\n2;{cell}\r\n3;{cell}\r\n4;{cell}\r\n5;fin");
        let pieces = pieces(&text);
        assert_eq!(pieces.len(), 2);
        assert!(pieces.iter().all(|piece| piece.starts_with("A;B\r\n")));
        assert_eq!(pieces.iter().map(|piece| &piece[5..]).collect::<String>(), text[5..]);
    }

    #[test]
    fn arrays_become_lines_and_an_empty_file_is_one_piece() {
        assert_eq!(pieces("[{\"a\": 1},\n {\"a\":\n 2}]"), ["{\"a\": 1}\n{\"a\":  2}\n"]);
        assert_eq!(pieces("{\"a\": 1}\n{\"a\": 2}"), ["{\"a\": 1}\n{\"a\": 2}"]);
        assert_eq!(pieces("A;B"), ["A;B\n"]);
        assert_eq!(pieces(""), ["\n"]);
    }
}
