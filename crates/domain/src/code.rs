//! Codes of certifications.

use crate::filiere::{Filiere, Univers};
use std::fmt;

/// Which nomenclature a code belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TypeCode {
    /// Code formation diplome: eight digits or capitals (apprenticeship).
    Cfd,
    /// MEFSTAT11: eleven digits or capitals (school track, filieres `pro` and `agricole`).
    Mef,
    /// SISE: seven digits or capitals, always written with its prefix (higher education).
    Sise,
}

impl TypeCode {
    /// The filiere whose latest millesime is the default for codes of this type.
    #[must_use]
    pub fn filiere_par_defaut(self) -> Filiere {
        match self {
            Self::Cfd => Filiere::Apprentissage,
            Self::Mef => Filiere::Pro,
            Self::Sise => Filiere::Superieur,
        }
    }

    /// Secondary or higher education.
    #[must_use]
    pub fn univers(self) -> Univers {
        match self {
            Self::Cfd | Self::Mef => Univers::Secondaire,
            Self::Sise => Univers::Superieur,
        }
    }
}

/// A well-formed code of a certification, without its prefix.
///
/// ```
/// use domain::{CodeCertification, TypeCode};
/// let code = CodeCertification::parse("CFD:40025214").unwrap();
/// assert_eq!((code.as_str(), code.type_code()), ("40025214", TypeCode::Cfd));
/// assert!(CodeCertification::parse("2500249").is_none(), "a SISE code needs its prefix");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeCertification {
    code: String,
    type_code: TypeCode,
}

impl CodeCertification {
    /// Reads a code as a re-user writes it: `40025214`, `CFD:40025214`, `MEFSTAT11:…`, `SISE:…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (code, type_code) = if let Some(code) = text.strip_prefix("SISE:") {
            (code, TypeCode::Sise)
        } else if let Some(code) = text.strip_prefix("CFD:") {
            (code, TypeCode::Cfd)
        } else if let Some(code) = text.strip_prefix("MEFSTAT11:") {
            (code, TypeCode::Mef)
        } else {
            let type_code = if text.len() == 11 { TypeCode::Mef } else { TypeCode::Cfd };
            (text, type_code)
        };
        let length = match type_code {
            TypeCode::Cfd => 8,
            TypeCode::Mef => 11,
            TypeCode::Sise => 7,
        };
        let well_formed = code.len() == length && code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        well_formed.then(|| Self { code: code.to_owned(), type_code })
    }

    /// The code, its prefix removed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.code
    }

    /// Which nomenclature it belongs to.
    #[must_use]
    pub fn type_code(&self) -> TypeCode {
        self.type_code
    }
}

impl fmt::Display for CodeCertification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)
    }
}

/// Whether a text is the code of an entry of the national directory: `RNCP` and up to six digits.
#[must_use]
pub fn est_rncp(texte: &str) -> bool {
    let chiffres = texte.strip_prefix("RNCP").unwrap_or_default();
    (1..=6).contains(&chiffres.len()) && chiffres.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_shape_of_their_nomenclature() {
        for (text, expected) in [
            ("12345678", Some(("12345678", TypeCode::Cfd))),
            ("CFD:1234567A", Some(("1234567A", TypeCode::Cfd))),
            ("23830024202", Some(("23830024202", TypeCode::Mef))),
            ("MEFSTAT11:23830024202", Some(("23830024202", TypeCode::Mef))),
            ("SISE:2500249", Some(("2500249", TypeCode::Sise))),
            ("SISE:12345678", None),
            ("2500249", None),
            ("1234567a", None),
            ("CFD:23830024202", None),
            ("MEFSTAT11:12345678", None),
            ("", None),
            ("é2345678", None),
        ] {
            let code = CodeCertification::parse(text);
            assert_eq!(code.as_ref().map(|c| (c.as_str(), c.type_code())), expected, "{text}");
        }
    }

    #[test]
    fn codes_of_the_national_directory() {
        assert!(est_rncp("RNCP4911") && est_rncp("RNCP39012"));
        assert!(!["", "RNCP", "4911", "rncp4911", "RNCP 4911", "RNCP1234567", "RS4911"].into_iter().any(est_rncp));
    }
}
