//! When publications are expected: what a statistical office announces.

use crate::Millesime;
use crate::date;
use serde_json::{Map, Value};

/// Announcements that are kept.
const ANNOUNCED_MAX: usize = 50;
/// Characters of a text.
const TEXT_MAX: usize = 200;
const PUBLICATIONS: &str = "publications";

/// The publications that are announced, in the order of their days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar(pub Vec<Announcement>);

/// A publication that is announced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announcement {
    /// The day (`2027-02-15`), or the month where no day is known yet (`2027-02`).
    pub day: String,
    /// What is published, in words.
    pub title: String,
    /// The maille that it is about.
    pub maille: Option<String>,
    /// The millesime that it brings.
    pub millesime: Option<String>,
}

impl Announcement {
    /// Its first day, in milliseconds since 1970, and whether the month alone is known; `None` where it is neither.
    #[must_use]
    pub fn instant(&self) -> Option<(i64, bool)> {
        match self.day.len() {
            10 => date::read_iso(&self.day).map(|instant| (instant, false)),
            7 => date::read_iso(&[&self.day, "-01"].concat()).map(|instant| (instant, true)),
            _ => None,
        }
    }

    fn read(value: &Value) -> Result<Self, &'static str> {
        const FIELDS: &str = "le, titre, maille, millesime : d'autres champs ne sont pas attendus";
        let mut told = Self::default();
        for (field, value) in value.as_object().ok_or(FIELDS)? {
            let text = value
                .as_str()
                .filter(|text| (1..=TEXT_MAX).contains(&text.chars().count()) && !text.contains(char::is_control));
            let text = text.ok_or("un texte de 200 caractères au plus, sur une ligne, est attendu")?.to_owned();
            match field.as_str() {
                "le" => told.day = text,
                "titre" => told.title = text,
                "maille" => told.maille = Some(text),
                "millesime" => told.millesime = Some(text),
                _ => return Err(FIELDS),
            }
        }
        if told.instant().is_none() {
            return Err("le : un jour (2027-02-15) ou un mois (2027-02) est attendu");
        }
        if told.title.is_empty() {
            return Err("titre : un texte est attendu");
        }
        if told.millesime.as_deref().is_some_and(|millesime| Millesime::parse(millesime).is_none()) {
            return Err("millesime : 2023 ou 2022_2023 est attendu");
        }
        Ok(told)
    }
}

impl Calendar {
    /// Reads it, as it is sent and as it is stored.
    ///
    /// # Errors
    /// A sentence for whoever sent it.
    pub fn read(value: &Value) -> Result<Self, String> {
        let announced = value.get(PUBLICATIONS).and_then(Value::as_array);
        let announced = announced.filter(|announced| announced.len() <= ANNOUNCED_MAX);
        let mut calendar = Self::default();
        for value in announced
            .ok_or_else(|| format!("{PUBLICATIONS} : un tableau de {ANNOUNCED_MAX} lignes au plus est attendu"))?
        {
            let rank = calendar.0.len() + 1;
            let told = Announcement::read(value).map_err(|fault| format!("publication {rank}, {fault}"))?;
            let place = calendar.0.partition_point(|before| before.day <= told.day);
            calendar.0.insert(place, told);
        }
        Ok(calendar)
    }

    /// Its JSON form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let announced = self.0.iter().map(|told| {
            let mut object = Map::new();
            object.insert("le".to_owned(), told.day.as_str().into());
            object.insert("titre".to_owned(), told.title.as_str().into());
            for (field, text) in [("maille", &told.maille), ("millesime", &told.millesime)] {
                if let Some(text) = text {
                    object.insert(field.to_owned(), text.as_str().into());
                }
            }
            Value::Object(object)
        });
        Value::Object(Map::from_iter([(PUBLICATIONS.to_owned(), announced.collect())]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str) -> Result<Calendar, String> {
        let calendar = Calendar::read(&serde_json::from_str(json).unwrap())?;
        assert_eq!(Calendar::read(&calendar.to_json()).as_ref(), Ok(&calendar), "as it is stored");
        Ok(calendar)
    }

    #[test]
    fn a_calendar_is_sorted_and_what_is_no_day_is_refused() {
        let calendar = checked(
            r#"{"publications":[{"le":"2027-06","titre":"InserSup"},
                {"le":"2027-02-15","titre":"InserJeunes","maille":"formations","millesime":"2023_2024"}]}"#,
        )
        .unwrap();
        assert_eq!(calendar.0[0].title, "InserJeunes");
        assert_eq!(calendar.0[1].instant(), date::read_iso("2027-06-01").map(|instant| (instant, true)));
        for (wrong, said) in [
            (r#"{"publications":[{"le":"15/02/2027","titre":"x"}]}"#, "le :"),
            (r#"{"publications":[{"le":"2027-13","titre":"x"}]}"#, "le :"),
            (r#"{"publications":[{"le":"2027-02-30","titre":"x"}]}"#, "le :"),
            (r#"{"publications":[{"le":"2027-02","titre":""}]}"#, "texte"),
            (r#"{"publications":[{"le":"2027-02","titre":"a\nb"}]}"#, "texte"),
            (r#"{"publications":[{"le":"2027-02","titre":"x","millesime":"24"}]}"#, "millesime"),
            (r#"{"publications":[{"le":"2027-02","titre":"x","taux":"3"}]}"#, "champs"),
        ] {
            assert!(checked(wrong).unwrap_err().contains(said), "{wrong}");
        }
        let many = vec![r#"{"le":"2027-02","titre":"x"}"#; 51].join(",");
        assert!(checked(&format!("{{\"publications\":[{many}]}}")).is_err());
    }
}
