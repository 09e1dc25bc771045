//! Foreign bytes in every column and in place of files: nothing panics, and a row has a bounded cost.
//!
//! `FUZZ_CASES` sets how many cases are tried; `scripts/fuzz` tries many.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use matching::field::{Code, Filiere, cfd, filiere, mefstat11, sise};
use matching::file::{
    AnswerWriter, Encoding, FileError, FileFormat, FileReader, LONGEST_ROW, Legibility, Line, Output,
};
use matching::lookups::{
    CatalogueKey, CertifInfo, CertifInfoKey, CodeLinks, DiplomeHistory, Establishment, Link, Mef, PlaceStatistic,
    Statistics,
};
use matching::resolver::reach::MOST_MEMBERS;
use matching::row::RowColumn;
use matching::{
    Blocks, Coverage, Day, FormationRow, LookupTables, Matcher, Nomenclatures, Options, Pay, Success, Value,
};
use proptest::prelude::*;
use std::cell::Cell;

fn cases() -> ProptestConfig {
    let cases = std::env::var("FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Tables that count how often they are asked.
struct Counted {
    tables: LookupTables,
    asked: Cell<u32>,
}

impl Counted {
    fn asked(&self) -> &LookupTables {
        self.asked.set(self.asked.get() + 1);
        &self.tables
    }
}

impl CodeLinks for Counted {
    fn mef(&self, mef: &str) -> Vec<Mef> {
        self.asked().mef(mef)
    }
    fn mefs_of_cfd(&self, cfd: &Code) -> Vec<Mef> {
        self.asked().mefs_of_cfd(cfd)
    }
    fn mefs_of_mefstat11(&self, mefstat11: &Code) -> Vec<Mef> {
        self.asked().mefs_of_mefstat11(mefstat11)
    }
    fn diplome(&self, cfd: &Code) -> Option<DiplomeHistory> {
        self.asked().diplome(cfd)
    }
    fn knows_sise(&self, sise: &Code) -> bool {
        self.asked().knows_sise(sise)
    }
    fn published_sise(&self, sise: &Code) -> Vec<Code> {
        self.asked().published_sise(sise)
    }
    fn certif_info(&self, key: CertifInfoKey<'_>) -> Vec<CertifInfo> {
        self.asked().certif_info(key)
    }
    fn cfds_of_rncp(&self, rncp: &str) -> Vec<Code> {
        self.asked().cfds_of_rncp(rncp)
    }
    fn sises_of_rncp(&self, rncp: &str) -> Vec<Code> {
        self.asked().sises_of_rncp(rncp)
    }
    fn onisep(&self, ideo: &str) -> Vec<Link> {
        self.asked().onisep(ideo)
    }
    fn catalogue(&self, key: CatalogueKey<'_>) -> Vec<Link> {
        self.asked().catalogue(key)
    }
    fn manual(&self, key: &str) -> Vec<String> {
        self.asked().manual(key)
    }
    fn shared_first_year(&self, code: &Code) -> Option<Vec<Code>> {
        self.asked().shared_first_year(code)
    }
}

impl Statistics for Counted {
    fn statistic(&self, uai: &str, code: &Code, filiere: Filiere) -> Option<PlaceStatistic> {
        self.asked().statistic(uai, code, filiere)
    }
    fn has_statistic(&self, code: &Code) -> bool {
        self.asked().has_statistic(code)
    }
    fn pay(&self, code: &Code) -> Pay {
        self.asked().pay(code)
    }
    fn success(&self, uai: &str, code: &Code) -> Option<Success> {
        self.asked().success(uai, code)
    }
    fn establishment(&self, uai: &str) -> Option<Establishment> {
        self.asked().establishment(uai)
    }
    fn mothers(&self, uai: &str) -> Vec<String> {
        self.asked().mothers(uai)
    }
    fn last_year(&self, filiere: Filiere) -> Option<i32> {
        self.asked().last_year(filiere)
    }
}

/// A world where everything leads to everything: entries older and newer than each other, themselves included.
fn tangled() -> Counted {
    let mut tables = LookupTables::default();
    for i in 0..9 {
        let (diploma, code) = (format!("3203121{i}"), format!("3221103121{i}"));
        let row = Mef {
            mefstat11: mefstat11(&code),
            cfd: cfd(&diploma),
            length: Some(u8::MAX),
            year: Some(1),
            ..Mef::default()
        };
        tables.add_mef(&i.to_string(), row);
        tables.add_diplome(
            cfd(&diploma).unwrap(),
            DiplomeHistory { ancestors: vec![cfd(&diploma).unwrap()], ..DiplomeHistory::default() },
        );
        for j in 0..9 {
            let entry = CertifInfo {
                entry: i.to_string(),
                cfd: cfd(&diploma),
                sise: sise(&format!("230000{j}")),
                rncp: Some(j.to_string()),
                older: Some(j.to_string()),
                newer: Some(i.to_string()),
            };
            tables.add_certif_info(entry, &j.to_string());
            tables.add_onisep(&i.to_string(), Link { cfd: None, rncp: Some(j.to_string()) });
            tables.add_catalogue(&i.to_string(), &j.to_string(), &Link { cfd: None, rncp: Some(i.to_string()) });
            tables.add_mother(&i.to_string(), &j.to_string());
        }
        let statistic = PlaceStatistic {
            final_years: vec![mefstat11(&code).unwrap()],
            ..PlaceStatistic::new(Coverage::of(None, [None; 3]))
        };
        tables.add_statistic(&i.to_string(), mefstat11(&code).unwrap(), filiere("pro").unwrap(), statistic);
    }
    Counted { tables, asked: Cell::new(0) }
}

fn options() -> Options {
    Options::of_campaign(Day::read("2024-08-31").unwrap())
}

/// A bound that no row reaches, in questions to the tables. Measured: 654 for the worst row, of two lists of 64 members.
const MOST_QUESTIONS: u32 = 2_000;

/// A cell: short known codes, lists of them, or anything.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => "[0-9]",
        2 => "[0-9]{7,11}",
        2 => "([0-9 ];){0,200}",
        1 => "(Scolaire|Apprentissage|CFD:32031211|SISE:2300002)",
        3 => any::<Vec<u8>>().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        2 => any::<String>(),
    ]
}

fn drain(reader: &mut FileReader, lines: &mut Vec<Line>) -> Result<(), FileError> {
    while let Some(line) = reader.next_line()? {
        lines.push(line);
    }
    Ok(())
}

fn read(bytes: &[u8], size: usize, format: FileFormat, encoding: Encoding) -> Result<Vec<Line>, FileError> {
    let mut reader = FileReader::new(format, encoding, &Nomenclatures::default());
    let mut lines = Vec::new();
    for chunk in bytes.chunks(size.max(1)).chain([&b""[..]]) {
        reader.feed(chunk);
        drain(&mut reader, &mut lines)?;
    }
    Ok(lines)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_hostile_row_is_answered_at_a_bounded_cost(cells in prop::collection::vec(cell(), 13)) {
        let nomenclatures = Nomenclatures::default();
        let names: Vec<&str> = RowColumn::ALL
            .iter()
            .map(|column| column.name())
            .chain(nomenclatures.identifiers().iter().map(|identifier| identifier.source.0))
            .collect();
        let row = FormationRow::read(&nomenclatures, |column| {
            let place = names.iter().position(|name| *name == column);
            place.and_then(|place| cells.get(place)).map_or("", String::as_str)
        });
        let counted = tangled();
        let judgement = Matcher::new(&counted, &nomenclatures, options()).judge(&row);
        prop_assert!(counted.asked.get() < MOST_QUESTIONS, "{} questions", counted.asked.get());
        let _ = matching::explain::explanation_to_json(&row, &judgement.explanation).to_string();
        prop_assert_eq!(judgement.answer.values(Blocks::ALL).len(), Blocks::ALL.columns().len());
        prop_assert!(judgement.answer.value("raison") != Some(Value::Absent));
    }

    /// A file of anything, behind a line of names or not: the same rows whatever the chunks, and every one answered.
    #[test]
    fn a_hostile_file_is_read_or_refused(
        bytes: Vec<u8>,
        text in "(\"|;|,|\r|\n|a|é|\\{|\\}|\\[|\\]|:|\\\\){0,60}",
        named: bool,
        json: bool,
        latin: bool,
        size in 1_usize..20,
    ) {
        let format = if json { FileFormat::Json } else { FileFormat::Csv };
        let encoding = if latin { Encoding::Latin1 } else { Encoding::Utf8 };
        let head = match (named, json) {
            (false, _) => "",
            (true, true) => "[{\"CODEFORMATIONACCUEIL\":1},",
            (true, false) => "CODEFORMATIONACCUEIL;x\n",
        };
        let file = [head.as_bytes(), text.as_bytes(), &bytes, text.as_bytes()].concat();
        let whole = read(&file, usize::MAX, format, encoding);
        let pieces = read(&file, size, format, encoding);
        if let (Ok(whole), Ok(pieces)) = (&whole, &pieces) {
            prop_assert_eq!(whole, pieces);
        }
        prop_assert_eq!(whole.is_ok(), pieces.is_ok());
        let lines = whole.unwrap_or_default();
        for output in [Output::Csv, Output::Ndjson] {
            let mut writer = AnswerWriter::new(output, Blocks::ALL);
            let mut out = Vec::new();
            let tables = LookupTables::default();
            let nomenclatures = Nomenclatures::default();
            let matcher = Matcher::new(&tables, &nomenclatures, options());
            for line in &lines {
                writer.line(line, &matcher.answer(&line.record.row()), &mut out);
            }
            let text = String::from_utf8(out).unwrap();
            if output == Output::Ndjson {
                prop_assert_eq!(text.lines().count(), lines.len());
                for line in text.lines() {
                    prop_assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
                }
            }
        }
    }

    /// Text that spreadsheets would have to quote comes back as it was, through two rounds.
    #[test]
    fn csv_cells_come_back(cells in prop::collection::vec(prop::collection::vec("[ -~é;,\"\r\n]{0,12}", 2), 1..6)) {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(";");
        let text: String = std::iter::once("CODEFORMATIONACCUEIL;x".to_owned())
            .chain(cells.iter().map(line))
            .collect::<Vec<_>>()
            .join("\r\n");
        let lines = read(text.as_bytes(), 7, FileFormat::Csv, Encoding::Utf8).unwrap();
        let mut writer = AnswerWriter::new(Output::Csv, Blocks::ALL);
        let mut out = Vec::new();
        for line in &lines {
            writer.line(line, &matching::RowAnswer::unreadable(""), &mut out);
        }
        let again = read(&out, 5, FileFormat::Csv, Encoding::Utf8).unwrap();
        let found: Vec<&[String]> = again.iter().map(|line| &line.record.cells()[..2]).collect();
        prop_assert_eq!(found, cells.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
}

/// A reader of 200 MB holds what a chunk and a row take, be it one open quote or an element without end.
#[test]
fn memory_does_not_grow_with_the_file() {
    let chunk = vec![b'x'; LONGEST_ROW];
    for (format, head) in
        [(FileFormat::Csv, "CODEFORMATIONACCUEIL;x\n\""), (FileFormat::Json, "[{\"CODEFORMATIONACCUEIL\":1},\"")]
    {
        let mut reader = FileReader::new(format, Encoding::Utf8, &Nomenclatures::default());
        let mut lines = Vec::new();
        reader.feed(head.as_bytes());
        drain(&mut reader, &mut lines).unwrap();
        for _ in 0..3_200 {
            reader.feed(&chunk);
            drain(&mut reader, &mut lines).unwrap();
            assert!(reader.held() <= 4 * LONGEST_ROW, "{}", reader.held());
        }
        reader.feed(b"");
        drain(&mut reader, &mut lines).unwrap();
        assert_eq!(lines.last().map(|line| &line.content), Some(&Legibility::TooLong));
    }
}

/// The worst row: two lists as long as are read, of members that lead to everything.
#[test]
fn the_worst_row_asks_some_hundred_questions() {
    let nomenclatures = Nomenclatures::default();
    let list: Vec<String> = (0..MOST_MEMBERS).map(|n| format!("{}{}", n % 9, " ".repeat(n / 9))).collect();
    let distinct: Vec<String> = (0..MOST_MEMBERS).map(|n| n.to_string()).collect();
    for list in [list.join(";"), distinct.join(";")] {
        let row = FormationRow::read(&nomenclatures, |column| match column {
            "LISTE_RNCP" | "LISTE_IDEO" => &list,
            "APPRENTISSAGEOUSCOLAIRE" => "Apprentissage",
            _ => "1",
        });
        let counted = tangled();
        let _ = Matcher::new(&counted, &nomenclatures, options()).judge(&row);
        println!("{} questions", counted.asked.get());
        assert!(counted.asked.get() < MOST_QUESTIONS);
    }
}
