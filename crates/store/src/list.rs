//! Lists: every row of a maille in two published orders, and what turns a filter into ranges.
//!
//! | order | rows sorted by | serves |
//! | --- | --- | --- |
//! | [`Order::Places`] | millesime, universe, region, academie, UAI, filiere, code | everything without a code filter; UAI filters with or without codes |
//! | [`Order::Codes`] | code, then as above | code filters |
//!
//! Both are stored as rendered rows in segments ([`crate::segment`]) of a fixed number of rows, so the segment of a
//! row is a division, and a deep page costs what the first one does. Every facet but the code is a
//! range of the first order: the plan ([`Plan`]) holds those ranges, one for each combination of
//! millesime, universe, region and academie there is; it grows with the number of academies, not
//! of rows. Entries for one code ([`CodeEntry`]) and one UAI ([`UaiEntry`]) lie in pages found
//! by the fences of the plan.

use crate::chain;
use crate::codec::{Decoder, Encoder};
use crate::kv::Damaged;
use crate::kv::{KeyValue, StoreError};
use crate::segment::FigureFolding;
use crate::shelf::Shelf;
use domain::Universe;

/// Rows in a JSON segment, at most: some 200 KB unfolded, 25 KB as stored. Ten rows from anywhere then lie in one value
/// nineteen times in twenty.
pub const JSON_ROWS: usize = 200;
/// Rows in a CSV segment, at most: some 70 KB unfolded, 25 KB as stored.
pub const CSV_ROWS: usize = 512;

/// The two published orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// By place: millesime, universe, region, academie, UAI, filiere, code.
    Places,
    /// By code first.
    Codes,
}

impl Order {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Places, Self::Codes];

    /// Its part of the key.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Places => "lieux",
            Self::Codes => "codes",
        }
    }
}

/// The forms rows are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Rows of JSON lists and of NDJSON.
    Json,
    /// Rows of CSV exports.
    Csv,
}

/// The family of the segments of a list.
#[must_use]
pub fn family(list: &str, order: Order, format: Format) -> String {
    let format = match format {
        Format::Json => "json",
        Format::Csv => "csv",
    };
    format!("liste.{list}.{}.{format}", order.name())
}

/// The family of the plan of a list (one value).
#[must_use]
pub fn plan_family(list: &str) -> String {
    format!("plan.{list}")
}

/// The family of the pages of codes.
#[must_use]
pub fn codes_family(list: &str) -> String {
    format!("codes.{list}")
}

/// The family of the pages of UAIs.
#[must_use]
pub fn uais_family(list: &str) -> String {
    format!("uais.{list}")
}

/// Rows of a block: those before the first that is wanted are unfolded too, so there are few.
#[must_use]
pub fn block(format: Format) -> usize {
    match format {
        Format::Json => 4,
        Format::Csv => 16,
    }
}

/// How figures are folded: taken out of JSON, where a name stands before each; in a CSV they are most of a row.
#[must_use]
pub fn figures(format: Format) -> FigureFolding {
    match format {
        Format::Json => FigureFolding::TakenOut,
        Format::Csv => FigureFolding::Stay,
    }
}

/// A run of rows that share millesime, universe, region and academie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// As published.
    pub millesime: String,
    /// Secondary or higher education.
    pub universe: Universe,
    /// INSEE code; empty on the national maille.
    pub region: String,
    /// Empty but on establishments.
    pub academie: String,
    /// The first row, counted from 0 in its order.
    pub start: usize,
    /// How many.
    pub count: usize,
}

impl Stretch {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.text(&self.millesime).number(u64::from(self.universe == Universe::Superieur));
        encoder.text(&self.region).text(&self.academie).size(self.start).size(self.count);
    }

    fn decode(decoder: &mut Decoder<'_>) -> Option<Self> {
        Some(Self {
            millesime: decoder.text()?.into(),
            universe: if decoder.number()? == 1 { Universe::Superieur } else { Universe::Secondaire },
            region: decoder.text()?.into(),
            academie: decoder.text()?.into(),
            start: decoder.size()?,
            count: decoder.size()?,
        })
    }

    /// Whether the next row of an order belongs to this run.
    #[must_use]
    pub fn takes(&self, row: &RowKey) -> bool {
        self.millesime == row.millesime
            && self.universe == row.universe
            && self.region == row.region
            && self.academie == row.academie
    }

    /// The run that a row starts.
    #[must_use]
    pub fn new(row: &RowKey, start: usize) -> Self {
        Self {
            millesime: row.millesime.clone(),
            universe: row.universe,
            region: row.region.clone(),
            academie: row.academie.clone(),
            start,
            count: 0,
        }
    }
}

/// What a row is sorted and filtered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowKey {
    /// As published.
    pub millesime: String,
    /// Secondary or higher education.
    pub universe: Universe,
    /// INSEE code, or empty.
    pub region: String,
    /// Or empty.
    pub academie: String,
    /// Or empty.
    pub uai: String,
    /// As published.
    pub filiere: String,
    /// Without prefix.
    pub code: String,
}

impl RowKey {
    /// The bytes that rows are compared by.
    #[must_use]
    pub fn sort_key(&self, order: Order) -> Vec<u8> {
        let universe = if self.universe == Universe::Superieur { "1" } else { "0" };
        let mut fields =
            [&*self.millesime, universe, &self.region, &self.academie, &self.uai, &self.filiere, &self.code];
        if order == Order::Codes {
            fields.rotate_right(1);
        }
        fields.join("\0").into_bytes()
    }

    /// Reads back what [`Self::sort_key`] wrote.
    #[must_use]
    pub fn read(sort: &[u8], order: Order) -> Option<Self> {
        let text = std::str::from_utf8(sort).ok()?;
        let mut fields: Vec<&str> = text.split('\0').collect();
        if order == Order::Codes {
            fields.rotate_left(1);
        }
        let [millesime, universe, region, academie, uai, filiere, code] = fields.try_into().ok()?;
        let own = str::to_owned;
        Some(Self {
            millesime: own(millesime),
            universe: if universe == "1" { Universe::Superieur } else { Universe::Secondaire },
            region: own(region),
            academie: own(academie),
            uai: own(uai),
            filiere: own(filiere),
            code: own(code),
        })
    }
}

/// What a reader needs to know of a list before its first segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Rows in all.
    pub total: usize,
    /// Rows in a JSON segment.
    pub json_rows: usize,
    /// Rows in a CSV segment.
    pub csv_rows: usize,
    /// The header row of the CSV, line end included.
    pub csv_header: String,
    /// The runs of [`Order::Places`].
    pub stretches: Vec<Stretch>,
    /// The first code of each page of codes.
    pub pages_codes: Vec<String>,
    /// The first UAI of each page of UAIs.
    pub pages_uais: Vec<String>,
}

impl Plan {
    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.size(self.total).size(self.json_rows).size(self.csv_rows).text(&self.csv_header);
        encoder.size(self.stretches.len());
        for stretch in &self.stretches {
            stretch.encode(&mut encoder);
        }
        for pages in [&self.pages_codes, &self.pages_uais] {
            encoder.size(pages.len());
            for first in pages {
                encoder.text(first);
            }
        }
        encoder.0
    }

    /// The plan of a list. It lies in one value, and goes on in others where its runs are too many for one.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it is not whole, else those of the store.
    pub async fn read<K: KeyValue>(kv: &K, shelf: Shelf<'_>, list: &str) -> Result<Self, StoreError> {
        let family = plan_family(list);
        let value = shelf.get(kv, &family, 0).await?;
        let whole = chain::whole(kv, shelf, &family, value.content()?.to_vec()).await?;
        Self::decode(&whole).map_err(|Damaged| value.damaged())
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut decoder = Decoder(bytes);
        let mut read = || {
            let mut plan = Self {
                total: decoder.size()?,
                json_rows: decoder.size()?.max(1),
                csv_rows: decoder.size()?.max(1),
                csv_header: decoder.text()?.into(),
                ..Self::default()
            };
            let count = decoder.size()?;
            plan.stretches = (0..count).map(|_| Stretch::decode(&mut decoder)).collect::<Option<_>>()?;
            for pages in [&mut plan.pages_codes, &mut plan.pages_uais] {
                let count = decoder.size()?;
                *pages = (0..count).map(|_| decoder.text().map(Into::into)).collect::<Option<_>>()?;
            }
            Some(plan)
        };
        read().ok_or(Damaged)
    }

    /// The rows that pass a filter without codes and UAIs. Runs lie sorted by millesime and universe first: those that
    /// are not asked for are passed over together, and where no place is asked for the others are one range.
    #[must_use]
    pub fn choose(&self, filter: &Filter) -> Selection {
        let mut selection = Selection { order: Order::Places, stretches: Vec::new() };
        let mut remainder = self.stretches.as_slice();
        while let Some(first) = remainder.first() {
            let same = |p: &Stretch| p.universe == first.universe && p.millesime == first.millesime;
            let (group, rest) = remainder.split_at(remainder.partition_point(same));
            remainder = rest;
            if !filter.accepts_year(first) {
                continue;
            }
            match group.last() {
                Some(last) if filter.regions.is_empty() && filter.academies.is_empty() => {
                    selection.add(first.start, last.start + last.count - first.start);
                }
                _ => {
                    for stretch in group.iter().filter(|p| filter.accepts_place(p)) {
                        selection.add(stretch.start, stretch.count);
                    }
                }
            }
        }
        selection
    }

    /// Rows in a segment of a format.
    #[must_use]
    pub fn rows(&self, format: Format) -> usize {
        match format {
            Format::Json => self.json_rows,
            Format::Csv => self.csv_rows,
        }
    }
}

/// The page that holds a key, by the first key of each page.
#[must_use]
pub fn page(first: &[String], key: &str) -> Option<usize> {
    first.partition_point(|p| p.as_str() <= key).checked_sub(1)
}

/// The rows of one code, in [`Order::Codes`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeEntry(pub Vec<Stretch>);

impl CodeEntry {
    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        for stretch in &self.0 {
            stretch.encode(&mut encoder);
        }
        encoder.0
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut decoder = Decoder(bytes);
        let mut stretches = Vec::new();
        while !decoder.0.is_empty() {
            stretches.push(Stretch::decode(&mut decoder).ok_or(Damaged)?);
        }
        Ok(Self(stretches))
    }
}

/// The rows of one UAI, in [`Order::Places`]: runs of consecutive rows, with the code of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UaiEntry(pub Vec<(Stretch, Vec<String>)>);

impl UaiEntry {
    /// Adds the next row of this UAI.
    pub fn add(&mut self, row: &RowKey, rank: usize) {
        match self.0.last_mut() {
            Some((stretch, codes)) if stretch.takes(row) && stretch.start + stretch.count == rank => {
                stretch.count += 1;
                codes.push(row.code.clone());
            }
            _ => {
                let stretch = Stretch { count: 1, ..Stretch::new(row, rank) };
                self.0.push((stretch, vec![row.code.clone()]));
            }
        }
    }

    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        for (stretch, codes) in &self.0 {
            stretch.encode(&mut encoder);
            for code in codes {
                encoder.text(code);
            }
        }
        encoder.0
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut decoder = Decoder(bytes);
        let mut runs = Vec::new();
        while !decoder.0.is_empty() {
            let stretch = Stretch::decode(&mut decoder).ok_or(Damaged)?;
            let codes = (0..stretch.count).map(|_| decoder.text().map(Into::into)).collect::<Option<_>>();
            runs.push((stretch, codes.ok_or(Damaged)?));
        }
        Ok(Self(runs))
    }
}

/// What a list is asked for. Empty lists do not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Spellings as stored, each optionally for one universe only.
    pub millesimes: Vec<(String, Option<Universe>)>,
    /// INSEE codes.
    pub regions: Vec<String>,
    /// Codes of academies.
    pub academies: Vec<String>,
    /// Establishments.
    pub uais: Vec<String>,
    /// Certifications, without prefix.
    pub codes: Vec<String>,
}

impl Filter {
    /// Whether the rows of a run pass, its UAI and code aside.
    #[must_use]
    pub fn accepts(&self, stretch: &Stretch) -> bool {
        self.accepts_year(stretch) && self.accepts_place(stretch)
    }

    fn accepts_year(&self, stretch: &Stretch) -> bool {
        let same = |(m, universe): &(String, Option<Universe>)| {
            universe.is_none_or(|u| u == stretch.universe) && *m == stretch.millesime
        };
        self.millesimes.is_empty() || self.millesimes.iter().any(same)
    }

    fn accepts_place(&self, stretch: &Stretch) -> bool {
        let within = |list: &[String], value: &str| list.is_empty() || list.iter().any(|v| v == value);
        within(&self.regions, &stretch.region) && within(&self.academies, &stretch.academie)
    }
}

/// Rows that pass a filter: ranges of an order, in the order of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The order the ranges count in.
    pub order: Order,
    /// First row and number of rows.
    pub stretches: Vec<(usize, usize)>,
}

impl Selection {
    /// Rows in all.
    #[must_use]
    pub fn total(&self) -> usize {
        self.stretches.iter().map(|(_, count)| count).sum()
    }

    /// Appends a range, joined to the one before where they touch.
    pub fn add(&mut self, start: usize, count: usize) {
        match self.stretches.last_mut() {
            Some((d, n)) if *d + *n == start => *n += count,
            _ => self.stretches.push((start, count)),
        }
    }

    /// The slices of segments that hold rows `skip .. skip + take` of the answer.
    #[must_use]
    pub fn slices(&self, mut skip: usize, mut take: usize, rows: usize) -> Vec<SegmentSlice> {
        let rows = rows.max(1);
        let mut slices = Vec::new();
        for &(start, count) in &self.stretches {
            let skipped = skip.min(count);
            skip -= skipped;
            let (mut rank, end) = (start + skipped, start + skipped + (count - skipped).min(take));
            take -= end - rank;
            while rank < end {
                let segment = rank / rows;
                let until = end.min((segment + 1) * rows);
                slices.push(SegmentSlice { segment, from: rank % rows, count: until - rank });
                rank = until;
            }
            if take == 0 {
                break;
            }
        }
        slices
    }
}

/// Consecutive rows of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSlice {
    /// The segment.
    pub segment: usize,
    /// The first row in it.
    pub from: usize,
    /// How many.
    pub count: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(millesime: &str, region: &str, code: &str) -> RowKey {
        RowKey {
            millesime: millesime.into(),
            universe: Universe::Secondaire,
            region: region.into(),
            academie: String::new(),
            uai: "0750652B".into(),
            filiere: "pro".into(),
            code: code.into(),
        }
    }

    #[test]
    fn sort_keys_come_back_in_both_orders() {
        let row = key("2018_2019", "11", "12345678");
        for order in Order::ALL {
            assert_eq!(RowKey::read(&row.sort_key(order), order), Some(row.clone()));
        }
    }

    #[test]
    fn a_plan_comes_back_and_its_fences_lead_to_pages() {
        let plan = Plan {
            total: 3,
            json_rows: 64,
            csv_rows: 512,
            csv_header: "a;b\n".into(),
            stretches: vec![Stretch { count: 3, ..Stretch::new(&key("2019", "11", "1"), 0) }],
            pages_codes: vec!["B".into(), "M".into()],
            pages_uais: Vec::new(),
        };
        assert_eq!(Plan::decode(&plan.encode()), Ok(plan.clone()));
        let pages: Vec<_> = ["A", "B", "L", "M", "Z"].iter().map(|c| page(&plan.pages_codes, c)).collect();
        assert_eq!(pages, [None, Some(0), Some(0), Some(1), Some(1)]);
    }

    #[test]
    fn entries_come_back() {
        let mut uai = UaiEntry::default();
        for (rank, code) in [(4, "1"), (5, "2"), (9, "3")] {
            uai.add(&key("2019", "11", code), rank);
        }
        assert_eq!(uai.0.len(), 2, "rows that follow each other are one run");
        assert_eq!(UaiEntry::decode(&uai.encode()), Ok(uai.clone()));
        let code = CodeEntry(uai.0.into_iter().map(|(stretch, _)| stretch).collect());
        assert_eq!(CodeEntry::decode(&code.encode()), Ok(code));
    }

    proptest! {
        #[test]
        fn pages_meet_each_row_once_in_order(stretches in proptest::collection::vec((0usize..40, 1usize..30), 0..8), per_page in 1usize..20, rows in 1usize..16) {
            let mut selection = Selection { order: Order::Places, stretches: Vec::new() };
            let mut start = 0;
            for (gap, count) in stretches {
                start += gap;
                selection.add(start, count);
                start += count;
            }
            let expected: Vec<usize> = selection.stretches.iter().flat_map(|&(d, n)| d..d + n).collect();
            let mut read = Vec::new();
            for page in 0..=selection.total() / per_page {
                for t in selection.slices(page * per_page, per_page, rows) {
                    prop_assert!(t.from + t.count <= rows);
                    read.extend((0..t.count).map(|i| t.segment * rows + t.from + i));
                }
            }
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn a_plan_chooses_the_rows_that_pass_one_by_one(
            sizes in proptest::collection::btree_map((0u8..4, any::<bool>(), 0u8..3, 0u8..2), 1usize..5, 0..20),
            millesimes in proptest::collection::vec((0u8..4, proptest::option::of(any::<bool>())), 0..3),
            regions in proptest::collection::vec(0u8..3, 0..2),
            academies in proptest::collection::vec(0u8..2, 0..2),
        ) {
            let universe = |superieur: bool| if superieur { Universe::Superieur } else { Universe::Secondaire };
            let mut plan = Plan::default();
            for ((millesime, superieur, region, academie), count) in sizes {
                let (millesime, region, academie) = (millesime.to_string(), region.to_string(), academie.to_string());
                plan.stretches.push(Stretch { millesime, universe: universe(superieur), region, academie, start: plan.total, count });
                plan.total += count;
            }
            let filter = Filter {
                millesimes: millesimes.into_iter().map(|(m, u)| (m.to_string(), u.map(universe))).collect(),
                regions: regions.iter().map(u8::to_string).collect(),
                academies: academies.iter().map(u8::to_string).collect(),
                ..Filter::default()
            };
            let mut expected = Selection { order: Order::Places, stretches: Vec::new() };
            for stretch in plan.stretches.iter().filter(|p| filter.accepts(p)) {
                expected.add(stretch.start, stretch.count);
            }
            prop_assert_eq!(plan.choose(&filter), expected);
        }
    }
}
