//! The feed of changes: what a client who follows it has is what is served, and it says no more than what is served.

use crate::common::{finish, midnight_ms};
use futures_executor::block_on;
use proptest::prelude::*;
use publication::double::TurnedWorld;
use publication::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use store::changes::{Change, ChangeCounts, ChangeJournal, ChangeSum, route_code};
use store::kv::KeyValue;
use store::list::{Filter, Format};
use store::reading::Cache;
use store::segment::RowStyle;
use store::{MemoryStore, Reader};

/// What a client mirrors: rows of lists, by maille, millesime, place and code.
type Mirror = BTreeMap<[String; 4], BTreeSet<Vec<u8>>>;

const LISTS: [&str; 4] = ["certifications", "regionales", "formations", "maille.academies"];

/// One statistic: which maille, place, code, millesime; its size and a figure that is hidden below the threshold.
type Drawn = (usize, usize, usize, usize, u32, u32);

fn line(drawn: &Drawn) -> Value {
    let (maille, place, code, millesime, size, sortant) = *drawn;
    let codes = ["40025214", "12345678", "23830024202", "2500249"];
    let filieres = ["apprentissage", "apprentissage", "pro", "superieur"];
    // A regional statistic of higher education is found by no route: those are of secondary education.
    let code = if maille == 1 || maille == 3 { code % 3 } else { code };
    let mut doc = json!({
        "code_certification": codes[code], "filiere": filieres[code], "code_formation_diplome": "12345678",
        "millesime": (["2020", "2021"][millesime]), "nb_annee_term": size, "nb_sortant": sortant, "taux_en_formation": sortant,
        "region": {"code": (["11", "84"][place]), "nom": "R"}, "academie": {"code": (["01", "10"][place]), "nom": "A"},
    });
    let kind = match maille {
        0 => "certification",
        1 => "regionale",
        2 => {
            doc["uai"] = ["0750001U", "0750002V"][place].into();
            "formation"
        }
        _ => {
            doc["maille"] = "academies".into();
            "statistique"
        }
    };
    json!({"kind": kind, "doc": doc})
}

fn publish(kv: &MemoryStore, id: &str, rows: &[Value], options: PublicationOptions) -> Job {
    block_on(async {
        let declared =
            json!({"kind": "maille", "doc": {"nom": "academies", "libelle": "Par académie", "cle": "academie.code"}});
        let body: String = [declared].iter().chain(rows).map(|line| line.to_string() + "\n").collect();
        open(kv, id, Opening::default(), 0).await.unwrap();
        Staging::new(kv, id, 25).stage(0, body.as_bytes(), &[]).await.unwrap();
        Job::publish(kv, id, PublicationOptions { parts: 1, confirm_losses: true, ..options }, 0).await.unwrap();
        finish(kv, &without_rules(), id, 20).await.unwrap()
    })
}

/// What is drawn is taken as it comes.
fn without_rules() -> TurnedWorld {
    TurnedWorld::at(midnight_ms())
}

fn reader(kv: &MemoryStore) -> Reader<&MemoryStore> {
    block_on(Reader::open(kv, Rc::new(Cache::new()), 0)).unwrap()
}

/// What is served, as a client takes it whole.
fn whole(kv: &MemoryStore) -> Mirror {
    let reader = reader(kv);
    let mut mirror = Mirror::new();
    for list in LISTS {
        let declared = list.starts_with("maille.");
        if declared && reader.pointer().millesimes.mailles.is_empty() {
            continue;
        }
        let plan = block_on(reader.plan(list)).unwrap();
        let selection = block_on(reader.selection(list, &plan, &Filter::default())).unwrap();
        for slice in selection.slices(0, selection.total(), plan.rows(Format::Json)) {
            let segment = block_on(reader.segment(list, selection.order, Format::Json, slice.segment)).unwrap();
            for rank in slice.from..slice.from + slice.count {
                let mut row = Vec::new();
                segment.append_rows(&mut row, rank, 1, RowStyle { first: true, between: b"", now: 0 }).unwrap();
                let document: Value = serde_json::from_slice(&row).unwrap();
                let text = |field: &str| document[field].as_str().unwrap_or_default().to_owned();
                let place = match list {
                    "certifications" => String::new(),
                    "regionales" => document["region"]["code"].as_str().unwrap().to_owned(),
                    "formations" => text("uai"),
                    _ => text("lieu"),
                };
                let code = route_code(&text("code_certification"), &text("filiere"));
                let name = list.trim_start_matches("maille.").to_owned();
                mirror.entry([name, text("millesime"), place, code]).or_default().insert(row);
            }
        }
    }
    mirror
}

fn journal(kv: &MemoryStore) -> ChangeJournal {
    block_on(reader(kv).journal()).unwrap()
}

/// Added, removed, changed, by maille and millesime.
fn told(counts: &[ChangeCounts]) -> BTreeMap<String, (u64, u64, u64)> {
    let key = |c: &ChangeCounts| format!("{} {}", c.maille, c.millesime);
    counts.iter().map(|c| (key(c), (c.added, c.removed, c.changed))).collect()
}

fn sum(kv: &MemoryStore, since: &str) -> Option<ChangeSum> {
    let journal = journal(kv);
    let moves = journal.since(since)?;
    Some(block_on(reader(kv).changes(moves)).unwrap())
}

/// What a client does with the feed: it forgets what went, and fetches what came or changed.
fn follow(mirror: &mut Mirror, sum: &ChangeSum, served: &Mirror) {
    if sum.whole {
        served.clone_into(mirror);
    }
    for (maille, by_millesime) in &sum.groups {
        for (millesime, group) in by_millesime {
            let of_group = |key: &[String; 4]| &key[0] == maille && &key[1] == millesime;
            if group.whole {
                mirror.retain(|key, _| !of_group(key));
                mirror.extend(
                    served.iter().filter(|(key, _)| of_group(key)).map(|(key, rows)| (key.clone(), rows.clone())),
                );
            }
            for ((place, code), change) in &group.keys {
                let key = [maille.clone(), millesime.clone(), place.clone(), code.clone()];
                let before = match served.get(&key).filter(|_| *change != Change::Removed) {
                    Some(rows) => mirror.insert(key, rows.clone()),
                    None => mirror.remove(&key),
                };
                assert_eq!(before.is_none(), *change == Change::Added, "{change:?}");
            }
        }
    }
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    prop::collection::vec((0..4_usize, 0..2_usize, 0..4_usize, 0..2_usize, 17..23_u32, 0..3_u32), 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Of any generations, one after the other, and back: whoever followed from any of them has what is served.
    #[test]
    fn a_mirror_that_follows_is_what_is_served(generations in prop::collection::vec(drawn(), 2..5), back in any::<bool>()) {
        let kv = MemoryStore::default();
        let mut mirrors: Vec<(String, Mirror)> = Vec::new();
        for (n, lines) in generations.iter().enumerate() {
            let rows: Vec<Value> = lines.iter().map(line).collect();
            let job = publish(&kv, &format!("j{n}"), &rows, PublicationOptions::default());
            prop_assert!(matches!(job.step, JobStep::Published | JobStep::Unchanged), "{:?}", job.summary.failure);
            mirrors.push((reader(&kv).pointer().generation.clone(), whole(&kv)));
        }
        if back && block_on(roll_back(&kv, &without_rules())).is_ok() {
            mirrors.push((reader(&kv).pointer().generation.clone(), whole(&kv)));
        }
        let served = whole(&kv);
        for (generation, mut mirror) in mirrors {
            let sum = sum(&kv, &generation).unwrap();
            prop_assert!(!sum.whole, "every one of them is known");
            // It says of nothing that it changed where the same is served.
            for (maille, by_millesime) in &sum.groups {
                for (millesime, group) in by_millesime {
                    for ((place, code), change) in &group.keys {
                        let key = [maille.clone(), millesime.clone(), place.clone(), code.clone()];
                        let same = mirror.get(&key) == served.get(&key);
                        prop_assert!(!same || generations.len() > 2, "{:?} {:?}", key, change);
                    }
                }
            }
            follow(&mut mirror, &sum, &served);
            prop_assert_eq!(&mirror, &served);
        }
    }
}

/// Nothing under the threshold is told: neither that hidden figures changed nor that they came or went.
#[test]
fn invariant_3_what_changed_behind_the_threshold_did_not_change() {
    let kv = MemoryStore::default();
    let document = |size: u32, sortant: Value| {
        json!({"kind": "formation", "doc": {"uai": "0750001U", "code_certification": "40025214", "filiere": "apprentissage",
            "millesime": "2021", "nb_annee_term": size, "nb_sortant": sortant, "taux_en_formation": sortant,
            "region": {"code": "11", "nom": "R"}, "academie": {"code": "01", "nom": "A"}}})
    };
    let other = |n: u32| line(&(0, 0, 0, 0, 40, n));
    let at = |id: &str, hidden: Value, n: u32| {
        let job = publish(&kv, id, &[hidden, other(n)], PublicationOptions::default());
        assert_eq!(job.step, JobStep::Published, "{:?}", job.summary.failure);
        let journal = journal(&kv);
        let counts = told(&journal.0.last().unwrap().counts);
        let since: Option<String> = journal.0.last().unwrap().from.clone();
        (counts, since.map(|since| sum(&kv, &since).unwrap().groups))
    };
    at("a", document(12, json!(7)), 1);
    // Other figures behind the same threshold, then none at all: the other document changes alone.
    for (id, hidden, n) in [("b", json!(9), 2), ("c", Value::Null, 3), ("d", json!(11), 4)] {
        let (counts, groups) = at(id, document(12, hidden), n);
        assert_eq!(counts.keys().collect::<Vec<_>>(), ["certifications 2020"], "{id}");
        assert_eq!(groups.unwrap().keys().collect::<Vec<_>>(), ["certifications"], "{id}");
    }
    // Where only what is hidden changed, nothing at all is told.
    let (counts, groups) = at("e", document(12, json!(3)), 4);
    assert_eq!((counts.len(), groups.unwrap().len()), (0, 0));
    // What a client sees itself is told: the size, and that figures are hidden now.
    let (counts, _) = at("f", document(25, json!(3)), 4);
    assert_eq!(counts["formations 2021"], (0, 0, 1));
    let (counts, groups) = at("g", document(19, json!(3)), 4);
    assert_eq!(counts["formations 2021"], (0, 0, 1));
    let key = ("0750001U".to_owned(), "40025214".to_owned());
    assert_eq!(groups.unwrap()["formations"]["2021"].keys[&key], Change::Changed);
    // No value of the feed holds a figure.
    for key in kv.keys().into_iter().filter(|key| key.starts_with("public:changements")) {
        let value = block_on(kv.get(&key)).unwrap().unwrap();
        let text = String::from_utf8_lossy(&value);
        assert!(!text.contains("nb_") && !text.contains("taux_"), "{key}");
    }
}

/// The nomenclature and the millesimes in force are told apart from documents.
#[test]
fn the_nomenclature_and_the_millesimes_in_force_are_told() {
    let kv = MemoryStore::default();
    let bcn = |libelle: &str| json!({"kind": "bcn", "doc": {"type": "cfd", "code_certification": "40025214", "code_formation_diplome": "40025214", "libelle": libelle}});
    let one = line(&(0, 0, 0, 0, 40, 1));
    publish(&kv, "a", &[one.clone(), bcn("x")], PublicationOptions::default());
    publish(&kv, "b", &[one.clone(), bcn("y")], PublicationOptions::default());
    publish(&kv, "c", &[one, line(&(0, 0, 0, 1, 40, 1)), bcn("y")], PublicationOptions::default());
    let moves: Vec<_> = journal(&kv).0.iter().map(|s| (s.whole, s.nomenclature, s.in_force, s.counts.len())).collect();
    assert_eq!(moves, [(true, false, false, 0), (false, true, false, 0), (false, false, true, 1)]);
}

/// A publication that does not come about is in no feed; a rollback has a line; what was forgotten is not guessed.
#[test]
fn only_what_was_served_is_told_and_a_rollback_is() {
    let kv = MemoryStore::default();
    let rows = |n: u32| [line(&(0, 0, 0, 0, 40, n)), line(&(0, 0, 1, 0, 40, 1))];
    publish(&kv, "a", &rows(1), PublicationOptions::default());
    publish(&kv, "b", &rows(2)[..1], PublicationOptions::default());
    let waits =
        publish(&kv, "c", &rows(3), PublicationOptions { await_sign_off: true, ..PublicationOptions::default() });
    assert_eq!(waits.step, JobStep::AwaitSignOff);
    assert_eq!(journal(&kv).0.len(), 2);
    block_on(roll_back(&kv, &without_rules())).unwrap();
    let lines = journal(&kv).0;
    let last = lines.last().unwrap();
    assert_eq!((lines.len(), last.back, last.from.as_deref(), last.to.as_str()), (3, true, Some("g2"), "g1"));
    assert_eq!(told(&last.counts)["certifications 2020"], (1, 0, 1));
    // There and back again comes to nothing, forward again to what it was.
    assert!(sum(&kv, "g1").unwrap().groups.is_empty());
    block_on(roll_back(&kv, &without_rules())).unwrap();
    let forward = sum(&kv, "g1").unwrap().groups;
    let changes: Vec<Change> = forward["certifications"]["2020"].keys.values().copied().collect();
    assert_eq!(changes, [Change::Removed, Change::Changed]);
    assert_eq!(sum(&kv, "g7"), None);
    // Damaged keys: all is to be fetched again. A damaged journal: nothing is known.
    assert!(sum(&kv, "g2").unwrap().groups.is_empty() && !sum(&kv, "g2").unwrap().whole);
    kv.corrupt("public:changements:1", Some(b"abime".to_vec()));
    assert!(sum(&kv, "g1").unwrap().whole);
    kv.corrupt("public:changements", Some(b"abime".to_vec()));
    assert_eq!(sum(&kv, "g1"), None);
    let job = publish(&kv, "d", &rows(9), PublicationOptions::default());
    assert_eq!(job.step, JobStep::Published);
    assert!(sum(&kv, "g2").is_some(), "it begins anew");
}
