//! Searching: a query to cards, a code or an establishment to where it has data ([`crate::search`]).

use crate::keys;
use crate::kv::Damaged;
use crate::kv::{KeyValue, StoreError};
use crate::mark;
use crate::query::{Term, TermKind, terms};
use crate::reading::Reader;
use crate::search::{
    CARD_FAMILY, GETS_MAX, MatchQuality, NUMBER_MIN, PLACE_FAMILY, PLAN_FAMILY, PREFIX_MAX, PlaceTable, Postings, RNCP,
    SearchCard, SearchPlan, Subject, TERM_FAMILY, is_number, page, start,
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

    /// The cards that fit every term of a query and every facet, best first: certifications before establishments, unless
    /// an establishment is named. Where nothing fits, those that come closest. At most [`GETS_MAX`] gets.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find(&self, demand: &SearchDemand<'_>, skip: usize, take: usize) -> Result<SearchResults, StoreError> {
        let plan = self.search_plan().await?;
        let mut budget = Budget(GETS_MAX - 2 - CARD_GETS);
        let terms = terms(demand.q);
        let mut facets = Vec::new();
        for facet in demand.facets.iter().take(FACETS_MAX) {
            facets.push(self.postings(&plan, facet, &mut budget).await?.unwrap_or_default());
        }
        let mut found: Vec<FoundTerm> = Vec::new();
        for term in &terms {
            found.push(self.look_up(&plan, term, &mut budget).await?);
        }
        let side = |subject: Subject, found: &[FoundTerm]| {
            let lists = found.iter().map(|term| term.of(subject)).chain(facets.iter().cloned());
            of_subject(&plan, subject, intersect(&lists.collect::<Vec<_>>()))
        };
        let etablissements = side(Subject::Etablissement, &found);
        let mut certifications = side(Subject::Certification, &found);
        let school = terms.iter().any(|term| term.kind == TermKind::School);
        if certifications.is_empty() && !school {
            for (term, found) in terms.iter().zip(&mut found).filter(|(term, _)| term.kind == TermKind::Word) {
                self.look_further(&plan, term, found, &mut budget).await?;
            }
            certifications = side(Subject::Certification, &found);
        }
        if certifications.is_empty()
            && !school
            && let Some(region) = self.region_of_town(&plan, &found, &mut budget).await?
        {
            let named = found.iter().filter(|term| term.names_certifications(&plan));
            let lists = named.map(|term| term.of(Subject::Certification)).chain(facets.iter().cloned());
            let lists: Vec<Postings> = lists.chain([region]).collect();
            certifications = of_subject(&plan, Subject::Certification, intersect(&lists));
        }
        let mut approximate = found.iter().any(|term| term.unknown && !certifications.is_empty());
        let mut ids = [certifications, etablissements].concat();
        if ids.is_empty() && !terms.is_empty() {
            approximate = true;
            ids = nearest(found.iter().map(|term| term.of(Subject::Certification)).chain(facets.iter().cloned()));
        }
        // Whoever names a kind of establishment, or places alone, looks for an establishment.
        let place = |term: &Term| matches!(term.kind, TermKind::Region | TermKind::Town | TermKind::School);
        let establishments_first = school || !terms.is_empty() && terms.iter().all(place);
        // Class first, then the accord, then the label.
        let mut ranks: Vec<(usize, u8, usize)> = ids
            .into_iter()
            .map(|(number, accord)| {
                let class = plan.class(number);
                (if establishments_first { class ^ 1 } else { class }, u8::MAX - accord.0, number)
            })
            .filter(|(_, _, number)| demand.subject.is_none_or(|subject| subject_of(&plan, *number) == subject))
            .collect();
        let total = ranks.len();
        let end = skip.saturating_add(take).min(total);
        if end > 0 && end < total {
            ranks.select_nth_unstable(end - 1);
            ranks.truncate(end);
        }
        ranks.sort_unstable();
        let mut results = SearchResults { total, cards: Vec::new(), approximate: approximate && total > 0 };
        budget.0 += CARD_GETS;
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

    /// The card of a code or a UAI, as it is written. A few gets.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn card(&self, subject: Subject, code: &str) -> Result<Option<SearchCard>, StoreError> {
        let demand = SearchDemand { q: code, subject: Some(subject), facets: &[] };
        let found = self.find(&demand, 0, 10).await?;
        let has = |card: &SearchCard| match subject {
            Subject::Certification => card.codes.iter().any(|c| c.code == code),
            Subject::Etablissement => card.uai == code,
        };
        Ok(found.cards.into_iter().find(has))
    }

    /// The cards of one page, in display order: none past the last one. One get.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn card_page(&self, n: usize) -> Result<Vec<SearchCard>, StoreError> {
        if n >= self.search_plan().await?.cards.len() {
            return Ok(Vec::new());
        }
        let value = self.value(CARD_FAMILY, n).await?;
        let entries = value.entries()?;
        entries.into_iter().map(|(_, entry)| SearchCard::decode(entry).map_err(|Damaged| value.damaged())).collect()
    }

    /// What the index holds of a term as it was typed.
    async fn look_up(&self, plan: &SearchPlan, term: &Term, budget: &mut Budget) -> Result<FoundTerm, StoreError> {
        let mut lists = Vec::new();
        let mut unknown = false;
        for word in &term.words {
            let mut list = self.postings(plan, word, budget).await?;
            if list.is_none() && is_number(word) && word.len() >= NUMBER_MIN {
                // A number that begins no code may be the one of an RNCP code.
                list = self.postings(plan, &format!("{RNCP}{word}"), budget).await?;
            }
            unknown |= list.is_none();
            lists.push(list.unwrap_or_default());
        }
        let mut found = FoundTerm { words: Postings(intersect(&lists)), unknown, ..FoundTerm::default() };
        for mark in &term.marks {
            let list = self.postings(plan, mark, budget).await?.unwrap_or_default().without_accord();
            if term.marks_of_etablissements.contains(mark) {
                found.etablissements = union(&found.etablissements, &list);
            }
            found.certifications = union(&found.certifications, &list);
        }
        for mark in term.marks_of_etablissements.iter().filter(|mark| !term.marks.contains(mark)) {
            let list = self.postings(plan, mark, budget).await?.unwrap_or_default().without_accord();
            found.etablissements = union(&found.etablissements, &list);
        }
        found.unknown &= found.certifications.0.is_empty() && found.etablissements.0.is_empty();
        Ok(found)
    }

    /// Where no certification fits: other words for the same, else words that begin alike (`boulangerie`, `boulanger`).
    async fn look_further(
        &self,
        plan: &SearchPlan,
        term: &Term,
        found: &mut FoundTerm,
        budget: &mut Budget,
    ) -> Result<(), StoreError> {
        if !term.instead.is_empty() {
            let mut lists = Vec::new();
            for word in &term.instead {
                lists.push(self.postings(plan, word, budget).await?.unwrap_or_default());
            }
            let list = Postings(intersect(&lists));
            if names_certifications(plan, &list) {
                found.unknown = false;
                found.certifications = union(&found.certifications, &list);
                return Ok(());
            }
        }
        let [word] = term.words.as_slice() else { return Ok(()) };
        // Where something has the word itself, only a long beginning means the same.
        let lengths = if found.unknown { [PREFIX_MAX, 5, 4].as_slice() } else { &[PREFIX_MAX, 6] };
        for letters in lengths {
            let key = start(word, *letters);
            if key.len() >= word.len() || budget.0 < 2 {
                continue;
            }
            let list = self.postings(plan, key, budget).await?.unwrap_or_default().without_accord();
            let known = found.of(Subject::Certification).0.len();
            found.certifications = union(&found.certifications, &list);
            if found.of(Subject::Certification).0.len() > known {
                break;
            }
        }
        Ok(())
    }

    /// The certifications with data in the region of the establishment that the words of no certification name: a town
    /// where it lies. Two gets at most.
    async fn region_of_town(
        &self,
        plan: &SearchPlan,
        found: &[FoundTerm],
        budget: &mut Budget,
    ) -> Result<Option<Postings>, StoreError> {
        let of_places: Vec<Postings> =
            found.iter().filter(|term| !term.names_certifications(plan)).map(|term| term.words.clone()).collect();
        let others = found.iter().any(|term| term.names_certifications(plan));
        let named = of_subject(plan, Subject::Etablissement, intersect(&of_places));
        // With data first, then by how well the name fits.
        let best = named.into_iter().min_by_key(|(n, accord)| (plan.class(*n), u8::MAX - accord.0, *n));
        let Some((number, _)) = best.filter(|_| others && budget.0 > 1) else { return Ok(None) };
        budget.0 -= 1;
        let n = page(&plan.cards, number as u64).ok_or(StoreError::Damaged(PLAN_FAMILY.into()))?;
        let value = self.value(CARD_FAMILY, n).await?;
        let entry = value.find(&number.to_string())?.ok_or_else(|| value.damaged())?;
        let card = SearchCard::decode(entry).map_err(|Damaged| value.damaged())?;
        self.postings(plan, &mark::region(&card.region), budget).await
    }
}

/// What a search is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct SearchDemand<'a> {
    /// As it was typed; empty where facets alone choose.
    pub q: &'a str,
    /// Certifications or establishments alone.
    pub subject: Option<Subject>,
    /// Marks ([`crate::mark`]) that results have, [`FACETS_MAX`] at most.
    pub facets: &'a [String],
}

/// Facets of a search, at most: level, voie, region.
pub const FACETS_MAX: usize = 3;

/// Gets kept for the cards of the results.
const CARD_GETS: usize = 4;

/// What the index holds of a term of the query.
#[derive(Default)]
struct FoundTerm {
    /// Cards with all its words.
    words: Postings,
    /// Cards that fit it as certifications: by their marks, or by other words.
    certifications: Postings,
    /// Cards that fit it as establishments, by their marks.
    etablissements: Postings,
    /// Whether no card has one of its words.
    unknown: bool,
}

impl FoundTerm {
    /// The cards of a subject that it fits.
    fn of(&self, subject: Subject) -> Postings {
        match subject {
            Subject::Certification => union(&self.words, &self.certifications),
            Subject::Etablissement => union(&self.words, &self.etablissements),
        }
    }

    fn names_certifications(&self, plan: &SearchPlan) -> bool {
        names_certifications(plan, &self.of(Subject::Certification))
    }
}

fn names_certifications(plan: &SearchPlan, list: &Postings) -> bool {
    list.0.iter().any(|(number, _)| subject_of(plan, *number) == Subject::Certification)
}

fn subject_of(plan: &SearchPlan, number: usize) -> Subject {
    if plan.class(number).is_multiple_of(2) { Subject::Certification } else { Subject::Etablissement }
}

fn of_subject(plan: &SearchPlan, subject: Subject, ids: Vec<(usize, MatchQuality)>) -> Vec<(usize, MatchQuality)> {
    ids.into_iter().filter(|(number, _)| subject_of(plan, *number) == subject).collect()
}

/// No card fits every list: those of as many as fit some card, else those of the rarest.
fn nearest(lists: impl Iterator<Item = Postings>) -> Vec<(usize, MatchQuality)> {
    let lists: Vec<Postings> = lists.filter(|list| !list.0.is_empty()).collect();
    let ids = intersect(&lists);
    if !ids.is_empty() {
        return ids;
    }
    lists.into_iter().min_by_key(|list| list.0.len()).unwrap_or_default().0
}

/// The cards of either list, with the better of their qualities.
fn union(a: &Postings, b: &Postings) -> Postings {
    if b.0.is_empty() {
        return a.clone();
    }
    let mut both = Vec::with_capacity(a.0.len() + b.0.len());
    let (mut a, mut b) = (a.0.iter().peekable(), b.0.iter().peekable());
    loop {
        let next = match (a.peek(), b.peek()) {
            (None, None) => break,
            (Some((n, _)), Some((m, _))) if n == m => {
                let merged = a.next().zip(b.next());
                merged.map(|((n, q), (_, r))| (*n, *q.max(r)))
            }
            (Some((n, _)), Some((m, _))) if n > m => b.next().copied(),
            (None, _) => b.next().copied(),
            _ => a.next().copied(),
        };
        both.extend(next);
    }
    Postings(both)
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

    #[test]
    fn a_union_keeps_the_better_match() {
        let list = |ids: &[(usize, u8)]| Postings(ids.iter().map(|(i, q)| (*i, MatchQuality(*q))).collect());
        let both = union(&list(&[(1, 0), (4, 3)]), &list(&[(0, 1), (4, 0), (9, 2)]));
        assert_eq!(both, list(&[(0, 1), (1, 0), (4, 3), (9, 2)]));
    }
}
