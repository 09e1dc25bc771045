//! Pictures as mail, documents and narrow pages take them: `/api/images/…`, as SVG or PNG, in any width.
//!
//! The same documents as the images beside them, found the same way: what the threshold hides is hidden here. Addresses of the
//! contract (`….svg` behind a document) draw as they always did; what re-users asked for since lies here, in a component of its
//! own, so that documents link none of it. What paints a PNG is handed in, and linked by that component alone.

use crate::document::{already_rendered, document_json, formation, keep, rendered_key};
use crate::error::{ApiError, NotFound};
use crate::export::fault;
use crate::parameters::{DocumentParameters, DocumentPath, ImageOnError, Target};
use crate::place::LookupPlace;
use crate::public::{Now, image, image_without_age, public};
use crate::response::{PNG, Response};
use crate::{Request, Runtime, body, filieres, routes};
use domain::Maille;
use serde_json::Value;
use std::borrow::Cow;
use std::cell::LazyCell;
use store::Reader;
use store::counts::FilieresView;
use store::kv::KeyValue;
use store::version_set::Version;
use widget::{Ground, Look, Picture, picture, picture_of_filieres, picture_of_missing};

/// Pixels of a PNG for one of the picture, at most.
const SCALE_MAX: u32 = 3;

/// What paints a PNG.
#[derive(Clone, Copy)]
pub struct Painter {
    /// Paints a picture at a scale; `None` where that is more pixels than it paints.
    pub paint: fn(&Picture, u32) -> Option<Vec<u8>>,
    /// A PNG of one transparent pixel.
    pub empty: fn() -> Vec<u8>,
    /// The pixels that it paints at most, as an error tells it.
    pub pixels_max: u32,
}

/// What of a picture is no property of its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PictureDemand {
    png: bool,
    /// `None`: sharp on screens of today, and printed, where that is not too many pixels.
    scale: Option<u32>,
    look: Look,
}

/// Answers `/api/images/…`.
pub async fn respond<M: Runtime>(runtime: &M, request: Request, painter: Painter) -> Response {
    let response = match handle(runtime, &request, painter).await {
        Ok(response) => response,
        Err(error) => error.response(),
    };
    response.finish(runtime, &request).await
}

async fn handle<M: Runtime>(runtime: &M, request: &Request, painter: Painter) -> Result<Response, ApiError> {
    body::read(request)?;
    let monotonic = runtime.monotonic_ms();
    let key = rendered_key(request);
    if let Some(response) = already_rendered(runtime, request, &key, monotonic).await? {
        return Ok(response);
    }
    let segments = request.segments();
    let (asked, png) = match segments.as_slice() {
        ["api", "images", rest @ ..] => read_path(rest)?,
        _ => return Err(ApiError::UnknownRoute),
    };
    if let Some(response) = routes::by_method(request)? {
        return Ok(response);
    }
    let (demand, parameters, target) = read(request, png, asked.borrowed())?;
    let now_ms = LazyCell::new(|| runtime.now_ms());
    let now: Now<'_> = &|| *now_ms;
    let serve = async |reader: Reader<M::Kv>| {
        let response = one(&reader, demand, &parameters, &target, now, painter).await?;
        // What is folded already is not folded again.
        let response = if png { response.tag(&Request::default()) } else { response.tag(request) };
        Ok(keep(&reader, request, response, &key))
    };
    routes::from_whole(runtime, monotonic, serve).await
}

/// The document that a path names, and whether it is to be a PNG.
fn read_path<'a>(rest: &[&'a str]) -> Result<(DocumentPath<Cow<'a, str>>, bool), ApiError> {
    let Some((last, before)) = rest.split_last() else { return Err(ApiError::UnknownRoute) };
    let (name, png) = match (last.strip_suffix(".png"), last.strip_suffix(".svg")) {
        (Some(name), _) => (name, true),
        (_, Some(name)) => (name, false),
        _ => return Err(ApiError::UnknownRoute),
    };
    let segments: Vec<&str> = before.iter().copied().chain([name]).collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return Err(ApiError::UnknownRoute);
    }
    Ok((DocumentPath::read(&segments).ok_or(ApiError::UnknownRoute)?.decode()?, png))
}

/// Reads the options of a picture, then what it shares with documents; every fault at once.
fn read(
    request: &Request,
    png: bool,
    path: DocumentPath<&str>,
) -> Result<(PictureDemand, DocumentParameters, Target), ApiError> {
    let mut sent = request.parameters()?;
    let mut faults = Vec::new();
    let mut take = |name: &str| {
        let rank = sent.iter().position(|(found, _)| found == name)?;
        Some(sent.remove(rank).1)
    };
    let mut number = |name: &str, values: Option<Vec<String>>, bounds: std::ops::RangeInclusive<u32>| {
        let values = values?;
        let read = match values.as_slice() {
            [one] if one.bytes().all(|b| b.is_ascii_digit()) => one.parse().ok().filter(|read| bounds.contains(read)),
            _ => None,
        };
        if read.is_none() {
            let said = format!("est un nombre entier de {} à {}", bounds.start(), bounds.end());
            faults.push(fault(name, &said, values.into(), &[]));
        }
        read
    };
    let text = number("texte", take("texte"), Look::TEXTS).unwrap_or(*Look::TEXTS.start());
    let least = Look::least_width(text)..=*Look::WIDTHS.end();
    let width = number("largeur", take("largeur"), least);
    let scale = take("echelle");
    let told = if png { None } else { scale.clone() };
    let scale = if png { number("echelle", scale, 1..=SCALE_MAX) } else { None };
    if let Some(values) = told {
        faults.push(fault("echelle", "vaut pour un PNG : un SVG n’a pas de points", values.into(), &[]));
    }
    let ground = take("fond").map_or(Some(Ground::Light), |values| match values.as_slice() {
        [one] if one == "clair" => Some(Ground::Light),
        [one] if one == "sombre" => Some(Ground::Dark),
        _ => {
            faults.push(fault("fond", "vaut clair ou sombre", values.into(), &["clair", "sombre"]));
            None
        }
    });
    let (parameters, target) = match DocumentParameters::read(sent, Some("svg"), path) {
        Ok(read) if faults.is_empty() => read,
        Ok(_) => return Err(ApiError::Validation(faults, "".into())),
        Err(ApiError::Validation(mut others, said)) => {
            others.append(&mut faults);
            return Err(ApiError::Validation(others, said));
        }
        Err(other) => return Err(other),
    };
    let (theme, direction) = (parameters.theme, parameters.direction);
    let look = Look { theme, direction, ground: ground.unwrap_or_default(), width, text };
    Ok((PictureDemand { png, scale, look }, parameters, target))
}

async fn one<K: KeyValue>(
    reader: &Reader<K>,
    demand: PictureDemand,
    parameters: &DocumentParameters,
    target: &Target,
    now: Now<'_>,
    painter: Painter,
) -> Result<Response, ApiError> {
    let paint = |drawn: Picture| {
        if !demand.png {
            return Ok(image_without_age(drawn.svg()));
        }
        let scales = demand.scale.map_or([2, 1], |scale| [scale, scale]);
        let file = scales.into_iter().find_map(|scale| (painter.paint)(&drawn, scale)).ok_or_else(|| {
            let most = painter.pixels_max;
            ApiError::Demand(format!("largeur et echelle : l’image aurait plus de {most} points").into())
        })?;
        Ok(Response::new(200, PNG, file))
    };
    let found = if !LookupPlace::of(target).is_known(reader.pointer()) {
        Err(ApiError::NotFound(NotFound::Maille))
    } else if parameters.filieres_view {
        let draw = |view: &FilieresView, _: &DocumentParameters| {
            let region = view.0.iter().find_map(|(_, d)| d.as_document().get("region")?.get("nom")?.as_str());
            let place = place(target, None, region);
            filieres::filieres(view, |drawn| picture_of_filieres(drawn, &place, &demand.look)).and_then(paint)
        };
        filieres::respond(reader, parameters, target, now(), draw).await
    } else {
        match document_json(reader, parameters, target, now).await.map(|json| json.shown) {
            Ok(Some(shown)) => document(&shown, target, demand.look, now)
                .and_then(paint)
                .map(|response| public(response, [shown.closing], now)),
            Ok(None) => Err(ApiError::Unavailable),
            Err(error) => Err(error),
        }
    };
    match (found, parameters.image_on_error) {
        (Err(ApiError::NotFound(_) | ApiError::Millesime { .. }), ImageOnError::Yes) => {
            paint(picture_of_missing(&demand.look)).map(briefly)
        }
        (Err(ApiError::NotFound(_) | ApiError::Millesime { .. }), ImageOnError::Empty) if demand.png => {
            Ok(briefly(Response::new(200, PNG, (painter.empty)())))
        }
        (Err(ApiError::NotFound(_) | ApiError::Millesime { .. }), ImageOnError::Empty) => {
            Ok(image(widget::empty().to_owned(), 60))
        }
        (found, _) => found,
    }
}

/// An image in place of an error is kept as long as the error would be.
fn briefly(response: Response) -> Response {
    response.with("cache-control", "public, max-age=60")
}

/// The picture of one document.
fn document(shown: &Version, target: &Target, look: Look, now: Now<'_>) -> Result<Picture, ApiError> {
    formation(shown, now, |drawn, document| {
        let region = document.get("region").and_then(|region| region.get("nom")).and_then(Value::as_str);
        picture(drawn, &place(target, Some(document), region), &look)
    })
}

/// Where a picture is about, as it names it.
fn place(target: &Target, document: Option<&Value>, region: Option<&str>) -> String {
    match LookupPlace::of(target).maille {
        Maille::National => "France".to_owned(),
        Maille::Regionale => format!("Région\u{a0}: {}", region.unwrap_or_default()),
        Maille::Etablissement => {
            let name = document.and_then(|d| d.get("libelle_etablissement")).and_then(Value::as_str);
            let uai = target.uai.as_ref().map(|uai| format!("Établissement {}", uai.as_str()));
            name.map(str::to_owned).or(uai).unwrap_or_default()
        }
        Maille::Declared => {
            let (maille, code) = target.place.as_deref().and_then(|place| place.split_once('/')).unwrap_or_default();
            // The field of its places is the maille's own: the one that holds the code.
            let fields = document.and_then(Value::as_object).into_iter().flatten();
            let places = fields.filter(|(name, _)| *name != "region" && *name != "diplome").map(|(_, field)| field);
            let text = |field: &'_ Value, name: &str| field.get(name).and_then(Value::as_str).map(str::to_owned);
            let name = places.filter(|f| text(f, "code").as_deref() == Some(code)).find_map(|f| text(f, "nom"));
            name.unwrap_or_else(|| format!("{maille} {code}"))
        }
    }
}
