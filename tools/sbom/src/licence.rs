//! SPDX expressions, and the licences that `deny.toml` allows.

use anyhow::{Context, bail, ensure};
use std::path::Path;

/// An expression, such as `(MIT OR Apache-2.0) AND Unicode-3.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// A licence, with its exception where it has one.
    One(String),
    /// All of these apply.
    All(Vec<Expression>),
    /// One of these is to be chosen.
    Any(Vec<Expression>),
}

impl Expression {
    /// Reads an expression; `/` separates alternatives, as in old manifests.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let text = text.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        let mut words = text.split_whitespace().peekable();
        let expression = any(&mut words).with_context(|| format!("licence {text:?}"))?;
        ensure!(words.next().is_none(), "licence {text:?} goes on");
        Ok(expression)
    }

    /// The licences under which something is taken, the first allowed one of each choice; `None` where none is allowed.
    #[must_use]
    pub fn choose(&self, allowed: &[String]) -> Option<Vec<String>> {
        let rank = |licences: &Vec<String>| {
            licences.iter().filter_map(|one| allowed.iter().position(|allowed| allowed == one)).max()
        };
        match self {
            Self::One(licence) => allowed.contains(licence).then(|| vec![licence.clone()]),
            Self::All(parts) => {
                let chosen: Option<Vec<_>> = parts.iter().map(|part| part.choose(allowed)).collect();
                chosen.map(|parts| parts.concat())
            }
            Self::Any(parts) => parts.iter().filter_map(|part| part.choose(allowed)).min_by_key(rank),
        }
    }
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>) -> anyhow::Result<Expression> {
    let mut parts = vec![all(words)?];
    while words.next_if_eq(&"OR").is_some() {
        parts.push(all(words)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) })
}

fn all(words: &mut Words<'_>) -> anyhow::Result<Expression> {
    let mut parts = vec![one(words)?];
    while words.next_if_eq(&"AND").is_some() {
        parts.push(one(words)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::All(parts) })
}

fn one(words: &mut Words<'_>) -> anyhow::Result<Expression> {
    match words.next().context("a licence is missing")? {
        "(" => {
            let inner = any(words)?;
            ensure!(words.next() == Some(")"), "a bracket is not closed");
            Ok(inner)
        }
        word @ (")" | "OR" | "AND" | "WITH") => bail!("{word} stands where a licence should"),
        licence => Ok(Expression::One(match words.next_if_eq(&"WITH") {
            None => licence.to_owned(),
            Some(_) => format!("{licence} WITH {}", words.next().context("an exception is missing")?),
        })),
    }
}

/// The licences that `deny.toml` allows, those preferred first.
///
/// # Errors
/// Where the file does not say.
pub fn allowed(root: &Path) -> anyhow::Result<Vec<String>> {
    let deny: toml::Table = std::fs::read_to_string(root.join("deny.toml")).context("deny.toml")?.parse()?;
    let list = deny.get("licenses").and_then(|licences| licences.get("allow")).and_then(toml::Value::as_array);
    let list = list.context("deny.toml has no licenses.allow")?;
    Ok(list.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_licence_of_each_choice_is_taken() {
        let allowed = ["MIT", "Apache-2.0", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        let rows = [
            ("MIT", "MIT"),
            ("Apache-2.0 OR MIT", "MIT"),
            ("Unlicense/MIT", "MIT"),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", "MIT + Unicode-3.0"),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0", "Apache-2.0"),
            ("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception"),
            ("GPL-3.0-only OR MIT AND Apache-2.0", "MIT + Apache-2.0"),
            ("GPL-3.0-only", "none"),
            ("GPL-3.0-only AND MIT", "none"),
        ];
        for (text, expected) in rows {
            let chosen = Expression::parse(text).unwrap().choose(&allowed);
            assert_eq!(chosen.map_or("none".to_owned(), |licences| licences.join(" + ")), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["", "MIT OR", "(MIT", "MIT Apache-2.0", "OR MIT", "MIT WITH"] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }
}
