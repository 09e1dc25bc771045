//! Treatment 1: the certifications, from the tables of the BCN.
//!
//! Rule (contract, "Treatments" 1 and "Nomenclature"): CFDs come from V_FORMATION_DIPLOME,
//! N_FORMATION_DIPLOME and N_FORMATION_DIPLOME_ENQUETE_51, a later table wins; MEFs from N_MEF;
//! higher education from N_DIPLOME_SISE and three fictitious codes of the BUT, which the
//! statistics use before the nomenclature knows them.
//!
//! The tables are read a row at a time ([`cfd`], [`mef`], [`bcn_mef`], [`bcn_sise`]); what the
//! other treatments look up is kept in [`Nomenclature`], a few hundred bytes a certification.
mod certification;
mod levels;
mod lookup;
mod rows;

pub use certification::{Certification, FamilleMetier, Nature, Sise};
pub use levels::{Diplome, Levels, SiseTypes, level};
pub use lookup::Nomenclature;
pub use rows::{bcn_mef, bcn_sise, but_rows, cfd, mef};

use crate::rejection::Rejection;
use crate::writing::Collection;
use domain::{Document, Kind};

/// Treatment 1 on whole tables, for those who hold them: the three formation tables in their
/// order, then N_MEF. Rows without a code are refused with their reason.
pub fn nomenclature(
    levels: &Levels,
    formations: impl IntoIterator<Item = Document>,
    mefs: impl IntoIterator<Item = Document>,
    report: &mut crate::TreatmentReport,
) -> Nomenclature {
    let mut nomenclature = Nomenclature::default();
    let mut add = |nomenclature: &mut Nomenclature, certification: Result<Certification, Rejection>| {
        report.rows += 1;
        match certification {
            Ok(certification) => {
                nomenclature.add(certification);
            }
            Err(rejection) => report.reject(&rejection),
        }
    };
    for row in formations {
        add(&mut nomenclature, cfd(&row, levels));
    }
    for row in mefs {
        nomenclature.add_mef_row(&row);
        add(&mut nomenclature, mef(&row, levels));
    }
    nomenclature
}

/// The stored documents of a nomenclature, in order.
#[must_use]
pub fn collection(nomenclature: &Nomenclature) -> Collection {
    Collection::of(Kind::Bcn, nomenclature.certifications().map(Certification::document))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn row(value: Value) -> Document {
        value.as_object().unwrap().clone()
    }

    fn levels() -> Levels {
        let mut levels = Levels::default();
        levels.add(&row(json!({"niveau_formation_diplome": "400", "libelle_court": "BAC PRO"}))).unwrap();
        levels.add(&row(json!({"niveau_formation_diplome": "900", "libelle_court": "AUTRE"}))).unwrap();
        levels
    }

    #[test]
    fn a_diploma_needs_a_level_and_a_label() {
        let levels = levels();
        assert_eq!(levels.diplome("40023203").unwrap().code, "4");
        assert_eq!(levels.diplome("40123203"), None, "no label");
        assert_eq!(levels.diplome("90023203"), None, "no level");
    }

    #[test]
    fn a_later_table_wins_and_its_gaps_change_nothing() {
        let first = row(
            json!({"formation_diplome": "40023203", "libelle_court": "BAC", "libelle_long_200": "A", "date_ouverture": "2022-07-31 00:00:00"}),
        );
        let second = row(json!({"formation_diplome": "40023203", "libelle_long_200": "B", "date_ouverture": null}));
        let nomenclature =
            nomenclature(&levels(), [first, second, Document::new()], [], &mut crate::TreatmentReport::default());
        let certification = nomenclature.certification("40023203").unwrap();
        assert_eq!(certification.libelle_long.as_deref(), Some("B"));
        assert_eq!(certification.libelle.as_deref(), Some("BAC"));
        assert!(certification.opening_date.is_some());
    }

    #[test]
    fn a_certification_survives_its_document() {
        let mut certification =
            cfd(&row(json!({"formation_diplome": "40023203", "libelle_court": "BAC"})), &levels()).unwrap();
        certification.famille_metier =
            Some(FamilleMetier { code: "G1".into(), libelle: "F".into(), annee_commune: true });
        certification.old_codes = vec!["40023202".into()];
        assert_eq!(Certification::read(&certification.document()).as_ref(), Some(&certification));
    }
}
