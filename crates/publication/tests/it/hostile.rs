//! Lines of a push as they must not be: each is taken or refused with a reason, nothing panics.
//!
//! `FUZZ_CASES` sets how many cases are tried; `scripts/fuzz` tries many.

use proptest::prelude::*;
use publication::LineChecker;
use serde_json::{Map, Value};

fn cases() -> ProptestConfig {
    let cases = std::env::var("FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

const FIELDS: &[&str] = &[
    "uai",
    "millesime",
    "code_certification",
    "code_certification_type",
    "code_formation_diplome",
    "libelle",
    "filiere",
    "diplome",
    "region",
    "academie",
    "nb_annee_term",
    "nb_sortant",
    "taux_en_emploi_6_mois",
    "taux_en_formation",
    "certificationsTerminales",
    "familleMetier",
    "donnee_source",
    "nom",
    "cle",
    "username",
    "password",
    "type",
    "lieu",
    "uai_gestionnaire",
    "date_fermeture",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(vec![
            "",
            "2022",
            "2022_2023",
            "40025214",
            "0751234J",
            "cfd",
            "mef11",
            "pro",
            "é",
            "a/b",
            ".."
        ])
        .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            document(inner).prop_map(Value::Object),
        ]
    })
}

fn document(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    proptest::collection::vec((proptest::sample::select(FIELDS), value), 0..12)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn lines(lines in proptest::collection::vec((0..domain::Kind::ALL.len(), document(value())), 1..6), bytes: Vec<u8>) {
        let indicators = ["mon_indicateur".to_owned()];
        let mut checker = LineChecker { indicators: &indicators, ..LineChecker::default() };
        for (kind, document) in lines {
            let kind = domain::Kind::ALL.get(kind).map(|kind| kind.name()).unwrap_or_default();
            let line = serde_json::json!({"kind": kind, "doc": document}).to_string();
            if let Err(refused) = checker.line(line.as_bytes()) {
                prop_assert!(!refused.0.is_empty(), "refused without a reason: {}", line);
            }
        }
        prop_assert!(checker.line(&bytes).is_err(), "foreign bytes were taken: {:?}", bytes);
    }
}
