//! `host up`: serves a `spin.toml`, as `spin up` does.

use host::{Config, Host, Reuse};
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

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    match arguments.next().as_deref() {
        Some("up") => {}
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            return Ok(());
        }
        _ => return Err(USAGE.to_owned()),
    }
    let (config, control) = read_arguments(arguments)?;
    let host = Host::start(config).map_err(|error| error.to_string())?;
    announce(&host).map_err(|error| error.to_string())?;
    if let Some(control) = control {
        let address = host.open_control(control).map_err(|error| error.to_string())?;
        println!("Control port http://{address}");
    }
    host.run_until_interrupted();
    Ok(())
}

fn read_arguments(mut arguments: impl Iterator<Item = String>) -> Result<(Config, Option<SocketAddr>), String> {
    let mut config = Config::new("spin.toml");
    config.listen = SocketAddr::from(([127, 0, 0, 1], 3000));
    let mut control = None;
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || {
            let next = inline.clone().or_else(|| arguments.next());
            next.ok_or_else(|| format!("{name} needs a value"))
        };
        let Reuse { max_requests, max_concurrent, idle, .. } = &mut config.reuse;
        match name.as_str() {
            "--from" | "-f" => config.manifest = value()?.into(),
            "--listen" => config.listen = parsed(&name, &value()?)?,
            "--env-file" => config.env_file = Some(value()?.into()),
            "--store" => config.redis = Some(value()?),
            "--sqlite" => config.store = Some(value()?.into()),
            "--variable" => {
                let pair = value()?;
                let (key, text) = pair.split_once('=').ok_or("--variable is given as NAME=VALUE")?;
                config.variables.insert(key.to_owned(), text.to_owned());
            }
            "--max-instance-reuse-count" => *max_requests = parsed(&name, &value()?)?,
            "--max-instance-concurrent-reuse-count" => *max_concurrent = parsed(&name, &value()?)?,
            "--idle-instance-timeout" => {
                let seconds = value()?;
                *idle = Duration::try_from_secs_f64(parsed(&name, seconds.trim_end_matches('s'))?)
                    .map_err(|error| format!("{name}: {error}"))?;
            }
            "--control" => control = Some(parsed(&name, &value()?)?),
            "--fuel" => config.fuel = true,
            "--perf-map" => config.perf_map = true,
            "--fast-unsafe-store" => config.fast_unsafe_store = true,
            "--log-requests" => config.log_requests = true,
            _ => return Err(format!("unknown argument {name}\n\n{USAGE}")),
        }
    }
    Ok((config, control))
}

fn parsed<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| format!("{name} {text}: {error}"))
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
