//! What changed from one served generation to the next, as a client sees it: a journal beside generations, and of its youngest
//! moves the keys of the documents that came, went or say something else.
//!
//! Only what is published is compared, byte by byte as it is served: a document whose hidden figures changed did not change.
//!
//! ```text
//! public:changements        the moves of the pointer, oldest first, with counts by maille and millesime
//! public:changements:{n}    the keys of the move whose number is n modulo SLOTS, folded; each slot is written over in its turn
//! ```
//!
//! A move is written before the pointer moves. So the journal may end in moves that never were; what is served tells where it
//! ends ([`ChangeJournal::until`]).

use crate::codec::{Decoder, Encoder};
use crate::fold::{fold, unfold};
use crate::kv::{KeyValue, StoreError};
use crate::reading::Reader;
use crate::{frame, keys};
use domain::Filiere;
use std::collections::BTreeMap;

/// Moves that are kept.
pub const KEPT: usize = 24;
/// Values that their keys lie in: more than are kept, so that what is written over is told by no move any more.
const SLOTS: usize = 32;
/// Keys that are listed of a maille and millesime; beyond, all of it is to be fetched again.
pub const LISTED_MAX: u64 = 5_000;
/// Keys that are listed of several moves together.
const SUM_MAX: usize = 40_000;
/// Bytes of the keys of a move, folded and not. They lie in one value.
const FOLDED_MAX: usize = 160 * 1024;
const UNFOLDED_MAX: usize = 1024 * 1024;
/// Mailles and millesimes that are told apart: a move that changes more is told as a whole.
const GROUPS_MAX: usize = 400;
/// Bytes of the journal: the oldest moves go where it would not fit into a value.
const JOURNAL_MAX: usize = 200 * 1024;

/// What became of a document, as a client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It was not there.
    Added,
    /// It is there no more.
    Removed,
    /// It says something else.
    Changed,
}

impl Change {
    fn rank(self) -> u64 {
        match self {
            Self::Added => 0,
            Self::Removed => 1,
            Self::Changed => 2,
        }
    }

    fn read(rank: u64, back: bool) -> Option<Self> {
        match (rank, back) {
            (0, false) | (1, true) => Some(Self::Added),
            (1, false) | (0, true) => Some(Self::Removed),
            (2, _) => Some(Self::Changed),
            _ => None,
        }
    }

    /// What two changes of one document after another come to; `None` where it is absent before and after.
    #[must_use]
    pub fn then(self, next: Self) -> Option<Self> {
        match (self, next) {
            (Self::Added, Self::Removed) => None,
            (Self::Added, _) => Some(Self::Added),
            (_, Self::Removed) => Some(Self::Removed),
            _ => Some(Self::Changed),
        }
    }
}

/// How many documents of a maille and millesime changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeCounts {
    /// The maille.
    pub maille: String,
    /// The millesime.
    pub millesime: String,
    /// That were not there.
    pub added: u64,
    /// That are there no more.
    pub removed: u64,
    /// That say something else.
    pub changed: u64,
    /// Whether they are too many to be listed.
    pub whole: bool,
}

impl ChangeCounts {
    /// Of all three kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.added + self.removed + self.changed
    }
}

/// A move of the pointer, and what a client sees of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switch {
    /// Its number: the next one's is greater.
    pub number: usize,
    /// The number of the move that wrote its keys: its own, or that of the one that it undoes.
    pub keys: usize,
    /// Whether those keys are read backwards.
    pub reversed: bool,
    /// The generation served before; `None` for the first, or where it was not known.
    pub from: Option<String>,
    /// The generation served since.
    pub to: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whether an older generation came back.
    pub back: bool,
    /// Whether it is not known what changed, or too much did: all is to be fetched again.
    pub whole: bool,
    /// Whether rows of the nomenclature changed.
    pub nomenclature: bool,
    /// Whether other millesimes are in force.
    pub in_force: bool,
    /// By maille and millesime, each once, in no order.
    pub counts: Vec<ChangeCounts>,
}

impl Switch {
    /// Writes it. It is no JSON: the import, which is full, would have to be able to read any.
    pub fn encode(&self, encoder: &mut Encoder) {
        let flags = [self.from.is_some(), self.back, self.whole, self.nomenclature, self.in_force, self.reversed];
        encoder
            .size(self.number)
            .size(self.keys)
            .text(self.from.as_deref().unwrap_or_default())
            .text(&self.to)
            .instant(Some(self.at_ms));
        for flag in flags {
            encoder.number(u64::from(flag));
        }
        encoder.size(self.counts.len());
        for counts in &self.counts {
            encoder.text(&counts.maille).text(&counts.millesime);
            for number in [counts.added, counts.removed, counts.changed, u64::from(counts.whole)] {
                encoder.number(number);
            }
        }
    }

    /// Reads it; `None` where it is damaged.
    #[must_use]
    pub fn decode(decoder: &mut Decoder<'_>) -> Option<Self> {
        let (number, keys) = (decoder.size()?, decoder.size()?);
        let (from, to) = (decoder.text()?.to_owned(), decoder.text()?.to_owned());
        let at_ms = decoder.instant()??;
        let mut flags = [false; 6];
        for flag in &mut flags {
            *flag = decoder.number()? != 0;
        }
        let [known, back, whole, nomenclature, in_force, reversed] = flags;
        let mut counts = Vec::new();
        for _ in 0..decoder.size()? {
            let (maille, millesime) = (decoder.text()?.to_owned(), decoder.text()?.to_owned());
            let (added, removed, changed) = (decoder.number()?, decoder.number()?, decoder.number()?);
            counts.push(ChangeCounts { maille, millesime, added, removed, changed, whole: decoder.number()? != 0 });
        }
        let from = known.then_some(from);
        Some(Self { number, keys, reversed, from, to, at_ms, back, whole, nomenclature, in_force, counts })
    }

    /// Whether keys are listed of it.
    #[must_use]
    pub fn lists(&self) -> bool {
        !self.whole && self.counts.iter().any(|counts| !counts.whole && counts.total() > 0)
    }

    /// The way back. Its keys are those of the way there: slots are written over by publications alone, and what lies there
    /// says which move it is of.
    #[must_use]
    pub fn undone(mut self) -> Self {
        for counts in &mut self.counts {
            std::mem::swap(&mut counts.added, &mut counts.removed);
        }
        Self { back: true, reversed: !self.reversed, ..self }
    }
}

/// The moves of the pointer, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeJournal(pub Vec<Switch>);

impl ChangeJournal {
    /// The stored form. The oldest moves go where it would not fit into a value.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut start = 0;
        loop {
            let kept = self.0.get(start..).unwrap_or_default();
            let mut encoder = Encoder::default();
            for switch in kept {
                switch.encode(&mut encoder);
            }
            if encoder.0.len() <= JOURNAL_MAX || kept.is_empty() {
                return frame::seal(keys::CHANGES, encoder.0);
            }
            start += 1;
        }
    }

    /// Reads the stored form; empty where it cannot be read: clients fetch all again.
    #[must_use]
    pub fn read(value: &[u8]) -> Self {
        let read = || {
            let mut decoder = Decoder(frame::open(keys::CHANGES, value).ok()?);
            let mut switches = Vec::new();
            while !decoder.0.is_empty() {
                switches.push(Switch::decode(&mut decoder)?);
            }
            Some(Self(switches))
        };
        read().unwrap_or_default()
    }

    /// The moves up to the last one that led to a generation: where that one is served, what stands behind it never was. Empty
    /// where none led there.
    #[must_use]
    pub fn until(mut self, served: &str) -> Self {
        let moves = self.0.iter().rposition(|switch| switch.to == served).map_or(0, |last| last + 1);
        self.0.truncate(moves);
        self
    }

    /// The moves since a generation was served last; `None` where it is not known that it ever was.
    #[must_use]
    pub fn since(&self, generation: &str) -> Option<&[Switch]> {
        let after = self.0.iter().rposition(|switch| switch.to == generation).map(|last| last + 1);
        let first = self.0.first().and_then(|switch| switch.from.as_deref());
        self.0.get(after.or_else(|| (first == Some(generation)).then_some(0))?..)
    }

    /// The number of the next move.
    #[must_use]
    pub fn next(&self) -> usize {
        self.0.last().map_or(0, |last| last.number.wrapping_add(1))
    }

    /// Adds a move. The oldest ones go.
    pub fn add(&mut self, switch: Switch) {
        self.0.push(switch);
        let beyond = self.0.len().saturating_sub(KEPT);
        self.0.drain(..beyond);
    }
}

/// The key of the value that the keys of a move lie in.
#[must_use]
pub fn slot(number: usize) -> String {
    [keys::CHANGES, ":", itoa::Buffer::new().format(number % SLOTS)].concat()
}

/// What changed, put together document after document: of each maille and millesime the counts, and the keys as they are
/// stored.
#[derive(Debug, Default)]
pub struct ChangeSet(Vec<(ChangeCounts, Encoder)>);

impl ChangeSet {
    /// Adds a document; `code` as routes take it ([`route_code`]).
    pub fn add(&mut self, [maille, place, code, millesime]: [&str; 4], change: Change) {
        let is_of = |(counts, _): &(ChangeCounts, Encoder)| counts.millesime == millesime && counts.maille == maille;
        let rank = self.0.iter().position(is_of).unwrap_or_else(|| {
            let (maille, millesime) = (maille.to_owned(), millesime.to_owned());
            self.0.push((ChangeCounts { maille, millesime, ..ChangeCounts::default() }, Encoder::default()));
            self.0.len() - 1
        });
        let Some((counts, keys)) = self.0.get_mut(rank) else { return };
        let count = match change {
            Change::Added => &mut counts.added,
            Change::Removed => &mut counts.removed,
            Change::Changed => &mut counts.changed,
        };
        *count += 1;
        if counts.whole || counts.total() > LISTED_MAX {
            (counts.whole, *keys) = (true, Encoder::default());
            return;
        }
        keys.text(place).text(code).number(change.rank());
    }

    /// The stored form of the keys, and the counts; the longest lists go where they do not fit into a value.
    #[must_use]
    pub fn finish(mut self, switch: &mut Switch) -> Vec<u8> {
        if self.0.len() > GROUPS_MAX {
            self.0.clear();
            switch.whole = true;
        }
        let folded = loop {
            let mut encoder = Encoder::default();
            let (mut longest, mut most) = (None, 0);
            for (rank, (counts, keys)) in self.0.iter().enumerate() {
                if keys.0.is_empty() {
                    continue;
                }
                encoder.text(&counts.maille).text(&counts.millesime).bytes(&keys.0);
                if keys.0.len() > most {
                    (longest, most) = (Some(rank), keys.0.len());
                }
            }
            if encoder.0.len() <= UNFOLDED_MAX {
                let folded = fold(&encoder.0);
                if folded.len() <= FOLDED_MAX {
                    break folded;
                }
            }
            let Some((counts, keys)) = longest.and_then(|rank| self.0.get_mut(rank)) else { break Vec::new() };
            (counts.whole, *keys) = (true, Encoder::default());
        };
        switch.counts = self.0.into_iter().map(|(counts, _)| counts).collect();
        folded
    }
}

/// The keys of a move, as they lie in its slot.
#[derive(Debug)]
pub struct ChangedKeys;

/// A document that changed: maille, millesime, place, code as routes take it, and how.
pub type ChangedKey<'a> = (&'a str, &'a str, &'a str, &'a str, Change);

impl ChangedKeys {
    /// What a slot holds: between which generations, and what [`ChangeSet::finish`] made.
    #[must_use]
    pub fn encode(number: usize, (from, to): (&str, &str), folded: &[u8]) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.text(from).text(to);
        encoder.0.extend_from_slice(folded);
        frame::seal(&slot(number), encoder.0)
    }

    /// The keys of a move as they are stored; `None` where its slot holds those of another one, or is damaged.
    #[must_use]
    pub fn open<'a>(switch: &Switch, value: &'a [u8]) -> Option<&'a [u8]> {
        let mut decoder = Decoder(frame::open(&slot(switch.keys), value).ok()?);
        let (from, to) = (decoder.text()?, decoder.text()?);
        let (from, to) = if switch.reversed { (to, from) } else { (from, to) };
        (Some(from) == switch.from.as_deref() && to == switch.to).then_some(decoder.0)
    }

    /// Hands out each; `None` where they are damaged.
    #[must_use]
    pub fn walk<'a>(unfolded: &'a [u8], back: bool, mut each: impl FnMut(ChangedKey<'a>)) -> Option<()> {
        let mut decoder = Decoder(unfolded);
        while !decoder.0.is_empty() {
            let (maille, millesime) = (decoder.text()?, decoder.text()?);
            let mut keys = Decoder(decoder.bytes()?);
            while !keys.0.is_empty() {
                let (place, code) = (keys.text()?, keys.text()?);
                each((maille, millesime, place, code, Change::read(keys.number()?, back)?));
            }
        }
        Some(())
    }
}

/// Something by maille, then by millesime.
pub type ByMillesime<T> = BTreeMap<String, BTreeMap<String, T>>;

/// What several moves come to, one after the other.
#[derive(Debug, Default, PartialEq)]
pub struct ChangeSum {
    /// Whether all is to be fetched again.
    pub whole: bool,
    /// Whether rows of the nomenclature changed.
    pub nomenclature: bool,
    /// Whether other millesimes are in force.
    pub in_force: bool,
    /// By maille and millesime.
    pub groups: ByMillesime<ChangedGroup>,
}

/// What changed of a maille and millesime.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ChangedGroup {
    /// Whether all of it is to be fetched again; no key is listed then.
    pub whole: bool,
    /// By place and code.
    pub keys: BTreeMap<(String, String), Change>,
}

impl ChangedGroup {
    fn give_up(&mut self) {
        (self.whole, self.keys) = (true, BTreeMap::new());
    }

    fn add(&mut self, place: &str, code: &str, change: Change) {
        if self.whole {
            return;
        }
        let key = (place.to_owned(), code.to_owned());
        let sum = match self.keys.get(&key) {
            Some(before) => before.then(change),
            None => Some(change),
        };
        match sum {
            Some(sum) => drop(self.keys.insert(key, sum)),
            None => drop(self.keys.remove(&key)),
        }
        if self.keys.len() as u64 > LISTED_MAX {
            self.give_up();
        }
    }
}

impl ChangeSum {
    fn group(&mut self, maille: &str, millesime: &str) -> &mut ChangedGroup {
        self.groups.entry(maille.to_owned()).or_default().entry(millesime.to_owned()).or_default()
    }

    /// The longest lists go, until what is left is bounded.
    fn bound(&mut self) {
        loop {
            let mut groups: Vec<_> = self.groups.values_mut().flat_map(BTreeMap::values_mut).collect();
            if groups.iter().map(|group| group.keys.len()).sum::<usize>() <= SUM_MAX {
                return;
            }
            if let Some(longest) = groups.iter_mut().max_by_key(|group| group.keys.len()) {
                longest.give_up();
            }
        }
    }
}

/// A code as routes take it: one of higher education has a prefix there that documents do not write.
#[must_use]
pub fn route_code(code: &str, filiere: &str) -> String {
    let superior = Filiere::parse(filiere) == Some(Filiere::Superieur);
    if superior && !code.starts_with(SISE) { [SISE, code].concat() } else { code.to_owned() }
}

const SISE: &str = "SISE:";

impl<K: KeyValue> Reader<K> {
    /// The journal, up to what this reader reads; empty where there is none, or none that can be read.
    ///
    /// # Errors
    /// Those of the store, damage aside.
    pub async fn journal(&self) -> Result<ChangeJournal, StoreError> {
        let value = self.outside_generation(keys::CHANGES).await?.unwrap_or_default();
        Ok(ChangeJournal::read(&value).until(&self.pointer().generation))
    }

    /// What moves of the journal come to. One get for each that lists keys.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn changes(&self, moves: &[Switch]) -> Result<ChangeSum, StoreError> {
        let mut sum = ChangeSum { whole: moves.iter().any(|switch| switch.whole), ..ChangeSum::default() };
        for switch in moves {
            sum.nomenclature |= switch.nomenclature;
            sum.in_force |= switch.in_force;
            if sum.whole {
                continue;
            }
            for counts in switch.counts.iter().filter(|counts| counts.whole) {
                sum.group(&counts.maille, &counts.millesime).give_up();
            }
            if switch.lists() {
                let value = self.outside_generation(&slot(switch.keys)).await?;
                let read = value.as_deref().and_then(|value| {
                    let folded = ChangedKeys::open(switch, value)?;
                    let add = |(maille, millesime, place, code, change): ChangedKey<'_>| {
                        sum.group(maille, millesime).add(place, code, change);
                    };
                    ChangedKeys::walk(&unfold(folded)?, switch.reversed, add)
                });
                // Written over, or damaged: nobody knows what it was.
                sum.whole |= read.is_none();
            }
            sum.bound();
        }
        for by_millesime in sum.groups.values_mut() {
            by_millesime.retain(|_, group| group.whole || !group.keys.is_empty());
        }
        let whole = sum.whole;
        sum.groups.retain(|_, by_millesime| !whole && !by_millesime.is_empty());
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switch(number: usize, from: &str, to: &str) -> Switch {
        Switch { number, keys: number, from: Some(from.to_owned()), to: to.to_owned(), ..Switch::default() }
    }

    #[test]
    fn what_never_was_is_cut_off_and_what_is_unknown_is_not_guessed() {
        let journal = || {
            ChangeJournal(vec![
                switch(0, "g1", "g2"),
                switch(1, "g2", "g1"),
                switch(2, "g1", "g3"),
                switch(3, "g3", "g4"),
            ])
        };
        assert_eq!(journal().until("g3").0.len(), 3, "g4 was never served");
        assert_eq!(journal().until("g1").0.len(), 2);
        assert!(journal().until("g9").0.is_empty());
        let since = |generation: &str| journal().since(generation).map(<[Switch]>::len);
        assert_eq!(["g1", "g2", "g3", "g4", "g9"].map(since), [Some(2), Some(3), Some(1), Some(0), None]);
        let journal = journal().until("g2");
        assert_eq!(
            journal.since("g1").map(<[Switch]>::len),
            Some(1),
            "the first generation is known by the way from it"
        );
    }

    #[test]
    fn the_oldest_moves_go_before_their_slot_is_written_over() {
        let mut journal = ChangeJournal::default();
        for number in 0..100 {
            assert_eq!(journal.next(), number);
            journal.add(switch(number, "g1", "g2"));
            journal = ChangeJournal::read(&journal.write());
            let told: Vec<String> = journal.0.iter().map(|switch| slot(switch.keys)).collect();
            assert!(!told.contains(&slot(journal.next())), "{number}");
        }
        assert_eq!(journal.0.len(), KEPT);
    }

    #[test]
    fn a_journal_is_read_as_it_was_written_and_never_too_long_for_a_value() {
        let counts = |n: usize| ChangeCounts {
            maille: format!("maille-{n:090}"),
            millesime: "2022_2023".into(),
            added: n as u64,
            whole: n.is_multiple_of(2),
            ..ChangeCounts::default()
        };
        let one = Switch {
            at_ms: 1_795_000_000_123,
            back: true,
            in_force: true,
            counts: (0..GROUPS_MAX).map(counts).collect(),
            ..switch(7, "g1", "g2")
        };
        let first = Switch { from: None, whole: true, nomenclature: true, ..Switch::default() };
        let journal = ChangeJournal(vec![first, one.clone()]);
        assert_eq!(ChangeJournal::read(&journal.write()), journal);
        let long = ChangeJournal(vec![one; KEPT]);
        let written = long.write();
        let read = ChangeJournal::read(&written);
        assert!(written.len() < crate::kv::VALUE_MAX && read.0.len() > 2 && read.0.len() < KEPT, "{}", read.0.len());
        assert_eq!(ChangeJournal::read(b"abime"), ChangeJournal::default());
    }

    #[test]
    fn a_document_that_comes_and_goes_did_not_change() {
        use Change::{Added, Changed, Removed};
        for (changes, sum) in [
            ([Added, Removed].as_slice(), None),
            (&[Added, Changed], Some(Added)),
            (&[Removed, Added], Some(Changed)),
            (&[Changed, Removed], Some(Removed)),
            (&[Changed, Removed, Added], Some(Changed)),
            (&[Added, Removed, Added, Changed], Some(Added)),
        ] {
            let mut group = ChangedGroup::default();
            for change in changes {
                group.add("11", "40025214", *change);
            }
            assert_eq!(group.keys.values().next().copied(), sum, "{changes:?}");
        }
    }

    #[test]
    fn long_lists_are_told_as_a_whole_and_the_rest_stays() {
        let mut set = ChangeSet::default();
        for n in 0..=LISTED_MAX {
            set.add(["formations", &format!("{n:07}A"), "40025214", "2020"], Change::Added);
        }
        set.add(["formations", "0000001A", "40025214", "2021"], Change::Removed);
        for millesime in 0..60 {
            for n in 0..LISTED_MAX {
                let key = format!("{:08}", n * 7919 % 99_999_989);
                set.add(["certifications", "", &key, &format!("{}", 2000 + millesime)], Change::Changed);
            }
        }
        let mut switch = switch(0, "g1", "g2");
        let folded = set.finish(&mut switch);
        assert!(folded.len() <= FOLDED_MAX);
        let counts = |maille: &str, millesime: &str| {
            let found = switch.counts.iter().find(|c| c.maille == maille && c.millesime == millesime).unwrap();
            (found.added, found.removed, found.changed, found.whole)
        };
        assert_eq!(counts("formations", "2020"), (LISTED_MAX + 1, 0, 0, true));
        assert_eq!(counts("formations", "2021"), (0, 1, 0, false));
        let value = ChangedKeys::encode(0, ("g1", "g2"), &folded);
        assert!(value.len() < crate::kv::VALUE_MAX);
        let (mut listed, mut removed) = (0, 0);
        let folded = ChangedKeys::open(&switch, &value).unwrap();
        let each = |(.., change): ChangedKey<'_>| {
            listed += 1;
            removed += u64::from(change == Change::Removed);
        };
        ChangedKeys::walk(&unfold(folded).unwrap(), false, each).unwrap();
        let left = switch.counts.iter().filter(|counts| !counts.whole);
        assert_eq!(listed, left.map(ChangeCounts::total).sum::<u64>());
        assert!(removed == 1 && listed > 5_000, "{listed}");
        // Those of another move, or damaged ones, are not taken for these.
        let other = Switch { to: "g3".to_owned(), ..switch.clone() };
        assert!(ChangedKeys::open(&other, &value).is_none());
        assert!(ChangedKeys::open(&Switch { keys: 1, ..switch.clone() }, &value).is_none());
        assert!(ChangedKeys::open(&switch.clone().undone(), &value).is_none(), "that way leads from g2 to g1");
        let back = Switch { from: Some("g2".to_owned()), to: "g1".to_owned(), ..switch.undone() };
        assert!(ChangedKeys::open(&back, &value).is_some());
    }
}
