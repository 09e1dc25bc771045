//! Treatment 4: familles de metiers.
//!
//! Rule (contract, "Treatments" 4): N_GROUPE_FORMATION names the familles, N_LIEN_FORMATION_GROUPE
//! links CFDs to them. The linked CFD and each of its own MEFs carry the famille along their own
//! line ([`row`]), which is read from the linked side: a newer diploma with several older ones is
//! reached from each of them, one of several newer ones is not. A MEF gets none from a CFD that is
//! not its own. `isAnneeCommune` is the linked CFD's: it has MEFs, and all of them are first years.
//! Why: the first year of a professional baccalaureate is shared by a famille, and its pupils ask
//! about all the specialities it leads to.

use crate::lineage::line;
use crate::nomenclature::{FamilleMetier, Nomenclature};
use crate::rejection::Rejection;
use crate::text::field;
use domain::Document;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The two tables of the familles.
#[derive(Clone, Debug, Default)]
pub struct FamilleMetierTables {
    libelles: HashMap<String, String>,
    /// Linked CFD and group, in the order of the table.
    links: Vec<(String, String)>,
    linked: HashSet<String>,
}

impl FamilleMetierTables {
    /// Takes a row of N_GROUPE_FORMATION.
    ///
    /// # Errors
    /// [`Rejection::MissingField`].
    pub fn add_group(&mut self, row: &Document) -> Result<(), Rejection> {
        let code = field(row, "groupe_formation").ok_or(Rejection::MissingField { field: "groupe_formation" })?;
        let libelle = field(row, "libelle_edition").unwrap_or_default();
        self.libelles.insert(code.to_owned(), libelle.to_owned());
        Ok(())
    }

    /// Takes a row of N_LIEN_FORMATION_GROUPE. Of two links of one CFD the first holds.
    ///
    /// # Errors
    /// [`Rejection::MissingField`].
    pub fn add_link(&mut self, row: &Document) -> Result<(), Rejection> {
        let require = |name: &'static str| field(row, name).ok_or(Rejection::MissingField { field: name });
        let (cfd, group) = (require("formation_diplome")?, require("groupe_formation")?);
        if self.linked.insert(cfd.to_owned()) {
            self.links.push((cfd.to_owned(), group.to_owned()));
        }
        Ok(())
    }

    /// Linked CFDs and their famille. A link to an unknown group is none.
    fn links<'a>(&'a self, nomenclature: &'a Nomenclature) -> impl Iterator<Item = (&'a str, FamilleMetier)> {
        self.links.iter().filter_map(|(cfd, code)| {
            let libelle = self.libelles.get(code)?.clone();
            let annee_commune = is_annee_commune(nomenclature, cfd);
            Some((cfd.as_str(), FamilleMetier { code: code.clone(), libelle, annee_commune }))
        })
    }
}

/// Whether a CFD has MEFs and all of them are first years.
fn is_annee_commune(nomenclature: &Nomenclature, cfd: &str) -> bool {
    let mut years = nomenclature.years(cfd).map(|(_, year)| year == Some("1")).peekable();
    years.peek().is_some() && years.all(|first| first)
}

/// Gives certifications their famille: that of their own CFD's link, else of the last link in the
/// table whose line they are on. Returns the codes that changed.
pub fn families(nomenclature: &mut Nomenclature, families: &FamilleMetierTables) -> BTreeSet<String> {
    let mut found: BTreeMap<String, FamilleMetier> = BTreeMap::new();
    let mut own: BTreeMap<String, FamilleMetier> = BTreeMap::new();
    for (cfd, famille_metier) in families.links(nomenclature) {
        // The linked CFD itself may be missing: its MEFs carry the famille all the same.
        for departure in std::iter::once(cfd).chain(nomenclature.mefs(cfd)) {
            for code in line(nomenclature, departure) {
                match nomenclature.certification(&code) {
                    None => {}
                    Some(certification) if certification.cfd == cfd => drop(own.insert(code, famille_metier.clone())),
                    Some(_) => drop(found.insert(code, famille_metier.clone())),
                }
            }
        }
    }
    found.extend(own);
    let mut changes = BTreeSet::new();
    for (code, famille_metier) in found {
        if let Some(certification) =
            nomenclature.certification_mut(&code).filter(|c| c.famille_metier.as_ref() != Some(&famille_metier))
        {
            certification.famille_metier = Some(famille_metier);
            changes.insert(code);
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nomenclature::{Certification, Nature};
    use serde_json::json;

    /// Certifications by code, each with its older and newer ones; eleven characters are a MEF of the CFD that the
    /// last eight name.
    fn nomenclature(rows: &[(&str, &[&str], &[&str])]) -> Nomenclature {
        let codes = |codes: &[&str]| codes.iter().map(|c| (*c).to_owned()).collect();
        let mut nomenclature = Nomenclature::default();
        for (code, old_codes, new_ones) in rows {
            let mef = code.len() == 11;
            nomenclature.add(Certification {
                nature: if mef { Nature::Mef } else { Nature::Cfd },
                code: (*code).into(),
                cfd: code[code.len() - 8..].into(),
                old_codes: codes(old_codes),
                new_ones: codes(new_ones),
                ..Certification::default()
            });
        }
        nomenclature
    }

    fn linked(rows: &[(&str, &[&str], &[&str])], links: &[(&str, &str)]) -> Vec<String> {
        let mut nomenclature = nomenclature(rows);
        let mut tables = FamilleMetierTables::default();
        for (cfd, group) in links {
            let object = |value: serde_json::Value| value.as_object().unwrap().clone();
            tables.add_group(&object(json!({"groupe_formation": group, "libelle_edition": group}))).unwrap();
            tables.add_link(&object(json!({"groupe_formation": group, "formation_diplome": cfd}))).unwrap();
        }
        families(&mut nomenclature, &tables);
        assert!(families(&mut nomenclature, &tables).is_empty(), "a second run changes nothing");
        let from = |c: &Certification| Some(format!("{} {}", c.code, c.famille_metier.as_ref()?.code));
        nomenclature.certifications().filter_map(from).collect()
    }

    #[test]
    fn a_famille_follows_the_line_from_the_linked_side() {
        // Two older ones of a newer diploma: reached from each.
        let merged: [(&str, &[&str], &[&str]); 3] = [
            ("40000001", &[], &["40000003"]),
            ("40000002", &[], &["40000003"]),
            ("40000003", &["40000001", "40000002"], &[]),
        ];
        assert_eq!(linked(&merged, &[("40000001", "A")]), ["40000001 A", "40000003 A"]);
        assert_eq!(linked(&merged, &[("40000003", "A")]), ["40000003 A"]);
        // Two newer ones of an older diploma: not reached from it, but it from each.
        let split: [(&str, &[&str], &[&str]); 3] = [
            ("40000001", &[], &["40000002", "40000003"]),
            ("40000002", &["40000001"], &[]),
            ("40000003", &["40000001"], &[]),
        ];
        assert_eq!(linked(&split, &[("40000001", "A")]), ["40000001 A"]);
        assert_eq!(linked(&split, &[("40000002", "A")]), ["40000001 A", "40000002 A"]);
        let two = linked(&split, &[("40000002", "A"), ("40000003", "B")]);
        assert_eq!(two, ["40000001 B", "40000002 A", "40000003 B"], "the last link of the table, but one's own first");
    }

    #[test]
    fn mefs_follow_their_own_line_from_their_own_cfd() {
        let rows: [(&str, &[&str], &[&str]); 5] = [
            ("40000001", &[], &["40000002"]),
            ("40000002", &["40000001"], &[]),
            ("24740000001", &[], &[]),
            ("23840000002", &["23740000001"], &[]),
            ("23740000001", &[], &["23840000002"]),
        ];
        let expected = ["40000001 A", "40000002 A", "23840000002 A", "23740000001 A"];
        assert_eq!(
            linked(&rows, &[("40000002", "A")]),
            expected,
            "24740000001 is not on the line of a MEF of 40000002"
        );
        assert_eq!(linked(&rows[3..], &[("40000002", "A")]), expected[2..], "the linked CFD is missing");
    }
}
