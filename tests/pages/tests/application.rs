//! The pages and the routes beside them, on the built application with the sample.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test stops where it fails")]

use host::testing::{Fault, Faults, Operation};
use pages_tests::start;
use serde_json::{Value, json};
use std::process::Command;
use support::{Application, Request, root};

fn page(app: &Application, path: &str) -> String {
    let answer = app.send(&Request::get(path).header("accept", "text/html")).unwrap();
    assert_eq!(answer.status, 200, "{path}");
    assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{path}");
    assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"), "{path}");
    answer.text()
}

#[test]
fn pages_answer_people_and_the_root_answers_programs_as_recorded() {
    let app = start().unwrap();
    for (path, words) in [
        ("/", "Que deviennent les jeunes après une formation"),
        ("/recherche?q=accueil", "résultat"),
        ("/certifications/40099011", "Sur 100 jeunes"),
        ("/etablissements/9749801K", "Lycée polyvalent fictif du Canal"),
        ("/methode", "Pourquoi certains chiffres manquent"),
        ("/api/doc", "Documentation de l’API"),
        ("/api/doc/erreurs", "id=\"millesime\""),
        ("/etat", "Millésimes en vigueur"),
        ("/api/doc/appariement", "Apparier un catalogue"),
        ("/api/doc/conditions", "Licence Ouverte 2.0"),
    ] {
        assert!(page(&app, path).contains(words), "{path}");
    }
    // Links inside the page hold under one address only.
    let slash = app.send(&Request::get("/api/doc/").header("accept", "text/html")).unwrap();
    assert_eq!((slash.status, slash.header("location")), (308, Some("../doc")));
    let program = app.send(&Request::get("/")).unwrap();
    assert_eq!(program.json()["message"], "Not Found");
    assert_eq!(app.get("/static/absent.js").unwrap().status, 404);
    assert_eq!(app.get("/api/doc/absent").unwrap().status, 404);
}

#[test]
fn files_are_sent_compressed_or_not_and_known_ones_not_at_all() {
    let app = start().unwrap();
    for name in ["style.css", "site.js", "dsfr.css", "doc.js", "swagger-ui-bundle.js"] {
        let path = format!("/static/{name}");
        let plain = app.send(&Request::get(&path)).unwrap();
        if plain.status == 404 && name.starts_with("swagger") {
            support::skipped(
                "files_are_sent_compressed_or_not, Swagger UI",
                "scripts/assets --install, then scripts/build",
            );
            continue;
        }
        let gzip = app.send(&Request::get(&path).header("accept-encoding", "gzip")).unwrap();
        assert_eq!((plain.status, gzip.status), (200, 200), "{name}");
        assert_eq!(gzip.header("content-encoding"), Some("gzip").filter(|_| plain.body.len() > 1024), "{name}");
        assert!(gzip.body.len() <= plain.body.len(), "{name}");
        for answer in [&plain, &gzip] {
            let mut again = Request::get(&path).header("if-none-match", answer.header("etag").unwrap());
            if answer.header("content-encoding").is_some() {
                again = again.header("accept-encoding", "gzip");
            }
            let again = app.send(&again).unwrap();
            assert_eq!((again.status, again.body.len()), (304, 0), "{name}");
        }
    }
}

#[test]
fn pages_of_the_site_have_one_address_and_say_what_they_are() {
    let app = start().unwrap();
    for path in
        ["/certifications/40099011", "/etablissements/9749801K", "/etablissements/9749801K/01099051", "/methode"]
    {
        let text = page(&app, path);
        let canonical = format!("<link rel=\"canonical\" href=\"{}{}\">", api::links::way_to_root(path), &path[1..]);
        assert!(text.contains(&canonical), "{path}: {canonical}");
        for part in ["<title>", "<meta name=\"description\"", "<h1", "<main"] {
            assert!(text.contains(part), "{path}: {part}");
        }
        let answer = app.send(&Request::get(path)).unwrap();
        assert!(answer.header("cache-control").unwrap().starts_with("public, max-age=600"), "{path}");
        let again = Request::get(path).header("if-none-match", answer.header("etag").unwrap());
        assert_eq!(app.send(&again).unwrap().status, 304, "{path}");
    }
    // A code of a course leads to its certification.
    let mef = app.get("/certifications/23830099011").unwrap();
    assert_eq!((mef.status, mef.header("location")), (308, Some("../certifications/40099011")));
    for path in ["/certifications/99999999", "/certifications/abc", "/etablissements/9999999X", "/etablissements/x"] {
        let answer = app.send(&Request::get(path)).unwrap();
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("Chercher une formation"), "{path}: a way on");
    }
    assert_eq!(app.get("/certifications").unwrap().json()["message"], "Not Found");
}

/// What the page shows of a statistic is what the API answers of it, and nothing where it hides it.
#[test]
fn invariant_3_pages_show_what_the_api_publishes() {
    let app = start().unwrap();
    let documents = std::fs::read_to_string(root().join("data/formation.ndjson")).unwrap();
    let (mut shown, mut hidden) = (0, 0);
    for line in documents.lines().filter(|line| line.contains("\"2022_2023\"") && line.contains("taux_en_formation")) {
        let pushed: Value = serde_json::from_str(line).unwrap();
        let (uai, code) =
            (pushed["doc"]["uai"].as_str().unwrap(), pushed["doc"]["code_certification"].as_str().unwrap());
        if code.len() == 7 || (shown > 20 && hidden > 20) {
            continue;
        }
        let answer = app.get(&format!("/api/inserjeunes/formations/{uai}-{code}")).unwrap().json();
        let path = format!("/etablissements/{uai}/{code}");
        let text = page(&app, &path);
        let first = &text[..text.find("Et ailleurs").or(text.find("Année après")).unwrap_or(text.len())];
        match answer["taux_en_emploi_6_mois"].as_i64() {
            Some(rate) => {
                shown += 1;
                assert!(first.contains(&format!("{rate} ont un emploi")), "{path}");
            }
            None => {
                hidden += 1;
                assert!(!first.contains("Sur 100 jeunes") || first.contains("(20"), "{path}");
                let rate = pushed["doc"]["taux_en_emploi_6_mois"].as_i64().unwrap();
                let sentence = format!(
                    "(2022 et 2023), {} continuent leurs études, {rate} ont",
                    pushed["doc"]["taux_en_formation"]
                );
                assert!(!text.contains(&sentence), "{path}");
            }
        }
    }
    assert!(shown > 5 && hidden > 5, "{shown} {hidden}");
}

#[test]
fn search_engines_find_every_page_with_data_where_the_address_is_told() {
    let others = [("adresse_publique".to_owned(), "https://hote/prefixe".to_owned())].into();
    let told = support::Settings { others, ..support::Settings::default() };
    let app = Application::start(told).unwrap();
    app.push(&support::push::Push::all(pages_tests::sample().unwrap())).unwrap();
    assert!(app.get("/robots.txt").unwrap().text().contains("Sitemap: https://hote/prefixe/sitemap.xml"));
    let index = app.get("/sitemap.xml").unwrap().text();
    let mut pages = Vec::new();
    for part in index.split("<loc>https://hote/prefixe").skip(1) {
        let part = app.get(part.split('<').next().unwrap()).unwrap();
        assert_eq!(part.status, 200);
        let text = part.text();
        pages.extend(text.split("<loc>https://hote/prefixe").skip(1).map(|p| p.split('<').next().unwrap().to_owned()));
    }
    for path in ["/certifications/40099011", "/etablissements/9749801K", "/methode", "/"] {
        assert!(pages.iter().any(|page| page == path), "{path}: {pages:?}");
    }
    for path in &pages {
        assert_eq!(app.send(&Request::get(path).header("accept", "text/html")).unwrap().status, 200, "{path}");
    }
    // Without an address there is none to name.
    let silent = start().unwrap();
    assert_eq!(silent.get("/sitemap.xml").unwrap().status, 404);
    assert!(!silent.get("/robots.txt").unwrap().text().contains("Sitemap"));
}

#[test]
fn the_status_tells_what_is_published_and_nothing_of_the_work() {
    let app = start().unwrap();
    let answer = app.send(&Request::get("/api/status")).unwrap();
    let status = answer.json();
    assert_eq!((answer.status, &status["etat"]), (200, &Value::from("ok")));
    assert!(!status["documents"]["certifications"]["2023"].as_object().unwrap().is_empty());
    assert_eq!(status["imports"][0]["etape"], "publie");
    assert_eq!(status["imports"][0]["id"], status["publication"]["travail"]);
    assert_eq!(status["millesimes_en_vigueur"]["certifications"], "2023");
    let text = answer.text();
    for word in ["refus\":[", "work:", "taux_", "mot_de_passe", "_secret"] {
        assert!(!text.contains(word), "{word}");
    }
    assert!(page(&app, "/etat").contains("2022-2023"));
    // Before anything is published, the page says so.
    let empty = Application::start(support::Settings::default()).unwrap();
    assert_eq!(empty.get("/api/status").unwrap().json()["etat"], "vide");
    assert!(page(&empty, "/etat").contains("Rien n’est encore publié"));
}

/// What the list of exports says of a file is what a client finds in it.
#[test]
fn exports_are_listed_with_what_a_client_can_check() {
    let app = start().unwrap();
    let answer = app.send(&Request::get("/api/exports")).unwrap();
    let (told, status) = (answer.json(), app.get("/api/status").unwrap().json());
    let generations = told["generations"].as_array().unwrap();
    assert_eq!((answer.status, generations.len(), &generations[0]["generation"]), (200, 1, &status["generation"]));
    let html = page(&app, "/etat/exports");
    let mut names = Vec::new();
    for export in generations[0]["exports"].as_array().unwrap() {
        let (name, url) = (export["nom"].as_str().unwrap(), export["url"].as_str().unwrap());
        assert_eq!(export["empreinte"], status["publication"]["empreintes"][name], "{name}");
        assert!(
            html.contains(export["empreinte"].as_str().unwrap()) && html.contains(&format!("{name}.csv")),
            "{name}"
        );
        let file = app.get(&format!("/{}", url.strip_prefix("../").unwrap())).unwrap();
        assert_eq!(file.status, 200, "{url}");
        assert_eq!(file.header("x-total-count"), Some(export["lignes"].to_string().as_str()), "{name}");
        assert_eq!(file.header("x-total-count"), file.header("x-row-count"), "{name}");
        names.push(name);
    }
    assert_eq!(names, ["bcn", "certifications", "formations", "maille.academies", "regionales"]);
    // The generation before is told as long as it is there, without an address.
    let mut lines = pages_tests::sample().unwrap();
    lines.extend(br#"{"kind":"rncp","doc":{"code_certification":"40099010","rncp":"RNCP99990"}}"#);
    let job = app.push(&support::push::Push::all(lines)).unwrap();
    assert_eq!(job["etape"], "publie");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let told = app.send(&Request::get("/api/exports")).unwrap().json();
    let before = &told["generations"][1];
    assert_eq!((&before["generation"], &before["en_service"]), (&generations[0]["generation"], &json!(false)));
    assert_eq!(
        (&before["exports"][1]["empreinte"], &before["exports"][1]["url"]),
        (&generations[0]["exports"][1]["empreinte"], &Value::Null)
    );
}

#[test]
fn a_store_that_fails_is_told_as_such() {
    let app = start().unwrap();
    let faults = Faults::one(Fault { on: Operation::Get, ..Fault::default() });
    app.host.inject_faults(faults);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    for path in ["/api/status", "/api/recherche?q=accueil", "/certifications/40099011", "/recherche?q=accueil"] {
        let answer = app.send(&Request::get(path)).unwrap();
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.header("retry-after").is_some(), "{path}");
    }
}

#[test]
fn errors_lead_to_their_cause_and_to_the_closest_codes() {
    let app = start().unwrap();
    for (path, status, anchor, search) in [
        ("/api/inserjeunes/certifications/40099019", 404, "certification-inconnue", true),
        ("/api/inserjeunes/certifications/40099011?millesime=1999", 404, "millesime", false),
        ("/api/inserjeunes/certifications/abc", 400, "validation", false),
        ("/api/inserjeunes/formations/9749899X-01099051", 404, "etablissement-inconnu", true),
        ("/rien", 404, "route-inconnue", false),
        ("/api/recherche", 400, "recherche", false),
        ("/api/recherche?q=x&autre=1", 400, "recherche", false),
        ("/api/recherche?q=x&page=0", 400, "recherche", false),
        ("/api/recherche/certifications/40099019", 404, "pas-de-donnees", false),
        ("/api/recherche/rien/x", 404, "route-inconnue", false),
    ] {
        let answer = app.send(&Request::get(path)).unwrap();
        assert_eq!(answer.status, status, "{path}");
        let links: Vec<&str> = answer.headers.iter().filter(|(n, _)| n == "link").map(|(_, v)| v.as_str()).collect();
        let links = links.join(", ");
        let root = api::links::way_to_root(path.split('?').next().unwrap());
        assert!(links.contains(&format!("<{root}api/doc/erreurs#{anchor}>; rel=\"help\"")), "{path}: {links}");
        assert_eq!(links.contains("rel=\"search\""), search, "{path}: {links}");
        if let Some(target) = links.split('<').find(|l| l.contains("rel=\"search\"")).and_then(|l| l.split('>').next())
        {
            let target = target.replacen(&root, "/", 1);
            let found = app.send(&Request::get(&target)).unwrap().json();
            assert!(found["pagination"]["total"].as_u64().unwrap() > 0, "{path}: {found}");
        }
    }
}

#[test]
fn a_search_leads_to_documents() {
    let app = start().unwrap();
    let json = |path: &str| app.send(&Request::get(path)).unwrap().json();
    for result in json("/api/recherche?q=exemple&type=certification")["resultats"].as_array().unwrap() {
        for code in result["codes"].as_array().unwrap().iter().filter(|c| c["donnees"] == true) {
            let id = code["identifiant"].as_str().unwrap();
            let places = json(&format!("/api/recherche/certifications/{id}"));
            for years in places["nationales"].as_object().unwrap().values() {
                for year in years.as_array().unwrap() {
                    let path = format!("/api/inserjeunes/certifications/{id}?millesime={}", year.as_str().unwrap());
                    assert_eq!(app.send(&Request::get(&path)).unwrap().status, 200, "{path}");
                }
            }
            for region in places["regions"].as_array().unwrap().iter().take(1) {
                let code = region["code"].as_str().unwrap();
                for there in json(&format!("/api/recherche/certifications/{id}?region={code}"))["etablissements"]
                    .as_array()
                    .unwrap()
                {
                    let uai = there["uai"].as_str().unwrap();
                    let year = there["millesimes"][0].as_str().unwrap();
                    let path = format!("/api/inserjeunes/formations/{uai}-{id}?millesime={year}");
                    assert_eq!(app.send(&Request::get(&path)).unwrap().status, 200, "{path}");
                }
            }
        }
    }
    assert_eq!(json("/api/recherche?q=9749801K")["resultats"][0]["uai"], "9749801K");
}

/// The examples of the description (`components.examples`): a name, and the path that answers it.
const EXAMPLES: [(&str, &str); 31] = [
    ("certification", "/api/inserjeunes/certifications/40099011?millesime=2023"),
    ("certification-superieur", "/api/inserjeunes/certifications/SISE:2599901?millesime=2023"),
    ("certification-inconnue", "/api/inserjeunes/certifications/99999999"),
    ("certification-millesime", "/api/inserjeunes/certifications/40099011?millesime=1999"),
    ("certification-validation", "/api/inserjeunes/certifications/abc"),
    ("filieres", "/api/inserjeunes/certifications/40099011?vue=filieres"),
    ("certifications", "/api/inserjeunes/certifications?items_par_page=1"),
    ("regionale", "/api/inserjeunes/regionales/04/certifications/40099013"),
    ("regionale-pas-de-donnees", "/api/inserjeunes/regionales/94/certifications/40099013"),
    ("regionales", "/api/inserjeunes/regionales?items_par_page=1"),
    ("regionales-region", "/api/inserjeunes/regionales/11?items_par_page=1"),
    ("formation", "/api/inserjeunes/formations/9749801K-01099051"),
    ("formation-sous-seuil", "/api/inserjeunes/formations/0359834Z-16X99082"),
    ("formation-etablissement-inconnu", "/api/inserjeunes/formations/9999999X-01099051"),
    ("formations", "/api/inserjeunes/formations?items_par_page=1"),
    ("bcn", "/api/inserjeunes/bcn?items_par_page=1"),
    ("mailles", "/api/inserjeunes/mailles"),
    ("maille", "/api/inserjeunes/mailles/academies?items_par_page=1"),
    ("maille-lieu", "/api/inserjeunes/mailles/academies/10?items_par_page=1"),
    ("maille-certification", "/api/inserjeunes/mailles/academies/28/certifications/40099013"),
    ("recherche", "/api/recherche?q=accueil"),
    ("recherche-certification", "/api/recherche/certifications/40099013"),
    ("recherche-region", "/api/recherche/certifications/40099013?region=04"),
    ("recherche-etablissement", "/api/recherche/etablissements/9749801K"),
    ("identifiant", "/api/inserjeunes/identifiants/MEF/2389901133?date_campagne=2025-08-31"),
    ("identifiant-choix", "/api/inserjeunes/identifiants/RNCP/RNCP99001?millesime=2023&date_campagne=2025-08-31"),
    (
        "appariement-ligne",
        "/api/appariement/formation?codeformationaccueil=1&uai_ges=9749801K&codemef=3229904121&date_campagne=2025-08-31",
    ),
    (
        "appariement-explication",
        "/api/appariement/formation?uai_ges=9749801K&codemef=2389901133&date_campagne=2025-08-31&explication=1&blocs=insertion",
    ),
    ("appariement-codes", "/api/appariement/codes?codemef=3229904121&date_campagne=2025-08-31"),
    ("appariement-suggestions", "/api/appariement/etablissements/9749802L/suggestions"),
    ("appariement-raisons", "/api/appariement/raisons"),
];

/// The catalogue of the examples, and what posting it answers: a name, the route, the form.
const CATALOGUE: &str = include_str!("../catalogue.csv");
const POSTED: [(&str, &str, &str); 4] = [
    ("appariement-csv", "/api/appariement/formations?date_campagne=2025-08-31", "text/csv"),
    (
        "appariement-ndjson",
        "/api/appariement/formations?date_campagne=2025-08-31&colonnes=retenues&blocs=insertion",
        "application/x-ndjson",
    ),
    ("appariement-codes-ndjson", "/api/appariement/codes?date_campagne=2025-08-31", "application/x-ndjson"),
    ("appariement-couverture", "/api/appariement/couverture?date_campagne=2025-08-31", "application/json"),
];
/// The example of a request.
const SENT: &str = "appariement-catalogue";

/// Paths that need no description: pages, not answers of the API.
const PAGES: [&str; 8] = [
    "/",
    "/etat",
    "/etat/exports",
    "/etat/changements",
    "/api/doc",
    "/api/doc/erreurs",
    "/api/doc/appariement",
    "/api/doc/conditions",
];

/// Examples of the description are what the application answers. `ENREGISTRER=1` records them.
#[test]
fn examples_are_what_the_application_answers() {
    let app = start().unwrap();
    let file = root().join("crates/pages/openapi.json");
    let mut description: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let examples = description["components"]["examples"].as_object_mut().unwrap();
    let names = EXAMPLES.into_iter().map(|(name, _)| name).chain(POSTED.into_iter().map(|(name, ..)| name));
    assert!(examples.keys().eq(names.chain([SENT])), "{:?}", examples.keys());
    let record = std::env::var_os("ENREGISTRER").is_some();
    let post = |path: &str, accept: &str| {
        let request = Request::new("POST", path).header("x-api-key", &app.settings.legacy_api_key);
        let answer = app.send(&request.header("accept", accept).body(CATALOGUE)).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        // Rows are an example as a text.
        if accept == "application/json" { answer.json() } else { Value::from(answer.text()) }
    };
    let gotten = EXAMPLES.into_iter().map(|(name, path)| (name, app.get(path).unwrap().json()));
    let posted = POSTED.into_iter().map(|(name, path, accept)| (name, post(path, accept)));
    for (name, found) in gotten.chain(posted).chain([(SENT, Value::from(CATALOGUE))]) {
        if record {
            examples[name]["value"] = found;
        } else {
            assert_eq!(examples[name]["value"], found, "{name}: record again with ENREGISTRER=1");
        }
    }
    if record {
        std::fs::write(&file, serde_json::to_string_pretty(&description).unwrap() + "\n").unwrap();
    }
}

/// The served description is that of the sources, and none of its routes is unknown.
#[test]
fn the_description_is_served_and_its_routes_exist() {
    let app = start().unwrap();
    let served = app.get("/api/doc/openapi.json").unwrap().json();
    let mut file: Value =
        serde_json::from_str(&std::fs::read_to_string(root().join("crates/pages/openapi.json")).unwrap()).unwrap();
    // The server is named by the way to the root: the service does not know under which prefix it lies.
    assert_eq!((&file["servers"][0]["url"], &served["servers"][0]["url"]), (&json!("/"), &json!("../../")));
    file["servers"] = served["servers"].clone();
    let texts = file["info"]["description"].as_str().unwrap().replace("](/", "](../");
    file["info"]["description"] = texts.into();
    assert_eq!(served, file, "build the components again");
    for (path, operations) in served["paths"].as_object().unwrap() {
        let path = path
            .replace("{codes}", "40099013")
            .replace("certifications/{code_certification}", "certifications/40099013")
            .replace("{code_certification}", "01099051")
            .replace("{uai}", "9749801K")
            .replace("{region}", "04")
            .replace("{maille}", "academies")
            .replace("{lieu}", "28")
            .replace("{systeme}", "RNCP")
            .replace("{code}", "RNCP99001");
        for method in operations.as_object().unwrap().keys() {
            let answer = app.send(&Request::new("OPTIONS", &path)).unwrap();
            let allow = answer.header("allow").unwrap_or("GET, HEAD").to_owned();
            assert!(allow.contains(&method.to_uppercase()), "{method} {path}: {allow}");
            if method == "get" {
                let query = if path == "/api/recherche" { "?q=accueil" } else { "" };
                let answer = app.get(&format!("{path}{query}")).unwrap();
                let expected = match path.as_str() {
                    // The shared key is nobody's own.
                    "/api/inserjeunes/auth/cle" => 401,
                    // A diploma of two voies: a choice.
                    "/api/inserjeunes/identifiants/RNCP/RNCP99001" => 300,
                    _ => 200,
                };
                assert_eq!(answer.status, expected, "{path}: {}", answer.text());
            }
        }
    }
    for page in PAGES {
        assert_eq!(app.send(&Request::get(page).header("accept", "text/html")).unwrap().status, 200, "{page}");
    }
}

/// What changed is told as JSON, as a feed and as a page, all of it to be kept by caches; a rollback is told too.
#[test]
fn what_changed_is_told_to_programs_readers_of_feeds_and_people() {
    let app = start().unwrap();
    let lines = String::from_utf8(pages_tests::sample().unwrap()).unwrap();
    let changed =
        lines.lines().find(|line| line.contains("\"formation\"") && line.contains("\"nb_annee_term\":")).unwrap();
    let mut line: Value = serde_json::from_str(changed).unwrap();
    line["doc"]["nb_annee_term"] = 1234.into();
    let text = |field: &str| line["doc"][field].as_str().unwrap().to_owned();
    let (key, year) = (format!("{}-{}", text("uai"), text("code_certification")), text("millesime"));
    let body = lines.replacen(changed, &line.to_string(), 1);
    app.push(&support::push::Push::all(body.into_bytes())).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_100));

    let since = app.get("/api/changements?depuis=g1").unwrap();
    let told = &since.json()["mailles"]["formations"];
    assert_eq!(told["route"], "formations");
    let keys = json!({"tout": false, "ajoutes": [], "retires": [], "changes": [key]});
    assert_eq!(told["millesimes"][&year], keys, "{}", since.text());
    assert_eq!(app.get(&format!("/api/inserjeunes/formations/{key}?millesime={year}")).unwrap().status, 200);
    let list = app.get("/api/changements").unwrap().json();
    let (last, first) = (&list["bascules"][0], &list["bascules"][1]);
    assert_eq!((&last["de"], &last["a"], &last["retour"]), (&json!("g1"), &json!("g2"), &json!(false)));
    assert_eq!(last["mailles"]["formations"][&year]["changes"], 1);
    assert_eq!((&first["de"], &first["tout"]), (&Value::Null, &json!(true)));
    for (path, kind) in [
        ("/api/changements", "application/json"),
        ("/api/changements?depuis=g1", "application/json"),
        ("/api/changements.atom", "application/atom+xml"),
        ("/etat/changements", "text/html"),
        ("/api/calendrier", "application/json"),
        ("/api/calendrier.ics", "text/calendar"),
    ] {
        let answer = app.get(path).unwrap();
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").unwrap().starts_with(kind), "{path}");
        assert!(answer.header("cache-control").unwrap().starts_with("public, max-age=600"), "{path}");
        let again = Request::get(path).header("if-none-match", answer.header("etag").unwrap());
        assert_eq!(app.send(&again).unwrap().status, 304, "{path}");
    }
    for (wrong, status) in [("g99", 404), ("x", 400), ("g1&depuis=g2", 400), ("", 400)] {
        assert_eq!(app.get(&format!("/api/changements?depuis={wrong}")).unwrap().status, status, "{wrong}");
    }
    assert_eq!(app.get("/api/changements?autre=1").unwrap().status, 400);
    let nothing = app.get("/api/changements?depuis=g2").unwrap().json();
    assert_eq!((&nothing["mailles"], &nothing["tout"]), (&json!({}), &json!(false)));

    assert_eq!(app.send(&app.import("POST", "rollback")).unwrap().status, 200);
    let seen = || std::thread::sleep(std::time::Duration::from_millis(1_100));
    seen();
    let back = app.get("/api/changements?depuis=g2").unwrap().json();
    assert_eq!((&back["generation"], &back["mailles"]["formations"]["millesimes"][&year]), (&json!("g1"), &keys));
    assert_eq!(app.get("/api/changements").unwrap().json()["bascules"][0]["retour"], true);
    let feed = app.get("/api/changements.atom").unwrap().text();
    assert_eq!((feed.matches("<entry>").count(), feed.matches("</entry>").count()), (3, 3), "{feed}");
    assert!(feed.contains("<title>Retour à la génération g1</title>") && feed.contains("urn:uuid:"), "{feed}");

    let announced = r#"{"publications":[{"le":"2027-06","titre":"InserSup"},{"le":"2027-02-15","titre":"InserJeunes <1>","maille":"formations","millesime":"2023_2024"}]}"#;
    let put = |text: &str| app.send(&app.import("PUT", "calendrier").body(text)).unwrap().status;
    assert_eq!((put(announced), put(r#"{"publications":[{"le":"demain","titre":"x"}]}"#)), (200, 422));
    assert_eq!(app.get("/api/calendrier").unwrap().json()["publications"][0]["titre"], "InserJeunes <1>");
    assert!(app.get("/api/calendrier.ics").unwrap().text().contains("SUMMARY:InserJeunes <1>\r\n"));
    let page = page(&app, "/etat/changements");
    for words in
        ["Retour à la génération g1", "InserJeunes &lt;1&gt;", "Établissements (formations)", "application/atom+xml"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
}

/// Whether a cell of an export is what the schema says of its column.
fn fits(cell: &str, field: &Value, missing: &[&str]) -> bool {
    if missing.contains(&cell) {
        return field["constraints"]["required"] != true;
    }
    let limits = &field["constraints"];
    let number = || cell.parse::<f64>().ok();
    let form = match field["type"].as_str() {
        Some("integer") => cell.parse::<u64>().is_ok(),
        Some("number") => number().is_some(),
        _ => true,
    };
    let within = limits["maximum"].as_f64().is_none_or(|most| number().is_some_and(|n| n <= most));
    let among = limits["enum"].as_array().is_none_or(|words| words.contains(&cell.into()));
    form && within && among
}

/// Exports have the columns of their Table Schema, in its order, and values of its types.
#[test]
fn exports_are_what_their_schemas_tell() {
    let app = start().unwrap();
    for name in ["certifications", "regionales", "formations", "mailles", "bcn"] {
        let schema = app.get(&format!("/api/doc/catalogue/{name}.json")).unwrap().json();
        let fields = schema["fields"].as_array().unwrap();
        let missing: Vec<&str> = schema["missingValues"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let list = if name == "mailles" { "mailles/academies" } else { name };
        let years = if name == "bcn" { "" } else { "&millesimes=2021,2022,2023,2020_2021,2021_2022,2022_2023" };
        let path = format!("/api/inserjeunes/{list}.csv?items_par_page=1000000{years}");
        let text = app.get(&path).unwrap().text();
        let mut lines = text.lines();
        let columns: Vec<&str> = lines.next().unwrap().split(';').collect();
        assert_eq!(columns, fields.iter().filter_map(|f| f["name"].as_str()).collect::<Vec<_>>(), "{name}");
        let mut rows = 0;
        for line in lines {
            // No text of the sample holds a separator.
            let cells: Vec<&str> = line.split(';').collect();
            assert_eq!(cells.len(), fields.len(), "{line}");
            for (cell, field) in cells.iter().zip(fields) {
                assert!(fits(cell, field, &missing), "{name}: {cell:?} is no {field}");
            }
            rows += 1;
        }
        assert!(rows > 20, "{name}: {rows}");
    }
    for record in ["dataset.json", "dataservice.json", "dcat.jsonld"] {
        let answer = app.get(&format!("/api/doc/catalogue/{record}")).unwrap();
        assert_eq!(answer.status, 200, "{record}");
        assert!(answer.json().is_object(), "{record}");
    }
    // Nobody to write to: a security.txt without contact would be none.
    assert_eq!(app.get("/.well-known/security.txt").unwrap().status, 404);
}

/// Schemathesis calls every route with what the description allows and forbids: no status that is
/// not described, no answer that breaks its schema, no 5xx.
#[test]
fn schemathesis_finds_no_contradiction() {
    let tool = root().join(".cache/schemathesis/bin/schemathesis");
    if !tool.exists() {
        support::skipped("schemathesis_finds_no_contradiction", "tests/pages/setup.sh --install schemathesis");
        return;
    }
    let app = start().unwrap();
    let base = format!("http://{}", app.host.address());
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance";
    let output = Command::new(&tool)
        .args(["run", &format!("{base}/api/doc/openapi.json"), "--url", &base, "--seed", "1", "--max-examples", "12"])
        .args([
            "--checks",
            checks,
            "--phases",
            "examples,coverage,fuzzing",
            "--no-color",
            "--generation-database",
            "none",
        ])
        .args(["--header", &format!("x-api-key: {}", app.settings.legacy_api_key)])
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

/// Every command of the documents for re-users and operators that calls the service works as written.
#[test]
fn commands_of_the_documents_work() {
    let app = start().unwrap();
    let base = format!("http://{}", app.host.address());
    let mut tried = 0;
    for file in ["README.md", "docs/REUTILISER.md", "docs/EXPLOITER.md", "docs/APPARIER.md"] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let folder = support::Folder::new("documents").unwrap();
        for block in text.split("```sh\n").skip(1).filter_map(|b| b.split("```").next()) {
            // Blocks that start, build or deploy are for a machine of their own.
            if !block.contains("curl") || block.contains("sudo ") {
                continue;
            }
            let script = block
                .replace("http://127.0.0.1:3000", &base)
                .replace("$(sed -n 's/^SPIN_VARIABLE_LEGACY_API_KEY=//p' .env)", &app.settings.legacy_api_key)
                .replace("curl ", "curl --fail-with-body --silent --show-error --max-time 30 ");
            let output = Command::new("sh")
                .args(["-eu", "-c", &script])
                .env("CLE", &app.settings.legacy_api_key)
                .env("SECRET", &app.settings.import_secret)
                .env("URL", &base)
                .current_dir(folder.path())
                .output()
                .unwrap();
            let err = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{file}:\n{script}\n{}{err}", String::from_utf8_lossy(&output.stdout));
            tried += 1;
        }
    }
    assert!(tried >= 10, "{tried}");
}
