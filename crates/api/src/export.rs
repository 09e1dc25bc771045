//! Options of the exports: labels, chosen columns, a form that Excel reads as it is meant.
//!
//! An export without options leaves as it lies in the store, and its bytes never change. With options each row is still that
//! row: its cells are chosen and moved, and never made anew, so what is hidden in it stays hidden. Labels come from the row of
//! the JSON list, which lies beside it under the same rank: a value of 200 rows for 512 of the CSV, so three gets more for each
//! one. That was chosen over a look-up by code: a get for each code that an instance does not hold. Of the JSON row the
//! texts of [`LABELS`] are read and nothing else.
//!
//! Known by the component `lists` alone; documents and other paths of lists link none of it.

use crate::error::ApiError;
use crate::list::{FoundList, List, ListShape, RowReader, SlicedRows};
use crate::parameters::{ListFormat, ListParameters, OPTIONS};
use crate::response::Response;
use domain::{Maille, date, indicator};
use serde::Deserialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::cell::RefCell;
use store::kv::{KeyValue, StoreError};
use store::list::{Format, SegmentSlice};
use store::segment::RowStyle;
use store::shelf::StoredValue;

/// What an export was asked for beside its rows.
#[derive(Debug, Default)]
pub(crate) struct ExportDemand {
    /// An option was named, whatever its value.
    any: bool,
    labels: bool,
    excel: bool,
    columns: Option<Vec<String>>,
    faults: Vec<Value>,
}

/// A fault of an option. No recorded answer has one, so it speaks French.
pub(crate) fn fault(name: &str, message: &str, value: Value, valid: &[&str]) -> Value {
    json!({
        "message": format!("« {name} » {message}"), "path": [name], "type": "any.only",
        "context": {"valids": valid, "label": name, "value": value, "key": name},
    })
}

impl ListShape for ExportDemand {
    type Rows<K: KeyValue + 'static> = ExportRows<K>;

    fn take(&mut self, sent: &mut Vec<(String, Vec<String>)>) {
        for option in OPTIONS {
            let Some(rank) = sent.iter().position(|(name, _)| name == option) else { continue };
            let (_, values) = sent.remove(rank);
            self.any = true;
            let one = if let [one] = values.as_slice() { Some(one.as_str()) } else { None };
            match (option, one) {
                ("colonnes", Some(one)) => self.columns = Some(one.split([',', '|']).map(str::to_owned).collect()),
                ("colonnes", None) => {
                    self.faults.push(fault(option, "se donne une fois, avec des virgules", values.into(), &[]));
                }
                ("libelles", Some("0" | "1")) => self.labels = one == Some("1"),
                ("excel", Some("0" | "1")) => self.excel = one == Some("1"),
                _ => self.faults.push(fault(option, "vaut 1 ou 0", values.into(), &["1", "0"])),
            }
        }
    }

    fn check(&mut self, read: Result<ListParameters, ApiError>) -> Result<ListParameters, ApiError> {
        let own = &mut self.faults;
        match read {
            Ok(parameters) if self.any && parameters.format != ListFormat::Csv => {
                own.push(fault("ext", "doit être csv : ces options valent pour un CSV", Value::Null, &["csv"]));
                Err(ApiError::Validation(std::mem::take(own), "".into()))
            }
            Ok(parameters) if own.is_empty() => Ok(parameters),
            Ok(_) => Err(ApiError::Validation(std::mem::take(own), "".into())),
            Err(ApiError::Validation(mut faults, said)) => {
                faults.append(own);
                Err(ApiError::Validation(faults, said))
            }
            Err(other) => Err(other),
        }
    }

    fn shape<K: KeyValue + 'static>(
        self,
        found: &FoundList<'_>,
        response: &mut Response,
        rows: RowReader<K>,
    ) -> Result<ExportRows<K>, ApiError> {
        let (csv_rows, json_rows) = (found.plan.csv_rows, found.plan.json_rows);
        let mut columns = None;
        if self.any {
            let name = self.file_name(found, &rows.reader.pointer().generation);
            response.headers.retain(|(name, _)| *name != "content-disposition");
            response.headers.push(("content-disposition", ["attachment; filename=", &name].concat().into()));
            columns = Some(self.columns(found.list, &found.plan.csv_header)?);
        }
        Ok(ExportRows { rows, columns, csv_rows, json_rows, last: RefCell::default() })
    }
}

impl ExportDemand {
    /// What a file holds, in its name: the list, what it was filtered by, its options, the generation and the day.
    fn file_name(&self, found: &FoundList<'_>, generation: &str) -> String {
        fn several<'a>(name: &str, values: impl Iterator<Item = &'a str>) -> String {
            let values: Vec<&str> = values.collect();
            match values.len() {
                0 => String::new(),
                1..=3 => [name, &values.join("+")].concat(),
                many => [&many.to_string(), "-", name.trim_end_matches('_')].concat(),
            }
        }
        let (list, parameters) = (found.list, found.parameters);
        let texts = |texts: &[String], name: &str| several(name, texts.iter().map(String::as_str));
        let millesimes = match (list, parameters.millesimes.as_slice()) {
            (List::Bcn, _) => String::new(),
            (_, []) => "en-vigueur".to_owned(),
            (_, some) => several("", some.iter().map(domain::Millesime::as_str)),
        };
        let flag = |set: bool, name: &str| if set { name.to_owned() } else { String::new() };
        let parts = [
            list.name().to_owned(),
            millesimes,
            texts(&parameters.regions, "regions_"),
            texts(&parameters.academies, "academies_"),
            several("uais_", parameters.uais.iter().map(domain::Uai::as_str)),
            several("codes_", parameters.codes.iter().map(domain::CodeCertification::as_str)),
            flag(found.part, &["page_", &parameters.page.to_string()].concat()),
            flag(self.labels, "libelles"),
            flag(self.excel, "excel"),
            self.columns.as_ref().map(|names| [&names.len().to_string(), "-colonnes"].concat()).unwrap_or_default(),
            generation.to_owned(),
            date::write_day(found.now),
        ];
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        parts.join("-") + ".csv"
    }

    /// The columns that leave, of those that the export has.
    fn columns(&self, list: &List, header: &str) -> Result<ExportColumns, ApiError> {
        let written = header.trim_end_matches('\n').split(';').enumerate();
        let labels = labels(list);
        let known: Vec<ExportColumn<'_>> = written
            .map(|(rank, name)| ExportColumn { name, source: CellSource::Written(rank) })
            .chain(labels.iter().map(|(name, path)| ExportColumn { name, source: CellSource::Label(path) }))
            .collect();
        let mut chosen: Vec<ExportColumn<'_>> = Vec::new();
        match &self.columns {
            None => chosen.extend(known.iter().filter(|column| !column.source.is_label())),
            Some(names) => {
                for name in names {
                    let column = known.iter().find(|column| column.name == name);
                    let message = match column {
                        None => "a une colonne inconnue : celles qu’il y a sont dans « context.valids »",
                        // Else a short address would ask for rows of any length.
                        Some(column) if chosen.contains(column) => "nomme une colonne deux fois",
                        Some(column) => {
                            chosen.push(*column);
                            continue;
                        }
                    };
                    let valid: Vec<&str> = known.iter().map(|column| column.name).collect();
                    let fault = fault("colonnes", message, name.as_str().into(), &valid);
                    return Err(ApiError::Validation(vec![fault], "".into()));
                }
            }
        }
        if self.labels {
            for column in known.iter().filter(|column| column.source.is_label()) {
                if !chosen.contains(column) {
                    chosen.push(*column);
                }
            }
        }
        let names: Vec<&str> = chosen.iter().map(|column| column.name).collect();
        let mark = if self.excel { "\u{feff}" } else { "" };
        Ok(ExportColumns {
            header: [mark, &names.join(";"), "\n"].concat().into_bytes(),
            labels: chosen.iter().any(|column| column.source.is_label()),
            cells: chosen.iter().map(|column| (column.source, indicator::is_indicator(column.name))).collect(),
            excel: self.excel,
        })
    }
}

/// A column of labels: its name, and where its text lies in a JSON row.
type LabelColumn = (&'static str, &'static [&'static str]);

/// Columns of labels, those that every list has first. None is a figure.
const LABELS: [LabelColumn; 7] = [
    ("libelle", &["libelle"]),
    ("diplome_libelle", &["diplome", "libelle"]),
    ("region_code", &["region", "code"]),
    ("region_nom", &["region", "nom"]),
    ("academie_code", &["academie", "code"]),
    ("academie_nom", &["academie", "nom"]),
    ("libelle_etablissement", &["libelle_etablissement"]),
];

/// Those that a list has: the nomenclature's are columns of its own already, and so is the name of a region.
fn labels(list: &List) -> &'static [LabelColumn] {
    let count = match list {
        List::Statistics(Maille::National) => 2,
        List::Statistics(Maille::Regionale) => 3,
        List::Statistics(_) => LABELS.len(),
        List::Declared(_) | List::Bcn => 0,
    };
    LABELS.get(..count).unwrap_or_default()
}

/// Where a cell comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CellSource {
    /// That place of the row as it lies in the store.
    Written(usize),
    /// That text of the JSON row.
    Label(&'static [&'static str]),
}

impl CellSource {
    fn is_label(self) -> bool {
        matches!(self, Self::Label(_))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ExportColumn<'a> {
    name: &'a str,
    source: CellSource,
}

/// The columns that leave.
#[derive(Debug)]
struct ExportColumns {
    header: Vec<u8>,
    /// Whether JSON rows are needed.
    labels: bool,
    /// Of each column, and whether it holds numbers.
    cells: Vec<(CellSource, bool)>,
    excel: bool,
}

/// The texts of a JSON row that labels come from. Whatever else it holds is passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LabelTexts {
    libelle: Value,
    diplome: Value,
    region: Value,
    academie: Value,
    libelle_etablissement: Value,
}

impl LabelTexts {
    fn text(&self, path: &[&str]) -> &str {
        let (first, rest) = path.split_first().unwrap_or((&"", &[]));
        let value = match *first {
            "libelle" => &self.libelle,
            "diplome" => &self.diplome,
            "region" => &self.region,
            "academie" => &self.academie,
            _ => &self.libelle_etablissement,
        };
        rest.iter().try_fold(value, |value, field| value.get(field)).and_then(Value::as_str).unwrap_or_default()
    }
}

impl ExportColumns {
    fn append(&self, out: &mut Vec<u8>, cells: &[&[u8]], labels: &LabelTexts) -> Option<()> {
        for (rank, (source, number)) in self.cells.iter().enumerate() {
            if rank > 0 {
                out.push(b';');
            }
            let cell = match source {
                CellSource::Written(place) => Cow::Borrowed(*cells.get(*place)?),
                CellSource::Label(path) => quoted(labels.text(path)),
            };
            match (self.excel, number) {
                (false, _) => out.extend_from_slice(&cell),
                (true, true) => out.extend(cell.iter().map(|byte| if *byte == b'.' { b',' } else { *byte })),
                (true, false) => append_for_excel(out, &cell),
            }
        }
        out.push(b'\n');
        Some(())
    }
}

/// A text as a cell: quoted where the separator, a quote or a line end would break its row.
fn quoted(text: &str) -> Cow<'_, [u8]> {
    if !text.contains([';', '"', '\n', '\r']) {
        return text.as_bytes().into();
    }
    ["\"", &text.replace('"', "\"\""), "\""].concat().into_bytes().into()
}

/// Characters of a text in a formula, at most: Excel's own bound.
const FORMULA_TEXT_MAX: usize = 255;

/// A text that Excel leaves alone. What begins like a number would lose its zeros (`01099051`) or become a power of ten
/// (`4002E514`), what begins like a formula would be reckoned: both are written as the formula of that very text, `="…"`, which
/// is the one form that Excel honours when a CSV is opened.
fn append_for_excel(out: &mut Vec<u8>, cell: &[u8]) {
    let inner = cell.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let text = String::from_utf8_lossy(inner.unwrap_or(cell));
    let begins = text.trim_start().bytes().next();
    if !begins.is_some_and(|b| b.is_ascii_digit() || matches!(b, b'=' | b'+' | b'-' | b'@')) {
        out.extend_from_slice(cell);
        return;
    }
    // Inside quotes a quote is written twice already; in the text of a formula it is once more.
    let (start, text, end) = if text.chars().count() > FORMULA_TEXT_MAX {
        ("\"'", text, "\"")
    } else {
        ("\"=\"\"", text.replace("\"\"", "\"\"\"\"").into(), "\"\"\"")
    };
    for part in [start, &text, end] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Takes the next row off a CSV: its cells as they are written. `None` where there is no whole row.
fn next_row<'a>(csv: &mut &'a [u8], cells: &mut Vec<&'a [u8]>) -> Option<()> {
    cells.clear();
    let (mut start, mut quoted) = (0, false);
    for (at, byte) in csv.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b';' | b'\n' if !quoted => {
                cells.push(csv.get(start..at)?);
                start = at + 1;
                if *byte == b'\n' {
                    *csv = csv.get(start..)?;
                    return Some(());
                }
            }
            _ => {}
        }
    }
    None
}

/// The rows of an export. Held at once: a slice of the CSV, and the JSON rows of one value.
pub(crate) struct ExportRows<K> {
    rows: RowReader<K>,
    /// `None`: as they lie.
    columns: Option<ExportColumns>,
    csv_rows: usize,
    json_rows: usize,
    /// The value of JSON rows that was read last: where slices meet, both lie in it.
    last: RefCell<Option<(usize, StoredValue)>>,
}

impl<K: KeyValue + 'static> ExportRows<K> {
    /// Rows of the JSON list, one a line.
    async fn json(&self, n: usize, from: usize, count: usize) -> Result<Vec<u8>, StoreError> {
        let known = self.last.borrow_mut().take().filter(|(known, _)| *known == n);
        let value = match known {
            Some((_, value)) => value,
            None => self.rows.reader.segment(&self.rows.list, self.rows.order, Format::Json, n).await?,
        };
        let mut json = Vec::new();
        // The day decides over no label.
        value.append_rows(&mut json, from, count, RowStyle { first: true, between: b"\n", now: 0 })?;
        *self.last.borrow_mut() = Some((n, value));
        Ok(json)
    }
}

impl<K: KeyValue + 'static> SlicedRows for ExportRows<K> {
    fn before(&self) -> &[u8] {
        self.columns.as_ref().map_or_else(|| self.rows.before(), |columns| &columns.header)
    }

    async fn append(&self, out: &mut Vec<u8>, slice: SegmentSlice, first: bool) -> Result<(), StoreError> {
        let Some(columns) = &self.columns else { return self.rows.append(out, slice, first).await };
        let mut written = Vec::new();
        self.rows.append(&mut written, slice, first).await?;
        let (mut csv, mut cells) = (written.as_slice(), Vec::new());
        let damaged = || StoreError::Damaged(self.rows.list.clone());
        let mut rank = slice.segment * self.csv_rows + slice.from;
        let end = rank + slice.count;
        while rank < end {
            let (mut count, mut json) = (end - rank, Vec::new());
            if columns.labels {
                let (n, from) = (rank / self.json_rows, rank % self.json_rows);
                count = count.min(self.json_rows - from);
                json = self.json(n, from, count).await?;
            }
            let mut documents = json.split(|byte| *byte == b'\n');
            for _ in 0..count {
                next_row(&mut csv, &mut cells).ok_or_else(damaged)?;
                let labels = match documents.next().filter(|_| columns.labels) {
                    Some(document) => serde_json::from_slice(document).map_err(|_| damaged())?,
                    None => LabelTexts::default(),
                };
                columns.append(out, &cells, &labels).ok_or_else(damaged)?;
            }
            rank += count;
        }
        Ok(())
    }

    fn after(&self, empty: bool) -> &'static [u8] {
        self.rows.after(empty)
    }
}
