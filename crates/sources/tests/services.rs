//! Calls against a scripted network, in virtual time.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that breaks may panic")]

use futures_executor::block_on;
use outside::{Body, Clock, Fetch, FetchError, Method, ServiceRequest, ServiceResponse, Sink, SinkError};
use sources::{BcnTable, Call, Config, Outcome, Secret, Service, SourceError, Sources};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::pending;
use std::rc::Rc;

/// What the network does with a request.
enum Step {
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
    Fail(FetchError),
    /// The answer breaks off after this much of it.
    Break(&'static str),
    /// Pieces of 8 MiB without end.
    Endless,
    /// Never answers.
    Silence,
}

/// The length of a piece of an answer that does not end.
const PIECE: usize = 8 << 20;

type Seen = (u64, String, Vec<(String, String)>);

#[derive(Clone, Default)]
struct World {
    steps: Rc<RefCell<VecDeque<Step>>>,
    /// Requests as they came: the time, what was asked, the headers.
    seen: Rc<RefCell<Vec<Seen>>>,
    now: Rc<Cell<u64>>,
}

struct Chunks(VecDeque<Result<Vec<u8>, FetchError>>);

impl Body for Chunks {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        if let Some(Ok(piece)) = self.0.front()
            && piece.len() == PIECE
        {
            return Ok(Some(piece.clone()));
        }
        self.0.pop_front().transpose()
    }
}

impl Fetch for World {
    type Body = Chunks;

    async fn fetch(&self, request: &ServiceRequest) -> Result<ServiceResponse<Chunks>, FetchError> {
        let headers = request.headers.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        let asked = format!("{} {}", request.method, request.url);
        self.seen.borrow_mut().push((self.now.get(), asked, headers));
        if request.method == Method::Post {
            let cookie = ("set-cookie".to_owned(), "connect.sid=SID; Path=/".to_owned());
            let body = br#"{"access_token": "JETON", "token": "JETON"}"#.to_vec();
            return Ok(ServiceResponse { status: 200, headers: vec![cookie], body: Chunks([Ok(body)].into()) });
        }
        let step = self.steps.borrow_mut().pop_front().expect("a step for every request");
        match step {
            Step::Answer(status, headers, body) => {
                let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
                Ok(ServiceResponse { status, headers, body: Chunks([Ok(body.as_bytes().to_vec())].into()) })
            }
            Step::Fail(fault) => Err(fault),
            Step::Break(body) => {
                let chunks = [Ok(body.as_bytes().to_vec()), Err(FetchError::Interrupted)];
                Ok(ServiceResponse { status: 200, headers: Vec::new(), body: Chunks(chunks.into()) })
            }
            Step::Endless => {
                let chunks = [Ok(vec![b' '; PIECE])];
                Ok(ServiceResponse { status: 200, headers: Vec::new(), body: Chunks(chunks.into()) })
            }
            Step::Silence => pending().await,
        }
    }
}

impl Clock for World {
    fn now_ms(&self) -> u64 {
        self.now.get()
    }

    // Time passes when a sleep is waited for, not when it is made: an alarm that never rings
    // costs nothing.
    async fn sleep(&self, ms: u64) {
        self.now.set(self.now.get() + ms);
    }

    fn random(&self) -> f64 {
        0.5
    }
}

fn config() -> Config {
    Config {
        inserjeunes_url: "https://ij/api".into(),
        inserjeunes_username: "compte-secret".into(),
        inserjeunes_password: "motdepasse-secret".into(),
        insersup_url: "https://sup/".into(),
        insersup_key: "cle-secrete".into(),
        bcn_url: "https://bcn".into(),
        bcn_key: "cle-secrete".into(),
        bcn_login: "compte-secret".into(),
        bcn_password: "motdepasse-secret".into(),
        catalogue_url: "https://catalogue".into(),
        catalogue_username: "compte-secret".into(),
        catalogue_password: "motdepasse-secret".into(),
        ..Config::default()
    }
}

fn sources(steps: impl IntoIterator<Item = Step>) -> (Sources<World, World>, World) {
    let world = World { steps: Rc::new(RefCell::new(steps.into_iter().collect())), ..World::default() };
    world.now.set(1_000_000);
    (Sources::new(world.clone(), world.clone(), config()), world)
}

fn uai() -> Call {
    Call::InserJeunesUai { uai: "0751234J".into(), millesime: "2018_2019".into() }
}

fn make(sources: &Sources<World, World>, call: &Call) -> Result<(Outcome, String), SourceError> {
    let mut raw = Vec::new();
    let made = block_on(sources.make(call, &mut raw))?;
    Ok((made.outcome, String::from_utf8(raw).unwrap()))
}

const OK: Step = Step::Answer(200, &[], "{}");

#[test]
fn requests_keep_two_hundred_milliseconds_apart() {
    let (sources, world) = sources((0..20).map(|_| OK));
    for _ in 0..20 {
        make(&sources, &Call::InserSup).unwrap();
    }
    let times: Vec<u64> = world.seen.borrow().iter().map(|(time, ..)| *time).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 200), "{times:?}");
    assert_eq!(sources.tallies()[&Service::InserSup].requests, 20);
}

#[test]
fn faults_429_and_5xx_are_tried_five_times() {
    let trouble = || {
        [
            Step::Fail(FetchError::Connection),
            Step::Answer(503, &[], ""),
            Step::Answer(429, &[], ""),
            Step::Break("{\"results\""),
        ]
    };
    let (good, world) = sources(trouble().into_iter().chain([Step::Answer(200, &[], "{\"results\": []}")]));
    assert_eq!(make(&good, &Call::InserSup).unwrap(), (Outcome::Answer, "{\"results\": []}".to_owned()));
    let tally = good.tallies()[&Service::InserSup];
    assert_eq!((tally.requests, tally.retries), (5, 4));
    // Half of the wait is certain and doubles, half of the rest came by chance here.
    let times: Vec<u64> = world.seen.borrow().iter().map(|(time, ..)| *time).collect();
    let waits: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits, [375, 750, 1_500, 3_000]);

    let (bad, _) = sources(trouble().into_iter().chain([Step::Answer(500, &[], "")]));
    let error = make(&bad, &Call::InserSup).unwrap_err();
    assert_eq!(error.to_string(), "insersup, / : statut 500");
    assert!(error.is_transient());
}

#[test]
fn other_statuses_are_not_tried_again() {
    let (sources, world) = sources([Step::Answer(400, &[], r#"{"msg": "millesime incorrect"}"#)]);
    let call = Call::InserJeunesRegion { region: "01".into(), millesime: "2018_2019".into() };
    let error = make(&sources, &call).unwrap_err();
    assert_eq!(error.to_string(), "inserjeunes, /region/01/millesime/2018_2019 : statut 400 (millesime incorrect)");
    assert!(!error.is_transient());
    assert_eq!(world.seen.borrow().len(), 2, "the login and the call");
}

#[test]
fn retry_after_is_honoured_or_handed_on() {
    let after = |value: &'static [(&'static str, &'static str)]| Step::Answer(429, value, "");
    let (patient, world) = sources([after(&[("Retry-After", "7")]), OK]);
    make(&patient, &Call::InserSup).unwrap();
    assert_eq!(world.seen.borrow()[1].0 - world.seen.borrow()[0].0, 7_000);
    let (hurried, _) = sources([after(&[("retry-after", "3600")])]);
    assert_eq!(
        make(&hurried, &Call::InserSup).unwrap_err(),
        SourceError::Wait { service: Service::InserSup, call: "/".into(), seconds: 3_600 }
    );
}

#[test]
fn silence_ends_in_time() {
    let (sources, world) = sources([Step::Silence, OK]);
    make(&sources, &Call::InserSup).unwrap();
    assert!(world.seen.borrow()[1].0 - world.seen.borrow()[0].0 >= 20_000);
}

#[test]
fn tokens_are_kept_two_minutes_and_renewed_when_refused() {
    let (sources, world) = sources([OK, OK, OK, Step::Answer(401, &[], ""), OK]);
    make(&sources, &uai()).unwrap();
    make(&sources, &uai()).unwrap();
    world.now.set(world.now.get() + 120_000);
    make(&sources, &uai()).unwrap();
    make(&sources, &uai()).unwrap();
    let seen: Vec<String> = world.seen.borrow().iter().map(|(_, asked, _)| asked[..4].to_owned()).collect();
    assert_eq!(seen, ["POST", "GET ", "GET ", "POST", "GET ", "GET ", "POST", "GET "]);
}

#[test]
fn a_session_that_is_always_refused_is_an_error() {
    let (sources, _) = sources([Step::Answer(403, &[], ""), Step::Answer(403, &[], "")]);
    let error = make(&sources, &uai()).unwrap_err();
    assert!(matches!(error, SourceError::Login { status: 403, .. }), "{error}");
}

#[test]
fn an_establishment_without_data_is_no_error() {
    let (sources, _) = sources([Step::Answer(400, &[], r#"{"msg": "UAI incorrect ou agricole"}"#)]);
    assert_eq!(make(&sources, &uai()).unwrap(), (Outcome::NoData, String::new()));
}

#[test]
fn each_service_is_asked_its_own_way() {
    let asked = |call: &Call| {
        let (sources, world) = sources([OK]);
        make(&sources, call).unwrap();
        let (_, asked, headers) = world.seen.borrow().last().unwrap().clone();
        (asked, headers)
    };
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let (url, headers) = asked(&Call::Bcn { table: BcnTable::NMef });
    assert_eq!(url, "GET https://bcn/nomenclature/N_MEF?schema=consultation");
    assert!(headers.contains(&header("authorization", "Bearer JETON")));
    assert!(headers.contains(&header("x-omogen-api-key", "cle-secrete")));
    let (url, headers) = asked(&Call::CataloguePage { page: 3 });
    assert!(url.starts_with("GET https://catalogue/entity/formations?page=3&limit=100&query=%7B%22%24or%22"), "{url}");
    assert_eq!(headers, [header("cookie", "connect.sid=SID")]);
    let (url, headers) = asked(&uai());
    assert_eq!(url, "GET https://ij/api/UAI/0751234J/millesime/2018_2019");
    assert_eq!(headers, [header("authorization", "Bearer JETON")]);
}

#[test]
fn a_service_that_is_not_configured_is_not_called() {
    let world = World::default();
    let sources =
        Sources::new(world.clone(), world.clone(), Config { bcn_url: "https://bcn".into(), ..Config::default() });
    let error = make(&sources, &Call::Bcn { table: BcnTable::NMef }).unwrap_err();
    assert_eq!(error.to_string(), "bcn : la variable bcn_key n'est pas renseignée");
    let error = make(&sources, &Call::Acce).unwrap_err();
    assert_eq!(error.to_string(), "acce : la variable acce_origine n'est pas renseignée");
    assert!(world.seen.borrow().is_empty());
}

#[test]
fn no_error_holds_a_secret() {
    let echo = r#"{"msg": "refused: motdepasse-secret, compte-secret, cle-secrete"}"#;
    let calls = [uai(), Call::InserSup, Call::Bcn { table: BcnTable::NMef }, Call::CatalogueTotal];
    for call in &calls {
        for status in [400, 401, 403, 404, 500] {
            let (sources, _) = sources((0..5).map(|_| Step::Answer(status, &[], echo)));
            let error = make(&sources, call).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(!text.contains("secret") && !text.contains("cle-secrete") && !text.contains("https"), "{text}");
        }
    }
    let request = ServiceRequest {
        method: Method::Get,
        url: "https://compte:motdepasse-secret@host".into(),
        headers: vec![("password", "motdepasse-secret".into())],
        body: Some(b"motdepasse-secret".to_vec()),
    };
    assert_eq!(format!("{request:?} {:?}", Secret::new("motdepasse-secret")), "GET … (1 headers) ***");
}

#[test]
fn a_staging_area_that_refuses_ends_the_call() {
    struct Full;
    impl Sink for Full {
        async fn restart(&mut self) -> Result<(), SinkError> {
            Ok(())
        }
        async fn write(&mut self, _: &[u8]) -> Result<(), SinkError> {
            Err(SinkError)
        }
    }
    let (sources, world) = sources([OK]);
    let error = block_on(sources.make(&Call::InserSup, &mut Full)).unwrap_err();
    assert!(matches!(error, SourceError::Staging { .. }));
    assert_eq!(world.seen.borrow().len(), 1, "the service is not to blame");
}

/// A sink that only counts.
#[derive(Default)]
struct Count(u64);

impl Sink for Count {
    async fn restart(&mut self) -> Result<(), SinkError> {
        self.0 = 0;
        Ok(())
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), SinkError> {
        self.0 += chunk.len() as u64;
        Ok(())
    }
}

#[test]
fn an_answer_without_end_is_broken_off_at_its_bound_and_not_asked_for_again() {
    for (call, mib) in [(uai(), 32), (Call::InserSup, 512)] {
        let (sources, _) = sources([Step::Endless]);
        let mut count = Count::default();
        let error = block_on(sources.make(&call, &mut count)).unwrap_err();
        assert!(!error.is_transient());
        assert!(error.to_string().ends_with(&format!("elle dépasse {mib} Mio")), "{error}");
        assert!(count.0 <= mib << 20, "{}", count.0);
    }
    // What is announced is not even begun.
    let (sources, _) = sources([Step::Answer(200, &[("content-length", "1073741824")], "{}")]);
    let mut count = Count::default();
    assert!(block_on(sources.make(&Call::InserSup, &mut count)).is_err());
    assert_eq!(count.0, 0);
}

#[test]
fn a_refusal_of_one_call_leaves_the_session_open() {
    let refused = || Step::Answer(400, &[], r#"{"msg": "UAI incorrect ou agricole"}"#);
    let (sources, world) = sources([refused(), refused(), OK]);
    for outcome in [Outcome::NoData, Outcome::NoData, Outcome::Answer] {
        assert_eq!(make(&sources, &uai()).unwrap().0, outcome);
    }
    let logins = world.seen.borrow().iter().filter(|(_, asked, _)| asked.starts_with("POST")).count();
    assert_eq!(logins, 1);
}
