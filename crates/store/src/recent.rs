//! What one answer has just read: documents of one answer often lie in one value.

use crate::kv::{KeyValue, StoreError};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Bytes that are held, at most.
const HELD_MAX: usize = 2 << 20;

/// Values by their key, the one read last in front.
type HeldValues = VecDeque<(String, Vec<u8>)>;

/// A store for one answer that looks up many documents: what it read a moment ago is not got again.
#[derive(Clone, Debug)]
pub struct RecentValues<K> {
    kv: K,
    held: Rc<RefCell<HeldValues>>,
}

impl<K> RecentValues<K> {
    /// Over a store, with nothing read.
    pub fn new(kv: K) -> Self {
        Self { kv, held: Rc::default() }
    }

    /// Lets go of all but the value read last: before a wait of which nobody knows the length.
    pub fn keep_last(&self) {
        self.held.borrow_mut().truncate(1);
    }

    /// The value of a key, in front from now on.
    fn held(&self, key: &str) -> Option<Vec<u8>> {
        let held = &mut *self.held.borrow_mut();
        let rank = held.iter().position(|(known, _)| known == key)?;
        let found = held.remove(rank)?;
        let value = found.1.clone();
        held.push_front(found);
        Some(value)
    }

    /// Puts a value in front. Those read longest ago go where there is no more room.
    fn hold(&self, key: &str, value: &[u8]) {
        let held = &mut *self.held.borrow_mut();
        held.push_front((key.to_owned(), value.to_vec()));
        let mut bytes = 0;
        held.retain(|(_, value)| {
            bytes += value.len();
            bytes <= HELD_MAX
        });
    }
}

impl<K: KeyValue> KeyValue for RecentValues<K> {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(value) = self.held(key) {
            return Ok(Some(value));
        }
        let value = self.kv.get(key).await?;
        if let Some(value) = &value {
            self.hold(key, value);
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::KeyValueWrite;
    use crate::memory::MemoryStore;
    use futures_executor::block_on;

    #[test]
    fn values_read_last_are_held_in_bounded_room() {
        let (kv, size) = (MemoryStore::default(), 100 * 1024);
        block_on(async {
            for n in 0..30 {
                kv.set(&n.to_string(), vec![0; size]).await.unwrap();
            }
            let recent = RecentValues::new(&kv);
            for n in 0..30 {
                recent.get(&n.to_string()).await.unwrap();
            }
            assert_eq!(recent.held.borrow().len(), HELD_MAX / size);
            // What is held is not asked for again; what has gone, and what was never there, is.
            kv.delete_many((0..30).map(|n| n.to_string()).collect()).await.unwrap();
            assert_eq!(recent.get("12").await, Ok(Some(vec![0; size])));
            assert_eq!((recent.get("0").await, recent.get("x").await), (Ok(None), Ok(None)));
            recent.keep_last();
            assert_eq!(recent.held.borrow().iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["12"]);
        });
    }
}
