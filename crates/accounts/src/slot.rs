//! How many instances check passwords, whatever the number that the host makes.
//!
//! The gate of an instance does not bound a flood by itself: while one is busy with a check, the host makes another for the
//! next login, and readers wait behind all of them. What all instances share is the store, so only those check that have
//! one of [`SLOTS`] places there. A place is kept from login to login and is free a second after its last one. Whoever
//! finds none is told to come back.
//!
//! Approximate, like the gate. A place that is held for longer is a damaged value, or a clock that is wrong, and free.
//! Where the store cannot say who came first, two may share a place, and where it cannot be written a login goes on
//! without one: nobody is locked out by what only slows others down. Memory is not bounded by this: the host decides how
//! long it keeps an instance that has grown.

use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use store::codec::hex;
use store::kv::{KeyValueWrite, to_json};

/// Instances that check passwords at once, over all hosts.
const SLOTS: u8 = 8;
/// How long a place is held after it was taken or prolonged, in milliseconds: as long as Spin keeps an idle instance.
const HELD_MS: i64 = 1_000;

thread_local! {
    static PLACE: Rc<LoginPlace> = Rc::default();
}

fn key(slot: u8) -> String {
    format!("compte:connexions:{slot}")
}

/// The place of an instance, where it has one.
#[derive(Debug, Default)]
pub(crate) struct LoginPlace(RefCell<Option<HeldPlace>>);

#[derive(Clone, Debug)]
struct HeldPlace {
    key: String,
    name: String,
    until_ms: i64,
}

/// Who holds a place now.
fn holder(bytes: &[u8], now_ms: i64) -> Option<String> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let left = value.get("jusque_ms")?.as_i64()?.checked_sub(now_ms)?;
    let name = value.get("instance")?.as_str()?;
    (1..=HELD_MS).contains(&left).then(|| name.to_owned())
}

/// What came of asking for a place.
enum PlaceAnswer {
    Taken,
    Another,
    /// The store does not say.
    Unknown,
}

impl LoginPlace {
    pub(crate) fn of_this_instance() -> Rc<Self> {
        PLACE.with(Rc::clone)
    }

    /// Whether this instance may check a password now. `name` is drawn for this call.
    pub(crate) async fn may_check<K: KeyValueWrite>(&self, kv: &K, name: [u8; 16], now_ms: i64) -> bool {
        let held = self.0.borrow().clone();
        if let Some(held) = held {
            if (HELD_MS / 2..=HELD_MS).contains(&held.until_ms.saturating_sub(now_ms)) {
                return true;
            }
            match self.ask(kv, held.key, held.name, now_ms).await {
                PlaceAnswer::Taken | PlaceAnswer::Unknown => return true,
                PlaceAnswer::Another => drop(self.0.take()),
            }
        }
        // Each begins elsewhere: they rarely ask for the same place.
        let first = name.first().copied().unwrap_or_default();
        let name = hex(&name);
        for slot in (0..SLOTS).map(|rank| first.wrapping_add(rank) % SLOTS) {
            match self.ask(kv, key(slot), name.clone(), now_ms).await {
                PlaceAnswer::Taken | PlaceAnswer::Unknown => return true,
                PlaceAnswer::Another => {}
            }
        }
        false
    }

    /// Asks for a place that is free or already ours.
    async fn ask<K: KeyValueWrite>(&self, kv: &K, key: String, name: String, now_ms: i64) -> PlaceAnswer {
        let until_ms = now_ms.saturating_add(HELD_MS);
        let Ok(value) = to_json(&key, &json!({"jusque_ms": until_ms, "instance": name})) else {
            return PlaceAnswer::Unknown;
        };
        let taken = match kv.get(&key).await {
            Ok(Some(bytes)) if holder(&bytes, now_ms).is_some_and(|holder| holder != name) => Ok(false),
            Ok(Some(bytes)) => kv.swap(&key, &bytes, value).await,
            Ok(None) => kv.create(&key, value).await,
            Err(error) => Err(error),
        };
        match taken {
            Ok(true) => {
                self.0.replace(Some(HeldPlace { key, name, until_ms }));
                PlaceAnswer::Taken
            }
            Ok(false) => PlaceAnswer::Another,
            Err(_) => PlaceAnswer::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_executor::block_on;
    use store::MemoryStore;
    use store::faulty::{FaultRates, Faulty};

    /// Instances, each with what it draws.
    fn instances(count: u8) -> Vec<(LoginPlace, [u8; 16])> {
        (0..count).map(|n| (LoginPlace::default(), [n.wrapping_mul(7); 16])).collect()
    }

    fn may<K: KeyValueWrite>(kv: &K, (place, name): &(LoginPlace, [u8; 16]), now_ms: i64) -> bool {
        block_on(place.may_check(kv, *name, now_ms))
    }

    #[test]
    fn a_few_instances_check_and_go_on_as_long_as_they_are_asked() {
        let kv = MemoryStore::default();
        let all = instances(40);
        let mut of_each = vec![0; all.len()];
        for now in (0..10_000).step_by(100) {
            for (count, instance) in of_each.iter_mut().zip(&all) {
                *count += usize::from(may(&kv, instance, now));
            }
        }
        of_each.retain(|count| *count > 0);
        assert_eq!(of_each, [100; SLOTS as usize]);
    }

    #[test]
    fn a_place_is_free_a_second_after_its_last_login_and_its_owners_until_then() {
        let kv = MemoryStore::default();
        let all = instances(SLOTS * 2);
        let (first, next) = all.split_at(usize::from(SLOTS));
        assert!(first.iter().all(|instance| may(&kv, instance, 0)));
        assert!(!next.iter().any(|instance| may(&kv, instance, HELD_MS - 1)));
        assert!(next.iter().all(|instance| may(&kv, instance, HELD_MS)));
        assert!(!first.iter().any(|instance| may(&kv, instance, HELD_MS)));
    }

    #[test]
    fn an_instance_that_has_a_place_asks_the_store_twice_a_second() {
        let kv = MemoryStore::default();
        let one = &instances(1)[0];
        let before = kv.gets.get();
        (0..1_000).for_each(|now| assert!(may(&kv, one, now)));
        assert!(kv.gets.get() - before <= 6, "{}", kv.gets.get() - before);
    }

    #[test]
    fn whatever_lies_there_locks_nobody_out() {
        let values: [&[u8]; 7] = [
            b"",
            b"null",
            b"{}",
            b"\xff",
            br#"{"jusque_ms":99999999999999,"instance":"x"}"#,
            br#"{"jusque_ms":-9223372036854775808,"instance":"x"}"#,
            br#"{"jusque_ms":18446744073709551615,"instance":"x"}"#,
        ];
        for value in values {
            let kv = MemoryStore::default();
            (0..SLOTS).for_each(|slot| block_on(kv.set_many(vec![(key(slot), value.to_vec())])).unwrap());
            assert!(may(&kv, &instances(1)[0], 1_000), "{}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn a_store_that_fails_now_and_then_locks_nobody_out() {
        let rates = FaultRates { error: 200, answer_lost: 200, lost_write: 200, ..FaultRates::default() };
        let kv = Faulty::new(14, rates);
        for (now, instance) in (0_i64..).step_by(1_000).zip(instances(200)) {
            assert!(may(&kv, &instance, now), "nobody else is there");
        }
    }
}
