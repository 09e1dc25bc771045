//! Look-ups held in maps: for tests, for measurements, and for what packs them at publication.

use crate::day::Day;
use crate::field::{Code, Filiere, cfd, sise};
use crate::lookups::{
    CatalogueKey, CertifInfo, CertifInfoKey, CodeLinks, DiplomeHistory, Establishment, Link, Mef, Pay, PlaceStatistic,
    Statistics, Success,
};
use std::collections::{HashMap, HashSet};

/// Tables of links and figures.
#[derive(Clone, Debug, Default)]
pub struct LookupTables {
    mefs: Vec<Mef>,
    by_mef: HashMap<String, Vec<usize>>,
    by_cfd: HashMap<Code, Vec<usize>>,
    by_mefstat11: HashMap<Code, Vec<usize>>,
    diplomes: HashMap<Code, DiplomeHistory>,
    sises: HashSet<Code>,
    published_sises: HashMap<Code, Vec<Code>>,
    entries: Vec<CertifInfo>,
    entries_by: HashMap<(EntryKey, String), Vec<usize>>,
    kit: HashMap<String, Vec<Code>>,
    rncp_sises: HashMap<String, Vec<Code>>,
    onisep: HashMap<String, Vec<Link>>,
    catalogue: HashMap<String, Vec<Link>>,
    catalogue_by_row: HashMap<String, Vec<Link>>,
    manual: HashMap<String, Vec<String>>,
    links: HashMap<(String, String), Vec<Code>>,
    shared: HashMap<Code, Vec<Code>>,
    statistics: HashMap<String, Vec<(Code, Filiere, PlaceStatistic)>>,
    with_statistic: HashSet<Code>,
    pay: HashMap<Code, Pay>,
    success: HashMap<String, Vec<(Code, Success)>>,
    establishments: HashMap<String, Establishment>,
    mothers: HashMap<String, Vec<String>>,
    last_years: HashMap<Filiere, i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum EntryKey {
    Entry,
    Rncp,
    Ideo,
    Cfd,
    Sise,
    Older,
}

/// The number of an entry of the national directory: `RNCP` in front is cut off.
///
/// Source: details, section 2, higher education; case 062.
#[must_use]
pub fn rncp_number(text: &str) -> &str {
    let text = text.trim();
    match text.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case("RNCP") => text.get(4..).unwrap_or_default().trim_start(),
        _ => text,
    }
}

fn filled(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

impl LookupTables {
    /// A row of N_MEF.
    pub fn add_mef(&mut self, mef: &str, row: Mef) {
        let place = self.mefs.len();
        self.by_mef.entry(mef.trim().to_owned()).or_default().push(place);
        if let Some(code) = &row.cfd {
            self.by_cfd.entry(code.clone()).or_default().push(place);
        }
        if let Some(code) = &row.mefstat11 {
            self.by_mefstat11.entry(code.clone()).or_default().push(place);
        }
        self.mefs.push(row);
    }

    /// A diploma. What one of two tables leaves open is taken from the other.
    pub fn add_diplome(&mut self, code: Code, diplome: DiplomeHistory) {
        let known = self.diplomes.entry(code).or_default();
        known.opened = known.opened.or(diplome.opened);
        known.first_session = known.first_session.or(diplome.first_session);
        known.ancestors.extend(diplome.ancestors);
    }

    /// A code of N_DIPLOME_SISE.
    pub fn add_sise(&mut self, code: Code) {
        self.sises.insert(code);
    }

    /// The code under which the figures of a SISE code are published.
    pub fn add_published_sise(&mut self, code: Code, published: Code) {
        self.published_sises.entry(code).or_default().push(published);
    }

    /// A row of Certif Info; `ideo` is the identifier of Onisep that stands in it.
    pub fn add_certif_info(&mut self, row: CertifInfo, ideo: &str) {
        let place = self.entries.len();
        let keys = [
            (EntryKey::Entry, filled(&row.entry)),
            (EntryKey::Rncp, row.rncp.as_deref()),
            (EntryKey::Ideo, filled(ideo)),
            (EntryKey::Cfd, row.cfd.as_ref().map(Code::as_str)),
            (EntryKey::Sise, row.sise.as_ref().map(Code::as_str)),
            (EntryKey::Older, row.older.as_deref()),
        ];
        for (key, text) in keys {
            if let Some(text) = text {
                self.entries_by.entry((key, text.to_owned())).or_default().push(place);
            }
        }
        self.entries.push(row);
    }

    /// A link of the RNCP kit.
    pub fn add_cfd_of_rncp(&mut self, rncp: &str, code: Code) {
        self.kit.entry(rncp_number(rncp).to_owned()).or_default().push(code);
    }

    /// A link RNCP ↔ SISE.
    pub fn add_sise_of_rncp(&mut self, rncp: &str, code: Code) {
        self.rncp_sises.entry(rncp_number(rncp).to_owned()).or_default().push(code);
    }

    /// A row of Onisep.
    pub fn add_onisep(&mut self, ideo: &str, link: Link) {
        self.onisep.entry(ideo.trim().to_owned()).or_default().push(link);
    }

    /// A row of the catalogue de l'apprentissage.
    pub fn add_catalogue(&mut self, id_rco: &str, parcoursup_id: &str, link: &Link) {
        if let Some(key) = filled(id_rco) {
            self.catalogue.entry(key.to_owned()).or_default().push(link.clone());
        }
        if let Some(key) = filled(parcoursup_id) {
            self.catalogue_by_row.entry(key.to_owned()).or_default().push(link.clone());
        }
    }

    /// A code given by hand.
    pub fn add_manual(&mut self, key: &str, code: &str) {
        self.manual.entry(key.trim().to_owned()).or_default().push(code.trim().to_owned());
    }

    /// A link of a nomenclature to come.
    pub fn add_link(&mut self, kind: &str, identifier: &str, code: Code) {
        self.links.entry((kind.to_owned(), identifier.trim().to_owned())).or_default().push(code);
    }

    /// A final year of a shared first year.
    pub fn add_shared_first_year(&mut self, first: Code, last: Code) {
        self.shared.entry(first).or_default().push(last);
    }

    /// A statistic of an establishment.
    pub fn add_statistic(&mut self, uai: &str, code: Code, filiere: Filiere, statistic: PlaceStatistic) {
        self.with_statistic.insert(code.clone());
        self.statistics.entry(uai.trim().to_owned()).or_default().push((code, filiere, statistic));
    }

    /// National pay of a code.
    pub fn add_pay(&mut self, code: Code, pay: Pay) {
        self.pay.insert(code, pay);
    }

    /// Rates of success in an establishment.
    pub fn add_success(&mut self, uai: &str, code: Code, success: Success) {
        self.success.entry(uai.trim().to_owned()).or_default().push((code, success));
    }

    /// An establishment of ACCE.
    pub fn add_establishment(&mut self, uai: &str, establishment: Establishment) {
        self.establishments.insert(uai.trim().to_owned(), establishment);
    }

    /// A mother establishment.
    pub fn add_mother(&mut self, uai: &str, mother: &str) {
        self.mothers.entry(uai.trim().to_owned()).or_default().push(mother.trim().to_owned());
    }

    /// The last year of the latest millesime of a filiere.
    pub fn set_last_year(&mut self, filiere: Filiere, year: i32) {
        self.last_years.insert(filiere, year);
    }

    fn rows(&self, places: Option<&Vec<usize>>) -> Vec<Mef> {
        places.into_iter().flatten().filter_map(|place| self.mefs.get(*place)).cloned().collect()
    }
}

impl CodeLinks for LookupTables {
    fn mef(&self, mef: &str) -> Vec<Mef> {
        self.rows(self.by_mef.get(mef))
    }

    fn mefs_of_cfd(&self, cfd: &Code) -> Vec<Mef> {
        self.rows(self.by_cfd.get(cfd))
    }

    fn mefs_of_mefstat11(&self, mefstat11: &Code) -> Vec<Mef> {
        self.rows(self.by_mefstat11.get(mefstat11))
    }

    fn diplome(&self, cfd: &Code) -> Option<DiplomeHistory> {
        self.diplomes.get(cfd).cloned()
    }

    fn knows_sise(&self, sise: &Code) -> bool {
        self.sises.contains(sise)
    }

    fn published_sise(&self, sise: &Code) -> Vec<Code> {
        self.published_sises.get(sise).cloned().unwrap_or_default()
    }

    fn certif_info(&self, key: CertifInfoKey<'_>) -> Vec<CertifInfo> {
        let key = match key {
            CertifInfoKey::Entry(text) => (EntryKey::Entry, text),
            CertifInfoKey::Rncp(text) => (EntryKey::Rncp, text),
            CertifInfoKey::Ideo(text) => (EntryKey::Ideo, text),
            CertifInfoKey::Cfd(code) => (EntryKey::Cfd, code.as_str()),
            CertifInfoKey::Sise(code) => (EntryKey::Sise, code.as_str()),
            CertifInfoKey::Older(text) => (EntryKey::Older, text),
        };
        let places = self.entries_by.get(&(key.0, key.1.to_owned()));
        places.into_iter().flatten().filter_map(|place| self.entries.get(*place)).cloned().collect()
    }

    fn cfds_of_rncp(&self, rncp: &str) -> Vec<Code> {
        self.kit.get(rncp).cloned().unwrap_or_default()
    }

    fn sises_of_rncp(&self, rncp: &str) -> Vec<Code> {
        self.rncp_sises.get(rncp).cloned().unwrap_or_default()
    }

    fn onisep(&self, ideo: &str) -> Vec<Link> {
        self.onisep.get(ideo).cloned().unwrap_or_default()
    }

    fn catalogue(&self, key: CatalogueKey<'_>) -> Vec<Link> {
        let rows = match key {
            CatalogueKey::IdRco(key) => self.catalogue.get(key),
            CatalogueKey::ParcoursupId(key) => self.catalogue_by_row.get(key),
        };
        rows.cloned().unwrap_or_default()
    }

    fn manual(&self, key: &str) -> Vec<String> {
        self.manual.get(key).cloned().unwrap_or_default()
    }

    fn links(&self, kind: &str, identifier: &str) -> Vec<Code> {
        self.links.get(&(kind.to_owned(), identifier.to_owned())).cloned().unwrap_or_default()
    }

    fn shared_first_year(&self, code: &Code) -> Option<Vec<Code>> {
        self.shared.get(code).cloned()
    }
}

impl Statistics for LookupTables {
    fn statistic(&self, uai: &str, code: &Code, filiere: Filiere) -> Option<PlaceStatistic> {
        let of_place = self.statistics.get(uai)?;
        of_place.iter().find(|(of, track, _)| of == code && *track == filiere).map(|(.., statistic)| statistic.clone())
    }

    fn has_statistic(&self, code: &Code) -> bool {
        self.with_statistic.contains(code)
    }

    fn pay(&self, code: &Code) -> Pay {
        self.pay.get(code).copied().unwrap_or(Pay::NotCovered)
    }

    fn success(&self, uai: &str, code: &Code) -> Option<Success> {
        self.success.get(uai)?.iter().find(|(of, _)| of == code).map(|(_, success)| *success)
    }

    fn establishment(&self, uai: &str) -> Option<Establishment> {
        self.establishments.get(uai).cloned()
    }

    fn mothers(&self, uai: &str) -> Vec<String> {
        self.mothers.get(uai).cloned().unwrap_or_default()
    }

    fn last_year(&self, filiere: Filiere) -> Option<i32> {
        self.last_years.get(&filiere).copied()
    }
}

/// Adds the rows of the source tables, cell by cell under the names of their own columns.
///
/// A loader takes a function that gives the cell of a column, empty where there is none. Unreadable codes are
/// left out: they would be found by nobody.
impl LookupTables {
    /// N_MEF.
    pub fn load_mef<'a>(&mut self, cell: impl Fn(&str) -> &'a str) {
        let row = Mef {
            mefstat11: crate::field::mefstat11(cell("MEF_STAT_11")),
            cfd: cfd(cell("FORMATION_DIPLOME")),
            length: cell("DUREE_DISPOSITIF").trim().parse().ok(),
            year: cell("ANNEE_DISPOSITIF").trim().parse().ok(),
            opened: Day::read(cell("DATE_OUVERTURE")),
            closed: Day::read(cell("DATE_FERMETURE")),
        };
        self.add_mef(cell("MEF"), row);
    }

    /// N_FORMATION_DIPLOME, V_FORMATION_DIPLOME.
    pub fn load_diplome<'a>(&mut self, cell: impl Fn(&str) -> &'a str) {
        let Some(code) = cfd(cell("FORMATION_DIPLOME")) else { return };
        let ancestors = (1..=7).filter_map(|rank| cfd(cell(&format!("ANCIEN_DIPLOME_{rank}")))).collect();
        let diplome = DiplomeHistory {
            opened: Day::read(cell("DATE_OUVERTURE")).map(Day::year),
            first_session: cell("DATE_PREMIERE_SESSION").trim().parse().ok(),
            ancestors,
        };
        self.add_diplome(code, diplome);
    }

    /// Certif Info: the open file, and what its API has beside it (SISE codes, newer entries).
    pub fn load_certif_info<'a>(&mut self, cell: impl Fn(&str) -> &'a str) {
        let text = |column| filled(cell(column)).map(ToOwned::to_owned);
        let row = CertifInfo {
            entry: cell("Code_Diplome").trim().to_owned(),
            cfd: cfd(cell("Code_Scolarité")),
            sise: sise(cell("Code_Sise")),
            rncp: filled(rncp_number(cell("Code_RNCP"))).map(ToOwned::to_owned),
            older: text("Code_Ancien_Diplome"),
            newer: text("Code_Nouveau_Diplome"),
        };
        self.add_certif_info(row, cell("codeIdeo2"));
    }

    /// ACCE: establishments. A name of the academie's code other than two characters is none.
    pub fn load_establishment<'a>(&mut self, cell: impl Fn(&str) -> &'a str) {
        let establishment = Establishment {
            academie: cell("academie").trim().to_owned(),
            opened: Day::read(cell("date_ouverture")).map(Day::year),
            closed: Day::read(cell("date_fermeture")).map(Day::year),
        };
        self.add_establishment(cell("numero_uai"), establishment);
    }
}
