//! One document: the version asked for, its final years, as JSON or as an image.

use crate::error::{ApiError, NotFound};
use crate::fields::FieldChoice;
use crate::parameters::{DocumentParameters, DocumentPath, ImageOnError, Target};
use crate::place::LookupPlace;
use crate::public::{Now, image, image_without_age, indicators, public};
use crate::response::{JSON, Response, accepts_gzip};
use crate::{LogFact, Request, Runtime, filieres, open};
use domain::{CodeCertification, CodeType, Maille, Millesime};
use serde_json::{Value, json};
use std::cell::LazyCell;
use store::Reader;
use store::kv::KeyValue;
use store::pointer::Pointer;
use store::version_set::{Shape, Version, VersionSet};
use widget::{Formation, Source};

/// Answers one document of a maille, or the filieres view of its codes, and keeps the answer under `rendered_key`.
pub async fn respond<M: Runtime>(
    runtime: &M,
    reader: &Reader<M::Kv>,
    request: &Request,
    path: DocumentPath<&str>,
    ext: Option<&str>,
    rendered_key: &str,
) -> Result<Response, ApiError> {
    let (parameters, target) = DocumentParameters::read(request.parameters()?, ext, path)?;
    let read = LazyCell::new(|| runtime.now_ms());
    let now: Now<'_> = &|| *read;
    let found = if !LookupPlace::of(&target).is_known(reader.pointer()) {
        Err(ApiError::NotFound(NotFound::Maille))
    } else if parameters.filieres_view {
        filieres::respond(reader, &parameters, &target, now(), filieres::draw).await
    } else {
        one_document(reader, &parameters, &target, now).await
    };
    let response = match found {
        Err(error @ (ApiError::NotFound(_) | ApiError::Millesime { .. })) if parameters.svg => {
            match parameters.image_on_error {
                ImageOnError::No => return Err(error),
                ImageOnError::Yes => image(widget::missing(parameters.theme, parameters.direction), 60),
                ImageOnError::Empty => image(widget::empty().to_owned(), 60),
            }
        }
        other => other?,
    };
    Ok(keep(reader, request, response.tag(request), rendered_key))
}

/// Keeps an answer that has its tag, and says 304 where the client holds it.
pub fn keep<K: KeyValue>(reader: &Reader<K>, request: &Request, response: Response, rendered_key: &str) -> Response {
    if let Some(rendered) = response.rendered() {
        reader.keep_rendered(rendered_key, &rendered);
    }
    response.conditional(request)
}

/// What an answer is kept under: everything it depends on, but for the generation and the day.
pub fn rendered_key(request: &Request) -> String {
    let encoding = if accepts_gzip(request) { "gzip " } else { "" };
    [encoding, &request.path, "?", &request.query].concat()
}

/// The answer that this instance keeps for a request that reads, if it does and it still holds: the pointer, followed at
/// this instant of the monotonic clock, names the generation that it was made under.
pub async fn already_rendered<M: Runtime>(
    runtime: &M,
    request: &Request,
    key: &str,
    monotonic: u64,
) -> Result<Option<Response>, ApiError> {
    if !matches!(request.method.as_ref(), "GET" | "HEAD") {
        return Ok(None);
    }
    let read = |rendered: &[u8]| Response::from_rendered(rendered, request, || runtime.now_ms());
    let Some((made_under, Some(response))) = runtime.cache().rendered(key, read) else { return Ok(None) };
    let reader = open(runtime, monotonic).await?;
    if reader.pointer().generation != made_under.generation {
        return Ok(None);
    }
    runtime.note(LogFact::Kept);
    Ok(Some(response))
}

/// One document as JSON, or every millesime of it.
#[derive(Default)]
pub(crate) struct DocumentJson {
    pub(crate) body: Vec<u8>,
    /// When the courses that it is about close.
    pub(crate) closings: Vec<Option<i64>>,
    /// What is shown of it: of several, the newest.
    pub(crate) shown: Option<Version>,
    /// The first document, whole, where fields are asked for.
    whole: Vec<u8>,
}

impl DocumentJson {
    /// Names the generation at the end of the last document: its title closes `_meta`, and `_meta` the document.
    #[inline(never)]
    fn name(&mut self, generation: &str) {
        self.body.truncate(self.body.len().saturating_sub(2));
        self.body.extend_from_slice([",\"generation\":\"", generation, "\"}}"].concat().as_bytes());
    }

    /// Leaves of the document that begins there what is asked for.
    #[inline(never)]
    fn cut(&mut self, fields: &FieldChoice, start: usize) {
        let document = self.body.split_off(start);
        fields.cut(&mut self.body, &document);
        if self.whole.is_empty() {
            self.whole = document;
        }
    }
}

async fn one_document<K: KeyValue>(
    reader: &Reader<K>,
    parameters: &DocumentParameters,
    target: &Target,
    now: Now<'_>,
) -> Result<Response, ApiError> {
    let json = document_json(reader, parameters, target, now).await?;
    match json.shown {
        Some(shown) if parameters.svg => draw(&shown, parameters, now),
        _ => Ok(public(Response::new(200, JSON, json.body), json.closings, now)),
    }
}

/// One document of a place, or its history, with the fields that are asked for; of an image nothing but what is shown.
pub(crate) async fn document_json<K: KeyValue>(
    reader: &Reader<K>,
    parameters: &DocumentParameters,
    target: &Target,
    now: Now<'_>,
) -> Result<DocumentJson, ApiError> {
    let place = LookupPlace::of(target);
    let Some(code) = target.codes.first() else { return Err(ApiError::Unavailable) };
    let mut year = AskedYear::of(parameters, place, reader.pointer(), code);
    year.every = parameters.history;
    let asked = AskedDocument { reader, parameters, place, code, now };
    let mut json = DocumentJson::default();
    let (mut told, mut absent) = (Vec::new(), None);
    if parameters.history {
        json.body.extend_from_slice(b"{\"historique\":[");
    }
    for version in find(reader, place, code, &year).await?.versions {
        let own = if parameters.history { AskedYear::of_version(&version, place.maille, &mut told) } else { None };
        if parameters.history && own.is_none() {
            continue;
        }
        let start = json.body.len();
        if json.shown.is_some() {
            json.body.push(b',');
        }
        if let Err(error) = asked.write(own.as_ref().unwrap_or(&year), version, &mut json).await {
            // A millesime whose final year is not there is none that can be asked for.
            if !parameters.history || error.name().is_none() {
                return Err(error);
            }
            json.body.truncate(start);
            absent = Some(error);
        }
    }
    if let (None, Some(error)) = (&json.shown, absent) {
        return Err(error);
    }
    if parameters.history {
        json.body.extend_from_slice(b"]}");
    }
    if let Some(fields) = &parameters.fields {
        fields.finish(&json.whole)?;
    }
    Ok(json)
}

/// What a document is found by.
struct AskedDocument<'a, K> {
    reader: &'a Reader<K>,
    parameters: &'a DocumentParameters,
    place: LookupPlace<'a>,
    code: &'a CodeCertification,
    now: Now<'a>,
}

impl<K: KeyValue> AskedDocument<'_, K> {
    /// Writes a version as its own answer shows it: a sole final year in its place. The title and details are its own, and
    /// it goes no further.
    async fn write(&self, year: &AskedYear, version: Version, json: &mut DocumentJson) -> Result<(), ApiError> {
        let shown = match &version.final_years {
            Some(t) if !t.annee_commune && t.codes.len() == 1 => {
                let code = t.codes.first().map_or("", String::as_str);
                find_final(self.reader, self.place, self.code, code, year).await?
            }
            _ => version,
        };
        if !self.parameters.svg {
            if shown.closing.is_some() {
                json.closings.push(shown.closing);
            }
            let is_final =
                shown.final_years.as_ref().is_none_or(|t| t.codes.is_empty() || t.codes.len() == 1 && !t.annee_commune);
            let final_years = match &shown.final_years {
                Some(t) if !is_final => Some(self.nest(year, &t.codes, &mut json.closings).await?),
                _ => None,
            };
            let start = json.body.len();
            shown.write(&mut json.body, self.now, Shape::Alone, final_years.as_deref());
            if self.parameters.generation {
                json.name(&self.reader.pointer().generation);
            }
            if let Some(fields) = &self.parameters.fields {
                json.cut(fields, start);
            }
        }
        json.shown.get_or_insert(shown);
        Ok(())
    }

    /// The final years inside a document, sorted by label: each one's own document, without title and details, or why it
    /// cannot be had.
    ///
    /// They are looked up at request time, one get each: a famille de metiers has some ten, and the import stays free of a
    /// join over all documents.
    async fn nest(
        &self,
        year: &AskedYear,
        codes: &[String],
        closings: &mut Vec<Option<i64>>,
    ) -> Result<Vec<u8>, ApiError> {
        let mut final_years: Vec<(Option<String>, Vec<u8>)> = Vec::new();
        for code in codes {
            let final_year = match find_final(self.reader, self.place, self.code, code, year).await {
                Ok(version) => {
                    let mut body = Vec::new();
                    version.write(&mut body, self.now, Shape::Row, None);
                    closings.push(version.closing);
                    (Some(version.libelle().to_owned()), body)
                }
                Err(error) => {
                    let mut name = error.name().ok_or(ApiError::Unavailable)?;
                    // One text for two causes: a code that is nowhere, or a place that does not teach it.
                    if let (Maille::Etablissement, true, Some(code)) = (
                        self.place.maille,
                        error == ApiError::NotFound(NotFound::Formation),
                        code_of_final_year(self.code, code),
                    ) && self.reader.nomenclature(nomenclature(&code), code.as_str()).await?.is_some()
                    {
                        name = "ErrorFormationNotFound";
                    }
                    let millesimes = year.years();
                    let fault = json!({"error": name, "millesimes": millesimes, "code_certification": code});
                    (None, fault.to_string().into_bytes())
                }
            };
            // Those that cannot be had come last; equals stay in their order.
            let new = (final_year.0.is_none(), &final_year.0);
            let place = final_years.partition_point(|(label, _)| (label.is_none(), label) <= new);
            final_years.insert(place, final_year);
        }
        let body: Vec<Vec<u8>> = final_years.into_iter().map(|(_, body)| body).collect();
        Ok([b"[".as_slice(), &body.join(&b','), b"]"].concat())
    }
}

/// The millesime that a request is about: asked for, or the default.
struct AskedYear {
    millesime: Option<Millesime>,
    /// Under this name errors tell it: the default of an establishment is a year, found under either spelling.
    name: String,
    /// Every millesime there is, whichever this one is.
    every: bool,
}

impl AskedYear {
    fn of(
        parameters: &DocumentParameters,
        place: LookupPlace<'_>,
        pointer: &Pointer,
        code: &CodeCertification,
    ) -> Self {
        if let Some(demand) = &parameters.millesime {
            return Self { millesime: Some(demand.clone()), name: demand.as_str().to_owned(), every: false };
        }
        let millesime = place.in_force(pointer, code.code_type().universe()).and_then(Millesime::parse);
        let name = |m: &Millesime| if place.maille == Maille::Etablissement { m.year() } else { m.as_str() }.to_owned();
        Self { name: millesime.as_ref().map_or_else(String::new, name), millesime, every: false }
    }

    /// The one that finds this version; `None` where it found a newer one, of those told: two spellings of a year, or two
    /// documents of one, are found by one request.
    #[inline(never)]
    fn of_version(version: &Version, maille: Maille, told: &mut Vec<String>) -> Option<Self> {
        let name = version.millesime().to_owned();
        let year = Self { millesime: Some(Millesime::parse(&name)?), name, every: false };
        if told.iter().any(|newer| year.accepts(maille, newer)) {
            return None;
        }
        told.push(year.name.clone());
        Some(year)
    }

    /// Whether rows of this millesime are meant. Establishments publish a year under either spelling.
    fn accepts(&self, maille: Maille, written: &str) -> bool {
        match (&self.millesime, maille) {
            _ if self.every => false,
            (None, _) => false,
            (Some(m), Maille::Etablissement) => m.is_written(written),
            (Some(m), _) => m.as_str() == written,
        }
    }

    /// Its years, as the errors of final years list them.
    fn years(&self) -> Vec<&str> {
        self.name.split('_').filter(|year| !year.is_empty()).collect()
    }
}

/// The version of a code in a place; every version where every millesime is asked for. One get.
async fn find<K: KeyValue>(
    reader: &Reader<K>,
    place: LookupPlace<'_>,
    code: &CodeCertification,
    year: &AskedYear,
) -> Result<VersionSet, ApiError> {
    let accepts = |written: &str| year.accepts(place.maille, written);
    match reader.version(place.maille, place.place, code.as_str(), accepts).await? {
        Ok(version) => Ok(VersionSet { versions: vec![version] }),
        // None was accepted: what came back is all of them.
        Err(version_set) if year.every && !version_set.versions.is_empty() => Ok(version_set),
        Err(version_set) => Err(absence(reader, place, code, &version_set, year).await?),
    }
}

/// Why there is no version, in this order: the code, then the place is in no nomenclature; they have no row together; they
/// have none of the millesime. Nationally a row is all that is asked for.
async fn absence<K: KeyValue>(
    reader: &Reader<K>,
    place: LookupPlace<'_>,
    code: &CodeCertification,
    version_set: &VersionSet,
    year: &AskedYear,
) -> Result<ApiError, ApiError> {
    let without_row = match place.maille {
        Maille::National => ApiError::NotFound(NotFound::Certification),
        Maille::Regionale | Maille::Declared => {
            if reader.nomenclature("bcn", code.as_str()).await?.is_none() {
                return Ok(ApiError::NotFound(NotFound::Formation));
            }
            ApiError::NotFound(NotFound::Data)
        }
        Maille::Etablissement => {
            if reader.nomenclature(nomenclature(code), code.as_str()).await?.is_none() {
                return Ok(ApiError::NotFound(NotFound::Formation));
            }
            if reader.nomenclature("etablissement", place.place).await?.is_none() {
                return Ok(ApiError::NotFound(NotFound::Etablissement));
            }
            ApiError::NotFound(NotFound::Formation)
        }
    };
    if version_set.versions.is_empty() {
        return Ok(without_row);
    }
    let available = version_set.millesimes().into_iter().map(str::to_owned).collect();
    Ok(ApiError::Millesime { millesime: year.name.clone(), available })
}

/// The nomenclature that codes of establishments are looked up in.
fn nomenclature(code: &CodeCertification) -> &'static str {
    if code.code_type() == CodeType::Sise { "bcn_sise" } else { "bcn" }
}

/// A final year: the same place, and the millesime that the request is about, whichever the document that leads to it
/// has. A code of no known shape is that of no row.
async fn find_final<K: KeyValue>(
    reader: &Reader<K>,
    place: LookupPlace<'_>,
    template: &CodeCertification,
    code: &str,
    year: &AskedYear,
) -> Result<Version, ApiError> {
    match code_of_final_year(template, code) {
        Some(code) => {
            let found = find(reader, place, &code, year).await?;
            found.versions.into_iter().next().ok_or(ApiError::Unavailable)
        }
        None if place.maille == Maille::National => Err(ApiError::NotFound(NotFound::Certification)),
        None => Err(ApiError::NotFound(NotFound::Formation)),
    }
}

/// The code of a final year, as documents hold it: without the prefix that tells higher education from the rest.
fn code_of_final_year(template: &CodeCertification, code: &str) -> Option<CodeCertification> {
    let sise = || CodeCertification::parse(&format!("SISE:{code}")).filter(|_| template.code_type() == CodeType::Sise);
    CodeCertification::parse(code).or_else(sise)
}

fn draw(version: &Version, parameters: &DocumentParameters, now: Now<'_>) -> Result<Response, ApiError> {
    let svg =
        formation(version, now, |formation, _| widget::render(formation, parameters.theme, parameters.direction))?;
    Ok(public(image_without_age(svg), [version.closing], now))
}

/// What `draw` makes of a version and its document.
pub(crate) fn formation<T>(
    version: &Version,
    now: Now<'_>,
    draw: impl FnOnce(&Formation<'_>, &Value) -> Option<T>,
) -> Result<T, ApiError> {
    let mut json = Vec::new();
    version.write(&mut json, now, Shape::Alone, None);
    let document: Value = serde_json::from_slice(&json).map_err(|_| ApiError::Unavailable)?;
    let meta = |field: &str| document.get("_meta").and_then(|m| m.get(field));
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let (title, details, libelle) = (text(meta("titre")), text(meta("details")), text(document.get("libelle")));
    let messages: Vec<&str> =
        meta("messages").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let formation = Formation {
        title: &title,
        details: &details,
        libelle: Some(libelle.as_str()).filter(|l| !l.is_empty()),
        millesime: version.millesime(),
        source: match version.universe() {
            domain::Universe::Secondaire => Source::InserJeunes,
            domain::Universe::Superieur => Source::InserSup,
        },
        messages: &messages,
        indicators: indicators(&document),
    };
    draw(&formation, &document).ok_or(ApiError::NotFound(NotFound::Drawing))
}
