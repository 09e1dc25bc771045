//! The documents of the generation in use, for treatments that look them up.

use super::Served;
use super::etapes::{Manifeste, lire_source};
use crate::kv::{KeyValue, StoreError};
use domain::Kind;

/// Hands out the documents of some kinds that are served now, a partition at a time: JSON as it
/// was pushed. Nothing where nothing is published.
///
/// # Errors
/// [`StoreError::Damaged`], or those of the store.
pub async fn parcourir_servies<K: KeyValue>(
    kv: &K,
    kinds: &[Kind],
    mut chaque: impl FnMut(Kind, &[u8]),
) -> Result<(), StoreError> {
    let Some(Served { pointer: pointeur, .. }) = Served::read(kv).await? else { return Ok(()) };
    let manifeste = Manifeste::lire(kv, &pointeur.generation).await?;
    for partition in manifeste.partitions(kinds) {
        let lue = manifeste.sources().lire(kv, &pointeur.generation, partition).await?;
        for record in lue.records() {
            let (kind, _, _, json) = lire_source(record).ok_or(StoreError::Damaged("source".into()))?;
            if kinds.contains(&kind) {
                chaque(kind, json);
            }
        }
    }
    Ok(())
}
