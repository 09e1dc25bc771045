//! Lists: filters to ranges, ranges to rows, rows to the wire.

use crate::access::KEY_IN_QUERY;
use crate::error::{ApiError, NotFound};
use crate::fields::{BCN_FIELDS, FieldChoice};
use crate::links::WebLink;
use crate::parameters::{AllowedFilters, GENERATION, ListFormat, ListParameters};
use crate::response::{Response, ResponseBody};
use crate::stream::BodyStream;
use crate::{Request, Runtime};
use domain::{Maille, Universe, date, unique};
use futures_util::stream;
use std::borrow::Cow;
use std::rc::Rc;
use store::Reader;
use store::keys;
use store::kv::{KeyValue, StoreError};
use store::list::{Filter, Format, Order, Plan, SegmentSlice};
use store::segment::RowStyle;

/// Lists of no more segments than this are put together before they are sent: one piece, with its
/// length known; a page of 1,000 rows is 5 or 6 segments, some 1 MB.
const WHOLE_SEGMENTS: usize = 8;

/// A list of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum List {
    /// Statistics of a maille of the contract.
    Statistics(Maille),
    /// Statistics of a declared maille.
    Declared(String),
    /// The nomenclature.
    Bcn,
}

impl List {
    /// Its name in paths and answers.
    pub fn name(&self) -> &str {
        match self {
            Self::Statistics(maille) => maille.list(),
            Self::Declared(name) => name,
            Self::Bcn => "bcn",
        }
    }

    /// Its name in the store.
    fn key(&self) -> Cow<'_, str> {
        match self {
            Self::Declared(name) => keys::declared_list(name).into(),
            other => other.name().into(),
        }
    }

    fn allowed(&self) -> AllowedFilters {
        let statistics = AllowedFilters { statistics: true, ..AllowedFilters::default() };
        match self {
            Self::Bcn => AllowedFilters::default(),
            Self::Statistics(maille) => AllowedFilters {
                regions: *maille != Maille::National,
                academies: *maille == Maille::Etablissement,
                uais: *maille == Maille::Etablissement,
                ..statistics
            },
            Self::Declared(_) => AllowedFilters { regions: true, academies: true, places: true, ..statistics },
        }
    }
}

/// The list that a path asks for; `T` is a segment as sent, or decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRoute<T> {
    /// Which one.
    pub list: List,
    /// The region in the path, or the place of a declared maille.
    pub place: Option<T>,
    /// The extension.
    pub ext: Option<T>,
}

/// What may become of a list on its way out.
pub(crate) trait ListShape {
    /// The rows as they leave.
    type Rows<K: KeyValue + 'static>: SlicedRows;

    /// Takes parameters of its own out of those that were sent.
    fn take(&mut self, _sent: &mut Vec<(String, Vec<String>)>) {}

    /// What the list was asked for, or the faults of both.
    fn check(&mut self, read: Result<ListParameters, ApiError>) -> Result<ListParameters, ApiError> {
        read
    }

    /// Shapes the rows, and what the answer says of them.
    fn shape<K: KeyValue + 'static>(
        self,
        found: &FoundList<'_>,
        response: &mut Response,
        rows: RowReader<K>,
    ) -> Result<Self::Rows<K>, ApiError>;
}

/// What is known of a list before its rows are read.
pub(crate) struct FoundList<'a> {
    pub list: &'a List,
    pub parameters: &'a ListParameters,
    pub plan: &'a Plan,
    /// Whether other rows are on other pages.
    pub part: bool,
    pub now: i64,
}

/// As it lies in the store.
pub(crate) struct Unshaped;

impl ListShape for Unshaped {
    type Rows<K: KeyValue + 'static> = RowReader<K>;

    fn shape<K: KeyValue + 'static>(
        self,
        _: &FoundList<'_>,
        _: &mut Response,
        rows: RowReader<K>,
    ) -> Result<RowReader<K>, ApiError> {
        Ok(rows)
    }
}

/// Answers a list.
pub(crate) async fn respond<M: Runtime, S: ListShape>(
    runtime: &M,
    reader: Reader<M::Kv>,
    request: &Request,
    route: &ListRoute<Cow<'_, str>>,
    mut shape: S,
) -> Result<Response, ApiError> {
    let mut sent = request.parameters()?;
    shape.take(&mut sent);
    let list = &route.list;
    let read = ListParameters::read(sent, route.ext.as_deref(), route.place.as_deref(), list.allowed());
    let mut parameters = shape.check(read)?;
    let reader = reader.pinned(parameters.generation.as_deref()).ok_or(ApiError::Generation(409))?;
    let generation = reader.pointer().generation.clone();
    if matches!(list, List::Declared(name) if !reader.pointer().millesimes.mailles.contains_key(name)) {
        return Err(ApiError::NotFound(NotFound::Maille));
    }
    let filter = filter(&reader, list, &parameters);
    let plan = reader.plan(&list.key()).await?;
    if let Some(fields) = &parameters.fields {
        fields.judge(if *list == List::Bcn { BCN_FIELDS } else { "" }, &plan.csv_header)?;
    }
    let selection = reader.selection(&list.key(), &plan, &filter).await?;
    let total = selection.total() as u64;
    let format = match parameters.format {
        ListFormat::Csv => Format::Csv,
        _ => Format::Json,
    };
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let skipped = (parameters.page - 1).saturating_mul(parameters.items_per_page);
    let slices = selection.slices(size(skipped), size(parameters.items_per_page), plan.rows(format));
    let now = runtime.now_ms();
    let rows = RowReader {
        reader,
        list: list.key().into_owned(),
        order: selection.order,
        format,
        envelope: envelope(&parameters, list, &plan, total),
        fields: parameters.fields.take(),
        now,
    };
    let sent: usize = slices.iter().map(|slice| slice.count).sum();
    let response = header(parameters.format, now)
        .with("cache-control", "private, max-age=60")
        .with("vary", "x-api-key, Authorization")
        // A CSV or an NDJSON that was cut looks whole: these two tell a client whether it has every row.
        .with("x-total-count", total.to_string())
        .with("x-row-count", sent.to_string());
    let mut response = Response { links: links(request, &parameters, total, &generation), ..response };
    response = response.with("x-generation", generation);
    let part = sent < selection.total();
    let rows =
        shape.shape(&FoundList { list, parameters: &parameters, plan: &plan, part, now }, &mut response, rows)?;
    let body = if slices.len() <= WHOLE_SEGMENTS {
        ResponseBody::Bytes(together(&rows, &slices).await?)
    } else {
        ResponseBody::Stream(BodyStream::new(stream(rows, slices)))
    };
    Ok(Response { body, ..response }.compress(request))
}

fn header(format: ListFormat, now: i64) -> Response {
    match format {
        ListFormat::Json => Response::new(200, "application/json", Vec::new()),
        ListFormat::Ndjson => Response::new(200, "application/x-ndjson; charset=utf-8", Vec::new()),
        ListFormat::Csv => Response::new(200, "text/csv; charset=UTF-8", Vec::new())
            .with("content-disposition", format!("attachment; filename=export-{}.csv", date::write_day(now))),
    }
}

/// What is asked for, and the default millesimes of the list where none is.
fn filter<K: KeyValue>(reader: &Reader<K>, list: &List, parameters: &ListParameters) -> Filter {
    if *list == List::Bcn {
        return Filter::default();
    }
    let two = *list == List::Statistics(Maille::Etablissement);
    let spellings = |millesime: &domain::Millesime| -> Vec<String> {
        if two {
            millesime.both_spellings().map(|m| m.as_str().to_owned()).collect()
        } else {
            vec![millesime.as_str().to_owned()]
        }
    };
    // What is asked for twice is looked for once.
    let once = |values: &[String]| -> Vec<String> {
        unique(values.iter().map(String::as_str)).into_iter().map(str::to_owned).collect()
    };
    let asked: Vec<String> = parameters.millesimes.iter().flat_map(spellings).collect();
    let mut millesimes: Vec<(String, Option<Universe>)> = once(&asked).into_iter().map(|m| (m, None)).collect();
    if parameters.millesimes.is_empty() {
        let in_force = &reader.pointer().millesimes;
        // Regional statistics and declared mailles know one line only.
        let one = [(Universe::Secondaire, None)];
        let each_one = [Universe::Secondaire, Universe::Superieur].map(|universe| (universe, Some(universe)));
        let rows = match list {
            List::Statistics(Maille::Regionale) | List::Declared(_) => one.as_slice(),
            _ => each_one.as_slice(),
        };
        for (universe, filter_universe) in rows {
            let last = match list {
                List::Statistics(maille) => in_force.of(*maille, *universe),
                List::Declared(name) => in_force.mailles.get(name).map(String::as_str),
                List::Bcn => None,
            };
            for spelling in last.and_then(domain::Millesime::parse).iter().flat_map(spellings) {
                let row = (spelling, *filter_universe);
                if let Err(place) = millesimes.binary_search(&row) {
                    millesimes.insert(place, row);
                }
            }
        }
    }
    if millesimes.is_empty() {
        // Nothing is in force: no row has the empty millesime.
        millesimes.push((String::new(), None));
    }
    Filter {
        millesimes,
        regions: once(&parameters.regions),
        academies: once(&parameters.academies),
        // A place of a declared maille lies where a UAI does on the list of formations.
        uais: parameters.uais.iter().map(|u| u.as_str().to_owned()).chain(parameters.places.iter().cloned()).collect(),
        codes: parameters.codes.iter().map(|c| c.as_str().to_owned()).collect(),
    }
}

/// What stands before, between and after the rows.
struct Envelope {
    before: Vec<u8>,
    between: &'static [u8],
    after: &'static [u8],
}

fn envelope(parameters: &ListParameters, list: &List, plan: &Plan, total: u64) -> Envelope {
    let items = parameters.items_per_page;
    match parameters.format {
        ListFormat::Csv => Envelope { before: plan.csv_header.clone().into_bytes(), between: b"", after: b"" },
        ListFormat::Ndjson => Envelope { before: Vec::new(), between: b"\n", after: b"\n" },
        ListFormat::Json => Envelope {
            before: format!(
                r#"{{"pagination":{{"page":{},"items_par_page":{items},"nombre_de_page":{},"total":{total}}},"{}":["#,
                parameters.page,
                total.div_ceil(items).max(1),
                list.name()
            )
            .into_bytes(),
            between: b",",
            after: b"]}",
        },
    }
}

/// `next` and `prev`, with the query as it was sent but for the page and the key: pages stay in the generation of this one.
fn links(request: &Request, parameters: &ListParameters, total: u64, generation: &str) -> Vec<WebLink> {
    let pages = total.div_ceil(parameters.items_per_page).max(1);
    let others = request.query_without(&["page", GENERATION, KEY_IN_QUERY]);
    // A header is no place for what could split it.
    let own = |text: &str| text.bytes().all(|b| (0x20..0x7f).contains(&b));
    if !own(&request.path) || !others.iter().all(|parameter| own(parameter)) {
        return Vec::new();
    }
    let link = |page: u64, rel| {
        let own = [[GENERATION, "=", generation].concat(), format!("page={page}")];
        let query: Vec<String> = others.iter().map(|p| (*p).to_owned()).chain(own).collect();
        WebLink::new(format!("{}?{}", request.path, query.join("&")), rel)
    };
    let mut links = Vec::new();
    if parameters.page < pages {
        links.push(link(parameters.page + 1, "next"));
    }
    if parameters.page > 1 {
        links.push(link((parameters.page - 1).min(pages), "prev"));
    }
    links
}

/// Rows on their way out, slice of segment by slice.
pub(crate) trait SlicedRows: 'static {
    /// What stands before them.
    fn before(&self) -> &[u8];
    /// Appends the rows of a slice; `first` where none stand before.
    async fn append(&self, out: &mut Vec<u8>, slice: SegmentSlice, first: bool) -> Result<(), StoreError>;
    /// What stands after them.
    fn after(&self, empty: bool) -> &'static [u8];
}

/// The rows of an answer, read segment by segment.
pub(crate) struct RowReader<K> {
    pub reader: Reader<K>,
    pub list: String,
    pub order: Order,
    format: Format,
    envelope: Envelope,
    fields: Option<FieldChoice>,
    now: i64,
}

async fn together<R: SlicedRows>(rows: &R, slices: &[SegmentSlice]) -> Result<Vec<u8>, StoreError> {
    let mut out = rows.before().to_vec();
    for (rank, slice) in slices.iter().enumerate() {
        rows.append(&mut out, *slice, rank == 0).await?;
    }
    out.extend_from_slice(rows.after(slices.is_empty()));
    Ok(out)
}

/// One piece a segment: the memory of an answer does not grow with it.
fn stream<R: SlicedRows>(
    rows: R,
    slices: Vec<SegmentSlice>,
) -> impl futures_util::Stream<Item = Result<Vec<u8>, StoreError>> {
    let rows = Rc::new(rows);
    stream::unfold(Some(0), move |rank: Option<usize>| {
        let rows = Rc::clone(&rows);
        let slice = rank.and_then(|rank| slices.get(rank).copied());
        let last = rank.is_some_and(|rank| rank + 1 == slices.len());
        async move {
            let (rank, slice) = rank.zip(slice)?;
            let mut out = if rank == 0 { rows.before().to_vec() } else { Vec::new() };
            if let Err(error) = rows.append(&mut out, slice, rank == 0).await {
                return Some((Err(error), None));
            }
            if last {
                out.extend_from_slice(rows.after(false));
            }
            Some((Ok(out), Some(rank + 1)))
        }
    })
}

impl<K: KeyValue + 'static> SlicedRows for RowReader<K> {
    fn before(&self) -> &[u8] {
        &self.envelope.before
    }

    async fn append(&self, out: &mut Vec<u8>, slice: SegmentSlice, first: bool) -> Result<(), StoreError> {
        let value = self.reader.segment(&self.list, self.order, self.format, slice.segment).await?;
        let style = RowStyle { first, between: self.envelope.between, now: self.now };
        let Some(fields) = &self.fields else { return value.append_rows(out, slice.from, slice.count, style) };
        // No row of JSON holds a line end.
        let mut rows = Vec::new();
        value.append_rows(&mut rows, slice.from, slice.count, RowStyle { first: true, between: b"\n", ..style })?;
        fields.cut_rows(out, &rows, style);
        Ok(())
    }

    fn after(&self, empty: bool) -> &'static [u8] {
        // An empty NDJSON has no line, so no line end either.
        if empty && self.envelope.after == b"\n" { b"" } else { self.envelope.after }
    }
}
