//! The sample, published.
