//! Statistical services in memory: small tables, answers as the services give them, faults on demand.

use serde_json::{Value, json};
use sources::{Body, Clock, Config, Fetch, FetchError, Method, Request, Response};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::rc::Rc;

/// What a service does instead of answering.
#[derive(Clone, Debug)]
pub enum Panne {
    Statut(u16),
    /// 429 or 503, with `Retry-After`.
    Attendre(u16, &'static str),
    Coupure,
    Silence,
    Corps(String),
}

/// The services, and the time.
#[derive(Clone, Default)]
pub struct Services(Rc<Monde>);

#[derive(Default)]
struct Monde {
    maintenant: Cell<u64>,
    /// Address fragment → fault, and how often it happens.
    pannes: RefCell<Vec<(String, Panne, usize)>>,
    appels: RefCell<Vec<String>>,
    /// Added to counts of establishments.
    revision: Cell<u64>,
}

pub const UAIS: [&str; 4] = ["0690001B", "0750001U", "0750002V", "0750003W"];
/// A course of three years and its ancestor, another CFD, and a code that no table has.
pub const CFD: &str = "40023204";
pub const ANCIEN: &str = "40023203";
pub const CAP: &str = "50023201";
pub const MEF: [&str; 3] = ["24010023211", "24020023211", "24030023211"];

pub fn config() -> Config {
    Config {
        inserjeunes_url: "https://ij".into(),
        inserjeunes_username: "compte".into(),
        inserjeunes_password: "motdepasse-secret".into(),
        insersup_url: "https://sup/".into(),
        insersup_key: "cle-secrete".into(),
        insersup_national_url: "https://opendata".into(),
        insersup_national_source: String::new(),
        bcn_url: "https://bcn".into(),
        bcn_key: "cle-secrete".into(),
        bcn_login: "compte".into(),
        bcn_password: "motdepasse-secret".into(),
        catalogue_url: "https://catalogue".into(),
        catalogue_username: "compte".into(),
        catalogue_password: "motdepasse-secret".into(),
        acce_url: "https://acce/fichier.csv".into(),
    }
}

fn table(nom: &str) -> Value {
    let cfd = |code: &str, libelle: &str| {
        json!({"formation_diplome": code, "niveau_formation_diplome": &code[..3], "groupe_specialite": "232", "lettre_specialite": "s",
            "libelle_court": "BAC PRO", "libelle_stat_33": libelle, "libelle_long_200": format!("{libelle} (bac pro)"), "date_ouverture": "2010-09-01", "date_fermeture": null})
    };
    let lignes = match nom {
        "N_NIVEAU_FORMATION_DIPLOME" => json!([
            {"niveau_formation_diplome": "400", "libelle_court": "BAC PRO"},
            {"niveau_formation_diplome": "500", "libelle_court": "CAP"}]),
        "V_FORMATION_DIPLOME" => json!([cfd(CFD, "MACONNERIE"), cfd(ANCIEN, "GROS OEUVRE"), cfd(CAP, "CHARPENTE")]),
        "N_FORMATION_DIPLOME" => {
            let mut neuf = cfd(CFD, "MACONNERIE");
            for n in 1..=7 {
                neuf[format!("ancien_diplome_{n}")] = if n == 1 { ANCIEN.into() } else { Value::Null };
                neuf[format!("nouveau_diplome_{n}")] = Value::Null;
            }
            neuf["date_premiere_session"] = "2015".into();
            neuf["date_derniere_session"] = Value::Null;
            json!([neuf])
        }
        "N_FORMATION_DIPLOME_ENQUETE_51" => json!([cfd(CAP, "CHARPENTE BOIS")]),
        "N_MEF" => MEF
            .iter()
            .zip(1..)
            .map(|(code, annee)| {
                json!({"mef": format!("2470{annee}"), "dispositif_formation": "240", "formation_diplome": CFD, "duree_dispositif": "3",
                    "annee_dispositif": annee.to_string(), "libelle_court": "MACON", "libelle_long": format!("MACONNERIE {annee}"), "mef_stat_11": code,
                    "date_ouverture": "2010-09-01", "date_fermeture": null})
            })
            .collect(),
        "N_TYPE_DIPLOME_SISE" => json!([{"type_diplome_sise": "DP", "libelle_court": "LICENCE PRO", "niveau_interministeriel": "2"}]),
        "N_DIPLOME_SISE" => json!([{"diplome_sise": "2500249", "type_diplome_sise": "DP", "libelle_intitule_1": "DROIT", "libelle_intitule_2": null}]),
        "N_GROUPE_FORMATION" => json!([{"groupe_formation": "G0003", "libelle_edition": "Construction durable", "type_groupe_formation": "TG01"}]),
        "N_LIEN_FORMATION_GROUPE" => json!([{"groupe_formation": "G0003", "formation_diplome": CFD}]),
        autre => panic!("no table {autre}"),
    };
    json!({"data": lignes})
}

/// Rows of measures: those of a code for a place whose size is `n`.
fn mesures(code: Value, n: u64) -> Vec<Value> {
    [
        ("nb_annee_term", n),
        ("nb_poursuite_etudes", n / 2),
        ("nb_en_emploi_12_mois", n / 4),
        ("nb_en_emploi_6_mois", n / 5),
        ("DEVENIR_part_poursuite_etudes", 50),
    ]
    .into_iter()
    .map(|(mesure, valeur)| json!({"id_mesure": mesure, "valeur_mesure": valeur, "dimensions": [code]}))
    .collect()
}

impl Services {
    pub fn appels(&self) -> Vec<String> {
        self.0.appels.borrow().clone()
    }

    pub fn oublier(&self) {
        self.0.appels.borrow_mut().clear();
        self.0.pannes.borrow_mut().clear();
    }

    pub fn panne(&self, ou: &str, panne: Panne, fois: usize) {
        self.0.pannes.borrow_mut().push((ou.to_owned(), panne, fois));
    }

    /// Establishments have other numbers from now on.
    pub fn reviser(&self, de: u64) {
        self.0.revision.set(de);
    }

    pub fn maintenant(&self) -> u64 {
        self.0.maintenant.get()
    }

    pub fn passer(&self, ms: u64) {
        self.0.maintenant.set(self.0.maintenant.get() + ms);
    }

    fn repondre(&self, url: &str) -> (u16, Value) {
        let chemin = url.split_once("://").unwrap().1;
        let (hote, chemin) = chemin.split_once('/').unwrap_or((chemin, ""));
        let parts: Vec<&str> = chemin.split(['/', '?']).collect();
        let apprentissage = |code: &str| json!({"id_formation_apprentissage": code});
        let corps = match (hote, parts.as_slice()) {
            ("bcn", ["nomenclature", nom, ..]) => table(nom),
            ("ij", ["UAI", uai, "millesime", millesime]) => {
                let rang = UAIS.iter().position(|u| u == uai).expect("a known establishment") as u64;
                if rang == 3 {
                    return (400, json!({"msg": "UAI incorrect ou agricole"}));
                }
                let n = 30 + 10 * rang + self.0.revision.get();
                let mut lignes = mesures(apprentissage(ANCIEN), n);
                if rang > 0 {
                    lignes.extend(mesures(json!({"id_mefstat11": MEF[2]}), n + 5));
                    lignes.extend(mesures(apprentissage("99999999"), n));
                }
                assert!(millesime.contains('_'));
                // This service sends a document as a text of JSON.
                json!(json!({"data": lignes}).to_string())
            }
            ("ij", ["region", region, "millesime", _]) => {
                let n: u64 = region.parse::<u64>().unwrap_or(20);
                json!({"data": mesures(json!({"id_mefstat11": MEF[2]}), 200 + n).into_iter().chain(mesures(apprentissage(CAP), 15)).collect::<Vec<_>>()})
            }
            ("ij", ["france", "millesime", _, "filiere", filiere]) => {
                let code =
                    if *filiere == "apprentissage" { apprentissage(CAP) } else { json!({"id_mefstat11": MEF[2]}) };
                let mut lignes = mesures(code.clone(), 4_000);
                lignes.push(json!({"id_mesure": "salaire_TS_Q2_12_mois", "valeur_mesure": 1500, "dimensions": [code]}));
                lignes.push(json!({"id_mesure": "mesure_nouvelle", "valeur_mesure": 3, "dimensions": [code]}));
                json!({"data": lignes})
            }
            ("sup", _) => json!({"results": [
                {"etablissement": "0750001U", "diplome": "2500249", "annee_universitaire": "2020-2021", "nb_sortants": "130 *", "nb_inscrits": "200", "nb_diplomes": "150",
                 "nb_poursuivants": "70", "nb_in_dsn_6": "60", "nb_in_dsn_12": "80", "nb_in_dsn_18": "nd", "nb_in_dsn_24": "90", "denomination_principale": "UNIVERSITE",
                 "type_diplome_long": "Licence pro", "domaine": "Droit", "secteur_disciplinaire": "Droit", "discipline": "Droit", "salaire_q1_national_diplome_12": "1500",
                 "salaire_q2_national_diplome_12": "1600", "salaire_q3_national_diplome_12": "1700", "champ_nouveau": 1},
                {"etablissement": "0750009X", "diplome": "2500249", "annee_universitaire": "2020-2021", "nb_sortants": "130", "nb_inscrits": "200", "nb_diplomes": "150",
                 "nb_poursuivants": "70", "nb_in_dsn_6": "60", "nb_in_dsn_12": "80", "nb_in_dsn_18": "nd", "nb_in_dsn_24": "90", "denomination_principale": "INCONNUE",
                 "type_diplome_long": "Licence pro", "domaine": "Droit", "secteur_disciplinaire": "Droit", "discipline": "Droit", "salaire_q1_national_diplome_12": "1500",
                 "salaire_q2_national_diplome_12": "1600", "salaire_q3_national_diplome_12": "1700"}]}),
            ("opendata", _) => json!([
                {"diplome": "2500249", "nationalite": "ensemble", "genre": "ensemble", "obtention_diplome": "ensemble", "regime_inscription": "ensemble",
                 "promo": ["2020", "2021"], "nb_sortants": 400, "nb_poursuivants": "600", "nb_sortants_en_emploi_sal_fr_6": 120, "nb_sortants_en_emploi_sal_fr_12": 200,
                 "nb_sortants_en_emploi_sal_fr_18": 210, "nb_sortants_en_emploi_sal_fr_24": 220, "salaire_q1_12": "nd", "salaire_q2_12": 1500, "salaire_q3_12": 1700,
                 "type_diplome": "LP", "domaine_disciplinaire": "Droit", "secteur_disciplinaire": "Droit", "discipline": "Droit"}]),
            ("catalogue", ["entity", "formations", requete]) => {
                let ligne = |n: u32, lieu: &str| json!({"_id": format!("id{n}"), "cfd": CFD, "uai_formation": lieu, "etablissement_formateur_uai": "0750001U", "etablissement_gestionnaire_uai": "0750001U", "rncp_code": "RNCP38718"});
                let lignes: Vec<Value> =
                    if requete.contains("page=1&") { vec![ligne(1, "0750001U"), ligne(2, "0750002V")] } else { vec![] };
                json!({"formations": lignes, "pagination": {"total": 2}})
            }
            _ => return (404, json!({"msg": "inconnu"})),
        };
        (200, corps)
    }
}

fn acce() -> Vec<u8> {
    let mut texte = String::from(
        "numero_uai;nature_uai;departement_insee_3;academie;appellation_officielle;pays_libe;date_ouverture\n",
    );
    for uai in UAIS {
        let (departement, academie) = if uai.starts_with("069") { ("069", "10") } else { ("075", "01") };
        texte += &format!("{uai};320;{departement};{academie};LYCEE {uai} É;France;01/05/1965\n");
    }
    texte += "0750009Z;320;075;01;FAUSSE LETTRE;France;01/05/1965\n";
    // ISO-8859-1.
    texte.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

pub struct Morceaux(VecDeque<Result<Vec<u8>, FetchError>>);

impl Body for Morceaux {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        self.0.pop_front().transpose()
    }
}

impl Fetch for Services {
    type Body = Morceaux;

    async fn fetch(&self, request: &Request) -> Result<Response<Morceaux>, FetchError> {
        let reponse = |status: u16, headers: Vec<(String, String)>, corps: Vec<u8>| {
            let morceaux = corps.chunks(700).map(|c| Ok(c.to_vec())).collect();
            Ok(Response { status, headers, body: Morceaux(morceaux) })
        };
        if request.method == Method::Post {
            let cookie = ("set-cookie".to_owned(), "connect.sid=SID; Path=/".to_owned());
            return reponse(200, vec![cookie], br#"{"access_token": "JETON", "token": "JETON"}"#.to_vec());
        }
        self.0.appels.borrow_mut().push(request.url.clone());
        let panne =
            self.0.pannes.borrow_mut().iter_mut().find(|(ou, _, n)| request.url.contains(ou.as_str()) && *n > 0).map(
                |(_, panne, n)| {
                    *n -= 1;
                    panne.clone()
                },
            );
        let (statut, corps) = if request.url.starts_with("https://acce") {
            (200, acce())
        } else {
            let (statut, corps) = self.repondre(&request.url);
            (statut, corps.to_string().into_bytes())
        };
        match panne {
            None => reponse(statut, Vec::new(), corps),
            Some(Panne::Statut(statut)) => reponse(statut, Vec::new(), br#"{"msg": "en panne"}"#.to_vec()),
            Some(Panne::Attendre(statut, delai)) => {
                reponse(statut, vec![("Retry-After".into(), delai.into())], Vec::new())
            }
            Some(Panne::Coupure) => {
                let debut = corps.get(..corps.len() / 2).unwrap_or_default().to_vec();
                Ok(Response {
                    status: 200,
                    headers: Vec::new(),
                    body: Morceaux([Ok(debut), Err(FetchError::Interrupted)].into()),
                })
            }
            Some(Panne::Silence) => pending().await,
            Some(Panne::Corps(texte)) => reponse(200, Vec::new(), texte.into_bytes()),
        }
    }
}

impl Clock for Services {
    fn now_ms(&self) -> u64 {
        self.maintenant()
    }

    async fn sleep(&self, ms: u64) {
        self.passer(ms);
    }

    fn random(&self) -> f64 {
        0.5
    }
}

/// How many calls were made to each service.
pub fn par_service(appels: &[String]) -> BTreeMap<String, usize> {
    let mut par = BTreeMap::new();
    for url in appels {
        let hote = url.split("://").nth(1).and_then(|r| r.split('/').next()).unwrap_or_default();
        *par.entry(hote.to_owned()).or_default() += 1;
    }
    par
}
