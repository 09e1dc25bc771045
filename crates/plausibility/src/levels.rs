//! Severities, and how a deployment changes them.

use crate::Rule;
use serde::{Deserialize, Serialize};

/// What becomes of a document that breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// It is published; the report says so.
    #[serde(rename = "noter")]
    Noted,
    /// The publication waits until someone confirms.
    #[serde(rename = "confirmer")]
    Confirmed,
    /// It is kept out; the other lines go on.
    #[serde(rename = "refuser")]
    Refused,
}

impl Severity {
    /// Its name in reports and in the variable.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Noted => "noter",
            Self::Confirmed => "confirmer",
            Self::Refused => "refuser",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Noted, Self::Confirmed, Self::Refused].into_iter().find(|level| level.name() == name)
    }
}

/// The levels in use: those of the table, and what the deployment changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Severities([Severity; Rule::ALL.len()]);

impl Default for Severities {
    fn default() -> Self {
        Self(Rule::ALL.map(|rule| rule.text().level))
    }
}

impl Severities {
    /// Reads the variable: `taux_bornes=confirmer, uai_lettre=noter`; empty changes nothing, `tout` stands for every rule.
    ///
    /// # Errors
    /// What is no rule or no level, in words for whoever set the variable.
    pub fn read(variable: &str) -> Result<Self, String> {
        let mut levels = Self::default();
        for pair in variable.split([',', ';']).map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, level) = pair
                .split_once('=')
                .map(|(name, level)| (name.trim(), level.trim()))
                .ok_or_else(|| format!("« {pair} » n'est pas de la forme règle=niveau"))?;
            let parsed = |level: &str| {
                Severity::parse(level)
                    .ok_or_else(|| format!("« {level} » n'est pas un niveau ; attendu : noter, confirmer ou refuser"))
            };
            if name == "tout" {
                levels.0 = [parsed(level)?; Rule::ALL.len()];
                continue;
            }
            let rule = Rule::parse(name).ok_or_else(|| {
                let known: Vec<&str> = Rule::ALL.iter().map(|rule| rule.text().name).collect();
                format!("« {name} » n'est pas une règle ; attendu : {}", known.join(", "))
            })?;
            let level = parsed(level)?;
            if let Some(place) = levels.0.get_mut(rule.rank()) {
                *place = level;
            }
        }
        Ok(levels)
    }

    /// The level of a rule.
    #[must_use]
    pub fn of(&self, rule: Rule) -> Severity {
        self.0.get(rule.rank()).copied().unwrap_or(Severity::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_raises_and_lowers_levels_by_name() {
        let levels = Severities::read("taux_bornes=confirmer; parts_somme = refuser").unwrap();
        assert_eq!(levels.of(Rule::RateBounds), Severity::Confirmed);
        assert_eq!(levels.of(Rule::ShareSum), Severity::Refused);
        assert_eq!(levels.of(Rule::UaiLetter), Severity::Refused);
        assert_eq!(Severities::read(" "), Ok(Severities::default()));
        let noted = Severities::read("tout=noter, taux_bornes=refuser").unwrap();
        assert_eq!((noted.of(Rule::UaiLetter), noted.of(Rule::RateBounds)), (Severity::Noted, Severity::Refused));
        for (wrong, said) in [
            ("taux", "n'est pas de la forme"),
            ("taux=noter", "n'est pas une règle"),
            ("taux_bornes=oui", "n'est pas un niveau"),
        ] {
            assert!(Severities::read(wrong).unwrap_err().contains(said), "{wrong}");
        }
    }

    #[test]
    fn every_rule_has_a_name_of_its_own_that_is_read_back() {
        for rule in Rule::ALL {
            assert_eq!(Rule::parse(rule.text().name), Some(rule));
            let text = rule.text();
            assert!([text.source, text.asks, text.remedy].iter().all(|said| said.len() > 3), "{}", text.name);
        }
    }
}
