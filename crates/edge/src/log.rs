//! The line that a request leaves in the log, where the variable `journal_requetes` asks for it.
//!
//! It is made and written once the body has gone: nobody waits for it. While the request runs, what the route tells is
//! put aside, and that is all it costs where nothing is logged.

use api::{LogFact, Request as ApiRequest};
use request_log::LogLine;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use store::Pointer;

/// The variable, and what it says where requests are logged.
const VARIABLE: (&str, &str) = ("journal_requetes", "oui");

/// What a route told of a request.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    user: RefCell<String>,
    key: RefCell<String>,
    kept: Cell<bool>,
    pointer: RefCell<Option<Rc<Pointer>>>,
}

impl Facts {
    pub(crate) fn take(&self, fact: LogFact<'_>) {
        match fact {
            LogFact::User(user) => user.clone_into(&mut self.user.borrow_mut()),
            LogFact::Key(key) => key.clone_into(&mut self.key.borrow_mut()),
            LogFact::Kept => self.kept.set(true),
            LogFact::Pointer(pointer) => *self.pointer.borrow_mut() = Some(pointer),
        }
    }
}

/// What became of a body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) bytes: usize,
    pub(crate) broken: bool,
}

impl Sent {
    /// A piece of so many bytes has gone, but for those that are left.
    pub(crate) fn piece(&mut self, whole: usize, left: usize) {
        self.bytes = self.bytes.saturating_add(whole.saturating_sub(left));
        self.broken |= left > 0;
    }
}

/// A request under way.
pub(crate) struct RequestLog {
    started: u64,
    method: Cow<'static, str>,
    path: String,
    facts: Rc<Facts>,
}

impl RequestLog {
    /// A request that came at this instant of the monotonic clock.
    pub(crate) fn begin(request: &ApiRequest, started: u64) -> Self {
        Self { started, method: request.method.clone(), path: request.path.clone(), facts: Rc::default() }
    }

    /// Where its route tells what it knows.
    pub(crate) fn facts(&self) -> Rc<Facts> {
        Rc::clone(&self.facts)
    }

    /// Writes its line.
    pub(crate) async fn end(self, status: u16, sent: Sent) {
        let (name, asked) = VARIABLE;
        if crate::variable(name).await.ok().as_deref() == Some(asked) {
            self.write(status, sent);
        }
    }

    #[inline(never)]
    fn write(&self, status: u16, sent: Sent) {
        let duration_ms = crate::monotonic_ms().saturating_sub(self.started);
        let pointer = self.facts.pointer.borrow();
        let line = LogLine {
            at_ms: crate::now_ms().saturating_sub(i64::try_from(duration_ms).unwrap_or_default()),
            method: &self.method,
            path: &self.path,
            status,
            bytes: u64::try_from(sent.bytes).unwrap_or(u64::MAX),
            duration_ms,
            kept: self.facts.kept.get(),
            broken: sent.broken,
            generation: pointer.as_ref().map_or("", |pointer| &pointer.generation),
            user: &self.facts.user.borrow(),
            key: &self.facts.key.borrow(),
        };
        let mut text = Vec::with_capacity(512);
        line.write(&mut text);
        // Where nobody takes the log, requests are answered all the same.
        let _ = std::io::stderr().write_all(&text);
    }
}
