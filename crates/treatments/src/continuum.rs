//! Treatment 6: the lineage of statistics.
//!
//! Rule (contract, "Treatments" 6 and "Lineage of statistics"): a diploma that was renewed has two
//! codes, and numbers under one of them only. They are lent along one-to-one steps (one neighbour
//! on both sides), for the same place and millesime, whatever the filiere:
//!
//! - down, to newer codes (`ancienne`): until a code that has its own numbers or newer ones;
//!   `donnee_source` names the code just before;
//! - up, to older codes (`nouvelle`): until a code that has its own; the numbers and the
//!   `donnee_source` are those of the newest code of the line that has its own.
//!
//! Only delivered documents give, so `nouvelle` wins over `ancienne` and a second run changes
//! nothing. Everything but `_meta`, label and certification part is lent. Not for `superieur`.

use crate::ecriture::{Collection, Ecriture, Ecritures, donnee_source, est_livree};
use crate::lignee::{seul_ancien, seul_nouveau};
use crate::nomenclature::Nomenclature;
use crate::texte::{champ, sous_champ};
use domain::indicateur::est_indicateur;
use domain::{Document, Maille};
use std::collections::BTreeMap;

/// Fields that say what a certification is, and fields that are never lent.
const PAS_PRETES: [&str; 10] = [
    "_meta",
    "donnee_source",
    "code_certification",
    "code_certification_type",
    "code_formation_diplome",
    "libelle",
    "libelle_ancien",
    "diplome",
    "date_fermeture",
    "familleMetier",
];

/// The place of a statistic within its maille, as part of a key.
pub(crate) fn lieu(maille: Maille, document: &Document) -> Option<&str> {
    match maille {
        Maille::Nationale => Some(""),
        Maille::Regionale => sous_champ(document, "region", "code"),
        Maille::Etablissement => champ(document, "uai"),
        // Declared mailles come treated: no treatment asks.
        Maille::Declaree => None,
    }
}

#[derive(Default)]
struct Case {
    /// Documents with numbers of their own, in order of filieres: the last one's win.
    livres: Vec<(String, usize)>,
    /// The others, in the order they came.
    autres: Vec<usize>,
}

type Tranche = BTreeMap<String, Case>;

/// Lends numbers along the lineage. `documents` must hold all documents of the codes' lineage.
pub fn continuum(nomenclature: &Nomenclature, maille: Maille, documents: &mut Collection) -> Ecritures {
    let mut ecritures = Ecritures::default();
    for mut tranche in tranches(maille, documents).into_values() {
        let donneurs: Vec<String> =
            tranche.iter().filter(|(_, c)| !c.livres.is_empty()).map(|(code, _)| code.clone()).collect();
        for code in &donneurs {
            remonter(nomenclature, documents, &mut tranche, code, &mut ecritures);
        }
        for code in &donneurs {
            descendre(nomenclature, documents, &mut tranche, code, &mut ecritures);
        }
    }
    ecritures
}

/// The documents by place and millesime, then by code.
fn tranches(maille: Maille, documents: &Collection) -> BTreeMap<(String, String), Tranche> {
    let mut tranches: BTreeMap<(String, String), Tranche> = BTreeMap::new();
    for place in 0..documents.places() {
        let Some(document) = documents.document(place) else { continue };
        let parts = (lieu(maille, document), champ(document, "millesime"), champ(document, "code_certification"));
        let (Some(lieu), Some(millesime), Some(code)) = parts else { continue };
        let filiere = champ(document, "filiere").unwrap_or_default();
        if filiere == "superieur" {
            continue;
        }
        let tranche = tranches.entry((lieu.to_owned(), millesime.to_owned())).or_default();
        let case = tranche.entry(code.to_owned()).or_default();
        if est_livree(document) {
            case.livres.push((filiere.to_owned(), place));
            case.livres.sort_unstable();
        } else {
            case.autres.push(place);
        }
    }
    tranches
}

fn est_donneur(tranche: &Tranche, code: &str) -> bool {
    tranche.get(code).is_some_and(|c| !c.livres.is_empty())
}

fn remonter(
    nomenclature: &Nomenclature,
    documents: &mut Collection,
    tranche: &mut Tranche,
    code: &str,
    ecritures: &mut Ecritures,
) {
    let Some(mut cible) = seul_ancien(nomenclature, code) else { return };
    if est_donneur(tranche, cible) {
        return;
    }
    let (mut plus_recent, mut ici, mut pas) = (code, code, 0);
    while let Some(nouveau) = seul_nouveau(nomenclature, ici).filter(|n| *n != code) {
        if est_donneur(tranche, nouveau) {
            plus_recent = nouveau;
        }
        ici = nouveau;
        pas += 1;
        if pas > LONGUEUR_MAX {
            break;
        }
    }
    let plus_recent = plus_recent.to_owned();
    for _ in 0..LONGUEUR_MAX {
        preter(nomenclature, documents, tranche, &plus_recent, cible, (&plus_recent, "nouvelle"), ecritures);
        match seul_ancien(nomenclature, cible) {
            Some(suivant) if suivant != code && !est_donneur(tranche, suivant) => cible = suivant,
            _ => break,
        }
    }
}

fn descendre(
    nomenclature: &Nomenclature,
    documents: &mut Collection,
    tranche: &mut Tranche,
    code: &str,
    ecritures: &mut Ecritures,
) {
    let mut avant = code.to_owned();
    for _ in 0..LONGUEUR_MAX {
        let Some(cible) = seul_nouveau(nomenclature, &avant).filter(|c| *c != code) else { return };
        if est_donneur(tranche, cible) || a_plus_recent(documents, tranche, cible) {
            return;
        }
        preter(nomenclature, documents, tranche, code, cible, (&avant, "ancienne"), ecritures);
        cible.clone_into(&mut avant);
    }
}

/// No lineage is that long: a bound against circles in the tables.
const LONGUEUR_MAX: usize = 100;

fn a_plus_recent(documents: &Collection, tranche: &Tranche, code: &str) -> bool {
    let places = tranche.get(code).into_iter().flat_map(|c| &c.autres);
    places.filter_map(|p| documents.document(*p)).any(|d| sous_champ(d, "donnee_source", "type") == Some("nouvelle"))
}

/// Writes the numbers of `donneur` under the code `cible`.
fn preter(
    nomenclature: &Nomenclature,
    documents: &mut Collection,
    tranche: &mut Tranche,
    donneur: &str,
    cible: &str,
    source: (&str, &str),
    ecritures: &mut Ecritures,
) {
    let Ok(part) = nomenclature.part(cible, false) else { return };
    let donneurs = tranche.get(donneur).map(|c| c.livres.clone()).unwrap_or_default();
    for (filiere, place) in donneurs {
        let Some(document) = documents.document(place) else { continue };
        let mut apport = Document::with_capacity(document.len() + part.len());
        apport.insert("code_certification".to_owned(), cible.into());
        for (nom, valeur) in document.iter().filter(|(nom, _)| !PAS_PRETES.contains(&nom.as_str())) {
            apport.insert(nom.clone(), valeur.clone());
        }
        apport.extend(part.clone());
        apport.insert("donnee_source".to_owned(), donnee_source(source.0, source.1));
        // The code is known by place and millesime alone: a document of another filiere is its own.
        let autres = tranche.get(cible).map(|c| c.autres.as_slice()).unwrap_or_default();
        let meme = |p: &&usize| documents.document(**p).is_some_and(|d| champ(d, "filiere") == Some(&filiere));
        let existant = autres.iter().find(meme).or_else(|| autres.iter().find(|p| documents.document(**p).is_some()));
        let ecriture = match existant {
            Some(place) => {
                // What an earlier lender left would stand beside numbers that are not its own.
                let restes = documents.retirer_champs(*place, |nom| est_indicateur(nom) && !apport.contains_key(nom));
                let ecriture = documents.fusionner_a(*place, &apport);
                if restes { ecriture.map(|_| Ecriture::Modifie) } else { ecriture }
            }
            None => {
                let ecriture = documents.ecrire(apport);
                tranche.entry(cible.to_owned()).or_default().autres.push(documents.places().saturating_sub(1));
                ecriture
            }
        };
        if let Some(ecriture) = ecriture {
            ecritures.compter(ecriture);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nomenclature::Certification;
    use domain::Kind;
    use serde_json::json;

    /// A line of codes, oldest first.
    fn lignee(longueur: usize) -> Nomenclature {
        let mut nomenclature = Nomenclature::default();
        for rang in 0..longueur {
            nomenclature.ajouter(Certification {
                code: rang.to_string(),
                cfd: rang.to_string(),
                anciens: rang.checked_sub(1).map(|r| r.to_string()).into_iter().collect(),
                nouveaux: Some(rang + 1).filter(|r| *r < longueur).map(|r| r.to_string()).into_iter().collect(),
                ..Certification::default()
            });
        }
        nomenclature
    }

    fn livre(code: usize) -> Document {
        json!({"code_certification": code.to_string(), "millesime": "2020", "filiere": "pro", "nb_sortant": code,
            "donnee_source": {"code_certification": code.to_string(), "type": "self"}})
        .as_object()
        .unwrap()
        .clone()
    }

    /// `(code, number lent, donnee_source)` of each code of a line of five.
    fn apres(livres: &[usize]) -> Vec<String> {
        let nomenclature = lignee(5);
        let mut documents = Collection::de(Kind::Certification, livres.iter().map(|c| livre(*c)));
        continuum(&nomenclature, Maille::Nationale, &mut documents);
        let encore = continuum(&nomenclature, Maille::Nationale, &mut documents);
        assert_eq!((encore.crees, encore.modifies), (0, 0), "a second run changes nothing");
        let mut lignes: Vec<String> = documents
            .iter()
            .map(|d| {
                let source = &d["donnee_source"];
                let (code, nature) = (source["code_certification"].as_str().unwrap(), source["type"].as_str().unwrap());
                format!("{} {} {nature} {code}", d["code_certification"].as_str().unwrap(), d["nb_sortant"])
            })
            .collect();
        lignes.sort();
        lignes
    }

    #[test]
    fn numbers_go_down_step_by_step() {
        assert_eq!(apres(&[2]), ["0 2 nouvelle 2", "1 2 nouvelle 2", "2 2 self 2", "3 2 ancienne 2", "4 2 ancienne 3"]);
    }

    #[test]
    fn newer_numbers_win() {
        assert_eq!(apres(&[0, 3]), ["0 0 self 0", "1 3 nouvelle 3", "2 3 nouvelle 3", "3 3 self 3", "4 3 ancienne 3"]);
        assert_eq!(apres(&[1, 3]), ["0 3 nouvelle 3", "1 1 self 1", "2 3 nouvelle 3", "3 3 self 3", "4 3 ancienne 3"]);
    }

    #[test]
    fn lent_numbers_are_those_of_one_lender() {
        let nomenclature = lignee(3);
        let document = |valeur: serde_json::Value| valeur.as_object().unwrap().clone();
        let mut avant = livre(1);
        avant.insert("donnee_source".into(), donnee_source("0", "ancienne"));
        avant.insert("nb_poursuite_etudes".into(), json!(4));
        avant.insert("taux_en_formation".into(), json!(40));
        avant.insert("libelle_local".into(), json!("L"));
        let mut documents = Collection::de(Kind::Certification, [avant, livre(2)]);
        continuum(&nomenclature, Maille::Nationale, &mut documents);
        let apres = documents.iter().find(|d| d["code_certification"] == "1").unwrap();
        let attendu =
            document(json!({"code_certification": "1", "millesime": "2020", "filiere": "pro", "nb_sortant": 2,
            "donnee_source": {"code_certification": "2", "type": "nouvelle"}, "libelle_local": "L"}));
        assert_eq!(
            apres.iter().filter(|(nom, _)| !nom.starts_with("code_")).collect::<std::collections::BTreeMap<_, _>>(),
            attendu.iter().filter(|(nom, _)| !nom.starts_with("code_")).collect()
        );
    }
}
