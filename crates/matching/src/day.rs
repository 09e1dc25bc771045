//! Days of the nomenclatures and of a campaign.

/// A day of the calendar. Compared, and moved by whole years; nothing else is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    year: i32,
    month: u8,
    day: u8,
}

impl Day {
    /// Reads `31/08/2024` (the nomenclatures) or `2024-08-31`, with or without a time behind it.
    ///
    /// ```
    /// use matching::Day;
    /// assert_eq!(Day::read("31/08/2024"), Day::read("2024-08-31T00:00:00Z"));
    /// assert_eq!(Day::read("31/13/2024"), None);
    /// ```
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let date = text.get(..10)?;
        let (year, month, day) = if date.contains('/') {
            let (day, rest) = date.split_once('/')?;
            let (month, year) = rest.split_once('/')?;
            (year, month, day)
        } else {
            let (year, rest) = date.split_once('-')?;
            let (month, day) = rest.split_once('-')?;
            (year, month, day)
        };
        if year.len() != 4 || month.len() != 2 || day.len() != 2 {
            return None;
        }
        let (year, month, day) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
        ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some(Self { year, month, day })
    }

    /// The first day of the year 1.
    #[must_use]
    pub fn first() -> Self {
        Self { year: 1, month: 1, day: 1 }
    }

    /// The year.
    #[must_use]
    pub fn year(self) -> i32 {
        self.year
    }

    /// As one number, in the order of days.
    #[must_use]
    pub fn number(self) -> u32 {
        (u32::try_from(self.year).unwrap_or_default() * 16 + u32::from(self.month)) * 32 + u32::from(self.day)
    }

    /// The day of a [`Self::number`].
    #[must_use]
    pub fn of_number(number: u32) -> Option<Self> {
        let (year, month, day) = (number / 512, number / 32 % 16, number % 32);
        let (year, month, day) = (i32::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?);
        ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some(Self { year, month, day })
    }

    /// The same day some years later. The 29th of February stays one: it is only compared.
    #[must_use]
    pub fn plus_years(self, years: u8) -> Self {
        Self { year: self.year.saturating_add(i32::from(years)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_compared_and_moved() {
        let campaign = Day::read("2024-08-31").unwrap();
        assert_eq!(campaign.plus_years(2), Day::read("31/08/2026").unwrap());
        assert!(Day::read("01/09/2024").unwrap() > campaign);
        assert_eq!((Day::of_number(campaign.number()), Day::of_number(0)), (Some(campaign), None));
        for text in ["", "2024", "1/9/2024", "31-08-2024", "2024/08/31", "aa/bb/cccc", "2024-00-10", "é/é/é/é/é"] {
            assert_eq!(Day::read(text), None, "{text}");
        }
    }
}
