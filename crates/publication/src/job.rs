//! A job: what was asked for, where it stands, what came of it.

use crate::error::PublicationError;
use crate::opening::{Opening, PublicationOptions};
use crate::registry::{Registry, Served};
use crate::short::{NAME_MAX, short};
use crate::staging::{PARTS_MAX, Staging};
use crate::summary::{JobSummary, Totals};
use domain::DeclaredMaille;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::frame;
use store::kv::{KeyValue, KeyValueWrite, StoreError};
use store::pointer::MillesimesInForce;

/// Jobs open at once, at most.
const OPEN_MAX: usize = 20;
/// Prefixes and ended jobs that wait for the housekeeping, at most, where a job is opened: what comes after still fits
/// into the value of the registry.
const WAITING_MAX: usize = 600;
/// How long a job may wait for a confirmation: 14 days. Then it is given up, and says so.
pub const WAIT_MAX_MS: i64 = 14 * 24 * 60 * 60 * 1000;
/// How long parts may come in: a day. A pull opens its job before it asks the services, and has an end of its own.
pub const STAGING_MAX_MS: i64 = 24 * 60 * 60 * 1000;
/// How long they may where one call opens, stages and publishes: five minutes, ten times what hosts allow a request.
pub const CALL_MAX_MS: i64 = 5 * 60 * 1000;
/// How long an opening may take between its two writes; a record that is missing then will not come.
const OPENING_MS: i64 = 60_000;
/// Bytes of what a caller says of a job: kinds, millesimes, how to publish.
const DEMAND_MAX: usize = 64 * 1024;
/// Couples of maille, millesime and provenance that a report tells apart; real data has some hundred.
pub(super) const HEADCOUNTS_MAX: usize = 2_000;

/// Where a job stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStep {
    /// Parts come in.
    #[default]
    #[serde(rename = "depot")]
    Staging,
    /// Documents are spread over partitions.
    #[serde(rename = "repartir")]
    Distribute,
    /// Statistics are withheld from which those of a small group would follow.
    #[serde(rename = "proteger")]
    Protect,
    /// Bundles are built.
    #[serde(rename = "construire")]
    Build,
    /// Lists are built.
    #[serde(rename = "lister")]
    List,
    /// Bundles of counts are built.
    #[serde(rename = "compter")]
    Count,
    /// The search index is built.
    #[serde(rename = "indexer")]
    Index,
    /// What the matching of catalogues looks up is packed.
    #[serde(rename = "apparier")]
    Match,
    /// What was written is read again.
    #[serde(rename = "verifier")]
    Verify,
    /// More than 10 % of a maille and millesime would be lost: someone must confirm.
    #[serde(rename = "attendre_confirmation")]
    AwaitConfirmation,
    /// All is written: someone is to look at it and sign.
    #[serde(rename = "attendre_validation")]
    AwaitSignOff,
    /// The pointer moves.
    #[serde(rename = "basculer")]
    Switch,
    /// Served.
    #[serde(rename = "publie")]
    Published,
    /// The data is what is served already: no new generation.
    #[serde(rename = "inchange")]
    Unchanged,
    /// Everything was done but the switch, as it was asked for.
    #[serde(rename = "verifie")]
    Verified,
    /// Given up.
    #[serde(rename = "abandonne")]
    GivenUp,
    /// Failed for good.
    #[serde(rename = "echec")]
    Failed,
}

impl JobStep {
    /// Whether what a step needed, and no later one, is read no more.
    pub(super) fn is_after(self, step: Self) -> bool {
        const ORDER: [JobStep; 9] = [
            JobStep::Distribute,
            JobStep::Protect,
            JobStep::Build,
            JobStep::List,
            JobStep::Count,
            JobStep::Index,
            JobStep::Match,
            JobStep::Verify,
            JobStep::Switch,
        ];
        let rank = |step: Self| ORDER.iter().position(|other| *other == step);
        rank(self).zip(rank(step)).is_some_and(|(this, other)| this > other)
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Published | Self::Unchanged | Self::Verified | Self::GivenUp | Self::Failed)
    }

    /// Whether it goes on only once someone says so.
    #[must_use]
    pub fn awaits_someone(&self) -> bool {
        matches!(self, Self::AwaitConfirmation | Self::AwaitSignOff)
    }
}

/// The record of a job. What its steps need besides lies in values of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id, the prefix of its parts.
    pub id: String,
    /// When it was opened, in milliseconds since 1970.
    #[serde(rename = "ouvert_ms")]
    pub opened_ms: i64,
    /// When it ended.
    #[serde(rename = "fini_ms", default)]
    pub ended_ms: Option<i64>,
    /// How it was opened.
    #[serde(rename = "ouverture")]
    pub opening: Opening,
    /// How it is to be published.
    #[serde(rename = "consigne")]
    pub options: PublicationOptions,
    /// Where it stands.
    #[serde(rename = "etape")]
    pub step: JobStep,
    /// Progress inside the step: done, of.
    #[serde(rename = "avancement")]
    pub progress: (usize, usize),
    /// The generation it writes.
    #[serde(default)]
    pub generation: Option<String>,
    /// Where the state of its steps lies: fencing number, number of the first value, how many.
    #[serde(rename = "etat", default)]
    pub(super) state: Option<(u64, usize, usize)>,
    /// Whether a pull opened it.
    #[serde(rename = "collecte", default, skip_serializing_if = "std::ops::Not::not")]
    pub run: bool,
    /// Whether one call opens, stages and publishes it.
    #[serde(rename = "en_un_appel", default, skip_serializing_if = "std::ops::Not::not")]
    pub in_one_call: bool,
    /// Since when it waits for a confirmation, in milliseconds since 1970.
    #[serde(rename = "attend_depuis_ms", default, skip_serializing_if = "Option::is_none")]
    pub waits_since_ms: Option<i64>,
    /// What is known of its parts since its publication was asked for.
    #[serde(rename = "octets", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) bytes: BTreeMap<String, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) mailles: BTreeMap<String, DeclaredMaille>,
    /// What came of it.
    #[serde(rename = "bilan")]
    pub summary: JobSummary,
}

/// The record of a job that is registered, as it is found.
pub(super) enum FoundRecord {
    /// As it should be.
    Seen(Box<Job>, Vec<u8>),
    /// It may still be written: the job is being opened.
    BeingOpened,
    /// It is missing or cannot be read, for this reason: the job has ended.
    Lost(String),
}

fn job_key(id: &str) -> String {
    format!("work:job:{id}")
}

impl Job {
    /// The record, and its bytes for the swap that changes it.
    pub(super) async fn read<K: KeyValue>(kv: &K, id: &str) -> Result<(Self, Vec<u8>), PublicationError> {
        let unknown = || PublicationError::UnknownJob(id.to_owned());
        if id.is_empty() || id.len() > 60 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(unknown());
        }
        let key = job_key(id);
        let bytes = kv.get(&key).await?.ok_or_else(unknown)?;
        let job = match frame::open_json(&key, &bytes) {
            // One that the version before ended says how; one under way cannot go on.
            Err(other @ StoreError::OtherLayout { .. }) => serde_json::from_slice::<Self>(&bytes)
                .ok()
                .filter(|job| job.id == id && job.step.is_final())
                .ok_or(other)?,
            job => job?,
        };
        Ok((job, bytes))
    }

    /// The record of a job that `registry` names; `now` says whether a missing one may still come.
    pub(super) async fn find<K: KeyValueWrite>(
        kv: &K,
        registry: &Registry,
        id: &str,
        now: i64,
    ) -> Result<FoundRecord, StoreError> {
        match Self::read(kv, id).await {
            Ok((job, bytes)) => Ok(FoundRecord::Seen(Box::new(job), bytes)),
            Err(PublicationError::Store(StoreError::Unavailable(reason))) => Err(StoreError::Unavailable(reason)),
            Err(PublicationError::UnknownJob(_)) if registry.is_still_opening(id, now, OPENING_MS) => {
                Ok(FoundRecord::BeingOpened)
            }
            Err(error) => Ok(FoundRecord::Lost(loss(&error))),
        }
    }

    /// What is told of a job whose record is lost.
    fn lost(id: &str, reason: String) -> Self {
        let summary = JobSummary { failure: Some(reason), ..JobSummary::default() };
        Self { id: id.to_owned(), step: JobStep::Failed, summary, ..Self::default() }
    }

    /// Where a job stands. One whose record is missing or cannot be read has ended, and says why.
    ///
    /// # Errors
    /// [`PublicationError::UnknownJob`], or those of the store.
    pub async fn status<K: KeyValue>(kv: &K, id: &str) -> Result<Self, PublicationError> {
        let error = match Self::read(kv, id).await {
            Ok((job, _)) => return Ok(job),
            Err(error) => error,
        };
        let lost = matches!(
            error,
            PublicationError::UnknownJob(_)
                | PublicationError::Store(StoreError::Damaged(_) | StoreError::OtherLayout { .. })
        );
        if lost && Registry::read(kv).await?.named(id) {
            return Ok(Self::lost(id, loss(&error)));
        }
        Err(error)
    }

    /// Ends a job whose record is missing or cannot be read: what it wrote goes, and nothing waits for it.
    ///
    /// # Errors
    /// That of reading the record where the job is not registered, else those of the store.
    pub(super) async fn end_lost<K: KeyValueWrite>(
        kv: &K,
        id: &str,
        error: PublicationError,
        now: i64,
    ) -> Result<Self, PublicationError> {
        let registry = Registry::read(kv).await?;
        if !registry.named(id) {
            return Err(error);
        }
        match Self::find(kv, &registry, id, now).await? {
            FoundRecord::Seen(job, _) => Ok(*job),
            FoundRecord::BeingOpened => Err(error),
            FoundRecord::Lost(reason) => {
                Registry::settle(kv, id, now).await?;
                Ok(Self::lost(id, reason))
            }
        }
    }

    /// Ends a job for a reason: the record first, then what it leaves. A record that would not fit keeps the reason only.
    pub(super) async fn end<K: KeyValueWrite>(
        mut self,
        kv: &K,
        before: &[u8],
        step: JobStep,
        reason: Option<String>,
        now: i64,
    ) -> Result<Self, PublicationError> {
        self.step = step;
        self.ended_ms = Some(now);
        if reason.is_some() {
            self.summary.failure = reason;
        }
        match self.write(kv, before).await {
            Err(PublicationError::Store(StoreError::TooLarge(..))) => {
                let failure = self.summary.failure.as_deref().map(|r| short(r, 1_000).to_owned());
                self.summary = JobSummary { failure, ..JobSummary::default() };
                (self.options, self.opening) = Default::default();
                (self.bytes, self.mailles) = Default::default();
                self.write(kv, before).await?
            }
            written => written?,
        };
        Registry::settle(kv, &self.id, now).await?;
        Ok(self)
    }

    /// Writes the record if nobody else has since it was read.
    pub(super) async fn write<K: KeyValueWrite>(&self, kv: &K, before: &[u8]) -> Result<Vec<u8>, PublicationError> {
        let new = frame::seal_json(&job_key(&self.id), self)?;
        if new == before || kv.swap(&job_key(&self.id), before, new.clone()).await? {
            Ok(new)
        } else {
            Err(PublicationError::Overtaken)
        }
    }

    /// Whether its record lies in the store as it was written.
    pub(super) async fn lies_as<K: KeyValueWrite>(&self, kv: &K, record: &[u8]) -> Result<bool, StoreError> {
        Ok(kv.get(&job_key(&self.id)).await?.is_some_and(|stored| stored == record))
    }

    pub(super) async fn delete<K: KeyValueWrite>(kv: &K, id: &str) -> Result<(), StoreError> {
        kv.delete_many(vec![job_key(id)]).await
    }

    /// Gives a job up; what it wrote is deleted in the background. Nothing that is served changes.
    ///
    /// # Errors
    /// [`PublicationError::Refused`] where it has ended already.
    pub async fn give_up<K: KeyValueWrite>(kv: &K, id: &str, now: i64) -> Result<Self, PublicationError> {
        let ended = || PublicationError::Refused("le travail est terminé : il n'y a rien à abandonner".into());
        let (job, before) = match Self::read(kv, id).await {
            Ok(read) => read,
            Err(PublicationError::Store(StoreError::Unavailable(reason))) => {
                return Err(StoreError::Unavailable(reason).into());
            }
            Err(error) => return Self::end_lost(kv, id, error, now).await,
        };
        if job.step.is_final() {
            return Err(ended());
        }
        if let Some(generation) = &job.generation
            && Registry::is_served(kv, generation).await?
        {
            // Killed between the pointer and its record: what is served is not given up.
            job.end(kv, &before, JobStep::Published, None, now).await?;
            return Err(ended());
        }
        job.end(kv, &before, JobStep::GivenUp, None, now).await
    }

    /// Gives up the pulls that wait for a confirmation: a newer one takes their place. Their ids.
    async fn replace_waiting<K: KeyValueWrite>(kv: &K, id: &str, now: i64) -> Result<Vec<String>, PublicationError> {
        let registry = Registry::read(kv).await?;
        let mut replaced = Vec::new();
        for other in registry.jobs.iter().filter(|j| *j != id) {
            if let FoundRecord::Seen(job, before) = Self::find(kv, &registry, other, now).await?
                && job.run
                && job.step.awaits_someone()
            {
                let reason = Some(format!("elle attendait une confirmation : la collecte {id} l'a remplacée"));
                match job.end(kv, &before, JobStep::GivenUp, reason, now).await {
                    // Confirmed at this very moment: it goes on.
                    Err(PublicationError::Overtaken) => {}
                    other_end => {
                        other_end?;
                        replaced.push(other.clone());
                    }
                }
            }
        }
        Ok(replaced)
    }

    /// Ends a job that has waited too long to be published or confirmed: `true` where it did.
    pub(super) async fn expire<K: KeyValueWrite>(
        self,
        kv: &K,
        before: &[u8],
        now: i64,
    ) -> Result<bool, PublicationError> {
        let (since, max, what) = match self.step {
            JobStep::Staging if self.run => (self.opened_ms, WAIT_MAX_MS, "sans publication"),
            JobStep::Staging if self.in_one_call => {
                (self.opened_ms, CALL_MAX_MS, "son appel s'est interrompu : sans publication")
            }
            JobStep::Staging => (self.opened_ms, STAGING_MAX_MS, "sans publication"),
            JobStep::AwaitConfirmation | JobStep::AwaitSignOff => {
                (self.waits_since_ms.unwrap_or(self.opened_ms), WAIT_MAX_MS, "sans confirmation")
            }
            _ => return Ok(false),
        };
        if now.saturating_sub(since) <= max {
            return Ok(false);
        }
        let duration = if max >= 2 * STAGING_MAX_MS {
            format!("{} jours", max / STAGING_MAX_MS)
        } else if max >= 3_600_000 {
            format!("{} heures", max / 3_600_000)
        } else {
            format!("{} minutes", max / 60_000)
        };
        let reason = format!("{what} depuis plus de {duration} : le travail est abandonné");
        self.end(kv, before, JobStep::GivenUp, Some(reason), now).await?;
        Ok(true)
    }

    /// Says how the job is to be published, and lets its steps begin or go on.
    ///
    /// # Errors
    /// [`PublicationError::Refused`] where parts are missing or lines were refused and not
    /// accepted so.
    pub async fn publish<K: KeyValueWrite>(
        kv: &K,
        id: &str,
        options: PublicationOptions,
        now: i64,
    ) -> Result<Self, PublicationError> {
        let refusal = |text: String| Err(PublicationError::Refused(text));
        let (mut job, before) = Self::read_to_publish(kv, id, now).await?;
        match job.step {
            JobStep::Staging => {}
            JobStep::AwaitConfirmation | JobStep::AwaitSignOff => {
                job.options.confirm(&options);
                if let Some(reason) = job.waits_for() {
                    return refusal(reason);
                }
                // Confirmed, it may still wait for its signature: the step that switches sees to it.
                job.step = JobStep::Switch;
                job.write(kv, &before).await?;
                return Ok(job);
            }
            // Asking again for what is under way changes nothing.
            _ if !job.step.is_final() => return Ok(job),
            _ => return refusal(job.ending()),
        }
        if options.parts == 0 {
            return refusal("aucune partie : indiquer \"parties\", leur nombre".into());
        }
        if options.parts > PARTS_MAX {
            return refusal(format!("{PARTS_MAX} parties au plus"));
        }
        if let Some(wrong) = options.millesimes.as_ref().and_then(MillesimesInForce::unreadable) {
            return refusal(format!("millesimes : « {} » n'est ni une année ni une période", short(wrong, NAME_MAX)));
        }
        let staging = Staging::new(kv, id, 1);
        let mut totals = Totals::default();
        for part in 0..options.parts {
            let info = staging
                .info(part)
                .await?
                .ok_or_else(|| PublicationError::Refused(format!("la partie {part} manque sur {}", options.parts)))?;
            totals.add(&info)?;
        }
        let summary = &totals.summary;
        if summary.refused_lines > 0 && !options.accept_refusals {
            let first: Vec<String> = summary
                .refusals
                .iter()
                .take(3)
                .map(|r| format!("partie {}, ligne {} : {}", r.part, r.line, r.reason))
                .collect();
            return refusal(format!(
                "{} lignes refusées ; corriger, ou publier malgré tout par \"accepter_refus\": true ({})",
                summary.refused_lines,
                first.join(" ; ")
            ));
        }
        job.begin(kv, &before, options, totals, now).await
    }

    /// Lets the publication of a pull begin: it knows its parts, none is read again. Older pulls that wait for a
    /// confirmation give way.
    ///
    /// # Errors
    /// [`PublicationError::Refused`] where the job has ended, else those of the store.
    pub async fn publish_collection<K: KeyValueWrite>(
        kv: &K,
        id: &str,
        totals: Totals,
        now: i64,
    ) -> Result<Self, PublicationError> {
        let (job, before) = Self::read_to_publish(kv, id, now).await?;
        match job.step {
            JobStep::Staging => {}
            // Killed before the pull wrote that it has done its part.
            JobStep::Published | JobStep::Unchanged => return Ok(job),
            _ if !job.step.is_final() => return Ok(job),
            _ => return Err(PublicationError::Refused(job.ending())),
        }
        let mut totals = totals;
        totals.summary.replaces = Self::replace_waiting(kv, id, now).await?;
        // Refused lines are in the report; losses wait for a confirmation.
        let options =
            PublicationOptions { parts: totals.parts, accept_refusals: true, ..PublicationOptions::default() };
        job.begin(kv, &before, options, totals, now).await
    }

    async fn read_to_publish<K: KeyValueWrite>(
        kv: &K,
        id: &str,
        now: i64,
    ) -> Result<(Self, Vec<u8>), PublicationError> {
        match Self::read(kv, id).await {
            Ok((job, before)) if !job.step.is_final() && !Registry::read(kv).await?.jobs.iter().any(|j| j == id) => {
                let reason = Some("le travail n'est plus inscrit au registre".to_owned());
                Ok((job.end(kv, &before, JobStep::Failed, reason, now).await?, Vec::new()))
            }
            Err(PublicationError::Store(StoreError::Unavailable(reason))) => {
                Err(StoreError::Unavailable(reason).into())
            }
            Err(error) => Ok((Self::end_lost(kv, id, error, now).await?, Vec::new())),
            read => read,
        }
    }

    /// What it waits for, in words and with the option that lets it go on; `None` where nothing is missing but time.
    #[must_use]
    pub fn waits_for(&self) -> Option<String> {
        let missing = self.summary.unconfirmed(&self.options);
        if self.step == JobStep::AwaitSignOff && missing.is_empty() {
            let sign = "la nouvelle génération attend une validation : la relire, puis valider par \"valider\": true";
            return (!self.options.sign_off).then(|| sign.to_owned());
        }
        let told = missing.into_iter().map(|(option, sentences)| {
            let what = match option {
                "confirmer_pertes" => "des documents disparaîtraient",
                "confirmer_anomalies" => "des données sont invraisemblables",
                "accepter_doublons" => "une même clé désigne des documents différents",
                _ => "un millésime ne se met pas en vigueur sans confirmation",
            };
            let first: Vec<&str> = sentences.iter().take(5).map(String::as_str).collect();
            let more = match sentences.len().saturating_sub(5) {
                0 => String::new(),
                more => format!(" ; et {more} autres"),
            };
            format!("{what} ({}{more}) : confirmer par \"{option}\": true", first.join(" ; "))
        });
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join(" ; "))
    }

    /// How it ended, for who wants it to go on.
    fn ending(&self) -> String {
        let reason = self.summary.failure.as_ref().map(|r| format!(" : {r}")).unwrap_or_default();
        format!("le travail est terminé{reason}")
    }

    async fn begin<K: KeyValueWrite>(
        mut self,
        kv: &K,
        before: &[u8],
        options: PublicationOptions,
        totals: Totals,
        now: i64,
    ) -> Result<Self, PublicationError> {
        self.summary = totals.summary;
        self.bytes = totals.bytes;
        self.mailles = totals.mailles;
        self.options = options;
        self.step = JobStep::Distribute;
        let generation = Registry::new_generation(kv, &self.id, now).await?;
        self.generation = Some(generation.clone());
        if let Err(error) = self.write(kv, before).await {
            // Of a store that does not answer it is not known whether the record names it now: it goes with the job.
            if error == PublicationError::Overtaken {
                Registry::give_up(kv, &generation, now).await?;
            }
            return Err(error);
        }
        Ok(self)
    }
}

/// Why a record is lost, in words.
fn loss(error: &PublicationError) -> String {
    match error {
        PublicationError::UnknownJob(_) => "son enregistrement manque : l'ouverture s'est interrompue".into(),
        PublicationError::Store(StoreError::OtherLayout { .. }) => {
            "une autre version de l'application l'a commencé, et celle-ci ne peut pas le continuer : recommencer".into()
        }
        _ => "son enregistrement est illisible".into(),
    }
}

/// Opens a job under an id that the caller has never used: letters and digits.
///
/// It is registered first, and its record written after: killed in between, it has ended ([`Job::status`]).
///
/// # Errors
/// [`PublicationError::Refused`] where too many are open, those of the store where what is served cannot be read.
pub async fn open<K: KeyValueWrite>(kv: &K, id: &str, opening: Opening, now: i64) -> Result<Job, PublicationError> {
    record(kv, Job { id: id.to_owned(), opened_ms: now, opening, ..Job::default() }).await
}

/// Opens a job that the same call stages and publishes: killed in between, nobody knows its id.
///
/// # Errors
/// As [`open`].
pub async fn open_in_one_call<K: KeyValueWrite>(
    kv: &K,
    id: &str,
    opening: Opening,
    now: i64,
) -> Result<Job, PublicationError> {
    record(kv, Job { id: id.to_owned(), opened_ms: now, opening, in_one_call: true, ..Job::default() }).await
}

/// Opens the job that publishes a pull.
///
/// # Errors
/// As [`open`].
pub async fn open_collection<K: KeyValueWrite>(
    kv: &K,
    id: &str,
    opening: Opening,
    now: i64,
) -> Result<Job, PublicationError> {
    record(kv, Job { id: id.to_owned(), opened_ms: now, opening, run: true, ..Job::default() }).await
}

async fn record<K: KeyValueWrite>(kv: &K, job: Job) -> Result<Job, PublicationError> {
    // Told at once, before anything is sent: over an unreadable pointer nothing can be published.
    Served::read(kv).await?;
    let refusal = |text: String| Err(PublicationError::Refused(text));
    let record = frame::seal_json(&job_key(&job.id), &job)?;
    if record.len() > DEMAND_MAX {
        return refusal(format!("l'ouverture dépasse {} Kio", DEMAND_MAX / 1024));
    }
    let place = Registry::update(kv, |registry| {
        if registry.jobs.contains(&job.id) {
            return Ok(());
        }
        if registry.jobs.len() >= OPEN_MAX {
            return Err(format!("{OPEN_MAX} travaux sont ouverts : en abandonner un (DELETE)"));
        }
        if registry.generations.len() + registry.to_delete.len() >= WAITING_MAX {
            return Err("le ménage est en retard : appeler POST /internal/import/run jusqu'à ce qu'il soit fait".into());
        }
        registry.jobs.push(job.id.clone());
        registry.unframed = false;
        registry.opened_at_ms.insert(job.id.clone(), job.opened_ms);
        Ok(())
    })
    .await?;
    if let Err(reason) = place {
        return refusal(reason);
    }
    kv.set(&job_key(&job.id), record).await?;
    Ok(job)
}
