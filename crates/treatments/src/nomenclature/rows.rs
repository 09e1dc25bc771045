//! Rows of the tables of the BCN, a document each.

use super::certification::{Certification, Nature};
use super::levels::{Diplome, Levels, SiseTypes, require};
use crate::rejection::Rejection;
use crate::text::{date_value, day_utc, field, put, scalar};
use domain::Document;

/// The certification (`bcn`) of a row of one of the three formation tables.
///
/// `libelle` is the short label and the 33 characters of the statistics, `libelle_long` the 200
/// characters. Dates are days, kept as midnight UTC. Lineage lists start empty: treatment 2 fills
/// them.
///
/// # Errors
/// [`Rejection::MissingField`].
pub fn cfd(row: &Document, levels: &Levels) -> Result<Certification, Rejection> {
    let code = require(row, "formation_diplome")?.to_owned();
    let parts: Vec<&str> = ["libelle_court", "libelle_stat_33"].into_iter().filter_map(|n| field(row, n)).collect();
    Ok(Certification {
        nature: Nature::Cfd,
        cfd: code.clone(),
        libelle: Some(parts.join(" ")).filter(|l| !l.is_empty()),
        libelle_long: field(row, "libelle_long_200").map(str::to_owned),
        diplome: levels.diplome(&code),
        opening_date: day_utc(row, "date_ouverture"),
        closing_date: day_utc(row, "date_fermeture"),
        niveau_formation_diplome: scalar(row, "niveau_formation_diplome"),
        specialty_group: scalar(row, "groupe_specialite"),
        specialty_letter: scalar(row, "lettre_specialite"),
        code,
        ..Certification::default()
    })
}

/// The certification (`bcn`) of a row of N_MEF. Its diploma is its CFD's.
///
/// # Errors
/// [`Rejection::MissingField`].
pub fn mef(row: &Document, levels: &Levels) -> Result<Certification, Rejection> {
    let code = require(row, "mef_stat_11")?.to_owned();
    let cfd = require(row, "formation_diplome")?.to_owned();
    let libelle = field(row, "libelle_long").map(str::to_owned);
    Ok(Certification {
        nature: Nature::Mef,
        code,
        libelle: libelle.clone(),
        libelle_long: libelle,
        diplome: levels.diplome(&cfd),
        opening_date: day_utc(row, "date_ouverture"),
        closing_date: day_utc(row, "date_fermeture"),
        cfd,
        ..Certification::default()
    })
}

/// Columns of N_MEF that documents keep, and their names there.
const MEF_COLUMNS: [(&str, &str); 19] = [
    ("mef_stat_11", "mef_stat_11"),
    ("mef", "mef"),
    ("dispositif_formation", "dispositif_formation"),
    ("formation_diplome", "formation_diplome"),
    ("duree_dispositif", "duree_dispositif"),
    ("annee_dispositif", "annee_dispositif"),
    ("libelle_court", "libelle_court"),
    ("libelle_long", "libelle_long"),
    ("statut_mef", "statut_mef"),
    ("nb_option_obligatoire", "nb_option_obligatoire"),
    ("nb_option_facultatif", "nb_option_facultatif"),
    ("renforcement_langue", "renforcement_langue"),
    ("duree_projet", "duree_projet"),
    ("duree_stage", "duree_stage"),
    ("horaire", "horaire"),
    ("mef_inscription_scolarite", "mef_inscription_scolarite"),
    ("mef_stat_9", "mef_stat_9"),
    ("libelle_edition", "libelle_edition"),
    ("n_commentaire", "commentaire"),
];

/// Columns of N_DIPLOME_SISE that documents keep.
const SISE_COLUMNS: [&str; 15] = [
    "diplome_sise",
    "type_diplome_sise",
    "voie_lmd",
    "domaine_formation",
    "libelle_intitule_1",
    "libelle_intitule_2",
    "groupe_specialite",
    "lettre_specialite",
    "secteur_disciplinaire_sise",
    "cite_domaine_formation",
    "duree",
    "nature_diplome_sise",
    "definitif",
    "cite_domaine_detaille",
    "secteur_discipl_detail_sise",
];

const DATES: [&str; 3] = ["date_ouverture", "date_fermeture", "date_intervention"];

/// The `bcn_mef` document of a row of N_MEF: the same columns, values as text, nulls left out.
///
/// # Errors
/// [`Rejection::MissingField`].
pub fn bcn_mef(row: &Document) -> Result<Document, Rejection> {
    require(row, "mef_stat_11")?;
    let mut document = Document::new();
    for (column, name) in MEF_COLUMNS {
        put(&mut document, name, scalar(row, column));
    }
    for name in DATES {
        put(&mut document, name, day_utc(row, name).map(date_value));
    }
    Ok(document)
}

/// The `bcn_sise` document of a row of N_DIPLOME_SISE, with its diploma by its type.
///
/// # Errors
/// [`Rejection::MissingField`].
pub fn bcn_sise(row: &Document, types: &SiseTypes) -> Result<Document, Rejection> {
    require(row, "diplome_sise")?;
    let mut document = Document::new();
    for name in SISE_COLUMNS {
        put(&mut document, name, scalar(row, name));
    }
    for name in DATES {
        put(&mut document, name, day_utc(row, name).map(date_value));
    }
    let diplome = scalar(row, "type_diplome_sise").and_then(|t| types.diplome(&t));
    put(&mut document, "diplome", diplome.map(Diplome::value));
    Ok(document)
}

/// Rows of N_DIPLOME_SISE that the statistics use and the nomenclature does not know: the BUT.
///
/// Columns: code, label, speciality group and letter, sector, fields of education.
const BUT: [[&str; 7]; 3] = [
    ["0000001", "CARRIERES SOCIALES", "335", "M", "35", "760", "0923"],
    ["0000002", "INFORMATION-COMMUNICATION", "320", "M", "35", "320", "0322"],
    ["0000003", "GENIE BIOLOGIQUE", "331", "R", "06", "722", "0915"],
];

/// The three fictitious rows, to be read after those of the table.
#[must_use]
pub fn but_rows() -> Vec<Document> {
    let row = |[code, libelle, group, letter, sector, domain, detail]: [&str; 7]| {
        let mut row = Document::new();
        for (name, value) in [
            ("diplome_sise", code),
            ("type_diplome_sise", "DR"),
            ("libelle_intitule_1", libelle),
            ("groupe_specialite", group),
            ("lettre_specialite", letter),
            ("secteur_disciplinaire_sise", sector),
            ("secteur_discipl_detail_sise", sector),
            ("cite_domaine_formation", domain),
            ("cite_domaine_detaille", detail),
            ("definitif", "O"),
            ("date_ouverture", "2021-09-01"),
            ("date_intervention", "2021-09-01"),
        ] {
            row.insert(name.to_owned(), value.into());
        }
        row
    };
    BUT.into_iter().map(row).collect()
}
