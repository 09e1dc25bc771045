//! Treatment 5 for secondary education: the statistics of InserJeunes.
//!
//! Rules (contract, "InserJeunes"):
//! - one row a measure; `dimensions[0]` names a CFD (apprenticeship) or a MEF (school); rows with
//!   neither are totals and are dropped; rows of one certification and filiere make one document;
//! - an unknown filiere refuses the whole answer; regional rows of the agricultural track are
//!   dropped, because the service counts them without the establishments of its ministry;
//! - missing values that follow from others are filled in ([`completer`]);
//! - rates are computed on the final-year group, rounded half to even ([`calculer`]);
//! - raw rates and salaries are kept under `_meta.inserjeunes`, for those who check.

use crate::ecriture::{Collection, Ecritures};
use crate::etablissements::{Acce, region_regionale};
use crate::nomenclature::Nomenclature;
use crate::rapport::Rapport;
use crate::rejet::Rejet;
use crate::texte::{champ, poser};
use domain::indicateur::{DELAIS, EFFECTIFS, NB_ANNEE_TERM};
use domain::taux::{nombre, taux, taux_autres};
use domain::territoire::{REGIONS, Region, region_academique};
use domain::{Document, Filiere, Maille};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Raw measures that are published under another name.
const RENOMMEES: [(&str, &str); 6] = [
    ("DEVENIR_part_autre_situation_6_mois", "taux_autres_6_mois"),
    ("DEVENIR_part_en_emploi_6_mois", "taux_en_emploi_6_mois"),
    ("DEVENIR_part_poursuite_etudes", "taux_en_formation"),
    ("salaire_TS_Q1_12_mois", "salaire_12_mois_q1"),
    ("salaire_TS_Q2_12_mois", "salaire_12_mois_q2"),
    ("salaire_TS_Q3_12_mois", "salaire_12_mois_q3"),
];

const TAUX_RUPTURE: &str = "taux_rupture_contrats";

/// Whether a measure is kept raw, under `_meta.inserjeunes`.
fn est_brute(mesure: &str) -> bool {
    mesure.starts_with("DEVENIR_")
        || mesure.starts_with("salaire_TS_")
        || mesure == "taux_poursuite_etudes"
        || (mesure.starts_with("taux_emploi_") && mesure.ends_with("_mois"))
}

/// Codes of the regions academiques that statistics are asked for: all but 00 and 13, which have
/// none.
pub fn regions_a_demander() -> impl Iterator<Item = &'static Region> {
    REGIONS.iter().filter(|r| !["00", "13"].contains(&r.code_region_academique))
}

/// The region of a code of a region academique.
///
/// # Errors
/// [`Rejet::RegionAcademiqueInconnue`].
pub fn region_demandee(code: &str) -> Result<&'static Region, Rejet> {
    region_academique(code).ok_or_else(|| Rejet::RegionAcademiqueInconnue { code: code.to_owned() })
}

/// Names of measures as documents hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Nom {
    Effectif(&'static str),
    Rupture,
    Brute(u16),
}

/// The rows of one answer, grouped by certification and filiere.
///
/// A measure takes 16 bytes, so that the national answer (6,000 certifications) fits in a few MiB.
#[derive(Clone, Debug)]
pub struct Mesures {
    maille: Maille,
    brutes: Vec<String>,
    groupes: BTreeMap<(String, Filiere), Vec<(Nom, f64)>>,
}

impl Mesures {
    /// None yet.
    #[must_use]
    pub fn nouvelles(maille: Maille) -> Self {
        Self { maille, brutes: Vec::new(), groupes: BTreeMap::new() }
    }

    /// Takes a row.
    ///
    /// # Errors
    /// [`Rejet::FiliereInconnue`], which refuses the answer as a whole.
    pub fn ajouter(&mut self, ligne: &Document, rapport: &mut Rapport) -> Result<(), Rejet> {
        rapport.lignes += 1;
        let dimension = ligne.get("dimensions").and_then(|d| d.get(0)).and_then(Value::as_object);
        let code = |nom| dimension.and_then(|d| champ(d, nom));
        let (code, par_defaut) = match (code("id_formation_apprentissage"), code("id_mefstat11")) {
            (Some(cfd), _) => (cfd, Filiere::Apprentissage),
            (None, Some(mef)) => (mef, Filiere::Pro),
            (None, None) => {
                rapport.ignorer("sans_certification");
                return Ok(());
            }
        };
        let filiere = match champ(ligne, "filiere") {
            None => par_defaut,
            Some("apprentissage") => Filiere::Apprentissage,
            Some("voie_pro_sco_educ_nat") => Filiere::Pro,
            Some("voie_pro_sco_agri") => Filiere::Agricole,
            Some(valeur) => return Err(Rejet::FiliereInconnue { valeur: valeur.to_owned() }),
        };
        if filiere == Filiere::Agricole && self.maille == Maille::Regionale {
            rapport.ignorer("regionale_agricole");
            return Ok(());
        }
        let groupe = self.groupes.entry((code.to_owned(), filiere)).or_default();
        let mesure = champ(ligne, "id_mesure").unwrap_or_default();
        let Some(valeur) = ligne.get("valeur_mesure").and_then(Value::as_f64) else {
            rapport.ignorer("sans_valeur");
            return Ok(());
        };
        let nom = if let Some(effectif) = EFFECTIFS.into_iter().find(|e| *e == mesure) {
            Nom::Effectif(effectif)
        } else if mesure == TAUX_RUPTURE {
            Nom::Rupture
        } else if est_brute(mesure) {
            let rang = self.brutes.iter().position(|b| b == mesure).unwrap_or_else(|| {
                self.brutes.push(mesure.to_owned());
                self.brutes.len() - 1
            });
            Nom::Brute(u16::try_from(rang).unwrap_or(u16::MAX))
        } else {
            rapport.mesure_inconnue(mesure);
            return Ok(());
        };
        match groupe.iter_mut().find(|(n, _)| *n == nom) {
            Some((_, ici)) => *ici = valeur,
            None => groupe.push((nom, valeur)),
        }
        Ok(())
    }

    /// How many documents they make.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groupes.len()
    }

    /// Whether they make none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groupes.is_empty()
    }

    /// The documents, a certification and filiere each, without certification and place:
    /// `code_certification`, `filiere`, `millesime`, counts, rates, `_meta.inserjeunes`.
    ///
    /// `traiter` is the switch of treatment 5: without it nothing is filled in or computed.
    pub fn documents(self, millesime: &str, traiter: bool) -> impl Iterator<Item = Document> {
        let Self { maille, brutes, groupes } = self;
        groupes.into_iter().map(move |((code, filiere), mesures)| {
            let mut document = Document::with_capacity(32);
            document.insert("code_certification".to_owned(), code.into());
            document.insert("filiere".to_owned(), filiere.as_str().into());
            document.insert("millesime".to_owned(), millesime.into());
            let mut meta = Map::new();
            for (nom, valeur) in mesures {
                match nom {
                    Nom::Effectif(effectif) => document.insert(effectif.to_owned(), nombre(valeur)),
                    Nom::Rupture => document.insert(TAUX_RUPTURE.to_owned(), nombre(valeur)),
                    Nom::Brute(rang) => {
                        brutes.get(usize::from(rang)).and_then(|brute| meta.insert(brute.clone(), nombre(valeur)))
                    }
                };
            }
            for (brute, nom) in RENOMMEES {
                if maille == Maille::Nationale || !nom.starts_with("salaire") {
                    poser(&mut document, nom, meta.get(brute).cloned());
                }
            }
            if traiter {
                completer(&mut document);
                calculer(&mut document);
            }
            let mut inserjeunes = Map::new();
            inserjeunes.insert("inserjeunes".to_owned(), Value::Object(meta));
            document.insert("_meta".to_owned(), Value::Object(inserjeunes));
            document
        })
    }
}

fn valeur(document: &Document, nom: &str) -> Option<f64> {
    document.get(nom).and_then(Value::as_f64)
}

/// Fills in what follows from other counts.
///
/// Rule: only where `nb_annee_term` is there with `nb_sortant` or `nb_poursuite_etudes`.
/// `nb_sortant` = `nb_annee_term` − `nb_poursuite_etudes`; where everyone goes on studying nobody
/// works, so missing `nb_en_emploi_*` are 0. `nb_poursuite_etudes` is never derived: a missing one
/// may be hidden by the source.
pub fn completer(document: &mut Document) {
    let Some(effectif) = valeur(document, NB_ANNEE_TERM) else { return };
    let Some(poursuite) = valeur(document, "nb_poursuite_etudes") else { return };
    let mut poser_si_absent = |nom: &str, valeur_: f64| {
        if valeur(document, nom).is_none() {
            document.insert(nom.to_owned(), nombre(valeur_));
        }
    };
    poser_si_absent("nb_sortant", effectif - poursuite);
    #[expect(clippy::float_cmp, reason = "both are counts, exact in double precision")]
    if poursuite == effectif {
        for mois in DELAIS {
            poser_si_absent(&format!("nb_en_emploi_{mois}_mois"), 0.0);
        }
    }
}

/// Computes the rates at 12, 18 and 24 months; a missing term leaves a rate out.
///
/// Rule: `taux_en_emploi` = count / `nb_annee_term` × 100, rounded half to even; `taux_autres` =
/// what that rounded rate and `taux_en_formation` leave of 100, never below 0. The rates at 6
/// months and `taux_en_formation` are the service's own.
pub fn calculer(document: &mut Document) {
    let Some(effectif) = valeur(document, NB_ANNEE_TERM) else { return };
    for mois in [12, 18, 24] {
        let Some(emplois) = valeur(document, &format!("nb_en_emploi_{mois}_mois")) else { continue };
        let Some(en_emploi) = taux(emplois, effectif) else { continue };
        document.insert(format!("taux_en_emploi_{mois}_mois"), nombre(en_emploi));
        if let Some(formation) = valeur(document, "taux_en_formation") {
            document.insert(format!("taux_autres_{mois}_mois"), nombre(taux_autres(en_emploi, formation)));
        }
    }
}

/// The place of a statistic.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The whole country.
    France,
    /// A region.
    Region(&'static Region),
    /// An establishment of the ACCE file.
    Etablissement(&'a Acce, &'a str),
}

impl Place<'_> {
    /// The fields that documents of this place hold.
    ///
    /// # Errors
    /// Those of [`Acce::situer`].
    pub fn champs(self) -> Result<Document, Rejet> {
        let mut champs = Document::new();
        match self {
            Self::France => {}
            Self::Region(region) => {
                champs.insert("region".to_owned(), region_regionale(region));
            }
            Self::Etablissement(acce, uai) => {
                let (etablissement, lieu) = acce.situer(uai)?;
                champs.insert("uai".to_owned(), uai.into());
                poser(&mut champs, "libelle_etablissement", etablissement.libelle.as_deref());
                champs.insert("region".to_owned(), lieu.region());
                champs.insert("academie".to_owned(), lieu.academie());
            }
        }
        Ok(champs)
    }

    /// The maille of its statistics.
    #[must_use]
    pub fn maille(self) -> Maille {
        match self {
            Self::France => Maille::Nationale,
            Self::Region(_) => Maille::Regionale,
            Self::Etablissement(..) => Maille::Etablissement,
        }
    }
}

/// Treatment 5 on the measures of one answer: writes its documents, with their place and
/// certification, into the stored ones (an empty [`Collection`] where nothing is stored yet).
///
/// A certification outside the nomenclature keeps its numbers only where a document of its key was
/// delivered before; else it is rejected.
///
/// # Errors
/// Those of [`Acce::situer`]: the whole answer has no place.
pub fn livrer(
    nomenclature: &Nomenclature,
    mesures: Mesures,
    millesime: &str,
    place: Place<'_>,
    traiter: bool,
    stockes: &mut Collection,
    rapport: &mut Rapport,
) -> Result<Ecritures, Rejet> {
    let champs = place.champs()?;
    let mut ecritures = Ecritures::default();
    for mut document in mesures.documents(millesime, traiter) {
        document.extend(champs.clone());
        let Some(cle) = stockes.kind().cle(&document) else { continue };
        stockes.retirer_derivee(&cle);
        match nomenclature.part(champ(&document, "code_certification").unwrap_or_default(), false) {
            Ok(part) => document.extend(part),
            Err(_) if stockes.place(&cle).is_some() => {}
            Err(rejet) => {
                rapport.rejeter(&rejet);
                continue;
            }
        }
        if let Some(ecriture) = stockes.ecrire_livree(document) {
            ecritures.compter(ecriture);
        }
    }
    Ok(ecritures)
}

/// The distinct places of some arguments, in order: asking twice would count nothing new.
#[must_use]
pub fn distincts<'a>(codes: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut vus = BTreeSet::new();
    codes.into_iter().filter(|c| vus.insert(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ligne(mesure: &str, valeur: f64, filiere: Option<&str>, dimension: Value) -> Document {
        let mut ligne = json!({"id_mesure": mesure, "valeur_mesure": valeur, "dimensions": [dimension]});
        if let Some(filiere) = filiere {
            ligne["filiere"] = filiere.into();
        }
        ligne.as_object().unwrap().clone()
    }

    fn traiter(maille: Maille, lignes: &[Document]) -> (Vec<Value>, Rapport) {
        let mut mesures = Mesures::nouvelles(maille);
        let mut rapport = Rapport::default();
        for ligne in lignes {
            mesures.ajouter(ligne, &mut rapport).unwrap();
        }
        (mesures.documents("2020", true).map(Value::Object).collect(), rapport)
    }

    #[test]
    fn rows_become_one_document_a_certification_and_filiere() {
        let mef = json!({"id_mefstat11": "12345678900"});
        let (documents, rapport) = traiter(
            Maille::Etablissement,
            &[
                ligne("nb_annee_term", 10.0, None, mef.clone()),
                ligne("nb_poursuite_etudes", 4.0, Some("voie_pro_sco_educ_nat"), mef.clone()),
                ligne("nb_annee_term", 3.0, Some("voie_pro_sco_agri"), mef.clone()),
                ligne("nb_annee_term", 5.0, None, json!({"id_formation_apprentissage": "12345678"})),
                ligne("nb_inconnu", 5.0, None, mef),
                ligne("nb_annee_term", 5.0, None, json!({})),
            ],
        );
        assert_eq!(documents.len(), 3);
        assert_eq!(documents.iter().find(|d| d["filiere"] == "pro").unwrap()["nb_sortant"], 6);
        assert_eq!(rapport.mesures_inconnues["nb_inconnu"], 1);
        assert_eq!(rapport.ignorees["sans_certification"], 1);
    }

    #[test]
    fn an_unknown_filiere_refuses_the_answer() {
        let inconnue = ligne("nb_sortant", 1.0, Some("inconnu"), json!({"id_mefstat11": "12345678900"}));
        let refus = Mesures::nouvelles(Maille::Regionale).ajouter(&inconnue, &mut Rapport::default());
        assert_eq!(refus, Err(Rejet::FiliereInconnue { valeur: "inconnu".into() }));
    }

    #[test]
    fn salaries_are_published_nationally_only() {
        let salaire = [ligne("salaire_TS_Q1_12_mois", 1300.0, None, json!({"id_mefstat11": "12345678900"}))];
        for (maille, publie) in [(Maille::Nationale, true), (Maille::Regionale, false), (Maille::Etablissement, false)]
        {
            let (documents, _) = traiter(maille, &salaire);
            assert_eq!(documents[0].get("salaire_12_mois_q1").is_some(), publie, "{maille:?}");
            assert_eq!(documents[0]["_meta"]["inserjeunes"]["salaire_TS_Q1_12_mois"], 1300);
        }
    }

    #[test]
    fn nobody_works_where_everyone_studies() {
        let mut document = json!({"nb_annee_term": 8, "nb_poursuite_etudes": 8, "nb_en_emploi_6_mois": 1});
        let document = document.as_object_mut().unwrap();
        completer(document);
        calculer(document);
        assert_eq!(document["nb_sortant"], 0);
        assert_eq!((&document["nb_en_emploi_6_mois"], &document["nb_en_emploi_24_mois"]), (&json!(1), &json!(0)));
        assert_eq!(document["taux_en_emploi_12_mois"], 0);
        assert!(!document.contains_key("taux_autres_12_mois"), "no taux_en_formation");
    }

    /// A count of an empty group is a fault of the source. It is kept for those who check: no rate divides by 0, and the
    /// threshold hides the count.
    #[test]
    fn an_empty_group_keeps_its_counts_and_has_no_rate() {
        let cfd = || json!({"id_formation_apprentissage": "12345678"});
        let lignes = [
            ligne("nb_annee_term", 0.0, None, cfd()),
            ligne("nb_en_emploi_12_mois", 1.0, None, cfd()),
            ligne("DEVENIR_part_poursuite_etudes", 10.0, None, cfd()),
        ];
        let (documents, _) = traiter(Maille::Nationale, &lignes);
        let [document] = documents.as_slice() else { panic!("{documents:?}") };
        assert_eq!((&document["nb_annee_term"], &document["nb_en_emploi_12_mois"]), (&json!(0), &json!(1)));
        let absents = ["taux_en_emploi_12_mois", "taux_autres_12_mois"];
        assert!(absents.iter().all(|nom| document.get(nom).is_none()), "{document}");
    }

    #[test]
    fn two_regions_academiques_are_not_asked() {
        assert_eq!(regions_a_demander().count(), 17);
        assert!(region_demandee("99").is_err());
    }
}
