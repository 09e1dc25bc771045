//! Where values lie together: under one prefix, in one layout.

use crate::bundle;
use crate::fold::unfold;
use crate::frame::{self, Frame};
use crate::kv::Damaged;
use crate::kv::{KeyValue, StoreError};
use crate::segment::{self, RowStyle};
use crate::{keys, layout3};

/// The layouts that this version reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutVersion {
    /// That of version 0.1.0.
    Three,
    /// The one that is written: every value framed ([`crate::frame`]), rows and sources folded.
    Four,
}

impl LayoutVersion {
    /// By its number.
    #[must_use]
    pub fn of(number: u32) -> Option<Self> {
        match number {
            3 => Some(Self::Three),
            4 => Some(Self::Four),
            _ => None,
        }
    }
}

/// A prefix of keys, and the layout of what lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shelf<'a> {
    prefix: &'a str,
    layout: LayoutVersion,
}

impl<'a> Shelf<'a> {
    /// Of a generation that the pointer names.
    #[must_use]
    pub fn new(prefix: &'a str, layout: LayoutVersion) -> Self {
        Self { prefix, layout }
    }

    /// Of what this version writes.
    #[must_use]
    pub fn own(prefix: &'a str) -> Self {
        Self { prefix, layout: LayoutVersion::Four }
    }

    /// An entry that this version folds and layout 3 did not; `None` where it cannot be unfolded.
    #[must_use]
    pub fn unfolded(self, entry: Vec<u8>) -> Option<Vec<u8>> {
        match self.layout {
            LayoutVersion::Three => Some(entry),
            LayoutVersion::Four => unfold(&entry),
        }
    }

    /// A value that must be there.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it is not, else those of the store.
    pub async fn get<K: KeyValue>(self, kv: &K, family: &str, n: usize) -> Result<StoredValue, StoreError> {
        let value = self.find(kv, family, n).await?;
        value.ok_or_else(|| StoreError::Damaged(keys::value(self.prefix, family, n)))
    }

    /// A value that need not be there.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find<K: KeyValue>(self, kv: &K, family: &str, n: usize) -> Result<Option<StoredValue>, StoreError> {
        let key = keys::value(self.prefix, family, n);
        Ok(kv.get(&key).await?.map(|bytes| StoredValue { key, bytes, layout: self.layout }))
    }
}

/// A value as it lies under its key. What is taken out of it is proven, or a fault that names the key.
#[derive(Clone, Debug)]
pub struct StoredValue {
    key: String,
    bytes: Vec<u8>,
    layout: LayoutVersion,
}

impl StoredValue {
    /// Bytes that it holds.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// What is to be told of a value that cannot be read.
    #[must_use]
    pub fn damaged(&self) -> StoreError {
        StoreError::Damaged(self.key.clone())
    }

    fn told<T>(&self, read: Result<T, Damaged>) -> Result<T, StoreError> {
        read.map_err(|Damaged| self.damaged())
    }

    /// Its one piece.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn content(&self) -> Result<&[u8], StoreError> {
        self.told(match self.layout {
            LayoutVersion::Three => layout3::content(&self.key, &self.bytes),
            LayoutVersion::Four => frame::open(&self.key, &self.bytes),
        })
    }

    /// The entry of a bundle or page; `None` only where it is whole and does not hold it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn find(&self, key: &str) -> Result<Option<&[u8]>, StoreError> {
        self.told(match self.layout {
            LayoutVersion::Three => layout3::find(&self.bytes, key),
            LayoutVersion::Four => Frame::read(&self.key, &self.bytes).and_then(|frame| bundle::find(&frame, key)),
        })
    }

    /// Every entry of a bundle or page that this version wrote.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn entries(&self) -> Result<Vec<(&str, &[u8])>, StoreError> {
        self.told(Frame::read(&self.key, &self.bytes).and_then(|frame| bundle::entries(&frame)))
    }

    /// Appends the rows `from .. from + count` of a segment. What stands in `out` after a fault is no answer.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn append_rows(
        &self,
        out: &mut Vec<u8>,
        from: usize,
        count: usize,
        style: RowStyle<'_>,
    ) -> Result<(), StoreError> {
        self.told(match self.layout {
            LayoutVersion::Three => layout3::append_rows(out, &self.key, &self.bytes, from, count, style),
            LayoutVersion::Four => Frame::read(&self.key, &self.bytes)
                .and_then(|frame| segment::append_rows(out, &frame, from, count, style)),
        })
    }

    /// How many rows a segment has that this version wrote, each of them unfolded.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn verify_rows(&self) -> Result<usize, StoreError> {
        self.told(Frame::read(&self.key, &self.bytes).and_then(|frame| segment::verify(&frame)))
    }
}
