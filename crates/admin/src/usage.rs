//! What is brought for everyone to see, beside publications: the public sum of usage, which `scripts/usage` brings from logs
//! and the status page shows, and the calendar of publications.
//!
//! What may lie there is as strict as what may be shown: whole months, four kinds that need no key, whole thousands. So a
//! mistake of whoever sends it shows nobody.

use crate::call::json_of_body;
use crate::error::AdminError;
use crate::runtime::ImportRuntime;
use api::{Request, Response};
use domain::calendar::Calendar;
use serde::{Deserialize, Serialize};
use store::kv::{KeyValue, KeyValueWrite, to_json, to_value};
use store::public_record::open_shown;
use store::{frame, keys};

/// Months that are kept.
const MONTHS_MAX: usize = 24;
/// What numbers are rounded down to.
const ROUNDED_TO: u64 = 1_000;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Usage {
    mois: Vec<Month>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Month {
    mois: String,
    documents: u64,
    images: u64,
    recherche: u64,
    pages: u64,
}

impl Month {
    fn is_public(&self) -> bool {
        let is_month = matches!(self.mois.as_bytes(), [year @ .., b'-', a, b]
            if year.len() == 4 && year.iter().chain([a, b]).all(u8::is_ascii_digit));
        is_month
            && [self.documents, self.images, self.recherche, self.pages]
                .iter()
                .all(|count| count.is_multiple_of(ROUNDED_TO))
    }
}

pub(crate) async fn handle<M: ImportRuntime>(runtime: &M, request: &Request) -> Result<Response, AdminError> {
    let kv = runtime.kv();
    if request.method == "GET" {
        let stored = kv.get(keys::USAGE).await?.map(|value| open_shown(keys::USAGE, &value)).transpose()?;
        let usage: Usage = stored.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        return Ok(Response::json(200, &to_value("usage", &usage)?));
    }
    let usage: Usage = json_of_body(request)?;
    if usage.mois.len() > MONTHS_MAX || !usage.mois.iter().all(Month::is_public) {
        return Err(AdminError::Refused(format!(
            "mois : {MONTHS_MAX} au plus, écrits 2026-11, et des nombres entiers de milliers"
        )));
    }
    kv.set(keys::USAGE, frame::seal(keys::USAGE, to_json(keys::USAGE, &usage)?)).await?;
    Ok(Response::json(200, &to_value("usage", &usage)?))
}

/// When publications are expected: a small document of its own, which needs no publication.
pub(crate) async fn calendar<M: ImportRuntime>(runtime: &M, request: &Request) -> Result<Response, AdminError> {
    let calendar = Calendar::read(&json_of_body(request)?).map_err(AdminError::Refused)?.to_json();
    let stored = frame::seal(keys::CALENDAR, calendar.to_string().into_bytes());
    runtime.kv().set(keys::CALENDAR, stored).await?;
    Ok(Response::json(200, &calendar))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_months_in_thousands_are_public() {
        let month =
            |mois: &str, documents: u64| Month { mois: mois.into(), documents, images: 0, recherche: 0, pages: 0 };
        assert!(month("2026-11", 12_000).is_public());
        for (mois, documents) in [("2026-11", 12_001), ("2026-11-27", 0), ("novembre", 0), ("", 0), ("2026-1a", 0)] {
            assert!(!month(mois, documents).is_public(), "{mois} {documents}");
        }
        for other in [
            r#"{"mois":[],"reutilisateurs":{}}"#,
            r#"{"mois":[{"mois":"2026-11","documents":0,"images":0,"recherche":0,"pages":0,"listes":0}]}"#,
        ] {
            assert!(serde_json::from_str::<Usage>(other).is_err(), "{other}");
        }
    }
}
