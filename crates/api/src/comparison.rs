//! Comparison values: what else is published beside a document.
//!
//! The same certification in the region, in the country, and in the other voie in the same place. Each is a whole document,
//! as its own route answers it, or the error that its own route answers: nothing is computed of two documents, no
//! difference and no sum. So whatever follows from a comparison follows from single answers; a document that the threshold
//! hides is hidden here too, and says why.

use crate::document::{DocumentJson, document_json};
use crate::error::{ApiError, NotFound};
use crate::fields::FieldChoice;
use crate::parameters::{DocumentParameters, DocumentPath, Target};
use crate::place::LookupPlace;
use crate::public::{Now, public};
use crate::response::{JSON, Response, ResponseBody};
use crate::runtime::{fall_back, open_over};
use crate::{Request, Runtime};
use domain::{CodeCertification, CodeType, Document, Filiere, Maille, Millesime, territory};
use serde_json::Value;
use std::cell::LazyCell;
use store::Reader;
use store::kv::{KeyValue, StoreError};
use store::recent::RecentValues;
use store::search::Subject;
use store::version_set::Version;

/// Codes of the other voie that are looked up, at most.
const OTHER_CODES_MAX: usize = 12;

/// The codes of the other voie of the certification asked for last: neighbours of one answer often share it.
#[derive(Debug, Default)]
pub(crate) struct LastLink(Option<(String, Vec<CodeCertification>)>);

/// Answers `/api/comparaison/…`; `rest` is what follows.
pub(crate) async fn respond<M: Runtime>(runtime: &M, request: &Request, rest: &[&str]) -> Result<Response, ApiError> {
    let path = DocumentPath::read(rest).ok_or(ApiError::UnknownRoute)?.decode()?;
    let path = path.borrowed();
    let (parameters, target) = DocumentParameters::read(request.parameters()?, None, path)?;
    if parameters.filieres_view || parameters.history || parameters.svg || path.codes().contains([',', '|']) {
        return Err(ApiError::Demand(
            "Une comparaison porte sur un seul document : un seul code, sans vue, historique ni image".into(),
        ));
    }
    let read = LazyCell::new(|| runtime.now_ms());
    let now: Now<'_> = &|| *read;
    let made = from_whole(runtime, &parameters, &target, true, now).await?;
    Ok(public(Response::new(200, JSON, made.body), made.closings, now).with_etag(request))
}

/// A document, and what is beside it where that is asked for. A missing or damaged value is a fault: the whole request starts
/// again, one generation back.
pub(crate) async fn from_whole<M: Runtime>(
    runtime: &M,
    parameters: &DocumentParameters,
    target: &Target,
    compared: bool,
    now: Now<'_>,
) -> Result<DocumentJson, ApiError> {
    let reader = open_recent(runtime).await?;
    let fallback = reader.clone();
    match alone_or_both(&reader, parameters, target, compared, now).await {
        Err(ApiError::Unavailable) => match fall_back(runtime, fallback.previous()) {
            Some(previous) => alone_or_both(&previous, parameters, target, compared, now).await,
            None => Err(ApiError::Unavailable),
        },
        made => made,
    }
}

async fn alone_or_both<K: KeyValue>(
    reader: &Reader<K>,
    parameters: &DocumentParameters,
    target: &Target,
    compared: bool,
    now: Now<'_>,
) -> Result<DocumentJson, ApiError> {
    if compared { both(reader, parameters, target, now).await } else { one(reader, parameters, target, now).await }
}

/// Follows the pointer, for an answer of many documents.
pub(crate) async fn open_recent<M: Runtime>(runtime: &M) -> Result<Reader<RecentValues<M::Kv>>, StoreError> {
    open_over(runtime, RecentValues::new(runtime.kv()), runtime.monotonic_ms()).await
}

/// A document, and what is beside it.
async fn both<K: KeyValue>(
    reader: &Reader<K>,
    parameters: &DocumentParameters,
    target: &Target,
    now: Now<'_>,
) -> Result<DocumentJson, ApiError> {
    let mut json = one(reader, parameters, target, now).await?;
    let mut body = b"{\"document\":".to_vec();
    body.append(&mut json.body);
    body.extend_from_slice(b",\"comparaison\":");
    let shown = json.shown.take().ok_or(ApiError::Unavailable)?;
    let beside = Beside { reader, target, fields: parameters.fields.as_ref(), shown: &shown, now };
    beside.write(&mut body, &mut json.closings, &mut LastLink::default()).await?;
    body.push(b'}');
    json.body = body;
    Ok(json)
}

/// One document, as its own route answers it.
pub(crate) async fn one<K: KeyValue>(
    reader: &Reader<K>,
    parameters: &DocumentParameters,
    target: &Target,
    now: Now<'_>,
) -> Result<DocumentJson, ApiError> {
    if !LookupPlace::of(target).is_known(reader.pointer()) {
        return Err(ApiError::NotFound(NotFound::Maille));
    }
    document_json(reader, parameters, target, now).await
}

/// Writes `"statut":…` and the document, or the error: those of its own answer.
pub(crate) fn write_outcome(body: &mut Vec<u8>, outcome: Result<Vec<u8>, &ApiError>) {
    match outcome {
        Ok(document) => {
            body.extend_from_slice(b"\"statut\":200,\"document\":");
            body.extend_from_slice(&document);
        }
        Err(error) => {
            let response = error.response();
            body.extend_from_slice(b"\"statut\":");
            body.extend_from_slice(itoa::Buffer::new().format(response.status).as_bytes());
            body.extend_from_slice(b",\"erreur\":");
            if let ResponseBody::Bytes(told) = response.body {
                body.extend_from_slice(&told);
            }
        }
    }
}

/// What is published beside a document.
pub(crate) struct Beside<'a, K> {
    pub(crate) reader: &'a Reader<K>,
    pub(crate) target: &'a Target,
    pub(crate) fields: Option<&'a FieldChoice>,
    /// What is shown of it: its millesime and voie are those that are compared.
    pub(crate) shown: &'a Version,
    pub(crate) now: Now<'a>,
}

impl<K: KeyValue> Beside<'_, K> {
    /// Writes the comparison.
    pub(crate) async fn write(
        &self,
        body: &mut Vec<u8>,
        closings: &mut Vec<Option<i64>>,
        link: &mut LastLink,
    ) -> Result<(), ApiError> {
        let maille = LookupPlace::of(self.target).maille;
        let Some(code) = self.target.codes.first() else { return Err(ApiError::Unavailable) };
        body.push(b'{');
        if matches!(maille, Maille::Etablissement | Maille::Declared)
            && let Some(region) = self.region()
        {
            let target = Target { region: Some(region), uai: None, place: None, ..self.target.clone() };
            body.extend_from_slice(b"\"region\":{");
            write_outcome(body, self.find(&target, closings).await?.as_ref().map(|json| json.body.clone()));
            body.extend_from_slice(b"},");
        }
        if maille != Maille::National {
            let target = Target { region: None, uai: None, place: None, ..self.target.clone() };
            body.extend_from_slice(b"\"pays\":{");
            write_outcome(body, self.find(&target, closings).await?.as_ref().map(|json| json.body.clone()));
            body.extend_from_slice(b"},");
        }
        body.extend_from_slice(b"\"autre_voie\":[");
        let mut told: Vec<Vec<u8>> = Vec::new();
        for other in self.other_codes(code, link).await? {
            let target = Target { codes: vec![other.clone()], ..self.target.clone() };
            let outcome = self.find(&target, closings).await?;
            let same_voie = |json: &DocumentJson| json.shown.as_ref().is_some_and(|it| voie(it) == voie(self.shown));
            // Years before the final one lead to one and the same document.
            // They are told apart by all that is published of them, not by the fields that were asked for.
            let own =
                |json: &DocumentJson| json.shown.as_ref().map_or_else(|| json.body.clone(), |it| it.body().to_vec());
            if outcome.as_ref().is_ok_and(|json| same_voie(json) || told.contains(&own(json))) {
                continue;
            }
            if body.last() != Some(&b'[') {
                body.push(b',');
            }
            body.extend_from_slice(b"{\"code_certification\":\"");
            body.extend_from_slice(other.as_str().as_bytes());
            body.extend_from_slice(b"\",");
            write_outcome(body, outcome.as_ref().map(|json| json.body.clone()));
            body.push(b'}');
            told.extend(outcome.ok().map(|json| own(&json)));
        }
        body.extend_from_slice(b"]}");
        Ok(())
    }

    /// The document of another place or code, of the same millesime in either spelling. The inner error is its answer.
    async fn find(
        &self,
        target: &Target,
        closings: &mut Vec<Option<i64>>,
    ) -> Result<Result<DocumentJson, ApiError>, ApiError> {
        let mut first = None;
        let spellings = Millesime::parse(self.shown.millesime());
        for millesime in spellings.iter().flat_map(Millesime::both_spellings) {
            let parameters = DocumentParameters::of_json(Some(millesime), self.fields.map(FieldChoice::afresh));
            match one(self.reader, &parameters, target, self.now).await {
                Ok(mut json) => {
                    closings.append(&mut json.closings);
                    return Ok(Ok(json));
                }
                Err(error @ (ApiError::NotFound(_) | ApiError::Millesime { .. } | ApiError::Demand(_))) => {
                    let another = matches!(error, ApiError::Millesime { .. });
                    first.get_or_insert(error);
                    if !another {
                        break;
                    }
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(Err(first.unwrap_or(ApiError::Unavailable)))
    }

    /// The region that the document names.
    fn region(&self) -> Option<&'static str> {
        let json = [self.shown.body(), b"}"].concat();
        let document: Document = serde_json::from_slice(&json).ok()?;
        let code = document.get("region")?.get("code").and_then(Value::as_str)?;
        territory::region(code).map(|region| region.code)
    }

    /// The codes of the certification in the other voie: of a MEFSTAT11 its CFD, of a CFD the MEFSTAT11s that lead to it and
    /// have data. Nomenclature and search say so of any code.
    async fn other_codes(
        &self,
        code: &CodeCertification,
        link: &mut LastLink,
    ) -> Result<Vec<CodeCertification>, ApiError> {
        if let Some((_, codes)) = link.0.as_ref().filter(|(known, _)| known == code.as_str()) {
            return Ok(codes.clone());
        }
        let codes: Vec<CodeCertification> = match code.code_type() {
            CodeType::Sise => Vec::new(),
            CodeType::Mef => {
                let cfd = self.reader.nomenclature("bcn", code.as_str()).await?;
                cfd.and_then(|cfd| CodeCertification::parse(std::str::from_utf8(&cfd).ok()?)).into_iter().collect()
            }
            CodeType::Cfd => {
                let card = self.reader.card(Subject::Certification, code.as_str()).await?;
                let codes = card.map(|card| card.codes).unwrap_or_default();
                let codes = codes.iter().filter(|other| other.has_data && other.code_kind == "MEFSTAT11");
                codes.filter_map(|other| CodeCertification::parse(&other.code)).take(OTHER_CODES_MAX).collect()
            }
        };
        link.0 = Some((code.as_str().to_owned(), codes.clone()));
        Ok(codes)
    }
}

/// Apprenticeship, or school.
fn voie(version: &Version) -> bool {
    version.filiere() == Filiere::Apprentissage.as_str()
}
