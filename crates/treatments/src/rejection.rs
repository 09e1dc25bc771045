//! Why a row, a call or a document is kept out.
//!
//! A rejection never stops an import: it is counted in the report with a few examples. Its text
//! holds codes only, never figures (they may be under the publication threshold).

/// What is wrong with a row, and what the reader of the report can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Neither in the nomenclature nor already stored: the BCN tables may be older than the statistics.
    #[error("certification {code} inconnue : importer d'abord la nomenclature, ou signaler le code au service")]
    UnknownCertification {
        /// The code as delivered.
        code: String,
    },
    /// Not in the ACCE file: a newer one may have it.
    #[error("établissement {uai} inconnu : importer un fichier ACCE plus récent")]
    UnknownEtablissement {
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
    UnknownDepartement {
        /// The establishment.
        uai: String,
        /// `departement_insee_3` as delivered.
        departement: String,
    },
    /// Its academie is not in the table of academies.
    #[error("établissement {uai} : académie « {academie} » inconnue, à corriger dans ACCE")]
    UnknownAcademie {
        /// The establishment.
        uai: String,
        /// `academie` as delivered.
        academie: String,
    },
    /// No region has this code. The text is the former service's.
    #[error("Code région académique {code} inconnu")]
    UnknownRegionAcademie {
        /// The code asked for.
        code: String,
    },
    /// A filiere that is none of ours: the whole answer is refused, nobody knows what it counts.
    #[error("filière « {value} » inconnue : la réponse entière est refusée, demander au service ce qu'elle désigne")]
    UnknownFiliere {
        /// `filiere` as delivered.
        value: String,
    },
    /// A column that the documents need is missing from a row.
    #[error("ligne sans {field}, à corriger à la source")]
    MissingField {
        /// The column.
        field: &'static str,
    },
    /// A year that is written in neither of its forms.
    #[error("année « {value} » illisible, à corriger à la source")]
    MillesimeIncorrect {
        /// As delivered.
        value: String,
    },
    /// Another discipline of the same diploma in the same establishment came first.
    #[error("{}{code}, {year} : une ligne d'une autre discipline est venue d'abord et reste", if .uai.is_empty() { String::new() } else { format!("{uai}, ") })]
    SecondDiscipline {
        /// The establishment; empty nationally.
        uai: String,
        /// The SISE code.
        code: String,
        /// The last year of the millesime.
        year: String,
    },
    /// A diploma was renewed, and no course of the old one continues in one of the new one: nothing says which numbers go where.
    #[error(
        "{old} est devenu {new}, mais aucun de leurs MEF ne se correspond (un seul de chaque côté, ou même dispositif et mêmes quatre premiers caractères) : les voies pro et agricole de chacun gardent leurs propres chiffres"
    )]
    LineageUnmatched {
        /// The CFD that was renewed.
        old: String,
        /// The one that it became.
        new: String,
    },
    /// Asked to create an account that cannot be.
    #[error("compte : {reason}")]
    Account {
        /// What to change in the call.
        reason: &'static str,
    },
}

impl Rejection {
    /// The reason without its values: what reports count by.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnknownCertification { .. } => "certification_inconnue",
            Self::UnknownEtablissement { .. } => "etablissement_inconnu",
            Self::UaiIncorrect { .. } => "uai_incorrect",
            Self::UnknownDepartement { .. } => "departement_inconnu",
            Self::UnknownAcademie { .. } => "academie_inconnue",
            Self::UnknownRegionAcademie { .. } => "region_academique_inconnue",
            Self::UnknownFiliere { .. } => "filiere_inconnue",
            Self::MissingField { .. } => "champ_manquant",
            Self::MillesimeIncorrect { .. } => "millesime_incorrect",
            Self::SecondDiscipline { .. } => "discipline_en_double",
            Self::LineageUnmatched { .. } => "lignee_sans_mef",
            Self::Account { .. } => "compte",
        }
    }
}
