//! The component of Spin's cron trigger (`components/cron`), called as the trigger calls it: this host has no such
//! trigger, so the test is one, down to the variables and the network.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wasmtime::component::{Accessor, Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Result, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView, p3};

#[allow(missing_docs, reason = "generated code")]
mod trigger {
    wasmtime::component::bindgen!({ path: "../../components/cron/wit", world: "spin:cron/spin-cron" });
}

#[allow(missing_docs, reason = "generated code")]
mod imports {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "host:imports/imports",
        imports: { "spin:variables/variables": async | store },
    });
}

use imports::spin::variables::variables;

struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Anywhere,
    variables: BTreeMap<String, String>,
}

/// Every address may be called.
struct Anywhere;

impl WasiHttpHooks for Anywhere {}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

struct Guest;

impl wasmtime::component::HasData for Guest {
    type Data<'a> = &'a mut State;
}

impl variables::Host for State {}

impl<T> variables::HostWithStore<T> for Guest {
    async fn get(guest: &Accessor<T, Self>, name: String) -> std::result::Result<String, variables::Error> {
        let value = guest.with(|mut access| access.get().variables.get(&name).cloned());
        value.ok_or(variables::Error::Undefined(name))
    }
}

fn component() -> std::path::PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "cron", "--target", "wasm32-wasip2", "--release", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(built.unwrap().success(), "cron was not built");
    target.join("wasm32-wasip2/release/cron.wasm")
}

/// Calls the handler once: what it returns to the trigger.
async fn event(variables: &[(&str, &str)]) -> Result<std::result::Result<(), String>> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config)?;
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    p3::add_to_linker(&mut linker)?;
    variables::add_to_linker::<_, Guest>(&mut linker, |state| state)?;
    let component = Component::from_file(&engine, component())?;
    let state = State {
        table: ResourceTable::new(),
        wasi: WasiCtx::builder().inherit_stderr().build(),
        http: WasiHttpCtx::new(),
        hooks: Anywhere,
        variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    let mut store = Store::new(&engine, state);
    let trigger = trigger::SpinCron::instantiate_async(&mut store, &component, &linker).await?;
    let metadata = trigger::Metadata { timestamp: 1_700_000_000 };
    let told =
        store.run_concurrent(async |accessor| trigger.call_handle_cron_event(accessor, metadata).await).await??;
    Ok(told.map_err(|trigger::Error::Other(text)| text))
}

/// Answers in turn, a connection each; hands out what was asked.
async fn server(answers: Vec<(u16, &'static str)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            seen.lock().unwrap().push(String::from_utf8_lossy(&request[..length]).into_owned());
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (origin, asked)
}

const RUN: &str = "/internal/import/run";

async fn told(answers: Vec<(u16, &'static str)>, path: &str) -> (std::result::Result<(), String>, Vec<String>) {
    let (origin, asked) = server(answers).await;
    let variables = [("exposition_origine", origin.as_str()), ("chemin", path), ("import_secret", "le-secret")];
    let told = event(&variables).await.unwrap();
    let asked = asked.lock().unwrap().clone();
    (told, asked)
}

#[tokio::test]
async fn it_calls_the_import_again_while_there_is_more_to_do() {
    let more = (200, r#"{"travail":null,"encore":true}"#);
    let (told, asked) = told(vec![more, more, (200, r#"{"encore":false}"#)], RUN).await;
    assert_eq!(told, Ok(()));
    assert_eq!(asked.len(), 3);
    for request in asked {
        assert!(request.starts_with("POST /internal/import/run HTTP/1.1\r\n"), "{request}");
        assert!(request.to_lowercase().contains("authorization: bearer le-secret\r\n"), "{request}");
        assert!(request.to_lowercase().contains("content-length: 0\r\n"), "{request}");
    }
}

#[tokio::test]
async fn it_opens_a_run_once_and_leaves_another_alone() {
    let (opened, asked) = told(vec![(201, r#"{"collecte":{}}"#)], "/internal/import/pull").await;
    assert_eq!((opened, asked.len()), (Ok(()), 1));
    let (busy, asked) = told(vec![(409, "{}")], RUN).await;
    assert_eq!((busy, asked.len()), (Ok(()), 1));
}

#[tokio::test]
async fn it_tells_the_trigger_what_went_wrong() {
    let (refused, _) = told(vec![(401, "{}")], RUN).await;
    assert_eq!(refused, Err("/internal/import/run: status 401".to_owned()));
    let nobody = [("exposition_origine", "http://127.0.0.1:1"), ("chemin", RUN), ("import_secret", "le-secret")];
    assert_eq!(event(&nobody).await.unwrap(), Err("/internal/import/run: pas de connexion".to_owned()));
    let no_secret = event(&[("exposition_origine", "http://127.0.0.1:1"), ("chemin", RUN)]).await.unwrap();
    assert_eq!(no_secret, Err("import_secret is empty: the import would refuse the call".to_owned()));
}
