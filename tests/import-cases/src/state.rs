//! Stored documents, under the names of the recorded collections.

use domain::{Document, Maille};
use std::collections::BTreeMap;
use treatments::{Acce, Catalogue, Collection, Genre, Nomenclature};

/// The collections, with the kind of their documents.
const COLLECTIONS: [(&str, Genre); 9] = [
    ("certificationsStats", Genre::Certification),
    ("regionalesStats", Genre::Regionale),
    ("formationsStats", Genre::Formation),
    ("bcn", Genre::Bcn),
    ("bcn_mef", Genre::BcnMef),
    ("bcn_sise", Genre::BcnSise),
    ("acceEtablissements", Genre::Etablissement),
    ("catalogueApprentissageFormations", Genre::Catalogue),
    ("users", Genre::User),
];

/// Everything that is stored.
#[derive(Debug)]
pub struct State {
    by_kind: BTreeMap<Genre, Collection>,
    /// Collections that the import does not know.
    others: BTreeMap<String, Vec<Document>>,
}

impl State {
    /// Of recorded collections.
    #[must_use]
    pub fn of(collections: &BTreeMap<String, Vec<Document>>) -> Self {
        let mut state = Self { by_kind: BTreeMap::new(), others: collections.clone() };
        for (name, genre) in COLLECTIONS {
            let documents = state.others.remove(name).unwrap_or_default();
            state.by_kind.insert(genre, Collection::de(genre, documents));
        }
        state
    }

    /// Back to recorded collections; empty ones are left out.
    #[must_use]
    pub fn collections(self) -> BTreeMap<String, Vec<Document>> {
        let mut collections = self.others;
        let mut by_kind = self.by_kind;
        for (name, genre) in COLLECTIONS {
            let documents: Vec<_> = by_kind.remove(&genre).into_iter().flat_map(Collection::into_documents).collect();
            collections.insert(name.to_owned(), documents);
        }
        collections.retain(|_, documents| !documents.is_empty());
        collections
    }

    /// The documents of a kind.
    pub fn of_kind(&mut self, genre: Genre) -> &mut Collection {
        self.by_kind.entry(genre).or_insert_with(|| Collection::nouvelle(genre))
    }

    /// The statistics of a maille.
    pub fn statistics(&mut self, maille: Maille) -> &mut Collection {
        self.of_kind(maille.into())
    }

    fn documents(&self, genre: Genre) -> impl Iterator<Item = &Document> {
        self.by_kind.get(&genre).into_iter().flat_map(Collection::iter)
    }

    /// The nomenclature in memory.
    #[must_use]
    pub fn nomenclature(&self) -> Nomenclature {
        let of = |genre| self.documents(genre);
        Nomenclature::de(of(Genre::Bcn), of(Genre::BcnMef), of(Genre::BcnSise))
    }

    /// The establishments in memory.
    #[must_use]
    pub fn acce(&self) -> Acce {
        Acce::de(self.documents(Genre::Etablissement))
    }

    /// The catalogue in memory.
    #[must_use]
    pub fn catalogue(&self) -> Catalogue {
        Catalogue::de(self.documents(Genre::Catalogue))
    }

    /// Writes certifications of the nomenclature that a treatment changed.
    pub fn write_certifications<'a>(
        &mut self,
        nomenclature: &Nomenclature,
        codes: impl IntoIterator<Item = &'a String>,
    ) {
        let bcn = self.of_kind(Genre::Bcn);
        for certification in codes.into_iter().filter_map(|code| nomenclature.certification(code)) {
            bcn.ecrire(certification.document());
        }
    }
}
