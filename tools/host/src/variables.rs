//! Application and component variables, and the `{{ name }}` templates that tie them together.
//!
//! A component sees only the variables its own `variables` table names; their values are templates over the
//! application's variables. An application variable is looked up in this order, the first that has it wins:
//! values given on the command line (or in [`crate::Config::variables`]), the environment variable
//! `SPIN_VARIABLE_NAME`, the `.env` file beside the manifest, the manifest's default.

use std::collections::BTreeMap;

/// A string with `{{ name }}` expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

impl Template {
    /// Parses a template; an opened expression that is never closed is an error.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) =
                after.split_once("}}").ok_or("invalid variable template: unmatched '{{' in template")?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Variable(name.trim().to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// True where the template has no expression.
    pub fn is_literal(&self) -> bool {
        self.names().next().is_none()
    }

    /// The variables the template asks for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with every expression replaced; `Err` names the variable that has no value.
    pub fn resolve(&self, variables: &Variables) -> Result<String, String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Variable(name) => text.push_str(variables.get(name)?),
            }
        }
        Ok(text)
    }
}

/// Checks a variable's name: lower-case ASCII letters, digits and single underscores, a letter first, no underscore
/// last.
pub fn check_name(name: &str) -> Result<(), String> {
    let reason = if name.is_empty() {
        "must not be empty"
    } else if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        "may contain only lower-case letters, digits and underscores"
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        "must start with a lower-case letter"
    } else if name.ends_with('_') {
        "must end with a lower-case letter or digit"
    } else if name.contains("__") {
        "must not contain two underscores in a row"
    } else {
        return Ok(());
    };
    Err(format!("variable name {name:?} {reason}"))
}

/// Where values come from, in order of precedence.
#[derive(Debug, Default)]
pub struct Sources {
    /// Values given explicitly; keys are variable names.
    pub given: BTreeMap<String, String>,
    /// The process environment; keys are `SPIN_VARIABLE_NAME`.
    pub environment: BTreeMap<String, String>,
    /// The `.env` file; keys are `SPIN_VARIABLE_NAME`.
    pub file: BTreeMap<String, String>,
}

impl Sources {
    /// The `SPIN_VARIABLE_…` part of this process's environment.
    pub fn process_environment() -> BTreeMap<String, String> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect()
    }
}

const PREFIX: &str = "SPIN_VARIABLE_";

/// The application's variables with their values.
#[derive(Debug)]
pub struct Variables(BTreeMap<String, Option<String>>);

impl Variables {
    /// Looks every declared variable up; `declared` maps a name to its default, `None` where it is required.
    pub fn new(declared: &BTreeMap<String, Option<String>>, sources: &Sources) -> Self {
        let value = |name: &String, default: &Option<String>| {
            let key = format!("{PREFIX}{}", name.to_ascii_uppercase());
            let sources = [sources.given.get(name), sources.environment.get(&key), sources.file.get(&key)];
            sources.into_iter().flatten().next().or(default.as_ref()).cloned()
        };
        Self(declared.iter().map(|(name, default)| (name.clone(), value(name, default))).collect())
    }

    /// The value of an application variable.
    pub fn get(&self, name: &str) -> Result<&str, String> {
        match self.0.get(name) {
            Some(Some(value)) => Ok(value),
            Some(None) => Err(format!("no provider resolved required variable {name:?}")),
            None => Err(format!("unknown variable {name:?}")),
        }
    }

    /// The required variables that nothing gives a value to.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str())
    }
}

/// Reads the text of a `.env` file: `NAME=value` lines, `#` comments, an optional `export`, values bare, in single
/// quotes (verbatim) or in double quotes (with `\n`, `\"`, `\\`). `Err` gives the number of the line at fault.
pub fn parse_env_file(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let fault = |what: &str| format!("line {}: {what}", index + 1);
        let (name, value) = line.split_once('=').ok_or_else(|| fault("no `=`"))?;
        let value = value.trim();
        let value = if let Some(rest) = value.strip_prefix('\'') {
            let (value, _) = rest.split_once('\'').ok_or_else(|| fault("quote not closed"))?;
            value.to_owned()
        } else if let Some(rest) = value.strip_prefix('"') {
            unescape(rest).ok_or_else(|| fault("quote not closed"))?
        } else {
            let end = value.find(" #").unwrap_or(value.len());
            value.split_at(end).0.trim_end().to_owned()
        };
        values.insert(name.trim().to_owned(), value);
    }
    Ok(values)
}

/// The text up to the closing double quote, escapes replaced; `None` where there is no closing quote.
fn unescape(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some(value),
            '\\' => match characters.next()? {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}
