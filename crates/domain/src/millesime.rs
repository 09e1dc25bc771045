//! Millesimes: the year, or the two years together, that a statistic is about.

use std::fmt;

/// A millesime in either of its spellings: a year `2023`, or a period of two years `2022_2023`.
///
/// The two years of a period need not follow each other; it may not end before it begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millesime(String);

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
        let year = |t: &str| t.len() == 4 && t.bytes().all(|b| b.is_ascii_digit());
        let valid = match text.split_once('_') {
            None => year(text),
            Some((first, last)) => year(first) && year(last) && first <= last,
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

    #[test]
    fn both_spellings_are_read_and_turned_into_each_other() {
        for (text, other) in
            [("2023", Some("2022_2023")), ("2022_2023", Some("2023")), ("2018_2023", Some("2023")), ("0000", None)]
        {
            let millesime = Millesime::parse(text).unwrap();
            assert_eq!(millesime.autre_ecriture().as_ref().map(Millesime::as_str), other, "{text}");
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
