//! What generations and jobs exist, who may publish, and the deletion of what nobody reads.

use super::depot::Depot;
use super::echange;
use super::ecrivain::{effacer, oublier};
use super::travail::{Fiche, Job};
use super::{Environnement, PublicationError};
use crate::cle;
use crate::kv::{KeyValue, KeyValueWrite, StoreError};
use crate::pointeur::Pointeur;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long a generation stays after it left the pointer: readers may still follow a copy of it,
/// and eventually consistent stores show the pointer late.
pub const DELAI_EFFACEMENT_MS: i64 = 10 * 60 * 1000;

/// How long a lease holds without being renewed. A step takes at most 25 s.
const BAIL_MS: i64 = 60_000;

/// How many deletions one call does, at most, and how many batches of them.
const EFFACEMENTS: usize = 2_000;
const LOTS_EFFACES: usize = 80;

/// Prefixes that the registry names, at most: beyond, its value would come near to what a store takes.
const PREFIXES_MAX: usize = 1_500;

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
    /// Whether a pull works or stages answers there, rather than a publication.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub collecte: bool,
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
    /// When open jobs were opened, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) ouverts_ms: BTreeMap<String, i64>,
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

    /// Whether a job is open, or ended and not deleted yet.
    pub(super) fn nomme(&self, job: &str) -> bool {
        self.jobs.iter().chain(self.a_effacer.iter().map(|(j, _)| j)).any(|j| j == job)
    }

    /// Whether a job was registered less than `duree_ms` ago.
    pub(super) fn ouvre_encore(&self, job: &str, maintenant: i64, duree_ms: i64) -> bool {
        let age = |depuis: &i64| maintenant.saturating_sub(*depuis);
        self.ouverts_ms.get(job).map(age).is_some_and(|age| (-duree_ms..duree_ms).contains(&age))
    }

    /// Gives a job a generation id of its own.
    pub(super) async fn nouvelle_generation<K: KeyValueWrite>(
        kv: &K,
        job: &str,
        maintenant: i64,
    ) -> Result<String, StoreError> {
        Self::attribuer(kv, job, EtatRegistre::EnCours, maintenant, false).await
    }

    /// Gives a pull a prefix that was never used, so that what it writes there can be deleted.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn nouveau_prefixe<K: KeyValueWrite>(
        kv: &K,
        job: &str,
        etat: EtatRegistre,
        maintenant: i64,
    ) -> Result<String, StoreError> {
        Self::attribuer(kv, job, etat, maintenant, true).await
    }

    async fn attribuer<K: KeyValueWrite>(
        kv: &K,
        job: &str,
        etat: EtatRegistre,
        maintenant: i64,
        collecte: bool,
    ) -> Result<String, StoreError> {
        let attribue = Self::changer(kv, |registre| {
            if registre.generations.len() >= PREFIXES_MAX {
                return None;
            }
            registre.dernier += 1;
            let id = format!("g{}", registre.dernier);
            registre.generations.push(Generation {
                id: id.clone(),
                job: job.to_owned(),
                etat,
                depuis_ms: maintenant,
                temporaires: etat == EtatRegistre::EnCours,
                collecte,
            });
            Some(id)
        });
        attribue.await?.ok_or_else(|| StoreError::TooLarge("le registre, sans ménage,".into(), PREFIXES_MAX * 150))
    }

    /// Whether readers may follow the pointer to a generation, now or on a rollback.
    pub(super) async fn est_servie<K: KeyValueWrite>(kv: &K, generation: &str) -> Result<bool, StoreError> {
        Ok(Self::servies(kv).await?.unwrap_or_default().iter().any(|g| g == generation))
    }

    /// The generations that the pointer names; `None` where it cannot be read.
    async fn servies<K: KeyValueWrite>(kv: &K) -> Result<Option<Vec<String>>, StoreError> {
        match Served::read(kv).await {
            Ok(None) => Ok(Some(Vec::new())),
            Ok(Some(Served { pointer, .. })) => {
                let before = pointer.precedent.map(|before| before.generation);
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

    /// An ended job: its parts may go, and every generation it began unless it is served.
    pub(super) async fn solder<K: KeyValueWrite>(kv: &K, job: &str, maintenant: i64) -> Result<(), StoreError> {
        // A pointer that cannot be read names nothing here; the housekeeping deletes nothing while it is so.
        let servies = Self::servies(kv).await?.unwrap_or_default();
        Self::changer(kv, |registre| {
            let siennes = registre.generations.iter_mut().filter(|g| g.job == job && !g.collecte);
            for g in siennes.filter(|g| g.etat == EtatRegistre::EnCours) {
                if servies.contains(&g.id) {
                    g.etat = EtatRegistre::Publiee;
                } else {
                    (g.etat, g.depuis_ms) = (EtatRegistre::AEffacer, maintenant);
                }
            }
            registre.jobs.retain(|j| j != job);
            registre.ouverts_ms.remove(job);
            if !registre.a_effacer.iter().any(|(j, _)| j == job) {
                registre.a_effacer.push((job.to_owned(), 0));
            }
        })
        .await
    }

    /// Lets go of the prefixes of pulls, those of killed steps too: `devenir` says what becomes of one, `None` to leave it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn trier_collecte<K: KeyValueWrite>(
        kv: &K,
        maintenant: i64,
        devenir: impl Fn(&Generation) -> Option<EtatRegistre>,
    ) -> Result<(), StoreError> {
        Self::changer(kv, |registre| {
            for g in &mut registre.generations {
                match devenir(g).filter(|etat| *etat != g.etat) {
                    Some(EtatRegistre::AEffacer) => (g.etat, g.depuis_ms) = (EtatRegistre::AEffacer, maintenant),
                    Some(etat) => (g.etat, g.temporaires) = (etat, false),
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
    async fn lire<K: KeyValueWrite>(kv: &K, maintenant: i64) -> Result<(Self, Vec<u8>), StoreError> {
        // A lost or unreadable lease is a free one. Its number must never come again: what attempts write lies under it,
        // and there are far fewer of them than milliseconds.
        let libre = || Self { numero: u64::try_from(maintenant).unwrap_or(0), job: String::new(), jusque_ms: 0 };
        let bytes = match kv.get(cle::LEASE).await? {
            Some(bytes) => bytes,
            None => {
                let bytes = serde_json::to_vec(&libre()).unwrap_or_default();
                kv.set(cle::LEASE, bytes.clone()).await?;
                bytes
            }
        };
        Ok((serde_json::from_slice(&bytes).unwrap_or_else(|_| libre()), bytes))
    }

    /// Takes the lease for a job, with a fencing number of its own. The same job may always take
    /// it again: its record is swapped too, so a slower twin of its own cannot go on.
    ///
    /// # Errors
    /// [`PublicationError::Busy`] where another job holds it, else those of the store.
    pub async fn prendre<K: KeyValueWrite>(kv: &K, job: &str, maintenant: i64) -> Result<Self, PublicationError> {
        let (bail, bytes) = Self::lire(kv, maintenant).await?;
        // One that ends later than any lease taken now could is that of a clock that has been put right since.
        let fini = bail.jusque_ms < maintenant || bail.jusque_ms > maintenant.saturating_add(2 * BAIL_MS);
        if !(bail.job.is_empty() || bail.job == job || fini) {
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
        Ok(Self::lire(kv, 0).await?.0.numero == self.numero)
    }

    /// Gives it back, unless someone else has taken it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn rendre<K: KeyValueWrite>(self, kv: &K) -> Result<(), StoreError> {
        let (bail, bytes) = Self::lire(kv, 0).await?;
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
/// minutes ago or were given up, and the parts of ended jobs. Ends jobs whose record is lost, or that have waited too
/// long. `true` while there is more to do now.
///
/// What cannot be read is let go: it is in nobody's way.
///
/// # Errors
/// Those of the store.
pub async fn menage<K: KeyValueWrite, E: Environnement>(kv: &K, env: &E) -> Result<bool, StoreError> {
    let registre = Registre::lire(kv).await?;
    let maintenant = env.maintenant_ms();
    let limite = EFFACEMENTS.min(LOTS_EFFACES.saturating_mul(env.lot().max(1)));
    if let Some((job, partie)) = registre.a_effacer.first().cloned() {
        let depot = Depot::new(kv, &job, env.lot());
        let suite = match depot.effacer(partie, limite).await {
            Err(StoreError::Damaged(quoi)) => {
                eprintln!("housekeeping: {quoi} cannot be read, part {partie} of {job} is let go");
                depot.oublier(partie).await?;
                Some(partie + 1)
            }
            suite => suite?,
        };
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
    if registre.generations.iter().any(|g| a_effacer(g, maintenant) || g.temporaires)
        && let Some(servies) = Registre::servies(kv).await?
        && effacer_une(kv, env, &registre, &servies, limite).await?
    {
        return Ok(true);
    }
    for id in &registre.jobs {
        let fini = match Job::chercher(kv, &registre, id, maintenant).await? {
            Fiche::EnOuverture => false,
            Fiche::Perdue(_) => {
                Registre::solder(kv, id, maintenant).await?;
                true
            }
            Fiche::Lue(job, avant) => match job.expirer(kv, &avant, maintenant).await {
                Ok(fini) => fini,
                Err(PublicationError::Store(erreur)) => return Err(erreur),
                // Somebody just took it up again.
                Err(_) => false,
            },
        };
        if fini {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the time of a prefix has come. One that left the pointer in the future did so by a wrong clock: it is due like
/// one of just now, once that is written down.
fn a_effacer(g: &Generation, maintenant: i64) -> bool {
    g.etat == EtatRegistre::AEffacer
        && (g.depuis_ms.saturating_add(DELAI_EFFACEMENT_MS) <= maintenant || g.depuis_ms > maintenant)
}

/// Deletes a share of one prefix, or of what its making needed.
async fn effacer_une<K: KeyValueWrite, E: Environnement>(
    kv: &K,
    env: &E,
    registre: &Registre,
    servies: &[String],
    limite: usize,
) -> Result<bool, StoreError> {
    let maintenant = env.maintenant_ms();
    let noter = async |id: &str, change: &dyn Fn(&mut Generation)| {
        Registre::changer(kv, |registre| registre.generations.iter_mut().filter(|g| g.id == id).for_each(change)).await
    };
    if let Some(generation) = registre.generations.iter().find(|g| a_effacer(g, maintenant)) {
        let id = generation.id.as_str();
        if servies.iter().any(|s| s == id) {
            // Nothing that the pointer names is ever deleted, whatever the registry says.
            noter(id, &|g| g.etat = EtatRegistre::Publiee).await?;
        } else if generation.depuis_ms > maintenant {
            noter(id, &|g| g.depuis_ms = maintenant).await?;
        } else if effacer_ou_oublier(kv, env, id, limite, |_| true).await? {
            Registre::changer(kv, |registre| registre.generations.retain(|g| g.id != id)).await?;
        }
        return Ok(true);
    }
    if let Some(generation) = registre.generations.iter().find(|g| g.etat == EtatRegistre::Publiee && g.temporaires) {
        if effacer_ou_oublier(kv, env, &generation.id, limite, est_temporaire).await? {
            noter(&generation.id, &|g| g.temporaires = false).await?;
        }
        return Ok(true);
    }
    Ok(false)
}

async fn effacer_ou_oublier<K: KeyValueWrite, E: Environnement>(
    kv: &K,
    env: &E,
    prefixe: &str,
    limite: usize,
    choix: impl Fn(&str) -> bool,
) -> Result<bool, StoreError> {
    match effacer(kv, prefixe, env.lot(), limite, choix).await {
        Err(StoreError::Damaged(quoi)) => {
            eprintln!("housekeeping: {quoi} cannot be read, what lies under {prefixe} is let go");
            oublier(kv, prefixe).await?;
            Ok(true)
        }
        fait => fait,
    }
}
