//! The HTTP contract of the read API.
//!
//! A route is a function from a [`Requete`] to a [`Reponse`], over a [`Monde`]: the store, the
//! clock, the variables. Order of what is looked at (contract, "Request handling"): body, route,
//! key, parameters, data. [`routes`] names one function for each component; the rest is what they
//! share.
//!
//! Known quirks, kept because re-users depend on them: lists answer `application/json` without
//! charset, everything else with it; `page=0` means the default; the values of `page` and
//! `items_par_page` are echoed in errors as the former service's sanitizer wrote them.

pub mod acces;
pub mod collectes;
pub mod comptes;
mod corps;
mod document;
pub mod erreur;
mod filieres;
pub mod import;
mod liste;
mod monde;
mod parametres;
mod rapports;
mod reponse;
mod requete;
pub mod routes;
pub mod services;
mod stream;
mod validation;

pub use corps::lire as lire_corps;
pub use monde::Monde;
pub use reponse::{Corps, Entete, Reponse, accepte_gzip};
pub use requete::{Entetes, Requete, lire_segment};
pub use stream::{BodyStream, Piece};

/// Version of how answers are rendered: part of every ETag, so that a change of rendering is seen.
pub const VERSION_RENDU: &str = "1";
