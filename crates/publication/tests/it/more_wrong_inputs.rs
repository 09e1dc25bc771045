//! Forty wrong inputs more, as a spreadsheet or a colleague makes them, through the whole staging: what becomes of each, what is
//! said, and that none is served. The first forty are in `crates/plausibility/tests/wrong_inputs.rs`.

use crate::common::{finish, minutes_after, rules};
use futures_executor::block_on;
use publication::*;
use serde_json::{Value, json};
use store::{KeyValue, MemoryStore, keys};

/// What is to become of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Refused,
    Confirmed,
    Noted,
}
use Fate::{Confirmed as C, Noted as N, Refused as R};

/// A right line of a kind, with other fields put over it.
fn line(kind: &str, over: &Value) -> Value {
    let mut doc = json!({
        "code_certification": "23830024202", "millesime": "2022_2023", "filiere": "pro", "libelle": "Électricité",
        "nb_annee_term": 50, "nb_sortant": 30, "nb_poursuite_etudes": 20, "nb_en_emploi_12_mois": 15,
        "taux_en_formation": 40, "taux_en_emploi_12_mois": 30, "taux_autres_12_mois": 30,
    });
    match kind {
        "certification" => {
            doc["millesime"] = "2023".into();
            for (field, wage) in
                [("salaire_12_mois_q1", 1_300), ("salaire_12_mois_q2", 1_500), ("salaire_12_mois_q3", 1_800)]
            {
                doc[field] = wage.into();
            }
        }
        "regionale" => doc["region"] = json!({"code": "11", "nom": "Île-de-France"}),
        "formation" => {
            doc["uai"] = "0750652B".into();
            doc["region"] = json!({"code": "11", "nom": "Île-de-France"});
            doc["academie"] = json!({"code": "01", "nom": "Paris"});
        }
        _ => {
            doc = json!({"code_certification": "23830024202", "code_formation_diplome": "40024202", "type": "mef",
                "libelle": "Électricité", "date_ouverture": "2012-09-01"});
        }
    }
    for (field, value) in over.as_object().unwrap() {
        doc[field] = value.clone();
    }
    json!({"kind": kind, "doc": doc})
}

fn text(rows: &[Value]) -> Vec<u8> {
    rows.iter().map(|row| format!("{row}\n")).collect::<String>().into_bytes()
}

/// What is told of a line that comes second, behind the nomenclature and before a right line.
fn told(kv: &MemoryStore, kind: &str, over: &Value) -> PartInfo {
    let right = json!({"uai": "0750653C", "region": {"code": "11", "nom": "Île-de-France"}});
    let rows = [line("bcn", &json!({})), line(kind, over), line("formation", &right)];
    block_on(async {
        open(kv, "a", Opening::default(), 0).await.unwrap();
        let staging = Staging::new(kv, "a", 25).with_rules(rules()).from_file("envoi.csv", 1);
        staging.stage(0, &text(&rows), &[]).await.unwrap()
    })
}

fn publish(kv: &MemoryStore) -> Job {
    let options = PublicationOptions { parts: 1, accept_refusals: true, ..PublicationOptions::default() };
    block_on(async {
        Job::publish(kv, "a", options, 0).await.unwrap();
        finish(kv, &minutes_after(0), "a", 1_000).await.unwrap()
    })
}

#[test]
fn forty_more_wrong_inputs_are_told_and_none_is_served_in_silence() {
    let cases: Vec<(&str, Value, Fate, &str, &str)> = vec![
        ("formation", json!({"taux_en_formation": 1000}), R, "taux_en_formation", "de 0 à 100"),
        ("formation", json!({"taux_en_emploi_12_mois": -0.5}), R, "taux_en_emploi_12_mois", "de 0 à 100"),
        ("certification", json!({"taux_en_emploi_24_mois": "ns"}), R, "taux_en_emploi_24_mois", "null"),
        ("formation", json!({"taux_en_emploi_6_mois": "n.d."}), R, "taux_en_emploi_6_mois", "null"),
        ("formation", json!({"taux_en_formation": [40]}), R, "taux_en_formation", "sous-champ"),
        ("formation", json!({"taux_en_formation": {"valeur": 40}}), R, "taux_en_formation", "sous-champ"),
        ("formation", json!({"taux_en_formation": "100%"}), R, "taux_en_formation", "signe %"),
        ("formation", json!({"taux_en_formation": "quarante"}), R, "taux_en_formation", "un nombre ou null"),
        ("formation", json!({"nb_annee_term": 1e12}), C, "nb_annee_term", "un million"),
        ("formation", json!({"nb_annee_term": "1.250"}), R, "nb_annee_term", "sans guillemets"),
        ("formation", json!({"nb_annee_term": "1'250"}), R, "nb_annee_term", "sans guillemets"),
        ("formation", json!({"nb_annee_term": ""}), R, "nb_annee_term", "null"),
        ("formation", json!({"nb_annee_term": "-"}), R, "nb_annee_term", "null"),
        ("formation", json!({"nb_en_emploi_12_mois": 60}), N, "nb_en_emploi_12_mois", "celui du groupe"),
        ("certification", json!({"salaire_12_mois_q2": 1_200}), N, "salaire_12_mois", "du plus petit au plus grand"),
        ("certification", json!({"salaire_12_mois_q1": -1_300}), R, "salaire_12_mois_q1", "positif"),
        ("certification", json!({"salaire_12_mois_q2": "1 500 €"}), R, "salaire_12_mois_q2", "un nombre ou null"),
        ("certification", json!({"salaire_12_mois_q1": 15}), N, "salaire_12_mois_q1", "de 500 à 15 000"),
        ("formation", json!({"code_certification": ""}), R, "code_certification", "texte non vide"),
        ("certification", json!({"code_certification": " 23830024202"}), R, "code_certification", "espaces"),
        ("certification", json!({"code_certification": "2383002420O"}), N, "code_certification", "nomenclature"),
        ("certification", json!({"code_certification": "23830024202,40025215"}), R, "code_certification", "CFD"),
        ("certification", json!({"code_certification": 23_830_024_202_u64}), R, "code_certification", "un texte"),
        ("formation", json!({"uai": "0750652"}), R, "uai", "7 chiffres et une majuscule"),
        ("formation", json!({"uai": "0750652b"}), R, "uai", "7 chiffres et une majuscule"),
        ("formation", json!({"uai": "750652B"}), R, "uai", "7 chiffres et une majuscule"),
        ("formation", json!({"uai": null}), R, "uai", "un texte non vide"),
        ("formation", json!({"date_fermeture": "2022-8-31"}), R, "date_fermeture", "AAAA-MM-JJ"),
        ("formation", json!({"date_fermeture": "31 août 2022"}), R, "date_fermeture", "AAAA-MM-JJ"),
        ("formation", json!({"date_fermeture": 20_220_831}), R, "date_fermeture", "AAAA-MM-JJ"),
        ("formation", json!({"date_fermeture": 44_804}), R, "date_fermeture", "tableur"),
        ("formation", json!({"date_fermeture": "08/31/2022"}), R, "date_fermeture", "ce jour n'existe pas"),
        ("formation", json!({"date_fermeture": "31/08/22"}), R, "date_fermeture", "AAAA-MM-JJ"),
        ("formation", json!({"date_fermeture": "2022-13-01"}), R, "date_fermeture", "ce jour n'existe pas"),
        ("bcn", json!({"date_fermeture": "2001-08-31"}), N, "date_fermeture", "après celle d'ouverture"),
        ("formation", json!({"millesime": "2022-2023"}), R, "millesime", "2022_2023"),
        ("formation", json!({"millesime": "2022/2023"}), R, "millesime", "2022_2023"),
        ("formation", json!({"millesime": "22_23"}), R, "millesime", "2022_2023"),
        ("formation", json!({"millesime": "2022_2021"}), R, "millesime", "2022_2023"),
        ("formation", json!({"millesime": "2022_2022"}), N, "millesime", "deux années qui se suivent"),
        ("certification", json!({"millesime": 2023}), R, "millesime", "un texte"),
        ("formation", json!({"millesime": "2022_2023 "}), R, "millesime", "2022_2023"),
        ("formation", json!({"filiere": "PRO"}), R, "filiere", "attendu"),
        ("formation", json!({"filiere": "professionnelle"}), R, "filiere", "attendu"),
        ("formation", json!({"filiere": "superieur"}), N, "code_certification", "code SISE"),
        ("formation", json!({"region": {"code": "99"}}), R, "region.code", "INSEE"),
        ("regionale", json!({"region": {"code": 11}}), R, "region.code", ""),
        ("regionale", json!({"region": null}), R, "region.code", "manque"),
        ("formation", json!({"academie": {"code": "24", "nom": "Créteil"}}), N, "academie.code", "Créteil pour l'UAI"),
        ("formation", json!({"libelle": "\u{fffd}lectricit\u{fffd}"}), C, "libelle", "UTF-8"),
        ("formation", json!({"taux_en_formation": 10, "taux_en_emploi_12_mois": 10}), N, "12_mois", "font 100"),
        ("formation", json!({"nb_sortant": 45}), N, "nb_sortant", "nb_annee_term"),
    ];
    assert!(cases.len() >= 40, "{}", cases.len());
    let mut wrong = Vec::new();
    for (kind, over, fate, field, said) in cases {
        let kv = MemoryStore::default();
        let info = told(&kv, kind, &over);
        let file = block_on(Staging::new(&kv, "a", 25).told(0)).unwrap().unwrap_or_default();
        let file = String::from_utf8(file).unwrap();
        let outcome = match fate {
            R => "refusée",
            C => "à confirmer",
            N => "notée",
        };
        // The line in the sender's file, what became of it, the field and the words of the rule: in the file of all of them.
        let row = file
            .lines()
            .find(|row| row.starts_with(&format!("0;2;{outcome};\"")) && row.contains(field) && row.contains(said));
        let Some(row) = row else {
            wrong.push(format!("{kind} {over}: {outcome}, {field}, « {said} » is not in\n{file}"));
            continue;
        };
        let parsers = ["expected", "invalid", "trailing", "missing", "column"];
        assert!(!parsers.iter().any(|word| row.contains(word)), "a parser's word reached a person: {row}");
        assert_eq!(info.refused, u64::from(fate == R), "{over}");
        // None is served: it is left out, or the publication waits.
        let job = publish(&kv);
        let served = block_on(kv.get(keys::POINTER)).unwrap().is_some();
        match fate {
            R => assert!(job.step == JobStep::Published && job.summary.refused_lines == 1, "{over}: {job:?}"),
            C => assert!(job.step == JobStep::AwaitConfirmation && !served, "{over}: {job:?}"),
            N => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_column_that_is_misspelt_is_counted_and_kept_out() {
    let kv = MemoryStore::default();
    let info = told(&kv, "formation", &json!({"taux_emploi_12mois": 40, "Taux en formation": 40}));
    assert_eq!(info.unknown_fields.get("Taux en formation"), Some(&1), "{:?}", info.unknown_fields);
    assert_eq!(info.unknown_fields.get("taux_emploi_12mois"), Some(&1), "{:?}", info.unknown_fields);
}
