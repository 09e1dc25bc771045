//! The recorded cases: those in the tree always, all of them where they lie beside the project.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use import_cases::{Verdict, load, play};
use std::path::Path;

#[test]
fn the_cases_in_the_tree_pass() {
    assert!(passed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")) >= 40);
}

#[test]
fn every_recorded_case_passes() {
    let Some(folder) = beside::shared("conformance/import", "every_recorded_case_passes") else { return };
    assert!(passed(&folder) > 0, "no case was found");
}

/// Plays a folder's cases, and says how many there are.
fn passed(folder: &Path) -> usize {
    let mut failures = Vec::new();
    let mut played = 0;
    for case in load(folder).unwrap().values().flatten() {
        played += 1;
        if let Verdict::Failed(differences) = play(case) {
            failures.push(format!("{} ({})\n  {}", case.id, case.job, differences.join("\n  ")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    played
}
