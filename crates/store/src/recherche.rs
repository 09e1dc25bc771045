//! The search index: words and codes to certifications and establishments, and where each has data.
//!
//! One **certification** is a CFD with the MEFs that lead to it, or a SISE code: what people look
//! for has one label, whatever its codes. Fiches are numbered in the order they are worth showing:
//! certifications with data, establishments with data, then the rest, each by label.
//!
//! | family | found by | holds |
//! | --- | --- | --- |
//! | `recherche` | 0 | the plan: how many fiches, where pages begin |
//! | `recherche.termes` | a folded prefix of a word, up to [`PREFIXE_MAX`] letters, or the whole word | numbers of fiches, with how well each matches |
//! | `recherche.fiches` | a number | label, codes, place |
//! | `recherche.lieux` | `c:{code}`, `c:{code}:{region}`, `e:{uai}` | millesimes, regions, establishments, formations |
//!
//! Every family lies in pages of entries sorted by hash (fiches: by number), found by the fences
//! of the plan: one get each. No entry holds an indicator, hidden or not: only that a document
//! exists, which its own route says too.

use crate::bundle::{self, Damaged};
use crate::cle;
use crate::codec::{Reader, Writer};
use crate::kv::{KeyValue, StoreError};
use crate::lecture::Lecteur;
use std::rc::Rc;

/// The family of the plan.
pub const FAMILLE_PLAN: &str = "recherche";
/// The family of words.
pub const FAMILLE_TERMES: &str = "recherche.termes";
/// The family of fiches.
pub const FAMILLE_FICHES: &str = "recherche.fiches";
/// The family of places.
pub const FAMILLE_LIEUX: &str = "recherche.lieux";

/// Every prefix up to this length is an entry of its own: looking up what someone is still typing
/// is one get.
pub const PREFIXE_MAX: usize = 8;
/// Longest word kept.
const MOT_MAX: usize = 24;
/// Words of a query that are looked up: the longest ones.
pub const MOTS_MAX: usize = 5;
/// Fiches under one word, at most: 3 bytes each stay far below a value. The first are kept, those
/// with data.
pub const POSTINGS_MAX: usize = 60_000;
/// Entries of a place, at most.
pub const LIEUX_MAX: usize = 2_000;
/// Gets of a search, at most, the pointer and the plan included.
pub const GETS_MAX: usize = 12;

/// Words too common to look for.
const MOTS_VIDES: [&str; 14] = ["a", "au", "aux", "d", "de", "des", "du", "en", "et", "l", "la", "le", "les", "s"];
/// What may stand before a code.
const PREFIXES_DE_CODE: [&str; 5] = ["cfd", "mefstat11", "mef", "sise", "uai"];

/// Words of a text: lower case, without accents, cut at everything that is no letter or digit.
#[must_use]
pub fn mots(texte: &str) -> Vec<String> {
    let mut mots = Vec::new();
    let mut mot = String::new();
    for c in texte.chars() {
        match plier(c) {
            Some(plie) => mot.push_str(&plie),
            None if mot.is_empty() => {}
            None => mots.push(std::mem::take(&mut mot)),
        }
    }
    if !mot.is_empty() {
        mots.push(mot);
    }
    for mot in &mut mots {
        if let Some((fin, _)) = mot.char_indices().nth(MOT_MAX) {
            mot.truncate(fin);
        }
    }
    mots
}

/// A letter without case and accent; `None` for what separates words.
fn plier(c: char) -> Option<String> {
    let plie = match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'À' | 'Á' | 'Â' | 'Ã' | 'Ä' | 'Å' => "a",
        'ç' | 'Ç' => "c",
        'è' | 'é' | 'ê' | 'ë' | 'È' | 'É' | 'Ê' | 'Ë' => "e",
        'ì' | 'í' | 'î' | 'ï' | 'Ì' | 'Í' | 'Î' | 'Ï' => "i",
        'ñ' | 'Ñ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ö' => "o",
        'ù' | 'ú' | 'û' | 'ü' | 'Ù' | 'Ú' | 'Û' | 'Ü' => "u",
        'ÿ' | 'Ÿ' | 'ý' | 'Ý' => "y",
        'œ' | 'Œ' => "oe",
        'æ' | 'Æ' => "ae",
        // A combining accent belongs to the letter before it.
        '\u{300}'..='\u{36f}' => "",
        c if c.is_alphanumeric() => return Some(c.to_lowercase().collect()),
        _ => return None,
    };
    Some(plie.to_owned())
}

/// The words of a text that are looked for; all of them where none is left.
#[must_use]
pub fn mots_utiles(texte: &str) -> Vec<String> {
    let tous = mots(texte);
    let utiles: Vec<String> = tous.iter().filter(|m| !MOTS_VIDES.contains(&m.as_str())).cloned().collect();
    if utiles.is_empty() { tous } else { utiles }
}

/// What is looked up for a query: its words, without what stands before a code, the longest first
/// kept, in the order they were typed.
#[must_use]
pub fn mots_cherches(q: &str) -> Vec<String> {
    let mut mots = mots_utiles(q);
    // `RNCP 4911` is one code.
    if let Some(rang) = mots.windows(2).position(|m| matches!(m, [r, n] if r == RNCP && est_nombre(n))) {
        let nombre = mots.remove(rang + 1);
        if let Some(rncp) = mots.get_mut(rang) {
            rncp.push_str(&nombre);
        }
    }
    let code = |m: &String| m.len() >= 6 && m.bytes().any(|b| b.is_ascii_digit());
    if mots.len() > 1 && mots.iter().any(code) {
        mots.retain(|m| !PREFIXES_DE_CODE.contains(&m.as_str()));
    }
    let mut uniques: Vec<String> = Vec::new();
    for mot in mots {
        if !uniques.contains(&mot) {
            uniques.push(mot);
        }
    }
    while uniques.len() > MOTS_MAX {
        let court = (0..uniques.len()).min_by_key(|i| uniques.get(*i).map_or(0, String::len)).unwrap_or_default();
        uniques.remove(court);
    }
    uniques
}

/// What stands before the number of an entry of the national directory.
const RNCP: &str = "rncp";

/// A shorter number is more likely something else than an RNCP code that lost its letters.
const NUMERO_MIN: usize = 3;

fn est_nombre(mot: &str) -> bool {
    !mot.is_empty() && mot.bytes().all(|b| b.is_ascii_digit())
}

fn est_rncp(mot: &str) -> bool {
    mot.strip_prefix(RNCP).is_some_and(est_nombre)
}

/// The keys under which a word is found: every prefix up to [`PREFIXE_MAX`], and itself. What all
/// RNCP codes begin with finds none of them: it would find nearly every certification.
pub fn cles_du_mot(mot: &str) -> impl Iterator<Item = &str> {
    let fins = mot.char_indices().map(|(i, c)| i + c.len_utf8());
    let trop_court = if est_rncp(mot) { RNCP.len() } else { 0 };
    fins.take(PREFIXE_MAX)
        .filter(move |fin| *fin > trop_court)
        .chain([mot.len()])
        .scan(0, |avant, fin| {
            let nouvelle = fin > *avant;
            *avant = fin;
            Some(mot.get(..fin).filter(|_| nouvelle))
        })
        .flatten()
}

/// The first letters of a word, as far as prefixes are kept.
fn debut(mot: &str, lettres: usize) -> &str {
    mot.char_indices().nth(lettres).and_then(|(fin, _)| mot.get(..fin)).unwrap_or(mot)
}

/// How well a word matches a fiche: the word itself, the first word of the label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Accord(pub u8);

impl Accord {
    /// The key is the whole word.
    pub const EXACT: u8 = 2;
    /// The word begins the label.
    pub const PREMIER: u8 = 1;
}

/// The fiches under a word, by rising number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Postings(pub Vec<(usize, Accord)>);

impl Postings {
    /// The stored form: the steps between numbers, with two bits for the accord.
    #[must_use]
    pub fn coder(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let mut avant = 0;
        for (numero, accord) in &self.0 {
            writer.size((numero.saturating_sub(avant) << 2) | usize::from(accord.0 & 3));
            avant = *numero;
        }
        writer.0
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decoder(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader(bytes);
        let mut postings = Vec::new();
        let mut avant = 0usize;
        while !reader.0.is_empty() {
            let pas = reader.size().ok_or(Damaged)?;
            avant = avant.checked_add(pas >> 2).ok_or(Damaged)?;
            postings.push((avant, Accord(u8::try_from(pas & 3).unwrap_or_default())));
        }
        Ok(Self(postings))
    }
}

/// What a fiche is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sujet {
    /// A CFD and its MEFs, or a SISE code.
    Certification,
    /// An establishment.
    Etablissement,
}

/// A code of a certification.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodeFiche {
    /// Without prefix.
    pub code: String,
    /// `CFD`, `MEFSTAT11` or `SISE`.
    pub genre: String,
    /// Whether any document is published under it.
    pub donnees: bool,
}

/// What a search shows of a certification or an establishment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FicheRecherche {
    /// Which of the two.
    pub sujet: Sujet,
    /// Its label or name.
    pub libelle: String,
    /// The level of a certification (`BAC PRO`); empty where unknown.
    pub diplome: String,
    /// The UAI of an establishment; empty for certifications.
    pub uai: String,
    /// INSEE code of the region of an establishment; empty where unknown.
    pub region: String,
    /// The codes of a certification.
    pub codes: Vec<CodeFiche>,
    /// The entries of the national directory it leads to: `RNCP4911`. No route takes them.
    pub rncp: Vec<String>,
    /// Whether any document is published of it.
    pub donnees: bool,
}

impl FicheRecherche {
    /// The stored form.
    #[must_use]
    pub fn coder(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let drapeaux = u64::from(self.sujet == Sujet::Etablissement) | (u64::from(self.donnees) << 1);
        writer.number(drapeaux).text(&self.libelle).text(&self.diplome).text(&self.uai).text(&self.region);
        writer.size(self.codes.len());
        for code in &self.codes {
            writer.text(&code.code).text(&code.genre).number(u64::from(code.donnees));
        }
        for rncp in &self.rncp {
            writer.text(rncp);
        }
        writer.0
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decoder(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader(bytes);
        let mut lire = || {
            let drapeaux = reader.number()?;
            let mut fiche = Self {
                sujet: if drapeaux & 1 == 1 { Sujet::Etablissement } else { Sujet::Certification },
                libelle: reader.text()?.into(),
                diplome: reader.text()?.into(),
                uai: reader.text()?.into(),
                region: reader.text()?.into(),
                codes: Vec::new(),
                rncp: Vec::new(),
                donnees: drapeaux & 2 == 2,
            };
            for _ in 0..reader.size()? {
                fiche.codes.push(CodeFiche {
                    code: reader.text()?.into(),
                    genre: reader.text()?.into(),
                    donnees: reader.number()? == 1,
                });
            }
            while !reader.0.is_empty() {
                fiche.rncp.push(reader.text()?.into());
            }
            Some(fiche)
        };
        lire().ok_or(Damaged)
    }
}

/// Where a code, or an establishment, has data: texts in a fixed number of columns, the last of
/// them millesimes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lieux(pub Vec<Vec<String>>);

impl Lieux {
    /// The stored form.
    #[must_use]
    pub fn coder(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        for ligne in &self.0 {
            writer.size(ligne.len());
            for texte in ligne {
                writer.text(texte);
            }
        }
        writer.0
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decoder(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader(bytes);
        let mut lignes = Vec::new();
        while !reader.0.is_empty() {
            let nombre = reader.size().ok_or(Damaged)?;
            let ligne: Option<Vec<String>> = (0..nombre).map(|_| reader.text().map(str::to_owned)).collect();
            lignes.push(ligne.ok_or(Damaged)?);
        }
        Ok(Self(lignes))
    }
}

/// The key of the places of a code.
#[must_use]
pub fn cle_code(code: &str) -> String {
    format!("c:{code}")
}

/// The key of the establishments of a code in a region.
#[must_use]
pub fn cle_region(code: &str, region: &str) -> String {
    format!("c:{code}:{region}")
}

/// The key of the formations of an establishment.
#[must_use]
pub fn cle_uai(uai: &str) -> String {
    format!("e:{uai}")
}

/// What a reader needs to know before its first lookup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanRecherche {
    /// The first number of each class: certifications with data, establishments with data,
    /// certifications without, establishments without; then how many fiches there are.
    pub classes: [usize; 5],
    /// The first hash of each page of words.
    pub termes: Vec<u64>,
    /// The first number of each page of fiches.
    pub fiches: Vec<u64>,
    /// The first hash of each page of places.
    pub lieux: Vec<u64>,
}

impl PlanRecherche {
    /// How many fiches there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.classes.last().copied().unwrap_or_default()
    }

    /// The stored form.
    #[must_use]
    pub fn coder(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        for debut in self.classes {
            writer.size(debut);
        }
        for bornes in [&self.termes, &self.fiches, &self.lieux] {
            writer.size(bornes.len());
            for borne in bornes {
                writer.0.extend_from_slice(&borne.to_le_bytes());
            }
        }
        bundle::pack(vec![(FAMILLE_PLAN.to_owned(), writer.0)])
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decoder(bytes: &[u8]) -> Result<Self, Damaged> {
        let corps = bundle::find(bytes, FAMILLE_PLAN)?.ok_or(Damaged)?;
        let mut reader = Reader(corps);
        let mut lire = || {
            let mut plan = Self::default();
            for debut in &mut plan.classes {
                *debut = reader.size()?;
            }
            for bornes in [&mut plan.termes, &mut plan.fiches, &mut plan.lieux] {
                for _ in 0..reader.size()? {
                    let (borne, reste) = reader.0.split_first_chunk::<8>()?;
                    reader.0 = reste;
                    bornes.push(u64::from_le_bytes(*borne));
                }
            }
            Some(plan)
        };
        lire().ok_or(Damaged)
    }

    /// The class of a fiche, from 0.
    fn classe(&self, numero: usize) -> usize {
        self.classes.iter().skip(1).take(3).filter(|debut| **debut <= numero).count()
    }
}

/// The page that holds a hash or a number.
fn page(bornes: &[u64], cle: u64) -> Option<usize> {
    bornes.partition_point(|b| *b <= cle).checked_sub(1)
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouvailles {
    /// How many fiches match.
    pub total: usize,
    /// Those of the page asked for, best first; fewer where the budget of gets was spent.
    pub fiches: Vec<FicheRecherche>,
    /// Nothing matched every word as it was typed: these come closest.
    pub approche: bool,
}

/// Counts gets, so that no query costs more than its budget.
struct Budget(usize);

impl<K: KeyValue> Lecteur<K> {
    /// The plan of the search index, read once per generation and instance.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plan_recherche(&self) -> Result<Rc<PlanRecherche>, StoreError> {
        self.garder_plan_recherche(async {
            let bytes = self.valeur(FAMILLE_PLAN, 0).await?;
            self.abime(PlanRecherche::decoder(&bytes), FAMILLE_PLAN, 0)
        })
        .await
    }

    async fn entree_de_page(&self, famille: &str, n: usize, cle: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let valeur = self.valeur(famille, n).await?;
        let entree = self.abime(bundle::find(&valeur, cle), famille, n)?;
        Ok(entree.map(<[u8]>::to_vec))
    }

    /// Where a code, a code in a region, or an establishment has data: two gets at most.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn lieux(&self, cle: &str) -> Result<Option<Lieux>, StoreError> {
        let plan = self.plan_recherche().await?;
        let Some(n) = page(&plan.lieux, cle::hash(cle)) else { return Ok(None) };
        match self.entree_de_page(FAMILLE_LIEUX, n, cle).await? {
            Some(bytes) => self.abime(Lieux::decoder(&bytes), FAMILLE_LIEUX, n).map(Some),
            None => Ok(None),
        }
    }

    async fn postings(
        &self,
        plan: &PlanRecherche,
        cle: &str,
        budget: &mut Budget,
    ) -> Result<Option<Postings>, StoreError> {
        let Some(n) = page(&plan.termes, cle::hash(cle)).filter(|_| budget.0 > 0) else { return Ok(None) };
        budget.0 -= 1;
        match self.entree_de_page(FAMILLE_TERMES, n, cle).await? {
            Some(bytes) => self.abime(Postings::decoder(&bytes), FAMILLE_TERMES, n).map(Some),
            None => Ok(None),
        }
    }

    /// The fiches that hold every word of a query, as a word or as the beginning of one. Where
    /// there is none, those that come closest. At most [`GETS_MAX`] gets.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn chercher(
        &self,
        q: &str,
        sujet: Option<Sujet>,
        sauter: usize,
        prendre: usize,
    ) -> Result<Trouvailles, StoreError> {
        let plan = self.plan_recherche().await?;
        let mots = mots_cherches(q);
        let mut budget = Budget(GETS_MAX - 2);
        let mut listes: Vec<Postings> = Vec::new();
        let mut absents = Vec::new();
        let mut approche = false;
        for mot in &mots {
            let mut trouvees = self.postings(&plan, mot, &mut budget).await?;
            if trouvees.is_none() && est_nombre(mot) && mot.len() >= NUMERO_MIN {
                // A number that begins no code may be the one of an RNCP code.
                trouvees = self.postings(&plan, &format!("{RNCP}{mot}"), &mut budget).await?;
            }
            match trouvees {
                Some(postings) => listes.push(postings),
                None => absents.push(mot.as_str()),
            }
        }
        let mut ids = croiser(&listes);
        if !absents.is_empty() || ids.is_empty() {
            approche = true;
            // For two words at most: what is typed may begin like a known word or code.
            for mot in absents.iter().take(2) {
                for lettres in [PREFIXE_MAX, 5, 3] {
                    let cle = debut(mot, lettres);
                    if cle.len() < mot.len()
                        && budget.0 > 4
                        && let Some(postings) = self.postings(&plan, cle, &mut budget).await?
                    {
                        listes.push(postings);
                        break;
                    }
                }
            }
            ids = croiser(&listes);
            if ids.is_empty() {
                // No fiche holds all words: those of the rarest one.
                let rare = listes.into_iter().filter(|l| !l.0.is_empty()).min_by_key(|l| l.0.len());
                ids = rare.unwrap_or_default().0;
            }
        }
        let du_sujet = |classe: usize| match sujet {
            None => true,
            Some(Sujet::Certification) => classe.is_multiple_of(2),
            Some(Sujet::Etablissement) => !classe.is_multiple_of(2),
        };
        // Class first, then the accord, then the label.
        let mut rangs: Vec<(usize, u8, usize)> = ids
            .into_iter()
            .map(|(numero, accord)| (plan.classe(numero), u8::MAX - accord.0, numero))
            .filter(|(classe, ..)| du_sujet(*classe))
            .collect();
        let total = rangs.len();
        let fin = sauter.saturating_add(prendre).min(total);
        if fin > 0 && fin < total {
            rangs.select_nth_unstable(fin - 1);
            rangs.truncate(fin);
        }
        rangs.sort_unstable();
        let mut trouvailles = Trouvailles { total, fiches: Vec::new(), approche: approche && total > 0 };
        let mut pages: Vec<(usize, Vec<u8>)> = Vec::new();
        for (_, _, numero) in rangs.into_iter().skip(sauter) {
            let n = page(&plan.fiches, numero as u64).ok_or(StoreError::Damaged(FAMILLE_PLAN.into()))?;
            if !pages.iter().any(|(p, _)| *p == n) {
                if budget.0 == 0 {
                    break;
                }
                budget.0 -= 1;
                pages.push((n, self.valeur(FAMILLE_FICHES, n).await?));
            }
            let Some((_, valeur)) = pages.iter().find(|(p, _)| *p == n) else { break };
            let entree = self.abime(bundle::find(valeur, &numero.to_string()), FAMILLE_FICHES, n)?;
            let fiche = FicheRecherche::decoder(entree.ok_or_else(|| StoreError::Damaged(FAMILLE_FICHES.into()))?);
            trouvailles.fiches.push(self.abime(fiche, FAMILLE_FICHES, n)?);
        }
        Ok(trouvailles)
    }
}

/// The fiches of every list, with the sum of their accords.
fn croiser(listes: &[Postings]) -> Vec<(usize, Accord)> {
    let mut ordre: Vec<&Postings> = listes.iter().collect();
    ordre.sort_by_key(|l| l.0.len());
    let Some((premiere, autres)) = ordre.split_first() else { return Vec::new() };
    let mut ids = premiere.0.clone();
    for autre in autres {
        let mut suite = autre.0.iter().peekable();
        ids.retain_mut(|(numero, accord)| {
            while suite.next_if(|(n, _)| n < numero).is_some() {}
            match suite.peek() {
                Some((n, a)) if n == numero => {
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
    use proptest::prelude::*;

    #[test]
    fn words_are_folded_and_cut() {
        assert_eq!(mots("Œuvre d'ÉTÉ, Maçon-carreleur"), ["oeuvre", "d", "ete", "macon", "carreleur"]);
        assert_eq!(mots_utiles("Métiers de l'électricité"), ["metiers", "electricite"]);
        assert_eq!(mots_utiles("de la"), ["de", "la"]);
        assert_eq!(mots("E\u{301}te\u{301}"), ["ete"]);
    }

    #[test]
    fn queries_lose_what_stands_before_a_code_and_keep_five_words() {
        assert_eq!(mots_cherches("MEFSTAT11:23830099011"), ["23830099011"]);
        assert_eq!(mots_cherches("CFD"), ["cfd"]);
        assert_eq!(mots_cherches("a1 bb2 ccc3 dddd4 eeeee5 ffffff ggggggg").len(), MOTS_MAX);
    }

    #[test]
    fn a_word_is_found_by_its_prefixes_and_itself() {
        assert_eq!(cles_du_mot("ete").collect::<Vec<_>>(), ["e", "et", "ete"]);
        let cles: Vec<&str> = cles_du_mot("hotellerie").collect();
        assert_eq!((cles.len(), cles.last()), (PREFIXE_MAX + 1, Some(&"hotellerie")));
    }

    #[test]
    fn only_fiches_of_every_list_are_kept() {
        let liste = |ids: &[usize]| Postings(ids.iter().map(|i| (*i, Accord(1))).collect());
        let trouves = croiser(&[liste(&[1, 3, 5, 9]), liste(&[0, 3, 4, 9]), liste(&[3, 9, 10])]);
        assert_eq!(trouves, [(3, Accord(3)), (9, Accord(3))]);
        assert!(croiser(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn postings_come_back(ids in proptest::collection::btree_map(0usize..100_000, 0u8..4, 0..200)) {
            let postings = Postings(ids.into_iter().map(|(i, a)| (i, Accord(a))).collect());
            prop_assert_eq!(Postings::decoder(&postings.coder()), Ok(postings));
        }

        #[test]
        fn plans_come_back(termes: Vec<u64>, fiches: Vec<u64>, classes: [u16; 5]) {
            let plan = PlanRecherche { classes: classes.map(usize::from), termes, fiches, lieux: vec![7] };
            prop_assert_eq!(PlanRecherche::decoder(&plan.coder()), Ok(plan));
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>, q: String) {
            let _ = (Postings::decoder(&bytes), FicheRecherche::decoder(&bytes), Lieux::decoder(&bytes));
            let _ = PlanRecherche::decoder(&bytes);
            for mot in mots_cherches(&q) {
                prop_assert!(cles_du_mot(&mot).count() <= PREFIXE_MAX + 1);
            }
        }
    }
}
