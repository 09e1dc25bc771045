//! Sums over the answers of a catalogue. Every sum adds up: a row is counted once, under its one reason.

use crate::answer::RowAnswer;
use crate::nomenclatures::CodeSource;
use crate::reason::Reason;
use crate::resolution::{Form, Level};
use crate::row::{FormationRow, Voie};
use std::collections::BTreeMap;

/// As many types of diploma are told apart; the rest is pooled, so that memory stays bounded.
pub const MOST_TYPES: usize = 500;

/// The name of the pool.
pub const OTHER_TYPES: &str = "autres types";

/// Rows, and the demands for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Rows.
    pub rows: u64,
    /// Demands, 0 where the catalogue has none.
    pub demands: u64,
}

impl Count {
    /// Adds another count.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, demands: self.demands + other.demands }
    }
}

/// What a row is counted under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// LIBFORMATION.
    pub diploma_type: String,
    /// Its voie, where it tells one.
    pub voie: Option<Voie>,
    /// Whether the campaign counts it in; `None` where nobody said.
    pub in_scope: Option<bool>,
    /// Its reason.
    pub reason: Reason,
    /// By which identifier its code was found, in which form, at which level.
    pub path: Option<(CodeSource, Form, Level)>,
}

/// Counts rows by everything a summary tells.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    cells: BTreeMap<Key, Count>,
    types: BTreeMap<String, ()>,
}

impl Summary {
    /// Counts a row. `in_scope` is what the campaign's list says of its type of diploma and voie.
    pub fn add(&mut self, row: &FormationRow<'_>, answer: &RowAnswer, in_scope: Option<bool>) {
        let known = self.types.contains_key(row.diploma_type);
        let diploma_type = if known || self.types.len() < MOST_TYPES { row.diploma_type } else { OTHER_TYPES };
        if !known {
            self.types.insert(diploma_type.to_owned(), ());
        }
        let path = answer.retained().map(|retained| (retained.source, retained.form, retained.level));
        let key =
            Key { diploma_type: diploma_type.to_owned(), voie: row.voie, in_scope, reason: answer.reason(), path };
        let count = self.cells.entry(key).or_default();
        *count = count.and(Count { rows: 1, demands: row.demands.unwrap_or(0).into() });
    }

    /// The cells.
    pub fn cells(&self) -> impl Iterator<Item = (&Key, &Count)> {
        self.cells.iter()
    }

    /// All rows.
    #[must_use]
    pub fn total(&self) -> Count {
        self.sum(|_| true)
    }

    /// The rows of the cells that a condition chooses.
    #[must_use]
    pub fn sum(&self, choose: impl Fn(&Key) -> bool) -> Count {
        self.cells.iter().filter(|(key, _)| choose(key)).fold(Count::default(), |sum, (_, count)| sum.and(*count))
    }

    /// Counts by something, such as the reason. Every row is in exactly one of them.
    #[must_use]
    pub fn by<K: Ord>(&self, of: impl Fn(&Key) -> K) -> BTreeMap<K, Count> {
        self.cells.iter().fold(BTreeMap::new(), |mut by, (key, count)| {
            let sum = by.entry(of(key)).or_default();
            *sum = sum.and(*count);
            by
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nomenclatures::Nomenclatures;

    #[test]
    fn sums_add_up_and_types_are_bounded() {
        let mut summary = Summary::default();
        let types: Vec<String> = (0..2 * MOST_TYPES).map(|n| format!("type {n}")).collect();
        for text in &types {
            let row = FormationRow::read(&Nomenclatures::default(), |column| match column {
                "LIBFORMATION" => text,
                "NBDEDEMANDES" => "3",
                _ => "",
            });
            summary.add(&row, &RowAnswer::unreadable(""), None);
        }
        let total = Count { rows: 1_000, demands: 3_000 };
        assert_eq!(summary.total(), total);
        let by_type = summary.by(|key| key.diploma_type.clone());
        assert_eq!(by_type.len(), MOST_TYPES + 1);
        assert_eq!(by_type.values().fold(Count::default(), |sum, count| sum.and(*count)), total);
        assert_eq!(summary.by(|key| key.reason).get(&Reason::UnreadableRow), Some(&total));
    }
}
