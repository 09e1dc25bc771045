//! Manifests as they must not be: each is read or refused with a reason, nothing panics.
//!
//! `FUZZ_CASES` sets how many cases are tried; `scripts/fuzz` tries many.
#![allow(missing_docs, reason = "tests")]

use host::manifest::Manifest;
use proptest::prelude::*;
use std::path::Path;

/// The application's own.
const MANIFEST: &str = include_str!("../../../spin.toml");

fn cases() -> ProptestConfig {
    let cases = std::env::var("FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Lines that a manifest may hold, in wrong places and twice.
fn line() -> impl Strategy<Value = String> {
    let lines: Vec<String> = MANIFEST.lines().map(str::to_owned).collect();
    prop_oneof![
        6 => proptest::sample::select(lines),
        2 => proptest::sample::select(vec![
            "route = \"/...\"", "route = \"\"", "route = \"a\"", "route = \"/:/:x/...\"", "route = 1", "route = {private = true}",
            "component = \"none\"", "source = {url = \"x\"}", "source = 1", "allowed_outbound_hosts = [\"*://*:*\"]",
            "allowed_outbound_hosts = [\"{{ x }}\", \"http://a/b\"]", "key_value_stores = [\"\u{e9}\"]", "x = \"{{ y }}\"",
            "x = \"{{\"", "x = { default = \"{{ x }}\" }", "x = { required = true, default = \"\" }", "[component.x]", "[variables]",
            "[[trigger.http]]", "[[trigger.cron]]", "spin_manifest_version = 3", "environment = { A = \"{{ b }}\" }",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn told(text: &str) -> Result<(), TestCaseError> {
    if let Err(reason) = Manifest::parse(text, Path::new(".")) {
        prop_assert!(!reason.is_empty(), "refused without a reason");
    }
    Ok(())
}

#[test]
fn the_applications_own_is_read() {
    assert!(Manifest::parse(MANIFEST, Path::new(".")).is_ok());
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn lines_put_together(lines in proptest::collection::vec(line(), 0..40)) {
        told(&format!("spin_manifest_version = 2\n{}", lines.join("\n")))?;
    }

    #[test]
    fn one_line_of_the_own_replaced(place: proptest::sample::Index, line in line()) {
        let mut lines: Vec<&str> = MANIFEST.lines().collect();
        let at = place.index(lines.len());
        if let Some(replaced) = lines.get_mut(at) {
            *replaced = &line;
        }
        told(&lines.join("\n"))?;
    }
}
