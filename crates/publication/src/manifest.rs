//! What is known of a published generation.

use crate::record_stream::RecordStream;
use crate::secrecy::SecrecySettings;
use crate::writer::{Writer, put_long, read_long};
use domain::{DeclaredMaille, Kind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::PerFamily;
use store::keys;
use store::kv::{KeyValue, KeyValueWrite, StoreError, to_json};
use store::pointer::{LAYOUT, MillesimesInForce};
use store::public_record::DocumentCounts;

/// Version of how documents, rows and indexes are written into a layout: to be raised with every change that readers see.
pub(crate) const RENDERING: u32 = 3;

/// What is known of a published generation, for the next publication and for reports.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) generation: String,
    pub(crate) digest: String,
    pub(crate) documents: DocumentCounts,
    #[serde(rename = "octets")]
    pub(crate) bytes: PerFamily<u64>,
    pub(crate) sources: RecordStream,
    pub(crate) sequence: u64,
    pub(crate) millesimes: MillesimesInForce,
    /// How many partitions of the sources come first and hold statistics only.
    #[serde(rename = "statistiques", default)]
    pub(crate) statistics: usize,
    /// The declared mailles that have documents.
    #[serde(default)]
    pub(crate) declarations: BTreeMap<String, DeclaredMaille>,
    /// How its documents were written: see [`rendering`]. Version 0.1 did not say.
    #[serde(default)]
    pub(crate) rendering: String,
}

/// What decides, beside the data, what a generation holds: unchanged data makes a new generation where this changed.
pub(crate) fn rendering(indicators: &[String], secrecy: SecrecySettings) -> String {
    format!("{LAYOUT}.{RENDERING}.{}{}", indicators.join(","), secrecy.rendering())
}

pub(crate) const MANIFEST_FAMILY: &str = "manifeste";

impl Manifest {
    /// The documents as they were pushed.
    pub(crate) fn sources(&self) -> &RecordStream {
        &self.sources
    }

    /// The partitions of [`Manifest::sources`] that documents of these kinds may lie in.
    pub(crate) fn partitions(&self, kinds: &[Kind]) -> std::ops::Range<usize> {
        let statistics = kinds.iter().any(|k| k.maille().is_some());
        if statistics { 0..self.sources.partitions() } else { self.statistics..self.sources.partitions() }
    }

    pub(crate) async fn read<K: KeyValue>(kv: &K, generation: &str) -> Result<Self, StoreError> {
        let first = read_long(kv, generation, MANIFEST_FAMILY, 0, 1).await?;
        let damaged = || StoreError::Damaged(keys::value(generation, MANIFEST_FAMILY, 0));
        let count: usize = serde_json::from_slice(&first).map_err(|_| damaged())?;
        let bytes = read_long(kv, generation, MANIFEST_FAMILY, 1, count).await?;
        serde_json::from_slice(&bytes).map_err(|_| damaged())
    }

    pub(crate) async fn write<K: KeyValueWrite>(&self, writer: &mut Writer<'_, K>) -> Result<(), StoreError> {
        let bytes = to_json(MANIFEST_FAMILY, self)?;
        let count = put_long(writer, MANIFEST_FAMILY, 1, &bytes).await?;
        writer.put(MANIFEST_FAMILY, 0, count.to_string().into_bytes()).await
    }
}
