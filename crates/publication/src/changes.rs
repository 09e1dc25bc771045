//! What a move of the pointer changes for clients: found while two generations are compared, and told just before it moves.

use crate::outlines::Outline;
use store::changes::{Change, ChangeJournal, ChangeSet, ChangedKeys, Switch, route_code, slot};
use store::codec::{Decoder, Encoder};
use store::keys;
use store::kv::{KeyValueWrite, StoreError};

/// The family of a generation that holds what changes when it is put in force, in one value.
pub(crate) const FAMILY: &str = "changements";

/// What clients see change, document after document. A document is found by its maille, place, code and millesime: where two
/// filieres share them, it is there as long as one is.
#[derive(Default)]
pub(crate) struct ClientChanges<'o> {
    set: ChangeSet,
    key: [&'o str; 4],
    filiere: &'o str,
    before: bool,
    after: bool,
    differs: bool,
}

impl<'o> ClientChanges<'o> {
    /// Takes the next statistic, as it was and as it is.
    pub(crate) fn see(&mut self, before: Option<&Outline<'o>>, after: Option<&Outline<'o>>) {
        let Some(one) = after.or(before) else { return };
        let [maille, place, code, millesime, filiere] = one.key();
        let key = [maille, place, code, millesime];
        if key != self.key {
            self.close();
            (self.key, self.filiere) = (key, filiere);
        }
        self.before |= before.is_some();
        self.after |= after.is_some();
        self.differs |= before.map(|outline| outline.served) != after.map(|outline| outline.served);
    }

    fn close(&mut self) {
        let change = match (self.before, self.after) {
            (false, _) => Change::Added,
            (_, false) => Change::Removed,
            _ => Change::Changed,
        };
        if self.differs {
            let [maille, place, code, millesime] = self.key;
            // All declared mailles lie in one family, where their places bear their names.
            let within = place.strip_prefix(maille).and_then(|rest| rest.strip_prefix('/'));
            self.set.add([maille, within.unwrap_or(place), &route_code(code, self.filiere), millesime], change);
        }
        (self.before, self.after, self.differs) = (false, false, false);
    }

    /// What the generation keeps of it.
    pub(crate) fn finish(mut self, mut switch: Switch) -> Vec<u8> {
        self.close();
        let folded = self.set.finish(&mut switch);
        let mut encoder = Encoder::default();
        switch.encode(&mut encoder);
        encoder.0.extend_from_slice(&folded);
        encoder.0
    }
}

/// A move that is about to be made.
pub(crate) enum Move<'a> {
    /// A generation is put in force: what it keeps of what that changes.
    Forward(&'a [u8]),
    /// An older one comes back.
    Back(&'a str),
}

/// Tells a move in the journal; `served` is what it leads away from, where that is known. The pointer moves after it: a reader
/// cuts the journal by what is served, so what does not come about is not told.
///
/// All are plain writes: the lease keeps others away, and one who writes without it does no harm. Where what it leaves does
/// not lead to what is served, or a slot holds the keys of another move, readers see that and say that all is to be fetched.
pub(crate) async fn tell<K: KeyValueWrite>(
    kv: &K,
    served: Option<&str>,
    told: Move<'_>,
    now: i64,
) -> Result<(), StoreError> {
    let mut journal = ChangeJournal::read(&kv.get(keys::CHANGES).await?.unwrap_or_default());
    if let Some(served) = served {
        journal = journal.until(served);
    }
    let number = journal.next();
    let mut keys_to_write = None;
    let mut switch = match told {
        Move::Forward(record) => {
            let mut decoder = Decoder(record);
            let switch = Switch::decode(&mut decoder).ok_or_else(|| StoreError::Damaged(FAMILY.to_owned()))?;
            if let Some(from) = switch.from.as_deref().filter(|_| switch.lists()) {
                keys_to_write = Some(ChangedKeys::encode(number, (from, &switch.to), decoder.0));
            }
            Switch { keys: number, ..switch }
        }
        Move::Back(to) => {
            // The way back of the last move, where that is the one that is undone.
            let last = journal.0.last().filter(|last| served.is_some() && last.from.as_deref() == Some(to));
            let unknown = || Switch { whole: true, back: true, ..Switch::default() };
            let switch = last.map_or_else(unknown, |last| last.clone().undone());
            Switch { from: served.map(str::to_owned), to: to.to_owned(), ..switch }
        }
    };
    (switch.number, switch.at_ms) = (number, now);
    journal.add(switch);
    if let Some(value) = keys_to_write {
        kv.set(&slot(number), value).await?;
    }
    kv.set(keys::CHANGES, journal.write()).await
}
