//! What anyone may know of a generation: when it was made, from what, how many documents it holds.
//! It lies in the generation, so that it goes back with it on a rollback.

use crate::kv::{KeyValue, StoreError};
use crate::reading::Reader;
use crate::{frame, keys};
use domain::Secrecy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Its family in a generation.
pub const FAMILY: &str = "public";

/// Documents by maille, millesime and provenance: `effectifs["formations"]["2022_2023"]["self"]`.
pub type DocumentCounts = BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>>;

/// The public record of a generation. Counts of documents, never an indicator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicRecord {
    /// The job that made it.
    #[serde(rename = "travail")]
    pub work: String,
    /// When that job was opened, in milliseconds since 1970.
    #[serde(rename = "ouvert_ms")]
    pub opened_ms: i64,
    /// Lines it received, by kind.
    #[serde(rename = "lignes")]
    pub rows: BTreeMap<String, u64>,
    /// Documents carried over from the generation before.
    #[serde(rename = "reprises")]
    pub carried_over: u64,
    /// Documents by maille, millesime and provenance.
    pub documents: DocumentCounts,
    /// Documents whose figures the threshold hides, by maille.
    #[serde(rename = "sous_seuil")]
    pub below_threshold: BTreeMap<String, u64>,
    /// Digest of the documents as they leave, in hexadecimal.
    pub digest: String,
    /// How far the threshold reaches in them.
    #[serde(rename = "secret", default)]
    pub secrecy: Secrecy,
    /// Whether figures are withheld from which those of a small group would follow.
    #[serde(rename = "secret_secondaire", default)]
    pub secondary: bool,
    /// How many documents that is, by maille and millesime.
    #[serde(rename = "masques_secondaires", default)]
    pub withheld: BTreeMap<String, BTreeMap<String, u64>>,
    /// Digests of the rows of each list as its CSV export has them. Versions before did not say.
    #[serde(rename = "empreintes", default)]
    pub exports: BTreeMap<String, String>,
}

impl<K: KeyValue> Reader<K> {
    /// The public record; `None` for a generation made before there were any.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn public_record(&self) -> Result<Option<PublicRecord>, StoreError> {
        let value = self.value(FAMILY, 0).await?;
        serde_json::from_slice(value.content()?).map(Some).map_err(|_| value.damaged())
    }

    /// What lies beside generations for everyone to see, as JSON: [`keys::REPORTS`], [`keys::USAGE`], [`keys::HISTORY`]; `None`
    /// where nothing was written yet.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn shown_beside(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.outside_generation(key).await?.map(|value| open_shown(key, &value)).transpose()
    }
}

/// Reads the stored form of what is shown beside generations; the version before wrote the array of reports as it is.
///
/// # Errors
/// [`StoreError::Damaged`].
pub fn open_shown(key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
    let bare = key == keys::REPORTS && value.starts_with(b"[");
    let content = if bare { Ok(value) } else { frame::open(key, value) };
    content.map(<[u8]>::to_vec).map_err(|_| StoreError::Damaged(key.to_owned()))
}
