//! Long lists, past the limit where they are streamed: whole under any neighbour, or visibly broken off.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use e2e::{in_parts, line, with};
use flate2::read::GzDecoder;
use serde_json::json;
use std::io::Read;
use support::push::Push;
use support::{Answer, Application, Request, Settings};

/// Rows of the list: a CSV is streamed from 10,241 rows on, JSON and NDJSON from 1,921.
const ROWS: usize = 12_000;

/// How many rows a body holds.
type CountRows<'a> = &'a dyn Fn(&[u8]) -> usize;

fn long_list() -> Push {
    let lines: String = (0..ROWS)
        .map(|number| {
            let uai = format!("{:07}A", number / 3);
            let code = format!("4002500{}", number % 3);
            let doc = json!({
                "uai": uai, "code_certification": code, "filiere": "pro", "millesime": "2021_2022",
                "region": {"code": "11", "nom": "Île-de-France"}, "academie": {"code": "10", "nom": "Lyon"},
                "nb_annee_term": 20 + number % 80, "nb_sortant": 30, "taux_en_emploi_6_mois": number % 100,
            });
            line("formation", &doc)
        })
        .collect();
    Push { parts: in_parts(lines.as_bytes()), ..Push::all("") }
}

/// Every instance answers many requests at once, as under load.
fn shared_instances() -> Settings {
    let mut settings = Settings::default();
    settings.reuse.max_requests = 100_000;
    settings.reuse.max_concurrent = 16;
    settings
}

fn ask(application: &Application, path: &str, gzip: bool) -> Answer {
    let mut request = Request::get(path).header("x-api-key", &application.settings.legacy_api_key);
    if gzip {
        request = request.header("accept-encoding", "gzip");
    }
    application.send(&request).unwrap()
}

fn body(answer: &Answer) -> Vec<u8> {
    if answer.header("content-encoding") != Some("gzip") {
        return answer.body.clone();
    }
    let mut body = Vec::new();
    GzDecoder::new(answer.body.as_slice()).read_to_end(&mut body).unwrap();
    body
}

#[test]
fn long_lists_are_whole_compressed_or_not_side_by_side() {
    let application = with(shared_instances(), &long_list()).unwrap();
    let json = |body: &[u8]| {
        let list: serde_json::Value = serde_json::from_slice(body).unwrap();
        list["formations"].as_array().unwrap().len()
    };
    let csv = |body: &[u8]| csv::ReaderBuilder::new().delimiter(b';').from_reader(body).records().count();
    let ndjson = |body: &[u8]| body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    let formats: [(&str, usize, CountRows<'_>); 3] =
        [("", 6_000, &json), (".csv", ROWS, &csv), (".ndjson", ROWS, &ndjson)];
    for (format, rows, rows_of) in formats {
        let path = format!("/api/inserjeunes/formations{format}?items_par_page={rows}");
        let path = path.as_str();
        let alone = ask(&application, path, false);
        assert_eq!(alone.status, 200, "{path}: {}", alone.text());
        assert_eq!(rows_of(&alone.body), rows, "{path}");
        let application = &application;
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let asked: Vec<_> =
                (0..11).map(|number| scope.spawn(move || ask(application, path, number % 4 == 0))).collect();
            asked.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        for (number, answer) in answers.iter().enumerate() {
            assert_eq!(answer.header("content-encoding").is_some(), number % 4 == 0, "{path}");
            assert!(answer.header("transfer-encoding").is_some(), "{path}: not streamed, so nothing is tested");
            assert!(body(answer) == alone.body, "{path}: answer {number} of {} bytes differs", answer.body.len());
            // What a client needs to tell a whole CSV from a cut one.
            let told = [answer.header("x-row-count"), answer.header("x-total-count")];
            assert_eq!(
                told,
                [rows, ROWS].map(|count| count.to_string()).each_ref().map(|count| Some(count.as_str())),
                "{path}"
            );
        }
    }
    // Nothing trapped: an instance that had would have been replaced.
    assert!(application.host.counters()["formations"].instances <= 11);
}
