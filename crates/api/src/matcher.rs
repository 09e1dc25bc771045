//! Matching a catalogue: `/api/appariement/…`.
//!
//! A row is a function of the row, the options and the generation; nothing of a catalogue is stored or logged. A whole
//! catalogue is read as it comes and answered row by row ([`batch`]); what its rows ask for is fetched and kept
//! ([`data`]).

mod batch;
mod parameters;
mod suggestions;

use self::parameters::Asked;
use crate::error::{ApiError, helped};
use crate::matching_data::{MatchingData, NOT_YET_PUBLISHED};
use crate::request::read_segment;
use crate::response::Response;
use crate::stream::BodyStream;
use crate::{LogFact, Request, Runtime, access, open, quota, routes};
use matching::explain::{explanation_to_json, resolution_to_json};
use matching::{FormationRow, Matcher, Nomenclatures, Reason};
use serde_json::{Map, Value, json};
use std::rc::Rc;
use store::Reader;

/// How long a public answer may be kept, in seconds.
const MAX_AGE: &str = "public, max-age=600";

/// A clock that never goes back, in milliseconds: a streamed answer keeps it.
pub type Stopwatch = Rc<dyn Fn() -> u64>;

/// Why there is no answer.
#[derive(Debug)]
enum MatchRefusal {
    Error(ApiError),
    /// Status, message, and what helps: these routes are new, no recorded body binds them.
    Help(u16, String, String),
}

impl<E: Into<ApiError>> From<E> for MatchRefusal {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl MatchRefusal {
    fn response(self) -> Response {
        match self {
            Self::Error(error) => error.response(),
            Self::Help(status, message, help) => {
                helped(status, &message, &help, "appariement").with("cache-control", "no-store")
            }
        }
    }
}

fn invalid(message: impl Into<String>, help: &str) -> MatchRefusal {
    MatchRefusal::Help(400, message.into(), help.to_owned())
}

/// Answers `/api/appariement/…`. `body` is what a POST brings, as it comes.
pub async fn respond<M: Runtime>(runtime: &M, request: Request, body: BodyStream, clock: Stopwatch) -> Response {
    let response = match handle(runtime, &request, body, clock).await {
        Ok(response) => response,
        Err(refusal) => refusal.response(),
    };
    response.finish(runtime, &request).await
}

async fn handle<M: Runtime>(
    runtime: &M,
    request: &Request,
    body: BodyStream,
    clock: Stopwatch,
) -> Result<Response, MatchRefusal> {
    let segments = request.segments();
    let rest = segments.strip_prefix(["api", "appariement"].as_slice()).ok_or(ApiError::UnknownRoute)?;
    let methods = match rest {
        ["formation" | "raisons"] | ["etablissements", _, "suggestions"] => routes::READING,
        ["formations" | "couverture"] => "POST",
        ["codes"] => "GET, HEAD, POST",
        _ => return Err(ApiError::UnknownRoute.into()),
    };
    if let Some(response) = routes::by_methods(request, methods)? {
        return Ok(response);
    }
    let method = request.method.as_ref();
    if rest == ["raisons"] {
        parameters::none(request)?;
        return Ok(public(Response::json(200, &reasons()), request));
    }
    let mut told = Vec::new();
    let author = if method == "POST" {
        let caller = access::caller(runtime, request).await?;
        told = match quota::take(runtime, &caller, false, runtime.monotonic_ms()).await {
            Ok(told) => told,
            Err(exceeded) => return Ok(exceeded.response()),
        };
        Some(caller.user().to_owned())
    } else {
        None
    };
    let asked = Asked::read(request, runtime.now_ms(), rest)?;
    let reader = open(runtime, runtime.monotonic_ms()).await?;
    if let Some(author) = author {
        let pinned = pinned(reader, asked.generation.as_deref())?;
        let data = opened(pinned, &asked, Some(author)).await?;
        let answer = match rest {
            ["formations"] => batch::rows(request, asked, data, body, clock, batch::BatchKind::Formations).await,
            ["codes"] => batch::rows(request, asked, data, body, clock, batch::BatchKind::Codes).await,
            _ => batch::coverage(request, asked, data, body, clock).await,
        };
        return answer.map(|mut response| {
            response.headers.append(&mut told);
            response
        });
    }
    let fallback = reader.clone().previous();
    let value = match (serve(reader, &asked, rest).await, fallback) {
        // A missing or damaged value is a fault: the whole request starts again, one generation back.
        (Err(MatchRefusal::Error(ApiError::Unavailable)), Some(previous)) => {
            runtime.note(LogFact::Pointer(previous.shared_pointer()));
            serve(previous, &asked, rest).await
        }
        (value, _) => value,
    }?;
    Ok(public(Response::json(200, &value), request))
}

/// What a generation has to match with.
async fn opened<K: store::KeyValue>(
    reader: Reader<K>,
    asked: &Asked,
    author: Option<String>,
) -> Result<MatchingData<K>, MatchRefusal> {
    MatchingData::open(reader, asked.millesime.as_deref(), author).await?.ok_or_else(|| {
        let [message, help] = NOT_YET_PUBLISHED;
        MatchRefusal::Help(503, message.to_owned(), help.to_owned())
    })
}

/// Takes the right to answer a whole catalogue.
fn take_slot<K: store::KeyValue>(data: &mut MatchingData<K>) -> Result<(), MatchRefusal> {
    if data.take_slot() {
        return Ok(());
    }
    Err(MatchRefusal::Help(
        503,
        "D'autres catalogues sont en cours.".to_owned(),
        "Réessayer après le délai de l'en-tête Retry-After.".to_owned(),
    ))
}

fn public(response: Response, request: &Request) -> Response {
    response.with("cache-control", MAX_AGE).with_etag(request)
}

/// The generation that is asked for: the one in use, or the one before.
fn pinned<K: store::KeyValue>(reader: Reader<K>, generation: Option<&str>) -> Result<Reader<K>, MatchRefusal> {
    reader.pinned(generation).ok_or_else(|| {
        MatchRefusal::Help(
            409,
            format!("La génération {} n'est plus servie.", generation.unwrap_or_default()),
            "Les données ont changé depuis le début : reprendre le catalogue à sa première ligne, sans generation."
                .to_owned(),
        )
    })
}

async fn serve<K: store::KeyValue>(reader: Reader<K>, asked: &Asked, rest: &[&str]) -> Result<Value, MatchRefusal> {
    let data = opened(reader, asked, None).await?;
    match rest {
        ["etablissements", uai, "suggestions"] => suggestions::of(&data, asked, &read_segment(uai)?).await,
        ["codes"] => {
            let row = asked.row(&data.nomenclatures);
            let lines = data
                .settle(|packed, nomenclatures| {
                    let resolver = matching::Resolver::new(packed, nomenclatures, asked.options);
                    resolver.resolve(&row).iter().map(|one| resolution_to_json(&row, one)).collect::<Vec<_>>()
                })
                .await?;
            Ok(json!({"codes": lines}))
        }
        _ => one_row(&data, asked).await,
    }
}

/// One row: as it was asked for, then our columns.
async fn one_row<K: store::KeyValue>(data: &MatchingData<K>, asked: &Asked) -> Result<Value, MatchRefusal> {
    let row: FormationRow<'_> = asked.row(&data.nomenclatures);
    let judgement =
        data.settle(|packed, nomenclatures| Matcher::new(packed, nomenclatures, asked.options).judge(&row)).await?;
    let mut object = Map::new();
    if !asked.retained_only {
        for (column, value) in &asked.columns {
            object.insert(column.clone(), value.as_str().into());
        }
    }
    for (name, value) in asked.blocks.columns().into_iter().zip(judgement.answer.values(asked.blocks)) {
        object.insert(name.to_owned(), value.to_json());
    }
    if asked.explained {
        let text = judgement.answer.reason().text();
        object.insert("correction".to_owned(), json!({"libelle": text.libelle, "qui": text.who, "comment": text.how}));
        object.insert("explication".to_owned(), explanation_to_json(&row, &judgement.explanation));
    }
    object.insert("generation".to_owned(), data.generation().into());
    Ok(Value::Object(object))
}

fn reasons() -> Value {
    let reasons: Vec<Value> = Reason::ALL
        .iter()
        .map(|reason| {
            let text = reason.text();
            json!({"code": text.code, "libelle": text.libelle, "qui": text.who, "comment": text.how})
        })
        .collect();
    json!({
        "raisons": reasons,
        "precisions": [{
            "code": "certification_sans_statistique",
            "libelle": "Aucun établissement n'a de statistique pour cette certification.",
        }],
        "colonnes": Nomenclatures::default().identifiers().iter().map(|one| one.source.0).collect::<Vec<_>>(),
    })
}
