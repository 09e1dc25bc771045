//! Where a document goes: its partition, its bundle entry, its row.

use crate::lists::ListRow;
use domain::declared::{MAILLE_FIELD, PLACE_FIELD};
use domain::{Document, Filiere, Kind, Maille, Universe};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use store::PerFamily;
use store::codec::{Decoder, Encoder};
use store::keys::{self, Family};
use store::list::RowKey;

/// The partition of the sources that holds a document. Those without a family (what only treatments and the matching
/// read) follow the others, in `tables` partitions.
pub(super) fn partition_source(
    partitions: &PerFamily<usize>,
    tables: usize,
    family: Option<Family>,
    hash: u64,
) -> usize {
    match family {
        None => partitions.total() + keys::bundle(hash, tables),
        Some(family) => partitions.before(family) + keys::bundle(hash, partitions[family]),
    }
}

/// The fields a document is placed by.
pub(super) struct PlacementKeys {
    pub(super) document: Document,
    pub(super) family: Option<Family>,
    /// What its bundle entry is found by.
    pub(super) pair: String,
    /// What tells it from its neighbours in the entry.
    pub(super) version: String,
    pub(super) row: Option<RowKey>,
}

pub(super) fn text(document: &Document, field: &str) -> String {
    document.get(field).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn code_of(document: &Document, field: &str) -> String {
    document.get(field).and_then(|r| r.get("code")).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// The place of a document: region, UAI, declared maille and place, or nothing.
pub(super) fn place_of(maille: Maille, document: &Document) -> String {
    match maille {
        Maille::National => String::new(),
        Maille::Regionale => code_of(document, "region"),
        Maille::Etablissement => text(document, "uai"),
        Maille::Declared => keys::declared_place(&text(document, MAILLE_FIELD), &text(document, PLACE_FIELD)),
    }
}

impl PlacementKeys {
    pub(super) fn read(kind: Kind, json: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(json).ok()?;
        let code = text(&document, "code_certification");
        let nomenclature = |field: &str| {
            let key = text(&document, field);
            (Some(Family::Nomenclature), keys::pair(kind.name(), &key), String::new())
        };
        let (family, pair, version) = match (kind, kind.maille()) {
            (_, Some(maille)) => {
                let place = place_of(maille, &document);
                let version = format!("{}|{}", text(&document, "millesime"), text(&document, "filiere"));
                (Some(Family::Documents(maille)), keys::pair(&place, &code), version)
            }
            (Kind::BcnSise, _) => nomenclature("diplome_sise"),
            (Kind::Etablissement, _) => nomenclature("numero_uai"),
            (Kind::Bcn, _) => nomenclature("code_certification"),
            // One MEFSTAT11 stands in several rows of N_MEF: by its own key one would take the place of the other.
            (Kind::BcnMef, _) => {
                let row = [text(&document, "mef_stat_11"), text(&document, "mef")].join("/");
                (None, keys::pair(kind.name(), &row), String::new())
            }
            (Kind::Catalogue, _) => (None, keys::pair(kind.name(), &text(&document, "id")), String::new()),
            _ => (None, keys::pair(kind.name(), &kind.key(&document).unwrap_or_default()), String::new()),
        };
        let row = match (kind.maille(), kind) {
            (Some(maille), _) => {
                let filiere = text(&document, "filiere");
                Some(RowKey {
                    millesime: text(&document, "millesime"),
                    universe: Filiere::parse(&filiere).map_or(Universe::Secondaire, Filiere::universe),
                    region: if maille == Maille::National { String::new() } else { code_of(&document, "region") },
                    academie: match maille {
                        Maille::Etablissement | Maille::Declared => code_of(&document, "academie"),
                        Maille::National | Maille::Regionale => String::new(),
                    },
                    uai: match maille {
                        Maille::Etablissement => text(&document, "uai"),
                        Maille::Declared => text(&document, PLACE_FIELD),
                        Maille::National | Maille::Regionale => String::new(),
                    },
                    filiere,
                    code,
                })
            }
            (None, Kind::Bcn) => Some(ListRow::bcn(&document).key),
            _ => None,
        };
        Some(Self { document, family, pair, version, row })
    }
}

pub(super) fn family_of(kind: &str) -> Option<Family> {
    match Kind::parse(kind)? {
        Kind::Bcn | Kind::BcnSise | Kind::Etablissement => Some(Family::Nomenclature),
        other => other.maille().map(Family::Documents),
    }
}

/// Whether documents of a kind lie in the sources, and have no family.
pub(super) fn is_table(kind: &str) -> bool {
    let kept = Kind::parse(kind).filter(|kind| !matches!(kind, Kind::User | Kind::Maille));
    kept.is_some() && family_of(kind).is_none()
}

/// A document on its way into a bundle: its entry, its rank, its rank in its own push, its kind, its JSON.
pub(super) type BundledDocument<'a> = (&'a str, u64, u64, Kind, &'a [u8]);

/// What the stream of sources holds of a document: its kind, its rank in the push, what its bundle entry is found
/// by (so that a bundle is found without parsing the document), its JSON.
pub(crate) fn read_source(record: &[u8]) -> Option<SourceRecord<'_>> {
    let mut decoder = Decoder(record);
    let head = u8::try_from(decoder.number()?).ok()?;
    let kind = Kind::from_rank(head & !MOVED)?;
    let sequence = decoder.number()?;
    let own = if head & MOVED == 0 { sequence } else { decoder.number()? };
    Some((kind, sequence, own, decoder.text()?, decoder.0))
}

/// What is said beside a kind where a document took the rank of an older one: its own rank follows.
const MOVED: u8 = 0x80;

/// See [`read_source`]: kind, rank among its neighbours, rank in its own push, pair, JSON.
pub(crate) type SourceRecord<'a> = (Kind, u64, u64, &'a str, &'a [u8]);

/// What [`read_source`] reads.
pub(super) fn write_source((kind, sequence, own, pair, json): SourceRecord<'_>) -> Vec<u8> {
    let mut record = Encoder::default();
    let moved = if own == sequence { 0 } else { MOVED };
    record.number(u64::from(kind.rank() | moved)).number(sequence);
    if own != sequence {
        record.number(own);
    }
    record.text(pair);
    record.0.extend_from_slice(json);
    record.0
}

/// The documents that stand: of those under one key the last that was pushed, at the rank of the first. `None` where one
/// cannot be read.
pub(crate) fn standing<'a>(records: impl IntoIterator<Item = SourceRecord<'a>>) -> Option<Vec<SourceRecord<'a>>> {
    let mut by_key: BTreeMap<(&str, String), (u64, SourceRecord<'a>)> = BTreeMap::new();
    for record in records {
        let (kind, sequence, own, pair, json) = record;
        // Of the other kinds the pair is the whole key.
        let version = if kind.maille().is_some() { PlacementKeys::read(kind, json)?.version } else { String::new() };
        match by_key.entry((pair, version)) {
            Entry::Vacant(place) => drop(place.insert((sequence, record))),
            Entry::Occupied(mut known) => {
                let (first, last) = known.get_mut();
                *first = sequence.min(*first);
                if last.2 < own {
                    *last = record;
                }
            }
        }
    }
    Some(by_key.into_values().map(|(first, (kind, _, own, pair, json))| (kind, first, own, pair, json)).collect())
}
