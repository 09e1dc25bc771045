//! Several documents in one call: `POST /api/inserjeunes/lots`, and what is beside one: `/api/comparaison/…`.
//!
//! A lot is answered line by line, in the order asked, each as its own request would be answered from one generation. What
//! is held is what was asked for (bounded by [`BODY_MAX`]), a piece of the answer, and bundles that were just read; while a
//! client does not take what is sent, no more than one of those.

use crate::comparison::{self, Beside, LastLink, one, open_recent, write_outcome};
use crate::error::ApiError;
use crate::fields::FieldChoice;
use crate::matcher::Stopwatch;
use crate::parameters::{DocumentParameters, DocumentPath, Target};
use crate::response::{Response, ResponseBody};
use crate::stream::{BodyStream, Piece};
use crate::{Request, Runtime, access, parameters, quota, routes};
use futures_util::StreamExt;
use futures_util::stream::unfold;
use serde_json::{Map, Value};
use store::Reader;
use store::kv::{KeyValue, StoreError};
use store::recent::RecentValues;

/// Documents of a lot, at most.
pub const LOT_MAX: usize = 1_000;
/// Bytes of what asks for a lot, at most.
pub const BODY_MAX: usize = 256 * 1024;
/// Bytes of a piece of the answer. The first one holds one line, so that it is there at once.
const PIECE: usize = 32 * 1024;
/// How long an answer may take: below what hosts give one. It breaks off, and never looks whole.
const TIME_MAX_MS: u64 = 20_000;

/// Answers both routes. `body` is what a POST brings, as it comes.
pub async fn respond<M: Runtime>(runtime: &M, request: Request, body: BodyStream, clock: Stopwatch) -> Response {
    let response = match handle(runtime, &request, body, clock).await {
        Ok(response) => response,
        Err(error) => error.response(),
    };
    response.finish(runtime, &request).await
}

async fn handle<M: Runtime>(
    runtime: &M,
    request: &Request,
    body: BodyStream,
    clock: Stopwatch,
) -> Result<Response, ApiError> {
    let segments = request.segments();
    let (methods, beside) = match segments.as_slice() {
        ["api", "inserjeunes", "lots"] => ("POST", None),
        ["api", "comparaison", rest @ ..] if rest.iter().all(|segment| !segment.is_empty()) => {
            (routes::READING, Some(rest))
        }
        _ => return Err(ApiError::UnknownRoute),
    };
    if let Some(response) = routes::by_methods(request, methods)? {
        return Ok(response);
    }
    match beside {
        Some(rest) => comparison::respond(runtime, request, rest).await,
        None => lot(runtime, request, body, clock).await,
    }
}

async fn lot<M: Runtime>(
    runtime: &M,
    request: &Request,
    body: BodyStream,
    clock: Stopwatch,
) -> Result<Response, ApiError> {
    let monotonic = runtime.monotonic_ms();
    let caller = access::caller(runtime, request).await?;
    let mut told = match quota::take(runtime, &caller, false, monotonic).await {
        Ok(told) => told,
        Err(exceeded) => return Ok(exceeded.response()),
    };
    parameters::none(request.parameters()?)?;
    let length = request.header("content-length").and_then(|length| length.trim().parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_MAX as u64) {
        return Err(too_large());
    }
    let lot = LotDemand::read(&whole(body).await?)?;
    let reader = open_recent(runtime).await?;
    let count = lot.pairs.len();
    let ends = clock().saturating_add(TIME_MAX_MS);
    let answer = LotAnswer { reader, lot, now: runtime.now_ms(), next: 0, link: LastLink::default(), clock, ends };
    let mut response = Response::new(200, "application/x-ndjson; charset=utf-8", Vec::new())
        .with("cache-control", "no-store")
        // An NDJSON that was cut looks whole: this one tells a client whether it has every line.
        .with("x-row-count", count.to_string());
    response.headers.append(&mut told);
    let body = ResponseBody::Stream(BodyStream::new(answer.pieces()));
    Ok(Response { body, ..response }.compress(request))
}

fn too_large() -> ApiError {
    ApiError::TooLarge("Le corps de la requête dépasse 256 Kio : demander moins de documents à la fois".to_owned())
}

/// The body, where it is no larger than it may be. What lies beyond is not read.
async fn whole(mut body: BodyStream) -> Result<Vec<u8>, ApiError> {
    let mut read = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| ApiError::Unreadable("Le corps de la requête s'est interrompu"))?;
        if read.len() + chunk.len() > BODY_MAX {
            return Err(too_large());
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}

/// What a line is asked for.
#[derive(Debug, PartialEq, Eq)]
struct LotPair {
    place: LotPlace,
    code: String,
    millesime: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum LotPlace {
    National,
    Regionale(String),
    Formation(String),
    Declared(String, String),
}

/// A lot, as it was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LotDemand {
    pairs: Vec<LotPair>,
    fields: Option<String>,
    history: bool,
    comparison: bool,
}

/// A fault of the form of a lot: of none of its lines.
fn wrong(text: &[&str]) -> ApiError {
    ApiError::Demand(text.concat().into())
}

const MEMBERS: [&str; 4] = ["demandes", "champs", "historique", "comparaison"];
const OF_A_PAIR: [&str; 6] = ["code_certification", "uai", "region", "maille", "lieu", "millesime"];
/// A name or a value of a client's own, as far as it is told again.
const TOLD_MAX: usize = 60;

fn told(text: &str) -> &str {
    text.char_indices().nth(TOLD_MAX).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

impl LotDemand {
    fn read(body: &[u8]) -> Result<Self, ApiError> {
        let value: Value = serde_json::from_slice(body).map_err(|fault| {
            let (line, column) = (fault.line().to_string(), fault.column().to_string());
            wrong(&["Le corps n’est pas un objet JSON : ligne ", &line, ", caractère ", &column])
        })?;
        let Value::Object(mut object) = value else {
            return Err(wrong(&[
                "Le corps n’est pas un objet JSON. Exemple : {\"demandes\":[{\"code_certification\":\"40099013\"}]}",
            ]));
        };
        if let Some(name) = object.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(wrong(&[told(name), " : membre inconnu. Membres d’un lot : ", &MEMBERS.join(", ")]));
        }
        let fields = read_fields(&mut object)?;
        let (history, comparison) = (flag(&object, "historique")?, flag(&object, "comparaison")?);
        if history && comparison {
            return Err(wrong(&["historique et comparaison ne se demandent pas ensemble"]));
        }
        let Some(Value::Array(pairs)) = object.remove("demandes") else {
            return Err(wrong(&["demandes : une liste d’objets est attendue"]));
        };
        if pairs.is_empty() || pairs.len() > LOT_MAX {
            return Err(wrong(&["demandes : de 1 à 1 000 documents, ", &pairs.len().to_string(), " demandés"]));
        }
        let pairs =
            pairs.into_iter().enumerate().map(|(rank, pair)| LotPair::of_rank(rank, pair)).collect::<Result<_, _>>()?;
        Ok(Self { pairs, fields, history, comparison })
    }

    /// A lot of one, whose members all stand in one object. What is compared has no history.
    pub(crate) fn of_one(mut object: Map<String, Value>, comparison: bool) -> Result<Self, ApiError> {
        let fields = read_fields(&mut object)?;
        let history = !comparison && flag(&object, "historique")?;
        if !comparison {
            object.remove("historique");
        }
        let pairs = vec![LotPair::read("arguments", Value::Object(object))?];
        Ok(Self { pairs, fields, history, comparison })
    }

    /// The request that its first line stands for.
    pub(crate) fn alone(&self) -> Result<(DocumentParameters, Target), ApiError> {
        let pair = self.pairs.first().ok_or(ApiError::Unavailable)?;
        DocumentParameters::read(self.parameters(pair), None, pair.path())
    }

    /// The parameters of the request that a line stands for.
    fn parameters(&self, pair: &LotPair) -> Vec<(String, Vec<String>)> {
        let one = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
        let millesime = pair.millesime.iter().map(|millesime| one("millesime", millesime));
        let fields = self.fields.iter().map(|fields| one("champs", fields));
        millesime.chain(fields).chain(self.history.then(|| one("historique", "1"))).collect()
    }
}

/// The fields that are asked for, as the parameter of that name has them.
fn read_fields(object: &mut Map<String, Value>) -> Result<Option<String>, ApiError> {
    let fields = match object.remove("champs") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(Value::Array(names)) => {
            let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
            Some(names.ok_or_else(|| wrong(&["champs : une liste de textes est attendue"]))?.join(","))
        }
        Some(_) => return Err(wrong(&["champs : un texte ou une liste de textes est attendu"])),
    };
    // Names that no field can have are a fault of the lot, not of each line.
    fields.as_deref().map(|names| FieldChoice::read(&[names.to_owned()])).transpose()?;
    Ok(fields)
}

fn flag(object: &Map<String, Value>, name: &str) -> Result<bool, ApiError> {
    match object.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(false),
        Some(Value::Bool(true)) => Ok(true),
        Some(value) if value.as_u64() == Some(1) => Ok(true),
        Some(value) if value.as_u64() == Some(0) => Ok(false),
        Some(_) => Err(wrong(&[name, " : true ou false est attendu"])),
    }
}

impl LotPair {
    fn of_rank(rank: usize, value: Value) -> Result<Self, ApiError> {
        Self::read(&["demandes[", &rank.to_string(), "]"].concat(), value)
    }

    /// Reads what stands at this place of what was sent.
    fn read(place: &str, value: Value) -> Result<Self, ApiError> {
        let Value::Object(mut object) = value else { return Err(wrong(&[place, " : un objet est attendu"])) };
        if let Some(name) = object.keys().find(|name| !OF_A_PAIR.contains(&name.as_str())) {
            return Err(wrong(&[
                place,
                ".",
                told(name),
                " : membre inconnu. Membres d’une demande : ",
                &OF_A_PAIR.join(", "),
            ]));
        }
        let mut text = |name: &str| match object.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            // A number has lost its leading zeros.
            Some(_) => Err(wrong(&[place, ".", name, " : un texte non vide est attendu, entre guillemets"])),
        };
        let [code, uai, region, maille, lieu, millesime] = OF_A_PAIR;
        let (code, millesime) = (text(code)?, text(millesime)?);
        let lot_place = match (text(uai)?, text(region)?, text(maille)?, text(lieu)?) {
            (None, None, None, None) => LotPlace::National,
            (None, Some(region), None, None) => LotPlace::Regionale(region),
            (Some(uai), None, None, None) => LotPlace::Formation(uai),
            (None, None, Some(maille), Some(place)) => LotPlace::Declared(maille, place),
            _ => return Err(wrong(&[place, " : un lieu au plus, uai, ou region, ou maille avec lieu"])),
        };
        match code {
            Some(code) if !code.contains([',', '|']) => Ok(Self { place: lot_place, code, millesime }),
            Some(_) => Err(wrong(&[place, ".code_certification : un seul code est attendu"])),
            None => Err(wrong(&[place, ".code_certification manque"])),
        }
    }

    fn path(&self) -> DocumentPath<&str> {
        match &self.place {
            LotPlace::National => DocumentPath::National(&self.code),
            LotPlace::Regionale(region) => DocumentPath::Regionale(region, &self.code),
            LotPlace::Formation(uai) => DocumentPath::Formation(uai, &self.code),
            LotPlace::Declared(maille, place) => DocumentPath::Declared(maille, place, &self.code),
        }
    }
}

/// A lot that is being answered.
struct LotAnswer<K> {
    reader: Reader<RecentValues<K>>,
    lot: LotDemand,
    now: i64,
    next: usize,
    link: LastLink,
    clock: Stopwatch,
    ends: u64,
}

impl<K: KeyValue + Clone + 'static> LotAnswer<K> {
    fn pieces(self) -> impl futures_util::Stream<Item = Piece> {
        unfold(self, |mut answer| async move {
            let mut piece = Vec::new();
            let room = if answer.next == 0 { 1 } else { PIECE };
            while piece.len() < room {
                let Some(pair) = answer.lot.pairs.get(answer.next) else { break };
                if (answer.clock)() > answer.ends {
                    let fault = StoreError::Unavailable("a lot takes too long".to_owned());
                    return Some((Err(fault), answer));
                }
                answer.next += 1;
                let mut link = std::mem::take(&mut answer.link);
                answer.line(pair, answer.next, &mut piece, &mut link).await;
                answer.link = link;
            }
            // Nobody knows when the client takes the piece.
            answer.reader.store().keep_last();
            if piece.is_empty() { None } else { Some((Ok(piece), answer)) }
        })
    }

    async fn line(&self, pair: &LotPair, rank: usize, piece: &mut Vec<u8>, link: &mut LastLink) {
        let start = piece.len();
        let mut fault = match self.answer(&self.reader, pair, rank, piece, link).await {
            Ok(()) => return,
            Err(error) => error,
        };
        // As for one document: where a value is missing or damaged, the line starts again, one generation back.
        if fault == ApiError::Unavailable
            && let Some(previous) = self.reader.clone().previous()
        {
            piece.truncate(start);
            fault = match self.answer(&previous, pair, rank, piece, &mut LastLink::default()).await {
                Ok(()) => return,
                Err(error) => error,
            };
        }
        piece.truncate(start);
        begin(piece, rank);
        write_outcome(piece, Err(&fault));
        piece.extend_from_slice(b"}\n");
    }

    async fn answer(
        &self,
        reader: &Reader<RecentValues<K>>,
        pair: &LotPair,
        rank: usize,
        piece: &mut Vec<u8>,
        link: &mut LastLink,
    ) -> Result<(), ApiError> {
        let (parameters, target) = DocumentParameters::read(self.lot.parameters(pair), None, pair.path())?;
        let json = one(reader, &parameters, &target, &|| self.now).await?;
        begin(piece, rank);
        write_outcome(piece, Ok(json.body));
        if let Some(shown) = json.shown.as_ref().filter(|_| self.lot.comparison) {
            piece.extend_from_slice(b",\"comparaison\":");
            let fields = parameters.fields.as_ref();
            let beside = Beside { reader, target: &target, fields, shown, now: &|| self.now };
            beside.write(piece, &mut Vec::new(), link).await?;
        }
        piece.extend_from_slice(b"}\n");
        Ok(())
    }
}

fn begin(piece: &mut Vec<u8>, rank: usize) {
    piece.extend_from_slice(b"{\"rang\":");
    piece.extend_from_slice(itoa::Buffer::new().format(rank).as_bytes());
    piece.push(b',');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(body: &str) -> String {
        match LotDemand::read(body.as_bytes()) {
            Err(ApiError::Demand(text)) => text.into_owned(),
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn a_lot_is_read_or_told_what_is_wrong_with_its_form() {
        let lot = LotDemand::read(
            br#"{"demandes":[{"code_certification":"1","millesime":null},{"uai":"u","code_certification":"2","millesime":"2023"},
                {"region":"11","code_certification":"3"},{"maille":"m","lieu":"l","code_certification":"4"}],
                "champs":["a","b.c"],"historique":0,"comparaison":true}"#,
        )
        .unwrap();
        assert_eq!((lot.fields.as_deref(), lot.history, lot.comparison), (Some("a,b.c"), false, true));
        let places: Vec<&LotPlace> = lot.pairs.iter().map(|pair| &pair.place).collect();
        assert!(matches!(
            places.as_slice(),
            [LotPlace::National, LotPlace::Formation(_), LotPlace::Regionale(_), LotPlace::Declared(..)]
        ));
        assert_eq!(
            lot.parameters(&lot.pairs[1]),
            [("millesime".to_owned(), vec!["2023".to_owned()]), ("champs".to_owned(), vec!["a,b.c".to_owned()])]
        );
        for (body, told) in [
            ("", "ligne 1, caractère 0"),
            ("[]", "pas un objet"),
            ("{\"demandes\":[", "ligne 1, caractère 13"),
            ("{}", "demandes : une liste"),
            (r#"{"demandes":[]}"#, "0 demandés"),
            (r#"{"demandes":[],"x":1}"#, "x : membre inconnu. Membres d’un lot : demandes, "),
            (r#"{"demandes":[{}]}"#, "demandes[0].code_certification manque"),
            (r#"{"demandes":[{"code_certification":1}]}"#, "demandes[0].code_certification : un texte"),
            (
                r#"{"demandes":[{"code_certification":"1"},{"code_certification":"1,2"}]}"#,
                "demandes[1].code_certification : un seul",
            ),
            (r#"{"demandes":[{"code_certification":"1","lieu":"2"}]}"#, "demandes[0] : un lieu au plus"),
            (r#"{"demandes":[{"code_certification":"1","uai":"2","region":"3"}]}"#, "demandes[0] : un lieu au plus"),
            (r#"{"demandes":[{"code":"1"}]}"#, "demandes[0].code : membre inconnu"),
            (r#"{"demandes":[1]}"#, "demandes[0] : un objet"),
            (r#"{"demandes":[{"code_certification":"1"}],"historique":"oui"}"#, "historique : true ou false"),
            (r#"{"demandes":[{"code_certification":"1"}],"historique":1,"comparaison":1}"#, "ensemble"),
            (r#"{"demandes":[{"code_certification":"1"}],"champs":[1]}"#, "champs : une liste de textes"),
        ] {
            assert!(refused(body).contains(told), "{body}: {}", refused(body));
        }
        let pairs = vec![json!({"code_certification": "1"}); LOT_MAX + 1];
        assert!(refused(&json!({"demandes": pairs}).to_string()).contains("1001 demandés"));
        let deep = format!("{{\"demandes\":{}", "[".repeat(100_000));
        assert!(refused(&deep).contains("pas un objet JSON"));
        assert!(
            refused(&format!("{{\"{}\":1}}", "é".repeat(10_000))).len() < 300,
            "what a client made up is not told again whole"
        );
    }
}
