//! The internal routes, under `/internal/import/`: jobs, parts, publication, reports, accounts ([`import`]), and the pull
//! ([`pull`]).

mod call;
pub mod error;
pub mod import;
mod jobs;
pub mod pull;
mod reports;
pub mod runs;
mod runtime;
pub mod services;
mod usage;
mod users;

pub use runtime::ImportRuntime;
