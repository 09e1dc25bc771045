//! `dataset`: makes pushed documents. See `dataset --help`.

use anyhow::{Context, bail};
use dataset::{Line, production::Production, real::Real, write};
use domain::Kind;
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;
use std::{path::PathBuf, process::ExitCode, time::Instant};

const HELP: &str = "\
Makes pushed documents, one file a kind: <kind>.ndjson, lines {\"kind\": …, \"doc\": {…}}.

Usage:
  dataset sample     --out DIR
      Fictitious and small: the data/ of the project, always the same.

  dataset real       --data DATA --out DIR
      The open regional figures joined with the nomenclature; national documents are
      sums over regions, and say so.

  dataset production [--data DATA] [--factor F] --out DIR
      As many documents as in production times F (1 where it is not given), for
      measurements. Real keys where DATA is there, else invented ones; rates are
      invented, and every label says so. F is above 0 and at most 20.

DATA is the folder of reference data: ../shared/data from the project's root.
Files of DIR are replaced. Progress and counts go to stderr.

  dataset --help
";

fn main() -> ExitCode {
    match run(lexopt::Parser::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dataset: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line asks for.
#[derive(Default)]
struct Options {
    out: Option<PathBuf>,
    data: Option<PathBuf>,
    factor: Option<f64>,
}

fn run(mut parser: lexopt::Parser) -> anyhow::Result<()> {
    let mut command = None;
    let mut options = Options::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => {
                print!("{HELP}");
                return Ok(());
            }
            Value(word) if command.is_none() => command = Some(word.string()?),
            Long("out") => options.out = Some(parser.value()?.into()),
            Long("data") => options.data = Some(parser.value()?.into()),
            Long("factor") => options.factor = Some(parser.value()?.parse()?),
            other => return Err(other.unexpected()).context("see --help"),
        }
    }
    let command = command.context("no command: sample, real or production (see --help)")?;
    let out = options.out.context("--out DIR is needed (see --help)")?;
    match command.as_str() {
        "sample" => report(&out, dataset::sample::lines()),
        "real" => {
            let data = options.data.context("--data DIR is needed: the folder of reference data (see --help)")?;
            eprintln!("reading {} …", data.display());
            report(&out, Real::read(&data)?.lines())
        }
        "production" => {
            let data = options.data.filter(|data| {
                let there = data.join("bcn").is_dir();
                if !there {
                    eprintln!("no reference data in {}", data.display());
                }
                there
            });
            match &data {
                Some(data) => eprintln!("real keys from {}, invented rates", data.display()),
                None => eprintln!("invented keys and rates"),
            }
            report(&out, Production::new(options.factor.unwrap_or(1.0), data.as_deref())?.lines())
        }
        _ => bail!("unknown command {command}: sample, real or production (see --help)"),
    }
}

/// Writes the lines, and says on stderr what was written.
fn report(out: &std::path::Path, lines: impl Iterator<Item = Line>) -> anyhow::Result<()> {
    let start = Instant::now();
    let progress = |kind: Kind, lines: u64| eprintln!("  {}: {lines} …", kind.name());
    let written = write(out, lines, progress)?;
    for (kind, written) in &written {
        eprintln!(
            "{:>9} lines {:>12} bytes  {}",
            written.lines,
            written.bytes,
            out.join(dataset::file_name(*kind)).display()
        );
    }
    let (lines, bytes) = written.values().fold((0, 0), |(l, b), w| (l + w.lines, b + w.bytes));
    eprintln!("{lines:>9} lines {bytes:>12} bytes  in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
