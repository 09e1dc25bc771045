//! One document: the version asked for, its final years, as JSON or as an image.

use crate::error::{ApiError, NotFound};
use crate::parameters::{DocumentParameters, DocumentPath, ImageOnError, Target};
use crate::place::LookupPlace;
use crate::public::{Now, image, image_without_age, indicators, public};
use crate::response::{JSON, Response, accepts_gzip};
use crate::{Request, Runtime, filieres};
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
    path: DocumentPath<'_>,
    ext: Option<&str>,
    rendered_key: &str,
) -> Result<Response, ApiError> {
    let (parameters, target) = DocumentParameters::read(request.parameters()?, ext, path)?;
    let read = LazyCell::new(|| runtime.now_ms());
    let now: Now<'_> = &|| *read;
    let found = if !LookupPlace::of(&target).is_known(reader.pointer()) {
        Err(ApiError::NotFound(NotFound::Maille))
    } else if parameters.filieres_view {
        filieres::respond(reader, &parameters, &target, now()).await
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
    let response = response.tag(request);
    if let Some(rendered) = response.rendered() {
        reader.keep_rendered(rendered_key, &rendered);
    }
    Ok(response.conditional(request))
}

/// What an answer is kept under: everything it depends on, but for the generation and the day.
pub fn rendered_key(request: &Request) -> String {
    let encoding = if accepts_gzip(request) { "gzip " } else { "" };
    [encoding, &request.path, "?", &request.query].concat()
}

/// The answer that this instance keeps for the request, if it does and it still holds at this instant of the monotonic
/// clock.
pub fn already_rendered<M: Runtime>(runtime: &M, request: &Request, key: &str, monotonic: u64) -> Option<Response> {
    let read = |rendered: &[u8]| Response::from_rendered(rendered, request, || runtime.now_ms());
    runtime.cache().rendered(key, monotonic, read)?
}

async fn one_document<K: KeyValue>(
    reader: &Reader<K>,
    parameters: &DocumentParameters,
    target: &Target,
    now: Now<'_>,
) -> Result<Response, ApiError> {
    let place = LookupPlace::of(target);
    let Some(code) = target.codes.first() else { return Err(ApiError::Unavailable) };
    let year = AskedYear::of(parameters, place, reader.pointer(), code);
    let version = find(reader, place, code, &year).await?;
    let shown = match &version.final_years {
        // The final year's own document: the title and details are its own, and it goes no further.
        Some(t) if !t.annee_commune && t.codes.len() == 1 => {
            find_final(reader, place, code, t.codes.first().map_or("", String::as_str), &year).await?
        }
        _ => version,
    };
    if parameters.svg {
        return draw(&shown, parameters, now);
    }
    let mut body = Vec::new();
    let mut closings = vec![shown.closing];
    let is_final =
        shown.final_years.as_ref().is_none_or(|t| t.codes.is_empty() || t.codes.len() == 1 && !t.annee_commune);
    let final_years = match &shown.final_years {
        Some(t) if !is_final => Some(nest(reader, place, code, &year, &t.codes, now, &mut closings).await?),
        _ => None,
    };
    shown.write(&mut body, now, Shape::Alone, final_years.as_deref());
    Ok(public(Response::new(200, JSON, body), closings, now))
}

/// The millesime that a request is about: asked for, or the default.
struct AskedYear {
    millesime: Option<Millesime>,
    /// Under this name errors tell it: the default of an establishment is a year, found under either spelling.
    name: String,
}

impl AskedYear {
    fn of(
        parameters: &DocumentParameters,
        place: LookupPlace<'_>,
        pointer: &Pointer,
        code: &CodeCertification,
    ) -> Self {
        if let Some(demand) = &parameters.millesime {
            return Self { millesime: Some(demand.clone()), name: demand.as_str().to_owned() };
        }
        let millesime = place.in_force(pointer, code.code_type().universe()).and_then(Millesime::parse);
        let name = |m: &Millesime| if place.maille == Maille::Etablissement { m.year() } else { m.as_str() }.to_owned();
        Self { name: millesime.as_ref().map_or_else(String::new, name), millesime }
    }

    /// Whether rows of this millesime are meant. Establishments publish a year under either spelling.
    fn accepts(&self, maille: Maille, written: &str) -> bool {
        match (&self.millesime, maille) {
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

/// The version of a code in a place.
async fn find<K: KeyValue>(
    reader: &Reader<K>,
    place: LookupPlace<'_>,
    code: &CodeCertification,
    year: &AskedYear,
) -> Result<Version, ApiError> {
    let accepts = |written: &str| year.accepts(place.maille, written);
    match reader.version(place.maille, place.place, code.as_str(), accepts).await? {
        Ok(version) => Ok(version),
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
        Some(code) => find(reader, place, &code, year).await,
        None if place.maille == Maille::National => Err(ApiError::NotFound(NotFound::Certification)),
        None => Err(ApiError::NotFound(NotFound::Formation)),
    }
}

/// The code of a final year, as documents hold it: without the prefix that tells higher education from the rest.
fn code_of_final_year(template: &CodeCertification, code: &str) -> Option<CodeCertification> {
    let sise = || CodeCertification::parse(&format!("SISE:{code}")).filter(|_| template.code_type() == CodeType::Sise);
    CodeCertification::parse(code).or_else(sise)
}

/// The final years inside a document, sorted by label: each one's own document, without title and
/// details, or why it cannot be had.
///
/// They are looked up at request time, one get each: a famille de metiers has some ten, and the
/// import stays free of a join over all documents.
async fn nest<K: KeyValue>(
    reader: &Reader<K>,
    place: LookupPlace<'_>,
    template: &CodeCertification,
    year: &AskedYear,
    codes: &[String],
    now: Now<'_>,
    closings: &mut Vec<Option<i64>>,
) -> Result<Vec<u8>, ApiError> {
    let mut final_years: Vec<(Option<String>, Vec<u8>)> = Vec::new();
    for code in codes {
        final_years.push(match find_final(reader, place, template, code, year).await {
            Ok(version) => {
                let mut body = Vec::new();
                version.write(&mut body, now, Shape::Row, None);
                closings.push(version.closing);
                (Some(version.libelle().to_owned()), body)
            }
            Err(error) => {
                let mut name = error.name().ok_or(ApiError::Unavailable)?;
                // One text for two causes: a code that is nowhere, or a place that does not teach it.
                if let (Maille::Etablissement, true, Some(code)) =
                    (place.maille, error == ApiError::NotFound(NotFound::Formation), code_of_final_year(template, code))
                    && reader.nomenclature(nomenclature(&code), code.as_str()).await?.is_some()
                {
                    name = "ErrorFormationNotFound";
                }
                let millesimes = year.years();
                let fault = json!({"error": name, "millesimes": millesimes, "code_certification": code});
                (None, fault.to_string().into_bytes())
            }
        });
    }
    // Those that cannot be had come last, in their order.
    final_years.sort_by(|(a, _), (b, _)| (a.is_none(), a).cmp(&(b.is_none(), b)));
    let body: Vec<Vec<u8>> = final_years.into_iter().map(|(_, body)| body).collect();
    Ok([b"[".as_slice(), &body.join(&b','), b"]"].concat())
}

fn draw(version: &Version, parameters: &DocumentParameters, now: Now<'_>) -> Result<Response, ApiError> {
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
    let svg = widget::render(&formation, parameters.theme, parameters.direction)
        .ok_or(ApiError::NotFound(NotFound::Drawing))?;
    Ok(public(image_without_age(svg), [version.closing], now))
}
