//! The real tables, as the services would answer them.
//!
//! The tables are published as CSV, in the vintages their folder names; here they become the raw
//! answers of the calls, so that everything from the reader on is what the import runs.

use domain::Document;
use serde_json::{Map, Value, json};
use sources::{AnswerReader, BcnTable, Call};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The tables of a folder.
#[derive(Clone, Debug)]
pub struct Tables(PathBuf);

/// The measures that the regional table has a column for.
pub const MEASURES: [&str; 12] = [
    "nb_annee_term",
    "nb_en_emploi_6_mois",
    "nb_en_emploi_12_mois",
    "nb_en_emploi_18_mois",
    "nb_en_emploi_24_mois",
    "nb_poursuite_etudes",
    "nb_sortant",
    "taux_emploi_6_mois",
    "taux_emploi_12_mois",
    "taux_emploi_18_mois",
    "taux_emploi_24_mois",
    "taux_poursuite_etudes",
];

/// A certification, as InserJeunes tells one from the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Course {
    /// Apprenticeship, by its CFD.
    Apprentissage(String),
    /// The school track, by its MEFSTAT11.
    School(String),
    /// The school track of the ministry of agriculture, by its MEFSTAT11.
    Agricultural(String),
}

impl Course {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Apprentissage(code) | Self::School(code) | Self::Agricultural(code) => code,
        }
    }

    /// What the service calls its track.
    #[must_use]
    pub fn filiere(&self) -> &'static str {
        match self {
            Self::Apprentissage(_) => "apprentissage",
            Self::School(_) => "voie_pro_sco_educ_nat",
            Self::Agricultural(_) => "voie_pro_sco_agri",
        }
    }

    /// Rows of an answer of InserJeunes, one a measure.
    pub fn measures<'a>(&self, measures: impl IntoIterator<Item = (&'a str, f64)>) -> Vec<Document> {
        let dimension = match self {
            Self::Apprentissage(cfd) => json!([{"id_formation_apprentissage": cfd}]),
            Self::School(mef) | Self::Agricultural(mef) => json!([{"id_mefstat11": mef}]),
        };
        let row = |(name, value): (&str, f64)| {
            let mut row = Document::new();
            row.insert("id_mesure".to_owned(), name.into());
            row.insert("valeur_mesure".to_owned(), value.into());
            row.insert("filiere".to_owned(), self.filiere().into());
            row.insert("dimensions".to_owned(), dimension.clone());
            row
        };
        measures.into_iter().map(row).collect()
    }
}

/// A row of the regional table.
#[derive(Clone, Debug)]
pub struct Regional {
    /// Code of the region academique.
    pub region: String,
    /// A period.
    pub millesime: String,
    /// Which certification.
    pub course: Course,
    /// What is known of it, by name of [`MEASURES`].
    pub measures: Vec<(&'static str, f64)>,
}

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A file is not there or cannot be read.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// An answer made of it is refused.
    #[error("{0}")]
    Answer(#[from] sources::SourceError),
}

impl Tables {
    /// The folder `shared/data` beside the project, if it is there.
    #[must_use]
    pub fn beside() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        folder.exists().then_some(Self(folder))
    }

    /// The rows of a CSV file, names in lower case, empty fields as null.
    ///
    /// # Errors
    /// [`TableError::File`].
    pub fn csv(&self, name: &str) -> Result<Vec<Document>, TableError> {
        let path = self.0.join(name);
        let fail = |reason: String| TableError::File { path: name.to_owned(), reason };
        let bytes = fs::read(&path).map_err(|e| fail(e.to_string()))?;
        let text = String::from_utf8(bytes).unwrap_or_else(|e| e.as_bytes().iter().map(|b| char::from(*b)).collect());
        let text = text.trim_start_matches('\u{feff}').trim_start_matches('#');
        let mut reader =
            csv::ReaderBuilder::new().delimiter(b';').comment(Some(b'#')).flexible(true).from_reader(text.as_bytes());
        let names: Vec<String> =
            reader.headers().map_err(|e| fail(e.to_string()))?.iter().map(str::to_ascii_lowercase).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|e| fail(e.to_string()))?;
            let value = |field: &str| if field.is_empty() { Value::Null } else { field.into() };
            rows.push(names.iter().cloned().zip(record.iter().map(value)).collect());
        }
        Ok(rows)
    }

    /// The rows of a table of the BCN, as the service answers them.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn bcn_table(&self, table: BcnTable) -> Result<Vec<Document>, TableError> {
        let name = table.name();
        if table == BcnTable::NTypeDiplomeSise {
            let fail = |reason: String| TableError::File { path: name.to_owned(), reason };
            let bytes = fs::read(self.0.join(format!("bcn/{name}.json"))).map_err(|e| fail(e.to_string()))?;
            let mut answer: Value = serde_json::from_slice(&bytes).map_err(|e| fail(e.to_string()))?;
            let rows = answer.get_mut("data").map(Value::take).unwrap_or_default();
            return serde_json::from_value(rows).map_err(|e| fail(e.to_string()));
        }
        let mut rows = self.csv(&format!("bcn/{name}.csv"))?;
        for row in &mut rows {
            // Columns of another table, joined where the table was published.
            row.retain(|name, _| !name.contains('.'));
            // The tables print days as in 31/08/2025, the service as in 2025-08-31 00:00:00.
            for (name, value) in row.iter_mut().filter(|(name, _)| name.starts_with("date_")) {
                if let Some([day, month, year]) = value.as_str().map(|d| d.split('/').collect::<Vec<_>>()).as_deref() {
                    *value = format!("{year}-{month}-{day} 00:00:00").into();
                } else if name.ends_with("session") {
                    *value = value.as_str().and_then(|year| year.parse::<u32>().ok()).into();
                }
            }
        }
        Ok(rows)
    }

    /// The raw answer of a table of the BCN.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn bcn(&self, table: BcnTable) -> Result<Vec<u8>, TableError> {
        Ok(json!({"data": self.bcn_table(table)?}).to_string().into_bytes())
    }

    /// Certif Info, its columns named as the file names them.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn certif_info(&self) -> Result<Vec<Document>, TableError> {
        let kept = [
            "Code_Diplome",
            "Libelle_Diplome",
            "Code_RNCP",
            "Code_Scolarité",
            "Annee_Premiere_Session",
            "Code_Ancien_Diplome",
            "codeIdeo2",
        ];
        let rows = self.csv("certif-info/certif-info-2024.csv")?;
        let row = |row: &Document| {
            let field = |name: &str| row.get(&name.to_ascii_lowercase()).cloned().unwrap_or_default();
            kept.iter().map(|name| ((*name).to_owned(), field(name))).collect()
        };
        Ok(rows.iter().map(row).collect())
    }

    /// The rows of a table of the BCN, through its raw answer.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn bcn_rows(&self, table: BcnTable) -> Result<Vec<Document>, TableError> {
        Ok(rows(&Call::Bcn { table }, &self.bcn(table)?)?)
    }

    /// The statistics of InserJeunes by region and period.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn regional(&self) -> Result<Vec<Regional>, TableError> {
        let row = |row: Document| {
            let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let course = if text("voie") == "apprentissage" {
                Course::Apprentissage(text("cfd"))
            } else {
                Course::School(text("mefstat11"))
            };
            let number = |name: &str| row.get(name)?.as_str()?.parse::<f64>().ok();
            let measures = MEASURES.iter().filter_map(|name| Some((*name, number(name)?))).collect();
            Regional { region: text("code_region_ij"), millesime: text("millesime"), course, measures }
        };
        Ok(self.csv("inserjeunes/regional.csv")?.into_iter().map(row).collect())
    }

    /// The raw answers of InserJeunes for every region and period, with their calls.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn regions(&self) -> Result<BTreeMap<Call, Vec<u8>>, TableError> {
        let mut answers: BTreeMap<Call, Vec<Document>> = BTreeMap::new();
        for row in self.regional()? {
            let call = Call::InserJeunesRegion { region: row.region, millesime: row.millesime };
            answers.entry(call).or_default().extend(row.course.measures(row.measures));
        }
        let raw = |rows: Vec<Document>| json!({"data": rows}).to_string().into_bytes();
        Ok(answers.into_iter().map(|(call, rows)| (call, raw(rows))).collect())
    }

    /// The rows of the catalogue, as the service names its fields.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn catalogue(&self) -> Result<Vec<Document>, TableError> {
        let rows = self.csv("catalogue-apprentissage/formations-2020.csv")?;
        let row = |(rank, row): (usize, Document)| {
            let field = |name: &str| row.get(name).cloned().unwrap_or_default();
            let mut out = Map::new();
            out.insert("_id".to_owned(), format!("{rank:024x}").into());
            out.insert("cfd".to_owned(), field("cfd"));
            out.insert("uai_formation".to_owned(), field("etablissement_lieu_formation_uai"));
            for name in ["etablissement_formateur_uai", "etablissement_gestionnaire_uai", "rncp_code"] {
                out.insert(name.to_owned(), field(name));
            }
            out
        };
        Ok(rows.into_iter().enumerate().map(row).collect())
    }

    /// The establishments, as rows of the ACCE file.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn acce(&self) -> Result<Vec<Document>, TableError> {
        let mut rows = self.csv("etablissements/uai.csv")?;
        for row in &mut rows {
            if let Some(name) = row.get("nom").cloned() {
                row.insert("appellation_officielle".to_owned(), name);
            }
            row.insert("pays_libe".to_owned(), "France".into());
        }
        Ok(rows)
    }
}

/// The rows of a raw answer.
///
/// # Errors
/// Those of the reader.
pub fn rows(call: &Call, answer: &[u8]) -> Result<Vec<Document>, sources::SourceError> {
    let mut rows = Vec::new();
    let mut reader = AnswerReader::new(call);
    for chunk in answer.chunks(65_536) {
        reader.push(chunk, |row| rows.push(row))?;
    }
    reader.finish(|row| rows.push(row))?;
    Ok(rows)
}
