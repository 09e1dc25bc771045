//! The engine: compiles components, links them, makes their pools.

use crate::outbound::Allowed;
use crate::runtime::{Component, Factory, Pool, Runtime, State};
use crate::testing::Tally;
use crate::{Error, interfaces, manifest};
use std::path::Path;
use std::sync::Arc;
use wasmtime::component::Linker;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result};
use wasmtime_wasi_http::handler::{ProxyHandler, ProxyPre};
use wasmtime_wasi_http::{p2, p3};

/// Compiles and links components.
pub(crate) struct Loader {
    engine: Engine,
    linker: Linker<State>,
}

impl Loader {
    pub(crate) fn new(fuel: bool, perf_map: bool, max_instances: usize) -> Result<Self> {
        let mut config = Config::new();
        config.wasm_component_model_async(true).consume_fuel(fuel);
        if perf_map {
            config.profiler(wasmtime::ProfilingStrategy::PerfMap);
        }
        // Without a place to keep compiled code every start compiles anew; that is slower, not wrong.
        config.cache(wasmtime::Cache::from_file(None).ok());
        config.allocation_strategy(pool(max_instances));
        // Where there is no address space for a pool, memories and stacks are mapped one by one, as under Spin.
        let engine = Engine::new(&config)
            .or_else(|_| Engine::new(config.allocation_strategy(InstanceAllocationStrategy::OnDemand)))?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        p2::add_only_http_to_linker_async(&mut linker)?;
        p3::add_to_linker(&mut linker)?;
        interfaces::add_to_linker(&mut linker)?;
        Ok(Self { engine, linker })
    }

    /// Loads a component and makes its pool, empty at first.
    pub(crate) fn load(&self, id: &str, manifest: &manifest::Component, runtime: &Arc<Runtime>) -> Result<Pool, Error> {
        let fault = |reason: String| Error::Component { component: id.to_owned(), reason };
        let pre = self.link(&manifest.source, manifest.build.as_deref()).map_err(fault)?;
        let outbound = Allowed::parse(&manifest.allowed_outbound_hosts, &runtime.variables).map_err(fault)?;
        if let Some(reason) = outbound.fault() {
            eprintln!("component {id}: every outgoing request will be refused: {reason}");
        }
        let component = Arc::new(Component {
            id: id.to_owned(),
            stores: manifest.key_value_stores.clone(),
            variables: manifest.variables.clone(),
            outbound,
            tally: Tally::default(),
            environment: manifest.environment.clone(),
        });
        Ok(ProxyHandler::new(Factory { engine: self.engine.clone(), pre, component, runtime: runtime.clone() }))
    }

    fn link(&self, file: &Path, build: Option<&str>) -> Result<ProxyPre<State>, String> {
        if !file.exists() {
            let build = build.unwrap_or("cargo build --target wasm32-wasip2 --release");
            return Err(format!("{} is missing; run the build first: {build}", file.display()));
        }
        let component = wasmtime::component::Component::from_file(&self.engine, file)
            .map_err(|error| format!("{} is no usable component: {error:#}", file.display()))?;
        let pre = self
            .linker
            .instantiate_pre(&component)
            .map_err(|error| format!("imports something this host does not offer: {error:#}"))?;
        p3::bindings::ServicePre::new(pre.clone())
            .map(ProxyPre::P3)
            .or_else(|_| p2::bindings::ProxyPre::new(pre).map(ProxyPre::P2))
            .map_err(|_| "exports neither wasi:http/handler@0.3.0 nor wasi:http/incoming-handler@0.2".to_owned())
    }
}

/// Memories, tables and stacks that are there before an instance asks for them, with Spin's limits: as many as instances
/// may live, those on their way out on top, and twice the stacks. What it gains was not measured apart.
fn pool(max_instances: usize) -> InstanceAllocationStrategy {
    /// Instances that have given their permit back may still be on their way out.
    const LEAVING: u32 = 64;
    const INSTANCE_BYTES: usize = 10 << 20;
    let instances = u32::try_from(max_instances).unwrap_or(u32::MAX).saturating_add(LEAVING);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_memories(instances)
        .total_tables(instances.saturating_mul(2))
        .total_stacks(instances.saturating_mul(2))
        .total_core_instances(instances.saturating_mul(4))
        .table_elements(100_000)
        .max_component_instance_size(INSTANCE_BYTES)
        .max_core_instance_size(INSTANCE_BYTES)
        .max_core_instances_per_component(200)
        .max_tables_per_component(64)
        .max_memories_per_component(32)
        .max_tables_per_module(2)
        .max_memories_per_module(2)
        .max_memory_size(4 << 30)
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(512 << 10);
    InstanceAllocationStrategy::Pooling(pool)
}
