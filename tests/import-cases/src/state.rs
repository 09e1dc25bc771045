//! Stored documents, under the names of the recorded collections.

use domain::{Document, Kind, Maille};
use std::collections::BTreeMap;
use treatments::{Acce, Catalogue, Collection, Nomenclature};

/// The collections, with the kind of their documents.
const COLLECTIONS: [(&str, Kind); 9] = [
    ("certificationsStats", Kind::Certification),
    ("regionalesStats", Kind::Regionale),
    ("formationsStats", Kind::Formation),
    ("bcn", Kind::Bcn),
    ("bcn_mef", Kind::BcnMef),
    ("bcn_sise", Kind::BcnSise),
    ("acceEtablissements", Kind::Etablissement),
    ("catalogueApprentissageFormations", Kind::Catalogue),
    ("users", Kind::User),
];

/// Everything that is stored.
#[derive(Debug)]
pub struct State {
    by_kind: BTreeMap<Kind, Collection>,
    /// Collections that the import does not know.
    others: BTreeMap<String, Vec<Document>>,
}

impl State {
    /// Of recorded collections.
    #[must_use]
    pub fn of(collections: &BTreeMap<String, Vec<Document>>) -> Self {
        let mut state = Self { by_kind: BTreeMap::new(), others: collections.clone() };
        for (name, kind) in COLLECTIONS {
            let documents = state.others.remove(name).unwrap_or_default();
            state.by_kind.insert(kind, Collection::of(kind, documents));
        }
        state
    }

    /// Back to recorded collections; empty ones are left out.
    #[must_use]
    pub fn collections(self) -> BTreeMap<String, Vec<Document>> {
        let mut collections = self.others;
        let mut by_kind = self.by_kind;
        for (name, kind) in COLLECTIONS {
            let documents: Vec<_> = by_kind.remove(&kind).into_iter().flat_map(Collection::into_documents).collect();
            collections.insert(name.to_owned(), documents);
        }
        collections.retain(|_, documents| !documents.is_empty());
        collections
    }

    /// The documents of a kind.
    pub fn of_kind(&mut self, kind: Kind) -> &mut Collection {
        self.by_kind.entry(kind).or_insert_with(|| Collection::new(kind))
    }

    /// The statistics of a maille.
    pub fn statistics(&mut self, maille: Maille) -> &mut Collection {
        self.of_kind(maille.into())
    }

    fn documents(&self, kind: Kind) -> impl Iterator<Item = &Document> {
        self.by_kind.get(&kind).into_iter().flat_map(Collection::iter)
    }

    /// The nomenclature in memory.
    #[must_use]
    pub fn nomenclature(&self) -> Nomenclature {
        let of = |kind| self.documents(kind);
        Nomenclature::of(of(Kind::Bcn), of(Kind::BcnMef), of(Kind::BcnSise))
    }

    /// The establishments in memory.
    #[must_use]
    pub fn acce(&self) -> Acce {
        Acce::of(self.documents(Kind::Etablissement))
    }

    /// The catalogue in memory.
    #[must_use]
    pub fn catalogue(&self) -> Catalogue {
        Catalogue::of(self.documents(Kind::Catalogue))
    }

    /// Writes certifications of the nomenclature that a treatment changed.
    pub fn write_certifications<'a>(
        &mut self,
        nomenclature: &Nomenclature,
        codes: impl IntoIterator<Item = &'a String>,
    ) {
        let bcn = self.of_kind(Kind::Bcn);
        for certification in codes.into_iter().filter_map(|code| nomenclature.certification(code)) {
            bcn.write(certification.document());
        }
    }
}
