//! The search index, from pushed documents to answers.

use crate::common::finish;
use futures_executor::block_on;
use proptest::prelude::*;
use publication::double::TurnedWorld;
use publication::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use store::finding::{SearchDemand, SearchResults};
use store::kv::{KeyValue, StoreError};
use store::reading::Cache;
use store::search::{self, GETS_MAX, PlaceTable, Subject};
use store::{MemoryStore, Reader};

fn bcn(code: &str, cfd: &str, libelle: &str) -> Value {
    json!({"kind": "bcn", "doc": {"type": if code == cfd { "cfd" } else { "mef" }, "code_certification": code,
        "code_formation_diplome": cfd, "libelle": libelle, "libelle_long": libelle, "diplome": {"code": "3", "libelle": "CAP"}}})
}

fn etablissement(uai: &str, name: &str, departement: &str) -> Value {
    json!({"kind": "etablissement", "doc": {"numero_uai": uai, "appellation_officielle": name, "departement_insee_3": departement}})
}

fn statistic(kind: &str, code: &str, cfd: &str, millesime: &str) -> Value {
    json!({"kind": kind, "doc": {"code_certification": code, "code_formation_diplome": cfd, "libelle": "LIBELLE", "millesime": millesime,
        "filiere": if code.len() == 8 { "apprentissage" } else { "pro" }, "nb_annee_term": 40, "nb_sortant": 20,
        "region": {"code": "11", "nom": "Île-de-France"}, "academie": {"code": "01", "nom": "Paris"},
        "uai": "0750001A", "libelle_etablissement": "Lycée du Test"}})
}

fn stage(kv: &MemoryStore, id: &str, rows: &[Value]) {
    let body: String = rows.iter().map(|l| l.to_string() + "\n").collect();
    block_on(async {
        open(kv, id, Opening::default(), 0).await.unwrap();
        Staging::new(kv, id, 25).stage(0, body.as_bytes(), &[]).await.unwrap();
        Job::publish(kv, id, PublicationOptions { parts: 1, confirm_losses: true, ..PublicationOptions::default() }, 0)
            .await
            .unwrap();
    });
}

fn publish(kv: &MemoryStore, id: &str, rows: &[Value]) -> Job {
    stage(kv, id, rows);
    let world = TurnedWorld::default();
    let job = block_on(finish(kv, &world, id, 20)).unwrap();
    assert_eq!(job.step, JobStep::Published, "{:?}", job.summary.failure);
    job
}

fn reader(kv: &MemoryStore) -> Reader<&MemoryStore> {
    block_on(Reader::open(kv, Rc::new(Cache::new()), 0)).unwrap()
}

fn find(kv: &MemoryStore, q: &str, subject: Option<Subject>) -> SearchResults {
    block_on(reader(kv).find(&SearchDemand { q, subject, facets: &[] }, 0, 10)).unwrap()
}

fn libelles(t: &SearchResults) -> Vec<&str> {
    t.cards.iter().map(|f| f.libelle.as_str()).collect()
}

fn example() -> Vec<Value> {
    vec![
        bcn("50022137", "50022137", "CUISINE (CAP)"),
        bcn("21221037111", "50022137", "CUISINE (CAP)"),
        bcn("40033001", "40033001", "MÉTIERS DE L'ÉLECTRICITÉ (BAC PRO)"),
        bcn("50033002", "50033002", "ARTS DE LA CUISINE (MC)"),
        bcn("50033003", "50033003", "BOUCHER CUISINIER (CAP)"),
        json!({"kind": "bcn_sise", "doc": {"diplome_sise": "2500249", "libelle_intitule_1": "CUISINE MOLECULAIRE", "diplome": {"code": "6", "libelle": "LIC PRO"}}}),
        etablissement("0750001A", "Lycée du Test", "075"),
        etablissement("9740001B", "Cuisines du Port", "974"),
        statistic("certification", "21221037111", "50022137", "2021"),
        statistic("certification", "21221037111", "50022137", "2022"),
        statistic("regionale", "21221037111", "50022137", "2020_2021"),
        statistic("formation", "21221037111", "50022137", "2020_2021"),
    ]
}

#[test]
fn words_prefixes_accents_and_codes_find_one_certification() {
    let kv = MemoryStore::default();
    publish(&kv, "a", &example());
    for q in ["cuisine cap", "CUISINE (cap)", "cui ca", "50022137", "21221037111", "MEFSTAT11:21221037111", "5002"] {
        let found = find(&kv, q, None);
        let version_set = &found.cards[0];
        assert_eq!(version_set.libelle, "CUISINE (CAP)", "{q}");
        let codes: Vec<_> =
            version_set.codes.iter().map(|c| (c.code_kind.as_str(), c.code.as_str(), c.has_data)).collect();
        assert_eq!(codes, [("MEFSTAT11", "21221037111", true), ("CFD", "50022137", false)], "{q}");
        assert!(!found.approximate, "{q}");
    }
    for q in ["electricite", "ÉLECTRICITÉ", "métiers de l'élec", "metiers electri"] {
        assert_eq!(libelles(&find(&kv, q, None)), ["MÉTIERS DE L'ÉLECTRICITÉ (BAC PRO)"], "{q}");
    }
    assert_eq!(find(&kv, "SISE:2500249", None).cards[0].codes[0].code_kind, "SISE");
}

fn rncp(code: &str, rncp: &str) -> Value {
    json!({"kind": "rncp", "doc": {"code_certification": code, "rncp": rncp}})
}

#[test]
fn rncp_codes_find_the_certifications_that_lead_to_them() {
    let kv = MemoryStore::default();
    let links = [
        rncp("50022137", "RNCP38430"),
        rncp("50022137", "RNCP5226"),
        rncp("2500249", "RNCP30123"),
        rncp("40033001", "RNCP5002"),
        rncp("11111111", "RNCP777"),
        json!({"kind": "catalogue", "doc": {"id": "a", "cfd": "50033002", "rncp_code": "RNCP38430", "rncp_details": {"x": 1}}}),
        json!({"kind": "catalogue", "doc": {"id": "b", "cfd": "50033003", "rncp_code": "RS38430"}}),
        json!({"kind": "catalogue", "doc": {"id": "c", "cfd": null, "rncp_code": "RNCP38430"}}),
        json!({"kind": "catalogue", "doc": {"id": "d", "cfd": "50033003", "rncp_code": 38430}}),
    ];
    publish(&kv, "a", &[example(), links.to_vec()].concat());
    for q in ["RNCP38430", "rncp38430", "rncp 38430", "RNCP : 38430", "38430", "RNCP3843"] {
        let found = find(&kv, q, None);
        assert_eq!(libelles(&found), ["CUISINE (CAP)", "ARTS DE LA CUISINE (MC)"], "{q}");
        assert_eq!(
            (found.approximate, &found.cards[0].rncp),
            (false, &vec!["RNCP38430".into(), "RNCP5226".into()]),
            "{q}"
        );
        // Its MEF with it; and no route takes the RNCP code, so it is none of the codes.
        let codes: Vec<&str> = found.cards[0].codes.iter().map(|c| c.code.as_str()).collect();
        assert_eq!(codes, ["21221037111", "50022137"], "{q}");
    }
    assert_eq!(libelles(&find(&kv, "cuisine rncp 38430", None)).len(), 2, "beside words");
    assert_eq!(find(&kv, "rncp30123", None).cards[0].codes[0].code_kind, "SISE");
    // A number that codes begin with is what it was before there were RNCP codes.
    assert_eq!(libelles(&find(&kv, "5002", None)), ["CUISINE (CAP)"]);
    assert_eq!(libelles(&find(&kv, "rncp5002", None)), ["MÉTIERS DE L'ÉLECTRICITÉ (BAC PRO)"]);
    assert!(libelles(&find(&kv, "777", None)).is_empty(), "a certification that no table knows");
    assert!(find(&kv, "rn", None).cards.is_empty(), "what all RNCP codes begin with finds none");
}

#[test]
fn what_has_data_comes_first_then_the_whole_word_then_the_first_one() {
    let kv = MemoryStore::default();
    publish(&kv, "a", &example());
    assert_eq!(
        libelles(&find(&kv, "cuisine", Some(Subject::Certification))),
        ["CUISINE (CAP)", "CUISINE MOLECULAIRE", "ARTS DE LA CUISINE (MC)"]
    );
    assert_eq!(libelles(&find(&kv, "cuisin", Some(Subject::Certification))).len(), 4, "prefixes too");
    assert_eq!(libelles(&find(&kv, "cuisine", Some(Subject::Etablissement))), ["Cuisines du Port"]);
    let lycee = find(&kv, "lycee test", None);
    assert_eq!((lycee.cards[0].uai.as_str(), lycee.cards[0].region.as_str()), ("0750001A", "11"));
    assert_eq!(find(&kv, "9740001B", None).cards[0].region, "04");
}

#[test]
fn what_is_near_is_shown_where_nothing_matches() {
    let kv = MemoryStore::default();
    publish(&kv, "a", &example());
    for q in ["21221037999", "50022199", "cuisine quantique", "electriciteeeee"] {
        let found = find(&kv, q, None);
        assert!(found.approximate && found.total > 0, "{q} {found:?}");
    }
    assert_eq!(find(&kv, "zzz", None), SearchResults::default());
    assert_eq!(find(&kv, "", None), SearchResults::default());
    assert_eq!(find(&kv, "?!", None), SearchResults::default());
}

#[test]
fn places_say_where_there_is_data() {
    let kv = MemoryStore::default();
    publish(&kv, "a", &example());
    let l = reader(&kv);
    let places = |key: String| block_on(l.places(&key)).unwrap().unwrap_or_default().0;
    assert_eq!(
        places(search::code_key("21221037111")),
        [
            vec!["0", "LIBELLE", "", "50022137"],
            vec!["1", "pro", "2021"],
            vec!["1", "pro", "2022"],
            vec!["2", "11", "2020_2021"],
            vec!["3", "11"]
        ]
    );
    assert_eq!(places(search::region_key("21221037111", "11")), [["0750001A", "Lycée du Test", "2020_2021"]]);
    assert_eq!(places(search::uai_key("0750001A")), [["21221037111", "LIBELLE", "", "pro", "2020_2021"]]);
    assert_eq!(places(search::code_key("99999999")), Vec::<Vec<String>>::new());
}

/// The labels of a nomenclature of this size, from few words.
fn nomenclature(n: usize) -> Vec<Value> {
    const WORDS: [&str; 16] = [
        "METIERS",
        "CUISINE",
        "BOIS",
        "BATIMENT",
        "COMMERCE",
        "GESTION",
        "ACCUEIL",
        "SANTE",
        "ENERGIE",
        "TRANSPORT",
        "AERONAUTIQUE",
        "ELECTRICITE",
        "MAINTENANCE",
        "INDUSTRIE",
        "PLASTURGIE",
        "HOTELLERIE",
    ];
    let mut rows = Vec::new();
    for i in 0..n {
        let cfd = format!("{:08}", 40_000_000 + i * 7);
        let libelle = format!("{} {} OPTION {}{i}", WORDS[i % 16], WORDS[(i / 16 + 3) % 16], WORDS[(i / 7) % 16]);
        rows.push(bcn(&cfd, &cfd, &libelle));
        if i % 5 == 0 {
            rows.push(statistic("certification", &cfd, &cfd, "2022"));
        }
        if i % 3 == 0 {
            rows.push(etablissement(&format!("{:07}A", i), &format!("Lycée {} {i}", WORDS[i % 16]), "033"));
        }
    }
    rows
}

/// Invariant 5: the gets of a search are bounded, whatever is asked for and however much there is.
#[test]
fn invariant_5_a_search_stays_within_its_gets() {
    for n in [100, 6_000] {
        let kv = MemoryStore::default();
        publish(&kv, "a", &nomenclature(n));
        for q in [
            "metiers",
            "m",
            "cuisine bois",
            "40000007",
            "option",
            "me cu op ge ac sa en",
            "zzzz yyyy xxxx wwww vvvv",
            "hotellerieeee plasturgieee electriciteee",
            "lycee",
            "49999999999",
        ] {
            for subject in [None, Some(Subject::Certification), Some(Subject::Etablissement)] {
                for skip in [0, 10, 90] {
                    let cache = Rc::new(Cache::new());
                    let before = kv.gets.get();
                    let reader = block_on(Reader::open(&kv, cache, 0)).unwrap();
                    let found = block_on(reader.find(&SearchDemand { q, subject, facets: &[] }, skip, 10)).unwrap();
                    let gets = usize::try_from(kv.gets.get() - before).unwrap();
                    assert!(gets <= GETS_MAX, "{q}: {gets} gets");
                    let expected = found.total.saturating_sub(skip).min(10);
                    assert_eq!(found.cards.len(), expected, "{q} {subject:?} {skip}: {gets} gets");
                }
            }
        }
    }
}

#[test]
fn every_label_is_found_by_its_words_and_its_code() {
    let kv = MemoryStore::default();
    let rows = nomenclature(1_500);
    publish(&kv, "a", &rows);
    let l = reader(&kv);
    for doc in rows.iter().filter(|l| l["kind"] == "bcn").step_by(37).map(|l| &l["doc"]) {
        for field in ["libelle", "code_certification"] {
            let q = doc[field].as_str().unwrap();
            let found = block_on(l.find(&SearchDemand { q, ..SearchDemand::default() }, 0, 10)).unwrap();
            let codes: Vec<&str> = found.cards.iter().flat_map(|f| &f.codes).map(|c| c.code.as_str()).collect();
            assert!(codes.contains(&doc["code_certification"].as_str().unwrap()), "{doc} {codes:?}");
        }
    }
}

fn values(kv: &MemoryStore, keep: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<u8>> {
    let keys = kv.keys().into_iter().filter(|k| keep(k));
    keys.map(|k| (k.clone(), block_on(kv.get(&k)).unwrap().unwrap())).collect()
}

fn index(kv: &MemoryStore) -> BTreeMap<String, Vec<u8>> {
    values(kv, |k| k.starts_with('g') && k.contains(":recherche") && !k.contains(":flux."))
}

/// Whatever the order of the push, and wherever it was killed, the index holds the same bytes.
#[test]
fn the_index_is_the_same_bytes_in_any_order_and_after_any_kill() {
    let rows: Vec<Value> = nomenclature(400).into_iter().chain(example()).collect();
    let reference = MemoryStore::default();
    publish(&reference, "a", &rows);
    let expected = index(&reference);
    assert!(expected.len() >= 4, "{:?}", expected.keys());
    let reversed = MemoryStore::default();
    publish(&reversed, "a", &rows.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(index(&reversed), expected);
    for seed in 0..30u64 {
        let (kv, world) = (MemoryStore::default(), TurnedWorld::striding(1 + seed % 7));
        stage(&kv, "a", &rows);
        let mut random = seed;
        loop {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            kv.remaining.set(Some(5 + (random >> 33) % 500));
            let ahead = block_on(advance(&kv, &world, "a", 3 + seed % 11, &[]));
            kv.remaining.set(None);
            if ahead.is_ok_and(|job| job.step.is_final()) {
                break;
            }
        }
        assert_eq!(index(&kv), expected, "seed {seed}");
    }
}

/// The index goes with its generation; what its making needed goes before.
#[test]
fn the_index_is_deleted_with_its_generation() {
    let kv = MemoryStore::default();
    for (n, id) in ["a", "b", "c"].iter().enumerate() {
        publish(&kv, id, &nomenclature(50 + n));
    }
    let world = TurnedWorld::at(11 * 60 * 1000);
    while block_on(clean_up(&kv, &world)).unwrap() {}
    let generations: BTreeSet<String> = index(&kv).keys().map(|k| k.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(generations, BTreeSet::from(["g2".to_owned(), "g3".to_owned()]));
    assert!(!kv.keys().iter().any(|k| k.contains(":flux.recherche")));
}

/// Invariant 9: a damaged page is a fault, never "nothing found"; the verification sees it.
#[test]
fn invariant_9_a_damaged_page_is_a_fault() {
    let kv = MemoryStore::default();
    publish(&kv, "a", &example());
    let expected = find(&kv, "cuisine", None).total;
    for (key, mut value) in index(&kv) {
        let whole = value.clone();
        let middle = value.len() / 2;
        value[middle] ^= 0x20;
        kv.corrupt(&key, Some(value));
        let l = reader(&kv);
        let read = block_on(async {
            let found = l.find(&SearchDemand { q: "cuisine", ..SearchDemand::default() }, 0, 10).await.map(|_| ());
            found.and(l.places(&search::code_key("21221037111")).await.map(|_| ()))
        });
        // A page that this search does not touch in its damaged part may still answer rightly.
        if read.is_ok() {
            assert_eq!(find(&kv, "cuisine", None).total, expected, "{key}");
        }
        kv.corrupt(&key, None);
        let l = reader(&kv);
        let absent = block_on(async {
            let found = l.find(&SearchDemand { q: "cuisine", ..SearchDemand::default() }, 0, 10).await.map(|_| ());
            found.and(l.places(&search::code_key("21221037111")).await.map(|_| ()))
        });
        assert!(matches!(absent, Err(StoreError::Damaged(_))), "{key}");
        kv.corrupt(&key, Some(whole));
    }
}

/// A page that was lost before the verification stops the publication.
#[test]
fn a_lost_page_stops_the_publication() {
    let kv = MemoryStore::default();
    stage(&kv, "a", &example());
    let world = TurnedWorld::striding(1);
    loop {
        let job = block_on(advance(&kv, &world, "a", 1, &[])).unwrap();
        if job.step == JobStep::Verify {
            break;
        }
        assert!(!job.step.is_final());
    }
    let key = index(&kv).into_keys().find(|k| k.contains("recherche.termes")).unwrap();
    kv.corrupt(&key, None);
    loop {
        let job = block_on(advance(&kv, &world, "a", 1, &[])).unwrap();
        if job.step.is_final() {
            assert_eq!(job.step, JobStep::Failed);
            break;
        }
    }
}

/// Invariant 3: no number of a document enters the index, hidden or not.
#[test]
fn invariant_3_the_index_holds_no_rate_and_no_count() {
    let kv = MemoryStore::default();
    let mut rows = example();
    for row in &mut rows {
        for (field, value) in [
            ("nb_annee_term", 19),
            ("nb_sortant", 713_131),
            ("taux_en_formation", 713_132),
            ("salaire_12_mois_q1", 713_133),
        ] {
            if row["doc"].get("nb_annee_term").is_some() {
                row["doc"][field] = json!(value);
            }
        }
    }
    publish(&kv, "a", &rows);
    for (key, value) in values(&kv, |k| k.contains("recherche")) {
        let text = String::from_utf8_lossy(&value).into_owned();
        assert!(!["713131", "713132", "713133", "nb_", "taux", "salaire"].iter().any(|t| text.contains(t)), "{key}");
        for n in [713_131u32, 713_132, 713_133] {
            let bytes = n.to_le_bytes();
            assert!(!value.windows(3).any(|w| w == &bytes[..3]), "{key}");
        }
    }
}

#[test]
fn a_place_with_very_many_lines_stays_within_a_value() {
    let kv = MemoryStore::default();
    let mut rows = Vec::new();
    for i in 0..2_500 {
        let mut row = statistic("formation", "21221037111", "50022137", "2020_2021");
        row["doc"]["uai"] = json!(format!("{i:07}A"));
        row["doc"]["libelle_etablissement"] = json!(format!("{} {i}", "Établissement au nom long ".repeat(3)));
        rows.push(row);
    }
    publish(&kv, "a", &rows);
    let l = reader(&kv);
    let PlaceTable(read) = block_on(l.places(&search::region_key("21221037111", "11"))).unwrap().unwrap();
    assert!(read.len() > 900 && read.len() <= search::PLACES_MAX, "{}", read.len());
    assert!(index(&kv).values().all(|v| v.len() <= store::kv::VALUE_MAX));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// What a scan of the labels finds, the index finds.
    #[test]
    fn the_index_finds_what_a_scan_finds(labels in proptest::collection::vec("[abc]{1,4}( [abcé]{1,10}){0,3}", 1..40), word in "[abc]{1,10}") {
        let kv = MemoryStore::default();
        let rows: Vec<Value> = labels.iter().enumerate().map(|(i, l)| {
            let code = format!("{:08}", i + 90_000_000);
            bcn(&code, &code, l)
        }).collect();
        publish(&kv, "a", &rows);
        let expected = labels.iter().filter(|l| search::useful_words(l).iter().chain([&"cap".to_owned()]).any(|m| m.starts_with(&word))).count();
        let found = find(&kv, &word, None);
        // Past eight letters only whole words and approximations are found.
        if word.len() <= search::PREFIX_MAX && search::useful_words(&word) == [word.clone()] {
            if expected > 0 {
                prop_assert_eq!(found.total, expected);
                prop_assert!(!found.approximate);
            } else {
                prop_assert!(found.approximate || found.total == 0);
            }
        }
    }
}
