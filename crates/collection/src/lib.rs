//! The pull: asks the statistical services, keeps their raw answers, treats them, and hands the
//! documents to the publication.
//!
//! ```text
//! collecter      calls of each lot → raw answers, staged           (calls, staged)
//! nomenclature   tables of the BCN → treatments 1 to 4 → parts      (nomenclature)
//! etablissements ACCE → parts                                       (nomenclature)
//! catalogue      rows of the catalogue → parts                      (nomenclature)
//! liens          Certif Info, Onisep, mothers → parts               (links)
//! statistiques   answers, one at a time → treatment 5 → groups      (statistics)
//! grouper        groups of codes → treatments 6 to 8 → parts        (groups)
//! remettre       the parts → a publication like that of any push
//! ```
//!
//! A run is a list of bounded steps. What a step did counts once the record says so
//! ([`Run`], swapped at the end of each call under the lease of the publication), so a run
//! killed anywhere and taken up again ends in the same documents. Raw answers outlive their run
//! ([`staged::StagedLots`]): the treatments can run again without a call, and a run that asks one
//! source or one millésime takes the others from there. An answer takes the place of an older one
//! only once its whole lot is there.
//!
//! Nothing of a raw answer reaches readers: groups under the publication threshold are in it.

mod calls;
mod context;
mod demand;
mod groups;
mod links;
mod lookups;
mod nomenclature;
mod record;
mod release;
mod report;
mod run;
pub mod staged;
mod state;
mod statistics;
mod stepper;

pub use demand::{Configuration, Demand, Lot, Millesimes};
pub use record::{Run, RunStep};
pub use release::{known_prefixes, settle};
pub use report::{Coverages, FailedCall, RunReport, SourceReport};
pub use run::{DURATION_MAX_MS, advance, give_up, open, report, status};
