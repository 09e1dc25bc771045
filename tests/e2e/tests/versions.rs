//! Invariant 10: what the version before wrote is served, updated, and given back to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use e2e::{generation, line};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use support::push::Push;
use support::{Application, Settings, root};

fn folder() -> PathBuf {
    root().join("tests/e2e/stores/0.1.0")
}

/// The application on a store that version 0.1.0 wrote.
fn on_the_old_store() -> Application {
    let file = std::fs::File::open(folder().join("store.db.gz")).unwrap();
    let mut store = Vec::new();
    GzDecoder::new(file).read_to_end(&mut store).unwrap();
    Application::start_on(Settings::default(), &store).unwrap()
}

/// What version 0.1.0 answered from it.
fn answers() -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(folder().join("answers.json")).unwrap()).unwrap()
}

/// An instance follows its copy of the pointer for a second.
fn until_instances_follow() {
    std::thread::sleep(std::time::Duration::from_millis(1_100));
}

/// An answer without the sentence that says why figures are hidden, which version 0.1.0 did not write.
fn without_reasons(text: &str) -> String {
    fn leave_out(value: &mut Value) {
        match value {
            Value::Array(values) => {
                values.retain(|value| !value.as_str().is_some_and(|text| text.contains("pour protéger ces personnes")));
                values.iter_mut().for_each(leave_out);
            }
            Value::Object(fields) => fields.values_mut().for_each(leave_out),
            _ => {}
        }
    }
    let line = |line: &str| {
        // A row of a CSV is none.
        let Ok(mut value) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
        leave_out(&mut value);
        value.to_string()
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Every answer is what the old version gave.
fn answers_as_before(application: &Application) {
    for recorded in answers() {
        let path = recorded["path"].as_str().unwrap();
        let answer = application.get(path).unwrap();
        assert_eq!(u64::from(answer.status), recorded["status"], "{path}: {}", answer.text());
        assert_eq!(without_reasons(&answer.text()), without_reasons(recorded["body"].as_str().unwrap()), "{path}");
    }
}

/// Asks for what version 0.1.0 answered, again and again, until it is told to stop: none fails, and all but the answers that
/// a certification more changes stay what they were.
fn readers<T>(application: &Application, work: impl FnOnce() -> T) -> (T, usize) {
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let answers = answers();
    let output = std::thread::scope(|scope| {
        for reader in 0..2 {
            let (stop, asked, answers) = (&stop, &asked, &answers);
            scope.spawn(move || {
                let mut turn = reader;
                while !stop.load(Relaxed) {
                    let recorded = &answers[turn % answers.len()];
                    let path = recorded["path"].as_str().unwrap();
                    let answer = application.get(path).unwrap();
                    assert_eq!(u64::from(answer.status), recorded["status"], "{path}: {}", answer.text());
                    let as_recorded =
                        || without_reasons(&answer.text()) == without_reasons(recorded["body"].as_str().unwrap());
                    assert!(changes(path) || as_recorded(), "{path}");
                    asked.fetch_add(1, Relaxed);
                    turn += 1;
                }
            });
        }
        let output = work();
        stop.store(true, Relaxed);
        output
    });
    (output, asked.into_inner())
}

/// Whether a certification more changes this answer.
fn changes(path: &str) -> bool {
    path.contains("/certifications?") || path.contains("/certifications.csv") || path.contains("recherche")
}

#[test]
fn invariant_10_no_request_fails_while_the_version_before_is_updated_and_given_back_to_it() {
    let application = on_the_old_store();
    let before = generation(&application).unwrap();
    let ((), asked) = readers(&application, || {
        for round in 0..2 {
            let added = json!({
                "code_certification": "50099033", "code_formation_diplome": "50099033", "filiere": "apprentissage",
                "millesime": "2022", "nb_annee_term": 60 + round, "nb_sortant": 40, "taux_en_emploi_6_mois": 50,
            });
            let push = Push { opening: json!({"mode": "ajouter"}), ..Push::all(line("certification", &added)) };
            assert_eq!(application.push(&push).unwrap()["etape"], "publie");
            until_instances_follow();
            let back = application.send(&application.import("POST", "rollback")).unwrap();
            assert_eq!(back.status, 200, "{}", back.text());
            until_instances_follow();
            assert_eq!(generation(&application).unwrap(), before);
        }
    });
    assert!(asked > 100, "{asked}");
    answers_as_before(&application);
    // The version before finds a registry that it can read, and goes on with it.
    let registry = application.stored("work:generations").unwrap().unwrap();
    let registry: Value = serde_json::from_slice(&registry).unwrap();
    let names = |state: &str| {
        let generations = registry["generations"].as_array().unwrap().iter();
        generations.filter(|g| g["etat"] == state).map(|g| g["id"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert!(names("publiee").contains(&before.as_str()) && registry["jobs"] == json!([]), "{registry}");
}

#[test]
fn invariant_10_a_store_of_the_version_before_is_served_updated_and_rolled_back() {
    let application = on_the_old_store();
    answers_as_before(&application);
    let before = generation(&application).unwrap();

    // An update of the application is followed by a publication: what was there is carried over.
    let added = json!({
        "code_certification": "50099033", "code_formation_diplome": "50099033", "filiere": "apprentissage",
        "millesime": "2022", "nb_annee_term": 60, "nb_sortant": 40, "taux_en_emploi_6_mois": 50,
    });
    let opening = json!({"mode": "ajouter"});
    let push = Push { opening, ..Push::all(line("certification", &added)) };
    let job = application.push(&push).unwrap();
    assert_eq!(job["etape"], "publie", "{}", job["bilan"]);
    let after = generation(&application).unwrap();
    assert_ne!(after, before);
    until_instances_follow();
    let new = application.get("/api/inserjeunes/certifications/50099033").unwrap();
    assert_eq!(new.status, 200, "{}", new.text());
    for recorded in answers() {
        let path = recorded["path"].as_str().unwrap();
        let answer = application.get(path).unwrap();
        // Lists of certifications have a row more; single documents and the other lists are what they were.
        if !changes(path) {
            assert_eq!(without_reasons(&answer.text()), without_reasons(recorded["body"].as_str().unwrap()), "{path}");
        }
    }

    // And back: the old generation answers again, under a pointer that version 0.1.0 reads.
    let back = application.send(&application.import("POST", "rollback")).unwrap();
    assert_eq!(back.status, 200, "{}", back.text());
    until_instances_follow();
    answers_as_before(&application);
    assert_eq!(generation(&application).unwrap(), before);
}
