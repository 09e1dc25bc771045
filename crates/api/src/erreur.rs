//! Errors of the API: which text belongs to which status.
//!
//! Each answers `{statusCode, error, message, data?, details?}` (contract, "Errors"). Bodies are part of
//! the contract, so help goes beside them: a `Link` with `rel="help"` leads to the cause and the way
//! out of this very error in the documentation ([`Erreur::ancre`]), one with `rel="search"` to the
//! closest known codes.

use crate::reponse::{JSON, Reponse};
use serde_json::{Value, json};
use store::StoreError;

/// Why a request has no other answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Erreur {
    /// 400: every fault of the parameters.
    Validation(Vec<Value>),
    /// 400: the request itself cannot be read.
    Illisible(&'static str),
    /// 401 on lists.
    NonAutorise,
    /// 401 on login.
    Identifiants,
    /// 404 for a path that is no route.
    RouteInconnue,
    /// 404 of the data, one text each.
    Introuvable(&'static str),
    /// 404: the place and certification are known, not the millesime.
    Millesime {
        /// As asked for, or the default.
        millesime: String,
        /// Newest first.
        disponibles: Vec<String>,
    },
    /// 409: the call does not fit the state.
    Conflit(String),
    /// 413.
    TropGrand(String),
    /// 415.
    Jeu,
    /// 422: the content was read and refused.
    Refuse(String),
    /// 503: the store cannot be read.
    Indisponible,
}

/// No national row of the code.
pub const CERTIFICATION_INCONNUE: Erreur = Erreur::Introuvable("Certification inconnue");
/// Nothing found for a filieres view.
pub const CERTIFICATIONS_INCONNUES: Erreur = Erreur::Introuvable("Certifications inconnues");
/// The code is in no nomenclature, or the place does not teach it.
pub const FORMATION_INCONNUE: Erreur = Erreur::Introuvable("Formation inconnue");
/// No data is published under this declared maille.
pub const MAILLE_INCONNUE: Erreur = Erreur::Introuvable("Maille inconnue");
/// The UAI is in no directory.
pub const ETABLISSEMENT_INCONNU: Erreur = Erreur::Introuvable("Etablissement inconnu");
/// No row for the code and the region.
pub const PAS_DE_DONNEES: Erreur = Erreur::Introuvable("Pas de données disponibles");
/// No rate to draw.
pub const DONNEES_NON_DISPONIBLES: Erreur = Erreur::Introuvable("Données non disponibles");

impl From<StoreError> for Erreur {
    fn from(erreur: StoreError) -> Self {
        // The reason is for the log; it names keys, never values.
        eprintln!("store: {erreur}");
        match erreur {
            // Sending the same again would change nothing.
            StoreError::TooLarge(..) | StoreError::Invalid { .. } => Self::TropGrand(erreur.raison().unwrap_or_default()),
            StoreError::Unavailable(_)
            | StoreError::Damaged(_)
            | StoreError::OtherLayout { .. }
            | StoreError::Empty => Self::Indisponible,
        }
    }
}

impl Erreur {
    /// The name the former service gives this error inside a document (final years).
    #[must_use]
    pub fn nom(&self) -> Option<&'static str> {
        match self {
            Self::Millesime { .. } => Some("ErrorNoDataForMillesime"),
            Self::Introuvable(texte) => match *texte {
                "Certification inconnue" | "Certifications inconnues" => Some("ErrorCertificationNotFound"),
                "Formation inconnue" => Some("ErrorFormationNotExist"),
                "Etablissement inconnu" => Some("ErrorEtablissementNotExist"),
                "Pas de données disponibles" => Some("ErrorRegionaleNotFound"),
                _ => None,
            },
            _ => None,
        }
    }

    /// Its place on the page of errors of the documentation.
    #[must_use]
    pub fn ancre(&self) -> &'static str {
        match self {
            Self::Validation(_) => "validation",
            Self::Illisible(_) => "illisible",
            Self::NonAutorise => "non-autorise",
            Self::Identifiants => "identifiants",
            Self::RouteInconnue => "route-inconnue",
            Self::Introuvable(texte) => match *texte {
                "Certification inconnue" | "Certifications inconnues" => "certification-inconnue",
                "Formation inconnue" => "formation-inconnue",
                "Etablissement inconnu" => "etablissement-inconnu",
                "Maille inconnue" => "maille-inconnue",
                "Données non disponibles" => "donnees-non-disponibles",
                _ => "pas-de-donnees",
            },
            Self::Millesime { .. } => "millesime",
            Self::Conflit(_) | Self::Refuse(_) => "import",
            Self::TropGrand(_) => "trop-grand",
            Self::Jeu => "jeu-de-caracteres",
            Self::Indisponible => "indisponible",
        }
    }

    /// Its answer.
    #[must_use]
    pub fn reponse(&self) -> Reponse {
        let (statut, titre, message) = match self {
            Self::Validation(_) => (400, "Bad Request", "Erreur de validation"),
            Self::Illisible(texte) => (400, "Bad Request", *texte),
            Self::NonAutorise => (401, "Unauthorized", "Not authorized"),
            Self::Identifiants => (401, "Unauthorized", "Votre nom d'utilisateur ou votre mot de passe est invalide"),
            Self::RouteInconnue => (404, "Not Found", "Not Found"),
            Self::Introuvable(texte) => (404, "Not Found", *texte),
            Self::Millesime { .. } => (404, "Not Found", "Pas de données pour le millésime"),
            Self::Conflit(texte) => (409, "Conflict", texte.as_str()),
            Self::TropGrand(texte) => (413, "Request Entity Too Large", texte.as_str()),
            Self::Jeu => (415, "Unsupported Media Type", "Jeu de caractères non pris en charge : utiliser utf-8"),
            Self::Refuse(texte) => (422, "Unprocessable Entity", texte.as_str()),
            Self::Indisponible => (
                503,
                "Service Unavailable",
                "Les données sont momentanément indisponibles, réessayez dans quelques secondes",
            ),
        };
        let mut corps = json!({"statusCode": statut, "error": titre, "message": message});
        let mut ajouter = |champ: &str, valeur: Value| {
            if let Some(objet) = corps.as_object_mut() {
                objet.insert(champ.to_owned(), valeur);
            }
        };
        match self {
            Self::Validation(fautes) => ajouter("details", fautes.clone().into()),
            Self::Millesime { millesime, disponibles } => {
                ajouter("data", json!({"millesime": millesime, "millesimesDisponible": disponibles}));
            }
            _ => {}
        }
        let reponse = Reponse::nouvelle(statut, JSON, serde_json::to_vec(&corps).unwrap_or_default())
            .avec("link", format!("</api/doc/erreurs#{}>; rel=\"help\"", self.ancre()));
        match self {
            Self::Indisponible => reponse.avec("retry-after", "5").avec("cache-control", "no-store"),
            Self::Introuvable(_) | Self::Millesime { .. } => reponse.avec("cache-control", "public, max-age=60"),
            _ => reponse.avec("cache-control", "no-store"),
        }
    }
}
