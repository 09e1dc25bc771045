//! The recorded requests of the tree against the built application. All of them, where they lie beside the project, are
//! played by `scripts/conformance`, which `scripts/test` calls.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use conformance::case::CaseFile;
use conformance::play;
use conformance::report::{self, Floor};
use std::path::Path;

#[test]
fn the_requests_in_the_tree_are_answered_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/http");
    support::components_are_built().unwrap();
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files: Vec<_> = paths.iter().map(|path| CaseFile::read(path).unwrap()).collect();
    let outcomes = play::all(&files, None);
    let counts = report::count(&files, &outcomes);
    let fallen = Floor::read().unwrap().fallen(&counts);
    assert!(fallen.is_empty(), "{fallen:#?}\n{}", report::failures(&files, &outcomes, false));
    assert!(outcomes.len() >= 100, "{}", outcomes.len());
}
