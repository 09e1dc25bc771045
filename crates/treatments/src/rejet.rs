//! Why a row, a call or a document is kept out.
//!
//! A rejection never stops an import: it is counted in the report with a few examples. Its text
//! holds codes only, never figures (they may be under the publication threshold).

/// What is wrong with a row, and what the reader of the report can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejet {
    /// Neither in the nomenclature nor already stored: the BCN tables may be older than the statistics.
    #[error("certification {code} inconnue : importer d'abord la nomenclature, ou signaler le code au service")]
    CertificationInconnue {
        /// The code as delivered.
        code: String,
    },
    /// Not in the ACCE file: a newer one may have it.
    #[error("établissement {uai} inconnu : importer un fichier ACCE plus récent")]
    EtablissementInconnu {
        /// The UAI as delivered.
        uai: String,
    },
    /// Its check letter is wrong: a typing error at the source.
    #[error("établissement {uai} : sa lettre de contrôle est fausse, à corriger à la source")]
    UaiIncorrect {
        /// The UAI as delivered.
        uai: String,
    },
    /// Its departement lies in no region.
    #[error("établissement {uai} : département « {departement} » inconnu, à corriger dans ACCE")]
    DepartementInconnu {
        /// The establishment.
        uai: String,
        /// `departement_insee_3` as delivered.
        departement: String,
    },
    /// Its academie is not in the table of academies.
    #[error("établissement {uai} : académie « {academie} » inconnue, à corriger dans ACCE")]
    AcademieInconnue {
        /// The establishment.
        uai: String,
        /// `academie` as delivered.
        academie: String,
    },
    /// No region has this code. The text is the former service's.
    #[error("Code région académique {code} inconnu")]
    RegionAcademiqueInconnue {
        /// The code asked for.
        code: String,
    },
    /// A filiere that is none of ours: the whole answer is refused, nobody knows what it counts.
    #[error("filière « {valeur} » inconnue : la réponse entière est refusée, demander au service ce qu'elle désigne")]
    FiliereInconnue {
        /// `filiere` as delivered.
        valeur: String,
    },
    /// A column that the documents need is missing from a row.
    #[error("ligne sans {champ}, à corriger à la source")]
    ChampManquant {
        /// The column.
        champ: &'static str,
    },
    /// A year that is written in neither of its forms.
    #[error("année « {valeur} » illisible, à corriger à la source")]
    MillesimeIncorrect {
        /// As delivered.
        valeur: String,
    },
    /// Another discipline of the same diploma in the same establishment came first.
    #[error("{uai}, {code}, {annee} : une ligne d'une autre discipline est venue d'abord et reste")]
    DisciplineEnDouble {
        /// The establishment.
        uai: String,
        /// The SISE code.
        code: String,
        /// The last year of the millesime.
        annee: String,
    },
    /// Asked to create an account that cannot be.
    #[error("compte : {raison}")]
    Compte {
        /// What to change in the call.
        raison: &'static str,
    },
}

impl Rejet {
    /// The reason without its values: what reports count by.
    #[must_use]
    pub fn raison(&self) -> &'static str {
        match self {
            Self::CertificationInconnue { .. } => "certification_inconnue",
            Self::EtablissementInconnu { .. } => "etablissement_inconnu",
            Self::UaiIncorrect { .. } => "uai_incorrect",
            Self::DepartementInconnu { .. } => "departement_inconnu",
            Self::AcademieInconnue { .. } => "academie_inconnue",
            Self::RegionAcademiqueInconnue { .. } => "region_academique_inconnue",
            Self::FiliereInconnue { .. } => "filiere_inconnue",
            Self::ChampManquant { .. } => "champ_manquant",
            Self::MillesimeIncorrect { .. } => "millesime_incorrect",
            Self::DisciplineEnDouble { .. } => "discipline_en_double",
            Self::Compte { .. } => "compte",
        }
    }
}
