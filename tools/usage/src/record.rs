//! A line of a log, whoever wrote it: the application, nginx by `deploy/nginx`, or nginx by its own `combined` format.

use domain::date;
use request_log::{ANONYMOUS, OTHER, names, route};
use serde::Deserialize;
use std::borrow::Cow;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Who wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// nginx: every request, also those that its cache answers.
    Nginx,
    /// The application: those that reach it, and who asked.
    Application,
}

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    /// Who wrote the line.
    pub source: Source,
    /// The day, counted from 1970.
    pub day: i64,
    /// The name of its route.
    pub route: &'static str,
    /// Whether a document was asked for as an image.
    pub image: bool,
    /// The certification, where its path names one.
    pub code: Option<Cow<'a, str>>,
    /// The status.
    pub status: u16,
    /// Bytes of its body.
    pub bytes: u64,
    /// How long it took, in microseconds; unknown in a `combined` log.
    pub duration_us: Option<u64>,
    /// What the cache did.
    pub cache: Cow<'a, str>,
    /// Who asked.
    pub user: Cow<'a, str>,
    /// The start of the digest of the personal key; empty for none.
    pub key: Cow<'a, str>,
    /// Whether it carried a key, which only the application knows the owner of.
    pub keyed: bool,
    /// Whether its body ended before its end.
    pub broken: bool,
}

/// A line as JSON; what either writer leaves out is empty.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    journal: Cow<'a, str>,
    #[serde(default)]
    ms: Option<i64>,
    #[serde(borrow, default)]
    date: Cow<'a, str>,
    #[serde(borrow, default)]
    route: Cow<'a, str>,
    #[serde(borrow, default)]
    chemin: Cow<'a, str>,
    #[serde(borrow, default)]
    code: Cow<'a, str>,
    statut: u16,
    #[serde(default)]
    octets: u64,
    #[serde(default)]
    duree_ms: Option<u64>,
    #[serde(default)]
    duree_s: Option<f64>,
    #[serde(borrow, default)]
    cache: Cow<'a, str>,
    #[serde(borrow, default)]
    reutilisateur: Cow<'a, str>,
    #[serde(borrow, default)]
    cle: Cow<'a, str>,
    #[serde(default)]
    avec_cle: Cow<'a, str>,
    #[serde(borrow, default)]
    forme: Cow<'a, str>,
    #[serde(borrow, default)]
    rompu: Cow<'a, str>,
}

impl<'a> Record<'a> {
    /// Reads a line; `None` for one that tells no request. What stands before its JSON is a logger's own.
    #[must_use]
    pub fn read(line: &'a str) -> Option<Self> {
        match line.find('{') {
            Some(start) => Self::json(line.get(start..)?),
            None => Self::combined(line),
        }
    }

    fn json(text: &'a str) -> Option<Self> {
        let line: Line<'a> = serde_json::from_str(text.trim_end()).ok()?;
        let user = if line.reutilisateur.is_empty() { Cow::Borrowed(ANONYMOUS) } else { line.reutilisateur };
        if line.journal == "requete" {
            return Some(Self {
                source: Source::Application,
                day: line.ms?.div_euclid(DAY_MS),
                route: known_route(&line.route),
                image: line.forme == "svg",
                code: (!line.code.is_empty()).then_some(line.code),
                status: line.statut,
                bytes: line.octets,
                duration_us: line.duree_ms.map(|ms| ms.saturating_mul(1_000)),
                cache: line.cache,
                keyed: user != ANONYMOUS,
                user,
                key: line.cle,
                broken: !line.rompu.is_empty(),
            });
        }
        if line.chemin.is_empty() {
            return None;
        }
        let (route, code, image) = asked(&line.chemin);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time, bounded on both sides")]
        let duration_us = line.duree_s.map(|s| (s * 1e6).clamp(0.0, 1e12) as u64);
        Some(Self {
            source: Source::Nginx,
            day: day(&line.date)?,
            route,
            image,
            code: code.map(Cow::Owned),
            status: line.statut,
            bytes: line.octets,
            duration_us,
            cache: line.cache,
            user,
            key: Cow::Borrowed(""),
            keyed: line.avec_cle == "1",
            broken: false,
        })
    }

    /// `address - user [27/Nov/2026:09:48:05 +0000] "GET /path?query HTTP/1.1" 200 1234 …`: address, query and what
    /// follows are not looked at.
    fn combined(line: &'a str) -> Option<Self> {
        let (_, rest) = line.split_once('[')?;
        let (at, rest) = rest.split_once("] \"")?;
        let (demand, rest) = rest.split_once("\" ")?;
        let target = demand.split(' ').nth(1)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut numbers = rest.split(' ');
        let status = numbers.next()?.parse().ok()?;
        let (route, code, image) = asked(path);
        Some(Self {
            source: Source::Nginx,
            day: combined_day(at)?,
            route,
            image,
            code: code.map(Cow::Owned),
            status,
            bytes: numbers.next()?.parse().ok()?,
            duration_us: None,
            cache: Cow::Borrowed(""),
            user: Cow::Borrowed(ANONYMOUS),
            key: Cow::Borrowed(""),
            keyed: query.contains("apiKey="),
            broken: false,
        })
    }
}

/// The name of a route, as one of those that there are.
fn known_route(name: &str) -> &'static str {
    names().find(|known| *known == name).unwrap_or(OTHER)
}

/// Route and certification of a path of nginx, which holds the gateway's prefix, and whether it asks for an image.
fn asked(path: &str) -> (&'static str, Option<String>, bool) {
    let image = path.ends_with(".svg");
    let found = route(path);
    let (name, code) = match (found, path.trim_start_matches('/').find('/')) {
        // A first segment that is none of ours is the prefix.
        ((OTHER, _), Some(end)) => route(path.trim_start_matches('/').get(end..).unwrap_or_default()),
        (found, _) => found,
    };
    (name, code.map(str::to_owned), image)
}

fn day(date: &str) -> Option<i64> {
    let number = |from: usize, to: usize| date.get(from..to)?.parse::<i64>().ok();
    Some(date::days(number(0, 4)?, number(5, 7)?, number(8, 10)?))
}

fn combined_day(at: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().position(|month| at.get(3..6) == Some(month))?;
    let number = |from: usize, to: usize| at.get(from..to)?.parse::<i64>().ok();
    Some(date::days(number(7, 11)?, i64::try_from(month).ok()? + 1, number(0, 2)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_application_and_of_nginx_tell_the_same_request() {
        let mut written = b"exposition: ".to_vec();
        let line = request_log::LogLine {
            at_ms: 1_795_772_885_000,
            method: "GET",
            path: "/api/inserjeunes/formations/0751234J-40025214",
            status: 200,
            bytes: 1_234,
            duration_ms: 3,
            kept: true,
            generation: "g7",
            user: "mon-application",
            key: "0123456789ab",
            ..request_log::LogLine::default()
        };
        line.write(&mut written);
        let written = String::from_utf8(written).unwrap();
        let application = Record::read(&written).unwrap();
        assert_eq!((application.source, application.user.as_ref()), (Source::Application, "mon-application"));
        assert_eq!((application.key.as_ref(), application.duration_us), ("0123456789ab", Some(3_000)));
        let nginx = concat!(
            r#"{"date":"2026-11-27T09:48:05+00:00","methode":"GET","#,
            r#""chemin":"/exposition-inserjeunes-insersup/api/inserjeunes/formations/0751234J-40025214","#,
            r#""parametres":"","statut":200,"octets":1234,"duree_s":0.003,"cache":"HIT","amont":"200","#,
            r#""avec_cle":"1","reutilisateur":"anonyme"}"#
        );
        let nginx = Record::read(nginx).unwrap();
        let combined = r#"10.0.0.1 - - [27/Nov/2026:09:48:05 +0000] "GET /api/inserjeunes/formations/0751234J-40025214?apiKey=secret HTTP/1.1" 200 1234 "-" "curl""#;
        let combined = Record::read(combined).unwrap();
        for other in [&nginx, &combined] {
            assert_eq!((other.source, other.keyed), (Source::Nginx, true));
            assert_eq!((other.day, other.route, &other.code), (application.day, application.route, &application.code));
            assert_eq!((other.status, other.bytes), (application.status, application.bytes));
        }
        assert_eq!(nginx.duration_us, Some(3_000));
        assert!(!format!("{combined:?}").contains("secret"));
    }

    #[test]
    fn what_is_no_request_is_passed_over() {
        for line in
            ["", "store: the store did not answer", "{", "{\"statut\":200}", "{\"journal\":\"requete\"}", "[ \" "]
        {
            assert_eq!(Record::read(line), None, "{line}");
        }
    }

    #[test]
    fn every_route_has_its_name_here() {
        for path in [
            "/api/inserjeunes/mailles/a/b/certifications/c",
            "/api/inserjeunes/regionales/11/certifications/4",
            "/api/recherche/etablissements/0",
            "/api/inserjeunes/auth/login",
            "/internal/import/run",
            "/static/a",
            "/nulle-part",
        ] {
            assert_eq!(known_route(route(path).0), route(path).0, "{path}");
        }
    }
}
