//! Looking up what the matching of catalogues asks for ([`crate::matching`]).

use crate::keys;
use crate::kv::Damaged;
use crate::kv::{KeyValue, StoreError};
use crate::matching::{MatchingPlan, PLAN_FAMILY};
use crate::reading::Reader;
use crate::shelf::StoredValue;
use std::rc::Rc;

impl<K: KeyValue> Reader<K> {
    /// The plan; `None` where the generation was published before there was one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn matching_plan(&self) -> Result<Option<Rc<MatchingPlan>>, StoreError> {
        let key = keys::value(&self.pointer().generation, PLAN_FAMILY, 0);
        let pool = self.matching_pool();
        if let Some(plan) = pool.plan(&key) {
            return Ok(Some(plan));
        }
        let Some(value) = self.value_if_any(PLAN_FAMILY, 0).await? else { return Ok(None) };
        let plan = Rc::new(MatchingPlan::decode(value.content()?).map_err(|Damaged| value.damaged())?);
        pool.keep_plan(key, &plan);
        Ok(Some(plan))
    }

    /// A page of a family.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn matching_page(&self, family: &str, n: usize) -> Result<Rc<StoredValue>, StoreError> {
        let key = keys::value(&self.pointer().generation, family, n);
        let pool = self.matching_pool();
        if let Some(page) = pool.find(&key) {
            return Ok(page);
        }
        let page = Rc::new(self.value(family, n).await?);
        pool.keep(key, &page);
        Ok(page)
    }
}
