//! The catalogue of apprenticeships: who trains, where, on whose account.

use crate::rejet::Rejet;
use crate::texte::champ;
use domain::Document;
use domain::date::lire_iso;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Fields that documents keep as they are.
const CHAMPS: [&str; 28] = [
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

/// The `catalogue` document of a row of the service.
///
/// # Errors
/// [`Rejet::ChampManquant`] without an identifier.
pub fn catalogue(ligne: &Document) -> Result<Document, Rejet> {
    let id = champ(ligne, "_id").or_else(|| champ(ligne, "id")).ok_or(Rejet::ChampManquant { champ: "_id" })?;
    let mut document = Document::new();
    document.insert("id".to_owned(), json!({"$oid": id}));
    for nom in CHAMPS {
        if let Some(valeur) = ligne.get(nom).filter(|v| !v.is_null()) {
            document.insert(nom.to_owned(), valeur.clone());
        }
    }
    for nom in ["etablissement_formateur_id", "etablissement_gestionnaire_id"] {
        if let Some(id) = champ(ligne, nom) {
            document.insert(nom.to_owned(), json!({"$oid": id}));
        }
    }
    if let Some(instant) = champ(ligne, "cfd_date_fermeture").and_then(lire_iso) {
        document.insert("cfd_date_fermeture".to_owned(), crate::texte::valeur_date(instant));
    }
    if let Some(Value::Array(mefs)) = document.get_mut("bcn_mefs_10") {
        for mef in mefs {
            if let Value::Object(mef) = mef {
                mef.retain(|nom, _| nom == "mef10" || nom == "modalite");
            }
        }
    }
    Ok(document)
}

/// A UAI of the catalogue, as its rank: rows take twelve bytes.
pub(crate) type Rang = u32;

/// The establishments of one apprenticeship. `None` where the catalogue does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LigneCatalogue {
    pub(crate) lieu: Option<Rang>,
    pub(crate) formateur: Option<Rang>,
    pub(crate) gestionnaire: Option<Rang>,
}

/// The catalogue in memory, by CFD.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    uais: Vec<String>,
    rangs: HashMap<String, Rang>,
    par_cfd: HashMap<String, Vec<LigneCatalogue>>,
}

impl Catalogue {
    /// From stored documents.
    #[must_use]
    pub fn de<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Self {
        let mut catalogue = Self::default();
        documents.into_iter().for_each(|d| catalogue.ajouter(d));
        catalogue
    }

    /// Takes a stored document. Without a CFD it says nothing about any certification.
    pub fn ajouter(&mut self, document: &Document) {
        let Some(cfd) = champ(document, "cfd") else { return };
        let mut rang = |nom| champ(document, nom).and_then(|uai| self.noter(uai));
        let ligne = LigneCatalogue {
            lieu: rang("uai_formation"),
            formateur: rang("etablissement_formateur_uai"),
            gestionnaire: rang("etablissement_gestionnaire_uai"),
        };
        self.par_cfd.entry(cfd.to_owned()).or_default().push(ligne);
    }

    fn noter(&mut self, uai: &str) -> Option<Rang> {
        if let Some(rang) = self.rangs.get(uai) {
            return Some(*rang);
        }
        let rang = Rang::try_from(self.uais.len()).ok()?;
        self.uais.push(uai.to_owned());
        self.rangs.insert(uai.to_owned(), rang);
        Some(rang)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.par_cfd.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.par_cfd.is_empty()
    }

    pub(crate) fn rang(&self, uai: &str) -> Option<Rang> {
        self.rangs.get(uai).copied()
    }

    pub(crate) fn uai(&self, rang: Rang) -> &str {
        usize::try_from(rang).ok().and_then(|r| self.uais.get(r)).map_or("", String::as_str)
    }

    pub(crate) fn lignes(&self, cfd: &str) -> &[LigneCatalogue] {
        self.par_cfd.get(cfd).map_or(&[], Vec::as_slice)
    }
}
