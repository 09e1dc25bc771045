//! Reads the logs of requests, the application's and nginx's.
//!
//! A report of usage by re-user, route, day, status and certification; a public sum that names nobody; metrics for
//! Prometheus while lines come in. They come from logs because the application has no memory of its own to count in: an
//! instance lives for a moment, knows nothing of the others, and may not write.

#![allow(clippy::indexing_slicing, reason = "an index into JSON gives null where there is nothing")]

pub mod metrics;
pub mod public;
pub mod record;
pub mod report;
pub mod totals;
