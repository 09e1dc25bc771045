//! Treatment 7: non-final years.
//!
//! Rule (contract, "Treatments" 7 and "Non-final years"): statistics are about the end of a
//! course. For the filieres pro and agricole each earlier year gets a document without numbers
//! whose `certificationsTerminales` names the final year, so that a pupil of the first year finds
//! what the course leads to. The first year that a famille de metiers shares names all its
//! specialities that have numbers of their own.

use crate::continuum::lieu;
use crate::ecriture::{Collection, Ecritures, est_livree};
use crate::etablissements::region_regionale;
use crate::nomenclature::Nomenclature;
use crate::rapport::Rapport;
use crate::rejet::Rejet;
use crate::texte::{champ, sous_champ};
use domain::{Document, Maille, territoire};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The codes of the earlier years of a course, latest first.
///
/// Rule: the fourth character of a MEFSTAT11 is the year. For each year before it: the code with
/// that character, if the nomenclature has it; else the only row of N_MEF of the CFD in that year.
#[must_use]
pub fn annees_precedentes(nomenclature: &Nomenclature, mef: &str, cfd: &str) -> Vec<String> {
    let parties = (mef.get(..3), mef.get(3..4).and_then(|a| a.parse::<u8>().ok()), mef.get(4..));
    let (Some(debut), Some(annee), Some(fin)) = parties else { return Vec::new() };
    let precedente = |annee: u8| {
        let code = format!("{debut}{annee}{fin}");
        if nomenclature.certification(&code).is_some() {
            return Some(code);
        }
        let annee = annee.to_string();
        let mut seules = nomenclature.annees(cfd).filter(|(_, a)| *a == Some(annee.as_str())).map(|(mef, _)| mef);
        let premiere = seules.next()?;
        seules.next().is_none().then(|| premiere.to_owned())
    };
    (1..annee).rev().filter_map(precedente).filter(|code| code != mef).collect()
}

/// The fields of a document without numbers: key, place as the source holds it, certification.
fn sans_chiffres(maille: Maille, source: &Document, code: &str, part: Option<Document>) -> Document {
    let mut document = Document::with_capacity(16);
    document.insert("code_certification".to_owned(), code.into());
    let mut copier = |nom: &str| {
        if let Some(valeur) = source.get(nom) {
            document.insert(nom.to_owned(), valeur.clone());
        }
    };
    copier("millesime");
    copier("filiere");
    match maille {
        // Declared mailles come treated.
        Maille::Nationale | Maille::Declaree => {}
        Maille::Regionale => copier("region"),
        Maille::Etablissement => ["uai", "region", "academie"].into_iter().for_each(copier),
    }
    document.extend(part.into_iter().flatten());
    document
}

fn separer(part: Result<Document, Rejet>) -> (Option<Document>, Option<Rejet>) {
    match part {
        Ok(part) => (Some(part), None),
        Err(rejet) => (None, Some(rejet)),
    }
}

fn terminales<'a>(codes: impl IntoIterator<Item = &'a str>) -> Value {
    codes.into_iter().map(|code| json!({"code_certification": code})).collect()
}

fn est_scolaire(document: &Document) -> bool {
    matches!(champ(document, "filiere"), Some("pro" | "agricole"))
}

/// Writes the earlier years of every document that has a `donnee_source`. A year outside the
/// nomenclature is rejected.
pub fn annees_non_terminales(
    nomenclature: &Nomenclature,
    maille: Maille,
    documents: &mut Collection,
    rapport: &mut Rapport,
) -> Ecritures {
    let mut ecritures = Ecritures::default();
    for place in 0..documents.places() {
        let Some(source) = documents.document(place) else { continue };
        if !est_scolaire(source) || !source.get("donnee_source").is_some_and(Value::is_object) {
            continue;
        }
        let Some(code) = champ(source, "code_certification") else { continue };
        let cfd = champ(source, "code_formation_diplome").unwrap_or_default();
        let mut nouveaux = Vec::new();
        for annee in annees_precedentes(nomenclature, code, cfd) {
            let (part, rejet) = separer(nomenclature.part(&annee, false));
            let mut document = sans_chiffres(maille, source, &annee, part);
            document.insert("certificationsTerminales".to_owned(), terminales([code]));
            nouveaux.push((document, rejet));
        }
        for (document, rejet) in nouveaux {
            ecrire(documents, document, rejet.as_ref(), rapport, &mut ecritures);
        }
    }
    ecritures
}

fn ecrire(
    documents: &mut Collection,
    document: Document,
    rejet: Option<&Rejet>,
    rapport: &mut Rapport,
    ecritures: &mut Ecritures,
) {
    let connue = documents.kind().cle(&document).is_some_and(|cle| documents.place(&cle).is_some());
    match rejet {
        Some(rejet) if !connue => rapport.rejeter(rejet),
        _ => {
            if let Some(ecriture) = documents.ecrire(document) {
                ecritures.compter(ecriture);
            }
        }
    }
}

/// Writes the first years that the familles de metiers share; replaces the lists written before.
pub fn premieres_annees_communes(
    nomenclature: &Nomenclature,
    maille: Maille,
    documents: &mut Collection,
    rapport: &mut Rapport,
) -> Ecritures {
    #[derive(Default)]
    struct Specialites {
        place: usize,
        codes: BTreeSet<String>,
    }
    let mut familles: BTreeMap<[String; 4], Specialites> = BTreeMap::new();
    for place in 0..documents.places() {
        let Some(document) = documents.document(place).filter(|d| est_scolaire(d) && est_livree(d)) else { continue };
        let commune = document.get("familleMetier").and_then(|f| f.get("isAnneeCommune")).and_then(Value::as_bool);
        if commune == Some(true) {
            continue;
        }
        let parts = [
            sous_champ(document, "familleMetier", "code"),
            lieu(maille, document),
            champ(document, "millesime"),
            champ(document, "filiere"),
        ];
        let (Some(code), [Some(famille), Some(lieu), Some(millesime), Some(filiere)]) =
            (champ(document, "code_certification"), parts)
        else {
            continue;
        };
        let cle = [famille, lieu, millesime, filiere].map(str::to_owned);
        let ici = familles.entry(cle).or_insert_with(|| Specialites { place, ..Specialites::default() });
        ici.codes.insert(code.to_owned());
    }
    if familles.is_empty() {
        return Ecritures::default();
    }
    let mut ecritures = Ecritures::default();
    let communes = nomenclature.annees_communes();
    for ([famille, ..], specialites) in familles {
        for commune in communes.get(famille.as_str()).into_iter().flatten() {
            let (part, rejet) = separer(nomenclature.part(commune, false));
            let Some(source) = documents.document(specialites.place) else { continue };
            let mut document = sans_chiffres(maille, source, commune, part);
            let codes = terminales(specialites.codes.iter().map(String::as_str));
            document.insert("certificationsTerminales".to_owned(), codes);
            // Grouped by the code of the region, written with the table's: an earlier year copies, this one does not.
            if maille == Maille::Regionale
                && let Some(region) = sous_champ(&document, "region", "code").and_then(territoire::region)
            {
                document.insert("region".to_owned(), region_regionale(region));
            }
            ecrire(documents, document, rejet.as_ref(), rapport, &mut ecritures);
        }
    }
    ecritures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nomenclature::{Certification, Nature};

    #[test]
    fn earlier_years_come_from_the_nomenclature_or_from_a_single_row() {
        let mut nomenclature = Nomenclature::default();
        let mef = |code: &str| Certification {
            nature: Nature::Mef,
            code: code.into(),
            cfd: "32000000".into(),
            ..Certification::default()
        };
        nomenclature.ajouter(mef("32210000000"));
        let ligne = |code: &str, annee: &str| {
            json!({"mef_stat_11": code, "formation_diplome": "32000000", "annee_dispositif": annee})
                .as_object()
                .unwrap()
                .clone()
        };
        assert_eq!(annees_precedentes(&nomenclature, "32230000000", "32000000"), ["32210000000"]);
        nomenclature.ajouter_ligne_mef(&ligne("32229999999", "2"));
        assert_eq!(annees_precedentes(&nomenclature, "32230000000", "32000000"), ["32229999999", "32210000000"]);
        nomenclature.ajouter_ligne_mef(&ligne("32228888888", "2"));
        assert_eq!(
            annees_precedentes(&nomenclature, "32230000000", "32000000"),
            ["32210000000"],
            "two rows: nobody knows which"
        );
        assert!(annees_precedentes(&nomenclature, "322", "").is_empty());
    }

    #[test]
    fn an_earlier_year_keeps_the_region_of_its_source_a_shared_first_year_has_the_table_s() {
        let objet = |valeur: Value| valeur.as_object().unwrap().clone();
        let mut nomenclature = Nomenclature::default();
        for (code, commune) in [("32230000000", false), ("32220000000", false), ("23810031211", true)] {
            let famille =
                crate::nomenclature::Famille { code: "F".into(), libelle: "F".into(), annee_commune: commune };
            nomenclature.ajouter(Certification {
                nature: Nature::Mef,
                code: code.into(),
                cfd: "32000000".into(),
                famille: Some(famille),
                ..Certification::default()
            });
        }
        let source = objet(json!({"code_certification": "32230000000", "code_formation_diplome": "32000000",
            "millesime": "2018_2019", "filiere": "pro", "region": {"code": "11", "nom": "Paris et autour"},
            "familleMetier": {"code": "F", "isAnneeCommune": false},
            "donnee_source": {"code_certification": "32230000000", "type": "self"}}));
        let mut documents = Collection::de(domain::Kind::Regionale, [source]);
        let mut rapport = Rapport::default();
        annees_non_terminales(&nomenclature, Maille::Regionale, &mut documents, &mut rapport);
        premieres_annees_communes(&nomenclature, Maille::Regionale, &mut documents, &mut rapport);
        let region = |code: &str| &documents.iter().find(|d| d["code_certification"] == code).unwrap()["region"];
        assert_eq!(*region("32220000000"), json!({"code": "11", "nom": "Paris et autour"}));
        let table = json!({"code": "11", "nom": "Île-de-France", "code_region_academique": "10"});
        assert_eq!(*region("23810031211"), table);
    }
}
