//! What a run tells about itself. It names fields, codes and reasons, never an indicator's value.

use domain::Maille;
use serde::{Deserialize, Serialize};
use sources::{ReadReport, Service, Tally};
use std::collections::BTreeMap;
use treatments::Collection;
use treatments::rapport::Couverture;

/// Calls that failed for good whose reasons are kept, a service; all are counted.
const ECHECS_GARDES: usize = 50;
/// Unknown fields and measures that are told apart, a service.
const CHAMPS_GARDES: usize = 200;
/// Characters kept of a name or reason: both may be a service's own words.
const TEXTE_MAX: usize = 300;

fn court(texte: &str) -> String {
    texte.chars().take(TEXTE_MAX).collect()
}

/// A call that failed for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppelEnEchec {
    /// What was asked.
    pub appel: String,
    /// Why it failed: the client's own words.
    pub raison: String,
    /// Whether the answer of an earlier run stands in for it.
    pub repris: bool,
}

/// What was asked of one service and what came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RapportSource {
    /// Calls answered.
    pub appels: u64,
    /// Of these, those that said that there is nothing.
    pub sans_donnee: u64,
    /// Answers without a row.
    pub vides: u64,
    /// Requests sent, logins and retries included.
    pub requetes: u64,
    /// Of these, retries.
    pub reprises: u64,
    /// Bytes of the answers.
    pub octets: u64,
    /// Time spent waiting for our turn or before a retry, in milliseconds.
    pub attente_ms: u64,
    /// Rows.
    pub lignes: u64,
    /// Fields that neither the documents nor the clients know, and how often they came.
    pub champs_inconnus: BTreeMap<String, u64>,
    /// Calls that failed for good.
    pub en_echec: u64,
    /// The first of them.
    pub echecs: Vec<AppelEnEchec>,
}

impl RapportSource {
    pub(crate) fn envoyer(&mut self, tally: &Tally) {
        self.requetes += tally.requests;
        self.reprises += tally.retries;
        self.octets += tally.bytes;
        self.attente_ms += tally.waited_ms;
    }

    pub(crate) fn lire(&mut self, lu: &ReadReport) {
        self.appels += 1;
        self.lignes += lu.rows;
        self.vides += u64::from(lu.rows == 0);
        for (champ, n) in &lu.unknown_fields {
            let champ = court(champ);
            if self.champs_inconnus.len() < CHAMPS_GARDES || self.champs_inconnus.contains_key(&champ) {
                *self.champs_inconnus.entry(champ).or_default() += n;
            }
        }
    }

    pub(crate) fn echouer(&mut self, echec: AppelEnEchec) {
        self.en_echec += 1;
        if self.echecs.len() < ECHECS_GARDES {
            self.echecs.push(AppelEnEchec { raison: court(&echec.raison), ..echec });
        }
    }
}

/// Documents by maille, then millesime, then `donnee_source.type`.
pub type Couvertures = BTreeMap<String, Couverture>;

/// What a run tells about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rapport {
    /// By service, what was asked in this run. A service taken from the staged answers is absent.
    pub sources: BTreeMap<Service, RapportSource>,
    /// Lots taken as an earlier run staged them.
    pub lots_repris: Vec<String>,
    /// By service, the rows that the treatments read, left out and refused, with reasons.
    pub traitements: BTreeMap<Service, treatments::Rapport>,
    /// Sizes of the nomenclature: CFDs, MEFs, SISE codes, lineage, familles.
    pub nomenclature: BTreeMap<String, u64>,
    /// Documents after each treatment of statistics, by its name; the first is what the services gave.
    pub couverture: BTreeMap<String, Couvertures>,
    /// What treatment 8 did.
    pub roles: BTreeMap<String, u64>,
    /// Time spent in each step, in milliseconds.
    pub durees_ms: BTreeMap<String, u64>,
    /// Values written before the publication.
    pub ecritures: u64,
    /// Older runs whose publication waited for a confirmation, and gave way to this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remplace: Vec<String>,
}

impl Rapport {
    /// Without names, reasons and examples: what is left does not grow with what the services say.
    pub(crate) fn abrege(&self) -> Self {
        let mut abrege = self.clone();
        for source in abrege.sources.values_mut() {
            source.champs_inconnus.clear();
            source.echecs.clear();
        }
        for traitement in abrege.traitements.values_mut() {
            traitement.mesures_inconnues.clear();
            traitement.rejets.values_mut().for_each(|rejets| rejets.exemples.clear());
        }
        abrege
    }

    pub(crate) fn source(&mut self, service: Service) -> &mut RapportSource {
        self.sources.entry(service).or_default()
    }

    pub(crate) fn traitement(&mut self, service: Service) -> &mut treatments::Rapport {
        self.traitements.entry(service).or_default()
    }

    pub(crate) fn couvrir(&mut self, apres: &str, maille: Maille, documents: &Collection) {
        let par_maille = self.couverture.entry(apres.to_owned()).or_default();
        par_maille.entry(maille.liste().to_owned()).or_default().compter_tous(documents.iter());
    }

    pub(crate) fn compter(&mut self, quoi: &str, n: usize) {
        self.nomenclature.insert(quoi.to_owned(), n as u64);
    }
}
