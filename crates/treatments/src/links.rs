//! Tables that lead from one register to another: what the matching of catalogues goes through.
//!
//! | table | kind | its key |
//! | --- | --- | --- |
//! | Certif Info, the open file | `certif_info` | the entry's code; one entry may stand in several rows |
//! | Onisep, formations and passage table | `ideo` | the identifier of Onisep; one may stand in several rows |
//! | ACCE, mothers | `uai_mere` | both UAIs |
//!
//! Rule (contract, "What the matcher needs and the import does not bring"): a code that is none is left out, the rest of
//! its row stays. Several rows of one key all stay: where they lead to several codes, the matcher refuses to pick one.

use crate::rejection::Rejection;
use crate::text::{field, scalar};
use domain::code::is_rncp;
use domain::{CodeCertification, CodeType, Document, Uai};

/// The longest identifier of another register, in bytes.
const IDENTIFIER_MAX: usize = 40;

/// The `certif_info` document of a row of the open file.
///
/// # Errors
/// [`Rejection::MissingField`] without `Code_Diplome`.
pub fn certif_info(row: &Document) -> Result<Document, Rejection> {
    let code = identifier(row, "Code_Diplome").ok_or(Rejection::MissingField { field: "Code_Diplome" })?;
    Ok(document([
        ("code", Some(code)),
        ("cfd", code_of(row, "Code_Scolarité", CodeType::Cfd)),
        ("sise", code_of(row, "Code_Sise", CodeType::Sise)),
        ("rncp", rncp(row, "Code_RNCP")),
        ("ideo", identifier(row, "codeIdeo2")),
        ("ancien", identifier(row, "Code_Ancien_Diplome")),
        ("premiere_session", identifier(row, "Annee_Premiere_Session")),
    ]))
}

/// The `ideo` document of a formation of Onisep. Its identifier is the end of its address where it has no field.
///
/// # Errors
/// [`Rejection::MissingField`] without identifier.
pub fn ideo(row: &Document) -> Result<Document, Rejection> {
    let address = || {
        let (_, end) = field(row, "url_et_id_onisep")?.trim_end_matches('/').rsplit_once('/')?;
        Some(end.to_owned()).filter(|end| is_identifier(end))
    };
    let ideo = identifier(row, "identifiant_ideo").or_else(address);
    let ideo = ideo.ok_or(Rejection::MissingField { field: "url_et_id_onisep" })?;
    let cfd = code_of(row, "code_scolarite", CodeType::Cfd);
    Ok(document([("ideo", Some(ideo)), ("code_certification", cfd), ("rncp", rncp(row, "code_rncp"))]))
}

/// The `ideo` document of a row of Onisep's passage table.
///
/// # Errors
/// [`Rejection::MissingField`] without identifier.
pub fn ideo_passage(row: &Document) -> Result<Document, Rejection> {
    let name = "ideo_identifiant_formation";
    let ideo = identifier(row, name).ok_or(Rejection::MissingField { field: name })?;
    let cfd = code_of(row, "ci_code_scolarite", CodeType::Cfd);
    Ok(document([("ideo", Some(ideo)), ("code_certification", cfd), ("rncp", rncp(row, "ci_code_rncp"))]))
}

/// The `uai_mere` document of a row of ACCE. An establishment is not its own mother.
///
/// # Errors
/// [`Rejection::MissingField`] where either UAI is missing or is none, or both are the same.
pub fn uai_mother(row: &Document) -> Result<Document, Rejection> {
    let uai = |name: &'static str| {
        let text = field(row, name).filter(|text| Uai::parse(text).is_some());
        text.map(str::to_owned).ok_or(Rejection::MissingField { field: name })
    };
    let (found, mother) = (uai("numero_uai_trouve")?, uai("numero_uai_mere")?);
    if found == mother {
        return Err(Rejection::MissingField { field: "numero_uai_mere" });
    }
    Ok(document([("numero_uai_trouve", Some(found)), ("numero_uai_mere", Some(mother))]))
}

fn document<const N: usize>(fields: [(&str, Option<String>); N]) -> Document {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.len() <= IDENTIFIER_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn identifier(row: &Document, name: &str) -> Option<String> {
    scalar(row, name).map(|text| text.trim().to_owned()).filter(|text| is_identifier(text))
}

/// A code, where it is one of this nomenclature.
fn code_of(row: &Document, name: &str, code_type: CodeType) -> Option<String> {
    let prefix = if code_type == CodeType::Sise { "SISE" } else { "CFD" };
    let code = CodeCertification::parse(&format!("{prefix}:{}", scalar(row, name)?.trim()))?;
    (code.code_type() == code_type).then(|| code.as_str().to_owned())
}

/// The entry of the national directory, with its prefix or without.
fn rncp(row: &Document, name: &str) -> Option<String> {
    let text = scalar(row, name)?;
    let code = format!("RNCP{}", text.trim().trim_start_matches("RNCP"));
    is_rncp(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn row(value: Value) -> Document {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn codes_that_are_none_are_left_out() {
        let entry =
            certif_info(&row(json!({"Code_Diplome": "12691", "Code_Scolarité": "17025121", "Code_RNCP": "37440",
            "codeIdeo2": "FOR.5332", "Code_Ancien_Diplome": "13323", "Annee_Premiere_Session": "2020"})));
        let expected = json!({"code": "12691", "cfd": "17025121", "rncp": "RNCP37440", "ideo": "FOR.5332",
            "ancien": "13323", "premiere_session": "2020"});
        assert_eq!(entry, Ok(row(expected)));
        let poor = json!({"Code_Diplome": "1", "Code_Scolarité": "?", "Code_RNCP": "0x", "codeIdeo2": "a b"});
        assert_eq!(certif_info(&row(poor)), Ok(row(json!({"code": "1"}))));
        assert!(certif_info(&row(json!({"Code_RNCP": "37440"}))).is_err());
    }

    #[test]
    fn onisep_names_a_formation_in_one_of_three_ways() {
        let expected = Ok(row(json!({"ideo": "FOR.3311", "code_certification": "40025214", "rncp": "RNCP38718"})));
        let codes = json!({"code_scolarite": "40025214", "code_rncp": "38718"});
        for (name, value) in [
            ("identifiant_ideo", "FOR.3311"),
            ("url_et_id_onisep", "http://onisep/redirection/formation/slug/FOR.3311"),
        ] {
            let mut formation = row(codes.clone());
            formation.insert(name.into(), value.into());
            assert_eq!(ideo(&formation), expected);
        }
        let passage = json!({"ideo_identifiant_formation": "FOR.3311", "ci_code_scolarite": "40025214", "ci_code_rncp": "RNCP38718"});
        assert_eq!(ideo_passage(&row(passage)), expected);
        assert!(ideo(&row(codes)).is_err());
    }

    #[test]
    fn a_mother_is_another_establishment() {
        let pair = |found: &str, mother: &str| {
            uai_mother(&row(json!({"numero_uai_trouve": found, "numero_uai_mere": mother})))
        };
        assert!(pair("0010017N", "0010016M").is_ok());
        for (found, mother) in [("0010017N", "0010017N"), ("0010017N", ""), ("001", "0010016M")] {
            assert!(pair(found, mother).is_err(), "{found} {mother}");
        }
    }
}
