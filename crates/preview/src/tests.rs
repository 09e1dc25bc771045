//! A generation that waits, beside the one that is served.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use super::*;
use api::VariableFault;
use futures_executor::block_on;
use publication::double::TurnedWorld;
use publication::{Job, Mode, Opening, PublicationOptions};
use published::Push;
use serde_json::Value;
use store::reading::Cache;
use store::{KeyValue, MemoryStore, StoreError};

const SECRET: &str = "un-secret-d-import";

#[derive(Clone, Default)]
struct World(Rc<MemoryStore>);

impl KeyValue for World {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key).await
    }
}

impl Runtime for World {
    type Kv = Self;

    fn kv(&self) -> Self {
        self.clone()
    }

    fn cache(&self) -> Rc<Cache> {
        Rc::new(Cache::new())
    }

    async fn variable(&self, name: &str) -> Result<String, VariableFault> {
        Ok(if name == "import_secret" { SECRET } else { "" }.to_owned())
    }

    fn now_ms(&self) -> i64 {
        domain::date::read_iso("2026-11-27").unwrap()
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }
}

/// Forty certifications and courses of which every rate is `rate`; the last one counts fewer than twenty.
fn rows(rate: u64) -> String {
    let mut text = String::new();
    for n in 0..40 {
        let size = if n == 39 { 13 } else { 40 };
        let mut doc = json!({"code_certification": format!("400252{n:02}"), "code_certification_type": "cfd",
            "code_formation_diplome": format!("400252{n:02}"), "libelle": "Cuisine", "filiere": "apprentissage",
            "diplome": {"code": "3", "libelle": "CAP"}, "nb_annee_term": size, "nb_sortant": size / 2,
            "taux_en_formation": rate});
        doc["millesime"] = "2023".into();
        text += &format!("{}\n", json!({"kind": "certification", "doc": doc}));
        doc["millesime"] = "2022_2023".into();
        doc["uai"] = "0750652B".into();
        doc["region"] = json!({"code": "11", "nom": "Île-de-France"});
        doc["academie"] = json!({"code": "01", "nom": "Paris"});
        text += &format!("{}\n", json!({"kind": "formation", "doc": doc}));
        let bcn = json!({"type": "cfd", "code_certification": doc["code_certification"],
            "code_formation_diplome": doc["code_certification"], "libelle": "Cuisine"});
        text += &format!("{}\n", json!({"kind": "bcn", "doc": bcn}));
    }
    text
}

fn publish(world: &World, id: &str, rate: u64, options: PublicationOptions) -> Job {
    let push = Push {
        opening: Opening { mode: Mode::Add, ..Opening::default() },
        world: TurnedWorld::at(world.now_ms()),
        options,
        file: Some("envoi.ndjson"),
    };
    push.publish(&world.0, id, &rows(rate))
}

fn waits() -> PublicationOptions {
    PublicationOptions { await_sign_off: true, ..PublicationOptions::default() }
}

fn get(world: &World, target: &str, headers: &[(&str, &str)]) -> Response {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(String, String)> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let request = Request {
        method: "GET".into(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.into(),
        body: Vec::new(),
    };
    block_on(respond(world, request))
}

fn body(response: &Response) -> String {
    match &response.body {
        ResponseBody::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        ResponseBody::Stream(_) => String::new(),
    }
}

fn operator(world: &World) -> Value {
    let bearer = format!("Bearer {SECRET}");
    let answer = get(world, ROOT, &[("authorization", &bearer)]);
    assert_eq!(answer.status, 200, "{}", body(&answer));
    serde_json::from_str(&body(&answer)).unwrap()
}

/// A store where one generation is served and another one waits; the path of the latter.
fn waiting_beside_served() -> (World, String, Job) {
    let world = World::default();
    publish(&world, "a", 50, PublicationOptions::default());
    let job = publish(&world, "b", 70, waits());
    let told = operator(&world);
    let path = told["apercus"][0]["chemin"].as_str().unwrap().to_owned();
    assert_eq!((told["apercus"].as_array().unwrap().len(), &told["apercus"][0]["travail"]), (1, &json!("b")));
    (world, path, job)
}

#[test]
fn the_api_and_the_site_are_shown_as_they_would_be_and_nothing_served_changes() {
    let (world, path, _) = waiting_beside_served();
    let at = |target: &str| get(&world, &format!("{path}{target}"), &[("accept-encoding", "gzip")]);
    let document = at("api/inserjeunes/certifications/CFD:40025201");
    assert!(body(&document).contains("\"taux_en_formation\":70"), "{}", body(&document));
    let course = at("api/inserjeunes/formations/0750652B-40025201");
    assert!(body(&course).contains("\"taux_en_formation\":70"), "{}", body(&course));
    // Lists are open: whoever came this far may read them.
    let list = body(&at("api/inserjeunes/certifications.csv?items_par_page=100"));
    assert_eq!((list.lines().count(), list.matches(";70;").count()), (41, 39), "{list}");
    // The threshold holds here as everywhere.
    let hidden = body(&at("api/inserjeunes/certifications/CFD:40025239"));
    assert!(hidden.contains("\"taux_en_formation\":null"), "{hidden}");
    for target in ["", "certifications/40025201", "etablissements/0750652B/40025201", "etat", "recherche?q=cuisine"] {
        let page = at(target);
        let text = body(&page);
        assert_eq!(page.status, 200, "{target}: {text}");
        assert!(text.contains("n’est pas en service") && !text.contains("href=\"/"), "{target}: {text}");
        let length = page.header("content-length").map(|length| length.parse::<usize>().unwrap());
        assert!(length.is_none_or(|length| length == text.len()), "{target}");
    }
    let start = body(&at(""));
    assert!(start.contains("<td>40</td>") && start.contains("differences.csv"), "{start}");
    let table = body(&at("differences.csv"));
    assert!(table.contains("changé;certifications;;40025201;2023;apprentissage;taux_en_formation;50;70\n"), "{table}");
    assert!(!table.contains("40025239;2023;apprentissage;taux"), "what is hidden did not change");
    assert!(body(&at("couverture.csv")).contains("certifications;2023;apprentissage;ensemble;\"\";40;39;1;40;1"));
    let traced = body(&at("trace.json?code=40025201&lieu=0750652B"));
    assert!(traced.contains("envoi.ndjson") && traced.contains("\"travail\":\"b\""), "{traced}");
    // Files are the application's own.
    let style = at("static/style.css");
    assert_eq!((style.status, style.header("location")), (307, Some("../../../../static/style.css")));
    // Outside of the preview the generation before is served.
    let served = Request {
        method: "GET".into(),
        path: "/api/inserjeunes/certifications/CFD:40025201".into(),
        ..Request::default()
    };
    assert!(body(&block_on(routes::certifications(&world, served))).contains("\"taux_en_formation\":50"));
}

#[test]
fn nobody_keeps_an_answer_of_a_preview_and_no_other_site_reads_it() {
    let (world, path, job) = waiting_beside_served();
    for target in
        ["", "api/inserjeunes/certifications/CFD:40025201", "certifications/40025201", "differences.csv", "nulle/part"]
    {
        let answer = get(&world, &format!("{path}{target}"), &[]);
        let of = |name: &str| answer.header(name);
        assert_eq!((of("cache-control"), of("referrer-policy")), (Some("no-store"), Some("no-referrer")), "{target}");
        assert_eq!((of("access-control-allow-origin"), of("etag")), (None, None), "{target}");
        assert!(of("x-robots-tag").is_some_and(|tag| tag.contains("noindex")), "{target}");
        assert_eq!(of("x-generation"), job.generation.as_deref(), "{target}");
        assert_eq!(answer.headers.iter().filter(|(name, _)| *name == "cache-control").count(), 1, "{target}");
    }
}

#[test]
fn a_token_opens_its_generation_as_long_as_it_waits_and_nothing_else() {
    let (world, path, job) = waiting_beside_served();
    let generation = job.generation.unwrap();
    let token = path.trim_matches('/').rsplit('/').next().unwrap().to_owned();
    let bearer = format!("Bearer {SECRET}");
    let forged = token.replace(['a', 'b', 'c', 'd', 'e', '1', '2', '3'], "0");
    let other = token.replacen(&generation, "g1", 1);
    for (target, headers, expected) in [
        (format!("{ROOT}/{token}/api/status"), vec![], 200),
        (format!("{ROOT}/{token}"), vec![], 308),
        (format!("{ROOT}/{generation}/api/status"), vec![("authorization", bearer.as_str())], 200),
        (format!("{ROOT}/{generation}/api/status"), vec![], 401),
        (format!("{ROOT}/{forged}/api/status"), vec![], 401),
        (format!("{ROOT}/{other}/api/status"), vec![], 401),
        (format!("{ROOT}/-/"), vec![], 401),
        (ROOT.to_owned(), vec![], 401),
        (ROOT.to_owned(), vec![("authorization", "Bearer autre")], 401),
        // A generation that is served, or that is not there, is no preview.
        (format!("{ROOT}/g1/api/status"), vec![("authorization", bearer.as_str())], 404),
        (format!("{ROOT}/g99/api/status"), vec![("authorization", bearer.as_str())], 404),
        (format!("{ROOT}x"), vec![], 404),
    ] {
        assert_eq!(get(&world, &target, &headers).status, expected, "{target} {headers:?}");
    }
    let post = Request { method: "POST".into(), path: format!("{path}api/status"), ..Request::default() };
    assert_eq!(block_on(respond(&world, post)).status, 404, "a preview changes nothing");
    // Signed, it is in force: the address leads nowhere, and the API says the same as the preview did.
    let order = PublicationOptions { parts: 1, sign_off: true, ..PublicationOptions::default() };
    block_on(Job::publish(&*world.0, "b", order, 0)).unwrap();
    let turned = TurnedWorld::at(world.now_ms());
    assert_eq!(published::finish(&world.0, &turned, "b").step, publication::JobStep::Published);
    assert_eq!(get(&world, &format!("{path}api/status"), &[]).status, 404);
    assert_eq!(operator(&world)["apercus"], json!([]));
    let served = Request {
        method: "GET".into(),
        path: "/api/inserjeunes/certifications/CFD:40025201".into(),
        ..Request::default()
    };
    assert!(body(&block_on(routes::certifications(&world, served))).contains("\"taux_en_formation\":70"));
}

#[test]
fn what_is_damaged_in_a_preview_is_told_and_not_answered_from_what_is_served() {
    let (world, path, job) = waiting_beside_served();
    let generation = job.generation.unwrap();
    for key in world.0.keys().into_iter().filter(|key| key.starts_with(&format!("{generation}:certifications:"))) {
        world.0.corrupt(&key, None);
    }
    let answer = get(&world, &format!("{path}api/inserjeunes/certifications/CFD:40025201"), &[]);
    assert_eq!(answer.status, 503, "{}", body(&answer));
}
