//! Publication: from pushed documents to a generation that readers follow.
//!
//! A job stages parts ([`depot`]), then runs through bounded steps ([`etapes`]):
//!
//! | step | reads | writes |
//! | --- | --- | --- |
//! | `repartir` | parts, and the sources of the generation in use | sources, cut into partitions by hash |
//! | `construire` | one partition at a time | bundles; rows and counts into sorting streams |
//! | `lister` | one partition of rows at a time | segments, pages, plans |
//! | `compter` | one partition of counts at a time | bundles of counts |
//! | `indexer` | one partition of labels, words or places at a time | the search index |
//! | `verifier` | every value written | nothing: each must be whole and add up |
//! | `basculer` | the pointer | the pointer, in one write |
//!
//! No step holds more than one partition (some 3 MB) and the buffers of the streams, whatever the
//! size of the data. Killed anywhere and started again, a job ends in the same bytes: what a
//! step appends lies under the fencing number of its attempt and counts only once the job's
//! record says so, and everything else is a function of what was read.

pub mod depot;
mod echange;
mod ecrivain;
mod etapes;
mod flux;
mod journal;
mod lignes;
mod listes;
mod registre;
mod servies;
mod travail;

pub use depot::{Depot, DepotError, PartInfo, Refus, hex};
pub use echange::{changer, changer_ou_refaire};
pub use ecrivain::{Ecrivain, lire_long, poser_long};
pub use etapes::{avancer, retour_arriere};
pub use flux::{Flux, Partition};
pub use journal::{Journal, Lecture, Position};
pub use lignes::{Controle, LigneRefusee, LigneValide};
pub use registre::{Bail, EtatRegistre, Generation, Registre, Served, menage};
pub use servies::parcourir_servies;
pub use travail::{
    APPEL_MAX_MS, ATTENTE_MAX_MS, Bilan, Consigne, DEPOT_MAX_MS, Effectifs, Etape, Job, Mode, Ouverture, Perimetre,
    PublicationError, Totaux, ouvrir, ouvrir_collecte, ouvrir_en_un_appel,
};

use crate::kv::StoreError;
use domain::Document;
use std::future::Future;

/// What a publication needs of the world around it.
pub trait Environnement {
    /// Milliseconds since 1970: for leases and for what leaves the pointer.
    fn maintenant_ms(&self) -> i64;

    /// A clock that never goes back, in milliseconds: for the length of a step.
    fn monotone_ms(&self) -> u64;

    /// Writes an account. Accounts lie outside generations and rollback.
    fn utilisateur(&self, document: &Document) -> impl Future<Output = Result<(), StoreError>>;

    /// How many values one batch may hold: 25 where the deployment's profile allows batches.
    fn lot(&self) -> usize;
}
