//! Matches the rows of a catalogue (Parcoursup and others) to certification codes and indicators.
//!
//! Two parts, usable apart. The [`Resolver`] turns the identifiers of a row into codes: no establishment, no number.
//! The [`Matcher`] looks the codes up in the establishments of the row and answers with a code, its figures and
//! exactly one [`Reason`]. Both are pure functions over the look-ups [`CodeLinks`] and [`Statistics`]; nothing here does
//! I/O or knows a runtime.
//!
//! ```
//! use matching::{FormationRow, Day, Matcher, Nomenclatures, Options, Reason, LookupTables};
//! let (tables, nomenclatures) = (LookupTables::default(), Nomenclatures::default());
//! let options = Options::of_campaign(Day::read("2024-08-31").unwrap());
//! let matcher = Matcher::new(&tables, &nomenclatures, options);
//! let row = FormationRow::read(&nomenclatures, |column| if column == "CODEMEF" { "3119999921" } else { "" });
//! assert_eq!(matcher.answer(&row).reason(), Reason::CodeUnknown);
//! ```
//!
//! Where a rule lives:
//!
//! | rule | module |
//! | --- | --- |
//! | which identifiers exist, and their order | [`nomenclatures`] |
//! | from an identifier to diplomas and entries of Certif Info | [`reach`] |
//! | from there to codes of a voie, levels, codes by hand, refusals | [`resolver`] |
//! | the order in which codes are tried | [`candidates`] |
//! | final years of a diploma and of a first year | [`final_year`] |
//! | order of establishments, mothers, shared first years | [`places`] |
//! | the search, pay, rates of success | [`matcher`] |
//! | coverage and threshold | [`lookups`] |
//! | reasons | [`reason`] |
//! | files of catalogues, in and out | [`file`](mod@file) |
//! | how look-ups lie in a store | [`packed`] |

pub mod answer;
pub mod candidates;
pub mod day;
pub mod explain;
pub mod field;
pub mod file;
pub mod final_year;
pub mod lookups;
pub mod matcher;
pub mod nomenclatures;
pub mod packed;
pub mod places;
pub mod reason;
pub mod resolution;
pub mod resolver;
pub mod row;
pub mod summary;
pub mod tables;

pub use answer::{Blocks, RowAnswer, Value};
pub use day::Day;
pub use field::Code;
pub use lookups::{CodeLinks, Coverage, Pay, PlaceStatistic, Statistics, Success};
pub use matcher::{Judgement, Matcher, RowExplanation};
pub use nomenclatures::{CodeSource, Identifier, Nomenclatures, Path};
pub use places::places_asked;
pub use reason::Reason;
pub use resolution::{CodeFamily, Form, Level, Options, Resolution, Validity};
pub use resolver::Resolver;
pub use row::{FormationRow, Voie};
pub use summary::Summary;
pub use tables::LookupTables;
