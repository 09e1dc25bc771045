//! The end of a run, and what is let go of then.

use crate::record::{Run, RunStep};
use crate::staged::StagedLots;
use crate::state::lot_prefix;
use publication::{Generation, GenerationState, Job, PublicationError, Registry};
use store::KeyValueWrite;
use store::kv::StoreError;

/// Ends the run, and writes so: what it leaves goes.
pub(crate) async fn finish<K: KeyValueWrite>(
    mut run: Run,
    kv: &K,
    before: &[u8],
    (step, failure): (RunStep, Option<String>),
    now: i64,
) -> Result<Run, PublicationError> {
    run.step = step;
    run.failure = failure;
    run.ended_ms = Some(now);
    run.write(kv, Some(before)).await?;
    release(kv, &run, now).await?;
    Ok(run)
}

/// What an ended run leaves: its job is closed, its prefixes go.
pub(crate) async fn release<K: KeyValueWrite>(kv: &K, run: &Run, now: i64) -> Result<(), PublicationError> {
    if run.step != RunStep::HandedOver {
        match Job::give_up(kv, &run.id, now).await {
            Ok(_) | Err(PublicationError::UnknownJob(_) | PublicationError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    clean(kv, &[&run.id], now).await
}

/// Lets go of what an ended run left, where it was killed at its very end or its record is lost. Reads little where there is
/// nothing.
///
/// # Errors
/// Those of the store.
pub async fn settle<K: KeyValueWrite>(kv: &K, now: i64) -> Result<(), PublicationError> {
    let run = Run::read(kv).await?.map(|(run, _)| run);
    if run.as_ref().is_some_and(|run| !run.step.is_final()) {
        return Ok(());
    }
    let registry = Registry::read(kv).await?;
    let in_progress = registry.generations.iter().any(|g| g.run && g.state == GenerationState::InProgress);
    match run {
        Some(run) => {
            let opened = run.step != RunStep::HandedOver && registry.jobs.contains(&run.id);
            if opened || in_progress { release(kv, &run, now).await } else { Ok(()) }
        }
        // Whatever took those prefixes, its record is lost.
        None if in_progress => clean(kv, &[], now).await,
        None => Ok(()),
    }
}

/// Lets go of every prefix that runs took and nobody needs: those of killed steps too. Staged answers stay. `ids` are the
/// runs whose prefixes may have been taken before the registry told prefixes of pulls from generations.
pub(crate) async fn clean<K: KeyValueWrite>(kv: &K, ids: &[&str], now: i64) -> Result<(), PublicationError> {
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

/// What a registry that was lost must know again: the jobs of the latest runs, and the prefixes that lie in the store for
/// them.
///
/// # Errors
/// Those of the store.
pub async fn known_prefixes<K: KeyValueWrite>(kv: &K) -> Result<(Vec<String>, Vec<Generation>), StoreError> {
    let prefix = |id: &str, job: &str, state| Generation {
        id: id.to_owned(),
        job: job.to_owned(),
        state,
        since_ms: 0,
        temporary: state == GenerationState::InProgress,
        run: true,
    };
    let staged = StagedLots::read(kv).await?;
    let mut known: Vec<Generation> =
        staged.lots.values().map(|lot| prefix(&lot.prefix, "", GenerationState::Staged)).collect();
    let Some((run, _)) = Run::read(kv).await? else { return Ok((Vec::new(), known)) };
    if let Some(own) = &run.prefix {
        known.push(prefix(own, &run.id, GenerationState::InProgress));
        if let Some(state) = run.state {
            match lot_prefix(kv, own, state).await {
                Ok(Some(lot)) => known.push(prefix(&lot, &run.id, GenerationState::InProgress)),
                Err(StoreError::Unavailable(reason)) => return Err(StoreError::Unavailable(reason)),
                // What it named is found by its number.
                Ok(_) | Err(_) => {}
            }
        }
    }
    let jobs = run.previous.into_iter().chain([run.id]).filter(|id| !id.is_empty());
    Ok((jobs.collect(), known))
}
