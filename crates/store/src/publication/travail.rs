//! A job: what was asked for, where it stands, what came of it.

use super::depot::{PartInfo, Refus};
use super::registre::{Registre, Served};
use crate::kv::{KeyValueWrite, StoreError};
use crate::pointeur::MillesimesEnVigueur;
use domain::declaree::CHAMP_MAILLE;
use domain::{Document, Filiere, Kind, Univers};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Jobs open at once, at most.
const OUVERTS_MAX: usize = 20;

/// What cannot be done now, and what the caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicationError {
    /// No such job: it was never opened, or its time is over.
    #[error("le travail {0} n'existe pas ou n'existe plus")]
    UnknownJob(String),
    /// Someone else publishes: try again later.
    #[error("une autre publication est en cours ({job}) ; réessayer dans {secondes} s")]
    Busy {
        /// Who holds the lease.
        job: String,
        /// When it ends at the latest.
        secondes: i64,
    },
    /// Another call advanced the same job at the same time; this one changed nothing.
    #[error("un autre appel fait avancer le même travail")]
    Overtaken,
    /// The call does not fit where the job stands.
    #[error("{0}")]
    Refused(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether a push replaces or adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// What is published of the declared kinds and millesimes goes, what is pushed comes.
    #[default]
    Remplacer,
    /// What is pushed comes, or takes the place of the document of the same key.
    Ajouter,
}

/// How a job is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ouverture {
    /// Replace or add.
    #[serde(default)]
    pub mode: Mode,
    /// The kinds that are replaced; empty: all.
    #[serde(default)]
    pub kinds: Vec<Kind>,
    /// The millesimes that are replaced; empty: all.
    #[serde(default)]
    pub millesimes: Vec<String>,
    /// The declared mailles that are replaced. With them, kinds that are not named stay; without
    /// them, the kind `statistique` stands for all declared mailles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mailles: Vec<String>,
    /// What is replaced, to the point, where kinds and millesimes alone would take too much with
    /// them: used instead of the two above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub perimetre: Vec<Perimetre>,
}

/// Documents that a push replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Perimetre {
    /// Their kind.
    pub kind: Kind,
    /// Secondary or higher education; without it: both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub univers: Option<Univers>,
    /// Their millesimes; empty: all.
    #[serde(default)]
    pub millesimes: Vec<String>,
}

impl Ouverture {
    /// Whether a document in use goes, to make place for what is pushed.
    pub(super) fn remplace(&self, kind: Kind, document: Option<&Document>) -> bool {
        let texte = |champ: &str| document.and_then(|d| d.get(champ)).and_then(|v| v.as_str()).unwrap_or_default();
        let parmi = |millesimes: &[String]| {
            document.is_none() || millesimes.is_empty() || millesimes.iter().any(|m| m == texte("millesime"))
        };
        if self.mode == Mode::Ajouter {
            return false;
        }
        if self.perimetre.is_empty() {
            let nomme = match (kind, self.mailles.as_slice()) {
                (_, []) => self.kinds.is_empty() || self.kinds.contains(&kind),
                (Kind::Statistique, mailles) => mailles.iter().any(|m| m == texte(CHAMP_MAILLE)),
                (_, [_, ..]) => self.kinds.contains(&kind),
            };
            return nomme && parmi(&self.millesimes);
        }
        let univers = Filiere::parse(texte("filiere")).map(Filiere::univers);
        self.perimetre
            .iter()
            .any(|p| p.kind == kind && (p.univers.is_none() || p.univers == univers) && parmi(&p.millesimes))
    }
}

/// How a publication is started or goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consigne {
    /// How many parts were sent, numbered from 0.
    #[serde(default)]
    pub parties: usize,
    /// Publish in spite of refused lines.
    #[serde(default)]
    pub accepter_refus: bool,
    /// Publish although a maille and millesime loses more than 10 % of its documents.
    #[serde(default)]
    pub confirmer_pertes: bool,
    /// The latest millesimes to put in force, where they are not to be read off the data.
    #[serde(default)]
    pub millesimes: Option<MillesimesEnVigueur>,
}

/// Where a job stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Etape {
    /// Parts come in.
    #[default]
    Depot,
    /// Documents are spread over partitions.
    Repartir,
    /// Bundles are built.
    Construire,
    /// Lists are built.
    Lister,
    /// Bundles of counts are built.
    Compter,
    /// The search index is built.
    Indexer,
    /// What was written is read again.
    Verifier,
    /// More than 10 % of a maille and millesime would be lost: someone must confirm.
    AttendreConfirmation,
    /// The pointer moves.
    Basculer,
    /// Served.
    Publie,
    /// The data is what is served already: no new generation.
    Inchange,
    /// Given up.
    Abandonne,
    /// Failed for good.
    Echec,
}

impl Etape {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn est_finale(&self) -> bool {
        matches!(self, Self::Publie | Self::Inchange | Self::Abandonne | Self::Echec)
    }
}

/// Documents by maille, millesime and provenance: `effectifs["formations"]["2022_2023"]["self"]`.
pub type Effectifs = BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>>;

/// What came of a job. It names fields and reasons, never an indicator's value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bilan {
    /// Lines accepted, by kind.
    pub lignes: BTreeMap<String, u64>,
    /// Lines refused.
    pub lignes_refusees: u64,
    /// The first of them.
    pub refus: Vec<Refus>,
    /// Fields kept out, and how often.
    pub champs_inconnus: BTreeMap<String, u64>,
    /// Documents carried over from the generation in use.
    pub reprises: u64,
    /// Documents published, by maille, millesime and provenance.
    pub documents: Effectifs,
    /// Documents whose figures are hidden by the threshold, by maille.
    pub sous_seuil: BTreeMap<String, u64>,
    /// What a maille and millesime loses: `formations 2022_2023: 1200 → 900`.
    pub pertes: Vec<String>,
    /// Digest of the published documents, in hexadecimal.
    pub digest: String,
    /// Values written.
    pub ecritures: u64,
    /// Time spent in steps, in milliseconds.
    pub duree_ms: u64,
    /// Why it failed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echec: Option<String>,
}

impl Bilan {
    /// Adds what is known of a staged part.
    pub fn ajouter(&mut self, info: &PartInfo) {
        for (kind, n) in &info.lignes {
            *self.lignes.entry(kind.clone()).or_default() += n;
        }
        self.lignes_refusees += info.refusees;
        let place = 200usize.saturating_sub(self.refus.len());
        self.refus.extend(info.refus.iter().take(place).cloned());
        for (champ, n) in &info.champs_inconnus {
            *self.champs_inconnus.entry(champ.clone()).or_default() += n;
        }
    }
}

/// The record of a job. What its steps need besides lies in values of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id, the prefix of its parts.
    pub id: String,
    /// When it was opened, in milliseconds since 1970.
    pub ouvert_ms: i64,
    /// When it ended.
    #[serde(default)]
    pub fini_ms: Option<i64>,
    /// How it was opened.
    pub ouverture: Ouverture,
    /// How it is to be published.
    pub consigne: Consigne,
    /// Where it stands.
    pub etape: Etape,
    /// Progress inside the step: done, of.
    pub avancement: (usize, usize),
    /// The generation it writes.
    #[serde(default)]
    pub generation: Option<String>,
    /// Where the state of its steps lies: fencing number, number of the first value, how many.
    #[serde(default)]
    pub(super) etat: Option<(u64, usize, usize)>,
    /// What came of it.
    pub bilan: Bilan,
}

fn cle_job(id: &str) -> String {
    format!("work:job:{id}")
}

impl Job {
    /// The record, and its bytes for the swap that changes it.
    pub(super) async fn lire<K: KeyValueWrite>(kv: &K, id: &str) -> Result<(Self, Vec<u8>), PublicationError> {
        let inconnu = || PublicationError::UnknownJob(id.to_owned());
        if id.is_empty() || id.len() > 60 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(inconnu());
        }
        let bytes = kv.get(&cle_job(id)).await?.ok_or_else(inconnu)?;
        let job = serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged(cle_job(id)))?;
        Ok((job, bytes))
    }

    /// Where a job stands.
    ///
    /// # Errors
    /// [`PublicationError::UnknownJob`], or those of the store.
    pub async fn consulter<K: KeyValueWrite>(kv: &K, id: &str) -> Result<Self, PublicationError> {
        Ok(Self::lire(kv, id).await?.0)
    }

    /// Writes the record if nobody else has since it was read.
    pub(super) async fn ecrire<K: KeyValueWrite>(&self, kv: &K, avant: &[u8]) -> Result<Vec<u8>, PublicationError> {
        let nouveau = serde_json::to_vec(self).unwrap_or_default();
        if nouveau == avant || kv.swap(&cle_job(&self.id), avant, nouveau.clone()).await? {
            Ok(nouveau)
        } else {
            Err(PublicationError::Overtaken)
        }
    }

    pub(super) async fn effacer<K: KeyValueWrite>(kv: &K, id: &str) -> Result<(), StoreError> {
        kv.delete_many(vec![cle_job(id)]).await
    }

    /// Gives a job up; what it wrote is deleted in the background. Nothing that is served changes.
    ///
    /// # Errors
    /// [`PublicationError::Refused`] where it has ended already.
    pub async fn abandonner<K: KeyValueWrite>(kv: &K, id: &str, maintenant: i64) -> Result<Self, PublicationError> {
        let (mut job, avant) = Self::lire(kv, id).await?;
        if job.etape.est_finale() {
            return Err(PublicationError::Refused("le travail est terminé : il n'y a rien à abandonner".into()));
        }
        job.etape = Etape::Abandonne;
        job.fini_ms = Some(maintenant);
        job.ecrire(kv, &avant).await?;
        if let Some(generation) = &job.generation {
            Registre::abandonner(kv, generation, maintenant).await?;
        }
        Registre::clore(kv, id).await?;
        Ok(job)
    }

    /// Says how the job is to be published, and lets its steps begin or go on.
    ///
    /// # Errors
    /// [`PublicationError::Refused`] where parts are missing or lines were refused and not
    /// accepted so.
    pub async fn publier<K: KeyValueWrite>(
        kv: &K,
        id: &str,
        consigne: Consigne,
        maintenant: i64,
    ) -> Result<Self, PublicationError> {
        let (mut job, avant) = Self::lire(kv, id).await?;
        match job.etape {
            Etape::Depot => {}
            Etape::AttendreConfirmation if consigne.confirmer_pertes => {
                job.consigne.confirmer_pertes = true;
                job.etape = Etape::Basculer;
                job.ecrire(kv, &avant).await?;
                return Ok(job);
            }
            Etape::AttendreConfirmation => {
                return Err(PublicationError::Refused(format!(
                    "des documents disparaîtraient ({}) : confirmer par \"confirmer_pertes\": true",
                    job.bilan.pertes.join(" ; ")
                )));
            }
            // Asking again for what is under way changes nothing.
            _ if !job.etape.est_finale() => return Ok(job),
            _ => return Err(PublicationError::Refused("le travail est terminé".into())),
        }
        if consigne.parties == 0 {
            return Err(PublicationError::Refused("aucune partie : indiquer \"parties\", leur nombre".into()));
        }
        let depot = super::Depot::new(kv, id, 1);
        let (mut bilan, mut mailles) = (Bilan::default(), BTreeMap::new());
        for partie in 0..consigne.parties {
            let info = depot.info(partie).await?.ok_or_else(|| {
                PublicationError::Refused(format!("la partie {partie} manque sur {}", consigne.parties))
            })?;
            bilan.ajouter(&info);
            for (nom, declaree) in info.mailles {
                if mailles.insert(nom, declaree.clone()).is_some_and(|avant| avant != declaree) {
                    return Err(PublicationError::Refused(format!(
                        "la partie {partie} connaît la maille {} sous une autre déclaration que celles avant elle : la renvoyer",
                        declaree.nom
                    )));
                }
            }
        }
        if bilan.lignes_refusees > 0 && !consigne.accepter_refus {
            let premiers: Vec<String> = bilan
                .refus
                .iter()
                .take(3)
                .map(|r| format!("partie {}, ligne {} : {}", r.partie, r.ligne, r.raison))
                .collect();
            return Err(PublicationError::Refused(format!(
                "{} lignes refusées ; corriger, ou publier malgré tout par \"accepter_refus\": true ({})",
                bilan.lignes_refusees,
                premiers.join(" ; ")
            )));
        }
        job.bilan = bilan;
        job.consigne = consigne;
        job.etape = Etape::Repartir;
        let generation = Registre::nouvelle_generation(kv, id, maintenant).await?;
        job.generation = Some(generation.clone());
        if let Err(erreur) = job.ecrire(kv, &avant).await {
            Registre::abandonner(kv, &generation, maintenant).await?;
            return Err(erreur);
        }
        Ok(job)
    }
}

/// Opens a job under an id that the caller has never used: letters and digits.
///
/// # Errors
/// [`PublicationError::Refused`] where too many are open, those of the store where what is served cannot be read.
pub async fn ouvrir<K: KeyValueWrite>(
    kv: &K,
    id: &str,
    ouverture: Ouverture,
    maintenant: i64,
) -> Result<Job, PublicationError> {
    // Told at once, before anything is sent: over an unreadable pointer nothing can be published.
    Served::read(kv).await?;
    let place = Registre::changer(kv, |registre| {
        let place = registre.jobs.len() < OUVERTS_MAX;
        if place && !registre.jobs.iter().any(|j| j == id) {
            registre.jobs.push(id.to_owned());
        }
        place
    })
    .await?;
    if !place {
        return Err(PublicationError::Refused(format!(
            "{OUVERTS_MAX} travaux sont ouverts : en abandonner un (DELETE)"
        )));
    }
    let job = Job { id: id.to_owned(), ouvert_ms: maintenant, ouverture, ..Job::default() };
    kv.set(&cle_job(id), serde_json::to_vec(&job).unwrap_or_default()).await?;
    Ok(job)
}
