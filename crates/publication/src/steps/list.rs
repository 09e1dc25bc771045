//! The third step: sorted rows become segments, pages and plans.

use super::state::{ListInProgress, PlaceSort};
use super::{JobStepper, fingerprint};
use crate::job::JobStep;
use crate::lists::{ListBuilder, PAGE_MIN, csv_header};
use crate::writer::{put_long, read_long};
use crate::{Environment, PublicationError};
use std::collections::BTreeMap;
use store::bundle;
use store::chain::ENTRY_MAX;
use store::codec::{Decoder, Encoder};
use store::kv::{KeyValueWrite, StoreError, VALUE_MAX};
use store::list::{self, Order, Plan, RowKey, UaiEntry};

/// Bytes of a plan that lie in its first value.
const PLAN_MAX: usize = VALUE_MAX - 1024;
/// The family of plans that are not finished: like every `etat.…` it goes once the generation is made.
const PLANS: &str = "etat.plans";

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    pub(super) async fn list(&mut self) -> Result<Option<JobStep>, PublicationError> {
        let (rank, partition) = self.state.cursor;
        let sizes = self.state.sorts.iter().map(|t| t.stream.partitions());
        let sizes: Vec<usize> = sizes.chain(self.state.lists.iter().map(ListInProgress::place_partitions)).collect();
        self.job.progress = (sizes.iter().take(rank).sum::<usize>() + partition, sizes.iter().sum());
        let Some(sort) = self.state.sorts.get(rank).cloned() else {
            return self.list_places(rank - self.state.sorts.len(), partition).await;
        };
        let damaged = || StoreError::Damaged("liste".into());
        let list = self.state.lists.get(sort.list).ok_or_else(damaged)?;
        let (name, maille, max_json, max_csv) = (list.name.clone(), list.maille, list.max_json, list.max_csv);
        let name = name.as_str();
        let order = sort.order();
        let mut builder = match self.state.builder.take() {
            Some(bytes) => ListBuilder::decode(&bytes).ok_or(StoreError::Damaged("liste".into()))?,
            None => ListBuilder::new(name, order, max_json, max_csv),
        };
        let read = sort.stream.read(self.kv, self.shelf(), partition).await?;
        let mut rows: Vec<(&[u8], &[u8], &[u8])> = Vec::new();
        for record in read.records() {
            let mut decoder = Decoder(record);
            let pieces = (|| Some((decoder.bytes()?, decoder.bytes()?, decoder.bytes()?)))();
            rows.push(pieces.ok_or(StoreError::Damaged("liste".into()))?);
        }
        rows.sort_by(|a, b| a.0.cmp(b.0));
        for (sort_key, json, csv) in rows {
            let key = RowKey::read(sort_key, order).ok_or(StoreError::Damaged("liste".into()))?;
            let place = builder.add(&mut self.writer, &key, json, csv).await?;
            let Some(list) = self.state.lists.get_mut(sort.list).filter(|_| order == Order::Places) else { continue };
            fingerprint::add_row(&mut list.digest, csv);
            if let Some(places) = list.places.as_mut() {
                let mut encoder = Encoder::default();
                encoder.bytes(sort_key).size(place);
                let p = places.separators.partition_point(|s| *s <= key.uai);
                places.stream.add(&mut self.writer, self.number, p, &encoder.0).await?;
            }
        }
        self.flush_some().await?;
        if partition + 1 < sort.stream.partitions() {
            self.state.builder = Some(builder.encode());
            self.state.cursor = (rank, partition + 1);
            return Ok(None);
        }
        let mut plan = if order == Order::Places { Plan::default() } else { self.plan_so_far(name).await? };
        plan.csv_header = csv_header(maille, self.indicators);
        let total = builder.total;
        builder.finish(&mut self.writer, &mut plan).await?;
        if let Some(list) = self.state.lists.get_mut(sort.list) {
            list.rows = total as u64;
        }
        self.keep_plan(name, &plan).await?;
        self.state.cursor = (rank + 1, 0);
        // What was sorted is in its place: saved, the runs may go, where they are worth a save.
        self.due = sort.stream.partitions() > 1;
        Ok(None)
    }

    pub(super) async fn read_plan(&mut self, name: &str) -> Result<Plan, PublicationError> {
        self.writer.flush().await?;
        Ok(Plan::read(self.kv, self.shelf(), name).await?)
    }

    /// A plan that is not finished, as it was last kept.
    async fn plan_so_far(&mut self, name: &str) -> Result<Plan, PublicationError> {
        let Some((start, count)) = self.state.plans.get(name).copied() else { return self.read_plan(name).await };
        self.writer.flush().await?;
        let bytes = read_long(self.kv, self.shelf(), PLANS, start, count).await?;
        Ok(Plan::decode(&bytes).map_err(|_| StoreError::Damaged(PLANS.to_owned()))?)
    }

    /// Keeps a plan that is not finished, in values of its own. Nothing is ever written under a key that a slower twin of
    /// this call would write otherwise: it would put an older plan in the place of a newer one.
    async fn keep_plan(&mut self, name: &str, plan: &Plan) -> Result<(), PublicationError> {
        let start = self.state.plans_values;
        let count = put_long(&mut self.writer, PLANS, start, &plan.encode()).await?;
        self.state.plans_values = start + count;
        self.state.plans.insert(name.to_owned(), (start, count));
        Ok(())
    }

    /// Writes the finished plans where readers look for them.
    async fn write_plans(&mut self) -> Result<(), PublicationError> {
        let names: Vec<String> = self.state.plans.keys().cloned().collect();
        for name in names {
            let plan = self.plan_so_far(&name).await?;
            self.write_plan(&name, &plan).await?;
        }
        self.state.plans.clear();
        Ok(())
    }

    async fn write_plan(&mut self, name: &str, plan: &Plan) -> Result<(), PublicationError> {
        let family = list::plan_family(name);
        let start = self.writer.put_chain(&family, &mut self.state.plans_chain, plan.encode(), PLAN_MAX).await?;
        Ok(self.writer.put(&family, 0, start).await?)
    }

    /// Builds the pages of the places of a list.
    async fn list_places(&mut self, rank: usize, partition: usize) -> Result<Option<JobStep>, PublicationError> {
        let Some(list) = self.state.lists.get_mut(rank) else {
            self.write_plans().await?;
            return Ok(Some(JobStep::Count));
        };
        let (next, name) = ((self.state.sorts.len() + rank + 1, 0), list.name.clone());
        let Some(mut places) = list.places.take() else {
            self.state.cursor = next;
            return Ok(None);
        };
        if partition >= places.stream.partitions() {
            let mut plan = self.plan_so_far(&name).await?;
            plan.pages_uais = std::mem::take(&mut places.pages);
            self.keep_plan(&name, &plan).await?;
            self.state.cursor = next;
        } else {
            // The stream is written out by its own state, taken out for the time of this step.
            places.stream.flush(&mut self.writer, self.number, 0).await?;
            self.writer.flush().await?;
            self.list_partition(&name, &mut places, partition).await?;
            self.state.cursor.1 = partition + 1;
        }
        if let Some(list) = self.state.lists.get_mut(rank) {
            list.places = Some(places);
        }
        Ok(None)
    }

    async fn list_partition(
        &mut self,
        name: &str,
        places: &mut PlaceSort,
        partition: usize,
    ) -> Result<(), PublicationError> {
        let read = places.stream.read(self.kv, self.shelf(), partition).await?;
        let damaged = || StoreError::Damaged("uais".into());
        let mut uais: BTreeMap<String, Vec<(usize, RowKey)>> = BTreeMap::new();
        for record in read.records() {
            let mut decoder = Decoder(record);
            let key = decoder.bytes().and_then(|b| RowKey::read(b, Order::Places)).ok_or_else(damaged)?;
            let rank = decoder.size().ok_or_else(damaged)?;
            uais.entry(key.uai.clone()).or_default().push((rank, key));
        }
        let (mut page, mut row_bytes) = (Vec::new(), 0);
        let mut remaining = uais.len();
        for (uai, mut ranks) in uais {
            ranks.sort_by_key(|(rank, _)| *rank);
            let mut entry = UaiEntry::default();
            for (rank, key) in ranks {
                entry.add(&key, rank);
            }
            let family = list::uais_family(name);
            let bytes = self.writer.put_chain(&family, &mut places.rest, entry.encode(), ENTRY_MAX).await?;
            row_bytes += bytes.len();
            page.push((uai, bytes));
            remaining -= 1;
            if row_bytes >= PAGE_MIN || remaining == 0 {
                places.pages.push(page.first().map(|(uai, _)| uai.clone()).unwrap_or_default());
                let n = places.pages.len() - 1;
                self.writer.put(&list::uais_family(name), n, bundle::pack(std::mem::take(&mut page))).await?;
                row_bytes = 0;
            }
        }
        Ok(())
    }
}
