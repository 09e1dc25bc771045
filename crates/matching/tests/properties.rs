//! What holds for every catalogue and every table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use matching::field::{cfd, filiere, mefstat11, sise};
use matching::file::{AnswerWriter, Encoding, FileFormat, FileReader, Output};
use matching::lookups::{CertifInfo, DiplomeHistory, Establishment, Link, Mef, PlaceStatistic};
use matching::{
    Blocks, Coverage, Day, FormationRow, LookupTables, Matcher, Nomenclatures, Options, Pay, Reason, RowAnswer,
    Summary, Validity,
};
use proptest::prelude::*;

/// Two years of three diplomas: `i` is the diploma, `y` the year.
fn mef(i: usize, y: u8) -> String {
    format!("31131212{i}{y}")
}
fn code_of_year(i: usize, y: u8) -> String {
    format!("322{y}103121{i}")
}
fn diploma(i: usize) -> String {
    format!("3203121{i}")
}
fn sise_code(i: usize) -> String {
    format!("230000{i}")
}
const UAIS: [&str; 4] = ["9990001X", "9990002Y", "9990003Z", "9990004A"];
const HIDDEN: f64 = 61.25;

/// A world is a list of facts; a fact is a few small numbers.
type Fact = (u8, usize, usize, u8);

fn tables(facts: &[Fact]) -> LookupTables {
    let mut tables = LookupTables::default();
    for i in 0..3 {
        for year in [1, 2] {
            let row = Mef {
                mefstat11: mefstat11(&code_of_year(i, year)),
                cfd: cfd(&diploma(i)),
                length: Some(2),
                year: Some(year),
                ..Mef::default()
            };
            tables.add_mef(&mef(i, year), row);
        }
        tables.add_diplome(cfd(&diploma(i)).unwrap(), DiplomeHistory::default());
        tables.add_sise(sise(&sise_code(i)).unwrap());
    }
    for (place, uai) in UAIS.iter().enumerate().take(3) {
        let academie = if place == 2 { "41" } else { "10" };
        tables.add_establishment(uai, Establishment { academie: academie.into(), ..Establishment::default() });
    }
    for name in ["pro", "agricole", "apprentissage", "superieur"] {
        tables.set_last_year(filiere(name).unwrap(), 2022);
    }
    facts.iter().for_each(|fact| add(&mut tables, *fact));
    tables
}

fn add(tables: &mut LookupTables, (kind, a, b, c): Fact) {
    let entry = |rncp: Option<usize>, older: Option<usize>| CertifInfo {
        entry: format!("e{a}"),
        cfd: (c % 3 != 0).then(|| cfd(&diploma(b % 3))).flatten(),
        sise: (c % 3 != 1).then(|| sise(&sise_code(b % 3))).flatten(),
        rncp: rncp.map(|n| n.to_string()),
        older: older.map(|n| format!("e{n}")),
        newer: None,
    };
    match kind {
        0 => tables.add_certif_info(entry(Some(a), None), ""),
        1 => tables.add_certif_info(entry(None, None), &format!("FOR.{a}")),
        2 => tables.add_certif_info(entry(Some(a), Some(b)), &format!("FOR.{b}")),
        3 => tables.add_cfd_of_rncp(&a.to_string(), cfd(&diploma(b % 3)).unwrap()),
        4 => tables.add_sise_of_rncp(&a.to_string(), sise(&sise_code(b % 3)).unwrap()),
        5 => {
            let link = Link { cfd: (c % 2 == 0).then(|| cfd(&diploma(b % 3))).flatten(), rncp: Some(b.to_string()) };
            tables.add_catalogue(&format!("rco{a}"), "", &link);
        }
        6 => tables.add_shared_first_year(
            mefstat11(&code_of_year(a % 3, 1)).unwrap(),
            mefstat11(&code_of_year(b % 3, 2)).unwrap(),
        ),
        7 => tables.add_mother(UAIS[a % 4], UAIS[b % 4]),
        8 => tables.add_manual(&a.to_string(), ["CFD:32031210", "SISE:2300001", "32221031212", "?"][b % 4]),
        9 => tables.add_pay(cfd(&diploma(a % 3)).unwrap(), Pay::of(Some(f64::from(c)), [Some(1_500.0); 3])),
        _ => {
            // Sizes around the threshold; a group below it has rates that nobody may see.
            let size = f64::from(c % 40);
            let rate = if size < 20.0 { HIDDEN } else { 50.0 };
            let rates = [Some(rate), Some(rate), (c % 7 != 6).then_some(rate)];
            let statistic = PlaceStatistic::new(Coverage::of((c % 11 != 10).then_some(size), rates));
            let (code, of) = match a % 4 {
                0 => (mefstat11(&code_of_year(b % 3, 2)), "pro"),
                1 => (mefstat11(&code_of_year(b % 3, 2)), "agricole"),
                2 => (cfd(&diploma(b % 3)), "apprentissage"),
                _ => (sise(&sise_code(b % 3)), "superieur"),
            };
            tables.add_statistic(UAIS[(a + b) % 4], code.unwrap(), filiere(of).unwrap(), statistic);
        }
    }
}

const COLUMNS: [&str; 11] = [
    "CODEFORMATIONACCUEIL",
    "UAI_COMPOSANTE",
    "UAI_AFF",
    "UAI_GES",
    "APPRENTISSAGEOUSCOLAIRE",
    "CODEMEF",
    "CODECFD",
    "CODESISE",
    "LISTE_RNCP",
    "LISTE_IDEO",
    "ID_RCO",
];

/// A row is a small number a column; 0 is an empty cell.
fn cells(numbers: &[usize; 11]) -> Vec<String> {
    let cell = |(column, number): (usize, &usize)| {
        let (n, i) = (*number, number % 3);
        match (column, n) {
            (0, _) => n.to_string(),
            (_, 0) => String::new(),
            (1..=3, _) => UAIS[n % 4].to_owned(),
            (4, _) => ["Scolaire", "Apprentissage"][n % 2].to_owned(),
            (5, _) => mef(i, if n % 2 == 0 { 1 } else { 2 }),
            (6, _) => diploma(i),
            (7, _) => sise_code(i),
            (8, _) => format!("{n}; {}", n / 2),
            (9, _) => format!("FOR.{n}"),
            _ => format!("rco{n}"),
        }
    };
    numbers.iter().enumerate().map(cell).collect()
}

fn row<'a>(nomenclatures: &Nomenclatures, cells: &'a [String]) -> FormationRow<'a> {
    FormationRow::read(nomenclatures, |column| {
        let place = COLUMNS.iter().position(|name| *name == column);
        place.and_then(|place| cells.get(place)).map_or("", String::as_str)
    })
}

fn options() -> Options {
    Options::of_campaign(Day::read("2024-08-31").unwrap())
}

fn judge(tables: &LookupTables, cells: &[String]) -> RowAnswer {
    let nomenclatures = Nomenclatures::default();
    Matcher::new(tables, &nomenclatures, options()).answer(&row(&nomenclatures, cells))
}

fn facts() -> impl Strategy<Value = Vec<Fact>> {
    prop::collection::vec((0_u8..16, 0_usize..6, 0_usize..6, any::<u8>()), 0..40)
}

fn numbers() -> impl Strategy<Value = [usize; 11]> {
    prop::array::uniform11(0_usize..6)
}

fn file(rows: &[Vec<String>]) -> String {
    let line = |cells: &Vec<String>| cells.iter().map(|cell| format!("\"{cell}\"")).collect::<Vec<_>>().join(";");
    std::iter::once(COLUMNS.join(";")).chain(rows.iter().map(line)).collect::<Vec<_>>().join("\n")
}

/// The lines of the answer to a file, its names first.
fn answered(tables: &LookupTables, text: &str) -> Vec<String> {
    let nomenclatures = Nomenclatures::default();
    let matcher = Matcher::new(tables, &nomenclatures, options());
    let mut reader = FileReader::new(FileFormat::Csv, Encoding::Utf8, &nomenclatures);
    let mut writer = AnswerWriter::new(Output::Csv, Blocks::ALL);
    let mut out = Vec::new();
    for chunk in [text.as_bytes(), b""] {
        reader.feed(chunk);
        while let Some(line) = reader.next_line().unwrap() {
            let answer = matcher.answer(&line.record.row());
            writer.line(&line, &answer, &mut out);
        }
    }
    String::from_utf8(out).unwrap().lines().map(ToOwned::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn permuting_rows_permutes_answers(
        facts in facts(),
        rows in prop::collection::vec(numbers(), 1..12),
        by in any::<usize>(),
    ) {
        let tables = tables(&facts);
        let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
        let straight = answered(&tables, &file(&rows));
        let mut moved = rows.clone();
        moved.rotate_left(by % rows.len());
        moved.reverse();
        let mut expected = straight[1..].to_vec();
        expected.rotate_left(by % rows.len());
        expected.reverse();
        prop_assert_eq!(&answered(&tables, &file(&moved))[1..], &expected[..]);
    }

    #[test]
    fn an_ambiguous_source_never_changes_a_covered_row(
        facts in facts(),
        rows in prop::collection::vec(numbers(), 16),
        column in 8_usize..11,
    ) {
        let mut tables = tables(&facts);
        let mut covered = Vec::new();
        for mut numbers in rows {
            numbers[column] = 0;
            let before = judge(&tables, &cells(&numbers));
            if before.reason() == Reason::Covered {
                covered.push((numbers, before));
            }
        }
        // 90 names every diploma and every SISE code, whichever way it is reached.
        for b in 0..3 {
            tables.add_cfd_of_rncp("90", cfd(&diploma(b)).unwrap());
            tables.add_sise_of_rncp("90", sise(&sise_code(b)).unwrap());
        }
        tables.add_onisep("FOR.90", Link { cfd: None, rncp: Some("90".into()) });
        tables.add_catalogue("rco90", "", &Link { cfd: None, rncp: Some("90".into()) });
        let nomenclatures = Nomenclatures::default();
        for (numbers, before) in covered {
            let mut with = cells(&numbers);
            with[column] = ["90", "FOR.90", "rco90"][column - 8].to_owned();
            let judgement = Matcher::new(&tables, &nomenclatures, options()).judge(&row(&nomenclatures, &with));
            let added = judgement.explanation.resolutions.iter().filter(|one| one.source.0 == COLUMNS[column]);
            prop_assert!(added.clone().count() > 0);
            for one in added {
                prop_assert_eq!(one.validity(), Validity::Several);
            }
            prop_assert_eq!(judgement.answer.insertion, before.insertion);
        }
    }

    #[test]
    fn nothing_below_the_threshold_holds_a_number(facts in facts(), numbers in numbers()) {
        let tables = tables(&facts);
        let cells = cells(&numbers);
        let answer = judge(&tables, &cells);
        let rates = ["taux_en_emploi_6_mois", "taux_en_formation", "taux_autres_6_mois"];
        for rate in rates {
            let shown = !answer.value(rate).unwrap().to_json().is_null();
            prop_assert_eq!(shown, answer.reason() == Reason::Covered);
        }
        // Not in the answer, not in its explanation, in no form.
        let nomenclatures = Nomenclatures::default();
        let row = row(&nomenclatures, &cells);
        let judgement = Matcher::new(&tables, &nomenclatures, options()).judge(&row);
        let explained = matching::explain::explanation_to_json(&row, &judgement.explanation).to_string();
        let answered: String = answered(&tables, &file(std::slice::from_ref(&cells))).concat();
        for text in [explained, answered, format!("{judgement:?}")] {
            prop_assert!(!text.contains(&HIDDEN.to_string()), "{text}");
        }
    }

    /// An unambiguous link is one that gives a code to a source that had none. Such a link never loses a row: one whose
    /// group was found stays found. And a covered row stays covered, unless what the link finds first is a group
    /// below the threshold, which ends the search (case 026).
    #[test]
    fn coverage_never_falls_by_an_unambiguous_link(
        facts in facts(),
        rows in prop::collection::vec(numbers(), 1..8),
        column in 8_usize..11,
        to in 0_usize..3,
        higher in any::<bool>(),
    ) {
        let mut rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
        for cells in &mut rows {
            cells[column] = ["80", "FOR.80", "rco80"][column - 8].to_owned();
        }
        let mut tables = tables(&facts);
        let before: Vec<RowAnswer> = rows.iter().map(|cells| judge(&tables, cells)).collect();
        if higher {
            tables.add_sise_of_rncp("80", sise(&sise_code(to)).unwrap());
        } else {
            tables.add_cfd_of_rncp("80", cfd(&diploma(to)).unwrap());
        }
        tables.add_onisep("FOR.80", Link { cfd: None, rncp: Some("80".into()) });
        tables.add_catalogue("rco80", "", &Link { cfd: None, rncp: Some("80".into()) });
        for (cells, before) in rows.iter().zip(before) {
            let after = judge(&tables, cells);
            prop_assert!(before.found().is_none() || after.found().is_some());
            if before.reason() == Reason::Covered && after.reason() != Reason::Covered {
                prop_assert_eq!(after.reason(), Reason::BelowThreshold);
                prop_assert_eq!(after.retained().map(|retained| retained.source.0), Some(COLUMNS[column]));
            }
        }
    }

    #[test]
    fn every_row_has_one_reason_and_the_summary_adds_up(facts in facts(), rows in prop::collection::vec(numbers(), 0..20)) {
        let tables = tables(&facts);
        let nomenclatures = Nomenclatures::default();
        let matcher = Matcher::new(&tables, &nomenclatures, options());
        let mut summary = Summary::default();
        for numbers in &rows {
            let cells = cells(numbers);
            let row = row(&nomenclatures, &cells);
            let judgement = matcher.judge(&row);
            prop_assert_eq!(judgement.answer.found().is_some(), judgement.answer.coverage() != "non_couvert");
            summary.add(&row, &judgement.answer, None);
        }
        let by_reason: u64 = summary.by(|key| key.reason).values().map(|count| count.rows).sum();
        let by_path: u64 = summary.by(|key| key.path).values().map(|count| count.rows).sum();
        prop_assert_eq!((by_reason, by_path), (rows.len() as u64, rows.len() as u64));
    }
}
