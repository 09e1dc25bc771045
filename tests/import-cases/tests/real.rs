//! The chain on the real tables, where they are present.

use domain::Maille;
use import_cases::chain::{by_groups, context, regional, stage};
use import_cases::real::Tables;
use std::collections::BTreeMap;
use treatments::nomenclature::Nature;
use treatments::report::CountsBySource;
use treatments::{Acce, CodeGroups, TreatmentReport, etablissements};

fn tables(test: &str) -> Option<Tables> {
    beside::shared("data", test).and_then(|_| Tables::beside())
}

#[test]
fn the_nomenclature_has_its_real_size() {
    let Some(tables) = tables("the_nomenclature_has_its_real_size") else { return };
    let context = context(&tables, &mut Vec::new()).unwrap();
    let nomenclature = &context.nomenclature;
    let of = |nature| nomenclature.certifications().filter(|c| c.nature == nature).count();
    assert_eq!((of(Nature::Cfd), of(Nature::Mef)), (11_270, 10_066));
    assert_eq!(nomenclature.sise_count(), 27_062 + 3);
    // Pairs of older and newer diploma; a few name a code that no table has.
    let cfds = || nomenclature.certifications().filter(|c| c.nature == Nature::Cfd);
    let pairs: usize = cfds().map(|c| c.new_ones.len()).sum();
    let back: usize = cfds().map(|c| c.old_codes.len()).sum();
    println!("lineage of CFDs: {pairs} newer, {back} older");
    let known = |codes: &[String]| codes.iter().filter(|c| nomenclature.certification(c).is_some()).count();
    let (newer, older): (usize, usize) =
        nomenclature.certifications().fold((0, 0), |(n, o), c| (n + known(&c.new_ones), o + known(&c.old_codes)));
    assert_eq!(newer, older, "symmetric");
    println!("lineage of CFDs and MEFs on known codes: {newer}");
    let families: BTreeMap<&str, usize> =
        nomenclature.certifications().filter_map(|c| c.famille_metier.as_ref()).fold(BTreeMap::new(), |mut by, f| {
            *by.entry(f.code.as_str()).or_default() += 1;
            by
        });
    let cfds_of_families = cfds().filter(|c| c.famille_metier.is_some()).count();
    println!(
        "familles: {} on {} certifications ({cfds_of_families} CFDs)",
        families.len(),
        families.values().sum::<usize>()
    );
    let shared = nomenclature.annees_communes();
    println!("shared first years: {} familles, {} codes", shared.len(), shared.values().map(Vec::len).sum::<usize>());
    assert_eq!(cfds_of_families, 249);
    let old = nomenclature.certifications().filter(|c| c.old_long_libelle.is_some()).count();
    let without = nomenclature.certifications().filter(|c| c.diplome.is_none()).count();
    println!("old labels: {old}; without diplome: {without}");
    assert_eq!(old, 3_461);
    assert_eq!(tables.catalogue().unwrap().len(), 39_510);
    assert_eq!(context.catalogue.len(), 38_231, "the rows that name a CFD");
    assert_eq!((pairs, back), (1_525, 1_515));
    let groups = CodeGroups::of(nomenclature);
    let largest = groups.all().values().map(std::collections::BTreeSet::len).max().unwrap();
    println!("groups: {}, the largest of {largest} codes", groups.all().len());
    assert!(largest < 500, "a group fits in memory");
}

#[test]
fn every_regional_row_becomes_a_document() {
    let Some(tables) = tables("every_regional_row_becomes_a_document") else { return };
    let context = context(&tables, &mut Vec::new()).unwrap();
    let mut report = TreatmentReport::default();
    let documents = regional(&context, &tables.regions().unwrap(), &mut report).unwrap();
    assert_eq!(documents.len(), 40_322);
    assert_eq!(report.rejection_count(), 0);
    assert!(report.unknown_measures.is_empty(), "{:?}", report.unknown_measures);
    let mut before = CountsBySource::default();
    before.count_all(documents.iter());
    let mut after = CountsBySource::default();
    let staged = stage(&context, documents.into_documents());
    let summary = by_groups(&context, Maille::Regionale, staged, &mut report, |d| after.tally(&d));
    println!("before {before:?}\nafter {after:?}\n{summary:?}\nrejected {:?}", report.rejections);
    let of =
        |coverage: &CountsBySource, source: &str| -> u64 { coverage.0.values().filter_map(|by| by.get(source)).sum() };
    assert_eq!(of(&before, "self"), of(&after, "self"), "delivered numbers stay");
    for source in ["ancienne", "nouvelle", "aucune"] {
        assert!(of(&after, source) > 0, "{source}");
    }
}

#[test]
fn establishments_lie_in_known_places() {
    let Some(tables) = tables("establishments_lie_in_known_places") else { return };
    let rows = tables.acce().unwrap();
    let documents: Vec<_> = rows.iter().map(|row| etablissements::etablissement(row).unwrap()).collect();
    let acce = Acce::of(&documents);
    let mut report = TreatmentReport::default();
    let known = documents
        .iter()
        .filter(|d| acce.verify(d["numero_uai"].as_str().unwrap()).map_err(|r| report.reject(&r)).is_ok())
        .count();
    println!("{known} of {} establishments, {:?}", acce.len(), report.rejections);
    assert!(known * 100 > acce.len() * 95);
}
