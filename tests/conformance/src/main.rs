//! `conformance DIR…`: plays the recorded cases of these folders.

use anyhow::{Context, bail};
use conformance::case::CaseFile;
use conformance::play;
use conformance::report::{self, Floor};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
Plays recorded cases and compares the answers. Folders of requests (files with `states`) are
played against the built application; folders of import steps by the program import-cases, folders
of catalogues by matching-cases.

  conformance [options] DIR…

  --only ID    plays one case
  --verbose    shows every failure whole, and the texts of 400 that differ
  --raise      writes higher counts into the floor, tests/conformance/floor.json

Ends with 1 where a file falls below the floor; a file that the floor does not name must pass whole.
";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("conformance: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<bool> {
    let (mut folders, mut only, mut verbose, mut raise) = (Vec::new(), None, false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => {
                print!("{HELP}");
                return Ok(true);
            }
            "--only" => only = Some(arguments.next().context("--only needs an id")?),
            "--verbose" => verbose = true,
            "--raise" => raise = true,
            option if option.starts_with('-') => bail!("unknown option {option}\n\n{HELP}"),
            folder => folders.push(PathBuf::from(folder)),
        }
    }
    if folders.is_empty() {
        bail!("no folder given\n\n{HELP}");
    }
    let mut passed = true;
    for folder in folders {
        let files = json_files(&folder)?;
        let (catalogues, files): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| is_of_catalogues(file));
        if !catalogues.is_empty() {
            passed &= hand_over(&folder, "matching-cases")?;
        }
        let (requests, imports): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| is_of_requests(file));
        if !imports.is_empty() {
            passed &= hand_over(&folder, "import-cases")?;
        }
        if requests.is_empty() {
            continue;
        }
        let files = requests.iter().map(|file| CaseFile::read(file)).collect::<anyhow::Result<Vec<_>>>()?;
        support::components_are_built()?;
        let outcomes = play::all(&files, only.as_deref());
        print!("{}", report::failures(&files, &outcomes, verbose || only.is_some()));
        if only.is_some() {
            let failed = outcomes.iter().any(|outcome| !outcome.findings.differences.is_empty());
            println!("{} played, {}", outcomes.len(), if failed { "failed" } else { "passed" });
            passed &= !failed && !outcomes.is_empty();
            continue;
        }
        let counts = report::count(&files, &outcomes);
        println!("\n{}", report::table(&counts));
        let floor = Floor::read()?;
        let fallen = floor.fallen(&counts);
        for line in &fallen {
            println!("below the floor: {line}");
        }
        passed &= fallen.is_empty();
        if raise {
            floor.raise(&counts)?;
        }
    }
    Ok(passed)
}

/// The JSON files of a folder, sorted; a file stands for itself.
fn json_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if folder.is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("{} holds no JSON file", folder.display());
    }
    Ok(files)
}

fn is_of_requests(file: &Path) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str::<Value>(&text).is_ok_and(|value| value.get("states").is_some_and(Value::is_object))
}

/// Cases of the matching hold the tables that each of them needs.
fn is_of_catalogues(file: &Path) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str::<Value>(&text).is_ok_and(|value| value.pointer("/cases/0/tables").is_some())
}

/// Hands a folder to the program that plays its cases, which lies beside this one.
fn hand_over(folder: &Path, player: &str) -> anyhow::Result<bool> {
    let program = std::env::current_exe()?.with_file_name(player);
    if !program.exists() {
        bail!("{} is for {player}; build that program first: cargo build -p {player}", folder.display());
    }
    Ok(Command::new(program).arg(folder).status()?.success())
}
