//! Errors of the API: which text belongs to which status.
//!
//! Each answers `{statusCode, error, message, data?, details?}` (contract, "Errors"). Bodies are part of
//! the contract, so help goes beside them: a `Link` with `rel="help"` leads to the cause and the way
//! out of this very error in the documentation ([`ApiError::anchor`]), and its `title` says what was probably meant; one
//! with `rel="search"` leads to the closest known codes.

use crate::links::WebLink;
use crate::response::{JSON, Response};
use serde_json::{Value, json};
use std::borrow::Cow;
use store::StoreError;

/// Why a request has no other answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ApiError {
    /// 400: every fault of the parameters, and what was probably meant.
    Validation(Vec<Value>, Box<str>),
    /// 400: the request itself cannot be read.
    Unreadable(&'static str),
    /// 400: what is asked for cannot be had so, told in words; of what no recorded body binds.
    Demand(Cow<'static, str>),
    /// 401 on lists, and what is wrong with the key; nothing where nobody is to be told.
    Unauthorized(&'static str),
    /// 401 on login.
    Credentials,
    /// 404 for a path that is no route.
    UnknownRoute,
    /// 404 of the data: what there is none of.
    NotFound(NotFound),
    /// 404: the place and certification are known, not the millesime.
    Millesime {
        /// As asked for, or the default.
        millesime: String,
        /// Newest first.
        available: Vec<String>,
    },
    /// 409: the call does not fit the state.
    Conflict(String),
    /// 404, 409 or 410: the generation that was asked for is not served or not known.
    Generation(u16),
    /// 413.
    TooLarge(String),
    /// 415.
    Charset,
    /// 422: the content was read and refused.
    Refused(String),
    /// 429: too many logins at once, or too many wrong ones; the seconds to wait.
    TooMany(u64),
    /// 429: more requests or exports than a re-user has; the seconds to wait.
    Limited(u64),
    /// 503: the store cannot be read.
    Unavailable,
}

/// What was asked for and is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// No national row of the code.
    Certification,
    /// Nothing found for a filieres view.
    Certifications,
    /// The code is in no nomenclature, or the place does not teach it.
    Formation,
    /// No data is published under this declared maille.
    Maille,
    /// The UAI is in no directory.
    Etablissement,
    /// No row for the code and the region.
    Data,
    /// No rate to draw.
    Drawing,
    /// No report of this id.
    Report,
    /// No run was ever opened.
    Run,
    /// No job of this id.
    Job,
    /// No user of this name.
    User,
    /// The user has no such key.
    Key,
}

impl NotFound {
    /// Everything that may be missing.
    pub const ALL: [Self; 12] = [
        Self::Certification,
        Self::Certifications,
        Self::Formation,
        Self::Maille,
        Self::Etablissement,
        Self::Data,
        Self::Drawing,
        Self::Report,
        Self::Run,
        Self::Job,
        Self::User,
        Self::Key,
    ];

    /// The message, part of the contract.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Certification => "Certification inconnue",
            Self::Certifications => "Certifications inconnues",
            Self::Formation => "Formation inconnue",
            Self::Maille => "Maille inconnue",
            Self::Etablissement => "Etablissement inconnu",
            Self::Data => "Pas de données disponibles",
            Self::Drawing => "Données non disponibles",
            Self::Report => "Rapport inconnu",
            Self::Run => "Aucune collecte",
            Self::Job => "Travail inconnu",
            Self::User => "Utilisateur inconnu",
            Self::Key => "Clé inconnue",
        }
    }

    /// The name the former service gives it inside a document (final years).
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Certification | Self::Certifications => Some("ErrorCertificationNotFound"),
            Self::Formation => Some("ErrorFormationNotExist"),
            Self::Etablissement => Some("ErrorEtablissementNotExist"),
            Self::Data => Some("ErrorRegionaleNotFound"),
            Self::Maille | Self::Drawing | Self::Report | Self::Run | Self::Job | Self::User | Self::Key => None,
        }
    }

    /// Its place on the page of errors of the documentation.
    #[must_use]
    pub fn anchor(self) -> &'static str {
        match self {
            Self::Certification | Self::Certifications => "certification-inconnue",
            Self::Formation => "formation-inconnue",
            Self::Etablissement => "etablissement-inconnu",
            Self::Maille => "maille-inconnue",
            Self::Drawing => "donnees-non-disponibles",
            Self::Data | Self::Report | Self::Run | Self::Job | Self::User | Self::Key => "pas-de-donnees",
        }
    }
}

/// An error that says what helps in its body too: of routes that no recorded body binds.
#[must_use]
pub fn helped(status: u16, message: &str, help: &str, anchor: &str) -> Response {
    let title = match status {
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        _ => "Service Unavailable",
    };
    let body = json!({"statusCode": status, "error": title, "message": message, "aide": help});
    let response = Response::json(status, &body).link(WebLink::help(anchor));
    if status == 503 { response.with("retry-after", "10") } else { response }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        // The reason is for the log; it names keys, never values.
        eprintln!("store: {error}");
        match error {
            // Sending the same again would change nothing.
            StoreError::TooLarge(..) | StoreError::Invalid { .. } => Self::TooLarge(error.reason().unwrap_or_default()),
            StoreError::Unavailable(_)
            | StoreError::Damaged(_)
            | StoreError::OtherLayout { .. }
            | StoreError::Empty => Self::Unavailable,
        }
    }
}

impl ApiError {
    /// The name the former service gives this error inside a document (final years).
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Self::Millesime { .. } => Some("ErrorNoDataForMillesime"),
            Self::NotFound(what) => what.name(),
            _ => None,
        }
    }

    /// Its place on the page of errors of the documentation.
    #[must_use]
    pub fn anchor(&self) -> &'static str {
        match self {
            Self::Validation(..) => "validation",
            Self::Unreadable(_) => "illisible",
            Self::Demand(_) => "demande",
            Self::Unauthorized(_) => "non-autorise",
            Self::Credentials => "identifiants",
            Self::UnknownRoute => "route-inconnue",
            Self::NotFound(what) => what.anchor(),
            Self::Millesime { .. } => "millesime",
            Self::Conflict(_) | Self::Refused(_) => "import",
            Self::Generation(_) => "generation",
            Self::TooLarge(_) => "trop-grand",
            Self::Charset => "jeu-de-caracteres",
            Self::TooMany(_) => "trop-de-connexions",
            Self::Limited(_) => "limite",
            Self::Unavailable => "indisponible",
        }
    }

    /// Its answer.
    #[must_use]
    pub fn response(&self) -> Response {
        let (status, title, message) = match self {
            Self::Validation(..) => (400, "Bad Request", "Erreur de validation"),
            Self::Unreadable(text) => (400, "Bad Request", *text),
            Self::Demand(text) => (400, "Bad Request", text.as_ref()),
            Self::Unauthorized(_) => (401, "Unauthorized", "Not authorized"),
            Self::Credentials => (401, "Unauthorized", "Votre nom d'utilisateur ou votre mot de passe est invalide"),
            Self::UnknownRoute => (404, "Not Found", "Not Found"),
            Self::NotFound(what) => (404, "Not Found", what.message()),
            Self::Millesime { .. } => (404, "Not Found", "Pas de données pour le millésime"),
            Self::Conflict(text) => (409, "Conflict", text.as_str()),
            Self::Generation(status) => {
                let title = match status {
                    404 => "Not Found",
                    409 => "Conflict",
                    _ => "Gone",
                };
                (*status, title, "Cette génération n'est pas, ou plus, servie : tout reprendre depuis le début")
            }
            Self::TooLarge(text) => (413, "Request Entity Too Large", text.as_str()),
            Self::Charset => (415, "Unsupported Media Type", "Jeu de caractères non pris en charge : utiliser utf-8"),
            Self::Refused(text) => (422, "Unprocessable Entity", text.as_str()),
            Self::TooMany(_) => {
                (429, "Too Many Requests", "Trop de connexions, réessayez après le délai de l'en-tête Retry-After")
            }
            Self::Limited(_) => {
                (429, "Too Many Requests", "Limite atteinte, réessayez après le délai de l'en-tête Retry-After")
            }
            Self::Unavailable => (
                503,
                "Service Unavailable",
                "Les données sont momentanément indisponibles, réessayez dans quelques secondes",
            ),
        };
        let mut body = json!({"statusCode": status, "error": title, "message": message});
        let mut add = |field: &str, value: Value| {
            if let Some(object) = body.as_object_mut() {
                object.insert(field.to_owned(), value);
            }
        };
        match self {
            Self::Validation(faults, _) => add("details", faults.clone().into()),
            Self::Millesime { millesime, available } => {
                add("data", json!({"millesime": millesime, "millesimesDisponible": available}));
            }
            _ => {}
        }
        let said = match self {
            Self::Validation(_, said) => said.as_ref(),
            Self::Unauthorized(said) => said,
            _ => "",
        };
        let help = WebLink::help(self.anchor()).saying(said);
        let response = Response::new(status, JSON, body.to_string().into_bytes()).link(help);
        match self {
            Self::TooMany(seconds) | Self::Limited(seconds) => {
                response.with("retry-after", seconds.to_string()).with("cache-control", "no-store")
            }
            Self::Unavailable => response.with("retry-after", "5").with("cache-control", "no-store"),
            Self::NotFound(_) | Self::Millesime { .. } => response.with("cache-control", "public, max-age=60"),
            _ => response.with("cache-control", "no-store"),
        }
    }
}
