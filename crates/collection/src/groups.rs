//! Treatments 6 to 8, a partition of groups at a time.

use crate::record::RunStep;
use crate::report::RunReport;
use crate::stepper::{Next, RunStepper, StepFault};
use domain::{Document, Kind, Maille};
use outside::{Clock, Fetch};
use publication::{Environment, RecordStream};
use sources::Service;
use std::collections::BTreeMap;
use store::codec::Decoder;
use store::kv::StoreError;
use store::{KeyValueWrite, Shelf};
use treatments::{Collection, Treatment, settings, treat_group};

/// Treated documents that are held before they are handed over: some 4 KB each.
const PER_PART: usize = 1_500;

impl<K: KeyValueWrite, E: Environment, F: Fetch, C: Clock> RunStepper<'_, K, E, F, C> {
    pub(crate) async fn group(&mut self) -> Result<Next, StepFault> {
        let rank = self.state.rank;
        let Some((maille, kind, locale)) = self.partition(rank) else { return Ok(Next::Step(RunStep::HandOver)) };
        let total: usize = self.state.partitions.iter().sum();
        self.progress(rank, total, maille.list());
        self.prepare_context().await?;
        let stream = self.state.groups.clone().unwrap_or_else(|| RecordStream::new("groupes", 1));
        let read = stream.read(self.kv, Shelf::own(&self.prefix), rank).await?;
        let damaged = || StoreError::Damaged(format!("groupes, {} {locale}", maille.list()));
        let mut groups: BTreeMap<&str, Vec<&[u8]>> = BTreeMap::new();
        for record in read.records() {
            let mut decoder = Decoder(record);
            let group = decoder.text().ok_or_else(damaged)?;
            groups.entry(group).or_default().push(decoder.0);
        }
        let mut handled = Vec::new();
        for texts in groups.into_values() {
            let documents: Result<Vec<Document>, _> = texts.into_iter().map(serde_json::from_slice).collect();
            let documents = Collection::of(maille.into(), documents.map_err(|_| damaged())?);
            handled.extend(self.handle(maille, documents).into_documents().map(|d| (kind, d)));
            if handled.len() >= PER_PART {
                self.put_part(std::mem::take(&mut handled)).await?;
            }
        }
        if !handled.is_empty() {
            self.put_part(handled).await?;
        }
        self.state.rank += 1;
        Ok(Next::More)
    }

    /// The maille, its kind and the rank in it of a partition.
    fn partition(&self, rank: usize) -> Option<(Maille, Kind, usize)> {
        let mut locale = rank;
        for (maille, count) in Maille::ALL.into_iter().zip(self.state.partitions) {
            if locale < count {
                let kind = Kind::ALL.into_iter().find(|k| k.maille() == Some(maille))?;
                return Some((maille, kind, locale));
            }
            locale -= count;
        }
        None
    }

    fn handle(&mut self, maille: Maille, mut documents: Collection) -> Collection {
        let universe = documents.iter().next().and_then(settings::universe);
        let service = match (universe, maille) {
            (Some(domain::Universe::Superieur), Maille::National) => Service::InserSupNational,
            (Some(domain::Universe::Superieur), _) => Service::InserSup,
            _ => Service::InserJeunes,
        };
        let report: &mut RunReport = &mut self.state.report;
        report.cover(Treatment::Statistics.name(), maille, &documents);
        let mut rejections = treatments::TreatmentReport::default();
        let mut observe = |treatment: Treatment, documents: &Collection| {
            report.cover(treatment.name(), maille, documents);
        };
        let summary = treat_group(&self.contexts.context, maille, &mut documents, &mut rejections, &mut observe);
        report.treatment(service).add(&rejections);
        for (what, n) in [
            ("traites", summary.roles.handled),
            ("lieu_formateur", summary.roles.formateur_place),
            ("formateur_gestionnaire", summary.roles.formateur_gestionnaire),
            ("herites", summary.roles.inherited),
        ] {
            *report.roles.entry(what.to_owned()).or_default() += n;
        }
        documents
    }
}
