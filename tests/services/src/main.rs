//! `services`: the statistical services, simulated on loopback, until it is stopped.
//!
//! Prints its addresses and the variables to give to the application.

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
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| anyhow::anyhow!("{argument} wants a value\n{USAGE}"));
        match argument.as_str() {
            "--port" => options.port = value()?.parse()?,
            "--data" => match value()?.as_str() {
                "sample" => options.data = Data::Sample,
                "real" => options.data = Data::Real,
                "production" => production = true,
                other => anyhow::bail!("no data {other}\n{USAGE}"),
            },
            "--factor" => factor = value()?.parse()?,
            "--token-life" => options.token_life = Duration::from_secs(value()?.parse()?),
            "--replay" => replay = Some((value()?, value()?)),
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(());
            }
            other => anyhow::bail!("{other}?\n{USAGE}"),
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
