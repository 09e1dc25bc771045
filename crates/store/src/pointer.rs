//! The pointer: the one value that says what is served (invariant 2).

use crate::codec;
use crate::keys::{self, Family};
use crate::kv::StoreError;
use crate::shelf::{LayoutVersion, Shelf};
use domain::{Filiere, Maille, Millesime, Universe};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the pointer's own form. Readers of every layout parse it, so that they can tell a layout that is not theirs
/// from damage.
pub const FORMAT: u32 = 1;
/// Version of the layout inside a generation.
pub const LAYOUT: u32 = 4;
/// Largest pointer, in bytes.
pub const POINTER_MAX: usize = 1024;

/// What a reader needs to know before any other read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pointer {
    /// [`FORMAT`].
    pub format: u32,
    /// [`LAYOUT`].
    #[serde(rename = "disposition")]
    pub layout: u32,
    /// The generation in use. Ids are never used twice.
    pub generation: String,
    /// How many bundles each family has, in the order of [`Family::ALL`], declared mailles aside.
    pub bundles: [usize; 5],
    /// How many bundles the declared mailles have together.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bundles_mailles: usize,
    /// The latest millesimes in force.
    pub millesimes: MillesimesInForce,
    /// The generation before: where a request starts again on a fault, and a rollback leads.
    #[serde(rename = "precedent", skip_serializing_if = "Option::is_none")]
    pub previous: Option<Box<Pointer>>,
}

/// The latest millesime in force, per maille and universe. `None` where nothing is published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MillesimesInForce {
    /// National, secondary: a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certifications: Option<String>,
    /// National, higher education: a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certifications_sup: Option<String>,
    /// Regional: a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regionales: Option<String>,
    /// Establishments, secondary: either spelling; both are looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formations: Option<String>,
    /// Establishments, higher education.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formations_sup: Option<String>,
    /// Declared mailles, by name: any spelling.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mailles: BTreeMap<String, String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl MillesimesInForce {
    /// The first text of them that is no millesime.
    #[must_use]
    pub fn unreadable(&self) -> Option<&str> {
        let alone =
            [&self.certifications, &self.certifications_sup, &self.regionales, &self.formations, &self.formations_sup];
        let texts = alone.into_iter().flatten().chain(self.mailles.values());
        texts.map(String::as_str).find(|m| Millesime::parse(m).is_none())
    }

    /// The one in force for a maille of the contract and a universe. Regional statistics know one line only, and so do
    /// declared mailles: [`Self::mailles`].
    #[must_use]
    pub fn of(&self, maille: Maille, universe: Universe) -> Option<&str> {
        match (maille, universe) {
            (Maille::National, Universe::Secondaire) => self.certifications.as_deref(),
            (Maille::National, Universe::Superieur) => self.certifications_sup.as_deref(),
            (Maille::Regionale, _) => self.regionales.as_deref(),
            (Maille::Etablissement, Universe::Secondaire) => self.formations.as_deref(),
            (Maille::Etablissement, Universe::Superieur) => self.formations_sup.as_deref(),
            (Maille::Declared, _) => None,
        }
    }

    /// Puts a millesime in force where it is later than the one there; `declared` names a declared maille.
    pub fn retain(&mut self, maille: Maille, declared: &str, filiere: Filiere, millesime: &Millesime) {
        let place = match (maille, filiere.universe()) {
            (Maille::National, Universe::Secondaire) => &mut self.certifications,
            (Maille::National, Universe::Superieur) => &mut self.certifications_sup,
            (Maille::Regionale, _) => &mut self.regionales,
            (Maille::Etablissement, Universe::Secondaire) => &mut self.formations,
            (Maille::Etablissement, Universe::Superieur) => &mut self.formations_sup,
            (Maille::Declared, _) => {
                let before = self.mailles.get(declared).and_then(|m| Millesime::parse(m));
                if before.is_none_or(|before| is_newer(&before, millesime)) {
                    self.mailles.insert(declared.to_owned(), millesime.as_str().to_owned());
                }
                return;
            }
        };
        if place.as_deref().and_then(Millesime::parse).is_none_or(|before| is_newer(&before, millesime)) {
            *place = Some(millesime.as_str().to_owned());
        }
    }
}

/// The latest by its last year; of the two spellings of one year, the period.
fn is_newer(before: &Millesime, new: &Millesime) -> bool {
    let rank = |m: &Millesime| (m.year().to_owned(), m.as_str().len(), m.as_str().to_owned());
    rank(before) < rank(new)
}

/// How the checksum stands at the end of a stored pointer.
const CHECKSUM_MEMBER: &str = ",\"s\":";
/// The last layout whose pointers were written without a checksum.
const UNSEALED_LAYOUT: u32 = 3;

/// What every version can read of a pointer.
#[derive(Deserialize)]
struct Head {
    format: u32,
    #[serde(rename = "disposition")]
    layout: u32,
    #[serde(rename = "s")]
    checksum: Option<u32>,
}

/// Whether these bytes end as version 0.1 ended a pointer: with an object in the object. A sealed one ends with a number, so
/// that one whose checksum lost its name to a flipped bit is not taken for it.
fn ends_unsealed(bytes: &[u8]) -> bool {
    bytes.ends_with(b"}}")
}

/// What the checksum of a stored pointer was taken of: everything but itself.
fn sealed_part(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.windows(CHECKSUM_MEMBER.len()).rposition(|window| window == CHECKSUM_MEMBER.as_bytes())?;
    bytes.get(..at)
}

impl Pointer {
    /// Reads a stored pointer.
    ///
    /// # Errors
    /// [`StoreError::OtherLayout`] where another version of the application wrote it, [`StoreError::Damaged`] where it
    /// cannot be read or fails its checksum.
    pub fn read(bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged(keys::POINTER.to_owned());
        let head: Head = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        let is_whole = match (head.checksum, sealed_part(bytes)) {
            (Some(checksum), Some(part)) => codec::sum(part) == checksum,
            // Version 0.1 wrote layout 3 without a checksum, and no member but its own.
            (None, None) => head.layout <= UNSEALED_LAYOUT && ends_unsealed(bytes),
            _ => false,
        };
        if !is_whole {
            return Err(damaged());
        }
        if head.format != FORMAT || LayoutVersion::of(head.layout).is_none() {
            return Err(StoreError::OtherLayout { key: keys::POINTER.to_owned(), layout: head.layout });
        }
        serde_json::from_slice(bytes).map_err(|_| damaged())
    }

    /// Where the values of its generation lie.
    ///
    /// # Errors
    /// [`StoreError::OtherLayout`].
    pub fn shelf(&self) -> Result<Shelf<'_>, StoreError> {
        let other = || StoreError::OtherLayout { key: self.generation.clone(), layout: self.layout };
        Ok(Shelf::new(&self.generation, LayoutVersion::of(self.layout).ok_or_else(other)?))
    }

    /// The stored form: the JSON of the pointer, its checksum as the last member. The generation before is kept one deep.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] where it cannot be written.
    pub fn write(&self) -> Result<Vec<u8>, StoreError> {
        let mut flat = self.clone();
        if let Some(previous) = &mut flat.previous {
            previous.previous = None;
        }
        let invalid = |reason: String| StoreError::Invalid { key: keys::POINTER.to_owned(), reason };
        let mut json = serde_json::to_vec(&flat).map_err(|fault| invalid(fault.to_string()))?;
        if json.pop() != Some(b'}') {
            return Err(invalid("not an object".to_owned()));
        }
        let checksum = codec::sum(&json);
        json.extend_from_slice(format!("{CHECKSUM_MEMBER}{checksum}}}").as_bytes());
        Ok(json)
    }

    /// How many bundles a family has.
    #[must_use]
    pub fn bundles(&self, family: Family) -> usize {
        match family {
            Family::Documents(Maille::Declared) => self.bundles_mailles,
            other => self.bundles.get(other.rank()).copied().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::declared::{MAILLES_MAX, NAME_MAX};

    fn pointer() -> Pointer {
        let some = || Some("2022_2023".to_owned());
        Pointer {
            format: FORMAT,
            layout: LAYOUT,
            generation: "g18446744073709551615".into(),
            bundles: [1_000_000; 5],
            bundles_mailles: 1_000_000,
            millesimes: MillesimesInForce {
                certifications: some(),
                certifications_sup: some(),
                regionales: some(),
                formations: some(),
                formations_sup: some(),
                mailles: (0..MAILLES_MAX).map(|n| (format!("{n:a>NAME_MAX$}"), "2022_2023".to_owned())).collect(),
            },
            previous: None,
        }
    }

    #[test]
    fn invariant_2_the_pointer_stays_under_one_kilobyte() {
        let mut newest = pointer();
        let mut middle = pointer();
        middle.previous = Some(Box::new(pointer()));
        newest.previous = Some(Box::new(middle));
        let bytes = newest.write().unwrap();
        assert!(bytes.len() <= POINTER_MAX, "{}", bytes.len());
        let read = Pointer::read(&bytes).unwrap();
        assert_eq!(read.previous.unwrap().previous, None, "one generation before, no more");
    }

    #[test]
    fn invariant_9_a_pointer_of_another_layout_is_told_from_damage() {
        let mut other = pointer();
        other.layout = 99;
        let read = Pointer::read(&other.write().unwrap());
        assert_eq!(read, Err(StoreError::OtherLayout { key: keys::POINTER.into(), layout: 99 }));
        for bytes in [b"".as_slice(), b"{}", b"null", br#"{"format":1,"disposition":4}"#] {
            assert_eq!(Pointer::read(bytes), Err(StoreError::Damaged(keys::POINTER.into())));
        }
    }

    #[test]
    fn a_pointer_of_version_0_1_is_read_without_a_checksum() {
        let old = Pointer { layout: UNSEALED_LAYOUT, ..pointer() };
        let bytes = serde_json::to_vec(&old).unwrap();
        assert_eq!(Pointer::read(&bytes), Ok(old));
        let newer = serde_json::to_vec(&pointer()).unwrap();
        assert_eq!(Pointer::read(&newer), Err(StoreError::Damaged(keys::POINTER.into())), "layout 4 has a checksum");
    }

    #[test]
    fn invariant_9_no_flipped_bit_of_a_pointer_passes() {
        let mut newest = pointer();
        newest.previous = Some(Box::new(pointer()));
        let bytes = newest.write().unwrap();
        assert_eq!(Pointer::read(&bytes).as_ref(), Ok(&newest));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let read = Pointer::read(&flipped);
                assert!(read.is_err(), "bit {bit} of byte {at}: {}", String::from_utf8_lossy(&flipped));
            }
        }
        for length in 0..bytes.len() {
            assert!(Pointer::read(&bytes[..length]).is_err(), "cut at {length}");
        }
    }
}
