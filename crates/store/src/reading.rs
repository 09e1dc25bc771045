//! Reading: one pointer value, and everything else under its generation (invariant 2).

use crate::chain;
use crate::hot::HotValues;
use crate::keys::{self, Family};
use crate::kv::Damaged;
use crate::kv::{KeyValue, StoreError};
use crate::list::{self, CodeEntry, Filter, Format, Order, Plan, Selection, UaiEntry};
use crate::matching::MatchingPool;
use crate::pointer::Pointer;
use crate::search::SearchPlan;
use crate::shelf::{Shelf, StoredValue};
use crate::version_set::{Version, VersionSet};
use domain::{DeclaredMaille, Maille};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// How long an instance may follow a pointer it has read, in milliseconds of the monotonic clock.
pub const POINTER_TTL_MS: u64 = 1_000;

/// How much of answers an instance keeps, in pages: 16 MiB, some 7,000 answers. Of requests for 50,000 documents drawn by
/// Zipf's law that is three in four.
const RENDERED_PAGES: usize = 64;
/// How much of other entries it keeps: 1 MiB.
const ENTRY_PAGES: usize = 4;

/// What readers are told of a declared maille.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedMaille {
    /// Its declaration.
    #[serde(flatten)]
    pub declared: DeclaredMaille,
    /// The latest millesime, in force where none is asked for.
    pub millesime: String,
    /// Those there are, latest first.
    pub millesimes: Vec<String>,
}

/// What a reused instance keeps between requests (invariant 6): nothing but values keyed by
/// generation, and the pointer for at most one second.
#[derive(Debug, Default)]
pub struct Cache(RefCell<CacheContent>);

impl Cache {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The answer kept for a target, given to `read`, and the generation that it was made under. It holds where the
    /// pointer still names that one ([`Reader::open`]).
    #[must_use]
    pub fn rendered<T>(&self, target: &str, read: impl FnOnce(&[u8]) -> T) -> Option<(Rc<Pointer>, T)> {
        let content = &mut *self.0.borrow_mut();
        let (_, pointer) = content.pointer.as_ref()?;
        let pointer = Rc::clone(pointer);
        Some((pointer, content.rendered.find(target, read)?))
    }
}

#[derive(Debug, Default)]
struct CacheContent {
    pointer: Option<(u64, Rc<Pointer>)>,
    plans: HashMap<String, Rc<Plan>>,
    search: Option<(String, Rc<SearchPlan>)>,
    matching: Rc<MatchingPool>,
    rendered: HotValues<RENDERED_PAGES>,
    entries: HotValues<ENTRY_PAGES>,
}

impl CacheContent {
    /// Hot values are those of the generation in use; a request on another one, older by a moment, passes them by.
    fn serves(&self, pointer: &Pointer) -> bool {
        self.pointer.as_ref().is_some_and(|(_, in_use)| in_use.generation == pointer.generation)
    }

    /// A new generation is in use: the old one's values will not be asked for again.
    fn forget(&mut self) {
        self.plans.clear();
        self.search = None;
        self.matching.clear();
        self.rendered.clear();
        self.entries.clear();
    }
}

/// Reads one generation.
#[derive(Clone, Debug)]
pub struct Reader<K> {
    kv: K,
    cache: Rc<Cache>,
    pointer: Rc<Pointer>,
}

impl<K: KeyValue> Reader<K> {
    /// Follows the pointer, read again when the instance's copy is older than
    /// [`POINTER_TTL_MS`]; `monotonic` is the monotonic clock in milliseconds.
    ///
    /// # Errors
    /// [`StoreError::Empty`] before the first publication, or that of the store.
    pub async fn open(kv: K, cache: Rc<Cache>, monotonic: u64) -> Result<Self, StoreError> {
        let known = cache.0.borrow().pointer.clone();
        if let Some((read, pointer)) = known
            && monotonic.saturating_sub(read) < POINTER_TTL_MS
        {
            return Ok(Self { kv, cache, pointer });
        }
        let bytes = kv.get(keys::POINTER).await?.ok_or(StoreError::Empty)?;
        let pointer = Pointer::read(&bytes)?;
        let mut content = cache.0.borrow_mut();
        if content.pointer.as_ref().is_none_or(|(_, before)| before.generation != pointer.generation) {
            content.forget();
        }
        let pointer = Rc::new(pointer);
        content.pointer = Some((monotonic, Rc::clone(&pointer)));
        drop(content);
        Ok(Self { kv, cache, pointer })
    }

    /// The same request on the generation before, where the pointer names one.
    #[must_use]
    pub fn previous(self) -> Option<Self> {
        let pointer = Rc::new(self.pointer.previous.as_deref()?.clone());
        // One of a layout that this version does not read is none.
        pointer.shelf().ok()?;
        Some(Self { pointer, ..self })
    }

    /// The same request on the generation that is asked for, where it is the one in use or the one before.
    #[must_use]
    pub fn pinned(self, generation: Option<&str>) -> Option<Self> {
        match generation {
            Some(asked) if self.pointer.generation != asked => {
                self.previous().filter(|previous| previous.pointer.generation == asked)
            }
            _ => Some(self),
        }
    }

    /// The same, to be kept.
    #[must_use]
    pub fn shared_pointer(&self) -> Rc<Pointer> {
        Rc::clone(&self.pointer)
    }

    /// The store that it reads.
    #[must_use]
    pub fn store(&self) -> &K {
        &self.kv
    }

    /// The pointer followed.
    #[must_use]
    pub fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    fn shelf(&self) -> Result<Shelf<'_>, StoreError> {
        self.pointer.shelf()
    }

    /// A value that the generation must hold.
    pub(crate) async fn value(&self, family: &str, n: usize) -> Result<StoredValue, StoreError> {
        self.shelf()?.get(&self.kv, family, n).await
    }

    /// A value that an older generation may lack.
    pub(crate) async fn value_if_any(&self, family: &str, n: usize) -> Result<Option<StoredValue>, StoreError> {
        self.shelf()?.find(&self.kv, family, n).await
    }

    pub(crate) async fn outside_generation(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.kv.get(key).await
    }

    /// The entry of a key in a family, given to `read`; `None` only where a whole bundle does not hold it.
    async fn entry<T>(
        &self,
        family: Family,
        key: &str,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let bundles = self.pointer.bundles(family);
        if bundles == 0 {
            return Ok(None);
        }
        let n = keys::bundle(keys::hash(key), bundles);
        let bundle = self.value(family.name(), n).await?;
        bundle.find(key)?.map(|bytes| read(bytes).ok_or_else(|| bundle.damaged())).transpose()
    }

    /// [`Self::entry`] as it is, kept where it was found.
    async fn hot_entry(&self, family: Family, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let hot = keys::pair(family.name(), key);
        if let Some(entry) = self.hot(|content| content.entries.find(&hot, <[u8]>::to_vec)) {
            return Ok(Some(entry));
        }
        let entry = self.entry(family, key, |bytes| Some(bytes.to_vec())).await?;
        if let Some(entry) = &entry {
            self.keep(|content| content.entries.keep(&hot, entry));
        }
        Ok(entry)
    }

    fn hot<T>(&self, make: impl FnOnce(&mut CacheContent) -> Option<T>) -> Option<T> {
        let content = &mut *self.cache.0.borrow_mut();
        if content.serves(&self.pointer) { make(content) } else { None }
    }

    fn keep(&self, make: impl FnOnce(&mut CacheContent)) {
        let content = &mut *self.cache.0.borrow_mut();
        if content.serves(&self.pointer) {
            make(content);
        }
    }

    /// Every version of a certification in a place (`""` nationally).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn version_set(&self, maille: Maille, place: &str, code: &str) -> Result<Option<VersionSet>, StoreError> {
        self.entry(Family::Documents(maille), &keys::pair(place, code), VersionSet::decode).await
    }

    /// The version that [`VersionSet::version`] would choose of the millesimes accepted, read alone; every version where none is
    /// chosen.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn version(
        &self,
        maille: Maille,
        place: &str,
        code: &str,
        accepts: impl Fn(&str) -> bool,
    ) -> Result<Result<Version, VersionSet>, StoreError> {
        let read = |bytes: &[u8]| match VersionSet::read_version(bytes, &accepts)? {
            Some(version) => Some(Ok(version)),
            None => VersionSet::decode(bytes).map(Err),
        };
        let found = self.entry(Family::Documents(maille), &keys::pair(place, code), read).await?;
        Ok(found.unwrap_or(Err(VersionSet::default())))
    }

    /// Whether a bundle of each family is there, another one at each turn. A server that drops values tells nobody; asked again
    /// and again, this finds it before most requests do.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sample_is_there(&self, turn: u64) -> Result<bool, StoreError> {
        let shelf = self.shelf()?;
        for family in Family::ALL {
            let bundles = self.pointer.bundles(family);
            let n = keys::bundle(keys::hash(&keys::pair(family.name(), itoa::Buffer::new().format(turn))), bundles);
            if bundles > 0 && shelf.find(&self.kv, family.name(), n).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Keeps an answer for [`Cache::rendered`], where its generation is the one in use.
    pub fn keep_rendered(&self, target: &str, rendered: &[u8]) {
        self.keep(|content| content.rendered.keep(target, rendered));
    }

    /// A record of the nomenclature: `bcn:40025214`, `bcn_sise:2500249`, `etablissement:0750652B`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn nomenclature(&self, kind: &str, code: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.hot_entry(Family::Nomenclature, &keys::pair(kind, code)).await
    }

    /// The stored counts of a CFD in a place; read by the filieres view only.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn counts(&self, place: &str, cfd: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.hot_entry(Family::Counts, &keys::pair(place, cfd)).await? {
            Some(entry) => {
                let entry = self.whole(Family::Counts.name(), entry).await?;
                let unfolded = self.shelf()?.unfolded(entry);
                unfolded.map(Some).ok_or_else(|| StoreError::Damaged(Family::Counts.name().to_owned()))
            }
            None => Ok(None),
        }
    }

    /// An entry, put together where it is too large to lie in its place.
    async fn whole(&self, family: &str, entry: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        chain::whole(&self.kv, self.shelf()?, family, entry).await
    }

    /// The plan of a list, read once per generation and instance. `None` where the generation has
    /// no such list.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plan(&self, list: &str) -> Result<Rc<Plan>, StoreError> {
        let family = list::plan_family(list);
        let key = keys::value(&self.pointer.generation, &family, 0);
        if let Some(plan) = self.cache.0.borrow().plans.get(&key) {
            return Ok(Rc::clone(plan));
        }
        let plan = Rc::new(Plan::read(&self.kv, self.shelf()?, list).await?);
        self.cache.0.borrow_mut().plans.insert(key, Rc::clone(&plan));
        Ok(plan)
    }

    /// The plan of the search index that this instance keeps, or the one that `read` brings.
    pub(crate) async fn keep_search_plan(
        &self,
        read: impl Future<Output = Result<SearchPlan, StoreError>>,
    ) -> Result<Rc<SearchPlan>, StoreError> {
        let generation = &self.pointer.generation;
        if let Some((g, plan)) = &self.cache.0.borrow().search
            && g == generation
        {
            return Ok(Rc::clone(plan));
        }
        let plan = Rc::new(read.await?);
        self.cache.0.borrow_mut().search = Some((generation.clone(), Rc::clone(&plan)));
        Ok(plan)
    }

    /// What this instance keeps for the matching of catalogues.
    #[must_use]
    pub fn matching_pool(&self) -> Rc<MatchingPool> {
        Rc::clone(&self.cache.0.borrow().matching)
    }

    /// The declared mailles, by name. One get where there are some.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn mailles(&self) -> Result<Vec<PublishedMaille>, StoreError> {
        if self.pointer.millesimes.mailles.is_empty() {
            return Ok(Vec::new());
        }
        let value = self.value(keys::DECLARATIONS, 0).await?;
        serde_json::from_slice(value.content()?).map_err(|_| value.damaged())
    }

    /// The rows of a list that pass a filter. One get for each page that holds a code or UAI that is asked for.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn selection(&self, list: &str, plan: &Plan, filter: &Filter) -> Result<Selection, StoreError> {
        if !filter.uais.is_empty() {
            return self.selection_uais(list, plan, filter).await;
        }
        if !filter.codes.is_empty() {
            return self.selection_codes(list, plan, filter).await;
        }
        Ok(plan.choose(filter))
    }

    /// The entry of a key. `last` is the page that the key before was looked for in: keys come sorted, so that however many
    /// are asked for, each page is got once.
    async fn page(
        &self,
        family: &str,
        first: &[String],
        key: &str,
        last: &mut Option<(usize, StoredValue)>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(n) = list::page(first, key) else { return Ok(None) };
        let page = match last.take() {
            Some((known, page)) if known == n => page,
            _ => self.value(family, n).await?,
        };
        let (_, page) = last.insert((n, page));
        match page.find(key)? {
            Some(entry) => self.whole(family, entry.to_vec()).await.map(Some),
            None => Ok(None),
        }
    }

    async fn selection_codes(&self, list: &str, plan: &Plan, filter: &Filter) -> Result<Selection, StoreError> {
        let family = list::codes_family(list);
        let mut selection = Selection { order: Order::Codes, stretches: Vec::new() };
        let mut last = None;
        for code in unique(&filter.codes) {
            let Some(bytes) = self.page(&family, &plan.pages_codes, code, &mut last).await? else { continue };
            let entry = CodeEntry::decode(&bytes).map_err(|Damaged| StoreError::Damaged(family.clone()))?;
            for stretch in entry.0.iter().filter(|p| filter.accepts(p)) {
                selection.add(stretch.start, stretch.count);
            }
        }
        Ok(selection)
    }

    async fn selection_uais(&self, list: &str, plan: &Plan, filter: &Filter) -> Result<Selection, StoreError> {
        let family = list::uais_family(list);
        let mut ranks: Vec<(usize, usize)> = Vec::new();
        let (asked, mut last) = (unique(&filter.codes), None);
        for uai in unique(&filter.uais) {
            let Some(bytes) = self.page(&family, &plan.pages_uais, uai, &mut last).await? else { continue };
            let entry = UaiEntry::decode(&bytes).map_err(|Damaged| StoreError::Damaged(family.clone()))?;
            for (stretch, codes) in entry.0.iter().filter(|(p, _)| filter.accepts(p)) {
                if filter.codes.is_empty() {
                    ranks.push((stretch.start, stretch.count));
                } else {
                    let retained =
                        codes.iter().enumerate().filter(|(_, code)| asked.binary_search(&code.as_str()).is_ok());
                    ranks.extend(retained.map(|(i, _)| (stretch.start + i, 1)));
                }
            }
        }
        ranks.sort_unstable();
        let mut selection = Selection { order: Order::Places, stretches: Vec::new() };
        for (start, count) in ranks {
            selection.add(start, count);
        }
        Ok(selection)
    }

    /// A segment of a list.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn segment(&self, list: &str, order: Order, format: Format, n: usize) -> Result<StoredValue, StoreError> {
        self.value(&list::family(list, order, format), n).await
    }
}

fn unique(values: &[String]) -> Vec<&str> {
    domain::unique(values.iter().map(String::as_str))
}
