//! Several documents in one call, of the built components.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test stops where it fails")]

use e2e::with_sample;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use support::client::{Answer, Request};
use support::{Application, Settings};

const LOTS: &str = "/api/inserjeunes/lots";

fn post(application: &Application, body: impl Into<Vec<u8>>) -> Request {
    Request::new("POST", LOTS).header("x-api-key", &application.settings.legacy_api_key).body(body)
}

fn lot(application: &Application, body: &Value) -> Answer {
    application.send(&post(application, body.to_string())).unwrap()
}

fn peak(application: &Application) -> u64 {
    application.host.counters()["lots"].peak_memory
}

/// Demands of every place of the sample, and some of what is not there, with the path of each one's own route.
fn demands(application: &Application) -> Vec<(Value, String)> {
    let key = &application.settings.legacy_api_key;
    let years = "millesimes=2021,2022,2023,2020_2021,2021_2022,2022_2023";
    let mut demands = Vec::new();
    for list in ["certifications", "regionales", "formations", "mailles/academies"] {
        let path = format!("/api/inserjeunes/{list}.ndjson?items_par_page=1000000&{years}");
        let rows = application.send(&Request::get(&path).header("x-api-key", key)).unwrap();
        for row in rows.text().lines().step_by(2) {
            let row: Value = serde_json::from_str(row).unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let (code, millesime) = (text(&row["code_certification"]), text(&row["millesime"]));
            let code = if code.len() == 7 { format!("SISE:{code}") } else { code };
            let (mut demand, path) = match list {
                "certifications" => (json!({}), format!("certifications/{code}")),
                "regionales" => {
                    let region = text(&row["region"]["code"]);
                    (json!({"region": region}), format!("regionales/{region}/certifications/{code}"))
                }
                "formations" => (json!({"uai": row["uai"]}), format!("formations/{}-{code}", text(&row["uai"]))),
                _ => {
                    let place = text(&row["lieu"]);
                    (
                        json!({"maille": "academies", "lieu": place}),
                        format!("mailles/academies/{place}/certifications/{code}"),
                    )
                }
            };
            demand["code_certification"] = code.into();
            demand["millesime"] = millesime.clone().into();
            demands.push((demand, format!("/api/inserjeunes/{path}?millesime={millesime}")));
        }
    }
    demands.push((json!({"code_certification": "99999999"}), "/api/inserjeunes/certifications/99999999".to_owned()));
    demands.push((json!({"code_certification": "x"}), "/api/inserjeunes/certifications/x".to_owned()));
    demands
}

#[test]
fn a_lot_of_the_built_components_holds_what_single_routes_answer() {
    let application = with_sample(Settings::default()).unwrap();
    let demands = demands(&application);
    assert!(demands.len() > 600, "{}", demands.len());
    for rest in ["", "&champs=libelle,taux_en_formation,region.nom"] {
        for part in demands.chunks(1_000) {
            let asked: Vec<&Value> = part.iter().map(|(demand, _)| demand).collect();
            let champs = rest.strip_prefix("&champs=");
            let answer = lot(&application, &json!({"demandes": asked, "champs": champs}));
            assert_eq!((answer.status, answer.header("x-row-count")), (200, Some(part.len().to_string().as_str())));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let text = answer.text();
            assert_eq!(text.lines().count(), part.len());
            for (rank, (line, (_, path))) in text.lines().zip(part).enumerate() {
                let rest = if path.contains('?') { rest.to_owned() } else { rest.replacen('&', "?", 1) };
                let single = application.get(&format!("{path}{rest}")).unwrap();
                let name = if single.status == 200 { "document" } else { "erreur" };
                let expected =
                    format!("{{\"rang\":{},\"statut\":{},\"{name}\":{}}}", rank + 1, single.status, single.text());
                assert_eq!(line, expected, "{path}");
            }
        }
    }
}

#[test]
fn a_literal_segment_wins_over_lists_and_methods_are_told() {
    let application = with_sample(Settings::default()).unwrap();
    let body = json!({"demandes": [{"code_certification": "40099013"}]}).to_string();
    let without_key = application.send(&Request::new("POST", LOTS).body(body.clone())).unwrap();
    assert_eq!(without_key.status, 401, "{}", without_key.text());
    for path in [LOTS, "/api/inserjeunes/lots/"] {
        let request = Request::new("POST", path).header("x-api-key", &application.settings.legacy_api_key);
        assert_eq!(application.send(&request.body(body.clone())).unwrap().status, 200, "{path}");
    }
    let options = application.send(&Request::new("OPTIONS", LOTS)).unwrap();
    assert_eq!((options.status, options.header("allow")), (200, Some("POST")));
    for (method, path) in [
        ("GET", LOTS),
        ("GET", "/api/inserjeunes/lots.csv"),
        ("POST", "/api/inserjeunes/lot"),
        ("GET", "/api/comparaison"),
    ] {
        assert_eq!(application.send(&Request::new(method, path)).unwrap().status, 404, "{method} {path}");
    }
    let list =
        Request::get("/api/inserjeunes/formations.csv").header("x-api-key", &application.settings.legacy_api_key);
    assert_eq!(application.send(&list).unwrap().status, 200);
}

#[test]
fn comparisons_are_kept_by_their_etag() {
    let application = with_sample(Settings::default()).unwrap();
    let path = "/api/comparaison/formations/9749801K-01099051";
    let first = application.get(path).unwrap();
    assert_eq!(first.status, 200, "{}", first.text());
    let etag = first.header("etag").unwrap();
    let again = application.send(&Request::get(path).header("if-none-match", etag)).unwrap();
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_ne!(application.get(&format!("{path}?champs=libelle")).unwrap().header("etag"), Some(etag));
}

/// A thousand demands at once, each in every millesime or compared, from eight clients, with gzip: all are whole, and what
/// the component holds stays small.
#[test]
fn large_lots_side_by_side_are_whole_in_bounded_memory() {
    let application = with_sample(Settings::default()).unwrap();
    let of = |code: &str| vec![json!({"code_certification": code}); 1_000];
    // A first year shared by a famille: each has several final years.
    let bodies = [
        json!({"demandes": of("23810099010"), "historique": true}),
        json!({"demandes": of("40099013"), "comparaison": true}),
        json!({"demandes": of("99999999")}),
        json!({"demandes": demands(&application).into_iter().map(|(demand, _)| demand).take(1_000).collect::<Vec<_>>(), "comparaison": true}),
    ];
    application.host.reset_counters();
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (application, body) = (&application, &bodies[client % bodies.len()]);
            scope.spawn(move || {
                let request = post(application, body.to_string()).header("accept-encoding", "gzip");
                let started = Instant::now();
                let answer = application.send(&request).unwrap();
                let rows: usize = answer.header("x-row-count").unwrap().parse().unwrap();
                assert_eq!(answer.header("content-encoding"), Some("gzip"));
                let mut text = String::new();
                GzDecoder::new(answer.body.as_slice()).read_to_string(&mut text).unwrap();
                assert_eq!((answer.status, text.lines().count()), (200, rows), "client {client}");
                assert!(text.ends_with("}\n"));
                println!("client {client}: {rows} lines, {} bytes, {:?}", text.len(), started.elapsed());
            });
        }
    });
    println!("peak of memory: {} KiB", peak(&application) / 1024);
    assert!(peak(&application) < 64 << 20, "{}", peak(&application));
}

#[test]
fn hostile_bodies_are_told_and_cost_little() {
    let application = with_sample(Settings::default()).unwrap();
    let long = "9".repeat(200_000);
    for (body, status) in [
        (String::new(), 400),
        ("[".repeat(260_000), 400),
        ("{\"demandes\":".repeat(20_000), 400),
        (format!("{{\"demandes\":[{}0]}}", "0,".repeat(120_000)), 400),
        (format!("{{\"demandes\":[{}{{}}]}}", "{},".repeat(999)), 400),
        (format!("{{\"demandes\":[{{\"code_certification\":\"{long}\"}}]}}"), 200),
        (format!("{{\"demandes\":[{{\"{long}\":1}}]}}"), 400),
        (format!("{{\"demandes\":[{{\"code_certification\":\"1\"}}],\"champs\":\"{}\"}}", "a,".repeat(100_000)), 400),
        (" ".repeat(256 * 1024 + 1), 413),
        ("\u{0}".repeat(1_000), 400),
    ] {
        let answer = application.send(&post(&application, body.clone())).unwrap();
        let start: String = body.chars().take(40).collect();
        assert_eq!(answer.status, status, "{start}: {}", answer.text().chars().take(300).collect::<String>());
    }
    println!("peak of memory: {} KiB", peak(&application) / 1024);
    assert!(peak(&application) < 64 << 20, "{}", peak(&application));

    // A body of which a gibibyte is announced is not waited for.
    let address = application.host.address();
    for head in ["content-length: 1073741824", "transfer-encoding: chunked"] {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let key = &application.settings.legacy_api_key;
        write!(socket, "POST {LOTS} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{head}\r\n\r\n").unwrap();
        // Two mebibytes of it, as long as they are taken.
        let piece = if head.starts_with("transfer") {
            [b"10000\r\n".as_slice(), &[b' '; 65_536], b"\r\n"].concat()
        } else {
            vec![b' '; 65_536]
        };
        let _ = (0..32).try_for_each(|_| socket.write_all(&piece));
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413", "{head}");
    }
    assert_eq!(lot(&application, &json!({"demandes": [{"code_certification": "40099013"}]})).status, 200);
}

/// Clients that stop reading hold no more than what they asked for and a piece each, and keep nobody from being answered.
#[test]
fn clients_that_stop_reading_hold_little_and_disturb_nobody() {
    let application = with_sample(Settings::default()).unwrap();
    let body =
        json!({"demandes": vec![json!({"code_certification": "23810099010"}); 1_000], "historique": true}).to_string();
    let key = &application.settings.legacy_api_key;
    let sockets: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut socket = TcpStream::connect(application.host.address()).unwrap();
            let length = body.len();
            write!(
                socket,
                "POST {LOTS} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {length}\r\n\r\n{body}"
            )
            .unwrap();
            let mut first = [0; 12];
            socket.read_exact(&mut first).unwrap();
            assert_eq!(&first, b"HTTP/1.1 200");
            socket
        })
        .collect();
    let started = Instant::now();
    let answer = lot(&application, &json!({"demandes": vec![json!({"code_certification": "40099013"}); 100]}));
    assert_eq!((answer.status, answer.text().lines().count()), (200, 100));
    println!(
        "beside {} that do not read: {:?}, peak {} KiB",
        sockets.len(),
        started.elapsed(),
        peak(&application) / 1024
    );
    assert!(started.elapsed() < Duration::from_secs(5) && peak(&application) < 128 << 20);
    drop(sockets);
    assert_eq!(lot(&application, &json!({"demandes": [{"code_certification": "40099013"}]})).status, 200);
}
