//! Treatments 1 to 4, the establishments and the catalogue: raw tables to documents.

use crate::demand::Lot;
use crate::record::RunStep;
use crate::staged::{LotReader, StagedLot, StagedLots};
use crate::stepper::{Next, RunStepper, StepFault};
use domain::code::is_rncp;
use domain::{Document, Kind};
use outside::{Clock, Fetch};
use publication::staging::PARTS_MAX;
use publication::{Environment, Position, Staging};
use serde_json::Value;
use sources::{BcnTable, Call, Service, SourceError};
use std::collections::BTreeSet;
use store::KeyValueWrite;
use treatments::nomenclature::{Levels, Nature, SiseTypes, bcn_mef, bcn_sise, but_rows, cfd, mef};
use treatments::{Nomenclature, Rejection, Treatment, catalogue, etablissements, familles, libelles, lineage};

/// Documents of a part: what is held at once.
pub(crate) const PER_PART: usize = 4_000;
/// Answers of the catalogue that are treated together: some 10,000 rows.
const ANSWERS: usize = 100;

pub(crate) fn unreadable(error: &SourceError) -> StepFault {
    StepFault::Failed(format!("la réponse gardée ne peut plus être lue ; collecter à nouveau ({error})"))
}

/// What treatments 1 to 4 make of the tables.
#[derive(Default)]
struct Tables {
    levels: Levels,
    types: SiseTypes,
    families: familles::FamilleMetierTables,
    /// Rows of N_FORMATION_DIPLOME, for the lineage.
    lineages: Vec<Document>,
    nomenclature: Nomenclature,
    /// Documents as text: parsed, tens of thousands of them are most of an instance's memory.
    mefs: Vec<Vec<u8>>,
    sises: Vec<Vec<u8>>,
}

fn text(document: Document) -> Vec<u8> {
    Value::Object(document).to_string().into_bytes()
}

impl Tables {
    fn add(&mut self, table: BcnTable, row: Document) -> Result<(), Rejection> {
        match table {
            BcnTable::NNiveauFormationDiplome => self.levels.add(&row)?,
            BcnTable::VFormationDiplome | BcnTable::NFormationDiplomeEnquete51 => {
                self.nomenclature.add(cfd(&row, &self.levels)?);
            }
            BcnTable::NFormationDiplome => {
                self.nomenclature.add(cfd(&row, &self.levels)?);
                self.lineages.push(row);
            }
            BcnTable::NMef => {
                self.nomenclature.add_mef_row(&row);
                self.nomenclature.add(mef(&row, &self.levels)?);
                self.mefs.push(text(bcn_mef(&row)?));
            }
            BcnTable::NTypeDiplomeSise => self.types.add(&row)?,
            BcnTable::NDiplomeSise => self.sises.push(text(bcn_sise(&row, &self.types)?)),
            BcnTable::NGroupeFormation => self.families.add_group(&row)?,
            BcnTable::NLienFormationGroupe => self.families.add_link(&row)?,
        }
        Ok(())
    }
}

/// The entry of the national directory that a row of the catalogue names: the search finds its CFD by it.
fn rncp_link(row: &Document) -> Option<(String, String)> {
    let text = |name: &str| row.get(name).and_then(|v| v.as_str()).map(str::trim);
    let (cfd, code) = (text("cfd")?, text("rncp_code")?);
    (cfd.len() == 8 && is_rncp(code)).then(|| (cfd.to_owned(), code.to_owned()))
}

fn document_rncp(cfd: String, code: String) -> Document {
    [("code_certification", cfd), ("rncp", code)].into_iter().map(|(name, v)| (name.to_owned(), v.into())).collect()
}

impl<K: KeyValueWrite, E: Environment, F: Fetch, C: Clock> RunStepper<'_, K, E, F, C> {
    /// The answers of a lot that the run needs; the calls have seen to it that they are there.
    pub(crate) async fn staged_lot(&self, lot: &Lot) -> Result<StagedLot, StepFault> {
        let staged = StagedLots::read(self.kv).await?;
        let kept = staged.lot(lot).ok_or_else(|| StepFault::Failed(format!("rien n'est gardé pour {lot}")))?;
        Ok(kept.whole_number(self.kv).await?)
    }

    /// Hands documents over, as the next part.
    pub(crate) async fn put_part(
        &mut self,
        documents: impl IntoIterator<Item = (Kind, Document)>,
    ) -> Result<(), StepFault> {
        let part = self.state.totals.parts;
        if part >= PARTS_MAX {
            return Err(StepFault::Failed(format!("plus de {PARTS_MAX} parties de documents")));
        }
        let mut staging = Staging::new(self.kv, &self.run.id, self.env.batch());
        if let Some(rules) = self.env.plausibility().await? {
            staging = staging.with_rules(rules);
        }
        let info = staging.stage_documents(part, documents, self.indicators).await?;
        self.state.report.writes += info.pieces as u64 + 2;
        Ok(self.state.totals.add(&info)?)
    }

    /// Hands documents over, and keeps what later steps look up of them.
    async fn put_back_and_keep(
        &mut self,
        kind: Kind,
        documents: impl IntoIterator<Item = Document>,
    ) -> Result<(), StepFault> {
        let mut documents = documents.into_iter().peekable();
        while documents.peek().is_some() {
            let part: Vec<Document> = documents.by_ref().take(PER_PART).collect();
            for document in &part {
                self.keep(kind, document).await?;
            }
            self.put_part(part.into_iter().map(|d| (kind, d))).await?;
        }
        Ok(())
    }

    /// Treatments 1 to 4, in one piece: the whole nomenclature is some 30 MiB.
    pub(crate) async fn nomenclature(&mut self) -> Result<Next, StepFault> {
        if !self.makes(Service::Bcn) {
            return Ok(Next::Step(RunStep::Etablissements));
        }
        let lot = self.staged_lot(&Lot::Bcn).await?;
        let mut tables = Tables::default();
        let mut report = treatments::TreatmentReport::default();
        let mut answers = LotReader::of(self.kv, &lot, Position::default());
        while let Some((call, _)) = answers.next().await? {
            let Call::Bcn { table } = call else { continue };
            let read = answers.rows(&call, |row| {
                report.rows += 1;
                if let Err(rejection) = tables.add(table, row) {
                    report.reject(&rejection);
                }
            });
            read.await?.map_err(|e| unreadable(&e))?;
        }
        for row in but_rows() {
            if let Err(rejection) = tables.add(BcnTable::NDiplomeSise, row) {
                report.reject(&rejection);
            }
        }
        let Tables { lineages, mut nomenclature, mefs, sises, families: links, .. } = tables;
        let switches = self.configuration().settings.bcn.clone();
        if switches.is_on(Treatment::Lineage) {
            lineage::lineage_cfd(&mut nomenclature, &lineages);
            lineage::lineage_mef(&mut nomenclature);
            lineage::unmatched(&nomenclature).iter().for_each(|unmatched| report.reject(unmatched));
        }
        drop(lineages);
        if switches.is_on(Treatment::Libelles) {
            libelles::libelles(&mut nomenclature);
        }
        if switches.is_on(Treatment::Familles) {
            familles::families(&mut nomenclature, &links);
        }
        *self.state.report.treatment(Service::Bcn) = report;
        self.count_nomenclature(&nomenclature, mefs.len(), sises.len());
        let certifications = nomenclature.certifications().map(treatments::Certification::document);
        self.put_back_and_keep(Kind::Bcn, certifications).await?;
        drop(nomenclature);
        for (kind, texts) in [(Kind::BcnMef, mefs), (Kind::BcnSise, sises)] {
            let documents = texts.iter().filter_map(|t| serde_json::from_slice(t).ok());
            self.put_back_and_keep(kind, documents).await?;
        }
        Ok(Next::Step(RunStep::Etablissements))
    }

    fn count_nomenclature(&mut self, nomenclature: &Nomenclature, mefs: usize, sises: usize) {
        let from = |nature| nomenclature.certifications().filter(|c| c.nature == nature).count();
        let cfds = || nomenclature.certifications().filter(|c| c.nature == Nature::Cfd);
        let report = &mut self.state.report;
        report.count("cfd", from(Nature::Cfd));
        report.count("mef", from(Nature::Mef));
        report.count("lignes_mef", mefs);
        report.count("sise", sises);
        report.count("cfd_avec_anciens", cfds().filter(|c| !c.old_codes.is_empty()).count());
        report.count("cfd_avec_nouveaux", cfds().filter(|c| !c.new_ones.is_empty()).count());
        report.count("cfd_de_familles", cfds().filter(|c| c.famille_metier.is_some()).count());
        let old_codes = nomenclature.certifications().filter(|c| c.old_long_libelle.is_some()).count();
        report.count("libelles_anciens", old_codes);
    }

    /// The ACCE file, in one piece.
    pub(crate) async fn etablissements(&mut self) -> Result<Next, StepFault> {
        if !self.makes(Service::Acce) {
            return Ok(Next::Step(RunStep::Catalogue));
        }
        let lot = self.staged_lot(&Lot::Acce).await?;
        let mut report = treatments::TreatmentReport::default();
        let mut documents = Vec::new();
        let mut answers = LotReader::of(self.kv, &lot, Position::default());
        while let Some((call, _)) = answers.next().await? {
            let mut reader = Some(sources::AnswerReader::new(&call));
            while let Some(rows) = answers.next_rows(&mut reader).await?.map_err(|e| unreadable(&e))? {
                for row in rows {
                    report.rows += 1;
                    match etablissements::etablissement(&row) {
                        Ok(document) => documents.push(document),
                        Err(rejection) => report.reject(&rejection),
                    }
                }
                if documents.len() >= PER_PART {
                    self.put_back_and_keep(Kind::Etablissement, std::mem::take(&mut documents)).await?;
                }
            }
        }
        self.state.report.count("etablissements", usize::try_from(report.rows).unwrap_or(usize::MAX));
        self.put_back_and_keep(Kind::Etablissement, documents).await?;
        self.state.report.treatment(Service::Acce).add(&report);
        Ok(Next::Step(RunStep::Catalogue))
    }

    /// The catalogue, some pages at a time.
    pub(crate) async fn catalogue(&mut self) -> Result<Next, StepFault> {
        if !self.makes(Service::Catalogue) {
            return Ok(Next::Step(RunStep::Links));
        }
        let lot = self.staged_lot(&Lot::Catalogue).await?;
        let mut report = treatments::TreatmentReport::default();
        let (mut documents, mut rncp) = (Vec::new(), BTreeSet::new());
        let mut answers = LotReader::of(self.kv, &lot, self.state.position);
        let mut finished = false;
        for _ in 0..ANSWERS {
            let Some((call, _)) = answers.next().await? else {
                finished = true;
                break;
            };
            let read = answers.rows(&call, |row| {
                report.rows += 1;
                rncp.extend(rncp_link(&row));
                match catalogue::catalogue(&row) {
                    Ok(document) => documents.push(document),
                    Err(rejection) => report.reject(&rejection),
                }
            });
            read.await?.map_err(|e| unreadable(&e))?;
            self.state.read += 1;
        }
        let (position, read) = (answers.position(), self.state.read);
        self.progress(read, lot.pieces().max(read), &Lot::Catalogue.to_string());
        self.put_back_and_keep(Kind::Catalogue, documents).await?;
        if !rncp.is_empty() {
            self.put_part(rncp.into_iter().map(|(cfd, code)| (Kind::Rncp, document_rncp(cfd, code)))).await?;
        }
        self.state.report.treatment(Service::Catalogue).add(&report);
        self.state.position = position;
        Ok(if finished { Next::Step(RunStep::Links) } else { Next::More })
    }
}
