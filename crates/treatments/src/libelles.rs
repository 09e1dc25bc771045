//! Treatment 3: labels.
//!
//! Rule (contract, "Treatments" 3): a MEF takes its CFD's long label (its own is an abbreviation).
//! The old label is that of the first ancestor that was named otherwise, walking back while there
//! is exactly one older diploma. Ancestors are those of the CFD, for its MEFs too: a MEF's own
//! lineage has gaps where dispositifs changed. Accents are ignored; an ancestor whose name lies
//! inside the present one is passed by (a name that grew), the reverse is not (a name that was cut).
//! Why: readers look for a diploma under the name it had when they went to school.

use crate::nomenclature::{Nature, Nomenclature};
use domain::letters::without_accents;
use std::collections::BTreeSet;

/// Gives MEFs their CFD's label, and everything its old label. Returns the codes that changed.
pub fn libelles(nomenclature: &mut Nomenclature) -> BTreeSet<String> {
    let mut changes = BTreeSet::new();
    let mefs = nomenclature.certifications().filter(|c| c.nature == Nature::Mef);
    let longs: Vec<(String, String)> = mefs
        .filter_map(|c| {
            let cfd = nomenclature.certification(&c.cfd).filter(|cfd| cfd.nature == Nature::Cfd)?;
            let long = cfd.libelle_long.clone().filter(|l| c.libelle_long.as_ref() != Some(l))?;
            Some((c.code.clone(), long))
        })
        .collect();
    for (code, long) in longs {
        if let Some(certification) = nomenclature.certification_mut(&code) {
            certification.libelle_long = Some(long);
            changes.insert(code);
        }
    }
    let old_codes: Vec<(String, String)> = nomenclature
        .certifications()
        .filter_map(|c| {
            let old = old_libelle(nomenclature, &c.code)?;
            (c.old_long_libelle.as_deref() != Some(old)).then(|| (c.code.clone(), old.to_owned()))
        })
        .collect();
    for (code, old) in old_codes {
        if let Some(certification) = nomenclature.certification_mut(&code) {
            certification.old_long_libelle = Some(old);
            changes.insert(code);
        }
    }
    changes
}

/// The label of the first ancestor that was named otherwise, along the line of its CFD.
fn old_libelle<'a>(nomenclature: &'a Nomenclature, code: &str) -> Option<&'a str> {
    let certification = nomenclature.certification(code)?;
    let libelle = without_accents(certification.libelle_long.as_deref()?);
    let mut here = match certification.nature {
        Nature::Cfd => certification,
        Nature::Mef => nomenclature.certification(&certification.cfd)?,
    };
    let mut seen = BTreeSet::from([here.code.as_str()]);
    loop {
        let [old] = here.old_codes.as_slice() else { return None };
        here = nomenclature.certification(old).filter(|a| seen.insert(&a.code))?;
        if let Some(other) = here.libelle_long.as_deref()
            && !libelle.contains(&without_accents(other))
        {
            return Some(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nomenclature::Certification;

    fn lineage(libelles: &[&str]) -> Nomenclature {
        let mut nomenclature = Nomenclature::default();
        for (rank, libelle) in libelles.iter().enumerate() {
            nomenclature.add(Certification {
                code: format!("{rank}"),
                cfd: format!("{rank}"),
                libelle_long: Some((*libelle).into()),
                old_codes: rank.checked_sub(1).map(|r| r.to_string()).into_iter().collect(),
                ..Certification::default()
            });
        }
        nomenclature
    }

    #[test]
    fn the_old_label_is_the_first_that_differs() {
        for (libelles_, expected) in [
            (&["BOUCHER", "BOUCHERIE ET TRAITEUR"][..], None),
            (&["BOUCHERIE ET TRAITEUR", "BOUCHER"], Some("BOUCHERIE ET TRAITEUR")),
            (&["CHARCUTIER", "BOUCHER", "BOUCHER TRIPIER"], Some("CHARCUTIER")),
            (&["ELECTRICITE", "Électricité", "ÉLECTRICITE"], Some("Électricité")),
            (&["CUISINE", "RESTAURATION (CAP)", "RESTAURATION"], Some("RESTAURATION (CAP)")),
            (&["CUISINE", "RESTAURATION", "RESTAURATION (CAP)"], Some("CUISINE")),
            (&["METIERS", "METIERS"], None),
        ] {
            let mut nomenclature = lineage(libelles_);
            libelles(&mut nomenclature);
            let last = nomenclature.certifications().last().unwrap();
            assert_eq!(last.old_long_libelle.as_deref(), expected, "{libelles_:?}");
            assert!(libelles(&mut nomenclature).is_empty(), "a second run changes nothing");
        }
    }

    /// MEFs of a lineage of their own, which differs from that of their CFDs.
    #[test]
    fn a_mef_has_the_old_label_of_its_cfd() {
        let mef = |code: &str, cfd: &str, old: &[&str]| Certification {
            nature: Nature::Mef,
            code: code.into(),
            cfd: cfd.into(),
            libelle_long: Some("ABREGE".into()),
            old_codes: old.iter().map(|a| (*a).to_owned()).collect(),
            ..Certification::default()
        };
        let mut nomenclature = lineage(&["CUISINE", "RESTAURATION"]);
        nomenclature.add(mef("m", "1", &[]));
        nomenclature.add(mef("autre", "2", &["m"]));
        libelles(&mut nomenclature);
        let certification = |code: &str| nomenclature.certification(code).unwrap();
        assert_eq!(certification("m").libelle_long.as_deref(), Some("RESTAURATION"));
        assert_eq!(certification("m").old_long_libelle.as_deref(), Some("CUISINE"), "without a lineage of its own");
        assert_eq!(certification("autre").old_long_libelle, None, "its CFD is not known");

        let mut two_old = lineage(&["CUISINE", "TRAITEUR"]);
        two_old.add(Certification {
            code: "2".into(),
            cfd: "2".into(),
            libelle_long: Some("RESTAURATION".into()),
            old_codes: vec!["0".into(), "1".into()],
            ..Certification::default()
        });
        two_old.add(mef("ancien", "0", &[]));
        two_old.add(mef("m", "2", &["ancien"]));
        libelles(&mut two_old);
        assert_eq!(two_old.certification("m").unwrap().old_long_libelle, None, "its CFD has two older ones");
    }
}
