//! The steps of a publication.

mod indexer;

use super::depot::{Depot, hex};
use super::ecrivain::{Ecrivain, lire_long, poser_long};
use super::flux::Flux;
use super::listes::{Constructeur, PAGE_MIN, Rangee, entete_csv};
use super::registre::{Bail, Registre};
use super::travail::{Effectifs, Etape, Job};
use super::{Environnement, PublicationError};
use crate::bundle;
use crate::cle::{self, Famille};
use crate::codec::{Reader, Writer};
use crate::compte::Compte;
use crate::fiche::{Fiche, Version};
use crate::kv::{KeyValue, KeyValueWrite, StoreError, VALUE_MAX};
use crate::liste::{self, CleLigne, EntreeCode, EntreeUai, Format, Ordre, Plan};
use crate::pointeur::{DISPOSITION, FORMAT, MillesimesEnVigueur, Pointeur};
use crate::publique::{self, RecordPublic};
use domain::{Document, DocumentPublie, Filiere, Kind, Maille, Millesime, Univers};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Bytes of a partition: what a step holds at once, parsed and rendered on top.
const PARTITION: u64 = 3 * 1024 * 1024;
/// Bytes of a bundle on average: a get costs nearly the same up to 32 KB and a tenth more at
/// 128 KB; larger bundles mean fewer writes.
const BUNDLE: u64 = 40 * 1024;
/// Bytes of a partition of a list: its rows are only sorted, neither parsed nor rendered again, so it may be larger;
/// fewer partitions mean larger pieces and fewer writes.
const PARTITION_TRI: u64 = 2 * PARTITION;
/// Bytes that all streams together may hold back before they write.
const TAMPONS: usize = 24 * 1024 * 1024;
/// Keys kept as a sample of an order, to cut it into even partitions.
const ECHANTILLON: usize = 1_024;
/// The share of a maille and millesime that may disappear unasked.
const PERTE_TOLEREE: f64 = 0.10;
/// How often the number of bundles may be doubled because one grew beyond a value.
const DOUBLEMENTS: u32 = 6;

/// The lists, in the order of [`Tri`]s: the mailles, then the nomenclature.
const LISTES: [(&str, Option<Maille>); 4] = [
    ("certifications", Some(Maille::Nationale)),
    ("regionales", Some(Maille::Regionale)),
    ("formations", Some(Maille::Etablissement)),
    ("bcn", None),
];

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

/// What the steps need between two calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Etat {
    base: Option<Manifeste>,
    doublements: u32,
    octets: [u64; 5],
    bundles: [usize; 5],
    partitions: [usize; 5],
    sources: Flux,
    sequence: u64,
    curseur: (usize, usize),
    echantillons: Vec<[Echantillon; 2]>,
    tris: Vec<Tri>,
    comptes: Flux,
    separateurs_uais: Vec<String>,
    uais: Flux,
    pages_uais: Vec<String>,
    max_json: [usize; 4],
    max_csv: [usize; 4],
    empreinte: [u64; 4],
    fiches: [u64; 5],
    lignes: [u64; 4],
    millesimes: MillesimesEnVigueur,
    constructeur: Option<Vec<u8>>,
    index: indexer::Index,
}

/// What is known of a published generation, for the next publication and for reports.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Manifeste {
    generation: String,
    digest: String,
    documents: Effectifs,
    octets: [u64; 5],
    sources: Flux,
    sequence: u64,
    millesimes: MillesimesEnVigueur,
    /// How many partitions of the sources come first and hold statistics only.
    #[serde(default)]
    statistiques: usize,
}

const FAMILLE_MANIFESTE: &str = "manifeste";

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
fn partition_source(partitions: &[usize; 5], famille: Option<Famille>, hash: u64) -> usize {
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
                };
                let version = format!("{}|{}", texte(&document, "millesime"), texte(&document, "filiere"));
                (Some(Famille::Documents(maille)), cle::paire(&place, &code), version)
            }
            (Kind::BcnSise, _) => nomenclature("diplome_sise"),
            (Kind::Etablissement, _) => nomenclature("numero_uai"),
            (Kind::Bcn, _) => nomenclature("code_certification"),
            (Kind::BcnMef, _) => (None, cle::paire(kind.nom(), &texte(&document, "mef_stat_11")), String::new()),
            _ => (None, cle::paire(kind.nom(), &texte(&document, "id")), String::new()),
        };
        let ligne = match (kind.maille(), kind) {
            (Some(maille), _) => {
                let filiere = texte(&document, "filiere");
                Some(CleLigne {
                    millesime: texte(&document, "millesime"),
                    univers: Filiere::parse(&filiere).map_or(Univers::Secondaire, Filiere::univers),
                    region: if maille == Maille::Nationale { String::new() } else { code_de(&document, "region") },
                    academie: if maille == Maille::Etablissement {
                        code_de(&document, "academie")
                    } else {
                        String::new()
                    },
                    uai: if maille == Maille::Etablissement { texte(&document, "uai") } else { String::new() },
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

fn rang_liste(kind: Kind) -> Option<usize> {
    match kind.maille() {
        Some(maille) => LISTES.iter().position(|(_, m)| *m == Some(maille)),
        None => (kind == Kind::Bcn).then_some(LISTES.len() - 1),
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
    let (job, avant) = Job::lire(kv, id).await?;
    if job.etape.est_finale() {
        // Killed at its very end, it may not have been closed.
        fermer(kv, &job, env.maintenant_ms()).await?;
        return Ok(job);
    }
    let attend = matches!(job.etape, Etape::Depot | Etape::AttendreConfirmation);
    let Some(generation) = job.generation.clone().filter(|_| !attend) else {
        return Ok(job);
    };
    let bail = Bail::prendre(kv, id, env.maintenant_ms()).await?;
    let etat = match job.etat {
        None => Etat::default(),
        Some((numero, debut, nombre)) => {
            let bytes = lire_long(kv, &generation, &famille_etat(numero), debut, nombre).await?;
            serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged(famille_etat(numero)))?
        }
    };
    let ecrivain = Ecrivain::ouvrir(kv, &generation, env.lot()).await?;
    let mut marche = Marche {
        kv,
        env,
        job,
        avant,
        generation,
        etat,
        ecrivain,
        numero: bail.numero,
        fin: debut.saturating_add(budget_ms),
        indicateurs,
    };
    let sortie = marche.courir(&bail).await;
    let ecoule = env.monotone_ms().saturating_sub(debut);
    let sortie = match sortie {
        Ok(()) => marche.sauver(ecoule).await,
        // What was written cannot be read again: trying once more would not help this generation.
        Err(PublicationError::Store(StoreError::Damaged(quoi))) => {
            marche.job.bilan.echec = Some(format!("valeur absente ou abîmée dans le magasin : {quoi}"));
            marche.job.etape = Etape::Echec;
            marche.job.fini_ms = Some(env.maintenant_ms());
            marche.sauver(ecoule).await
        }
        Err(erreur) => Err(erreur),
    };
    bail.rendre(kv).await?;
    sortie
}

/// What an ended job leaves: its parts may go, and its generation unless it is served.
async fn fermer<K: KeyValueWrite>(kv: &K, job: &Job, maintenant: i64) -> Result<(), StoreError> {
    let ouvert = Registre::lire(kv).await?.jobs.contains(&job.id);
    if let Some(generation) = job.generation.as_ref().filter(|_| ouvert && job.etape != Etape::Publie) {
        Registre::abandonner(kv, generation, maintenant).await?;
    }
    Registre::clore(kv, &job.id).await
}

fn famille_etat(numero: u64) -> String {
    format!("etat.{numero}")
}

struct Marche<'a, K, E> {
    kv: &'a K,
    env: &'a E,
    job: Job,
    avant: Vec<u8>,
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
        for flux in [&mut self.etat.sources, &mut self.etat.comptes, &mut self.etat.uais] {
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
        self.job.ecrire(self.kv, &self.avant).await?;
        if self.job.etape.est_finale() {
            fermer(self.kv, &self.job, self.env.maintenant_ms()).await?;
        }
        Ok(self.job)
    }

    // --- repartir -------------------------------------------------------------------------

    async fn preparer(&mut self) -> Result<(), PublicationError> {
        let pointeur = self.kv.get(cle::POINTER).await?.and_then(|b| Pointeur::lire(&b));
        let base = match &pointeur {
            Some(p) => Some(Manifeste::lire(self.kv, &p.generation).await?),
            None => None,
        };
        let mut octets = base.as_ref().map_or([0; 5], |b| b.octets);
        let depot = Depot::new(self.kv, &self.job.id, 1);
        for partie in 0..self.job.consigne.parties {
            if let Some(info) = depot.info(partie).await? {
                for (kind, n) in &info.octets {
                    if let Some(total) = famille_de(kind).and_then(|f| octets.get_mut(f.rang())) {
                        *total += n;
                    }
                }
            }
        }
        self.dimensionner(base, octets, self.etat.doublements);
        Ok(())
    }

    /// Decides how many bundles and partitions there are. Bundles of a family are a multiple of
    /// its partitions, so that a bundle lies in one partition.
    fn dimensionner(&mut self, base: Option<Manifeste>, octets: [u64; 5], doublements: u32) {
        let parts = |n: u64, par: u64| usize::try_from(n.div_ceil(par).max(1)).unwrap_or(usize::MAX);
        let partitions = octets.map(|n| parts(n, PARTITION));
        let mut bundles = [0; 5];
        for ((bundles, partitions), octets) in bundles.iter_mut().zip(partitions).zip(octets) {
            *bundles = (parts(octets, BUNDLE).div_ceil(partitions) * partitions) << doublements;
        }
        self.etat = Etat {
            base,
            doublements,
            bundles,
            partitions,
            sources: Flux::nouveau("sources", partitions.iter().sum::<usize>() + 1),
            sequence: 0,
            echantillons: vec![Default::default(); LISTES.len()],
            ..Etat::default()
        };
        self.etat.sequence = self.etat.base.as_ref().map_or(0, |b| b.sequence);
        self.job.bilan.reprises = 0;
    }

    async fn repartir(&mut self) -> Result<Option<Etape>, PublicationError> {
        if self.etat.sources.partitions() == 0 {
            self.preparer().await?;
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
                } else {
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
        if let (Some(rang), Some(ligne)) = (rang_liste(kind), &cles.ligne)
            && let Some(echantillons) = self.etat.echantillons.get_mut(rang)
        {
            for (echantillon, ordre) in echantillons.iter_mut().zip(Ordre::TOUS) {
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

    fn preparer_les_tris(&mut self) {
        let octets = self.etat.octets;
        let taille = |rang: usize| octets.get(rang).copied().unwrap_or_default();
        let parts = |n: u64| usize::try_from((n + n / 2).div_ceil(PARTITION_TRI).max(1)).unwrap_or(1);
        let echantillons = std::mem::take(&mut self.etat.echantillons);
        for (rang, par_ordre) in echantillons.into_iter().enumerate() {
            let (nom, maille) = LISTES.get(rang).copied().unwrap_or_default();
            let famille = maille.map_or(Famille::Nomenclature, Famille::Documents);
            if maille == Some(Maille::Etablissement) {
                let uais = par_ordre
                    .first()
                    .map(|e| e.cles.iter().filter_map(|c| Some(CleLigne::lire(c.as_bytes(), Ordre::Lieux)?.uai)));
                let cles = uais.map(Iterator::collect).unwrap_or_default();
                self.etat.separateurs_uais =
                    Echantillon { bits: 0, cles }.separateurs(parts(taille(famille.rang()) / 8));
            }
            for (echantillon, ordre) in par_ordre.into_iter().zip(Ordre::TOUS) {
                if ordre == Ordre::Codes && maille.is_none() {
                    continue;
                }
                let separateurs = echantillon.separateurs(parts(taille(famille.rang())));
                let flux = Flux::nouveau(&format!("tri.{nom}.{}", ordre.nom()), separateurs.len() + 1);
                self.etat.tris.push(Tri { liste: rang, codes: ordre == Ordre::Codes, separateurs, flux });
            }
        }
        let comptes = Famille::Comptes.rang();
        let octets_comptes = (taille(0) + taille(1)) / 4;
        if let (Some(partitions), Some(bundles)) =
            (self.etat.partitions.get_mut(comptes), self.etat.bundles.get_mut(comptes))
        {
            *partitions = parts(octets_comptes / 2);
            let voulus = usize::try_from(octets_comptes.div_ceil(BUNDLE).max(1)).unwrap_or(1);
            *bundles = (voulus.div_ceil(*partitions) * *partitions) << self.etat.doublements;
            self.etat.comptes = Flux::nouveau("comptes", *partitions);
        }
        self.etat.uais = Flux::nouveau("uais", self.etat.separateurs_uais.len() + 1);
        let nomenclature = taille(Famille::Nomenclature.rang());
        self.etat.index = indexer::Index::nouveau(nomenclature, taille(0) + taille(1) + taille(2));
    }

    /// Keeps the memory of all streams bounded.
    async fn alleger(&mut self) -> Result<(), PublicationError> {
        let numero = self.numero;
        let etat = &mut self.etat;
        let mut flux: Vec<&mut Flux> = etat.tris.iter_mut().map(|t| &mut t.flux).collect();
        flux.extend([&mut etat.sources, &mut etat.comptes, &mut etat.uais]);
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
        let docs: usize = self.etat.partitions.iter().take(Famille::Comptes.rang()).sum();
        self.job.avancement = (partition, docs + 1);
        if partition > docs {
            return Ok(Some(Etape::Lister));
        }
        if partition == docs {
            // What is only kept for the treatments counts in the digest, and nowhere else.
            let autres = self.etat.sources.partitions() - 1;
            let lue = self.etat.sources.lire(self.kv, &self.generation, autres).await?;
            for record in lue.records() {
                let (kind, _, _, json) = lire_source(record).ok_or(StoreError::Damaged("source".into()))?;
                self.compter_empreinte(kind, json);
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
                self.trier(LISTES.len() - 1, &rangee).await?;
                let cfd = texte(&cles.document, "code_formation_diplome");
                return Ok(cfd.into_bytes());
            }
            return Ok(Vec::new());
        };
        let mut versions = Vec::new();
        let mut connues: Option<indexer::Entree> = None;
        let mut code = String::new();
        for (sequence, kind, json, cles) in groupe {
            self.compter_empreinte(kind, json);
            let Some(ligne) = cles.ligne else { continue };
            let filiere = Filiere::parse(&ligne.filiere).unwrap_or(Filiere::Pro);
            self.retenir_millesime(maille, filiere, &ligne.millesime);
            if maille != Maille::Etablissement
                && let Some(compte) = Compte::nouveau(&cles.document)
            {
                self.poser_compte(&ligne, sequence, &cles.document, &compte).await?;
            }
            let source = cles.document.get("donnee_source").and_then(|s| s.get("type")).and_then(|t| t.as_str());
            let source = source.unwrap_or("sans donnees").to_owned();
            let par_millesime = self.job.bilan.documents.entry(maille.liste().into()).or_default();
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
                *self.job.bilan.sous_seuil.entry(maille.liste().into()).or_default() += 1;
            }
            let version = Version::nouvelle(&publie);
            let rangee = Rangee::statistique(maille, ligne, &publie, &version, self.indicateurs);
            let rang = LISTES.iter().position(|(_, m)| *m == Some(maille)).unwrap_or_default();
            self.trier(rang, &rangee).await?;
            versions.push(version);
        }
        if let Some(entree) = &connues {
            let place = indexer::place(maille, &entree.document);
            self.indexer_entree(&indexer::Place { maille, place: &place, code: &code }, entree).await?;
        }
        Ok(Fiche::nouvelle(versions).coder())
    }

    async fn poser_compte(
        &mut self,
        ligne: &CleLigne,
        sequence: u64,
        document: &Document,
        compte: &Compte,
    ) -> Result<(), PublicationError> {
        let cfd = texte(document, "code_formation_diplome");
        let paire = cle::paire(&ligne.region, &cfd);
        let mut writer = Writer::default();
        writer.text(&paire).number(sequence);
        compte.coder(&mut writer);
        let partitions = self.etat.comptes.partitions();
        let partition = cle::bundle(cle::hash(&paire), partitions);
        self.etat.comptes.ajouter(&mut self.ecrivain, self.numero, partition, &writer.0).await?;
        Ok(())
    }

    async fn trier(&mut self, rang: usize, rangee: &Rangee) -> Result<(), PublicationError> {
        for (max, taille) in [(&mut self.etat.max_json, rangee.json.len()), (&mut self.etat.max_csv, rangee.csv.len())]
        {
            if let Some(max) = max.get_mut(rang) {
                *max = taille.max(*max);
            }
        }
        for tri in self.etat.tris.iter_mut().filter(|t| t.liste == rang) {
            let ordre = tri.ordre();
            let cle = rangee.cle.tri(ordre);
            let partition = tri.separateurs.partition_point(|s| s.as_bytes() <= cle.as_slice());
            tri.flux.ajouter(&mut self.ecrivain, self.numero, partition, &rangee.coder(ordre)).await?;
        }
        Ok(())
    }

    fn retenir_millesime(&mut self, maille: Maille, filiere: Filiere, millesime: &str) {
        let Some(nouveau) = Millesime::parse(millesime) else { return };
        let place = self.etat.millesimes.de_mut(maille, filiere);
        let avant = place.as_deref().and_then(Millesime::parse);
        // The latest by its last year; of the two spellings of one year, the period.
        let rang = |m: &Millesime| (m.annee().to_owned(), m.as_str().len(), m.as_str().to_owned());
        if avant.is_none_or(|a| rang(&a) < rang(&nouveau)) {
            *place = Some(nouveau.as_str().to_owned());
        }
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
        let uais = self.etat.uais.partitions();
        let en_tout: usize = self.etat.tris.iter().map(|t| t.flux.partitions()).sum::<usize>() + uais;
        let faits: usize = self.etat.tris.iter().take(rang).map(|t| t.flux.partitions()).sum::<usize>() + partition;
        self.job.avancement = (faits, en_tout);
        let Some(tri) = self.etat.tris.get(rang).cloned() else {
            return self.lister_uais(partition).await;
        };
        let (nom, maille) = LISTES.get(tri.liste).copied().unwrap_or_default();
        let ordre = tri.ordre();
        let max = |tailles: &[usize; 4]| tailles.get(tri.liste).copied().unwrap_or_default();
        let mut constructeur = match self.etat.constructeur.take() {
            Some(bytes) => Constructeur::decoder(&bytes).ok_or(StoreError::Damaged("liste".into()))?,
            None => Constructeur::nouveau(nom, ordre, max(&self.etat.max_json), max(&self.etat.max_csv)),
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
            if maille == Some(Maille::Etablissement) && ordre == Ordre::Lieux {
                let mut writer = Writer::default();
                writer.bytes(&cle.tri(Ordre::Lieux)).size(place);
                let p = self.etat.separateurs_uais.partition_point(|s| *s <= cle.uai);
                self.etat.uais.ajouter(&mut self.ecrivain, self.numero, p, &writer.0).await?;
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
        if let Some(lignes) = self.etat.lignes.get_mut(tri.liste) {
            *lignes = total as u64;
        }
        self.ecrire_plan(nom, &plan).await?;
        self.etat.curseur = (rang + 1, 0);
        Ok(None)
    }

    async fn lire_plan(&mut self, nom: &str) -> Result<Plan, PublicationError> {
        self.ecrivain.vider().await?;
        let bytes = lire_long(self.kv, &self.generation, &liste::famille_plan(nom), 0, 1).await?;
        Ok(Plan::decoder(&bytes).map_err(|_| StoreError::Damaged(liste::famille_plan(nom)))?)
    }

    async fn ecrire_plan(&mut self, nom: &str, plan: &Plan) -> Result<(), PublicationError> {
        Ok(self.ecrivain.poser(&liste::famille_plan(nom), 0, plan.coder()).await?)
    }

    async fn lister_uais(&mut self, partition: usize) -> Result<Option<Etape>, PublicationError> {
        let nom = Maille::Etablissement.liste();
        if partition >= self.etat.uais.partitions() {
            let mut plan = self.lire_plan(nom).await?;
            plan.pages_uais = std::mem::take(&mut self.etat.pages_uais);
            self.ecrire_plan(nom, &plan).await?;
            return Ok(Some(Etape::Compter));
        }
        if partition == 0 {
            self.vider().await?;
        }
        let lue = self.etat.uais.lire(self.kv, &self.generation, partition).await?;
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
            let bytes = entree.coder();
            octets += bytes.len();
            page.push((uai, bytes));
            restants -= 1;
            if octets >= PAGE_MIN || restants == 0 {
                self.etat.pages_uais.push(page.first().map(|(uai, _)| uai.clone()).unwrap_or_default());
                let n = self.etat.pages_uais.len() - 1;
                self.ecrivain.poser(&liste::famille_uais(nom), n, bundle::pack(std::mem::take(&mut page))).await?;
                octets = 0;
            }
        }
        self.etat.curseur.1 = partition + 1;
        Ok(None)
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
            let entrees: Vec<(String, Vec<u8>)> =
                paires.into_iter().map(|(paire, c)| (paire, c.into_values().flatten().copied().collect())).collect();
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
        self.job.avancement = (rang, Famille::TOUTES.len() + LISTES.len() + 1);
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
        if let Some((nom, maille)) = LISTES.get(rang - Famille::TOUTES.len()).copied() {
            self.verifier_liste(nom, maille, rang - Famille::TOUTES.len()).await?;
            self.etat.curseur = (rang + 1, 0);
            return Ok(None);
        }
        if rang == Famille::TOUTES.len() + LISTES.len() {
            if self.verifier_index(depart).await? {
                self.etat.curseur = (rang + 1, 0);
            }
            return Ok(None);
        }
        self.job.bilan.digest = hex(&self.etat.empreinte.map(u64::to_le_bytes).concat());
        if let Some(millesimes) = &self.job.consigne.millesimes {
            self.etat.millesimes = millesimes.clone();
        }
        if let Some(base) = &self.etat.base {
            if base.digest == self.job.bilan.digest && base.millesimes == self.etat.millesimes {
                return Ok(Some(Etape::Inchange));
            }
            self.job.bilan.pertes = pertes(&base.documents, &self.job.bilan.documents);
            if !self.job.bilan.pertes.is_empty() && !self.job.consigne.confirmer_pertes {
                return Ok(Some(Etape::AttendreConfirmation));
            }
        }
        Ok(Some(Etape::Basculer))
    }

    async fn verifier_liste(&mut self, nom: &str, maille: Option<Maille>, rang: usize) -> Result<(), PublicationError> {
        let plan = self.lire_plan(nom).await?;
        let abime = |quoi: &str| StoreError::Damaged(format!("{quoi} of {nom}"));
        let attendu = self.etat.lignes.get(rang).copied().unwrap_or_default();
        if plan.total as u64 != attendu || plan.plages.iter().map(|p| p.nombre).sum::<usize>() != plan.total {
            return Err(abime("plan").into());
        }
        for ordre in Ordre::TOUS {
            if ordre == Ordre::Codes && maille.is_none() {
                continue;
            }
            for format in [Format::Json, Format::Csv] {
                let segments = plan.total.div_ceil(plan.lignes(format));
                let mut lignes = 0;
                for n in 0..segments {
                    let valeur =
                        lire_long(self.kv, &self.generation, &liste::famille(nom, ordre, format), n, 1).await?;
                    lignes += liste::unpack(&valeur).map_err(|_| abime("segment"))?.len();
                }
                if lignes != plan.total {
                    return Err(abime("segments").into());
                }
            }
        }
        let mut par_code = 0;
        for n in 0..plan.pages_codes.len() {
            let page = lire_long(self.kv, &self.generation, &liste::famille_codes(nom), n, 1).await?;
            for (_, entree) in bundle::entries(&page).map_err(|_| abime("codes"))? {
                let entree = EntreeCode::decoder(entree).map_err(|_| abime("codes"))?;
                par_code += entree.0.iter().map(|p| p.nombre).sum::<usize>();
            }
        }
        let mut par_uai = 0;
        for n in 0..plan.pages_uais.len() {
            let page = lire_long(self.kv, &self.generation, &liste::famille_uais(nom), n, 1).await?;
            for (_, entree) in bundle::entries(&page).map_err(|_| abime("uais"))? {
                let entree = EntreeUai::decoder(entree).map_err(|_| abime("uais"))?;
                par_uai += entree.0.iter().map(|(p, _)| p.nombre).sum::<usize>();
            }
        }
        let attendus = |present: bool| if present { plan.total } else { 0 };
        if par_code != attendus(maille.is_some()) || par_uai != attendus(maille == Some(Maille::Etablissement)) {
            return Err(abime("indexes").into());
        }
        Ok(())
    }

    // --- basculer -------------------------------------------------------------------------

    async fn basculer(&mut self, bail: &Bail) -> Result<Option<Etape>, PublicationError> {
        let avant = self.kv.get(cle::POINTER).await?;
        let servi = avant.as_deref().and_then(Pointeur::lire);
        if servi.as_ref().is_some_and(|p| p.generation == self.generation) {
            // Killed between the pointer and the record: only the record is missing.
            return self.publie(servi).await;
        }
        let base = self.etat.base.as_ref().map(|b| b.generation.clone());
        if servi.as_ref().map(|p| p.generation.clone()) != base {
            self.job.bilan.echec =
                Some("une autre génération a été mise en service entre-temps : recommencer la publication".into());
            return Ok(Some(Etape::Echec));
        }
        let manifeste = Manifeste {
            generation: self.generation.clone(),
            digest: self.job.bilan.digest.clone(),
            documents: self.job.bilan.documents.clone(),
            octets: self.etat.octets,
            sources: self.etat.sources.clone(),
            sequence: self.etat.sequence,
            millesimes: self.etat.millesimes.clone(),
            statistiques: self.etat.partitions.iter().take(Famille::Nomenclature.rang()).sum(),
        };
        manifeste.ecrire(&mut self.ecrivain).await?;
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
        self.ecrivain.vider().await?;
        let pointeur = Pointeur {
            format: FORMAT,
            disposition: DISPOSITION,
            generation: self.generation.clone(),
            bundles: self.etat.bundles,
            millesimes: self.etat.millesimes.clone(),
            precedent: servi.map(Box::new),
        };
        if !bail.tient(self.kv).await? {
            return Err(PublicationError::Overtaken);
        }
        poser_pointeur(self.kv, avant.as_deref(), &pointeur).await?;
        self.publie(Some(pointeur)).await
    }

    async fn publie(&mut self, pointeur: Option<Pointeur>) -> Result<Option<Etape>, PublicationError> {
        if let Some(pointeur) = pointeur {
            Registre::suivre(self.kv, &pointeur, self.env.maintenant_ms()).await?;
        }
        self.job.fini_ms = Some(self.env.maintenant_ms());
        Ok(Some(Etape::Publie))
    }
}

async fn poser_pointeur<K: KeyValueWrite>(
    kv: &K,
    avant: Option<&[u8]>,
    pointeur: &Pointeur,
) -> Result<(), PublicationError> {
    match avant {
        None => Ok(kv.set(cle::POINTER, pointeur.ecrire()).await?),
        Some(avant) if kv.swap(cle::POINTER, avant, pointeur.ecrire()).await? => Ok(()),
        Some(_) => Err(PublicationError::Overtaken),
    }
}

/// Serves the generation before again; calling it once more goes forward again.
///
/// # Errors
/// [`PublicationError::Refused`] where there is none.
pub async fn retour_arriere<K: KeyValueWrite, E: Environnement>(kv: &K, env: &E) -> Result<Pointeur, PublicationError> {
    let avant = kv.get(cle::POINTER).await?;
    let servi = avant.as_deref().and_then(Pointeur::lire).ok_or(StoreError::Empty)?;
    let Some(precedent) = servi.precedent.clone() else {
        return Err(PublicationError::Refused("aucune génération précédente n'est conservée".into()));
    };
    let bail = Bail::prendre(kv, "retour", env.maintenant_ms()).await?;
    let pointeur = Pointeur { precedent: Some(Box::new(servi)), ..*precedent };
    poser_pointeur(kv, avant.as_deref(), &pointeur).await?;
    Registre::suivre(kv, &pointeur, env.maintenant_ms()).await?;
    bail.rendre(kv).await?;
    Ok(pointeur)
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
