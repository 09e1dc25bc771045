//! Treatment 5 for higher education: the statistics of InserSup.
//!
//! Rules (contract, "Higher education"): rows come finished, a diploma and promotion each. Counts
//! are text, where `nd…` and `na…` are unknown; asterisks mark sums over two years. Rates,
//! `taux_en_formation` and those at 6 months included, are computed on the counts.

use crate::etablissements::Acce;
use crate::nomenclature::Nomenclature;
use crate::rejection::Rejection;
use crate::text::{field, put, scalar, sub_field};
use domain::indicator::{DELAYS, NB_ANNEE_TERM};
use domain::rates::{add_rates, number, rate};
use domain::{Document, Millesime};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Reads a count as the service writes it: asterisks and spaces mean nothing here, `nd…` and `na…`
/// are unknown.
fn headcount(row: &Document, name: &str) -> Option<f64> {
    match row.get(name)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let nu: String = text.chars().filter(|c| *c != '*' && !c.is_whitespace()).collect();
            nu.replace(',', ".").parse().ok().filter(|n: &f64| n.is_finite())
        }
        _ => None,
    }
}

/// The millesime of an establishment row.
///
/// Rule: from `nb_sortants`. One asterisk: the sum of two years, so the period of
/// `annee_universitaire`. Two: an impossible sum; none: a single year. Both are its second year.
///
/// # Errors
/// [`Rejection::MillesimeIncorrect`].
pub fn millesime(row: &Document) -> Result<Millesime, Rejection> {
    let years = field(row, "annee_universitaire").unwrap_or_default();
    let incorrect = || Rejection::MillesimeIncorrect { value: years.to_owned() };
    let period = Millesime::parse(&years.replace('-', "_")).ok_or_else(incorrect)?;
    let marks = field(row, "nb_sortants").map_or(0, |n| n.matches('*').count());
    if marks == 1 { Ok(period) } else { Millesime::parse(period.year()).ok_or_else(incorrect) }
}

/// Whether a millesime is wanted: it is one of those asked for, or one of the years of a period
/// asked for.
#[must_use]
pub fn is_wanted(millesime: &Millesime, wanted_ones: &[Millesime]) -> bool {
    wanted_ones.iter().any(|v| v == millesime || v.years().any(|year| year == millesime.as_str()))
}

/// Computes the rates; a missing term leaves a rate out.
///
/// Rule: `taux_en_formation` is `nb_poursuite_etudes` over `nb_annee_term`; then that of [`add_rates`].
pub fn compute(document: &mut Document) {
    let value = |document: &Document, name: &str| document.get(name).and_then(Value::as_f64);
    let Some(total) = value(document, NB_ANNEE_TERM) else { return };
    let formation = value(document, "nb_poursuite_etudes").and_then(|n| rate(n, total));
    put(document, "taux_en_formation", formation.map(number));
    add_rates(document, &DELAYS);
}

fn meta(fields: Map<String, Value>) -> Value {
    let mut meta = Map::new();
    meta.insert("insersup".to_owned(), Value::Object(fields));
    Value::Object(meta)
}

fn meta_names(row: &Document, fields: &mut Map<String, Value>, names: &[(&str, &[&str])]) {
    for (name, columns) in names {
        put(fields, name, columns.iter().find_map(|c| field(row, c)));
    }
}

fn base(code: &str, millesime: &Millesime) -> Document {
    let mut document = Document::new();
    document.insert("code_certification".to_owned(), code.into());
    document.insert("filiere".to_owned(), "superieur".into());
    document.insert("millesime".to_owned(), millesime.as_str().into());
    document
}

/// The document of a row by establishment, to be written as delivered.
///
/// `Ok(None)`: of a millesime that is not wanted.
///
/// # Errors
/// An unknown SISE code, establishment, departement or academie; a year that cannot be read.
pub fn formation(
    nomenclature: &Nomenclature,
    acce: &Acce,
    row: &Document,
    wanted_ones: &[Millesime],
    handle: bool,
) -> Result<Option<Document>, Rejection> {
    let code = ["diplome", "diplome_consol"].into_iter().find_map(|name| scalar(row, name));
    let code = code.ok_or(Rejection::MissingField { field: "diplome" })?;
    let uai = field(row, "etablissement").ok_or(Rejection::MissingField { field: "etablissement" })?;
    let millesime = millesime(row)?;
    if !is_wanted(&millesime, wanted_ones) {
        return Ok(None);
    }
    let (_, place) = acce.locate(uai)?;
    let mut document = base(&code, &millesime);
    document.insert("uai".to_owned(), uai.into());
    put(&mut document, "libelle_etablissement", field(row, "denomination_principale"));
    document.insert("region".to_owned(), place.region());
    document.insert("academie".to_owned(), place.academie());
    document.extend(nomenclature.part(&code, true)?);
    for (name, column) in [
        (NB_ANNEE_TERM, "nb_inscrits"),
        ("nb_diplome", "nb_diplomes"),
        ("nb_sortant", "nb_sortants"),
        ("nb_poursuite_etudes", "nb_poursuivants"),
        ("nb_en_emploi_6_mois", "nb_in_dsn_6"),
        ("nb_en_emploi_12_mois", "nb_in_dsn_12"),
        ("nb_en_emploi_18_mois", "nb_in_dsn_18"),
        ("nb_en_emploi_24_mois", "nb_in_dsn_24"),
        ("salaire_12_mois_q1", "salaire_q1_national_diplome_12"),
        ("salaire_12_mois_q2", "salaire_q2_national_diplome_12"),
        ("salaire_12_mois_q3", "salaire_q3_national_diplome_12"),
    ] {
        put(&mut document, name, headcount(row, column).map(number));
    }
    if handle {
        compute(&mut document);
    }
    let mut fields = Map::new();
    meta_names(
        row,
        &mut fields,
        &[
            ("etablissement_libelle", &["denomination_principale"]),
            ("etablissement_actuel_libelle", &["denomination_principale"]),
            ("type_diplome", &["type_diplome_long"]),
            ("domaine_disciplinaire", &["domaine"]),
            ("secteur_disciplinaire", &["secteur_disciplinaire"]),
            ("discipline", &["discipline"]),
        ],
    );
    document.insert("_meta".to_owned(), meta(fields));
    Ok(Some(document))
}

/// The disciplines of stored rows, so that the first of an establishment, code and last year wins.
///
/// Why: the service sends a diploma that is taught in several disciplines once for each; their
/// numbers cannot be added up, and one must not overwrite the other.
#[derive(Clone, Debug, Default)]
pub struct Disciplines(HashMap<String, [Option<String>; 3]>);

impl Disciplines {
    /// Takes a stored or new document.
    ///
    /// # Errors
    /// [`Rejection::SecondDiscipline`] where another discipline came first: it is to be left out.
    pub fn add(&mut self, document: &Document) -> Result<(), Rejection> {
        let text = |name| field(document, name).unwrap_or_default().to_owned();
        let (uai, code, millesime) = (text("uai"), text("code_certification"), text("millesime"));
        let year = millesime.rsplit('_').next().unwrap_or_default().to_owned();
        let meta = document.get("_meta").and_then(Value::as_object);
        let names = ["domaine_disciplinaire", "secteur_disciplinaire", "discipline"];
        let here = names.map(|name| meta.and_then(|m| sub_field(m, "insersup", name)).map(str::to_owned));
        let first = self.0.entry(format!("{uai}/{code}/{year}")).or_insert_with(|| here.clone());
        if *first == here { Ok(()) } else { Err(Rejection::SecondDiscipline { uai, code, year }) }
    }
}

/// Whether a row of the open data export is the total over everyone of one diploma.
///
/// Rule: `ensemble` in `nationalite`, `genre`, `obtention_diplome` and `regime_inscription`, and a
/// `diplome` other than `all`.
#[must_use]
pub fn is_the_whole(row: &Document) -> bool {
    ["nationalite", "genre", "obtention_diplome", "regime_inscription"]
        .into_iter()
        .all(|name| field(row, name) == Some("ensemble"))
        && field(row, "diplome").is_some_and(|d| d != "all")
}

/// The document of a national row of the open data export, to be written as delivered.
///
/// `Ok(None)`: not the total of a diploma ([`is_the_whole`]).
///
/// # Errors
/// An unknown SISE code; a year that cannot be read.
pub fn certification(nomenclature: &Nomenclature, row: &Document, handle: bool) -> Result<Option<Document>, Rejection> {
    if !is_the_whole(row) {
        return Ok(None);
    }
    let code = field(row, "diplome").ok_or(Rejection::MissingField { field: "diplome" })?;
    let years = match row.get("promo") {
        Some(Value::Array(years)) => years.iter().map(text).collect::<Vec<_>>().join("_"),
        Some(alone) => text(alone),
        None => return Err(Rejection::MissingField { field: "promo" }),
    };
    let millesime = Millesime::parse(&years).ok_or(Rejection::MillesimeIncorrect { value: years })?;
    let mut document = base(code, &millesime);
    document.extend(nomenclature.part(code, true)?);
    let (leavers, continuing) = (headcount(row, "nb_sortants"), headcount(row, "nb_poursuivants"));
    put(&mut document, NB_ANNEE_TERM, leavers.zip(continuing).map(|(s, p)| number(s + p)));
    put(&mut document, "nb_sortant", leavers.map(number));
    put(&mut document, "nb_poursuite_etudes", continuing.map(number));
    for month in DELAYS {
        let employed = headcount(row, &format!("nb_sortants_en_emploi_sal_fr_{month}"));
        put(&mut document, &format!("nb_en_emploi_{month}_mois"), employed.map(number));
    }
    for quartile in 1..=3 {
        let wage = headcount(row, &format!("salaire_q{quartile}_12"));
        put(&mut document, &format!("salaire_12_mois_q{quartile}"), wage.map(number));
    }
    if handle {
        compute(&mut document);
    }
    let mut fields = Map::new();
    meta_names(
        row,
        &mut fields,
        &[
            ("type_diplome", &["type_diplome", "type_diplome_long"]),
            ("domaine_disciplinaire", &["domaine_disciplinaire", "domaine"]),
            ("secteur_disciplinaire", &["secteur_disciplinaire"]),
            ("discipline", &["discipline"]),
        ],
    );
    document.insert("_meta".to_owned(), meta(fields));
    Ok(Some(document))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(value: Value) -> Document {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn asterisks_make_periods() {
        for (leavers, expected) in [("130 *", "2020_2021"), ("130**", "2021"), ("130", "2021"), ("nd", "2021")] {
            let row = row(json!({"annee_universitaire": "2020-2021", "nb_sortants": leavers}));
            assert_eq!(millesime(&row).unwrap().as_str(), expected, "{leavers}");
        }
        assert!(millesime(&row(json!({"annee_universitaire": "2020"}))).is_ok());
        assert!(millesime(&row(json!({"annee_universitaire": "récente"}))).is_err());
    }

    #[test]
    fn unknown_counts_stay_unknown() {
        for (text, expected) in
            [("130 *", Some(130.0)), ("nd", None), ("na (1)", None), ("1 250", Some(1250.0)), ("", None)]
        {
            assert_eq!(headcount(&row(json!({"n": text})), "n"), expected, "{text}");
        }
    }

    #[test]
    fn a_year_of_a_wanted_period_is_wanted() {
        let wanted_ones = [Millesime::parse("2020_2021").unwrap()];
        for (millesime, wanted) in [("2020_2021", true), ("2021", true), ("2020", true), ("2019_2020", false)] {
            assert_eq!(is_wanted(&Millesime::parse(millesime).unwrap(), &wanted_ones), wanted, "{millesime}");
        }
    }

    #[test]
    fn the_first_discipline_wins() {
        let with = |discipline: &str, millesime: &str| {
            row(json!({"uai": "0062205P", "code_certification": "2400074", "millesime": millesime,
                "_meta": {"insersup": {"discipline": discipline}}}))
        };
        let mut disciplines = Disciplines::default();
        assert!(disciplines.add(&with("Droit", "2021")).is_ok());
        assert!(disciplines.add(&with("Droit", "2020_2021")).is_ok());
        assert!(disciplines.add(&with("Histoire", "2020_2021")).is_err());
        assert!(disciplines.add(&with("Histoire", "2019_2020")).is_ok());
    }

    #[test]
    fn national_rows_are_totals_of_one_diploma() {
        let mut nomenclature = Nomenclature::default();
        nomenclature.add_sise(&row(json!({"diplome_sise": "2500249", "libelle_intitule_1": "DROIT"})));
        let mut value = json!({"diplome": "2500249", "nationalite": "ensemble", "genre": "ensemble",
            "obtention_diplome": "ensemble", "regime_inscription": "ensemble", "promo": ["2020", "2021"],
            "nb_sortants": 40, "nb_poursuivants": "60", "nb_sortants_en_emploi_sal_fr_6": 12, "salaire_q1_12": "nd"});
        let document = certification(&nomenclature, &row(value.clone()), true).unwrap().unwrap();
        assert_eq!(document["millesime"], "2020_2021");
        assert_eq!((&document["nb_annee_term"], &document["taux_en_formation"]), (&json!(100), &json!(60)));
        assert_eq!((&document["taux_en_emploi_6_mois"], &document["taux_autres_6_mois"]), (&json!(12), &json!(28)));
        assert!(!document.contains_key("salaire_12_mois_q1"));
        value["nb_poursuivants"] = "nd".into();
        let document = certification(&nomenclature, &row(value.clone()), true).unwrap().unwrap();
        assert!(!document.contains_key("nb_annee_term"), "unknown where a part is");
        value["genre"] = "femme".into();
        assert_eq!(certification(&nomenclature, &row(value), true), Ok(None));
    }
}
