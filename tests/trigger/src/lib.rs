//! Spin's cron trigger, played: a component is called as the trigger calls it. The bundled host has no such trigger, so
//! this is one, down to the variables and the network. Tests alone use it: it is compiled without optimisation.

use std::collections::BTreeMap;
use std::path::Path;
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
        path: "../../tools/host/wit",
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

/// Calls the component's handler once: what it returns to the trigger.
///
/// # Errors
/// Where the component imports or exports something else than the trigger's, or traps.
pub async fn event(component: &Path, variables: &[(&str, &str)]) -> Result<std::result::Result<(), String>> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config)?;
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    p3::add_to_linker(&mut linker)?;
    variables::add_to_linker::<_, Guest>(&mut linker, |state| state)?;
    let component = Component::from_file(&engine, component)?;
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
