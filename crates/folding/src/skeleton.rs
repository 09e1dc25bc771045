//! Rows without their figures.

/// Digits of a figure, at most.
const DIGITS_MAX: usize = 9;
/// What stands where a figure is not known, or hidden.
pub(crate) const NULL: &[u8] = b"null";

/// What stands in a skeleton for numbers. Bytes of a row that look like it become slots themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberSlot {
    Figure,
    /// What depends on the day: the number tells when the course closes.
    Day,
    Byte,
    /// FigureFolding with the same texts between them in most rows, as the head tells.
    FigureGroup(u8),
}

/// How many groups a segment knows.
pub(crate) const GROUPS: usize = 5;
/// Units below are slots.
pub(crate) const SLOT_UNITS: u8 = 8;

impl NumberSlot {
    #[inline]
    pub(crate) fn of(unit: u8) -> Option<Self> {
        match unit {
            0 => Some(Self::Figure),
            1 => Some(Self::Day),
            2 => Some(Self::Byte),
            3..SLOT_UNITS => Some(Self::FigureGroup(unit - 3)),
            _ => None,
        }
    }

    pub(crate) fn unit(self) -> u8 {
        match self {
            Self::Figure => 0,
            Self::Day => 1,
            Self::Byte => 2,
            Self::FigureGroup(n) => n.saturating_add(3),
        }
    }
}

/// A row to be folded: its text, with a place in it where something depends on the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextRow<'a> {
    /// The text, up to that place.
    pub start: &'a [u8],
    /// When the course closes, if ever; `None` where the row has no such place.
    pub day: Option<Option<i64>>,
    /// What follows it.
    pub rest: &'a [u8],
}

impl<'a> TextRow<'a> {
    /// A row that is the same on every day.
    #[must_use]
    pub fn text(text: &'a [u8]) -> Self {
        Self { start: text, day: None, rest: &[] }
    }
}

/// Whether figures are taken out of rows. Where they make up most of a row, as in a CSV, they are told as they stand: filling
/// in sixteen costs more than copying them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureFolding {
    /// Numbers of their own.
    TakenOut,
    /// Text like any other.
    Stay,
}

/// A row without its figures.
#[derive(Debug, Default)]
pub(crate) struct Skeleton {
    /// Bytes of text and slots.
    pub(crate) units: Vec<u8>,
    /// Where the slots lie.
    pub(crate) slots: Vec<usize>,
    /// Their numbers.
    pub(crate) numbers: Vec<u64>,
    /// Where a field begins: after each comma and semicolon.
    pub(crate) fields: Vec<usize>,
}

/// What a byte may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Comma,
    Semicolon,
    Colon,
    LikeASlot,
}

#[expect(clippy::indexing_slicing, reason = "a table made when compiling: a byte outside it would not compile")]
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Plain; 256];
    let mut unit = 0;
    while unit < SLOT_UNITS {
        classes[unit as usize] = Class::LikeASlot;
        unit += 1;
    }
    classes[b',' as usize] = Class::Comma;
    classes[b';' as usize] = Class::Semicolon;
    classes[b':' as usize] = Class::Colon;
    classes
};

/// How many bytes come before one that is not plain. Most are: eight are looked at together.
#[inline]
fn plain(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // The high bit of each byte that is 0; above the first of them, of others too.
    let zero = |eight: u64| eight.wrapping_sub(ONES) & !eight & (ONES << 7);
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let eight = u64::from_le_bytes(*eight);
        // A colon and a semicolon differ in the last bit, slots from all others in the first five.
        let found = zero((eight | ONES) ^ (ONES * u64::from(b';')))
            | zero(eight ^ (ONES * u64::from(b',')))
            | zero(eight & (ONES * u64::from(!(SLOT_UNITS - 1))));
        if found != 0 {
            return Some(at + usize::try_from(found.trailing_zeros() / 8).unwrap_or_default());
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|byte| class(*byte) != Class::Plain).map(|plain| at + plain)
}

#[inline]
fn class(byte: u8) -> Class {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(Class::Plain)
}

impl Skeleton {
    pub(crate) fn of(row: &TextRow<'_>, figures: FigureFolding) -> Self {
        let mut skeleton = Self {
            units: Vec::with_capacity(row.start.len() + row.rest.len() + 1),
            slots: Vec::with_capacity(32),
            numbers: Vec::with_capacity(32),
            fields: Vec::with_capacity(64),
        };
        skeleton.text(row.start, figures);
        if let Some(closing) = row.day {
            // Zigzag, so that dates before 1970 stay short; none is 0.
            let number = closing.map_or(0, |i| ((i << 1) ^ (i >> 63)).cast_unsigned().saturating_add(1));
            skeleton.slot(NumberSlot::Day, number);
        }
        skeleton.text(row.rest, figures);
        skeleton
    }

    fn slot(&mut self, slot: NumberSlot, number: u64) {
        self.slots.push(self.units.len());
        self.units.push(slot.unit());
        self.numbers.push(number);
    }

    fn text(&mut self, text: &[u8], figures: FigureFolding) {
        let (mut run, mut at) = (0, 0);
        loop {
            let rest = text.get(at..).unwrap_or_default();
            let Some(plain) = plain(rest) else { break };
            at += plain;
            let byte = text.get(at).copied().unwrap_or_default();
            at += 1;
            match class(byte) {
                Class::Plain => {}
                Class::LikeASlot => {
                    self.units.extend_from_slice(text.get(run..at - 1).unwrap_or_default());
                    self.slot(NumberSlot::Byte, u64::from(byte));
                    run = at;
                    continue;
                }
                Class::Comma => {
                    self.fields.push(self.units.len() + at - run);
                    continue;
                }
                Class::Semicolon => self.fields.push(self.units.len() + at - run),
                Class::Colon => {}
            }
            if figures == FigureFolding::TakenOut
                && let Some((length, number)) = figure(text.get(at..).unwrap_or_default())
            {
                self.units.extend_from_slice(text.get(run..at).unwrap_or_default());
                self.slot(NumberSlot::Figure, number);
                at += length;
                run = at;
            }
        }
        self.units.extend_from_slice(text.get(run..).unwrap_or_default());
    }
}

/// FigureFolding that follow each other, by the texts between them.
pub(crate) type FigureGroup = Vec<Vec<u8>>;

/// A text between two figures of a group, at most; and how many make one.
const GAP_MAX: usize = 60;
const GROUP_MIN: usize = 4;

impl Skeleton {
    /// The text between a slot and the next one, where both are figures.
    fn gap(&self, slot: usize) -> Option<&[u8]> {
        let (at, next) = (*self.slots.get(slot)?, *self.slots.get(slot + 1)?);
        let are_figures = self.units.get(at) == Some(&0) && self.units.get(next) == Some(&0);
        self.units.get(at + 1..next).filter(|gap| are_figures && gap.len() <= GAP_MAX)
    }

    /// Its groups of figures.
    pub(crate) fn groups(&self) -> Vec<FigureGroup> {
        let (mut groups, mut slot) = (Vec::new(), 0);
        while slot < self.slots.len() {
            let mut group = FigureGroup::new();
            while let Some(gap) = self.gap(slot) {
                group.push(gap.to_vec());
                slot += 1;
            }
            if group.len() + 1 >= GROUP_MIN {
                groups.push(group);
            }
            slot += 1;
        }
        groups
    }

    /// The same with one slot in place of each group that is known.
    pub(crate) fn grouped(self, known: &[FigureGroup]) -> Self {
        let mut grouped = Self { units: Vec::with_capacity(self.units.len()), ..Self::default() };
        let (mut from, mut slot, mut fields) = (0, 0, self.fields.iter().peekable());
        while let Some(at) = self.slots.get(slot) {
            let is_here =
                |group: &FigureGroup| group.iter().enumerate().all(|(n, gap)| self.gap(slot + n) == Some(gap));
            let found = known.iter().zip(3..).find(|(group, _)| is_here(group));
            let (unit, more) = match found {
                Some((group, unit)) => (unit, group.len()),
                None => (self.units.get(*at).copied().unwrap_or_default(), 0),
            };
            while let Some(field) = fields.next_if(|field| *field <= at) {
                grouped.fields.push(grouped.units.len() + field - from);
            }
            grouped.units.extend_from_slice(self.units.get(from..*at).unwrap_or_default());
            grouped.slots.push(grouped.units.len());
            grouped.units.push(unit);
            slot += more;
            from = self.slots.get(slot).map_or(self.units.len(), |last| last + 1);
            while fields.next_if(|field| **field < from).is_some() {}
            slot += 1;
        }
        for field in fields {
            grouped.fields.push(grouped.units.len() + field - from);
        }
        grouped.units.extend_from_slice(self.units.get(from..).unwrap_or_default());
        grouped.numbers = self.numbers;
        grouped
    }
}

/// The figure that a text begins with: its length, and the number that tells it, 0 for `null`. What is written back is what
/// was there: no zero stands before it, and it ends where a value ends.
fn figure(text: &[u8]) -> Option<(usize, u64)> {
    let ends = |length: usize| matches!(text.get(length), Some(b',' | b'}' | b']' | b';' | b'\n'));
    if text.first() == Some(&b'n') {
        return (text.starts_with(NULL) && ends(NULL.len())).then_some((NULL.len(), 0));
    }
    let (mut digits, mut figure) = (0, 0u64);
    for byte in text.iter().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()) {
        figure = figure * 10 + u64::from(byte - b'0');
        digits += 1;
    }
    let is_plain = digits == 1 || (digits > 1 && text.first() != Some(&b'0'));
    (is_plain && ends(digits)).then_some((digits, figure + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_taken_out_and_codes_stay() {
        let row =
            br#"{"code":"32221031","a":0,"b":12,"n":null,"c":[7],"d":123456789012,"e":1.5,"f":-3,"g":"T10:00:30"};0;012;99;"#;
        let skeleton = Skeleton::of(&TextRow::text(row), FigureFolding::TakenOut);
        assert_eq!(skeleton.numbers, [1, 13, 0, 1, 100]);
        assert_eq!(skeleton.slots.len(), 5);
    }

    #[test]
    fn the_place_of_the_day_is_a_slot() {
        let row = |closing| TextRow { start: b"{\"a\":", day: Some(closing), rest: b"}" };
        assert_eq!(Skeleton::of(&row(None), FigureFolding::Stay).numbers, [0]);
        assert_eq!(Skeleton::of(&row(Some(-1)), FigureFolding::Stay).numbers, [2]);
        assert_eq!(Skeleton::of(&row(Some(1)), FigureFolding::Stay).units, b"{\"a\":\x01}");
    }
}
