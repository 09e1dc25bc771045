//! What the services answer: rows in a frame, made one at a time while they are sent.

use domain::Document;
use serde_json::{Value, json};
use sources::{BcnTable, Service};

/// Rows of an answer, made as they are asked for.
pub type Rows = Box<dyn Iterator<Item = Document> + Send>;

/// Which statistics a set of data has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Millesimes of national statistics.
    pub years: Vec<String>,
    /// Millesimes of regions and establishments.
    pub periods: Vec<String>,
}

/// What the services know.
pub trait DataSet: Send + Sync {
    /// Statistics of an establishment; `None` where the service has nothing about it.
    fn uai(&self, uai: &str, millesime: &str) -> Option<Rows>;

    /// Statistics of a region academique.
    fn region(&self, region: &str, millesime: &str) -> Rows;

    /// National statistics of a year.
    fn france(&self, millesime: &str, filiere: &str) -> Rows;

    /// Higher education by establishment.
    fn insersup(&self) -> Rows;

    /// National statistics of higher education.
    fn national(&self, millesime: &str) -> Rows;

    /// A table of the BCN.
    ///
    /// # Errors
    /// A table that cannot be read.
    fn bcn(&self, table: BcnTable) -> anyhow::Result<Rows>;

    /// The ACCE file.
    ///
    /// # Errors
    /// A table that cannot be read.
    fn acce(&self) -> anyhow::Result<Rows>;

    /// A file that leads from one register to another: Certif Info, a table of Onisep, the mothers of ACCE.
    ///
    /// # Errors
    /// A table that cannot be read.
    fn links(&self, service: Service) -> anyhow::Result<Rows>;

    /// The catalogue, asked for once.
    fn catalogue(&self) -> Vec<Document>;

    /// The millesimes that are there.
    fn sources(&self) -> Summary;
}

/// What lies around the rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Frame {
    /// `{"data": […]}`
    Member(&'static str),
    /// `[…]`
    Root,
    /// `{"formations": […], "pagination": …}`
    Page(Value),
    /// A CSV file in ISO-8859-1 with these columns.
    Table(Vec<String>),
    /// The same in UTF-8, with a byte order mark.
    Utf8Table(Vec<String>),
}

impl Frame {
    pub(crate) fn content_type(&self) -> &'static str {
        match self {
            Self::Table(_) => "text/csv; charset=ISO-8859-1",
            Self::Utf8Table(_) => "text/csv; charset=UTF-8",
            _ => "application/json; charset=utf-8",
        }
    }

    /// What comes before the first row.
    pub(crate) fn opening(&self) -> Vec<u8> {
        match self {
            Self::Member(name) => format!("{{\"{name}\":[").into_bytes(),
            Self::Root => b"[".to_vec(),
            Self::Page(_) => b"{\"formations\":[".to_vec(),
            Self::Table(columns) => latin1(&line(columns.iter().map(String::as_str))),
            Self::Utf8Table(columns) => format!("\u{feff}{}", line(columns.iter().map(String::as_str))).into_bytes(),
        }
    }

    /// A row; `first` of all, or not.
    pub(crate) fn row(&self, row: &Document, first: bool) -> Vec<u8> {
        if let Self::Table(columns) | Self::Utf8Table(columns) = self {
            let text = line(columns.iter().map(|name| row.get(name).and_then(Value::as_str).unwrap_or_default()));
            return if matches!(self, Self::Table(_)) { latin1(&text) } else { text.into_bytes() };
        }
        let mut bytes = if first { Vec::new() } else { vec![b','] };
        bytes.extend(json!(row).to_string().bytes());
        bytes
    }

    /// What comes after the last one.
    pub(crate) fn closing(&self) -> Vec<u8> {
        match self {
            Self::Member(_) => b"]}".to_vec(),
            Self::Root => b"]".to_vec(),
            Self::Page(pagination) => format!("],\"pagination\":{pagination}}}").into_bytes(),
            Self::Table(_) | Self::Utf8Table(_) => Vec::new(),
        }
    }
}

/// What ISO-8859-1 does not have becomes `?`.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

/// A line of a CSV file.
fn line<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let quoted = |value: &str| {
        if value.contains([';', '"', '\n', '\r']) {
            format!("\"{}\"", value.replace('"', "\"\""))
        } else {
            value.to_owned()
        }
    };
    values.map(quoted).collect::<Vec<_>>().join(";") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_hold_their_rows() {
        let row = || json!({"a": "é;\"x\""}).as_object().cloned().unwrap();
        let whole = |frame: &Frame| {
            let rows = [row(), row()];
            let mut bytes = frame.opening();
            rows.iter().enumerate().for_each(|(rank, row)| bytes.extend(frame.row(row, rank == 0)));
            bytes.extend(frame.closing());
            bytes
        };
        let json_of = |frame: Frame| serde_json::from_slice::<Value>(&whole(&frame)).unwrap();
        assert_eq!(json_of(Frame::Member("data")), json!({"data": [row(), row()]}));
        assert_eq!(json_of(Frame::Root), json!([row(), row()]));
        let page = json!({"total": 2});
        assert_eq!(json_of(Frame::Page(page)), json!({"formations": [row(), row()], "pagination": {"total": 2}}));
        let table = whole(&Frame::Table(vec!["a".into(), "b".into()]));
        assert_eq!(table, b"a;b\r\n\"\xe9;\"\"x\"\"\";\r\n\"\xe9;\"\"x\"\"\";\r\n");
    }
}
