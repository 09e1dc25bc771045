//! The only crate that knows spin-sdk
