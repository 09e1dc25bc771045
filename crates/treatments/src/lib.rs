//! From source tables to documents: the eight treatments of the import, as pure functions.
//!
//! | # | treatment | module | works on |
//! | --- | --- | --- | --- |
//! | 1 | nomenclature | [`nomenclature`] | tables of the BCN, a row at a time |
//! | 2 | lineage of certifications | [`lignee`] | the whole [`Nomenclature`] |
//! | 3 | labels | [`libelles`] | the whole [`Nomenclature`] |
//! | 4 | familles de metiers | [`familles`] | the whole [`Nomenclature`] |
//! | 5 | statistics | [`inserjeunes`], [`insersup`] | one answer of a service |
//! | 6 | lineage of statistics | [`continuum`] | the documents of one group of codes |
//! | 7 | non-final years | [`annees`] | the documents of one group of codes |
//! | 8 | establishments | [`roles`] | the formations of one group of codes |
//!
//! Nothing here reads a file, calls a service or knows a runtime. What a treatment looks up lies
//! in small tables, built once from stored documents: [`Nomenclature`], [`Acce`], [`Catalogue`].
//! What it changes comes in groups that fit in memory: [`Groupes`] cuts the codes so that no rule
//! ever needs a document of another group.
//!
//! Documents are written by merging ([`ecriture`]): null or missing fields change nothing. Every
//! treatment run twice changes nothing the second time.
//!
//! Rules: the contract's pages "The import" and "The import, in detail"; each module quotes its own.

pub mod annees;
pub mod catalogue;
pub mod compte;
pub mod continuum;
pub mod ecriture;
pub mod etablissements;
pub mod familles;
pub mod inserjeunes;
pub mod insersup;
pub mod libelles;
pub mod lignee;
pub mod nomenclature;
pub mod rapport;
pub mod reglages;
pub mod rejet;
pub mod roles;
mod texte;

pub use catalogue::Catalogue;
pub use ecriture::Collection;
pub use etablissements::Acce;
pub use lignee::Groupes;
pub use nomenclature::{Certification, Nomenclature, Sise};
pub use rapport::Rapport;
pub use reglages::{Interrupteurs, Reglages, Traitement};
pub use rejet::Rejet;

use domain::Maille;

/// What the treatments of statistics look up.
#[derive(Debug, Default)]
pub struct Contexte {
    /// Certifications, their lineage, labels and familles.
    pub nomenclature: Nomenclature,
    /// Who trains for whom in apprenticeship.
    pub catalogue: Catalogue,
    /// Which treatments run, by source.
    pub reglages: Reglages,
}

/// How many documents the treatments of a group wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BilanGroupe {
    /// By the lineage of statistics (6).
    pub continuum: ecriture::Ecritures,
    /// By the non-final years, shared first years included (7).
    pub annees: ecriture::Ecritures,
    /// By the roles of establishments (8).
    pub roles: roles::Bilan,
}

impl std::ops::AddAssign for BilanGroupe {
    fn add_assign(&mut self, autre: Self) {
        self.continuum += autre.continuum;
        self.annees += autre.annees;
        self.roles += autre.roles;
    }
}

/// Treatments 6 to 8 on the documents of one maille and one group of codes, in their order.
///
/// `documents` must hold every document of the group's codes, of all places or of one (treatment
/// 8 needs all establishments). The mailles without establishments skip treatment 8. The switches
/// are those of the first document's source: codes of both sources never share a group.
///
/// `suivi` sees the documents after each treatment, turned off or not: for the report.
pub fn traiter_groupe(
    contexte: &Contexte,
    maille: Maille,
    documents: &mut Collection,
    rapport: &mut Rapport,
    suivi: &mut impl FnMut(Traitement, &Collection),
) -> BilanGroupe {
    let Contexte { nomenclature, catalogue, reglages } = contexte;
    let mut bilan = BilanGroupe::default();
    let interrupteurs = reglages.de(documents.iter().next().and_then(reglages::univers));
    if interrupteurs.actif(Traitement::Continuum) {
        bilan.continuum = continuum::continuum(nomenclature, maille, documents);
    }
    suivi(Traitement::Continuum, documents);
    if interrupteurs.actif(Traitement::Annees) {
        bilan.annees = annees::annees_non_terminales(nomenclature, maille, documents, rapport);
        bilan.annees += annees::premieres_annees_communes(nomenclature, maille, documents, rapport);
    }
    suivi(Traitement::Annees, documents);
    if maille == Maille::Etablissement && interrupteurs.actif(Traitement::Roles) {
        bilan.roles = roles::roles(nomenclature, catalogue, documents);
    }
    suivi(Traitement::Roles, documents);
    bilan
}
