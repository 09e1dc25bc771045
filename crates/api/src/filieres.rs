//! The filieres view: what becomes of those who took a course, by school and by apprenticeship.

use crate::error::{ApiError, NotFound};
use crate::parameters::{DocumentParameters, Target};
use crate::place::LookupPlace;
use crate::public::{image_without_age, indicators, public};
use crate::response::{JSON, Response};
use domain::{CodeType, Document, Filiere, Maille, Universe, unique};
use serde_json::Value;
use store::Reader;
use store::counts::{self, FilieresView};
use store::kv::KeyValue;
use widget::Filieres;

/// Answers the view of a certification or of several, nationally or in a region; an image of it is drawn by `draw`.
pub async fn respond<K: KeyValue>(
    reader: &Reader<K>,
    parameters: &DocumentParameters,
    target: &Target,
    now: i64,
    draw: impl FnOnce(&FilieresView, &DocumentParameters) -> Result<Response, ApiError>,
) -> Result<Response, ApiError> {
    let place = LookupPlace::of(target);
    let cfds = cfds(reader, target).await?;
    if cfds.is_empty() {
        let national = place.maille == Maille::National;
        return Err(if national {
            ApiError::NotFound(NotFound::Certifications)
        } else {
            ApiError::NotFound(NotFound::Formation)
        });
    }
    let mut entries = Vec::new();
    for cfd in cfds {
        let counts = reader.counts(place.place, &cfd).await?.unwrap_or_default();
        entries.push((cfd, counts));
    }
    // The view always defaults to the school track's latest year.
    let demand = parameters.millesime.as_ref().map(|m| m.as_str());
    let millesime = demand.or_else(|| place.in_force(reader.pointer(), Universe::Secondaire));
    let view = counts::view(&entries, |m| Some(m) == millesime, place.place, now).ok_or(ApiError::Unavailable)?;
    if view.0.is_empty() {
        let national = place.maille == Maille::National;
        return Err(if national {
            ApiError::NotFound(NotFound::Certifications)
        } else {
            ApiError::NotFound(NotFound::Data)
        });
    }
    let closings = view.0.iter().map(|(_, d)| d.as_document().get("date_fermeture").and_then(domain::date::read_value));
    let closings: Vec<Option<i64>> = closings.collect();
    let response = if parameters.svg {
        draw(&view, parameters)?
    } else {
        let object: Document =
            view.0.into_iter().map(|(f, d)| (f.as_str().to_owned(), Value::Object(d.as_document().clone()))).collect();
        let mut body = Value::Object(object).to_string().into_bytes();
        if let Some(fields) = &parameters.fields {
            let cut = fields.cut_view(&body);
            fields.finish(&body)?;
            body = cut;
        }
        Response::new(200, JSON, body)
    };
    Ok(public(response, closings, &|| now))
}

/// The CFDs of the codes asked for, each once, in their order. A SISE code has none.
async fn cfds<K: KeyValue>(reader: &Reader<K>, target: &Target) -> Result<Vec<String>, ApiError> {
    let mut cfds: Vec<String> = Vec::new();
    for code in target.codes.iter().filter(|c| c.code_type() != CodeType::Sise) {
        if let Some(bytes) = reader.nomenclature("bcn", code.as_str()).await? {
            let cfd = String::from_utf8_lossy(&bytes).into_owned();
            if !cfd.is_empty() && !cfds.contains(&cfd) {
                cfds.push(cfd);
            }
        }
    }
    Ok(cfds)
}

/// The image of the contract.
pub(crate) fn draw(view: &FilieresView, parameters: &DocumentParameters) -> Result<Response, ApiError> {
    filieres(view, |drawn| widget::render_filieres(drawn, parameters.theme, parameters.direction))
        .map(image_without_age)
}

/// What `draw` makes of a view.
pub(crate) fn filieres<T>(view: &FilieresView, draw: impl FnOnce(&Filieres<'_>) -> Option<T>) -> Result<T, ApiError> {
    let found = |filiere: Filiere| view.0.iter().find(|(f, _)| *f == filiere).map(|(_, d)| d.as_document());
    let read = |filiere: Filiere| found(filiere).map(|d| indicators(&Value::Object(d.clone())));
    let documents = || view.0.iter().map(|(_, d)| d.as_document());
    let cfds = documents().filter_map(|d| d.get("codes_formation_diplome")?.as_array()).flatten();
    let cfds = unique(cfds.filter_map(Value::as_str));
    let only = cfds.len() == 1;
    let cfds = cfds.join(", ");
    let text =
        |document: &Document, field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let diplomes: Vec<String> = documents()
        .map(|d| {
            let diplome = d.get("diplome").and_then(|d| d.get("libelle")).and_then(Value::as_str);
            format!("{}filière {}", diplome.map_or(String::new(), |d| format!("{d} ")), text(d, "filiere"))
        })
        .collect();
    let millesime = documents().map(|d| text(d, "millesime")).max().unwrap_or_default();
    let title = if only { format!("Certification {cfds}") } else { format!("Certifications {cfds}") };
    let target_of = if only { "la certification" } else { "les certifications" };
    let mut details = format!(
        "Données InserJeunes pour {target_of} {cfds} ({}) pour le millésime {millesime}",
        diplomes.join(" et ")
    );
    let region = documents().find_map(|d| d.get("region")?.get("nom")?.as_str());
    if let Some(region) = region {
        details += &format!(" et la région {region}");
    }
    // A filiere of one CFD has its label, which names the picture only where it is that of the whole view.
    let libelle = documents().map(|d| text(d, "libelle")).find(|l| only && !l.is_empty());
    let messages: Vec<&str> = documents()
        .filter_map(|d| d.get("_meta")?.get("messages")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .take(1)
        .collect();
    let filieres = Filieres {
        title: &title,
        details: &details,
        libelle: libelle.as_deref(),
        millesime: &millesime,
        messages: &messages,
        pro: read(Filiere::Pro),
        apprentissage: read(Filiere::Apprentissage),
    };
    draw(&filieres).ok_or(ApiError::NotFound(NotFound::Drawing))
}
