//! What the steps need between two calls.

use super::guards::MillesimeCounts;
use super::index;
use super::matching::MatchingStreams;
use super::protect::Protection;
use super::sample::KeySample;
use crate::manifest::Manifest;
use crate::origins::Origins;
use crate::record_stream::{PiecePlace, RecordStream};
use domain::{DeclaredMaille, Maille};
use plausibility::{Columns, KnownCodes};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::PerFamily;
use store::keys::Family;
use store::list::Order;
use store::pointer::MillesimesInForce;

/// The lists there always are: the mailles of the contract, then the nomenclature. Those of
/// declared mailles follow.
pub(super) const LISTS: [(&str, Option<Maille>); 4] = [
    ("certifications", Some(Maille::National)),
    ("regionales", Some(Maille::Regionale)),
    ("formations", Some(Maille::Etablissement)),
    ("bcn", None),
];

/// The nomenclature among them.
pub(super) const BCN: usize = LISTS.len() - 1;

/// The making of one list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct ListInProgress {
    /// Its name in keys.
    #[serde(rename = "nom")]
    pub(super) name: String,
    pub(super) maille: Option<Maille>,
    /// Samples of its two orders.
    #[serde(rename = "echantillons")]
    pub(super) samples: [KeySample; 2],
    /// The longest row of each form.
    pub(super) max_json: usize,
    pub(super) max_csv: usize,
    /// Rows written.
    #[serde(rename = "lignes")]
    pub(super) rows: u64,
    /// The digest of its rows as the CSV export has them.
    #[serde(rename = "empreinte", default)]
    pub(super) digest: [u64; 4],
    /// Bytes of its documents.
    #[serde(rename = "octets")]
    pub(super) bytes: u64,
    /// What finds the rows of a UAI, or of a place of a declared maille.
    #[serde(rename = "lieux")]
    pub(super) places: Option<PlaceSort>,
}

/// Sorting of the rows of a list by place.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct PlaceSort {
    #[serde(rename = "separateurs")]
    pub(super) separators: Vec<String>,
    #[serde(rename = "flux")]
    pub(super) stream: RecordStream,
    pub(super) pages: Vec<String>,
    /// The next value of an entry that does not fit into a page.
    #[serde(rename = "suite")]
    pub(super) rest: usize,
}

impl ListInProgress {
    pub(super) fn new(name: String, maille: Option<Maille>) -> Self {
        let places = matches!(maille, Some(Maille::Etablissement | Maille::Declared)).then(PlaceSort::default);
        Self { name, maille, places, ..Self::default() }
    }

    pub(super) fn place_partitions(&self) -> usize {
        self.places.as_ref().map_or(0, |l| l.stream.partitions())
    }
}

/// The sorting of one list in one order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ListSort {
    #[serde(rename = "liste")]
    pub(super) list: usize,
    pub(super) codes: bool,
    #[serde(rename = "separateurs")]
    pub(super) separators: Vec<String>,
    #[serde(rename = "flux")]
    pub(super) stream: RecordStream,
}

impl ListSort {
    pub(super) fn order(&self) -> Order {
        if self.codes { Order::Codes } else { Order::Places }
    }
}

/// Rows found again of a list: in the form that is read, under codes, under places.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Verified {
    #[serde(rename = "lignes")]
    pub(super) rows: usize,
    #[serde(rename = "par_code")]
    pub(super) by_code: usize,
    #[serde(rename = "par_uai")]
    pub(super) by_uai: usize,
}

/// What the steps need between two calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct JobState {
    pub(super) base: Option<Manifest>,
    #[serde(rename = "doublements")]
    pub(super) doublings: u32,
    /// The mailles declared by this push or before it.
    pub(super) declarations: BTreeMap<String, DeclaredMaille>,
    #[serde(rename = "listes")]
    pub(super) lists: Vec<ListInProgress>,
    #[serde(rename = "octets")]
    pub(super) bytes: PerFamily<u64>,
    /// Bytes of the documents without a family, and in how many partitions of the sources they lie.
    #[serde(rename = "octets_tables", default)]
    pub(super) table_bytes: u64,
    #[serde(rename = "partitions_tables", default)]
    pub(super) table_partitions: usize,
    /// A digest of the rows of the nomenclature, whatever their order.
    #[serde(default)]
    pub(super) nomenclature: u64,
    /// Documents that are no statistics, by kind.
    #[serde(default)]
    pub(super) tables: BTreeMap<String, u64>,
    pub(super) bundles: PerFamily<usize>,
    pub(super) partitions: PerFamily<usize>,
    pub(super) sources: RecordStream,
    pub(super) sequence: u64,
    #[serde(rename = "curseur")]
    pub(super) cursor: (usize, usize),
    #[serde(rename = "tris")]
    pub(super) sorts: Vec<ListSort>,
    #[serde(rename = "comptes")]
    pub(super) counts: RecordStream,
    #[serde(rename = "empreinte")]
    pub(super) digest: [u64; 4],
    #[serde(rename = "empreinte_publique", default)]
    pub(super) public_digest: [u64; 4],
    #[serde(rename = "secret", default)]
    pub(super) protection: Protection,
    #[serde(rename = "fiches")]
    pub(super) cards: PerFamily<u64>,
    pub(super) millesimes: MillesimesInForce,
    #[serde(rename = "constructeur")]
    pub(super) builder: Option<Vec<u8>>,
    pub(super) index: index::Index,
    /// The codes that the nomenclature knows.
    #[serde(rename = "codes_connus", default)]
    pub(super) known: KnownCodes,
    /// How many documents have a value in a column, and its sum.
    #[serde(rename = "colonnes", default)]
    pub(super) columns: Columns,
    #[serde(rename = "par_millesime", default)]
    pub(super) millesime_counts: MillesimeCounts,
    /// How many values the outlines of the partitions that are built lie in.
    #[serde(rename = "contours", default)]
    pub(super) outlines: usize,
    /// Where the documents come from.
    #[serde(rename = "origines", default)]
    pub(super) origins: Origins,
    #[serde(rename = "appariement", default)]
    pub(super) matching: MatchingStreams,
    /// Parts that still lie in the store although nothing reads them any more.
    #[serde(default)]
    pub(super) parts_left: usize,
    /// The next piece of a partition of the generation in use, which is read a piece at a time.
    #[serde(rename = "lieu")]
    pub(super) place: Option<PiecePlace>,
    /// What was found so far of the list that is verified.
    #[serde(rename = "verifiees")]
    pub(super) verified: Verified,
    /// The next values of plans and of counts that do not fit into one.
    #[serde(rename = "suite_plans")]
    pub(super) plans_chain: usize,
    /// Where the plans that are not finished lie, and how many values were used for them.
    #[serde(rename = "plans_en_cours", default)]
    pub(super) plans: BTreeMap<String, (usize, usize)>,
    #[serde(rename = "plans_en_cours_valeurs", default)]
    pub(super) plans_values: usize,
    #[serde(rename = "suite_comptes")]
    pub(super) counts_chain: usize,
}

impl JobState {
    /// The bytes of what lies in the sources under a family, or under none.
    pub(super) fn bytes_of(&mut self, family: Option<Family>) -> &mut u64 {
        match family {
            Some(family) => &mut self.bytes[family],
            None => &mut self.table_bytes,
        }
    }
}
