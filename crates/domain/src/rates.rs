//! Rates and rounding.
//!
//! Rule (contract, "Filières view" and "Statistics"): a rate is `count / total × 100` in double
//! precision, then rounded half to even. It is a whole percentage, 0 and above; it may pass 100
//! where the counts do not belong together, and is published as it is.

use crate::Document;
use crate::indicator::NB_ANNEE_TERM;
use serde_json::Value;

/// Rounds half to even, as the former service did.
#[must_use]
pub fn round(value: f64) -> f64 {
    value.round_ties_even()
}

/// `count / total` as a rounded percentage. `None` without a divisor (`total` 0).
#[must_use]
pub fn rate(headcount: f64, total: f64) -> Option<f64> {
    (total != 0.0).then(|| round(headcount / total * 100.0))
}

/// The share of the others: what is left of 100 by two rounded rates, never below 0.
#[must_use]
pub fn other_rate(employment_rate: f64, training_rate: f64) -> f64 {
    (100.0 - employment_rate - training_rate).max(0.0)
}

/// Adds the rates of some delays (in months) to a document that has its counts and `taux_en_formation`; a missing term
/// leaves a rate out.
///
/// Rule (contract, "Statistics"): `taux_en_emploi` is the count of those employed over `nb_annee_term`, `taux_autres` what
/// that rounded rate and `taux_en_formation` leave.
pub fn add_rates(document: &mut Document, delays: &[u8]) {
    let value = |document: &Document, field: &str| document.get(field).and_then(Value::as_f64);
    let Some(total) = value(document, NB_ANNEE_TERM) else { return };
    let training_rate = value(document, "taux_en_formation");
    for delay in delays {
        let headcount = value(document, &format!("nb_en_emploi_{delay}_mois"));
        let Some(employment_rate) = headcount.and_then(|headcount| rate(headcount, total)) else { continue };
        document.insert(format!("taux_en_emploi_{delay}_mois"), number(employment_rate));
        if let Some(training_rate) = training_rate {
            document.insert(format!("taux_autres_{delay}_mois"), number(other_rate(employment_rate, training_rate)));
        }
    }
}

/// A rounded rate or a count as JSON: a whole number without a decimal point wherever it is one.
#[must_use]
pub fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: whole numbers are exact below
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        let whole_number = value as i64;
        whole_number.into()
    } else {
        serde_json::Number::from_f64(value).map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_neighbour() {
        for (count, total, expected) in [
            (1.0, 200.0, 0.0),
            (3.0, 200.0, 2.0),
            (5.0, 200.0, 2.0),
            (7.0, 200.0, 4.0),
            (199.0, 200.0, 100.0),
            (41.0, 27.0, 152.0),
        ] {
            assert_eq!(rate(count, total), Some(expected), "{count}/{total}");
        }
        assert_eq!(rate(1.0, 0.0), None);
    }

    #[test]
    fn the_others_never_fall_below_zero() {
        assert_eq!(other_rate(152.0, 56.0), 0.0);
        assert_eq!(other_rate(25.0, 15.0), 60.0);
    }

    #[test]
    fn whole_numbers_have_no_decimal_point() {
        assert_eq!(number(12.0).to_string(), "12");
        assert_eq!(number(12.5).to_string(), "12.5");
        assert_eq!(number(f64::NAN), Value::Null);
    }
}
