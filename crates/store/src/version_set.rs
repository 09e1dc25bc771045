//! What the store keeps of one certification in one place: every millesime and filiere of it,
//! rendered when the data arrived.
//!
//! A version is kept in pieces that a request only puts together: the fields as JSON without the
//! closing brace, the closing instant that decides `formation_fermee` on the day of the request,
//! the messages, the title and details that single answers add.

use crate::codec::{self, Decoder, Encoder};
use domain::date::{self, Instant};
use domain::{Document, Filiere, PublishedDocument, Universe, presentation};
use lz4_flex::block;
use serde::Serialize;
use serde_json::Value;
use std::ops::Range;

/// The final years that a non-final year leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinalYears {
    /// A first year shared by a famille de metiers: all final years are always shown.
    pub annee_commune: bool,
    /// Their codes, in the order of the document.
    pub codes: Vec<String>,
    /// The field as lists show it.
    pub json: Vec<u8>,
}

/// One rendered document: its coded form, and where its parts lie in it. A request reads one; parts of their own would be six
/// allocations and copies, 5 % of a document's instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    bytes: Vec<u8>,
    millesime: Range<usize>,
    filiere: Range<usize>,
    libelle: Range<usize>,
    body: Range<usize>,
    messages: Range<usize>,
    caption: Range<usize>,
    /// When the course closes or closed; `None`: never.
    pub closing: Option<Instant>,
    /// The non-final year's final years, where there is such a field.
    pub final_years: Option<FinalYears>,
}

/// How a version is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// With title and details.
    Alone,
    /// As a row of a list, or inside another document.
    Row,
}

/// The fields of a pushed document that no answer shows.
const INTERNAL: [&str; 4] = ["_meta", "_id", "__v", "certificationsTerminales"];

impl Version {
    /// Renders a published document.
    #[must_use]
    pub fn new(published: &PublishedDocument) -> Self {
        let document = published.as_document();
        let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let closing = document.get("date_fermeture").and_then(date::read_value);
        let mut body = vec![b'{'];
        for (field, value) in document.iter().filter(|(field, _)| !INTERNAL.contains(&field.as_str())) {
            if body.len() > 1 {
                body.push(b',');
            }
            json(&mut body, field);
            body.push(b':');
            match date::read_value(value).filter(|_| field.starts_with("date_")) {
                Some(instant) => json(&mut body, &date::write_iso(instant)),
                None => json(&mut body, value),
            }
        }
        let messages = presentation::messages(published);
        let mut caption = b"\"titre\":".to_vec();
        json(&mut caption, &presentation::title(document));
        caption.extend_from_slice(b",\"details\":");
        json(&mut caption, &presentation::details(document));
        let messages = if messages.is_empty() { Vec::new() } else { serde_json::to_vec(&messages).unwrap_or_default() };
        let final_years = final_years(document);
        let mut encoder = Encoder::default();
        let put = |encoder: &mut Encoder, bytes: &[u8]| {
            let end = encoder.bytes(bytes).0.len();
            end - bytes.len()..end
        };
        let [millesime, filiere, libelle] =
            ["millesime", "filiere", "libelle"].map(|field| put(&mut encoder, text(field).as_bytes()));
        encoder.instant(closing);
        let [body, messages, caption] = [body, messages, caption].map(|bytes| put(&mut encoder, &bytes));
        match &final_years {
            None => encoder.number(0),
            Some(t) => {
                encoder.number(1 + u64::from(t.annee_commune)).bytes(&t.json).size(t.codes.len());
                for code in &t.codes {
                    encoder.text(code);
                }
                &mut encoder
            }
        };
        Self { bytes: encoder.0, millesime, filiere, libelle, body, messages, caption, closing, final_years }
    }

    fn part(&self, place: &Range<usize>) -> &[u8] {
        self.bytes.get(place.clone()).unwrap_or_default()
    }

    fn text(&self, place: &Range<usize>) -> &str {
        std::str::from_utf8(self.part(place)).unwrap_or_default()
    }

    /// As published.
    #[must_use]
    pub fn millesime(&self) -> &str {
        self.text(&self.millesime)
    }

    /// As published.
    #[must_use]
    pub fn filiere(&self) -> &str {
        self.text(&self.filiere)
    }

    /// The label, by which final years are sorted.
    #[must_use]
    pub fn libelle(&self) -> &str {
        self.text(&self.libelle)
    }

    /// The published fields, from `{` on, without `certificationsTerminales` and closing brace.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.part(&self.body)
    }

    /// `_meta.messages` as a JSON array; empty where there is none.
    #[must_use]
    pub fn messages(&self) -> &[u8] {
        self.part(&self.messages)
    }

    /// `"titre":…,"details":…`, for single answers.
    #[must_use]
    pub fn caption(&self) -> &[u8] {
        self.part(&self.caption)
    }

    /// Secondary or higher education.
    #[must_use]
    pub fn universe(&self) -> Universe {
        Filiere::parse(self.filiere()).map_or(Universe::Secondaire, Filiere::universe)
    }

    /// A digest of all that is served of it.
    #[must_use]
    pub fn digest(&self) -> u64 {
        codec::digest(&self.bytes)
    }

    /// Writes the answer: the stored pieces, with what depends on the day filled in.
    /// `final_years` replaces the bare codes of the final years; `now` is asked where the course has a closing date.
    pub fn write(&self, out: &mut Vec<u8>, now: impl FnOnce() -> Instant, shape: Shape, final_years: Option<&[u8]>) {
        let variable = final_years.map_or(0, <[u8]>::len) + self.final_years.as_ref().map_or(0, |t| t.json.len());
        out.reserve(self.bytes.len() + variable + 128);
        out.extend_from_slice(self.body());
        if let Some(json) = final_years.or(self.final_years.as_ref().map(|t| t.json.as_slice())) {
            out.extend_from_slice(b",\"certificationsTerminales\":");
            out.extend_from_slice(json);
        }
        out.extend_from_slice(b",\"formation_fermee\":");
        out.extend_from_slice(closed_json(self.closing, now));
        self.write_tail(out, shape);
    }

    /// What follows `formation_fermee`, closing brace included.
    #[must_use]
    pub fn queue(&self, shape: Shape) -> Vec<u8> {
        let mut queue = Vec::new();
        self.write_tail(&mut queue, shape);
        queue
    }

    fn write_tail(&self, out: &mut Vec<u8>, shape: Shape) {
        let caption: &[u8] = if shape == Shape::Alone { self.caption() } else { &[] };
        if !self.messages.is_empty() || !caption.is_empty() {
            out.extend_from_slice(b",\"_meta\":{");
            if !self.messages.is_empty() {
                out.extend_from_slice(b"\"messages\":");
                out.extend_from_slice(self.messages());
                if !caption.is_empty() {
                    out.push(b',');
                }
            }
            out.extend_from_slice(caption);
            out.push(b'}');
        }
        out.push(b'}');
    }

    fn decode(bytes: Vec<u8>) -> Option<Self> {
        let decoder = &mut Decoder(&bytes);
        let read = |length: usize, decoder: &Decoder<'_>| {
            let end = bytes.len() - decoder.0.len();
            end - length..end
        };
        // Texts are read as such: what is none is a damaged version.
        let text = |decoder: &mut Decoder<'_>| Some(read(decoder.text()?.len(), decoder));
        let part = |decoder: &mut Decoder<'_>| Some(read(decoder.bytes()?.len(), decoder));
        let (millesime, filiere, libelle) = (text(decoder)?, text(decoder)?, text(decoder)?);
        let closing = decoder.instant()?;
        let (body, messages, caption) = (part(decoder)?, part(decoder)?, part(decoder)?);
        let final_years = match decoder.number()? {
            0 => None,
            n => {
                let json = decoder.bytes()?.into();
                let count = decoder.size()?;
                let codes = (0..count).map(|_| decoder.text().map(Into::into)).collect::<Option<_>>()?;
                Some(FinalYears { annee_commune: n > 1, codes, json })
            }
        };
        Some(Self { millesime, filiere, libelle, body, messages, caption, closing, final_years, bytes })
    }
}

/// [`date::is_closed`] as JSON.
#[must_use]
pub fn closed_json(closing: Option<Instant>, now: impl FnOnce() -> Instant) -> &'static [u8] {
    if date::is_closed(closing, now) { b"true" } else { b"false" }
}

fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Writing to a vector cannot fail, and what is written always has a JSON form: texts, lists of texts, a `Value`.
    let _ = serde_json::to_writer(out, value);
}

fn final_years(document: &Document) -> Option<FinalYears> {
    let field = document.get("certificationsTerminales")?;
    let codes =
        field.as_array()?.iter().filter_map(|t| Some(t.get("code_certification")?.as_str()?.to_owned())).collect();
    let annee_commune = document.get("familleMetier").and_then(|f| f.get("isAnneeCommune")).and_then(Value::as_bool);
    let mut bytes = Vec::new();
    json(&mut bytes, field);
    Some(FinalYears { annee_commune: annee_commune.unwrap_or_default(), codes, json: bytes })
}

/// Largest version, unfolded: a bound on what damaged bytes may ask for.
const UNFOLDED_MAX: usize = 16 * 1024 * 1024;

/// A version as it lies in a set: its millesime, and the rest folded.
struct FoldedVersion<'a> {
    millesime: &'a str,
    size: usize,
    block: &'a [u8],
}

impl<'a> FoldedVersion<'a> {
    fn read(decoder: &mut Decoder<'a>) -> Option<Self> {
        let (millesime, size, block) = (decoder.text()?, decoder.size()?, decoder.bytes()?);
        (size <= UNFOLDED_MAX).then_some(Self { millesime, size, block })
    }

    /// The coded version; `first` is the first one of the set, which the others were folded against.
    fn unfold(&self, first: Option<&[u8]>) -> Option<Vec<u8>> {
        // One way for both: the other one would be 1.8 KB of every read component.
        let unfolded = block::decompress_with_dict(self.block, self.size, first.unwrap_or_default());
        unfolded.ok().filter(|unfolded| unfolded.len() == self.size)
    }
}

/// Every version of one certification in one place: the entry of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionSet {
    /// Latest millesime first in string order; within one, in the order they were pushed.
    pub versions: Vec<Version>,
}

impl VersionSet {
    /// Orders versions as lookups need them.
    #[must_use]
    pub fn new(mut versions: Vec<Version>) -> Self {
        versions.sort_by(|a, b| b.millesime().cmp(a.millesime()));
        Self { versions }
    }

    /// The version of the first of these millesimes: the latest in string order, then the first
    /// pushed.
    #[must_use]
    pub fn version(&self, accepts: impl Fn(&str) -> bool) -> Option<&Version> {
        self.versions.iter().find(|v| accepts(v.millesime()))
    }

    /// What [`Self::version`] would find in the stored form, unfolding no more than it takes. `None` where the bytes
    /// do not hold a set.
    #[must_use]
    pub fn read_version(bytes: &[u8], accepts: impl Fn(&str) -> bool) -> Option<Option<Version>> {
        let mut decoder = Decoder(bytes);
        let mut first = None;
        for _ in 0..decoder.size()? {
            let folded = FoldedVersion::read(&mut decoder)?;
            if accepts(folded.millesime) {
                let template = first.as_ref().map(|first: &FoldedVersion<'_>| first.unfold(None));
                let unfolded = match template {
                    None => folded.unfold(None)?,
                    Some(template) => folded.unfold(Some(&template?))?,
                };
                return Version::decode(unfolded).map(Some);
            }
            first.get_or_insert(folded);
        }
        Some(None)
    }

    /// The millesimes there are, newest first, each once.
    #[must_use]
    pub fn millesimes(&self) -> Vec<&str> {
        let mut millesimes: Vec<&str> = self.versions.iter().map(Version::millesime).collect();
        millesimes.dedup();
        millesimes
    }

    /// The stored form: each version folded by LZ4, all but the first against the first. They repeat it in all but
    /// figures, so less than a quarter is left; unfolding one costs less than moving the rest through the runtime.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.size(self.versions.len());
        let mut first: Option<&[u8]> = None;
        for version in &self.versions {
            let unfolded = version.bytes.as_slice();
            let block = match first {
                None => block::compress(unfolded),
                Some(first) => block::compress_with_dict(unfolded, first),
            };
            encoder.text(version.millesime()).size(unfolded.len()).bytes(&block);
            first.get_or_insert(unfolded);
        }
        encoder.0
    }

    /// Reads the stored form.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut decoder = Decoder(bytes);
        let mut versions: Vec<Version> = Vec::new();
        for _ in 0..decoder.size()? {
            let first = versions.first().map(|first| first.bytes.as_slice());
            let unfolded = FoldedVersion::read(&mut decoder)?.unfold(first)?;
            versions.push(Version::decode(unfolded)?);
        }
        Some(Self { versions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn version(value: Value) -> Version {
        Version::new(&PublishedDocument::new(value.as_object().unwrap().clone()))
    }

    fn show(version: &Version, now: &str, shape: Shape) -> Value {
        let mut out = Vec::new();
        version.write(&mut out, || date::read_iso(now).unwrap(), shape, None);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn the_closing_date_decides_on_the_day_of_the_request() {
        let version = version(
            json!({"millesime": "2020", "filiere": "pro", "date_fermeture": {"$date": "2023-08-30T22:00:00.000Z"}}),
        );
        assert_eq!(show(&version, "2023-08-30", Shape::Row)["formation_fermee"], false);
        assert_eq!(show(&version, "2023-09-01", Shape::Row)["formation_fermee"], true);
        assert_eq!(show(&version, "2023-09-01", Shape::Row)["date_fermeture"], "2023-08-30T22:00:00.000Z");
    }

    #[test]
    fn rows_carry_meta_only_with_a_message_and_single_answers_always() {
        let shown = version(
            json!({"millesime": "2020", "filiere": "pro", "code_certification": "1", "nb_annee_term": 20, "_meta": {"inserjeunes": 1}}),
        );
        assert_eq!(show(&shown, "2024-01-01", Shape::Row).get("_meta"), None);
        assert_eq!(show(&shown, "2024-01-01", Shape::Alone)["_meta"]["titre"], "Certification 1");
        let hidden = version(json!({"millesime": "2020", "filiere": "pro", "nb_annee_term": 1, "nb_sortant": 1}));
        // As recorded, and why.
        assert_eq!(show(&hidden, "2024-01-01", Shape::Row)["_meta"]["messages"].as_array().unwrap().len(), 2);
        assert!(show(&hidden, "2024-01-01", Shape::Alone)["nb_sortant"].is_null());
    }

    #[test]
    fn invariant_9_a_text_that_is_none_is_a_damaged_version() {
        let version = version(json!({"millesime": "2020", "filiere": "pro", "libelle": "CUISINE"}));
        for place in [&version.millesime, &version.filiere, &version.libelle] {
            let mut bytes = version.bytes.clone();
            bytes[place.start] = 0xff;
            assert_eq!(Version::decode(bytes), None, "{place:?}");
        }
        assert_eq!(Version::decode(version.bytes.clone()), Some(version));
    }

    #[test]
    fn a_version_set_comes_back_as_it_was_and_prefers_the_latest_millesime() {
        let version_set = VersionSet::new(vec![
            version(
                json!({"millesime": "2018_2019", "filiere": "pro", "certificationsTerminales": [{"code_certification": "2"}]}),
            ),
            version(json!({"millesime": "2019", "filiere": "pro"})),
            version(json!({"millesime": "2019", "filiere": "agricole", "certificationsTerminales": []})),
        ]);
        assert_eq!(VersionSet::decode(&version_set.encode()).as_ref(), Some(&version_set));
        assert_eq!(version_set.millesimes(), ["2019", "2018_2019"]);
        let found = version_set.version(|m| m == "2019" || m == "2018_2019").unwrap();
        for wanted in ["2019", "2018_2019", "2020"] {
            let read = VersionSet::read_version(&version_set.encode(), |m| m == wanted);
            assert_eq!(read.unwrap().as_ref(), version_set.version(|m| m == wanted), "{wanted}");
        }
        assert_eq!((found.millesime(), found.filiere()), ("2019", "pro"), "the first pushed");
        assert_eq!(
            version_set.versions[1].final_years,
            Some(FinalYears { json: b"[]".to_vec(), ..FinalYears::default() })
        );
    }
}
