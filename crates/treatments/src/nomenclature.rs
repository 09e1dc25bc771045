//! Treatment 1: the certifications, from the tables of the BCN.
//!
//! Rule (contract, "Treatments" 1 and "Nomenclature"): CFDs come from V_FORMATION_DIPLOME,
//! N_FORMATION_DIPLOME and N_FORMATION_DIPLOME_ENQUETE_51, a later table wins; MEFs from N_MEF;
//! higher education from N_DIPLOME_SISE and three fictitious codes of the BUT, which the
//! statistics use before the nomenclature knows them.
//!
//! The tables are read a row at a time ([`cfd`], [`mef`], [`bcn_mef`], [`bcn_sise`]); what the
//! other treatments look up is kept in [`Nomenclature`], a few hundred bytes a certification.

use crate::rejection::Rejection;
use crate::text::{date, date_value, day_utc, field, list, put, scalar, sub_field};
use crate::writing::Collection;
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
    fn value(&self) -> Value {
        json!({"code": self.code, "libelle": self.libelle})
    }

    fn read(document: &Document) -> Option<Self> {
        let read = |name| sub_field(document, "diplome", name).map(str::to_owned);
        Some(Self { code: read("code")?, libelle: read("libelle")? })
    }
}

/// The level that a former French level code became.
///
/// Rule: 5→3, 4→4, 3→5, 2→6, 1→7, 0→0; other codes have no level.
#[must_use]
pub fn level(code: &str) -> Option<&'static str> {
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
pub struct Levels(HashMap<String, String>);

impl Levels {
    /// Takes a row.
    ///
    /// # Errors
    /// [`Rejection::MissingField`].
    pub fn add(&mut self, row: &Document) -> Result<(), Rejection> {
        let code = require(row, "niveau_formation_diplome")?;
        if let Some(libelle) = field(row, "libelle_court") {
            self.0.insert(code.to_owned(), libelle.to_owned());
        }
        Ok(())
    }

    /// The diploma of a CFD: its level by the first digit, its label by the first three characters.
    /// `None` unless both are found.
    #[must_use]
    pub fn diplome(&self, cfd: &str) -> Option<Diplome> {
        let code = level(cfd.get(..1)?)?.to_owned();
        Some(Diplome { code, libelle: self.0.get(cfd.get(..3)?)?.clone() })
    }
}

/// Types of diplomas of higher education: N_TYPE_DIPLOME_SISE.
#[derive(Clone, Debug, Default)]
pub struct SiseTypes(HashMap<String, Diplome>);

impl SiseTypes {
    /// Takes a row. A type without a level of the table has no diploma.
    ///
    /// # Errors
    /// [`Rejection::MissingField`].
    pub fn add(&mut self, row: &Document) -> Result<(), Rejection> {
        let code = require(row, "type_diplome_sise")?;
        let read = scalar(row, "niveau_interministeriel").and_then(|n| level(&n));
        if let (Some(level), Some(libelle)) = (read, field(row, "libelle_court")) {
            self.0.insert(code.to_owned(), Diplome { code: level.to_owned(), libelle: libelle.to_owned() });
        }
        Ok(())
    }
}

fn require<'a>(row: &'a Document, name: &'static str) -> Result<&'a str, Rejection> {
    field(row, name).ok_or(Rejection::MissingField { field: name })
}

/// The certification (`bcn`) of a row of one of the three formation tables.
///
/// `libelle` is the short label and the 33 characters of the statistics, `libelle_long` the 200
/// characters. Dates are days, kept as midnight UTC. Lineage lists start empty: treatment 2 fills
/// them.
///
/// # Errors
/// [`Rejection::MissingField`].
pub fn cfd(row: &Document, levels: &Levels) -> Result<Certification, Rejection> {
    let code = require(row, "formation_diplome")?.to_owned();
    let parts: Vec<&str> = ["libelle_court", "libelle_stat_33"].into_iter().filter_map(|n| field(row, n)).collect();
    Ok(Certification {
        nature: Nature::Cfd,
        cfd: code.clone(),
        libelle: Some(parts.join(" ")).filter(|l| !l.is_empty()),
        libelle_long: field(row, "libelle_long_200").map(str::to_owned),
        diplome: levels.diplome(&code),
        opening_date: day_utc(row, "date_ouverture"),
        closing_date: day_utc(row, "date_fermeture"),
        niveau_formation_diplome: scalar(row, "niveau_formation_diplome"),
        specialty_group: scalar(row, "groupe_specialite"),
        specialty_letter: scalar(row, "lettre_specialite"),
        code,
        ..Certification::default()
    })
}

/// The certification (`bcn`) of a row of N_MEF. Its diploma is its CFD's.
///
/// # Errors
/// [`Rejection::MissingField`].
pub fn mef(row: &Document, levels: &Levels) -> Result<Certification, Rejection> {
    let code = require(row, "mef_stat_11")?.to_owned();
    let cfd = require(row, "formation_diplome")?.to_owned();
    let libelle = field(row, "libelle_long").map(str::to_owned);
    Ok(Certification {
        nature: Nature::Mef,
        code,
        libelle: libelle.clone(),
        libelle_long: libelle,
        diplome: levels.diplome(&cfd),
        opening_date: day_utc(row, "date_ouverture"),
        closing_date: day_utc(row, "date_fermeture"),
        cfd,
        ..Certification::default()
    })
}

/// Columns of N_MEF that documents keep, and their names there.
const MEF_COLUMNS: [(&str, &str); 19] = [
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
const SISE_COLUMNS: [&str; 15] = [
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
/// [`Rejection::MissingField`].
pub fn bcn_mef(row: &Document) -> Result<Document, Rejection> {
    require(row, "mef_stat_11")?;
    let mut document = Document::new();
    for (column, name) in MEF_COLUMNS {
        put(&mut document, name, scalar(row, column));
    }
    for name in DATES {
        put(&mut document, name, day_utc(row, name).map(date_value));
    }
    Ok(document)
}

/// The `bcn_sise` document of a row of N_DIPLOME_SISE, with its diploma by its type.
///
/// # Errors
/// [`Rejection::MissingField`].
pub fn bcn_sise(row: &Document, types: &SiseTypes) -> Result<Document, Rejection> {
    require(row, "diplome_sise")?;
    let mut document = Document::new();
    for name in SISE_COLUMNS {
        put(&mut document, name, scalar(row, name));
    }
    for name in DATES {
        put(&mut document, name, day_utc(row, name).map(date_value));
    }
    let diplome = scalar(row, "type_diplome_sise").and_then(|t| types.0.get(&t));
    put(&mut document, "diplome", diplome.map(Diplome::value));
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
pub fn but_rows() -> Vec<Document> {
    let row = |[code, libelle, group, letter, sector, domain, detail]: [&str; 7]| {
        let mut row = Document::new();
        for (name, value) in [
            ("diplome_sise", code),
            ("type_diplome_sise", "DR"),
            ("libelle_intitule_1", libelle),
            ("groupe_specialite", group),
            ("lettre_specialite", letter),
            ("secteur_disciplinaire_sise", sector),
            ("secteur_discipl_detail_sise", sector),
            ("cite_domaine_formation", domain),
            ("cite_domaine_detaille", detail),
            ("definitif", "O"),
            ("date_ouverture", "2021-09-01"),
            ("date_intervention", "2021-09-01"),
        ] {
            row.insert(name.to_owned(), value.into());
        }
        row
    };
    BUT.into_iter().map(row).collect()
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
pub struct FamilleMetier {
    /// Code of the group, as in `G0005`.
    pub code: String,
    /// Its label, as in `Relation client`.
    pub libelle: String,
    /// Whether the certification is the first year that all its specialities share.
    pub annee_commune: bool,
}

impl FamilleMetier {
    fn value(&self) -> Value {
        json!({"code": self.code, "libelle": self.libelle, "isAnneeCommune": self.annee_commune})
    }

    fn read(document: &Document) -> Option<Self> {
        let read = |name| sub_field(document, "familleMetier", name).map(str::to_owned);
        let annee_commune = document.get("familleMetier")?.get("isAnneeCommune").and_then(Value::as_bool);
        Some(Self {
            code: read("code")?,
            libelle: read("libelle").unwrap_or_default(),
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
    pub old_long_libelle: Option<String>,
    /// Level and label of the diploma.
    pub diplome: Option<Diplome>,
    /// First day.
    pub opening_date: Option<Instant>,
    /// Last day.
    pub closing_date: Option<Instant>,
    /// Famille de metiers (treatment 4).
    pub famille_metier: Option<FamilleMetier>,
    /// Codes it replaced (treatment 2).
    pub old_codes: Vec<String>,
    /// Codes that replaced it (treatment 2).
    pub new_ones: Vec<String>,
    /// Year of the first session.
    pub first_session: Option<String>,
    /// Year of the last session.
    pub last_session: Option<String>,
    /// First three characters of a CFD.
    pub niveau_formation_diplome: Option<String>,
    /// Group of specialities.
    pub specialty_group: Option<String>,
    /// Letter of the speciality.
    pub specialty_letter: Option<String>,
}

impl Certification {
    /// Reads a stored `bcn` document. `None` without a code.
    #[must_use]
    pub fn read(document: &Document) -> Option<Self> {
        let code = field(document, "code_certification")?.to_owned();
        let mef = field(document, "type").map_or(code.len() == 11, |t| t == "mef");
        let text = |name| field(document, name).map(str::to_owned);
        Some(Self {
            nature: if mef { Nature::Mef } else { Nature::Cfd },
            cfd: text("code_formation_diplome").unwrap_or_else(|| code.clone()),
            code,
            libelle: text("libelle"),
            libelle_long: text("libelle_long"),
            old_long_libelle: text("libelle_long_ancien"),
            diplome: Diplome::read(document),
            opening_date: date(document, "date_ouverture"),
            closing_date: date(document, "date_fermeture"),
            famille_metier: FamilleMetier::read(document),
            old_codes: list(document, "ancien_diplome"),
            new_ones: list(document, "nouveau_diplome"),
            first_session: scalar(document, "date_premiere_session"),
            last_session: scalar(document, "date_derniere_session"),
            niveau_formation_diplome: text("niveauFormationDiplome"),
            specialty_group: text("groupeSpecialite"),
            specialty_letter: text("lettreSpecialite"),
        })
    }

    /// Its `bcn` document.
    #[must_use]
    pub fn document(&self) -> Document {
        let mut d = Document::new();
        d.insert("type".into(), self.nature.as_str().into());
        d.insert("code_certification".into(), self.code.as_str().into());
        d.insert("code_formation_diplome".into(), self.cfd.as_str().into());
        put(&mut d, "libelle", self.libelle.as_deref());
        put(&mut d, "libelle_long", self.libelle_long.as_deref());
        put(&mut d, "libelle_long_ancien", self.old_long_libelle.as_deref());
        put(&mut d, "diplome", self.diplome.as_ref().map(Diplome::value));
        put(&mut d, "date_ouverture", self.opening_date.map(date_value));
        put(&mut d, "date_fermeture", self.closing_date.map(date_value));
        put(&mut d, "familleMetier", self.famille_metier.as_ref().map(FamilleMetier::value));
        d.insert("ancien_diplome".into(), self.old_codes.clone().into());
        d.insert("nouveau_diplome".into(), self.new_ones.clone().into());
        put(&mut d, "date_premiere_session", self.first_session.as_deref());
        put(&mut d, "date_derniere_session", self.last_session.as_deref());
        put(&mut d, "niveauFormationDiplome", self.niveau_formation_diplome.as_deref());
        put(&mut d, "groupeSpecialite", self.specialty_group.as_deref());
        put(&mut d, "lettreSpecialite", self.specialty_letter.as_deref());
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
        put(&mut d, "libelle", self.libelle_long.as_deref());
        put(&mut d, "libelle_ancien", self.old_long_libelle.as_deref());
        put(&mut d, "diplome", self.diplome.as_ref().map(Diplome::value));
        put(&mut d, "date_fermeture", self.closing_date.map(date_value));
        put(&mut d, "familleMetier", self.famille_metier.as_ref().map(FamilleMetier::value));
        d
    }

    /// Takes over what a later table or a newer import says: missing values change nothing, and
    /// neither do the empty lineage lists of a certification that is new there.
    fn merge(&mut self, incoming: Self) {
        fn take<T>(here: &mut Option<T>, incoming: Option<T>) {
            if incoming.is_some() {
                *here = incoming;
            }
        }
        self.nature = incoming.nature;
        self.cfd = incoming.cfd;
        take(&mut self.libelle, incoming.libelle);
        take(&mut self.libelle_long, incoming.libelle_long);
        take(&mut self.old_long_libelle, incoming.old_long_libelle);
        take(&mut self.diplome, incoming.diplome);
        take(&mut self.opening_date, incoming.opening_date);
        take(&mut self.closing_date, incoming.closing_date);
        take(&mut self.famille_metier, incoming.famille_metier);
        take(&mut self.first_session, incoming.first_session);
        take(&mut self.last_session, incoming.last_session);
        take(&mut self.niveau_formation_diplome, incoming.niveau_formation_diplome);
        take(&mut self.specialty_group, incoming.specialty_group);
        take(&mut self.specialty_letter, incoming.specialty_letter);
        if !incoming.old_codes.is_empty() {
            self.old_codes = incoming.old_codes;
        }
        if !incoming.new_ones.is_empty() {
            self.new_ones = incoming.new_ones;
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
    pub closing_date: Option<Instant>,
}

impl Sise {
    /// The part of a statistic that says what its certification is.
    #[must_use]
    pub fn part(&self) -> Document {
        let mut d = Document::new();
        d.insert("code_certification_type".into(), "sise".into());
        put(&mut d, "libelle", self.libelle.as_deref());
        put(&mut d, "diplome", self.diplome.as_ref().map(Diplome::value));
        put(&mut d, "date_fermeture", self.closing_date.map(date_value));
        d
    }
}

/// What the treatments need of a row of N_MEF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MefRow {
    pub(crate) scheme: Option<String>,
    pub(crate) year: Option<String>,
}

/// The nomenclature in memory: certifications, rows of N_MEF, higher education.
///
/// About 400 bytes a certification: 18,000 of them take 10 MiB.
#[derive(Clone, Debug, Default)]
pub struct Nomenclature {
    certifications: Vec<Certification>,
    by_code: HashMap<String, usize>,
    mefs_by_cfd: HashMap<String, BTreeSet<String>>,
    mef_rows: HashMap<String, MefRow>,
    mef_rows_by_cfd: HashMap<String, BTreeSet<String>>,
    sise: HashMap<String, Sise>,
}

impl Nomenclature {
    /// From stored documents of the kinds `bcn`, `bcn_mef` and `bcn_sise`.
    #[must_use]
    pub fn of<'a>(
        bcn: impl IntoIterator<Item = &'a Document>,
        bcn_mef: impl IntoIterator<Item = &'a Document>,
        bcn_sise: impl IntoIterator<Item = &'a Document>,
    ) -> Self {
        let mut nomenclature = Self::default();
        for document in bcn {
            if let Some(certification) = Certification::read(document) {
                nomenclature.add(certification);
            }
        }
        bcn_mef.into_iter().for_each(|d| nomenclature.add_mef_row(d));
        bcn_sise.into_iter().for_each(|d| nomenclature.add_sise(d));
        nomenclature
    }

    /// Adds a certification, or merges it into the one of its code. Says whether it is new.
    pub fn add(&mut self, certification: Certification) -> bool {
        if certification.nature == Nature::Mef {
            let mefs = self.mefs_by_cfd.entry(certification.cfd.clone()).or_default();
            mefs.insert(certification.code.clone());
        }
        let place = self.by_code.get(&certification.code).copied();
        if let Some(here) = place.and_then(|p| self.certifications.get_mut(p)) {
            if here.nature == Nature::Mef
                && here.cfd != certification.cfd
                && let Some(mefs) = self.mefs_by_cfd.get_mut(&here.cfd)
            {
                mefs.remove(&here.code);
            }
            here.merge(certification);
            return false;
        }
        self.by_code.insert(certification.code.clone(), self.certifications.len());
        self.certifications.push(certification);
        true
    }

    /// Takes a stored `bcn_mef` document (or a row of N_MEF: the columns have the same names).
    pub fn add_mef_row(&mut self, document: &Document) {
        let Some(code) = field(document, "mef_stat_11") else { return };
        let row = self.mef_rows.entry(code.to_owned()).or_default();
        row.scheme = scalar(document, "dispositif_formation").or(row.scheme.take());
        row.year = scalar(document, "annee_dispositif").or(row.year.take());
        if let Some(cfd) = field(document, "formation_diplome") {
            self.mef_rows_by_cfd.entry(cfd.to_owned()).or_default().insert(code.to_owned());
        }
    }

    /// Takes a stored `bcn_sise` document.
    pub fn add_sise(&mut self, document: &Document) {
        let Some(code) = field(document, "diplome_sise") else { return };
        let sise = Sise {
            libelle: field(document, "libelle_intitule_1").map(str::to_owned),
            diplome: Diplome::read(document),
            closing_date: date(document, "date_fermeture"),
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
        self.certifications.get(*self.by_code.get(code)?)
    }

    pub(crate) fn certification_mut(&mut self, code: &str) -> Option<&mut Certification> {
        self.certifications.get_mut(*self.by_code.get(code)?)
    }

    /// A certification of higher education.
    #[must_use]
    pub fn sise(&self, code: &str) -> Option<&Sise> {
        self.sise.get(code)
    }

    /// How many certifications of higher education.
    #[must_use]
    pub fn sise_count(&self) -> usize {
        self.sise.len()
    }

    /// The MEFs of a CFD among the certifications, in order of codes.
    pub fn mefs(&self, cfd: &str) -> impl Iterator<Item = &str> {
        self.mefs_by_cfd.get(cfd).into_iter().flatten().map(String::as_str)
    }

    /// The rows of N_MEF of a CFD, in order of codes: MEF and year of the course.
    pub fn years(&self, cfd: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
        let codes = self.mef_rows_by_cfd.get(cfd).into_iter().flatten();
        codes.map(|code| (code.as_str(), self.mef_rows.get(code).and_then(|l| l.year.as_deref())))
    }

    pub(crate) fn scheme(&self, mef: &str) -> Option<&str> {
        self.mef_rows.get(mef)?.scheme.as_deref()
    }

    /// The certification part of a statistic, from `bcn`, else from `bcn_sise`.
    ///
    /// # Errors
    /// [`Rejection::UnknownCertification`].
    pub fn part(&self, code: &str, superieur: bool) -> Result<Document, Rejection> {
        let part =
            if superieur { self.sise(code).map(Sise::part) } else { self.certification(code).map(Certification::part) };
        part.ok_or_else(|| Rejection::UnknownCertification { code: code.to_owned() })
    }

    /// Codes of the certifications of each famille de metiers that are its shared first year.
    #[must_use]
    pub fn annees_communes(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut families: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for certification in &self.certifications {
            if let Some(famille_metier) = certification.famille_metier.as_ref().filter(|f| f.annee_commune) {
                families.entry(&famille_metier.code).or_default().push(&certification.code);
            }
        }
        families
    }
}

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
