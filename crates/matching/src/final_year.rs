//! From a diploma, or from a first year, to the final year whose figures are published.

use crate::day::Day;
use crate::field::{Code, CodeType, cfd, mefstat11};
use crate::lookups::{CodeLinks, Mef};

/// The MEFSTAT11s of the final year of a CFD that was inferred, on the day of a campaign.
///
/// Rule: of its MEFs, those that opened by that day (a missing opening day passes) and do not close before that day
/// plus the length of the course; of these the highest year only, however long the course. Whether the code has
/// statistics is not asked.
/// Source: contract, "Candidates"; details, section 2 ("Final-year MEFs of a CFD") and 5.4; cases 033 to 039.
#[must_use]
pub fn final_year_codes(links: &impl CodeLinks, cfd: &Code, campaign: Day) -> Vec<Code> {
    let open = |mef: &Mef| {
        let end = campaign.plus_years(mef.length.unwrap_or(0));
        mef.opened.is_none_or(|opened| opened <= campaign) && mef.closed.is_none_or(|closed| closed >= end)
    };
    highest_year(links.mefs_of_cfd(cfd).into_iter().filter(open))
}

/// The MEFSTAT11s of the final year of a CFD that the row declares.
///
/// Rule: dates choose among the MEFs of a declared CFD, and never refuse it: where none is open on the day of the
/// campaign, all count.
/// Source: contract, "Candidates" ("Dates are not asked of a declared code"); details, 5.4 ("only for inferred
/// codes").
#[must_use]
pub fn final_year_codes_of_declared(links: &impl CodeLinks, cfd: &Code, campaign: Day) -> Vec<Code> {
    let open = final_year_codes(links, cfd, campaign);
    if open.is_empty() { highest_year(links.mefs_of_cfd(cfd).into_iter()) } else { open }
}

fn highest_year(mefs: impl Iterator<Item = Mef>) -> Vec<Code> {
    let coded: Vec<(u8, Code)> = mefs.filter_map(|mef| Some((mef.year.unwrap_or(0), mef.mefstat11?))).collect();
    let highest = coded.iter().map(|(year, _)| *year).max();
    let mut codes: Vec<Code> =
        coded.into_iter().filter(|(year, _)| Some(*year) == highest).map(|(_, code)| code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The final year of the course of a MEFSTAT11; `None` where it is one itself, or where N_MEF does not tell.
///
/// Rule: the fourth character is the year; it is set to the length of the course.
/// Source: contract, "Choice"; details, section 2 ("Code that is looked up"); cases 001 to 003.
#[must_use]
pub fn final_year_of(links: &impl CodeLinks, code: &Code) -> Option<Code> {
    if code.code_type() != CodeType::Mef {
        return None;
    }
    let length = links.mefs_of_mefstat11(code).iter().find_map(|mef| mef.length)?;
    let digit = char::from_digit(u32::from(length), 10).filter(|digit| *digit != '0')?;
    let year = code.as_str().chars().nth(3)?;
    let text: String = code.as_str().chars().enumerate().map(|(at, own)| if at == 3 { digit } else { own }).collect();
    if year == digit { None } else { mefstat11(&text) }
}

/// The CFDs of a MEFSTAT11.
#[must_use]
pub fn cfds_of_mefstat11(links: &impl CodeLinks, code: &Code) -> Vec<Code> {
    let mut codes: Vec<Code> = links.mefs_of_mefstat11(code).into_iter().filter_map(|mef| mef.cfd).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The CFDs of a code of secondary education: a CFD is its own.
#[must_use]
pub fn cfds_of(links: &impl CodeLinks, code: &Code) -> Vec<Code> {
    match code.code_type() {
        CodeType::Cfd => cfd(code.as_str()).into_iter().collect(),
        CodeType::Mef => cfds_of_mefstat11(links, code),
        CodeType::Sise => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::LookupTables;

    fn tables(rows: &[(&str, &str, u8, u8, &str, &str)]) -> LookupTables {
        let mut tables = LookupTables::default();
        for (mef, code, length, year, opened, closed) in rows {
            let row = Mef {
                mefstat11: mefstat11(code),
                cfd: cfd("32031213"),
                length: Some(*length),
                year: Some(*year),
                opened: Day::read(opened),
                closed: Day::read(closed),
            };
            tables.add_mef(mef, row);
        }
        tables
    }

    fn campaign() -> Day {
        Day::read("2024-08-31").unwrap()
    }

    fn texts(codes: &[Code]) -> Vec<&str> {
        codes.iter().map(Code::as_str).collect()
    }

    #[test]
    fn only_the_highest_year_that_stays_open_counts() {
        for (opened, closed, expected) in [
            ("01/09/2015", "", "32221031213"),
            ("", "", "32221031213"),
            ("31/08/2024", "31/08/2026", "32221031213"),
            ("01/09/2024", "", "32111031213"),
            ("01/09/2015", "30/08/2026", "32111031213"),
        ] {
            let tables = tables(&[
                ("a", "32211031213", 2, 1, opened, closed),
                ("b", "32221031213", 2, 2, opened, closed),
                ("c", "32111031213", 1, 1, "", ""),
            ]);
            let codes = final_year_codes(&tables, &cfd("32031213").unwrap(), campaign());
            assert_eq!(texts(&codes), [expected], "{opened} {closed}");
        }
    }

    #[test]
    fn dates_never_refuse_a_declared_diploma() {
        let tables = tables(&[("b", "32221031213", 2, 2, "01/09/2000", "31/08/2010")]);
        let code = cfd("32031213").unwrap();
        assert!(final_year_codes(&tables, &code, campaign()).is_empty());
        assert_eq!(texts(&final_year_codes_of_declared(&tables, &code, campaign())), ["32221031213"]);
    }

    #[test]
    fn the_fourth_character_is_set_to_the_length() {
        let tables = tables(&[("a", "32211031213", 2, 1, "", ""), ("c", "32111031213", 1, 1, "", "")]);
        let of = |code| final_year_of(&tables, &mefstat11(code).unwrap()).map(|code| code.as_str().to_owned());
        assert_eq!(of("32211031213").as_deref(), Some("32221031213"));
        assert_eq!(of("32111031213"), None, "a course of one year is its own final year");
        assert_eq!(of("99911031213"), None, "unknown to N_MEF");
    }
}
