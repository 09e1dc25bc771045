//! What operators keep beside the data, under `/internal/import/`: accounts and keys of re-users, the public sum of
//! usage, and the calendar of publications.

use crate::call::{admit, finish};
use crate::error::AdminError;
use crate::runtime::ImportRuntime;
use crate::{usage, users};
use api::{Request, Response};

/// Answers a request to one of these routes.
pub async fn keep<M: ImportRuntime>(runtime: &M, request: Request) -> Response {
    let answer = handle(runtime, &request).await;
    finish(runtime, &request, answer).await
}

async fn handle<M: ImportRuntime>(runtime: &M, request: &Request) -> Result<Response, AdminError> {
    let segments = admit(runtime, request).await?;
    let rest: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (request.method.as_ref(), rest.as_slice()) {
        ("GET" | "POST" | "PUT" | "DELETE", rest @ ["users", ..]) => users::handle(runtime, request, rest).await,
        ("GET" | "PUT", ["usage"]) => usage::handle(runtime, request).await,
        ("PUT", ["calendrier"]) => usage::calendar(runtime, request).await,
        _ => Err(AdminError::UnknownRoute),
    }
}
