//! Treatment 5: answers to documents, spread over groups of codes.

use crate::demand::Lot;
use crate::nomenclature::unreadable;
use crate::record::RunStep;
use crate::staged::{LotReader, StagedLot, StagedLots};
use crate::stepper::{BUFFERS, Next, RunStepper, StepFault};
use domain::{Document, Maille, Millesime};
use outside::{Clock, Fetch};
use publication::{Environment, RecordStream};
use sources::{AnswerReader, Call, Service};
use store::KeyValueWrite;
use store::codec::Encoder;
use store::keys;
use store::kv::{StoreError, to_json};
use treatments::inserjeunes::{Measures, StatisticPlace, asked_region, deliver};
use treatments::insersup::{self, Disciplines};
use treatments::{Collection, Treatment};

/// Bytes of raw answers that make a partition of documents: these become some 2 MiB, and after the
/// treatments, places that inherit included, up to some 8 MiB.
const PARTITION: u64 = 6 * 1024 * 1024;

impl<K: KeyValueWrite, E: Environment, F: Fetch, C: Clock> RunStepper<'_, K, E, F, C> {
    /// Reads answers until the time is over, one lot after the other.
    pub(crate) async fn statistics(&mut self) -> Result<Next, StepFault> {
        let lots: Vec<Lot> = self.configuration().lots().into_iter().filter(|l| maille(l).is_some()).collect();
        if self.state.groups.is_none() {
            self.size(&lots).await?;
        }
        let Some(lot) = lots.get(self.state.rank) else { return Ok(Next::Step(RunStep::Group)) };
        self.progress(self.state.rank, lots.len(), &lot.to_string());
        self.prepare_context().await?;
        let staged = self.staged_lot(lot).await?;
        if self.read_lot(lot, &staged).await? {
            self.state.rank += 1;
            (self.state.position, self.state.read) = (Default::default(), 0);
        }
        Ok(Next::More)
    }

    /// Decides how many partitions there are, by the bytes of the answers.
    async fn size(&mut self, lots: &[Lot]) -> Result<(), StoreError> {
        let staged = StagedLots::read(self.kv).await?;
        let mut bytes = [0; 3];
        for lot in lots {
            if let (Some(rank), Some(kept)) = (maille(lot).map(rank), staged.lot(lot))
                && let Some(here) = bytes.get_mut(rank)
            {
                *here += kept.bytes;
            }
        }
        let partitions = bytes.map(|n| usize::try_from(n.div_ceil(PARTITION).clamp(1, 500)).unwrap_or(1));
        self.state.partitions = partitions;
        self.state.groups = Some(RecordStream::new("groupes", partitions.iter().sum()));
        Ok(())
    }

    /// `true`: the lot is read to its end.
    async fn read_lot(&mut self, lot: &Lot, staged: &StagedLot) -> Result<bool, StepFault> {
        let mut answers = LotReader::of(self.kv, staged, self.state.position);
        while let Some((call, has_a_body)) = answers.next().await? {
            if has_a_body {
                match &call {
                    Call::InserSup | Call::InserSupNational { .. } => {
                        self.higher_education(&call, &mut answers).await?;
                    }
                    _ => self.measures(&call, &mut answers).await?,
                }
            }
            self.state.read += 1;
            self.state.position = answers.position();
            if !self.has_time() {
                let object = format!("{lot} ({} réponses)", self.state.read);
                let (done, total) = self.run.progress;
                self.progress(done, total, &object);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An answer of InserJeunes.
    async fn measures(&mut self, call: &Call, answers: &mut LotReader<'_, K>) -> Result<(), StepFault> {
        let mut report = treatments::TreatmentReport::default();
        let contexts = &self.contexts;
        let (place, millesime) = match call {
            Call::InserJeunesUai { uai, millesime } => {
                (Ok(StatisticPlace::Etablissement(&contexts.acce, uai)), millesime)
            }
            Call::InserJeunesRegion { region, millesime } => {
                (asked_region(region).map(StatisticPlace::Region), millesime)
            }
            Call::InserJeunesFrance { millesime, .. } => (Ok(StatisticPlace::France), millesime),
            _ => return Ok(()),
        };
        let mut documents = None;
        match place {
            Err(rejection) => report.reject(&rejection),
            Ok(place) => {
                let mut measures = Measures::new(place.maille());
                let mut refusal = None;
                let read = answers.rows(call, |row| {
                    if refusal.is_none()
                        && let Err(rejection) = measures.add(&row, &mut report)
                    {
                        refusal = Some(rejection);
                    }
                });
                read.await?.map_err(|e| unreadable(&e))?;
                let handle = contexts.context.settings.inserjeunes.is_on(Treatment::Statistics);
                let nomenclature = &contexts.context.nomenclature;
                let mut delivered = Collection::new(place.maille().into());
                let deliver = match refusal {
                    Some(rejection) => Err(rejection),
                    None => deliver(nomenclature, measures, millesime, place, handle, &mut delivered, &mut report),
                };
                match deliver {
                    Ok(_) => documents = Some((place.maille(), delivered)),
                    Err(rejection) => report.reject(&rejection),
                }
            }
        }
        self.state.report.treatment(Service::InserJeunes).add(&report);
        if let Some((maille, delivered)) = documents {
            for document in delivered.into_documents() {
                self.store(maille, &document).await?;
            }
            self.flush_some().await?;
        }
        Ok(())
    }

    /// An answer of InserSup, by establishment or national, a chunk at a time.
    async fn higher_education(&mut self, call: &Call, answers: &mut LotReader<'_, K>) -> Result<(), StepFault> {
        let mut report = treatments::TreatmentReport::default();
        let wanted_ones = &self.configuration().millesimes.formations_sup;
        let wanted_ones: Vec<Millesime> = wanted_ones.iter().filter_map(|m| Millesime::parse(m)).collect();
        let handle = self.configuration().settings.insersup.is_on(Treatment::Statistics);
        let national = *call != Call::InserSup;
        let maille = if national { Maille::National } else { Maille::Etablissement };
        let mut disciplines = Disciplines::default();
        let mut reader = Some(AnswerReader::new(call));
        while let Some(rows) = answers.next_rows(&mut reader).await?.map_err(|e| unreadable(&e))? {
            // Rows of one diploma may come more than once: they are merged where their group is treated.
            let mut delivered = Vec::with_capacity(rows.len());
            for row in rows {
                report.rows += 1;
                let nomenclature = &self.contexts.context.nomenclature;
                let document = if national {
                    insersup::certification(nomenclature, &row, handle)
                } else {
                    insersup::formation(nomenclature, &self.contexts.acce, &row, &wanted_ones, handle)
                };
                let document = document.and_then(|document| match document {
                    Some(document) => disciplines.add(&document).map(|()| Some(document)),
                    None => Ok(None),
                });
                match document {
                    Ok(Some(document)) => delivered.push(document),
                    Ok(None) => report.ignore(if national { "detail_ou_total" } else { "millesime_non_voulu" }),
                    Err(rejection) => report.reject(&rejection),
                }
            }
            for document in delivered {
                let mut only = Collection::new(maille.into());
                only.write_delivered(document);
                for document in only.into_documents() {
                    self.store(maille, &document).await?;
                }
            }
            self.flush_some().await?;
        }
        let service = call.service();
        self.state.report.treatment(service).add(&report);
        Ok(())
    }

    /// Puts a document beside those of its group and millesime: the treatments look at no other.
    async fn store(&mut self, maille: Maille, document: &Document) -> Result<(), StoreError> {
        let text = |field: &str| document.get(field).and_then(|v| v.as_str()).unwrap_or_default();
        let group = format!("{}|{}", self.contexts.groups.group(text("code_certification")), text("millesime"));
        let rank = rank(maille);
        let count = self.state.partitions.get(rank).copied().unwrap_or(1);
        let partition =
            self.state.partitions.iter().take(rank).sum::<usize>() + keys::bundle(keys::hash(&group), count);
        let mut record = Encoder::default();
        record.text(&group);
        record.0.extend(to_json(&group, document)?);
        let number = self.number;
        match &mut self.state.groups {
            Some(stream) => stream.add(&mut self.writer, number, partition, &record.0).await,
            None => Ok(()),
        }
    }

    /// Keeps the memory of the groups bounded.
    async fn flush_some(&mut self) -> Result<(), StoreError> {
        let number = self.number;
        match &mut self.state.groups {
            Some(stream) if stream.size() > BUFFERS => stream.flush(&mut self.writer, number, BUFFERS / 4 * 3).await,
            _ => Ok(()),
        }
    }
}

/// The maille of a lot's statistics.
fn maille(lot: &Lot) -> Option<Maille> {
    match lot {
        Lot::Bcn
        | Lot::Acce
        | Lot::Catalogue
        | Lot::CertifInfo
        | Lot::Onisep
        | Lot::OnisepPassage
        | Lot::AcceMothers => None,
        Lot::France(_) | Lot::InserSupNational(_) => Some(Maille::National),
        Lot::Regions(_) => Some(Maille::Regionale),
        Lot::Etablissements(_) | Lot::InserSup => Some(Maille::Etablissement),
    }
}

pub(crate) fn rank(maille: Maille) -> usize {
    Maille::ALL.iter().position(|m| *m == maille).unwrap_or_default()
}
