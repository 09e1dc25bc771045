//! Real documents: every row comes out, with the figures it came in with.

use dataset::{Line, real};
use domain::{CodeCertification, Millesime};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::OnceLock,
};

/// The reference data, read once for all tests; `None` where it is absent, and `test` is skipped.
#[expect(clippy::unwrap_used, reason = "a test")]
fn tables(test: &str) -> Option<&'static real::Real> {
    static TABLES: OnceLock<real::Real> = OnceLock::new();
    let folder = beside::shared("data", test)?;
    Some(TABLES.get_or_init(|| real::Real::read(&folder).unwrap()))
}

fn documents(rows: impl Iterator<Item = Line>) -> Vec<Value> {
    rows.map(|l| Value::Object(l.doc)).collect()
}

#[test]
fn every_regional_row_becomes_one_document() {
    let Some(real) = tables("every_regional_row_becomes_one_document") else { return };
    let regionales = documents(real.regionales());
    assert_eq!(regionales.len(), 40_322);
    let mut keys = BTreeSet::new();
    let mut small = 0;
    for doc in &regionales {
        let text = |field: &str| doc[field].as_str().unwrap();
        assert!(CodeCertification::parse(text("code_certification")).is_some());
        assert!(Millesime::parse(text("millesime")).unwrap().is_period());
        assert!(!text("libelle").is_empty() && doc["diplome"]["libelle"].is_string(), "{doc}");
        assert!(doc["region"]["nom"].is_string() && doc["donnee_source"]["type"] == "self");
        small += usize::from(doc["nb_annee_term"].as_u64().unwrap() < 20);
        let key = (text("millesime"), text("code_certification"), text("filiere"), doc["region"]["code"].as_str());
        assert!(keys.insert(key), "{key:?}");
    }
    assert_eq!(small, 15_224, "raw: hiding is the import's work");
}

#[test]
fn a_row_is_joined_and_its_rates_are_of_the_whole_group() {
    let Some(real) = tables("a_row_is_joined_and_its_rates_are_of_the_whole_group") else { return };
    let doc = documents(real.regionales()).swap_remove(1_999);
    assert_eq!(
        doc,
        json!({
            "region": { "code": "11", "nom": "Île-de-France", "code_region_academique": "10" },
            "millesime": "2021_2022",
            "code_certification": "32221020008", "code_certification_type": "mef11",
            "code_formation_diplome": "32020008", "libelle": "TECHNICO-COMMERCIAL (BTS)",
            "diplome": { "code": "5", "libelle": "BTS" }, "date_fermeture": "2022-08-31T00:00:00.000Z",
            "filiere": "pro",
            "nb_annee_term": 541, "nb_en_emploi_12_mois": 198, "nb_en_emploi_6_mois": 187,
            "nb_poursuite_etudes": 231, "nb_sortant": 310,
            "taux_en_formation": 43, "taux_en_emploi_12_mois": 37, "taux_en_emploi_6_mois": 35,
            "taux_autres_12_mois": 20, "taux_autres_6_mois": 22,
            "donnee_source": { "code_certification": "32221020008", "type": "self" },
            // The file's own rates of employment are shares of those who left.
            "_meta": { "inserjeunes": {
                "taux_poursuite_etudes": 43, "taux_emploi_6_mois": 60, "taux_emploi_12_mois": 64,
            } },
        })
    );
}

#[test]
fn national_documents_are_sums_and_say_so() {
    let Some(real) = tables("national_documents_are_sums_and_say_so") else { return };
    let mut sums: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for doc in documents(real.regionales()) {
        let millesime = Millesime::parse(doc["millesime"].as_str().unwrap()).unwrap();
        let key = (millesime.year().into(), doc["code_certification"].to_string(), doc["filiere"].to_string());
        *sums.entry(key).or_default() += doc["nb_sortant"].as_u64().unwrap_or(0);
    }
    let national = documents(real.certifications());
    assert_eq!(national.len(), sums.len());
    assert_eq!(national.len(), 6_444);
    for doc in national {
        assert!(doc["libelle"].as_str().unwrap().ends_with(real::NATIONAL_MENTION));
        let millesime = doc["millesime"].as_str().unwrap().to_owned();
        let key = (millesime, doc["code_certification"].to_string(), doc["filiere"].to_string());
        assert_eq!(sums[&key], doc["nb_sortant"].as_u64().unwrap_or(0), "{key:?}");
    }
}

#[test]
fn the_nomenclature_and_the_directory_come_along() {
    let Some(real) = tables("the_nomenclature_and_the_directory_come_along") else { return };
    let bcn = documents(real.bcn());
    let counts = [bcn.len(), real.bcn_mef().count(), real.bcn_sise().count(), real.etablissements().count()];
    assert_eq!(counts, [11_269 + 10_067, 10_067, 27_062, 11_366]);
    for doc in bcn.iter().chain(&documents(real.bcn_sise())) {
        let code = doc.get("code_certification").map_or_else(
            || format!("SISE:{}", doc["diplome_sise"].as_str().unwrap()),
            |code| code.as_str().unwrap().to_owned(),
        );
        assert!(CodeCertification::parse(&code).is_some(), "{code}");
        assert!(!doc.to_string().contains("ï¿½"), "{doc}");
    }
}

#[test]
fn a_missing_folder_is_named() {
    let error = real::Real::read(Path::new("nulle-part")).unwrap_err().to_string();
    assert!(error.starts_with("nulle-part/bcn/"), "{error}");
}
