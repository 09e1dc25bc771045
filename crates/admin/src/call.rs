//! What every internal route reads of its request, and how it answers.

use crate::error::AdminError;
use crate::runtime::ImportRuntime;
use api::access::{bearer, holds_secret};
use api::error::ApiError;
use api::{Request, Response, Runtime, decode_segment};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use publication::{Registry, StagingError, staging};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use store::kv::to_value;

/// How long a call advances a job, in milliseconds: below the 30 s that hosts allow a request.
pub(crate) const BUDGET_MS: u64 = 20_000;

/// As [`authorized`], for a request that may write.
pub(crate) async fn admit<M: ImportRuntime>(runtime: &M, request: &Request) -> Result<Vec<String>, AdminError> {
    let segments = authorized(runtime, request).await?;
    // Whatever became of the registry, nothing waits for somebody who mends it by hand.
    let kv = runtime.kv();
    if let Some(lost) = Registry::lost(&kv).await? {
        let (jobs, prefixes) = collection::known_prefixes(&kv).await?;
        Registry::rebuild(&kv, lost, jobs, prefixes, runtime.now_ms()).await?;
    }
    Ok(segments)
}

/// The path behind `/internal/import`, in segments, of a request that bears the secret and whose body is what was sent.
pub(crate) async fn authorized<M: Runtime>(runtime: &M, request: &Request) -> Result<Vec<String>, AdminError> {
    let Some(token) = bearer(request) else { return Err(AdminError::Unauthorized) };
    if !holds_secret(runtime, "import_secret", token).await? {
        return Err(AdminError::Unauthorized);
    }
    verify_body(request)?;
    let segments: Option<Vec<String>> =
        request.segments().into_iter().map(|s| decode_segment(s).map(|s| s.into_owned())).collect();
    let mut segments = segments.unwrap_or_default().into_iter();
    match (segments.next().as_deref(), segments.next().as_deref()) {
        (Some("internal"), Some("import")) => Ok(segments.collect()),
        _ => Err(AdminError::UnknownRoute),
    }
}

/// Sends what a route came to. What an operator is told, an absence too, is nobody else's to keep.
pub(crate) async fn finish<M: Runtime>(
    runtime: &M,
    request: &Request,
    answer: Result<Response, AdminError>,
) -> Response {
    let response = answer.unwrap_or_else(|error| ApiError::from(error).response());
    response.not_kept().finish(runtime, request).await
}

pub(crate) fn respond(status: u16, value: &impl serde::Serialize) -> Result<Response, AdminError> {
    Ok(Response::json(status, &to_value("answer", value)?))
}

/// A body that was cut, or that is not what its sender meant, changes nothing.
pub(crate) fn verify_body(request: &Request) -> Result<(), AdminError> {
    let announced = request.header("content-length").and_then(|l| l.parse::<usize>().ok());
    if request.body.len() > staging::PART_MAX {
        return Err(StagingError::PartTooLarge.into());
    }
    if announced.is_some_and(|announced| announced != request.body.len()) {
        return Err(AdminError::Unreadable("Le corps reçu est plus court qu'annoncé : renvoyer la partie"));
    }
    if request.header("content-digest").is_none() {
        return Ok(());
    }
    match announced_digest(request) {
        Some(expected) if expected == *Sha256::digest(&request.body) => Ok(()),
        Some(_) => Err(AdminError::Unreadable(
            "Le corps reçu ne correspond pas à son empreinte (Content-Digest) : renvoyer la partie",
        )),
        None => Err(AdminError::Unreadable("Content-Digest : la forme attendue est sha-256=:base64:")),
    }
}

/// The SHA-256 of the body as its sender says it: of a request that was let in, it is right.
pub(crate) fn announced_digest(request: &Request) -> Option<[u8; 32]> {
    let digests = request.header("content-digest")?;
    let digest = digests.split(',').find_map(|e| e.trim().strip_prefix("sha-256=:")?.strip_suffix(':'))?;
    STANDARD.decode(digest).ok()?.try_into().ok()
}

/// Why a body is not understood; the parser's words reach nobody.
fn unexpected(fault: &serde_json::Error) -> String {
    let place = format!("vers le caractère {} de la ligne {}", fault.column(), fault.line());
    let why = if fault.is_data() {
        format!("un champ inconnu, ou d'un autre type qu'attendu, {place}")
    } else if fault.is_eof() {
        "il s'arrête avant la fin".to_owned()
    } else {
        format!("il est mal formé {place}")
    };
    format!("le corps n'est pas le JSON attendu : {why}")
}

pub(crate) fn json_of_body<T: DeserializeOwned + Default>(request: &Request) -> Result<T, AdminError> {
    if request.body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&request.body).map_err(|fault| AdminError::Refused(unexpected(&fault)))
}

pub(crate) fn parameter(request: &Request, name: &str) -> Option<String> {
    request.values_of(name).next()
}

pub(crate) fn budget(request: &Request) -> u64 {
    parameter(request, "budget_ms").and_then(|b| b.parse().ok()).unwrap_or(BUDGET_MS).clamp(1, BUDGET_MS)
}
