//! What can be true of a pushed document, and what cannot.
//!
//! All rules lie in one table ([`Rule::ALL`], described by [`Rule::text`]): a name, a level, a source, a remedy. A level
//! says what becomes of a document that breaks the rule: it is refused, it waits for someone to confirm it, or it is noted
//! in the report. A deployment changes levels by a variable ([`Severities`]). [`Checker`] applies the rules to one document;
//! [`columns`] looks at whole columns, [`known`] remembers which codes exist.
//!
//! Nothing here does I/O. A message repeats the value of an indicator only where its group is large enough to be published.

pub mod columns;
pub mod forms;
pub mod known;
mod levels;
mod rules;
mod statistic;
mod texts;

pub use columns::{Columns, changed_scale};
pub use forms::BodyForm;
pub use known::KnownCodes;
pub use levels::{Severities, Severity};
pub use rules::{Finding, Rule, RuleText};
pub use statistic::{Checker, ValueOrigin, no_number};
