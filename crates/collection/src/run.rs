//! A run, as the routes see it: opened, advanced, given up; its report.

use crate::context::Contexts;
use crate::demand::{Configuration, Demand, Lot};
use crate::record::{REPORT_KEY, Run, RunStep};
use crate::release::{clean, finish, release};
use crate::report::RunReport;
use crate::staged::StagedLots;
use crate::state::{self, RunState, read_state};
use crate::stepper::{RunStepper, StepFault};
use domain::{Kind, Millesime, Universe};
use outside::{Clock, Fetch};
use publication::{
    self, Environment, GenerationState, Journal, Lease, Mode, Opening, PublicationError, Registry, Scope, Writer,
};
use serde_json::Value;
use sources::{Service, Sources};
use std::collections::BTreeSet;
use store::KeyValueWrite;
use treatments::Treatment;

/// How long a run may take, waits included: three days. Hours are enough where the services answer.
pub const DURATION_MAX_MS: i64 = 3 * 24 * 60 * 60 * 1000;

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

/// The report of the latest run ([`RunReport`]), as far as it has come; `None` before the first step.
///
/// # Errors
/// Those of the store.
pub async fn report<K: KeyValueWrite>(kv: &K) -> Result<Option<Value>, PublicationError> {
    let Some((run, _)) = Run::read(kv).await? else { return Ok(None) };
    if run.step.is_final() {
        let kept: Option<(String, Value)> = kv.get(REPORT_KEY).await?.and_then(|b| serde_json::from_slice(&b).ok());
        return Ok(kept.filter(|(id, _)| *id == run.id).map(|(_, report)| report));
    }
    let (Some(prefix), Some(state)) = (&run.prefix, run.state) else { return Ok(None) };
    Ok(Some(state::report(kv, prefix, state).await?))
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
        return finish(run, kv, before, (RunStep::Failed, failure), now).await;
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
        Err(StepFault::Failed(reason)) => return finish(run, kv, before, (RunStep::Failed, Some(reason)), now).await,
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
            finish(begun, kv, before, (RunStep::Failed, error.reason()), env.now_ms()).await
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
            Lot::CertifInfo => add(Kind::CertifInfo, None, Vec::new()),
            // Both tables make the same kind: it is replaced once.
            Lot::OnisepPassage if configuration.a(Service::Onisep) => {}
            Lot::Onisep | Lot::OnisepPassage => add(Kind::Ideo, None, Vec::new()),
            Lot::AcceMothers => add(Kind::UaiMother, None, Vec::new()),
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
