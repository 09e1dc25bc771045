//! `sbom [FILE]`: the bill of materials of the built components; `--notice` and `--check`: the file NOTICE.

use anyhow::{Context, bail};
use sbom::{cyclonedx, notice, root, shipped};
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
Lists what is linked into the components: cargo's lock file and manifests say it, nothing is installed.

  scripts/sbom [FILE]     writes a CycloneDX bill of materials (target/exposition.cdx.json)
  scripts/sbom --notice   writes NOTICE: what is shipped, under which licence, with the texts
  scripts/sbom --check    tells whether NOTICE is stale, or a licence is not allowed by deny.toml
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("sbom: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let root = root();
    match std::env::args().nth(1).as_deref() {
        Some("-h" | "--help") => print!("{HELP}"),
        Some("--check") => notice::check(&root)?,
        Some("--notice") => {
            let text = notice::whole(&root, &shipped::packages(&root)?, &shipped::metadata(&root)?)?;
            std::fs::write(root.join(notice::FILE), text).context(notice::FILE)?;
        }
        Some(option) if option.starts_with('-') => bail!("unknown option {option}\n\n{HELP}"),
        file => {
            let file = file.map_or_else(|| root.join("target/exposition.cdx.json"), PathBuf::from);
            let bill = serde_json::to_string_pretty(&cyclonedx::bill(&root)?)? + "\n";
            std::fs::write(&file, bill).with_context(|| file.display().to_string())?;
            println!("{}", file.display());
        }
    }
    Ok(())
}
