//! The second step: the bundles of one partition at a time; rows and counts go into sorting streams.

use super::JobStepper;
use super::index;
use super::placement::{BundledDocument, PlacementKeys, place_of, read_source, text};
use super::state::BCN;
use crate::job::{HEADCOUNTS_MAX, JobStep};
use crate::lists::{ListRow, statistics};
use crate::manifest::MEFS;
use crate::outlines::{self, Outline};
use crate::short::{NAME_MAX, short};
use crate::{Environment, PublicationError};
use domain::declared::MAILLE_FIELD;
use domain::{Document, Filiere, Kind, Maille, Millesime, PublishedDocument, Secrecy};
use std::collections::BTreeMap;
use store::bundle;
use store::codec::{self, Encoder};
use store::counts::HeadCount;
use store::keys::{self, Family};
use store::kv::{KeyValueWrite, StoreError, VALUE_MAX};
use store::version_set::{Version, VersionSet};

/// How often the number of bundles may be doubled because one grew beyond a value.
const DOUBLINGS: u32 = 6;

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    pub(super) async fn build(&mut self) -> Result<Option<JobStep>, PublicationError> {
        let (partition, _) = self.state.cursor;
        let partitions = self.state.sources.partitions();
        self.job.progress = (partition, partitions);
        if partition >= partitions {
            return Ok(Some(JobStep::List));
        }
        let Some((family, local)) = self.state.partitions.locate(partition) else {
            self.build_tables(partition).await?;
            self.state.cursor = (partition + 1, 0);
            self.flush_some().await?;
            return Ok(None);
        };
        if !self.build_partition(family, partition, local).await? {
            if self.state.doublings >= DOUBLINGS {
                self.job.summary.failure = Some("un document ne tient pas dans une valeur du magasin".into());
                return Ok(Some(JobStep::Failed));
            }
            self.double_bundles();
            return Ok(Some(JobStep::Build));
        }
        self.verify_headcounts()?;
        self.state.cursor = (partition + 1, 0);
        self.flush_some().await?;
        Ok(None)
    }

    /// Builds the bundles of a partition; `false` where one grew beyond a value.
    async fn build_partition(
        &mut self,
        family: Family,
        partition: usize,
        local: usize,
    ) -> Result<bool, PublicationError> {
        let damaged = || StoreError::Damaged("source".into());
        self.read_masks(partition).await?;
        let read = self.state.sources.read(self.kv, self.shelf(), partition).await?;
        let n_bundles = self.state.bundles[family];
        let by_partition = n_bundles / self.state.partitions[family].max(1);
        let mut by_bundle: Vec<Vec<BundledDocument<'_>>> = vec![Vec::new(); by_partition];
        let (mut held, mut stands) = (0, Vec::new());
        self.outlines.clear();
        for record in read.records() {
            let (kind, sequence, own, pair, json) = read_source(record).ok_or_else(damaged)?;
            held += json.len() as u64;
            let n = keys::bundle(keys::hash(pair), n_bundles);
            by_bundle.get_mut(n - local * by_partition).ok_or_else(damaged)?.push((pair, sequence, own, kind, json));
        }
        let columns = match family {
            Family::Documents(maille) => statistics(maille, self.indicators),
            _ => Vec::new(),
        };
        for (rank, mut docs) in by_bundle.into_iter().enumerate() {
            // By entry, then in the order of the push.
            docs.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
            self.find_duplicates(&docs)?;
            let mut entries = Vec::new();
            let mut docs = docs.into_iter().peekable();
            while let Some((pair, sequence, own, kind, json)) = docs.next() {
                let mut group: Vec<(u64, Kind, &[u8], PlacementKeys)> =
                    vec![(sequence, kind, json, PlacementKeys::read(kind, json).ok_or_else(damaged)?)];
                let mut owns = vec![own];
                while let Some((_, sequence, own, kind, json)) = docs.next_if(|d| d.0 == pair) {
                    let keys = PlacementKeys::read(kind, json).ok_or_else(damaged)?;
                    // The document of the same key takes the place, and keeps the rank, of the one before.
                    match group.iter_mut().zip(&mut owns).find(|(g, _)| g.3.version == keys.version) {
                        Some((old, own_old)) => (*old, *own_old) = ((old.0, kind, json, keys), own),
                        None => {
                            group.push((sequence, kind, json, keys));
                            owns.push(own);
                        }
                    }
                }
                let ranked = group.iter().zip(owns);
                stands.extend(ranked.map(|((sequence, kind, json, _), own)| (*kind, *sequence, own, pair, *json)));
                let entry = self.build_entry((family, &columns), group).await?;
                if entry.len() > VALUE_MAX / 2 {
                    self.job.summary.failure =
                        Some(format!("les documents de {pair} ne tiennent pas dans une valeur du magasin"));
                    self.job.step = JobStep::Failed;
                }
                entries.push((pair.to_owned(), entry));
            }
            self.add_cards(family, entries.len());
            let bundle = bundle::pack(entries);
            if bundle.sealed_len() > VALUE_MAX {
                return Ok(false);
            }
            self.writer.put(family.name(), local * by_partition + rank, bundle).await?;
        }
        self.forget_replaced(Some(family), partition, held, &stands).await?;
        self.put_outlines().await?;
        Ok(true)
    }

    /// Writes the outlines of a partition.
    async fn put_outlines(&mut self) -> Result<(), StoreError> {
        for piece in outlines::pieces(std::mem::take(&mut self.outlines)) {
            self.writer.put(outlines::FAMILY, self.state.outlines, piece).await?;
            self.state.outlines += 1;
        }
        Ok(())
    }

    /// A report tells couples of maille, millesime and provenance apart: it must stay a value.
    fn verify_headcounts(&self) -> Result<(), StoreError> {
        let pairs: usize = self.job.summary.documents.values().flat_map(|m| m.values().map(BTreeMap::len)).sum();
        if pairs > HEADCOUNTS_MAX {
            let what = format!("le rapport, de plus de {HEADCOUNTS_MAX} couples de maille, millésime et provenance,");
            return Err(StoreError::TooLarge(what, pairs * 100));
        }
        Ok(())
    }

    pub(super) fn add_cards(&mut self, family: Family, count: usize) {
        self.state.cards[family] += count as u64;
    }

    async fn build_entry(
        &mut self,
        (family, columns): (Family, &[&str]),
        group: Vec<(u64, Kind, &[u8], PlacementKeys)>,
    ) -> Result<Vec<u8>, PublicationError> {
        let Family::Documents(maille) = family else {
            // The nomenclature: one document a key. Only what lookups need is kept in bundles.
            let Some((_, kind, json, keys)) = group.into_iter().next() else { return Ok(Vec::new()) };
            self.count_whole(kind, json);
            let course = kind == Kind::Bcn && text(&keys.document, "type") == "mef";
            for name in [Some(kind.name()), course.then_some(MEFS)].into_iter().flatten() {
                *self.state.tables.entry(name.to_owned()).or_default() += 1;
            }
            if let (Kind::Bcn | Kind::BcnSise, Some(code)) = (kind, kind.key(&keys.document)) {
                self.state.known.add(&code);
            }
            self.index_nomenclature(kind, &keys.document).await?;
            self.pack_document(kind, &keys.document).await?;
            if kind == Kind::Bcn {
                let list_row = ListRow::bcn(&keys.document);
                self.state.nomenclature = self.state.nomenclature.wrapping_add(codec::digest(&list_row.json));
                self.sort(BCN, &list_row).await?;
                let cfd = text(&keys.document, "code_formation_diplome");
                return Ok(cfd.into_bytes());
            }
            return Ok(Vec::new());
        };
        let mut versions = Vec::new();
        let mut known: Option<index::IndexEntry> = None;
        let (mut code, mut name) = (String::new(), maille.list().to_owned());
        for (sequence, kind, json, keys) in group {
            self.count_digest(kind, json);
            let withheld = self.state.protection.withholds(&keys);
            let Some(row) = keys.row else { continue };
            let rank = self.list_rank(kind, &keys.document);
            if maille == Maille::Declared {
                name = text(&keys.document, MAILLE_FIELD);
            }
            let filiere = Filiere::parse(&row.filiere).unwrap_or(Filiere::Pro);
            if let Some(millesime) = Millesime::parse(&row.millesime) {
                self.state.millesimes.retain(maille, &name, filiere, &millesime);
                self.state.millesime_counts.add(maille, &name, filiere.universe(), millesime.as_str());
            }
            let list_place = match maille {
                Maille::Declared => keys::declared_place(&name, &row.uai),
                _ => row.region.clone(),
            };
            if maille != Maille::Etablissement
                && let Some(count) = HeadCount::new(&keys.document)
            {
                let hidden = self.secrecy().secrecy.hides(&keys.document);
                let count = if withheld {
                    count.withheld()
                } else if hidden {
                    count.hidden()
                } else {
                    count
                };
                self.put_count(&list_place, sequence, &keys.document, &count).await?;
            }
            let source = keys.document.get("donnee_source").and_then(|s| s.get("type")).and_then(|t| t.as_str());
            let source = short(source.unwrap_or("sans donnees"), NAME_MAX).to_owned();
            let by_millesime = self.job.summary.documents.entry(name.clone()).or_default();
            *by_millesime.entry(row.millesime.clone()).or_default().entry(source).or_default() += 1;
            code.clone_from(&row.code);
            let version = (row.filiere.clone(), row.millesime.clone());
            match &mut known {
                Some(entry) => {
                    entry.versions.insert(version);
                }
                None => known = Some(index::IndexEntry { versions: [version].into(), document: keys.document.clone() }),
            }
            if Secrecy::strict_would_hide(&keys.document) {
                *self.job.summary.strict_hides.entry(name.clone()).or_default() += 1;
            }
            let published = PublishedDocument::under(keys.document, self.secrecy().secrecy, withheld);
            // What the matching says of it is said of it as it leaves.
            self.pack_document(kind, published.as_document()).await?;
            if withheld && !published.is_below_threshold() {
                let of = self.job.summary.withheld.entry(name.clone()).or_default();
                *of.entry(row.millesime.clone()).or_default() += 1;
            }
            if published.is_below_threshold() {
                *self.job.summary.below_threshold.entry(name.clone()).or_default() += 1;
            }
            let place = place_of(maille, published.as_document());
            let version = Version::new(&published);
            let served = version.digest();
            self.count_published(kind, &place, served);
            self.outlines.push(Outline::new((&name, &place), &published, served).encode());
            self.state.columns.add(&name, &row.millesime, published.as_document());
            let list_row = ListRow::statistic(maille, row, &published, &version, columns);
            if let Some(rank) = rank {
                self.sort(rank, &list_row).await?;
            }
            versions.push(version);
        }
        if let Some(entry) = known.as_ref().filter(|_| maille != Maille::Declared) {
            let place = place_of(maille, &entry.document);
            self.index_entry(&index::DocumentPlace { maille, place: &place, code: &code }, entry).await?;
        }
        Ok(VersionSet::new(versions).encode())
    }

    async fn put_count(
        &mut self,
        place: &str,
        sequence: u64,
        document: &Document,
        count: &HeadCount,
    ) -> Result<(), PublicationError> {
        let cfd = text(document, "code_formation_diplome");
        let pair = keys::pair(place, &cfd);
        let mut encoder = Encoder::default();
        encoder.text(&pair).number(sequence);
        count.encode(&mut encoder);
        let partitions = self.state.counts.partitions();
        let partition = keys::bundle(keys::hash(&pair), partitions);
        self.state.counts.add(&mut self.writer, self.number, partition, &encoder.0).await?;
        Ok(())
    }

    async fn sort(&mut self, rank: usize, row: &ListRow) -> Result<(), PublicationError> {
        if let Some(list) = self.state.lists.get_mut(rank) {
            list.max_json = list.max_json.max(row.json.len());
            list.max_csv = list.max_csv.max(row.csv.len());
        }
        for sort in self.state.sorts.iter_mut().filter(|t| t.list == rank) {
            let order = sort.order();
            let key = row.key.sort_key(order);
            let partition = sort.separators.partition_point(|s| s.as_bytes() <= key.as_slice());
            sort.stream.add(&mut self.writer, self.number, partition, &row.encode(order)).await?;
        }
        Ok(())
    }
}
