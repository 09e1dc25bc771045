//! What was asked of the services: counts by path, and how fast.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// What was asked of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// Requests, logins and refused ones included.
    pub requests: u64,
    /// Of these, logins.
    pub logins: u64,
    /// By status that was answered; 0 where the connection was dropped instead.
    pub statuses: BTreeMap<u16, u64>,
    /// By path without its query.
    pub paths: BTreeMap<String, u64>,
    /// The most requests that came within any one second.
    pub max_per_second: usize,
    /// The shortest time between two requests, in milliseconds; none before the second one.
    pub shortest_gap_ms: Option<u64>,
}

/// What was asked, by service.
#[derive(Debug, Default)]
pub(crate) struct Journal(BTreeMap<String, (Calls, VecDeque<Instant>)>);

impl Journal {
    pub(crate) fn arrived(&mut self, service: &str, path: &str, login: bool, now: Instant) {
        let (calls, recent) = self.0.entry(service.to_owned()).or_default();
        calls.requests += 1;
        calls.logins += u64::from(login);
        *calls.paths.entry(path.to_owned()).or_default() += 1;
        if let Some(last) = recent.back() {
            let gap = u64::try_from(now.duration_since(*last).as_millis()).unwrap_or(u64::MAX);
            calls.shortest_gap_ms = Some(calls.shortest_gap_ms.map_or(gap, |shortest| shortest.min(gap)));
        }
        recent.push_back(now);
        while recent.front().is_some_and(|first| now.duration_since(*first) >= Duration::from_secs(1)) {
            recent.pop_front();
        }
        calls.max_per_second = calls.max_per_second.max(recent.len());
    }

    pub(crate) fn answered(&mut self, service: &str, status: u16) {
        let (calls, _) = self.0.entry(service.to_owned()).or_default();
        *calls.statuses.entry(status).or_default() += 1;
    }

    pub(crate) fn calls(&self) -> BTreeMap<String, Calls> {
        self.0.iter().map(|(service, (calls, _))| (service.clone(), calls.clone())).collect()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_second_is_any_second() {
        let mut journal = Journal::default();
        let start = Instant::now();
        for ms in [0, 700, 900, 1_100, 1_650, 1_750, 4_000] {
            journal.arrived("bcn", "/x", ms == 0, start + Duration::from_millis(ms));
        }
        let calls = journal.calls().remove("bcn").unwrap();
        assert_eq!((calls.requests, calls.logins, calls.max_per_second), (7, 1, 4), "700 to 1650");
        assert_eq!(calls.shortest_gap_ms, Some(100));
        assert_eq!(calls.paths["/x"], 7);
        journal.clear();
        assert!(journal.calls().is_empty());
    }
}
