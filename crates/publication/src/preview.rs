//! A generation that waits for its signature, as it can be looked at before it is served.

use crate::job::{Job, JobStep};
use crate::registry::Registry;
use crate::rollback::{FAMILY_POINTER, read_copy};
use store::keys;
use store::kv::{KeyValue, StoreError};
use store::pointer::Pointer;

/// The pointer of a generation that waits for its signature; `None` for any other.
///
/// # Errors
/// Those of the store.
pub async fn preview<K: KeyValue>(kv: &K, generation: &str) -> Result<Option<Pointer>, StoreError> {
    let registry = Registry::read(kv).await?;
    let Some(known) = registry.generations.iter().find(|known| known.id == generation) else { return Ok(None) };
    match Job::status(kv, &known.job).await {
        Ok(job) if job.step == JobStep::AwaitSignOff => {}
        _ => return Ok(None),
    }
    let key = keys::value(generation, FAMILY_POINTER, 0);
    Ok(kv.get(&key).await?.and_then(|copy| read_copy(&key, &copy)))
}

/// The jobs that wait for a signature, in the order in which they were opened.
///
/// # Errors
/// Those of the store.
pub async fn awaiting_sign_off<K: KeyValue>(kv: &K) -> Result<Vec<Job>, StoreError> {
    let mut waiting = Vec::new();
    for id in Registry::read(kv).await?.jobs {
        match Job::status(kv, &id).await {
            Ok(job) if job.step == JobStep::AwaitSignOff => waiting.push(job),
            // What became of another one is told by its own status.
            _ => {}
        }
    }
    Ok(waiting)
}
