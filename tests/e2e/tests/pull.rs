//! The pull from end to end: the built import, the simulated services over HTTP, the read routes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use serde_json::{Value, json};
use services::{Data, Effect, Fault, Options, Services};
use support::{Application, Settings};

fn services() -> Services {
    Services::start(Options { data: Data::Sample, ..Options::default() }).unwrap()
}

/// The application beside the services, in a hurry; a call that fails is taken up again once, after a second.
fn application(services: &Services) -> Application {
    let mut others = services.variables();
    for (name, value) in [("collecte_par_seconde", "1000"), ("collecte_reprises", "1"), ("collecte_attente_s", "1")] {
        others.insert(name.to_owned(), value.to_owned());
    }
    Application::start(Settings { others, ..Settings::default() }).unwrap()
}

fn import(application: &Application, method: &str, target: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = application.send(&application.import(method, target).body(body)).unwrap();
    (answer.status, answer.json())
}

/// A run to its end: its report.
fn pull(application: &Application, demand: &Value) -> Value {
    let (status, opened) = import(application, "POST", "pull", demand);
    assert_eq!(status, 201, "{opened}");
    let id = opened["collecte"]["id"].as_str().unwrap().to_owned();
    for _ in 0..600 {
        let (status, state) = import(application, "POST", "pull/run", &Value::Null);
        assert_eq!(status, 200, "{state}");
        let (status, report) = import(application, "GET", &format!("reports/{id}"), &Value::Null);
        if status == 200 {
            return report;
        }
        if !state["collecte"]["attente"].is_null() {
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    }
    panic!("the run does not end: {}", import(application, "GET", "pull", &Value::Null).1)
}

fn served(application: &Application) -> Value {
    application.get("/api/status").unwrap().json()["generation"].clone()
}

#[test]
fn what_the_services_say_is_served_and_told() {
    let services = services();
    let application = application(&services);
    let report = pull(&application, &Value::Null);
    assert_eq!(report["etape"], "publie", "{report}");
    let told = &report["collecte"]["rapport"];
    let links = ["certif_info", "onisep", "onisep_passage", "acce_meres"];
    for service in ["acce", "bcn", "catalogue", "inserjeunes", "insersup", "insersup_national"].into_iter().chain(links)
    {
        let of = &told["sources"][service];
        assert!(of["appels"].as_u64().unwrap() > 0 && of["en_echec"] == 0, "{service}: {of}");
        // What the report counts is what the services saw.
        let seen = services.calls()[service].requests;
        assert_eq!(of["requetes"].as_u64().unwrap(), seen, "{service}");
    }
    for treatment in ["statistiques", "continuum", "annees", "roles"] {
        assert!(told["couverture"][treatment]["formations"].is_object(), "{treatment}: {told}");
    }
    // A document of each maille, as a re-user asks for it.
    let rows = |path: &str| application.get(path).unwrap().json();
    for list in ["certifications", "regionales", "formations"] {
        let page = rows(&format!("/api/inserjeunes/{list}?items_par_page=3"));
        assert!(page["pagination"]["total"].as_u64().unwrap() > 0, "{list}: {page}");
    }
    let status = application.get("/api/status").unwrap().json();
    let import = &status["imports"][0]["collecte"];
    assert_eq!(import["sources"]["bcn"]["appels"], 9, "{status}");
    let page = application.get("/etat").unwrap();
    assert!(page.text().contains("Détail de la collecte"), "{}", page.text());
    // What is public names no establishment and repeats no word of a service.
    let public = status["imports"].to_string();
    assert!(!public.contains("exemples") && !public.contains("echecs") && !public.contains("/UAI/"), "{public}");

    // Nothing new: no call, no generation.
    let generation = served(&application);
    services.forget_calls();
    let again = pull(&application, &json!({"rejouer": true}));
    assert_eq!(again["etape"], "inchange", "{again}");
    assert!(services.calls().is_empty(), "{:?}", services.calls());
    let again = pull(&application, &json!({"sources": ["bcn"]}));
    assert_eq!(again["etape"], "inchange", "{again}");
    assert_eq!(services.calls().keys().collect::<Vec<_>>(), ["bcn"]);
    assert_eq!(again["bilan"]["digest"], report["bilan"]["digest"]);
    assert_eq!(served(&application), generation);
}

/// What was pulled once: its services, the application, the digest.
fn pulled() -> (Services, Application, Value) {
    let services = services();
    let application = application(&services);
    let report = pull(&application, &Value::Null);
    assert_eq!(report["etape"], "publie", "{report}");
    let digest = report["bilan"]["digest"].clone();
    (services, application, digest)
}

fn status(code: u16) -> Effect {
    Effect::Status { code, retry_after: None, as_date: false }
}

#[test]
fn each_fault_that_passes_is_survived() {
    let (services, application, digest) = pulled();
    let wait = |code, as_date| Effect::Status { code, retry_after: Some(1), as_date };
    let survived = [
        ("a session that ends", Fault::of("inserjeunes", "", Effect::Expire).after(3).times(1)),
        ("a session of the BCN that ends", Fault::of("bcn", "N_MEF", Effect::Expire).times(1)),
        ("too many requests", Fault::of("inserjeunes", "", wait(429, false)).times(1)),
        ("a date to come back at", Fault::of("catalogue", "", wait(503, true)).times(1)),
        ("an error that passes", Fault::of("bcn", "", status(500)).times(2)),
        ("a cut answer", Fault::of("insersup", "", Effect::Cut(100)).times(1)),
        ("a cut table", Fault::of("bcn", "N_MEF", Effect::Cut(1_000)).times(1)),
        ("no answer", Fault::of("acce", "", Effect::Drop).times(1)),
        ("a slow head", Fault::of("inserjeunes", "region", Effect::SlowHead(700)).times(2)),
        ("a slow body", Fault::of("bcn", "N_GROUPE", Effect::SlowBody { bytes: 20, pause: 20 })),
        ("a document as text", Fault::of("inserjeunes", "millesime", Effect::JsonInJson)),
    ];
    for (name, fault) in survived {
        services.set_faults([fault]);
        let report = pull(&application, &Value::Null);
        assert_eq!(report["etape"], "inchange", "{name}: {report}");
        assert_eq!(report["bilan"]["digest"], digest, "{name}");
    }
}

#[test]
fn each_fault_that_lasts_is_named_and_nothing_served_is_lost() {
    let named = [
        ("bcn, /nomenclature/N_MEF", "500", Fault::of("bcn", "N_MEF", status(500))),
        ("bcn", "401", Fault::of("bcn", "", status(401))),
        ("insersup", "", Fault::of("insersup", "", Effect::NotJson)),
        ("insersup", "", Fault::of("insersup", "", Effect::Empty)),
        ("catalogue", "429", Fault::of("catalogue", "page=1", status(429))),
        (
            "inserjeunes, /france",
            "id_mesure",
            Fault::of("inserjeunes", "france", Effect::WithoutField("id_mesure".into())),
        ),
        ("bcn, /nomenclature/N_DIPLOME_SISE", "", Fault::of("bcn", "N_DIPLOME_SISE", Effect::WithoutRows)),
        ("acce", "nature_uai", Fault::of("acce", "", Effect::WithoutField("nature_uai".into()))),
    ];
    // Two at once: half of the time goes by until a call is given up.
    std::thread::scope(|scope| {
        for some in named.chunks(named.len() / 2) {
            scope.spawn(|| is_named(some));
        }
    });
}

/// Each fault, by the call that it strikes and what is told of it.
fn is_named(faults: &[(&str, &str, Fault)]) {
    let (services, application, _) = pulled();
    let generation = served(&application);
    for (call, why, fault) in faults {
        services.set_faults([fault.clone()]);
        let report = pull(&application, &Value::Null);
        assert_eq!(report["etape"], "echec", "{call}: {report}");
        let told = report["collecte"]["echec"].as_str().unwrap();
        assert!(told.contains(*call) && told.contains(*why), "{call} {why}: {told}");
        assert!(!told.contains("127.0.0.1") && !told.contains("simulation"), "{told}");
        assert_eq!(served(&application), generation, "{call}");
    }
    services.set_faults([]);
    assert_eq!(pull(&application, &Value::Null)["etape"], "inchange");
}
