//! All that was told of the lines of a part: a file for whoever sent it.

use crate::lines::{RefusedLine, ValidLine};
use crate::writer::Writer;
use plausibility::Severity;
use std::fmt::Write as _;
use store::Shelf;
use store::fold::{fold, unfold};
use store::kv::{KeyValue, KeyValueWrite, StoreError};

/// Lines of the file that are kept, a part; beyond, only their number is told.
const LINES_MAX: usize = 20_000;
/// Bytes of a value, unfolded.
const PIECE: usize = 512 * 1024;
/// Bytes of a sentence.
const SENTENCE_MAX: usize = 1_200;

/// The file as it is written.
pub(super) struct Told {
    family: String,
    part: usize,
    piece: String,
    pieces: usize,
    lines: usize,
    beyond: usize,
}

impl Told {
    /// For a part whose pieces lie in a family.
    pub(super) fn new(part_family: &str, part: usize) -> Self {
        let family = Self::family(part_family);
        Self { family, part, piece: String::new(), pieces: 0, lines: 0, beyond: 0 }
    }

    /// Where it lies, beside the pieces of its part.
    pub(super) fn family(part_family: &str) -> String {
        part_family.replacen("part.", "dits.", 1)
    }

    /// Adds what is told of a line.
    pub(super) async fn put<K: KeyValueWrite>(
        &mut self,
        writer: &mut Writer<'_, K>,
        line: usize,
        read: &Result<ValidLine, RefusedLine>,
    ) -> Result<(), StoreError> {
        match read {
            Err(refusal) => self.row(line, "refusée", &refusal.0),
            Ok(valid) => {
                for finding in &valid.findings {
                    let outcome = if finding.level == Severity::Noted { "notée" } else { "à confirmer" };
                    self.row(line, outcome, &finding.message());
                }
            }
        }
        if self.piece.len() >= PIECE { self.write(writer).await } else { Ok(()) }
    }

    fn row(&mut self, line: usize, outcome: &str, sentence: &str) {
        if self.lines >= LINES_MAX {
            self.beyond += 1;
            return;
        }
        self.lines += 1;
        let sentence = crate::short::short(sentence, SENTENCE_MAX).replace('"', "\"\"").replace(['\r', '\n'], " ");
        // A spreadsheet takes what begins with a sign for a formula.
        let guard = if sentence.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
        let _ = writeln!(self.piece, "{};{line};{outcome};\"{guard}{sentence}\"", self.part);
    }

    async fn write<K: KeyValueWrite>(&mut self, writer: &mut Writer<'_, K>) -> Result<(), StoreError> {
        let piece = std::mem::take(&mut self.piece);
        writer.put(&self.family, self.pieces, fold(piece.as_bytes())).await?;
        self.pieces += 1;
        Ok(())
    }

    /// Writes the rest: how many values it lies in.
    pub(super) async fn end<K: KeyValueWrite>(mut self, writer: &mut Writer<'_, K>) -> Result<usize, StoreError> {
        if self.beyond > 0 {
            let _ = writeln!(self.piece, "{};;;\"et {} autres, non gardées\"", self.part, self.beyond);
        }
        if !self.piece.is_empty() {
            self.write(writer).await?;
        }
        Ok(self.pieces)
    }

    /// The file, with its heading.
    pub(super) async fn read<K: KeyValue>(
        kv: &K,
        prefix: &str,
        family: &str,
        pieces: usize,
    ) -> Result<Vec<u8>, StoreError> {
        let mut file = "partie;ligne;suite;explication\n".as_bytes().to_vec();
        for n in 0..pieces {
            let value = Shelf::own(prefix).get(kv, family, n).await?;
            let piece = unfold(value.content()?).ok_or_else(|| value.damaged())?;
            file.extend_from_slice(&piece);
        }
        Ok(file)
    }
}
