//! Treatment 2: the lineage of certifications, and what is read off it.
//!
//! Rule (contract, "Treatments" 2 and "Nomenclature", lineage): N_FORMATION_DIPLOME names up to
//! seven older and seven newer diplomas of each CFD. They are made symmetric on the codes of the
//! nomenclature; no code is its own ancestor. MEFs follow their CFD: the only MEF on both sides,
//! else the one with the same dispositif and the same first four characters (dispositif and year
//! of the course are what these say, so that a second year continues a second year).
//! Years of the first and last session come along, to the MEFs too.

use crate::nomenclature::{Nature, Nomenclature};
use crate::texte::{champ, scalaire};
use domain::Document;
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[derive(Default)]
struct Liens {
    anciens: Vec<String>,
    nouveaux: Vec<String>,
}

fn noter(liste: &mut Vec<String>, code: &str) {
    if !liste.iter().any(|c| c == code) {
        liste.push(code.to_owned());
    }
}

/// Lineage of CFDs, from the rows of N_FORMATION_DIPLOME. Returns the codes that changed.
///
/// A code that no row mentions keeps what it had.
pub fn lignee_cfd<'a>(
    nomenclature: &mut Nomenclature,
    lignes: impl IntoIterator<Item = &'a Document>,
) -> BTreeSet<String> {
    let mut liens: BTreeMap<String, Liens> = BTreeMap::new();
    let mut sessions: HashMap<String, [Option<String>; 2]> = HashMap::new();
    for ligne in lignes {
        let Some(code) = champ(ligne, "formation_diplome") else { continue };
        if nomenclature.certification(code).is_none() {
            continue;
        }
        let ici = liens.entry(code.to_owned()).or_default();
        for n in 1..=7 {
            if let Some(ancien) = scalaire(ligne, &format!("ancien_diplome_{n}")).filter(|c| c != code) {
                noter(&mut ici.anciens, &ancien);
            }
            if let Some(nouveau) = scalaire(ligne, &format!("nouveau_diplome_{n}")).filter(|c| c != code) {
                noter(&mut ici.nouveaux, &nouveau);
            }
        }
        let annees = ["date_premiere_session", "date_derniere_session"].map(|nom| scalaire(ligne, nom));
        sessions.insert(code.to_owned(), annees);
    }
    let sens: Vec<(String, String)> = liens.iter().flat_map(|(code, l)| aretes(code, l)).collect();
    for (ancien, nouveau) in &sens {
        if nomenclature.certification(ancien).is_some() {
            noter(&mut liens.entry(ancien.clone()).or_default().nouveaux, nouveau);
        }
        if nomenclature.certification(nouveau).is_some() {
            noter(&mut liens.entry(nouveau.clone()).or_default().anciens, ancien);
        }
    }
    let mut changes = BTreeSet::new();
    for (code, Liens { anciens, nouveaux }) in liens {
        let Some(certification) = nomenclature.certification_mut(&code) else { continue };
        let avant = certification.clone();
        certification.anciens = anciens;
        certification.nouveaux = nouveaux;
        if let Some([premiere, derniere]) = sessions.remove(&code) {
            certification.premiere_session = premiere.or(certification.premiere_session.take());
            certification.derniere_session = derniere.or(certification.derniere_session.take());
        }
        if *certification != avant {
            changes.insert(code);
        }
    }
    changes
}

fn aretes(code: &str, liens: &Liens) -> Vec<(String, String)> {
    let anciens = liens.anciens.iter().map(|a| (a.clone(), code.to_owned()));
    anciens.chain(liens.nouveaux.iter().map(|n| (code.to_owned(), n.clone()))).collect()
}

/// The MEF that stands for `mef` among those of another CFD, if there is exactly one.
fn homologue<'a>(nomenclature: &'a Nomenclature, mef: &str, cfd: &str, autre: &str) -> Option<&'a str> {
    fn seul<'a>(mut codes: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        let premier = codes.next()?;
        codes.next().is_none().then_some(premier)
    }
    if nomenclature.mefs(cfd).nth(1).is_none()
        && let Some(code) = seul(nomenclature.mefs(autre))
    {
        return Some(code);
    }
    let dispositif = nomenclature.dispositif(mef)?;
    let debut = mef.get(..4)?;
    seul(nomenclature.mefs(autre).filter(|m| m.starts_with(debut) && nomenclature.dispositif(m) == Some(dispositif)))
}

/// Lineage of MEFs, through that of their CFDs. Returns the codes that changed.
pub fn lignee_mef(nomenclature: &mut Nomenclature) -> BTreeSet<String> {
    let mut liens: BTreeMap<String, Liens> = BTreeMap::new();
    let mut sessions: HashMap<String, [Option<String>; 2]> = HashMap::new();
    for mef in nomenclature.certifications().filter(|c| c.nature == Nature::Mef) {
        let ici = liens.entry(mef.code.clone()).or_default();
        let Some(cfd) = nomenclature.certification(&mef.cfd).filter(|c| c.nature == Nature::Cfd) else { continue };
        for ancien in &cfd.anciens {
            if let Some(code) = homologue(nomenclature, &mef.code, &cfd.code, ancien).filter(|c| *c != mef.code) {
                noter(&mut ici.anciens, code);
            }
        }
        for nouveau in &cfd.nouveaux {
            if let Some(code) = homologue(nomenclature, &mef.code, &cfd.code, nouveau).filter(|c| *c != mef.code) {
                noter(&mut ici.nouveaux, code);
            }
        }
        sessions.insert(mef.code.clone(), [cfd.premiere_session.clone(), cfd.derniere_session.clone()]);
    }
    let sens: Vec<(String, String)> = liens.iter().flat_map(|(code, l)| aretes(code, l)).collect();
    for (ancien, nouveau) in &sens {
        noter(&mut liens.entry(ancien.clone()).or_default().nouveaux, nouveau);
        noter(&mut liens.entry(nouveau.clone()).or_default().anciens, ancien);
    }
    let mut changes = BTreeSet::new();
    for (code, Liens { anciens, nouveaux }) in liens {
        let Some(certification) = nomenclature.certification_mut(&code) else { continue };
        let avant = certification.clone();
        certification.anciens = anciens;
        certification.nouveaux = nouveaux;
        if let Some([premiere, derniere]) = sessions.remove(&code) {
            certification.premiere_session = premiere.or(certification.premiere_session.take());
            certification.derniere_session = derniere.or(certification.derniere_session.take());
        }
        if *certification != avant {
            changes.insert(code);
        }
    }
    changes
}

/// The line of a code: itself, the older ones while there is exactly one, then the newer ones
/// likewise. The way back is not checked: a diploma that was split belongs to the line of each of
/// its parts.
#[must_use]
pub fn ligne(nomenclature: &Nomenclature, code: &str) -> Vec<String> {
    let mut ligne = vec![code.to_owned()];
    for nouveaux in [false, true] {
        let mut ici = code.to_owned();
        while let Some(certification) = nomenclature.certification(&ici) {
            let voisins = if nouveaux { &certification.nouveaux } else { &certification.anciens };
            let [seul] = voisins.as_slice() else { break };
            if ligne.contains(seul) {
                break;
            }
            ligne.push(seul.clone());
            ici.clone_from(seul);
        }
    }
    ligne
}

/// The newer neighbour in a one-to-one step: the only newer one, whose only older one this is.
#[must_use]
pub fn seul_nouveau<'a>(nomenclature: &'a Nomenclature, code: &str) -> Option<&'a str> {
    let [nouveau] = nomenclature.certification(code)?.nouveaux.as_slice() else { return None };
    let retour = nomenclature.certification(nouveau)?.anciens.as_slice();
    (retour.len() == 1 && retour.iter().all(|c| c == code)).then_some(nouveau.as_str())
}

/// The older neighbour in a one-to-one step: the only older one, whose only newer one this is.
#[must_use]
pub fn seul_ancien<'a>(nomenclature: &'a Nomenclature, code: &str) -> Option<&'a str> {
    let [ancien] = nomenclature.certification(code)?.anciens.as_slice() else { return None };
    let retour = nomenclature.certification(ancien)?.nouveaux.as_slice();
    (retour.len() == 1 && retour.iter().all(|c| c == code)).then_some(ancien.as_str())
}

/// Codes cut into groups, so that treatments 6 to 8 never need a document of another group.
///
/// Two codes are in one group when one is of the other's lineage, when they share a CFD, a famille
/// de metiers with a shared first year, or when one is an earlier year of the other. The largest
/// group of the real tables counts fewer than 200 codes. Codes outside the nomenclature (higher
/// education) are groups of their own, named after themselves.
#[derive(Clone, Debug, Default)]
pub struct Groupes {
    groupe: HashMap<String, String>,
}

impl Groupes {
    /// Of a nomenclature whose lineage and familles are final.
    #[must_use]
    pub fn de(nomenclature: &Nomenclature) -> Self {
        let mut union = Union::default();
        for c in nomenclature.certifications() {
            union.unir(&c.code, &c.cfd);
            for voisin in c.anciens.iter().chain(&c.nouveaux) {
                union.unir(&c.code, voisin);
            }
            if let Some(famille) = &c.famille {
                union.unir(&c.code, &format!("famille {}", famille.code));
            }
            if c.nature == Nature::Mef {
                for autre in crate::annees::annees_precedentes(nomenclature, &c.code, &c.cfd) {
                    union.unir(&c.code, &autre);
                }
            }
            for (mef, _) in nomenclature.annees(&c.code) {
                union.unir(&c.code, mef);
            }
        }
        let noms: Vec<String> = union.rangs.keys().cloned().collect();
        // The smallest code names the group, whatever the order of the rows.
        let mut nom_de: HashMap<usize, String> = HashMap::new();
        for nom in noms.iter().filter(|n| !n.starts_with("famille ")) {
            let racine = union.racine_de(nom);
            let ici = nom_de.entry(racine).or_insert_with(|| nom.clone());
            if nom < ici {
                ici.clone_from(nom);
            }
        }
        let groupe = noms.into_iter().filter_map(|nom| {
            let racine = union.racine_de(&nom);
            Some((nom, nom_de.get(&racine)?.clone()))
        });
        Self { groupe: groupe.collect() }
    }

    /// The name of a code's group: its smallest code.
    #[must_use]
    pub fn groupe<'a>(&'a self, code: &'a str) -> &'a str {
        self.groupe.get(code).map_or(code, String::as_str)
    }

    /// All groups of the nomenclature with their codes, in order.
    #[must_use]
    pub fn tous(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut groupes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (code, groupe) in self.groupe.iter().filter(|(code, _)| !code.starts_with("famille ")) {
            groupes.entry(groupe).or_default().insert(code);
        }
        groupes
    }
}

/// Disjoint sets of names.
#[derive(Default)]
struct Union {
    rangs: HashMap<String, usize>,
    parents: Vec<usize>,
}

impl Union {
    fn rang(&mut self, nom: &str) -> usize {
        if let Some(rang) = self.rangs.get(nom) {
            return *rang;
        }
        let rang = self.parents.len();
        self.parents.push(rang);
        self.rangs.insert(nom.to_owned(), rang);
        rang
    }

    fn racine(&mut self, mut rang: usize) -> usize {
        while let Some(parent) = self.parents.get(rang).copied().filter(|p| *p != rang) {
            let grand = self.parents.get(parent).copied().unwrap_or(parent);
            if let Some(ici) = self.parents.get_mut(rang) {
                *ici = grand;
            }
            rang = grand;
        }
        rang
    }

    fn racine_de(&mut self, nom: &str) -> usize {
        let rang = self.rang(nom);
        self.racine(rang)
    }

    fn unir(&mut self, a: &str, b: &str) {
        let (a, b) = (self.racine_de(a), self.racine_de(b));
        if let Some(parent) = self.parents.get_mut(a) {
            *parent = b;
        }
    }
}
