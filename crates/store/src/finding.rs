//! Searching: a query to cards, a code or an establishment to where it has data ([`crate::search`]).

use crate::keys;
use crate::kv::Damaged;
use crate::kv::{KeyValue, StoreError};
use crate::reading::Reader;
use crate::search::{
    CARD_FAMILY, GETS_MAX, MatchQuality, NUMBER_MIN, PLACE_FAMILY, PLAN_FAMILY, PREFIX_MAX, PlaceTable, Postings, RNCP,
    SearchCard, SearchPlan, Subject, TERM_FAMILY, is_number, page, search_words, start,
};
use crate::shelf::StoredValue;
use std::rc::Rc;

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchResults {
    /// How many cards match.
    pub total: usize,
    /// Those of the page asked for, best first; fewer where the budget of gets was spent.
    pub cards: Vec<SearchCard>,
    /// Nothing matched every word as it was typed: these come closest.
    pub approximate: bool,
}

/// Counts gets, so that no query costs more than its budget.
struct Budget(usize);

impl<K: KeyValue> Reader<K> {
    /// The plan of the search index, read once per generation and instance.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn search_plan(&self) -> Result<Rc<SearchPlan>, StoreError> {
        self.keep_search_plan(async {
            let value = self.value(PLAN_FAMILY, 0).await?;
            SearchPlan::decode(value.content()?).map_err(|Damaged| value.damaged())
        })
        .await
    }

    /// What the entry of a page says; `None` where the page does not hold it.
    async fn page_entry<T>(
        &self,
        family: &str,
        n: usize,
        key: &str,
        read: impl FnOnce(&[u8]) -> Result<T, Damaged>,
    ) -> Result<Option<T>, StoreError> {
        let value = self.value(family, n).await?;
        value.find(key)?.map(|entry| read(entry).map_err(|Damaged| value.damaged())).transpose()
    }

    /// Where a code, a code in a region, or an establishment has data: two gets at most.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn places(&self, key: &str) -> Result<Option<PlaceTable>, StoreError> {
        let plan = self.search_plan().await?;
        let Some(n) = page(&plan.places, keys::hash(key)) else { return Ok(None) };
        let shelf = self.pointer().shelf()?;
        let read = |entry: &[u8]| PlaceTable::decode(&shelf.unfolded(entry.to_vec()).ok_or(Damaged)?);
        self.page_entry(PLACE_FAMILY, n, key, read).await
    }

    async fn postings(
        &self,
        plan: &SearchPlan,
        key: &str,
        budget: &mut Budget,
    ) -> Result<Option<Postings>, StoreError> {
        let Some(n) = page(&plan.terms, keys::hash(key)).filter(|_| budget.0 > 0) else { return Ok(None) };
        budget.0 -= 1;
        self.page_entry(TERM_FAMILY, n, key, Postings::decode).await
    }

    /// The cards that hold every word of a query, as a word or as the beginning of one. Where
    /// there is none, those that come closest. At most [`GETS_MAX`] gets.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find(
        &self,
        q: &str,
        subject: Option<Subject>,
        skip: usize,
        take: usize,
    ) -> Result<SearchResults, StoreError> {
        let plan = self.search_plan().await?;
        let words = search_words(q);
        let mut budget = Budget(GETS_MAX - 2);
        let mut lists: Vec<Postings> = Vec::new();
        let mut missing_ones = Vec::new();
        let mut approximate = false;
        for word in &words {
            let mut found = self.postings(&plan, word, &mut budget).await?;
            if found.is_none() && is_number(word) && word.len() >= NUMBER_MIN {
                // A number that begins no code may be the one of an RNCP code.
                found = self.postings(&plan, &format!("{RNCP}{word}"), &mut budget).await?;
            }
            match found {
                Some(postings) => lists.push(postings),
                None => missing_ones.push(word.as_str()),
            }
        }
        let mut ids = intersect(&lists);
        if !missing_ones.is_empty() || ids.is_empty() {
            approximate = true;
            // For two words at most: what is typed may begin like a known word or code.
            for word in missing_ones.iter().take(2) {
                for letters in [PREFIX_MAX, 5, 3] {
                    let key = start(word, letters);
                    if key.len() < word.len()
                        && budget.0 > 4
                        && let Some(postings) = self.postings(&plan, key, &mut budget).await?
                    {
                        lists.push(postings);
                        break;
                    }
                }
            }
            ids = intersect(&lists);
            if ids.is_empty() {
                // No card holds all words: those of the rarest one.
                let rare = lists.into_iter().filter(|l| !l.0.is_empty()).min_by_key(|l| l.0.len());
                ids = rare.unwrap_or_default().0;
            }
        }
        let of_subject = |class: usize| match subject {
            None => true,
            Some(Subject::Certification) => class.is_multiple_of(2),
            Some(Subject::Etablissement) => !class.is_multiple_of(2),
        };
        // Class first, then the accord, then the label.
        let mut ranks: Vec<(usize, u8, usize)> = ids
            .into_iter()
            .map(|(number, accord)| (plan.class(number), u8::MAX - accord.0, number))
            .filter(|(class, ..)| of_subject(*class))
            .collect();
        let total = ranks.len();
        let end = skip.saturating_add(take).min(total);
        if end > 0 && end < total {
            ranks.select_nth_unstable(end - 1);
            ranks.truncate(end);
        }
        ranks.sort_unstable();
        let mut results = SearchResults { total, cards: Vec::new(), approximate: approximate && total > 0 };
        let mut pages: Vec<(usize, StoredValue)> = Vec::new();
        for (_, _, number) in ranks.into_iter().skip(skip) {
            let n = page(&plan.cards, number as u64).ok_or(StoreError::Damaged(PLAN_FAMILY.into()))?;
            if !pages.iter().any(|(p, _)| *p == n) {
                if budget.0 == 0 {
                    break;
                }
                budget.0 -= 1;
                pages.push((n, self.value(CARD_FAMILY, n).await?));
            }
            let Some((_, value)) = pages.iter().find(|(p, _)| *p == n) else { break };
            let entry = value.find(&number.to_string())?.ok_or_else(|| value.damaged())?;
            results.cards.push(SearchCard::decode(entry).map_err(|Damaged| value.damaged())?);
        }
        Ok(results)
    }
}

/// The cards of every list, with the sum of their qualities of match.
fn intersect(lists: &[Postings]) -> Vec<(usize, MatchQuality)> {
    let mut order: Vec<&Postings> = lists.iter().collect();
    order.sort_by_key(|l| l.0.len());
    let Some((first, others)) = order.split_first() else { return Vec::new() };
    let mut ids = first.0.clone();
    for other in others {
        let mut rest = other.0.iter().peekable();
        ids.retain_mut(|(number, accord)| {
            while rest.next_if(|(n, _)| n < number).is_some() {}
            match rest.peek() {
                Some((n, a)) if n == number => {
                    accord.0 = accord.0.saturating_add(a.0);
                    true
                }
                _ => false,
            }
        });
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cards_of_every_list_are_kept() {
        let list = |ids: &[usize]| Postings(ids.iter().map(|i| (*i, MatchQuality(1))).collect());
        let found = intersect(&[list(&[1, 3, 5, 9]), list(&[0, 3, 4, 9]), list(&[3, 9, 10])]);
        assert_eq!(found, [(3, MatchQuality(3)), (9, MatchQuality(3))]);
        assert!(intersect(&[]).is_empty());
    }
}
