//! The real tables, as the services would answer them.
//!
//! The tables are published as CSV, in the vintages their folder names; here they become the raw
//! answers of the calls, so that everything from the reader on is what the import runs.

use domain::Document;
use serde_json::{Map, Value, json};
use sources::{BcnTable, Call, Reader};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The tables of a folder.
#[derive(Clone, Debug)]
pub struct Tables(PathBuf);

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

    /// The raw answer of a table of the BCN.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn bcn(&self, table: BcnTable) -> Result<Vec<u8>, TableError> {
        let name = table.name();
        if table == BcnTable::NTypeDiplomeSise {
            let fail = |e: std::io::Error| TableError::File { path: name.to_owned(), reason: e.to_string() };
            return fs::read(self.0.join(format!("bcn/{name}.json"))).map_err(fail);
        }
        let mut rows = self.csv(&format!("bcn/{name}.csv"))?;
        for row in &mut rows {
            // The tables print days as in 31/08/2025, the service as in 2025-08-31 00:00:00.
            for (name, value) in row.iter_mut().filter(|(name, _)| name.starts_with("date_")) {
                if let Some([day, month, year]) = value.as_str().map(|d| d.split('/').collect::<Vec<_>>()).as_deref() {
                    *value = format!("{year}-{month}-{day} 00:00:00").into();
                } else if name.ends_with("session") {
                    *value = value.as_str().and_then(|year| year.parse::<u32>().ok()).into();
                }
            }
        }
        Ok(json!({"data": rows}).to_string().into_bytes())
    }

    /// The rows of a table of the BCN, through its raw answer.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn bcn_rows(&self, table: BcnTable) -> Result<Vec<Document>, TableError> {
        Ok(rows(&Call::Bcn { table }, &self.bcn(table)?)?)
    }

    /// The raw answers of InserJeunes for every region and period, with their calls.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn regions(&self) -> Result<BTreeMap<Call, Vec<u8>>, TableError> {
        let mut answers: BTreeMap<Call, Vec<Value>> = BTreeMap::new();
        for row in self.csv("inserjeunes/regional.csv")? {
            let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let call = Call::InserJeunesRegion { region: text("code_region_ij"), millesime: text("millesime") };
            let (filiere, dimension) = if text("voie") == "apprentissage" {
                ("apprentissage", json!({"id_formation_apprentissage": text("cfd")}))
            } else {
                ("voie_pro_sco_educ_nat", json!({"id_mefstat11": text("mefstat11")}))
            };
            let measures = row.iter().filter(|(name, _)| name.starts_with("nb_") || name.starts_with("taux_"));
            for (name, value) in measures {
                if let Some(value) = value.as_str().and_then(|v| v.parse::<f64>().ok()) {
                    answers.entry(call.clone()).or_default().push(json!({"id_mesure": name, "valeur_mesure": value,
                        "filiere": filiere, "dimensions": [dimension]}));
                }
            }
        }
        let raw = |rows: Vec<Value>| json!({"data": rows}).to_string().into_bytes();
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
            for name in ["etablissement_formateur_uai", "etablissement_gestionnaire_uai"] {
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
    let mut reader = Reader::new(call);
    for chunk in answer.chunks(65_536) {
        reader.push(chunk, |row| rows.push(row))?;
    }
    reader.finish(|row| rows.push(row))?;
    Ok(rows)
}
