//! The establishments of a row, and the figures that they have for a code.

use crate::field::{Code, CodeType, filieres_of};
use crate::final_year::final_year_of;
use crate::lookups::{CodeLinks, Coverage, PlaceStatistic, Statistics};
use crate::row::FormationRow;

/// Which column of the row names an establishment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlaceField {
    /// Where it is taught.
    Composante,
    /// To which pupils are assigned.
    Affectation,
    /// Who runs it.
    Gestionnaire,
    /// The mother establishment, which ACCE gives.
    Mother,
}

impl PlaceField {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Composante => "UAI_COMPOSANTE",
            Self::Affectation => "UAI_AFF",
            Self::Gestionnaire => "UAI_GES",
            Self::Mother => "UAI_MERE",
        }
    }
}

/// An establishment that may have the figures of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The column it comes from.
    pub field: PlaceField,
    /// Its UAI.
    pub uai: String,
}

/// The establishments that a row names, in the order of their rank: each once, under its first column.
#[must_use]
pub fn own_places(row: &FormationRow<'_>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::with_capacity(4);
    for (field, uai) in [
        (PlaceField::Composante, row.composante),
        (PlaceField::Affectation, row.affectation),
        (PlaceField::Gestionnaire, row.gestionnaire),
    ] {
        if !uai.is_empty() && places.iter().all(|place| place.uai != uai) {
            places.push(Place { field, uai: uai.to_owned() });
        }
    }
    places
}

/// The mother establishment of a row.
///
/// Rule: of the first of composante, affectation and gestionnaire that has any, and only where it has exactly one.
/// Source: contract, "Choice"; details, section 4; cases 107 to 109.
#[must_use]
pub fn sole_mother(row: &FormationRow<'_>, statistics: &impl Statistics) -> Option<String> {
    let own = own_places(row);
    let mut mothers = own.iter().map(|place| statistics.mothers(&place.uai)).find(|mothers| !mothers.is_empty())?;
    mothers.sort_unstable();
    mothers.dedup();
    let mother = mothers.pop().filter(|mother| !mother.is_empty())?;
    (mothers.is_empty() && own.iter().all(|place| place.uai != mother)).then_some(mother)
}

/// Every establishment whose figures judging a row may ask for: to be fetched before.
#[must_use]
pub fn places_asked(row: &FormationRow<'_>, statistics: &impl Statistics) -> Vec<Place> {
    let mother = sole_mother(row, statistics).map(|uai| Place { field: PlaceField::Mother, uai });
    own_places(row).into_iter().chain(mother).collect()
}

/// The establishments that are asked for a code, in the order of their rank.
///
/// Rule: composante, affectation, gestionnaire, then the sole mother establishment. Higher education: the
/// gestionnaire only, since an antenna has no figures of its own.
/// Source: contract, "Choice"; details, sections 2 and 4; cases 008 to 010, 058, 059.
#[must_use]
pub fn places_for(row: &FormationRow<'_>, asked: &[Place], code: &Code) -> Vec<Place> {
    if code.code_type() == CodeType::Sise {
        let gestionnaire = Place { field: PlaceField::Gestionnaire, uai: row.gestionnaire.to_owned() };
        return Some(gestionnaire).filter(|place| !place.uai.is_empty()).into_iter().collect();
    }
    asked.to_vec()
}

/// The statistic of a code in an establishment: the best of its filieres.
#[must_use]
pub fn statistic_of(statistics: &impl Statistics, uai: &str, code: &Code) -> Option<PlaceStatistic> {
    let of_filieres = filieres_of(code).iter().filter_map(|filiere| statistics.statistic(uai, code, *filiere));
    // `max_by_key` keeps the last of equals, and the first filiere is to stay.
    of_filieres.reduce(|best, next| if next.coverage.rank() > best.coverage.rank() { next } else { best })
}

/// Why a code has no figures of its own to show, though its final years may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeveralYears {
    /// A shared first year of which several final years have figures.
    SharedFirstYear,
    /// A document that names several final years.
    SeveralFinalYears,
}

/// What an establishment has for a code.
#[derive(Clone, Debug, PartialEq)]
pub enum Figures {
    /// The statistic, and the code that it is of.
    Of(Code, PlaceStatistic),
    /// No single code stands for it.
    Several(SeveralYears),
    /// Nothing.
    None,
}

/// The final years of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
enum FinalYearCodes {
    Shared(Vec<Code>),
    Named(Vec<Code>),
}

/// What an establishment has for a code of the catalogue.
///
/// Rule: the code's own figures; else those of its final year. A shared first year has those of its final year where
/// exactly one has a group there, be it below the threshold; where several have, none is picked. Of another code the
/// final years are those that its document names (several of them: none is picked), else the one that the length of
/// the course gives. A SISE code has the figures of the one code under which it is published.
/// Source: contract, "Choice"; details, section 2 ("Code that is looked up"), section 4 and 5.13; cases 001 to 003,
/// 052, 053, 075, 076, 088, 092, 093.
#[must_use]
pub fn figures_at<D: CodeLinks + Statistics>(data: &D, uai: &str, code: &Code) -> Figures {
    let own = statistic_of(data, uai, code);
    if let Some(statistic) = &own
        && statistic.coverage.rank() > 0
    {
        return Figures::Of(code.clone(), statistic.clone());
    }
    let named = own.as_ref().map(|statistic| statistic.final_years.clone()).unwrap_or_default();
    match final_years(data, code, named) {
        FinalYearCodes::Shared(codes) => {
            let mut with_figures = codes.into_iter().filter_map(|code| {
                let statistic = statistic_of(data, uai, &code)?;
                (statistic.coverage.rank() > 0).then_some((code, statistic))
            });
            match (with_figures.next(), with_figures.next()) {
                (Some((code, statistic)), None) => Figures::Of(code, statistic),
                (Some(_), Some(_)) => Figures::Several(SeveralYears::SharedFirstYear),
                _ => Figures::None,
            }
        }
        FinalYearCodes::Named(codes) => match codes.as_slice() {
            [] => own.map_or(Figures::None, |statistic| Figures::Of(code.clone(), statistic)),
            [last] => {
                statistic_of(data, uai, last).map_or(Figures::None, |statistic| Figures::Of(last.clone(), statistic))
            }
            _ => Figures::Several(SeveralYears::SeveralFinalYears),
        },
    }
}

fn final_years<D: CodeLinks + Statistics>(data: &D, code: &Code, named: Vec<Code>) -> FinalYearCodes {
    if let Some(mut codes) = data.shared_first_year(code) {
        codes.extend(named);
        return FinalYearCodes::Shared(sorted(codes));
    }
    let named = sorted(named);
    if !named.is_empty() {
        return FinalYearCodes::Named(named);
    }
    let published = if code.code_type() == CodeType::Sise { data.published_sise(code) } else { Vec::new() };
    FinalYearCodes::Named(sorted(published.into_iter().chain(final_year_of(data, code)).collect()))
}

/// The codes that stand for a code where no establishment is asked: itself and its final years.
pub(crate) fn standing_for<D: CodeLinks + Statistics>(data: &D, code: &Code) -> Vec<Code> {
    let (FinalYearCodes::Shared(codes) | FinalYearCodes::Named(codes)) = final_years(data, code, Vec::new());
    std::iter::once(code.clone()).chain(codes).collect()
}

fn sorted(mut codes: Vec<Code>) -> Vec<Code> {
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// A look at one establishment for one code.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The establishment.
    pub place: Place,
    /// What it has.
    pub figures: Figures,
}

impl Trial {
    /// Covered, below the threshold or neither.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        match &self.figures {
            Figures::Of(_, statistic) => statistic.coverage,
            Figures::Several(_) | Figures::None => Coverage::NotCovered,
        }
    }
}

/// Looks at the establishments of a row for a code, in the order of their rank.
///
/// Rule: where the figures of a place are ambiguous, places of a lower rank are not asked: they would settle it.
#[must_use]
pub fn trials<D: CodeLinks + Statistics>(data: &D, places: &[Place], code: &Code) -> Vec<Trial> {
    let mut trials = Vec::with_capacity(places.len());
    for place in places {
        let figures = figures_at(data, &place.uai, code);
        let ambiguous = matches!(figures, Figures::Several(_));
        trials.push(Trial { place: place.clone(), figures });
        if ambiguous {
            break;
        }
    }
    trials
}

/// The trial that counts: covered before below the threshold, then the rank of the establishment.
///
/// Source: contract, "Choice"; cases 008 to 011.
#[must_use]
pub fn best(trials: &[Trial]) -> Option<&Trial> {
    trials
        .iter()
        .filter(|trial| trial.coverage().rank() > 0)
        .reduce(|best, next| if next.coverage().rank() > best.coverage().rank() { next } else { best })
}
