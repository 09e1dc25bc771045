//! Long tests, on the real tables: `cargo test --workspace --test endurance -- --ignored --nocapture` (some 20 minutes).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use serde_json::{Value, json};
use services::{Data, Options, Services};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::client::{Request, send};
use support::{Folder, root, shared};

const SECRET: &str = "secret-d-import-de-test";
const KEY: &str = "cle-partagee-de-test";
const KILLS: usize = 200;
const READS: usize = 100_000;

/// The bundled host as a process of its own, so that it can be killed.
struct Process(Child, SocketAddr);

impl Process {
    fn start(folder: &Folder, services: &Services, port: u16) -> Self {
        let address: SocketAddr = ([127, 0, 0, 1], port).into();
        let mut command = Command::new(root().join("target/debug/host"));
        command.args(["up", "--from", "spin.toml", "--listen", &address.to_string()]).current_dir(root());
        command.arg("--sqlite").arg(folder.path().join("store.db")).arg("--env-file").arg(folder.path().join("env"));
        let mut variables = services.variables();
        variables.extend([
            ("import_secret".to_owned(), SECRET.to_owned()),
            ("legacy_api_key".to_owned(), KEY.to_owned()),
            ("jwt_secret".to_owned(), "jwt".to_owned()),
            ("collecte_par_seconde".to_owned(), "1000".to_owned()),
        ]);
        for (name, value) in variables {
            command.args(["--variable", &format!("{name}={value}")]);
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let process = Self(child, address);
        let begun = Instant::now();
        while process.get("/.well-known/spin/health").is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the host does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        process
    }

    fn get(&self, target: &str) -> Option<(u16, Value)> {
        let answer = send(self.1, &Request::get(target).header("x-api-key", KEY)).ok()?;
        Some((
            answer.status,
            if answer.status == 200 && target.starts_with("/api") { answer.json() } else { Value::Null },
        ))
    }

    fn import(&self, method: &str, target: &str, body: &str) -> Option<(u16, Value)> {
        let request = Request::new(method, &format!("/internal/import/{target}"))
            .header("authorization", &format!("Bearer {SECRET}"))
            .body(body);
        let answer = send(self.1, &request).ok()?;
        Some((answer.status, answer.json()))
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name).unwrap();
    std::fs::write(folder.path().join("env"), "").unwrap();
    folder
}

/// The report, once the import has ended.
fn report(process: &Process, id: &str) -> Option<Value> {
    let (status, report) = process.import("GET", &format!("reports/{id}"), "")?;
    (status == 200).then_some(report)
}

fn open(process: &Process, demand: &str) -> String {
    let (status, opened) = process.import("POST", "pull", demand).unwrap();
    assert_eq!(status, 201, "{opened}");
    opened["collecte"]["id"].as_str().unwrap().to_owned()
}

fn to_the_end(process: &Process, id: &str) -> Value {
    loop {
        if let Some(report) = report(process, id) {
            return report;
        }
        let (status, state) = process.import("POST", "pull/run", "").unwrap();
        assert!(status == 200 || status == 409, "{state}");
    }
}

#[test]
#[ignore = "long: 200 kills of a run on the real tables"]
fn killed_200_times_a_run_publishes_the_same() {
    if shared("data", "killed_200_times_a_run_publishes_the_same").is_none() {
        return;
    }
    let services = Services::start(Options { data: Data::Real, ..Options::default() }).unwrap();
    let quiet = folder("endurance-quiet");
    let process = Process::start(&quiet, &services, 3_951);
    let id = open(&process, "");
    let whole = to_the_end(&process, &id);
    assert_eq!(whole["etape"], "publie", "{whole}");
    // The same treatments and publication, killed again and again; and, first of all, the calls.
    let killed = folder("endurance-killed");
    let mut process = Process::start(&killed, &services, 3_952);
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let (mut kills, mut runs) = (0, 0);
    let mut id = open(&process, "");
    loop {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (sender, receiver) = std::sync::mpsc::channel();
        let address = process.1;
        // A run is driven as a scheduler does, from outside; the kill comes at any moment of it.
        let driver = std::thread::spawn(move || {
            let request = Request::new("POST", "/internal/import/run?budget_ms=1500")
                .header("authorization", &format!("Bearer {SECRET}"));
            while receiver.try_recv().is_err() && send(address, &request).is_ok() {}
        });
        std::thread::sleep(Duration::from_millis(500 + random % 2_500));
        let ended = report(&process, &id);
        if let Some(report) = &ended {
            assert_eq!(report["bilan"]["digest"], whole["bilan"]["digest"], "{report}");
            runs += 1;
            println!("{kills} kills, {runs} runs, the same digest");
            if kills >= KILLS {
                let _ = sender.send(());
                driver.join().unwrap();
                break;
            }
        }
        process.kill();
        driver.join().unwrap();
        kills += 1;
        process = Process::start(&killed, &services, 3_952);
        if ended.is_some() {
            id = open(&process, r#"{"rejouer": true}"#);
        }
    }
}

#[test]
#[ignore = "long: 100,000 reads while generations are switched"]
fn no_read_is_mixed_or_fails_while_generations_change() {
    if shared("data", "no_read_is_mixed_or_fails_while_generations_change").is_none() {
        return;
    }
    let services = Services::start(Options { data: Data::Sample, ..Options::default() }).unwrap();
    let folder = folder("endurance-reads");
    let process = Process::start(&folder, &services, 3_953);
    let id = open(&process, "");
    assert_eq!(to_the_end(&process, &id)["etape"], "publie");
    // Each generation holds one mark in all its documents: what a page mixes shows in it.
    let lines = |mark: usize| -> String {
        let line = |n: usize| {
            let code = format!("{:08}", 40_000_000 + n);
            json!({"kind": "certification", "doc": {"code_certification": code, "millesime": "2017", "filiere": "apprentissage",
                "libelle": format!("marque {mark}"), "code_certification_type": "cfd", "code_formation_diplome": code,
                "nb_annee_term": 100 + mark, "donnee_source": {"code_certification": code, "type": "self"}}})
            .to_string()
        };
        (0..2_000).map(line).collect::<Vec<_>>().join("\n")
    };
    let publish = |mark: usize| {
        let target = "documents?kinds=certification&millesimes=2017&confirmer_pertes=true";
        let (status, mut job) = process.import("POST", target, &lines(mark)).unwrap();
        assert!(status < 300, "{job}");
        while !["publie", "inchange"].contains(&job["etape"].as_str().unwrap_or_default()) {
            let target = format!("jobs/{}/run", job["id"].as_str().unwrap());
            job = process.import("POST", &target, "").unwrap().1;
        }
    };
    publish(0);
    let done = std::sync::atomic::AtomicUsize::new(0);
    let mut switches = 0;
    std::thread::scope(|scope| {
        for reader in 0..3 {
            let (done, process) = (&done, &process);
            scope.spawn(move || {
                let mut n = reader;
                while done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < READS {
                    n += 7;
                    let list = n % 4 == 0;
                    let target = if list {
                        format!(
                            "/api/inserjeunes/certifications?millesimes=2017&items_par_page=100&page={}",
                            1 + n % 20
                        )
                    } else {
                        format!("/api/inserjeunes/certifications/{:08}?millesime=2017", 40_000_000 + n % 2_000)
                    };
                    let (status, answer) = process.get(&target).unwrap();
                    assert_eq!(status, 200, "{target}: {answer}");
                    if list {
                        let rows = answer["certifications"].as_array().unwrap();
                        assert_eq!(rows.len(), 100, "{target}");
                        assert!(rows.iter().all(|row| row["libelle"] == rows[0]["libelle"]), "mixed: {target}");
                    }
                }
            });
        }
        while done.load(std::sync::atomic::Ordering::Relaxed) < READS {
            switches += 1;
            publish(switches);
        }
    });
    println!("{READS} reads, {switches} switches");
    assert!(switches >= 3, "{switches}");
}
