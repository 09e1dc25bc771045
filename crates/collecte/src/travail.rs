//! A run: its record, and the loop that advances it.

use crate::appels::ATTENTE_DEMANDEE_MAX_S;
use crate::contexte::Contextes;
use crate::demande::{Configuration, Demande, Lot};
use crate::rapport::Rapport;
use crate::reserve::Reserve;
use domain::{Kind, Millesime, Univers};
use serde::{Deserialize, Serialize};
use sources::{Call, Clock, Fetch, Sources};
use std::collections::BTreeSet;
use store::KeyValueWrite;
use store::kv::StoreError;
use store::publication::{
    self, Bail, Ecrivain, Environnement, EtatRegistre, Flux, Generation, Job, Journal, Mode, Ouverture, Perimetre,
    Position, PublicationError, Registre, Totaux, lire_long, poser_long,
};
use treatments::Traitement;

/// The key of the record of the latest run. It is created once and then only swapped.
const CLE: &str = "work:collecte";
/// The report of the latest run that ended: its keys are deleted with the rest of what it needed.
const CLE_RAPPORT: &str = "work:collecte:rapport";
/// How long a run may take, waits included: three days. Hours are enough where the services answer.
pub const DUREE_MAX_MS: i64 = 3 * 24 * 60 * 60 * 1000;
/// Bytes that streams may hold back before they write.
pub(crate) const TAMPONS: usize = 16 * 1024 * 1024;

/// Where a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Etape {
    /// The services are asked.
    #[default]
    Collecter,
    /// Treatments 1 to 4.
    Nomenclature,
    /// The ACCE file.
    Etablissements,
    /// The catalogue of apprenticeships.
    Catalogue,
    /// Treatment 5.
    Statistiques,
    /// Treatments 6 to 8.
    Grouper,
    /// The documents are handed to the publication.
    Remettre,
    /// The publication has them: its job has the same id.
    Remise,
    /// Given up.
    Abandonnee,
    /// Failed for good: nothing was published.
    Echec,
}

impl Etape {
    /// Whether the pull has done its part.
    #[must_use]
    pub fn est_finale(self) -> bool {
        self >= Self::Remise
    }

    fn nom(self) -> String {
        serde_json::to_value(self).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// The record of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collecte {
    /// Its id, and that of the job that publishes it.
    pub id: String,
    /// What it was asked for.
    pub demande: Demande,
    /// When it was opened, in milliseconds since 1970.
    pub ouvert_ms: i64,
    /// When it ended.
    #[serde(default)]
    pub fini_ms: Option<i64>,
    /// Where it stands.
    pub etape: Etape,
    /// Progress inside the step: done, of.
    pub avancement: (usize, usize),
    /// What the step is about now.
    pub objet: String,
    /// Until when a service is left in peace, in milliseconds since 1970, and why.
    #[serde(default)]
    pub attente: Option<(i64, String)>,
    /// Why it failed, where it did.
    #[serde(default)]
    pub echec: Option<String>,
    /// What the deployment said when it was opened.
    pub configuration: Configuration,
    /// The run before it: killed at its very end, it may have left something.
    #[serde(default)]
    precedente: Option<String>,
    /// What its keys begin with.
    #[serde(default)]
    prefixe: Option<String>,
    /// Where the state of its steps lies: fencing number, how many values.
    #[serde(default)]
    etat: Option<(u64, usize)>,
}

impl Collecte {
    async fn lire<K: KeyValueWrite>(kv: &K) -> Result<Option<(Self, Vec<u8>)>, StoreError> {
        let Some(bytes) = kv.get(CLE).await? else { return Ok(None) };
        let lue = serde_json::from_slice(&bytes).unwrap_or_else(|_| Self {
            // Whose it was is not known: it has ended, and the next run lets go of what it left.
            etape: Etape::Echec,
            echec: Some("l'enregistrement de la collecte est illisible".into()),
            ..Self::default()
        });
        Ok(Some((lue, bytes)))
    }

    /// Whether a service is left in peace now. A wait that is longer than any that is ever begun is that of a clock that
    /// has been put right since: it is over.
    #[must_use]
    pub fn attend(&self, maintenant: i64) -> bool {
        let max = i64::try_from(ATTENTE_DEMANDEE_MAX_S).unwrap_or(i64::MAX).saturating_mul(1000);
        self.attente.as_ref().is_some_and(|(fin, _)| *fin > maintenant && *fin <= maintenant.saturating_add(max))
    }

    /// Ends the run, and writes so: what it leaves goes.
    async fn finir<K: KeyValueWrite>(
        mut self,
        kv: &K,
        avant: &[u8],
        (etape, echec): (Etape, Option<String>),
        maintenant: i64,
    ) -> Result<Self, PublicationError> {
        self.etape = etape;
        self.echec = echec;
        self.fini_ms = Some(maintenant);
        self.ecrire(kv, Some(avant)).await?;
        fermer(kv, &self, maintenant).await?;
        Ok(self)
    }

    async fn ecrire<K: KeyValueWrite>(&self, kv: &K, avant: Option<&[u8]>) -> Result<(), PublicationError> {
        let nouvelle = serde_json::to_vec(self).unwrap_or_default();
        match avant {
            None => Ok(kv.set(CLE, nouvelle).await?),
            Some(avant) if nouvelle == avant || kv.swap(CLE, avant, nouvelle).await? => Ok(()),
            Some(_) => Err(PublicationError::Overtaken),
        }
    }
}

/// A lot whose answers come in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LotEnCours {
    pub lot: Lot,
    pub prefixe: String,
    pub journal: Journal,
    /// Rows of the catalogue.
    pub total: u64,
    /// Calls done, from the first.
    pub faits: usize,
    /// How often the present call has failed, a step each.
    pub tours: u32,
    /// Calls that failed for good, and why.
    pub echecs: Vec<(Call, String)>,
    pub octets: u64,
    /// How far the older lot was looked through for those, and which it had.
    #[serde(default)]
    pub reprise: Option<Position>,
    #[serde(default)]
    pub repris: BTreeSet<Call>,
}

/// What the steps need between two calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Etat {
    pub a_appeler: Vec<Lot>,
    /// The lot that the step is at.
    pub rang: usize,
    pub lot: Option<LotEnCours>,
    /// How often the size of the catalogue was asked in vain.
    pub tours_du_total: u32,
    pub uais: Option<Vec<String>>,
    /// What the treatments look up: documents by kind.
    pub contexte: Journal,
    pub position: Position,
    /// Answers read of the present lot.
    pub lues: usize,
    pub groupes: Option<Flux>,
    /// Partitions of each maille in `groupes`.
    pub partitions: [usize; 3],
    /// Parts handed over, and what is known of them.
    #[serde(default)]
    pub totaux: Totaux,
    pub rapport: Rapport,
}

/// Why a step cannot go on.
#[derive(Debug)]
pub(crate) enum Faute {
    /// The run fails for good, and says why.
    Echec(String),
    /// This call changed nothing; the next one tries again.
    Publication(PublicationError),
}

impl From<StoreError> for Faute {
    fn from(erreur: StoreError) -> Self {
        match erreur.raison() {
            // What was written cannot be read again, or does not fit: trying once more would not help.
            Some(raison) => Self::Echec(raison),
            None => Self::Publication(erreur.into()),
        }
    }
}

impl From<PublicationError> for Faute {
    fn from(erreur: PublicationError) -> Self {
        match erreur {
            PublicationError::Store(erreur) => erreur.into(),
            // The job that would publish it is gone or does not take it: nor will it next time.
            PublicationError::Refused(raison) => Self::Echec(raison),
            PublicationError::UnknownJob(_) => Self::Echec(erreur.to_string()),
            autre => Self::Publication(autre),
        }
    }
}

/// What comes after a piece of work.
pub(crate) enum Suite {
    Encore,
    Etape(Etape),
    /// A service is to be left in peace, for so many seconds, because of this.
    Attendre(u64, String),
}

/// Opens a run under an id that the caller has never used: letters and digits.
///
/// # Errors
/// [`PublicationError::Refused`] where a run is under way, or where what is asked cannot be had.
pub async fn ouvrir<K: KeyValueWrite>(
    kv: &K,
    id: &str,
    demande: Demande,
    configuration: Configuration,
    maintenant: i64,
) -> Result<Collecte, PublicationError> {
    let refus = |texte: String| Err(PublicationError::Refused(texte));
    let mut demande = demande;
    demande.sources.sort_unstable();
    demande.sources.dedup();
    demande.millesimes.sort_unstable();
    demande.millesimes.dedup();
    let avant = Collecte::lire(kv).await?;
    if let Some((collecte, _)) = avant.as_ref().filter(|(c, _)| !c.etape.est_finale()) {
        return refus(format!("la collecte {} est en cours : attendre sa fin, ou l'abandonner (DELETE)", collecte.id));
    }
    let lots = configuration.lots();
    if lots.is_empty() {
        return refus("aucune source n'a d'adresse : renseigner les variables *_url".into());
    }
    if let Some(source) = demande.sources.iter().find(|s| !configuration.a(**s)) {
        return refus(format!("la source {source} n'a pas d'adresse : renseigner sa variable *_url"));
    }
    let connus: Vec<&str> = configuration.millesimes().collect();
    if let Some(millesime) = demande.millesimes.iter().find(|m| !connus.contains(&m.as_str())) {
        return refus(format!(
            "millésime {millesime} : attendu, parmi ceux de la configuration : {}",
            connus.join(", ")
        ));
    }
    let reserve = Reserve::lire(kv).await?;
    let manquants: Vec<String> = lots.iter().filter(|l| reserve.lot(l).is_none()).map(ToString::to_string).collect();
    if demande.rejouer && !manquants.is_empty() {
        return refus(format!("rien n'est gardé pour {} : collecter d'abord", manquants.join(", ")));
    }
    let id = id.to_owned();
    let precedente = avant.as_ref().map(|(c, _)| c.id.clone());
    let collecte = Collecte { id, demande, ouvert_ms: maintenant, configuration, precedente, ..Collecte::default() };
    collecte.ecrire(kv, avant.as_ref().map(|(_, b)| b.as_slice())).await?;
    Ok(collecte)
}

/// Where the latest run stands; `None` before the first.
///
/// # Errors
/// Those of the store.
pub async fn consulter<K: KeyValueWrite>(kv: &K) -> Result<Option<Collecte>, PublicationError> {
    Ok(Collecte::lire(kv).await?.map(|(collecte, _)| collecte))
}

/// The report of the latest run, as far as it has come; `None` before the first step.
///
/// # Errors
/// Those of the store.
pub async fn rapport<K: KeyValueWrite>(kv: &K) -> Result<Option<Rapport>, PublicationError> {
    let Some((collecte, _)) = Collecte::lire(kv).await? else { return Ok(None) };
    if collecte.etape.est_finale() {
        let garde: Option<(String, Rapport)> = kv.get(CLE_RAPPORT).await?.and_then(|b| serde_json::from_slice(&b).ok());
        return Ok(garde.filter(|(id, _)| *id == collecte.id).map(|(_, rapport)| rapport));
    }
    let (Some(prefixe), Some(etat)) = (&collecte.prefixe, collecte.etat) else { return Ok(None) };
    Ok(Some(lire_etat(kv, prefixe, etat).await?.rapport))
}

/// Gives the run under way up. Nothing that is served changes; whole lots stay staged.
///
/// # Errors
/// [`PublicationError::Refused`] where none is under way.
pub async fn abandonner<K: KeyValueWrite>(kv: &K, maintenant: i64) -> Result<Collecte, PublicationError> {
    let lue = Collecte::lire(kv).await?.filter(|(c, _)| !c.etape.est_finale());
    let Some((mut collecte, avant)) = lue else {
        return Err(PublicationError::Refused("aucune collecte n'est en cours".into()));
    };
    collecte.etape = Etape::Abandonnee;
    collecte.fini_ms = Some(maintenant);
    collecte.ecrire(kv, Some(&avant)).await?;
    fermer(kv, &collecte, maintenant).await?;
    Ok(collecte)
}

/// What an ended run leaves: its job is closed, its prefixes go.
async fn fermer<K: KeyValueWrite>(kv: &K, collecte: &Collecte, maintenant: i64) -> Result<(), PublicationError> {
    if collecte.etape != Etape::Remise {
        match Job::abandonner(kv, &collecte.id, maintenant).await {
            Ok(_) | Err(PublicationError::UnknownJob(_) | PublicationError::Refused(_)) => {}
            Err(erreur) => return Err(erreur),
        }
    }
    nettoyer(kv, &[&collecte.id], maintenant).await
}

/// Lets go of what an ended run left, where it was killed at its very end. Reads little where there is nothing.
///
/// # Errors
/// Those of the store.
pub async fn solder<K: KeyValueWrite>(kv: &K, maintenant: i64) -> Result<(), PublicationError> {
    let Some((collecte, _)) = Collecte::lire(kv).await?.filter(|(c, _)| c.etape.est_finale()) else { return Ok(()) };
    let registre = Registre::lire(kv).await?;
    let ouvert = collecte.etape != Etape::Remise && registre.jobs.contains(&collecte.id);
    let en_cours = registre.generations.iter().any(|g| g.collecte && g.etat == EtatRegistre::EnCours);
    if ouvert || en_cours { fermer(kv, &collecte, maintenant).await } else { Ok(()) }
}

/// Lets go of every prefix that runs took and nobody needs: those of killed steps too. Staged answers stay. `ids` are the
/// runs whose prefixes may have been taken before the registry told prefixes of pulls from generations.
async fn nettoyer<K: KeyValueWrite>(kv: &K, ids: &[&str], maintenant: i64) -> Result<(), PublicationError> {
    let mut generations = Vec::new();
    for id in ids {
        match Job::consulter(kv, id).await {
            Ok(job) => generations.extend(job.generation),
            Err(PublicationError::UnknownJob(_)) => {}
            Err(erreur) => return Err(erreur),
        }
    }
    let reserve = Reserve::lire(kv).await?;
    let devenir = |g: &Generation| {
        let gardee = reserve.lots.values().any(|l| l.prefixe == g.id);
        let sienne = g.collecte || (ids.contains(&g.job.as_str()) && !generations.contains(&g.id));
        match g.etat {
            EtatRegistre::EnCours | EtatRegistre::Reserve if gardee => Some(EtatRegistre::Reserve),
            EtatRegistre::EnCours if sienne => Some(EtatRegistre::AEffacer),
            EtatRegistre::Reserve => Some(EtatRegistre::AEffacer),
            _ => None,
        }
    };
    Ok(Registre::trier_collecte(kv, maintenant, devenir).await?)
}

fn famille_etat(numero: u64) -> String {
    format!("etat.{numero}")
}

async fn lire_etat<K: KeyValueWrite>(
    kv: &K,
    prefixe: &str,
    (numero, nombre): (u64, usize),
) -> Result<Etat, StoreError> {
    let bytes = lire_long(kv, prefixe, &famille_etat(numero), 0, nombre).await?;
    serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged(famille_etat(numero)))
}

/// Advances the run under way for about `budget_ms`, then saves where it stands. Call it until
/// [`Etape::est_finale`], and not before [`Collecte::attente`] is over: until then it does nothing.
///
/// A step begins no work after `budget_ms`; a call under way gets [`crate::appels::DUREE_MAX_MS`].
///
/// # Errors
/// [`PublicationError::Busy`] where another job holds the lease, [`PublicationError::Refused`]
/// where no run is known; those of the store, after which the run stands where it stood.
pub async fn avancer<K: KeyValueWrite, E: Environnement, F: Fetch, C: Clock>(
    kv: &K,
    env: &E,
    sources: &Sources<F, C>,
    budget_ms: u64,
    indicateurs: &[String],
) -> Result<Collecte, PublicationError> {
    let debut = env.monotone_ms();
    let Some((collecte, avant)) = Collecte::lire(kv).await? else {
        return Err(PublicationError::Refused("aucune collecte n'est ouverte".into()));
    };
    let maintenant = env.maintenant_ms();
    if collecte.etape.est_finale() || collecte.attend(maintenant) {
        return Ok(collecte);
    }
    let bail = Bail::prendre(kv, &collecte.id, maintenant).await?;
    let sortie =
        mener(kv, env, sources, collecte, &avant, &bail, (debut, debut.saturating_add(budget_ms)), indicateurs);
    let sortie = sortie.await;
    let rendu = bail.rendre(kv).await;
    let collecte = sortie?;
    rendu?;
    Ok(collecte)
}

#[expect(clippy::too_many_arguments, reason = "called once")]
async fn mener<K: KeyValueWrite, E: Environnement, F: Fetch, C: Clock>(
    kv: &K,
    env: &E,
    sources: &Sources<F, C>,
    collecte: Collecte,
    avant: &[u8],
    bail: &Bail,
    (debut, fin): (u64, u64),
    indicateurs: &[String],
) -> Result<Collecte, PublicationError> {
    let maintenant = env.maintenant_ms();
    if maintenant.saturating_sub(collecte.ouvert_ms) > DUREE_MAX_MS {
        let jours = DUREE_MAX_MS / 86_400_000;
        let raison = collecte.attente.as_ref().map(|(_, r)| format!(" ; dernière attente : {r}")).unwrap_or_default();
        let echec = Some(format!("la collecte dure depuis plus de {jours} jours{raison}"));
        return collecte.finir(kv, avant, (Etape::Echec, echec), maintenant).await;
    }
    let prete = async {
        let (prefixe, etat) = match (&collecte.prefixe, collecte.etat) {
            (Some(prefixe), Some(lieu)) => (prefixe.clone(), lire_etat(kv, prefixe, lieu).await?),
            _ => preparer(kv, &collecte, maintenant).await?,
        };
        let ecrivain = Ecrivain::ouvrir(kv, &prefixe, env.lot()).await?;
        Ok::<_, Faute>((prefixe, etat, ecrivain))
    };
    let (prefixe, etat, ecrivain) = match prete.await {
        Ok(prete) => prete,
        Err(Faute::Publication(erreur)) => return Err(erreur),
        Err(Faute::Echec(raison)) => return collecte.finir(kv, avant, (Etape::Echec, Some(raison)), maintenant).await,
    };
    let debutee = collecte.clone();
    let mut marche = Marche {
        kv,
        env,
        sources,
        indicateurs,
        collecte: Collecte { prefixe: Some(prefixe.clone()), attente: None, ..collecte },
        etat,
        prefixe,
        ecrivain,
        numero: bail.numero,
        debut,
        fin,
        commence: false,
        appels: None,
        contextes: Contextes::default(),
    };
    let suite = marche.courir().await;
    match marche.sauver(suite, avant).await {
        // What is to be saved does not fit: nor would it next time.
        Err(PublicationError::Store(erreur)) if erreur.raison().is_some() => {
            debutee.finir(kv, avant, (Etape::Echec, erreur.raison()), env.maintenant_ms()).await
        }
        sortie => sortie,
    }
}

/// The first state of a run. Killed before it is saved, the next call prepares it again.
async fn preparer<K: KeyValueWrite>(
    kv: &K,
    collecte: &Collecte,
    maintenant: i64,
) -> Result<(String, Etat), PublicationError> {
    let ids: Vec<&str> = collecte.precedente.iter().chain([&collecte.id]).map(String::as_str).collect();
    nettoyer(kv, &ids, maintenant).await?;
    let ouverture =
        Ouverture { mode: Mode::Remplacer, perimetre: perimetre(&collecte.configuration), ..Ouverture::default() };
    publication::ouvrir_collecte(kv, &collecte.id, ouverture, maintenant).await?;
    let prefixe = Registre::nouveau_prefixe(kv, &collecte.id, EtatRegistre::EnCours, maintenant).await?;
    let reserve = Reserve::lire(kv).await?;
    let a_appeler = collecte.configuration.a_appeler(&collecte.demande, |lot| reserve.lot(lot).is_some());
    let lots = collecte.configuration.lots();
    let lots_repris = lots.iter().filter(|l| !a_appeler.contains(l)).map(Lot::cle).collect();
    let rapport = Rapport { lots_repris, ..Rapport::default() };
    Ok((prefixe, Etat { a_appeler, rapport, contexte: Journal::nouveau("contexte"), ..Etat::default() }))
}

/// What the run replaces: what its lots bring, and nothing that was pushed beside them.
fn perimetre(configuration: &Configuration) -> Vec<Perimetre> {
    let m = &configuration.millesimes;
    let mut perimetre = Vec::new();
    let mut ajouter = |kind: Kind, univers: Option<Univers>, millesimes: Vec<String>| {
        perimetre.push(Perimetre { kind, univers, millesimes });
    };
    for lot in configuration.lots() {
        match lot {
            Lot::Bcn if configuration.reglages.bcn.actif(Traitement::Nomenclature) => {
                [Kind::Bcn, Kind::BcnMef, Kind::BcnSise].into_iter().for_each(|k| ajouter(k, None, Vec::new()));
            }
            Lot::Bcn => {}
            Lot::Acce => ajouter(Kind::Etablissement, None, Vec::new()),
            Lot::Catalogue => {
                ajouter(Kind::Catalogue, None, Vec::new());
                ajouter(Kind::Rncp, None, Vec::new());
            }
            Lot::France(m) => ajouter(Kind::Certification, Some(Univers::Secondaire), vec![m]),
            Lot::Regions(m) => ajouter(Kind::Regionale, Some(Univers::Secondaire), vec![m]),
            Lot::Etablissements(m) => ajouter(Kind::Formation, Some(Univers::Secondaire), vec![m]),
            Lot::InserSup => {
                let annees = m.formations_sup.iter().filter_map(|m| Millesime::parse(m));
                let annees = annees.flat_map(|m| m.annees().map(str::to_owned).collect::<Vec<_>>());
                let millesimes: BTreeSet<String> = m.formations_sup.iter().cloned().chain(annees).collect();
                ajouter(Kind::Formation, Some(Univers::Superieur), millesimes.into_iter().collect());
            }
            Lot::InserSupNational(m) => ajouter(Kind::Certification, Some(Univers::Superieur), vec![m]),
        }
    }
    perimetre
}

/// A call that advances a run.
pub(crate) struct Marche<'a, K, E, F, C> {
    pub kv: &'a K,
    pub env: &'a E,
    pub sources: &'a Sources<F, C>,
    pub indicateurs: &'a [String],
    pub collecte: Collecte,
    pub etat: Etat,
    pub prefixe: String,
    pub ecrivain: Ecrivain<'a, K>,
    pub numero: u64,
    pub debut: u64,
    pub fin: u64,
    /// Whether this call has asked a service already.
    pub commence: bool,
    /// The calls of the present lot.
    pub appels: Option<Vec<Call>>,
    pub contextes: Contextes,
}

impl<K: KeyValueWrite, E: Environnement, F: Fetch, C: Clock> Marche<'_, K, E, F, C> {
    pub fn configuration(&self) -> &Configuration {
        &self.collecte.configuration
    }

    pub fn a_le_temps(&self) -> bool {
        self.env.monotone_ms() < self.fin
    }

    pub fn avancement(&mut self, faits: usize, total: usize, objet: &str) {
        self.collecte.avancement = (faits, total);
        objet.clone_into(&mut self.collecte.objet);
    }

    async fn courir(&mut self) -> Result<Option<(u64, String)>, Faute> {
        loop {
            let etape = self.collecte.etape;
            let avant = self.env.monotone_ms();
            let suite = match etape {
                Etape::Collecter => self.collecter().await?,
                Etape::Nomenclature => self.nomenclature().await?,
                Etape::Etablissements => self.etablissements().await?,
                Etape::Catalogue => self.catalogue().await?,
                Etape::Statistiques => self.statistiques().await?,
                Etape::Grouper => self.grouper().await?,
                Etape::Remettre => self.remettre().await?,
                Etape::Remise | Etape::Abandonnee | Etape::Echec => return Ok(None),
            };
            let duree = self.env.monotone_ms().saturating_sub(avant);
            *self.etat.rapport.durees_ms.entry(etape.nom()).or_default() += duree;
            match suite {
                Suite::Encore => {}
                Suite::Attendre(secondes, raison) => return Ok(Some((secondes, raison))),
                Suite::Etape(etape) => {
                    self.vider().await?;
                    self.collecte.etape = etape;
                    self.avancement(0, 0, "");
                    (self.etat.rang, self.etat.position, self.etat.lues) = (0, Position::default(), 0);
                }
            }
            if !self.a_le_temps() {
                return Ok(None);
            }
        }
    }

    /// Writes what waits: what comes next may read it.
    async fn vider(&mut self) -> Result<(), StoreError> {
        let numero = self.numero;
        self.etat.contexte.vider(&mut self.ecrivain, numero).await?;
        if let Some(flux) = &mut self.etat.groupes {
            flux.vider(&mut self.ecrivain, numero, 0).await?;
        }
        self.ecrivain.vider().await
    }

    /// Writes what waits, then the state, then the record: only the record makes the rest count.
    async fn sauver(
        mut self,
        suite: Result<Option<(u64, String)>, Faute>,
        avant: &[u8],
    ) -> Result<Collecte, PublicationError> {
        let maintenant = self.env.maintenant_ms();
        match suite {
            Ok(None) => {}
            Ok(Some((secondes, raison))) => {
                let duree = i64::try_from(secondes).unwrap_or(i64::MAX).saturating_mul(1000);
                self.collecte.attente = Some((maintenant.saturating_add(duree), raison));
            }
            Err(Faute::Echec(raison)) => {
                self.collecte.etape = Etape::Echec;
                self.collecte.echec = Some(raison);
            }
            Err(Faute::Publication(erreur)) => return Err(erreur),
        }
        if !self.collecte.etape.est_finale() {
            self.vider().await?;
        }
        // Calls run side by side: what was sent is only known of the clients as a whole.
        for (service, tally) in self.sources.tallies() {
            self.etat.rapport.source(service).envoyer(&tally);
        }
        self.etat.rapport.ecritures += std::mem::take(&mut self.ecrivain.ecritures);
        if self.collecte.etape.est_finale() {
            self.collecte.fini_ms = Some(maintenant);
            let texte = |rapport: &Rapport| serde_json::to_vec(&(&self.collecte.id, rapport)).unwrap_or_default();
            if let Err(erreur) = self.kv.set(CLE_RAPPORT, texte(&self.etat.rapport)).await {
                // A report that does not fit says how much of what it was about, and no more.
                erreur.raison().ok_or(erreur)?;
                self.kv.set(CLE_RAPPORT, texte(&self.etat.rapport.abrege())).await?;
            }
            self.collecte.ecrire(self.kv, Some(avant)).await?;
            fermer(self.kv, &self.collecte, maintenant).await?;
            return Ok(self.collecte);
        }
        let bytes = serde_json::to_vec(&self.etat).unwrap_or_default();
        let nombre = poser_long(&mut self.ecrivain, &famille_etat(self.numero), 0, &bytes).await?;
        self.ecrivain.vider().await?;
        self.collecte.etat = Some((self.numero, nombre));
        self.collecte.ecrire(self.kv, Some(avant)).await?;
        Ok(self.collecte)
    }

    /// Hands the parts to the publication.
    async fn remettre(&mut self) -> Result<Suite, Faute> {
        let (id, maintenant) = (self.collecte.id.clone(), self.env.maintenant_ms());
        if self.etat.totaux.parties == 0 {
            return Err(Faute::Echec("les sources n'ont donné aucun document".into()));
        }
        let totaux = std::mem::take(&mut self.etat.totaux);
        let job = Job::publier_collecte(self.kv, &id, totaux, maintenant).await?;
        self.etat.rapport.remplace = job.bilan.remplace;
        Ok(Suite::Etape(Etape::Remise))
    }
}
