//! A certification in memory, and as a document.

use super::levels::Diplome;
use crate::text::{date, date_value, field, list, put, scalar, sub_field};
use domain::Document;
use domain::date::Instant;
use serde_json::{Value, json};

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
    pub(super) fn value(&self) -> Value {
        json!({"code": self.code, "libelle": self.libelle, "isAnneeCommune": self.annee_commune})
    }

    pub(super) fn read(document: &Document) -> Option<Self> {
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
    pub(super) fn merge(&mut self, incoming: Self) {
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
