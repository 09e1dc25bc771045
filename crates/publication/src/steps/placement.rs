//! Where a document goes: its partition, its bundle entry, its row.

use crate::lists::ListRow;
use domain::declared::{MAILLE_FIELD, PLACE_FIELD};
use domain::{Document, Filiere, Kind, Maille, Universe};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::{self, Formatter};
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

/// The fields that a statistic is placed by.
const PLACING: [&str; 8] =
    ["code_certification", "region", "academie", "uai", "millesime", "filiere", MAILLE_FIELD, PLACE_FIELD];

/// A statistic of which only the fields of [`PLACING`] were kept: the others are passed over, not built.
struct PlacingFields(Document);

impl<'de> Deserialize<'de> for PlacingFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = PlacingFields;

            fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
                formatter.write_str("a document")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PlacingFields, A::Error> {
                let mut document = Document::new();
                while let Some(field) = map.next_key::<Cow<'_, str>>()? {
                    match PLACING.iter().find(|name| **name == field) {
                        Some(name) => drop(document.insert((*name).to_owned(), map.next_value()?)),
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(PlacingFields(document))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl PlacementKeys {
    /// With the whole document.
    pub(super) fn read(kind: Kind, json: &[u8]) -> Option<Self> {
        Self::of(kind, serde_json::from_slice(json).ok()?)
    }

    /// With no more of a statistic than what it is placed by.
    pub(super) fn head(kind: Kind, json: &[u8]) -> Option<Self> {
        match kind.maille() {
            Some(_) => Self::of(kind, serde_json::from_slice::<PlacingFields>(json).ok()?.0),
            None => Self::read(kind, json),
        }
    }

    fn of(kind: Kind, document: Document) -> Option<Self> {
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

pub(super) fn family_of(kind: Kind) -> Option<Family> {
    match kind {
        Kind::Bcn | Kind::BcnSise | Kind::Etablissement => Some(Family::Nomenclature),
        other => other.maille().map(Family::Documents),
    }
}

/// Whether documents of a kind lie in the sources, and have no family.
pub(super) fn is_table(kind: Kind) -> bool {
    !matches!(kind, Kind::User | Kind::Maille) && family_of(kind).is_none()
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
        let version = if kind.maille().is_some() { PlacementKeys::head(kind, json)?.version } else { String::new() };
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Whatever the fields hold, and wherever they stand, the head places a statistic as the whole document does.
    #[test]
    fn the_head_of_a_statistic_places_it_as_the_whole_does() {
        let whole = json!({
            "taux_a": 12, "uai": "0750712V", "region": {"nom": "Île-de-France", "code": "11"}, "x": {"uai": "autre"},
            "academie": {"code": "01", "nom": "Paris"}, "code_certification": "40025\"214", "millesime": "2020_2021",
            "filiere": "apprentissage", MAILLE_FIELD: "bassin", PLACE_FIELD: "11001", "fin": [1, {"region": 2}], "nul": null,
        });
        let mut documents = vec![whole.clone()];
        for field in PLACING {
            for value in [json!(null), json!(7), json!(["a"]), json!({"code": 3}), json!("")] {
                let mut other = whole.clone();
                other[field] = value;
                documents.push(other);
            }
            let mut other = whole.clone();
            other.as_object_mut().unwrap().remove(field);
            documents.push(other);
        }
        for document in documents {
            let json = document.to_string();
            for kind in Kind::ALL {
                let told = |keys: Option<PlacementKeys>| keys.map(|k| (k.family, k.pair, k.version, k.row));
                let read = told(PlacementKeys::read(kind, json.as_bytes()));
                assert_eq!(told(PlacementKeys::head(kind, json.as_bytes())), read, "{kind:?} {json}");
            }
        }
        assert!(PlacementKeys::head(Kind::Formation, b"[]").is_none());
    }
}
