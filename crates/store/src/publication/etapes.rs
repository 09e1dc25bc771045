//! The steps of a publication.

mod indexer;

use super::depot::{Depot, hex};
use super::ecrivain::{Ecrivain, lire_long, poser_long};
use super::flux::Flux;
use super::listes::{Constructeur, PAGE_MIN, Rangee, entete_csv};
use super::registre::{Bail, EtatRegistre, Registre, Served};
use super::travail::{EFFECTIFS_MAX, Effectifs, Etape, Job, NOM_MAX, court};
use super::{Environnement, PublicationError};
use crate::bundle;
use crate::cle::{self, Famille};
use crate::codec::{Reader, Writer};
use crate::compte::Compte;
use crate::fiche::{Fiche, Version};
use crate::kv::{KeyValue, KeyValueWrite, StoreError, VALUE_MAX};
use crate::lecture::MaillePubliee;
use crate::liste::{self, CleLigne, EntreeCode, EntreeUai, Format, Ordre, Plan};
use crate::pointeur::{DISPOSITION, FORMAT, MillesimesEnVigueur, Pointeur};
use crate::publique::{self, RecordPublic};
use crate::suite::{self, ENTREE_MAX, Tete};
use domain::declaree::{CHAMP_LIEU, CHAMP_MAILLE, MAILLES_MAX};
use domain::{Document, DocumentPublie, Filiere, Kind, Maille, MailleDeclaree, Millesime, Univers};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Bytes of a partition: what a step holds at once, parsed and rendered on top.
const PARTITION: u64 = 3 * 1024 * 1024;
/// Bytes of a bundle on average, unfolded: some 8 KB as stored. A get of keys all over the store reads it page by page,
/// and 12 KB take a twentieth of a request more than 7; much smaller ones take more writes than an import has.
const BUNDLE: u64 = 28 * 1024;
/// Bytes of a partition of a list: its rows are only sorted, neither parsed nor rendered again, so it may be larger;
/// fewer partitions mean larger pieces and fewer writes.
const PARTITION_TRI: u64 = 2 * PARTITION;
/// Bytes that all streams together may hold back before they write: the more there are, the shorter their pieces, so this
/// is what keeps writes in proportion when the data grows.
const TAMPONS: usize = 56 * 1024 * 1024;
/// Bytes of a plan that lie in its first value.
const PLAN_MAX: usize = VALUE_MAX - 1024;
/// Keys kept as a sample of an order, to cut it into even partitions.
const ECHANTILLON: usize = 1_024;
/// The share of a maille and millesime that may disappear unasked.
const PERTE_TOLEREE: f64 = 0.10;
/// Version of how documents, rows and indexes are written into a layout: to be raised with every change that readers see.
const RENDERING: u32 = 1;
/// How often the number of bundles may be doubled because one grew beyond a value.
const DOUBLEMENTS: u32 = 6;

/// The lists there always are: the mailles of the contract, then the nomenclature. Those of
/// declared mailles follow.
const LISTES: [(&str, Option<Maille>); 4] = [
    ("certifications", Some(Maille::Nationale)),
    ("regionales", Some(Maille::Regionale)),
    ("formations", Some(Maille::Etablissement)),
    ("bcn", None),
];
/// The nomenclature among them.
const BCN: usize = LISTES.len() - 1;

/// The making of one list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct ListeEnCours {
    /// Its name in keys.
    nom: String,
    maille: Option<Maille>,
    /// Samples of its two orders.
    echantillons: [Echantillon; 2],
    /// The longest row of each form.
    max_json: usize,
    max_csv: usize,
    /// Rows written.
    lignes: u64,
    /// Bytes of its documents.
    octets: u64,
    /// What finds the rows of a UAI, or of a place of a declared maille.
    lieux: Option<IndexLieux>,
}

/// Sorting of the rows of a list by place.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct IndexLieux {
    separateurs: Vec<String>,
    flux: Flux,
    pages: Vec<String>,
    /// The next value of an entry that does not fit into a page.
    suite: usize,
}

impl ListeEnCours {
    fn nouvelle(nom: String, maille: Option<Maille>) -> Self {
        let lieux = matches!(maille, Some(Maille::Etablissement | Maille::Declaree)).then(IndexLieux::default);
        Self { nom, maille, lieux, ..Self::default() }
    }

    fn partitions_lieux(&self) -> usize {
        self.lieux.as_ref().map_or(0, |l| l.flux.partitions())
    }
}

/// A deterministic sample of sort keys: those whose hash ends in `bits` zeros, whatever the order
/// they come in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Echantillon {
    bits: u32,
    cles: Vec<String>,
}

impl Echantillon {
    fn retient(&self, cle: &str) -> bool {
        cle::hash(cle).trailing_zeros() >= self.bits
    }

    fn ajouter(&mut self, cle: String) {
        if self.retient(&cle) {
            self.cles.push(cle);
            while self.cles.len() > ECHANTILLON {
                self.bits += 1;
                let cles = std::mem::take(&mut self.cles);
                self.cles = cles.into_iter().filter(|c| self.retient(c)).collect();
            }
        }
    }

    /// Keys that cut what was sampled into `parts` even parts.
    fn separateurs(mut self, parts: usize) -> Vec<String> {
        self.cles.sort_unstable();
        self.cles.dedup();
        let n = self.cles.len();
        let mut separateurs: Vec<String> = (1..parts).filter_map(|i| self.cles.get(i * n / parts).cloned()).collect();
        separateurs.dedup();
        separateurs
    }
}

/// The sorting of one list in one order.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tri {
    liste: usize,
    codes: bool,
    separateurs: Vec<String>,
    flux: Flux,
}

impl Tri {
    fn ordre(&self) -> Ordre {
        if self.codes { Ordre::Codes } else { Ordre::Lieux }
    }
}

/// Rows found again of a list: in the form that is read, under codes, under places.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Verifiees {
    lignes: usize,
    par_code: usize,
    par_uai: usize,
}

/// What of a list is verified together.
#[derive(Clone, Copy)]
enum Morceaux {
    Segments(Ordre, Format),
    Codes,
    Lieux,
}

/// What the steps need between two calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Etat {
    base: Option<Manifeste>,
    doublements: u32,
    /// The mailles declared by this push or before it.
    declarations: BTreeMap<String, MailleDeclaree>,
    listes: Vec<ListeEnCours>,
    octets: [u64; 6],
    bundles: [usize; 6],
    partitions: [usize; 6],
    sources: Flux,
    sequence: u64,
    curseur: (usize, usize),
    tris: Vec<Tri>,
    comptes: Flux,
    empreinte: [u64; 4],
    fiches: [u64; 6],
    millesimes: MillesimesEnVigueur,
    constructeur: Option<Vec<u8>>,
    index: indexer::Index,
    /// What was found so far of the list that is verified.
    verifiees: Verifiees,
    /// The next values of plans and of counts that do not fit into one.
    suite_plans: usize,
    suite_comptes: usize,
}

/// What is known of a published generation, for the next publication and for reports.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Manifeste {
    generation: String,
    digest: String,
    documents: Effectifs,
    octets: Vec<u64>,
    sources: Flux,
    sequence: u64,
    millesimes: MillesimesEnVigueur,
    /// How many partitions of the sources come first and hold statistics only.
    #[serde(default)]
    statistiques: usize,
    /// The declared mailles that have documents.
    #[serde(default)]
    declarations: BTreeMap<String, MailleDeclaree>,
    /// How its documents were written: see [`rendering`]. Version 0.1 did not say.
    #[serde(default)]
    rendering: String,
}

/// What decides, beside the data, what a generation holds: unchanged data makes a new generation where this changed.
fn rendering(indicators: &[String]) -> String {
    format!("{DISPOSITION}.{RENDERING}.{}", indicators.join(","))
}

const FAMILLE_MANIFESTE: &str = "manifeste";
/// The family that holds a generation's copy of the pointer that led to it.
const FAMILY_POINTER: &str = "pointeur";

impl Manifeste {
    /// The documents as they were pushed.
    pub(super) fn sources(&self) -> &Flux {
        &self.sources
    }

    /// The partitions of [`Manifeste::sources`] that documents of these kinds may lie in.
    pub(super) fn partitions(&self, kinds: &[Kind]) -> std::ops::Range<usize> {
        let statistiques = kinds.iter().any(|k| k.maille().is_some());
        if statistiques { 0..self.sources.partitions() } else { self.statistiques..self.sources.partitions() }
    }

    pub(super) async fn lire<K: KeyValue>(kv: &K, generation: &str) -> Result<Self, StoreError> {
        let premier = lire_long(kv, generation, FAMILLE_MANIFESTE, 0, 1).await?;
        let abime = || StoreError::Damaged(cle::valeur(generation, FAMILLE_MANIFESTE, 0));
        let nombre: usize = serde_json::from_slice(&premier).map_err(|_| abime())?;
        let bytes = lire_long(kv, generation, FAMILLE_MANIFESTE, 1, nombre).await?;
        serde_json::from_slice(&bytes).map_err(|_| abime())
    }

    async fn ecrire<K: KeyValueWrite>(&self, ecrivain: &mut Ecrivain<'_, K>) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        let nombre = poser_long(ecrivain, FAMILLE_MANIFESTE, 1, &bytes).await?;
        ecrivain.poser(FAMILLE_MANIFESTE, 0, nombre.to_string().into_bytes()).await
    }
}

/// The partition of the sources that holds what is only kept for the treatments.
fn partition_source(partitions: &[usize; 6], famille: Option<Famille>, hash: u64) -> usize {
    let avant = |rang: usize| partitions.iter().take(rang).sum::<usize>();
    match famille {
        None => avant(partitions.len()),
        Some(f) => avant(f.rang()) + cle::bundle(hash, partitions.get(f.rang()).copied().unwrap_or(1)),
    }
}

/// The fields a document is placed by.
struct Cles {
    document: Document,
    famille: Option<Famille>,
    /// What its bundle entry is found by.
    paire: String,
    /// What tells it from its neighbours in the entry.
    version: String,
    ligne: Option<CleLigne>,
}

fn texte(document: &Document, champ: &str) -> String {
    document.get(champ).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

fn code_de(document: &Document, champ: &str) -> String {
    document.get(champ).and_then(|r| r.get("code")).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

impl Cles {
    fn lire(kind: Kind, json: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(json).ok()?;
        let code = texte(&document, "code_certification");
        let nomenclature = |champ: &str| {
            let cle = texte(&document, champ);
            (Some(Famille::Nomenclature), cle::paire(kind.nom(), &cle), String::new())
        };
        let (famille, paire, version) = match (kind, kind.maille()) {
            (_, Some(maille)) => {
                let place = match maille {
                    Maille::Nationale => String::new(),
                    Maille::Regionale => code_de(&document, "region"),
                    Maille::Etablissement => texte(&document, "uai"),
                    Maille::Declaree => {
                        cle::lieu_declare(&texte(&document, CHAMP_MAILLE), &texte(&document, CHAMP_LIEU))
                    }
                };
                let version = format!("{}|{}", texte(&document, "millesime"), texte(&document, "filiere"));
                (Some(Famille::Documents(maille)), cle::paire(&place, &code), version)
            }
            (Kind::BcnSise, _) => nomenclature("diplome_sise"),
            (Kind::Etablissement, _) => nomenclature("numero_uai"),
            (Kind::Bcn, _) => nomenclature("code_certification"),
            (Kind::BcnMef, _) => (None, cle::paire(kind.nom(), &texte(&document, "mef_stat_11")), String::new()),
            (Kind::Rncp, _) => (None, cle::paire(kind.nom(), &kind.cle(&document).unwrap_or_default()), String::new()),
            _ => (None, cle::paire(kind.nom(), &texte(&document, "id")), String::new()),
        };
        let ligne = match (kind.maille(), kind) {
            (Some(maille), _) => {
                let filiere = texte(&document, "filiere");
                Some(CleLigne {
                    millesime: texte(&document, "millesime"),
                    univers: Filiere::parse(&filiere).map_or(Univers::Secondaire, Filiere::univers),
                    region: if maille == Maille::Nationale { String::new() } else { code_de(&document, "region") },
                    academie: match maille {
                        Maille::Etablissement | Maille::Declaree => code_de(&document, "academie"),
                        Maille::Nationale | Maille::Regionale => String::new(),
                    },
                    uai: match maille {
                        Maille::Etablissement => texte(&document, "uai"),
                        Maille::Declaree => texte(&document, CHAMP_LIEU),
                        Maille::Nationale | Maille::Regionale => String::new(),
                    },
                    filiere,
                    code,
                })
            }
            (None, Kind::Bcn) => Some(Rangee::bcn(&document).cle),
            _ => None,
        };
        Some(Self { document, famille, paire, version, ligne })
    }
}

fn famille_de(kind: &str) -> Option<Famille> {
    match Kind::parse(kind)? {
        Kind::Bcn | Kind::BcnSise | Kind::Etablissement => Some(Famille::Nomenclature),
        autre => autre.maille().map(Famille::Documents),
    }
}

/// Runs a job for at most `budget_ms`, then saves where it stands. Call it until
/// [`Etape::est_finale`] or [`Etape::AttendreConfirmation`].
///
/// # Errors
/// [`PublicationError::Busy`] where another job holds the lease; those of the store, after which
/// the job stands where it stood.
pub async fn avancer<K: KeyValueWrite, E: Environnement>(
    kv: &K,
    env: &E,
    id: &str,
    budget_ms: u64,
    indicateurs: &[String],
) -> Result<Job, PublicationError> {
    let debut = env.monotone_ms();
    let maintenant = env.maintenant_ms();
    let (job, avant) = match Job::lire(kv, id).await {
        Err(PublicationError::Store(StoreError::Unavailable(raison))) => {
            return Err(StoreError::Unavailable(raison).into());
        }
        Err(erreur) => return Job::finir_perdu(kv, id, erreur, maintenant).await,
        Ok(lue) => lue,
    };
    if job.etape.est_finale() {
        // Killed at its very end, it may not have been closed.
        fermer(kv, &job, maintenant).await?;
        return Ok(job);
    }
    if !Registre::lire(kv).await?.jobs.iter().any(|j| j == id) {
        let raison = Some("le travail n'est plus inscrit au registre".to_owned());
        return job.terminer(kv, &avant, Etape::Echec, raison, maintenant).await;
    }
    let attend = matches!(job.etape, Etape::Depot | Etape::AttendreConfirmation);
    let Some(generation) = job.generation.clone().filter(|_| !attend) else {
        return Ok(job);
    };
    let bail = Bail::prendre(kv, id, maintenant).await?;
    let fin = debut.saturating_add(budget_ms);
    let sortie = mener(kv, env, job.clone(), &avant, generation, &bail, (debut, fin), indicateurs).await;
    let sortie = match sortie {
        // What was written cannot be read again, or what is to be written does not fit: trying once more would not help.
        Err(PublicationError::Store(erreur)) if erreur.raison().is_some() => {
            job.terminer(kv, &avant, Etape::Echec, erreur.raison(), env.maintenant_ms()).await
        }
        sortie => sortie,
    };
    let rendu = bail.rendre(kv).await;
    let job = sortie?;
    rendu?;
    Ok(job)
}

#[expect(clippy::too_many_arguments, reason = "called once")]
async fn mener<K: KeyValueWrite, E: Environnement>(
    kv: &K,
    env: &E,
    job: Job,
    avant: &[u8],
    generation: String,
    bail: &Bail,
    (debut, fin): (u64, u64),
    indicateurs: &[String],
) -> Result<Job, PublicationError> {
    let etat = match job.etat {
        None => Etat::default(),
        Some((numero, debut, nombre)) => {
            let bytes = lire_long(kv, &generation, &famille_etat(numero), debut, nombre).await?;
            serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged(famille_etat(numero)))?
        }
    };
    let ecrivain = Ecrivain::ouvrir(kv, &generation, env.lot()).await?;
    let numero = bail.numero;
    let mut marche = Marche { kv, env, job, avant, generation, etat, ecrivain, numero, fin, indicateurs };
    marche.courir(bail).await?;
    let ecoule = env.monotone_ms().saturating_sub(debut);
    marche.sauver(ecoule).await
}

/// What an ended job leaves: its parts may go, and its generation unless it is served.
async fn fermer<K: KeyValueWrite>(kv: &K, job: &Job, maintenant: i64) -> Result<(), StoreError> {
    let registre = Registre::lire(kv).await?;
    let ouvert = registre.jobs.contains(&job.id);
    // Neither open nor on its way out: its record is all that is left, and goes.
    if ouvert || !registre.nomme(&job.id) { Registre::solder(kv, &job.id, maintenant).await } else { Ok(()) }
}

fn famille_etat(numero: u64) -> String {
    format!("etat.{numero}")
}

struct Marche<'a, K, E> {
    kv: &'a K,
    env: &'a E,
    job: Job,
    avant: &'a [u8],
    generation: String,
    etat: Etat,
    ecrivain: Ecrivain<'a, K>,
    numero: u64,
    fin: u64,
    indicateurs: &'a [String],
}

impl<K: KeyValueWrite, E: Environnement> Marche<'_, K, E> {
    fn a_le_temps(&self) -> bool {
        self.env.monotone_ms() < self.fin
    }

    async fn courir(&mut self, bail: &Bail) -> Result<(), PublicationError> {
        loop {
            let suite = match self.job.etape {
                Etape::Repartir => self.repartir().await?,
                Etape::Construire => self.construire().await?,
                Etape::Lister => self.lister().await?,
                Etape::Compter => self.compter().await?,
                Etape::Indexer => self.indexer().await?,
                Etape::Verifier => self.verifier().await?,
                Etape::Basculer => self.basculer(bail).await?,
                _ => return Ok(()),
            };
            if let Some(etape) = suite {
                self.vider().await?;
                self.job.etape = etape;
                self.etat.curseur = (0, 0);
                self.job.avancement = (0, 0);
            }
            if !self.a_le_temps() {
                return Ok(());
            }
        }
    }

    /// Writes what waits: what comes next may read it.
    async fn vider(&mut self) -> Result<(), PublicationError> {
        let numero = self.numero;
        let lieux = self.etat.listes.iter_mut().filter_map(|l| l.lieux.as_mut()).map(|l| &mut l.flux);
        for flux in lieux.chain([&mut self.etat.sources, &mut self.etat.comptes]) {
            flux.vider(&mut self.ecrivain, numero, 0).await?;
        }
        for flux in self.etat.index.flux() {
            flux.vider(&mut self.ecrivain, numero, 0).await?;
        }
        for tri in &mut self.etat.tris {
            tri.flux.vider(&mut self.ecrivain, numero, 0).await?;
        }
        Ok(self.ecrivain.vider().await?)
    }

    /// Writes what waits, then the state, then the record: only the record makes the rest count.
    async fn sauver(mut self, ecoule: u64) -> Result<Job, PublicationError> {
        let numero = self.numero;
        if !self.job.etape.est_finale() {
            self.vider().await?;
            let bytes = serde_json::to_vec(&self.etat).unwrap_or_default();
            let nombre = poser_long(&mut self.ecrivain, &famille_etat(numero), 0, &bytes).await?;
            self.job.etat = Some((numero, 0, nombre));
        }
        self.ecrivain.vider().await?;
        self.job.bilan.ecritures += self.ecrivain.ecritures;
        self.job.bilan.duree_ms += ecoule;
        self.job.ecrire(self.kv, self.avant).await?;
        if self.job.etape.est_finale() {
            fermer(self.kv, &self.job, self.env.maintenant_ms()).await?;
        }
        Ok(self.job)
    }

    // --- repartir -------------------------------------------------------------------------

    async fn preparer(&mut self) -> Result<(), PublicationError> {
        let base = match Served::read(self.kv).await? {
            Some(served) => Some(Manifeste::lire(self.kv, &served.pointer.generation).await?),
            None => None,
        };
        let mut octets = [0; 6];
        for (total, n) in octets.iter_mut().zip(base.iter().flat_map(|b| &b.octets)) {
            *total = *n;
        }
        let mut declarations = base.as_ref().map(|b| b.declarations.clone()).unwrap_or_default();
        for (kind, n) in &self.job.octets {
            if let Some(total) = famille_de(kind).and_then(|f| octets.get_mut(f.rang())) {
                *total += n;
            }
        }
        declarations.extend(self.job.mailles.clone());
        if declarations.len() > MAILLES_MAX {
            let noms: Vec<&str> = declarations.keys().map(String::as_str).collect();
            self.job.bilan.echec = Some(format!(
                "{MAILLES_MAX} mailles déclarées au plus, il y en aurait {} : {}",
                noms.len(),
                noms.join(", ")
            ));
            self.job.etape = Etape::Echec;
            return Ok(());
        }
        self.etat.declarations = declarations;
        self.dimensionner(base, octets, self.etat.doublements);
        Ok(())
    }

    /// Decides how many bundles and partitions there are. Bundles of a family are a multiple of
    /// its partitions, so that a bundle lies in one partition.
    fn dimensionner(&mut self, base: Option<Manifeste>, octets: [u64; 6], doublements: u32) {
        let parts = |n: u64, par: u64| usize::try_from(n.div_ceil(par).max(1)).unwrap_or(usize::MAX);
        let mut partitions = octets.map(|n| parts(n, PARTITION));
        if self.etat.declarations.is_empty()
            && let Some(declarees) = partitions.get_mut(Famille::Documents(Maille::Declaree).rang())
        {
            *declarees = 0;
        }
        // Counts are spread by a stream of their own.
        if let Some(comptes) = partitions.get_mut(Famille::Comptes.rang()) {
            *comptes = 0;
        }
        let mut bundles = [0; 6];
        for ((bundles, partitions), octets) in bundles.iter_mut().zip(partitions).zip(octets) {
            // A family without partitions has no bundles.
            *bundles = (parts(octets, BUNDLE).div_ceil(partitions.max(1)) * partitions) << doublements;
        }
        let declarations = std::mem::take(&mut self.etat.declarations);
        let listes = LISTES.iter().map(|(nom, maille)| ListeEnCours::nouvelle((*nom).to_owned(), *maille));
        let declarees =
            declarations.keys().map(|nom| ListeEnCours::nouvelle(cle::liste_declaree(nom), Some(Maille::Declaree)));
        self.etat = Etat {
            listes: listes.chain(declarees).collect(),
            declarations,
            base,
            doublements,
            bundles,
            partitions,
            sources: Flux::nouveau("sources", partitions.iter().sum::<usize>() + 1),
            sequence: 0,
            ..Etat::default()
        };
        self.etat.sequence = self.etat.base.as_ref().map_or(0, |b| b.sequence);
        // Counted once more, where bundles are doubled.
        self.job.bilan.reprises = 0;
        self.job.bilan.documents.clear();
        self.job.bilan.sous_seuil.clear();
    }

    async fn repartir(&mut self) -> Result<Option<Etape>, PublicationError> {
        if self.etat.sources.partitions() == 0 {
            self.preparer().await?;
            if self.job.etape.est_finale() {
                return Ok(None);
            }
        }
        let anciennes = self.etat.base.as_ref().map_or(0, |b| b.sources.partitions());
        let parties = self.job.consigne.parties;
        let (rang, morceau) = self.etat.curseur;
        self.job.avancement = (rang, anciennes + parties);
        if rang < anciennes {
            self.reprendre(rang).await?;
            self.etat.curseur = (rang + 1, 0);
        } else if rang < anciennes + parties {
            let partie = rang - anciennes;
            let depot = Depot::new(self.kv, &self.job.id, 1);
            let abime = || StoreError::Damaged(format!("part {partie}"));
            let info = depot.info(partie).await?.ok_or_else(abime)?;
            if morceau >= info.morceaux {
                self.etat.curseur = (rang + 1, 0);
                return Ok(None);
            }
            for (kind, json) in depot.morceau(partie, &info, morceau).await? {
                if kind == Kind::User {
                    let document: Document = serde_json::from_slice(&json).map_err(|_| abime())?;
                    self.env.utilisateur(&document).await?;
                } else if kind != Kind::Maille {
                    let sequence = self.etat.sequence;
                    self.etat.sequence += 1;
                    self.placer(kind, sequence, &json).await?;
                }
            }
            self.etat.curseur = (rang, morceau + 1);
        } else {
            self.preparer_les_tris();
            return Ok(Some(Etape::Construire));
        }
        self.alleger().await?;
        Ok(None)
    }

    /// Carries over what the push does not replace.
    async fn reprendre(&mut self, partition: usize) -> Result<(), PublicationError> {
        let Some(base) = self.etat.base.clone() else { return Ok(()) };
        let lue = base.sources.lire(self.kv, &base.generation, partition).await?;
        let ouverture = self.job.ouverture.clone();
        for record in lue.records() {
            let (kind, sequence, _, json) = lire_source(record).ok_or(StoreError::Damaged("source".into()))?;
            let statistique: Option<Document> = kind.maille().and_then(|_| serde_json::from_slice(json).ok());
            let remplace = ouverture.remplace(kind, statistique.as_ref());
            if !remplace {
                self.job.bilan.reprises += 1;
                self.placer(kind, sequence, json).await?;
            }
        }
        Ok(())
    }

    async fn placer(&mut self, kind: Kind, sequence: u64, json: &[u8]) -> Result<(), PublicationError> {
        let cles = Cles::lire(kind, json).ok_or(StoreError::Damaged("source".into()))?;
        if let (Some(rang), Some(ligne)) = (self.rang_liste(kind, &cles.document), &cles.ligne)
            && let Some(liste) = self.etat.listes.get_mut(rang)
        {
            liste.octets += json.len() as u64;
            for (echantillon, ordre) in liste.echantillons.iter_mut().zip(Ordre::TOUS) {
                echantillon.ajouter(String::from_utf8(ligne.tri(ordre)).unwrap_or_default());
            }
        }
        if let Some(octets) = cles.famille.and_then(|f| self.etat.octets.get_mut(f.rang())) {
            *octets += json.len() as u64;
        }
        let partition = partition_source(&self.etat.partitions, cles.famille, cle::hash(&cles.paire));
        let mut record = Writer::default();
        record.number(u64::from(kind.rang())).number(sequence).text(&cles.paire);
        record.0.extend_from_slice(json);
        self.etat.sources.ajouter(&mut self.ecrivain, self.numero, partition, &record.0).await?;
        Ok(())
    }

    /// The list that a document has a row in.
    fn rang_liste(&self, kind: Kind, document: &Document) -> Option<usize> {
        match kind.maille() {
            Some(Maille::Declaree) => {
                let nom = cle::liste_declaree(document.get(CHAMP_MAILLE)?.as_str()?);
                self.etat.listes.iter().position(|l| l.nom == nom)
            }
            Some(maille) => LISTES.iter().position(|(_, m)| *m == Some(maille)),
            None => (kind == Kind::Bcn).then_some(BCN),
        }
    }

    fn preparer_les_tris(&mut self) {
        let octets = self.etat.octets;
        let taille = |rang: usize| octets.get(rang).copied().unwrap_or_default();
        let parts = |n: u64| usize::try_from((n + n / 2).div_ceil(PARTITION_TRI).max(1)).unwrap_or(1);
        for (rang, liste) in self.etat.listes.iter_mut().enumerate() {
            // Declared mailles share a family of bundles, but no list.
            let octets = match liste.maille {
                Some(Maille::Declaree) => liste.octets,
                maille => taille(maille.map_or(Famille::Nomenclature, Famille::Documents).rang()),
            };
            let par_ordre = std::mem::take(&mut liste.echantillons);
            if let (Some(lieux), Some(echantillon)) = (&mut liste.lieux, par_ordre.first()) {
                let uais =
                    echantillon.cles.iter().filter_map(|c| Some(CleLigne::lire(c.as_bytes(), Ordre::Lieux)?.uai));
                lieux.separateurs = Echantillon { bits: 0, cles: uais.collect() }.separateurs(parts(octets / 8));
                lieux.flux = Flux::nouveau(&flux_lieux(&liste.nom), lieux.separateurs.len() + 1);
            }
            for (echantillon, ordre) in par_ordre.into_iter().zip(Ordre::TOUS) {
                if ordre == Ordre::Codes && liste.maille.is_none() {
                    continue;
                }
                let separateurs = echantillon.separateurs(parts(octets));
                let flux = Flux::nouveau(&format!("tri.{}.{}", liste.nom, ordre.nom()), separateurs.len() + 1);
                self.etat.tris.push(Tri { liste: rang, codes: ordre == Ordre::Codes, separateurs, flux });
            }
        }
        let comptes = Famille::Comptes.rang();
        let declarees = taille(Famille::Documents(Maille::Declaree).rang());
        let octets_comptes = (taille(0) + taille(1) + declarees) / 4;
        if let Some(bundles) = self.etat.bundles.get_mut(comptes) {
            let partitions = parts(octets_comptes / 2);
            let voulus = usize::try_from(octets_comptes.div_ceil(BUNDLE).max(1)).unwrap_or(1);
            *bundles = (voulus.div_ceil(partitions) * partitions) << self.etat.doublements;
            self.etat.comptes = Flux::nouveau("comptes", partitions);
        }
        let nomenclature = taille(Famille::Nomenclature.rang());
        self.etat.index = indexer::Index::nouveau(nomenclature, taille(0) + taille(1) + taille(2));
    }

    /// Keeps the memory of all streams bounded.
    async fn alleger(&mut self) -> Result<(), PublicationError> {
        let numero = self.numero;
        let etat = &mut self.etat;
        let mut flux: Vec<&mut Flux> = etat.tris.iter_mut().map(|t| &mut t.flux).collect();
        flux.extend([&mut etat.sources, &mut etat.comptes]);
        flux.extend(etat.listes.iter_mut().filter_map(|l| l.lieux.as_mut()).map(|l| &mut l.flux));
        flux.extend(etat.index.flux());
        let total: usize = flux.iter().map(|f| f.taille()).sum();
        if total > TAMPONS {
            // The fullest quarter goes: the longer buffers wait, the larger their pieces.
            for f in flux {
                let reste = f.taille() / 4 * 3;
                f.vider(&mut self.ecrivain, numero, reste).await?;
            }
        }
        Ok(())
    }

    // --- construire -----------------------------------------------------------------------

    async fn construire(&mut self) -> Result<Option<Etape>, PublicationError> {
        let (partition, _) = self.etat.curseur;
        let docs: usize = self.etat.partitions.iter().sum();
        self.job.avancement = (partition, docs + 1);
        if partition > docs {
            return Ok(Some(Etape::Lister));
        }
        if partition == docs {
            // What is only kept for the treatments counts in the digest, and says the RNCP codes of the search.
            let autres = self.etat.sources.partitions() - 1;
            let lue = self.etat.sources.lire(self.kv, &self.generation, autres).await?;
            for record in lue.records() {
                let (kind, _, _, json) = lire_source(record).ok_or(StoreError::Damaged("source".into()))?;
                self.compter_empreinte(kind, json);
                self.indexer_rncp(kind, json).await?;
            }
            self.etat.curseur = (partition + 1, 0);
            return Ok(None);
        }
        let mut locale = partition;
        let mut famille = Famille::TOUTES[0];
        for (f, n) in Famille::TOUTES.into_iter().zip(self.etat.partitions) {
            famille = f;
            if locale < n {
                break;
            }
            locale -= n;
        }
        if !self.construire_partition(famille, partition, locale).await? {
            let (base, octets) = (self.etat.base.take(), self.etat.octets);
            let doublements = self.etat.doublements + 1;
            if doublements > DOUBLEMENTS {
                self.job.bilan.echec = Some("un document ne tient pas dans une valeur du magasin".into());
                return Ok(Some(Etape::Echec));
            }
            self.dimensionner(base, octets, doublements);
            return Ok(Some(Etape::Repartir));
        }
        self.verifier_effectifs()?;
        self.etat.curseur = (partition + 1, 0);
        self.alleger().await?;
        Ok(None)
    }

    /// Builds the bundles of a partition; `false` where one grew beyond a value.
    async fn construire_partition(
        &mut self,
        famille: Famille,
        partition: usize,
        locale: usize,
    ) -> Result<bool, PublicationError> {
        let abime = || StoreError::Damaged("source".into());
        let lue = self.etat.sources.lire(self.kv, &self.generation, partition).await?;
        let n_bundles = self.etat.bundles.get(famille.rang()).copied().unwrap_or(1);
        let par_partition = n_bundles / self.etat.partitions.get(famille.rang()).copied().unwrap_or(1).max(1);
        let mut par_bundle: Vec<Vec<Place<'_>>> = vec![Vec::new(); par_partition];
        for record in lue.records() {
            let (kind, sequence, paire, json) = lire_source(record).ok_or_else(abime)?;
            let n = cle::bundle(cle::hash(paire), n_bundles);
            par_bundle.get_mut(n - locale * par_partition).ok_or_else(abime)?.push((paire, sequence, kind, json));
        }
        for (rang, mut docs) in par_bundle.into_iter().enumerate() {
            // By entry, then in the order of the push.
            docs.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
            let mut entrees = Vec::new();
            let mut docs = docs.into_iter().peekable();
            while let Some((paire, sequence, kind, json)) = docs.next() {
                let mut groupe: Vec<(u64, Kind, &[u8], Cles)> =
                    vec![(sequence, kind, json, Cles::lire(kind, json).ok_or_else(abime)?)];
                while let Some((_, sequence, kind, json)) = docs.next_if(|d| d.0 == paire) {
                    let cles = Cles::lire(kind, json).ok_or_else(abime)?;
                    // The document of the same key takes the place, and keeps the rank, of the one before.
                    match groupe.iter_mut().find(|g| g.3.version == cles.version) {
                        Some(ancien) => *ancien = (ancien.0, kind, json, cles),
                        None => groupe.push((sequence, kind, json, cles)),
                    }
                }
                let entree = self.construire_entree(famille, groupe).await?;
                if entree.len() > VALUE_MAX / 2 {
                    self.job.bilan.echec =
                        Some(format!("les documents de {paire} ne tiennent pas dans une valeur du magasin"));
                    self.job.etape = Etape::Echec;
                }
                entrees.push((paire.to_owned(), entree));
            }
            self.ajouter_fiches(famille, entrees.len());
            let bundle = bundle::pack(entrees);
            if bundle.len() > VALUE_MAX {
                return Ok(false);
            }
            self.ecrivain.poser(famille.nom(), locale * par_partition + rang, bundle).await?;
        }
        Ok(true)
    }

    /// A report tells couples of maille, millesime and provenance apart: it must stay a value.
    fn verifier_effectifs(&self) -> Result<(), StoreError> {
        let couples: usize = self.job.bilan.documents.values().flat_map(|m| m.values().map(BTreeMap::len)).sum();
        if couples > EFFECTIFS_MAX {
            let quoi = format!("le rapport, de plus de {EFFECTIFS_MAX} couples de maille, millésime et provenance,");
            return Err(StoreError::TooLarge(quoi, couples * 100));
        }
        Ok(())
    }

    fn ajouter_fiches(&mut self, famille: Famille, nombre: usize) {
        if let Some(total) = self.etat.fiches.get_mut(famille.rang()) {
            *total += nombre as u64;
        }
    }

    async fn construire_entree(
        &mut self,
        famille: Famille,
        groupe: Vec<(u64, Kind, &[u8], Cles)>,
    ) -> Result<Vec<u8>, PublicationError> {
        let Famille::Documents(maille) = famille else {
            // The nomenclature: one document a key. Only what lookups need is kept in bundles.
            let Some((_, kind, json, cles)) = groupe.into_iter().next() else { return Ok(Vec::new()) };
            self.compter_empreinte(kind, json);
            self.indexer_nomenclature(kind, &cles.document).await?;
            if kind == Kind::Bcn {
                let rangee = Rangee::bcn(&cles.document);
                self.trier(BCN, &rangee).await?;
                let cfd = texte(&cles.document, "code_formation_diplome");
                return Ok(cfd.into_bytes());
            }
            return Ok(Vec::new());
        };
        let mut versions = Vec::new();
        let mut connues: Option<indexer::Entree> = None;
        let (mut code, mut nom) = (String::new(), maille.liste().to_owned());
        for (sequence, kind, json, cles) in groupe {
            self.compter_empreinte(kind, json);
            let Some(ligne) = cles.ligne else { continue };
            let rang = self.rang_liste(kind, &cles.document);
            if maille == Maille::Declaree {
                nom = texte(&cles.document, CHAMP_MAILLE);
            }
            let filiere = Filiere::parse(&ligne.filiere).unwrap_or(Filiere::Pro);
            if let Some(millesime) = Millesime::parse(&ligne.millesime) {
                self.etat.millesimes.retenir(maille, &nom, filiere, &millesime);
            }
            let lieu = match maille {
                Maille::Declaree => cle::lieu_declare(&nom, &ligne.uai),
                _ => ligne.region.clone(),
            };
            if maille != Maille::Etablissement
                && let Some(compte) = Compte::nouveau(&cles.document)
            {
                self.poser_compte(&lieu, sequence, &cles.document, &compte).await?;
            }
            let source = cles.document.get("donnee_source").and_then(|s| s.get("type")).and_then(|t| t.as_str());
            let source = court(source.unwrap_or("sans donnees"), NOM_MAX).to_owned();
            let par_millesime = self.job.bilan.documents.entry(nom.clone()).or_default();
            *par_millesime.entry(ligne.millesime.clone()).or_default().entry(source).or_default() += 1;
            code.clone_from(&ligne.code);
            let version = (ligne.filiere.clone(), ligne.millesime.clone());
            match &mut connues {
                Some(entree) => {
                    entree.versions.insert(version);
                }
                None => connues = Some(indexer::Entree { versions: [version].into(), document: cles.document.clone() }),
            }
            let publie = DocumentPublie::nouveau(cles.document);
            if publie.est_sous_seuil() {
                *self.job.bilan.sous_seuil.entry(nom.clone()).or_default() += 1;
            }
            let version = Version::nouvelle(&publie);
            let rangee = Rangee::statistique(maille, ligne, &publie, &version, self.indicateurs);
            if let Some(rang) = rang {
                self.trier(rang, &rangee).await?;
            }
            versions.push(version);
        }
        if let Some(entree) = connues.as_ref().filter(|_| maille != Maille::Declaree) {
            let place = indexer::place(maille, &entree.document);
            self.indexer_entree(&indexer::Place { maille, place: &place, code: &code }, entree).await?;
        }
        Ok(Fiche::nouvelle(versions).coder())
    }

    async fn poser_compte(
        &mut self,
        lieu: &str,
        sequence: u64,
        document: &Document,
        compte: &Compte,
    ) -> Result<(), PublicationError> {
        let cfd = texte(document, "code_formation_diplome");
        let paire = cle::paire(lieu, &cfd);
        let mut writer = Writer::default();
        writer.text(&paire).number(sequence);
        compte.coder(&mut writer);
        let partitions = self.etat.comptes.partitions();
        let partition = cle::bundle(cle::hash(&paire), partitions);
        self.etat.comptes.ajouter(&mut self.ecrivain, self.numero, partition, &writer.0).await?;
        Ok(())
    }

    async fn trier(&mut self, rang: usize, rangee: &Rangee) -> Result<(), PublicationError> {
        if let Some(liste) = self.etat.listes.get_mut(rang) {
            liste.max_json = liste.max_json.max(rangee.json.len());
            liste.max_csv = liste.max_csv.max(rangee.csv.len());
        }
        for tri in self.etat.tris.iter_mut().filter(|t| t.liste == rang) {
            let ordre = tri.ordre();
            let cle = rangee.cle.tri(ordre);
            let partition = tri.separateurs.partition_point(|s| s.as_bytes() <= cle.as_slice());
            tri.flux.ajouter(&mut self.ecrivain, self.numero, partition, &rangee.coder(ordre)).await?;
        }
        Ok(())
    }

    /// The digest of a set: the same whatever the order and the partitions.
    fn compter_empreinte(&mut self, kind: Kind, json: &[u8]) {
        let empreinte = Sha256::new().chain_update([kind.rang()]).chain_update(json).finalize();
        for (somme, octets) in self.etat.empreinte.iter_mut().zip(empreinte.chunks_exact(8)) {
            *somme = somme.wrapping_add(octets.try_into().map(u64::from_le_bytes).unwrap_or_default());
        }
    }

    // --- lister ---------------------------------------------------------------------------

    async fn lister(&mut self) -> Result<Option<Etape>, PublicationError> {
        let (rang, partition) = self.etat.curseur;
        let tailles = self.etat.tris.iter().map(|t| t.flux.partitions());
        let tailles: Vec<usize> = tailles.chain(self.etat.listes.iter().map(ListeEnCours::partitions_lieux)).collect();
        self.job.avancement = (tailles.iter().take(rang).sum::<usize>() + partition, tailles.iter().sum());
        let Some(tri) = self.etat.tris.get(rang).cloned() else {
            return self.lister_lieux(rang - self.etat.tris.len(), partition).await;
        };
        let abime = || StoreError::Damaged("liste".into());
        let liste = self.etat.listes.get(tri.liste).ok_or_else(abime)?;
        let (nom, maille, max_json, max_csv) = (liste.nom.clone(), liste.maille, liste.max_json, liste.max_csv);
        let nom = nom.as_str();
        let ordre = tri.ordre();
        let mut constructeur = match self.etat.constructeur.take() {
            Some(bytes) => Constructeur::decoder(&bytes).ok_or(StoreError::Damaged("liste".into()))?,
            None => Constructeur::nouveau(nom, ordre, max_json, max_csv),
        };
        let lue = tri.flux.lire(self.kv, &self.generation, partition).await?;
        let mut lignes: Vec<(&[u8], &[u8], &[u8])> = Vec::new();
        for record in lue.records() {
            let mut reader = Reader(record);
            let pieces = (|| Some((reader.bytes()?, reader.bytes()?, reader.bytes()?)))();
            lignes.push(pieces.ok_or(StoreError::Damaged("liste".into()))?);
        }
        lignes.sort_by(|a, b| a.0.cmp(b.0));
        for (cle, json, csv) in lignes {
            let cle = CleLigne::lire(cle, ordre).ok_or(StoreError::Damaged("liste".into()))?;
            let place = constructeur.ajouter(&mut self.ecrivain, &cle, json, csv).await?;
            let lieux = self.etat.listes.get_mut(tri.liste).and_then(|l| l.lieux.as_mut());
            if let Some(lieux) = lieux.filter(|_| ordre == Ordre::Lieux) {
                let mut writer = Writer::default();
                writer.bytes(&cle.tri(Ordre::Lieux)).size(place);
                let p = lieux.separateurs.partition_point(|s| *s <= cle.uai);
                lieux.flux.ajouter(&mut self.ecrivain, self.numero, p, &writer.0).await?;
            }
        }
        self.alleger().await?;
        if partition + 1 < tri.flux.partitions() {
            self.etat.constructeur = Some(constructeur.coder());
            self.etat.curseur = (rang, partition + 1);
            return Ok(None);
        }
        let mut plan = if ordre == Ordre::Lieux { Plan::default() } else { self.lire_plan(nom).await? };
        plan.entete_csv = entete_csv(maille, self.indicateurs);
        let total = constructeur.total;
        constructeur.finir(&mut self.ecrivain, &mut plan).await?;
        if let Some(liste) = self.etat.listes.get_mut(tri.liste) {
            liste.lignes = total as u64;
        }
        self.ecrire_plan(nom, &plan).await?;
        self.etat.curseur = (rang + 1, 0);
        Ok(None)
    }

    async fn lire_plan(&mut self, nom: &str) -> Result<Plan, PublicationError> {
        self.ecrivain.vider().await?;
        Ok(Plan::lire(self.kv, &self.generation, nom).await?)
    }

    async fn ecrire_plan(&mut self, nom: &str, plan: &Plan) -> Result<(), PublicationError> {
        let famille = liste::famille_plan(nom);
        // A plan that is written again goes on in other values: killed in between, the older one is still whole.
        let debut = self.ecrivain.poser_suite(&famille, &mut self.etat.suite_plans, plan.coder(), PLAN_MAX).await?;
        Ok(self.ecrivain.poser(&famille, 0, liste::pack(&[debut], 1)).await?)
    }

    /// Builds the pages of the places of a list.
    async fn lister_lieux(&mut self, rang: usize, partition: usize) -> Result<Option<Etape>, PublicationError> {
        let Some(liste) = self.etat.listes.get_mut(rang) else { return Ok(Some(Etape::Compter)) };
        let (suivante, nom) = ((self.etat.tris.len() + rang + 1, 0), liste.nom.clone());
        let Some(mut lieux) = liste.lieux.take() else {
            self.etat.curseur = suivante;
            return Ok(None);
        };
        if partition >= lieux.flux.partitions() {
            let mut plan = self.lire_plan(&nom).await?;
            plan.pages_uais = std::mem::take(&mut lieux.pages);
            self.ecrire_plan(&nom, &plan).await?;
            self.etat.curseur = suivante;
        } else {
            // The stream is written out by its own state, taken out for the time of this step.
            lieux.flux.vider(&mut self.ecrivain, self.numero, 0).await?;
            self.ecrivain.vider().await?;
            self.lister_partition(&nom, &mut lieux, partition).await?;
            self.etat.curseur.1 = partition + 1;
        }
        if let Some(liste) = self.etat.listes.get_mut(rang) {
            liste.lieux = Some(lieux);
        }
        Ok(None)
    }

    async fn lister_partition(
        &mut self,
        nom: &str,
        lieux: &mut IndexLieux,
        partition: usize,
    ) -> Result<(), PublicationError> {
        let lue = lieux.flux.lire(self.kv, &self.generation, partition).await?;
        let abime = || StoreError::Damaged("uais".into());
        let mut uais: BTreeMap<String, Vec<(usize, CleLigne)>> = BTreeMap::new();
        for record in lue.records() {
            let mut reader = Reader(record);
            let cle = reader.bytes().and_then(|b| CleLigne::lire(b, Ordre::Lieux)).ok_or_else(abime)?;
            let rang = reader.size().ok_or_else(abime)?;
            uais.entry(cle.uai.clone()).or_default().push((rang, cle));
        }
        let (mut page, mut octets) = (Vec::new(), 0);
        let mut restants = uais.len();
        for (uai, mut rangs) in uais {
            rangs.sort_by_key(|(rang, _)| *rang);
            let mut entree = EntreeUai::default();
            for (rang, cle) in rangs {
                entree.ajouter(&cle, rang);
            }
            let famille = liste::famille_uais(nom);
            let bytes = self.ecrivain.poser_suite(&famille, &mut lieux.suite, entree.coder(), ENTREE_MAX).await?;
            octets += bytes.len();
            page.push((uai, bytes));
            restants -= 1;
            if octets >= PAGE_MIN || restants == 0 {
                lieux.pages.push(page.first().map(|(uai, _)| uai.clone()).unwrap_or_default());
                let n = lieux.pages.len() - 1;
                self.ecrivain.poser(&liste::famille_uais(nom), n, bundle::pack(std::mem::take(&mut page))).await?;
                octets = 0;
            }
        }
        Ok(())
    }

    // --- compter --------------------------------------------------------------------------

    async fn compter(&mut self) -> Result<Option<Etape>, PublicationError> {
        let (partition, _) = self.etat.curseur;
        let partitions = self.etat.comptes.partitions();
        self.job.avancement = (partition, partitions);
        if partition >= partitions {
            return Ok(Some(Etape::Indexer));
        }
        let abime = || StoreError::Damaged("comptes".into());
        let n_bundles = self.etat.bundles.get(Famille::Comptes.rang()).copied().unwrap_or(1);
        let par_partition = n_bundles / partitions;
        let lue = self.etat.comptes.lire(self.kv, &self.generation, partition).await?;
        let mut par_bundle: Vec<BTreeMap<String, BTreeMap<u64, &[u8]>>> = vec![BTreeMap::new(); par_partition];
        for record in lue.records() {
            let mut reader = Reader(record);
            let (paire, sequence) = (reader.text().ok_or_else(abime)?, reader.number().ok_or_else(abime)?);
            let n = cle::bundle(cle::hash(paire), n_bundles) - partition * par_partition;
            par_bundle.get_mut(n).ok_or_else(abime)?.entry(paire.to_owned()).or_default().insert(sequence, reader.0);
        }
        for (rang, paires) in par_bundle.into_iter().enumerate() {
            let mut entrees = Vec::with_capacity(paires.len());
            for (paire, comptes) in paires {
                let entree = comptes.into_values().flatten().copied().collect();
                let suite = &mut self.etat.suite_comptes;
                let famille = Famille::Comptes.nom();
                entrees.push((paire, self.ecrivain.poser_suite(famille, suite, entree, ENTREE_MAX).await?));
            }
            self.ajouter_fiches(Famille::Comptes, entrees.len());
            self.ecrivain
                .poser(Famille::Comptes.nom(), partition * par_partition + rang, bundle::pack(entrees))
                .await?;
        }
        self.etat.curseur = (partition + 1, 0);
        Ok(None)
    }

    // --- verifier -------------------------------------------------------------------------

    /// Reads every value that readers will: each must be whole, and their numbers must add up.
    async fn verifier(&mut self) -> Result<Option<Etape>, PublicationError> {
        self.ecrivain.vider().await?;
        let (rang, depart) = self.etat.curseur;
        let listes = self.etat.listes.len();
        self.job.avancement = (rang, Famille::TOUTES.len() + listes + 1);
        if let Some(famille) = Famille::TOUTES.get(rang).copied() {
            let nombre = self.etat.bundles.get(rang).copied().unwrap_or_default();
            for n in depart..nombre {
                let key = cle::valeur(&self.generation, famille.nom(), n);
                let abime = || StoreError::Damaged(key.clone());
                let valeur = self.kv.get(&key).await?.ok_or_else(abime)?;
                let entrees = bundle::entries(&valeur).map_err(|_| abime())?;
                if let Famille::Documents(_) = famille
                    && entrees.iter().any(|(_, bytes)| Fiche::decoder(bytes).is_none())
                {
                    return Err(abime().into());
                }
                if famille == Famille::Comptes {
                    for (_, entree) in entrees.iter().filter(|(_, entree)| Tete::lire(entree).is_some()) {
                        suite::entiere(self.kv, &self.generation, famille.nom(), entree.to_vec()).await?;
                    }
                }
                // What was counted when it was built must be found: to zero over the whole family.
                if let Some(fiches) = self.etat.fiches.get_mut(rang) {
                    *fiches = fiches.checked_sub(entrees.len() as u64).ok_or_else(abime)?;
                }
                if !self.a_le_temps() {
                    self.etat.curseur = (rang, n + 1);
                    return Ok(None);
                }
            }
            if self.etat.fiches.get(rang).is_some_and(|f| *f != 0) {
                return Err(StoreError::Damaged(famille.nom().into()).into());
            }
            self.etat.curseur = (rang + 1, 0);
            return Ok(None);
        }
        if let Some(liste) = self.etat.listes.get(rang - Famille::TOUTES.len()) {
            let (nom, maille, lignes) = (liste.nom.clone(), liste.maille, liste.lignes);
            if self.verifier_liste(&nom, maille, lignes, depart).await? {
                self.etat.curseur = (rang + 1, 0);
                self.etat.verifiees = Verifiees::default();
            }
            return Ok(None);
        }
        if rang == Famille::TOUTES.len() + listes {
            if self.verifier_index(depart).await? {
                self.etat.curseur = (rang + 1, 0);
            }
            return Ok(None);
        }
        for declaree in self.declarees().into_values() {
            self.compter_empreinte(Kind::Maille, &serde_json::to_vec(&declaree).unwrap_or_default());
        }
        self.job.bilan.digest = hex(&self.etat.empreinte.map(u64::to_le_bytes).concat());
        if let Some(millesimes) = &self.job.consigne.millesimes {
            let lus = std::mem::take(&mut self.etat.millesimes.mailles);
            self.etat.millesimes = MillesimesEnVigueur { mailles: lus, ..millesimes.clone() };
        }
        if let Some(base) = &self.etat.base {
            let unchanged = base.digest == self.job.bilan.digest && base.millesimes == self.etat.millesimes;
            if unchanged && base.rendering == rendering(self.indicateurs) {
                return Ok(Some(Etape::Inchange));
            }
            self.job.bilan.pertes = pertes(&base.documents, &self.job.bilan.documents);
            if !self.job.bilan.pertes.is_empty() && !self.job.consigne.confirmer_pertes {
                self.job.attend_depuis_ms = Some(self.env.maintenant_ms());
                return Ok(Some(Etape::AttendreConfirmation));
            }
        }
        Ok(Some(Etape::Basculer))
    }

    /// Reads every value of a list again, from the one at `depart` on: `true` once all of them were read.
    async fn verifier_liste(
        &mut self,
        nom: &str,
        maille: Option<Maille>,
        attendu: u64,
        depart: usize,
    ) -> Result<bool, PublicationError> {
        let plan = self.lire_plan(nom).await?;
        let abime = |quoi: &str| StoreError::Damaged(format!("{quoi} of {nom}"));
        if plan.total as u64 != attendu || plan.plages.iter().map(|p| p.nombre).sum::<usize>() != plan.total {
            return Err(abime("plan").into());
        }
        let mut morceaux = Vec::new();
        for ordre in Ordre::TOUS.into_iter().filter(|o| *o == Ordre::Lieux || maille.is_some()) {
            for format in [Format::Json, Format::Csv] {
                morceaux.push((Morceaux::Segments(ordre, format), plan.total.div_ceil(plan.lignes(format))));
            }
        }
        morceaux.extend([(Morceaux::Codes, plan.pages_codes.len()), (Morceaux::Lieux, plan.pages_uais.len())]);
        let valeurs =
            morceaux.into_iter().flat_map(|(quoi, nombre)| (0..nombre).map(move |n| (quoi, n, n + 1 == nombre)));
        for (rang, (quoi, n, derniere)) in valeurs.enumerate().skip(depart) {
            match quoi {
                Morceaux::Segments(ordre, format) => {
                    let famille = liste::famille(nom, ordre, format);
                    let valeur = lire_long(self.kv, &self.generation, &famille, n, 1).await?;
                    self.etat.verifiees.lignes += liste::unpack(&valeur).map_err(|_| abime("segment"))?.len();
                    if derniere && std::mem::take(&mut self.etat.verifiees.lignes) != plan.total {
                        return Err(abime("segments").into());
                    }
                }
                Morceaux::Codes => {
                    for entree in self.entrees_de_page(&liste::famille_codes(nom), n).await? {
                        let entree = EntreeCode::decoder(&entree).map_err(|_| abime("codes"))?;
                        self.etat.verifiees.par_code += entree.0.iter().map(|p| p.nombre).sum::<usize>();
                    }
                }
                Morceaux::Lieux => {
                    for entree in self.entrees_de_page(&liste::famille_uais(nom), n).await? {
                        let entree = EntreeUai::decoder(&entree).map_err(|_| abime("uais"))?;
                        self.etat.verifiees.par_uai += entree.0.iter().map(|(p, _)| p.nombre).sum::<usize>();
                    }
                }
            }
            if !self.a_le_temps() {
                self.etat.curseur.1 = rang + 1;
                return Ok(false);
            }
        }
        let attendus = |present: bool| if present { plan.total } else { 0 };
        if self.etat.verifiees.par_code != attendus(maille.is_some())
            || self.etat.verifiees.par_uai != attendus(matches!(maille, Some(Maille::Etablissement | Maille::Declaree)))
        {
            return Err(abime("indexes").into());
        }
        Ok(true)
    }

    /// The entries of a page, each whole.
    async fn entrees_de_page(&self, famille: &str, n: usize) -> Result<Vec<Vec<u8>>, PublicationError> {
        let page = lire_long(self.kv, &self.generation, famille, n, 1).await?;
        let lues =
            bundle::entries(&page).map_err(|_| StoreError::Damaged(cle::valeur(&self.generation, famille, n)))?;
        let mut entrees = Vec::with_capacity(lues.len());
        for (_, entree) in lues {
            entrees.push(suite::entiere(self.kv, &self.generation, famille, entree.to_vec()).await?);
        }
        Ok(entrees)
    }

    // --- basculer -------------------------------------------------------------------------

    async fn basculer(&mut self, bail: &Bail) -> Result<Option<Etape>, PublicationError> {
        let served = Served::read(self.kv).await?;
        if let Some(served) = &served
            && served.pointer.generation == self.generation
        {
            // Killed between the pointer and the record: only the record is missing.
            return self.publie(&served.pointer).await;
        }
        let base = self.etat.base.as_ref().map(|b| b.generation.clone());
        if served.as_ref().map(|served| served.pointer.generation.clone()) != base {
            self.job.bilan.echec =
                Some("une autre génération a été mise en service entre-temps : recommencer la publication".into());
            return Ok(Some(Etape::Echec));
        }
        let manifeste = Manifeste {
            generation: self.generation.clone(),
            digest: self.job.bilan.digest.clone(),
            documents: self.job.bilan.documents.clone(),
            octets: self.etat.octets.to_vec(),
            sources: self.etat.sources.clone(),
            sequence: self.etat.sequence,
            millesimes: self.etat.millesimes.clone(),
            statistiques: self.etat.partitions.iter().take(Famille::Nomenclature.rang()).sum(),
            declarations: self.declarees(),
            rendering: rendering(self.indicateurs),
        };
        manifeste.ecrire(&mut self.ecrivain).await?;
        if !manifeste.declarations.is_empty() {
            let publiees: Vec<MaillePubliee> = self.mailles_publiees();
            self.ecrivain.poser(cle::DECLARATIONS, 0, serde_json::to_vec(&publiees).unwrap_or_default()).await?;
        }
        let bilan = &self.job.bilan;
        let public = RecordPublic {
            travail: self.job.id.clone(),
            ouvert_ms: self.job.ouvert_ms,
            lignes: bilan.lignes.clone(),
            reprises: bilan.reprises,
            documents: bilan.documents.clone(),
            sous_seuil: bilan.sous_seuil.clone(),
            digest: bilan.digest.clone(),
        };
        self.ecrivain.poser(publique::FAMILLE, 0, serde_json::to_vec(&public).unwrap_or_default()).await?;
        let [nationale, regionale, etablissement, nomenclature, comptes, bundles_mailles] = self.etat.bundles;
        let bundles = [nationale, regionale, etablissement, nomenclature, comptes];
        let pointeur = Pointeur {
            format: FORMAT,
            disposition: DISPOSITION,
            generation: self.generation.clone(),
            bundles,
            bundles_mailles,
            millesimes: self.etat.millesimes.clone(),
            precedent: served.as_ref().map(|served| Box::new(served.pointer.clone())),
        };
        // A copy lies in the generation: where the pointer itself is lost, a rollback finds its way by it.
        self.ecrivain.poser(FAMILY_POINTER, 0, pointeur.ecrire()?).await?;
        self.ecrivain.vider().await?;
        if !bail.tient(self.kv).await? {
            return Err(PublicationError::Overtaken);
        }
        poser_pointeur(self.kv, served.as_ref().map(|served| served.bytes.as_slice()), &pointeur).await?;
        self.publie(&pointeur).await
    }

    /// The declared mailles that have documents.
    fn declarees(&self) -> BTreeMap<String, MailleDeclaree> {
        let connues = self.etat.declarations.iter();
        connues
            .filter(|(nom, _)| self.job.bilan.documents.contains_key(*nom))
            .map(|(n, d)| (n.clone(), d.clone()))
            .collect()
    }

    /// What readers are told of them.
    fn mailles_publiees(&self) -> Vec<MaillePubliee> {
        let publiee = |declaree: MailleDeclaree| {
            let documents = self.job.bilan.documents.get(&declaree.nom);
            MaillePubliee {
                millesimes: documents.map(|d| d.keys().rev().cloned().collect()).unwrap_or_default(),
                millesime: self.etat.millesimes.mailles.get(&declaree.nom).cloned().unwrap_or_default(),
                declaree,
            }
        };
        self.declarees().into_values().map(publiee).collect()
    }

    async fn publie(&mut self, pointeur: &Pointeur) -> Result<Option<Etape>, PublicationError> {
        Registre::suivre(self.kv, pointeur, self.env.maintenant_ms()).await?;
        self.job.fini_ms = Some(self.env.maintenant_ms());
        Ok(Some(Etape::Publie))
    }
}

/// Moves the pointer, and reads it back: where a move that was lost counted as made, what is served would be deleted.
async fn poser_pointeur<K: KeyValueWrite>(
    kv: &K,
    avant: Option<&[u8]>,
    pointeur: &Pointeur,
) -> Result<(), PublicationError> {
    let nouveau = pointeur.ecrire()?;
    match avant {
        None => kv.set(cle::POINTER, nouveau.clone()).await?,
        Some(avant) if kv.swap(cle::POINTER, avant, nouveau.clone()).await? => {}
        Some(_) => return Err(PublicationError::Overtaken),
    }
    if kv.get(cle::POINTER).await?.is_some_and(|lu| lu == nouveau) { Ok(()) } else { Err(PublicationError::Overtaken) }
}

/// Serves the generation before again; calling it once more goes forward again. Where the pointer is lost or damaged, the
/// generation that was served last comes back, by the copy of the pointer that lies in it.
///
/// # Errors
/// [`PublicationError::Refused`] where there is none.
pub async fn retour_arriere<K: KeyValueWrite, E: Environnement>(kv: &K, env: &E) -> Result<Pointeur, PublicationError> {
    let bail = Bail::prendre(kv, "retour", env.maintenant_ms()).await?;
    // Whatever comes of it, the lease does not outlive the call.
    let outcome = switch_back(kv, env).await;
    let returned = bail.rendre(kv).await;
    let pointer = outcome?;
    returned?;
    Ok(pointer)
}

async fn switch_back<K: KeyValueWrite, E: Environnement>(kv: &K, env: &E) -> Result<Pointeur, PublicationError> {
    let pointer = match Served::read(kv).await {
        Ok(Some(Served { pointer: mut served, bytes })) => {
            let Some(before) = served.precedent.take() else {
                return Err(PublicationError::Refused("aucune génération précédente n'est conservée".into()));
            };
            let pointer = Pointeur { precedent: Some(Box::new(served)), ..*before };
            poser_pointeur(kv, Some(&bytes), &pointer).await?;
            pointer
        }
        Ok(None) => return Err(StoreError::Empty.into()),
        Err(StoreError::Damaged(_)) => {
            let pointer = last_served(kv).await?;
            kv.set(cle::POINTER, pointer.ecrire()?).await?;
            pointer
        }
        Err(fault) => return Err(fault.into()),
    };
    Registre::suivre(kv, &pointer, env.maintenant_ms()).await?;
    Ok(pointer)
}

/// The pointer to the youngest published generation that holds a whole copy of its own.
async fn last_served<K: KeyValueWrite>(kv: &K) -> Result<Pointeur, PublicationError> {
    let registre = Registre::lire(kv).await?;
    for generation in registre.generations.iter().rev().filter(|g| g.etat == EtatRegistre::Publiee) {
        let copy = kv.get(&cle::valeur(&generation.id, FAMILY_POINTER, 0)).await?;
        if let Some(pointer) = copy.and_then(|bytes| Pointeur::lire(&bytes).ok()) {
            return Ok(pointer);
        }
    }
    Err(PublicationError::Refused(
        "le pointeur est illisible et aucune génération n'en garde de copie : restaurer le magasin".into(),
    ))
}

/// The stream that sorts the rows of a list by place.
fn flux_lieux(liste: &str) -> String {
    format!("lieux.{liste}")
}

/// A document on its way into a bundle: its entry, its rank in the push, its kind, its JSON.
type Place<'a> = (&'a str, u64, Kind, &'a [u8]);

/// What the stream of sources holds of a document: its kind, its rank in the push, what its bundle entry is found
/// by (so that a bundle is found without parsing the document), its JSON.
pub(super) fn lire_source(record: &[u8]) -> Option<(Kind, u64, &str, &[u8])> {
    let mut reader = Reader(record);
    let kind = Kind::de_rang(u8::try_from(reader.number()?).ok()?)?;
    Some((kind, reader.number()?, reader.text()?, reader.0))
}

/// Where a maille and millesime loses more than a tenth of its documents.
fn pertes(avant: &Effectifs, apres: &Effectifs) -> Vec<String> {
    let total = |e: &Effectifs, maille: &str, millesime: &str| {
        e.get(maille).and_then(|m| m.get(millesime)).map_or(0, |s| s.values().sum::<u64>())
    };
    let mut pertes = Vec::new();
    for (maille, par_millesime) in avant {
        for millesime in par_millesime.keys() {
            let (a, b) = (total(avant, maille, millesime), total(apres, maille, millesime));
            #[expect(clippy::cast_precision_loss, reason = "counts of documents are far below 2^53")]
            if (b as f64) < (a as f64) * (1.0 - PERTE_TOLEREE) {
                pertes.push(format!("{maille} {millesime} : {a} → {b}"));
            }
        }
    }
    pertes
}
