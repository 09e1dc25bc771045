//! Invariant 9: a store that cannot be read is a 503, never "no data"; a missing value sends the request one
//! generation back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use e2e::{cold, generation, sample, with_sample};
use host::testing::{Effect, Fault, Faults, Operation};
use support::{Answer, Application, Request};

fn faults(application: &Application, prefix: &str, effect: Effect) {
    let rule = Fault { on: Operation::Read, prefix: Some(prefix.to_owned()), effect, ..Fault::default() };
    application.host.inject_faults(Faults::one(rule));
}

fn must_be_unavailable(path: &str, answer: &Answer) {
    assert_eq!(answer.status, 503, "{path}: {}", answer.text());
    let seconds: Option<u32> = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
    assert!(seconds.is_some_and(|seconds| seconds > 0), "{path}: {:?}", answer.headers);
    assert_eq!(answer.json()["statusCode"], 503, "{path}");
}

const PATHS: [&str; 10] = [
    "/api/inserjeunes/certifications/40099011",
    "/api/inserjeunes/certifications/40099011.svg",
    "/api/inserjeunes/certifications/40099011.svg?imageOnError=true",
    "/api/images/certifications/40099011.svg",
    "/api/images/certifications/40099011.png?imageOnError=true",
    "/api/inserjeunes/certifications/40099011?vue=filieres",
    "/api/inserjeunes/regionales/11/certifications/40099011",
    "/api/inserjeunes/certifications",
    "/api/inserjeunes/formations.csv",
    "/api/inserjeunes/bcn",
];

#[test]
fn a_failing_store_is_a_503_and_then_all_is_well_again() {
    let application = with_sample(cold()).unwrap();
    let before: Vec<Answer> = PATHS.iter().map(|path| application.get(path).unwrap()).collect();
    faults(&application, "", Effect::Fail);
    for path in PATHS {
        must_be_unavailable(path, &application.get(path).unwrap());
    }
    let login = Request::new("POST", "/api/inserjeunes/auth/login")
        .header("content-type", "application/json")
        .body(r#"{"username":"personne","password":"Inconnu1234!"}"#);
    must_be_unavailable("login", &application.send(&login).unwrap());
    application.host.inject_faults(Faults::default());
    for (path, before) in PATHS.iter().zip(before) {
        let after = application.get(path).unwrap();
        assert_eq!((after.status, after.text()), (before.status, before.text()), "{path}");
    }
    assert_eq!(application.send(&login).unwrap().status, 401);
}

#[test]
fn a_missing_pointer_is_a_503() {
    let application = with_sample(cold()).unwrap();
    faults(&application, "current", Effect::Absent);
    for path in PATHS {
        must_be_unavailable(path, &application.get(path).unwrap());
    }
}

/// As where a server of the store drops keys when its memory is full.
#[test]
fn values_that_are_gone_are_told_by_the_status() {
    let application = with_sample(cold()).unwrap();
    let state = || application.get("/api/status").unwrap();
    assert_eq!(state().json()["etat"], "ok");
    let served = generation(&application).unwrap();
    for family in ["certifications", "regionales", "formations", "nomenclature", "comptes"] {
        faults(&application, &format!("{served}:{family}:"), Effect::Absent);
        let answer = state();
        assert_eq!((answer.status, &answer.json()["etat"]), (200, &"incomplet".into()), "{family}");
        assert!(application.get("/etat").unwrap().text().contains("a perdu des valeurs"), "{family}");
    }
    application.host.inject_faults(Faults::default());
    assert_eq!(state().json()["etat"], "ok");
}

#[test]
fn a_missing_bundle_sends_the_whole_request_one_generation_back() {
    let application = with_sample(cold()).unwrap();
    let first: Vec<String> = PATHS.iter().map(|path| application.get(path).unwrap().text()).collect();
    // Another sample: every national and regional number one higher.
    let mut changed = sample().unwrap();
    for part in &mut changed.parts {
        *part =
            String::from_utf8(part.clone()).unwrap().replace("\"nb_annee_term\":", "\"nb_annee_term\":1").into_bytes();
    }
    let old = generation(&application).unwrap();
    assert_eq!(application.push(&changed).unwrap()["etape"], "publie");
    let new = generation(&application).unwrap();
    assert_ne!(old, new);
    let second: Vec<String> = PATHS.iter().map(|path| application.get(path).unwrap().text()).collect();
    assert_ne!(first[0], second[0]);

    faults(&application, &format!("{new}:"), Effect::Absent);
    for (path, first) in PATHS.iter().zip(&first) {
        let answer = application.get(path).unwrap();
        assert_eq!((answer.status, &answer.text()), (200, first), "{path}");
    }
    // Neither generation whole: a fault, not a 404.
    let absent = |generation: &str| Fault {
        on: Operation::Read,
        prefix: Some(format!("{generation}:")),
        effect: Effect::Absent,
        ..Fault::default()
    };
    application.host.inject_faults(Faults { rules: vec![absent(&old), absent(&new)] });
    for path in PATHS {
        must_be_unavailable(path, &application.get(path).unwrap());
    }
    application.host.inject_faults(Faults::default());
    for (path, second) in PATHS.iter().zip(&second) {
        assert_eq!(&application.get(path).unwrap().text(), second, "{path}");
    }
}
