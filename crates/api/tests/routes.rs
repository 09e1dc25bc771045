//! Routes over the in-memory store: what the recorded cases do not show.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test stops where it fails")]

use api::comptes::{self, Compte};
use api::{Corps, Monde, Reponse, Requete, acces, routes};
use domain::Document;
use flate2::read::GzDecoder;
use futures_executor::{block_on, block_on_stream};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Read;
use std::rc::Rc;
use store::Memoire;
use store::kv::{KeyValue, StoreError};
use store::lecture::Cache;
use store::publication::{Consigne, Depot, Environnement, Job, Ouverture, avancer, ouvrir};

#[derive(Clone, Default)]
struct Magasin(Rc<Memoire>);

impl KeyValue for Magasin {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key).await
    }
}

#[derive(Default)]
struct Banc {
    magasin: Magasin,
    cache: Rc<Cache>,
    variables: BTreeMap<&'static str, &'static str>,
    maintenant: Cell<i64>,
    monotone: Cell<u64>,
}

impl Monde for Banc {
    type Kv = Magasin;
    fn kv(&self) -> Magasin {
        self.magasin.clone()
    }
    fn cache(&self) -> Rc<Cache> {
        Rc::clone(&self.cache)
    }
    async fn variable(&self, nom: &str) -> String {
        self.variables.get(nom).copied().unwrap_or_default().to_owned()
    }
    fn maintenant_ms(&self) -> i64 {
        self.maintenant.get()
    }
    fn monotone_ms(&self) -> u64 {
        self.monotone.get()
    }
}

impl Environnement for Banc {
    fn maintenant_ms(&self) -> i64 {
        0
    }
    fn monotone_ms(&self) -> u64 {
        0
    }
    async fn utilisateur(&self, _: &Document) -> Result<(), StoreError> {
        Ok(())
    }
    fn lot(&self) -> usize {
        25
    }
}

fn formation(rang: usize, nb: u32) -> Value {
    json!({"kind": "formation", "doc": {"uai": format!("{:07}A", 750_000 + rang), "code_certification": "12345678", "millesime": "2018_2019",
        "filiere": "apprentissage", "libelle": "é", "region": {"code": "11", "nom": "Île-de-France"}, "academie": {"code": "01", "nom": "Paris"},
        "nb_annee_term": nb, "taux_en_formation": 40, "donnee_source": {"code_certification": "12345678", "type": "self"}}})
}

impl Banc {
    fn nouveau() -> Self {
        let variables = BTreeMap::from([("legacy_api_key", "cle"), ("jwt_secret", "secret")]);
        Self { variables, ..Self::default() }
    }

    fn publier(&self, id: &str, lignes: &[Value]) {
        let kv = &*self.magasin.0;
        let corps: String = lignes.iter().map(|l| l.to_string() + "\n").collect();
        block_on(async {
            ouvrir(kv, id, Ouverture::default(), 0).await.unwrap();
            Depot::new(kv, id, 25).deposer(0, corps.as_bytes(), &[]).await.unwrap();
            let consigne = Consigne { parties: 1, confirmer_pertes: true, ..Consigne::default() };
            Job::publier(kv, id, consigne, 0).await.unwrap();
            while !avancer(kv, self, id, 1_000, &[]).await.unwrap().etape.est_finale() {}
        });
    }

    fn appeler(&self, methode: &str, url: &str, entetes: &[(&str, &str)]) -> Lue {
        let (chemin, query) = url.split_once('?').unwrap_or((url, ""));
        let requete = Requete {
            methode: methode.to_owned().into(),
            chemin: chemin.into(),
            query: query.into(),
            entetes: entetes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>().into(),
            corps: Vec::new(),
        };
        lire(block_on(routes::formations(self, requete)))
    }

    /// The routes of declared mailles.
    fn mailles(&self, url: &str, cle: &str) -> Lue {
        let (chemin, query) = url.split_once('?').unwrap_or((url, ""));
        let entetes = vec![("x-api-key".to_owned(), cle.to_owned())].into();
        let requete = Requete {
            methode: "GET".into(),
            chemin: format!("/api/inserjeunes/mailles{chemin}"),
            query: query.into(),
            entetes,
            corps: Vec::new(),
        };
        lire(block_on(routes::mailles(self, requete)))
    }

    fn get(&self, url: &str) -> Lue {
        self.appeler("GET", url, &[("x-api-key", "cle")])
    }
}

struct Lue {
    statut: u16,
    entetes: BTreeMap<String, String>,
    corps: Vec<u8>,
    morceaux: usize,
}

impl Lue {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.corps).unwrap()
    }
    fn entete(&self, nom: &str) -> &str {
        self.entetes.get(nom).map_or("", String::as_str)
    }
}

fn lire(reponse: Reponse) -> Lue {
    let entetes = reponse.entetes.iter().map(|(n, v)| ((*n).to_owned(), v.to_string())).collect();
    let (corps, morceaux) = match reponse.corps {
        Corps::Octets(octets) => (octets, 1),
        Corps::Flux(flux) => {
            let morceaux: Vec<Vec<u8>> = block_on_stream(flux).map(Result::unwrap).collect();
            (morceaux.concat(), morceaux.len())
        }
    };
    Lue { statut: reponse.statut, entetes, corps, morceaux }
}

const LISTE: &str = "/api/inserjeunes/formations";
const UN: &str = "/api/inserjeunes/formations/0750000A-12345678";

fn avec(lignes: usize) -> Banc {
    let banc = Banc::nouveau();
    banc.publier("a", &(0..lignes).map(|i| formation(i, 15 + u32::try_from(i % 10).unwrap())).collect::<Vec<_>>());
    banc
}

#[test]
fn the_gateway_may_authenticate_alone_or_beside_keys() {
    let mut banc = avec(1);
    banc.variables.extend([("entete_passerelle", "X-Passerelle"), ("secret_passerelle", "p")]);
    for (mode, entete, attendu) in [
        ("local", ("x-api-key", "cle"), 200),
        ("local", ("x-passerelle", "p"), 401),
        ("gateway", ("x-passerelle", "p"), 200),
        ("gateway", ("x-passerelle", "q"), 401),
        ("gateway", ("x-api-key", "cle"), 401),
        ("both", ("x-api-key", "cle"), 200),
        ("both", ("x-passerelle", "p"), 200),
        ("both", ("x-passerelle", ""), 401),
    ] {
        banc.variables.insert("authentification", mode);
        assert_eq!(banc.appeler("GET", LISTE, &[entete]).statut, attendu, "{mode} {entete:?}");
    }
    banc.variables.extend([("secret_passerelle", ""), ("legacy_api_key", ""), ("authentification", "both")]);
    for entete in [("x-passerelle", ""), ("x-api-key", "")] {
        assert_eq!(banc.appeler("GET", LISTE, &[entete]).statut, 401, "an empty secret denies");
    }
}

#[test]
fn a_disabled_account_loses_its_tokens_and_keys() {
    let banc = avec(1);
    let kv = &*banc.magasin.0;
    let jeton = acces::ecrire_jeton("secret", "test", 0).unwrap();
    let compte = |desactive| Compte { username: "test".into(), password: "x".into(), desactive, cles: Vec::new() };
    block_on(comptes::ecrire(kv, &compte(false))).unwrap();
    block_on(comptes::ajouter_cle(kv, "test", "perso", "")).unwrap();
    let statuts = || {
        let porteur = format!("bearer {jeton}");
        let essais = [("authorization", porteur.as_str()), ("x-api-key", jeton.as_str()), ("x-api-key", "perso")];
        essais.map(|entete| banc.appeler("GET", LISTE, &[entete]).statut)
    };
    assert_eq!(statuts(), [200, 200, 200]);
    block_on(comptes::ecrire(kv, &compte(true))).unwrap();
    assert_eq!(statuts(), [401, 401, 401]);
}

#[test]
fn a_crawl_by_links_meets_every_row_once_and_carries_no_key() {
    let banc = avec(25);
    let (mut url, mut lus) = (format!("{LISTE}?items_par_page=10&apiKey=cle"), Vec::new());
    loop {
        let page = banc.appeler("GET", &url, &[("x-api-key", "cle")]);
        lus.extend(page.json()["formations"].as_array().unwrap().iter().map(|f| f["uai"].as_str().unwrap().to_owned()));
        assert!(!page.entete("link").contains("cle"), "a key never leaves in a link");
        let suivant = page.entete("link").split(", ").find(|l| l.ends_with("rel=\"next\""));
        match suivant.and_then(|l| l.strip_prefix('<')?.split('>').next()) {
            Some(suivant) => url = suivant.to_owned(),
            None => break,
        }
    }
    assert_eq!(lus.len(), 25);
    assert!(lus.is_sorted_by(|a, b| a < b));
}

#[test]
fn large_lists_are_streamed_in_every_format_and_hold_every_row() {
    let banc = avec(3_000);
    let json = banc.get(&format!("{LISTE}?items_par_page=10000"));
    assert!(json.morceaux > 20, "{}", json.morceaux);
    assert_eq!(json.json()["formations"].as_array().unwrap().len(), 3_000);
    let ndjson = banc.get(&format!("{LISTE}.ndjson?items_par_page=1000000"));
    let lignes = ndjson.corps.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    let documents: Vec<Value> = lignes.map(|l| serde_json::from_slice(l).unwrap()).collect();
    assert_eq!(documents.len(), 3_000);
    let csv = banc.get(&format!("{LISTE}.csv?items_par_page=1000000"));
    assert_eq!(csv.corps.iter().filter(|b| **b == b'\n').count(), 3_001);
    assert_eq!(csv.entete("content-disposition"), "attachment; filename=export-1970-01-01.csv");
    let entetes = [("x-api-key", "cle"), ("accept-encoding", "gzip")];
    let gzip = banc.appeler("GET", &format!("{LISTE}.csv?items_par_page=1000000"), &entetes);
    assert_eq!(gzip.entete("content-encoding"), "gzip");
    let mut clair = Vec::new();
    GzDecoder::new(gzip.corps.as_slice()).read_to_end(&mut clair).unwrap();
    assert_eq!(clair, csv.corps);
    for query in ["?items_par_page=10001", ".csv?items_par_page=1000001", "?page=-1"] {
        assert_eq!(banc.get(&format!("{LISTE}{query}")).statut, 400, "{query}");
    }
}

#[test]
fn an_unchanged_document_keeps_its_etag_across_generations() {
    let banc = avec(2);
    let avant = banc.get(UN);
    let autre = "/api/inserjeunes/formations/0750001A-12345678";
    let autre_avant = banc.get(autre);
    banc.publier("b", &[formation(0, 15), formation(1, 99)]);
    let sans_cache = Banc { magasin: banc.magasin.clone(), ..Banc::nouveau() };
    let apres = sans_cache.get(UN);
    assert_eq!(avant.entete("etag"), apres.entete("etag"));
    let connu = sans_cache.appeler("GET", UN, &[("if-none-match", apres.entete("etag"))]);
    assert_eq!((connu.statut, connu.corps.len()), (304, 0));
    assert_ne!(autre_avant.entete("etag"), sans_cache.get(autre).entete("etag"));
}

#[test]
fn public_answers_may_be_kept_until_a_course_closes_and_private_ones_by_their_owner() {
    let banc = Banc::nouveau();
    let mut ligne = formation(0, 30);
    ligne["doc"]["date_fermeture"] = json!("1970-01-01T00:02:00.000Z");
    banc.publier("a", &[ligne]);
    assert_eq!(banc.get(UN).entete("cache-control"), "public, max-age=121", "closes in two minutes");
    banc.maintenant.set(120_001);
    let fermee = banc.get(UN);
    assert_eq!(fermee.json()["formation_fermee"], true);
    assert_eq!(fermee.entete("cache-control"), "public, max-age=600");
    assert!(banc.get(LISTE).entete("cache-control").starts_with("private"));
}

#[test]
fn an_answer_is_kept_by_its_instance_until_something_in_it_changes() {
    let banc = Banc::nouveau();
    let mut ligne = formation(0, 30);
    ligne["doc"]["date_fermeture"] = json!("1970-01-02T00:00:00.000Z");
    banc.publier("a", &[ligne, formation(1, 30)]);
    let gets = || banc.magasin.0.gets.get();
    let gzip = [("accept-encoding", "gzip")];
    let (clair, comprime, svg) = (banc.get(UN), banc.appeler("GET", UN, &gzip), banc.get(&format!("{UN}.svg")));
    let avant = gets();
    assert_eq!(banc.get(UN).entetes, clair.entetes);
    assert_eq!(banc.get(UN).corps, clair.corps);
    assert_eq!(banc.appeler("GET", UN, &gzip).corps, comprime.corps, "encodings are told apart");
    assert_eq!(banc.get(&format!("{UN}.svg")).corps, svg.corps);
    assert_eq!(banc.appeler("HEAD", UN, &[]).entete("content-length"), clair.entete("content-length"));
    let connu = banc.appeler("GET", UN, &[("if-none-match", clair.entete("etag"))]);
    assert_eq!((connu.statut, connu.corps.len(), connu.entete("content-type")), (304, 0, ""));
    assert_eq!(gets(), avant, "no get");
    assert_eq!(banc.get(&format!("{UN}?inconnu=1")).statut, 400, "another target is another answer");
    assert_eq!(banc.appeler("POST", UN, &[]).statut, 404);
    // Its age is shortened by the closing, then the course is closed.
    for (instant, age, fermee) in [(86_400_000 - 60_000, 61, false), (86_400_001, 600, true)] {
        banc.maintenant.set(instant);
        let lue = banc.get(UN);
        assert_eq!(lue.entete("cache-control"), format!("public, max-age={age}"));
        assert_eq!(lue.json()["formation_fermee"], fermee);
    }
}

#[test]
fn an_answer_is_not_kept_past_its_generation() {
    let banc = avec(2);
    let avant = banc.get(UN);
    banc.publier("b", &[formation(0, 77), formation(1, 99)]);
    let monde = Banc { cache: Rc::clone(&banc.cache), magasin: banc.magasin.clone(), ..Banc::nouveau() };
    assert_eq!(monde.get(UN).corps, avant.corps, "within the second");
    monde.monotone.set(store::lecture::POINTER_TTL_MS);
    assert_eq!(monde.get(UN).json()["nb_annee_term"], 77, "after it");
}

#[test]
fn a_store_that_cannot_be_read_is_a_503_never_a_404() {
    let banc = avec(1);
    banc.magasin.0.remaining.set(Some(0));
    for url in [UN, LISTE] {
        let panne = Banc { magasin: banc.magasin.clone(), ..Banc::nouveau() }.get(url);
        assert_eq!((panne.statut, panne.entete("retry-after")), (503, "5"), "{url}");
    }
    banc.magasin.0.remaining.set(None);
    assert_eq!(banc.get(UN).statut, 200, "and back again");
    assert_eq!(Banc::nouveau().get(UN).statut, 503, "nothing published yet is no 404 either");
}

#[test]
fn invariant_9_a_damaged_generation_is_answered_by_the_one_before() {
    let banc = avec(3);
    banc.publier("b", &(0..4).map(|i| formation(i, 50)).collect::<Vec<_>>());
    let kv = &banc.magasin.0;
    for key in kv.keys().into_iter().filter(|k| k.starts_with("g2:formations:") || k.starts_with("g2:liste.")) {
        kv.corrupt(&key, Some(b"abime".to_vec()));
    }
    assert_eq!(banc.get(UN).json()["nb_annee_term"], 15, "the whole request, one generation back");
    assert_eq!(banc.get(LISTE).json()["pagination"]["total"], 3);
    for key in kv.keys().into_iter().filter(|k| k.starts_with("g1:formations:")) {
        kv.corrupt(&key, None);
    }
    let sans_cache = Banc { magasin: banc.magasin.clone(), ..Banc::nouveau() };
    assert_eq!(sans_cache.get(UN).statut, 503);
}

#[test]
fn every_answer_carries_cors_and_head_is_get_without_a_body() {
    let banc = avec(1);
    for url in [UN, LISTE, "/api/inserjeunes/formations/x-y", "/nulle/part"] {
        let (get, head) = (banc.get(url), banc.appeler("HEAD", url, &[("x-api-key", "cle")]));
        assert_eq!((get.statut, get.entete("access-control-allow-origin")), (head.statut, "*"), "{url}");
        assert!(head.corps.is_empty());
        assert_eq!(get.entete("content-length"), head.entete("content-length"));
    }
}

mod hostiles {
    //! Requests nobody should send: each has an answer of the contract, none panics (invariant 7).
    //! `FUZZ_CASES` sets how many are tried; `scripts/fuzz` tries many.

    use super::*;
    use proptest::prelude::*;

    fn cases() -> ProptestConfig {
        let cases = std::env::var("FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(512);
        ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
    }

    fn morceau() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("0750000A-12345678".to_owned()),
            Just("certifications".to_owned()),
            Just("formations".to_owned()),
            Just("regionales".to_owned()),
            Just("11".to_owned()),
            Just("12345678,87654321".to_owned()),
            Just(".svg".to_owned()),
            "[a-zA-Z0-9.,|%:_-]{0,12}",
            "\\PC{0,6}",
        ]
    }

    fn parametre() -> impl Strategy<Value = String> {
        let nom = prop_oneof![
            prop::sample::select(vec![
                "millesimes",
                "millesime",
                "regions",
                "academies",
                "uais",
                "code_certifications",
                "universe",
                "ext",
                "page",
                "items_par_page",
                "vue",
                "theme",
                "direction",
                "imageOnError",
                "apiKey",
            ])
            .prop_map(str::to_owned),
            "[a-z\\[\\]$.%]{0,8}",
        ];
        let valeur = prop_oneof![
            prop::sample::select(vec![
                "2019",
                "2018_2019",
                "11",
                "75011",
                "svg",
                "csv",
                "filieres",
                "true",
                "0",
                "1e9",
                "-1",
                "cle"
            ])
            .prop_map(str::to_owned),
            "[0-9a-zA-Z,|%+_.-]{0,14}",
            "\\PC{0,6}",
        ];
        (nom, valeur).prop_map(|(nom, valeur)| format!("{nom}={valeur}"))
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn invariant_7_every_request_has_an_answer(
            methode in prop::sample::select(vec!["GET", "HEAD", "OPTIONS", "POST", "PUT", "X"]),
            morceaux in proptest::collection::vec(morceau(), 0..5),
            parametres in proptest::collection::vec(parametre(), 0..4),
            contenu in prop::sample::select(vec!["", "application/json", "application/x-www-form-urlencoded", "application/json; charset=é"]),
            corps: Vec<u8>,
            porteur in "\\PC{0,30}",
        ) {
            thread_local!(static BANC: Banc = avec(30));
            let requete = Requete {
                methode: methode.into(),
                chemin: format!("/api/inserjeunes/{}", morceaux.join("/")),
                query: parametres.join("&"),
                entetes: vec![
                    ("content-type".into(), contenu.into()),
                    ("x-api-key".into(), "cle".into()),
                    ("authorization".into(), porteur.clone()),
                    ("accept-encoding".into(), porteur.clone()),
                    ("if-none-match".into(), porteur),
                ]
                .into(),
                corps,
            };
            BANC.with(|banc| {
                let toutes = [
                    lire(block_on(routes::certifications(banc, requete.clone()))),
                    lire(block_on(routes::regionales(banc, requete.clone()))),
                    lire(block_on(routes::formations(banc, requete.clone()))),
                    lire(block_on(routes::bcn(banc, requete.clone()))),
                    lire(block_on(routes::listes(banc, requete.clone()))),
                    lire(block_on(routes::statut(banc, requete.clone()))),
                ];
                for lue in toutes {
                    prop_assert!([200, 304, 400, 401, 404, 413, 415].contains(&lue.statut), "{} {:?}", lue.statut, requete);
                    if lue.statut >= 400 && methode != "HEAD" {
                        prop_assert_eq!(lue.json()["statusCode"].as_u64(), Some(u64::from(lue.statut)));
                    }
                }
                Ok(())
            })?;
        }
    }
}

fn academie(lieu: &str, code: &str, filiere: &str, millesime: &str, nb: u32) -> Value {
    json!({"kind": "statistique", "doc": {"maille": "academies", "academie": {"code": lieu, "nom": "A"}, "region": {"code": "84", "nom": "Auvergne-Rhône-Alpes"},
        "code_certification": code, "code_formation_diplome": "12345678", "millesime": millesime, "filiere": filiere, "libelle": "é",
        "nb_annee_term": nb, "nb_en_emploi_6_mois": nb / 2, "nb_poursuite_etudes": nb / 4, "nb_sortant": nb - nb / 4,
        "taux_en_emploi_6_mois": 50, "taux_en_formation": 25, "taux_autres_6_mois": 25}})
}

fn avec_academies() -> Banc {
    let banc = Banc::nouveau();
    banc.publier("a", &[
        json!({"kind": "maille", "doc": {"nom": "academies", "libelle": "Académies", "cle": "academie.code"}}),
        json!({"kind": "bcn", "doc": {"type": "cfd", "code_certification": "12345678", "code_formation_diplome": "12345678"}}),
        json!({"kind": "bcn", "doc": {"type": "mef", "code_certification": "12345678901", "code_formation_diplome": "12345678"}}),
        json!({"kind": "bcn", "doc": {"type": "cfd", "code_certification": "87654321", "code_formation_diplome": "87654321"}}),
        academie("10", "12345678", "apprentissage", "2022", 40),
        academie("10", "12345678", "apprentissage", "2021", 41),
        academie("10", "12345678901", "pro", "2022", 60),
        academie("08", "12345678", "apprentissage", "2022", 19),
        formation(1, 30),
    ]);
    banc
}

#[test]
fn a_declared_maille_is_listed_filtered_and_exported() {
    let banc = avec_academies();
    let mailles = banc.mailles("", "");
    assert_eq!(
        mailles.json()["mailles"],
        json!([{"nom": "academies", "libelle": "Académies", "cle": "academie.code", "millesime": "2022", "millesimes": ["2022", "2021"]}])
    );
    assert!(mailles.entete("etag").starts_with('"'));
    assert_eq!(banc.mailles("/academies", "").statut, 401, "lists need a key");
    assert_eq!(banc.mailles("?x=1", "").statut, 400);

    let lire = |url: &str| banc.mailles(url, "cle").json()["academies"].as_array().unwrap().clone();
    let lieux = |lignes: &[Value]| lignes.iter().map(|l| l["lieu"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let toutes = lire("/academies");
    assert_eq!(lieux(&toutes), ["08", "10", "10"], "of the latest millesime, by place");
    assert!(toutes[0]["nb_sortant"].is_null() && toutes[0]["_meta"]["messages"].is_array(), "{}", toutes[0]);
    assert_eq!(lire("/academies?millesimes=2021").len(), 1);
    assert_eq!(lieux(&lire("/academies?lieux=08")), ["08"]);
    assert_eq!(lieux(&lire("/academies/08")), ["08"]);
    assert_eq!(lieux(&lire("/academies?code_certifications=12345678901")), ["10"]);
    assert_eq!(lire("/academies/10?code_certifications=12345678&millesimes=2021,2022").len(), 2);
    assert_eq!(lire("/academies?regions=84").len(), 3);
    assert_eq!((lire("/academies?regions=11").len(), lire("/academies?academies=10").len()), (0, 2));
    let page = banc.mailles("/academies?items_par_page=2&page=2", "cle");
    assert_eq!(page.json()["pagination"], json!({"page": 2, "items_par_page": 2, "nombre_de_page": 2, "total": 3}));
    assert!(page.entete("link").contains("</api/inserjeunes/mailles/academies?items_par_page=2&page=1>; rel=\"prev\""));

    let csv = String::from_utf8(banc.mailles("/academies.csv", "cle").corps).unwrap();
    let lignes: Vec<&str> = csv.lines().collect();
    assert!(lignes[0].starts_with("lieu;code_certification;code_formation_diplome;filiere;millesime;"), "{csv}");
    assert!(lignes[1].starts_with("08;12345678;12345678;apprentissage;2022;") && lignes[1].contains(";null;"), "{csv}");
    assert_eq!(banc.mailles("/academies/10.ndjson", "cle").corps.iter().filter(|b| **b == b'\n').count(), 2);

    for (url, statut) in [
        ("/academies?lieux=a.b", 400),
        ("/academies?uais=0750001A", 400),
        ("/academies.xml", 400),
        ("/bassins", 404),
        ("/a/b/c", 404),
    ] {
        assert_eq!(banc.mailles(url, "cle").statut, statut, "{url}");
    }
    assert_eq!(banc.mailles("/bassins", "cle").json()["message"], "Maille inconnue");
    assert_eq!(
        banc.mailles("/formations", "cle").json()["message"],
        "Maille inconnue",
        "a maille of the contract has its own route"
    );
}

#[test]
fn one_document_of_a_declared_maille_answers_as_a_regional_one_does() {
    let banc = avec_academies();
    let un = |suite: &str| banc.mailles(&format!("/academies/{suite}"), "");
    let document = un("10/certifications/12345678").json();
    assert_eq!(
        (&document["millesime"], &document["lieu"], &document["nb_annee_term"]),
        (&json!("2022"), &json!("10"), &json!(40))
    );
    assert_eq!(
        document["_meta"]["details"],
        "Données InserJeunes pour la certification 12345678 (filière apprentissage) pour le millésime 2022, maille academies, lieu 10"
    );
    assert_eq!(un("10/certifications/12345678?millesime=2021").json()["nb_annee_term"], 41);
    let absent = un("08/certifications/12345678?millesime=2021");
    assert_eq!(
        (absent.statut, &absent.json()["data"]),
        (404, &json!({"millesime": "2021", "millesimesDisponible": ["2022"]}))
    );
    let cache = un("08/certifications/12345678").json();
    assert!(cache["nb_annee_term"] == 19 && cache["nb_sortant"].is_null() && cache["taux_en_emploi_6_mois"].is_null());

    let vue = un("10/certifications/12345678?vue=filieres").json();
    assert_eq!((&vue["pro"]["nb_annee_term"], &vue["apprentissage"]["nb_annee_term"]), (&json!(60), &json!(40)));
    let vue_cachee = un("08/certifications/12345678?vue=filieres").json();
    assert!(vue_cachee["apprentissage"]["nb_sortant"].is_null(), "{vue_cachee}");
    let image = un("10/certifications/12345678.svg");
    assert_eq!(image.entete("content-type"), "image/svg+xml; charset=utf-8");

    for (suite, statut, message) in [
        ("10/certifications/87654321", 404, "Pas de données disponibles"),
        ("99/certifications/12345678", 404, "Pas de données disponibles"),
        ("10/certifications/00000000", 404, "Formation inconnue"),
        ("a.b/certifications/12345678", 400, "Erreur de validation"),
        ("10/certifications/x", 400, "Erreur de validation"),
    ] {
        let refus = un(suite);
        assert_eq!((refus.statut, refus.json()["message"].as_str()), (statut, Some(message)), "{suite}");
    }
    let inconnue = banc.mailles("/bassins/10/certifications/12345678", "");
    assert_eq!((inconnue.statut, &inconnue.json()["message"]), (404, &json!("Maille inconnue")));
    assert!(inconnue.entete("link").contains("erreurs#maille-inconnue"));
}
