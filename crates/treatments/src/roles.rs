//! Treatment 8: what an establishment is for a certification, and whose numbers it has.
//!
//! Rule (contract, "Treatments" 8 and "Establishments"): in apprenticeship an establishment is
//! where the training takes place (`lieu_formation`), who trains (`formateur`), or on whose account
//! (`gestionnaire`); the services publish numbers of some of them only. By the rows of the
//! catalogue for the whole line of the certification:
//!
//! 1. each UAI is the first of the three roles that a row gives it, else `inconnu`; its document
//!    lists the UAIs of the two other roles;
//! 2. a `lieu_formation` that is its own only formateur becomes `formateur` where another place of
//!    it has no document: its numbers are those of all its places;
//! 3. a `formateur`, or a `lieu_formation` without other places, that is its own only gestionnaire
//!    becomes `gestionnaire` where another formateur of it has no document as such and a place of
//!    that one, on whosever account, has none at all; it lists those on its own account;
//! 4. places without a document inherit that of their formateur, else of their gestionnaire, where
//!    it is the only one that the rows of the place name.
//!
//! In the school track the establishment is all three; higher education is `inconnu`. Only periods
//! get these fields, and only documents that do not have them yet.

use crate::catalogue::{Catalogue, LigneCatalogue, Rang};
use crate::ecriture::Collection;
use crate::lignee::ligne;
use crate::nomenclature::Nomenclature;
use crate::texte::champ;
use domain::{Document, Kind, Millesime};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What the treatment did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bilan {
    /// Documents that got their role.
    pub traites: u64,
    /// Of these, places that became formateurs.
    pub lieu_formateur: u64,
    /// Of these, formateurs (or places) that became gestionnaires.
    pub formateur_gestionnaire: u64,
    /// Places that inherited a document.
    pub herites: u64,
}

impl std::ops::AddAssign for Bilan {
    fn add_assign(&mut self, autre: Self) {
        self.traites += autre.traites;
        self.lieu_formateur += autre.lieu_formateur;
        self.formateur_gestionnaire += autre.formateur_gestionnaire;
        self.herites += autre.herites;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Lieu,
    Formateur,
    Gestionnaire,
    Inconnu,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::Lieu => "lieu_formation",
            Self::Formateur => "formateur",
            Self::Gestionnaire => "gestionnaire",
            Self::Inconnu => "inconnu",
        }
    }
}

/// Distinct UAIs, in order.
type Uais = BTreeSet<Rang>;

/// The establishments that rows name next to one establishment.
#[derive(Default)]
struct Autour {
    lieux: Uais,
    formateurs: Uais,
    gestionnaires: Uais,
    /// Some row names no formateur (gestionnaire).
    sans_formateur: bool,
    sans_gestionnaire: bool,
}

impl Autour {
    fn noter(&mut self, ligne: LigneCatalogue) {
        self.lieux.extend(ligne.lieu);
        self.formateurs.extend(ligne.formateur);
        self.gestionnaires.extend(ligne.gestionnaire);
        self.sans_formateur |= ligne.formateur.is_none();
        self.sans_gestionnaire |= ligne.gestionnaire.is_none();
    }
}

/// The rows of the line of one certification, by each role.
#[derive(Default)]
struct Lignes {
    par_lieu: HashMap<Rang, Autour>,
    par_formateur: HashMap<Rang, Autour>,
    par_gestionnaire: HashMap<Rang, Autour>,
    /// Places of each formateur among the rows of one gestionnaire.
    lieux: HashMap<(Rang, Rang), Uais>,
}

impl Lignes {
    fn de(nomenclature: &Nomenclature, catalogue: &Catalogue, code: &str) -> Self {
        let mut lignes = Self::default();
        for cfd in ligne(nomenclature, code) {
            for ligne in catalogue.lignes(&cfd) {
                for (role, uai) in [
                    (&mut lignes.par_lieu, ligne.lieu),
                    (&mut lignes.par_formateur, ligne.formateur),
                    (&mut lignes.par_gestionnaire, ligne.gestionnaire),
                ] {
                    if let Some(uai) = uai {
                        role.entry(uai).or_default().noter(*ligne);
                    }
                }
                if let (Some(gestionnaire), Some(formateur)) = (ligne.gestionnaire, ligne.formateur) {
                    lignes.lieux.entry((gestionnaire, formateur)).or_default().extend(ligne.lieu);
                }
            }
        }
        lignes
    }

    fn role(&self, uai: Rang) -> (Role, Option<&Autour>) {
        if let Some(autour) = self.par_lieu.get(&uai) {
            (Role::Lieu, Some(autour))
        } else if let Some(autour) = self.par_formateur.get(&uai) {
            (Role::Formateur, Some(autour))
        } else if let Some(autour) = self.par_gestionnaire.get(&uai) {
            (Role::Gestionnaire, Some(autour))
        } else {
            (Role::Inconnu, None)
        }
    }
}

/// A document of this run, with its role and lists.
struct Fiche {
    place: usize,
    uai: Rang,
    role: Role,
    lieux: Option<Uais>,
    formateurs: Option<Uais>,
    gestionnaires: Option<Uais>,
}

/// Gives documents of establishments their role. `documents` must hold all establishments of the
/// codes it holds.
pub fn roles(nomenclature: &Nomenclature, catalogue: &Catalogue, documents: &mut Collection) -> Bilan {
    let mut bilan = Bilan::default();
    // By code, then millesime: every document of apprenticeship, treated before or not.
    let mut apprentissage: BTreeMap<String, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
    for place in 0..documents.places() {
        let Some(document) = documents.document(place) else { continue };
        let millesime = champ(document, "millesime").and_then(Millesime::parse).filter(Millesime::est_periode);
        let (Some(millesime), Some(uai)) = (millesime, champ(document, "uai")) else { continue };
        match champ(document, "filiere") {
            Some("apprentissage") => {
                let code = champ(document, "code_certification").unwrap_or_default().to_owned();
                let par_millesime = apprentissage.entry(code).or_default();
                par_millesime.entry(millesime.as_str().to_owned()).or_default().push(place);
            }
            Some(filiere) if !document.contains_key("uai_type") => {
                let mut apport = donnee(uai, if filiere == "superieur" { Role::Inconnu } else { Role::Lieu });
                if filiere != "superieur" {
                    for nom in ["uai_formateur", "uai_gestionnaire"] {
                        apport.insert(nom.to_owned(), Value::Array(vec![uai.into()]));
                    }
                }
                documents.fusionner_a(place, &apport);
                bilan.traites += 1;
            }
            _ => {}
        }
    }
    for (code, par_millesime) in apprentissage {
        let lignes = Lignes::de(nomenclature, catalogue, &code);
        for places in par_millesime.into_values() {
            tranche(catalogue, &lignes, documents, &places, &mut bilan);
        }
    }
    bilan
}

/// `uai_type`, and whose numbers a document holds: its own.
fn donnee(uai: &str, role: Role) -> Document {
    let mut document = Document::new();
    document.insert("uai_type".to_owned(), role.as_str().into());
    document.insert("uai_donnee".to_owned(), uai.into());
    document.insert("uai_donnee_type".to_owned(), role.as_str().into());
    document
}

/// The four steps on the documents of one certification and millesime.
fn tranche(catalogue: &Catalogue, lignes: &Lignes, documents: &mut Collection, places: &[usize], bilan: &mut Bilan) {
    let mut presents = Uais::new();
    let mut formateurs = Uais::new();
    let mut fiches = Vec::new();
    let mut inconnus = Vec::new();
    for place in places {
        let Some(document) = documents.document(*place) else { continue };
        let uai = champ(document, "uai").unwrap_or_default();
        let rang = catalogue.rang(uai);
        presents.extend(rang);
        if let Some(role) = champ(document, "uai_type") {
            formateurs.extend(rang.filter(|_| role == Role::Formateur.as_str()));
            continue;
        }
        match rang.map(|uai| (uai, lignes.role(uai))) {
            Some((uai, (role, Some(autour)))) => {
                let liste = |uais: &Uais, propre: Role| (role != propre).then(|| uais.clone());
                fiches.push(Fiche {
                    place: *place,
                    uai,
                    role,
                    lieux: liste(&autour.lieux, Role::Lieu),
                    formateurs: liste(&autour.formateurs, Role::Formateur),
                    gestionnaires: liste(&autour.gestionnaires, Role::Gestionnaire),
                });
            }
            _ => inconnus.push((*place, donnee(uai, Role::Inconnu))),
        }
    }
    for (place, apport) in inconnus {
        documents.fusionner_a(place, &apport);
        bilan.traites += 1;
    }
    for fiche in &mut fiches {
        if devenir_formateur(lignes, &presents, fiche) {
            bilan.lieu_formateur += 1;
        }
    }
    formateurs.extend(fiches.iter().filter(|f| f.role == Role::Formateur).map(|f| f.uai));
    for fiche in &mut fiches {
        if devenir_gestionnaire(lignes, &presents, &formateurs, fiche) {
            bilan.formateur_gestionnaire += 1;
        }
    }
    for fiche in &fiches {
        let mut apport = donnee(catalogue.uai(fiche.uai), fiche.role);
        for (nom, uais) in [
            ("uai_lieu_formation", &fiche.lieux),
            ("uai_formateur", &fiche.formateurs),
            ("uai_gestionnaire", &fiche.gestionnaires),
        ] {
            if let Some(uais) = uais {
                apport.insert(nom.to_owned(), textes(catalogue, uais));
            }
        }
        documents.fusionner_a(fiche.place, &apport);
        bilan.traites += 1;
    }
    for role in [Role::Formateur, Role::Gestionnaire] {
        for fiche in fiches.iter().filter(|f| f.role == role) {
            for lieu in fiche.lieux.iter().flatten() {
                if !presents.contains(lieu) && leguer(catalogue, lignes, documents, fiche, *lieu) {
                    presents.insert(*lieu);
                    bilan.herites += 1;
                }
            }
        }
    }
}

/// UAIs in alphabetical order, whatever the order of the catalogue's rows.
fn textes(catalogue: &Catalogue, uais: &Uais) -> Value {
    let mut textes: Vec<&str> = uais.iter().map(|uai| catalogue.uai(*uai)).collect();
    textes.sort_unstable();
    textes.into()
}

fn est_seul(uais: Option<&Uais>, uai: Rang) -> bool {
    uais.is_some_and(|uais| uais.len() == 1 && uais.contains(&uai))
}

/// Step 2.
fn devenir_formateur(lignes: &Lignes, presents: &Uais, fiche: &mut Fiche) -> bool {
    if fiche.role != Role::Lieu || !est_seul(fiche.formateurs.as_ref(), fiche.uai) {
        return false;
    }
    let Some(autour) = lignes.par_formateur.get(&fiche.uai) else { return false };
    if !autour.lieux.iter().any(|lieu| *lieu != fiche.uai && !presents.contains(lieu)) {
        return false;
    }
    let mut lieux = autour.lieux.clone();
    lieux.insert(fiche.uai);
    fiche.role = Role::Formateur;
    fiche.lieux = Some(lieux);
    true
}

/// Step 3.
fn devenir_gestionnaire(lignes: &Lignes, presents: &Uais, formateurs: &Uais, fiche: &mut Fiche) -> bool {
    let propre = fiche.uai;
    let places_propres = lignes.par_formateur.get(&propre).map(|a| &a.lieux);
    let eligible = match fiche.role {
        Role::Formateur => true,
        Role::Lieu => {
            let autres = |lieu: &&Rang| **lieu != propre;
            est_seul(fiche.formateurs.as_ref(), propre)
                && !places_propres.into_iter().flatten().filter(autres).any(|lieu| presents.contains(lieu))
        }
        Role::Gestionnaire | Role::Inconnu => false,
    };
    if !eligible || !est_seul(fiche.gestionnaires.as_ref(), propre) {
        return false;
    }
    let Some(autour) = lignes.par_gestionnaire.get(&propre) else { return false };
    let lieux_de = |formateur: Rang| lignes.lieux.get(&(propre, formateur)).into_iter().flatten();
    let sans_donnees = |formateur: &Rang| {
        *formateur != propre
            && !formateurs.contains(formateur)
            && lignes.par_formateur.get(formateur).is_some_and(|a| a.lieux.iter().any(|l| !presents.contains(l)))
    };
    if !autour.formateurs.iter().any(sans_donnees) {
        return false;
    }
    let mut tous = autour.formateurs.clone();
    tous.insert(propre);
    let mut lieux = fiche.lieux.take().unwrap_or_default();
    if fiche.role == Role::Lieu {
        lieux.insert(propre);
    }
    lieux.extend(tous.iter().flat_map(|f| lieux_de(*f)));
    fiche.role = Role::Gestionnaire;
    fiche.lieux = Some(lieux);
    fiche.formateurs = Some(tous);
    true
}

/// Step 4: writes the document of a place that inherits from a formateur or gestionnaire.
fn leguer(catalogue: &Catalogue, lignes: &Lignes, documents: &mut Collection, fiche: &Fiche, lieu: Rang) -> bool {
    let Some(autour) = lignes.par_lieu.get(&lieu) else { return false };
    let propre = Uais::from([fiche.uai]);
    let (seul, formateurs, gestionnaires) = match fiche.role {
        Role::Formateur => {
            let seul = !autour.sans_formateur && est_seul(Some(&autour.formateurs), fiche.uai);
            (seul, &propre, fiche.gestionnaires.as_ref())
        }
        Role::Gestionnaire => {
            let seul = !autour.sans_gestionnaire && est_seul(Some(&autour.gestionnaires), fiche.uai);
            (seul, &autour.formateurs, Some(&propre))
        }
        Role::Lieu | Role::Inconnu => return false,
    };
    let Some(source) = documents.document(fiche.place).filter(|_| seul) else { return false };
    let mut document = source.clone();
    document.remove("uai_lieu_formation");
    if let Some(Value::Object(meta)) = document.get_mut("_meta") {
        // Dates and the like of the source's own record; what the services said stays.
        meta.retain(|nom, _| !nom.starts_with("date_") && !nom.ends_with("_on"));
    }
    document.insert("uai".to_owned(), catalogue.uai(lieu).into());
    document.insert("uai_type".to_owned(), Role::Lieu.as_str().into());
    document.insert("uai_donnee".to_owned(), catalogue.uai(fiche.uai).into());
    document.insert("uai_donnee_type".to_owned(), fiche.role.as_str().into());
    document.insert("uai_formateur".to_owned(), textes(catalogue, formateurs));
    if let Some(gestionnaires) = gestionnaires {
        document.insert("uai_gestionnaire".to_owned(), textes(catalogue, gestionnaires));
    }
    debug_assert_eq!(documents.kind(), Kind::Formation);
    documents.ecrire(document).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nomenclature::Certification;
    use serde_json::json;

    /// Role and lists of each establishment that has a document; rows of the catalogue are place, formateur and
    /// gestionnaire.
    fn roles_de(presents: &[&str], lignes: &[[&str; 3]]) -> Vec<String> {
        let mut nomenclature = Nomenclature::default();
        let code = "40000001";
        nomenclature.ajouter(Certification { code: code.into(), cfd: code.into(), ..Certification::default() });
        let objet = |valeur: Value| valeur.as_object().unwrap().clone();
        let rows = lignes.iter().enumerate().map(|(id, [lieu, formateur, gestionnaire])| {
            objet(json!({"id": id.to_string(), "cfd": code, "uai_formation": lieu,
                "etablissement_formateur_uai": formateur, "etablissement_gestionnaire_uai": gestionnaire}))
        });
        let catalogue = Catalogue::de(&rows.collect::<Vec<_>>());
        let documents = presents.iter().map(|uai| {
            objet(json!({"uai": uai, "code_certification": code, "millesime": "2018_2019", "filiere": "apprentissage"}))
        });
        let mut documents = Collection::de(Kind::Formation, documents);
        roles(&nomenclature, &catalogue, &mut documents);
        let liste = |d: &Document, nom: &str| d.get(nom).map_or(String::new(), |l| format!(" {l}"));
        let montrer = |d: &Document| {
            let listes = ["uai_lieu_formation", "uai_formateur", "uai_gestionnaire"].map(|nom| liste(d, nom)).concat();
            format!("{} {}{}", d["uai"].as_str().unwrap(), d["uai_type"].as_str().unwrap(), listes.replace('"', ""))
        };
        documents.iter().filter(|d| presents.contains(&d["uai"].as_str().unwrap())).map(montrer).collect()
    }

    #[test]
    fn a_place_of_another_formateur_counts_whoever_is_its_gestionnaire() {
        let propre = ["U3", "U3", "U3"];
        let ici = ["U1", "U1", "U3"];
        // U1 has a second formateur, so it is no formateur for all its places.
        let second = ["U1", "U0", "U4"];
        for (ailleurs, attendu) in [
            // U4 has no document: the numbers of U3 are also those of what U1 teaches.
            (["U4", "U1", "U4"], "U3 gestionnaire [U1,U3] [U1,U3] [U3]"),
            (["U1", "U1", "U4"], "U3 lieu_formation [U3] [U3]"),
            (["U4", "U0", "U4"], "U3 lieu_formation [U3] [U3]"),
        ] {
            let roles = roles_de(&["U3", "U1"], &[propre, ici, second, ailleurs]);
            assert_eq!(roles.first().map(String::as_str), Some(attendu), "{ailleurs:?}");
        }
        // Its lists name what is taught on its own account.
        let roles = roles_de(&["U3", "U1"], &[propre, ici, second, ["U4", "U1", "U4"], ["U5", "U2", "U4"]]);
        assert_eq!(roles.first().map(String::as_str), Some("U3 gestionnaire [U1,U3] [U1,U3] [U3]"));
    }
}
