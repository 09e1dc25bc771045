//! What came of a job, and what is known of its parts.

use crate::anomalies::Anomalies;
use crate::error::PublicationError;
use crate::opening::PublicationOptions;
use crate::outlines::{CoverageByFiliere, Differences};
use crate::secrecy::SecrecySettings;
use crate::staging::{LineRefusal, PartInfo, digest_of_mailles};
use domain::DeclaredMaille;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::public_record::DocumentCounts;

/// Names of unknown fields kept in a report.
const FIELDS_KEPT: usize = 200;

/// What came of a job. It names fields and reasons, never an indicator's value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSummary {
    /// Lines accepted, by kind.
    #[serde(rename = "lignes")]
    pub lines: BTreeMap<String, u64>,
    /// Lines refused.
    #[serde(rename = "lignes_refusees")]
    pub refused_lines: u64,
    /// The first of them.
    #[serde(rename = "refus")]
    pub refusals: Vec<LineRefusal>,
    /// Fields kept out, and how often.
    #[serde(rename = "champs_inconnus")]
    pub unknown_fields: BTreeMap<String, u64>,
    /// Documents carried over from the generation in use.
    #[serde(rename = "reprises")]
    pub carried_over: u64,
    /// Documents published, by maille, millesime and provenance.
    pub documents: DocumentCounts,
    /// Documents whose figures are hidden by the threshold, by maille.
    #[serde(rename = "sous_seuil")]
    pub below_threshold: BTreeMap<String, u64>,
    /// What was decided to be hidden, as it was when the publication began.
    #[serde(flatten)]
    pub secrecy: Option<SecrecySettings>,
    /// Documents that show less under `strict` than under `contrat`, by maille: counted in either setting.
    #[serde(rename = "strict_masquerait", default)]
    pub strict_hides: BTreeMap<String, u64>,
    /// Documents that `secret_secondaire` hides and the threshold does not, by maille and millesime.
    #[serde(rename = "masques_secondaires", default)]
    pub withheld: BTreeMap<String, BTreeMap<String, u64>>,
    /// Small groups that follow from sums all the same: nothing was left to withhold.
    #[serde(rename = "non_proteges", default)]
    pub exposed: u64,
    /// What a maille and millesime loses: `formations 2022_2023: 1200 → 900`.
    #[serde(rename = "pertes")]
    pub losses: Vec<String>,
    /// The rules of plausibility that were broken.
    #[serde(default, skip_serializing_if = "Anomalies::is_empty")]
    pub anomalies: Anomalies,
    /// What someone must confirm of it, a sentence each.
    #[serde(rename = "anomalies_a_confirmer", default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies_to_confirm: Vec<String>,
    /// Why a millesime is not put in force unasked.
    #[serde(rename = "en_vigueur_a_confirmer", default, skip_serializing_if = "Vec::is_empty")]
    pub in_force_to_confirm: Vec<String>,
    /// Different documents of this push under one key, named with the lines they came in.
    #[serde(rename = "doublons", default, skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<String>,
    /// What changed since the generation in use, as it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differences: Option<Differences>,
    /// What is covered, by maille, millesime and filiere.
    #[serde(rename = "couverture", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub coverage: CoverageByFiliere,
    /// Rows of the nomenclature and the tables, by kind: what exists, beside which coverage says something.
    #[serde(rename = "existants", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub existing: BTreeMap<String, u64>,
    /// Digest of the published documents, in hexadecimal.
    pub digest: String,
    /// Values written.
    #[serde(rename = "ecritures")]
    pub writes: u64,
    /// Time spent in steps, in milliseconds.
    #[serde(rename = "duree_ms")]
    pub duration_ms: u64,
    /// Why it failed or was given up, where it was.
    #[serde(rename = "echec", default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Older pulls that waited for a confirmation, and gave way to this one.
    #[serde(rename = "remplace", default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
}

impl JobSummary {
    /// Adds what is known of a staged part.
    pub fn add(&mut self, info: &PartInfo) {
        for (kind, n) in &info.lines {
            *self.lines.entry(kind.clone()).or_default() += n;
        }
        self.refused_lines += info.refused;
        self.anomalies.add_all(&info.anomalies);
        let place = 200usize.saturating_sub(self.refusals.len());
        self.refusals.extend(info.refusals.iter().take(place).cloned());
        for (field, n) in &info.unknown_fields {
            if self.unknown_fields.len() < FIELDS_KEPT || self.unknown_fields.contains_key(field) {
                *self.unknown_fields.entry(field.clone()).or_default() += n;
            }
        }
    }
}

impl JobSummary {
    /// What still waits for a confirmation: each, and the option that gives it.
    #[must_use]
    pub fn unconfirmed(&self, options: &PublicationOptions) -> Vec<(&'static str, &[String])> {
        let in_force = options.confirm_in_force || options.millesimes.is_some();
        [
            (options.confirm_losses, "confirmer_pertes", &self.losses),
            (options.confirm_anomalies, "confirmer_anomalies", &self.anomalies_to_confirm),
            (options.accept_duplicates, "accepter_doublons", &self.duplicates),
            (in_force, "confirmer_en_vigueur", &self.in_force_to_confirm),
        ]
        .into_iter()
        .filter(|(confirmed, _, sentences)| !confirmed && !sentences.is_empty())
        .map(|(_, option, sentences)| (option, sentences.as_slice()))
        .collect()
    }
}

/// What is known of all parts of a job together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// How many they are.
    #[serde(rename = "parties")]
    pub parts: usize,
    /// What the report says of them.
    #[serde(rename = "bilan")]
    pub summary: JobSummary,
    /// Bytes kept, by kind.
    #[serde(rename = "octets")]
    pub bytes: BTreeMap<String, u64>,
    /// The mailles they declare.
    pub mailles: BTreeMap<String, DeclaredMaille>,
}

impl Totals {
    /// Adds the next part.
    ///
    /// # Errors
    /// [`PublicationError::Refused`] where it was checked under other declarations than those before it make now.
    pub fn add(&mut self, info: &PartInfo) -> Result<(), PublicationError> {
        if let Some(under) = &info.checked_under
            && under.mailles != digest_of_mailles(&self.mailles)?
        {
            return Err(PublicationError::Refused(format!(
                "la partie {} a été vérifiée sous d'autres déclarations de mailles que celles des parties avant elle : \
                 la renvoyer, et celles qui suivent",
                self.parts
            )));
        }
        self.summary.add(info);
        for (kind, n) in &info.bytes {
            *self.bytes.entry(kind.clone()).or_default() += n;
        }
        for (name, declared) in &info.mailles {
            if self.mailles.insert(name.clone(), declared.clone()).is_some_and(|before| before != *declared) {
                return Err(PublicationError::Refused(format!(
                    "la partie {} connaît la maille {name} sous une autre déclaration que celles avant elle : la renvoyer",
                    self.parts
                )));
            }
        }
        self.parts += 1;
        Ok(())
    }
}
