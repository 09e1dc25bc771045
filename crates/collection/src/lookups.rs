//! What the treatments look up, built again by each call that needs it.
//!
//! It comes from the answers of this run or of an earlier one; where a service has no address,
//! from what was pushed and is served now.

use crate::context::Contexts;
use crate::demand::Lot;
use crate::staged::{LotReader, StagedLots};
use crate::stepper::{RunStepper, StepFault};
use domain::{Document, Kind};
use outside::{Clock, Fetch};
use publication::{Environment, Position, walk_served};
use sources::Service;
use store::KeyValueWrite;
use store::kv::{StoreError, to_json};
use treatments::etablissements::etablissement;
use treatments::{Acce, CodeGroups};

/// The journal of what is kept for the treatments.
const CONTEXT: &str = "contexte";

/// The fields of documents that the treatments look up; of the other kinds all.
fn fields(kind: Kind) -> Option<&'static [&'static str]> {
    Some(match kind {
        Kind::BcnMef => &["mef_stat_11", "formation_diplome", "annee_dispositif"],
        Kind::BcnSise => &["diplome_sise", "libelle_intitule_1", "diplome", "date_fermeture"],
        Kind::Etablissement => {
            &["numero_uai", "appellation_officielle", "departement_insee_3", "academie", "nature_uai", "pays_libe"]
        }
        Kind::Catalogue => &["cfd", "uai_formation", "etablissement_formateur_uai", "etablissement_gestionnaire_uai"],
        _ => return None,
    })
}

/// The kinds that the treatments look up, by the service that brings them.
const LOOKUPS: [(Service, &[Kind]); 3] = [
    (Service::Bcn, &[Kind::Bcn, Kind::BcnMef, Kind::BcnSise]),
    (Service::Acce, &[Kind::Etablissement]),
    (Service::Catalogue, &[Kind::Catalogue]),
];

/// The establishments, before the treatments have made them documents.
pub(crate) async fn raw_acce<K: KeyValueWrite, E: Environment, F: Fetch, C: Clock>(
    stepper: &RunStepper<'_, K, E, F, C>,
) -> Result<Acce, StepFault> {
    let mut acce = Acce::default();
    let staged = StagedLots::read(stepper.kv).await?;
    match staged.lot(&Lot::Acce).filter(|_| stepper.configuration().a(Service::Acce)) {
        Some(lot) => {
            let lot = lot.whole_number(stepper.kv).await?;
            let mut answers = LotReader::of(stepper.kv, &lot, Position::default());
            while let Some((call, _)) = answers.next().await? {
                let read = answers.rows(&call, |row| {
                    if let Ok(document) = etablissement(&row) {
                        acce.add(&document);
                    }
                });
                read.await?.map_err(|e| StepFault::Failed(e.to_string()))?;
            }
        }
        None => walk(stepper.kv, &[Kind::Etablissement], |_, d| acce.add(&d)).await?,
    }
    Ok(acce)
}

/// The served documents of some kinds.
async fn walk<K: KeyValueWrite>(
    kv: &K,
    kinds: &[Kind],
    mut each: impl FnMut(Kind, Document),
) -> Result<(), StoreError> {
    walk_served(kv, kinds, |kind, json| {
        if let Ok(document) = serde_json::from_slice(json) {
            each(kind, document);
        }
    })
    .await
}

impl<K: KeyValueWrite, E: Environment, F: Fetch, C: Clock> RunStepper<'_, K, E, F, C> {
    /// Keeps what later steps look up of a document.
    pub(crate) async fn keep(&mut self, kind: Kind, document: &Document) -> Result<(), StoreError> {
        let mut record = vec![kind.rank()];
        let json = match fields(kind) {
            None => to_json(CONTEXT, document)?,
            Some(names) => {
                let choice: serde_json::Map<_, _> =
                    names.iter().filter_map(|n| Some(((*n).to_owned(), document.get(*n)?.clone()))).collect();
                to_json(CONTEXT, &choice)?
            }
        };
        record.extend(json);
        let number = self.number;
        self.state.context.add(&mut self.writer, number, &record).await
    }

    /// Whether documents of a service are made by this run, not taken as they are served.
    pub(crate) fn makes(&self, service: Service) -> bool {
        let configuration = self.configuration();
        let is_on = configuration.settings.bcn.is_on(treatments::Treatment::Nomenclature);
        configuration.a(service) && (service != Service::Bcn || is_on)
    }

    /// Builds what the treatments of statistics look up.
    pub(crate) async fn prepare_context(&mut self) -> Result<(), StepFault> {
        if self.contexts.ready {
            return Ok(());
        }
        let mut contexts = Contexts { ready: true, ..Contexts::default() };
        let damaged = || StoreError::Damaged(CONTEXT.into());
        let mut reading = self.state.context.reading(self.kv, &self.prefix, Position::default());
        while let Some(record) = reading.next().await? {
            let (rank, json) = record.split_first().ok_or_else(damaged)?;
            let kind = Kind::from_rank(*rank).ok_or_else(damaged)?;
            contexts.add(kind, &serde_json::from_slice(json).map_err(|_| damaged())?);
        }
        for (service, kinds) in LOOKUPS {
            if !self.makes(service) {
                walk(self.kv, kinds, |kind, document| contexts.add(kind, &document)).await?;
            }
        }
        contexts.context.settings = self.configuration().settings.clone();
        contexts.groups = CodeGroups::of(&contexts.context.nomenclature);
        self.contexts = contexts;
        Ok(())
    }
}
