//! Reading staged answers: chunks in, rows out.

use crate::call::{Call, Service};
use crate::csv::{CsvFault, CsvTable, Letters};
use crate::error::SourceError;
use crate::json::{JsonFault, RowCutter};
use crate::schema::{Schema, schema};
use domain::Document;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// What was read of a service. Reports add up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadReport {
    /// Rows.
    pub rows: u64,
    /// Fields that neither the documents nor this crate know, with how many rows had them.
    pub unknown_fields: BTreeMap<String, u64>,
}

impl ReadReport {
    /// Adds the counters of another answer.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        for (field, count) in &other.unknown_fields {
            *self.unknown_fields.entry(field.clone()).or_default() += count;
        }
    }

    fn unknown(&mut self, field: &str) {
        match self.unknown_fields.get_mut(field) {
            Some(count) => *count += 1,
            None => {
                self.unknown_fields.insert(field.to_owned(), 1);
            }
        }
    }
}

/// Reads the answer of one call.
///
/// ```
/// use sources::{BcnTable, Call, AnswerReader};
/// let call = Call::Bcn { table: BcnTable::NLienFormationGroupe };
/// let mut rows = Vec::new();
/// let mut reader = AnswerReader::new(&call);
/// for chunk in [r#"{"data": [{"groupe_formation": "G0005", "forma"#, r#"tion_diplome": "40031211"}]}"#] {
///     reader.push(chunk.as_bytes(), |row| rows.push(row)).unwrap();
/// }
/// assert_eq!(reader.finish(|row| rows.push(row)).unwrap().rows, 1);
/// assert_eq!(rows[0]["formation_diplome"], "40031211");
/// ```
pub struct AnswerReader {
    service: Service,
    call: String,
    schema: Schema,
    input: Input,
    report: ReadReport,
    names: Names,
}

enum Input {
    Json(Box<RowCutter>),
    Csv(Box<CsvTable>),
}

/// A fault while reading, before it is given the names of service and call.
enum Broken {
    Json(JsonFault),
    Csv(CsvFault),
    Row,
    Field(String),
}

impl From<JsonFault> for Broken {
    fn from(fault: JsonFault) -> Self {
        Self::Json(fault)
    }
}

impl From<CsvFault> for Broken {
    fn from(fault: CsvFault) -> Self {
        Self::Csv(fault)
    }
}

impl AnswerReader {
    /// For the answer of a call.
    #[must_use]
    pub fn new(call: &Call) -> Self {
        let schema = schema(call);
        let input = match call {
            Call::Acce | Call::AcceMothers => Input::Csv(Box::new(CsvTable::new(Letters::Latin1))),
            Call::CertifInfo => Input::Csv(Box::new(CsvTable::new(Letters::Utf8))),
            _ => Input::Json(Box::new(RowCutter::new(schema.rows))),
        };
        Self {
            service: call.service(),
            call: call.label(),
            schema,
            input,
            report: ReadReport::default(),
            names: Names::of(&schema),
        }
    }

    /// Takes the next chunk, of any size; each row that ends in it goes to `each`.
    ///
    /// # Errors
    /// [`SourceError::Answer`], [`SourceError::MissingField`]. The answer is of no use then.
    pub fn push(&mut self, chunk: &[u8], each: impl FnMut(Document)) -> Result<(), SourceError> {
        if chunk.is_empty() { Ok(()) } else { self.take(chunk, each) }
    }

    /// Says that the answer is over. A last row may come then.
    ///
    /// # Errors
    /// Those of [`AnswerReader::push`].
    pub fn finish(mut self, each: impl FnMut(Document)) -> Result<ReadReport, SourceError> {
        match &self.input {
            Input::Json(rows) => {
                let finished = rows.finish();
                finished.map_err(|fault| self.error(fault.into()))?;
            }
            Input::Csv(_) => self.take(&[], each)?,
        }
        match self.names.missing.first() {
            Some(field) if self.report.rows > 0 => Err(self.error(Broken::Field((*field).to_owned()))),
            _ => Ok(self.report),
        }
    }

    fn take(&mut self, chunk: &[u8], mut each: impl FnMut(Document)) -> Result<(), SourceError> {
        let Self { input, report, names, .. } = self;
        let taken = match input {
            Input::Json(rows) => rows.push(chunk, |row| {
                each(names.row(row, report)?);
                Ok(())
            }),
            Input::Csv(table) => {
                let counts = &mut *report;
                let mut unknown = Vec::new();
                let taken = table.push(
                    chunk,
                    |columns| {
                        let missing = names.in_each.iter().find(|needed| !columns.iter().any(|name| name == *needed));
                        if let Some(name) = missing {
                            return Err(Broken::Field((*name).to_owned()));
                        }
                        let known = |name: &str| names.kept.contains(name) || names.aside.contains(name);
                        unknown.extend(columns.iter().filter(|name| !known(name)).cloned());
                        Ok(columns.iter().map(|name| !names.aside.contains(name.as_str())).collect())
                    },
                    |row| {
                        counts.rows += 1;
                        each(row);
                        Ok(())
                    },
                );
                unknown.iter().for_each(|name| report.unknown(name));
                taken
            }
        };
        taken.map_err(|broken| self.error(broken))
    }

    fn error(&self, broken: Broken) -> SourceError {
        let (service, call) = (self.service, self.call.clone());
        let answer = |reason: &str| SourceError::Answer { service, call: call.clone(), reason: reason.to_owned() };
        match broken {
            Broken::Json(JsonFault::NoRows) => match self.schema.rows {
                crate::json::RowsPlace::Member(field) => {
                    SourceError::MissingField { service, call, field: field.to_owned() }
                }
                crate::json::RowsPlace::Root => answer(JsonFault::NoRows.reason()),
            },
            Broken::Json(fault) => answer(fault.reason()),
            Broken::Csv(CsvFault::TooLong) => answer("une ligne dépasse 1 Mio"),
            Broken::Csv(CsvFault::Empty) => answer("le fichier est vide"),
            Broken::Row => answer("une ligne n'est pas un objet JSON"),
            Broken::Field(field) => SourceError::MissingField { service, call, field },
        }
    }
}

/// The names of a schema, looked up once a field.
struct Names {
    kept: HashSet<&'static str>,
    aside: HashSet<&'static str>,
    in_each: &'static [&'static str],
    /// Of the fields that some row must have, those not seen yet.
    missing: Vec<&'static str>,
}

impl Names {
    fn of(schema: &Schema) -> Self {
        let lists = schema.known.iter().chain([&schema.in_each, &schema.in_some]);
        Self {
            kept: lists.flat_map(|names| names.iter().copied()).collect(),
            aside: schema.aside.iter().copied().collect(),
            in_each: schema.in_each,
            missing: schema.in_some.to_vec(),
        }
    }

    /// Reads a row: fields left aside are skipped without being built, unknown ones counted too.
    fn row(&mut self, text: &[u8], report: &mut ReadReport) -> Result<Document, Broken> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let row = RowSeed { names: self, report }.deserialize(&mut deserializer).map_err(|_| Broken::Row)?;
        deserializer.end().map_err(|_| Broken::Row)?;
        report.rows += 1;
        if let Some(field) = self.in_each.iter().find(|field| !row.contains_key(**field)) {
            return Err(Broken::Field((*field).to_owned()));
        }
        self.missing.retain(|field| !row.contains_key(*field));
        Ok(row)
    }
}

struct RowSeed<'a> {
    names: &'a Names,
    report: &'a mut ReadReport,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = Document;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut row = Document::new();
        while let Some(name) = map.next_key::<String>()? {
            if self.names.kept.contains(name.as_str()) {
                row.insert(name, map.next_value()?);
                continue;
            }
            map.next_value::<IgnoredAny>()?;
            if !self.names.aside.contains(name.as_str()) {
                self.report.unknown(&name);
            }
        }
        Ok(row)
    }
}

/// The number of rows that the catalogue says it has, from the answer of [`Call::CatalogueTotal`].
///
/// # Errors
/// [`SourceError::Answer`], [`SourceError::MissingField`].
pub fn catalogue_total(answer: &[u8]) -> Result<u64, SourceError> {
    let (service, call) = (Service::Catalogue, Call::CatalogueTotal.label());
    let mut value: Value = serde_json::from_slice(answer).map_err(|_| SourceError::Answer {
        service,
        call: call.clone(),
        reason: JsonFault::Malformed.reason().to_owned(),
    })?;
    if let Some(inner) = value.as_str().and_then(|text| serde_json::from_str(text).ok()) {
        value = inner;
    }
    let total = value.get("pagination").and_then(|p| p.get("total")).and_then(Value::as_u64);
    total.ok_or(SourceError::MissingField { service, call, field: "pagination.total".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::BcnTable;

    fn read(call: &Call, answer: &[u8]) -> Result<(Vec<Document>, ReadReport), SourceError> {
        let mut rows = Vec::new();
        let mut reader = AnswerReader::new(call);
        for chunk in answer.chunks(7) {
            reader.push(chunk, |row| rows.push(row))?;
        }
        let report = reader.finish(|row| rows.push(row))?;
        Ok((rows, report))
    }

    fn france() -> Call {
        Call::InserJeunesFrance { millesime: "2020".into(), filiere: "apprentissage".into() }
    }

    #[test]
    fn unknown_fields_are_counted() {
        let answer = br#"{"data": [{"id_mesure": "x", "valeur_mesure": 1, "dimensions": [], "neuf": 1, "age": null}]}"#;
        let (rows, report) = read(&france(), answer).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(
            report.unknown_fields.into_iter().collect::<Vec<_>>(),
            [("age".to_owned(), 1), ("neuf".to_owned(), 1)]
        );
    }

    #[test]
    fn a_missing_field_names_service_call_and_field() {
        let error = read(&france(), br#"{"data": [{"id_mesure": "x", "dimensions": []}]}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "inserjeunes, /france/millesime/2020/filiere/apprentissage : le champ valeur_mesure manque, dont les documents ont besoin"
        );
        let call = Call::Bcn { table: BcnTable::NFormationDiplome };
        let row = br#"{"data": [{"formation_diplome": "1", "libelle_court": "", "libelle_stat_33": "", "libelle_long_200": ""}]}"#;
        let error = read(&call, row).unwrap_err();
        assert!(
            error.to_string().ends_with("le champ ancien_diplome_1 manque, dont les documents ont besoin"),
            "{error}"
        );
        assert!(read(&call, br#"{"data": []}"#).is_ok());
        let error = read(&call, br#"{"error": "x"}"#).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("/nomenclature/N_FORMATION_DIPLOME : le champ data manque, dont les documents ont besoin")
        );
    }

    #[test]
    fn the_acce_file_is_iso_8859_1() {
        let file = b"numero_uai;nature_uai;academie;pays_libe;departement_insee_3;appellation_officielle;neuf\r\n\
            0010001W;320;10;France;001;\"Lyc\xe9e; \"\"Berard\"\"\";\r\n0010002X;320;10;France;001;;1";
        let (rows, report) = read(&Call::Acce, file).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["appellation_officielle"], "Lycée; \"Berard\"");
        assert!(!rows[1].contains_key("appellation_officielle"), "empty is missing");
        assert_eq!(report.unknown_fields["neuf"], 1);
        assert!(matches!(read(&Call::Acce, b"numero_uai;nature_uai\n"), Err(SourceError::MissingField { .. })));
        assert!(read(&Call::Acce, b"").is_err());
    }

    #[test]
    fn certif_info_is_utf_8_and_of_its_columns_few_are_kept() {
        let head = "\u{feff}Code_Diplome;Libelle_Diplome;Code_RNCP;Code_Scolarité;codeIdeo2;Code_Ancien_Diplome;neuf\n";
        let text = format!("{head}12691;Master é;37440;17025121;FOR.5332;;x\n");
        let (rows, report) = read(&Call::CertifInfo, text.as_bytes()).unwrap();
        assert_eq!(rows[0]["Code_Diplome"], "12691", "the byte order mark is no part of the first name");
        assert_eq!((&rows[0]["Code_Scolarité"], rows[0].get("Libelle_Diplome")), (&"17025121".into(), None));
        assert_eq!(report.unknown_fields.into_iter().collect::<Vec<_>>(), [("neuf".to_owned(), 1)]);
        // The same file as a spreadsheet saves it.
        let latin: Vec<u8> = text.chars().filter_map(|letter| u8::try_from(u32::from(letter)).ok()).collect();
        assert_eq!(read(&Call::CertifInfo, &latin).unwrap().0, rows);
        let error = read(&Call::CertifInfo, b"Code_Diplome;Code_RNCP\n").unwrap_err();
        assert!(error.to_string().contains("le champ Code_Scolarité manque"), "{error}");
    }

    #[test]
    fn onisep_names_its_formations_in_an_address_or_by_themselves() {
        let formations = r#"[{"url_et_id_onisep": "https://onisep/slug/FOR.1", "code_scolarite": "40025214", "code_rncp": "",
            "duree": "3 ans"}]"#;
        let (rows, report) = read(&Call::Onisep, formations.as_bytes()).unwrap();
        assert_eq!((rows[0].len(), report.unknown_fields.len()), (3, 0));
        let passage = r#"[{"certif_info_ci_identifiant": "12650", "ideo_identifiant_formation": "FOR.8763",
            "ci_code_rncp": "37297", "ci_code_scolarite": "17021003"}]"#;
        assert_eq!(read(&Call::OnisepPassage, passage.as_bytes()).unwrap().0.len(), 1);
        assert!(matches!(read(&Call::OnisepPassage, formations.as_bytes()), Err(SourceError::MissingField { .. })));
        let mothers = b"numero_uai_trouve;numero_uai_mere;type_rattachement\n0010017N;0010016M;AN\n";
        assert_eq!(read(&Call::AcceMothers, mothers).unwrap().0[0]["numero_uai_mere"], "0010016M");
    }

    #[test]
    fn the_catalogue_says_its_total() {
        assert_eq!(catalogue_total(br#"{"formations": [], "pagination": {"total": 12}}"#), Ok(12));
        assert!(matches!(catalogue_total(b"{}"), Err(SourceError::MissingField { .. })));
        assert!(matches!(catalogue_total(b"{json:"), Err(SourceError::Answer { .. })));
    }
}
