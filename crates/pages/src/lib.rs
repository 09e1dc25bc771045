//! What people meet first: the public site, the documentation, the status.
//!
//! | component | path | module |
//! | --- | --- | --- |
//! | `site` | `/`, `/recherche`, `/certifications/…`, `/etablissements/…`, `/comparer`, texts, site map | [`site`] |
//! | `documentation` | `/static/…`, `/api/doc…`, `/.well-known/security.txt` | [`documentation`], [`records`] |
//! | `recherche` | `/api/recherche…` | [`api::search`] |
//! | `status` | `/api`, `/api/status`, `/api/exports`, `/etat…`, `/api/changements…`, `/api/calendrier…`, everything unknown | [`status`] |
//!
//! Pages load nothing from elsewhere and show what public routes answer. `openapi.json` is the one description of all
//! routes: it is written by hand, served as it lies here, and held to the code by `tests/openapi.rs`.

mod calendar;
mod changes;
mod coverage;
pub mod documentation;
pub mod errors;
mod exports;
pub mod fields;
pub mod records;
mod reference;
mod report;
pub mod site;
pub mod status;
pub mod template;

pub use documentation::PackedFile;
