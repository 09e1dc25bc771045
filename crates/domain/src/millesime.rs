//! Millesimes: the year, or the two years together, that a statistic is about.

use std::fmt;

/// A millesime in either of its spellings: a year `2023`, or a period of two years `2022_2023`.
///
/// The two years of a period need not follow each other; it may not end before it begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millesime(String);

fn is_year(text: &str) -> bool {
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
            None => is_year(text),
            Some((first, last)) => is_year(first) && is_year(last) && first <= last,
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
    pub fn is_period(&self) -> bool {
        self.0.contains('_')
    }

    /// The last of its years: `2023` for `2023` and for `2022_2023`.
    #[must_use]
    pub fn year(&self) -> &str {
        self.0.rsplit('_').next().unwrap_or(&self.0)
    }

    /// The years it is written with: one or two.
    pub fn years(&self) -> impl Iterator<Item = &str> {
        self.0.split('_')
    }

    /// The other spelling: the period that ends with a year, or the year that ends a period.
    /// `None` for the year `0000`, which no period can end with.
    #[must_use]
    pub fn other_spelling(&self) -> Option<Self> {
        if self.is_period() {
            return Some(Self(self.year().to_owned()));
        }
        let previous = self.0.parse::<u16>().ok()?.checked_sub(1)?;
        Some(Self(format!("{previous:04}_{}", self.0)))
    }

    /// Whether a text is one of [`Self::both_spellings`].
    #[must_use]
    pub fn is_written(&self, text: &str) -> bool {
        let year = |t: &str| if is_year(t) { t.parse::<u16>().ok() } else { None };
        let follows =
            |before: &str, written_year: &str| year(before).zip(year(written_year)).is_some_and(|(a, b)| a + 1 == b);
        self.0 == text
            || match (self.0.split_once('_'), text.split_once('_')) {
                (Some((_, written_year)), None) => written_year == text,
                (None, Some((before, written_year))) => written_year == self.0 && follows(before, written_year),
                _ => false,
            }
    }

    /// Both spellings, the one asked for first.
    pub fn both_spellings(&self) -> impl Iterator<Item = Self> {
        std::iter::once(self.clone()).chain(self.other_spelling())
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
            assert_eq!(millesime.other_spelling().as_ref().map(Millesime::as_str), other, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_spelling_is_recognised_where_it_is_one_of_two(text in "[0-9]{4}(_[0-9]{4})?", other in "[0-9+]{4}(_[0-9]{4})?", near in 0u16..3) {
            if let Some(millesime) = Millesime::parse(&text) {
                let year: u16 = millesime.year().parse().unwrap();
                let nearby = format!("{:04}_{}", year.saturating_sub(near), millesime.year());
                for asked in [text.as_str(), &other, &nearby, millesime.year()] {
                    let expected = millesime.both_spellings().any(|m| m.as_str() == asked);
                    prop_assert_eq!(millesime.is_written(asked), expected, "{}", asked);
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
