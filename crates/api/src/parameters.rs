//! Parameters of the read routes: which there are, what they default to, in which order their
//! faults are told.

use crate::access::KEY_IN_QUERY;
use crate::error::ApiError;
use crate::fields::FieldChoice;
use crate::request::read_segment;
use crate::validation::{FaultPlace, Faults, NumberFault, whole_number};
use domain::declared::is_place;
use domain::{CodeCertification, CodeType, Millesime, Uai, territory};
use serde_json::Value;
use std::borrow::Cow;
use store::keys;
use widget::{Direction, Theme};

/// Rows of a page of JSON, at most: an answer stays below some 10 MB.
pub const ITEMS_MAX_JSON: u64 = 10_000;
/// Rows of a page of CSV or NDJSON, at most: they are streamed.
pub const ITEMS_MAX_STREAM: u64 = 1_000_000;

/// What was meant is told up to here.
const SAID_MAX: usize = 200;

/// Options of exports, known by the component of exports alone (`crate::export`); the others say where they are.
pub(crate) const OPTIONS: [&str; 3] = ["libelles", "excel", "colonnes"];
const OPTIONS_WHERE: &str = "Cette option vaut sous certifications.csv, regionales.csv, formations.csv et bcn.csv, sans rien de plus au chemin.";

/// The parameter that keeps the pages of a list in one generation.
pub const GENERATION: &str = "generation";

/// Codes in the path of one document, at most.
pub const CODES_MAX: usize = 200;

/// The form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFormat {
    /// With pagination.
    Json,
    /// An export.
    Csv,
    /// One document a line.
    Ndjson,
}

/// Parameters as sent, each one value, or several where it is repeated; and the names that the route has looked for.
struct ReceivedParameters {
    sent: Vec<(String, Vec<String>)>,
    known: Vec<&'static str>,
}

fn raw(values: &[String]) -> Value {
    match values {
        [alone] => alone.clone().into(),
        several => several.to_vec().into(),
    }
}

/// Whether two names differ in a plural, a capital or a hyphen only.
fn alike(a: &str, b: &str) -> bool {
    let counts = |b: &u8| !matches!(b, b's' | b'S' | b'_' | b'-');
    let (mut a, mut b) = (a.bytes().filter(counts), b.bytes().filter(counts));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a | 0x20 == b | 0x20 => {}
            _ => return false,
        }
    }
}

/// What was probably meant where faults were found, in the letters that a header holds: bodies of errors are recorded.
#[derive(Default)]
struct Meant(String);

impl Meant {
    fn say(&mut self, before: &str, meant: &str, after: &str) {
        if self.0.len() < SAID_MAX {
            let space = if self.0.is_empty() { "" } else { " " };
            self.0 = [&self.0, space, before, meant, after].concat();
        }
    }

    fn ask(&mut self, meant: &str, after: &str) {
        self.say("Vouliez-vous dire ", meant, after);
    }

    /// Looks at a text that was refused: would it be right with the zero that a spreadsheet takes, or with a prefix?
    fn look_at(&mut self, name: &str, text: &Value) {
        let Value::String(text) = text else { return };
        let (whole, prefixed) = (["0", text].concat(), ["SISE:", text].concat());
        let right = match name {
            // Whatever follows the departement in a postal code is not looked at, so it could split a header.
            "region" | "regions" => any_region(&whole).is_some() && whole.bytes().all(|b| b.is_ascii_digit()),
            "academies" => territory::academie(&whole).is_some(),
            "uai" | "uais" => Uai::parse(&whole).is_some(),
            _ if name.starts_with("code") && CodeCertification::parse(text).is_none() => {
                if CodeCertification::parse(&prefixed).is_some() {
                    self.ask(&prefixed, " ?");
                }
                CodeCertification::parse(&whole).is_some()
            }
            _ => false,
        };
        if right {
            self.ask(&whole, " ? Un tableur retire le 0 de gauche.");
        }
    }

    fn look_through(&mut self, faults: &[Value]) {
        for fault in faults {
            let path = fault.get("path").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let value = fault.get("context").and_then(|context| context.get("value"));
            match (path, value) {
                // Of a list parameter codes are told as a whole, other things item by item.
                ([Value::String(name)], Some(Value::Array(texts))) if name.starts_with("code") => {
                    texts.iter().for_each(|text| self.look_at(name, text));
                }
                ([Value::String(name), ..], Some(text)) => self.look_at(name, text),
                _ => {}
            }
        }
    }
}

/// The region of a code or of a postal code.
fn any_region(text: &str) -> Option<&'static territory::Region> {
    territory::region(text).or_else(|| territory::region_of_postal_code(text))
}

impl ReceivedParameters {
    fn take(&mut self, name: &'static str) -> Option<Vec<String>> {
        // Names are looked at only where something was sent that no name took.
        if self.sent.is_empty() {
            return None;
        }
        self.known.push(name);
        let rank = self.sent.iter().position(|(n, _)| n == name)?;
        Some(self.sent.remove(rank).1)
    }

    /// The items of a list parameter. A repeated one is one item that is an array.
    fn list(&mut self, name: &'static str) -> Option<Vec<Value>> {
        let values = self.take(name)?;
        Some(match values.as_slice() {
            [alone] => alone.split([',', '|']).map(Into::into).collect(),
            several => vec![several.to_vec().into()],
        })
    }

    /// One value among those allowed.
    fn among<'v>(&mut self, name: &'static str, allowed: &[&'v str], faults: &mut Faults) -> Option<&'v str> {
        let values = self.take(name)?;
        if let [alone] = values.as_slice()
            && let Some(valid) = allowed.iter().find(|v| *v == alone)
        {
            return Some(valid);
        }
        fault_among(FaultPlace::Name(name), &raw(&values), allowed, faults);
        None
    }

    fn finish(self, mut faults: Faults) -> Result<(), ApiError> {
        let mut meant = Meant::default();
        for (name, values) in self.sent {
            if let Some(known) = self.known.iter().chain(&[KEY_IN_QUERY]).find(|known| alike(known, &name)) {
                meant.ask(known, " ?");
            } else if OPTIONS.contains(&name.as_str()) {
                meant.say(OPTIONS_WHERE, "", "");
            }
            faults.unknown(&name, raw(&values));
        }
        let faults = faults.told();
        if faults.is_empty() {
            return Ok(());
        }
        meant.look_through(&faults);
        Err(ApiError::Validation(faults, meant.0.into()))
    }
}

/// An enumerated text that is none of those allowed; empty and repeated ones have a second fault.
fn fault_among(place: FaultPlace<'_>, value: &Value, allowed: &[&str], faults: &mut Faults) {
    faults.among(place, value.clone(), allowed, None);
    match value.as_str() {
        Some("") => faults.empty(place),
        Some(_) => {}
        None => faults.not_a_text(place, value.clone()),
    }
}

/// Removes the key that any route may carry: it was looked at before.
fn received(parameters: Vec<(String, Vec<String>)>) -> ReceivedParameters {
    let without_key =
        |(name, values): &(String, Vec<String>)| name != KEY_IN_QUERY || values.iter().all(String::is_empty);
    ReceivedParameters { sent: parameters.into_iter().filter(without_key).collect(), known: Vec::new() }
}

/// A route without parameters.
///
/// # Errors
/// Every parameter that is there.
pub fn none(parameters: Vec<(String, Vec<String>)>) -> Result<(), ApiError> {
    received(parameters).finish(Faults::default())
}

/// Reads items one by one; tells the list as a whole where none is valid.
fn items<T>(
    name: &str,
    items: Option<Vec<Value>>,
    faults: &mut Faults,
    read: impl Fn(&str) -> Option<T>,
    fault: impl Fn(&mut Faults, FaultPlace<'_>, &str),
) -> Vec<T> {
    let Some(items) = items else { return Vec::new() };
    let mut read_items = Vec::new();
    for (rank, item) in items.iter().enumerate() {
        let place = FaultPlace::Item(name, rank);
        match item.as_str() {
            None => faults.not_a_text(place, item.clone()),
            Some("") => faults.empty(place),
            Some(text) => match read(text) {
                Some(read) => read_items.push(read),
                None => fault(faults, place, text),
            },
        }
    }
    if read_items.is_empty() {
        faults.no_item(FaultPlace::Name(name), items.into());
    }
    read_items
}

/// The INSEE code of a region, from itself or from a postal code.
fn region(place: FaultPlace<'_>, value: &Value, faults: &mut Faults) -> Option<&'static str> {
    let text = value.as_str().unwrap_or_default();
    if let Some(region) = any_region(text) {
        return Some(region.code);
    }
    if text.chars().count() == 5 {
        faults.code_postal(place, text);
    } else {
        let allowed: Vec<&str> = territory::REGIONS.iter().map(|r| r.code).collect();
        fault_among(place, value, &allowed, faults);
    }
    None
}

fn read_place(text: &str) -> Option<String> {
    is_place(text).then(|| text.to_owned())
}

/// The place of a declared maille in a path.
fn declared_place(text: &str, faults: &mut Faults) -> Option<String> {
    let read = read_place(text);
    if read.is_none() {
        faults.declared_place(FaultPlace::Name("lieu"), text);
    }
    read
}

fn academie(place: FaultPlace<'_>, value: &Value, faults: &mut Faults) -> Option<&'static str> {
    if let Some((_, academie)) = value.as_str().and_then(territory::academie) {
        return Some(academie.code);
    }
    let allowed: Vec<&str> = territory::REGIONS.iter().flat_map(|r| r.academies).map(|a| a.code).collect();
    // Not told as a text by the former service: no second fault where it is empty or repeated.
    faults.among(place, value.clone(), &allowed, Some("must be a valid academie code"));
    None
}

/// The universe that codes allow: one only where all are of it, none given counts as secondary,
/// anything where they mix or one is invalid.
fn allowed_universe(codes: Option<&[CodeType]>) -> Option<&'static [&'static str]> {
    let codes = codes?;
    let superieurs = codes.iter().filter(|c| **c == CodeType::Sise).count();
    match superieurs {
        0 => Some(&["secondaire"]),
        n if n == codes.len() => Some(&["superieur"]),
        _ => None,
    }
}

fn universe(received: &mut ReceivedParameters, codes: Option<&[CodeType]>, faults: &mut Faults) {
    match allowed_universe(codes) {
        Some(allowed) => {
            received.among("universe", allowed, faults);
        }
        None => {
            received.take("universe");
        }
    }
}

/// What a list was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListParameters {
    /// The form.
    pub format: ListFormat,
    /// From 1.
    pub page: u64,
    /// Rows of a page.
    pub items_per_page: u64,
    /// Empty: the default of the list.
    pub millesimes: Vec<Millesime>,
    /// Empty: all.
    pub codes: Vec<CodeCertification>,
    /// INSEE codes; empty: all.
    pub regions: Vec<String>,
    /// Empty: all.
    pub academies: Vec<String>,
    /// Empty: all.
    pub uais: Vec<Uai>,
    /// Places of a declared maille; empty: all.
    pub places: Vec<String>,
    /// The generation that is to answer.
    pub generation: Option<String>,
    /// `None`: every field of the rows.
    pub fields: Option<FieldChoice>,
}

/// Which filters a list takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowedFilters {
    /// `millesimes`, `code_certifications`, `universe`.
    pub statistics: bool,
    /// `regions`.
    pub regions: bool,
    /// `academies`.
    pub academies: bool,
    /// `uais`.
    pub uais: bool,
    /// `lieux`.
    pub places: bool,
}

impl ListParameters {
    /// Reads the parameters of a list; `ext` is the extension of the path, `lieu` its region, or
    /// its place on a declared maille.
    ///
    /// # Errors
    /// Every fault, in the recorded order.
    pub fn read(
        parameters: Vec<(String, Vec<String>)>,
        ext: Option<&str>,
        place: Option<&str>,
        allowed: AllowedFilters,
    ) -> Result<Self, ApiError> {
        let mut sent = received(parameters);
        let mut faults = Faults::default();
        let mut read = Self {
            format: ListFormat::Json,
            page: 1,
            items_per_page: 10,
            millesimes: Vec::new(),
            codes: Vec::new(),
            regions: Vec::new(),
            academies: Vec::new(),
            uais: Vec::new(),
            places: Vec::new(),
            generation: sent.take(GENERATION).map(|values| values.concat()),
            fields: None,
        };
        let fields = sent.take("champs");
        if allowed.uais {
            read.uais = items("uais", sent.list("uais"), &mut faults, Uai::parse, |f, l, t| f.uai(l, t));
        }
        if allowed.places {
            let fault = |f: &mut Faults, l: FaultPlace<'_>, t: &str| f.declared_place(l, t);
            match place {
                Some(text) => read.places.extend(declared_place(text, &mut faults)),
                None => read.places = items("lieux", sent.list("lieux"), &mut faults, read_place, fault),
            }
        }
        if let Some(text) = place.filter(|_| !allowed.places) {
            read.regions.extend(region(FaultPlace::Name("region"), &text.into(), &mut faults).map(str::to_owned));
        } else if allowed.regions {
            for (rank, item) in sent.list("regions").unwrap_or_default().iter().enumerate() {
                read.regions.extend(region(FaultPlace::Item("regions", rank), item, &mut faults).map(str::to_owned));
            }
        }
        if allowed.academies {
            for (rank, item) in sent.list("academies").unwrap_or_default().iter().enumerate() {
                read.academies
                    .extend(academie(FaultPlace::Item("academies", rank), item, &mut faults).map(str::to_owned));
            }
        }
        if allowed.statistics {
            let received = sent.list("millesimes");
            read.millesimes = items("millesimes", received, &mut faults, Millesime::parse, |f, l, t| f.millesime(l, t));
            let types = match sent.list("code_certifications") {
                None => Some(Vec::new()),
                Some(items) => {
                    let codes: Option<Vec<_>> =
                        items.iter().map(|i| i.as_str().and_then(CodeCertification::parse)).collect();
                    if codes.is_none() {
                        faults.codes(FaultPlace::Name("code_certifications"), items.into());
                    }
                    read.codes = codes.clone().unwrap_or_default();
                    codes.map(|codes| codes.iter().map(CodeCertification::code_type).collect())
                }
            };
            universe(&mut sent, types.as_deref(), &mut faults);
        }
        read.format = format(&mut sent, ext, &mut faults);
        read.items_per_page = match read.format {
            ListFormat::Json => number(&mut sent, "items_par_page", 10, ITEMS_MAX_JSON, &mut faults),
            _ => number(&mut sent, "items_par_page", 10, ITEMS_MAX_STREAM, &mut faults),
        };
        read.page = number(&mut sent, "page", 1, u64::MAX, &mut faults);
        sent.finish(faults)?;
        if fields.is_some() && read.format == ListFormat::Csv {
            return Err(ApiError::Demand("champs : d’une liste en JSON ou en NDJSON ; un CSV a colonnes".into()));
        }
        read.fields = FieldChoice::of(fields)?;
        Ok(read)
    }
}

/// The extension of the path wins over `ext=`.
fn format(received: &mut ReceivedParameters, ext: Option<&str>, faults: &mut Faults) -> ListFormat {
    // NDJSON is ours; error texts name the two of the former service.
    const VALID: [&str; 3] = ["json", "csv", "ndjson"];
    let demand = received.take("ext").map(|v| raw(&v));
    let demand = ext.map(Value::from).or(demand);
    match demand.as_ref().map(|v| VALID.iter().find(|f| v.as_str() == Some(f))) {
        None | Some(Some(&"json")) => ListFormat::Json,
        Some(Some(&"csv")) => ListFormat::Csv,
        Some(Some(_)) => ListFormat::Ndjson,
        Some(None) => {
            fault_among(
                FaultPlace::Name("ext"),
                &demand.unwrap_or_default(),
                VALID.get(..2).unwrap_or_default(),
                faults,
            );
            ListFormat::Json
        }
    }
}

/// A whole number; 0 means the default.
fn number(received: &mut ReceivedParameters, name: &'static str, default: u64, max: u64, faults: &mut Faults) -> u64 {
    let Some(values) = received.take(name) else { return default };
    let read = match values.as_slice() {
        [alone] => whole_number(alone),
        _ => Err(NumberFault::Base),
    };
    let fault = match read {
        Ok(0) => return default,
        Ok(n) if n <= max => return n,
        Ok(_) => NumberFault::Max(max),
        Err(fault) => fault,
    };
    // The former service replaced these characters before it looked: its errors show the result.
    let clean = |c: char| if matches!(c, '$' | '.' | '/' | '[' | ']') { '_' } else { c };
    let cleaned: Vec<String> = values.iter().map(|v| v.chars().map(clean).collect()).collect();
    faults.number(FaultPlace::Name(name), raw(&cleaned), fault);
    default
}

/// What to send where there is nothing to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageOnError {
    /// The error itself, as JSON.
    No,
    /// An image that says so.
    Yes,
    /// A 1×1 image.
    Empty,
}

/// What one document was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentParameters {
    /// `None`: the default of the route.
    pub millesime: Option<Millesime>,
    /// Every millesime there is, instead of one.
    pub history: bool,
    /// The generation beside the title.
    pub generation: bool,
    /// `None`: every field.
    pub fields: Option<FieldChoice>,
    /// The filieres view was asked for.
    pub filieres_view: bool,
    /// As an image.
    pub svg: bool,
    /// Of the image.
    pub theme: Theme,
    /// Of the image.
    pub direction: Direction,
    /// Instead of a 404.
    pub image_on_error: ImageOnError,
}

/// The codes and the place in the path of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// One or more.
    pub codes: Vec<CodeCertification>,
    /// INSEE code of the region asked for.
    pub region: Option<&'static str>,
    /// The establishment asked for.
    pub uai: Option<Uai>,
    /// The place asked for of a declared maille, as the store knows it.
    pub place: Option<String>,
}

/// What lies in the path of one document, not yet checked: segments as sent, or decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentPath<T> {
    /// `certifications/{codes}`
    National(T),
    /// `regionales/{region}/certifications/{codes}`
    Regionale(T, T),
    /// `mailles/{maille}/{lieu}/certifications/{codes}`
    Declared(T, T, T),
    /// `formations/{uai}-{code}`
    Formation(T, T),
}

impl<'a> DocumentPath<&'a str> {
    /// The segments behind the name of a route that answers for one document in any place.
    #[must_use]
    pub fn read(rest: &[&'a str]) -> Option<Self> {
        Some(match rest {
            ["formations", formation] => Self::formation(formation)?,
            ["certifications", code] => Self::National(code),
            ["regionales", region, "certifications", code] => Self::Regionale(region, code),
            ["mailles", maille, place, "certifications", code] => Self::Declared(maille, place, code),
            _ => return None,
        })
    }

    /// A formation: the last hyphen of the segment separates, as it was sent, and neither side may be empty.
    #[must_use]
    pub fn formation(segment: &'a str) -> Option<Self> {
        let (uai, code) = segment.rsplit_once('-').filter(|(uai, code)| !uai.is_empty() && !code.is_empty())?;
        Some(Self::Formation(uai, code))
    }

    /// Its segments, decoded.
    ///
    /// # Errors
    /// [`ApiError::Unreadable`].
    pub fn decode(self) -> Result<DocumentPath<Cow<'a, str>>, ApiError> {
        Ok(match self {
            Self::National(codes) => DocumentPath::National(read_segment(codes)?),
            Self::Regionale(region, codes) => DocumentPath::Regionale(read_segment(region)?, read_segment(codes)?),
            Self::Declared(maille, place, codes) => {
                DocumentPath::Declared(read_segment(maille)?, read_segment(place)?, read_segment(codes)?)
            }
            Self::Formation(uai, code) => DocumentPath::Formation(read_segment(uai)?, read_segment(code)?),
        })
    }

    /// The codes.
    #[must_use]
    pub fn codes(self) -> &'a str {
        let (Self::National(codes)
        | Self::Regionale(_, codes)
        | Self::Declared(_, _, codes)
        | Self::Formation(_, codes)) = self;
        codes
    }
}

impl DocumentPath<Cow<'_, str>> {
    /// The same, borrowed.
    #[must_use]
    pub fn borrowed(&self) -> DocumentPath<&str> {
        match self {
            Self::National(codes) => DocumentPath::National(codes),
            Self::Regionale(region, codes) => DocumentPath::Regionale(region, codes),
            Self::Declared(maille, place, codes) => DocumentPath::Declared(maille, place, codes),
            Self::Formation(uai, code) => DocumentPath::Formation(uai, code),
        }
    }
}

impl DocumentParameters {
    /// Of a document as JSON.
    #[must_use]
    pub fn of_json(millesime: Option<Millesime>, fields: Option<FieldChoice>) -> Self {
        Self {
            millesime,
            history: false,
            generation: false,
            fields,
            filieres_view: false,
            svg: false,
            theme: Theme::default(),
            direction: Direction::default(),
            image_on_error: ImageOnError::No,
        }
    }

    /// Reads the parameters of one document; `ext` is the extension of the path.
    ///
    /// # Errors
    /// Every fault, in the recorded order.
    pub fn read(
        parameters: Vec<(String, Vec<String>)>,
        ext: Option<&str>,
        path: DocumentPath<&str>,
    ) -> Result<(Self, Target), ApiError> {
        let mut sent = received(parameters);
        let mut faults = Faults::default();
        let mut target = Target { codes: Vec::new(), region: None, uai: None, place: None };
        let types: Option<Vec<CodeType>>;
        match path {
            DocumentPath::Formation(uai, code) => {
                target.uai = Uai::parse(uai);
                if target.uai.is_none() {
                    faults.uai(FaultPlace::Name("uai"), uai);
                }
                match CodeCertification::parse(code) {
                    Some(code) => target.codes.push(code),
                    None => faults.code(FaultPlace::Name("code_certification"), code),
                }
                // One formation knows the secondary universe only, whatever its code.
                types = Some(Vec::new());
            }
            DocumentPath::National(codes) | DocumentPath::Regionale(_, codes) | DocumentPath::Declared(_, _, codes) => {
                if let DocumentPath::Regionale(text, _) = path {
                    target.region = region(FaultPlace::Name("region"), &text.into(), &mut faults);
                }
                if let DocumentPath::Declared(maille, text, _) = path {
                    target.place = declared_place(text, &mut faults).map(|place| keys::declared_place(maille, &place));
                }
                // These routes need no key, and each code costs a get or two.
                let items: Vec<&str> = codes.split([',', '|']).take(CODES_MAX + 1).collect();
                let too_many = items.len() > CODES_MAX;
                let read: Option<Vec<_>> =
                    items.iter().map(|i| CodeCertification::parse(i)).collect::<Option<_>>().filter(|_| !too_many);
                if too_many {
                    faults.too_many(FaultPlace::Name("codes_certifications"), CODES_MAX);
                } else if read.is_none() {
                    let items: Vec<Value> = items.into_iter().map(Into::into).collect();
                    faults.codes(FaultPlace::Name("codes_certifications"), items.into());
                }
                types = read.as_ref().map(|codes| codes.iter().map(CodeCertification::code_type).collect());
                target.codes = read.unwrap_or_default();
            }
        }
        universe(&mut sent, types.as_deref(), &mut faults);
        let millesime = sent.take("millesime").and_then(|values| millesime(&values, &mut faults));
        let view = match path {
            DocumentPath::Formation(..) => None,
            _ => sent.among("vue", &["filieres"], &mut faults),
        };
        let direction = sent.among("direction", &["horizontal", "vertical"], &mut faults);
        let theme = sent.among("theme", &["dsfr", "lba"], &mut faults);
        let mut svg = false;
        let from_query = sent.take("ext").map(|v| raw(&v));
        for demand in [ext.map(Value::from), from_query].into_iter().flatten() {
            if demand == "svg" {
                svg = true;
            } else {
                fault_among(FaultPlace::Name("ext"), &demand, &["svg"], &mut faults);
            }
        }
        let image_on_error = image_on_error(&mut sent, &mut faults);
        let history = sent.among("historique", &["0", "1"], &mut faults) == Some("1");
        let fields = sent.take("champs");
        let generation = sent.among("avec", &["generation"], &mut faults).is_some();
        sent.finish(faults)?;
        let filieres_view = view.is_some() || target.codes.len() > 1;
        let one_only = history || generation;
        if svg && (one_only || fields.is_some()) || one_only && filieres_view || history && millesime.is_some() {
            return Err(ApiError::Demand(
                "champs, historique et avec : pas d’une image ; historique et avec : d’un seul code, sans vue ; historique : sans millesime"
                    .into(),
            ));
        }
        let read = Self {
            millesime,
            history,
            generation,
            fields: FieldChoice::of(fields)?,
            filieres_view,
            svg,
            theme: theme.and_then(Theme::parse).unwrap_or_default(),
            direction: direction.and_then(Direction::parse).unwrap_or_default(),
            image_on_error,
        };
        Ok((read, target))
    }
}

fn image_on_error(received: &mut ReceivedParameters, faults: &mut Faults) -> ImageOnError {
    let Some(values) = received.take("imageOnError") else { return ImageOnError::No };
    match values.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["" | "false"] => ImageOnError::No,
        ["true"] => ImageOnError::Yes,
        ["empty"] => ImageOnError::Empty,
        _ => {
            fault_among(FaultPlace::Name("imageOnError"), &raw(&values), &["true", "false", "empty"], faults);
            ImageOnError::No
        }
    }
}

fn millesime(values: &[String], faults: &mut Faults) -> Option<Millesime> {
    let place = FaultPlace::Name("millesime");
    let text = match values {
        [alone] => alone,
        _ => {
            faults.not_a_text(place, raw(values));
            return None;
        }
    };
    let read = Millesime::parse(text);
    if text.is_empty() {
        faults.empty(place);
    } else if read.is_none() {
        faults.millesime(place, text);
    }
    read
}
