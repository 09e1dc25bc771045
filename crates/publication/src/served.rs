//! The documents of the generation in use, for treatments that look them up.

use crate::Served;
use crate::manifest::Manifest;
use crate::steps::{read_source, standing};
use domain::Kind;
use store::kv::{KeyValue, StoreError};

/// Hands out the documents of some kinds that are served now, a partition at a time: JSON as it
/// was pushed. Nothing where nothing is published.
///
/// # Errors
/// [`StoreError::Damaged`], or those of the store.
pub async fn walk_served<K: KeyValue>(
    kv: &K,
    kinds: &[Kind],
    mut each: impl FnMut(Kind, &[u8]),
) -> Result<(), StoreError> {
    let Some(Served { pointer, .. }) = Served::read(kv).await? else { return Ok(()) };
    let manifest = Manifest::read(kv, pointer.shelf()?).await?;
    for partition in manifest.partitions(kinds) {
        let read = manifest.sources().read(kv, pointer.shelf()?, partition).await?;
        let records: Option<Vec<_>> = read.records().map(read_source).collect();
        let wanted = records.map(|all| all.into_iter().filter(|(kind, ..)| kinds.contains(kind)));
        let damaged = || StoreError::Damaged("source".into());
        for (kind, _, _, _, json) in wanted.and_then(standing).ok_or_else(damaged)? {
            each(kind, json);
        }
    }
    Ok(())
}
