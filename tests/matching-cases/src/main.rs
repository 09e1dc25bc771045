//! `matching-cases DIR…`: plays the recorded cases of the matching and prints what passed. `floor.txt` is a percentage that
//! only rises.

use matching_cases::{load, play};
use std::process::ExitCode;

fn main() -> ExitCode {
    cases::Player {
        program: "matching-cases",
        floor: include_str!("../floor.txt"),
        load,
        play,
        title: |case| format!("{}: {}", case.id, case.why),
    }
    .run()
}
