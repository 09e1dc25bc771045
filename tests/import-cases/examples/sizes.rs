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
use treatments::inserjeunes::{Mesures, Place, livrer, region_demandee, regions_a_demander};
use treatments::rapport::Couverture;
use treatments::{Acce, Collection, Contexte, Rapport, etablissements, insersup};

/// Reads the rows of one answer into the documents of a maille.
fn take(
    contexte: &Contexte,
    maille: Maille,
    (rows, place, millesime): (Rows, Place<'_>, &str),
    documents: &mut Collection,
    rapport: &mut Rapport,
) {
    let mut mesures = Mesures::nouvelles(maille);
    for row in rows {
        if let Err(rejet) = mesures.ajouter(&row, rapport) {
            rapport.rejeter(&rejet);
        }
    }
    if let Err(rejet) = livrer(&contexte.nomenclature, mesures, millesime, place, true, documents, rapport) {
        rapport.rejeter(&rejet);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let factor = std::env::args().nth(1).map(|factor| factor.parse::<f64>()).transpose()?;
    let data = services::data(factor.map_or(Data::Real, Data::Production))?;
    let tables = Tables::beside().ok_or("no real tables at ../shared/data")?;
    let contexte = context(&tables, &mut Vec::new())?;
    let places: Vec<Document> = data.acce()?.filter_map(|row| etablissements::etablissement(&row).ok()).collect();
    let acce = Acce::de(&places);
    let uais = acce.a_demander(&mut Rapport::default());
    let summary = data.sources();
    println!(
        "{} establishments are asked about, {} periods, {} years",
        uais.len(),
        summary.periods.len(),
        summary.years.len()
    );
    for maille in Maille::TOUTES {
        let mut rapport = Rapport::default();
        let mut documents = Collection::nouvelle(Kind::from(maille));
        let mut add = |rows: Rows, place: Place<'_>, millesime: &str| {
            take(&contexte, maille, (rows, place, millesime), &mut documents, &mut rapport);
        };
        let data: &dyn DataSet = &*data;
        match maille {
            Maille::Nationale => {
                for year in &summary.years {
                    for filiere in sources::plan::FILIERES {
                        add(data.france(year, filiere), Place::France, year);
                    }
                }
            }
            Maille::Regionale => {
                for region in regions_a_demander() {
                    for period in &summary.periods {
                        let code = region.code_region_academique;
                        add(data.region(code, period), Place::Region(region_demandee(code)?), period);
                    }
                }
            }
            // Declared mailles arrive by push only.
            Maille::Declaree => {}
            Maille::Etablissement => {
                for uai in &uais {
                    for period in &summary.periods {
                        if let Some(rows) = data.uai(uai, period) {
                            add(rows, Place::Etablissement(&acce, uai), period);
                        }
                    }
                }
            }
        }
        let delivered = documents.len();
        let mut after = Couverture::default();
        let staged = stage(&contexte, documents.into_documents());
        by_groups(&contexte, maille, staged, &mut rapport, |document| after.compter(&document));
        let total: u64 = after.0.values().flat_map(|by| by.values()).sum();
        println!("{maille:?}: {delivered} rows become {total} documents; rejected {:?}", rapport.rejets);
    }
    let wanted: Vec<Millesime> = summary.periods.iter().filter_map(|period| Millesime::parse(period)).collect();
    let (mut rapport, mut establishments, mut national) = (Rapport::default(), BTreeSet::new(), BTreeSet::new());
    let mut key = |keys: &mut BTreeSet<String>, document: Result<Option<Document>, _>| match document {
        Ok(Some(d)) => {
            keys.insert(["uai", "code_certification", "millesime"].map(|f| format!("{:?}", d.get(f))).concat());
        }
        Ok(None) => {}
        Err(rejet) => rapport.rejeter(&rejet),
    };
    for row in data.insersup() {
        key(&mut establishments, insersup::formation(&contexte.nomenclature, &acce, &row, &wanted, true));
    }
    for row in summary.periods.iter().chain(&summary.years).flat_map(|millesime| data.national(millesime)) {
        key(&mut national, insersup::certification(&contexte.nomenclature, &row, true));
    }
    let (establishments, national) = (establishments.len(), national.len());
    println!(
        "higher education: {establishments} documents by establishment, {national} national; {:?}",
        rapport.rejets
    );
    Ok(())
}
