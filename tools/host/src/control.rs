//! The control port: the clock, faults and counters for tests in other processes, over HTTP.
//!
//! `PUT /clock` with an RFC 3339 instant, or with nothing for the real time; `PUT /faults` with [`Faults`] as JSON, or
//! with nothing for none; `GET /counters` and `DELETE /counters`; any method on `/call/<component>/<path>` calls a
//! component past the routes, private ones included. It guards nothing: it belongs on a loopback address.

use crate::server::{App, empty, full};
use crate::testing::{Faults, parse_instant};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use std::sync::Arc;
use wasmtime_wasi_http::WasiBody;

/// Answers a request to the control port.
pub(crate) async fn answer(app: &Arc<App>, request: Request<WasiBody>) -> Response<WasiBody> {
    let path = request.uri().path().to_owned();
    if let Some((id, rest)) = path.strip_prefix("/call/").map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
        return call(app, id, rest, request).await;
    }
    let method = request.method().clone();
    let Ok(body) = request.into_body().collect().await else {
        return empty(StatusCode::BAD_REQUEST);
    };
    let body = String::from_utf8_lossy(&body.to_bytes()).trim().to_owned();
    let done = match (method, path.as_str()) {
        (Method::GET, "/counters") => {
            return match serde_json::to_vec_pretty(&app.counters()) {
                Ok(json) => Response::new(full(json)),
                Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
            };
        }
        (Method::DELETE, "/counters") => {
            app.reset_counters();
            Ok(())
        }
        (Method::PUT, "/clock") if body.is_empty() => {
            app.runtime.clock.set(None);
            Ok(())
        }
        (Method::PUT, "/clock") => parse_instant(&body).map(|time| app.runtime.clock.set(Some(time))),
        (Method::PUT, "/faults") if body.is_empty() => {
            app.runtime.faults.set(Faults::default());
            Ok(())
        }
        (Method::PUT, "/faults") => {
            serde_json::from_str(&body).map(|faults| app.runtime.faults.set(faults)).map_err(|error| error.to_string())
        }
        _ => return empty(StatusCode::NOT_FOUND),
    };
    match done {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(reason) => {
            let mut response = Response::new(full(reason));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    }
}

async fn call(app: &Arc<App>, id: &str, rest: &str, mut request: Request<WasiBody>) -> Response<WasiBody> {
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let Ok(uri) = format!("http://{id}.spin.internal/{rest}{query}").parse() else {
        return empty(StatusCode::BAD_REQUEST);
    };
    *request.uri_mut() = uri;
    request.headers_mut().remove(http::header::HOST);
    app.call_component(id, request).await.unwrap_or_else(|| empty(StatusCode::NOT_FOUND))
}
