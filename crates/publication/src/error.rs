//! Why a publication cannot go on.

use store::kv::StoreError;

/// What cannot be done now, and what the caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicationError {
    /// No such job: it was never opened, or its time is over.
    #[error("le travail {0} n'existe pas ou n'existe plus")]
    UnknownJob(String),
    /// Someone else publishes: try again later.
    #[error("une autre publication est en cours ({job}) ; réessayer dans {seconds} s")]
    Busy {
        /// Who holds the lease.
        job: String,
        /// When it ends at the latest.
        seconds: i64,
    },
    /// Another call advanced the same job at the same time; this one changed nothing.
    #[error("un autre appel fait avancer le même travail")]
    Overtaken,
    /// The call does not fit where the job stands.
    #[error("{0}")]
    Refused(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
