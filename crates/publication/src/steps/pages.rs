//! Pages of the search index.

use crate::writer::Writer;
use store::bundle;
use store::kv::{KeyValueWrite, StoreError, VALUE_MAX};

/// Pages of entries sorted by hash.
pub(super) struct Pages<'a> {
    family: &'static str,
    fences: &'a mut Vec<u64>,
    page: Vec<(String, Vec<u8>)>,
    bytes: usize,
    size: usize,
}

impl<'a> Pages<'a> {
    pub(super) fn new(family: &'static str, fences: &'a mut Vec<u64>, size: usize) -> Self {
        Self { family, fences, page: Vec::new(), bytes: 0, size }
    }

    pub(super) async fn add<K: KeyValueWrite>(
        &mut self,
        writer: &mut Writer<'_, K>,
        fence: u64,
        key: String,
        entry: Vec<u8>,
    ) -> Result<(), StoreError> {
        let full = self.bytes + entry.len() > VALUE_MAX / 2;
        // Two keys of one hash lie in one page.
        if !self.page.is_empty() && (self.bytes >= self.size || full) && self.fences.last() != Some(&fence) {
            self.close(writer).await?;
        }
        if self.page.is_empty() {
            self.fences.push(fence);
        }
        self.bytes += key.len() + entry.len() + 24;
        self.page.push((key, entry));
        Ok(())
    }

    pub(super) async fn close<K: KeyValueWrite>(&mut self, writer: &mut Writer<'_, K>) -> Result<(), StoreError> {
        if self.page.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let page = bundle::pack(std::mem::take(&mut self.page));
        writer.put(self.family, self.fences.len() - 1, page).await
    }
}
