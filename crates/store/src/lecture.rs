//! Reading: one pointer value, and everything else under its generation (invariant 2).

use crate::bundle::{self, Damaged};
use crate::chaud::Chaud;
use crate::cle::{self, Famille};
use crate::fiche::{Fiche, Version};
use crate::kv::{KeyValue, StoreError};
use crate::liste::{self, EntreeCode, EntreeUai, Filtre, Format, Ordre, Plan, Selection};
use crate::pointeur::Pointeur;
use crate::recherche::PlanRecherche;
use crate::suite;
use domain::{Maille, MailleDeclaree};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// How long an instance may follow a pointer it has read, in milliseconds of the monotonic clock.
pub const POINTER_TTL_MS: u64 = 1_000;

/// How much of answers an instance keeps, in pages: 16 MiB, some 7,000 answers. Of requests for 50,000 documents drawn by
/// Zipf's law that is three in four.
const RENDUS_PAGES: usize = 64;
/// How much of other entries it keeps: 1 MiB.
const ENTREES_PAGES: usize = 4;

/// What readers are told of a declared maille.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaillePubliee {
    /// Its declaration.
    #[serde(flatten)]
    pub declaree: MailleDeclaree,
    /// The latest millesime, in force where none is asked for.
    pub millesime: String,
    /// Those there are, latest first.
    pub millesimes: Vec<String>,
}

/// What a reused instance keeps between requests (invariant 6): nothing but values keyed by
/// generation, and the pointer for at most one second.
#[derive(Debug, Default)]
pub struct Cache(RefCell<Contenu>);

impl Cache {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The answer kept for a target, given to `lire`, while the pointer that it was made under may be followed unread.
    #[must_use]
    pub fn rendu<T>(&self, cible: &str, monotone: u64, lire: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let contenu = &mut *self.0.borrow_mut();
        let (lu, _) = contenu.pointeur.as_ref()?;
        if monotone.saturating_sub(*lu) < POINTER_TTL_MS { contenu.rendus.trouver(cible, lire) } else { None }
    }
}

#[derive(Debug, Default)]
struct Contenu {
    pointeur: Option<(u64, Rc<Pointeur>)>,
    plans: HashMap<String, Rc<Plan>>,
    recherche: Option<(String, Rc<PlanRecherche>)>,
    rendus: Chaud<RENDUS_PAGES>,
    entrees: Chaud<ENTREES_PAGES>,
}

impl Contenu {
    /// Hot values are those of the generation in use; a request on another one, older by a moment, passes them by.
    fn sert(&self, pointeur: &Pointeur) -> bool {
        self.pointeur.as_ref().is_some_and(|(_, en_usage)| en_usage.generation == pointeur.generation)
    }

    /// A new generation is in use: the old one's values will not be asked for again.
    fn oublier(&mut self) {
        self.plans.clear();
        self.recherche = None;
        self.rendus.vider();
        self.entrees.vider();
    }
}

/// Reads one generation.
#[derive(Clone, Debug)]
pub struct Lecteur<K> {
    kv: K,
    cache: Rc<Cache>,
    pointeur: Rc<Pointeur>,
}

impl<K: KeyValue> Lecteur<K> {
    /// Follows the pointer, read again when the instance's copy is older than
    /// [`POINTER_TTL_MS`]; `monotone` is the monotonic clock in milliseconds.
    ///
    /// # Errors
    /// [`StoreError::Empty`] before the first publication, or that of the store.
    pub async fn ouvrir(kv: K, cache: Rc<Cache>, monotone: u64) -> Result<Self, StoreError> {
        let connu = cache.0.borrow().pointeur.clone();
        if let Some((lu, pointeur)) = connu
            && monotone.saturating_sub(lu) < POINTER_TTL_MS
        {
            return Ok(Self { kv, cache, pointeur });
        }
        let bytes = kv.get(cle::POINTER).await?.ok_or(StoreError::Empty)?;
        let pointeur = Pointeur::lire(&bytes)?;
        let mut contenu = cache.0.borrow_mut();
        if contenu.pointeur.as_ref().is_none_or(|(_, avant)| avant.generation != pointeur.generation) {
            contenu.oublier();
        }
        let pointeur = Rc::new(pointeur);
        contenu.pointeur = Some((monotone, Rc::clone(&pointeur)));
        drop(contenu);
        Ok(Self { kv, cache, pointeur })
    }

    /// The same request on the generation before, where the pointer names one.
    #[must_use]
    pub fn precedent(self) -> Option<Self> {
        let pointeur = Rc::new(self.pointeur.precedent.as_deref()?.clone());
        Some(Self { pointeur, ..self })
    }

    /// The pointer followed.
    #[must_use]
    pub fn pointeur(&self) -> &Pointeur {
        &self.pointeur
    }

    /// A value that the generation must hold.
    pub(crate) async fn valeur(&self, famille: &str, n: usize) -> Result<Vec<u8>, StoreError> {
        let key = cle::valeur(&self.pointeur.generation, famille, n);
        self.kv.get(&key).await?.ok_or(StoreError::Damaged(key))
    }

    pub(crate) async fn hors_generation(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.kv.get(key).await
    }

    pub(crate) fn abime<T>(&self, lu: Result<T, Damaged>, famille: &str, n: usize) -> Result<T, StoreError> {
        lu.map_err(|Damaged| StoreError::Damaged(cle::valeur(&self.pointeur.generation, famille, n)))
    }

    /// The entry of a key in a family, given to `lire`; `None` only where a whole bundle does not hold it.
    async fn entree<T>(
        &self,
        famille: Famille,
        key: &str,
        lire: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let bundles = self.pointeur.bundles(famille);
        if bundles == 0 {
            return Ok(None);
        }
        let n = cle::bundle(cle::hash(key), bundles);
        let bundle = self.valeur(famille.nom(), n).await?;
        let trouve = self.abime(bundle::find(&bundle, key), famille.nom(), n)?;
        trouve.map(|bytes| lire(bytes).ok_or_else(|| StoreError::Damaged(key.to_owned()))).transpose()
    }

    /// [`Self::entree`] as it is, kept where it was found.
    async fn entree_chaude(&self, famille: Famille, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let chaud = cle::paire(famille.nom(), key);
        if let Some(entree) = self.chaud(|contenu| contenu.entrees.trouver(&chaud, <[u8]>::to_vec)) {
            return Ok(Some(entree));
        }
        let entree = self.entree(famille, key, |bytes| Some(bytes.to_vec())).await?;
        if let Some(entree) = &entree {
            self.garder(|contenu| contenu.entrees.garder(&chaud, entree));
        }
        Ok(entree)
    }

    fn chaud<T>(&self, faire: impl FnOnce(&mut Contenu) -> Option<T>) -> Option<T> {
        let contenu = &mut *self.cache.0.borrow_mut();
        if contenu.sert(&self.pointeur) { faire(contenu) } else { None }
    }

    fn garder(&self, faire: impl FnOnce(&mut Contenu)) {
        let contenu = &mut *self.cache.0.borrow_mut();
        if contenu.sert(&self.pointeur) {
            faire(contenu);
        }
    }

    /// Every version of a certification in a place (`""` nationally).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn fiche(&self, maille: Maille, place: &str, code: &str) -> Result<Option<Fiche>, StoreError> {
        self.entree(Famille::Documents(maille), &cle::paire(place, code), Fiche::decoder).await
    }

    /// The version that [`Fiche::version`] would choose of the millesimes accepted, read alone; every version where none is
    /// chosen.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn version(
        &self,
        maille: Maille,
        place: &str,
        code: &str,
        accepte: impl Fn(&str) -> bool,
    ) -> Result<Result<Version, Fiche>, StoreError> {
        let lire = |bytes: &[u8]| match Fiche::lire_version(bytes, &accepte)? {
            Some(version) => Some(Ok(version)),
            None => Fiche::decoder(bytes).map(Err),
        };
        let lue = self.entree(Famille::Documents(maille), &cle::paire(place, code), lire).await?;
        Ok(lue.unwrap_or(Err(Fiche::default())))
    }

    /// Keeps an answer for [`Cache::rendu`], where its generation is the one in use.
    pub fn garder_rendu(&self, cible: &str, rendu: &[u8]) {
        self.garder(|contenu| contenu.rendus.garder(cible, rendu));
    }

    /// A record of the nomenclature: `bcn:40025214`, `bcn_sise:2500249`, `etablissement:0750652B`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn nomenclature(&self, kind: &str, code: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.entree_chaude(Famille::Nomenclature, &cle::paire(kind, code)).await
    }

    /// The stored counts of a CFD in a place; read by the filieres view only.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn comptes(&self, place: &str, cfd: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.entree_chaude(Famille::Comptes, &cle::paire(place, cfd)).await? {
            Some(entree) => self.entiere(Famille::Comptes.nom(), entree).await.map(Some),
            None => Ok(None),
        }
    }

    /// An entry, put together where it is too large to lie in its place.
    async fn entiere(&self, famille: &str, entree: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        suite::entiere(&self.kv, &self.pointeur.generation, famille, entree).await
    }

    /// The plan of a list, read once per generation and instance. `None` where the generation has
    /// no such list.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plan(&self, liste: &str) -> Result<Rc<Plan>, StoreError> {
        let famille = liste::famille_plan(liste);
        let key = cle::valeur(&self.pointeur.generation, &famille, 0);
        if let Some(plan) = self.cache.0.borrow().plans.get(&key) {
            return Ok(Rc::clone(plan));
        }
        let plan = Rc::new(Plan::lire(&self.kv, &self.pointeur.generation, liste).await?);
        self.cache.0.borrow_mut().plans.insert(key, Rc::clone(&plan));
        Ok(plan)
    }

    /// The plan of the search index that this instance keeps, or the one that `lire` brings.
    pub(crate) async fn garder_plan_recherche(
        &self,
        lire: impl Future<Output = Result<PlanRecherche, StoreError>>,
    ) -> Result<Rc<PlanRecherche>, StoreError> {
        let generation = &self.pointeur.generation;
        if let Some((g, plan)) = &self.cache.0.borrow().recherche
            && g == generation
        {
            return Ok(Rc::clone(plan));
        }
        let plan = Rc::new(lire.await?);
        self.cache.0.borrow_mut().recherche = Some((generation.clone(), Rc::clone(&plan)));
        Ok(plan)
    }

    /// The declared mailles, by name. One get where there are some.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn mailles(&self) -> Result<Vec<MaillePubliee>, StoreError> {
        if self.pointeur.millesimes.mailles.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = self.valeur(cle::DECLARATIONS, 0).await?;
        self.abime(serde_json::from_slice(&bytes).map_err(|_| Damaged), cle::DECLARATIONS, 0)
    }

    /// The rows of a list that pass a filter. One get for each code or UAI that is asked for.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn selection(&self, liste: &str, plan: &Plan, filtre: &Filtre) -> Result<Selection, StoreError> {
        if !filtre.uais.is_empty() {
            return self.selection_uais(liste, plan, filtre).await;
        }
        if !filtre.codes.is_empty() {
            return self.selection_codes(liste, plan, filtre).await;
        }
        Ok(plan.choisir(filtre))
    }

    async fn page(&self, famille: &str, premieres: &[String], cle: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(n) = liste::page(premieres, cle) else { return Ok(None) };
        let page = self.valeur(famille, n).await?;
        match self.abime(bundle::find(&page, cle), famille, n)? {
            Some(entree) => self.entiere(famille, entree.to_vec()).await.map(Some),
            None => Ok(None),
        }
    }

    async fn selection_codes(&self, liste: &str, plan: &Plan, filtre: &Filtre) -> Result<Selection, StoreError> {
        let famille = liste::famille_codes(liste);
        let mut selection = Selection { ordre: Ordre::Codes, plages: Vec::new() };
        for code in uniques(&filtre.codes) {
            let Some(bytes) = self.page(&famille, &plan.pages_codes, code).await? else { continue };
            let entree = EntreeCode::decoder(&bytes).map_err(|Damaged| StoreError::Damaged(famille.clone()))?;
            for plage in entree.0.iter().filter(|p| filtre.accepte(p)) {
                selection.ajouter(plage.debut, plage.nombre);
            }
        }
        Ok(selection)
    }

    async fn selection_uais(&self, liste: &str, plan: &Plan, filtre: &Filtre) -> Result<Selection, StoreError> {
        let famille = liste::famille_uais(liste);
        let mut rangs: Vec<(usize, usize)> = Vec::new();
        for uai in uniques(&filtre.uais) {
            let Some(bytes) = self.page(&famille, &plan.pages_uais, uai).await? else { continue };
            let entree = EntreeUai::decoder(&bytes).map_err(|Damaged| StoreError::Damaged(famille.clone()))?;
            for (plage, codes) in entree.0.iter().filter(|(p, _)| filtre.accepte(p)) {
                if filtre.codes.is_empty() {
                    rangs.push((plage.debut, plage.nombre));
                } else {
                    let retenus = codes.iter().enumerate().filter(|(_, code)| filtre.codes.contains(code));
                    rangs.extend(retenus.map(|(i, _)| (plage.debut + i, 1)));
                }
            }
        }
        rangs.sort_unstable();
        let mut selection = Selection { ordre: Ordre::Lieux, plages: Vec::new() };
        for (debut, nombre) in rangs {
            selection.ajouter(debut, nombre);
        }
        Ok(selection)
    }

    /// The value of a segment of a list; its rows come out of [`liste::unpack`], which verifies it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn segment(&self, liste: &str, ordre: Ordre, format: Format, n: usize) -> Result<Vec<u8>, StoreError> {
        self.valeur(&liste::famille(liste, ordre, format), n).await
    }
}

fn uniques(valeurs: &[String]) -> Vec<&str> {
    let mut uniques: Vec<&str> = valeurs.iter().map(String::as_str).collect();
    uniques.sort_unstable();
    uniques.dedup();
    uniques
}
