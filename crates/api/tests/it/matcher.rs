//! Matching a catalogue over the in-memory store: published, asked for, answered.

use crate::common::ReadStore;
use crate::instance::Instance;
use api::{BodyStream, Request, ResponseBody, matcher};
use domain::{Document, Kind};
use futures_executor::{block_on, block_on_stream};
use futures_util::StreamExt;
use matching_cases::{Case, compare, documents};
use publication::{JobStep, PublicationOptions};
use published::Push;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use store::kv::KeyValue;
use store::pointer::MillesimesInForce;

struct Harness(Instance<ReadStore>);

impl Default for Harness {
    fn default() -> Self {
        Self(Instance { now: 1_725_000_000_000, ..Instance::default() })
    }
}

struct Seen {
    status: u16,
    headers: BTreeMap<String, String>,
    pieces: Vec<Vec<u8>>,
    whole: bool,
}

impl Seen {
    fn text(&self) -> String {
        String::from_utf8(self.pieces.concat()).unwrap()
    }
    fn json(&self) -> Value {
        serde_json::from_slice(&self.pieces.concat()).unwrap()
    }
    fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Harness {
    fn publish(&self, id: &str, lines: &[Value], millesime: Option<&str>) {
        let millesimes = millesime.map(|one| {
            let some = || Some(one.to_owned());
            MillesimesInForce {
                certifications: some(),
                certifications_sup: some(),
                formations: some(),
                formations_sup: some(),
                ..MillesimesInForce::default()
            }
        });
        let options = PublicationOptions { confirm_losses: true, millesimes, ..PublicationOptions::default() };
        let push = Push { options, ..Push::default() };
        let job = push.publish(&self.0.store.0, id, &published::lines(lines));
        assert_eq!(job.step, JobStep::Published, "{:?}", job.summary);
        self.0.monotonic.set(self.0.monotonic.get() + 2_000);
    }

    fn call(&self, method: &str, url: &str, headers: &[(&str, &str)], chunks: Vec<Vec<u8>>) -> Seen {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let request = Request {
            method: method.to_owned().into(),
            path: format!("/api/appariement/{path}"),
            query: query.into(),
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>().into(),
            body: Vec::new(),
        };
        let body = BodyStream::new(futures_util::stream::iter(chunks.into_iter().map(Ok)));
        let clock = Rc::clone(&self.0.monotonic);
        let response = block_on(matcher::respond(&self.0, request, body, Rc::new(move || clock.get())));
        let headers = response.headers.iter().map(|(n, v)| ((*n).to_owned(), v.to_string())).collect();
        let (mut pieces, mut whole) = (Vec::new(), true);
        match response.body {
            ResponseBody::Bytes(bytes) => pieces.push(bytes),
            ResponseBody::Stream(stream) => {
                for piece in block_on_stream(stream) {
                    match piece {
                        Ok(piece) => pieces.push(piece),
                        Err(_) => whole = false,
                    }
                }
            }
        }
        Seen { status: response.status, headers, pieces, whole }
    }

    fn get(&self, url: &str) -> Seen {
        self.call("GET", url, &[], Vec::new())
    }

    fn post(&self, url: &str, file: &str, headers: &[(&str, &str)]) -> Seen {
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain([("x-api-key", "cle")]).collect();
        self.call("POST", url, &headers, file.as_bytes().chunks(7).map(<[u8]>::to_vec).collect())
    }
}

fn lines_of(case: &Case) -> Vec<Value> {
    // Cases leave out what documents of a push must say.
    let line = |(kind, mut doc): (Kind, Document)| {
        if kind == Kind::Etablissement {
            doc.insert("appellation_officielle".into(), "x".into());
        }
        json!({"kind": kind.name(), "doc": doc})
    };
    documents::of(case).into_iter().map(line).collect()
}

fn cases() -> Vec<Case> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/matching-cases/cases");
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/parcoursup");
    let folders = [own, shared].into_iter().filter(|folder| folder.exists());
    folders.flat_map(|folder| matching_cases::load(&folder).unwrap().into_values().flatten()).collect()
}

/// Every recorded case, from pushed lines to answers of the routes.
#[test]
fn every_case_passes_over_the_routes() {
    let (mut failures, mut played) = (Vec::new(), 0);
    for case in cases() {
        let harness = Harness::default();
        harness.publish("a", &lines_of(&case), Some(&case.last_millesime));
        let file = Value::from(case.rows.iter().cloned().map(Value::Object).collect::<Vec<_>>()).to_string();
        let options = format!("date_campagne={}", case.campaign);
        let json = [("content-type", "application/json"), ("accept", "application/x-ndjson")];
        let seen = harness.post(&format!("formations?{options}"), &file, &json);
        let answers: Vec<Map<String, Value>> = seen
            .lines()
            .into_iter()
            .map(|line| {
                let mut answer = line.as_object().unwrap().clone();
                let key = answer.iter().find(|(name, _)| matching::file::fold(name) == "codeformationaccueil");
                let key = key.map(|(_, key)| key.as_str().unwrap_or_default().trim().to_owned());
                answer.insert("CODEFORMATIONACCUEIL".into(), key.into());
                answer
            })
            .collect();
        let mut differences = compare::answers(&case.expected, &answers);
        let codes = harness.post(&format!("codes?{options}"), &file, &json);
        differences.extend(compare::lines(&case.expected_resolver, &codes.lines()));
        played += 1;
        if !differences.is_empty() {
            failures.push(format!("{}: {}", case.id, differences.join("\n  ")));
        }
    }
    assert!(failures.is_empty(), "{} of {played}:\n{}", failures.len(), failures.join("\n\n"));
    assert!(played >= 80);
}

/// An establishment with figures, one below the threshold, an antenna, a code given by hand.
fn small() -> Vec<Value> {
    let line = |kind: &str, doc: Value| json!({"kind": kind, "doc": doc});
    let mef = |mef: &str, code: &str, year: &str| {
        line(
            "bcn_mef",
            json!({"mef": mef, "mef_stat_11": code, "formation_diplome": "32031213", "duree_dispositif": "2", "annee_dispositif": year}),
        )
    };
    let figures = |uai: &str, size: f64, rate: f64| {
        line(
            "formation",
            json!({"uai": uai, "code_certification": "32221031213", "millesime": "2022", "filiere": "pro",
                "nb_annee_term": size, "taux_en_emploi_6_mois": rate, "taux_en_formation": 31, "taux_autres_6_mois": 17}),
        )
    };
    vec![
        mef("3113121321", "32211031213", "1"),
        mef("3113121322", "32221031213", "2"),
        line(
            "bcn",
            json!({"type": "cfd", "code_certification": "32031213", "libelle_long": "Commerce international",
            "diplome": {"code": "5", "libelle": "BTS"}, "date_ouverture": {"$date": "2013-09-01T00:00:00.000Z"}}),
        ),
        line(
            "bcn",
            json!({"type": "mef", "code_certification": "32221031213", "libelle_long": "Commerce international 2e année"}),
        ),
        line("certif_info", json!({"code": "47", "cfd": "32031213", "rncp": "RNCP38362", "ideo": "FOR.1"})),
        line("etablissement", json!({"numero_uai": "9990001X", "academie": "10"})),
        line("etablissement", json!({"numero_uai": "9990002Y", "academie": "10"})),
        line("uai_mere", json!({"numero_uai_trouve": "9990003Z", "numero_uai_mere": "9990001X"})),
        figures("9990001X", 34.0, 52.0),
        figures("9990002Y", 17.0, 43.0),
        line("encodage", json!({"cle": "77", "code_certification": "MEFSTAT11:32221031213"})),
        line("encodage", json!({"cle": "78", "code_certification": "MEFSTAT11:32221031213", "auteur": "autre"})),
        line(
            "perimetre",
            json!({"campagne": "2024", "type_diplome": "BTS - SERVICES", "filiere": "Scolaire", "dans_le_perimetre": true}),
        ),
    ]
}

fn published() -> Harness {
    let harness = Harness::default();
    harness.publish("a", &small(), None);
    harness
}

#[test]
fn one_row_is_answered_explained_and_kept_by_its_etag() {
    let harness = published();
    let url = "formation?codeformationaccueil=1&uai_ges=9990001X&codemef=3113121321&date_campagne=2024-08-31";
    let seen = harness.get(url);
    let body = seen.json();
    assert_eq!(seen.status, 200, "{}", seen.text());
    assert_eq!((&body["raison"], &body["taux_en_emploi_6_mois"]), (&json!("couvert"), &json!(52)));
    assert_eq!(body["code_certification_donnee"], "MEFSTAT11:32221031213");
    assert_eq!(body["CODEMEF"], "3113121321");
    let etag = seen.header("etag").to_owned();
    assert_eq!(harness.call("GET", url, &[("if-none-match", &etag)], Vec::new()).status, 304);
    let explained = harness.get(&format!("{url}&explication=1")).json();
    assert!(explained["explication"]["essais"].is_array() && explained["correction"]["qui"].is_string());
    let codes = harness.get("codes?codemef=3113121321").json();
    assert_eq!(codes["codes"][0]["codes"], json!(["MEFSTAT11:32211031213"]));
}

/// Invariant 3: nothing of a group below the threshold leaves, by no route.
#[test]
fn invariant_3_below_the_threshold_no_route_has_a_number() {
    let harness = published();
    let file = "CODEFORMATIONACCUEIL;UAI_GES;CODEMEF\n1;9990002Y;3113121322\n";
    let answers = [
        harness.get("formation?uai_ges=9990002Y&codemef=3113121322&explication=1").text(),
        harness.post("formations?explication=1", file, &[]).text(),
        harness.post("couverture", file, &[]).text(),
        harness.get("etablissements/9990002Y/suggestions").text(),
    ];
    for answer in &answers {
        assert!(!answer.contains("43") && !answer.contains("17"), "{answer}");
    }
    assert!(answers[0].contains("sous_seuil") && answers[1].contains("sous_seuil"));
    let kv = &harness.0.store.0;
    for key in kv.keys().into_iter().filter(|key| key.contains(":appariement")) {
        let value = block_on(kv.get(&key)).unwrap().unwrap();
        for number in [43.0f64, 17.0] {
            let there = value.windows(8).any(|bytes| bytes == number.to_le_bytes());
            // 17 is also a rate of the covered group.
            assert!(!there || number == 17.0, "{key} holds {number}");
        }
    }
}

/// One MEFSTAT11 stands twice in N_MEF, for two diplomas; an identifier of Onisep, and an entry of Certif Info, may have a line
/// for each code that they lead to. No line takes the place of another.
#[test]
fn lines_that_share_an_identifier_all_count() {
    let harness = Harness::default();
    let mut lines = small();
    let mut add = |kind: &str, doc: Value| lines.push(json!({"kind": kind, "doc": doc}));
    for (mef, cfd) in [("3171340131", "32113401"), ("4181340131", "24113401")] {
        add("bcn_mef", json!({"mef": mef, "mef_stat_11": "32710013401", "formation_diplome": cfd}));
        add("ideo", json!({"ideo": "FOR.9", "code_certification": cfd}));
        add("certif_info", json!({"code": "99", "rncp": "RNCP9", "cfd": cfd}));
    }
    harness.publish("a", &lines, None);
    for (query, expected) in [
        ("codemef=3171340131", json!(["CFD:32113401"])),
        ("codemef=4181340131", json!(["CFD:24113401"])),
        ("liste_ideo=FOR.9", json!(["CFD:24113401", "CFD:32113401"])),
        ("liste_rncp=RNCP9", json!(["CFD:24113401", "CFD:32113401"])),
    ] {
        let answer = harness.get(&format!("codes?apprentissageouscolaire=Apprentissage&{query}")).json();
        assert_eq!(answer["codes"][0]["codes"], expected, "{query}: {answer}");
    }
}

#[test]
fn codes_given_by_hand_are_their_authors() {
    let harness = published();
    let file = "CODEFORMATIONACCUEIL;UAI_GES\n77;9990001X\n78;9990001X\n";
    let answer = harness.post("formations", file, &[("accept", "application/x-ndjson")]).lines();
    assert_eq!((&answer[0]["source"], &answer[0]["raison"]), (&json!("manuel"), &json!("couvert")));
    assert_eq!(answer[1]["raison"], "code_inconnu", "given by another account");
    let public = harness.get("formation?codeformationaccueil=77&uai_ges=9990001X").json();
    assert_eq!(public["raison"], "code_inconnu", "nobody's, where no key is sent");
}

#[test]
fn a_catalogue_comes_back_row_by_row_in_its_own_form() {
    let harness = published();
    let csv =
        "CODEFORMATIONACCUEIL;UAI_GES;CODEMEF;Autre\r\n1;9990001X;3113121321;\"a;b\"\r\n2;9990002Y;3113121322;é\r\n";
    let seen = harness.post("formations", csv, &[("content-type", "text/csv")]);
    assert_eq!((seen.status, seen.header("content-type")), (200, "text/csv; charset=utf-8"));
    let text = seen.text();
    assert!(text.starts_with("CODEFORMATIONACCUEIL;UAI_GES;CODEMEF;Autre;code_certification_retenu;"), "{text}");
    assert!(text.contains("\n1;9990001X;3113121321;\"a;b\";MEFSTAT11:32211031213;"), "{text}");
    assert!(seen.pieces[0].split(|b| *b == b'\n').count() == 3, "the first row goes with the names");
    let only = harness.post("formations?colonnes=retenues&blocs=insertion", csv, &[]).text();
    assert!(only.starts_with("CODEFORMATIONACCUEIL;code_certification_retenu;") && !only.contains("salaire"), "{only}");
    let latin = b"CODEFORMATIONACCUEIL;Libell\xe9\n1;\xe9t\xe9\n".to_vec();
    let seen = harness.call("POST", "formations", &[("x-api-key", "cle")], vec![latin]);
    assert!(seen.text().contains("Libellé") && seen.text().contains("été"), "{}", seen.text());
    let ndjson = "{\"CODEFORMATIONACCUEIL\": \"1\", \"CODEMEF\": \"3113121321\"}\n{\"CODEFORMATIONACCUEIL\": \"2\"}\n";
    let answers = harness.post("formations", ndjson, &[]).lines();
    assert_eq!((answers.len(), &answers[0]["CODEMEF"]), (2, &json!("3113121321")));
    let affelnet = harness.post("formations?cle=VOEU", "VOEU,UAI_GES,CODEMEF\nv1,9990001X,3113121321\n", &[]).text();
    assert!(affelnet.contains("\nv1,9990001X,3113121321,MEFSTAT11:32211031213,"), "{affelnet}");
}

#[test]
fn bad_files_and_requests_are_told_before_the_first_byte() {
    let harness = published();
    for (url, file, status, expected) in [
        ("formations", "UAI_GES;CODEMEF\n1;2\n", 400, "Colonnes trouvées : UAI_GES, CODEMEF"),
        ("formations", "", 400, "vide"),
        ("formations", "PK\u{3}\u{4}\0\0\0\n", 400, "n'est pas du texte"),
        ("formations?inconnu=1", "", 400, "inconnu : paramètre inconnu"),
        ("formations?date_campagne=2024", "", 400, "date_campagne"),
        ("formations?millesime=x", "", 400, "millesime"),
        ("formations?blocs=x", "", 400, "blocs"),
        ("formations?a_partir=0", "", 400, "a_partir"),
        ("formations?generation=g99", "", 409, "g99"),
        ("formations?voie=x", "", 400, "voie"),
    ] {
        let seen = harness.post(url, file, &[]);
        assert_eq!(seen.status, status, "{url}");
        let message = seen.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(expected), "{url}: {message}");
    }
    let long = format!("CODEFORMATIONACCUEIL;CODEMEF\n1;{}\n", "x".repeat(70_000));
    assert_eq!(harness.post("formations", &long, &[]).status, 413);
    let later = format!("CODEFORMATIONACCUEIL;CODEMEF\n1;2\n1;{}\n3;4\n", "x".repeat(70_000));
    let seen = harness.post("formations", &later, &[("accept", "application/x-ndjson")]);
    let reasons: Vec<Value> = seen.lines().iter().map(|line| line["raison"].clone()).collect();
    assert_eq!(reasons, ["code_inconnu", "ligne_illisible", "code_inconnu"]);
    assert_eq!(harness.post("formations", "", &[("content-type", "text/csv; charset=utf-7")]).status, 415);
    assert_eq!(harness.call("POST", "formations", &[], Vec::new()).status, 401);
    for (method, url) in [("GET", "formations"), ("POST", "formation"), ("GET", "autre"), ("DELETE", "raisons")] {
        assert_eq!(harness.call(method, url, &[], Vec::new()).status, 404, "{method} {url}");
    }
    assert_eq!(harness.get("formation?codemef=1&codemef=2").status, 400);
    let unpublished = Harness::default();
    assert_eq!(unpublished.get("formation?codemef=1").status, 503);
}

#[test]
fn an_answer_that_is_taken_up_again_has_the_same_bytes() {
    let harness = published();
    let rows: String = (1..=200).map(|n| format!("{n};9990001X;3113121321;reste {n}\n")).collect();
    let file = format!("CODEFORMATIONACCUEIL;UAI_GES;CODEMEF;Autre\n{rows}");
    for accept in ["text/csv", "application/x-ndjson"] {
        let headers = [("accept", accept)];
        let whole = harness.post("formations", &file, &headers);
        let generation = whole.header("x-generation").to_owned();
        for cut in [1, 2, 77, 200] {
            let rest = harness.post(&format!("formations?a_partir={cut}&generation={generation}"), &file, &headers);
            assert!(whole.text().ends_with(&rest.text()), "{cut}");
            let lines = rest.text().lines().count();
            assert_eq!(lines, 201 - cut + usize::from(cut == 1 && accept == "text/csv"));
        }
    }
}

#[test]
fn an_answer_ends_between_two_rows_once_its_time_is_over() {
    let harness = published();
    let file: String = (1..=50).map(|n| format!("{{\"CODEFORMATIONACCUEIL\": \"{n}\"}}\n")).collect();
    let clock = Rc::clone(&harness.0.monotonic);
    let chunks = file.into_bytes().chunks(100).map(<[u8]>::to_vec).collect::<Vec<_>>();
    // Every chunk takes three seconds to come.
    let slow = futures_util::stream::iter(chunks).map(move |chunk| {
        clock.set(clock.get() + 3_000);
        Ok(chunk)
    });
    let request = Request {
        method: "POST".into(),
        path: "/api/appariement/formations".into(),
        headers: vec![("x-api-key".to_owned(), "cle".to_owned())].into(),
        ..Request::default()
    };
    let clock = Rc::clone(&harness.0.monotonic);
    let response = block_on(matcher::respond(&harness.0, request, BodyStream::new(slow), Rc::new(move || clock.get())));
    let ResponseBody::Stream(stream) = response.body else { panic!("no stream") };
    let text: Vec<u8> = block_on_stream(stream).flat_map(Result::unwrap).collect();
    let lines: Vec<Value> =
        String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let next = lines.last().unwrap()["suite"]["ligne"].as_u64().unwrap();
    assert!(next > 1 && lines.len() as u64 == next && next < 50, "{next} {}", lines.len());
}

#[test]
fn a_summary_adds_up() {
    let harness = published();
    let file = "CODEFORMATIONACCUEIL;UAI_GES;CODEMEF;LIBFORMATION;APPRENTISSAGEOUSCOLAIRE;NBDEDEMANDES\n\
                1;9990001X;3113121321;BTS - SERVICES;Scolaire;10\n2;9990002Y;3113121321;BTS - Services;Scolaire;5\n\
                3;9990001X;;AUTRE;Scolaire;1\n";
    let seen = harness.post("couverture?date_campagne=2024-08-31", file, &[]);
    let body = seen.json();
    assert_eq!(body["total"], json!({"lignes": 3, "demandes": 16}));
    assert_eq!(body["dans_le_perimetre"], json!({"lignes": 2, "demandes": 15}), "{body}");
    for list in ["par_raison", "par_source", "par_type"] {
        let sum: u64 = body[list].as_array().unwrap().iter().map(|one| one["lignes"].as_u64().unwrap()).sum();
        assert_eq!(sum, 3, "{list}");
    }
    assert_eq!(body["suite"], Value::Null);
}

#[test]
fn suggestions_name_what_is_taught_there_and_around() {
    let harness = published();
    let body = harness.get("etablissements/9990003Z/suggestions?rncp=RNCP38362").json();
    let first = &body["suggestions"][0];
    assert_eq!(first["code_certification"], "MEFSTAT11:32221031213");
    assert_eq!((&first["correspond"], &first["rncp"]), (&json!(true), &json!(["RNCP38362"])));
    assert_eq!(first["etablissements"], json!([{"uai": "9990001X", "lien": "mère"}]));
    assert_eq!(harness.get("etablissements/9990001X/suggestions?q=Commerce").json()["total"], 1);
    assert_eq!(harness.get("etablissements/9990001X/suggestions?q=zzz").json()["total"], 0);
    assert_eq!(harness.get("etablissements/9999999Z/suggestions").status, 404);
    assert_eq!(harness.get("etablissements/x/suggestions").status, 400);
    assert_eq!(harness.get("raisons").json()["raisons"].as_array().unwrap().len(), matching::Reason::ALL.len());
}

#[test]
fn invariant_5_a_row_asks_for_few_values_and_a_second_one_for_none() {
    let harness = published();
    let before = harness.0.store.1.get();
    harness.get("formation?uai_ges=9990001X&codemef=3113121321");
    let first = harness.0.store.1.get() - before;
    assert!(first <= 4, "the pointer, the plan, a page of links, a page of places: {first}");
    harness.get("formation?uai_ges=9990001X&codemef=3113121321");
    assert_eq!(harness.0.store.1.get() - before, first);
}

/// Invariant 9: a missing page is a fault, never an absence.
#[test]
fn invariant_9_a_missing_page_breaks_the_answer_off() {
    let harness = published();
    let key = harness.0.store.0.keys().into_iter().find(|key| key.contains(":appariement.lieux:")).unwrap();
    harness.0.store.0.corrupt(&key, None);
    assert_eq!(harness.get("formation?uai_ges=9990001X&codemef=3113121321").status, 503);
    let seen = harness.post("formations", "CODEFORMATIONACCUEIL;UAI_GES\n1;9990001X\n", &[]);
    assert!(!seen.whole);
}
