//! What the matching of catalogues looks up: entries by key, in pages sorted by hash and found by the plan's fences.
//!
//! Two families, as there are two sections: links (the resolver, national pay, labels), spread by the hash of their key,
//! and places, spread by the hash of their establishment, so that what is asked of one lies together. What entries hold
//! is decided by the crate `matching`.
//!
//! A catalogue asks for most pages, many times: an instance keeps them, within [`POOL_MAX`], under the key that names
//! their generation.

use crate::kv::Damaged;
use crate::shelf::StoredValue;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// The family of the plan: one value.
pub const PLAN_FAMILY: &str = "appariement";
/// The family of links.
pub const LINK_FAMILY: &str = "appariement.liens";
/// The family of establishments.
pub const PLACE_FAMILY: &str = "appariement.lieux";

/// A page is closed at this size: one row asks for some ten of them, a catalogue for all.
pub const PAGE: usize = 48 * 1024;

/// Bytes of pages that an instance keeps. With the buffers of two catalogues that are answered at once it stays under
/// the 32 MiB that a guest may take.
pub const POOL_MAX: usize = 20 * 1024 * 1024;

/// Catalogues that an instance answers at once.
pub const BATCHES_MAX: usize = 2;

/// Where the pages of both families begin: the first hash of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchingPlan {
    /// Of links.
    pub links: Vec<u64>,
    /// Of places.
    pub places: Vec<u64>,
}

impl MatchingPlan {
    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut value = u32::try_from(self.links.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
        for fence in self.links.iter().chain(&self.places) {
            value.extend_from_slice(&fence.to_le_bytes());
        }
        value
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decode(value: &[u8]) -> Result<Self, Damaged> {
        let (count, fences) = value.split_at_checked(4).ok_or(Damaged)?;
        let count = count.try_into().map(u32::from_le_bytes).map_err(|_| Damaged)?;
        let (fences, rest) = fences.as_chunks::<8>();
        let fences: Vec<u64> = fences.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let (links, places) =
            usize::try_from(count).ok().and_then(|count| fences.split_at_checked(count)).ok_or(Damaged)?;
        if !rest.is_empty() {
            return Err(Damaged);
        }
        Ok(Self { links: links.to_vec(), places: places.to_vec() })
    }

    /// The pages that may hold a key of this hash: one, or two where a page begins with the hash, or as many as its keys
    /// fill.
    #[must_use]
    pub fn pages(fences: &[u64], hash: u64) -> std::ops::Range<usize> {
        let first = fences.partition_point(|fence| *fence < hash);
        first.saturating_sub(1)..fences.partition_point(|fence| *fence <= hash)
    }
}

/// The pages that an instance keeps.
#[derive(Debug, Default)]
pub struct MatchingPool {
    pages: RefCell<VecDeque<(String, Rc<StoredValue>)>>,
    bytes: Cell<usize>,
    plan: RefCell<Option<(String, Rc<MatchingPlan>)>>,
    batches: Cell<usize>,
}

/// The right to answer a catalogue; given back when it is dropped.
#[derive(Debug)]
pub struct BatchSlot(Rc<MatchingPool>);

impl Drop for BatchSlot {
    fn drop(&mut self) {
        self.0.batches.set(self.0.batches.get().saturating_sub(1));
    }
}

impl MatchingPool {
    pub(crate) fn find(&self, key: &str) -> Option<Rc<StoredValue>> {
        self.pages.borrow().iter().find(|(known, _)| known == key).map(|(_, page)| Rc::clone(page))
    }

    /// Keeps a page; the oldest go where it does not fit.
    pub(crate) fn keep(&self, key: String, page: &Rc<StoredValue>) {
        let mut pages = self.pages.borrow_mut();
        let mut bytes = self.bytes.get() + page.size();
        while bytes > POOL_MAX
            && let Some((_, oldest)) = pages.pop_front()
        {
            bytes = bytes.saturating_sub(oldest.size());
        }
        pages.push_back((key, Rc::clone(page)));
        self.bytes.set(bytes);
    }

    /// The plan of the generation whose plan lies under a key.
    pub(crate) fn plan(&self, key: &str) -> Option<Rc<MatchingPlan>> {
        self.plan.borrow().as_ref().filter(|(known, _)| known == key).map(|(_, plan)| Rc::clone(plan))
    }

    pub(crate) fn keep_plan(&self, key: String, plan: &Rc<MatchingPlan>) {
        *self.plan.borrow_mut() = Some((key, Rc::clone(plan)));
    }

    pub(crate) fn clear(&self) {
        self.pages.borrow_mut().clear();
        self.bytes.set(0);
        *self.plan.borrow_mut() = None;
    }

    /// The right to answer a catalogue; `None` where the instance answers as many as it may.
    #[must_use]
    pub fn slot(self: &Rc<Self>) -> Option<BatchSlot> {
        let batches = self.batches.get();
        (batches < BATCHES_MAX).then(|| {
            self.batches.set(batches + 1);
            BatchSlot(Rc::clone(self))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::KeyValueWrite;
    use crate::{MemoryStore, Shelf};
    use futures_executor::block_on;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_plan_comes_back_and_a_cut_one_is_a_fault(links: Vec<u64>, places: Vec<u64>) {
            let plan = MatchingPlan { links, places };
            let value = plan.encode();
            prop_assert_eq!(MatchingPlan::decode(&value).unwrap(), plan);
            prop_assert!(MatchingPlan::decode(&value[..value.len() - 1]).is_err());
        }

        #[test]
        fn every_page_that_may_hold_a_hash_is_named(mut hashes in proptest::collection::vec(0u64..40, 1..60), size in 1usize..5) {
            hashes.sort_unstable();
            let pages: Vec<&[u64]> = hashes.chunks(size).collect();
            let fences: Vec<u64> = pages.iter().map(|page| page[0]).collect();
            for (n, page) in pages.iter().enumerate() {
                for hash in *page {
                    prop_assert!(MatchingPlan::pages(&fences, *hash).contains(&n));
                }
            }
            prop_assert!(MatchingPlan::pages(&[], 3).is_empty());
        }
    }

    #[test]
    fn a_pool_is_bounded_and_so_are_its_batches() {
        let kv = MemoryStore::default();
        let page = block_on(async {
            kv.set("g1:appariement.liens:0", vec![0; PAGE]).await.unwrap();
            Shelf::own("g1").get(&kv, LINK_FAMILY, 0).await.unwrap()
        });
        let pool = Rc::new(MatchingPool::default());
        for n in 0..1_000 {
            pool.keep(n.to_string(), &Rc::new(page.clone()));
        }
        assert!(pool.bytes.get() <= POOL_MAX && pool.pages.borrow().len() == POOL_MAX / PAGE);
        assert!(pool.find("999").is_some() && pool.find("0").is_none());
        let slots: Vec<_> = (0..BATCHES_MAX).map(|_| pool.slot().unwrap()).collect();
        assert!(pool.slot().is_none());
        drop(slots);
        assert!(pool.slot().is_some());
    }
}
