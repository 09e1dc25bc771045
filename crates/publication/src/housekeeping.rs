//! The deletion of what nobody reads.

use crate::job::{FoundRecord, Job};
use crate::rebuild::search;
use crate::registry::{Generation, GenerationState, Registry};
use crate::staging::Staging;
use crate::writer::{delete, forget};
use crate::{Environment, PublicationError};
use store::kv::{KeyValueWrite, StoreError};

/// How long a generation stays after it left the pointer: readers may still follow a copy of it,
/// and eventually consistent stores show the pointer late.
const DELETION_DELAY_MS: i64 = 10 * 60 * 1000;

/// How many batches of deletions one call does, at most: 3 s where a write takes 100 ms.
const DELETED_BATCHES: usize = 30;

/// Families that only the making of a generation needs: all streams but the sources.
fn is_temporary(family: &str) -> bool {
    family.starts_with("etat.") || (family.starts_with("flux.") && !family.starts_with("flux.sources."))
}

/// Deletes a bounded share of what nobody reads any more: generations that left the pointer ten
/// minutes ago or were given up, and the parts of ended jobs. Ends jobs whose record is lost, or that have waited too
/// long. `true` while there is more to do now.
///
/// What cannot be read is let go: it is in nobody's way.
///
/// # Errors
/// Those of the store.
pub async fn clean_up<K: KeyValueWrite, E: Environment>(kv: &K, env: &E) -> Result<bool, StoreError> {
    let registry = Registry::read(kv).await?;
    let now = env.now_ms();
    if search(kv, &registry, now).await? {
        return Ok(true);
    }
    let limit = DELETED_BATCHES.saturating_mul(env.batch().max(1));
    if let Some((job, part)) = registry.to_delete.first().cloned() {
        let staging = Staging::new(kv, &job, env.batch());
        let rest = match staging.delete(part, limit).await {
            Err(StoreError::Damaged(what)) => {
                eprintln!("housekeeping: {what} cannot be read, part {part} of {job} is let go");
                staging.forget(part).await?;
                Some(part + 1)
            }
            rest => rest?,
        };
        let rest = match rest {
            None => beyond_published(kv, &job, part).await?,
            some => some,
        };
        if rest.is_none() {
            Job::delete(kv, &job).await?;
        }
        Registry::update(kv, |registry| match rest {
            Some(part) => registry.to_delete.iter_mut().filter(|(j, _)| *j == job).for_each(|(_, p)| *p = part),
            None => registry.to_delete.retain(|(j, _)| *j != job),
        })
        .await?;
        return Ok(true);
    }
    if registry.generations.iter().any(|g| to_delete(g, now) || g.temporary)
        && let Some(served) = Registry::served(kv).await?
        && delete_one(kv, env, &registry, &served, limit).await?
    {
        return Ok(true);
    }
    for id in &registry.jobs {
        let finished = match Job::find(kv, &registry, id, now).await? {
            FoundRecord::BeingOpened => false,
            FoundRecord::Lost(_) => {
                Registry::settle(kv, id, now).await?;
                true
            }
            FoundRecord::Seen(job, before) => match job.expire(kv, &before, now).await {
                Ok(finished) => finished,
                Err(PublicationError::Store(error)) => return Err(error),
                // Somebody just took it up again.
                Err(_) => false,
            },
        };
        if finished {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where parts may still lie once nothing is found at `part`. The publication deletes the parts that it knows while it runs;
/// an attempt of a pull that was lost may have left some behind those.
async fn beyond_published<K: KeyValueWrite>(kv: &K, job: &str, part: usize) -> Result<Option<usize>, StoreError> {
    match Job::read(kv, job).await {
        Ok((job, _)) => Ok(Some(job.options.parts).filter(|parts| part < *parts)),
        Err(PublicationError::Store(StoreError::Unavailable(reason))) => Err(StoreError::Unavailable(reason)),
        Err(_) => Ok(None),
    }
}

/// Whether the time of a prefix has come. One that left the pointer in the future did so by a wrong clock: it is due like
/// one of just now, once that is written down.
fn to_delete(g: &Generation, now: i64) -> bool {
    g.state == GenerationState::ToDelete && (g.since_ms.saturating_add(DELETION_DELAY_MS) <= now || g.since_ms > now)
}

/// Deletes a share of one prefix, or of what its making needed.
async fn delete_one<K: KeyValueWrite, E: Environment>(
    kv: &K,
    env: &E,
    registry: &Registry,
    served: &[String],
    limit: usize,
) -> Result<bool, StoreError> {
    let now = env.now_ms();
    let note = async |id: &str, change: &dyn Fn(&mut Generation)| {
        Registry::update(kv, |registry| registry.generations.iter_mut().filter(|g| g.id == id).for_each(change)).await
    };
    if let Some(generation) = registry.generations.iter().find(|g| to_delete(g, now)) {
        let id = generation.id.as_str();
        if served.iter().any(|s| s == id) {
            // Nothing that the pointer names is ever deleted, whatever the registry says.
            note(id, &|g| g.state = GenerationState::Published).await?;
        } else if generation.since_ms > now {
            note(id, &|g| g.since_ms = now).await?;
        } else if delete_or_forget(kv, env, id, limit, |_| true).await? {
            Registry::update(kv, |registry| registry.generations.retain(|g| g.id != id)).await?;
        }
        return Ok(true);
    }
    // What a job needs goes once the job has ended: killed behind its pointer, it still reads its state.
    let ended = |g: &&Generation| !registry.jobs.contains(&g.job);
    let temporary = |g: &&Generation| g.state == GenerationState::Published && g.temporary;
    if let Some(generation) = registry.generations.iter().filter(temporary).find(ended) {
        if delete_or_forget(kv, env, &generation.id, limit, is_temporary).await? {
            note(&generation.id, &|g| g.temporary = false).await?;
        }
        return Ok(true);
    }
    Ok(false)
}

async fn delete_or_forget<K: KeyValueWrite, E: Environment>(
    kv: &K,
    env: &E,
    prefix: &str,
    limit: usize,
    choice: impl Fn(&str) -> bool,
) -> Result<bool, StoreError> {
    match delete(kv, prefix, env.batch(), limit, choice).await {
        Err(StoreError::Damaged(what)) => {
            eprintln!("housekeeping: {what} cannot be read, what lies under {prefix} is let go");
            forget(kv, prefix).await?;
            Ok(true)
        }
        outcome => outcome,
    }
}
