//! Kinds: what a pushed line is about.

use crate::declared::{MAILLE_FIELD, PLACE_FIELD};
use crate::{Document, Maille};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a pushed line is about. The order is that of the files of a data set, and of the numbers under
/// which the store keeps kinds: new ones are appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A national statistic.
    Certification,
    /// A regional statistic.
    Regionale,
    /// The statistic of an establishment.
    Formation,
    /// A CFD or a MEF of the nomenclature.
    Bcn,
    /// A row of N_MEF, for the treatments.
    BcnMef,
    /// A certification of higher education.
    BcnSise,
    /// An establishment of ACCE.
    Etablissement,
    /// A row of the catalogue of apprenticeships, for the treatments.
    Catalogue,
    /// An account.
    User,
    /// The declaration of a maille ([`crate::DeclaredMaille`]).
    Maille,
    /// A statistic of a declared maille.
    #[serde(rename = "statistique")]
    Statistic,
    /// The entry of the national directory (RNCP) that a CFD or a SISE code leads to.
    Rncp,
    /// An entry of Certif Info, for the matching of catalogues.
    CertifInfo,
    /// What Onisep says of its identifier.
    Ideo,
    /// The mother establishment that ACCE gives.
    #[serde(rename = "uai_mere")]
    UaiMother,
    /// A code given by hand for a row of a catalogue: private to who pushed it.
    #[serde(rename = "encodage")]
    ManualCode,
    /// Rates of success of a diploma of higher education in an establishment.
    #[serde(rename = "reussite")]
    SuccessRate,
    /// Whether a campaign counts a type of diploma in.
    #[serde(rename = "perimetre")]
    CampaignScope,
    /// The code under which the figures of a SISE code are published.
    #[serde(rename = "equivalence_sise")]
    SiseEquivalence,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::Certification,
        Self::Regionale,
        Self::Formation,
        Self::Bcn,
        Self::BcnMef,
        Self::BcnSise,
        Self::Etablissement,
        Self::Catalogue,
        Self::User,
        Self::Maille,
        Self::Statistic,
        Self::Rncp,
        Self::CertifInfo,
        Self::Ideo,
        Self::UaiMother,
        Self::ManualCode,
        Self::SuccessRate,
        Self::CampaignScope,
        Self::SiseEquivalence,
    ];

    /// Its name on a line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Certification => "certification",
            Self::Regionale => "regionale",
            Self::Formation => "formation",
            Self::Bcn => "bcn",
            Self::BcnMef => "bcn_mef",
            Self::BcnSise => "bcn_sise",
            Self::Etablissement => "etablissement",
            Self::Catalogue => "catalogue",
            Self::User => "user",
            Self::Maille => "maille",
            Self::Statistic => "statistique",
            Self::Rncp => "rncp",
            Self::CertifInfo => "certif_info",
            Self::Ideo => "ideo",
            Self::UaiMother => "uai_mere",
            Self::ManualCode => "encodage",
            Self::SuccessRate => "reussite",
            Self::CampaignScope => "perimetre",
            Self::SiseEquivalence => "equivalence_sise",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.name() == name)
    }

    /// The maille of a statistic; `None` for what is no statistic.
    #[must_use]
    pub fn maille(self) -> Option<Maille> {
        match self {
            Self::Certification => Some(Maille::National),
            Self::Regionale => Some(Maille::Regionale),
            Self::Formation => Some(Maille::Etablissement),
            Self::Statistic => Some(Maille::Declared),
            _ => None,
        }
    }

    /// The number under which the store keeps it.
    #[must_use]
    pub fn rank(self) -> u8 {
        Self::ALL.iter().zip(0..).find_map(|(k, rank)| (*k == self).then_some(rank)).unwrap_or_default()
    }

    /// Reads a number.
    #[must_use]
    pub fn from_rank(rank: u8) -> Option<Self> {
        Self::ALL.get(usize::from(rank)).copied()
    }

    /// The key of a document among those of its kind; `None` where a part of it is missing.
    ///
    /// Source: contract, "Keys and writing".
    #[must_use]
    pub fn key(self, document: &Document) -> Option<String> {
        let simple = |name: &str| text(document.get(name)).map(str::to_owned);
        let sub_field = |field: &str, name: &str| text(document.get(field)?.get(name)).map(str::to_owned);
        let statistic = |place: &str| {
            let [code, millesime, filiere] = ["code_certification", "millesime", "filiere"].map(simple);
            Some(format!("{}/{}/{}/{place}", code?, millesime?, filiere?))
        };
        // An entry, and an identifier of Onisep, have a line for each code that they lead to: a line is known by all that it
        // links. Sent again with other links it stands beside what it was: such tables are sent whole.
        let linked = |name: &str, others: &[&str]| {
            let join = |key, other: &&str| format!("{key}/{}", simple(other).unwrap_or_default());
            Some(others.iter().fold(simple(name)?, join))
        };
        match self {
            Self::Certification => statistic(""),
            Self::Regionale => statistic(&sub_field("region", "code")?),
            Self::Formation => statistic(&simple("uai")?),
            Self::Bcn => simple("code_certification"),
            Self::BcnMef => simple("mef_stat_11"),
            Self::BcnSise => simple("diplome_sise"),
            Self::Etablissement => simple("numero_uai"),
            Self::Catalogue => simple("id").or_else(|| sub_field("id", "$oid")),
            Self::User => simple("username"),
            Self::Maille => simple("nom"),
            Self::Rncp => Some(format!("{}/{}", simple("code_certification")?, simple("rncp")?)),
            Self::Statistic => statistic(&format!("{}/{}", simple(MAILLE_FIELD)?, simple(PLACE_FIELD)?)),
            Self::CertifInfo => linked("code", &["rncp", "cfd", "ideo", "sise", "ancien", "nouveau"]),
            Self::Ideo => linked("ideo", &["code_certification", "rncp"]),
            Self::UaiMother => Some(format!("{}/{}", simple("numero_uai_trouve")?, simple("numero_uai_mere")?)),
            Self::ManualCode => Some(format!("{}/{}", simple("auteur").unwrap_or_default(), simple("cle")?)),
            Self::SuccessRate => Some(format!("{}/{}", simple("uai")?, simple("code_certification")?)),
            Self::CampaignScope => {
                Some(format!("{}/{}/{}", simple("campagne")?, simple("type_diplome")?, simple("filiere")?))
            }
            Self::SiseEquivalence => Some(format!("{}/{}", simple("code")?, simple("code_publie")?)),
        }
    }
}

impl From<Maille> for Kind {
    fn from(maille: Maille) -> Self {
        match maille {
            Maille::National => Self::Certification,
            Maille::Regionale => Self::Regionale,
            Maille::Etablissement => Self::Formation,
            Maille::Declared => Self::Statistic,
        }
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_numbers_come_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(kind));
            assert_eq!(Kind::from_rank(kind.rank()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert_eq!((Kind::parse("autre"), Kind::from_rank(200)), (None, None));
        for maille in Maille::ALL {
            assert_eq!(Kind::from(maille).maille(), Some(maille));
        }
    }

    #[test]
    fn documents_are_known_by_the_key_of_their_kind() {
        let key = |kind: Kind, value: Value| kind.key(value.as_object().unwrap());
        let statistic = json!({"code_certification": "40025214", "millesime": "2020", "filiere": "apprentissage"});
        assert_eq!(key(Kind::Certification, statistic.clone()).as_deref(), Some("40025214/2020/apprentissage/"));
        assert_eq!(key(Kind::Regionale, statistic.clone()), None, "no region");
        let mut declared = statistic;
        declared["maille"] = "academies".into();
        assert_eq!(key(Kind::Statistic, declared.clone()), None, "no place");
        declared["lieu"] = "10".into();
        assert_eq!(key(Kind::Statistic, declared).as_deref(), Some("40025214/2020/apprentissage/academies/10"));
        assert_eq!(key(Kind::Catalogue, json!({"id": {"$oid": "abc"}})).as_deref(), Some("abc"));
        assert_eq!(key(Kind::Catalogue, json!({"id": "abc"})).as_deref(), Some("abc"));
        let entry = json!({"code": "99", "cfd": "40025214", "rncp": "RNCP9", "libelle": "x"});
        assert_eq!(key(Kind::CertifInfo, entry).as_deref(), Some("99/RNCP9/40025214////"));
        let onisep = json!({"ideo": "FOR.9", "rncp": "RNCP9"});
        assert_eq!(key(Kind::Ideo, onisep).as_deref(), Some("FOR.9//RNCP9"));
    }
}
