//! The pointer, as it is moved: by a publication, and back.

use crate::changes::{self, Move};
use crate::registry::{GenerationState, Lease, Registry, Served};
use crate::{Environment, PublicationError};
use store::kv::{KeyValueWrite, StoreError};
use store::pointer::Pointer;
use store::{frame, keys};

/// The family that holds a generation's copy of the pointer that led to it.
pub(crate) const FAMILY_POINTER: &str = "pointeur";

/// What a move of the pointer replaces.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Before<'b> {
    /// Nothing was ever published.
    Absent,
    /// A pointer of these bytes.
    Read(&'b [u8]),
    /// A pointer that is lost or cannot be read: there are no whole bytes to swap, the lease is what keeps others away.
    Damaged,
}

/// Moves the pointer, and reads it back: where a move that was lost counted as made, what is served would be deleted.
pub(crate) async fn put_pointer<K: KeyValueWrite>(
    kv: &K,
    before: Before<'_>,
    pointer: &Pointer,
) -> Result<(), PublicationError> {
    let new = pointer.write()?;
    match before {
        Before::Absent if kv.create(keys::POINTER, new.clone()).await? => {}
        Before::Damaged => kv.set(keys::POINTER, new.clone()).await?,
        Before::Read(before) if kv.swap(keys::POINTER, before, new.clone()).await? => {}
        Before::Absent | Before::Read(_) => return Err(PublicationError::Overtaken),
    }
    if kv.get(keys::POINTER).await?.is_some_and(|read| read == new) { Ok(()) } else { Err(PublicationError::Overtaken) }
}

/// Serves the generation before again; calling it once more goes forward again. Where the pointer is lost or damaged, the
/// youngest published generation comes back, by the copy of the pointer that lies in it.
///
/// # Errors
/// [`PublicationError::Refused`] where there is none.
pub async fn roll_back<K: KeyValueWrite, E: Environment>(kv: &K, env: &E) -> Result<Pointer, PublicationError> {
    let lease = Lease::take(kv, "retour", env.now_ms()).await?;
    // Whatever comes of it, the lease does not outlive the call.
    let outcome = switch_back(kv, env).await;
    let returned = lease.give_back(kv).await;
    let pointer = outcome?;
    returned?;
    Ok(pointer)
}

async fn switch_back<K: KeyValueWrite, E: Environment>(kv: &K, env: &E) -> Result<Pointer, PublicationError> {
    let pointer = match Served::read(kv).await {
        Ok(Some(Served { pointer: mut served, bytes })) => {
            // One that only an older version reads would be served by none.
            let Some(before) = served.previous.take().filter(|before| before.shelf().is_ok()) else {
                return Err(PublicationError::Refused("aucune génération précédente n'est conservée".into()));
            };
            changes::tell(kv, Some(&served.generation), Move::Back(&before.generation), env.now_ms()).await?;
            let pointer = Pointer { previous: Some(Box::new(served)), ..*before };
            put_pointer(kv, Before::Read(&bytes), &pointer).await?;
            pointer
        }
        Ok(None) => return Err(StoreError::Empty.into()),
        Err(StoreError::Damaged(_)) => {
            let pointer = youngest_published(kv).await?;
            changes::tell(kv, None, Move::Back(&pointer.generation), env.now_ms()).await?;
            put_pointer(kv, Before::Damaged, &pointer).await?;
            pointer
        }
        Err(fault) => return Err(fault.into()),
    };
    Registry::follow(kv, &pointer, env.now_ms()).await?;
    Ok(pointer)
}

/// The copy that lies in a generation, in the form of its layout.
pub(crate) fn read_copy(key: &str, copy: &[u8]) -> Option<Pointer> {
    let content = if frame::is_framed(copy) { frame::open(key, copy).ok()? } else { copy };
    Pointer::read(content).ok()
}

/// Whether a generation holds a whole copy of its own pointer: it was published once.
pub(crate) async fn has_copy<K: KeyValueWrite>(kv: &K, generation: &str) -> Result<bool, StoreError> {
    let key = keys::value(generation, FAMILY_POINTER, 0);
    Ok(kv.get(&key).await?.is_some_and(|copy| read_copy(&key, &copy).is_some()))
}

/// The pointer to the youngest published generation that holds a whole copy of its own.
async fn youngest_published<K: KeyValueWrite>(kv: &K) -> Result<Pointer, PublicationError> {
    let registry = Registry::read(kv).await?;
    for generation in registry.generations.iter().rev().filter(|g| g.state == GenerationState::Published) {
        let key = keys::value(&generation.id, FAMILY_POINTER, 0);
        let copy = kv.get(&key).await?;
        if let Some(pointer) = copy.and_then(|copy| read_copy(&key, &copy)) {
            return Ok(pointer);
        }
    }
    if registry.to_search.is_some() {
        return Err(PublicationError::Refused(
            "le registre se reconstruit : appeler POST /internal/import/run tant que la réponse dit \"encore\": true, puis revenir"
                .into(),
        ));
    }
    Err(PublicationError::Refused(
        "le pointeur est illisible et aucune génération n'en garde de copie : restaurer le magasin".into(),
    ))
}
