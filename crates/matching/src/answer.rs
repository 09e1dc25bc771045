//! What a row is answered, and the columns it is written in.

use crate::field::{Code, written};
use crate::lookups::{Pay, Rates, Success};
use crate::nomenclatures::CodeSource;
use crate::places::PlaceField;
use crate::reason::Reason;
use crate::resolution::{Form, Level};

/// The code that is retained for a row, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retained {
    /// The catalogue's code: a first year's stays a first year's.
    pub code: Code,
    /// By which identifier it was found.
    pub source: CodeSource,
    /// Own voie or the other.
    pub form: Form,
    /// Itself, older, newer.
    pub level: Level,
}

/// Where the figures of a row are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The retained code.
    pub retained: Retained,
    /// The code whose figures are shown.
    pub data: Code,
    /// The establishment that has them.
    pub uai: String,
    /// The column that names it.
    pub field: PlaceField,
    /// Their millesime.
    pub millesime: Option<String>,
    /// Whether they are the code's own, or of an older or newer diploma.
    pub donnee_source: Option<String>,
}

/// The block of insertion. Only a covered row holds rates, and it always holds its code, form and level.
#[derive(Clone, Debug, PartialEq)]
pub enum Insertion {
    /// Covered.
    Covered {
        /// Where the figures are.
        found: Found,
        /// The rates.
        rates: Rates,
    },
    /// Below the threshold.
    BelowThreshold {
        /// Where the group is.
        found: Found,
    },
    /// Not covered.
    NotCovered {
        /// Why.
        reason: Reason,
        /// The first code of the row's own voie, where exactly one is known.
        retained: Option<Retained>,
        /// Whether no place at all has a statistic of the row's codes.
        without_statistic: bool,
    },
    /// The row could not be read.
    Unreadable {
        /// Why, in French.
        why: String,
    },
}

/// The block of national pay.
#[derive(Clone, Debug, PartialEq)]
pub struct PayBlock {
    /// The code whose pay it is.
    pub code: Option<Code>,
    /// The pay.
    pub pay: Pay,
}

/// The block of rates of success.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SuccessBlock {
    /// The code whose rates they are.
    pub code: Option<Code>,
    /// The rates.
    pub success: Success,
}

/// The answer to a row.
#[derive(Clone, Debug, PartialEq)]
pub struct RowAnswer {
    /// Insertion.
    pub insertion: Insertion,
    /// Pay.
    pub pay: PayBlock,
    /// Success.
    pub success: SuccessBlock,
}

impl RowAnswer {
    /// The answer to a row that could not be read.
    #[must_use]
    pub fn unreadable(why: &str) -> Self {
        Self {
            insertion: Insertion::Unreadable { why: why.to_owned() },
            pay: PayBlock { code: None, pay: Pay::NotCovered },
            success: SuccessBlock::default(),
        }
    }

    /// Its one reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match &self.insertion {
            Insertion::Covered { .. } => Reason::Covered,
            Insertion::BelowThreshold { .. } => Reason::BelowThreshold,
            Insertion::NotCovered { reason, .. } => *reason,
            Insertion::Unreadable { .. } => Reason::UnreadableRow,
        }
    }

    /// Where its figures are, be they below the threshold.
    #[must_use]
    pub fn found(&self) -> Option<&Found> {
        match &self.insertion {
            Insertion::Covered { found, .. } | Insertion::BelowThreshold { found } => Some(found),
            Insertion::NotCovered { .. } | Insertion::Unreadable { .. } => None,
        }
    }

    /// The rates of a covered row.
    #[must_use]
    pub fn rates(&self) -> Option<&Rates> {
        match &self.insertion {
            Insertion::Covered { rates, .. } => Some(rates),
            _ => None,
        }
    }

    /// The retained code.
    #[must_use]
    pub fn retained(&self) -> Option<&Retained> {
        match &self.insertion {
            Insertion::Covered { found, .. } | Insertion::BelowThreshold { found } => Some(&found.retained),
            Insertion::NotCovered { retained, .. } => retained.as_ref(),
            Insertion::Unreadable { .. } => None,
        }
    }

    /// Covered, below the threshold or not covered, as on the wire.
    #[must_use]
    pub fn coverage(&self) -> &'static str {
        match &self.insertion {
            Insertion::Covered { .. } => "couvert",
            Insertion::BelowThreshold { .. } => "sous_seuil",
            Insertion::NotCovered { .. } | Insertion::Unreadable { .. } => "non_couvert",
        }
    }

    /// The values of the columns of these blocks, in the order of [`Blocks::columns`].
    #[must_use]
    pub fn values(&self, blocks: Blocks) -> Vec<Value> {
        let mut values = Vec::with_capacity(24);
        if blocks.insertion {
            self.insertion_values(&mut values);
        }
        if blocks.pay {
            values.push(code(self.pay.code.as_ref()));
            values.push(Value::name(self.pay.pay.as_str()));
            let quartiles = match self.pay.pay {
                Pay::Covered(quartiles) => quartiles.map(Value::Number),
                Pay::BelowThreshold | Pay::NotCovered => [Value::Absent, Value::Absent, Value::Absent],
            };
            values.extend(quartiles);
        }
        if blocks.success {
            values.push(code(self.success.code.as_ref()));
            values.push(Value::name(if self.success.success.is_known() { "couvert" } else { "non_couvert" }));
            values.push(number(self.success.success.success));
            values.push(number(self.success.success.passage));
        }
        values
    }

    fn insertion_values(&self, values: &mut Vec<Value>) {
        let (found, retained, rates) = (self.found(), self.retained(), self.rates());
        let precision = match &self.insertion {
            Insertion::NotCovered { without_statistic: true, .. } => Value::name("certification_sans_statistique"),
            Insertion::Unreadable { why } => Value::Text(why.clone()),
            _ => Value::Absent,
        };
        values.push(code(retained.map(|retained| &retained.code)));
        values.push(code(found.map(|found| &found.data)));
        values.push(name(retained.map(|retained| retained.source.0)));
        values.push(name(retained.map(|retained| retained.form.as_str())));
        values.push(name(retained.map(|retained| retained.level.as_str())));
        values.push(name(found.map(|found| found.uai.as_str())));
        values.push(name(found.map(|found| found.field.as_str())));
        values.push(Value::name(self.coverage()));
        values.push(Value::name(self.reason().as_str()));
        values.push(precision);
        values.push(number(rates.map(Rates::employment)));
        values.push(number(rates.map(Rates::studies)));
        values.push(number(rates.map(Rates::other)));
        values.push(name(found.and_then(|found| found.millesime.as_deref())));
        values.push(name(found.and_then(|found| found.donnee_source.as_deref())));
    }

    /// The value of a column, for a single row: `None` where there is no such column.
    #[must_use]
    pub fn value(&self, column: &str) -> Option<Value> {
        let place = Blocks::ALL.columns().iter().position(|name| *name == column)?;
        self.values(Blocks::ALL).into_iter().nth(place)
    }
}

/// Which blocks of columns are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Codes, coverage, reason, rates.
    pub insertion: bool,
    /// Pay.
    pub pay: bool,
    /// Rates of success.
    pub success: bool,
}

const INSERTION: [&str; 15] = [
    "code_certification_retenu",
    "code_certification_donnee",
    "source",
    "forme",
    "anciennete",
    "uai",
    "champ_uai",
    "couverture",
    "raison",
    "precision",
    "taux_en_emploi_6_mois",
    "taux_en_formation",
    "taux_autres_6_mois",
    "millesime",
    "donnee_source",
];
const PAY: [&str; 5] = [
    "code_certification_salaire",
    "couverture_salaire",
    "salaire_12_mois_q1",
    "salaire_12_mois_q2",
    "salaire_12_mois_q3",
];
const SUCCESS: [&str; 4] = ["code_certification_sies", "couverture_sies", "taux_de_reussite", "taux_de_passage"];

impl Blocks {
    /// Every block.
    pub const ALL: Self = Self { insertion: true, pay: true, success: true };

    /// The names of the columns, in order.
    #[must_use]
    pub fn columns(self) -> Vec<&'static str> {
        let mut columns = Vec::with_capacity(24);
        if self.insertion {
            columns.extend(INSERTION);
        }
        if self.pay {
            columns.extend(PAY);
        }
        if self.success {
            columns.extend(SUCCESS);
        }
        columns
    }
}

/// The value of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number, finite.
    Number(f64),
    /// Nothing: an empty cell, `null`.
    Absent,
}

impl Value {
    fn name(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// As JSON, a whole number without a decimal point.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => serde_json::from_str(&number.to_string()).unwrap_or(serde_json::Value::Null),
            Self::Absent => serde_json::Value::Null,
        }
    }
}

fn code(code: Option<&Code>) -> Value {
    code.map_or(Value::Absent, |code| Value::Text(written(code)))
}

fn name(text: Option<&str>) -> Value {
    text.map_or(Value::Absent, Value::name)
}

fn number(number: Option<f64>) -> Value {
    number.map_or(Value::Absent, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_value() {
        let answer = RowAnswer::unreadable("illisible");
        for insertion in [false, true] {
            for pay in [false, true] {
                for success in [false, true] {
                    let blocks = Blocks { insertion, pay, success };
                    assert_eq!(answer.values(blocks).len(), blocks.columns().len());
                }
            }
        }
        assert_eq!(answer.value("raison"), Some(Value::name("ligne_illisible")));
        assert_eq!(answer.value("precision"), Some(Value::name("illisible")));
        assert_eq!(answer.value("nb_sortant"), None);
    }

    #[test]
    fn whole_numbers_have_no_decimal_point() {
        assert_eq!(Value::Number(52.0).to_json().to_string(), "52");
        assert_eq!(Value::Number(50.3).to_json().to_string(), "50.3");
    }
}
