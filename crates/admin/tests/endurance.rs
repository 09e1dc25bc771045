//! Kills at random moments over everything that writes: push, pull, publication, rollback, deletion, through the routes.
//!
//! A kill is an operation of the store that never comes back, with nothing after it: the call is dropped there. Its caller
//! then does what an operator would, and everything ends as it does without kills: the same digests, no job left, no key
//! that nobody names.
//!
//! A short form runs with the tests. `scripts/endurance [KILLS]` sets `ENDURANCE_KILLS` (and `ENDURANCE_SEED`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    reason = "a test stops where it fails; the services are shared with other tests"
)]

#[path = "../../collection/tests/collection/services.rs"]
mod services;

use admin::import::import;
use admin::lookups::look_up;
use admin::pull::pull;
use api::{Request, Response, ResponseBody, Runtime, VariableFault};
use futures_executor::block_on;
use outside::{Fetch, FetchError, Outside, ServiceRequest, ServiceResponse};
use publication::{GenerationState, Registry};
use serde_json::{Value, json};
use services::{Pieces, Services};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use store::faulty::{Chance, FaultRates, Faulty};
use store::kv::{KeyValue, KeyValueWrite, StoreError};
use store::reading::Cache;
use store::{Pointer, Reader};

/// The store, shared by the calls.
#[derive(Clone)]
struct ReadStore(Rc<Faulty>);

impl KeyValue for ReadStore {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key).await
    }
}

impl KeyValueWrite for ReadStore {
    async fn set_many_raw(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        self.0.set_many_raw(pairs).await
    }
    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        self.0.delete_many(keys).await
    }
    async fn swap_raw(&self, key: &str, old: &[u8], new: Vec<u8>) -> Result<bool, StoreError> {
        self.0.swap_raw(key, old, new).await
    }
}

/// Both components on one store, and the services.
#[derive(Clone)]
struct Harness(Rc<World>);

impl Deref for Harness {
    type Target = World;
    fn deref(&self) -> &World {
        &self.0
    }
}

struct World {
    read_store: ReadStore,
    cache: Rc<Cache>,
    services: Services,
    /// The monotonic clock, and how far it goes at each look.
    monotonic: Cell<u64>,
    step: u64,
    random: Chance,
    chance: Chance,
    /// Whether calls are killed now; how many were.
    kills: Cell<bool>,
    tues: Cell<u32>,
    /// Attempts at one call since one that was not to be killed.
    attempts: Cell<u32>,
    /// Whether the component that pulls does not answer.
    silent: Cell<bool>,
}

/// The other component, by its name; the services, by theirs.
struct Network(Harness);

impl Fetch for Network {
    type Body = Pieces;
    async fn fetch(&self, request: &ServiceRequest) -> Result<ServiceResponse<Pieces>, FetchError> {
        let Some(path) = request.url.strip_prefix(admin::runs::ORIGIN) else {
            return self.0.services.fetch(request).await;
        };
        if self.0.silent.get() {
            return Err(FetchError::Connection);
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let headers: Vec<(String, String)> =
            request.headers.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        let request = Request {
            method: request.method.to_string().into(),
            path: path.to_owned(),
            query: query.into(),
            headers: headers.into(),
            body: Vec::new(),
        };
        // Its future holds itself: the pull fetches too.
        let answer: Pin<Box<dyn Future<Output = Response>>> = {
            let harness = self.0.clone();
            Box::pin(async move { pull(&harness, request).await })
        };
        let response = answer.await;
        let ResponseBody::Bytes(body) = response.body else { panic!("an answer of the pull is not streamed") };
        Ok(ServiceResponse { status: response.status, headers: Vec::new(), body: Pieces([Ok(body)].into()) })
    }
}

impl Runtime for Harness {
    type Kv = ReadStore;
    fn kv(&self) -> ReadStore {
        self.read_store.clone()
    }
    fn cache(&self) -> Rc<Cache> {
        Rc::clone(&self.cache)
    }
    async fn variable(&self, name: &str) -> Result<String, VariableFault> {
        let value = match name {
            "import_secret" => "secret",
            "inserjeunes_origine" => "https://ij",
            "insersup_origine" => "https://sup",
            "insersup_chemin" => "/",
            "insersup_national_origine" => "https://opendata",
            "bcn_origine" => "https://bcn",
            "catalogue_origine" => "https://catalogue",
            "acce_origine" => "https://acce",
            "acce_chemin" => "/fichier.csv",
            "inserjeunes_username" | "bcn_login" | "catalogue_username" => "compte",
            "inserjeunes_password" | "bcn_password" | "catalogue_password" | "insersup_key" | "bcn_key" => "mot",
            "millesimes_certifications" => "2022",
            "millesimes_certifications_sup" | "millesimes_formations_sup" => "2020_2021",
            "millesimes_regionales" => "2021_2022",
            "millesimes_formations" => "2020_2021,2021_2022",
            // The made establishments have no check letter.
            "plausibilite" => "tout=noter",
            _ => "",
        };
        Ok(value.to_owned())
    }
    fn now_ms(&self) -> i64 {
        i64::try_from(self.services.now() + self.read_store.0.clock.get()).unwrap()
    }
    fn monotonic_ms(&self) -> u64 {
        self.monotonic.set(self.monotonic.get() + self.step);
        self.monotonic.get() + self.read_store.0.clock.get()
    }
}

impl Outside for Harness {
    type Fetch = Network;
    type Clock = Services;
    fn fetch(&self) -> Network {
        Network(self.clone())
    }
    fn clock(&self) -> Services {
        self.services.clone()
    }
    fn batch(&self) -> usize {
        25
    }
    fn random(&self) -> [u8; 16] {
        std::array::from_fn(|_| u8::try_from(self.random.below(256)).unwrap())
    }
}

fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

type RecordedCall<'a> = (&'a str, &'a str, &'a [u8]);

impl Harness {
    fn new(seed: u64, faults: FaultRates, kills: bool) -> Self {
        let services = Services::default();
        services.pass(1_700_000_000_000);
        Self(Rc::new(World {
            read_store: ReadStore(Rc::new(Faulty::new(seed, faults))),
            cache: Rc::default(),
            services,
            monotonic: Cell::new(0),
            step: 1,
            random: Chance::new(seed ^ 0x55),
            chance: Chance::new(seed ^ 0xaaaa),
            kills: Cell::new(kills),
            tues: Cell::new(0),
            attempts: Cell::new(0),
            silent: Cell::new(false),
        }))
    }

    fn pass(&self, ms: u64) {
        self.services.pass(ms);
    }

    /// One call; `None`: it was killed, and its lease has run out since.
    fn call(&self, (method, path, body): RecordedCall<'_>) -> Option<(u16, Value)> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: method.to_owned().into(),
            path: format!("/internal/import/{path}"),
            query: query.into(),
            headers: vec![("authorization".to_owned(), "Bearer secret".to_owned())].into(),
            body: body.to_vec(),
        };
        self.attempts.set(self.attempts.get() + 1);
        let kv = &self.read_store.0;
        if self.kills.get() && !self.attempts.get().is_multiple_of(3) {
            // Near its start, its end, or anywhere.
            let portee = [3, 12, 60, 400, 2_000][usize::try_from(self.chance.below(5)).unwrap()];
            kv.kill_after(Some(self.chance.below(portee)));
        }
        // As the manifest routes them.
        let pulls = path == "pull";
        let response = once(async {
            match path.split('/').next() {
                _ if pulls => pull(self, request).await,
                Some("reports") => look_up(self, request).await,
                _ => import(self, request).await,
            }
        });
        kv.kill_after(None);
        let Some(response) = response else {
            self.tues.set(self.tues.get() + 1);
            self.pass(61_000);
            return None;
        };
        // Whatever an operator is told, an absence too.
        assert_eq!(response.header("cache-control"), Some("no-store"), "{method} {path}");
        let ResponseBody::Bytes(body) = response.body else { panic!("an answer of the import is not streamed") };
        Some((response.status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// A call that may be made again as it is, until it is answered otherwise than "later".
    fn insister(&self, call: RecordedCall<'_>) -> (u16, Value) {
        for _ in 0..400 {
            match self.call(call) {
                Some((409 | 503, _)) => self.pass(61_000),
                Some(response) => return response,
                None => {}
            }
        }
        panic!("{} {} is never answered", call.0, call.1);
    }

    fn budget(&self) -> u64 {
        1 + self.chance.below(60)
    }

    fn status(&self) -> Value {
        let (status, body) = self.insister(("GET", "status", b""));
        assert_eq!(status, 200, "{body}");
        body
    }

    fn pointer(&self) -> Option<Pointer> {
        block_on(self.read_store.0.inner.get("current")).unwrap().and_then(|b| Pointer::read(&b).ok())
    }

    fn digest(&self) -> String {
        block_on(async {
            let reader = Reader::open(&self.read_store.0.inner, Rc::new(Cache::new()), 0).await.unwrap();
            reader.public_record().await.unwrap().unwrap().digest
        })
    }

    /// A job of one's own: `None` where the call was killed and may have left one that nobody knows.
    fn open(&self) -> String {
        loop {
            match self.call(("POST", "jobs", b"{\"mode\": \"ajouter\"}")) {
                Some((201, job)) => return job["id"].as_str().unwrap().to_owned(),
                // Too many that nobody knows: what a caller sees in the status, it gives up.
                Some((422, _)) => {
                    for job in self.status()["travaux"].as_array().unwrap() {
                        let id = job["id"].as_str().unwrap();
                        self.insister(("DELETE", &format!("jobs/{id}"), b""));
                    }
                }
                Some((503, _)) | None => {}
                Some(other) => panic!("{other:?}"),
            }
        }
    }

    fn send(&self, id: &str, parts: &[Vec<u8>]) {
        for (n, part) in parts.iter().enumerate() {
            let (status, body) = self.insister(("PUT", &format!("jobs/{id}/parts/{n}"), part));
            assert_eq!(status, 200, "{body}");
        }
        let options = json!({"parties": parts.len(), "confirmer_pertes": true}).to_string();
        let (status, body) = self.insister(("POST", &format!("jobs/{id}/publish"), options.as_bytes()));
        assert_eq!(status, 202, "{body}");
    }

    fn push(&self, parts: &[Vec<u8>]) -> String {
        let id = self.open();
        self.send(&id, parts);
        loop {
            let (status, job) = self.insister(("POST", &format!("jobs/{id}/run?budget_ms={}", self.budget()), b""));
            assert_eq!(status, 200, "{job}");
            match job["etape"].as_str().unwrap() {
                "publie" | "inchange" => return id,
                "echec" | "abandonne" | "attendre_confirmation" => panic!("{job}"),
                _ => {}
            }
        }
    }

    /// One call for everything; killed, it is made again until what it brings is served.
    fn push_at_once(&self, body: &[u8]) {
        loop {
            match self.call(("POST", "documents?mode=ajouter&confirmer_pertes=true", body)) {
                Some((200, job)) => {
                    assert!(["publie", "inchange"].contains(&job["etape"].as_str().unwrap()), "{job}");
                    return;
                }
                Some((202, _)) | None => self.planifier(),
                Some((409 | 503, _)) => self.pass(61_000),
                Some((422, _)) => {
                    self.pass(6 * 60_000);
                    self.planifier();
                }
                Some(other) => panic!("{other:?}"),
            }
        }
    }

    /// What a scheduler calls, until there is nothing to do now.
    fn planifier(&self) {
        for _ in 0..10_000 {
            let (status, body) = self.insister(("POST", &format!("run?budget_ms={}", self.budget()), b""));
            assert_eq!(status, 200, "{body}");
            if body["encore"] == false {
                return;
            }
        }
        panic!("the scheduler is never done: {}", self.status());
    }

    fn collect(&self, demand: &[u8]) {
        let id = loop {
            match self.call(("POST", "pull", demand)) {
                Some((201, body)) => break body["collecte"]["id"].as_str().unwrap().to_owned(),
                // Killed after its write, the one under way is ours.
                Some((422, _)) => {
                    let (_, body) = self.insister(("GET", "pull", b""));
                    break body["collecte"]["id"].as_str().unwrap().to_owned();
                }
                Some((503, _)) | None => {}
                Some(other) => panic!("{other:?}"),
            }
        };
        for _ in 0..10_000 {
            let (_, body) = self.insister(("GET", "pull", b""));
            let step = body["collecte"]["etape"].as_str().unwrap();
            assert_eq!(body["collecte"]["id"], id.as_str());
            if step == "remise" {
                match body["travail"]["etape"].as_str() {
                    // Its record is deleted with the rest, once its report is kept.
                    Some("publie" | "inchange") | None => return,
                    Some("echec" | "abandonne" | "attendre_confirmation") => panic!("{body}"),
                    Some(_) => {}
                }
            }
            assert!(step != "echec" && step != "abandonnee", "{body}");
            let (status, body) = self.insister(("POST", &format!("run?budget_ms={}", self.budget()), b""));
            assert_eq!(status, 200, "{body}");
        }
        panic!("the pull does not end: {}", self.status());
    }

    fn reculer(&self) {
        let before = self.pointer().unwrap().generation;
        loop {
            match self.call(("POST", "rollback", b"")) {
                Some((200, _)) => {
                    assert_ne!(self.pointer().unwrap().generation, before);
                    return;
                }
                _ if self.pointer().unwrap().generation != before => return,
                Some((409 | 503, _)) => self.pass(61_000),
                Some(other) => panic!("{other:?}"),
                None => {}
            }
        }
    }

    /// A job that is given up in the middle of its steps.
    fn give_up(&self, parts: &[Vec<u8>]) {
        let id = self.open();
        self.send(&id, parts);
        for _ in 0..self.chance.below(3) {
            self.insister(("POST", &format!("jobs/{id}/run?budget_ms=1"), b""));
        }
        loop {
            match self.call(("DELETE", &format!("jobs/{id}"), b"")) {
                // The second time it has ended.
                Some((200 | 404 | 422, _)) => return,
                Some((409 | 503, _)) => self.pass(61_000),
                Some(other) => panic!("{other:?}"),
                None => {}
            }
        }
    }

    /// Everything that writes, once; the digest that is served after each.
    fn all(&self) -> Vec<String> {
        let mut digests = Vec::new();
        let mut note = |harness: &Self| digests.push(harness.digest());
        self.push(&[part(0, 40), part(40, 60)]);
        note(self);
        self.collect(b"{}");
        note(self);
        self.push_at_once(&part(50, 90));
        note(self);
        self.give_up(&[part(0, 120)]);
        note(self);
        self.reculer();
        note(self);
        self.reculer();
        self.collect(br#"{"rejouer": true}"#);
        note(self);
        self.planifier();
        self.push(&[part(90, 95), part(95, 99)]);
        note(self);
        self.collect(br#"{"sources": ["insersup"]}"#);
        note(self);
        digests
    }

    /// Housekeeping, when every wait is over: what it leaves is what is served, the generation before, and what is staged.
    fn verify_housekeeping(&self) {
        for _ in 0..3 {
            self.pass(25 * 60 * 60 * 1_000);
            self.planifier();
        }
        let kv = &self.read_store.0.inner;
        let registry = block_on(Registry::read(kv)).unwrap();
        assert!(registry.jobs.is_empty() && registry.to_delete.is_empty(), "{registry:?}");
        let number = |state| registry.generations.iter().filter(|g| g.state == state).count();
        let (published, staged) = (number(GenerationState::Published), number(GenerationState::Staged));
        assert_eq!((published, staged, registry.generations.len()), (2, 9, 11), "{:?}", registry.generations);
        let named = |key: &str| {
            registry.generations.iter().any(|g| {
                key.starts_with(&format!("{}:", g.id))
                    || key == format!("work:marks:{}", g.id)
                    || key.starts_with(&format!("work:marks:{}:", g.id))
            }) || [
                "current",
                "work:generations",
                "work:generations:copie",
                "work:generations:illisible",
                "work:lease",
                "work:reserve",
                "work:reports",
                "public:reports",
                "public:couverture",
            ]
            .contains(&key)
                || ["work:collecte", "work:report:", "compte:", "public:changements"]
                    .iter()
                    .any(|start| key.starts_with(start))
        };
        let lost: Vec<String> = kv.keys().into_iter().filter(|c| !named(c)).collect();
        assert!(lost.is_empty(), "keys that nobody will delete: {lost:?}");
        assert_eq!(kv.keys().iter().filter(|c| c.starts_with("compte:u:")).count(), 1);
    }
}

fn part(from: usize, a: usize) -> Vec<u8> {
    let rows = (from..a).map(|n| {
        json!({"kind": "formation", "doc": {"uai": format!("{:07}A", 970_000 + n % 11), "code_certification": format!("{n:08}"), "millesime": "2018_2019",
            "filiere": "apprentissage", "libelle": "é", "region": {"code": "11", "nom": "R"}, "academie": {"code": "01", "nom": "Paris"},
            "nb_annee_term": 15 + n % 40, "nb_sortant": 12}})
        .to_string()
    });
    let account = json!({"kind": "user", "doc": {"username": "test", "password": "a$1$b"}}).to_string();
    rows.chain([account]).collect::<Vec<_>>().join("\n").into_bytes()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// Killed at any moment and called again, everything ends as it does without kills.
#[test]
fn invariant_11_whatever_is_killed_everything_ends_as_without_kills() {
    let reference = Harness::new(0, FaultRates::default(), false);
    let expected = reference.all();
    reference.verify_housekeeping();
    let (wanted_ones, seed) = (number("ENDURANCE_KILLS", 60), number("ENDURANCE_SEED", 1));
    let (mut tues, mut vies) = (0, 0);
    while tues < wanted_ones {
        let harness = Harness::new(seed.wrapping_add(vies), FaultRates::default(), true);
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let digests = harness.all();
            harness.verify_housekeeping();
            digests
        }));
        let read = read.unwrap_or_else(|_| panic!("seed {}: see above", seed.wrapping_add(vies)));
        assert_eq!(read, expected, "seed {}", seed.wrapping_add(vies));
        tues += u64::from(harness.tues.get());
        vies += 1;
    }
    println!("{tues} kills of {tues} in {vies} lives from seed {seed}: same digests, registry empty");
}

/// A store that refuses, tears batches and loses answers: the same, called again.
#[test]
fn invariant_11_a_store_that_fails_now_and_then_changes_nothing() {
    let reference = Harness::new(0, FaultRates::default(), false);
    let expected = reference.all();
    for seed in 0..number("ENDURANCE_FAULTS", 3) {
        let faults = FaultRates { error: 4, answer_lost: 3, torn_batch: 5, ..FaultRates::default() };
        let harness = Harness::new(seed, faults, false);
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            assert_eq!(harness.all(), expected);
            assert!(harness.read_store.0.struck.get() > 0);
            harness.read_store.0.faults.set(FaultRates::default());
            harness.verify_housekeeping();
        }));
        assert!(read.is_ok(), "seed {seed}: see above");
    }
}

/// What somebody may do to a value: take it away, empty it, write over it, flip, cut or lengthen it, exchange it.
fn damages(whole: &[u8], other: &[u8], chance: &Chance) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let at = usize::try_from(chance.below(whole.len() as u64)).unwrap();
    let mut flipped = whole.to_vec();
    if let Some(byte) = flipped.get_mut(at) {
        *byte ^= 1 << chance.below(8);
    }
    let mut first = whole.to_vec();
    if let Some(byte) = first.first_mut() {
        *byte ^= 1;
    }
    vec![
        ("absent", None),
        ("empty", Some(Vec::new())),
        ("no JSON", Some(b"{".to_vec())),
        ("another JSON", Some(b"{}".to_vec())),
        ("a list", Some(b"[]".to_vec())),
        ("flipped", Some(flipped)),
        ("first byte flipped", Some(first)),
        ("cut", Some(whole[..at].to_vec())),
        ("longer", Some([whole, b"0".as_slice()].concat())),
        ("exchanged", Some(other.to_vec())),
    ]
}

/// Whatever lies under a key of the import, or does not, calls are answered, a push is published, the housekeeping ends,
/// and nothing that is served goes.
#[test]
fn invariant_11_whatever_lies_under_a_key_of_the_import_the_next_push_is_published() {
    let prepared = || {
        let harness = Harness::new(3, FaultRates::default(), false);
        harness.push(&[part(0, 40)]);
        harness.collect(b"{}");
        let ended = harness.open();
        harness.insister(("DELETE", &format!("jobs/{ended}"), b""));
        let waiting = harness.open();
        harness.insister(("PUT", &format!("jobs/{waiting}/parts/0"), &part(0, 20)));
        let begun = harness.open();
        harness.send(&begun, &[part(0, 60)]);
        harness.insister(("POST", &format!("jobs/{begun}/run?budget_ms=1"), b""));
        harness.insister(("POST", "pull", br#"{"sources": ["insersup"]}"#));
        harness.insister(("POST", "pull/run?budget_ms=1", b""));
        harness
    };
    let keys = prepared().read_store.0.inner.keys();
    let mut shapes = std::collections::BTreeSet::new();
    let chance = Chance::new(number("ENDURANCE_SEED", 1));
    let mut cases = 0;
    for key in keys.iter().filter(|key| key.starts_with("work:") || key.starts_with("public:")) {
        // One of each shape: numbers and ids aside.
        let shape: String = key
            .split(|c: char| ":.".contains(c))
            .map(|s| if s.bytes().any(|b| b.is_ascii_digit()) { "*" } else { s })
            .collect();
        if !shapes.insert(shape) && std::env::var_os("ENDURANCE_KILLS").is_none() {
            continue;
        }
        let whole = block_on(prepared().read_store.0.inner.get(key)).unwrap().unwrap();
        let other =
            block_on(prepared().read_store.0.inner.get("work:job")).unwrap().unwrap_or_else(|| b"autre".to_vec());
        for (what, value) in damages(&whole, &other, &chance) {
            let harness = prepared();
            let kv = &harness.read_store.0.inner;
            let before = harness.pointer().unwrap();
            kv.corrupt(key, value);
            let told = format!("{key}: {what}");
            let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                assert!(harness.status()["generations"].as_array().unwrap().len() >= 2);
                // Somebody calls for a day and more, then pushes.
                for _ in 0..4 {
                    harness.planifier();
                    harness.pass(25 * 60 * 60 * 1_000);
                }
                harness.push(&[part(0, 99)]);
                assert_ne!(harness.pointer().unwrap().generation, before.generation);
                for _ in 0..3 {
                    harness.pass(15 * 24 * 60 * 60 * 1_000);
                    harness.planifier();
                }
                let registry = block_on(Registry::read(kv)).unwrap();
                assert!(registry.jobs.is_empty() && registry.to_delete.is_empty(), "{registry:?}");
                let left = |state| registry.generations.iter().any(|g| g.state == state);
                assert!(!left(GenerationState::InProgress) && !left(GenerationState::ToDelete), "{registry:?}");
                // Both generations that a reader may be led to are whole.
                harness.digest();
                harness.reculer();
                harness.digest();
            }));
            assert!(read.is_ok(), "{told}: see above");
            cases += 1;
        }
    }
    println!("{cases} damages of {} kinds of keys", shapes.len());
    assert!(shapes.len() >= 12, "{shapes:?}");
}

/// A registry that cannot be read is made anew by whoever comes first: what is served stays, what is left over is found and
/// deleted, numbers are not given twice, and an operator is told.
#[test]
fn invariant_11_a_lost_registry_is_made_anew() {
    for (absent, with_copy) in [(false, true), (true, true), (false, false), (true, false)] {
        let harness = Harness::new(5, FaultRates::default(), false);
        let kv = &harness.read_store.0.inner;
        harness.push(&[part(0, 40)]);
        harness.collect(b"{}");
        harness.planifier();
        let begun = harness.open();
        harness.send(&begun, &[part(0, 60)]);
        harness.insister(("POST", &format!("jobs/{begun}/run?budget_ms=1"), b""));
        let left_over: Vec<String> = kv.keys();
        let numbers = |kv: &store::MemoryStore| block_on(Registry::read(kv)).unwrap().generations;
        let before = numbers(kv);
        if with_copy {
            harness.open();
        } else {
            // The application before this one wrote none.
            kv.corrupt("work:generations:copie", None);
        }
        kv.corrupt("work:generations", (!absent).then(|| b"\x04 abime".to_vec()));
        let status = harness.status();
        assert!(status["registre_reconstruit_ms"].is_u64(), "{status}");
        assert_eq!(kv.keys().contains(&"work:generations:illisible".to_owned()), !absent);
        // With the copy jobs are known again and go on; without it their caller is told that they have ended.
        let (status, job) = harness.insister(("POST", &format!("jobs/{begun}/run?budget_ms=1"), b""));
        let told = job["bilan"]["echec"].as_str().unwrap_or_default();
        assert_eq!((status, told.contains("n'est plus inscrit")), (200, !with_copy), "{job}");
        harness.planifier();
        let id = harness.push(&[part(0, 99)]);
        harness.verify_housekeeping();
        let after = numbers(kv);
        assert!(after.iter().all(|g| before.iter().all(|old| old.id != g.id || old.job == g.job || g.job.is_empty())));
        let (_, report) = harness.call(("GET", &format!("reports/{id}"), b"")).unwrap();
        assert_eq!(report["etape"], "publie", "{report}");
        let gone = left_over.iter().filter(|key| key.starts_with('g') && !kv.keys().contains(key)).count();
        assert!(gone > 0, "what the begun job wrote is deleted");
    }
}

/// A store that says that it has written and has not, or answers what was there before: jobs may end by it, with a reason;
/// nothing is stuck, and once it is well again a push is published and the housekeeping ends.
#[test]
fn invariant_11_a_store_that_lies_stops_nothing_for_good() {
    for seed in 0..number("ENDURANCE_FAULTS", 12) {
        let harness = Harness::new(seed, FaultRates::default(), false);
        harness.push(&[part(0, 40)]);
        let faults = match seed % 3 {
            0 => FaultRates { lost_write: 4, ..FaultRates::default() },
            1 => FaultRates { stale_read: 4, ..FaultRates::default() },
            _ => FaultRates { lost_write: 3, stale_read: 3, error: 3, ..FaultRates::default() },
        };
        harness.read_store.0.faults.set(faults);
        for round in 0..3 {
            let _ = harness.call(("POST", "documents?mode=ajouter", &part(round * 30, round * 30 + 60)));
            let _ = harness.call(("POST", "pull", b"{}"));
            for _ in 0..60 {
                let _ = harness.call(("POST", "run?budget_ms=40", b""));
                harness.pass(61_000);
            }
        }
        harness.read_store.0.faults.set(FaultRates::default());
        let (status, body) = harness.insister(("GET", "status", b""));
        assert_eq!(status, 200, "seed {seed}: {body}");
        harness.pass(4 * 24 * 60 * 60 * 1_000);
        harness.planifier();
        harness.push(&[part(0, 99)]);
        for _ in 0..3 {
            harness.pass(15 * 24 * 60 * 60 * 1_000);
            harness.planifier();
        }
        let registry = block_on(Registry::read(&harness.read_store.0.inner)).unwrap();
        assert!(registry.jobs.is_empty() && registry.to_delete.is_empty(), "seed {seed}: {registry:?}");
        let in_progress = registry.generations.iter().filter(|g| g.state == GenerationState::InProgress).count();
        assert_eq!(in_progress, 0, "seed {seed}: {:?}", registry.generations);
        harness.digest();
    }
}

/// Whatever is wrong with the first in the queue, its callers are told, and the scheduler serves what is behind it.
#[test]
fn invariant_11_a_job_that_cannot_go_on_stops_no_other() {
    let harness = Harness::new(1, FaultRates::default(), false);
    let kv = &harness.read_store.0.inner;
    let open = || harness.open();
    let (absent, unreadable, empty, last) = (open(), open(), open(), open());
    for id in [&unreadable, &empty, &last] {
        harness.send(id, &[part(0, 40)]);
    }
    kv.corrupt(&format!("work:job:{absent}"), None);
    kv.corrupt(&format!("work:job:{unreadable}"), Some(b"{".to_vec()));
    // The part that it publishes is gone.
    for key in kv.keys().into_iter().filter(|c| c.starts_with(&empty) && c.contains(":part.")) {
        kv.corrupt(&key, None);
    }
    kv.corrupt("work:collecte", Some(b"{".to_vec()));
    harness.pass(120_000);
    let jobs = harness.status()["travaux"].clone();
    assert_eq!(jobs.as_array().unwrap().len(), 4, "{jobs}");
    for id in [&absent, &unreadable] {
        let (status, job) = harness.call(("GET", &format!("jobs/{id}"), b"")).unwrap();
        assert_eq!((status, &job["etape"]), (200, &json!("echec")), "{job}");
        assert!(job["bilan"]["echec"].as_str().unwrap().contains("enregistrement"), "{job}");
    }
    let (status, job) = harness.call(("DELETE", &format!("jobs/{absent}"), b"")).unwrap();
    assert_eq!((status, &job["etape"]), (200, &json!("echec")), "{job}");
    harness.planifier();
    let (_, body) = harness.call(("GET", "reports", b"")).unwrap();
    let steps: BTreeMap<&str, &str> = body["rapports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["id"].as_str().unwrap(), r["etape"].as_str().unwrap()))
        .collect();
    let expected = [(&absent, "echec"), (&unreadable, "echec"), (&empty, "echec"), (&last, "publie")];
    for (id, step) in expected {
        assert_eq!(steps.get(id.as_str()), Some(&step), "{steps:?}");
    }
    let (_, report) = harness.call(("GET", &format!("reports/{empty}"), b"")).unwrap();
    assert!(report["bilan"]["echec"].as_str().unwrap().contains("absente ou abîmée"), "{report}");
    // A pull whose record could not be read has ended, and the next one is opened.
    harness.collect(b"{}");
    harness.planifier();
    assert!(block_on(Registry::read(kv)).unwrap().jobs.is_empty());
    // What is too large is said to be, and is no reason to come back later.
    let long = json!({"millesimes": vec!["2020"; 50_000]}).to_string();
    let (status, body) = harness.call(("POST", "jobs", long.as_bytes())).unwrap();
    assert_eq!(status, 422, "{body}");
}

/// The component that pulls may be missing or trap: publications go on, the schedule is told, and so is who asks for the pull.
#[test]
fn invariant_11_a_pull_that_nobody_advances_stops_no_publication() {
    let harness = Harness::new(0, FaultRates::default(), false);
    let (status, body) = harness.call(("POST", "pull", b"{}")).unwrap();
    assert_eq!(status, 201, "{body}");
    harness.silent.set(true);
    let id = harness.open();
    harness.send(&id, &[part(0, 40)]);
    let (status, body) = harness.call(("POST", "pull/run", b"")).unwrap();
    assert_eq!(status, 503, "{body}");
    let (status, body) = harness.call(("POST", "run", b"")).unwrap();
    assert_eq!((status, &body["travail"]["id"]), (200, &json!(id)), "{body}");
    assert!(body["fautes"][0].as_str().unwrap().contains("collecte"), "{body}");
    harness.planifier();
    assert!(harness.pointer().is_some(), "published");
    harness.silent.set(false);
    harness.planifier();
    let (_, body) = harness.call(("GET", "pull", b"")).unwrap();
    assert_eq!(body["collecte"]["etape"], "remise", "{body}");
    // Refusals of the pull are told as they are.
    let (status, body) = Harness::new(0, FaultRates::default(), false).call(("POST", "pull/run", b"")).unwrap();
    assert_eq!((status, &body["message"]), (422, &json!("aucune collecte n'est ouverte")), "{body}");
}

#[test]
fn what_is_not_there_is_told_to_the_operator_alone() {
    let harness = Harness::new(0, FaultRates::default(), false);
    for path in ["jobs/rien", "reports/rien", "rien"] {
        assert_eq!(harness.call(("GET", path, b"")).map(|(status, _)| status), Some(404), "{path}");
    }
}
