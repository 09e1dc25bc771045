//! From a connection to a component and back, and from a component outwards.

use crate::manifest::{StaticResponse, Target};
use crate::router::{Match, Router};
use crate::runtime::{Component, Inside, Outgoing, Pool, Runtime};
use crate::testing::count;
use crate::{outbound, runtime, testing};
use bytes::Bytes;
use http::header::{HOST, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, default_send_request};

/// The paths the host itself answers.
const WELL_KNOWN: &str = "/.well-known/spin/";

/// The address a component sees when another component calls it.
const CHAINED_CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// A running application.
pub(crate) struct App {
    pub(crate) router: Router<Target>,
    pub(crate) pools: BTreeMap<String, Pool>,
    pub(crate) address: SocketAddr,
    pub(crate) runtime: Arc<Runtime>,
    /// The answer of `/.well-known/spin/info`.
    pub(crate) info: String,
    pub(crate) log_requests: bool,
}

/// How a request came to a component, for the headers that tell it.
struct Arrival<'a> {
    raw_route: &'a str,
    matched_route: String,
    path_info: String,
    parameters: Vec<(&'a str, String)>,
    client: SocketAddr,
}

impl App {
    /// Answers a request from outside.
    pub(crate) async fn answer(&self, request: Request<WasiBody>, client: SocketAddr) -> Response<WasiBody> {
        if !self.log_requests {
            return self.route(request, client).await;
        }
        let start = Instant::now();
        let line = format!("{} {}", request.method(), shown(request.uri()));
        let response = self.route(request, client).await;
        let elapsed = start.elapsed().as_secs_f64() * 1000.0;
        eprintln!("{line} {} {elapsed:.1} ms", response.status().as_u16());
        response
    }

    async fn route(&self, mut request: Request<WasiBody>, client: SocketAddr) -> Response<WasiBody> {
        let path = request.uri().path().to_owned();
        if let Some(name) = path.strip_prefix(WELL_KNOWN) {
            return match name {
                "health" => Response::new(full("OK")),
                "info" => info(&self.info),
                _ => empty(StatusCode::NOT_FOUND),
            };
        }
        let Some(found) = self.router.find(&path) else {
            return empty(StatusCode::NOT_FOUND);
        };
        // A name of the inside is not the client's to give.
        let inside = |host: &HeaderValue| {
            let uri = host.to_str().ok().and_then(|host| host.parse::<Uri>().ok());
            uri.is_some_and(|uri| outbound::internal_component(&uri).is_some())
        };
        if request.headers().get(HOST).is_some_and(inside) {
            request.headers_mut().remove(HOST);
        }
        match found.target {
            Target::Static(response) => fixed(response),
            Target::Component(id) => {
                let Match { route, parameters, path_info, .. } = found;
                let arrival =
                    Arrival { raw_route: route.raw(), matched_route: route.based(), path_info, parameters, client };
                self.call(id, request, arrival).await
            }
        }
    }

    /// Hands a request to a component by name, past the routes: what `http://name.spin.internal` does. `None` where
    /// there is no such component.
    pub(crate) async fn call_component(&self, id: &str, request: Request<WasiBody>) -> Option<Response<WasiBody>> {
        let arrival = Arrival {
            raw_route: "/...",
            matched_route: "/...".to_owned(),
            path_info: request.uri().path().to_owned(),
            parameters: Vec::new(),
            client: CHAINED_CLIENT,
        };
        let (id, _) = self.pools.get_key_value(id)?;
        Some(self.call(id, request, arrival).await)
    }

    async fn call(&self, id: &str, mut request: Request<WasiBody>, arrival: Arrival<'_>) -> Response<WasiBody> {
        if let Err(reason) = prepare(&mut request, arrival) {
            eprintln!("{} {}: {reason}", request.method(), shown(request.uri()));
            return empty(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let Some(pool) = self.pools.get(id) else {
            return empty(StatusCode::INTERNAL_SERVER_ERROR);
        };
        match runtime::handle(pool, request).await {
            Ok(response) => response,
            Err(error) => {
                eprintln!("component {id}: {error}");
                empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// The counters of every component.
    pub(crate) fn counters(&self) -> testing::AllCounters {
        self.tallies().map(|(id, component)| (id.clone(), component.tally.read())).collect()
    }

    pub(crate) fn reset_counters(&self) {
        self.tallies().for_each(|(_, component)| component.tally.reset());
    }

    fn tallies(&self) -> impl Iterator<Item = (&String, &Component)> {
        self.pools.iter().map(|(id, pool)| (id, &*pool.state().component))
    }
}

impl Inside for App {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn call_by_name(
        self: Arc<Self>,
        id: String,
        request: Request<WasiBody>,
    ) -> Pin<Box<dyn Future<Output = Option<Response<WasiBody>>> + Send>> {
        Box::pin(async move { self.call_component(&id, request).await })
    }
}

/// Gives the request an absolute URI and the headers that tell the component how it was reached.
///
/// The headers are added after those the client sent, and not in their place: a client's own `spin-…` header is the
/// first of its name, as it is under Spin.
fn prepare(request: &mut Request<WasiBody>, arrival: Arrival<'_>) -> Result<(), String> {
    let host = match request.headers().get(HOST) {
        Some(host) => {
            let host = host.to_str().map_err(|_| "the Host header is not text")?;
            Some(host.parse::<Authority>().map_err(|_| "the Host header is not a host")?)
        }
        None => None,
    };
    let mut uri = request.uri().clone().into_parts();
    let shown_host = host.as_ref().map_or("localhost", Authority::as_str).to_owned();
    let authority = match (host, uri.authority.take()) {
        (None, None) => return Err("no Host header".to_owned()),
        (Some(one), Some(other)) if one != other => return Err("the Host header and the URI differ".to_owned()),
        (Some(one), _) | (None, Some(one)) => one,
    };
    let path = uri.path_and_query.clone().unwrap_or_else(|| PathAndQuery::from_static("/"));
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(authority);
    uri.path_and_query = Some(path.clone());
    *request.uri_mut() = Uri::from_parts(uri).map_err(|error| error.to_string())?;
    if request.headers().values().any(|value| std::str::from_utf8(value.as_bytes()).is_err()) {
        return Err("a header is not UTF-8".to_owned());
    }
    let prefix = arrival.raw_route.strip_suffix("/...").unwrap_or(arrival.raw_route);
    let fixed = [
        ("spin-path-info", arrival.path_info.as_str()),
        ("spin-full-url", &format!("http://{shown_host}{path}")),
        ("spin-matched-route", &arrival.matched_route),
        ("spin-base-path", "/"),
        ("spin-raw-component-route", arrival.raw_route),
        ("spin-component-route", prefix),
        ("spin-client-addr", &arrival.client.to_string()),
    ];
    let headers = request.headers_mut();
    for (name, value) in fixed {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    for (name, value) in arrival.parameters {
        let name = format!("spin-path-match-{}", name.to_ascii_lowercase().replace('_', "-"));
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    Ok(())
}

/// An address as a log may hold it: keys travel in queries, and some in front of a host.
fn shown(uri: &Uri) -> String {
    let scheme = uri.scheme_str().map(|scheme| format!("{scheme}://")).unwrap_or_default();
    let authority = uri.authority().map_or("", Authority::as_str);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let query = if uri.query().is_some() { "?…" } else { "" };
    format!("{scheme}{host}{}{query}", uri.path())
}

pub(crate) fn full(body: impl Into<Bytes>) -> WasiBody {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn empty(status: StatusCode) -> Response<WasiBody> {
    let mut response = Response::new(full(""));
    *response.status_mut() = status;
    response
}

fn info(body: &str) -> Response<WasiBody> {
    let mut response = Response::new(full(body.to_owned()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

fn fixed(answer: &StaticResponse) -> Response<WasiBody> {
    let mut response = Response::builder().status(answer.status_code);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.body(full(answer.body.clone())).unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR))
}

/// A response, and the work that keeps its connection going.
type Sent = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        if !self.component.outbound.allows(request.uri()) {
            count(&self.component.tally.denied, 1);
            let (id, uri) = (&self.component.id, shown(request.uri()));
            eprintln!("component {id}: a request to {uri} was refused; allowed_outbound_hosts does not cover it");
            return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
        }
        let app = self.runtime.app.get().and_then(std::sync::Weak::upgrade);
        Box::new(send(app, request, options))
    }
}

async fn send(
    app: Option<Arc<dyn Inside>>,
    mut request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<Sent, Error> {
    let stopped = || Error::InternalError(Some("the host is stopping".to_owned()));
    if let Some(id) = outbound::internal_component(request.uri()).map(str::to_owned) {
        let app = app.ok_or_else(stopped)?;
        request.headers_mut().remove(HOST);
        let response = app
            .call_by_name(id, request)
            .await
            .ok_or_else(|| Error::InternalError(Some("no component of this name".to_owned())))?;
        return Ok((response, Box::new(std::future::ready(Ok(())))));
    }
    if outbound::is_self(request.uri()) {
        let address = app.ok_or_else(stopped)?.address().to_string();
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        *request.uri_mut() = format!("http://{address}{path}").parse().map_err(|_| Error::HttpRequestUriInvalid)?;
        let host = HeaderValue::from_str(&address).map_err(|_| Error::HttpRequestUriInvalid)?;
        request.headers_mut().insert(HOST, host);
    }
    let (response, connection) = default_send_request(request, options).await?;
    Ok((response.map(BodyExt::boxed_unsync), Box::new(connection)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_reaches_a_log() {
        for (uri, logged) in [
            ("/api/inserjeunes/bcn?apiKey=secret", "/api/inserjeunes/bcn?…"),
            ("/api", "/api"),
            ("http://compte:secret@hote:8080/a?apiKey=secret&page=2", "http://hote:8080/a?…"),
        ] {
            assert_eq!(uri.parse::<Uri>().map(|uri| shown(&uri)).ok().as_deref(), Some(logged));
        }
    }
}
