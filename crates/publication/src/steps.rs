//! The steps of a publication.

mod build;
mod count;
mod distribute;
mod duplicates;
mod fingerprint;
mod groups;
mod guards;
mod index;
mod list;
mod matching;
mod pages;
mod placement;
mod protect;
mod sample;
mod sources;
mod state;
mod switch;
mod verify;

pub(crate) use placement::{read_source, standing};

use self::state::JobState;
use crate::job::{Job, JobStep};
use crate::record_stream::RecordStream;
use crate::registry::{Lease, Registry};
use crate::staging::Staging;
use crate::writer::{Writer, put_long, read_long};
use crate::{Environment, PublicationError};
use store::Shelf;
use store::kv::{KeyValueWrite, StoreError, to_json};

/// Bytes of a partition: what a step holds at once, parsed and rendered on top.
const PARTITION: u64 = 3 * 1024 * 1024;
/// Bytes that all streams together may hold back before they write: the more there are, the shorter their pieces, so this
/// is what keeps writes in proportion when the data grows.
const BUFFERS: usize = 56 * 1024 * 1024;

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
    let waits = job.step == JobStep::Staging || job.step.awaits_someone();
    let Some(generation) = job.generation.clone().filter(|_| !waits) else {
        return Ok(job);
    };
    let lease = Lease::take(kv, id, now).await?;
    let end = start.saturating_add(budget_ms);
    let number = lease.number;
    let saved = (job.clone(), before);
    let output = match JobStepper::open(kv, env, saved, generation, number, (start, end), indicators).await {
        Ok(mut stepper) => {
            let ran = match stepper.run(&lease).await {
                Ok(()) => stepper.save().await,
                fault => fault,
            };
            ran.map_err(|fault| (fault, stepper.saved)).map(|()| stepper.job)
        }
        Err((fault, saved)) => Err((fault, saved)),
    };
    let output = match output {
        // What was written cannot be read again, or what is to be written does not fit: trying once more would not help.
        Err((PublicationError::Store(error), (saved, before))) if error.reason().is_some() => {
            let served = match &saved.generation {
                Some(generation) => Registry::is_served(kv, generation).await?,
                None => false,
            };
            // Killed behind its pointer, it has done what it was to do, whatever became of its state.
            let (step, reason) = if served { (JobStep::Published, None) } else { (JobStep::Failed, error.reason()) };
            saved.end(kv, &before, step, reason, env.now_ms()).await
        }
        Err((fault, _)) => Err(fault),
        Ok(job) => Ok(job),
    };
    let rendered = lease.give_back(kv).await;
    let job = output?;
    rendered?;
    Ok(job)
}

/// The record of a job as it lies in the store.
type SavedRecord = (Job, Vec<u8>);

/// What an ended job leaves: its parts may go, and its generation unless it is served.
async fn release<K: KeyValueWrite>(kv: &K, job: &Job, now: i64) -> Result<(), StoreError> {
    let registry = Registry::read(kv).await?;
    let opened = registry.jobs.contains(&job.id);
    // Neither open nor on its way out: its record is all that is left, and goes.
    if opened || !registry.named(&job.id) { Registry::settle(kv, &job.id, now).await } else { Ok(()) }
}

/// What the families of states begin with.
const STATE: &str = "etat.";

fn state_family(number: u64) -> String {
    format!("{STATE}{number}")
}

struct JobStepper<'a, K, E> {
    kv: &'a K,
    env: &'a E,
    job: Job,
    /// The record: what it says of the steps before is over, whatever happens.
    saved: SavedRecord,
    generation: String,
    state: JobState,
    /// The next value of the state: none is written over that the record may lead to.
    next_state: usize,
    /// Whether what was done is to be saved before more is.
    due: bool,
    writer: Writer<'a, K>,
    number: u64,
    /// The outlines of the partition that is built.
    outlines: Vec<Vec<u8>>,
    /// Since when time counts that the record does not know.
    since: u64,
    end: u64,
    indicators: &'a [String],
}

impl<'a, K: KeyValueWrite, E: Environment> JobStepper<'a, K, E> {
    async fn open(
        kv: &'a K,
        env: &'a E,
        saved: SavedRecord,
        generation: String,
        number: u64,
        (since, end): (u64, u64),
        indicators: &'a [String],
    ) -> Result<Self, (PublicationError, SavedRecord)> {
        let job = saved.0.clone();
        let read = async {
            let state = match job.state {
                None => JobState::default(),
                Some((number, start, count)) => {
                    let bytes = read_long(kv, Shelf::own(&generation), &state_family(number), start, count).await?;
                    serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged(state_family(number)))?
                }
            };
            Ok((state, Writer::open(kv, &generation, env.batch()).await?))
        };
        let (state, writer) = match read.await {
            Ok(read) => read,
            Err(fault) => return Err((PublicationError::Store(fault), saved)),
        };
        let (next_state, due) = (0, false);
        Ok(Self {
            kv,
            env,
            job,
            saved,
            generation,
            state,
            next_state,
            due,
            writer,
            number,
            outlines: Vec::new(),
            since,
            end,
            indicators,
        })
    }

    /// What it writes.
    fn shelf(&self) -> Shelf<'_> {
        Shelf::own(&self.generation)
    }

    fn has_time(&self) -> bool {
        self.env.monotonic_ms() < self.end
    }

    async fn run(&mut self, lease: &Lease) -> Result<(), PublicationError> {
        self.sweep().await?;
        loop {
            let rest = match self.job.step {
                JobStep::Distribute => self.distribute().await?,
                JobStep::Protect => self.protect().await?,
                JobStep::Build => self.build().await?,
                JobStep::List => self.list().await?,
                JobStep::Count => self.count().await?,
                JobStep::Index => self.index().await?,
                JobStep::Match => self.pack_matching().await?,
                JobStep::Verify => self.verify().await?,
                JobStep::Switch => self.switch(lease).await?,
                _ => return Ok(()),
            };
            if let Some(step) = rest {
                self.flush().await?;
                self.job.step = step;
                self.state.cursor = (0, 0);
                self.job.progress = (0, 0);
                self.due = !step.awaits_someone() && !step.is_final();
            }
            if std::mem::take(&mut self.due) {
                self.save().await?;
                self.sweep().await?;
            }
            if !self.has_time() {
                return Ok(());
            }
        }
    }

    /// Deletes what only steps before the saved record needed: replayed, nothing reads it again. What time does not allow is
    /// left to the next call, or to the housekeeping.
    async fn sweep(&mut self) -> Result<(), PublicationError> {
        let batch = self.env.batch().max(1);
        let (step, cursor) = (self.saved.0.step, self.state.cursor.0);
        let after = |needed: JobStep| step.is_after(needed);
        let built = self.state.sorts.iter().take(if step == JobStep::List { cursor } else { 0 });
        let built: Vec<String> = built.map(|sort| sort.stream.family()).collect();
        let state = self.saved.0.state.map_or(0, |(number, ..)| number);
        let spent = |family: &str| {
            let stream = |name: &str| family.strip_prefix("flux.").is_some_and(|rest| rest.starts_with(name));
            (after(JobStep::Protect) && stream("secret.statistiques."))
                || (after(JobStep::Build) && stream("secret.masques."))
                || (after(JobStep::List) && (stream("tri.") || stream("lieux.")))
                || (after(JobStep::Count) && stream("comptes."))
                || (after(JobStep::Index) && stream("recherche."))
                || (after(JobStep::Match) && stream("appariement."))
                || built.iter().any(|sorted| family.starts_with(sorted))
                || family.strip_prefix(STATE).and_then(|n| n.parse().ok()).is_some_and(|n: u64| n < state)
        };
        let parts_left = if after(JobStep::Distribute) { self.state.parts_left } else { 0 };
        // Some stores answer a lost write as if it were done: what the record still needs must not go.
        if !(self.writer.names(spent) || parts_left > 0) || !self.saved.0.lies_as(self.kv, &self.saved.1).await? {
            return Ok(());
        }
        while self.writer.names(spent) && self.has_time() {
            self.writer.delete(batch * 4, spent).await?;
        }
        if parts_left > 0 {
            let staging = Staging::new(self.kv, &self.job.id, batch);
            while let Some(last) = self.state.parts_left.checked_sub(1)
                && self.has_time()
            {
                // From the last one on: the housekeeping finds the first ones, where this ends halfway.
                if staging.delete_part(last, batch * 4).await? {
                    self.state.parts_left = last;
                }
            }
        }
        Ok(())
    }

    /// Writes what waits: what comes next may read it.
    async fn flush(&mut self) -> Result<(), PublicationError> {
        let number = self.number;
        let places = self.state.lists.iter_mut().filter_map(|l| l.places.as_mut()).map(|l| &mut l.stream);
        for stream in places.chain([&mut self.state.sources, &mut self.state.counts]) {
            stream.flush(&mut self.writer, number, 0).await?;
        }
        let others = self.state.index.stream().into_iter().chain(self.state.matching.streams());
        for stream in others.chain(self.state.protection.streams()) {
            stream.flush(&mut self.writer, number, 0).await?;
        }
        for sort in &mut self.state.sorts {
            sort.stream.flush(&mut self.writer, number, 0).await?;
        }
        Ok(self.writer.flush().await?)
    }

    /// Writes what waits, then the state, then the record: only the record makes the rest count.
    async fn save(&mut self) -> Result<(), PublicationError> {
        let number = self.number;
        if !self.job.step.is_final() {
            self.flush().await?;
            let bytes = to_json(&state_family(number), &self.state)?;
            let count = put_long(&mut self.writer, &state_family(number), self.next_state, &bytes).await?;
            self.job.state = Some((number, self.next_state, count));
            self.next_state += count;
        }
        self.writer.flush().await?;
        self.job.summary.writes += std::mem::take(&mut self.writer.writes);
        let now = self.env.monotonic_ms();
        self.job.summary.duration_ms += now.saturating_sub(std::mem::replace(&mut self.since, now));
        let record = self.job.write(self.kv, &self.saved.1).await?;
        self.saved = (self.job.clone(), record);
        if self.job.step.is_final() {
            release(self.kv, &self.job, self.env.now_ms()).await?;
        }
        Ok(())
    }

    /// Keeps the memory of all streams bounded.
    async fn flush_some(&mut self) -> Result<(), PublicationError> {
        let number = self.number;
        let state = &mut self.state;
        let mut stream: Vec<&mut RecordStream> = state.sorts.iter_mut().map(|t| &mut t.stream).collect();
        stream.extend([&mut state.sources, &mut state.counts]);
        stream.extend(state.lists.iter_mut().filter_map(|l| l.places.as_mut()).map(|l| &mut l.stream));
        stream.extend(state.index.stream());
        stream.extend(state.matching.streams());
        stream.extend(state.protection.streams());
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
}
