//! Sums of what logs tell, in bounded room whatever clients send.

use crate::record::{Record, Source};
use domain::date;
use request_log::{ANONYMOUS, INTERNAL};
use std::collections::{BTreeMap, HashMap};

/// Names of re-users that are told apart; the others are summed.
const USERS_MAX: usize = 10_000;
/// Certifications that are told apart; the others are summed.
const CODES_MAX: usize = 200_000;
/// Personal keys whose last day is kept.
const KEYS_MAX: usize = 100_000;
/// What those are called that are summed.
pub const OTHERS: &str = "autres";

/// What one line of the table is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Place {
    user: u32,
    day: i64,
    route: &'static str,
    image: bool,
    status: u16,
}

/// Requests that are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub requests: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// How many a cache answered.
    pub kept: u64,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.kept += other.kept;
    }
}

/// Names, by a number each.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let name = if self.names.len() < USERS_MAX { name } else { OTHERS };
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    fn name(&self, number: u32) -> &str {
        usize::try_from(number).ok().and_then(|number| self.names.get(number)).map_or(OTHERS, String::as_str)
    }
}

/// What is summed of one group of lines.
#[derive(Debug, Default)]
struct Group {
    sums: HashMap<Place, Sum>,
    codes: HashMap<String, u64>,
}

/// Which of two logs of the same requests a line is believed in.
///
/// Where nginx and the application both log, a request that passes the cache stands in both. nginx knows those that its
/// cache answers, the application who asked. So, where there are lines of both: requests with a key that was accepted and
/// internal ones are taken from the application, all others from nginx.
#[derive(Clone, Copy, Debug)]
enum Believed {
    NginxOpen,
    NginxKeyed,
    ApplicationOpen,
    ApplicationKnown,
}

/// The sums of logs.
#[derive(Debug, Default)]
pub struct Totals {
    users: Names,
    groups: [Group; 4],
    keys: HashMap<String, (String, i64)>,
    /// Lines that tell no request.
    pub unread: u64,
    /// Lines that do.
    pub read: u64,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row<'a> {
    /// Who asked.
    pub user: &'a str,
    /// The day, as it is written.
    pub day: String,
    /// The name of the route.
    pub route: &'static str,
    /// Whether images were asked for.
    pub image: bool,
    /// The status.
    pub status: u16,
}

impl Totals {
    /// Reads a line.
    pub fn line(&mut self, line: &str) {
        match Record::read(line) {
            Some(record) => self.take(&record),
            None if line.trim().is_empty() => {}
            None => self.unread += 1,
        }
    }

    fn take(&mut self, record: &Record<'_>) {
        self.read += 1;
        let known = record.keyed && record.status != 401 || record.route == INTERNAL;
        let group = match (record.source, known) {
            (Source::Nginx, false) => Believed::NginxOpen,
            (Source::Nginx, true) => Believed::NginxKeyed,
            (Source::Application, false) => Believed::ApplicationOpen,
            (Source::Application, true) => Believed::ApplicationKnown,
        };
        let user = self.users.number(&record.user);
        let Some(group) = self.groups.get_mut(group as usize) else { return };
        let place = Place { user, day: record.day, route: record.route, image: record.image, status: record.status };
        let kept = u64::from(matches!(record.cache.as_ref(), "HIT" | "STALE" | "UPDATING" | "REVALIDATED"));
        group.sums.entry(place).or_default().add(Sum { requests: 1, bytes: record.bytes, kept });
        // Only what was found is a certification; what clients make up is not told.
        if let Some(code) = record.code.as_deref().filter(|_| matches!(record.status, 200 | 304)) {
            match group.codes.get_mut(code) {
                Some(count) => *count += 1,
                None => {
                    let code = if group.codes.len() < CODES_MAX { code } else { OTHERS };
                    *group.codes.entry(code.replace("%7C", "|").replace("%7c", "|")).or_default() += 1;
                }
            }
        }
        if !record.key.is_empty() {
            if let Some((_, day)) = self.keys.get_mut(record.key.as_ref()) {
                *day = record.day.max(*day);
            } else if self.keys.len() < KEYS_MAX {
                let owned = (record.user.clone().into_owned(), record.day);
                self.keys.insert(record.key.clone().into_owned(), owned);
            }
        }
    }

    /// The groups that are believed in.
    fn groups(&self) -> impl Iterator<Item = &Group> {
        let has = |groups: [Believed; 2]| {
            groups.iter().any(|g| self.groups.get(*g as usize).is_some_and(|g| !g.sums.is_empty()))
        };
        let nginx = has([Believed::NginxOpen, Believed::NginxKeyed]);
        let application = has([Believed::ApplicationOpen, Believed::ApplicationKnown]);
        let believed: &[Believed] = match (nginx, application) {
            (true, true) => &[Believed::NginxOpen, Believed::ApplicationKnown],
            (true, false) => &[Believed::NginxOpen, Believed::NginxKeyed],
            _ => &[Believed::ApplicationOpen, Believed::ApplicationKnown],
        };
        believed.iter().filter_map(|group| self.groups.get(*group as usize))
    }

    /// Every row of the table, in order.
    #[must_use]
    pub fn rows(&self) -> BTreeMap<Row<'_>, Sum> {
        let mut rows: BTreeMap<Row<'_>, Sum> = BTreeMap::new();
        for (place, sum) in self.groups().flat_map(|group| &group.sums) {
            let row = Row {
                user: self.users.name(place.user),
                day: write_day(place.day),
                route: place.route,
                image: place.image,
                status: place.status,
            };
            rows.entry(row).or_default().add(*sum);
        }
        rows
    }

    /// Sums by whatever `of` makes of a row.
    pub fn by<'a, K: Ord>(&'a self, of: impl Fn(&Row<'a>) -> K) -> BTreeMap<K, Sum> {
        let mut sums: BTreeMap<K, Sum> = BTreeMap::new();
        for (row, sum) in self.rows() {
            sums.entry(of(&row)).or_default().add(sum);
        }
        sums
    }

    /// Certifications that were found, most asked for first.
    #[must_use]
    pub fn codes(&self) -> Vec<(String, u64)> {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for (code, count) in self.groups().flat_map(|group| &group.codes) {
            *sums.entry(code).or_default() += count;
        }
        let mut codes: Vec<(String, u64)> = sums.into_iter().map(|(code, count)| (code.to_owned(), count)).collect();
        codes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        codes
    }

    /// The last day of each personal key: its name, its account, the day.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &str, String)> {
        self.keys.iter().map(|(key, (user, day))| (key.as_str(), user.as_str(), write_day(*day)))
    }
}

/// A day as it is written.
#[must_use]
pub fn write_day(day: i64) -> String {
    date::write_day(day.saturating_mul(86_400_000))
}

/// Whether a name is a re-user, not everybody.
#[must_use]
pub fn is_named(user: &str) -> bool {
    user != ANONYMOUS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(user: &str, path: &str, status: u16, key: &str) -> String {
        let mut out = Vec::new();
        let line =
            request_log::LogLine { at_ms: 1_795_772_885_000, path, status, user, key, bytes: 10, ..Default::default() };
        line.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn nginx(path: &str, status: u16, cache: &str, keyed: bool) -> String {
        format!(
            r#"{{"date":"2026-11-27T09:48:05+00:00","chemin":"{path}","statut":{status},"octets":10,"duree_s":0.1,"cache":"{cache}","avec_cle":"{}"}}"#,
            u8::from(keyed)
        )
    }

    #[test]
    fn requests_that_both_logs_hold_are_counted_once() {
        let document = "/api/inserjeunes/certifications/40025214";
        let list = "/api/inserjeunes/formations";
        let mut totals = Totals::default();
        // One miss that both saw, two hits that nginx answered, a list with a key, a list with a wrong one.
        for line in [
            nginx(document, 200, "MISS", false),
            application("", document, 200, ""),
            nginx(document, 200, "HIT", false),
            nginx(document, 200, "HIT", false),
            nginx(list, 200, "", true),
            application("a", list, 200, "0123456789ab"),
            nginx(list, 401, "", true),
            application("", list, 401, ""),
        ] {
            totals.line(&line);
        }
        assert_eq!(totals.rows().values().map(|sum| sum.requests).sum::<u64>(), 5);
        let by_user = totals.by(|row| row.user);
        assert_eq!((by_user["a"].requests, by_user[ANONYMOUS].requests), (1, 4));
        assert_eq!(by_user[ANONYMOUS].kept, 2);
        assert_eq!(totals.codes(), [("40025214".to_owned(), 3)]);
        assert_eq!(totals.keys().collect::<Vec<_>>(), [("0123456789ab", "a", "2026-11-27".to_owned())]);
    }

    #[test]
    fn one_log_alone_is_counted_whole() {
        for lines in [
            [nginx("/etat", 200, "", false), nginx("/etat", 200, "", true)],
            [application("", "/etat", 200, ""), application("a", "/etat", 200, "")],
        ] {
            let mut totals = Totals::default();
            lines.iter().for_each(|line| totals.line(line));
            assert_eq!(totals.rows().values().map(|sum| sum.requests).sum::<u64>(), 2);
        }
    }

    #[test]
    fn names_that_clients_make_up_take_bounded_room() {
        let mut totals = Totals::default();
        for n in 0..USERS_MAX + 50 {
            totals.line(&application(&format!("u{n}"), "/etat", 200, ""));
        }
        assert_eq!(totals.by(|row| row.user)[OTHERS].requests, 50);
        let mut totals = Totals::default();
        for n in 0..100 {
            totals.line(&application("", &format!("/api/inserjeunes/certifications/{n}"), 404, ""));
        }
        assert!(totals.codes().is_empty(), "what was not found is no certification");
    }
}
