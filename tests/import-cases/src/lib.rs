//! Plays recorded cases of the import: `before` and `upstream` → a step → `after`.
//!
//! A case is data ([`Case`]). Its `before` becomes the stored documents ([`state::State`]), its
//! `upstream` a network that answers as recorded ([`network::Network`]); the step
//! ([`steps::play`]) calls the same clients and treatments that the import component calls, and
//! what is stored then is compared with `after` ([`compare`]). Where this service differs from the
//! former one on purpose, the case says so and something else must be stored ([`deviation`]).
//!
//! [`real`] reads the published tables of the services and turns them into raw answers, for tests
//! and measurements of the whole chain.

pub mod case;
pub mod chain;
pub mod compare;
pub mod deviation;
pub mod network;
pub mod state;
pub mod steps;

pub use case::{Case, load};
pub use cases::Verdict;
pub use services::tables as real;

/// Plays a case and compares.
#[must_use]
pub fn play(case: &Case) -> Verdict {
    let mut state = state::State::of(&case.before);
    let result = futures_executor::block_on(steps::play(case, &mut state));
    let mut differences = match deviation::expected(case) {
        Ok(after) => compare::states(&after, &state.collections()),
        Err(unknown) => vec![format!("the mark {unknown} is not known")],
    };
    match (&case.thrown, result) {
        (None, Err(error)) => differences.push(format!("the step failed: {error}")),
        (Some(expected), Ok(())) => differences.push(format!("expected the step to fail: {expected}")),
        (Some(expected), Err(error)) if !expected.is_empty() && *expected != error.to_string() => {
            differences.push(format!("expected failure: {expected}\n  found: {error}"));
        }
        _ => {}
    }
    Verdict::of(differences)
}
