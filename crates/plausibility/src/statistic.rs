//! The rules, applied to one document.

use crate::known::KnownCodes;
use crate::texts::{date_remedy, is_spoilt, number_remedy, shown};
use crate::{Finding, Rule, Severities, Severity};
use domain::indicator::{DELAYS, NB_ANNEE_TERM, WAGES, is_indicator};
use domain::threshold::is_below_threshold;
use domain::uai::check_letter;
use domain::{CodeType, Document, Filiere, Kind, Maille, Millesime, Uai, Universe, date, rates, territory};
use serde_json::Value;

/// Largest count that is believed unasked.
const COUNT_MAX: f64 = 1_000_000.0;
/// Net monthly wages that are believed.
const WAGES_BELIEVED: std::ops::RangeInclusive<f64> = 500.0..=15_000.0;
/// How far three rounded shares may be from 100.
const ROUNDING: f64 = 1.5;
/// Milliseconds since 1970 below which a number is no instant that anybody means: a day written without hyphens, or the day
/// number of a spreadsheet.
const INSTANT_MIN: u64 = 100_000_000;
/// The first year of the offices' statistics.
const FIRST_YEAR: i64 = 2000;
/// Years that a course opens or closes in.
const DATES: std::ops::RangeInclusive<i64> = 1900..=2100;

/// Where a document comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueOrigin {
    /// Someone sent it.
    #[default]
    Push,
    /// The treatments made it of what a service said. The contract fixes what they make: nothing of it is refused here, and
    /// a rate above 100 that follows from its counts is noted.
    Collection,
}

/// Applies the rules to documents.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    /// The levels in use.
    pub levels: Severities,
    /// Where the documents come from.
    pub origin: ValueOrigin,
    /// The present year; without it nothing lies in the future.
    pub year: Option<i64>,
    /// The codes that are known, where any are.
    pub known: KnownCodes,
}

/// The findings of one document, as they come up.
struct Findings<'a> {
    checker: &'a Checker,
    /// Whether values of indicators may be repeated.
    tells: bool,
    found: Vec<Finding>,
}

impl Findings<'_> {
    fn put(&mut self, rule: Rule, field: &str, found: String, remedy: Option<String>) {
        let mut level = self.checker.levels.of(rule);
        if self.checker.origin == ValueOrigin::Collection {
            level = level.min(Severity::Confirmed);
        }
        self.found.push(Finding { rule, level, field: field.to_owned(), found, remedy });
    }

    /// The value of an indicator, or why it is not told.
    fn value(&self, value: &Value) -> String {
        if self.tells { shown(value) } else { "une valeur (tue : groupe de moins de 20)".to_owned() }
    }

    fn indicator(&mut self, rule: Rule, field: &str, value: &Value) {
        let found = self.value(value);
        self.put(rule, field, found, None);
    }
}

impl Checker {
    /// What a document breaks; statistics and the nomenclature are looked at.
    #[must_use]
    pub fn check(&self, kind: Kind, document: &Document) -> Vec<Finding> {
        let mut findings = Findings {
            checker: self,
            tells: document.get(NB_ANNEE_TERM).is_none_or(|size| !is_below_threshold(Some(size))),
            found: Vec::new(),
        };
        if let Some(maille) = kind.maille() {
            self.indicators(maille, document, &mut findings);
            self.code(document, &mut findings);
            self.millesime(maille, document, &mut findings);
            place(maille, document, &mut findings);
        }
        if kind.maille().is_some() || matches!(kind, Kind::Bcn | Kind::BcnMef | Kind::BcnSise) {
            dates_and_texts(document, &mut findings);
        }
        findings.found
    }

    fn indicators(&self, maille: Maille, document: &Document, findings: &mut Findings<'_>) {
        let size = number(document, NB_ANNEE_TERM);
        for (field, value) in document.iter().filter(|(field, value)| is_indicator(field) && !value.is_null()) {
            let Some(n) = value.as_f64() else {
                findings.found.push(no_number(field, value));
                continue;
            };
            let whole = n.fract() == 0.0;
            if field.starts_with("taux_") {
                if !(0.0..=100.0).contains(&n) {
                    let follows =
                        self.origin == ValueOrigin::Collection && n > 100.0 && follows_from_counts(field, n, document);
                    let rule = if follows { Rule::CountAboveSize } else { Rule::RateBounds };
                    findings.indicator(rule, field, value);
                } else if n > 0.0 && n < 1.0 {
                    findings.indicator(Rule::RateFraction, field, value);
                } else if !whole {
                    findings.indicator(Rule::RateWhole, field, value);
                }
            } else if field.starts_with("nb_") {
                if !whole || n < 0.0 {
                    findings.indicator(Rule::CountWhole, field, value);
                } else if n > COUNT_MAX {
                    findings.indicator(Rule::CountHuge, field, value);
                } else if size.is_some_and(|size| n > size) {
                    let found = match document.get(NB_ANNEE_TERM) {
                        Some(of) if findings.tells => format!("{} pour {} jeunes", shown(value), shown(of)),
                        _ => findings.value(value),
                    };
                    findings.put(Rule::CountAboveSize, field, found, None);
                }
            } else if !whole || n < 0.0 {
                findings.indicator(Rule::WageWhole, field, value);
            } else if !WAGES_BELIEVED.contains(&n) {
                findings.indicator(Rule::WageBounds, field, value);
            }
        }
        let parts = number(document, "nb_sortant").zip(number(document, "nb_poursuite_etudes"));
        if let (Some((leavers, continuing)), Some(size)) = (parts, size)
            && leavers + continuing > size
            && leavers <= size
            && continuing <= size
        {
            let found = match document.get(NB_ANNEE_TERM) {
                Some(of) if findings.tells => {
                    format!("{} pour {} jeunes", rates::number(leavers + continuing), shown(of))
                }
                _ => findings.value(&Value::Null),
            };
            findings.put(Rule::CountAboveSize, "nb_sortant + nb_poursuite_etudes", found, None);
        }
        shares(document, findings);
        wages(maille, document, findings);
    }

    fn code(&self, document: &Document, findings: &mut Findings<'_>) {
        const FIELD: &str = "code_certification";
        let Some(code) = text(document, FIELD) else { return };
        let filiere = text(document, "filiere").and_then(Filiere::parse);
        let Some(code_type) = type_of(code) else {
            let remedy = match code.len() {
                5..=6 => Some("compléter les zéros de tête qu'un tableur retire".to_owned()),
                9..=10 if code.bytes().all(|b| b.is_ascii_digit()) => {
                    Some("vérifier le code : il manque des chiffres, ou des zéros de tête".to_owned())
                }
                _ if code.contains(':') => Some("retirer le préfixe".to_owned()),
                _ if code.contains('E') && code.contains('+') => {
                    Some("un tableur l'a mis en notation scientifique : mettre la colonne au format texte".to_owned())
                }
                _ => None,
            };
            findings.put(Rule::CodeShape, FIELD, format!("« {} »", short(code)), remedy);
            return;
        };
        if let Some(filiere) = filiere.filter(|filiere| expected_type(*filiere) != code_type) {
            findings.put(Rule::CodeFiliere, FIELD, format!("« {code} » en filière {}", filiere.as_str()), None);
        }
        if !self.known.is_empty() && !self.known.knows(code) {
            findings.put(Rule::CodeUnknown, FIELD, format!("« {code} »"), None);
        }
    }

    fn millesime(&self, maille: Maille, document: &Document, findings: &mut Findings<'_>) {
        const FIELD: &str = "millesime";
        let Some(millesime) = text(document, FIELD).and_then(Millesime::parse) else { return };
        let years: Vec<i64> = millesime.years().filter_map(|year| year.parse().ok()).collect();
        let (Some(first), Some(last)) = (years.first(), years.last()) else { return };
        let found = format!("« {millesime} »");
        if self.year.is_some_and(|year| *last > year) {
            findings.put(Rule::MillesimeFuture, FIELD, found, None);
        } else if *first < FIRST_YEAR {
            findings.put(Rule::MillesimeBounds, FIELD, found, None);
        } else {
            let secondary = text(document, "filiere")
                .and_then(Filiere::parse)
                .is_some_and(|filiere| filiere.universe() == Universe::Secondaire);
            let follow = !millesime.is_period() || *last == first + 1;
            // A declared maille is written as its office likes.
            let fits = maille == Maille::Declared || millesime.is_period() == (maille != Maille::National);
            if !follow || secondary && !fits {
                findings.put(Rule::MillesimeMaille, FIELD, found, None);
            }
        }
    }
}

/// An indicator that is no number: always refused, by whatever it was sent or made.
#[must_use]
pub fn no_number(field: &str, value: &Value) -> Finding {
    let remedy = value.as_str().and_then(number_remedy);
    Finding { rule: Rule::Number, level: Severity::Refused, field: field.to_owned(), found: String::new(), remedy }
}

/// The nomenclature that a code has the shape of; documents hold codes without prefix.
fn type_of(code: &str) -> Option<CodeType> {
    let shape = code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    match code.len() {
        7 if shape => Some(CodeType::Sise),
        8 if shape => Some(CodeType::Cfd),
        11 if shape => Some(CodeType::Mef),
        _ => None,
    }
}

/// The nomenclature of a filiere.
fn expected_type(filiere: Filiere) -> CodeType {
    match filiere {
        Filiere::Apprentissage => CodeType::Cfd,
        Filiere::Superieur => CodeType::Sise,
        Filiere::Pro | Filiere::Agricultural => CodeType::Mef,
    }
}

/// Whether a rate is what its count and its size give.
fn follows_from_counts(rate_field: &str, rate: f64, document: &Document) -> bool {
    let count = match rate_field {
        "taux_en_formation" => "nb_poursuite_etudes".to_owned(),
        other => other.replacen("taux_", "nb_", 1),
    };
    let (Some(count), Some(size)) = (number(document, &count), number(document, NB_ANNEE_TERM)) else { return false };
    rates::rate(count, size) == Some(rate)
}

fn shares(document: &Document, findings: &mut Findings<'_>) {
    let Some(training) = number(document, "taux_en_formation") else { return };
    for delay in DELAYS {
        let field = format!("taux_en_emploi_{delay}_mois");
        let Some(employed) = number(document, &field) else { continue };
        let others = number(document, &format!("taux_autres_{delay}_mois"));
        let sum = training + employed + others.unwrap_or_default();
        let wrong = if others.is_some() { (sum - 100.0).abs() > ROUNDING } else { sum > 100.0 + ROUNDING };
        if wrong {
            let found = findings.value(&rates::number(sum));
            let found = if findings.tells { format!("une somme de {found}") } else { found };
            findings.put(Rule::ShareSum, &field, found, None);
        }
    }
}

fn wages(maille: Maille, document: &Document, findings: &mut Findings<'_>) {
    let quartiles: Vec<f64> = WAGES.iter().filter_map(|field| number(document, field)).collect();
    let first = WAGES.first().copied().unwrap_or_default();
    if !quartiles.is_sorted() {
        let values: Vec<String> = quartiles.iter().map(|q| rates::number(*q).to_string()).collect();
        findings.put(Rule::WageOrder, first, values.join(", "), None);
    }
    if maille != Maille::National && !quartiles.is_empty() {
        findings.put(Rule::WageMaille, first, String::new(), None);
    }
}

fn place(maille: Maille, document: &Document, findings: &mut Findings<'_>) {
    let code = |field: &str| document.get(field).and_then(|v| v.get("code")).and_then(Value::as_str);
    let region = code("region").and_then(territory::region);
    if maille == Maille::Etablissement
        && let Some(uai) = text(document, "uai").and_then(Uai::parse)
    {
        if !uai.is_check_letter() {
            let right = uai.as_str().get(..7).and_then(check_letter).unwrap_or_default();
            let remedy = format!("pour ces chiffres la lettre est {right} : corriger la lettre, ou les chiffres");
            findings.put(Rule::UaiLetter, "uai", format!("« {uai} »"), Some(remedy));
        }
        let departement = uai.as_str().get(..3).unwrap_or_default();
        // Corsican establishments are numbered under 620 and 720.
        let at = match departement {
            "620" | "720" => territory::region_of_departement("2A"),
            other => territory::region_of_departement_insee_3(other),
        };
        if let (Some(at), Some(region)) = (at, region)
            && at.code != region.code
        {
            findings.put(Rule::UaiTerritory, "uai", format!("« {uai} » en région {}", region.name), None);
        }
    }
    if maille != Maille::Declared
        && let Some(code) = code("academie")
    {
        match territory::academie(code) {
            None => findings.put(Rule::AcademieUnknown, "academie.code", format!("« {} »", short(code)), None),
            Some((of, academie)) => {
                // Mayotte was counted with La Réunion until it had an academie of its own.
                if region.is_some_and(|region| region.code != of.code && region.code != "06") {
                    let found = format!("{} en région {}", academie.name, region.map_or("", |r| r.name));
                    findings.put(Rule::AcademieRegion, "academie.code", found, None);
                } else if maille == Maille::Etablissement
                    && of.academies.len() > 1
                    && let Some(uai) = text(document, "uai").and_then(Uai::parse)
                    && let Some(right) = uai.as_str().get(..3).and_then(territory::academie_of_departement_insee_3)
                    && right != code
                    && of.academies.iter().any(|other| other.code == right)
                {
                    let found = format!("{} pour l'UAI « {uai} »", academie.name);
                    findings.put(Rule::AcademieRegion, "academie.code", found, None);
                }
            }
        }
    }
}

/// Whether a number may be milliseconds since 1970.
fn is_instant(number: i64) -> bool {
    number.unsigned_abs() >= INSTANT_MIN
}

fn dates_and_texts(document: &Document, findings: &mut Findings<'_>) {
    let day = |field: &str| document.get(field).and_then(date::read_value);
    if let Some((opening, closing)) = day("date_ouverture").zip(day("date_fermeture"))
        && closing < opening
    {
        findings.put(
            Rule::DateOrder,
            "date_fermeture",
            shown(document.get("date_fermeture").unwrap_or(&Value::Null)),
            None,
        );
    }
    for (field, value) in document {
        if field.starts_with("date_") && !field.contains("session") && !value.is_null() {
            let written = value.get("$date").unwrap_or(value);
            let instant = date::read_value(value).filter(|_| written.as_i64().is_none_or(is_instant));
            match instant {
                Some(instant) => {
                    let (year, ..) = date::date(instant.div_euclid(86_400_000));
                    if !DATES.contains(&year) {
                        findings.put(Rule::DateBounds, field, shown(written), None);
                    }
                }
                None => {
                    let digits = written.as_i64().map(|number| number.to_string());
                    let remedy = written.as_str().or(digits.as_deref()).and_then(|text| date_remedy(text.trim()));
                    findings.put(Rule::DateShape, field, shown(written), remedy);
                }
            }
        } else if field.starts_with("libelle") || field == "diplome" || field == "region" || field == "academie" {
            let texts = match value {
                Value::String(text) => vec![text.as_str()],
                Value::Object(fields) => fields.values().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            if texts.iter().any(|text| is_spoilt(text)) {
                findings.put(Rule::TextSpoilt, field, shown(value), None);
            }
        }
    }
}

fn text<'a>(document: &'a Document, field: &str) -> Option<&'a str> {
    document.get(field).and_then(Value::as_str)
}

fn number(document: &Document, field: &str) -> Option<f64> {
    document.get(field).and_then(Value::as_f64)
}

fn short(text: &str) -> String {
    text.chars().take(20).collect()
}
