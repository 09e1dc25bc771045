//! The outline of a generation: of each statistic its key, whether it shows figures, and the published rates.
//!
//! Two outlines say what changed from one generation to the next, and one says what is covered, without reading a document
//! again. An outline holds what is published and nothing else: of a group below the threshold its size only.

use crate::manifest::Manifest;
use domain::PublishedDocument;
use domain::indicator::{NB_ANNEE_TERM, RATES, is_indicator};
use serde::Serialize;
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use store::Shelf;
use store::codec::{Decoder, Encoder};
use store::fold::{fold, unfold};
use store::keys;
use store::kv::{KeyValue, StoreError};

/// The family that holds it.
pub(crate) const FAMILY: &str = "contours";

/// Version of what an outline says of a document: those of two versions are not compared.
pub(crate) const FORM: u32 = 1;

/// Bytes of a value, unfolded.
const PIECE: usize = 256 * 1024;
/// What stands for a rate that is not published.
const NO_RATE: u8 = u8::MAX;
/// The largest changes that are told.
const LARGEST: usize = 20;
/// Rows of a table of changes or of coverage, at most.
const ROWS_MAX: usize = 50_000;

/// What is compared and counted of a statistic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outline<'a> {
    pub(crate) maille: &'a str,
    pub(crate) place: &'a str,
    pub(crate) code: &'a str,
    pub(crate) millesime: &'a str,
    pub(crate) filiere: &'a str,
    region: &'a str,
    diplome: &'a str,
    hidden: bool,
    /// Whether it has figures, shown or hidden.
    figures: bool,
    size: Option<u64>,
    /// A digest of all that is served of it, so that what is hidden is not told by it either.
    pub(crate) served: u64,
    rates: [u8; RATES.len()],
}

impl<'a> Outline<'a> {
    /// Of a published document; `served` is the digest of how it is served.
    pub(crate) fn new(key: (&'a str, &'a str), published: &'a PublishedDocument, served: u64) -> Self {
        let document = published.as_document();
        let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default();
        let within = |field: &str, name: &str| {
            document.get(field).and_then(|v| v.get(name)).and_then(Value::as_str).unwrap_or_default()
        };
        let hidden = published.hides();
        let rate = |field: &&str| {
            let rate = document.get(*field).and_then(Value::as_u64).and_then(|rate| u8::try_from(rate).ok());
            rate.unwrap_or(NO_RATE)
        };
        Self {
            maille: key.0,
            place: key.1,
            code: text("code_certification"),
            millesime: text("millesime"),
            filiere: text("filiere"),
            region: within("region", "code"),
            diplome: within("diplome", "libelle"),
            hidden,
            figures: document.iter().any(|(field, value)| is_indicator(field) && !value.is_null()),
            size: document.get(NB_ANNEE_TERM).and_then(Value::as_u64),
            served,
            rates: RATES.each_ref().map(rate),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        let texts = [self.maille, self.place, self.code, self.millesime, self.filiere, self.region, self.diplome];
        for text in texts {
            encoder.text(text);
        }
        let flags = u64::from(self.hidden) | u64::from(self.figures) << 1;
        encoder.number(flags).number(self.size.map_or(0, |size| size.saturating_add(1)));
        encoder.0.extend_from_slice(&self.served.to_le_bytes());
        encoder.0.extend_from_slice(&self.rates);
        encoder.0
    }

    fn decode(decoder: &mut Decoder<'a>) -> Option<Self> {
        let mut texts = [""; 7];
        for text in &mut texts {
            *text = decoder.text()?;
        }
        let [maille, place, code, millesime, filiere, region, diplome] = texts;
        let (flags, size) = (decoder.number()?, decoder.number()?);
        let (served, rest) = decoder.0.split_first_chunk()?;
        let (rates, rest) = rest.split_first_chunk()?;
        decoder.0 = rest;
        Some(Self {
            maille,
            place,
            code,
            millesime,
            filiere,
            region,
            diplome,
            hidden: flags & 1 == 1,
            figures: flags & 2 == 2,
            size: size.checked_sub(1),
            served: u64::from_le_bytes(*served),
            rates: *rates,
        })
    }

    /// What tells it from all others.
    pub(crate) fn key(&self) -> [&'a str; 5] {
        [self.maille, self.place, self.code, self.millesime, self.filiere]
    }

    fn rates(&self) -> impl Iterator<Item = (&'static str, Option<u8>)> {
        RATES.into_iter().zip(self.rates).map(|(field, rate)| (field, (rate != NO_RATE).then_some(rate)))
    }
}

/// The pieces of the outlines of a partition, each with whole records.
pub(crate) fn pieces(mut records: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    records.sort_unstable();
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    for record in records {
        if !piece.is_empty() && piece.len() + record.len() > PIECE {
            pieces.push(fold(&std::mem::take(&mut piece)));
        }
        piece.extend_from_slice(&record);
    }
    if !piece.is_empty() {
        pieces.push(fold(&piece));
    }
    pieces
}

/// The outlines of a generation, sorted by key.
pub(crate) struct Outlines {
    bytes: Vec<u8>,
    starts: Vec<u32>,
}

/// A generation whose outlines say what those of this version do, and can be compared with them.
pub(crate) fn comparable(manifest: &Manifest) -> Option<&Manifest> {
    Some(manifest).filter(|manifest| manifest.outline_form == FORM)
}

impl Outlines {
    /// Those of a generation; `None` where it was made before there were any.
    pub(crate) async fn read<K: KeyValue>(kv: &K, manifest: &Manifest) -> Result<Option<Self>, StoreError> {
        match manifest.outlines {
            0 => Ok(None),
            count => Self::of(kv, manifest.shelf()?, count).await.map(Some),
        }
    }

    /// Those that lie in so many values.
    pub(crate) async fn of<K: KeyValue>(kv: &K, shelf: Shelf<'_>, count: usize) -> Result<Self, StoreError> {
        let mut bytes = Vec::new();
        for n in 0..count {
            let value = shelf.get(kv, FAMILY, n).await?;
            bytes.extend(unfold(value.content()?).ok_or_else(|| value.damaged())?);
        }
        Self::new(bytes).ok_or_else(|| StoreError::Damaged(FAMILY.to_owned()))
    }

    fn new(bytes: Vec<u8>) -> Option<Self> {
        let mut starts = Vec::new();
        let mut decoder = Decoder(&bytes);
        while !decoder.0.is_empty() {
            starts.push(u32::try_from(bytes.len() - decoder.0.len()).ok()?);
            Outline::decode(&mut decoder)?;
        }
        let mut outlines = Self { bytes, starts };
        let mut starts = std::mem::take(&mut outlines.starts);
        starts.sort_by(|a, b| outlines.at(*a).map(|o| o.key()).cmp(&outlines.at(*b).map(|o| o.key())));
        outlines.starts = starts;
        Some(outlines)
    }

    /// Whether a statistic hides its figures; one that is not there does.
    pub(crate) fn hides(&self, key: [&str; 5]) -> bool {
        let found = self.starts.binary_search_by(|start| self.at(*start).map(|o| o.key()).cmp(&Some(key)));
        let start = found.ok().and_then(|rank| self.starts.get(rank));
        start.and_then(|start| self.at(*start)).is_none_or(|outline| outline.hidden)
    }

    fn at(&self, start: u32) -> Option<Outline<'_>> {
        Outline::decode(&mut Decoder(self.bytes.get(usize::try_from(start).ok()?..)?))
    }

    fn iter(&self) -> impl Iterator<Item = Outline<'_>> {
        self.starts.iter().filter_map(|start| self.at(*start))
    }
}

/// What became of the statistics of one maille, millesime and filiere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct ChangeTally {
    /// Statistics that were not there.
    #[serde(rename = "ajoutes")]
    pub added: u64,
    /// Statistics that are there no more.
    #[serde(rename = "retires")]
    pub removed: u64,
    /// Statistics that say something else.
    #[serde(rename = "changes")]
    pub changed: u64,
    /// Statistics whose figures are hidden now.
    #[serde(rename = "masques")]
    pub hidden: u64,
    /// Statistics whose figures are shown now.
    #[serde(rename = "devoiles")]
    pub shown: u64,
    /// Statistics that say the same.
    #[serde(rename = "inchanges")]
    pub unchanged: u64,
}

/// A rate that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct RateChange {
    maille: String,
    #[serde(rename = "lieu", skip_serializing_if = "String::is_empty", default)]
    place: String,
    #[serde(rename = "code_certification")]
    code: String,
    millesime: String,
    filiere: String,
    #[serde(rename = "champ")]
    field: String,
    #[serde(rename = "avant")]
    before: u8,
    #[serde(rename = "apres")]
    after: u8,
}

/// What changed from one generation to another, as published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Differences {
    /// The generation before.
    #[serde(rename = "avant")]
    pub before: String,
    /// The one after.
    #[serde(rename = "apres")]
    pub after: String,
    /// By maille, millesime and filiere.
    #[serde(rename = "par_maille")]
    pub tallies: BTreeMap<String, BTreeMap<String, BTreeMap<String, ChangeTally>>>,
    /// The largest changes of a rate.
    #[serde(rename = "plus_grandes", default)]
    pub largest: Vec<RateChange>,
}

/// Is told a change: what it is, the key of the statistic, a field, its values before and after.
pub(crate) type RowTeller<'t> = dyn FnMut(&str, &[&str; 5], &str, &str, &str) + 't;

impl Differences {
    /// Compares two generations. `row` is told each change, of which no hidden value is part; `pair` is shown every statistic,
    /// sorted by its key.
    pub(crate) fn of<'o>(
        before: &'o Outlines,
        after: &'o Outlines,
        row: &mut RowTeller<'_>,
        pair: &mut dyn FnMut(Option<&Outline<'o>>, Option<&Outline<'o>>),
    ) -> Self {
        let mut differences = Self::default();
        let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.key().cmp(&b.key()),
            };
            let before = if order == Ordering::Greater { None } else { old.next() };
            let after = if order == Ordering::Less { None } else { new.next() };
            pair(before.as_ref(), after.as_ref());
            differences.add(before.as_ref(), after.as_ref(), row);
        }
        differences.largest.truncate(LARGEST);
        differences
    }

    fn add(&mut self, before: Option<&Outline<'_>>, after: Option<&Outline<'_>>, row: &mut RowTeller<'_>) {
        let Some(one) = after.or(before) else { return };
        let tally = self
            .tallies
            .entry(one.maille.to_owned())
            .or_default()
            .entry(one.millesime.to_owned())
            .or_default()
            .entry(one.filiere.to_owned())
            .or_default();
        let (count, what) = match (before, after) {
            (None, _) => (&mut tally.added, "ajouté"),
            (_, None) => (&mut tally.removed, "retiré"),
            (Some(a), Some(b)) if a.hidden && !b.hidden => (&mut tally.shown, "dévoilé"),
            (Some(a), Some(b)) if b.hidden && !a.hidden => (&mut tally.hidden, "masqué"),
            (Some(a), Some(b)) if a.served == b.served => (&mut tally.unchanged, ""),
            _ => (&mut tally.changed, "changé"),
        };
        *count += 1;
        let (Some(a), Some(b)) = (before, after) else { return row(what, &one.key(), "", "", "") };
        if what != "changé" {
            if !what.is_empty() {
                row(what, &one.key(), "", "", "");
            }
            return;
        }
        let mut told = false;
        let shown = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
        if a.size != b.size {
            row(what, &one.key(), NB_ANNEE_TERM, &shown(a.size), &shown(b.size));
            told = true;
        }
        for ((field, old), (_, new)) in a.rates().zip(b.rates()) {
            if old != new {
                row(what, &one.key(), field, &shown(old.map(u64::from)), &shown(new.map(u64::from)));
                told = true;
            }
            if let (Some(old), Some(new)) = (old, new)
                && old != new
            {
                self.keep(one, field, old, new);
            }
        }
        if !told {
            row(what, &one.key(), "autre champ", "", "");
        }
    }

    /// Keeps a change among the largest.
    fn keep(&mut self, one: &Outline<'_>, field: &str, before: u8, after: u8) {
        let by = |change: &RateChange| change.before.abs_diff(change.after);
        let place = self.largest.partition_point(|kept| by(kept) >= before.abs_diff(after));
        if place >= LARGEST {
            return;
        }
        let change = RateChange {
            maille: one.maille.to_owned(),
            place: one.place.to_owned(),
            code: one.code.to_owned(),
            millesime: one.millesime.to_owned(),
            filiere: one.filiere.to_owned(),
            field: field.to_owned(),
            before,
            after,
        };
        self.largest.insert(place, change);
        self.largest.truncate(LARGEST);
    }
}

/// What is covered of what exists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct CoverageCount {
    /// Documents.
    pub documents: u64,
    /// Those with figures that are shown.
    #[serde(rename = "avec_chiffres")]
    pub shown: u64,
    /// Those whose figures are hidden.
    #[serde(rename = "masques")]
    pub hidden: u64,
    /// Certifications among them.
    pub certifications: u64,
    /// Places among them.
    #[serde(rename = "lieux")]
    pub places: u64,
}

/// Coverage by maille, millesime and filiere.
pub(crate) type CoverageByFiliere = BTreeMap<String, BTreeMap<String, BTreeMap<String, CoverageCount>>>;

/// Coverage by maille, millesime and filiere, and a table with regions and types of diploma.
pub(crate) fn coverage(outlines: &Outlines) -> (CoverageByFiliere, String) {
    /// A count, and the hashes of the codes and of the places in it.
    type Group = (CoverageCount, BTreeSet<u64>, BTreeSet<u64>);
    let mut all: BTreeMap<[&str; 5], Group> = BTreeMap::new();
    for outline in outlines.iter() {
        for (dimension, value) in [("ensemble", ""), ("region", outline.region), ("diplome", outline.diplome)] {
            if dimension != "ensemble" && value.is_empty() {
                continue;
            }
            let key = [outline.maille, outline.millesime, outline.filiere, dimension, value];
            if all.len() >= ROWS_MAX && !all.contains_key(&key) {
                continue;
            }
            let (coverage, codes, places) = all.entry(key).or_default();
            coverage.documents += 1;
            coverage.hidden += u64::from(outline.hidden);
            coverage.shown += u64::from(outline.figures && !outline.hidden);
            codes.insert(keys::hash(outline.code));
            places.insert(keys::hash(outline.place));
        }
    }
    let mut whole = CoverageByFiliere::new();
    let mut table =
        String::from("maille;millesime;filiere;axe;valeur;documents;avec_chiffres;masques;certifications;lieux\n");
    for ([maille, millesime, filiere, dimension, value], (mut coverage, codes, places)) in all {
        (coverage.certifications, coverage.places) = (codes.len() as u64, places.len() as u64);
        let CoverageCount { documents, shown, hidden, certifications, places } = &coverage;
        let value = value.replace('"', "\"\"");
        let _ = writeln!(
            table,
            "{maille};{millesime};{filiere};{dimension};\"{value}\";{documents};{shown};{hidden};{certifications};{places}"
        );
        if dimension == "ensemble" {
            let by_filiere = whole.entry(maille.to_owned()).or_default().entry(millesime.to_owned()).or_default();
            by_filiere.insert(filiere.to_owned(), coverage);
        }
    }
    (whole, table)
}

/// The table of what changed, as CSV.
pub(crate) fn table(before: &Outlines, after: &Outlines) -> (Differences, String) {
    let mut table = String::from("changement;maille;lieu;code_certification;millesime;filiere;champ;avant;apres\n");
    let (mut rows, mut beyond) = (0, 0);
    let mut row = |what: &str, key: &[&str; 5], field: &str, old: &str, new: &str| {
        if rows >= ROWS_MAX {
            beyond += 1;
            return;
        }
        rows += 1;
        let _ = writeln!(table, "{what};{};{field};{old};{new}", key.join(";"));
    };
    let differences = Differences::of(before, after, &mut row, &mut |_, _| {});
    if beyond > 0 {
        let _ = writeln!(table, "et {beyond} autres lignes;;;;;;;;");
    }
    (differences, table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use store::version_set::Version;

    fn outlines(documents: &[Value]) -> Outlines {
        let records = documents.iter().map(|document| {
            let published = PublishedDocument::new(document.as_object().unwrap().clone());
            let served = Version::new(&published).digest();
            Outline::new(("formations", document["uai"].as_str().unwrap()), &published, served).encode()
        });
        let bytes = pieces(records.collect()).iter().flat_map(|p| unfold(p).unwrap()).collect();
        Outlines::new(bytes).unwrap()
    }

    fn document(uai: &str, size: u64, rate: u64) -> Value {
        json!({"uai": uai, "code_certification": "23830024202", "millesime": "2022_2023", "filiere": "pro",
            "region": {"code": "11"}, "diplome": {"code": "3", "libelle": "CAP"}, "nb_annee_term": size,
            "nb_sortant": size / 2, "taux_en_formation": rate})
    }

    #[test]
    fn two_generations_are_compared_as_they_are_published() {
        let before = outlines(&[
            document("a", 40, 50),
            document("b", 40, 50),
            document("c", 19, 7),
            document("d", 25, 60),
            document("e", 17, 13),
        ]);
        let after = outlines(&[
            document("a", 40, 50),
            document("b", 41, 90),
            document("c", 30, 70),
            document("d", 18, 66),
            document("f", 30, 10),
            document("e", 17, 97),
        ]);
        let (differences, table) = table(&before, &after);
        let tally = &differences.tallies["formations"]["2022_2023"]["pro"];
        let expected = ChangeTally { added: 1, removed: 0, changed: 1, hidden: 1, shown: 1, unchanged: 2 };
        assert_eq!(*tally, expected, "what only changed behind the threshold did not change");
        assert_eq!((differences.largest.len(), differences.largest[0].after), (1, 90));
        // Of what is or was hidden no value is told.
        for hidden in [";7;", ";7\n", ";66", ";13", ";97", ";60", ";70"] {
            assert!(!table.contains(hidden), "{hidden}: {table}");
        }
        assert!(table.contains("changé;formations;b;23830024202;2022_2023;pro;taux_en_formation;50;90\n"), "{table}");
        assert!(table.contains("masqué;formations;d;23830024202;2022_2023;pro;;;\n"), "{table}");
    }

    #[test]
    fn coverage_counts_documents_certifications_and_places() {
        let covered = outlines(&[document("a", 40, 50), document("b", 19, 7), document("c", 30, 0)]);
        let (whole, table) = coverage(&covered);
        let expected = CoverageCount { documents: 3, shown: 2, hidden: 1, certifications: 1, places: 3 };
        assert_eq!(whole["formations"]["2022_2023"]["pro"], expected);
        assert!(table.contains("formations;2022_2023;pro;region;\"11\";3;2;1;1;3\n"), "{table}");
        assert!(table.contains("diplome;\"CAP\";3;2;1;1;3"), "{table}");
    }
}
