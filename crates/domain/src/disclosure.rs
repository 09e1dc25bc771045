//! Sums that open no hidden group.
//!
//! Rule (contract, "Disclosure", rule 1): a sum is built from parts that are publishable alone.
//!
//! The threshold hides a group of fewer than 20 young people wherever it is shown by itself. Added to a group that is
//! shown, it comes out again: the sum less what is known. So the statistics of a CFD (one filiere, one millesime, one
//! place) are added up to something publishable only where
//!
//! - together they count 20 young people or more, and
//! - those of them that the threshold hides count none, or 20 or more: what is left after everything that is known has
//!   been taken away is then no smaller group than those that are published. For each count those are meant that have it:
//!   where one of two hidden groups has no figures at all, the sum of both is the other's.
//!
//! A view over several CFDs is the sum of such parts. Where one of them is not publishable, the view shows no count and
//! no rate, of no filiere: only sizes, which are always shown.
//!
//! Numbers lent along the lineage are those of one group under several codes ([`DonneeSource`]): they are added once. A hidden
//! group is a part of one CFD only, that of the code whose own it is. A view that holds a copy of it and not that code is not
//! publishable: three sums of two shared groups each would give all three away, and none of the three views sees the others.
//!
//! [`RawCounts`] have no getter: [`sum`] alone reads them, and what it returns ([`Sum`]) is what may be shown.

use crate::Document;
use crate::indicator::{HEADCOUNTS, NB_ANNEE_TERM};
use crate::threshold::{PUBLICATION_THRESHOLD, is_below_threshold};
use crate::unique;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The message that goes with a view whose figures would open a hidden group.
pub const MESSAGE_SUM: &str = "Les chiffres de ces certifications ne peuvent pas être additionnés : l'une d'elles compte moins de 20 jeunes, et ses chiffres se déduiraient de la somme. Demandez-les une à une, ou dans toute la France.";

/// The counts of one statistic as pushed, hidden ones among them. Nothing shows them: not even a debug print.
#[derive(Clone, PartialEq)]
pub struct RawCounts {
    /// In the order of [`HEADCOUNTS`]; `None`: missing or null.
    counts: [Option<f64>; 7],
    /// Whether the threshold hides them.
    hidden: bool,
    /// Whether they are hidden for the sake of a smaller group's: no sum may hold them.
    withheld: bool,
}

impl fmt::Debug for RawCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawCounts(…)")
    }
}

impl RawCounts {
    /// Those of a document as pushed.
    #[must_use]
    pub fn of(document: &Document) -> Self {
        let hidden = is_below_threshold(document.get(NB_ANNEE_TERM));
        Self { counts: HEADCOUNTS.map(|name| document.get(name).and_then(Value::as_f64)), hidden, withheld: false }
    }

    /// The same, hidden: the document does not show them either.
    #[must_use]
    pub fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    /// The same, withheld: what protects a smaller group by being unknown is in no sum either.
    #[must_use]
    pub fn withheld(self) -> Self {
        Self { hidden: true, withheld: true, ..self }
    }

    /// Whether it is withheld.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        self.withheld
    }

    /// For the store: each count as one number, 0 where it is missing, then whether they are hidden.
    #[must_use]
    pub fn stored(&self) -> ([u64; 7], bool) {
        // Bits plus one, so that "missing" has a form of its own.
        let stored = |count: Option<f64>| count.map_or(0, |count| count.to_bits().swap_bytes().wrapping_add(1));
        (self.counts.map(stored), self.hidden)
    }

    /// From the stored form. Without a word on what is hidden, a missing size is taken for one that hides.
    #[must_use]
    pub fn from_stored(stored: [u64; 7], hidden: Option<bool>) -> Self {
        let read = |stored: u64| match stored {
            0 => None,
            stored => Some(f64::from_bits(stored.wrapping_sub(1).swap_bytes())),
        };
        let counts = stored.map(read);
        let [size, ..] = counts;
        let hidden = hidden.unwrap_or_else(|| size.is_none_or(|size| size < PUBLICATION_THRESHOLD));
        Self { counts, hidden, withheld: false }
    }

    fn size(&self) -> Option<f64> {
        let [size, ..] = self.counts;
        size
    }

    /// Whether it counts anyone, by its size or by any other count.
    fn counts_anyone(&self) -> bool {
        self.counts.iter().flatten().any(|count| *count != 0.0)
    }

    /// The numbers, where there are enough of them for a copy to be known by them.
    fn fingerprint(&self) -> Option<[u64; 7]> {
        (self.counts.iter().flatten().count() >= 3).then(|| self.stored().0)
    }
}

/// Whose numbers a statistic holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DonneeSource<'a> {
    /// Its own.
    Own,
    /// Those of another code, or of one that has them from another (`donnee_source`).
    Lent(&'a str),
}

/// A statistic that is to be added up.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its CFD.
    pub cfd: &'a str,
    /// Its code.
    pub code: &'a str,
    /// Whose numbers it holds.
    pub source: DonneeSource<'a>,
    /// The numbers.
    pub counts: &'a RawCounts,
}

impl<'a> Member<'a> {
    /// The codes that its numbers are known under.
    fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let source = match self.source {
            DonneeSource::Own => None,
            DonneeSource::Lent(source) => Some(source),
        };
        std::iter::once(self.code).chain(source)
    }
}

/// What a sum may show: its size, and its counts where they open no group.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    size: Option<f64>,
    /// `None`: closed.
    counts: Option<[Option<f64>; 7]>,
}

impl Sum {
    /// Whether its counts may be shown. The threshold still applies to them.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.counts.is_some()
    }

    /// A count. The size is always there where a member has one; any other one only where the sum is open.
    #[must_use]
    pub fn count(&self, name: &str) -> Option<f64> {
        if name == NB_ANNEE_TERM {
            return self.size;
        }
        let rank = HEADCOUNTS.iter().position(|count| *count == name)?;
        self.counts.as_ref()?.get(rank).copied().flatten()
    }
}

/// Adds up the statistics of a view, filiere by filiere; all of one millesime and one place.
#[must_use]
pub fn sum(filieres: &[Vec<Member<'_>>]) -> Vec<Sum> {
    let cfds = unique(filieres.iter().flatten().map(|member| member.cfd));
    let groups: Vec<Vec<Group<'_>>> = filieres.iter().map(|members| Group::of(members, &cfds)).collect();
    let closed: Vec<bool> = groups.iter().map(|groups| !is_publishable(groups, cfds.len())).collect();
    let whole_view = cfds.len() > 1 && closed.contains(&true);
    let add = |(groups, closed): (&Vec<Group<'_>>, &bool)| {
        let total = |rank: usize| {
            groups.iter().filter_map(|group| group.counts.counts.get(rank).copied().flatten()).reduce(|a, b| a + b)
        };
        let open = !(whole_view || *closed);
        Sum { size: total(0), counts: open.then(|| std::array::from_fn(total)) }
    };
    groups.iter().zip(&closed).map(add).collect()
}

/// Young people who are counted once, whatever the codes that they lie under. CFDs go by their rank in the view.
struct Group<'a> {
    counts: &'a RawCounts,
    cfds: Vec<usize>,
    /// The CFD of the code whose own the numbers are, where it is part of the view.
    owner: Option<usize>,
}

impl<'a> Group<'a> {
    /// Members that hold the numbers of one group, together; `cfds` are those of the view, in order.
    fn of(members: &[Member<'a>], cfds: &[&str]) -> Vec<Self> {
        let rank_of = |member: &Member<'_>| cfds.partition_point(|cfd| *cfd < member.cfd);
        // Most views hold nothing that was lent: every statistic is a group by itself.
        if members.iter().all(|member| member.source == DonneeSource::Own) {
            let alone = |member: &Member<'a>| {
                let cfd = rank_of(member);
                Self { counts: member.counts, cfds: vec![cfd], owner: Some(cfd) }
            };
            return members.iter().map(alone).collect();
        }
        let mut links = Links::new(members.len());
        links.join_named(members);
        links.join_copies(members);
        // A member's root comes before it, so that its group is there.
        let mut groups: Vec<Self> = Vec::new();
        let mut group_of: Vec<usize> = Vec::with_capacity(members.len());
        for (rank, member) in members.iter().enumerate() {
            let cfd = rank_of(member);
            let number = group_of.get(links.root(rank)).copied().unwrap_or(groups.len());
            group_of.push(number);
            if number == groups.len() {
                groups.push(Self { counts: member.counts, cfds: Vec::new(), owner: None });
            }
            let Some(group) = groups.get_mut(number) else { continue };
            if !group.cfds.contains(&cfd) {
                group.cfds.push(cfd);
            }
            if member.source == DonneeSource::Own && group.owner.is_none() {
                (group.owner, group.counts) = (Some(cfd), member.counts);
            }
        }
        groups
    }
}

/// The young people of some groups, and those of them that the threshold hides.
#[derive(Default)]
struct Part {
    size: f64,
    /// Hidden young people of whom there is each count.
    hidden: [f64; 7],
    hides: bool,
    /// It holds a withheld group, or counts of a hidden one without a size: how many they are about is not known. Counts of a
    /// group that is said to be of nobody are about nobody (recorded cases).
    closed: bool,
}

impl Part {
    fn add(&mut self, counts: &RawCounts) {
        let size = counts.size().unwrap_or_default();
        self.size += size;
        if counts.hidden {
            self.hides = true;
            for (hidden, _) in self.hidden.iter_mut().zip(counts.counts).filter(|(_, count)| count.is_some()) {
                *hidden += size;
            }
            self.closed |= counts.withheld || counts.size().is_none() && counts.counts_anyone();
        }
    }

    /// What is hidden in it counts nobody, or is no smaller a group than those that are published.
    fn hides_enough(&self) -> bool {
        let enough = |people: &f64| *people == 0.0 || *people >= PUBLICATION_THRESHOLD;
        !self.closed && self.hidden.iter().all(enough)
    }
}

/// Whether the statistics of one filiere may be added up: those of each CFD by themselves, and of each what is its own.
fn is_publishable(groups: &[Group<'_>], cfds: usize) -> bool {
    let parts = || std::iter::repeat_with(Part::default).take(cfds).collect::<Vec<Part>>();
    let (mut of_cfd, mut own) = (parts(), parts());
    let add = |parts: &mut Vec<Part>, cfd: usize, group: &Group<'_>| {
        if let Some(part) = parts.get_mut(cfd) {
            part.add(group.counts);
        }
    };
    for group in groups {
        group.cfds.iter().for_each(|cfd| add(&mut of_cfd, *cfd, group));
        match group.owner {
            Some(cfd) => add(&mut own, cfd, group),
            None if group.counts.hidden && group.counts.counts_anyone() => return false,
            None => {}
        }
    }
    let is_large = |part: &Part| !part.hides || part.size >= PUBLICATION_THRESHOLD;
    of_cfd.iter().all(is_large) && own.iter().all(Part::hides_enough)
}

/// Disjoint sets of members.
struct Links(Vec<usize>);

impl Links {
    fn new(members: usize) -> Self {
        Self((0..members).collect())
    }

    fn root(&self, mut rank: usize) -> usize {
        while let Some(above) = self.0.get(rank).copied().filter(|above| *above != rank) {
            rank = above;
        }
        rank
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The first member stands for all, so that sums do not depend on how they were linked.
        let (first, other) = (a.min(b), a.max(b));
        if let Some(above) = self.0.get_mut(other) {
            *above = first;
        }
    }

    /// A code has one statistic in a view; who names it as a source, or names the same source, has its numbers.
    fn join_named(&mut self, members: &[Member<'_>]) {
        let names = unique(members.iter().flat_map(Member::names));
        let mut first_named: Vec<Option<usize>> = vec![None; names.len()];
        for (rank, member) in members.iter().enumerate() {
            for name in member.names() {
                if let Some(first) = first_named.get_mut(names.partition_point(|known| *known < name)) {
                    self.join(rank, *first.get_or_insert(rank));
                }
            }
        }
    }

    /// A lent statistic names the code just before it. Where that one is not part of the view, its lender is known by its
    /// numbers: they were copied whole.
    fn join_copies(&mut self, members: &[Member<'_>]) {
        // Of the sets, by their roots: whether one of them is its own.
        let mut has_own = vec![false; members.len()];
        for (rank, _) in members.iter().enumerate().filter(|(_, member)| member.source == DonneeSource::Own) {
            if let Some(own) = has_own.get_mut(self.root(rank)) {
                *own = true;
            }
        }
        let mut lenders: BTreeMap<[u64; 7], usize> = BTreeMap::new();
        let mut orphans = Vec::new();
        for (rank, member) in members.iter().enumerate() {
            let Some(numbers) = member.counts.fingerprint() else { continue };
            if member.source == DonneeSource::Own {
                lenders.entry(numbers).or_insert(rank);
            } else if has_own.get(self.root(rank)) == Some(&false) {
                orphans.push((rank, numbers));
            }
        }
        for (rank, numbers) in orphans {
            self.join(rank, *lenders.entry(numbers).or_insert(rank));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn counts(size: Option<u32>, work: u32) -> RawCounts {
        let mut document = json!({"nb_en_emploi_6_mois": work, "nb_poursuite_etudes": work / 2});
        if let Some(size) = size {
            document["nb_annee_term"] = size.into();
        }
        RawCounts::of(document.as_object().unwrap())
    }

    /// CFD, code, lender, size.
    type Row = (&'static str, &'static str, Option<&'static str>, Option<u32>);

    /// Size of each filiere, and whether it is open.
    fn view(filieres: &[&[Row]]) -> Vec<(Option<f64>, bool)> {
        // Numbers of a lent statistic are its lender's: of the same size here.
        let stored: Vec<Vec<RawCounts>> =
            filieres.iter().map(|rows| rows.iter().map(|row| counts(row.3, row.3.unwrap_or(9))).collect()).collect();
        let members: Vec<Vec<Member<'_>>> = filieres
            .iter()
            .zip(&stored)
            .map(|(rows, stored)| {
                let member = |((cfd, code, lender, _), counts): (&Row, _)| Member {
                    cfd,
                    code,
                    source: lender.map_or(DonneeSource::Own, DonneeSource::Lent),
                    counts,
                };
                rows.iter().zip(stored).map(member).collect()
            })
            .collect();
        sum(&members).iter().map(|sum| (sum.count(NB_ANNEE_TERM), sum.is_open())).collect()
    }

    #[test]
    fn a_cfd_is_publishable_where_what_it_hides_is_nobody_or_enough() {
        let one = |sizes: &[Option<u32>]| {
            let rows: Vec<Row> = ["1", "2", "3"].into_iter().zip(sizes).map(|(c, s)| ("A", c, None, *s)).collect();
            view(&[&rows])[0].1
        };
        for (sizes, open) in [
            (&[Some(100)][..], true),
            (&[Some(19)], false),
            (&[Some(100), Some(5)], false),
            (&[Some(100), Some(0)], true),
            (&[Some(100), Some(12), Some(8)], true),
            (&[Some(12), Some(8)], true),
            (&[Some(12), Some(7)], false),
            (&[None], true),
            (&[Some(100), None], true),
            (&[Some(0)], false),
        ] {
            assert_eq!(one(sizes), open, "{sizes:?}");
        }
    }

    #[test]
    fn one_part_that_is_not_publishable_closes_every_filiere_of_a_view_over_several() {
        let pro: [Row; 2] = [("A", "1", None, Some(19)), ("B", "2", None, Some(33))];
        let apprentissage: [Row; 2] = [("A", "A", None, Some(100)), ("B", "B", None, Some(100))];
        assert_eq!(view(&[&pro, &apprentissage]), [(Some(52.0), false), (Some(200.0), false)]);
        assert_eq!(view(&[&pro[..1], &apprentissage[..1]]), [(Some(19.0), false), (Some(100.0), true)], "of one CFD");
        assert_eq!(view(&[&pro[1..], &apprentissage]), [(Some(33.0), true), (Some(200.0), true)]);
    }

    #[test]
    fn lent_numbers_are_added_once() {
        for rows in [
            &[("A", "1", None, Some(100)), ("B", "2", Some("1"), Some(100))][..],
            &[("B", "2", Some("1"), Some(100)), ("A", "1", None, Some(100))],
            &[("B", "2", Some("1"), Some(100)), ("C", "3", Some("2"), Some(100)), ("A", "1", None, Some(100))],
            // The code between is not there, nor is the lender.
            &[("A", "1", None, Some(100)), ("C", "3", Some("2"), Some(100))],
            &[("B", "2", Some("1"), Some(100)), ("C", "3", Some("1"), Some(100))],
            &[("C", "3", Some("2"), Some(100)), ("D", "4", Some("9"), Some(100))],
        ] {
            assert_eq!(view(&[rows]), [(Some(100.0), true)], "{rows:?}");
        }
        let alike: [Row; 3] =
            [("A", "1", None, Some(100)), ("B", "2", None, Some(100)), ("C", "3", Some("2"), Some(100))];
        assert_eq!(view(&[&alike]), [(Some(200.0), true)], "two that look the same are two");
    }

    /// 12 and 13 make 25 by themselves, but view(A) + view(B) - view(A, B) would be the 12.
    #[test]
    fn a_hidden_group_is_a_part_of_the_cfd_whose_own_it_is() {
        let rows: [Row; 4] = [
            ("A", "1", None, Some(12)),
            ("A", "2", None, Some(13)),
            ("B", "3", Some("1"), Some(12)),
            ("B", "4", None, Some(14)),
        ];
        assert!(view(&[&rows[..2]])[0].1);
        assert!(!view(&[&rows[2..]])[0].1, "of the 12 it holds a copy");
        assert!(!view(&[&rows])[0].1, "what is its own are 14");
        // What is left to one of them is one too: view(A, B) - view(B) would be the 13.
        let rest: [Row; 4] = [
            ("A", "1", None, Some(12)),
            ("A", "2", None, Some(9)),
            ("A", "5", None, Some(13)),
            ("B", "3", Some("1"), Some(12)),
        ];
        let both = [&rest[..], &[("B", "4", Some("2"), Some(9))]].concat();
        assert!(view(&[&both[..3]])[0].1 && !view(&[&both[3..]])[0].1);
        assert!(!view(&[&both[..4]])[0].1, "what is left to B is nobody, what it holds are 12");
        let large: [Row; 3] = [("A", "1", None, Some(12)), ("A", "2", None, Some(13)), ("B", "3", Some("9"), Some(50))];
        assert!(view(&[&large])[0].1, "a copy that is shown by itself opens nothing");
    }

    /// 12 and 12 in each of three CFDs: three sums of three unknowns.
    #[test]
    fn three_cfds_that_hold_copies_of_each_other_show_no_sum() {
        for [(cfd, own), (_, lender)] in [[("A", "1"), ("B", "2")], [("B", "2"), ("C", "3")], [("C", "3"), ("A", "1")]]
        {
            let rows: [Row; 2] = [(cfd, own, None, Some(12)), (cfd, "9", Some(lender), Some(12))];
            assert!(!view(&[&rows])[0].1, "{cfd}");
        }
    }

    /// A source that counts groups of five and more only: 19 and 3 are 22, but all that is counted are the 19.
    #[test]
    fn a_hidden_group_without_figures_protects_no_other() {
        let bare = RawCounts::of(json!({"nb_annee_term": 3}).as_object().unwrap());
        let hidden = counts(Some(19), 7);
        let member = |code, counts| Member { cfd: "A", code, source: DonneeSource::Own, counts };
        assert!(!sum(&[vec![member("1", &hidden), member("2", &bare)]])[0].is_open());
        let other = counts(Some(12), 7);
        assert!(sum(&[vec![member("1", &hidden), member("2", &bare), member("3", &other)]])[0].is_open());
    }

    #[test]
    fn a_withheld_group_closes_its_sum() {
        let (withheld, large) = (counts(Some(45), 7).withheld(), counts(Some(100), 30));
        let member = |code, counts| Member { cfd: "A", code, source: DonneeSource::Own, counts };
        assert!(!sum(&[vec![member("1", &withheld), member("2", &large)]])[0].is_open());
    }

    #[test]
    fn counts_of_a_group_of_unknown_size_close_a_sum_and_those_of_nobody_do_not() {
        // Recorded: a group that is said to be of nobody is added up with its counts.
        for (size, open) in [(json!(null), false), (json!(0), true)] {
            let document = json!({"nb_annee_term": size, "nb_sortant": 7});
            let odd = RawCounts::of(document.as_object().unwrap());
            let large = counts(Some(100), 30);
            let member = |code, counts| Member { cfd: "A", code, source: DonneeSource::Own, counts };
            assert_eq!(sum(&[vec![member("1", &large), member("2", &odd)]])[0].is_open(), open, "{size}");
        }
    }

    #[test]
    fn nothing_prints_raw_counts() {
        assert_eq!(format!("{:?}", counts(Some(7), 3)), "RawCounts(…)");
        let closed = view(&[&[("A", "1", None, Some(100)), ("A", "2", None, Some(7))]]);
        assert_eq!(closed, [(Some(107.0), false)]);
    }

    #[test]
    fn stored_counts_come_back() {
        for counts in
            [counts(Some(7), 3), counts(None, 4), RawCounts::of(json!({"nb_annee_term": null}).as_object().unwrap())]
        {
            let (stored, hidden) = counts.stored();
            assert_eq!(RawCounts::from_stored(stored, Some(hidden)), counts);
        }
        assert!(RawCounts::from_stored([0; 7], None).hidden, "a size that nobody knows hides");
    }

    proptest! {
        /// The attacker: knows every open view of some CFDs and every group that is shown by itself, subtracts as they
        /// like, and finds no group under the threshold.
        #[test]
        fn no_difference_of_open_views_is_a_small_group(
            groups in prop::collection::vec((0_usize..4, prop::option::of(0_u32..40)), 1..9),
        ) {
            let cfds = ["A", "B", "C", "D"];
            let codes: Vec<String> = (0..groups.len()).map(|code| code.to_string()).collect();
            let raw: Vec<RawCounts> = groups.iter().map(|(_, size)| counts(*size, 1)).collect();
            // Hidden young people of each CFD: what is left of a view after everything known is taken away.
            let hidden = |cfd: usize| -> Vec<u32> {
                groups.iter().filter(|(of, _)| *of == cfd).filter_map(|(_, size)| size.filter(|s| *s < 20)).collect()
            };
            for views in 1_usize..16 {
                let mut members = Vec::new();
                for (((cfd, _), code), counts) in groups.iter().zip(&codes).zip(&raw) {
                    if views >> cfd & 1 == 1 {
                        members.push(Member { cfd: cfds[*cfd], code, source: DonneeSource::Own, counts });
                    }
                }
                if sum(&[members])[0].is_open() {
                    // CFDs share nothing here, so differences of views are sums of CFDs.
                    for cfd in (0..4).filter(|cfd| views >> cfd & 1 == 1) {
                        let left: u32 = hidden(cfd).iter().sum();
                        prop_assert!(left == 0 || left >= 20, "{groups:?} {views}");
                    }
                }
            }
        }
    }
}
