//! What tests turn and read while the host runs: the clock, faults of the store, counters.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// The wall clock of every guest: the real one, or one that stands still. The monotonic clock is always real.
#[derive(Debug, Default)]
pub(crate) struct Clock(RwLock<Option<SystemTime>>);

impl Clock {
    pub(crate) fn set(&self, time: Option<SystemTime>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// Time since the epoch; nothing before it can be told to a guest.
    pub(crate) fn now(&self) -> Duration {
        let fixed = *self.0.read().unwrap_or_else(PoisonError::into_inner);
        fixed.unwrap_or_else(SystemTime::now).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

/// Parses an instant written as RFC 3339 with an offset, such as `2026-03-01T08:00:00+01:00`.
pub fn parse_instant(text: &str) -> Result<SystemTime, String> {
    let fault = || format!("{text:?} is not an RFC 3339 instant such as 2026-03-01T08:00:00Z");
    let parsed: toml::value::Datetime = text.trim().parse().map_err(|_| fault())?;
    let (Some(date), Some(time), Some(offset)) = (parsed.date, parsed.time, parsed.offset) else {
        return Err(fault());
    };
    let offset = match offset {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => i64::from(minutes),
    };
    // Days since the epoch, counted in years that begin in March, so that the leap day is the last of its year.
    let (year, month) = (i64::from(date.year), i64::from(date.month));
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(date.day) - 1;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468;
    let minutes = 60 * i64::from(time.hour) + i64::from(time.minute) - offset;
    let seconds = 86_400 * days + 60 * minutes + i64::from(time.second.unwrap_or(0));
    let seconds = u64::try_from(seconds).map_err(|_| format!("{text:?} is before 1970"))?;
    Ok(SystemTime::UNIX_EPOCH + Duration::new(seconds, time.nanosecond.unwrap_or(0)))
}

/// Faults of the store: rules, each asked in turn at every operation of a guest; the first that applies decides.
///
/// As JSON: `{"rules":[{"on":"get","prefix":"current","effect":"absent"},{"on":"any","skip":4,"times":1}]}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// The rules; none means a healthy store.
    pub rules: Vec<Fault>,
}

impl Faults {
    /// One rule.
    pub fn one(rule: Fault) -> Self {
        Self { rules: vec![rule] }
    }
}

/// One fault: where it applies, and what happens there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// The operations it applies to.
    pub on: Operation,
    /// Only this component's operations.
    pub component: Option<String>,
    /// Only operations with a key of this prefix; a batch has one if any of its keys has.
    pub prefix: Option<String>,
    /// This many operations that match pass first.
    pub skip: usize,
    /// At most this many operations are struck.
    pub times: Option<usize>,
    /// What happens.
    pub effect: Effect,
}

impl Default for Fault {
    /// Every operation fails.
    fn default() -> Self {
        Self { on: Operation::Any, component: None, prefix: None, skip: 0, times: None, effect: Effect::Fail }
    }
}

/// Operations of a guest on the store, and two groups of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "named after the operations of the interfaces")]
pub enum Operation {
    /// Every operation but opening.
    Any,
    /// `get`, `exists`, `get-many` and listing.
    Read,
    /// `set`, `delete`, `set-many`, `delete-many`, `increment` and `swap`.
    Write,
    Open,
    Get,
    Exists,
    List,
    GetMany,
    Set,
    Delete,
    SetMany,
    DeleteMany,
    Increment,
    Swap,
}

impl Operation {
    fn covers(self, operation: Self) -> bool {
        let read = matches!(operation, Self::Get | Self::Exists | Self::List | Self::GetMany);
        match self {
            Self::Any => operation != Self::Open,
            Self::Read => read,
            Self::Write => !read && operation != Self::Open,
            one => one == operation,
        }
    }
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing is done; the guest is told of an error.
    Fail,
    /// The operation is done, yet the guest is told of an error: a lost acknowledgement.
    FailAfter,
    /// A read finds nothing; a write is unaffected.
    Absent,
    /// The operation is done after this many milliseconds.
    Delay(u64),
}

/// The faults in force.
#[derive(Debug, Default)]
pub(crate) struct FaultBoard {
    /// Spares the healthy store the lock.
    armed: AtomicBool,
    rules: Mutex<Vec<(Fault, AtomicUsize)>>,
}

impl FaultBoard {
    pub(crate) fn set(&self, faults: Faults) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        self.armed.store(!faults.rules.is_empty(), Relaxed);
        *rules = faults.rules.into_iter().map(|rule| (rule, AtomicUsize::new(0))).collect();
    }

    /// What strikes an operation, if anything does.
    pub(crate) fn strike<'k>(
        &self,
        component: &str,
        operation: Operation,
        keys: impl Iterator<Item = &'k str> + Clone,
    ) -> Option<Effect> {
        if !self.armed.load(Relaxed) {
            return None;
        }
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.iter().find_map(|(rule, seen)| {
            let matches = rule.on.covers(operation)
                && rule.component.as_deref().is_none_or(|only| only == component)
                && rule.prefix.as_deref().is_none_or(|prefix| keys.clone().any(|key| key.starts_with(prefix)));
            if !matches {
                return None;
            }
            let struck = seen.fetch_add(1, Relaxed).checked_sub(rule.skip)?;
            rule.times.is_none_or(|times| struck < times).then(|| rule.effect.clone())
        })
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What a component has done since the start or the last reset.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// [`Counters`] that count.
        #[derive(Debug, Default)]
        pub(crate) struct Tally {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Tally {
            pub(crate) fn read(&self) -> Counters {
                Counters { $($name: self.$name.load(Relaxed),)* }
            }

            pub(crate) fn reset(&self) {
                $(self.$name.store(0, Relaxed);)*
            }
        }
    };
}

counters! {
    /// Requests handed to the component.
    requests,
    /// Instances made.
    instances,
    /// Stores opened.
    opens,
    /// Calls of `get`.
    gets,
    /// Calls of `exists`.
    exists,
    /// Calls of `set`.
    sets,
    /// Calls of `delete`.
    deletes,
    /// Listings of keys.
    lists,
    /// Calls of `get-many`, `set-many` and `delete-many`.
    batches,
    /// Keys in those calls.
    batch_keys,
    /// Calls of `increment` and `swap`.
    atomics,
    /// Bytes of values handed to the guest.
    bytes_read,
    /// Bytes of values taken from the guest for writing.
    bytes_written,
    /// Outgoing requests refused by `allowed_outbound_hosts`.
    denied,
    /// Fuel consumed; about one unit an instruction. 0 unless the host runs with fuel.
    fuel,
    /// The largest linear memory an instance has had, in bytes.
    peak_memory,
}

/// Adds to a counter.
pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(u64::try_from(by).unwrap_or(u64::MAX), Relaxed);
}

/// The counters of every component, by its id.
pub type AllCounters = BTreeMap<String, Counters>;
