//! Building a list: rows come in sorted, segments, pages and runs go out.

use crate::writer::Writer;
use domain::declared::PLACE_FIELD;
use domain::{Document, Maille, PublishedDocument, date, indicator};
use serde_json::Value;
use store::bundle;
use store::chain::ENTRY_MAX;
use store::codec::{Decoder, Encoder};
use store::kv::{KeyValueWrite, StoreError};
use store::list::{self, CodeEntry, Format, Order, Plan, RowKey, Stretch};
use store::segment::{self, JsonRow, TextRow};
use store::version_set::{Shape, Version};

/// A page of codes or UAIs is closed at this size.
pub(super) const PAGE_MIN: usize = 24 * 1024;

/// Bytes of the rows of a segment, at most. What does not fold grows by a hundredth, and its first row lies there twice.
const SEGMENT_MAX: usize = store::kv::VALUE_MAX / 10 * 9;

/// A row on its way into a list.
pub(super) struct ListRow {
    pub key: RowKey,
    /// The coded [`JsonRow`].
    pub json: Vec<u8>,
    pub csv: Vec<u8>,
}

impl ListRow {
    /// The row of a published statistic.
    pub fn statistic(
        maille: Maille,
        key: RowKey,
        published: &PublishedDocument,
        version: &Version,
        columns: &[&str],
    ) -> Self {
        let mut start = version.body().to_vec();
        if let Some(final_years) = &version.final_years {
            start.extend_from_slice(b",\"certificationsTerminales\":");
            start.extend_from_slice(&final_years.json);
        }
        start.extend_from_slice(b",\"formation_fermee\":");
        let row = JsonRow { closing: version.closing, start, rest: version.queue(Shape::Row) };
        let mut encoder = Encoder::default();
        row.encode(&mut encoder);
        Self { key, json: encoder.0, csv: csv_row(maille, published.as_document(), columns) }
    }

    /// The row of a code of the nomenclature.
    pub fn bcn(document: &Document) -> Self {
        let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default();
        let mut object = document.clone();
        for (field, value) in &mut object {
            if field.starts_with("date_")
                && let Some(instant) = date::read_value(value).filter(|_| value.is_object())
            {
                *value = date::write_iso(instant).into();
            }
        }
        let mut encoder = Encoder::default();
        let start = serde_json::to_vec(&object).unwrap_or_default();
        JsonRow { closing: None, start, rest: Vec::new() }.encode(&mut encoder);
        let diplome =
            document.get("diplome").and_then(|d| d.get("libelle")).and_then(Value::as_str).unwrap_or_default();
        let opening =
            document.get("date_ouverture").and_then(date::read_value).map(date::write_paris).unwrap_or_default();
        let fields = [
            text("code_certification"),
            text("type"),
            text("code_formation_diplome"),
            text("libelle"),
            text("libelle_long"),
            diplome,
            &opening,
            "",
            text("date_premiere_session"),
            text("date_derniere_session"),
        ];
        Self {
            key: RowKey {
                millesime: String::new(),
                universe: domain::Universe::Secondaire,
                region: String::new(),
                academie: String::new(),
                uai: String::new(),
                filiere: String::new(),
                code: text("code_certification").to_owned(),
            },
            json: encoder.0,
            csv: join(fields.iter().map(|c| quote(c))),
        }
    }

    /// The record of a sorting stream.
    pub fn encode(&self, order: Order) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.bytes(&self.key.sort_key(order)).bytes(&self.json).bytes(&self.csv);
        encoder.0
    }
}

/// The columns of the nomenclature.
const BCN_COLUMNS: &str = "code_certification;type;code_formation_diplome;libelle;libelle_long;diplome_libelle;date_ouverture;date_fermerture;date_premiere_session;date_derniere_session\n";

/// The columns before the statistics: the place where there is one, then the certification.
fn fixed_columns(maille: Maille) -> impl Iterator<Item = &'static str> {
    let place: &[&str] = match maille {
        Maille::National => &[],
        Maille::Regionale => &["region"],
        Maille::Etablissement => &["uai", "uai_type", "uai_donnee", "uai_donnee_type"],
        Maille::Declared => &[PLACE_FIELD],
    };
    let certification = [
        "code_certification",
        "code_formation_diplome",
        "filiere",
        "millesime",
        "donnee_source_type",
        "donnee_source_code_certification",
    ];
    place.iter().copied().chain(certification)
}

/// The columns of the statistics.
pub(super) fn statistics(maille: Maille, added: &[String]) -> Vec<&str> {
    indicator::columns(maille == Maille::National, added)
}

/// The header row of a CSV; `None` for the nomenclature.
pub(super) fn csv_header(maille: Option<Maille>, added: &[String]) -> String {
    let Some(maille) = maille else { return BCN_COLUMNS.to_owned() };
    let mut columns: Vec<&str> = fixed_columns(maille).collect();
    columns.extend(statistics(maille, added));
    columns.join(";") + "\n"
}

fn csv_row(maille: Maille, document: &Document, columns: &[&str]) -> Vec<u8> {
    let fixes = fixed_columns(maille).map(|column| {
        let value = match column {
            "region" => document.get("region").and_then(|r| r.get("nom")),
            "donnee_source_type" => document.get("donnee_source").and_then(|s| s.get("type")),
            "donnee_source_code_certification" => {
                document.get("donnee_source").and_then(|s| s.get("code_certification"))
            }
            field => document.get(field),
        };
        cell(value)
    });
    join(fixes.chain(columns.iter().map(|field| cell(document.get(*field)))))
}

/// A hidden value is written `null`, an unknown one is empty.
fn cell(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => quote(text),
        Some(other) => quote(&other.to_string()),
    }
}

/// Quotes a cell where the separator, a quote or a line end would break its row.
fn quote(text: &str) -> String {
    if text.contains([';', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

fn join(cells: impl Iterator<Item = String>) -> Vec<u8> {
    let mut row = cells.collect::<Vec<_>>().join(";").into_bytes();
    row.push(b'\n');
    row
}

/// Builds the segments and pages of one order of one list, row after row.
pub(super) struct ListBuilder {
    list: String,
    order: Order,
    pub total: usize,
    json_rows: usize,
    csv_rows: usize,
    json: Vec<Vec<u8>>,
    csv: Vec<Vec<u8>>,
    /// Runs of the whole order ([`Order::Places`]) or of the present code ([`Order::Codes`]).
    stretches: Vec<Stretch>,
    code: String,
    page: Vec<(String, Vec<u8>)>,
    page_bytes: usize,
    pages: Vec<String>,
    /// The next value of an entry that does not fit into a page.
    rest: usize,
}

impl ListBuilder {
    pub fn new(list: &str, order: Order, max_json: usize, max_csv: usize) -> Self {
        // A segment of the longest rows must still fit into a value, folded to nothing less; rows are some 1 KB.
        let holds = |max: usize, wanted: usize| (SEGMENT_MAX / (max + 8)).clamp(1, wanted);
        Self {
            list: list.to_owned(),
            order,
            total: 0,
            json_rows: holds(max_json, list::JSON_ROWS),
            csv_rows: holds(max_csv, list::CSV_ROWS),
            json: Vec::new(),
            csv: Vec::new(),
            stretches: Vec::new(),
            code: String::new(),
            page: Vec::new(),
            page_bytes: 0,
            pages: Vec::new(),
            rest: 0,
        }
    }

    /// Adds the next row; its rank.
    pub async fn add<K: KeyValueWrite>(
        &mut self,
        writer: &mut Writer<'_, K>,
        key: &RowKey,
        json: &[u8],
        csv: &[u8],
    ) -> Result<usize, StoreError> {
        let rank = self.total;
        if self.order == Order::Codes && key.code != self.code {
            self.close_code(writer).await?;
            self.code.clone_from(&key.code);
        }
        match self.stretches.last_mut() {
            Some(stretch) if stretch.takes(key) => stretch.count += 1,
            _ => self.stretches.push(Stretch { count: 1, ..Stretch::new(key, rank) }),
        }
        self.total += 1;
        self.json.push(json.to_vec());
        self.csv.push(csv.to_vec());
        if self.json.len() == self.json_rows {
            self.segment(writer, Format::Json).await?;
        }
        if self.csv.len() == self.csv_rows {
            self.segment(writer, Format::Csv).await?;
        }
        Ok(rank)
    }

    async fn segment<K: KeyValueWrite>(
        &mut self,
        writer: &mut Writer<'_, K>,
        format: Format,
    ) -> Result<(), StoreError> {
        let (rows, by_segment) = match format {
            Format::Json => (&mut self.json, self.json_rows),
            Format::Csv => (&mut self.csv, self.csv_rows),
        };
        if rows.is_empty() {
            return Ok(());
        }
        let n = (self.total - 1) / by_segment;
        let rows = std::mem::take(rows);
        let texts: Option<Vec<TextRow<'_>>> = match format {
            Format::Json => rows.iter().map(|row| JsonRow::read(row)).collect(),
            Format::Csv => Some(rows.iter().map(|row| TextRow::text(row)).collect()),
        };
        let texts = texts.ok_or_else(|| StoreError::Damaged("liste".to_owned()))?;
        let value = segment::pack(&texts, list::block(format), list::figures(format));
        writer.put(&list::family(&self.list, self.order, format), n, value).await
    }

    async fn close_code<K: KeyValueWrite>(&mut self, writer: &mut Writer<'_, K>) -> Result<(), StoreError> {
        if self.order == Order::Codes && !self.stretches.is_empty() {
            let entry = CodeEntry(std::mem::take(&mut self.stretches)).encode();
            let family = list::codes_family(&self.list);
            let entry = writer.put_chain(&family, &mut self.rest, entry, ENTRY_MAX).await?;
            self.page_bytes += entry.len();
            self.page.push((std::mem::take(&mut self.code), entry));
            if self.page_bytes >= PAGE_MIN {
                self.close_page(writer).await?;
            }
        }
        Ok(())
    }

    async fn close_page<K: KeyValueWrite>(&mut self, writer: &mut Writer<'_, K>) -> Result<(), StoreError> {
        if let Some((first, _)) = self.page.first() {
            self.pages.push(first.clone());
            let page = bundle::pack(std::mem::take(&mut self.page));
            self.page_bytes = 0;
            writer.put(&list::codes_family(&self.list), self.pages.len() - 1, page).await?;
        }
        Ok(())
    }

    /// Writes what is left, and what the plan needs to know of this order.
    pub async fn finish<K: KeyValueWrite>(
        mut self,
        writer: &mut Writer<'_, K>,
        plan: &mut Plan,
    ) -> Result<(), StoreError> {
        self.segment(writer, Format::Json).await?;
        self.segment(writer, Format::Csv).await?;
        self.close_code(writer).await?;
        self.close_page(writer).await?;
        plan.total = self.total;
        plan.json_rows = self.json_rows;
        plan.csv_rows = self.csv_rows;
        match self.order {
            Order::Places => plan.stretches = self.stretches,
            Order::Codes => plan.pages_codes = self.pages,
        }
        Ok(())
    }

    /// The state between two steps.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.text(&self.list).number(u64::from(self.order == Order::Codes));
        encoder.size(self.total).size(self.json_rows).size(self.csv_rows);
        for rows in [&self.json, &self.csv] {
            encoder.size(rows.len());
            for row in rows {
                encoder.bytes(row);
            }
        }
        encoder.bytes(&CodeEntry(self.stretches.clone()).encode()).text(&self.code).size(self.page_bytes);
        encoder.size(self.page.len());
        for (key, entry) in &self.page {
            encoder.text(key).bytes(entry);
        }
        encoder.size(self.pages.len());
        for first in &self.pages {
            encoder.text(first);
        }
        encoder.size(self.rest);
        encoder.0
    }

    /// Reads the state back.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut decoder = Decoder(bytes);
        let list = decoder.text()?.to_owned();
        let order = if decoder.number()? == 1 { Order::Codes } else { Order::Places };
        let (total, json_rows, csv_rows) = (decoder.size()?, decoder.size()?, decoder.size()?);
        let mut rows = || {
            let count = decoder.size()?;
            (0..count).map(|_| decoder.bytes().map(<[u8]>::to_vec)).collect::<Option<Vec<_>>>()
        };
        let (json, csv) = (rows()?, rows()?);
        let stretches = CodeEntry::decode(decoder.bytes()?).ok()?.0;
        let (code, page_bytes) = (decoder.text()?.to_owned(), decoder.size()?);
        let count = decoder.size()?;
        let page =
            (0..count).map(|_| Some((decoder.text()?.to_owned(), decoder.bytes()?.to_vec()))).collect::<Option<_>>()?;
        let count = decoder.size()?;
        let pages = (0..count).map(|_| decoder.text().map(str::to_owned)).collect::<Option<_>>()?;
        let rest = decoder.size()?;
        Some(Self {
            list,
            order,
            total,
            json_rows,
            csv_rows,
            json,
            csv,
            stretches,
            code,
            page,
            page_bytes,
            pages,
            rest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_quoted_where_a_row_would_fall_apart() {
        for (value, expected_cell) in [
            (Some(json!(null)), "null"),
            (None, ""),
            (Some(json!(12)), "12"),
            (Some(json!("a;b")), "\"a;b\""),
            (Some(json!("dit \"x\"\n")), "\"dit \"\"x\"\"\n\""),
        ] {
            assert_eq!(cell(value.as_ref()), expected_cell);
        }
    }

    /// The decision of docs/REUTILISER.md, "CSV et tableurs": cells keep the bytes that the former service wrote, whatever
    /// they begin with. A mark in front of them would change the numbers below zero and the texts of re-users that match
    /// on them.
    #[test]
    fn cells_that_a_spreadsheet_takes_for_formulas_keep_their_bytes() {
        for value in [json!(-1), json!(-0.5), json!("-1"), json!("=1+1"), json!("+33"), json!("@x"), json!("- autre")] {
            let expected = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assert_eq!(cell(Some(&value)), expected);
        }
        assert_eq!(cell(Some(&json!("=A1;B1"))), "\"=A1;B1\"");
    }

    #[test]
    fn headers_are_those_of_the_contract() {
        let formations = csv_header(Some(Maille::Etablissement), &[]);
        assert!(formations.starts_with("uai;uai_type;uai_donnee;uai_donnee_type;code_certification;code_formation_diplome;filiere;millesime;donnee_source_type;donnee_source_code_certification;nb_annee_term;"));
        assert!(csv_header(Some(Maille::Regionale), &[]).starts_with("region;code_certification;"));
        assert!(csv_header(Some(Maille::National), &["taux_x".into()]).ends_with("taux_rupture_contrats;taux_x\n"));
        assert!(!formations.contains("salaire") && !formations.contains("nb_diplome"));
    }
}
