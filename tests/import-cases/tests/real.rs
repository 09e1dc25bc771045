//! The chain on the real tables, where they are present.

use domain::Maille;
use import_cases::chain::{by_groups, context, regional, stage};
use import_cases::real::Tables;
use std::collections::BTreeMap;
use treatments::nomenclature::Nature;
use treatments::rapport::Couverture;
use treatments::{Acce, Groupes, Rapport, etablissements};

fn tables(test: &str) -> Option<Tables> {
    beside::shared("data", test).and_then(|_| Tables::beside())
}

#[test]
fn the_nomenclature_has_its_real_size() {
    let Some(tables) = tables("the_nomenclature_has_its_real_size") else { return };
    let contexte = context(&tables, &mut Vec::new()).unwrap();
    let nomenclature = &contexte.nomenclature;
    let of = |nature| nomenclature.certifications().filter(|c| c.nature == nature).count();
    assert_eq!((of(Nature::Cfd), of(Nature::Mef)), (11_270, 10_066));
    assert_eq!(nomenclature.nombre_de_sise(), 27_062 + 3);
    // Pairs of older and newer diploma; a few name a code that no table has.
    let cfds = || nomenclature.certifications().filter(|c| c.nature == Nature::Cfd);
    let pairs: usize = cfds().map(|c| c.nouveaux.len()).sum();
    let back: usize = cfds().map(|c| c.anciens.len()).sum();
    println!("lineage of CFDs: {pairs} newer, {back} older");
    let known = |codes: &[String]| codes.iter().filter(|c| nomenclature.certification(c).is_some()).count();
    let (newer, older): (usize, usize) =
        nomenclature.certifications().fold((0, 0), |(n, o), c| (n + known(&c.nouveaux), o + known(&c.anciens)));
    assert_eq!(newer, older, "symmetric");
    println!("lineage of CFDs and MEFs on known codes: {newer}");
    let families: BTreeMap<&str, usize> =
        nomenclature.certifications().filter_map(|c| c.famille.as_ref()).fold(BTreeMap::new(), |mut by, f| {
            *by.entry(f.code.as_str()).or_default() += 1;
            by
        });
    let cfds_of_families = cfds().filter(|c| c.famille.is_some()).count();
    println!(
        "familles: {} on {} certifications ({cfds_of_families} CFDs)",
        families.len(),
        families.values().sum::<usize>()
    );
    let shared = nomenclature.annees_communes();
    println!("shared first years: {} familles, {} codes", shared.len(), shared.values().map(Vec::len).sum::<usize>());
    assert_eq!(cfds_of_families, 249);
    let old = nomenclature.certifications().filter(|c| c.libelle_long_ancien.is_some()).count();
    let without = nomenclature.certifications().filter(|c| c.diplome.is_none()).count();
    println!("old labels: {old}; without diplome: {without}");
    assert_eq!(old, 3_461);
    assert_eq!(tables.catalogue().unwrap().len(), 39_510);
    assert_eq!(contexte.catalogue.len(), 38_231, "the rows that name a CFD");
    assert_eq!((pairs, back), (1_525, 1_515));
    let groups = Groupes::de(nomenclature);
    let largest = groups.tous().values().map(std::collections::BTreeSet::len).max().unwrap();
    println!("groups: {}, the largest of {largest} codes", groups.tous().len());
    assert!(largest < 500, "a group fits in memory");
}

#[test]
fn every_regional_row_becomes_a_document() {
    let Some(tables) = tables("every_regional_row_becomes_a_document") else { return };
    let contexte = context(&tables, &mut Vec::new()).unwrap();
    let mut rapport = Rapport::default();
    let documents = regional(&contexte, &tables.regions().unwrap(), &mut rapport).unwrap();
    assert_eq!(documents.len(), 40_322);
    assert_eq!(rapport.nombre_de_rejets(), 0);
    assert!(rapport.mesures_inconnues.is_empty(), "{:?}", rapport.mesures_inconnues);
    let mut before = Couverture::default();
    before.compter_tous(documents.iter());
    let mut after = Couverture::default();
    let staged = stage(&contexte, documents.into_documents());
    let bilan = by_groups(&contexte, Maille::Regionale, staged, &mut rapport, |d| after.compter(&d));
    println!("before {before:?}\nafter {after:?}\n{bilan:?}\nrejected {:?}", rapport.rejets);
    let of = |coverage: &Couverture, source: &str| -> u64 { coverage.0.values().filter_map(|by| by.get(source)).sum() };
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
    let acce = Acce::de(&documents);
    let mut rapport = Rapport::default();
    let known = documents
        .iter()
        .filter(|d| acce.verifier(d["numero_uai"].as_str().unwrap()).map_err(|r| rapport.rejeter(&r)).is_ok())
        .count();
    println!("{known} of {} establishments, {:?}", acce.len(), rapport.rejets);
    assert!(known * 100 > acce.len() * 95);
}
