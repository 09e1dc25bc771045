//! The routes, one function for each component.

use crate::access;
use crate::document;
use crate::error::{ApiError, NotFound};
use crate::links::WebLink;
use crate::list::{self, List};
use crate::parameters::{self, DocumentPath};
use crate::public;
use crate::request::read_segment;
use crate::response::Response;
use crate::{Request, Runtime, body};
use domain::Maille;
use serde_json::{Value, json};
use std::borrow::Cow;
use store::Reader;
use store::kv::KeyValue;

/// What a path asks for; `T` is a segment as sent, or decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route<T> {
    Mailles,
    List { list: List, place: Option<T>, ext: Option<T> },
    Certification { codes: T, ext: Option<T> },
    Regionale { region: T, codes: T, ext: Option<T> },
    Formation { uai: T, code: T, ext: Option<T> },
    Declared { maille: T, place: T, codes: T, ext: Option<T> },
}

const PREFIX: [&str; 2] = ["api", "inserjeunes"];

/// Certifications: list, one document, filieres view.
pub async fn certifications<M: Runtime>(runtime: &M, request: Request) -> Response {
    read(runtime, request, |s| match s {
        ["certifications", codes] => Some(with_ext(codes, |codes, ext| Route::Certification { codes, ext })),
        other => list_route(other, List::Statistics(Maille::National)),
    })
    .await
}

/// Regional statistics: lists, one document, filieres view.
pub async fn regionales<M: Runtime>(runtime: &M, request: Request) -> Response {
    read(runtime, request, |s| match s {
        ["regionales", region] => Some(with_ext(region, |region, ext| Route::List {
            list: List::Statistics(Maille::Regionale),
            place: Some(region),
            ext,
        })),
        ["regionales", region, "certifications", codes] => {
            Some(with_ext(codes, |codes, ext| Route::Regionale { region: *region, codes, ext }))
        }
        other => list_route(other, List::Statistics(Maille::Regionale)),
    })
    .await
}

/// Formations: list, one document.
pub async fn formations<M: Runtime>(runtime: &M, request: Request) -> Response {
    read(runtime, request, |s| match s {
        ["formations", formation] => {
            // The last hyphen separates; neither side may be empty.
            let (uai, code) = formation.rsplit_once('-').filter(|(uai, code)| !uai.is_empty() && !code.is_empty())?;
            Some(with_ext(code, |code, ext| Route::Formation { uai, code, ext }))
        }
        other => list_route(other, List::Statistics(Maille::Etablissement)),
    })
    .await
}

/// Mailles that a push declared: which there are, their lists, one document, filieres view.
pub async fn mailles<M: Runtime>(runtime: &M, request: Request) -> Response {
    let list = |maille: &str| List::Declared(maille.to_owned());
    read(runtime, request, |s| match s {
        ["mailles"] => Some(Route::Mailles),
        ["mailles", maille] => {
            Some(with_ext(maille, |maille, ext| Route::List { list: list(maille), place: None, ext }))
        }
        ["mailles", maille, place] => {
            Some(with_ext(place, |place, ext| Route::List { list: list(maille), place: Some(place), ext }))
        }
        ["mailles", maille, place, "certifications", codes] => {
            Some(with_ext(codes, |codes, ext| Route::Declared { maille: *maille, place: *place, codes, ext }))
        }
        _ => None,
    })
    .await
}

/// The nomenclature.
pub async fn bcn<M: Runtime>(runtime: &M, request: Request) -> Response {
    read(runtime, request, |s| list_route(s, List::Bcn)).await
}

/// Every list under a path with an extension.
pub async fn lists<M: Runtime>(runtime: &M, request: Request) -> Response {
    read(runtime, request, |s| {
        let mailles = Maille::ALL.map(List::Statistics);
        mailles.into_iter().chain([List::Bcn]).find_map(|list| list_route(s, list))
    })
    .await
}

fn list_route<'a>(segments: &[&'a str], list: List) -> Option<Route<&'a str>> {
    let [only] = segments else { return None };
    let remainder = only.strip_prefix(list.name())?;
    let ext = match remainder.strip_prefix('.') {
        None if remainder.is_empty() => None,
        Some(ext) if !ext.is_empty() => Some(ext),
        _ => return None,
    };
    Some(Route::List { list, place: None, ext })
}

/// Cuts the extension off: what follows the last dot, where there is something on both sides.
fn with_ext<'a>(segment: &'a str, route: impl Fn(&'a str, Option<&'a str>) -> Route<&'a str>) -> Route<&'a str> {
    match segment.rsplit_once('.') {
        Some((name, ext)) if !name.is_empty() && !ext.is_empty() => route(name, Some(ext)),
        _ => route(segment, None),
    }
}

/// The methods of a read route.
pub const READING: &str = "GET, HEAD";

async fn read<M: Runtime>(
    runtime: &M,
    request: Request,
    route: impl for<'a> Fn(&[&'a str]) -> Option<Route<&'a str>>,
) -> Response {
    let response = match handle(runtime, &request, route).await {
        Ok(response) => response,
        Err(error) => error.response(),
    };
    response.finish(runtime, &request).await
}

async fn handle<M: Runtime>(
    runtime: &M,
    request: &Request,
    route: impl for<'a> Fn(&[&'a str]) -> Option<Route<&'a str>>,
) -> Result<Response, ApiError> {
    body::read(request)?;
    // Each look at a clock is a call of the runtime: the request keeps to this one.
    let monotonic = runtime.monotonic_ms();
    // Answers are kept of single documents only, which need no key.
    let rendered_key = document::rendered_key(request);
    if matches!(request.method.as_ref(), "GET" | "HEAD")
        && let Some(response) = document::already_rendered(runtime, request, &rendered_key, monotonic)
    {
        return Ok(response);
    }
    let segments = request.segments();
    let segments = segments.strip_prefix(PREFIX.as_slice()).ok_or(ApiError::UnknownRoute)?;
    if segments.is_empty() || segments.iter().any(|s| s.is_empty()) {
        return Err(ApiError::UnknownRoute);
    }
    let route = route(segments).ok_or(ApiError::UnknownRoute)?;
    match request.method.as_ref() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Ok(options(READING)),
        _ => return Err(ApiError::UnknownRoute),
    }
    let route = decode(route)?;
    if matches!(route, Route::List { .. }) {
        access::require(runtime, request).await?;
    }
    let reader = Reader::open(runtime.kv(), runtime.cache(), monotonic).await?;
    let fallback = reader.clone();
    let served = match serve(runtime, reader, request, &route, &rendered_key).await {
        // A missing or damaged value is a fault: the whole request starts again, one generation back.
        Err(ApiError::Unavailable) => match fallback.previous() {
            Some(previous) => serve(runtime, previous, request, &route, &rendered_key).await,
            None => Err(ApiError::Unavailable),
        },
        served => served,
    };
    match served {
        Err(error) => Ok(with_search(error.response(), &error, &route)),
        served => served,
    }
}

/// Where nothing is found under a code, the search names the closest ones. A header, because
/// recorded bodies of errors are part of the contract.
fn with_search(response: Response, error: &ApiError, route: &Route<Cow<'_, str>>) -> Response {
    let (
        ApiError::NotFound(what),
        Route::Certification { codes, .. }
        | Route::Regionale { codes, .. }
        | Route::Declared { codes, .. }
        | Route::Formation { code: codes, .. },
    ) = (error, route)
    else {
        return response;
    };
    if *what == NotFound::Maille {
        return response;
    }
    let looks_for = match (*what, route) {
        (NotFound::Etablissement, Route::Formation { uai, .. }) => uai,
        _ => codes,
    };
    // A header is no place for what could split it.
    if looks_for.is_empty() || !looks_for.bytes().all(|b| b.is_ascii_alphanumeric() || b == b':') {
        return response;
    }
    response.link(WebLink::new(format!("api/recherche?q={looks_for}"), "search"))
}

fn decode(route: Route<&str>) -> Result<Route<Cow<'_, str>>, ApiError> {
    fn option(segment: Option<&str>) -> Result<Option<Cow<'_, str>>, ApiError> {
        segment.map(read_segment).transpose()
    }
    Ok(match route {
        Route::Mailles => Route::Mailles,
        Route::List { list, place, ext } => {
            let list = match list {
                List::Declared(name) => List::Declared(read_segment(&name)?.into_owned()),
                other => other,
            };
            Route::List { list, place: option(place)?, ext: option(ext)? }
        }
        Route::Declared { maille, place, codes, ext } => Route::Declared {
            maille: read_segment(maille)?,
            place: read_segment(place)?,
            codes: read_segment(codes)?,
            ext: option(ext)?,
        },
        Route::Certification { codes, ext } => Route::Certification { codes: read_segment(codes)?, ext: option(ext)? },
        Route::Regionale { region, codes, ext } => {
            Route::Regionale { region: read_segment(region)?, codes: read_segment(codes)?, ext: option(ext)? }
        }
        Route::Formation { uai, code, ext } => {
            Route::Formation { uai: read_segment(uai)?, code: read_segment(code)?, ext: option(ext)? }
        }
    })
}

async fn serve<M: Runtime>(
    runtime: &M,
    reader: Reader<M::Kv>,
    request: &Request,
    route: &Route<Cow<'_, str>>,
    rendered_key: &str,
) -> Result<Response, ApiError> {
    let (path, ext) = match route {
        Route::Mailles => return published_mailles(&reader, request).await,
        Route::List { list, place, ext } => {
            return list::respond(runtime, reader, request, list, place.as_deref(), ext.as_deref()).await;
        }
        Route::Declared { maille, place, codes, ext } => (DocumentPath::Declared(maille, place, codes), ext),
        Route::Certification { codes, ext } => (DocumentPath::National(codes), ext),
        Route::Regionale { region, codes, ext } => (DocumentPath::Regionale(region, codes), ext),
        Route::Formation { uai, code, ext } => (DocumentPath::Formation(uai, code), ext),
    };
    document::respond(runtime, &reader, request, path, ext.as_deref(), rendered_key).await
}

/// Which declared mailles there are: their label, the field of their places, their millesimes.
async fn published_mailles<K: KeyValue>(reader: &Reader<K>, request: &Request) -> Result<Response, ApiError> {
    parameters::none(request.parameters()?)?;
    let mailles: Vec<Value> = reader
        .mailles()
        .await?
        .into_iter()
        .map(|m| {
            json!({
                "nom": m.declared.name, "libelle": m.declared.libelle, "cle": m.declared.key,
                "millesime": m.millesime, "millesimes": m.millesimes,
            })
        })
        .collect();
    Ok(public::public(Response::json(200, &json!({"mailles": mailles})), [], &|| 0).with_etag(request))
}

/// The answer to OPTIONS on a known path.
#[must_use]
pub fn options(methods: &'static str) -> Response {
    Response::new(200, "text/plain", methods.as_bytes().to_vec()).with("allow", methods)
}

/// `/api`: version, environment, health; everything else is no route.
pub async fn status<M: Runtime>(runtime: &M, request: Request) -> Response {
    let response = match health(runtime, &request).await {
        Ok(response) => response,
        Err(error) => error.response(),
    };
    response.finish(runtime, &request).await
}

async fn health<M: Runtime>(runtime: &M, request: &Request) -> Result<Response, ApiError> {
    body::read(request)?;
    if request.segments() != ["api"] {
        return Err(ApiError::UnknownRoute);
    }
    match request.method.as_ref() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Ok(options(READING)),
        _ => return Err(ApiError::UnknownRoute),
    }
    let read_store = Reader::open(runtime.kv(), runtime.cache(), runtime.monotonic_ms()).await.is_ok();
    let env = runtime.variable("environnement").await?;
    let body = json!({"version": env!("CARGO_PKG_VERSION"), "env": env, "healthcheck": {"magasin": read_store}});
    Ok(Response::json(200, &body).with("cache-control", "no-store"))
}
