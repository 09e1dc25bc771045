//! Publication: from pushed documents to a generation that readers follow.
//!
//! A job stages parts ([`staging`]), then runs through bounded steps ([`steps`]):
//!
//! | step | reads | writes |
//! | --- | --- | --- |
//! | `distribute` | parts, and the sources of the generation in use | sources, cut into partitions by hash |
//! | `protect` | with `secret_secondaire` only: statistics, set of codes by set of codes | which of them are withheld |
//! | `build` | one partition at a time | bundles; rows and counts into sorting streams |
//! | `list` | one partition of rows at a time | segments, pages, plans |
//! | `count` | one partition of counts at a time | bundles of counts |
//! | `index` | one partition of labels, words or places at a time | the search index |
//! | `match` | one partition of what documents say to a catalogue at a time | what the matching looks up |
//! | `verify` | every value written | nothing: each must be whole and add up |
//! | `switch` | the pointer | the pointer, in one write |
//!
//! No step holds more than one partition (some 3 MB) and the buffers of the streams, whatever the
//! size of the data. Killed anywhere and started again, a job ends in the same bytes: what a
//! step appends lies under the fencing number of its attempt and counts only once the job's
//! record says so, and everything else is a function of what was read.

mod anomalies;
mod changes;
mod differences;
pub mod double;
mod error;
mod housekeeping;
mod job;
mod journal;
mod known_codes;
mod lines;
mod lists;
mod manifest;
mod matching_lines;
mod opening;
mod origins;
mod outlines;
mod preview;
mod rebuild;
mod record_stream;
mod registry;
mod rollback;
mod secrecy;
mod served;
mod short;
pub mod staging;
mod steps;
mod summary;
mod told;
mod trace;
mod writer;

pub use anomalies::{Anomalies, RuleTally};
pub use differences::{coverage, differences};
pub use error::PublicationError;
pub use housekeeping::clean_up;
pub use job::{CALL_MAX_MS, Job, JobStep, STAGING_MAX_MS, WAIT_MAX_MS, open, open_collection, open_in_one_call};
pub use journal::{Journal, JournalReading, Position};
pub use lines::{LineChecker, RefusedLine, ValidLine};
pub use opening::{Mode, Opening, PublicationOptions, Scope};
pub use origins::{DocumentOrigin, Origins, Push};
pub use outlines::{ChangeTally, CoverageCount, Differences, RateChange};
pub use preview::{awaiting_sign_off, preview};
pub use rebuild::LostRegistry;
pub use record_stream::{Partition, RecordStream};
pub use registry::{Generation, GenerationState, Lease, Registry, Served};
pub use rollback::roll_back;
pub use secrecy::{SecrecySettings, withheld_cells};
pub use served::walk_served;
pub use staging::{LineRefusal, PartInfo, PlausibilityRules, Staging, StagingError};
pub use steps::advance;
pub use summary::{JobSummary, Totals};
pub use trace::{Trace, Traced, trace};
pub use writer::{Writer, put_long, read_long};

use domain::Document;
use std::future::Future;
use store::kv::StoreError;

/// What a publication needs of the world around it.
pub trait Environment {
    /// Milliseconds since 1970: for leases and for what leaves the pointer.
    fn now_ms(&self) -> i64;

    /// A clock that never goes back, in milliseconds: for the length of a step.
    fn monotonic_ms(&self) -> u64;

    /// Writes an account. Accounts lie outside generations and rollback.
    fn user(&self, document: &Document) -> impl Future<Output = Result<(), StoreError>>;

    /// What the statistical offices decided to hide. It is asked once a publication.
    ///
    /// # Errors
    /// Where that cannot be known: nothing is published then.
    fn secrecy(&self) -> impl Future<Output = Result<SecrecySettings, StoreError>> {
        std::future::ready(Ok(SecrecySettings::default()))
    }

    /// How documents are checked for plausibility; `None` where they are not.
    fn plausibility(&self) -> impl Future<Output = Result<Option<PlausibilityRules>, StoreError>> {
        async { Ok(None) }
    }

    /// How many values one batch may hold: 25 where the deployment's profile allows batches.
    fn batch(&self) -> usize;
}
