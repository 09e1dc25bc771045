//! What people meet first: the explorer, the documentation, the search, the status.
//!
//! | component | path | module |
//! | --- | --- | --- |
//! | `documentation` | `/`, `/static/…`, `/api/doc…` | [`documentation`] |
//! | `recherche` | `/api/recherche…` | [`api::search`] |
//! | `status` | `/api`, `/api/status`, `/etat`, everything unknown | [`status`] |
//!
//! Pages load nothing from elsewhere and use public routes only. [`openapi`] writes the one
//! description of all routes; `openapi.json` beside it is what it wrote.

pub mod documentation;
pub mod errors;
pub mod matching_openapi;
pub mod openapi;
mod report;
pub mod status;
pub mod template;

pub use documentation::PackedFile;
