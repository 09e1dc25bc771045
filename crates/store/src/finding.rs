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
            let facets = facets.iter().map(|facet| of_subject(&plan, subject, &facet.0));
            let lists: Vec<Postings> = found.iter().map(|term| term.of(&plan, subject)).chain(facets).collect();
            intersect(&lists)
        };
        let mut etablissements = side(Subject::Etablissement, &found);
        let mut certifications = side(Subject::Certification, &found);
        let school = terms.iter().any(|term| term.kind == TermKind::School);
        let mut place_alone = false;
        if !school && !begins_a_label(&terms, &certifications) {
            // A name that is a town's, and begins no label.
            let named = mark_of_town(&terms, 0, terms.len());
            if let Some(list) = self.town(&plan, named, &mut budget).await? {
                place_alone = true;
                let lists: Vec<Postings> = [list].into_iter().chain(facets.iter().cloned()).collect();
                let of_town = of_subject(&plan, Subject::Etablissement, &intersect(&lists));
                etablissements = union(Postings(etablissements), of_town).0;
            }
        }
        if certifications.is_empty() && !school && !place_alone {
            certifications = self.in_region_of_town(&plan, &terms, &found, &facets, &mut budget).await?;
        }
        let has_data = |list: &[(usize, MatchQuality)]| list.iter().any(|(number, _)| plan.class(*number) == 0);
        if !school && !place_alone && !has_data(&certifications) {
            let none = certifications.is_empty();
            for (term, found) in terms.iter().zip(&mut found).filter(|(term, _)| term.kind == TermKind::Word) {
                if none || !term.instead.is_empty() {
                    self.look_further(&plan, term, found, &mut budget).await?;
                }
            }
            let further = side(Subject::Certification, &found);
            certifications = union(Postings(certifications), Postings(further)).0;
        }
        if certifications.is_empty()
            && !school
            && !place_alone
            && let Some(region) = self.region_of_name(&plan, &found, &mut budget).await?
        {
            let named = found.iter().filter(|term| term.names_certifications(&plan));
            let lists = named.map(|term| term.of(&plan, Subject::Certification)).chain(facets.iter().cloned());
            let lists: Vec<Postings> = lists.chain([region]).collect();
            certifications = of_subject(&plan, Subject::Certification, &intersect(&lists)).0;
        }
        let mut approximate = found.iter().any(|term| term.unknown && !certifications.is_empty());
        let mut ids = [certifications, etablissements].concat();
        if ids.is_empty() && !terms.is_empty() {
            approximate = true;
            let lists = found.iter().map(|term| union(term.words.clone(), term.certifications.clone()));
            ids = nearest(lists.chain(facets.iter().cloned()));
        }
        // Whoever names a kind of establishment, or places alone, looks for an establishment.
        let place = |term: &Term| matches!(term.kind, TermKind::Region | TermKind::Town | TermKind::School);
        let establishments_first = school || place_alone || !terms.is_empty() && terms.iter().all(place);
        // Class first, then the accord, then the label.
        let mut ranks: Vec<(usize, u8, usize)> = ids
            .into_iter()
            .map(|(number, accord)| {
                let class = plan.class(number);
                // Establishments with data, those without, then certifications; or the order of the index.
                let order = if establishments_first { (class & 1 ^ 1) * 4 + class } else { class };
                (order, u8::MAX - accord.0, number)
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
        if !term.also.is_empty() {
            found.certifications = self.all_of(plan, &term.also, budget).await?;
        }
        for mark in &term.marks {
            let list = self.postings(plan, mark, budget).await?.unwrap_or_default().without_accord();
            if term.marks_of_etablissements.contains(mark) {
                found.etablissements = union(std::mem::take(&mut found.etablissements), list.clone());
            }
            found.certifications = union(std::mem::take(&mut found.certifications), list);
        }
        for mark in term.marks_of_etablissements.iter().filter(|mark| !term.marks.contains(mark)) {
            let list = self.postings(plan, mark, budget).await?.unwrap_or_default().without_accord();
            found.etablissements = union(std::mem::take(&mut found.etablissements), list);
        }
        found.unknown &= found.certifications.0.is_empty() && found.etablissements.0.is_empty();
        Ok(found)
    }

    /// The cards that have every word.
    async fn all_of(&self, plan: &SearchPlan, words: &[String], budget: &mut Budget) -> Result<Postings, StoreError> {
        let mut lists = Vec::new();
        for word in words {
            lists.push(self.postings(plan, word, budget).await?.unwrap_or_default());
        }
        Ok(Postings(intersect(&lists)))
    }

    /// The establishments of a town.
    async fn town(
        &self,
        plan: &SearchPlan,
        mark: Option<String>,
        budget: &mut Budget,
    ) -> Result<Option<Postings>, StoreError> {
        let Some(mark) = mark.filter(|_| budget.0 > 2) else { return Ok(None) };
        let list = self.postings(plan, &mark, budget).await?;
        Ok(list.map(Postings::without_accord).filter(|list| !list.0.is_empty()))
    }

    /// The certifications of the other terms with data in the region of a town: that which the last words name, else the
    /// first one (`cap cuisine le havre`, `brest bts`).
    async fn in_region_of_town(
        &self,
        plan: &SearchPlan,
        terms: &[Term],
        found: &[FoundTerm],
        facets: &[Postings],
        budget: &mut Budget,
    ) -> Result<Vec<(usize, MatchQuality)>, StoreError> {
        let end = terms.len();
        let last = (1..=TOWN_WORDS_MAX.min(end.saturating_sub(1))).rev().map(|count| (end - count, end));
        for (from, to) in last.chain((end > 1).then_some((0, 1))) {
            let Some(list) = self.town(plan, mark_of_town(terms, from, to), budget).await? else { continue };
            let Some((first, _)) = list.0.first() else { continue };
            let Some(region) = self.region_of(plan, *first, budget).await? else { continue };
            let others = found.iter().enumerate().filter(|(rank, _)| *rank < from || *rank >= to);
            let lists = others.map(|(_, term)| term.of(plan, Subject::Certification)).chain(facets.iter().cloned());
            let lists: Vec<Postings> = lists.chain([region]).collect();
            return Ok(of_subject(plan, Subject::Certification, &intersect(&lists)).0);
        }
        Ok(Vec::new())
    }

    /// The certifications with data in the region of an establishment. Two gets.
    async fn region_of(
        &self,
        plan: &SearchPlan,
        number: usize,
        budget: &mut Budget,
    ) -> Result<Option<Postings>, StoreError> {
        if budget.0 < 2 {
            return Ok(None);
        }
        budget.0 -= 1;
        let n = page(&plan.cards, number as u64).ok_or(StoreError::Damaged(PLAN_FAMILY.into()))?;
        let value = self.value(CARD_FAMILY, n).await?;
        let entry = value.find(&number.to_string())?.ok_or_else(|| value.damaged())?;
        let card = SearchCard::decode(entry).map_err(|Damaged| value.damaged())?;
        self.postings(plan, &mark::region(&card.region), budget).await
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
            let list = self.all_of(plan, &term.instead, budget).await?;
            if names_certifications(plan, &list) {
                found.unknown = false;
                found.certifications = union(std::mem::take(&mut found.certifications), list);
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
            let fitting = |found: &FoundTerm| union(found.words.clone(), found.certifications.clone()).0.len();
            let known = fitting(found);
            found.certifications = union(std::mem::take(&mut found.certifications), list);
            if fitting(found) > known {
                break;
            }
        }
        Ok(())
    }

    /// The certifications with data in the region of the establishment that the words of no certification name: a town
    /// where it lies. Two gets at most.
    async fn region_of_name(
        &self,
        plan: &SearchPlan,
        found: &[FoundTerm],
        budget: &mut Budget,
    ) -> Result<Option<Postings>, StoreError> {
        let of_places: Vec<Postings> =
            found.iter().filter(|term| !term.names_certifications(plan)).map(|term| term.words.clone()).collect();
        let others = found.iter().any(|term| term.names_certifications(plan));
        let named = of_subject(plan, Subject::Etablissement, &intersect(&of_places));
        // With data first, then by how well the name fits.
        let best = named.0.into_iter().min_by_key(|(n, accord)| (plan.class(*n), u8::MAX - accord.0, *n));
        match best.filter(|_| others) {
            Some((number, _)) => self.region_of(plan, number, budget).await,
            None => Ok(None),
        }
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

/// Words of a town's name, at most: `saint jean de luz` is three that are looked up.
const TOWN_WORDS_MAX: usize = 3;

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
    fn of(&self, plan: &SearchPlan, subject: Subject) -> Postings {
        let others = match subject {
            Subject::Certification => &self.certifications,
            Subject::Etablissement => &self.etablissements,
        };
        union(of_subject(plan, subject, &self.words.0), of_subject(plan, subject, &others.0))
    }

    fn names_certifications(&self, plan: &SearchPlan) -> bool {
        names_certifications(plan, &self.words) || names_certifications(plan, &self.certifications)
    }
}

fn names_certifications(plan: &SearchPlan, list: &Postings) -> bool {
    list.0.iter().any(|(number, _)| subject_of(plan, *number) == Subject::Certification)
}

/// The cards of a subject, out of some by rising number: those with data, then those without, lie together.
fn of_subject(plan: &SearchPlan, subject: Subject, list: &[(usize, MatchQuality)]) -> Postings {
    let [certifications, etablissements, bare, bare_etablissements, end] = plan.classes;
    let ranges = match subject {
        Subject::Certification => [(certifications, etablissements), (bare, bare_etablissements)],
        Subject::Etablissement => [(etablissements, bare), (bare_etablissements, end)],
    };
    let within = |(from, to): (usize, usize)| {
        let below = |limit| list.partition_point(|(number, _)| *number < limit);
        list.get(below(from)..below(to)).unwrap_or_default()
    };
    Postings(ranges.map(within).concat())
}

fn subject_of(plan: &SearchPlan, number: usize) -> Subject {
    if plan.class(number).is_multiple_of(2) { Subject::Certification } else { Subject::Etablissement }
}

/// Whether one of the certifications begins with the words as they were typed, where words are all that was.
fn begins_a_label(terms: &[Term], certifications: &[(usize, MatchQuality)]) -> bool {
    let best = certifications.iter().map(|(_, accord)| accord.0).max();
    best.is_some_and(|best| usize::from(best) > terms.len() * usize::from(MatchQuality::EXACT))
}

/// The mark of the town that terms name, where they are words.
fn mark_of_town(terms: &[Term], from: usize, to: usize) -> Option<String> {
    let named = terms.get(from..to).filter(|terms| (1..=TOWN_WORDS_MAX).contains(&terms.len()))?;
    let words: Vec<String> = named.iter().flat_map(|term| term.words.clone()).collect();
    named.iter().all(|term| term.kind == TermKind::Word).then(|| mark::town(&words)).flatten()
}

/// No card fits every list: those of as many as fit some card, then those of all but one, else those of the rarest.
fn nearest(lists: impl Iterator<Item = Postings>) -> Vec<(usize, MatchQuality)> {
    let lists: Vec<Postings> = lists.filter(|list| !list.0.is_empty()).collect();
    let ids = intersect(&lists);
    if !ids.is_empty() {
        return ids;
    }
    let all_but = |rank: usize| {
        let others = lists.iter().enumerate().filter(|(other, _)| *other != rank).map(|(_, list)| list.clone());
        intersect(&others.collect::<Vec<_>>())
    };
    let best = (0..lists.len()).map(all_but).filter(|ids| !ids.is_empty()).min_by_key(Vec::len);
    if let Some(ids) = best {
        return ids;
    }
    lists.into_iter().min_by_key(|list| list.0.len()).unwrap_or_default().0
}

/// The cards of either list, with the better of their qualities.
fn union(a: Postings, b: Postings) -> Postings {
    if a.0.is_empty() || b.0.is_empty() {
        return if b.0.is_empty() { a } else { b };
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
        let both = union(list(&[(1, 0), (4, 3)]), list(&[(0, 1), (4, 0), (9, 2)]));
        assert_eq!(both, list(&[(0, 1), (1, 0), (4, 3), (9, 2)]));
    }
}
