//! Where a document is looked up.

use crate::parameters::Target;
use domain::{Maille, Universe};
use store::pointer::Pointer;

/// The place of a lookup.
#[derive(Clone, Copy, Debug)]
pub struct LookupPlace<'a> {
    pub maille: Maille,
    /// Region, UAI, declared maille with its place, or nothing.
    pub place: &'a str,
}

impl<'a> LookupPlace<'a> {
    pub fn of(target: &'a Target) -> Self {
        match (&target.uai, &target.place, target.region) {
            (Some(uai), ..) => Self { maille: Maille::Etablissement, place: uai.as_str() },
            (None, Some(place), _) => Self { maille: Maille::Declared, place },
            (None, None, Some(region)) => Self { maille: Maille::Regionale, place: region },
            (None, None, None) => Self { maille: Maille::National, place: "" },
        }
    }

    /// The latest millesime of the maille: the default of its documents.
    pub fn in_force<'p>(&self, pointer: &'p Pointer, universe: Universe) -> Option<&'p str> {
        match self.maille {
            Maille::Declared => pointer.millesimes.mailles.get(self.declared()).map(String::as_str),
            maille => pointer.millesimes.of(maille, universe),
        }
    }

    /// The name of a declared maille.
    fn declared(&self) -> &'a str {
        self.place.split('/').next().unwrap_or_default()
    }

    /// Whether data is published on this maille: those of the contract are always known.
    pub fn is_known(&self, pointer: &Pointer) -> bool {
        self.maille != Maille::Declared || pointer.millesimes.mailles.contains_key(self.declared())
    }
}
