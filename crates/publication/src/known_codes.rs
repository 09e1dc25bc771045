//! The codes that a nomenclature knows, as they lie in the store: with a generation, and with the parts of a push.

use crate::registry::Served;
use crate::writer::Writer;
use plausibility::KnownCodes;
use sha2::{Digest, Sha256};
use store::Shelf;
use store::codec::hex;
use store::kv::{KeyValue, KeyValueWrite, StoreError};

/// The family that holds them.
pub(crate) const FAMILY: &str = "codes_connus";

fn part_family(digest: &str) -> String {
    format!("{FAMILY}.{digest}")
}

/// Those of the generation in use; none where it does not say.
pub(super) async fn served<K: KeyValue>(kv: &K) -> Result<KnownCodes, StoreError> {
    let Some(Served { pointer, .. }) = Served::read(kv).await? else { return Ok(KnownCodes::default()) };
    let value = pointer.shelf()?.find(kv, FAMILY, 0).await?;
    // One that cannot be read costs a remark, no publication.
    let read = value.and_then(|value| KnownCodes::read(value.content().ok()?));
    Ok(read.unwrap_or_default())
}

/// Those that a push brought up to the end of a part.
pub(super) async fn of_part<K: KeyValue>(kv: &K, prefix: &str, digest: &str) -> Result<KnownCodes, StoreError> {
    let value = Shelf::own(prefix).get(kv, &part_family(digest), 0).await?;
    KnownCodes::read(value.content()?).ok_or_else(|| value.damaged())
}

/// Keeps them with a part: the digest that finds them; `None` where there are none.
pub(super) async fn put_part<K: KeyValueWrite>(
    kv: &K,
    prefix: &str,
    codes: &KnownCodes,
) -> Result<Option<String>, StoreError> {
    if codes.is_empty() {
        return Ok(None);
    }
    let digest: String = hex(&Sha256::digest(codes.as_bytes())).chars().take(16).collect();
    let mut writer = Writer::open(kv, prefix, 1).await?.with_ahead(1);
    writer.put(&part_family(&digest), 0, codes.as_bytes().to_vec()).await?;
    writer.flush().await?;
    Ok(Some(digest))
}
