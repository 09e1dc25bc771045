//! From a row to its code, its figures and its one reason.

use crate::answer::{Found, Insertion, PayBlock, Retained, RowAnswer, SuccessBlock};
use crate::field::{Code, filieres_of};
use crate::lookups::{CodeLinks, Coverage, Pay, Statistics};
use crate::nomenclatures::{CodeSource, Nomenclatures};
use crate::places::{
    Figures, Place, SeveralYears, Trial, best, own_places, places_asked, places_for, standing_for, statistic_of, trials,
};
use crate::reason::{Reason, is_badly_covered, is_new, is_open_in};
use crate::resolution::{CodeFamily, Form, Options, Resolution, Validity};
use crate::resolver::Resolver;
use crate::row::FormationRow;

/// Judges rows, one by one: a row's answer is a function of the row, the options and the data.
#[derive(Clone, Copy, Debug)]
pub struct Matcher<'a, D> {
    data: &'a D,
    nomenclatures: &'a Nomenclatures,
    options: Options,
}

/// A candidate that was looked up, and what each establishment had for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// The candidate. One that is refused has no trials.
    pub candidate: Resolution,
    /// The looks, in order.
    pub trials: Vec<Trial>,
}

/// How an answer came about.
#[derive(Clone, Debug, PartialEq)]
pub struct RowExplanation {
    /// What every identifier yields, by level and form.
    pub resolutions: Vec<Resolution>,
    /// The establishments that were asked.
    pub places: Vec<Place>,
    /// The candidates in the order in which they were tried, up to the one that ended the search.
    pub tried: Vec<Tried>,
    /// Those that were not tried any more.
    pub untried: Vec<Resolution>,
}

/// An answer and its explanation.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The answer.
    pub answer: RowAnswer,
    /// How it came about.
    pub explanation: RowExplanation,
}

impl<'a, D: CodeLinks + Statistics> Matcher<'a, D> {
    /// A matcher over this data.
    #[must_use]
    pub fn new(data: &'a D, nomenclatures: &'a Nomenclatures, options: Options) -> Self {
        Self { data, nomenclatures, options }
    }

    /// Its resolver.
    #[must_use]
    pub fn resolver(&self) -> Resolver<'a, D> {
        Resolver::new(self.data, self.nomenclatures, self.options)
    }

    /// The answer to a row.
    #[must_use]
    pub fn answer(&self, row: &FormationRow<'_>) -> RowAnswer {
        self.judge(row).answer
    }

    /// The answer to a row, explained.
    ///
    /// Rule: the candidates are tried in order; the first whose figures are covered or below the threshold ends the
    /// search.
    /// Source: contract, "Choice"; details, 5.2; cases 014, 024 to 032, 065, 066.
    #[must_use]
    pub fn judge(&self, row: &FormationRow<'_>) -> Judgement {
        let resolver = self.resolver();
        let has_figures = |code: &Code| statistic_of(self.data, row.gestionnaire, code).is_some();
        let resolutions = resolver.resolve_with(row, &has_figures);
        let candidates = resolver.candidates(row, &resolutions);
        let places = places_asked(row, self.data);
        let mut tried: Vec<Tried> = Vec::with_capacity(candidates.len());
        let mut untried = Vec::new();
        let mut found = None;
        for candidate in &candidates {
            if found.is_some() {
                untried.push(candidate.clone());
                continue;
            }
            let trials = match candidate.code() {
                Some(code) => trials(self.data, &places_for(row, &places, code), code),
                None => Vec::new(),
            };
            found = best(&trials).and_then(|trial| found_in(candidate, trial));
            tried.push(Tried { candidate: candidate.clone(), trials });
        }
        let insertion = match found {
            Some((found, Coverage::Covered(rates))) => Insertion::Covered { found, rates },
            Some((found, _)) => Insertion::BelowThreshold { found },
            None => self.not_covered(row, &candidates, &tried),
        };
        let answer =
            RowAnswer { pay: self.pay(&candidates, &insertion), success: self.success(row, &candidates), insertion };
        Judgement { answer, explanation: RowExplanation { resolutions, places, tried, untried } }
    }

    /// The first reason that holds.
    ///
    /// Rule: no source gives a code of the row's own voie: code unknown. None gives exactly one: several codes. None
    /// of the row's three establishments is in ACCE and open in the last millesime's year: establishment unknown.
    /// Then, of the first code that is known: new formation; the academie of the first establishment that is known;
    /// shared first year, several final years of any code of the own voie.
    /// Source: contract, "Output"; details, 5.8 to 5.13; cases 017, 033, 035, 044 to 053, 067 to 069, 076, 078 to
    /// 089, 092, 093.
    fn not_covered(&self, row: &FormationRow<'_>, candidates: &[Resolution], tried: &[Tried]) -> Insertion {
        let own = || candidates.iter().filter(|one| is_own(one));
        let refused = |reason| Insertion::NotCovered { reason, retained: None, without_statistic: false };
        if own().next().is_none() {
            return refused(Reason::CodeUnknown);
        }
        let Some((first, code)) = own().find_map(|one| Some((one, one.code()?))) else {
            return refused(Reason::SeveralCodes);
        };
        let last_year = filieres_of(code).iter().find_map(|filiere| self.data.last_year(*filiere));
        let establishments: Vec<_> =
            own_places(row).iter().filter_map(|place| self.data.establishment(&place.uai)).collect();
        let several = |years| {
            tried
                .iter()
                .filter(|tried| is_own(&tried.candidate))
                .flat_map(|tried| &tried.trials)
                .any(|trial| trial.figures == Figures::Several(years))
        };
        let shared = || own().filter_map(Resolution::code).any(|code| self.data.shared_first_year(code).is_some());
        let reason = if !establishments.iter().any(|establishment| is_open_in(establishment, last_year)) {
            Reason::EstablishmentUnknown
        } else if last_year.is_some_and(|year| is_new(self.data, code, year)) {
            Reason::NewFormation
        } else if establishments.first().is_some_and(|establishment| is_badly_covered(&establishment.academie)) {
            Reason::BadlyCoveredTerritory
        } else if shared() || several(SeveralYears::SharedFirstYear) {
            Reason::SharedFirstYear
        } else if several(SeveralYears::SeveralFinalYears) {
            Reason::SeveralFinalYears
        } else {
            Reason::NoKnownReason
        };
        let without_statistic = reason == Reason::NoKnownReason
            && own()
                .filter_map(Resolution::code)
                .flat_map(|code| standing_for(self.data, code))
                .all(|code| !self.data.has_statistic(&code));
        Insertion::NotCovered { reason, retained: Some(retained(first, code)), without_statistic }
    }

    /// National pay of the row.
    ///
    /// Rule: of the first code of the own voie that has any, in the order of the sources, itself or its final year,
    /// whatever the insertion says; pay of the other voie only where the insertion is inverse, so that it never
    /// stands without the word beside it.
    /// Source: contract, "Output"; details, section 3, step 4; cases 105, 106.
    fn pay(&self, candidates: &[Resolution], insertion: &Insertion) -> PayBlock {
        let own = candidates.iter().filter(|one| is_own(one)).filter_map(Resolution::code);
        let found = match insertion {
            Insertion::Covered { found, .. } | Insertion::BelowThreshold { found } => Some(found),
            Insertion::NotCovered { .. } | Insertion::Unreadable { .. } => None,
        };
        // A shared first year has the pay of the final year that its figures are of, and of no other.
        let codes = |code: &Code| match found {
            Some(found) if found.retained.code == *code => vec![code.clone(), found.data.clone()],
            _ if self.data.shared_first_year(code).is_some() => vec![code.clone()],
            _ => standing_for(self.data, code).into_iter().take(2).collect(),
        };
        let inverse = found.filter(|found| found.retained.form == Form::Inverse).map(|found| &found.retained.code);
        let mut below = None;
        for code in own.chain(inverse).flat_map(codes) {
            match self.data.pay(&code) {
                pay @ Pay::Covered(_) => return PayBlock { code: Some(code), pay },
                Pay::BelowThreshold => below = below.or(Some(code)),
                Pay::NotCovered => {}
            }
        }
        match below {
            Some(code) => PayBlock { code: Some(code), pay: Pay::BelowThreshold },
            None => PayBlock { code: None, pay: Pay::NotCovered },
        }
    }

    /// Rates of success of the row.
    ///
    /// Rule: of the first SISE code that has any, by the gestionnaire (the main UAI), else by the composante.
    /// Source: details, section 3, step 5; case 110.
    fn success(&self, row: &FormationRow<'_>, candidates: &[Resolution]) -> SuccessBlock {
        let codes = candidates.iter().filter(|one| one.family == CodeFamily::Higher).filter_map(Resolution::code);
        for code in codes {
            for uai in [row.gestionnaire, row.composante] {
                let success = self.data.success(uai, code).filter(crate::lookups::Success::is_known);
                if let Some(success) = success {
                    return SuccessBlock { code: Some(code.clone()), success };
                }
            }
        }
        SuccessBlock::default()
    }
}

/// Whether a candidate is of the row's own voie. A code given by hand is: the person who gave it says so.
fn is_own(candidate: &Resolution) -> bool {
    candidate.form == Form::Normal || candidate.source == CodeSource::MANUAL
}

fn retained(candidate: &Resolution, code: &Code) -> Retained {
    Retained { code: code.clone(), source: candidate.source, form: candidate.form, level: candidate.level }
}

fn found_in(candidate: &Resolution, trial: &Trial) -> Option<(Found, Coverage)> {
    let Figures::Of(data, statistic) = &trial.figures else { return None };
    let found = Found {
        retained: retained(candidate, candidate.code()?),
        data: data.clone(),
        uai: trial.place.uai.clone(),
        field: trial.place.field,
        millesime: statistic.millesime.clone(),
        donnee_source: statistic.donnee_source.clone(),
    };
    Some((found, statistic.coverage))
}

impl RowExplanation {
    /// Whether a source was refused because it yields several codes.
    #[must_use]
    pub fn has_refusal(&self) -> bool {
        self.tried.iter().any(|tried| tried.candidate.validity() == Validity::Several)
    }
}
