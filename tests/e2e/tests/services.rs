//! The pull's way out: the built component, the manifest's grants, and the simulated services.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use services::{Data, Options, Services};
use std::collections::BTreeMap;
use support::{Answer, Application, Settings};

fn start(others: BTreeMap<String, String>) -> Application {
    Application::start(Settings { others, ..Settings::default() }).unwrap()
}

fn simulated() -> Services {
    Services::start(Options { data: Data::Sample, ..Options::default() }).unwrap()
}

fn pull(application: &Application, body: &str) -> Answer {
    application.send(&application.import("POST", "pull").body(body)).unwrap()
}

/// Calls `run` until nothing is left to do, or this often.
fn run(application: &Application, times: usize) -> serde_json::Value {
    for _ in 1..times {
        let answer = application.send(&application.import("POST", "run")).unwrap();
        assert!(answer.status < 500, "{}", answer.json());
        if answer.json()["encore"] != true {
            return answer.json();
        }
    }
    application.send(&application.import("POST", "run")).unwrap().json()
}

#[test]
fn the_import_reaches_the_services_that_the_variables_name_at_their_rate() {
    let services = simulated();
    let mut variables = services.variables();
    // Few calls, of every kind of login: the nomenclature, the two files, one year of the whole country.
    variables.iter_mut().filter(|(name, _)| name.starts_with("millesimes_")).for_each(|(_, value)| value.clear());
    variables.insert("millesimes_certifications".to_owned(), "2023".to_owned());
    let application = start(variables);
    let opened = pull(&application, "");
    assert_eq!(opened.status, 201, "{}", opened.json());
    run(&application, 30);
    let report = application.send(&application.import("GET", "pull")).unwrap().json();
    assert!(report["collecte"]["echec"].is_null(), "{report}");
    let calls = services.calls();
    for service in ["acce", "bcn", "catalogue", "inserjeunes"] {
        let calls = &calls[service];
        assert!(calls.requests > 0 && !calls.statuses.contains_key(&404), "{service}: {calls:?}");
        // Five; on a busy machine some catch up. Without a limit they would be many more: an answer takes some ms.
        assert!(calls.max_per_second <= 8, "{service}: {calls:?}");
    }
    assert!(calls["bcn"].requests == 10 && calls["bcn"].logins == 1, "nine tables and a login: {:?}", calls["bcn"]);
    let counters = application.host.counters();
    assert_eq!((counters["import"].denied, counters["collecte"].denied), (0, 0));
}

/// The origin is the grant: a service elsewhere is not reached, whatever else is granted.
#[test]
fn a_service_whose_origin_is_wrong_is_named_before_any_call() {
    let services = simulated();
    let mut variables = services.variables();
    variables.insert("acce_origine".to_owned(), format!("{}/un/chemin", services.origin()));
    let application = start(variables);
    let refused = pull(&application, "");
    assert_eq!(refused.status, 422);
    let message = refused.json().to_string();
    assert!(message.contains("acce_origine") && message.contains("sans chemin"), "{message}");
    assert!(!message.contains("127.0.0.1"), "no value is repeated: {message}");
    assert!(services.calls().is_empty());
}
