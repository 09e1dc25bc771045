//! The public sum: what the status page says of usage, naming nobody.
//!
//! What could leak, and why it does not. A count of routes that need a key tells what one re-user does where it is the
//! only one: those routes are left out, and so is every total that would hold them. A small count tells that one person
//! looked: numbers are whole thousands, rounded down, and what is below is 0. A day tells more than a month, and a month
//! that is not over tells the day by difference: only whole months are told. Certifications and establishments are in
//! none.

use crate::totals::{Row, Totals};
use domain::date;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What numbers are rounded down to.
pub const ROUNDED_TO: u64 = 1_000;
/// Kinds of requests that everybody may make, in the order in which they are told.
pub const KINDS: [&str; 4] = ["documents", "images", "recherche", "pages"];

/// The kind of a row; `None` for what is not told.
fn kind(row: &Row<'_>) -> Option<&'static str> {
    // What failed is no use.
    if !matches!(row.status, 200 | 304) {
        return None;
    }
    match row.route {
        "certifications/{code}"
        | "regionales/{region}/certifications/{code}"
        | "formations/{uai}-{code}"
        | "mailles/{maille}/{lieu}/certifications/{code}" => Some(if row.image { "images" } else { "documents" }),
        "api/recherche" | "api/recherche/certifications/{code}" | "api/recherche/etablissements/{uai}" => {
            Some("recherche")
        }
        "api/comparaison/..." => Some("documents"),
        "api/images/..." => Some("images"),
        "/" | "etat" | "api/doc" | "api/doc/..." => Some("pages"),
        _ => None,
    }
}

/// The sum by month, of the months that the logs hold from their first to their last day.
#[must_use]
pub fn sum(totals: &Totals) -> Value {
    let rows = totals.rows();
    let days: BTreeSet<&str> = rows.keys().map(|row| row.day.as_str()).collect();
    let mut months: BTreeMap<String, BTreeMap<&str, u64>> = BTreeMap::new();
    for (row, sum) in &rows {
        if let (Some(kind), Some(month)) = (kind(row), row.day.get(..7)) {
            *months.entry(month.to_owned()).or_default().entry(kind).or_default() += sum.requests;
        }
    }
    months.retain(|month, _| {
        let last = last_day(month);
        days.contains(format!("{month}-01").as_str()) && last.is_some_and(|last| days.contains(last.as_str()))
    });
    let told = months.into_iter().map(|(month, kinds)| {
        let mut told = Map::new();
        told.insert("mois".to_owned(), month.into());
        for kind in KINDS {
            let count = kinds.get(kind).copied().unwrap_or_default();
            told.insert(kind.to_owned(), (count - count % ROUNDED_TO).into());
        }
        Value::Object(told)
    });
    json!({"mois": told.collect::<Vec<_>>()})
}

/// The last day of a month.
fn last_day(month: &str) -> Option<String> {
    let (year, number) = month.split_once('-')?;
    let (year, number): (i64, i64) = (year.parse().ok()?, number.parse().ok()?);
    let next = if number == 12 { date::days(year + 1, 1, 1) } else { date::days(year, number + 1, 1) };
    Some(crate::totals::write_day(next - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(totals: &mut Totals, day: &str, path: &str, user: &str, count: usize) {
        let line = format!(
            r#"{{"date":"{day}T00:00:00+00:00","chemin":"{path}","statut":200,"octets":1,"reutilisateur":"{user}"}}"#
        );
        (0..count).for_each(|_| totals.line(&line));
    }

    #[test]
    fn the_public_sum_names_nobody_and_tells_whole_months_in_thousands() {
        let mut totals = Totals::default();
        let document = "/api/inserjeunes/certifications/40025214";
        lines(&mut totals, "2026-10-01", document, "seule-application", 1_999);
        lines(&mut totals, "2026-10-31", "/api/inserjeunes/certifications/40025214.svg", "autre", 999);
        lines(&mut totals, "2026-10-15", "/api/inserjeunes/formations.csv", "seule-application", 5_000);
        lines(&mut totals, "2026-10-15", "/api/appariement/formations", "seule-application", 5_000);
        // Begun, not over; and one whose first days are missing.
        lines(&mut totals, "2026-11-01", document, "autre", 7_000);
        lines(&mut totals, "2026-09-30", document, "autre", 7_000);
        let told = sum(&totals);
        let expected = json!({"mois": [
            {"mois": "2026-10", "documents": 1_000, "images": 0, "recherche": 0, "pages": 0},
        ]});
        assert_eq!(told, expected);
        let text = told.to_string();
        for hidden in ["application", "40025214", "5000", "10000", "999"] {
            assert!(!text.contains(hidden), "{hidden}");
        }
    }
}
