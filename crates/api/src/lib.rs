//! The HTTP contract of the read API.
//!
//! A route is a function from a [`Request`] to a [`Response`], over a [`Runtime`]: the store, the
//! clock, the variables. Order of what is looked at (contract, "Request handling"): body, route,
//! key, parameters, data. [`routes`] names one function for each component; the rest is what they
//! share.
//!
//! Known quirks, kept because re-users depend on them: lists answer `application/json` without
//! charset, everything else with it; `page=0` means the default; the values of `page` and
//! `items_par_page` are echoed in errors as the former service's sanitizer wrote them.

pub mod access;
pub mod accounts;
mod body;
mod comparison;
mod document;
pub mod error;
mod export;
pub mod fields;
mod filieres;
mod going;
pub mod identifiers;
pub mod links;
mod list;
pub mod lots;
pub mod matcher;
mod matching_data;
pub mod mcp;
mod parameters;
pub mod picture;
mod place;
mod public;
pub mod quota;
mod request;
mod response;
pub mod routes;
mod runtime;
pub mod search;
mod stream;
pub mod validation;

pub use body::read as read_body;
pub use request::{Headers, Request, decode_segment, one_value, read_segment};
pub use response::{AGE, Header, Response, ResponseBody, accepts_gzip};
pub use runtime::{LogFact, Runtime, VariableFault, open};
pub use stream::{BodyStream, Piece};

/// Version of how answers are rendered: part of every ETag, so that a change of rendering is seen.
pub const RENDERING_VERSION: &str = "1";
