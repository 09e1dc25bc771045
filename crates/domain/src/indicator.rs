//! Names of the indicators.
//!
//! Counts (`nb_*`) are numbers of young people; rates (`taux_*`) are whole percentages;
//! salaries (`salaire_*`) are net monthly euros, full-time equivalent, at 12 months.
//! `null` means hidden by the publication threshold, absence means unknown.

use crate::unique;

/// The seven counts, in the order of the alphabet.
pub const HEADCOUNTS: [&str; 7] = [
    "nb_annee_term",
    "nb_en_emploi_12_mois",
    "nb_en_emploi_18_mois",
    "nb_en_emploi_24_mois",
    "nb_en_emploi_6_mois",
    "nb_poursuite_etudes",
    "nb_sortant",
];

/// The size of the group: the young people in their final year. Always published.
pub const NB_ANNEE_TERM: &str = "nb_annee_term";

/// The graduates among them (higher education). Published in JSON, never a column of the CSV.
pub const NB_DIPLOME: &str = "nb_diplome";

/// Quartiles of the salary. Known nationally only, and not hidden by the threshold.
pub const WAGES: [&str; 3] = ["salaire_12_mois_q1", "salaire_12_mois_q2", "salaire_12_mois_q3"];

/// The rates, in the order of the alphabet.
pub const RATES: [&str; 10] = [
    "taux_autres_12_mois",
    "taux_autres_18_mois",
    "taux_autres_24_mois",
    "taux_autres_6_mois",
    "taux_en_emploi_12_mois",
    "taux_en_emploi_18_mois",
    "taux_en_emploi_24_mois",
    "taux_en_emploi_6_mois",
    "taux_en_formation",
    "taux_rupture_contrats",
];

/// Delays after the end of studies, in months.
pub const DELAYS: [u8; 4] = [6, 12, 18, 24];

/// Whether a field is a count or a rate, and so falls under the publication threshold.
///
/// Everything but the size of the group does. A field that is neither count, rate nor salary is
/// no indicator; one that a deployment adds must carry one of these prefixes.
#[must_use]
pub fn below_threshold(field: &str) -> bool {
    field != NB_ANNEE_TERM && (field.starts_with("nb_") || field.starts_with("taux_"))
}

/// Whether a field is an indicator by its name.
#[must_use]
pub fn is_indicator(field: &str) -> bool {
    field.starts_with("nb_") || field.starts_with("taux_") || field.starts_with("salaire_")
}

/// The statistics columns of a CSV: those of the contract and those a deployment adds, in the
/// order of the alphabet. Salaries only on the national maille.
#[must_use]
pub fn columns(with_wages: bool, added: &[String]) -> Vec<&str> {
    let wages = WAGES.iter().filter(|_| with_wages);
    unique(HEADCOUNTS.iter().chain(&RATES).chain(wages).copied().chain(added.iter().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_the_order_of_the_recorded_export() {
        let national = columns(true, &[]);
        assert_eq!(national.first(), Some(&"nb_annee_term"));
        assert_eq!(national.len(), 20);
        assert!(national.is_sorted());
        assert!(!columns(false, &[]).iter().any(|c| c.starts_with("salaire")));
        assert_eq!(columns(false, &["taux_mobilite".into()]).len(), 18);
    }

    #[test]
    fn only_the_size_of_the_group_escapes_the_threshold() {
        assert!(
            below_threshold("nb_sortant") && below_threshold("taux_rupture_contrats") && below_threshold("nb_diplome")
        );
        assert!(
            !below_threshold("nb_annee_term") && !below_threshold("salaire_12_mois_q1") && !below_threshold("libelle")
        );
    }
}
