//! What anyone may know of a generation: when it was made, from what, how many documents it holds.
//! It lies in the generation, so that it goes back with it on a rollback.

use crate::kv::{KeyValue, StoreError};
use crate::lecture::Lecteur;
use crate::publication::Effectifs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Its family in a generation.
pub const FAMILLE: &str = "public";

/// The public record of a generation. Counts of documents, never an indicator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordPublic {
    /// The job that made it.
    pub travail: String,
    /// When that job was opened, in milliseconds since 1970.
    pub ouvert_ms: i64,
    /// Lines it received, by kind.
    pub lignes: BTreeMap<String, u64>,
    /// Documents carried over from the generation before.
    pub reprises: u64,
    /// Documents by maille, millesime and provenance.
    pub documents: Effectifs,
    /// Documents whose figures the threshold hides, by maille.
    pub sous_seuil: BTreeMap<String, u64>,
    /// Digest of the published documents, in hexadecimal.
    pub digest: String,
}

impl<K: KeyValue> Lecteur<K> {
    /// The public record; `None` for a generation made before there were any.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn record_public(&self) -> Result<Option<RecordPublic>, StoreError> {
        match self.valeur(FAMILLE, 0).await {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(StoreError::Damaged(_)) => Ok(None),
            Err(erreur) => Err(erreur),
        }
    }

    /// A value that lies outside generations and is public, such as the reports of imports.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn rapports_publics(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.hors_generation(crate::cle::REPORTS).await
    }
}
