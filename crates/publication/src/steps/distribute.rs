//! The first step: documents, as pushed and as carried over, are spread over partitions by hash.

use super::index;
use super::matching::MatchingStreams;
use super::placement::{PlacementKeys, family_of, is_table, partition_source, read_source, write_source};
use super::sample::KeySample;
use super::state::{BCN, JobState, LISTS, ListInProgress, ListSort};
use super::{JobStepper, PARTITION};
use crate::job::JobStep;
use crate::manifest::Manifest;
use crate::origins::{PartOrigin, Push};
use crate::record_stream::RecordStream;
use crate::registry::Served;
use crate::staging::{PartInfo, Staging};
use crate::{Environment, PublicationError};
use domain::declared::{MAILLE_FIELD, MAILLES_MAX};
use domain::{Document, Kind, Maille};
use plausibility::Rule;
use store::PerFamily;
use store::keys::{self, Family};
use store::kv::{KeyValueWrite, StoreError};
use store::list::{Order, RowKey};

/// Bytes of a bundle on average, unfolded: some 8 KB as stored. A get of keys all over the store reads it page by page,
/// and 12 KB take a twentieth of a request more than 7; much smaller ones take more writes than an import has.
const BUNDLE: u64 = 28 * 1024;
/// Bytes of a partition of a list: its rows are only sorted, neither parsed nor rendered again, so it may be larger;
/// fewer partitions mean larger pieces and fewer writes.
pub(super) const SORT_PARTITION: u64 = 2 * PARTITION;

/// How many parts of so many bytes there are, one at least.
fn parts(n: u64, by: u64) -> usize {
    usize::try_from(n.div_ceil(by).max(1)).unwrap_or(usize::MAX)
}

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    async fn prepare(&mut self) -> Result<(), PublicationError> {
        if self.job.summary.secrecy.is_none() {
            self.job.summary.secrecy = Some(self.env.secrecy().await?);
        }
        let base = match Served::read(self.kv).await? {
            Some(served) => Some(Manifest::read(self.kv, served.pointer.shelf()?).await?),
            None => None,
        };
        let opening = &self.job.opening;
        let goes = |family| {
            Kind::ALL.into_iter().filter(|kind| family_of(*kind) == Some(family)).all(|kind| opening.replaces_all(kind))
        };
        let mut bytes = PerFamily::of(|family| match &base {
            Some(base) if !goes(family) => base.bytes[family],
            _ => 0,
        });
        let mut declarations = base.as_ref().map(|b| b.declarations.clone()).unwrap_or_default();
        let mut tables = base.as_ref().map_or(0, Manifest::table_bytes);
        for (kind, n) in &self.job.bytes {
            match Kind::parse(kind) {
                Some(kind) if is_table(kind) => tables += n,
                kind => {
                    if let Some(family) = kind.and_then(family_of) {
                        bytes[family] += n;
                    }
                }
            }
        }
        declarations.extend(self.job.mailles.clone());
        if declarations.len() > MAILLES_MAX {
            let names: Vec<&str> = declarations.keys().map(String::as_str).collect();
            self.job.summary.failure = Some(format!(
                "{MAILLES_MAX} mailles déclarées au plus, il y en aurait {} : {}",
                names.len(),
                names.join(", ")
            ));
            self.job.step = JobStep::Failed;
            return Ok(());
        }
        self.state.declarations = declarations;
        self.size(base, bytes, tables);
        Ok(())
    }

    /// Decides how many partitions there are, by what there may be at most.
    fn size(&mut self, base: Option<Manifest>, bytes: PerFamily<u64>, table_bytes: u64) {
        let none_declared = self.state.declarations.is_empty();
        let partitions = PerFamily::of(|family| match family {
            // Counts are spread by a stream of their own.
            Family::Counts => 0,
            Family::Documents(Maille::Declared) if none_declared => 0,
            family => parts(bytes[family], PARTITION),
        });
        let table_partitions = parts(table_bytes, PARTITION);
        let declarations = std::mem::take(&mut self.state.declarations);
        let lists = LISTS.iter().map(|(name, maille)| ListInProgress::new((*name).to_owned(), *maille));
        let declared =
            declarations.keys().map(|name| ListInProgress::new(keys::declared_list(name), Some(Maille::Declared)));
        self.state = JobState {
            lists: lists.chain(declared).collect(),
            declarations,
            base,
            partitions,
            table_partitions,
            sources: RecordStream::new("sources", partitions.total() + table_partitions),
            sequence: 0,
            ..JobState::default()
        };
        self.state.sequence = self.state.base.as_ref().map_or(0, |b| b.sequence);
        self.state.origins = self.state.base.as_ref().map(|b| b.origins.clone()).unwrap_or_default();
    }

    /// Lets the bundles be built again, twice as many: one grew beyond a value. The sources stay as they were spread.
    pub(super) fn double_bundles(&mut self) {
        let state = &mut self.state;
        state.doublings += 1;
        state.bundles = PerFamily::of(|family| state.bundles[family] * 2);
        for sort in &mut state.sorts {
            sort.stream = sort.stream.emptied();
        }
        for list in &mut state.lists {
            (list.max_json, list.max_csv) = (0, 0);
            if let Some(places) = &mut list.places {
                places.stream = places.stream.emptied();
            }
        }
        state.counts = state.counts.emptied();
        state.index = state.index.emptied();
        state.matching = state.matching.emptied();
        (state.digest, state.public_digest, state.cards, state.millesimes, state.tables) = Default::default();
        (state.columns, state.millesime_counts, state.outlines, state.nomenclature) = Default::default();
        self.job.summary.anomalies.forget(&[Rule::Duplicate, Rule::DuplicateEqual, Rule::TwoSpellings]);
        self.job.summary.duplicates.clear();
        self.job.summary.documents.clear();
        self.job.summary.below_threshold.clear();
        self.job.summary.strict_hides.clear();
        self.job.summary.withheld.clear();
    }

    pub(super) async fn distribute(&mut self) -> Result<Option<JobStep>, PublicationError> {
        if self.state.sources.partitions() == 0 {
            self.prepare().await?;
            if self.job.step.is_final() {
                return Ok(None);
            }
        }
        let old = self.state.base.as_ref().map_or(0, |b| b.sources.partitions());
        let parts = self.job.options.parts;
        let (rank, piece) = self.state.cursor;
        self.job.progress = (rank, old + parts);
        if rank < old {
            if self.resume(rank, piece).await? {
                self.state.cursor = (rank + 1, 0);
            } else {
                self.state.cursor.1 += 1;
            }
        } else if rank < old + parts {
            let part = rank - old;
            let id = self.job.id.clone();
            let staging = Staging::new(self.kv, &id, 1);
            let damaged = || StoreError::Damaged(format!("part {part}"));
            let info = staging.info(part).await?.ok_or_else(damaged)?;
            if piece == 0 {
                self.remember_part(part, &info);
            }
            if piece >= info.pieces {
                self.state.cursor = (rank + 1, 0);
                return Ok(None);
            }
            for (kind, json) in staging.piece(part, &info, piece).await? {
                if kind == Kind::User {
                    let document: Document = serde_json::from_slice(&json).map_err(|_| damaged())?;
                    self.env.user(&document).await?;
                } else if kind != Kind::Maille {
                    let sequence = self.state.sequence;
                    self.state.sequence += 1;
                    let keys = self.placement(kind, &json);
                    self.place(kind, (sequence, sequence), &json, keys).await?;
                }
            }
            self.state.cursor = (rank, piece + 1);
        } else {
            self.prepare_sorts();
            self.state.parts_left = parts;
            return Ok(Some(if self.secrecy().secondary { JobStep::Protect } else { JobStep::Build }));
        }
        self.flush_some().await?;
        Ok(None)
    }

    /// Remembers where the documents of a part come from.
    fn remember_part(&mut self, part: usize, info: &PartInfo) {
        let first = self.state.sequence;
        let of = PartOrigin {
            first,
            part,
            file: info.file.clone(),
            first_line: info.first_line,
            lines: info.lines_of.clone(),
        };
        let (job, opened_ms, run) = (self.job.id.clone(), self.job.opened_ms, self.job.run);
        self.state.origins.add(Push { job, opened_ms, run, first, parts: Vec::new() }, of);
    }

    /// Carries over what the push does not replace, a piece of a partition at a time, from its last one: documents are told
    /// apart by their rank, not by the order they come in. `true` once nothing of it is left.
    async fn resume(&mut self, partition: usize, piece: usize) -> Result<bool, PublicationError> {
        let Some(base) = &self.state.base else { return Ok(true) };
        let place = if piece == 0 { base.sources.last(partition) } else { self.state.place };
        let Some(place) = place else { return Ok(true) };
        let (read, before) = base.sources.read_piece(self.kv, base.shelf()?, place).await?;
        self.state.place = before;
        let opening = self.job.opening.clone();
        for record in read.records() {
            let (kind, sequence, own, _, json) = read_source(record).ok_or(StoreError::Damaged("source".into()))?;
            let statistic = kind.maille().and_then(|_| self.placement(kind, json));
            if !opening.replaces(kind, statistic.as_ref().map(|keys| &keys.document)) {
                self.job.summary.carried_over += 1;
                let keys = statistic.or_else(|| self.placement(kind, json));
                self.place(kind, (sequence, own), json, keys).await?;
            }
        }
        Ok(before.is_none())
    }

    /// What a document is placed by. Ties are read off figures, all else off what places a document.
    fn placement(&self, kind: Kind, json: &[u8]) -> Option<PlacementKeys> {
        if self.secrecy().secondary { PlacementKeys::read(kind, json) } else { PlacementKeys::head(kind, json) }
    }

    async fn place(
        &mut self,
        kind: Kind,
        (sequence, own): (u64, u64),
        json: &[u8],
        keys: Option<PlacementKeys>,
    ) -> Result<(), PublicationError> {
        let keys = keys.ok_or(StoreError::Damaged("source".into()))?;
        self.tie(kind, &keys.document);
        if let (Some(rank), Some(row)) = (self.list_rank(kind, &keys.document), &keys.row)
            && let Some(list) = self.state.lists.get_mut(rank)
        {
            list.bytes += json.len() as u64;
            for (sample, order) in list.samples.iter_mut().zip(Order::ALL) {
                sample.add(String::from_utf8(row.sort_key(order)).unwrap_or_default());
            }
        }
        *self.state.bytes_of(keys.family) += json.len() as u64;
        let state = &self.state;
        let hash = keys::hash(&keys.pair);
        let partition = partition_source(&state.partitions, state.table_partitions, keys.family, hash);
        let record = write_source((kind, sequence, own, &keys.pair, json));
        self.state.sources.add(&mut self.writer, self.number, partition, &record).await?;
        Ok(())
    }

    /// The list that a document has a row in.
    pub(super) fn list_rank(&self, kind: Kind, document: &Document) -> Option<usize> {
        match kind.maille() {
            Some(Maille::Declared) => {
                let name = keys::declared_list(document.get(MAILLE_FIELD)?.as_str()?);
                self.state.lists.iter().position(|l| l.name == name)
            }
            Some(maille) => LISTS.iter().position(|(_, m)| *m == Some(maille)),
            None => (kind == Kind::Bcn).then_some(BCN),
        }
    }

    /// Decides how many bundles there are, by what was placed: a push that takes the place of all that is served is not
    /// counted twice. Bundles of a family are a multiple of its partitions, so that a bundle lies in one partition.
    fn size_bundles(&mut self) {
        let state = &mut self.state;
        // A family without partitions has no bundles.
        state.bundles = PerFamily::of(|family| {
            let partitions = state.partitions[family];
            parts(state.bytes[family], BUNDLE).div_ceil(partitions.max(1)) * partitions
        });
    }

    fn prepare_sorts(&mut self) {
        self.size_bundles();
        let sizes = self.state.bytes;
        let parts = |n: u64| usize::try_from((n + n / 2).div_ceil(SORT_PARTITION).max(1)).unwrap_or(1);
        for (rank, list) in self.state.lists.iter_mut().enumerate() {
            // Declared mailles share a family of bundles, but no list.
            let bytes = match list.maille {
                Some(Maille::Declared) => list.bytes,
                maille => sizes[maille.map_or(Family::Nomenclature, Family::Documents)],
            };
            let by_order = std::mem::take(&mut list.samples);
            if let (Some(places), Some(sample)) = (&mut list.places, by_order.first()) {
                let uais = sample.keys.iter().filter_map(|c| Some(RowKey::read(c.as_bytes(), Order::Places)?.uai));
                places.separators = KeySample { bits: 0, keys: uais.collect() }.separators(parts(bytes / 8));
                places.stream = RecordStream::new(&place_stream(&list.name), places.separators.len() + 1);
            }
            for (sample, order) in by_order.into_iter().zip(Order::ALL) {
                if order == Order::Codes && list.maille.is_none() {
                    continue;
                }
                let separators = sample.separators(parts(bytes));
                let stream = RecordStream::new(&format!("tri.{}.{}", list.name, order.name()), separators.len() + 1);
                self.state.sorts.push(ListSort { list: rank, codes: order == Order::Codes, separators, stream });
            }
        }
        let documents = |maille| sizes[Family::Documents(maille)];
        let summed = documents(Maille::National) + documents(Maille::Regionale);
        let count_bytes = (summed + documents(Maille::Declared)) / 4;
        let partitions = parts(count_bytes / 2);
        let wanted_ones = usize::try_from(count_bytes.div_ceil(BUNDLE).max(1)).unwrap_or(1);
        self.state.bundles[Family::Counts] = wanted_ones.div_ceil(partitions) * partitions;
        self.state.counts = RecordStream::new("comptes", partitions);
        self.state.index = index::Index::new(sizes[Family::Nomenclature], summed + documents(Maille::Etablissement));
        let pushed: u64 = self.job.bytes.values().sum();
        self.state.matching =
            MatchingStreams::new(sizes[Family::Nomenclature] + pushed, documents(Maille::Etablissement));
    }
}

/// The stream that sorts the rows of a list by place.
pub(super) fn place_stream(list: &str) -> String {
    format!("lieux.{list}")
}
