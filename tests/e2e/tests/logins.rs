//! A flood of logins: those beyond what an instance takes are told to come back; readers are answered meanwhile.
//!
//! The figures of 128 and 400 at once: `cargo test --workspace --test logins -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use e2e::with_sample;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use support::{Application, Request, Settings};

const DOCUMENT: &str = "/api/inserjeunes/certifications/40099011";

/// What a flood came to.
#[derive(Debug, Default)]
struct Flood {
    /// Logins, by status.
    answers: BTreeMap<u16, usize>,
    /// What documents took meanwhile, sorted.
    documents: Vec<Duration>,
    /// What this process took of memory beyond what it had before, in MiB.
    memory: u64,
    instances: u64,
}

impl Flood {
    fn median(&self) -> Duration {
        self.documents[self.documents.len() / 2]
    }
}

/// The memory that this process holds now, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}

fn login(user: &str, password: &str) -> Request {
    let body = json!({"username": user, "password": password});
    Request::new("POST", "/api/inserjeunes/auth/login")
        .header("content-type", "application/json")
        .body(body.to_string())
}

fn ready() -> Application {
    let application = with_sample(Settings::default()).unwrap();
    let user = json!({"username": "alice", "password": "Password1234!"});
    let made = application.send(&application.import("POST", "users").body(user.to_string())).unwrap();
    assert_eq!(made.status, 201, "{}", made.text());
    application
}

/// So many clients log in again and again for a while, while documents are asked for one after the other.
fn flood(application: &Application, clients: usize, length: Duration) -> Flood {
    let before = resident();
    let (answers, stop) = (Mutex::new(BTreeMap::new()), AtomicBool::new(false));
    let (mut documents, mut memory) = (Vec::new(), 0);
    std::thread::scope(|scope| {
        for client in 0..clients {
            let (answers, stop) = (&answers, &stop);
            scope.spawn(move || {
                // Some know a password, most guess, each under a name of its own.
                let request = match client % 4 {
                    0 => login("alice", "Password1234!"),
                    _ => login(&format!("u{client}"), "devine"),
                };
                while !stop.load(Relaxed) {
                    // What the system refuses before it reaches the host is no answer.
                    let Ok(answer) = application.send(&request) else { continue };
                    if answer.status == 429 {
                        let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                        assert!((1..=60).contains(&after), "{after}");
                    }
                    *answers.lock().unwrap().entry(answer.status).or_default() += 1;
                }
            });
        }
        let start = Instant::now();
        while start.elapsed() < length {
            let begun = Instant::now();
            let answer = application.get(DOCUMENT).unwrap();
            documents.push(begun.elapsed());
            assert_eq!(answer.status, 200, "{}", answer.text());
            memory = resident().max(memory);
            std::thread::sleep(Duration::from_millis(20));
        }
        stop.store(true, Relaxed);
    });
    documents.sort_unstable();
    let instances = application.host.counters()["auth"].instances;
    Flood { answers: answers.into_inner().unwrap(), documents, memory: memory.saturating_sub(before), instances }
}

#[test]
fn a_flood_of_logins_is_answered_or_told_to_come_back_and_passes() {
    let application = ready();
    let flood = flood(&application, 64, Duration::from_secs(4));
    assert!(flood.answers.keys().all(|status| [200, 401, 429].contains(status)), "{flood:?}");
    // How many are refused depends on how many instances the host makes: that some come to their end does not.
    assert!(flood.answers.contains_key(&200) || flood.answers.contains_key(&401), "{flood:?}");
    // Once it is over, a login is as it was.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(application.send(&login("alice", "Password1234!")).unwrap().status, 200);
}

#[test]
#[ignore = "measures: 128 and 400 logins at once"]
fn documents_while_128_and_400_log_in() {
    let application = ready();
    for clients in [0, 128, 400] {
        let flood = flood(&application, clients, Duration::from_secs(15));
        let last = flood.documents.last().unwrap();
        println!(
            "{clients} logins at once: a document {:?} in the median, {last:?} at most ({}); logins {:?}; {} MiB more; {} instances so far",
            flood.median(),
            flood.documents.len(),
            flood.answers,
            flood.memory,
            flood.instances
        );
        std::thread::sleep(Duration::from_secs(3));
    }
}
