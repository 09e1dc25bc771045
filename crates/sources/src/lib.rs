//! Clients of the statistical services, over the small trait [`outside::Fetch`].
//!
//! Three things, kept apart so that an import can stop anywhere and go on:
//!
//! 1. **which calls to make**: [`Call`] and the lists in [`plan`]; a call is a small value that
//!    can be stored and made again;
//! 2. **making one call**: [`Sources::make`] logs in where the service wants it, keeps to five
//!    requests a second, retries, and streams the raw answer into an [`outside::Sink`] (the staging area);
//! 3. **reading a staged answer**: [`AnswerReader`] takes it in chunks of any size and hands out its rows
//!    one at a time, so that memory does not grow with the answer.
//!
//! ```text
//! plan::…  → Call → Sources::make → raw bytes, staged → Reader → rows → the treatments
//! ```
//!
//! Nothing here knows a runtime: time and chance come from an [`outside::Clock`], the network from [`outside::Fetch`].
//! Secrets are of type [`Secret`], which prints nothing; errors name the service, the call and
//! what to do, and never hold a header, a body or a base URL.

pub mod call;
pub mod config;
mod csv;
mod error;
mod json;
pub mod plan;
mod read;
mod schema;
mod services;
mod transport;

pub use call::{BcnTable, Call, Service};
pub use config::{Config, Secret};
pub use error::SourceError;
pub use read::{AnswerReader, ReadReport, catalogue_total};
pub use services::{Made, Outcome, Sources};
pub use transport::{Limits, RETRY_AFTER_MAX_MS, Tally};
