//! `sbom [FILE]`: the bill of materials of the built components; `--notice` and `--check`: the file NOTICE.

use anyhow::{Context, ensure};
use lexopt::Arg::{Long, Short, Value};
use sbom::{cyclonedx, notice, root, shipped};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
Lists what is linked into the components: cargo's lock file and manifests say it, nothing is installed.

  scripts/sbom [FILE]     writes a CycloneDX bill of materials (target/exposition.cdx.json)
  scripts/sbom --notice   writes NOTICE: what is shipped, under which licence, with the texts
  scripts/sbom --check    tells whether NOTICE is stale, or a licence is not allowed by deny.toml
";

/// What the command line asks for.
enum Task {
    Help,
    Check,
    Notice,
    Bill(PathBuf),
}

fn main() -> ExitCode {
    match run(lexopt::Parser::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("sbom: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

fn task(mut parser: lexopt::Parser, root: &Path) -> anyhow::Result<Task> {
    let mut task = None;
    while let Some(argument) = parser.next()? {
        let asked = match argument {
            Short('h') | Long("help") => Task::Help,
            Long("check") => Task::Check,
            Long("notice") => Task::Notice,
            Value(file) => Task::Bill(file.into()),
            other => return Err(other.unexpected()).context(HELP),
        };
        ensure!(task.replace(asked).is_none(), "one thing at a time\n\n{HELP}");
    }
    Ok(task.unwrap_or_else(|| Task::Bill(root.join("target/exposition.cdx.json"))))
}

fn run(parser: lexopt::Parser) -> anyhow::Result<()> {
    let root = root();
    match task(parser, &root)? {
        Task::Help => print!("{HELP}"),
        Task::Check => notice::check(&root)?,
        Task::Notice => {
            let text = notice::whole(&root, &shipped::packages(&root)?, &shipped::metadata(&root)?)?;
            std::fs::write(root.join(notice::FILE), text).context(notice::FILE)?;
        }
        Task::Bill(file) => {
            let bill = serde_json::to_string_pretty(&cyclonedx::bill(&root)?)? + "\n";
            std::fs::write(&file, bill).with_context(|| file.display().to_string())?;
            println!("{}", file.display());
        }
    }
    Ok(())
}
