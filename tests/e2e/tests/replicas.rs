//! More than one replica on one Redis, as Spin's provider speaks to it: publication, schedulers that call at once, kills,
//! a server that restarts or loses its connections, and replicas that follow a switch and are replaced under load.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use e2e::{generation, line, sample, with_sample};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};
use support::client::send;
use support::push::Push;
use support::{Application, RedisServer, Request, Settings};

fn replica(server: &RedisServer) -> Application {
    Application::start(Settings { redis: Some(server.url()), ..Settings::default() }).unwrap()
}

/// Certifications whose every number is the generation's.
fn of_generation(number: u64) -> Push {
    let document = |code: u64| {
        json!({"millesime": "2023", "code_certification": format!("238300990{code:02}"), "code_certification_type": "mef11",
            "code_formation_diplome": format!("400990{code:02}"), "libelle": "Certification", "filiere": "pro",
            "diplome": {"code": "4", "libelle": "BAC PRO"}, "nb_annee_term": number, "nb_sortant": number})
    };
    Push::all((0..40).map(|code| line("certification", &document(code))).collect::<String>())
}

/// The generation that an answer is of; every number in it must be that one's.
fn number(answer: &Value) -> u64 {
    fn collect(value: &Value, found: &mut BTreeSet<u64>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| match value.as_u64() {
                Some(number) if name.starts_with("nb_") => drop(found.insert(number)),
                _ => collect(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    collect(answer, &mut found);
    assert_eq!(found.len(), 1, "mixed: {answer}");
    found.pop_first().unwrap()
}

const DOCUMENT: &str = "/api/inserjeunes/certifications/23830099007";
const LIST: &str = "/api/inserjeunes/certifications?items_par_page=40";

/// One call of the schedule; `None` where no whole answer came.
fn run(application: &Application, budget_ms: u64) -> Option<(u16, Value)> {
    let answer = application.send(&application.import("POST", &format!("run?budget_ms={budget_ms}"))).ok()?;
    Some((answer.status, if answer.status == 200 { answer.json() } else { Value::Null }))
}

/// A push that waits for its schedule: its id.
fn staged(application: &Application, push: &Push) -> String {
    let id = application.stage(push).unwrap();
    let mut order = push.order.clone();
    order["parties"] = push.parts.len().into();
    let publish = application.import("POST", &format!("jobs/{id}/publish")).body(order.to_string());
    assert_eq!(application.send(&publish).unwrap().status, 202);
    id
}

/// How a job ended; `None` while it goes on.
fn end(application: &Application, id: &str) -> Option<Value> {
    let answer = application.send(&application.import("GET", &format!("jobs/{id}"))).ok()?;
    let job = (answer.status == 200).then(|| answer.json())?;
    job["fini_ms"].is_number().then_some(job)
}

/// The digest and some answers of the sample as one host publishes it on a file of its own.
fn expected() -> (Value, Vec<(String, Vec<u8>)>) {
    let alone = with_sample(Settings::default()).unwrap();
    let status = alone.get("/api/status").unwrap().json();
    (status["publication"]["empreinte"].clone(), answers(&alone))
}

fn answers(application: &Application) -> Vec<(String, Vec<u8>)> {
    let paths = ["certifications", "regionales", "formations", "formations.csv"];
    let get = |path: &str| {
        let target = format!("/api/inserjeunes/{path}");
        let answer = application.get(&target).unwrap();
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        (target, answer.body)
    };
    paths.into_iter().map(get).collect()
}

fn assert_is(application: &Application, (digest, expected): &(Value, Vec<(String, Vec<u8>)>)) {
    let status = application.get("/api/status").unwrap().json();
    assert_eq!(status["publication"]["empreinte"], *digest, "{status}");
    for ((target, read), (_, expected)) in answers(application).iter().zip(expected) {
        assert!(read == expected, "{target} differs");
    }
}

#[test]
fn two_schedulers_and_their_kills_publish_on_redis_what_one_publishes() {
    let test = "two_schedulers_and_their_kills_publish_on_redis_what_one_publishes";
    let Some(server) = RedisServer::start(test, &[]) else { return };
    let expected = expected();
    let mut hosts = [replica(&server), replica(&server)];
    let addresses = [0, 1].map(|rank: usize| Mutex::new(hosts[rank].host.address()));
    let id = staged(&hosts[0], &sample().unwrap());
    let authority = hosts[0].import("GET", "").headers;
    let call = |rank: usize, method: &str, target: &str| {
        let headers = authority.clone();
        let request = Request { headers, ..Request::new(method, &format!("/internal/import/{target}")) };
        let address = *addresses[rank].lock().unwrap();
        send(address, &request).ok()
    };
    let (ended, calls, cut) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let job = Mutex::new(Value::Null);
    let mut kills = 0;
    std::thread::scope(|threads| {
        for rank in 0..2 {
            let (ended, calls, cut, job, id, call) = (&ended, &calls, &cut, &job, &id, &call);
            threads.spawn(move || {
                while !ended.load(Relaxed) {
                    // One that cannot know what became of a swap says 503, one that comes second 409.
                    match call(rank, "POST", "run?budget_ms=150").map(|answer| answer.status) {
                        Some(status) => {
                            assert!(matches!(status, 200 | 409 | 500 | 503), "{status}");
                            calls.fetch_add(1, Relaxed);
                        }
                        None => drop(cut.fetch_add(1, Relaxed)),
                    }
                    let read = call(rank, "GET", &format!("jobs/{id}")).filter(|answer| answer.status == 200);
                    if let Some(end) = read.map(|answer| answer.json()).filter(|job| job["fini_ms"].is_number()) {
                        *job.lock().unwrap() = end;
                        ended.store(true, Relaxed);
                    }
                }
            });
        }
        // Dropping a host cuts everything off where it stands.
        let mut wait = 300;
        while !ended.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(wait));
            wait = (wait * 7 + 3) % 400 + 100;
            if kills < 8 {
                let new = replica(&server);
                *addresses[kills % 2].lock().unwrap() = new.host.address();
                drop(std::mem::replace(&mut hosts[kills % 2], new));
                kills += 1;
            }
        }
    });
    let job = job.into_inner().unwrap();
    assert_eq!(job["etape"], "publie", "{job}");
    assert!(calls.load(Relaxed) > 2 && kills > 0, "{calls:?} calls, {kills} kills, {cut:?} cut");
    for host in &hosts {
        assert_is(host, &expected);
        assert_eq!(generation(host).unwrap(), job["generation"].as_str().unwrap());
    }
}

#[test]
fn a_host_that_dies_with_the_lease_is_followed_when_its_time_is_over() {
    let test = "a_host_that_dies_with_the_lease_is_followed_when_its_time_is_over";
    let Some(server) = RedisServer::start(test, &[]) else { return };
    let (first, second) = (replica(&server), replica(&server));
    let id = staged(&first, &of_generation(100));
    // It dies inside a call: the lease is taken, the record is not written.
    first.host.inject_faults(host::testing::Faults::one(host::testing::Fault {
        on: host::testing::Operation::SetMany,
        effect: host::testing::Effect::Delay(60_000),
        ..Default::default()
    }));
    let address = first.host.address();
    let call = first.import("POST", "run");
    let caller = std::thread::spawn(move || send(address, &call));
    let begun = Instant::now();
    while !server.ask("GET work:lease").join("").contains(&id) {
        assert!(begun.elapsed() < Duration::from_secs(20), "the lease is not taken");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(first);
    let _ = caller.join().unwrap();
    // Another job has to wait for it; its own goes on at once, with a number of its own.
    let other = second.import("POST", "rollback");
    assert_eq!(second.send(&other).unwrap().status, 409);
    let job = second.run(&id).unwrap();
    assert_eq!(job["etape"], "publie", "{job}");
    second.host.set_clock(Some(std::time::SystemTime::now() + Duration::from_secs(62)));
    assert_eq!(number(&second.get(LIST).unwrap().json()), 100);
}

#[test]
fn a_server_that_restarts_in_the_middle_costs_calls_and_nothing_else() {
    let test = "a_server_that_restarts_in_the_middle_costs_calls_and_nothing_else";
    let Some(mut server) = RedisServer::start(test, &[]) else { return };
    let expected = expected();
    let host = replica(&server);
    let id = staged(&host, &sample().unwrap());
    // Each write takes as long as a call may: the job needs more calls than the server restarts, on any machine.
    host.host.inject_faults(host::testing::Faults::one(host::testing::Fault {
        on: host::testing::Operation::SetMany,
        effect: host::testing::Effect::Delay(10),
        ..Default::default()
    }));
    let (mut refused, mut restarts) = (0, 0);
    let job = loop {
        match run(&host, 10) {
            Some((200, _)) => {}
            _ => refused += 1,
        }
        assert!(refused < 200, "it does not come back");
        if let Some(end) = end(&host, &id) {
            break end;
        }
        if restarts < 3 {
            restarts += 1;
            server.start_again();
        } else if restarts < 8 {
            restarts += 1;
            let _ = server.ask("CLIENT KILL TYPE normal");
        }
    };
    assert_eq!(job["etape"], "publie", "{job}");
    assert!(restarts > 3, "{restarts}");
    assert_is(&host, &expected);
}

/// What stands before the replicas: it sends to those that are in.
struct Balancer {
    replicas: RwLock<Vec<SocketAddr>>,
    turn: AtomicUsize,
}

impl Balancer {
    fn get(&self, target: &str, key: &str) -> std::io::Result<support::Answer> {
        // The lock is held until the answer is whole: who is taken out finishes what it was given.
        let replicas = self.replicas.read().unwrap();
        let turn = self.turn.fetch_add(1, Relaxed);
        send(replicas[turn % replicas.len()], &Request::get(target).header("x-api-key", key))
    }
}

#[test]
fn three_replicas_follow_a_switch_within_a_second_and_are_replaced_without_a_failed_request() {
    let test = "three_replicas_follow_a_switch_within_a_second_and_are_replaced_without_a_failed_request";
    let Some(server) = RedisServer::start(test, &[]) else { return };
    let mut hosts: Vec<Application> = (0..3).map(|_| replica(&server)).collect();
    let published = |host: &Application, number| {
        let job = host.push(&of_generation(number)).unwrap();
        assert_eq!(job["etape"], "publie", "{job}");
    };
    published(&hosts[0], 100);
    let key = hosts[0].settings.legacy_api_key.clone();
    let balancer = Balancer {
        replicas: RwLock::new(hosts.iter().map(|host| host.host.address()).collect()),
        turn: AtomicUsize::new(0),
    };
    let (ended, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                while !ended.load(Relaxed) {
                    for target in [DOCUMENT, LIST] {
                        let answer = balancer.get(target, &key).unwrap();
                        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
                        number(&answer.json());
                        answered.fetch_add(1, Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        // Asked at the instants of `when`, not in a loop of its own: answers of a busy machine come late.
        for generation in [101, 102] {
            published(&hosts[1], generation);
            std::thread::sleep(Duration::from_secs(1));
            for host in &hosts {
                for target in [DOCUMENT, LIST] {
                    assert_eq!(number(&host.get(target).unwrap().json()), generation, "{target} after a second");
                }
            }
        }
        for rank in 0..3 {
            let new = replica(&server);
            let (address, old) = (new.host.address(), std::mem::replace(&mut hosts[rank], new));
            assert_eq!(hosts[rank].get("/api/status").unwrap().status, 200, "ready before it is in");
            let leaving = old.host.address();
            for replica in balancer.replicas.write().unwrap().iter_mut().filter(|replica| **replica == leaving) {
                *replica = address;
            }
            old.host.stop();
            published(&hosts[(rank + 1) % 3], 103 + rank as u64);
        }
        ended.store(true, Relaxed);
    });
    assert!(answered.load(Relaxed) > 100, "{answered:?}");
}
