//! From answers to equations, and from bounds back to cells.
#![allow(clippy::indexing_slicing, reason = "cells and groups are numbered here, and by nobody else")]

use crate::answers::{COUNTS, Cell, Told, ViewAnswer};
use domain::Millesime;
use std::collections::{BTreeMap, BTreeSet};
use treatments::linear::{System, Unknown};

/// What the attacker makes use of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    /// Filieres views, and their differences.
    pub views: bool,
    /// Sums that the data holds: the country and its regions, a region and its places, two spellings of a year.
    pub sums: bool,
    /// That a count lies between none and all of its group. Without it only what subtraction gives is found.
    pub bounds: bool,
}

impl Means {
    /// Everything.
    pub const ALL: Self = Self { views: true, sums: true, bounds: true };
    /// What the service adds up itself.
    pub const VIEWS: Self = Self { views: true, sums: false, bounds: true };
    /// What anyone adds up who has the lists.
    pub const SUMS: Self = Self { views: false, sums: true, bounds: true };
    /// Views, by subtraction alone.
    pub const DIFFERENCES: Self = Self { views: true, sums: false, bounds: false };
}

/// More young people than any group has.
const UNKNOWN_SIZE: i64 = 10_000_000;

/// How well a hidden cell is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not better than its size tells.
    Safe,
    /// A count of it within ±2, which its size alone does not tell.
    Near,
    /// Nothing of it alone, but a count of fewer than 20 young people that it is among.
    Pool,
    /// A count of it.
    Exact,
    /// Every count of it.
    Whole,
}

/// A hidden cell, and what is known of it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its rank among the cells.
    pub cell: usize,
    /// How well it is known.
    pub level: Level,
    /// The counts that are known at that level.
    pub counts: Vec<&'static str>,
}

/// What came of an attack.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Every hidden cell of one to 19 people, or of nobody knows how many.
    pub findings: Vec<Finding>,
    /// Equations that contradict others and were left out.
    pub contradictions: usize,
    /// Equations that elimination gave up.
    pub given_up: usize,
}

impl Outcome {
    /// How many hidden cells are known at least so well.
    #[must_use]
    pub fn at_least(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level >= level).count()
    }
}

/// Attacks. `cells` gains those that no document shows, but two documents leave between them.
#[must_use]
pub fn attack(cells: &mut Vec<Cell>, views: &[ViewAnswer], means: Means) -> Outcome {
    let sums = if means.sums { held_sums(cells) } else { Vec::new() };
    let group_of = groups(cells);
    let n_groups = group_of.iter().max().map_or(0, |last| last + 1);
    let mut system = System::default();
    let mut values = vec![[Value::Nothing; 6]; n_groups];
    let mut sizes = vec![None; n_groups];
    let own_first = [true, false]
        .into_iter()
        .flat_map(|own| cells.iter().zip(&group_of).filter(move |(cell, _)| cell.lent_by.is_none() == own));
    own_first.for_each(|(cell, group)| sizes[*group] = sizes[*group].or(cell.size));
    // Numbers are lent whole: a document of another size than its group's holds those of other people.
    for (cell, group) in cells.iter().zip(&group_of).filter(|(cell, group)| cell.size == sizes[**group]) {
        for (value, told) in values[*group].iter_mut().zip(cell.counts) {
            let most = if means.bounds { cell.size.unwrap_or(UNKNOWN_SIZE) } else { UNKNOWN_SIZE };
            value.learn(told, if means.bounds { (0, most) } else { (-most, most) }, &mut system);
        }
    }
    if means.bounds {
        for (group, values) in values.iter().enumerate() {
            inside(&mut system, values, sizes[group]);
        }
    }
    let mut add = |members: &BTreeSet<usize>, count: usize, total: Value| {
        let mut terms = Vec::new();
        let mut known = 0;
        for group in members {
            match values[*group][count] {
                Value::Known(value) => known += value,
                Value::Unknown(unknown) => terms.push((unknown, 1)),
                Value::Nothing => {}
            }
        }
        match total {
            Value::Known(value) => system.sum(&terms, value - known, value - known),
            Value::Unknown(unknown) => {
                terms.push((unknown, -1));
                system.sum(&terms, -known, -known);
            }
            Value::Nothing => {}
        }
    };
    for (total, parts) in &sums {
        let members: BTreeSet<usize> = parts.iter().map(|part| group_of[*part]).collect();
        for (count, value) in values[group_of[*total]].iter().enumerate() {
            add(&members, count, *value);
        }
    }
    let mut between = Vec::new();
    if means.views {
        let mut by_place: BTreeMap<[&str; 5], Vec<usize>> = BTreeMap::new();
        for (rank, cell) in cells.iter().enumerate() {
            let key = &cell.key;
            by_place.entry([&key.maille, &key.place, &key.filiere, &key.millesime, &key.cfd]).or_default().push(rank);
        }
        for view in views {
            let mut members = BTreeSet::new();
            let mut is_odd = false;
            for cfd in &view.cfds {
                let of = by_place.get(&[&view.maille, &view.place, &view.filiere, &view.millesime, cfd.as_str()]);
                let of = of.into_iter().flatten().filter(|cell| view.codes.contains(&cells[**cell].key.code));
                for cell in of {
                    is_odd |= cells[*cell].size != sizes[group_of[*cell]];
                    members.insert(group_of[*cell]);
                }
            }
            // Whose numbers the sum holds of what is no copy, nobody can say.
            if is_odd {
                continue;
            }
            for (count, told) in view.counts.iter().enumerate() {
                match told {
                    Told::Number(value) => add(&members, count, Value::Known(*value)),
                    Told::Between(low, high) => between.push((members.clone(), count, *low, *high)),
                    Told::Hidden | Told::Absent => {}
                }
            }
        }
    }
    for (members, count, low, high) in between {
        let mut known = 0;
        let mut terms = Vec::new();
        for group in members {
            match values[group][count] {
                Value::Known(value) => known += value,
                Value::Unknown(unknown) => terms.push((unknown, 1)),
                Value::Nothing => {}
            }
        }
        system.sum(&terms, low - known, high - known);
    }
    let rows = system.solve();
    let pooled = pools(&system, &rows, &values, &sizes);
    let findings = cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| cell.is_hidden() && cell.size.is_none_or(|size| (1..20).contains(&size)))
        .map(|(rank, cell)| match group_of[rank] {
            group if cell.size == sizes[group] => judge(rank, cell, &values[group], &system, &pooled),
            _ => Finding { cell: rank, level: Level::Safe, counts: Vec::new() },
        })
        .collect();
    Outcome { findings, contradictions: system.contradictions, given_up: system.given_up }
}

/// A count of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Nothing,
    Known(i64),
    Unknown(Unknown),
}

impl Value {
    /// What one more document of the group says.
    fn learn(&mut self, told: Told, (least, most): (i64, i64), system: &mut System) {
        *self = match (told, *self) {
            (Told::Number(value), _) => Self::Known(value),
            (Told::Absent, known) | (_, known @ Self::Known(_)) => known,
            (Told::Hidden, known @ Self::Unknown(_)) => known,
            (Told::Hidden, Self::Nothing) => Self::Unknown(system.unknown(least, most)),
            (Told::Between(low, high), Self::Nothing) => Self::Unknown(system.unknown(low, high)),
            (Told::Between(low, high), known @ Self::Unknown(unknown)) => {
                system.sum(&[(unknown, 1)], low, high);
                known
            }
        };
    }
}

/// What holds inside one group: who goes on studying and who leaves are everybody; those employed are among those who leave.
fn inside(system: &mut System, values: &[Value; 6], size: Option<i64>) {
    let (Some(size), [employed @ .., study, leave]) = (size, values) else { return };
    if let (Value::Unknown(study), Value::Unknown(leave)) = (study, leave) {
        system.relation(&[(*study, 1), (*leave, 1)], size, size);
    }
    if let Value::Unknown(leave) = leave {
        for employed in employed {
            if let Value::Unknown(employed) = employed {
                system.relation(&[(*leave, 1), (*employed, -1)], 0, size);
            }
        }
    }
}

/// Groups that lent their numbers, or were lent them, are one: the number of each cell's.
fn groups(cells: &[Cell]) -> Vec<usize> {
    let mut names: BTreeMap<[String; 5], usize> = BTreeMap::new();
    let mut above: Vec<usize> = Vec::new();
    fn root(above: &[usize], mut at: usize) -> usize {
        while above[at] != at {
            at = above[at];
        }
        at
    }
    let mut node = |cell: &Cell, code: &str, above: &mut Vec<usize>| {
        let key = &cell.key;
        let name = [&key.maille, &key.place, &key.filiere, &key.millesime].map(String::clone);
        let [maille, place, filiere, millesime] = name;
        *names.entry([maille, place, filiere, millesime, code.to_owned()]).or_insert_with(|| {
            above.push(above.len());
            above.len() - 1
        })
    };
    let mut nodes = Vec::new();
    for cell in cells {
        let own = node(cell, &cell.key.code, &mut above);
        if let Some(lender) = &cell.lent_by {
            let lender = node(cell, lender, &mut above);
            let (a, b) = (root(&above, own), root(&above, lender));
            above[a.max(b)] = a.min(b);
        }
        nodes.push(own);
    }
    let roots: Vec<usize> = nodes.into_iter().map(|node| root(&above, node)).collect();
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    roots
        .into_iter()
        .map(|root| {
            let next = numbers.len();
            *numbers.entry(root).or_insert(next)
        })
        .collect()
}

/// A cell and the cells that add up to it.
type HeldSum = (usize, Vec<usize>);

/// The sums that the data holds by itself, where sizes confirm them.
fn held_sums(cells: &mut Vec<Cell>) -> Vec<HeldSum> {
    let mut sums = Vec::new();
    let mut by_code: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    for (rank, cell) in cells.iter().enumerate() {
        by_code.entry((cell.key.code.clone(), cell.key.filiere.clone())).or_default().push(rank);
    }
    let mut classes: Vec<Cell> = Vec::new();
    for ranks in by_code.values() {
        for total in ranks {
            let whole = &cells[*total];
            if whole.key.maille != "national" && whole.key.maille != "regionale" {
                continue;
            }
            // The parts of each finer maille, by how their millesime is written.
            let mut parts: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
            for rank in ranks {
                let cell = &cells[*rank];
                let key = &cell.key;
                let finer = key.maille != "national" && key.maille != whole.key.maille;
                let inside =
                    whole.key.maille == "national" || cell.region == whole.key.place && key.maille != "regionale";
                if finer && inside && is_same_year(&key.millesime, &whole.key.millesime) {
                    parts.entry((&key.maille, &key.millesime)).or_default().push(*rank);
                }
            }
            for parts in parts.into_values() {
                let with_figures: Vec<usize> =
                    parts.iter().copied().filter(|part| cells[*part].has_figures()).collect();
                if let Some(parts) = [parts, with_figures].into_iter().find(|parts| add_up(cells, *total, parts)) {
                    sums.push((*total, parts));
                }
            }
        }
        // A period is its two years.
        let at: BTreeMap<(&str, &str, &str), usize> = ranks
            .iter()
            .map(|rank| {
                let key = &cells[*rank].key;
                ((key.maille.as_str(), key.place.as_str(), key.millesime.as_str()), *rank)
            })
            .collect();
        for ((maille, place, millesime), period) in &at {
            let Some((first, last)) = millesime.split_once('_').filter(|(first, last)| first != last) else { continue };
            let of = |year: &str| at.get(&(*maille, *place, year)).copied();
            match (of(first), of(last)) {
                (Some(a), Some(b)) if add_up(cells, *period, &[a, b]) => sums.push((*period, vec![a, b])),
                (Some(year), None) | (None, Some(year)) => {
                    let other = if of(first).is_some() { last } else { first };
                    if let (Some(both), Some(one)) = (cells[*period].size, cells[year].size)
                        && (1..20).contains(&(both - one))
                    {
                        let mut class = cells[*period].clone();
                        class.key.millesime = format!("{other} ({millesime} moins {})", cells[year].key.millesime);
                        class.size = Some(both - one);
                        class.counts = class.counts.map(|told| if told == Told::Absent { told } else { Told::Hidden });
                        sums.push((*period, vec![year, cells.len() + classes.len()]));
                        classes.push(class);
                    }
                }
                _ => {}
            }
        }
    }
    cells.append(&mut classes);
    sums
}

fn is_same_year(a: &str, b: &str) -> bool {
    a == b || matches!((Millesime::parse(a), Millesime::parse(b)), (Some(a), Some(b)) if a.year() == b.year())
}

/// Whether the sizes of the parts add up to that of the whole.
fn add_up(cells: &[Cell], total: usize, parts: &[usize]) -> bool {
    let sizes: Option<i64> = parts.iter().map(|part| cells[*part].size).sum();
    !parts.is_empty() && sizes.is_some() && sizes == cells[total].size
}

/// Unknowns whose sum is known though it is one of fewer than 20 young people.
fn pools(
    system: &System,
    rows: &[Vec<(Unknown, i64)>],
    values: &[[Value; 6]],
    sizes: &[Option<i64>],
) -> BTreeSet<Unknown> {
    let mut size_of: BTreeMap<Unknown, i64> = BTreeMap::new();
    for (values, size) in values.iter().zip(sizes) {
        for value in values {
            if let (Value::Unknown(unknown), Some(size)) = (value, size) {
                size_of.insert(*unknown, *size);
            }
        }
    }
    let mut pooled = BTreeSet::new();
    for row in rows {
        let left: Vec<&(Unknown, i64)> = row
            .iter()
            .filter(|(unknown, _)| {
                let (low, high) = system.bounds(*unknown);
                low < high
            })
            .collect();
        let Some((_, first)) = left.first() else { continue };
        let size: Option<i64> = left.iter().map(|(unknown, _)| size_of.get(unknown).copied()).sum();
        if left.len() > 1 && left.iter().all(|(_, c)| c == first) && size.is_some_and(|size| size < 20) {
            pooled.extend(left.iter().map(|(unknown, _)| *unknown));
        }
    }
    pooled
}

fn judge(rank: usize, cell: &Cell, values: &[Value; 6], system: &System, pooled: &BTreeSet<Unknown>) -> Finding {
    let mut at: BTreeMap<Level, Vec<&'static str>> = BTreeMap::new();
    let mut hidden = 0;
    for ((name, told), value) in COUNTS.iter().zip(cell.counts).zip(values) {
        if told != Told::Hidden {
            continue;
        }
        hidden += 1;
        let level = match value {
            // A copy of it is shown.
            Value::Known(_) => Level::Exact,
            Value::Nothing => Level::Safe,
            Value::Unknown(unknown) => {
                let (low, high) = system.bounds(*unknown);
                let told_by_size = cell.size.is_some_and(|size| size <= 4);
                match high - low {
                    0 => Level::Exact,
                    _ if pooled.contains(unknown) => Level::Pool,
                    1..=4 if !told_by_size => Level::Near,
                    _ => Level::Safe,
                }
            }
        };
        at.entry(level).or_default().push(name);
    }
    let (level, counts) = at.pop_last().unwrap_or((Level::Safe, Vec::new()));
    let level = if level == Level::Exact && counts.len() == hidden { Level::Whole } else { level };
    Finding { cell: rank, level, counts: if level == Level::Safe { Vec::new() } else { counts } }
}
