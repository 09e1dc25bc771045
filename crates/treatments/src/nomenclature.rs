//! Treatment 1: the certifications, from the tables of the BCN.
//!
//! Rule (contract, "Treatments" 1 and "Nomenclature"): CFDs come from V_FORMATION_DIPLOME,
//! N_FORMATION_DIPLOME and N_FORMATION_DIPLOME_ENQUETE_51, a later table wins; MEFs from N_MEF;
//! higher education from N_DIPLOME_SISE and three fictitious codes of the BUT, which the
//! statistics use before the nomenclature knows them.
//!
//! The tables are read a row at a time ([`cfd`], [`mef`], [`bcn_mef`], [`bcn_sise`]); what the
//! other treatments look up is kept in [`Nomenclature`], a few hundred bytes a certification.

use crate::ecriture::Collection;
use crate::rejet::Rejet;
use crate::texte::{champ, date, jour_utc, liste, poser, scalaire, sous_champ, valeur_date};
use domain::date::Instant;
use domain::{Document, Kind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A level of diploma: its code in the European framework, its short label in the BCN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diplome {
    /// `3` (CAP) to `7` (master), or `0`.
    pub code: String,
    /// As in `BAC PRO`.
    pub libelle: String,
}

impl Diplome {
    fn valeur(&self) -> Value {
        json!({"code": self.code, "libelle": self.libelle})
    }

    fn lire(document: &Document) -> Option<Self> {
        let lire = |nom| sous_champ(document, "diplome", nom).map(str::to_owned);
        Some(Self { code: lire("code")?, libelle: lire("libelle")? })
    }
}

/// The level that a former French level code became.
///
/// Rule: 5→3, 4→4, 3→5, 2→6, 1→7, 0→0; other codes have no level.
#[must_use]
pub fn niveau(code: &str) -> Option<&'static str> {
    match code {
        "5" => Some("3"),
        "4" => Some("4"),
        "3" => Some("5"),
        "2" => Some("6"),
        "1" => Some("7"),
        "0" => Some("0"),
        _ => None,
    }
}

/// Short labels of N_NIVEAU_FORMATION_DIPLOME, by their three characters.
#[derive(Clone, Debug, Default)]
pub struct Niveaux(HashMap<String, String>);

impl Niveaux {
    /// Takes a row.
    ///
    /// # Errors
    /// [`Rejet::ChampManquant`].
    pub fn ajouter(&mut self, ligne: &Document) -> Result<(), Rejet> {
        let code = exiger(ligne, "niveau_formation_diplome")?;
        if let Some(libelle) = champ(ligne, "libelle_court") {
            self.0.insert(code.to_owned(), libelle.to_owned());
        }
        Ok(())
    }

    /// The diploma of a CFD: its level by the first digit, its label by the first three characters.
    /// `None` unless both are found.
    #[must_use]
    pub fn diplome(&self, cfd: &str) -> Option<Diplome> {
        let code = niveau(cfd.get(..1)?)?.to_owned();
        Some(Diplome { code, libelle: self.0.get(cfd.get(..3)?)?.clone() })
    }
}

/// Types of diplomas of higher education: N_TYPE_DIPLOME_SISE.
#[derive(Clone, Debug, Default)]
pub struct TypesSise(HashMap<String, Diplome>);

impl TypesSise {
    /// Takes a row. A type without a level of the table has no diploma.
    ///
    /// # Errors
    /// [`Rejet::ChampManquant`].
    pub fn ajouter(&mut self, ligne: &Document) -> Result<(), Rejet> {
        let code = exiger(ligne, "type_diplome_sise")?;
        let lu = scalaire(ligne, "niveau_interministeriel").and_then(|n| niveau(&n));
        if let (Some(niveau), Some(libelle)) = (lu, champ(ligne, "libelle_court")) {
            self.0.insert(code.to_owned(), Diplome { code: niveau.to_owned(), libelle: libelle.to_owned() });
        }
        Ok(())
    }
}

fn exiger<'a>(ligne: &'a Document, nom: &'static str) -> Result<&'a str, Rejet> {
    champ(ligne, nom).ok_or(Rejet::ChampManquant { champ: nom })
}

/// The certification (`bcn`) of a row of one of the three formation tables.
///
/// `libelle` is the short label and the 33 characters of the statistics, `libelle_long` the 200
/// characters. Dates are days, kept as midnight UTC. Lineage lists start empty: treatment 2 fills
/// them.
///
/// # Errors
/// [`Rejet::ChampManquant`].
pub fn cfd(ligne: &Document, niveaux: &Niveaux) -> Result<Certification, Rejet> {
    let code = exiger(ligne, "formation_diplome")?.to_owned();
    let parties: Vec<&str> = ["libelle_court", "libelle_stat_33"].into_iter().filter_map(|n| champ(ligne, n)).collect();
    Ok(Certification {
        nature: Nature::Cfd,
        cfd: code.clone(),
        libelle: Some(parties.join(" ")).filter(|l| !l.is_empty()),
        libelle_long: champ(ligne, "libelle_long_200").map(str::to_owned),
        diplome: niveaux.diplome(&code),
        date_ouverture: jour_utc(ligne, "date_ouverture"),
        date_fermeture: jour_utc(ligne, "date_fermeture"),
        niveau_formation_diplome: scalaire(ligne, "niveau_formation_diplome"),
        groupe_specialite: scalaire(ligne, "groupe_specialite"),
        lettre_specialite: scalaire(ligne, "lettre_specialite"),
        code,
        ..Certification::default()
    })
}

/// The certification (`bcn`) of a row of N_MEF. Its diploma is its CFD's.
///
/// # Errors
/// [`Rejet::ChampManquant`].
pub fn mef(ligne: &Document, niveaux: &Niveaux) -> Result<Certification, Rejet> {
    let code = exiger(ligne, "mef_stat_11")?.to_owned();
    let cfd = exiger(ligne, "formation_diplome")?.to_owned();
    let libelle = champ(ligne, "libelle_long").map(str::to_owned);
    Ok(Certification {
        nature: Nature::Mef,
        code,
        libelle: libelle.clone(),
        libelle_long: libelle,
        diplome: niveaux.diplome(&cfd),
        date_ouverture: jour_utc(ligne, "date_ouverture"),
        date_fermeture: jour_utc(ligne, "date_fermeture"),
        cfd,
        ..Certification::default()
    })
}

/// Columns of N_MEF that documents keep, and their names there.
const COLONNES_MEF: [(&str, &str); 19] = [
    ("mef_stat_11", "mef_stat_11"),
    ("mef", "mef"),
    ("dispositif_formation", "dispositif_formation"),
    ("formation_diplome", "formation_diplome"),
    ("duree_dispositif", "duree_dispositif"),
    ("annee_dispositif", "annee_dispositif"),
    ("libelle_court", "libelle_court"),
    ("libelle_long", "libelle_long"),
    ("statut_mef", "statut_mef"),
    ("nb_option_obligatoire", "nb_option_obligatoire"),
    ("nb_option_facultatif", "nb_option_facultatif"),
    ("renforcement_langue", "renforcement_langue"),
    ("duree_projet", "duree_projet"),
    ("duree_stage", "duree_stage"),
    ("horaire", "horaire"),
    ("mef_inscription_scolarite", "mef_inscription_scolarite"),
    ("mef_stat_9", "mef_stat_9"),
    ("libelle_edition", "libelle_edition"),
    ("n_commentaire", "commentaire"),
];

/// Columns of N_DIPLOME_SISE that documents keep.
const COLONNES_SISE: [&str; 15] = [
    "diplome_sise",
    "type_diplome_sise",
    "voie_lmd",
    "domaine_formation",
    "libelle_intitule_1",
    "libelle_intitule_2",
    "groupe_specialite",
    "lettre_specialite",
    "secteur_disciplinaire_sise",
    "cite_domaine_formation",
    "duree",
    "nature_diplome_sise",
    "definitif",
    "cite_domaine_detaille",
    "secteur_discipl_detail_sise",
];

const DATES: [&str; 3] = ["date_ouverture", "date_fermeture", "date_intervention"];

/// The `bcn_mef` document of a row of N_MEF: the same columns, values as text, nulls left out.
///
/// # Errors
/// [`Rejet::ChampManquant`].
pub fn bcn_mef(ligne: &Document) -> Result<Document, Rejet> {
    exiger(ligne, "mef_stat_11")?;
    let mut document = Document::new();
    for (colonne, nom) in COLONNES_MEF {
        poser(&mut document, nom, scalaire(ligne, colonne));
    }
    for nom in DATES {
        poser(&mut document, nom, jour_utc(ligne, nom).map(valeur_date));
    }
    Ok(document)
}

/// The `bcn_sise` document of a row of N_DIPLOME_SISE, with its diploma by its type.
///
/// # Errors
/// [`Rejet::ChampManquant`].
pub fn bcn_sise(ligne: &Document, types: &TypesSise) -> Result<Document, Rejet> {
    exiger(ligne, "diplome_sise")?;
    let mut document = Document::new();
    for nom in COLONNES_SISE {
        poser(&mut document, nom, scalaire(ligne, nom));
    }
    for nom in DATES {
        poser(&mut document, nom, jour_utc(ligne, nom).map(valeur_date));
    }
    let diplome = scalaire(ligne, "type_diplome_sise").and_then(|t| types.0.get(&t));
    poser(&mut document, "diplome", diplome.map(Diplome::valeur));
    Ok(document)
}

/// Rows of N_DIPLOME_SISE that the statistics use and the nomenclature does not know: the BUT.
///
/// Columns: code, label, speciality group and letter, sector, fields of education.
const BUT: [[&str; 7]; 3] = [
    ["0000001", "CARRIERES SOCIALES", "335", "M", "35", "760", "0923"],
    ["0000002", "INFORMATION-COMMUNICATION", "320", "M", "35", "320", "0322"],
    ["0000003", "GENIE BIOLOGIQUE", "331", "R", "06", "722", "0915"],
];

/// The three fictitious rows, to be read after those of the table.
#[must_use]
pub fn lignes_but() -> Vec<Document> {
    let ligne = |[code, libelle, groupe, lettre, secteur, domaine, detail]: [&str; 7]| {
        let mut ligne = Document::new();
        for (nom, valeur) in [
            ("diplome_sise", code),
            ("type_diplome_sise", "DR"),
            ("libelle_intitule_1", libelle),
            ("groupe_specialite", groupe),
            ("lettre_specialite", lettre),
            ("secteur_disciplinaire_sise", secteur),
            ("secteur_discipl_detail_sise", secteur),
            ("cite_domaine_formation", domaine),
            ("cite_domaine_detaille", detail),
            ("definitif", "O"),
            ("date_ouverture", "2021-09-01"),
            ("date_intervention", "2021-09-01"),
        ] {
            ligne.insert(nom.to_owned(), valeur.into());
        }
        ligne
    };
    BUT.into_iter().map(ligne).collect()
}

/// CFD or MEF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nature {
    /// A diploma: code formation diplome.
    #[default]
    Cfd,
    /// A year of a course that leads to it: module elementaire de formation.
    Mef,
}

impl Nature {
    /// The `type` of `bcn` documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cfd => "cfd",
            Self::Mef => "mef",
        }
    }

    /// The `code_certification_type` of statistics.
    #[must_use]
    pub fn type_certification(self) -> &'static str {
        match self {
            Self::Cfd => "cfd",
            Self::Mef => "mef11",
        }
    }
}

/// The famille de metiers of a certification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Famille {
    /// Code of the group, as in `G0005`.
    pub code: String,
    /// Its label, as in `Relation client`.
    pub libelle: String,
    /// Whether the certification is the first year that all its specialities share.
    pub annee_commune: bool,
}

impl Famille {
    fn valeur(&self) -> Value {
        json!({"code": self.code, "libelle": self.libelle, "isAnneeCommune": self.annee_commune})
    }

    fn lire(document: &Document) -> Option<Self> {
        let lire = |nom| sous_champ(document, "familleMetier", nom).map(str::to_owned);
        let annee_commune = document.get("familleMetier")?.get("isAnneeCommune").and_then(Value::as_bool);
        Some(Self {
            code: lire("code")?,
            libelle: lire("libelle").unwrap_or_default(),
            annee_commune: annee_commune.unwrap_or_default(),
        })
    }
}

/// A certification of the nomenclature (`bcn`). Missing values are unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certification {
    /// CFD or MEF.
    pub nature: Nature,
    /// Eight characters for a CFD, eleven for a MEF.
    pub code: String,
    /// The CFD: its own, or that of the MEF.
    pub cfd: String,
    /// Short label.
    pub libelle: Option<String>,
    /// Long label.
    pub libelle_long: Option<String>,
    /// Long label of the nearest older diploma that was named otherwise (treatment 3).
    pub libelle_long_ancien: Option<String>,
    /// Level and label of the diploma.
    pub diplome: Option<Diplome>,
    /// First day.
    pub date_ouverture: Option<Instant>,
    /// Last day.
    pub date_fermeture: Option<Instant>,
    /// Famille de metiers (treatment 4).
    pub famille: Option<Famille>,
    /// Codes it replaced (treatment 2).
    pub anciens: Vec<String>,
    /// Codes that replaced it (treatment 2).
    pub nouveaux: Vec<String>,
    /// Year of the first session.
    pub premiere_session: Option<String>,
    /// Year of the last session.
    pub derniere_session: Option<String>,
    /// First three characters of a CFD.
    pub niveau_formation_diplome: Option<String>,
    /// Group of specialities.
    pub groupe_specialite: Option<String>,
    /// Letter of the speciality.
    pub lettre_specialite: Option<String>,
}

impl Certification {
    /// Reads a stored `bcn` document. `None` without a code.
    #[must_use]
    pub fn lire(document: &Document) -> Option<Self> {
        let code = champ(document, "code_certification")?.to_owned();
        let mef = champ(document, "type").map_or(code.len() == 11, |t| t == "mef");
        let texte = |nom| champ(document, nom).map(str::to_owned);
        Some(Self {
            nature: if mef { Nature::Mef } else { Nature::Cfd },
            cfd: texte("code_formation_diplome").unwrap_or_else(|| code.clone()),
            code,
            libelle: texte("libelle"),
            libelle_long: texte("libelle_long"),
            libelle_long_ancien: texte("libelle_long_ancien"),
            diplome: Diplome::lire(document),
            date_ouverture: date(document, "date_ouverture"),
            date_fermeture: date(document, "date_fermeture"),
            famille: Famille::lire(document),
            anciens: liste(document, "ancien_diplome"),
            nouveaux: liste(document, "nouveau_diplome"),
            premiere_session: scalaire(document, "date_premiere_session"),
            derniere_session: scalaire(document, "date_derniere_session"),
            niveau_formation_diplome: texte("niveauFormationDiplome"),
            groupe_specialite: texte("groupeSpecialite"),
            lettre_specialite: texte("lettreSpecialite"),
        })
    }

    /// Its `bcn` document.
    #[must_use]
    pub fn document(&self) -> Document {
        let mut d = Document::new();
        d.insert("type".into(), self.nature.as_str().into());
        d.insert("code_certification".into(), self.code.as_str().into());
        d.insert("code_formation_diplome".into(), self.cfd.as_str().into());
        poser(&mut d, "libelle", self.libelle.as_deref());
        poser(&mut d, "libelle_long", self.libelle_long.as_deref());
        poser(&mut d, "libelle_long_ancien", self.libelle_long_ancien.as_deref());
        poser(&mut d, "diplome", self.diplome.as_ref().map(Diplome::valeur));
        poser(&mut d, "date_ouverture", self.date_ouverture.map(valeur_date));
        poser(&mut d, "date_fermeture", self.date_fermeture.map(valeur_date));
        poser(&mut d, "familleMetier", self.famille.as_ref().map(Famille::valeur));
        d.insert("ancien_diplome".into(), self.anciens.clone().into());
        d.insert("nouveau_diplome".into(), self.nouveaux.clone().into());
        poser(&mut d, "date_premiere_session", self.premiere_session.as_deref());
        poser(&mut d, "date_derniere_session", self.derniere_session.as_deref());
        poser(&mut d, "niveauFormationDiplome", self.niveau_formation_diplome.as_deref());
        poser(&mut d, "groupeSpecialite", self.groupe_specialite.as_deref());
        poser(&mut d, "lettreSpecialite", self.lettre_specialite.as_deref());
        d
    }

    /// The part of a statistic that says what its certification is.
    ///
    /// Rule: contract, "Keys and writing", certification part.
    #[must_use]
    pub fn part(&self) -> Document {
        let mut d = Document::new();
        d.insert("code_certification_type".into(), self.nature.type_certification().into());
        d.insert("code_formation_diplome".into(), self.cfd.as_str().into());
        poser(&mut d, "libelle", self.libelle_long.as_deref());
        poser(&mut d, "libelle_ancien", self.libelle_long_ancien.as_deref());
        poser(&mut d, "diplome", self.diplome.as_ref().map(Diplome::valeur));
        poser(&mut d, "date_fermeture", self.date_fermeture.map(valeur_date));
        poser(&mut d, "familleMetier", self.famille.as_ref().map(Famille::valeur));
        d
    }

    /// Takes over what a later table or a newer import says: missing values change nothing, and
    /// neither do the empty lineage lists of a certification that is new there.
    fn fusionner(&mut self, apport: Self) {
        fn prendre<T>(ici: &mut Option<T>, apport: Option<T>) {
            if apport.is_some() {
                *ici = apport;
            }
        }
        self.nature = apport.nature;
        self.cfd = apport.cfd;
        prendre(&mut self.libelle, apport.libelle);
        prendre(&mut self.libelle_long, apport.libelle_long);
        prendre(&mut self.libelle_long_ancien, apport.libelle_long_ancien);
        prendre(&mut self.diplome, apport.diplome);
        prendre(&mut self.date_ouverture, apport.date_ouverture);
        prendre(&mut self.date_fermeture, apport.date_fermeture);
        prendre(&mut self.famille, apport.famille);
        prendre(&mut self.premiere_session, apport.premiere_session);
        prendre(&mut self.derniere_session, apport.derniere_session);
        prendre(&mut self.niveau_formation_diplome, apport.niveau_formation_diplome);
        prendre(&mut self.groupe_specialite, apport.groupe_specialite);
        prendre(&mut self.lettre_specialite, apport.lettre_specialite);
        if !apport.anciens.is_empty() {
            self.anciens = apport.anciens;
        }
        if !apport.nouveaux.is_empty() {
            self.nouveaux = apport.nouveaux;
        }
    }
}

/// A certification of higher education (`bcn_sise`), as far as statistics need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sise {
    /// `libelle_intitule_1`.
    pub libelle: Option<String>,
    /// Level and label.
    pub diplome: Option<Diplome>,
    /// Last day.
    pub date_fermeture: Option<Instant>,
}

impl Sise {
    /// The part of a statistic that says what its certification is.
    #[must_use]
    pub fn part(&self) -> Document {
        let mut d = Document::new();
        d.insert("code_certification_type".into(), "sise".into());
        poser(&mut d, "libelle", self.libelle.as_deref());
        poser(&mut d, "diplome", self.diplome.as_ref().map(Diplome::valeur));
        poser(&mut d, "date_fermeture", self.date_fermeture.map(valeur_date));
        d
    }
}

/// What the treatments need of a row of N_MEF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LigneMef {
    pub(crate) dispositif: Option<String>,
    pub(crate) annee: Option<String>,
}

/// The nomenclature in memory: certifications, rows of N_MEF, higher education.
///
/// About 400 bytes a certification: 18,000 of them take 10 MiB.
#[derive(Clone, Debug, Default)]
pub struct Nomenclature {
    certifications: Vec<Certification>,
    par_code: HashMap<String, usize>,
    mefs_par_cfd: HashMap<String, BTreeSet<String>>,
    lignes_mef: HashMap<String, LigneMef>,
    lignes_mef_par_cfd: HashMap<String, BTreeSet<String>>,
    sise: HashMap<String, Sise>,
}

impl Nomenclature {
    /// From stored documents of the kinds `bcn`, `bcn_mef` and `bcn_sise`.
    #[must_use]
    pub fn de<'a>(
        bcn: impl IntoIterator<Item = &'a Document>,
        bcn_mef: impl IntoIterator<Item = &'a Document>,
        bcn_sise: impl IntoIterator<Item = &'a Document>,
    ) -> Self {
        let mut nomenclature = Self::default();
        for document in bcn {
            if let Some(certification) = Certification::lire(document) {
                nomenclature.ajouter(certification);
            }
        }
        bcn_mef.into_iter().for_each(|d| nomenclature.ajouter_ligne_mef(d));
        bcn_sise.into_iter().for_each(|d| nomenclature.ajouter_sise(d));
        nomenclature
    }

    /// Adds a certification, or merges it into the one of its code. Says whether it is new.
    pub fn ajouter(&mut self, certification: Certification) -> bool {
        if certification.nature == Nature::Mef {
            let mefs = self.mefs_par_cfd.entry(certification.cfd.clone()).or_default();
            mefs.insert(certification.code.clone());
        }
        let place = self.par_code.get(&certification.code).copied();
        if let Some(ici) = place.and_then(|p| self.certifications.get_mut(p)) {
            if ici.nature == Nature::Mef
                && ici.cfd != certification.cfd
                && let Some(mefs) = self.mefs_par_cfd.get_mut(&ici.cfd)
            {
                mefs.remove(&ici.code);
            }
            ici.fusionner(certification);
            return false;
        }
        self.par_code.insert(certification.code.clone(), self.certifications.len());
        self.certifications.push(certification);
        true
    }

    /// Takes a stored `bcn_mef` document (or a row of N_MEF: the columns have the same names).
    pub fn ajouter_ligne_mef(&mut self, document: &Document) {
        let Some(code) = champ(document, "mef_stat_11") else { return };
        let ligne = self.lignes_mef.entry(code.to_owned()).or_default();
        ligne.dispositif = scalaire(document, "dispositif_formation").or(ligne.dispositif.take());
        ligne.annee = scalaire(document, "annee_dispositif").or(ligne.annee.take());
        if let Some(cfd) = champ(document, "formation_diplome") {
            self.lignes_mef_par_cfd.entry(cfd.to_owned()).or_default().insert(code.to_owned());
        }
    }

    /// Takes a stored `bcn_sise` document.
    pub fn ajouter_sise(&mut self, document: &Document) {
        let Some(code) = champ(document, "diplome_sise") else { return };
        let sise = Sise {
            libelle: champ(document, "libelle_intitule_1").map(str::to_owned),
            diplome: Diplome::lire(document),
            date_fermeture: date(document, "date_fermeture"),
        };
        self.sise.insert(code.to_owned(), sise);
    }

    /// All certifications, in the order they came.
    pub fn certifications(&self) -> impl Iterator<Item = &Certification> {
        self.certifications.iter()
    }

    /// A certification.
    #[must_use]
    pub fn certification(&self, code: &str) -> Option<&Certification> {
        self.certifications.get(*self.par_code.get(code)?)
    }

    pub(crate) fn certification_mut(&mut self, code: &str) -> Option<&mut Certification> {
        self.certifications.get_mut(*self.par_code.get(code)?)
    }

    /// A certification of higher education.
    #[must_use]
    pub fn sise(&self, code: &str) -> Option<&Sise> {
        self.sise.get(code)
    }

    /// How many certifications of higher education.
    #[must_use]
    pub fn nombre_de_sise(&self) -> usize {
        self.sise.len()
    }

    /// The MEFs of a CFD among the certifications, in order of codes.
    pub fn mefs(&self, cfd: &str) -> impl Iterator<Item = &str> {
        self.mefs_par_cfd.get(cfd).into_iter().flatten().map(String::as_str)
    }

    /// The rows of N_MEF of a CFD, in order of codes: MEF and year of the course.
    pub fn annees(&self, cfd: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
        let codes = self.lignes_mef_par_cfd.get(cfd).into_iter().flatten();
        codes.map(|code| (code.as_str(), self.lignes_mef.get(code).and_then(|l| l.annee.as_deref())))
    }

    pub(crate) fn dispositif(&self, mef: &str) -> Option<&str> {
        self.lignes_mef.get(mef)?.dispositif.as_deref()
    }

    /// The certification part of a statistic, from `bcn`, else from `bcn_sise`.
    ///
    /// # Errors
    /// [`Rejet::CertificationInconnue`].
    pub fn part(&self, code: &str, superieur: bool) -> Result<Document, Rejet> {
        let part =
            if superieur { self.sise(code).map(Sise::part) } else { self.certification(code).map(Certification::part) };
        part.ok_or_else(|| Rejet::CertificationInconnue { code: code.to_owned() })
    }

    /// Codes of the certifications of each famille de metiers that are its shared first year.
    #[must_use]
    pub fn annees_communes(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut familles: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for certification in &self.certifications {
            if let Some(famille) = certification.famille.as_ref().filter(|f| f.annee_commune) {
                familles.entry(&famille.code).or_default().push(&certification.code);
            }
        }
        familles
    }
}

/// Treatment 1 on whole tables, for those who hold them: the three formation tables in their
/// order, then N_MEF. Rows without a code are refused with their reason.
pub fn nomenclature(
    niveaux: &Niveaux,
    formations: impl IntoIterator<Item = Document>,
    mefs: impl IntoIterator<Item = Document>,
    rapport: &mut crate::Rapport,
) -> Nomenclature {
    let mut nomenclature = Nomenclature::default();
    let mut ajouter = |nomenclature: &mut Nomenclature, certification: Result<Certification, Rejet>| {
        rapport.lignes += 1;
        match certification {
            Ok(certification) => {
                nomenclature.ajouter(certification);
            }
            Err(rejet) => rapport.rejeter(&rejet),
        }
    };
    for ligne in formations {
        ajouter(&mut nomenclature, cfd(&ligne, niveaux));
    }
    for ligne in mefs {
        nomenclature.ajouter_ligne_mef(&ligne);
        ajouter(&mut nomenclature, mef(&ligne, niveaux));
    }
    nomenclature
}

/// The stored documents of a nomenclature, in order.
#[must_use]
pub fn collection(nomenclature: &Nomenclature) -> Collection {
    Collection::de(Kind::Bcn, nomenclature.certifications().map(Certification::document))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ligne(valeur: Value) -> Document {
        valeur.as_object().unwrap().clone()
    }

    fn niveaux() -> Niveaux {
        let mut niveaux = Niveaux::default();
        niveaux.ajouter(&ligne(json!({"niveau_formation_diplome": "400", "libelle_court": "BAC PRO"}))).unwrap();
        niveaux.ajouter(&ligne(json!({"niveau_formation_diplome": "900", "libelle_court": "AUTRE"}))).unwrap();
        niveaux
    }

    #[test]
    fn a_diploma_needs_a_level_and_a_label() {
        let niveaux = niveaux();
        assert_eq!(niveaux.diplome("40023203").unwrap().code, "4");
        assert_eq!(niveaux.diplome("40123203"), None, "no label");
        assert_eq!(niveaux.diplome("90023203"), None, "no level");
    }

    #[test]
    fn a_later_table_wins_and_its_gaps_change_nothing() {
        let premiere = ligne(
            json!({"formation_diplome": "40023203", "libelle_court": "BAC", "libelle_long_200": "A", "date_ouverture": "2022-07-31 00:00:00"}),
        );
        let seconde = ligne(json!({"formation_diplome": "40023203", "libelle_long_200": "B", "date_ouverture": null}));
        let nomenclature =
            nomenclature(&niveaux(), [premiere, seconde, Document::new()], [], &mut crate::Rapport::default());
        let certification = nomenclature.certification("40023203").unwrap();
        assert_eq!(certification.libelle_long.as_deref(), Some("B"));
        assert_eq!(certification.libelle.as_deref(), Some("BAC"));
        assert!(certification.date_ouverture.is_some());
    }

    #[test]
    fn a_certification_survives_its_document() {
        let mut certification =
            cfd(&ligne(json!({"formation_diplome": "40023203", "libelle_court": "BAC"})), &niveaux()).unwrap();
        certification.famille = Some(Famille { code: "G1".into(), libelle: "F".into(), annee_commune: true });
        certification.anciens = vec!["40023202".into()];
        assert_eq!(Certification::lire(&certification.document()).as_ref(), Some(&certification));
    }
}
