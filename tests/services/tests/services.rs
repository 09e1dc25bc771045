//! The clients of `sources` against the simulated services: what each service answers, what each fault looks like.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use domain::Document;
use serde_json::{Value, json};
use services::{Data, Effect, Fault, NativeClock, NativeFetch, Options, Service, Services};
use sources::{
    AnswerReader, BcnTable, Call, Limits, Made, Outcome, ReadReport, SourceError, Sources, catalogue_total, plan,
};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

fn start(data: Data) -> Services {
    Services::start(Options { data, ..Options::default() }).unwrap()
}

/// Clients in a hurry: no distance between requests, short waits.
fn clients(services: &Services) -> Sources<NativeFetch, NativeClock> {
    waiting(services, 400)
}

/// Clients that wait so many milliseconds for an answer: real tables are large, and machines are busy.
fn waiting(services: &Services, timeout_ms: u64) -> Sources<NativeFetch, NativeClock> {
    let limits = Limits { interval_ms: 0, tries: 3, backoff_ms: 10, longest_wait_ms: 1_500, timeout_ms };
    Sources::with_limits(NativeFetch, NativeClock, services.config(), limits)
}

type Read = (Made, Vec<Document>, ReadReport);

/// Makes a call and reads its answer as an import does.
async fn read(sources: &Sources<NativeFetch, NativeClock>, call: &Call) -> Result<Read, SourceError> {
    let mut raw = Vec::new();
    let made = sources.make(call, &mut raw).await?;
    let mut rows = Vec::new();
    let mut reader = AnswerReader::new(call);
    for chunk in raw.chunks(10_000) {
        reader.push(chunk, |row| rows.push(row))?;
    }
    let report =
        if made.outcome == Outcome::NoData { ReadReport::default() } else { reader.finish(|row| rows.push(row))? };
    Ok((made, rows, report))
}

async fn total(sources: &Sources<NativeFetch, NativeClock>) -> u64 {
    let mut raw = Vec::new();
    sources.make(&Call::CatalogueTotal, &mut raw).await.unwrap();
    catalogue_total(&raw).unwrap()
}

fn uai(uai: &str, millesime: &str) -> Call {
    Call::InserJeunesUai { uai: uai.into(), millesime: millesime.into() }
}

fn france() -> Call {
    Call::InserJeunesFrance { millesime: "2022".into(), filiere: "apprentissage".into() }
}

const N_MEF: Call = Call::Bcn { table: BcnTable::NMef };

/// Documents that rows of InserJeunes make: pairs of certification and track.
fn documents(rows: &[Document]) -> usize {
    let pairs: BTreeSet<String> = rows.iter().map(|row| format!("{} {}", row["filiere"], row["dimensions"])).collect();
    pairs.len()
}

#[tokio::test]
async fn every_service_answers_from_the_sample() {
    let services = start(Data::Sample);
    let sources = clients(&services);
    let mut calls = plan::bcn();
    calls.extend([Call::InserSup, Call::Acce, france(), uai("9749800J", "2020_2021")]);
    calls.push(Call::InserJeunesRegion { region: "11".into(), millesime: "2020_2021".into() });
    calls.push(Call::InserSupNational { millesime: "2021".into() });
    calls.extend([Call::CertifInfo, Call::Onisep, Call::OnisepPassage, Call::AcceMothers]);
    calls.extend(plan::catalogue(total(&sources).await));
    for call in &calls {
        let (made, rows, report) = read(&sources, call).await.unwrap();
        assert_eq!(made.outcome, Outcome::Answer, "{}", call.label());
        assert!(!rows.is_empty(), "{}", call.label());
        assert!(report.unknown_fields.is_empty(), "{}: {:?}", call.label(), report.unknown_fields);
    }
    assert_eq!(total(&sources).await, 39);
    assert_eq!(read(&sources, &Call::Acce).await.unwrap().1.len(), 30);
    let names: Vec<String> = services.calls().into_keys().collect();
    let mut expected: Vec<&str> = Service::ALL.iter().map(|service| service.name()).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    let unknown = read(&sources, &uai("0000000A", "2020_2021")).await.unwrap();
    assert_eq!(unknown.0.outcome, Outcome::NoData);
}

/// The answers are what the sample was made from: read and treated, they give its numbers again.
#[tokio::test]
async fn the_samples_statistics_come_back() {
    use domain::Maille;
    use treatments::{TreatmentReport, inserjeunes::Measures};
    let services = start(Data::Sample);
    let sources = clients(&services);
    let summary = services.millesimes();
    assert_eq!(summary.years, ["2021", "2022", "2023"]);
    let mut compared = 0;
    for year in &summary.years {
        for filiere in plan::FILIERES {
            let call = Call::InserJeunesFrance { millesime: year.clone(), filiere: filiere.into() };
            let mut measures = Measures::new(Maille::National);
            for row in read(&sources, &call).await.unwrap().1 {
                measures.add(&row, &mut TreatmentReport::default()).unwrap();
            }
            for document in measures.documents(year, true) {
                let same = |line: &dataset::Line| {
                    line.kind == domain::Kind::Certification
                        && ["code_certification", "millesime", "filiere"].iter().all(|f| line.doc[*f] == document[*f])
                };
                let sample = dataset::sample::lines().find(same).unwrap().doc;
                for (name, value) in document.iter().filter(|(name, _)| *name != "_meta") {
                    assert_eq!(sample.get(name).and_then(Value::as_f64), value.as_f64(), "{name} of {document:?}");
                }
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 67, "39 of apprenticeship, 28 of the school track");
}

#[tokio::test]
async fn the_real_tables_have_their_sizes() {
    let Some(_) = beside::shared("data", "the_real_tables_have_their_sizes") else { return };
    let services = start(Data::Real);
    let sources = waiting(&services, 20_000);
    let count = async |call: Call| {
        let (_, rows, report) = read(&sources, &call).await.unwrap();
        assert!(report.unknown_fields.is_empty(), "{}: {:?}", call.label(), report.unknown_fields);
        rows.len()
    };
    let mut sizes = Vec::new();
    for call in plan::bcn() {
        sizes.push(count(call).await);
    }
    assert_eq!(sizes, [212, 11_261, 4_023, 6_954, 10_067, 235, 27_062, 29, 148]);
    assert_eq!(count(Call::Acce).await, 11_366);
    assert_eq!([count(Call::CertifInfo).await, count(Call::Onisep).await], [10_067, 2_164]);
    assert_eq!(total(&sources).await, 39_510);
    assert_eq!(count(Call::CataloguePage { page: 396 }).await, 10);
    let periods = services.millesimes().periods;
    assert_eq!(periods, ["2019_2020", "2020_2021", "2021_2022", "2022_2023"]);
    let mut regional = 0;
    let regions: Vec<&str> =
        treatments::inserjeunes::regions_to_ask().map(|region| region.region_academie_code).collect();
    for call in plan::inserjeunes_regions(regions, &periods) {
        regional += documents(&read(&sources, &call).await.unwrap().1);
    }
    assert_eq!(regional, 40_322);
    let (_, rows, report) = read(&sources, &france()).await.unwrap();
    assert!(documents(&rows) > 500 && report.unknown_fields.is_empty());
    assert_eq!(count(Call::InserSup).await, 45);
    // What an establishment has is the same at each call.
    let place = uai("0010002X", "2021_2022");
    assert_eq!(read(&sources, &place).await.unwrap().1, read(&sources, &place).await.unwrap().1);
}

/// Sums over the regions are the national figures, which no table gives.
#[test]
fn national_counts_are_sums_over_regions() {
    let Some(_) = beside::shared("data", "national_counts_are_sums_over_regions") else { return };
    let tables = services::tables::Tables::beside().unwrap();
    let rows = tables.regional().unwrap();
    let sum = |code: &str| -> f64 {
        let of = rows.iter().filter(|row| row.millesime == "2021_2022" && row.course.code() == code);
        of.filter_map(|row| row.measures.iter().find(|(name, _)| *name == "nb_annee_term")).map(|(_, n)| n).sum()
    };
    let data = services::data(Data::Real).unwrap();
    let national: Vec<Document> =
        data.france("2022", "apprentissage").filter(|row| row["id_mesure"] == "nb_annee_term").collect();
    assert!(national.len() > 500);
    for row in national {
        let code = row["dimensions"][0]["id_formation_apprentissage"].as_str().unwrap();
        assert_eq!(row["valeur_mesure"].as_f64().unwrap(), sum(code), "{code}");
    }
}

/// Source rows of the whole, without HTTP: as many as the services deliver: in four periods where the tables
/// are real, in six of production size.
#[test]
fn establishments_are_as_many_as_the_services_deliver() {
    let Some(_) = beside::shared("data", "establishments_are_as_many_as_the_services_deliver") else { return };
    let count = |data: Data| -> usize {
        let data = services::data(data).unwrap();
        let places: Vec<Document> = data.acce().unwrap().collect();
        let mut rows = 0;
        for period in data.sources().periods {
            let of = |place: &Document| data.uai(place["numero_uai"].as_str().unwrap(), &period);
            rows += places.iter().filter_map(of).map(|rows| documents(&rows.collect::<Vec<_>>())).sum::<usize>();
        }
        rows
    };
    let real = count(Data::Real);
    assert!((54_000..57_000).contains(&real), "{real} rows; 55,710 in June 2025");
    let (half, whole) = (count(Data::Production(0.5)), count(Data::Production(1.0)));
    assert!((55_000..57_000).contains(&whole) && (half * 2).abs_diff(whole) * 50 < whole, "{half} and {whole}");
    assert!(services::data(Data::Production(5.0)).err().unwrap().to_string().contains("keys for factors above 0"));
}

#[tokio::test]
async fn sessions_end_and_are_renewed() {
    let options = Options { data: Data::Sample, token_life: Duration::from_millis(150), ..Options::default() };
    let services = Services::start(options).unwrap();
    let sources = clients(&services);
    let catalogue = Call::CataloguePage { page: 1 };
    for call in [&N_MEF, &france(), &catalogue] {
        for _ in 0..2 {
            read(&sources, call).await.unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        // Two calls and two logins, the refused second call made again.
        let calls = services.calls()[call.service().name()].clone();
        assert_eq!((calls.requests, calls.logins, calls.statuses[&401]), (5, 2, 1), "{}", call.label());
    }
    services.set_faults([Fault::of("bcn", "N_MEF", Effect::Expire).after(0).times(1)]);
    assert_eq!(read(&sources, &N_MEF).await.unwrap().0.tally.requests, 3, "refused, logged in, answered");
}

#[tokio::test]
async fn wrong_credentials_are_told_as_such() {
    let services = start(Data::Sample);
    let mut config = services.config();
    config.bcn_password = "un autre".into();
    config.catalogue_username = "un autre".into();
    config.inserjeunes_password = "un autre".into();
    config.insersup_key = "une autre".into();
    let sources = Sources::new(NativeFetch, NativeClock, config);
    for call in [N_MEF, Call::CataloguePage { page: 1 }, france(), Call::InserSup] {
        let error = read(&sources, &call).await.unwrap_err();
        assert!(matches!(error, SourceError::Login { status: 401, .. }), "{error}");
    }
}

/// A fault that stays, at one call of every service: what the report says of it.
#[tokio::test]
async fn what_each_fault_looks_like() {
    let services = start(Data::Sample);
    let sources = clients(&services);
    let cases: [(Call, Effect, &str); 24] = [
        (N_MEF, Effect::status(500), "bcn, /nomenclature/N_MEF : statut 500"),
        (N_MEF, Effect::status(503), "bcn, /nomenclature/N_MEF : statut 503"),
        (N_MEF, Effect::status(429), "bcn, /nomenclature/N_MEF : statut 429"),
        (N_MEF, Effect::status(404), "bcn, /nomenclature/N_MEF : statut 404 (refused on demand)"),
        (
            N_MEF,
            Effect::status(401),
            "bcn, /nomenclature/N_MEF : connexion refusée, statut 401 : vérifier les identifiants",
        ),
        (
            N_MEF,
            Effect::Status { code: 429, retry_after: Some(60), as_date: false },
            "bcn, /nomenclature/N_MEF : demande d'attendre 60 s",
        ),
        (N_MEF, Effect::SlowHead(900), "bcn, /nomenclature/N_MEF : pas de réponse à temps (3 essais)"),
        (
            N_MEF,
            Effect::SlowBody { bytes: 100, pause: 900 },
            "bcn, /nomenclature/N_MEF : pas de réponse à temps (3 essais)",
        ),
        (N_MEF, Effect::Cut(200), "bcn, /nomenclature/N_MEF : la réponse s'est interrompue (3 essais)"),
        (N_MEF, Effect::Drop, "bcn, /nomenclature/N_MEF : la réponse s'est interrompue (3 essais)"),
        (
            N_MEF,
            Effect::WithoutField("mef_stat_11".into()),
            "bcn, /nomenclature/N_MEF : le champ mef_stat_11 manque, dont les documents ont besoin",
        ),
        (N_MEF, Effect::WithoutRows, "bcn, /nomenclature/N_MEF : le champ data manque, dont les documents ont besoin"),
        (N_MEF, Effect::NotJson, "bcn, /nomenclature/N_MEF : la réponse est illisible :"),
        (N_MEF, Effect::Empty, "bcn, /nomenclature/N_MEF : la réponse est illisible :"),
        (
            france(),
            Effect::WithoutField("valeur_mesure".into()),
            "inserjeunes, /france/millesime/2022/filiere/apprentissage : le champ valeur_mesure manque, dont les documents ont besoin",
        ),
        (Call::InserSup, Effect::Drop, "insersup, / : la réponse s'est interrompue (3 essais)"),
        (
            Call::InserSupNational { millesime: "2021".into() },
            Effect::WithoutRows,
            "insersup_national, /fr-esr-insersup 2021 : la réponse est illisible :",
        ),
        (
            Call::Acce,
            Effect::WithoutField("academie".into()),
            "acce, le fichier : le champ academie manque, dont les documents ont besoin",
        ),
        (Call::Acce, Effect::Empty, "acce, le fichier : la réponse est illisible : le fichier est vide"),
        (
            Call::CertifInfo,
            Effect::WithoutField("Code_Scolarité".into()),
            "certif_info, le fichier : le champ Code_Scolarité manque, dont les documents ont besoin",
        ),
        (Call::CertifInfo, Effect::status(404), "certif_info, le fichier : statut 404"),
        (Call::Onisep, Effect::Drop, "onisep, le fichier : la réponse s'est interrompue (3 essais)"),
        (
            Call::OnisepPassage,
            Effect::WithoutField("ci_code_rncp".into()),
            "onisep_passage, le fichier : le champ ci_code_rncp manque, dont les documents ont besoin",
        ),
        (Call::AcceMothers, Effect::Empty, "acce_meres, le fichier : la réponse est illisible : le fichier est vide"),
    ];
    for (call, effect, expected) in cases {
        // Logins pass: the fault is at the call.
        let path = match &call {
            Call::Bcn { table } => table.name(),
            Call::InserJeunesFrance { .. } => "/france/",
            _ => "/",
        };
        services.set_faults([Fault::of(call.service().name(), path, effect.clone())]);
        let error = read(&sources, &call).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with(expected), "{effect:?}: {error}");
        services.set_faults([]);
        assert!(read(&sources, &call).await.is_ok(), "healthy again after {effect:?}");
    }
}

/// Faults that a client gets over, or that change what it reads.
#[tokio::test]
async fn what_passes_in_spite_of_a_fault() {
    let services = start(Data::Sample);
    let sources = clients(&services);
    let whole = read(&sources, &N_MEF).await.unwrap().1;
    let struck = |effect: Effect| services.set_faults([Fault::of("bcn", "N_MEF", effect).times(2)]);
    for effect in [Effect::default(), Effect::Drop, Effect::Cut(1_000), Effect::SlowHead(900), Effect::status(500)] {
        struck(effect.clone());
        let (made, rows, _) = read(&sources, &N_MEF).await.unwrap();
        assert_eq!((made.tally.retries, &rows), (2, &whole), "{effect:?}");
    }
    for as_date in [false, true] {
        struck(Effect::Status { code: 429, retry_after: Some(1), as_date });
        let begun = Instant::now();
        let (made, rows, _) = read(&sources, &N_MEF).await.unwrap();
        assert_eq!((made.tally.retries, &rows), (2, &whole));
        // A date has whole seconds: what is left of this one counts.
        let least = if as_date { 0 } else { 2_000 };
        assert!(begun.elapsed() >= Duration::from_millis(least) && begun.elapsed() < Duration::from_secs(5));
    }
    struck(Effect::JsonInJson);
    assert_eq!(read(&sources, &N_MEF).await.unwrap().1, whole);
    struck(Effect::SlowBody { bytes: 4_000, pause: 20 });
    assert_eq!(read(&sources, &N_MEF).await.unwrap().1, whole);
    struck(Effect::NoRows);
    assert_eq!(read(&sources, &N_MEF).await.unwrap().1.len(), 0);
    struck(Effect::UnknownField("neuf".into()));
    let (_, _, report) = read(&sources, &N_MEF).await.unwrap();
    assert_eq!(report.unknown_fields["neuf"], whole.len() as u64);
    services.set_faults([Fault::of("inserjeunes", "/france/", Effect::UnknownMeasure("nb_licornes".into()))]);
    assert!(read(&sources, &france()).await.unwrap().1.iter().any(|row| row["id_mesure"] == "nb_licornes"));
    services.set_faults([Fault::of("acce", "*", Effect::UnknownField("neuf".into()))]);
    assert_eq!(read(&sources, &Call::Acce).await.unwrap().2.unknown_fields["neuf"], 1);
}

/// Five requests a second and a service, on the wire, logins included; services do not wait for each other.
///
/// Turns are 200 ms apart; on their way requests close up or fall behind by some ms, so that a sixth may come in at the
/// very end of a second. A machine that stands still for half a second makes more of them come at once: such a
/// measurement is made again.
#[tokio::test]
async fn the_rate_holds_on_the_wire() {
    let services = start(Data::Sample);
    for last in [false, false, true] {
        services.forget_calls();
        let sources = Sources::new(NativeFetch, NativeClock, services.config());
        let catalogue = async || {
            for _ in 0..10 {
                read(&sources, &Call::CataloguePage { page: 1 }).await.unwrap();
            }
        };
        let bcn = async |table: BcnTable| {
            for _ in 0..5 {
                read(&sources, &Call::Bcn { table }).await.unwrap();
            }
        };
        let begun = Instant::now();
        // Two rows of calls to the BCN side by side share its five.
        tokio::join!(catalogue(), bcn(BcnTable::NMef), bcn(BcnTable::NGroupeFormation));
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(10 * 200), "eleven requests in {took:?}");
        let calls = services.calls();
        assert!(calls["catalogue"].requests == 11 && calls["bcn"].requests >= 11, "{calls:?}");
        let steady = calls.values().all(|calls| calls.max_per_second <= 6);
        // One service after the other would take 4.2 s.
        if steady && took < Duration::from_millis(3_800) {
            return;
        }
        assert!(!last, "{took:?}: {calls:?}");
    }
}

#[tokio::test]
async fn recorded_exchanges_are_answered_again() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../import-cases/cases/importCertificationsStats.json");
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let services = start(Data::Sample);
    let mut replayed = 0;
    for case in recorded["cases"].as_array().unwrap() {
        let exchanges = services::exchanges(&file, case["id"].as_str().unwrap()).unwrap();
        services.replay(Some(&exchanges)).unwrap();
        for exchange in exchanges.iter().filter(|e| e["request"]["method"] == "GET") {
            let url = exchange["request"]["url"].as_str().unwrap();
            let path = url.split_once("/api/v1.0/").map(|(_, path)| path.split('/').collect::<Vec<_>>());
            let Some(["france", "millesime", millesime, "filiere", filiere]) = path.as_deref() else { continue };
            let call = Call::InserJeunesFrance { millesime: (*millesime).into(), filiere: (*filiere).into() };
            let mut raw = Vec::new();
            clients(&services).make(&call, &mut raw).await.unwrap();
            let body = &exchange["response"]["body"];
            let text = String::from_utf8(raw).unwrap();
            let json = exchange["response"]["body_is_json_text"] != false;
            assert_eq!(if json { serde_json::from_str(&text).unwrap() } else { Value::from(text) }, *body);
            replayed += 1;
        }
    }
    assert!(replayed >= 3, "{replayed}");
    let error = read(&clients(&services), &N_MEF).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "bcn, /auth/login-extraction : connexion refusée, statut 404 : vérifier les identifiants"
    );
    services.replay(None).unwrap();
    assert!(read(&clients(&services), &N_MEF).await.is_ok());
}

/// The control routes, as another program uses them.
#[tokio::test]
async fn it_is_steered_over_http() {
    use outside::{Body as _, Fetch as _, Method, ServiceRequest};
    let services = start(Data::Sample);
    let call = async |method: Method, path: &str, body: &Value| {
        let (url, body) = (format!("{}{path}", services.origin()), Some(body.to_string().into_bytes()));
        let mut answer = NativeFetch.fetch(&ServiceRequest { method, url, headers: Vec::new(), body }).await.unwrap();
        let mut text = Vec::new();
        while let Some(chunk) = answer.body.chunk().await.unwrap() {
            text.extend(chunk);
        }
        (answer.status, serde_json::from_slice::<Value>(&text).unwrap())
    };
    let sources = clients(&services);
    let faults = json!({"rules": [{"service": "acce", "effect": {"status": {"code": 410}}}]});
    assert_eq!(call(Method::Post, "/_fautes", &faults).await.0, 200);
    assert!(read(&sources, &Call::Acce).await.unwrap_err().to_string().contains("statut 410"));
    assert_eq!(call(Method::Post, "/_fautes", &json!({"rules": []})).await.0, 200);
    read(&sources, &Call::Acce).await.unwrap();
    let (_, calls) = call(Method::Get, "/_appels", &Value::Null).await;
    assert_eq!(calls["acce"]["requests"], 2);
    assert_eq!(calls["acce"]["statuses"], json!({"200": 1, "410": 1}));
    let exchange = json!([{"request": {"method": "GET", "url": "https://insersup/"},
        "response": {"status": 200, "body": {"results": []}}}]);
    assert_eq!(call(Method::Post, "/_rejeu", &exchange).await.0, 200);
    assert_eq!(read(&sources, &Call::InserSup).await.unwrap().1.len(), 0);
    assert_eq!(call(Method::Post, "/_rejeu", &Value::Null).await.0, 200);
    assert_eq!(read(&sources, &Call::InserSup).await.unwrap().1.len(), 45);
    for (path, body) in
        [("/_fautes", json!({"rules": [{"effect": "licorne"}]})), ("/_rejeu", json!(3)), ("/_", json!(1))]
    {
        assert!(call(Method::Post, path, &body).await.0 >= 400, "{path}");
    }
}

/// The variables are the application's, and lead where the clients' addresses lead.
#[test]
fn variables_are_those_of_the_application() {
    let services = start(Data::Sample);
    let variables = services.variables();
    let config = services.config();
    let joined = |service: &str| {
        format!("{}{}", variables[&format!("{service}_origine")], variables[&format!("{service}_chemin")])
    };
    for (service, url) in [
        ("inserjeunes", config.inserjeunes_url),
        ("insersup", config.insersup_url),
        ("insersup_national", config.insersup_national_url),
        ("bcn", config.bcn_url),
        ("catalogue", config.catalogue_url),
        ("acce", config.acce_url),
        ("certif_info", config.certif_info_url),
        ("onisep", config.onisep_url),
        ("onisep_passage", config.onisep_passage_url),
        ("acce_meres", config.acce_meres_url),
    ] {
        assert_eq!(joined(service), url);
    }
    let mut known: Vec<&str> = admin::services::VARIABLES.into_iter().chain(admin::pull::VARIABLES).collect();
    // The open data is not filtered, and how treatments run and how often is asked stays as it is.
    known.retain(|name| {
        *name != "insersup_national_source" && !name.starts_with("traitements_") && !name.starts_with("collecte_")
    });
    known.sort_unstable();
    assert_eq!(variables.keys().map(String::as_str).collect::<Vec<_>>(), known);
}

#[tokio::test]
async fn the_native_network_tells_its_faults() {
    let services = start(Data::Sample);
    let mut config = services.config();
    config.acce_url = "http://127.0.0.1:1/".into();
    config.insersup_url = "https://127.0.0.1/".into();
    let limits = Limits { interval_ms: 0, tries: 1, ..Limits::default() };
    let sources = Sources::with_limits(NativeFetch, NativeClock, config, limits);
    let error = async |call: Call| read(&sources, &call).await.unwrap_err().to_string();
    assert_eq!(error(Call::Acce).await, "acce, le fichier : pas de connexion (1 essais)");
    assert_eq!(error(Call::InserSup).await, "insersup, / : l'adresse est mal formée (1 essais)");
}
