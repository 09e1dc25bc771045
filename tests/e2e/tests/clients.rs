//! Invariants 6 and 7: what one client does never reaches another.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use e2e::with_sample;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use support::{Answer, Application, Request, Settings};

const LIST: &str = "/api/inserjeunes/formations?items_par_page=3";

/// One instance for everything.
fn one_instance() -> Settings {
    let mut settings = Settings::default();
    settings.reuse.max_requests = 100_000;
    settings.reuse.idle = std::time::Duration::from_secs(600);
    settings
}

fn json_post(path: &str, body: &serde_json::Value) -> Request {
    Request::new("POST", path).header("content-type", "application/json").body(body.to_string())
}

fn status(application: &Application, request: &Request) -> u16 {
    application.send(request).unwrap().status
}

#[test]
fn invariant_6_a_key_opens_for_its_own_request_only() {
    let application = with_sample(one_instance()).unwrap();
    let shared = application.settings.legacy_api_key.clone();
    let user = |name: &str| {
        let user = json!({"username": name, "password": "Password1234!"});
        let made = application.send(&application.import("POST", "users").body(user.to_string())).unwrap();
        assert_eq!(made.status, 201, "{}", made.text());
        let made = application.send(&application.import("POST", &format!("users/{name}/cles")).body("{}")).unwrap();
        let key = made.json()["cle"].as_str().unwrap().to_owned();
        let login = json_post("/api/inserjeunes/auth/login", &user);
        let token = application.send(&login).unwrap().json()["token"].as_str().unwrap().to_owned();
        (key, token)
    };
    let ((key_a, token_a), (key_b, token_b)) = (user("alice"), user("bruno"));
    let bare = Request::get(LIST);
    let with_key = |key: &str| Request::get(LIST).header("x-api-key", key);
    let with_token = |token: &str| Request::get(LIST).header("authorization", &format!("Bearer {token}"));
    let mut expected = vec![
        (bare.clone(), 401),
        (with_key(&shared), 200),
        (bare.clone(), 401),
        (with_key("autre"), 401),
        (with_key(&key_a), 200),
        (with_key(&key_a[..key_a.len() - 1]), 401),
        (with_token(&token_b), 200),
        (bare.clone(), 401),
        (with_key(&key_b), 200),
        (with_token(&token_a), 200),
        (with_token(&key_a), 401),
    ];
    for (request, wanted) in &expected {
        assert_eq!(status(&application, request), *wanted, "{:?}", request.headers);
    }
    // Alice's account is closed: nothing of hers opens any more, what others have still does.
    assert_eq!(status(&application, &application.import("DELETE", "users/alice")), 200);
    for (request, wanted) in &mut expected {
        let header = request.headers.first().map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        let hers = header.is_some_and(|header| header.ends_with(&key_a) || header.ends_with(&token_a));
        let wanted = if hers { 401 } else { *wanted };
        assert_eq!(status(&application, request), wanted, "{:?}", request.headers);
    }
    let instances = application.host.counters()["formations"].instances;
    assert_eq!(instances, 1, "the sequence was to meet one instance");
}

#[test]
fn invariant_6_answers_do_not_depend_on_what_came_before() {
    let application = with_sample(one_instance()).unwrap();
    let one = "/api/inserjeunes/certifications/40099011";
    let mut requests: Vec<Request> = [
        one,
        "/api/inserjeunes/certifications/23830099011",
        "/api/inserjeunes/certifications/40099011.svg?theme=lba",
        "/api/images/certifications/40099011.svg?largeur=240",
        "/api/images/certifications/40099011.png?vue=filieres",
        "/api/inserjeunes/certifications/40099011?vue=filieres",
        "/api/inserjeunes/certifications/99999999",
        "/api/inserjeunes/certifications/99999999.svg?imageOnError=true",
        "/api/inserjeunes/certifications/40099011?millesime=2021",
        "/api/inserjeunes/certifications/40099011?inconnu=1",
        "/api/inserjeunes/certifications",
    ]
    .into_iter()
    .map(Request::get)
    .collect();
    // More sets of headers than an instance keeps.
    requests.extend([
        Request::get(one).header("accept-encoding", "gzip"),
        Request::get(one).header("if-none-match", "*"),
        Request::new("HEAD", one),
        Request::new("OPTIONS", one),
        Request::new("POST", one),
        Request::get(one).header("content-type", "application/json").body("{"),
    ]);
    let ask = |request: &Request| {
        let Answer { status, mut headers, body } = application.send(request).unwrap();
        headers.retain(|(name, _)| name != "date");
        headers.sort();
        (status, headers, body)
    };
    let first: Vec<_> = requests.iter().map(ask).collect();
    for step in [1, 2, 3, 5] {
        for index in (0..requests.len() * 2).map(|turn| turn * step % requests.len()) {
            assert_eq!(ask(&requests[index]), first[index], "{:?}", requests[index]);
        }
    }
    // All at once, in the same instance.
    std::thread::scope(|scope| {
        for reader in 0..6 {
            let (requests, first, ask) = (&requests, &first, &ask);
            scope.spawn(move || {
                for turn in 0..40 {
                    let index = (turn + reader) % requests.len();
                    assert_eq!(ask(&requests[index]), first[index], "{:?}", requests[index]);
                }
            });
        }
    });
}

/// Sends a request again and again on one connection, `ahead` of them before the first answer is read.
fn press(application: &Application, target: &str, rounds: usize, ahead: usize) {
    let address = application.host.address();
    let stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nhost: {address}\r\n\r\n").repeat(ahead);
    let mut answers = BufReader::new(&stream);
    for _ in 0..rounds {
        (&stream).write_all(request.as_bytes()).unwrap();
        for _ in 0..ahead {
            let (mut line, mut length) = (String::new(), 0);
            answers.read_line(&mut line).unwrap();
            assert!(line.starts_with("HTTP/1.1 200"), "{line}");
            while line != "\r\n" {
                line.clear();
                answers.read_line(&mut line).unwrap();
                length = line.strip_prefix("content-length: ").map_or(length, |n| n.trim().parse().unwrap());
            }
            std::io::copy(&mut (&mut answers).take(length), &mut std::io::sink()).unwrap();
        }
    }
}

#[test]
fn invariant_7_an_instance_under_load_lets_go_of_what_it_has_answered() {
    let application = with_sample(one_instance()).unwrap();
    let target = "/api/inserjeunes/certifications/40099011";
    std::thread::scope(|scope| {
        // One after the other, so that few instances are made and each has much to do.
        for _ in 0..24 {
            scope.spawn(|| press(&application, target, 200, 16));
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let counters = &application.host.counters()["certifications"];
    assert!(counters.requests >= 24 * 3_200, "{counters:?}");
    // A MiB or two; answers of a tenth of the requests would make more.
    assert!(counters.peak_memory < 8 << 20, "{counters:?}");
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "api",
            "inserjeunes",
            "certifications",
            "regionales",
            "formations",
            "bcn",
            "auth",
            "login",
            "recherche",
            "internal",
            "import",
            "jobs",
            "documents",
            "status",
            "doc",
            "11",
            "40099011",
            "23830099011",
            "SISE:2500200",
            "9749800J-23830099011",
            "0751234J-",
            "40099011.svg",
            "40099011,23830099011",
            "certifications.csv",
            "formations.ndjson",
            "..",
            "",
            "%2F",
            "%00",
            "%E0%A4%A",
            "%F0%9F%92%A9",
            "a%20b",
            "-",
            ".svg",
        ])
        .prop_map(str::to_owned),
        "[a-zA-Z0-9:.,|%-]{0,12}".prop_map(|text| text.replace('%', "%25")),
    ]
}

fn pair() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "page",
        "items_par_page",
        "millesimes",
        "millesime",
        "regions",
        "academies",
        "uais",
        "code_certifications",
        "universe",
        "ext",
        "vue",
        "theme",
        "direction",
        "imageOnError",
        "apiKey",
        "q",
        "constructor",
        "__proto__",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec![
            "",
            "1",
            "0",
            "-1",
            "1e1",
            "1e999",
            "NaN",
            "99999999999999999999",
            "2023",
            "2022_2023",
            "2023|2022",
            "11",
            "filieres",
            "lba",
            "csv",
            "svg",
            "true",
            "empty",
            "superieur",
            "%",
            "%FF",
            "[]",
            "40099011",
            "a,b,,c",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,20}".prop_map(|text| text.replace(['#', ' ', '"', '<', '>', '`', '{', '}', '\\', '^'], "+")),
    ];
    (name, value).prop_map(|(name, value)| format!("{name}={value}"))
}

fn hostile() -> impl Strategy<Value = Request> {
    let method = prop::sample::select(vec![
        "GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X",
    ]);
    let path = prop::collection::vec(piece(), 0..6).prop_map(|pieces| format!("/{}", pieces.join("/")));
    let known = prop::sample::select(vec![
        "/api/inserjeunes/certifications",
        "/api/inserjeunes/formations",
        "/api/inserjeunes/regionales/11",
        "/api/inserjeunes/certifications/40099011",
        "/api/inserjeunes/formations/9749800J-23830099011",
        "/api/inserjeunes/auth/login",
        "/api/inserjeunes/bcn.csv",
        "/api/recherche",
    ]);
    let path = prop_oneof![path, known.prop_map(str::to_owned)];
    let header = prop::sample::select(vec![
        ("x-api-key", "cle-partagee-de-test"),
        ("x-api-key", ""),
        ("authorization", "Bearer a.b.c"),
        ("authorization", "Bearer eyJhbGciOiJub25lIn0.e30."),
        ("authorization", "Basic"),
        ("accept", "*/*;q=x"),
        ("accept-encoding", "gzip"),
        ("accept-encoding", "gzip;q=2,br;;"),
        ("if-none-match", "\"x\", W/"),
        ("if-none-match", "*"),
        ("content-type", "application/json"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-type", "application/json; charset=latin9"),
        ("range", "bytes=0-1"),
        ("content-encoding", "gzip"),
        ("spin-path-match-liste", "bcn"),
        ("x-forwarded-host", "x"),
        ("cookie", "\u{1}"),
    ]);
    let body = prop_oneof![
        3 => Just(Vec::new()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => Just(br#"{"username":{"$ne":1},"password":["a"]}"#.to_vec()),
        1 => Just(b"username=a&username=b&password=%".to_vec()),
        1 => Just(vec![b'['; 50_000]),
    ];
    (method, path, prop::collection::vec(pair(), 0..4), prop::collection::vec(header, 0..4), body).prop_map(
        |(method, path, pairs, headers, body)| {
            let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
            let mut request = Request::new(method, &format!("{path}{query}")).body(body);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            request
        },
    )
}

#[test]
fn invariant_7_hostile_requests_get_an_answer_and_harm_nobody() {
    let application = with_sample(one_instance()).unwrap();
    let good = application.get(LIST).unwrap();
    assert_eq!(good.status, 200);
    let mut runner = TestRunner::new(Config {
        cases: 1500,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&hostile(), |request| {
        let target = String::from_utf8_lossy(&request.target).into_owned();
        // What is no HTTP is answered by the server in front of the components.
        let http = http::Uri::try_from(target.as_str()).is_ok()
            && request.headers.iter().all(|(_, value)| http::HeaderValue::from_bytes(value).is_ok());
        let answer = application.send(&request).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        prop_assert!(answer.status != 500, "{}", answer.text());
        prop_assert!(answer.status < 500 || answer.status == 503, "{} {}", answer.status, answer.text());
        // 308: the former addresses of the public site.
        let bodiless = request.method == "HEAD" || [204, 304, 308].contains(&answer.status);
        if http && !bodiless {
            prop_assert!(!answer.body.is_empty(), "an empty {}", answer.status);
        }
        if http && !bodiless && answer.status >= 400 {
            // The public site tells people on a page.
            if !answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
                prop_assert_eq!(&answer.json()["statusCode"], answer.status);
            }
            for word in ["panicked", "/src/", ".rs:", "/root", "/home", "stack"] {
                prop_assert!(!answer.text().contains(word), "{}", answer.text());
            }
        }
        Ok(())
    });
    result.unwrap();
    assert_eq!(application.get(LIST).unwrap().text(), good.text());
}
