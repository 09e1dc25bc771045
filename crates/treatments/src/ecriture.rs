//! Writing by merging.
//!
//! Rule (contract, "Keys and writing"): documents are known by a key; writing one merges it into
//! what is stored, where null or missing fields change nothing. A statistic as a service delivers
//! it first removes the document of its key that the treatments had derived (`donnee_source.type`
//! not `self`, or missing), then says that its numbers are its own. Why: a service that now
//! publishes a certification overrules what we had deduced for it.

use crate::texte::{champ, sous_champ};
use domain::{Document, Kind};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::ops::AddAssign;

/// Every field that is part of the key of some kind.
const CHAMPS_DE_CLES: [&str; 10] = [
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
pub struct Ecritures {
    /// New ones.
    pub crees: u64,
    /// Changed ones.
    pub modifies: u64,
    /// Written as they were.
    pub inchanges: u64,
}

impl Ecritures {
    /// Counts one.
    pub fn compter(&mut self, ecriture: Ecriture) {
        match ecriture {
            Ecriture::Cree => self.crees += 1,
            Ecriture::Modifie => self.modifies += 1,
            Ecriture::Inchange => self.inchanges += 1,
        }
    }
}

impl AddAssign for Ecritures {
    fn add_assign(&mut self, autres: Self) {
        self.crees += autres.crees;
        self.modifies += autres.modifies;
        self.inchanges += autres.inchanges;
    }
}

/// What a writing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ecriture {
    /// There was no document of this key.
    Cree,
    /// There was one, and a field changed.
    Modifie,
    /// There was one that held all of it.
    Inchange,
}

/// Merges `apport` into `cible`; says whether anything changed.
///
/// Null fields change nothing. `_meta` is merged field by field, everything else is replaced.
///
/// ```
/// use serde_json::json;
/// let mut stored = json!({"libelle": "A", "nb_sortant": 3}).as_object().unwrap().clone();
/// let delivered = json!({"libelle": null, "nb_sortant": 4}).as_object().unwrap().clone();
/// assert!(treatments::ecriture::fusionner(&mut stored, &delivered));
/// assert_eq!(stored, *json!({"libelle": "A", "nb_sortant": 4}).as_object().unwrap());
/// ```
pub fn fusionner(cible: &mut Document, apport: &Document) -> bool {
    let mut change = false;
    for (nom, valeur) in apport {
        if valeur.is_null() {
            continue;
        }
        match (cible.get_mut(nom), valeur) {
            (Some(Value::Object(ici)), Value::Object(nouveau)) if nom == "_meta" => change |= fusionner(ici, nouveau),
            (Some(ici), _) if ici == valeur => {}
            (Some(ici), _) => {
                *ici = valeur.clone();
                change = true;
            }
            (None, _) => {
                cible.insert(nom.clone(), valeur.clone());
                change = true;
            }
        }
    }
    change
}

/// Whether a statistic holds numbers that a service delivered for this very certification.
#[must_use]
pub fn est_livree(document: &Document) -> bool {
    sous_champ(document, "donnee_source", "type") == Some("self")
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
    par_cle: HashMap<String, usize>,
}

impl Collection {
    /// None yet.
    #[must_use]
    pub fn nouvelle(kind: Kind) -> Self {
        Self { kind, documents: Vec::new(), par_cle: HashMap::new() }
    }

    /// These documents; of two with one key the later is merged into the earlier. A document
    /// without a key is left out.
    #[must_use]
    pub fn de(kind: Kind, documents: impl IntoIterator<Item = Document>) -> Self {
        let mut collection = Self::nouvelle(kind);
        for document in documents {
            match kind.cle(&document) {
                Some(cle) if !collection.par_cle.contains_key(&cle) => {
                    collection.par_cle.insert(cle, collection.documents.len());
                    collection.documents.push(Some(document));
                }
                _ => {
                    collection.ecrire(document);
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
    pub fn place(&self, cle: &str) -> Option<usize> {
        self.par_cle.get(cle).copied()
    }

    /// The document of a key.
    #[must_use]
    pub fn par_cle(&self, cle: &str) -> Option<&Document> {
        self.document(self.place(cle)?)
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
        self.par_cle.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.par_cle.is_empty()
    }

    /// Writes a document by merging. `None` where it has no key: nothing is written.
    pub fn ecrire(&mut self, mut apport: Document) -> Option<Ecriture> {
        let cle = self.kind.cle(&apport)?;
        let place = self.place(&cle);
        if let Some(ici) = place.and_then(|p| self.documents.get_mut(p)?.as_mut()) {
            return Some(if fusionner(ici, &apport) { Ecriture::Modifie } else { Ecriture::Inchange });
        }
        if apport.values().any(Value::is_null) {
            apport.retain(|_, valeur| !valeur.is_null());
        }
        self.par_cle.insert(cle, self.documents.len());
        self.documents.push(Some(apport));
        Some(Ecriture::Cree)
    }

    /// Writes a statistic as a service delivers it (see the module).
    pub fn ecrire_livree(&mut self, mut apport: Document) -> Option<Ecriture> {
        let cle = self.kind.cle(&apport)?;
        self.retirer_derivee(&cle);
        if let Some(code) = champ(&apport, "code_certification") {
            let source = donnee_source(code, "self");
            apport.insert("donnee_source".to_owned(), source);
        }
        self.ecrire(apport)
    }

    /// Removes the document of a key unless its numbers were delivered for itself.
    pub fn retirer_derivee(&mut self, cle: &str) -> Option<Document> {
        if self.par_cle(cle).is_some_and(est_livree) { None } else { self.retirer(cle) }
    }

    /// Removes a document.
    pub fn retirer(&mut self, cle: &str) -> Option<Document> {
        let place = self.par_cle.remove(cle)?;
        self.documents.get_mut(place)?.take()
    }

    /// Removes fields of the document at a place, none of them part of its key. Says whether there were any.
    pub fn retirer_champs(&mut self, place: usize, retirer: impl Fn(&str) -> bool) -> bool {
        let Some(Some(document)) = self.documents.get_mut(place) else { return false };
        let avant = document.len();
        document.retain(|nom, _| CHAMPS_DE_CLES.contains(&nom.as_str()) || !retirer(nom));
        document.len() != avant
    }

    /// Merges into the document at a place, whose key may change with it.
    ///
    /// Where the new key is another document's, that one keeps it and the changed one is removed
    /// after having been merged into it.
    pub fn fusionner_a(&mut self, place: usize, apport: &Document) -> Option<Ecriture> {
        let kind = self.kind;
        let ici = self.documents.get_mut(place)?.as_mut()?;
        if !CHAMPS_DE_CLES.iter().any(|nom| apport.contains_key(*nom)) {
            return Some(if fusionner(ici, apport) { Ecriture::Modifie } else { Ecriture::Inchange });
        }
        let avant = kind.cle(ici);
        let ecriture = if fusionner(ici, apport) { Ecriture::Modifie } else { Ecriture::Inchange };
        let apres = kind.cle(ici);
        if avant != apres {
            let document = self.retirer(&avant?)?;
            match self.place(apres.as_deref()?) {
                Some(autre) => {
                    if let Some(autre) = self.documents.get_mut(autre)?.as_mut() {
                        fusionner(autre, &document);
                    }
                }
                None => {
                    self.par_cle.insert(apres?, place);
                    *self.documents.get_mut(place)? = Some(document);
                }
            }
        }
        Some(ecriture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(valeur: Value) -> Document {
        valeur.as_object().unwrap().clone()
    }

    fn statistique(source: Option<&str>) -> Document {
        let mut document =
            document(json!({"code_certification": "12345678", "millesime": "2020", "filiere": "pro", "nb_sortant": 1}));
        if let Some(source) = source {
            document.insert("donnee_source".into(), donnee_source("12345678", source));
        }
        document
    }

    #[test]
    fn a_delivered_statistic_replaces_a_derived_one_and_merges_into_its_own() {
        for (source, reste) in
            [(Some("self"), true), (Some("ancienne"), false), (Some("nouvelle"), false), (None, false)]
        {
            let mut collection = Collection::de(Kind::Certification, [statistique(source)]);
            let mut apport = statistique(None);
            apport.remove("nb_sortant");
            collection.ecrire_livree(apport);
            let apres = collection.iter().next().unwrap();
            assert_eq!(apres.contains_key("nb_sortant"), reste, "{source:?}");
            assert!(est_livree(apres));
            assert_eq!(collection.len(), 1);
        }
    }

    #[test]
    fn meta_is_merged_and_other_objects_are_replaced() {
        let mut cible = document(json!({"_meta": {"a": 1}, "region": {"code": "11", "x": 1}}));
        fusionner(&mut cible, &document(json!({"_meta": {"b": 2}, "region": {"code": "24"}})));
        assert_eq!(Value::Object(cible), json!({"_meta": {"a": 1, "b": 2}, "region": {"code": "24"}}));
    }

    #[test]
    fn a_document_that_takes_the_key_of_another_is_merged_into_it() {
        let mut autre = statistique(None);
        autre.insert("filiere".into(), "agricole".into());
        let mut collection = Collection::de(Kind::Certification, [statistique(None), autre.clone()]);
        collection.fusionner_a(0, &autre);
        assert_eq!(collection.len(), 1);
        assert_eq!(collection.iter().count(), 1);
    }
}
