//! `importer`: sends documents to the import routes and carries their publication to its end; accounts and keys.
//!
//! Files are cut into parts ([`parts`]), sent through [`service`], published step by step ([`publication`]) and what
//! came of it is told ([`report`]). The service collects from the statistical services by itself; [`pull`] follows it. A broken run is taken up where it stopped ([`resume`]). [`users`] keeps accounts.

#![allow(clippy::indexing_slicing, reason = "only JSON values are indexed, which answer null")]

mod files;
mod operations;
mod options;
mod parts;
mod publication;
mod pull;
mod report;
mod resume;
mod service;
mod users;

use options::Command;
use std::process::ExitCode;

/// The service waits for a confirmation.
const TO_CONFIRM: u8 = 3;
/// The service waits for a signature.
const TO_SIGN: u8 = 4;
/// Lines were refused, nothing is published.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    let done = match Command::read(std::env::args().skip(1), service::Service::new) {
        Ok(Command::Help(text)) => {
            print!("{text}");
            Ok(0)
        }
        Ok(Command::Publish(options)) => publication::publish(&options),
        Ok(Command::Pull(options)) => pull::pull(&options),
        Ok(Command::Operate { service, operation, json, yes }) => operations::run(&service, &operation, json, yes),
        Ok(Command::Reports { service, id, json }) => pull::reports(&service, id.as_deref(), json).map(|()| 0),
        Ok(Command::Users(service, action)) => users::run(&service, action).map(|()| 0),
        Err(fault) => Err(fault),
    };
    match done {
        Ok(code) => code.into(),
        Err(fault) => {
            eprintln!("import : {fault:#}");
            ExitCode::FAILURE
        }
    }
}
