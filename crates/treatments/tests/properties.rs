//! What holds for every input: idempotence, symmetry, independence of the order of rows.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that breaks may panic")]

use domain::{Document, Kind, Maille};
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use treatments::inserjeunes::Measures;
use treatments::nomenclature::{Certification, Nature};
use treatments::{Catalogue, CodeGroups, Collection, Context, Nomenclature, TreatmentReport};
use treatments::{inserjeunes, libelles, lineage, treat_group};

fn document(value: Value) -> Document {
    value.as_object().unwrap().clone()
}

/// Codes of ten CFDs.
fn cfd(rank: usize) -> String {
    format!("4000000{rank}")
}

/// Rows of N_FORMATION_DIPLOME, with any lineage at all, circles included.
fn rows() -> impl Strategy<Value = Vec<Document>> {
    let neighbours = || prop::collection::vec(0..12_usize, 0..3);
    prop::collection::vec((neighbours(), neighbours()), 10).prop_map(|rows| {
        let row = |(rank, (old_codes, new_ones)): (usize, (Vec<usize>, Vec<usize>))| {
            let mut row = json!({"formation_diplome": cfd(rank)});
            for (n, old) in old_codes.into_iter().enumerate() {
                row[format!("ancien_diplome_{}", n + 1)] = cfd(old).into();
            }
            for (n, new) in new_ones.into_iter().enumerate() {
                row[format!("nouveau_diplome_{}", n + 1)] = cfd(new).into();
            }
            document(row)
        };
        rows.into_iter().enumerate().map(row).collect()
    })
}

/// Ten CFDs and two MEFs of each, first and second year.
fn nomenclature(rows: &[Document]) -> Nomenclature {
    let mut nomenclature = Nomenclature::default();
    for rank in 0..10 {
        let libelle_long = Some(format!("DIPLOME {}", rank / 2));
        let cfd_ = Certification { code: cfd(rank), cfd: cfd(rank), libelle_long, ..Certification::default() };
        nomenclature.add(cfd_);
        for year in 1..=2 {
            let code = format!("247{year}000000{rank}");
            let mef =
                Certification { nature: Nature::Mef, cfd: cfd(rank), code: code.clone(), ..Certification::default() };
            nomenclature.add(mef);
            nomenclature.add_mef_row(&document(json!({"mef_stat_11": code, "formation_diplome": cfd(rank),
                "dispositif_formation": "247", "annee_dispositif": year.to_string()})));
        }
    }
    lineage::lineage_cfd(&mut nomenclature, rows);
    lineage::lineage_mef(&mut nomenclature);
    libelles::libelles(&mut nomenclature);
    nomenclature
}

/// Older and newer code.
type Edges = BTreeSet<(String, String)>;

fn edges(nomenclature: &Nomenclature) -> (Edges, Edges) {
    let known = |code: &&String| nomenclature.certification(code).is_some();
    let (mut to_old, mut to_new) = (BTreeSet::new(), BTreeSet::new());
    for c in nomenclature.certifications() {
        to_old.extend(c.old_codes.iter().filter(known).map(|a| (a.clone(), c.code.clone())));
        to_new.extend(c.new_ones.iter().filter(known).map(|n| (c.code.clone(), n.clone())));
    }
    (to_old, to_new)
}

/// Delivered statistics of apprenticeship and school, and rows of the catalogue.
fn statistics() -> impl Strategy<Value = (Vec<Document>, Vec<Document>)> {
    let statistic = (0..10_usize, any::<bool>(), 0..4_usize, 0..3_u32).prop_map(|(rank, school, uai, number)| {
        let code = if school { format!("2472000000{rank}") } else { cfd(rank) };
        document(json!({"uai": format!("0{uai}"), "code_certification": code, "millesime": "2019_2020",
            "filiere": if school { "pro" } else { "apprentissage" }, "nb_annee_term": number,
            "code_formation_diplome": cfd(rank), "donnee_source": {"code_certification": code, "type": "self"}}))
    });
    let uai = || prop::option::of((0..4_usize).prop_map(|uai| format!("0{uai}")));
    let row =
        (0..10_usize, uai(), uai(), uai(), any::<u64>()).prop_map(|(rank, place, formateur, gestionnaire, id)| {
            document(json!({"id": id.to_string(), "cfd": cfd(rank), "uai_formation": place,
            "etablissement_formateur_uai": formateur, "etablissement_gestionnaire_uai": gestionnaire}))
        });
    (prop::collection::vec(statistic, 0..12), prop::collection::vec(row, 0..15))
}

fn handle(nomenclature: &Nomenclature, catalogue: &[Document], documents: Vec<Document>) -> Collection {
    let catalogue = Catalogue::of(catalogue);
    let context = Context { nomenclature: nomenclature.clone(), catalogue, ..Context::default() };
    let mut documents = Collection::of(Kind::Formation, documents);
    treat_group(&context, Maille::Etablissement, &mut documents, &mut TreatmentReport::default(), &mut |_, _| ());
    documents
}

fn sorted(documents: impl IntoIterator<Item = Document>) -> BTreeMap<String, Value> {
    documents.into_iter().map(|d| (Kind::Formation.key(&d).unwrap(), Value::Object(d))).collect()
}

proptest! {
    #[test]
    fn lineage_is_symmetric_and_nobody_is_their_own_ancestor(rows in rows()) {
        let mut nomenclature = nomenclature(&rows);
        let (to_old, to_new) = edges(&nomenclature);
        prop_assert!(to_old.iter().all(|(old, new)| old != new));
        prop_assert_eq!(to_old, to_new);
        prop_assert!(lineage::lineage_cfd(&mut nomenclature, &rows).is_empty(), "a second run changes nothing");
        prop_assert!(lineage::lineage_mef(&mut nomenclature).is_empty());
        prop_assert!(libelles::libelles(&mut nomenclature).is_empty());
    }

    #[test]
    fn the_order_of_lineage_rows_does_not_matter(rows in rows(), draw in any::<prop::sample::Index>()) {
        let mut others = rows.clone();
        others.rotate_left(draw.index(rows.len()));
        prop_assert_eq!(edges(&nomenclature(&rows)), edges(&nomenclature(&others)));
    }

    #[test]
    fn treatments_run_twice_change_nothing((documents, catalogue) in statistics(), rows in rows()) {
        let nomenclature = nomenclature(&rows);
        let once = sorted(handle(&nomenclature, &catalogue, documents).into_documents());
        let documents = once.values().map(|d| document(d.clone())).collect();
        let twice = sorted(handle(&nomenclature, &catalogue, documents).into_documents());
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn groups_can_be_treated_alone((documents, catalogue) in statistics(), rows in rows()) {
        let nomenclature = nomenclature(&rows);
        let groups = CodeGroups::of(&nomenclature);
        // Of documents of one key the later are merged into the first: once, before they are cut.
        let documents: Vec<Document> = Collection::of(Kind::Formation, documents).into_documents().collect();
        let mut by_group: BTreeMap<String, Vec<Document>> = BTreeMap::new();
        for document in documents.clone() {
            let group = groups.group(document["code_certification"].as_str().unwrap()).to_owned();
            by_group.entry(group).or_default().push(document);
        }
        let separated = by_group.into_values().flat_map(|d| handle(&nomenclature, &catalogue, d).into_documents());
        prop_assert_eq!(sorted(separated), sorted(handle(&nomenclature, &catalogue, documents).into_documents()));
    }

    #[test]
    fn the_order_of_documents_and_catalogue_does_not_matter(
        (documents, catalogue) in statistics(), rows in rows(), draw in any::<prop::sample::Index>(),
    ) {
        let nomenclature = nomenclature(&rows);
        // One document a key: which of two comes later is told by their order.
        let documents: Vec<Document> = Collection::of(Kind::Formation, documents).into_documents().collect();
        let (mut others, mut other_catalogue) = (documents.clone(), catalogue.clone());
        others.reverse();
        if !catalogue.is_empty() {
            other_catalogue.rotate_left(draw.index(catalogue.len()));
        }
        let here = sorted(handle(&nomenclature, &catalogue, documents).into_documents());
        prop_assert_eq!(here, sorted(handle(&nomenclature, &other_catalogue, others).into_documents()));
    }

    #[test]
    fn rates_are_whole_and_parts_of_a_hundred(
        headcount in 0..2_000_u32, employed in 0..2_000_u32, further_study in 0..2_000_u32, formation in 0..=100_u32,
        present in subsequence(vec![0, 1, 2, 3], 0..=4),
    ) {
        let mef = json!([{"id_mefstat11": "12345678900"}]);
        let measures = [
            ("nb_annee_term", headcount), ("nb_en_emploi_12_mois", employed),
            ("nb_poursuite_etudes", further_study), ("DEVENIR_part_poursuite_etudes", formation),
        ];
        let rows: Vec<Document> = present
            .iter()
            .map(|rank| measures[*rank])
            .map(|(m, v)| document(json!({"id_mesure": m, "valeur_mesure": v, "dimensions": mef})))
            .collect();
        let handle = |rows: &mut dyn Iterator<Item = &Document>| {
            let mut measures = Measures::new(Maille::National);
            rows.for_each(|l| measures.add(l, &mut TreatmentReport::default()).unwrap());
            measures.documents("2020", true).next().map(Value::Object)
        };
        let statistic = handle(&mut rows.iter());
        prop_assert_eq!(&statistic, &handle(&mut rows.iter().rev()), "the order of rows does not matter");
        let Some(Value::Object(mut statistic)) = statistic else { return Ok(()) };
        for (name, value) in &statistic {
            if name.starts_with("taux_") {
                prop_assert!(value.is_u64(), "{} {}", name, value);
            }
        }
        let rate = |name| statistic.get(name).and_then(Value::as_u64);
        if let (Some(employment), Some(others)) = (rate("taux_en_emploi_12_mois"), rate("taux_autres_12_mois")) {
            let remainder = 100_u64.saturating_sub(employment + u64::from(formation));
            prop_assert_eq!(others, remainder);
        }
        // Filling in and computing again changes nothing.
        let before = statistic.clone();
        inserjeunes::complete(&mut statistic);
        inserjeunes::compute(&mut statistic);
        prop_assert_eq!(before, statistic);
    }
}
