//! What people meet first: the explorer, the documentation, the search, the status.
//!
//! | component | path | module |
//! | --- | --- | --- |
//! | `documentation` | `/`, `/static/…`, `/api/doc…` | [`documentation`] |
//! | `recherche` | `/api/recherche…` | [`recherche`] |
//! | `status` | `/api`, `/api/status`, `/etat`, everything unknown | [`statut`] |
//!
//! Pages load nothing from elsewhere and use public routes only. [`openapi`] writes the one
//! description of all routes; `openapi.json` beside it is what it wrote.

pub mod documentation;
pub mod erreurs;
pub mod gabarit;
pub mod openapi;
mod rapport;
pub mod recherche;
pub mod statut;

pub use documentation::Fichier;
