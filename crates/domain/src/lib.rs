//! What an indicator document is.
//!
//! The rules of the field live here, each in exactly one place: the shape of codes ([`code`]),
//! the two spellings of a millesime ([`millesime`]), territories ([`territory`]), levels of diplomas ([`level`]), the names of
//! the indicators ([`indicator`]), the stored forms of passwords ([`password`]), the kinds of pushed documents and their keys ([`kind`]), the mailles that a push declares ([`declared`]), rates and rounding ([`rate`]), the publication
//! threshold ([`threshold`]), and sums that do not open what it hides ([`disclosure`]).
//!
//! Nothing in this crate does I/O or knows a runtime.

pub mod calendar;
pub mod code;
pub mod date;
pub mod declared;
pub mod disclosure;
pub mod filiere;
pub mod indicator;
pub mod kind;
pub mod letters;
pub mod level;
pub mod maille;
pub mod millesime;
pub mod password;
pub mod presentation;
pub mod rates;
pub mod territory;
pub mod threshold;
pub mod uai;
mod unique;

pub use code::{CodeCertification, CodeType};
pub use declared::DeclaredMaille;
pub use filiere::{Filiere, Universe};
pub use kind::Kind;
pub use maille::Maille;
pub use millesime::Millesime;
pub use password::StoredPassword;
pub use threshold::{PUBLICATION_THRESHOLD, PublishedDocument, Secrecy};
pub use uai::Uai;
pub use unique::unique;

/// A JSON object whose fields keep the order in which they were pushed.
pub type Document = serde_json::Map<String, serde_json::Value>;
