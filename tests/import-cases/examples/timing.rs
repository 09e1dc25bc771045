//! Times the chain on the real tables: `cargo run --release -p import-cases --example timing`.
//!
//! Regional statistics are the real ones. Those of establishments are not published: their keys
//! are real (head counts of the school track, the catalogue of apprenticeships), their numbers are
//! made up; they only have the right size.

#![expect(clippy::unwrap_used, reason = "a measurement that breaks may panic")]

use domain::{Document, Kind, Maille};
use import_cases::chain::{by_groups, context, regional, stage};
use import_cases::real::Tables;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Instant;
use treatments::inserjeunes::{Measures, StatisticPlace, deliver};
use treatments::{Acce, Collection, Context, TreatmentReport, etablissements};

const MILLESIMES: [&str; 2] = ["2021_2022", "2022_2023"];

fn main() {
    let Some(tables) = Tables::beside() else {
        println!("no real tables at ../shared/data");
        return;
    };
    let start = Instant::now();
    let mut durations = Vec::new();
    let context = context(&tables, &mut durations).unwrap();
    println!("tables read and nomenclature built: {:.1?}", start.elapsed());
    for (name, duration) in durations {
        println!("  {name}: {duration:.1?}");
    }
    let answers = tables.regions().unwrap();
    let size: usize = answers.values().map(Vec::len).sum();
    let mut report = TreatmentReport::default();
    let start = Instant::now();
    let documents = regional(&context, &answers, &mut report).unwrap();
    println!(
        "regional: {} MB of raw answers → {} documents in {:.1?}",
        size / 1_000_000,
        documents.len(),
        start.elapsed()
    );
    drop(answers);
    let staged = stage(&context, documents.into_documents());
    let start = Instant::now();
    let mut count = 0_u64;
    let summary = by_groups(&context, Maille::Regionale, staged, &mut report, |_| count += 1);
    println!("regional, treatments 6 and 7: {count} documents in {:.1?}, {summary:?}", start.elapsed());
    for count in [1, 2] {
        let millesimes: Vec<&str> = MILLESIMES.into_iter().take(count).collect();
        establishments(&tables, &context, &millesimes);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .filter(|line| line.starts_with("VmHWM"))
        .for_each(|line| println!("{line} (everything in memory at once)"));
}

fn establishments(tables: &Tables, context: &Context, millesimes: &[&str]) {
    let rows = tables.acce().unwrap();
    let acce = Acce::of(&rows.iter().map(|row| etablissements::etablissement(row).unwrap()).collect::<Vec<_>>());
    let text = |row: &Document, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut keys: BTreeSet<(String, String, &str)> = BTreeSet::new();
    for row in tables.csv("effectifs/constat-2020.csv").unwrap() {
        let mef =
            row.iter().find(|(name, _)| name.contains("mef")).map(|(name, _)| text(&row, name)).unwrap_or_default();
        let uai =
            row.iter().find(|(name, _)| name.contains("uai")).map(|(name, _)| text(&row, name)).unwrap_or_default();
        keys.insert((uai, mef, "id_mefstat11"));
    }
    for row in tables.catalogue().unwrap() {
        keys.insert((text(&row, "etablissement_formateur_uai"), text(&row, "cfd"), "id_formation_apprentissage"));
    }
    let mut by_uai: std::collections::BTreeMap<String, Vec<(String, &str)>> = std::collections::BTreeMap::new();
    keys.into_iter().for_each(|(uai, code, dimension)| by_uai.entry(uai).or_default().push((code, dimension)));
    let mut report = TreatmentReport::default();
    let mut documents = Collection::new(Kind::Formation);
    let start = Instant::now();
    for millesime in millesimes {
        for (uai, codes) in &by_uai {
            let mut measures = Measures::new(Maille::Etablissement);
            for (code, dimension) in codes {
                for (name, value) in [
                    ("nb_annee_term", 40),
                    ("nb_poursuite_etudes", 10),
                    ("nb_en_emploi_12_mois", 15),
                    ("nb_en_emploi_6_mois", 12),
                    ("DEVENIR_part_poursuite_etudes", 25),
                ] {
                    let row = serde_json::json!({"id_mesure": name, "valeur_mesure": value, "dimensions": [{*dimension: code}]});
                    measures.add(row.as_object().unwrap(), &mut report).unwrap();
                }
            }
            let place = StatisticPlace::Etablissement(&acce, uai);
            let _ = deliver(&context.nomenclature, measures, millesime, place, true, &mut documents, &mut report);
        }
    }
    let delivered = documents.len();
    let five = start.elapsed();
    let staged = stage(context, documents.into_documents());
    let start = Instant::now();
    let mut count = 0_u64;
    let summary = by_groups(context, Maille::Etablissement, staged, &mut report, |_| count += 1);
    println!(
        "establishments, {} millesimes: {delivered} documents in {five:.1?}, then {count} in {:.1?}; {:?}",
        millesimes.len(),
        start.elapsed(),
        summary.roles
    );
}
