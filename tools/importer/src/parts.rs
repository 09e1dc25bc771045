//! Files cut into parts at line ends. Nothing is kept but where each part lies and its digest.

use crate::files::Source;
use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// Bytes of a part: half of what the service takes, so that a repeated one costs little.
const PART: u64 = 4 * 1024 * 1024;
/// The longest line that the service takes, in bytes.
const LINE: usize = 1024 * 1024;

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The file.
    pub file: PathBuf,
    /// What its sender calls it.
    pub name: String,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
    /// The number of its first line in the file, from 1.
    pub first_line: usize,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
}

impl Part {
    /// Its bytes, which must be what was seen when the file was cut.
    pub fn read(&self) -> anyhow::Result<Vec<u8>> {
        let name = || self.name.clone();
        let mut file = File::open(&self.file).with_context(name)?;
        file.seek(SeekFrom::Start(self.offset)).with_context(name)?;
        let mut bytes = Vec::new();
        file.take(self.length).read_to_end(&mut bytes).with_context(name)?;
        ensure!(Sha256::digest(&bytes).as_slice() == self.digest, "{} a changé pendant l'envoi", name());
        Ok(bytes)
    }

    /// `file:line` of a line of this part, counted from 1.
    pub fn place(&self, line: usize) -> String {
        format!("{}:{}", self.name, self.first_line + line.saturating_sub(1))
    }
}

/// Cuts files; each begins a part of its own.
pub fn cut(files: &[Source]) -> anyhow::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for file in files {
        cut_file(file, PART, &mut parts).with_context(|| file.name.clone())?;
    }
    ensure!(!parts.is_empty(), "les fichiers sont vides");
    Ok(parts)
}

fn cut_file(source: &Source, size: u64, parts: &mut Vec<Part>) -> anyhow::Result<()> {
    let mut reader = BufReader::new(File::open(&source.path)?);
    let new = |offset, first_line| (Sha256::new(), offset, 0u64, first_line);
    let (mut digest, mut offset, mut length, mut first_line) = new(0, 1 + source.heading);
    let mut line = Vec::new();
    let mut number = source.heading;
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        let over = length + u64::try_from(read)? > size;
        if length > 0 && (read == 0 || over) {
            let digest = std::mem::take(&mut digest).finalize().into();
            parts.push(Part {
                file: source.path.clone(),
                name: source.name.clone(),
                offset,
                length,
                first_line,
                digest,
            });
            (_, offset, length, first_line) = new(offset + length, number + 1);
        }
        if read == 0 {
            return Ok(());
        }
        number += 1;
        let bare = line.strip_suffix(b"\n").unwrap_or(&line);
        ensure!(bare.len() <= LINE, "la ligne {number} dépasse 1 Mio");
        digest.update(&line);
        length += u64::try_from(read)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_end_at_line_ends_and_make_up_the_file() {
        let path = std::env::temp_dir().join(format!("parts-{}.ndjson", std::process::id()));
        let source = Source { path: path.clone(), name: "envoi.ndjson".into(), heading: 0 };
        for (text, size, expected) in [
            ("aa\nbb\ncc\n", 6, &["aa\nbb\n", "cc\n"][..]),
            ("aa\nbb\ncc", 3, &["aa\n", "bb\n", "cc"]),
            ("a-long-line\nb\n", 3, &["a-long-line\n", "b\n"]),
            ("\n\n", 10, &["\n\n"]),
            ("", 10, &[]),
        ] {
            std::fs::write(&path, text).unwrap();
            let mut parts = Vec::new();
            cut_file(&source, size, &mut parts).unwrap();
            let read: Vec<String> = parts.iter().map(|part| String::from_utf8(part.read().unwrap()).unwrap()).collect();
            assert_eq!(read, expected, "{text:?}");
            if let Some(last) = parts.last() {
                let line = text.lines().count();
                assert!(last.place(line - last.first_line + 1).ends_with(&format!(":{line}")));
            }
        }
        std::fs::write(&path, "x".repeat(LINE + 1)).unwrap();
        assert!(cut_file(&source, PART, &mut Vec::new()).unwrap_err().to_string().contains("la ligne 1"));
        std::fs::remove_file(&path).unwrap();
    }
}
