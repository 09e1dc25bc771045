//! `services`: the statistical services, simulated on loopback, until it is stopped.
//!
//! Prints its addresses and the variables to give to the application.

use anyhow::Context;
use lexopt::Arg::{Long, Short};
use lexopt::ValueExt;
use services::{Data, Options, Service, Services, exchanges};
use std::path::Path;
use std::time::Duration;

const USAGE: &str = "usage: services [--port N] [--data sample|real|production] [--factor X] [--token-life SECONDS] \
[--replay FILE CASE]

Serves the real tables of ../shared/data where they are, else the sample. --factor multiplies the production size.
While it runs: POST /_fautes, POST /_rejeu, GET or DELETE /_appels (see the crate's documentation).";

fn main() -> anyhow::Result<()> {
    let mut options = Options { port: 4000, ..Options::default() };
    let mut factor = 1.0;
    let mut production = false;
    let mut replay = None;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => {
                println!("{USAGE}");
                return Ok(());
            }
            Long("port") => options.port = parser.value()?.parse()?,
            Long("data") => match parser.value()?.string()?.as_str() {
                "sample" => options.data = Data::Sample,
                "real" => options.data = Data::Real,
                "production" => production = true,
                other => anyhow::bail!("no data {other}\n{USAGE}"),
            },
            Long("factor") => factor = parser.value()?.parse()?,
            Long("token-life") => options.token_life = Duration::from_secs(parser.value()?.parse()?),
            Long("replay") => replay = Some((parser.value()?.string()?, parser.value()?.string()?)),
            other => return Err(other.unexpected()).context(USAGE),
        }
    }
    if production {
        options.data = Data::Production(factor);
    }
    let services = Services::start(options)?;
    if let Some((file, case)) = replay {
        services.replay(Some(&exchanges(Path::new(&file), &case)?))?;
    }
    for service in Service::ALL {
        println!("# {:<18} {}", service.name(), services.base_url(service));
    }
    let millesimes = services.millesimes();
    println!("# years {}; periods {}", millesimes.years.join(" "), millesimes.periods.join(" "));
    for (name, value) in services.variables() {
        println!("SPIN_VARIABLE_{}={value}", name.to_ascii_uppercase());
    }
    // Until a signal ends it.
    loop {
        std::thread::park();
    }
}
