//! Levels of diplomas, and the tables that tell them.

use crate::rejection::Rejection;
use crate::text::{field, scalar, sub_field};
use domain::Document;
use serde_json::{Value, json};
use std::collections::HashMap;

/// A level of diploma: its code in the European framework, its short label in the BCN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diplome {
    /// `3` (CAP) to `7` (master), or `0`.
    pub code: String,
    /// As in `BAC PRO`.
    pub libelle: String,
}

impl Diplome {
    pub(super) fn value(&self) -> Value {
        json!({"code": self.code, "libelle": self.libelle})
    }

    pub(super) fn read(document: &Document) -> Option<Self> {
        let read = |name| sub_field(document, "diplome", name).map(str::to_owned);
        Some(Self { code: read("code")?, libelle: read("libelle")? })
    }
}

/// The level that a former French level code became.
///
/// Rule: 5→3, 4→4, 3→5, 2→6, 1→7, 0→0; other codes have no level.
#[must_use]
pub fn level(code: &str) -> Option<&'static str> {
    match code {
        "5" => Some("3"),
        "4" => Some("4"),
        "3" => Some("5"),
        "2" => Some("6"),
        "1" => Some("7"),
        "0" => Some("0"),
        _ => None,
    }
}

/// Short labels of N_NIVEAU_FORMATION_DIPLOME, by their three characters.
#[derive(Clone, Debug, Default)]
pub struct Levels(HashMap<String, String>);

impl Levels {
    /// Takes a row.
    ///
    /// # Errors
    /// [`Rejection::MissingField`].
    pub fn add(&mut self, row: &Document) -> Result<(), Rejection> {
        let code = require(row, "niveau_formation_diplome")?;
        if let Some(libelle) = field(row, "libelle_court") {
            self.0.insert(code.to_owned(), libelle.to_owned());
        }
        Ok(())
    }

    /// The diploma of a CFD: its level by the first digit, its label by the first three characters.
    /// `None` unless both are found.
    #[must_use]
    pub fn diplome(&self, cfd: &str) -> Option<Diplome> {
        let code = level(cfd.get(..1)?)?.to_owned();
        Some(Diplome { code, libelle: self.0.get(cfd.get(..3)?)?.clone() })
    }
}

/// Types of diplomas of higher education: N_TYPE_DIPLOME_SISE.
#[derive(Clone, Debug, Default)]
pub struct SiseTypes(HashMap<String, Diplome>);

impl SiseTypes {
    /// Takes a row. A type without a level of the table has no diploma.
    ///
    /// # Errors
    /// [`Rejection::MissingField`].
    pub fn add(&mut self, row: &Document) -> Result<(), Rejection> {
        let code = require(row, "type_diplome_sise")?;
        let read = scalar(row, "niveau_interministeriel").and_then(|n| level(&n));
        if let (Some(level), Some(libelle)) = (read, field(row, "libelle_court")) {
            self.0.insert(code.to_owned(), Diplome { code: level.to_owned(), libelle: libelle.to_owned() });
        }
        Ok(())
    }

    /// The diploma of a type.
    pub(super) fn diplome(&self, code: &str) -> Option<&Diplome> {
        self.0.get(code)
    }
}

pub(super) fn require<'a>(row: &'a Document, name: &'static str) -> Result<&'a str, Rejection> {
    field(row, name).ok_or(Rejection::MissingField { field: name })
}
