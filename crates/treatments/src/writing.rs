//! Writing by merging.
//!
//! Rule (contract, "Keys and writing"): documents are known by a key; writing one merges it into
//! what is stored, where null or missing fields change nothing. A statistic as a service delivers
//! it first removes the document of its key that the treatments had derived (`donnee_source.type`
//! not `self`, or missing), then says that its numbers are its own. Why: a service that now
//! publishes a certification overrules what we had deduced for it.

use crate::text::{field, sub_field};
use domain::{Document, Kind};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::ops::AddAssign;

/// Every field that is part of the key of some kind.
const KEY_FIELDS: [&str; 10] = [
    "code_certification",
    "millesime",
    "filiere",
    "region",
    "uai",
    "mef_stat_11",
    "diplome_sise",
    "numero_uai",
    "id",
    "username",
];

/// How many documents were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteCounts {
    /// New ones.
    pub created: u64,
    /// Changed ones.
    pub modified: u64,
    /// Written as they were.
    pub unchanged: u64,
}

impl WriteCounts {
    /// Counts one.
    pub fn count(&mut self, writing: WriteOutcome) {
        match writing {
            WriteOutcome::Created => self.created += 1,
            WriteOutcome::Modified => self.modified += 1,
            WriteOutcome::Unchanged => self.unchanged += 1,
        }
    }
}

impl AddAssign for WriteCounts {
    fn add_assign(&mut self, others: Self) {
        self.created += others.created;
        self.modified += others.modified;
        self.unchanged += others.unchanged;
    }
}

/// What a writing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// There was no document of this key.
    Created,
    /// There was one, and a field changed.
    Modified,
    /// There was one that held all of it.
    Unchanged,
}

/// Merges `incoming` into `target`; says whether anything changed.
///
/// Null fields change nothing. `_meta` is merged field by field, everything else is replaced.
///
/// ```
/// use serde_json::json;
/// let mut stored = json!({"libelle": "A", "nb_sortant": 3}).as_object().unwrap().clone();
/// let delivered = json!({"libelle": null, "nb_sortant": 4}).as_object().unwrap().clone();
/// assert!(treatments::writing::merge(&mut stored, &delivered));
/// assert_eq!(stored, *json!({"libelle": "A", "nb_sortant": 4}).as_object().unwrap());
/// ```
pub fn merge(target: &mut Document, incoming: &Document) -> bool {
    let mut change = false;
    for (name, value) in incoming {
        if value.is_null() {
            continue;
        }
        match (target.get_mut(name), value) {
            (Some(Value::Object(here)), Value::Object(new)) if name == "_meta" => change |= merge(here, new),
            (Some(here), _) if here == value => {}
            (Some(here), _) => {
                *here = value.clone();
                change = true;
            }
            (None, _) => {
                target.insert(name.clone(), value.clone());
                change = true;
            }
        }
    }
    change
}

/// Whether a statistic holds numbers that a service delivered for this very certification.
#[must_use]
pub fn is_delivered(document: &Document) -> bool {
    sub_field(document, "donnee_source", "type") == Some("self")
}

/// `{code_certification, type}`: whose numbers a statistic holds.
#[must_use]
pub fn donnee_source(code: &str, nature: &str) -> Value {
    json!({"code_certification": code, "type": nature})
}

/// Documents of one kind in memory, by key, in the order they came.
#[derive(Clone, Debug)]
pub struct Collection {
    kind: Kind,
    documents: Vec<Option<Document>>,
    by_key: HashMap<String, usize>,
}

impl Collection {
    /// None yet.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, documents: Vec::new(), by_key: HashMap::new() }
    }

    /// These documents; of two with one key the later is merged into the earlier. A document
    /// without a key is left out.
    #[must_use]
    pub fn of(kind: Kind, documents: impl IntoIterator<Item = Document>) -> Self {
        let mut collection = Self::new(kind);
        for document in documents {
            match kind.key(&document) {
                Some(key) if !collection.by_key.contains_key(&key) => {
                    collection.by_key.insert(key, collection.documents.len());
                    collection.documents.push(Some(document));
                }
                _ => {
                    collection.write(document);
                }
            }
        }
        collection
    }

    /// Their kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How many places there are, removed documents included: bounds of [`Collection::document`].
    #[must_use]
    pub fn places(&self) -> usize {
        self.documents.len()
    }

    /// The document at a place, unless it was removed.
    #[must_use]
    pub fn document(&self, place: usize) -> Option<&Document> {
        self.documents.get(place)?.as_ref()
    }

    /// The place of a key.
    #[must_use]
    pub fn place(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// The document of a key.
    #[must_use]
    pub fn by_key(&self, key: &str) -> Option<&Document> {
        self.document(self.place(key)?)
    }

    /// All documents.
    pub fn iter(&self) -> impl Iterator<Item = &Document> {
        self.documents.iter().flatten()
    }

    /// All documents, owned.
    pub fn into_documents(self) -> impl Iterator<Item = Document> {
        self.documents.into_iter().flatten()
    }

    /// How many documents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Writes a document by merging. `None` where it has no key: nothing is written.
    pub fn write(&mut self, mut incoming: Document) -> Option<WriteOutcome> {
        let key = self.kind.key(&incoming)?;
        let place = self.place(&key);
        if let Some(here) = place.and_then(|p| self.documents.get_mut(p)?.as_mut()) {
            return Some(if merge(here, &incoming) { WriteOutcome::Modified } else { WriteOutcome::Unchanged });
        }
        if incoming.values().any(Value::is_null) {
            incoming.retain(|_, value| !value.is_null());
        }
        self.by_key.insert(key, self.documents.len());
        self.documents.push(Some(incoming));
        Some(WriteOutcome::Created)
    }

    /// Writes a statistic as a service delivers it (see the module).
    pub fn write_delivered(&mut self, mut incoming: Document) -> Option<WriteOutcome> {
        let key = self.kind.key(&incoming)?;
        self.remove_derived(&key);
        if let Some(code) = field(&incoming, "code_certification") {
            let source = donnee_source(code, "self");
            incoming.insert("donnee_source".to_owned(), source);
        }
        self.write(incoming)
    }

    /// Removes the document of a key unless its numbers were delivered for itself.
    pub fn remove_derived(&mut self, key: &str) -> Option<Document> {
        if self.by_key(key).is_some_and(is_delivered) { None } else { self.remove(key) }
    }

    /// Removes a document.
    pub fn remove(&mut self, key: &str) -> Option<Document> {
        let place = self.by_key.remove(key)?;
        self.documents.get_mut(place)?.take()
    }

    /// Removes fields of the document at a place, none of them part of its key. Says whether there were any.
    pub fn remove_fields(&mut self, place: usize, remove: impl Fn(&str) -> bool) -> bool {
        let Some(Some(document)) = self.documents.get_mut(place) else { return false };
        let before = document.len();
        document.retain(|name, _| KEY_FIELDS.contains(&name.as_str()) || !remove(name));
        document.len() != before
    }

    /// Merges into the document at a place, whose key may change with it.
    ///
    /// Where the new key is another document's, that one keeps it and the changed one is removed
    /// after having been merged into it.
    pub fn merge_at(&mut self, place: usize, incoming: &Document) -> Option<WriteOutcome> {
        let kind = self.kind;
        let here = self.documents.get_mut(place)?.as_mut()?;
        if !KEY_FIELDS.iter().any(|name| incoming.contains_key(*name)) {
            return Some(if merge(here, incoming) { WriteOutcome::Modified } else { WriteOutcome::Unchanged });
        }
        let before = kind.key(here);
        let writing = if merge(here, incoming) { WriteOutcome::Modified } else { WriteOutcome::Unchanged };
        let after = kind.key(here);
        if before != after {
            let document = self.remove(&before?)?;
            match self.place(after.as_deref()?) {
                Some(other) => {
                    if let Some(other) = self.documents.get_mut(other)?.as_mut() {
                        merge(other, &document);
                    }
                }
                None => {
                    self.by_key.insert(after?, place);
                    *self.documents.get_mut(place)? = Some(document);
                }
            }
        }
        Some(writing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(value: Value) -> Document {
        value.as_object().unwrap().clone()
    }

    fn statistic(source: Option<&str>) -> Document {
        let mut document =
            document(json!({"code_certification": "12345678", "millesime": "2020", "filiere": "pro", "nb_sortant": 1}));
        if let Some(source) = source {
            document.insert("donnee_source".into(), donnee_source("12345678", source));
        }
        document
    }

    #[test]
    fn a_delivered_statistic_replaces_a_derived_one_and_merges_into_its_own() {
        for (source, remainder) in
            [(Some("self"), true), (Some("ancienne"), false), (Some("nouvelle"), false), (None, false)]
        {
            let mut collection = Collection::of(Kind::Certification, [statistic(source)]);
            let mut incoming = statistic(None);
            incoming.remove("nb_sortant");
            collection.write_delivered(incoming);
            let after = collection.iter().next().unwrap();
            assert_eq!(after.contains_key("nb_sortant"), remainder, "{source:?}");
            assert!(is_delivered(after));
            assert_eq!(collection.len(), 1);
        }
    }

    #[test]
    fn meta_is_merged_and_other_objects_are_replaced() {
        let mut target = document(json!({"_meta": {"a": 1}, "region": {"code": "11", "x": 1}}));
        merge(&mut target, &document(json!({"_meta": {"b": 2}, "region": {"code": "24"}})));
        assert_eq!(Value::Object(target), json!({"_meta": {"a": 1, "b": 2}, "region": {"code": "24"}}));
    }

    #[test]
    fn a_document_that_takes_the_key_of_another_is_merged_into_it() {
        let mut other = statistic(None);
        other.insert("filiere".into(), "agricole".into());
        let mut collection = Collection::of(Kind::Certification, [statistic(None), other.clone()]);
        collection.merge_at(0, &other);
        assert_eq!(collection.len(), 1);
        assert_eq!(collection.iter().count(), 1);
    }
}
