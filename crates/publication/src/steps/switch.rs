//! The last step: the pointer moves, in one write.

use super::{JobStepper, fingerprint};
use crate::changes::{self, Move};
use crate::job::JobStep;
use crate::known_codes;
use crate::manifest::{MANIFEST_FAMILY, Manifest, rendering};
use crate::outlines;
use crate::registry::{Lease, Registry, Served};
use crate::rollback::{Before, FAMILY_POINTER, put_pointer};
use crate::{Environment, PublicationError};
use domain::DeclaredMaille;
use std::collections::BTreeMap;
use store::keys::{self, Family};
use store::kv::{KeyValueWrite, StoreError, to_json};
use store::pointer::{FORMAT, LAYOUT, Pointer};
use store::public_record::{self, PublicRecord};
use store::reading::PublishedMaille;

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    pub(super) async fn switch(&mut self, lease: &Lease) -> Result<Option<JobStep>, PublicationError> {
        let served = Served::read(self.kv).await?;
        if let Some(served) = &served
            && served.pointer.generation == self.generation
        {
            // Killed between the pointer and the record: only the record is missing.
            return self.published(&served.pointer).await;
        }
        let base = self.state.base.as_ref().map(|b| b.generation.clone());
        if served.as_ref().map(|served| served.pointer.generation.clone()) != base {
            self.job.summary.failure =
                Some("une autre génération a été mise en service entre-temps : recommencer la publication".into());
            return Ok(Some(JobStep::Failed));
        }
        let manifest = Manifest {
            generation: self.generation.clone(),
            layout: LAYOUT,
            digest: self.digest(),
            documents: self.job.summary.documents.clone(),
            bytes: self.state.bytes,
            table_bytes: Some(self.state.table_bytes),
            tables: self.state.tables.clone(),
            sources: self.state.sources.clone(),
            sequence: self.state.sequence,
            millesimes: self.state.millesimes.clone(),
            statistics: self.state.partitions.before(Family::Nomenclature),
            declarations: self.declared(),
            rendering: rendering(self.indicators, self.secrecy()),
            columns: self.state.columns.clone(),
            outlines: self.state.outlines,
            outline_form: outlines::FORM,
            nomenclature: self.state.nomenclature,
            by_family: self.state.partitions,
            origins: {
                let mut origins = self.state.origins.clone();
                origins.forget();
                origins
            },
        };
        manifest.write(&mut self.writer).await?;
        if !manifest.declarations.is_empty() {
            let published: Vec<PublishedMaille> = self.published_mailles();
            self.writer.put(keys::DECLARATIONS, 0, to_json(keys::DECLARATIONS, &published)?).await?;
        }
        let mut exports = BTreeMap::new();
        for list in &self.state.lists {
            exports.insert(list.name.clone(), fingerprint::written(&list.digest));
        }
        let summary = &self.job.summary;
        let public = PublicRecord {
            work: self.job.id.clone(),
            opened_ms: self.job.opened_ms,
            rows: summary.lines.clone(),
            carried_over: summary.carried_over,
            documents: summary.documents.clone(),
            below_threshold: summary.below_threshold.clone(),
            digest: summary.digest.clone(),
            secrecy: self.secrecy().secrecy,
            secondary: self.secrecy().secondary,
            withheld: summary.withheld.clone(),
            exports,
        };
        self.writer.put(public_record::FAMILY, 0, to_json(public_record::FAMILY, &public)?).await?;
        self.writer.put(known_codes::FAMILY, 0, self.state.known.as_bytes().to_vec()).await?;
        self.writer.flush().await?;
        // What was written since the verification is read again too: without it no publication could follow this one.
        let relu = Manifest::read(self.kv, self.shelf()).await?;
        let mut others = vec![public_record::FAMILY];
        others.extend((!manifest.declarations.is_empty()).then_some(keys::DECLARATIONS));
        for family in others {
            self.shelf().get(self.kv, family, 0).await?.content()?;
        }
        let text = |m: &Manifest| to_json(MANIFEST_FAMILY, m);
        if text(&relu)? != text(&manifest)? {
            return Err(StoreError::Damaged(keys::value(&self.generation, MANIFEST_FAMILY, 0)).into());
        }
        let [national, regionale, etablissement, nomenclature, counts, declared] = Family::ALL;
        let bundles = self.state.bundles;
        let pointer = Pointer {
            format: FORMAT,
            layout: LAYOUT,
            generation: self.generation.clone(),
            bundles: [national, regionale, etablissement, nomenclature, counts].map(|family| bundles[family]),
            bundles_mailles: bundles[declared],
            millesimes: self.state.millesimes.clone(),
            previous: served.as_ref().map(|served| Box::new(served.pointer.clone())),
        };
        // A copy lies in the generation: where the pointer itself is lost, a rollback finds its way by it.
        self.writer.put(FAMILY_POINTER, 0, pointer.write()?).await?;
        self.writer.flush().await?;
        if self.job.options.await_sign_off && !self.job.options.sign_off {
            // All of it lies there: it can be looked at under the copy of its pointer.
            self.job.waits_since_ms = Some(self.env.now_ms());
            return Ok(Some(JobStep::AwaitSignOff));
        }
        let changes = self.shelf().get(self.kv, changes::FAMILY, 0).await?;
        if !lease.holds(self.kv).await? {
            return Err(PublicationError::Overtaken);
        }
        let told = Move::Forward(changes.content()?);
        changes::tell(self.kv, base.as_deref(), told, self.env.now_ms()).await?;
        let before = served.as_ref().map_or(Before::Absent, |served| Before::Read(&served.bytes));
        put_pointer(self.kv, before, &pointer).await?;
        self.published(&pointer).await
    }

    /// The declared mailles that have documents.
    pub(super) fn declared(&self) -> BTreeMap<String, DeclaredMaille> {
        let known = self.state.declarations.iter();
        known
            .filter(|(name, _)| self.job.summary.documents.contains_key(*name))
            .map(|(n, d)| (n.clone(), d.clone()))
            .collect()
    }

    /// What readers are told of them.
    fn published_mailles(&self) -> Vec<PublishedMaille> {
        let published = |declared: DeclaredMaille| {
            let documents = self.job.summary.documents.get(&declared.name);
            PublishedMaille {
                millesimes: documents.map(|d| d.keys().rev().cloned().collect()).unwrap_or_default(),
                millesime: self.state.millesimes.mailles.get(&declared.name).cloned().unwrap_or_default(),
                declared,
            }
        };
        self.declared().into_values().map(published).collect()
    }

    async fn published(&mut self, pointer: &Pointer) -> Result<Option<JobStep>, PublicationError> {
        Registry::follow(self.kv, pointer, self.env.now_ms()).await?;
        self.job.ended_ms = Some(self.env.now_ms());
        Ok(Some(JobStep::Published))
    }
}
