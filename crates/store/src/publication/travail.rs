//! A job: what was asked for, where it stands, what came of it.

use super::depot::{PARTS_MAX, PartInfo, Refus};
use super::registre::{Registre, Served};
use crate::kv::{KeyValueWrite, StoreError};
use crate::pointeur::MillesimesEnVigueur;
use domain::declaree::CHAMP_MAILLE;
use domain::{Document, Filiere, Kind, MailleDeclaree, Univers};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Jobs open at once, at most.
const OUVERTS_MAX: usize = 20;
/// Prefixes and ended jobs that wait for the housekeeping, at most, where a job is opened: what comes after still fits
/// into the value of the registry.
const EN_ATTENTE_MAX: usize = 600;
/// How long a job may wait for a confirmation: 14 days. Then it is given up, and says so.
pub const ATTENTE_MAX_MS: i64 = 14 * 24 * 60 * 60 * 1000;
/// How long parts may come in: a day. A pull opens its job before it asks the services, and has an end of its own.
pub const DEPOT_MAX_MS: i64 = 24 * 60 * 60 * 1000;
/// How long they may where one call opens, stages and publishes: five minutes, ten times what hosts allow a request.
pub const APPEL_MAX_MS: i64 = 5 * 60 * 1000;
/// How long an opening may take between its two writes; a record that is missing then will not come.
const OUVERTURE_MS: i64 = 60_000;
/// Bytes of what a caller says of a job: kinds, millesimes, how to publish.
const DEMANDE_MAX: usize = 64 * 1024;
/// Names of unknown fields kept in a report, and bytes of each.
const CHAMPS_GARDES: usize = 200;
pub(super) const NOM_MAX: usize = 100;
/// Couples of maille, millesime and provenance that a report tells apart; real data has some hundred.
pub(super) const EFFECTIFS_MAX: usize = 2_000;

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
    /// Why it failed or was given up, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echec: Option<String>,
    /// Older pulls that waited for a confirmation, and gave way to this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remplace: Vec<String>,
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
            if self.champs_inconnus.len() < CHAMPS_GARDES || self.champs_inconnus.contains_key(champ) {
                *self.champs_inconnus.entry(champ.clone()).or_default() += n;
            }
        }
    }
}

/// A text cut to so many bytes, at a character.
pub(super) fn court(texte: &str, max: usize) -> &str {
    let fin = texte.char_indices().map(|(debut, c)| debut + c.len_utf8()).take_while(|fin| *fin <= max).last();
    texte.get(..fin.unwrap_or(0)).unwrap_or_default()
}

/// What is known of all parts of a job together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totaux {
    /// How many they are.
    pub parties: usize,
    /// What the report says of them.
    pub bilan: Bilan,
    /// Bytes kept, by kind.
    pub octets: BTreeMap<String, u64>,
    /// The mailles they declare.
    pub mailles: BTreeMap<String, MailleDeclaree>,
}

impl Totaux {
    /// Adds the next part.
    ///
    /// # Errors
    /// [`PublicationError::Refused`] where it declares a maille otherwise than those before it.
    pub fn ajouter(&mut self, info: &PartInfo) -> Result<(), PublicationError> {
        self.bilan.ajouter(info);
        for (kind, n) in &info.octets {
            *self.octets.entry(kind.clone()).or_default() += n;
        }
        for (nom, declaree) in &info.mailles {
            if self.mailles.insert(nom.clone(), declaree.clone()).is_some_and(|avant| avant != *declaree) {
                return Err(PublicationError::Refused(format!(
                    "la partie {} connaît la maille {nom} sous une autre déclaration que celles avant elle : la renvoyer",
                    self.parties
                )));
            }
        }
        self.parties += 1;
        Ok(())
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
    /// Whether a pull opened it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub collecte: bool,
    /// Whether one call opens, stages and publishes it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub en_un_appel: bool,
    /// Since when it waits for a confirmation, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attend_depuis_ms: Option<i64>,
    /// What is known of its parts since its publication was asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) octets: BTreeMap<String, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) mailles: BTreeMap<String, MailleDeclaree>,
    /// What came of it.
    pub bilan: Bilan,
}

/// The record of a job that is registered, as it is found.
pub(super) enum Fiche {
    /// As it should be.
    Lue(Box<Job>, Vec<u8>),
    /// It may still be written: the job is being opened.
    EnOuverture,
    /// It is missing or cannot be read, for this reason: the job has ended.
    Perdue(String),
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

    /// The record of a job that `registre` names; `maintenant` says whether a missing one may still come.
    pub(super) async fn chercher<K: KeyValueWrite>(
        kv: &K,
        registre: &Registre,
        id: &str,
        maintenant: i64,
    ) -> Result<Fiche, StoreError> {
        match Self::lire(kv, id).await {
            Ok((job, bytes)) => Ok(Fiche::Lue(Box::new(job), bytes)),
            Err(PublicationError::Store(StoreError::Unavailable(raison))) => Err(StoreError::Unavailable(raison)),
            Err(PublicationError::UnknownJob(_)) if registre.ouvre_encore(id, maintenant, OUVERTURE_MS) => {
                Ok(Fiche::EnOuverture)
            }
            Err(erreur) => Ok(Fiche::Perdue(perte(&erreur))),
        }
    }

    /// What is told of a job whose record is lost.
    fn perdu(id: &str, raison: String) -> Self {
        let bilan = Bilan { echec: Some(raison), ..Bilan::default() };
        Self { id: id.to_owned(), etape: Etape::Echec, bilan, ..Self::default() }
    }

    /// Where a job stands. One whose record is missing or cannot be read has ended, and says why.
    ///
    /// # Errors
    /// [`PublicationError::UnknownJob`], or those of the store.
    pub async fn consulter<K: KeyValueWrite>(kv: &K, id: &str) -> Result<Self, PublicationError> {
        let erreur = match Self::lire(kv, id).await {
            Ok((job, _)) => return Ok(job),
            Err(erreur) => erreur,
        };
        let perdue =
            matches!(erreur, PublicationError::UnknownJob(_) | PublicationError::Store(StoreError::Damaged(_)));
        if perdue && Registre::lire(kv).await?.nomme(id) {
            return Ok(Self::perdu(id, perte(&erreur)));
        }
        Err(erreur)
    }

    /// Ends a job whose record is missing or cannot be read: what it wrote goes, and nothing waits for it.
    ///
    /// # Errors
    /// That of reading the record where the job is not registered, else those of the store.
    pub(super) async fn finir_perdu<K: KeyValueWrite>(
        kv: &K,
        id: &str,
        erreur: PublicationError,
        maintenant: i64,
    ) -> Result<Self, PublicationError> {
        let registre = Registre::lire(kv).await?;
        if !registre.nomme(id) {
            return Err(erreur);
        }
        match Self::chercher(kv, &registre, id, maintenant).await? {
            Fiche::Lue(job, _) => Ok(*job),
            Fiche::EnOuverture => Err(erreur),
            Fiche::Perdue(raison) => {
                Registre::solder(kv, id, maintenant).await?;
                Ok(Self::perdu(id, raison))
            }
        }
    }

    /// Ends a job for a reason: the record first, then what it leaves. A record that would not fit keeps the reason only.
    pub(super) async fn terminer<K: KeyValueWrite>(
        mut self,
        kv: &K,
        avant: &[u8],
        etape: Etape,
        raison: Option<String>,
        maintenant: i64,
    ) -> Result<Self, PublicationError> {
        self.etape = etape;
        self.fini_ms = Some(maintenant);
        if raison.is_some() {
            self.bilan.echec = raison;
        }
        match self.ecrire(kv, avant).await {
            Err(PublicationError::Store(StoreError::TooLarge(..))) => {
                let echec = self.bilan.echec.as_deref().map(|r| court(r, 1_000).to_owned());
                self.bilan = Bilan { echec, ..Bilan::default() };
                (self.consigne, self.ouverture) = Default::default();
                (self.octets, self.mailles) = Default::default();
                self.ecrire(kv, avant).await?
            }
            ecrit => ecrit?,
        };
        Registre::solder(kv, &self.id, maintenant).await?;
        Ok(self)
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
        let termine = || PublicationError::Refused("le travail est terminé : il n'y a rien à abandonner".into());
        let (job, avant) = match Self::lire(kv, id).await {
            Ok(lue) => lue,
            Err(PublicationError::Store(StoreError::Unavailable(raison))) => {
                return Err(StoreError::Unavailable(raison).into());
            }
            Err(erreur) => return Self::finir_perdu(kv, id, erreur, maintenant).await,
        };
        if job.etape.est_finale() {
            return Err(termine());
        }
        if let Some(generation) = &job.generation
            && Registre::est_servie(kv, generation).await?
        {
            // Killed between the pointer and its record: what is served is not given up.
            job.terminer(kv, &avant, Etape::Publie, None, maintenant).await?;
            return Err(termine());
        }
        job.terminer(kv, &avant, Etape::Abandonne, None, maintenant).await
    }

    /// Gives up the pulls that wait for a confirmation: a newer one takes their place. Their ids.
    async fn remplacer_les_attentes<K: KeyValueWrite>(
        kv: &K,
        id: &str,
        maintenant: i64,
    ) -> Result<Vec<String>, PublicationError> {
        let registre = Registre::lire(kv).await?;
        let mut remplaces = Vec::new();
        for autre in registre.jobs.iter().filter(|j| *j != id) {
            if let Fiche::Lue(job, avant) = Self::chercher(kv, &registre, autre, maintenant).await?
                && job.collecte
                && job.etape == Etape::AttendreConfirmation
            {
                let raison = Some(format!("elle attendait une confirmation : la collecte {id} l'a remplacée"));
                match job.terminer(kv, &avant, Etape::Abandonne, raison, maintenant).await {
                    // Confirmed at this very moment: it goes on.
                    Err(PublicationError::Overtaken) => {}
                    autre_fin => {
                        autre_fin?;
                        remplaces.push(autre.clone());
                    }
                }
            }
        }
        Ok(remplaces)
    }

    /// Ends a job that has waited too long to be published or confirmed: `true` where it did.
    pub(super) async fn expirer<K: KeyValueWrite>(
        self,
        kv: &K,
        avant: &[u8],
        maintenant: i64,
    ) -> Result<bool, PublicationError> {
        let (depuis, max, quoi) = match self.etape {
            Etape::Depot if self.collecte => (self.ouvert_ms, ATTENTE_MAX_MS, "sans publication"),
            Etape::Depot if self.en_un_appel => {
                (self.ouvert_ms, APPEL_MAX_MS, "son appel s'est interrompu : sans publication")
            }
            Etape::Depot => (self.ouvert_ms, DEPOT_MAX_MS, "sans publication"),
            Etape::AttendreConfirmation => {
                (self.attend_depuis_ms.unwrap_or(self.ouvert_ms), ATTENTE_MAX_MS, "sans confirmation")
            }
            _ => return Ok(false),
        };
        if maintenant.saturating_sub(depuis) <= max {
            return Ok(false);
        }
        let duree = if max >= 2 * DEPOT_MAX_MS {
            format!("{} jours", max / DEPOT_MAX_MS)
        } else if max >= 3_600_000 {
            format!("{} heures", max / 3_600_000)
        } else {
            format!("{} minutes", max / 60_000)
        };
        let raison = format!("{quoi} depuis plus de {duree} : le travail est abandonné");
        self.terminer(kv, avant, Etape::Abandonne, Some(raison), maintenant).await?;
        Ok(true)
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
        let refus = |texte: String| Err(PublicationError::Refused(texte));
        let (mut job, avant) = Self::lire_pour_publier(kv, id, maintenant).await?;
        match job.etape {
            Etape::Depot => {}
            Etape::AttendreConfirmation if consigne.confirmer_pertes => {
                job.consigne.confirmer_pertes = true;
                job.etape = Etape::Basculer;
                job.ecrire(kv, &avant).await?;
                return Ok(job);
            }
            Etape::AttendreConfirmation => {
                return refus(format!(
                    "des documents disparaîtraient ({}) : confirmer par \"confirmer_pertes\": true",
                    job.bilan.pertes.join(" ; ")
                ));
            }
            // Asking again for what is under way changes nothing.
            _ if !job.etape.est_finale() => return Ok(job),
            _ => return refus(job.fin()),
        }
        if consigne.parties == 0 {
            return refus("aucune partie : indiquer \"parties\", leur nombre".into());
        }
        if consigne.parties > PARTS_MAX {
            return refus(format!("{PARTS_MAX} parties au plus"));
        }
        if let Some(faux) = consigne.millesimes.as_ref().and_then(MillesimesEnVigueur::illisible) {
            return refus(format!("millesimes : « {} » n'est ni une année ni une période", court(faux, NOM_MAX)));
        }
        let depot = super::Depot::new(kv, id, 1);
        let mut totaux = Totaux::default();
        for partie in 0..consigne.parties {
            let info = depot.info(partie).await?.ok_or_else(|| {
                PublicationError::Refused(format!("la partie {partie} manque sur {}", consigne.parties))
            })?;
            totaux.ajouter(&info)?;
        }
        let bilan = &totaux.bilan;
        if bilan.lignes_refusees > 0 && !consigne.accepter_refus {
            let premiers: Vec<String> = bilan
                .refus
                .iter()
                .take(3)
                .map(|r| format!("partie {}, ligne {} : {}", r.partie, r.ligne, r.raison))
                .collect();
            return refus(format!(
                "{} lignes refusées ; corriger, ou publier malgré tout par \"accepter_refus\": true ({})",
                bilan.lignes_refusees,
                premiers.join(" ; ")
            ));
        }
        job.commencer(kv, &avant, consigne, totaux, maintenant).await
    }

    /// Lets the publication of a pull begin: it knows its parts, none is read again. Older pulls that wait for a
    /// confirmation give way.
    ///
    /// # Errors
    /// [`PublicationError::Refused`] where the job has ended, else those of the store.
    pub async fn publier_collecte<K: KeyValueWrite>(
        kv: &K,
        id: &str,
        totaux: Totaux,
        maintenant: i64,
    ) -> Result<Self, PublicationError> {
        let (job, avant) = Self::lire_pour_publier(kv, id, maintenant).await?;
        match job.etape {
            Etape::Depot => {}
            // Killed before the pull wrote that it has done its part.
            Etape::Publie | Etape::Inchange => return Ok(job),
            _ if !job.etape.est_finale() => return Ok(job),
            _ => return Err(PublicationError::Refused(job.fin())),
        }
        let mut totaux = totaux;
        totaux.bilan.remplace = Self::remplacer_les_attentes(kv, id, maintenant).await?;
        // Refused lines are in the report; losses wait for a confirmation.
        let consigne = Consigne { parties: totaux.parties, accepter_refus: true, ..Consigne::default() };
        job.commencer(kv, &avant, consigne, totaux, maintenant).await
    }

    async fn lire_pour_publier<K: KeyValueWrite>(
        kv: &K,
        id: &str,
        maintenant: i64,
    ) -> Result<(Self, Vec<u8>), PublicationError> {
        match Self::lire(kv, id).await {
            Ok((job, avant)) if !job.etape.est_finale() && !Registre::lire(kv).await?.jobs.iter().any(|j| j == id) => {
                let raison = Some("le travail n'est plus inscrit au registre".to_owned());
                Ok((job.terminer(kv, &avant, Etape::Echec, raison, maintenant).await?, Vec::new()))
            }
            Err(PublicationError::Store(StoreError::Unavailable(raison))) => {
                Err(StoreError::Unavailable(raison).into())
            }
            Err(erreur) => Ok((Self::finir_perdu(kv, id, erreur, maintenant).await?, Vec::new())),
            lue => lue,
        }
    }

    /// How it ended, for who wants it to go on.
    fn fin(&self) -> String {
        let raison = self.bilan.echec.as_ref().map(|r| format!(" : {r}")).unwrap_or_default();
        format!("le travail est terminé{raison}")
    }

    async fn commencer<K: KeyValueWrite>(
        mut self,
        kv: &K,
        avant: &[u8],
        consigne: Consigne,
        totaux: Totaux,
        maintenant: i64,
    ) -> Result<Self, PublicationError> {
        self.bilan = totaux.bilan;
        self.octets = totaux.octets;
        self.mailles = totaux.mailles;
        self.consigne = consigne;
        self.etape = Etape::Repartir;
        let generation = Registre::nouvelle_generation(kv, &self.id, maintenant).await?;
        self.generation = Some(generation.clone());
        if let Err(erreur) = self.ecrire(kv, avant).await {
            Registre::abandonner(kv, &generation, maintenant).await?;
            return Err(erreur);
        }
        Ok(self)
    }
}

/// Why a record is lost, in words.
fn perte(erreur: &PublicationError) -> String {
    match erreur {
        PublicationError::UnknownJob(_) => "son enregistrement manque : l'ouverture s'est interrompue".into(),
        _ => "son enregistrement est illisible".into(),
    }
}

/// Opens a job under an id that the caller has never used: letters and digits.
///
/// It is registered first, and its record written after: killed in between, it has ended ([`Job::consulter`]).
///
/// # Errors
/// [`PublicationError::Refused`] where too many are open, those of the store where what is served cannot be read.
pub async fn ouvrir<K: KeyValueWrite>(
    kv: &K,
    id: &str,
    ouverture: Ouverture,
    maintenant: i64,
) -> Result<Job, PublicationError> {
    inscrire(kv, Job { id: id.to_owned(), ouvert_ms: maintenant, ouverture, ..Job::default() }).await
}

/// Opens a job that the same call stages and publishes: killed in between, nobody knows its id.
///
/// # Errors
/// As [`ouvrir`].
pub async fn ouvrir_en_un_appel<K: KeyValueWrite>(
    kv: &K,
    id: &str,
    ouverture: Ouverture,
    maintenant: i64,
) -> Result<Job, PublicationError> {
    inscrire(kv, Job { id: id.to_owned(), ouvert_ms: maintenant, ouverture, en_un_appel: true, ..Job::default() }).await
}

/// Opens the job that publishes a pull.
///
/// # Errors
/// As [`ouvrir`].
pub async fn ouvrir_collecte<K: KeyValueWrite>(
    kv: &K,
    id: &str,
    ouverture: Ouverture,
    maintenant: i64,
) -> Result<Job, PublicationError> {
    inscrire(kv, Job { id: id.to_owned(), ouvert_ms: maintenant, ouverture, collecte: true, ..Job::default() }).await
}

async fn inscrire<K: KeyValueWrite>(kv: &K, job: Job) -> Result<Job, PublicationError> {
    // Told at once, before anything is sent: over an unreadable pointer nothing can be published.
    Served::read(kv).await?;
    let refus = |texte: String| Err(PublicationError::Refused(texte));
    let record = serde_json::to_vec(&job).unwrap_or_default();
    if record.len() > DEMANDE_MAX {
        return refus(format!("l'ouverture dépasse {} Kio", DEMANDE_MAX / 1024));
    }
    let place = Registre::changer(kv, |registre| {
        if registre.jobs.contains(&job.id) {
            return Ok(());
        }
        if registre.jobs.len() >= OUVERTS_MAX {
            return Err(format!("{OUVERTS_MAX} travaux sont ouverts : en abandonner un (DELETE)"));
        }
        if registre.generations.len() + registre.a_effacer.len() >= EN_ATTENTE_MAX {
            return Err("le ménage est en retard : appeler POST /internal/import/run jusqu'à ce qu'il soit fait".into());
        }
        registre.jobs.push(job.id.clone());
        registre.ouverts_ms.insert(job.id.clone(), job.ouvert_ms);
        Ok(())
    })
    .await?;
    if let Err(raison) = place {
        return refus(raison);
    }
    kv.set(&cle_job(&job.id), record).await?;
    Ok(job)
}
