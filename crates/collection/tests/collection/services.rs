//! Statistical services in memory: small tables, answers as the services give them, faults on demand.

use outside::{Body, Clock, Fetch, FetchError, Method, ServiceRequest, ServiceResponse};
use serde_json::{Value, json};
use sources::Config;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::rc::Rc;

/// What a service does instead of answering.
#[derive(Clone, Debug)]
pub enum Outage {
    Status(u16),
    /// 429 or 503, with `Retry-After`.
    Wait(u16, &'static str),
    Cut,
    Silence,
    Body(String),
}

/// The services, and the time.
#[derive(Clone, Default)]
pub struct Services(Rc<World>);

#[derive(Default)]
struct World {
    now: Cell<u64>,
    /// Address fragment → fault, and how often it happens.
    outages: RefCell<Vec<(String, Outage, usize)>>,
    calls: RefCell<Vec<String>>,
    /// Added to counts of establishments.
    revision: Cell<u64>,
}

pub const UAIS: [&str; 4] = ["0690001B", "0750001U", "0750002V", "0750003W"];
/// A course of three years and its ancestor, another CFD, and a code that no table has.
pub const CFD: &str = "40023204";
pub const OLD: &str = "40023203";
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
        certif_info_url: "https://certifinfo/ouvert.csv".into(),
        onisep_url: "https://onisep/formations.json".into(),
        onisep_passage_url: "https://onisep/passage.json".into(),
        acce_meres_url: "https://meres/meres.csv".into(),
    }
}

fn table(name: &str) -> Value {
    let cfd = |code: &str, libelle: &str| {
        json!({"formation_diplome": code, "niveau_formation_diplome": &code[..3], "groupe_specialite": "232", "lettre_specialite": "s",
            "libelle_court": "BAC PRO", "libelle_stat_33": libelle, "libelle_long_200": format!("{libelle} (bac pro)"), "date_ouverture": "2010-09-01", "date_fermeture": null})
    };
    let rows = match name {
        "N_NIVEAU_FORMATION_DIPLOME" => json!([
            {"niveau_formation_diplome": "400", "libelle_court": "BAC PRO"},
            {"niveau_formation_diplome": "500", "libelle_court": "CAP"}]),
        "V_FORMATION_DIPLOME" => json!([cfd(CFD, "MACONNERIE"), cfd(OLD, "GROS OEUVRE"), cfd(CAP, "CHARPENTE")]),
        "N_FORMATION_DIPLOME" => {
            let mut fresh = cfd(CFD, "MACONNERIE");
            for n in 1..=7 {
                fresh[format!("ancien_diplome_{n}")] = if n == 1 { OLD.into() } else { Value::Null };
                fresh[format!("nouveau_diplome_{n}")] = Value::Null;
            }
            fresh["date_premiere_session"] = "2015".into();
            fresh["date_derniere_session"] = Value::Null;
            json!([fresh])
        }
        "N_FORMATION_DIPLOME_ENQUETE_51" => json!([cfd(CAP, "CHARPENTE BOIS")]),
        "N_MEF" => MEF
            .iter()
            .zip(1..)
            .map(|(code, year)| {
                json!({"mef": format!("2470{year}"), "dispositif_formation": "240", "formation_diplome": CFD, "duree_dispositif": "3",
                    "annee_dispositif": year.to_string(), "libelle_court": "MACON", "libelle_long": format!("MACONNERIE {year}"), "mef_stat_11": code,
                    "date_ouverture": "2010-09-01", "date_fermeture": null})
            })
            .collect(),
        "N_TYPE_DIPLOME_SISE" => json!([{"type_diplome_sise": "DP", "libelle_court": "LICENCE PRO", "niveau_interministeriel": "2"}]),
        "N_DIPLOME_SISE" => json!([{"diplome_sise": "2500249", "type_diplome_sise": "DP", "libelle_intitule_1": "DROIT", "libelle_intitule_2": null}]),
        "N_GROUPE_FORMATION" => json!([{"groupe_formation": "G0003", "libelle_edition": "Construction durable", "type_groupe_formation": "TG01"}]),
        "N_LIEN_FORMATION_GROUPE" => json!([{"groupe_formation": "G0003", "formation_diplome": CFD}]),
        other => panic!("no table {other}"),
    };
    json!({"data": rows})
}

/// Rows of measures: those of a code for a place whose size is `n`.
fn measures(code: Value, n: u64) -> Vec<Value> {
    [
        ("nb_annee_term", n),
        ("nb_poursuite_etudes", n / 2),
        ("nb_en_emploi_12_mois", n / 4),
        ("nb_en_emploi_6_mois", n / 5),
        ("DEVENIR_part_poursuite_etudes", 50),
    ]
    .into_iter()
    .map(|(measure, value)| json!({"id_mesure": measure, "valeur_mesure": value, "dimensions": [code]}))
    .collect()
}

impl Services {
    pub fn calls(&self) -> Vec<String> {
        self.0.calls.borrow().clone()
    }

    pub fn forget(&self) {
        self.0.calls.borrow_mut().clear();
        self.0.outages.borrow_mut().clear();
    }

    pub fn outage(&self, at: &str, outage: Outage, times: usize) {
        self.0.outages.borrow_mut().push((at.to_owned(), outage, times));
    }

    /// Establishments have other numbers from now on.
    pub fn revise(&self, from: u64) {
        self.0.revision.set(from);
    }

    pub fn now(&self) -> u64 {
        self.0.now.get()
    }

    pub fn pass(&self, ms: u64) {
        self.0.now.set(self.0.now.get() + ms);
    }

    fn respond(&self, url: &str) -> (u16, Value) {
        let path = url.split_once("://").unwrap().1;
        let (host, path) = path.split_once('/').unwrap_or((path, ""));
        let parts: Vec<&str> = path.split(['/', '?']).collect();
        let apprentissage = |code: &str| json!({"id_formation_apprentissage": code});
        let body = match (host, parts.as_slice()) {
            ("bcn", ["nomenclature", name, ..]) => table(name),
            ("ij", ["UAI", uai, "millesime", millesime]) => {
                let rank = UAIS.iter().position(|u| u == uai).expect("a known establishment") as u64;
                if rank == 3 {
                    return (400, json!({"msg": "UAI incorrect ou agricole"}));
                }
                let n = 30 + 10 * rank + self.0.revision.get();
                let mut rows = measures(apprentissage(OLD), n);
                if rank > 0 {
                    rows.extend(measures(json!({"id_mefstat11": MEF[2]}), n + 5));
                    rows.extend(measures(apprentissage("99999999"), n));
                }
                assert!(millesime.contains('_'));
                // This service sends a document as a text of JSON.
                json!(json!({"data": rows}).to_string())
            }
            ("ij", ["region", region, "millesime", _]) => {
                let n: u64 = region.parse::<u64>().unwrap_or(20);
                json!({"data": measures(json!({"id_mefstat11": MEF[2]}), 200 + n).into_iter().chain(measures(apprentissage(CAP), 15)).collect::<Vec<_>>()})
            }
            ("ij", ["france", "millesime", _, "filiere", filiere]) => {
                let code =
                    if *filiere == "apprentissage" { apprentissage(CAP) } else { json!({"id_mefstat11": MEF[2]}) };
                let mut rows = measures(code.clone(), 4_000);
                rows.push(json!({"id_mesure": "salaire_TS_Q2_12_mois", "valeur_mesure": 1500, "dimensions": [code]}));
                rows.push(json!({"id_mesure": "mesure_nouvelle", "valeur_mesure": 3, "dimensions": [code]}));
                json!({"data": rows})
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
            ("onisep", ["formations.json"]) => json!([
                {"url_et_id_onisep": "https://onisep/slug/FOR.1", "code_scolarite": CFD, "code_rncp": "38718", "duree": "3 ans"},
                {"url_et_id_onisep": "", "code_scolarite": CAP, "code_rncp": ""}]),
            ("onisep", ["passage.json"]) => {
                json!([{"certif_info_ci_identifiant": "2", "ideo_identifiant_formation": "FOR.2",
                "ci_code_rncp": "", "ci_code_scolarite": CAP}])
            }
            ("catalogue", ["entity", "formations", request]) => {
                let row = |n: u32, place: &str| json!({"_id": format!("id{n}"), "cfd": CFD, "uai_formation": place, "etablissement_formateur_uai": "0750001U", "etablissement_gestionnaire_uai": "0750001U", "rncp_code": "RNCP38718"});
                let rows: Vec<Value> =
                    if request.contains("page=1&") { vec![row(1, "0750001U"), row(2, "0750002V")] } else { vec![] };
                json!({"formations": rows, "pagination": {"total": 2}})
            }
            _ => return (404, json!({"msg": "inconnu"})),
        };
        (200, body)
    }
}

fn acce() -> Vec<u8> {
    let mut text = String::from(
        "numero_uai;nature_uai;departement_insee_3;academie;appellation_officielle;pays_libe;date_ouverture\n",
    );
    for uai in UAIS {
        let (departement, academie) = if uai.starts_with("069") { ("069", "10") } else { ("075", "01") };
        text += &format!("{uai};320;{departement};{academie};LYCEE {uai} É;France;01/05/1965\n");
    }
    // The last line does not end.
    text += "0750009Z;320;075;01;FAUSSE LETTRE;France;01/05/1965";
    // ISO-8859-1.
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

/// Files in CSV, each without an end of its last line.
fn file(url: &str) -> Option<Vec<u8>> {
    Some(match url {
        "https://meres/meres.csv" => b"numero_uai_trouve;numero_uai_mere;type_rattachement\n0750001U;0690001B;AN\n\
            0750002V;0750002V;AN\n0750003W;0690001B;AN"
            .to_vec(),
        "https://certifinfo/ouvert.csv" => {
            let head = "\u{feff}Code_Diplome;Libelle_Diplome;Code_RNCP;Code_Scolarité;codeIdeo2;Code_Ancien_Diplome";
            format!("{head}\n1;Ma\u{e7}on;38718;{CFD};FOR.1;2\n1;Ma\u{e7}on;38718;{CFD};FOR.3;2\n2;Gros œuvre;;{OLD};;\n;;;;;")
                .into_bytes()
        }
        _ if url.starts_with("https://acce") => acce(),
        _ => return None,
    })
}

pub struct Pieces(pub VecDeque<Result<Vec<u8>, FetchError>>);

impl Body for Pieces {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        self.0.pop_front().transpose()
    }
}

impl Fetch for Services {
    type Body = Pieces;

    async fn fetch(&self, request: &ServiceRequest) -> Result<ServiceResponse<Pieces>, FetchError> {
        let response = |status: u16, headers: Vec<(String, String)>, body: Vec<u8>| {
            let pieces = body.chunks(700).map(|c| Ok(c.to_vec())).collect();
            Ok(ServiceResponse { status, headers, body: Pieces(pieces) })
        };
        if request.method == Method::Post {
            let cookie = ("set-cookie".to_owned(), "connect.sid=SID; Path=/".to_owned());
            return response(200, vec![cookie], br#"{"access_token": "JETON", "token": "JETON"}"#.to_vec());
        }
        self.0.calls.borrow_mut().push(request.url.clone());
        let outage =
            self.0.outages.borrow_mut().iter_mut().find(|(at, _, n)| request.url.contains(at.as_str()) && *n > 0).map(
                |(_, outage, n)| {
                    *n -= 1;
                    outage.clone()
                },
            );
        let (outage_status, body) = match file(&request.url) {
            Some(file) => (200, file),
            None => {
                let (outage_status, body) = self.respond(&request.url);
                (outage_status, body.to_string().into_bytes())
            }
        };
        match outage {
            None => response(outage_status, Vec::new(), body),
            Some(Outage::Status(outage_status)) => {
                response(outage_status, Vec::new(), br#"{"msg": "en panne"}"#.to_vec())
            }
            Some(Outage::Wait(outage_status, delay)) => {
                response(outage_status, vec![("Retry-After".into(), delay.into())], Vec::new())
            }
            Some(Outage::Cut) => {
                let start = body.get(..body.len() / 2).unwrap_or_default().to_vec();
                Ok(ServiceResponse {
                    status: 200,
                    headers: Vec::new(),
                    body: Pieces([Ok(start), Err(FetchError::Interrupted)].into()),
                })
            }
            Some(Outage::Silence) => pending().await,
            Some(Outage::Body(text)) => response(200, Vec::new(), text.into_bytes()),
        }
    }
}

impl Clock for Services {
    fn now_ms(&self) -> u64 {
        self.now()
    }

    async fn sleep(&self, ms: u64) {
        self.pass(ms);
    }

    fn random(&self) -> f64 {
        0.5
    }
}

/// How many calls were made to each service.
pub fn by_service(calls: &[String]) -> BTreeMap<String, usize> {
    let mut by = BTreeMap::new();
    for url in calls {
        let host = url.split("://").nth(1).and_then(|r| r.split('/').next()).unwrap_or_default();
        *by.entry(host.to_owned()).or_default() += 1;
    }
    by
}
