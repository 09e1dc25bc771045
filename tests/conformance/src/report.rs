//! Counts, failures to read, and the floor that only rises.

use crate::case::{Case, CaseFile};
use crate::play::Outcome;
use anyhow::Context;
use serde_json::{Map, Value};
use std::fmt::Write;
use std::path::PathBuf;

/// Failures that are printed unless all are asked for.
const FAILURES_SHOWN: usize = 15;
/// Differences that are printed of each.
const DIFFERENCES_SHOWN: usize = 6;
/// Characters of a difference that are printed.
const LINE: usize = 400;

/// What came of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Count {
    /// The file's name.
    pub file: String,
    /// Cases that pass, deviations among them.
    pub passed: u64,
    /// Cases that do not.
    pub failed: u64,
    /// Cases that are marked as deviations, played like the others.
    pub deviations: u64,
    /// Faults of a 400 whose text is the recorded one.
    pub texts_equal: u64,
    /// Faults of a 400 whose text is another.
    pub texts_other: u64,
}

/// Counts what came of each file.
#[must_use]
pub fn count(files: &[CaseFile], outcomes: &[Outcome]) -> Vec<Count> {
    let mut counts: Vec<Count> = files.iter().map(|file| Count { file: file.name(), ..Count::default() }).collect();
    for outcome in outcomes {
        let Some(count) = counts.get_mut(outcome.file) else { continue };
        let deviates = case(files, outcome).is_some_and(|case| !case.deviation.is_empty());
        if outcome.findings.differences.is_empty() {
            count.passed += 1;
        } else {
            count.failed += 1;
        }
        count.deviations += u64::from(deviates);
        count.texts_equal += outcome.findings.texts_equal as u64;
        count.texts_other += outcome.findings.texts_other.len() as u64;
    }
    counts
}

fn case<'f>(files: &'f [CaseFile], outcome: &Outcome) -> Option<&'f Case> {
    files.get(outcome.file)?.cases.get(outcome.case)
}

/// The table of all files.
#[must_use]
pub fn table(counts: &[Count]) -> String {
    let mut total = Count { file: "total".to_owned(), ..Count::default() };
    for count in counts {
        total.passed += count.passed;
        total.failed += count.failed;
        total.deviations += count.deviations;
        total.texts_equal += count.texts_equal;
        total.texts_other += count.texts_other;
    }
    let mut text = format!(
        "{:<28} {:>6} {:>6} {:>10} {:>13} {:>13}\n",
        "file", "passed", "failed", "deviations", "clock skipped", "400 texts"
    );
    for count in counts.iter().chain([&total]) {
        let texts = format!("{}/{}", count.texts_equal, count.texts_equal + count.texts_other);
        // The clock is fixed for each case, so none is skipped.
        let _ = writeln!(
            text,
            "{:<28} {:>6} {:>6} {:>10} {:>13} {:>13}",
            count.file, count.passed, count.failed, count.deviations, 0, texts
        );
    }
    text
}

/// The failures, one after the other.
#[must_use]
pub fn failures(files: &[CaseFile], outcomes: &[Outcome], verbose: bool) -> String {
    let mut text = String::new();
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.findings.differences.is_empty()).collect();
    let shown = if verbose { usize::MAX } else { FAILURES_SHOWN };
    for outcome in failed.iter().take(shown) {
        let (Some(file), Some(case)) = (files.get(outcome.file), case(files, outcome)) else { continue };
        let marks = case.deviation.join(", ");
        let marks = if marks.is_empty() { marks } else { format!(" ({marks})") };
        let request = &case.request;
        let _ = writeln!(text, "\n{} {}{marks}: {} {}", file.name(), case.id, request.method, request.path_with_query);
        let shown = if verbose { usize::MAX } else { DIFFERENCES_SHOWN };
        let differences = &outcome.findings.differences;
        for difference in differences.iter().take(shown) {
            let _ = writeln!(text, "    {}", if verbose { difference.clone() } else { short(difference) });
        }
        if differences.len() > shown {
            let _ = writeln!(text, "    … and {} more", differences.len() - shown);
        }
    }
    if failed.len() > shown {
        let _ = writeln!(text, "\n… and {} more failures (--verbose shows all)", failed.len() - shown);
    }
    if verbose {
        let mut others: Vec<&String> = outcomes.iter().flat_map(|outcome| &outcome.findings.texts_other).collect();
        others.sort();
        others.dedup();
        for other in others {
            let _ = writeln!(text, "400 text: {other}");
        }
    }
    text
}

fn short(line: &str) -> String {
    match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

/// The floor: how many cases of each file must pass. Of a file that it does not name, or that is shorter, all.
#[derive(Debug, Default)]
pub struct Floor(Map<String, Value>);

impl Floor {
    fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("floor.json")
    }

    /// Reads it.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read() -> anyhow::Result<Self> {
        let path = Self::path();
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Self(serde_json::from_str(&text).with_context(|| path.display().to_string())?))
    }

    /// What falls below it.
    #[must_use]
    pub fn fallen(&self, counts: &[Count]) -> Vec<String> {
        let below = |count: &Count| {
            let all = count.passed + count.failed;
            let floor = self.0.get(&count.file).and_then(Value::as_u64).unwrap_or(all).min(all);
            (count.passed < floor)
                .then(|| format!("{}: {} of {all} pass, the floor is {floor}", count.file, count.passed))
        };
        counts.iter().filter_map(below).collect()
    }

    /// Writes higher counts into it; lower ones change nothing.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn raise(mut self, counts: &[Count]) -> anyhow::Result<()> {
        for count in counts {
            let old = self.0.get(&count.file).and_then(Value::as_u64).unwrap_or(0);
            self.0.insert(count.file.clone(), count.passed.max(old).into());
        }
        std::fs::write(Self::path(), serde_json::to_string_pretty(&self.0)? + "\n")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_holds_known_files_to_their_count_and_others_to_all() {
        let floor = Floor(Map::from_iter([("known.json".to_owned(), 3.into())]));
        let count = |file: &str, passed, failed| Count { file: file.to_owned(), passed, failed, ..Count::default() };
        assert!(floor.fallen(&[count("known.json", 3, 1), count("new.json", 2, 0)]).is_empty());
        assert!(floor.fallen(&[count("known.json", 2, 0)]).is_empty());
        assert_eq!(floor.fallen(&[count("known.json", 2, 2), count("new.json", 2, 1)]).len(), 2);
    }
}
