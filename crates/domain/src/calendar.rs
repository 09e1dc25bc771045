//! When publications are expected: what a statistical office announces.

use crate::Millesime;
use crate::date;
use serde::{Deserialize, Serialize};

/// Announcements that are kept.
const ANNOUNCED_MAX: usize = 50;
/// Characters of a text.
const TEXT_MAX: usize = 200;

/// The publications that are announced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// In the order of their days.
    pub publications: Vec<Announcement>,
}

/// A publication that is announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// The day (`2027-02-15`), or the month where no day is known yet (`2027-02`).
    #[serde(rename = "le")]
    pub day: String,
    /// What is published, in words.
    #[serde(rename = "titre")]
    pub title: String,
    /// The maille that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maille: Option<String>,
    /// The millesime that it brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millesime: Option<String>,
}

impl Announcement {
    /// Its first day, in milliseconds since 1970, and whether the month alone is known; `None` where it is neither.
    #[must_use]
    pub fn instant(&self) -> Option<(i64, bool)> {
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        match self.day.len() {
            10 if digits(&self.day) => date::read_iso(&self.day).map(|instant| (instant, false)),
            7 if digits(&self.day) => date::read_iso(&format!("{}-01", self.day)).map(|instant| (instant, true)),
            _ => None,
        }
    }
}

impl Calendar {
    /// Sorts it by day, or says what is wrong with it.
    ///
    /// # Errors
    /// A sentence for whoever sent it.
    pub fn checked(mut self) -> Result<Self, String> {
        if self.publications.len() > ANNOUNCED_MAX {
            return Err(format!("publications : {ANNOUNCED_MAX} au plus"));
        }
        for (rank, told) in self.publications.iter().enumerate() {
            let short = |text: &str| (1..=TEXT_MAX).contains(&text.chars().count()) && !text.contains(char::is_control);
            let fault = if told.instant().is_none() {
                "le : un jour (2027-02-15) ou un mois (2027-02) est attendu"
            } else if !short(&told.title) || told.maille.as_deref().is_some_and(|maille| !short(maille)) {
                "titre, maille : un texte de 200 caractères au plus, sur une ligne, est attendu"
            } else if told.millesime.as_deref().is_some_and(|millesime| Millesime::parse(millesime).is_none()) {
                "millesime : 2023 ou 2022_2023 est attendu"
            } else {
                continue;
            };
            return Err(format!("publication {}, {fault}", rank + 1));
        }
        self.publications.sort_by(|a, b| a.day.cmp(&b.day));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str) -> Result<Calendar, String> {
        serde_json::from_str::<Calendar>(json).map_err(|fault| fault.to_string())?.checked()
    }

    #[test]
    fn a_calendar_is_sorted_and_what_is_no_day_is_refused() {
        let calendar = checked(
            r#"{"publications":[{"le":"2027-06","titre":"InserSup"},
                {"le":"2027-02-15","titre":"InserJeunes","maille":"formations","millesime":"2023_2024"}]}"#,
        )
        .unwrap();
        assert_eq!(calendar.publications[0].title, "InserJeunes");
        assert_eq!(calendar.publications[1].instant(), date::read_iso("2027-06-01").map(|instant| (instant, true)));
        for (wrong, said) in [
            (r#"{"publications":[{"le":"15/02/2027","titre":"x"}]}"#, "le :"),
            (r#"{"publications":[{"le":"2027-13","titre":"x"}]}"#, "le :"),
            (r#"{"publications":[{"le":"2027-02-30","titre":"x"}]}"#, "le :"),
            (r#"{"publications":[{"le":"2027-02","titre":""}]}"#, "titre"),
            (r#"{"publications":[{"le":"2027-02","titre":"a\nb"}]}"#, "titre"),
            (r#"{"publications":[{"le":"2027-02","titre":"x","millesime":"24"}]}"#, "millesime"),
            (r#"{"publications":[{"le":"2027-02","titre":"x","taux":3}]}"#, "taux"),
        ] {
            assert!(checked(wrong).unwrap_err().contains(said), "{wrong}");
        }
        let many = vec![r#"{"le":"2027-02","titre":"x"}"#; 51].join(",");
        assert!(checked(&format!("{{\"publications\":[{many}]}}")).is_err());
    }
}
