//! Publication from end to end, on the in-memory double.

use crate::common::{self, body};
use domain::{Kind, Maille, date};
use futures_executor::block_on;
use proptest::prelude::*;
use publication::double::TurnedWorld;
use publication::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use store::kv::{KeyValue, StoreError};
use store::list::{Filter, Format};
use store::reading::Cache;
use store::segment::RowStyle;
use store::version_set::{Shape, Version, VersionSet};
use store::{MemoryStore, Reader, Shelf};

fn formation(uai: &str, code: &str, millesime: &str, region: &str, count: u32) -> Value {
    json!({"kind": "formation", "doc": {"uai": uai, "code_certification": code, "millesime": millesime, "filiere": if code.len() == 8 { "apprentissage" } else { "pro" },
        "code_formation_diplome": "12345678", "libelle": format!("LIBELLE {code}"), "region": {"code": region, "nom": "R"}, "academie": {"code": "10", "nom": "A"},
        "nb_annee_term": count, "nb_sortant": count / 2, "donnee_source": {"code_certification": code, "type": "self"}}})
}

fn certification(code: &str, millesime: &str, filiere: &str, count: u32) -> Value {
    json!({"kind": "certification", "doc": {"code_certification": code, "millesime": millesime, "filiere": filiere, "code_formation_diplome": "12345678",
        "nb_annee_term": count, "nb_sortant": count / 2, "donnee_source": {"code_certification": code, "type": "self"}}})
}

fn declare(name: &str, key: &str) -> Value {
    json!({"kind": "maille", "doc": {"nom": name, "libelle": format!("Par {name}"), "cle": key}})
}

fn academie(code: &str, certification: &str, millesime: &str, count: u32) -> Value {
    json!({"kind": "statistique", "doc": {"maille": "academies", "code_certification": certification, "millesime": millesime, "filiere": "pro",
        "code_formation_diplome": "12345678", "academie": {"code": code, "nom": "A"}, "nb_annee_term": count, "nb_sortant": count / 2}})
}

/// A declared maille of many places.
fn academies(n: u32) -> Vec<Value> {
    let rows = (0..n).map(|i| {
        academie(&format!("{:02}", i % 30), &format!("{:08}", i / 30), ["2019", "2020"][(i % 7 / 6) as usize], i % 60)
    });
    [declare("academies", "academie.code")].into_iter().chain(rows).collect()
}

fn stage(kv: &MemoryStore, id: &str, opening: Opening, rows: &[Value]) -> Result<Job, PublicationError> {
    block_on(async {
        open(kv, id, opening, 0).await?;
        let staging = Staging::new(kv, id, 25);
        let middle = rows.len() / 2;
        for (n, part) in [&rows[..middle], &rows[middle..]].into_iter().enumerate() {
            staging.stage(n, &body(part), &[]).await.unwrap();
        }
        Job::publish(kv, id, PublicationOptions { parts: 2, ..PublicationOptions::default() }, 0).await
    })
}

fn publish(kv: &MemoryStore, world: &TurnedWorld, id: &str, opening: Opening, rows: &[Value]) -> Job {
    stage(kv, id, opening, rows).unwrap();
    finish(kv, world, id)
}

fn finish(kv: &MemoryStore, world: &TurnedWorld, id: &str) -> Job {
    block_on(common::finish(kv, world, id, 20)).unwrap()
}

fn read(kv: &MemoryStore, maille: Maille, place: &str, code: &str) -> BTreeMap<(String, String), Value> {
    let cache = Rc::new(Cache::new());
    block_on(async {
        let reader = Reader::open(kv, Rc::clone(&cache), 0).await.unwrap();
        let version_set = reader.version_set(maille, place, code).await.unwrap().unwrap_or_default();
        version_set
            .versions
            .iter()
            .map(|v| {
                let mut out = Vec::new();
                v.write(&mut out, || 0, Shape::Row, None);
                ((v.millesime().to_owned(), v.filiere().to_owned()), serde_json::from_slice(&out).unwrap())
            })
            .collect()
    })
}

fn list_rows(kv: &MemoryStore, list: &str, filter: &Filter, format: Format) -> Vec<Vec<u8>> {
    let cache = Rc::new(Cache::new());
    block_on(async {
        let reader = Reader::open(kv, Rc::clone(&cache), 0).await.unwrap();
        let plan = reader.plan(list).await.unwrap();
        let selection = reader.selection(list, &plan, filter).await.unwrap();
        let mut rows = Vec::new();
        for t in selection.slices(0, selection.total(), plan.rows(format)) {
            let segment = reader.segment(list, selection.order, format, t.segment).await.unwrap();
            for rank in t.from..t.from + t.count {
                let (mut out, style) = (Vec::new(), RowStyle { first: true, between: b"", now: 0 });
                segment.append_rows(&mut out, rank, 1, style).unwrap();
                rows.push(out);
            }
        }
        assert_eq!(rows.len(), selection.total());
        rows
    })
}

fn many(n: u32) -> Vec<Value> {
    let mut rows = Vec::new();
    for i in 0..n {
        let uai = format!("{:07}A", 750_000 + i % 40);
        let code = if i % 3 == 0 { format!("{:08}", i % 25) } else { format!("{:011}", i % 25) };
        let region = if i % 40 < 20 { "11" } else { "84" };
        rows.push(formation(&uai, &code, ["2018_2019", "2019_2020", "2020"][(i / 1000 % 3) as usize], region, i % 60));
        if i % 5 == 0 {
            rows.push(certification(&code, "2020", "apprentissage", i % 60));
            rows.push(json!({"kind": "bcn", "doc": {"type": "cfd", "code_certification": code, "code_formation_diplome": "12345678", "libelle": "x"}}));
        }
    }
    rows
}

/// The last document pushed under each key.
fn expected(rows: &[Value], kind: &str) -> BTreeMap<(String, String, String, String), Value> {
    let field = |l: &Value, c: &str| l["doc"][c].as_str().unwrap_or_default().to_owned();
    rows.iter()
        .filter(|l| l["kind"] == kind)
        .map(|l| {
            (
                (field(l, "uai"), field(l, "code_certification"), field(l, "millesime"), field(l, "filiere")),
                l["doc"].clone(),
            )
        })
        .collect()
}

#[test]
fn every_document_is_found_and_listed_once() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let pushed = many(4_000);
    let job = publish(&kv, &world, "a", Opening::default(), &pushed);
    assert_eq!(job.step, JobStep::Published, "{:?}", job.summary.failure);
    let formations = expected(&pushed, "formation");
    for ((uai, code, millesime, filiere), doc) in &formations {
        let read_rows = read(&kv, Maille::Etablissement, uai, code);
        let read = &read_rows[&(millesime.clone(), filiere.clone())];
        assert_eq!(read["nb_annee_term"], doc["nb_annee_term"]);
        if doc["nb_annee_term"].as_u64().unwrap() < 20 {
            assert!(read["nb_sortant"].is_null());
        } else {
            assert_eq!(read["nb_sortant"], doc["nb_sortant"]);
        }
    }
    let rows = list_rows(&kv, "formations", &Filter::default(), Format::Json);
    let keys: Vec<_> = rows
        .iter()
        .map(|r| serde_json::from_slice::<Value>(r).unwrap())
        .map(|r| ["millesime", "uai", "filiere", "code_certification"].map(|c| r[c].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(keys.len(), formations.len());
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "no row twice");
    assert_eq!(list_rows(&kv, "formations", &Filter::default(), Format::Csv).len(), formations.len());
    assert_eq!(list_rows(&kv, "bcn", &Filter::default(), Format::Json).len(), expected(&pushed, "bcn").len());
    assert_eq!(
        job.summary.documents["formations"].values().flat_map(|m| m.values()).sum::<u64>(),
        formations.len() as u64
    );
}

#[test]
fn filters_find_what_a_scan_finds() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let rows = many(3_000);
    publish(&kv, &world, "a", Opening::default(), &rows);
    let formations = expected(&rows, "formation");
    let own = |v: &[&str]| v.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let filters = [
        Filter { regions: own(&["84"]), ..Filter::default() },
        Filter { millesimes: vec![("2020".into(), None), ("2018_2019".into(), None)], ..Filter::default() },
        Filter { uais: own(&["0750003A", "0750021A"]), ..Filter::default() },
        Filter { codes: own(&["00000003", "00000000004"]), ..Filter::default() },
        Filter { codes: own(&["00000003"]), uais: own(&["0750003A"]), regions: own(&["11"]), ..Filter::default() },
        Filter { codes: own(&["00000000004"]), regions: own(&["84"]), academies: own(&["10"]), ..Filter::default() },
        Filter { codes: own(&["99999999"]), ..Filter::default() },
    ];
    for filter in filters {
        let within = |list: &[String], v: &str| list.is_empty() || list.iter().any(|x| x == v);
        let expected: BTreeSet<String> = formations
            .iter()
            .filter(|((uai, code, millesime, _), doc)| {
                within(&filter.uais, uai)
                    && within(&filter.codes, code)
                    && within(&filter.regions, doc["region"]["code"].as_str().unwrap())
                    && (filter.millesimes.is_empty() || filter.millesimes.iter().any(|(m, _)| m == millesime))
            })
            .map(|((uai, code, millesime, filiere), _)| format!("{uai}{code}{millesime}{filiere}"))
            .collect();
        let read: Vec<String> = list_rows(&kv, "formations", &filter, Format::Json)
            .iter()
            .map(|r| serde_json::from_slice::<Value>(r).unwrap())
            .map(|r| {
                ["uai", "code_certification", "millesime", "filiere"]
                    .map(|c| r[c].as_str().unwrap().to_owned())
                    .concat()
            })
            .collect();
        assert_eq!(read.len(), expected.len(), "{filter:?}");
        assert_eq!(read.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}

#[test]
fn the_same_input_in_another_order_makes_no_new_generation() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let mut rows = many(300);
    rows.sort_by_key(Value::to_string);
    rows.dedup();
    let unique: Vec<Value> = ["formation", "certification", "bcn"]
        .iter()
        .flat_map(|kind| expected(&rows, kind).into_values().map(move |doc| json!({"kind": kind, "doc": doc})))
        .collect();
    let one = publish(&kv, &world, "a", Opening::default(), &unique);
    let reversed: Vec<Value> = unique.into_iter().rev().collect();
    let two = publish(&kv, &world, "b", Opening::default(), &reversed);
    assert_eq!((one.step, two.step), (JobStep::Published, JobStep::Unchanged));
    assert_eq!(one.summary.digest, two.summary.digest);
}

#[test]
fn a_push_replaces_what_it_declares_and_carries_over_the_rest() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let first = [
        certification("11111111", "2019", "pro", 40),
        certification("11111111", "2020", "pro", 50),
        certification("22222222", "2020", "pro", 60),
    ];
    publish(&kv, &world, "a", Opening::default(), &first);
    let opening = Opening { kinds: vec![Kind::Certification], millesimes: vec!["2020".into()], ..Opening::default() };
    stage(&kv, "b", opening, &[certification("11111111", "2020", "pro", 51)]).unwrap();
    let wait = finish(&kv, &world, "b");
    assert_eq!(wait.step, JobStep::AwaitConfirmation, "half of 2020 would go");
    assert_eq!(wait.summary.losses, ["certifications 2020 : 2 → 1"]);
    assert!(!read(&kv, Maille::National, "", "22222222").is_empty(), "nothing served changes before");
    block_on(Job::publish(&kv, "b", PublicationOptions { confirm_losses: true, ..PublicationOptions::default() }, 0))
        .unwrap();
    assert_eq!(finish(&kv, &world, "b").step, JobStep::Published);
    let one = read(&kv, Maille::National, "", "11111111");
    assert_eq!(one[&("2019".into(), "pro".into())]["nb_annee_term"], 40);
    assert_eq!(one[&("2020".into(), "pro".into())]["nb_annee_term"], 51);
    assert!(read(&kv, Maille::National, "", "22222222").is_empty());

    let addition = Opening { mode: Mode::Add, ..Opening::default() };
    publish(&kv, &world, "c", addition, &[certification("22222222", "2020", "pro", 61)]);
    assert_eq!(read(&kv, Maille::National, "", "22222222").len(), 1);
    assert_eq!(read(&kv, Maille::National, "", "11111111").len(), 2);

    let pointer = block_on(roll_back(&kv, &world)).unwrap();
    assert!(read(&kv, Maille::National, "", "22222222").is_empty(), "rolled back");
    assert!(pointer.previous.is_some(), "and forward again");
}

#[test]
fn refused_lines_stop_a_publication_unless_accepted() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let rows = [certification("11111111", "2020", "pro", 40), json!({"kind": "certification", "doc": {}})];
    let refusal = stage(&kv, "a", Opening::default(), &rows).unwrap_err();
    assert!(refusal.to_string().contains("partie 1, ligne 1 : code_certification manque"), "{refusal}");
    let options = PublicationOptions { parts: 2, accept_refusals: true, ..PublicationOptions::default() };
    block_on(Job::publish(&kv, "a", options, 0)).unwrap();
    assert_eq!(finish(&kv, &world, "a").step, JobStep::Published);
}

/// Killed at any operation and started again, a job ends in the same bytes. Two tests, so that two cores do it.
#[test]
fn killed_anywhere_a_job_ends_in_the_same_bytes() {
    ends_in_the_same_bytes((0..60).step_by(2));
}

#[test]
fn killed_anywhere_else_a_job_ends_in_the_same_bytes() {
    ends_in_the_same_bytes((1..60).step_by(2));
}

fn ends_in_the_same_bytes(seeds: impl Iterator<Item = u64>) {
    let rows = [many(600), academies(300)].concat();
    let served = |kv: &MemoryStore| -> BTreeMap<String, Vec<u8>> {
        let temporary = |k: &str| k.contains(":etat.") || k.contains(":flux.") || k.contains(":manifeste:");
        kv.keys()
            .into_iter()
            .filter(|k| k.starts_with('g') && !temporary(k))
            .map(|k| (k.clone(), block_on(kv.get(&k)).unwrap().unwrap()))
            .collect()
    };
    let reference = MemoryStore::default();
    let world = TurnedWorld::default();
    let expected = publish(&reference, &world, "a", Opening::default(), &rows).summary.digest;
    let expected_values = served(&reference);
    for seed in seeds {
        let (kv, world) = (MemoryStore::default(), TurnedWorld::striding(1 + seed % 7));
        stage(&kv, "a", Opening::default(), &rows).unwrap();
        let mut random = seed;
        let job = loop {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            kv.remaining.set(Some(5 + (random >> 33) % 120));
            let ahead = block_on(advance(&kv, &world, "a", 3 + seed % 11, &[]));
            kv.remaining.set(None);
            if let Ok(job) = ahead
                && job.step.is_final()
            {
                break job;
            }
        };
        assert_eq!(job.summary.digest, expected, "seed {seed}");
        assert_eq!(served(&kv), expected_values, "seed {seed}");
    }
}

#[test]
fn two_publications_cannot_interleave() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    stage(&kv, "a", Opening::default(), &many(50)).unwrap();
    stage(&kv, "b", Opening::default(), &many(60)).unwrap();
    // The first makes one step, then is killed in the middle of another: its lease is still there.
    world.stride.set(1);
    block_on(advance(&kv, &world, "a", 1, &[])).unwrap();
    kv.remaining.set(Some(30));
    assert!(block_on(advance(&kv, &world, "a", 1_000, &[])).is_err());
    kv.remaining.set(None);
    let occupied = block_on(advance(&kv, &world, "b", 1_000, &[])).unwrap_err();
    assert!(matches!(occupied, PublicationError::Busy { .. }), "{occupied}");
    world.now.set(120_000);
    assert_eq!(finish(&kv, &world, "b").step, JobStep::Published, "an expired lease can be taken");
    let failure = finish(&kv, &world, "a");
    assert_eq!(failure.step, JobStep::Failed, "what it would replace is no longer served");
}

/// Invariant 8: what is left after deletion is known without listing a key.
#[test]
fn invariant_8_everything_unread_is_deleted_without_listing() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    for (n, id) in ["a", "b", "c", "d"].iter().enumerate() {
        publish(&kv, &world, id, Opening::default(), &many(100 + u32::try_from(n).unwrap()));
    }
    stage(&kv, "e", Opening::default(), &many(40)).unwrap();
    block_on(Job::give_up(&kv, "e", 0)).unwrap();
    let clean = || while block_on(clean_up(&kv, &world)).unwrap() {};
    clean();
    let generations = |kv: &MemoryStore| {
        let prefix = |k: String| k.split(':').next().unwrap().to_owned();
        kv.keys().into_iter().map(prefix).filter(|p| p.starts_with('g')).collect::<BTreeSet<_>>()
    };
    assert_eq!(generations(&kv).len(), 4, "not within ten minutes of leaving the pointer");
    world.now.set(11 * 60 * 1000);
    clean();
    assert_eq!(generations(&kv), BTreeSet::from(["g3".to_owned(), "g4".to_owned()]));
    // What changed is kept beside generations, in so many values.
    let of_feed = |key: &String| key.starts_with("public:changements");
    assert_eq!(kv.keys().into_iter().filter(of_feed).count(), 1 + 3);
    let remainders: Vec<String> = kv.keys().into_iter().filter(|k| !k.starts_with('g') && !of_feed(k)).collect();
    assert_eq!(
        remainders,
        ["current", "work:generations", "work:generations:copie", "work:lease", "work:marks:g3", "work:marks:g4"]
    );
    let stream: Vec<String> =
        kv.keys().into_iter().filter(|k| k.contains(":flux.") && !k.contains(":flux.sources")).collect();
    assert!(stream.is_empty(), "{stream:?}");
    assert!(!read(&kv, Maille::Etablissement, "0750001A", "00000000001").is_empty());
}

/// Invariant 9: a damaged bundle starts the request again on the generation before.
#[test]
fn invariant_9_a_missing_bundle_is_a_fault_and_the_generation_before_answers() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    publish(&kv, &world, "a", Opening::default(), &many(50));
    publish(&kv, &world, "b", Opening::default(), &many(55));
    for key in kv.keys().into_iter().filter(|k| k.starts_with("g2:formations:")) {
        kv.corrupt(&key, None);
    }
    let cache = Rc::new(Cache::new());
    block_on(async {
        let reader = Reader::open(&kv, Rc::clone(&cache), 0).await.unwrap();
        let missing = reader.version_set(Maille::Etablissement, "0750001A", "00000000001").await;
        assert!(matches!(missing, Err(StoreError::Damaged(_))), "{missing:?}");
        let before = reader.previous().unwrap();
        assert!(before.version_set(Maille::Etablissement, "0750001A", "00000000001").await.unwrap().is_some());
        assert!(before.version_set(Maille::Etablissement, "0759999A", "00000000001").await.unwrap().is_none());
    });
}

/// Invariants 9 and 10: a pointer that cannot be read is damage, or another version's, and never a first publication.
#[test]
fn invariant_9_over_an_unreadable_pointer_nothing_is_published_and_a_rollback_mends_it() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    publish(&kv, &world, "a", Opening::default(), &many(50));
    publish(&kv, &world, "b", Opening::default(), &many(55));
    let whole = block_on(kv.get("current")).unwrap().unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let newer = text.replace("\"disposition\":4", "\"disposition\":99");
    let flipped = text.replace("\"g2\"", "\"g3\"");
    assert!(newer != text && flipped != text);
    let one = [certification("11111111", "2020", "pro", 40)];
    for (n, pointer) in
        [Some(newer.into_bytes()), Some(flipped.into_bytes()), Some(b"{}".to_vec()), None].into_iter().enumerate()
    {
        kv.corrupt("current", pointer.clone());
        // Refused where a job is opened …
        let refused = block_on(open(&kv, &format!("refused{n}"), Opening::default(), 0)).unwrap_err();
        assert!(
            matches!(refused, PublicationError::Store(StoreError::Damaged(_) | StoreError::OtherLayout { .. })),
            "{refused}"
        );
        // … and where one was open before: it ends with its reason, and what was served is not written over.
        kv.corrupt("current", Some(whole.clone()));
        let id = format!("open{n}");
        stage(&kv, &id, Opening::default(), &one).unwrap();
        kv.corrupt("current", pointer.clone());
        let job = finish(&kv, &world, &id);
        assert_eq!(job.step, JobStep::Failed, "{:?}", job.summary);
        assert!(
            job.summary.failure.as_deref().is_some_and(|reason| reason.contains("current")),
            "{:?}",
            job.summary.failure
        );
        assert_eq!(block_on(kv.get("current")).unwrap(), pointer);
        // Readers are told as much.
        let opened = block_on(Reader::open(&kv, Rc::new(Cache::new()), 0)).map(|_| ());
        assert!(!matches!(opened, Ok(())), "{opened:?}");
        kv.corrupt("current", Some(whole.clone()));
    }
    for pointer in [Some(b"{}".to_vec()), None] {
        kv.corrupt("current", pointer);
        let back = block_on(roll_back(&kv, &world)).unwrap();
        assert_eq!(back.generation, "g2", "the youngest one");
        assert_eq!(block_on(kv.get("current")).unwrap().as_ref(), Some(&whole));
    }
    // The lease is free again, and publication goes on with its guard: everything but one document would go.
    assert_eq!(publish(&kv, &world, "c", Opening::default(), &one).step, JobStep::AwaitConfirmation);
}

/// What is written anew because the data changed, and because the way of writing did.
#[test]
fn unchanged_data_makes_a_new_generation_where_its_rendering_changed() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let lines = many(20);
    assert_eq!(publish(&kv, &world, "a", Opening::default(), &lines).step, JobStep::Published);
    assert_eq!(publish(&kv, &world, "b", Opening::default(), &lines).step, JobStep::Unchanged);
    stage(&kv, "c", Opening::default(), &lines).unwrap();
    let indicators = ["taux_en_emploi_42_mois".to_owned()];
    let mut job = Job::default();
    while !job.step.is_final() {
        job = block_on(advance(&kv, &world, "c", 20, &indicators)).unwrap();
    }
    assert_eq!(job.step, JobStep::Published, "its CSV has another column");
}

/// Invariant 2: an instance follows its copy of the pointer for one second at most.
#[test]
fn invariant_2_the_pointer_is_kept_for_one_second() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    publish(&kv, &world, "a", Opening::default(), &[certification("11111111", "2020", "pro", 40)]);
    let cache = Rc::new(Cache::new());
    let generation = |a: u64| block_on(Reader::open(&kv, Rc::clone(&cache), a)).unwrap().pointer().generation.clone();
    assert_eq!(generation(5_000), "g1");
    publish(&kv, &world, "b", Opening::default(), &[certification("11111111", "2020", "pro", 41)]);
    assert_eq!(generation(5_999), "g1");
    assert_eq!(generation(6_000), "g2");
}

/// Invariant 5: what a request reads does not grow with the data.
#[test]
fn invariant_5_gets_are_bounded_whatever_the_size() {
    for n in [200u32, 4_000] {
        let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
        publish(&kv, &world, "a", Opening::default(), &many(n));
        let gets = |f: &dyn Fn(&Reader<&MemoryStore>)| {
            let cache = Rc::new(Cache::new());
            let reader = block_on(Reader::open(&kv, Rc::clone(&cache), 0)).unwrap();
            let before = kv.gets.get();
            f(&reader);
            kv.gets.get() - before
        };
        let version_set = gets(&|l| {
            block_on(l.version_set(Maille::Etablissement, "0750001A", "00000000001")).unwrap();
        });
        assert_eq!(version_set, 1);
        for (filter, max) in [
            (Filter::default(), 2),
            (Filter { codes: vec!["00000000001".into()], ..Filter::default() }, 4),
            (Filter { uais: vec!["0750001A".into()], codes: vec!["00000000001".into()], ..Filter::default() }, 5),
        ] {
            let read = gets(&|l| {
                block_on(async {
                    let plan = l.plan("formations").await.unwrap();
                    let selection = l.selection("formations", &plan, &filter).await.unwrap();
                    let skipped = selection.total() / 2;
                    for t in selection.slices(skipped, 10, plan.rows(Format::Json)) {
                        l.segment("formations", selection.order, Format::Json, t.segment).await.unwrap();
                    }
                });
            });
            assert!(read <= max, "{n} {filter:?} {read}");
        }
    }
}

fn text_of(version: &Version) -> String {
    let pieces = [version.body(), version.messages(), version.caption()].map(String::from_utf8_lossy);
    format!("{} {:?}", pieces.join(" "), version.final_years.as_ref().map(|t| String::from_utf8_lossy(&t.json)))
}

/// Invariant 3: no served value holds a hidden count, but the family that the filieres view sums.
#[test]
fn invariant_3_hidden_values_lie_nowhere_but_in_sources_and_counts() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let secret = 713_131;
    let mut row = certification("11111111", "2020", "pro", 19);
    row["doc"]["nb_sortant"] = json!(secret);
    row["doc"]["taux_en_formation"] = json!(secret + 1);
    publish(&kv, &world, "a", Opening::default(), &[row.clone(), row]);
    block_on(async { while clean_up(&kv, &world).await.unwrap() {} });
    let mut segments = 0;
    for key in kv.keys() {
        let mut value = block_on(kv.get(&key)).unwrap().unwrap();
        // Bundles of documents and segments are folded: what a reader would unfold is looked through.
        if let [generation, family, n] = key.split(':').collect::<Vec<_>>()[..] {
            let read = || block_on(Shelf::own(generation).get(&kv, family, n.parse().unwrap())).unwrap();
            if Maille::ALL.iter().any(|m| family == m.list()) {
                let stored = read();
                let cards = stored.entries().unwrap().into_iter().map(|(_, f)| VersionSet::decode(f).unwrap());
                let texts = cards.map(|f| f.versions.iter().map(text_of).collect::<Vec<_>>());
                value = format!("{:?}", texts.collect::<Vec<_>>()).into();
            } else if family.starts_with("liste.") {
                let (stored, style) = (read(), RowStyle { first: true, between: b"\n", now: 0 });
                value.clear();
                stored.append_rows(&mut value, 0, stored.verify_rows().unwrap(), style).unwrap();
                segments += 1;
            }
        }
        let text = String::from_utf8_lossy(&value).into_owned();
        let cache = key.contains(":flux.sources.") || key.contains(":comptes:");
        assert!(cache || !(text.contains("713131") || text.contains("713132")), "{key}");
    }
    assert!(segments >= 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is pushed, every document of the last push under its key is served, once.
    #[test]
    fn random_pushes_are_served_whole(pushes in proptest::collection::vec((0u8..6, 0u8..4, 0u8..3, 1u32..80), 1..60)) {
        let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
        let rows: Vec<Value> = pushes.iter().map(|(uai, code, millesime, count)| {
            formation(&format!("07500{uai:02}A"), &format!("{code:08}"), ["2019", "2018_2019", "2017_2018"][usize::from(*millesime)], "11", *count)
        }).collect();
        publish(&kv, &world, "a", Opening::default(), &rows);
        let formations = expected(&rows, "formation");
        prop_assert_eq!(list_rows(&kv, "formations", &Filter::default(), Format::Json).len(), formations.len());
        for ((uai, code, millesime, filiere), doc) in formations {
            let read = read(&kv, Maille::Etablissement, &uai, &code);
            prop_assert_eq!(&read[&(millesime, filiere)]["nb_annee_term"], &doc["nb_annee_term"]);
        }
    }
}

#[test]
fn accounts_are_written_apart() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let rows = [
        certification("11111111", "2020", "pro", 40),
        json!({"kind": "user", "doc": {"username": "test", "password": "x$1$y"}}),
    ];
    publish(&kv, &world, "a", Opening::default(), &rows);
    assert_eq!(world.users.get(), 1);
}

#[test]
fn closing_dates_are_kept_for_the_clock_of_the_request() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let mut row = certification("11111111", "2020", "pro", 40);
    row["doc"]["date_fermeture"] = json!("2022-08-30T22:00:00.000Z");
    publish(&kv, &world, "a", Opening::default(), &[row.clone(), row]);
    let cache = Rc::new(Cache::new());
    let reader = block_on(Reader::open(&kv, Rc::clone(&cache), 0)).unwrap();
    let version_set = block_on(reader.version_set(Maille::National, "", "11111111")).unwrap().unwrap();
    assert_eq!(version_set.versions[0].closing, date::read_iso("2022-08-30T22:00:00Z"));
}

/// A declared maille lies beside the others as they do: found, listed, filtered, exported, hidden.
#[test]
fn a_declared_maille_is_found_and_listed_by_its_places() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let rows = academies(3_000);
    let job = publish(&kv, &world, "a", Opening::default(), &[many(200), rows.clone()].concat());
    assert_eq!(job.step, JobStep::Published, "{:?}", job.summary.failure);
    assert_eq!(job.summary.documents["academies"].values().flat_map(BTreeMap::values).sum::<u64>(), 3_000);
    for row in &rows[1..] {
        let (doc, text) = (&row["doc"], |field: &str| row["doc"][field].as_str().unwrap().to_owned());
        let place = doc["academie"]["code"].as_str().unwrap();
        let listed =
            read(&kv, Maille::Declared, &store::keys::declared_place("academies", place), &text("code_certification"));
        let read = &listed[&(text("millesime"), "pro".into())];
        assert_eq!((read["maille"].as_str(), read["lieu"].as_str()), (Some("academies"), Some(place)));
        assert_eq!(read["nb_annee_term"], doc["nb_annee_term"]);
        let cache = doc["nb_annee_term"].as_u64() < Some(20);
        assert_eq!(read["nb_sortant"], if cache { Value::Null } else { doc["nb_sortant"].clone() });
    }

    let list = store::keys::declared_list("academies");
    let year = |m: &str| Filter { millesimes: vec![(m.into(), None)], ..Filter::default() };
    let count = |kept: &dyn Fn(&Value) -> bool| rows[1..].iter().filter(|l| kept(&l["doc"])).count();
    assert_eq!(list_rows(&kv, &list, &Filter::default(), Format::Json).len(), 3_000);
    assert_eq!(list_rows(&kv, &list, &year("2020"), Format::Json).len(), count(&|d| d["millesime"] == "2020"));
    let lyon = Filter { uais: vec!["10".into(), "07".into()], ..year("2019") };
    let expected = count(&|d| d["millesime"] == "2019" && ["10", "07"].iter().any(|c| d["academie"]["code"] == *c));
    assert_eq!(list_rows(&kv, &list, &lyon, Format::Csv).len(), expected);
    let code = Filter { codes: vec!["00000010".into()], ..Filter::default() };
    assert_eq!(list_rows(&kv, &list, &code, Format::Json).len(), 30);
    let crossed = Filter { uais: vec!["10".into()], ..code };
    let row: Value = serde_json::from_slice(&list_rows(&kv, &list, &crossed, Format::Json)[0]).unwrap();
    assert_eq!((&row["lieu"], &row["code_certification"]), (&json!("10"), &json!("00000010")));

    let cache = Rc::new(Cache::new());
    let reader = block_on(Reader::open(&kv, cache, 0)).unwrap();
    assert_eq!(reader.pointer().millesimes.mailles["academies"], "2020");
    let mailles = block_on(reader.mailles()).unwrap();
    assert_eq!((mailles[0].declared.name.as_str(), mailles[0].declared.key.as_str()), ("academies", "academie.code"));
    assert_eq!(mailles[0].millesimes, ["2020", "2019"]);
}

#[test]
fn without_a_declared_maille_nothing_is_written_for_them() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    publish(&kv, &world, "a", Opening::default(), &many(100));
    assert!(!kv.keys().iter().any(|k| k.contains(":mailles:") || k.contains("maille.") || k.contains("declarations")));
    let pointer = block_on(kv.get("current")).unwrap().unwrap();
    assert!(!String::from_utf8(pointer).unwrap().contains("mailles"));
}

/// Each declared maille is replaced, guarded, carried over and given up on its own.
#[test]
fn declared_mailles_are_replaced_one_by_one() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let place = |maille: &str, at: &str| store::keys::declared_place(maille, at);
    let area = |code: &str, count: u32| json!({"kind": "statistique", "doc": {"maille": "bassins", "bassin": code, "code_certification": "11111111", "millesime": "2020", "filiere": "pro", "nb_annee_term": count}});
    let first = [
        certification("11111111", "2020", "pro", 40),
        declare("academies", "academie.code"),
        declare("bassins", "bassin"),
        academie("10", "11111111", "2020", 50),
        academie("01", "11111111", "2020", 60),
        area("0061", 70),
    ];
    assert_eq!(publish(&kv, &world, "a", Opening::default(), &first).step, JobStep::Published);

    let alone = Opening { mailles: vec!["academies".into()], ..Opening::default() };
    let fewer = [declare("academies", "academie.code"), academie("10", "11111111", "2020", 51)];
    stage(&kv, "b", alone.clone(), &fewer).unwrap();
    let wait = finish(&kv, &world, "b");
    assert_eq!((wait.step, wait.summary.losses), (JobStep::AwaitConfirmation, vec!["academies 2020 : 2 → 1".into()]));
    block_on(Job::publish(&kv, "b", PublicationOptions { confirm_losses: true, ..PublicationOptions::default() }, 0))
        .unwrap();
    assert_eq!(finish(&kv, &world, "b").step, JobStep::Published);
    let count = |maille: &str, at: &str| {
        let read = read(&kv, Maille::Declared, &place(maille, at), "11111111");
        read.values().next().map(|d| d["nb_annee_term"].clone())
    };
    assert_eq!((count("academies", "10"), count("academies", "01")), (Some(json!(51)), None));
    assert_eq!(count("bassins", "0061"), Some(json!(70)), "the other maille stays, and needs no declaration again");
    assert_eq!(read(&kv, Maille::National, "", "11111111").len(), 1);

    // The same again is no new generation; another label is one.
    let again = [declare("academies", "academie.code"), academie("10", "11111111", "2020", 51)];
    assert_eq!(publish(&kv, &world, "c", alone.clone(), &again).step, JobStep::Unchanged);
    let mut renamed = again;
    renamed[0]["doc"]["libelle"] = "Académies".into();
    assert_eq!(publish(&kv, &world, "d", alone.clone(), &renamed).step, JobStep::Published);

    // An empty push gives it up, once confirmed.
    stage(&kv, "e", alone, &[]).unwrap();
    assert_eq!(finish(&kv, &world, "e").step, JobStep::AwaitConfirmation);
    block_on(Job::publish(&kv, "e", PublicationOptions { confirm_losses: true, ..PublicationOptions::default() }, 0))
        .unwrap();
    assert_eq!(finish(&kv, &world, "e").step, JobStep::Published);
    let reader = block_on(Reader::open(&kv, Rc::new(Cache::new()), 0)).unwrap();
    let names: Vec<String> = block_on(reader.mailles()).unwrap().into_iter().map(|m| m.declared.name).collect();
    assert_eq!(names, ["bassins"]);
    assert_eq!(reader.pointer().millesimes.mailles.len(), 1);

    let too_much: Vec<Value> = (0..6).map(|n| declare(&format!("m{n}"), "lieu")).collect();
    stage(&kv, "f", Opening { mode: Mode::Add, ..Opening::default() }, &too_much).unwrap();
    let job = finish(&kv, &world, "f");
    assert_eq!(job.step, JobStep::Failed);
    assert!(job.summary.failure.unwrap().starts_with("6 mailles déclarées au plus, il y en aurait 7 : bassins, m0"));
}
