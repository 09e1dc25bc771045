//! Routes of the pull, under `/internal/import/pull`.
//!
//! | call | does |
//! | --- | --- |
//! | `POST pull` | opens a run: `{"sources", "millesimes", "rejouer"}`, all of them optional |
//! | `POST pull/run?budget_ms` | advances it: the pull, then the publication of what it brought |
//! | `GET pull` | where it stands, and its report so far |
//! | `DELETE pull` | gives it up |

use crate::call::{budget, json_of_body};
use crate::error::AdminError;
use crate::jobs::{advance_job, keep, latest_run};
use crate::runtime::{Env, ImportRuntime, indicators, new_id};
use crate::services;
use crate::services::WrongVariables;
use api::error::NotFound;
use api::{Request, Response};
use collection::{Configuration, Demand, Millesimes, Run, RunStep};
use domain::Millesime;
use publication::{Job, PublicationError, Registry};
use serde_json::json;
use sources::{Config, Limits, Service, Sources};
use treatments::{Switches, TreatmentSettings};

/// Variables of the pull, as the manifest hands them to the import.
pub const VARIABLES: [&str; 11] = [
    "millesimes_certifications",
    "millesimes_certifications_sup",
    "millesimes_regionales",
    "millesimes_formations",
    "millesimes_formations_sup",
    "traitements_coupes_bcn",
    "traitements_coupes_inserjeunes",
    "traitements_coupes_insersup",
    "collecte_par_seconde",
    "collecte_reprises",
    "collecte_attente_s",
];

pub(crate) async fn handle<M: ImportRuntime>(
    runtime: &M,
    request: &Request,
    rest: &[&str],
) -> Result<Response, AdminError> {
    let kv = runtime.kv();
    let now = runtime.now_ms();
    match (request.method.as_ref(), rest) {
        ("POST", []) => {
            let demand: Demand = json_of_body(request)?;
            let config = services(runtime).await?;
            let configuration = configuration(runtime, &config).await?;
            let opened = collection::open(&kv, &new_id(runtime), demand, configuration, now).await?;
            Ok(Response::json(201, &json!({"collecte": opened, "travail": null})))
        }
        ("POST", ["run"]) => {
            let (run, job) = advance(runtime, budget(request)).await?;
            Ok(Response::json(200, &json!({"collecte": run, "travail": job})))
        }
        ("GET", []) => {
            let (run, report) = latest_run(runtime).await?.ok_or(AdminError::NotFound(NotFound::Run))?;
            let job = match Job::status(&kv, &run.id).await {
                Err(PublicationError::UnknownJob(_)) => None,
                job => Some(job?),
            };
            Ok(Response::json(200, &json!({"collecte": run, "travail": job, "rapport": report})))
        }
        ("DELETE", []) => {
            let given_up = collection::give_up(&kv, now).await?;
            keep(runtime, &given_up.id).await?;
            Ok(Response::json(200, &json!({"collecte": given_up, "travail": null})))
        }
        _ => Err(AdminError::UnknownRoute),
    }
}

async fn services<M: ImportRuntime>(runtime: &M) -> Result<Config, AdminError> {
    services::configuration(runtime).await.map_err(|wrong| match wrong {
        WrongVariables::Invalid(_) => AdminError::Refused(wrong.to_string()),
        WrongVariables::Unreadable(fault) => fault.into(),
    })
}

/// A variable that may be empty, read as a number.
async fn number<M: ImportRuntime>(runtime: &M, name: &str, default: u32, max: u32) -> Result<u32, AdminError> {
    let text = runtime.variable(name).await?;
    match text.trim() {
        "" => Ok(default),
        text => text.parse().ok().filter(|n| (1..=max).contains(n)).ok_or_else(|| {
            AdminError::Refused(format!("variable {name} : un nombre de 1 à {max} est attendu, reçu « {text} »"))
        }),
    }
}

/// What the variables of the application say about runs.
async fn configuration<M: ImportRuntime>(runtime: &M, config: &Config) -> Result<Configuration, AdminError> {
    let millesimes = async |name: &str| -> Result<Vec<String>, AdminError> {
        let text = runtime.variable(name).await?;
        let read: Vec<String> = text.split(',').map(str::trim).filter(|m| !m.is_empty()).map(str::to_owned).collect();
        match read.iter().find(|m| Millesime::parse(m).is_none()) {
            Some(wrong) => Err(AdminError::Refused(format!(
                "variable {name} : « {wrong} » n'est ni une année (2023) ni une période (2022_2023)"
            ))),
            None => Ok(read),
        }
    };
    let switches = async |source: &str| {
        let name = format!("traitements_coupes_{source}");
        Switches::read(&runtime.variable(&name).await?).map_err(|wrong| {
            let known: Vec<&str> = treatments::Treatment::ALL.iter().map(|t| t.name()).collect();
            AdminError::Refused(format!(
                "variable {name} : « {wrong} » n'est pas un traitement ; attendu : {}",
                known.join(", ")
            ))
        })
    };
    let addresses = [
        (Service::InserJeunes, &config.inserjeunes_url),
        (Service::InserSup, &config.insersup_url),
        (Service::InserSupNational, &config.insersup_national_url),
        (Service::Bcn, &config.bcn_url),
        (Service::Acce, &config.acce_url),
        (Service::Catalogue, &config.catalogue_url),
    ];
    Ok(Configuration {
        services: addresses.into_iter().filter(|(_, url)| !url.is_empty()).map(|(service, _)| service).collect(),
        millesimes: Millesimes {
            certifications: millesimes("millesimes_certifications").await?,
            certifications_sup: millesimes("millesimes_certifications_sup").await?,
            regionales: millesimes("millesimes_regionales").await?,
            formations: millesimes("millesimes_formations").await?,
            formations_sup: millesimes("millesimes_formations_sup").await?,
        },
        settings: TreatmentSettings {
            bcn: switches("bcn").await?,
            inserjeunes: switches("inserjeunes").await?,
            insersup: switches("insersup").await?,
        },
        retries: number(runtime, "collecte_reprises", 6, 100).await?,
        wait_s: number(runtime, "collecte_attente_s", 30, 3_600).await?,
    })
}

/// Whether a run is under way and can go on now; one that waits for a service cannot. Once it has
/// ended its publication is a job like any other; killed before its report was kept, it is kept here.
pub(crate) async fn is_ready<M: ImportRuntime>(runtime: &M) -> Result<bool, AdminError> {
    let kv = runtime.kv();
    let Some(run) = collection::status(&kv).await? else { return Ok(false) };
    let now = runtime.now_ms();
    if run.step.is_final() {
        collection::settle(&kv, now).await?;
    }
    if run.step == RunStep::HandedOver {
        if Job::status(&kv, &run.id).await.is_ok_and(|job| job.step.is_final()) {
            keep(runtime, &run.id).await?;
        }
        return Ok(false);
    }
    if run.step.is_final() {
        keep(runtime, &run.id).await?;
        return Ok(false);
    }
    Ok(!run.waits(now))
}

/// Advances the run under way, and keeps its report once it has ended.
pub(crate) async fn advance<M: ImportRuntime>(runtime: &M, budget: u64) -> Result<(Run, Option<Job>), AdminError> {
    let kv = runtime.kv();
    let start = runtime.monotonic_ms();
    let config = services(runtime).await?;
    let per_second = number(runtime, "collecte_par_seconde", 5, 1_000).await?;
    let limits = Limits { interval_ms: 1_000 / u64::from(per_second), ..Limits::default() };
    let sources = Sources::with_limits(runtime.fetch(), runtime.clock(), config, limits);
    let run = collection::advance(&kv, &Env(runtime), &sources, budget, &indicators(runtime).await?).await?;
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

/// Keeps the reports of pulls that gave way to a newer one, before the housekeeping deletes their records.
async fn keep_replaced<M: ImportRuntime>(runtime: &M, kv: &M::Kv) -> Result<(), AdminError> {
    for (id, _) in Registry::read(kv).await?.to_delete {
        if Job::status(kv, &id).await.is_ok_and(|job| job.run && job.summary.failure.is_some()) {
            keep(runtime, &id).await?;
        }
    }
    Ok(())
}
