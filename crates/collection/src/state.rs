//! What the steps of a run need between two calls.

use crate::demand::Lot;
use crate::report::RunReport;
use publication::{Journal, Position, RecordStream, Totals, read_long};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sources::Call;
use std::collections::BTreeSet;
use store::KeyValueWrite;
use store::kv::StoreError;

/// A lot whose answers come in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LotInProgress {
    pub lot: Lot,
    #[serde(rename = "prefixe")]
    pub prefix: String,
    pub journal: Journal,
    /// Rows of the catalogue.
    pub total: u64,
    /// Calls done, from the first.
    #[serde(rename = "faits")]
    pub done: usize,
    /// How often the present call has failed, a step each.
    #[serde(rename = "tours")]
    pub rounds: u32,
    /// Calls that failed for good, and why.
    #[serde(rename = "echecs")]
    pub failures: Vec<(Call, String)>,
    #[serde(rename = "octets")]
    pub bytes: u64,
    /// How far the older lot was looked through for those, and which it had.
    #[serde(rename = "reprise", default)]
    pub resumed_at: Option<Position>,
    #[serde(rename = "repris", default)]
    pub resumed: BTreeSet<Call>,
}

/// What the steps need between two calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RunState {
    #[serde(rename = "a_appeler")]
    pub to_call: Vec<Lot>,
    /// The lot that the step is at.
    #[serde(rename = "rang")]
    pub rank: usize,
    pub lot: Option<LotInProgress>,
    /// How often the size of the catalogue was asked in vain.
    #[serde(rename = "tours_du_total")]
    pub rounds_of_total: u32,
    pub uais: Option<Vec<String>>,
    /// What the treatments look up: documents by kind.
    #[serde(rename = "contexte")]
    pub context: Journal,
    pub position: Position,
    /// Answers read of the present lot.
    #[serde(rename = "lues")]
    pub read: usize,
    #[serde(rename = "groupes")]
    pub groups: Option<RecordStream>,
    /// Partitions of each maille in `groups`.
    pub partitions: [usize; 3],
    /// Parts handed over, and what is known of them.
    #[serde(rename = "totaux", default)]
    pub totals: Totals,
    #[serde(rename = "rapport")]
    pub report: RunReport,
}

/// The family of the state that a call of this fencing number saved.
pub(crate) fn state_family(number: u64) -> String {
    format!("etat.{number}")
}

/// Reads a state, or as much of it as `T` names: the import, which only asks how a run stands, is made without the rest.
async fn read_part<K: KeyValueWrite, T: DeserializeOwned>(
    kv: &K,
    prefix: &str,
    (number, count): (u64, usize),
) -> Result<T, StoreError> {
    let family = state_family(number);
    let bytes = read_long(kv, store::Shelf::own(prefix), &family, 0, count).await?;
    serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged(family))
}

pub(crate) async fn read_state<K: KeyValueWrite>(
    kv: &K,
    prefix: &str,
    place: (u64, usize),
) -> Result<RunState, StoreError> {
    read_part(kv, prefix, place).await
}

/// Under which prefix the answers of a lot come in.
pub(crate) async fn lot_prefix<K: KeyValueWrite>(
    kv: &K,
    prefix: &str,
    place: (u64, usize),
) -> Result<Option<String>, StoreError> {
    #[derive(Deserialize)]
    struct PrefixOfLot {
        #[serde(rename = "prefixe")]
        prefix: String,
    }
    #[derive(Deserialize)]
    struct LotOfState {
        lot: Option<PrefixOfLot>,
    }
    let state: LotOfState = read_part(kv, prefix, place).await?;
    Ok(state.lot.map(|lot| lot.prefix))
}

/// The report, as it lies in the state.
pub(crate) async fn report<K: KeyValueWrite>(kv: &K, prefix: &str, place: (u64, usize)) -> Result<Value, StoreError> {
    #[derive(Deserialize)]
    struct ReportOfState {
        #[serde(rename = "rapport")]
        report: Value,
    }
    let state: ReportOfState = read_part(kv, prefix, place).await?;
    Ok(state.report)
}
