//! Invariant 5: how often each kind of request asks the store.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use e2e::{cold, with_sample};
use support::{Application, Settings};

/// Gets of one request, the pointer among them.
fn gets(application: &Application, path: &str) -> u64 {
    application.host.reset_counters();
    let answer = application.get(path).unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    let counters = application.host.counters();
    assert!(counters.values().all(|of| of.sets + of.deletes + of.batches + of.lists + of.atomics + of.exists == 0));
    counters.values().map(|of| of.gets).sum()
}

/// What each kind of request may ask of the store past the pointer, in a fresh instance and in one that has answered
/// the same before.
const KINDS: [(&str, u64, u64); 17] = [
    ("/api/inserjeunes/certifications/40099011", 1, 0),
    ("/api/inserjeunes/certifications/40099011.svg", 1, 0),
    ("/api/images/certifications/40099011.png?fond=sombre", 1, 0),
    ("/api/inserjeunes/certifications/40099011?millesime=2021", 1, 0),
    ("/api/inserjeunes/regionales/11/certifications/40099011", 2, 0),
    ("/api/inserjeunes/mailles/academies/28/certifications/40099011", 1, 0),
    ("/api/inserjeunes/mailles/academies/28/certifications/40099011?vue=filieres", 3, 0),
    ("/api/inserjeunes/mailles", 1, 1),
    ("/api/inserjeunes/mailles/academies?lieux=28,10&code_certifications=40099011", 12, 11),
    ("/api/inserjeunes/formations/9749800J-23830099011", 2, 0),
    ("/api/inserjeunes/certifications/23820099011", 2, 0),
    ("/api/inserjeunes/certifications/40099011?vue=filieres", 3, 0),
    ("/api/inserjeunes/certifications", 12, 11),
    ("/api/inserjeunes/formations?regions=11", 12, 11),
    ("/api/inserjeunes/formations?regions=11&code_certifications=23830099011", 12, 11),
    ("/api/inserjeunes/formations.csv?uais=9749800J", 12, 11),
    ("/api/inserjeunes/bcn?page=3", 12, 11),
];

#[test]
fn invariant_5_a_fresh_instance_asks_for_the_pointer_and_little_more() {
    let application = with_sample(cold()).unwrap();
    for (path, cold, _) in KINDS {
        let gets = gets(&application, path);
        println!("{path}: {gets} gets cold");
        assert!(gets <= cold + 1, "{path}: {gets} gets, {cold} and the pointer are allowed");
    }
}

#[test]
fn invariant_5_a_warm_instance_asks_for_less() {
    let application = with_sample(Settings::default()).unwrap();
    for (path, _, warm) in KINDS {
        // The second request may come after the pointer's second.
        let gets = (0..3).map(|_| gets(&application, path)).min().unwrap_or(u64::MAX);
        println!("{path}: {gets} gets warm");
        assert!(gets <= warm, "{path}: {gets} gets, {warm} are allowed");
    }
}

#[test]
fn invariant_5_gets_do_not_grow_with_the_page_or_the_filter() {
    let application = with_sample(cold()).unwrap();
    for path in [
        "/api/inserjeunes/formations?page=1",
        "/api/inserjeunes/formations?page=20",
        "/api/inserjeunes/formations?page=100000",
        "/api/inserjeunes/formations?millesimes=2020_2021,2021_2022,2022_2023,2023&page=30",
        "/api/inserjeunes/formations?regions=11,04,76,44&academies=01,10&page=2",
        "/api/inserjeunes/formations?code_certifications=23830099011,40099011,23830099012,23820099011&page=4",
        "/api/inserjeunes/regionales?code_certifications=23830099011,40099011,23830099012&millesimes=2020_2021,2022_2023",
    ] {
        let gets = gets(&application, path);
        println!("{path}: {gets} gets");
        assert!(gets <= 13, "{path}: {gets} gets");
    }
}
