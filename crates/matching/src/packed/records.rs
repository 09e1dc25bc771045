//! The form of a record. Written and read here only, so that both sides of a record stand together.

use crate::day::Day;
use crate::field::{Code, CodeType, cfd, mefstat11, sise};
use crate::lookups::{
    CertifInfo, Coverage, DiplomeHistory, Establishment, Link, Mef, Pay, PlaceStatistic, Rates, Success,
};
use domain::Filiere;
use store::codec::{Decoder, Encoder};

/// A code in keys and records: a letter for its nomenclature, so that no two of them meet.
pub(super) fn code_text(code: &Code) -> String {
    let letter = match code.code_type() {
        CodeType::Cfd => 'c',
        CodeType::Mef => 'm',
        CodeType::Sise => 's',
    };
    format!("{letter}{}", code.as_str())
}

pub(super) fn read_code_text(text: &str) -> Option<Code> {
    let code = text.get(1..)?;
    match text.get(..1)? {
        "c" => cfd(code),
        "m" => mefstat11(code),
        "s" => sise(code),
        _ => None,
    }
}

fn put_code(to: &mut Encoder, code: Option<&Code>) {
    to.text(&code.map(code_text).unwrap_or_default());
}

/// A code that may be missing.
fn take_code(from: &mut Decoder<'_>) -> Option<Option<Code>> {
    match from.text()? {
        "" => Some(None),
        text => read_code_text(text).map(Some),
    }
}

fn put_day(to: &mut Encoder, day: Option<Day>) {
    to.number(day.map_or(0, |day| u64::from(day.number()) + 1));
}

fn take_day(from: &mut Decoder<'_>) -> Option<Option<Day>> {
    match from.number()? {
        0 => Some(None),
        n => Day::of_number(u32::try_from(n - 1).ok()?).map(Some),
    }
}

fn put_year(to: &mut Encoder, year: Option<i32>) {
    to.number(year.and_then(|year| u64::try_from(year).ok()).map_or(0, |year| year + 1));
}

fn take_year(from: &mut Decoder<'_>) -> Option<Option<i32>> {
    match from.number()? {
        0 => Some(None),
        n => i32::try_from(n - 1).ok().map(Some),
    }
}

fn put_optional(to: &mut Encoder, text: Option<&str>) {
    to.text(text.unwrap_or_default());
}

/// A text that may be missing: none is ever empty.
fn take_optional(from: &mut Decoder<'_>) -> Option<Option<String>> {
    from.text().map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn put_number(to: &mut Encoder, number: f64) {
    to.0.extend_from_slice(&number.to_le_bytes());
}

fn take_number(from: &mut Decoder<'_>) -> Option<f64> {
    let (bytes, rest) = from.0.split_at_checked(8)?;
    from.0 = rest;
    bytes.try_into().ok().map(f64::from_le_bytes)
}

fn rank<T: PartialEq + Copy>(all: &[T], one: T) -> u64 {
    all.iter().position(|known| *known == one).and_then(|at| u64::try_from(at).ok()).unwrap_or_default()
}

pub(super) fn mef(row: &Mef) -> Vec<u8> {
    let mut to = Encoder::default();
    put_code(&mut to, row.mefstat11.as_ref());
    put_code(&mut to, row.cfd.as_ref());
    to.number(row.length.map_or(0, |n| u64::from(n) + 1)).number(row.year.map_or(0, |n| u64::from(n) + 1));
    put_day(&mut to, row.opened);
    put_day(&mut to, row.closed);
    to.0
}

pub(super) fn read_mef(record: &[u8]) -> Option<Mef> {
    let mut from = Decoder(record);
    let small = |from: &mut Decoder<'_>| match from.number()? {
        0 => Some(None),
        n => u8::try_from(n - 1).ok().map(Some),
    };
    Some(Mef {
        mefstat11: take_code(&mut from)?,
        cfd: take_code(&mut from)?,
        length: small(&mut from)?,
        year: small(&mut from)?,
        opened: take_day(&mut from)?,
        closed: take_day(&mut from)?,
    })
}

pub(super) fn diplome(diplome: &DiplomeHistory) -> Vec<u8> {
    let mut to = Encoder::default();
    put_year(&mut to, diplome.opened);
    put_year(&mut to, diplome.first_session);
    for code in &diplome.ancestors {
        put_code(&mut to, Some(code));
    }
    to.0
}

pub(super) fn read_diplome(record: &[u8]) -> Option<DiplomeHistory> {
    let mut from = Decoder(record);
    let (opened, first_session) = (take_year(&mut from)?, take_year(&mut from)?);
    let mut ancestors = Vec::new();
    while !from.0.is_empty() {
        ancestors.extend(take_code(&mut from)?);
    }
    Some(DiplomeHistory { opened, first_session, ancestors })
}

pub(super) fn certif_info(row: &CertifInfo) -> Vec<u8> {
    let mut to = Encoder::default();
    to.text(&row.entry);
    put_code(&mut to, row.cfd.as_ref());
    put_code(&mut to, row.sise.as_ref());
    for text in [&row.rncp, &row.older, &row.newer] {
        put_optional(&mut to, text.as_deref());
    }
    to.0
}

pub(super) fn read_certif_info(record: &[u8]) -> Option<CertifInfo> {
    let mut from = Decoder(record);
    Some(CertifInfo {
        entry: from.text()?.to_owned(),
        cfd: take_code(&mut from)?,
        sise: take_code(&mut from)?,
        rncp: take_optional(&mut from)?,
        older: take_optional(&mut from)?,
        newer: take_optional(&mut from)?,
    })
}

pub(super) fn link(link: &Link) -> Vec<u8> {
    let mut to = Encoder::default();
    put_code(&mut to, link.cfd.as_ref());
    put_optional(&mut to, link.rncp.as_deref());
    to.0
}

pub(super) fn read_link(record: &[u8]) -> Option<Link> {
    let mut from = Decoder(record);
    Some(Link { cfd: take_code(&mut from)?, rncp: take_optional(&mut from)? })
}

/// Several texts.
pub(super) fn texts(texts: &[&str]) -> Vec<u8> {
    let mut to = Encoder::default();
    for text in texts {
        to.text(text);
    }
    to.0
}

pub(super) fn read_texts<const N: usize>(record: &[u8]) -> Option<[&str; N]> {
    let mut from = Decoder(record);
    let mut texts = [""; N];
    for text in &mut texts {
        *text = from.text()?;
    }
    Some(texts)
}

/// National pay in a filiere and millesime. Below the threshold there is no number.
pub(super) fn pay(filiere: Filiere, millesime: &str, pay: Pay) -> Vec<u8> {
    let mut to = Encoder::default();
    to.number(rank(&Filiere::ALL, filiere)).text(millesime);
    match pay {
        Pay::NotCovered => {
            to.number(0);
        }
        Pay::BelowThreshold => {
            to.number(1);
        }
        Pay::Covered(quartiles) => {
            to.number(2);
            quartiles.into_iter().for_each(|quartile| put_number(&mut to, quartile));
        }
    }
    to.0
}

fn take_filiere(from: &mut Decoder<'_>) -> Option<Filiere> {
    Filiere::ALL.get(from.size()?).copied()
}

pub(super) fn read_pay(record: &[u8]) -> Option<(Filiere, &str, Pay)> {
    let mut from = Decoder(record);
    let (filiere, millesime) = (take_filiere(&mut from)?, from.text()?);
    let pay = match from.number()? {
        0 => Pay::NotCovered,
        1 => Pay::BelowThreshold,
        2 => Pay::Covered([take_number(&mut from)?, take_number(&mut from)?, take_number(&mut from)?]),
        _ => return None,
    };
    Some((filiere, millesime, pay))
}

/// What is said of an establishment itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum PlaceRecord {
    Establishment(Establishment),
    Mother(String),
    Daughter(String),
    /// A code that it has statistics of.
    Taught(Code),
}

pub(super) fn place(record: &PlaceRecord) -> Vec<u8> {
    let mut to = Encoder::default();
    match record {
        PlaceRecord::Establishment(establishment) => {
            to.number(0).text(&establishment.academie);
            put_year(&mut to, establishment.opened);
            put_year(&mut to, establishment.closed);
        }
        PlaceRecord::Mother(uai) => {
            to.number(1).text(uai);
        }
        PlaceRecord::Daughter(uai) => {
            to.number(2).text(uai);
        }
        PlaceRecord::Taught(code) => {
            to.number(3);
            put_code(&mut to, Some(code));
        }
    }
    to.0
}

pub(super) fn read_place(record: &[u8]) -> Option<PlaceRecord> {
    let mut from = Decoder(record);
    Some(match from.number()? {
        0 => PlaceRecord::Establishment(Establishment {
            academie: from.text()?.to_owned(),
            opened: take_year(&mut from)?,
            closed: take_year(&mut from)?,
        }),
        1 => PlaceRecord::Mother(from.text()?.to_owned()),
        2 => PlaceRecord::Daughter(from.text()?.to_owned()),
        3 => PlaceRecord::Taught(take_code(&mut from)??),
        _ => return None,
    })
}

/// What an establishment has for a code.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FigureRecord {
    Statistic(Filiere, PlaceStatistic),
    Success(Success),
}

pub(super) fn figure(record: &FigureRecord) -> Vec<u8> {
    let mut to = Encoder::default();
    match record {
        FigureRecord::Statistic(filiere, statistic) => {
            to.number(0).number(rank(&Filiere::ALL, *filiere));
            put_optional(&mut to, statistic.millesime.as_deref());
            put_optional(&mut to, statistic.donnee_source.as_deref());
            match statistic.coverage {
                Coverage::NotCovered => {
                    to.number(0);
                }
                Coverage::BelowThreshold => {
                    to.number(1);
                }
                Coverage::Covered(rates) => {
                    to.number(2);
                    [rates.employment(), rates.studies(), rates.other()]
                        .into_iter()
                        .for_each(|n| put_number(&mut to, n));
                }
            }
            for code in &statistic.final_years {
                put_code(&mut to, Some(code));
            }
        }
        FigureRecord::Success(success) => {
            to.number(1);
            for rate in [success.success, success.passage] {
                to.number(u64::from(rate.is_some()));
                rate.into_iter().for_each(|rate| put_number(&mut to, rate));
            }
        }
    }
    to.0
}

pub(super) fn read_figure(record: &[u8]) -> Option<FigureRecord> {
    let mut from = Decoder(record);
    if from.number()? == 1 {
        let mut rate = || match from.number()? {
            0 => Some(None),
            _ => take_number(&mut from).map(Some),
        };
        return Some(FigureRecord::Success(Success { success: rate()?, passage: rate()? }));
    }
    let filiere = take_filiere(&mut from)?;
    let (millesime, donnee_source) = (take_optional(&mut from)?, take_optional(&mut from)?);
    let coverage = match from.number()? {
        0 => Coverage::NotCovered,
        1 => Coverage::BelowThreshold,
        2 => Coverage::Covered(Rates::of(take_number(&mut from)?, take_number(&mut from)?, take_number(&mut from)?)),
        _ => return None,
    };
    let mut final_years = Vec::new();
    while !from.0.is_empty() {
        final_years.extend(take_code(&mut from)?);
    }
    Some(FigureRecord::Statistic(filiere, PlaceStatistic { coverage, final_years, millesime, donnee_source }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let row = Mef {
            mefstat11: mefstat11("32221031213"),
            cfd: cfd("32031213"),
            length: Some(2),
            year: None,
            opened: Day::read("2015-09-01"),
            closed: None,
        };
        assert_eq!(read_mef(&mef(&row)), Some(row));
        let of = DiplomeHistory { opened: Some(2013), first_session: None, ancestors: vec![cfd("32031212").unwrap()] };
        assert_eq!(read_diplome(&diplome(&of)), Some(of));
        let rates = [Some(52.0), Some(31.0), Some(17.5)];
        for (size, rates) in [(Some(34.0), rates), (Some(7.0), rates), (None, rates)] {
            let statistic = PlaceStatistic {
                final_years: vec![mefstat11("32221031213").unwrap()],
                millesime: Some("2022".into()),
                ..PlaceStatistic::new(Coverage::of(size, rates))
            };
            let record = FigureRecord::Statistic(Filiere::Pro, statistic);
            assert_eq!(read_figure(&figure(&record)), Some(record));
            let of = Pay::of(size.or(Some(3.0)), rates);
            assert_eq!(read_pay(&pay(Filiere::Apprentissage, "2022", of)), Some((Filiere::Apprentissage, "2022", of)));
        }
        let success = FigureRecord::Success(Success { success: None, passage: Some(40.0) });
        assert_eq!(read_figure(&figure(&success)), Some(success));
    }

    #[test]
    fn below_the_threshold_a_record_is_the_same_whatever_its_numbers() {
        let record = |size: f64, rates: [f64; 3]| {
            let statistic = PlaceStatistic::new(Coverage::of(Some(size), rates.map(Some)));
            (
                figure(&FigureRecord::Statistic(Filiere::Pro, statistic)),
                pay(Filiere::Pro, "2022", Pay::of(Some(size), rates.map(Some))),
            )
        };
        assert_eq!(record(3.0, [10.0, 20.0, 70.0]), record(19.0, [33.0, 33.0, 34.0]));
    }
}
