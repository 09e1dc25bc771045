//! Where documents came from: the push, the file and the line of each, found by its rank.
//!
//! A document keeps the rank of its push for as long as it is carried over. So a table of pushes and parts, small beside the
//! documents, leads from a rank back to a line.

use domain::Kind;
use serde::{Deserialize, Serialize};

/// Changes of distance between ranks and lines that are kept of a part; beyond, lines are those of the last one.
const STEPS_MAX: usize = 500;
/// Parts that a generation remembers; the oldest pushes are forgotten first.
const PARTS_KEPT: usize = 3_000;

/// Which line of a part each of its documents came in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinesOf(Vec<(u64, u64)>);

impl LinesOf {
    /// Whether documents of a kind have a rank.
    pub(super) fn counts(kind: Kind) -> bool {
        !matches!(kind, Kind::User | Kind::Maille)
    }

    /// The next document, of this rank in its part, came in this line.
    pub(super) fn add(&mut self, rank: u64, line: u64) {
        let expected = self.line(rank);
        if expected != Some(line) && self.0.len() < STEPS_MAX {
            self.0.push((rank, line));
        }
    }

    fn line(&self, rank: u64) -> Option<u64> {
        let (from, line) = self.0.iter().rev().find(|(from, _)| *from <= rank)?;
        Some(line + (rank - from))
    }
}

/// A part of a push.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartOrigin {
    /// The rank of its first document.
    #[serde(rename = "rang")]
    pub first: u64,
    /// Its number in the push.
    #[serde(rename = "partie")]
    pub part: usize,
    /// The file it was cut from, as its sender named it.
    #[serde(rename = "fichier", default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The number of its first line in that file.
    #[serde(rename = "premiere_ligne", default)]
    pub first_line: u64,
    /// Which line each document came in.
    #[serde(rename = "lignes")]
    pub lines: LinesOf,
}

/// A push, or the publication of a pull.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The job.
    #[serde(rename = "travail")]
    pub job: String,
    /// When it was opened, in milliseconds since 1970.
    #[serde(rename = "ouvert_ms")]
    pub opened_ms: i64,
    /// Whether a pull made it.
    #[serde(rename = "collecte", default, skip_serializing_if = "std::ops::Not::not")]
    pub run: bool,
    /// The rank of its first document.
    #[serde(rename = "rang")]
    pub first: u64,
    /// Its parts.
    #[serde(rename = "parties")]
    pub parts: Vec<PartOrigin>,
}

/// The pushes that the documents of a generation come from, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origins(pub Vec<Push>);

/// Where one document came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DocumentOrigin {
    /// The job.
    #[serde(rename = "travail")]
    pub job: String,
    /// When it was opened, in milliseconds since 1970.
    #[serde(rename = "ouvert_ms")]
    pub opened_ms: i64,
    /// Whether a pull made it.
    #[serde(rename = "collecte")]
    pub run: bool,
    /// The part.
    #[serde(rename = "partie")]
    pub part: usize,
    /// The file, where its sender named it.
    #[serde(rename = "fichier", skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The line, in the file where it is named, else in the part.
    #[serde(rename = "ligne")]
    pub line: u64,
}

impl DocumentOrigin {
    /// File and line, in words.
    #[must_use]
    pub fn place(&self) -> String {
        if self.file.is_empty() {
            format!("partie {}, ligne {}", self.part, self.line)
        } else {
            format!("{}:{}", self.file, self.line)
        }
    }
}

impl Origins {
    /// Adds a part of a push; the push is the last one, or begins with it.
    pub(super) fn add(&mut self, push: Push, part: PartOrigin) {
        if self.0.last().is_none_or(|last| last.job != push.job) {
            self.0.push(push);
        }
        if let Some(last) = self.0.last_mut() {
            last.parts.push(part);
        }
    }

    /// Forgets the oldest pushes, where there are too many.
    pub(super) fn forget(&mut self) {
        let mut parts = 0;
        let kept = self.0.iter().rev().take_while(|push| {
            parts += push.parts.len();
            parts <= PARTS_KEPT
        });
        let kept = kept.count().max(1);
        self.0.drain(..self.0.len().saturating_sub(kept));
    }

    /// Where the document of a rank came from; `None` where it is forgotten.
    #[must_use]
    pub fn find(&self, sequence: u64) -> Option<DocumentOrigin> {
        let push = self.0.iter().rev().find(|push| push.first <= sequence)?;
        let part = push.parts.iter().rev().find(|part| part.first <= sequence)?;
        let line = part.lines.line(sequence - part.first)?;
        Some(DocumentOrigin {
            job: push.job.clone(),
            opened_ms: push.opened_ms,
            run: push.run,
            part: part.part,
            file: part.file.clone(),
            line: part.first_line.max(1) - 1 + line,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_leads_back_to_its_push_its_file_and_its_line() {
        let mut lines = LinesOf::default();
        // The third line was refused, the fifth is empty.
        for (rank, line) in [1, 2, 4, 6, 7].into_iter().enumerate() {
            lines.add(rank as u64, line);
        }
        assert_eq!(lines.0.len(), 3);
        let part = |first, part, file: &str| PartOrigin {
            first,
            part,
            file: file.into(),
            first_line: 101,
            lines: lines.clone(),
        };
        let push = |job: &str, first| Push { job: job.into(), first, ..Push::default() };
        let mut origins = Origins::default();
        origins.add(push("a", 0), part(0, 0, ""));
        origins.add(push("b", 5), part(5, 0, "pro.ndjson"));
        origins.add(push("b", 5), part(10, 1, "pro.ndjson"));
        let found = |sequence| origins.find(sequence).map(|origin| (origin.job.clone(), origin.place()));
        assert_eq!(found(2), Some(("a".into(), "partie 0, ligne 104".into())));
        assert_eq!(found(5), Some(("b".into(), "pro.ndjson:101".into())));
        assert_eq!(found(13), Some(("b".into(), "pro.ndjson:106".into())));
        let mut many = Origins(vec![Push { parts: vec![PartOrigin::default(); 2_000], ..push("x", 0) }; 3]);
        many.forget();
        assert_eq!(many.0.len(), 1);
        assert_eq!(many.find(7), None);
    }
}
