//! The open regional figures, published and read back over HTTP.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use dataset::real::Real;
use e2e::{in_parts, with};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use support::push::Push;
use support::{Application, Settings};

const NUMBERS: [&str; 7] = [
    "nb_annee_term",
    "nb_en_emploi_6_mois",
    "nb_en_emploi_12_mois",
    "nb_en_emploi_18_mois",
    "nb_en_emploi_24_mois",
    "nb_poursuite_etudes",
    "nb_sortant",
];

/// A row of the open data: region, code, millésime, filière, and its numbers.
type Row = ([String; 4], [Option<u64>; 7]);

/// The table as it is, read without the program that made the documents.
fn table(file: &std::path::Path) -> Vec<Row> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut reader =
        csv::ReaderBuilder::new().delimiter(b';').from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|header| header == name).unwrap();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let text = |name: &str| row[column(name)].to_owned();
        let (code, filiere) = match text("voie").as_str() {
            "apprentissage" => (text("cfd"), "apprentissage"),
            _ => (text("mefstat11"), "pro"),
        };
        let numbers = NUMBERS.map(|name| row[column(name)].parse().ok());
        ([text("code_region"), code, text("millesime"), filiere.to_owned()], numbers)
    });
    rows.collect()
}

/// What a row of a list is about.
fn key(row: &Value) -> [String; 4] {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    [text(&row["region"]["code"]), text(&row["code_certification"]), text(&row["millesime"]), text(&row["filiere"])]
}

/// Walks every page of a list.
fn walk(application: &Application, list: &str, millesimes: &str, size: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    for page in 1.. {
        let path = format!("/api/inserjeunes/{list}?millesimes={millesimes}&items_par_page={size}&page={page}");
        let mut answer = application.get(&path).unwrap().json();
        let Value::Array(read) = answer[list].take() else { panic!("{path}: {answer}") };
        let (total, last) = (&answer["pagination"]["total"], read.len() < size);
        rows.extend(read);
        if last {
            assert_eq!(*total, rows.len(), "{path}");
            return rows;
        }
    }
    unreachable!("a list ends");
}

/// The size of a group, and one of its counts.
type Counted = (u64, Option<u64>);

#[test]
fn the_open_figures_come_back_row_by_row_number_by_number() {
    let Some(data) = support::shared("data", "the_open_figures") else { return };
    let table = table(&data.join("inserjeunes/regional.csv"));
    assert_eq!(table.len(), 40_322);
    let mut lines = Vec::new();
    let real = Real::read(&data).unwrap();
    for line in real.lines() {
        line.write_to(&mut lines).unwrap();
    }
    let application = with(Settings::default(), &Push { parts: in_parts(&lines), ..Push::all("") }).unwrap();
    report_counts_every_document(&application, &table);
    pages_meet_each_row_once_in_order(&application, &table);
    random_rows_are_the_tables_own(&application, &table);
    rncp_codes_find_their_cfd(&application, &real);
}

/// Every hundredth link, in both spellings: the CFD that it names is among what is found, at the cost of any search.
fn rncp_codes_find_their_cfd(application: &Application, real: &Real) {
    let links: Vec<_> = real.rncp().collect();
    assert!(links.len() > 5_000, "{}", links.len());
    for link in links.iter().step_by(100) {
        let text = |field: &str| link.doc[field].as_str().unwrap();
        let (cfd, rncp) = (text("code_certification"), text("rncp"));
        for q in [rncp.to_owned(), rncp.to_lowercase().replace("rncp", "rncp%20")] {
            let mut found = Vec::new();
            for page in 1.. {
                application.host.reset_counters();
                let answer =
                    application.get(&format!("/api/recherche?q={q}&type=certification&page={page}")).unwrap().json();
                let gets: u64 = application.host.counters().values().map(|of| of.gets).sum();
                assert!(gets <= 12, "{q}: {gets} gets");
                assert_eq!(answer["approche"], false, "{q}");
                found.extend(answer["resultats"].as_array().unwrap().clone());
                if answer["pagination"]["nombre_de_page"] == page {
                    break;
                }
            }
            let holds = |result: &&Value| result["codes"].as_array().unwrap().iter().any(|code| code["code"] == cfd);
            let result = found.iter().find(holds).unwrap_or_else(|| panic!("{q} does not find {cfd}"));
            assert!(result["rncp"].as_array().unwrap().iter().any(|code| code == rncp), "{q}: {result}");
        }
    }
}

fn report_counts_every_document(application: &Application, table: &[Row]) {
    let list = application.send(&application.import("GET", "reports")).unwrap().json();
    let id = list["rapports"][0]["id"].as_str().unwrap();
    let report = application.send(&application.import("GET", &format!("reports/{id}"))).unwrap().json();
    let documents = &report["bilan"]["documents"];
    let count = |maille: &str| -> u64 {
        let millesimes = documents[maille].as_object().unwrap();
        millesimes.values().flat_map(|sources| sources.as_object().unwrap().values()).filter_map(Value::as_u64).sum()
    };
    assert_eq!(count("regionales"), 40_322, "{documents}");
    let national: BTreeSet<_> =
        table.iter().map(|([_, code, millesime, filiere], _)| (code, millesime, filiere)).collect();
    assert_eq!(count("certifications"), national.len() as u64, "{documents}");
}

fn pages_meet_each_row_once_in_order(application: &Application, table: &[Row]) {
    let periods: BTreeSet<&str> = table.iter().map(|([_, _, millesime, _], _)| millesime.as_str()).collect();
    let periods: Vec<&str> = periods.into_iter().collect();
    let rows = walk(application, "regionales", &periods.join(","), 1000);
    let walked: Vec<[String; 4]> = rows.iter().map(key).collect();
    let expected: BTreeSet<&[String; 4]> = table.iter().map(|(key, _)| key).collect();
    assert_eq!(walked.len(), 40_322);
    assert_eq!(walked.iter().collect::<BTreeSet<_>>(), expected);
    // Smaller pages of a part give the same rows in the same order.
    let last = periods.last().copied().unwrap();
    let of_last: Vec<[String; 4]> = walked.iter().filter(|key| key[2] == last).cloned().collect();
    let small: Vec<[String; 4]> = walk(application, "regionales", last, 487).iter().map(key).collect();
    assert_eq!(small, of_last);
    let years: Vec<&str> = periods.iter().filter_map(|period| period.split('_').next_back()).collect();
    let national = walk(application, "certifications", &years.join(","), 1000);
    let keys: BTreeSet<[String; 4]> = national.iter().map(key).collect();
    assert_eq!(keys.len(), national.len());
    national_numbers_are_sums(&national, table);
}

/// National documents are sums over the regions that know how many went on studying, or over all where none does.
fn national_numbers_are_sums(national: &[Value], table: &[Row]) {
    let mut groups: BTreeMap<(&str, &str, &str), Vec<Counted>> = BTreeMap::new();
    for ([_, code, millesime, filiere], [size, .., studying, _]) in table {
        let year = millesime.rsplit('_').next().unwrap_or_default();
        groups.entry((code, year, filiere)).or_default().push((size.unwrap_or(0), *studying));
    }
    let mut shown = 0;
    for row in national {
        let [_, code, year, filiere] = key(row);
        let group = &groups[&(code.as_str(), year.as_str(), filiere.as_str())];
        let known: Vec<(u64, u64)> = group.iter().filter_map(|(size, studying)| Some((*size, (*studying)?))).collect();
        let place = format!("{code} {year} {filiere}: {row}");
        let size = match known.is_empty() {
            true => group.iter().map(|(size, _)| size).sum::<u64>(),
            false => known.iter().map(|(size, _)| size).sum(),
        };
        assert_eq!(row["nb_annee_term"].as_u64(), Some(size), "{place}");
        let studying = known.iter().map(|(_, studying)| studying).sum::<u64>();
        let studying = Some(studying).filter(|_| !known.is_empty() && size >= 20);
        assert_eq!(row["nb_poursuite_etudes"].as_u64(), studying, "{place}");
        shown += u32::from(studying.is_some());
    }
    assert!(shown > 1000, "{shown}");
}

fn random_rows_are_the_tables_own(application: &Application, table: &[Row]) {
    // Seeded: the same hundred each time.
    let mut state: usize = 20_26;
    for _ in 0..100 {
        state = (state.wrapping_mul(1_103_515_245) + 12_345) % 2_147_483_648;
        let ([region, code, millesime, filiere], numbers) = &table[state % table.len()];
        let path = format!("/api/inserjeunes/regionales/{region}/certifications/{code}?millesime={millesime}");
        let answer = application.get(&path).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let document = answer.json();
        assert_eq!(document["filiere"], *filiere, "{path}");
        let hidden = numbers[0].unwrap_or(0) < 20;
        for (name, number) in NUMBERS.into_iter().zip(numbers) {
            let expected = number.filter(|_| !hidden || name == "nb_annee_term");
            assert_eq!(document[name].as_u64(), expected, "{path} {name}: {document}");
        }
    }
}
