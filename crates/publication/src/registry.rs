//! What generations and jobs exist, and who may publish.

use crate::PublicationError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::kv::{KeyValue, KeyValueWrite, StoreError, to_json};
use store::pointer::{LAYOUT, Pointer};
use store::{exchange, frame, keys};

/// How long a lease holds without being renewed. A step takes at most 25 s.
const LEASE_MS: i64 = 60_000;

/// Prefixes that the registry names, at most: beyond, its value would come near to what a store takes.
const PREFIXES_MAX: usize = 1_500;

/// The copy of the registry.
const COPY: &str = "work:generations:copie";

/// What became of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GenerationState {
    /// Being written by a job.
    #[serde(rename = "en_cours")]
    InProgress,
    /// Served, or kept for rollback.
    #[serde(rename = "publiee")]
    Published,
    /// Staged answers of a service, kept until newer ones take their place.
    #[serde(rename = "reserve")]
    Staged,
    /// To be deleted, once its time has come.
    #[serde(rename = "a_effacer")]
    ToDelete,
}

/// A generation, or the staged parts of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// The prefix of its keys.
    pub id: String,
    /// The job that writes or wrote it.
    pub job: String,
    /// What became of it.
    #[serde(rename = "etat")]
    pub state: GenerationState,
    /// When it left the pointer, or was given up, in milliseconds since 1970.
    #[serde(rename = "depuis_ms")]
    pub since_ms: i64,
    /// Whether what its making needed still lies beside it.
    #[serde(rename = "temporaires")]
    pub temporary: bool,
    /// Whether a pull works or stages answers there, rather than a publication.
    #[serde(rename = "collecte", default, skip_serializing_if = "std::ops::Not::not")]
    pub run: bool,
}

/// Everything that exists in the store, so that nothing is ever listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// The last number given to a generation. Numbers are never given twice.
    #[serde(rename = "dernier")]
    pub last: u64,
    /// Generations whose keys may lie in the store.
    pub generations: Vec<Generation>,
    /// Jobs whose parts may lie in the store: open ones, and ended ones until they are deleted.
    pub jobs: Vec<String>,
    /// Ended jobs whose parts go, and the next part to delete.
    #[serde(rename = "a_effacer")]
    pub to_delete: Vec<(String, usize)>,
    /// When open jobs were opened, in milliseconds since 1970.
    #[serde(rename = "ouverts_ms", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) opened_at_ms: BTreeMap<String, i64>,
    /// When it was last made anew, in milliseconds since 1970: it was lost, or could not be read.
    #[serde(rename = "reconstruit_ms", default, skip_serializing_if = "Option::is_none")]
    pub rebuilt_ms: Option<i64>,
    /// The numbers that are still to be looked for since then, the first and the last.
    #[serde(rename = "a_chercher", default, skip_serializing_if = "Option::is_none")]
    pub(super) to_search: Option<(u64, u64)>,
    /// Whether the version before may write to this store: it lies there as that one writes it.
    #[serde(skip)]
    pub(super) unframed: bool,
}

impl Registry {
    /// The registry as stored; empty before the first job.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn read<K: KeyValue>(kv: &K) -> Result<Self, StoreError> {
        kv.get(keys::REGISTRY).await?.map_or(Ok(Self::default()), |bytes| Self::decode(&bytes))
    }

    /// Reads the stored form. While the version before may write to the store the registry lies there as it wrote it, so
    /// that it can; from the first job of this version on it is framed, and the version before stops at it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        if !bytes.starts_with(b"{") {
            return match (frame::open_json(keys::REGISTRY, bytes), frame::later_layout(keys::REGISTRY, bytes)) {
                (Err(_), Some(layout)) => Err(StoreError::OtherLayout { key: keys::REGISTRY.to_owned(), layout }),
                (read, _) => read,
            };
        }
        let registry = serde_json::from_slice(bytes).map_err(|_| StoreError::Damaged(keys::REGISTRY.into()))?;
        Ok(Self { unframed: true, ..registry })
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        if self.unframed { to_json(keys::REGISTRY, self) } else { frame::seal_json(keys::REGISTRY, self) }
    }

    /// Changes the registry by compare-and-swap. Where other names stand in it then, a copy is written behind it: what a
    /// registry that cannot be read named is known by that.
    pub(super) async fn update<K: KeyValueWrite, T>(
        kv: &K,
        mut change: impl FnMut(&mut Self) -> T,
    ) -> Result<T, StoreError> {
        let mut copy = None;
        let output = exchange::update_as(kv, keys::REGISTRY, Self::decode, Self::encode, |registry| {
            let before = registry.names();
            let output = change(registry);
            copy = (registry.names() != before).then(|| frame::seal_json(COPY, registry));
            output
        });
        let output = output.await?;
        if let Some(copy) = copy {
            // It may be a change behind: whoever uses it looks at what else is known.
            let _ = kv.set(COPY, copy?).await;
        }
        Ok(output)
    }

    /// What it names: prefixes and jobs.
    fn names(&self) -> (Vec<(String, GenerationState)>, Vec<String>, Vec<String>) {
        let generations = self.generations.iter().map(|g| (g.id.clone(), g.state));
        let ended = self.to_delete.iter().map(|(job, _)| job.clone());
        (generations.collect(), self.jobs.clone(), ended.collect())
    }

    /// The copy, where there is one that can be read.
    pub(super) async fn copy<K: KeyValue>(kv: &K) -> Result<Option<Self>, StoreError> {
        Ok(kv.get(COPY).await?.and_then(|bytes| frame::open_json(COPY, &bytes).ok()))
    }

    /// Whether a job is open, or ended and not deleted yet.
    pub(super) fn named(&self, job: &str) -> bool {
        self.jobs.iter().chain(self.to_delete.iter().map(|(j, _)| j)).any(|j| j == job)
    }

    /// Whether a job was registered less than `duree_ms` ago.
    pub(super) fn is_still_opening(&self, job: &str, now: i64, duration_ms: i64) -> bool {
        let age = |since: &i64| now.saturating_sub(*since);
        self.opened_at_ms.get(job).map(age).is_some_and(|age| (-duration_ms..duration_ms).contains(&age))
    }

    /// Gives a job a generation id of its own.
    pub(super) async fn new_generation<K: KeyValueWrite>(kv: &K, job: &str, now: i64) -> Result<String, StoreError> {
        Self::assign(kv, job, GenerationState::InProgress, now, false).await
    }

    /// Gives a pull a prefix that was never used, so that what it writes there can be deleted.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn new_prefix<K: KeyValueWrite>(
        kv: &K,
        job: &str,
        state: GenerationState,
        now: i64,
    ) -> Result<String, StoreError> {
        Self::assign(kv, job, state, now, true).await
    }

    async fn assign<K: KeyValueWrite>(
        kv: &K,
        job: &str,
        state: GenerationState,
        now: i64,
        run: bool,
    ) -> Result<String, StoreError> {
        let assigned = Self::update(kv, |registry| {
            if registry.generations.len() >= PREFIXES_MAX {
                return None;
            }
            registry.last += 1;
            registry.unframed = false;
            let id = format!("g{}", registry.last);
            registry.generations.push(Generation {
                id: id.clone(),
                job: job.to_owned(),
                state,
                since_ms: now,
                temporary: state == GenerationState::InProgress,
                run,
            });
            Some(id)
        });
        assigned.await?.ok_or_else(|| StoreError::TooLarge("le registre, sans ménage,".into(), PREFIXES_MAX * 150))
    }

    /// Whether readers may follow the pointer to a generation, now or on a rollback.
    pub(super) async fn is_served<K: KeyValueWrite>(kv: &K, generation: &str) -> Result<bool, StoreError> {
        Ok(Self::served(kv).await?.unwrap_or_default().iter().any(|g| g == generation))
    }

    /// The generations that the pointer names; `None` where it cannot be read.
    pub(super) async fn served<K: KeyValueWrite>(kv: &K) -> Result<Option<Vec<String>>, StoreError> {
        match Served::read(kv).await {
            Ok(None) => Ok(Some(Vec::new())),
            Ok(Some(Served { pointer, .. })) => {
                let before = pointer.previous.map(|before| before.generation);
                Ok(Some(std::iter::once(pointer.generation).chain(before).collect()))
            }
            Err(StoreError::Damaged(_) | StoreError::OtherLayout { .. }) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Says that the staged answers under a prefix are whole and kept.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn keep<K: KeyValueWrite>(kv: &K, id: &str) -> Result<(), StoreError> {
        Self::update(kv, |registry| {
            for g in registry.generations.iter_mut().filter(|g| g.id == id) {
                (g.state, g.temporary) = (GenerationState::Staged, false);
            }
        })
        .await
    }

    /// Gives up a generation, or whatever else lies under a prefix.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn give_up<K: KeyValueWrite>(kv: &K, id: &str, now: i64) -> Result<(), StoreError> {
        Self::update(kv, |registry| {
            for g in registry.generations.iter_mut().filter(|g| g.id == id) {
                (g.state, g.since_ms) = (GenerationState::ToDelete, now);
            }
        })
        .await
    }

    /// Makes the registry follow a pointer: what it names is published, what it named no longer
    /// is due for deletion.
    pub(super) async fn follow<K: KeyValueWrite>(kv: &K, pointer: &Pointer, now: i64) -> Result<(), StoreError> {
        let previous = pointer.previous.as_ref().map(|p| p.generation.clone());
        Self::update(kv, |registry| {
            registry.unframed = pointer.layout < LAYOUT && registry.jobs.is_empty();
            for g in &mut registry.generations {
                let named = g.id == pointer.generation || Some(&g.id) == previous.as_ref();
                match (named, g.state) {
                    (true, _) => g.state = GenerationState::Published,
                    (false, GenerationState::Published) => (g.state, g.since_ms) = (GenerationState::ToDelete, now),
                    (false, _) => {}
                }
            }
        })
        .await
    }

    /// An ended job: its parts may go, and every generation it began unless it is served.
    pub(super) async fn settle<K: KeyValueWrite>(kv: &K, job: &str, now: i64) -> Result<(), StoreError> {
        // A pointer that cannot be read names nothing here; the housekeeping deletes nothing while it is so.
        let served = Self::served(kv).await?.unwrap_or_default();
        let older = matches!(Served::read(kv).await, Ok(Some(served)) if served.pointer.layout < LAYOUT);
        Self::update(kv, |registry| {
            let own = registry.generations.iter_mut().filter(|g| g.job == job && !g.run);
            for g in own.filter(|g| g.state == GenerationState::InProgress) {
                if served.contains(&g.id) {
                    g.state = GenerationState::Published;
                } else {
                    (g.state, g.since_ms) = (GenerationState::ToDelete, now);
                }
            }
            registry.jobs.retain(|j| j != job);
            registry.opened_at_ms.remove(job);
            registry.unframed |= older && registry.jobs.is_empty();
            if !registry.to_delete.iter().any(|(j, _)| j == job) {
                registry.to_delete.push((job.to_owned(), 0));
            }
        })
        .await
    }

    /// Lets go of the prefixes of pulls, those of killed steps too: `fate` says what becomes of one, `None` to leave it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sort_collection<K: KeyValueWrite>(
        kv: &K,
        now: i64,
        fate: impl Fn(&Generation) -> Option<GenerationState>,
    ) -> Result<(), StoreError> {
        Self::update(kv, |registry| {
            for g in &mut registry.generations {
                match fate(g).filter(|state| *state != g.state) {
                    Some(GenerationState::ToDelete) => (g.state, g.since_ms) = (GenerationState::ToDelete, now),
                    Some(state) => (g.state, g.temporary) = (state, false),
                    None => {}
                }
            }
        })
        .await
    }
}

/// What is served, as those who write must know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// The pointer.
    pub pointer: Pointer,
    /// Its bytes, for the swap that replaces it.
    pub(super) bytes: Vec<u8>,
}

impl Served {
    /// Reads the pointer. `None` only before the first publication: with a pointer that is absent although generations
    /// were published, or that cannot be read, whoever writes would take what is served for nothing, and replace it
    /// without a guard.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and [`StoreError::OtherLayout`] as said, else those of the store.
    pub async fn read<K: KeyValue>(kv: &K) -> Result<Option<Self>, StoreError> {
        if let Some(bytes) = kv.get(keys::POINTER).await? {
            return Ok(Some(Self { pointer: Pointer::read(&bytes)?, bytes }));
        }
        let registry = Registry::read(kv).await?;
        if registry.generations.iter().any(|generation| generation.state == GenerationState::Published) {
            return Err(StoreError::Damaged(keys::POINTER.to_owned()));
        }
        Ok(None)
    }
}

/// The right to publish: one job at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The fencing number: it rises with every change of hands.
    #[serde(rename = "numero")]
    pub number: u64,
    /// The job that holds it; empty when free.
    pub job: String,
    /// Until when, in milliseconds since 1970.
    #[serde(rename = "jusque_ms")]
    pub until_ms: i64,
}

impl Lease {
    pub(super) async fn read<K: KeyValueWrite>(kv: &K, now: i64) -> Result<(Self, Vec<u8>), StoreError> {
        // A lost or unreadable lease is a free one. Its number must never come again: what attempts write lies under it,
        // and there are far fewer of them than milliseconds.
        let free = || Self { number: u64::try_from(now).unwrap_or(0), job: String::new(), until_ms: 0 };
        let bytes = match kv.get(keys::LEASE).await? {
            Some(bytes) => bytes,
            None => {
                let bytes = to_json(keys::LEASE, &free())?;
                if !kv.create(keys::LEASE, bytes.clone()).await? {
                    return Err(StoreError::Unavailable(format!("{} was just made", keys::LEASE)));
                }
                bytes
            }
        };
        Ok((serde_json::from_slice(&bytes).unwrap_or_else(|_| free()), bytes))
    }

    /// Takes the lease for a job, with a fencing number of its own. The same job may always take
    /// it again: its record is swapped too, so a slower twin of its own cannot go on.
    ///
    /// # Errors
    /// [`PublicationError::Busy`] where another job holds it, else those of the store.
    pub async fn take<K: KeyValueWrite>(kv: &K, job: &str, now: i64) -> Result<Self, PublicationError> {
        let (lease, bytes) = Self::read(kv, now).await?;
        // One that ends later than any lease taken now could is that of a clock that has been put right since.
        let finished = lease.until_ms < now || lease.until_ms > now.saturating_add(2 * LEASE_MS);
        if !(lease.job.is_empty() || lease.job == job || finished) {
            return Err(PublicationError::Busy { job: lease.job, seconds: (lease.until_ms - now) / 1000 + 1 });
        }
        let taken = Self { number: lease.number + 1, job: job.to_owned(), until_ms: now + LEASE_MS };
        let new = to_json(keys::LEASE, &taken)?;
        // Swapped, then read back: some stores answer a lost swap as if it were won.
        let wins = kv.swap(keys::LEASE, &bytes, new.clone()).await?
            && kv.get(keys::LEASE).await?.is_some_and(|read| read == new);
        if wins { Ok(taken) } else { Err(PublicationError::Busy { job: "un autre appel".into(), seconds: 1 }) }
    }

    /// Whether the fencing number is still ours.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn holds<K: KeyValueWrite>(&self, kv: &K) -> Result<bool, StoreError> {
        Ok(Self::read(kv, 0).await?.0.number == self.number)
    }

    /// Gives it back, unless someone else has taken it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn give_back<K: KeyValueWrite>(self, kv: &K) -> Result<(), StoreError> {
        let (lease, bytes) = Self::read(kv, 0).await?;
        if lease.number == self.number {
            let free = Self { number: self.number, job: String::new(), until_ms: 0 };
            kv.swap(keys::LEASE, &bytes, to_json(keys::LEASE, &free)?).await?;
        }
        Ok(())
    }
}
