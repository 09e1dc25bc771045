//! Nothing of its own: see `tests/budgets.rs` and the limits in `limits.tsv`.
