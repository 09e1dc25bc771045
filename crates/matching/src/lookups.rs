//! What the rules ask of the data, and the records they get.
//!
//! Two traits, as there are two parts: [`CodeLinks`] is all that the resolver needs, [`Statistics`] is what the
//! matcher asks beside it. Both answer at once and from memory: what has to be fetched (the documents of the
//! establishments that [`crate::places_asked`] names) is fetched before a row is judged.
//! [`crate::Tables`] holds everything in maps.

use crate::day::Day;
use crate::field::{Code, Filiere, THRESHOLD};

/// A row of N_MEF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mef {
    /// Its MEFSTAT11; `None` where the nomenclature gives none.
    pub mefstat11: Option<Code>,
    /// Its CFD; `None` where the nomenclature gives none.
    pub cfd: Option<Code>,
    /// Length of the course, in years.
    pub length: Option<u8>,
    /// Which of these years it is.
    pub year: Option<u8>,
    /// Its first day; `None` says nothing against it.
    pub opened: Option<Day>,
    /// Its last day; `None`: still open.
    pub closed: Option<Day>,
}

/// A diploma of N_FORMATION_DIPLOME or V_FORMATION_DIPLOME.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiplomeHistory {
    /// The year it opened in.
    pub opened: Option<i32>,
    /// The year of its first session of exams.
    pub first_session: Option<i32>,
    /// CFDs of its direct ancestors.
    pub ancestors: Vec<Code>,
}

/// A row of Certif Info. One entry may stand in several rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertifInfo {
    /// The code of the entry.
    pub entry: String,
    /// Its CFD.
    pub cfd: Option<Code>,
    /// Its SISE code.
    pub sise: Option<Code>,
    /// Its number in the national directory.
    pub rncp: Option<String>,
    /// The entry before it.
    pub older: Option<String>,
    /// The entry after it, where the file says so itself.
    pub newer: Option<String>,
}

/// By what a row of Certif Info is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertifInfoKey<'a> {
    /// The code of the entry.
    Entry(&'a str),
    /// The number in the national directory, without `RNCP`.
    Rncp(&'a str),
    /// The identifier of Onisep.
    Ideo(&'a str),
    /// The CFD.
    Cfd(&'a Code),
    /// The SISE code.
    Sise(&'a Code),
    /// The entry that it names as older than itself.
    Older(&'a str),
}

/// What another register says of an identifier: Onisep of an IDEO, the catalogue de l'apprentissage of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The CFD.
    pub cfd: Option<Code>,
    /// The number in the national directory, without `RNCP`.
    pub rncp: Option<String>,
}

/// By what a row of the catalogue de l'apprentissage is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatalogueKey<'a> {
    /// `cle_ministere_educatif`, which is the ID_RCO of Parcoursup.
    IdRco(&'a str),
    /// `parcoursup_id`, which is the key of the row itself.
    ParcoursupId(&'a str),
}

/// From identifiers to codes.
pub trait CodeLinks {
    /// The rows of N_MEF with this MEF (10 characters).
    fn mef(&self, mef: &str) -> Vec<Mef>;
    /// The rows of N_MEF with this CFD.
    fn mefs_of_cfd(&self, cfd: &Code) -> Vec<Mef>;
    /// The rows of N_MEF with this MEFSTAT11. One MEFSTAT11 stands in two rows.
    fn mefs_of_mefstat11(&self, mefstat11: &Code) -> Vec<Mef>;
    /// The diploma with this CFD; `None` where the nomenclature does not know it.
    fn diplome(&self, cfd: &Code) -> Option<DiplomeHistory>;
    /// Whether N_DIPLOME_SISE knows this code.
    fn knows_sise(&self, sise: &Code) -> bool;
    /// The codes under which the figures of this SISE code are published: the fictitious codes of BUT.
    fn published_sise(&self, sise: &Code) -> Vec<Code>;
    /// Rows of Certif Info.
    fn certif_info(&self, key: CertifInfoKey<'_>) -> Vec<CertifInfo>;
    /// The CFDs that the RNCP kit of apprenticeship gives for an entry of the national directory.
    fn cfds_of_rncp(&self, rncp: &str) -> Vec<Code>;
    /// The SISE codes of an entry of the national directory.
    fn sises_of_rncp(&self, rncp: &str) -> Vec<Code>;
    /// What Onisep says of its identifier.
    fn onisep(&self, ideo: &str) -> Vec<Link>;
    /// Rows of the catalogue de l'apprentissage.
    fn catalogue(&self, key: CatalogueKey<'_>) -> Vec<Link>;
    /// The codes given by hand for the key of a row, as they were written.
    fn manual(&self, key: &str) -> Vec<String>;
    /// The codes of an identifier in a table of links of this kind, for nomenclatures to come.
    fn links(&self, _kind: &str, _identifier: &str) -> Vec<Code> {
        Vec::new()
    }
    /// Where a MEFSTAT11 or CFD is a shared first year (`familleMetier.isAnneeCommune`): its final years.
    fn shared_first_year(&self, code: &Code) -> Option<Vec<Code>>;
}

/// Figures, and the places they are of.
pub trait Statistics {
    /// The statistic of a code in an establishment.
    fn statistic(&self, uai: &str, code: &Code, filiere: Filiere) -> Option<PlaceStatistic>;
    /// Whether any place has a statistic of this code.
    fn has_statistic(&self, code: &Code) -> bool;
    /// National pay of a code.
    fn pay(&self, code: &Code) -> Pay;
    /// Rates of success in an establishment.
    fn success(&self, uai: &str, code: &Code) -> Option<Success>;
    /// The establishment; `None` where ACCE does not have it.
    fn establishment(&self, uai: &str) -> Option<Establishment>;
    /// The mother establishments that ACCE gives.
    fn mothers(&self, uai: &str) -> Vec<String>;
    /// The last year of the latest millesime of a filiere: 2022 for `2022` and for `2021_2022`.
    fn last_year(&self, filiere: Filiere) -> Option<i32>;
}

/// The three rates at 6 months of a group of at least 20, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    employment: f64,
    studies: f64,
    other: f64,
}

impl Rates {
    /// Of a record that was covered when it was written.
    pub(crate) fn of(employment: f64, studies: f64, other: f64) -> Self {
        Self { employment, studies, other }
    }

    /// `taux_en_emploi_6_mois`.
    #[must_use]
    pub fn employment(&self) -> f64 {
        self.employment
    }

    /// `taux_en_formation`.
    #[must_use]
    pub fn studies(&self) -> f64 {
        self.studies
    }

    /// `taux_autres_6_mois`.
    #[must_use]
    pub fn other(&self) -> f64 {
        self.other
    }
}

/// Whether a statistic can be shown. Only a covered one holds numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coverage {
    /// At least 20 young people and all three rates.
    Covered(Rates),
    /// Fewer than 20 young people.
    BelowThreshold,
    /// A rate or the size of the group is missing.
    NotCovered,
}

impl Coverage {
    /// Decides from the size of the group and its three rates (employment, studies, other, in percent).
    ///
    /// Rule: fewer than 20 is below the threshold, whatever else is there; then all three rates must be there.
    /// A group of unknown size is not covered: nothing says that it is large enough.
    /// Source: contract, "Choice" ("Covered: at least 20 young people and all three 6-month rates");
    /// cases 005 to 007, 071.
    #[must_use]
    pub fn of(size: Option<f64>, rates: [Option<f64>; 3]) -> Self {
        match size {
            Some(size) if size < THRESHOLD => Self::BelowThreshold,
            Some(size) if size >= THRESHOLD => match rates.map(|rate| rate.filter(|rate| rate.is_finite())) {
                [Some(employment), Some(studies), Some(other)] => Self::Covered(Rates { employment, studies, other }),
                _ => Self::NotCovered,
            },
            _ => Self::NotCovered,
        }
    }

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Covered(_) => "couvert",
            Self::BelowThreshold => "sous_seuil",
            Self::NotCovered => "non_couvert",
        }
    }

    /// Covered before below the threshold before not covered: a larger number is better.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Self::Covered(_) => 2,
            Self::BelowThreshold => 1,
            Self::NotCovered => 0,
        }
    }
}

/// The document of a code in an establishment, as far as it is needed here.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceStatistic {
    /// Its figures, where they can be shown.
    pub coverage: Coverage,
    /// The final years that the document of another year names (`certificationsTerminales`).
    pub final_years: Vec<Code>,
    /// The millesime of the figures.
    pub millesime: Option<String>,
    /// Whether the figures are the code's own, or of an older or newer diploma (`donnee_source.type`).
    pub donnee_source: Option<String>,
}

impl PlaceStatistic {
    /// A statistic without further particulars.
    #[must_use]
    pub fn new(coverage: Coverage) -> Self {
        Self { coverage, final_years: Vec::new(), millesime: None, donnee_source: None }
    }
}

/// National pay of a code: quartiles of the net monthly salary 12 months after, in euros.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pay {
    /// The three quartiles.
    Covered([f64; 3]),
    /// Fewer than 20 young people.
    BelowThreshold,
    /// A quartile is missing, or everything.
    NotCovered,
}

impl Pay {
    /// Decides from the size of the national group and its three quartiles.
    ///
    /// Rule: one threshold, everywhere. A size that the document does not tell hides nothing here, since
    /// national documents of the services have always shown pay without it.
    /// Source: contract, "Choice" and "Output"; contract/disclosure.md, rule 2.
    #[must_use]
    pub fn of(size: Option<f64>, quartiles: [Option<f64>; 3]) -> Self {
        if size.is_some_and(|size| size.is_nan() || size < THRESHOLD) {
            return Self::BelowThreshold;
        }
        match quartiles.map(|quartile| quartile.filter(|quartile| quartile.is_finite())) {
            [Some(q1), Some(q2), Some(q3)] => Self::Covered([q1, q2, q3]),
            _ => Self::NotCovered,
        }
    }

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Covered(_) => "couvert",
            Self::BelowThreshold => "sous_seuil",
            Self::NotCovered => "non_couvert",
        }
    }
}

/// Rates of success and of passage in an establishment (SIES), in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Success {
    /// `taux_de_reussite`.
    pub success: Option<f64>,
    /// `taux_de_passage`.
    pub passage: Option<f64>,
}

impl Success {
    /// Reads the two rates as SIES writes them: `ns` and an empty cell are no numbers.
    ///
    /// Source: details, section 3, step 5; case 110.
    #[must_use]
    pub fn read(success: &str, passage: &str) -> Self {
        let number = |text: &str| text.trim().replace(',', ".").parse().ok().filter(|number: &f64| number.is_finite());
        Self { success: number(success), passage: number(passage) }
    }

    /// Whether it says anything.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.success.is_some() || self.passage.is_some()
    }
}

/// An establishment of ACCE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Establishment {
    /// Code of its academie, two characters.
    pub academie: String,
    /// The year it opened in.
    pub opened: Option<i32>,
    /// The year it closed in.
    pub closed: Option<i32>,
}
