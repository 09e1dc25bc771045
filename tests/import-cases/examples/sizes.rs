//! How many documents the simulated services' answers become: source rows, and documents after the treatments.
//!
//! `cargo run -p import-cases --example sizes [FACTOR]`: without a factor, the real tables; with one, that multiple of the
//! production size. Needs the real tables at `../shared/data`.

use domain::{Document, Kind, Maille, Millesime};
use import_cases::chain::{by_groups, context, stage};
use import_cases::real::Tables;
use services::Data;
use services::answer::{DataSet, Rows};
use std::collections::BTreeSet;
use std::error::Error;
use treatments::inserjeunes::{Measures, StatisticPlace, asked_region, deliver, regions_to_ask};
use treatments::report::CountsBySource;
use treatments::{Acce, Collection, Context, TreatmentReport, etablissements, insersup};

/// Reads the rows of one answer into the documents of a maille.
fn take(
    context: &Context,
    maille: Maille,
    (rows, place, millesime): (Rows, StatisticPlace<'_>, &str),
    documents: &mut Collection,
    report: &mut TreatmentReport,
) {
    let mut measures = Measures::new(maille);
    for row in rows {
        if let Err(rejection) = measures.add(&row, report) {
            report.reject(&rejection);
        }
    }
    if let Err(rejection) = deliver(&context.nomenclature, measures, millesime, place, true, documents, report) {
        report.reject(&rejection);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let factor = std::env::args().nth(1).map(|factor| factor.parse::<f64>()).transpose()?;
    let data = services::data(factor.map_or(Data::Real, Data::Production))?;
    let tables = Tables::beside().ok_or("no real tables at ../shared/data")?;
    let context = context(&tables, &mut Vec::new())?;
    let places: Vec<Document> = data.acce()?.filter_map(|row| etablissements::etablissement(&row).ok()).collect();
    let acce = Acce::of(&places);
    let uais = acce.to_ask(&mut TreatmentReport::default());
    let summary = data.sources();
    println!(
        "{} establishments are asked about, {} periods, {} years",
        uais.len(),
        summary.periods.len(),
        summary.years.len()
    );
    for maille in Maille::ALL {
        let mut report = TreatmentReport::default();
        let mut documents = Collection::new(Kind::from(maille));
        let mut add = |rows: Rows, place: StatisticPlace<'_>, millesime: &str| {
            take(&context, maille, (rows, place, millesime), &mut documents, &mut report);
        };
        let data: &dyn DataSet = &*data;
        match maille {
            Maille::National => {
                for year in &summary.years {
                    for filiere in sources::plan::FILIERES {
                        add(data.france(year, filiere), StatisticPlace::France, year);
                    }
                }
            }
            Maille::Regionale => {
                for region in regions_to_ask() {
                    for period in &summary.periods {
                        let code = region.region_academie_code;
                        add(data.region(code, period), StatisticPlace::Region(asked_region(code)?), period);
                    }
                }
            }
            // Declared mailles arrive by push only.
            Maille::Declared => {}
            Maille::Etablissement => {
                for uai in &uais {
                    for period in &summary.periods {
                        if let Some(rows) = data.uai(uai, period) {
                            add(rows, StatisticPlace::Etablissement(&acce, uai), period);
                        }
                    }
                }
            }
        }
        let delivered = documents.len();
        let mut after = CountsBySource::default();
        let staged = stage(&context, documents.into_documents());
        by_groups(&context, maille, staged, &mut report, |document| after.tally(&document));
        let total: u64 = after.0.values().flat_map(|by| by.values()).sum();
        println!("{maille:?}: {delivered} rows become {total} documents; rejected {:?}", report.rejections);
    }
    let wanted: Vec<Millesime> = summary.periods.iter().filter_map(|period| Millesime::parse(period)).collect();
    let (mut report, mut establishments, mut national) = (TreatmentReport::default(), BTreeSet::new(), BTreeSet::new());
    let mut key = |keys: &mut BTreeSet<String>, document: Result<Option<Document>, _>| match document {
        Ok(Some(d)) => {
            keys.insert(["uai", "code_certification", "millesime"].map(|f| format!("{:?}", d.get(f))).concat());
        }
        Ok(None) => {}
        Err(rejection) => report.reject(&rejection),
    };
    for row in data.insersup() {
        key(&mut establishments, insersup::formation(&context.nomenclature, &acce, &row, &wanted, true));
    }
    for row in summary.periods.iter().chain(&summary.years).flat_map(|millesime| data.national(millesime)) {
        key(&mut national, insersup::certification(&context.nomenclature, &row, true));
    }
    let (establishments, national) = (establishments.len(), national.len());
    println!(
        "higher education: {establishments} documents by establishment, {national} national; {:?}",
        report.rejections
    );
    Ok(())
}
