//! Making calls: addresses, logins and sessions of each service.
//!
//! | service | login | then |
//! | --- | --- | --- |
//! | InserJeunes | `POST /login`, headers `username`, `password` → `{access_token}` | `Authorization: Bearer`, a new token every 2 minutes |
//! | InserSup | – | `X-Omogen-Api-Key` |
//! | open data | – | – |
//! | BCN | `POST /auth/login-extraction`, `{login, password}` and the key → `{token}` | `Authorization: Bearer` and the key |
//! | catalogue | `POST /auth/login`, `{username, password}` → a cookie | the cookie |
//! | ACCE, Certif Info, Onisep | – | – |
//!
//! A 401 or 403 in a session makes one new login: tokens can end early.

use crate::call::{Call, SMALL_MAX, Service};
use crate::config::{Config, Secret};
use crate::error::SourceError;
use crate::plan::CATALOGUE_PAGE;
use crate::transport::{Answer, Limits, Tally, Transport, message};
use outside::{Clock, Fetch, Method, ServiceRequest, Sink};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// How long a token of InserJeunes is used, in milliseconds.
const INSERJEUNES_SESSION_MS: u64 = 120_000;

/// What a call brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A raw answer, in the sink.
    Answer,
    /// The service says that it has nothing about this establishment. The sink holds nothing.
    NoData,
}

/// A call that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// What it brought.
    pub outcome: Outcome,
    /// What it cost, logins included.
    pub tally: Tally,
}

#[derive(Clone)]
struct Session {
    header: (&'static str, Secret),
    ends_ms: Option<u64>,
}

/// The clients of all services.
pub struct Sources<F, C> {
    transport: Transport<F, C>,
    config: Config,
    sessions: RefCell<BTreeMap<Service, Session>>,
}

impl<F: Fetch, C: Clock> Sources<F, C> {
    /// With the contract's limits.
    pub fn new(fetch: F, clock: C, config: Config) -> Self {
        Self::with_limits(fetch, clock, config, Limits::default())
    }

    /// With other limits: those of a job's step, or of a test.
    pub fn with_limits(fetch: F, clock: C, config: Config, limits: Limits) -> Self {
        Self { transport: Transport::new(fetch, clock, limits), config, sessions: RefCell::default() }
    }

    /// The clock that calls wait by.
    pub fn clock(&self) -> &C {
        self.transport.clock()
    }

    /// What was sent so far, by service.
    pub fn tallies(&self) -> BTreeMap<Service, Tally> {
        self.transport.tallies()
    }

    /// Makes one call: the raw answer goes to `sink`.
    ///
    /// # Errors
    /// [`SourceError`]; [`SourceError::is_transient`] says whether to come back.
    pub async fn make(&self, call: &Call, sink: &mut impl Sink) -> Result<Made, SourceError> {
        let before = self.tally_of(call.service());
        let outcome = self.answer(call, sink).await?;
        let after = self.tally_of(call.service());
        let tally = Tally {
            requests: after.requests - before.requests,
            retries: after.retries - before.retries,
            bytes: after.bytes - before.bytes,
            waited_ms: after.waited_ms - before.waited_ms,
        };
        Ok(Made { outcome, tally })
    }

    fn tally_of(&self, service: Service) -> Tally {
        self.tallies().get(&service).copied().unwrap_or_default()
    }

    async fn answer(&self, call: &Call, sink: &mut impl Sink) -> Result<Outcome, SourceError> {
        let service = call.service();
        let label = call.label();
        let url = self.url(call)?;
        let mut renewed = false;
        loop {
            let mut headers = self.keys(service)?;
            if let Some(session) = self.session(service).await? {
                headers.push((session.header.0, session.header.1.expose().to_owned()));
            }
            let request = ServiceRequest { method: Method::Get, url: url.clone(), headers, body: None };
            let answer = self.transport.exchange(service, &label, &request, call.bytes_max(), sink).await?;
            if (200..300).contains(&answer.status) {
                return Ok(Outcome::Answer);
            }
            // Only what says that the session has ended ends it: another refusal is about this call.
            let had_session = is_refusal(&answer) && self.sessions.borrow_mut().remove(&service).is_some();
            if had_session && !renewed {
                renewed = true;
                continue;
            }
            if is_refusal(&answer) {
                return Err(SourceError::Login { service, call: label, status: answer.status });
            }
            let message = message(&self.config, &answer.small);
            // The service's way to say that it has nothing about an establishment.
            if matches!(call, Call::InserJeunesUai { .. })
                && answer.status == 400
                && message.as_deref() == Some("UAI incorrect ou agricole")
            {
                return Ok(Outcome::NoData);
            }
            return Err(SourceError::Status { service, call: label, status: answer.status, message });
        }
    }

    /// A configured base URL.
    fn base(&self, service: Service) -> Result<&str, SourceError> {
        let (base, variable) = self.config.address(service);
        if base.is_empty() { Err(SourceError::NotConfigured { service, variable }) } else { Ok(base) }
    }

    fn url(&self, call: &Call) -> Result<String, SourceError> {
        let base = self.base(call.service())?;
        Ok(match call {
            Call::InserJeunesUai { uai, millesime } => {
                format!("{base}/UAI/{}/millesime/{}", encode(uai), encode(millesime))
            }
            Call::InserJeunesRegion { region, millesime } => {
                format!("{base}/region/{}/millesime/{}", encode(region), encode(millesime))
            }
            Call::InserJeunesFrance { millesime, filiere } => {
                format!("{base}/france/millesime/{}/filiere/{}", encode(millesime), encode(filiere))
            }
            Call::InserSup | Call::Acce | Call::CertifInfo | Call::Onisep | Call::OnisepPassage | Call::AcceMothers => {
                base.to_owned()
            }
            Call::InserSupNational { millesime } => self.national_url(base, millesime),
            Call::Bcn { table } => format!("{base}/nomenclature/{}?schema=consultation", table.name()),
            Call::CatalogueTotal => catalogue_url(base, 1, 1),
            Call::CataloguePage { page } => catalogue_url(base, *page, CATALOGUE_PAGE),
        })
    }

    /// The export of the open data, filtered on the national rows of a millesime.
    fn national_url(&self, base: &str, millesime: &str) -> String {
        let mut filters = vec![("uo_lib", "National")];
        filters.extend(millesime.split('_').map(|year| ("promo", year)));
        if !self.config.insersup_national_source.is_empty() {
            filters.push(("source", &self.config.insersup_national_source));
        }
        let filters: Vec<String> = filters.iter().map(|(n, v)| format!("refine={n}%3A{}", encode(v))).collect();
        format!("{base}/catalog/datasets/fr-esr-insersup/exports/json?{}", filters.join("&"))
    }

    /// Keys that every request of a service carries.
    fn keys(&self, service: Service) -> Result<Vec<(&'static str, String)>, SourceError> {
        let key = match service {
            Service::InserSup => (&self.config.insersup_key, "insersup_key"),
            Service::Bcn => (&self.config.bcn_key, "bcn_key"),
            _ => return Ok(Vec::new()),
        };
        if key.0.is_empty() {
            return Err(SourceError::NotConfigured { service, variable: key.1 });
        }
        Ok(vec![("x-omogen-api-key", key.0.expose().to_owned())])
    }

    /// The session of a service that has one; logs in where it has ended.
    async fn session(&self, service: Service) -> Result<Option<Session>, SourceError> {
        if !matches!(service, Service::InserJeunes | Service::Bcn | Service::Catalogue) {
            return Ok(None);
        }
        let now = self.transport.clock().now_ms();
        let open = self.sessions.borrow().get(&service).cloned();
        if let Some(session) = open.filter(|s| s.ends_ms.is_none_or(|end| now < end)) {
            return Ok(Some(session));
        }
        let session = self.log_in(service).await?;
        self.sessions.borrow_mut().insert(service, session.clone());
        Ok(Some(session))
    }

    async fn log_in(&self, service: Service) -> Result<Session, SourceError> {
        let base = self.base(service)?;
        let config = &self.config;
        let required = |secret: &Secret, variable: &'static str| {
            if secret.is_empty() {
                return Err(SourceError::NotConfigured { service, variable });
            }
            Ok(secret.expose().to_owned())
        };
        let (path, mut headers, body) = match service {
            Service::InserJeunes => {
                let headers = vec![
                    ("content-type", "application/x-www-form-urlencoded".to_owned()),
                    ("username", required(&config.inserjeunes_username, "inserjeunes_username")?),
                    ("password", required(&config.inserjeunes_password, "inserjeunes_password")?),
                ];
                ("/login", headers, None)
            }
            Service::Bcn => {
                let login = required(&config.bcn_login, "bcn_login")?;
                let body = json!({"login": login, "password": required(&config.bcn_password, "bcn_password")?});
                ("/auth/login-extraction", vec![("content-type", "application/json".to_owned())], Some(body))
            }
            _ => {
                let username = required(&config.catalogue_username, "catalogue_username")?;
                let password = required(&config.catalogue_password, "catalogue_password")?;
                let body = json!({"username": username, "password": password});
                ("/auth/login", vec![("content-type", "application/json".to_owned())], Some(body))
            }
        };
        headers.extend(self.keys(service)?);
        let body = body.map(|b| b.to_string().into_bytes());
        let request = ServiceRequest { method: Method::Post, url: format!("{base}{path}"), headers, body };
        let mut text = Vec::new();
        let answer = self.transport.exchange(service, path, &request, SMALL_MAX, &mut text).await?;
        if !(200..300).contains(&answer.status) {
            return Err(SourceError::Login { service, call: path.to_owned(), status: answer.status });
        }
        let missing =
            |field: &str| SourceError::MissingField { service, call: path.to_owned(), field: field.to_owned() };
        let token = |field: &'static str| {
            let value: Option<Value> = serde_json::from_slice(&text).ok();
            let token = value.as_ref().and_then(|v| v.get(field)).and_then(Value::as_str);
            token.map(|t| ("authorization", Secret::new(format!("Bearer {t}")))).ok_or_else(|| missing(field))
        };
        match service {
            Service::InserJeunes => {
                let ends_ms = Some(self.transport.clock().now_ms() + INSERJEUNES_SESSION_MS);
                Ok(Session { header: token("access_token")?, ends_ms })
            }
            Service::Bcn => Ok(Session { header: token("token")?, ends_ms: None }),
            _ => {
                let pairs: Vec<&str> =
                    answer.cookies.iter().filter_map(|c| c.split(';').next()).map(str::trim).collect();
                let cookie = Some(pairs.join("; ")).filter(|c| !c.is_empty()).ok_or_else(|| missing("set-cookie"))?;
                Ok(Session { header: ("cookie", Secret::new(cookie)), ends_ms: None })
            }
        }
    }
}

fn is_refusal(answer: &Answer) -> bool {
    answer.status == 401 || answer.status == 403
}

/// The published rows of the catalogue that name a CFD.
fn catalogue_url(base: &str, page: u64, limit: u64) -> String {
    let query = r#"{"$or":[{"published":true},{"catalogue_published":true}],"cfd":{"$ne":null}}"#;
    format!("{base}/entity/formations?page={page}&limit={limit}&query={}", encode(query))
}

/// Letters, digits and `-._~` of a part of an address stay.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encode(part: &str) -> PercentEncode<'_> {
    utf8_percent_encode(part, KEPT)
}
