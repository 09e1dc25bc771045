//! Establishments: the ACCE file.
//!
//! Rule (contract, "Sources" and "InserJeunes", asked): every column is kept as text, empty ones
//! left out; days are midnights in Paris. Statistics are asked for French establishments of the
//! natures that teach the vocational tracks, whose check letter is right and whose departement and
//! academie are known.

use crate::rejection::Rejection;
use crate::text::{date_value, field, put};
use domain::date::{Instant, date, days};
use domain::territory::{self, Academie, Region};
use domain::{Document, Uai};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Columns that hold a day, as in `01/05/1965`.
const DATES: [&str; 4] = ["date_ouverture", "date_fermeture", "date_derniere_mise_a_jour", "date_geolocalisation"];

/// Natures of the establishments that statistics are asked for.
const NATURES: [&str; 39] = [
    "240", "241", "242", "261", "300", "301", "302", "306", "307", "310", "315", "320", "332", "334", "370", "380",
    "400", "430", "440", "445", "450", "480", "506", "523", "528", "540", "551", "580", "600", "605", "610", "625",
    "630", "700", "710", "720", "730", "740", "830",
];

/// The `etablissement` document of a row of the ACCE file.
///
/// # Errors
/// [`Rejection::MissingField`] without `numero_uai`.
pub fn etablissement(row: &Document) -> Result<Document, Rejection> {
    field(row, "numero_uai").ok_or(Rejection::MissingField { field: "numero_uai" })?;
    let mut document = Document::new();
    for name in row.keys() {
        let Some(value) = field(row, name) else { continue };
        if DATES.contains(&name.as_str()) {
            put(&mut document, name, day_of_paris(value).map(date_value));
        } else {
            document.insert(name.clone(), value.into());
        }
    }
    Ok(document)
}

/// The instant at which a day written `JJ/MM/AAAA` begins in Paris.
///
/// Summer time: 1976 to 1980 by decree of each year, then from the last Sunday of March to the
/// last one of September (1995) or of October (since 1996). Before 1976 an hour ahead of UTC all
/// the year, which holds back to 1945; opening days before that are an hour off at most.
#[must_use]
pub fn day_of_paris(text: &str) -> Option<Instant> {
    let (day, remainder) = text.split_once('/')?;
    let (month, year) = remainder.split_once('/')?;
    let number = |t: &str| t.bytes().all(|b| b.is_ascii_digit()).then(|| t.parse::<i64>().ok())?;
    let (year, month, day) = (number(year.get(..4)?)?, number(month)?, number(day)?);
    let midnight = days(year, month, day);
    if date(midnight) != (year, month, day) {
        return None;
    }
    let last_sunday = |month: i64, last: i64| {
        let end = days(year, month, last);
        end - (end + 4).rem_euclid(7)
    };
    // The change happens during the night: the first day still begins in winter time, the last
    // one still in summer time.
    let (start, end) = match year {
        ..1976 => (i64::MAX, i64::MIN),
        1976 => (days(1976, 3, 28), days(1976, 9, 26)),
        1977 => (days(1977, 4, 3), days(1977, 9, 25)),
        1978 => (days(1978, 4, 2), days(1978, 10, 1)),
        1979 => (days(1979, 4, 1), days(1979, 9, 30)),
        1980 => (days(1980, 4, 6), days(1980, 9, 28)),
        1981..1996 => (last_sunday(3, 31), last_sunday(9, 30)),
        _ => (last_sunday(3, 31), last_sunday(10, 31)),
    };
    let ahead = if start < midnight && midnight <= end { 2 } else { 1 };
    Some((midnight * 24 - ahead) * 3_600_000)
}

/// What statistics need of an establishment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Etablissement {
    /// `appellation_officielle`.
    pub libelle: Option<String>,
    /// `departement_insee_3` as delivered: three characters, a leading zero in front of two.
    pub departement: Option<String>,
    /// Code of the academie as delivered.
    pub academie: Option<String>,
    /// Whether statistics are asked for it, its letter apart.
    pub demand: bool,
}

/// Where an establishment lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Its region.
    pub region: &'static Region,
    /// Its academie.
    pub academie: &'static Academie,
}

impl Location {
    /// `{code, nom}`, as documents of an establishment hold it.
    #[must_use]
    pub fn region(&self) -> Value {
        json!({"code": self.region.code, "nom": self.region.name})
    }

    /// `{code, nom}`.
    #[must_use]
    pub fn academie(&self) -> Value {
        json!({"code": self.academie.code, "nom": self.academie.name})
    }
}

/// `{code, nom, code_region_academique}`, as regional documents hold it.
#[must_use]
pub fn region_regionale(region: &Region) -> Value {
    json!({"code": region.code, "nom": region.name, "code_region_academique": region.region_academie_code})
}

/// The establishments in memory, by UAI; about 200 bytes each.
#[derive(Clone, Debug, Default)]
pub struct Acce(HashMap<String, Etablissement>);

impl Acce {
    /// From stored documents.
    #[must_use]
    pub fn of<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Self {
        let mut acce = Self::default();
        documents.into_iter().for_each(|d| acce.add(d));
        acce
    }

    /// Takes a stored document.
    pub fn add(&mut self, document: &Document) {
        let Some(uai) = field(document, "numero_uai") else { return };
        let text = |name| field(document, name).map(str::to_owned);
        let nature = field(document, "nature_uai").is_some_and(|n| NATURES.contains(&n));
        let france = field(document, "pays_libe").is_some_and(|p| p.eq_ignore_ascii_case("france"));
        let etablissement = Etablissement {
            libelle: text("appellation_officielle"),
            departement: text("departement_insee_3"),
            academie: text("academie"),
            demand: nature && france,
        };
        self.0.insert(uai.to_owned(), etablissement);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An establishment.
    #[must_use]
    pub fn etablissement(&self, uai: &str) -> Option<&Etablissement> {
        self.0.get(uai)
    }

    /// An establishment and where it lies.
    ///
    /// # Errors
    /// [`Rejection::UnknownEtablissement`], [`Rejection::UnknownDepartement`], [`Rejection::UnknownAcademie`].
    pub fn locate(&self, uai: &str) -> Result<(&Etablissement, Location), Rejection> {
        let etablissement =
            self.etablissement(uai).ok_or_else(|| Rejection::UnknownEtablissement { uai: uai.to_owned() })?;
        let departement = etablissement.departement.as_deref().unwrap_or_default();
        let region = region_of_departement(departement).ok_or_else(|| Rejection::UnknownDepartement {
            uai: uai.to_owned(),
            departement: departement.to_owned(),
        })?;
        let code = etablissement.academie.as_deref().unwrap_or_default();
        let (_, academie) = territory::academie(code)
            .ok_or_else(|| Rejection::UnknownAcademie { uai: uai.to_owned(), academie: code.to_owned() })?;
        Ok((etablissement, Location { region, academie }))
    }

    /// Whether statistics can be asked for an establishment: right letter, known place.
    ///
    /// # Errors
    /// [`Rejection::UaiIncorrect`], and those of [`Acce::locate`].
    pub fn verify(&self, uai: &str) -> Result<(), Rejection> {
        if !Uai::parse(uai).is_some_and(|u| u.is_check_letter()) {
            return Err(Rejection::UaiIncorrect { uai: uai.to_owned() });
        }
        self.locate(uai).map(|_| ())
    }

    /// The establishments that statistics are asked for, in order; the others of these natures
    /// are reported.
    pub fn to_ask(&self, report: &mut crate::TreatmentReport) -> Vec<&str> {
        let mut uais: Vec<&str> = self.0.iter().filter(|(_, e)| e.demand).map(|(uai, _)| uai.as_str()).collect();
        uais.sort_unstable();
        uais.retain(|uai| self.verify(uai).map_err(|rejection| report.reject(&rejection)).is_ok());
        uais
    }
}

/// The region of a `departement_insee_3`: the departement, after a zero where it has two characters.
fn region_of_departement(code: &str) -> Option<&'static Region> {
    let nu = code.strip_prefix('0').filter(|remainder| remainder.len() == 2);
    territory::region_of_departement(nu.unwrap_or(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::date::write_iso;

    #[test]
    fn days_begin_at_midnight_in_paris() {
        for (day, utc) in [
            ("01/05/1965", Some("1965-04-30T23:00:00.000Z")),
            ("08/05/2023", Some("2023-05-07T22:00:00.000Z")),
            ("01/10/1985", Some("1985-09-30T23:00:00.000Z")),
            ("01/10/1996", Some("1996-09-30T22:00:00.000Z")),
            ("29/03/1998", Some("1998-03-28T23:00:00.000Z")),
            ("30/03/1998", Some("1998-03-29T22:00:00.000Z")),
            ("25/10/1998", Some("1998-10-24T22:00:00.000Z")),
            ("26/10/1998", Some("1998-10-25T23:00:00.000Z")),
            ("31/02/2020", None),
            ("2020-01-01", None),
        ] {
            assert_eq!(day_of_paris(day).map(write_iso).as_deref(), utc, "{day}");
        }
    }

    #[test]
    fn departements_lose_their_leading_zero() {
        for (code, region) in
            [("001", Some("84")), ("02A", Some("94")), ("974", Some("04")), ("invalid", None), ("", None)]
        {
            assert_eq!(region_of_departement(code).map(|r| r.code), region, "{code}");
        }
    }
}
