//! Jobs and the reports that they leave, whichever route advances them.

use crate::error::AdminError;
use crate::reports;
use crate::runtime::{Env, ImportRuntime, indicators};
use collection::Run;
use publication::{Job, PublicationError, advance};
use serde_json::Value;

/// The latest run and its report.
pub(crate) type LatestRun = (Run, Option<Value>);

/// Advances a job, and keeps its report once it has ended.
pub(crate) async fn advance_job<M: ImportRuntime>(runtime: &M, id: &str, budget: u64) -> Result<Job, AdminError> {
    let kv = runtime.kv();
    let job = advance(&kv, &Env(runtime), id, budget, &indicators(runtime).await?).await?;
    if job.step.is_final() {
        keep(runtime, id).await?;
    } else if job.step.awaits_someone() {
        reports::note_waiting(&kv, &job).await?;
    }
    Ok(job)
}

/// The latest run and its report; `None` before the first.
pub(crate) async fn latest_run<M: ImportRuntime>(runtime: &M) -> Result<Option<LatestRun>, AdminError> {
    let kv = runtime.kv();
    let Some(run) = collection::status(&kv).await? else { return Ok(None) };
    let report = collection::report(&kv).await?;
    Ok(Some((run, report)))
}

/// Keeps the report of an ended import.
pub(crate) async fn keep<M: ImportRuntime>(runtime: &M, id: &str) -> Result<(), AdminError> {
    let kv = runtime.kv();
    let job = match Job::status(&kv, id).await {
        // A run that was given up before its first step has no job.
        Err(PublicationError::UnknownJob(_)) => {
            let mut job = Job::default();
            id.clone_into(&mut job.id);
            job
        }
        other => other?,
    };
    reports::keep(&kv, &job, latest_run(runtime).await?.as_ref()).await
}
