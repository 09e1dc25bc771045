//! The import's own routes, under `/internal/import/`: jobs, parts, publication, and the two calls that advance whatever is under
//! way. Those of the pull ([`crate::pull`]), of accounts ([`crate::ledger`]), and those that only look something up
//! ([`crate::lookups`]) are components of their own.
//!
//! They are for operators and their programs, guarded by a bearer secret, and blocked at the
//! gateway. Messages are in French, as the operators are.

use crate::call::{BUDGET_MS, admit, announced_digest, budget, finish, json_of_body, parameter, respond};
use crate::error::AdminError;
use crate::jobs::advance_job;
use crate::runtime::{Env, ImportRuntime, indicators, new_id, plausibility};
use crate::{jobs, reports, runs};
use api::error::{ApiError, NotFound};
use api::{Request, Response};
use domain::Kind;
use plausibility::BodyForm;
use publication::{
    Job, JobStep, Mode, Opening, PublicationError, PublicationOptions, Registry, Served, Staging, clean_up, open,
    open_in_one_call, roll_back, staging,
};
use serde_json::{Value, json};
use store::kv::{StoreError, to_value};
use store::pointer::MillesimesInForce;

/// Largest body of these routes, in bytes: a part, and one byte to see that there is more.
pub const BODY_MAX: usize = staging::PART_MAX + 1;

/// Answers a request to `/internal/import/…`.
pub async fn import<M: ImportRuntime>(runtime: &M, request: Request) -> Response {
    let answer = handle(runtime, &request).await;
    finish(runtime, &request, answer).await
}

async fn handle<M: ImportRuntime>(runtime: &M, request: &Request) -> Result<Response, AdminError> {
    let segments = admit(runtime, request).await?;
    let rest: Vec<&str> = segments.iter().map(String::as_str).collect();
    let kv = runtime.kv();
    let env = Env(runtime);
    let now = runtime.now_ms();
    match (request.method.as_ref(), rest.as_slice()) {
        ("POST", ["jobs"]) => {
            let job = open(&kv, &new_id(runtime), json_of_body(request)?, now).await?;
            respond(201, &job)
        }
        ("PUT", ["jobs", id, "parts", n]) => {
            let job = Job::status(&kv, id).await?;
            if job.step != JobStep::Staging {
                return Err(AdminError::Conflict(
                    "la publication a commencé : plus aucune partie n'est acceptée".into(),
                ));
            }
            let n = n
                .parse()
                .map_err(|_| AdminError::Refused("le numéro de partie est un entier, à partir de 0".into()))?;
            verify_form(request)?;
            let staging = Staging::new(&kv, id, runtime.batch()).with_rules(plausibility(runtime).await?);
            let line = parameter(request, "premiere_ligne").and_then(|line| line.parse().ok()).unwrap_or(1);
            let staging = staging
                .with_digest(announced_digest(request))
                .from_file(&parameter(request, "fichier").unwrap_or_default(), line);
            respond(200, &staging.stage(n, &request.body, &indicators(runtime).await?).await?)
        }
        ("GET", ["jobs", id, "parts", n, "dits"]) => {
            let told = match n.parse() {
                Ok(n) => Staging::new(&kv, id, 1).told(n).await?,
                Err(_) => None,
            };
            let told = told.ok_or(AdminError::NotFound(NotFound::Job))?;
            Ok(Response::new(200, "text/csv; charset=UTF-8", told))
        }
        ("POST", ["jobs", id, "publish"]) => respond(202, &Job::publish(&kv, id, json_of_body(request)?, now).await?),
        ("POST", ["jobs", id, "run"]) => respond(200, &advance_job(runtime, id, budget(request)).await?),
        ("GET", ["jobs", id]) => respond(200, &Job::status(&kv, id).await?),
        ("DELETE", ["jobs", id]) => respond(200, &Job::give_up(&kv, id, now).await?),
        ("POST", ["documents"]) => documents(runtime, request).await,
        ("POST", ["pull", "run"]) => {
            let (run, job) = runs::advance(runtime, request, budget(request)).await?;
            Ok(Response::json(200, &json!({"collecte": run, "travail": job})))
        }
        ("POST", ["run"]) => advance_all(runtime, request, budget(request)).await,
        ("GET", ["status"]) => status(runtime).await,
        ("POST", ["rollback"]) => {
            let pointer = roll_back(&kv, &env).await?;
            reports::note_rollback(&kv, &new_id(runtime), &pointer.generation, now).await?;
            respond(200, &pointer)
        }
        _ => Err(AdminError::UnknownRoute),
    }
}

/// A body that is no lines of JSON in UTF-8 is told by name, with what to do.
fn verify_form(request: &Request) -> Result<(), AdminError> {
    match BodyForm::of(&request.body) {
        // A spoilt line is told where it stands; a mark at the beginning is no fault.
        None | Some(BodyForm::Latin1 | BodyForm::Marked) => Ok(()),
        Some(form) => Err(AdminError::Refused(form.to_string())),
    }
}

/// Everything in one call, for a body of one part: opened, staged, published, advanced.
async fn documents<M: ImportRuntime>(runtime: &M, request: &Request) -> Result<Response, AdminError> {
    let end = runtime.monotonic_ms().saturating_add(BUDGET_MS);
    let list = |name: &str| -> Vec<String> {
        let value = parameter(request, name).unwrap_or_default();
        value.split([',', '|']).filter(|v| !v.is_empty()).map(str::to_owned).collect()
    };
    let kinds: Option<Vec<Kind>> = list("kinds").iter().map(|k| Kind::parse(k)).collect();
    let mode = match parameter(request, "mode").as_deref() {
        None | Some("remplacer") => Mode::Replace,
        Some("ajouter") => Mode::Add,
        Some(_) => return Err(AdminError::Refused("mode : remplacer ou ajouter".into())),
    };
    let opening = Opening {
        mode,
        kinds: kinds.ok_or_else(|| AdminError::Refused("kinds : un nom inconnu".into()))?,
        millesimes: list("millesimes"),
        mailles: list("mailles"),
        scope: Vec::new(),
    };
    let is_true = |name: &str| parameter(request, name).as_deref() == Some("true");
    let in_force = MillesimesInForce {
        certifications: parameter(request, "certifications"),
        certifications_sup: parameter(request, "certifications_sup"),
        regionales: parameter(request, "regionales"),
        formations: parameter(request, "formations"),
        formations_sup: parameter(request, "formations_sup"),
        ..MillesimesInForce::default()
    };
    let options = PublicationOptions {
        parts: 1,
        accept_refusals: is_true("accepter_refus"),
        confirm_losses: is_true("confirmer_pertes"),
        confirm_anomalies: is_true("confirmer_anomalies"),
        confirm_in_force: is_true("confirmer_en_vigueur"),
        accept_duplicates: is_true("accepter_doublons"),
        verify_only: is_true("verifier"),
        await_sign_off: is_true("attendre_validation"),
        sign_off: false,
        millesimes: (in_force != MillesimesInForce::default()).then_some(in_force),
    };
    verify_form(request)?;
    let kv = runtime.kv();
    let now = runtime.now_ms();
    let id = new_id(runtime);
    open_in_one_call(&kv, &id, opening, now).await?;
    let published = async {
        let staging = Staging::new(&kv, &id, runtime.batch()).with_rules(plausibility(runtime).await?);
        staging.stage(0, &request.body, &indicators(runtime).await?).await?;
        Ok::<Job, AdminError>(Job::publish(&kv, &id, options, now).await?)
    };
    let mut job = match published.await {
        Ok(job) => job,
        Err(error) => {
            // Nothing of a refused call stays; where giving it up fails too, its time ends it.
            let _ = Job::give_up(&kv, &id, now).await;
            return Err(error);
        }
    };
    while !job.step.is_final() && !job.step.awaits_someone() {
        let remainder = end.saturating_sub(runtime.monotonic_ms());
        if remainder == 0 {
            return respond(202, &job);
        }
        job = advance_job(runtime, &id, remainder).await?;
    }
    respond(200, &job)
}

/// Advances the open job that is ready, else deletes a share of what nobody reads: what a
/// scheduler calls.
///
/// Whatever stops one of them for good, the others go on; what it was is in `fautes`.
async fn advance_all<M: ImportRuntime>(runtime: &M, request: &Request, budget: u64) -> Result<Response, AdminError> {
    let kv = runtime.kv();
    let end = runtime.monotonic_ms().saturating_add(budget);
    let mut faults = Vec::new();
    let respond = |mut response: Value, faults: Vec<String>| {
        if let Some(object) = response.as_object_mut().filter(|_| !faults.is_empty()) {
            object.insert("fautes".into(), faults.into());
        }
        Ok(Response::json(200, &response))
    };
    let ready = match runs::is_ready(runtime).await {
        Ok(true) => runs::advance(runtime, request, budget).await.map(Some),
        Ok(false) => Ok(None),
        Err(error) => Err(error),
    };
    match ready {
        Ok(Some((run, job))) => {
            return respond(json!({"collecte": run, "travail": job, "menage": false, "encore": true}), faults);
        }
        Ok(None) => {}
        Err(error) => faults.push(format!("collecte : {}", pass(error)?)),
    }
    for id in Registry::read(&kv).await?.jobs {
        let ahead = match Job::status(&kv, &id).await {
            Ok(job) if job.step == JobStep::Staging || job.step.awaits_someone() => continue,
            Ok(_) => advance_job(runtime, &id, budget).await,
            Err(error) => Err(error.into()),
        };
        match ahead {
            Ok(job) => return respond(json!({"travail": job, "menage": false, "encore": true}), faults),
            // One that is just being opened is not known yet.
            Err(AdminError::NotFound(_)) => {}
            Err(error) => faults.push(format!("travail {id} : {}", pass(error)?)),
        }
    }
    // Jobs that ended without a call of their own (lost, given up after a wait, replaced) have their reports kept first.
    for (id, _) in Registry::read(&kv).await?.to_delete {
        if Job::status(&kv, &id).await.is_ok_and(|job| job.summary.failure.is_some()) {
            jobs::keep(runtime, &id).await?;
        }
    }
    let mut again = true;
    while again && runtime.monotonic_ms() < end {
        again = clean_up(&kv, &Env(runtime)).await?;
    }
    respond(json!({"travail": null, "menage": true, "encore": again}), faults)
}

/// What one job could not do, for those that go on beside it; a job that someone else holds stops them too. A store that does
/// not answer is met again by what comes next.
fn pass(error: AdminError) -> Result<String, AdminError> {
    match error {
        AdminError::Unavailable | AdminError::Conflict(_) => Err(error),
        AdminError::Refused(text) | AdminError::TooLarge(text) => Ok(text),
        AdminError::NoAnswer => Ok(format!("le composant {} ne répond pas", runs::COMPONENT)),
        other => Ok(ApiError::from(other).anchor().to_owned()),
    }
}

async fn status<M: ImportRuntime>(runtime: &M) -> Result<Response, AdminError> {
    let kv = runtime.kv();
    // Whoever looks at the status of a store with an unreadable pointer must be told, not refused.
    let (pointer, unreadable) = match Served::read(&kv).await {
        Ok(served) => (served.map(|served| served.pointer), None),
        Err(fault @ (StoreError::Damaged(_) | StoreError::OtherLayout { .. })) => (None, Some(fault.to_string())),
        Err(fault) => return Err(fault.into()),
    };
    let registry = Registry::read(&kv).await?;
    let mut jobs = Vec::new();
    for id in &registry.jobs {
        match Job::status(&kv, id).await {
            Ok(job) => {
                let mut told = to_value(id, &job)?;
                if let Some(object) = told.as_object_mut() {
                    object.insert("attend".into(), job.waits_for().filter(|_| job.step.awaits_someone()).into());
                }
                jobs.push(told);
            }
            Err(PublicationError::UnknownJob(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Response::json(
        200,
        &json!({
            "pointeur": pointer,
            "pointeur_illisible": unreadable,
            "generations": registry.generations,
            "registre_reconstruit_ms": registry.rebuilt_ms,
            "travaux": jobs,
            "collecte": collection::status(&kv).await?,
            "rapports": reports::list(&kv).await?,
        }),
    ))
}
