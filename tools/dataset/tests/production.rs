//! Production size: counts, coherence and determinism, at small factors.

use dataset::{
    Line,
    production::{ALL_MENTION, Production, RATES_MENTION},
};
use domain::{CodeCertification, Kind, Millesime, Uai, territory};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::LazyLock,
};

fn has_data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    folder.is_dir().then_some(folder)
}

/// With the reference data (where it is there) and without; made once for all tests.
static ATTEMPTS: LazyLock<Vec<(&'static str, Vec<Line>)>> = LazyLock::new(|| {
    let rows = |has_data: Option<&Path>| production(0.05, has_data).lines().collect();
    let mut attempts = vec![("invented", rows(None))];
    if let Some(folder) = beside::shared("data", "production with real keys") {
        attempts.push(("real keys", rows(Some(&folder))));
    }
    attempts
});

#[expect(clippy::unwrap_used, reason = "a test")]
fn production(factor: f64, has_data: Option<&Path>) -> Production {
    Production::new(factor, has_data).unwrap()
}

/// Within a hundredth.
fn about(got: usize, expected: usize) -> bool {
    got.abs_diff(expected) * 100 <= expected
}

#[test]
fn sizes_are_those_of_production() {
    for (name, rows) in ATTEMPTS.iter() {
        let count = |kind| rows.iter().filter(|l| l.kind == kind).count();
        assert!(about(count(Kind::Certification), 1_500), "{name} {}", count(Kind::Certification));
        assert!(about(count(Kind::Regionale), 7_500), "{name} {}", count(Kind::Regionale));
        assert!(about(count(Kind::Formation), 15_000), "{name} {}", count(Kind::Formation));
        assert_eq!((count(Kind::Etablissement), count(Kind::BcnSise)), (450, 40), "{name}");
        let bytes: usize = rows
            .iter()
            .filter(|l| l.kind == Kind::Formation)
            .map(|l| {
                let mut buffer = Vec::new();
                l.write_to(&mut buffer).unwrap();
                buffer.len()
            })
            .sum();
        assert!((900..1_250).contains(&(bytes / count(Kind::Formation))), "{name}");
    }
}

#[test]
fn the_size_factor_scales_and_is_bounded() {
    let count = |factor| production(factor, None).formations().count();
    assert!(about(count(0.1), 10 * count(0.01)));
    for factor in [0.0, -1.0, 20.1, f64::NAN] {
        assert!(Production::new(factor, None).unwrap_err().to_string().contains("expected a number"));
    }
}

#[test]
fn documents_are_coherent() {
    for (name, rows) in ATTEMPTS.iter() {
        let mut keys = BTreeSet::new();
        let mut final_years = Vec::new();
        let etablissements: BTreeMap<&str, &str> = rows
            .iter()
            .filter(|l| l.kind == Kind::Etablissement)
            .map(|l| (l.doc["numero_uai"].as_str().unwrap(), l.doc["academie"].as_str().unwrap()))
            .collect();
        let known: BTreeSet<&str> = rows
            .iter()
            .filter_map(|l| l.doc.get(if l.kind == Kind::BcnSise { "diplome_sise" } else { "code_certification" }))
            .filter_map(Value::as_str)
            .collect();
        for row in rows {
            if !matches!(row.kind, Kind::Certification | Kind::Regionale | Kind::Formation) {
                continue;
            }
            let text = |field: &str| row.doc.get(field).and_then(Value::as_str).unwrap_or_default();
            let code = text("code_certification");
            let prefix = if text("filiere") == "superieur" { "SISE:" } else { "" };
            assert!(CodeCertification::parse(&format!("{prefix}{code}")).is_some(), "{name} {code}");
            assert!(known.contains(code), "{name} {code}");
            assert!(Millesime::parse(text("millesime")).is_some());
            let libelle = text("libelle");
            assert!(libelle.ends_with(RATES_MENTION) || libelle.ends_with(ALL_MENTION), "{name} {libelle}");
            if row.kind == Kind::Formation {
                assert!(Uai::parse(text("uai")).is_some_and(|u| u.is_check_letter()), "{name} {}", text("uai"));
                let academie = row.doc["academie"]["code"].as_str().unwrap();
                assert_eq!(etablissements.get(text("uai")), Some(&academie), "{name}");
                assert_eq!(territory::academie(academie).unwrap().0.code, row.doc["region"]["code"], "{name}");
            }
            let place = row.doc.get("region").filter(|_| row.kind == Kind::Regionale).map(Value::to_string);
            let key = |code: &str| {
                (
                    row.kind,
                    text("millesime").to_owned(),
                    code.to_owned(),
                    text("filiere").to_owned(),
                    place.clone(),
                    text("uai").to_owned(),
                )
            };
            assert!(keys.insert(key(code)), "{name} {:?}", key(code));
            for final_year in row.doc.get("certificationsTerminales").and_then(Value::as_array).into_iter().flatten() {
                final_years.push(key(final_year["code_certification"].as_str().unwrap()));
            }
        }
        assert!(!final_years.is_empty(), "{name}");
        for key in final_years {
            assert!(keys.contains(&key), "{name}: a final year is missing: {key:?}");
        }
    }
}

#[test]
fn every_case_is_there() {
    for (name, rows) in ATTEMPTS.iter() {
        let formations: Vec<Value> =
            rows.iter().filter(|l| l.kind == Kind::Formation).map(|l| Value::Object(l.doc.clone())).collect();
        let part = |est: &dyn Fn(&Value) -> bool| formations.iter().filter(|d| est(d)).count() * 100 / formations.len();
        let small = part(&|d| d["nb_annee_term"].as_u64().is_some_and(|n| n < 20));
        let figures = part(&|d| d["nb_annee_term"].is_u64());
        assert!((28..45).contains(&(small * 100 / figures)), "{name} {small} of {figures}");
        for filiere in ["pro", "apprentissage", "agricole", "superieur"] {
            // Agricultural schools are too rare to be met at a small factor with real keys.
            let rare = filiere == "agricole" && *name == "real keys";
            assert!(rare || formations.iter().any(|d| d["filiere"] == filiere), "{name} {filiere}");
        }
        for uai_type in ["lieu_formation", "formateur", "gestionnaire", "inconnu"] {
            assert!(formations.iter().any(|d| d["uai_type"] == uai_type), "{name} {uai_type}");
        }
        for type_source in ["self", "ancienne", "nouvelle"] {
            assert!(formations.iter().any(|d| d["donnee_source"]["type"] == type_source), "{name} {type_source}");
        }
        assert!(part(&|d| d["date_fermeture"].is_string()) >= 2, "{name}");
        assert!(part(&|d| d["familleMetier"].is_object()) >= 2, "{name}");
        assert!(rows.iter().any(|l| l.kind == Kind::Certification && l.doc.contains_key("salaire_12_mois_q2")));
    }
}

#[test]
fn it_is_always_the_same() {
    let rows = || production(0.01, has_data().as_deref()).lines().collect::<Vec<_>>();
    assert!(rows() == rows());
}
