//! Wrong inputs as people send them, one a line: what becomes of each, and what is said.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test stops where it fails")]

use domain::{Document, Kind};
use plausibility::{Checker, KnownCodes, Rule, Severities, Severity, ValueOrigin};
use serde_json::{Value, json};

fn checker() -> Checker {
    let mut known = KnownCodes::default();
    ["40025214", "23830024202", "2500249"].into_iter().for_each(|code| known.add(code));
    Checker { year: Some(2026), known, ..Checker::default() }
}

/// A right document of a kind, with other fields put over it.
fn document(kind: Kind, over: Value) -> Document {
    let mut document = json!({
        "code_certification": "23830024202", "millesime": "2022_2023", "filiere": "pro", "libelle": "Électricité",
        "nb_annee_term": 50, "nb_sortant": 30, "nb_poursuite_etudes": 20, "nb_en_emploi_12_mois": 15,
        "taux_en_formation": 40, "taux_en_emploi_12_mois": 30, "taux_autres_12_mois": 30,
    });
    match kind {
        Kind::Certification => {
            document["millesime"] = "2023".into();
            document["salaire_12_mois_q1"] = 1_300.into();
            document["salaire_12_mois_q2"] = 1_500.into();
            document["salaire_12_mois_q3"] = 1_800.into();
        }
        Kind::Regionale => document["region"] = json!({"code": "11", "nom": "Île-de-France"}),
        Kind::Formation => {
            document["uai"] = "0750652B".into();
            document["region"] = json!({"code": "11", "nom": "Île-de-France"});
            document["academie"] = json!({"code": "01", "nom": "Paris"});
        }
        _ => document = json!({"code_certification": "40025214", "type": "cfd", "date_ouverture": "2012-09-01"}),
    }
    let mut document = document.as_object().unwrap().clone();
    for (field, value) in over.as_object().unwrap() {
        document.insert(field.clone(), value.clone());
    }
    document
}

#[test]
fn a_right_document_breaks_no_rule() {
    for kind in [Kind::Certification, Kind::Regionale, Kind::Formation, Kind::Bcn] {
        assert_eq!(checker().check(kind, &document(kind, json!({}))), [], "{kind:?}");
    }
    // Unknown values and hidden ones are no fault.
    let unknown = json!({"nb_sortant": null, "taux_en_formation": null, "date_fermeture": null});
    assert_eq!(checker().check(Kind::Formation, &document(Kind::Formation, unknown)), []);
}

#[test]
fn wrong_inputs_are_refused_confirmed_or_noted_as_the_table_says() {
    use Kind::{Bcn, Certification as C, Formation as F, Regionale as R};
    let cases: Vec<(Kind, Value, &str, &str)> = vec![
        (F, json!({"taux_en_emploi_12_mois": 280}), "refuser taux_bornes", "un taux va de 0 à 100, reçu 280"),
        (F, json!({"taux_en_emploi_12_mois": -3}), "refuser taux_bornes", "reçu -3"),
        (F, json!({"taux_rupture_contrats": 101}), "refuser taux_bornes", "reçu 101"),
        (F, json!({"taux_en_formation": 0.4}), "refuser taux_fraction", "multiplier la colonne par 100"),
        (F, json!({"taux_en_formation": 40.5}), "refuser taux_entier", "arrondir à l'entier"),
        (F, json!({"taux_en_formation": "40 %"}), "refuser nombre", "sans guillemets ni signe %"),
        (F, json!({"taux_en_formation": "40"}), "refuser nombre", "écrire le nombre sans guillemets"),
        (F, json!({"taux_en_formation": "40,5"}), "refuser nombre", "un point et non une virgule"),
        (F, json!({"taux_autres_12_mois": 90}), "noter parts_somme", "reçu une somme de 160"),
        (F, json!({"taux_autres_12_mois": null, "taux_en_emploi_12_mois": 80}), "noter parts_somme", "somme de 120"),
        (F, json!({"nb_sortant": 12.5}), "refuser effectif_entier", "un effectif est un nombre entier"),
        (F, json!({"nb_sortant": -1}), "refuser effectif_entier", "reçu -1"),
        (F, json!({"nb_annee_term": -20}), "refuser effectif_entier", "reçu une valeur (tue"),
        (F, json!({"nb_sortant": "1 250"}), "refuser nombre", "ni espace entre les milliers"),
        (F, json!({"nb_sortant": "1\u{202f}250"}), "refuser nombre", "ni espace entre les milliers"),
        (F, json!({"nb_sortant": "nd"}), "refuser nombre", "inconnue ou secrète s'écrit null"),
        (F, json!({"nb_sortant": "secret"}), "refuser nombre", "inconnue ou secrète s'écrit null"),
        (F, json!({"nb_sortant": "."}), "refuser nombre", "inconnue ou secrète s'écrit null"),
        (F, json!({"nb_sortant": true}), "refuser nombre", "un nombre ou null est attendu"),
        (F, json!({"nb_annee_term": 20_232_024}), "confirmer effectif_demesure", "reçu 20232024"),
        (F, json!({"nb_sortant": 51}), "noter effectif_taille", "reçu 51 pour 50 jeunes"),
        (C, json!({"salaire_12_mois_q1": 1_900}), "noter salaire_ordre", "reçu 1900, 1500, 1800"),
        (C, json!({"salaire_12_mois_q3": 21_600}), "noter salaire_bornes", "ni annuel"),
        (C, json!({"salaire_12_mois_q2": 1_500.55}), "refuser salaire_entier", "arrondir à l'euro"),
        (R, json!({"salaire_12_mois_q1": 1_300}), "noter salaire_maille", "niveau national"),
        (F, json!({"code_certification": "ABC"}), "refuser code_forme", "reçu « ABC »"),
        (F, json!({"code_certification": "2383002420"}), "refuser code_forme", "il manque des chiffres"),
        (C, json!({"code_certification": "CFD:40025214"}), "refuser code_forme", "retirer le préfixe"),
        (C, json!({"code_certification": "2,383E+10"}), "refuser code_forme", "notation scientifique"),
        (C, json!({"code_certification": "40025214"}), "noter code_filiere", "« 40025214 » en filière pro"),
        (C, json!({"code_certification": "23830024299"}), "noter code_inconnu", "envoyer d'abord la nomenclature"),
        (F, json!({"date_fermeture": "31/08/2022"}), "refuser date_forme", "JJ/MM/AAAA : écrire 2022-08-31"),
        (F, json!({"date_fermeture": "31/02/2022x"}), "refuser date_forme", "AAAA-MM-JJ"),
        (F, json!({"date_fermeture": "2022-02-31"}), "refuser date_forme", "ce jour n'existe pas"),
        (F, json!({"date_fermeture": "44804"}), "refuser date_forme", "numéro de jour d'un tableur"),
        (Bcn, json!({"date_ouverture": {"$date": "01.09.2012"}}), "refuser date_forme", "écrire 2012-09-01"),
        (Bcn, json!({"date_fermeture": "9999-12-31"}), "noter date_bornes", "entre 1900 et 2100"),
        (F, json!({"uai": "0750652A"}), "refuser uai_lettre", "la lettre est B"),
        (F, json!({"uai": "0690001M"}), "noter uai_territoire", "en région Île-de-France"),
        (F, json!({"academie": {"code": "05"}}), "confirmer academie_inconnue", "Normandie (70)"),
        (F, json!({"academie": {"code": "10"}}), "noter academie_region", "Lyon en région Île-de-France"),
        (C, json!({"millesime": "2033"}), "confirmer millesime_futur", "reçu « 2033 »"),
        (F, json!({"millesime": "2026_2027"}), "confirmer millesime_futur", "n'est pas dans l'avenir"),
        (C, json!({"millesime": "1023"}), "confirmer millesime_bornes", "commencent en 2000"),
        (C, json!({"millesime": "2022_2023"}), "noter millesime_maille", "deux documents"),
        (F, json!({"millesime": "2023"}), "noter millesime_maille", "deux documents"),
        (F, json!({"millesime": "2018_2023"}), "noter millesime_maille", "qui se suivent"),
        (F, json!({"libelle": "Ã‰lectricitÃ©"}), "confirmer texte_abime", "enregistrer le fichier en UTF-8"),
    ];
    assert!(cases.len() >= 40);
    for (kind, over, expected, said) in cases {
        let findings = checker().check(kind, &document(kind, over.clone()));
        let told: Vec<String> = findings.iter().map(|f| format!("{} {}", f.level.name(), f.rule.text().name)).collect();
        let found =
            findings.iter().zip(&told).find(|(_, told)| *told == expected).map(|(finding, _)| finding.message());
        let message = found.unwrap_or_else(|| panic!("{over}: {expected} is not among {told:?}"));
        assert!(message.contains(said), "{over}: {message}");
        // A field, a rule in words, a remedy, the rule's name.
        assert!(message.contains(" : ") && message.contains(" ; ") && message.ends_with(']'), "{message}");
    }
}

#[test]
fn no_message_repeats_the_value_of_a_group_that_is_too_small() {
    let small = json!({
        "nb_annee_term": 17, "nb_sortant": 41, "nb_poursuite_etudes": 13.7, "taux_en_formation": 1477,
        "taux_en_emploi_12_mois": 93, "taux_autres_12_mois": 97, "nb_en_emploi_12_mois": "29",
    });
    let findings = checker().check(Kind::Formation, &document(Kind::Formation, small));
    assert!(findings.len() >= 4);
    for message in findings.iter().map(plausibility::Finding::message) {
        for hidden in ["17", "41", "13.7", "1477", "93", "97", "29", "190"] {
            assert!(!message.contains(hidden), "{message}");
        }
    }
}

#[test]
fn what_the_treatments_made_is_refused_nowhere_and_a_rate_above_100_follows_from_its_counts() {
    let made = Checker { origin: ValueOrigin::Collection, ..checker() };
    let of_counts = json!({"nb_annee_term": 27, "nb_en_emploi_12_mois": 41, "taux_en_emploi_12_mois": 152});
    let findings = made.check(Kind::Formation, &document(Kind::Formation, of_counts.clone()));
    assert!(findings.iter().all(|f| f.level == Severity::Noted), "{findings:?}");
    assert!(findings.iter().any(|f| f.rule == Rule::CountAboveSize && f.field == "taux_en_emploi_12_mois"));
    // Pushed, it is refused all the same.
    let pushed = checker().check(Kind::Formation, &document(Kind::Formation, of_counts));
    assert!(pushed.iter().any(|f| f.rule == Rule::RateBounds && f.level == Severity::Refused));
    let wrong = made.check(Kind::Formation, &document(Kind::Formation, json!({"taux_en_formation": 280})));
    assert!(wrong.iter().any(|f| f.rule == Rule::RateBounds && f.level == Severity::Confirmed));
}

#[test]
fn a_level_that_the_deployment_changed_is_the_one_that_counts() {
    let levels = Severities::read("parts_somme=refuser, taux_bornes=noter").unwrap();
    let checker = Checker { levels, ..checker() };
    for (over, rule, level) in [
        (json!({"taux_autres_12_mois": 90}), Rule::ShareSum, Severity::Refused),
        (json!({"taux_rupture_contrats": 101}), Rule::RateBounds, Severity::Noted),
    ] {
        let findings = checker.check(Kind::Formation, &document(Kind::Formation, over));
        assert!(findings.iter().any(|f| f.rule == rule && f.level == level), "{findings:?}");
    }
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_rate_passes_where_it_is_a_whole_percentage(rate in -300.0..300.0_f64, whole in any::<bool>()) {
            let rate = if whole { rate.round() } else { rate };
            let over = json!({"taux_rupture_contrats": rate});
            let findings = checker().check(Kind::Formation, &document(Kind::Formation, over));
            prop_assert_eq!(findings.is_empty(), (0.0..=100.0).contains(&rate) && rate.fract() == 0.0);
        }

        #[test]
        fn whatever_a_field_holds_a_message_is_short_and_nothing_panics(
            field in "(taux|nb|salaire|date|libelle)_[a-z_]{0,12}", text in ".{0,200}", number in any::<f64>(), pick in 0..4
        ) {
            let value = match pick { 0 => json!(text), 1 => json!(number), 2 => json!({"$date": text}), _ => json!([text]) };
            let over = json!({field: value, "code_certification": text, "uai": text, "millesime": text});
            for kind in Kind::ALL {
                for finding in checker().check(kind, &document(kind, over.clone())) {
                    prop_assert!(finding.message().chars().count() < 420, "{}", finding.message());
                }
            }
        }

        #[test]
        fn exactly_one_letter_of_a_uai_passes(digits in "0(75|77|91)[0-9]{4}") {
            let right = ('A'..='Z').filter(|letter| {
                let over = json!({"uai": format!("{digits}{letter}"), "academie": null});
                checker().check(Kind::Formation, &document(Kind::Formation, over)).is_empty()
            });
            prop_assert_eq!(right.count(), 1);
        }
    }
}
