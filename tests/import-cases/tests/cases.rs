//! Every recorded case, where they are present.

use import_cases::{Verdict, load, play};
use std::path::Path;

#[test]
fn every_recorded_case_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/import");
    if !folder.exists() {
        eprintln!("skipped: no recorded cases at ../shared/conformance/import");
        return;
    }
    let mut failures = Vec::new();
    let mut played = 0;
    for case in load(&folder).unwrap().values().flatten() {
        played += 1;
        if let Verdict::Failed(differences) = play(case) {
            failures.push(format!("{} ({})\n  {}", case.id, case.job, differences.join("\n  ")));
        }
    }
    assert!(played > 0, "no case was found");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
