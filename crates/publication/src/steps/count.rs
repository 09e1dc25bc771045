//! The fourth step: the counts that views sum become bundles of their own.

use super::JobStepper;
use crate::job::JobStep;
use crate::{Environment, PublicationError};
use std::collections::BTreeMap;
use store::bundle;
use store::chain::ENTRY_MAX;
use store::codec::Decoder;
use store::fold::fold;
use store::keys::{self, Family};
use store::kv::{KeyValueWrite, StoreError};

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    pub(super) async fn count(&mut self) -> Result<Option<JobStep>, PublicationError> {
        let (partition, _) = self.state.cursor;
        let partitions = self.state.counts.partitions();
        self.job.progress = (partition, partitions);
        if partition >= partitions {
            return Ok(Some(JobStep::Index));
        }
        let damaged = || StoreError::Damaged("comptes".into());
        let n_bundles = self.state.bundles[Family::Counts];
        let by_partition = n_bundles / partitions;
        let read = self.state.counts.read(self.kv, self.shelf(), partition).await?;
        let mut by_bundle: Vec<BTreeMap<String, BTreeMap<u64, &[u8]>>> = vec![BTreeMap::new(); by_partition];
        for record in read.records() {
            let mut decoder = Decoder(record);
            let (pair, sequence) = (decoder.text().ok_or_else(damaged)?, decoder.number().ok_or_else(damaged)?);
            let n = keys::bundle(keys::hash(pair), n_bundles) - partition * by_partition;
            by_bundle.get_mut(n).ok_or_else(damaged)?.entry(pair.to_owned()).or_default().insert(sequence, decoder.0);
        }
        for (rank, pairs) in by_bundle.into_iter().enumerate() {
            let mut entries = Vec::with_capacity(pairs.len());
            for (pair, counts) in pairs {
                let entry: Vec<u8> = counts.into_values().flatten().copied().collect();
                let entry = fold(&entry);
                let rest = &mut self.state.counts_chain;
                let family = Family::Counts.name();
                entries.push((pair, self.writer.put_chain(family, rest, entry, ENTRY_MAX).await?));
            }
            self.add_cards(Family::Counts, entries.len());
            self.writer.put(Family::Counts.name(), partition * by_partition + rank, bundle::pack(entries)).await?;
        }
        self.state.cursor = (partition + 1, 0);
        Ok(None)
    }
}
