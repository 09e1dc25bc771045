//! The search index: words and codes to certifications and establishments, and where each has data.
//!
//! One **certification** is a CFD with the MEFs that lead to it, or a SISE code: what people look
//! for has one label, whatever its codes. Fiches are numbered in the order they are worth showing:
//! certifications with data, establishments with data, then the rest, each by label.
//!
//! | family | found by | holds |
//! | --- | --- | --- |
//! | `recherche` | 0 | the plan: how many cards, where pages begin |
//! | `recherche.termes` | a folded prefix of a word, up to [`PREFIX_MAX`] letters, or the whole word; a mark ([`crate::mark`]): a level, a filiere, a region | numbers of cards, with how well each matches |
//! | `recherche.fiches` | a number | label, codes, place |
//! | `recherche.lieux` | `c:{code}`, `c:{code}:{region}`, `e:{uai}` | millesimes, regions, establishments, formations |
//!
//! Every family lies in pages of entries sorted by hash (cards: by number), found by the fences
//! of the plan: one get each. No entry holds an indicator, hidden or not: only that a document
//! exists, which its own route says too.

use crate::codec::{Decoder, Encoder};
use crate::kv::Damaged;
use crate::mark::MARK;
use domain::letters::fold;

/// The family of the plan.
pub const PLAN_FAMILY: &str = "recherche";
/// The family of words.
pub const TERM_FAMILY: &str = "recherche.termes";
/// The family of cards.
pub const CARD_FAMILY: &str = "recherche.fiches";
/// The family of places.
pub const PLACE_FAMILY: &str = "recherche.lieux";

/// Every prefix up to this length is an entry of its own: looking up what someone is still typing
/// is one get.
pub const PREFIX_MAX: usize = 8;
/// Longest word kept.
const WORD_MAX: usize = 24;
/// Words of a query that are looked up: the longest ones.
pub const WORDS_MAX: usize = 5;
/// Fiches under one word, at most: 3 bytes each stay far below a value. The first are kept, those
/// with data.
pub const POSTINGS_MAX: usize = 60_000;
/// Entries of a place, at most.
pub const PLACES_MAX: usize = 2_000;
/// Gets of a search, at most, the pointer and the plan included.
pub const GETS_MAX: usize = 16;

/// Words too common to look for.
const STOP_WORDS: [&str; 14] = ["a", "au", "aux", "d", "de", "des", "du", "en", "et", "l", "la", "le", "les", "s"];
/// What may stand before a code.
const CODE_PREFIXES: [&str; 5] = ["cfd", "mefstat11", "mef", "sise", "uai"];

/// Words of a text: lower case, without accents, cut at everything that is no letter or digit.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
            continue;
        }
        match fold(c) {
            Some(folded) => word.push_str(&folded),
            None if word.is_empty() => {}
            None => words.push(std::mem::take(&mut word)),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    for word in &mut words {
        if let Some((end, _)) = word.char_indices().nth(WORD_MAX) {
            word.truncate(end);
        }
    }
    words
}

/// The words of a text that are looked for; all of them where none is left.
#[must_use]
pub fn useful_words(text: &str) -> Vec<String> {
    let all = words(text);
    let useful: Vec<String> = all.iter().filter(|m| !STOP_WORDS.contains(&m.as_str())).cloned().collect();
    if useful.is_empty() { all } else { useful }
}

/// What is looked up for a query: its words, without what stands before a code, the longest first
/// kept, in the order they were typed.
#[must_use]
pub fn search_words(q: &str) -> Vec<String> {
    let mut words = useful_words(q);
    // `RNCP 4911` is one code.
    if let Some(rank) = words.windows(2).position(|m| matches!(m, [r, n] if r == RNCP && is_number(n))) {
        let count = words.remove(rank + 1);
        if let Some(rncp) = words.get_mut(rank) {
            rncp.push_str(&count);
        }
    }
    let code = |m: &String| m.len() >= 6 && m.bytes().any(|b| b.is_ascii_digit());
    if words.len() > 1 && words.iter().any(code) {
        words.retain(|m| !CODE_PREFIXES.contains(&m.as_str()));
    }
    let mut unique: Vec<String> = Vec::new();
    for word in words {
        if !unique.contains(&word) {
            unique.push(word);
        }
    }
    while unique.len() > WORDS_MAX {
        let short = (0..unique.len()).min_by_key(|i| unique.get(*i).map_or(0, String::len)).unwrap_or_default();
        unique.remove(short);
    }
    unique
}

/// What stands before the number of an entry of the national directory.
pub(crate) const RNCP: &str = "rncp";

/// A shorter number is more likely something else than an RNCP code that lost its letters.
pub(crate) const NUMBER_MIN: usize = 3;

pub(crate) fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
}

fn is_rncp(word: &str) -> bool {
    word.strip_prefix(RNCP).is_some_and(is_number)
}

/// The keys under which a word is found: every prefix up to [`PREFIX_MAX`], and itself. What all
/// RNCP codes begin with finds none of them: it would find nearly every certification.
pub fn keys_of_word(word: &str) -> impl Iterator<Item = &str> {
    let ends = word.char_indices().map(|(i, c)| i + c.len_utf8());
    let too_short = if is_rncp(word) { RNCP.len() } else { 0 };
    // A mark is found whole or not at all.
    let prefixes = if word.starts_with(MARK) { 0 } else { PREFIX_MAX };
    ends.take(prefixes)
        .filter(move |end| *end > too_short)
        .chain([word.len()])
        .scan(0, |before, end| {
            let new = end > *before;
            *before = end;
            Some(word.get(..end).filter(|_| new))
        })
        .flatten()
}

/// The first letters of a word, as far as prefixes are kept.
pub(crate) fn start(word: &str, letters: usize) -> &str {
    word.char_indices().nth(letters).and_then(|(end, _)| word.get(..end)).unwrap_or(word)
}

/// How well a word matches a card: the word itself, the first word of the label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MatchQuality(pub u8);

impl MatchQuality {
    /// The key is the whole word.
    pub const EXACT: u8 = 2;
    /// The word begins the label.
    pub const FIRST: u8 = 1;
}

/// The cards under a word, by rising number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Postings(pub Vec<(usize, MatchQuality)>);

impl Postings {
    /// The same, of cards that match only somehow.
    #[must_use]
    pub fn without_accord(self) -> Self {
        Self(self.0.into_iter().map(|(number, _)| (number, MatchQuality(0))).collect())
    }

    /// The stored form: the steps between numbers, with two bits for the accord.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        let mut before = 0;
        for (number, accord) in &self.0 {
            encoder.size((number.saturating_sub(before) << 2) | usize::from(accord.0 & 3));
            before = *number;
        }
        encoder.0
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut decoder = Decoder(bytes);
        let mut postings = Vec::new();
        let mut before = 0usize;
        while !decoder.0.is_empty() {
            let step = decoder.size().ok_or(Damaged)?;
            before = before.checked_add(step >> 2).ok_or(Damaged)?;
            postings.push((before, MatchQuality(u8::try_from(step & 3).unwrap_or_default())));
        }
        Ok(Self(postings))
    }
}

/// What a card is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A CFD and its MEFs, or a SISE code.
    Certification,
    /// An establishment.
    Etablissement,
}

/// A code of a certification.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CardCode {
    /// Without prefix.
    pub code: String,
    /// `CFD`, `MEFSTAT11` or `SISE`.
    pub code_kind: String,
    /// Whether any document is published under it.
    pub has_data: bool,
}

/// What a search shows of a certification or an establishment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchCard {
    /// Which of the two.
    pub subject: Subject,
    /// Its label or name.
    pub libelle: String,
    /// The level of a certification (`BAC PRO`); empty where unknown.
    pub diplome: String,
    /// The UAI of an establishment; empty for certifications.
    pub uai: String,
    /// INSEE code of the region of an establishment; empty where unknown.
    pub region: String,
    /// The codes of a certification.
    pub codes: Vec<CardCode>,
    /// The entries of the national directory it leads to: `RNCP4911`. No route takes them.
    pub rncp: Vec<String>,
    /// Whether any document is published of it.
    pub has_data: bool,
}

impl SearchCard {
    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        let flags = u64::from(self.subject == Subject::Etablissement) | (u64::from(self.has_data) << 1);
        encoder.number(flags).text(&self.libelle).text(&self.diplome).text(&self.uai).text(&self.region);
        encoder.size(self.codes.len());
        for code in &self.codes {
            encoder.text(&code.code).text(&code.code_kind).number(u64::from(code.has_data));
        }
        for rncp in &self.rncp {
            encoder.text(rncp);
        }
        encoder.0
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut decoder = Decoder(bytes);
        let mut read = || {
            let flags = decoder.number()?;
            let mut version_set = Self {
                subject: if flags & 1 == 1 { Subject::Etablissement } else { Subject::Certification },
                libelle: decoder.text()?.into(),
                diplome: decoder.text()?.into(),
                uai: decoder.text()?.into(),
                region: decoder.text()?.into(),
                codes: Vec::new(),
                rncp: Vec::new(),
                has_data: flags & 2 == 2,
            };
            for _ in 0..decoder.size()? {
                version_set.codes.push(CardCode {
                    code: decoder.text()?.into(),
                    code_kind: decoder.text()?.into(),
                    has_data: decoder.number()? == 1,
                });
            }
            while !decoder.0.is_empty() {
                version_set.rncp.push(decoder.text()?.into());
            }
            Some(version_set)
        };
        read().ok_or(Damaged)
    }
}

/// Where a code, or an establishment, has data: texts in a fixed number of columns, the last of
/// them millesimes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceTable(pub Vec<Vec<String>>);

impl PlaceTable {
    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        for row in &self.0 {
            encoder.size(row.len());
            for text in row {
                encoder.text(text);
            }
        }
        encoder.0
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut decoder = Decoder(bytes);
        let mut rows = Vec::new();
        while !decoder.0.is_empty() {
            let count = decoder.size().ok_or(Damaged)?;
            let row: Option<Vec<String>> = (0..count).map(|_| decoder.text().map(str::to_owned)).collect();
            rows.push(row.ok_or(Damaged)?);
        }
        Ok(Self(rows))
    }
}

/// The key of the places of a code.
#[must_use]
pub fn code_key(code: &str) -> String {
    format!("c:{code}")
}

/// The key of the establishments of a code in a region.
#[must_use]
pub fn region_key(code: &str, region: &str) -> String {
    format!("c:{code}:{region}")
}

/// The key of the formations of an establishment.
#[must_use]
pub fn uai_key(uai: &str) -> String {
    format!("e:{uai}")
}

/// What a reader needs to know before its first lookup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPlan {
    /// The first number of each class: certifications with data, establishments with data,
    /// certifications without, establishments without; then how many cards there are.
    pub classes: [usize; 5],
    /// The first hash of each page of words.
    pub terms: Vec<u64>,
    /// The first number of each page of cards.
    pub cards: Vec<u64>,
    /// The first hash of each page of places.
    pub places: Vec<u64>,
}

impl SearchPlan {
    /// How many cards there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.classes.last().copied().unwrap_or_default()
    }

    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        for start in self.classes {
            encoder.size(start);
        }
        for fences in [&self.terms, &self.cards, &self.places] {
            encoder.size(fences.len());
            for fence in fences {
                encoder.0.extend_from_slice(&fence.to_le_bytes());
            }
        }
        encoder.0
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut decoder = Decoder(bytes);
        let mut read = || {
            let mut plan = Self::default();
            for start in &mut plan.classes {
                *start = decoder.size()?;
            }
            for fences in [&mut plan.terms, &mut plan.cards, &mut plan.places] {
                for _ in 0..decoder.size()? {
                    let (fence, remainder) = decoder.0.split_first_chunk::<8>()?;
                    decoder.0 = remainder;
                    fences.push(u64::from_le_bytes(*fence));
                }
            }
            Some(plan)
        };
        read().ok_or(Damaged)
    }

    /// The class of a card, from 0.
    pub(crate) fn class(&self, number: usize) -> usize {
        self.classes.iter().skip(1).take(3).filter(|start| **start <= number).count()
    }
}

/// The page that holds a hash or a number.
pub(crate) fn page(fences: &[u64], key: u64) -> Option<usize> {
    fences.partition_point(|b| *b <= key).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_folded_and_cut() {
        assert_eq!(words("Œuvre d'ÉTÉ, Maçon-carreleur"), ["oeuvre", "d", "ete", "macon", "carreleur"]);
        assert_eq!(useful_words("Métiers de l'électricité"), ["metiers", "electricite"]);
        assert_eq!(useful_words("de la"), ["de", "la"]);
        assert_eq!(words("E\u{301}te\u{301}"), ["ete"]);
    }

    #[test]
    fn queries_lose_what_stands_before_a_code_and_keep_five_words() {
        assert_eq!(search_words("MEFSTAT11:23830099011"), ["23830099011"]);
        assert_eq!(search_words("CFD"), ["cfd"]);
        assert_eq!(search_words("a1 bb2 ccc3 dddd4 eeeee5 ffffff ggggggg").len(), WORDS_MAX);
    }

    #[test]
    fn a_word_is_found_by_its_prefixes_and_itself() {
        assert_eq!(keys_of_word("ete").collect::<Vec<_>>(), ["e", "et", "ete"]);
        let keys: Vec<&str> = keys_of_word("hotellerie").collect();
        assert_eq!((keys.len(), keys.last()), (PREFIX_MAX + 1, Some(&"hotellerie")));
    }

    proptest! {
        #[test]
        fn postings_come_back(ids in proptest::collection::btree_map(0usize..100_000, 0u8..4, 0..200)) {
            let postings = Postings(ids.into_iter().map(|(i, a)| (i, MatchQuality(a))).collect());
            prop_assert_eq!(Postings::decode(&postings.encode()), Ok(postings));
        }

        #[test]
        fn plans_come_back(terms: Vec<u64>, cards: Vec<u64>, classes: [u16; 5]) {
            let plan = SearchPlan { classes: classes.map(usize::from), terms, cards, places: vec![7] };
            prop_assert_eq!(SearchPlan::decode(&plan.encode()), Ok(plan));
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>, q: String) {
            let _ = (Postings::decode(&bytes), SearchCard::decode(&bytes), PlaceTable::decode(&bytes));
            let _ = SearchPlan::decode(&bytes);
            for word in search_words(&q) {
                prop_assert!(keys_of_word(&word).count() <= PREFIX_MAX + 1);
            }
        }
    }
}
