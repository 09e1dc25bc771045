//! Staging: parts of a push, checked line by line as they come in.

use super::ecrivain::Ecrivain;
use super::lignes::{Controle, LigneRefusee, LigneValide};
use super::travail::{NOM_MAX, court};
use crate::cle;
use crate::codec::{Reader, Writer};
use crate::kv::{KeyValueWrite, StoreError};
use domain::{Document, Kind, MailleDeclaree};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Largest part, in bytes.
pub const PART_MAX: usize = 8 * 1024 * 1024;
/// Longest line, in bytes.
pub const LIGNE_MAX: usize = 1024 * 1024;
/// Parts a job may have: 16 GB. What is known of each is read one after the other when the publication is asked for.
pub const PARTS_MAX: usize = 2_000;
/// Refusals whose reason is kept, a part; all are counted.
const REFUS_GARDES: usize = 50;
/// Bytes of a kept reason.
const RAISON_MAX: usize = 400;
/// Largest staged piece, in bytes.
const MORCEAU_MAX: usize = 256 * 1024;

/// A refused line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refus {
    /// The part, as numbered by the caller.
    pub partie: usize,
    /// The line in it, from 1.
    pub ligne: usize,
    /// Why, in French.
    pub raison: String,
}

/// What is known of a staged part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartInfo {
    /// SHA-256 of the part as sent, in hexadecimal.
    pub digest: String,
    /// Lines accepted, by kind.
    pub lignes: BTreeMap<String, u64>,
    /// Bytes kept, by kind.
    pub octets: BTreeMap<String, u64>,
    /// Lines refused.
    pub refusees: u64,
    /// The first of them.
    pub refus: Vec<Refus>,
    /// Fields kept out, and how often.
    pub champs_inconnus: BTreeMap<String, u64>,
    /// Pieces it lies in.
    pub morceaux: usize,
    /// The mailles declared up to its end, by the parts before it too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mailles: BTreeMap<String, MailleDeclaree>,
}

/// Where the parts of a job lie.
pub struct Depot<'a, K> {
    kv: &'a K,
    job: &'a str,
    lot: usize,
}

/// What cannot be staged, whatever the lines say.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DepotError {
    /// The part is over [`PART_MAX`].
    #[error("la partie dépasse {} Mio", PART_MAX / 1024 / 1024)]
    PartTooLarge,
    /// A line is over [`LIGNE_MAX`].
    #[error("la ligne {0} dépasse {max} Mio", max = LIGNE_MAX / 1024 / 1024)]
    LineTooLong(usize),
    /// The number of the part is over [`PARTS_MAX`].
    #[error("les parties se numérotent de 0 à {}", PARTS_MAX - 1)]
    PartNumber,
    /// Parts come in order, or again: nothing may be missing before the one sent, because that is
    /// how they are found again without listing keys.
    #[error("la partie {0} manque : les parties s'envoient dans l'ordre")]
    PartMissing(usize),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<'a, K: KeyValueWrite> Depot<'a, K> {
    /// The parts of a job; `lot` values may be written at once.
    pub fn new(kv: &'a K, job: &'a str, lot: usize) -> Self {
        Self { kv, job, lot }
    }

    fn cle_info(&self, partie: usize) -> String {
        cle::valeur(&format!("work:part:{}", self.job), "info", partie)
    }

    /// Each part lies under a prefix of its own, so that parts may come in at the same time.
    pub(super) fn prefixe(job: &str, partie: usize) -> String {
        format!("{job}.{partie}")
    }

    fn famille(digest: &str) -> String {
        format!("part.{}", digest.get(..16).unwrap_or(digest))
    }

    /// What is known of a part; `None` where it was not sent.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn info(&self, partie: usize) -> Result<Option<PartInfo>, StoreError> {
        let bytes = self.kv.get(&self.cle_info(partie)).await?;
        Ok(bytes.and_then(|b| serde_json::from_slice(&b).ok()))
    }

    /// Checks the lines of a part and keeps the good ones. Sending the same part again changes
    /// nothing; sending another one under the same number replaces it.
    ///
    /// # Errors
    /// See [`DepotError`]; a bad line is no error but a [`Refus`] in the answer.
    pub async fn deposer(&self, partie: usize, corps: &[u8], indicateurs: &[String]) -> Result<PartInfo, DepotError> {
        if corps.len() > PART_MAX {
            return Err(DepotError::PartTooLarge);
        }
        if partie >= PARTS_MAX {
            return Err(DepotError::PartNumber);
        }
        let mut controle = Controle { indicateurs, ..Controle::default() };
        if partie > 0 {
            let avant = self.info(partie - 1).await?.ok_or(DepotError::PartMissing(partie - 1))?;
            controle.mailles = avant.mailles;
        }
        let digest = hex(&Sha256::digest(corps));
        if let Some(info) = self.info(partie).await?
            && info.digest == digest
        {
            return Ok(info);
        }
        if let Some(rang) = corps.split(|b| *b == b'\n').position(|l| l.len() > LIGNE_MAX) {
            return Err(DepotError::LineTooLong(rang + 1));
        }
        let lignes = corps.split(|b| *b == b'\n').enumerate();
        let mut lues = lignes
            .filter(|(_, ligne)| !ligne.iter().all(u8::is_ascii_whitespace))
            .map(|(rang, ligne)| (rang + 1, controle.ligne(ligne)));
        let mut info = self.remplir(partie, digest, &mut lues).await?;
        drop(lues);
        (info.champs_inconnus, info.mailles) = (noms_courts(controle.inconnus), controle.mailles);
        self.inscrire(partie, &info).await?;
        Ok(info)
    }

    /// Keeps documents that the import made itself as a part, checked as pushed ones are. The
    /// same documents under the same number change nothing.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn deposer_documents(
        &self,
        partie: usize,
        documents: impl IntoIterator<Item = (Kind, Document)>,
        indicateurs: &[String],
    ) -> Result<PartInfo, StoreError> {
        let mut controle = Controle { indicateurs, ..Controle::default() };
        let lignes: Vec<_> = documents.into_iter().map(|(k, d)| controle.document(k, d)).collect();
        let mut empreinte = Sha256::new();
        lignes.iter().flatten().for_each(|ligne| empreinte.update(&ligne.json));
        let lues = lignes.into_iter().enumerate().map(|(rang, ligne)| (rang + 1, ligne));
        let mut info = self.remplir(partie, hex(&empreinte.finalize()), lues).await?;
        info.champs_inconnus = noms_courts(controle.inconnus);
        self.inscrire(partie, &info).await?;
        Ok(info)
    }

    /// Writes the good lines of a part in pieces.
    async fn remplir(
        &self,
        partie: usize,
        digest: String,
        lignes: impl IntoIterator<Item = (usize, Result<LigneValide, LigneRefusee>)>,
    ) -> Result<PartInfo, StoreError> {
        let mut info = PartInfo { digest, ..PartInfo::default() };
        let famille = Self::famille(&info.digest);
        let mut ecrivain = Ecrivain::ouvrir(self.kv, &Self::prefixe(self.job, partie), self.lot).await?;
        let mut morceau = Writer::default();
        for (ligne, lue) in lignes {
            match lue {
                Err(refus) => {
                    info.refusees += 1;
                    if info.refus.len() < REFUS_GARDES {
                        let raison = court(&refus.0, RAISON_MAX).to_owned();
                        info.refus.push(Refus { partie, ligne, raison });
                    }
                }
                Ok(valide) => {
                    *info.lignes.entry(valide.kind.nom().to_owned()).or_default() += 1;
                    *info.octets.entry(valide.kind.nom().to_owned()).or_default() += valide.json.len() as u64;
                    if !morceau.0.is_empty() && morceau.0.len() + valide.json.len() + 8 > MORCEAU_MAX {
                        ecrivain.poser(&famille, info.morceaux, std::mem::take(&mut morceau.0)).await?;
                        info.morceaux += 1;
                    }
                    morceau.number(u64::from(valide.kind.rang())).bytes(&valide.json);
                }
            }
        }
        if !morceau.0.is_empty() {
            ecrivain.poser(&famille, info.morceaux, morceau.0).await?;
            info.morceaux += 1;
        }
        ecrivain.vider().await?;
        Ok(info)
    }

    /// The record of a part goes last: the part counts only once all of it lies in the store.
    async fn inscrire(&self, partie: usize, info: &PartInfo) -> Result<(), StoreError> {
        self.kv.set(&self.cle_info(partie), serde_json::to_vec(info).unwrap_or_default()).await
    }

    /// Deletes the parts from `partie` on, in order: the number of the next one to delete, or
    /// `None` once no part is left. At most `limite` values a call.
    pub(super) async fn effacer(&self, partie: usize, limite: usize) -> Result<Option<usize>, StoreError> {
        // A record that cannot be read is one all the same.
        if self.kv.get(&self.cle_info(partie)).await?.is_none() {
            return Ok(None);
        }
        if super::ecrivain::effacer(self.kv, &Self::prefixe(self.job, partie), self.lot, limite, |_| true).await? {
            self.kv.delete_many(vec![self.cle_info(partie)]).await?;
            return Ok(Some(partie + 1));
        }
        Ok(Some(partie))
    }

    /// Lets go of a part whose marks cannot be read.
    pub(super) async fn oublier(&self, partie: usize) -> Result<(), StoreError> {
        super::ecrivain::oublier(self.kv, &Self::prefixe(self.job, partie)).await?;
        self.kv.delete_many(vec![self.cle_info(partie)]).await
    }

    /// The accepted lines of a staged piece: kind and JSON.
    pub(super) async fn morceau(
        &self,
        partie: usize,
        info: &PartInfo,
        n: usize,
    ) -> Result<Vec<(Kind, Vec<u8>)>, StoreError> {
        let key = cle::valeur(&Self::prefixe(self.job, partie), &Self::famille(&info.digest), n);
        let abime = || StoreError::Damaged(key.clone());
        let bytes = self.kv.get(&key).await?.ok_or_else(abime)?;
        let mut reader = Reader(&bytes);
        let mut lignes = Vec::new();
        while !reader.0.is_empty() {
            let rang = reader.number().and_then(|n| u8::try_from(n).ok()).ok_or_else(abime)?;
            let kind = Kind::de_rang(rang).ok_or_else(abime)?;
            lignes.push((kind, reader.bytes().ok_or_else(abime)?.to_vec()));
        }
        Ok(lignes)
    }
}

/// Names of fields are a sender's text: of any length.
fn noms_courts(champs: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut courts = BTreeMap::new();
    for (champ, n) in champs {
        *courts.entry(court(&champ, NOM_MAX).to_owned()).or_default() += n;
    }
    courts
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|n| char::from_digit(u32::from(n), 16)).collect()
}
