//! Writing under a generation, so that it can be deleted later without listing a key.

use crate::cle;
use crate::kv::{KeyValue, KeyValueWrite, StoreError, VALUE_MAX};
use crate::suite::{self, Tete};
use std::collections::BTreeMap;

/// How far ahead a high-water mark is raised: one write of marks covers so many values.
const AVANCE: usize = 256;
/// Bytes of a value of a long text.
const MORCEAU_LONG: usize = 256 * 1024;
/// How many bytes wait for a batch, at most.
const ATTENTE_MAX: usize = 3 * 1024 * 1024;

/// Bytes of a page of marks: each attempt at a step writes families of its own, so a long job on a slow store has thousands.
const MARQUES_MAX: usize = 96 * 1024;
/// In the page that grows: how many full ones there are. No family has this name.
const ARCHIVES: &str = "";

/// High-water marks by family.
type Marques = BTreeMap<String, usize>;

/// The key of the marks of a prefix (a generation, or the parts of a job): the page that grows.
pub(super) fn cle_marques(prefixe: &str) -> String {
    format!("work:marks:{prefixe}")
}

/// The key of a full page of marks.
fn cle_archive(prefixe: &str, n: usize) -> String {
    format!("work:marks:{prefixe}:{n}")
}

/// A page of marks; empty where there is none. One that cannot be read is damage: nobody would know what to delete.
async fn lire_marques<K: KeyValueWrite>(kv: &K, cle: &str) -> Result<Marques, StoreError> {
    let Some(bytes) = kv.get(cle).await? else { return Ok(Marques::new()) };
    serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged(cle.to_owned()))
}

fn texte(marques: &Marques) -> Vec<u8> {
    serde_json::to_vec(marques).unwrap_or_default()
}

/// Writes bytes of any length as consecutive values of a family, from `debut` on: how many.
///
/// # Errors
/// Those of the store.
pub async fn poser_long<K: KeyValueWrite>(
    ecrivain: &mut Ecrivain<'_, K>,
    famille: &str,
    debut: usize,
    bytes: &[u8],
) -> Result<usize, StoreError> {
    let mut n = 0;
    for morceau in bytes.chunks(MORCEAU_LONG) {
        ecrivain.poser(famille, debut + n, morceau.to_vec()).await?;
        n += 1;
    }
    Ok(n)
}

/// Reads what [`poser_long`] wrote.
///
/// # Errors
/// [`StoreError::Damaged`] where a value is missing, else those of the store.
pub async fn lire_long<K: KeyValue>(
    kv: &K,
    prefixe: &str,
    famille: &str,
    debut: usize,
    nombre: usize,
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    for n in debut..debut + nombre {
        let key = cle::valeur(prefixe, famille, n);
        bytes.extend(kv.get(&key).await?.ok_or(StoreError::Damaged(key))?);
    }
    Ok(bytes)
}

/// Writes values under a prefix in batches, each family's mark raised before its first value
/// beyond it.
pub struct Ecrivain<'a, K> {
    kv: &'a K,
    prefixe: String,
    lot: usize,
    avance: usize,
    marques: Marques,
    attente: Vec<(String, Vec<u8>)>,
    octets: usize,
    /// Values written, marks included.
    pub ecritures: u64,
}

impl<'a, K: KeyValueWrite> Ecrivain<'a, K> {
    /// For the values of a prefix, in batches of `lot`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn ouvrir(kv: &'a K, prefixe: &str, lot: usize) -> Result<Self, StoreError> {
        let marques = lire_marques(kv, &cle_marques(prefixe)).await?;
        Ok(Self {
            kv,
            prefixe: prefixe.to_owned(),
            lot: lot.max(1),
            avance: AVANCE,
            marques,
            attente: Vec::new(),
            octets: 0,
            ecritures: 0,
        })
    }

    /// With marks raised by less: for a prefix of many small families, whose deletion should not
    /// count down through keys that never were.
    #[must_use]
    pub fn avec_avance(mut self, avance: usize) -> Self {
        self.avance = avance.max(1);
        self
    }

    /// Writes a value, now or with its batch.
    ///
    /// # Errors
    /// Those of the store, and [`StoreError::TooLarge`].
    pub async fn poser(&mut self, famille: &str, n: usize, valeur: Vec<u8>) -> Result<(), StoreError> {
        if valeur.len() > VALUE_MAX {
            return Err(StoreError::TooLarge(cle::valeur(&self.prefixe, famille, n), valeur.len()));
        }
        if self.marques.get(famille).is_none_or(|m| n >= *m) {
            // Values that wait may lie under marks that are not written yet: marks go first.
            self.lever(famille, n + self.avance).await?;
        }
        self.octets += valeur.len();
        self.attente.push((cle::valeur(&self.prefixe, famille, n), valeur));
        if self.attente.len() >= self.lot || self.octets >= ATTENTE_MAX {
            self.vider().await?;
        }
        Ok(())
    }

    async fn lever(&mut self, famille: &str, marque: usize) -> Result<(), StoreError> {
        self.marques.insert(famille.to_owned(), marque);
        let mut marques = texte(&self.marques);
        if marques.len() > MARQUES_MAX {
            // The page is full. The copy goes first: a mark that lies twice is no harm, one that lies nowhere is.
            let archives = self.marques.remove(ARCHIVES).unwrap_or(0);
            self.kv.set(&cle_archive(&self.prefixe, archives), texte(&self.marques)).await?;
            self.ecritures += 1;
            self.marques = [(ARCHIVES.to_owned(), archives + 1), (famille.to_owned(), marque)].into();
            marques = texte(&self.marques);
        }
        self.kv.set(&cle_marques(&self.prefixe), marques).await?;
        self.ecritures += 1;
        Ok(())
    }

    /// What is to lie in the place of an entry: itself, or the head of the values it is cut over where it is larger than
    /// `place`. `prochain` is the number of the next such value of the family.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn poser_suite(
        &mut self,
        famille: &str,
        prochain: &mut usize,
        entree: Vec<u8>,
        place: usize,
    ) -> Result<Vec<u8>, StoreError> {
        let Some(morceaux) = suite::couper(&entree, place) else { return Ok(entree) };
        let tete = Tete { premier: *prochain, nombre: morceaux.len() };
        let famille = suite::famille(famille);
        for morceau in morceaux {
            self.poser(&famille, *prochain, morceau).await?;
            *prochain += 1;
        }
        Ok(tete.coder())
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn vider(&mut self) -> Result<(), StoreError> {
        if !self.attente.is_empty() {
            self.ecritures += self.attente.len() as u64;
            self.octets = 0;
            self.kv.set_many(std::mem::take(&mut self.attente)).await?;
        }
        Ok(())
    }
}

/// Deletes the families of a prefix that `choix` names, counting down from their marks: `true`
/// once nothing of them is left. At most `limite` keys a call; the marks are lowered behind what
/// is gone.
pub(super) async fn effacer<K: KeyValueWrite>(
    kv: &K,
    prefixe: &str,
    lot: usize,
    limite: usize,
    choix: impl Fn(&str) -> bool,
) -> Result<bool, StoreError> {
    let mut page = lire_marques(kv, &cle_marques(prefixe)).await?;
    let archives = page.remove(ARCHIVES).unwrap_or(0);
    let (mut reste, mut fait, mut vides) = (limite, true, true);
    for n in (0..archives).rev() {
        let cle = cle_archive(prefixe, n);
        let mut page = lire_marques(kv, &cle).await?;
        if effacer_page(kv, prefixe, &mut page, lot, &mut reste, &choix).await? {
            poser_marques(kv, &cle, &page).await?;
        }
        fait &= !page.keys().any(|famille| choix(famille));
        vides &= page.is_empty();
    }
    let change = effacer_page(kv, prefixe, &mut page, lot, &mut reste, &choix).await?;
    fait &= !page.keys().any(|famille| choix(famille));
    if !vides {
        page.insert(ARCHIVES.to_owned(), archives);
    }
    if change || page.is_empty() || (vides && archives > 0) {
        poser_marques(kv, &cle_marques(prefixe), &page).await?;
    }
    Ok(fait)
}

/// Deletes what one page of marks names: whether the page changed.
async fn effacer_page<K: KeyValueWrite>(
    kv: &K,
    prefixe: &str,
    page: &mut Marques,
    lot: usize,
    reste: &mut usize,
    choix: impl Fn(&str) -> bool,
) -> Result<bool, StoreError> {
    let mut change = false;
    while *reste > 0 {
        let Some((famille, &marque)) = page.iter().rfind(|(famille, _)| choix(famille)) else {
            break;
        };
        let famille = famille.clone();
        let de = marque.saturating_sub((*reste).min(lot.max(1)));
        kv.delete_many((de..marque).map(|n| cle::valeur(prefixe, &famille, n)).collect()).await?;
        *reste = reste.saturating_sub(marque - de);
        change = true;
        if de == 0 {
            page.remove(&famille);
        } else {
            page.insert(famille, de);
        }
    }
    Ok(change)
}

async fn poser_marques<K: KeyValueWrite>(kv: &K, cle: &str, page: &Marques) -> Result<(), StoreError> {
    if page.is_empty() { kv.delete_many(vec![cle.to_owned()]).await } else { kv.set(cle, texte(page)).await }
}

/// Lets go of the marks of a prefix that cannot be read: what lies under it is lost to deletion, but in nobody's way.
pub(super) async fn oublier<K: KeyValueWrite>(kv: &K, prefixe: &str) -> Result<(), StoreError> {
    kv.delete_many(vec![cle_marques(prefixe)]).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memoire;
    use futures_executor::block_on;

    /// A job of many thousand attempts names many thousand families: their marks go on in further values, and
    /// everything is deleted all the same.
    #[test]
    fn invariant_8_marks_of_any_number_of_families_fit_and_lead_to_everything() {
        let kv = Memoire::default();
        block_on(async {
            for numero in 0..9_000 {
                if numero % 500 == 0 {
                    // Another call.
                    kv.set("x", Vec::new()).await.unwrap();
                }
                let mut ecrivain = Ecrivain::ouvrir(&kv, "g1", 25).await.unwrap().avec_avance(2);
                let famille = if numero % 3 == 0 { "flux.sources" } else { "flux.tri.formations.lieux" };
                ecrivain.poser(&format!("{famille}.{numero}"), 0, vec![1]).await.unwrap();
                ecrivain.vider().await.unwrap();
            }
            assert!(kv.keys().iter().filter(|k| k.starts_with("work:marks:g1")).count() > 2);
            let sources = |famille: &str| famille.starts_with("flux.sources.");
            while !effacer(&kv, "g1", 25, 1_000, |f| !sources(f)).await.unwrap() {}
            let restes = kv.keys().into_iter().filter(|k| k.starts_with("g1:")).collect::<Vec<_>>();
            assert!(restes.len() == 3_000 && restes.iter().all(|k| k.contains("sources")), "{}", restes.len());
            while !effacer(&kv, "g1", 25, 1_000, |_| true).await.unwrap() {}
            assert_eq!(kv.keys(), ["x"]);
        });
    }
}
