//! What documents and the nomenclature say of one certification or establishment, and the card that it comes to.

use super::placement::text;
use domain::level::level_of_diplome;
use domain::{CodeType, Document, territory};
use std::collections::{BTreeMap, BTreeSet};
use store::codec::{Decoder, Encoder};
use store::mark;
use store::search::{CardCode, PLACES_MAX, SearchCard, Subject, useful_words};

/// RNCP codes kept of one certification: a CFD has a few.
const RNCP_MAX: usize = 50;
/// Longest label kept in the index, in characters.
const LIBELLE_MAX: usize = 200;

pub(super) fn short(text: &str) -> &str {
    text.char_indices().nth(LIBELLE_MAX).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// What is said of a certification or an establishment, by one document.
pub(super) struct Said<'a> {
    /// A label of the nomenclature wins over one of a document, the certification's own over a MEF's.
    pub(super) rank: u64,
    pub(super) libelle: &'a str,
    pub(super) diplome: &'a str,
    pub(super) uai: &'a str,
    pub(super) region: &'a str,
    pub(super) code: &'a str,
    pub(super) code_kind: &'a str,
    pub(super) has_data: bool,
    /// Further words it is found by.
    pub(super) words: &'a str,
    /// Marks ([`store::mark`]), with a space between two.
    pub(super) marks: &'a str,
}

impl Said<'_> {
    /// One that says nothing.
    pub(super) fn empty() -> Self {
        Said {
            rank: u64::MAX,
            libelle: "",
            diplome: "",
            uai: "",
            region: "",
            code: "",
            code_kind: "",
            has_data: false,
            words: "",
            marks: "",
        }
    }

    pub(super) fn encode(&self, group: &str) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.text(group).number(self.rank).text(short(self.libelle)).text(short(self.diplome)).text(self.uai);
        encoder.text(self.region).text(self.code).text(self.code_kind).number(u64::from(self.has_data));
        encoder.text(short(self.words)).text(self.marks);
        encoder.0
    }
}

pub(super) fn code_kind(code_type: CodeType) -> &'static str {
    match code_type {
        CodeType::Cfd => "CFD",
        CodeType::Mef => "MEFSTAT11",
        CodeType::Sise => "SISE",
    }
}

/// The kind of a code that leads to no document.
pub(super) const RNCP: &str = "RNCP";

/// The kind of a code, by its length: documents hold codes without their prefix.
pub(super) fn kind_of(code: &str) -> &'static str {
    code_kind(match code.len() {
        11 => CodeType::Mef,
        7 => CodeType::Sise,
        _ => CodeType::Cfd,
    })
}

/// The certification that a code belongs to.
pub(super) fn group_of(code: &str, cfd: &str) -> String {
    if kind_of(code) == "SISE" {
        return format!("s:{code}");
    }
    format!("c:{}", if cfd.is_empty() { code } else { cfd })
}

pub(super) fn region_acce(document: &Document) -> &'static str {
    territory::region_of_departement_insee_3(&text(document, "departement_insee_3"))
        .or_else(|| territory::academie(&text(document, "academie")).map(|(region, _)| region))
        .map_or("", |r| r.code)
}

/// A card on its way, with its words.
pub(super) struct CardGroup {
    pub(super) version_set: SearchCard,
    pub(super) rank: u64,
    pub(super) words: BTreeSet<String>,
    /// Codes and places with documents.
    documents: usize,
}

impl CardGroup {
    /// In how many places a certification has documents: how likely it is meant. Years before the last are looked for by
    /// nobody: they have no figures of their own. Establishments have no rank.
    pub(super) fn spread(&self) -> usize {
        let before = ["1ere", "2nde", "commune"].iter().any(|word| self.words.contains(*word));
        if before || self.version_set.subject == Subject::Etablissement { 0 } else { self.documents }
    }
}

pub(super) fn read_groups<'a>(records: impl Iterator<Item = &'a [u8]>) -> Option<BTreeMap<String, CardGroup>> {
    let mut groups: BTreeMap<String, CardGroup> = BTreeMap::new();
    for record in records {
        let mut r = Decoder(record);
        let key = r.text()?;
        let (rank, libelle, diplome, uai, region) = (r.number()?, r.text()?, r.text()?, r.text()?, r.text()?);
        let (code, code_kind, has_data, words) = (r.text()?, r.text()?, r.number()? == 1, r.text()?);
        // A record of a job that the version before began has none.
        let marks = if r.0.is_empty() { "" } else { r.text()? };
        let group = groups.entry(key.to_owned()).or_insert_with(|| CardGroup {
            version_set: SearchCard {
                subject: if key.starts_with("e:") { Subject::Etablissement } else { Subject::Certification },
                libelle: String::new(),
                diplome: String::new(),
                uai: uai.to_owned(),
                region: String::new(),
                codes: Vec::new(),
                rncp: Vec::new(),
                has_data: false,
            },
            rank: u64::MAX,
            words: BTreeSet::new(),
            documents: 0,
        });
        group.documents += usize::from(has_data);
        let version_set = &mut group.version_set;
        // The best label, and of equals the first in the alphabet: the order of the push decides nothing.
        if !libelle.is_empty() && (rank, libelle) < (group.rank, version_set.libelle.as_str())
            || version_set.libelle.is_empty()
        {
            (group.rank, version_set.libelle) = (rank, libelle.to_owned());
        }
        for (field, value) in [(&mut version_set.diplome, diplome), (&mut version_set.region, region)] {
            if field.is_empty() || !value.is_empty() && value < field.as_str() {
                *field = value.to_owned();
            }
        }
        version_set.has_data |= has_data;
        if code_kind == RNCP {
            if !version_set.rncp.iter().any(|r| r == code) {
                version_set.rncp.push(code.to_owned());
            }
        } else if !code.is_empty() {
            match version_set.codes.iter_mut().find(|c| c.code == code) {
                Some(known) => known.has_data |= has_data,
                None => version_set.codes.push(CardCode {
                    code: code.to_owned(),
                    code_kind: code_kind.to_owned(),
                    has_data,
                }),
            }
        }
        group.words.extend([libelle, diplome, uai, code, words].into_iter().flat_map(useful_words));
        group.words.extend(marks.split(' ').filter(|mark| !mark.is_empty()).map(str::to_owned));
    }
    // A certification of which only the RNCP code is said is not known.
    groups
        .retain(|_, group| !group.version_set.codes.is_empty() || group.version_set.subject == Subject::Etablissement);
    for group in groups.values_mut() {
        if let Some(level) = level_of_diplome(&group.version_set.diplome) {
            group.words.insert(mark::level(level.slug));
        }
        if !group.version_set.region.is_empty() {
            group.words.insert(mark::region(&group.version_set.region));
        }
        group.version_set.rncp.sort_unstable();
        group.version_set.rncp.truncate(RNCP_MAX);
        // Those with data first, the CFD before its MEFs.
        group
            .version_set
            .codes
            .sort_by(|a, b| (!a.has_data, &a.code_kind, &a.code).cmp(&(!b.has_data, &b.code_kind, &b.code)));
        group.version_set.codes.truncate(PLACES_MAX);
    }
    Some(groups)
}

pub(super) fn class(version_set: &SearchCard) -> usize {
    usize::from(!version_set.has_data) * 2 + usize::from(version_set.subject == Subject::Etablissement)
}
