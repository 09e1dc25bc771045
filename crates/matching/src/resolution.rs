//! What a source yields: codes at a level, in a form.

use crate::day::Day;
use crate::field::Code;
use crate::nomenclatures::CodeSource;
use crate::row::Voie;

/// What a request decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The day of the campaign, by which inferred codes are dated.
    pub campaign: Day,
    /// The voie of a row that does not tell one.
    pub voie_when_absent: Voie,
}

impl Options {
    /// The options of a campaign. A row without voie counts as school.
    #[must_use]
    pub fn of_campaign(campaign: Day) -> Self {
        Self { campaign, voie_when_absent: Voie::School }
    }
}

/// How a code relates to what the row names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The code itself.
    Itself,
    /// The code of an older entry of Certif Info.
    Older,
    /// The code of a newer entry of Certif Info.
    Newer,
}

impl Level {
    /// In the order in which they are asked.
    pub const ALL: [Self; 3] = [Self::Itself, Self::Older, Self::Newer];

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Itself => "self",
            Self::Older => "ancien",
            Self::Newer => "nouveau",
        }
    }
}

/// Whether a code is of the voie of the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Of the voie of the row.
    Normal,
    /// Of the other voie of the same diploma.
    Inverse,
}

impl Form {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Inverse => "inverse",
        }
    }
}

/// Which codes a resolution is about. One identifier may lead to both, independently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodeFamily {
    /// CFD and MEFSTAT11.
    Secondary,
    /// SISE.
    Higher,
}

/// Whether a source yields exactly one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Validity {
    /// Exactly one.
    Valid,
    /// Several: refused, never settled by picking one.
    Several,
    /// None.
    Unknown,
}

impl Validity {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valide",
            Self::Several => "plusieurs_codes",
            Self::Unknown => "code_inconnu",
        }
    }
}

/// What one source yields at one level in one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The source.
    pub source: CodeSource,
    /// CFD and MEFSTAT11, or SISE.
    pub family: CodeFamily,
    /// Own voie or the other.
    pub form: Form,
    /// Itself, older, newer.
    pub level: Level,
    /// The codes, sorted, at most twenty.
    pub codes: Vec<Code>,
    /// Refused whatever the codes: the declared MEF and CFD disagree, or the list is too long.
    pub refused: bool,
}

impl Resolution {
    /// Rule: exactly one code is valid; several or none is refused.
    /// Source: contract, "Candidates"; cases 017 to 019, 068, 069, 101.
    #[must_use]
    pub fn validity(&self) -> Validity {
        match self.codes.as_slice() {
            _ if self.refused => Validity::Several,
            [] => Validity::Unknown,
            [_] => Validity::Valid,
            _ => Validity::Several,
        }
    }

    /// The code, where there is exactly one.
    #[must_use]
    pub fn code(&self) -> Option<&Code> {
        if self.validity() == Validity::Valid { self.codes.first() } else { None }
    }

    /// Whether it says anything: a refused source does.
    pub(crate) fn speaks(&self) -> bool {
        self.validity() != Validity::Unknown
    }
}
