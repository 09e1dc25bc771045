//! Treatment 4: familles de metiers.
//!
//! Rule (contract, "Treatments" 4): N_GROUPE_FORMATION names the familles, N_LIEN_FORMATION_GROUPE
//! links CFDs to them. The linked CFD and each of its own MEFs carry the famille along their own
//! line ([`ligne`]), which is read from the linked side: a newer diploma with several older ones is
//! reached from each of them, one of several newer ones is not. A MEF gets none from a CFD that is
//! not its own. `isAnneeCommune` is the linked CFD's: it has MEFs, and all of them are first years.
//! Why: the first year of a professional baccalaureate is shared by a famille, and its pupils ask
//! about all the specialities it leads to.

use crate::lignee::ligne;
use crate::nomenclature::{Famille, Nomenclature};
use crate::rejet::Rejet;
use crate::texte::champ;
use domain::Document;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The two tables of the familles.
#[derive(Clone, Debug, Default)]
pub struct Familles {
    libelles: HashMap<String, String>,
    /// Linked CFD and group, in the order of the table.
    liens: Vec<(String, String)>,
    lies: HashSet<String>,
}

impl Familles {
    /// Takes a row of N_GROUPE_FORMATION.
    ///
    /// # Errors
    /// [`Rejet::ChampManquant`].
    pub fn ajouter_groupe(&mut self, ligne: &Document) -> Result<(), Rejet> {
        let code = champ(ligne, "groupe_formation").ok_or(Rejet::ChampManquant { champ: "groupe_formation" })?;
        let libelle = champ(ligne, "libelle_edition").unwrap_or_default();
        self.libelles.insert(code.to_owned(), libelle.to_owned());
        Ok(())
    }

    /// Takes a row of N_LIEN_FORMATION_GROUPE. Of two links of one CFD the first holds.
    ///
    /// # Errors
    /// [`Rejet::ChampManquant`].
    pub fn ajouter_lien(&mut self, ligne: &Document) -> Result<(), Rejet> {
        let exiger = |nom: &'static str| champ(ligne, nom).ok_or(Rejet::ChampManquant { champ: nom });
        let (cfd, groupe) = (exiger("formation_diplome")?, exiger("groupe_formation")?);
        if self.lies.insert(cfd.to_owned()) {
            self.liens.push((cfd.to_owned(), groupe.to_owned()));
        }
        Ok(())
    }

    /// Linked CFDs and their famille. A link to an unknown group is none.
    fn liens<'a>(&'a self, nomenclature: &'a Nomenclature) -> impl Iterator<Item = (&'a str, Famille)> {
        self.liens.iter().filter_map(|(cfd, code)| {
            let libelle = self.libelles.get(code)?.clone();
            let annee_commune = est_annee_commune(nomenclature, cfd);
            Some((cfd.as_str(), Famille { code: code.clone(), libelle, annee_commune }))
        })
    }
}

/// Whether a CFD has MEFs and all of them are first years.
fn est_annee_commune(nomenclature: &Nomenclature, cfd: &str) -> bool {
    let mut annees = nomenclature.annees(cfd).map(|(_, annee)| annee == Some("1")).peekable();
    annees.peek().is_some() && annees.all(|premiere| premiere)
}

/// Gives certifications their famille: that of their own CFD's link, else of the last link in the
/// table whose line they are on. Returns the codes that changed.
pub fn familles(nomenclature: &mut Nomenclature, familles: &Familles) -> BTreeSet<String> {
    let mut trouvees: BTreeMap<String, Famille> = BTreeMap::new();
    let mut propres: BTreeMap<String, Famille> = BTreeMap::new();
    for (cfd, famille) in familles.liens(nomenclature) {
        // The linked CFD itself may be missing: its MEFs carry the famille all the same.
        for depart in std::iter::once(cfd).chain(nomenclature.mefs(cfd)) {
            for code in ligne(nomenclature, depart) {
                match nomenclature.certification(&code) {
                    None => {}
                    Some(certification) if certification.cfd == cfd => drop(propres.insert(code, famille.clone())),
                    Some(_) => drop(trouvees.insert(code, famille.clone())),
                }
            }
        }
    }
    trouvees.extend(propres);
    let mut changes = BTreeSet::new();
    for (code, famille) in trouvees {
        if let Some(certification) =
            nomenclature.certification_mut(&code).filter(|c| c.famille.as_ref() != Some(&famille))
        {
            certification.famille = Some(famille);
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
    fn nomenclature(lignes: &[(&str, &[&str], &[&str])]) -> Nomenclature {
        let codes = |codes: &[&str]| codes.iter().map(|c| (*c).to_owned()).collect();
        let mut nomenclature = Nomenclature::default();
        for (code, anciens, nouveaux) in lignes {
            let mef = code.len() == 11;
            nomenclature.ajouter(Certification {
                nature: if mef { Nature::Mef } else { Nature::Cfd },
                code: (*code).into(),
                cfd: code[code.len() - 8..].into(),
                anciens: codes(anciens),
                nouveaux: codes(nouveaux),
                ..Certification::default()
            });
        }
        nomenclature
    }

    fn liees(lignes: &[(&str, &[&str], &[&str])], liens: &[(&str, &str)]) -> Vec<String> {
        let mut nomenclature = nomenclature(lignes);
        let mut tables = Familles::default();
        for (cfd, groupe) in liens {
            let objet = |valeur: serde_json::Value| valeur.as_object().unwrap().clone();
            tables.ajouter_groupe(&objet(json!({"groupe_formation": groupe, "libelle_edition": groupe}))).unwrap();
            tables.ajouter_lien(&objet(json!({"groupe_formation": groupe, "formation_diplome": cfd}))).unwrap();
        }
        familles(&mut nomenclature, &tables);
        assert!(familles(&mut nomenclature, &tables).is_empty(), "a second run changes nothing");
        let de = |c: &Certification| Some(format!("{} {}", c.code, c.famille.as_ref()?.code));
        nomenclature.certifications().filter_map(de).collect()
    }

    #[test]
    fn a_famille_follows_the_line_from_the_linked_side() {
        // Two older ones of a newer diploma: reached from each.
        let fusion: [(&str, &[&str], &[&str]); 3] = [
            ("40000001", &[], &["40000003"]),
            ("40000002", &[], &["40000003"]),
            ("40000003", &["40000001", "40000002"], &[]),
        ];
        assert_eq!(liees(&fusion, &[("40000001", "A")]), ["40000001 A", "40000003 A"]);
        assert_eq!(liees(&fusion, &[("40000003", "A")]), ["40000003 A"]);
        // Two newer ones of an older diploma: not reached from it, but it from each.
        let scission: [(&str, &[&str], &[&str]); 3] = [
            ("40000001", &[], &["40000002", "40000003"]),
            ("40000002", &["40000001"], &[]),
            ("40000003", &["40000001"], &[]),
        ];
        assert_eq!(liees(&scission, &[("40000001", "A")]), ["40000001 A"]);
        assert_eq!(liees(&scission, &[("40000002", "A")]), ["40000001 A", "40000002 A"]);
        let deux = liees(&scission, &[("40000002", "A"), ("40000003", "B")]);
        assert_eq!(deux, ["40000001 B", "40000002 A", "40000003 B"], "the last link of the table, but one's own first");
    }

    #[test]
    fn mefs_follow_their_own_line_from_their_own_cfd() {
        let lignes: [(&str, &[&str], &[&str]); 5] = [
            ("40000001", &[], &["40000002"]),
            ("40000002", &["40000001"], &[]),
            ("24740000001", &[], &[]),
            ("23840000002", &["23740000001"], &[]),
            ("23740000001", &[], &["23840000002"]),
        ];
        let attendu = ["40000001 A", "40000002 A", "23840000002 A", "23740000001 A"];
        assert_eq!(
            liees(&lignes, &[("40000002", "A")]),
            attendu,
            "24740000001 is not on the line of a MEF of 40000002"
        );
        assert_eq!(liees(&lignes[3..], &[("40000002", "A")]), attendu[2..], "the linked CFD is missing");
    }
}
