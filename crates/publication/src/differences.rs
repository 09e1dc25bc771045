//! What changed between two generations, and what one of them covers: computed once, and asked for later.

use crate::PublicationError;
use crate::manifest::Manifest;
use crate::outlines::{self, Differences, Outlines};
use crate::registry::{GenerationState, Registry, Served};
use crate::rollback::{FAMILY_POINTER, read_copy};
use crate::writer::read_long;
use store::keys;
use store::kv::{KeyValue, StoreError};
use store::pointer::Pointer;

/// The family of a generation that holds its coverage: how many values follow, then a table.
pub(crate) const COVERAGE_FAMILY: &str = "couverture";

/// The manifest of a generation that is whole; `None` where it is not, or is no more.
async fn manifest<K: KeyValue>(kv: &K, generation: &str) -> Result<Option<Manifest>, StoreError> {
    let registry = Registry::read(kv).await?;
    let known = registry.generations.iter().find(|known| known.id == generation);
    if !known.is_some_and(|known| matches!(known.state, GenerationState::Published | GenerationState::InProgress)) {
        return Ok(None);
    }
    let key = keys::value(generation, FAMILY_POINTER, 0);
    let Some(pointer): Option<Pointer> = kv.get(&key).await?.and_then(|copy| read_copy(&key, &copy)) else {
        return Ok(None);
    };
    Manifest::read(kv, pointer.shelf()?).await.map(Some)
}

/// The two generations to compare: those that are named, else the one before and the one that is served.
async fn pair<K: KeyValue>(kv: &K, names: Option<(&str, &str)>) -> Result<(String, String), PublicationError> {
    if let Some((before, after)) = names {
        return Ok((before.to_owned(), after.to_owned()));
    }
    let served = Served::read(kv).await?.ok_or(StoreError::Empty)?.pointer;
    match served.previous {
        Some(previous) => Ok((previous.generation, served.generation)),
        None => Err(PublicationError::Refused("aucune génération précédente n'est conservée".into())),
    }
}

/// What changed between two generations, and the table of it as CSV; without names, from the one before to the one served.
///
/// # Errors
/// [`PublicationError::Refused`] where one of them is not there, or was made before this could be told.
pub async fn differences<K: KeyValue>(
    kv: &K,
    names: Option<(&str, &str)>,
) -> Result<(Differences, String), PublicationError> {
    let (before, after) = pair(kv, names).await?;
    let outlines = async |generation: &str| -> Result<Outlines, PublicationError> {
        let gone = || {
            PublicationError::Refused(format!(
                "la génération {generation} n'est plus conservée, ou pas encore complète"
            ))
        };
        let manifest = manifest(kv, generation).await?.ok_or_else(gone)?;
        let old =
            || PublicationError::Refused(format!("la génération {generation} date d'une version sans comparaison"));
        Outlines::read(kv, outlines::comparable(&manifest).ok_or_else(old)?).await?.ok_or_else(old)
    };
    let (old, new) = (outlines(&before).await?, outlines(&after).await?);
    let (mut differences, table) = outlines::table(&old, &new);
    (differences.before, differences.after) = (before, after);
    Ok((differences, table))
}

/// What the served generation covers, as CSV; `None` where it does not say.
///
/// # Errors
/// Those of the store.
pub async fn coverage<K: KeyValue>(kv: &K) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(Served { pointer, .. }) = Served::read(kv).await? else { return Ok(None) };
    let Some(first) = pointer.shelf()?.find(kv, COVERAGE_FAMILY, 0).await? else { return Ok(None) };
    let count: usize = serde_json::from_slice(first.content()?).map_err(|_| first.damaged())?;
    read_long(kv, pointer.shelf()?, COVERAGE_FAMILY, 1, count).await.map(Some)
}
