//! What an operator or a statistician looks up, under `/internal/import/`: reports, differences, where a number comes from,
//! coverage, what is withheld, the rules of plausibility. Nothing is written.

use crate::call::{authorized, finish, parameter, respond};
use crate::error::AdminError;
use crate::reports;
use crate::runtime::plausibility;
use api::error::NotFound;
use api::{Request, Response, Runtime};
use plausibility::Rule;
use publication::{Differences, Served, Traced, coverage, differences, trace, withheld_cells};
use serde_json::{Value, json};
use store::kv::{KeyValue, to_value};

/// Answers a request to one of these routes.
pub async fn look_up<M: Runtime>(runtime: &M, request: Request) -> Response {
    let answer = handle(runtime, &request).await;
    finish(runtime, &request, answer).await
}

async fn handle<M: Runtime>(runtime: &M, request: &Request) -> Result<Response, AdminError> {
    let segments = authorized(runtime, request).await?;
    let rest: Vec<&str> = segments.iter().map(String::as_str).collect();
    let kv = runtime.kv();
    match (request.method.as_ref(), rest.as_slice()) {
        ("GET", ["reports"]) => Ok(Response::json(200, &json!({"rapports": reports::list(&kv).await?}))),
        ("GET", ["reports", id]) => respond(200, &reports::read(&kv, id).await?),
        ("GET", ["secret"]) => secret(&kv).await,
        ("GET", ["differences"]) => told_differences(request, differences(&kv, None).await?),
        ("GET", ["differences", before, after]) => {
            told_differences(request, differences(&kv, Some((before, after))).await?)
        }
        ("GET", ["couverture"]) => {
            let table = coverage(&kv).await?.ok_or(AdminError::NotFound(NotFound::Report))?;
            Ok(Response::new(200, "text/csv; charset=UTF-8", table))
        }
        ("GET", ["trace"]) => traced(runtime, request).await,
        ("GET", ["regles"]) => Ok(Response::json(200, &json!({"regles": rules(runtime).await?}))),
        _ => Err(AdminError::UnknownRoute),
    }
}

/// What the served generation withholds and why, as CSV.
async fn secret<K: KeyValue>(kv: &K) -> Result<Response, AdminError> {
    let none = || AdminError::NotFound(NotFound::Report);
    let served = Served::read(kv).await?.ok_or_else(none)?;
    let cells = withheld_cells(kv, served.pointer.shelf()?).await?.ok_or_else(none)?;
    Ok(Response::new(200, "text/csv; charset=UTF-8", cells))
}

/// What changed, as JSON, or as a table where `format=csv` asks for it.
fn told_differences(request: &Request, (differences, table): (Differences, String)) -> Result<Response, AdminError> {
    match parameter(request, "format").as_deref() {
        Some("csv") => Ok(Response::new(200, "text/csv; charset=UTF-8", table.into_bytes())),
        _ => respond(200, &differences),
    }
}

/// Where the documents of a code and a place come from.
async fn traced<M: Runtime>(runtime: &M, request: &Request) -> Result<Response, AdminError> {
    let said = |name: &str| parameter(request, name);
    let code =
        said("code").ok_or_else(|| AdminError::Refused("code : le code d'une certification est attendu".into()))?;
    let (place, millesime, filiere) = (said("lieu").unwrap_or_default(), said("millesime"), said("filiere"));
    let asked = Traced { place: &place, code: &code, millesime: millesime.as_deref(), filiere: filiere.as_deref() };
    let traces = trace(&runtime.kv(), &asked).await?;
    Ok(Response::json(200, &json!({"documents": to_value("trace", &traces)?})))
}

/// The table of the rules of plausibility, with the levels in use.
async fn rules<M: Runtime>(runtime: &M) -> Result<Vec<Value>, AdminError> {
    let levels = plausibility(runtime).await?.levels;
    let told = Rule::ALL.into_iter().map(|rule| {
        let text = rule.text();
        json!({"regle": text.name, "niveau": levels.of(rule).name(), "source": text.source, "attendu": text.asks,
            "remede": text.remedy})
    });
    Ok(told.collect())
}
