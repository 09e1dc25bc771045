//! The catalogue of apprenticeships: who trains, where, on whose account.

use crate::rejection::Rejection;
use crate::text::field;
use domain::Document;
use domain::date::read_iso;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Fields that documents keep as they are.
const FIELDS: [&str; 28] = [
    "cfd",
    "cfd_outdated",
    "code_commune_insee",
    "code_postal",
    "diplome",
    "etablissement_formateur_enseigne",
    "etablissement_formateur_entreprise_raison_sociale",
    "etablissement_formateur_siren",
    "etablissement_formateur_siret",
    "etablissement_formateur_uai",
    "etablissement_gestionnaire_enseigne",
    "etablissement_gestionnaire_entreprise_raison_sociale",
    "etablissement_gestionnaire_siren",
    "etablissement_gestionnaire_siret",
    "etablissement_gestionnaire_uai",
    "etablissement_reference",
    "intitule_court",
    "intitule_long",
    "libelle_court",
    "localite",
    "niveau",
    "nom_academie",
    "nom_departement",
    "num_academie",
    "num_departement",
    "region",
    "uai_formation",
    "bcn_mefs_10",
];

/// What the matching of catalogues reads beside them, and the former service did not keep.
pub const FOR_MATCHING: [&str; 3] = [KEYS_OF_PARCOURSUP[0], KEYS_OF_PARCOURSUP[1], "rncp_code"];

/// By what a row is found from a row of Parcoursup's catalogue: its ID_RCO, and its key itself.
const KEYS_OF_PARCOURSUP: [&str; 2] = ["cle_ministere_educatif", "parcoursup_id"];

/// The `catalogue` document of a row of the service.
///
/// # Errors
/// [`Rejection::MissingField`] without an identifier.
pub fn catalogue(row: &Document) -> Result<Document, Rejection> {
    let id = field(row, "_id").or_else(|| field(row, "id")).ok_or(Rejection::MissingField { field: "_id" })?;
    let mut document = Document::new();
    document.insert("id".to_owned(), json!({"$oid": id}));
    for name in FIELDS.into_iter().chain(KEYS_OF_PARCOURSUP) {
        if let Some(value) = row.get(name).filter(|v| !v.is_null()) {
            document.insert(name.to_owned(), value.clone());
        }
    }
    // Where a row can be found so, the matching also asks which entry of the national directory it leads to.
    if KEYS_OF_PARCOURSUP.iter().any(|name| document.contains_key(*name))
        && let Some(code) = field(row, "rncp_code")
    {
        document.insert("rncp_code".to_owned(), code.into());
    }
    for name in ["etablissement_formateur_id", "etablissement_gestionnaire_id"] {
        if let Some(id) = field(row, name) {
            document.insert(name.to_owned(), json!({"$oid": id}));
        }
    }
    if let Some(instant) = field(row, "cfd_date_fermeture").and_then(read_iso) {
        document.insert("cfd_date_fermeture".to_owned(), crate::text::date_value(instant));
    }
    if let Some(Value::Array(mefs)) = document.get_mut("bcn_mefs_10") {
        for mef in mefs {
            if let Value::Object(mef) = mef {
                mef.retain(|name, _| name == "mef10" || name == "modalite");
            }
        }
    }
    Ok(document)
}

/// A UAI of the catalogue, as its rank: rows take twelve bytes.
pub(crate) type UaiRank = u32;

/// The establishments of one apprenticeship. `None` where the catalogue does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CatalogueRow {
    pub(crate) place: Option<UaiRank>,
    pub(crate) formateur: Option<UaiRank>,
    pub(crate) gestionnaire: Option<UaiRank>,
}

/// The catalogue in memory, by CFD.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    uais: Vec<String>,
    ranks: HashMap<String, UaiRank>,
    by_cfd: HashMap<String, Vec<CatalogueRow>>,
}

impl Catalogue {
    /// From stored documents.
    #[must_use]
    pub fn of<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Self {
        let mut catalogue = Self::default();
        documents.into_iter().for_each(|d| catalogue.add(d));
        catalogue
    }

    /// Takes a stored document. Without a CFD it says nothing about any certification.
    pub fn add(&mut self, document: &Document) {
        let Some(cfd) = field(document, "cfd") else { return };
        let mut rank = |name| field(document, name).and_then(|uai| self.note(uai));
        let row = CatalogueRow {
            place: rank("uai_formation"),
            formateur: rank("etablissement_formateur_uai"),
            gestionnaire: rank("etablissement_gestionnaire_uai"),
        };
        self.by_cfd.entry(cfd.to_owned()).or_default().push(row);
    }

    fn note(&mut self, uai: &str) -> Option<UaiRank> {
        if let Some(rank) = self.ranks.get(uai) {
            return Some(*rank);
        }
        let rank = UaiRank::try_from(self.uais.len()).ok()?;
        self.uais.push(uai.to_owned());
        self.ranks.insert(uai.to_owned(), rank);
        Some(rank)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_cfd.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_cfd.is_empty()
    }

    pub(crate) fn rank(&self, uai: &str) -> Option<UaiRank> {
        self.ranks.get(uai).copied()
    }

    pub(crate) fn uai(&self, rank: UaiRank) -> &str {
        usize::try_from(rank).ok().and_then(|r| self.uais.get(r)).map_or("", String::as_str)
    }

    pub(crate) fn rows(&self, cfd: &str) -> &[CatalogueRow] {
        self.by_cfd.get(cfd).map_or(&[], Vec::as_slice)
    }
}
