//! Production size: counts, coherence and determinism, at small factors.

use dataset::{
    Line,
    production::{MENTION_TAUX, MENTION_TOUT, Production},
};
use domain::{CodeCertification, Kind, Millesime, Uai, territoire};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::LazyLock,
};

fn donnees() -> Option<PathBuf> {
    let dossier = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    dossier.is_dir().then_some(dossier)
}

/// With the reference data (where it is there) and without; made once for all tests.
static ESSAIS: LazyLock<Vec<(&'static str, Vec<Line>)>> = LazyLock::new(|| {
    let lignes = |donnees: Option<&Path>| production(0.05, donnees).lines().collect();
    let mut essais = vec![("invented", lignes(None))];
    if let Some(dossier) = beside::shared("data", "production with real keys") {
        essais.push(("real keys", lignes(Some(&dossier))));
    }
    essais
});

#[expect(clippy::unwrap_used, reason = "a test")]
fn production(facteur: f64, donnees: Option<&Path>) -> Production {
    Production::new(facteur, donnees).unwrap()
}

/// Within a hundredth.
fn environ(obtenu: usize, attendu: usize) -> bool {
    obtenu.abs_diff(attendu) * 100 <= attendu
}

#[test]
fn sizes_are_those_of_production() {
    for (nom, lignes) in ESSAIS.iter() {
        let compte = |kind| lignes.iter().filter(|l| l.kind == kind).count();
        assert!(environ(compte(Kind::Certification), 1_500), "{nom} {}", compte(Kind::Certification));
        assert!(environ(compte(Kind::Regionale), 7_500), "{nom} {}", compte(Kind::Regionale));
        assert!(environ(compte(Kind::Formation), 15_000), "{nom} {}", compte(Kind::Formation));
        assert_eq!((compte(Kind::Etablissement), compte(Kind::BcnSise)), (450, 40), "{nom}");
        let octets: usize = lignes
            .iter()
            .filter(|l| l.kind == Kind::Formation)
            .map(|l| {
                let mut tampon = Vec::new();
                l.write_to(&mut tampon).unwrap();
                tampon.len()
            })
            .sum();
        assert!((900..1_250).contains(&(octets / compte(Kind::Formation))), "{nom}");
    }
}

#[test]
fn the_size_factor_scales_and_is_bounded() {
    let compte = |facteur| production(facteur, None).formations().count();
    assert!(environ(compte(0.1), 10 * compte(0.01)));
    for facteur in [0.0, -1.0, 20.1, f64::NAN] {
        assert!(Production::new(facteur, None).unwrap_err().to_string().contains("expected a number"));
    }
}

#[test]
fn documents_are_coherent() {
    for (nom, lignes) in ESSAIS.iter() {
        let mut cles = BTreeSet::new();
        let mut terminales = Vec::new();
        let etablissements: BTreeMap<&str, &str> = lignes
            .iter()
            .filter(|l| l.kind == Kind::Etablissement)
            .map(|l| (l.doc["numero_uai"].as_str().unwrap(), l.doc["academie"].as_str().unwrap()))
            .collect();
        let connus: BTreeSet<&str> = lignes
            .iter()
            .filter_map(|l| l.doc.get(if l.kind == Kind::BcnSise { "diplome_sise" } else { "code_certification" }))
            .filter_map(Value::as_str)
            .collect();
        for ligne in lignes {
            if !matches!(ligne.kind, Kind::Certification | Kind::Regionale | Kind::Formation) {
                continue;
            }
            let texte = |champ: &str| ligne.doc.get(champ).and_then(Value::as_str).unwrap_or_default();
            let code = texte("code_certification");
            let prefixe = if texte("filiere") == "superieur" { "SISE:" } else { "" };
            assert!(CodeCertification::parse(&format!("{prefixe}{code}")).is_some(), "{nom} {code}");
            assert!(connus.contains(code), "{nom} {code}");
            assert!(Millesime::parse(texte("millesime")).is_some());
            let libelle = texte("libelle");
            assert!(libelle.ends_with(MENTION_TAUX) || libelle.ends_with(MENTION_TOUT), "{nom} {libelle}");
            if ligne.kind == Kind::Formation {
                assert!(Uai::parse(texte("uai")).is_some_and(|u| u.est_controle()), "{nom} {}", texte("uai"));
                let academie = ligne.doc["academie"]["code"].as_str().unwrap();
                assert_eq!(etablissements.get(texte("uai")), Some(&academie), "{nom}");
                assert_eq!(territoire::academie(academie).unwrap().0.code, ligne.doc["region"]["code"], "{nom}");
            }
            let place = ligne.doc.get("region").filter(|_| ligne.kind == Kind::Regionale).map(Value::to_string);
            let cle = |code: &str| {
                (
                    ligne.kind,
                    texte("millesime").to_owned(),
                    code.to_owned(),
                    texte("filiere").to_owned(),
                    place.clone(),
                    texte("uai").to_owned(),
                )
            };
            assert!(cles.insert(cle(code)), "{nom} {:?}", cle(code));
            for finale in ligne.doc.get("certificationsTerminales").and_then(Value::as_array).into_iter().flatten() {
                terminales.push(cle(finale["code_certification"].as_str().unwrap()));
            }
        }
        assert!(!terminales.is_empty(), "{nom}");
        for cle in terminales {
            assert!(cles.contains(&cle), "{nom}: a final year is missing: {cle:?}");
        }
    }
}

#[test]
fn every_case_is_there() {
    for (nom, lignes) in ESSAIS.iter() {
        let formations: Vec<Value> =
            lignes.iter().filter(|l| l.kind == Kind::Formation).map(|l| Value::Object(l.doc.clone())).collect();
        let part = |est: &dyn Fn(&Value) -> bool| formations.iter().filter(|d| est(d)).count() * 100 / formations.len();
        let petits = part(&|d| d["nb_annee_term"].as_u64().is_some_and(|n| n < 20));
        let chiffres = part(&|d| d["nb_annee_term"].is_u64());
        assert!((28..45).contains(&(petits * 100 / chiffres)), "{nom} {petits} of {chiffres}");
        for filiere in ["pro", "apprentissage", "agricole", "superieur"] {
            // Agricultural schools are too rare to be met at a small factor with real keys.
            let rare = filiere == "agricole" && *nom == "real keys";
            assert!(rare || formations.iter().any(|d| d["filiere"] == filiere), "{nom} {filiere}");
        }
        for uai_type in ["lieu_formation", "formateur", "gestionnaire", "inconnu"] {
            assert!(formations.iter().any(|d| d["uai_type"] == uai_type), "{nom} {uai_type}");
        }
        for type_source in ["self", "ancienne", "nouvelle"] {
            assert!(formations.iter().any(|d| d["donnee_source"]["type"] == type_source), "{nom} {type_source}");
        }
        assert!(part(&|d| d["date_fermeture"].is_string()) >= 2, "{nom}");
        assert!(part(&|d| d["familleMetier"].is_object()) >= 2, "{nom}");
        assert!(lignes.iter().any(|l| l.kind == Kind::Certification && l.doc.contains_key("salaire_12_mois_q2")));
    }
}

#[test]
fn it_is_always_the_same() {
    let lignes = || production(0.01, donnees().as_deref()).lines().collect::<Vec<_>>();
    assert!(lignes() == lignes());
}
