//! Statistics in forms that the services announce: regional ones of higher education, single years of secondary education.

use crate::common::ReadStore;
use crate::instance::Instance;
use api::{Request, Response, ResponseBody, routes};
use domain::date;
use futures_executor::block_on;
use publication::double::TurnedWorld;
use publication::{Job, JobStep, Mode, Opening, PlausibilityRules};
use published::Push;
use serde_json::{Value, json};

fn instance() -> Instance<ReadStore> {
    Instance { now: date::read_iso("2026-11-27").unwrap(), ..Instance::default() }
}

fn publish(instance: &Instance<ReadStore>, id: &str, rows: &[Value]) -> Job {
    let rules = PlausibilityRules { year: Some(2026), ..PlausibilityRules::default() };
    let push = Push {
        opening: Opening { mode: Mode::Add, ..Opening::default() },
        world: TurnedWorld { plausibility: Some(rules), ..TurnedWorld::at(instance.now) },
        ..Push::default()
    };
    push.publish(&instance.store.0, id, &published::lines(rows))
}

fn get(response: Response) -> (u16, Value) {
    let ResponseBody::Bytes(bytes) = response.body else { return (response.status, Value::Null) };
    (response.status, serde_json::from_slice(&bytes).unwrap())
}

fn request(target: &str) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = vec![("x-api-key".to_owned(), "cle".to_owned())];
    Request { method: "GET".into(), path: path.into(), query: query.into(), headers: headers.into(), body: Vec::new() }
}

fn statistic(kind: &str, code: &str, filiere: &str, millesime: &str, rate: u64) -> Value {
    let mut doc = json!({"code_certification": code, "filiere": filiere, "millesime": millesime, "libelle": "X",
        "region": {"code": "11", "nom": "Île-de-France"}, "nb_annee_term": 40, "nb_sortant": 20,
        "nb_poursuite_etudes": 20, "taux_en_formation": rate});
    if kind == "formation" {
        doc["uai"] = "0750652B".into();
        doc["academie"] = json!({"code": "01", "nom": "Paris"});
    }
    json!({"kind": kind, "doc": doc})
}

#[test]
fn regional_statistics_of_higher_education_stand_beside_those_of_secondary_education() {
    let instance = instance();
    let secondary: Vec<Value> =
        (0..30).map(|n| statistic("regionale", &format!("400252{n:02}"), "apprentissage", "2022_2023", 50)).collect();
    assert_eq!(publish(&instance, "a", &secondary).step, JobStep::Published);
    // Of the same millesime: both are in force.
    let superior = statistic("regionale", "2500249", "superieur", "2022_2023", 60);
    assert_eq!(publish(&instance, "b", &[superior]).step, JobStep::Published);
    let ask = |target: &str| get(block_on(routes::regionales(&instance, request(target))));
    let (status, document) = ask("/api/inserjeunes/regionales/11/certifications/SISE:2500249");
    assert_eq!((status, &document["taux_en_formation"]), (200, &json!(60)), "{document}");
    let (_, list) = ask("/api/inserjeunes/regionales/11?items_par_page=100");
    assert_eq!(list["pagination"]["total"], 31);
    // Of a later one, which only higher education has: it is not put in force unasked, for the others would vanish.
    let job = publish(&instance, "c", &[statistic("regionale", "2500249", "superieur", "2023_2024", 61)]);
    assert_eq!(job.step, JobStep::AwaitConfirmation);
    assert_eq!(job.summary.in_force_to_confirm, ["regionales : 2023_2024 n'a que 1 documents, 2022_2023 en a 31"]);
}

#[test]
fn single_years_of_secondary_education_are_served_and_told_where_they_meet_a_period() {
    let instance = instance();
    let periods: Vec<Value> =
        (0..30).map(|n| statistic("formation", &format!("400252{n:02}"), "apprentissage", "2022_2023", 50)).collect();
    assert_eq!(publish(&instance, "a", &periods).step, JobStep::Published);
    let years: Vec<Value> =
        (0..30).map(|n| statistic("formation", &format!("400252{n:02}"), "apprentissage", "2024", 70)).collect();
    let job = publish(&instance, "b", &years);
    // The form is noted, and the year is in force: it is as full as the period before it.
    assert_eq!(job.step, JobStep::Published, "{:?}", job.summary);
    assert_eq!(job.summary.anomalies.rules["millesime_maille"].count, 30);
    let ask = |target: &str| get(block_on(routes::formations(&instance, request(target))));
    let (status, document) = ask("/api/inserjeunes/formations/0750652B-40025201");
    assert_eq!((status, &document["millesime"], &document["taux_en_formation"]), (200, &json!("2024"), &json!(70)));
    let (_, before) = ask("/api/inserjeunes/formations/0750652B-40025201?millesime=2022_2023");
    assert_eq!(before["taux_en_formation"], 50);
    // The same year as the end of a period: two documents, named.
    let job = publish(&instance, "c", &[statistic("formation", "40025201", "apprentissage", "2023", 55)]);
    assert_eq!(job.summary.anomalies.rules["millesime_maille"].count, 1);
    let told = job.summary.anomalies.rules["millesime_maille"].examples[0].clone();
    assert!(told.contains("la même période sous deux écritures"), "{told}");
}
