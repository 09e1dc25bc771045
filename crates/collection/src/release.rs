//! The end of a run, and what is let go of then.

use crate::record::{Run, RunStep};
use crate::staged::StagedLots;
use publication::{Generation, GenerationState, Job, PublicationError, Registry};
use store::KeyValueWrite;

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
