//! Routes of the pull, under `/internal/import/pull`.
//!
//! | call | does |
//! | --- | --- |
//! | `POST pull` | opens a run: `{"sources", "millesimes", "rejouer"}`, all of them optional |
//! | `POST pull/run?budget_ms` | advances it: the pull, then the publication of what it brought |
//! | `GET pull` | where it stands, and its report so far |
//! | `DELETE pull` | gives it up |

use crate::erreur::Erreur;
use crate::import::{Env, MondeImport, budget, faire_avancer, indicateurs, json_du_corps, nouvel_id};
use crate::{Reponse, Requete, rapports, services};
use collecte::{Collecte, Configuration, Demande, Etape, Millesimes, Rapport};
use domain::Millesime;
use serde_json::json;
use sources::{Config, Limits, Service, Sources};
use store::publication::{Job, PublicationError, Registre};
use treatments::{Interrupteurs, Reglages};

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

/// The latest run and its report.
pub(crate) type Releve = (Collecte, Option<Rapport>);

pub(crate) async fn traiter<M: MondeImport>(monde: &M, requete: &Requete, suite: &[&str]) -> Result<Reponse, Erreur> {
    let kv = monde.kv();
    let maintenant = monde.maintenant_ms();
    match (requete.methode.as_ref(), suite) {
        ("POST", []) => {
            let demande: Demande = json_du_corps(requete)?;
            let config = services(monde).await?;
            let configuration = configuration(monde, &config).await?;
            let ouverte = collecte::ouvrir(&kv, &nouvel_id(monde), demande, configuration, maintenant).await?;
            Ok(Reponse::json(201, &json!({"collecte": ouverte, "travail": null})))
        }
        ("POST", ["run"]) => {
            let (collecte, job) = avancer(monde, budget(requete)).await?;
            Ok(Reponse::json(200, &json!({"collecte": collecte, "travail": job})))
        }
        ("GET", []) => {
            let (collecte, rapport) = releve(monde).await?.ok_or(Erreur::Introuvable("Aucune collecte"))?;
            let job = Job::consulter(&kv, &collecte.id).await.ok();
            Ok(Reponse::json(200, &json!({"collecte": collecte, "travail": job, "rapport": rapport})))
        }
        ("DELETE", []) => {
            let abandonnee = collecte::abandonner(&kv, maintenant).await?;
            garder(monde, &abandonnee.id).await?;
            Ok(Reponse::json(200, &json!({"collecte": abandonnee, "travail": null})))
        }
        _ => Err(Erreur::RouteInconnue),
    }
}

async fn services<M: MondeImport>(monde: &M) -> Result<Config, Erreur> {
    services::configuration(monde).await.map_err(|fausses| Erreur::Refuse(fausses.to_string()))
}

/// A variable that may be empty, read as a number.
async fn nombre<M: MondeImport>(monde: &M, nom: &str, defaut: u32, max: u32) -> Result<u32, Erreur> {
    let texte = monde.variable(nom).await;
    match texte.trim() {
        "" => Ok(defaut),
        texte => texte.parse().ok().filter(|n| (1..=max).contains(n)).ok_or_else(|| {
            Erreur::Refuse(format!("variable {nom} : un nombre de 1 à {max} est attendu, reçu « {texte} »"))
        }),
    }
}

/// What the variables of the application say about runs.
async fn configuration<M: MondeImport>(monde: &M, config: &Config) -> Result<Configuration, Erreur> {
    let millesimes = async |nom: &str| -> Result<Vec<String>, Erreur> {
        let texte = monde.variable(nom).await;
        let lus: Vec<String> = texte.split(',').map(str::trim).filter(|m| !m.is_empty()).map(str::to_owned).collect();
        match lus.iter().find(|m| Millesime::parse(m).is_none()) {
            Some(faux) => Err(Erreur::Refuse(format!(
                "variable {nom} : « {faux} » n'est ni une année (2023) ni une période (2022_2023)"
            ))),
            None => Ok(lus),
        }
    };
    let interrupteurs = async |source: &str| {
        let nom = format!("traitements_coupes_{source}");
        Interrupteurs::lire(&monde.variable(&nom).await).map_err(|faux| {
            let connus: Vec<&str> = treatments::Traitement::TOUS.iter().map(|t| t.nom()).collect();
            Erreur::Refuse(format!(
                "variable {nom} : « {faux} » n'est pas un traitement ; attendu : {}",
                connus.join(", ")
            ))
        })
    };
    let adresses = [
        (Service::InserJeunes, &config.inserjeunes_url),
        (Service::InserSup, &config.insersup_url),
        (Service::InserSupNational, &config.insersup_national_url),
        (Service::Bcn, &config.bcn_url),
        (Service::Acce, &config.acce_url),
        (Service::Catalogue, &config.catalogue_url),
    ];
    Ok(Configuration {
        services: adresses.into_iter().filter(|(_, url)| !url.is_empty()).map(|(service, _)| service).collect(),
        millesimes: Millesimes {
            certifications: millesimes("millesimes_certifications").await?,
            certifications_sup: millesimes("millesimes_certifications_sup").await?,
            regionales: millesimes("millesimes_regionales").await?,
            formations: millesimes("millesimes_formations").await?,
            formations_sup: millesimes("millesimes_formations_sup").await?,
        },
        reglages: Reglages {
            bcn: interrupteurs("bcn").await?,
            inserjeunes: interrupteurs("inserjeunes").await?,
            insersup: interrupteurs("insersup").await?,
        },
        reprises: nombre(monde, "collecte_reprises", 6, 100).await?,
        attente_s: nombre(monde, "collecte_attente_s", 30, 3_600).await?,
    })
}

/// The latest run and its report; `None` before the first.
pub(crate) async fn releve<M: MondeImport>(monde: &M) -> Result<Option<Releve>, Erreur> {
    let kv = monde.kv();
    let Some(collecte) = collecte::consulter(&kv).await? else { return Ok(None) };
    let rapport = collecte::rapport(&kv).await?;
    Ok(Some((collecte, rapport)))
}

/// Whether a run is under way and can go on now; one that waits for a service cannot. Once it has
/// ended its publication is a job like any other; killed before its report was kept, it is kept here.
pub(crate) async fn est_prete<M: MondeImport>(monde: &M) -> Result<bool, Erreur> {
    let kv = monde.kv();
    let Some(collecte) = collecte::consulter(&kv).await? else { return Ok(false) };
    let maintenant = monde.maintenant_ms();
    if collecte.etape.est_finale() {
        collecte::solder(&kv, maintenant).await?;
    }
    if collecte.etape == Etape::Remise {
        if Job::consulter(&kv, &collecte.id).await.is_ok_and(|job| job.etape.est_finale()) {
            garder(monde, &collecte.id).await?;
        }
        return Ok(false);
    }
    if collecte.etape.est_finale() {
        garder(monde, &collecte.id).await?;
        return Ok(false);
    }
    Ok(!collecte.attend(maintenant))
}

/// Advances the run under way, and keeps its report once it has ended.
pub(crate) async fn avancer<M: MondeImport>(monde: &M, budget: u64) -> Result<(Collecte, Option<Job>), Erreur> {
    let kv = monde.kv();
    let debut = monde.monotone_ms();
    let config = services(monde).await?;
    let par_seconde = nombre(monde, "collecte_par_seconde", 5, 1_000).await?;
    let limites = Limits { interval_ms: 1_000 / u64::from(par_seconde), ..Limits::default() };
    let sources = Sources::with_limits(monde.fetch(), monde.horloge(), config, limites);
    let collecte = collecte::avancer(&kv, &Env(monde), &sources, budget, &indicateurs(monde).await).await?;
    match collecte.etape {
        Etape::Remise => {
            garder_remplacees(monde, &kv).await?;
            let reste = budget.saturating_sub(monde.monotone_ms().saturating_sub(debut)).max(1);
            match faire_avancer(monde, &collecte.id, reste).await {
                Ok(job) => Ok((collecte, Some(job))),
                // Its publication was long ago: nothing of it is left but the report.
                Err(Erreur::Introuvable(_)) => Ok((collecte, None)),
                Err(erreur) => Err(erreur),
            }
        }
        Etape::Echec | Etape::Abandonnee => {
            garder(monde, &collecte.id).await?;
            Ok((collecte, None))
        }
        _ => Ok((collecte, None)),
    }
}

/// Keeps the reports of pulls that gave way to a newer one, before the housekeeping deletes their records.
async fn garder_remplacees<M: MondeImport>(monde: &M, kv: &M::Kv) -> Result<(), Erreur> {
    for (id, _) in Registre::lire(kv).await?.a_effacer {
        if Job::consulter(kv, &id).await.is_ok_and(|job| job.collecte && job.bilan.echec.is_some()) {
            garder(monde, &id).await?;
        }
    }
    Ok(())
}

/// Keeps the report of an ended import.
pub(crate) async fn garder<M: MondeImport>(monde: &M, id: &str) -> Result<(), Erreur> {
    let kv = monde.kv();
    let job = match Job::consulter(&kv, id).await {
        // A run that was given up before its first step has no job.
        Err(PublicationError::UnknownJob(_)) => {
            let mut job = Job::default();
            id.clone_into(&mut job.id);
            job
        }
        autre => autre?,
    };
    rapports::garder(&kv, &job, releve(monde).await?.as_ref()).await
}
