//! What requests leave in the log of the built application: a line each, with what an operator needs, and nothing that a log
//! must not hold.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{Folder, root};

/// The program that serves, as an operator starts it, and all that it writes on its error output.
struct Server {
    process: Child,
    address: String,
    written: Arc<Mutex<String>>,
    _folder: Folder,
}

const KEY: &str = "cle-que-personne-ne-lit";
const PASSWORD: &str = "Mot2passe-jamais-lu!";
const IMPORT: &str = "secret-de-l-import";

impl Server {
    fn start(logged: &str) -> Self {
        let folder = Folder::new("request-log").unwrap();
        let variables = [
            format!("import_secret={IMPORT}"),
            format!("legacy_api_key={KEY}"),
            "jwt_secret=signature-jamais-lue".to_owned(),
            format!("journal_requetes={logged}"),
        ];
        let mut process = Command::new(root().join("target/debug/host"))
            .current_dir(root())
            .args(["up", "--from", "spin.toml", "--listen", "127.0.0.1:0", "--fast-unsafe-store", "--sqlite"])
            .arg(folder.path().join("store.db"))
            .args(variables.iter().flat_map(|variable| ["--variable", variable]))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let written = Arc::new(Mutex::new(String::new()));
        let (mut errors, kept) = (BufReader::new(process.stderr.take().unwrap()), Arc::clone(&written));
        std::thread::spawn(move || {
            let mut line = String::new();
            while errors.read_line(&mut line).is_ok_and(|read| read > 0) {
                kept.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
        });
        let mut told = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let address = told.find_map(|line| line.strip_prefix("Serving http://").map(str::to_owned)).unwrap();
        std::thread::spawn(move || told.for_each(drop));
        Self { process, address, written, _folder: folder }
    }

    /// The status and the bytes of the body, as they came.
    fn ask(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> (u16, usize) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(stream, "{method} {target} HTTP/1.1\r\nhost: essai\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n")
            .unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let (head, mut rest) = (String::from_utf8_lossy(&answer[..end]).to_lowercase(), &answer[end + 4..]);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if !head.contains("transfer-encoding: chunked") {
            return (status, rest.len());
        }
        let mut bytes = 0;
        loop {
            let line = rest.windows(2).position(|window| window == b"\r\n").unwrap();
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
            if size == 0 {
                return (status, bytes);
            }
            bytes += size;
            rest = &rest[line + 2 + size + 2..];
        }
    }

    /// The lines of requests written so far, once there are so many.
    fn lines(&self, count: usize) -> Vec<Value> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let written = self.written.lock().unwrap().clone();
            let lines: Vec<Value> = written
                .lines()
                .filter_map(|line| {
                    line.find("{\"journal\":\"requete\"").map(|at| serde_json::from_str(&line[at..]).unwrap())
                })
                .collect();
            if lines.len() >= count || Instant::now() > until {
                return lines;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn publish_the_sample(&self) {
        let mut lines = Vec::new();
        for file in std::fs::read_dir(root().join("data")).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "ndjson") {
                lines.extend(std::fs::read(path).unwrap());
            }
        }
        let headers = format!("authorization: Bearer {IMPORT}\r\ncontent-type: application/x-ndjson\r\n");
        assert_eq!(self.ask("POST", "/internal/import/documents", &headers, &lines).0, 200);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_request_is_one_line_that_holds_no_secret_and_no_figure() {
    let server = Server::start("oui");
    server.publish_the_sample();
    let key = format!("x-api-key: {KEY}\r\n");
    let login = json!({"username": "personne", "password": PASSWORD}).to_string();
    let asked = [
        ("GET", "/api/inserjeunes/certifications/40099011", "", "", "certifications/{code}", "40099011", "anonyme"),
        ("GET", "/api/inserjeunes/certifications/40099011.svg", "", "", "certifications/{code}", "40099011", "anonyme"),
        (
            "GET",
            "/api/inserjeunes/certifications?items_par_page=3",
            key.as_str(),
            "",
            "certifications",
            "",
            "cle-commune",
        ),
        ("GET", &format!("/api/inserjeunes/formations.csv?apiKey={KEY}"), "", "", "formations", "", "cle-commune"),
        ("GET", "/api/inserjeunes/certifications?apiKey=une-autre", "", "", "certifications", "", "anonyme"),
        ("GET", "/api/recherche?q=cuisine+de+quelqu-un", "", "", "api/recherche", "", "anonyme"),
        (
            "POST",
            "/api/inserjeunes/auth/login",
            "content-type: application/json\r\n",
            &login,
            "auth/login",
            "",
            "anonyme",
        ),
        ("GET", "/chemin-secret", "", "", "autre", "", "anonyme"),
    ];
    let before = server.lines(1).len();
    for (rank, (method, target, headers, body, route, code, user)) in asked.iter().enumerate() {
        let (status, bytes) = server.ask(method, target, headers, body.as_bytes());
        let lines = server.lines(before + rank + 1);
        assert_eq!(lines.len(), before + rank + 1, "{target}");
        let line = lines.last().unwrap();
        let told = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        assert_eq!(
            (told("route"), told("code"), told("methode")),
            ((*route).into(), (*code).into(), (*method).into()),
            "{line}"
        );
        assert_eq!((&line["statut"], &line["octets"]), (&json!(status), &json!(bytes)), "{target}: {line}");
        assert_eq!(told("reutilisateur"), *user, "{target}: {line}");
        assert!(
            line["duree_ms"].as_u64().unwrap() < 60_000 && line["ms"].as_u64().unwrap() > 1_700_000_000_000,
            "{line}"
        );
        assert!(matches!(told("cache").as_str(), "HIT" | "MISS"), "{line}");
        let public = status == 200 && *route != "auth/login";
        assert_eq!(told("generation").starts_with('g'), public, "{target}: {line}");
    }
    let written = server.written.lock().unwrap().clone();
    for secret in [
        KEY,
        PASSWORD,
        IMPORT,
        "signature-jamais-lue",
        "une-autre",
        "quelqu-un",
        "chemin-secret",
        "items_par_page",
        "taux_",
        "personne",
    ] {
        assert!(!written.contains(secret), "{secret}: {written}");
    }
}

#[test]
fn nothing_is_logged_unless_it_is_asked_for() {
    let server = Server::start("non");
    server.publish_the_sample();
    assert_eq!(server.ask("GET", "/api/inserjeunes/certifications/40099011", "", b"").0, 200);
    std::thread::sleep(Duration::from_millis(500));
    assert!(!server.written.lock().unwrap().contains("journal"));
}
