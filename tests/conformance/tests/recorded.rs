//! The recorded requests against the built application: those in the tree always, all of them where they lie beside
//! the project.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use conformance::case::CaseFile;
use conformance::play;
use conformance::report::{self, Floor};
use std::path::Path;

#[test]
fn the_requests_in_the_tree_are_answered_as_recorded() {
    assert!(stay_above_the_floor(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/http")) >= 100);
}

#[test]
fn recorded_requests_stay_above_the_floor() {
    let Some(folder) = support::shared("conformance/http", "recorded_requests_stay_above_the_floor") else { return };
    stay_above_the_floor(&folder);
}

/// Plays a folder's requests, and says how many there are.
fn stay_above_the_floor(folder: &Path) -> usize {
    support::components_are_built().unwrap();
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files: Vec<_> = paths.iter().map(|path| CaseFile::read(path).unwrap()).collect();
    let outcomes = play::all(&files, None);
    let counts = report::count(&files, &outcomes);
    let fallen = Floor::read().unwrap().fallen(&counts);
    assert!(fallen.is_empty(), "{fallen:#?}\n{}", report::failures(&files, &outcomes, false));
    outcomes.len()
}
