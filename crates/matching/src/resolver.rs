//! From the identifiers of a row to codes of certifications: no establishment, no number.

use crate::day::Day;
use crate::field::{Code, TypeCode, any_code, cfd, sise};
use crate::final_year::{cfds_of, cfds_of_mefstat11, final_year_codes, final_year_codes_of_declared};
use crate::lookups::{CatalogueKey, CertifInfo, CertifInfoKey, Links};
use crate::nomenclatures::{Identifier, Nomenclatures, Path, Source};
use crate::row::{CatalogueRow, Voie};
use crate::tables::rncp_number;
use std::collections::BTreeSet;

/// A list longer than this names many certifications by itself: it is refused as ambiguous, unread.
/// Parcoursup's longest list has a dozen members; the bound keeps the cost of a hostile row small.
pub const MOST_MEMBERS: usize = 64;

/// As many codes of one source are kept: enough to show that there are several.
const MOST_CODES: usize = 20;

/// What a request decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The day of the campaign, by which inferred codes are dated.
    pub campaign: Day,
    /// The voie of a row that does not tell one.
    pub voie_when_absent: Voie,
}

impl Options {
    /// The options of a campaign. A row without voie counts as school.
    #[must_use]
    pub fn of_campaign(campaign: Day) -> Self {
        Self { campaign, voie_when_absent: Voie::School }
    }
}

/// How a code relates to what the row names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The code itself.
    Itself,
    /// The code of an older entry of Certif Info.
    Older,
    /// The code of a newer entry of Certif Info.
    Newer,
}

impl Level {
    /// In the order in which they are asked.
    pub const ALL: [Self; 3] = [Self::Itself, Self::Older, Self::Newer];

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Itself => "self",
            Self::Older => "ancien",
            Self::Newer => "nouveau",
        }
    }
}

/// Whether a code is of the voie of the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Of the voie of the row.
    Normal,
    /// Of the other voie of the same diploma.
    Inverse,
}

impl Form {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Inverse => "inverse",
        }
    }
}

/// Which codes a resolution is about. One identifier may lead to both, independently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// CFD and MEFSTAT11.
    Secondary,
    /// SISE.
    Higher,
}

/// Whether a source yields exactly one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Validity {
    /// Exactly one.
    Valid,
    /// Several: refused, never settled by picking one.
    Several,
    /// None.
    Unknown,
}

impl Validity {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valide",
            Self::Several => "plusieurs_codes",
            Self::Unknown => "code_inconnu",
        }
    }
}

/// What one source yields at one level in one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The source.
    pub source: Source,
    /// CFD and MEFSTAT11, or SISE.
    pub family: Family,
    /// Own voie or the other.
    pub form: Form,
    /// Itself, older, newer.
    pub level: Level,
    /// The codes, sorted, at most twenty.
    pub codes: Vec<Code>,
    /// Refused whatever the codes: the declared MEF and CFD disagree, or the list is too long.
    pub refused: bool,
}

impl Resolution {
    /// Rule: exactly one code is valid; several or none is refused.
    /// Source: contract, "Candidates"; cases 017 to 019, 068, 069, 101.
    #[must_use]
    pub fn validity(&self) -> Validity {
        match self.codes.as_slice() {
            _ if self.refused => Validity::Several,
            [] => Validity::Unknown,
            [_] => Validity::Valid,
            _ => Validity::Several,
        }
    }

    /// The code, where there is exactly one.
    #[must_use]
    pub fn code(&self) -> Option<&Code> {
        if self.validity() == Validity::Valid { self.codes.first() } else { None }
    }

    /// Whether it says anything: a refused source does.
    fn speaks(&self) -> bool {
        self.validity() != Validity::Unknown
    }
}

/// Resolves the identifiers of rows.
#[derive(Clone, Copy, Debug)]
pub struct Resolver<'a, L> {
    links: &'a L,
    nomenclatures: &'a Nomenclatures,
    options: Options,
}

/// What an identifier leads to at one level, before the voie is asked.
#[derive(Debug, Default)]
struct Reached {
    mefstat11s: BTreeSet<Code>,
    cfds: BTreeSet<Code>,
    sises: BTreeSet<Code>,
    entries: BTreeSet<String>,
    too_long: bool,
}

impl Reached {
    fn code(&mut self, code: Code) {
        match code.type_code() {
            TypeCode::Cfd => self.cfds.insert(code),
            TypeCode::Mef => self.mefstat11s.insert(code),
            TypeCode::Sise => self.sises.insert(code),
        };
    }
}

/// The distinct members of a list: separated by `;`, trimmed, empty ones passed over.
///
/// Source: contract, "Input"; cases 019 to 022 (blanks mean nothing, members are judged together).
fn members(list: &str) -> BTreeSet<&str> {
    let mut members = BTreeSet::new();
    for member in list.split(';').map(str::trim).filter(|member| !member.is_empty()) {
        if members.len() <= MOST_MEMBERS {
            members.insert(member);
        }
    }
    members
}

impl<'a, L: Links> Resolver<'a, L> {
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
    pub fn voie(&self, row: &CatalogueRow<'_>) -> Voie {
        row.voie.unwrap_or(self.options.voie_when_absent)
    }

    /// What every identifier of a row yields: per source, family and form the level *itself* (where the source
    /// yields nothing at all: one line that says so), and the older and newer levels that yield a code.
    #[must_use]
    pub fn resolve(&self, row: &CatalogueRow<'_>) -> Vec<Resolution> {
        self.resolve_with(row, &|_| false)
    }

    /// The same, where figures of the row's establishment make a SISE code known.
    pub(crate) fn resolve_with(&self, row: &CatalogueRow<'_>, has_figures: &dyn Fn(&Code) -> bool) -> Vec<Resolution> {
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
    fn by_hand(&self, row: &CatalogueRow<'_>) -> Vec<Resolution> {
        let texts = if row.key.is_empty() { Vec::new() } else { self.links.manual(row.key) };
        if texts.is_empty() {
            return Vec::new();
        }
        let codes: BTreeSet<Code> = texts.iter().filter_map(|text| any_code(text)).collect();
        let voie = self.voie(row);
        let (family, form) = match codes.first().map(Code::type_code) {
            Some(TypeCode::Sise) => (Family::Higher, Form::Normal),
            Some(TypeCode::Cfd) if voie == Voie::School => (Family::Secondary, Form::Inverse),
            Some(TypeCode::Mef) if voie == Voie::Apprenticeship => (Family::Secondary, Form::Inverse),
            _ => (Family::Secondary, Form::Normal),
        };
        let of = |form, codes| resolution(Source::MANUAL, family, form, Level::Itself, codes, false);
        let mut found = Vec::new();
        if let (Family::Secondary, Form::Normal, Some(code), 1) = (family, form, codes.first(), codes.len()) {
            found.push(of(Form::Inverse, self.other_voie(code)));
        }
        found.insert(0, of(form, codes));
        found
    }

    /// The codes of the other voie of the same diploma.
    fn other_voie(&self, code: &Code) -> BTreeSet<Code> {
        match code.type_code() {
            TypeCode::Mef => cfds_of_mefstat11(self.links, code).into_iter().collect(),
            TypeCode::Cfd => {
                final_year_codes_of_declared(self.links, code, self.options.campaign).into_iter().collect()
            }
            TypeCode::Sise => BTreeSet::new(),
        }
    }

    fn of_identifier(
        &self,
        row: &CatalogueRow<'_>,
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
                    found.push(resolution(identifier.source, Family::Secondary, form, level, codes, reached.too_long));
                }
            }
            if identifier.higher.is_some() {
                let codes = self.sise_codes(reached, has_figures);
                found.push(resolution(identifier.source, Family::Higher, Form::Normal, level, codes, reached.too_long));
            }
        }
        keep_telling(found)
    }

    /// What an identifier itself leads to.
    ///
    /// Source: contract, the table of "Candidates".
    fn itself(&self, row: &CatalogueRow<'_>, identifier: &Identifier, value: &str) -> Reached {
        let mut reached = Reached::default();
        let values = if identifier.list { members(value) } else { BTreeSet::from([value]) };
        if values.len() > MOST_MEMBERS {
            reached.too_long = true;
            return reached;
        }
        for value in values {
            match identifier.path {
                Path::Mef => self.reach_by_mef(value, &mut reached),
                Path::Cfd => self.reach_by_cfd(value, &mut reached),
                Path::Sise => self.reach_by_sise(value, &mut reached),
                Path::Rncp => self.reach_by_rncp(rncp_number(value), &mut reached),
                Path::Ideo => self.reach_by_ideo(value, &mut reached),
                Path::Catalogue => self.reach_by_catalogue(row.key, value, &mut reached),
                Path::Links(kind) => {
                    for code in self.links.links(kind, value) {
                        reached.cfds.extend(cfds_of(self.links, &code));
                        reached.code(code);
                    }
                }
            }
        }
        reached
    }

    /// CODEMEF: N_MEF gives the MEFSTAT11 and the CFD. Dates are not asked of a declared code (case 037).
    fn reach_by_mef(&self, mef: &str, reached: &mut Reached) {
        for row in self.links.mef(mef) {
            reached.mefstat11s.extend(row.mefstat11);
            if let Some(code) = row.cfd {
                let rows = self.links.certif_info(CertifInfoKey::Cfd(&code));
                reached.entries.extend(entries(&rows));
                reached.cfds.insert(code);
            }
        }
    }

    /// CODECFD: itself. Whether the nomenclature knows it is asked of every CFD, in `secondary_codes`.
    fn reach_by_cfd(&self, text: &str, reached: &mut Reached) {
        if let Some(code) = cfd(text) {
            let rows = self.links.certif_info(CertifInfoKey::Cfd(&code));
            reached.entries.extend(entries(&rows));
            reached.cfds.insert(code);
        }
    }

    /// CODESISE: itself.
    fn reach_by_sise(&self, text: &str, reached: &mut Reached) {
        if let Some(code) = sise(text) {
            let rows = self.links.certif_info(CertifInfoKey::Sise(&code));
            reached.entries.extend(entries(&rows));
            reached.sises.insert(code);
        }
    }

    /// LISTE_RNCP: Certif Info, and other registers only where Certif Info has no such code.
    ///
    /// Source: contract, "Candidates"; details, section 7 f (a union of Certif Info and the kit would make
    /// ambiguities: 97 % of RNCP entries lead to one CFD by the former alone, 85 % by the latter).
    fn reach_by_rncp(&self, rncp: &str, reached: &mut Reached) {
        let rows = self.links.certif_info(CertifInfoKey::Rncp(rncp));
        reached.cfds.extend(first_that_has(cfds(&rows), || self.links.cfds_of_rncp(rncp)));
        reached.sises.extend(first_that_has(sises(&rows), || self.links.sises_of_rncp(rncp)));
        reached.entries.extend(entries(&rows));
    }

    /// LISTE_IDEO: Certif Info, else Onisep; to SISE codes through the RNCP where Certif Info gives none.
    ///
    /// Source: contract, "Candidates"; details, section 2, higher education; cases 022, 061, 070, 097 to 099.
    fn reach_by_ideo(&self, ideo: &str, reached: &mut Reached) {
        let rows = self.links.certif_info(CertifInfoKey::Ideo(ideo));
        let onisep = self.links.onisep(ideo);
        let mut through = Reached::default();
        let of_onisep = distinct(onisep.iter().filter_map(|link| link.rncp.clone()));
        let rncps = first_that_has(of_onisep, || distinct(rows.iter().filter_map(|row| row.rncp.clone())));
        rncps.iter().for_each(|rncp| self.reach_by_rncp(rncp, &mut through));
        let of_onisep = || distinct(onisep.iter().filter_map(|link| link.cfd.clone()));
        let by_rncp = || if onisep.is_empty() { Vec::new() } else { through.cfds.iter().cloned().collect() };
        reached.cfds.extend(first_that_has(cfds(&rows), || first_that_has(of_onisep(), by_rncp)));
        reached.sises.extend(first_that_has(sises(&rows), || through.sises.iter().cloned().collect()));
        reached
            .entries
            .extend(first_that_has(distinct(entries(&rows).into_iter()), || through.entries.iter().cloned().collect()));
    }

    /// ID_RCO: the row of the catalogue de l'apprentissage with this key; where there is none, the one that names
    /// the formation itself (`parcoursup_id`). Its CFD; where it has none, its RNCP; its RNCP to SISE codes.
    ///
    /// Source: contract, "Candidates"; details, 5.19; cases 023, 027, 062.
    fn reach_by_catalogue(&self, key: &str, id_rco: &str, reached: &mut Reached) {
        let by_id = if id_rco.is_empty() { Vec::new() } else { self.links.catalogue(CatalogueKey::IdRco(id_rco)) };
        let by_row = || if key.is_empty() { Vec::new() } else { self.links.catalogue(CatalogueKey::ParcoursupId(key)) };
        let rows = first_that_has(by_id, by_row);
        for link in rows {
            let mut through = Reached::default();
            if let Some(rncp) = &link.rncp {
                self.reach_by_rncp(rncp, &mut through);
            }
            if let Some(code) = link.cfd {
                let rows = self.links.certif_info(CertifInfoKey::Cfd(&code));
                reached.entries.extend(entries(&rows));
                reached.cfds.insert(code);
            } else {
                reached.cfds.append(&mut through.cfds);
            }
            reached.sises.append(&mut through.sises);
            reached.entries.append(&mut through.entries);
        }
    }

    /// Whether the catalogue de l'apprentissage names the formation of a row without ID_RCO.
    fn is_named_by_catalogue(&self, row: &CatalogueRow<'_>, identifier: &Identifier) -> bool {
        identifier.path == Path::Catalogue
            && !row.key.is_empty()
            && !self.links.catalogue(CatalogueKey::ParcoursupId(row.key)).is_empty()
    }

    /// The entries of Certif Info that these name as older. Direct ones only.
    fn older_entries(&self, of: &BTreeSet<String>) -> BTreeSet<String> {
        let rows = of.iter().flat_map(|entry| self.links.certif_info(CertifInfoKey::Entry(entry)));
        rows.filter_map(|row| row.older).filter(|entry| !of.contains(entry)).collect()
    }

    /// The entries that these name as newer, and those that name one of these as older.
    fn newer_entries(&self, of: &BTreeSet<String>) -> BTreeSet<String> {
        let named = of.iter().flat_map(|entry| self.links.certif_info(CertifInfoKey::Entry(entry)));
        let naming = of.iter().flat_map(|entry| self.links.certif_info(CertifInfoKey::Older(entry)));
        let named = named.filter_map(|row| row.newer);
        named.chain(naming.map(|row| row.entry)).filter(|entry| !entry.is_empty() && !of.contains(entry)).collect()
    }

    /// The codes of entries of Certif Info: their own, and the SISE codes of their RNCP where they have none.
    ///
    /// Source: contract, "Candidates" (levels are entries of Certif Info, not the lineage of the BCN, which works
    /// inside the statistics); cases 097 to 101.
    fn of_entries(&self, codes: &BTreeSet<String>) -> Reached {
        let mut reached = Reached::default();
        for entry in codes {
            let rows = self.links.certif_info(CertifInfoKey::Entry(entry));
            let rncps = distinct(rows.iter().filter_map(|row| row.rncp.clone()));
            reached.cfds.extend(cfds(&rows));
            reached.sises.extend(first_that_has(sises(&rows), || {
                rncps.iter().flat_map(|rncp| self.links.sises_of_rncp(rncp)).collect()
            }));
        }
        reached
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
    fn refuse_contradiction(&self, row: &CatalogueRow<'_>, found: &mut [Resolution]) {
        if !self.declared_codes_disagree(row) {
            return;
        }
        for form in [Form::Normal, Form::Inverse] {
            let declared =
                |one: &Resolution| (one.source == Source::MEF || one.source == Source::CFD) && one.form == form;
            let both: BTreeSet<Code> =
                found.iter().filter(|one| declared(one)).flat_map(|one| one.codes.clone()).collect();
            for one in found.iter_mut().filter(|one| declared(one) && one.level == Level::Itself) {
                one.codes = both.iter().cloned().collect();
                one.refused = true;
            }
        }
    }

    fn declared_codes_disagree(&self, row: &CatalogueRow<'_>) -> bool {
        let of_mef = row.along(self.nomenclatures, Path::Mef).map(|(_, mef)| self.links.mef(mef)).unwrap_or_default();
        let of_mef: Vec<Code> = of_mef.into_iter().filter_map(|mef| mef.cfd).collect();
        let declared = row.along(self.nomenclatures, Path::Cfd).and_then(|(_, text)| cfd(text));
        declared.is_some_and(|code| !of_mef.is_empty() && knows_cfd(self.links, &code) && !of_mef.contains(&code))
    }

    /// The candidates of a row in the order in which they are tried, one a source, family and form: the first level
    /// that yields a code, an ambiguity included.
    ///
    /// Rule: by hand; then CODEMEF and CODECFD as one source, LISTE_RNCP, LISTE_IDEO, ID_RCO; then SISE codes:
    /// CODESISE, LISTE_RNCP, ID_RCO, LISTE_IDEO; then the inverse forms of the former. Every normal form comes
    /// before any inverse one. An ambiguity is an answer: no later level is asked.
    /// Source: contract, "Choice"; details, 5.6, 5.7, 5.18, 7 a; cases 024 to 032, 063, 101.
    #[must_use]
    pub fn candidates(&self, row: &CatalogueRow<'_>, resolutions: &[Resolution]) -> Vec<Resolution> {
        let voie = self.voie(row);
        let mut by_hand = resolutions.iter().filter(|one| one.source == Source::MANUAL && one.speaks()).cloned();
        let mut candidates: Vec<Resolution> = by_hand.next().into_iter().collect();
        for (family, form, voie) in [
            (Family::Secondary, Form::Normal, voie),
            (Family::Higher, Form::Normal, voie),
            (Family::Secondary, Form::Inverse, voie.other()),
        ] {
            if form == Form::Inverse {
                candidates.extend(by_hand.next());
            }
            for sources in self.ordered(family, voie) {
                let at = |level: Level| {
                    sources.iter().find_map(|source| {
                        resolutions.iter().find(|one| {
                            one.source == *source
                                && (one.family, one.form, one.level) == (family, form, level)
                                && one.speaks()
                        })
                    })
                };
                candidates.extend(Level::ALL.into_iter().find_map(at).cloned());
            }
        }
        candidates
    }

    /// The sources of a family in order; those of one rank are one source, the preferred one first.
    ///
    /// The declared MEF and CFD are one source. School: the MEF's own code, so that the course of another length is
    /// not looked at (case 003). Apprenticeship: the CFD as it is declared.
    fn ordered(&self, family: Family, voie: Voie) -> Vec<Vec<Source>> {
        let rank = |identifier: &Identifier| match family {
            Family::Secondary => identifier.secondary,
            Family::Higher => identifier.higher,
        };
        let mut ranked: Vec<(u8, bool, Source)> = self
            .nomenclatures
            .identifiers()
            .iter()
            .filter_map(|identifier| {
                let after = identifier.path == Path::Mef && voie == Voie::Apprenticeship;
                Some((rank(identifier)?, after, identifier.source))
            })
            .collect();
        ranked.sort_by_key(|(rank, after, _)| (*rank, *after));
        let mut ordered: Vec<Vec<Source>> = Vec::new();
        let mut last = None;
        for (rank, _, source) in ranked {
            match ordered.last_mut() {
                Some(sources) if last == Some(rank) => sources.push(source),
                _ => ordered.push(vec![source]),
            }
            last = Some(rank);
        }
        ordered
    }
}

/// Whether the nomenclature knows a CFD.
pub(crate) fn knows_cfd(links: &impl Links, code: &Code) -> bool {
    links.diplome(code).is_some() || !links.mefs_of_cfd(code).is_empty()
}

fn resolution(
    source: Source,
    family: Family,
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

fn first_that_has<T>(codes: Vec<T>, otherwise: impl FnOnce() -> Vec<T>) -> Vec<T> {
    if codes.is_empty() { otherwise() } else { codes }
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.collect::<BTreeSet<T>>().into_iter().collect()
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

fn cfds(rows: &[CertifInfo]) -> Vec<Code> {
    distinct(rows.iter().filter_map(|row| row.cfd.clone()))
}

fn sises(rows: &[CertifInfo]) -> Vec<Code> {
    distinct(rows.iter().filter_map(|row| row.sise.clone()))
}

fn entries(rows: &[CertifInfo]) -> BTreeSet<String> {
    rows.iter().filter(|row| !row.entry.is_empty()).map(|row| row.entry.clone()).collect()
}
