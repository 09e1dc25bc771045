//! Keys that readers and writers share; those of a job, of staging and of accounts lie beside what writes them. Invariant 8 holds
//! for every one.

use domain::Maille;

/// The pointer that readers follow.
pub const POINTER: &str = "current";

/// The lease of whoever publishes.
pub const LEASE: &str = "work:lease";

/// What generations exist, and how far each was written.
pub const REGISTRY: &str = "work:generations";

/// The reports of the last imports, without any indicator value.
pub const REPORTS: &str = "public:reports";

/// What the status page says of usage: sums that name nobody.
pub const USAGE: &str = "public:usage";

/// What each generation covered. It is outside generations too, and is never deleted.
pub const HISTORY: &str = "public:couverture";

/// How what is served changed, move by move: see [`crate::changes`].
pub const CHANGES: &str = "public:changements";

/// When publications are expected.
pub const CALENDAR: &str = "public:calendrier";

/// The name of the list of a declared maille, told apart from those of the contract.
#[must_use]
pub fn declared_list(name: &str) -> String {
    format!("maille.{name}")
}

/// The place of a document of a declared maille, among those of all declared mailles.
#[must_use]
pub fn declared_place(maille: &str, place: &str) -> String {
    format!("{maille}/{place}")
}

/// The family that holds the declarations in force, in one value.
pub const DECLARATIONS: &str = "declarations";

/// Families of bundles in a generation, looked up by a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Documents of a maille; all declared mailles lie in one family.
    Documents(Maille),
    /// Certifications, SISE codes and establishments that exist.
    Nomenclature,
    /// The counts that the filieres view sums, hidden ones included: read by
    /// [`crate::counts::read`] only.
    Counts,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 6] = [
        Self::Documents(Maille::National),
        Self::Documents(Maille::Regionale),
        Self::Documents(Maille::Etablissement),
        Self::Nomenclature,
        Self::Counts,
        Self::Documents(Maille::Declared),
    ];

    /// Its part of the key.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Documents(maille) => maille.list(),
            Self::Nomenclature => "nomenclature",
            Self::Counts => "comptes",
        }
    }

    /// Its rank in [`Self::ALL`].
    #[must_use]
    pub fn rank(self) -> usize {
        match self {
            Self::Documents(Maille::National) => 0,
            Self::Documents(Maille::Regionale) => 1,
            Self::Documents(Maille::Etablissement) => 2,
            Self::Nomenclature => 3,
            Self::Counts => 4,
            Self::Documents(Maille::Declared) => 5,
        }
    }
}

/// The key of value `n` of a family of a generation.
#[must_use]
pub fn value(generation: &str, family: &str, n: usize) -> String {
    // Every request makes one: formatting would cost it some hundred instructions more.
    [generation, ":", family, ":", itoa::Buffer::new().format(n)].concat()
}

/// The text that a bundle is found by: what the document is about.
#[must_use]
pub fn pair(place: &str, code: &str) -> String {
    [place, "|", code].concat()
}

/// The hash that spreads keys over bundles: FNV-1a, 64 bits, then mixed so that its low bits are
/// as good as its high ones.
#[must_use]
pub fn hash(key: &str) -> u64 {
    let fnv = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// Which of `n` bundles holds a key. Ranges of hashes map to consecutive bundles, so that a
/// partition of the hashes is a range of bundles.
#[must_use]
pub fn bundle(hash: u64, n: usize) -> usize {
    usize::try_from((u128::from(hash) * n as u128) >> 64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_spread_evenly_over_bundles() {
        let n = 64;
        let mut counts = vec![0usize; n];
        for code in 0..64_000 {
            counts[bundle(hash(&pair("0750652B", &format!("{code:08}"))), n)] += 1;
        }
        assert!(counts.iter().all(|c| (800..1200).contains(c)), "{counts:?}");
    }

    #[test]
    fn every_family_has_its_rank() {
        for (rank, family) in Family::ALL.into_iter().enumerate() {
            assert_eq!(family.rank(), rank);
        }
    }
}
