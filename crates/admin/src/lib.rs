//! The internal routes, under `/internal/import/`: jobs, parts, publication, pulls, reports, accounts.

pub mod error;
pub mod import;
mod reports;
pub mod runs;
pub mod services;
