//! Whatever state a job is in, the next one and the housekeeping go on; whatever is pushed, a value fits or its job ends
//! with a reason; every call keeps its budget of time (invariants 8 and 11).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test stops where it fails")]

use domain::{Document, Maille};
use futures_executor::block_on;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;
use store::kv::{KeyValue, KeyValueWrite, StoreError};
use store::lecture::Cache;
use store::liste::{self, Filtre, Format};
use store::publication::*;
use store::{Lecteur, Memoire};

#[derive(Default)]
struct Monde {
    maintenant: Cell<i64>,
    monotone: Cell<u64>,
}

impl Environnement for Monde {
    fn maintenant_ms(&self) -> i64 {
        self.maintenant.get()
    }
    fn monotone_ms(&self) -> u64 {
        self.monotone.get()
    }
    async fn utilisateur(&self, _: &Document) -> Result<(), StoreError> {
        Ok(())
    }
    fn lot(&self) -> usize {
        25
    }
}

fn certification(code: &str, cfd: &str, nb: usize) -> Value {
    json!({"kind": "certification", "doc": {"code_certification": code, "millesime": "2020", "filiere": "pro", "code_formation_diplome": cfd,
        "libelle": "CUISINE", "nb_annee_term": nb, "nb_sortant": nb / 2}})
}

fn corps(lignes: &[Value]) -> Vec<u8> {
    lignes.iter().map(|l| l.to_string() + "\n").collect::<String>().into_bytes()
}

async fn deposer<K: KeyValueWrite>(kv: &K, id: &str, lignes: &[Value]) -> Result<Job, PublicationError> {
    ouvrir(kv, id, Ouverture::default(), 0).await?;
    let depot = Depot::new(kv, id, 25);
    let mut parties = 0;
    for partie in lignes.chunks(10_000) {
        depot.deposer(parties, &corps(partie), &[]).await.unwrap();
        parties += 1;
    }
    Job::publier(kv, id, Consigne { parties, ..Consigne::default() }, 0).await
}

async fn finir<K: KeyValueWrite>(kv: &K, monde: &Monde, id: &str) -> Result<Job, PublicationError> {
    for _ in 0..10_000 {
        let job = avancer(kv, monde, id, 1_000, &[]).await?;
        if job.etape.est_finale() || job.etape == Etape::AttendreConfirmation {
            return Ok(job);
        }
    }
    panic!("the job does not end");
}

/// A place with 28,000 rows is published whole, and found whole.
#[test]
fn invariant_8_a_place_of_28_000_rows_is_published_and_read() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let n = 28_000;
    let lignes: Vec<Value> = [json!({"kind": "maille", "doc": {"nom": "pays", "libelle": "Pays", "cle": "pays"}})]
        .into_iter()
        .chain((0..n).map(|i| {
            json!({"kind": "statistique", "doc": {"maille": "pays", "pays": if i % 1_000 == 999 { "DE" } else { "FR" },
                "code_certification": format!("{i:011}"), "millesime": "2020", "filiere": "pro", "code_formation_diplome": format!("{:08}", i / 9),
                "nb_annee_term": 20 + i % 40, "nb_sortant": 10}})
        }))
        .collect();
    block_on(async {
        deposer(&kv, "a", &lignes).await.unwrap();
        let job = finir(&kv, &monde, "a").await.unwrap();
        assert_eq!(job.etape, Etape::Publie, "{:?}", job.bilan.echec);
        let lecteur = Lecteur::ouvrir(&kv, Rc::new(Cache::new()), 0).await.unwrap();
        let liste = store::cle::liste_declaree("pays");
        let plan = lecteur.plan(&liste).await.unwrap();
        for (place, attendu) in [("FR", n - n / 1_000), ("DE", n / 1_000), ("IT", 0)] {
            let filtre = Filtre { uais: vec![place.into()], ..Filtre::default() };
            let selection = lecteur.selection(&liste, &plan, &filtre).await.unwrap();
            assert_eq!(selection.total(), attendu, "{place}");
            let mut lues = 0;
            for t in selection.tranches(0, selection.total(), plan.lignes(Format::Csv)) {
                let segment = lecteur.segment(&liste, selection.ordre, Format::Csv, t.segment).await.unwrap();
                let lignes = liste::lignes(&segment, t.de, t.nombre).unwrap();
                assert!(lignes.iter().all(|l| l.starts_with(place.as_bytes())), "{place}");
                lues += lignes.len();
            }
            assert_eq!(lues, attendu);
        }
        let filtre = Filtre {
            uais: vec!["FR".into()],
            codes: vec!["00000027998".into(), "00000000001".into()],
            ..Filtre::default()
        };
        assert_eq!(lecteur.selection(&liste, &plan, &filtre).await.unwrap().total(), 2);
    });
}

/// A CFD with 20,000 MEFs is published whole: its counts are summed, each MEF is found.
#[test]
fn invariant_8_a_cfd_of_20_000_mefs_is_published_and_read() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let n = 20_000;
    let lignes: Vec<Value> = (0..n).map(|i| certification(&format!("{i:011}"), "40025214", 20)).collect();
    block_on(async {
        deposer(&kv, "a", &lignes).await.unwrap();
        let job = finir(&kv, &monde, "a").await.unwrap();
        assert_eq!(job.etape, Etape::Publie, "{:?}", job.bilan.echec);
        let lecteur = Lecteur::ouvrir(&kv, Rc::new(Cache::new()), 0).await.unwrap();
        assert!(lecteur.fiche(Maille::Nationale, "", "00000019999").await.unwrap().is_some());
        let comptes = lecteur.comptes("", "40025214").await.unwrap().unwrap();
        let vue = store::compte::vue(&[("40025214".into(), comptes)], |_| true, None, 0).unwrap();
        assert_eq!(vue.0[0].1.as_document()["nb_annee_term"], 20 * n);
        for texte in ["cuisine", "00000019999", "00000000000"] {
            let trouves = lecteur.chercher(texte, None, 0, 10).await.unwrap();
            assert_eq!(trouves.total, 1, "{texte}");
        }
    });
}

/// A list of so many academies that its plan does not fit into a value is published whole, and filtered.
#[test]
fn invariant_8_a_plan_of_any_number_of_runs_is_published_and_read() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let n = 14_000;
    let lignes: Vec<Value> = [json!({"kind": "maille", "doc": {"nom": "bassins", "libelle": "Bassins", "cle": "academie.code"}})]
        .into_iter()
        .chain((0..n).map(|i| {
            json!({"kind": "statistique", "doc": {"maille": "bassins", "academie": {"code": format!("bassin-{i:06}"), "nom": "B"},
                "region": {"code": "11", "nom": "R"}, "code_certification": "40025214", "millesime": "2020", "filiere": "pro", "nb_annee_term": 30}})
        }))
        .collect();
    block_on(async {
        deposer(&kv, "a", &lignes).await.unwrap();
        let job = finir(&kv, &monde, "a").await.unwrap();
        assert_eq!(job.etape, Etape::Publie, "{:?}", job.bilan.echec);
        let lecteur = Lecteur::ouvrir(&kv, Rc::new(Cache::new()), 0).await.unwrap();
        let liste = store::cle::liste_declaree("bassins");
        let plan = lecteur.plan(&liste).await.unwrap();
        assert!(plan.coder().len() > store::kv::VALUE_MAX, "{}", plan.coder().len());
        let code = Filtre { codes: vec!["40025214".into()], ..Filtre::default() };
        let bassin = |n: usize| Filtre { academies: vec![format!("bassin-{n:06}")], ..Filtre::default() };
        for (filtre, attendu) in [(code, n), (bassin(13_999), 1), (bassin(n), 0), (Filtre::default(), n)] {
            assert_eq!(lecteur.selection(&liste, &plan, &filtre).await.unwrap().total(), attendu);
        }
    });
}
/// Housekeeping until there is nothing left to do; an hour passes first.
async fn nettoyer<K: KeyValueWrite>(kv: &K, monde: &Monde) {
    monde.maintenant.set(monde.maintenant.get() + 3_600_000);
    for _ in 0..1_000 {
        if !menage(kv, monde).await.unwrap() {
            return;
        }
    }
    panic!("the housekeeping does not end");
}

/// What is left besides one served generation.
fn restes(kv: &Memoire, servie: Option<&str>) -> Vec<String> {
    let siens = |k: &String| servie.is_some_and(|g| k.starts_with(&format!("{g}:")) || *k == format!("work:marks:{g}"));
    let toujours = ["current", "work:generations", "work:lease"];
    kv.keys().into_iter().filter(|k| !siens(k) && !toujours.contains(&k.as_str())).collect()
}

/// Whatever happened to a job's record, the job has ended with a reason, another is published behind it, and nothing of
/// it is left.
#[test]
fn invariant_11_a_job_whose_record_is_lost_has_ended_and_is_in_nobodys_way() {
    let lignes: Vec<Value> = (0..50).map(|i| certification(&format!("{i:08}"), "40025214", 30)).collect();
    // Killed before its record is written; then: damaged or lost while parts come in, or in the middle of the steps.
    for cas in 0..7 {
        let (kv, monde) = (Memoire::default(), Monde::default());
        block_on(async {
            match cas {
                0 => {
                    kv.remaining.set(Some(5));
                    assert!(ouvrir(&kv, "perdu", Ouverture::default(), 0).await.is_err());
                    kv.remaining.set(None);
                }
                1 | 2 => {
                    ouvrir(&kv, "perdu", Ouverture::default(), 0).await.unwrap();
                    Depot::new(&kv, "perdu", 25).deposer(0, &corps(&lignes), &[]).await.unwrap();
                }
                _ => {
                    deposer(&kv, "perdu", &lignes).await.unwrap();
                    avancer(&kv, &monde, "perdu", 0, &[]).await.unwrap();
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
            monde.maintenant.set(120_000);
            let fini = match cas {
                0..=4 => Job::consulter(&kv, "perdu").await.unwrap(),
                _ => finir(&kv, &monde, "perdu").await.unwrap(),
            };
            if cas == 6 {
                assert_eq!(fini.etape, Etape::Publie, "a lease that cannot be read is a free one");
                return;
            }
            assert_eq!(fini.etape, Etape::Echec, "{cas}");
            assert!(fini.bilan.echec.is_some(), "{cas}");
            // Its callers are told, whichever call they make.
            match cas {
                0 | 1 => drop(avancer(&kv, &monde, "perdu", 10, &[]).await.unwrap()),
                2 | 3 => drop(Job::abandonner(&kv, "perdu", 120_000).await.unwrap()),
                4 => {
                    let consigne = Consigne { parties: 1, ..Consigne::default() };
                    let refus = Job::publier(&kv, "perdu", consigne, 120_000).await.unwrap_err();
                    assert!(matches!(refus, PublicationError::Refused(_)), "{refus}");
                }
                _ => {}
            }
            deposer(&kv, "suivant", &lignes).await.unwrap();
            assert_eq!(finir(&kv, &monde, "suivant").await.unwrap().etape, Etape::Publie, "{cas}");
            nettoyer(&kv, &monde).await;
            let registre = Registre::lire(&kv).await.unwrap();
            assert!(registre.jobs.is_empty() && registre.a_effacer.is_empty(), "{cas}: {registre:?}");
            assert_eq!(registre.generations.len(), 1, "{cas}: {registre:?}");
            let restes = restes(&kv, Some(&registre.generations[0].id));
            // Without its marks nobody knows what lies under a prefix.
            assert!(cas == 5 || restes.is_empty(), "{cas}: {restes:?}");
        });
    }
}

#[test]
fn a_job_that_is_being_opened_is_not_taken_for_a_lost_one() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    block_on(async {
        monde.maintenant.set(1_000_000);
        kv.remaining.set(Some(5));
        assert!(ouvrir(&kv, "lent", Ouverture::default(), 1_000_000).await.is_err());
        kv.remaining.set(None);
        monde.maintenant.set(1_030_000);
        assert!(!menage(&kv, &monde).await.unwrap());
        assert_eq!(Registre::lire(&kv).await.unwrap().jobs, ["lent"], "its second write may still come");
        monde.maintenant.set(1_061_000);
        assert!(menage(&kv, &monde).await.unwrap());
        assert!(Registre::lire(&kv).await.unwrap().jobs.is_empty());
    });
}

/// A record that nothing names: what is left of a deletion that was lost.
#[test]
fn invariant_11_a_record_without_registration_is_ended_and_deleted() {
    let lignes = [certification("00000001", "40025214", 30)];
    let (kv, monde) = (Memoire::default(), Monde::default());
    block_on(async {
        deposer(&kv, "a", &lignes).await.unwrap();
        let record = kv.get("work:job:a").await.unwrap();
        Job::abandonner(&kv, "a", 0).await.unwrap();
        nettoyer(&kv, &monde).await;
        for reprise in 0..2 {
            kv.corrupt("work:job:a", record.clone());
            if reprise == 0 {
                let job = avancer(&kv, &monde, "a", 10, &[]).await.unwrap();
                assert_eq!(job.etape, Etape::Echec, "{:?}", job.bilan.echec);
            } else {
                Job::abandonner(&kv, "a", 0).await.unwrap();
            }
            nettoyer(&kv, &monde).await;
            assert_eq!(restes(&kv, None), Vec::<String>::new());
        }
    });
}

/// Killed between the pointer and its record, a job that is given up has been published: nothing that is served goes.
#[test]
fn what_the_pointer_names_is_never_deleted() {
    let lignes: Vec<Value> = (0..50).map(|i| certification(&format!("{i:08}"), "40025214", 30)).collect();
    let tue_apres = |operations: u64| {
        let (kv, monde) = (Memoire::default(), Monde::default());
        block_on(async {
            deposer(&kv, "a", &lignes).await.unwrap();
            while avancer(&kv, &monde, "a", 0, &[]).await.unwrap().etape != Etape::Basculer {}
            kv.remaining.set(Some(operations));
            let _ = avancer(&kv, &monde, "a", 0, &[]).await;
            kv.remaining.set(None);
            let servie = kv.get("current").await.unwrap().is_some();
            let finie = Job::consulter(&kv, "a").await.unwrap().etape == Etape::Publie;
            (servie && !finie).then_some((kv, monde))
        })
    };
    let (kv, monde) = (0..200).find_map(tue_apres).unwrap();
    block_on(async {
        assert!(Job::abandonner(&kv, "a", 0).await.is_err());
        nettoyer(&kv, &monde).await;
        let lecteur = Lecteur::ouvrir(&kv, Rc::new(Cache::new()), 0).await.unwrap();
        assert!(lecteur.fiche(Maille::Nationale, "", "00000001").await.unwrap().is_some());
        // Not even where the registry says that it may go.
        let registre = kv.get("work:generations").await.unwrap().unwrap();
        let faux = String::from_utf8(registre).unwrap().replace("publiee", "a_effacer");
        kv.corrupt("work:generations", Some(faux.into_bytes()));
        nettoyer(&kv, &monde).await;
        assert!(lecteur.fiche(Maille::Nationale, "", "00000001").await.unwrap().is_some());
    });
}

/// A value that would not fit ends its job with the reason, and what is behind it is published.
#[test]
fn invariant_11_what_does_not_fit_ends_its_job_and_no_other() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    block_on(async {
        // More millesimes than a report tells apart.
        let lignes: Vec<Value> = (0..2_500)
            .map(|i| json!({"kind": "certification", "doc": {"code_certification": "12345678", "millesime": format!("{:04}", 1_900 + i), "filiere": "pro", "nb_annee_term": 30}}))
            .collect();
        deposer(&kv, "trop", &lignes).await.unwrap();
        let echec = finir(&kv, &monde, "trop").await.unwrap();
        assert_eq!(echec.etape, Etape::Echec);
        assert!(echec.bilan.echec.as_deref().unwrap().contains("trop grande"), "{:?}", echec.bilan.echec);
        // Names of fields and openings of any length.
        let champ = "x".repeat(300_000);
        ouvrir(&kv, "champs", Ouverture::default(), 0).await.unwrap();
        let ligne = json!({"kind": "certification", "doc": {"code_certification": "12345678", "millesime": "2020", "filiere": "pro", champ: 1}});
        let info = Depot::new(&kv, "champs", 25).deposer(0, &corps(&[ligne]), &[]).await.unwrap();
        assert_eq!(info.champs_inconnus.keys().next().unwrap().len(), 100);
        let refuse = json!({"kind": "x".repeat(900_000), "doc": {}});
        let info = Depot::new(&kv, "champs", 25).deposer(1, &corps(&[refuse]), &[]).await.unwrap();
        assert!(info.refus[0].raison.len() <= 400);
        let long = Ouverture { millesimes: vec!["2020".into(); 100_000], ..Ouverture::default() };
        assert!(matches!(ouvrir(&kv, "long", long, 0).await, Err(PublicationError::Refused(_))));
        let faux = store::pointeur::MillesimesEnVigueur { formations: Some("x".repeat(400_000)), ..Default::default() };
        let consigne = Consigne { parties: 1, millesimes: Some(faux), ..Consigne::default() };
        assert!(matches!(Job::publier(&kv, "champs", consigne, 0).await, Err(PublicationError::Refused(_))));
        deposer(&kv, "suivant", &[certification("00000001", "40025214", 30)]).await.unwrap();
        assert_eq!(finir(&kv, &monde, "suivant").await.unwrap().etape, Etape::Publie);
    });
}

/// Refused calls leave a little each; where the housekeeping never comes, openings are refused before the registry is full.
#[test]
fn invariant_8_the_registry_does_not_grow_without_housekeeping() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    block_on(async {
        let mut ouverts = 0;
        for n in 0..2_000 {
            let id = format!("j{n:050}");
            match ouvrir(&kv, &id, Ouverture::default(), 0).await {
                Ok(_) => {
                    ouverts += 1;
                    Job::abandonner(&kv, &id, 0).await.unwrap();
                }
                Err(erreur) => assert!(erreur.to_string().contains("ménage"), "{erreur}"),
            }
        }
        assert!((500..1_000).contains(&ouverts), "{ouverts}");
        nettoyer(&kv, &monde).await;
        assert!(ouvrir(&kv, "encore", Ouverture::default(), 0).await.is_ok());
    });
}

/// Every wait has an end: parts that are never published, losses that nobody confirms.
#[test]
fn invariant_11_a_job_that_waits_too_long_is_given_up_with_the_reason() {
    let (kv, monde) = (Memoire::default(), Monde::default());
    let lignes: Vec<Value> = (0..50).map(|i| certification(&format!("{i:08}"), "40025214", 30)).collect();
    block_on(async {
        deposer(&kv, "a", &lignes).await.unwrap();
        finir(&kv, &monde, "a").await.unwrap();
        ouvrir_en_un_appel(&kv, "appel", Ouverture::default(), 0).await.unwrap();
        ouvrir(&kv, "oublie", Ouverture::default(), 0).await.unwrap();
        ouvrir_collecte(&kv, "collecte", Ouverture::default(), 0).await.unwrap();
        deposer(&kv, "pertes", &lignes[..10]).await.unwrap();
        assert_eq!(finir(&kv, &monde, "pertes").await.unwrap().etape, Etape::AttendreConfirmation);
        let mut restants = vec!["appel", "oublie", "collecte", "pertes"];
        for (premier, max, raison) in [
            ("appel", APPEL_MAX_MS, "5 minutes"),
            ("oublie", DEPOT_MAX_MS, "24 heures"),
            ("collecte", ATTENTE_MAX_MS, "14 jours"),
        ] {
            monde.maintenant.set(max);
            while menage(&kv, &monde).await.unwrap() {}
            assert_eq!(Registre::lire(&kv).await.unwrap().jobs, restants, "until its time is over");
            monde.maintenant.set(max + 1);
            assert!(menage(&kv, &monde).await.unwrap());
            let fini = Job::consulter(&kv, premier).await.unwrap();
            assert_eq!(fini.etape, Etape::Abandonne);
            assert!(fini.bilan.echec.as_ref().unwrap().contains(raison), "{:?}", fini.bilan.echec);
            restants.remove(0);
        }
        // Once to end them, once more when the ten minutes of what they wrote are over.
        nettoyer(&kv, &monde).await;
        nettoyer(&kv, &monde).await;
        assert!(Registre::lire(&kv).await.unwrap().jobs.is_empty());
        assert_eq!(restes(&kv, Some("g1")), Vec::<String>::new());
    });
}
