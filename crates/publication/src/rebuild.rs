//! A registry that is lost or cannot be read, and how it is made anew.
//!
//! Nobody can list keys, so what the registry named has to be found again: in its copy, which is a change behind at most; the
//! pointer names what is served, the lease and the pull name jobs, the pull names what it keeps. What else may lie in the
//! store has numbers near to those, and marks: the housekeeping looks for them, some at a time ([`search`]). Numbers begin
//! anew far above all that were ever given.
//! Nothing that is served is deleted by it, whatever is found: the pointer is read before each deletion.

use crate::PublicationError;
use crate::job::Job;
use crate::registry::{Generation, GenerationState, Lease, Registry};
use crate::rollback::has_copy;
use crate::writer::marks_key;
use store::keys;
use store::kv::{KeyValueWrite, StoreError, VALUE_MAX};
use store::pointer::{LAYOUT, Pointer};

/// Where a registry that could not be read is kept, for whoever looks into it.
const ASIDE: &str = "work:generations:illisible";
/// How far from known numbers others are looked for, up and down.
const SEARCHED: u64 = 1_000;
/// Where no number is known they are looked for from 1 to here.
const SEARCHED_BLINDLY: u64 = 3_000;
/// Numbers that one call of the housekeeping looks at.
const SEARCHED_AT_ONCE: u64 = 30;

/// A registry that is not there as it should be, and what lies in its place.
#[derive(Debug)]
pub struct LostRegistry(Option<Vec<u8>>);

impl Registry {
    /// Whether the registry is lost: unreadable, or absent although something was published.
    ///
    /// # Errors
    /// Those of the store. One that a later version wrote is [`StoreError::OtherLayout`].
    pub async fn lost<K: KeyValueWrite>(kv: &K) -> Result<Option<LostRegistry>, StoreError> {
        if let Some(bytes) = kv.get(keys::REGISTRY).await? {
            return match Self::decode(&bytes) {
                Ok(_) => Ok(None),
                Err(StoreError::Damaged(_)) => Ok(Some(LostRegistry(Some(bytes)))),
                Err(other) => Err(other),
            };
        }
        Ok(kv.get(keys::POINTER).await?.map(|_| LostRegistry(None)))
    }

    /// Makes a lost registry anew. `jobs` are those that may be open, `prefixes` what a pull knows.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn rebuild<K: KeyValueWrite>(
        kv: &K,
        lost: LostRegistry,
        jobs: Vec<String>,
        prefixes: Vec<Generation>,
        now: i64,
    ) -> Result<(), StoreError> {
        let pointer = kv.get(keys::POINTER).await?.and_then(|bytes| Pointer::read(&bytes).ok());
        let copy = Self::copy(kv).await?;
        let seen = copy.as_ref().map(|copy| copy.last);
        let mut registry = Self { rebuilt_ms: Some(now), ..copy.unwrap_or_default() };
        for prefix in prefixes {
            if !registry.generations.iter().any(|known| known.id == prefix.id) {
                registry.generations.push(prefix);
            }
        }
        // The older one first: they stand in the order they were made in.
        let previous = pointer.as_ref().and_then(|pointer| pointer.previous.as_ref());
        let named = previous.map(|pointer| &pointer.generation).into_iter();
        for id in named.chain(pointer.as_ref().map(|pointer| &pointer.generation)) {
            registry.add_found(id, "", GenerationState::Published, now);
        }
        let (lease, _) = Lease::read(kv, now).await?;
        for id in std::iter::once(lease.job).chain(jobs) {
            if registry.named(&id) {
                continue;
            }
            match Job::read(kv, &id).await {
                Ok((job, _)) if job.step.is_final() => registry.to_delete.push((id, 0)),
                Ok((job, _)) => {
                    if let Some(generation) = &job.generation {
                        registry.add_found(generation, &id, GenerationState::InProgress, now);
                    }
                    registry.opened_at_ms.insert(id.clone(), job.opened_ms);
                    registry.jobs.push(id);
                }
                Err(PublicationError::Store(StoreError::Unavailable(reason))) => {
                    return Err(StoreError::Unavailable(reason));
                }
                Err(_) => {}
            }
        }
        let known = registry.generations.iter().filter_map(|g| g.id.strip_prefix('g')?.parse::<u64>().ok()).max();
        let (first, last) = match known.max(seen) {
            Some(known) => (known.saturating_sub(SEARCHED).max(1), known.saturating_add(SEARCHED)),
            None => (1, SEARCHED_BLINDLY),
        };
        // What the copy did not name up to its number is gone.
        registry.to_search = Some((seen.map_or(first, |seen| seen.saturating_add(1)), last));
        registry.last = last.max(u64::try_from(now).unwrap_or(0));
        registry.unframed = pointer.is_some_and(|pointer| pointer.layout < LAYOUT) && registry.jobs.is_empty();
        let bytes = registry.encode()?;
        let done = match lost.0 {
            Some(unreadable) => {
                eprintln!("registry: {} cannot be read; it is kept under {ASIDE} and made anew", keys::REGISTRY);
                let end = unreadable.len().min(VALUE_MAX);
                kv.set(ASIDE, unreadable.get(..end).unwrap_or_default().to_vec()).await?;
                kv.swap(keys::REGISTRY, &unreadable, bytes).await?
            }
            None => {
                eprintln!("registry: {} is missing; it is made anew", keys::REGISTRY);
                kv.create(keys::REGISTRY, bytes).await?
            }
        };
        // Another call came first: its registry is as good.
        let _ = done;
        Ok(())
    }

    fn add_found(&mut self, id: &str, job: &str, state: GenerationState, now: i64) {
        if let Some(known) = self.generations.iter_mut().find(|known| known.id == id) {
            // The copy may not know yet that it is served.
            if state == GenerationState::Published {
                known.state = state;
            }
        } else {
            let (id, job) = (id.to_owned(), job.to_owned());
            self.generations.push(Generation { id, job, state, since_ms: now, temporary: true, run: false });
        }
    }
}

/// Looks for what a registry that was made anew does not name: a few numbers a call. `false` where nothing is to be looked
/// for.
///
/// # Errors
/// Those of the store.
pub(crate) async fn search<K: KeyValueWrite>(kv: &K, registry: &Registry, now: i64) -> Result<bool, StoreError> {
    let Some((first, last)) = registry.to_search else { return Ok(false) };
    // Without a pointer what was published is told by the copy that lies in it; a rollback needs that.
    let blind = Registry::served(kv).await?.is_none();
    let end = last.min(first.saturating_add(SEARCHED_AT_ONCE - 1));
    let mut found = Vec::new();
    for number in first..=end {
        let id = format!("g{number}");
        let known = registry.generations.iter().any(|g| g.id == id);
        if !known && kv.get(&marks_key(&id)).await?.is_some() {
            let published = blind && has_copy(kv, &id).await?;
            let state = if published { GenerationState::Published } else { GenerationState::ToDelete };
            found.push((id, state));
        }
    }
    Registry::update(kv, |registry| {
        // Another call may have come this far.
        if registry.to_search == Some((first, last)) {
            found.iter().for_each(|(id, state)| registry.add_found(id, "", *state, now));
            registry.to_search = (end < last).then_some((end + 1, last));
        }
    })
    .await?;
    Ok(true)
}
