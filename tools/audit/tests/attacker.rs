//! What the attacker finds, with and without what protects.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use audit::equations::{Level, Means, Outcome, attack};
use audit::report;
use audit::service::{Protection, Service};
use domain::{Document, Secrecy};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Place ("" is the country), CFD, code, lender, millesime, size, those who go on studying.
type Row<'a> = (&'a str, &'a str, &'a str, Option<&'a str>, &'a str, u32, u32);

fn document(&(place, cfd, code, lender, millesime, size, study): &Row<'_>) -> Document {
    let mut document = json!({
        "code_certification": code, "code_formation_diplome": cfd, "filiere": "pro", "millesime": millesime,
        "nb_annee_term": size, "nb_poursuite_etudes": study, "nb_sortant": size - study,
        "donnee_source": {"code_certification": lender.unwrap_or(code), "type": if lender.is_some() { "ancienne" } else { "self" }},
    });
    if !place.is_empty() {
        document["region"] = json!({"code": place});
    }
    document.as_object().unwrap().clone()
}

fn play(rows: &[Row<'_>], protection: Protection, means: Means) -> (Outcome, Vec<String>) {
    let service = Service::publish(rows.iter().map(document), protection);
    let (views, _) = service.asked_views();
    let mut cells = service.cells();
    let outcome = attack(&mut cells, &views, means);
    let found = outcome.findings.iter().filter(|finding| finding.level > Level::Safe);
    let names =
        found.map(|f| format!("{} {} {:?}", cells[f.cell].key.code, cells[f.cell].key.millesime, f.level)).collect();
    (outcome, names)
}

#[test]
fn a_hidden_group_beside_a_visible_one_is_found_where_views_add_up_whatever_there_is() {
    let rows: [Row<'_>; 3] = [
        ("11", "A", "1", None, "2020_2021", 12, 5),
        ("11", "B", "2", None, "2020_2021", 50, 21),
        ("11", "B", "3", None, "2020_2021", 9, 4),
    ];
    let (_, found) = play(&rows, Protection::None, Means::DIFFERENCES);
    assert_eq!(found, ["1 2020_2021 Whole", "3 2020_2021 Whole"]);
    assert!(play(&rows, Protection::Sums, Means::ALL).1.is_empty());
}

#[test]
fn sums_that_the_data_holds_are_found_and_only_where_sizes_confirm_them() {
    let of = |national: u32| -> [Row<'static>; 3] {
        [
            ("", "A", "1", None, "2021", national, 30),
            ("11", "A", "1", None, "2020_2021", 50, 21),
            ("76", "A", "1", None, "2020_2021", 12, 9),
        ]
    };
    assert_eq!(play(&of(62), Protection::Sums, Means::SUMS).1, ["1 2020_2021 Whole"]);
    assert!(play(&of(63), Protection::Sums, Means::SUMS).1.is_empty());
    assert!(play(&of(62), Protection::Sums, Means::VIEWS).1.is_empty());
}

/// A document that names a lender and has another size holds no copy: what is shown of the lender says nothing of it.
#[test]
fn a_document_of_another_size_is_no_copy() {
    let of = |size: u32, study: u32| -> [Row<'static>; 2] {
        [("11", "A", "1", None, "2020_2021", 50, 21), ("11", "B", "2", Some("1"), "2020_2021", size, study)]
    };
    let (_, found) = play(&of(12, 5), Protection::Sums, Means::ALL);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn two_spellings_of_a_year_leave_a_class_that_no_document_shows() {
    let rows: [Row<'_>; 2] = [("11", "A", "1", None, "2020_2021", 62, 30), ("11", "A", "1", None, "2021", 50, 21)];
    assert_eq!(play(&rows, Protection::Sums, Means::SUMS).1, ["1 2020 (2020_2021 moins 2021) Whole"]);
}

#[test]
fn hidden_groups_that_are_fewer_than_twenty_together_are_found_together() {
    let rows: [Row<'_>; 3] = [
        ("11", "A", "1", None, "2020_2021", 50, 21),
        ("11", "A", "2", None, "2020_2021", 9, 4),
        ("11", "A", "3", None, "2020_2021", 8, 4),
    ];
    let (_, found) = play(&rows, Protection::None, Means::DIFFERENCES);
    assert_eq!(found, ["2 2020_2021 Pool", "3 2020_2021 Pool"]);
    assert!(play(&rows, Protection::Sums, Means::ALL).1.is_empty());
}

/// Each CFD holds the numbers of a group of the next one: 24 young people each, and three sums of three unknowns.
#[test]
fn a_chain_of_views_that_share_groups_opens_none() {
    let rows: [Row<'_>; 6] = [
        ("11", "A", "1", None, "2020_2021", 12, 5),
        ("11", "A", "2", Some("3"), "2020_2021", 12, 7),
        ("11", "B", "3", None, "2020_2021", 12, 7),
        ("11", "B", "4", Some("5"), "2020_2021", 12, 4),
        ("11", "C", "5", None, "2020_2021", 12, 4),
        ("11", "C", "6", Some("1"), "2020_2021", 12, 5),
    ];
    assert_eq!(play(&rows, Protection::None, Means::DIFFERENCES).0.at_least(Level::Whole), 6);
    assert!(play(&rows, Protection::Sums, Means::ALL).1.is_empty());
}

#[test]
fn the_file_for_the_offices_names_counts_and_says_none() {
    let rows: [Row<'_>; 2] = [("11", "A", "1", None, "2020_2021", 12, 5), ("11", "A", "2", None, "2020_2021", 50, 21)];
    let service = Service::publish(rows.iter().map(document), Protection::None);
    let mut cells = service.cells();
    let outcome = attack(&mut cells, &service.asked_views().0, Means::ALL);
    let csv = report::csv(&cells, &outcome);
    assert_eq!(csv.lines().nth(1), Some("regionale;11;1;A;pro;2020_2021;12;entière;nb_poursuite_etudes,nb_sortant"));
    assert!(report::table(&cells, &outcome).contains("regionale"));
}

/// A count that is null though its group is large enough is one that nobody has: it is no unknown.
#[test]
fn a_count_that_nobody_has_is_not_taken_for_a_hidden_one() {
    let mut document = document(&("", "A", "1", None, "2021", 50, 20));
    document.insert("nb_sortant".into(), Value::Null);
    let service = Service::publish([document], Protection::Sums);
    assert!(!service.cells()[0].is_hidden());
}

proptest! {
    /// Groups as they come, lent ones among them: what can be asked for leaves no hidden group by subtraction.
    #[test]
    fn no_difference_of_views_gives_a_hidden_group(
        groups in prop::collection::vec((0_usize..4, 0_u32..40, 0_u32..100, prop::option::of(0_usize..10)), 1..10),
    ) {
        let cfds = ["A", "B", "C", "D"];
        let codes: Vec<String> = (0..groups.len()).map(|code| code.to_string()).collect();
        // A lent group holds the numbers of the first one of its line.
        let lender = |rank: usize| groups[rank].3.filter(|lender| *lender < rank);
        let first = |mut rank: usize| {
            while let Some(lender) = lender(rank) {
                rank = lender;
            }
            rank
        };
        let rows: Vec<Row<'_>> = (0..groups.len()).map(|rank| {
            let (_, size, percent, _) = groups[first(rank)];
            let lender = lender(rank).map(|lender| codes[lender].as_str());
            ("11", cfds[groups[rank].0], codes[rank].as_str(), lender, "2020_2021", size, size * percent / 100)
        }).collect();
        let (_, found) = play(&rows, Protection::Sums, Means::DIFFERENCES);
        prop_assert!(found.is_empty(), "{found:?} of {rows:?}");
    }

    /// The country, its regions and their places, two codes of a CFD, a lent one, two spellings: whatever the groups are, what
    /// the treatment leaves gives no small one away, exactly or within ±2, alone or together.
    #[test]
    fn with_the_treatment_the_attacker_finds_nothing(
        regions in prop::collection::vec((0_u32..60, 0_u32..100, 0_u32..60, 0_u32..100), 1..5),
        lends in any::<bool>(),
        split in (0_u32..100, 0_u32..100),
    ) {
        let places = ["11", "76", "84", "93"];
        let mut documents = Vec::new();
        let mut national = [(0, 0); 2];
        for (place, (size, percent, other, other_percent)) in places.iter().zip(&regions) {
            for (n, (code, size, percent)) in [("1", size, percent), ("2", other, other_percent)].into_iter().enumerate() {
                let study = size * percent / 100;
                documents.push(document(&(place, "A", code, None, "2020_2021", *size, study)));
                national[n].0 += size;
                national[n].1 += study;
                if lends && n == 0 {
                    documents.push(document(&(place, "B", "3", Some("1"), "2020_2021", *size, study)));
                }
                // Places of a declared maille, in each region.
                let (part, part_study) = (size * split.0 / 100, (size * split.0 / 100).min(study * split.1 / 100));
                for (lieu, size, study) in [("a", part, part_study), ("b", size - part, study - part_study)] {
                    let mut of = document(&(place, "A", code, None, "2020_2021", size.max(study), study));
                    of.insert("maille".into(), "bassins".into());
                    of.insert("lieu".into(), format!("{place}{lieu}").into());
                    documents.push(of);
                }
            }
        }
        for (code, (size, study)) in ["1", "2"].iter().zip(national) {
            documents.push(document(&("", "A", code, None, "2021", size, study)));
        }
        let (service, result) = Service::publish_withholding(documents, Protection::Sums, Secrecy::Contract, 2);
        let views = service.asked_views().0;
        let mut cells = service.cells();
        let outcome = attack(&mut cells, &views, Means::ALL);
        let found: Vec<_> = outcome.findings.iter().filter(|finding| finding.level > Level::Safe)
            .map(|f| format!("{:?} {:?} {:?}", cells[f.cell].key, cells[f.cell].size, f.level)).collect();
        prop_assert!(found.len() <= result.exposed, "{found:?}, {} given up as not to be protected", result.exposed);
    }
}
