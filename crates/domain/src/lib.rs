//! What an indicator document is.
//!
//! The rules of the field live here, each in exactly one place: the shape of codes ([`code`]),
//! the two spellings of a millesime ([`millesime`]), territories ([`territoire`]), the names of
//! the indicators ([`indicateur`]), the kinds of pushed documents and their keys ([`kind`]), the mailles that a push declares ([`declaree`]), rates and rounding ([`taux`]), and the publication
//! threshold ([`seuil`]).
//!
//! Nothing in this crate does I/O or knows a runtime.

pub mod code;
pub mod date;
pub mod declaree;
pub mod filiere;
pub mod indicateur;
pub mod kind;
pub mod maille;
pub mod millesime;
pub mod presentation;
pub mod seuil;
pub mod taux;
pub mod territoire;
pub mod uai;

pub use code::{CodeCertification, TypeCode};
pub use declaree::MailleDeclaree;
pub use filiere::{Filiere, Univers};
pub use kind::Kind;
pub use maille::Maille;
pub use millesime::Millesime;
pub use seuil::{DocumentPublie, SEUIL_PUBLICATION};
pub use uai::Uai;

/// A JSON object whose fields keep the order in which they were pushed.
pub type Document = serde_json::Map<String, serde_json::Value>;
