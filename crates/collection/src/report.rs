//! What a run tells about itself. It names fields, codes and reasons, never an indicator's value.

use domain::Maille;
use serde::{Deserialize, Serialize};
use sources::{ReadReport, Service, Tally};
use std::collections::BTreeMap;
use treatments::Collection;
use treatments::report::CountsBySource;

/// Calls that failed for good whose reasons are kept, a service; all are counted.
const FAILURES_KEPT: usize = 50;
/// Unknown fields and measures that are told apart, a service.
const FIELDS_KEPT: usize = 200;
/// Characters kept of a name or reason: both may be a service's own words.
const TEXT_MAX: usize = 300;

fn short(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

/// A call that failed for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCall {
    /// What was asked.
    #[serde(rename = "appel")]
    pub call: String,
    /// Why it failed: the client's own words.
    #[serde(rename = "raison")]
    pub reason: String,
    /// Whether the answer of an earlier run stands in for it.
    #[serde(rename = "repris")]
    pub resumed: bool,
}

/// What was asked of one service and what came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Calls answered.
    #[serde(rename = "appels")]
    pub calls: u64,
    /// Of these, those that said that there is nothing.
    #[serde(rename = "sans_donnee")]
    pub without_data: u64,
    /// Answers without a row.
    #[serde(rename = "vides")]
    pub empty: u64,
    /// Requests sent, logins and retries included.
    #[serde(rename = "requetes")]
    pub requests: u64,
    /// Of these, retries.
    #[serde(rename = "reprises")]
    pub retries: u64,
    /// Bytes of the answers.
    #[serde(rename = "octets")]
    pub bytes: u64,
    /// Time spent waiting for our turn or before a retry, in milliseconds.
    #[serde(rename = "attente_ms")]
    pub wait_ms: u64,
    /// Rows.
    #[serde(rename = "lignes")]
    pub rows: u64,
    /// Fields that neither the documents nor the clients know, and how often they came.
    #[serde(rename = "champs_inconnus")]
    pub unknown_fields: BTreeMap<String, u64>,
    /// Calls that failed for good.
    #[serde(rename = "en_echec")]
    pub failed: u64,
    /// The first of them.
    #[serde(rename = "echecs")]
    pub failures: Vec<FailedCall>,
}

impl SourceReport {
    pub(crate) fn send(&mut self, tally: &Tally) {
        self.requests += tally.requests;
        self.retries += tally.retries;
        self.bytes += tally.bytes;
        self.wait_ms += tally.waited_ms;
    }

    pub(crate) fn read(&mut self, read: &ReadReport) {
        self.calls += 1;
        self.rows += read.rows;
        self.empty += u64::from(read.rows == 0);
        for (field, n) in &read.unknown_fields {
            let field = short(field);
            if self.unknown_fields.len() < FIELDS_KEPT || self.unknown_fields.contains_key(&field) {
                *self.unknown_fields.entry(field).or_default() += n;
            }
        }
    }

    pub(crate) fn fail(&mut self, failure: FailedCall) {
        self.failed += 1;
        if self.failures.len() < FAILURES_KEPT {
            self.failures.push(FailedCall { reason: short(&failure.reason), ..failure });
        }
    }
}

/// Documents by maille, then millesime, then `donnee_source.type`.
pub type Coverages = BTreeMap<String, CountsBySource>;

/// What a run tells about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// By service, what was asked in this run. A service taken from the staged answers is absent.
    pub sources: BTreeMap<Service, SourceReport>,
    /// Lots taken as an earlier run staged them.
    #[serde(rename = "lots_repris")]
    pub reused_lots: Vec<String>,
    /// By service, the rows that the treatments read, left out and refused, with reasons.
    #[serde(rename = "traitements")]
    pub treatments: BTreeMap<Service, treatments::TreatmentReport>,
    /// Sizes of the nomenclature: CFDs, MEFs, SISE codes, lineage, familles.
    pub nomenclature: BTreeMap<String, u64>,
    /// Documents after each treatment of statistics, by its name; the first is what the services gave.
    #[serde(rename = "couverture")]
    pub coverage: BTreeMap<String, Coverages>,
    /// What treatment 8 did.
    pub roles: BTreeMap<String, u64>,
    /// Time spent in each step, in milliseconds.
    #[serde(rename = "durees_ms")]
    pub durations_ms: BTreeMap<String, u64>,
    /// Values written before the publication.
    #[serde(rename = "ecritures")]
    pub writes: u64,
    /// Older runs whose publication waited for a confirmation, and gave way to this one.
    #[serde(rename = "remplace", default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
}

impl RunReport {
    /// Without names, reasons and examples: what is left does not grow with what the services say.
    pub(crate) fn shortened(&self) -> Self {
        let mut shortened = self.clone();
        for source in shortened.sources.values_mut() {
            source.unknown_fields.clear();
            source.failures.clear();
        }
        for treatment in shortened.treatments.values_mut() {
            treatment.unknown_measures.clear();
            treatment.rejections.values_mut().for_each(|rejections| rejections.examples.clear());
        }
        shortened
    }

    pub(crate) fn source(&mut self, service: Service) -> &mut SourceReport {
        self.sources.entry(service).or_default()
    }

    pub(crate) fn treatment(&mut self, service: Service) -> &mut treatments::TreatmentReport {
        self.treatments.entry(service).or_default()
    }

    pub(crate) fn cover(&mut self, after: &str, maille: Maille, documents: &Collection) {
        let by_maille = self.coverage.entry(after.to_owned()).or_default();
        by_maille.entry(maille.list().to_owned()).or_default().count_all(documents.iter());
    }

    pub(crate) fn count(&mut self, what: &str, n: usize) {
        self.nomenclature.insert(what.to_owned(), n as u64);
    }
}
