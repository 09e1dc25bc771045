//! Codes of certifications.

use crate::filiere::{Filiere, Universe};
use std::fmt;

/// Which nomenclature a code belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodeType {
    /// Code formation diplome: eight digits or capitals (apprenticeship).
    Cfd,
    /// MEFSTAT11: eleven digits or capitals (school track, filieres `pro` and `agricole`).
    Mef,
    /// SISE: seven digits or capitals, always written with its prefix (higher education).
    Sise,
}

impl CodeType {
    /// The filiere whose latest millesime is the default for codes of this type.
    #[must_use]
    pub fn default_filiere(self) -> Filiere {
        match self {
            Self::Cfd => Filiere::Apprentissage,
            Self::Mef => Filiere::Pro,
            Self::Sise => Filiere::Superieur,
        }
    }

    /// Secondary or higher education.
    #[must_use]
    pub fn universe(self) -> Universe {
        match self {
            Self::Cfd | Self::Mef => Universe::Secondaire,
            Self::Sise => Universe::Superieur,
        }
    }
}

/// A well-formed code of a certification, without its prefix.
///
/// ```
/// use domain::{CodeCertification, CodeType};
/// let code = CodeCertification::parse("CFD:40025214").unwrap();
/// assert_eq!((code.as_str(), code.code_type()), ("40025214", CodeType::Cfd));
/// assert!(CodeCertification::parse("2500249").is_none(), "a SISE code needs its prefix");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeCertification {
    code: String,
    code_type: CodeType,
}

impl CodeCertification {
    /// Reads a code as a re-user writes it: `40025214`, `CFD:40025214`, `MEFSTAT11:…`, `SISE:…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (code, code_type) = if let Some(code) = text.strip_prefix("SISE:") {
            (code, CodeType::Sise)
        } else if let Some(code) = text.strip_prefix("CFD:") {
            (code, CodeType::Cfd)
        } else if let Some(code) = text.strip_prefix("MEFSTAT11:") {
            (code, CodeType::Mef)
        } else {
            let code_type = if text.len() == 11 { CodeType::Mef } else { CodeType::Cfd };
            (text, code_type)
        };
        let length = match code_type {
            CodeType::Cfd => 8,
            CodeType::Mef => 11,
            CodeType::Sise => 7,
        };
        let well_formed = code.len() == length && code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        well_formed.then(|| Self { code: code.to_owned(), code_type })
    }

    /// The code, its prefix removed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.code
    }

    /// Which nomenclature it belongs to.
    #[must_use]
    pub fn code_type(&self) -> CodeType {
        self.code_type
    }
}

impl fmt::Display for CodeCertification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)
    }
}

/// Whether a text is the code of an entry of the national directory: `RNCP` and up to six digits.
#[must_use]
pub fn is_rncp(text: &str) -> bool {
    let digits = text.strip_prefix("RNCP").unwrap_or_default();
    (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_shape_of_their_nomenclature() {
        for (text, expected) in [
            ("12345678", Some(("12345678", CodeType::Cfd))),
            ("CFD:1234567A", Some(("1234567A", CodeType::Cfd))),
            ("23830024202", Some(("23830024202", CodeType::Mef))),
            ("MEFSTAT11:23830024202", Some(("23830024202", CodeType::Mef))),
            ("SISE:2500249", Some(("2500249", CodeType::Sise))),
            ("SISE:12345678", None),
            ("2500249", None),
            ("1234567a", None),
            ("CFD:23830024202", None),
            ("MEFSTAT11:12345678", None),
            ("", None),
            ("é2345678", None),
        ] {
            let code = CodeCertification::parse(text);
            assert_eq!(code.as_ref().map(|c| (c.as_str(), c.code_type())), expected, "{text}");
        }
    }

    #[test]
    fn codes_of_the_national_directory() {
        assert!(is_rncp("RNCP4911") && is_rncp("RNCP39012"));
        assert!(!["", "RNCP", "4911", "rncp4911", "RNCP 4911", "RNCP1234567", "RS4911"].into_iter().any(is_rncp));
    }
}
