//! What can go wrong with a service.

use crate::call::Service;
use outside::FetchError;

/// Errors of the clients. Each names the service and the call; none holds a secret, a header or
/// the text of an answer beyond the service's own short `msg`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The service did not answer, several times. Check its base URL, the hosts that the component
    /// may call, and whether the service is up; the call can be made again at any time.
    #[error("{service}, {call} : {fault} ({tries} essais)")]
    Network {
        /// Which service.
        service: Service,
        /// Which call.
        call: String,
        /// The last fault.
        fault: FetchError,
        /// How often it was tried.
        tries: u32,
    },
    /// The service answered with an error: 4xx means that the call is wrong, 5xx and 429 that the
    /// service is in trouble and the call can be made again later.
    #[error("{service}, {call} : statut {status}{}", message.as_deref().map(|m| format!(" ({m})")).unwrap_or_default())]
    Status {
        /// Which service.
        service: Service,
        /// Which call.
        call: String,
        /// The HTTP status.
        status: u16,
        /// The service's own `msg`, cleared of secrets and cut.
        message: Option<String>,
    },
    /// The service asks to wait longer than a step may. Make the call again after that time.
    #[error("{service}, {call} : demande d'attendre {seconds} s")]
    Wait {
        /// Which service.
        service: Service,
        /// Which call.
        call: String,
        /// How long, in seconds.
        seconds: u64,
    },
    /// The service does not accept our credentials. Check the variables of this service.
    #[error("{service}, {call} : connexion refusée, statut {status} : vérifier les identifiants")]
    Login {
        /// Which service.
        service: Service,
        /// Which call.
        call: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is no JSON, or ends too early. Make the call again; if it stays, tell the service.
    #[error("{service}, {call} : la réponse est illisible : {reason}")]
    Answer {
        /// Which service.
        service: Service,
        /// Which call.
        call: String,
        /// What is wrong, without quoting the answer.
        reason: String,
    },
    /// A field that the documents need is not there: the service changed its answer. The schema of
    /// this crate, and the treatment that reads the field, have to follow.
    #[error("{service}, {call} : le champ {field} manque, dont les documents ont besoin")]
    MissingField {
        /// Which service.
        service: Service,
        /// Which call.
        call: String,
        /// The field.
        field: String,
    },
    /// A variable of this service is not set: its calls cannot be made.
    #[error("{service} : la variable {variable} n'est pas renseignée")]
    NotConfigured {
        /// Which service.
        service: Service,
        /// The application's variable: for a base URL, its origin; else the field of [`crate::Config`].
        variable: &'static str,
    },
    /// The raw answer could not be staged. The store's own log says why; the call can be made again.
    #[error("{service}, {call} : la réponse n'a pas pu être gardée")]
    Staging {
        /// Which service.
        service: Service,
        /// Which call.
        call: String,
    },
}

impl SourceError {
    /// Whether making the same call again, later, can succeed without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Network { .. } | Self::Wait { .. } | Self::Staging { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            Self::Login { .. } | Self::Answer { .. } | Self::MissingField { .. } | Self::NotConfigured { .. } => false,
        }
    }
}
