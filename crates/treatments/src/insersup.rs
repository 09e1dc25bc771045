//! Treatment 5 for higher education: the statistics of InserSup.
//!
//! Rules (contract, "Higher education"): rows come finished, a diploma and promotion each. Counts
//! are text, where `nd…` and `na…` are unknown; asterisks mark sums over two years. Rates,
//! `taux_en_formation` and those at 6 months included, are computed on the counts.
//!
//! The service also publishes a row per delay (`date_inser`) where it had columns per delay: such a row
//! is read as one that has the columns of its delay ([`spread`]), and rows of one diploma are merged.

use crate::etablissements::Acce;
use crate::nomenclature::Nomenclature;
use crate::rejection::Rejection;
use crate::text::{field, put, scalar, sub_field};
use domain::indicator::{DELAYS, NB_ANNEE_TERM};
use domain::rates::{add_rates, number, rate};
use domain::{Document, Millesime};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// Reads a count as the service writes it: asterisks and spaces of any width mean nothing here, and what is no
/// number (`nd…`, `na…`, `ns`, `.`, `secret`) is unknown.
fn headcount(row: &Document, name: &str) -> Option<f64> {
    match row.get(name)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let nothing = |c: char| c == '*' || c.is_whitespace() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}');
            let bare: String = text.chars().filter(|c| !nothing(*c)).map(|c| if c == ',' { '.' } else { c }).collect();
            // Words that a parser takes for numbers (`inf`, `1e3`) are none of the service's.
            let digits = bare.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
            bare.parse().ok().filter(|n: &f64| digits && n.is_finite())
        }
        _ => None,
    }
}

/// Columns that a row per delay has once; where each delay has its own, its months follow behind `_`.
const PER_DELAY: [&str; 8] = [
    "nb_in_dsn",
    "nb_sortants_en_emploi_sal_fr",
    "salaire_q1_national_diplome",
    "salaire_q2_national_diplome",
    "salaire_q3_national_diplome",
    "salaire_q1",
    "salaire_q2",
    "salaire_q3",
];

/// A row of one delay as a row that has the columns of that delay; any other row as it is.
///
/// Rule: `date_inser` says the months (`12`, `"12"`, `"12 mois"`). A column that has its delay in its name is never overwritten.
fn spread(row: &Document) -> Cow<'_, Document> {
    let Some(delay) = scalar(row, "date_inser") else { return Cow::Borrowed(row) };
    let delay: String = delay.trim().chars().take_while(char::is_ascii_digit).collect();
    if delay.is_empty() {
        return Cow::Borrowed(row);
    }
    let mut spread = row.clone();
    for name in PER_DELAY {
        let own = format!("{name}_{delay}");
        if let Some(value) = row.get(name)
            && !row.contains_key(&own)
        {
            spread.insert(own, value.clone());
        }
    }
    Cow::Owned(spread)
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
    let row = &*spread(row);
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
    let row = &*spread(row);
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
        for unknown in
            ["nd", "ND", "n.d.", "ns", "NS", ".", "..", "secret", "s", "-", "inf", "NaN", "1e3", "x12", "12 %"]
        {
            assert_eq!(headcount(&row(json!({"n": unknown})), "n"), None, "{unknown}");
        }
    }

    #[test]
    fn a_space_between_thousands_is_none_whatever_its_width() {
        for space in [" ", "\u{a0}", "\u{202f}", "\u{2009}", "\u{2007}", "\u{200b}", "\t", ""] {
            let text = format!("{space}1{space}250{space}*");
            assert_eq!(headcount(&row(json!({"n": text})), "n"), Some(1250.0), "{space:?}");
        }
        assert_eq!(headcount(&row(json!({"n": "12,5"})), "n"), Some(12.5));
    }

    /// The nomenclature and the directory that the rows below need.
    fn tables() -> (Nomenclature, Acce) {
        let mut nomenclature = Nomenclature::default();
        nomenclature.add_sise(&row(json!({"diplome_sise": "2500249", "libelle_intitule_1": "DROIT"})));
        nomenclature.add_sise(&row(json!({"diplome_sise": "2500250", "libelle_intitule_1": "DROIT CONSOLIDE"})));
        let place = row(json!({"numero_uai": "0062205P", "departement_insee_3": "006", "academie": "23",
            "pays_libe": "France"}));
        (nomenclature, Acce::of([&place]))
    }

    fn delivered(value: Value) -> Result<Option<Document>, Rejection> {
        let (nomenclature, acce) = tables();
        let mut line = json!({"etablissement": "0062205P", "diplome": "2500249", "annee_universitaire": "2021-2022",
            "nb_inscrits": "100", "nb_sortants": "80", "nb_poursuivants": "20", "discipline": "Droit"});
        for (name, value) in value.as_object().unwrap() {
            line[name] = value.clone();
        }
        formation(&nomenclature, &acce, &row(line), &[Millesime::parse("2022").unwrap()], true)
    }

    /// Documents as they are stored: rows of one diploma are merged.
    fn merged(documents: impl IntoIterator<Item = Document>) -> Document {
        let mut collection = crate::Collection::new(domain::Kind::Formation);
        for document in documents {
            assert!(collection.write_delivered(document).is_some());
        }
        let all: Vec<Document> = collection.into_documents().collect();
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap()
    }

    #[test]
    fn a_row_per_delay_says_what_columns_per_delay_say() {
        let columns =
            delivered(json!({"nb_in_dsn_6": "32", "nb_in_dsn_12": "1 0", "nb_in_dsn_18": "nd", "nb_in_dsn_24": "48",
            "salaire_q1_national_diplome_12": "1 500", "nb_in_dsn_30": "50"}));
        let columns = merged([columns.unwrap().unwrap()]);
        let wages = json!({"salaire_q1_national_diplome": "1\u{202f}500"});
        let rows = [("6", "32"), ("12 mois", "10"), ("18", "nd"), ("24", "48"), ("30", "50")].map(|(delay, count)| {
            let mut value = json!({"date_inser": delay, "nb_in_dsn": count});
            if delay == "12 mois" {
                value["salaire_q1_national_diplome"] = wages["salaire_q1_national_diplome"].clone();
            }
            delivered(value).unwrap().unwrap()
        });
        assert_eq!(merged(rows), columns);
        assert_eq!((&columns["nb_en_emploi_12_mois"], &columns["taux_en_emploi_24_mois"]), (&json!(10), &json!(48)));
        assert_eq!(columns["salaire_12_mois_q1"], 1500);
        assert!(!columns.contains_key("nb_en_emploi_18_mois"));
    }

    #[test]
    fn two_disciplines_of_one_diploma_are_never_a_mix() {
        let first = delivered(json!({"nb_in_dsn_12": "40"})).unwrap().unwrap();
        let second =
            delivered(json!({"discipline": "Histoire", "nb_inscrits": "30", "nb_in_dsn_24": "9"})).unwrap().unwrap();
        let mut disciplines = Disciplines::default();
        assert!(disciplines.add(&first).is_ok());
        let refused = disciplines.add(&second).unwrap_err();
        assert_eq!(refused.reason(), "discipline_en_double");
        assert!(
            refused.to_string().starts_with("0062205P, 2500249, 2022 : une ligne d'une autre discipline"),
            "{refused}"
        );
        // A row of another delay of the first discipline is no second one.
        assert!(disciplines.add(&delivered(json!({"date_inser": 24, "nb_in_dsn": "48"})).unwrap().unwrap()).is_ok());
        // Nationally alike.
        let (nomenclature, _) = tables();
        let national = |discipline: &str| {
            let value = json!({"diplome": "2500249", "nationalite": "ensemble", "genre": "ensemble", "promo": "2022",
                "obtention_diplome": "ensemble", "regime_inscription": "ensemble", "discipline": discipline});
            certification(&nomenclature, &row(value), true).unwrap().unwrap()
        };
        let mut disciplines = Disciplines::default();
        assert!(disciplines.add(&national("Droit")).is_ok() && disciplines.add(&national("Histoire")).is_err());
    }

    #[test]
    fn the_own_code_of_a_diploma_goes_before_the_consolidated_one() {
        for (value, code) in [
            (json!({"diplome_consol": "2500250"}), "2500249"),
            (json!({"diplome": "", "diplome_consol": "2500250"}), "2500250"),
            (json!({"diplome": null, "diplome_consol": "2500250"}), "2500250"),
            (json!({"diplome": 2_500_249}), "2500249"),
        ] {
            assert_eq!(delivered(value.clone()).unwrap().unwrap()["code_certification"], code, "{value}");
        }
        let nothing = delivered(json!({"diplome": null})).unwrap_err();
        assert_eq!(nothing.reason(), "champ_manquant");
    }

    #[test]
    fn a_code_of_a_but_that_no_table_knows_is_named_and_its_row_left_out() {
        for code in ["2539999", "BUT0001", "nd"] {
            let refused = delivered(json!({"diplome": code})).unwrap_err();
            assert_eq!(refused.reason(), "certification_inconnue");
            assert!(refused.to_string().contains(code) && refused.to_string().contains("nomenclature"), "{refused}");
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
