//! Publication from end to end, on the in-memory double.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test stops where it fails")]

use domain::{Document, Kind, Maille, date};
use futures_executor::block_on;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use store::fiche::{Fiche, Forme, Version};
use store::kv::{KeyValue, StoreError};
use store::lecture::Cache;
use store::liste::{self, Filtre, Format};
use store::publication::*;
use store::{Lecteur, Memoire};

/// A world whose clocks the test turns.
#[derive(Default)]
struct Monde {
    maintenant: Cell<i64>,
    monotone: Cell<u64>,
    /// How far the monotonic clock goes at each look.
    pas: Cell<u64>,
    utilisateurs: Cell<usize>,
}

impl Environnement for Monde {
    fn maintenant_ms(&self) -> i64 {
        self.maintenant.get()
    }
    fn monotone_ms(&self) -> u64 {
        self.monotone.set(self.monotone.get() + self.pas.get());
        self.monotone.get()
    }
    async fn utilisateur(&self, _: &Document) -> Result<(), StoreError> {
        self.utilisateurs.set(self.utilisateurs.get() + 1);
        Ok(())
    }
    fn lot(&self) -> usize {
        25
    }
}

fn formation(uai: &str, code: &str, millesime: &str, region: &str, nb: u32) -> Value {
    json!({"kind": "formation", "doc": {"uai": uai, "code_certification": code, "millesime": millesime, "filiere": if code.len() == 8 { "apprentissage" } else { "pro" },
        "code_formation_diplome": "12345678", "libelle": format!("LIBELLE {code}"), "region": {"code": region, "nom": "R"}, "academie": {"code": "10", "nom": "A"},
        "nb_annee_term": nb, "nb_sortant": nb / 2, "donnee_source": {"code_certification": code, "type": "self"}}})
}

fn certification(code: &str, millesime: &str, filiere: &str, nb: u32) -> Value {
    json!({"kind": "certification", "doc": {"code_certification": code, "millesime": millesime, "filiere": filiere, "code_formation_diplome": "12345678",
        "nb_annee_term": nb, "nb_sortant": nb / 2, "donnee_source": {"code_certification": code, "type": "self"}}})
}

fn declarer(nom: &str, cle: &str) -> Value {
    json!({"kind": "maille", "doc": {"nom": nom, "libelle": format!("Par {nom}"), "cle": cle}})
}

fn academie(code: &str, certification: &str, millesime: &str, nb: u32) -> Value {
    json!({"kind": "statistique", "doc": {"maille": "academies", "code_certification": certification, "millesime": millesime, "filiere": "pro",
        "code_formation_diplome": "12345678", "academie": {"code": code, "nom": "A"}, "nb_annee_term": nb, "nb_sortant": nb / 2}})
}

/// A declared maille of many places.
fn academies(n: u32) -> Vec<Value> {
    let lignes = (0..n).map(|i| {
        academie(&format!("{:02}", i % 30), &format!("{:08}", i / 30), ["2019", "2020"][(i % 7 / 6) as usize], i % 60)
    });
    [declarer("academies", "academie.code")].into_iter().chain(lignes).collect()
}

fn corps(lignes: &[Value]) -> Vec<u8> {
    lignes.iter().map(|l| l.to_string() + "\n").collect::<String>().into_bytes()
}

fn deposer(kv: &Memoire, id: &str, ouverture: Ouverture, lignes: &[Value]) -> Result<Job, PublicationError> {
    block_on(async {
        ouvrir(kv, id, ouverture, 0).await?;
        let depot = Depot::new(kv, id, 25);
        let milieu = lignes.len() / 2;
        for (n, part) in [&lignes[..milieu], &lignes[milieu..]].into_iter().enumerate() {
            depot.deposer(n, &corps(part), &[]).await.unwrap();
        }
        Job::publier(kv, id, Consigne { parties: 2, ..Consigne::default() }, 0).await
    })
}

fn publier(kv: &Memoire, monde: &Monde, id: &str, ouverture: Ouverture, lignes: &[Value]) -> Job {
    deposer(kv, id, ouverture, lignes).unwrap();
    finir(kv, monde, id)
}

fn finir(kv: &Memoire, monde: &Monde, id: &str) -> Job {
    for _ in 0..10_000 {
        let job = block_on(avancer(kv, monde, id, 20, &[])).unwrap();
        if job.etape.est_finale() || job.etape == Etape::AttendreConfirmation {
            return job;
        }
    }
    panic!("the job does not end");
}

fn lire(kv: &Memoire, maille: Maille, place: &str, code: &str) -> BTreeMap<(String, String), Value> {
    let cache = Rc::new(Cache::new());
    block_on(async {
        let lecteur = Lecteur::ouvrir(kv, Rc::clone(&cache), 0).await.unwrap();
        let fiche = lecteur.fiche(maille, place, code).await.unwrap().unwrap_or_default();
        fiche
            .versions
            .iter()
            .map(|v| {
                let mut out = Vec::new();
                v.ecrire(&mut out, || 0, Forme::Rangee, None);
                ((v.millesime().to_owned(), v.filiere().to_owned()), serde_json::from_slice(&out).unwrap())
            })
            .collect()
    })
}

fn lister(kv: &Memoire, liste: &str, filtre: &Filtre, format: Format) -> Vec<Vec<u8>> {
    let cache = Rc::new(Cache::new());
    block_on(async {
        let lecteur = Lecteur::ouvrir(kv, Rc::clone(&cache), 0).await.unwrap();
        let plan = lecteur.plan(liste).await.unwrap();
        let selection = lecteur.selection(liste, &plan, filtre).await.unwrap();
        let mut lignes = Vec::new();
        for t in selection.tranches(0, selection.total(), plan.lignes(format)) {
            let segment = lecteur.segment(liste, selection.ordre, format, t.segment).await.unwrap();
            for ligne in &liste::unpack(&segment).unwrap()[t.de..t.de + t.nombre] {
                let mut out = Vec::new();
                match format {
                    Format::Json => liste::ecrire_ligne(&mut out, ligne, 0).unwrap(),
                    Format::Csv => out.extend_from_slice(ligne),
                }
                lignes.push(out);
            }
        }
        assert_eq!(lignes.len(), selection.total());
        lignes
    })
}

fn beaucoup(n: u32) -> Vec<Value> {
    let mut lignes = Vec::new();
    for i in 0..n {
        let uai = format!("{:07}A", 750_000 + i % 40);
        let code = if i % 3 == 0 { format!("{:08}", i % 25) } else { format!("{:011}", i % 25) };
        let region = if i % 40 < 20 { "11" } else { "84" };
        lignes.push(formation(
            &uai,
            &code,
            ["2018_2019", "2019_2020", "2020"][(i / 1000 % 3) as usize],
            region,
            i % 60,
        ));
        if i % 5 == 0 {
            lignes.push(certification(&code, "2020", "apprentissage", i % 60));
            lignes.push(json!({"kind": "bcn", "doc": {"type": "cfd", "code_certification": code, "code_formation_diplome": "12345678", "libelle": "x"}}));
        }
    }
    lignes
}

/// The last document pushed under each key.
fn attendus(lignes: &[Value], kind: &str) -> BTreeMap<(String, String, String, String), Value> {
    let champ = |l: &Value, c: &str| l["doc"][c].as_str().unwrap_or_default().to_owned();
    lignes
        .iter()
        .filter(|l| l["kind"] == kind)
        .map(|l| {
            (
                (champ(l, "uai"), champ(l, "code_certification"), champ(l, "millesime"), champ(l, "filiere")),
                l["doc"].clone(),
            )
        })
        .collect()
}

#[test]
fn every_document_is_found_and_listed_once() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let lignes = beaucoup(4_000);
    let job = publier(&kv, &monde, "a", Ouverture::default(), &lignes);
    assert_eq!(job.etape, Etape::Publie, "{:?}", job.bilan.echec);
    let formations = attendus(&lignes, "formation");
    for ((uai, code, millesime, filiere), doc) in &formations {
        let lus = lire(&kv, Maille::Etablissement, uai, code);
        let lu = &lus[&(millesime.clone(), filiere.clone())];
        assert_eq!(lu["nb_annee_term"], doc["nb_annee_term"]);
        if doc["nb_annee_term"].as_u64().unwrap() < 20 {
            assert!(lu["nb_sortant"].is_null());
        } else {
            assert_eq!(lu["nb_sortant"], doc["nb_sortant"]);
        }
    }
    let rows = lister(&kv, "formations", &Filtre::default(), Format::Json);
    let keys: Vec<_> = rows
        .iter()
        .map(|r| serde_json::from_slice::<Value>(r).unwrap())
        .map(|r| ["millesime", "uai", "filiere", "code_certification"].map(|c| r[c].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(keys.len(), formations.len());
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "no row twice");
    assert_eq!(lister(&kv, "formations", &Filtre::default(), Format::Csv).len(), formations.len());
    assert_eq!(lister(&kv, "bcn", &Filtre::default(), Format::Json).len(), attendus(&lignes, "bcn").len());
    assert_eq!(
        job.bilan.documents["formations"].values().flat_map(|m| m.values()).sum::<u64>(),
        formations.len() as u64
    );
}

#[test]
fn filters_find_what_a_scan_finds() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let lignes = beaucoup(3_000);
    publier(&kv, &monde, "a", Ouverture::default(), &lignes);
    let formations = attendus(&lignes, "formation");
    let own = |v: &[&str]| v.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let filtres = [
        Filtre { regions: own(&["84"]), ..Filtre::default() },
        Filtre { millesimes: vec![("2020".into(), None), ("2018_2019".into(), None)], ..Filtre::default() },
        Filtre { uais: own(&["0750003A", "0750021A"]), ..Filtre::default() },
        Filtre { codes: own(&["00000003", "00000000004"]), ..Filtre::default() },
        Filtre { codes: own(&["00000003"]), uais: own(&["0750003A"]), regions: own(&["11"]), ..Filtre::default() },
        Filtre { codes: own(&["00000000004"]), regions: own(&["84"]), academies: own(&["10"]), ..Filtre::default() },
        Filtre { codes: own(&["99999999"]), ..Filtre::default() },
    ];
    for filtre in filtres {
        let dans = |liste: &[String], v: &str| liste.is_empty() || liste.iter().any(|x| x == v);
        let attendu: BTreeSet<String> = formations
            .iter()
            .filter(|((uai, code, millesime, _), doc)| {
                dans(&filtre.uais, uai)
                    && dans(&filtre.codes, code)
                    && dans(&filtre.regions, doc["region"]["code"].as_str().unwrap())
                    && (filtre.millesimes.is_empty() || filtre.millesimes.iter().any(|(m, _)| m == millesime))
            })
            .map(|((uai, code, millesime, filiere), _)| format!("{uai}{code}{millesime}{filiere}"))
            .collect();
        let lus: Vec<String> = lister(&kv, "formations", &filtre, Format::Json)
            .iter()
            .map(|r| serde_json::from_slice::<Value>(r).unwrap())
            .map(|r| {
                ["uai", "code_certification", "millesime", "filiere"]
                    .map(|c| r[c].as_str().unwrap().to_owned())
                    .concat()
            })
            .collect();
        assert_eq!(lus.len(), attendu.len(), "{filtre:?}");
        assert_eq!(lus.into_iter().collect::<BTreeSet<_>>(), attendu);
    }
}

#[test]
fn the_same_input_in_another_order_makes_no_new_generation() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let mut lignes = beaucoup(300);
    lignes.sort_by_key(Value::to_string);
    lignes.dedup();
    let uniques: Vec<Value> = ["formation", "certification", "bcn"]
        .iter()
        .flat_map(|kind| attendus(&lignes, kind).into_values().map(move |doc| json!({"kind": kind, "doc": doc})))
        .collect();
    let un = publier(&kv, &monde, "a", Ouverture::default(), &uniques);
    let renverse: Vec<Value> = uniques.into_iter().rev().collect();
    let deux = publier(&kv, &monde, "b", Ouverture::default(), &renverse);
    assert_eq!((un.etape, deux.etape), (Etape::Publie, Etape::Inchange));
    assert_eq!(un.bilan.digest, deux.bilan.digest);
}

#[test]
fn a_push_replaces_what_it_declares_and_carries_over_the_rest() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let premiers = [
        certification("11111111", "2019", "pro", 40),
        certification("11111111", "2020", "pro", 50),
        certification("22222222", "2020", "pro", 60),
    ];
    publier(&kv, &monde, "a", Ouverture::default(), &premiers);
    let ouverture =
        Ouverture { kinds: vec![Kind::Certification], millesimes: vec!["2020".into()], ..Ouverture::default() };
    deposer(&kv, "b", ouverture, &[certification("11111111", "2020", "pro", 51)]).unwrap();
    let attente = finir(&kv, &monde, "b");
    assert_eq!(attente.etape, Etape::AttendreConfirmation, "half of 2020 would go");
    assert_eq!(attente.bilan.pertes, ["certifications 2020 : 2 → 1"]);
    assert!(!lire(&kv, Maille::Nationale, "", "22222222").is_empty(), "nothing served changes before");
    block_on(Job::publier(&kv, "b", Consigne { confirmer_pertes: true, ..Consigne::default() }, 0)).unwrap();
    assert_eq!(finir(&kv, &monde, "b").etape, Etape::Publie);
    let un = lire(&kv, Maille::Nationale, "", "11111111");
    assert_eq!(un[&("2019".into(), "pro".into())]["nb_annee_term"], 40);
    assert_eq!(un[&("2020".into(), "pro".into())]["nb_annee_term"], 51);
    assert!(lire(&kv, Maille::Nationale, "", "22222222").is_empty());

    let ajout = Ouverture { mode: Mode::Ajouter, ..Ouverture::default() };
    publier(&kv, &monde, "c", ajout, &[certification("22222222", "2020", "pro", 61)]);
    assert_eq!(lire(&kv, Maille::Nationale, "", "22222222").len(), 1);
    assert_eq!(lire(&kv, Maille::Nationale, "", "11111111").len(), 2);

    let pointeur = block_on(retour_arriere(&kv, &monde)).unwrap();
    assert!(lire(&kv, Maille::Nationale, "", "22222222").is_empty(), "rolled back");
    assert!(pointeur.precedent.is_some(), "and forward again");
}

#[test]
fn refused_lines_stop_a_publication_unless_accepted() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let lignes = [certification("11111111", "2020", "pro", 40), json!({"kind": "certification", "doc": {}})];
    let refus = deposer(&kv, "a", Ouverture::default(), &lignes).unwrap_err();
    assert!(refus.to_string().contains("partie 1, ligne 1 : code_certification manque"), "{refus}");
    let consigne = Consigne { parties: 2, accepter_refus: true, ..Consigne::default() };
    block_on(Job::publier(&kv, "a", consigne, 0)).unwrap();
    assert_eq!(finir(&kv, &monde, "a").etape, Etape::Publie);
}

/// Killed at any operation and started again, a job ends in the same bytes.
#[test]
fn killed_anywhere_a_job_ends_in_the_same_bytes() {
    let lignes = [beaucoup(600), academies(300)].concat();
    let servies = |kv: &Memoire| -> BTreeMap<String, Vec<u8>> {
        let temporaire = |k: &str| k.contains(":etat.") || k.contains(":flux.") || k.contains(":manifeste:");
        kv.keys()
            .into_iter()
            .filter(|k| k.starts_with('g') && !temporaire(k))
            .map(|k| (k.clone(), block_on(kv.get(&k)).unwrap().unwrap()))
            .collect()
    };
    let reference = Memoire::default();
    let monde = Monde::default();
    let attendu = publier(&reference, &monde, "a", Ouverture::default(), &lignes).bilan.digest;
    let attendues = servies(&reference);
    for graine in 0..60u64 {
        let (kv, monde) = (Memoire::default(), Monde::default());
        monde.pas.set(1 + graine % 7);
        deposer(&kv, "a", Ouverture::default(), &lignes).unwrap();
        let mut hasard = graine;
        let job = loop {
            hasard = hasard.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            kv.remaining.set(Some(5 + (hasard >> 33) % 120));
            let avance = block_on(avancer(&kv, &monde, "a", 3 + graine % 11, &[]));
            kv.remaining.set(None);
            if let Ok(job) = avance
                && job.etape.est_finale()
            {
                break job;
            }
        };
        assert_eq!(job.bilan.digest, attendu, "seed {graine}");
        assert_eq!(servies(&kv), attendues, "seed {graine}");
    }
}

#[test]
fn two_publications_cannot_interleave() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    deposer(&kv, "a", Ouverture::default(), &beaucoup(50)).unwrap();
    deposer(&kv, "b", Ouverture::default(), &beaucoup(60)).unwrap();
    // The first makes one step, then is killed in the middle of another: its lease is still there.
    monde.pas.set(1);
    block_on(avancer(&kv, &monde, "a", 1, &[])).unwrap();
    kv.remaining.set(Some(30));
    assert!(block_on(avancer(&kv, &monde, "a", 1_000, &[])).is_err());
    kv.remaining.set(None);
    let occupe = block_on(avancer(&kv, &monde, "b", 1_000, &[])).unwrap_err();
    assert!(matches!(occupe, PublicationError::Busy { .. }), "{occupe}");
    monde.maintenant.set(120_000);
    assert_eq!(finir(&kv, &monde, "b").etape, Etape::Publie, "an expired lease can be taken");
    let echec = finir(&kv, &monde, "a");
    assert_eq!(echec.etape, Etape::Echec, "what it would replace is no longer served");
}

/// Invariant 8: what is left after deletion is known without listing a key.
#[test]
fn invariant_8_everything_unread_is_deleted_without_listing() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    for (n, id) in ["a", "b", "c", "d"].iter().enumerate() {
        publier(&kv, &monde, id, Ouverture::default(), &beaucoup(100 + u32::try_from(n).unwrap()));
    }
    deposer(&kv, "e", Ouverture::default(), &beaucoup(40)).unwrap();
    block_on(Job::abandonner(&kv, "e", 0)).unwrap();
    let menager = || while block_on(menage(&kv, &monde)).unwrap() {};
    menager();
    let generations = |kv: &Memoire| {
        let prefixe = |k: String| k.split(':').next().unwrap().to_owned();
        kv.keys().into_iter().map(prefixe).filter(|p| p.starts_with('g')).collect::<BTreeSet<_>>()
    };
    assert_eq!(generations(&kv).len(), 4, "not within ten minutes of leaving the pointer");
    monde.maintenant.set(11 * 60 * 1000);
    menager();
    assert_eq!(generations(&kv), BTreeSet::from(["g3".to_owned(), "g4".to_owned()]));
    let restes: Vec<String> = kv.keys().into_iter().filter(|k| !k.starts_with('g')).collect();
    assert_eq!(restes, ["current", "work:generations", "work:lease", "work:marks:g3", "work:marks:g4"]);
    let flux: Vec<String> =
        kv.keys().into_iter().filter(|k| k.contains(":flux.") && !k.contains(":flux.sources")).collect();
    assert!(flux.is_empty(), "{flux:?}");
    assert!(!lire(&kv, Maille::Etablissement, "0750001A", "00000000001").is_empty());
}

/// Invariant 9: a damaged bundle starts the request again on the generation before.
#[test]
fn invariant_9_a_missing_bundle_is_a_fault_and_the_generation_before_answers() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    publier(&kv, &monde, "a", Ouverture::default(), &beaucoup(50));
    publier(&kv, &monde, "b", Ouverture::default(), &beaucoup(55));
    for key in kv.keys().into_iter().filter(|k| k.starts_with("g2:formations:")) {
        kv.corrupt(&key, None);
    }
    let cache = Rc::new(Cache::new());
    block_on(async {
        let lecteur = Lecteur::ouvrir(&kv, Rc::clone(&cache), 0).await.unwrap();
        let manque = lecteur.fiche(Maille::Etablissement, "0750001A", "00000000001").await;
        assert!(matches!(manque, Err(StoreError::Damaged(_))), "{manque:?}");
        let avant = lecteur.precedent().unwrap();
        assert!(avant.fiche(Maille::Etablissement, "0750001A", "00000000001").await.unwrap().is_some());
        assert!(avant.fiche(Maille::Etablissement, "0759999A", "00000000001").await.unwrap().is_none());
    });
}

/// Invariants 9 and 10: a pointer that cannot be read is damage, or another version's, and never a first publication.
#[test]
fn invariant_9_over_an_unreadable_pointer_nothing_is_published_and_a_rollback_mends_it() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    publier(&kv, &monde, "a", Ouverture::default(), &beaucoup(50));
    publier(&kv, &monde, "b", Ouverture::default(), &beaucoup(55));
    let whole = block_on(kv.get("current")).unwrap().unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let newer = text.replace("\"disposition\":3", "\"disposition\":99");
    let flipped = text.replace("\"g2\"", "\"g3\"");
    assert!(newer != text && flipped != text);
    let one = [certification("11111111", "2020", "pro", 40)];
    for (n, pointer) in
        [Some(newer.into_bytes()), Some(flipped.into_bytes()), Some(b"{}".to_vec()), None].into_iter().enumerate()
    {
        kv.corrupt("current", pointer.clone());
        // Refused where a job is opened …
        let refused = block_on(ouvrir(&kv, &format!("refused{n}"), Ouverture::default(), 0)).unwrap_err();
        assert!(
            matches!(refused, PublicationError::Store(StoreError::Damaged(_) | StoreError::OtherLayout { .. })),
            "{refused}"
        );
        // … and where one was open before: it ends with its reason, and what was served is not written over.
        kv.corrupt("current", Some(whole.clone()));
        let id = format!("open{n}");
        deposer(&kv, &id, Ouverture::default(), &one).unwrap();
        kv.corrupt("current", pointer.clone());
        let job = finir(&kv, &monde, &id);
        assert_eq!(job.etape, Etape::Echec, "{:?}", job.bilan);
        assert!(job.bilan.echec.as_deref().is_some_and(|reason| reason.contains("current")), "{:?}", job.bilan.echec);
        assert_eq!(block_on(kv.get("current")).unwrap(), pointer);
        // Readers are told as much.
        let opened = block_on(Lecteur::ouvrir(&kv, Rc::new(Cache::new()), 0)).map(|_| ());
        assert!(!matches!(opened, Ok(())), "{opened:?}");
        kv.corrupt("current", Some(whole.clone()));
    }
    for pointer in [Some(b"{}".to_vec()), None] {
        kv.corrupt("current", pointer);
        let back = block_on(retour_arriere(&kv, &monde)).unwrap();
        assert_eq!(back.generation, "g2", "the last one that was served");
        assert_eq!(block_on(kv.get("current")).unwrap().as_ref(), Some(&whole));
    }
    // The lease is free again, and publication goes on with its guard: everything but one document would go.
    assert_eq!(publier(&kv, &monde, "c", Ouverture::default(), &one).etape, Etape::AttendreConfirmation);
}

/// What is written anew because the data changed, and because the way of writing did.
#[test]
fn unchanged_data_makes_a_new_generation_where_its_rendering_changed() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let lines = beaucoup(20);
    assert_eq!(publier(&kv, &monde, "a", Ouverture::default(), &lines).etape, Etape::Publie);
    assert_eq!(publier(&kv, &monde, "b", Ouverture::default(), &lines).etape, Etape::Inchange);
    deposer(&kv, "c", Ouverture::default(), &lines).unwrap();
    let indicators = ["taux_en_emploi_42_mois".to_owned()];
    let mut job = Job::default();
    while !job.etape.est_finale() {
        job = block_on(avancer(&kv, &monde, "c", 20, &indicators)).unwrap();
    }
    assert_eq!(job.etape, Etape::Publie, "its CSV has another column");
}

/// Invariant 2: an instance follows its copy of the pointer for one second at most.
#[test]
fn invariant_2_the_pointer_is_kept_for_one_second() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    publier(&kv, &monde, "a", Ouverture::default(), &[certification("11111111", "2020", "pro", 40)]);
    let cache = Rc::new(Cache::new());
    let generation =
        |a: u64| block_on(Lecteur::ouvrir(&kv, Rc::clone(&cache), a)).unwrap().pointeur().generation.clone();
    assert_eq!(generation(5_000), "g1");
    publier(&kv, &monde, "b", Ouverture::default(), &[certification("11111111", "2020", "pro", 41)]);
    assert_eq!(generation(5_999), "g1");
    assert_eq!(generation(6_000), "g2");
}

/// Invariant 5: what a request reads does not grow with the data.
#[test]
fn invariant_5_gets_are_bounded_whatever_the_size() {
    for n in [200u32, 4_000] {
        let (kv, monde) = (Memoire::default(), Monde::default());
        publier(&kv, &monde, "a", Ouverture::default(), &beaucoup(n));
        let gets = |f: &dyn Fn(&Lecteur<&Memoire>)| {
            let cache = Rc::new(Cache::new());
            let lecteur = block_on(Lecteur::ouvrir(&kv, Rc::clone(&cache), 0)).unwrap();
            let avant = kv.gets.get();
            f(&lecteur);
            kv.gets.get() - avant
        };
        let fiche = gets(&|l| {
            block_on(l.fiche(Maille::Etablissement, "0750001A", "00000000001")).unwrap();
        });
        assert_eq!(fiche, 1);
        for (filtre, max) in [
            (Filtre::default(), 2),
            (Filtre { codes: vec!["00000000001".into()], ..Filtre::default() }, 4),
            (Filtre { uais: vec!["0750001A".into()], codes: vec!["00000000001".into()], ..Filtre::default() }, 5),
        ] {
            let lus = gets(&|l| {
                block_on(async {
                    let plan = l.plan("formations").await.unwrap();
                    let selection = l.selection("formations", &plan, &filtre).await.unwrap();
                    let saut = selection.total() / 2;
                    for t in selection.tranches(saut, 10, plan.lignes(Format::Json)) {
                        l.segment("formations", selection.ordre, Format::Json, t.segment).await.unwrap();
                    }
                });
            });
            assert!(lus <= max, "{n} {filtre:?} {lus}");
        }
    }
}

fn texte_de(version: &Version) -> String {
    let morceaux = [version.corps(), version.messages(), version.legende()].map(String::from_utf8_lossy);
    format!("{} {:?}", morceaux.join(" "), version.terminales.as_ref().map(|t| String::from_utf8_lossy(&t.json)))
}

/// Invariant 3: no served value holds a hidden count, but the family that the filieres view sums.
#[test]
fn invariant_3_hidden_values_lie_nowhere_but_in_sources_and_counts() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let secret = 713_131;
    let mut ligne = certification("11111111", "2020", "pro", 19);
    ligne["doc"]["nb_sortant"] = json!(secret);
    ligne["doc"]["taux_en_formation"] = json!(secret + 1);
    publier(&kv, &monde, "a", Ouverture::default(), &[ligne.clone(), ligne]);
    block_on(async { while menage(&kv, &monde).await.unwrap() {} });
    for key in kv.keys() {
        let mut value = block_on(kv.get(&key)).unwrap().unwrap();
        // Bundles of documents are folded: what a reader would unfold is looked through.
        if Maille::TOUTES.iter().any(|m| key.contains(&format!(":{}:", m.liste()))) {
            let fiches = store::bundle::entries(&value).unwrap().into_iter().map(|(_, f)| Fiche::decoder(f).unwrap());
            value = format!(
                "{:?}",
                fiches.map(|f| f.versions.iter().map(texte_de).collect::<Vec<_>>()).collect::<Vec<_>>()
            )
            .into();
        }
        let texte = String::from_utf8_lossy(&value).into_owned();
        let cache = key.contains(":flux.sources.") || key.contains(":comptes:");
        assert!(cache || !(texte.contains("713131") || texte.contains("713132")), "{key}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is pushed, every document of the last push under its key is served, once.
    #[test]
    fn random_pushes_are_served_whole(pushes in proptest::collection::vec((0u8..6, 0u8..4, 0u8..3, 1u32..80), 1..60)) {
        let (kv, monde) = (Memoire::default(), Monde::default());
        let lignes: Vec<Value> = pushes.iter().map(|(uai, code, millesime, nb)| {
            formation(&format!("07500{uai:02}A"), &format!("{code:08}"), ["2019", "2018_2019", "2017_2018"][usize::from(*millesime)], "11", *nb)
        }).collect();
        publier(&kv, &monde, "a", Ouverture::default(), &lignes);
        let formations = attendus(&lignes, "formation");
        prop_assert_eq!(lister(&kv, "formations", &Filtre::default(), Format::Json).len(), formations.len());
        for ((uai, code, millesime, filiere), doc) in formations {
            let lus = lire(&kv, Maille::Etablissement, &uai, &code);
            prop_assert_eq!(&lus[&(millesime, filiere)]["nb_annee_term"], &doc["nb_annee_term"]);
        }
    }
}

#[test]
fn accounts_are_written_apart() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let lignes = [
        certification("11111111", "2020", "pro", 40),
        json!({"kind": "user", "doc": {"username": "test", "password": "x$1$y"}}),
    ];
    publier(&kv, &monde, "a", Ouverture::default(), &lignes);
    assert_eq!(monde.utilisateurs.get(), 1);
}

#[test]
fn closing_dates_are_kept_for_the_clock_of_the_request() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let mut ligne = certification("11111111", "2020", "pro", 40);
    ligne["doc"]["date_fermeture"] = json!("2022-08-30T22:00:00.000Z");
    publier(&kv, &monde, "a", Ouverture::default(), &[ligne.clone(), ligne]);
    let cache = Rc::new(Cache::new());
    let lecteur = block_on(Lecteur::ouvrir(&kv, Rc::clone(&cache), 0)).unwrap();
    let fiche = block_on(lecteur.fiche(Maille::Nationale, "", "11111111")).unwrap().unwrap();
    assert_eq!(fiche.versions[0].fermeture, date::lire_iso("2022-08-30T22:00:00Z"));
}

/// A declared maille lies beside the others as they do: found, listed, filtered, exported, hidden.
#[test]
fn a_declared_maille_is_found_and_listed_by_its_places() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let lignes = academies(3_000);
    let job = publier(&kv, &monde, "a", Ouverture::default(), &[beaucoup(200), lignes.clone()].concat());
    assert_eq!(job.etape, Etape::Publie, "{:?}", job.bilan.echec);
    assert_eq!(job.bilan.documents["academies"].values().flat_map(BTreeMap::values).sum::<u64>(), 3_000);
    for ligne in &lignes[1..] {
        let (doc, texte) = (&ligne["doc"], |champ: &str| ligne["doc"][champ].as_str().unwrap().to_owned());
        let lieu = doc["academie"]["code"].as_str().unwrap();
        let lus =
            lire(&kv, Maille::Declaree, &store::cle::lieu_declare("academies", lieu), &texte("code_certification"));
        let lu = &lus[&(texte("millesime"), "pro".into())];
        assert_eq!((lu["maille"].as_str(), lu["lieu"].as_str()), (Some("academies"), Some(lieu)));
        assert_eq!(lu["nb_annee_term"], doc["nb_annee_term"]);
        let cache = doc["nb_annee_term"].as_u64() < Some(20);
        assert_eq!(lu["nb_sortant"], if cache { Value::Null } else { doc["nb_sortant"].clone() });
    }

    let liste = store::cle::liste_declaree("academies");
    let annee = |m: &str| Filtre { millesimes: vec![(m.into(), None)], ..Filtre::default() };
    let compter = |garde: &dyn Fn(&Value) -> bool| lignes[1..].iter().filter(|l| garde(&l["doc"])).count();
    assert_eq!(lister(&kv, &liste, &Filtre::default(), Format::Json).len(), 3_000);
    assert_eq!(lister(&kv, &liste, &annee("2020"), Format::Json).len(), compter(&|d| d["millesime"] == "2020"));
    let lyon = Filtre { uais: vec!["10".into(), "07".into()], ..annee("2019") };
    let attendu = compter(&|d| d["millesime"] == "2019" && ["10", "07"].iter().any(|c| d["academie"]["code"] == *c));
    assert_eq!(lister(&kv, &liste, &lyon, Format::Csv).len(), attendu);
    let code = Filtre { codes: vec!["00000010".into()], ..Filtre::default() };
    assert_eq!(lister(&kv, &liste, &code, Format::Json).len(), 30);
    let croise = Filtre { uais: vec!["10".into()], ..code };
    let ligne: Value = serde_json::from_slice(&lister(&kv, &liste, &croise, Format::Json)[0]).unwrap();
    assert_eq!((&ligne["lieu"], &ligne["code_certification"]), (&json!("10"), &json!("00000010")));

    let cache = Rc::new(Cache::new());
    let lecteur = block_on(Lecteur::ouvrir(&kv, cache, 0)).unwrap();
    assert_eq!(lecteur.pointeur().millesimes.mailles["academies"], "2020");
    let mailles = block_on(lecteur.mailles()).unwrap();
    assert_eq!((mailles[0].declaree.nom.as_str(), mailles[0].declaree.cle.as_str()), ("academies", "academie.code"));
    assert_eq!(mailles[0].millesimes, ["2020", "2019"]);
}

#[test]
fn without_a_declared_maille_nothing_is_written_for_them() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    publier(&kv, &monde, "a", Ouverture::default(), &beaucoup(100));
    assert!(!kv.keys().iter().any(|k| k.contains(":mailles:") || k.contains("maille.") || k.contains("declarations")));
    let pointeur = block_on(kv.get("current")).unwrap().unwrap();
    assert!(!String::from_utf8(pointeur).unwrap().contains("mailles"));
}

/// Each declared maille is replaced, guarded, carried over and given up on its own.
#[test]
fn declared_mailles_are_replaced_one_by_one() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let place = |maille: &str, lieu: &str| store::cle::lieu_declare(maille, lieu);
    let bassin = |code: &str, nb: u32| json!({"kind": "statistique", "doc": {"maille": "bassins", "bassin": code, "code_certification": "11111111", "millesime": "2020", "filiere": "pro", "nb_annee_term": nb}});
    let premiers = [
        certification("11111111", "2020", "pro", 40),
        declarer("academies", "academie.code"),
        declarer("bassins", "bassin"),
        academie("10", "11111111", "2020", 50),
        academie("01", "11111111", "2020", 60),
        bassin("0061", 70),
    ];
    assert_eq!(publier(&kv, &monde, "a", Ouverture::default(), &premiers).etape, Etape::Publie);

    let seule = Ouverture { mailles: vec!["academies".into()], ..Ouverture::default() };
    let moins = [declarer("academies", "academie.code"), academie("10", "11111111", "2020", 51)];
    deposer(&kv, "b", seule.clone(), &moins).unwrap();
    let attente = finir(&kv, &monde, "b");
    assert_eq!(
        (attente.etape, attente.bilan.pertes),
        (Etape::AttendreConfirmation, vec!["academies 2020 : 2 → 1".into()])
    );
    block_on(Job::publier(&kv, "b", Consigne { confirmer_pertes: true, ..Consigne::default() }, 0)).unwrap();
    assert_eq!(finir(&kv, &monde, "b").etape, Etape::Publie);
    let nb = |maille: &str, lieu: &str| {
        let lus = lire(&kv, Maille::Declaree, &place(maille, lieu), "11111111");
        lus.values().next().map(|d| d["nb_annee_term"].clone())
    };
    assert_eq!((nb("academies", "10"), nb("academies", "01")), (Some(json!(51)), None));
    assert_eq!(nb("bassins", "0061"), Some(json!(70)), "the other maille stays, and needs no declaration again");
    assert_eq!(lire(&kv, Maille::Nationale, "", "11111111").len(), 1);

    // The same again is no new generation; another label is one.
    let encore = [declarer("academies", "academie.code"), academie("10", "11111111", "2020", 51)];
    assert_eq!(publier(&kv, &monde, "c", seule.clone(), &encore).etape, Etape::Inchange);
    let mut renommee = encore;
    renommee[0]["doc"]["libelle"] = "Académies".into();
    assert_eq!(publier(&kv, &monde, "d", seule.clone(), &renommee).etape, Etape::Publie);

    // An empty push gives it up, once confirmed.
    deposer(&kv, "e", seule, &[]).unwrap();
    assert_eq!(finir(&kv, &monde, "e").etape, Etape::AttendreConfirmation);
    block_on(Job::publier(&kv, "e", Consigne { confirmer_pertes: true, ..Consigne::default() }, 0)).unwrap();
    assert_eq!(finir(&kv, &monde, "e").etape, Etape::Publie);
    let lecteur = block_on(Lecteur::ouvrir(&kv, Rc::new(Cache::new()), 0)).unwrap();
    let noms: Vec<String> = block_on(lecteur.mailles()).unwrap().into_iter().map(|m| m.declaree.nom).collect();
    assert_eq!(noms, ["bassins"]);
    assert_eq!(lecteur.pointeur().millesimes.mailles.len(), 1);

    let trop: Vec<Value> = (0..6).map(|n| declarer(&format!("m{n}"), "lieu")).collect();
    deposer(&kv, "f", Ouverture { mode: Mode::Ajouter, ..Ouverture::default() }, &trop).unwrap();
    let job = finir(&kv, &monde, "f");
    assert_eq!(job.etape, Etape::Echec);
    assert!(job.bilan.echec.unwrap().starts_with("6 mailles déclarées au plus, il y en aurait 7 : bassins, m0"));
}
