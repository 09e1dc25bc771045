//! The calls that an import makes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A statistical service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// Secondary education (DEPP).
    #[serde(rename = "inserjeunes")]
    InserJeunes,
    /// Higher education by establishment (SIES).
    #[serde(rename = "insersup")]
    InserSup,
    /// Higher education, national, as open data.
    #[serde(rename = "insersup_national")]
    InserSupNational,
    /// Nomenclatures (Base centrale des nomenclatures).
    Bcn,
    /// Establishments (a file).
    Acce,
    /// Catalogue de l'apprentissage.
    Catalogue,
    /// Certif Info: entries of certifications, and what they are called elsewhere (a file).
    CertifInfo,
    /// Onisep: its formations (a file).
    Onisep,
    /// Onisep: the table that leads from its identifiers to those of others (a file).
    OnisepPassage,
    /// ACCE: which establishment another one belongs to (a file).
    #[serde(rename = "acce_meres")]
    AcceMothers,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 10] = [
        Self::InserJeunes,
        Self::InserSup,
        Self::InserSupNational,
        Self::Bcn,
        Self::Acce,
        Self::Catalogue,
        Self::CertifInfo,
        Self::Onisep,
        Self::OnisepPassage,
        Self::AcceMothers,
    ];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InserJeunes => "inserjeunes",
            Self::InserSup => "insersup",
            Self::InserSupNational => "insersup_national",
            Self::Bcn => "bcn",
            Self::Acce => "acce",
            Self::Catalogue => "catalogue",
            Self::CertifInfo => "certif_info",
            Self::Onisep => "onisep",
            Self::OnisepPassage => "onisep_passage",
            Self::AcceMothers => "acce_meres",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A table of the BCN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BcnTable {
    /// Diplomas of the vocational tracks.
    VFormationDiplome,
    /// Diplomas, with their lineage.
    NFormationDiplome,
    /// Diplomas of the apprenticeship survey.
    #[serde(rename = "N_FORMATION_DIPLOME_ENQUETE_51")]
    NFormationDiplomeEnquete51,
    /// Courses, a row a year.
    NMef,
    /// Levels of diplomas.
    NNiveauFormationDiplome,
    /// Diplomas of higher education.
    NDiplomeSise,
    /// Their types.
    NTypeDiplomeSise,
    /// Familles de metiers.
    NGroupeFormation,
    /// Their CFDs.
    NLienFormationGroupe,
}

impl BcnTable {
    /// Every table, in the order in which the treatments read them.
    pub const ALL: [Self; 9] = [
        Self::NNiveauFormationDiplome,
        Self::VFormationDiplome,
        Self::NFormationDiplome,
        Self::NFormationDiplomeEnquete51,
        Self::NMef,
        Self::NTypeDiplomeSise,
        Self::NDiplomeSise,
        Self::NGroupeFormation,
        Self::NLienFormationGroupe,
    ];

    /// The name in the address.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VFormationDiplome => "V_FORMATION_DIPLOME",
            Self::NFormationDiplome => "N_FORMATION_DIPLOME",
            Self::NFormationDiplomeEnquete51 => "N_FORMATION_DIPLOME_ENQUETE_51",
            Self::NMef => "N_MEF",
            Self::NNiveauFormationDiplome => "N_NIVEAU_FORMATION_DIPLOME",
            Self::NDiplomeSise => "N_DIPLOME_SISE",
            Self::NTypeDiplomeSise => "N_TYPE_DIPLOME_SISE",
            Self::NGroupeFormation => "N_GROUPE_FORMATION",
            Self::NLienFormationGroupe => "N_LIEN_FORMATION_GROUPE",
        }
    }
}

/// One call. It can be stored (a cursor of a job) and made again; its [`Call::key`] names the
/// staged answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum Call {
    /// Statistics of an establishment.
    InserJeunesUai {
        /// Its UAI.
        uai: String,
        /// A period.
        millesime: String,
    },
    /// Statistics of a region.
    InserJeunesRegion {
        /// Code of the region academique.
        region: String,
        /// A period.
        millesime: String,
    },
    /// National statistics.
    InserJeunesFrance {
        /// A year.
        millesime: String,
        /// `apprentissage` or `voie_pro_sco_educ_nat`.
        filiere: String,
    },
    /// Higher education by establishment: one answer for everything.
    InserSup,
    /// National statistics of higher education.
    InserSupNational {
        /// A year or a period.
        millesime: String,
    },
    /// A table of the BCN.
    Bcn {
        /// Which.
        table: BcnTable,
    },
    /// The ACCE file.
    Acce,
    /// How many rows the catalogue has.
    CatalogueTotal,
    /// A page of the catalogue.
    CataloguePage {
        /// From 1.
        page: u64,
    },
    /// The open file of Certif Info.
    CertifInfo,
    /// The formations of Onisep.
    Onisep,
    /// The passage table of Onisep.
    OnisepPassage,
    /// The mothers that ACCE knows.
    AcceMothers,
}

/// The largest answer that is held in memory, a login's included, in bytes.
pub(crate) const SMALL_MAX: u64 = 32 << 20;
/// The largest answer that is staged, in bytes.
const LARGE_MAX: u64 = 512 << 20;

impl Call {
    /// Whom it asks.
    #[must_use]
    pub fn service(&self) -> Service {
        match self {
            Self::InserJeunesUai { .. } | Self::InserJeunesRegion { .. } | Self::InserJeunesFrance { .. } => {
                Service::InserJeunes
            }
            Self::InserSup => Service::InserSup,
            Self::InserSupNational { .. } => Service::InserSupNational,
            Self::Bcn { .. } => Service::Bcn,
            Self::Acce => Service::Acce,
            Self::CatalogueTotal | Self::CataloguePage { .. } => Service::Catalogue,
            Self::CertifInfo => Service::CertifInfo,
            Self::Onisep => Service::Onisep,
            Self::OnisepPassage => Service::OnisepPassage,
            Self::AcceMothers => Service::AcceMothers,
        }
    }

    /// How large its answer may be, in bytes: ten times and more what the services send today, so that one that lost its
    /// way fills neither the memory nor the store.
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        match self {
            // Held in memory, a few at once.
            Self::InserJeunesUai { .. } | Self::CatalogueTotal | Self::CataloguePage { .. } => SMALL_MAX,
            // Staged while they come.
            Self::InserJeunesRegion { .. }
            | Self::InserJeunesFrance { .. }
            | Self::InserSup
            | Self::InserSupNational { .. }
            | Self::Bcn { .. }
            | Self::Acce
            | Self::CertifInfo
            | Self::Onisep
            | Self::OnisepPassage
            | Self::AcceMothers => LARGE_MAX,
        }
    }

    /// What it asks, as in `/region/01/millesime/2020_2021`: for errors and reports.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::InserJeunesUai { uai, millesime } => format!("/UAI/{uai}/millesime/{millesime}"),
            Self::InserJeunesRegion { region, millesime } => format!("/region/{region}/millesime/{millesime}"),
            Self::InserJeunesFrance { millesime, filiere } => {
                format!("/france/millesime/{millesime}/filiere/{filiere}")
            }
            Self::InserSup => "/".to_owned(),
            Self::InserSupNational { millesime } => format!("/fr-esr-insersup {millesime}"),
            Self::Bcn { table } => format!("/nomenclature/{}", table.name()),
            Self::Acce | Self::CertifInfo | Self::Onisep | Self::OnisepPassage | Self::AcceMothers => {
                "le fichier".to_owned()
            }
            Self::CatalogueTotal => "/entity/formations, total".to_owned(),
            Self::CataloguePage { page } => format!("/entity/formations, page {page}"),
        }
    }

    /// A name for its answer: letters, digits, `.`, `_` and `-`, other characters as `-`.
    #[must_use]
    pub fn key(&self) -> String {
        let key = match self {
            Self::InserJeunesUai { uai, millesime } => format!("inserjeunes.uai.{uai}.{millesime}"),
            Self::InserJeunesRegion { region, millesime } => format!("inserjeunes.region.{region}.{millesime}"),
            Self::InserJeunesFrance { millesime, filiere } => format!("inserjeunes.france.{millesime}.{filiere}"),
            Self::InserSup => "insersup".to_owned(),
            Self::InserSupNational { millesime } => format!("insersup_national.{millesime}"),
            Self::Bcn { table } => format!("bcn.{}", table.name()),
            Self::Acce => "acce".to_owned(),
            Self::CatalogueTotal => "catalogue.total".to_owned(),
            Self::CataloguePage { page } => format!("catalogue.{page}"),
            Self::CertifInfo | Self::Onisep | Self::OnisepPassage | Self::AcceMothers => {
                self.service().name().to_owned()
            }
        };
        key.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_one_name_everywhere() {
        for service in Service::ALL {
            assert_eq!(serde_json::to_value(service).unwrap(), service.name());
        }
    }

    #[test]
    fn calls_are_stored_and_read_again() {
        for table in BcnTable::ALL {
            let call = Call::Bcn { table };
            let text = serde_json::to_string(&call).unwrap();
            assert!(text.contains(table.name()), "{text}");
            assert_eq!(serde_json::from_str::<Call>(&text).unwrap(), call);
        }
        let call = Call::InserJeunesUai { uai: "0751234/".into(), millesime: "2018_2019".into() };
        assert_eq!(call.key(), "inserjeunes.uai.0751234-.2018_2019");
    }
}
