//! The steps of a publication.

mod build;
mod count;
mod distribute;
mod fingerprint;
mod index;
mod list;
mod matching;
mod placement;
mod protect;
mod state;
mod switch;
mod verify;

pub(crate) use placement::read_source;

use self::state::JobState;
use crate::job::{Job, JobStep};
use crate::record_stream::RecordStream;
use crate::registry::{Lease, Registry};
use crate::writer::{Writer, put_long, read_long};
use crate::{Environment, PublicationError};
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
    async fn save(mut self, elapsed: u64) -> Result<Job, PublicationError> {
        let number = self.number;
        if !self.job.step.is_final() {
            self.flush().await?;
            let bytes = to_json(&state_family(number), &self.state)?;
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
