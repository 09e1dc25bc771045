//! Millesimes: the year, or the two years together, that a statistic is about.

use std::fmt;

/// A millesime in either of its spellings: a year `2023`, or a period of two years `2022_2023`.
///
/// The two years of a period need not follow each other; it may not end before it begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millesime(String);

fn est_annee(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit())
}

impl Millesime {
    /// Reads either spelling.
    ///
    /// ```
    /// use domain::Millesime;
    /// assert!(Millesime::parse("2022_2023").is_some());
    /// assert!(Millesime::parse("2023_2022").is_none());
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let valid = match text.split_once('_') {
            None => est_annee(text),
            Some((first, last)) => est_annee(first) && est_annee(last) && first <= last,
        };
        valid.then(|| Self(text.to_owned()))
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a period of two years.
    #[must_use]
    pub fn est_periode(&self) -> bool {
        self.0.contains('_')
    }

    /// The last of its years: `2023` for `2023` and for `2022_2023`.
    #[must_use]
    pub fn annee(&self) -> &str {
        self.0.rsplit('_').next().unwrap_or(&self.0)
    }

    /// The years it is written with: one or two.
    pub fn annees(&self) -> impl Iterator<Item = &str> {
        self.0.split('_')
    }

    /// The other spelling: the period that ends with a year, or the year that ends a period.
    /// `None` for the year `0000`, which no period can end with.
    #[must_use]
    pub fn autre_ecriture(&self) -> Option<Self> {
        if self.est_periode() {
            return Some(Self(self.annee().to_owned()));
        }
        let previous = self.0.parse::<u16>().ok()?.checked_sub(1)?;
        Some(Self(format!("{previous:04}_{}", self.0)))
    }

    /// Whether a text is one of [`Self::deux_ecritures`].
    #[must_use]
    pub fn est_ecrit(&self, texte: &str) -> bool {
        let year = |t: &str| if est_annee(t) { t.parse::<u16>().ok() } else { None };
        let suit = |avant: &str, annee: &str| year(avant).zip(year(annee)).is_some_and(|(a, b)| a + 1 == b);
        self.0 == texte
            || match (self.0.split_once('_'), texte.split_once('_')) {
                (Some((_, annee)), None) => annee == texte,
                (None, Some((avant, annee))) => annee == self.0 && suit(avant, annee),
                _ => false,
            }
    }

    /// Both spellings, the one asked for first.
    pub fn deux_ecritures(&self) -> impl Iterator<Item = Self> {
        std::iter::once(self.clone()).chain(self.autre_ecriture())
    }
}

impl fmt::Display for Millesime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_spellings_are_read_and_turned_into_each_other() {
        for (text, other) in
            [("2023", Some("2022_2023")), ("2022_2023", Some("2023")), ("2018_2023", Some("2023")), ("0000", None)]
        {
            let millesime = Millesime::parse(text).unwrap();
            assert_eq!(millesime.autre_ecriture().as_ref().map(Millesime::as_str), other, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_spelling_is_recognised_where_it_is_one_of_two(text in "[0-9]{4}(_[0-9]{4})?", other in "[0-9+]{4}(_[0-9]{4})?", near in 0u16..3) {
            if let Some(millesime) = Millesime::parse(&text) {
                let year: u16 = millesime.annee().parse().unwrap();
                let nearby = format!("{:04}_{}", year.saturating_sub(near), millesime.annee());
                for asked in [text.as_str(), &other, &nearby, millesime.annee()] {
                    let expected = millesime.deux_ecritures().any(|m| m.as_str() == asked);
                    prop_assert_eq!(millesime.est_ecrit(asked), expected, "{}", asked);
                }
            }
        }
    }

    #[test]
    fn malformed_millesimes_are_refused() {
        for text in ["", "abc", "20", "2023_", "_2023", "2023_2022", "2018-2019", "2018_2019_2020", "２０２３"] {
            assert!(Millesime::parse(text).is_none(), "{text}");
        }
        assert!(Millesime::parse("2020_2020").is_some());
    }
}
