//! Names of the indicators.
//!
//! Counts (`nb_*`) are numbers of young people; rates (`taux_*`) are whole percentages;
//! salaries (`salaire_*`) are net monthly euros, full-time equivalent, at 12 months.
//! `null` means hidden by the publication threshold, absence means unknown.

/// The seven counts, in the order of the alphabet.
pub const EFFECTIFS: [&str; 7] = [
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
pub const SALAIRES: [&str; 3] = ["salaire_12_mois_q1", "salaire_12_mois_q2", "salaire_12_mois_q3"];

/// The rates, in the order of the alphabet.
pub const TAUX: [&str; 10] = [
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
pub const DELAIS: [u8; 4] = [6, 12, 18, 24];

/// Whether a field is a count or a rate, and so falls under the publication threshold.
///
/// Everything but the size of the group does. A field that is neither count, rate nor salary is
/// no indicator; one that a deployment adds must carry one of these prefixes.
#[must_use]
pub fn sous_seuil(champ: &str) -> bool {
    champ != NB_ANNEE_TERM && (champ.starts_with("nb_") || champ.starts_with("taux_"))
}

/// Whether a field is an indicator by its name.
#[must_use]
pub fn est_indicateur(champ: &str) -> bool {
    champ.starts_with("nb_") || champ.starts_with("taux_") || champ.starts_with("salaire_")
}

/// The statistics columns of a CSV: those of the contract and those a deployment adds, in the
/// order of the alphabet. Salaries only on the national maille.
#[must_use]
pub fn colonnes(avec_salaires: bool, ajoutes: &[String]) -> Vec<&str> {
    let mut colonnes: Vec<&str> = EFFECTIFS.iter().chain(&TAUX).copied().collect();
    if avec_salaires {
        colonnes.extend(SALAIRES);
    }
    colonnes.extend(ajoutes.iter().map(String::as_str));
    colonnes.sort_unstable();
    colonnes.dedup();
    colonnes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_the_order_of_the_recorded_export() {
        let nationale = colonnes(true, &[]);
        assert_eq!(nationale.first(), Some(&"nb_annee_term"));
        assert_eq!(nationale.len(), 20);
        assert!(nationale.is_sorted());
        assert!(!colonnes(false, &[]).iter().any(|c| c.starts_with("salaire")));
        assert_eq!(colonnes(false, &["taux_mobilite".into()]).len(), 18);
    }

    #[test]
    fn only_the_size_of_the_group_escapes_the_threshold() {
        assert!(sous_seuil("nb_sortant") && sous_seuil("taux_rupture_contrats") && sous_seuil("nb_diplome"));
        assert!(!sous_seuil("nb_annee_term") && !sous_seuil("salaire_12_mois_q1") && !sous_seuil("libelle"));
    }
}
