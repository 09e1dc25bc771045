//! Establishments: the ACCE file.
//!
//! Rule (contract, "Sources" and "InserJeunes", asked): every column is kept as text, empty ones
//! left out; days are midnights in Paris. Statistics are asked for French establishments of the
//! natures that teach the vocational tracks, whose check letter is right and whose departement and
//! academie are known.

use crate::rejection::Rejection;
use crate::text::{date_value, field, put};
use domain::date::read_paris_day;
use domain::territory::{self, Academie, Region};
use domain::{Document, Uai};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Columns that hold a day, as in `01/05/1965`.
const DATES: [&str; 4] = ["date_ouverture", "date_fermeture", "date_derniere_mise_a_jour", "date_geolocalisation"];

/// Natures of the establishments that statistics are asked for.
const NATURES: [&str; 39] = [
    "240", "241", "242", "261", "300", "301", "302", "306", "307", "310", "315", "320", "332", "334", "370", "380",
    "400", "430", "440", "445", "450", "480", "506", "523", "528", "540", "551", "580", "600", "605", "610", "625",
    "630", "700", "710", "720", "730", "740", "830",
];

/// The `etablissement` document of a row of the ACCE file.
///
/// # Errors
/// [`Rejection::MissingField`] without `numero_uai`.
pub fn etablissement(row: &Document) -> Result<Document, Rejection> {
    field(row, "numero_uai").ok_or(Rejection::MissingField { field: "numero_uai" })?;
    let mut document = Document::new();
    for name in row.keys() {
        let Some(value) = field(row, name) else { continue };
        if DATES.contains(&name.as_str()) {
            put(&mut document, name, read_paris_day(value).map(date_value));
        } else {
            document.insert(name.clone(), value.into());
        }
    }
    Ok(document)
}

/// What statistics need of an establishment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Etablissement {
    /// `appellation_officielle`.
    pub libelle: Option<String>,
    /// `departement_insee_3` as delivered: three characters, a leading zero in front of two.
    pub departement: Option<String>,
    /// Code of the academie as delivered.
    pub academie: Option<String>,
    /// Whether statistics are asked for it, its letter apart.
    pub demand: bool,
}

/// Where an establishment lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Its region.
    pub region: &'static Region,
    /// Its academie.
    pub academie: &'static Academie,
}

impl Location {
    /// `{code, nom}`, as documents of an establishment hold it.
    #[must_use]
    pub fn region(&self) -> Value {
        json!({"code": self.region.code, "nom": self.region.name})
    }

    /// `{code, nom}`.
    #[must_use]
    pub fn academie(&self) -> Value {
        json!({"code": self.academie.code, "nom": self.academie.name})
    }
}

/// `{code, nom, code_region_academique}`, as regional documents hold it.
#[must_use]
pub fn region_regionale(region: &Region) -> Value {
    json!({"code": region.code, "nom": region.name, "code_region_academique": region.region_academie_code})
}

/// The establishments in memory, by UAI; about 200 bytes each.
#[derive(Clone, Debug, Default)]
pub struct Acce(HashMap<String, Etablissement>);

impl Acce {
    /// From stored documents.
    #[must_use]
    pub fn of<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Self {
        let mut acce = Self::default();
        documents.into_iter().for_each(|d| acce.add(d));
        acce
    }

    /// Takes a stored document.
    pub fn add(&mut self, document: &Document) {
        let Some(uai) = field(document, "numero_uai") else { return };
        let text = |name| field(document, name).map(str::to_owned);
        let nature = field(document, "nature_uai").is_some_and(|n| NATURES.contains(&n));
        let france = field(document, "pays_libe").is_some_and(|p| p.eq_ignore_ascii_case("france"));
        let etablissement = Etablissement {
            libelle: text("appellation_officielle"),
            departement: text("departement_insee_3"),
            academie: text("academie"),
            demand: nature && france,
        };
        self.0.insert(uai.to_owned(), etablissement);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An establishment.
    #[must_use]
    pub fn etablissement(&self, uai: &str) -> Option<&Etablissement> {
        self.0.get(uai)
    }

    /// An establishment and where it lies.
    ///
    /// # Errors
    /// [`Rejection::UnknownEtablissement`], [`Rejection::UnknownDepartement`], [`Rejection::UnknownAcademie`].
    pub fn locate(&self, uai: &str) -> Result<(&Etablissement, Location), Rejection> {
        let etablissement =
            self.etablissement(uai).ok_or_else(|| Rejection::UnknownEtablissement { uai: uai.to_owned() })?;
        let departement = etablissement.departement.as_deref().unwrap_or_default();
        let region = territory::region_of_departement_insee_3(departement).ok_or_else(|| {
            Rejection::UnknownDepartement { uai: uai.to_owned(), departement: departement.to_owned() }
        })?;
        let code = etablissement.academie.as_deref().unwrap_or_default();
        let (_, academie) = territory::academie(code)
            .ok_or_else(|| Rejection::UnknownAcademie { uai: uai.to_owned(), academie: code.to_owned() })?;
        Ok((etablissement, Location { region, academie }))
    }

    /// Whether statistics can be asked for an establishment: right letter, known place.
    ///
    /// # Errors
    /// [`Rejection::UaiIncorrect`], and those of [`Acce::locate`].
    pub fn verify(&self, uai: &str) -> Result<(), Rejection> {
        if !Uai::parse(uai).is_some_and(|u| u.is_check_letter()) {
            return Err(Rejection::UaiIncorrect { uai: uai.to_owned() });
        }
        self.locate(uai).map(|_| ())
    }

    /// The establishments that statistics are asked for, in order; the others of these natures
    /// are reported.
    pub fn to_ask(&self, report: &mut crate::TreatmentReport) -> Vec<&str> {
        let mut uais: Vec<&str> = self.0.iter().filter(|(_, e)| e.demand).map(|(uai, _)| uai.as_str()).collect();
        uais.sort_unstable();
        uais.retain(|uai| self.verify(uai).map_err(|rejection| report.reject(&rejection)).is_ok());
        uais
    }
}
