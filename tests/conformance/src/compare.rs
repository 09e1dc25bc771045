//! Answers as values: what differs between a recorded one and ours.

use crate::case::Case;
use serde_json::{Map, Value};

/// What was found while comparing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What must not differ and does.
    pub differences: Vec<String>,
    /// Faults of a 400 whose text is the recorded one.
    pub texts_equal: usize,
    /// Faults of a 400 whose text is another.
    pub texts_other: Vec<String>,
}

impl Findings {
    /// One difference.
    pub fn differ(&mut self, text: impl Into<String>) {
        self.differences.push(text.into());
    }

    fn unequal(&mut self, path: &[String], theirs: Option<&Value>, ours: Option<&Value>) {
        let shown = |value: Option<&Value>| match value {
            None => "nothing".to_owned(),
            Some(value) => {
                let text = value.to_string();
                match text.char_indices().nth(300) {
                    Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
                    None => text,
                }
            }
        };
        let place = if path.is_empty() { "body".to_owned() } else { path.join(".") };
        self.differ(format!("{place}: expected {}, got {}", shown(theirs), shown(ours)));
    }
}

/// Compares two JSON bodies.
pub fn json(case: &Case, theirs: &Value, ours: &Value, findings: &mut Findings) {
    let mut path = Vec::new();
    Comparison { unordered: &case.unordered_fields, findings }.value(&mut path, theirs, ours);
}

/// Whether two JSON values are equal by the rules of a case.
#[must_use]
pub fn equal(case: &Case, theirs: &Value, ours: &Value) -> bool {
    let mut findings = Findings::default();
    json(case, theirs, ours, &mut findings);
    findings.differences.is_empty()
}

/// Compares two lists of rows as sets.
pub fn rows(case: &Case, theirs: &[Value], ours: &[Value], findings: &mut Findings) {
    let (missing, extra) = unmatched(theirs, ours, |a, b| equal(case, a, b));
    // A row on each side: show where they differ rather than both.
    for (theirs, ours) in missing.iter().zip(&extra) {
        json(case, theirs, ours, findings);
    }
    for row in missing.iter().skip(extra.len()) {
        findings.differ(format!("- {row}"));
    }
    for row in extra.iter().skip(missing.len()) {
        findings.differ(format!("+ {row}"));
    }
}

/// What of each list has no partner in the other.
fn unmatched<'v>(
    theirs: &'v [Value],
    ours: &'v [Value],
    equal: impl Fn(&Value, &Value) -> bool,
) -> (Vec<&'v Value>, Vec<&'v Value>) {
    let mut extra: Vec<&Value> = ours.iter().collect();
    let mut missing = Vec::new();
    for value in theirs {
        match extra.iter().position(|ours| equal(value, ours)) {
            Some(index) => drop(extra.remove(index)),
            None => missing.push(value),
        }
    }
    (missing, extra)
}

struct Comparison<'a> {
    unordered: &'a [String],
    findings: &'a mut Findings,
}

impl Comparison<'_> {
    fn value(&mut self, path: &mut Vec<String>, theirs: &Value, ours: &Value) {
        match (theirs, ours) {
            (Value::Object(theirs), Value::Object(ours)) => self.object(path, theirs, ours),
            (Value::Array(theirs), Value::Array(ours)) if self.is_set(path) => self.set(path, theirs, ours),
            (Value::Array(theirs), Value::Array(ours)) if path.as_slice() == ["details"] => {
                self.faults(path, theirs, ours);
            }
            (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
                for (index, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
                    path.push(index.to_string());
                    self.value(path, theirs, ours);
                    path.pop();
                }
            }
            (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
            (theirs, ours) if theirs == ours => {}
            (theirs, ours) => self.findings.unequal(path, Some(theirs), Some(ours)),
        }
    }

    fn object(&mut self, path: &mut Vec<String>, theirs: &Map<String, Value>, ours: &Map<String, Value>) {
        for (name, value) in theirs {
            path.push(name.clone());
            match ours.get(name) {
                Some(ours) if path.ends_with(&["_meta".to_owned(), "messages".to_owned()]) => {
                    self.messages(path, value, ours);
                }
                Some(ours) => self.value(path, value, ours),
                None => self.findings.unequal(path, Some(value), None),
            }
            path.pop();
        }
        for (name, value) in ours.iter().filter(|(name, _)| !theirs.contains_key(*name)) {
            path.push(name.clone());
            self.findings.unequal(path, None, Some(value));
            path.pop();
        }
    }

    fn is_set(&self, path: &[String]) -> bool {
        let named = |pattern: &String| {
            let pattern: Vec<&str> = pattern.split('.').collect();
            pattern.len() == path.len() && pattern.iter().zip(path).all(|(part, name)| *part == "*" || part == name)
        };
        path.last().is_some_and(|name| name == "certificationsTerminales") || self.unordered.iter().any(named)
    }

    fn set(&mut self, path: &mut Vec<String>, theirs: &[Value], ours: &[Value]) {
        let equal = |a: &Value, b: &Value| {
            let mut findings = Findings::default();
            Comparison { unordered: self.unordered, findings: &mut findings }.value(&mut path.clone(), a, b);
            findings.differences.is_empty()
        };
        let (missing, extra) = unmatched(theirs, ours, equal);
        for (theirs, ours) in missing.iter().zip(&extra) {
            path.push("*".to_owned());
            self.value(path, theirs, ours);
            path.pop();
        }
        for value in missing.iter().skip(extra.len()) {
            self.findings.unequal(path, Some(value), None);
        }
        for value in extra.iter().skip(missing.len()) {
            self.findings.unequal(path, None, Some(value));
        }
    }

    /// Ours hold the recorded ones: the former service lost one where two applied.
    fn messages(&mut self, path: &[String], theirs: &Value, ours: &Value) {
        let list = |value: &Value| value.as_array().cloned();
        match (list(theirs), list(ours)) {
            (Some(theirs_list), Some(ours_list)) if theirs_list.iter().all(|message| ours_list.contains(message)) => {}
            _ => self.findings.unequal(path, Some(theirs), Some(ours)),
        }
    }

    /// The faults of a 400: everything but their texts.
    fn faults(&mut self, path: &mut Vec<String>, theirs: &[Value], ours: &[Value]) {
        if theirs.len() != ours.len() {
            let brief = |faults: &[Value]| -> Vec<String> {
                faults.iter().map(|fault| format!("{} {}", fault["path"], fault["type"])).collect()
            };
            let (theirs, ours) = (brief(theirs).join(", "), brief(ours).join(", "));
            self.findings.differ(format!("details: expected [{theirs}], got [{ours}]"));
            return;
        }
        for (index, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
            path.push(index.to_string());
            for name in ["path", "type", "context"] {
                path.push(name.to_owned());
                self.value(path, &theirs[name], &ours[name]);
                path.pop();
            }
            match (&theirs["message"], &ours["message"]) {
                (a, b) if a == b => self.findings.texts_equal += 1,
                (a, Value::String(b)) => self.findings.texts_other.push(format!("expected {a}, got {b:?}")),
                (_, other) => self.findings.differ(format!("{}.message: got {other}", path.join("."))),
            }
            path.pop();
        }
    }
}
