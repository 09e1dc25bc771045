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

/// Writes the instant in the time of Paris, `2010-09-01T00:00:00+02:00`.
///
/// Since 1996 summer time lasts from the last Sunday of March to the last Sunday of October,
/// at 01:00 UTC (European directive 2000/84). Earlier dates follow the same rule back to 1976,
/// with winter time before: opening dates of that age are days, whose hour means nothing.
#[must_use]
pub fn write_paris(instant: Instant) -> String {
    let (year, _, _) = date(instant.div_euclid(DAY));
    let last_sunday = |month: i64| {
        let end = days(year, month, 31);
        (end - (end + 4).rem_euclid(7)) * DAY + 3_600_000
    };
    let summer = year >= 1976 && (last_sunday(3)..last_sunday(10)).contains(&instant);
    let hours = if summer { 2 } else { 1 };
    let iso = write_iso(instant + hours * 3_600_000);
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
        ] {
            assert_eq!(read_iso(utc).map(write_paris).as_deref(), Some(paris), "{utc}");
        }
    }
}
