//! Faults of parameters, in the recorded form.
//!
//! The former service described its parameters to a validation library of its language; re-users
//! read `message`, `path`, `type` and `context` as that library wrote them.

use crate::error::ApiError;
use serde_json::{Map, Value, json};

/// Faults of a request that are told; the others are counted. A query of 8 KiB may hold some thousand.
pub const FAULTS_MAX: usize = 100;

/// Where a fault lies: a name, or an item of a list.
#[derive(Clone, Copy, Debug)]
pub enum FaultPlace<'a> {
    /// A parameter.
    Name(&'a str),
    /// Item `1` of a list parameter.
    Item(&'a str, usize),
}

impl FaultPlace<'_> {
    fn label(self) -> String {
        match self {
            Self::Name(name) => name.to_owned(),
            Self::Item(name, rank) => format!("{name}[{rank}]"),
        }
    }

    fn path(self) -> Value {
        match self {
            Self::Name(name) => json!([name]),
            Self::Item(name, rank) => json!([name, rank]),
        }
    }

    fn key(self) -> Value {
        match self {
            Self::Name(name) => name.into(),
            Self::Item(_, rank) => rank.into(),
        }
    }
}

/// Collects every fault of a request.
#[derive(Debug, Default)]
pub struct Faults {
    told: Vec<Value>,
    others: usize,
}

impl Faults {
    /// The error that tells them; none where there is none.
    ///
    /// # Errors
    /// [`ApiError::Validation`].
    pub fn finish(self) -> Result<(), ApiError> {
        let told = self.told();
        if told.is_empty() { Ok(()) } else { Err(ApiError::Validation(told, "".into())) }
    }

    /// What is told of them.
    #[must_use]
    pub fn told(mut self) -> Vec<Value> {
        if self.others > 0 {
            self.told.push(json!({
                "message": format!("{} other faults are not told", self.others),
                "path": [],
                "type": "faults.more",
                "context": {"limit": FAULTS_MAX, "count": self.others},
            }));
        }
        self.told
    }

    fn add(&mut self, place: FaultPlace<'_>, error_type: &str, rest: &str, value: Option<Value>, extra: Value) {
        if self.told.len() >= FAULTS_MAX {
            self.others += 1;
            return;
        }
        let label = place.label();
        let mut context = match extra {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        context.insert("label".into(), label.clone().into());
        if let Some(value) = value {
            context.insert("value".into(), value);
        }
        context.insert("key".into(), place.key());
        self.told.push(json!({
            "message": format!("\"{label}\" {rest}"),
            "path": place.path(),
            "type": error_type,
            "context": context,
        }));
    }

    /// The value is none of those allowed. `suite` replaces the list in the message.
    pub fn among(&mut self, place: FaultPlace<'_>, value: Value, allowed: &[&str], rest: Option<&str>) {
        let list = allowed.join(", ");
        let text = match (rest, allowed.len()) {
            (Some(rest), _) => rest.to_owned(),
            (None, 1) => format!("must be [{list}]"),
            (None, _) => format!("must be one of [{list}]"),
        };
        self.add(place, "any.only", &text, Some(value), json!({"valids": allowed}));
    }

    /// Empty text.
    pub fn empty(&mut self, place: FaultPlace<'_>) {
        self.add(place, "string.empty", "is not allowed to be empty", Some("".into()), Value::Null);
    }

    /// No text.
    pub fn not_a_text(&mut self, place: FaultPlace<'_>, value: Value) {
        self.add(place, "string.base", "must be a string", Some(value), Value::Null);
    }

    /// Missing.
    pub fn required(&mut self, place: FaultPlace<'_>) {
        self.add(place, "any.required", "is required", None, Value::Null);
    }

    /// No UAI.
    pub fn uai(&mut self, place: FaultPlace<'_>, value: &str) {
        self.pattern(place, value, "/^[0-9]{7}[A-Z]{1}$/");
    }

    /// No place of a declared maille.
    pub fn declared_place(&mut self, place: FaultPlace<'_>, value: &str) {
        self.pattern(place, value, "/^[A-Za-z0-9_-]{1,20}$/");
    }

    fn pattern(&mut self, place: FaultPlace<'_>, value: &str, pattern: &str) {
        let rest = format!("with value \"{value}\" fails to match the required pattern: {pattern}");
        self.add(place, "string.pattern.base", &rest, Some(value.into()), json!({"regex": {}}));
    }

    /// No millesime.
    pub fn millesime(&mut self, place: FaultPlace<'_>, value: &str) {
        let rest = "must have format XXXX or XXXX-1_XXXX";
        self.add(place, "millesime.invalid", rest, Some(value.into()), Value::Null);
    }

    /// No postal code that leads to a region.
    pub fn code_postal(&mut self, place: FaultPlace<'_>, value: &str) {
        let rest = "must be a valid postal code or region code";
        self.add(place, "postal_code.invalid", rest, Some(value.into()), Value::Null);
    }

    /// A list of codes with one that is none.
    pub fn codes(&mut self, place: FaultPlace<'_>, value: Value) {
        let rest = "must have the type CFD, MEFSTAT11 or SISE";
        self.add(place, "codes_certification.invalid", rest, Some(value), Value::Null);
    }

    /// More codes than a path may hold. They are not repeated: they may be thousands.
    pub fn too_many(&mut self, place: FaultPlace<'_>, max: usize) {
        let rest = format!("must contain less than or equal to {max} items");
        self.add(place, "array.max", &rest, None, json!({"limit": max}));
    }

    /// One code that is none.
    pub fn code(&mut self, place: FaultPlace<'_>, value: &str) {
        let rest = "must be a valid certification code.";
        self.add(place, "code_certification.invalid", rest, Some(value.into()), Value::Null);
    }

    /// A list none of whose items is valid.
    pub fn no_item(&mut self, place: FaultPlace<'_>, value: Value) {
        let rest = "does not contain 1 required value(s)";
        let context = json!({"unknownMisses": 1});
        self.add(place, "array.includesRequiredUnknowns", rest, Some(value), context);
    }

    /// A number that is none (`base`), too large to be exact (`unsafe`), or out of bounds.
    pub fn number(&mut self, place: FaultPlace<'_>, value: Value, fault: NumberFault) {
        match fault {
            NumberFault::Base => self.add(place, "number.base", "must be a number", Some(value), Value::Null),
            NumberFault::Imprecise => {
                self.add(place, "number.unsafe", "must be a safe number", Some(value), Value::Null);
            }
            NumberFault::Min(min) => {
                let rest = format!("must be greater than or equal to {min}");
                self.add(place, "number.min", &rest, Some(value), json!({"limit": min}));
            }
            NumberFault::Max(max) => {
                let rest = format!("must be less than or equal to {max}");
                self.add(place, "number.max", &rest, Some(value), json!({"limit": max}));
            }
        }
    }

    /// A name that the route does not know.
    pub fn unknown(&mut self, name: &str, value: Value) {
        self.add(FaultPlace::Name(name), "object.unknown", "is not allowed", Some(value), json!({"child": name}));
    }
}

/// What is wrong with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFault {
    /// No whole number.
    Base,
    /// Beyond 2^53.
    Imprecise,
    /// Below the lower bound.
    Min(u64),
    /// Above the upper bound.
    Max(u64),
}

/// Reads a whole number: outer spaces and an exponent are accepted. `0` and above.
///
/// # Errors
/// What is wrong with it.
pub fn whole_number(text: &str) -> Result<u64, NumberFault> {
    const EXACT: u64 = 9_007_199_254_740_991; // 2^53 - 1; what does not fit into 64 bits is beyond it as well
    let text = text.trim();
    let (negative, text) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(mantissa) || !digits(exponent.strip_prefix('+').unwrap_or(exponent)) {
        return Err(NumberFault::Base);
    }
    let exponent: u32 = exponent.trim_start_matches('+').parse().unwrap_or(u32::MAX);
    let value = mantissa
        .parse::<u64>()
        .ok()
        .and_then(|m| if m == 0 { Some(0) } else { 10u64.checked_pow(exponent).and_then(|p| m.checked_mul(p)) });
    match value {
        Some(value) if value <= EXACT => {
            if negative && value != 0 {
                return Err(NumberFault::Min(1));
            }
            Ok(value)
        }
        _ => Err(NumberFault::Imprecise),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_as_the_former_service_read_them() {
        for (text, read) in [
            ("1", Ok(1)),
            (" 2", Ok(2)),
            ("1e1", Ok(10)),
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("007", Ok(7)),
            ("abc", Err(NumberFault::Base)),
            ("", Err(NumberFault::Base)),
            ("1.5", Err(NumberFault::Base)),
            ("1e-1", Err(NumberFault::Base)),
            ("Infinity", Err(NumberFault::Base)),
            ("-1", Err(NumberFault::Min(1))),
            ("99999999999999999999", Err(NumberFault::Imprecise)),
            ("1e400", Err(NumberFault::Imprecise)),
        ] {
            assert_eq!(whole_number(text), read, "{text}");
        }
    }
}
