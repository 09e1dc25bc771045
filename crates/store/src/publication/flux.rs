//! Streams of records cut into partitions: how data is sorted without holding it.
//!
//! Records of a partition are collected in memory and appended as pieces; each piece names the
//! one before it of the same partition, so that the state holds one number a partition.

use super::ecrivain::Ecrivain;
use crate::cle;
use crate::codec::{self, Reader, SCEAU, Writer};
use crate::kv::{KeyValue, KeyValueWrite, StoreError};
use serde::{Deserialize, Serialize};

/// Largest piece, in bytes.
const MORCEAU_MAX: usize = 256 * 1024;

/// Where a piece lies: the fencing number of the attempt that wrote it, and its number there.
type Lieu = (u64, usize);

/// What is known of a stream between two steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flux {
    nom: String,
    /// The last piece of each partition.
    derniers: Vec<Option<Lieu>>,
    /// The next number under the present fencing number.
    numero: u64,
    prochain: usize,
    #[serde(skip)]
    tampons: Vec<Vec<u8>>,
    #[serde(skip)]
    taille: usize,
}

fn famille(nom: &str, numero: u64) -> String {
    format!("flux.{nom}.{numero}")
}

impl Flux {
    /// An empty stream of so many partitions.
    #[must_use]
    pub fn nouveau(nom: &str, partitions: usize) -> Self {
        Self { nom: nom.to_owned(), derniers: vec![None; partitions.max(1)], ..Self::default() }
    }

    /// How many partitions there are.
    #[must_use]
    pub fn partitions(&self) -> usize {
        self.derniers.len()
    }

    /// Bytes that wait in memory.
    #[must_use]
    pub fn taille(&self) -> usize {
        self.taille
    }

    /// Adds a record of at most some 250 KB. Writes a piece where the partition has collected one.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`], or those of the store.
    pub async fn ajouter<K: KeyValueWrite>(
        &mut self,
        ecrivain: &mut Ecrivain<'_, K>,
        numero: u64,
        partition: usize,
        record: &[u8],
    ) -> Result<(), StoreError> {
        if self.tampons.len() != self.derniers.len() {
            self.tampons = vec![Vec::new(); self.derniers.len()];
        }
        let Some(tampon) = self.tampons.get_mut(partition) else {
            return Err(StoreError::Damaged(format!("partition {partition} of {}", self.nom)));
        };
        if record.len() > MORCEAU_MAX {
            return Err(StoreError::TooLarge(format!("un enregistrement de {}", self.nom), record.len()));
        }
        let avant = tampon.len();
        if avant > 0 && avant + record.len() + 8 > MORCEAU_MAX {
            self.ecrire(ecrivain, numero, partition).await?;
        }
        if let Some(tampon) = self.tampons.get_mut(partition) {
            let mut writer = Writer(std::mem::take(tampon));
            let avant = writer.0.len();
            writer.bytes(record);
            self.taille += writer.0.len() - avant;
            *tampon = writer.0;
        }
        Ok(())
    }

    async fn ecrire<K: KeyValueWrite>(
        &mut self,
        ecrivain: &mut Ecrivain<'_, K>,
        numero: u64,
        partition: usize,
    ) -> Result<(), StoreError> {
        let (Some(tampon), Some(dernier)) = (self.tampons.get_mut(partition), self.derniers.get_mut(partition)) else {
            return Ok(());
        };
        if tampon.is_empty() {
            return Ok(());
        }
        if self.numero != numero {
            (self.numero, self.prochain) = (numero, 0);
        }
        // The buffer is given up, not kept: a hundred kept buffers are most of an instance's memory.
        let corps = std::mem::take(tampon);
        let mut writer = Writer(Vec::with_capacity(corps.len() + 24));
        writer.0.extend_from_slice(&[0; SCEAU]);
        match dernier {
            None => writer.number(0),
            Some((numero, n)) => writer.number(1).number(*numero).size(*n),
        };
        writer.0.extend_from_slice(&corps);
        self.taille -= corps.len();
        let mut morceau = writer.0;
        codec::sceller(&mut morceau);
        *dernier = Some((numero, self.prochain));
        ecrivain.poser(&famille(&self.nom, numero), self.prochain, morceau).await?;
        self.prochain += 1;
        Ok(())
    }

    /// Writes the fullest buffers until no more than `reste` bytes wait.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn vider<K: KeyValueWrite>(
        &mut self,
        ecrivain: &mut Ecrivain<'_, K>,
        numero: u64,
        reste: usize,
    ) -> Result<(), StoreError> {
        let mut ordre: Vec<usize> = (0..self.tampons.len()).collect();
        ordre.sort_by_key(|p| std::cmp::Reverse(self.tampons.get(*p).map_or(0, Vec::len)));
        for partition in ordre {
            if self.taille <= reste {
                break;
            }
            self.ecrire(ecrivain, numero, partition).await?;
        }
        Ok(())
    }

    /// The records of a partition, in the order they were added, from the pieces under `prefixe`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a piece is missing or damaged, else those of the store.
    pub async fn lire<K: KeyValue>(&self, kv: &K, prefixe: &str, partition: usize) -> Result<Partition, StoreError> {
        let mut morceaux = Vec::new();
        let mut lieu = self.derniers.get(partition).copied().flatten();
        while let Some((numero, n)) = lieu {
            let key = cle::valeur(prefixe, &famille(&self.nom, numero), n);
            let abime = || StoreError::Damaged(key.clone());
            let morceau = kv.get(&key).await?.ok_or_else(abime)?;
            let mut reader = Reader(codec::desceller(&morceau).ok_or_else(abime)?);
            lieu = match reader.number().ok_or_else(abime)? {
                0 => None,
                _ => Some((reader.number().ok_or_else(abime)?, reader.size().ok_or_else(abime)?)),
            };
            let debut = morceau.len() - reader.0.len();
            morceaux.push((morceau, debut));
        }
        morceaux.reverse();
        Ok(Partition(morceaux))
    }
}

/// The pieces of a partition, read.
#[derive(Debug)]
pub struct Partition(Vec<(Vec<u8>, usize)>);

impl Partition {
    /// Its records.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().flat_map(|(morceau, debut)| {
            let mut reader = Reader(morceau.get(*debut..).unwrap_or_default());
            std::iter::from_fn(move || reader.bytes())
        })
    }
}
