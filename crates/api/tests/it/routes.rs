//! Routes over the in-memory store: what the recorded cases do not show.

use crate::common::ReadStore;
use api::error::{ApiError, NotFound};
use api::{LogFact, Request, Response, ResponseBody, Runtime, VariableFault, access, routes};
use flate2::read::GzDecoder;
use futures_executor::{block_on, block_on_stream};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Read;
use std::rc::Rc;
use store::reading::Cache;

#[derive(Default)]
struct Harness {
    read_store: ReadStore,
    cache: Rc<Cache>,
    variables: BTreeMap<&'static str, &'static str>,
    /// A variable that whatever keeps it does not give.
    unreadable: Option<String>,
    now: Cell<i64>,
    monotonic: Cell<u64>,
    /// What routes told for the log.
    told: RefCell<Vec<String>>,
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
        if self.unreadable == Some(name.to_owned()) {
            return Err(VariableFault { name: name.to_owned(), reason: "vault is sealed".to_owned() });
        }
        Ok(self.variables.get(name).copied().unwrap_or_default().to_owned())
    }
    fn now_ms(&self) -> i64 {
        self.now.get()
    }
    fn monotonic_ms(&self) -> u64 {
        self.monotonic.get()
    }
    fn note(&self, fact: LogFact<'_>) {
        self.told.borrow_mut().push(match fact {
            LogFact::User(user) => user.to_owned(),
            LogFact::Key(key) => format!("clé {}", key.len()),
            LogFact::Kept => "gardée".to_owned(),
            LogFact::Pointer(pointer) => pointer.generation.clone(),
        });
    }
}

fn formation(rank: usize, count: u32) -> Value {
    json!({"kind": "formation", "doc": {"uai": format!("{:07}A", 750_000 + rank), "code_certification": "12345678", "millesime": "2018_2019",
        "filiere": "apprentissage", "libelle": "é", "region": {"code": "11", "nom": "Île-de-France"}, "academie": {"code": "01", "nom": "Paris"},
        "nb_annee_term": count, "taux_en_formation": 40, "donnee_source": {"code_certification": "12345678", "type": "self"}}})
}

impl Harness {
    fn new() -> Self {
        let variables = BTreeMap::from([("legacy_api_key", "cle"), ("jwt_secret", "secret")]);
        Self { variables, ..Self::default() }
    }

    fn publish(&self, id: &str, rows: &[Value]) {
        published::publish(&self.read_store.0, id, &published::lines(rows));
    }

    fn call(&self, method: &str, url: &str, headers: &[(&str, &str)]) -> Seen {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let request = Request {
            method: method.to_owned().into(),
            path: path.into(),
            query: query.into(),
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>().into(),
            body: Vec::new(),
        };
        read(block_on(routes::formations(self, request)))
    }

    /// The routes of declared mailles.
    fn mailles(&self, url: &str, key: &str) -> Seen {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let headers = vec![("x-api-key".to_owned(), key.to_owned())].into();
        let request = Request {
            method: "GET".into(),
            path: format!("/api/inserjeunes/mailles{path}"),
            query: query.into(),
            headers,
            body: Vec::new(),
        };
        read(block_on(routes::mailles(self, request)))
    }

    fn get(&self, url: &str) -> Seen {
        self.call("GET", url, &[("x-api-key", "cle")])
    }
}

struct Seen {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    pieces: usize,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

fn read(response: Response) -> Seen {
    let headers = response.headers.iter().map(|(n, v)| ((*n).to_owned(), v.to_string())).collect();
    let (body, pieces) = match response.body {
        ResponseBody::Bytes(bytes) => (bytes, 1),
        ResponseBody::Stream(stream) => {
            let pieces: Vec<Vec<u8>> = block_on_stream(stream).map(Result::unwrap).collect();
            (pieces.concat(), pieces.len())
        }
    };
    Seen { status: response.status, headers, body, pieces }
}

const LIST: &str = "/api/inserjeunes/formations";
const ONE: &str = "/api/inserjeunes/formations/0750000A-12345678";

fn with(rows: usize) -> Harness {
    let harness = Harness::new();
    harness.publish("a", &(0..rows).map(|i| formation(i, 15 + u32::try_from(i % 10).unwrap())).collect::<Vec<_>>());
    harness
}

#[test]
fn the_gateway_may_authenticate_alone_or_beside_keys() {
    let mut harness = with(1);
    harness.variables.extend([("entete_passerelle", "X-Passerelle"), ("secret_passerelle", "p")]);
    for (mode, header, expected) in [
        ("local", ("x-api-key", "cle"), 200),
        ("local", ("x-passerelle", "p"), 401),
        ("gateway", ("x-passerelle", "p"), 200),
        ("gateway", ("x-passerelle", "q"), 401),
        ("gateway", ("x-api-key", "cle"), 401),
        ("both", ("x-api-key", "cle"), 200),
        ("both", ("x-passerelle", "p"), 200),
        ("both", ("x-passerelle", ""), 401),
    ] {
        harness.variables.insert("authentification", mode);
        assert_eq!(harness.call("GET", LIST, &[header]).status, expected, "{mode} {header:?}");
    }
    harness.variables.extend([("secret_passerelle", ""), ("legacy_api_key", ""), ("authentification", "both")]);
    for header in [("x-passerelle", ""), ("x-api-key", "")] {
        assert_eq!(harness.call("GET", LIST, &[header]).status, 401, "an empty secret denies");
    }
}

#[test]
fn a_disabled_account_loses_its_tokens_and_keys() {
    let harness = with(1);
    let kv = &*harness.read_store.0;
    let first = access::Token { user: "test".into(), password_changes: 0 };
    let token = access::write_token("secret", &first, 0).unwrap();
    block_on(::accounts::open(kv, "test", "x")).unwrap();
    block_on(::accounts::add_key(kv, "test", "perso", &::accounts::KeyTerms::default())).unwrap();
    let statuses = || {
        let bearer = format!("bearer {token}");
        let attempts = [("authorization", bearer.as_str()), ("x-api-key", token.as_str()), ("x-api-key", "perso")];
        attempts.map(|header| harness.call("GET", LIST, &[header]).status)
    };
    assert_eq!(statuses(), [200, 200, 200]);
    block_on(::accounts::disable(kv, "test")).unwrap();
    assert_eq!(statuses(), [401, 401, 401]);
    // Enabled again with another password: keys are back, the tokens of the password before are not.
    block_on(::accounts::open(kv, "test", "y")).unwrap();
    assert_eq!(statuses(), [401, 401, 200]);
    let second = access::Token { password_changes: 1, ..first };
    let token = access::write_token("secret", &second, 0).unwrap();
    assert_eq!(harness.call("GET", LIST, &[("x-api-key", &token)]).status, 200);
}

#[test]
fn a_key_that_has_ended_opens_nothing() {
    let harness = with(1);
    let kv = &*harness.read_store.0;
    block_on(::accounts::open(kv, "test", "x")).unwrap();
    let terms = ::accounts::KeyTerms { expires: Some("1970-01-02"), ..::accounts::KeyTerms::default() };
    block_on(::accounts::add_key(kv, "test", "perso", &terms)).unwrap();
    let status = |now: i64| {
        harness.now.set(now);
        harness.call("GET", LIST, &[("x-api-key", "perso")]).status
    };
    assert_eq!([status(0), status(2 * 86_400_000 - 1), status(2 * 86_400_000)], [200, 200, 401]);
}

#[test]
fn routes_tell_the_log_who_asked_and_what_was_read_and_never_a_key() {
    let harness = with(1);
    let kv = &*harness.read_store.0;
    block_on(::accounts::open(kv, "mon-application", "x")).unwrap();
    block_on(::accounts::add_key(kv, "mon-application", "perso", &::accounts::KeyTerms::default())).unwrap();
    let token = access::Token { user: "mon-application".into(), password_changes: 0 };
    let token = access::write_token("secret", &token, 0).unwrap();
    let told = |target: &str, key: &str| {
        harness.call("GET", target, &[("x-api-key", key)]);
        harness.told.take()
    };
    let generation =
        block_on(store::Reader::open(harness.kv(), harness.cache(), 0)).unwrap().pointer().generation.clone();
    let g = generation.as_str();
    assert_eq!(told(LIST, "perso"), ["mon-application", "clé 12", g]);
    assert_eq!(told(LIST, &token), ["mon-application", g]);
    assert_eq!(told(LIST, "cle"), ["cle-commune", g]);
    assert!(told(LIST, "fausse").is_empty());
    let document = format!("{LIST}/0750000A-12345678");
    assert_eq!(told(&document, "perso"), [g], "a document asks for no key: nobody looks at it");
    assert_eq!(told(&document, ""), [g, "gardée"]);
}

#[test]
fn a_re_user_has_so_many_requests_a_second_and_exports_an_hour() {
    let mut harness = with(3);
    harness.variables.insert("limites", "3/s 1/h");
    // Counts are the instance's, and each test has a thread of its own.
    let mut seen = Vec::new();
    for (target, now) in [("", 0), (".csv", 0), (".ndjson", 1), ("", 2), ("", 1_000), (".csv", 1_000)] {
        harness.monotonic.set(10_000_000 + now);
        let answer = harness.get(&format!("{LIST}{target}"));
        seen.push((answer.status, answer.headers.get("retry-after").cloned(), answer.header("ratelimit").to_owned()));
    }
    let is = |status: u16, after: Option<&str>, left: &str| (status, after.map(str::to_owned), left.to_owned());
    let expected = [
        is(200, None, r#""requetes";r=2;t=1, "exports";r=1;t=3600"#),
        is(200, None, r#""requetes";r=1;t=1, "exports";r=0;t=3600"#),
        is(429, Some("3600"), r#""requetes";r=0;t=1, "exports";r=0;t=3600"#),
        is(429, Some("1"), r#""requetes";r=0;t=1, "exports";r=0;t=3600"#),
        is(200, None, r#""requetes";r=2;t=1, "exports";r=0;t=3599"#),
        is(429, Some("3599"), r#""requetes";r=1;t=1, "exports";r=0;t=3599"#),
    ];
    assert_eq!(seen, expected);
    let document = harness.get(&format!("{LIST}/0750000A-12345678"));
    assert_eq!((document.status, document.headers.get("ratelimit")), (200, None), "documents have none");
    harness.variables.insert("limites", "beaucoup");
    let open = harness.get(LIST);
    assert_eq!((open.status, open.headers.get("ratelimit")), (200, None), "a misspelt limit takes nothing away");
}

/// A relative link, as a client resolves it against the request.
fn resolve(request: &str, link: &str) -> String {
    let mut folders: Vec<&str> = request.split('?').next().unwrap().split('/').collect();
    folders.pop();
    let mut rest = link.strip_prefix("./").unwrap_or(link);
    while let Some(up) = rest.strip_prefix("../") {
        assert!(folders.len() > 1, "{link} leaves the service");
        folders.pop();
        rest = up;
    }
    format!("{}/{rest}", folders.join("/"))
}

#[test]
fn links_hold_under_a_prefix_and_begin_with_the_public_address_where_it_is_told() {
    let mut harness = with(30);
    let links = |harness: &Harness, target: &str| {
        let seen = harness.get(target);
        let header = seen.header("link").to_owned();
        header
            .split(", ")
            .map(|l| l.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let missing = format!("{LIST}/0750000A-99999999");
    for (target, expected) in [
        (
            format!("{LIST}?items_par_page=10&page=2"),
            vec!["?items_par_page=10&generation=g1&page=3", "?items_par_page=10&generation=g1&page=1"],
        ),
        (format!("{LIST}/?items_par_page=10"), vec!["/?items_par_page=10&generation=g1&page=2"]),
    ] {
        let whole: Vec<String> = expected.iter().map(|rest| format!("{LIST}{rest}")).collect();
        for prefix in ["", "/exposition-inserjeunes-insersup"] {
            let seen: Vec<String> =
                links(&harness, &target).iter().map(|link| resolve(&format!("{prefix}{target}"), link)).collect();
            assert_eq!(seen, whole.iter().map(|path| format!("{prefix}{path}")).collect::<Vec<_>>());
        }
    }
    let help = links(&harness, &missing);
    assert_eq!(help.len(), 2, "{help:?}");
    assert_eq!(resolve(&missing, &help[0]), "/api/doc/erreurs#formation-inconnue");
    assert_eq!(resolve(&missing, &help[1]), "/api/recherche?q=99999999");
    for (address, start) in [
        ("https://hote/prefixe", "https://hote/prefixe/api/"),
        ("https://hote/prefixe/", "https://hote/prefixe/api/"),
        // What is no address, or could split a header, is not told.
        ("hote/prefixe", "../../../api/"),
        ("https://hote/\r\nx: y", "../../../api/"),
        ("https://hote/>; rel=x", "../../../api/"),
    ] {
        harness.variables.insert("adresse_publique", address);
        assert!(links(&harness, &missing).iter().all(|link| link.starts_with(start)), "{address}");
    }
}

#[test]
fn while_a_secret_is_changed_the_old_one_and_the_new_one_hold() {
    let mut harness = with(1);
    block_on(::accounts::open(&*harness.read_store.0, "test", "x")).unwrap();
    let first = access::Token { user: "test".into(), password_changes: 0 };
    let token = |secret| access::write_token(secret, &first, 0).unwrap();
    harness.variables.extend([
        ("authentification", "both"),
        ("entete_passerelle", "x-passerelle"),
        ("secret_passerelle", "p2"),
        ("secret_passerelle_precedent", "p1"),
        ("legacy_api_key_precedent", "cle-d-avant"),
        ("jwt_secret_precedent", "jwt-d-avant"),
    ]);
    let status = |harness: &Harness, header| harness.call("GET", LIST, &[header]).status;
    let (new, old) = (token("secret"), token("jwt-d-avant"));
    let both = [
        ("x-api-key", "cle"),
        ("x-api-key", "cle-d-avant"),
        ("x-passerelle", "p1"),
        ("x-passerelle", "p2"),
        ("x-api-key", new.as_str()),
        ("x-api-key", old.as_str()),
    ];
    assert_eq!(both.map(|header| status(&harness, header)), [200; 6]);
    for name in ["secret_passerelle_precedent", "legacy_api_key_precedent", "jwt_secret_precedent"] {
        harness.variables.insert(name, "");
    }
    assert_eq!(both.map(|header| status(&harness, header)), [200, 401, 401, 200, 200, 401]);
    assert_eq!(status(&harness, ("x-api-key", "")), 401, "an empty other value denies");
}

#[test]
fn a_token_of_the_gateway_changes_no_public_answer() {
    let harness = with(1);
    let seen = |target: &str, headers: &[(&str, &str)]| {
        let seen = harness.call("GET", target, headers);
        (seen.status, seen.headers, seen.body)
    };
    for target in [ONE, &format!("{ONE}.svg"), &format!("{LIST}/x-y"), "/api/inserjeunes/formations/9999999A-12345678"]
    {
        let alone = seen(target, &[]);
        for (name, value) in [
            ("authorization", "Bearer un-jeton-de-la-passerelle"),
            ("authorization", "Bearer a.b.c"),
            ("authorization", "Bearer"),
            ("authorization", "Basic dTpw"),
            ("x-omogen-api-key", "x"),
            ("x-api-key", "inconnue"),
        ] {
            assert_eq!(seen(target, &[(name, value)]), alone, "{target} {name}: {value}");
        }
    }
}

#[test]
fn a_crawl_by_links_meets_every_row_once_and_carries_no_key() {
    let harness = with(25);
    let (mut url, mut read) = (format!("{LIST}?items_par_page=10&apiKey=cle"), Vec::new());
    loop {
        let page = harness.call("GET", &url, &[("x-api-key", "cle")]);
        read.extend(
            page.json()["formations"].as_array().unwrap().iter().map(|f| f["uai"].as_str().unwrap().to_owned()),
        );
        assert!(!page.header("link").contains("cle"), "a key never leaves in a link");
        let next = page.header("link").split(", ").find(|l| l.ends_with("rel=\"next\""));
        match next.and_then(|l| l.strip_prefix('<')?.split('>').next()) {
            Some(next) => url = resolve(&url, next),
            None => break,
        }
    }
    assert_eq!(read.len(), 25);
    assert!(read.is_sorted_by(|a, b| a < b));
}

/// Pages that follow each other are those of one generation, as long as it is there; then a client is told to begin again.
#[test]
fn pages_stay_in_the_generation_of_the_first_one_until_it_is_gone() {
    let harness = with(25);
    let rows = |count: usize, size: u32| (0..count).map(|n| formation(n, size)).collect::<Vec<_>>();
    let first = harness.get(&format!("{LIST}?items_par_page=10"));
    assert_eq!(first.header("x-generation"), "g1");
    let next = format!("{LIST}?items_par_page=10&generation=g1&page=2");
    assert!(first.header("link").contains("?items_par_page=10&generation=g1&page=2>; rel=\"next\""));
    let total = |seen: &Seen| seen.json()["pagination"]["total"].clone();
    harness.publish("autre", &rows(31, 41));
    harness.monotonic.set(harness.monotonic.get() + 2_000);
    let second = harness.get(&next);
    assert_eq!((second.header("x-generation"), total(&second)), ("g1", json!(25)));
    let fresh = harness.get(&format!("{LIST}?items_par_page=10"));
    assert_eq!((fresh.header("x-generation"), total(&fresh)), ("g2", json!(31)));
    // A default answer says no more than before.
    assert_eq!(fresh.json().as_object().unwrap().keys().collect::<Vec<_>>(), ["pagination", "formations"]);
    harness.publish("encore", &rows(32, 42));
    harness.monotonic.set(harness.monotonic.get() + 2_000);
    for gone in ["g1", "g9", "", "g2&generation=g3"] {
        let seen = harness.get(&format!("{LIST}?generation={gone}"));
        assert_eq!(seen.status, 409, "{gone}");
        assert!(seen.json()["message"].as_str().unwrap().contains("tout reprendre"));
        assert!(seen.header("link").contains("erreurs#generation"), "{}", seen.header("link"));
    }
    let csv = harness.get("/api/inserjeunes/formations.csv?generation=g2");
    assert_eq!((csv.status, csv.header("x-row-count")), (200, "10"));
}

#[test]
fn large_lists_are_streamed_in_every_format_and_hold_every_row() {
    let harness = with(6_000);
    let json = harness.get(&format!("{LIST}?items_par_page=10000"));
    assert!(json.pieces > 20, "{}", json.pieces);
    assert_eq!(json.json()["formations"].as_array().unwrap().len(), 6_000);
    let ndjson = harness.get(&format!("{LIST}.ndjson?items_par_page=1000000"));
    let rows = ndjson.body.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    let documents: Vec<Value> = rows.map(|l| serde_json::from_slice(l).unwrap()).collect();
    assert_eq!(documents.len(), 6_000);
    let csv = harness.get(&format!("{LIST}.csv?items_par_page=1000000"));
    assert_eq!(csv.body.iter().filter(|b| **b == b'\n').count(), 6_001);
    assert_eq!(csv.header("content-disposition"), "attachment; filename=export-1970-01-01.csv");
    let headers = [("x-api-key", "cle"), ("accept-encoding", "gzip")];
    let gzip = harness.call("GET", &format!("{LIST}.csv?items_par_page=1000000"), &headers);
    assert_eq!(gzip.header("content-encoding"), "gzip");
    let mut plain = Vec::new();
    GzDecoder::new(gzip.body.as_slice()).read_to_end(&mut plain).unwrap();
    assert_eq!(plain, csv.body);
    for query in ["?items_par_page=10001", ".csv?items_par_page=1000001", "?page=-1"] {
        assert_eq!(harness.get(&format!("{LIST}{query}")).status, 400, "{query}");
    }
}

#[test]
fn an_unchanged_document_keeps_its_etag_across_generations() {
    let harness = with(2);
    let before = harness.get(ONE);
    let other = "/api/inserjeunes/formations/0750001A-12345678";
    let other_before = harness.get(other);
    harness.publish("b", &[formation(0, 15), formation(1, 99)]);
    let without_cache = Harness { read_store: harness.read_store.clone(), ..Harness::new() };
    let after = without_cache.get(ONE);
    assert_eq!(before.header("etag"), after.header("etag"));
    let known = without_cache.call("GET", ONE, &[("if-none-match", after.header("etag"))]);
    assert_eq!((known.status, known.body.len()), (304, 0));
    assert_ne!(other_before.header("etag"), without_cache.get(other).header("etag"));
}

#[test]
fn public_answers_may_be_kept_until_a_course_closes_and_private_ones_by_their_owner() {
    let harness = Harness::new();
    let mut row = formation(0, 30);
    row["doc"]["date_fermeture"] = json!("1970-01-01T00:02:00.000Z");
    harness.publish("a", &[row]);
    assert_eq!(harness.get(ONE).header("cache-control"), "public, max-age=121", "closes in two minutes");
    harness.now.set(120_001);
    let closed = harness.get(ONE);
    assert_eq!(closed.json()["formation_fermee"], true);
    assert!(closed.header("cache-control").starts_with("public, max-age=600, "), "{}", closed.header("cache-control"));
    assert!(harness.get(LIST).header("cache-control").starts_with("private"));
}

#[test]
fn an_answer_is_kept_by_its_instance_until_something_in_it_changes() {
    let harness = Harness::new();
    let mut row = formation(0, 30);
    row["doc"]["date_fermeture"] = json!("1970-01-02T00:00:00.000Z");
    harness.publish("a", &[row, formation(1, 30)]);
    let gets = || harness.read_store.0.gets.get();
    let gzip = [("accept-encoding", "gzip")];
    let (plain, compressed, svg) =
        (harness.get(ONE), harness.call("GET", ONE, &gzip), harness.get(&format!("{ONE}.svg")));
    let before = gets();
    assert_eq!(harness.get(ONE).headers, plain.headers);
    assert_eq!(harness.get(ONE).body, plain.body);
    assert_eq!(harness.call("GET", ONE, &gzip).body, compressed.body, "encodings are told apart");
    assert_eq!(harness.get(&format!("{ONE}.svg")).body, svg.body);
    assert_eq!(harness.call("HEAD", ONE, &[]).header("content-length"), plain.header("content-length"));
    let known = harness.call("GET", ONE, &[("if-none-match", plain.header("etag"))]);
    assert_eq!((known.status, known.body.len(), known.header("content-type")), (304, 0, ""));
    assert_eq!(gets(), before, "no get");
    assert_eq!(harness.get(&format!("{ONE}?inconnu=1")).status, 400, "another target is another answer");
    assert_eq!(harness.call("POST", ONE, &[]).status, 404);
    // Its age is shortened by the closing, then the course is closed.
    for (instant, age, closed) in [(86_400_000 - 60_000, 61, false), (86_400_001, 600, true)] {
        harness.now.set(instant);
        let read = harness.get(ONE);
        // Nobody answers beyond a closing without asking again.
        let beyond = if age == 600 { ", stale-while-revalidate=60, stale-if-error=86400" } else { "" };
        assert_eq!(read.header("cache-control"), format!("public, max-age={age}{beyond}"));
        assert_eq!(read.json()["formation_fermee"], closed);
    }
}

#[test]
fn a_kept_answer_is_sent_again_after_the_pointer_was_read_again() {
    let harness = with(2);
    let gets = || harness.read_store.1.get();
    let first = harness.get(ONE);
    let before = gets();
    harness.monotonic.set(store::reading::POINTER_TTL_MS);
    assert_eq!(harness.get(ONE).body, first.body);
    assert_eq!(gets(), before + 1, "the pointer, and nothing else");
}

#[test]
fn an_answer_is_not_kept_past_its_generation() {
    let harness = with(2);
    let before = harness.get(ONE);
    harness.publish("b", &[formation(0, 77), formation(1, 99)]);
    let runtime =
        Harness { cache: Rc::clone(&harness.cache), read_store: harness.read_store.clone(), ..Harness::new() };
    assert_eq!(runtime.get(ONE).body, before.body, "within the second");
    runtime.monotonic.set(store::reading::POINTER_TTL_MS);
    assert_eq!(runtime.get(ONE).json()["nb_annee_term"], 77, "after it");
}

/// Nobody can say whether the key is right: neither 401 nor the list.
#[test]
fn a_variable_that_cannot_be_read_is_a_503_never_a_401() {
    let mut harness = with(2);
    for variable in ["authentification", "legacy_api_key", "jwt_secret"] {
        harness.unreadable = Some(variable.to_owned());
        let seen = harness.call("GET", LIST, &[("x-api-key", "une-autre")]);
        assert_eq!((seen.status, seen.header("retry-after")), (503, "5"), "{variable}");
        assert_eq!(harness.call("GET", ONE, &[]).status, 200, "a document asks for no key");
    }
    harness.unreadable = None;
    assert_eq!(harness.call("GET", LIST, &[("x-api-key", "une-autre")]).status, 401, "read, and another");
}

#[test]
fn what_is_not_found_has_a_message_of_its_own() {
    let messages: std::collections::BTreeSet<&str> = NotFound::ALL.iter().map(|what| what.message()).collect();
    assert_eq!(messages.len(), NotFound::ALL.len());
    for what in NotFound::ALL {
        let error = ApiError::NotFound(what);
        assert_eq!((error.name(), error.anchor()), (what.name(), what.anchor()));
    }
    assert_eq!(NotFound::Data.name(), Some("ErrorRegionaleNotFound"));
}

#[test]
fn a_store_that_cannot_be_read_is_a_503_never_a_404() {
    let harness = with(1);
    harness.read_store.0.remaining.set(Some(0));
    for url in [ONE, LIST] {
        let outage = Harness { read_store: harness.read_store.clone(), ..Harness::new() }.get(url);
        assert_eq!((outage.status, outage.header("retry-after")), (503, "5"), "{url}");
    }
    harness.read_store.0.remaining.set(None);
    assert_eq!(harness.get(ONE).status, 200, "and back again");
    assert_eq!(Harness::new().get(ONE).status, 503, "nothing published yet is no 404 either");
}

#[test]
fn invariant_9_a_damaged_generation_is_answered_by_the_one_before() {
    let harness = with(3);
    harness.publish("b", &(0..4).map(|i| formation(i, 50)).collect::<Vec<_>>());
    let kv = &harness.read_store.0;
    for key in kv.keys().into_iter().filter(|k| k.starts_with("g2:formations:") || k.starts_with("g2:liste.")) {
        kv.corrupt(&key, Some(b"abime".to_vec()));
    }
    assert_eq!(harness.get(ONE).json()["nb_annee_term"], 15, "the whole request, one generation back");
    assert_eq!(harness.get(LIST).json()["pagination"]["total"], 3);
    for key in kv.keys().into_iter().filter(|k| k.starts_with("g1:formations:")) {
        kv.corrupt(&key, None);
    }
    let without_cache = Harness { read_store: harness.read_store.clone(), ..Harness::new() };
    assert_eq!(without_cache.get(ONE).status, 503);
}

#[test]
fn every_answer_carries_cors_and_head_is_get_without_a_body() {
    let harness = with(1);
    for url in [ONE, LIST, "/api/inserjeunes/formations.csv", "/api/inserjeunes/formations/x-y", "/nulle/part"] {
        let (get, head) = (harness.get(url), harness.call("HEAD", url, &[("x-api-key", "cle")]));
        assert_eq!((get.status, get.header("access-control-allow-origin")), (head.status, "*"), "{url}");
        assert!(head.body.is_empty());
        let allowed: Vec<&str> = get.header("access-control-allow-headers").split(", ").collect();
        for name in ["Origin", "Content-Type", "Accept", "API-Key", "X-Api-Key", "Authorization", "If-None-Match"] {
            assert!(allowed.contains(&name), "{url}: {name}");
        }
        // Every header of an answer that is ours, and not one that a browser shows to any script.
        let exposed = get.header("access-control-expose-headers").to_ascii_lowercase();
        let exposed: Vec<&str> = exposed.split(", ").collect();
        for name in ["etag", "link", "retry-after", "ratelimit", "ratelimit-policy", "deprecation", "sunset"] {
            assert!(exposed.contains(&name), "{url}: {name}");
        }
        for (name, _) in get.headers.iter().filter(|(name, _)| name.starts_with("x-") || name.contains("disposition")) {
            assert!(exposed.contains(&name.as_str()) || name == "x-content-type-options", "{url}: {name}");
        }
        assert_eq!(get.header("content-length"), head.header("content-length"));
        let preflight = harness.call("OPTIONS", url, &[]);
        let kept = if url == "/nulle/part" { "" } else { "86400" };
        assert_eq!(preflight.header("access-control-max-age"), kept, "{url}");
    }
}

mod hostile {
    //! Requests nobody should send: each has an answer of the contract, none panics (invariant 7).
    //! `FUZZ_CASES` sets how many are tried; `scripts/fuzz` tries many.

    use super::*;
    use proptest::prelude::*;

    fn cases() -> ProptestConfig {
        let cases = std::env::var("FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(512);
        ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
    }

    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("0750000A-12345678".to_owned()),
            Just("certifications".to_owned()),
            Just("formations".to_owned()),
            Just("regionales".to_owned()),
            Just("11".to_owned()),
            Just("12345678,87654321".to_owned()),
            Just(".svg".to_owned()),
            "[a-zA-Z0-9.,|%:_-]{0,12}",
            "\\PC{0,6}",
        ]
    }

    fn parameter() -> impl Strategy<Value = String> {
        let name = prop_oneof![
            prop::sample::select(vec![
                "millesimes",
                "millesime",
                "regions",
                "academies",
                "uais",
                "code_certifications",
                "universe",
                "ext",
                "page",
                "items_par_page",
                "vue",
                "theme",
                "direction",
                "imageOnError",
                "apiKey",
            ])
            .prop_map(str::to_owned),
            "[a-z\\[\\]$.%]{0,8}",
        ];
        let value = prop_oneof![
            prop::sample::select(vec![
                "2019",
                "2018_2019",
                "11",
                "75011",
                "svg",
                "csv",
                "filieres",
                "true",
                "0",
                "1e9",
                "-1",
                "cle"
            ])
            .prop_map(str::to_owned),
            "[0-9a-zA-Z,|%+_.-]{0,14}",
            "\\PC{0,6}",
        ];
        (name, value).prop_map(|(name, value)| format!("{name}={value}"))
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn invariant_7_every_request_has_an_answer(
            method in prop::sample::select(vec!["GET", "HEAD", "OPTIONS", "POST", "PUT", "X"]),
            pieces in proptest::collection::vec(piece(), 0..5),
            parameters in proptest::collection::vec(parameter(), 0..4),
            content in prop::sample::select(vec!["", "application/json", "application/x-www-form-urlencoded", "application/json; charset=é"]),
            body: Vec<u8>,
            bearer in "\\PC{0,30}",
        ) {
            thread_local!(static HARNESS: Harness = with(30));
            let request = Request {
                method: method.into(),
                path: format!("/api/inserjeunes/{}", pieces.join("/")),
                query: parameters.join("&"),
                headers: vec![
                    ("content-type".into(), content.into()),
                    ("x-api-key".into(), "cle".into()),
                    ("authorization".into(), bearer.clone()),
                    ("accept-encoding".into(), bearer.clone()),
                    ("if-none-match".into(), bearer),
                ]
                .into(),
                body,
            };
            HARNESS.with(|harness| {
                let all = [
                    read(block_on(routes::certifications(harness, request.clone()))),
                    read(block_on(routes::regionales(harness, request.clone()))),
                    read(block_on(routes::formations(harness, request.clone()))),
                    read(block_on(routes::bcn(harness, request.clone()))),
                    read(block_on(routes::lists(harness, request.clone()))),
                    read(block_on(routes::status(harness, request.clone()))),
                ];
                for read in all {
                    prop_assert!([200, 304, 400, 401, 404, 413, 415].contains(&read.status), "{} {:?}", read.status, request);
                    if read.status >= 400 && method != "HEAD" {
                        prop_assert_eq!(read.json()["statusCode"].as_u64(), Some(u64::from(read.status)));
                    }
                }
                Ok(())
            })?;
        }
    }
}

fn academie(place: &str, code: &str, filiere: &str, millesime: &str, count: u32) -> Value {
    json!({"kind": "statistique", "doc": {"maille": "academies", "academie": {"code": place, "nom": "A"}, "region": {"code": "84", "nom": "Auvergne-Rhône-Alpes"},
        "code_certification": code, "code_formation_diplome": "12345678", "millesime": millesime, "filiere": filiere, "libelle": "é",
        "nb_annee_term": count, "nb_en_emploi_6_mois": count / 2, "nb_poursuite_etudes": count / 4, "nb_sortant": count - count / 4,
        "taux_en_emploi_6_mois": 50, "taux_en_formation": 25, "taux_autres_6_mois": 25}})
}

fn with_academies() -> Harness {
    let harness = Harness::new();
    harness.publish("a", &[
        json!({"kind": "maille", "doc": {"nom": "academies", "libelle": "Académies", "cle": "academie.code"}}),
        json!({"kind": "bcn", "doc": {"type": "cfd", "code_certification": "12345678", "code_formation_diplome": "12345678"}}),
        json!({"kind": "bcn", "doc": {"type": "mef", "code_certification": "12345678901", "code_formation_diplome": "12345678"}}),
        json!({"kind": "bcn", "doc": {"type": "cfd", "code_certification": "87654321", "code_formation_diplome": "87654321"}}),
        academie("10", "12345678", "apprentissage", "2022", 40),
        academie("10", "12345678", "apprentissage", "2021", 41),
        academie("10", "12345678901", "pro", "2022", 60),
        academie("08", "12345678", "apprentissage", "2022", 19),
        formation(1, 30),
    ]);
    harness
}

#[test]
fn a_declared_maille_is_listed_filtered_and_exported() {
    let harness = with_academies();
    let mailles = harness.mailles("", "");
    assert_eq!(
        mailles.json()["mailles"],
        json!([{"nom": "academies", "libelle": "Académies", "cle": "academie.code", "millesime": "2022", "millesimes": ["2022", "2021"]}])
    );
    assert!(mailles.header("etag").starts_with('"'));
    assert_eq!(harness.mailles("/academies", "").status, 401, "lists need a key");
    assert_eq!(harness.mailles("?x=1", "").status, 400);

    let read = |url: &str| harness.mailles(url, "cle").json()["academies"].as_array().unwrap().clone();
    let places = |rows: &[Value]| rows.iter().map(|l| l["lieu"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let all = read("/academies");
    assert_eq!(places(&all), ["08", "10", "10"], "of the latest millesime, by place");
    assert!(all[0]["nb_sortant"].is_null() && all[0]["_meta"]["messages"].is_array(), "{}", all[0]);
    assert_eq!(read("/academies?millesimes=2021").len(), 1);
    assert_eq!(places(&read("/academies?lieux=08")), ["08"]);
    assert_eq!(places(&read("/academies/08")), ["08"]);
    assert_eq!(places(&read("/academies?code_certifications=12345678901")), ["10"]);
    assert_eq!(read("/academies/10?code_certifications=12345678&millesimes=2021,2022").len(), 2);
    assert_eq!(read("/academies?regions=84").len(), 3);
    assert_eq!((read("/academies?regions=11").len(), read("/academies?academies=10").len()), (0, 2));
    let page = harness.mailles("/academies?items_par_page=2&page=2", "cle");
    assert_eq!(page.json()["pagination"], json!({"page": 2, "items_par_page": 2, "nombre_de_page": 2, "total": 3}));
    assert!(
        page.header("link")
            .contains("api/inserjeunes/mailles/academies?items_par_page=2&generation=g1&page=1>; rel=\"prev\"")
    );

    let csv = String::from_utf8(harness.mailles("/academies.csv", "cle").body).unwrap();
    let rows: Vec<&str> = csv.lines().collect();
    assert!(rows[0].starts_with("lieu;code_certification;code_formation_diplome;filiere;millesime;"), "{csv}");
    assert!(rows[1].starts_with("08;12345678;12345678;apprentissage;2022;") && rows[1].contains(";null;"), "{csv}");
    assert_eq!(harness.mailles("/academies/10.ndjson", "cle").body.iter().filter(|b| **b == b'\n').count(), 2);

    for (url, status) in [
        ("/academies?lieux=a.b", 400),
        ("/academies?uais=0750001A", 400),
        ("/academies.xml", 400),
        ("/bassins", 404),
        ("/a/b/c", 404),
    ] {
        assert_eq!(harness.mailles(url, "cle").status, status, "{url}");
    }
    assert_eq!(harness.mailles("/bassins", "cle").json()["message"], "Maille inconnue");
    assert_eq!(
        harness.mailles("/formations", "cle").json()["message"],
        "Maille inconnue",
        "a maille of the contract has its own route"
    );
}

#[test]
fn one_document_of_a_declared_maille_answers_as_a_regional_one_does() {
    let harness = with_academies();
    let one = |rest: &str| harness.mailles(&format!("/academies/{rest}"), "");
    let document = one("10/certifications/12345678").json();
    assert_eq!(
        (&document["millesime"], &document["lieu"], &document["nb_annee_term"]),
        (&json!("2022"), &json!("10"), &json!(40))
    );
    assert_eq!(
        document["_meta"]["details"],
        "Données InserJeunes pour la certification 12345678 (filière apprentissage) pour le millésime 2022, maille academies, lieu 10"
    );
    assert_eq!(one("10/certifications/12345678?millesime=2021").json()["nb_annee_term"], 41);
    let absent = one("08/certifications/12345678?millesime=2021");
    assert_eq!(
        (absent.status, &absent.json()["data"]),
        (404, &json!({"millesime": "2021", "millesimesDisponible": ["2022"]}))
    );
    let cache = one("08/certifications/12345678").json();
    assert!(cache["nb_annee_term"] == 19 && cache["nb_sortant"].is_null() && cache["taux_en_emploi_6_mois"].is_null());

    let view = one("10/certifications/12345678?vue=filieres").json();
    assert_eq!((&view["pro"]["nb_annee_term"], &view["apprentissage"]["nb_annee_term"]), (&json!(60), &json!(40)));
    let hidden_view = one("08/certifications/12345678?vue=filieres").json();
    assert!(hidden_view["apprentissage"]["nb_sortant"].is_null(), "{hidden_view}");
    let image = one("10/certifications/12345678.svg");
    assert_eq!(image.header("content-type"), "image/svg+xml; charset=utf-8");

    for (rest, status, message) in [
        ("10/certifications/87654321", 404, "Pas de données disponibles"),
        ("99/certifications/12345678", 404, "Pas de données disponibles"),
        ("10/certifications/00000000", 404, "Formation inconnue"),
        ("a.b/certifications/12345678", 400, "Erreur de validation"),
        ("10/certifications/x", 400, "Erreur de validation"),
    ] {
        let refusal = one(rest);
        assert_eq!((refusal.status, refusal.json()["message"].as_str()), (status, Some(message)), "{rest}");
    }
    let unknown = harness.mailles("/bassins/10/certifications/12345678", "");
    assert_eq!((unknown.status, &unknown.json()["message"]), (404, &json!("Maille inconnue")));
    assert!(unknown.header("link").contains("erreurs#maille-inconnue"));
}

mod documents {
    //! One document: which cause of its absence is told, its final years, the view that would open a hidden group.

    use super::*;

    const UAI: &str = "0750000A";

    fn row(kind: &str, doc: Value) -> Value {
        json!({"kind": kind, "doc": doc})
    }

    fn bcn(code: &str) -> Value {
        let nature = if code.len() == 11 { "mef" } else { "cfd" };
        row("bcn", json!({"code_certification": code, "type": nature, "code_formation_diplome": "40000001"}))
    }

    /// A statistic of a kind; final years make it one without figures.
    fn statistic(kind: &str, code: &str, millesime: &str, final_years: &[&str]) -> Value {
        let mut doc = json!({"code_certification": code, "code_formation_diplome": "40000001", "filiere": "pro",
            "millesime": millesime, "libelle": code, "donnee_source": {"code_certification": code, "type": "self"}});
        match kind {
            "regionale" => doc["region"] = json!({"code": "11", "nom": "Île-de-France"}),
            "formation" => {
                doc["uai"] = UAI.into();
                doc["region"] = json!({"code": "11", "nom": "Île-de-France"});
                doc["academie"] = json!({"code": "01", "nom": "Paris"});
            }
            _ => {}
        }
        if final_years.is_empty() {
            doc["nb_annee_term"] = 100.into();
        } else {
            doc["certificationsTerminales"] =
                final_years.iter().map(|code| json!({"code_certification": code})).collect();
        }
        row(kind, doc)
    }

    fn published(rows: &[Value]) -> Harness {
        let harness = Harness::new();
        harness.publish("a", rows);
        harness
    }

    fn ask(harness: &Harness, path: &str) -> Seen {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: "GET".into(),
            path: format!("/api/inserjeunes/{path}"),
            query: query.into(),
            headers: Vec::new().into(),
            body: Vec::new(),
        };
        read(match path.split('/').next().unwrap() {
            "certifications" => block_on(routes::certifications(harness, request)),
            "regionales" => block_on(routes::regionales(harness, request)),
            _ => block_on(routes::formations(harness, request)),
        })
    }

    fn message(harness: &Harness, path: &str) -> String {
        ask(harness, path).json()["message"].as_str().unwrap_or_default().to_owned()
    }

    const OTHER_YEAR: &str = "Pas de données pour le millésime";

    #[test]
    fn a_code_or_place_that_nobody_knows_is_told_before_the_millesime() {
        let (mef, unknown) = ("40010000001", "40010000009");
        let statistics = |kind| [statistic(kind, mef, "2020", &[]), statistic(kind, unknown, "2020", &[])];
        let mut rows = ["certification", "regionale", "formation"].map(statistics).concat();
        rows.push(bcn(mef));
        let harness = published(&rows);
        for (path, expected) in [
            (format!("certifications/{mef}?millesime=2019"), OTHER_YEAR),
            (format!("certifications/{unknown}?millesime=2019"), OTHER_YEAR),
            (format!("certifications/{mef}9?millesime=2019"), "Erreur de validation"),
            (format!("regionales/11/certifications/{mef}?millesime=2019"), OTHER_YEAR),
            (format!("regionales/24/certifications/{mef}?millesime=2019"), "Pas de données disponibles"),
            (format!("regionales/11/certifications/{unknown}?millesime=2019"), "Formation inconnue"),
            (format!("formations/{UAI}-{mef}?millesime=2019"), "Etablissement inconnu"),
            (format!("formations/{UAI}-{unknown}?millesime=2019"), "Formation inconnue"),
        ] {
            assert_eq!(message(&harness, &path), expected, "{path}");
        }
        rows.push(row("etablissement", json!({"numero_uai": UAI})));
        let harness = published(&rows);
        assert_eq!(message(&harness, &format!("formations/{UAI}-{mef}?millesime=2019")), OTHER_YEAR);
        assert_eq!(message(&harness, &format!("formations/{UAI}-{unknown}?millesime=2019")), "Formation inconnue");
        // A row of the millesime needs no nomenclature.
        assert_eq!(ask(&harness, &format!("formations/{UAI}-{unknown}?millesime=2020")).status, 200);
    }

    #[test]
    fn final_years_are_looked_up_under_the_millesime_asked_for() {
        let [parent, final_year, missing] = ["40010000001", "40020000001", "40020000009"];
        let harness = published(&[
            bcn(parent),
            row("etablissement", json!({"numero_uai": UAI})),
            statistic("formation", parent, "2020", &[final_year, missing]),
            statistic("formation", final_year, "2019_2020", &[]),
        ]);
        let years = |query: &str| {
            let document = ask(&harness, &format!("formations/{UAI}-{parent}{query}")).json();
            document["certificationsTerminales"].as_array().unwrap().iter().map(|f| f["millesimes"].clone()).collect()
        };
        let cases: [(&str, Vec<Value>); 4] = [
            ("", vec![Value::Null, json!(["2020"])]),
            ("?millesime=2020", vec![Value::Null, json!(["2020"])]),
            ("?millesime=2019_2020", vec![Value::Null, json!(["2019", "2020"])]),
            // Finds the parent by its year; the final year lies under another period.
            ("?millesime=2018_2020", vec![json!(["2018", "2020"]), json!(["2018", "2020"])]),
        ];
        for (query, expected) in cases {
            let found: Vec<Value> = years(query);
            assert_eq!(found, expected, "{query}");
        }
    }

    #[test]
    fn a_final_year_of_no_known_shape_is_missing_not_its_parent() {
        let parent = "40010000001";
        for (kind, path, name, expected) in [
            (
                "certification",
                format!("certifications/{parent}"),
                "ErrorCertificationNotFound",
                "Certification inconnue",
            ),
            (
                "regionale",
                format!("regionales/11/certifications/{parent}"),
                "ErrorFormationNotExist",
                "Formation inconnue",
            ),
            ("formation", format!("formations/{UAI}-{parent}"), "ErrorFormationNotExist", "Formation inconnue"),
        ] {
            for code in ["1234567", "", "x", "4001000000a", "400100000011"] {
                let alone = published(&[statistic(kind, parent, "2019_2020", &[code])]);
                let read = ask(&alone, &format!("{path}?millesime=2019_2020"));
                assert_eq!((read.status, &read.json()["message"]), (404, &json!(expected)), "{kind} {code:?}");
                let two = published(&[statistic(kind, parent, "2019_2020", &[code, code])]);
                let final_years = ask(&two, &format!("{path}?millesime=2019_2020")).json();
                assert_eq!(final_years["certificationsTerminales"][0]["error"], name, "{kind} {code:?}");
            }
        }
    }

    /// Two CFDs, one of them too small; what their view shows must not tell the small one.
    #[test]
    fn invariant_3_a_view_and_its_image_open_no_hidden_group() {
        let mef = |code: &str, cfd: &str, count: u32| {
            let doc = json!({"code_certification": code, "code_formation_diplome": cfd, "filiere": "pro", "millesime": "2020",
                "nb_annee_term": count, "nb_en_emploi_6_mois": count / 2, "nb_poursuite_etudes": count / 4});
            [
                row("certification", doc),
                row("bcn", json!({"code_certification": cfd, "type": "cfd", "code_formation_diplome": cfd})),
            ]
        };
        let rows = [
            mef("40010000001", "40000001", 100),
            mef("40010000002", "40000002", 40),
            mef("40010000003", "40000003", 12),
        ];
        let harness = published(&rows.concat());
        let opened = ask(&harness, "certifications/40000001,40000002");
        assert_eq!(opened.json()["pro"]["nb_en_emploi_6_mois"], 70);
        assert_eq!(ask(&harness, "certifications/40000001,40000002.svg").status, 200);
        let closed = ask(&harness, "certifications/40000001,40000003").json();
        assert_eq!(
            (&closed["pro"]["nb_annee_term"], &closed["pro"]["nb_en_emploi_6_mois"]),
            (&json!(112), &Value::Null)
        );
        assert_eq!(closed["pro"]["_meta"]["messages"].as_array().unwrap().len(), 1);
        let image = ask(&harness, "certifications/40000001,40000003.svg");
        assert_eq!((image.status, &image.json()["message"]), (404, &json!("Données non disponibles")));
        let image = ask(&harness, "certifications/40000001,40000003.svg?imageOnError=true");
        assert!(image.status == 200 && !String::from_utf8(image.body).unwrap().contains('%'));
    }
}

/// Costs: what a request may ask for is bounded, and the answer names the bound.
#[test]
fn what_a_request_may_cost_is_bounded() {
    let harness = with(1);
    let one = |codes: &str| {
        let request = Request {
            method: "GET".into(),
            path: format!("/api/inserjeunes/certifications/{codes}"),
            ..Request::default()
        };
        read(block_on(routes::certifications(&harness, request)))
    };
    let codes = |count: usize| (0..count).map(|n| format!("{n:08}")).collect::<Vec<_>>().join(",");
    assert_eq!(one(&codes(200)).status, 404);
    for codes in [codes(201), codes(7_000), ",".repeat(7_000)] {
        let seen = one(&codes);
        assert_eq!(seen.status, 400);
        let details = &seen.json()["details"];
        assert_eq!((&details[0]["type"], &details[0]["context"]["limit"]), (&json!("array.max"), &json!(200)));
        assert!(details[0]["message"].as_str().unwrap().contains("200") && seen.body.len() < 1_000);
    }

    let many = (0..8_000).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
    assert_eq!(harness.call("GET", &format!("{LIST}?{many}"), &[]).status, 401);
    let seen = harness.get(&format!("{LIST}?{many}"));
    assert_eq!(seen.status, 400);
    assert!(seen.json()["message"].as_str().unwrap().contains("64"));

    let seen = harness.get(&format!("{LIST}?uais={}", "x,".repeat(3_000)));
    let details = seen.json()["details"].as_array().unwrap().clone();
    assert_eq!((seen.status, details.len()), (400, 101));
    assert_eq!(details[100]["type"], "faults.more");
    // 3,001 items, and the list as a whole.
    assert_eq!(details[100]["context"]["count"], 3_002 - 100);
}

#[test]
fn a_list_of_many_codes_and_uais_costs_its_pages() {
    let harness = with(30);
    let uais = (0..5_000).map(|n| format!("{:07}A", 750_000 + n)).collect::<Vec<_>>().join(",");
    let codes = (0..5_000).map(|n| format!("{:08}", 12_345_678 - n)).collect::<Vec<_>>().join(",");
    for filter in [
        format!("uais={uais}"),
        format!("code_certifications={codes}"),
        format!("uais={uais}&code_certifications={codes}"),
    ] {
        let seen = harness.get(&format!("{LIST}?{filter}"));
        assert_eq!((seen.status, &seen.json()["pagination"]["total"]), (200, &json!(30)), "{}", &filter[..20]);
    }
    let gets = harness.read_store.1.get();
    harness.get(&format!("{LIST}?uais={uais}&code_certifications={codes}"));
    assert!(harness.read_store.1.get() - gets < 20, "{}", harness.read_store.1.get() - gets);
}

#[test]
fn a_key_leaves_in_no_link_however_it_is_written() {
    let harness = with(30);
    for query in ["api%4Bey=cle&pag%65=2&items_par_page=10", "%61piKey=cle&page=2&items_par_page=10"] {
        let seen = harness.call("GET", &format!("{LIST}?{query}"), &[]);
        assert_eq!(seen.status, 200);
        let links = seen.header("link");
        assert!(!links.contains("cle") && !links.contains("pag%65"), "{links}");
        assert!(links.contains("page=3>; rel=\"next\"") && links.contains("page=1>; rel=\"prev\""), "{links}");
    }
}
