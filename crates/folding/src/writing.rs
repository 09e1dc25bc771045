//! Telling a row as steps along an earlier one.

use crate::binary::Encoder;
use crate::skeleton::{FigureFolding, FigureGroup, GROUPS, NumberSlot, Skeleton, TextRow};
use crate::step;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Fields of a row, and of the one it is told against, that are looked at where the two part.
const FIELDS: usize = 12;
const BASE_FIELDS: usize = 24;
/// Units that a step is worth.
const ALIKE_MIN: usize = 6;
/// The same in a CSV, where a step costs as much as some of the text that it saves.
const CELLS_MIN: usize = 12;
/// ToldTexts of a segment that lie in its head, at most.
const COMMON_TEXTS: usize = 64;
/// Bytes of a text that is worth a place there, at least.
const COMMON_MIN: usize = 8;
const COMMON_MAX: usize = 2048;

/// So many units alike, so many passed by, then these units of the row.
#[derive(Clone, Copy, Debug)]
struct UnitStep {
    alike: usize,
    passed: usize,
    from: usize,
    until: usize,
}

impl UnitStep {
    fn is_end(&self) -> bool {
        self.from == self.until && self.passed == 0
    }
}

/// How a row is told.
#[derive(Debug)]
struct Telling {
    /// Rows back to the one it is told against; 0: the template.
    back: usize,
    steps: Vec<UnitStep>,
}

/// Rows that are folded together, in blocks.
#[derive(Debug)]
pub struct Folding {
    rows: Vec<Skeleton>,
    figures: FigureFolding,
    groups: Vec<FigureGroup>,
    tellings: Vec<Telling>,
    block: usize,
    /// The row that every block begins from.
    template: usize,
    /// ToldTexts that several blocks tell.
    common: Vec<Vec<u8>>,
}

impl Folding {
    /// Of these rows, so many a block.
    #[inline(never)]
    #[must_use]
    pub fn new(rows: &[TextRow<'_>], block: usize, figures: FigureFolding) -> Self {
        let rows: Vec<Skeleton> = rows.iter().map(|row| Skeleton::of(row, figures)).collect();
        let groups = groups(&rows);
        let rows: Vec<Skeleton> = rows.into_iter().map(|row| row.grouped(&groups)).collect();
        let alike = |row: &Skeleton| rows.iter().filter(|other| is_alike(row, other)).count();
        // A few rows tell which shape is common.
        let step = (rows.len() / 8).max(1);
        let template = (0..rows.len()).step_by(step).max_by_key(|n| rows.get(*n).map_or(0, alike)).unwrap_or_default();
        let block = block.max(1);
        let mut folding = Self {
            tellings: Vec::with_capacity(rows.len()),
            rows,
            figures,
            groups,
            block,
            template,
            common: Vec::new(),
        };
        for rank in 0..folding.rows.len() {
            let telling = folding.tell(rank);
            folding.tellings.push(telling);
        }
        folding.common = folding.common_texts();
        folding
    }

    fn tell(&self, rank: usize) -> Telling {
        let (first, nothing) = (rank - rank % self.block, Skeleton::default());
        let row = self.rows.get(rank).unwrap_or(&nothing);
        let template = self.rows.get(self.template).unwrap_or(&nothing);
        let before = self.rows.get(first..rank).unwrap_or_default();
        let (back, base) = match before.iter().rev().position(|other| is_alike(row, other)) {
            Some(back) => (back + 1, before.iter().rev().nth(back)),
            None if is_alike(row, template) => (0, None),
            None => (before.len().min(1), before.last()),
        };
        Telling { back, steps: steps(row, base.unwrap_or(template), self.figures) }
    }

    /// ToldTexts that are told in more than one block: they lie in the head, to be told by their number.
    fn common_texts(&self) -> Vec<Vec<u8>> {
        let mut texts = ToldTexts::default();
        // For each: the last block that tells it, and how many do.
        let mut told: Vec<(usize, usize)> = Vec::new();
        for (rank, (row, telling)) in self.rows.iter().zip(&self.tellings).enumerate() {
            let block = rank / self.block;
            for step in &telling.steps {
                let text = row.units.get(step.from..step.until).unwrap_or_default();
                if !(COMMON_MIN..=COMMON_MAX).contains(&text.len()) || has_slots(row, step) {
                    continue;
                }
                match texts.number(text).and_then(|n| told.get_mut(n)) {
                    Some((last, blocks)) if *last != block => (*last, *blocks) = (block, *blocks + 1),
                    Some(_) => {}
                    None => told.push((block, 1)),
                }
            }
        }
        // What most is saved by comes first; picked one by one, since a sort is a lot of code for so few.
        let mut common = Vec::new();
        while common.len() < COMMON_TEXTS {
            let saved = |(text, (_, blocks)): &(&&[u8], &mut (usize, usize))| text.len() * blocks.saturating_sub(1);
            let best = texts.texts.iter().zip(&mut told).max_by_key(saved);
            let Some((text, (_, blocks))) = best.filter(|(_, (_, blocks))| *blocks > 1) else { break };
            common.push(text.to_vec());
            *blocks = 0;
        }
        common
    }

    /// What all blocks share, in its stored form.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let nothing = Skeleton::default();
        let template = self.rows.get(self.template).unwrap_or(&nothing);
        let mut head = Encoder::default();
        head.size(template.slots.len());
        let mut last = 0;
        for at in &template.slots {
            let unit = template.units.get(*at).copied().unwrap_or_default();
            head.size(at - last).size(usize::from(unit));
            last = at + 1;
        }
        let plain = template.units.iter().filter(|unit| NumberSlot::of(**unit).is_none());
        head.bytes(&plain.copied().collect::<Vec<u8>>());
        head.size(self.groups.len());
        for group in &self.groups {
            head.size(group.len());
            for gap in group {
                head.bytes(gap);
            }
        }
        head.size(self.common.len());
        for text in &self.common {
            head.bytes(text);
        }
        head.0
    }

    /// Each block, in its stored form.
    pub fn blocks(&self) -> impl Iterator<Item = Vec<u8>> {
        let told = self.rows.chunks(self.block).zip(self.tellings.chunks(self.block));
        let mut common = ToldTexts::default();
        for text in &self.common {
            common.number(text);
        }
        told.map(move |(rows, tellings)| {
            let mut block = Block { texts: common.clone(), groups: &self.groups, ..Block::default() };
            for (row, telling) in rows.iter().zip(tellings) {
                block.row(row, telling);
            }
            block.finish()
        })
    }
}

/// The groups of figures that most rows have, of a few rows; where one begins as another does, the longer one first.
fn groups(rows: &[Skeleton]) -> Vec<FigureGroup> {
    let mut known: Vec<(FigureGroup, usize)> = Vec::new();
    for row in rows.iter().step_by((rows.len() / 16).max(1)) {
        for group in row.groups() {
            match known.iter_mut().find(|(other, _)| *other == group) {
                Some((_, count)) => *count += 1,
                None => known.push((group, 1)),
            }
        }
    }
    while known.len() > GROUPS {
        let rarest = (0..known.len()).min_by_key(|n| known.get(*n).map(|(group, count)| group.len() * count));
        known.swap_remove(rarest.unwrap_or_default());
    }
    let mut groups = Vec::new();
    while let Some(longest) = (0..known.len()).max_by_key(|n| known.get(*n).map(|(group, _)| group.len())) {
        groups.push(known.swap_remove(longest).0);
    }
    groups
}

/// Whether two rows have as many figures and fields: most of them have the same.
fn is_alike(one: &Skeleton, other: &Skeleton) -> bool {
    one.slots.len() == other.slots.len() && one.fields.len() == other.fields.len()
}

fn has_slots(row: &Skeleton, step: &UnitStep) -> bool {
    let first = row.slots.partition_point(|at| *at < step.from);
    row.slots.get(first).is_some_and(|at| *at < step.until)
}

/// Texts that were told, numbered as they came.
#[derive(Clone, Debug, Default)]
struct ToldTexts<'a> {
    texts: Vec<&'a [u8]>,
    numbers: HashMap<&'a [u8], usize>,
}

impl<'a> ToldTexts<'a> {
    /// The number of a text; one that was not known gets the next.
    fn number(&mut self, text: &'a [u8]) -> Option<usize> {
        match self.numbers.entry(text) {
            Entry::Occupied(known) => Some(*known.get()),
            Entry::Vacant(new) => {
                new.insert(self.texts.len());
                self.texts.push(text);
                None
            }
        }
    }
}

#[derive(Debug, Default)]
struct Block<'a> {
    groups: &'a [FigureGroup],
    numbers: Encoder,
    rows: Encoder,
    /// Rows often close on the same day: what is as in the row before is 0.
    day: u64,
    texts: ToldTexts<'a>,
}

impl<'a> Block<'a> {
    fn finish(self) -> Vec<u8> {
        let mut block = Encoder(Vec::with_capacity(self.numbers.0.len() + self.rows.0.len() + 3));
        block.bytes(&self.numbers.0);
        block.0.extend_from_slice(&self.rows.0);
        block.0
    }

    fn number(&mut self, unit: u8, number: u64) {
        if unit != NumberSlot::Day.unit() {
            self.numbers.number(number);
        } else if number == self.day {
            self.numbers.number(0);
        } else {
            self.numbers.number(number.saturating_add(1));
            self.day = number;
        }
    }

    fn row(&mut self, row: &'a Skeleton, telling: &Telling) {
        let mut numbers = row.numbers.iter();
        for at in &row.slots {
            let unit = row.units.get(*at).copied().unwrap_or_default();
            let more = match NumberSlot::of(unit) {
                Some(NumberSlot::FigureGroup(n)) => self.groups.get(usize::from(n)).map_or(0, Vec::len),
                _ => 0,
            };
            for number in numbers.by_ref().take(more + 1) {
                self.number(unit, *number);
            }
        }
        self.rows.size(telling.back).size(0);
        let (counted, mut count) = (self.rows.0.len() - 1, 0);
        for step in &telling.steps {
            let (mut alike, mut passed, mut from) = (step.alike, step.passed, step.from);
            let first = row.slots.partition_point(|at| *at < step.from);
            let slots = row.slots.get(first..).unwrap_or_default().iter().take_while(|at| **at < step.until);
            // Slots are told one by one, what lies between them as texts.
            for at in slots {
                if from < *at {
                    self.rows.size(alike);
                    self.instead(passed, row.units.get(from..*at).unwrap_or_default());
                    (alike, passed) = (0, 0);
                    count += 1;
                }
                self.rows.size(alike);
                self.step(passed, step::SLOT);
                self.rows.0.push(row.units.get(*at).copied().unwrap_or_default());
                (alike, passed, from) = (0, 0, at + 1);
                count += 1;
            }
            if from < step.until || passed > 0 {
                self.rows.size(alike);
                self.instead(passed, row.units.get(from..step.until).unwrap_or_default());
                (alike, count) = (0, count + 1);
            }
            if step.is_end() {
                self.rows.size(alike);
            }
        }
        self.count(counted, count);
    }

    /// Writes how many steps a row has, where a place of one byte was left for it.
    fn count(&mut self, at: usize, count: usize) {
        let mut number = Encoder::default();
        number.size(count);
        self.rows.0.splice(at..=at, number.0);
    }

    fn step(&mut self, passed: usize, instead: usize) {
        let told = passed.min(step::PASSED_MAX);
        self.rows.0.push(u8::try_from(told << 4 | instead).unwrap_or_default());
        if let Some(more) = passed.checked_sub(step::PASSED_MAX) {
            self.rows.size(more);
        }
    }

    fn instead(&mut self, passed: usize, text: &'a [u8]) {
        if text.len() >= step::NUMBERED_MIN
            && let Some(number) = self.texts.number(text)
        {
            self.step(passed, step::AGAIN);
            self.rows.size(number);
            return;
        }
        if text.len() <= step::TEXT_MAX {
            self.step(passed, text.len());
            self.rows.0.extend_from_slice(text);
        } else {
            self.step(passed, step::LONGER);
            self.rows.bytes(text);
        }
    }
}

/// The steps of a row along another. The last one, with nothing passed by and nothing instead, ends it.
fn steps(row: &Skeleton, base: &Skeleton, figures: FigureFolding) -> Vec<UnitStep> {
    let (mut steps, mut at, mut along) = (Vec::with_capacity(16), 0, 0);
    loop {
        let mut alike = common(&row.units, at, &base.units, along);
        if figures == FigureFolding::TakenOut && at + alike < row.units.len() {
            alike -= back_to_field(row, base, at, along, alike);
        }
        (at, along) = (at + alike, along + alike);
        if at >= row.units.len() {
            steps.push(UnitStep { alike, passed: 0, from: at, until: at });
            return steps;
        }
        let (until, base_until) = match figures {
            FigureFolding::TakenOut => meet(row, base, at, along),
            FigureFolding::Stay => meet_cell(row, base, at, along),
        };
        steps.push(UnitStep { alike, passed: base_until - along, from: at, until });
        (at, along) = (until, base_until);
    }
}

fn eight(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}

/// How many units from here on are alike.
fn common(one: &[u8], at: usize, other: &[u8], along: usize) -> usize {
    let mut alike = 0;
    while let (Some(a), Some(b)) = (eight(one, at + alike), eight(other, along + alike)) {
        if a != b {
            return alike + usize::try_from((a ^ b).trailing_zeros() / 8).unwrap_or_default();
        }
        alike += 8;
    }
    let (one, other) = (one.get(at + alike..).unwrap_or_default(), other.get(along + alike..).unwrap_or_default());
    alike + one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// Where two rows part within the name of a field, fields are missing or more: the part of the name that is alike is told
/// again, so that fields can meet.
fn back_to_field(row: &Skeleton, base: &Skeleton, at: usize, along: usize, alike: usize) -> usize {
    let last = |skeleton: &Skeleton, here: usize| {
        let n = skeleton.fields.partition_point(|field| *field <= here).checked_sub(1)?;
        skeleton.fields.get(n).map(|field| here - field)
    };
    let Some(back) = last(row, at + alike).filter(|back| *back <= alike) else { return 0 };
    let name = row.units.get(at + alike - back..at + alike).unwrap_or_default();
    let is_name = name.first() == Some(&b'"') && !name.contains(&b':');
    if is_name && last(base, along + alike) == Some(back) { back } else { 0 }
}

fn after(skeleton: &Skeleton, here: usize) -> &[usize] {
    skeleton.fields.get(skeleton.fields.partition_point(|field| *field < here)..).unwrap_or_default()
}

/// Where two rows that part here meet again: at a field that is alike in both.
fn meet(row: &Skeleton, base: &Skeleton, at: usize, along: usize) -> (usize, usize) {
    let (fields, base_fields) = (after(row, at), after(base, along));
    for field in fields.iter().take(FIELDS) {
        for base_field in base_fields.iter().take(BASE_FIELDS) {
            let alike = common(&row.units, *field, &base.units, *base_field);
            if alike < ALIKE_MIN {
                continue;
            }
            let name = row.units.get(*field..field + alike).unwrap_or_default();
            if name.contains(&b':') || field + alike == row.units.len() {
                let met = backwards(row, base, (at, *field), (along, *base_field));
                if met != (at, along) {
                    return met;
                }
            }
        }
    }
    (fields.get(FIELDS).copied().unwrap_or(row.units.len()), along)
}

/// The same for rows of a CSV, which have their cells in the same order: at the next cell that is alike for a while.
fn meet_cell(row: &Skeleton, base: &Skeleton, at: usize, along: usize) -> (usize, usize) {
    for (field, base_field) in after(row, at).iter().zip(after(base, along)) {
        if common(&row.units, *field, &base.units, *base_field) >= CELLS_MIN {
            return backwards(row, base, (at, *field), (along, *base_field));
        }
    }
    (row.units.len(), along)
}

/// What lies before the place where they meet may be alike too.
fn backwards(
    row: &Skeleton,
    base: &Skeleton,
    (at, field): (usize, usize),
    (along, base_field): (usize, usize),
) -> (usize, usize) {
    let before = row.units.get(at..field).unwrap_or_default().iter().rev();
    let base_before = base.units.get(along..base_field).unwrap_or_default().iter().rev();
    let more = before.zip(base_before).take_while(|(a, b)| a == b).count();
    (field - more, base_field - more)
}
