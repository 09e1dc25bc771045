//! A generation that waits for its signature, looked at before it is in force: the API and the site as they would be.
//!
//! | path under `/internal/apercu` | what it answers |
//! | --- | --- |
//! | nothing | with the import's secret: what waits, and under which address each may be looked at |
//! | `/{token}/` | what would change, what is covered, where to look |
//! | `/{token}/differences.csv`, `couverture.csv`, `trace.json?code=…&lieu=…` | the same as tables; where a document comes from |
//! | `/{token}/api/…`, `/{token}/certifications/…`, … | every read route and every page, over that generation |
//!
//! A token is made of the import's secret and the generation's name. It opens that generation only, as long as it waits: once
//! it is signed or given up the address answers 404. Read routes know nothing of it: they read the same store, in which the
//! pointer leads elsewhere ([`runtime`]).

mod page;
mod runtime;

use api::access::{SECRET_VALUES, bearer, equal, holds_secret, secret};
use api::error::{ApiError, NotFound};
use api::{Headers, Request, Response, ResponseBody, Runtime, links, read_body, routes, search};
use hmac::{Hmac, Mac};
use publication::{PublicationError, Traced, awaiting_sign_off, coverage, differences, preview, trace};
use runtime::PreviewRuntime;
use serde_json::json;
use sha2::Sha256;
use std::rc::Rc;
use store::Pointer;
use store::codec::hex;
use store::kv::to_value;

/// Where everything of this crate lies.
const ROOT: &str = "/internal/apercu";
/// The secret that tokens are made of.
const SECRET_NAME: &str = "import_secret";

/// Answers a request under `/internal/apercu`.
pub async fn respond<M: Runtime>(runtime: &M, request: Request) -> Response {
    match handle(runtime, &request).await {
        Ok(response) => shut(response),
        Err(error) => shut(error.response().finish(runtime, &request).await),
    }
}

async fn handle<M: Runtime>(runtime: &M, request: &Request) -> Result<Response, ApiError> {
    read_body(request)?;
    if !matches!(request.method.as_ref(), "GET" | "HEAD") {
        return Err(ApiError::UnknownRoute);
    }
    let rest = request.path.strip_prefix(ROOT).ok_or(ApiError::UnknownRoute)?;
    let rest = match rest {
        "" | "/" => return waiting(runtime, request).await,
        rest => rest.strip_prefix('/').ok_or(ApiError::UnknownRoute)?,
    };
    let (token, path) = rest.split_once('/').map_or((rest, None), |(token, path)| (token, Some(path)));
    let generation = token.split('-').next().unwrap_or_default();
    if !opens(runtime, generation, token).await? && !bears_secret(runtime, request).await? {
        return Err(ApiError::Unauthorized(""));
    }
    let pointer = preview(&runtime.kv(), generation).await?.ok_or(ApiError::NotFound(NotFound::Job))?;
    let Some(path) = path else {
        // Links of the start page are relative to its folder.
        return Ok(Response::new(308, "text/plain", Vec::new()).with("location", format!("{token}/")));
    };
    let response = show(runtime, request, pointer, token, path).await?;
    Ok(marked(response, generation))
}

/// What a path within a preview answers.
async fn show<M: Runtime>(
    runtime: &M,
    request: &Request,
    pointer: Pointer,
    token: &str,
    path: &str,
) -> Result<Response, ApiError> {
    let before = pointer.previous.as_ref().map(|previous| previous.generation.clone());
    let generation = pointer.generation.clone();
    let inner = PreviewRuntime::new(runtime, pointer, token)?;
    let told = || async {
        match &before {
            Some(before) => differences(&runtime.kv(), Some((before, &generation))).await.map(Some).map_err(refused),
            None => Ok(None),
        }
    };
    let csv = |table: Vec<u8>| Response::new(200, "text/csv; charset=UTF-8", table);
    let none = || ApiError::NotFound(NotFound::Report);
    let inside = within(request, path, token);
    match inside.segments().as_slice() {
        [] => {
            let changes = told().await?.map(|(changes, _)| to_value("differences", &changes)).transpose()?;
            let covered = coverage(&inner.kv()).await?.unwrap_or_default();
            let markup = page::show(&generation, changes.as_ref(), &String::from_utf8_lossy(&covered));
            Ok(pages::template::show(&inside, 200, markup))
        }
        ["differences.csv"] => told().await?.map(|(_, table)| csv(table.into_bytes())).ok_or_else(none),
        ["couverture.csv"] => coverage(&inner.kv()).await?.map(csv).ok_or_else(none),
        ["trace.json"] => {
            let said = |name: &str| inside.values_of(name).next();
            let refused = || ApiError::Refused("code : le code d'une certification est attendu".into());
            let (code, place) = (said("code").ok_or_else(refused)?, said("lieu").unwrap_or_default());
            let (millesime, filiere) = (said("millesime"), said("filiere"));
            let asked =
                Traced { place: &place, code: &code, millesime: millesime.as_deref(), filiere: filiere.as_deref() };
            let traces = trace(&inner.kv(), &asked).await?;
            Ok(Response::json(200, &json!({"documents": to_value("trace", &traces)?})))
        }
        // Files and texts are those of the application, whatever is published.
        ["static", ..] | ["api", "doc", ..] => {
            let location = [&links::way_to_root(&request.path), path].concat();
            Ok(Response::new(307, "text/plain", Vec::new()).with("location", location))
        }
        _ => Ok(read(&inner, inside).await),
    }
}

/// A read route or a page, as the deployed components answer it.
async fn read<M: Runtime>(runtime: &M, request: Request) -> Response {
    let segments = request.segments();
    match segments.as_slice() {
        ["api", "inserjeunes", "mailles", ..] => routes::mailles(runtime, request).await,
        // Lists, with an extension or without.
        ["api", "inserjeunes", _] => routes::lists(runtime, request).await,
        ["api", "inserjeunes", "certifications", ..] => routes::certifications(runtime, request).await,
        ["api", "inserjeunes", "regionales", ..] => routes::regionales(runtime, request).await,
        ["api", "inserjeunes", "formations", ..] => routes::formations(runtime, request).await,
        ["api", "inserjeunes", "bcn", ..] => routes::bcn(runtime, request).await,
        ["api", "recherche", ..] => search::respond(runtime, request).await,
        ["recherche" | "certifications" | "etablissements" | "comparer", ..]
        | ["methode" | "mentions-legales" | "accessibilite" | "donnees-personnelles" | "contact" | "plan-du-site"] => {
            pages::site::respond(runtime, request).await
        }
        _ => pages::status::respond(runtime, request).await,
    }
}

/// The request as a read route sees it: under its own path, whole, and with the key that opens lists.
fn within(request: &Request, path: &str, key: &str) -> Request {
    let (outer, key) = (request.clone(), Rc::<str>::from(key));
    let headers = Headers::new_ones(move |name| match name {
        "x-api-key" => Some(key.to_string()),
        // A page gets its mark before it leaves, and nothing is kept that could be asked for again.
        "authorization" | "accept-encoding" | "if-none-match" => None,
        other => outer.header(other.to_owned()).map(str::to_owned),
    });
    Request {
        method: request.method.clone(),
        path: format!("/{path}"),
        query: request.query.clone(),
        headers,
        body: Vec::new(),
    }
}

/// What waits for a signature, for whoever holds the import's secret.
async fn waiting<M: Runtime>(runtime: &M, request: &Request) -> Result<Response, ApiError> {
    if !bears_secret(runtime, request).await? {
        return Err(ApiError::Unauthorized(""));
    }
    let secret = secret(runtime, SECRET_NAME, 0).await?;
    let mut waiting = Vec::new();
    for job in awaiting_sign_off(&runtime.kv()).await? {
        let Some(generation) = job.generation else { continue };
        let token = token(&secret, &generation);
        waiting.push(json!({"travail": job.id, "generation": generation, "chemin": format!("{ROOT}/{token}/")}));
    }
    Ok(Response::json(200, &json!({"apercus": waiting})))
}

/// Whether a request bears the import's secret.
async fn bears_secret<M: Runtime>(runtime: &M, request: &Request) -> Result<bool, ApiError> {
    match bearer(request) {
        Some(received) => holds_secret(runtime, SECRET_NAME, received).await,
        None => Ok(false),
    }
}

/// Whether a token opens a generation. It is known before the store is asked, so that nobody learns what lies there.
async fn opens<M: Runtime>(runtime: &M, generation: &str, received: &str) -> Result<bool, ApiError> {
    for rank in 0..SECRET_VALUES {
        let secret = secret(runtime, SECRET_NAME, rank).await?;
        if !secret.is_empty() && equal(token(&secret, generation).as_bytes(), received.as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The token of a generation: its name, and what only the holder of the secret can make of it.
fn token(secret: &str, generation: &str) -> String {
    let mut mac = match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mac) => mac,
        // A key of any length is taken; were it not, no token would open anything.
        Err(_) => return String::new(),
    };
    mac.update(b"apercu\0");
    mac.update(generation.as_bytes());
    let bytes = mac.finalize().into_bytes();
    format!("{generation}-{}", hex(bytes.get(..16).unwrap_or_default()))
}

/// What cannot be told is told as a refusal: its text is for operators.
fn refused(error: PublicationError) -> ApiError {
    match error {
        PublicationError::Refused(text) => ApiError::Refused(text),
        PublicationError::Store(error) => error.into(),
        PublicationError::UnknownJob(_) => ApiError::NotFound(NotFound::Job),
        PublicationError::Busy { .. } | PublicationError::Overtaken => ApiError::Unavailable,
    }
}

/// A page says that it is a preview; every answer says of which generation.
fn marked(mut response: Response, generation: &str) -> Response {
    let is_page = response.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    if let ResponseBody::Bytes(body) = &mut response.body
        && is_page
        && !body.is_empty()
    {
        let text = String::from_utf8_lossy(body);
        let mark = page::mark(generation).into_string();
        *body = text.replacen("<main", &format!("{mark}<main"), 1).into_bytes();
        let length = body.len();
        response.headers.retain(|(name, _)| *name != "content-length");
        response = response.with("content-length", length.to_string());
    }
    response.headers.retain(|(name, _)| *name != "x-generation");
    response.with("x-generation", generation.to_owned())
}

/// Nobody keeps, indexes or hands on what is not in force, and no other site reads it.
fn shut(mut response: Response) -> Response {
    response.headers.retain(|(name, _)| {
        !name.starts_with("access-control-") && !matches!(*name, "etag" | "referrer-policy" | "vary")
    });
    response.not_kept().with("x-robots-tag", "noindex, nofollow").with("referrer-policy", "no-referrer")
}

#[cfg(test)]
mod tests;
