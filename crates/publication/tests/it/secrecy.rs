//! The two switches, and what two generations show of a hidden figure, on the in-memory double.

use crate::common::{self, body};
use domain::{Maille, Secrecy};
use futures_executor::block_on;
use publication::double::TurnedWorld;
use publication::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::rc::Rc;
use store::reading::Cache;
use store::version_set::Shape;
use store::{MemoryStore, Reader};

/// Each step is saved and taken up again: every look at its clock ends a call.
fn hurried() -> TurnedWorld {
    TurnedWorld::striding(15)
}

fn publish(kv: &MemoryStore, world: &TurnedWorld, id: &str, rows: &[Value]) -> Job {
    block_on(common::publish(kv, world, id, &body(rows)))
}

fn row(region: &str, code: &str, size: u32, study: u32) -> Value {
    let mut doc = json!({"code_certification": code, "code_formation_diplome": "12345678", "filiere": "pro",
        "millesime": if region.is_empty() { "2021" } else { "2020_2021" }, "libelle": format!("L{code}"),
        "nb_annee_term": size, "nb_poursuite_etudes": study, "nb_sortant": size - study,
        "donnee_source": {"code_certification": code, "type": "self"}});
    if region.is_empty() {
        doc["salaire_12_mois_q2"] = json!(1400);
    } else {
        doc["region"] = json!({"code": region, "nom": "R"});
    }
    json!({"kind": if region.is_empty() { "certification" } else { "regionale" }, "doc": doc})
}

/// A country of three regions; the group of the first is small.
fn country() -> Vec<Value> {
    vec![
        row("", "23830099001", 122, 58),
        row("11", "23830099001", 12, 5),
        row("76", "23830099001", 50, 21),
        row("84", "23830099001", 60, 32),
    ]
}

fn shown(kv: &MemoryStore, place: &str, code: &str) -> Value {
    let maille = if place.is_empty() { Maille::National } else { Maille::Regionale };
    block_on(async {
        let reader = Reader::open(kv, Rc::new(Cache::new()), 0).await.unwrap();
        let versions = reader.version_set(maille, place, code).await.unwrap().unwrap();
        let mut out = Vec::new();
        versions.versions[0].write(&mut out, || 0, Shape::Row, None);
        serde_json::from_slice(&out).unwrap()
    })
}

fn view(kv: &MemoryStore, place: &str) -> Value {
    block_on(async {
        let reader = Reader::open(kv, Rc::new(Cache::new()), 0).await.unwrap();
        let counts = reader.counts(place, "12345678").await.unwrap().unwrap();
        let view = store::counts::view(&[("12345678".to_owned(), counts)], |_| true, place, 0).unwrap();
        Value::Object(view.0[0].1.as_document().clone())
    })
}

/// Everything that anyone may read of a generation, but for its name.
fn public(kv: &MemoryStore) -> Value {
    let (record, rows) = block_on(async {
        let reader = Reader::open(kv, Rc::new(Cache::new()), 0).await.unwrap();
        let mut record = reader.public_record().await.unwrap().unwrap();
        record.work.clear();
        (serde_json::to_value(record).unwrap(), reader.plan("regionales").await.unwrap().total)
    });
    json!([record, rows, shown(kv, "", "23830099001"), shown(kv, "11", "23830099001"), view(kv, "11")])
}

#[test]
fn two_generations_that_differ_by_a_hidden_figure_show_the_same() {
    let (world, one, two) = (hurried(), MemoryStore::default(), MemoryStore::default());
    let (mut other, first) = (country(), country());
    other[1] = row("11", "23830099001", 12, 9);
    let (a, b) = (publish(&one, &world, "a", &first), publish(&two, &world, "a", &other));
    assert_eq!(public(&one), public(&two));
    assert_eq!(a.summary.digest, b.summary.digest, "the fingerprint is one of what leaves");
    // Inside the change is seen: it makes a generation.
    assert_eq!(publish(&one, &world, "b", &other).step, JobStep::Published);
    assert_eq!(publish(&one, &world, "c", &other).step, JobStep::Unchanged);
    assert_eq!(public(&one), public(&two));
}

#[test]
fn a_hidden_document_more_shows_its_size_and_nothing_else() {
    let (world, kv) = (hurried(), MemoryStore::default());
    let sizes = |study: u32| {
        let kv = MemoryStore::default();
        let mut rows = country();
        rows.push(row("11", "23830099002", 7, study));
        publish(&kv, &world, "a", &rows);
        (public(&kv), shown(&kv, "11", "23830099002"))
    };
    publish(&kv, &world, "a", &country());
    let with = sizes(1);
    assert_eq!(with, sizes(6));
    assert_ne!(with.0, public(&kv), "that there is one is seen");
}

/// The search that the former fingerprint gave in: all of a document but one count is known, and every value is tried.
#[test]
fn a_fingerprint_gives_no_hidden_group_by_search() {
    let world = hurried();
    let digests: Vec<String> = (0..=12)
        .map(|study| {
            let mut rows = country();
            rows[1] = row("11", "23830099001", 12, study);
            publish(&MemoryStore::default(), &world, "a", &rows).summary.digest
        })
        .collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]));
    let mut rows = country();
    rows[2] = row("76", "23830099001", 50, 22);
    assert_ne!(
        publish(&MemoryStore::default(), &world, "a", &rows).summary.digest,
        digests[0],
        "what leaves is told apart"
    );
}

#[test]
fn strict_hides_salaries_and_figures_without_a_size_and_is_counted_in_either_setting() {
    let mut rows = country();
    rows[0] = row("", "23830099001", 12, 5);
    let mut without = row("76", "23830099002", 50, 20);
    without["doc"].as_object_mut().unwrap().remove("nb_annee_term");
    rows.push(without);
    for (secrecy, salary, study) in
        [(Secrecy::Contract, json!(1400), json!(20)), (Secrecy::Strict, Value::Null, Value::Null)]
    {
        let (world, kv) = (hurried(), MemoryStore::default());
        world.secrecy.set(SecrecySettings { secrecy, secondary: false });
        let job = publish(&kv, &world, "a", &rows);
        assert_eq!(shown(&kv, "", "23830099001")["salaire_12_mois_q2"], salary);
        assert_eq!(shown(&kv, "76", "23830099002")["nb_poursuite_etudes"], study);
        let expected = BTreeMap::from([("certifications".to_owned(), 1), ("regionales".to_owned(), 1)]);
        assert_eq!(job.summary.strict_hides, expected);
        // A view adds figures without a size up, or shows none.
        assert_eq!(view(&kv, "76")["nb_poursuite_etudes"].is_null(), secrecy == Secrecy::Strict);
    }
}

#[test]
fn a_switch_takes_effect_with_the_next_publication_and_is_told() {
    let (world, kv) = (hurried(), MemoryStore::default());
    publish(&kv, &world, "a", &country());
    world.secrecy.set(SecrecySettings { secrecy: Secrecy::Strict, secondary: true });
    let job = publish(&kv, &world, "b", &country());
    assert_eq!(job.step, JobStep::Published, "the same data makes a new generation");
    assert_eq!(job.summary.secrecy, Some(world.secrecy.get()));
    let record = public(&kv)[0].clone();
    assert_eq!((&record["secret"], &record["secret_secondaire"]), (&json!("strict"), &json!(true)));
}

#[test]
fn the_smallest_region_beside_a_small_group_is_withheld_and_reported() {
    let (world, kv) = (hurried(), MemoryStore::default());
    world.secrecy.set(SecrecySettings { secrecy: Secrecy::Contract, secondary: true });
    let job = publish(&kv, &world, "a", &country());
    assert_eq!(job.step, JobStep::Published, "{:?}", job.summary.failure);
    assert!(shown(&kv, "11", "23830099001")["nb_sortant"].is_null());
    let withheld = shown(&kv, "76", "23830099001");
    assert_eq!((&withheld["nb_annee_term"], &withheld["nb_sortant"]), (&json!(50), &Value::Null));
    assert!(withheld["_meta"]["messages"][0].as_str().unwrap().contains("moins de 20 élèves"), "{withheld}");
    assert_eq!(shown(&kv, "84", "23830099001")["nb_sortant"], 28);
    assert_eq!(shown(&kv, "", "23830099001")["nb_sortant"], 64);
    assert!(view(&kv, "76")["nb_sortant"].is_null(), "the view of one code is that code");
    let of_regions = BTreeMap::from([("2020_2021".to_owned(), 1)]);
    assert_eq!(job.summary.withheld, BTreeMap::from([("regionales".to_owned(), of_regions)]));
    assert_eq!(job.summary.exposed, 0);
    let generation = job.generation.unwrap();
    let report = block_on(withheld_cells(&kv, store::Shelf::own(&generation))).unwrap().unwrap();
    let report = String::from_utf8(report).unwrap();
    let line = "regionales;76;23830099001;pro;2020_2021;regionales;11;23830099001;pro;2020_2021;somme de territoires";
    assert_eq!(report.lines().nth(1), Some(line), "{report}");
    assert_eq!(report.lines().count(), 2);
}
