//! The whole chain on the real tables: nomenclature, lineage, labels, familles, statistics.

use crate::real::{TableError, Tables, rows};
use domain::{Document, Kind, Maille};
use sources::{BcnTable, Call};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use treatments::familles::FamilleMetierTables;
use treatments::inserjeunes::{Measures, StatisticPlace, asked_region, deliver};
use treatments::nomenclature::{Levels, SiseTypes, bcn_sise, but_rows, nomenclature};
use treatments::{Catalogue, TreatmentReport, familles, libelles, lineage};
use treatments::{CodeGroups, Collection, Context};

/// How long each part took.
pub type Durations = Vec<(&'static str, Duration)>;

fn timed<T>(durations: &mut Durations, name: &'static str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    durations.push((name, start.elapsed()));
    result
}

/// The nomenclature (treatments 1 to 4) and the catalogue.
///
/// # Errors
/// [`TableError`].
pub fn context(tables: &Tables, durations: &mut Durations) -> Result<Context, TableError> {
    let mut report = TreatmentReport::default();
    let mut level_table = Levels::default();
    let levels = tables.bcn_rows(BcnTable::NNiveauFormationDiplome)?;
    levels.iter().filter_map(|row| level_table.add(row).err()).for_each(|rejection| report.reject(&rejection));
    let mut formations = Vec::new();
    for table in [BcnTable::VFormationDiplome, BcnTable::NFormationDiplome, BcnTable::NFormationDiplomeEnquete51] {
        formations.extend(tables.bcn_rows(table)?);
    }
    let mefs = tables.bcn_rows(BcnTable::NMef)?;
    let lineage = tables.bcn_rows(BcnTable::NFormationDiplome)?;
    let mut nomenclature =
        timed(durations, "1 nomenclature", || nomenclature(&level_table, formations, mefs, &mut report));
    let mut types = SiseTypes::default();
    for row in tables.bcn_rows(BcnTable::NTypeDiplomeSise)? {
        if let Err(rejection) = types.add(&row) {
            report.reject(&rejection);
        }
    }
    for row in tables.bcn_rows(BcnTable::NDiplomeSise)?.into_iter().chain(but_rows()) {
        match bcn_sise(&row, &types) {
            Ok(document) => nomenclature.add_sise(&document),
            Err(rejection) => report.reject(&rejection),
        }
    }
    timed(durations, "2 lineage", || {
        lineage::lineage_cfd(&mut nomenclature, &lineage);
        lineage::lineage_mef(&mut nomenclature);
    });
    timed(durations, "3 labels", || libelles::libelles(&mut nomenclature));
    let mut links = FamilleMetierTables::default();
    for row in tables.bcn_rows(BcnTable::NGroupeFormation)? {
        if let Err(rejection) = links.add_group(&row) {
            report.reject(&rejection);
        }
    }
    for row in tables.bcn_rows(BcnTable::NLienFormationGroupe)? {
        if let Err(rejection) = links.add_link(&row) {
            report.reject(&rejection);
        }
    }
    timed(durations, "4 familles", || familles::families(&mut nomenclature, &links));
    let mut catalogue = Catalogue::default();
    for row in tables.catalogue()? {
        match treatments::catalogue::catalogue(&row) {
            Ok(document) => catalogue.add(&document),
            Err(rejection) => report.reject(&rejection),
        }
    }
    Ok(Context { nomenclature, catalogue, ..Context::default() })
}

/// The regional statistics (treatment 5) of raw answers.
///
/// # Errors
/// [`TableError`].
pub fn regional<'a>(
    context: &Context,
    answers: impl IntoIterator<Item = (&'a Call, &'a Vec<u8>)>,
    report: &mut TreatmentReport,
) -> Result<Collection, TableError> {
    let mut documents = Collection::new(Kind::Regionale);
    for (call, answer) in answers {
        let Call::InserJeunesRegion { region, millesime } = call else { continue };
        let mut measures = Measures::new(Maille::Regionale);
        for row in rows(call, answer)? {
            if let Err(rejection) = measures.add(&row, report) {
                report.reject(&rejection);
            }
        }
        let place = asked_region(region).map(StatisticPlace::Region);
        let written =
            place.and_then(|p| deliver(&context.nomenclature, measures, millesime, p, true, &mut documents, report));
        if let Err(rejection) = written {
            report.reject(&rejection);
        }
    }
    Ok(documents)
}

/// Documents as they are staged: text, by group of codes.
pub type Staged = BTreeMap<String, Vec<Vec<u8>>>;

/// Stages documents by group.
#[must_use]
pub fn stage(context: &Context, documents: impl IntoIterator<Item = Document>) -> Staged {
    let groups = CodeGroups::of(&context.nomenclature);
    let mut staged = Staged::new();
    for document in documents {
        let code = document.get("code_certification").and_then(|c| c.as_str()).unwrap_or_default();
        let group = staged.entry(groups.group(code).to_owned()).or_default();
        group.push(serde_json::to_vec(&document).unwrap_or_default());
    }
    staged
}

/// Treatments 6 to 8, a group at a time: staged documents in, finished documents out. Only one
/// group lies in memory.
pub fn by_groups(
    context: &Context,
    maille: Maille,
    staged: Staged,
    report: &mut TreatmentReport,
    mut each: impl FnMut(Document),
) -> treatments::GroupSummary {
    let mut total = treatments::GroupSummary::default();
    for texts in staged.into_values() {
        let documents = texts.iter().filter_map(|text| serde_json::from_slice(text).ok());
        let mut documents = Collection::of(maille.into(), documents);
        total += treatments::treat_group(context, maille, &mut documents, report, &mut |_, _| ());
        documents.into_documents().for_each(&mut each);
    }
    total
}
