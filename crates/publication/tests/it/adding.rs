//! Pushes that add, again and again: what was replaced is forgotten, what is the same makes nothing new, what would go is
//! asked for; parts that are sent again are checked again where what they depend on has changed.

use crate::common::{self, body};
use domain::{Document, Kind};
use futures_executor::block_on;
use publication::double::TurnedWorld;
use publication::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::MemoryStore;
use store::kv::KeyValue;

/// Every kind but accounts, `n` documents each; `text` lies in a field of all of them.
fn all_kinds(n: usize, text: &str) -> Vec<Value> {
    let mut rows = vec![json!({"kind": "maille", "doc": {"nom": "pays", "libelle": "Pays", "cle": "pays"}})];
    for i in 0..n {
        let (code, cfd, sise) = (format!("{i:011}"), format!("{i:08}"), format!("{i:07}"));
        let uai = format!("{:07}A", 750_000 + i);
        let mut add = |kind: &str, doc: Value| {
            let mut doc = doc;
            doc["libelle"] = text.into();
            rows.push(json!({"kind": kind, "doc": doc}));
        };
        let statistic = json!({"code_certification": code, "millesime": "2020", "filiere": "pro", "code_formation_diplome": cfd,
            "nb_annee_term": 40, "region": {"code": "11", "nom": "R"}});
        let with = |field: &str, value: &str| {
            let mut doc = statistic.clone();
            doc[field] = value.into();
            doc
        };
        add("certification", statistic.clone());
        add("regionale", statistic.clone());
        add("formation", with("uai", &uai));
        let mut declared = with("maille", "pays");
        declared["pays"] = "FR".into();
        add("statistique", declared);
        add("bcn", json!({"type": "mef", "code_certification": code, "code_formation_diplome": cfd}));
        add("bcn_mef", json!({"mef_stat_11": code, "formation_diplome": cfd}));
        add("bcn_sise", json!({"diplome_sise": sise}));
        add("etablissement", json!({"numero_uai": uai, "appellation_officielle": text}));
        add("catalogue", json!({"id": format!("c{i}"), "cfd": cfd, "rncp_code": format!("RNCP{i}")}));
        add("rncp", json!({"code_certification": cfd, "rncp": format!("RNCP{i}")}));
        add("certif_info", json!({"code": format!("{i}"), "cfd": cfd}));
        add("ideo", json!({"ideo": format!("FOR.{i}"), "code_certification": cfd}));
        add("uai_mere", json!({"numero_uai_trouve": uai, "numero_uai_mere": "0750001A"}));
        add("encodage", json!({"cle": format!("{i}"), "code_certification": cfd}));
        add("reussite", json!({"uai": uai, "code_certification": sise, "taux_de_reussite": 80}));
        add("equivalence_sise", json!({"code": sise, "code_publie": "0000001"}));
        add(
            "perimetre",
            json!({"campagne": "2025", "type_diplome": format!("BTS{i}"), "filiere": "Scolaire", "dans_le_perimetre": true}),
        );
    }
    rows
}

fn adding() -> Opening {
    Opening { mode: Mode::Add, ..Opening::default() }
}

fn stage(kv: &MemoryStore, id: &str, opening: Opening, rows: &[Value]) {
    block_on(async {
        open(kv, id, opening, 0).await.unwrap();
        let info = Staging::new(kv, id, 25).stage(0, &body(rows), &[]).await.unwrap();
        assert_eq!(info.refused, 0, "{:?}", info.refusals);
        Job::publish(kv, id, PublicationOptions { parts: 1, ..PublicationOptions::default() }, 0).await.unwrap();
    });
}

fn finish(kv: &MemoryStore, world: &TurnedWorld, id: &str) -> Job {
    block_on(common::finish(kv, world, id, 1_000)).unwrap()
}

fn publish(kv: &MemoryStore, world: &TurnedWorld, id: &str, opening: Opening, rows: &[Value]) -> Job {
    stage(kv, id, opening, rows);
    let job = finish(kv, world, id);
    // What it leaves goes.
    world.now.set(world.now.get() + 3_600_000);
    while block_on(clean_up(kv, world)).unwrap() {}
    job
}

/// The documents that the treatments would look up, by kind and key; each is handed out once.
fn served(kv: &MemoryStore) -> BTreeMap<(Kind, String), Document> {
    let mut documents = BTreeMap::new();
    block_on(walk_served(kv, &Kind::ALL, |kind, json| {
        let document: Document = serde_json::from_slice(json).unwrap();
        let key = (kind, kind.key(&document).unwrap());
        assert!(documents.insert(key.clone(), document).is_none(), "{key:?} twice");
    }))
    .unwrap();
    documents
}

/// Bytes of the sources of the generation that is served.
fn bytes_of_sources(kv: &MemoryStore) -> usize {
    let registry = block_on(Registry::read(kv)).unwrap();
    let served = registry.generations.iter().rfind(|g| g.state == GenerationState::Published).unwrap();
    let sources = format!("{}:flux.sources.", served.id);
    let keys = kv.keys().into_iter().filter(|key| key.starts_with(&sources));
    keys.map(|key| block_on(kv.get(&key)).unwrap().unwrap().len()).sum()
}

/// `ajouter` with what is served already changes nothing, whatever its kind.
#[test]
fn what_is_added_again_makes_no_new_generation() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let rows = all_kinds(40, "METIER");
    assert_eq!(publish(&kv, &world, "a", Opening::default(), &rows).step, JobStep::Published);
    for (id, kept) in [("b", rows.len()), ("c", 30), ("d", 200)] {
        let job = publish(&kv, &world, id, adding(), &rows[..kept]);
        assert_eq!(job.step, JobStep::Unchanged, "{id}");
    }
    let mut reversed = rows.clone();
    reversed[1..].reverse();
    let twice = [rows.as_slice(), &reversed].concat();
    assert_eq!(publish(&kv, &world, "e", adding(), &twice).step, JobStep::Unchanged);
    assert_eq!(publish(&kv, &world, "f", Opening::default(), &twice).step, JobStep::Unchanged);
}

/// Replaced documents are forgotten: the sources stay within a third more than what stands, however often all is added.
#[test]
fn what_is_replaced_does_not_stay_in_the_sources() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    publish(&kv, &world, "a0", Opening::default(), &all_kinds(60, "METIER 0"));
    let once = bytes_of_sources(&kv);
    for round in 1..12 {
        // All of them, then a tenth: what is replaced here and there adds up too.
        let n = if round % 3 == 0 { 6 } else { 60 };
        let job = publish(&kv, &world, &format!("a{round}"), adding(), &all_kinds(n, &format!("METIER {round}")));
        assert_eq!(job.step, JobStep::Published, "{:?}", job.summary);
        // The pieces of a partition that was written anew lie beside the new ones until the generation goes.
        assert!(bytes_of_sources(&kv) < once * 4, "{round}: {} of {once}", bytes_of_sources(&kv));
        let documents = served(&kv);
        assert_eq!(documents.len(), 60 * 17, "{round}");
        let text = |i: usize| documents[&(Kind::Catalogue, format!("c{i}"))]["libelle"].as_str().unwrap().to_owned();
        assert_eq!((text(3), text(50)), (format!("METIER {round}"), format!("METIER {}", round - usize::from(n == 6))));
    }
    // What is carried over is what stands, not all that was ever pushed.
    let job = publish(&kv, &world, "z", adding(), &all_kinds(1, "AUTRE"));
    let standing = 60 * 17;
    assert!(job.summary.carried_over <= standing + standing / 3, "{}", job.summary.carried_over);
}

/// Killed anywhere, a push that adds ends in what it ends in without kills, sources included.
#[test]
fn killed_anywhere_what_stands_is_the_same() {
    let prepared = || {
        let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
        publish(&kv, &world, "a", Opening::default(), &all_kinds(25, "AVANT"));
        stage(&kv, "b", adding(), &all_kinds(20, "APRES"));
        (kv, world)
    };
    let (kv, world) = prepared();
    let expected = finish(&kv, &world, "b").summary.digest;
    let documents = served(&kv);
    for seed in 0..80u64 {
        let (kv, world) = prepared();
        let mut random = seed;
        let job = loop {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            kv.remaining.set(Some(5 + (random >> 33) % 160));
            let ahead = block_on(advance(&kv, &world, "b", 0, &[]));
            kv.remaining.set(None);
            if let Ok(job) = ahead
                && job.step.is_final()
            {
                break job;
            }
        };
        assert_eq!(job.summary.digest, expected, "seed {seed}");
        assert_eq!(served(&kv), documents, "seed {seed}");
    }
}

/// A generation whose manifest does not say what its tables hold is carried over whole, and says so from then on.
#[test]
fn the_tables_of_a_manifest_that_does_not_count_them_are_carried_over() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    publish(&kv, &world, "a", Opening::default(), &all_kinds(30, "METIER"));
    let before = served(&kv);
    let key = "g1:manifeste:1";
    let stored = block_on(kv.get(key)).unwrap().unwrap();
    let mut manifest: Value = serde_json::from_slice(store::frame::open(key, &stored).unwrap()).unwrap();
    assert!(manifest["octets_tables"].as_u64().unwrap() > 0 && manifest["tables"]["bcn"] == 30, "{manifest}");
    for field in ["octets_tables", "tables"] {
        manifest.as_object_mut().unwrap().remove(field);
    }
    kv.corrupt(key, Some(store::frame::seal(key, manifest.to_string().into_bytes())));
    let added = json!({"kind": "bcn", "doc": {"type": "cfd", "code_certification": "99999999"}});
    assert_eq!(publish(&kv, &world, "b", adding(), &[added]).step, JobStep::Published);
    assert_eq!(served(&kv).len(), before.len() + 1);
    let stored = block_on(kv.get("g2:manifeste:1")).unwrap().unwrap();
    let manifest: Value = serde_json::from_slice(store::frame::open("g2:manifeste:1", &stored).unwrap()).unwrap();
    assert_eq!(manifest["tables"]["bcn"], 31);
}

/// The guard looks at the nomenclature and at the tables too.
#[test]
fn a_push_that_would_take_a_tenth_of_a_table_waits_for_a_confirmation() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    let rows = all_kinds(40, "METIER");
    publish(&kv, &world, "a", Opening::default(), &rows);
    for (kind, id) in [(Kind::Bcn, "b"), (Kind::Catalogue, "c"), (Kind::CertifInfo, "d")] {
        let of_kind: Vec<Value> = rows.iter().filter(|row| row["kind"] == kind.name()).cloned().collect();
        let opening = || Opening { kinds: vec![kind], ..Opening::default() };
        let job = publish(&kv, &world, id, opening(), &of_kind[..35]);
        assert_eq!(job.step, JobStep::AwaitConfirmation);
        assert_eq!(job.summary.losses, [format!("{} : 40 → 35", kind.name())]);
        block_on(Job::give_up(&kv, id, 0)).unwrap();
        let job = publish(&kv, &world, &format!("{id}2"), opening(), &of_kind[..37]);
        assert_eq!(job.step, JobStep::Published, "{:?}", job.summary.losses);
    }
}

/// Millesimes alone name statistics: what has no millesime stays unless its kind is named.
#[test]
fn a_push_of_millesimes_keeps_the_nomenclature() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    publish(&kv, &world, "a", Opening::default(), &all_kinds(40, "METIER"));
    let declaration = json!({"kind": "maille", "doc": {"nom": "pays", "libelle": "Pays", "cle": "pays"}});
    let statistics = ["maille", "certification", "regionale", "formation", "statistique", "bcn"];
    let pushed: Vec<Value> = all_kinds(40, "NEUF")
        .into_iter()
        .filter(|row| statistics.contains(&row["kind"].as_str().unwrap()))
        .filter(|row| row["kind"] != "bcn" || row["doc"]["code_certification"] == "00000000007")
        .collect();
    let millesimes = Opening { millesimes: vec!["2020".into()], ..Opening::default() };
    let job = publish(&kv, &world, "b", millesimes, &pushed);
    assert_eq!(job.step, JobStep::Published, "{:?}", job.summary.losses);
    let documents = served(&kv);
    assert_eq!(documents.len(), 40 * 17, "nothing of the nomenclature went");
    let bcn = |code: &str| documents[&(Kind::Bcn, code.to_owned())]["libelle"].clone();
    assert_eq!((bcn("00000000007"), bcn("00000000008")), (json!("NEUF"), json!("METIER")));
    // Named, it is replaced whole.
    let named = Opening { kinds: vec![Kind::Bcn], millesimes: vec!["2020".into()], ..Opening::default() };
    let one = json!({"kind": "bcn", "doc": {"type": "cfd", "code_certification": "99999999"}});
    let job = publish(&kv, &world, "c", named, &[declaration, one]);
    assert_eq!(job.summary.losses, ["bcn : 40 → 1"]);
}

/// What a part may hold depends on the parts before it: sent again, it is checked again where those have changed.
#[test]
fn a_part_sent_again_is_checked_again_where_the_part_before_it_changed() {
    let kv = MemoryStore::default();
    let declaration = json!({"kind": "maille", "doc": {"nom": "pays", "libelle": "Pays", "cle": "pays"}});
    let other = json!({"kind": "maille", "doc": {"nom": "pays", "libelle": "Autre", "cle": "region.code"}});
    let nothing = json!({"kind": "bcn", "doc": {"type": "cfd", "code_certification": "99999999"}});
    let statistic = json!({"kind": "statistique", "doc": {"maille": "pays", "pays": "FR", "region": {"code": "11", "nom": "R"},
        "code_certification": "40025214", "millesime": "2020", "filiere": "pro", "nb_annee_term": 40}});
    block_on(async {
        open(&kv, "a", Opening::default(), 0).await.unwrap();
        let staging = Staging::new(&kv, "a", 25);
        let options = || PublicationOptions { parts: 3, ..PublicationOptions::default() };
        // The declaration was forgotten: the lines are refused.
        staging.stage(0, &body(&[nothing]), &[]).await.unwrap();
        for part in [1, 2] {
            let info = staging.stage(part, &body(std::slice::from_ref(&statistic)), &[]).await.unwrap();
            assert_eq!(info.refused, 1);
        }
        assert!(Job::publish(&kv, "a", options(), 0).await.unwrap_err().to_string().contains("refusées"));
        // It comes, and the same bytes are accepted now.
        staging.stage(0, &body(std::slice::from_ref(&declaration)), &[]).await.unwrap();
        let refusal = Job::publish(&kv, "a", options(), 0).await.unwrap_err().to_string();
        assert!(refusal.contains("la partie 1 a été vérifiée sous d'autres déclarations"), "{refusal}");
        for part in [1, 2] {
            let info = staging.stage(part, &body(std::slice::from_ref(&statistic)), &[]).await.unwrap();
            assert_eq!((info.refused, info.lines["statistique"]), (0, 1));
        }
        // Another declaration: what was accepted lies at another place now.
        staging.stage(0, &body(&[other]), &[]).await.unwrap();
        let refusal = Job::publish(&kv, "a", options(), 0).await.unwrap_err().to_string();
        assert!(refusal.contains("la partie 1"), "{refusal}");
        staging.stage(1, &body(std::slice::from_ref(&statistic)), &[]).await.unwrap();
        let refusal = Job::publish(&kv, "a", options(), 0).await.unwrap_err().to_string();
        assert!(refusal.contains("la partie 2"), "{refusal}");
        staging.stage(2, &body(std::slice::from_ref(&statistic)), &[]).await.unwrap();
        Job::publish(&kv, "a", options(), 0).await.unwrap();
    });
    let world = TurnedWorld::default();
    assert_eq!(finish(&kv, &world, "a").step, JobStep::Published);
    let documents = served(&kv);
    let (_, statistic) = documents.iter().find(|((kind, _), _)| *kind == Kind::Statistic).unwrap();
    assert_eq!(statistic["lieu"], "11", "as declared last");
}

/// The indicators of the deployment decide which fields are kept.
#[test]
fn a_part_sent_again_is_checked_again_where_the_indicators_changed() {
    let kv = MemoryStore::default();
    let row = json!({"kind": "certification", "doc": {"code_certification": "40025214", "millesime": "2020", "filiere": "pro",
        "nb_annee_term": 40, "taux_neuf": 12}});
    block_on(async {
        open(&kv, "a", Opening::default(), 0).await.unwrap();
        let staging = Staging::new(&kv, "a", 25);
        let info = staging.stage(0, &body(std::slice::from_ref(&row)), &[]).await.unwrap();
        assert_eq!(info.unknown_fields["taux_neuf"], 1);
        let info = staging.stage(0, &body(&[row]), &["taux_neuf".to_owned()]).await.unwrap();
        assert!(info.unknown_fields.is_empty());
        Job::publish(&kv, "a", PublicationOptions { parts: 1, ..PublicationOptions::default() }, 0).await.unwrap();
    });
    finish(&kv, &TurnedWorld::default(), "a");
    assert!(served(&kv).values().all(|document| document["taux_neuf"] == 12));
}
