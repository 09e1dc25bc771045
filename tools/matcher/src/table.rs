//! The sums of an answer, for the eye.

use crate::pieces::Form;
use anyhow::Context;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Rows by reason and by source.
#[derive(Debug, Default)]
pub struct Table {
    rows: u64,
    reasons: BTreeMap<String, u64>,
    sources: BTreeMap<String, u64>,
}

impl Table {
    /// Counts the rows of an answer.
    pub fn read(&mut self, path: &Path, form: Form) -> anyhow::Result<()> {
        let file = std::fs::File::open(path).with_context(|| format!("{} ne s'ouvre pas", path.display()))?;
        if form != Form::Csv {
            for line in BufReader::new(file).lines() {
                let row: Value = serde_json::from_str(&line?).context("la réponse n'est pas du NDJSON")?;
                let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                self.count(&text("raison"), &text("source"), &text("forme"), &text("anciennete"));
            }
            return Ok(());
        }
        let mut start = Vec::new();
        BufReader::new(&file).take(1 << 20).read_until(b'\n', &mut start)?;
        let delimiter = if start.contains(&b';') { b';' } else { b',' };
        let file = std::fs::File::open(path)?;
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(BufReader::new(file));
        let names = reader.byte_headers()?.clone();
        // Ours stand last, whatever columns the catalogue has.
        let place = |name: &str| names.iter().rposition(|one| one == name.as_bytes());
        let places = ["raison", "source", "forme", "anciennete"].map(place);
        for record in reader.byte_records() {
            let record = record?;
            let cell = |place: Option<usize>| {
                place.and_then(|place| record.get(place)).map(|cell| String::from_utf8_lossy(cell).into_owned())
            };
            let [reason, source, form, level] = places.map(|place| cell(place).unwrap_or_default());
            self.count(&reason, &source, &form, &level);
        }
        Ok(())
    }

    fn count(&mut self, reason: &str, source: &str, form: &str, level: &str) {
        self.rows += 1;
        *self.reasons.entry(reason.to_owned()).or_default() += 1;
        if matches!(reason, "couvert" | "sous_seuil") {
            *self.sources.entry(format!("{source} {form} {level}")).or_default() += 1;
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, count: u64| {
            #[expect(clippy::cast_precision_loss, reason = "a share for the eye")]
            let share = count as f64 * 100.0 / self.rows.max(1) as f64;
            writeln!(f, "{name:<34} {count:>8}  {share:>5.1} %")
        };
        let mut reasons: Vec<(&String, &u64)> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (reason, count) in reasons {
            line(reason, *count)?;
        }
        line("total", self.rows)?;
        for (source, count) in &self.sources {
            line(&format!("  par {source}"), *count)?;
        }
        Ok(())
    }
}
