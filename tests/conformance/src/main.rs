//! `conformance DIR…`: plays the recorded cases of these folders.

use anyhow::{Context, bail};
use conformance::case::CaseFile;
use conformance::play;
use conformance::report::{self, Floor};
use lexopt::Arg::{Long, Short, Value as Word};
use lexopt::ValueExt;
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
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => {
                print!("{HELP}");
                return Ok(true);
            }
            Long("only") => only = Some(parser.value()?.string()?),
            Long("verbose") => verbose = true,
            Long("raise") => raise = true,
            Word(folder) => folders.push(PathBuf::from(folder)),
            other => return Err(other.unexpected()).context(HELP),
        }
    }
    if folders.is_empty() {
        bail!("no folder given\n\n{HELP}");
    }
    let mut passed = true;
    for folder in folders {
        let files = json_files(&folder)?;
        let player = match kind_of(&folder, &files)? {
            Kind::Requests => None,
            Kind::ImportSteps => Some("import-cases"),
            Kind::Catalogues => Some("matching-cases"),
        };
        if let Some(player) = player {
            passed &= hand_over(&folder, player)?;
            continue;
        }
        let files = files.iter().map(|file| CaseFile::read(file)).collect::<anyhow::Result<Vec<_>>>()?;
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

/// What the cases of a folder are played against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The built application: files with `states`.
    Requests,
    /// Treatments and clients: cases with a `job`.
    ImportSteps,
    /// The matching of a catalogue: cases with the `tables` that each of them needs.
    Catalogues,
}

/// The kind of a folder. Cases that nothing plays are a fault: left out in silence, they would count as passed.
fn kind_of(folder: &Path, files: &[PathBuf]) -> anyhow::Result<Kind> {
    let mut kinds = files.iter().map(|file| {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let value: Value = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        Ok(kind_of_file(&value))
    });
    let first = kinds.next().transpose()?.flatten();
    let alike = kinds.collect::<anyhow::Result<Vec<_>>>()?.into_iter().all(|kind| kind == first);
    first.filter(|_| alike).with_context(|| format!("{}: unknown kind of folder", folder.display()))
}

fn kind_of_file(file: &Value) -> Option<Kind> {
    if file.get("states").is_some_and(Value::is_object) {
        return Some(Kind::Requests);
    }
    let cases = file.get("cases").and_then(Value::as_array)?;
    let all = |has: fn(&Value) -> bool| !cases.is_empty() && cases.iter().all(has);
    if all(|case| case.get("job").is_some_and(Value::is_string)) {
        return Some(Kind::ImportSteps);
    }
    all(|case| case.get("tables").is_some()).then_some(Kind::Catalogues)
}

/// Hands a folder to the program that plays its cases, which lies beside this one.
fn hand_over(folder: &Path, player: &str) -> anyhow::Result<bool> {
    let program = std::env::current_exe()?.with_file_name(player);
    if !program.exists() {
        bail!("{} is for {player}; build that program first: cargo build -p {player}", folder.display());
    }
    Ok(Command::new(program).arg(folder).status()?.success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_that_nothing_plays_has_no_kind() {
        assert_eq!(kind_of_file(&json!({"states": {}, "cases": []})), Some(Kind::Requests));
        assert_eq!(kind_of_file(&json!({"cases": [{"id": "a", "job": "importBCN"}]})), Some(Kind::ImportSteps));
        assert_eq!(kind_of_file(&json!({"cases": [{"id": "a", "tables": {}}]})), Some(Kind::Catalogues));
        for other in [json!({"cases": [{"id": "1", "rows": []}]}), json!({"cases": []}), json!([]), json!({})] {
            assert_eq!(kind_of_file(&other), None, "{other}");
        }
    }
}
