//! The internal routes, under `/internal/import/`: jobs, parts, publication, pulls, reports, accounts.

mod call;
pub mod error;
pub mod import;
mod jobs;
mod reports;
pub mod runs;
mod runtime;
pub mod services;
mod users;

pub use runtime::ImportRuntime;
