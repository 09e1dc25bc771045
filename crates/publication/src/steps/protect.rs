//! The step of `secret_secondaire`: which statistics are withheld, set of codes by set of codes.
//!
//! Sums tie the statistics of a code together, over all mailles and millesimes; a CFD ties its codes, and lent numbers tie
//! CFDs. While documents are distributed the codes are joined into sets, a few numbers each. Then this step spreads what
//! the treatment needs of each statistic over partitions by set, looks at one partition at a time, and writes for each
//! partition of the documents which of them are withheld. It is not taken where the switch is off.

use super::placement::{PlacementKeys, read_source};
use super::{JobStepper, PARTITION};
use crate::job::JobStep;
use crate::record_stream::RecordStream;
use crate::secrecy::CELLS_FAMILY;
use crate::writer::put_long;
use crate::{Environment, PublicationError, SecrecySettings};
use domain::{Document, Kind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use store::codec::{Decoder, Encoder};
use store::kv::{KeyValueWrite, StoreError, to_json};
use treatments::secondary::{CodeSets, CountedGroup, withhold};

/// Codes that are joined into sets, at most: the nomenclature has some 15,000.
const CODES_MAX: usize = 100_000;
/// Lines of the report, at most; the number of all is in the summary.
const LINES_MAX: usize = 20_000;
/// The columns of the report.
const HEADER: &str = "maille;lieu;code_certification;filiere;millesime;protege_maille;protege_lieu;protege_code_certification;protege_filiere;protege_millesime;somme\n";

/// Statistics by bundle entry and version: when they were pushed, the partition of their document, what is reckoned with.
type Published<'a> = BTreeMap<(&'a str, &'a str), (u64, usize, CountedGroup)>;

/// What the step needs between two calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Protection {
    #[serde(rename = "ensembles")]
    sets: CodeSets,
    #[serde(rename = "statistiques")]
    statistics: RecordStream,
    /// By partition of the documents: those that are withheld.
    #[serde(rename = "masques")]
    masks: RecordStream,
    #[serde(rename = "cellules")]
    lines: Vec<String>,
    /// The withheld documents of the partition that is built.
    #[serde(skip)]
    withheld: BTreeSet<(String, String)>,
}

impl Protection {
    pub(super) fn streams(&mut self) -> [&mut RecordStream; 2] {
        [&mut self.statistics, &mut self.masks]
    }

    /// Whether a document of the partition that is built is withheld.
    pub(super) fn withholds(&self, keys: &PlacementKeys) -> bool {
        !self.withheld.is_empty() && self.withheld.contains(&(keys.pair.clone(), keys.version.clone()))
    }
}

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    /// The switches, as they were when the publication began.
    pub(super) fn secrecy(&self) -> SecrecySettings {
        self.job.summary.secrecy.unwrap_or_default()
    }

    /// Joins the codes of a statistic.
    pub(super) fn tie(&mut self, kind: Kind, document: &Document) {
        if !self.secrecy().secondary || kind.maille().is_none() {
            return;
        }
        let statistic = CountedGroup::read(document, self.secrecy().secrecy);
        self.state.protection.sets.tie(statistic.ties());
        if self.state.protection.sets.len() > CODES_MAX {
            self.job.summary.failure = Some(format!("secret_secondaire : plus de {CODES_MAX} codes"));
            self.job.step = JobStep::Failed;
        }
    }

    pub(super) async fn protect(&mut self) -> Result<Option<JobStep>, PublicationError> {
        let documents = self.state.partitions.total();
        if self.state.protection.statistics.partitions() == 0 {
            // What is kept of a statistic is no longer than its document.
            let bytes: u64 = self.state.lists.iter().map(|list| list.bytes).sum();
            let partitions = usize::try_from(bytes.div_ceil(PARTITION).max(1)).unwrap_or(1);
            self.state.protection.statistics = RecordStream::new("secret.statistiques", partitions);
            self.state.protection.masks = RecordStream::new("secret.masques", documents);
        }
        let partitions = self.state.protection.statistics.partitions();
        let (rank, _) = self.state.cursor;
        self.job.progress = (rank, documents + partitions);
        if rank < documents {
            self.spread(rank).await?;
        } else if rank < documents + partitions {
            if rank == documents {
                self.flush().await?;
            }
            self.withhold(rank - documents).await?;
        } else {
            let lines = std::mem::take(&mut self.state.protection.lines);
            let report = [HEADER, &lines.concat()].concat();
            let count = put_long(&mut self.writer, CELLS_FAMILY, 1, report.as_bytes()).await?;
            self.writer.put(CELLS_FAMILY, 0, count.to_string().into_bytes()).await?;
            return Ok(Some(JobStep::Build));
        }
        self.state.cursor = (rank + 1, 0);
        self.flush_some().await?;
        Ok(None)
    }

    /// Spreads the statistics of one partition of documents by their set of codes.
    async fn spread(&mut self, partition: usize) -> Result<(), PublicationError> {
        let read = self.state.sources.read(self.kv, self.shelf(), partition).await?;
        let partitions = self.state.protection.statistics.partitions() as u64;
        for record in read.records() {
            let (kind, sequence, _, _, json) = read_source(record).ok_or(StoreError::Damaged("source".into()))?;
            if kind.maille().is_none() {
                continue;
            }
            let keys = PlacementKeys::read(kind, json).ok_or(StoreError::Damaged("source".into()))?;
            let statistic = CountedGroup::read(&keys.document, self.secrecy().secrecy);
            let set = self.state.protection.sets.set(statistic.ties());
            let mut record = Encoder::default();
            record.size(partition).number(sequence).text(&keys.pair).text(&keys.version).number(set);
            record.0.extend(to_json("secret.statistiques", &statistic)?);
            let target = usize::try_from(set % partitions.max(1)).unwrap_or_default();
            let stream = &mut self.state.protection.statistics;
            stream.add(&mut self.writer, self.number, target, &record.0).await?;
        }
        Ok(())
    }

    /// Decides over the sets of one partition.
    async fn withhold(&mut self, partition: usize) -> Result<(), PublicationError> {
        let damaged = || StoreError::Damaged("secret.statistiques".into());
        let read = self.state.protection.statistics.read(self.kv, self.shelf(), partition).await?;
        // The document of the same key that was pushed last is the one that is published.
        let mut sets: BTreeMap<u64, Published<'_>> = BTreeMap::new();
        for record in read.records() {
            let mut decoder = Decoder(record);
            let from = decoder.size().ok_or_else(damaged)?;
            let sequence = decoder.number().ok_or_else(damaged)?;
            let key = (decoder.text().ok_or_else(damaged)?, decoder.text().ok_or_else(damaged)?);
            let set = decoder.number().ok_or_else(damaged)?;
            let statistic = serde_json::from_slice(decoder.0).map_err(|_| damaged())?;
            let of = sets.entry(set).or_default();
            if of.get(&key).is_none_or(|(last, ..)| *last <= sequence) {
                of.insert(key, (sequence, from, statistic));
            }
        }
        for of in sets.into_values() {
            let mut places = Vec::with_capacity(of.len());
            let mut statistics = Vec::with_capacity(of.len());
            for ((pair, version), (_, from, statistic)) in of {
                places.push((pair, version, from));
                statistics.push(statistic);
            }
            let result = withhold(&statistics);
            self.job.summary.exposed += result.exposed.len() as u64;
            for withheld in result.withheld {
                let (Some((pair, version, from)), Some(statistic)) =
                    (places.get(withheld.rank), statistics.get(withheld.rank))
                else {
                    continue;
                };
                let mut record = Encoder::default();
                record.text(pair).text(version);
                let masks = &mut self.state.protection.masks;
                masks.add(&mut self.writer, self.number, *from, &record.0).await?;
                let protects = statistics.get(withheld.protects).map(CountedGroup::name).unwrap_or_default();
                if !statistic.is_hidden() && self.state.protection.lines.len() < LINES_MAX {
                    let line = format!("{};{protects};{}\n", statistic.name(), withheld.held_by.words());
                    self.state.protection.lines.push(line);
                }
            }
        }
        Ok(())
    }

    /// Looks up what is withheld of the partition that is built next.
    pub(super) async fn read_masks(&mut self, partition: usize) -> Result<(), PublicationError> {
        self.state.protection.withheld.clear();
        if !self.secrecy().secondary {
            return Ok(());
        }
        let damaged = || StoreError::Damaged("secret.masques".into());
        let read = self.state.protection.masks.read(self.kv, self.shelf(), partition).await?;
        for record in read.records() {
            let mut decoder = Decoder(record);
            let key = (decoder.text().ok_or_else(damaged)?.to_owned(), decoder.text().ok_or_else(damaged)?.to_owned());
            self.state.protection.withheld.insert(key);
        }
        Ok(())
    }
}
