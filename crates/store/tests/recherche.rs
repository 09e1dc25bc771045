//! The search index, from pushed documents to answers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test stops where it fails")]

use domain::Document;
use futures_executor::block_on;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use store::kv::{KeyValue, StoreError};
use store::lecture::Cache;
use store::publication::*;
use store::recherche::{self, GETS_MAX, Lieux, Sujet, Trouvailles};
use store::{Lecteur, Memoire};

#[derive(Default)]
struct Monde {
    monotone: Cell<u64>,
    pas: Cell<u64>,
}

impl Environnement for Monde {
    fn maintenant_ms(&self) -> i64 {
        0
    }
    fn monotone_ms(&self) -> u64 {
        self.monotone.set(self.monotone.get() + self.pas.get());
        self.monotone.get()
    }
    async fn utilisateur(&self, _: &Document) -> Result<(), StoreError> {
        Ok(())
    }
    fn lot(&self) -> usize {
        25
    }
}

fn bcn(code: &str, cfd: &str, libelle: &str) -> Value {
    json!({"kind": "bcn", "doc": {"type": if code == cfd { "cfd" } else { "mef" }, "code_certification": code,
        "code_formation_diplome": cfd, "libelle": libelle, "libelle_long": libelle, "diplome": {"code": "3", "libelle": "CAP"}}})
}

fn etablissement(uai: &str, nom: &str, departement: &str) -> Value {
    json!({"kind": "etablissement", "doc": {"numero_uai": uai, "appellation_officielle": nom, "departement_insee_3": departement}})
}

fn statistique(kind: &str, code: &str, cfd: &str, millesime: &str) -> Value {
    json!({"kind": kind, "doc": {"code_certification": code, "code_formation_diplome": cfd, "libelle": "LIBELLE", "millesime": millesime,
        "filiere": if code.len() == 8 { "apprentissage" } else { "pro" }, "nb_annee_term": 40, "nb_sortant": 20,
        "region": {"code": "11", "nom": "Île-de-France"}, "academie": {"code": "01", "nom": "Paris"},
        "uai": "0750001A", "libelle_etablissement": "Lycée du Test"}})
}

fn deposer(kv: &Memoire, id: &str, lignes: &[Value]) {
    let corps: String = lignes.iter().map(|l| l.to_string() + "\n").collect();
    block_on(async {
        ouvrir(kv, id, Ouverture::default(), 0).await.unwrap();
        Depot::new(kv, id, 25).deposer(0, corps.as_bytes(), &[]).await.unwrap();
        Job::publier(kv, id, Consigne { parties: 1, confirmer_pertes: true, ..Consigne::default() }, 0).await.unwrap();
    });
}

fn publier(kv: &Memoire, id: &str, lignes: &[Value]) -> Job {
    deposer(kv, id, lignes);
    let monde = Monde::default();
    for _ in 0..10_000 {
        let job = block_on(avancer(kv, &monde, id, 20, &[])).unwrap();
        if job.etape.est_finale() {
            assert_eq!(job.etape, Etape::Publie, "{:?}", job.bilan.echec);
            return job;
        }
    }
    panic!("the job does not end");
}

fn lecteur(kv: &Memoire) -> Lecteur<&Memoire> {
    block_on(Lecteur::ouvrir(kv, Rc::new(Cache::new()), 0)).unwrap()
}

fn chercher(kv: &Memoire, q: &str, sujet: Option<Sujet>) -> Trouvailles {
    block_on(lecteur(kv).chercher(q, sujet, 0, 10)).unwrap()
}

fn libelles(t: &Trouvailles) -> Vec<&str> {
    t.fiches.iter().map(|f| f.libelle.as_str()).collect()
}

fn exemple() -> Vec<Value> {
    vec![
        bcn("50022137", "50022137", "CUISINE (CAP)"),
        bcn("21221037111", "50022137", "CUISINE (CAP)"),
        bcn("40033001", "40033001", "MÉTIERS DE L'ÉLECTRICITÉ (BAC PRO)"),
        bcn("50033002", "50033002", "ARTS DE LA CUISINE (MC)"),
        bcn("50033003", "50033003", "BOUCHER CUISINIER (CAP)"),
        json!({"kind": "bcn_sise", "doc": {"diplome_sise": "2500249", "libelle_intitule_1": "CUISINE MOLECULAIRE", "diplome": {"code": "6", "libelle": "LIC PRO"}}}),
        etablissement("0750001A", "Lycée du Test", "075"),
        etablissement("9740001B", "Cuisines du Port", "974"),
        statistique("certification", "21221037111", "50022137", "2021"),
        statistique("certification", "21221037111", "50022137", "2022"),
        statistique("regionale", "21221037111", "50022137", "2020_2021"),
        statistique("formation", "21221037111", "50022137", "2020_2021"),
    ]
}

#[test]
fn words_prefixes_accents_and_codes_find_one_certification() {
    let kv = Memoire::default();
    publier(&kv, "a", &exemple());
    for q in ["cuisine cap", "CUISINE (cap)", "cui ca", "50022137", "21221037111", "MEFSTAT11:21221037111", "5002"] {
        let trouve = chercher(&kv, q, None);
        let fiche = &trouve.fiches[0];
        assert_eq!(fiche.libelle, "CUISINE (CAP)", "{q}");
        let codes: Vec<_> = fiche.codes.iter().map(|c| (c.genre.as_str(), c.code.as_str(), c.donnees)).collect();
        assert_eq!(codes, [("MEFSTAT11", "21221037111", true), ("CFD", "50022137", false)], "{q}");
        assert!(!trouve.approche, "{q}");
    }
    for q in ["electricite", "ÉLECTRICITÉ", "métiers de l'élec", "metiers electri"] {
        assert_eq!(libelles(&chercher(&kv, q, None)), ["MÉTIERS DE L'ÉLECTRICITÉ (BAC PRO)"], "{q}");
    }
    assert_eq!(chercher(&kv, "SISE:2500249", None).fiches[0].codes[0].genre, "SISE");
}

fn rncp(code: &str, rncp: &str) -> Value {
    json!({"kind": "rncp", "doc": {"code_certification": code, "rncp": rncp}})
}

#[test]
fn rncp_codes_find_the_certifications_that_lead_to_them() {
    let kv = Memoire::default();
    let liens = [
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
    publier(&kv, "a", &[exemple(), liens.to_vec()].concat());
    for q in ["RNCP38430", "rncp38430", "rncp 38430", "RNCP : 38430", "38430", "RNCP3843"] {
        let trouve = chercher(&kv, q, None);
        assert_eq!(libelles(&trouve), ["CUISINE (CAP)", "ARTS DE LA CUISINE (MC)"], "{q}");
        assert_eq!(
            (trouve.approche, &trouve.fiches[0].rncp),
            (false, &vec!["RNCP38430".into(), "RNCP5226".into()]),
            "{q}"
        );
        // Its MEF with it; and no route takes the RNCP code, so it is none of the codes.
        let codes: Vec<&str> = trouve.fiches[0].codes.iter().map(|c| c.code.as_str()).collect();
        assert_eq!(codes, ["21221037111", "50022137"], "{q}");
    }
    assert_eq!(libelles(&chercher(&kv, "cuisine rncp 38430", None)).len(), 2, "beside words");
    assert_eq!(chercher(&kv, "rncp30123", None).fiches[0].codes[0].genre, "SISE");
    // A number that codes begin with is what it was before there were RNCP codes.
    assert_eq!(libelles(&chercher(&kv, "5002", None)), ["CUISINE (CAP)"]);
    assert_eq!(libelles(&chercher(&kv, "rncp5002", None)), ["MÉTIERS DE L'ÉLECTRICITÉ (BAC PRO)"]);
    assert!(libelles(&chercher(&kv, "777", None)).is_empty(), "a certification that no table knows");
    assert!(chercher(&kv, "rn", None).fiches.is_empty(), "what all RNCP codes begin with finds none");
}

#[test]
fn what_has_data_comes_first_then_the_whole_word_then_the_first_one() {
    let kv = Memoire::default();
    publier(&kv, "a", &exemple());
    assert_eq!(
        libelles(&chercher(&kv, "cuisine", Some(Sujet::Certification))),
        ["CUISINE (CAP)", "CUISINE MOLECULAIRE", "ARTS DE LA CUISINE (MC)"]
    );
    assert_eq!(libelles(&chercher(&kv, "cuisin", Some(Sujet::Certification))).len(), 4, "prefixes too");
    assert_eq!(libelles(&chercher(&kv, "cuisine", Some(Sujet::Etablissement))), ["Cuisines du Port"]);
    let lycee = chercher(&kv, "lycee test", None);
    assert_eq!((lycee.fiches[0].uai.as_str(), lycee.fiches[0].region.as_str()), ("0750001A", "11"));
    assert_eq!(chercher(&kv, "9740001B", None).fiches[0].region, "04");
}

#[test]
fn what_is_near_is_shown_where_nothing_matches() {
    let kv = Memoire::default();
    publier(&kv, "a", &exemple());
    for q in ["21221037999", "50022199", "cuisine quantique", "electriciteeeee"] {
        let trouve = chercher(&kv, q, None);
        assert!(trouve.approche && trouve.total > 0, "{q} {trouve:?}");
    }
    assert_eq!(chercher(&kv, "zzz", None), Trouvailles::default());
    assert_eq!(chercher(&kv, "", None), Trouvailles::default());
    assert_eq!(chercher(&kv, "?!", None), Trouvailles::default());
}

#[test]
fn places_say_where_there_is_data() {
    let kv = Memoire::default();
    publier(&kv, "a", &exemple());
    let l = lecteur(&kv);
    let lieux = |cle: String| block_on(l.lieux(&cle)).unwrap().unwrap_or_default().0;
    assert_eq!(
        lieux(recherche::cle_code("21221037111")),
        [
            vec!["0", "LIBELLE", "", "50022137"],
            vec!["1", "pro", "2021"],
            vec!["1", "pro", "2022"],
            vec!["2", "11", "2020_2021"],
            vec!["3", "11"]
        ]
    );
    assert_eq!(lieux(recherche::cle_region("21221037111", "11")), [["0750001A", "Lycée du Test", "2020_2021"]]);
    assert_eq!(lieux(recherche::cle_uai("0750001A")), [["21221037111", "LIBELLE", "", "pro", "2020_2021"]]);
    assert_eq!(lieux(recherche::cle_code("99999999")), Vec::<Vec<String>>::new());
}

/// The labels of a nomenclature of this size, from few words.
fn nomenclature(n: usize) -> Vec<Value> {
    const MOTS: [&str; 16] = [
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
    let mut lignes = Vec::new();
    for i in 0..n {
        let cfd = format!("{:08}", 40_000_000 + i * 7);
        let libelle = format!("{} {} OPTION {}{i}", MOTS[i % 16], MOTS[(i / 16 + 3) % 16], MOTS[(i / 7) % 16]);
        lignes.push(bcn(&cfd, &cfd, &libelle));
        if i % 5 == 0 {
            lignes.push(statistique("certification", &cfd, &cfd, "2022"));
        }
        if i % 3 == 0 {
            lignes.push(etablissement(&format!("{:07}A", i), &format!("Lycée {} {i}", MOTS[i % 16]), "033"));
        }
    }
    lignes
}

/// Invariant 5: the gets of a search are bounded, whatever is asked for and however much there is.
#[test]
fn invariant_5_a_search_stays_within_its_gets() {
    for n in [100, 6_000] {
        let kv = Memoire::default();
        publier(&kv, "a", &nomenclature(n));
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
            for sujet in [None, Some(Sujet::Certification), Some(Sujet::Etablissement)] {
                for sauter in [0, 10, 90] {
                    let cache = Rc::new(Cache::new());
                    let avant = kv.gets.get();
                    let lecteur = block_on(Lecteur::ouvrir(&kv, cache, 0)).unwrap();
                    let trouve = block_on(lecteur.chercher(q, sujet, sauter, 10)).unwrap();
                    let gets = usize::try_from(kv.gets.get() - avant).unwrap();
                    assert!(gets <= GETS_MAX, "{q}: {gets} gets");
                    let attendus = trouve.total.saturating_sub(sauter).min(10);
                    assert_eq!(trouve.fiches.len(), attendus, "{q} {sujet:?} {sauter}: {gets} gets");
                }
            }
        }
    }
}

#[test]
fn every_label_is_found_by_its_words_and_its_code() {
    let kv = Memoire::default();
    let lignes = nomenclature(1_500);
    publier(&kv, "a", &lignes);
    let l = lecteur(&kv);
    for doc in lignes.iter().filter(|l| l["kind"] == "bcn").step_by(37).map(|l| &l["doc"]) {
        for champ in ["libelle", "code_certification"] {
            let trouve = block_on(l.chercher(doc[champ].as_str().unwrap(), None, 0, 10)).unwrap();
            let codes: Vec<&str> = trouve.fiches.iter().flat_map(|f| &f.codes).map(|c| c.code.as_str()).collect();
            assert!(codes.contains(&doc["code_certification"].as_str().unwrap()), "{doc} {codes:?}");
        }
    }
}

fn valeurs(kv: &Memoire, garder: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<u8>> {
    let cles = kv.keys().into_iter().filter(|k| garder(k));
    cles.map(|k| (k.clone(), block_on(kv.get(&k)).unwrap().unwrap())).collect()
}

fn index(kv: &Memoire) -> BTreeMap<String, Vec<u8>> {
    valeurs(kv, |k| k.starts_with('g') && k.contains(":recherche") && !k.contains(":flux."))
}

/// Whatever the order of the push, and wherever it was killed, the index holds the same bytes.
#[test]
fn the_index_is_the_same_bytes_in_any_order_and_after_any_kill() {
    let lignes: Vec<Value> = nomenclature(400).into_iter().chain(exemple()).collect();
    let reference = Memoire::default();
    publier(&reference, "a", &lignes);
    let attendu = index(&reference);
    assert!(attendu.len() >= 4, "{:?}", attendu.keys());
    let renverse = Memoire::default();
    publier(&renverse, "a", &lignes.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(index(&renverse), attendu);
    for graine in 0..30u64 {
        let (kv, monde) = (Memoire::default(), Monde::default());
        monde.pas.set(1 + graine % 7);
        deposer(&kv, "a", &lignes);
        let mut hasard = graine;
        loop {
            hasard = hasard.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            kv.remaining.set(Some(5 + (hasard >> 33) % 100));
            let avance = block_on(avancer(&kv, &monde, "a", 3 + graine % 11, &[]));
            kv.remaining.set(None);
            if avance.is_ok_and(|job| job.etape.est_finale()) {
                break;
            }
        }
        assert_eq!(index(&kv), attendu, "seed {graine}");
    }
}

/// The index goes with its generation; what its making needed goes before.
#[test]
fn the_index_is_deleted_with_its_generation() {
    let kv = Memoire::default();
    for (n, id) in ["a", "b", "c"].iter().enumerate() {
        publier(&kv, id, &nomenclature(50 + n));
    }
    struct Plus(Monde);
    impl Environnement for Plus {
        fn maintenant_ms(&self) -> i64 {
            11 * 60 * 1000
        }
        fn monotone_ms(&self) -> u64 {
            self.0.monotone_ms()
        }
        async fn utilisateur(&self, _: &Document) -> Result<(), StoreError> {
            Ok(())
        }
        fn lot(&self) -> usize {
            25
        }
    }
    let monde = Plus(Monde::default());
    while block_on(menage(&kv, &monde)).unwrap() {}
    let generations: BTreeSet<String> = index(&kv).keys().map(|k| k.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(generations, BTreeSet::from(["g2".to_owned(), "g3".to_owned()]));
    assert!(!kv.keys().iter().any(|k| k.contains(":flux.recherche")));
}

/// Invariant 9: a damaged page is a fault, never "nothing found"; the verification sees it.
#[test]
fn invariant_9_a_damaged_page_is_a_fault() {
    let kv = Memoire::default();
    publier(&kv, "a", &exemple());
    let attendu = chercher(&kv, "cuisine", None).total;
    for (key, mut valeur) in index(&kv) {
        let entiere = valeur.clone();
        let milieu = valeur.len() / 2;
        valeur[milieu] ^= 0x20;
        kv.corrupt(&key, Some(valeur));
        let l = lecteur(&kv);
        let lus = block_on(async {
            let trouve = l.chercher("cuisine", None, 0, 10).await.map(|_| ());
            trouve.and(l.lieux(&recherche::cle_code("21221037111")).await.map(|_| ()))
        });
        // A page that this search does not touch in its damaged part may still answer rightly.
        if lus.is_ok() {
            assert_eq!(chercher(&kv, "cuisine", None).total, attendu, "{key}");
        }
        kv.corrupt(&key, None);
        let l = lecteur(&kv);
        let absent = block_on(async {
            let trouve = l.chercher("cuisine", None, 0, 10).await.map(|_| ());
            trouve.and(l.lieux(&recherche::cle_code("21221037111")).await.map(|_| ()))
        });
        assert!(matches!(absent, Err(StoreError::Damaged(_))), "{key}");
        kv.corrupt(&key, Some(entiere));
    }
}

/// A page that was lost before the verification stops the publication.
#[test]
fn a_lost_page_stops_the_publication() {
    let kv = Memoire::default();
    deposer(&kv, "a", &exemple());
    let monde = Monde::default();
    monde.pas.set(1);
    loop {
        let job = block_on(avancer(&kv, &monde, "a", 1, &[])).unwrap();
        if job.etape == Etape::Verifier {
            break;
        }
        assert!(!job.etape.est_finale());
    }
    let key = index(&kv).into_keys().find(|k| k.contains("recherche.termes")).unwrap();
    kv.corrupt(&key, None);
    loop {
        let job = block_on(avancer(&kv, &monde, "a", 1, &[])).unwrap();
        if job.etape.est_finale() {
            assert_eq!(job.etape, Etape::Echec);
            break;
        }
    }
}

/// Invariant 3: no number of a document enters the index, hidden or not.
#[test]
fn invariant_3_the_index_holds_no_rate_and_no_count() {
    let kv = Memoire::default();
    let mut lignes = exemple();
    for ligne in &mut lignes {
        for (champ, valeur) in [
            ("nb_annee_term", 19),
            ("nb_sortant", 713_131),
            ("taux_en_formation", 713_132),
            ("salaire_12_mois_q1", 713_133),
        ] {
            if ligne["doc"].get("nb_annee_term").is_some() {
                ligne["doc"][champ] = json!(valeur);
            }
        }
    }
    publier(&kv, "a", &lignes);
    for (key, valeur) in valeurs(&kv, |k| k.contains("recherche")) {
        let texte = String::from_utf8_lossy(&valeur).into_owned();
        assert!(!["713131", "713132", "713133", "nb_", "taux", "salaire"].iter().any(|t| texte.contains(t)), "{key}");
        for n in [713_131u32, 713_132, 713_133] {
            let octets = n.to_le_bytes();
            assert!(!valeur.windows(3).any(|w| w == &octets[..3]), "{key}");
        }
    }
}

#[test]
fn a_place_with_very_many_lines_stays_within_a_value() {
    let kv = Memoire::default();
    let mut lignes = Vec::new();
    for i in 0..2_500 {
        let mut ligne = statistique("formation", "21221037111", "50022137", "2020_2021");
        ligne["doc"]["uai"] = json!(format!("{i:07}A"));
        ligne["doc"]["libelle_etablissement"] = json!(format!("{} {i}", "Établissement au nom long ".repeat(3)));
        lignes.push(ligne);
    }
    publier(&kv, "a", &lignes);
    let l = lecteur(&kv);
    let Lieux(lus) = block_on(l.lieux(&recherche::cle_region("21221037111", "11"))).unwrap().unwrap();
    assert!(lus.len() > 900 && lus.len() <= recherche::LIEUX_MAX, "{}", lus.len());
    assert!(index(&kv).values().all(|v| v.len() <= store::kv::VALUE_MAX));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// What a scan of the labels finds, the index finds.
    #[test]
    fn the_index_finds_what_a_scan_finds(labels in proptest::collection::vec("[abc]{1,4}( [abcé]{1,10}){0,3}", 1..40), mot in "[abc]{1,10}") {
        let kv = Memoire::default();
        let lignes: Vec<Value> = labels.iter().enumerate().map(|(i, l)| {
            let code = format!("{:08}", i + 90_000_000);
            bcn(&code, &code, l)
        }).collect();
        publier(&kv, "a", &lignes);
        let attendu = labels.iter().filter(|l| recherche::mots_utiles(l).iter().chain([&"cap".to_owned()]).any(|m| m.starts_with(&mot))).count();
        let trouve = chercher(&kv, &mot, None);
        // Past eight letters only whole words and approximations are found.
        if mot.len() <= recherche::PREFIXE_MAX && recherche::mots_utiles(&mot) == [mot.clone()] {
            if attendu > 0 {
                prop_assert_eq!(trouve.total, attendu);
                prop_assert!(!trouve.approche);
            } else {
                prop_assert!(trouve.approche || trouve.total == 0);
            }
        }
    }
}
