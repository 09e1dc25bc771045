//! What the built components contain: a CycloneDX bill of materials ([`cyclonedx`]), and the NOTICE with the licences
//! ([`notice`]).
//!
//! What counts is what is linked into a component of `spin.toml` or `deploy/spin-cron/spin.toml` for `wasm32-wasip2`
//! ([`shipped`]), and what is embedded beside it. Programs of a developer's machine and tests are not shipped.

#![allow(clippy::indexing_slicing, reason = "only JSON values are indexed, which answer null")]

pub mod cyclonedx;
pub mod licence;
pub mod notice;
pub mod shipped;

use std::path::{Path, PathBuf};

/// The root of the project.
#[must_use]
pub fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.ancestors().nth(2).unwrap_or(folder).to_owned()
}
