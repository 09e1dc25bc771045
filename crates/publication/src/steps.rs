//! The steps of a publication.

mod index;

use super::job::{HEADCOUNTS_MAX, Job, JobStep, NAME_MAX, short};
use super::lists::{ListBuilder, ListRow, PAGE_MIN, csv_header};
use super::record_stream::{PiecePlace, RecordStream};
use super::registry::{GenerationState, Lease, Registry, Served};
use super::staging::Staging;
use super::writer::{Writer, put_long, read_long};
use super::{Environment, PublicationError};
use domain::declared::{MAILLE_FIELD, MAILLES_MAX, PLACE_FIELD};
use domain::{DeclaredMaille, Document, Filiere, Kind, Maille, Millesime, PublishedDocument, Universe};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use store::bundle;
use store::chain::{self, ChainHead, ENTRY_MAX};
use store::codec::hex;
use store::codec::{Decoder, Encoder};
use store::counts::HeadCount;
use store::keys::{self, Family};
use store::kv::{KeyValue, KeyValueWrite, StoreError, VALUE_MAX};
use store::list::{self, CodeEntry, Format, Order, Plan, RowKey, UaiEntry};
use store::pointer::{FORMAT, LAYOUT, MillesimesInForce, Pointer};
use store::public_record::{self, DocumentCounts, PublicRecord};
use store::reading::PublishedMaille;
use store::version_set::{Version, VersionSet};

/// Bytes of a partition: what a step holds at once, parsed and rendered on top.
const PARTITION: u64 = 3 * 1024 * 1024;
/// Bytes of a bundle on average, unfolded: some 8 KB as stored. A get of keys all over the store reads it page by page,
/// and 12 KB take a twentieth of a request more than 7; much smaller ones take more writes than an import has.
const BUNDLE: u64 = 28 * 1024;
/// Bytes of a partition of a list: its rows are only sorted, neither parsed nor rendered again, so it may be larger;
/// fewer partitions mean larger pieces and fewer writes.
const SORT_PARTITION: u64 = 2 * PARTITION;
/// Bytes that all streams together may hold back before they write: the more there are, the shorter their pieces, so this
/// is what keeps writes in proportion when the data grows.
const BUFFERS: usize = 56 * 1024 * 1024;
/// Bytes of a plan that lie in its first value.
const PLAN_MAX: usize = VALUE_MAX - 1024;
/// Keys kept as a sample of an order, to cut it into even partitions.
const SAMPLE: usize = 1_024;
/// The share of a maille and millesime that may disappear unasked.
const TOLERATED_LOSS: f64 = 0.10;
/// Version of how documents, rows and indexes are written into a layout: to be raised with every change that readers see.
const RENDERING: u32 = 1;
/// How often the number of bundles may be doubled because one grew beyond a value.
const DOUBLINGS: u32 = 6;

/// The lists there always are: the mailles of the contract, then the nomenclature. Those of
/// declared mailles follow.
const LISTS: [(&str, Option<Maille>); 4] = [
    ("certifications", Some(Maille::National)),
    ("regionales", Some(Maille::Regionale)),
    ("formations", Some(Maille::Etablissement)),
    ("bcn", None),
];
/// The nomenclature among them.
const BCN: usize = LISTS.len() - 1;

/// The making of one list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct ListInProgress {
    /// Its name in keys.
    #[serde(rename = "nom")]
    name: String,
    maille: Option<Maille>,
    /// Samples of its two orders.
    #[serde(rename = "echantillons")]
    samples: [KeySample; 2],
    /// The longest row of each form.
    max_json: usize,
    max_csv: usize,
    /// Rows written.
    #[serde(rename = "lignes")]
    rows: u64,
    /// Bytes of its documents.
    #[serde(rename = "octets")]
    bytes: u64,
    /// What finds the rows of a UAI, or of a place of a declared maille.
    #[serde(rename = "lieux")]
    places: Option<PlaceSort>,
}

/// Sorting of the rows of a list by place.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct PlaceSort {
    #[serde(rename = "separateurs")]
    separators: Vec<String>,
    #[serde(rename = "flux")]
    stream: RecordStream,
    pages: Vec<String>,
    /// The next value of an entry that does not fit into a page.
    #[serde(rename = "suite")]
    rest: usize,
}

impl ListInProgress {
    fn new(name: String, maille: Option<Maille>) -> Self {
        let places = matches!(maille, Some(Maille::Etablissement | Maille::Declared)).then(PlaceSort::default);
        Self { name, maille, places, ..Self::default() }
    }

    fn place_partitions(&self) -> usize {
        self.places.as_ref().map_or(0, |l| l.stream.partitions())
    }
}

/// A deterministic sample of sort keys: those whose hash ends in `bits` zeros, whatever the order
/// they come in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct KeySample {
    bits: u32,
    #[serde(rename = "cles")]
    keys: Vec<String>,
}

impl KeySample {
    fn retains(&self, key: &str) -> bool {
        keys::hash(key).trailing_zeros() >= self.bits
    }

    fn add(&mut self, key: String) {
        if self.retains(&key) {
            self.keys.push(key);
            while self.keys.len() > SAMPLE {
                self.bits += 1;
                let keys = std::mem::take(&mut self.keys);
                self.keys = keys.into_iter().filter(|c| self.retains(c)).collect();
            }
        }
    }

    /// Keys that cut what was sampled into `parts` even parts.
    fn separators(mut self, parts: usize) -> Vec<String> {
        self.keys.sort_unstable();
        self.keys.dedup();
        let n = self.keys.len();
        let mut separators: Vec<String> = (1..parts).filter_map(|i| self.keys.get(i * n / parts).cloned()).collect();
        separators.dedup();
        separators
    }
}

/// The sorting of one list in one order.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ListSort {
    #[serde(rename = "liste")]
    list: usize,
    codes: bool,
    #[serde(rename = "separateurs")]
    separators: Vec<String>,
    #[serde(rename = "flux")]
    stream: RecordStream,
}

impl ListSort {
    fn order(&self) -> Order {
        if self.codes { Order::Codes } else { Order::Places }
    }
}

/// Rows found again of a list: in the form that is read, under codes, under places.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Verified {
    #[serde(rename = "lignes")]
    rows: usize,
    #[serde(rename = "par_code")]
    by_code: usize,
    #[serde(rename = "par_uai")]
    by_uai: usize,
}

/// What of a list is verified together.
#[derive(Clone, Copy)]
enum Pieces {
    Segments(Order, Format),
    Codes,
    PlaceTable,
}

/// What the steps need between two calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct JobState {
    base: Option<Manifest>,
    #[serde(rename = "doublements")]
    doublings: u32,
    /// The mailles declared by this push or before it.
    declarations: BTreeMap<String, DeclaredMaille>,
    #[serde(rename = "listes")]
    lists: Vec<ListInProgress>,
    #[serde(rename = "octets")]
    bytes: [u64; 6],
    bundles: [usize; 6],
    partitions: [usize; 6],
    sources: RecordStream,
    sequence: u64,
    #[serde(rename = "curseur")]
    cursor: (usize, usize),
    #[serde(rename = "tris")]
    sorts: Vec<ListSort>,
    #[serde(rename = "comptes")]
    counts: RecordStream,
    #[serde(rename = "empreinte")]
    digest: [u64; 4],
    #[serde(rename = "fiches")]
    cards: [u64; 6],
    millesimes: MillesimesInForce,
    #[serde(rename = "constructeur")]
    builder: Option<Vec<u8>>,
    index: index::Index,
    /// The next piece of a partition that is read a piece at a time.
    #[serde(rename = "lieu")]
    place: Option<PiecePlace>,
    /// What was found so far of the list that is verified.
    #[serde(rename = "verifiees")]
    verified: Verified,
    /// The next values of plans and of counts that do not fit into one.
    #[serde(rename = "suite_plans")]
    plans_chain: usize,
    #[serde(rename = "suite_comptes")]
    counts_chain: usize,
}

/// What is known of a published generation, for the next publication and for reports.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Manifest {
    generation: String,
    digest: String,
    documents: DocumentCounts,
    #[serde(rename = "octets")]
    bytes: Vec<u64>,
    sources: RecordStream,
    sequence: u64,
    millesimes: MillesimesInForce,
    /// How many partitions of the sources come first and hold statistics only.
    #[serde(rename = "statistiques", default)]
    statistics: usize,
    /// The declared mailles that have documents.
    #[serde(default)]
    declarations: BTreeMap<String, DeclaredMaille>,
    /// How its documents were written: see [`rendering`]. Version 0.1 did not say.
    #[serde(default)]
    rendering: String,
}

/// What decides, beside the data, what a generation holds: unchanged data makes a new generation where this changed.
fn rendering(indicators: &[String]) -> String {
    format!("{LAYOUT}.{RENDERING}.{}", indicators.join(","))
}

const MANIFEST_FAMILY: &str = "manifeste";
/// The family that holds a generation's copy of the pointer that led to it.
const FAMILY_POINTER: &str = "pointeur";

impl Manifest {
    /// The documents as they were pushed.
    pub(super) fn sources(&self) -> &RecordStream {
        &self.sources
    }

    /// The partitions of [`Manifest::sources`] that documents of these kinds may lie in.
    pub(super) fn partitions(&self, kinds: &[Kind]) -> std::ops::Range<usize> {
        let statistics = kinds.iter().any(|k| k.maille().is_some());
        if statistics { 0..self.sources.partitions() } else { self.statistics..self.sources.partitions() }
    }

    pub(super) async fn read<K: KeyValue>(kv: &K, generation: &str) -> Result<Self, StoreError> {
        let first = read_long(kv, generation, MANIFEST_FAMILY, 0, 1).await?;
        let damaged = || StoreError::Damaged(keys::value(generation, MANIFEST_FAMILY, 0));
        let count: usize = serde_json::from_slice(&first).map_err(|_| damaged())?;
        let bytes = read_long(kv, generation, MANIFEST_FAMILY, 1, count).await?;
        serde_json::from_slice(&bytes).map_err(|_| damaged())
    }

    async fn write<K: KeyValueWrite>(&self, writer: &mut Writer<'_, K>) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        let count = put_long(writer, MANIFEST_FAMILY, 1, &bytes).await?;
        writer.put(MANIFEST_FAMILY, 0, count.to_string().into_bytes()).await
    }
}

/// The partition of the sources that holds what is only kept for the treatments.
fn partition_source(partitions: &[usize; 6], family: Option<Family>, hash: u64) -> usize {
    let before = |rank: usize| partitions.iter().take(rank).sum::<usize>();
    match family {
        None => before(partitions.len()),
        Some(f) => before(f.rank()) + keys::bundle(hash, partitions.get(f.rank()).copied().unwrap_or(1)),
    }
}

/// The fields a document is placed by.
struct PlacementKeys {
    document: Document,
    family: Option<Family>,
    /// What its bundle entry is found by.
    pair: String,
    /// What tells it from its neighbours in the entry.
    version: String,
    row: Option<RowKey>,
}

fn text(document: &Document, field: &str) -> String {
    document.get(field).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

fn code_of(document: &Document, field: &str) -> String {
    document.get(field).and_then(|r| r.get("code")).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

impl PlacementKeys {
    fn read(kind: Kind, json: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(json).ok()?;
        let code = text(&document, "code_certification");
        let nomenclature = |field: &str| {
            let key = text(&document, field);
            (Some(Family::Nomenclature), keys::pair(kind.name(), &key), String::new())
        };
        let (family, pair, version) = match (kind, kind.maille()) {
            (_, Some(maille)) => {
                let place = match maille {
                    Maille::National => String::new(),
                    Maille::Regionale => code_of(&document, "region"),
                    Maille::Etablissement => text(&document, "uai"),
                    Maille::Declared => {
                        keys::declared_place(&text(&document, MAILLE_FIELD), &text(&document, PLACE_FIELD))
                    }
                };
                let version = format!("{}|{}", text(&document, "millesime"), text(&document, "filiere"));
                (Some(Family::Documents(maille)), keys::pair(&place, &code), version)
            }
            (Kind::BcnSise, _) => nomenclature("diplome_sise"),
            (Kind::Etablissement, _) => nomenclature("numero_uai"),
            (Kind::Bcn, _) => nomenclature("code_certification"),
            (Kind::BcnMef, _) => (None, keys::pair(kind.name(), &text(&document, "mef_stat_11")), String::new()),
            (Kind::Rncp, _) => (None, keys::pair(kind.name(), &kind.key(&document).unwrap_or_default()), String::new()),
            _ => (None, keys::pair(kind.name(), &text(&document, "id")), String::new()),
        };
        let row = match (kind.maille(), kind) {
            (Some(maille), _) => {
                let filiere = text(&document, "filiere");
                Some(RowKey {
                    millesime: text(&document, "millesime"),
                    universe: Filiere::parse(&filiere).map_or(Universe::Secondaire, Filiere::universe),
                    region: if maille == Maille::National { String::new() } else { code_of(&document, "region") },
                    academie: match maille {
                        Maille::Etablissement | Maille::Declared => code_of(&document, "academie"),
                        Maille::National | Maille::Regionale => String::new(),
                    },
                    uai: match maille {
                        Maille::Etablissement => text(&document, "uai"),
                        Maille::Declared => text(&document, PLACE_FIELD),
                        Maille::National | Maille::Regionale => String::new(),
                    },
                    filiere,
                    code,
                })
            }
            (None, Kind::Bcn) => Some(ListRow::bcn(&document).key),
            _ => None,
        };
        Some(Self { document, family, pair, version, row })
    }
}

fn family_of(kind: &str) -> Option<Family> {
    match Kind::parse(kind)? {
        Kind::Bcn | Kind::BcnSise | Kind::Etablissement => Some(Family::Nomenclature),
        other => other.maille().map(Family::Documents),
    }
}

/// Runs a job for at most `budget_ms`, then saves where it stands. Call it until
/// [`JobStep::is_final`] or [`JobStep::AwaitConfirmation`].
///
/// # Errors
/// [`PublicationError::Busy`] where another job holds the lease; those of the store, after which
/// the job stands where it stood.
pub async fn advance<K: KeyValueWrite, E: Environment>(
    kv: &K,
    env: &E,
    id: &str,
    budget_ms: u64,
    indicators: &[String],
) -> Result<Job, PublicationError> {
    let start = env.monotonic_ms();
    let now = env.now_ms();
    let (job, before) = match Job::read(kv, id).await {
        Err(PublicationError::Store(StoreError::Unavailable(reason))) => {
            return Err(StoreError::Unavailable(reason).into());
        }
        Err(error) => return Job::end_lost(kv, id, error, now).await,
        Ok(read) => read,
    };
    if job.step.is_final() {
        // Killed at its very end, it may not have been closed.
        release(kv, &job, now).await?;
        return Ok(job);
    }
    if !Registry::read(kv).await?.jobs.iter().any(|j| j == id) {
        let reason = Some("le travail n'est plus inscrit au registre".to_owned());
        return job.end(kv, &before, JobStep::Failed, reason, now).await;
    }
    let waits = matches!(job.step, JobStep::Staging | JobStep::AwaitConfirmation);
    let Some(generation) = job.generation.clone().filter(|_| !waits) else {
        return Ok(job);
    };
    let lease = Lease::take(kv, id, now).await?;
    let end = start.saturating_add(budget_ms);
    let output = drive(kv, env, job.clone(), &before, generation, &lease, (start, end), indicators).await;
    let output = match output {
        // What was written cannot be read again, or what is to be written does not fit: trying once more would not help.
        Err(PublicationError::Store(error)) if error.reason().is_some() => {
            job.end(kv, &before, JobStep::Failed, error.reason(), env.now_ms()).await
        }
        output => output,
    };
    let rendered = lease.give_back(kv).await;
    let job = output?;
    rendered?;
    Ok(job)
}

#[expect(clippy::too_many_arguments, reason = "called once")]
async fn drive<K: KeyValueWrite, E: Environment>(
    kv: &K,
    env: &E,
    job: Job,
    before: &[u8],
    generation: String,
    lease: &Lease,
    (start, end): (u64, u64),
    indicators: &[String],
) -> Result<Job, PublicationError> {
    let state = match job.state {
        None => JobState::default(),
        Some((number, start, count)) => {
            let bytes = read_long(kv, &generation, &state_family(number), start, count).await?;
            serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged(state_family(number)))?
        }
    };
    let writer = Writer::open(kv, &generation, env.batch()).await?;
    let number = lease.number;
    let mut stepper = JobStepper { kv, env, job, before, generation, state, writer, number, end, indicators };
    stepper.run(lease).await?;
    let elapsed = env.monotonic_ms().saturating_sub(start);
    stepper.save(elapsed).await
}

/// What an ended job leaves: its parts may go, and its generation unless it is served.
async fn release<K: KeyValueWrite>(kv: &K, job: &Job, now: i64) -> Result<(), StoreError> {
    let registry = Registry::read(kv).await?;
    let opened = registry.jobs.contains(&job.id);
    // Neither open nor on its way out: its record is all that is left, and goes.
    if opened || !registry.named(&job.id) { Registry::settle(kv, &job.id, now).await } else { Ok(()) }
}

fn state_family(number: u64) -> String {
    format!("etat.{number}")
}

struct JobStepper<'a, K, E> {
    kv: &'a K,
    env: &'a E,
    job: Job,
    before: &'a [u8],
    generation: String,
    state: JobState,
    writer: Writer<'a, K>,
    number: u64,
    end: u64,
    indicators: &'a [String],
}

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    fn has_time(&self) -> bool {
        self.env.monotonic_ms() < self.end
    }

    async fn run(&mut self, lease: &Lease) -> Result<(), PublicationError> {
        loop {
            let rest = match self.job.step {
                JobStep::Distribute => self.distribute().await?,
                JobStep::Build => self.build().await?,
                JobStep::List => self.list().await?,
                JobStep::Count => self.count().await?,
                JobStep::Index => self.index().await?,
                JobStep::Verify => self.verify().await?,
                JobStep::Switch => self.switch(lease).await?,
                _ => return Ok(()),
            };
            if let Some(step) = rest {
                self.flush().await?;
                self.job.step = step;
                self.state.cursor = (0, 0);
                self.job.progress = (0, 0);
            }
            if !self.has_time() {
                return Ok(());
            }
        }
    }

    /// Writes what waits: what comes next may read it.
    async fn flush(&mut self) -> Result<(), PublicationError> {
        let number = self.number;
        let places = self.state.lists.iter_mut().filter_map(|l| l.places.as_mut()).map(|l| &mut l.stream);
        for stream in places.chain([&mut self.state.sources, &mut self.state.counts]) {
            stream.flush(&mut self.writer, number, 0).await?;
        }
        for stream in self.state.index.stream() {
            stream.flush(&mut self.writer, number, 0).await?;
        }
        for sort in &mut self.state.sorts {
            sort.stream.flush(&mut self.writer, number, 0).await?;
        }
        Ok(self.writer.flush().await?)
    }

    /// Writes what waits, then the state, then the record: only the record makes the rest count.
    async fn save(mut self, elapsed: u64) -> Result<Job, PublicationError> {
        let number = self.number;
        if !self.job.step.is_final() {
            self.flush().await?;
            let bytes = serde_json::to_vec(&self.state).unwrap_or_default();
            let count = put_long(&mut self.writer, &state_family(number), 0, &bytes).await?;
            self.job.state = Some((number, 0, count));
        }
        self.writer.flush().await?;
        self.job.summary.writes += self.writer.writes;
        self.job.summary.duration_ms += elapsed;
        self.job.write(self.kv, self.before).await?;
        if self.job.step.is_final() {
            release(self.kv, &self.job, self.env.now_ms()).await?;
        }
        Ok(self.job)
    }

    // --- distribute -------------------------------------------------------------------------

    async fn prepare(&mut self) -> Result<(), PublicationError> {
        let base = match Served::read(self.kv).await? {
            Some(served) => Some(Manifest::read(self.kv, &served.pointer.generation).await?),
            None => None,
        };
        let mut bytes = [0; 6];
        for (total, n) in bytes.iter_mut().zip(base.iter().flat_map(|b| &b.bytes)) {
            *total = *n;
        }
        let mut declarations = base.as_ref().map(|b| b.declarations.clone()).unwrap_or_default();
        for (kind, n) in &self.job.bytes {
            if let Some(total) = family_of(kind).and_then(|f| bytes.get_mut(f.rank())) {
                *total += n;
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
        self.size(base, bytes, self.state.doublings);
        Ok(())
    }

    /// Decides how many bundles and partitions there are. Bundles of a family are a multiple of
    /// its partitions, so that a bundle lies in one partition.
    fn size(&mut self, base: Option<Manifest>, bytes: [u64; 6], doublings: u32) {
        let parts = |n: u64, by: u64| usize::try_from(n.div_ceil(by).max(1)).unwrap_or(usize::MAX);
        let mut partitions = bytes.map(|n| parts(n, PARTITION));
        if self.state.declarations.is_empty()
            && let Some(declared) = partitions.get_mut(Family::Documents(Maille::Declared).rank())
        {
            *declared = 0;
        }
        // Counts are spread by a stream of their own.
        if let Some(counts) = partitions.get_mut(Family::Counts.rank()) {
            *counts = 0;
        }
        let mut bundles = [0; 6];
        for ((bundles, partitions), bytes) in bundles.iter_mut().zip(partitions).zip(bytes) {
            // A family without partitions has no bundles.
            *bundles = (parts(bytes, BUNDLE).div_ceil(partitions.max(1)) * partitions) << doublings;
        }
        let declarations = std::mem::take(&mut self.state.declarations);
        let lists = LISTS.iter().map(|(name, maille)| ListInProgress::new((*name).to_owned(), *maille));
        let declared =
            declarations.keys().map(|name| ListInProgress::new(keys::declared_list(name), Some(Maille::Declared)));
        self.state = JobState {
            lists: lists.chain(declared).collect(),
            declarations,
            base,
            doublings,
            bundles,
            partitions,
            sources: RecordStream::new("sources", partitions.iter().sum::<usize>() + 1),
            sequence: 0,
            ..JobState::default()
        };
        self.state.sequence = self.state.base.as_ref().map_or(0, |b| b.sequence);
        // Counted once more, where bundles are doubled.
        self.job.summary.carried_over = 0;
        self.job.summary.documents.clear();
        self.job.summary.below_threshold.clear();
    }

    async fn distribute(&mut self) -> Result<Option<JobStep>, PublicationError> {
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
            let staging = Staging::new(self.kv, &self.job.id, 1);
            let damaged = || StoreError::Damaged(format!("part {part}"));
            let info = staging.info(part).await?.ok_or_else(damaged)?;
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
                    self.place(kind, sequence, &json).await?;
                }
            }
            self.state.cursor = (rank, piece + 1);
        } else {
            self.prepare_sorts();
            return Ok(Some(JobStep::Build));
        }
        self.flush_some().await?;
        Ok(None)
    }

    /// Carries over what the push does not replace, a piece of a partition at a time, from its last one: documents are told
    /// apart by their rank, not by the order they come in. `true` once nothing of it is left.
    async fn resume(&mut self, partition: usize, piece: usize) -> Result<bool, PublicationError> {
        let Some(base) = &self.state.base else { return Ok(true) };
        let place = if piece == 0 { base.sources.last(partition) } else { self.state.place };
        let Some(place) = place else { return Ok(true) };
        let (read, before) = base.sources.read_piece(self.kv, &base.generation, place).await?;
        self.state.place = before;
        let opening = self.job.opening.clone();
        for record in read.records() {
            let (kind, sequence, _, json) = read_source(record).ok_or(StoreError::Damaged("source".into()))?;
            let statistic: Option<Document> = kind.maille().and_then(|_| serde_json::from_slice(json).ok());
            let replaces = opening.replaces(kind, statistic.as_ref());
            if !replaces {
                self.job.summary.carried_over += 1;
                self.place(kind, sequence, json).await?;
            }
        }
        Ok(before.is_none())
    }

    async fn place(&mut self, kind: Kind, sequence: u64, json: &[u8]) -> Result<(), PublicationError> {
        let keys = PlacementKeys::read(kind, json).ok_or(StoreError::Damaged("source".into()))?;
        if let (Some(rank), Some(row)) = (self.list_rank(kind, &keys.document), &keys.row)
            && let Some(list) = self.state.lists.get_mut(rank)
        {
            list.bytes += json.len() as u64;
            for (sample, order) in list.samples.iter_mut().zip(Order::ALL) {
                sample.add(String::from_utf8(row.sort_key(order)).unwrap_or_default());
            }
        }
        if let Some(bytes) = keys.family.and_then(|f| self.state.bytes.get_mut(f.rank())) {
            *bytes += json.len() as u64;
        }
        let partition = partition_source(&self.state.partitions, keys.family, keys::hash(&keys.pair));
        let mut record = Encoder::default();
        record.number(u64::from(kind.rank())).number(sequence).text(&keys.pair);
        record.0.extend_from_slice(json);
        self.state.sources.add(&mut self.writer, self.number, partition, &record.0).await?;
        Ok(())
    }

    /// The list that a document has a row in.
    fn list_rank(&self, kind: Kind, document: &Document) -> Option<usize> {
        match kind.maille() {
            Some(Maille::Declared) => {
                let name = keys::declared_list(document.get(MAILLE_FIELD)?.as_str()?);
                self.state.lists.iter().position(|l| l.name == name)
            }
            Some(maille) => LISTS.iter().position(|(_, m)| *m == Some(maille)),
            None => (kind == Kind::Bcn).then_some(BCN),
        }
    }

    fn prepare_sorts(&mut self) {
        let bytes = self.state.bytes;
        let size = |rank: usize| bytes.get(rank).copied().unwrap_or_default();
        let parts = |n: u64| usize::try_from((n + n / 2).div_ceil(SORT_PARTITION).max(1)).unwrap_or(1);
        for (rank, list) in self.state.lists.iter_mut().enumerate() {
            // Declared mailles share a family of bundles, but no list.
            let bytes = match list.maille {
                Some(Maille::Declared) => list.bytes,
                maille => size(maille.map_or(Family::Nomenclature, Family::Documents).rank()),
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
        let counts = Family::Counts.rank();
        let declared = size(Family::Documents(Maille::Declared).rank());
        let count_bytes = (size(0) + size(1) + declared) / 4;
        if let Some(bundles) = self.state.bundles.get_mut(counts) {
            let partitions = parts(count_bytes / 2);
            let wanted_ones = usize::try_from(count_bytes.div_ceil(BUNDLE).max(1)).unwrap_or(1);
            *bundles = (wanted_ones.div_ceil(partitions) * partitions) << self.state.doublings;
            self.state.counts = RecordStream::new("comptes", partitions);
        }
        let nomenclature = size(Family::Nomenclature.rank());
        self.state.index = index::Index::new(nomenclature, size(0) + size(1) + size(2));
    }

    /// Keeps the memory of all streams bounded.
    async fn flush_some(&mut self) -> Result<(), PublicationError> {
        let number = self.number;
        let state = &mut self.state;
        let mut stream: Vec<&mut RecordStream> = state.sorts.iter_mut().map(|t| &mut t.stream).collect();
        stream.extend([&mut state.sources, &mut state.counts]);
        stream.extend(state.lists.iter_mut().filter_map(|l| l.places.as_mut()).map(|l| &mut l.stream));
        stream.extend(state.index.stream());
        let total: usize = stream.iter().map(|f| f.size()).sum();
        if total > BUFFERS {
            // The fullest quarter goes: the longer buffers wait, the larger their pieces.
            for f in stream {
                let remainder = f.size() / 4 * 3;
                f.flush(&mut self.writer, number, remainder).await?;
            }
        }
        Ok(())
    }

    // --- build -----------------------------------------------------------------------

    async fn build(&mut self) -> Result<Option<JobStep>, PublicationError> {
        let (partition, _) = self.state.cursor;
        let docs: usize = self.state.partitions.iter().sum();
        self.job.progress = (partition, docs + 1);
        if partition > docs {
            return Ok(Some(JobStep::List));
        }
        if partition == docs {
            // What is only kept for the treatments counts in the digest, and says the RNCP codes of the search. It is one
            // partition of any size, in no order: read a piece at a time, from the last one.
            let others = self.state.sources.partitions() - 1;
            let place = match self.state.cursor.1 {
                0 => self.state.sources.last(others),
                _ => self.state.place,
            };
            let Some(place) = place else {
                self.state.cursor = (partition + 1, 0);
                return Ok(None);
            };
            let (piece, before) = self.state.sources.read_piece(self.kv, &self.generation, place).await?;
            for record in piece.records() {
                let (kind, _, _, json) = read_source(record).ok_or(StoreError::Damaged("source".into()))?;
                self.count_digest(kind, json);
                self.index_rncp(kind, json).await?;
            }
            self.state.place = before;
            self.state.cursor.1 += 1;
            self.flush_some().await?;
            return Ok(None);
        }
        let mut locale = partition;
        let mut family = Family::ALL[0];
        for (f, n) in Family::ALL.into_iter().zip(self.state.partitions) {
            family = f;
            if locale < n {
                break;
            }
            locale -= n;
        }
        if !self.build_partition(family, partition, locale).await? {
            let (base, bytes) = (self.state.base.take(), self.state.bytes);
            let doublings = self.state.doublings + 1;
            if doublings > DOUBLINGS {
                self.job.summary.failure = Some("un document ne tient pas dans une valeur du magasin".into());
                return Ok(Some(JobStep::Failed));
            }
            self.size(base, bytes, doublings);
            return Ok(Some(JobStep::Distribute));
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
        locale: usize,
    ) -> Result<bool, PublicationError> {
        let damaged = || StoreError::Damaged("source".into());
        let read = self.state.sources.read(self.kv, &self.generation, partition).await?;
        let n_bundles = self.state.bundles.get(family.rank()).copied().unwrap_or(1);
        let by_partition = n_bundles / self.state.partitions.get(family.rank()).copied().unwrap_or(1).max(1);
        let mut by_bundle: Vec<Vec<BundledDocument<'_>>> = vec![Vec::new(); by_partition];
        for record in read.records() {
            let (kind, sequence, pair, json) = read_source(record).ok_or_else(damaged)?;
            let n = keys::bundle(keys::hash(pair), n_bundles);
            by_bundle.get_mut(n - locale * by_partition).ok_or_else(damaged)?.push((pair, sequence, kind, json));
        }
        for (rank, mut docs) in by_bundle.into_iter().enumerate() {
            // By entry, then in the order of the push.
            docs.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
            let mut entries = Vec::new();
            let mut docs = docs.into_iter().peekable();
            while let Some((pair, sequence, kind, json)) = docs.next() {
                let mut group: Vec<(u64, Kind, &[u8], PlacementKeys)> =
                    vec![(sequence, kind, json, PlacementKeys::read(kind, json).ok_or_else(damaged)?)];
                while let Some((_, sequence, kind, json)) = docs.next_if(|d| d.0 == pair) {
                    let keys = PlacementKeys::read(kind, json).ok_or_else(damaged)?;
                    // The document of the same key takes the place, and keeps the rank, of the one before.
                    match group.iter_mut().find(|g| g.3.version == keys.version) {
                        Some(old) => *old = (old.0, kind, json, keys),
                        None => group.push((sequence, kind, json, keys)),
                    }
                }
                let entry = self.build_entry(family, group).await?;
                if entry.len() > VALUE_MAX / 2 {
                    self.job.summary.failure =
                        Some(format!("les documents de {pair} ne tiennent pas dans une valeur du magasin"));
                    self.job.step = JobStep::Failed;
                }
                entries.push((pair.to_owned(), entry));
            }
            self.add_cards(family, entries.len());
            let bundle = bundle::pack(entries);
            if bundle.len() > VALUE_MAX {
                return Ok(false);
            }
            self.writer.put(family.name(), locale * by_partition + rank, bundle).await?;
        }
        Ok(true)
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

    fn add_cards(&mut self, family: Family, count: usize) {
        if let Some(total) = self.state.cards.get_mut(family.rank()) {
            *total += count as u64;
        }
    }

    async fn build_entry(
        &mut self,
        family: Family,
        group: Vec<(u64, Kind, &[u8], PlacementKeys)>,
    ) -> Result<Vec<u8>, PublicationError> {
        let Family::Documents(maille) = family else {
            // The nomenclature: one document a key. Only what lookups need is kept in bundles.
            let Some((_, kind, json, keys)) = group.into_iter().next() else { return Ok(Vec::new()) };
            self.count_digest(kind, json);
            self.index_nomenclature(kind, &keys.document).await?;
            if kind == Kind::Bcn {
                let list_row = ListRow::bcn(&keys.document);
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
            let Some(row) = keys.row else { continue };
            let rank = self.list_rank(kind, &keys.document);
            if maille == Maille::Declared {
                name = text(&keys.document, MAILLE_FIELD);
            }
            let filiere = Filiere::parse(&row.filiere).unwrap_or(Filiere::Pro);
            if let Some(millesime) = Millesime::parse(&row.millesime) {
                self.state.millesimes.retain(maille, &name, filiere, &millesime);
            }
            let list_place = match maille {
                Maille::Declared => keys::declared_place(&name, &row.uai),
                _ => row.region.clone(),
            };
            if maille != Maille::Etablissement
                && let Some(count) = HeadCount::new(&keys.document)
            {
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
            let published = PublishedDocument::new(keys.document);
            if published.is_below_threshold() {
                *self.job.summary.below_threshold.entry(name.clone()).or_default() += 1;
            }
            let version = Version::new(&published);
            let list_row = ListRow::statistic(maille, row, &published, &version, self.indicators);
            if let Some(rank) = rank {
                self.sort(rank, &list_row).await?;
            }
            versions.push(version);
        }
        if let Some(entry) = known.as_ref().filter(|_| maille != Maille::Declared) {
            let place = index::place(maille, &entry.document);
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

    /// The digest of a set: the same whatever the order and the partitions.
    fn count_digest(&mut self, kind: Kind, json: &[u8]) {
        let digest = Sha256::new().chain_update([kind.rank()]).chain_update(json).finalize();
        for (sum, bytes) in self.state.digest.iter_mut().zip(digest.chunks_exact(8)) {
            *sum = sum.wrapping_add(bytes.try_into().map(u64::from_le_bytes).unwrap_or_default());
        }
    }

    // --- list ---------------------------------------------------------------------------

    async fn list(&mut self) -> Result<Option<JobStep>, PublicationError> {
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
        let read = sort.stream.read(self.kv, &self.generation, partition).await?;
        let mut rows: Vec<(&[u8], &[u8], &[u8])> = Vec::new();
        for record in read.records() {
            let mut decoder = Decoder(record);
            let pieces = (|| Some((decoder.bytes()?, decoder.bytes()?, decoder.bytes()?)))();
            rows.push(pieces.ok_or(StoreError::Damaged("liste".into()))?);
        }
        rows.sort_by(|a, b| a.0.cmp(b.0));
        for (key, json, csv) in rows {
            let key = RowKey::read(key, order).ok_or(StoreError::Damaged("liste".into()))?;
            let place = builder.add(&mut self.writer, &key, json, csv).await?;
            let places = self.state.lists.get_mut(sort.list).and_then(|l| l.places.as_mut());
            if let Some(places) = places.filter(|_| order == Order::Places) {
                let mut encoder = Encoder::default();
                encoder.bytes(&key.sort_key(Order::Places)).size(place);
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
        let mut plan = if order == Order::Places { Plan::default() } else { self.read_plan(name).await? };
        plan.csv_header = csv_header(maille, self.indicators);
        let total = builder.total;
        builder.finish(&mut self.writer, &mut plan).await?;
        if let Some(list) = self.state.lists.get_mut(sort.list) {
            list.rows = total as u64;
        }
        self.write_plan(name, &plan).await?;
        self.state.cursor = (rank + 1, 0);
        Ok(None)
    }

    async fn read_plan(&mut self, name: &str) -> Result<Plan, PublicationError> {
        self.writer.flush().await?;
        Ok(Plan::read(self.kv, &self.generation, name).await?)
    }

    async fn write_plan(&mut self, name: &str, plan: &Plan) -> Result<(), PublicationError> {
        let family = list::plan_family(name);
        // A plan that is written again goes on in other values: killed in between, the older one is still whole.
        let start = self.writer.put_chain(&family, &mut self.state.plans_chain, plan.encode(), PLAN_MAX).await?;
        Ok(self.writer.put(&family, 0, list::pack(&[start], 1)).await?)
    }

    /// Builds the pages of the places of a list.
    async fn list_places(&mut self, rank: usize, partition: usize) -> Result<Option<JobStep>, PublicationError> {
        let Some(list) = self.state.lists.get_mut(rank) else { return Ok(Some(JobStep::Count)) };
        let (next, name) = ((self.state.sorts.len() + rank + 1, 0), list.name.clone());
        let Some(mut places) = list.places.take() else {
            self.state.cursor = next;
            return Ok(None);
        };
        if partition >= places.stream.partitions() {
            let mut plan = self.read_plan(&name).await?;
            plan.pages_uais = std::mem::take(&mut places.pages);
            self.write_plan(&name, &plan).await?;
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
        let read = places.stream.read(self.kv, &self.generation, partition).await?;
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

    // --- count --------------------------------------------------------------------------

    async fn count(&mut self) -> Result<Option<JobStep>, PublicationError> {
        let (partition, _) = self.state.cursor;
        let partitions = self.state.counts.partitions();
        self.job.progress = (partition, partitions);
        if partition >= partitions {
            return Ok(Some(JobStep::Index));
        }
        let damaged = || StoreError::Damaged("comptes".into());
        let n_bundles = self.state.bundles.get(Family::Counts.rank()).copied().unwrap_or(1);
        let by_partition = n_bundles / partitions;
        let read = self.state.counts.read(self.kv, &self.generation, partition).await?;
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
                let entry = counts.into_values().flatten().copied().collect();
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

    // --- verify -------------------------------------------------------------------------

    /// Reads every value that readers will: each must be whole, and their numbers must add up.
    async fn verify(&mut self) -> Result<Option<JobStep>, PublicationError> {
        self.writer.flush().await?;
        let (rank, departure) = self.state.cursor;
        let lists = self.state.lists.len();
        self.job.progress = (rank, Family::ALL.len() + lists + 1);
        if let Some(family) = Family::ALL.get(rank).copied() {
            let count = self.state.bundles.get(rank).copied().unwrap_or_default();
            for n in departure..count {
                let key = keys::value(&self.generation, family.name(), n);
                let damaged = || StoreError::Damaged(key.clone());
                let value = self.kv.get(&key).await?.ok_or_else(damaged)?;
                let entries = bundle::entries(&value).map_err(|_| damaged())?;
                if let Family::Documents(_) = family
                    && entries.iter().any(|(_, bytes)| VersionSet::decode(bytes).is_none())
                {
                    return Err(damaged().into());
                }
                if family == Family::Counts {
                    for (_, entry) in entries.iter().filter(|(_, entry)| ChainHead::read(entry).is_some()) {
                        chain::whole(self.kv, &self.generation, family.name(), entry.to_vec()).await?;
                    }
                }
                // What was counted when it was built must be found: to zero over the whole family.
                if let Some(cards) = self.state.cards.get_mut(rank) {
                    *cards = cards.checked_sub(entries.len() as u64).ok_or_else(damaged)?;
                }
                if !self.has_time() {
                    self.state.cursor = (rank, n + 1);
                    return Ok(None);
                }
            }
            if self.state.cards.get(rank).is_some_and(|f| *f != 0) {
                return Err(StoreError::Damaged(family.name().into()).into());
            }
            self.state.cursor = (rank + 1, 0);
            return Ok(None);
        }
        if let Some(list) = self.state.lists.get(rank - Family::ALL.len()) {
            let (name, maille, rows) = (list.name.clone(), list.maille, list.rows);
            if self.verify_list(&name, maille, rows, departure).await? {
                self.state.cursor = (rank + 1, 0);
                self.state.verified = Verified::default();
            }
            return Ok(None);
        }
        if rank == Family::ALL.len() + lists {
            if self.verify_index(departure).await? {
                self.state.cursor = (rank + 1, 0);
            }
            return Ok(None);
        }
        for declared in self.declared().into_values() {
            self.count_digest(Kind::Maille, &serde_json::to_vec(&declared).unwrap_or_default());
        }
        self.job.summary.digest = hex(&self.state.digest.map(u64::to_le_bytes).concat());
        if let Some(millesimes) = &self.job.options.millesimes {
            let read = std::mem::take(&mut self.state.millesimes.mailles);
            self.state.millesimes = MillesimesInForce { mailles: read, ..millesimes.clone() };
        }
        if let Some(base) = &self.state.base {
            let unchanged = base.digest == self.job.summary.digest && base.millesimes == self.state.millesimes;
            if unchanged && base.rendering == rendering(self.indicators) {
                return Ok(Some(JobStep::Unchanged));
            }
            self.job.summary.losses = losses(&base.documents, &self.job.summary.documents);
            if !self.job.summary.losses.is_empty() && !self.job.options.confirm_losses {
                self.job.waits_since_ms = Some(self.env.now_ms());
                return Ok(Some(JobStep::AwaitConfirmation));
            }
        }
        Ok(Some(JobStep::Switch))
    }

    /// Reads every value of a list again, from the one at `departure` on: `true` once all of them were read.
    async fn verify_list(
        &mut self,
        name: &str,
        maille: Option<Maille>,
        expected: u64,
        departure: usize,
    ) -> Result<bool, PublicationError> {
        let plan = self.read_plan(name).await?;
        let damaged = |what: &str| StoreError::Damaged(format!("{what} of {name}"));
        if plan.total as u64 != expected || plan.stretches.iter().map(|p| p.count).sum::<usize>() != plan.total {
            return Err(damaged("plan").into());
        }
        let mut pieces = Vec::new();
        for order in Order::ALL.into_iter().filter(|o| *o == Order::Places || maille.is_some()) {
            for format in [Format::Json, Format::Csv] {
                pieces.push((Pieces::Segments(order, format), plan.total.div_ceil(plan.rows(format))));
            }
        }
        pieces.extend([(Pieces::Codes, plan.pages_codes.len()), (Pieces::PlaceTable, plan.pages_uais.len())]);
        let values = pieces.into_iter().flat_map(|(what, count)| (0..count).map(move |n| (what, n, n + 1 == count)));
        for (rank, (what, n, last)) in values.enumerate().skip(departure) {
            match what {
                Pieces::Segments(order, format) => {
                    let family = list::family(name, order, format);
                    let value = read_long(self.kv, &self.generation, &family, n, 1).await?;
                    self.state.verified.rows += list::unpack(&value).map_err(|_| damaged("segment"))?.len();
                    if last && std::mem::take(&mut self.state.verified.rows) != plan.total {
                        return Err(damaged("segments").into());
                    }
                }
                Pieces::Codes => {
                    for entry in self.page_entries(&list::codes_family(name), n).await? {
                        let entry = CodeEntry::decode(&entry).map_err(|_| damaged("codes"))?;
                        self.state.verified.by_code += entry.0.iter().map(|p| p.count).sum::<usize>();
                    }
                }
                Pieces::PlaceTable => {
                    for entry in self.page_entries(&list::uais_family(name), n).await? {
                        let entry = UaiEntry::decode(&entry).map_err(|_| damaged("uais"))?;
                        self.state.verified.by_uai += entry.0.iter().map(|(p, _)| p.count).sum::<usize>();
                    }
                }
            }
            if !self.has_time() {
                self.state.cursor.1 = rank + 1;
                return Ok(false);
            }
        }
        let all_expected = |present: bool| if present { plan.total } else { 0 };
        if self.state.verified.by_code != all_expected(maille.is_some())
            || self.state.verified.by_uai
                != all_expected(matches!(maille, Some(Maille::Etablissement | Maille::Declared)))
        {
            return Err(damaged("indexes").into());
        }
        Ok(true)
    }

    /// The entries of a page, each whole.
    async fn page_entries(&self, family: &str, n: usize) -> Result<Vec<Vec<u8>>, PublicationError> {
        let page = read_long(self.kv, &self.generation, family, n, 1).await?;
        let read = bundle::entries(&page).map_err(|_| StoreError::Damaged(keys::value(&self.generation, family, n)))?;
        let mut entries = Vec::with_capacity(read.len());
        for (_, entry) in read {
            entries.push(chain::whole(self.kv, &self.generation, family, entry.to_vec()).await?);
        }
        Ok(entries)
    }

    // --- switch -------------------------------------------------------------------------

    async fn switch(&mut self, lease: &Lease) -> Result<Option<JobStep>, PublicationError> {
        let served = Served::read(self.kv).await?;
        if let Some(served) = &served
            && served.pointer.generation == self.generation
        {
            // Killed between the pointer and the record: only the record is missing.
            return self.published(&served.pointer).await;
        }
        let base = self.state.base.as_ref().map(|b| b.generation.clone());
        if served.as_ref().map(|served| served.pointer.generation.clone()) != base {
            self.job.summary.failure =
                Some("une autre génération a été mise en service entre-temps : recommencer la publication".into());
            return Ok(Some(JobStep::Failed));
        }
        let manifest = Manifest {
            generation: self.generation.clone(),
            digest: self.job.summary.digest.clone(),
            documents: self.job.summary.documents.clone(),
            bytes: self.state.bytes.to_vec(),
            sources: self.state.sources.clone(),
            sequence: self.state.sequence,
            millesimes: self.state.millesimes.clone(),
            statistics: self.state.partitions.iter().take(Family::Nomenclature.rank()).sum(),
            declarations: self.declared(),
            rendering: rendering(self.indicators),
        };
        manifest.write(&mut self.writer).await?;
        if !manifest.declarations.is_empty() {
            let published: Vec<PublishedMaille> = self.published_mailles();
            self.writer.put(keys::DECLARATIONS, 0, serde_json::to_vec(&published).unwrap_or_default()).await?;
        }
        let summary = &self.job.summary;
        let public = PublicRecord {
            work: self.job.id.clone(),
            opened_ms: self.job.opened_ms,
            rows: summary.lines.clone(),
            carried_over: summary.carried_over,
            documents: summary.documents.clone(),
            below_threshold: summary.below_threshold.clone(),
            digest: summary.digest.clone(),
        };
        self.writer.put(public_record::FAMILY, 0, serde_json::to_vec(&public).unwrap_or_default()).await?;
        self.writer.flush().await?;
        // What was written since the verification is read again too: without it no publication could follow this one.
        let relu = Manifest::read(self.kv, &self.generation).await?;
        let mut others = vec![public_record::FAMILY];
        others.extend((!manifest.declarations.is_empty()).then_some(keys::DECLARATIONS));
        for family in others {
            read_long(self.kv, &self.generation, family, 0, 1).await?;
        }
        let text = |m: &Manifest| serde_json::to_vec(m).unwrap_or_default();
        if text(&relu) != text(&manifest) {
            return Err(StoreError::Damaged(keys::value(&self.generation, MANIFEST_FAMILY, 0)).into());
        }
        let [national, regionale, etablissement, nomenclature, counts, bundles_mailles] = self.state.bundles;
        let bundles = [national, regionale, etablissement, nomenclature, counts];
        let pointer = Pointer {
            format: FORMAT,
            layout: LAYOUT,
            generation: self.generation.clone(),
            bundles,
            bundles_mailles,
            millesimes: self.state.millesimes.clone(),
            previous: served.as_ref().map(|served| Box::new(served.pointer.clone())),
        };
        // A copy lies in the generation: where the pointer itself is lost, a rollback finds its way by it.
        self.writer.put(FAMILY_POINTER, 0, pointer.write()?).await?;
        self.writer.flush().await?;
        if !lease.holds(self.kv).await? {
            return Err(PublicationError::Overtaken);
        }
        put_pointer(self.kv, served.as_ref().map(|served| served.bytes.as_slice()), &pointer).await?;
        self.published(&pointer).await
    }

    /// The declared mailles that have documents.
    fn declared(&self) -> BTreeMap<String, DeclaredMaille> {
        let known = self.state.declarations.iter();
        known
            .filter(|(name, _)| self.job.summary.documents.contains_key(*name))
            .map(|(n, d)| (n.clone(), d.clone()))
            .collect()
    }

    /// What readers are told of them.
    fn published_mailles(&self) -> Vec<PublishedMaille> {
        let published = |declared: DeclaredMaille| {
            let documents = self.job.summary.documents.get(&declared.name);
            PublishedMaille {
                millesimes: documents.map(|d| d.keys().rev().cloned().collect()).unwrap_or_default(),
                millesime: self.state.millesimes.mailles.get(&declared.name).cloned().unwrap_or_default(),
                declared,
            }
        };
        self.declared().into_values().map(published).collect()
    }

    async fn published(&mut self, pointer: &Pointer) -> Result<Option<JobStep>, PublicationError> {
        Registry::follow(self.kv, pointer, self.env.now_ms()).await?;
        self.job.ended_ms = Some(self.env.now_ms());
        Ok(Some(JobStep::Published))
    }
}

/// Moves the pointer, and reads it back: where a move that was lost counted as made, what is served would be deleted.
async fn put_pointer<K: KeyValueWrite>(
    kv: &K,
    before: Option<&[u8]>,
    pointer: &Pointer,
) -> Result<(), PublicationError> {
    let new = pointer.write()?;
    match before {
        None => kv.set(keys::POINTER, new.clone()).await?,
        Some(before) if kv.swap(keys::POINTER, before, new.clone()).await? => {}
        Some(_) => return Err(PublicationError::Overtaken),
    }
    if kv.get(keys::POINTER).await?.is_some_and(|read| read == new) { Ok(()) } else { Err(PublicationError::Overtaken) }
}

/// Serves the generation before again; calling it once more goes forward again. Where the pointer is lost or damaged, the
/// generation that was served last comes back, by the copy of the pointer that lies in it.
///
/// # Errors
/// [`PublicationError::Refused`] where there is none.
pub async fn roll_back<K: KeyValueWrite, E: Environment>(kv: &K, env: &E) -> Result<Pointer, PublicationError> {
    let lease = Lease::take(kv, "retour", env.now_ms()).await?;
    // Whatever comes of it, the lease does not outlive the call.
    let outcome = switch_back(kv, env).await;
    let returned = lease.give_back(kv).await;
    let pointer = outcome?;
    returned?;
    Ok(pointer)
}

async fn switch_back<K: KeyValueWrite, E: Environment>(kv: &K, env: &E) -> Result<Pointer, PublicationError> {
    let pointer = match Served::read(kv).await {
        Ok(Some(Served { pointer: mut served, bytes })) => {
            let Some(before) = served.previous.take() else {
                return Err(PublicationError::Refused("aucune génération précédente n'est conservée".into()));
            };
            let pointer = Pointer { previous: Some(Box::new(served)), ..*before };
            put_pointer(kv, Some(&bytes), &pointer).await?;
            pointer
        }
        Ok(None) => return Err(StoreError::Empty.into()),
        Err(StoreError::Damaged(_)) => {
            let pointer = last_served(kv).await?;
            kv.set(keys::POINTER, pointer.write()?).await?;
            pointer
        }
        Err(fault) => return Err(fault.into()),
    };
    Registry::follow(kv, &pointer, env.now_ms()).await?;
    Ok(pointer)
}

/// The pointer to the youngest published generation that holds a whole copy of its own.
async fn last_served<K: KeyValueWrite>(kv: &K) -> Result<Pointer, PublicationError> {
    let registry = Registry::read(kv).await?;
    for generation in registry.generations.iter().rev().filter(|g| g.state == GenerationState::Published) {
        let copy = kv.get(&keys::value(&generation.id, FAMILY_POINTER, 0)).await?;
        if let Some(pointer) = copy.and_then(|bytes| Pointer::read(&bytes).ok()) {
            return Ok(pointer);
        }
    }
    Err(PublicationError::Refused(
        "le pointeur est illisible et aucune génération n'en garde de copie : restaurer le magasin".into(),
    ))
}

/// The stream that sorts the rows of a list by place.
fn place_stream(list: &str) -> String {
    format!("lieux.{list}")
}

/// A document on its way into a bundle: its entry, its rank in the push, its kind, its JSON.
type BundledDocument<'a> = (&'a str, u64, Kind, &'a [u8]);

/// What the stream of sources holds of a document: its kind, its rank in the push, what its bundle entry is found
/// by (so that a bundle is found without parsing the document), its JSON.
pub(super) fn read_source(record: &[u8]) -> Option<(Kind, u64, &str, &[u8])> {
    let mut decoder = Decoder(record);
    let kind = Kind::from_rank(u8::try_from(decoder.number()?).ok()?)?;
    Some((kind, decoder.number()?, decoder.text()?, decoder.0))
}

/// Where a maille and millesime loses more than a tenth of its documents.
fn losses(before: &DocumentCounts, after: &DocumentCounts) -> Vec<String> {
    let total = |e: &DocumentCounts, maille: &str, millesime: &str| {
        e.get(maille).and_then(|m| m.get(millesime)).map_or(0, |s| s.values().sum::<u64>())
    };
    let mut losses = Vec::new();
    for (maille, by_millesime) in before {
        for millesime in by_millesime.keys() {
            let (a, b) = (total(before, maille, millesime), total(after, maille, millesime));
            #[expect(clippy::cast_precision_loss, reason = "counts of documents are far below 2^53")]
            if (b as f64) < (a as f64) * (1.0 - TOLERATED_LOSS) {
                losses.push(format!("{maille} {millesime} : {a} → {b}"));
            }
        }
    }
    losses
}
