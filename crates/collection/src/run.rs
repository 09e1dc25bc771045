//! A run: its record, and the loop that advances it.

use crate::calls::ASKED_WAIT_MAX_S;
use crate::context::Contexts;
use crate::demand::{Configuration, Demand, Lot};
use crate::report::RunReport;
use crate::staged::StagedLots;
use domain::{Kind, Millesime, Universe};
use outside::{Clock, Fetch};
use publication::{
    self, Environment, Generation, GenerationState, Job, Journal, Lease, Mode, Opening, Position, PublicationError,
    RecordStream, Registry, Scope, Totals, Writer, put_long, read_long,
};
use serde::{Deserialize, Serialize};
use sources::{Call, Sources};
use std::collections::BTreeSet;
use store::KeyValueWrite;
use store::kv::{StoreError, to_json};
use treatments::Treatment;

/// The key of the record of the latest run. It is created once and then only swapped.
const KEY: &str = "work:collecte";
/// The report of the latest run that ended: its keys are deleted with the rest of what it needed.
const REPORT_KEY: &str = "work:collecte:rapport";
/// How long a run may take, waits included: three days. Hours are enough where the services answer.
pub const DURATION_MAX_MS: i64 = 3 * 24 * 60 * 60 * 1000;
/// Bytes that streams may hold back before they write.
pub(crate) const BUFFERS: usize = 16 * 1024 * 1024;

/// Where a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStep {
    /// The services are asked.
    #[default]
    #[serde(rename = "collecter")]
    Collect,
    /// Treatments 1 to 4.
    Nomenclature,
    /// The ACCE file.
    Etablissements,
    /// The catalogue of apprenticeships.
    Catalogue,
    /// Treatment 5.
    #[serde(rename = "statistiques")]
    Statistics,
    /// Treatments 6 to 8.
    #[serde(rename = "grouper")]
    Group,
    /// The documents are handed to the publication.
    #[serde(rename = "remettre")]
    HandOver,
    /// The publication has them: its job has the same id.
    #[serde(rename = "remise")]
    HandedOver,
    /// Given up.
    #[serde(rename = "abandonnee")]
    GivenUp,
    /// Failed for good: nothing was published.
    #[serde(rename = "echec")]
    Failed,
}

impl RunStep {
    /// Whether the pull has done its part.
    #[must_use]
    pub fn is_final(self) -> bool {
        self >= Self::HandedOver
    }

    fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// The record of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id, and that of the job that publishes it.
    pub id: String,
    /// What it was asked for.
    #[serde(rename = "demande")]
    pub demand: Demand,
    /// When it was opened, in milliseconds since 1970.
    #[serde(rename = "ouvert_ms")]
    pub opened_ms: i64,
    /// When it ended.
    #[serde(rename = "fini_ms", default)]
    pub ended_ms: Option<i64>,
    /// Where it stands.
    #[serde(rename = "etape")]
    pub step: RunStep,
    /// Progress inside the step: done, of.
    #[serde(rename = "avancement")]
    pub progress: (usize, usize),
    /// What the step is about now.
    #[serde(rename = "objet")]
    pub object: String,
    /// Until when a service is left in peace, in milliseconds since 1970, and why.
    #[serde(rename = "attente", default)]
    pub wait: Option<(i64, String)>,
    /// Why it failed, where it did.
    #[serde(rename = "echec", default)]
    pub failure: Option<String>,
    /// What the deployment said when it was opened.
    pub configuration: Configuration,
    /// The run before it: killed at its very end, it may have left something.
    #[serde(rename = "precedente", default)]
    previous: Option<String>,
    /// What its keys begin with.
    #[serde(rename = "prefixe", default)]
    prefix: Option<String>,
    /// Where the state of its steps lies: fencing number, how many values.
    #[serde(rename = "etat", default)]
    state: Option<(u64, usize)>,
}

impl Run {
    async fn read<K: KeyValueWrite>(kv: &K) -> Result<Option<(Self, Vec<u8>)>, StoreError> {
        let Some(bytes) = kv.get(KEY).await? else { return Ok(None) };
        let read = serde_json::from_slice(&bytes).unwrap_or_else(|_| Self {
            // Whose it was is not known: it has ended, and the next run lets go of what it left.
            step: RunStep::Failed,
            failure: Some("l'enregistrement de la collecte est illisible".into()),
            ..Self::default()
        });
        Ok(Some((read, bytes)))
    }

    /// Whether a service is left in peace now. A wait that is longer than any that is ever begun is that of a clock that
    /// has been put right since: it is over.
    #[must_use]
    pub fn waits(&self, now: i64) -> bool {
        let max = i64::try_from(ASKED_WAIT_MAX_S).unwrap_or(i64::MAX).saturating_mul(1000);
        self.wait.as_ref().is_some_and(|(end, _)| *end > now && *end <= now.saturating_add(max))
    }

    /// Ends the run, and writes so: what it leaves goes.
    async fn finish<K: KeyValueWrite>(
        mut self,
        kv: &K,
        before: &[u8],
        (step, failure): (RunStep, Option<String>),
        now: i64,
    ) -> Result<Self, PublicationError> {
        self.step = step;
        self.failure = failure;
        self.ended_ms = Some(now);
        self.write(kv, Some(before)).await?;
        release(kv, &self, now).await?;
        Ok(self)
    }

    async fn write<K: KeyValueWrite>(&self, kv: &K, before: Option<&[u8]>) -> Result<(), PublicationError> {
        let new = to_json(KEY, self)?;
        match before {
            None => Ok(kv.set(KEY, new).await?),
            Some(before) if new == before || kv.swap(KEY, before, new).await? => Ok(()),
            Some(_) => Err(PublicationError::Overtaken),
        }
    }
}

/// A lot whose answers come in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LotInProgress {
    pub lot: Lot,
    #[serde(rename = "prefixe")]
    pub prefix: String,
    pub journal: Journal,
    /// Rows of the catalogue.
    pub total: u64,
    /// Calls done, from the first.
    #[serde(rename = "faits")]
    pub done: usize,
    /// How often the present call has failed, a step each.
    #[serde(rename = "tours")]
    pub rounds: u32,
    /// Calls that failed for good, and why.
    #[serde(rename = "echecs")]
    pub failures: Vec<(Call, String)>,
    #[serde(rename = "octets")]
    pub bytes: u64,
    /// How far the older lot was looked through for those, and which it had.
    #[serde(rename = "reprise", default)]
    pub resumed_at: Option<Position>,
    #[serde(rename = "repris", default)]
    pub resumed: BTreeSet<Call>,
}

/// What the steps need between two calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RunState {
    #[serde(rename = "a_appeler")]
    pub to_call: Vec<Lot>,
    /// The lot that the step is at.
    #[serde(rename = "rang")]
    pub rank: usize,
    pub lot: Option<LotInProgress>,
    /// How often the size of the catalogue was asked in vain.
    #[serde(rename = "tours_du_total")]
    pub rounds_of_total: u32,
    pub uais: Option<Vec<String>>,
    /// What the treatments look up: documents by kind.
    #[serde(rename = "contexte")]
    pub context: Journal,
    pub position: Position,
    /// Answers read of the present lot.
    #[serde(rename = "lues")]
    pub read: usize,
    #[serde(rename = "groupes")]
    pub groups: Option<RecordStream>,
    /// Partitions of each maille in `groups`.
    pub partitions: [usize; 3],
    /// Parts handed over, and what is known of them.
    #[serde(rename = "totaux", default)]
    pub totals: Totals,
    #[serde(rename = "rapport")]
    pub report: RunReport,
}

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

/// Opens a run under an id that the caller has never used: letters and digits.
///
/// # Errors
/// [`PublicationError::Refused`] where a run is under way, or where what is asked cannot be had.
pub async fn open<K: KeyValueWrite>(
    kv: &K,
    id: &str,
    demand: Demand,
    configuration: Configuration,
    now: i64,
) -> Result<Run, PublicationError> {
    let refusal = |text: String| Err(PublicationError::Refused(text));
    let mut demand = demand;
    demand.sources.sort_unstable();
    demand.sources.dedup();
    demand.millesimes.sort_unstable();
    demand.millesimes.dedup();
    let before = Run::read(kv).await?;
    if let Some((run, _)) = before.as_ref().filter(|(c, _)| !c.step.is_final()) {
        return refusal(format!("la collecte {} est en cours : attendre sa fin, ou l'abandonner (DELETE)", run.id));
    }
    let lots = configuration.lots();
    if lots.is_empty() {
        return refusal("aucune source n'a d'adresse : renseigner les variables *_url".into());
    }
    if let Some(source) = demand.sources.iter().find(|s| !configuration.a(**s)) {
        return refusal(format!("la source {source} n'a pas d'adresse : renseigner sa variable *_url"));
    }
    let known: Vec<&str> = configuration.millesimes().collect();
    if let Some(millesime) = demand.millesimes.iter().find(|m| !known.contains(&m.as_str())) {
        return refusal(format!(
            "millésime {millesime} : attendu, parmi ceux de la configuration : {}",
            known.join(", ")
        ));
    }
    let staged = StagedLots::read(kv).await?;
    let missing: Vec<String> = lots.iter().filter(|l| staged.lot(l).is_none()).map(ToString::to_string).collect();
    if demand.replay && !missing.is_empty() {
        return refusal(format!("rien n'est gardé pour {} : collecter d'abord", missing.join(", ")));
    }
    let id = id.to_owned();
    let previous = before.as_ref().map(|(c, _)| c.id.clone());
    let run = Run { id, demand, opened_ms: now, configuration, previous, ..Run::default() };
    run.write(kv, before.as_ref().map(|(_, b)| b.as_slice())).await?;
    Ok(run)
}

/// Where the latest run stands; `None` before the first.
///
/// # Errors
/// Those of the store.
pub async fn status<K: KeyValueWrite>(kv: &K) -> Result<Option<Run>, PublicationError> {
    Ok(Run::read(kv).await?.map(|(run, _)| run))
}

/// The report of the latest run, as far as it has come; `None` before the first step.
///
/// # Errors
/// Those of the store.
pub async fn report<K: KeyValueWrite>(kv: &K) -> Result<Option<RunReport>, PublicationError> {
    let Some((run, _)) = Run::read(kv).await? else { return Ok(None) };
    if run.step.is_final() {
        let kept: Option<(String, RunReport)> = kv.get(REPORT_KEY).await?.and_then(|b| serde_json::from_slice(&b).ok());
        return Ok(kept.filter(|(id, _)| *id == run.id).map(|(_, report)| report));
    }
    let (Some(prefix), Some(state)) = (&run.prefix, run.state) else { return Ok(None) };
    Ok(Some(read_state(kv, prefix, state).await?.report))
}

/// Gives the run under way up. Nothing that is served changes; whole lots stay staged.
///
/// # Errors
/// [`PublicationError::Refused`] where none is under way.
pub async fn give_up<K: KeyValueWrite>(kv: &K, now: i64) -> Result<Run, PublicationError> {
    let read = Run::read(kv).await?.filter(|(c, _)| !c.step.is_final());
    let Some((mut run, before)) = read else {
        return Err(PublicationError::Refused("aucune collecte n'est en cours".into()));
    };
    run.step = RunStep::GivenUp;
    run.ended_ms = Some(now);
    run.write(kv, Some(&before)).await?;
    release(kv, &run, now).await?;
    Ok(run)
}

/// What an ended run leaves: its job is closed, its prefixes go.
async fn release<K: KeyValueWrite>(kv: &K, run: &Run, now: i64) -> Result<(), PublicationError> {
    if run.step != RunStep::HandedOver {
        match Job::give_up(kv, &run.id, now).await {
            Ok(_) | Err(PublicationError::UnknownJob(_) | PublicationError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    clean(kv, &[&run.id], now).await
}

/// Lets go of what an ended run left, where it was killed at its very end. Reads little where there is nothing.
///
/// # Errors
/// Those of the store.
pub async fn settle<K: KeyValueWrite>(kv: &K, now: i64) -> Result<(), PublicationError> {
    let Some((run, _)) = Run::read(kv).await?.filter(|(c, _)| c.step.is_final()) else { return Ok(()) };
    let registry = Registry::read(kv).await?;
    let opened = run.step != RunStep::HandedOver && registry.jobs.contains(&run.id);
    let in_progress = registry.generations.iter().any(|g| g.run && g.state == GenerationState::InProgress);
    if opened || in_progress { release(kv, &run, now).await } else { Ok(()) }
}

/// Lets go of every prefix that runs took and nobody needs: those of killed steps too. Staged answers stay. `ids` are the
/// runs whose prefixes may have been taken before the registry told prefixes of pulls from generations.
async fn clean<K: KeyValueWrite>(kv: &K, ids: &[&str], now: i64) -> Result<(), PublicationError> {
    let mut generations = Vec::new();
    for id in ids {
        match Job::status(kv, id).await {
            Ok(job) => generations.extend(job.generation),
            Err(PublicationError::UnknownJob(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let staged = StagedLots::read(kv).await?;
    let fate = |g: &Generation| {
        let is_kept = staged.lots.values().any(|l| l.prefix == g.id);
        let own = g.run || (ids.contains(&g.job.as_str()) && !generations.contains(&g.id));
        match g.state {
            GenerationState::InProgress | GenerationState::Staged if is_kept => Some(GenerationState::Staged),
            GenerationState::InProgress if own => Some(GenerationState::ToDelete),
            GenerationState::Staged => Some(GenerationState::ToDelete),
            _ => None,
        }
    };
    Ok(Registry::sort_collection(kv, now, fate).await?)
}

fn state_family(number: u64) -> String {
    format!("etat.{number}")
}

async fn read_state<K: KeyValueWrite>(
    kv: &K,
    prefix: &str,
    (number, count): (u64, usize),
) -> Result<RunState, StoreError> {
    let bytes = read_long(kv, prefix, &state_family(number), 0, count).await?;
    serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged(state_family(number)))
}

/// Advances the run under way for about `budget_ms`, then saves where it stands. Call it until
/// [`RunStep::is_final`], and not before [`Run::wait`] is over: until then it does nothing.
///
/// A step begins no work after `budget_ms`; a call under way gets [`crate::calls::DURATION_MAX_MS`].
///
/// # Errors
/// [`PublicationError::Busy`] where another job holds the lease, [`PublicationError::Refused`]
/// where no run is known; those of the store, after which the run stands where it stood.
pub async fn advance<K: KeyValueWrite, E: Environment, F: Fetch, C: Clock>(
    kv: &K,
    env: &E,
    sources: &Sources<F, C>,
    budget_ms: u64,
    indicators: &[String],
) -> Result<Run, PublicationError> {
    let start = env.monotonic_ms();
    let Some((run, before)) = Run::read(kv).await? else {
        return Err(PublicationError::Refused("aucune collecte n'est ouverte".into()));
    };
    let now = env.now_ms();
    if run.step.is_final() || run.waits(now) {
        return Ok(run);
    }
    let lease = Lease::take(kv, &run.id, now).await?;
    let output = drive(kv, env, sources, run, &before, &lease, (start, start.saturating_add(budget_ms)), indicators);
    let output = output.await;
    let rendered = lease.give_back(kv).await;
    let run = output?;
    rendered?;
    Ok(run)
}

#[expect(clippy::too_many_arguments, reason = "called once")]
async fn drive<K: KeyValueWrite, E: Environment, F: Fetch, C: Clock>(
    kv: &K,
    env: &E,
    sources: &Sources<F, C>,
    run: Run,
    before: &[u8],
    lease: &Lease,
    (start, end): (u64, u64),
    indicators: &[String],
) -> Result<Run, PublicationError> {
    let now = env.now_ms();
    if now.saturating_sub(run.opened_ms) > DURATION_MAX_MS {
        let days = DURATION_MAX_MS / 86_400_000;
        let reason = run.wait.as_ref().map(|(_, r)| format!(" ; dernière attente : {r}")).unwrap_or_default();
        let failure = Some(format!("la collecte dure depuis plus de {days} jours{reason}"));
        return run.finish(kv, before, (RunStep::Failed, failure), now).await;
    }
    let ready = async {
        let (prefix, state) = match (&run.prefix, run.state) {
            (Some(prefix), Some(place)) => (prefix.clone(), read_state(kv, prefix, place).await?),
            _ => prepare(kv, &run, now).await?,
        };
        let writer = Writer::open(kv, &prefix, env.batch()).await?;
        Ok::<_, StepFault>((prefix, state, writer))
    };
    let (prefix, state, writer) = match ready.await {
        Ok(ready) => ready,
        Err(StepFault::Publication(error)) => return Err(error),
        Err(StepFault::Failed(reason)) => return run.finish(kv, before, (RunStep::Failed, Some(reason)), now).await,
    };
    let begun = run.clone();
    let mut stepper = RunStepper {
        kv,
        env,
        sources,
        indicators,
        run: Run { prefix: Some(prefix.clone()), wait: None, ..run },
        state,
        prefix,
        writer,
        number: lease.number,
        start,
        end,
        begun: false,
        calls: None,
        contexts: Contexts::default(),
    };
    let next = stepper.run().await;
    match stepper.save(next, before).await {
        // What is to be saved does not fit: nor would it next time.
        Err(PublicationError::Store(error)) if error.reason().is_some() => {
            begun.finish(kv, before, (RunStep::Failed, error.reason()), env.now_ms()).await
        }
        output => output,
    }
}

/// The first state of a run. Killed before it is saved, the next call prepares it again.
async fn prepare<K: KeyValueWrite>(kv: &K, run: &Run, now: i64) -> Result<(String, RunState), PublicationError> {
    let ids: Vec<&str> = run.previous.iter().chain([&run.id]).map(String::as_str).collect();
    clean(kv, &ids, now).await?;
    let opening = Opening { mode: Mode::Replace, scope: scope(&run.configuration), ..Opening::default() };
    publication::open_collection(kv, &run.id, opening, now).await?;
    let prefix = Registry::new_prefix(kv, &run.id, GenerationState::InProgress, now).await?;
    let staged = StagedLots::read(kv).await?;
    let to_call = run.configuration.to_call(&run.demand, |lot| staged.lot(lot).is_some());
    let lots = run.configuration.lots();
    let reused_lots = lots.iter().filter(|l| !to_call.contains(l)).map(Lot::key).collect();
    let report = RunReport { reused_lots, ..RunReport::default() };
    Ok((prefix, RunState { to_call, report, context: Journal::new("contexte"), ..RunState::default() }))
}

/// What the run replaces: what its lots bring, and nothing that was pushed beside them.
fn scope(configuration: &Configuration) -> Vec<Scope> {
    let m = &configuration.millesimes;
    let mut scope = Vec::new();
    let mut add = |kind: Kind, universe: Option<Universe>, millesimes: Vec<String>| {
        scope.push(Scope { kind, universe, millesimes });
    };
    for lot in configuration.lots() {
        match lot {
            Lot::Bcn if configuration.settings.bcn.is_on(Treatment::Nomenclature) => {
                [Kind::Bcn, Kind::BcnMef, Kind::BcnSise].into_iter().for_each(|k| add(k, None, Vec::new()));
            }
            Lot::Bcn => {}
            Lot::Acce => add(Kind::Etablissement, None, Vec::new()),
            Lot::Catalogue => {
                add(Kind::Catalogue, None, Vec::new());
                add(Kind::Rncp, None, Vec::new());
            }
            Lot::France(m) => add(Kind::Certification, Some(Universe::Secondaire), vec![m]),
            Lot::Regions(m) => add(Kind::Regionale, Some(Universe::Secondaire), vec![m]),
            Lot::Etablissements(m) => add(Kind::Formation, Some(Universe::Secondaire), vec![m]),
            Lot::InserSup => {
                let years = m.formations_sup.iter().filter_map(|m| Millesime::parse(m));
                let years = years.flat_map(|m| m.years().map(str::to_owned).collect::<Vec<_>>());
                let millesimes: BTreeSet<String> = m.formations_sup.iter().cloned().chain(years).collect();
                add(Kind::Formation, Some(Universe::Superieur), millesimes.into_iter().collect());
            }
            Lot::InserSupNational(m) => add(Kind::Certification, Some(Universe::Superieur), vec![m]),
        }
    }
    scope
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

    async fn run(&mut self) -> Result<Option<(u64, String)>, StepFault> {
        loop {
            let step = self.run.step;
            let before = self.env.monotonic_ms();
            let next = match step {
                RunStep::Collect => self.collect().await?,
                RunStep::Nomenclature => self.nomenclature().await?,
                RunStep::Etablissements => self.etablissements().await?,
                RunStep::Catalogue => self.catalogue().await?,
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
    async fn save(
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
