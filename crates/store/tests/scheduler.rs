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
