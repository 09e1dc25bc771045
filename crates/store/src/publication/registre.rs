//! What generations and jobs exist, who may publish, and the deletion of what nobody reads.

use super::depot::Depot;
use super::echange;
use super::ecrivain::effacer;
use super::travail::Job;
use super::{Environnement, PublicationError};
use crate::cle;
use crate::kv::{KeyValue, KeyValueWrite, StoreError};
use crate::pointeur::Pointeur;
use serde::{Deserialize, Serialize};

/// How long a generation stays after it left the pointer: readers may still follow a copy of it,
/// and eventually consistent stores show the pointer late.
pub const DELAI_EFFACEMENT_MS: i64 = 10 * 60 * 1000;

/// How long a lease holds without being renewed. A step takes at most 25 s.
const BAIL_MS: i64 = 60_000;

/// How many deletions one call does, at most.
const EFFACEMENTS: usize = 2_000;

/// What became of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EtatRegistre {
    /// Being written by a job.
    EnCours,
    /// Served, or kept for rollback.
    Publiee,
    /// Staged answers of a service, kept until newer ones take their place.
    Reserve,
    /// To be deleted, once its time has come.
    AEffacer,
}

/// A generation, or the staged parts of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// The prefix of its keys.
    pub id: String,
    /// The job that writes or wrote it.
    pub job: String,
    /// What became of it.
    pub etat: EtatRegistre,
    /// When it left the pointer, or was given up, in milliseconds since 1970.
    pub depuis_ms: i64,
    /// Whether what its making needed still lies beside it.
    pub temporaires: bool,
}

/// Everything that exists in the store, so that nothing is ever listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registre {
    /// The last number given to a generation. Numbers are never given twice.
    pub dernier: u64,
    /// Generations whose keys may lie in the store.
    pub generations: Vec<Generation>,
    /// Jobs whose parts may lie in the store: open ones, and ended ones until they are deleted.
    pub jobs: Vec<String>,
    /// Ended jobs whose parts go, and the next part to delete.
    pub a_effacer: Vec<(String, usize)>,
}

impl Registre {
    /// The registry as stored; empty before the first job.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn lire<K: KeyValue>(kv: &K) -> Result<Self, StoreError> {
        let bytes = kv.get(cle::REGISTRY).await?;
        bytes.map_or(Ok(Self::default()), |b| {
            serde_json::from_slice(&b).map_err(|_| StoreError::Damaged(cle::REGISTRY.into()))
        })
    }

    /// Changes the registry by compare-and-swap.
    pub(super) async fn changer<K: KeyValueWrite, T>(
        kv: &K,
        change: impl FnMut(&mut Self) -> T,
    ) -> Result<T, StoreError> {
        echange::changer(kv, cle::REGISTRY, change).await
    }

    /// Gives a job a generation id of its own.
    pub(super) async fn nouvelle_generation<K: KeyValueWrite>(
        kv: &K,
        job: &str,
        maintenant: i64,
    ) -> Result<String, StoreError> {
        Self::nouveau_prefixe(kv, job, EtatRegistre::EnCours, maintenant).await
    }

    /// Gives a job a prefix that was never used, so that what it writes there can be deleted.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn nouveau_prefixe<K: KeyValueWrite>(
        kv: &K,
        job: &str,
        etat: EtatRegistre,
        maintenant: i64,
    ) -> Result<String, StoreError> {
        Self::changer(kv, |registre| {
            registre.dernier += 1;
            let id = format!("g{}", registre.dernier);
            registre.generations.push(Generation {
                id: id.clone(),
                job: job.to_owned(),
                etat,
                depuis_ms: maintenant,
                temporaires: etat == EtatRegistre::EnCours,
            });
            id
        })
        .await
    }

    /// Says that the staged answers under a prefix are whole and kept.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn garder<K: KeyValueWrite>(kv: &K, id: &str) -> Result<(), StoreError> {
        Self::changer(kv, |registre| {
            for g in registre.generations.iter_mut().filter(|g| g.id == id) {
                (g.etat, g.temporaires) = (EtatRegistre::Reserve, false);
            }
        })
        .await
    }

    /// Gives up a generation, or whatever else lies under a prefix.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn abandonner<K: KeyValueWrite>(kv: &K, id: &str, maintenant: i64) -> Result<(), StoreError> {
        Self::changer(kv, |registre| {
            for g in registre.generations.iter_mut().filter(|g| g.id == id) {
                (g.etat, g.depuis_ms) = (EtatRegistre::AEffacer, maintenant);
            }
        })
        .await
    }

    /// Makes the registry follow a pointer: what it names is published, what it named no longer
    /// is due for deletion.
    pub(super) async fn suivre<K: KeyValueWrite>(
        kv: &K,
        pointeur: &Pointeur,
        maintenant: i64,
    ) -> Result<(), StoreError> {
        let precedent = pointeur.precedent.as_ref().map(|p| p.generation.clone());
        Self::changer(kv, |registre| {
            for g in &mut registre.generations {
                let nommee = g.id == pointeur.generation || Some(&g.id) == precedent.as_ref();
                match (nommee, g.etat) {
                    (true, _) => g.etat = EtatRegistre::Publiee,
                    (false, EtatRegistre::Publiee) => (g.etat, g.depuis_ms) = (EtatRegistre::AEffacer, maintenant),
                    (false, _) => {}
                }
            }
        })
        .await
    }

    /// An ended job: its parts may go.
    pub(super) async fn clore<K: KeyValueWrite>(kv: &K, job: &str) -> Result<(), StoreError> {
        Self::changer(kv, |registre| {
            if registre.jobs.iter().any(|j| j == job) {
                registre.jobs.retain(|j| j != job);
                registre.a_effacer.push((job.to_owned(), 0));
            }
        })
        .await
    }
}

/// What is served, as those who write must know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// The pointer.
    pub pointer: Pointeur,
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
        if let Some(bytes) = kv.get(cle::POINTER).await? {
            return Ok(Some(Self { pointer: Pointeur::lire(&bytes)?, bytes }));
        }
        let registre = Registre::lire(kv).await?;
        if registre.generations.iter().any(|generation| generation.etat == EtatRegistre::Publiee) {
            return Err(StoreError::Damaged(cle::POINTER.to_owned()));
        }
        Ok(None)
    }
}

/// The right to publish: one job at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bail {
    /// The fencing number: it rises with every change of hands.
    pub numero: u64,
    /// The job that holds it; empty when free.
    pub job: String,
    /// Until when, in milliseconds since 1970.
    pub jusque_ms: i64,
}

impl Bail {
    async fn lire<K: KeyValueWrite>(kv: &K) -> Result<(Self, Vec<u8>), StoreError> {
        let bytes = match kv.get(cle::LEASE).await? {
            Some(bytes) => bytes,
            None => {
                let libre = Self { numero: 0, job: String::new(), jusque_ms: 0 };
                let bytes = serde_json::to_vec(&libre).unwrap_or_default();
                kv.set(cle::LEASE, bytes.clone()).await?;
                bytes
            }
        };
        let bail = serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged(cle::LEASE.into()))?;
        Ok((bail, bytes))
    }

    /// Takes the lease for a job, with a fencing number of its own. The same job may always take
    /// it again: its record is swapped too, so a slower twin of its own cannot go on.
    ///
    /// # Errors
    /// [`PublicationError::Busy`] where another job holds it, else those of the store.
    pub async fn prendre<K: KeyValueWrite>(kv: &K, job: &str, maintenant: i64) -> Result<Self, PublicationError> {
        let (bail, bytes) = Self::lire(kv).await?;
        let libre = bail.job.is_empty() || bail.job == job || bail.jusque_ms < maintenant;
        if !libre {
            return Err(PublicationError::Busy { job: bail.job, secondes: (bail.jusque_ms - maintenant) / 1000 + 1 });
        }
        let pris = Self { numero: bail.numero + 1, job: job.to_owned(), jusque_ms: maintenant + BAIL_MS };
        let nouveau = serde_json::to_vec(&pris).unwrap_or_default();
        // Swapped, then read back: some stores answer a lost swap as if it were won.
        let gagne = kv.swap(cle::LEASE, &bytes, nouveau.clone()).await?
            && kv.get(cle::LEASE).await?.is_some_and(|lu| lu == nouveau);
        if gagne { Ok(pris) } else { Err(PublicationError::Busy { job: "un autre appel".into(), secondes: 1 }) }
    }

    /// Whether the fencing number is still ours.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tient<K: KeyValueWrite>(&self, kv: &K) -> Result<bool, StoreError> {
        Ok(Self::lire(kv).await?.0.numero == self.numero)
    }

    /// Gives it back, unless someone else has taken it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn rendre<K: KeyValueWrite>(self, kv: &K) -> Result<(), StoreError> {
        let (bail, bytes) = Self::lire(kv).await?;
        if bail.numero == self.numero {
            let libre = Self { numero: self.numero, job: String::new(), jusque_ms: 0 };
            kv.swap(cle::LEASE, &bytes, serde_json::to_vec(&libre).unwrap_or_default()).await?;
        }
        Ok(())
    }
}

/// Families that only the making of a generation needs: all streams but the sources.
fn est_temporaire(famille: &str) -> bool {
    famille.starts_with("etat.") || (famille.starts_with("flux.") && !famille.starts_with("flux.sources."))
}

/// Deletes a bounded share of what nobody reads any more: generations that left the pointer ten
/// minutes ago or were given up, and the parts of ended jobs. `true` while there is more to do
/// now.
///
/// # Errors
/// Those of the store.
pub async fn menage<K: KeyValueWrite, E: Environnement>(kv: &K, env: &E) -> Result<bool, StoreError> {
    let registre = Registre::lire(kv).await?;
    let maintenant = env.maintenant_ms();
    if let Some((job, partie)) = registre.a_effacer.first().cloned() {
        let suite = Depot::new(kv, &job, env.lot()).effacer(partie, EFFACEMENTS).await?;
        if suite.is_none() {
            Job::effacer(kv, &job).await?;
        }
        Registre::changer(kv, |registre| match suite {
            Some(partie) => registre.a_effacer.iter_mut().filter(|(j, _)| *j == job).for_each(|(_, p)| *p = partie),
            None => registre.a_effacer.retain(|(j, _)| *j != job),
        })
        .await?;
        return Ok(true);
    }
    let due = |g: &&Generation| g.etat == EtatRegistre::AEffacer && g.depuis_ms + DELAI_EFFACEMENT_MS <= maintenant;
    if let Some(generation) = registre.generations.iter().find(due) {
        if effacer(kv, &generation.id, env.lot(), EFFACEMENTS, |_| true).await? {
            let id = generation.id.clone();
            Registre::changer(kv, |registre| registre.generations.retain(|g| g.id != id)).await?;
        }
        return Ok(true);
    }
    if let Some(generation) = registre.generations.iter().find(|g| g.etat == EtatRegistre::Publiee && g.temporaires) {
        if effacer(kv, &generation.id, env.lot(), EFFACEMENTS, est_temporaire).await? {
            let id = generation.id.clone();
            Registre::changer(kv, |registre| {
                registre.generations.iter_mut().filter(|g| g.id == id).for_each(|g| g.temporaires = false);
            })
            .await?;
        }
        return Ok(true);
    }
    Ok(false)
}
