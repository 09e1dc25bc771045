//! The internal routes, under `/internal/import/`: jobs, parts and publication ([`import`]), the pull ([`pull`]), accounts
//! and the sum of usage ([`ledger`]), and what is looked up ([`lookups`]).

mod call;
pub mod error;
pub mod import;
mod jobs;
pub mod ledger;
pub mod lookups;
pub mod pull;
mod reports;
pub mod runs;
mod runtime;
pub mod services;
mod usage;
mod users;

pub use runtime::ImportRuntime;
