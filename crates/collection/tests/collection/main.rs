//! Runs of the pull, from the calls to the served generation, on the in-memory double.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops where it fails"
)]

mod services;

use collection::{Configuration, Demand, Millesimes, Run, RunReport, RunStep, advance, give_up, open, report, status};
use domain::{Document, Maille};
use futures_executor::block_on;
use publication::{
    Environment, GenerationState, Job, Opening, PublicationError, PublicationOptions, Registry, Staging, clean_up,
};
use serde_json::Value;
use services::{CFD, MEF, OLD, Outage, Services, by_service, config};
use sources::{Service, Sources};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use store::reading::Cache;
use store::version_set::Shape;
use store::{MemoryStore, Reader, StoreError};

struct World {
    services: Services,
    monotonic: Cell<u64>,
    step: u64,
}

impl Environment for World {
    fn now_ms(&self) -> i64 {
        self.services.now().cast_signed()
    }
    fn monotonic_ms(&self) -> u64 {
        self.monotonic.set(self.monotonic.get() + self.step);
        self.monotonic.get()
    }
    async fn user(&self, _: &Document) -> Result<(), StoreError> {
        Ok(())
    }
    fn batch(&self) -> usize {
        25
    }
}

fn configuration(services: &[Service]) -> Configuration {
    let list = |m: &[&str]| m.iter().map(|m| (*m).to_owned()).collect();
    Configuration {
        services: services.to_vec(),
        millesimes: Millesimes {
            certifications: list(&["2022"]),
            certifications_sup: list(&["2020_2021"]),
            regionales: list(&["2021_2022"]),
            formations: list(&["2020_2021", "2021_2022"]),
            formations_sup: list(&["2020_2021"]),
        },
        retries: 3,
        wait_s: 30,
        ..Configuration::default()
    }
}

/// A store, the services, and what is asked.
struct Trial {
    kv: MemoryStore,
    world: World,
    configuration: Configuration,
    number: Cell<u32>,
}

impl Trial {
    fn new(step: u64) -> Self {
        let services = Services::default();
        services.pass(1_700_000_000_000);
        Self {
            kv: MemoryStore::default(),
            world: World { services, monotonic: Cell::new(0), step },
            configuration: configuration(&Service::ALL),
            number: Cell::new(0),
        }
    }

    fn services(&self) -> &Services {
        &self.world.services
    }

    fn open(&self, demand: Demand) -> Result<Run, PublicationError> {
        self.number.set(self.number.get() + 1);
        let id = format!("c{}", self.number.get());
        block_on(open(&self.kv, &id, demand, self.configuration.clone(), self.world.now_ms()))
    }

    /// One call, as a scheduler makes it.
    fn step(&self, budget: u64) -> Result<Run, PublicationError> {
        let sources = Sources::new(self.services().clone(), self.services().clone(), config());
        block_on(advance(&self.kv, &self.world, &sources, budget, &[]))
    }

    /// Calls until the pull has done its part; waits as it is told.
    fn collect(&self, budget: u64) -> Run {
        for _ in 0..5_000 {
            let run = self.step(budget).unwrap();
            if run.step.is_final() {
                return run;
            }
            if let Some((end, _)) = &run.wait {
                self.services().pass((*end - self.world.now_ms()).max(0).cast_unsigned());
            }
        }
        panic!("the run does not end: {:?}", block_on(status(&self.kv)))
    }

    fn publish(&self, id: &str) -> Job {
        for _ in 0..5_000 {
            let job = block_on(publication::advance(&self.kv, &self.world, id, 20, &[])).unwrap();
            if job.step.is_final() || job.step == publication::JobStep::AwaitConfirmation {
                return job;
            }
        }
        panic!("the publication does not end")
    }

    /// A whole run.
    fn all(&self, demand: Demand) -> Job {
        self.open(demand).unwrap();
        let run = self.collect(1_000);
        assert_eq!(run.step, RunStep::HandedOver, "{run:?}");
        self.publish(&run.id)
    }

    fn report(&self) -> RunReport {
        serde_json::from_value(block_on(report(&self.kv)).unwrap().unwrap()).unwrap()
    }

    fn document(&self, maille: Maille, place: &str, code: &str) -> BTreeMap<String, Value> {
        let cache = Rc::new(Cache::new());
        block_on(async {
            let reader = Reader::open(&self.kv, cache, 0).await.unwrap();
            let document = reader.version_set(maille, place, code).await.unwrap().unwrap_or_default();
            let versions = document.versions.iter().map(|v| {
                let mut out = Vec::new();
                v.write(&mut out, || 0, Shape::Row, None);
                (format!("{} {}", v.millesime(), v.filiere()), serde_json::from_slice(&out).unwrap())
            });
            versions.collect()
        })
    }

    fn generation(&self) -> String {
        let cache = Rc::new(Cache::new());
        block_on(async { Reader::open(&self.kv, cache, 0).await.unwrap().pointer().generation.clone() })
    }
}

fn of(run: &RunReport, after: &str, maille: &str) -> BTreeMap<String, u64> {
    let mut by: BTreeMap<String, u64> = BTreeMap::new();
    for sources in run.coverage[after][maille].0.values() {
        for (source, n) in sources {
            *by.entry(source.clone()).or_default() += n;
        }
    }
    by
}

#[test]
fn a_run_asks_treats_and_publishes() {
    let trial = Trial::new(1);
    let job = trial.all(Demand::default());
    assert_eq!(job.step, publication::JobStep::Published, "{:?}", job.summary);
    assert_eq!(job.summary.refused_lines, 0, "{:?}", job.summary.refusals);
    // Four establishments in two periods; one of them is agricultural.
    let report = trial.report();
    let ij = &report.sources[&Service::InserJeunes];
    assert_eq!((ij.calls, ij.without_data), (2 + 17 + 8, 2), "{ij:?}");
    assert_eq!(report.sources[&Service::Bcn].calls, 9);
    // The catalogue names an entry of the national directory: the search knows it.
    assert_eq!((job.summary.lines["catalogue"], job.summary.lines["rncp"]), (2, 1));
    // The last lines of the files do not end, and are read all the same.
    assert_eq!((report.nomenclature["etablissements"], job.summary.lines["etablissement"]), (5, 5));
    let links = ["certif_info", "ideo", "uai_mere"].map(|kind| job.summary.lines[kind]);
    assert_eq!(links, [3, 2, 2], "an entry stands in two rows; an establishment is not its own mother");
    let rejected = |service| report.treatments[&service].rejections["champ_manquant"].count;
    assert_eq!([Service::CertifInfo, Service::Onisep, Service::AcceMothers].map(rejected), [1, 1, 1]);
    // As many requests as the services saw, and a login or two.
    let calls = by_service(&trial.services().calls());
    for (service, host) in [(Service::InserJeunes, "ij"), (Service::Catalogue, "catalogue"), (Service::Acce, "acce")] {
        let logins = report.sources[&service].requests - calls[host] as u64;
        assert!(if service == Service::Acce { logins == 0 } else { (1..=3).contains(&logins) }, "{host}: {logins}");
    }
    assert_eq!(report.sources[&Service::InserSup].unknown_fields["champ_nouveau"], 1);
    assert_eq!(report.treatments[&Service::InserJeunes].unknown_measures["mesure_nouvelle"], 2);
    assert_eq!(report.treatments[&Service::InserJeunes].rejections["certification_inconnue"].count, 4);
    assert_eq!(report.treatments[&Service::InserSup].rejections["etablissement_inconnu"].count, 1);
    assert_eq!((report.nomenclature["cfd"], report.nomenclature["mef"], report.nomenclature["sise"]), (3, 3, 4));
    // Establishments: the ancestor's numbers reach the newer diploma, then a place without any; a
    // final year makes two earlier ones.
    assert_eq!(of(&report, "statistiques", "formations"), BTreeMap::from([("self".into(), 11)]));
    assert_eq!(of(&report, "continuum", "formations"), BTreeMap::from([("self".into(), 11), ("ancienne".into(), 6)]));
    assert_eq!(of(&report, "annees", "formations")["aucune"], 8);
    // What is served is what was treated.
    let documents = trial.document(Maille::Etablissement, "0750001U", CFD);
    let document = &documents["2021_2022 apprentissage"];
    assert_eq!(document["donnee_source"], serde_json::json!({"code_certification": OLD, "type": "ancienne"}));
    assert_eq!(document["nb_annee_term"], 40);
    assert_eq!(document["taux_en_emploi_12_mois"], 25);
    assert!(trial.document(Maille::Etablissement, "0750001U", MEF[0]).contains_key("2020_2021 pro"));
    let national = trial.document(Maille::National, "", MEF[2]);
    assert_eq!(national["2022 pro"]["salaire_12_mois_q2"], 1500);
    let sup = trial.document(Maille::Etablissement, "0750001U", "2500249");
    assert_eq!(sup["2020_2021 superieur"]["taux_en_formation"], 35);
}

#[test]
fn the_same_answers_make_no_new_generation_and_no_call() {
    let trial = Trial::new(1);
    let first = trial.all(Demand::default());
    let generation = trial.generation();
    trial.services().forget();
    let second = trial.all(Demand { replay: true, ..Demand::default() });
    assert!(trial.services().calls().is_empty(), "{:?}", trial.services().calls());
    assert_eq!(second.step, publication::JobStep::Unchanged);
    assert_eq!(second.summary.digest, first.summary.digest);
    assert_eq!(trial.generation(), generation);
    // One source, one millesime: the rest comes from what is staged.
    trial.services().revise(7);
    let sources = Demand { sources: vec![Service::InserSup], ..Demand::default() };
    assert_eq!(trial.all(sources).step, publication::JobStep::Unchanged, "the revised source is not asked");
    assert_eq!(by_service(&trial.services().calls()).keys().collect::<Vec<_>>(), ["sup"]);
    trial.services().forget();
    let millesime = Demand { millesimes: vec!["2021_2022".into()], ..Demand::default() };
    assert_eq!(trial.all(millesime).step, publication::JobStep::Published);
    assert!(trial.services().calls().iter().all(|url| url.contains("2021_2022")), "{:?}", trial.services().calls());
    let documents = trial.document(Maille::Etablissement, "0750001U", OLD);
    assert_eq!(documents["2021_2022 apprentissage"]["nb_annee_term"], 47);
    assert_eq!(documents["2020_2021 apprentissage"]["nb_annee_term"], 40);
}

#[test]
fn killed_anywhere_and_started_again_it_publishes_the_same() {
    let reference = Trial::new(1);
    let expected = reference.all(Demand::default()).summary.digest;
    let operations = reference.kv.gets.get() + reference.kv.sets.get();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = |n: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % n
    };
    for trial_n in 0..200 {
        let trial = Trial::new(1);
        trial.open(Demand::default()).unwrap();
        let mut handed_over = None;
        let job = (0..20_000).find_map(|round| {
            // A kill is an operation of the store that never comes back, and everything after it.
            let survives = round % 3 == 2;
            trial.kv.remaining.set(if survives { None } else { Some(draw(operations / 4)) });
            let budget = 1 + draw(60);
            let outcome = match &handed_over {
                None => trial.step(budget).map(|c| {
                    handed_over = c.step.is_final().then_some(c.id);
                    None
                }),
                Some(id) => block_on(publication::advance(&trial.kv, &trial.world, id, budget, &[]))
                    .map(|job| job.step.is_final().then_some(job)),
            };
            trial.kv.remaining.set(None);
            outcome.unwrap_or_else(|_| {
                // A killed call may hold the lease until it runs out.
                trial.services().pass(61_000);
                None
            })
        });
        let job = job.unwrap_or_else(|| panic!("run {trial_n} does not end"));
        assert_eq!(job.step, publication::JobStep::Published, "run {trial_n}: {:?}", job.summary);
        assert_eq!(job.summary.digest, expected, "run {trial_n}");
        let read = trial.document(Maille::Etablissement, "0750002V", CFD);
        assert_eq!(read, reference.document(Maille::Etablissement, "0750002V", CFD));
        // Whatever was begun and lost is let go: only staged answers and what is served stay.
        cleaned(&trial);
    }
}

fn cleaned(trial: &Trial) {
    // The next run lets go of what the killed steps of this one left.
    let _ = trial.open(Demand { replay: true, ..Demand::default() });
    trial.step(1).unwrap();
    block_on(give_up(&trial.kv, trial.world.now_ms())).unwrap();
    trial.services().pass(11 * 60_000);
    for _ in 0..5_000 {
        if !block_on(clean_up(&trial.kv, &trial.world)).unwrap() {
            break;
        }
    }
    let registry = block_on(Registry::read(&trial.kv)).unwrap();
    let lots = trial.configuration.lots().len();
    let remainders: Vec<_> = registry.generations.iter().map(|g| g.state).collect();
    assert_eq!(remainders.iter().filter(|e| **e == GenerationState::Staged).count(), lots, "{remainders:?}");
    assert_eq!(remainders.iter().filter(|e| **e == GenerationState::Published).count(), 1, "{remainders:?}");
    assert_eq!(remainders.len(), lots + 1, "{:?}", registry.generations);
    let known = |key: &str| {
        registry
            .generations
            .iter()
            .any(|g| key.starts_with(&format!("{}:", g.id)) || key == format!("work:marks:{}", g.id))
            || key.starts_with("public:changements")
            || (key.starts_with("work:") && !key.starts_with("work:marks:"))
            || ["current", "registry", "lease"].contains(&key)
            || !key.contains(':')
    };
    let lost: Vec<String> = trial.kv.keys().into_iter().filter(|c| !known(c)).collect();
    assert!(lost.is_empty(), "keys that nobody will delete: {lost:?}");
}

#[test]
fn a_fault_that_passes_is_waited_for() {
    for outage in [
        Outage::Status(500),
        Outage::Status(401),
        Outage::Wait(429, "3"),
        Outage::Wait(503, "120"),
        Outage::Wait(429, "18446744073709551615"),
        Outage::Wait(503, "Fri, 31 Dec 9999 23:59:59 GMT"),
        Outage::Wait(429, "Thu, 99 Foo -12 99:99:99 GMT"),
        Outage::Wait(429, "-5"),
        Outage::Cut,
        Outage::Silence,
    ] {
        for at in [
            "nomenclature/N_MEF",
            "region/01",
            "UAI/0750001U",
            "https://sup",
            "entity/formations?page=1&limit=1&",
            "fichier.csv",
        ] {
            if matches!(outage, Outage::Status(401)) && ["https://sup", "fichier.csv"].contains(&at) {
                // Without a session that could have ended, a refusal is one.
                continue;
            }
            let trial = Trial::new(1);
            trial.services().outage(at, outage.clone(), 1);
            let job = trial.all(Demand::default());
            assert_eq!(job.step, publication::JobStep::Published, "{outage:?} {at}");
        }
    }
}

#[test]
fn a_fault_that_stays_ends_the_run_by_its_name_and_leaves_what_is_served() {
    let trial = Trial::new(1);
    let first = trial.all(Demand::default());
    let generation = trial.generation();
    trial.services().revise(3);
    let cas = [
        ("nomenclature/N_MEF", Outage::Status(500), "bcn, /nomenclature/N_MEF : statut 500"),
        ("nomenclature/N_MEF", Outage::Status(404), "bcn, /nomenclature/N_MEF : statut 404"),
        ("https://sup", Outage::Status(401), "insersup"),
        ("region/01", Outage::Cut, "la réponse s'est interrompue"),
        ("region/01", Outage::Silence, "pas de réponse à temps"),
        ("region/01", Outage::Wait(429, "5000"), "demande d'attendre"),
        ("https://sup", Outage::Body("<html>".into()), "insersup"),
        ("https://sup", Outage::Body(r#"{"results": []}"#.into()), "insersup"),
        ("nomenclature/N_MEF", Outage::Body(r#"{"data": [{"mef": "1"}]}"#.into()), "N_MEF"),
        ("fichier.csv", Outage::Body("numero_uai;autre\n0750001U;1\n".into()), "acce"),
        ("france/millesime", Outage::Body(r#"{"autre": []}"#.into()), "inserjeunes, /france"),
        ("page=1&limit=1&", Outage::Body(r#"{"formations": [], "pagination": {"total": 0}}"#.into()), "catalogue"),
    ];
    for (at, outage, name) in cas {
        trial.services().outage(at, outage.clone(), usize::MAX);
        trial.open(Demand::default()).unwrap();
        let run = trial.collect(1_000);
        assert_eq!(run.step, RunStep::Failed, "{at} {outage:?}");
        let failure = run.failure.clone().unwrap_or_default();
        assert!(failure.contains(name), "{at} {outage:?}: {failure}");
        assert!(!failure.contains("secret") && !failure.contains("https://"), "{failure}");
        assert_eq!(trial.generation(), generation, "what is served stays");
        assert_eq!(block_on(Job::status(&trial.kv, &run.id)).unwrap().step, publication::JobStep::GivenUp);
        trial.services().forget();
    }
    // Nothing of them is in the way of the next run.
    assert_eq!(trial.all(Demand::default()).step, publication::JobStep::Published);
    assert_ne!(first.summary.digest, trial.publish(&format!("c{}", trial.number.get())).summary.digest);
}

#[test]
fn an_establishment_that_fails_keeps_its_older_answer() {
    let trial = Trial::new(1);
    trial.all(Demand::default());
    trial.services().revise(3);
    trial.services().outage("UAI/0750001U/millesime/2021_2022", Outage::Status(404), usize::MAX);
    trial.services().outage(
        "UAI/0690001B/millesime/2021_2022",
        Outage::Body("{\"data\": [{\"x\": 1}]}".into()),
        usize::MAX,
    );
    let job = trial.all(Demand::default());
    assert_eq!(job.step, publication::JobStep::Published);
    let documents = trial.document(Maille::Etablissement, "0750001U", OLD);
    assert_eq!(documents["2021_2022 apprentissage"]["nb_annee_term"], 40, "the older answer");
    assert_eq!(documents["2020_2021 apprentissage"]["nb_annee_term"], 43, "the newer one");
    let ij = &trial.report().sources[&Service::InserJeunes];
    assert_eq!(ij.failed, 2, "{ij:?}");
    assert!(ij.failures.iter().all(|e| e.resumed && e.call.contains("/UAI/")), "{ij:?}");
}

#[test]
fn what_was_pushed_beside_the_pulled_sources_stays() {
    let mut trial = Trial::new(1);
    let row = |kind: &str, doc: Value| serde_json::json!({"kind": kind, "doc": doc}).to_string() + "\n";
    let mut body = row(
        "formation",
        serde_json::json!({"uai": "0750001U", "code_certification": "2500249", "millesime": "2021_2022", "filiere": "superieur",
            "region": {"code": "11", "nom": "Île-de-France"}, "academie": {"code": "01", "nom": "Paris"}, "nb_annee_term": 100}),
    );
    body += &row(
        "formation",
        serde_json::json!({"uai": "0750001U", "code_certification": CFD, "millesime": "2018_2019", "filiere": "apprentissage",
            "region": {"code": "11", "nom": "Île-de-France"}, "academie": {"code": "01", "nom": "Paris"}, "nb_annee_term": 100}),
    );
    // The ACCE file is pushed too: the pull has no address for it.
    for (uai, departement) in [("0690001B", "069"), ("0750001U", "075"), ("0750002V", "075")] {
        body += &row(
            "etablissement",
            serde_json::json!({"numero_uai": uai, "nature_uai": "320", "departement_insee_3": departement,
            "academie": if uai.starts_with("069") { "10" } else { "01" }, "pays_libe": "France", "appellation_officielle": "LYCEE"}),
        );
    }
    block_on(async {
        open_job(&trial.kv, "p1").await;
        Staging::new(&trial.kv, "p1", 25).stage(0, body.as_bytes(), &[]).await.unwrap();
        Job::publish(&trial.kv, "p1", PublicationOptions { parts: 1, ..PublicationOptions::default() }, 0)
            .await
            .unwrap();
    });
    trial.publish("p1");
    trial.configuration = configuration(&[Service::Bcn, Service::InserJeunes]);
    let job = trial.all(Demand::default());
    assert_eq!(job.step, publication::JobStep::Published, "{:?}", job.summary);
    assert!(trial.document(Maille::Etablissement, "0750001U", "2500249").contains_key("2021_2022 superieur"));
    let documents = trial.document(Maille::Etablissement, "0750001U", CFD);
    assert!(
        documents.contains_key("2018_2019 apprentissage") && documents.contains_key("2021_2022 apprentissage"),
        "{documents:?}"
    );
    assert_eq!(job.summary.lines.get("etablissement"), None);
}

async fn open_job(kv: &MemoryStore, id: &str) {
    publication::open(kv, id, Opening::default(), 0).await.unwrap();
}

#[test]
fn what_cannot_be_asked_is_refused_in_words() {
    let trial = Trial::new(1);
    let refusal = |trial: &Trial, demand: Demand| match trial.open(demand) {
        Err(PublicationError::Refused(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(refusal(&trial, Demand { replay: true, ..Demand::default() }).contains("rien n'est gardé"));
    assert!(refusal(&trial, Demand { millesimes: vec!["2019".into()], ..Demand::default() }).contains("2021_2022"));
    let without = Trial { configuration: configuration(&[]), ..Trial::new(1) };
    assert!(refusal(&without, Demand::default()).contains("aucune source"));
    let alone = Trial { configuration: configuration(&[Service::Bcn]), ..Trial::new(1) };
    assert!(refusal(&alone, Demand { sources: vec![Service::Acce], ..Demand::default() }).contains("acce"));
    trial.open(Demand::default()).unwrap();
    assert!(refusal(&trial, Demand::default()).contains("est en cours"));
    trial.step(1).unwrap();
    block_on(give_up(&trial.kv, trial.world.now_ms())).unwrap();
    assert!(block_on(give_up(&trial.kv, 0)).is_err());
    trial.open(Demand::default()).unwrap();
}

/// No wait is longer than an hour, whatever a service asks for, and one that the clock has left behind is over.
#[test]
fn invariant_11_no_service_suspends_a_run_for_good() {
    let trial = Trial::new(1);
    trial.services().outage("nomenclature/N_MEF", Outage::Wait(429, "18446744073709551615"), usize::MAX);
    trial.open(Demand::default()).unwrap();
    let mut attentes = 0;
    let end = loop {
        let run = trial.step(1_000).unwrap();
        if run.step.is_final() {
            break run;
        }
        if let Some((end, reason)) = &run.wait {
            let ms = end - trial.world.now_ms();
            assert!((1..=3_600_000).contains(&ms), "{ms}: {reason}");
            assert!(run.waits(trial.world.now_ms()));
            // The clock is put back by a year: nobody waits for a year.
            assert!(!run.waits(trial.world.now_ms() - 365 * 86_400_000));
            attentes += 1;
            trial.services().pass(ms.cast_unsigned());
        }
    };
    assert_eq!((end.step, attentes), (RunStep::Failed, 3), "taken up three times");
    assert!(end.failure.as_ref().unwrap().contains("demande d'attendre"), "{:?}", end.failure);

    // A service that lets a call pass from time to time does not keep a run for ever either.
    let trial = Trial::new(1);
    trial.services().outage("UAI/", Outage::Wait(429, "3600"), usize::MAX);
    let mut demand = trial.open(Demand::default()).unwrap();
    for _ in 0..5_000 {
        demand = trial.step(1_000).unwrap();
        if demand.step.is_final() {
            break;
        }
        trial.services().pass(24 * 3_600_000);
    }
    assert_eq!(demand.step, RunStep::Failed);
    assert!(demand.ended_ms.unwrap() - demand.opened_ms <= collection::DURATION_MAX_MS + 25 * 3_600_000, "{demand:?}");
}

/// Pulls that wait for a confirmation do not pile up: the newest is the one that counts, and the reports say so.
#[test]
fn a_newer_pull_takes_the_place_of_one_that_waits_for_a_confirmation() {
    let trial = Trial::new(1);
    let row = |n: u32| {
        serde_json::json!({"kind": "certification", "doc": {"code_certification": format!("{n:08}"), "millesime": "2022", "filiere": "pro", "nb_annee_term": 100}})
            .to_string()
    };
    let body: String = (0..50).map(|n| row(n) + "\n").collect();
    block_on(async {
        open_job(&trial.kv, "p1").await;
        Staging::new(&trial.kv, "p1", 25).stage(0, body.as_bytes(), &[]).await.unwrap();
        Job::publish(&trial.kv, "p1", PublicationOptions { parts: 1, ..PublicationOptions::default() }, 0)
            .await
            .unwrap();
    });
    trial.publish("p1");
    let waits = publication::JobStep::AwaitConfirmation;
    for round in 1..=25 {
        let job = trial.all(Demand { replay: round > 1, ..Demand::default() });
        assert_eq!(job.step, waits, "{:?}", job.summary);
        let open_jobs = block_on(Registry::read(&trial.kv)).unwrap().jobs;
        assert_eq!(open_jobs, std::slice::from_ref(&job.id), "pull {round}");
        if round > 1 {
            let before = format!("c{}", round - 1);
            assert_eq!(
                (&job.summary.replaces, &trial.report().replaces),
                (&vec![before.clone()], &vec![before.clone()])
            );
            let before = block_on(Job::status(&trial.kv, &before)).unwrap();
            assert_eq!(before.step, publication::JobStep::GivenUp);
            assert!(before.summary.failure.unwrap().contains(&job.id));
        }
    }
    let options = PublicationOptions { confirm_losses: true, ..PublicationOptions::default() };
    block_on(Job::publish(&trial.kv, "c25", options, trial.world.now_ms())).unwrap();
    assert_eq!(trial.publish("c25").step, publication::JobStep::Published);
}

/// Whatever value of a run is lost or cannot be read, it ends with a reason, and the next one publishes.
#[test]
fn invariant_11_a_run_whose_values_are_lost_ends_and_the_next_one_publishes() {
    // Values of each kind that a run has written once it is so far; reading on, it needs most of them.
    let keys = |kv: &MemoryStore| {
        let mut views = std::collections::BTreeSet::new();
        let kind = |k: &str| k.split(|c: char| c.is_ascii_digit()).map(str::to_owned).collect::<Vec<_>>();
        kv.keys().into_iter().filter(|k| views.insert(kind(k))).collect::<Vec<_>>()
    };
    for step in [RunStep::Collect, RunStep::Nomenclature, RunStep::Statistics, RunStep::Group] {
        let avancee = || {
            let trial = Trial::new(1);
            trial.open(Demand::default()).unwrap();
            // As far as that step, and a little into it.
            while trial.step(1).unwrap().step < step {}
            trial.step(1).unwrap();
            trial
        };
        for key in keys(&avancee().kv) {
            // Without its registry a store is lost; without a pointer nothing was published here yet.
            if key == "work:generations" {
                continue;
            }
            for value in [None, Some(b"{\"a".to_vec())] {
                let trial = avancee();
                let id = "c1".to_owned();
                trial.kv.corrupt(&key, value.clone());
                let mut rounds = 0;
                while let Ok(Some(run)) = block_on(status(&trial.kv)) {
                    if run.step.is_final() {
                        assert!(run.step == RunStep::HandedOver || run.failure.is_some(), "{key} {value:?}: {run:?}");
                        break;
                    }
                    rounds += 1;
                    assert!(rounds < 2_000, "{key} {value:?} is stuck: {run:?}");
                    if trial.step(100).is_err() {
                        trial.services().pass(61_000);
                    }
                }
                if let Ok(job) = block_on(Job::status(&trial.kv, &id))
                    && !job.step.is_final()
                    && job.generation.is_some()
                {
                    trial.publish(&id);
                }
                let job = trial.all(Demand::default());
                let finished = matches!(job.step, publication::JobStep::Published | publication::JobStep::Unchanged);
                assert!(finished, "{key} {value:?}: {:?}", job.summary);
            }
        }
    }
}

/// Invariant 11: a step of a pull keeps its time whatever a get or a write takes.
#[test]
fn invariant_11_every_step_of_a_run_keeps_its_time_on_a_slow_store() {
    use store::faulty::{FaultRates, Faulty};
    struct Lent<'a>(&'a Services, Rc<Cell<u64>>);
    impl Environment for Lent<'_> {
        fn now_ms(&self) -> i64 {
            (self.0.now() + self.1.get()).cast_signed()
        }
        fn monotonic_ms(&self) -> u64 {
            self.0.now() + self.1.get()
        }
        async fn user(&self, _: &Document) -> Result<(), StoreError> {
            Ok(())
        }
        fn batch(&self) -> usize {
            25
        }
    }
    for (get_ms, set_ms) in [(10, 10), (30, 100)] {
        let kv = Faulty::new(1, FaultRates { get_ms, set_ms, ..FaultRates::default() });
        let services = Services::default();
        services.pass(1_700_000_000_000);
        let world = Lent(&services, Rc::clone(&kv.clock));
        let now = world.now_ms();
        block_on(open(&kv, "c1", Demand::default(), configuration(&Service::ALL), now)).unwrap();
        let mut longs: BTreeMap<RunStep, u64> = BTreeMap::new();
        for round in 0.. {
            assert!(round < 5_000, "the run does not end");
            let before = block_on(status(&kv)).unwrap().unwrap().step;
            if before.is_final() {
                assert_eq!(before, RunStep::HandedOver);
                break;
            }
            let sources = Sources::new(services.clone(), services.clone(), config());
            let (start, budget) = (world.monotonic_ms(), [1, 1, 20][round % 3]);
            block_on(advance(&kv, &world, &sources, budget, &[])).unwrap();
            let remainder = (world.monotonic_ms() - start).saturating_sub(budget);
            let max = longs.entry(before).or_default();
            *max = remainder.max(*max);
        }
        assert!(longs.len() >= 6, "every step is measured: {longs:?}");
        assert!(longs.values().all(|ms| *ms <= 5_000), "get {get_ms} ms, write {set_ms} ms: {longs:?}");
    }
}
