//! `import-cases DIR…`: plays the recorded cases of the import and prints what passed. `floor.txt` is a percentage that only
//! rises.

use import_cases::{load, play};
use std::process::ExitCode;

fn main() -> ExitCode {
    cases::Player {
        program: "import-cases",
        floor: include_str!("../floor.txt"),
        load,
        play,
        title: |case| format!("{} ({})", case.id, case.job),
    }
    .run()
}
