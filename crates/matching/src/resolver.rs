//! From the identifiers of a row to codes of certifications: no establishment, no number.

pub mod reach;

use self::reach::Reached;
use crate::field::{Code, CodeType, any_code, cfd};
use crate::final_year::{cfds_of_mefstat11, final_year_codes, final_year_codes_of_declared};
use crate::lookups::CodeLinks;
use crate::nomenclatures::{CodeSource, Identifier, Nomenclatures, Path};
use crate::resolution::{CodeFamily, Form, Level, Options, Resolution};
use crate::row::{FormationRow, Voie};
use std::collections::BTreeSet;

/// As many codes of one source are kept: enough to show that there are several.
const MOST_CODES: usize = 20;

/// Resolves the identifiers of rows.
#[derive(Clone, Copy, Debug)]
pub struct Resolver<'a, L> {
    pub(crate) links: &'a L,
    pub(crate) nomenclatures: &'a Nomenclatures,
    options: Options,
}

impl<'a, L: CodeLinks> Resolver<'a, L> {
    /// A resolver over these links.
    #[must_use]
    pub fn new(links: &'a L, nomenclatures: &'a Nomenclatures, options: Options) -> Self {
        Self { links, nomenclatures, options }
    }

    /// The voie of a row.
    ///
    /// Rule: the one it tells; else the request's, which is school where it tells none. Inferred sources are not
    /// refused for it. Source: case 043; the former material dropped such rows (details, section 6).
    #[must_use]
    pub fn voie(&self, row: &FormationRow<'_>) -> Voie {
        row.voie.unwrap_or(self.options.voie_when_absent)
    }

    /// What every identifier of a row yields: per source, family and form the level *itself* (where the source
    /// yields nothing at all: one line that says so), and the older and newer levels that yield a code.
    #[must_use]
    pub fn resolve(&self, row: &FormationRow<'_>) -> Vec<Resolution> {
        self.resolve_with(row, &|_| false)
    }

    /// The same, where figures of the row's establishment make a SISE code known.
    pub(crate) fn resolve_with(&self, row: &FormationRow<'_>, has_figures: &dyn Fn(&Code) -> bool) -> Vec<Resolution> {
        let mut found = self.by_hand(row);
        for (place, identifier) in self.nomenclatures.identifiers().iter().enumerate() {
            let value = row.identifier(place);
            if !value.is_empty() || self.is_named_by_catalogue(row, identifier) {
                found.extend(self.of_identifier(row, identifier, value, has_figures));
            }
        }
        self.refuse_contradiction(row, &mut found);
        found
    }

    /// A code given by hand is taken as it is written.
    ///
    /// Rule: it comes before every other source; it is inverse where it is of the other voie, and its own inverse is
    /// asked like those of other sources. Several codes for one key are refused.
    /// Source: contract, "Candidates" and "Output" (a rate of the other voie never stands without `inverse`);
    /// case 104.
    fn by_hand(&self, row: &FormationRow<'_>) -> Vec<Resolution> {
        let texts = if row.key.is_empty() { Vec::new() } else { self.links.manual(row.key) };
        if texts.is_empty() {
            return Vec::new();
        }
        let codes: BTreeSet<Code> = texts.iter().filter_map(|text| any_code(text)).collect();
        let voie = self.voie(row);
        let (family, form) = match codes.first().map(Code::code_type) {
            Some(CodeType::Sise) => (CodeFamily::Higher, Form::Normal),
            Some(CodeType::Cfd) if voie == Voie::School => (CodeFamily::Secondary, Form::Inverse),
            Some(CodeType::Mef) if voie == Voie::Apprenticeship => (CodeFamily::Secondary, Form::Inverse),
            _ => (CodeFamily::Secondary, Form::Normal),
        };
        let of = |form, codes| resolution(CodeSource::MANUAL, family, form, Level::Itself, codes, false);
        let mut found = Vec::new();
        if let (CodeFamily::Secondary, Form::Normal, Some(code), 1) = (family, form, codes.first(), codes.len()) {
            found.push(of(Form::Inverse, self.other_voie(code)));
        }
        found.insert(0, of(form, codes));
        found
    }

    /// The codes of the other voie of the same diploma.
    fn other_voie(&self, code: &Code) -> BTreeSet<Code> {
        match code.code_type() {
            CodeType::Mef => cfds_of_mefstat11(self.links, code).into_iter().collect(),
            CodeType::Cfd => {
                final_year_codes_of_declared(self.links, code, self.options.campaign).into_iter().collect()
            }
            CodeType::Sise => BTreeSet::new(),
        }
    }

    fn of_identifier(
        &self,
        row: &FormationRow<'_>,
        identifier: &Identifier,
        value: &str,
        has_figures: &dyn Fn(&Code) -> bool,
    ) -> Vec<Resolution> {
        let itself = self.itself(row, identifier, value);
        let older = self.of_entries(&self.older_entries(&itself.entries));
        let newer = self.of_entries(&self.newer_entries(&itself.entries));
        let declared = identifier.path == Path::Cfd;
        let voie = self.voie(row);
        let mut found = Vec::new();
        for (level, reached) in Level::ALL.into_iter().zip([&itself, &older, &newer]) {
            if identifier.secondary.is_some() {
                for (form, voie) in [(Form::Normal, voie), (Form::Inverse, voie.other())] {
                    let codes = self.secondary_codes(reached, voie, declared && level == Level::Itself);
                    found.push(resolution(
                        identifier.source,
                        CodeFamily::Secondary,
                        form,
                        level,
                        codes,
                        reached.too_long,
                    ));
                }
            }
            if identifier.higher.is_some() {
                let codes = self.sise_codes(reached, has_figures);
                found.push(resolution(
                    identifier.source,
                    CodeFamily::Higher,
                    Form::Normal,
                    level,
                    codes,
                    reached.too_long,
                ));
            }
        }
        keep_telling(found)
    }

    /// The codes of one voie: apprenticeship has CFDs, school has MEFSTAT11s.
    ///
    /// Rule: a MEFSTAT11 that the identifier gives is taken; else each CFD stands for its final year. CFDs must be
    /// known to the nomenclature; a CFD that has MEFs is.
    /// Source: contract, "Candidates"; details, section 3, step 2 ("codes that the BCN knows"); cases 015, 016,
    /// 039, 040, 044, 096.
    fn secondary_codes(&self, reached: &Reached, voie: Voie, declared: bool) -> BTreeSet<Code> {
        match voie {
            Voie::Apprenticeship => {
                reached.cfds.iter().filter(|code| knows_cfd(self.links, code)).take(MOST_CODES).cloned().collect()
            }
            Voie::School if !reached.mefstat11s.is_empty() => {
                reached.mefstat11s.iter().take(MOST_CODES).cloned().collect()
            }
            Voie::School => {
                let campaign = self.options.campaign;
                let final_years = reached.cfds.iter().flat_map(|code| {
                    if declared {
                        final_year_codes_of_declared(self.links, code, campaign)
                    } else {
                        final_year_codes(self.links, code, campaign)
                    }
                });
                first_distinct(final_years)
            }
        }
    }

    /// The SISE codes that are known.
    ///
    /// Rule: N_DIPLOME_SISE knows it, or its figures are published under another code, or the establishment has a
    /// statistic of it. Source: contract, "Candidates"; details, 5.16; cases 067, 074, 094.
    fn sise_codes(&self, reached: &Reached, has_figures: &dyn Fn(&Code) -> bool) -> BTreeSet<Code> {
        let known = |code: &&Code| {
            self.links.knows_sise(code) || !self.links.published_sise(code).is_empty() || has_figures(code)
        };
        reached.sises.iter().filter(known).take(MOST_CODES).cloned().collect()
    }

    /// Where the declared MEF and CFD are of different diplomas, both are refused, in both forms.
    ///
    /// Source: contract, "Candidates"; details, 5.6; case 042.
    fn refuse_contradiction(&self, row: &FormationRow<'_>, found: &mut [Resolution]) {
        if !self.declared_codes_disagree(row) {
            return;
        }
        for form in [Form::Normal, Form::Inverse] {
            let declared =
                |one: &Resolution| (one.source == CodeSource::MEF || one.source == CodeSource::CFD) && one.form == form;
            let both: BTreeSet<Code> =
                found.iter().filter(|one| declared(one)).flat_map(|one| one.codes.clone()).collect();
            for one in found.iter_mut().filter(|one| declared(one) && one.level == Level::Itself) {
                one.codes = both.iter().cloned().collect();
                one.refused = true;
            }
        }
    }

    fn declared_codes_disagree(&self, row: &FormationRow<'_>) -> bool {
        let of_mef = row.along(self.nomenclatures, Path::Mef).map(|(_, mef)| self.links.mef(mef)).unwrap_or_default();
        let of_mef: Vec<Code> = of_mef.into_iter().filter_map(|mef| mef.cfd).collect();
        let declared = row.along(self.nomenclatures, Path::Cfd).and_then(|(_, text)| cfd(text));
        declared.is_some_and(|code| !of_mef.is_empty() && knows_cfd(self.links, &code) && !of_mef.contains(&code))
    }
}

/// Whether the nomenclature knows a CFD.
pub(crate) fn knows_cfd(links: &impl CodeLinks, code: &Code) -> bool {
    links.diplome(code).is_some() || !links.mefs_of_cfd(code).is_empty()
}

fn resolution(
    source: CodeSource,
    family: CodeFamily,
    form: Form,
    level: Level,
    codes: BTreeSet<Code>,
    refused: bool,
) -> Resolution {
    let codes = codes.into_iter().take(MOST_CODES).collect();
    Resolution { source, family, form, level, codes, refused }
}

/// Leaves out what says nothing, but one line per form where a source yields nothing at all.
fn keep_telling(found: Vec<Resolution>) -> Vec<Resolution> {
    let mut kept: Vec<Resolution> = Vec::with_capacity(found.len());
    let says = |form, level| {
        let mut of_both = found.iter().filter(|one| one.form == form && one.level == level);
        of_both.any(Resolution::speaks)
    };
    for one in &found {
        let told = kept.iter().any(|kept| kept.form == one.form && kept.level == Level::Itself);
        if one.speaks() || (one.level == Level::Itself && !told && !says(one.form, Level::Itself)) {
            kept.push(one.clone());
        }
    }
    kept
}

fn first_distinct(codes: impl Iterator<Item = Code>) -> BTreeSet<Code> {
    let mut kept = BTreeSet::new();
    for code in codes {
        if kept.len() >= MOST_CODES {
            break;
        }
        kept.insert(code);
    }
    kept
}
