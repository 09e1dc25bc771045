//! The whole chain on the real tables: nomenclature, lineage, labels, familles, statistics.

use crate::real::{TableError, Tables, rows};
use domain::{Document, Kind, Maille};
use sources::{BcnTable, Call};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use treatments::familles::Familles;
use treatments::inserjeunes::{Mesures, Place, livrer, region_demandee};
use treatments::nomenclature::{Niveaux, TypesSise, bcn_sise, lignes_but, nomenclature};
use treatments::{Catalogue, Rapport, familles, libelles, lignee};
use treatments::{Collection, Contexte, Groupes};

/// How long each part took.
pub type Durations = Vec<(&'static str, Duration)>;

fn timed<T>(durations: &mut Durations, name: &'static str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    durations.push((name, start.elapsed()));
    result
}

/// The nomenclature (treatments 1 to 4) and the catalogue.
///
/// # Errors
/// [`TableError`].
pub fn context(tables: &Tables, durations: &mut Durations) -> Result<Contexte, TableError> {
    let mut rapport = Rapport::default();
    let mut niveaux = Niveaux::default();
    let levels = tables.bcn_rows(BcnTable::NNiveauFormationDiplome)?;
    levels.iter().filter_map(|row| niveaux.ajouter(row).err()).for_each(|rejet| rapport.rejeter(&rejet));
    let mut formations = Vec::new();
    for table in [BcnTable::VFormationDiplome, BcnTable::NFormationDiplome, BcnTable::NFormationDiplomeEnquete51] {
        formations.extend(tables.bcn_rows(table)?);
    }
    let mefs = tables.bcn_rows(BcnTable::NMef)?;
    let lineage = tables.bcn_rows(BcnTable::NFormationDiplome)?;
    let mut nomenclature =
        timed(durations, "1 nomenclature", || nomenclature(&niveaux, formations, mefs, &mut rapport));
    let mut types = TypesSise::default();
    for row in tables.bcn_rows(BcnTable::NTypeDiplomeSise)? {
        if let Err(rejet) = types.ajouter(&row) {
            rapport.rejeter(&rejet);
        }
    }
    for row in tables.bcn_rows(BcnTable::NDiplomeSise)?.into_iter().chain(lignes_but()) {
        match bcn_sise(&row, &types) {
            Ok(document) => nomenclature.ajouter_sise(&document),
            Err(rejet) => rapport.rejeter(&rejet),
        }
    }
    timed(durations, "2 lineage", || {
        lignee::lignee_cfd(&mut nomenclature, &lineage);
        lignee::lignee_mef(&mut nomenclature);
    });
    timed(durations, "3 labels", || libelles::libelles(&mut nomenclature));
    let mut links = Familles::default();
    for row in tables.bcn_rows(BcnTable::NGroupeFormation)? {
        if let Err(rejet) = links.ajouter_groupe(&row) {
            rapport.rejeter(&rejet);
        }
    }
    for row in tables.bcn_rows(BcnTable::NLienFormationGroupe)? {
        if let Err(rejet) = links.ajouter_lien(&row) {
            rapport.rejeter(&rejet);
        }
    }
    timed(durations, "4 familles", || familles::familles(&mut nomenclature, &links));
    let mut catalogue = Catalogue::default();
    for row in tables.catalogue()? {
        match treatments::catalogue::catalogue(&row) {
            Ok(document) => catalogue.ajouter(&document),
            Err(rejet) => rapport.rejeter(&rejet),
        }
    }
    Ok(Contexte { nomenclature, catalogue, ..Contexte::default() })
}

/// The regional statistics (treatment 5) of raw answers.
///
/// # Errors
/// [`TableError`].
pub fn regional<'a>(
    contexte: &Contexte,
    answers: impl IntoIterator<Item = (&'a Call, &'a Vec<u8>)>,
    rapport: &mut Rapport,
) -> Result<Collection, TableError> {
    let mut documents = Collection::nouvelle(Kind::Regionale);
    for (call, answer) in answers {
        let Call::InserJeunesRegion { region, millesime } = call else { continue };
        let mut mesures = Mesures::nouvelles(Maille::Regionale);
        for row in rows(call, answer)? {
            if let Err(rejet) = mesures.ajouter(&row, rapport) {
                rapport.rejeter(&rejet);
            }
        }
        let place = region_demandee(region).map(Place::Region);
        let written =
            place.and_then(|p| livrer(&contexte.nomenclature, mesures, millesime, p, true, &mut documents, rapport));
        if let Err(rejet) = written {
            rapport.rejeter(&rejet);
        }
    }
    Ok(documents)
}

/// Documents as they are staged: text, by group of codes.
pub type Staged = BTreeMap<String, Vec<Vec<u8>>>;

/// Stages documents by group.
#[must_use]
pub fn stage(contexte: &Contexte, documents: impl IntoIterator<Item = Document>) -> Staged {
    let groupes = Groupes::de(&contexte.nomenclature);
    let mut staged = Staged::new();
    for document in documents {
        let code = document.get("code_certification").and_then(|c| c.as_str()).unwrap_or_default();
        let group = staged.entry(groupes.groupe(code).to_owned()).or_default();
        group.push(serde_json::to_vec(&document).unwrap_or_default());
    }
    staged
}

/// Treatments 6 to 8, a group at a time: staged documents in, finished documents out. Only one
/// group lies in memory.
pub fn by_groups(
    contexte: &Contexte,
    maille: Maille,
    staged: Staged,
    rapport: &mut Rapport,
    mut each: impl FnMut(Document),
) -> treatments::BilanGroupe {
    let mut total = treatments::BilanGroupe::default();
    for texts in staged.into_values() {
        let documents = texts.iter().filter_map(|text| serde_json::from_slice(text).ok());
        let mut documents = Collection::de(maille.into(), documents);
        total += treatments::traiter_groupe(contexte, maille, &mut documents, rapport, &mut |_, _| ());
        documents.into_documents().for_each(&mut each);
    }
    total
}
