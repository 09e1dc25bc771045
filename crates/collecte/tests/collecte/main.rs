//! Runs of the pull, from the calls to the served generation, on the in-memory double.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops where it fails"
)]

mod services;

use collecte::{
    Collecte, Configuration, Demande, Etape, Millesimes, Rapport, abandonner, avancer, consulter, ouvrir, rapport,
};
use domain::{Document, Maille};
use futures_executor::block_on;
use serde_json::Value;
use services::{ANCIEN, CFD, MEF, Panne, Services, config, par_service};
use sources::{Service, Sources};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use store::fiche::Forme;
use store::lecture::Cache;
use store::publication::{
    Consigne, Depot, Environnement, EtatRegistre, Job, Ouverture, PublicationError, Registre, menage,
};
use store::{Lecteur, Memoire, StoreError};

struct Monde {
    services: Services,
    monotone: Cell<u64>,
    pas: u64,
}

impl Environnement for Monde {
    fn maintenant_ms(&self) -> i64 {
        self.services.maintenant().cast_signed()
    }
    fn monotone_ms(&self) -> u64 {
        self.monotone.set(self.monotone.get() + self.pas);
        self.monotone.get()
    }
    async fn utilisateur(&self, _: &Document) -> Result<(), StoreError> {
        Ok(())
    }
    fn lot(&self) -> usize {
        25
    }
}

fn configuration(services: &[Service]) -> Configuration {
    let liste = |m: &[&str]| m.iter().map(|m| (*m).to_owned()).collect();
    Configuration {
        services: services.to_vec(),
        millesimes: Millesimes {
            certifications: liste(&["2022"]),
            certifications_sup: liste(&["2020_2021"]),
            regionales: liste(&["2021_2022"]),
            formations: liste(&["2020_2021", "2021_2022"]),
            formations_sup: liste(&["2020_2021"]),
        },
        reprises: 3,
        attente_s: 30,
        ..Configuration::default()
    }
}

/// A store, the services, and what is asked.
struct Essai {
    kv: Memoire,
    monde: Monde,
    configuration: Configuration,
    numero: Cell<u32>,
}

impl Essai {
    fn nouveau(pas: u64) -> Self {
        let services = Services::default();
        services.passer(1_700_000_000_000);
        Self {
            kv: Memoire::default(),
            monde: Monde { services, monotone: Cell::new(0), pas },
            configuration: configuration(&Service::ALL),
            numero: Cell::new(0),
        }
    }

    fn services(&self) -> &Services {
        &self.monde.services
    }

    fn ouvrir(&self, demande: Demande) -> Result<Collecte, PublicationError> {
        self.numero.set(self.numero.get() + 1);
        let id = format!("c{}", self.numero.get());
        block_on(ouvrir(&self.kv, &id, demande, self.configuration.clone(), self.monde.maintenant_ms()))
    }

    /// One call, as a scheduler makes it.
    fn pas(&self, budget: u64) -> Result<Collecte, PublicationError> {
        let sources = Sources::new(self.services().clone(), self.services().clone(), config());
        block_on(avancer(&self.kv, &self.monde, &sources, budget, &[]))
    }

    /// Calls until the pull has done its part; waits as it is told.
    fn collecter(&self, budget: u64) -> Collecte {
        for _ in 0..5_000 {
            let collecte = self.pas(budget).unwrap();
            if collecte.etape.est_finale() {
                return collecte;
            }
            if let Some((fin, _)) = &collecte.attente {
                self.services().passer((*fin - self.monde.maintenant_ms()).max(0).cast_unsigned());
            }
        }
        panic!("the run does not end: {:?}", block_on(consulter(&self.kv)))
    }

    fn publier(&self, id: &str) -> Job {
        for _ in 0..5_000 {
            let job = block_on(store::publication::avancer(&self.kv, &self.monde, id, 20, &[])).unwrap();
            if job.etape.est_finale() || job.etape == store::publication::Etape::AttendreConfirmation {
                return job;
            }
        }
        panic!("the publication does not end")
    }

    /// A whole run.
    fn tout(&self, demande: Demande) -> Job {
        self.ouvrir(demande).unwrap();
        let collecte = self.collecter(1_000);
        assert_eq!(collecte.etape, Etape::Remise, "{collecte:?}");
        self.publier(&collecte.id)
    }

    fn rapport(&self) -> Rapport {
        block_on(rapport(&self.kv)).unwrap().unwrap()
    }

    fn fiche(&self, maille: Maille, place: &str, code: &str) -> BTreeMap<String, Value> {
        let cache = Rc::new(Cache::new());
        block_on(async {
            let lecteur = Lecteur::ouvrir(&self.kv, cache, 0).await.unwrap();
            let fiche = lecteur.fiche(maille, place, code).await.unwrap().unwrap_or_default();
            let versions = fiche.versions.iter().map(|v| {
                let mut out = Vec::new();
                v.ecrire(&mut out, || 0, Forme::Rangee, None);
                (format!("{} {}", v.millesime(), v.filiere()), serde_json::from_slice(&out).unwrap())
            });
            versions.collect()
        })
    }

    fn generation(&self) -> String {
        let cache = Rc::new(Cache::new());
        block_on(async { Lecteur::ouvrir(&self.kv, cache, 0).await.unwrap().pointeur().generation.clone() })
    }
}

fn de(collecte: &Rapport, apres: &str, maille: &str) -> BTreeMap<String, u64> {
    let mut par: BTreeMap<String, u64> = BTreeMap::new();
    for sources in collecte.couverture[apres][maille].0.values() {
        for (source, n) in sources {
            *par.entry(source.clone()).or_default() += n;
        }
    }
    par
}

#[test]
fn a_run_asks_treats_and_publishes() {
    let essai = Essai::nouveau(1);
    let job = essai.tout(Demande::default());
    assert_eq!(job.etape, store::publication::Etape::Publie, "{:?}", job.bilan);
    assert_eq!(job.bilan.lignes_refusees, 0, "{:?}", job.bilan.refus);
    // Four establishments in two periods; one of them is agricultural.
    let rapport = essai.rapport();
    let ij = &rapport.sources[&Service::InserJeunes];
    assert_eq!((ij.appels, ij.sans_donnee), (2 + 17 + 8, 2), "{ij:?}");
    assert_eq!(rapport.sources[&Service::Bcn].appels, 9);
    // The catalogue names an entry of the national directory: the search knows it.
    assert_eq!((job.bilan.lignes["catalogue"], job.bilan.lignes["rncp"]), (2, 1));
    // As many requests as the services saw, and a login or two.
    let appels = par_service(&essai.services().appels());
    for (service, hote) in [(Service::InserJeunes, "ij"), (Service::Catalogue, "catalogue"), (Service::Acce, "acce")] {
        let logins = rapport.sources[&service].requetes - appels[hote] as u64;
        assert!(if service == Service::Acce { logins == 0 } else { (1..=3).contains(&logins) }, "{hote}: {logins}");
    }
    assert_eq!(rapport.sources[&Service::InserSup].champs_inconnus["champ_nouveau"], 1);
    assert_eq!(rapport.traitements[&Service::InserJeunes].mesures_inconnues["mesure_nouvelle"], 2);
    assert_eq!(rapport.traitements[&Service::InserJeunes].rejets["certification_inconnue"].nombre, 4);
    assert_eq!(rapport.traitements[&Service::InserSup].rejets["etablissement_inconnu"].nombre, 1);
    assert_eq!((rapport.nomenclature["cfd"], rapport.nomenclature["mef"], rapport.nomenclature["sise"]), (3, 3, 4));
    // Establishments: the ancestor's numbers reach the newer diploma, then a place without any; a
    // final year makes two earlier ones.
    assert_eq!(de(&rapport, "statistiques", "formations"), BTreeMap::from([("self".into(), 11)]));
    assert_eq!(de(&rapport, "continuum", "formations"), BTreeMap::from([("self".into(), 11), ("ancienne".into(), 6)]));
    assert_eq!(de(&rapport, "annees", "formations")["aucune"], 8);
    // What is served is what was treated.
    let fiches = essai.fiche(Maille::Etablissement, "0750001U", CFD);
    let document = &fiches["2021_2022 apprentissage"];
    assert_eq!(document["donnee_source"], serde_json::json!({"code_certification": ANCIEN, "type": "ancienne"}));
    assert_eq!(document["nb_annee_term"], 40);
    assert_eq!(document["taux_en_emploi_12_mois"], 25);
    assert!(essai.fiche(Maille::Etablissement, "0750001U", MEF[0]).contains_key("2020_2021 pro"));
    let nationale = essai.fiche(Maille::Nationale, "", MEF[2]);
    assert_eq!(nationale["2022 pro"]["salaire_12_mois_q2"], 1500);
    let sup = essai.fiche(Maille::Etablissement, "0750001U", "2500249");
    assert_eq!(sup["2020_2021 superieur"]["taux_en_formation"], 35);
}

#[test]
fn the_same_answers_make_no_new_generation_and_no_call() {
    let essai = Essai::nouveau(1);
    let premier = essai.tout(Demande::default());
    let generation = essai.generation();
    essai.services().oublier();
    let second = essai.tout(Demande { rejouer: true, ..Demande::default() });
    assert!(essai.services().appels().is_empty(), "{:?}", essai.services().appels());
    assert_eq!(second.etape, store::publication::Etape::Inchange);
    assert_eq!(second.bilan.digest, premier.bilan.digest);
    assert_eq!(essai.generation(), generation);
    // One source, one millesime: the rest comes from what is staged.
    essai.services().reviser(7);
    let sources = Demande { sources: vec![Service::InserSup], ..Demande::default() };
    assert_eq!(essai.tout(sources).etape, store::publication::Etape::Inchange, "the revised source is not asked");
    assert_eq!(par_service(&essai.services().appels()).keys().collect::<Vec<_>>(), ["sup"]);
    essai.services().oublier();
    let millesime = Demande { millesimes: vec!["2021_2022".into()], ..Demande::default() };
    assert_eq!(essai.tout(millesime).etape, store::publication::Etape::Publie);
    assert!(essai.services().appels().iter().all(|url| url.contains("2021_2022")), "{:?}", essai.services().appels());
    let fiches = essai.fiche(Maille::Etablissement, "0750001U", ANCIEN);
    assert_eq!(fiches["2021_2022 apprentissage"]["nb_annee_term"], 47);
    assert_eq!(fiches["2020_2021 apprentissage"]["nb_annee_term"], 40);
}

#[test]
fn killed_anywhere_and_started_again_it_publishes_the_same() {
    let temoin = Essai::nouveau(1);
    let attendu = temoin.tout(Demande::default()).bilan.digest;
    let operations = temoin.kv.gets.get() + temoin.kv.sets.get();
    let mut hasard = 0x9E37_79B9_7F4A_7C15_u64;
    let mut tire = |n: u64| {
        hasard ^= hasard << 13;
        hasard ^= hasard >> 7;
        hasard ^= hasard << 17;
        hasard % n
    };
    for essai_n in 0..200 {
        let essai = Essai::nouveau(1);
        essai.ouvrir(Demande::default()).unwrap();
        let mut remise = None;
        let job = (0..20_000).find_map(|tour| {
            // A kill is an operation of the store that never comes back, and everything after it.
            let survit = tour % 3 == 2;
            essai.kv.remaining.set(if survit { None } else { Some(tire(operations / 4)) });
            let budget = 1 + tire(60);
            let fait = match &remise {
                None => essai.pas(budget).map(|c| {
                    remise = c.etape.est_finale().then_some(c.id);
                    None
                }),
                Some(id) => block_on(store::publication::avancer(&essai.kv, &essai.monde, id, budget, &[]))
                    .map(|job| job.etape.est_finale().then_some(job)),
            };
            essai.kv.remaining.set(None);
            fait.unwrap_or_else(|_| {
                // A killed call may hold the lease until it runs out.
                essai.services().passer(61_000);
                None
            })
        });
        let job = job.unwrap_or_else(|| panic!("run {essai_n} does not end"));
        assert_eq!(job.etape, store::publication::Etape::Publie, "run {essai_n}: {:?}", job.bilan);
        assert_eq!(job.bilan.digest, attendu, "run {essai_n}");
        let lu = essai.fiche(Maille::Etablissement, "0750002V", CFD);
        assert_eq!(lu, temoin.fiche(Maille::Etablissement, "0750002V", CFD));
        // Whatever was begun and lost is let go: only staged answers and what is served stay.
        nettoye(&essai);
    }
}

fn nettoye(essai: &Essai) {
    // The next run lets go of what the killed steps of this one left.
    let _ = essai.ouvrir(Demande { rejouer: true, ..Demande::default() });
    essai.pas(1).unwrap();
    block_on(abandonner(&essai.kv, essai.monde.maintenant_ms())).unwrap();
    essai.services().passer(11 * 60_000);
    for _ in 0..5_000 {
        if !block_on(menage(&essai.kv, &essai.monde)).unwrap() {
            break;
        }
    }
    let registre = block_on(Registre::lire(&essai.kv)).unwrap();
    let lots = essai.configuration.lots().len();
    let restes: Vec<_> = registre.generations.iter().map(|g| g.etat).collect();
    assert_eq!(restes.iter().filter(|e| **e == EtatRegistre::Reserve).count(), lots, "{restes:?}");
    assert_eq!(restes.iter().filter(|e| **e == EtatRegistre::Publiee).count(), 1, "{restes:?}");
    assert_eq!(restes.len(), lots + 1, "{:?}", registre.generations);
    let connus = |cle: &str| {
        registre
            .generations
            .iter()
            .any(|g| cle.starts_with(&format!("{}:", g.id)) || cle == format!("work:marks:{}", g.id))
            || (cle.starts_with("work:") && !cle.starts_with("work:marks:"))
            || ["current", "registry", "lease"].contains(&cle)
            || !cle.contains(':')
    };
    let perdues: Vec<String> = essai.kv.keys().into_iter().filter(|c| !connus(c)).collect();
    assert!(perdues.is_empty(), "keys that nobody will delete: {perdues:?}");
}

#[test]
fn a_fault_that_passes_is_waited_for() {
    for panne in [
        Panne::Statut(500),
        Panne::Statut(401),
        Panne::Attendre(429, "3"),
        Panne::Attendre(503, "120"),
        Panne::Coupure,
        Panne::Silence,
    ] {
        for ou in [
            "nomenclature/N_MEF",
            "region/01",
            "UAI/0750001U",
            "https://sup",
            "entity/formations?page=1&limit=1&",
            "fichier.csv",
        ] {
            if matches!(panne, Panne::Statut(401)) && ["https://sup", "fichier.csv"].contains(&ou) {
                // Without a session that could have ended, a refusal is one.
                continue;
            }
            let essai = Essai::nouveau(1);
            essai.services().panne(ou, panne.clone(), 1);
            let job = essai.tout(Demande::default());
            assert_eq!(job.etape, store::publication::Etape::Publie, "{panne:?} {ou}");
        }
    }
}

#[test]
fn a_fault_that_stays_ends_the_run_by_its_name_and_leaves_what_is_served() {
    let essai = Essai::nouveau(1);
    let premier = essai.tout(Demande::default());
    let generation = essai.generation();
    essai.services().reviser(3);
    let cas = [
        ("nomenclature/N_MEF", Panne::Statut(500), "bcn, /nomenclature/N_MEF : statut 500"),
        ("nomenclature/N_MEF", Panne::Statut(404), "bcn, /nomenclature/N_MEF : statut 404"),
        ("https://sup", Panne::Statut(401), "insersup"),
        ("region/01", Panne::Coupure, "la réponse s'est interrompue"),
        ("region/01", Panne::Silence, "pas de réponse à temps"),
        ("region/01", Panne::Attendre(429, "5000"), "demande d'attendre"),
        ("https://sup", Panne::Corps("<html>".into()), "insersup"),
        ("https://sup", Panne::Corps(r#"{"results": []}"#.into()), "insersup"),
        ("nomenclature/N_MEF", Panne::Corps(r#"{"data": [{"mef": "1"}]}"#.into()), "N_MEF"),
        ("fichier.csv", Panne::Corps("numero_uai;autre\n0750001U;1\n".into()), "acce"),
        ("france/millesime", Panne::Corps(r#"{"autre": []}"#.into()), "inserjeunes, /france"),
        ("page=1&limit=1&", Panne::Corps(r#"{"formations": [], "pagination": {"total": 0}}"#.into()), "catalogue"),
    ];
    for (ou, panne, nom) in cas {
        essai.services().panne(ou, panne.clone(), usize::MAX);
        essai.ouvrir(Demande::default()).unwrap();
        let collecte = essai.collecter(1_000);
        assert_eq!(collecte.etape, Etape::Echec, "{ou} {panne:?}");
        let echec = collecte.echec.clone().unwrap_or_default();
        assert!(echec.contains(nom), "{ou} {panne:?}: {echec}");
        assert!(!echec.contains("secret") && !echec.contains("https://"), "{echec}");
        assert_eq!(essai.generation(), generation, "what is served stays");
        assert_eq!(
            block_on(Job::consulter(&essai.kv, &collecte.id)).unwrap().etape,
            store::publication::Etape::Abandonne
        );
        essai.services().oublier();
    }
    // Nothing of them is in the way of the next run.
    assert_eq!(essai.tout(Demande::default()).etape, store::publication::Etape::Publie);
    assert_ne!(premier.bilan.digest, essai.publier(&format!("c{}", essai.numero.get())).bilan.digest);
}

#[test]
fn an_establishment_that_fails_keeps_its_older_answer() {
    let essai = Essai::nouveau(1);
    essai.tout(Demande::default());
    essai.services().reviser(3);
    essai.services().panne("UAI/0750001U/millesime/2021_2022", Panne::Statut(404), usize::MAX);
    essai.services().panne(
        "UAI/0690001B/millesime/2021_2022",
        Panne::Corps("{\"data\": [{\"x\": 1}]}".into()),
        usize::MAX,
    );
    let job = essai.tout(Demande::default());
    assert_eq!(job.etape, store::publication::Etape::Publie);
    let fiches = essai.fiche(Maille::Etablissement, "0750001U", ANCIEN);
    assert_eq!(fiches["2021_2022 apprentissage"]["nb_annee_term"], 40, "the older answer");
    assert_eq!(fiches["2020_2021 apprentissage"]["nb_annee_term"], 43, "the newer one");
    let ij = &essai.rapport().sources[&Service::InserJeunes];
    assert_eq!(ij.en_echec, 2, "{ij:?}");
    assert!(ij.echecs.iter().all(|e| e.repris && e.appel.contains("/UAI/")), "{ij:?}");
}

#[test]
fn what_was_pushed_beside_the_pulled_sources_stays() {
    let mut essai = Essai::nouveau(1);
    let ligne = |kind: &str, doc: Value| serde_json::json!({"kind": kind, "doc": doc}).to_string() + "\n";
    let mut corps = ligne(
        "formation",
        serde_json::json!({"uai": "0750001U", "code_certification": "2500249", "millesime": "2021_2022", "filiere": "superieur",
            "region": {"code": "11", "nom": "Île-de-France"}, "academie": {"code": "01", "nom": "Paris"}, "nb_annee_term": 100}),
    );
    corps += &ligne(
        "formation",
        serde_json::json!({"uai": "0750001U", "code_certification": CFD, "millesime": "2018_2019", "filiere": "apprentissage",
            "region": {"code": "11", "nom": "Île-de-France"}, "academie": {"code": "01", "nom": "Paris"}, "nb_annee_term": 100}),
    );
    // The ACCE file is pushed too: the pull has no address for it.
    for (uai, departement) in [("0690001B", "069"), ("0750001U", "075"), ("0750002V", "075")] {
        corps += &ligne(
            "etablissement",
            serde_json::json!({"numero_uai": uai, "nature_uai": "320", "departement_insee_3": departement,
            "academie": if uai.starts_with("069") { "10" } else { "01" }, "pays_libe": "France", "appellation_officielle": "LYCEE"}),
        );
    }
    block_on(async {
        ouvrir_job(&essai.kv, "p1").await;
        Depot::new(&essai.kv, "p1", 25).deposer(0, corps.as_bytes(), &[]).await.unwrap();
        Job::publier(&essai.kv, "p1", Consigne { parties: 1, ..Consigne::default() }, 0).await.unwrap();
    });
    essai.publier("p1");
    essai.configuration = configuration(&[Service::Bcn, Service::InserJeunes]);
    let job = essai.tout(Demande::default());
    assert_eq!(job.etape, store::publication::Etape::Publie, "{:?}", job.bilan);
    assert!(essai.fiche(Maille::Etablissement, "0750001U", "2500249").contains_key("2021_2022 superieur"));
    let fiches = essai.fiche(Maille::Etablissement, "0750001U", CFD);
    assert!(
        fiches.contains_key("2018_2019 apprentissage") && fiches.contains_key("2021_2022 apprentissage"),
        "{fiches:?}"
    );
    assert_eq!(job.bilan.lignes.get("etablissement"), None);
}

async fn ouvrir_job(kv: &Memoire, id: &str) {
    store::publication::ouvrir(kv, id, Ouverture::default(), 0).await.unwrap();
}

#[test]
fn what_cannot_be_asked_is_refused_in_words() {
    let essai = Essai::nouveau(1);
    let refus = |essai: &Essai, demande: Demande| match essai.ouvrir(demande) {
        Err(PublicationError::Refused(texte)) => texte,
        autre => panic!("{autre:?}"),
    };
    assert!(refus(&essai, Demande { rejouer: true, ..Demande::default() }).contains("rien n'est gardé"));
    assert!(refus(&essai, Demande { millesimes: vec!["2019".into()], ..Demande::default() }).contains("2021_2022"));
    let sans = Essai { configuration: configuration(&[]), ..Essai::nouveau(1) };
    assert!(refus(&sans, Demande::default()).contains("aucune source"));
    let seule = Essai { configuration: configuration(&[Service::Bcn]), ..Essai::nouveau(1) };
    assert!(refus(&seule, Demande { sources: vec![Service::Acce], ..Demande::default() }).contains("acce"));
    essai.ouvrir(Demande::default()).unwrap();
    assert!(refus(&essai, Demande::default()).contains("est en cours"));
    essai.pas(1).unwrap();
    block_on(abandonner(&essai.kv, essai.monde.maintenant_ms())).unwrap();
    assert!(block_on(abandonner(&essai.kv, 0)).is_err());
    essai.ouvrir(Demande::default()).unwrap();
}
