//! The steps of the import, as the cases name them, on clients and treatments.

use crate::case::Case;
use crate::network::{Instantly, Network};
use crate::state::State;
use domain::{Document, Kind, Maille, Millesime};
use serde_json::Value;
use sources::{AnswerReader, BcnTable, Call, Config, Outcome, SourceError, Sources, catalogue_total, plan};
use treatments::familles::FamilleMetierTables;
use treatments::inserjeunes::{Measures, StatisticPlace, asked_region, deliver, distinct, regions_to_ask};
use treatments::nomenclature::{Levels, SiseTypes, bcn_mef, bcn_sise, but_rows, cfd, mef};
use treatments::{
    Rejection, TreatmentReport, account, catalogue, continuum, etablissements, familles, insersup, years,
};
use treatments::{libelles, lineage, roles};

/// Why a step ended.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A service.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// An argument.
    #[error("{0}")]
    Rejection(#[from] Rejection),
    /// The runner has no such step.
    #[error("step {0} unknown to the runner")]
    Unknown(String),
    /// The case lacks something.
    #[error("the case has no {0}")]
    Case(&'static str),
}

type Clients = Sources<Network, Instantly>;

/// Plays the step of a case on stored documents.
///
/// # Errors
/// [`StepError`]: the step as a whole ended. Calls that fail are counted by the step and go on.
pub async fn play(case: &Case, state: &mut State) -> Result<(), StepError> {
    let clients = Sources::new(Network::of(&case.upstream), Instantly::default(), config());
    let mut report = TreatmentReport::default();
    match case.job.as_str() {
        "importBCN" => nomenclature(&clients, state).await,
        "importBCNMEF" => table_mef(&clients, state).await,
        "importBCNSise" => sise(&clients, state).await,
        "importBCNContinuum" => {
            let rows = rows(&clients, &table(BcnTable::NFormationDiplome)).await?;
            let mut nomenclature = state.nomenclature();
            let changed = lineage::lineage_cfd(&mut nomenclature, &rows);
            state.write_certifications(&nomenclature, &changed);
            Ok(())
        }
        "computeBCNMEFContinuum" => {
            let mut nomenclature = state.nomenclature();
            let changed = lineage::lineage_mef(&mut nomenclature);
            state.write_certifications(&nomenclature, &changed);
            Ok(())
        }
        "importLibelle" => {
            let mut nomenclature = state.nomenclature();
            let changed = libelles::libelles(&mut nomenclature);
            state.write_certifications(&nomenclature, &changed);
            Ok(())
        }
        "importBCNFamilleMetier" => families(&clients, state).await,
        "importEtablissements" => acce(case, state),
        "importFormations" => import_catalogue(&clients, state).await,
        "importCertificationsStats" => {
            let filieres = strings(case, "filieres");
            let filieres: Vec<&str> = if filieres.is_empty() {
                plan::FILIERES.to_vec()
            } else {
                filieres.iter().map(String::as_str).collect()
            };
            let millesimes = strings(case, "millesimes");
            for call in plan::inserjeunes_france(&millesimes, &filieres) {
                statistics(&clients, state, &call, &mut report).await;
            }
            Ok(())
        }
        "importRegionalesStats" => {
            let codes = strings(case, "codes_region_academique");
            for code in &codes {
                asked_region(code)?;
            }
            let all: Vec<&str> = regions_to_ask().map(|r| r.region_academie_code).collect();
            let codes = if codes.is_empty() { all } else { distinct(codes.iter().map(String::as_str)) };
            for call in plan::inserjeunes_regions(codes, &strings(case, "millesimes")) {
                statistics(&clients, state, &call, &mut report).await;
            }
            Ok(())
        }
        "importFormationsStats" => {
            let acce = state.acce();
            let given: Vec<String> = uais(case);
            let asked: Vec<&str> = if given.is_empty() {
                acce.to_ask(&mut report)
            } else {
                let mut asked = distinct(given.iter().map(String::as_str));
                asked.retain(|uai| acce.verify(uai).map_err(|rejection| report.reject(&rejection)).is_ok());
                asked
            };
            for call in plan::inserjeunes_uais(asked, &strings(case, "millesimes")) {
                statistics(&clients, state, &call, &mut report).await;
            }
            Ok(())
        }
        "importFormationsSupStats" => higher(&clients, case, state, &mut report).await,
        "importCertificationsSupStats" => higher_national(&clients, case, state, &mut report).await,
        "computeContinuumStats" => {
            let nomenclature = state.nomenclature();
            for maille in mailles(case) {
                continuum::continuum(&nomenclature, maille, state.statistics(maille));
            }
            Ok(())
        }
        "importAnneesNonTerminales" => {
            let nomenclature = state.nomenclature();
            for maille in mailles(case) {
                years::non_final_years(&nomenclature, maille, state.statistics(maille), &mut report);
            }
            Ok(())
        }
        "importSecondeCommune" => {
            let nomenclature = state.nomenclature();
            for maille in mailles(case) {
                years::first_annees_communes(&nomenclature, maille, state.statistics(maille), &mut report);
            }
            Ok(())
        }
        "computeUAI" => {
            let (nomenclature, catalogue) = (state.nomenclature(), state.catalogue());
            roles::roles(&nomenclature, &catalogue, state.of_kind(Kind::Formation));
            Ok(())
        }
        "user.create" => {
            let text = |name: &str| argument(case, name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let repeated = argument(case, "passwordRepeat").is_none_or(|p| p.as_str() == Some(&text("password")));
            if !repeated {
                return Err(Rejection::Account { reason: "the two passwords differ" }.into());
            }
            // Hashing belongs to the accounts; only the form of its result counts here.
            let account = account::create(&text("username"), "hash$1000$salt", "widget")?;
            state.of_kind(Kind::User).write(account);
            Ok(())
        }
        "user.remove" => {
            let username = case.args.first().and_then(|a| a.as_str().or_else(|| a.get("username")?.as_str()));
            state.of_kind(Kind::User).remove(username.ok_or(StepError::Case("username"))?);
            Ok(())
        }
        other => Err(StepError::Unknown(other.to_owned())),
    }
}

/// Addresses and credentials of the recorded exchanges.
fn config() -> Config {
    Config {
        inserjeunes_url: "https://www.inserjeunes.education.gouv.fr/api/v1.0".into(),
        inserjeunes_username: "test".into(),
        inserjeunes_password: "golden-ij-password".into(),
        insersup_url: "https://insersup/".into(),
        insersup_key: "secret".into(),
        insersup_national_url: "https://data.enseignementsup-recherche.gouv.fr/api/explore/v2.1".into(),
        insersup_national_source: String::new(),
        bcn_url: "https://omogen-api-pr.phm.education.gouv.fr/bcnAPI".into(),
        bcn_key: "key".into(),
        bcn_login: "login".into(),
        bcn_password: "password".into(),
        catalogue_url: "https://catalogue.apprentissage.education.gouv.fr/api/v1".into(),
        catalogue_username: "username".into(),
        catalogue_password: "password".into(),
        ..Config::default()
    }
}

fn argument<'a>(case: &'a Case, name: &str) -> Option<&'a Value> {
    case.args.first()?.get(name)
}

/// A list of texts, or a single one.
fn strings(case: &Case, name: &str) -> Vec<String> {
    match argument(case, name) {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => vec![text.clone()],
        _ => Vec::new(),
    }
}

fn uais(case: &Case) -> Vec<String> {
    let parameters = argument(case, "parameters").and_then(Value::as_array).into_iter().flatten();
    parameters.filter_map(|p| p.get("uai")?.as_str()).map(str::to_owned).collect()
}

/// The mailles that `stats` names; all without it.
fn mailles(case: &Case) -> Vec<Maille> {
    let names = strings(case, "stats");
    Maille::ALL.into_iter().filter(|m| names.is_empty() || names.iter().any(|n| n == m.list())).collect()
}

fn table(table: BcnTable) -> Call {
    Call::Bcn { table }
}

/// Makes a call and reads its rows.
async fn rows(clients: &Clients, call: &Call) -> Result<Vec<Document>, SourceError> {
    let mut raw = Vec::new();
    let made = clients.make(call, &mut raw).await?;
    if made.outcome == Outcome::NoData {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    let mut reader = AnswerReader::new(call);
    // Small chunks, as they come over a network.
    for chunk in raw.chunks(1_000) {
        reader.push(chunk, |row| rows.push(row))?;
    }
    reader.finish(|row| rows.push(row))?;
    Ok(rows)
}

async fn levels(clients: &Clients) -> Result<Levels, StepError> {
    let mut levels = Levels::default();
    for row in rows(clients, &table(BcnTable::NNiveauFormationDiplome)).await? {
        levels.add(&row)?;
    }
    Ok(levels)
}

async fn nomenclature(clients: &Clients, state: &mut State) -> Result<(), StepError> {
    let levels = levels(clients).await?;
    let mut nomenclature = state.nomenclature();
    let mut changed = Vec::new();
    for name in [BcnTable::VFormationDiplome, BcnTable::NFormationDiplome, BcnTable::NFormationDiplomeEnquete51] {
        for row in rows(clients, &table(name)).await? {
            let certification = cfd(&row, &levels)?;
            changed.push(certification.code.clone());
            nomenclature.add(certification);
        }
    }
    for row in rows(clients, &table(BcnTable::NMef)).await? {
        let certification = mef(&row, &levels)?;
        changed.push(certification.code.clone());
        nomenclature.add(certification);
    }
    state.write_certifications(&nomenclature, &changed);
    Ok(())
}

async fn table_mef(clients: &Clients, state: &mut State) -> Result<(), StepError> {
    for row in rows(clients, &table(BcnTable::NMef)).await? {
        state.of_kind(Kind::BcnMef).write(bcn_mef(&row)?);
    }
    Ok(())
}

async fn sise(clients: &Clients, state: &mut State) -> Result<(), StepError> {
    let mut types = SiseTypes::default();
    for row in rows(clients, &table(BcnTable::NTypeDiplomeSise)).await? {
        types.add(&row)?;
    }
    let diplomas = rows(clients, &table(BcnTable::NDiplomeSise)).await?;
    for row in diplomas.into_iter().chain(but_rows()) {
        state.of_kind(Kind::BcnSise).write(bcn_sise(&row, &types)?);
    }
    Ok(())
}

async fn families(clients: &Clients, state: &mut State) -> Result<(), StepError> {
    let mut tables = FamilleMetierTables::default();
    for row in rows(clients, &table(BcnTable::NGroupeFormation)).await? {
        tables.add_group(&row)?;
    }
    for row in rows(clients, &table(BcnTable::NLienFormationGroupe)).await? {
        tables.add_link(&row)?;
    }
    let mut nomenclature = state.nomenclature();
    let changed = familles::families(&mut nomenclature, &tables);
    state.write_certifications(&nomenclature, &changed);
    Ok(())
}

fn acce(case: &Case, state: &mut State) -> Result<(), StepError> {
    let text = case.files.values().next().ok_or(StepError::Case("file"))?;
    // The file is ISO-8859-1: a character is the byte of its number.
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
    let mut rows = Vec::new();
    let mut reader = AnswerReader::new(&Call::Acce);
    for chunk in bytes.chunks(100) {
        reader.push(chunk, |row| rows.push(row))?;
    }
    reader.finish(|row| rows.push(row))?;
    for row in rows {
        state.of_kind(Kind::Etablissement).write(etablissements::etablissement(&row)?);
    }
    Ok(())
}

async fn import_catalogue(clients: &Clients, state: &mut State) -> Result<(), StepError> {
    let mut raw = Vec::new();
    clients.make(&Call::CatalogueTotal, &mut raw).await?;
    for call in plan::catalogue(catalogue_total(&raw)?) {
        for row in rows(clients, &call).await? {
            let mut document = catalogue::catalogue(&row)?;
            // The recordings hold what the former service kept.
            catalogue::FOR_MATCHING.iter().for_each(|field| drop(document.remove(*field)));
            state.of_kind(Kind::Catalogue).write(document);
        }
    }
    Ok(())
}

/// Statistics of one call of InserJeunes. A call that fails writes nothing; the step goes on.
async fn statistics(clients: &Clients, state: &mut State, call: &Call, report: &mut TreatmentReport) {
    let Ok(rows) = rows(clients, call).await else { return };
    let acce = state.acce();
    let (place, millesime) = match call {
        Call::InserJeunesUai { uai, millesime } => (StatisticPlace::Etablissement(&acce, uai), millesime),
        Call::InserJeunesRegion { region, millesime } => match asked_region(region) {
            Ok(region) => (StatisticPlace::Region(region), millesime),
            Err(rejection) => return report.reject(&rejection),
        },
        Call::InserJeunesFrance { millesime, .. } => (StatisticPlace::France, millesime),
        _ => return,
    };
    let mut measures = Measures::new(place.maille());
    for row in &rows {
        if let Err(rejection) = measures.add(row, report) {
            return report.reject(&rejection);
        }
    }
    let nomenclature = state.nomenclature();
    let stored = state.statistics(place.maille());
    if let Err(rejection) = deliver(&nomenclature, measures, millesime, place, true, stored, report) {
        report.reject(&rejection);
    }
}

fn wanted(case: &Case) -> Vec<Millesime> {
    strings(case, "millesimes").iter().filter_map(|m| Millesime::parse(m)).collect()
}

async fn higher(
    clients: &Clients,
    case: &Case,
    state: &mut State,
    report: &mut TreatmentReport,
) -> Result<(), StepError> {
    let (nomenclature, acce, wanted) = (state.nomenclature(), state.acce(), wanted(case));
    let rows = rows(clients, &Call::InserSup).await?;
    let stored = state.of_kind(Kind::Formation);
    let mut disciplines = insersup::Disciplines::default();
    for document in stored.iter().filter(|d| d.get("filiere").is_some_and(|f| f == "superieur")) {
        // Of stored documents that contradict each other the first holds.
        let _ = disciplines.add(document);
    }
    for row in rows {
        match insersup::formation(&nomenclature, &acce, &row, &wanted, true) {
            Ok(None) => {}
            Ok(Some(document)) => match disciplines.add(&document) {
                Ok(()) => {
                    stored.write_delivered(document);
                }
                Err(rejection) => report.reject(&rejection),
            },
            Err(rejection) => report.reject(&rejection),
        }
    }
    Ok(())
}

async fn higher_national(
    clients: &Clients,
    case: &Case,
    state: &mut State,
    report: &mut TreatmentReport,
) -> Result<(), StepError> {
    let nomenclature = state.nomenclature();
    for call in plan::insersup_national(&strings(case, "millesimes")) {
        for row in rows(clients, &call).await? {
            match insersup::certification(&nomenclature, &row, true) {
                Ok(None) => {}
                Ok(Some(document)) => {
                    state.of_kind(Kind::Certification).write_delivered(document);
                }
                Err(rejection) => report.reject(&rejection),
            }
        }
    }
    Ok(())
}
