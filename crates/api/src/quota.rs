//! How much a re-user may ask: requests a second, exports an hour.
//!
//! Counted for each re-user (an account, whichever of its keys or tokens it uses; those who share a key are one) and for
//! each instance: instances do not know each other's counts and forget theirs when they end. So what a re-user gets is
//! approximate, and never less than the limit. It keeps one re-user from taking the service away from the others; it is
//! no accounting. Off where `limites` is empty, which it is behind a gateway that has limits of its own.

use crate::Runtime;
use crate::access::AdmittedCaller;
use crate::error::ApiError;
use crate::response::{Header, Response};
use std::cell::RefCell;
use store::codec::digest;

/// The variable: `20/s 60/h`, either of them, in any order.
pub const VARIABLE: &str = "limites";
/// Windows in which requests and exports are counted, in milliseconds.
const SECOND_MS: u64 = 1_000;
const HOUR_MS: u64 = 3_600_000;
/// Re-users that are counted at once. Beyond, the one counted first is forgotten.
const COUNTED_MAX: usize = 1_000;

thread_local! {
    static COUNTS: RefCell<Vec<AskedCount>> = const { RefCell::new(Vec::new()) };
}

/// What one re-user may ask; none where it is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaLimits {
    /// Requests a second.
    pub requests: Option<u64>,
    /// Exports an hour.
    pub exports: Option<u64>,
}

impl QuotaLimits {
    /// Reads the variable; `None` where it does not say what it should.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut limits = Self::default();
        for word in text.split_ascii_whitespace() {
            let (number, unit) = word.split_once('/')?;
            let number = number.parse().ok().filter(|number| *number > 0)?;
            match unit {
                "s" => limits.requests = Some(number),
                "h" => limits.exports = Some(number),
                _ => return None,
            }
        }
        Some(limits)
    }
}

/// One re-user's counts.
#[derive(Clone, Copy, Debug, Default)]
struct AskedCount {
    who: u64,
    requests: Window,
    exports: Window,
}

/// What was counted since a window began.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    since: u64,
    taken: u64,
}

/// What is left of a limit, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rest {
    left: u64,
    seconds: u64,
    exceeded: bool,
}

impl Window {
    /// Takes one more where there is room; `only_looked_at` takes none.
    fn take(&mut self, limit: u64, length_ms: u64, now: u64, only_looked_at: bool) -> Rest {
        // A window begins with the first that it counts.
        if self.taken == 0 || now.saturating_sub(self.since) >= length_ms {
            *self = Self { since: now, taken: 0 };
        }
        let exceeded = !only_looked_at && self.taken >= limit;
        if !only_looked_at && !exceeded {
            self.taken += 1;
        }
        let ends = self.since.saturating_add(length_ms).saturating_sub(now);
        Rest { left: limit.saturating_sub(self.taken), seconds: ends.div_ceil(1_000), exceeded }
    }
}

/// A re-user asked for more than it may: the seconds to wait, and the headers that tell so. Or who knows what it may
/// could not be asked.
#[derive(Clone, Debug)]
pub struct Exceeded {
    error: ApiError,
    told: Vec<Header>,
}

impl Exceeded {
    /// Its answer.
    #[must_use]
    pub fn response(mut self) -> Response {
        let mut response = self.error.response();
        response.headers.append(&mut self.told);
        response
    }
}

/// Counts a request of a re-user, and gives the headers that tell what is left (`RateLimit`, `RateLimit-Policy`); none
/// where nothing is limited.
///
/// # Errors
/// [`Exceeded`], whose answer is a 429 with `Retry-After`.
pub async fn take<M: Runtime>(
    runtime: &M,
    caller: &AdmittedCaller,
    export: bool,
    now: u64,
) -> Result<Vec<Header>, Exceeded> {
    let variable = runtime.variable(VARIABLE).await;
    let text = variable.map_err(|fault| Exceeded { error: fault.into(), told: Vec::new() })?;
    let Some(limits) = QuotaLimits::read(&text) else {
        // A misspelt limit must not take the service away.
        eprintln!("limits: {VARIABLE} is not of the form 20/s 60/h: nothing is limited");
        return Ok(Vec::new());
    };
    if limits == QuotaLimits::default() {
        return Ok(Vec::new());
    }
    COUNTS.with_borrow_mut(|counts| count(counts, limits, caller.label(), export, now))
}

fn count(
    counts: &mut Vec<AskedCount>,
    limits: QuotaLimits,
    label: &str,
    export: bool,
    now: u64,
) -> Result<Vec<Header>, Exceeded> {
    let who = digest(label.as_bytes());
    let mut count = match counts.iter().position(|count| count.who == who) {
        Some(rank) => counts.remove(rank),
        None => AskedCount { who, ..AskedCount::default() },
    };
    if counts.len() >= COUNTED_MAX {
        counts.remove(0);
    }
    let (mut policy, mut rest, mut wait) = (String::new(), String::new(), 0);
    for (name, limit, length_ms, window, only_looked_at) in [
        ("requetes", limits.requests, SECOND_MS, &mut count.requests, false),
        ("exports", limits.exports, HOUR_MS, &mut count.exports, !export),
    ] {
        let Some(limit) = limit else { continue };
        // What the seconds refuse is no export yet.
        let is = window.take(limit, length_ms, now, only_looked_at || wait > 0);
        if is.exceeded {
            wait = is.seconds.max(1);
        }
        let comma = if policy.is_empty() { "" } else { ", " };
        let number = |number: u64| itoa::Buffer::new().format(number).to_owned();
        policy.push_str(&[comma, "\"", name, "\";q=", &number(limit), ";w=", &number(length_ms / 1_000)].concat());
        rest.push_str(&[comma, "\"", name, "\";r=", &number(is.left), ";t=", &number(is.seconds)].concat());
    }
    counts.push(count);
    let told = vec![("ratelimit-policy", policy.into()), ("ratelimit", rest.into())];
    if wait > 0 { Err(Exceeded { error: ApiError::Limited(wait), told }) } else { Ok(told) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: QuotaLimits = QuotaLimits { requests: Some(2), exports: Some(1) };

    fn told(headers: &[Header], name: &str) -> String {
        headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string()).unwrap_or_default()
    }

    #[test]
    fn limits_are_read_as_they_are_written() {
        assert_eq!(QuotaLimits::read(""), Some(QuotaLimits::default()));
        assert_eq!(QuotaLimits::read(" 60/h  20/s "), Some(QuotaLimits { requests: Some(20), exports: Some(60) }));
        assert_eq!(QuotaLimits::read("5/h"), Some(QuotaLimits { requests: None, exports: Some(5) }));
        for wrong in ["20", "20/m", "0/s", "-1/s", "20 /s", "x/h", "99999999999999999999/s"] {
            assert_eq!(QuotaLimits::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_second_holds_so_many_requests_and_an_hour_so_many_exports() {
        let mut counts = Vec::new();
        let mut ask = |label: &str, export: bool, now: u64| count(&mut counts, LIMITS, label, export, now);
        let first = ask("a", true, 10_000).unwrap();
        assert_eq!(told(&first, "ratelimit-policy"), r#""requetes";q=2;w=1, "exports";q=1;w=3600"#);
        assert_eq!(told(&first, "ratelimit"), r#""requetes";r=1;t=1, "exports";r=0;t=3600"#);
        assert!(ask("a", false, 10_500).is_ok());
        let refused = ask("a", false, 10_900).unwrap_err().response();
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
        assert_eq!(refused.header("ratelimit"), Some(r#""requetes";r=0;t=1, "exports";r=0;t=3600"#));
        assert!(ask("b", true, 10_900).is_ok(), "limits of its own");
        let refused = ask("a", true, 11_000).unwrap_err().response();
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("3599")));
        assert!(ask("a", true, 10_000 + HOUR_MS).is_ok());
    }

    #[test]
    fn what_the_seconds_refuse_is_no_export() {
        let mut counts = Vec::new();
        let limits = QuotaLimits { requests: Some(1), exports: Some(2) };
        for now in [0, 1, 2] {
            let _ = count(&mut counts, limits, "a", true, now);
        }
        let rest = count(&mut counts, limits, "a", true, 1_000).unwrap();
        assert!(told(&rest, "ratelimit").contains(r#""exports";r=0"#), "two were answered: {rest:?}");
    }

    #[test]
    fn re_users_are_counted_in_bounded_room() {
        let mut counts = Vec::new();
        for n in 0..COUNTED_MAX * 2 {
            count(&mut counts, LIMITS, &n.to_string(), false, 0).unwrap();
        }
        assert_eq!(counts.len(), COUNTED_MAX);
    }
}
