//! Pushed lines: what is accepted, what is refused and why, what is kept out.

use crate::anomalies::Anomalies;
use crate::matching_lines;
use domain::code::is_rncp;
use domain::declared::{MAILLE_FIELD, MAILLES_MAX, PLACE_FIELD};
use domain::indicator::{self, is_indicator};
use domain::{DeclaredMaille, Document, Filiere, Kind, Millesime, StoredPassword, Uai, territory};
use plausibility::{Finding, KnownCodes, Severity};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Why a line is refused, in words for the one who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLine(pub String);

/// A line as the store keeps it.
#[derive(Debug)]
pub struct ValidLine {
    /// Its kind.
    pub kind: Kind,
    /// The document's JSON, without what is kept out.
    pub json: Vec<u8>,
    /// The rules of plausibility that it breaks without being refused.
    pub findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct PushedLine<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    doc: &'a RawValue,
}

/// The fields of a statistic that are no indicator.
const FIELDS: [&str; 22] = [
    "uai",
    "libelle_etablissement",
    "millesime",
    "code_certification",
    "code_certification_type",
    "code_formation_diplome",
    "libelle",
    "libelle_ancien",
    "diplome",
    "filiere",
    "date_fermeture",
    "familleMetier",
    "certificationsTerminales",
    "donnee_source",
    "region",
    "academie",
    "uai_type",
    "uai_donnee",
    "uai_donnee_type",
    "uai_lieu_formation",
    "uai_formateur",
    "uai_gestionnaire",
];

/// Fields that are dropped without a word: they are internal to whoever exports them.
const INTERNAL: [&str; 3] = ["_meta", "_id", "__v"];

/// Largest document, in bytes of JSON. A row must fit into a value of the store with its neighbours.
const DOCUMENT_MAX: usize = 64 * 1024;

/// Checks the lines of a push, in their order: a maille is declared before its first statistic.
#[derive(Debug, Default)]
pub struct LineChecker<'a> {
    /// The indicators that the deployment adds to those of the contract.
    pub indicators: &'a [String],
    /// The mailles declared so far, by name.
    pub mailles: BTreeMap<String, DeclaredMaille>,
    /// Fields kept out, and how often.
    pub unknown: BTreeMap<String, u64>,
    /// The rules of plausibility, where documents are to keep them.
    pub rules: Option<plausibility::Checker>,
    /// The codes of the nomenclature that came in this push so far.
    pub codes: KnownCodes,
    /// The rules that were broken, and how often.
    pub anomalies: Anomalies,
}

impl LineChecker<'_> {
    /// Reads and checks a line.
    ///
    /// # Errors
    /// The reason of the refusal.
    pub fn line(&mut self, line: &[u8]) -> Result<ValidLine, RefusedLine> {
        // A mark at the beginning of a file is no part of its first line.
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let refusal = |reason: String| RefusedLine(reason);
        let read: PushedLine<'_> = serde_json::from_slice(line).map_err(|fault| refusal(explained(line, &fault)))?;
        let kind = Kind::parse(&read.kind).ok_or_else(|| {
            let known: Vec<&str> = Kind::ALL.iter().map(|k| k.name()).collect();
            refusal(format!("kind « {} » inconnu ; attendu : {}", read.kind, known.join(", ")))
        })?;
        let document: Document = serde_json::from_slice(read.doc.get().as_bytes())
            .map_err(|_| refusal("doc n'est pas un objet JSON".into()))?;
        self.document(kind, document)
    }

    /// Checks a document as [`Self::line`] does the line that holds it.
    ///
    /// # Errors
    /// The reason of the refusal.
    pub fn document(&mut self, kind: Kind, mut document: Document) -> Result<ValidLine, RefusedLine> {
        let refusal = |reason: String| RefusedLine(reason);
        document.retain(|field, _| !INTERNAL.contains(&field.as_str()));
        match kind {
            Kind::Certification | Kind::Regionale | Kind::Formation => {
                let known = |field: &str| FIELDS.contains(&field);
                keep_known_fields(&mut document, known, self.indicators, &mut self.unknown);
                verify_statistic(kind, &document)?;
            }
            Kind::Maille => self.declare(&document)?,
            Kind::Statistic => self.place(&mut document)?,
            Kind::Bcn => {
                require(&document, &["code_certification", "type"])?;
                // Its list shows a line whole.
                let is_figure = |(field, value): &(&String, &Value)| is_indicator(field) || holds_an_indicator(value);
                if let Some((field, _)) = document.iter().find(is_figure) {
                    return Err(refusal(format!(
                        "{field} : un indicateur n'a pas sa place dans la nomenclature, où le seuil ne le verrait pas"
                    )));
                }
            }
            Kind::BcnMef => require(&document, &["mef_stat_11"])?,
            Kind::BcnSise => require(&document, &["diplome_sise"])?,
            Kind::Etablissement => require(&document, &["numero_uai"])?,
            Kind::Catalogue => {
                // Recorded rows name themselves `{"$oid": …}`.
                if let Some(id) = document.get("id").and_then(|id| id.get("$oid")).cloned() {
                    document.insert("id".to_owned(), id);
                }
                require(&document, &["id"])?;
            }
            Kind::Rncp => {
                require(&document, &["code_certification", "rncp"])?;
                let code = text(&document, "code_certification")?;
                if !matches!(code.len(), 7 | 8) || !code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
                    return Err(refusal(format!("code_certification : « {code} » n'est ni un CFD ni un code SISE")));
                }
                if !is_rncp(text(&document, "rncp")?) {
                    return Err(refusal("rncp : RNCP suivi d'un à six chiffres est attendu".into()));
                }
            }
            Kind::CertifInfo
            | Kind::Ideo
            | Kind::UaiMother
            | Kind::ManualCode
            | Kind::SuccessRate
            | Kind::CampaignScope
            | Kind::SiseEquivalence => matching_lines::check(kind, &document).map_err(RefusedLine)?,
            Kind::User => {
                require(&document, &["username"])?;
                // Never repeated in a message: it may be a password as well as its hash.
                let kept = document.get("password").and_then(Value::as_str).unwrap_or_default();
                if kept.len() > 1_000 {
                    return Err(refusal("password : la forme conservée d'un mot de passe est attendue".into()));
                }
                // Whoever checks it pays what it asks for.
                StoredPassword::parse(kept).map_err(|reason| refusal(format!("password : {reason}")))?;
            }
        }
        let findings = self.plausible(kind, &document)?;
        if kind.maille().is_some() {
            verify_numbers(&document)?;
        }
        let json = serde_json::to_vec(&document).map_err(|_| refusal("le document ne s'écrit pas en JSON".into()))?;
        if json.len() > DOCUMENT_MAX {
            return Err(refusal(format!("le document dépasse {} Kio", DOCUMENT_MAX / 1024)));
        }
        Ok(ValidLine { kind, json, findings })
    }

    /// The rules of plausibility: what a document breaks, where it is not refused for it.
    fn plausible(&mut self, kind: Kind, document: &Document) -> Result<Vec<Finding>, RefusedLine> {
        let Some(rules) = &mut self.rules else { return Ok(Vec::new()) };
        if let Kind::Bcn | Kind::BcnSise = kind
            && let Some(code) = kind.key(document)
        {
            self.codes.add(&code);
            rules.known.add(&code);
        }
        let findings = rules.check(kind, document);
        self.anomalies.add(kind, &findings);
        let refused: Vec<String> =
            findings.iter().filter(|f| f.level == Severity::Refused).take(3).map(Finding::message).collect();
        if refused.is_empty() { Ok(findings) } else { Err(RefusedLine(refused.join(" | "))) }
    }

    /// A declaration; the same one again changes nothing.
    fn declare(&mut self, document: &Document) -> Result<(), RefusedLine> {
        let declared = DeclaredMaille::read(document).map_err(RefusedLine)?;
        match self.mailles.get(&declared.name) {
            Some(known) if *known == declared => return Ok(()),
            Some(_) => return Err(RefusedLine(format!("nom : « {} » est déjà déclarée autrement", declared.name))),
            None if self.mailles.len() == MAILLES_MAX => {
                return Err(RefusedLine(format!("{MAILLES_MAX} mailles au plus se déclarent")));
            }
            None => {}
        }
        self.mailles.insert(declared.name.clone(), declared);
        Ok(())
    }

    /// A statistic of a declared maille: checked, and told its place.
    fn place(&mut self, document: &mut Document) -> Result<(), RefusedLine> {
        let name = text(document, MAILLE_FIELD)?;
        let Some(maille) = self.mailles.get(name) else {
            let reason = "n'est pas déclarée : une ligne de kind maille la déclare avant ses documents";
            return Err(RefusedLine(format!("maille : « {name} » {reason}")));
        };
        let known = |field: &str| {
            // What is said of an establishment is no part of another maille.
            let etablissement = field.starts_with("uai") || field == "libelle_etablissement";
            field == maille.root() || field == MAILLE_FIELD || FIELDS.contains(&field) && !etablissement
        };
        keep_known_fields(document, known, self.indicators, &mut self.unknown);
        let place = maille.place(document).map_err(RefusedLine)?.to_owned();
        document.insert(PLACE_FIELD.to_owned(), place.into());
        verify_statistic(Kind::Statistic, document)
    }
}

fn keep_known_fields(
    document: &mut Document,
    known: impl Fn(&str) -> bool,
    added: &[String],
    unknown: &mut BTreeMap<String, u64>,
) {
    let known = |field: &str| {
        known(field)
            || indicator::HEADCOUNTS.contains(&field)
            || indicator::RATES.contains(&field)
            || indicator::WAGES.contains(&field)
            || field == indicator::NB_DIPLOME
            || added.iter().any(|a| a == field)
    };
    document.retain(|field, _| {
        let kept = known(field);
        if !kept && (unknown.len() < 200 || unknown.contains_key(field)) {
            *unknown.entry(field.clone()).or_default() += 1;
        }
        kept
    });
}

/// Whether an indicator lies inside a value: the publication threshold hides fields of a document,
/// none below them.
fn holds_an_indicator(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, v)| is_indicator(name) || holds_an_indicator(v)),
        Value::Array(values) => values.iter().any(holds_an_indicator),
        _ => false,
    }
}

/// Whether a number lies inside a value. No field but a date has one, and the threshold would not see it.
fn holds_a_number(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::Object(fields) => fields.values().any(holds_a_number),
        Value::Array(values) => values.iter().any(holds_a_number),
        _ => false,
    }
}

fn require(document: &Document, fields: &[&str]) -> Result<(), RefusedLine> {
    fields.iter().try_for_each(|field| text(document, field).map(|_| ()))
}

fn text<'a>(document: &'a Document, field: &str) -> Result<&'a str, RefusedLine> {
    match document.get(field) {
        Some(Value::String(t)) if !t.is_empty() && t.len() <= 100 && !t.contains(['\0', '|']) => Ok(t),
        Some(value) => Err(RefusedLine(format!("{field} : un texte non vide est attendu, reçu {}", short(value)))),
        None => Err(RefusedLine(format!("{field} manque"))),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    text.chars().take(60).collect()
}

fn verify_statistic(kind: Kind, document: &Document) -> Result<(), RefusedLine> {
    let refusal = |reason: String| Err(RefusedLine(reason));
    let code = text(document, "code_certification")?;
    if code.len() > 11 || !code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
        return refusal(format!(
            "code_certification : « {code} » n'est ni un CFD, ni un MEFSTAT11, ni un code SISE : des chiffres et des majuscules, sans espaces ni préfixe"
        ));
    }
    let millesime = text(document, "millesime")?;
    if Millesime::parse(millesime).is_none() {
        return refusal(format!("millesime : « {millesime} » n'est ni une année (2023) ni une période (2022_2023)"));
    }
    let filiere = text(document, "filiere")?;
    if Filiere::parse(filiere).is_none() {
        let known: Vec<&str> = Filiere::ALL.iter().map(|f| f.as_str()).collect();
        return refusal(format!("filiere : « {filiere} » inconnue ; attendu : {}", known.join(", ")));
    }
    if kind == Kind::Formation {
        let uai = text(document, "uai")?;
        if Uai::parse(uai).is_none() {
            return refusal(format!("uai : « {uai} » n'a pas la forme 7 chiffres et une majuscule"));
        }
    }
    if kind != Kind::Certification {
        match document.get("region").and_then(|r| r.get("code")).and_then(Value::as_str) {
            Some(code) if territory::region(code).is_some() => {}
            Some(code) => return refusal(format!("region.code : « {code} » n'est pas un code de région de l'INSEE")),
            None if kind == Kind::Regionale => return refusal("region.code manque".into()),
            None => {}
        }
    }
    let holds_a_figure = |(field, value): &(&String, &Value)| {
        holds_an_indicator(value) || !field.starts_with("date_") && !value.is_number() && holds_a_number(value)
    };
    if let Some((field, _)) = document.iter().find(holds_a_figure) {
        return refusal(format!(
            "{field} : un indicateur ne se met pas dans un sous-champ, où le seuil ne le verrait pas"
        ));
    }
    Ok(())
}

/// Indicators are numbers or unknown; a value that is none is not repeated, it may belong to a group under the threshold.
fn verify_numbers(document: &Document) -> Result<(), RefusedLine> {
    let wrong = |(field, value): &(&String, &Value)| is_indicator(field) && !value.is_null() && !value.is_number();
    match document.iter().find(wrong) {
        Some((field, value)) => Err(RefusedLine(plausibility::no_number(field, value).message())),
        None => Ok(()),
    }
}

/// Why a line cannot be read; the parser's words reach nobody.
fn explained(line: &[u8], fault: &serde_json::Error) -> String {
    let column = if fault.is_syntax() { fault.column() } else { 0 };
    plausibility::forms::line_fault(line, column, fault.is_eof())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_is_wrong() {
        let base = r#""code_certification":"12345678","millesime":"2020","filiere":"pro""#;
        for (line, reason) in [
            ("pas du json".to_owned(), "la ligne n'est pas un objet JSON"),
            (r#"{"kind":"x","doc":{}}"#.into(), "kind « x » inconnu"),
            (r#"{"kind":"bcn","doc":[]}"#.into(), "doc n'est pas un objet JSON"),
            (r#"{"kind":"bcn","doc":{"type":"cfd"}}"#.into(), "code_certification manque"),
            (
                r#"{"kind":"bcn","doc":{"type":"cfd","code_certification":"12345678","nb_sortant":7}}"#.into(),
                "nb_sortant : un indicateur n'a pas sa place",
            ),
            (
                r#"{"kind":"bcn","doc":{"type":"cfd","code_certification":"12345678","diplome":{"taux_x":7}}}"#.into(),
                "diplome : un indicateur n'a pas sa place",
            ),
            (
                r#"{"kind":"certification","doc":{"code_certification":"é","millesime":"2020","filiere":"pro"}}"#
                    .into(),
                "code_certification : « é »",
            ),
            (
                r#"{"kind":"certification","doc":{"code_certification":"12345678","millesime":"20","filiere":"pro"}}"#
                    .into(),
                "millesime : « 20 »",
            ),
            (
                r#"{"kind":"certification","doc":{"code_certification":"12345678","millesime":"2020","filiere":"x"}}"#
                    .into(),
                "filiere : « x » inconnue",
            ),
            (
                format!(r#"{{"kind":"certification","doc":{{{base},"nb_sortant":"12"}}}}"#),
                "nb_sortant : un nombre ou null",
            ),
            (format!(r#"{{"kind":"regionale","doc":{{{base}}}}}"#), "region.code manque"),
            (
                format!(r#"{{"kind":"certification","doc":{{{base},"diplome":{{"details":[{{"nb_sortant":7}}]}}}}}}"#),
                "diplome : un indicateur",
            ),
            (format!(r#"{{"kind":"certification","doc":{{{base},"diplome":{{"x":3}}}}}}"#), "diplome : un indicateur"),
            (r#"{"kind":"user","doc":{"username":"a"}}"#.into(), "password : la forme"),
            (
                r#"{"kind":"user","doc":{"username":"a","password":"ab$4294967295$s"}}"#.into(),
                "password : le nombre d'itérations",
            ),
            (
                r#"{"kind":"user","doc":{"username":"a","password":"$argon2id$v=19$m=4194304,t=2,p=1$AAAAAAAA$AAAA"}}"#
                    .into(),
                "password : Argon2",
            ),
            (
                r#"{"kind":"rncp","doc":{"code_certification":"12345678901","rncp":"RNCP1"}}"#.into(),
                "code_certification :",
            ),
            (r#"{"kind":"rncp","doc":{"code_certification":"12345678","rncp":"1"}}"#.into(), "rncp : RNCP suivi"),
            (format!(r#"{{"kind":"formation","doc":{{{base},"uai":"075"}}}}"#), "uai : « 075 »"),
            (
                format!(r#"{{"kind":"certification","doc":{{{base},"libelle":"{}"}}}}"#, "x".repeat(70_000)),
                "le document dépasse",
            ),
        ] {
            let refusal = LineChecker::default().line(line.as_bytes()).unwrap_err();
            assert!(refusal.0.starts_with(reason), "{} / {reason}", refusal.0);
        }
    }

    #[test]
    fn a_row_of_the_catalogue_may_be_named_as_it_was_recorded() {
        for id in [r#""a1""#, r#"{"$oid":"a1"}"#] {
            let line = format!(r#"{{"kind":"catalogue","doc":{{"id":{id},"cfd":"40023204"}}}}"#);
            let valid = LineChecker::default().line(line.as_bytes()).unwrap();
            assert_eq!(valid.json, br#"{"id":"a1","cfd":"40023204"}"#);
        }
    }

    #[test]
    fn unknown_fields_are_kept_out_and_counted_unless_the_deployment_adds_them() {
        let line = br#"{"kind":"certification","doc":{"code_certification":"12345678","millesime":"2020","filiere":"pro","taux_mobilite":3,"autre":1,"_meta":{"x":1}}}"#;
        let indicators = ["taux_mobilite".to_owned()];
        let mut checker = LineChecker { indicators: &indicators, ..LineChecker::default() };
        let valid = checker.line(line).unwrap();
        let document: Document = serde_json::from_slice(&valid.json).unwrap();
        assert_eq!(document["taux_mobilite"], 3);
        assert!(!document.contains_key("autre") && !document.contains_key("_meta"));
        assert_eq!(checker.unknown, BTreeMap::from([("autre".to_owned(), 1)]));
    }

    #[test]
    fn a_maille_is_declared_before_its_documents_which_are_told_their_place() {
        let mut checker = LineChecker::default();
        let statistic = |academie: &str| {
            format!(
                r#"{{"kind":"statistique","doc":{{"maille":"academies","code_certification":"12345678","millesime":"2020","filiere":"pro","academie":{academie},"uai":"0750001A","nb_sortant":30}}}}"#
            )
        };
        let lyon = statistic(r#"{"code":"10","nom":"Lyon"}"#);
        let refusal = checker.line(lyon.as_bytes()).unwrap_err();
        assert!(refusal.0.starts_with("maille : « academies » n'est pas déclarée"), "{}", refusal.0);
        let declaration =
            br#"{"kind":"maille","doc":{"nom":"academies","libelle":"Acad\u00e9mies","cle":"academie.code"}}"#;
        checker.line(declaration).unwrap();
        checker.line(declaration).unwrap();
        let other = br#"{"kind":"maille","doc":{"nom":"academies","libelle":"x","cle":"academie.code"}}"#;
        assert!(checker.line(other).unwrap_err().0.contains("déjà déclarée autrement"));

        let valid = checker.line(lyon.as_bytes()).unwrap();
        let document: Document = serde_json::from_slice(&valid.json).unwrap();
        assert_eq!((document["maille"].as_str(), document["lieu"].as_str()), (Some("academies"), Some("10")));
        assert!(!document.contains_key("uai"), "an establishment is another maille");
        for academie in ["null", r#"{"code":"a.b"}"#, r#"{"code":"10","nb_sortant":7}"#] {
            let refusal = checker.line(statistic(academie).as_bytes()).unwrap_err();
            assert!(refusal.0.starts_with("academie") && !refusal.0.contains('7'), "{}", refusal.0);
        }
        for n in 1..MAILLES_MAX {
            let line = format!(r#"{{"kind":"maille","doc":{{"nom":"m{n}","libelle":"m","cle":"lieu"}}}}"#);
            checker.line(line.as_bytes()).unwrap();
        }
        let too_much = br#"{"kind":"maille","doc":{"nom":"encore","libelle":"m","cle":"lieu"}}"#;
        assert!(checker.line(too_much).unwrap_err().0.contains("au plus"));
    }
}
