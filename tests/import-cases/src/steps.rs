//! The steps of the import, as the cases name them, on clients and treatments.

use crate::case::Case;
use crate::network::{Instantly, Network};
use crate::state::State;
use domain::{Document, Kind, Maille, Millesime};
use serde_json::Value;
use sources::{BcnTable, Call, Config, Outcome, Reader, SourceError, Sources, catalogue_total, plan};
use treatments::familles::Familles;
use treatments::inserjeunes::{Mesures, Place, distincts, livrer, region_demandee, regions_a_demander};
use treatments::nomenclature::{Niveaux, TypesSise, bcn_mef, bcn_sise, cfd, lignes_but, mef};
use treatments::{Rapport, Rejet, annees, catalogue, compte, continuum, etablissements, familles, insersup};
use treatments::{libelles, lignee, roles};

/// Why a step ended.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A service.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// An argument.
    #[error("{0}")]
    Rejet(#[from] Rejet),
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
    let mut rapport = Rapport::default();
    match case.job.as_str() {
        "importBCN" => nomenclature(&clients, state).await,
        "importBCNMEF" => table_mef(&clients, state).await,
        "importBCNSise" => sise(&clients, state).await,
        "importBCNContinuum" => {
            let rows = rows(&clients, &table(BcnTable::NFormationDiplome)).await?;
            let mut nomenclature = state.nomenclature();
            let changed = lignee::lignee_cfd(&mut nomenclature, &rows);
            state.write_certifications(&nomenclature, &changed);
            Ok(())
        }
        "computeBCNMEFContinuum" => {
            let mut nomenclature = state.nomenclature();
            let changed = lignee::lignee_mef(&mut nomenclature);
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
                statistics(&clients, state, &call, &mut rapport).await;
            }
            Ok(())
        }
        "importRegionalesStats" => {
            let codes = strings(case, "codes_region_academique");
            for code in &codes {
                region_demandee(code)?;
            }
            let all: Vec<&str> = regions_a_demander().map(|r| r.code_region_academique).collect();
            let codes = if codes.is_empty() { all } else { distincts(codes.iter().map(String::as_str)) };
            for call in plan::inserjeunes_regions(codes, &strings(case, "millesimes")) {
                statistics(&clients, state, &call, &mut rapport).await;
            }
            Ok(())
        }
        "importFormationsStats" => {
            let acce = state.acce();
            let given: Vec<String> = uais(case);
            let asked: Vec<&str> = if given.is_empty() {
                acce.a_demander(&mut rapport)
            } else {
                let mut asked = distincts(given.iter().map(String::as_str));
                asked.retain(|uai| acce.verifier(uai).map_err(|rejet| rapport.rejeter(&rejet)).is_ok());
                asked
            };
            for call in plan::inserjeunes_uais(asked, &strings(case, "millesimes")) {
                statistics(&clients, state, &call, &mut rapport).await;
            }
            Ok(())
        }
        "importFormationsSupStats" => higher(&clients, case, state, &mut rapport).await,
        "importCertificationsSupStats" => higher_national(&clients, case, state, &mut rapport).await,
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
                annees::annees_non_terminales(&nomenclature, maille, state.statistics(maille), &mut rapport);
            }
            Ok(())
        }
        "importSecondeCommune" => {
            let nomenclature = state.nomenclature();
            for maille in mailles(case) {
                annees::premieres_annees_communes(&nomenclature, maille, state.statistics(maille), &mut rapport);
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
                return Err(Rejet::Compte { raison: "the two passwords differ" }.into());
            }
            // Hashing belongs to the accounts; only the form of its result counts here.
            let account = compte::creer(&text("username"), "hash$1000$salt", "widget")?;
            state.of_kind(Kind::User).ecrire(account);
            Ok(())
        }
        "user.remove" => {
            let username = case.args.first().and_then(|a| a.as_str().or_else(|| a.get("username")?.as_str()));
            state.of_kind(Kind::User).retirer(username.ok_or(StepError::Case("username"))?);
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
        acce_url: String::new(),
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
    Maille::TOUTES.into_iter().filter(|m| names.is_empty() || names.iter().any(|n| n == m.liste())).collect()
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
    let mut reader = Reader::new(call);
    // Small chunks, as they come over a network.
    for chunk in raw.chunks(1_000) {
        reader.push(chunk, |row| rows.push(row))?;
    }
    reader.finish(|row| rows.push(row))?;
    Ok(rows)
}

async fn levels(clients: &Clients) -> Result<Niveaux, StepError> {
    let mut niveaux = Niveaux::default();
    for row in rows(clients, &table(BcnTable::NNiveauFormationDiplome)).await? {
        niveaux.ajouter(&row)?;
    }
    Ok(niveaux)
}

async fn nomenclature(clients: &Clients, state: &mut State) -> Result<(), StepError> {
    let niveaux = levels(clients).await?;
    let mut nomenclature = state.nomenclature();
    let mut changed = Vec::new();
    for name in [BcnTable::VFormationDiplome, BcnTable::NFormationDiplome, BcnTable::NFormationDiplomeEnquete51] {
        for row in rows(clients, &table(name)).await? {
            let certification = cfd(&row, &niveaux)?;
            changed.push(certification.code.clone());
            nomenclature.ajouter(certification);
        }
    }
    for row in rows(clients, &table(BcnTable::NMef)).await? {
        let certification = mef(&row, &niveaux)?;
        changed.push(certification.code.clone());
        nomenclature.ajouter(certification);
    }
    state.write_certifications(&nomenclature, &changed);
    Ok(())
}

async fn table_mef(clients: &Clients, state: &mut State) -> Result<(), StepError> {
    for row in rows(clients, &table(BcnTable::NMef)).await? {
        state.of_kind(Kind::BcnMef).ecrire(bcn_mef(&row)?);
    }
    Ok(())
}

async fn sise(clients: &Clients, state: &mut State) -> Result<(), StepError> {
    let mut types = TypesSise::default();
    for row in rows(clients, &table(BcnTable::NTypeDiplomeSise)).await? {
        types.ajouter(&row)?;
    }
    let diplomas = rows(clients, &table(BcnTable::NDiplomeSise)).await?;
    for row in diplomas.into_iter().chain(lignes_but()) {
        state.of_kind(Kind::BcnSise).ecrire(bcn_sise(&row, &types)?);
    }
    Ok(())
}

async fn families(clients: &Clients, state: &mut State) -> Result<(), StepError> {
    let mut tables = Familles::default();
    for row in rows(clients, &table(BcnTable::NGroupeFormation)).await? {
        tables.ajouter_groupe(&row)?;
    }
    for row in rows(clients, &table(BcnTable::NLienFormationGroupe)).await? {
        tables.ajouter_lien(&row)?;
    }
    let mut nomenclature = state.nomenclature();
    let changed = familles::familles(&mut nomenclature, &tables);
    state.write_certifications(&nomenclature, &changed);
    Ok(())
}

fn acce(case: &Case, state: &mut State) -> Result<(), StepError> {
    let text = case.files.values().next().ok_or(StepError::Case("file"))?;
    // The file is ISO-8859-1: a character is the byte of its number.
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
    let mut rows = Vec::new();
    let mut reader = Reader::new(&Call::Acce);
    for chunk in bytes.chunks(100) {
        reader.push(chunk, |row| rows.push(row))?;
    }
    reader.finish(|row| rows.push(row))?;
    for row in rows {
        state.of_kind(Kind::Etablissement).ecrire(etablissements::etablissement(&row)?);
    }
    Ok(())
}

async fn import_catalogue(clients: &Clients, state: &mut State) -> Result<(), StepError> {
    let mut raw = Vec::new();
    clients.make(&Call::CatalogueTotal, &mut raw).await?;
    for call in plan::catalogue(catalogue_total(&raw)?) {
        for row in rows(clients, &call).await? {
            state.of_kind(Kind::Catalogue).ecrire(catalogue::catalogue(&row)?);
        }
    }
    Ok(())
}

/// Statistics of one call of InserJeunes. A call that fails writes nothing; the step goes on.
async fn statistics(clients: &Clients, state: &mut State, call: &Call, rapport: &mut Rapport) {
    let Ok(rows) = rows(clients, call).await else { return };
    let acce = state.acce();
    let (place, millesime) = match call {
        Call::InserJeunesUai { uai, millesime } => (Place::Etablissement(&acce, uai), millesime),
        Call::InserJeunesRegion { region, millesime } => match region_demandee(region) {
            Ok(region) => (Place::Region(region), millesime),
            Err(rejet) => return rapport.rejeter(&rejet),
        },
        Call::InserJeunesFrance { millesime, .. } => (Place::France, millesime),
        _ => return,
    };
    let mut mesures = Mesures::nouvelles(place.maille());
    for row in &rows {
        if let Err(rejet) = mesures.ajouter(row, rapport) {
            return rapport.rejeter(&rejet);
        }
    }
    let nomenclature = state.nomenclature();
    let stored = state.statistics(place.maille());
    if let Err(rejet) = livrer(&nomenclature, mesures, millesime, place, true, stored, rapport) {
        rapport.rejeter(&rejet);
    }
}

fn wanted(case: &Case) -> Vec<Millesime> {
    strings(case, "millesimes").iter().filter_map(|m| Millesime::parse(m)).collect()
}

async fn higher(clients: &Clients, case: &Case, state: &mut State, rapport: &mut Rapport) -> Result<(), StepError> {
    let (nomenclature, acce, wanted) = (state.nomenclature(), state.acce(), wanted(case));
    let rows = rows(clients, &Call::InserSup).await?;
    let stored = state.of_kind(Kind::Formation);
    let mut disciplines = insersup::Disciplines::default();
    for document in stored.iter().filter(|d| d.get("filiere").is_some_and(|f| f == "superieur")) {
        // Of stored documents that contradict each other the first holds.
        let _ = disciplines.ajouter(document);
    }
    for row in rows {
        match insersup::formation(&nomenclature, &acce, &row, &wanted, true) {
            Ok(None) => {}
            Ok(Some(document)) => match disciplines.ajouter(&document) {
                Ok(()) => {
                    stored.ecrire_livree(document);
                }
                Err(rejet) => rapport.rejeter(&rejet),
            },
            Err(rejet) => rapport.rejeter(&rejet),
        }
    }
    Ok(())
}

async fn higher_national(
    clients: &Clients,
    case: &Case,
    state: &mut State,
    rapport: &mut Rapport,
) -> Result<(), StepError> {
    let nomenclature = state.nomenclature();
    for call in plan::insersup_national(&strings(case, "millesimes")) {
        for row in rows(clients, &call).await? {
            match insersup::certification(&nomenclature, &row, true) {
                Ok(None) => {}
                Ok(Some(document)) => {
                    state.of_kind(Kind::Certification).ecrire_livree(document);
                }
                Err(rejet) => rapport.rejeter(&rejet),
            }
        }
    }
    Ok(())
}
