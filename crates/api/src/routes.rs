//! The routes, one function for each component.
//!
//! Components that answer lists alone (`bcn`, `lists`) go their own way through [`read_lists`]: an async function is linked
//! with all that it may wait for, so one way for all would put documents, views and images into them.

use crate::access;
use crate::document;
use crate::error::{ApiError, NotFound};
use crate::export::ExportDemand;
use crate::links::WebLink;
use crate::list::{self, List, ListRoute, ListShape, Unshaped};
use crate::parameters::{self, DocumentPath};
use crate::public;
use crate::quota::Exceeded;
use crate::request::read_segment;
use crate::response::{Header, Response};
use crate::runtime::{fall_back, open};
use crate::{Request, Runtime, body, quota};
use domain::Maille;
use serde_json::{Value, json};
use std::borrow::Cow;
use store::Reader;
use store::kv::KeyValue;

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route<T> {
    Mailles,
    List(ListRoute<T>),
    Document { path: DocumentPath<T>, ext: Option<T> },
}

const PREFIX: [&str; 2] = ["api", "inserjeunes"];

/// Certifications: list, one document, filieres view.
pub async fn certifications<M: Runtime>(runtime: &M, request: Request) -> Response {
    read(runtime, request, |s| match s {
        ["certifications", codes] => {
            Some(with_ext(codes, |codes, ext| Route::Document { path: DocumentPath::National(codes), ext }))
        }
        other => list_route(other, List::Statistics(Maille::National)).map(Route::List),
    })
    .await
}

/// Regional statistics: lists, one document, filieres view.
pub async fn regionales<M: Runtime>(runtime: &M, request: Request) -> Response {
    read(runtime, request, |s| match s {
        ["regionales", region] => Some(with_ext(region, |region, ext| {
            Route::List(ListRoute { list: List::Statistics(Maille::Regionale), place: Some(region), ext })
        })),
        ["regionales", region, "certifications", codes] => {
            Some(with_ext(codes, |codes, ext| Route::Document { path: DocumentPath::Regionale(region, codes), ext }))
        }
        other => list_route(other, List::Statistics(Maille::Regionale)).map(Route::List),
    })
    .await
}

/// Formations: list, one document.
pub async fn formations<M: Runtime>(runtime: &M, request: Request) -> Response {
    read(runtime, request, |s| match s {
        ["formations", formation] => {
            let DocumentPath::Formation(uai, code) = DocumentPath::formation(formation)? else { return None };
            Some(with_ext(code, |code, ext| Route::Document { path: DocumentPath::Formation(uai, code), ext }))
        }
        other => list_route(other, List::Statistics(Maille::Etablissement)).map(Route::List),
    })
    .await
}

/// Mailles that a push declared: which there are, their lists, one document, filieres view.
pub async fn mailles<M: Runtime>(runtime: &M, request: Request) -> Response {
    let list = |maille: &str| List::Declared(maille.to_owned());
    read(runtime, request, |s| match s {
        ["mailles"] => Some(Route::Mailles),
        ["mailles", maille] => {
            Some(with_ext(maille, |maille, ext| Route::List(ListRoute { list: list(maille), place: None, ext })))
        }
        ["mailles", maille, place] => {
            Some(with_ext(place, |place, ext| Route::List(ListRoute { list: list(maille), place: Some(place), ext })))
        }
        ["mailles", maille, place, "certifications", codes] => Some(with_ext(codes, |codes, ext| Route::Document {
            path: DocumentPath::Declared(maille, place, codes),
            ext,
        })),
        _ => None,
    })
    .await
}

/// The nomenclature.
pub async fn bcn<M: Runtime>(runtime: &M, request: Request) -> Response {
    read_lists(runtime, request, |s| list_route(s, List::Bcn), || Unshaped).await
}

/// Every list under a path with an extension, with the options of exports.
pub async fn lists<M: Runtime>(runtime: &M, request: Request) -> Response {
    read_lists(runtime, request, any_list, ExportDemand::default).await
}

fn any_list<'a>(segments: &[&'a str]) -> Option<ListRoute<&'a str>> {
    let mailles = Maille::ALL.map(List::Statistics);
    mailles.into_iter().chain([List::Bcn]).find_map(|list| list_route(segments, list))
}

fn list_route<'a>(segments: &[&'a str], list: List) -> Option<ListRoute<&'a str>> {
    let [only] = segments else { return None };
    let remainder = only.strip_prefix(list.name())?;
    let ext = match remainder.strip_prefix('.') {
        None if remainder.is_empty() => None,
        Some(ext) if !ext.is_empty() => Some(ext),
        _ => return None,
    };
    Some(ListRoute { list, place: None, ext })
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
    if let Some(response) = document::already_rendered(runtime, request, &rendered_key, monotonic).await? {
        return Ok(response);
    }
    let route = route(own(&request.segments())?).ok_or(ApiError::UnknownRoute)?;
    if let Some(response) = by_method(request)? {
        return Ok(response);
    }
    let route = decode(route)?;
    let mut told = Vec::new();
    if let Route::List(list) = &route {
        told = match admit(runtime, request, list.ext.as_deref(), monotonic).await? {
            Ok(told) => told,
            Err(exceeded) => return Ok(exceeded.response()),
        };
    }
    let serve = |reader| serve(runtime, reader, request, &route, &rendered_key);
    let mut response = match from_whole(runtime, monotonic, serve).await {
        Err(error) => with_search(error.response(), &error, &route),
        Ok(response) => response,
    };
    response.headers.append(&mut told);
    Ok(response)
}

/// Lets through whoever may ask a list: what is to be told of the limits, or that they were passed.
async fn admit<M: Runtime>(
    runtime: &M,
    request: &Request,
    ext: Option<&str>,
    monotonic: u64,
) -> Result<Result<Vec<Header>, Exceeded>, ApiError> {
    let caller = access::caller(runtime, request).await?;
    let export = ext.is_some_and(|ext| ext != "json");
    Ok(quota::take(runtime, &caller, export, monotonic).await)
}

/// Answers from the generation in use. A missing or damaged value is a fault: the whole request starts again, one generation
/// back.
pub(crate) async fn from_whole<M: Runtime, F: Future<Output = Result<Response, ApiError>>>(
    runtime: &M,
    monotonic: u64,
    serve: impl Fn(Reader<M::Kv>) -> F,
) -> Result<Response, ApiError> {
    let mut reader = open(runtime, monotonic).await?;
    let mut fallback = Some(reader.clone());
    loop {
        match serve(reader).await {
            Err(ApiError::Unavailable) => {
                let previous = fallback.take().and_then(Reader::previous);
                reader = fall_back(runtime, previous).ok_or(ApiError::Unavailable)?;
            }
            served => return served,
        }
    }
}

/// The segments after the prefix that all routes share.
fn own<'s, 'a>(segments: &'s [&'a str]) -> Result<&'s [&'a str], ApiError> {
    let own = segments.strip_prefix(PREFIX.as_slice()).ok_or(ApiError::UnknownRoute)?;
    if own.is_empty() || own.iter().any(|s| s.is_empty()) {
        return Err(ApiError::UnknownRoute);
    }
    Ok(own)
}

/// The answer to a method that does not read; `None` for one that does.
pub(crate) fn by_method(request: &Request) -> Result<Option<Response>, ApiError> {
    match request.method.as_ref() {
        "GET" | "HEAD" => Ok(None),
        "OPTIONS" => Ok(Some(options(READING))),
        _ => Err(ApiError::UnknownRoute),
    }
}

/// Answers what lists alone are asked for.
async fn read_lists<M: Runtime, S: ListShape>(
    runtime: &M,
    request: Request,
    route: impl for<'a> Fn(&[&'a str]) -> Option<ListRoute<&'a str>>,
    shape: impl Fn() -> S,
) -> Response {
    let response = match handle_list(runtime, &request, route, shape).await {
        Ok(response) => response,
        Err(error) => error.response(),
    };
    response.finish(runtime, &request).await
}

async fn handle_list<M: Runtime, S: ListShape>(
    runtime: &M,
    request: &Request,
    route: impl for<'a> Fn(&[&'a str]) -> Option<ListRoute<&'a str>>,
    shape: impl Fn() -> S,
) -> Result<Response, ApiError> {
    body::read(request)?;
    let monotonic = runtime.monotonic_ms();
    let route = route(own(&request.segments())?).ok_or(ApiError::UnknownRoute)?;
    if let Some(response) = by_method(request)? {
        return Ok(response);
    }
    let route = decode_list(route)?;
    let mut told = match admit(runtime, request, route.ext.as_deref(), monotonic).await? {
        Ok(told) => told,
        Err(exceeded) => return Ok(exceeded.response()),
    };
    let serve = |reader| list::respond(runtime, reader, request, &route, shape());
    let mut response = from_whole(runtime, monotonic, serve).await.unwrap_or_else(|error| error.response());
    response.headers.append(&mut told);
    Ok(response)
}

/// Where nothing is found under a code, the search names the closest ones. A header, because
/// recorded bodies of errors are part of the contract.
fn with_search(response: Response, error: &ApiError, route: &Route<Cow<'_, str>>) -> Response {
    let (ApiError::NotFound(what), Route::Document { path, .. }) = (error, route) else { return response };
    let looks_for = match (what, path.borrowed()) {
        (NotFound::Maille, _) => return response,
        (NotFound::Etablissement, DocumentPath::Formation(uai, _)) => uai,
        (_, path) => path.codes(),
    };
    // A header is no place for what could split it.
    if looks_for.is_empty() || !looks_for.bytes().all(|b| b.is_ascii_alphanumeric() || b == b':') {
        return response;
    }
    response.link(WebLink::new(format!("api/recherche?q={looks_for}"), "search"))
}

fn option(segment: Option<&str>) -> Result<Option<Cow<'_, str>>, ApiError> {
    segment.map(read_segment).transpose()
}

fn decode_list(route: ListRoute<&str>) -> Result<ListRoute<Cow<'_, str>>, ApiError> {
    let list = match route.list {
        List::Declared(name) => List::Declared(read_segment(&name)?.into_owned()),
        other => other,
    };
    Ok(ListRoute { list, place: option(route.place)?, ext: option(route.ext)? })
}

fn decode(route: Route<&str>) -> Result<Route<Cow<'_, str>>, ApiError> {
    Ok(match route {
        Route::Mailles => Route::Mailles,
        Route::List(route) => Route::List(decode_list(route)?),
        Route::Document { path, ext } => Route::Document { path: path.decode()?, ext: option(ext)? },
    })
}

async fn serve<M: Runtime>(
    runtime: &M,
    reader: Reader<M::Kv>,
    request: &Request,
    route: &Route<Cow<'_, str>>,
    rendered_key: &str,
) -> Result<Response, ApiError> {
    match route {
        Route::Mailles => published_mailles(&reader, request).await,
        Route::List(route) => list::respond(runtime, reader, request, route, Unshaped).await,
        Route::Document { path, ext } => {
            document::respond(runtime, &reader, request, path.borrowed(), ext.as_deref(), rendered_key).await
        }
    }
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

/// The answer to what is no method of a path: to OPTIONS its methods. `None` for one that is.
pub(crate) fn by_methods(request: &Request, methods: &'static str) -> Result<Option<Response>, ApiError> {
    match request.method.as_ref() {
        "OPTIONS" => Ok(Some(options(methods))),
        method if methods.split(", ").any(|known| known == method) => Ok(None),
        _ => Err(ApiError::UnknownRoute),
    }
}

/// The answer to OPTIONS on a known path. A browser keeps it for a day, where it would ask before every call.
#[must_use]
pub fn options(methods: &'static str) -> Response {
    Response::new(200, "text/plain", methods.as_bytes().to_vec())
        .with("allow", methods)
        .with("access-control-max-age", "86400")
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
    if let Some(response) = by_method(request)? {
        return Ok(response);
    }
    let read_store = open(runtime, runtime.monotonic_ms()).await.is_ok();
    let env = runtime.variable("environnement").await?;
    let body = json!({"version": env!("CARGO_PKG_VERSION"), "env": env, "healthcheck": {"magasin": read_store}});
    Ok(Response::json(200, &body).with("cache-control", "no-store"))
}
