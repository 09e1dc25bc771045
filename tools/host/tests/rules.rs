//! Routes, manifests, variables and outgoing requests: the rules, as tables.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use host::manifest::Manifest;
use host::outbound::Allowed;
use host::router::{Route, Router};
use host::variables::{Sources, Template, Variables, check_name, parse_env_file};
use std::collections::BTreeMap;
use std::path::Path;

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[test]
fn routes_answer_as_the_table_says() {
    let mut router = Router::new([]).0;
    let mut cases = 0;
    for line in lines(include_str!("data/routes.txt")) {
        if let Some(routes) = line.strip_prefix("routes ") {
            let parsed = routes.split_whitespace().map(|route| (Route::parse(route).unwrap(), ()));
            router = Router::new(parsed).0;
            continue;
        }
        let (path, expected) = line.split_once("=>").unwrap();
        let found = router.find(path.trim()).map(|found| {
            let parameters: Vec<_> = found.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            [found.route.raw().to_owned(), parameters.join(" "), found.path_info]
        });
        let expected = match expected.trim() {
            "-" => None,
            expected => {
                let mut columns = expected.split('|').map(|column| column.trim().to_owned());
                Some(std::array::from_fn(|_| columns.next().unwrap_or_default()))
            }
        };
        assert_eq!(found, expected, "{line}");
        cases += 1;
    }
    assert!(cases > 30);
}

#[test]
fn of_two_routes_written_alike_the_later_counts() {
    let route = || Route::parse("/a").unwrap();
    let (router, replaced) = Router::new([(route(), 1), (route(), 2)]);
    assert_eq!(router.find("/a").map(|found| *found.target), Some(2));
    assert_eq!(replaced.len(), 1);
}

/// Each `name.toml` has its message in `name.txt`. A new case is two new files.
#[test]
fn invalid_manifests_are_refused_with_their_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/manifests");
    let mut cases = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let expected = std::fs::read_to_string(file.with_extension("txt")).unwrap();
        let found = Manifest::parse(&std::fs::read_to_string(&file).unwrap(), &folder);
        assert_eq!(found.unwrap_err().trim(), expected.trim(), "{}", file.display());
        cases += 1;
    }
    assert!(cases > 15);
}

#[test]
fn a_manifest_is_read() {
    let text = include_str!("app/spin.toml");
    let manifest = Manifest::parse(text, Path::new("folder")).unwrap();
    assert_eq!(manifest.name, "guest");
    assert_eq!(manifest.components["guest"].source, Path::new("folder/guest.wasm"));
    assert_eq!(manifest.variables["secret"], None);
    assert!(manifest.triggers.iter().any(|trigger| trigger.route.is_none()));
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// The value of `x`, whose default is `default`, when these sources have it.
fn looked_up(given: bool, environment: bool, file: bool) -> String {
    let has = |present: bool, key: &str, value: &str| if present { map([(key, value)]) } else { BTreeMap::new() };
    let sources = Sources {
        given: has(given, "x", "given"),
        environment: has(environment, "SPIN_VARIABLE_X", "environment"),
        file: has(file, "SPIN_VARIABLE_X", "file"),
    };
    let declared = BTreeMap::from([("x".to_owned(), Some("default".to_owned()))]);
    Variables::new(&declared, &sources).get("x").unwrap().to_owned()
}

#[test]
fn variables_are_looked_up_in_order() {
    assert_eq!(looked_up(true, true, true), "given");
    assert_eq!(looked_up(false, true, true), "environment");
    assert_eq!(looked_up(false, false, true), "file");
    assert_eq!(looked_up(false, false, false), "default");
}

#[test]
fn a_required_variable_without_a_value_is_missing() {
    let declared = BTreeMap::from([("api_key".to_owned(), None), ("x".to_owned(), Some(String::new()))]);
    let variables = Variables::new(&declared, &Sources::default());
    assert_eq!(variables.missing().collect::<Vec<_>>(), ["api_key"]);
    assert_eq!(variables.get("api_key").unwrap_err(), "no provider resolved required variable \"api_key\"");
}

#[test]
fn templates_are_filled() {
    let declared = BTreeMap::from([("a".to_owned(), Some("1".to_owned())), ("b".to_owned(), Some("2".to_owned()))]);
    let variables = Variables::new(&declared, &Sources::default());
    let filled = |text: &str| Template::parse(text).and_then(|template| template.resolve(&variables));
    for (text, expected) in [
        ("", "".to_owned()),
        ("plain", "plain".to_owned()),
        ("{{ a }}{{b}}", "12".to_owned()),
        ("x-{{ a }}-y", "x-1-y".to_owned()),
        ("{ a }", "{ a }".to_owned()),
    ] {
        assert_eq!(filled(text), Ok(expected), "{text}");
    }
    assert_eq!(filled("{{ c }}").unwrap_err(), "unknown variable \"c\"");
    assert_eq!(filled("{{ a }} {{ b").unwrap_err(), "invalid variable template: unmatched '{{' in template");
}

#[test]
fn names_of_variables_are_checked() {
    for name in ["a", "abc", "a1b2", "a_1", "a_1_b_3"] {
        assert!(check_name(name).is_ok(), "{name}");
    }
    for name in ["", "aX", "1bc", "_x", "x.y", "x_", "a__b", "x-y", "é"] {
        assert!(check_name(name).is_err(), "{name}");
    }
}

#[test]
fn env_files_are_read() {
    let text =
        "# comment\n\nSPIN_VARIABLE_A=1\nexport B = two words # why\nC='single # \\n'\nD=\"double \\\"\\n\"\nE=\n";
    let expected =
        map([("SPIN_VARIABLE_A", "1"), ("B", "two words"), ("C", "single # \\n"), ("D", "double \"\n"), ("E", "")]);
    assert_eq!(parse_env_file(text), Ok(expected));
    assert_eq!(parse_env_file("A=1\nB").unwrap_err(), "line 2: no `=`");
    assert_eq!(parse_env_file("A=\"x").unwrap_err(), "line 1: quote not closed");
}

fn outbound_variables() -> Variables {
    let declared =
        [("host", "example.com"), ("empty", "")].map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
    Variables::new(&declared.into(), &Sources::default())
}

#[test]
fn outgoing_requests_are_allowed_as_the_table_says() {
    for line in lines(include_str!("data/outbound.txt")) {
        let [entry, uri, expected] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let allowed = Allowed::parse(&[entry.to_owned()], &outbound_variables()).unwrap();
        assert_eq!(allowed.allows(&uri.parse().unwrap()), expected == "yes", "{line}");
    }
}

#[test]
fn one_template_that_does_not_resolve_denies_everything() {
    let entries = ["*://*:*".to_owned(), "http://{{ nothing }}".to_owned()];
    let allowed = Allowed::parse(&entries, &outbound_variables()).unwrap();
    assert_eq!(allowed.fault(), Some("unknown variable \"nothing\""));
    assert!(!allowed.allows(&"http://example.com".parse().unwrap()));
}

#[test]
fn malformed_outbound_hosts_are_refused() {
    for (entry, expected) in [
        ("http://example.com/path", "\"http://example.com/path\" has a path but is not allowed to"),
        ("http://example.com:80/path", "\"http://example.com:80/path\" has a path but is not allowed to"),
        ("example.com", "\"example.com\" is not an allowed outbound host: it must be <scheme>://<host>[:<port>]"),
        ("http://example.com:x", "\"http://example.com:x\" has a port that is not a number: \"x\""),
        ("ftp://example.com", "\"ftp://example.com\" names no port, and the scheme \"ftp\" has no usual one"),
        ("http://a.*.com", "\"http://a.*.com\" has a wildcard that is not its first label"),
        ("h2-c://a", "\"h2-c://a\": scheme \"h2-c\" is not a word"),
        ("http://", "\"http://\" names no host"),
    ] {
        let found = Allowed::parse(&[entry.to_owned()], &outbound_variables());
        assert_eq!(found.unwrap_err(), expected);
    }
}

#[test]
fn instants_are_read() {
    use host::testing::parse_instant;
    let seconds = |text: &str| {
        let since = parse_instant(text).unwrap().duration_since(std::time::SystemTime::UNIX_EPOCH);
        since.unwrap().as_secs_f64()
    };
    assert_eq!(seconds("1970-01-01T00:00:00Z"), 0.0);
    assert_eq!(seconds("2000-02-29T12:00:00Z"), 951_825_600.0);
    assert_eq!(seconds("2026-03-01T08:00:00.5+01:00"), 1_772_348_400.5);
    assert_eq!(seconds("2100-12-31T23:59:59Z"), 4_133_980_799.0);
    for text in ["2026-03-01", "2026-03-01T08:00:00", "soon", "1969-12-31T23:59:59Z"] {
        assert!(parse_instant(text).is_err(), "{text}");
    }
}
