//! Whatever state a job is in, the next one and the housekeeping go on; whatever is pushed, a value fits or its job ends
//! with a reason; every call keeps its budget of time (invariants 8 and 11).

use crate::common::{body, finish};
use domain::{Document, Maille};
use futures_executor::block_on;
use publication::double::TurnedWorld;
use publication::*;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;
use store::faulty::{FaultRates, Faulty};
use store::finding::SearchDemand;
use store::frame;
use store::kv::{KeyValue, KeyValueWrite, StoreError};
use store::list::{Filter, Format};
use store::reading::Cache;
use store::segment::RowStyle;
use store::{MemoryStore, Reader};

fn certification(code: &str, cfd: &str, count: usize) -> Value {
    json!({"kind": "certification", "doc": {"code_certification": code, "millesime": "2020", "filiere": "pro", "code_formation_diplome": cfd,
        "libelle": "CUISINE", "nb_annee_term": count, "nb_sortant": count / 2}})
}

async fn stage<K: KeyValueWrite>(kv: &K, id: &str, rows: &[Value]) -> Result<Job, PublicationError> {
    open(kv, id, Opening::default(), 0).await?;
    let staging = Staging::new(kv, id, 25);
    let mut parts = 0;
    for part in rows.chunks(10_000) {
        staging.stage(parts, &body(part), &[]).await.unwrap();
        parts += 1;
    }
    Job::publish(kv, id, PublicationOptions { parts, ..PublicationOptions::default() }, 0).await
}

/// A place with 28,000 rows is published whole, and found whole.
#[test]
fn invariant_8_a_place_of_28_000_rows_is_published_and_read() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let n = 28_000;
    let rows: Vec<Value> = [json!({"kind": "maille", "doc": {"nom": "pays", "libelle": "Pays", "cle": "pays"}})]
        .into_iter()
        .chain((0..n).map(|i| {
            json!({"kind": "statistique", "doc": {"maille": "pays", "pays": if i % 1_000 == 999 { "DE" } else { "FR" },
                "code_certification": format!("{i:011}"), "millesime": "2020", "filiere": "pro", "code_formation_diplome": format!("{:08}", i / 9),
                "nb_annee_term": 20 + i % 40, "nb_sortant": 10}})
        }))
        .collect();
    block_on(async {
        stage(&kv, "a", &rows).await.unwrap();
        let job = finish(&kv, &world, "a", 1_000).await.unwrap();
        assert_eq!(job.step, JobStep::Published, "{:?}", job.summary.failure);
        let reader = Reader::open(&kv, Rc::new(Cache::new()), 0).await.unwrap();
        let list = store::keys::declared_list("pays");
        let plan = reader.plan(&list).await.unwrap();
        for (place, expected) in [("FR", n - n / 1_000), ("DE", n / 1_000), ("IT", 0)] {
            let filter = Filter { uais: vec![place.into()], ..Filter::default() };
            let selection = reader.selection(&list, &plan, &filter).await.unwrap();
            assert_eq!(selection.total(), expected, "{place}");
            let mut read = 0;
            for t in selection.slices(0, selection.total(), plan.rows(Format::Csv)) {
                let segment = reader.segment(&list, selection.order, Format::Csv, t.segment).await.unwrap();
                let (mut rows, style) = (Vec::new(), RowStyle { first: true, between: b"", now: 0 });
                segment.append_rows(&mut rows, t.from, t.count, style).unwrap();
                let rows = String::from_utf8(rows).unwrap();
                assert!(rows.lines().all(|l| l.starts_with(place)), "{place}");
                read += rows.lines().count();
            }
            assert_eq!(read, expected);
        }
        let filter = Filter {
            uais: vec!["FR".into()],
            codes: vec!["00000027998".into(), "00000000001".into()],
            ..Filter::default()
        };
        assert_eq!(reader.selection(&list, &plan, &filter).await.unwrap().total(), 2);
    });
}

/// A CFD with 20,000 MEFs is published whole: its counts are summed, each MEF is found.
#[test]
fn invariant_8_a_cfd_of_20_000_mefs_is_published_and_read() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let n = 20_000;
    let rows: Vec<Value> = (0..n).map(|i| certification(&format!("{i:011}"), "40025214", 20)).collect();
    block_on(async {
        stage(&kv, "a", &rows).await.unwrap();
        let job = finish(&kv, &world, "a", 1_000).await.unwrap();
        assert_eq!(job.step, JobStep::Published, "{:?}", job.summary.failure);
        let reader = Reader::open(&kv, Rc::new(Cache::new()), 0).await.unwrap();
        assert!(reader.version_set(Maille::National, "", "00000019999").await.unwrap().is_some());
        let counts = reader.counts("", "40025214").await.unwrap().unwrap();
        let view = store::counts::view(&[("40025214".into(), counts)], |_| true, "", 0).unwrap();
        assert_eq!(view.0[0].1.as_document()["nb_annee_term"], 20 * n);
        for text in ["cuisine", "00000019999", "00000000000"] {
            let found = reader.find(&SearchDemand { q: text, ..SearchDemand::default() }, 0, 10).await.unwrap();
            assert_eq!(found.total, 1, "{text}");
        }
    });
}

/// A list of so many academies that its plan does not fit into a value is published whole, and filtered.
#[test]
fn invariant_8_a_plan_of_any_number_of_runs_is_published_and_read() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let n = 14_000;
    let rows: Vec<Value> = [json!({"kind": "maille", "doc": {"nom": "bassins", "libelle": "Bassins", "cle": "academie.code"}})]
        .into_iter()
        .chain((0..n).map(|i| {
            json!({"kind": "statistique", "doc": {"maille": "bassins", "academie": {"code": format!("bassin-{i:06}"), "nom": "B"},
                "region": {"code": "11", "nom": "R"}, "code_certification": "40025214", "millesime": "2020", "filiere": "pro", "nb_annee_term": 30}})
        }))
        .collect();
    block_on(async {
        stage(&kv, "a", &rows).await.unwrap();
        let job = finish(&kv, &world, "a", 1_000).await.unwrap();
        assert_eq!(job.step, JobStep::Published, "{:?}", job.summary.failure);
        let reader = Reader::open(&kv, Rc::new(Cache::new()), 0).await.unwrap();
        let list = store::keys::declared_list("bassins");
        let plan = reader.plan(&list).await.unwrap();
        assert!(plan.encode().len() > store::kv::VALUE_MAX, "{}", plan.encode().len());
        let code = Filter { codes: vec!["40025214".into()], ..Filter::default() };
        let area = |n: usize| Filter { academies: vec![format!("bassin-{n:06}")], ..Filter::default() };
        for (filter, expected) in [(code, n), (area(13_999), 1), (area(n), 0), (Filter::default(), n)] {
            assert_eq!(reader.selection(&list, &plan, &filter).await.unwrap().total(), expected);
        }
    });
}
/// Housekeeping until there is nothing left to do; an hour passes first.
async fn clean<K: KeyValueWrite>(kv: &K, world: &TurnedWorld) {
    world.now.set(world.now.get() + 3_600_000);
    for _ in 0..1_000 {
        if !clean_up(kv, world).await.unwrap() {
            return;
        }
    }
    panic!("the housekeeping does not end");
}

/// What is left besides one served generation.
fn remainders(kv: &MemoryStore, served: Option<&str>) -> Vec<String> {
    let own = |k: &String| served.is_some_and(|g| k.starts_with(&format!("{g}:")) || *k == format!("work:marks:{g}"));
    let always = ["current", "work:generations", "work:generations:copie", "work:lease"];
    // The journal of moves is written over in turn, and never deleted.
    let is_journal = |k: &String| k.starts_with("public:changements");
    kv.keys().into_iter().filter(|k| !own(k) && !is_journal(k) && !always.contains(&k.as_str())).collect()
}

/// A store in which a job was registered, and whoever opened it was killed before its record was written.
async fn killed_before_its_record(id: &str, now: i64) -> MemoryStore {
    for remaining in 0..50 {
        let kv = MemoryStore::default();
        kv.remaining.set(Some(remaining));
        assert!(open(&kv, id, Opening::default(), now).await.is_err(), "opened with {remaining} calls of the store");
        kv.remaining.set(None);
        if Registry::read(&kv).await.is_ok_and(|registry| registry.jobs == [id]) {
            return kv;
        }
    }
    panic!("no job was registered");
}

/// Whatever happened to a job's record, the job has ended with a reason, another is published behind it, and nothing of
/// it is left.
#[test]
fn invariant_11_a_job_whose_record_is_lost_has_ended_and_is_in_nobodys_way() {
    let rows: Vec<Value> = (0..50).map(|i| certification(&format!("{i:08}"), "40025214", 30)).collect();
    // Killed before its record is written; then: damaged or lost while parts come in, or in the middle of the steps.
    for cas in 0..7 {
        let (mut kv, world) = (MemoryStore::default(), TurnedWorld::default());
        block_on(async {
            match cas {
                0 => kv = killed_before_its_record("perdu", 0).await,
                1 | 2 => {
                    open(&kv, "perdu", Opening::default(), 0).await.unwrap();
                    Staging::new(&kv, "perdu", 25).stage(0, &body(&rows), &[]).await.unwrap();
                }
                _ => {
                    stage(&kv, "perdu", &rows).await.unwrap();
                    advance(&kv, &world, "perdu", 0, &[]).await.unwrap();
                }
            }
            let record = "work:job:perdu";
            match cas {
                1 | 3 => kv.corrupt(record, Some(b"{\"id\": ".to_vec())),
                2 | 4 => kv.corrupt(record, None),
                5 => kv.corrupt("work:marks:g1", Some(b"x".to_vec())),
                6 => kv.corrupt("work:lease", Some(b"x".to_vec())),
                _ => {}
            }
            world.now.set(120_000);
            let finished = match cas {
                0..=4 => Job::status(&kv, "perdu").await.unwrap(),
                _ => finish(&kv, &world, "perdu", 1_000).await.unwrap(),
            };
            if cas == 6 {
                assert_eq!(finished.step, JobStep::Published, "a lease that cannot be read is a free one");
                return;
            }
            assert_eq!(finished.step, JobStep::Failed, "{cas}");
            assert!(finished.summary.failure.is_some(), "{cas}");
            // Its callers are told, whichever call they make.
            match cas {
                0 | 1 => drop(advance(&kv, &world, "perdu", 10, &[]).await.unwrap()),
                2 | 3 => drop(Job::give_up(&kv, "perdu", 120_000).await.unwrap()),
                4 => {
                    let options = PublicationOptions { parts: 1, ..PublicationOptions::default() };
                    let refusal = Job::publish(&kv, "perdu", options, 120_000).await.unwrap_err();
                    assert!(matches!(refusal, PublicationError::Refused(_)), "{refusal}");
                }
                _ => {}
            }
            stage(&kv, "suivant", &rows).await.unwrap();
            assert_eq!(finish(&kv, &world, "suivant", 1_000).await.unwrap().step, JobStep::Published, "{cas}");
            clean(&kv, &world).await;
            let registry = Registry::read(&kv).await.unwrap();
            assert!(registry.jobs.is_empty() && registry.to_delete.is_empty(), "{cas}: {registry:?}");
            assert_eq!(registry.generations.len(), 1, "{cas}: {registry:?}");
            let remainders = remainders(&kv, Some(&registry.generations[0].id));
            // Without its marks nobody knows what lies under a prefix.
            assert!(cas == 5 || remainders.is_empty(), "{cas}: {remainders:?}");
        });
    }
}

#[test]
fn a_job_that_is_being_opened_is_not_taken_for_a_lost_one() {
    let world = TurnedWorld::default();
    block_on(async {
        world.now.set(1_000_000);
        let kv = killed_before_its_record("lent", 1_000_000).await;
        world.now.set(1_030_000);
        assert!(!clean_up(&kv, &world).await.unwrap());
        assert_eq!(Registry::read(&kv).await.unwrap().jobs, ["lent"], "its second write may still come");
        world.now.set(1_061_000);
        assert!(clean_up(&kv, &world).await.unwrap());
        assert!(Registry::read(&kv).await.unwrap().jobs.is_empty());
    });
}

/// A record that nothing names: what is left of a deletion that was lost.
#[test]
fn invariant_11_a_record_without_registration_is_ended_and_deleted() {
    let rows = [certification("00000001", "40025214", 30)];
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    block_on(async {
        stage(&kv, "a", &rows).await.unwrap();
        let record = kv.get("work:job:a").await.unwrap();
        Job::give_up(&kv, "a", 0).await.unwrap();
        clean(&kv, &world).await;
        for resumed_at in 0..2 {
            kv.corrupt("work:job:a", record.clone());
            if resumed_at == 0 {
                let job = advance(&kv, &world, "a", 10, &[]).await.unwrap();
                assert_eq!(job.step, JobStep::Failed, "{:?}", job.summary.failure);
            } else {
                Job::give_up(&kv, "a", 0).await.unwrap();
            }
            clean(&kv, &world).await;
            assert_eq!(remainders(&kv, None), Vec::<String>::new());
        }
    });
}

/// Killed between the pointer and its record, a job that is given up has been published: nothing that is served goes.
#[test]
fn what_the_pointer_names_is_never_deleted() {
    let rows: Vec<Value> = (0..50).map(|i| certification(&format!("{i:08}"), "40025214", 30)).collect();
    let killed_after = |operations: u64| {
        let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
        block_on(async {
            stage(&kv, "a", &rows).await.unwrap();
            while advance(&kv, &world, "a", 0, &[]).await.unwrap().step != JobStep::Switch {}
            kv.remaining.set(Some(operations));
            let _ = advance(&kv, &world, "a", 0, &[]).await;
            kv.remaining.set(None);
            let served = kv.get("current").await.unwrap().is_some();
            let finished = Job::status(&kv, "a").await.unwrap().step == JobStep::Published;
            (served && !finished).then_some((kv, world))
        })
    };
    let (kv, world) = (0..200).find_map(killed_after).unwrap();
    block_on(async {
        assert!(Job::give_up(&kv, "a", 0).await.is_err());
        clean(&kv, &world).await;
        let reader = Reader::open(&kv, Rc::new(Cache::new()), 0).await.unwrap();
        assert!(reader.version_set(Maille::National, "", "00000001").await.unwrap().is_some());
        // Not even where the registry says that it may go.
        let registry = kv.get("work:generations").await.unwrap().unwrap();
        let registry = frame::open("work:generations", &registry).unwrap().to_vec();
        let wrong = String::from_utf8(registry).unwrap().replace("publiee", "a_effacer");
        kv.corrupt("work:generations", Some(frame::seal("work:generations", wrong.into_bytes())));
        clean(&kv, &world).await;
        assert!(reader.version_set(Maille::National, "", "00000001").await.unwrap().is_some());
    });
}

/// Killed between the pointer and its record, with the housekeeping before its next call or its state lost: it has published.
#[test]
fn invariant_11_a_job_that_was_killed_behind_its_pointer_has_published() {
    let rows: Vec<Value> = (0..50).map(|i| certification(&format!("{i:08}"), "40025214", 30)).collect();
    let mut met = 0;
    for operations in 0..200 {
        for lost in [false, true] {
            let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
            block_on(async {
                stage(&kv, "a", &rows).await.unwrap();
                while advance(&kv, &world, "a", 0, &[]).await.unwrap().step != JobStep::Switch {}
                kv.remaining.set(Some(operations));
                let _ = advance(&kv, &world, "a", 0, &[]).await;
                kv.remaining.set(None);
                let ended = Job::status(&kv, "a").await.unwrap().step == JobStep::Published;
                if kv.get("current").await.unwrap().is_none() || ended {
                    return;
                }
                met += 1;
                if lost {
                    kv.keys().iter().filter(|key| key.contains(":etat.")).for_each(|key| kv.corrupt(key, None));
                } else {
                    clean(&kv, &world).await;
                }
                let job = advance(&kv, &world, "a", 1_000, &[]).await.unwrap();
                assert_eq!((job.step, job.summary.failure), (JobStep::Published, None), "{operations} {lost}");
                clean(&kv, &world).await;
                assert_eq!(remainders(&kv, Some("g1")), Vec::<String>::new(), "{operations} {lost}");
            });
        }
    }
    assert!(met > 2, "{met}");
}

/// A value that would not fit ends its job with the reason, and what is behind it is published.
#[test]
fn invariant_11_what_does_not_fit_ends_its_job_and_no_other() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    block_on(async {
        // More millesimes than a report tells apart.
        let rows: Vec<Value> = (0..2_500)
            .map(|i| json!({"kind": "certification", "doc": {"code_certification": "12345678", "millesime": format!("{:04}", 1_900 + i), "filiere": "pro", "nb_annee_term": 30}}))
            .collect();
        stage(&kv, "trop", &rows).await.unwrap();
        let failure = finish(&kv, &world, "trop", 1_000).await.unwrap();
        assert_eq!(failure.step, JobStep::Failed);
        assert!(failure.summary.failure.as_deref().unwrap().contains("trop grande"), "{:?}", failure.summary.failure);
        // Names of fields and openings of any length.
        let field = "x".repeat(300_000);
        open(&kv, "champs", Opening::default(), 0).await.unwrap();
        let row = json!({"kind": "certification", "doc": {"code_certification": "12345678", "millesime": "2020", "filiere": "pro", field: 1}});
        let info = Staging::new(&kv, "champs", 25).stage(0, &body(&[row]), &[]).await.unwrap();
        assert_eq!(info.unknown_fields.keys().next().unwrap().len(), 100);
        let refused = json!({"kind": "x".repeat(900_000), "doc": {}});
        let info = Staging::new(&kv, "champs", 25).stage(1, &body(&[refused]), &[]).await.unwrap();
        assert!(info.refusals[0].reason.len() <= 400);
        let long = Opening { millesimes: vec!["2020".into(); 100_000], ..Opening::default() };
        assert!(matches!(open(&kv, "long", long, 0).await, Err(PublicationError::Refused(_))));
        let wrong = store::pointer::MillesimesInForce { formations: Some("x".repeat(400_000)), ..Default::default() };
        let options = PublicationOptions { parts: 1, millesimes: Some(wrong), ..PublicationOptions::default() };
        assert!(matches!(Job::publish(&kv, "champs", options, 0).await, Err(PublicationError::Refused(_))));
        stage(&kv, "suivant", &[certification("00000001", "40025214", 30)]).await.unwrap();
        assert_eq!(finish(&kv, &world, "suivant", 1_000).await.unwrap().step, JobStep::Published);
    });
}

/// Refused calls leave a little each; where the housekeeping never comes, openings are refused before the registry is full.
#[test]
fn invariant_8_the_registry_does_not_grow_without_housekeeping() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    block_on(async {
        let mut open_jobs = 0;
        for n in 0..2_000 {
            let id = format!("j{n:050}");
            match open(&kv, &id, Opening::default(), 0).await {
                Ok(_) => {
                    open_jobs += 1;
                    Job::give_up(&kv, &id, 0).await.unwrap();
                }
                Err(error) => assert!(error.to_string().contains("ménage"), "{error}"),
            }
        }
        assert!((500..1_000).contains(&open_jobs), "{open_jobs}");
        clean(&kv, &world).await;
        assert!(open(&kv, "encore", Opening::default(), 0).await.is_ok());
    });
}

/// Every wait has an end: parts that are never published, losses that nobody confirms.
#[test]
fn invariant_11_a_job_that_waits_too_long_is_given_up_with_the_reason() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let rows: Vec<Value> = (0..50).map(|i| certification(&format!("{i:08}"), "40025214", 30)).collect();
    block_on(async {
        stage(&kv, "a", &rows).await.unwrap();
        finish(&kv, &world, "a", 1_000).await.unwrap();
        open_in_one_call(&kv, "appel", Opening::default(), 0).await.unwrap();
        open(&kv, "oublie", Opening::default(), 0).await.unwrap();
        open_collection(&kv, "collecte", Opening::default(), 0).await.unwrap();
        stage(&kv, "pertes", &rows[..10]).await.unwrap();
        assert_eq!(finish(&kv, &world, "pertes", 1_000).await.unwrap().step, JobStep::AwaitConfirmation);
        let mut remaining = vec!["appel", "oublie", "collecte", "pertes"];
        for (first, max, reason) in [
            ("appel", CALL_MAX_MS, "5 minutes"),
            ("oublie", STAGING_MAX_MS, "24 heures"),
            ("collecte", WAIT_MAX_MS, "14 jours"),
        ] {
            world.now.set(max);
            while clean_up(&kv, &world).await.unwrap() {}
            assert_eq!(Registry::read(&kv).await.unwrap().jobs, remaining, "until its time is over");
            world.now.set(max + 1);
            assert!(clean_up(&kv, &world).await.unwrap());
            let finished = Job::status(&kv, first).await.unwrap();
            assert_eq!(finished.step, JobStep::GivenUp);
            assert!(finished.summary.failure.as_ref().unwrap().contains(reason), "{:?}", finished.summary.failure);
            remaining.remove(0);
        }
        // Once to end them, once more when the ten minutes of what they wrote are over.
        clean(&kv, &world).await;
        clean(&kv, &world).await;
        assert!(Registry::read(&kv).await.unwrap().jobs.is_empty());
        assert_eq!(remainders(&kv, Some("g1")), Vec::<String>::new());
    });
}

/// A world whose clock the operations of a slow store turn.
struct Lent(Rc<Cell<u64>>, usize);

impl Environment for Lent {
    fn now_ms(&self) -> i64 {
        i64::try_from(self.0.get()).unwrap()
    }
    fn monotonic_ms(&self) -> u64 {
        self.0.get()
    }
    async fn user(&self, _: &Document) -> Result<(), StoreError> {
        Ok(())
    }
    fn batch(&self) -> usize {
        self.1
    }
}

/// Some MB of everything: documents of every maille, the nomenclature, a catalogue, a place with many rows.
fn de_tout(n: usize, count: usize) -> Vec<Value> {
    let mut rows = vec![json!({"kind": "maille", "doc": {"nom": "pays", "libelle": "Pays", "cle": "pays"}})];
    for i in 0..n {
        let (code, cfd) = (format!("{i:011}"), format!("{:08}", i / 3));
        let common = json!({"code_certification": code, "millesime": "2020", "filiere": "pro", "code_formation_diplome": cfd, "nb_annee_term": count + i % 40,
            "libelle": format!("METIER {i} DU BOIS ET DE LA PIERRE"), "region": {"code": "11", "nom": "R"}, "academie": {"code": format!("{}", i % 30), "nom": "A"}});
        let with = |field: &str, value: String| {
            let mut doc = common.clone();
            doc[field] = value.into();
            doc
        };
        rows.push(json!({"kind": "formation", "doc": with("uai", format!("{:07}A", 750_000 + i % 500))}));
        rows.push(json!({"kind": "statistique", "doc": {"maille": "pays", "pays": "FR", "code_certification": code, "millesime": "2020", "filiere": "pro", "nb_annee_term": 30}}));
        rows.push(json!({"kind": "regionale", "doc": common}));
        rows.push(certification(&code, &cfd, count + i % 40));
        rows.push(json!({"kind": "bcn", "doc": {"type": "mef", "code_certification": code, "code_formation_diplome": cfd, "libelle": format!("METIER {i}")}}));
        rows.push(json!({"kind": "bcn_mef", "doc": {"mef_stat_11": code, "formation_diplome": cfd, "libelle": "x".repeat(300)}}));
        rows.push(json!({"kind": "catalogue", "doc": {"id": format!("c{i}"), "cfd": cfd, "rncp_code": format!("RNCP{}", i % 40_000), "reste": "x".repeat(300)}}));
    }
    rows
}

/// Invariant 11: no call takes much longer than it may, whatever a get or a write takes, at any step, in housekeeping too.
#[test]
fn invariant_11_every_step_keeps_its_time_on_a_slow_store() {
    // Hosts allow 30 s a request, a step may take 25: five more than the budget of a call.
    const BUDGET: u64 = 20_000;
    const MAX: u64 = 25_000;
    for (get_ms, set_ms, batch) in [(10, 10, 25), (30, 100, 25), (10, 10, 1)] {
        let kv = Faulty::new(1, FaultRates::default());
        let world = Lent(Rc::clone(&kv.clock), batch);
        let mut longs: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
        let mut note = |what: String, duration: u64| {
            let max = longs.entry(what).or_default();
            *max = duration.max(*max);
        };
        block_on(async {
            for (round, budget) in [("a", BUDGET), ("b", 1), ("c", 1_000)] {
                let count = if round == "b" { 30 } else { 20 };
                kv.faults.set(FaultRates::default());
                stage(&kv, round, &de_tout(6_000, count)).await.unwrap();
                kv.faults.set(FaultRates { get_ms, set_ms, ..FaultRates::default() });
                loop {
                    let before = Job::status(&kv, round).await.unwrap().step;
                    let start = kv.clock.get();
                    let job = advance(&kv, &world, round, budget, &[]).await.unwrap();
                    note(format!("{before:?}"), kv.clock.get() - start + BUDGET - budget);
                    if job.step.is_final() {
                        assert_eq!(job.step, JobStep::Published, "{:?}", job.summary.failure);
                        break;
                    }
                }
                kv.clock.set(kv.clock.get() + 3_600_000);
                loop {
                    let start = kv.clock.get();
                    let again = clean_up(&kv, &world).await.unwrap();
                    note("clean_up".into(), kv.clock.get() - start + BUDGET);
                    if !again {
                        break;
                    }
                }
            }
        });
        println!("get {get_ms} ms, write {set_ms} ms, {batch} a batch: {longs:?}");
        assert!(longs.values().all(|ms| *ms <= MAX), "get {get_ms} ms, write {set_ms} ms, {batch} a batch: {longs:?}");
        // A list is verified a value at a time, not whole.
        let verify = longs["Verify"] - BUDGET;
        assert!(verify <= 40 * (get_ms + set_ms), "{verify} ms");
        assert!(longs.len() >= 8, "every step is measured: {longs:?}");
    }
}

/// Parts, small ones, as `n` lines make them.
async fn stage_parts<K: KeyValueWrite>(kv: &K, id: &str, n: usize, parts: usize) {
    open(kv, id, Opening::default(), 0).await.unwrap();
    let staging = Staging::new(kv, id, 25);
    for part in 0..n {
        let rows = [certification(&format!("{part:08}"), "40025214", 30)];
        staging.stage(part, &body(&rows), &[]).await.unwrap();
    }
    Job::publish(kv, id, PublicationOptions { parts, ..PublicationOptions::default() }, 0).await.unwrap();
}

/// Parts beyond those that are published (a caller sent more, or an attempt of a pull was lost) go with their job, although
/// the publication deletes those before them while it runs.
#[test]
fn invariant_8_parts_beyond_those_that_are_published_are_deleted() {
    for (sent, published) in [(5, 2), (30, 1), (30, 12), (3, 3)] {
        let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
        block_on(async {
            stage_parts(&kv, "a", sent, published).await;
            assert_eq!(finish(&kv, &world, "a", 1_000).await.unwrap().step, JobStep::Published);
            clean(&kv, &world).await;
        });
        assert_eq!(remainders(&kv, Some("g1")), Vec::<String>::new(), "{sent} sent, {published} published");
    }
}

/// Killed once, at whatever operation, the early deletion of parts and temporary values included: the same is published, and
/// nothing is left over.
#[test]
fn invariant_11_killed_once_at_each_operation_nothing_is_left_over() {
    let prepared = || {
        let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
        block_on(stage_parts(&kv, "a", 5, 4));
        (kv, world)
    };
    let (kv, world) = prepared();
    let expected = block_on(finish(&kv, &world, "a", 1_000)).unwrap().summary.digest;
    let mut operations = 0;
    loop {
        let (kv, world) = prepared();
        kv.remaining.set(Some(operations));
        // A call for each look at the clock: every step is saved.
        let unharmed = block_on(async {
            loop {
                match advance(&kv, &world, "a", 0, &[]).await {
                    Ok(job) if job.step.is_final() => return true,
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
        });
        kv.remaining.set(None);
        let job = block_on(finish(&kv, &world, "a", 1_000)).unwrap();
        assert_eq!((job.step, job.summary.digest), (JobStep::Published, expected.clone()), "operation {operations}");
        block_on(clean(&kv, &world));
        assert_eq!(remainders(&kv, Some("g1")), Vec::<String>::new(), "operation {operations}");
        if unharmed {
            break;
        }
        operations += 1;
    }
    assert!(operations > 150, "{operations}");
}
