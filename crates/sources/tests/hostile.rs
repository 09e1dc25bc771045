//! Answers of services as they must not be: nothing panics, and how an answer is cut into chunks changes nothing.
//!
//! `FUZZ_CASES` sets how many cases are tried; `scripts/fuzz` tries many.
#![allow(missing_docs, reason = "tests")]

use proptest::prelude::*;
use sources::{AnswerReader, BcnTable, Call, catalogue_total};

fn cases() -> ProptestConfig {
    let cases = std::env::var("FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A call of each schema.
fn call() -> impl Strategy<Value = Call> {
    let text = || "2022".to_owned();
    let mut calls = vec![
        Call::InserJeunesUai { uai: "0751234J".to_owned(), millesime: text() },
        Call::InserJeunesRegion { region: "11".to_owned(), millesime: text() },
        Call::InserJeunesFrance { millesime: text(), filiere: "apprentissage".to_owned() },
        Call::InserSup,
        Call::InserSupNational { millesime: text() },
        Call::Acce,
        Call::CatalogueTotal,
        Call::CataloguePage { page: 1 },
    ];
    calls.extend(BcnTable::ALL.map(|table| Call::Bcn { table }));
    proptest::sample::select(calls)
}

/// Pieces that answers are made of, whole and broken.
fn answer() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => proptest::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u00e9", "\\ud800", "null", "true", "-1", "1e999", "0.1",
            "\"data\"", "\"results\"", "\"formations\"", "\"pagination\"", "\"total\"", "\"metadata\"",
            "\"uai\"", "\"millesime\"", "\"valeur\"", "\"id_mesure\"", "\"dimensions\"", "\"0751234J\"", "\"nd\"",
            ";", "\r\n", "\n", "\"\"", "\u{feff}", " ", "numero_uai", "code_region",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..6),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// The rows of an answer and how it ended, read in chunks that end at these places.
fn read(call: &Call, answer: &[u8], cuts: &[usize]) -> (Vec<String>, Result<u64, String>) {
    let mut rows = Vec::new();
    let mut reader = AnswerReader::new(call);
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (answer.len() + 1)).collect();
    ends.push(answer.len());
    ends.sort_unstable();
    let mut start = 0;
    for end in ends {
        let chunk = answer.get(start..end).unwrap_or_default();
        start = end;
        let each = |row: domain::Document| rows.push(serde_json::to_string(&row).unwrap_or_default());
        if let Err(fault) = reader.push(chunk, each) {
            return (rows, Err(fault.to_string()));
        }
    }
    let mut last = Vec::new();
    let ended = reader.finish(|row| last.push(serde_json::to_string(&row).unwrap_or_default()));
    rows.append(&mut last);
    (rows, ended.map(|report| report.rows).map_err(|fault| fault.to_string()))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn answers(call in call(), answer in answer(), cuts: Vec<usize>) {
        let whole = read(&call, &answer, &[]);
        prop_assert_eq!(&read(&call, &answer, &cuts), &whole, "{:?}", call);
        // What was read is told: a report counts the rows that were handed out.
        if let (rows, Ok(counted)) = &whole {
            prop_assert_eq!(u64::try_from(rows.len()).ok(), Some(*counted));
        }
        let _ = catalogue_total(&answer);
    }

    #[test]
    fn a_true_answer_with_one_byte_changed(place: proptest::sample::Index, byte: u8, cuts: Vec<usize>) {
        let call = Call::Bcn { table: BcnTable::NLienFormationGroupe };
        let mut answer =
            br#"{"data": [{"groupe_formation": "G0005", "formation_diplome": "40031211"}, {"groupe_formation": "G0006", "formation_diplome": "40031212"}]}"#.to_vec();
        let at = place.index(answer.len());
        if let Some(changed) = answer.get_mut(at) {
            *changed = byte;
        }
        prop_assert_eq!(read(&call, &answer, &cuts), read(&call, &answer, &[]));
    }
}
