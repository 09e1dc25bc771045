//! The questions of the rules, answered from entries.

use super::Section;
use super::records::{self, FigureRecord, PlaceRecord, code_text, read_code_text};
use crate::field::{Code, CodeType, filieres_of};
use crate::file::fold;
use crate::lookups::{
    CatalogueKey, CertifInfo, CertifInfoKey, CodeLinks, DiplomeHistory, Establishment, Link, Mef, Pay, PlaceStatistic,
    Statistics, Success,
};
use domain::{Filiere, Millesime, Universe};
use store::codec::Decoder;

/// Who holds the entries.
pub trait Entries {
    /// The entry of a key; `None` where there is none, or where it has to be fetched first.
    fn entry(&self, section: Section, key: &str) -> Option<Vec<u8>>;
    /// An entry cannot be read: the answer must not be given.
    fn damaged(&self, section: Section, key: &str);
}

/// The millesimes whose figures are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// Establishments, secondary education; either spelling.
    pub formations: Option<String>,
    /// Establishments, higher education.
    pub formations_sup: Option<String>,
    /// National, secondary education.
    pub certifications: Option<String>,
    /// National, higher education.
    pub certifications_sup: Option<String>,
}

impl InForce {
    fn of_place(&self, filiere: Filiere) -> Option<&str> {
        match filiere.universe() {
            Universe::Secondaire => self.formations.as_deref(),
            Universe::Superieur => self.formations_sup.as_deref(),
        }
    }

    fn national(&self, filiere: Filiere) -> Option<&str> {
        match filiere.universe() {
            Universe::Secondaire => self.certifications.as_deref(),
            Universe::Superieur => self.certifications_sup.as_deref(),
        }
    }
}

/// Of a millesime that is asked for and one that is there: 2 where they are written alike, 1 where one is the other
/// spelling.
fn likeness(asked: Option<&str>, there: &str) -> Option<u8> {
    let asked = Millesime::parse(asked?)?;
    if asked.as_str() == there {
        return Some(2);
    }
    asked.is_written(there).then_some(1)
}

/// How a certification is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// Its label.
    pub libelle: String,
    /// Its diploma.
    pub diplome: String,
}

/// What an establishment has statistics of, and those around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taught {
    /// Codes.
    pub codes: Vec<Code>,
    /// Its mothers.
    pub mothers: Vec<String>,
    /// Its antennas.
    pub daughters: Vec<String>,
    /// Whether ACCE knows it.
    pub known: bool,
}

/// The look-ups of the rules over entries.
#[derive(Clone, Debug)]
pub struct Packed<'a, E> {
    entries: &'a E,
    in_force: &'a InForce,
    author: Option<&'a str>,
}

impl<'a, E: Entries> Packed<'a, E> {
    /// Over these entries. `author`: whose codes given by hand count, beside those of nobody in particular; `None`: none
    /// do.
    #[must_use]
    pub fn new(entries: &'a E, in_force: &'a InForce, author: Option<&'a str>) -> Self {
        Self { entries, in_force, author }
    }

    /// The records of a key, each read.
    fn read<T>(&self, section: Section, key: &str, read: impl Fn(&[u8]) -> Option<T>) -> Vec<T> {
        let Some(entry) = self.entries.entry(section, key) else { return Vec::new() };
        let mut decoder = Decoder(&entry);
        let mut found = Vec::new();
        while !decoder.0.is_empty() {
            match decoder.bytes().and_then(&read) {
                Some(one) => found.push(one),
                None => {
                    self.entries.damaged(section, key);
                    return Vec::new();
                }
            }
        }
        found
    }

    fn links<T>(&self, prefix: &str, key: &str, read: impl Fn(&[u8]) -> Option<T>) -> Vec<T> {
        if key.is_empty() { Vec::new() } else { self.read(Section::Links, &[prefix, key].concat(), read) }
    }

    fn codes(&self, prefix: &str, key: &str) -> Vec<Code> {
        self.links(prefix, key, |record| read_code_text(std::str::from_utf8(record).ok()?))
    }

    fn place(&self, uai: &str) -> Vec<PlaceRecord> {
        if uai.is_empty() { Vec::new() } else { self.read(Section::Places, uai, records::read_place) }
    }

    fn figures(&self, uai: &str, code: &Code) -> Vec<FigureRecord> {
        self.read(Section::Places, &[uai, "|", &code_text(code)].concat(), records::read_figure)
    }

    /// What an establishment has statistics of.
    #[must_use]
    pub fn taught(&self, uai: &str) -> Taught {
        let mut taught = Taught::default();
        for record in self.place(uai) {
            match record {
                PlaceRecord::Establishment(_) => taught.known = true,
                PlaceRecord::Mother(uai) => taught.mothers.push(uai),
                PlaceRecord::Daughter(uai) => taught.daughters.push(uai),
                PlaceRecord::Taught(code) => taught.codes.push(code),
            }
        }
        taught
    }

    /// How a certification is called.
    #[must_use]
    pub fn label(&self, code: &Code) -> Label {
        let read = |record: &[u8]| {
            let [libelle, diplome] = records::read_texts(record)?;
            Some(Label { libelle: libelle.to_owned(), diplome: diplome.to_owned() })
        };
        self.links("l:", &code_text(code), read).into_iter().next().unwrap_or_default()
    }

    /// Whether a campaign counts a type of diploma in; `None` where nobody said.
    #[must_use]
    pub fn in_scope(&self, campaign: &str, diploma_type: &str, voie: &str) -> Option<bool> {
        let found = self.read(Section::Links, &scope_key(campaign, diploma_type, voie), |record| match record {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        });
        found.last().copied()
    }

    fn is_final_year(&self, code: &Code) -> bool {
        match code.code_type() {
            CodeType::Mef => {
                self.mefs_of_mefstat11(code).iter().any(|mef| mef.year.is_some() && mef.year == mef.length)
            }
            CodeType::Cfd | CodeType::Sise => true,
        }
    }
}

pub(super) fn scope_key(campaign: &str, diploma_type: &str, voie: &str) -> String {
    format!("w:{campaign}|{}|{}", fold(diploma_type), fold(voie))
}

impl<E: Entries> CodeLinks for Packed<'_, E> {
    fn mef(&self, mef: &str) -> Vec<Mef> {
        self.links("m:", mef, records::read_mef)
    }

    fn mefs_of_cfd(&self, cfd: &Code) -> Vec<Mef> {
        self.links("c:", cfd.as_str(), records::read_mef)
    }

    fn mefs_of_mefstat11(&self, mefstat11: &Code) -> Vec<Mef> {
        self.links("s:", mefstat11.as_str(), records::read_mef)
    }

    fn diplome(&self, cfd: &Code) -> Option<DiplomeHistory> {
        // Two rows of one CFD: what one leaves open is taken from the other.
        self.links("d:", cfd.as_str(), records::read_diplome).into_iter().reduce(|mut known, other| {
            known.opened = known.opened.or(other.opened);
            known.first_session = known.first_session.or(other.first_session);
            known.ancestors.extend(other.ancestors);
            known
        })
    }

    fn knows_sise(&self, sise: &Code) -> bool {
        self.entries.entry(Section::Links, &["n:", sise.as_str()].concat()).is_some()
    }

    fn published_sise(&self, sise: &Code) -> Vec<Code> {
        self.codes("e:", sise.as_str())
    }

    fn certif_info(&self, key: CertifInfoKey<'_>) -> Vec<CertifInfo> {
        let (prefix, key) = match key {
            CertifInfoKey::Entry(text) => ("k:", text),
            CertifInfoKey::Rncp(text) => ("kr:", text),
            CertifInfoKey::Ideo(text) => ("ki:", text),
            CertifInfoKey::Cfd(code) => ("kc:", code.as_str()),
            CertifInfoKey::Sise(code) => ("ks:", code.as_str()),
            CertifInfoKey::Older(text) => ("ko:", text),
        };
        self.links(prefix, key, records::read_certif_info)
    }

    fn cfds_of_rncp(&self, rncp: &str) -> Vec<Code> {
        self.codes("r:", rncp).into_iter().filter(|code| code.code_type() == CodeType::Cfd).collect()
    }

    fn sises_of_rncp(&self, rncp: &str) -> Vec<Code> {
        self.codes("r:", rncp).into_iter().filter(|code| code.code_type() == CodeType::Sise).collect()
    }

    fn onisep(&self, ideo: &str) -> Vec<Link> {
        self.links("o:", ideo, records::read_link)
    }

    fn catalogue(&self, key: CatalogueKey<'_>) -> Vec<Link> {
        match key {
            CatalogueKey::IdRco(key) => self.links("a:", key, records::read_link),
            CatalogueKey::ParcoursupId(key) => self.links("p:", key, records::read_link),
        }
    }

    fn manual(&self, key: &str) -> Vec<String> {
        let Some(author) = self.author else { return Vec::new() };
        let given = self.links("h:", key, |record| {
            let [of, code] = records::read_texts(record)?;
            Some((of.to_owned(), code.to_owned()))
        });
        given.into_iter().filter(|(of, _)| of.is_empty() || of == author).map(|(_, code)| code).collect()
    }

    fn links(&self, kind: &str, identifier: &str) -> Vec<Code> {
        self.codes(&format!("x:{kind}:"), identifier)
    }

    fn shared_first_year(&self, code: &Code) -> Option<Vec<Code>> {
        let key = code_text(code);
        let found = self.links("f:", &key, |record| {
            let [what, of] = records::read_texts(record)?;
            Some((what.to_owned(), of.to_owned()))
        });
        if found.is_empty() {
            return None;
        }
        let mut final_years = Vec::new();
        for (what, of) in found {
            match what.as_str() {
                "g" => {
                    let of_famille = self.codes("g:", &of).into_iter();
                    final_years.extend(
                        of_famille.filter(|last| last.code_type() == code.code_type() && self.is_final_year(last)),
                    );
                }
                "t" => final_years.extend(read_code_text(&of)),
                _ => {}
            }
        }
        final_years.retain(|last| last != code);
        final_years.sort_unstable();
        final_years.dedup();
        Some(final_years)
    }
}

impl<E: Entries> Statistics for Packed<'_, E> {
    fn statistic(&self, uai: &str, code: &Code, filiere: Filiere) -> Option<PlaceStatistic> {
        if uai.is_empty() {
            return None;
        }
        let asked = self.in_force.of_place(filiere);
        let of_filiere = self.figures(uai, code).into_iter().filter_map(|record| match record {
            FigureRecord::Statistic(of, statistic) if of == filiere => {
                Some((likeness(asked, statistic.millesime.as_deref()?)?, statistic))
            }
            _ => None,
        });
        of_filiere.max_by_key(|(likeness, _)| *likeness).map(|(_, statistic)| statistic)
    }

    fn has_statistic(&self, code: &Code) -> bool {
        self.entries.entry(Section::Links, &["t:", &code_text(code)].concat()).is_some()
    }

    fn pay(&self, code: &Code) -> Pay {
        let found = self.links("y:", &code_text(code), |record| {
            let (filiere, millesime, pay) = records::read_pay(record)?;
            Some((filiere, millesime.to_owned(), pay))
        });
        let alike = found.into_iter().filter(|(filiere, ..)| filieres_of(code).contains(filiere)).filter_map(
            |(filiere, millesime, pay)| Some((likeness(self.in_force.national(filiere), &millesime)?, pay)),
        );
        alike.max_by_key(|(likeness, _)| *likeness).map_or(Pay::NotCovered, |(_, pay)| pay)
    }

    fn success(&self, uai: &str, code: &Code) -> Option<Success> {
        if uai.is_empty() {
            return None;
        }
        self.figures(uai, code).into_iter().find_map(|record| match record {
            FigureRecord::Success(success) => Some(success),
            FigureRecord::Statistic(..) => None,
        })
    }

    fn establishment(&self, uai: &str) -> Option<Establishment> {
        self.place(uai).into_iter().find_map(|record| match record {
            PlaceRecord::Establishment(establishment) => Some(establishment),
            _ => None,
        })
    }

    fn mothers(&self, uai: &str) -> Vec<String> {
        self.taught(uai).mothers
    }

    fn last_year(&self, filiere: Filiere) -> Option<i32> {
        Millesime::parse(self.in_force.of_place(filiere)?)?.year().parse().ok()
    }
}
