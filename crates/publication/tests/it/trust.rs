//! What a push is believed, and what not: rules, duplicates, millesimes in force, dry runs, signatures.

use crate::common::{body, finish, minutes_after, rules};
use domain::Kind;
use futures_executor::block_on;
use publication::*;
use serde_json::{Value, json};
use store::KeyValue;
use store::{MemoryStore, keys};

fn certification(code: &str, millesime: &str, over: Value) -> Value {
    let mut doc = json!({"code_certification": code, "millesime": millesime, "filiere": "apprentissage",
        "code_formation_diplome": code, "nb_annee_term": 40, "nb_sortant": 20, "taux_en_formation": 50});
    for (field, value) in over.as_object().unwrap() {
        doc[field] = value.clone();
    }
    json!({"kind": "certification", "doc": doc})
}

/// Many right documents of a millesime.
fn many(n: usize, millesime: &str, rate: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..n).map(|i| certification(&format!("4{i:07}"), millesime, json!({"taux_en_formation": rate(i)}))).collect()
}

fn add() -> Opening {
    Opening { mode: Mode::Add, ..Opening::default() }
}

fn stage(kv: &MemoryStore, id: &str, opening: Opening, parts: &[&[Value]]) -> Vec<PartInfo> {
    block_on(async {
        open(kv, id, opening, 0).await.unwrap();
        let mut infos = Vec::new();
        for (n, part) in parts.iter().enumerate() {
            let staging = Staging::new(kv, id, 25).with_rules(rules()).from_file("envoi.ndjson", 1);
            infos.push(staging.stage(n, &body(part), &[]).await.unwrap());
        }
        infos
    })
}

fn order(kv: &MemoryStore, id: &str, options: PublicationOptions) -> Result<Job, PublicationError> {
    block_on(async {
        Job::publish(kv, id, options, 0).await?;
        finish(kv, &minutes_after(0), id, 1_000).await
    })
}

fn one() -> PublicationOptions {
    PublicationOptions { parts: 1, ..PublicationOptions::default() }
}

fn publish(kv: &MemoryStore, id: &str, opening: Opening, rows: &[Value]) -> Job {
    stage(kv, id, opening, &[rows]);
    order(kv, id, one()).unwrap()
}

fn served(kv: &MemoryStore) -> Option<Vec<u8>> {
    block_on(kv.get(keys::POINTER)).unwrap()
}

#[test]
fn a_refused_line_stops_no_other_and_is_named_with_line_field_value_and_rule() {
    let kv = MemoryStore::default();
    let rows = [
        certification("40025214", "2023", json!({})),
        certification("40025215", "2023", json!({"taux_en_formation": 280})),
        certification("40025216", "2023", json!({"date_fermeture": "31/08/2022"})),
        certification("40025217", "2023", json!({})),
    ];
    let info = stage(&kv, "a", Opening::default(), &[&rows]).remove(0);
    assert_eq!((info.refused, info.lines["certification"]), (2, 2));
    assert_eq!(info.refusals[0].line, 2);
    assert!(info.refusals[0].reason.starts_with("taux_en_formation : un taux va de 0 à 100, reçu 280 ; "));
    assert!(info.refusals[1].reason.contains("écrire 2022-08-31"));
    assert_eq!(info.anomalies.rules["taux_bornes"].count, 1);
    let file = block_on(Staging::new(&kv, "a", 25).told(0)).unwrap().unwrap();
    let file = String::from_utf8(file).unwrap();
    assert_eq!(file.lines().count(), 3, "{file}");
    assert!(file.lines().nth(1).unwrap().starts_with("0;2;refusée;\"taux_en_formation : "), "{file}");
    // Nothing is published unless the caller takes it so; then the good lines are.
    assert!(order(&kv, "a", one()).is_err());
    let job = order(&kv, "a", PublicationOptions { accept_refusals: true, ..one() }).unwrap();
    assert_eq!(job.step, JobStep::Published);
    assert_eq!(job.summary.documents["certifications"]["2023"].values().sum::<u64>(), 2);
}

#[test]
fn all_that_is_told_of_a_part_is_kept_where_the_report_keeps_the_first() {
    let kv = MemoryStore::default();
    let rows = many(179, "2023", |_| json!(101));
    let info = stage(&kv, "a", Opening::default(), &[&rows]).remove(0);
    assert_eq!((info.refused, info.refusals.len()), (179, 50));
    let file = block_on(Staging::new(&kv, "a", 25).told(0)).unwrap().unwrap();
    assert_eq!(String::from_utf8(file).unwrap().lines().count(), 180);
    block_on(Job::give_up(&kv, "a", 0)).unwrap();
}

#[test]
fn what_is_to_be_confirmed_waits_and_says_what_for() {
    let kv = MemoryStore::default();
    let rows = [certification("40025214", "2023", json!({"nb_annee_term": 20_232_024}))];
    let job = publish(&kv, "a", Opening::default(), &rows);
    assert_eq!(job.step, JobStep::AwaitConfirmation);
    let waits = job.waits_for().unwrap();
    assert!(waits.contains("effectif_demesure") && waits.contains("\"confirmer_anomalies\": true"), "{waits}");
    assert!(served(&kv).is_none());
    let wrong = order(&kv, "a", PublicationOptions { confirm_losses: true, ..one() });
    assert!(matches!(wrong, Err(PublicationError::Refused(_))));
    let job = order(&kv, "a", PublicationOptions { confirm_anomalies: true, ..one() }).unwrap();
    assert_eq!(job.step, JobStep::Published);
}

#[test]
fn a_column_that_changed_its_scale_waits() {
    let kv = MemoryStore::default();
    assert_eq!(
        publish(&kv, "a", Opening::default(), &many(60, "2022", |i| json!(40 + i % 20))).step,
        JobStep::Published
    );
    // One in a hundred of each value is whole by chance: 0 and 1 pass every rule of one document.
    let job = publish(&kv, "b", add(), &many(60, "2023", |i| json!(i % 2)));
    assert_eq!(job.step, JobStep::AwaitConfirmation);
    let waits = job.waits_for().unwrap();
    assert!(waits.contains("taux_en_formation : la moyenne de la colonne est divisée par 100 environ"), "{waits}");
}

#[test]
fn a_key_that_comes_twice_is_named_with_both_lines() {
    let kv = MemoryStore::default();
    let first = [certification("40025214", "2023", json!({})), certification("40025215", "2023", json!({}))];
    let again =
        [certification("40025215", "2023", json!({})), certification("40025214", "2023", json!({"nb_sortant": 21}))];
    let start = |id: &str| {
        stage(&kv, id, Opening::default(), &[&first, &again]);
        order(&kv, id, PublicationOptions { parts: 2, ..PublicationOptions::default() }).unwrap()
    };
    let job = start("a");
    assert_eq!(job.step, JobStep::AwaitConfirmation);
    assert_eq!(job.summary.duplicates.len(), 1, "{:?}", job.summary.duplicates);
    let told = &job.summary.duplicates[0];
    assert!(told.contains("40025214") && told.ends_with(": envoi.ndjson:1 et envoi.ndjson:2"), "{told}");
    assert_eq!(job.summary.anomalies.rules["doublon_egal"].count, 1);
    assert!(served(&kv).is_none());
    let job = order(&kv, "a", PublicationOptions { accept_duplicates: true, parts: 2, ..Default::default() }).unwrap();
    assert_eq!(job.step, JobStep::Published);
    assert_eq!(job.summary.documents["certifications"]["2023"].values().sum::<u64>(), 2);
    // Two spellings of one year are two documents: named.
    let spellings = [certification("40025214", "2022", json!({})), certification("40025214", "2021_2022", json!({}))];
    let job = publish(&kv, "b", add(), &spellings);
    assert_eq!(job.summary.anomalies.rules["deux_ecritures"].count, 1);
    assert!(job.summary.anomalies.rules["deux_ecritures"].examples[0].contains("2022 et 2021_2022"));
}

#[test]
fn a_millesime_of_the_future_or_a_thin_one_is_put_in_force_by_nobody_s_slip() {
    let kv = MemoryStore::default();
    assert_eq!(
        publish(&kv, "a", Opening::default(), &many(60, "2022", |i| json!(40 + i % 20))).step,
        JobStep::Published
    );
    let job = publish(&kv, "b", add(), &[certification("40000001", "2033", json!({}))]);
    assert_eq!(job.summary.in_force_to_confirm, ["certifications : 2033 est dans l'avenir"]);
    assert_eq!(job.step, JobStep::AwaitConfirmation);
    let job = publish(&kv, "c", add(), &many(10, "2023", |_| json!(50)));
    assert_eq!(job.summary.in_force_to_confirm, ["certifications : 2023 n'a que 10 documents, 2022 en a 60"]);
    // Told which millesime is in force, it needs no guess.
    let in_force = store::pointer::MillesimesInForce { certifications: Some("2022".into()), ..Default::default() };
    stage(&kv, "d", add(), &[&many(10, "2023", |_| json!(50))]);
    let job = order(&kv, "d", PublicationOptions { millesimes: Some(in_force), ..one() }).unwrap();
    assert_eq!(job.step, JobStep::Published);
    // As many as before are put in force unasked.
    let job = publish(&kv, "e", add(), &many(40, "2024", |i| json!(40 + i % 20)));
    assert_eq!((job.step, job.summary.in_force_to_confirm.len()), (JobStep::Published, 0));
}

#[test]
fn a_dry_run_does_everything_but_the_switch() {
    let kv = MemoryStore::default();
    publish(&kv, "a", Opening::default(), &many(60, "2022", |_| json!(50)));
    let before = served(&kv);
    stage(&kv, "b", Opening::default(), &[&many(30, "2022", |_| json!(50))]);
    let job = order(&kv, "b", PublicationOptions { verify_only: true, ..one() }).unwrap();
    assert_eq!(job.step, JobStep::Verified);
    assert_eq!(job.summary.losses, ["certifications 2022 : 60 → 30"]);
    assert_eq!(job.summary.documents["certifications"]["2022"].values().sum::<u64>(), 30);
    assert_eq!(served(&kv), before);
    // What it wrote goes.
    while block_on(clean_up(&kv, &minutes_after(60))).unwrap() {}
    let generation = job.generation.unwrap();
    assert!(!kv.keys().iter().any(|key| key.starts_with(&format!("{generation}:"))));
}

#[test]
fn a_publication_waits_for_its_signature_and_can_be_looked_at_before() {
    let kv = MemoryStore::default();
    publish(&kv, "a", Opening::default(), &many(60, "2022", |_| json!(50)));
    let before = served(&kv);
    stage(&kv, "b", add(), &[&many(60, "2022", |_| json!(51))]);
    let job = order(&kv, "b", PublicationOptions { await_sign_off: true, ..one() }).unwrap();
    assert_eq!(job.step, JobStep::AwaitSignOff);
    assert_eq!(served(&kv), before);
    let generation = job.generation.clone().unwrap();
    let preview = block_on(preview(&kv, &generation)).unwrap().unwrap();
    assert_eq!(preview.generation, generation);
    let unsigned = order(&kv, "b", PublicationOptions { confirm_losses: true, ..one() });
    assert!(matches!(unsigned, Err(PublicationError::Refused(reason)) if reason.contains("\"valider\": true")));
    let job = order(&kv, "b", PublicationOptions { sign_off: true, ..one() }).unwrap();
    assert_eq!(job.step, JobStep::Published);
    assert_ne!(served(&kv), before);
    // A served generation is no preview any more.
    assert!(block_on(publication::preview(&kv, &generation)).unwrap().is_none());
}

#[test]
fn codes_that_the_nomenclature_does_not_know_are_noted() {
    let kv = MemoryStore::default();
    let bcn = |code: &str| json!({"kind": "bcn", "doc": {"type": "cfd", "code_certification": code, "code_formation_diplome": code}});
    let rows =
        [bcn("40025214"), certification("40025214", "2023", json!({})), certification("40025299", "2023", json!({}))];
    let info = stage(&kv, "a", Opening::default(), &[&rows[..1], &rows[1..]]).remove(1);
    assert_eq!(info.anomalies.rules["code_inconnu"].count, 1, "the part before brought the code");
    order(&kv, "a", PublicationOptions { parts: 2, ..Default::default() }).unwrap();
    let opening = Opening { kinds: vec![Kind::Certification], ..Opening::default() };
    let info = stage(&kv, "b", opening, &[&rows[1..]]).remove(0);
    assert_eq!(info.anomalies.rules["code_inconnu"].count, 1, "the generation in use knows it");
    assert!(info.anomalies.rules["code_inconnu"].examples[0].contains("40025299"));
}

#[test]
fn a_publication_tells_what_changed_what_it_covers_and_where_a_number_comes_from() {
    let kv = MemoryStore::default();
    publish(&kv, "a", Opening::default(), &many(60, "2022", |_| json!(50)));
    let small = json!({"nb_annee_term": 12, "nb_sortant": 7});
    let rows = [
        certification("40000001", "2022", json!({"taux_en_formation": 90})),
        certification("40000002", "2022", small),
        certification("49999999", "2022", json!({})),
    ];
    let job = publish(&kv, "b", add(), &rows);
    let differences = job.summary.differences.clone().unwrap();
    let tally = &differences.tallies["certifications"]["2022"]["apprentissage"];
    assert_eq!((tally.added, tally.changed, tally.hidden, tally.removed, tally.unchanged), (1, 1, 1, 0, 58));
    let (again, table) = block_on(publication::differences(&kv, None)).unwrap();
    assert_eq!(again, differences);
    assert!(table.contains("changé;certifications;;40000001;2022;apprentissage;taux_en_formation;50;90\n"), "{table}");
    assert!(table.contains("masqué;certifications;;40000002;2022;apprentissage;;;\n"), "{table}");
    let covered = &job.summary.coverage["certifications"]["2022"]["apprentissage"];
    assert_eq!((covered.documents, covered.shown, covered.hidden, covered.certifications), (61, 60, 1, 61));
    let table = String::from_utf8(block_on(coverage(&kv)).unwrap().unwrap()).unwrap();
    assert!(table.contains("certifications;2022;apprentissage;ensemble;\"\";61;60;1;61;1"), "{table}");

    let traced = |code| {
        let traced = Traced { code, millesime: Some("2021_2022"), ..Traced::default() };
        block_on(trace(&kv, &traced)).unwrap()
    };
    let found = traced("40000001").remove(0);
    let origin = found.origin.unwrap();
    assert_eq!((origin.job.as_str(), origin.place().as_str()), ("b", "envoi.ndjson:1"), "the push that replaced it");
    assert_eq!(found.published["taux_en_formation"], 90);
    let carried = traced("40000003").remove(0).origin.unwrap();
    assert_eq!((carried.job.as_str(), carried.line), ("a", 4));
    // Of what is hidden nothing is told, to operators neither.
    let hidden = serde_json::to_string(&traced("40000002")).unwrap();
    assert!(hidden.contains("moins de 20 jeunes") && hidden.contains("\"nb_sortant\":null"), "{hidden}");
    assert!(traced("00000000").is_empty());
}
