//! Records in the order they came, read again from wherever a step stopped: raw answers.
//!
//! Unlike a [`super::Flux`] it is read a piece at a time, from its start, whatever its length.

use super::ecrivain::Ecrivain;
use crate::cle;
use crate::codec::{self, Reader, SCEAU, Writer};
use crate::kv::{KeyValue, KeyValueWrite, StoreError};
use serde::{Deserialize, Serialize};

/// Largest piece, in bytes.
const MORCEAU_MAX: usize = 256 * 1024;

/// Consecutive pieces that one attempt wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Serie {
    /// The fencing number of the attempt: a slower twin writes under another one.
    numero: u64,
    premier: usize,
    nombre: usize,
}

/// What is known of a journal between two steps; it counts only what its holder has saved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    nom: String,
    series: Vec<Serie>,
    /// The number of the attempt that writes, and its next piece. Pieces are never numbered twice.
    numero: u64,
    prochain: usize,
    #[serde(skip)]
    tampon: Vec<u8>,
}

/// Where the reading of a journal stands: series, piece of it, byte of the piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position(usize, usize, usize);

fn famille(nom: &str, numero: u64) -> String {
    format!("journal.{nom}.{numero}")
}

impl Journal {
    /// An empty one; its name tells it from others under the same prefix.
    #[must_use]
    pub fn nouveau(nom: &str) -> Self {
        Self { nom: nom.to_owned(), ..Self::default() }
    }

    /// How many pieces it has.
    #[must_use]
    pub fn morceaux(&self) -> usize {
        self.series.iter().map(|s| s.nombre).sum()
    }

    /// Adds a record of at most some 250 KB.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`], or those of the store.
    pub async fn ajouter<K: KeyValueWrite>(
        &mut self,
        ecrivain: &mut Ecrivain<'_, K>,
        numero: u64,
        record: &[u8],
    ) -> Result<(), StoreError> {
        if record.len() > MORCEAU_MAX {
            return Err(StoreError::TooLarge(format!("un enregistrement de {}", self.nom), record.len()));
        }
        if !self.tampon.is_empty() && self.tampon.len() + record.len() + 8 > MORCEAU_MAX {
            self.vider(ecrivain, numero).await?;
        }
        let mut writer = Writer(std::mem::take(&mut self.tampon));
        writer.bytes(record);
        self.tampon = writer.0;
        Ok(())
    }

    /// Writes what waits in memory as a piece.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn vider<K: KeyValueWrite>(
        &mut self,
        ecrivain: &mut Ecrivain<'_, K>,
        numero: u64,
    ) -> Result<(), StoreError> {
        if self.tampon.is_empty() {
            return Ok(());
        }
        if self.numero != numero {
            (self.numero, self.prochain) = (numero, 0);
        }
        let mut morceau = vec![0; SCEAU];
        morceau.append(&mut self.tampon);
        codec::sceller(&mut morceau);
        let n = self.prochain;
        self.prochain += 1;
        match self.series.last_mut() {
            Some(s) if s.numero == numero && s.premier + s.nombre == n => s.nombre += 1,
            _ => self.series.push(Serie { numero, premier: n, nombre: 1 }),
        }
        ecrivain.poser(&famille(&self.nom, numero), n, morceau).await
    }

    /// Forgets what was added since `repere`, a copy taken right after [`Journal::vider`].
    pub fn revenir(&mut self, repere: &Self) {
        self.tampon.clear();
        self.series.clone_from(&repere.series);
    }

    /// Reads from a position on: pieces lie under `prefixe`.
    #[must_use]
    pub fn lecture<'a, K>(&'a self, kv: &'a K, prefixe: &'a str, depuis: Position) -> Lecture<'a, K> {
        Lecture { journal: self, kv, prefixe, position: depuis, morceau: None }
    }
}

/// The reading of a journal.
pub struct Lecture<'a, K> {
    journal: &'a Journal,
    kv: &'a K,
    prefixe: &'a str,
    position: Position,
    morceau: Option<Vec<u8>>,
}

impl<K: KeyValue> Lecture<'_, K> {
    /// Where the next record lies.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a piece is missing or damaged, else those of the store.
    pub async fn suivant(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        loop {
            let Position(serie, rang, octet) = self.position;
            let Some(s) = self.journal.series.get(serie) else { return Ok(None) };
            if rang >= s.nombre {
                (self.position, self.morceau) = (Position(serie + 1, 0, 0), None);
                continue;
            }
            let key = cle::valeur(self.prefixe, &famille(&self.journal.nom, s.numero), s.premier + rang);
            let abime = || StoreError::Damaged(key.clone());
            let morceau = match self.morceau.take() {
                Some(morceau) => morceau,
                None => {
                    let morceau = self.kv.get(&key).await?.ok_or_else(abime)?;
                    codec::desceller(&morceau).ok_or_else(abime)?.to_vec()
                }
            };
            let mut reader = Reader(morceau.get(octet..).ok_or_else(abime)?);
            if reader.0.is_empty() {
                self.position = Position(serie, rang + 1, 0);
                continue;
            }
            let record = reader.bytes().ok_or_else(abime)?.to_vec();
            self.position = Position(serie, rang, morceau.len() - reader.0.len());
            self.morceau = Some(morceau);
            return Ok(Some(record));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memoire;
    use futures_executor::block_on;

    #[test]
    fn records_come_back_in_order_from_any_position_and_without_those_taken_back() {
        let kv = Memoire::default();
        block_on(async {
            let mut ecrivain = Ecrivain::ouvrir(&kv, "r1", 25).await.unwrap();
            let mut journal = Journal::nouveau("brut");
            let record = |n: u8| vec![n; 100_000];
            for n in 0..5 {
                journal.ajouter(&mut ecrivain, 7, &record(n)).await.unwrap();
            }
            journal.vider(&mut ecrivain, 7).await.unwrap();
            let repere = journal.clone();
            for n in 50..55 {
                journal.ajouter(&mut ecrivain, 7, &record(n)).await.unwrap();
            }
            journal.revenir(&repere);
            // Another attempt, after the state was saved and read again.
            let mut journal: Journal = serde_json::from_slice(&serde_json::to_vec(&journal).unwrap()).unwrap();
            for n in 5..8 {
                journal.ajouter(&mut ecrivain, 8, &record(n)).await.unwrap();
            }
            journal.vider(&mut ecrivain, 8).await.unwrap();
            ecrivain.vider().await.unwrap();
            let mut position = Position::default();
            for n in 0..8 {
                let mut lecture = journal.lecture(&kv, "r1", position);
                assert_eq!(lecture.suivant().await.unwrap(), Some(record(n)), "{n}");
                position = lecture.position();
            }
            assert_eq!(journal.lecture(&kv, "r1", position).suivant().await.unwrap(), None);
            let key = kv.keys().into_iter().find(|k| k.contains("journal")).unwrap();
            kv.corrupt(&key, Some(b"abcdef".to_vec()));
            assert!(matches!(
                journal.lecture(&kv, "r1", Position::default()).suivant().await,
                Err(StoreError::Damaged(_))
            ));
        });
    }
}
