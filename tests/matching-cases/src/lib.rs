//! Plays recorded cases of the matching: tables and rows → one answer a row, lines of the resolver.
//!
//! A case is data ([`Case`]). Its `tables`, under the former column names, become the look-ups
//! ([`tables::of`]); its `rows` are judged by the same functions as a request's; the answers are compared with
//! `expected` in the keys that it has ([`compare`]).

pub mod case;
pub mod compare;
pub mod tables;

pub use case::{Case, load};

use matching::explain::resolution_to_json;
use matching::{Blocks, CatalogueRow, Day, Matcher, Nomenclatures, Options};
use serde_json::{Map, Value};

/// What became of a case.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As recorded.
    Passed,
    /// Otherwise: the differences, a line each.
    Failed(Vec<String>),
}

/// Plays a case and compares.
#[must_use]
pub fn play(case: &Case) -> Verdict {
    let Some(campaign) = Day::read(&case.campaign) else {
        return Verdict::Failed(vec![format!("{} is no date of a campaign", case.campaign)]);
    };
    let tables = tables::of(case);
    let nomenclatures = Nomenclatures::default();
    let matcher = Matcher::new(&tables, &nomenclatures, Options::of_campaign(campaign));
    let mut answers = Vec::new();
    let mut lines = Vec::new();
    for cells in &case.rows {
        let row = CatalogueRow::read(&nomenclatures, |column| tables::cell(cells, column));
        answers.push(answer(cells, &row, &matcher));
        let resolutions = matcher.resolver().resolve(&row);
        lines.extend(resolutions.iter().map(|one| resolution_to_json(&row, one)));
    }
    let mut differences = compare::answers(&case.expected, &answers);
    differences.extend(compare::lines(&case.expected_resolver, &lines));
    if differences.is_empty() { Verdict::Passed } else { Verdict::Failed(differences) }
}

/// The cells of the row as they came, its columns under their own names, and the answer.
fn answer(
    cells: &Map<String, Value>,
    row: &CatalogueRow<'_>,
    matcher: &Matcher<'_, matching::Tables>,
) -> Map<String, Value> {
    let mut answer = cells.clone();
    answer.insert("CODEFORMATIONACCUEIL".to_owned(), row.key.into());
    let values = matcher.answer(row).values(Blocks::ALL);
    let columns = Blocks::ALL.columns();
    answer.extend(columns.iter().zip(values).map(|(column, value)| ((*column).to_owned(), value.to_json())));
    answer
}
