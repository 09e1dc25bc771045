//! One call that advances a run: its steps in turn, then what it saves.

use crate::context::Contexts;
use crate::demand::Configuration;
use crate::record::{REPORT_KEY, Run, RunStep};
use crate::release::release;
use crate::report::RunReport;
use crate::state::{RunState, state_family};
use outside::{Clock, Fetch};
use publication::{Environment, Job, Position, PublicationError, Writer, put_long};
use sources::{Call, Sources};
use store::KeyValueWrite;
use store::kv::{StoreError, to_json};

/// Bytes that streams may hold back before they write.
pub(crate) const BUFFERS: usize = 16 * 1024 * 1024;

/// Why a step cannot go on.
#[derive(Debug)]
pub(crate) enum StepFault {
    /// The run fails for good, and says why.
    Failed(String),
    /// This call changed nothing; the next one tries again.
    Publication(PublicationError),
}

impl From<StoreError> for StepFault {
    fn from(error: StoreError) -> Self {
        match error.reason() {
            // What was written cannot be read again, or does not fit: trying once more would not help.
            Some(reason) => Self::Failed(reason),
            None => Self::Publication(error.into()),
        }
    }
}

impl From<PublicationError> for StepFault {
    fn from(error: PublicationError) -> Self {
        match error {
            PublicationError::Store(error) => error.into(),
            // The job that would publish it is gone or does not take it: nor will it next time.
            PublicationError::Refused(reason) => Self::Failed(reason),
            PublicationError::UnknownJob(_) => Self::Failed(error.to_string()),
            other => Self::Publication(other),
        }
    }
}

/// What comes after a piece of work.
pub(crate) enum Next {
    More,
    Step(RunStep),
    /// A service is to be left in peace, for so many seconds, because of this.
    Wait(u64, String),
}

/// A call that advances a run.
pub(crate) struct RunStepper<'a, K, E, F, C> {
    pub kv: &'a K,
    pub env: &'a E,
    pub sources: &'a Sources<F, C>,
    pub indicators: &'a [String],
    pub run: Run,
    pub state: RunState,
    pub prefix: String,
    pub writer: Writer<'a, K>,
    pub number: u64,
    pub start: u64,
    pub end: u64,
    /// Whether this call has asked a service already.
    pub begun: bool,
    /// The calls of the present lot.
    pub calls: Option<Vec<Call>>,
    pub contexts: Contexts,
}

impl<K: KeyValueWrite, E: Environment, F: Fetch, C: Clock> RunStepper<'_, K, E, F, C> {
    pub fn configuration(&self) -> &Configuration {
        &self.run.configuration
    }

    pub fn has_time(&self) -> bool {
        self.env.monotonic_ms() < self.end
    }

    pub fn progress(&mut self, done: usize, total: usize, object: &str) {
        self.run.progress = (done, total);
        object.clone_into(&mut self.run.object);
    }

    /// Goes on until the time or the run is over.
    pub async fn run(&mut self) -> Result<Option<(u64, String)>, StepFault> {
        loop {
            let step = self.run.step;
            let before = self.env.monotonic_ms();
            let next = match step {
                RunStep::Collect => self.collect().await?,
                RunStep::Nomenclature => self.nomenclature().await?,
                RunStep::Etablissements => self.etablissements().await?,
                RunStep::Catalogue => self.catalogue().await?,
                RunStep::Links => self.links().await?,
                RunStep::Statistics => self.statistics().await?,
                RunStep::Group => self.group().await?,
                RunStep::HandOver => self.hand_over().await?,
                RunStep::HandedOver | RunStep::GivenUp | RunStep::Failed => return Ok(None),
            };
            let duration = self.env.monotonic_ms().saturating_sub(before);
            *self.state.report.durations_ms.entry(step.name()).or_default() += duration;
            match next {
                Next::More => {}
                Next::Wait(seconds, reason) => return Ok(Some((seconds, reason))),
                Next::Step(step) => {
                    self.flush().await?;
                    self.run.step = step;
                    self.progress(0, 0, "");
                    (self.state.rank, self.state.position, self.state.read) = (0, Position::default(), 0);
                }
            }
            if !self.has_time() {
                return Ok(None);
            }
        }
    }

    /// Writes what waits: what comes next may read it.
    async fn flush(&mut self) -> Result<(), StoreError> {
        let number = self.number;
        self.state.context.flush(&mut self.writer, number).await?;
        if let Some(stream) = &mut self.state.groups {
            stream.flush(&mut self.writer, number, 0).await?;
        }
        self.writer.flush().await
    }

    /// Writes what waits, then the state, then the record: only the record makes the rest count.
    pub async fn save(
        mut self,
        next: Result<Option<(u64, String)>, StepFault>,
        before: &[u8],
    ) -> Result<Run, PublicationError> {
        let now = self.env.now_ms();
        match next {
            Ok(None) => {}
            Ok(Some((seconds, reason))) => {
                let duration = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
                self.run.wait = Some((now.saturating_add(duration), reason));
            }
            Err(StepFault::Failed(reason)) => {
                self.run.step = RunStep::Failed;
                self.run.failure = Some(reason);
            }
            Err(StepFault::Publication(error)) => return Err(error),
        }
        if !self.run.step.is_final() {
            self.flush().await?;
        }
        // Calls run side by side: what was sent is only known of the clients as a whole.
        for (service, tally) in self.sources.tallies() {
            self.state.report.source(service).send(&tally);
        }
        self.state.report.writes += std::mem::take(&mut self.writer.writes);
        if self.run.step.is_final() {
            self.run.ended_ms = Some(now);
            let text = |report: &RunReport| to_json(REPORT_KEY, &(&self.run.id, report));
            if let Err(error) = self.kv.set(REPORT_KEY, text(&self.state.report)?).await {
                // A report that does not fit says how much of what it was about, and no more.
                error.reason().ok_or(error)?;
                self.kv.set(REPORT_KEY, text(&self.state.report.shortened())?).await?;
            }
            self.run.write(self.kv, Some(before)).await?;
            release(self.kv, &self.run, now).await?;
            return Ok(self.run);
        }
        let bytes = to_json(&state_family(self.number), &self.state)?;
        let count = put_long(&mut self.writer, &state_family(self.number), 0, &bytes).await?;
        self.writer.flush().await?;
        self.run.state = Some((self.number, count));
        self.run.write(self.kv, Some(before)).await?;
        Ok(self.run)
    }

    /// Hands the parts to the publication.
    async fn hand_over(&mut self) -> Result<Next, StepFault> {
        let (id, now) = (self.run.id.clone(), self.env.now_ms());
        if self.state.totals.parts == 0 {
            return Err(StepFault::Failed("les sources n'ont donné aucun document".into()));
        }
        let totals = std::mem::take(&mut self.state.totals);
        let job = Job::publish_collection(self.kv, &id, totals, now).await?;
        self.state.report.replaces = job.summary.replaces;
        Ok(Next::Step(RunStep::HandedOver))
    }
}
