//! `secret_secondaire`: further figures that are hidden, so that those of a group under the threshold do not follow from sums
//! that the data itself holds (contract, "Disclosure", rule 3).
//!
//! It works on the statistics of one set of codes that no sum and no lent number ties to another: the codes of a CFD, and of
//! the CFDs that their numbers were lent to or come from; on every maille and millesime.
//!
//! As long as a hidden group is known exactly, within ±2, or together with others that are fewer than 20, the smallest group
//! that is shown in one of its sums is withheld too: counts and rates go, the size stays. Sums are
//!
//! - the country and its regions, or the places of a declared maille, or its establishments;
//! - a region, and the places or establishments in it;
//! - a period, and the two years that it is written with;
//! - the codes of a CFD, which the filieres view adds up where that alone opens no group.
//!
//! A held sum counts where sizes, which are always told, confirm it. A view with a withheld group shows no figure.

use crate::linear::{System, Unknown};
use domain::declared::{MAILLE_FIELD, PLACE_FIELD};
use domain::indicator::NB_ANNEE_TERM;
use domain::{Document, Millesime, Secrecy};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The counts that are hidden, and the rate that tells each where the count itself is not told.
const COUNTS: [(&str, &str); 6] = [
    ("nb_en_emploi_6_mois", "taux_en_emploi_6_mois"),
    ("nb_en_emploi_12_mois", "taux_en_emploi_12_mois"),
    ("nb_en_emploi_18_mois", "taux_en_emploi_18_mois"),
    ("nb_en_emploi_24_mois", "taux_en_emploi_24_mois"),
    ("nb_poursuite_etudes", "taux_en_formation"),
    ("nb_sortant", ""),
];
const FURTHER_STUDY: usize = 4;
const LEAVERS: usize = 5;
/// More young people than any group has.
const UNKNOWN_SIZE: i64 = 10_000_000;
/// [`domain::PUBLICATION_THRESHOLD`], in whole people.
const SMALL: i64 = 20;

/// The statistic of one group. It holds hidden counts: it is kept beside the raw documents, and nowhere else.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct CountedGroup {
    /// Empty for the country, `r` for a region, `e` for an establishment; else the declared maille.
    maille: String,
    place: String,
    region: String,
    cfd: String,
    code: String,
    filiere: String,
    millesime: String,
    lent_by: Option<String>,
    size: Option<i64>,
    /// Bounds of each count as published, or would be if it were; `None`: no such figure.
    counts: [Option<(i64, i64)>; 6],
    hidden: bool,
}

impl std::fmt::Debug for CountedGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CountedGroup({}, …)", self.name())
    }
}

fn whole(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    value.as_i64().or_else(|| format!("{:.0}", value.as_f64()?).parse().ok())
}

impl CountedGroup {
    /// Reads a document as it was pushed.
    #[must_use]
    pub fn read(document: &Document, secrecy: Secrecy) -> Self {
        let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let region = document.get("region").and_then(|r| r.get("code")).and_then(Value::as_str).unwrap_or_default();
        let (maille, place) = if document.contains_key(MAILLE_FIELD) {
            (text(MAILLE_FIELD), text(PLACE_FIELD))
        } else if document.contains_key("uai") {
            (ETABLISSEMENT.to_owned(), text("uai"))
        } else if region.is_empty() {
            (NATIONAL.to_owned(), String::new())
        } else {
            (REGIONALE.to_owned(), region.to_owned())
        };
        let source = |field: &str| document.get("donnee_source").and_then(|s| s.get(field)).and_then(Value::as_str);
        let lent_by = source("code_certification").filter(|_| source("type").is_some_and(|nature| nature != "self"));
        let size = whole(document.get(NB_ANNEE_TERM));
        let hidden = secrecy.hides(document);
        let counts = COUNTS.map(|(count, rate)| {
            let exact = |value: i64| Some((value, value));
            match document.get(count) {
                Some(Value::Null) if hidden => exact(0),
                value => whole(value).map_or_else(|| between(whole(document.get(rate))?, size?), exact),
            }
        });
        Self {
            maille,
            place,
            region: region.to_owned(),
            cfd: text("code_formation_diplome"),
            code: text("code_certification"),
            filiere: text("filiere"),
            millesime: text("millesime"),
            lent_by: lent_by.map(str::to_owned),
            size,
            counts,
            hidden,
        }
    }

    /// The code, the CFD and the code that lent the numbers: what ties it to others.
    pub fn ties(&self) -> impl Iterator<Item = &str> {
        [self.code.as_str(), &self.cfd].into_iter().chain(self.lent_by.as_deref()).filter(|code| !code.is_empty())
    }

    /// Maille, place, code, filiere and millesime, for the report.
    #[must_use]
    pub fn name(&self) -> String {
        let maille = match self.maille.as_str() {
            NATIONAL => "certifications",
            REGIONALE => "regionales",
            ETABLISSEMENT => "formations",
            declared => declared,
        };
        [maille, &self.place, &self.code, &self.filiere, &self.millesime].join(";")
    }

    /// Whether the threshold hides it already: withheld, it closes its view and hides nothing more.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// Whether its group is one that the threshold protects.
    fn is_small(&self) -> bool {
        self.hidden && self.size != Some(0)
    }

    fn has_figures(&self) -> bool {
        self.counts.iter().any(Option::is_some)
    }
}

const NATIONAL: &str = "";
const REGIONALE: &str = "r";
const ETABLISSEMENT: &str = "e";

/// What rounds to a whole percentage.
fn between(rate: i64, size: i64) -> Option<(i64, i64)> {
    let end = |twice: i64| size.checked_mul(twice).map(|n| n.div_euclid(200));
    Some((end(2 * rate - 1)?.clamp(0, size.max(0)), (end(2 * rate + 1)? + 1).clamp(0, size.max(0))))
}

/// Codes that must be looked at together, as a few numbers each: it is kept between the steps of a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeSets(BTreeMap<u64, u64>);

impl CodeSets {
    /// How many codes it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn root(&self, mut code: u64) -> u64 {
        while let Some(above) = self.0.get(&code).filter(|above| **above != code) {
            code = *above;
        }
        code
    }

    /// Codes of one statistic belong together.
    pub fn tie<'a>(&mut self, codes: impl Iterator<Item = &'a str>) {
        let mut first = None;
        for code in codes {
            let code = number(code);
            self.0.entry(code).or_insert(code);
            let root = self.root(code);
            // The path is cut short, so that looking up stays cheap.
            self.0.insert(code, root);
            let with = *first.get_or_insert(root);
            let (low, high) = (with.min(root), with.max(root));
            self.0.insert(high, low);
            first = Some(low);
        }
    }

    /// The set that a statistic belongs to.
    pub fn set<'a>(&self, mut codes: impl Iterator<Item = &'a str>) -> u64 {
        codes.next().map_or(0, |code| self.root(number(code)))
    }
}

/// A code as a number: FNV-1a. Two codes of one number are looked at together, which costs time and nothing else.
fn number(code: &str) -> u64 {
    code.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The sum that gave a hidden group away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// The country or a region, and what lies in it.
    Territory,
    /// A period and its years.
    Years,
    /// The codes of a CFD.
    View,
}

impl HeldBy {
    /// In words, for the report.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Territory => "somme de territoires",
            Self::Years => "deux écritures d'un millésime",
            Self::View => "codes d'un même CFD",
        }
    }
}

/// A statistic that is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// Its rank.
    pub rank: usize,
    /// The rank of the hidden statistic that it protects.
    pub protects: usize,
    /// In which sum.
    pub held_by: HeldBy,
}

/// What came of the treatment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecondaryResult {
    /// In the order of their ranks.
    pub withheld: Vec<Withheld>,
    /// Hidden statistics that nothing was left to protect with.
    pub exposed: Vec<usize>,
}

/// A known sum: a total (`None`: it is told by itself) and its parts, as groups.
struct HeldSum {
    total: Option<usize>,
    parts: BTreeSet<usize>,
    held_by: HeldBy,
}

/// The statistics as groups of people, and the sums that are known of them.
struct HeldSums<'a> {
    statistics: &'a [CountedGroup],
    group_of: Vec<usize>,
    /// The first statistic of each group.
    first: Vec<usize>,
    hidden: Vec<bool>,
    sums: Vec<HeldSum>,
    /// Sizes of classes that no document shows, after those of groups.
    classes: Vec<(i64, usize)>,
    /// A count known within so many is known.
    margin: i64,
}

/// Which further statistics to withhold, so that no count of a small group is known within ±2.
#[must_use]
pub fn withhold(statistics: &[CountedGroup]) -> SecondaryResult {
    withhold_within(statistics, 2)
}

/// The same for another margin: 0 where only what is known exactly matters.
#[must_use]
pub fn withhold_within(statistics: &[CountedGroup], margin: i64) -> SecondaryResult {
    let table = HeldSums { margin, ..HeldSums::new(statistics) };
    let mut withheld: BTreeMap<usize, (usize, HeldBy)> = BTreeMap::new();
    let mut hopeless: BTreeSet<usize> = BTreeSet::new();
    loop {
        let mut touched: BTreeSet<usize> = BTreeSet::new();
        let exposed = table.exposed(&withheld);
        let mut moved = false;
        for group in &exposed {
            if hopeless.contains(group) {
                continue;
            }
            let of = table.sums_of(*group, &withheld);
            if of.iter().any(|sum| touched.contains(sum)) {
                moved = true;
                continue;
            }
            match table.choice(&of, &withheld) {
                Some((other, held_by)) => {
                    withheld.insert(other, (*group, held_by));
                    touched.extend(table.sums_of(other, &withheld));
                    touched.extend(of);
                    moved = true;
                }
                None => {
                    hopeless.insert(*group);
                }
            }
        }
        if !moved {
            break;
        }
    }
    let rank = |group: usize| table.first.get(group).copied();
    let mut result = SecondaryResult::default();
    for (of, group) in table.group_of.iter().enumerate() {
        if let Some((protects, held_by)) = withheld.get(group)
            && let Some(protects) = rank(*protects).or_else(|| table.class_rank(*protects))
        {
            result.withheld.push(Withheld { rank: of, protects, held_by: *held_by });
        }
    }
    let still = table.exposed(&withheld);
    result.exposed = still.into_iter().filter_map(|group| rank(group).or_else(|| table.class_rank(group))).collect();
    result
}

impl<'a> HeldSums<'a> {
    fn new(statistics: &'a [CountedGroup]) -> Self {
        let group_of = groups(statistics);
        let n = group_of.iter().max().map_or(0, |last| last + 1);
        let (mut first, mut hidden) = (vec![usize::MAX; n], vec![false; n]);
        for (rank, (statistic, group)) in statistics.iter().zip(&group_of).enumerate() {
            if let (Some(first), Some(hidden)) = (first.get_mut(*group), hidden.get_mut(*group)) {
                *first = (*first).min(rank);
                *hidden |= statistic.hidden;
            }
        }
        let mut table = Self { statistics, group_of, first, hidden, sums: Vec::new(), classes: Vec::new(), margin: 0 };
        table.add_held_sums();
        table.add_views();
        table
    }

    fn group(&self, rank: usize) -> usize {
        self.group_of.get(rank).copied().unwrap_or(usize::MAX)
    }

    fn of_group(&self, group: usize) -> Option<&'a CountedGroup> {
        self.statistics.get(*self.first.get(group)?)
    }

    fn class_rank(&self, group: usize) -> Option<usize> {
        self.classes.get(group.checked_sub(self.first.len())?).map(|(_, period)| *period)
    }

    fn is_hidden(&self, group: usize, withheld: &BTreeMap<usize, (usize, HeldBy)>) -> bool {
        withheld.contains_key(&group) || self.hidden.get(group).copied().unwrap_or(true)
    }

    fn add_up(&self, total: usize, parts: &[usize]) -> bool {
        let size = |rank: &usize| self.statistics.get(*rank).and_then(|s| s.size);
        let sizes: Option<i64> = parts.iter().map(size).sum();
        !parts.is_empty() && sizes.is_some() && sizes == size(&total)
    }

    fn add_held_sums(&mut self) {
        let statistics = self.statistics;
        let mut by_code: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (rank, statistic) in statistics.iter().enumerate() {
            by_code.entry((&statistic.code, &statistic.filiere)).or_default().push(rank);
        }
        for ranks in by_code.values() {
            let of = || ranks.iter().filter_map(|rank| Some((*rank, statistics.get(*rank)?)));
            for (total, whole) in of().filter(|(_, s)| s.maille == NATIONAL || s.maille == REGIONALE) {
                let mut parts: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
                for (rank, part) in of() {
                    let finer = part.maille != NATIONAL && part.maille != whole.maille;
                    let inside = whole.maille == NATIONAL || part.maille != REGIONALE && part.region == whole.place;
                    if finer && inside && is_same_year(&part.millesime, &whole.millesime) {
                        parts.entry((&part.maille, &part.millesime)).or_default().push(rank);
                    }
                }
                for parts in parts.into_values() {
                    let filled = |rank: &usize| statistics.get(*rank).is_some_and(CountedGroup::has_figures);
                    let with_figures: Vec<usize> = parts.iter().copied().filter(filled).collect();
                    if let Some(parts) = [parts, with_figures].into_iter().find(|parts| self.add_up(total, parts)) {
                        self.add_sum(Some(total), &parts, HeldBy::Territory);
                    }
                }
            }
            let at: BTreeMap<(&str, &str, &str), usize> =
                of().map(|(rank, s)| ((s.maille.as_str(), s.place.as_str(), s.millesime.as_str()), rank)).collect();
            for ((maille, place, millesime), period) in &at {
                let Some((first, last)) = millesime.split_once('_').filter(|(a, b)| a != b) else { continue };
                let year = |year: &str| at.get(&(*maille, *place, year)).copied();
                match (year(first), year(last)) {
                    (Some(a), Some(b)) if self.add_up(*period, &[a, b]) => {
                        self.add_sum(Some(*period), &[a, b], HeldBy::Years);
                    }
                    (Some(year), None) | (None, Some(year)) => self.add_class(*period, year),
                    _ => {}
                }
            }
        }
    }

    fn add_sum(&mut self, total: Option<usize>, parts: &[usize], held_by: HeldBy) {
        let parts = parts.iter().map(|rank| self.group(*rank)).collect();
        self.sums.push(HeldSum { total: total.map(|rank| self.group(rank)), parts, held_by });
    }

    /// What a period and one of its years leave: a class that no document shows.
    fn add_class(&mut self, period: usize, year: usize) {
        let size = |rank: usize| self.statistics.get(rank).and_then(|s| s.size);
        if let (Some(both), Some(one)) = (size(period), size(year))
            && (1..SMALL).contains(&(both - one))
        {
            let class = self.first.len() + self.classes.len();
            self.classes.push((both - one, period));
            let parts = BTreeSet::from([self.group(year), class]);
            self.sums.push(HeldSum { total: Some(self.group(period)), parts, held_by: HeldBy::Years });
        }
    }

    /// The codes of a CFD, where a view of it may show their sum: what the threshold hides of it is nobody, or enough.
    fn add_views(&mut self) {
        let mut by_cfd: BTreeMap<[&str; 5], Vec<usize>> = BTreeMap::new();
        for (rank, s) in self.statistics.iter().enumerate().filter(|(_, s)| s.maille != ETABLISSEMENT) {
            by_cfd.entry([&s.maille, &s.place, &s.filiere, &s.millesime, &s.cfd]).or_default().push(rank);
        }
        for ranks in by_cfd.into_values() {
            let groups: BTreeSet<usize> = ranks.iter().map(|rank| self.group(*rank)).collect();
            let hidden = groups.iter().filter(|group| self.hidden.get(**group).copied().unwrap_or(true));
            let hidden: Vec<&CountedGroup> = hidden.filter_map(|group| self.of_group(*group)).collect();
            let people = |count: usize| -> i64 {
                let counted = hidden.iter().filter(|s| s.counts.get(count).is_some_and(Option::is_some));
                counted.filter_map(|s| s.size).sum()
            };
            // Where it hides nobody there is nothing to find.
            let counted = (0..COUNTS.len()).map(people).filter(|people| *people > 0);
            if !hidden.is_empty() && counted.min().is_some_and(|people| people >= SMALL) {
                self.add_sum(None, &ranks, HeldBy::View);
            }
        }
    }

    /// The sums that a group stands in, the one that hides the fewest first.
    fn sums_of(&self, group: usize, withheld: &BTreeMap<usize, (usize, HeldBy)>) -> Vec<usize> {
        let mut of: Vec<(usize, usize)> = Vec::new();
        for (n, sum) in self.sums.iter().enumerate() {
            if self.is_told(sum, withheld) && (sum.parts.contains(&group) || sum.total == Some(group)) {
                let members = sum.parts.iter().chain(&sum.total);
                of.push((members.filter(|group| self.is_hidden(**group, withheld)).count(), n));
            }
        }
        of.sort_unstable();
        of.into_iter().map(|(_, n)| n).collect()
    }

    /// A view tells its sum as long as nothing in it is withheld.
    fn is_told(&self, sum: &HeldSum, withheld: &BTreeMap<usize, (usize, HeldBy)>) -> bool {
        sum.held_by != HeldBy::View || !sum.parts.iter().any(|group| withheld.contains_key(group))
    }

    /// The smallest group that is shown in the first of these sums that shows any; the total only where no part is left. In a
    /// view that shows none, the smallest hidden group closes it.
    fn choice(&self, sums: &[usize], withheld: &BTreeMap<usize, (usize, HeldBy)>) -> Option<(usize, HeldBy)> {
        let smallest = |groups: &mut dyn Iterator<Item = usize>| {
            groups
                .filter(|group| !withheld.contains_key(group))
                .filter_map(|group| {
                    let statistic = self.of_group(group).filter(|s| s.has_figures())?;
                    Some((statistic.size.unwrap_or(UNKNOWN_SIZE), statistic.name(), group))
                })
                .min()
                .map(|(_, _, group)| group)
        };
        for sum in sums.iter().filter_map(|sum| self.sums.get(*sum)) {
            let shown = |group: &usize| !self.is_hidden(*group, withheld);
            let found = smallest(&mut sum.parts.iter().copied().filter(shown))
                .or_else(|| smallest(&mut sum.total.iter().copied().filter(shown)))
                .or_else(|| smallest(&mut sum.parts.iter().copied().filter(|_| sum.held_by == HeldBy::View)));
            if let Some(group) = found {
                return Some((group, sum.held_by));
            }
        }
        None
    }

    /// The small groups that are known exactly, within ±2, or together with others that are fewer than 20.
    fn exposed(&self, withheld: &BTreeMap<usize, (usize, HeldBy)>) -> Vec<usize> {
        let n = self.first.len() + self.classes.len();
        // Only what stands in a sum can follow from one.
        let in_sums: BTreeSet<usize> =
            self.sums.iter().flat_map(|sum| sum.parts.iter().copied().chain(sum.total)).collect();
        let size_of = |group: usize| match group.checked_sub(self.first.len()) {
            None => self.of_group(group).and_then(|s| s.size),
            Some(class) => self.classes.get(class).map(|(size, _)| *size),
        };
        let mut system = System::default();
        let mut values: Vec<[Known; COUNTS.len()]> = vec![[Known::Nothing; COUNTS.len()]; n];
        let mut group_of_unknown: Vec<usize> = Vec::new();
        let mut unknown = |system: &mut System, group: usize, (low, high): (i64, i64)| {
            group_of_unknown.push(group);
            Known::Unknown(system.unknown(low, high))
        };
        for group in in_sums {
            let hidden = self.is_hidden(group, withheld);
            let all = (0, size_of(group).unwrap_or(UNKNOWN_SIZE));
            let class = group >= self.first.len();
            let counts = self.of_group(group).map_or([class.then_some((0, 0)); COUNTS.len()], |s| s.counts);
            let known = counts.map(|count| match count {
                None => Known::Nothing,
                Some(_) if hidden => unknown(&mut system, group, all),
                Some((low, high)) if low == high => Known::Value(low),
                Some(bounds) => unknown(&mut system, group, bounds),
            });
            if let (Known::Unknown(leave), true) = (known.get(LEAVERS).copied().unwrap_or(Known::Nothing), hidden) {
                for (count, other) in known.iter().enumerate() {
                    match other {
                        Known::Unknown(study) if count == FURTHER_STUDY && size_of(group).is_some() => {
                            system.relation(&[(*study, 1), (leave, 1)], all.1, all.1);
                        }
                        Known::Unknown(employed) if count < FURTHER_STUDY => {
                            system.relation(&[(leave, 1), (*employed, -1)], 0, all.1);
                        }
                        _ => {}
                    }
                }
            }
            if let Some(place) = values.get_mut(group) {
                *place = known;
            }
        }
        let value = |group: usize, count: usize| {
            values.get(group).and_then(|of| of.get(count)).copied().unwrap_or(Known::Nothing)
        };
        for sum in self.sums.iter().filter(|sum| self.is_told(sum, withheld)) {
            for count in 0..COUNTS.len() {
                let (mut terms, mut known) = (Vec::new(), 0);
                for group in &sum.parts {
                    match value(*group, count) {
                        Known::Nothing => {}
                        Known::Value(value) => known += value,
                        Known::Unknown(unknown) => terms.push((unknown, 1)),
                    }
                }
                let total = match sum.total {
                    // A view tells what its members add up to.
                    None => {
                        let truth = |group: &usize| self.of_group(*group)?.counts.get(count).copied().flatten();
                        let members: Vec<(i64, i64)> = sum.parts.iter().filter_map(truth).collect();
                        if members.is_empty() {
                            continue;
                        }
                        members.iter().map(|(low, _)| low).sum()
                    }
                    Some(total) => match value(total, count) {
                        Known::Nothing => continue,
                        Known::Value(value) => value,
                        Known::Unknown(unknown) => {
                            terms.push((unknown, -1));
                            0
                        }
                    },
                };
                if !terms.is_empty() {
                    system.sum(&terms, total - known, total - known);
                }
            }
        }
        let rows = system.solve();
        let small = |group: usize| {
            let class = group >= self.first.len();
            class || self.of_group(group).is_some_and(CountedGroup::is_small)
        };
        let of = |unknown: Unknown| group_of_unknown.get(unknown).copied();
        let mut exposed = BTreeSet::new();
        for (unknown, group) in group_of_unknown.iter().enumerate().filter(|(_, group)| small(**group)) {
            let (low, high) = system.bounds(unknown);
            let told_by_size = size_of(*group).is_some_and(|size| size <= 2 * self.margin);
            if low == high || high - low <= 2 * self.margin && !told_by_size {
                exposed.insert(*group);
            }
        }
        for row in rows {
            let open = |unknown: Unknown| {
                let (low, high) = system.bounds(unknown);
                low < high
            };
            let left: Vec<(Unknown, i64)> = row.into_iter().filter(|(unknown, _)| open(*unknown)).collect();
            let Some((_, first)) = left.first() else { continue };
            let size: Option<i64> = left.iter().map(|(unknown, _)| of(*unknown).and_then(size_of)).sum();
            if left.len() > 1 && left.iter().all(|(_, c)| c == first) && size.is_some_and(|size| size < SMALL) {
                exposed.extend(left.iter().filter_map(|(unknown, _)| of(*unknown)).filter(|group| small(*group)));
            }
        }
        exposed.into_iter().collect()
    }
}

#[derive(Clone, Copy)]
enum Known {
    Nothing,
    Value(i64),
    Unknown(Unknown),
}

fn is_same_year(a: &str, b: &str) -> bool {
    a == b || matches!((Millesime::parse(a), Millesime::parse(b)), (Some(a), Some(b)) if a.year() == b.year())
}

/// The group of each statistic, counted from 0: one for those whose numbers were lent from one to the other.
fn groups(statistics: &[CountedGroup]) -> Vec<usize> {
    let mut names: BTreeMap<[&str; 5], usize> = BTreeMap::new();
    let mut above: Vec<usize> = Vec::new();
    let root = |above: &[usize], mut at: usize| {
        while let Some(up) = above.get(at).copied().filter(|up| *up != at) {
            at = up;
        }
        at
    };
    let mut nodes = Vec::new();
    for s in statistics {
        let mut of = |code| {
            *names.entry([&s.maille, &s.place, &s.filiere, &s.millesime, code]).or_insert_with(|| {
                above.push(above.len());
                above.len() - 1
            })
        };
        let own = of(s.code.as_str());
        let lender = s.lent_by.as_deref().map(of);
        if let Some(lender) = lender {
            let (a, b) = (root(&above, own), root(&above, lender));
            if let Some(up) = above.get_mut(a.max(b)) {
                *up = a.min(b);
            }
        }
        nodes.push(own);
    }
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    let numbered = nodes.into_iter().map(|node| {
        let next = numbers.len();
        *numbers.entry(root(&above, node)).or_insert(next)
    });
    numbered.collect()
}
