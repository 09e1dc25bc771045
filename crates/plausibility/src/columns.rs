//! Whole columns: a unit that changed shows in the mean of many documents, not in one.

use domain::Document;
use domain::indicator::{HEADCOUNTS, RATES, WAGES};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Documents that a mean needs before it says something.
const DOCUMENTS_MIN: u64 = 50;
/// A mean that is this many times larger or smaller has changed its scale.
const FACTOR: f64 = 4.0;

/// How many documents have a value in a column, and the sum of their values. Only what is published is added, and nobody
/// reads it but the next publication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnSum(u64, f64);

impl ColumnSum {
    fn mean(self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts of documents are far below 2^53")]
        (self.0 >= DOCUMENTS_MIN).then(|| self.1 / self.0 as f64)
    }
}

/// The columns of a generation: by maille, by millesime, by field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Columns(pub BTreeMap<String, BTreeMap<String, BTreeMap<String, ColumnSum>>>);

impl Columns {
    /// Adds the values of a published document.
    pub fn add(&mut self, maille: &str, millesime: &str, document: &Document) {
        let by_millesime = self.0.entry(maille.to_owned()).or_default();
        let columns = by_millesime.entry(millesime.to_owned()).or_default();
        for field in HEADCOUNTS.iter().chain(&RATES).chain(&WAGES) {
            if let Some(value) = document.get(*field).and_then(Value::as_f64) {
                // Known by reference first: a name is only copied once.
                let column = match columns.get_mut(*field) {
                    Some(column) => column,
                    None => columns.entry((*field).to_owned()).or_default(),
                };
                column.0 += 1;
                column.1 += value;
            }
        }
    }

    /// The columns to compare with those of a millesime: its own, else those of the latest one before it.
    fn before(&self, maille: &str, millesime: &str) -> Option<&BTreeMap<String, ColumnSum>> {
        let by_millesime = self.0.get(maille)?;
        by_millesime.get(millesime).or_else(|| by_millesime.range(..millesime.to_owned()).next_back().map(|(_, c)| c))
    }
}

/// Columns whose mean is several times larger or smaller than before: maille, millesime, field and the factor, in words.
/// No mean is told.
#[must_use]
pub fn changed_scale(before: &Columns, after: &Columns) -> Vec<String> {
    let mut changed = Vec::new();
    for (maille, by_millesime) in &after.0 {
        for (millesime, columns) in by_millesime {
            let Some(old) = before.before(maille, millesime) else { continue };
            for (field, column) in columns {
                let means = old.get(field).and_then(|old| old.mean()).zip(column.mean());
                let Some((old, new)) = means.filter(|(old, new)| *old > 0.0 && *new > 0.0) else { continue };
                let (factor, way) = if new > old { (new / old, "multipliée") } else { (old / new, "divisée") };
                if factor >= FACTOR {
                    changed.push(format!(
                        "{maille} {millesime}, {field} : la moyenne de la colonne est {way} par {} environ",
                        rounded(factor)
                    ));
                }
            }
        }
    }
    changed
}

/// 1, 2 or 5 times a power of ten: the order of magnitude, and no more.
fn rounded(factor: f64) -> String {
    let steps = [5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0];
    let nearest = steps.into_iter().min_by(|a, b| (a / factor).ln().abs().total_cmp(&(b / factor).ln().abs()));
    nearest.filter(|_| factor < 1_500.0).map_or_else(|| "plus de 1 000".to_owned(), |step| step.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn columns(millesime: &str, n: u64, rate: f64, size: u64) -> Columns {
        let mut columns = Columns::default();
        for _ in 0..n {
            let document = json!({"taux_en_formation": rate, "nb_annee_term": size, "libelle": "x"});
            columns.add("formations", millesime, document.as_object().unwrap());
        }
        columns
    }

    #[test]
    fn a_column_that_changed_its_unit_is_named_with_the_order_of_magnitude() {
        let before = columns("2021_2022", 60, 45.0, 30);
        for (after, expected) in [
            (
                columns("2022_2023", 60, 0.46, 31),
                Some("2022_2023, taux_en_formation : la moyenne de la colonne est divisée par 100 environ"),
            ),
            (
                columns("2021_2022", 60, 45.0, 300),
                Some("nb_annee_term : la moyenne de la colonne est multipliée par 10 environ"),
            ),
            (columns("2022_2023", 60, 70.0, 60), None),
            (columns("2022_2023", 40, 0.46, 31), None),
            (columns("2020_2021", 60, 0.46, 31), None),
        ] {
            let changed = changed_scale(&before, &after);
            assert_eq!(changed.is_empty(), expected.is_none(), "{changed:?}");
            assert!(expected.is_none_or(|said| changed[0].contains(said)), "{changed:?}");
        }
    }
}
