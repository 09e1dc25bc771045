//! The sample: what is committed is what is made, and it holds every case.

use dataset::{Line, sample};
use domain::{CodeCertification, Kind, Millesime, Uai};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rows() -> Vec<Line> {
    sample::lines().collect()
}

fn documents(kind: Kind) -> Vec<Value> {
    rows().into_iter().filter(|l| l.kind == kind).map(|l| Value::Object(l.doc)).collect()
}

fn statistics() -> Vec<Value> {
    [Kind::Certification, Kind::Regionale, Kind::Formation].into_iter().flat_map(documents).collect()
}

#[test]
fn what_is_committed_is_what_is_made() {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for row in rows() {
        row.write_to(files.entry(dataset::file_name(row.kind)).or_default()).unwrap();
    }
    for (name, expected) in &files {
        let committed = std::fs::read(root().join("data").join(name)).unwrap();
        assert!(committed == *expected, "data/{name}: run `cargo run -p dataset -- sample --out data/`");
    }
    let present: BTreeSet<String> = std::fs::read_dir(root().join("data"))
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".ndjson"))
        .collect();
    assert_eq!(present, files.keys().cloned().collect());
    assert!(files.values().map(Vec::len).sum::<usize>() < 1_500_000);
}

#[test]
fn it_is_as_small_as_it_says() {
    let counts: Vec<usize> = dataset::KINDS.into_iter().map(|k| documents(k).len()).collect();
    assert_eq!(counts, COUNTS, "{:?}", dataset::KINDS);
    let distinct = |kind, field: &str| documents(kind).iter().map(|d| d[field].clone()).collect::<Vec<_>>();
    let count = |values: Vec<Value>| values.iter().map(Value::to_string).collect::<BTreeSet<_>>().len();
    assert_eq!(count(distinct(Kind::Certification, "code_certification")), 47);
    assert_eq!(count(distinct(Kind::Regionale, "region")), 6);
    assert_eq!(count(distinct(Kind::Etablissement, "numero_uai")), 30);
    assert_eq!(count(distinct(Kind::Formation, "uai")), 30);
    assert_eq!(count(distinct(Kind::Regionale, "millesime")), 3);
}

/// In the order of [`dataset::KINDS`].
const COUNTS: [usize; 11] = [139, 393, 684, 46, 28, 5, 30, 39, 1, 262, 18];

#[test]
fn keys_are_unique_well_formed_and_known() {
    let bcn: BTreeSet<String> = documents(Kind::Bcn)
        .iter()
        .map(|d| d["code_certification"].as_str().unwrap().to_owned())
        .chain(documents(Kind::BcnSise).iter().map(|d| d["diplome_sise"].as_str().unwrap().to_owned()))
        .collect();
    let uais: BTreeSet<String> =
        documents(Kind::Etablissement).iter().map(|d| d["numero_uai"].as_str().unwrap().to_owned()).collect();
    let mut keys = BTreeSet::new();
    for row in rows() {
        let doc = &Value::Object(row.doc.clone());
        let text = |field: &str| doc[field].as_str().unwrap_or_default();
        if matches!(row.kind, Kind::Certification | Kind::Regionale | Kind::Formation) {
            let code = text("code_certification");
            let prefix = if text("filiere") == "superieur" { "SISE:" } else { "" };
            assert!(CodeCertification::parse(&format!("{prefix}{code}")).is_some(), "{code}");
            assert!(Millesime::parse(text("millesime")).is_some());
            assert_eq!(Millesime::parse(text("millesime")).unwrap().is_period(), {
                row.kind == Kind::Regionale || (row.kind == Kind::Formation && doc.get("uai_type").is_some())
            });
            let source = doc["donnee_source"]["code_certification"].as_str().unwrap_or(code);
            assert!(bcn.contains(code) && bcn.contains(source), "{code}");
            let region = doc["region"]["code"].as_str().unwrap_or_default();
            let key = [row.kind.name(), code, text("millesime"), text("filiere"), region, text("uai")];
            assert!(keys.insert(key.map(str::to_owned)), "{key:?}");
        }
        for (field, value) in &row.doc {
            let list = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            if !field.contains("uai") || field.contains("type") || field.ends_with("_libe") || field == "nature_uai" {
                continue;
            }
            for uai in list.iter().map(|v| v.as_str().unwrap()) {
                assert!(Uai::parse(uai).is_some_and(|u| u.is_check_letter()), "{field} {uai}");
                assert!(uais.contains(uai), "{field} {uai}");
            }
        }
    }
}

#[test]
fn nothing_in_it_exists() {
    let Some(has_data) = beside::shared("data", "nothing_in_it_exists") else { return };
    let real = std::fs::read_to_string(has_data.join("etablissements/uai.csv")).unwrap();
    let real: BTreeSet<&str> = real.lines().filter_map(|l| l.split(';').next()).collect();
    for doc in documents(Kind::Etablissement) {
        assert!(!real.contains(doc["numero_uai"].as_str().unwrap()), "{doc}");
    }
    let tables =
        ["V_FORMATION_DIPLOME", "N_FORMATION_DIPLOME", "N_FORMATION_DIPLOME_ENQUETE_51", "N_MEF", "N_DIPLOME_SISE"];
    let words: BTreeSet<Vec<u8>> = tables
        .iter()
        .flat_map(|t| {
            std::fs::read(has_data.join(format!("bcn/{t}.csv")))
                .unwrap()
                .split(|b| b";\n".contains(b))
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>()
        })
        .collect();
    for doc in documents(Kind::Bcn).iter().chain(&documents(Kind::BcnSise)) {
        let code = doc.get("code_certification").or(doc.get("diplome_sise")).unwrap().as_str().unwrap();
        assert!(!words.contains(code.as_bytes()), "{code}");
    }
}

#[test]
fn every_label_says_that_it_is_fictitious() {
    for doc in statistics().iter().chain(&documents(Kind::Bcn)).chain(&documents(Kind::BcnMef)) {
        for field in ["libelle", "libelle_long", "libelle_ancien", "libelle_long_ancien"] {
            if let Some(libelle) = doc.get(field) {
                assert!(libelle.as_str().unwrap().ends_with(sample::MENTION), "{libelle}");
            }
        }
    }
    for doc in documents(Kind::BcnSise) {
        assert!(doc["libelle_intitule_1"].as_str().unwrap().ends_with(sample::MENTION));
    }
    for doc in documents(Kind::Etablissement) {
        assert!(doc["appellation_officielle"].as_str().unwrap().contains("ficti"));
    }
}

/// One case a line: what there must be, and where.
#[test]
fn every_case_is_there() {
    let (national, regionales, formations) =
        (documents(Kind::Certification), documents(Kind::Regionale), documents(Kind::Formation));
    fn final_years(doc: &Value) -> usize {
        doc["certificationsTerminales"].as_array().map_or(0, Vec::len)
    }
    let small = |d: &Value| d["nb_annee_term"].as_u64().is_some_and(|n| n < 20) && d["nb_sortant"].is_u64();
    type Est = Box<dyn Fn(&Value) -> bool>;
    type Cas = (&'static str, Est, [bool; 3]);
    let filiere = |name: &'static str| -> Est { Box::new(move |d| d["filiere"] == name) };
    let roles = |a: &'static str, b: &'static str| -> Est {
        Box::new(move |d| d["uai_type"] == a && d["uai_donnee_type"] == b)
    };
    let cas: Vec<Cas> = vec![
        ("pro", filiere("pro"), [true, true, true]),
        ("apprentissage", filiere("apprentissage"), [true, true, true]),
        ("agricole", filiere("agricole"), [true, false, true]),
        ("superieur", filiere("superieur"), [true, false, true]),
        ("closed", Box::new(|d| d["date_fermeture"].as_str().is_some_and(|f| f < "2022")), [true, true, true]),
        ("will close", Box::new(|d| d["date_fermeture"].as_str().is_some_and(|f| f > "2090")), [true, true, true]),
        ("under the threshold, raw", Box::new(small), [true, true, true]),
        ("not under", Box::new(|d| d["nb_annee_term"].as_u64().is_some_and(|n| n >= 20)), [true, true, true]),
        ("self", Box::new(|d| d["donnee_source"]["type"] == "self"), [true, true, true]),
        ("ancienne", Box::new(|d| d["donnee_source"]["type"] == "ancienne"), [true, true, true]),
        ("nouvelle", Box::new(|d| d["donnee_source"]["type"] == "nouvelle"), [true, true, true]),
        ("old label", Box::new(|d| d["libelle_ancien"].is_string()), [true, true, true]),
        ("famille", Box::new(|d| d["familleMetier"]["isAnneeCommune"] == false), [true, true, true]),
        (
            "shared first year",
            Box::new(|d| {
                d["familleMetier"]["isAnneeCommune"] == true && final_years(d) == 3 && d["nb_annee_term"].is_null()
            }),
            [true, true, true],
        ),
        (
            "non-final year",
            Box::new(|d| d["familleMetier"].is_null() && final_years(d) == 1 && d["nb_annee_term"].is_null()),
            [true, true, true],
        ),
        ("salaries", Box::new(|d| d["salaire_12_mois_q2"].is_u64()), [true, false, false]),
        ("graduates", Box::new(|d| d["nb_diplome"].is_u64()), [false, false, true]),
        ("single year", Box::new(|d| d["millesime"] == "2023"), [true, false, true]),
        ("own place", roles("lieu_formation", "lieu_formation"), [false, false, true]),
        ("place, of its teacher", roles("lieu_formation", "formateur"), [false, false, true]),
        ("place, of its manager", roles("lieu_formation", "gestionnaire"), [false, false, true]),
        ("teacher", roles("formateur", "formateur"), [false, false, true]),
        ("teacher, of its manager", roles("formateur", "gestionnaire"), [false, false, true]),
        ("teacher, of its place", roles("formateur", "lieu_formation"), [false, false, true]),
        ("manager", roles("gestionnaire", "gestionnaire"), [false, false, true]),
        ("unknown", roles("inconnu", "inconnu"), [false, false, true]),
        ("list of places", Box::new(|d| d["uai_lieu_formation"].is_array()), [false, false, true]),
        ("list of teachers", Box::new(|d| d["uai_formateur"].is_array()), [false, false, true]),
        ("list of managers", Box::new(|d| d["uai_gestionnaire"].is_array()), [false, false, true]),
    ];
    for (name, est, expected) in cas {
        assert_eq!([&national, &regionales, &formations].map(|l| l.iter().any(&est)), expected, "{name}");
    }
}

#[test]
fn inherited_figures_are_those_of_their_source() {
    let national = documents(Kind::Certification);
    let inherited: Vec<&Value> = national.iter().filter(|d| d["donnee_source"]["type"] != "self").collect();
    for doc in inherited.into_iter().filter(|d| d["nb_annee_term"].is_u64()) {
        let source = national
            .iter()
            .find(|d| {
                d["code_certification"] == doc["donnee_source"]["code_certification"]
                    && d["millesime"] == doc["millesime"]
                    && d["filiere"] == doc["filiere"]
            })
            .unwrap();
        assert_eq!(source["donnee_source"]["type"], "self");
        assert_eq!(
            (&source["nb_annee_term"], &source["taux_autres_6_mois"]),
            (&doc["nb_annee_term"], &doc["taux_autres_6_mois"])
        );
    }
}
