//! What a move of the pointer changes for clients: found while two generations are compared, and told just before it moves.

use crate::outlines::Outline;
use store::Shelf;
use store::changes::{Change, ChangeJournal, ChangeSet, ChangedKeys, Switch, route_code, slot};
use store::codec::{Decoder, Encoder};
use store::exchange;
use store::frame;
use store::keys;
use store::kv::{KeyValue, KeyValueWrite, StoreError, to_json};

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

    /// What the generation keeps of it; the counts go into the switch.
    pub(crate) fn finish(mut self, switch: &mut Switch) -> Result<Vec<u8>, StoreError> {
        self.close();
        let folded = self.set.finish(switch);
        let mut encoder = Encoder::default();
        encoder.bytes(&to_json(FAMILY, switch)?);
        encoder.0.extend_from_slice(&folded);
        Ok(encoder.0)
    }
}

/// The journal as it lies in the store; what cannot be read is let go, and clients fetch all again.
async fn journal<K: KeyValue>(kv: &K) -> Result<ChangeJournal, StoreError> {
    let value = kv.get(keys::CHANGES).await?;
    Ok(value.and_then(|value| frame::open_json(keys::CHANGES, &value).ok()).unwrap_or_default())
}

/// The journal up to what is served; all of it where that is not known.
fn until(journal: ChangeJournal, served: Option<&str>) -> ChangeJournal {
    match served {
        Some(served) => journal.until(served),
        None => journal,
    }
}

/// Adds a move, whose keys lie in its slot already. Moves of others that never were go.
async fn add<K: KeyValueWrite>(kv: &K, served: Option<&str>, switch: &Switch) -> Result<(), StoreError> {
    let change = |journal: &mut ChangeJournal| {
        *journal = until(std::mem::take(journal), served);
        journal.add(switch.clone())
    };
    exchange::change_or_rebuild(kv, keys::CHANGES, change).await?
}

async fn put<K: KeyValueWrite>(kv: &K, switch: &Switch, back: bool, folded: &[u8]) -> Result<(), StoreError> {
    let Some(from) = switch.from.as_deref().filter(|_| switch.lists()) else { return Ok(()) };
    let value = ChangedKeys::encode(switch.number, (from, &switch.to), back, folded);
    kv.set(&slot(switch.number), value).await
}

/// Tells that a generation is put in force, as far as it says what that changes. The pointer moves after it: a reader cuts the
/// journal by what is served, so what does not come about is not told.
pub(crate) async fn note<K: KeyValueWrite>(
    kv: &K,
    shelf: Shelf<'_>,
    served: Option<&str>,
    now: i64,
) -> Result<(), StoreError> {
    let value = shelf.get(kv, FAMILY, 0).await?;
    let mut decoder = Decoder(value.content()?);
    let json = decoder.bytes().ok_or_else(|| value.damaged())?;
    let mut switch: Switch = serde_json::from_slice(json).map_err(|_| value.damaged())?;
    (switch.number, switch.at_ms) = (until(journal(kv).await?, served).next(), now);
    put(kv, &switch, false, decoder.0).await?;
    add(kv, served, &switch).await
}

/// Tells that an older generation comes back: the way back of the last move, where that is the one that is undone.
pub(crate) async fn note_back<K: KeyValueWrite>(
    kv: &K,
    served: Option<&str>,
    to: &str,
    now: i64,
) -> Result<(), StoreError> {
    let journal = until(journal(kv).await?, served);
    let number = journal.next();
    let unknown = || Switch { whole: true, nomenclature: true, in_force: true, ..Switch::default() };
    let last = journal.0.last().filter(|last| served.is_some() && last.from.as_deref() == Some(to));
    let stored = match last {
        Some(last) => kv.get(&slot(last.number)).await?,
        None => None,
    };
    let keys = last.zip(stored.as_deref()).and_then(|(last, value)| ChangedKeys::open(last, value));
    let mut switch = match last {
        Some(last) if keys.is_some() || !last.lists() => last.clone().reversed(),
        _ => unknown(),
    };
    (switch.number, switch.at_ms, switch.back) = (number, now, true);
    (switch.from, switch.to) = (served.map(str::to_owned), to.to_owned());
    if let Some((back, folded)) = keys {
        put(kv, &switch, !back, folded).await?;
    }
    add(kv, served, &switch).await
}
