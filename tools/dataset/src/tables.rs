//! Reads the reference tables: CSV files with `;`, in UTF-8 or ISO-8859-1.
//!
//! The nomenclature follows the import's rules (contract, "Nomenclature"), as far as pushed
//! documents need it: labels, levels, dates, and the lineage of CFDs.

use crate::{Error, document};
use csv::{ReaderBuilder, StringRecord};
use domain::{Document, date};
use serde_json::Value;
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

/// A row of a table, by column name.
pub(crate) struct Row<'a> {
    path: &'a Path,
    columns: &'a HashMap<String, usize>,
    record: &'a StringRecord,
}

impl Row<'_> {
    /// A value, without outer spaces; `None` where it is empty or where the table has no such column.
    pub(crate) fn get(&self, column: &str) -> Option<&str> {
        let value = self.record.get(*self.columns.get(column)?)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// A value that no row may lack.
    pub(crate) fn need(&self, column: &str) -> Result<&str, Error> {
        self.get(column).ok_or_else(|| self.error(&format!("no {column}")))
    }

    /// A whole number, where there is one.
    pub(crate) fn number(&self, column: &str) -> Result<Option<u32>, Error> {
        let number = |text: &str| text.parse().map_err(|_| self.error(&format!("{column}: {text} is no whole number")));
        self.get(column).map(number).transpose()
    }

    /// A day written `31/08/2010`, as the instant of its midnight.
    fn day(&self, column: &str) -> Result<Option<String>, Error> {
        let day = |text: &str| {
            let iso = match text.split('/').collect::<Vec<_>>().as_slice() {
                [day_text, month, year] => format!("{year:0>4}-{month:0>2}-{day_text:0>2}"),
                _ => text.get(..10).unwrap_or(text).to_owned(),
            };
            date::read_iso(&iso).map(date::write_iso).ok_or_else(|| self.error(&format!("{column}: {text} is no day")))
        };
        self.get(column).map(day).transpose()
    }

    /// What is wrong with this row.
    pub(crate) fn error(&self, reason: &str) -> Error {
        let line = self.record.position().map_or(0, csv::Position::line);
        Error::Table { path: self.path.to_owned(), reason: format!("line {line}: {reason}") }
    }
}

/// Calls `each` with every row of a table.
///
/// Lines that begin with `# ` are comments; a `#` before the first column's name is none of its name.
pub(crate) fn each_row(path: &Path, mut each: impl FnMut(&Row<'_>) -> Result<(), Error>) -> Result<(), Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => Cow::Borrowed(text.trim_start_matches('\u{feff}')),
        // ISO-8859-1: every byte is the code point of the same number.
        Err(_) => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
    };
    let text: Cow<'_, str> = match text.strip_prefix('#') {
        Some(rest) => Cow::Owned(rest.split_inclusive('\n').filter(|line| !line.starts_with("# ")).collect()),
        None => text,
    };
    let table = |error: csv::Error| Error::Table { path: path.to_owned(), reason: error.to_string() };
    let mut reader = ReaderBuilder::new().delimiter(b';').flexible(true).from_reader(text.as_bytes());
    let columns: HashMap<String, usize> = reader
        .headers()
        .map_err(table)?
        .iter()
        .enumerate()
        .map(|(rank, name)| (name.trim().to_owned(), rank))
        .collect();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(table)? {
        each(&Row { path, columns: &columns, record: &record })?;
    }
    Ok(())
}

/// A diploma: an entry of the nomenclature that MEFs hang on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cfd {
    pub libelle: String,
    pub libelle_long: String,
    pub diplome: Option<(String, String)>,
    pub opening_date: Option<String>,
    pub closing_date: Option<String>,
    pub first_session: Option<String>,
    pub last_session: Option<String>,
    pub level: String,
    pub group: Option<String>,
    pub letter: Option<String>,
    pub old_codes: Vec<String>,
    pub new_ones: Vec<String>,
}

/// A year of a course under school status.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mef {
    pub cfd: String,
    pub libelle_long: String,
    pub opening_date: Option<String>,
    pub closing_date: Option<String>,
    pub duration: u32,
    pub year: u32,
    /// Its row, as the import keeps it (`bcn_mef`).
    pub entry: Document,
}

/// A diploma of higher education.
#[derive(Clone, Debug)]
pub(crate) struct Sise {
    pub libelle: String,
    pub diplome: Option<(String, String)>,
    /// Its row, as the import keeps it (`bcn_sise`).
    pub entry: Document,
}

/// The tables of the BCN, by code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nomenclature {
    pub cfds: BTreeMap<String, Cfd>,
    pub mefs: BTreeMap<String, Mef>,
    /// Rows of N_MEF whose MEFSTAT11 another row has too: the matching finds them by their MEF.
    pub doubled: Vec<Document>,
    pub sises: BTreeMap<String, Sise>,
    /// Label of a famille de metiers by its code.
    pub families: BTreeMap<String, String>,
    /// Famille of a CFD.
    pub family_of_cfd: BTreeMap<String, String>,
}

/// Level of a diploma by the first digit of its CFD, or by the interministerial level of its type.
fn level(digit: &str) -> Option<&'static str> {
    Some(match digit {
        "5" => "3",
        "4" => "4",
        "3" => "5",
        "2" => "6",
        "1" => "7",
        "0" => "0",
        _ => return None,
    })
}

impl Nomenclature {
    /// Reads `bcn/` of a folder of reference data.
    pub(crate) fn read(data: &Path) -> Result<Self, Error> {
        let table = |name: &str| data.join("bcn").join(name);
        let mut bcn = Self::default();
        let mut courts: HashMap<String, String> = HashMap::new();
        each_row(&table("N_NIVEAU_FORMATION_DIPLOME.csv"), |row| {
            if let Some(short) = row.get("LIBELLE_COURT") {
                courts.insert(row.need("NIVEAU_FORMATION_DIPLOME")?.to_owned(), short.to_owned());
            }
            Ok(())
        })?;
        // In this order, a later table wins (contract, "Treatments").
        for name in ["V_FORMATION_DIPLOME.csv", "N_FORMATION_DIPLOME.csv", "N_FORMATION_DIPLOME_ENQUETE_51.csv"] {
            each_row(&table(name), |row| bcn.add_cfd(row, &courts))?;
        }
        each_row(&table("N_FORMATION_DIPLOME.csv"), |row| bcn.add_lineage(row))?;
        each_row(&table("N_MEF.csv"), |row| bcn.add_mef(row))?;
        bcn.add_sises(&table("N_TYPE_DIPLOME_SISE.json"), &table("N_DIPLOME_SISE.csv"))?;
        each_row(&table("N_GROUPE_FORMATION.csv"), |row| {
            let libelle = row.get("LIBELLE_EDITION").unwrap_or_default().to_owned();
            bcn.families.insert(row.need("GROUPE_FORMATION")?.to_owned(), libelle);
            Ok(())
        })?;
        each_row(&table("N_LIEN_FORMATION_GROUPE.csv"), |row| {
            bcn.family_of_cfd
                .insert(row.need("FORMATION_DIPLOME")?.to_owned(), row.need("GROUPE_FORMATION")?.to_owned());
            Ok(())
        })?;
        Ok(bcn)
    }

    fn add_cfd(&mut self, row: &Row<'_>, courts: &HashMap<String, String>) -> Result<(), Error> {
        let code = row.need("FORMATION_DIPLOME")?;
        let text = |column: &str| row.get(column).map(str::to_owned);
        let diplome = level(code.get(..1).unwrap_or_default())
            .zip(courts.get(code.get(..3).unwrap_or_default()))
            .map(|(level, short)| (level.to_owned(), short.clone()));
        let mut cfd = Cfd {
            libelle: [row.get("LIBELLE_COURT"), row.get("LIBELLE_STAT_33")].map(Option::unwrap_or_default).join(" "),
            libelle_long: text("LIBELLE_LONG_200").unwrap_or_default(),
            diplome,
            opening_date: row.day("DATE_OUVERTURE")?,
            closing_date: row.day("DATE_FERMETURE")?,
            level: text("NIVEAU_FORMATION_DIPLOME").unwrap_or_default(),
            group: text("GROUPE_SPECIALITE"),
            letter: text("LETTRE_SPECIALITE"),
            ..Cfd::default()
        };
        // One table was damaged on its way (a replacement character, read as ISO-8859-1): its labels
        // do not replace whole ones.
        let damaged = |text: &str| text.contains("ï¿½") || text.contains('\u{fffd}');
        if let Some(before) = self.cfds.get(code) {
            if damaged(&cfd.libelle) {
                cfd.libelle.clone_from(&before.libelle);
            }
            if damaged(&cfd.libelle_long) {
                cfd.libelle_long.clone_from(&before.libelle_long);
            }
        }
        self.cfds.insert(code.to_owned(), cfd);
        Ok(())
    }

    /// Old and new diplomas, symmetric, among known codes only, never of themselves.
    fn add_lineage(&mut self, row: &Row<'_>) -> Result<(), Error> {
        let code = row.need("FORMATION_DIPLOME")?.to_owned();
        if let Some(cfd) = self.cfds.get_mut(&code) {
            cfd.first_session = row.get("DATE_PREMIERE_SESSION").map(str::to_owned);
            cfd.last_session = row.get("DATE_DERNIERE_SESSION").map(str::to_owned);
        }
        for rank in 1..=7 {
            if let Some(old) = row.get(&format!("ANCIEN_DIPLOME_{rank}")) {
                self.link(old, &code);
            }
            if let Some(new) = row.get(&format!("NOUVEAU_DIPLOME_{rank}")) {
                self.link(&code, new);
            }
        }
        Ok(())
    }

    fn link(&mut self, old: &str, new: &str) {
        if old == new || !self.cfds.contains_key(old) || !self.cfds.contains_key(new) {
            return;
        }
        let add = |list: &mut Vec<String>, code: &str| {
            if !list.iter().any(|c| c == code) {
                list.push(code.to_owned());
            }
        };
        if let Some(cfd) = self.cfds.get_mut(old) {
            add(&mut cfd.new_ones, new);
        }
        if let Some(cfd) = self.cfds.get_mut(new) {
            add(&mut cfd.old_codes, old);
        }
    }

    fn add_mef(&mut self, row: &Row<'_>) -> Result<(), Error> {
        let code = row.need("MEF_STAT_11")?;
        let mut entry = Document::new();
        entry.insert("mef_stat_11".into(), code.into());
        for column in [
            "MEF",
            "DISPOSITIF_FORMATION",
            "FORMATION_DIPLOME",
            "DUREE_DISPOSITIF",
            "ANNEE_DISPOSITIF",
            "LIBELLE_COURT",
            "LIBELLE_LONG",
            "STATUT_MEF",
            "NB_OPTION_OBLIGATOIRE",
            "NB_OPTION_FACULTATIF",
            "RENFORCEMENT_LANGUE",
            "DUREE_PROJET",
            "DUREE_STAGE",
            "HORAIRE",
            "MEF_INSCRIPTION_SCOLARITE",
            "MEF_STAT_9",
            "LIBELLE_EDITION",
            "N_COMMENTAIRE",
        ] {
            if let Some(value) = row.get(column) {
                entry.insert(column.trim_start_matches("N_").to_lowercase(), value.into());
            }
        }
        for column in ["DATE_OUVERTURE", "DATE_FERMETURE", "DATE_INTERVENTION"] {
            if let Some(day) = row.day(column)? {
                entry.insert(column.to_lowercase(), day.into());
            }
        }
        let mef = Mef {
            cfd: row.need("FORMATION_DIPLOME")?.to_owned(),
            libelle_long: row.get("LIBELLE_LONG").unwrap_or_default().to_owned(),
            opening_date: row.day("DATE_OUVERTURE")?,
            closing_date: row.day("DATE_FERMETURE")?,
            duration: row.number("DUREE_DISPOSITIF")?.unwrap_or(1),
            year: row.number("ANNEE_DISPOSITIF")?.unwrap_or(1),
            entry,
        };
        if let Some(same) = self.mefs.insert(code.to_owned(), mef) {
            self.doubled.push(same.entry);
        }
        Ok(())
    }

    fn add_sises(&mut self, types: &Path, diplomes: &Path) -> Result<(), Error> {
        let bytes = std::fs::read(types).map_err(|source| Error::File { path: types.to_owned(), source })?;
        let answer: Value = serde_json::from_slice(&bytes)
            .map_err(|error| Error::Table { path: types.to_owned(), reason: error.to_string() })?;
        let text = |row: &Value, field: &str| row.get(field).and_then(Value::as_str).map(str::to_owned);
        let types: HashMap<String, (String, String)> = answer
            .get("data")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|row| {
                let level = level(&text(row, "niveau_interministeriel")?)?;
                Some((text(row, "type_diplome_sise")?, (level.to_owned(), text(row, "libelle_court")?)))
            })
            .collect();
        each_row(diplomes, |row| {
            let code = row.need("DIPLOME_SISE")?;
            let diplome = row.get("TYPE_DIPLOME_SISE").and_then(|t| types.get(t)).cloned();
            let mut entry = Document::new();
            for column in [
                "DIPLOME_SISE",
                "TYPE_DIPLOME_SISE",
                "SECTEUR_DISCIPLINAIRE_SISE",
                "LIBELLE_INTITULE_1",
                "LIBELLE_INTITULE_2",
            ] {
                if let Some(value) = row.get(column) {
                    entry.insert(column.to_lowercase(), value.into());
                }
            }
            if let Some((level_name, short)) = &diplome {
                entry.insert("diplome".into(), document::diplome_value((level_name, short)));
            }
            let libelle = row.get("LIBELLE_INTITULE_1").unwrap_or_default().to_owned();
            self.sises.insert(code.to_owned(), Sise { libelle, diplome, entry });
            Ok(())
        })
    }

    /// The CFD that a CFD or MEF belongs to, and its entry.
    pub(crate) fn cfd_of<'a>(&'a self, code: &'a str) -> Option<(&'a str, &'a Cfd)> {
        let cfd = self.mefs.get(code).map_or(code, |mef| mef.cfd.as_str());
        Some((cfd, self.cfds.get(cfd)?))
    }

    /// The nomenclature's entry of a CFD or a MEF, as a pushed document.
    pub(crate) fn entry(&self, code: &str) -> Option<Document> {
        let (code_cfd, cfd) = self.cfd_of(code)?;
        let mef = self.mefs.get(code);
        let mut doc = Document::new();
        doc.insert("type".into(), if mef.is_some() { "mef" } else { "cfd" }.into());
        doc.insert("code_certification".into(), code.into());
        doc.insert("code_formation_diplome".into(), code_cfd.into());
        let libelle = mef.map_or(&cfd.libelle, |mef| &mef.libelle_long);
        doc.insert("libelle".into(), libelle.clone().into());
        // A MEF takes the long label of its CFD.
        doc.insert("libelle_long".into(), cfd.libelle_long.clone().into());
        if let Some((level, short)) = &cfd.diplome {
            doc.insert("diplome".into(), document::diplome_value((level, short)));
        }
        let (opening, closing) = match mef {
            Some(mef) => (&mef.opening_date, &mef.closing_date),
            None => (&cfd.opening_date, &cfd.closing_date),
        };
        for (field, value) in [
            ("date_ouverture", opening),
            ("date_fermeture", closing),
            ("date_premiere_session", &cfd.first_session),
            ("date_derniere_session", &cfd.last_session),
        ] {
            if let Some(value) = value {
                doc.insert(field.into(), value.clone().into());
            }
        }
        // The lineage of MEFs is a treatment of its own, left to the import.
        let codes = |list: &[String]| if mef.is_some() { Value::Array(Vec::new()) } else { list.to_vec().into() };
        doc.insert("ancien_diplome".into(), codes(&cfd.old_codes));
        doc.insert("nouveau_diplome".into(), codes(&cfd.new_ones));
        if mef.is_none() {
            doc.insert("niveauFormationDiplome".into(), cfd.level.clone().into());
            for (field, value) in [("groupeSpecialite", &cfd.group), ("lettreSpecialite", &cfd.letter)] {
                if let Some(value) = value {
                    doc.insert(field.into(), value.clone().into());
                }
            }
        }
        Some(doc)
    }
}

/// An establishment of the directory: its UAI, name, academie and row as a pushed document.
#[derive(Clone, Debug)]
pub(crate) struct Etablissement {
    pub uai: String,
    pub name: String,
    pub academie: String,
    pub doc: Document,
}

/// Reads the directory of establishments, in the shape of the ACCE collection.
pub(crate) fn etablissements(data: &Path) -> Result<Vec<Etablissement>, Error> {
    const FIELDS: [(&str, &str); 12] = [
        ("numero_uai", "numero_uai"),
        ("academie", "academie"),
        ("academie_libe", "academie_libe"),
        ("appellation_officielle", "nom"),
        ("departement_insee_3", "departement_insee_3"),
        ("departement_insee_3_libe", "departement_insee_3_libe"),
        ("code_postal_uai", "code_postal"),
        ("commune", "commune"),
        ("commune_libe", "commune_libe"),
        ("nature_uai", "nature_uai"),
        ("secteur_public_prive", "secteur"),
        ("numero_siren_siret_uai", "siret"),
    ];
    let mut list = Vec::new();
    each_row(&data.join("etablissements/uai.csv"), |row| {
        let mut doc = Document::new();
        for (field, column) in FIELDS {
            if let Some(value) = row.get(column) {
                doc.insert(field.into(), value.into());
            }
        }
        list.push(Etablissement {
            uai: row.need("numero_uai")?.to_owned(),
            name: row.get("nom").unwrap_or_default().to_owned(),
            academie: row.get("academie").unwrap_or_default().to_owned(),
            doc,
        });
        Ok(())
    })?;
    Ok(list)
}

/// The table of regional figures.
pub(crate) fn regional_csv(data: &Path) -> PathBuf {
    data.join("inserjeunes/regional.csv")
}
