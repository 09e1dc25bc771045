//! The recorded requests beside the project, against the built application.

use conformance::case::CaseFile;
use conformance::play;
use conformance::report::{self, Floor};

#[test]
fn recorded_requests_stay_above_the_floor() {
    let Some(folder) = support::shared("conformance/http", "recorded_requests_stay_above_the_floor") else { return };
    support::components_are_built().unwrap();
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files: Vec<_> = paths.iter().map(|path| CaseFile::read(path).unwrap()).collect();
    let outcomes = play::all(&files, None);
    let counts = report::count(&files, &outcomes);
    let fallen = Floor::read().unwrap().fallen(&counts);
    assert!(fallen.is_empty(), "{fallen:#?}\n{}", report::failures(&files, &outcomes, false));
}
