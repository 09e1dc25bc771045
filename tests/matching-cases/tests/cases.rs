//! The cases in the tree, each of which fixes a rule, and every recorded case where they are present.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use matching_cases::{Verdict, load, play};
use std::path::Path;

fn all_pass(folder: &Path) -> usize {
    let mut failures = Vec::new();
    let mut played = 0;
    for case in load(folder).unwrap().values().flatten() {
        played += 1;
        if let Verdict::Failed(differences) = play(case) {
            failures.push(format!("{}: {}\n  {}", case.id, case.why, differences.join("\n  ")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    played
}

#[test]
fn the_cases_in_the_tree_pass() {
    assert_eq!(all_pass(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")), 140);
}

#[test]
fn every_recorded_case_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/parcoursup");
    if !folder.exists() {
        eprintln!("skipped: no recorded cases at ../shared/conformance/parcoursup");
        return;
    }
    assert!(all_pass(&folder) > 0, "no case was found");
}

/// A player that compares nothing would pass everything.
#[test]
fn a_wrong_expectation_fails() {
    let files = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap();
    for case in files.values().flatten().filter(|case| !case.expected.is_empty()) {
        let mut wrong = case.clone();
        let first = wrong.expected.first_mut().unwrap();
        let reason = first.get("raison").and_then(|reason| reason.as_str()).unwrap_or_default();
        let other = if reason == "sans_raison" { "couvert" } else { "sans_raison" };
        first.insert("raison".to_owned(), other.into());
        assert!(matches!(play(&wrong), Verdict::Failed(_)), "{}", case.id);
    }
    for case in files.values().flatten().filter(|case| !case.expected_resolver.is_empty()) {
        let mut wrong = case.clone();
        wrong.expected_resolver[0]["validite"] = "autre".into();
        assert!(matches!(play(&wrong), Verdict::Failed(_)), "{}", case.id);
    }
}
