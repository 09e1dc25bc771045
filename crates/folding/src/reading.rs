//! Writing rows out again.

use crate::binary::Decoder;
use crate::skeleton::{GROUPS, NULL, NumberSlot};
use crate::step;

/// What a row may grow to: a bound on what damaged bytes may ask for.
const ROW_MAX: usize = 4 * 1024 * 1024;

/// Where a slot was filled: in the template, where it takes no room, or in the rows written so far.
#[derive(Clone, Copy, Debug)]
struct Filled {
    start: usize,
    end: usize,
    slot: NumberSlot,
}

/// A row that others are told against, and its slots among those filled.
#[derive(Clone, Copy, Debug)]
struct RowPlace {
    start: usize,
    end: usize,
    slots: usize,
    slots_end: usize,
}

/// What the blocks of a segment share: the row that each begins from, groups of figures, and texts that several tell.
#[derive(Clone, Debug)]
pub struct SegmentHead<'a> {
    /// The row's text without what fills its slots.
    template: &'a [u8],
    slots: Vec<Filled>,
    /// What stands before each figure of a group: nothing before the first.
    groups: Vec<Vec<&'a [u8]>>,
    texts: Vec<&'a [u8]>,
}

impl<'a> SegmentHead<'a> {
    /// Reads the stored form; `None` where the bytes do not hold one.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder(bytes);
        let bounded = |count: &usize| *count <= bytes.len();
        let count = decoder.size().filter(bounded)?;
        let (mut slots, mut at) = (Vec::with_capacity(count), 0usize);
        for _ in 0..count {
            at = at.checked_add(decoder.size()?)?;
            slots.push(Filled { start: at, end: at, slot: NumberSlot::of(u8::try_from(decoder.size()?).ok()?)? });
        }
        let template = decoder.bytes()?;
        let count = decoder.size().filter(|count| *count <= GROUPS)?;
        let mut groups = Vec::with_capacity(count);
        for _ in 0..count {
            let count = decoder.size().filter(bounded)?;
            let mut group: Vec<&[u8]> = Vec::with_capacity(count + 1);
            group.push(&[]);
            for _ in 0..count {
                group.push(decoder.bytes()?);
            }
            groups.push(group);
        }
        let count = decoder.size().filter(bounded)?;
        let mut texts = Vec::with_capacity(count);
        for _ in 0..count {
            texts.push(decoder.bytes()?);
        }
        Some(Self { template, slots, groups, texts })
    }
}

/// Which rows of a block are written, and how.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Rows at the block's start that are not wanted.
    pub skip: usize,
    /// Rows that are, or as many as there are.
    pub count: usize,
    /// Whether nothing stands before the first of them.
    pub first: bool,
    /// What stands between two rows.
    pub between: &'a [u8],
    /// What a closing date says on the day of the request.
    pub day: &'a dyn Fn(Option<i64>) -> &'static [u8],
}

/// Unfolds blocks of a segment, one after the other.
pub struct Unfolding<'a> {
    head: SegmentHead<'a>,
    /// The rows of the block.
    places: Vec<RowPlace>,
    filled: Vec<Filled>,
    /// The slots of the present row.
    new: Vec<Filled>,
    /// ToldTexts that may be told again.
    texts: Vec<(usize, usize)>,
}

impl<'a> Unfolding<'a> {
    /// Of the segment with this head.
    #[must_use]
    pub fn new(head: SegmentHead<'a>) -> Self {
        let (places, filled) = (Vec::with_capacity(16), Vec::with_capacity(64));
        Self { head, places, filled, new: Vec::with_capacity(16), texts: Vec::with_capacity(32) }
    }

    /// Appends rows of a block; how many, or `None` where the bytes do not hold them.
    // Callers are built for size, and what they swallow with them.
    #[inline(never)]
    #[must_use]
    pub fn append(&mut self, out: &mut Vec<u8>, block: &[u8], wanted: Wanted<'_>) -> Option<usize> {
        self.places.clear();
        self.filled.clear();
        self.texts.clear();
        let before = out.len();
        let mut steps = Decoder(block);
        let mut values = Values { numbers: steps.bytes()?, day: 0, says: wanted.day };
        let (mut rank, mut written, mut skipped) = (0, 0, before);
        while written < wanted.count && !steps.0.is_empty() {
            if rank >= wanted.skip {
                if !(wanted.first && written == 0) {
                    out.extend_from_slice(wanted.between);
                }
                written += 1;
            }
            steps = self.row(out, steps, &mut values)?;
            rank += 1;
            if rank <= wanted.skip {
                skipped = out.len();
            }
        }
        if skipped > before {
            out.copy_within(skipped.., before);
            out.truncate(out.len() - (skipped - before));
        }
        Some(written)
    }

    /// Writes a row. What is left of the steps.
    fn row<'b>(&mut self, out: &mut Vec<u8>, mut steps: Decoder<'b>, values: &mut Values<'_>) -> Option<Decoder<'b>> {
        let head = &self.head;
        let start = out.len();
        let back = steps.size()?;
        // Where the reading stands in the row that this one is told against. Its text lies in the head or in `out`.
        let (text, mut at, end, slots) = if back == 0 {
            (Some(head.template), 0, head.template.len(), head.slots.as_slice())
        } else {
            let place = *self.places.get(self.places.len().checked_sub(back)?)?;
            (None, place.start, place.end, self.filled.get(place.slots..place.slots_end)?)
        };
        let mut slots = slots.iter();
        let mut next = slots.next();
        self.new.clear();
        let mut count = steps.size()?;
        loop {
            let mut alike = steps.size()?;
            loop {
                let plain = next.map_or(end, |slot| slot.start).checked_sub(at)?.min(alike);
                if plain > 0 {
                    match text {
                        Some(text) => out.extend_from_slice(text.get(at..at + plain)?),
                        None => copy(out, at, plain)?,
                    }
                    at += plain;
                    alike -= plain;
                }
                if alike == 0 {
                    break;
                }
                let slot = next?;
                let start = out.len();
                values.fill(out, slot.slot, &head.groups)?;
                self.new.push(Filled { start, end: out.len(), slot: slot.slot });
                at = slot.end;
                next = slots.next();
                alike -= 1;
            }
            if count == 0 {
                break;
            }
            count -= 1;
            let (told, rest) = steps.0.split_first()?;
            steps.0 = rest;
            let mut passed = usize::from(told >> 4);
            if passed == step::PASSED_MAX {
                passed = passed.checked_add(steps.size()?)?;
            }
            while passed > 0 {
                let plain = next.map_or(end, |slot| slot.start).checked_sub(at)?.min(passed);
                at += plain;
                passed -= plain;
                if passed > 0 {
                    at = next?.end;
                    next = slots.next();
                    passed -= 1;
                }
            }
            let instead = usize::from(told & 15);
            let length = match instead {
                0..=step::TEXT_MAX => instead,
                step::LONGER => steps.size()?,
                step::AGAIN => {
                    let rank = steps.size()?;
                    match head.texts.get(rank) {
                        Some(text) => out.extend_from_slice(text),
                        None => {
                            let (from, until) = *self.texts.get(rank - head.texts.len())?;
                            copy(out, from, until - from)?;
                        }
                    }
                    continue;
                }
                _ => {
                    let (unit, rest) = steps.0.split_first()?;
                    steps.0 = rest;
                    let (slot, start) = (NumberSlot::of(*unit)?, out.len());
                    values.fill(out, slot, &head.groups)?;
                    self.new.push(Filled { start, end: out.len(), slot });
                    continue;
                }
            };
            let (text, rest) = steps.0.split_at_checked(length)?;
            steps.0 = rest;
            if length >= step::NUMBERED_MIN {
                self.texts.push((out.len(), out.len() + length));
            }
            out.extend_from_slice(text);
            if out.len() - start > ROW_MAX {
                return None;
            }
        }
        let first = self.filled.len();
        self.filled.extend_from_slice(&self.new);
        self.places.push(RowPlace { start, end: out.len(), slots: first, slots_end: self.filled.len() });
        Some(steps)
    }
}

/// Appends what was written before.
#[inline]
fn copy(out: &mut Vec<u8>, from: usize, length: usize) -> Option<()> {
    if from.checked_add(length)? > out.len() {
        return None;
    }
    out.extend_from_within(from..from + length);
    Some(())
}

/// What fills slots.
struct Values<'a> {
    numbers: &'a [u8],
    day: u64,
    says: &'a dyn Fn(Option<i64>) -> &'static [u8],
}

impl Values<'_> {
    fn fill(&mut self, out: &mut Vec<u8>, slot: NumberSlot, groups: &[Vec<&[u8]>]) -> Option<()> {
        match slot {
            NumberSlot::Figure => self.figure(out),
            NumberSlot::FigureGroup(n) => {
                for gap in groups.get(usize::from(n))? {
                    out.extend_from_slice(gap);
                    self.figure(out)?;
                }
                Some(())
            }
            NumberSlot::Byte => {
                out.push(u8::try_from(self.number()?).ok()?);
                Some(())
            }
            NumberSlot::Day => {
                // 0: as in the row before.
                if let Some(day) = self.number()?.checked_sub(1) {
                    self.day = day;
                }
                let closing = self.day.checked_sub(1).map(|z| (z >> 1).cast_signed() ^ -(z & 1).cast_signed());
                out.extend_from_slice((self.says)(closing));
                Some(())
            }
        }
    }

    /// Most are rates and small counts: one byte.
    #[inline]
    fn figure(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let (number, rest) = self.numbers.split_first()?;
        match number {
            1..=10 => out.push(b'0' - 1 + number),
            11..=100 => out.extend_from_slice(&[b'0' + (number - 1) / 10, b'0' + (number - 1) % 10]),
            0 => out.extend_from_slice(NULL),
            _ => {
                write_figure(out, self.number()?.checked_sub(1)?);
                return Some(());
            }
        }
        self.numbers = rest;
        Some(())
    }

    fn number(&mut self) -> Option<u64> {
        let mut numbers = Decoder(self.numbers);
        let number = numbers.number()?;
        self.numbers = numbers.0;
        Some(number)
    }
}

fn write_figure(out: &mut Vec<u8>, mut figure: u64) {
    let (mut digits, mut length) = ([0; 20], 0);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(figure % 10).unwrap_or_default();
        figure /= 10;
        length += 1;
        if figure == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - length..).unwrap_or_default());
}
