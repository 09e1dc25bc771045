//! The staging of raw answers: what is there, how an answer is written and read again.

use crate::demande::Lot;
use serde::{Deserialize, Serialize};
use sources::{Call, ReadReport, Reader, Sink, SinkError, SourceError};
use std::collections::BTreeMap;
use store::KeyValueWrite;
use store::kv::StoreError;
use store::publication::{Ecrivain, Journal, Lecture, Position, changer_ou_refaire, lire_long, poser_long};

/// The key of the list of what is staged. It is created once and then only swapped.
const CLE: &str = "work:reserve";
/// Bytes of an answer that lie in one record.
const TRANCHE: usize = 128 * 1024;

/// The answers of a lot, all there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotReserve {
    /// What their keys begin with.
    pub prefixe: String,
    /// When the last came, in milliseconds since 1970.
    pub obtenu_ms: i64,
    /// Their bytes.
    pub octets: u64,
    /// Where they lie; empty where that is said by values of its own.
    #[serde(default)]
    pub(crate) journal: Journal,
    /// The family number and the number of those values: each step that staged answers adds to the journal, and a slow
    /// service makes thousands of steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ailleurs: Option<(u64, usize)>,
}

/// Bytes of a journal that lie in the list of what is staged.
const JOURNAL_MAX: usize = 4 * 1024;

fn famille_journal(numero: u64) -> String {
    format!("series.{numero}")
}

impl LotReserve {
    /// A lot that is all there.
    pub(crate) async fn nouveau<K: KeyValueWrite>(
        kv: &K,
        lot: usize,
        prefixe: &str,
        obtenu_ms: i64,
        octets: u64,
        (numero, journal): (u64, &Journal),
    ) -> Result<Self, StoreError> {
        let texte = serde_json::to_vec(journal).unwrap_or_default();
        let mut neuf =
            Self { prefixe: prefixe.to_owned(), obtenu_ms, octets, journal: Journal::default(), ailleurs: None };
        if texte.len() <= JOURNAL_MAX {
            neuf.journal = journal.clone();
            return Ok(neuf);
        }
        let mut ecrivain = Ecrivain::ouvrir(kv, prefixe, lot).await?.avec_avance(1);
        let nombre = poser_long(&mut ecrivain, &famille_journal(numero), 0, &texte).await?;
        ecrivain.vider().await?;
        neuf.ailleurs = Some((numero, nombre));
        Ok(neuf)
    }

    /// The same, with its journal.
    pub(crate) async fn entier<K: KeyValueWrite>(&self, kv: &K) -> Result<Self, StoreError> {
        let mut entier = self.clone();
        if let Some((numero, nombre)) = entier.ailleurs.take() {
            let famille = famille_journal(numero);
            let texte = lire_long(kv, &self.prefixe, &famille, 0, nombre).await?;
            entier.journal = serde_json::from_slice(&texte).map_err(|_| StoreError::Damaged(famille))?;
        }
        Ok(entier)
    }

    /// How many values they lie in, for one that is [`LotReserve::entier`].
    #[must_use]
    pub fn morceaux(&self) -> usize {
        self.journal.morceaux()
    }
}

/// What is staged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserve {
    /// By [`Lot::cle`].
    pub lots: BTreeMap<String, LotReserve>,
}

impl Reserve {
    /// What is staged now.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn lire<K: KeyValueWrite>(kv: &K) -> Result<Self, StoreError> {
        // One that cannot be read leads to nothing any more: the services are asked again, and what it named goes.
        Ok(kv.get(CLE).await?.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    pub(crate) fn lot(&self, lot: &Lot) -> Option<&LotReserve> {
        self.lots.get(&lot.cle())
    }

    /// Puts a whole lot in the place of an older one: the prefix that nobody needs any more.
    pub(crate) async fn remplacer<K: KeyValueWrite>(
        kv: &K,
        lot: &Lot,
        neuf: LotReserve,
    ) -> Result<Option<String>, StoreError> {
        let prefixe = neuf.prefixe.clone();
        let ancien =
            changer_ou_refaire(kv, CLE, |reserve: &mut Self| reserve.lots.insert(lot.cle(), neuf.clone())).await?;
        Ok(ancien.map(|a| a.prefixe).filter(|p| *p != prefixe))
    }
}

const APPEL: u8 = 0;
const CORPS: u8 = 1;
const FIN: u8 = 2;
const SANS_DONNEE: u8 = 3;

fn record(nature: u8, corps: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(corps.len() + 1);
    record.push(nature);
    record.extend_from_slice(corps);
    record
}

fn texte(appel: &Call) -> Vec<u8> {
    serde_json::to_vec(appel).unwrap_or_default()
}

/// The writing half of a lot.
pub(crate) struct Depot<'a, 'k, K> {
    pub journal: &'a mut Journal,
    pub ecrivain: &'a mut Ecrivain<'k, K>,
    pub numero: u64,
}

impl<K: KeyValueWrite> Depot<'_, '_, K> {
    async fn ajouter(&mut self, nature: u8, corps: &[u8]) -> Result<(), StoreError> {
        self.journal.ajouter(self.ecrivain, self.numero, &record(nature, corps)).await
    }

    /// Writes a whole answer; `None`: the service has nothing.
    pub async fn poser(&mut self, appel: &Call, corps: Option<&[u8]>) -> Result<(), StoreError> {
        let Some(corps) = corps else { return self.ajouter(SANS_DONNEE, &texte(appel)).await };
        self.ajouter(APPEL, &texte(appel)).await?;
        for tranche in corps.chunks(TRANCHE) {
            self.ajouter(CORPS, tranche).await?;
        }
        self.ajouter(FIN, &[]).await
    }

    async fn vider(&mut self) -> Result<(), StoreError> {
        self.journal.vider(self.ecrivain, self.numero).await
    }
}

/// Stages a large answer while it comes, and checks that it can be read.
pub(crate) struct Flot<'a, 'k, K> {
    depot: Depot<'a, 'k, K>,
    appel: &'a Call,
    repere: Journal,
    lecteur: Option<Reader>,
    faute: Option<SourceError>,
}

impl<'a, 'k, K: KeyValueWrite> Flot<'a, 'k, K> {
    pub async fn ouvrir(mut depot: Depot<'a, 'k, K>, appel: &'a Call) -> Result<Self, StoreError> {
        depot.vider().await?;
        let repere = depot.journal.clone();
        depot.ajouter(APPEL, &texte(appel)).await?;
        Ok(Self { depot, appel, repere, lecteur: Some(Reader::new(appel)), faute: None })
    }

    /// The answer is over: what was read, or why it cannot be.
    pub async fn clore(mut self) -> Result<Result<ReadReport, SourceError>, StoreError> {
        let lu = match (self.faute.take(), self.lecteur.take()) {
            (None, Some(lecteur)) => lecteur.finish(|_| ()),
            (Some(faute), _) => Err(faute),
            (None, None) => Ok(ReadReport::default()),
        };
        if lu.is_ok() {
            self.depot.ajouter(FIN, &[]).await?;
        } else {
            self.depot.journal.revenir(&self.repere);
        }
        Ok(lu)
    }

    /// The call failed: nothing of it stays.
    pub fn oublier(self) {
        self.depot.journal.revenir(&self.repere);
    }
}

impl<K: KeyValueWrite> Sink for Flot<'_, '_, K> {
    async fn restart(&mut self) -> Result<(), SinkError> {
        self.depot.journal.revenir(&self.repere);
        self.lecteur = Some(Reader::new(self.appel));
        self.faute = None;
        self.depot.ajouter(APPEL, &texte(self.appel)).await.map_err(|_| SinkError)
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), SinkError> {
        if let Some(lecteur) = &mut self.lecteur
            && let Err(faute) = lecteur.push(chunk, |_| ())
        {
            (self.lecteur, self.faute) = (None, Some(faute));
        }
        for tranche in chunk.chunks(TRANCHE) {
            self.depot.ajouter(CORPS, tranche).await.map_err(|_| SinkError)?;
        }
        Ok(())
    }
}

/// The reading half of a lot.
pub(crate) struct Reponses<'a, K>(Lecture<'a, K>);

impl<'a, K: KeyValueWrite> Reponses<'a, K> {
    pub fn de(kv: &'a K, lot: &'a LotReserve, depuis: Position) -> Self {
        Self(lot.journal.lecture(kv, &lot.prefixe, depuis))
    }

    /// Where the next answer begins.
    pub fn position(&self) -> Position {
        self.0.position()
    }

    fn abime() -> StoreError {
        StoreError::Damaged("staged answer".into())
    }

    /// The next answer, to be read by [`Reponses::lignes`], [`Reponses::corps`] or not at all.
    pub async fn suivante(&mut self) -> Result<Option<(Call, bool)>, StoreError> {
        loop {
            let Some(record) = self.0.suivant().await? else { return Ok(None) };
            let (nature, corps) = record.split_first().ok_or_else(Self::abime)?;
            if [APPEL, SANS_DONNEE].contains(nature) {
                let appel = serde_json::from_slice(corps).map_err(|_| Self::abime())?;
                return Ok(Some((appel, *nature == APPEL)));
            }
        }
    }

    /// The rest of the answer, a chunk at a time.
    async fn tranche(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let mut record = self.0.suivant().await?.ok_or_else(Self::abime)?;
        match record.first() {
            Some(&CORPS) => {
                record.remove(0);
                Ok(Some(record))
            }
            Some(&FIN) => Ok(None),
            _ => Err(Self::abime()),
        }
    }

    /// The rest of the answer.
    pub async fn corps(&mut self) -> Result<Vec<u8>, StoreError> {
        let mut corps = Vec::new();
        while let Some(tranche) = self.tranche().await? {
            corps.extend(tranche);
        }
        Ok(corps)
    }

    /// The rows of the next chunk of an answer, added to `lignes`: `false` once it is over. The
    /// answer was read once when it was staged; one that cannot be read now was staged by another
    /// version of the clients.
    pub async fn tranche_de_lignes(
        &mut self,
        lecteur: &mut Option<Reader>,
        lignes: &mut Vec<domain::Document>,
    ) -> Result<Result<bool, SourceError>, StoreError> {
        Ok(match (self.tranche().await?, lecteur.as_mut()) {
            (Some(tranche), Some(lecteur)) => lecteur.push(&tranche, |ligne| lignes.push(ligne)).map(|()| true),
            (None, Some(_)) => {
                let fin = lecteur.take().map_or(Ok(()), |l| l.finish(|ligne| lignes.push(ligne)).map(|_| ()));
                fin.map(|()| false)
            }
            (_, None) => Ok(false),
        })
    }

    /// The rows of an answer, one after the other.
    pub async fn lignes(
        &mut self,
        appel: &Call,
        mut chaque: impl FnMut(domain::Document),
    ) -> Result<Result<(), SourceError>, StoreError> {
        let mut lecteur = Reader::new(appel);
        while let Some(tranche) = self.tranche().await? {
            if let Err(faute) = lecteur.push(&tranche, &mut chaque) {
                return Ok(Err(faute));
            }
        }
        Ok(lecteur.finish(chaque).map(|_| ()))
    }
}
