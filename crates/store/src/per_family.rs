//! One value for each family of a generation. A look-up cannot miss.

use crate::keys::Family;
use domain::Maille;
use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::{Index, IndexMut};

/// A value for each of [`Family::ALL`], in that order; stored as an array.
///
/// Families are only ever added at the end: an array of a version that did not know the last ones is read as one with
/// nothing in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<T>", bound(deserialize = "T: Default + Deserialize<'de>"))]
pub struct PerFamily<T>([T; Family::ALL.len()]);

impl<T> PerFamily<T> {
    /// The value that `of` gives each family.
    #[must_use]
    pub fn of(of: impl FnMut(Family) -> T) -> Self {
        Self(Family::ALL.map(of))
    }

    /// Each family with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Family, &T)> {
        Family::ALL.into_iter().zip(&self.0)
    }
}

impl<T: Copy + Sum> PerFamily<T> {
    /// All families together.
    #[must_use]
    pub fn total(&self) -> T {
        self.0.iter().copied().sum()
    }

    /// Those before a family together.
    #[must_use]
    pub fn before(&self, family: Family) -> T {
        self.iter().take_while(|(before, _)| *before != family).map(|(_, value)| *value).sum()
    }
}

impl PerFamily<usize> {
    /// Where families follow each other: whose the value of this rank is, and its rank there. `None` after the last one.
    #[must_use]
    pub fn locate(&self, rank: usize) -> Option<(Family, usize)> {
        let mut rest = rank;
        for (family, count) in self.iter() {
            match rest.checked_sub(*count) {
                None => return Some((family, rest)),
                Some(after) => rest = after,
            }
        }
        None
    }
}

impl<T> Index<Family> for PerFamily<T> {
    type Output = T;

    fn index(&self, family: Family) -> &T {
        let [national, regionale, etablissement, nomenclature, counts, declared] = &self.0;
        match family {
            Family::Documents(Maille::National) => national,
            Family::Documents(Maille::Regionale) => regionale,
            Family::Documents(Maille::Etablissement) => etablissement,
            Family::Documents(Maille::Declared) => declared,
            Family::Nomenclature => nomenclature,
            Family::Counts => counts,
        }
    }
}

impl<T> IndexMut<Family> for PerFamily<T> {
    fn index_mut(&mut self, family: Family) -> &mut T {
        let [national, regionale, etablissement, nomenclature, counts, declared] = &mut self.0;
        match family {
            Family::Documents(Maille::National) => national,
            Family::Documents(Maille::Regionale) => regionale,
            Family::Documents(Maille::Etablissement) => etablissement,
            Family::Documents(Maille::Declared) => declared,
            Family::Nomenclature => nomenclature,
            Family::Counts => counts,
        }
    }
}

impl<T: Default> TryFrom<Vec<T>> for PerFamily<T> {
    type Error = &'static str;

    fn try_from(mut values: Vec<T>) -> Result<Self, Self::Error> {
        if values.len() < Family::ALL.len() {
            values.resize_with(Family::ALL.len(), T::default);
        }
        values.try_into().map(Self).map_err(|_| "more families than this version knows")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_finds_its_own_value_in_the_order_of_all_families() {
        let mut values = PerFamily::of(|family| family);
        for family in Family::ALL {
            assert_eq!(values[family], family);
            values[family] = Family::Counts;
        }
        assert_eq!(values, PerFamily::of(|_| Family::Counts));
    }

    #[test]
    fn it_lies_as_an_array_and_reads_one_that_knew_fewer_families() {
        let read = |json: &str| serde_json::from_str::<PerFamily<u64>>(json);
        let six = read("[1,2,3,4,5,6]").unwrap();
        assert_eq!((six[Family::Documents(Maille::National)], six[Family::Documents(Maille::Declared)]), (1, 6));
        assert_eq!(serde_json::to_string(&six).unwrap(), "[1,2,3,4,5,6]");
        assert_eq!(serde_json::to_string(&read("[1,2,3,4,5]").unwrap()).unwrap(), "[1,2,3,4,5,0]");
        assert!(read("[1,2,3,4,5,6,7]").is_err());
    }

    #[test]
    fn ranks_run_through_the_families() {
        let counts: PerFamily<usize> = vec![2, 0, 1, 0, 0, 1].try_into().unwrap();
        let located: Vec<_> = (0..=counts.total()).map(|rank| counts.locate(rank)).collect();
        let documents = Family::Documents;
        assert_eq!(
            located,
            [
                Some((documents(Maille::National), 0)),
                Some((documents(Maille::National), 1)),
                Some((documents(Maille::Etablissement), 0)),
                Some((documents(Maille::Declared), 0)),
                None
            ]
        );
        assert_eq!(counts.before(Family::Nomenclature), 3);
    }
}
