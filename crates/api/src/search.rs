//! `/api/recherche`: certifications and establishments by words or codes, and where each has data.
//!
//! Public, bounded to a dozen gets (see [`store::search`]), and without any indicator: what is
//! found says where to ask for them.

use crate::document::{already_rendered, keep, rendered_key};
use crate::error::ApiError;
use crate::links::WebLink;
use crate::response::{AGE, Freshness, JSON};
use crate::{LogFact, Request, Response, Runtime, open, read_body, read_segment, routes};
use domain::level::{LEVELS, level_of_slug};
use domain::territory::Region;
use domain::{CodeCertification, CodeType, Filiere, Uai, territory};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::Reader;
use store::finding::SearchDemand;
use store::kv::KeyValue;
use store::mark;
use store::search::{CardCode, SearchCard, Subject, code_key, region_key, uai_key};

/// Longest query, in characters.
pub const Q_MAX: usize = 200;
/// Results of a page.
pub const PER_PAGE: usize = 10;
/// Last page that can be asked for: results beyond are better found by more words.
pub const PAGE_MAX: usize = 1_000;

/// Answers `/api/recherche…`.
pub async fn respond<M: Runtime>(runtime: &M, request: Request) -> Response {
    let response = match handle(runtime, &request).await {
        Ok(response) => response,
        Err(SearchRefusal::Error(error)) => error.response(),
        Err(SearchRefusal::Help(status, body)) => {
            let anchor = if status == 400 { "recherche" } else { "pas-de-donnees" };
            Response::json(status, &body).with("cache-control", "public, max-age=60").link(WebLink::help(anchor))
        }
    };
    response.finish(runtime, &request).await
}

/// Why there is no answer.
enum SearchRefusal {
    Error(ApiError),
    /// Status and body, with the field `aide`: these routes are new, no recorded body binds them.
    Help(u16, Value),
}

impl<E: Into<ApiError>> From<E> for SearchRefusal {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

fn invalid(field: &str, message: &str, help: &str) -> SearchRefusal {
    let detail = json!({"message": format!("\"{field}\" {message}"), "path": [field], "type": "any.invalid", "context": {"label": field, "key": field}});
    SearchRefusal::Help(
        400,
        json!({"statusCode": 400, "error": "Bad Request", "message": "Erreur de validation", "details": [detail], "aide": help}),
    )
}

fn absent(message: &str, help: String) -> SearchRefusal {
    SearchRefusal::Help(404, json!({"statusCode": 404, "error": "Not Found", "message": message, "aide": help}))
}

async fn handle<M: Runtime>(runtime: &M, request: &Request) -> Result<Response, SearchRefusal> {
    read_body(request)?;
    let monotonic = runtime.monotonic_ms();
    let key = rendered_key(request);
    if let Some(kept) = already_rendered(runtime, request, &key, monotonic).await? {
        return Ok(kept);
    }
    let segments = request.segments();
    let rest = segments.strip_prefix(["api", "recherche"].as_slice()).ok_or(ApiError::UnknownRoute)?;
    if !matches!(rest, [] | ["certifications" | "etablissements", _]) || rest.iter().any(|s| s.is_empty()) {
        return Err(ApiError::UnknownRoute.into());
    }
    match request.method.as_ref() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Ok(routes::options(routes::READING)),
        _ => return Err(ApiError::UnknownRoute.into()),
    }
    let mut reader = open(runtime, monotonic).await?;
    let fallback = reader.clone().previous();
    let body = match (serve(&reader, request, rest).await, fallback) {
        // A missing or damaged value is a fault: the whole request starts again, one generation back.
        (Err(SearchRefusal::Error(ApiError::Unavailable)), Some(previous)) => {
            runtime.note(LogFact::Pointer(previous.shared_pointer()));
            reader = previous;
            serve(&reader, request, rest).await
        }
        (body, _) => body,
    }?;
    // Nothing that is found closes by itself: it holds as long as the generation.
    let mut response = Response::new(200, JSON, body).with("cache-control", AGE);
    response.freshness = Freshness::Generation;
    Ok(keep(&reader, request, response.tag(request), &key))
}

/// The body of an answer.
async fn serve<K: KeyValue>(reader: &Reader<K>, request: &Request, rest: &[&str]) -> Result<Vec<u8>, SearchRefusal> {
    let body = match rest {
        ["certifications", code] => certification(reader, request, &read_segment(code)?).await?,
        ["etablissements", uai] => etablissement(reader, request, &read_segment(uai)?).await?,
        _ => return find(reader, request).await,
    };
    Ok(body.to_string().into_bytes())
}

/// The parameters that a route takes; an unknown or a repeated one is a fault.
fn parameters<const N: usize>(request: &Request, known: [&str; N]) -> Result<[Option<String>; N], SearchRefusal> {
    let mut read = [const { None }; N];
    for (name, values) in request.parameters()? {
        // A key is not needed here, and no fault: clients send theirs everywhere.
        if name == "apiKey" {
            continue;
        }
        let place = known.iter().position(|c| *c == name).and_then(|rank| read.get_mut(rank));
        let help = format!(
            "Paramètres acceptés, une fois chacun : {}.",
            if N == 0 { "aucun".into() } else { known.join(", ") }
        );
        match (place, values.as_slice()) {
            (Some(place), [alone]) => *place = Some(alone.clone()),
            (Some(_), _) => return Err(invalid(&name, "must be a string", &help)),
            (None, _) => return Err(invalid(&name, "is not allowed", &help)),
        }
    }
    Ok(read)
}

async fn find<K: KeyValue>(reader: &Reader<K>, request: &Request) -> Result<Vec<u8>, SearchRefusal> {
    let [q, subject, page, niveau, voie, region] =
        parameters(request, ["q", "type", "page", "niveau", "voie", "region"])?;
    let q = q.unwrap_or_default();
    let facets = facets(niveau.as_deref(), voie.as_deref(), region.as_deref())?;
    if q.trim().is_empty() && facets.is_empty() || q.chars().count() > Q_MAX {
        let help = format!("q : de 1 à {Q_MAX} caractères, des mots ou un code. Exemple : /api/recherche?q=cuisine");
        return Err(invalid("q", "is required", &help));
    }
    let subject = match subject.as_deref() {
        None => None,
        Some("certification") => Some(Subject::Certification),
        Some("etablissement") => Some(Subject::Etablissement),
        Some(_) => {
            return Err(invalid(
                "type",
                "must be one of [certification, etablissement]",
                "Sans type, les deux sont cherchés.",
            ));
        }
    };
    let page = match page.map(|p| p.parse::<usize>()) {
        None => 1,
        Some(Ok(page)) if (1..=PAGE_MAX).contains(&page) => page,
        Some(_) => {
            let help = format!("page : un nombre de 1 à {PAGE_MAX} ; au-delà, préciser la recherche.");
            return Err(invalid("page", &format!("must be between 1 and {PAGE_MAX}"), &help));
        }
    };
    let demand = SearchDemand { q: &q, subject, facets: &facets };
    let found = reader.find(&demand, (page - 1) * PER_PAGE, PER_PAGE).await?;
    let pagination = Pagination {
        page,
        items_par_page: PER_PAGE,
        nombre_de_page: found.total.div_ceil(PER_PAGE).max(1),
        total: found.total,
    };
    let resultats = found.cards.iter().map(ShownCard::of).collect();
    let body = FoundPage { q: &q, approche: found.approximate, resultats, pagination };
    // Texts and numbers alone: nothing that JSON cannot say.
    serde_json::to_vec(&body).map_err(|_| ApiError::Unavailable.into())
}

/// A page of results, as it is written.
#[derive(Serialize)]
struct FoundPage<'a> {
    q: &'a str,
    approche: bool,
    resultats: Vec<ShownCard<'a>>,
    pagination: Pagination,
}

#[derive(Serialize)]
struct Pagination {
    page: usize,
    items_par_page: usize,
    nombre_de_page: usize,
    total: usize,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ShownCard<'a> {
    Certification {
        libelle: &'a str,
        diplome: Option<&'a str>,
        donnees: bool,
        codes: Vec<ShownCode<'a>>,
        rncp: &'a [String],
    },
    Etablissement {
        libelle: &'a str,
        uai: &'a str,
        region: Option<ShownRegion>,
        donnees: bool,
    },
}

#[derive(Serialize)]
struct ShownCode<'a> {
    code: &'a str,
    r#type: &'a str,
    identifiant: String,
    donnees: bool,
}

#[derive(Serialize)]
struct ShownRegion {
    code: &'static str,
    nom: &'static str,
}

impl<'a> ShownCard<'a> {
    fn of(card: &'a SearchCard) -> Self {
        let (libelle, donnees) = (card.libelle.as_str(), card.has_data);
        match card.subject {
            Subject::Certification => {
                let code = |c: &'a CardCode| ShownCode {
                    code: &c.code,
                    r#type: &c.code_kind,
                    identifiant: identifier(&c.code, &c.code_kind),
                    donnees: c.has_data,
                };
                let diplome = Some(card.diplome.as_str()).filter(|diplome| !diplome.is_empty());
                let codes = card.codes.iter().map(code).collect();
                Self::Certification { libelle, diplome, donnees, codes, rncp: &card.rncp }
            }
            Subject::Etablissement => {
                let region = territory::region(&card.region).map(|r| ShownRegion { code: r.code, nom: r.name });
                Self::Etablissement { libelle, uai: &card.uai, region, donnees }
            }
        }
    }
}

/// The marks that results must have: level, voie, region.
fn facets(niveau: Option<&str>, voie: Option<&str>, region: Option<&str>) -> Result<Vec<String>, SearchRefusal> {
    let mut facets = Vec::new();
    if let Some(slug) = niveau {
        let slugs: Vec<&str> = LEVELS.iter().map(|level| level.slug).collect();
        let level = level_of_slug(slug)
            .ok_or_else(|| invalid("niveau", "n'est pas un niveau", &format!("Niveaux : {}.", slugs.join(", "))))?;
        facets.push(mark::level(level.slug));
    }
    if let Some(name) = voie {
        let names = Filiere::ALL.map(Filiere::as_str).join(", ");
        let filiere =
            Filiere::parse(name).ok_or_else(|| invalid("voie", "n'est pas une voie", &format!("Voies : {names}.")))?;
        facets.push(mark::filiere(filiere));
    }
    if let Some(code) = region {
        facets.push(mark::region(known_region(code)?.code));
    }
    Ok(facets)
}

fn known_region(code: &str) -> Result<&'static Region, SearchRefusal> {
    territory::region(code).ok_or_else(|| {
        let codes: Vec<&str> = territory::REGIONS.iter().map(|r| r.code).collect();
        invalid("region", "n'est pas une région", &format!("Codes de région de l'INSEE : {}.", codes.join(", ")))
    })
}

/// A code as the API's paths take it.
fn identifier(code: &str, kind: &str) -> String {
    if kind == "SISE" { format!("SISE:{code}") } else { code.to_owned() }
}

fn millesimes(text: Option<&String>) -> Vec<String> {
    let mut read: Vec<String> = text.map(|t| t.split(',').map(str::to_owned).collect()).unwrap_or_default();
    read.reverse();
    read
}

async fn certification<K: KeyValue>(reader: &Reader<K>, request: &Request, code: &str) -> Result<Value, SearchRefusal> {
    let [wanted] = parameters(request, ["region"])?;
    let Some(read) = CodeCertification::parse(code) else {
        let help = "Un CFD a 8 caractères, un MEFSTAT11 en a 11, un code SISE s'écrit SISE: suivi de 7 caractères.";
        return Err(invalid("code", "n'est pas un code de certification", help));
    };
    let kind = match read.code_type() {
        CodeType::Cfd => "CFD",
        CodeType::Mef => "MEFSTAT11",
        CodeType::Sise => "SISE",
    };
    let code = read.as_str();
    let Some(places) = reader.places(&code_key(code)).await? else {
        let help = format!("Codes les plus proches : /api/recherche?q={code}");
        return Err(absent("Pas de données disponibles", help));
    };
    if let Some(wanted) = wanted {
        let region = known_region(&wanted)?;
        let within = reader.places(&region_key(code, region.code)).await?.unwrap_or_default();
        let etablissements: Vec<Value> = within
            .0
            .iter()
            .map(|l| json!({"uai": l.first(), "libelle": l.get(1), "millesimes": millesimes(l.get(2))}))
            .collect();
        return Ok(json!({
            "identifiant": identifier(code, kind),
            "region": {"code": region.code, "nom": region.name},
            "etablissements": etablissements,
        }));
    }
    let mut body = json!({"code": code, "type": kind, "identifiant": identifier(code, kind), "libelle": null, "diplome": null, "code_formation_diplome": null});
    let mut national: Map<String, Value> = Map::new();
    let mut regions: Vec<(String, Vec<String>, bool)> = Vec::new();
    for row in &places.0 {
        let field = |rank: usize| row.get(rank).map(String::as_str).unwrap_or_default();
        match field(0) {
            "0" => {
                for (name, value) in
                    [("libelle", field(1)), ("diplome", field(2)), ("code_formation_diplome", field(3))]
                {
                    if let Some(place) = body.get_mut(name).filter(|p| p.is_null() && !value.is_empty()) {
                        *place = value.into();
                    }
                }
            }
            "1" => {
                let place = national.entry(field(1)).or_insert_with(|| json!([]));
                if let Some(list) = place.as_array_mut() {
                    list.insert(0, field(2).into());
                }
            }
            "2" => regions.push((field(1).to_owned(), millesimes(row.get(2)), false)),
            _ => match regions.iter_mut().find(|(code, ..)| code == field(1)) {
                Some(known) => known.2 = true,
                None => regions.push((field(1).to_owned(), Vec::new(), true)),
            },
        }
    }
    let regions: Vec<Value> = regions
        .into_iter()
        .filter_map(|(code, millesimes, etablissements)| {
            let r = territory::region(&code)?;
            Some(json!({"code": r.code, "nom": r.name, "millesimes": millesimes, "etablissements": etablissements}))
        })
        .collect();
    if let Some(object) = body.as_object_mut() {
        object.insert("nationales".into(), national.into());
        object.insert("regions".into(), regions.into());
    }
    Ok(body)
}

async fn etablissement<K: KeyValue>(reader: &Reader<K>, request: &Request, uai: &str) -> Result<Value, SearchRefusal> {
    let [] = parameters(request, [])?;
    let Some(read) = Uai::parse(uai) else {
        return Err(invalid("uai", "n'est pas un UAI", "Un UAI a sept chiffres et une lettre majuscule : 0750652B."));
    };
    let uai = read.as_str();
    let Some(places) = reader.places(&uai_key(uai)).await? else {
        let help = format!("Établissements les plus proches : /api/recherche?q={uai}&type=etablissement");
        return Err(absent("Pas de données disponibles", help));
    };
    let formations: Vec<Value> = places
        .0
        .iter()
        .map(|l| {
            let field = |rank: usize| l.get(rank).map(String::as_str).unwrap_or_default();
            let kind = if field(3) == "superieur" { "SISE" } else { "" };
            let filieres: Vec<&str> = field(3).split(',').collect();
            json!({"identifiant": identifier(field(0), kind), "libelle": field(1), "diplome": field(2), "filieres": filieres, "millesimes": millesimes(l.get(4))})
        })
        .collect();
    Ok(json!({"uai": uai, "formations": formations}))
}
