//! The parts that documents of several kinds share, in the order of their fields.

use domain::{CodeType, Document, Filiere, territory};
use serde_json::{Value, json};

/// A JSON object as a document; empty for any other value.
pub(crate) fn object(value: Value) -> Document {
    match value {
        Value::Object(object) => object,
        _ => Document::new(),
    }
}

/// What a statistic says about its certification.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Certification<'a> {
    pub code: &'a str,
    pub code_type: CodeType,
    /// Empty for SISE codes, which have none.
    pub code_formation_diplome: &'a str,
    pub libelle: &'a str,
    pub old_libelle: Option<&'a str>,
    /// Level code and short label; both or nothing.
    pub diplome: Option<(&'a str, &'a str)>,
    /// ISO text.
    pub closing_date: Option<&'a str>,
    pub family: Option<Family<'a>>,
}

/// A famille de metiers, and whether the certification is its shared first year.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family<'a> {
    pub code: &'a str,
    pub libelle: &'a str,
    pub is_annee_commune: bool,
}

impl Family<'_> {
    pub(crate) fn value(&self) -> Value {
        json!({ "code": self.code, "libelle": self.libelle, "isAnneeCommune": self.is_annee_commune })
    }
}

impl Certification<'_> {
    /// Adds the certification part, key first.
    pub(crate) fn put(&self, doc: &mut Document, filiere: Filiere, millesime: &str) {
        doc.insert("millesime".into(), millesime.into());
        doc.insert("code_certification".into(), self.code.into());
        doc.insert("code_certification_type".into(), certification_type(self.code_type).into());
        if !self.code_formation_diplome.is_empty() {
            doc.insert("code_formation_diplome".into(), self.code_formation_diplome.into());
        }
        doc.insert("libelle".into(), self.libelle.into());
        if let Some(old) = self.old_libelle {
            doc.insert("libelle_ancien".into(), old.into());
        }
        if let Some(diplome) = self.diplome {
            doc.insert("diplome".into(), diplome_value(diplome));
        }
        if let Some(date) = self.closing_date {
            doc.insert("date_fermeture".into(), date.into());
        }
        doc.insert("filiere".into(), filiere.as_str().into());
        if let Some(family) = self.family {
            doc.insert("familleMetier".into(), family.value());
        }
    }
}

/// The name of a nomenclature in statistics.
fn certification_type(code_type: CodeType) -> &'static str {
    match code_type {
        CodeType::Cfd => "cfd",
        CodeType::Mef => "mef11",
        CodeType::Sise => "sise",
    }
}

/// A level and its short label.
pub(crate) fn diplome_value((code, libelle): (&str, &str)) -> Value {
    json!({ "code": code, "libelle": libelle })
}

/// `donnee_source`: whose data a statistic holds. `type_source` is `self`, `ancienne` or `nouvelle`.
pub(crate) fn donnee_source(code: &str, type_source: &str) -> Value {
    json!({ "code_certification": code, "type": type_source })
}

/// The final years of a course, as the import writes them.
pub(crate) fn final_years<'a>(codes: impl Iterator<Item = &'a str>) -> Value {
    codes.map(|code| json!({ "code_certification": code })).collect()
}

/// The region of a regional document.
pub(crate) fn region_complete(region: &territory::Region) -> Value {
    json!({ "code": region.code, "nom": region.name, "code_region_academique": region.region_academie_code })
}

/// The region of a formation.
pub(crate) fn region(region: &territory::Region) -> Value {
    json!({ "code": region.code, "nom": region.name })
}

/// The academie of a formation.
pub(crate) fn academie(academie: &territory::Academie) -> Value {
    json!({ "code": academie.code, "nom": academie.name })
}
