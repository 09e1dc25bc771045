//! The HTTP server: control routes, logins, answers, faults.

use crate::Service;
use crate::answer::{DataSet, Frame, Rows};
use crate::faults::{Board, Effect, Faults};
use crate::journal::Journal;
use crate::replay::{Recorded, Replay};
use crate::route::{Asked, asked};
use crate::{ACCOUNT, KEY, PASSWORD};
use bytes::Bytes;
use domain::Document;
use domain::date::date;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body::Frame as Piece;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;

/// Bytes of a piece of a body, unless a fault says otherwise.
const PIECE: usize = 64 * 1024;

/// How many more bytes a cut answer announces than it sends.
const MISSING: usize = 4_096;

/// What the server knows and keeps.
pub(crate) struct State {
    pub(crate) data: Arc<dyn DataSet>,
    pub(crate) token_life: Duration,
    pub(crate) board: Mutex<Board>,
    pub(crate) journal: Mutex<Journal>,
    pub(crate) replay: Mutex<Option<Replay>>,
    sessions: Mutex<BTreeMap<String, (Service, Instant)>>,
    logins: AtomicU64,
    /// The catalogue's rows as JSON: a page is a slice of it.
    catalogue: OnceLock<Vec<String>>,
}

/// Nothing done under these locks can leave half a state behind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body of an answer: pieces as they are made; a fault breaks it off.
pub(crate) struct Flow(mpsc::Receiver<io::Result<Bytes>>);

impl http_body::Body for Flow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece<Bytes>>>> {
        self.get_mut().0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Piece::data)))
    }
}

/// What an answer holds, before faults.
enum Content {
    Rows(Frame, Rows),
    Json(Document),
    Bytes(Vec<u8>),
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    content: Content,
}

impl Answer {
    fn rows(frame: Frame, rows: Rows) -> Self {
        let headers = vec![(header::CONTENT_TYPE.to_string(), frame.content_type().to_owned())];
        Self { status: 200, headers, content: Content::Rows(frame, rows) }
    }

    fn json(status: u16, value: &Value) -> Self {
        let headers = vec![(header::CONTENT_TYPE.to_string(), "application/json; charset=utf-8".to_owned())];
        Self { status, headers, content: Content::Json(value.as_object().cloned().unwrap_or_default()) }
    }

    fn refusal(status: u16, text: &str) -> Self {
        Self::json(status, &json!({"msg": text}))
    }
}

impl State {
    pub(crate) fn new(data: Arc<dyn DataSet>, token_life: Duration) -> Self {
        Self {
            data,
            token_life,
            board: Mutex::default(),
            journal: Mutex::default(),
            replay: Mutex::default(),
            sessions: Mutex::default(),
            logins: AtomicU64::new(0),
            catalogue: OnceLock::new(),
        }
    }

    /// Answers a request; `Err` closes the connection without an answer.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Response<Flow>> {
        let (head, body) = request.into_parts();
        let (method, path) = (head.method.as_str().to_owned(), head.uri.path().to_owned());
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        if path.starts_with("/_") {
            return respond(self.control(&method, &path, &body), None);
        }
        let found = Service::ALL.into_iter().find_map(|service| {
            let rest = path.strip_prefix('/')?.strip_prefix(service.name())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| (service, rest.to_owned()))
        });
        let Some((service, rest)) = found else {
            return respond(Answer::refusal(404, "no such service"), None);
        };
        let query = head.uri.query().unwrap_or_default();
        let target = if query.is_empty() { rest.clone() } else { format!("{rest}?{query}") };
        let asked = asked(service, &method, &rest, query);
        lock(&self.journal).arrived(service.name(), &rest, asked == Some(Asked::Login), Instant::now());
        let effect = lock(&self.board).strike(service.name(), &target);
        if let Some(Effect::SlowHead(ms)) = effect {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        let answer = match &effect {
            Some(Effect::Drop) => None,
            Some(Effect::Status { code, retry_after, as_date }) => Some(refused(*code, *retry_after, *as_date)),
            Some(Effect::Expire) => {
                lock(&self.sessions).retain(|_, (of, _)| *of != service);
                Some(Answer::refusal(401, "the session is over"))
            }
            _ => self.replayed(service, &method, &target).unwrap_or_else(|| {
                Some(match &asked {
                    None => Answer::refusal(404, "no such route"),
                    Some(Asked::Login) => self.log_in(service, &head.headers, &body),
                    Some(asked) => match self.refusal(service, &head.headers) {
                        Some(refusal) => refusal,
                        None => self.rows(asked),
                    },
                })
            }),
        };
        lock(&self.journal).answered(service.name(), answer.as_ref().map_or(0, |answer| answer.status));
        let answer = answer.ok_or_else(|| io::Error::other("dropped on demand"))?;
        respond(answer, effect)
    }

    /// The recorded answer, where exchanges are replayed; inside, `None` for a dropped connection.
    fn replayed(&self, service: Service, method: &str, target: &str) -> Option<Option<Answer>> {
        let mut replay = lock(&self.replay);
        let recorded = replay.as_mut()?.next(service, method, target);
        Some(match recorded {
            None => Some(Answer::refusal(404, "not recorded")),
            Some(Recorded::Dropped) => None,
            Some(Recorded::Answered { status, headers, body }) => {
                Some(Answer { status, headers, content: Content::Bytes(body) })
            }
        })
    }

    fn control(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let done = || Answer::json(200, &json!({}));
        let wrong = |error: &dyn std::fmt::Display| Answer::refusal(400, &error.to_string());
        match (method, path) {
            ("POST", "/_fautes") => match serde_json::from_slice::<Faults>(body) {
                Ok(faults) => {
                    lock(&self.board).set(faults);
                    done()
                }
                Err(error) => wrong(&error),
            },
            ("POST", "/_rejeu") => {
                let exchanges = serde_json::from_slice::<Option<Vec<Value>>>(body).map_err(anyhow::Error::from);
                match exchanges.and_then(|exchanges| exchanges.map(|list| Replay::of(&list)).transpose()) {
                    Ok(replay) => {
                        *lock(&self.replay) = replay;
                        done()
                    }
                    Err(error) => wrong(&error),
                }
            }
            ("GET", "/_appels") => match serde_json::to_value(lock(&self.journal).calls()) {
                Ok(calls) => Answer::json(200, &calls),
                Err(error) => wrong(&error),
            },
            ("DELETE", "/_appels") => {
                lock(&self.journal).clear();
                done()
            }
            _ => Answer::refusal(404, "POST /_fautes, POST /_rejeu, GET or DELETE /_appels"),
        }
    }

    fn log_in(&self, service: Service, headers: &HeaderMap, body: &[u8]) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let of_body = |name: &str| body.get(name).and_then(Value::as_str);
        let given = match service {
            Service::InserJeunes => (value(headers, "username"), value(headers, "password")),
            Service::Bcn => (of_body("login"), of_body("password")),
            _ => (of_body("username"), of_body("password")),
        };
        if given != (Some(ACCOUNT), Some(PASSWORD)) || !has_key(service, headers) {
            return Answer::refusal(401, "wrong credentials");
        }
        let token = format!("jeton-{}-{}", service.name(), self.logins.fetch_add(1, Relaxed) + 1);
        lock(&self.sessions).insert(token.clone(), (service, Instant::now()));
        match service {
            Service::InserJeunes => Answer::json(200, &json!({"access_token": token, "token_type": "bearer"})),
            Service::Bcn => Answer::json(200, &json!({"token": token})),
            _ => {
                let mut answer = Answer::json(200, &json!({"username": ACCOUNT}));
                for cookie in [format!("session={token}; Path=/; HttpOnly"), "langue=fr; Path=/".to_owned()] {
                    answer.headers.push((header::SET_COOKIE.to_string(), cookie));
                }
                answer
            }
        }
    }

    /// Why a request is refused, if it is: no key, no session, or one that is over.
    fn refusal(&self, service: Service, headers: &HeaderMap) -> Option<Answer> {
        if !has_key(service, headers) {
            return Some(Answer::refusal(401, "no key, or a wrong one"));
        }
        let token = match service {
            Service::InserJeunes | Service::Bcn => {
                value(headers, "authorization").and_then(|value| value.strip_prefix("Bearer "))
            }
            Service::Catalogue => value(headers, "cookie")
                .and_then(|value| value.split("; ").find_map(|pair| pair.strip_prefix("session="))),
            _ => return None,
        };
        let sessions = lock(&self.sessions);
        let open = token.and_then(|token| sessions.get(token));
        let lives = open.is_some_and(|(of, since)| *of == service && since.elapsed() < self.token_life);
        (!lives).then(|| Answer::refusal(401, "no session, or one that is over"))
    }

    fn rows(&self, asked: &Asked) -> Answer {
        let data = Frame::Member("data");
        let read = |frame: Frame, rows: anyhow::Result<Rows>| match rows {
            Ok(rows) => Answer::rows(frame, rows),
            Err(error) => Answer::refusal(500, &error.to_string()),
        };
        match asked {
            Asked::Login => Answer::refusal(405, "log in by POST"),
            Asked::Uai { uai, millesime } => match self.data.uai(uai, millesime) {
                Some(rows) => Answer::rows(data, rows),
                None => Answer::refusal(400, "UAI incorrect ou agricole"),
            },
            Asked::Region { region, millesime } => Answer::rows(data, self.data.region(region, millesime)),
            Asked::France { filiere, .. } if !sources::plan::FILIERES.contains(&filiere.as_str()) => {
                Answer::refusal(400, "filière incorrecte")
            }
            Asked::France { millesime, filiere } => Answer::rows(data, self.data.france(millesime, filiere)),
            Asked::InserSup => Answer::rows(Frame::Member("results"), self.data.insersup()),
            Asked::National { millesime } => Answer::rows(Frame::Root, self.data.national(millesime)),
            Asked::Bcn(table) => read(data, self.data.bcn(*table)),
            Asked::Acce => table(Frame::Table, self.data.acce()),
            Asked::Links(service) => {
                let rows = self.data.links(*service);
                match service {
                    Service::CertifInfo => table(Frame::Utf8Table, rows),
                    Service::AcceMothers => table(Frame::Table, rows),
                    _ => read(Frame::Root, rows),
                }
            }
            Asked::Catalogue { page, limit } => self.page(*page, *limit),
        }
    }

    fn page(&self, page: u64, limit: u64) -> Answer {
        let all =
            self.catalogue.get_or_init(|| self.data.catalogue().iter().map(|row| json!(row).to_string()).collect());
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let skip = size(page.saturating_sub(1)).saturating_mul(size(limit));
        let rows = all.iter().skip(skip).take(size(limit)).filter_map(|row| serde_json::from_str(row).ok());
        let rows: Vec<Document> = rows.collect();
        let pages = all.len().div_ceil(size(limit).max(1));
        let pagination =
            json!({"page": page, "resultats_par_page": limit, "nombre_de_page": pages, "total": all.len()});
        Answer::rows(Frame::Page(pagination), Box::new(rows.into_iter()))
    }
}

/// A file in CSV.
fn table(frame: fn(Vec<String>) -> Frame, rows: anyhow::Result<Rows>) -> Answer {
    match rows {
        Ok(rows) => {
            let rows: Vec<Document> = rows.collect();
            let mut columns: Vec<String> = Vec::new();
            // The columns of all rows, in the order in which they turn up.
            for name in rows.iter().flat_map(|row| row.keys()) {
                if !columns.contains(name) {
                    columns.push(name.clone());
                }
            }
            Answer::rows(frame(columns), Box::new(rows.into_iter()))
        }
        Err(error) => Answer::refusal(500, &error.to_string()),
    }
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn has_key(service: Service, headers: &HeaderMap) -> bool {
    !matches!(service, Service::InserSup | Service::Bcn) || value(headers, "x-omogen-api-key") == Some(KEY)
}

fn refused(status: u16, retry_after: Option<u64>, as_date: bool) -> Answer {
    let mut answer = Answer::refusal(status, "refused on demand");
    if let Some(seconds) = retry_after {
        let value =
            if as_date { http_date(SystemTime::now() + Duration::from_secs(seconds)) } else { seconds.to_string() };
        answer.headers.push((header::RETRY_AFTER.to_string(), value));
    }
    answer
}

/// An instant as headers write it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = date(i64::try_from(seconds / 86_400).unwrap_or_default());
    let name = |names: &[&'static str], rank: u64| {
        usize::try_from(rank).ok().and_then(|rank| names.get(rank).copied()).unwrap_or_default()
    };
    let weekday = name(&["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"], seconds / 86_400 % 7);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = name(&months, u64::try_from(month - 1).unwrap_or_default());
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

fn respond(answer: Answer, effect: Option<Effect>) -> io::Result<Response<Flow>> {
    let (sender, receiver) = mpsc::channel(4);
    let mut response = Response::new(Flow(receiver));
    *response.status_mut() = StatusCode::from_u16(answer.status).map_err(io::Error::other)?;
    for (name, value) in answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
        response.headers_mut().append(name, HeaderValue::from_str(&value).map_err(io::Error::other)?);
    }
    match &effect {
        Some(Effect::Cut(bytes)) => {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes + MISSING));
        }
        Some(Effect::NotJson) => {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        }
        _ => {}
    }
    // Rows are made on a thread that may block: they read tables, and a slow client holds them up.
    tokio::task::spawn_blocking(move || Writer::new(sender, effect).content(answer.content));
    Ok(response)
}

/// The client is gone, or the fault wants no more.
struct Ended;

/// Hands the bytes of a body over in pieces.
struct Writer {
    sender: mpsc::Sender<io::Result<Bytes>>,
    effect: Option<Effect>,
    piece: usize,
    pause: Duration,
    left: usize,
    buffer: Vec<u8>,
}

impl Writer {
    fn new(sender: mpsc::Sender<io::Result<Bytes>>, effect: Option<Effect>) -> Self {
        let (piece, pause, left) = match &effect {
            Some(Effect::SlowBody { bytes, pause }) => ((*bytes).max(1), *pause, usize::MAX),
            Some(Effect::Cut(bytes)) => (PIECE, 0, *bytes),
            _ => (PIECE, 0, usize::MAX),
        };
        Self { sender, effect, piece, pause: Duration::from_millis(pause), left, buffer: Vec::new() }
    }

    fn content(mut self, content: Content) {
        let whole = match self.effect.take() {
            Some(Effect::Empty) => Ok(()),
            Some(Effect::NotJson) => self.write(b"<!DOCTYPE html><title>Maintenance</title><p>Revenez plus tard."),
            Some(Effect::JsonInJson) => {
                let (sender, mut receiver) = mpsc::channel(1_024 * 1_024);
                Writer::new(sender, None).content(content);
                let mut text = Vec::new();
                while let Some(Ok(piece)) = receiver.blocking_recv() {
                    text.extend(piece);
                }
                self.write(json!(String::from_utf8_lossy(&text)).to_string().as_bytes())
            }
            effect => self.plain(content, effect.as_ref()),
        };
        if whole.and_then(|()| self.flush()).is_ok() && self.left < usize::MAX {
            // The answer was shorter than where it was to be cut.
            let _ = self.sender.blocking_send(Err(io::Error::other("cut on demand")));
        }
    }

    fn plain(&mut self, content: Content, effect: Option<&Effect>) -> Result<(), Ended> {
        match content {
            Content::Bytes(bytes) => self.write(&bytes),
            Content::Json(value) => {
                let value = match effect {
                    Some(effect) => effect.row(value),
                    None => Some(value),
                };
                self.write(json!(value.unwrap_or_default()).to_string().as_bytes())
            }
            Content::Rows(frame, rows) => {
                let mut frame = frame;
                if let Frame::Table(columns) | Frame::Utf8Table(columns) = &mut frame {
                    match effect {
                        Some(Effect::WithoutField(name)) => columns.retain(|column| column != name),
                        Some(Effect::UnknownField(name)) => columns.push(name.clone()),
                        _ => {}
                    }
                }
                if let Some(Effect::WithoutRows) = effect {
                    frame = Frame::Member("autre");
                }
                self.write(&frame.opening())?;
                let extra = effect.and_then(Effect::extra);
                let rows = rows.filter_map(|row| match effect {
                    Some(effect) => effect.row(row),
                    None => Some(row),
                });
                for (rank, row) in extra.into_iter().chain(rows).enumerate() {
                    self.write(&frame.row(&row, rank == 0))?;
                }
                self.write(&frame.closing())
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        self.buffer.extend_from_slice(bytes);
        while self.buffer.len() >= self.piece {
            let rest = self.buffer.split_off(self.piece);
            let piece = std::mem::replace(&mut self.buffer, rest);
            self.send(piece)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Ended> {
        let piece = std::mem::take(&mut self.buffer);
        if piece.is_empty() { Ok(()) } else { self.send(piece) }
    }

    fn send(&mut self, mut piece: Vec<u8>) -> Result<(), Ended> {
        if !self.pause.is_zero() {
            std::thread::sleep(self.pause);
        }
        let cut = piece.len() >= self.left;
        piece.truncate(self.left);
        if self.left < usize::MAX {
            self.left -= piece.len();
        }
        self.sender.blocking_send(Ok(piece.into())).map_err(|_| Ended)?;
        if cut {
            let _ = self.sender.blocking_send(Err(io::Error::other("cut on demand")));
            return Err(Ended);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_headers() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
