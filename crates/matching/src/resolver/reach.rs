//! From an identifier, along its path, to diplomas, SISE codes and entries of Certif Info.

use crate::field::{Code, CodeType, cfd, sise};
use crate::final_year::cfds_of;
use crate::lookups::{CatalogueKey, CertifInfo, CertifInfoKey, CodeLinks};
use crate::nomenclatures::{Identifier, Path};
use crate::resolver::Resolver;
use crate::row::FormationRow;
use crate::tables::rncp_number;
use std::collections::BTreeSet;

/// A list longer than this names many certifications by itself: it is refused as ambiguous, unread.
/// Parcoursup's longest list has a dozen members; the bound keeps the cost of a hostile row small.
pub const MOST_MEMBERS: usize = 64;

/// What an identifier leads to at one level, before the voie is asked.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    pub(crate) mefstat11s: BTreeSet<Code>,
    pub(crate) cfds: BTreeSet<Code>,
    pub(crate) sises: BTreeSet<Code>,
    pub(crate) entries: BTreeSet<String>,
    pub(crate) too_long: bool,
}

impl Reached {
    fn code(&mut self, code: Code) {
        match code.code_type() {
            CodeType::Cfd => self.cfds.insert(code),
            CodeType::Mef => self.mefstat11s.insert(code),
            CodeType::Sise => self.sises.insert(code),
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

impl<L: CodeLinks> Resolver<'_, L> {
    /// What an identifier itself leads to.
    ///
    /// Source: contract, the table of "Candidates".
    pub(crate) fn itself(&self, row: &FormationRow<'_>, identifier: &Identifier, value: &str) -> Reached {
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
                Path::Entry => self.reach_by_entry(value, &mut reached),
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

    /// An entry of Certif Info by its own code: what it has as the entry of a level. No catalogue names one.
    fn reach_by_entry(&self, entry: &str, reached: &mut Reached) {
        let own = BTreeSet::from([entry.to_owned()]);
        *reached = self.of_entries(&own);
        reached.entries = own;
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
    pub(crate) fn is_named_by_catalogue(&self, row: &FormationRow<'_>, identifier: &Identifier) -> bool {
        identifier.path == Path::Catalogue
            && !row.key.is_empty()
            && !self.links.catalogue(CatalogueKey::ParcoursupId(row.key)).is_empty()
    }

    /// The entries of Certif Info that these name as older. Direct ones only.
    pub(crate) fn older_entries(&self, of: &BTreeSet<String>) -> BTreeSet<String> {
        let rows = of.iter().flat_map(|entry| self.links.certif_info(CertifInfoKey::Entry(entry)));
        rows.filter_map(|row| row.older).filter(|entry| !of.contains(entry)).collect()
    }

    /// The entries that these name as newer, and those that name one of these as older.
    pub(crate) fn newer_entries(&self, of: &BTreeSet<String>) -> BTreeSet<String> {
        let named = of.iter().flat_map(|entry| self.links.certif_info(CertifInfoKey::Entry(entry)));
        let naming = of.iter().flat_map(|entry| self.links.certif_info(CertifInfoKey::Older(entry)));
        let named = named.filter_map(|row| row.newer);
        named.chain(naming.map(|row| row.entry)).filter(|entry| !entry.is_empty() && !of.contains(entry)).collect()
    }

    /// The codes of entries of Certif Info: their own, and the SISE codes of their RNCP where they have none.
    ///
    /// Source: contract, "Candidates" (levels are entries of Certif Info, not the lineage of the BCN, which works
    /// inside the statistics); cases 097 to 101.
    pub(crate) fn of_entries(&self, codes: &BTreeSet<String>) -> Reached {
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
}

fn first_that_has<T>(codes: Vec<T>, otherwise: impl FnOnce() -> Vec<T>) -> Vec<T> {
    if codes.is_empty() { otherwise() } else { codes }
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.collect::<BTreeSet<T>>().into_iter().collect()
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
