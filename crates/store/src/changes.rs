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
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Moves that are kept.
pub const KEPT: usize = 24;
/// Values that their keys lie in: more than are kept, so that what is written over is told by no move any more.
const SLOTS: usize = 32;
/// Keys that are listed of a maille and millesime; beyond, all of it is to be fetched again.
pub const LISTED_MAX: usize = 5_000;
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCounts {
    /// That were not there.
    #[serde(rename = "ajoutes")]
    pub added: u64,
    /// That are there no more.
    #[serde(rename = "retires")]
    pub removed: u64,
    /// That say something else.
    #[serde(rename = "changes")]
    pub changed: u64,
    /// Whether they are too many to be listed.
    #[serde(rename = "tout")]
    pub whole: bool,
}

/// Something by maille, then by millesime.
pub type ByMillesime<T> = BTreeMap<String, BTreeMap<String, T>>;

/// A move of the pointer, and what a client sees of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Its number: the next one's is greater.
    #[serde(rename = "numero")]
    pub number: usize,
    /// The generation served before; `None` for the first, or where it was not known.
    #[serde(rename = "de")]
    pub from: Option<String>,
    /// The generation served since.
    #[serde(rename = "a")]
    pub to: String,
    /// When, in milliseconds since 1970.
    #[serde(rename = "le_ms")]
    pub at_ms: i64,
    /// Whether an older generation came back.
    #[serde(rename = "retour")]
    pub back: bool,
    /// Whether it is not known what changed, or too much did: all is to be fetched again.
    #[serde(rename = "tout")]
    pub whole: bool,
    /// Whether rows of the nomenclature changed.
    #[serde(rename = "nomenclature")]
    pub nomenclature: bool,
    /// Whether other millesimes are in force.
    #[serde(rename = "en_vigueur")]
    pub in_force: bool,
    /// By maille and millesime.
    #[serde(rename = "mailles")]
    pub counts: ByMillesime<ChangeCounts>,
}

impl Switch {
    /// Whether keys are listed of it.
    #[must_use]
    pub fn lists(&self) -> bool {
        let some = |counts: &ChangeCounts| !counts.whole && counts.added + counts.removed + counts.changed > 0;
        !self.whole && self.counts.values().flat_map(BTreeMap::values).any(some)
    }

    /// The way back.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        for counts in self.counts.values_mut().flat_map(BTreeMap::values_mut) {
            std::mem::swap(&mut counts.added, &mut counts.removed);
        }
        self.back = true;
        self
    }
}

/// The moves of the pointer, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeJournal(pub Vec<Switch>);

impl ChangeJournal {
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
    ///
    /// # Errors
    /// Those of writing it.
    pub fn add(&mut self, switch: Switch) -> Result<(), StoreError> {
        self.0.push(switch);
        let beyond = self.0.len().saturating_sub(KEPT);
        self.0.drain(..beyond);
        while self.0.len() > 1 && crate::kv::to_json(keys::CHANGES, self)?.len() > JOURNAL_MAX {
            self.0.remove(0);
        }
        Ok(())
    }
}

/// The key of the value that the keys of a move lie in.
#[must_use]
pub fn slot(number: usize) -> String {
    [keys::CHANGES, ":", itoa::Buffer::new().format(number % SLOTS)].concat()
}

/// What changed, put together document after document.
#[derive(Debug, Default)]
pub struct ChangeSet(ByMillesime<(ChangeCounts, Encoder)>);

impl ChangeSet {
    /// Adds a document; `code` as routes take it ([`route_code`]).
    pub fn add(&mut self, [maille, place, code, millesime]: [&str; 4], change: Change) {
        if !self.0.contains_key(maille) {
            self.0.insert(maille.to_owned(), BTreeMap::new());
        }
        let Some(group) = self.0.get_mut(maille) else { return };
        if !group.contains_key(millesime) {
            group.insert(millesime.to_owned(), Default::default());
        }
        let Some((counts, keys)) = group.get_mut(millesime) else { return };
        let count = match change {
            Change::Added => &mut counts.added,
            Change::Removed => &mut counts.removed,
            Change::Changed => &mut counts.changed,
        };
        *count += 1;
        if counts.whole || counts.added + counts.removed + counts.changed > LISTED_MAX as u64 {
            (counts.whole, *keys) = (true, Encoder::default());
            return;
        }
        keys.text(place).text(code).number(change.rank());
    }

    /// The stored form of the keys, and the counts; the longest lists go where they do not fit into a value.
    #[must_use]
    pub fn finish(mut self, switch: &mut Switch) -> Vec<u8> {
        if self.0.values().map(BTreeMap::len).sum::<usize>() > GROUPS_MAX {
            self.0.clear();
            switch.whole = true;
        }
        let folded = loop {
            let mut encoder = Encoder::default();
            for (maille, by_millesime) in &self.0 {
                for (millesime, (_, keys)) in by_millesime.iter().filter(|(_, (_, keys))| !keys.0.is_empty()) {
                    encoder.text(maille).text(millesime).bytes(&keys.0);
                }
            }
            if encoder.0.len() <= UNFOLDED_MAX {
                let folded = fold(&encoder.0);
                if folded.len() <= FOLDED_MAX {
                    break folded;
                }
            }
            let longest = self.0.values_mut().flat_map(BTreeMap::values_mut).max_by_key(|(_, keys)| keys.0.len());
            let Some((counts, keys)) = longest else { break Vec::new() };
            (counts.whole, *keys) = (true, Encoder::default());
        };
        let counts = |by: BTreeMap<String, (ChangeCounts, Encoder)>| by.into_iter().map(|(m, (c, _))| (m, c)).collect();
        switch.counts = self.0.into_iter().map(|(maille, by)| (maille, counts(by))).collect();
        folded
    }
}

/// The keys of a move, as they lie in its slot.
#[derive(Debug)]
pub struct ChangedKeys;

/// A document that changed: maille, millesime, place, code as routes take it, and how.
pub type ChangedKey<'a> = (&'a str, &'a str, &'a str, &'a str, Change);

impl ChangedKeys {
    /// What a slot holds: between which generations, whether it is to be read backwards, and what [`ChangeSet::finish`] made.
    #[must_use]
    pub fn encode(number: usize, (from, to): (&str, &str), back: bool, folded: &[u8]) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.text(from).text(to).number(u64::from(back));
        encoder.0.extend_from_slice(folded);
        frame::seal(&slot(number), encoder.0)
    }

    /// The keys of a move as they are stored, and whether backwards; `None` where its slot holds others, or is damaged.
    #[must_use]
    pub fn open<'a>(switch: &Switch, value: &'a [u8]) -> Option<(bool, &'a [u8])> {
        let mut decoder = Decoder(frame::open(&slot(switch.number), value).ok()?);
        let (from, to) = (decoder.text()?, decoder.text()?);
        let back = decoder.number()? != 0;
        (Some(from) == switch.from.as_deref() && to == switch.to).then_some((back, decoder.0))
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
        if self.keys.len() > LISTED_MAX {
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
        let value = self.outside_generation(keys::CHANGES).await?;
        let journal: Option<ChangeJournal> = value.and_then(|value| frame::open_json(keys::CHANGES, &value).ok());
        Ok(journal.unwrap_or_default().until(&self.pointer().generation))
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
            for (maille, by_millesime) in &switch.counts {
                for (millesime, _) in by_millesime.iter().filter(|(_, counts)| counts.whole) {
                    sum.group(maille, millesime).give_up();
                }
            }
            if switch.lists() {
                let value = self.outside_generation(&slot(switch.number)).await?;
                let read = value.as_deref().and_then(|value| {
                    let (back, folded) = ChangedKeys::open(switch, value)?;
                    let add = |(maille, millesime, place, code, change): ChangedKey<'_>| {
                        sum.group(maille, millesime).add(place, code, change);
                    };
                    ChangedKeys::walk(&unfold(folded)?, back, add)
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
        Switch { number, from: Some(from.to_owned()), to: to.to_owned(), ..Switch::default() }
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
            journal.add(switch(number, "g1", "g2")).unwrap();
            let told: Vec<String> = journal.0.iter().map(|switch| slot(switch.number)).collect();
            assert!(!told.contains(&slot(journal.next())), "{number}");
        }
        assert_eq!(journal.0.len(), KEPT);
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
        let counts = |maille: &str, millesime: &str| switch.counts[maille][millesime].clone();
        let all = LISTED_MAX as u64 + 1;
        let expected = ChangeCounts { added: all, whole: true, ..ChangeCounts::default() };
        assert_eq!(counts("formations", "2020"), expected);
        assert_eq!(counts("formations", "2021"), ChangeCounts { removed: 1, ..ChangeCounts::default() });
        let value = ChangedKeys::encode(0, ("g1", "g2"), false, &folded);
        assert!(value.len() < crate::kv::VALUE_MAX);
        let (mut listed, mut removed) = (0, 0);
        let (back, folded) = ChangedKeys::open(&switch, &value).unwrap();
        let each = |(.., change): ChangedKey<'_>| {
            listed += 1;
            removed += u64::from(change == Change::Removed);
        };
        ChangedKeys::walk(&unfold(folded).unwrap(), back, each).unwrap();
        let left = switch.counts.values().flat_map(BTreeMap::values).filter(|counts| !counts.whole);
        assert_eq!(listed, left.map(|counts| counts.added + counts.removed + counts.changed).sum::<u64>());
        assert!(removed == 1 && listed > 5_000, "{listed}");
        // Those of another move, or damaged ones, are not taken for these.
        let other = Switch { to: "g3".to_owned(), ..switch.clone() };
        assert!(ChangedKeys::open(&other, &value).is_none());
        assert!(ChangedKeys::open(&Switch { number: 1, ..switch }, &value).is_none());
    }
}
