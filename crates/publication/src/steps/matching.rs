//! The step that packs what the matching of catalogues looks up ([`store::matching`]).
//!
//! While bundles are built, each document says what a row may ask of it ([`matching::packed::facts`]); this step sorts
//! that by hash and writes pages. A group below the threshold says that it is, without a number.

use super::{JobStepper, PARTITION};
use crate::record_stream::RecordStream;
use crate::{Environment, JobStep, PublicationError};
use domain::{Document, Kind};
use matching::packed::{Section, entry, facts, place_of};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use store::codec::{Decoder, Encoder};
use store::kv::{KeyValueWrite, StoreError, VALUE_MAX};
use store::matching::{LINK_FAMILY, MatchingPlan, PAGE, PLACE_FAMILY, PLAN_FAMILY};
use store::{Shelf, bundle, keys};

/// What documents say, on its way into pages, and the pages written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct MatchingStreams {
    #[serde(rename = "liens")]
    links: RecordStream,
    #[serde(rename = "lieux")]
    places: RecordStream,
    #[serde(rename = "bornes_liens")]
    link_fences: Vec<u64>,
    #[serde(rename = "bornes_lieux")]
    place_fences: Vec<u64>,
    /// Entries written and, while they are verified, not yet found again.
    #[serde(rename = "entrees")]
    entries: u64,
}

fn damaged() -> StoreError {
    StoreError::Damaged(PLAN_FAMILY.to_owned())
}

impl MatchingStreams {
    /// Sized by the bytes of the sources: what an establishment's document says takes some 100 of its 1,000, what the
    /// nomenclature and the tables say up to half of theirs.
    pub(super) fn new(tables: u64, statistics: u64) -> Self {
        let parts = |bytes: u64| usize::try_from(bytes.div_ceil(PARTITION).max(1)).unwrap_or(1);
        Self {
            links: RecordStream::new("appariement.liens", parts(tables / 2 + statistics / 20)),
            places: RecordStream::new("appariement.lieux", parts(statistics / 5)),
            ..Self::default()
        }
    }

    /// The same, nothing in it.
    pub(super) fn emptied(&self) -> Self {
        Self { links: self.links.emptied(), places: self.places.emptied(), ..Self::default() }
    }

    pub(super) fn streams(&mut self) -> [&mut RecordStream; 2] {
        [&mut self.links, &mut self.places]
    }

    fn plan(&self) -> MatchingPlan {
        MatchingPlan { links: self.link_fences.clone(), places: self.place_fences.clone() }
    }
}

/// A page that grows.
#[derive(Default)]
struct GrowingPage {
    entries: Vec<(String, Vec<u8>)>,
    bytes: usize,
}

impl GrowingPage {
    async fn close<K: KeyValueWrite>(
        &mut self,
        writer: &mut crate::writer::Writer<'_, K>,
        family: &str,
        fences: &[u64],
    ) -> Result<(), StoreError> {
        if self.entries.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        writer.put(family, fences.len() - 1, bundle::pack(std::mem::take(&mut self.entries))).await
    }
}

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    /// What a document says.
    pub(super) async fn pack_document(&mut self, kind: Kind, document: &Document) -> Result<(), StoreError> {
        for fact in facts(kind, document) {
            let (stream, spread) = match fact.section {
                Section::Links => (&mut self.state.matching.links, fact.key.as_str()),
                Section::Places => (&mut self.state.matching.places, place_of(&fact.key)),
            };
            let mut record = Encoder::default();
            record.text(&fact.key);
            record.0.extend_from_slice(&fact.record);
            let partition = keys::bundle(keys::hash(spread), stream.partitions());
            stream.add(&mut self.writer, self.number, partition, &record.0).await?;
        }
        Ok(())
    }

    /// The same of a document that is only kept as it was pushed.
    pub(super) async fn pack_other(&mut self, kind: Kind, json: &[u8]) -> Result<(), StoreError> {
        let document: Document = serde_json::from_slice(json).map_err(|_| StoreError::Damaged("source".into()))?;
        self.pack_document(kind, &document).await
    }

    pub(super) async fn pack_matching(&mut self) -> Result<Option<JobStep>, PublicationError> {
        let (section, partition) = self.state.cursor;
        let matching = &self.state.matching;
        let sizes = [matching.links.partitions(), matching.places.partitions()];
        let Some(partitions) = sizes.get(section).copied() else {
            let plan = self.state.matching.plan().encode();
            self.writer.put(PLAN_FAMILY, 0, plan).await?;
            return Ok(Some(JobStep::Verify));
        };
        self.job.progress = (if section == 0 { partition } else { sizes[0] + partition }, sizes.iter().sum());
        if partition >= partitions {
            self.state.cursor = (section + 1, 0);
            return Ok(None);
        }
        self.pack_partition(if section == 0 { Section::Links } else { Section::Places }, partition).await?;
        self.state.cursor = (section, partition + 1);
        Ok(None)
    }

    /// The pages of one partition, whose hashes follow those of the one before.
    async fn pack_partition(&mut self, section: Section, partition: usize) -> Result<(), PublicationError> {
        let matching = &mut self.state.matching;
        let (stream, fences, family) = match section {
            Section::Links => (&matching.links, &mut matching.link_fences, LINK_FAMILY),
            Section::Places => (&matching.places, &mut matching.place_fences, PLACE_FAMILY),
        };
        let read = stream.read(self.kv, Shelf::own(&self.generation), partition).await?;
        let mut said: BTreeMap<(u64, &str), BTreeSet<&[u8]>> = BTreeMap::new();
        for record in read.records() {
            let mut decoder = Decoder(record);
            let key = decoder.text().ok_or_else(damaged)?;
            let spread = if section == Section::Places { place_of(key) } else { key };
            said.entry((keys::hash(spread), key)).or_default().insert(decoder.0);
        }
        let mut page = GrowingPage::default();
        let mut last = None;
        for ((hash, key), records) in said {
            let entry = entry(records);
            let size = key.len() + entry.len() + 24;
            // An establishment lies in one page, but for one that would fill a value.
            let full = page.bytes >= PAGE && last != Some(hash) || page.bytes + size > VALUE_MAX / 2;
            if full {
                page.close(&mut self.writer, family, fences).await?;
            }
            if page.entries.is_empty() {
                fences.push(hash);
            }
            page.bytes += size;
            page.entries.push((key.to_owned(), entry));
            matching.entries += 1;
            last = Some(hash);
        }
        Ok(page.close(&mut self.writer, family, fences).await?)
    }

    /// Reads every page again, from `departure` on: each whole, no entry missing. `true` once all were read.
    pub(super) async fn verify_matching(&mut self, departure: usize) -> Result<bool, PublicationError> {
        let value = self.shelf().get(self.kv, PLAN_FAMILY, 0).await?;
        let plan = MatchingPlan::decode(value.content()?).map_err(|_| value.damaged())?;
        if plan != self.state.matching.plan() {
            return Err(damaged().into());
        }
        let families = [(LINK_FAMILY, plan.links.len()), (PLACE_FAMILY, plan.places.len())];
        let pages = families.into_iter().flat_map(|(family, count)| (0..count).map(move |n| (family, n)));
        for (rank, (family, n)) in pages.enumerate().skip(departure) {
            let value = self.shelf().get(self.kv, family, n).await?;
            let left = self.state.matching.entries.checked_sub(value.entries()?.len() as u64);
            self.state.matching.entries = left.ok_or_else(|| value.damaged())?;
            if !self.has_time() {
                self.state.cursor.1 = rank + 1;
                return Ok(false);
            }
        }
        if self.state.matching.entries > 0 {
            return Err(damaged().into());
        }
        Ok(true)
    }
}
