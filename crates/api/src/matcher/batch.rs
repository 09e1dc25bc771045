//! A whole catalogue: read as it comes, answered row by row.
//!
//! What is held is a chunk of the file, a row, a piece of the answer, and the pages that rows ask for. An answer ends
//! between two rows once it has taken [`TIME_MAX_MS`], and says where to take it up again.

use super::parameters::Asked;
use super::{MatchRefusal, Stopwatch, invalid, take_slot};
use crate::Request;
use crate::error::ApiError;
use crate::matching_data::MatchingData;
use crate::response::{Response, ResponseBody};
use crate::stream::{BodyStream, Piece};
use futures_util::StreamExt;
use futures_util::stream::unfold;
use matching::explain::resolution_to_json;
use matching::file::{AnswerWriter, Encoding, FileError, FileFormat, FileReader, Legibility, Line, Output};
use matching::summary::Summary;
use matching::{Matcher, Resolver, RowAnswer, Voie};
use serde_json::{Value, json};
use store::kv::{KeyValue, StoreError};

/// How long an answer may take. Source: contract, "Routes".
const TIME_MAX_MS: u64 = 20_000;
/// Bytes of a piece of the answer. The first one holds one row, so that it is there at once.
const PIECE: usize = 32 * 1024;

/// What rows are answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchKind {
    Formations,
    Codes,
}

/// A catalogue that is being read.
struct IncomingCatalogue {
    body: BodyStream,
    file: FileReader,
    /// The first row, read before the answer began.
    first: Option<Line>,
    /// Whether the body has ended.
    ended: bool,
}

impl IncomingCatalogue {
    /// Reads as far as the first row, or the end: whatever is wrong with the whole file is known by then.
    async fn open(
        request: &Request,
        asked: &Asked,
        data: &MatchingData<impl KeyValue>,
        body: BodyStream,
    ) -> Result<(Self, FileFormat), MatchRefusal> {
        let mut body = body;
        let (told_format, told_encoding) = content_type(request.header("content-type").unwrap_or_default())?;
        let mut head = Vec::new();
        let mut ended = false;
        while head.len() < 4 {
            match body.next().await {
                Some(chunk) => head.extend(chunk.map_err(|_| broken())?),
                None => {
                    ended = true;
                    break;
                }
            }
        }
        let format = told_format.unwrap_or_else(|| guess_format(&head));
        let encoding = told_encoding.unwrap_or_else(|| guess_encoding(&head));
        let mut file = FileReader::with_key(format, encoding, &data.nomenclatures, &asked.key);
        if !head.is_empty() {
            file.feed(&head);
        }
        if ended {
            file.feed(&[]);
        }
        let mut catalogue = Self { body, file, first: None, ended };
        catalogue.first = catalogue.line().await?.map_err(unreadable)?;
        match &catalogue.first {
            Some(Line { content: Legibility::TooLong, .. }) => Err(MatchRefusal::Help(
                413,
                "La première ligne dépasse 64 Kio.".to_owned(),
                "Un guillemet n'est peut-être pas fermé, ou le séparateur n'est ni « ; » ni « , ».".to_owned(),
            )),
            _ => Ok((catalogue, format)),
        }
    }

    /// The next line; `None` at the end. The outer error is the body's.
    async fn line(&mut self) -> Result<Result<Option<Line>, FileError>, ApiError> {
        if let Some(line) = self.first.take() {
            return Ok(Ok(Some(line)));
        }
        loop {
            match self.file.next_line() {
                Ok(None) if self.ended => return Ok(Ok(None)),
                Ok(None) => {}
                line => return Ok(line),
            }
            match self.body.next().await {
                Some(chunk) => {
                    let chunk = chunk?;
                    if !chunk.is_empty() {
                        self.file.feed(&chunk);
                    }
                }
                None => {
                    self.ended = true;
                    self.file.feed(&[]);
                }
            }
        }
    }
}

fn broken() -> ApiError {
    ApiError::Unreadable("Le corps de la requête s'est interrompu")
}

fn unreadable(error: FileError) -> MatchRefusal {
    invalid(
        error.to_string(),
        "Un catalogue est un CSV (séparateur « ; » ou « , », en UTF-8 ou ISO-8859-1), un tableau JSON ou un objet JSON par ligne.",
    )
}

/// The format and encoding that a request tells.
fn content_type(header: &str) -> Result<(Option<FileFormat>, Option<Encoding>), MatchRefusal> {
    let mut parts = header.split(';').map(str::trim);
    let format = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "text/csv" | "application/csv" | "text/tab-separated-values" => Some(FileFormat::Csv),
        "application/json" | "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            Some(FileFormat::Json)
        }
        _ => None,
    };
    let named = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_owned())
    });
    let encoding = match named {
        None => None,
        Some(name) => Some(Encoding::named(&name).ok_or_else(|| {
            MatchRefusal::Help(
                415,
                format!("charset : « {name} » n'est pas pris en charge"),
                "Encodages lus : utf-8, iso-8859-1 (windows-1252).".to_owned(),
            )
        })?),
    };
    Ok((format, encoding))
}

/// JSON begins with a bracket or a brace, whatever blanks or mark come first.
fn guess_format(head: &[u8]) -> FileFormat {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[' | b'{') => FileFormat::Json,
        _ => FileFormat::Csv,
    }
}

/// Where nothing is told, a first chunk whose first letter beyond ASCII is none of UTF-8 is ISO-8859-1.
fn guess_encoding(head: &[u8]) -> Encoding {
    match std::str::from_utf8(head) {
        Err(error) if error.error_len().is_some() => {
            let before = head.get(..error.valid_up_to()).unwrap_or_default();
            if before.is_ascii() { Encoding::Latin1 } else { Encoding::Utf8 }
        }
        _ => Encoding::Utf8,
    }
}

/// The form of an answer: what the client takes, else that of the file.
fn output(request: &Request, format: FileFormat) -> Output {
    let accept = request.header("accept").unwrap_or_default().to_ascii_lowercase();
    let first = accept.split(',').find_map(|range| match range.split(';').next().unwrap_or_default().trim() {
        "text/csv" => Some(Output::Csv),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/json" => {
            Some(Output::Ndjson)
        }
        _ => None,
    });
    first.unwrap_or(match format {
        FileFormat::Csv => Output::Csv,
        FileFormat::Json => Output::Ndjson,
    })
}

/// A catalogue on its way, and the answer to it.
struct Batch<K> {
    catalogue: IncomingCatalogue,
    data: MatchingData<K>,
    asked: Asked,
    kind: BatchKind,
    output: Output,
    writer: AnswerWriter,
    clock: Stopwatch,
    end: u64,
    /// Whether the first piece is still to be sent.
    begins: bool,
    finished: bool,
}

/// Answers a catalogue row by row.
pub(super) async fn rows<K: KeyValue + Clone + 'static>(
    request: &Request,
    asked: Asked,
    mut data: MatchingData<K>,
    body: BodyStream,
    clock: Stopwatch,
    kind: BatchKind,
) -> Result<Response, MatchRefusal> {
    take_slot(&mut data)?;
    let end = clock().saturating_add(TIME_MAX_MS);
    let (catalogue, format) = IncomingCatalogue::open(request, &asked, &data, body).await?;
    let output = output(request, format);
    let mut writer = AnswerWriter::new(output, asked.blocks);
    if asked.retained_only {
        writer = writer.retained_only();
    }
    let content_type = match output {
        Output::Csv => "text/csv; charset=utf-8",
        Output::Ndjson => "application/x-ndjson; charset=utf-8",
    };
    let generation = data.generation().to_owned();
    let batch = Batch { catalogue, data, asked, kind, output, writer, clock, end, begins: true, finished: false };
    let stream = unfold(batch, |mut batch| async move {
        let piece = batch.piece().await?;
        Some((piece, batch))
    });
    let response =
        Response::new(200, content_type, Vec::new()).with("cache-control", "no-store").with("x-generation", generation);
    Ok(Response { body: ResponseBody::Stream(BodyStream::new(stream)), ..response })
}

impl<K: KeyValue> Batch<K> {
    /// The next piece of the answer; `None` at its end.
    async fn piece(&mut self) -> Option<Piece> {
        let mut out = Vec::new();
        let first = std::mem::take(&mut self.begins);
        if first {
            self.names(&mut out);
        }
        while !self.finished {
            let before = out.len();
            if let Err(fault) = self.step(&mut out).await {
                return Some(Err(fault));
            }
            if out.len() > before && (first || out.len() >= PIECE) {
                break;
            }
        }
        if out.is_empty() { None } else { Some(Ok(out)) }
    }

    /// The line of names of a CSV; a continued answer goes without.
    fn names(&mut self, out: &mut Vec<u8>) {
        let Some(header) = self.catalogue.file.header().cloned() else { return };
        if self.output == Output::Csv {
            match self.kind {
                BatchKind::Formations => self.writer.start(&header, out),
                BatchKind::Codes => {
                    out.extend_from_slice(b"CODEFORMATIONACCUEIL;type_certification;anciennete;forme;validite;codes\n")
                }
            }
        }
        if self.asked.from > 1 {
            out.clear();
        }
    }

    /// Answers the next row.
    async fn step(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let line = match self.catalogue.line().await {
            Ok(Ok(Some(line))) => line,
            Ok(Ok(None) | Err(_)) => {
                self.finished = true;
                return Ok(());
            }
            Err(_) => return Err(StoreError::Unavailable("the catalogue broke off".to_owned())),
        };
        if line.number < self.asked.from {
            return Ok(());
        }
        // The first row of an answer is always given: a client that takes it up again gets on.
        if line.number > self.asked.from && (self.clock)() >= self.end {
            self.finished = true;
            self.writer.continuation(line.number, self.data.generation(), out);
            return Ok(());
        }
        let fault = |_| StoreError::Unavailable("a page of the matching".to_owned());
        let row = line.record.row();
        match self.kind {
            BatchKind::Formations => {
                let options = self.asked.options;
                let answer = match &line.content {
                    Legibility::Row => {
                        let judge = self.data.settle(|packed, names| Matcher::new(packed, names, options).answer(&row));
                        judge.await.map_err(fault)?
                    }
                    Legibility::Unreadable(_) | Legibility::TooLong => RowAnswer::unreadable(""),
                };
                self.writer.line(&line, &answer, out);
            }
            BatchKind::Codes => {
                if line.content != Legibility::Row {
                    return Ok(());
                }
                let options = self.asked.options;
                let resolve = self.data.settle(|packed, names| {
                    let resolutions = Resolver::new(packed, names, options).resolve(&row);
                    resolutions.iter().map(|one| resolution_to_json(&row, one)).collect::<Vec<_>>()
                });
                for value in resolve.await.map_err(fault)? {
                    code_line(&value, self.output, out);
                }
            }
        }
        Ok(())
    }
}

/// A line of the resolver.
fn code_line(value: &Value, output: Output, out: &mut Vec<u8>) {
    if output == Output::Ndjson {
        out.extend_from_slice(value.to_string().as_bytes());
        out.push(b'\n');
        return;
    }
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let codes: Vec<&str> =
        value.get("codes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut key = text("CODEFORMATIONACCUEIL");
    if key.contains([';', '"', '\n', '\r']) {
        key = format!("\"{}\"", key.replace('"', "\"\""));
    }
    let rest = ["type_certification", "anciennete", "forme", "validite"].map(text);
    out.extend_from_slice(format!("{key};{};{}\n", rest.join(";"), codes.join(",")).as_bytes());
}

/// The summary of a catalogue: sums over its answers, none of its rows.
pub(super) async fn coverage<K: KeyValue>(
    request: &Request,
    asked: Asked,
    mut data: MatchingData<K>,
    body: BodyStream,
    clock: Stopwatch,
) -> Result<Response, MatchRefusal> {
    take_slot(&mut data)?;
    let end = clock().saturating_add(TIME_MAX_MS);
    let (mut catalogue, _) = IncomingCatalogue::open(request, &asked, &data, body).await?;
    let campaign = asked.campaign.get(..4).unwrap_or_default().to_owned();
    let mut summary = Summary::default();
    let mut rest = Value::Null;
    while let Ok(Some(line)) = catalogue.line().await? {
        if line.number < asked.from {
            continue;
        }
        if line.number > asked.from && clock() >= end {
            rest = json!({"ligne": line.number, "generation": data.generation()});
            break;
        }
        let row = line.record.row();
        let (answer, in_scope) = match &line.content {
            Legibility::Row => {
                data.settle(|packed, names| {
                    let voie = row.voie.unwrap_or(asked.options.voie_when_absent);
                    (
                        Matcher::new(packed, names, asked.options).answer(&row),
                        packed.in_scope(&campaign, row.diploma_type, voie.as_str()),
                    )
                })
                .await?
            }
            Legibility::Unreadable(why) => (RowAnswer::unreadable(why), None),
            Legibility::TooLong => (RowAnswer::unreadable("plus de 64 Kio"), None),
        };
        summary.add(&row, &answer, in_scope);
    }
    let body = json!({
        "generation": data.generation(),
        "date_campagne": asked.campaign,
        "total": count(summary.total()),
        "dans_le_perimetre": count(summary.sum(|key| key.in_scope == Some(true))),
        "perimetre_connu": summary.sum(|key| key.in_scope.is_some()).rows > 0,
        "par_raison": list(&summary, |key| json!({"raison": key.reason.as_str()})),
        "par_raison_dans_le_perimetre": summary_in_scope(&summary),
        "par_source": list(&summary, |key| match key.path {
            Some((source, form, level)) => json!({
                "source": source.0, "forme": form.as_str(), "anciennete": level.as_str(), "raison": key.reason.as_str(),
            }),
            None => json!({"source": null, "raison": key.reason.as_str()}),
        }),
        "par_type": list(&summary, |key| json!({
            "type_diplome": key.diploma_type,
            "filiere": key.voie.map(Voie::as_str),
            "dans_le_perimetre": key.in_scope,
            "raison": key.reason.as_str(),
        })),
        "suite": rest,
    });
    Ok(Response::json(200, &body).with("cache-control", "no-store").with("x-generation", data.generation().to_owned()))
}

fn count(count: matching::summary::Count) -> Value {
    json!({"lignes": count.rows, "demandes": count.demands})
}

/// Sums by something. Every row is in exactly one.
fn list(summary: &Summary, of: impl Fn(&matching::summary::Key) -> Value) -> Vec<Value> {
    let by = summary.by(|key| of(key).to_string());
    by.into_iter()
        .map(|(key, sum)| {
            let mut value: Value = serde_json::from_str(&key).unwrap_or_default();
            if let Some(object) = value.as_object_mut() {
                object.insert("lignes".to_owned(), sum.rows.into());
                object.insert("demandes".to_owned(), sum.demands.into());
            }
            value
        })
        .collect()
}

fn summary_in_scope(summary: &Summary) -> Vec<Value> {
    matching::Reason::ALL
        .iter()
        .map(|reason| {
            let sum = summary.sum(|key| key.in_scope == Some(true) && key.reason == *reason);
            json!({"raison": reason.as_str(), "lignes": sum.rows, "demandes": sum.demands})
        })
        .filter(|value| value.get("lignes").and_then(Value::as_u64) > Some(0))
        .collect()
}
