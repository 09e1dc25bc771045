//! Linear equations over unknown whole numbers, and the bounds that follow.
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// An unknown.
pub type Unknown = usize;

/// `low <= sum of coefficient * unknown <= high`.
#[derive(Clone, Debug)]
struct LinearRow {
    terms: Vec<(Unknown, i64)>,
    low: i64,
    high: i64,
    /// Whether elimination may use it.
    eliminates: bool,
}

/// Unknowns with their bounds, and what is known of their sums.
#[derive(Clone, Debug, Default)]
pub struct System {
    bounds: Vec<(i64, i64)>,
    rows: Vec<LinearRow>,
    /// Rows that contradict what is known otherwise: they say something else than they seem to, and are left out.
    pub contradictions: usize,
    /// Rows that elimination gave up: their numbers grew too large.
    pub given_up: usize,
}

/// Coefficients of an eliminated row, at most: times the largest group they are still numbers.
const COEFFICIENT_MAX: i64 = 1_000_000;
/// Terms of an eliminated row, at most: a longer one bounds nothing.
const TERMS_MAX: usize = 400;

impl System {
    /// A new unknown.
    pub fn unknown(&mut self, low: i64, high: i64) -> Unknown {
        self.bounds.push((low, high));
        self.bounds.len() - 1
    }

    /// What is known of it.
    #[must_use]
    pub fn bounds(&self, unknown: Unknown) -> (i64, i64) {
        self.bounds.get(unknown).copied().unwrap_or((i64::MIN, i64::MAX))
    }

    /// A sum is known, or lies between bounds.
    pub fn sum(&mut self, terms: &[(Unknown, i64)], low: i64, high: i64) {
        self.put(terms, low, high, true);
    }

    /// The same of unknowns that are no counts of the same thing: it narrows bounds, and is no sum of people.
    pub fn relation(&mut self, terms: &[(Unknown, i64)], low: i64, high: i64) {
        self.put(terms, low, high, false);
    }

    fn put(&mut self, terms: &[(Unknown, i64)], low: i64, high: i64, eliminates: bool) {
        let mut of: BTreeMap<Unknown, i64> = BTreeMap::new();
        for (unknown, coefficient) in terms {
            *of.entry(*unknown).or_default() += *coefficient;
        }
        let terms = of.into_iter().filter(|(_, coefficient)| *coefficient != 0).collect();
        self.rows.push(LinearRow { terms, low, high, eliminates });
    }

    /// Narrows all bounds as far as the rows, and what elimination makes of them, allow. What it answers are the sums that
    /// are known exactly.
    pub fn solve(&mut self) -> Vec<Vec<(Unknown, i64)>> {
        self.propagate(0);
        let first = self.rows.len();
        let eliminated = self.eliminate();
        self.rows.extend(eliminated);
        self.propagate(first);
        let exact = self.rows.iter().filter(|row| row.eliminates && row.low == row.high);
        exact.map(|row| row.terms.clone()).collect()
    }

    /// Bounds from rows, until nothing moves. Rows from `first` on are looked at first, then all that they touch.
    fn propagate(&mut self, first: usize) {
        let mut of: Vec<Vec<usize>> = vec![Vec::new(); self.bounds.len()];
        for (rank, row) in self.rows.iter().enumerate() {
            for (unknown, _) in &row.terms {
                if let Some(ranks) = of.get_mut(*unknown) {
                    ranks.push(rank);
                }
            }
        }
        let mut waiting: VecDeque<usize> = (first..self.rows.len()).collect();
        let mut queued: BTreeSet<usize> = waiting.iter().copied().collect();
        while let Some(rank) = waiting.pop_front() {
            queued.remove(&rank);
            for unknown in self.narrow(rank) {
                for other in of.get(unknown).into_iter().flatten() {
                    if queued.insert(*other) {
                        waiting.push_back(*other);
                    }
                }
            }
        }
    }

    /// The unknowns whose bounds a row narrows.
    fn narrow(&mut self, rank: usize) -> Vec<Unknown> {
        let Some(LinearRow { terms, low, high, .. }) = self.rows.get(rank) else { return Vec::new() };
        let ends = |unknown: Unknown, coefficient: i64| {
            let (low, high) = self.bounds(unknown);
            let (a, b) = (coefficient.saturating_mul(low), coefficient.saturating_mul(high));
            (a.min(b), a.max(b))
        };
        let (mut least, mut most) = (0_i64, 0_i64);
        for (unknown, coefficient) in terms {
            let (a, b) = ends(*unknown, *coefficient);
            (least, most) = (least.saturating_add(a), most.saturating_add(b));
        }
        if least > *high || most < *low {
            self.contradictions += 1;
            if let Some(row) = self.rows.get_mut(rank) {
                *row = LinearRow { terms: Vec::new(), low: 0, high: 0, eliminates: false };
            }
            return Vec::new();
        }
        let mut narrowed = Vec::new();
        for (unknown, coefficient) in terms {
            let (a, b) = ends(*unknown, *coefficient);
            // What the others leave for this term.
            let from = low.saturating_sub(most.saturating_sub(b));
            let to = high.saturating_sub(least.saturating_sub(a));
            let (from, to) = if *coefficient > 0 { (from, to) } else { (-to, -from) };
            let divisor = coefficient.abs();
            let (from, to) = (-(-from).div_euclid(divisor), to.div_euclid(divisor));
            let known = self.bounds(*unknown);
            let now = (known.0.max(from), known.1.min(to));
            if now != known && now.0 <= now.1 {
                narrowed.push((*unknown, now));
            }
        }
        // The sums above were taken before: written only now, every one of them is right.
        for (unknown, now) in &narrowed {
            if let Some(bounds) = self.bounds.get_mut(*unknown) {
                *bounds = *now;
            }
        }
        narrowed.into_iter().map(|(unknown, _)| unknown).collect()
    }

    /// The reduced form of all exact rows, known unknowns taken out.
    fn eliminate(&mut self) -> Vec<LinearRow> {
        let mut exact: Vec<(BTreeMap<Unknown, i64>, i64)> = Vec::new();
        for row in self.rows.iter().filter(|row| row.eliminates && row.low == row.high && !row.terms.is_empty()) {
            let (mut terms, mut total) = (BTreeMap::new(), row.low);
            for (unknown, coefficient) in &row.terms {
                let (low, high) = self.bounds(*unknown);
                if low == high {
                    total -= coefficient * low;
                } else {
                    terms.insert(*unknown, *coefficient);
                }
            }
            if !terms.is_empty() {
                exact.push((terms, total));
            }
        }
        // Short rows first: what they say is taken out of the long ones.
        exact.sort_by_key(|(terms, _)| terms.len());
        exact.dedup();
        let mut reduced = Reduced::default();
        for (terms, total) in exact {
            if !reduced.add(terms, total) {
                self.given_up += 1;
            }
        }
        let rows = reduced.rows.into_values().filter(|(terms, _)| terms.len() <= TERMS_MAX);
        rows.map(|(terms, total)| LinearRow {
            terms: terms.into_iter().collect(),
            low: total,
            high: total,
            eliminates: true,
        })
        .collect()
    }
}

/// Rows by their pivot; no pivot stands in another row.
#[derive(Default)]
struct Reduced {
    rows: BTreeMap<Unknown, (BTreeMap<Unknown, i64>, i64)>,
    /// The pivots of the rows that an unknown stands in.
    holders: BTreeMap<Unknown, BTreeSet<Unknown>>,
}

type Equation = (BTreeMap<Unknown, i64>, i64);

impl Reduced {
    /// `false` where numbers grew too large.
    fn add(&mut self, terms: BTreeMap<Unknown, i64>, total: i64) -> bool {
        let mut row = (terms, total);
        let pivots: Vec<Unknown> = row.0.keys().filter(|unknown| self.rows.contains_key(unknown)).copied().collect();
        for pivot in pivots {
            let Some(by) = self.rows.get(&pivot) else { continue };
            match without(&row, by, pivot) {
                Some(left) => row = left,
                None => return false,
            }
        }
        // The unknown that the fewest rows hold: the others stay short.
        let weight = |unknown: &Unknown| self.holders.get(unknown).map_or(0, BTreeSet::len);
        let Some(pivot) = row.0.keys().copied().min_by_key(weight) else { return true };
        for holder in self.holders.get(&pivot).cloned().unwrap_or_default() {
            let Some(old) = self.rows.get(&holder) else { continue };
            let Some(left) = without(old, &row, pivot) else { return false };
            self.put(holder, left);
        }
        self.put(pivot, row);
        true
    }

    fn put(&mut self, pivot: Unknown, row: Equation) {
        if let Some((old, _)) = self.rows.get(&pivot) {
            for unknown in old.keys() {
                if let Some(holders) = self.holders.get_mut(unknown) {
                    holders.remove(&pivot);
                }
            }
        }
        for unknown in row.0.keys() {
            self.holders.entry(*unknown).or_default().insert(pivot);
        }
        self.rows.insert(pivot, row);
    }
}

/// A row less as much of another as takes an unknown out of it.
fn without(row: &Equation, by: &Equation, unknown: Unknown) -> Option<Equation> {
    let (a, b) = (*row.0.get(&unknown)?, *by.0.get(&unknown)?);
    let mut terms = BTreeMap::new();
    for name in row.0.keys().chain(by.0.keys()) {
        let of = |row: &Equation| row.0.get(name).copied().unwrap_or_default();
        let left = of(row).checked_mul(b)?.checked_sub(of(by).checked_mul(a)?)?;
        if left != 0 {
            terms.insert(*name, left);
        }
    }
    let mut total = row.1.checked_mul(b)?.checked_sub(by.1.checked_mul(a)?)?;
    let divisor = terms.values().fold(0, |divisor, value| common_divisor(divisor, *value));
    // A total that the divisor does not divide belongs to no whole numbers: it stays as it is, and contradicts.
    if terms.values().any(|value| value.abs() > COEFFICIENT_MAX) {
        return None;
    }
    if divisor > 1 && total % divisor == 0 {
        terms.values_mut().for_each(|value| *value /= divisor);
        total /= divisor;
    }
    Some((terms, total))
}

fn common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three sums of two each: none is known from one of them, all from the three.
    #[test]
    fn a_chain_of_sums_that_share_unknowns_is_solved() {
        let mut system = System::default();
        let x: Vec<Unknown> = (0..3).map(|_| system.unknown(0, 19)).collect();
        for (a, b, total) in [(0, 1, 12), (1, 2, 17), (2, 0, 15)] {
            system.sum(&[(x[a], 1), (x[b], 1)], total, total);
        }
        system.solve();
        assert_eq!([0, 1, 2].map(|n| system.bounds(x[n])), [(5, 5), (7, 7), (10, 10)]);
    }

    #[test]
    fn bounds_follow_from_what_the_others_may_be_at_most() {
        let mut system = System::default();
        let x: Vec<Unknown> = [3, 2, 19].into_iter().map(|size| system.unknown(0, size)).collect();
        system.sum(&[(x[0], 1), (x[1], 1), (x[2], 1)], 20, 20);
        system.solve();
        assert_eq!([0, 1, 2].map(|n| system.bounds(x[n])), [(0, 3), (0, 2), (15, 19)]);
    }

    #[test]
    fn what_contradicts_is_left_out_and_counted() {
        let mut system = System::default();
        let x = system.unknown(0, 5);
        system.sum(&[(x, 1)], 9, 9);
        system.sum(&[(x, 2)], 6, 6);
        system.solve();
        assert_eq!((system.bounds(x), system.contradictions), ((3, 3), 1));
    }
}
