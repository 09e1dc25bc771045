//! Treatment 7: non-final years.
//!
//! Rule (contract, "Treatments" 7 and "Non-final years"): statistics are about the end of a
//! course. For the filieres pro and agricole each earlier year gets a document without numbers
//! whose `certificationsTerminales` names the final year, so that a pupil of the first year finds
//! what the course leads to. The first year that a famille de metiers shares names all its
//! specialities that have numbers of their own.

use crate::continuum::place_of;
use crate::etablissements::region_regionale;
use crate::nomenclature::Nomenclature;
use crate::rejection::Rejection;
use crate::report::TreatmentReport;
use crate::text::{field, sub_field};
use crate::writing::{Collection, WriteCounts, is_delivered};
use domain::{Document, Maille, territory};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The codes of the earlier years of a course, latest first.
///
/// Rule: the fourth character of a MEFSTAT11 is the year. For each year before it: the code with
/// that character, if the nomenclature has it; else the only row of N_MEF of the CFD in that year.
#[must_use]
pub fn previous_years(nomenclature: &Nomenclature, mef: &str, cfd: &str) -> Vec<String> {
    let parts = (mef.get(..3), mef.get(3..4).and_then(|a| a.parse::<u8>().ok()), mef.get(4..));
    let (Some(start), Some(year), Some(end)) = parts else { return Vec::new() };
    let previous = |year: u8| {
        let code = format!("{start}{year}{end}");
        if nomenclature.certification(&code).is_some() {
            return Some(code);
        }
        let year = year.to_string();
        let mut alone = nomenclature.years(cfd).filter(|(_, a)| *a == Some(year.as_str())).map(|(mef, _)| mef);
        let first = alone.next()?;
        alone.next().is_none().then(|| first.to_owned())
    };
    (1..year).rev().filter_map(previous).filter(|code| code != mef).collect()
}

/// The fields of a document without numbers: key, place as the source holds it, certification.
fn without_figures(maille: Maille, source: &Document, code: &str, part: Option<Document>) -> Document {
    let mut document = Document::with_capacity(16);
    document.insert("code_certification".to_owned(), code.into());
    let mut copy = |name: &str| {
        if let Some(value) = source.get(name) {
            document.insert(name.to_owned(), value.clone());
        }
    };
    copy("millesime");
    copy("filiere");
    match maille {
        // Declared mailles come treated.
        Maille::National | Maille::Declared => {}
        Maille::Regionale => copy("region"),
        Maille::Etablissement => ["uai", "region", "academie"].into_iter().for_each(copy),
    }
    document.extend(part.into_iter().flatten());
    document
}

fn separate(part: Result<Document, Rejection>) -> (Option<Document>, Option<Rejection>) {
    match part {
        Ok(part) => (Some(part), None),
        Err(rejection) => (None, Some(rejection)),
    }
}

fn final_years<'a>(codes: impl IntoIterator<Item = &'a str>) -> Value {
    codes.into_iter().map(|code| json!({"code_certification": code})).collect()
}

fn is_school(document: &Document) -> bool {
    matches!(field(document, "filiere"), Some("pro" | "agricole"))
}

/// Writes the earlier years of every document that has a `donnee_source`. A year outside the
/// nomenclature is rejected.
pub fn non_final_years(
    nomenclature: &Nomenclature,
    maille: Maille,
    documents: &mut Collection,
    report: &mut TreatmentReport,
) -> WriteCounts {
    let mut writes = WriteCounts::default();
    for place in 0..documents.places() {
        let Some(source) = documents.document(place) else { continue };
        if !is_school(source) || !source.get("donnee_source").is_some_and(Value::is_object) {
            continue;
        }
        let Some(code) = field(source, "code_certification") else { continue };
        let cfd = field(source, "code_formation_diplome").unwrap_or_default();
        let mut new_ones = Vec::new();
        for year in previous_years(nomenclature, code, cfd) {
            let (part, rejection) = separate(nomenclature.part(&year, false));
            let mut document = without_figures(maille, source, &year, part);
            document.insert("certificationsTerminales".to_owned(), final_years([code]));
            new_ones.push((document, rejection));
        }
        for (document, rejection) in new_ones {
            write(documents, document, rejection.as_ref(), report, &mut writes);
        }
    }
    writes
}

fn write(
    documents: &mut Collection,
    document: Document,
    rejection: Option<&Rejection>,
    report: &mut TreatmentReport,
    writes: &mut WriteCounts,
) {
    let known = documents.kind().key(&document).is_some_and(|key| documents.place(&key).is_some());
    match rejection {
        Some(rejection) if !known => report.reject(rejection),
        _ => {
            if let Some(writing) = documents.write(document) {
                writes.count(writing);
            }
        }
    }
}

/// Writes the first years that the familles de metiers share; replaces the lists written before.
pub fn first_annees_communes(
    nomenclature: &Nomenclature,
    maille: Maille,
    documents: &mut Collection,
    report: &mut TreatmentReport,
) -> WriteCounts {
    #[derive(Default)]
    struct Specialties {
        place: usize,
        codes: BTreeSet<String>,
    }
    let mut families: BTreeMap<[String; 4], Specialties> = BTreeMap::new();
    for place in 0..documents.places() {
        let Some(document) = documents.document(place).filter(|d| is_school(d) && is_delivered(d)) else { continue };
        let shared = document.get("familleMetier").and_then(|f| f.get("isAnneeCommune")).and_then(Value::as_bool);
        if shared == Some(true) {
            continue;
        }
        let parts = [
            sub_field(document, "familleMetier", "code"),
            place_of(maille, document),
            field(document, "millesime"),
            field(document, "filiere"),
        ];
        let (Some(code), [Some(famille_metier), Some(location), Some(millesime), Some(filiere)]) =
            (field(document, "code_certification"), parts)
        else {
            continue;
        };
        let key = [famille_metier, location, millesime, filiere].map(str::to_owned);
        let here = families.entry(key).or_insert_with(|| Specialties { place, ..Specialties::default() });
        here.codes.insert(code.to_owned());
    }
    if families.is_empty() {
        return WriteCounts::default();
    }
    let mut writes = WriteCounts::default();
    let shared_codes = nomenclature.annees_communes();
    for ([famille_metier, ..], specialties) in families {
        for shared in shared_codes.get(famille_metier.as_str()).into_iter().flatten() {
            let (part, rejection) = separate(nomenclature.part(shared, false));
            let Some(source) = documents.document(specialties.place) else { continue };
            let mut document = without_figures(maille, source, shared, part);
            let codes = final_years(specialties.codes.iter().map(String::as_str));
            document.insert("certificationsTerminales".to_owned(), codes);
            // Grouped by the code of the region, written with the table's: an earlier year copies, this one does not.
            if maille == Maille::Regionale
                && let Some(region) = sub_field(&document, "region", "code").and_then(territory::region)
            {
                document.insert("region".to_owned(), region_regionale(region));
            }
            write(documents, document, rejection.as_ref(), report, &mut writes);
        }
    }
    writes
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
        nomenclature.add(mef("32210000000"));
        let row = |code: &str, year: &str| {
            json!({"mef_stat_11": code, "formation_diplome": "32000000", "annee_dispositif": year})
                .as_object()
                .unwrap()
                .clone()
        };
        assert_eq!(previous_years(&nomenclature, "32230000000", "32000000"), ["32210000000"]);
        nomenclature.add_mef_row(&row("32229999999", "2"));
        assert_eq!(previous_years(&nomenclature, "32230000000", "32000000"), ["32229999999", "32210000000"]);
        nomenclature.add_mef_row(&row("32228888888", "2"));
        assert_eq!(
            previous_years(&nomenclature, "32230000000", "32000000"),
            ["32210000000"],
            "two rows: nobody knows which"
        );
        assert!(previous_years(&nomenclature, "322", "").is_empty());
    }

    #[test]
    fn an_earlier_year_keeps_the_region_of_its_source_a_shared_first_year_has_the_table_s() {
        let object = |value: Value| value.as_object().unwrap().clone();
        let mut nomenclature = Nomenclature::default();
        for (code, shared) in [("32230000000", false), ("32220000000", false), ("23810031211", true)] {
            let famille_metier =
                crate::nomenclature::FamilleMetier { code: "F".into(), libelle: "F".into(), annee_commune: shared };
            nomenclature.add(Certification {
                nature: Nature::Mef,
                code: code.into(),
                cfd: "32000000".into(),
                famille_metier: Some(famille_metier),
                ..Certification::default()
            });
        }
        let source = object(json!({"code_certification": "32230000000", "code_formation_diplome": "32000000",
            "millesime": "2018_2019", "filiere": "pro", "region": {"code": "11", "nom": "Paris et autour"},
            "familleMetier": {"code": "F", "isAnneeCommune": false},
            "donnee_source": {"code_certification": "32230000000", "type": "self"}}));
        let mut documents = Collection::of(domain::Kind::Regionale, [source]);
        let mut report = TreatmentReport::default();
        non_final_years(&nomenclature, Maille::Regionale, &mut documents, &mut report);
        first_annees_communes(&nomenclature, Maille::Regionale, &mut documents, &mut report);
        let region = |code: &str| &documents.iter().find(|d| d["code_certification"] == code).unwrap()["region"];
        assert_eq!(*region("32220000000"), json!({"code": "11", "nom": "Paris et autour"}));
        let table = json!({"code": "11", "nom": "Île-de-France", "code_region_academique": "10"});
        assert_eq!(*region("23810031211"), table);
    }
}
