//! All integration tests of the crate, one program: as many programs would each compile the steps of a publication anew, which
//! are generic over the store.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test stops where it fails")]

mod adding;
mod changes;
mod common;
mod end_to_end;
mod everyday;
mod exclusion;
mod hostile;
mod more_wrong_inputs;
mod scheduler;
mod search;
mod secrecy;
mod trust;
mod update;
