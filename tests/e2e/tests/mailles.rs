//! New data without code: an indicator that the configuration names, a maille that a push declares.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use e2e::{cold, line, with};
use serde_json::{Value, json};
use support::push::Push;
use support::{Answer, Application, Request, Settings};

fn statistic(place: &str, code: &str, millesime: &str, size: u64) -> Value {
    json!({
        "maille": "departements", "departement": {"code": place, "nom": "Exemple"}, "region": {"code": "84", "nom": "Auvergne-Rhône-Alpes"},
        "millesime": millesime, "code_certification": code, "code_formation_diplome": code, "filiere": "apprentissage",
        "libelle": "LIBELLE", "nb_annee_term": size, "nb_sortant": size / 2, "taux_en_emploi_6_mois": 61,
        "taux_en_formation": 20, "taux_autres_6_mois": 19, "taux_mobilite": 37,
    })
}

fn declaration() -> String {
    line("maille", &json!({"nom": "departements", "libelle": "Départements", "cle": "departement.code"}))
}

fn lines() -> String {
    let mut lines = declaration();
    for place in ["01", "2A", "69"] {
        for code in ["40099000", "40099001"] {
            lines += &line("bcn", &json!({"type": "cfd", "code_certification": code, "code_formation_diplome": code}));
            for millesime in ["2021_2022", "2022_2023"] {
                let size = if place == "2A" { 19 } else { 45 };
                lines += &line("statistique", &statistic(place, code, millesime, size));
            }
        }
    }
    lines
}

fn list(application: &Application, path: &str) -> Answer {
    let request =
        Request::get(&format!("/api/inserjeunes/{path}")).header("x-api-key", &application.settings.legacy_api_key);
    let answer = application.send(&request).unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer
}

fn added() -> Settings {
    let mut settings = cold();
    settings.others.insert("indicateurs".into(), "taux_mobilite".into());
    settings
}

#[test]
fn an_indicator_that_the_configuration_names_is_served_from_its_first_import() {
    let national = |size: u64, rate: u64| json!({"millesime": "2023", "code_certification": format!("400990{rate}"), "filiere": "apprentissage", "nb_annee_term": size, "taux_mobilite": rate});
    let lines = line("certification", &national(45, 37)) + &line("certification", &national(19, 41));
    let application = with(added(), &Push::all(lines.clone())).unwrap();
    assert_eq!(application.get("/api/inserjeunes/certifications/40099037").unwrap().json()["taux_mobilite"], 37);
    assert!(application.get("/api/inserjeunes/certifications/40099041").unwrap().json()["taux_mobilite"].is_null());
    let rows = list(&application, "certifications").json();
    assert_eq!(rows["certifications"][0]["taux_mobilite"], 37);
    assert!(rows["certifications"][1]["taux_mobilite"].is_null());

    let csv = list(&application, "certifications.csv").text();
    let mut cells = csv.lines().map(|row| row.split(';').collect::<Vec<_>>());
    let column = cells.next().unwrap().iter().position(|name| *name == "taux_mobilite").unwrap();
    assert_eq!(cells.map(|row| row[column]).collect::<Vec<_>>(), ["37", "null"]);

    // Elsewhere it is an unknown field: kept out, and counted in the report.
    let other = Application::start(cold()).unwrap();
    let job = other.push(&Push::all(lines)).unwrap();
    assert_eq!(job["bilan"]["champs_inconnus"]["taux_mobilite"], 2);
    assert!(other.get("/api/inserjeunes/certifications/40099037").unwrap().json().get("taux_mobilite").is_none());
}

#[test]
fn a_declared_maille_is_listed_fetched_filtered_and_exported() {
    let application = with(added(), &Push::all(lines())).unwrap();
    let mailles = application.get("/api/inserjeunes/mailles").unwrap();
    assert_eq!(
        mailles.json()["mailles"],
        json!([{"nom": "departements", "libelle": "Départements", "cle": "departement.code", "millesime": "2022_2023", "millesimes": ["2022_2023", "2021_2022"]}])
    );

    let one = application.get("/api/inserjeunes/mailles/departements/69/certifications/40099000").unwrap();
    let document = one.json();
    assert_eq!((&document["millesime"], &document["lieu"]), (&json!("2022_2023"), &json!("69")));
    assert_eq!((&document["nb_sortant"], &document["taux_mobilite"]), (&json!(22), &json!(37)));
    let again = Request::get("/api/inserjeunes/mailles/departements/69/certifications/40099000");
    let again = application.send(&again.header("if-none-match", one.header("etag").unwrap())).unwrap();
    assert_eq!(again.status, 304);
    let image = application.get("/api/inserjeunes/mailles/departements/69/certifications/40099000.svg").unwrap();
    assert!(image.status == 200 && image.text().starts_with("<svg"), "{}", image.text());
    let view =
        application.get("/api/inserjeunes/mailles/departements/69/certifications/40099000?vue=filieres").unwrap();
    assert_eq!(view.json()["apprentissage"]["nb_annee_term"], 45);

    let hidden = application.get("/api/inserjeunes/mailles/departements/2A/certifications/40099000").unwrap().json();
    assert_eq!(hidden["nb_annee_term"], 19);
    for name in ["nb_sortant", "taux_en_emploi_6_mois", "taux_mobilite"] {
        assert!(hidden[name].is_null(), "{name}");
    }
    assert!(hidden["_meta"]["messages"][0].as_str().unwrap().contains("pas assez d'élèves"));

    let denied = application.send(&Request::get("/api/inserjeunes/mailles/departements")).unwrap();
    assert_eq!(denied.status, 401);
    let places = |path: &str| -> Vec<String> {
        let rows = list(&application, &format!("mailles/{path}")).json();
        rows["departements"].as_array().unwrap().iter().map(|row| row["lieu"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(places("departements"), ["01", "01", "2A", "2A", "69", "69"]);
    assert_eq!(places("departements?lieux=69,2A&code_certifications=40099001"), ["2A", "69"]);
    assert_eq!(places("departements/2A?millesimes=2021_2022,2022_2023").len(), 4);
    assert_eq!(places("departements?items_par_page=4&page=2"), ["69", "69"]);
    let csv = list(&application, "mailles/departements.csv?lieux=2A").text();
    assert!(csv.starts_with("lieu;code_certification;") && csv.lines().count() == 3, "{csv}");
    let (header, row) = csv.split_once('\n').unwrap();
    let column = header.split(';').position(|name| name == "taux_mobilite").unwrap();
    assert_eq!(row.split(';').nth(column), Some("null"), "{csv}");
    assert_eq!(list(&application, "mailles/departements/69.ndjson").text().lines().count(), 2);

    // Another push of documents leaves it alone; the status counts it.
    let other =
        json!({"millesime": "2023", "code_certification": "40099000", "filiere": "apprentissage", "nb_annee_term": 30});
    let push = Push { opening: json!({"kinds": ["certification"]}), ..Push::all(line("certification", &other)) };
    assert_eq!(application.push(&push).unwrap()["etape"], "publie");
    assert_eq!(places("departements").len(), 6);
    let status = application.get("/api/status").unwrap().json();
    assert_eq!(status["documents"]["departements"]["2022_2023"]["sans donnees"], 6, "{status}");

    // Its replacement names it, and what a push does not declare it cannot add to.
    let one = declaration() + &line("statistique", &statistic("69", "40099000", "2022_2023", 50));
    let opening = json!({"mailles": ["departements"], "millesimes": ["2022_2023"]});
    let push = Push { opening, order: json!({}), ..Push::all(one) };
    let job = application.push(&push).unwrap();
    assert_eq!(
        (&job["etape"], &job["bilan"]["pertes"]),
        (&json!("attendre_confirmation"), &json!(["departements 2022_2023 : 6 → 1"]))
    );
    let undeclared = line("statistique", &statistic("69", "40099000", "2022_2023", 50));
    let answer = application.send(&application.import("POST", "documents").body(undeclared)).unwrap();
    assert!(answer.status == 422 && answer.text().contains("n'est pas déclarée"), "{}", answer.text());
}
