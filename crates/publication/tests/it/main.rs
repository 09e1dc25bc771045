//! All integration tests of the crate, one program: as many programs would each compile the steps of a publication anew, which
//! are generic over the store.
#![allow(missing_docs, reason = "tests")]

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
