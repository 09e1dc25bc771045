//! What is known of a published generation.

use crate::origins::Origins;
use crate::record_stream::RecordStream;
use crate::secrecy::SecrecySettings;
use crate::writer::{Writer, put_long, read_long};
use domain::{DeclaredMaille, Kind, Maille};
use plausibility::Columns;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::keys::{self, Family};
use store::kv::{KeyValue, KeyValueWrite, StoreError, to_json};
use store::pointer::{LAYOUT, MillesimesInForce};
use store::public_record::DocumentCounts;
use store::{LayoutVersion, PerFamily, Shelf};

/// Version of how documents, rows and indexes are written into a layout: to be raised with every change that readers see.
pub(crate) const RENDERING: u32 = 4;

/// What is known of a published generation, for the next publication and for reports.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) generation: String,
    /// Version 0.1 did not say.
    #[serde(default = "first_layout")]
    pub(crate) layout: u32,
    pub(crate) digest: String,
    pub(crate) documents: DocumentCounts,
    #[serde(rename = "octets")]
    pub(crate) bytes: PerFamily<u64>,
    /// The same of documents without a family. The first ones of layout 4, and those before, did not say.
    #[serde(rename = "octets_tables", default)]
    pub(crate) table_bytes: Option<u64>,
    /// Documents that are no statistics, by kind: what the guard compares. Those did not say either.
    #[serde(default)]
    pub(crate) tables: BTreeMap<String, u64>,
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
    /// What the next publication compares columns with. Versions before did not say.
    #[serde(rename = "colonnes", default)]
    pub(crate) columns: Columns,
    /// How many values the outlines of its statistics lie in. Versions before had none.
    #[serde(rename = "contours", default)]
    pub(crate) outlines: usize,
    /// What those outlines say: see `outlines::FORM`.
    #[serde(rename = "forme_contours", default)]
    pub(crate) outline_form: u32,
    /// A digest of the rows of the nomenclature, whatever their order.
    #[serde(rename = "nomenclature", default)]
    pub(crate) nomenclature: u64,
    /// How many partitions of the sources each family has; none where a version before did not say.
    #[serde(rename = "partitions", default)]
    pub(crate) by_family: PerFamily<usize>,
    /// Where its documents come from.
    #[serde(rename = "origines", default)]
    pub(crate) origins: Origins,
}

/// Among [`Manifest::tables`], the courses of the nomenclature: a part of one kind, and no kind of its own.
pub(crate) const MEFS: &str = "bcn.mef";

/// What documents without a family are taken for where a manifest does not say: more than the tables of the services hold.
const TABLES_UNKNOWN: u64 = 192 * 1024 * 1024;

fn first_layout() -> u32 {
    3
}

/// What decides, beside the data, what a generation holds: unchanged data makes a new generation where this changed.
pub(crate) fn rendering(indicators: &[String], secrecy: SecrecySettings) -> String {
    format!("{LAYOUT}.{RENDERING}.{}{}", indicators.join(","), secrecy.rendering())
}

pub(crate) const MANIFEST_FAMILY: &str = "manifeste";

impl Manifest {
    /// Where its generation lies.
    pub(crate) fn shelf(&self) -> Result<Shelf<'_>, StoreError> {
        let other = || StoreError::OtherLayout { key: self.generation.clone(), layout: self.layout };
        Ok(Shelf::new(&self.generation, LayoutVersion::of(self.layout).ok_or_else(other)?))
    }

    /// Bytes of the documents without a family.
    pub(crate) fn table_bytes(&self) -> u64 {
        // Where nothing is said, they lie in the last partition.
        let any = self.sources.partitions().checked_sub(1).is_some_and(|last| self.sources.last(last).is_some());
        self.table_bytes.unwrap_or(if any { TABLES_UNKNOWN } else { 0 })
    }

    /// The documents as they were pushed.
    pub(crate) fn sources(&self) -> &RecordStream {
        &self.sources
    }

    /// The partitions of [`Manifest::sources`] that documents of these kinds may lie in.
    pub(crate) fn partitions(&self, kinds: &[Kind]) -> std::ops::Range<usize> {
        let statistics = kinds.iter().any(|k| k.maille().is_some());
        if statistics { 0..self.sources.partitions() } else { self.statistics..self.sources.partitions() }
    }

    /// The one that the statistics of a pair lie in; `None` where the manifest does not say.
    pub(crate) fn partition_of(&self, maille: Maille, pair: &str) -> Option<std::ops::Range<usize>> {
        let family = Family::Documents(maille);
        let count = Some(self.by_family[family]).filter(|count| *count > 0)?;
        let partition = self.by_family.before(family) + keys::bundle(keys::hash(pair), count);
        Some(partition..partition + 1)
    }

    pub(crate) async fn read<K: KeyValue>(kv: &K, shelf: Shelf<'_>) -> Result<Self, StoreError> {
        let first = shelf.get(kv, MANIFEST_FAMILY, 0).await?;
        let count: usize = serde_json::from_slice(first.content()?).map_err(|_| first.damaged())?;
        let bytes = read_long(kv, shelf, MANIFEST_FAMILY, 1, count).await?;
        serde_json::from_slice(&bytes).map_err(|_| first.damaged())
    }

    pub(crate) async fn write<K: KeyValueWrite>(&self, writer: &mut Writer<'_, K>) -> Result<(), StoreError> {
        let bytes = to_json(MANIFEST_FAMILY, self)?;
        let count = put_long(writer, MANIFEST_FAMILY, 1, &bytes).await?;
        writer.put(MANIFEST_FAMILY, 0, count.to_string().into_bytes()).await
    }
}
