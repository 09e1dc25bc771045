//! Pushed lines that only the matching of catalogues reads: what each must hold.

use domain::code::is_rncp;
use domain::{CodeCertification, CodeType, Document, Kind, Uai};
use serde_json::Value;

/// The longest text of a field, in bytes.
const TEXT_MAX: usize = 200;

/// Checks a document of one of these kinds: its key, and codes that somebody could look up.
///
/// # Errors
/// What is wrong, in French, by field and value. Rates and codes given by hand are not repeated.
pub(crate) fn check(kind: Kind, document: &Document) -> Result<(), String> {
    match kind {
        Kind::CertifInfo => {
            required(document, "code")?;
            for field in ["ancien", "nouveau", "ideo"] {
                optional(document, field)?;
            }
            optional_code(document, "cfd", CodeType::Cfd)?;
            optional_code(document, "sise", CodeType::Sise)?;
            optional_rncp(document)
        }
        Kind::Ideo => {
            required(document, "ideo")?;
            optional_code(document, "code_certification", CodeType::Cfd)?;
            optional_rncp(document)
        }
        Kind::UaiMother => ["numero_uai_trouve", "numero_uai_mere"].iter().try_for_each(|field| uai(document, field)),
        Kind::ManualCode => {
            required(document, "cle")?;
            optional(document, "auteur")?;
            let given = required(document, "code_certification")?;
            if read_code(given).is_none() {
                return Err("code_certification : un CFD, un MEFSTAT11 ou un code SISE est attendu".into());
            }
            Ok(())
        }
        Kind::SuccessRate => {
            uai(document, "uai")?;
            let code = required(document, "code_certification")?;
            if !is_of(code, CodeType::Sise) {
                return Err(format!("code_certification : « {code} » n'est pas un code SISE"));
            }
            ["taux_de_reussite", "taux_de_passage", "effectif"].iter().try_for_each(|field| rate(document, field))
        }
        Kind::CampaignScope => {
            let campaign = required(document, "campagne")?;
            if campaign.len() != 4 || !campaign.bytes().all(|b| b.is_ascii_digit()) {
                return Err(format!("campagne : « {campaign} » n'est pas une année"));
            }
            required(document, "type_diplome")?;
            let voie = required(document, "filiere")?;
            if !matches!(voie.to_ascii_lowercase().as_str(), "scolaire" | "apprentissage") {
                return Err(format!("filiere : « {voie} » inconnue ; attendu : Scolaire, Apprentissage"));
            }
            match document.get("dans_le_perimetre") {
                Some(Value::Bool(_)) => Ok(()),
                _ => Err("dans_le_perimetre : true ou false est attendu".into()),
            }
        }
        Kind::SiseEquivalence => ["code", "code_publie"].iter().try_for_each(|field| {
            let code = required(document, field)?;
            if is_of(code, CodeType::Sise) {
                Ok(())
            } else {
                Err(format!("{field} : « {code} » n'est pas un code SISE"))
            }
        }),
        _ => Ok(()),
    }
}

/// A code with its prefix, or bare: seven characters are a SISE code.
fn read_code(text: &str) -> Option<CodeCertification> {
    CodeCertification::parse(text).or_else(|| CodeCertification::parse(&format!("SISE:{text}")))
}

fn is_of(code: &str, code_type: CodeType) -> bool {
    read_code(code).is_some_and(|read| read.code_type() == code_type)
}

fn required<'a>(document: &'a Document, field: &str) -> Result<&'a str, String> {
    optional(document, field)?.ok_or_else(|| format!("{field} manque"))
}

/// A text that may be missing. An empty one is.
fn optional<'a>(document: &'a Document, field: &str) -> Result<Option<&'a str>, String> {
    match document.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() > TEXT_MAX || text.contains('\0') => {
            Err(format!("{field} : {TEXT_MAX} octets de texte au plus sont attendus"))
        }
        Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
        Some(_) => Err(format!("{field} : un texte est attendu")),
    }
}

fn optional_code(document: &Document, field: &str, code_type: CodeType) -> Result<(), String> {
    match optional(document, field)? {
        Some(code) if !is_of(code, code_type) => {
            let wanted = if code_type == CodeType::Cfd { "un CFD" } else { "un code SISE" };
            Err(format!("{field} : « {code} » n'est pas {wanted}"))
        }
        _ => Ok(()),
    }
}

fn optional_rncp(document: &Document) -> Result<(), String> {
    match optional(document, "rncp")? {
        Some(rncp) if !is_rncp(rncp) && !is_rncp(&format!("RNCP{rncp}")) => {
            Err(format!("rncp : « {rncp} » n'est pas RNCP suivi d'un à six chiffres"))
        }
        _ => Ok(()),
    }
}

fn uai(document: &Document, field: &str) -> Result<(), String> {
    let text = required(document, field)?;
    match Uai::parse(text) {
        Some(_) => Ok(()),
        None => Err(format!("{field} : « {text} » n'a pas la forme 7 chiffres et une majuscule")),
    }
}

/// A rate as SIES writes it: a number, a text such as `ns`, or nothing. The value is never repeated.
fn rate(document: &Document, field: &str) -> Result<(), String> {
    match document.get(field) {
        None | Some(Value::Null | Value::Number(_)) => Ok(()),
        Some(Value::String(text)) if text.len() <= 20 => Ok(()),
        Some(_) => Err(format!("{field} : un nombre, « ns » ou rien est attendu")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_says_what_it_lacks() {
        for (kind, document, expected) in [
            (Kind::CertifInfo, json!({"code": "47", "cfd": "32031213", "rncp": "RNCP38362", "publie": true}), Ok(())),
            (Kind::CertifInfo, json!({"code": "47", "rncp": "38362", "sise": "2500249"}), Ok(())),
            (Kind::CertifInfo, json!({"cfd": "32031213"}), Err("code manque")),
            (Kind::CertifInfo, json!({"code": "47", "cfd": "3203121"}), Err("cfd : « 3203121 » n'est pas un CFD")),
            (Kind::CertifInfo, json!({"code": "47", "rncp": "x"}), Err("rncp : « x » n'est pas RNCP suivi")),
            (Kind::Ideo, json!({"ideo": "FOR.1", "code_certification": null}), Ok(())),
            (Kind::Ideo, json!({"ideo": ""}), Err("ideo manque")),
            (
                Kind::UaiMother,
                json!({"numero_uai_trouve": "0751234J", "numero_uai_mere": "075"}),
                Err("numero_uai_mere : « 075 »"),
            ),
            (Kind::ManualCode, json!({"cle": "1", "code_certification": "MEFSTAT11:32221031213"}), Ok(())),
            (Kind::ManualCode, json!({"cle": "1", "code_certification": "12"}), Err("code_certification : un CFD")),
            (
                Kind::SuccessRate,
                json!({"uai": "0751234J", "code_certification": "2500249", "taux_de_reussite": "ns"}),
                Ok(()),
            ),
            (
                Kind::SuccessRate,
                json!({"uai": "0751234J", "code_certification": "2500249", "taux_de_passage": [7]}),
                Err("taux_de_passage : un nombre"),
            ),
            (
                Kind::CampaignScope,
                json!({"campagne": "2025", "type_diplome": "BTS", "filiere": "Scolaire", "dans_le_perimetre": true}),
                Ok(()),
            ),
            (
                Kind::CampaignScope,
                json!({"campagne": "2025", "type_diplome": "BTS", "filiere": "pro", "dans_le_perimetre": true}),
                Err("filiere : « pro »"),
            ),
            (Kind::SiseEquivalence, json!({"code": "2500249", "code_publie": "0000001"}), Ok(())),
            (Kind::SiseEquivalence, json!({"code": "2500249"}), Err("code_publie manque")),
        ] {
            let found = check(kind, document.as_object().unwrap());
            match (found, expected) {
                (Ok(()), Ok(())) => {}
                (Err(found), Err(expected)) => assert!(found.starts_with(expected), "{found} / {expected}"),
                (found, expected) => panic!("{document}: {found:?} / {expected:?}"),
            }
        }
    }
}
