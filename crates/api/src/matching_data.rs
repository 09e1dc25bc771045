//! What rows and identifiers ask for: fetched page by page, and asked again until everything is there.

use crate::error::ApiError;
use matching::Nomenclatures;
use matching::packed::{Entries, InForce, Packed, Section, place_of};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use store::kv::{KeyValue, StoreError};
use store::matching::{BatchSlot, LINK_FAMILY, MatchingPlan, PLACE_FAMILY, POOL_MAX};
use store::{Reader, StoredValue, keys};

/// How often a row is judged at most: a look-up that depends on another one asks for a page more. The longest chain of
/// the rules has some ten links.
const ROUNDS_MAX: usize = 64;

/// What is said, and what helps, where a generation has nothing to match with.
pub(crate) const NOT_YET_PUBLISHED: [&str; 2] =
    ["Les données de l'appariement ne sont pas encore publiées.", "Elles le sont avec la prochaine publication."];

/// What the matching of one generation looks up, as a request reads it.
pub(crate) struct MatchingData<K> {
    reader: Reader<K>,
    plan: Rc<MatchingPlan>,
    in_force: InForce,
    author: Option<String>,
    pub(crate) nomenclatures: Nomenclatures,
    pages: RefCell<PagesAtHand>,
    slot: Option<BatchSlot>,
}

/// Pages at hand, and what was asked of others.
#[derive(Default)]
struct PagesAtHand {
    held: HashMap<(Section, usize), Rc<StoredValue>>,
    bytes: usize,
    missed: BTreeSet<(Section, usize)>,
    fault: Option<StoreError>,
}

fn family(section: Section) -> &'static str {
    match section {
        Section::Links => LINK_FAMILY,
        Section::Places => PLACE_FAMILY,
    }
}

impl<K: KeyValue> MatchingData<K> {
    /// The data of a generation, of a millesime or of those in force; `author`: whose codes given by hand count. `None`
    /// where nothing to match with is published.
    pub(crate) async fn open(
        reader: Reader<K>,
        millesime: Option<&str>,
        author: Option<String>,
    ) -> Result<Option<Self>, ApiError> {
        let Some(plan) = reader.matching_plan().await? else { return Ok(None) };
        let millesimes = &reader.pointer().millesimes;
        let asked_for = |in_force: &Option<String>| millesime.map(str::to_owned).or_else(|| in_force.clone());
        let in_force = InForce {
            formations: asked_for(&millesimes.formations),
            formations_sup: asked_for(&millesimes.formations_sup),
            certifications: asked_for(&millesimes.certifications),
            certifications_sup: asked_for(&millesimes.certifications_sup),
        };
        let pages = RefCell::default();
        let nomenclatures = Nomenclatures::default();
        Ok(Some(Self { reader, plan, in_force, author, nomenclatures, pages, slot: None }))
    }

    /// Takes the right to answer a whole catalogue, kept as long as this is; `false` where others have it.
    pub(crate) fn take_slot(&mut self) -> bool {
        self.slot = self.reader.matching_pool().slot();
        self.slot.is_some()
    }

    /// What reads the generation that it is of.
    pub(crate) fn reader(&self) -> &Reader<K> {
        &self.reader
    }

    pub(crate) fn generation(&self) -> &str {
        &self.reader.pointer().generation
    }

    /// What a question yields once every page that it asks for is at hand.
    pub(crate) async fn settle<T>(&self, ask: impl Fn(&Packed<'_, Self>, &Nomenclatures) -> T) -> Result<T, ApiError> {
        let packed = Packed::new(self, &self.in_force, self.author.as_deref());
        for _ in 0..ROUNDS_MAX {
            let answer = ask(&packed, &self.nomenclatures);
            let missed = {
                let pages = &mut *self.pages.borrow_mut();
                if let Some(fault) = pages.fault.take() {
                    return Err(fault.into());
                }
                std::mem::take(&mut pages.missed)
            };
            if missed.is_empty() {
                self.let_go();
                return Ok(answer);
            }
            for (section, n) in missed {
                let page = self.reader.matching_page(family(section), n).await?;
                let pages = &mut *self.pages.borrow_mut();
                pages.bytes += page.size();
                pages.held.insert((section, n), page);
            }
        }
        eprintln!("appariement: a row asked for more pages than {ROUNDS_MAX} rounds bring");
        Err(ApiError::Unavailable)
    }

    /// Pages that the instance no longer keeps would be held beside those that it does: between two rows they go.
    fn let_go(&self) {
        let pages = &mut *self.pages.borrow_mut();
        if pages.bytes > POOL_MAX / 2 {
            pages.held.clear();
            pages.bytes = 0;
        }
    }
}

impl<K: KeyValue> Entries for MatchingData<K> {
    fn entry(&self, section: Section, key: &str) -> Option<Vec<u8>> {
        let (fences, spread) = match section {
            Section::Links => (&self.plan.links, key),
            Section::Places => (&self.plan.places, place_of(key)),
        };
        let pages = &mut *self.pages.borrow_mut();
        for n in MatchingPlan::pages(fences, keys::hash(spread)) {
            let Some(page) = pages.held.get(&(section, n)) else {
                pages.missed.insert((section, n));
                continue;
            };
            match page.find(key) {
                Ok(None) => {}
                Ok(found) => return found.map(<[u8]>::to_vec),
                Err(fault) => pages.fault = Some(fault),
            }
        }
        None
    }

    fn damaged(&self, section: Section, key: &str) {
        self.pages.borrow_mut().fault = Some(StoreError::Damaged(format!("{} {key}", family(section))));
    }
}
