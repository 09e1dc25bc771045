//! Instants, as milliseconds since 1970 in UTC, and the few forms they are written in.

use serde_json::Value;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Instant = i64;

const JOUR: i64 = 86_400_000;

/// Days since 1970-01-01 of a date of the Gregorian calendar.
///
/// The month counts from March, so that the leap day ends the year and the lengths of months
/// follow one line.
#[must_use]
pub fn jours(annee: i64, mois: i64, jour: i64) -> i64 {
    let annee = if mois <= 2 { annee - 1 } else { annee };
    let ere = annee.div_euclid(400);
    let annee_de_ere = annee.rem_euclid(400);
    let mois_de_mars = (mois + 9) % 12;
    let jour_de_annee = (153 * mois_de_mars + 2) / 5 + jour - 1;
    ere * 146_097 + annee_de_ere * 365 + annee_de_ere / 4 - annee_de_ere / 100 + jour_de_annee - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
#[must_use]
pub fn date(jours: i64) -> (i64, i64, i64) {
    let z = jours + 719_468;
    let ere = z.div_euclid(146_097);
    let jour_de_ere = z.rem_euclid(146_097);
    let annee_de_ere = (jour_de_ere - jour_de_ere / 1_460 + jour_de_ere / 36_524 - jour_de_ere / 146_096) / 365;
    let jour_de_annee = jour_de_ere - (365 * annee_de_ere + annee_de_ere / 4 - annee_de_ere / 100);
    let mois_de_mars = (5 * jour_de_annee + 2) / 153;
    let jour = jour_de_annee - (153 * mois_de_mars + 2) / 5 + 1;
    let mois = if mois_de_mars < 10 { mois_de_mars + 3 } else { mois_de_mars - 9 };
    (annee_de_ere + ere * 400 + i64::from(mois <= 2), mois, jour)
}

/// Reads `2022-08-30T22:00:00.000Z` (fraction and offset optional) or a bare date.
#[must_use]
pub fn lire_iso(texte: &str) -> Option<Instant> {
    let nombre = |debut: usize, fin: usize| -> Option<i64> {
        let partie = texte.get(debut..fin)?;
        partie.bytes().all(|b| b.is_ascii_digit()).then(|| partie.parse().ok())?
    };
    let separe = |position: usize, attendu: &[u8]| texte.as_bytes().get(position).is_some_and(|b| attendu.contains(b));
    let (annee, mois, jour) = (nombre(0, 4)?, nombre(5, 7)?, nombre(8, 10)?);
    if !separe(4, b"-") || !separe(7, b"-") || !(1..=12).contains(&mois) || !(1..=31).contains(&jour) {
        return None;
    }
    let minuit = jours(annee, mois, jour);
    if date(minuit) != (annee, mois, jour) {
        return None;
    }
    let minuit = minuit * JOUR;
    if texte.len() == 10 {
        return Some(minuit);
    }
    if !separe(10, b"T ") || !separe(13, b":") || !separe(16, b":") {
        return None;
    }
    let (heure, minute, seconde) = (nombre(11, 13)?, nombre(14, 16)?, nombre(17, 19)?);
    if heure > 23 || minute > 59 || seconde > 60 {
        return None;
    }
    let mut reste = texte.get(19..)?;
    let mut milli = 0;
    if let Some(fraction) = reste.strip_prefix('.') {
        let chiffres = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let garde: String = fraction.chars().take(chiffres.min(3)).chain("000".chars()).take(3).collect();
        milli = garde.parse().ok()?;
        reste = fraction.get(chiffres..)?;
    }
    let decalage = match reste {
        "" | "Z" => 0,
        _ => {
            let signe = if reste.starts_with('-') { -1 } else { 1 };
            let (heures, minutes) = reste.get(1..)?.split_once(':')?;
            signe * (heures.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?) * 60_000
        }
    };
    Some(minuit + ((heure * 60 + minute) * 60 + seconde) * 1_000 + milli - decalage)
}

/// Writes `2022-08-30T22:00:00.000Z`.
#[must_use]
pub fn ecrire_iso(instant: Instant) -> String {
    let (annee, mois, jour) = date(instant.div_euclid(JOUR));
    let reste = instant.rem_euclid(JOUR);
    format!(
        "{annee:04}-{mois:02}-{jour:02}T{:02}:{:02}:{:02}.{:03}Z",
        reste / 3_600_000,
        reste / 60_000 % 60,
        reste / 1_000 % 60,
        reste % 1_000
    )
}

/// Writes the day, `2022-08-30`.
#[must_use]
pub fn ecrire_jour(instant: Instant) -> String {
    let (annee, mois, jour) = date(instant.div_euclid(JOUR));
    format!("{annee:04}-{mois:02}-{jour:02}")
}

/// Writes the instant in the time of Paris, `2010-09-01T00:00:00+02:00`.
///
/// Since 1996 summer time lasts from the last Sunday of March to the last Sunday of October,
/// at 01:00 UTC (European directive 2000/84). Earlier dates follow the same rule back to 1976,
/// with winter time before: opening dates of that age are days, whose hour means nothing.
#[must_use]
pub fn ecrire_paris(instant: Instant) -> String {
    let (annee, _, _) = date(instant.div_euclid(JOUR));
    let dernier_dimanche = |mois: i64| {
        let fin = jours(annee, mois, 31);
        (fin - (fin + 4).rem_euclid(7)) * JOUR + 3_600_000
    };
    let ete = annee >= 1976 && (dernier_dimanche(3)..dernier_dimanche(10)).contains(&instant);
    let heures = if ete { 2 } else { 1 };
    let iso = ecrire_iso(instant + heures * 3_600_000);
    format!("{}+{heures:02}:00", iso.get(..19).unwrap_or_default())
}

/// Reads a date of a pushed document: ISO text or `{"$date": …}`.
#[must_use]
pub fn lire_valeur(valeur: &Value) -> Option<Instant> {
    match valeur {
        Value::String(texte) => lire_iso(texte),
        Value::Object(objet) => objet.get("$date").and_then(lire_valeur),
        Value::Number(nombre) => nombre.as_i64(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_and_written() {
        for (texte, iso) in [
            ("2022-08-30T22:00:00.000Z", "2022-08-30T22:00:00.000Z"),
            ("2010-01-01", "2010-01-01T00:00:00.000Z"),
            ("2000-02-29T23:59:59Z", "2000-02-29T23:59:59.000Z"),
            ("2024-01-01T01:00:00+02:00", "2023-12-31T23:00:00.000Z"),
            ("1969-12-31T23:59:59.9Z", "1969-12-31T23:59:59.900Z"),
        ] {
            assert_eq!(lire_iso(texte).map(ecrire_iso).as_deref(), Some(iso), "{texte}");
        }
        for texte in ["", "2023", "2023-02-30", "2023-13-01", "2023-01-01X", "31/08/2010", "2023-01-01T25:00:00Z"] {
            assert_eq!(lire_iso(texte), None, "{texte}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for jour in -146_097..146_097 {
            let (a, m, j) = date(jour);
            assert_eq!(jours(a, m, j), jour);
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
            assert_eq!(lire_iso(utc).map(ecrire_paris).as_deref(), Some(paris), "{utc}");
        }
    }
}
