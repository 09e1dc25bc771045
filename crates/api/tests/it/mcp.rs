//! The routes as tools of assistants: what the protocol asks of a server, and that a tool answers as its route does.

use crate::common::ReadStore;
use crate::instance::{Instance, bytes};
use api::mcp::{BATCH_MAX, BODY_MAX, VERSIONS};
use api::{Request, Response, mcp};
use futures_executor::block_on;
use proptest::prelude::*;
use published::{publish, sample};
use serde_json::{Value, json};
use std::collections::BTreeSet;

type Server = Instance<ReadStore>;

fn server() -> Server {
    let server = Server { now: 1_764_237_000_000, ..Server::default() };
    publish(&server.store.0, "1", &sample());
    server
}

const KIND: (&str, &str) = ("content-type", "application/json");

impl Server {
    fn send(&self, method: &'static str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Response {
        let headers: Vec<(String, String)> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let request = Request {
            method: method.into(),
            path: "/api/mcp".to_owned(),
            headers: headers.into(),
            body: body.into(),
            ..Request::default()
        };
        block_on(mcp::respond(self, request))
    }

    /// Status and answer of one message.
    fn message(&self, message: &Value) -> (u16, Value) {
        let response = self.send("POST", &[KIND], message.to_string());
        let status = response.status;
        (status, serde_json::from_slice(&bytes(response)).unwrap())
    }

    fn answer(&self, method: &str, params: Value) -> Value {
        let (status, answer) = self.message(&json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}));
        assert_eq!((status, &answer["id"], &answer["jsonrpc"]), (200, &json!(7), &json!("2.0")), "{answer}");
        answer
    }

    /// The result of a tool.
    fn tool(&self, name: &str, arguments: Value) -> Value {
        self.answer("tools/call", json!({"name": name, "arguments": arguments}))["result"].clone()
    }

    /// A tool's result is what its route answers: byte for byte as a text, and alike as a structure.
    fn same(&self, name: &str, arguments: Value, path: &str) -> bool {
        let (asked, query) = path.split_once('?').unwrap_or((path, ""));
        let response = self.get(asked, query);
        let status = response.status;
        let body = String::from_utf8(bytes(response)).unwrap();
        let result = self.tool(name, arguments);
        assert_eq!(result["content"][0]["text"], json!(body), "{name} {path}");
        assert_eq!(result["structuredContent"], serde_json::from_str::<Value>(&body).unwrap(), "{name} {path}");
        assert_eq!(result["isError"], json!(status != 200), "{name} {path}");
        let behind = result["content"][1]["text"].as_str().unwrap();
        assert!(behind.contains(if status == 200 { "Licence Ouverte 2.0" } else { "rechercher" }), "{behind}");
        status == 200
    }
}

#[test]
fn a_client_says_hello_lists_the_tools_and_goes() {
    let server = server();
    for (asked, agreed) in
        [(VERSIONS[0], VERSIONS[0]), (VERSIONS[1], VERSIONS[1]), ("2099-01-01", VERSIONS[0]), ("", VERSIONS[0])]
    {
        let client = json!({"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let result = server.answer("initialize", client)["result"].clone();
        assert_eq!(result["protocolVersion"], agreed);
        assert_eq!(result["capabilities"], json!({"tools": {}}));
        assert_eq!((&result["serverInfo"]["name"], result["instructions"].is_string()), (&json!("exposition"), true));
    }
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    let answered = json!({"jsonrpc": "2.0", "id": 3, "result": {}}).to_string();
    for silent in [initialized, answered] {
        let response = server.send("POST", &[KIND, ("mcp-protocol-version", VERSIONS[0])], silent);
        assert_eq!((response.status, response.header("content-type")), (202, None));
        assert!(bytes(response).is_empty());
    }
    assert_eq!(server.answer("ping", json!({}))["result"], json!({}));

    let tools = server.answer("tools/list", json!({}))["result"]["tools"].clone();
    let names: Vec<&str> = tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["rechercher", "document", "comparaison"]);
    for tool in tools.as_array().unwrap() {
        assert_eq!(tool["annotations"]["readOnlyHint"], true);
        assert_eq!(tool["inputSchema"]["type"], "object");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false);
        // What the schema names is taken: alone, a member is no unknown one.
        for name in tool["inputSchema"]["properties"].as_object().unwrap().keys() {
            let answer =
                server.answer("tools/call", json!({"name": tool["name"], "arguments": {name: "x", "xx": "x"}}));
            let told = answer["error"]["message"].as_str().unwrap();
            assert!(told.contains("arguments.xx") || told.contains(name), "{told}");
        }
    }
    let told = tools[1]["description"].as_str().unwrap();
    for word in ["pourcentages", "euros nets par mois", "`null`", "inférieur à 20", "_meta.messages", "source"] {
        assert!(told.contains(word), "{word}");
    }
}

#[test]
fn what_is_no_call_is_told_by_its_code() {
    let server = server();
    let of = |body: &str, status: u16| {
        let response = server.send("POST", &[KIND], body);
        assert_eq!(response.status, status, "{body}");
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let answer: Value = serde_json::from_slice(&bytes(response)).unwrap();
        (answer["error"]["code"].as_i64().unwrap(), answer["id"].clone())
    };
    for body in ["", "{", "\u{feff}{}", &"[".repeat(1_000)] {
        assert_eq!(of(body, 400), (-32_700, Value::Null), "{body:.20}");
    }
    let one = r#"{"jsonrpc":"2.0","id":1"#;
    for (body, id) in [
        ("1".to_owned(), Value::Null),
        ("[]".to_owned(), Value::Null),
        (format!("{one}}}"), json!(1)),
        (format!("{one},\"method\":1}}"), json!(1)),
        (r#"{"id":"a","method":"ping"}"#.to_owned(), json!("a")),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.to_owned(), Value::Null),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#.to_owned(), Value::Null),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#.to_owned(), Value::Null),
        (format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "i".repeat(300)), Value::Null),
    ] {
        assert_eq!(of(&body, 400), (-32_600, id), "{body:.60}");
    }
    for method in ["resources/list", "tools/listes", "logging/setLevel", ""] {
        assert_eq!(of(&format!("{one},\"method\":\"{method}\"}}"), 200), (-32_601, json!(1)));
    }
    for (method, params) in [
        ("ping", "[]"),
        ("initialize", "{}"),
        ("tools/list", r#"{"cursor":"x"}"#),
        ("tools/call", "{}"),
        ("tools/call", r#"{"name":"effacer"}"#),
        ("tools/call", r#"{"name":"document","arguments":[]}"#),
        ("tools/call", r#"{"name":"document"}"#),
        ("tools/call", r#"{"name":"document","arguments":{"code_certification":40099011}}"#),
        ("tools/call", r#"{"name":"document","arguments":{"code_certification":"40099011,40099012"}}"#),
        ("tools/call", r#"{"name":"document","arguments":{"code_certification":"40099011","uai":"x","region":"04"}}"#),
        ("tools/call", r#"{"name":"document","arguments":{"code_certification":"40099011","historique":"oui"}}"#),
        ("tools/call", r#"{"name":"document","arguments":{"code_certification":"40099011","champs":[1]}}"#),
        ("tools/call", r#"{"name":"comparaison","arguments":{"code_certification":"40099011","historique":true}}"#),
        ("tools/call", r#"{"name":"rechercher","arguments":{"q":1}}"#),
        ("tools/call", r#"{"name":"rechercher","arguments":{"apiKey":"x"}}"#),
    ] {
        let body = format!("{one},\"method\":\"{method}\",\"params\":{params}}}");
        assert_eq!(of(&body, 200), (-32_602, json!(1)), "{body}");
    }
    let response = server.send("POST", &[KIND, ("mcp-protocol-version", "2024-11-05")], "{}");
    assert_eq!(response.status, 400);
    assert!(String::from_utf8(bytes(response)).unwrap().contains(VERSIONS[0]));
}

#[test]
fn a_batch_is_for_the_version_that_has_it() {
    let server = server();
    let ping = |id: u32| json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
    let silent = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let hello = json!({"jsonrpc": "2.0", "id": 3, "method": "initialize", "params": {"protocolVersion": VERSIONS[1]}});
    let batch = json!([ping(1), silent, ping(2), hello, 4]).to_string();
    for headers in [vec![KIND], vec![KIND, ("mcp-protocol-version", VERSIONS[1])]] {
        let response = server.send("POST", &headers, batch.clone());
        assert_eq!(response.status, 200);
        let answers: Value = serde_json::from_slice(&bytes(response)).unwrap();
        let told: Vec<(&Value, &Value)> =
            answers.as_array().unwrap().iter().map(|one| (&one["id"], &one["error"]["code"])).collect();
        let (none, refused) = (Value::Null, json!(-32_600));
        assert_eq!(told, [(&json!(1), &none), (&json!(2), &none), (&json!(3), &refused), (&none, &refused)]);
    }
    assert_eq!(server.send("POST", &[KIND], json!([silent]).to_string()).status, 202);
    let newest = [KIND, ("mcp-protocol-version", VERSIONS[0])];
    assert_eq!(server.send("POST", &newest, json!([ping(1)]).to_string()).status, 400);
    let many: Vec<Value> = (0..=BATCH_MAX).map(|_| ping(1)).collect();
    assert_eq!(server.send("POST", &[KIND], json!(many).to_string()).status, 400);
}

#[test]
fn over_http_it_takes_json_by_post_and_any_page_may_ask() {
    let server = server();
    for method in ["GET", "HEAD", "DELETE", "PUT"] {
        let response = server.send(method, &[], "");
        assert_eq!((response.status, response.header("allow")), (405, Some("POST")), "{method}");
    }
    let options = server.send("OPTIONS", &[("origin", "https://assistant.example")], "");
    assert_eq!((options.status, options.header("allow")), (200, Some("POST")));
    for response in [options, server.send("POST", &[KIND], "{}")] {
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
        let allowed: Vec<&str> =
            response.headers.iter().filter(|(n, _)| *n == "access-control-allow-headers").map(|(_, v)| &**v).collect();
        assert!(
            allowed.len() == 1 && allowed[0].contains("Content-Type") && allowed[0].contains("Mcp-Protocol-Version")
        );
    }
    for kind in ["text/plain", "", "application/x-www-form-urlencoded"] {
        assert_eq!(server.send("POST", &[("content-type", kind)], "{}").status, 415, "{kind}");
    }
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let kind = [("content-type", "Application/JSON; charset=utf-8")];
    assert_eq!(server.send("POST", &kind, ping.clone()).status, 200);
    assert_eq!(server.send("POST", &[KIND], ping.clone() + &" ".repeat(BODY_MAX - ping.len())).status, 200);
    assert_eq!(server.send("POST", &[KIND], ping.clone() + &" ".repeat(BODY_MAX)).status, 413);
}

/// Every document of the sample, hidden ones among them, through its tool and by its route.
#[test]
fn a_tool_answers_as_its_route_does() {
    let server = server();
    let mut seen = BTreeSet::new();
    let mut hidden = 0;
    for line in sample().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let document = &line["doc"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let code = text(&document["code_certification"]);
        let code = if code.len() == 7 { format!("SISE:{code}") } else { code };
        let (path, place) = match line["kind"].as_str().unwrap() {
            "certification" => (format!("certifications/{code}"), json!({})),
            "regionale" => {
                let region = text(&document["region"]["code"]);
                (format!("regionales/{region}/certifications/{code}"), json!({"region": region}))
            }
            "formation" => {
                let uai = text(&document["uai"]);
                (format!("formations/{uai}-{code}"), json!({"uai": uai}))
            }
            "statistique" => {
                let place = text(&document["academie"]["code"]);
                let path = format!("mailles/academies/{place}/certifications/{code}");
                (path, json!({"maille": "academies", "lieu": place}))
            }
            _ => continue,
        };
        let mut arguments = place;
        arguments["code_certification"] = code.into();
        arguments["millesime"] = document["millesime"].clone();
        let query = format!("{path}?millesime={}", text(&document["millesime"]));
        assert!(server.same("document", arguments.clone(), &format!("/api/inserjeunes/{query}")));
        if document["nb_annee_term"].as_f64().is_some_and(|size| size < 20.0) {
            hidden += 1;
            let shown = server.tool("document", arguments.clone());
            for (name, value) in shown["structuredContent"].as_object().unwrap() {
                let figure = name.starts_with("taux_") || name.starts_with("nb_") && name != "nb_annee_term";
                assert!(!figure || value.is_null(), "{query}: {name}");
            }
        }
        if seen.insert(path.clone()) {
            let mut whole = arguments.clone();
            whole.as_object_mut().unwrap().remove("millesime");
            whole["historique"] = true.into();
            whole["champs"] = json!(["libelle", "millesime"]);
            server.same("document", whole, &format!("/api/inserjeunes/{path}?champs=libelle,millesime&historique=1"));
            arguments["champs"] = "libelle,taux_en_emploi_6_mois".into();
            server.same(
                "comparaison",
                arguments,
                &format!("/api/comparaison/{query}&champs=libelle,taux_en_emploi_6_mois"),
            );
        }
    }
    assert!(seen.len() > 50 && hidden > 5, "{} paths, {hidden} hidden", seen.len());
    for (arguments, path) in [
        (json!({"q": "accueil exemple"}), "?q=accueil%20exemple"),
        (json!({"q": "RNCP 99001", "type": "certification", "page": 1}), "?q=RNCP+99001&type=certification&page=1"),
        (json!({"niveau": "bac-pro", "region": "04", "page": null}), "?niveau=bac-pro&region=04"),
        (json!({"q": "9749801K&type=x"}), "?q=9749801K%26type%3Dx"),
    ] {
        server.same("rechercher", arguments, &format!("/api/recherche{path}"));
    }
}

/// Errors of a route are results that say so: an assistant reads what helps and asks again.
#[test]
fn an_error_of_a_route_is_a_result_that_says_so() {
    let server = server();
    let code = "40099011";
    for (name, arguments, path) in [
        ("document", json!({"code_certification": "99999999"}), "inserjeunes/certifications/99999999".to_owned()),
        ("document", json!({"code_certification": "abc"}), "inserjeunes/certifications/abc".to_owned()),
        (
            "document",
            json!({"code_certification": code, "millesime": "1999"}),
            format!("inserjeunes/certifications/{code}?millesime=1999"),
        ),
        (
            "document",
            json!({"code_certification": code, "maille": "communes", "lieu": "1"}),
            format!("inserjeunes/mailles/communes/1/certifications/{code}"),
        ),
        ("comparaison", json!({"code_certification": "99999999"}), "comparaison/certifications/99999999".to_owned()),
        ("rechercher", json!({}), "recherche".to_owned()),
        ("rechercher", json!({"q": "x", "page": 0}), "recherche?q=x&page=0".to_owned()),
    ] {
        assert!(!server.same(name, arguments, &format!("/api/{path}")), "{path}");
    }
    // Nothing published: a fault, told as one.
    let empty = Server::default().tool("document", json!({"code_certification": code}));
    assert_eq!((&empty["isError"], &empty["structuredContent"]["statusCode"]), (&json!(true), &json!(503)));
}

proptest! {
    /// Whatever a client sends, it has an answer in the form of the protocol.
    #[test]
    fn any_message_has_an_answer(name in "[a-z/]{0,12}", text in "\\PC{0,40}", rank in 0usize..6) {
        let server = Server::default();
        let value = match rank {
            0 => json!({"jsonrpc": "2.0", "id": text, "method": name}),
            1 => json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": {"q": text}}}),
            2 => json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "rechercher", "arguments": {"q": text}}}),
            3 => json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "document", "arguments": {"code_certification": text, "uai": name}}}),
            4 => json!([name, {"jsonrpc": text}]),
            _ => json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "comparaison", "arguments": {name: text}}}),
        };
        let (status, answer) = server.message(&value);
        prop_assert!([200, 400].contains(&status));
        for one in answer.as_array().unwrap_or(&vec![answer.clone()]) {
            prop_assert_eq!(&one["jsonrpc"], "2.0");
            prop_assert!(one["result"].is_object() != one["error"].is_object(), "{}", one);
        }
    }
}
