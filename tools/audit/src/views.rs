//! Which views the attacker asks for.

use crate::answers::{Cell, ViewAnswer};
use std::collections::{BTreeMap, BTreeSet};

/// Where and of when a view is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ViewPlace {
    /// `national`, `regionale`, or the name of a declared maille.
    pub maille: String,
    /// The region or the declared place.
    pub place: String,
    /// The millesime.
    pub millesime: String,
}

impl ViewPlace {
    /// That of a statistic.
    #[must_use]
    pub fn of(cell: &Cell) -> Self {
        let key = &cell.key;
        Self { maille: key.maille.clone(), place: key.place.clone(), millesime: key.millesime.clone() }
    }
}

/// CFDs that lent numbers tie together, by where and when.
#[must_use]
pub fn ties(cells: &[Cell]) -> BTreeMap<ViewPlace, BTreeSet<[String; 2]>> {
    let cfd_of: BTreeMap<(ViewPlace, &str, &str), &str> = cells
        .iter()
        .map(|c| ((ViewPlace::of(c), c.key.filiere.as_str(), c.key.code.as_str()), c.key.cfd.as_str()))
        .collect();
    let mut ties: BTreeMap<ViewPlace, BTreeSet<[String; 2]>> = BTreeMap::new();
    for cell in cells {
        let Some(lender) = &cell.lent_by else { continue };
        let at = ViewPlace::of(cell);
        let cfd = cfd_of.get(&(at.clone(), cell.key.filiere.as_str(), lender.as_str()));
        if let Some(cfd) = cfd.filter(|cfd| **cfd != cell.key.cfd) {
            ties.entry(at).or_default().insert([cell.key.cfd.clone(), (*cfd).to_owned()]);
        }
    }
    ties
}

/// The views of one place and millesime: each CFD's by itself is known, the others follow from them.
#[derive(Clone, Copy, Debug)]
pub struct AskedViews<'a> {
    /// The CFDs there.
    pub cfds: &'a [&'a str],
    /// The view of each.
    pub ones: &'a [Vec<ViewAnswer>],
    /// Those that lent numbers tie together.
    pub tied: Option<&'a BTreeSet<[String; 2]>>,
}

impl<'a> AskedViews<'a> {
    /// Each beside one that is open, so that a difference is left; neighbours, as a chain; those that are tied.
    #[must_use]
    pub fn pairs(&self) -> BTreeSet<[&'a str; 2]> {
        let tells = |view: &Vec<ViewAnswer>| view.iter().any(ViewAnswer::tells);
        let largest = |view: &Vec<ViewAnswer>| view.iter().filter_map(|answer| answer.size).sum::<i64>();
        let open = self.cfds.iter().zip(self.ones).filter(|(_, view)| tells(view));
        let beside = open.max_by_key(|(_, view)| largest(view)).map(|(cfd, _)| *cfd);
        let mut pairs: BTreeSet<[&str; 2]> =
            self.cfds.windows(2).filter_map(|pair| Some([*pair.first()?, *pair.last()?])).collect();
        let others = |b: &'a str| self.cfds.iter().filter(move |c| **c != b).map(move |c| [*c, b]);
        pairs.extend(beside.into_iter().flat_map(others));
        pairs.extend(self.tied.into_iter().flatten().map(|[a, b]| [a.as_str(), b.as_str()]));
        pairs
    }
}
