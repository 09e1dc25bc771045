//! Rates and rounding.
//!
//! Rule (contract, "Filières view" and "Statistics"): a rate is `count / total × 100` in double
//! precision, then rounded half to even. It is a whole percentage, 0 and above; it may pass 100
//! where the counts do not belong together, and is published as it is.

/// Rounds half to even, as the former service did.
#[must_use]
pub fn arrondir(valeur: f64) -> f64 {
    valeur.round_ties_even()
}

/// `count / total` as a rounded percentage. `None` without a divisor (`total` 0).
#[must_use]
pub fn taux(effectif: f64, total: f64) -> Option<f64> {
    (total != 0.0).then(|| arrondir(effectif / total * 100.0))
}

/// The share of the others: what is left of 100 by two rounded rates, never below 0.
#[must_use]
pub fn taux_autres(taux_en_emploi: f64, taux_en_formation: f64) -> f64 {
    (100.0 - taux_en_emploi - taux_en_formation).max(0.0)
}

/// A rounded rate or a count as JSON: a whole number without a decimal point wherever it is one.
#[must_use]
pub fn nombre(valeur: f64) -> serde_json::Value {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: whole numbers are exact below
    if valeur.fract() == 0.0 && valeur.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        let entier = valeur as i64;
        entier.into()
    } else {
        serde_json::Number::from_f64(valeur).map_or(serde_json::Value::Null, Into::into)
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
            assert_eq!(taux(count, total), Some(expected), "{count}/{total}");
        }
        assert_eq!(taux(1.0, 0.0), None);
    }

    #[test]
    fn the_others_never_fall_below_zero() {
        assert_eq!(taux_autres(152.0, 56.0), 0.0);
        assert_eq!(taux_autres(25.0, 15.0), 60.0);
    }

    #[test]
    fn whole_numbers_have_no_decimal_point() {
        assert_eq!(nombre(12.0).to_string(), "12");
        assert_eq!(nombre(12.5).to_string(), "12.5");
        assert_eq!(nombre(f64::NAN), serde_json::Value::Null);
    }
}
