//! Kinds: what a pushed line is about.

use crate::declaree::{CHAMP_LIEU, CHAMP_MAILLE};
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
    /// The declaration of a maille ([`crate::MailleDeclaree`]).
    Maille,
    /// A statistic of a declared maille.
    Statistique,
    /// The entry of the national directory (RNCP) that a CFD or a SISE code leads to.
    Rncp,
}

impl Kind {
    /// Every kind.
    pub const TOUS: [Self; 12] = [
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
        Self::Statistique,
        Self::Rncp,
    ];

    /// Its name on a line.
    #[must_use]
    pub fn nom(self) -> &'static str {
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
            Self::Statistique => "statistique",
            Self::Rncp => "rncp",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(nom: &str) -> Option<Self> {
        Self::TOUS.into_iter().find(|k| k.nom() == nom)
    }

    /// The maille of a statistic; `None` for what is no statistic.
    #[must_use]
    pub fn maille(self) -> Option<Maille> {
        match self {
            Self::Certification => Some(Maille::Nationale),
            Self::Regionale => Some(Maille::Regionale),
            Self::Formation => Some(Maille::Etablissement),
            Self::Statistique => Some(Maille::Declaree),
            _ => None,
        }
    }

    /// The number under which the store keeps it.
    #[must_use]
    pub fn rang(self) -> u8 {
        Self::TOUS.iter().zip(0..).find_map(|(k, rang)| (*k == self).then_some(rang)).unwrap_or_default()
    }

    /// Reads a number.
    #[must_use]
    pub fn de_rang(rang: u8) -> Option<Self> {
        Self::TOUS.get(usize::from(rang)).copied()
    }

    /// The key of a document among those of its kind; `None` where a part of it is missing.
    ///
    /// Source: contract, "Keys and writing".
    #[must_use]
    pub fn cle(self, document: &Document) -> Option<String> {
        let simple = |nom: &str| texte(document.get(nom)).map(str::to_owned);
        let sous_champ = |champ: &str, nom: &str| texte(document.get(champ)?.get(nom)).map(str::to_owned);
        let statistique = |lieu: &str| {
            let [code, millesime, filiere] = ["code_certification", "millesime", "filiere"].map(simple);
            Some(format!("{}/{}/{}/{lieu}", code?, millesime?, filiere?))
        };
        match self {
            Self::Certification => statistique(""),
            Self::Regionale => statistique(&sous_champ("region", "code")?),
            Self::Formation => statistique(&simple("uai")?),
            Self::Bcn => simple("code_certification"),
            Self::BcnMef => simple("mef_stat_11"),
            Self::BcnSise => simple("diplome_sise"),
            Self::Etablissement => simple("numero_uai"),
            Self::Catalogue => simple("id").or_else(|| sous_champ("id", "$oid")),
            Self::User => simple("username"),
            Self::Maille => simple("nom"),
            Self::Rncp => Some(format!("{}/{}", simple("code_certification")?, simple("rncp")?)),
            Self::Statistique => statistique(&format!("{}/{}", simple(CHAMP_MAILLE)?, simple(CHAMP_LIEU)?)),
        }
    }
}

impl From<Maille> for Kind {
    fn from(maille: Maille) -> Self {
        match maille {
            Maille::Nationale => Self::Certification,
            Maille::Regionale => Self::Regionale,
            Maille::Etablissement => Self::Formation,
            Maille::Declaree => Self::Statistique,
        }
    }
}

fn texte(valeur: Option<&Value>) -> Option<&str> {
    valeur.and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_numbers_come_back() {
        for kind in Kind::TOUS {
            assert_eq!(Kind::parse(kind.nom()), Some(kind));
            assert_eq!(Kind::de_rang(kind.rang()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.nom());
        }
        assert_eq!((Kind::parse("autre"), Kind::de_rang(200)), (None, None));
        for maille in Maille::TOUTES {
            assert_eq!(Kind::from(maille).maille(), Some(maille));
        }
    }

    #[test]
    fn documents_are_known_by_the_key_of_their_kind() {
        let cle = |kind: Kind, valeur: Value| kind.cle(valeur.as_object().unwrap());
        let statistique = json!({"code_certification": "40025214", "millesime": "2020", "filiere": "apprentissage"});
        assert_eq!(cle(Kind::Certification, statistique.clone()).as_deref(), Some("40025214/2020/apprentissage/"));
        assert_eq!(cle(Kind::Regionale, statistique.clone()), None, "no region");
        let mut declaree = statistique;
        declaree["maille"] = "academies".into();
        assert_eq!(cle(Kind::Statistique, declaree.clone()), None, "no place");
        declaree["lieu"] = "10".into();
        assert_eq!(cle(Kind::Statistique, declaree).as_deref(), Some("40025214/2020/apprentissage/academies/10"));
        assert_eq!(cle(Kind::Catalogue, json!({"id": {"$oid": "abc"}})).as_deref(), Some("abc"));
        assert_eq!(cle(Kind::Catalogue, json!({"id": "abc"})).as_deref(), Some("abc"));
    }
}
