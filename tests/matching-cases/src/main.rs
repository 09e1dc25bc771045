//! `matching-cases DIR…`: plays the recorded cases of the matching and prints what passed.
//!
//! Exit code 0 when the share of cases that pass is not below the floor written in `floor.txt` beside this package's
//! manifest, a percentage that only rises.

use matching_cases::{Verdict, load, play};
use std::path::Path;
use std::process::ExitCode;

/// The share of cases that must pass, in percent.
const FLOOR: &str = include_str!("../floor.txt");

fn main() -> ExitCode {
    let folders: Vec<String> = std::env::args().skip(1).collect();
    if folders.is_empty() {
        eprintln!("usage: matching-cases DIR…");
        return ExitCode::from(2);
    }
    let (mut passed, mut failed) = (0_u32, 0_u32);
    println!("{:<32} {:>6} {:>6}", "file", "passed", "failed");
    for folder in folders {
        let files = match load(Path::new(&folder)) {
            Ok(files) => files,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        };
        for (name, cases) in files {
            let mut here = (0, 0);
            let mut texts = Vec::new();
            for case in &cases {
                match play(case) {
                    Verdict::Passed => here.0 += 1,
                    Verdict::Failed(differences) => {
                        here.1 += 1;
                        texts.push(format!("\n{}: {}\n  {}", case.id, case.why, differences.join("\n  ")));
                    }
                }
            }
            println!("{name:<32} {:>6} {:>6}", here.0, here.1);
            texts.iter().for_each(|text| println!("{text}"));
            passed += here.0;
            failed += here.1;
        }
    }
    let share = f64::from(passed) * 100.0 / f64::from((passed + failed).max(1));
    println!("{:<32} {passed:>6} {failed:>6}   {share:.1} %", "all");
    let floor: f64 = FLOOR.trim().parse().unwrap_or(100.0);
    if passed == 0 || share < floor {
        println!("below the floor of {floor} %");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
