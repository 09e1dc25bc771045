//! The record of a run: where it stands, what it was asked for, how it ended.

use crate::demand::{Configuration, Demand};
use publication::PublicationError;
use serde::{Deserialize, Serialize};
use store::KeyValueWrite;
use store::kv::{StoreError, to_json};

/// The key of the record of the latest run. It is created once and then only swapped.
const KEY: &str = "work:collecte";
/// The report of the latest run that ended: its keys are deleted with the rest of what it needed.
pub(crate) const REPORT_KEY: &str = "work:collecte:rapport";
/// The longest wait that a service may ask for: an hour. After that it is asked again, as often as calls are taken up.
pub(crate) const ASKED_WAIT_MAX_S: u64 = sources::RETRY_AFTER_MAX_MS / 1_000;

/// Where a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStep {
    /// The services are asked.
    #[default]
    #[serde(rename = "collecter")]
    Collect,
    /// Treatments 1 to 4.
    Nomenclature,
    /// The ACCE file.
    Etablissements,
    /// The catalogue of apprenticeships.
    Catalogue,
    /// Certif Info, Onisep, mothers.
    #[serde(rename = "liens")]
    Links,
    /// Treatment 5.
    #[serde(rename = "statistiques")]
    Statistics,
    /// Treatments 6 to 8.
    #[serde(rename = "grouper")]
    Group,
    /// The documents are handed to the publication.
    #[serde(rename = "remettre")]
    HandOver,
    /// The publication has them: its job has the same id.
    #[serde(rename = "remise")]
    HandedOver,
    /// Given up.
    #[serde(rename = "abandonnee")]
    GivenUp,
    /// Failed for good: nothing was published.
    #[serde(rename = "echec")]
    Failed,
}

impl RunStep {
    /// Whether the pull has done its part.
    #[must_use]
    pub fn is_final(self) -> bool {
        self >= Self::HandedOver
    }

    /// Its name, as the record has it.
    pub(crate) fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// The record of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id, and that of the job that publishes it.
    pub id: String,
    /// What it was asked for.
    #[serde(rename = "demande")]
    pub demand: Demand,
    /// When it was opened, in milliseconds since 1970.
    #[serde(rename = "ouvert_ms")]
    pub opened_ms: i64,
    /// When it ended.
    #[serde(rename = "fini_ms", default)]
    pub ended_ms: Option<i64>,
    /// Where it stands.
    #[serde(rename = "etape")]
    pub step: RunStep,
    /// Progress inside the step: done, of.
    #[serde(rename = "avancement")]
    pub progress: (usize, usize),
    /// What the step is about now.
    #[serde(rename = "objet")]
    pub object: String,
    /// Until when a service is left in peace, in milliseconds since 1970, and why.
    #[serde(rename = "attente", default)]
    pub wait: Option<(i64, String)>,
    /// Why it failed, where it did.
    #[serde(rename = "echec", default)]
    pub failure: Option<String>,
    /// What the deployment said when it was opened.
    pub configuration: Configuration,
    /// The run before it: killed at its very end, it may have left something.
    #[serde(rename = "precedente", default)]
    pub(crate) previous: Option<String>,
    /// What its keys begin with.
    #[serde(rename = "prefixe", default)]
    pub(crate) prefix: Option<String>,
    /// Where the state of its steps lies: fencing number, how many values.
    #[serde(rename = "etat", default)]
    pub(crate) state: Option<(u64, usize)>,
}

impl Run {
    /// The latest run, and its bytes as they lie in the store.
    pub(crate) async fn read<K: KeyValueWrite>(kv: &K) -> Result<Option<(Self, Vec<u8>)>, StoreError> {
        let Some(bytes) = kv.get(KEY).await? else { return Ok(None) };
        let read = serde_json::from_slice(&bytes).unwrap_or_else(|_| Self {
            // Whose it was is not known: it has ended, and the next run lets go of what it left.
            step: RunStep::Failed,
            failure: Some("l'enregistrement de la collecte est illisible".into()),
            ..Self::default()
        });
        Ok(Some((read, bytes)))
    }

    /// Whether a service is left in peace now. A wait that is longer than any that is ever begun is that of a clock that
    /// has been put right since: it is over.
    #[must_use]
    pub fn waits(&self, now: i64) -> bool {
        let max = i64::try_from(ASKED_WAIT_MAX_S).unwrap_or(i64::MAX).saturating_mul(1000);
        self.wait.as_ref().is_some_and(|(end, _)| *end > now && *end <= now.saturating_add(max))
    }

    /// Writes the record where nobody has changed it since it was read.
    pub(crate) async fn write<K: KeyValueWrite>(&self, kv: &K, before: Option<&[u8]>) -> Result<(), PublicationError> {
        let new = to_json(KEY, self)?;
        match before {
            None if kv.create(KEY, new.clone()).await? => Ok(()),
            Some(before) if new == before || kv.swap(KEY, before, new).await? => Ok(()),
            _ => Err(PublicationError::Overtaken),
        }
    }
}
