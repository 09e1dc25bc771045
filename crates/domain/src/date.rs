//! Instants, as milliseconds since 1970 in UTC, and the few forms they are written in.

use serde_json::Value;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Instant = i64;

const DAY: i64 = 86_400_000;

/// Days since 1970-01-01 of a date of the Gregorian calendar.
///
/// The month counts from March, so that the leap day ends the year and the lengths of months
/// follow one line.
#[must_use]
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
#[must_use]
pub fn date(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Reads `2022-08-30T22:00:00.000Z` (fraction and offset optional) or a bare date.
#[must_use]
pub fn read_iso(text: &str) -> Option<Instant> {
    let number = |start: usize, end: usize| -> Option<i64> {
        let part = text.get(start..end)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let separates =
        |position: usize, expected: &[u8]| text.as_bytes().get(position).is_some_and(|b| expected.contains(b));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if !separates(4, b"-") || !separates(7, b"-") || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let midnight = days(year, month, day);
    if date(midnight) != (year, month, day) {
        return None;
    }
    let midnight = midnight * DAY;
    if text.len() == 10 {
        return Some(midnight);
    }
    if !separates(10, b"T ") || !separates(13, b":") || !separates(16, b":") {
        return None;
    }
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut remainder = text.get(19..)?;
    let mut milli = 0;
    if let Some(fraction) = remainder.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let kept: String = fraction.chars().take(digits.min(3)).chain("000".chars()).take(3).collect();
        milli = kept.parse().ok()?;
        remainder = fraction.get(digits..)?;
    }
    let offset = match remainder {
        "" | "Z" => 0,
        _ => {
            let sign = if remainder.starts_with('-') { -1 } else { 1 };
            let (hours, minutes) = remainder.get(1..)?.split_once(':')?;
            sign * (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?) * 60_000
        }
    };
    Some(midnight + ((hour * 60 + minute) * 60 + second) * 1_000 + milli - offset)
}

/// Writes `2022-08-30T22:00:00.000Z`.
#[must_use]
pub fn write_iso(instant: Instant) -> String {
    let (year, month, day) = date(instant.div_euclid(DAY));
    let remainder = instant.rem_euclid(DAY);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        remainder / 3_600_000,
        remainder / 60_000 % 60,
        remainder / 1_000 % 60,
        remainder % 1_000
    )
}

/// Writes the day, `2022-08-30`.
#[must_use]
pub fn write_day(instant: Instant) -> String {
    let (year, month, day) = date(instant.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

const HOUR: i64 = 3_600_000;

/// Summer time of a year in France: from this instant until before that one. `None`: the year has none.
///
/// Rule (IANA time zone database, `Europe/Paris`): none from the autumn of 1945 to 1975; 1976 by decree, at midnight and
/// at one o'clock of Paris; from 1977 at 01:00 UTC, on days of each year until 1980, then from the last Sunday of March to
/// the last one of September, since 1996 to the last one of October (European directives; 2000/84 today). Years before 1946
/// are written an hour ahead of UTC throughout: days of that age are opening days, whose hour means nothing.
fn summer_time(year: i64) -> Option<(Instant, Instant)> {
    let last_sunday = |month: i64, last: i64| {
        let end = days(year, month, last);
        end - (end + 4).rem_euclid(7)
    };
    let (start, end) = match year {
        ..1976 => return None,
        1976 => return Some((days(1976, 3, 28) * DAY, days(1976, 9, 25) * DAY + 23 * HOUR)),
        1977 => (days(1977, 4, 3), days(1977, 9, 25)),
        1978 => (days(1978, 4, 2), days(1978, 10, 1)),
        1979 => (days(1979, 4, 1), days(1979, 9, 30)),
        1980 => (days(1980, 4, 6), days(1980, 9, 28)),
        1981..1996 => (last_sunday(3, 31), last_sunday(9, 30)),
        _ => (last_sunday(3, 31), last_sunday(10, 31)),
    };
    Some((start * DAY + HOUR, end * DAY + HOUR))
}

/// How many hours Paris is ahead of UTC at an instant.
fn paris_ahead(instant: Instant) -> i64 {
    let (year, _, _) = date(instant.div_euclid(DAY));
    if summer_time(year).is_some_and(|(start, end)| (start..end).contains(&instant)) { 2 } else { 1 }
}

/// The instant at which a day (in days since 1970-01-01) begins in Paris.
#[must_use]
pub fn paris_midnight(day: i64) -> Instant {
    // Clocks change after midnight: what holds at the end of the day before holds as it begins.
    let utc = day * DAY;
    let begins = utc - 2 * HOUR;
    if paris_ahead(begins) == 2 { begins } else { utc - HOUR }
}

/// The instant at which a day written `JJ/MM/AAAA` begins in Paris; `None` where there is no such day.
#[must_use]
pub fn read_paris_day(text: &str) -> Option<Instant> {
    let (day, remainder) = text.split_once('/')?;
    let (month, year) = remainder.split_once('/')?;
    let number = |t: &str| t.bytes().all(|b| b.is_ascii_digit()).then(|| t.parse::<i64>().ok())?;
    let (year, month, day) = (number(year.get(..4)?)?, number(month)?, number(day)?);
    let midnight = days(year, month, day);
    (date(midnight) == (year, month, day)).then(|| paris_midnight(midnight))
}

/// Whether what closes at an instant is closed by now. Without a closing date it never is, and the clock is not asked: a
/// look at it is a call of the runtime.
///
/// Rule (contract, "One document", `formation_fermee`): closed from the first instant after the closing date.
#[must_use]
pub fn is_closed(closing: Option<Instant>, now: impl FnOnce() -> Instant) -> bool {
    closing.is_some_and(|closing| closing < now())
}

/// Writes the instant in the time of Paris, `2010-09-01T00:00:00+02:00`.
#[must_use]
pub fn write_paris(instant: Instant) -> String {
    let hours = paris_ahead(instant);
    let iso = write_iso(instant + hours * HOUR);
    format!("{}+{hours:02}:00", iso.get(..19).unwrap_or_default())
}

/// Reads a date of a pushed document: ISO text or `{"$date": …}`.
#[must_use]
pub fn read_value(value: &Value) -> Option<Instant> {
    match value {
        Value::String(text) => read_iso(text),
        Value::Object(object) => object.get("$date").and_then(read_value),
        Value::Number(number) => number.as_i64(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_and_written() {
        for (text, iso) in [
            ("2022-08-30T22:00:00.000Z", "2022-08-30T22:00:00.000Z"),
            ("2010-01-01", "2010-01-01T00:00:00.000Z"),
            ("2000-02-29T23:59:59Z", "2000-02-29T23:59:59.000Z"),
            ("2024-01-01T01:00:00+02:00", "2023-12-31T23:00:00.000Z"),
            ("1969-12-31T23:59:59.9Z", "1969-12-31T23:59:59.900Z"),
        ] {
            assert_eq!(read_iso(text).map(write_iso).as_deref(), Some(iso), "{text}");
        }
        for text in ["", "2023", "2023-02-30", "2023-13-01", "2023-01-01X", "31/08/2010", "2023-01-01T25:00:00Z"] {
            assert_eq!(read_iso(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in -146_097..146_097 {
            let (a, m, j) = date(day);
            assert_eq!(days(a, m, j), day);
        }
    }

    #[test]
    fn paris_has_summer_and_winter() {
        for (utc, paris) in [
            ("2010-08-31T22:00:00.000Z", "2010-09-01T00:00:00+02:00"),
            ("2010-12-31T23:00:00.000Z", "2011-01-01T00:00:00+01:00"),
            ("2024-03-31T00:59:59.000Z", "2024-03-31T01:59:59+01:00"),
            ("2024-03-31T01:00:00.000Z", "2024-03-31T03:00:00+02:00"),
            ("2024-10-27T01:00:00.000Z", "2024-10-27T02:00:00+01:00"),
            // October was winter until 1995.
            ("1985-09-30T23:00:00.000Z", "1985-10-01T00:00:00+01:00"),
            ("1995-10-01T12:00:00.000Z", "1995-10-01T13:00:00+01:00"),
            ("1996-10-01T12:00:00.000Z", "1996-10-01T14:00:00+02:00"),
            ("1976-09-25T22:59:59.000Z", "1976-09-26T00:59:59+02:00"),
            ("1976-09-25T23:00:00.000Z", "1976-09-26T00:00:00+01:00"),
            ("1975-07-01T00:00:00.000Z", "1975-07-01T01:00:00+01:00"),
        ] {
            assert_eq!(read_iso(utc).map(write_paris).as_deref(), Some(paris), "{utc}");
        }
    }

    #[test]
    fn days_begin_at_midnight_in_paris() {
        for (day, utc) in [
            ("01/05/1965", Some("1965-04-30T23:00:00.000Z")),
            ("08/05/2023", Some("2023-05-07T22:00:00.000Z")),
            ("28/03/1976", Some("1976-03-27T23:00:00.000Z")),
            ("26/09/1976", Some("1976-09-25T22:00:00.000Z")),
            ("01/10/1985", Some("1985-09-30T23:00:00.000Z")),
            ("01/10/1996", Some("1996-09-30T22:00:00.000Z")),
            ("29/03/1998", Some("1998-03-28T23:00:00.000Z")),
            ("30/03/1998", Some("1998-03-29T22:00:00.000Z")),
            ("25/10/1998", Some("1998-10-24T22:00:00.000Z")),
            ("26/10/1998", Some("1998-10-25T23:00:00.000Z")),
            ("31/02/2020", None),
            ("2020-01-01", None),
        ] {
            assert_eq!(read_paris_day(day).map(write_iso).as_deref(), utc, "{day}");
        }
    }

    /// What one function reads the other writes, on every day, those of the changes among them; and each is later than
    /// the one before by 23, 24 or 25 hours.
    #[test]
    fn every_day_begins_at_the_midnight_that_is_written() {
        for day in days(1945, 10, 1)..days(2100, 1, 1) {
            let (year, month, of_month) = date(day);
            let start = paris_midnight(day);
            let written = write_paris(start);
            assert!(written.starts_with(&format!("{year:04}-{month:02}-{of_month:02}T00:00:00+")), "{written}");
            assert_eq!(read_iso(&written), Some(start), "{written}");
            assert_eq!(read_paris_day(&format!("{of_month:02}/{month:02}/{year:04}")), Some(start));
            let hours = (paris_midnight(day + 1) - start) / HOUR;
            let changes = summer_time(year)
                .is_some_and(|(first, last)| [first, last].iter().any(|at| (start..start + 25 * HOUR).contains(at)));
            assert!(hours == 24 || changes && (23..=25).contains(&hours), "{written}: {hours}");
        }
    }

    /// Instants of the time zone database, a second to both sides.
    #[test]
    fn summer_begins_and_ends_as_the_time_zone_database_says() {
        for (year, first, last) in [
            (1976, "1976-03-28T00:00:00Z", "1976-09-25T23:00:00Z"),
            (1977, "1977-04-03T01:00:00Z", "1977-09-25T01:00:00Z"),
            (1978, "1978-04-02T01:00:00Z", "1978-10-01T01:00:00Z"),
            (1979, "1979-04-01T01:00:00Z", "1979-09-30T01:00:00Z"),
            (1980, "1980-04-06T01:00:00Z", "1980-09-28T01:00:00Z"),
            (1981, "1981-03-29T01:00:00Z", "1981-09-27T01:00:00Z"),
            (1989, "1989-03-26T01:00:00Z", "1989-09-24T01:00:00Z"),
            (1995, "1995-03-26T01:00:00Z", "1995-09-24T01:00:00Z"),
            (1996, "1996-03-31T01:00:00Z", "1996-10-27T01:00:00Z"),
            (1997, "1997-03-30T01:00:00Z", "1997-10-26T01:00:00Z"),
        ] {
            let (first, last) = (read_iso(first).unwrap(), read_iso(last).unwrap());
            assert_eq!(summer_time(year), Some((first, last)));
            let ahead = [first - 1_000, first, last - 1_000, last].map(paris_ahead);
            assert_eq!(ahead, [1, 2, 2, 1], "{year}");
        }
        assert_eq!(summer_time(1975), None);
    }
}
