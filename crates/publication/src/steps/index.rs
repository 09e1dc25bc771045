//! The step that builds the search index ([`store::search`]).
//!
//! | sub-step | reads | writes |
//! | --- | --- | --- |
//! | while bundles are built | each document | what is known of its certification or establishment, by hash; where it lies, by hash |
//! | groups | one partition of what is known | one card each, by class, spread and label |
//! | cards | one partition of cards, sorted | pages of cards, numbered; their words, by hash |
//! | words, places | one partition, sorted by hash | pages |
//!
//! No indicator enters a record: only labels, codes, places and millesimes do.

use super::groups::{RNCP, Said, class, group_of, kind_of, read_groups, region_acce, short};
use super::pages::Pages;
use super::placement::{code_of, text};
use super::sample::KeySample;
use super::{JobStepper, PARTITION};
use crate::record_stream::RecordStream;
use crate::{Environment, JobStep, PublicationError};
use domain::code::is_rncp;
use domain::level::level_of_diplome;
use domain::{Document, Filiere, Kind, Maille};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use store::codec::{Decoder, Encoder};
use store::fold::{fold, unfold};
use store::kv::{KeyValueWrite, StoreError, VALUE_MAX};
use store::mark;
use store::search::{
    CARD_FAMILY, MatchQuality, PLACE_FAMILY, PLACES_MAX, PLAN_FAMILY, POSTINGS_MAX, PlaceTable, Postings, SearchCard,
    SearchPlan, TERM_FAMILY, code_key, keys_of_word, region_key, uai_key, useful_words,
};
use store::{Shelf, keys};

/// A page of words is closed at this size: a get costs nearly the same up to 32 KB.
const PAGE: usize = 32 * 1024;
/// Pages of cards and places are larger: the results of one search lie in fewer of them, and the
/// import writes fewer values.
const PAGE_LARGE: usize = 64 * 1024;
/// Bytes of the numbers under one word, at most: its page holds little else.
const POSTINGS_BYTES: usize = VALUE_MAX - 64 * 1024;
/// Bytes of words that lie beside a card on its way.
const WORDS_MAX: usize = 64 * 1024;
/// Places of a certification that its rank counts, at most.
const SPREAD_MAX: usize = 999_999;
/// What the index needs between two calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Index {
    #[serde(rename = "groupes")]
    pub groups: RecordStream,
    #[serde(rename = "fiches")]
    pub cards: RecordStream,
    /// Fiches as they came of their groups, before they are sorted.
    #[serde(rename = "avant")]
    before: RecordStream,
    #[serde(rename = "termes")]
    pub terms: RecordStream,
    #[serde(rename = "lieux")]
    pub places: RecordStream,
    #[serde(rename = "echantillon")]
    sample: KeySample,
    #[serde(rename = "separateurs")]
    separators: Vec<String>,
    #[serde(rename = "octets_fiches")]
    card_bytes: u64,
    #[serde(rename = "octets_termes")]
    term_bytes: u64,
    classes: [usize; 5],
    #[serde(rename = "bornes_termes")]
    term_fences: Vec<u64>,
    #[serde(rename = "bornes_fiches")]
    card_fences: Vec<u64>,
    #[serde(rename = "bornes_lieux")]
    place_fences: Vec<u64>,
    /// The next number of a card.
    #[serde(rename = "numerotees")]
    numbered: usize,
    /// Entries written and, while they are verified, not yet found again.
    #[serde(rename = "entrees_fiches")]
    card_entries: u64,
    #[serde(rename = "entrees_termes")]
    term_entries: u64,
    #[serde(rename = "entrees_lieux")]
    place_entries: u64,
}

fn parts(bytes: u64) -> usize {
    usize::try_from(bytes.div_ceil(PARTITION).max(1)).unwrap_or(1)
}

fn damaged() -> StoreError {
    StoreError::Damaged("recherche".into())
}

impl Index {
    /// Sized by the bytes of the sources: what is known of a document takes some 200 of its 1,000.
    pub fn new(nomenclature: u64, statistics: u64) -> Self {
        Self {
            groups: RecordStream::new("recherche.groupes", parts(nomenclature / 2 + statistics / 5)),
            places: RecordStream::new("recherche.lieux", parts(statistics / 4)),
            ..Self::default()
        }
    }

    /// The same, nothing in it.
    pub fn emptied(&self) -> Self {
        Self { groups: self.groups.emptied(), places: self.places.emptied(), ..Self::default() }
    }

    pub fn stream(&mut self) -> [&mut RecordStream; 5] {
        [&mut self.groups, &mut self.cards, &mut self.before, &mut self.terms, &mut self.places]
    }

    fn plan(&self) -> SearchPlan {
        SearchPlan {
            classes: self.classes,
            terms: self.term_fences.clone(),
            cards: self.card_fences.clone(),
            places: self.place_fences.clone(),
        }
    }
}

/// Where a document lies: its maille, place and code.
pub(super) struct DocumentPlace<'a> {
    pub maille: Maille,
    pub place: &'a str,
    pub code: &'a str,
}

/// What every document of an entry says together.
pub(super) struct IndexEntry {
    /// `filiere` and millesime of each version.
    pub versions: BTreeSet<(String, String)>,
    pub document: Document,
}

/// What a line says of the RNCP code of a certification; the rest of it is passed over.
#[derive(Deserialize)]
struct RncpLink<'a> {
    #[serde(borrow, rename = "cfd", alias = "code_certification")]
    code: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "rncp_code", alias = "rncp")]
    rncp: Option<Cow<'a, str>>,
}

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    async fn say(&mut self, group: &str, said: &Said<'_>) -> Result<(), StoreError> {
        let stream = &mut self.state.index.groups;
        let partition = keys::bundle(keys::hash(group), stream.partitions());
        stream.add(&mut self.writer, self.number, partition, &said.encode(group)).await
    }

    /// What the nomenclature says of a code or an establishment.
    pub(super) async fn index_nomenclature(&mut self, kind: Kind, document: &Document) -> Result<(), PublicationError> {
        let t = |field: &str| text(document, field);
        let diplome = document.get("diplome").and_then(|d| d.get("libelle")).and_then(|l| l.as_str());
        let empty = Said { rank: 0, diplome: diplome.unwrap_or_default(), ..Said::empty() };
        match kind {
            Kind::Bcn => {
                let (code, cfd, long, libelle) =
                    (t("code_certification"), t("code_formation_diplome"), t("libelle_long"), t("libelle"));
                let chosen = if long.is_empty() { &libelle } else { &long };
                let rank = if code == cfd { 0 } else { 1 };
                let said =
                    Said { rank, libelle: chosen, code: &code, code_kind: kind_of(&code), words: &libelle, ..empty };
                self.say(&group_of(&code, &cfd), &said).await?;
            }
            Kind::BcnSise => {
                let (code, libelle) = (t("diplome_sise"), t("libelle_intitule_1"));
                let said = Said { libelle: &libelle, code: &code, code_kind: "SISE", ..empty };
                self.say(&format!("s:{code}"), &said).await?;
            }
            Kind::Etablissement => {
                let (uai, name) = (t("numero_uai"), t("appellation_officielle"));
                let academie = t("academie");
                let towns = [t("localite_acheminement"), t("commune_libe"), t("departement_insee_3_libe")];
                let words = towns.join(" ");
                let mut marks: Vec<String> = towns.iter().filter_map(|name| mark::town(&useful_words(name))).collect();
                if !academie.is_empty() {
                    marks.push(mark::academie(&academie));
                }
                let marks = marks.join(" ");
                let said = Said {
                    libelle: &name,
                    uai: &uai,
                    region: region_acce(document),
                    words: &words,
                    marks: &marks,
                    ..empty
                };
                self.say(&format!("e:{uai}"), &said).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The RNCP code that a line of the catalogue, or one of its own, gives a CFD or a SISE code.
    pub(super) async fn index_rncp(&mut self, kind: Kind, json: &[u8]) -> Result<(), StoreError> {
        if !matches!(kind, Kind::Catalogue | Kind::Rncp) {
            return Ok(());
        }
        // A row of the catalogue may hold something else there: then it says nothing.
        let Ok(link) = serde_json::from_slice::<RncpLink<'_>>(json) else { return Ok(()) };
        let Some((code, rncp)) = link.code.zip(link.rncp).filter(|(_, rncp)| is_rncp(rncp)) else { return Ok(()) };
        let group = group_of(&code, &code);
        self.say(&group, &Said { code: &rncp, code_kind: RNCP, ..Said::empty() }).await
    }

    async fn locate(&mut self, key: &str, row: &[&str]) -> Result<(), StoreError> {
        let mut encoder = Encoder::default();
        encoder.text(key);
        for text in row {
            encoder.text(text);
        }
        let stream = &mut self.state.index.places;
        let partition = keys::bundle(keys::hash(key), stream.partitions());
        stream.add(&mut self.writer, self.number, partition, &encoder.0).await
    }

    /// What the documents of one certification in one place say: that they are there.
    pub(super) async fn index_entry(
        &mut self,
        place: &DocumentPlace<'_>,
        entry: &IndexEntry,
    ) -> Result<(), PublicationError> {
        let document = &entry.document;
        let t = |field: &str| text(document, field);
        let diplome = document.get("diplome").and_then(|d| d.get("libelle")).and_then(|l| l.as_str());
        let (libelle, cfd, diplome) = (t("libelle"), t("code_formation_diplome"), diplome.unwrap_or_default());
        let group = group_of(place.code, &cfd);
        let code_kind = kind_of(place.code);
        let of_filieres: BTreeSet<&str> = entry.versions.iter().map(|(f, _)| f.as_str()).collect();
        let mut marks: Vec<String> =
            of_filieres.iter().filter_map(|filiere| Filiere::parse(filiere)).map(mark::filiere).collect();
        let region = code_of(document, "region");
        if !region.is_empty() {
            marks.push(mark::region(&region));
        }
        marks.extend(level_of_diplome(diplome).map(|level| mark::level(level.slug)));
        let academie = code_of(document, "academie");
        if place.maille == Maille::Etablissement && !academie.is_empty() {
            marks.push(mark::academie(&academie));
        }
        let marks = marks.join(" ");
        let from = |rank| Said {
            rank,
            libelle: &libelle,
            diplome,
            uai: "",
            region: "",
            code: place.code,
            code_kind,
            has_data: true,
            words: "",
            marks: &marks,
        };
        self.say(&group, &from(if code_kind == "MEFSTAT11" { 3 } else { 2 })).await?;
        let millesimes: BTreeSet<&str> = entry.versions.iter().map(|(_, m)| m.as_str()).collect();
        let millesimes = millesimes.into_iter().collect::<Vec<_>>().join(",");
        let code = code_key(place.code);
        match place.maille {
            Maille::National => {
                self.locate(&code, &["0", &libelle, diplome, &cfd]).await?;
                for (filiere, millesime) in &entry.versions {
                    self.locate(&code, &["1", filiere, millesime]).await?;
                }
            }
            Maille::Regionale => {
                self.locate(&code, &["0", &libelle, diplome, &cfd]).await?;
                self.locate(&code, &["2", place.place, &millesimes]).await?;
            }
            Maille::Etablissement => {
                let name = t("libelle_etablissement");
                self.locate(&code, &["0", &libelle, diplome, &cfd]).await?;
                self.locate(&code, &["3", &region]).await?;
                self.locate(&region_key(place.code, &region), &[place.place, short(&name), &millesimes]).await?;
                let filieres = of_filieres.into_iter().collect::<Vec<_>>().join(",");
                let uai = uai_key(place.place);
                self.locate(&uai, &[place.code, short(&libelle), diplome, &filieres, &millesimes]).await?;
                let said = Said {
                    rank: 2,
                    libelle: &name,
                    diplome: "",
                    uai: place.place,
                    region: &region,
                    code: "",
                    code_kind: "",
                    ..from(2)
                };
                self.say(&format!("e:{}", place.place), &said).await?;
            }
            // Not searched: those who ask for a declared maille know its places.
            Maille::Declared => {}
        }
        Ok(())
    }

    pub(super) async fn index(&mut self) -> Result<Option<JobStep>, PublicationError> {
        let (phase, partition) = self.state.cursor;
        self.job.progress = (phase, 5);
        let partitions = match phase {
            0 => self.state.index.groups.partitions(),
            1 => self.state.index.before.partitions(),
            2 => self.state.index.cards.partitions(),
            3 => self.state.index.terms.partitions(),
            4 => self.state.index.places.partitions(),
            _ => {
                let plan = self.state.index.plan().encode();
                self.writer.put(PLAN_FAMILY, 0, plan).await?;
                return Ok(Some(JobStep::Match));
            }
        };
        if partition >= partitions {
            self.flush().await?;
            if phase == 0 {
                self.prepare_cards();
            }
            self.state.cursor = (phase + 1, 0);
            return Ok(None);
        }
        match phase {
            0 => self.group(partition).await?,
            1 => self.etaler(partition).await?,
            2 => self.number(partition).await?,
            3 => self.page_terms(partition).await?,
            _ => self.page_places(partition).await?,
        }
        self.state.cursor = (phase, partition + 1);
        self.flush_some().await?;
        Ok(None)
    }

    /// One card for each certification and establishment of a partition.
    async fn group(&mut self, partition: usize) -> Result<(), PublicationError> {
        if self.state.index.cards.partitions() == 0 {
            // Fiches are sorted by label: their own partitions are cut once a sample of labels is
            // known. Until then they wait in as many partitions as there are groups.
            self.state.index.cards = RecordStream::new("recherche.avant", self.state.index.groups.partitions());
        }
        let read = self.state.index.groups.read(self.kv, Shelf::own(&self.generation), partition).await?;
        for (key, group) in read_groups(read.records()).ok_or_else(damaged)? {
            let libelle = store::search::words(&group.version_set.libelle).join(" ");
            let code = group.version_set.codes.first().map_or(group.version_set.uai.as_str(), |c| c.code.as_str());
            // The group itself goes last: a certification may be spread over several records, told apart by it.
            // What is taught in most places comes first.
            let rarity = SPREAD_MAX.saturating_sub(group.spread());
            let sort = format!("{}\0{rarity:06}\0{libelle}\0{code}\0{key}", class(&group.version_set));
            // A diploma may have tens of thousands of courses, each found by its code: what does not fit beside the card
            // follows it, without one.
            let mut version_set = group.version_set.encode();
            let mut words = group.words.iter().peekable();
            loop {
                let (mut count, mut texts) = (0, Encoder::default());
                while let Some(word) = words.next_if(|_| texts.0.len() < WORDS_MAX) {
                    self.state.index.term_bytes += keys_of_word(word).map(|c| c.len() as u64 + 10).sum::<u64>();
                    texts.text(word);
                    count += 1;
                }
                let mut encoder = Encoder::default();
                encoder.text(&sort).bytes(&std::mem::take(&mut version_set)).size(count);
                encoder.0.append(&mut texts.0);
                let index = &mut self.state.index;
                index.card_bytes += encoder.0.len() as u64;
                index.cards.add(&mut self.writer, self.number, partition, &encoder.0).await?;
                if words.peek().is_none() {
                    break;
                }
            }
            self.state.index.sample.add(sort);
            if let Some(count) = self.state.index.classes.get_mut(class(&group.version_set)) {
                *count += 1;
            }
        }
        Ok(())
    }

    /// Cuts the partitions of cards, in their order.
    fn prepare_cards(&mut self) {
        let index = &mut self.state.index;
        index.before = std::mem::take(&mut index.cards);
        let sample = std::mem::take(&mut index.sample);
        index.separators = sample.separators(parts(index.card_bytes));
        index.cards = RecordStream::new("recherche.fiches", index.separators.len() + 1);
        index.terms = RecordStream::new("recherche.termes", parts(index.term_bytes));
        let mut start = 0;
        for count in &mut index.classes {
            (*count, start) = (start, start + *count);
        }
    }

    /// Spreads a partition of cards over those.
    async fn etaler(&mut self, partition: usize) -> Result<(), PublicationError> {
        let read = self.state.index.before.read(self.kv, Shelf::own(&self.generation), partition).await?;
        for record in read.records() {
            let sort = Decoder(record).text().ok_or_else(damaged)?.to_owned();
            let index = &mut self.state.index;
            let partition = index.separators.partition_point(|s| *s <= sort);
            index.cards.add(&mut self.writer, self.number, partition, record).await?;
        }
        Ok(())
    }

    /// Pages of cards, in order, and the words each is found by.
    async fn number(&mut self, partition: usize) -> Result<(), PublicationError> {
        let index = &mut self.state.index;
        let groups_read = index.cards.read(self.kv, Shelf::own(&self.generation), partition).await?;
        let mut cards: BTreeMap<&str, (&[u8], Vec<&str>)> = BTreeMap::new();
        for record in groups_read.records() {
            let mut r = Decoder(record);
            let mut read = || {
                let (sort, version_set) = (r.text()?, r.bytes()?);
                let count = r.size()?;
                Some((sort, version_set, (0..count).map(|_| r.text()).collect::<Option<Vec<_>>>()?))
            };
            let (sort, version_set, words) = read().ok_or_else(damaged)?;
            let known = cards.entry(sort).or_default();
            if !version_set.is_empty() {
                known.0 = version_set;
            }
            known.1.extend(words);
        }
        let mut number = index.numbered;
        let mut pages = Pages::new(CARD_FAMILY, &mut index.card_fences, PAGE_LARGE);
        for (version_set, words) in cards.into_values() {
            let groups_read = SearchCard::decode(version_set).map_err(|_| damaged())?;
            let first = useful_words(&groups_read.libelle).into_iter().next().unwrap_or_default();
            // One record for each key: the best match where several words begin alike.
            let mut keys: BTreeMap<&str, u8> = BTreeMap::new();
            for word in words {
                for key in keys_of_word(word) {
                    let exact = if key == word { MatchQuality::EXACT } else { 0 };
                    let accord = exact + if word == first { MatchQuality::FIRST } else { 0 };
                    let place = keys.entry(key).or_default();
                    *place = accord.max(*place);
                }
            }
            for (key, accord) in keys {
                let mut encoder = Encoder::default();
                encoder.text(key).size(number).number(u64::from(accord));
                let p = keys::bundle(keys::hash(key), index.terms.partitions());
                index.terms.add(&mut self.writer, self.number, p, &encoder.0).await?;
            }
            pages.add(&mut self.writer, number as u64, number.to_string(), version_set.to_vec()).await?;
            number += 1;
            index.card_entries += 1;
        }
        pages.close(&mut self.writer).await?;
        index.numbered = number;
        Ok(())
    }

    async fn page_terms(&mut self, partition: usize) -> Result<(), PublicationError> {
        let index = &mut self.state.index;
        let read = index.terms.read(self.kv, Shelf::own(&self.generation), partition).await?;
        let mut terms: BTreeMap<(u64, &str), Vec<(usize, MatchQuality)>> = BTreeMap::new();
        for record in read.records() {
            let mut r = Decoder(record);
            let key = r.text().ok_or_else(damaged)?;
            let (number, accord) = (r.size().ok_or_else(damaged)?, r.number().ok_or_else(damaged)?);
            let accord = MatchQuality(u8::try_from(accord).unwrap_or_default());
            terms.entry((keys::hash(key), key)).or_default().push((number, accord));
        }
        let mut pages = Pages::new(TERM_FAMILY, &mut index.term_fences, PAGE);
        for ((hash, key), mut ids) in terms {
            ids.sort_unstable();
            ids.truncate(POSTINGS_MAX);
            let mut entry = Postings(ids).encode();
            while entry.len() > POSTINGS_BYTES {
                let mut half = Postings::decode(&entry).map_err(|_| damaged())?;
                half.0.truncate(half.0.len() / 2);
                entry = half.encode();
            }
            index.term_entries += 1;
            pages.add(&mut self.writer, hash, key.to_owned(), entry).await?;
        }
        Ok(pages.close(&mut self.writer).await?)
    }

    async fn page_places(&mut self, partition: usize) -> Result<(), PublicationError> {
        let index = &mut self.state.index;
        let read = index.places.read(self.kv, Shelf::own(&self.generation), partition).await?;
        let mut places: BTreeMap<(u64, &str), BTreeSet<Vec<String>>> = BTreeMap::new();
        for record in read.records() {
            let mut r = Decoder(record);
            let key = r.text().ok_or_else(damaged)?;
            let mut row = Vec::new();
            while !r.0.is_empty() {
                row.push(r.text().ok_or_else(damaged)?.to_owned());
            }
            places.entry((keys::hash(key), key)).or_default().insert(row);
        }
        let mut pages = Pages::new(PLACE_FAMILY, &mut index.place_fences, PAGE_LARGE);
        for ((hash, key), rows) in places {
            index.place_entries += 1;
            let mut rows = PlaceTable(rows.into_iter().take(PLACES_MAX).collect());
            let mut entry = rows.encode();
            while entry.len() > VALUE_MAX / 2 {
                rows.0.truncate(rows.0.len() / 2);
                entry = rows.encode();
            }
            let entry = fold(&entry);
            pages.add(&mut self.writer, hash, key.to_owned(), entry).await?;
        }
        Ok(pages.close(&mut self.writer).await?)
    }

    /// Reads the index again: every page whole, every number a card, nothing missing. `true`
    /// once all of it was read; `departure` is where the last call stopped.
    pub(super) async fn verify_index(&mut self, departure: usize) -> Result<bool, PublicationError> {
        let value = self.shelf().get(self.kv, PLAN_FAMILY, 0).await?;
        let plan = SearchPlan::decode(value.content()?).map_err(|_| value.damaged())?;
        if plan != self.state.index.plan() {
            return Err(damaged().into());
        }
        let families =
            [(CARD_FAMILY, plan.cards.len()), (TERM_FAMILY, plan.terms.len()), (PLACE_FAMILY, plan.places.len())];
        let pages = families.into_iter().flat_map(|(family, count)| (0..count).map(move |n| (family, n)));
        for (rank, (family, n)) in pages.enumerate().skip(departure) {
            let value = self.shelf().get(self.kv, family, n).await?;
            let entries = value.entries()?;
            let missing = || value.damaged();
            let index = &mut self.state.index;
            let counted = match family {
                CARD_FAMILY => &mut index.card_entries,
                TERM_FAMILY => &mut index.term_entries,
                _ => &mut index.place_entries,
            };
            // What was counted when it was built must be found: to zero over the whole family.
            *counted = counted.checked_sub(entries.len() as u64).ok_or_else(missing)?;
            for (_, entry) in entries {
                let whole_number = match family {
                    CARD_FAMILY => SearchCard::decode(entry).is_ok(),
                    TERM_FAMILY => {
                        let total = plan.total();
                        Postings::decode(entry).is_ok_and(|p| p.0.iter().all(|(number, _)| *number < total))
                    }
                    _ => {
                        let unfolded = unfold(entry);
                        unfolded.is_some_and(|rows| PlaceTable::decode(&rows).is_ok())
                    }
                };
                if !whole_number {
                    return Err(missing().into());
                }
            }
            if !self.has_time() {
                self.state.cursor.1 = rank + 1;
                return Ok(false);
            }
        }
        let index = &self.state.index;
        if index.card_entries + index.term_entries + index.place_entries > 0 {
            return Err(damaged().into());
        }
        Ok(true)
    }
}
