//! The pull, as the import sees it: which work comes next is known from the store alone, so one call advances pulls and
//! publications, one at a time. The pull itself is the work of the component [`COMPONENT`], which is asked for it.

use crate::error::AdminError;
use crate::jobs::{advance_job, keep};
use crate::runtime::ImportRuntime;
use api::Request;
use collection::{Run, RunStep};
use outside::{Body, Fetch, Method, ServiceRequest};
use publication::{Job, Registry};
use serde::Deserialize;

/// The component that pulls, as the manifest names it.
pub const COMPONENT: &str = "collecte";
/// Its name inside the application: the only host that the import may call.
pub const ORIGIN: &str = "http://collecte.spin.internal";
/// The longest answer that is read, in bytes: the record of a run is one value of the store.
const ANSWER_MAX: usize = 512 * 1024;

/// Whether a run is under way and can go on now; one that waits for a service cannot. Once it has
/// ended its publication is a job like any other; killed before its report was kept, it is kept here.
pub(crate) async fn is_ready<M: ImportRuntime>(runtime: &M) -> Result<bool, AdminError> {
    let kv = runtime.kv();
    let now = runtime.now_ms();
    let Some(run) = collection::status(&kv).await?.filter(|run| !run.step.is_final()) else {
        collection::settle(&kv, now).await?;
        return keep_ended(runtime).await.map(|()| false);
    };
    Ok(!run.waits(now))
}

/// Keeps the report of the latest run, once its publication has ended too.
async fn keep_ended<M: ImportRuntime>(runtime: &M) -> Result<(), AdminError> {
    let kv = runtime.kv();
    let Some(run) = collection::status(&kv).await? else { return Ok(()) };
    let published =
        run.step != RunStep::HandedOver || Job::status(&kv, &run.id).await.is_ok_and(|job| job.step.is_final());
    if published { keep(runtime, &run.id).await } else { Ok(()) }
}

/// Advances the run under way, then the publication of what it brought, and keeps its report once it has ended.
pub(crate) async fn advance<M: ImportRuntime>(
    runtime: &M,
    request: &Request,
    budget: u64,
) -> Result<(Run, Option<Job>), AdminError> {
    let kv = runtime.kv();
    let start = runtime.monotonic_ms();
    let run = match collection::status(&kv).await? {
        Some(run) if run.step.is_final() => run,
        _ => ask(runtime, request, budget).await?,
    };
    match run.step {
        RunStep::HandedOver => {
            keep_replaced(runtime, &kv).await?;
            let remainder = budget.saturating_sub(runtime.monotonic_ms().saturating_sub(start)).max(1);
            match advance_job(runtime, &run.id, remainder).await {
                Ok(job) => Ok((run, Some(job))),
                // Its publication was long ago: nothing of it is left but the report.
                Err(AdminError::NotFound(_)) => Ok((run, None)),
                Err(error) => Err(error),
            }
        }
        RunStep::Failed | RunStep::GivenUp => {
            keep(runtime, &run.id).await?;
            Ok((run, None))
        }
        _ => Ok((run, None)),
    }
}

/// What the component that pulls answers: a run, or why it does not advance one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answered {
    #[serde(rename = "collecte")]
    run: Option<Run>,
    message: String,
}

/// Has the run advanced, on behalf of whoever asked: with the same secret.
async fn ask<M: ImportRuntime>(runtime: &M, request: &Request, budget: u64) -> Result<Run, AdminError> {
    let call = ServiceRequest {
        method: Method::Post,
        url: format!("{ORIGIN}/internal/import/pull/run?budget_ms={budget}"),
        headers: vec![("authorization", request.header("authorization").unwrap_or_default().to_owned())],
        body: None,
    };
    let silent = |reason: &dyn std::fmt::Display| {
        // The reason is for the log: whoever asked can only try again.
        eprintln!("{COMPONENT}: {reason}");
        AdminError::NoAnswer
    };
    let mut response = runtime.fetch().fetch(&call).await.map_err(|fault| silent(&fault))?;
    let mut body = Vec::new();
    while let Some(piece) = response.body.chunk().await.map_err(|fault| silent(&fault))? {
        body.extend(piece);
        if body.len() > ANSWER_MAX {
            return Err(silent(&"an answer without end"));
        }
    }
    let answered: Answered = serde_json::from_slice(&body).map_err(|fault| silent(&fault))?;
    match (response.status, answered.run) {
        (200, Some(run)) => Ok(run),
        (409, _) => Err(AdminError::Conflict(answered.message)),
        (413, _) => Err(AdminError::TooLarge(answered.message)),
        (422, _) => Err(AdminError::Refused(answered.message)),
        (503, _) => Err(AdminError::Unavailable),
        (status, _) => Err(silent(&status)),
    }
}

/// Keeps the reports of pulls that gave way to a newer one, before the housekeeping deletes their records.
async fn keep_replaced<M: ImportRuntime>(runtime: &M, kv: &M::Kv) -> Result<(), AdminError> {
    for (id, _) in Registry::read(kv).await?.to_delete {
        if Job::status(kv, &id).await.is_ok_and(|job| job.run && job.summary.failure.is_some()) {
            keep(runtime, &id).await?;
        }
    }
    Ok(())
}
