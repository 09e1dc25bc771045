//! What a publication does not do unasked: lose documents, change the scale of a column, put a strange millesime in force.

use super::JobStepper;
use crate::Environment;
use crate::changes::{self, ClientChanges};
use crate::differences::COVERAGE_FAMILY;
use crate::outlines::{self, Differences, Outlines};
use crate::writer::put_long;
use domain::{Maille, Millesime, Universe, date};
use plausibility::{Rule, Severity, changed_scale};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::changes::Switch;
use store::kv::{KeyValueWrite, StoreError};
use store::pointer::MillesimesInForce;

/// Documents that a millesime needs before fewer of them in the next one say something.
const DOCUMENTS_MIN: u64 = 20;

/// Documents by what has a millesime in force of its own, then by millesime.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct MillesimeCounts(BTreeMap<String, BTreeMap<String, u64>>);

impl MillesimeCounts {
    /// Counts a document.
    pub(super) fn add(&mut self, maille: Maille, name: &str, universe: Universe, millesime: &str) {
        let superior = universe == Universe::Superieur && matches!(maille, Maille::National | Maille::Etablissement);
        let name = if superior { format!("{name}_sup") } else { name.to_owned() };
        *self.0.entry(name).or_default().entry(millesime.to_owned()).or_default() += 1;
    }

    /// The latest other millesime before one, and how many documents each has.
    fn beside(&self, name: &str, millesime: &str) -> Option<(&str, u64, u64)> {
        let counts = self.0.get(name)?;
        let year = |text: &str| Millesime::parse(text).map(|m| m.year().to_owned());
        let before = counts.iter().filter(|(other, _)| year(other) < year(millesime));
        let (before, count) = before.max_by_key(|(other, _)| year(other))?;
        Some((before, *count, counts.get(millesime).copied().unwrap_or(0)))
    }
}

/// The millesimes in force, by the names that `--en-vigueur` knows them by.
fn by_name(millesimes: &MillesimesInForce) -> BTreeMap<&str, &str> {
    let own = [
        ("certifications", &millesimes.certifications),
        ("certifications_sup", &millesimes.certifications_sup),
        ("regionales", &millesimes.regionales),
        ("formations", &millesimes.formations),
        ("formations_sup", &millesimes.formations_sup),
    ];
    let own = own.into_iter().filter_map(|(name, millesime)| Some((name, millesime.as_deref()?)));
    own.chain(millesimes.mailles.iter().map(|(name, millesime)| (name.as_str(), millesime.as_str()))).collect()
}

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    /// Finds what changed since the generation in use, and what is covered. Both are told in the report and lie in the
    /// generation, so that whoever is asked to confirm or to sign knows what.
    pub(super) async fn compare(&mut self) -> Result<(), StoreError> {
        let new = Outlines::of(self.kv, self.shelf(), self.state.outlines).await?;
        let old = match self.state.base.as_ref().and_then(outlines::comparable) {
            Some(base) => Outlines::read(self.kv, base).await?,
            None => None,
        };
        let mut changes = ClientChanges::default();
        // Until it is compared, all of it is new.
        let mut switch = Switch { to: self.generation.clone(), whole: true, ..Switch::default() };
        if let Some(base) = &self.state.base {
            switch.from = Some(base.generation.clone());
            switch.nomenclature = base.nomenclature != self.state.nomenclature;
            switch.in_force = base.millesimes != self.state.millesimes;
            if let Some(old) = &old {
                let pair = &mut |before: Option<&_>, after: Option<&_>| changes.see(before, after);
                let mut differences = Differences::of(old, &new, &mut |_, _, _, _, _| {}, pair);
                (differences.before, differences.after) = (base.generation.clone(), self.generation.clone());
                self.job.summary.differences = Some(differences);
                switch.whole = false;
            }
        }
        self.writer.put(changes::FAMILY, 0, changes.finish(switch)).await?;
        if self.state.outlines == 0 {
            return Ok(());
        }
        self.job.summary.existing = self.state.tables.clone();
        let (coverage, table) = outlines::coverage(&new);
        self.job.summary.coverage = coverage;
        let count = put_long(&mut self.writer, COVERAGE_FAMILY, 1, table.as_bytes()).await?;
        self.writer.put(COVERAGE_FAMILY, 0, count.to_string().into_bytes()).await
    }

    /// Finds what is to be confirmed beside losses: rules that the documents break, columns, millesimes in force.
    pub(super) async fn guard(&mut self) -> Result<(), StoreError> {
        // Without rules, documents are taken as they come.
        let rules = self.env.plausibility().await?;
        if rules.as_ref().is_none_or(|rules| rules.levels.of(Rule::Duplicate) == Severity::Noted) {
            self.job.summary.duplicates.clear();
        }
        let Some(rules) = rules else { return Ok(()) };
        let before = self.state.base.as_ref().map(|base| &base.columns);
        if let Some(before) = before.filter(|_| rules.levels.of(Rule::ColumnScale) >= Severity::Confirmed) {
            for sentence in changed_scale(before, &self.state.columns) {
                let rule = Rule::ColumnScale;
                let text = rule.text();
                let told = format!("{sentence} ; {} [{}]", text.remedy, text.name);
                self.job.summary.anomalies.put(rule, Severity::Confirmed, || told);
            }
        }
        self.job.summary.anomalies_to_confirm = self.job.summary.anomalies.to_confirm(&rules.levels);
        let (year, ..) = date::date(self.env.now_ms().div_euclid(86_400_000));
        let served = self.state.base.as_ref().map(|base| by_name(&base.millesimes)).unwrap_or_default();
        let mut sentences = Vec::new();
        for (name, millesime) in by_name(&self.state.millesimes) {
            if served.get(name) == Some(&millesime) {
                continue;
            }
            let last: Option<i64> = Millesime::parse(millesime).and_then(|m| m.year().parse().ok());
            if last.is_some_and(|last| last > year) {
                sentences.push((Rule::ForceFuture, format!("{name} : {millesime} est dans l'avenir")));
            } else if let Some((before, many, few)) = self.state.millesime_counts.beside(name, millesime)
                && many >= DOCUMENTS_MIN
                && few.saturating_mul(2) < many
            {
                let told = format!("{name} : {millesime} n'a que {few} documents, {before} en a {many}");
                sentences.push((Rule::ForceThin, told));
            }
        }
        self.job.summary.in_force_to_confirm = sentences
            .into_iter()
            .filter(|(rule, _)| rules.levels.of(*rule) >= Severity::Confirmed)
            .map(|(_, sentence)| sentence)
            .collect();
        Ok(())
    }
}
