//! All integration tests of the crate, one program: as many programs would each compile the routes anew, and the steps that
//! make what they serve, since both are generic over the store.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test stops where it fails")]

mod coming_formats;
mod common;
mod damage;
mod exports;
mod identifiers;
mod instance;
mod lots;
mod matcher;
mod mcp;
mod pictures;
mod routes;
