//! From source tables to documents: the treatments of the import, as pure functions.
//!
//! | # | treatment | module | works on |
//! | --- | --- | --- | --- |
//! | 1 | nomenclature | [`nomenclature`] | tables of the BCN, a row at a time |
//! | 2 | lineage of certifications | [`lineage`] | the whole [`Nomenclature`] |
//! | 3 | labels | [`libelles`] | the whole [`Nomenclature`] |
//! | 4 | familles de metiers | [`families`] | the whole [`Nomenclature`] |
//! | 5 | statistics | [`inserjeunes`], [`insersup`] | one answer of a service |
//! | 6 | lineage of statistics | [`continuum`] | the documents of one group of codes |
//! | 7 | non-final years | [`years`] | the documents of one group of codes |
//! | 8 | establishments | [`roles`] | the formations of one group of codes |
//!
//! A ninth, [`secondary`], works at publication on whatever is to be published, and hides more; [`linear`] is what it reckons with.
//!
//! Nothing here reads a file, calls a service or knows a runtime. What a treatment looks up lies
//! in small tables, built once from stored documents: [`Nomenclature`], [`Acce`], [`Catalogue`].
//! What it changes comes in groups that fit in memory: [`CodeGroups`] cuts the codes so that no rule
//! ever needs a document of another group.
//!
//! Documents are written by merging ([`writing`]): null or missing fields change nothing. Every
//! treatment run twice changes nothing the second time.
//!
//! Rules: the contract's pages "The import" and "The import, in detail"; each module quotes its own.

pub mod account;
pub mod catalogue;
pub mod continuum;
pub mod etablissements;
pub mod familles;
pub mod inserjeunes;
pub mod insersup;
pub mod libelles;
pub mod lineage;
pub mod linear;
pub mod links;
pub mod nomenclature;
pub mod rejection;
pub mod report;
pub mod roles;
pub mod secondary;
pub mod settings;
mod text;
pub mod writing;
pub mod years;

pub use catalogue::Catalogue;
pub use etablissements::Acce;
pub use lineage::CodeGroups;
pub use nomenclature::{Certification, Nomenclature, Sise};
pub use rejection::Rejection;
pub use report::TreatmentReport;
pub use settings::{Switches, Treatment, TreatmentSettings};
pub use writing::Collection;

use domain::Maille;

/// What the treatments of statistics look up.
#[derive(Debug, Default)]
pub struct Context {
    /// Certifications, their lineage, labels and familles.
    pub nomenclature: Nomenclature,
    /// Who trains for whom in apprenticeship.
    pub catalogue: Catalogue,
    /// Which treatments run, by source.
    pub settings: TreatmentSettings,
}

/// How many documents the treatments of a group wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupSummary {
    /// By the lineage of statistics (6).
    pub continuum: writing::WriteCounts,
    /// By the non-final years, shared first years included (7).
    pub years: writing::WriteCounts,
    /// By the roles of establishments (8).
    pub roles: roles::RolesSummary,
}

impl std::ops::AddAssign for GroupSummary {
    fn add_assign(&mut self, other: Self) {
        self.continuum += other.continuum;
        self.years += other.years;
        self.roles += other.roles;
    }
}

/// Treatments 6 to 8 on the documents of one maille and one group of codes, in their order.
///
/// `documents` must hold every document of the group's codes, of all places or of one (treatment
/// 8 needs all establishments). The mailles without establishments skip treatment 8. The switches
/// are those of the first document's source: codes of both sources never share a group.
///
/// `observe` sees the documents after each treatment, turned off or not: for the report.
pub fn treat_group(
    context: &Context,
    maille: Maille,
    documents: &mut Collection,
    report: &mut TreatmentReport,
    observe: &mut impl FnMut(Treatment, &Collection),
) -> GroupSummary {
    let Context { nomenclature, catalogue, settings } = context;
    let mut summary = GroupSummary::default();
    let switches = settings.of(documents.iter().next().and_then(settings::universe));
    if switches.is_on(Treatment::Continuum) {
        summary.continuum = continuum::continuum(nomenclature, maille, documents);
    }
    observe(Treatment::Continuum, documents);
    if switches.is_on(Treatment::Years) {
        summary.years = years::non_final_years(nomenclature, maille, documents, report);
        summary.years += years::first_annees_communes(nomenclature, maille, documents, report);
    }
    observe(Treatment::Years, documents);
    if maille == Maille::Etablissement && switches.is_on(Treatment::Roles) {
        summary.roles = roles::roles(nomenclature, catalogue, documents);
    }
    observe(Treatment::Roles, documents);
    summary
}
