//! Writing under a generation, so that it can be deleted later without listing a key.

use std::collections::BTreeMap;
use store::chain::{self, ChainHead};
use store::frame::Content;
use store::kv::{KeyValue, KeyValueWrite, StoreError, VALUE_MAX, to_json};
use store::{Shelf, keys};

/// How far ahead a high-water mark is raised, at least: one write of marks covers so many values, or half as many as there
/// are.
const AHEAD: usize = 256;
/// Bytes of a value of a long text.
const LONG_PIECE: usize = 256 * 1024;
/// How many bytes wait for a batch, at most.
const WAIT_MAX: usize = 3 * 1024 * 1024;

/// Bytes of a page of marks: each attempt at a step writes families of its own, so a long job on a slow store has thousands.
const MARKS_MAX: usize = 96 * 1024;
/// In the page that grows: how many full ones there are. No family has this name.
const ARCHIVES: &str = "";

/// High-water marks by family.
type Marks = BTreeMap<String, usize>;

/// The key of the marks of a prefix (a generation, or the parts of a job): the page that grows.
pub(super) fn marks_key(prefix: &str) -> String {
    format!("work:marks:{prefix}")
}

/// The key of a full page of marks.
fn archive_key(prefix: &str, n: usize) -> String {
    format!("work:marks:{prefix}:{n}")
}

/// A page of marks; empty where there is none. One that cannot be read is damage: nobody would know what to delete.
async fn read_marks<K: KeyValueWrite>(kv: &K, key: &str) -> Result<Marks, StoreError> {
    let Some(bytes) = kv.get(key).await? else { return Ok(Marks::new()) };
    serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged(key.to_owned()))
}

fn text(marks: &Marks) -> Result<Vec<u8>, StoreError> {
    to_json("work:marks", marks)
}

/// Writes bytes of any length as consecutive values of a family, from `start` on: how many.
///
/// # Errors
/// Those of the store.
pub async fn put_long<K: KeyValueWrite>(
    writer: &mut Writer<'_, K>,
    family: &str,
    start: usize,
    bytes: &[u8],
) -> Result<usize, StoreError> {
    let mut n = 0;
    for piece in bytes.chunks(LONG_PIECE) {
        writer.put(family, start + n, piece.to_vec()).await?;
        n += 1;
    }
    Ok(n)
}

/// Reads what [`put_long`] wrote.
///
/// # Errors
/// [`StoreError::Damaged`] where a value is missing or damaged, else those of the store.
pub async fn read_long<K: KeyValue>(
    kv: &K,
    shelf: Shelf<'_>,
    family: &str,
    start: usize,
    count: usize,
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    for n in start..start + count {
        bytes.extend_from_slice(shelf.get(kv, family, n).await?.content()?);
    }
    Ok(bytes)
}

/// Writes values under a prefix in batches, each family's mark raised before its first value
/// beyond it.
pub struct Writer<'a, K> {
    kv: &'a K,
    prefix: String,
    batch: usize,
    ahead: usize,
    marks: Marks,
    /// Whether marks were raised that are not written yet.
    is_raised: bool,
    wait: Vec<(String, Vec<u8>)>,
    bytes: usize,
    /// Values written, marks included.
    pub writes: u64,
}

impl<'a, K: KeyValueWrite> Writer<'a, K> {
    /// For the values of a prefix, in batches of `batch`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn open(kv: &'a K, prefix: &str, batch: usize) -> Result<Self, StoreError> {
        let marks = read_marks(kv, &marks_key(prefix)).await?;
        Ok(Self {
            kv,
            prefix: prefix.to_owned(),
            batch: batch.max(1),
            ahead: AHEAD,
            marks,
            is_raised: false,
            wait: Vec::new(),
            bytes: 0,
            writes: 0,
        })
    }

    /// With marks raised by less: for a prefix of many small families, whose deletion should not
    /// count down through keys that never were.
    #[must_use]
    pub fn with_ahead(mut self, ahead: usize) -> Self {
        self.ahead = ahead.max(1);
        self
    }

    /// Writes a value, framed, now or with its batch.
    ///
    /// # Errors
    /// Those of the store, and [`StoreError::TooLarge`].
    pub async fn put(&mut self, family: &str, n: usize, content: impl Into<Content>) -> Result<(), StoreError> {
        let key = keys::value(&self.prefix, family, n);
        let value = content.into().seal(&key);
        if value.len() > VALUE_MAX {
            return Err(StoreError::TooLarge(key, value.len()));
        }
        if self.marks.get(family).is_none_or(|m| n >= *m) {
            self.marks.insert(family.to_owned(), n + self.ahead.max(n / 2));
            self.is_raised = true;
        }
        self.bytes += value.len();
        self.wait.push((key, value));
        if self.wait.len() >= self.batch || self.bytes >= WAIT_MAX {
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes the marks of what waits, of all its families at once: each write of its own waits for the disk.
    async fn write_marks(&mut self) -> Result<(), StoreError> {
        let mut marks = text(&self.marks)?;
        if marks.len() > MARKS_MAX {
            // The page is full. The copy goes first: a mark that lies twice is no harm, one that lies nowhere is.
            let archives = self.marks.remove(ARCHIVES).unwrap_or(0);
            self.kv.set(&archive_key(&self.prefix, archives), text(&self.marks)?).await?;
            self.writes += 1;
            self.marks = [(ARCHIVES.to_owned(), archives + 1)].into();
            marks = text(&self.marks)?;
        }
        self.kv.set(&marks_key(&self.prefix), marks).await?;
        self.writes += 1;
        self.is_raised = false;
        Ok(())
    }

    /// Whether the families that it knows hold one that `choice` names. Those of full pages of marks it does not know.
    pub(super) fn names(&self, choice: impl Fn(&str) -> bool) -> bool {
        self.marks.keys().any(|family| choice(family))
    }

    /// Deletes the families that `choice` names; at most `limit` keys a call.
    pub(super) async fn delete(&mut self, limit: usize, choice: impl Fn(&str) -> bool) -> Result<(), StoreError> {
        self.flush().await?;
        delete(self.kv, &self.prefix, self.batch, limit, choice).await?;
        self.marks = read_marks(self.kv, &marks_key(&self.prefix)).await?;
        Ok(())
    }

    /// What is to lie in the place of an entry: itself, or the head of the values it is cut over where it is larger than
    /// `place`. `prochain` is the number of the next such value of the family.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn put_chain(
        &mut self,
        family: &str,
        next: &mut usize,
        entry: Vec<u8>,
        place: usize,
    ) -> Result<Vec<u8>, StoreError> {
        let Some(pieces) = chain::cut_up(&entry, place) else { return Ok(entry) };
        let head = ChainHead { first: *next, count: pieces.len() };
        let family = chain::family(family);
        for piece in pieces {
            self.put(&family, *next, piece).await?;
            *next += 1;
        }
        Ok(head.encode())
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn flush(&mut self) -> Result<(), StoreError> {
        if !self.wait.is_empty() {
            // Marks go first: nothing lies under a mark that is not written.
            if self.is_raised {
                self.write_marks().await?;
            }
            self.writes += self.wait.len() as u64;
            self.bytes = 0;
            self.kv.set_many(std::mem::take(&mut self.wait)).await?;
        }
        Ok(())
    }
}

/// Deletes the families of a prefix that `choice` names, counting down from their marks: `true`
/// once nothing of them is left. At most `limit` keys a call; the marks are lowered behind what
/// is gone.
pub(super) async fn delete<K: KeyValueWrite>(
    kv: &K,
    prefix: &str,
    batch: usize,
    limit: usize,
    choice: impl Fn(&str) -> bool,
) -> Result<bool, StoreError> {
    let mut page = read_marks(kv, &marks_key(prefix)).await?;
    let archives = page.remove(ARCHIVES).unwrap_or(0);
    let (mut remainder, mut outcome, mut empty) = (limit, true, true);
    for n in (0..archives).rev() {
        let key = archive_key(prefix, n);
        let mut page = read_marks(kv, &key).await?;
        if delete_page(kv, prefix, &mut page, batch, &mut remainder, &choice).await? {
            put_marks(kv, &key, &page).await?;
        }
        outcome &= !page.keys().any(|family| choice(family));
        empty &= page.is_empty();
    }
    let change = delete_page(kv, prefix, &mut page, batch, &mut remainder, &choice).await?;
    outcome &= !page.keys().any(|family| choice(family));
    if !empty {
        page.insert(ARCHIVES.to_owned(), archives);
    }
    if change || page.is_empty() || (empty && archives > 0) {
        put_marks(kv, &marks_key(prefix), &page).await?;
    }
    Ok(outcome)
}

/// Deletes what one page of marks names: whether the page changed.
async fn delete_page<K: KeyValueWrite>(
    kv: &K,
    prefix: &str,
    page: &mut Marks,
    batch: usize,
    remainder: &mut usize,
    choice: impl Fn(&str) -> bool,
) -> Result<bool, StoreError> {
    let mut change = false;
    while *remainder > 0 {
        let Some((family, &mark)) = page.iter().rfind(|(family, _)| choice(family)) else {
            break;
        };
        let family = family.clone();
        let from = mark.saturating_sub((*remainder).min(batch.max(1)));
        kv.delete_many((from..mark).map(|n| keys::value(prefix, &family, n)).collect()).await?;
        *remainder = remainder.saturating_sub(mark - from);
        change = true;
        if from == 0 {
            page.remove(&family);
        } else {
            page.insert(family, from);
        }
    }
    Ok(change)
}

async fn put_marks<K: KeyValueWrite>(kv: &K, key: &str, page: &Marks) -> Result<(), StoreError> {
    if page.is_empty() { kv.delete_many(vec![key.to_owned()]).await } else { kv.set(key, text(page)?).await }
}

/// Lets go of the marks of a prefix that cannot be read: what lies under it is lost to deletion, but in nobody's way.
pub(super) async fn forget<K: KeyValueWrite>(kv: &K, prefix: &str) -> Result<(), StoreError> {
    kv.delete_many(vec![marks_key(prefix)]).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_executor::block_on;
    use store::MemoryStore;

    /// A job of many thousand attempts names many thousand families: their marks go on in further values, and
    /// everything is deleted all the same.
    #[test]
    fn invariant_8_marks_of_any_number_of_families_fit_and_lead_to_everything() {
        let kv = MemoryStore::default();
        block_on(async {
            for number in 0..9_000 {
                if number % 500 == 0 {
                    // Another call.
                    kv.set("x", Vec::new()).await.unwrap();
                }
                let mut writer = Writer::open(&kv, "g1", 25).await.unwrap().with_ahead(2);
                let family = if number % 3 == 0 { "flux.sources" } else { "flux.tri.formations.lieux" };
                writer.put(&format!("{family}.{number}"), 0, vec![1]).await.unwrap();
                writer.flush().await.unwrap();
            }
            assert!(kv.keys().iter().filter(|k| k.starts_with("work:marks:g1")).count() > 2);
            let sources = |family: &str| family.starts_with("flux.sources.");
            while !delete(&kv, "g1", 25, 1_000, |f| !sources(f)).await.unwrap() {}
            let remainders = kv.keys().into_iter().filter(|k| k.starts_with("g1:")).collect::<Vec<_>>();
            assert!(
                remainders.len() == 3_000 && remainders.iter().all(|k| k.contains("sources")),
                "{}",
                remainders.len()
            );
            while !delete(&kv, "g1", 25, 1_000, |_| true).await.unwrap() {}
            assert_eq!(kv.keys(), ["x"]);
        });
    }
}
