//! What this crate takes from `domain`. Everything else here goes through these few lines.

pub use domain::{CodeCertification as Code, CodeType, Filiere};

/// The smallest group whose figures are published.
pub const THRESHOLD: f64 = domain::PUBLICATION_THRESHOLD;

/// A code formation diplome: eight digits or capitals.
#[must_use]
pub fn cfd(text: &str) -> Option<Code> {
    prefixed("CFD:", text)
}

/// A MEFSTAT11: eleven digits or capitals.
#[must_use]
pub fn mefstat11(text: &str) -> Option<Code> {
    prefixed("MEFSTAT11:", text)
}

/// A SISE code: seven digits or capitals.
#[must_use]
pub fn sise(text: &str) -> Option<Code> {
    prefixed("SISE:", text)
}

/// A code as a person writes it: with its prefix, or bare, since the three have lengths of their own.
#[must_use]
pub fn any_code(text: &str) -> Option<Code> {
    Code::parse(text.trim()).or_else(|| sise(text))
}

fn prefixed(prefix: &str, text: &str) -> Option<Code> {
    Code::parse(&format!("{prefix}{}", text.trim()))
}

/// A code as it is written in answers: `CFD:…`, `MEFSTAT11:…`, `SISE:…`.
#[must_use]
pub fn written(code: &Code) -> String {
    let prefix = match code.code_type() {
        CodeType::Cfd => "CFD:",
        CodeType::Mef => "MEFSTAT11:",
        CodeType::Sise => "SISE:",
    };
    format!("{prefix}{}", code.as_str())
}

/// The filieres in which a code may have statistics.
///
/// Source: contract, "Choice" (a MEFSTAT11 is looked up in `pro` and in `agricole`; the former matching
/// gave the agricultural track no code, and so never matched it: details, section 4).
#[must_use]
pub fn filieres_of(code: &Code) -> &'static [Filiere] {
    match code.code_type() {
        CodeType::Cfd => &[Filiere::Apprentissage],
        CodeType::Mef => &[Filiere::Pro, Filiere::Agricultural],
        CodeType::Sise => &[Filiere::Superieur],
    }
}

/// The filiere of this name.
#[must_use]
pub fn filiere(name: &str) -> Option<Filiere> {
    Filiere::parse(name)
}
