//! `host up`: serves a `spin.toml`, as `spin up` does.

use host::{Config, Host, Reuse};
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
host up: serves the application of a spin.toml on this machine, for development.

  --from FILE                                 the manifest (spin.toml)
  --listen ADDRESS                            where to listen (127.0.0.1:3000)
  --env-file FILE                             SPIN_VARIABLE_… lines (.env beside the manifest)
  --variable NAME=VALUE                       an application variable; may be repeated
  --store redis://HOST:PORT                   a Redis or Valkey server as the key-value store
  --sqlite FILE                               the key-value store (.spin/sqlite_key_value.db beside the manifest)
  --max-instance-reuse-count N                requests an instance answers (128)
  --max-instance-concurrent-reuse-count N     of them at the same time (16)
  --idle-instance-timeout SECONDS             how long an instance without work is kept (1)
  --control ADDRESS                           opens a control port for tests: clock, faults, counters
  --fuel                                      counts the fuel guests consume
  --perf-map                                  names guest functions for perf; build components with strip = false
  --fast-unsafe-store                         skips every fsync of the store; tests only
  --log-requests                              prints a line per request
";

/// Where to listen, and the port for tests where one is asked for.
type Asked = (Config, Option<SocketAddr>);

fn main() -> ExitCode {
    match run(lexopt::Parser::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(parser: lexopt::Parser) -> Result<(), String> {
    let Some((config, control)) = read_arguments(parser).map_err(|fault| format!("{fault}\n\n{USAGE}"))? else {
        print!("{USAGE}");
        return Ok(());
    };
    let host = Host::start(config).map_err(|error| error.to_string())?;
    announce(&host).map_err(|error| error.to_string())?;
    if let Some(control) = control {
        let address = host.open_control(control).map_err(|error| error.to_string())?;
        println!("Control port http://{address}");
    }
    host.run_until_interrupted();
    Ok(())
}

/// `None`: help was asked for.
fn read_arguments(mut parser: lexopt::Parser) -> Result<Option<Asked>, lexopt::Error> {
    let mut config = Config::new("spin.toml");
    config.listen = SocketAddr::from(([127, 0, 0, 1], 3000));
    let mut control = None;
    let mut command = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Value(word) if command.is_none() => command = Some(word.string()?),
            Short('f') => config.manifest = parser.value()?.into(),
            Long(option) => {
                let option = option.to_owned();
                read_option(&option, &mut parser, &mut config, &mut control)
                    .map_err(|fault| format!("--{option}: {fault}"))?;
            }
            other => return Err(other.unexpected()),
        }
    }
    match command.as_deref() {
        Some("up") => Ok(Some((config, control))),
        Some("help") => Ok(None),
        Some(other) => Err(format!("unknown command {other}").into()),
        None => Err("no command".into()),
    }
}

/// Reads the value of an option that is written out.
fn read_option(
    option: &str,
    parser: &mut lexopt::Parser,
    config: &mut Config,
    control: &mut Option<SocketAddr>,
) -> Result<(), lexopt::Error> {
    let Reuse { max_requests, max_concurrent, idle, .. } = &mut config.reuse;
    match option {
        "from" => config.manifest = parser.value()?.into(),
        "listen" => config.listen = parser.value()?.parse()?,
        "env-file" => config.env_file = Some(parser.value()?.into()),
        "store" => config.redis = Some(parser.value()?.string()?),
        "sqlite" => config.store = Some(parser.value()?.into()),
        "variable" => {
            let pair = parser.value()?.string()?;
            let (key, text) = pair.split_once('=').ok_or("is given as NAME=VALUE")?;
            config.variables.insert(key.to_owned(), text.to_owned());
        }
        "max-instance-reuse-count" => *max_requests = parser.value()?.parse()?,
        "max-instance-concurrent-reuse-count" => *max_concurrent = parser.value()?.parse()?,
        "idle-instance-timeout" => {
            let seconds = parser.value()?.parse_with(|text| text.trim_end_matches('s').parse())?;
            *idle = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
        }
        "control" => *control = Some(parser.value()?.parse()?),
        "fuel" => config.fuel = true,
        "perf-map" => config.perf_map = true,
        "fast-unsafe-store" => config.fast_unsafe_store = true,
        "log-requests" => config.log_requests = true,
        _ => return Err("no such option".into()),
    }
    Ok(())
}

/// The start-up message, in the words of `spin up`.
fn announce(host: &Host) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let address = host.address();
    writeln!(out, "Storing default key-value data to {}.", host.shown_store())?;
    writeln!(out, "\nServing http://{address}")?;
    writeln!(out, "Available Routes:")?;
    for route in host.routes() {
        match &route.path {
            Some(path) => writeln!(out, "  {}: http://{address}{path}", route.component)?,
            None => writeln!(out, "  {}: private (http://{0}.spin.internal)", route.component)?,
        }
        if !route.description.is_empty() {
            writeln!(out, "    {}", route.description)?;
        }
    }
    out.flush()
}
