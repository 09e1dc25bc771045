//! What an internal route cannot do, and how the caller is told.

use api::VariableFault;
use api::error::{ApiError, NotFound};
use publication::{PublicationError, StagingError};
use store::StoreError;

/// Why an internal route does not do what it was asked for. Texts are French: operators read them.
#[derive(Debug)]
pub enum AdminError {
    /// The secret is missing or wrong.
    Unauthorized,
    /// No such route.
    UnknownRoute,
    /// No such job, account, key or report.
    NotFound(NotFound),
    /// The request cannot be done as it is: the text says what to send instead.
    Refused(String),
    /// The body did not arrive as it was announced: to be sent again.
    Unreadable(&'static str),
    /// Something else is under way: the text says what, and when to try again.
    Conflict(String),
    /// What was sent is over a bound: the text names it.
    TooLarge(String),
    /// Try again later.
    Unavailable,
    /// The component that pulls does not answer: nothing of the import's own is the matter.
    NoAnswer,
    /// What the read contract says of a request.
    Api(ApiError),
}

impl From<ApiError> for AdminError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<VariableFault> for AdminError {
    fn from(fault: VariableFault) -> Self {
        Self::Api(fault.into())
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        Self::Api(error.into())
    }
}

impl From<PublicationError> for AdminError {
    fn from(error: PublicationError) -> Self {
        match error {
            PublicationError::UnknownJob(_) => Self::NotFound(NotFound::Job),
            PublicationError::Busy { .. } | PublicationError::Overtaken => Self::Conflict(error.to_string()),
            PublicationError::Refused(text) => Self::Refused(text),
            PublicationError::Store(error) => error.into(),
        }
    }
}

impl From<StagingError> for AdminError {
    fn from(error: StagingError) -> Self {
        match error {
            StagingError::PartTooLarge | StagingError::LineTooLong(_) => Self::TooLarge(error.to_string()),
            StagingError::PartMissing(_) => Self::Conflict(error.to_string()),
            StagingError::PartNumber => Self::Refused(error.to_string()),
            StagingError::Store(error) => error.into(),
        }
    }
}

impl From<AdminError> for ApiError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Unauthorized => Self::Unauthorized(""),
            AdminError::UnknownRoute => Self::UnknownRoute,
            AdminError::NotFound(what) => Self::NotFound(what),
            AdminError::Refused(text) => Self::Refused(text),
            AdminError::Unreadable(text) => Self::Unreadable(text),
            AdminError::Conflict(text) => Self::Conflict(text),
            AdminError::TooLarge(text) => Self::TooLarge(text),
            AdminError::Unavailable | AdminError::NoAnswer => Self::Unavailable,
            AdminError::Api(error) => error,
        }
    }
}
