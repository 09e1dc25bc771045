//! Tables that lead from one register to another, for the matching of catalogues: a table at a time.

use crate::demand::{LINKS, Lot};
use crate::nomenclature::{PER_PART, unreadable};
use crate::record::RunStep;
use crate::staged::LotReader;
use crate::stepper::{Next, RunStepper, StepFault};
use domain::{Document, Kind};
use outside::{Clock, Fetch};
use publication::{Environment, Position};
use sources::AnswerReader;
use store::KeyValueWrite;
use treatments::{Rejection, TreatmentReport, links};

/// What makes a document of a row.
type RowTreatment = fn(&Document) -> Result<Document, Rejection>;

/// What becomes of the rows of a lot.
fn treatment(lot: &Lot) -> Option<(Kind, RowTreatment)> {
    Some(match lot {
        Lot::CertifInfo => (Kind::CertifInfo, links::certif_info),
        Lot::Onisep => (Kind::Ideo, links::ideo),
        Lot::OnisepPassage => (Kind::Ideo, links::ideo_passage),
        Lot::AcceMothers => (Kind::UaiMother, links::uai_mother),
        _ => return None,
    })
}

impl<K: KeyValueWrite, E: Environment, F: Fetch, C: Clock> RunStepper<'_, K, E, F, C> {
    /// The next of the tables that have an address, in one piece: some 10,000 rows.
    pub(crate) async fn links(&mut self) -> Result<Next, StepFault> {
        let Some(lot) = LINKS.get(self.state.rank) else { return Ok(Next::Step(RunStep::Statistics)) };
        self.progress(self.state.rank, LINKS.len(), &lot.to_string());
        if let Some((kind, treat)) = treatment(lot).filter(|_| self.makes(lot.service())) {
            let staged = self.staged_lot(lot).await?;
            let mut report = TreatmentReport::default();
            let mut documents = Vec::new();
            let mut answers = LotReader::of(self.kv, &staged, Position::default());
            while let Some((call, _)) = answers.next().await? {
                let mut reader = Some(AnswerReader::new(&call));
                while let Some(rows) = answers.next_rows(&mut reader).await?.map_err(|e| unreadable(&e))? {
                    for row in rows {
                        report.rows += 1;
                        match treat(&row) {
                            Ok(document) => documents.push((kind, document)),
                            Err(rejection) => report.reject(&rejection),
                        }
                    }
                    if documents.len() >= PER_PART {
                        self.put_part(std::mem::take(&mut documents)).await?;
                    }
                }
            }
            if !documents.is_empty() {
                self.put_part(documents).await?;
            }
            self.state.report.treatment(lot.service()).add(&report);
        }
        self.state.rank += 1;
        Ok(Next::More)
    }
}
