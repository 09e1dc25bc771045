//! Faults on demand: rules, each asked in turn at every request; the first that applies decides.

use domain::Document;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The faults in force.
///
/// As JSON: `{"rules": [{"service": "bcn", "path": "N_MEF", "skip": 1, "times": 2, "effect": {"status": {"code": 503}}}]}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// The rules; none means healthy services.
    pub rules: Vec<Fault>,
}

/// One fault: where it applies, and what happens there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Only this service, by its name in `sources`.
    pub service: Option<String>,
    /// Only paths that hold this text, `*` standing for anything. The path is the service's own, query included.
    pub path: Option<String>,
    /// This many requests that match pass first.
    pub skip: u64,
    /// At most this many requests are struck.
    pub times: Option<u64>,
    /// What happens.
    pub effect: Effect,
}

impl Fault {
    /// A fault of a service, at every request whose path holds a text.
    #[must_use]
    pub fn of(service: &str, path: &str, effect: Effect) -> Self {
        Self { service: Some(service.to_owned()), path: Some(path.to_owned()), effect, ..Self::default() }
    }

    /// At most this many times.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// After this many requests.
    #[must_use]
    pub fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    fn covers(&self, service: &str, path: &str) -> bool {
        self.service.as_deref().is_none_or(|only| only == service)
            && self.path.as_deref().is_none_or(|pattern| holds(path, pattern))
    }
}

/// Whether a text holds the pieces of a pattern, in their order.
fn holds(text: &str, pattern: &str) -> bool {
    let mut rest = text;
    pattern.split('*').all(|piece| match rest.split_once(piece) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// Another status, and a `msg` that says so.
    Status {
        /// The status.
        code: u16,
        /// `Retry-After`, in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
        /// `Retry-After` as the date that many seconds ahead.
        #[serde(default)]
        as_date: bool,
    },
    /// Every session of the service ends: 401 until the next login.
    Expire,
    /// The head of the answer comes after this many milliseconds.
    SlowHead(u64),
    /// The body comes in pieces of so many bytes, with a pause before each.
    SlowBody {
        /// Bytes of a piece.
        bytes: usize,
        /// Milliseconds of a pause.
        pause: u64,
    },
    /// More bytes are announced than are sent: the connection closes after this many.
    Cut(usize),
    /// The connection closes without an answer.
    Drop,
    /// Rows lack this field (the ACCE file: this column).
    WithoutField(String),
    /// The rows lie under another name, or in an object instead of a list.
    WithoutRows,
    /// A page of HTML with status 200.
    NotJson,
    /// The answer is a JSON string that holds the JSON text: to be accepted.
    JsonInJson,
    /// Status 200, and nothing.
    Empty,
    /// No rows.
    NoRows,
    /// Rows have a field that nobody knows.
    UnknownField(String),
    /// InserJeunes: a measure that nobody knows, once for each answer.
    UnknownMeasure(String),
}

impl Default for Effect {
    /// The service is down.
    fn default() -> Self {
        Self::Status { code: 503, retry_after: None, as_date: false }
    }
}

impl Effect {
    /// Another status.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None, as_date: false }
    }

    /// What becomes of the rows of an answer, one at a time; none: it is left out.
    pub(crate) fn row(&self, mut row: Document) -> Option<Document> {
        match self {
            Self::WithoutField(name) => {
                row.remove(name);
            }
            Self::UnknownField(name) => {
                row.insert(name.clone(), "?".into());
            }
            Self::NoRows => return None,
            _ => {}
        }
        Some(row)
    }

    /// A row before all others.
    pub(crate) fn extra(&self) -> Option<Document> {
        let Self::UnknownMeasure(name) = self else { return None };
        let row = json!({"id_mesure": name, "valeur_mesure": 1, "filiere": "apprentissage",
            "dimensions": [{"id_formation_apprentissage": "00000000"}]});
        match row {
            Value::Object(row) => Some(row),
            _ => None,
        }
    }
}

/// The rules with what they have seen.
#[derive(Debug, Default)]
pub(crate) struct Board(Vec<(Fault, u64)>);

impl Board {
    pub(crate) fn set(&mut self, faults: Faults) {
        self.0 = faults.rules.into_iter().map(|rule| (rule, 0)).collect();
    }

    pub(crate) fn strike(&mut self, service: &str, path: &str) -> Option<Effect> {
        self.0.iter_mut().filter(|(rule, _)| rule.covers(service, path)).find_map(|(rule, seen)| {
            let struck = seen.checked_sub(rule.skip);
            *seen += 1;
            struck.filter(|struck| rule.times.is_none_or(|times| *struck < times)).map(|_| rule.effect.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_strike_where_and_when_they_say() {
        let mut board = Board::default();
        board.set(Faults { rules: vec![Fault::of("bcn", "/nomen*N_MEF", Effect::Empty).after(1).times(2)] });
        let struck: Vec<bool> = (0..5).map(|_| board.strike("bcn", "/nomenclature/N_MEF?x").is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert_eq!(board.strike("bcn", "/nomenclature/N_LIEN"), None);
        assert_eq!(board.strike("acce", "/nomenclature/N_MEF"), None);
    }

    #[test]
    fn faults_are_json() {
        let text = r#"{"rules": [{"service": "bcn", "times": 1, "effect": {"status": {"code": 429, "retry_after": 2}}},
            {"effect": "drop"}, {"effect": {"slow_body": {"bytes": 10, "pause": 5}}}, {"path": "/login"}]}"#;
        let faults: Faults = serde_json::from_str(text).unwrap();
        assert_eq!(faults.rules.len(), 4);
        assert_eq!(faults.rules[3].effect, Effect::status(503));
        assert!(serde_json::from_str::<Faults>(r#"{"rules": [{"servce": "bcn"}]}"#).is_err());
    }
}
