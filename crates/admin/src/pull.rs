//! Routes of the pull, under `/internal/import/pull`: a component of their own, the only one that calls outside.
//!
//! | call | does |
//! | --- | --- |
//! | `POST pull` | opens a run: `{"sources", "millesimes", "rejouer"}`, all of them optional |
//! | `GET pull` | where it stands, and its report so far |
//! | `DELETE pull` | gives it up |
//! | `POST pull/run?budget_ms` | advances the pull, and no further: the import asks for that ([`crate::runs`]), and answers that address to everyone else |

use crate::call::{admit, budget, finish, json_of_body};
use crate::error::AdminError;
use crate::jobs::{keep, latest_run};
use crate::runtime::{Env, ImportRuntime, indicators, new_id};
use crate::services;
use crate::services::WrongVariables;
use api::error::NotFound;
use api::{Request, Response};
use collection::{Configuration, Demand, Millesimes, Run};
use domain::Millesime;
use publication::{Job, PublicationError};
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

/// Answers a request to `/internal/import/pull/…`.
pub async fn pull<M: ImportRuntime>(runtime: &M, request: Request) -> Response {
    let answer = handle(runtime, &request).await;
    finish(runtime, &request, answer).await
}

async fn handle<M: ImportRuntime>(runtime: &M, request: &Request) -> Result<Response, AdminError> {
    let segments = admit(runtime, request).await?;
    let rest: Vec<&str> = segments.iter().map(String::as_str).collect();
    let kv = runtime.kv();
    let now = runtime.now_ms();
    match (request.method.as_ref(), rest.as_slice()) {
        ("POST", ["pull"]) => {
            let demand: Demand = json_of_body(request)?;
            let config = services(runtime).await?;
            let configuration = configuration(runtime, &config).await?;
            let opened = collection::open(&kv, &new_id(runtime), demand, configuration, now).await?;
            Ok(Response::json(201, &json!({"collecte": opened, "travail": null})))
        }
        ("POST", ["pull", "run"]) => {
            let run = advance(runtime, budget(request)).await?;
            Ok(Response::json(200, &json!({"collecte": run, "travail": null})))
        }
        ("GET", ["pull"]) => {
            let (run, report) = latest_run(runtime).await?.ok_or(AdminError::NotFound(NotFound::Run))?;
            let job = match Job::status(&kv, &run.id).await {
                Err(PublicationError::UnknownJob(_)) => None,
                job => Some(job?),
            };
            Ok(Response::json(200, &json!({"collecte": run, "travail": job, "rapport": report})))
        }
        ("DELETE", ["pull"]) => {
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
    let has_address = |service: &Service| !config.address(*service).0.is_empty();
    Ok(Configuration {
        services: Service::ALL.into_iter().filter(has_address).collect(),
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

/// Advances the run under way. What becomes of it is the import's: the publication of what it brought, and its report.
async fn advance<M: ImportRuntime>(runtime: &M, budget: u64) -> Result<Run, AdminError> {
    let config = services(runtime).await?;
    let per_second = number(runtime, "collecte_par_seconde", 5, 1_000).await?;
    let limits = Limits { interval_ms: 1_000 / u64::from(per_second), ..Limits::default() };
    let sources = Sources::with_limits(runtime.fetch(), runtime.clock(), config, limits);
    Ok(collection::advance(&runtime.kv(), &Env(runtime), &sources, budget, &indicators(runtime).await?).await?)
}
