//! The parts that documents of several kinds share, in the order of their fields.

use domain::{Document, Filiere, TypeCode, territoire};
use serde_json::{Value, json};

/// A JSON object as a document; empty for any other value.
pub(crate) fn objet(valeur: Value) -> Document {
    match valeur {
        Value::Object(objet) => objet,
        _ => Document::new(),
    }
}

/// What a statistic says about its certification.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Certification<'a> {
    pub code: &'a str,
    pub type_code: TypeCode,
    /// Empty for SISE codes, which have none.
    pub code_formation_diplome: &'a str,
    pub libelle: &'a str,
    pub libelle_ancien: Option<&'a str>,
    /// Level code and short label; both or nothing.
    pub diplome: Option<(&'a str, &'a str)>,
    /// ISO text.
    pub date_fermeture: Option<&'a str>,
    pub famille: Option<Famille<'a>>,
}

/// A famille de metiers, and whether the certification is its shared first year.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Famille<'a> {
    pub code: &'a str,
    pub libelle: &'a str,
    pub est_annee_commune: bool,
}

impl Famille<'_> {
    pub(crate) fn valeur(&self) -> Value {
        json!({ "code": self.code, "libelle": self.libelle, "isAnneeCommune": self.est_annee_commune })
    }
}

impl Certification<'_> {
    /// Adds the certification part, key first.
    pub(crate) fn poser(&self, doc: &mut Document, filiere: Filiere, millesime: &str) {
        doc.insert("millesime".into(), millesime.into());
        doc.insert("code_certification".into(), self.code.into());
        doc.insert("code_certification_type".into(), type_de_certification(self.type_code).into());
        if !self.code_formation_diplome.is_empty() {
            doc.insert("code_formation_diplome".into(), self.code_formation_diplome.into());
        }
        doc.insert("libelle".into(), self.libelle.into());
        if let Some(ancien) = self.libelle_ancien {
            doc.insert("libelle_ancien".into(), ancien.into());
        }
        if let Some(diplome) = self.diplome {
            doc.insert("diplome".into(), valeur_diplome(diplome));
        }
        if let Some(date) = self.date_fermeture {
            doc.insert("date_fermeture".into(), date.into());
        }
        doc.insert("filiere".into(), filiere.as_str().into());
        if let Some(famille) = self.famille {
            doc.insert("familleMetier".into(), famille.valeur());
        }
    }
}

/// The name of a nomenclature in statistics.
fn type_de_certification(type_code: TypeCode) -> &'static str {
    match type_code {
        TypeCode::Cfd => "cfd",
        TypeCode::Mef => "mef11",
        TypeCode::Sise => "sise",
    }
}

/// A level and its short label.
pub(crate) fn valeur_diplome((code, libelle): (&str, &str)) -> Value {
    json!({ "code": code, "libelle": libelle })
}

/// `donnee_source`: whose data a statistic holds. `type_source` is `self`, `ancienne` or `nouvelle`.
pub(crate) fn donnee_source(code: &str, type_source: &str) -> Value {
    json!({ "code_certification": code, "type": type_source })
}

/// The final years of a course, as the import writes them.
pub(crate) fn terminales<'a>(codes: impl Iterator<Item = &'a str>) -> Value {
    codes.map(|code| json!({ "code_certification": code })).collect()
}

/// The region of a regional document.
pub(crate) fn region_complete(region: &territoire::Region) -> Value {
    json!({ "code": region.code, "nom": region.nom, "code_region_academique": region.code_region_academique })
}

/// The region of a formation.
pub(crate) fn region(region: &territoire::Region) -> Value {
    json!({ "code": region.code, "nom": region.nom })
}

/// The academie of a formation.
pub(crate) fn academie(academie: &territoire::Academie) -> Value {
    json!({ "code": academie.code, "nom": academie.nom })
}
