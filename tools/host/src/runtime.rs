//! Components and their instances.
//!
//! Every component has a pool of instances: wasmtime-wasi-http's `ProxyHandler`, told by [`Worker`] and [`Idle`] how
//! often an instance is used and how long it may wait. All pools share one bound on living instances; past it a
//! request fails at once instead of waiting, as under Spin.

use crate::Reuse;
use crate::backend::Backend;
use crate::outbound::Allowed;
use crate::testing::{Clock, FaultBoard, Tally, count};
use crate::variables::{Template, Variables};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{GuestTaskId, ResourceTable};
use wasmtime::{Engine, ResourceLimiter, Result, StoreContextMut, format_err};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyHandler, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::{WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// The application as its components see it: where they reach each other, and themselves.
pub(crate) trait Inside: Send + Sync {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// Hands a request to a component by name; `None` where there is none. Boxed, because a component may call a
    /// component that calls a component.
    fn call_by_name(
        self: Arc<Self>,
        id: String,
        request: http::Request<WasiBody>,
    ) -> Pin<Box<dyn Future<Output = Option<http::Response<WasiBody>>> + Send>>;
}

/// What all components share.
pub(crate) struct Runtime {
    pub(crate) store: Backend,
    pub(crate) variables: Variables,
    pub(crate) clock: Arc<Clock>,
    pub(crate) faults: FaultBoard,
    pub(crate) reuse: Reuse,
    pub(crate) fuel: bool,
    /// Set once the application is whole; components reach each other through it.
    pub(crate) app: OnceLock<Weak<dyn Inside>>,
    /// Store operations under way or waiting that may take long: writes, batches, listings.
    pub(crate) long_operations: AtomicUsize,
    /// The host is going away: instances that end unfinished are no news.
    pub(crate) stopping: AtomicBool,
    /// One permit per living instance.
    instances: Arc<Semaphore>,
}

impl Runtime {
    pub(crate) fn new(store: Backend, variables: Variables, reuse: Reuse, fuel: bool) -> Self {
        Self {
            store,
            variables,
            clock: Arc::default(),
            faults: FaultBoard::default(),
            reuse,
            fuel,
            app: OnceLock::new(),
            long_operations: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            instances: Arc::new(Semaphore::new(reuse.max_instances)),
        }
    }
}

/// What a component may do, and what it has done.
pub(crate) struct Component {
    pub(crate) id: String,
    pub(crate) stores: BTreeSet<String>,
    pub(crate) variables: BTreeMap<String, Template>,
    pub(crate) outbound: Allowed,
    pub(crate) tally: Tally,
    pub(crate) environment: BTreeMap<String, String>,
}

/// The pool of a component's instances.
pub(crate) type Pool = ProxyHandler<Factory>;

/// Makes a component's instances.
pub(crate) struct Factory {
    pub(crate) engine: Engine,
    pub(crate) pre: ProxyPre<State>,
    pub(crate) component: Arc<Component>,
    pub(crate) runtime: Arc<Runtime>,
}

impl HandlerState for Factory {
    type StoreData = State;
    type WorkerExpiration = Idle;
    type WorkerState = Worker;

    async fn instantiate(&self) -> Result<Instance<State, Idle, Worker>> {
        let reuse = self.runtime.reuse;
        let permit = self
            .runtime
            .instances
            .clone()
            .try_acquire_owned()
            .map_err(|_| format_err!("{} instances are alive, which is the most allowed", reuse.max_instances))?;
        count(&self.component.tally.instances, 1);
        let mut store = wasmtime::Store::new(&self.engine, State::new(self, permit));
        store.limiter(|state| state);
        if self.runtime.fuel {
            store.set_fuel(u64::MAX)?;
            store.call_hook(|mut store, hook| {
                if hook.entering_host() {
                    let left = store.get_fuel()?;
                    store.data_mut().book_fuel(left);
                }
                Ok(())
            });
        }
        let proxy = self.pre.instantiate_async(&mut store).await?;
        Ok(Instance {
            store,
            proxy,
            view: State::http,
            expiration: Idle { limit: reuse.idle, sleep: None },
            state: match self.pre {
                ProxyPre::P2(_) => Worker::new(1, 1),
                ProxyPre::P3(_) => Worker::new(reuse.max_requests, reuse.max_concurrent),
            },
        })
    }
}

/// How much work an instance takes, and whose answers it is writing.
pub(crate) struct Worker {
    total: usize,
    concurrent: usize,
    answers: Mutex<Vec<Arc<Fate>>>,
}

impl Worker {
    fn new(total: usize, concurrent: usize) -> Self {
        Self { total, concurrent, answers: Mutex::default() }
    }

    fn answers(&self) -> MutexGuard<'_, Vec<Arc<Fate>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of the instance that writes an answer.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    trapped: AtomicBool,
}

/// The body of an answer: it breaks off where its instance trapped before the end.
///
/// An instance that traps drops all its bodies, which looks like their end: its other clients would get a well-formed
/// answer with the rest missing. Where the instance traps between the last byte of an answer and its end, the answer
/// breaks off though it was whole; that errs on the right side.
struct Watched {
    body: WasiBody,
    fate: Arc<Fate>,
    ended: bool,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = wasmtime_wasi_http::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        self.ended = !matches!(frame, Some(Ok(_)));
        if frame.is_none() && self.fate.trapped.load(Acquire) {
            let reason = "the instance trapped before the end of this answer".to_owned();
            return Poll::Ready(Some(Err(wasmtime_wasi_http::Error::InternalError(Some(reason)))));
        }
        Poll::Ready(frame)
    }

    // Only the end itself tells whether the instance was well.
    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Hands a request to a pool. The answer's body ends well only if its instance does not trap before.
pub(crate) async fn handle(pool: &Pool, request: http::Request<WasiBody>) -> Result<http::Response<WasiBody>> {
    let fate = Arc::<Fate>::default();
    let response = pool.handle(fate.clone(), request).await?;
    Ok(response.map(|body| Watched { body, fate, ended: false }.boxed_unsync()))
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = Arc<Fate>;

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= self.total {
            ShouldAccept::Never
        } else if concurrent >= self.concurrent {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        store: StoreContextMut<'_, State>,
        fate: Arc<Fate>,
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        let mut answers = self.answers();
        // Whoever else held a fate has had its answer.
        answers.retain(|answer| Arc::strong_count(answer) > 1);
        answers.push(fate);
        count(&store.data().component.tally.requests, 1);
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: wasmtime::Store<State>, result: Result<()>) {
        if result.is_err() {
            // Before the store goes, and with it the bodies: whoever sees one end sees this too.
            self.answers().iter().for_each(|answer| answer.trapped.store(true, Release));
        }
        if let Err(error) = result
            && !store.data().runtime.stopping.load(Relaxed)
        {
            eprintln!("component {}: {error:?}", store.data().component.id);
        }
    }
}

/// Ends an instance that has been idle for too long. Requests themselves have no time limit, as under Spin.
pub(crate) struct Idle {
    limit: Duration,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl WorkerExpiration for Idle {
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>, status: WorkerStatus, start: Instant) -> Poll<()> {
        let Some(deadline) = start.checked_add(self.limit).filter(|_| status == WorkerStatus::Idle) else {
            return Poll::Pending;
        };
        let deadline = deadline.into();
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(context)
    }
}

/// A component's way out: every outgoing request, of WASI 0.2 and 0.3 alike, passes its `send_request`.
pub(crate) struct Outgoing {
    pub(crate) component: Arc<Component>,
    pub(crate) runtime: Arc<Runtime>,
}

/// The host's side of one instance.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    component: Arc<Component>,
    runtime: Arc<Runtime>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    fuel_left: u64,
    memory: usize,
    _permit: OwnedSemaphorePermit,
}

impl State {
    fn new(factory: &Factory, permit: OwnedSemaphorePermit) -> Self {
        let (component, runtime) = (&factory.component, &factory.runtime);
        let mut wasi = WasiCtx::builder();
        wasi.inherit_stdout().inherit_stderr().wall_clock(GuestClock(runtime.clock.clone()));
        for (name, value) in &component.environment {
            wasi.env(name, value);
        }
        Self {
            table: ResourceTable::new(),
            component: component.clone(),
            runtime: runtime.clone(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outgoing: Outgoing { component: component.clone(), runtime: runtime.clone() },
            fuel_left: u64::MAX,
            memory: 0,
            _permit: permit,
        }
    }

    /// What the interfaces work with.
    pub(crate) fn shares(&self) -> (Arc<Component>, Arc<Runtime>) {
        (self.component.clone(), self.runtime.clone())
    }

    fn book_fuel(&mut self, left: u64) {
        let used = self.fuel_left.saturating_sub(left);
        self.fuel_left = left;
        self.component.tally.fuel.fetch_add(used, Relaxed);
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Measures memory; sets no limit, as Spin sets none by default.
impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        self.memory += desired.saturating_sub(current);
        let memory = u64::try_from(self.memory).unwrap_or(u64::MAX);
        self.component.tally.peak_memory.fetch_max(memory, Relaxed);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool> {
        Ok(true)
    }
}

/// The wall clock of WASI 0.2, which is the system clock of WASI 0.3 as well.
struct GuestClock(Arc<Clock>);

impl wasmtime_wasi::HostWallClock for GuestClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        self.0.now()
    }
}
