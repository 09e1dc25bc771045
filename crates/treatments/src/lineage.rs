//! Treatment 2: the lineage of certifications, and what is read off it.
//!
//! Rule (contract, "Treatments" 2 and "Nomenclature", lineage): N_FORMATION_DIPLOME names up to
//! seven older and seven newer diplomas of each CFD. They are made symmetric on the codes of the
//! nomenclature; no code is its own ancestor. MEFs follow their CFD: the only MEF on both sides,
//! else the one with the same scheme and the same first four characters (scheme and year
//! of the course are what these say, so that a second year continues a second year).
//! Years of the first and last session come along, to the MEFs too.

use crate::nomenclature::{Nature, Nomenclature};
use crate::rejection::Rejection;
use crate::text::{field, scalar};
use domain::Document;
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[derive(Default)]
struct LineageLinks {
    old_codes: Vec<String>,
    new_ones: Vec<String>,
}

/// The years of the first and the last session, by code.
type Sessions = HashMap<String, [Option<String>; 2]>;

fn note(list: &mut Vec<String>, code: &str) {
    if !list.iter().any(|c| c == code) {
        list.push(code.to_owned());
    }
}

/// Lineage of CFDs, from the rows of N_FORMATION_DIPLOME. Returns the codes that changed.
///
/// A code that no row mentions keeps what it had.
pub fn lineage_cfd<'a>(
    nomenclature: &mut Nomenclature,
    rows: impl IntoIterator<Item = &'a Document>,
) -> BTreeSet<String> {
    let mut links: BTreeMap<String, LineageLinks> = BTreeMap::new();
    let mut sessions = Sessions::new();
    for row in rows {
        let Some(code) = field(row, "formation_diplome") else { continue };
        if nomenclature.certification(code).is_none() {
            continue;
        }
        let here = links.entry(code.to_owned()).or_default();
        for n in 1..=7 {
            if let Some(old) = scalar(row, &format!("ancien_diplome_{n}")).filter(|c| c != code) {
                note(&mut here.old_codes, &old);
            }
            if let Some(new) = scalar(row, &format!("nouveau_diplome_{n}")).filter(|c| c != code) {
                note(&mut here.new_ones, &new);
            }
        }
        let years = ["date_premiere_session", "date_derniere_session"].map(|name| scalar(row, name));
        sessions.insert(code.to_owned(), years);
    }
    let sens: Vec<(String, String)> = links.iter().flat_map(|(code, l)| edges(code, l)).collect();
    for (old, new) in &sens {
        if nomenclature.certification(old).is_some() {
            note(&mut links.entry(old.clone()).or_default().new_ones, new);
        }
        if nomenclature.certification(new).is_some() {
            note(&mut links.entry(new.clone()).or_default().old_codes, old);
        }
    }
    apply(nomenclature, links, sessions)
}

fn edges(code: &str, links: &LineageLinks) -> Vec<(String, String)> {
    let old_codes = links.old_codes.iter().map(|a| (a.clone(), code.to_owned()));
    old_codes.chain(links.new_ones.iter().map(|n| (code.to_owned(), n.clone()))).collect()
}

/// Puts links and sessions into the nomenclature: the codes that changed. A session that nothing names stays.
fn apply(
    nomenclature: &mut Nomenclature,
    links: BTreeMap<String, LineageLinks>,
    mut sessions: Sessions,
) -> BTreeSet<String> {
    let mut changes = BTreeSet::new();
    for (code, LineageLinks { old_codes, new_ones }) in links {
        let Some(certification) = nomenclature.certification_mut(&code) else { continue };
        let before = certification.clone();
        certification.old_codes = old_codes;
        certification.new_ones = new_ones;
        if let Some([first, last]) = sessions.remove(&code) {
            certification.first_session = first.or(certification.first_session.take());
            certification.last_session = last.or(certification.last_session.take());
        }
        if *certification != before {
            changes.insert(code);
        }
    }
    changes
}

/// The MEF that stands for `mef` among those of another CFD, if there is exactly one.
fn counterpart<'a>(nomenclature: &'a Nomenclature, mef: &str, cfd: &str, other: &str) -> Option<&'a str> {
    fn only<'a>(mut codes: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        let first = codes.next()?;
        codes.next().is_none().then_some(first)
    }
    if nomenclature.mefs(cfd).nth(1).is_none()
        && let Some(code) = only(nomenclature.mefs(other))
    {
        return Some(code);
    }
    let scheme = nomenclature.scheme(mef)?;
    let start = mef.get(..4)?;
    only(nomenclature.mefs(other).filter(|m| m.starts_with(start) && nomenclature.scheme(m) == Some(scheme)))
}

/// Lineage of MEFs, through that of their CFDs. Returns the codes that changed.
pub fn lineage_mef(nomenclature: &mut Nomenclature) -> BTreeSet<String> {
    let mut links: BTreeMap<String, LineageLinks> = BTreeMap::new();
    let mut sessions = Sessions::new();
    for mef in nomenclature.certifications().filter(|c| c.nature == Nature::Mef) {
        let here = links.entry(mef.code.clone()).or_default();
        let Some(cfd) = nomenclature.certification(&mef.cfd).filter(|c| c.nature == Nature::Cfd) else { continue };
        for old in &cfd.old_codes {
            if let Some(code) = counterpart(nomenclature, &mef.code, &cfd.code, old).filter(|c| *c != mef.code) {
                note(&mut here.old_codes, code);
            }
        }
        for new in &cfd.new_ones {
            if let Some(code) = counterpart(nomenclature, &mef.code, &cfd.code, new).filter(|c| *c != mef.code) {
                note(&mut here.new_ones, code);
            }
        }
        sessions.insert(mef.code.clone(), [cfd.first_session.clone(), cfd.last_session.clone()]);
    }
    let sens: Vec<(String, String)> = links.iter().flat_map(|(code, l)| edges(code, l)).collect();
    for (old, new) in &sens {
        note(&mut links.entry(old.clone()).or_default().new_ones, new);
        note(&mut links.entry(new.clone()).or_default().old_codes, old);
    }
    apply(nomenclature, links, sessions)
}

/// The renewals of which no course continues: both diplomas have courses, and none of one stands for one of the other. Their
/// numbers are not lent, and the report says why.
#[must_use]
pub fn unmatched(nomenclature: &Nomenclature) -> Vec<Rejection> {
    let mut unmatched = Vec::new();
    for cfd in nomenclature.certifications().filter(|c| c.nature == Nature::Cfd) {
        let has_courses = |code: &str| nomenclature.mefs(code).next().is_some();
        for new in cfd.new_ones.iter().filter(|new| has_courses(&cfd.code) && has_courses(new)) {
            let continues = |mef: &str| counterpart(nomenclature, mef, &cfd.code, new).is_some();
            if !nomenclature.mefs(&cfd.code).any(continues) {
                unmatched.push(Rejection::LineageUnmatched { old: cfd.code.clone(), new: new.clone() });
            }
        }
    }
    unmatched
}

/// The line of a code: itself, the older ones while there is exactly one, then the newer ones
/// likewise. The way back is not checked: a diploma that was split belongs to the line of each of
/// its parts.
#[must_use]
pub fn line(nomenclature: &Nomenclature, code: &str) -> Vec<String> {
    let mut row = vec![code.to_owned()];
    for new_ones in [false, true] {
        let mut here = code.to_owned();
        while let Some(certification) = nomenclature.certification(&here) {
            let neighbours = if new_ones { &certification.new_ones } else { &certification.old_codes };
            let [only] = neighbours.as_slice() else { break };
            if row.contains(only) {
                break;
            }
            row.push(only.clone());
            here.clone_from(only);
        }
    }
    row
}

/// The newer neighbour in a one-to-one step: the only newer one, whose only older one this is.
#[must_use]
pub fn only_new<'a>(nomenclature: &'a Nomenclature, code: &str) -> Option<&'a str> {
    let [new] = nomenclature.certification(code)?.new_ones.as_slice() else { return None };
    let back = nomenclature.certification(new)?.old_codes.as_slice();
    (back.len() == 1 && back.iter().all(|c| c == code)).then_some(new.as_str())
}

/// The older neighbour in a one-to-one step: the only older one, whose only newer one this is.
#[must_use]
pub fn only_old<'a>(nomenclature: &'a Nomenclature, code: &str) -> Option<&'a str> {
    let [old] = nomenclature.certification(code)?.old_codes.as_slice() else { return None };
    let back = nomenclature.certification(old)?.new_ones.as_slice();
    (back.len() == 1 && back.iter().all(|c| c == code)).then_some(old.as_str())
}

/// Codes cut into groups, so that treatments 6 to 8 never need a document of another group.
///
/// Two codes are in one group when one is of the other's lineage, when they share a CFD, a famille
/// de metiers with a shared first year, or when one is an earlier year of the other. The largest
/// group of the real tables counts fewer than 200 codes. Codes outside the nomenclature (higher
/// education) are groups of their own, named after themselves.
#[derive(Clone, Debug, Default)]
pub struct CodeGroups {
    group: HashMap<String, String>,
}

impl CodeGroups {
    /// Of a nomenclature whose lineage and familles are final.
    #[must_use]
    pub fn of(nomenclature: &Nomenclature) -> Self {
        let mut union = Union::default();
        for c in nomenclature.certifications() {
            union.unite(&c.code, &c.cfd);
            for neighbour in c.old_codes.iter().chain(&c.new_ones) {
                union.unite(&c.code, neighbour);
            }
            if let Some(famille_metier) = &c.famille_metier {
                union.unite(&c.code, &format!("famille {}", famille_metier.code));
            }
            if c.nature == Nature::Mef {
                for other in crate::years::previous_years(nomenclature, &c.code, &c.cfd) {
                    union.unite(&c.code, &other);
                }
            }
            for (mef, _) in nomenclature.years(&c.code) {
                union.unite(&c.code, mef);
            }
        }
        let names: Vec<String> = union.ranks.keys().cloned().collect();
        // The smallest code names the group, whatever the order of the rows.
        let mut name_of: HashMap<usize, String> = HashMap::new();
        for name in names.iter().filter(|n| !n.starts_with("famille ")) {
            let root = union.root_of(name);
            let here = name_of.entry(root).or_insert_with(|| name.clone());
            if name < here {
                here.clone_from(name);
            }
        }
        let group = names.into_iter().filter_map(|name| {
            let root = union.root_of(&name);
            Some((name, name_of.get(&root)?.clone()))
        });
        Self { group: group.collect() }
    }

    /// The name of a code's group: its smallest code.
    #[must_use]
    pub fn group<'a>(&'a self, code: &'a str) -> &'a str {
        self.group.get(code).map_or(code, String::as_str)
    }

    /// All groups of the nomenclature with their codes, in order.
    #[must_use]
    pub fn all(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (code, group) in self.group.iter().filter(|(code, _)| !code.starts_with("famille ")) {
            groups.entry(group).or_default().insert(code);
        }
        groups
    }
}

/// Disjoint sets of names.
#[derive(Default)]
struct Union {
    ranks: HashMap<String, usize>,
    parents: Vec<usize>,
}

impl Union {
    fn rank(&mut self, name: &str) -> usize {
        if let Some(rank) = self.ranks.get(name) {
            return *rank;
        }
        let rank = self.parents.len();
        self.parents.push(rank);
        self.ranks.insert(name.to_owned(), rank);
        rank
    }

    fn root(&mut self, mut rank: usize) -> usize {
        while let Some(parent) = self.parents.get(rank).copied().filter(|p| *p != rank) {
            let large = self.parents.get(parent).copied().unwrap_or(parent);
            if let Some(here) = self.parents.get_mut(rank) {
                *here = large;
            }
            rank = large;
        }
        rank
    }

    fn root_of(&mut self, name: &str) -> usize {
        let rank = self.rank(name);
        self.root(rank)
    }

    fn unite(&mut self, a: &str, b: &str) {
        let (a, b) = (self.root_of(a), self.root_of(b));
        if let Some(parent) = self.parents.get_mut(a) {
            *parent = b;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nomenclature::Certification;
    use crate::writing::{Collection, donnee_source};
    use domain::{Kind, Maille};
    use serde_json::json;

    /// A diploma and its courses; `scheme` of each course is its first three characters.
    fn diploma(nomenclature: &mut Nomenclature, cfd: &str, mefs: &[&str]) {
        let one = |nature, code: &str| Certification {
            nature,
            code: code.to_owned(),
            cfd: cfd.to_owned(),
            ..Certification::default()
        };
        nomenclature.add(one(Nature::Cfd, cfd));
        for mef in mefs {
            nomenclature.add(one(Nature::Mef, mef));
            let row = json!({"mef_stat_11": mef, "formation_diplome": cfd, "dispositif_formation": mef[..3],
                "annee_dispositif": mef[3..4]});
            nomenclature.add_mef_row(row.as_object().unwrap());
        }
    }

    /// What a mention complémentaire that became a certificat de spécialisation leaves: the codes of the new diploma that show
    /// its numbers, and what is told.
    fn renewed(old: &[&str], new: &[&str]) -> (Vec<String>, Vec<String>) {
        let mut nomenclature = Nomenclature::default();
        diploma(&mut nomenclature, "01022103", old);
        diploma(&mut nomenclature, "56022103", new);
        let row = json!({"formation_diplome": "56022103", "ancien_diplome_1": "01022103"});
        lineage_cfd(&mut nomenclature, [row.as_object().unwrap()]);
        lineage_mef(&mut nomenclature);
        let delivered = old.iter().chain(&["01022103"]).map(|code| {
            let filiere = if code.len() == 8 { "apprentissage" } else { "pro" };
            let document = json!({"code_certification": code, "millesime": "2023", "filiere": filiere, "nb_sortant": 30,
                "donnee_source": donnee_source(code, "self")});
            document.as_object().unwrap().clone()
        });
        let mut documents = Collection::of(Kind::Certification, delivered);
        crate::continuum::continuum(&nomenclature, Maille::National, &mut documents);
        let lent = documents.iter().filter(|d| sub(d) == "ancienne");
        let mut lent: Vec<String> = lent.filter_map(|d| field(d, "code_certification").map(str::to_owned)).collect();
        lent.sort();
        (lent, unmatched(&nomenclature).iter().map(ToString::to_string).collect())
    }

    fn sub(document: &Document) -> &str {
        crate::text::sub_field(document, "donnee_source", "type").unwrap_or_default()
    }

    #[test]
    fn a_renewed_diploma_keeps_its_numbers_or_the_report_says_why_not() {
        // One course on both sides, whatever it is called.
        let (lent, told) = renewed(&["25322103011"], &["25622103012"]);
        assert_eq!((lent, told.len()), (vec!["25622103012".to_owned(), "56022103".to_owned()], 0));
        // Several: each continues in the one of its scheme and year.
        let (lent, told) = renewed(&["25312103011", "25412103011"], &["25312103012", "25412103012"]);
        assert_eq!((lent.len(), told.len()), (3, 0), "{lent:?}");
        // Several that nothing tells apart: nothing is lent, by apprenticeship aside, and that is told.
        let (lent, told) = renewed(&["25322103011", "25422103011"], &["25622103012", "25722103012"]);
        assert_eq!(lent, ["56022103"]);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("01022103 est devenu 56022103, mais aucun de leurs MEF"), "{told:?}");
        // Two courses that became one are told too: which of both would it show?
        let (lent, told) = renewed(&["25322103011", "25422103011"], &["25622103012"]);
        assert_eq!((lent.len(), told.len()), (1, 1), "{lent:?} {told:?}");
        // A diploma without courses has nothing to lose.
        assert_eq!(renewed(&[], &["25622103012"]).1.len(), 0);
    }
}
