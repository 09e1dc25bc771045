//! Staging: parts of a push, checked line by line as they come in.

use crate::anomalies::Anomalies;
use crate::known_codes;
use crate::lines::{LineChecker, RefusedLine, ValidLine};
use crate::origins::LinesOf;
use crate::short::{NAME_MAX, short};
use crate::told::Told;
use crate::writer::Writer;
use domain::{DeclaredMaille, Document, Kind};
use plausibility::{KnownCodes, Severities, ValueOrigin};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use store::codec::{Decoder, Encoder, hex};
use store::fold::{fold, unfold};
use store::kv::{KeyValueWrite, StoreError, to_json};
use store::{Shelf, frame, keys};

/// Largest part, in bytes.
pub const PART_MAX: usize = 8 * 1024 * 1024;
/// Longest line, in bytes.
pub const LINE_MAX: usize = 1024 * 1024;
/// Parts a job may have: 16 GB. What is known of each is read one after the other when the publication is asked for.
pub const PARTS_MAX: usize = 2_000;
/// Refusals whose reason is kept, a part; all are counted.
const REFUSALS_KEPT: usize = 50;
/// Bytes of a kept reason.
const REASON_MAX: usize = 400;
/// Parts that may be missing before one that is there: what deletes them may have been killed, or begun at the last one.
const GAP: usize = 8;
/// Bytes of accepted lines that are folded into a piece, at most: a few values hold a whole part.
const PIECE: usize = 1024 * 1024;
/// Largest piece as it is written, in bytes, unless one line alone is larger.
const PIECE_MAX: usize = 256 * 1024;

/// A refused line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineRefusal {
    /// The part, as numbered by the caller.
    #[serde(rename = "partie")]
    pub part: usize,
    /// The line in it, from 1.
    #[serde(rename = "ligne")]
    pub line: usize,
    /// Why, in French.
    #[serde(rename = "raison")]
    pub reason: String,
}

/// What is known of a staged part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartInfo {
    /// SHA-256 of the part as sent, in hexadecimal.
    pub digest: String,
    /// Lines accepted, by kind.
    #[serde(rename = "lignes")]
    pub lines: BTreeMap<String, u64>,
    /// Bytes kept, by kind.
    #[serde(rename = "octets")]
    pub bytes: BTreeMap<String, u64>,
    /// Lines refused.
    #[serde(rename = "refusees")]
    pub refused: u64,
    /// The first of them.
    #[serde(rename = "refus")]
    pub refusals: Vec<LineRefusal>,
    /// Fields kept out, and how often.
    #[serde(rename = "champs_inconnus")]
    pub unknown_fields: BTreeMap<String, u64>,
    /// Pieces it lies in.
    #[serde(rename = "morceaux")]
    pub pieces: usize,
    /// The mailles declared up to its end, by the parts before it too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mailles: BTreeMap<String, DeclaredMaille>,
    /// What its lines were checked under. The version before did not say.
    #[serde(rename = "selon", default, skip_serializing_if = "Option::is_none")]
    pub(super) checked_under: Option<CheckedUnder>,
    /// The rules of plausibility that its lines break.
    #[serde(rename = "anomalies", default, skip_serializing_if = "Anomalies::is_empty")]
    pub anomalies: Anomalies,
    /// Which line each of its documents came in.
    #[serde(rename = "lignes_de", default)]
    pub(super) lines_of: LinesOf,
    /// The file it was cut from, and the number of its first line there, as its sender said.
    #[serde(rename = "fichier", default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    #[serde(rename = "premiere_ligne", default)]
    pub(super) first_line: u64,
    /// Where all that was told of its lines lies: how many values.
    #[serde(rename = "dits", default, skip_serializing_if = "is_zero")]
    pub(super) told: usize,
    /// Where the codes lie that the push brought up to its end: the digest that names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) codes: Option<String>,
}

/// What decides, beside its bytes, which lines of a part are accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CheckedUnder {
    /// Digest of the mailles that the parts before it declare.
    pub(super) mailles: String,
    /// Digest of the indicators that the deployment adds.
    #[serde(rename = "indicateurs")]
    indicators: String,
    /// Digest of the rules of plausibility, and of the codes that were known; empty without rules.
    #[serde(rename = "plausibilite", default)]
    rules: String,
}

impl CheckedUnder {
    fn of(checker: &LineChecker<'_>) -> Result<Self, StoreError> {
        let rules = checker.rules.as_ref().map_or_else(String::new, |rules| {
            let told = format!("{:?}|{:?}|{:?}|", rules.levels, rules.origin, rules.year);
            hex(&Sha256::new().chain_update(told).chain_update(rules.known.as_bytes()).finalize())
        });
        Ok(Self { mailles: digest_of_mailles(&checker.mailles)?, indicators: digest_of(checker.indicators)?, rules })
    }
}

fn digest_of<V: Serialize + ?Sized>(value: &V) -> Result<String, StoreError> {
    Ok(hex(&Sha256::digest(to_json("part", value)?)))
}

/// The digest of declarations, as [`CheckedUnder`] holds it.
pub(super) fn digest_of_mailles(mailles: &BTreeMap<String, DeclaredMaille>) -> Result<String, StoreError> {
    digest_of(mailles)
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// How documents are checked for plausibility.
#[derive(Clone, Debug, Default)]
pub struct PlausibilityRules {
    /// The levels of the deployment.
    pub levels: Severities,
    /// The present year.
    pub year: Option<i64>,
}

/// Where the parts of a job lie.
pub struct Staging<'a, K> {
    kv: &'a K,
    job: &'a str,
    batch: usize,
    rules: Option<PlausibilityRules>,
    file: (String, u64),
    digest: Option<[u8; 32]>,
}

/// What cannot be staged, whatever the lines say.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StagingError {
    /// The part is over [`PART_MAX`].
    #[error("la partie dépasse {} Mio", PART_MAX / 1024 / 1024)]
    PartTooLarge,
    /// A line is over [`LINE_MAX`].
    #[error("la ligne {0} dépasse {max} Mio", max = LINE_MAX / 1024 / 1024)]
    LineTooLong(usize),
    /// The number of the part is over [`PARTS_MAX`].
    #[error("les parties se numérotent de 0 à {}", PARTS_MAX - 1)]
    PartNumber,
    /// Parts come in order, or again: nothing may be missing before the one sent, because that is
    /// how they are found again without listing keys.
    #[error("la partie {0} manque : les parties s'envoient dans l'ordre")]
    PartMissing(usize),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<'a, K: KeyValueWrite> Staging<'a, K> {
    /// The parts of a job; `batch` values may be written at once.
    pub fn new(kv: &'a K, job: &'a str, batch: usize) -> Self {
        Self { kv, job, batch, rules: None, file: Default::default(), digest: None }
    }

    /// Lets documents be checked for plausibility too: what the routes do with whatever comes in.
    #[must_use]
    pub fn with_rules(mut self, rules: PlausibilityRules) -> Self {
        self.rules = Some(rules);
        self
    }

    /// Says which file the next part was cut from, and the number of its first line there.
    #[must_use]
    pub fn from_file(mut self, file: &str, first_line: u64) -> Self {
        self.file = (short(file, NAME_MAX).to_owned(), first_line);
        self
    }

    /// Says the SHA-256 of the next part, where it was computed already.
    #[must_use]
    pub fn with_digest(mut self, digest: Option<[u8; 32]>) -> Self {
        self.digest = digest;
        self
    }

    /// The rules, with the codes that are known: those served, and those of the parts before.
    async fn rules(
        &self,
        before: Option<&PartInfo>,
        part: usize,
        origin: ValueOrigin,
    ) -> Result<LineChecker<'a>, StoreError> {
        let mut checker = LineChecker::default();
        let Some(PlausibilityRules { levels, year }) = self.rules.clone() else { return Ok(checker) };
        // The treatments make statistics of known codes only.
        let mut known = match origin {
            ValueOrigin::Push => known_codes::served(self.kv).await?,
            ValueOrigin::Collection => KnownCodes::default(),
        };
        if let Some(digest) = before.and_then(|info| info.codes.as_ref()) {
            checker.codes =
                known_codes::of_part(self.kv, &Self::prefix(self.job, part.saturating_sub(1)), digest).await?;
            known.add_all(&checker.codes);
        }
        checker.rules = Some(plausibility::Checker { levels, origin, year, known });
        Ok(checker)
    }

    /// All that was told of the lines of a part, as CSV with a heading; `None` where the part was not sent.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn told(&self, part: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(info) = self.info(part).await? else { return Ok(None) };
        let family = Told::family(&Self::family(&info));
        Told::read(self.kv, &Self::prefix(self.job, part), &family, info.told).await.map(Some)
    }

    fn info_key(&self, part: usize) -> String {
        keys::value(&format!("work:part:{}", self.job), "info", part)
    }

    /// Each part lies under a prefix of its own, so that parts may come in at the same time.
    pub(super) fn prefix(job: &str, part: usize) -> String {
        format!("{job}.{part}")
    }

    /// Its pieces lie under a digest of all that decides what they hold: no key is written with two contents.
    fn family(info: &PartInfo) -> String {
        let digest = match &info.checked_under {
            None => info.digest.clone(),
            Some(CheckedUnder { mailles, indicators, rules }) => {
                hex(&Sha256::digest(format!("{}|{mailles}|{indicators}|{rules}", info.digest)))
            }
        };
        format!("part.{}", digest.get(..16).unwrap_or(&digest))
    }

    /// What is known of a part; `None` where it was not sent.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn info(&self, part: usize) -> Result<Option<PartInfo>, StoreError> {
        let key = self.info_key(part);
        let value = self.kv.get(&key).await?;
        Ok(value.and_then(|value| frame::open_json(&key, &value).ok()))
    }

    /// Checks the lines of a part and keeps the good ones. Sending the same part again changes
    /// nothing, unless what it is checked under has changed since: the mailles that parts before it declare, the
    /// indicators of the deployment. Sending another one under the same number replaces it.
    ///
    /// # Errors
    /// See [`StagingError`]; a bad line is no error but a [`LineRefusal`] in the answer.
    pub async fn stage(&self, part: usize, body: &[u8], indicators: &[String]) -> Result<PartInfo, StagingError> {
        if body.len() > PART_MAX {
            return Err(StagingError::PartTooLarge);
        }
        if part >= PARTS_MAX {
            return Err(StagingError::PartNumber);
        }
        let before = match part.checked_sub(1) {
            Some(before) => Some(self.info(before).await?.ok_or(StagingError::PartMissing(before))?),
            None => None,
        };
        let mut checker = LineChecker { indicators, ..self.rules(before.as_ref(), part, ValueOrigin::Push).await? };
        checker.mailles = before.map(|before| before.mailles).unwrap_or_default();
        let digest = hex(&self.digest.unwrap_or_else(|| Sha256::digest(body).into()));
        let checked_under = Some(CheckedUnder::of(&checker)?);
        if let Some(info) = self.info(part).await?
            && info.digest == digest
            && info.checked_under == checked_under
        {
            return Ok(info);
        }
        if let Some(rank) = body.split(|b| *b == b'\n').position(|l| l.len() > LINE_MAX) {
            return Err(StagingError::LineTooLong(rank + 1));
        }
        let lines = body.split(|b| *b == b'\n').enumerate();
        let mut read = lines
            .filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace))
            .map(|(rank, line)| (rank + 1, checker.line(line)));
        let mut info = self.fill(part, PartInfo { digest, checked_under, ..PartInfo::default() }, &mut read).await?;
        drop(read);
        (info.unknown_fields, info.mailles) = (short_names(checker.unknown), checker.mailles);
        info.codes = known_codes::put_part(self.kv, &Self::prefix(self.job, part), &checker.codes).await?;
        info.anomalies = checker.anomalies;
        (info.file, info.first_line) = self.file.clone();
        self.record(part, &info).await?;
        Ok(info)
    }

    /// Keeps documents that the import made itself as a part, checked as pushed ones are. The
    /// same documents under the same number change nothing.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn stage_documents(
        &self,
        part: usize,
        documents: impl IntoIterator<Item = (Kind, Document)>,
        indicators: &[String],
    ) -> Result<PartInfo, StoreError> {
        let mut checker = LineChecker { indicators, ..self.rules(None, part, ValueOrigin::Collection).await? };
        let checked_under = Some(CheckedUnder::of(&checker)?);
        let lines: Vec<_> = documents.into_iter().map(|(k, d)| checker.document(k, d)).collect();
        let mut digest = Sha256::new();
        lines.iter().flatten().for_each(|line| digest.update(&line.json));
        let read = lines.into_iter().enumerate().map(|(rank, line)| (rank + 1, line));
        let info = PartInfo { digest: hex(&digest.finalize()), checked_under, ..PartInfo::default() };
        let mut info = self.fill(part, info, read).await?;
        info.unknown_fields = short_names(checker.unknown);
        info.anomalies = checker.anomalies;
        self.record(part, &info).await?;
        Ok(info)
    }

    /// Writes the good lines of a part in pieces.
    async fn fill(
        &self,
        part: usize,
        mut info: PartInfo,
        lines: impl IntoIterator<Item = (usize, Result<ValidLine, RefusedLine>)>,
    ) -> Result<PartInfo, StoreError> {
        let family = Self::family(&info);
        let mut writer = Writer::open(self.kv, &Self::prefix(self.job, part), self.batch).await?;
        let mut piece = StagedPiece::default();
        let (mut told, mut ranked) = (Told::new(&family, part), 0);
        for (line, read) in lines {
            told.put(&mut writer, line, &read).await?;
            match read {
                Err(refusal) => {
                    info.refused += 1;
                    if info.refusals.len() < REFUSALS_KEPT {
                        let reason = short(&refusal.0, REASON_MAX).to_owned();
                        info.refusals.push(LineRefusal { part, line, reason });
                    }
                }
                Ok(valid) => {
                    if LinesOf::counts(valid.kind) {
                        info.lines_of.add(ranked, line as u64);
                        ranked += 1;
                    }
                    *info.lines.entry(valid.kind.name().to_owned()).or_default() += 1;
                    *info.bytes.entry(valid.kind.name().to_owned()).or_default() += valid.json.len() as u64;
                    if piece.lines.0.len() + valid.json.len() > PIECE {
                        std::mem::take(&mut piece).put(&mut writer, &family, &mut info.pieces).await?;
                    }
                    piece.add(&valid);
                }
            }
        }
        piece.put(&mut writer, &family, &mut info.pieces).await?;
        info.told = told.end(&mut writer).await?;
        writer.flush().await?;
        Ok(info)
    }

    /// The record of a part goes last: the part counts only once all of it lies in the store.
    async fn record(&self, part: usize, info: &PartInfo) -> Result<(), StoreError> {
        let key = self.info_key(part);
        let value = frame::seal_json(&key, info)?;
        self.kv.set(&key, value).await
    }

    /// Deletes the parts from `part` on, in order: the number of the next one to delete, or
    /// `None` once no part is left. At most `limit` values a call.
    pub(super) async fn delete(&self, part: usize, limit: usize) -> Result<Option<usize>, StoreError> {
        if !self.existe(part).await? {
            // Killed behind its deletion, it is still the one to delete: the next ones may be there all the same.
            for next in part + 1..=part + GAP {
                if self.existe(next).await? {
                    return Ok(Some(next));
                }
            }
            return Ok(None);
        }
        Ok(Some(if self.delete_part(part, limit).await? { part + 1 } else { part }))
    }

    /// Deletes a share of one part: `true` once nothing of it is left.
    pub(super) async fn delete_part(&self, part: usize, limit: usize) -> Result<bool, StoreError> {
        let gone = super::writer::delete(self.kv, &Self::prefix(self.job, part), self.batch, limit, |_| true).await?;
        if gone {
            self.kv.delete_many(vec![self.info_key(part)]).await?;
        }
        Ok(gone)
    }

    /// Whether something of a part is there: its record, readable or not, or its marks where it was killed before that.
    async fn existe(&self, part: usize) -> Result<bool, StoreError> {
        let marks = super::writer::marks_key(&Self::prefix(self.job, part));
        Ok(self.kv.get(&self.info_key(part)).await?.is_some() || self.kv.get(&marks).await?.is_some())
    }

    /// Lets go of a part whose marks cannot be read.
    pub(super) async fn forget(&self, part: usize) -> Result<(), StoreError> {
        super::writer::forget(self.kv, &Self::prefix(self.job, part)).await?;
        self.kv.delete_many(vec![self.info_key(part)]).await
    }

    /// The accepted lines of a staged piece: kind and JSON.
    pub(super) async fn piece(
        &self,
        part: usize,
        info: &PartInfo,
        n: usize,
    ) -> Result<Vec<(Kind, Vec<u8>)>, StoreError> {
        let prefix = Self::prefix(self.job, part);
        let value = Shelf::own(&prefix).get(self.kv, &Self::family(info), n).await?;
        let damaged = || value.damaged();
        let bytes = unfold(value.content()?).ok_or_else(damaged)?;
        let mut decoder = Decoder(&bytes);
        let mut lines = Vec::new();
        while !decoder.0.is_empty() {
            let rank = decoder.number().and_then(|n| u8::try_from(n).ok()).ok_or_else(damaged)?;
            let kind = Kind::from_rank(rank).ok_or_else(damaged)?;
            lines.push((kind, decoder.bytes().ok_or_else(damaged)?.to_vec()));
        }
        Ok(lines)
    }
}

/// Accepted lines on their way into the store.
#[derive(Default)]
struct StagedPiece {
    lines: Encoder,
    /// Where each ends.
    ends: Vec<usize>,
}

impl StagedPiece {
    fn add(&mut self, line: &ValidLine) {
        self.lines.number(u64::from(line.kind.rank())).bytes(&line.json);
        self.ends.push(self.lines.0.len());
    }

    /// Writes the lines, as one value where they fold so well, else halved until each is one.
    async fn put<K: KeyValueWrite>(
        self,
        writer: &mut Writer<'_, K>,
        family: &str,
        pieces: &mut usize,
    ) -> Result<(), StoreError> {
        // What is still to write, the first of it last: ranks of lines.
        let mut left: Vec<_> = std::iter::once(0..self.ends.len()).collect();
        while let Some(ranks) = left.pop() {
            let end = |rank: usize| rank.checked_sub(1).and_then(|before| self.ends.get(before).copied()).unwrap_or(0);
            let lines = self.lines.0.get(end(ranks.start)..end(ranks.end)).unwrap_or_default();
            if lines.is_empty() {
                continue;
            }
            let folded = fold(lines);
            if folded.len() > PIECE_MAX && ranks.len() > 1 {
                let middle = ranks.start + ranks.len() / 2;
                left.extend([middle..ranks.end, ranks.start..middle]);
                continue;
            }
            writer.put(family, *pieces, folded).await?;
            *pieces += 1;
        }
        Ok(())
    }
}

/// Names of fields are a sender's text: of any length.
fn short_names(fields: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut courts = BTreeMap::new();
    for (field, n) in fields {
        *courts.entry(short(&field, NAME_MAX).to_owned()).or_default() += n;
    }
    courts
}
