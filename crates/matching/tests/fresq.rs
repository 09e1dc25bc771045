//! A nomenclature to come: FRESQ is to replace the SISE codes that higher education declares.
//!
//! The table is made up. What it takes: a line of [`Identifier`], a column of the catalogue, a kind of links.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use matching::field::{filiere, sise};
use matching::file::{Encoding, FileFormat, FileReader};
use matching::lookups::{Establishment, PlaceStatistic};
use matching::{CodeSource, Coverage, Day, Identifier, LookupTables, Matcher, Nomenclatures, Options, Path, Reason};

const CODEFRESQ: Identifier = Identifier {
    source: CodeSource("CODEFRESQ"),
    path: Path::Links("fresq"),
    list: false,
    secondary: None,
    higher: Some(5), // before CODESISE
};

#[test]
fn a_new_nomenclature_is_a_kind_and_a_column() {
    let nomenclatures = Nomenclatures::default().with(CODEFRESQ);
    let mut tables = LookupTables::default();
    let superieur = filiere("superieur").unwrap();
    for (fresq, code) in [("F-0001", "2300002"), ("F-0002", "2300002"), ("F-0002", "2300014")] {
        tables.add_link("fresq", fresq, sise(code).unwrap());
        tables.add_sise(sise(code).unwrap());
    }
    tables.set_last_year(superieur, 2022);
    tables.add_establishment("9990001X", Establishment { academie: "10".into(), ..Establishment::default() });
    let coverage = Coverage::of(Some(34.0), [Some(52.0), Some(31.0), Some(17.0)]);
    tables.add_statistic("9990001X", sise("2300002").unwrap(), superieur, PlaceStatistic::new(coverage));

    let options = Options::of_campaign(Day::read("2026-08-31").unwrap());
    let matcher = Matcher::new(&tables, &nomenclatures, options);
    let mut reader = FileReader::new(FileFormat::Csv, Encoding::Utf8, &nomenclatures);
    let file = "CODEFORMATIONACCUEIL;UAI_GES;CODEFRESQ;CODESISE\n\
                1;9990001X;F-0001;2300014\n2;9990001X;F-0002;\n3;9990001X;F-9999;\n";
    reader.feed(file.as_bytes());
    let mut answers = Vec::new();
    while let Some(line) = reader.next_line().unwrap() {
        answers.push(matcher.answer(&line.record.row()));
    }
    let reasons: Vec<Reason> = answers.iter().map(matching::RowAnswer::reason).collect();
    assert_eq!(reasons, [Reason::Covered, Reason::SeveralCodes, Reason::CodeUnknown]);
    assert_eq!(answers[0].retained().unwrap().source, CODEFRESQ.source);
}
