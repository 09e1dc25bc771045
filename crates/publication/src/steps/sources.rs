//! The sources of a generation forget what was replaced.
//!
//! A push that adds carries every document over, those too whose place it takes: which they are is known once a partition
//! is built. Where they make a quarter of it, the partition is written anew with what stands. So the sources hold a third
//! more than what stands at most, however often documents are pushed again.

use super::JobStepper;
use super::placement::{SourceRecord, read_source, standing, write_source};
use crate::{Environment, PublicationError};
use domain::Kind;
use store::keys::Family;
use store::kv::{KeyValueWrite, StoreError};

/// The share of a partition, one in so many bytes, that may be replaced documents.
const REPLACED_SHARE: u64 = 4;

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    /// Writes a partition anew where much of what it holds (`held` bytes of documents) was replaced.
    pub(super) async fn forget_replaced(
        &mut self,
        family: Option<Family>,
        partition: usize,
        held: u64,
        stands: &[SourceRecord<'_>],
    ) -> Result<(), PublicationError> {
        let standing: u64 = stands.iter().map(|(.., json)| json.len() as u64).sum();
        let replaced = held.saturating_sub(standing);
        if replaced == 0 || replaced.saturating_mul(REPLACED_SHARE) < held {
            return Ok(());
        }
        let records = stands.iter().map(|record| write_source(*record));
        self.state.sources.replace(&mut self.writer, self.number, partition, records).await?;
        let bytes = self.state.bytes_of(family);
        *bytes = bytes.saturating_sub(replaced);
        // No step reads it again, the next publication does: a write that was lost must be known now.
        self.writer.flush().await?;
        let read = self.state.sources.read(self.kv, self.shelf(), partition).await?;
        if !read.records().eq(stands.iter().map(|record| write_source(*record))) {
            return Err(StoreError::Damaged("source".into()).into());
        }
        Ok(())
    }

    /// What a partition of documents without a family says: to the digest, to the RNCP codes of the search, to the matching.
    pub(super) async fn build_tables(&mut self, partition: usize) -> Result<(), PublicationError> {
        let read = self.state.sources.read(self.kv, self.shelf(), partition).await?;
        let damaged = || StoreError::Damaged("source".into());
        let records: Vec<SourceRecord<'_>> =
            read.records().map(read_source).collect::<Option<_>>().ok_or_else(damaged)?;
        let held = records.iter().map(|(.., json)| json.len() as u64).sum();
        let stands = standing(records).ok_or_else(damaged)?;
        for (kind, _, _, _, json) in &stands {
            // Of these the fingerprint covers RNCP codes, which the search shows.
            if *kind == Kind::Rncp {
                self.count_whole(*kind, json);
            } else {
                self.count_digest(*kind, json);
            }
            *self.state.tables.entry(kind.name().to_owned()).or_default() += 1;
            self.index_rncp(*kind, json).await?;
            self.pack_other(*kind, json).await?;
        }
        self.forget_replaced(None, partition, held, &stands).await
    }
}
