//! The routes as tools of assistants: the Model Context Protocol over HTTP, `POST /api/mcp`.
//!
//! Nothing is kept between two calls: no session, no stream, one JSON answer to one JSON request. A tool is one of the public
//! routes under another name: it is answered by that route's own functions, and its answer stands in the result as it came.
//! So what a route hides is hidden here, and what follows from a result follows from the route. None of the three needs a
//! key.
//!
//! The protocol asks servers to look at `Origin`, because a page could reach a server on the machine of who reads it, with
//! that person's rights. Here nobody has rights that others lack, so any origin may ask, as on every public route.

use crate::comparison;
use crate::error::{ApiError, helped};
use crate::lots::LotDemand;
use crate::request::escaped;
use crate::response::{JSON, Response, ResponseBody};
use crate::{Request, Runtime, routes, search};
use serde_json::{Map, Value, json};

/// Bytes of a request, at most.
pub const BODY_MAX: usize = 64 * 1024;
/// Messages of a batch, at most.
pub const BATCH_MAX: usize = 10;
/// Bytes of an answer of a route that a result holds; a longer one is asked for in parts.
pub const RESULT_MAX: usize = 128 * 1024;
/// The versions of the protocol, the newest first. The older one knows batches and no header.
pub const VERSIONS: [&str; 2] = ["2025-06-18", "2025-03-26"];
/// Where a client says which version it has agreed on.
const VERSION_HEADER: &str = "mcp-protocol-version";
/// The tools, as a list of them is answered.
const TOOLS: &str = include_str!("mcp/tools.json");
/// What stands behind each result.
const SOURCE: &str = "Source : InserJeunes (DEPP, DARES) pour le secondaire, InserSup (SIES) pour le supérieur. \
                      Licence Ouverte 2.0 (Etalab) : citer la source et le millésime. \
                      null : masqué (moins de 20 jeunes) ou non calculable.";
/// What stands behind an error.
const ADVICE: &str = "Le code d'une certification et l'UAI d'un établissement se cherchent avec l'outil rechercher ; \
                      data.millesimesDisponible, s'il est là, donne les millésimes à demander.";
/// What a client reads before its first call.
const INSTRUCTIONS: &str = "Ce que deviennent les jeunes après une formation en France : emploi, poursuite d'études, salaires, \
                            par certification, région et établissement. Chercher d'abord le code (rechercher), puis demander \
                            le document ou la comparaison. Citer la source, le millésime et les textes de _meta.messages ; \
                            ne jamais estimer une valeur null.";

/// Why a message has no result: the code of JSON-RPC, and what is told.
#[derive(Debug)]
struct RpcFault(i32, String);

const PARSE: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;
const UNKNOWN_METHOD: i32 = -32_601;
const INVALID_PARAMS: i32 = -32_602;

fn params_fault(text: impl Into<String>) -> RpcFault {
    RpcFault(INVALID_PARAMS, text.into())
}

/// What became of a message.
enum Handled {
    /// A notification, or an answer to nothing that was asked: nothing is said.
    Silence,
    /// An answer, and whether it says that the message is none.
    Answer(Vec<u8>, bool),
}

/// Answers `/api/mcp`.
pub async fn respond<M: Runtime>(runtime: &M, request: Request) -> Response {
    let response = match handle(runtime, &request).await {
        Ok(response) => response,
        Err(error) => error.response(),
    };
    let mut response = response.finish(runtime, &request).await;
    for (name, value) in &mut response.headers {
        if *name == "access-control-allow-headers" {
            value.to_mut().push_str(", Mcp-Protocol-Version, Mcp-Session-Id, Last-Event-ID");
        }
    }
    response
}

async fn handle<M: Runtime>(runtime: &M, request: &Request) -> Result<Response, ApiError> {
    if request.segments() != ["api", "mcp"] {
        return Err(ApiError::UnknownRoute);
    }
    match request.method.as_ref() {
        "POST" => {}
        "OPTIONS" => return Ok(routes::options("POST")),
        // The protocol asks for this status where a server opens no stream and has no session to end.
        _ => {
            let help = "Ce point d'accès ne prend que POST, avec un message JSON-RPC du Model Context Protocol.";
            let response = helped(405, "Method Not Allowed", help, "mcp");
            return Ok(response.with("allow", "POST").with("cache-control", "no-store"));
        }
    }
    let kind = request.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let help = "Content-Type : application/json.";
        return Ok(
            helped(415, "Le corps n'est pas annoncé comme du JSON", help, "mcp").with("cache-control", "no-store")
        );
    }
    if request.body.len() > BODY_MAX {
        return Err(ApiError::TooLarge("Le corps de la requête dépasse 64 Kio".to_owned()));
    }
    let version = request.header(VERSION_HEADER);
    if let Some(other) = version.filter(|version| !VERSIONS.contains(version)) {
        let other: String = other.chars().take(40).collect();
        let told = format!("Version du protocole inconnue : {other}. Versions : {}", VERSIONS.join(", "));
        return Ok(answer(400, fault(&Value::Null, &RpcFault(INVALID_REQUEST, told))));
    }
    let message = match serde_json::from_slice(&request.body) {
        Ok(message) => message,
        Err(error) => {
            let told = format!("Le corps n'est pas du JSON : ligne {}, caractère {}", error.line(), error.column());
            return Ok(answer(400, fault(&Value::Null, &RpcFault(PARSE, told))));
        }
    };
    let messages = match message {
        Value::Array(messages) => messages,
        message => {
            return Ok(match respond_to(runtime, message, false).await {
                Handled::Silence => silence(),
                Handled::Answer(body, invalid) => answer(if invalid { 400 } else { 200 }, body),
            });
        }
    };
    let [newest, older] = VERSIONS;
    if version == Some(newest) || !(1..=BATCH_MAX).contains(&messages.len()) {
        let told = format!("Un lot de messages : 1 à {BATCH_MAX}, et seulement dans la version {older}");
        return Ok(answer(400, fault(&Value::Null, &RpcFault(INVALID_REQUEST, told))));
    }
    let mut body = b"[".to_vec();
    for message in messages {
        if let Handled::Answer(one, _) = respond_to(runtime, message, true).await {
            if body.len() > 1 {
                body.push(b',');
            }
            body.extend_from_slice(&one);
        }
    }
    if body.len() == 1 {
        return Ok(silence());
    }
    body.push(b']');
    Ok(answer(200, body))
}

fn answer(status: u16, body: Vec<u8>) -> Response {
    Response::new(status, JSON, body).with("cache-control", "no-store")
}

fn silence() -> Response {
    let mut response = answer(202, Vec::new());
    response.headers.retain(|(name, _)| *name != "content-type");
    response
}

fn fault(id: &Value, fault: &RpcFault) -> Vec<u8> {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": fault.0, "message": fault.1}}).to_string().into_bytes()
}

/// Answers one message. A batch opens no session.
async fn respond_to<M: Runtime>(runtime: &M, message: Value, in_batch: bool) -> Handled {
    let invalid =
        |id: &Value, told: &str| Handled::Answer(fault(id, &RpcFault(INVALID_REQUEST, told.to_owned())), true);
    let Value::Object(mut message) = message else {
        return invalid(&Value::Null, "Un message est un objet JSON");
    };
    let id = message.remove("id");
    let known = id.as_ref().is_none_or(|id| id.is_string() || id.is_i64() || id.is_u64());
    // An identifier is told again: a long one is none of a client's.
    if !known || id.as_ref().and_then(Value::as_str).is_some_and(|id| id.len() > 256) {
        return invalid(&Value::Null, "id : un texte de 256 octets au plus, ou un entier, est attendu");
    }
    let told = id.clone().unwrap_or_default();
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return invalid(&told, "jsonrpc : « 2.0 » est attendu");
    }
    let Some(method) = message.get("method") else {
        let answered = message.contains_key("result") || message.contains_key("error");
        return if answered { Handled::Silence } else { invalid(&told, "method manque") };
    };
    let Some(method) = method.as_str().map(str::to_owned) else {
        return invalid(&told, "method : un texte est attendu");
    };
    let Some(id) = id else { return Handled::Silence };
    if in_batch && method == "initialize" {
        return invalid(&id, "initialize ne vient pas dans un lot");
    }
    let params = match message.remove("params") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(params)) => Ok(params),
        Some(_) => Err(params_fault("params : un objet est attendu")),
    };
    let result = match params {
        Ok(params) => call(runtime, &method, params).await,
        Err(fault) => Err(fault),
    };
    Handled::Answer(
        match result {
            Ok(result) => {
                let mut body = b"{\"jsonrpc\":\"2.0\",\"id\":".to_vec();
                body.extend_from_slice(id.to_string().as_bytes());
                body.extend_from_slice(b",\"result\":");
                body.extend_from_slice(&result);
                body.push(b'}');
                body
            }
            Err(told) => fault(&id, &told),
        },
        false,
    )
}

/// The result of a method, as JSON.
async fn call<M: Runtime>(runtime: &M, method: &str, params: Map<String, Value>) -> Result<Vec<u8>, RpcFault> {
    match method {
        "initialize" => {
            let asked = params.get("protocolVersion").and_then(Value::as_str);
            let asked = asked.ok_or_else(|| params_fault("protocolVersion : un texte est attendu"))?;
            let [newest, _] = VERSIONS;
            let version = VERSIONS.into_iter().find(|version| *version == asked).unwrap_or(newest);
            let result = json!({
                "protocolVersion": version,
                "capabilities": {"tools": {}},
                "serverInfo": {
                    "name": "exposition",
                    "title": "InserJeunes et InserSup : que deviennent les jeunes après une formation ?",
                    "version": env!("CARGO_PKG_VERSION"),
                },
                "instructions": INSTRUCTIONS,
            });
            Ok(result.to_string().into_bytes())
        }
        "ping" => Ok(b"{}".to_vec()),
        "tools/list" => match params.get("cursor") {
            None | Some(Value::Null) => Ok([b"{\"tools\":", TOOLS.trim_end().as_bytes(), b"}"].concat()),
            Some(_) => Err(params_fault("cursor : la liste des outils tient en une page")),
        },
        "tools/call" => tool(runtime, params).await,
        _ => {
            let method: String = method.chars().take(60).collect();
            Err(RpcFault(UNKNOWN_METHOD, format!("Méthode inconnue : {method}")))
        }
    }
}

/// What a route answered: its status and its body.
type RouteAnswer = (u16, Vec<u8>);

async fn tool<M: Runtime>(runtime: &M, mut params: Map<String, Value>) -> Result<Vec<u8>, RpcFault> {
    let arguments = match params.remove("arguments") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(arguments)) => arguments,
        Some(_) => return Err(params_fault("arguments : un objet est attendu")),
    };
    let (status, body) = match params.get("name").and_then(Value::as_str) {
        Some("rechercher") => found(runtime, arguments).await?,
        Some("document") => documents(runtime, arguments, false).await?,
        Some("comparaison") => documents(runtime, arguments, true).await?,
        Some(other) => {
            let other: String = other.chars().take(60).collect();
            return Err(params_fault(format!("Outil inconnu : {other}. Outils : rechercher, document, comparaison")));
        }
        None => return Err(params_fault("name : le nom d'un outil est attendu")),
    };
    let (failed, body) = if body.len() > RESULT_MAX {
        let told = "La réponse dépasse 128 Kio : demander moins, par champs, par millesime ou sans historique";
        (
            true,
            json!({"statusCode": 413, "error": "Request Entity Too Large", "message": told}).to_string().into_bytes(),
        )
    } else {
        (status != 200, body)
    };
    let text = String::from_utf8(body).map_err(|_| RpcFault(-32_603, "La réponse ne peut pas être lue".to_owned()))?;
    let mut result = b"{\"content\":[".to_vec();
    let texts = [text.as_str(), if failed { ADVICE } else { SOURCE }];
    for (rank, text) in texts.into_iter().enumerate() {
        if rank > 0 {
            result.push(b',');
        }
        result.extend_from_slice(b"{\"type\":\"text\",\"text\":");
        result.extend_from_slice(Value::from(text).to_string().as_bytes());
        result.push(b'}');
    }
    result.extend_from_slice(b"],\"structuredContent\":");
    result.extend_from_slice(text.as_bytes());
    result.extend_from_slice(if failed { b",\"isError\":true}" } else { b",\"isError\":false}" });
    Ok(result)
}

fn whole(response: Response) -> Result<RouteAnswer, RpcFault> {
    match response.body {
        ResponseBody::Bytes(body) => Ok((response.status, body)),
        // No route of a tool streams.
        ResponseBody::Stream(_) => Err(RpcFault(-32_603, "La réponse ne peut pas être lue".to_owned())),
    }
}

/// `/api/recherche`, asked for by the names of its own parameters.
async fn found<M: Runtime>(runtime: &M, arguments: Map<String, Value>) -> Result<RouteAnswer, RpcFault> {
    const KNOWN: [&str; 6] = ["q", "type", "niveau", "voie", "region", "page"];
    let mut query = String::new();
    for (name, value) in &arguments {
        if !KNOWN.contains(&name.as_str()) {
            return Err(params_fault(format!("arguments.{} : inconnu. Connus : {}", short(name), KNOWN.join(", "))));
        }
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Number(number) if name == "page" => number.to_string(),
            _ => return Err(params_fault(format!("arguments.{} : un texte est attendu", short(name)))),
        };
        query.push_str(if query.is_empty() { "" } else { "&" });
        for part in [name, "=", &escaped(&value, |b| b.is_ascii_alphanumeric())] {
            query.push_str(part);
        }
    }
    let request = Request { method: "GET".into(), path: "/api/recherche".to_owned(), query, ..Request::default() };
    whole(search::respond(runtime, request).await)
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// One document, or one and what is beside it, asked for as a line of a lot is.
async fn documents<M: Runtime>(
    runtime: &M,
    arguments: Map<String, Value>,
    compared: bool,
) -> Result<RouteAnswer, RpcFault> {
    let demand = LotDemand::of_one(arguments, compared).map_err(|error| match error {
        ApiError::Demand(text) => params_fault(text),
        _ => params_fault("arguments : illisibles"),
    })?;
    let made = match demand.alone() {
        Ok((parameters, target)) => {
            comparison::from_whole(runtime, &parameters, &target, compared, &|| runtime.now_ms()).await
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(json) => Ok((200, json.body)),
        Err(error) => whole(error.response()),
    }
}
