//! What a publication changes, and what it never does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use e2e::{generation, line, sample, with, with_sample};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use support::push::Push;
use support::{Application, Request, Settings};

#[test]
fn unchanged_data_makes_no_new_generation() {
    let application = with_sample(Settings::default()).unwrap();
    let before = generation(&application).unwrap();
    let job = application.push(&sample().unwrap()).unwrap();
    assert_eq!(job["etape"], "inchange", "{job}");
    assert_eq!(generation(&application).unwrap(), before);
}

/// Forty certifications whose every number is the generation's, each year before the last naming two final years.
fn of_generation(number: u64) -> Push {
    let mut lines = String::new();
    for code in 0..40 {
        let mut doc = json!({
            "millesime": "2023", "code_certification": format!("238300990{code:02}"),
            "code_certification_type": "mef11", "code_formation_diplome": format!("400990{code:02}"),
            "libelle": "Certification", "diplome": {"code": "4", "libelle": "BAC PRO"}, "filiere": "pro",
        });
        let mut bcn = doc.clone();
        bcn["type"] = "mef".into();
        for count in ["nb_annee_term", "nb_sortant"] {
            doc[count] = number.into();
        }
        if code == 0 {
            doc["certificationsTerminales"] =
                json!([{"code_certification": "23830099001"}, {"code_certification": "23830099002"}]);
        }
        lines += &line("certification", &doc);
        // The filieres view goes from codes to their CFDs.
        lines += &line("bcn", &bcn);
    }
    Push::all(lines)
}

/// Every number of an answer.
fn numbers(value: &Value, found: &mut Vec<u64>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_u64() {
                    Some(number) if name.starts_with("nb_") => found.push(number),
                    _ => numbers(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| numbers(item, found)),
        _ => {}
    }
}

#[test]
fn invariant_2_every_answer_belongs_to_one_generation() {
    let application = with(Settings::default(), &of_generation(100)).unwrap();
    let (ended, seen) = (AtomicBool::new(false), AtomicUsize::new(0));
    let paths = [
        "/api/inserjeunes/certifications?items_par_page=40",
        "/api/inserjeunes/certifications/23830099000",
        "/api/inserjeunes/certifications/23830099001,23830099002?vue=filieres",
    ];
    std::thread::scope(|scope| {
        for reader in 0..8 {
            let (application, ended, seen) = (&application, &ended, &seen);
            scope.spawn(move || {
                let mut last = 0;
                for turn in reader.. {
                    let path = paths[turn % paths.len()];
                    let answer = application.get(path).unwrap();
                    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                    let mut found = Vec::new();
                    numbers(&answer.json(), &mut found);
                    // The filieres view sums two documents.
                    let factor = if path.ends_with("filieres") { 2 } else { 1 };
                    let first = found[0];
                    assert!(found.iter().all(|number| *number == first), "{path} mixes generations: {found:?}");
                    if first / factor != last {
                        last = first / factor;
                        seen.fetch_add(1, Relaxed);
                    }
                    if ended.load(Relaxed) {
                        return;
                    }
                }
            });
        }
        let publish = |number| {
            let job = application.push(&of_generation(number)).unwrap();
            assert_eq!(job["etape"], "publie", "{job}");
            // Instances follow the pointer they have read for a second.
            std::thread::sleep(std::time::Duration::from_millis(300));
        };
        for number in 101..109 {
            publish(number);
        }
        ended.store(true, Relaxed);
    });
    assert!(seen.load(Relaxed) > 16, "readers saw {} changes only", seen.load(Relaxed));
}

/// What is served: a list, a document, the generation.
fn served(application: &Application) -> (String, String, String) {
    let text = |path: &str| application.get(path).unwrap().text();
    (
        text("/api/inserjeunes/formations?items_par_page=50"),
        text("/api/inserjeunes/certifications/40099011"),
        generation(application).unwrap(),
    )
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let application = with_sample(Settings::default()).unwrap();
    let before = served(&application);
    let good = sample().unwrap();
    let id = application.stage(&good).unwrap();
    let part = |number: &str| application.import("PUT", &format!("jobs/{id}/parts/{number}"));
    let publish = |body: &str| application.import("POST", &format!("jobs/{id}/publish")).body(body);
    let with_secret = |secret: &str| {
        Request::new("POST", "/internal/import/jobs").header("authorization", &format!("Bearer {secret}")).body("{}")
    };
    let long_line = line("bcn", &json!({"type": "cfd", "libelle": "x".repeat(2 << 20)}));
    let cases: Vec<(&str, Request, u16)> = vec![
        ("no secret", Request::new("POST", "/internal/import/jobs"), 401),
        ("a wrong secret", with_secret("autre"), 401),
        ("an empty secret", with_secret(""), 401),
        ("the read key as secret", with_secret(&application.settings.legacy_api_key), 401),
        ("an unknown kind to replace", application.import("POST", "jobs").body(r#"{"kinds":["autre"]}"#), 422),
        ("an unknown mode", application.import("POST", "jobs").body(r#"{"mode":"effacer"}"#), 422),
        ("no JSON", application.import("POST", "jobs").body("{"), 422),
        (
            "a body that is not what its digest says",
            part("1").header("content-digest", "sha-256=:AAAA:").body("x"),
            400,
        ),
        ("a digest of another kind", part("1").header("content-digest", "md5=:AAAA:").body("x"), 400),
        ("a line of 2 MiB", part("1").body(long_line), 413),
        ("a part of 9 MiB", part("1").body("\n".repeat(9 << 20)), 413),
        ("a part out of order", part("7").body("{}"), 409),
        ("a part without number", part("un").body("{}"), 422),
        ("a part of no job", application.import("PUT", "jobs/inconnu/parts/0").body("{}"), 404),
        ("parts that are missing", publish(r#"{"parties":9}"#), 422),
        ("no part", publish(r#"{"parties":0}"#), 422),
        ("an unknown member", publish(r#"{"partis":1}"#), 422),
        ("an unknown route", application.import("POST", "tout"), 404),
        ("a bad line in one call", application.import("POST", "documents").body("pas du json\n"), 422),
        ("an unknown kind in one call", application.import("POST", "documents").body(line("autre", &json!({}))), 422),
    ];
    for (what, request, status) in cases {
        let answer = application.send(&request).unwrap_or_else(|fault| panic!("{what}: {fault}"));
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        let body = answer.json();
        assert_eq!(body["statusCode"], status, "{what}: {body}");
        assert!(body["error"].is_string() && body["message"].is_string(), "{what}: {body}");
    }
    assert_eq!(served(&application), before);
}

#[test]
fn a_refused_line_is_named_and_keeps_the_rest_back_until_it_is_accepted() {
    let application = with_sample(Settings::default()).unwrap();
    let before = served(&application);
    let opened = application.send(&application.import("POST", "jobs").body(r#"{"mode":"ajouter"}"#)).unwrap();
    let id = opened.json()["id"].as_str().unwrap().to_owned();
    let bcn = line("bcn", &json!({"type": "cfd", "code_certification": "49999999", "libelle": "NOUVEAU"}));
    let body = format!("{bcn}{{\"kind\": \"formation\", \"doc\": {{\n{}", line("autre", &json!({})));
    let info = application.send(&application.import("PUT", &format!("jobs/{id}/parts/0")).body(body)).unwrap().json();
    assert_eq!(
        (&info["refusees"], &info["refus"][0]["ligne"], &info["refus"][1]["ligne"]),
        (&json!(2), &json!(2), &json!(3))
    );
    let publish = |body: &str| application.send(&application.import("POST", &format!("jobs/{id}/publish")).body(body));
    assert_eq!(publish(r#"{"parties":1}"#).unwrap().status, 422);
    assert_eq!(served(&application), before);
    assert_eq!(publish(r#"{"parties":1,"accepter_refus":true}"#).unwrap().status, 202);
    assert_eq!(application.run(&id).unwrap()["etape"], "publie");
    let found = application.get("/api/inserjeunes/bcn?items_par_page=500").unwrap().text();
    assert!(found.contains("49999999"));
}

#[test]
fn a_cut_body_changes_nothing() {
    use std::io::Write;
    let application = with_sample(Settings::default()).unwrap();
    let before = served(&application);
    let mut stream = std::net::TcpStream::connect(application.host.address()).unwrap();
    let secret = &application.settings.import_secret;
    write!(
        stream,
        "POST /internal/import/documents HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\ncontent-length: 900\r\n\r\n{}",
        line("bcn", &json!({"type": "cfd", "code_certification": "49999998", "libelle": "COUPÉ"}))
    )
    .unwrap();
    drop(stream);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(served(&application), before);
}
