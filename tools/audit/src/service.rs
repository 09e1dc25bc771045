//! What stands in for the routes: documents as they are published, and the function that the view's route calls.

use crate::answers::{Cell, ViewAnswer};
use crate::views::{AskedViews, ViewPlace, ties};
use domain::declared::{MAILLE_FIELD, PLACE_FIELD};
use domain::indicator::HEADCOUNTS;
use domain::{Document, Filiere, PublishedDocument, Secrecy};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use store::codec::Encoder;
use store::counts::{self, HeadCount};
use store::keys;
use treatments::secondary::{self, CountedGroup, SecondaryResult};

/// What the service does against differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Nothing, as the former service: a view adds up whatever there is. To show that the attacker works.
    None,
    /// The rule of sums.
    Sums,
}

/// A published data set.
#[derive(Debug)]
pub struct Service {
    protection: Protection,
    cells: Vec<Cell>,
    /// By place and CFD: what views read, and the documents as pushed for a service that does nothing.
    entries: BTreeMap<String, (Encoder, Vec<Document>)>,
    /// Maille, place as the store names it, place, millesime; the CFDs there.
    views: BTreeMap<[String; 4], BTreeSet<String>>,
    /// CFDs that lent numbers tie together.
    tied: BTreeMap<ViewPlace, BTreeSet<[String; 2]>>,
}

fn text(document: &Document, field: &str) -> String {
    document.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl Service {
    /// Publishes documents as they were pushed; those of no statistic are left out. Documents of declared mailles name them.
    pub fn publish(documents: impl IntoIterator<Item = Document>, protection: Protection) -> Self {
        Self::publish_hiding(documents, protection, Secrecy::Contract, |_| false)
    }

    /// Publishes with `secret_secondaire`: what the treatment withholds, set of codes by set of codes.
    pub fn publish_withholding(
        documents: Vec<Document>,
        protection: Protection,
        secrecy: Secrecy,
        margin: i64,
    ) -> (Self, Withholding) {
        let statistics: Vec<CountedGroup> = documents.iter().map(|d| CountedGroup::read(d, secrecy)).collect();
        let mut sets = treatments::secondary::CodeSets::default();
        for statistic in &statistics {
            sets.tie(statistic.ties());
        }
        let mut by_set: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (rank, statistic) in statistics.iter().enumerate() {
            by_set.entry(sets.set(statistic.ties())).or_default().push(rank);
        }
        let mut all = SecondaryResult::default();
        for ranks in by_set.into_values() {
            let of: Vec<CountedGroup> = ranks.iter().filter_map(|rank| statistics.get(*rank).cloned()).collect();
            let global = |rank: usize| ranks.get(rank).copied().unwrap_or_default();
            let result = secondary::withhold_within(&of, margin);
            all.exposed.extend(result.exposed.into_iter().map(global));
            all.withheld.extend(result.withheld.into_iter().map(|w| secondary::Withheld {
                rank: global(w.rank),
                protects: global(w.protects),
                ..w
            }));
        }
        let withheld: BTreeSet<usize> = all.withheld.iter().map(|w| w.rank).collect();
        let mut rank = 0..;
        let hides = |_: &Cell| rank.next().is_some_and(|rank| withheld.contains(&rank));
        let further = all.withheld.iter().filter(|w| statistics.get(w.rank).is_some_and(|s| !s.is_hidden())).count();
        let withholding = Withholding { further, exposed: all.exposed.len() };
        (Self::publish_hiding(documents, protection, secrecy, hides), withholding)
    }

    /// The same, where some documents are hidden though their group is large enough.
    pub fn publish_hiding(
        documents: impl IntoIterator<Item = Document>,
        protection: Protection,
        secrecy: Secrecy,
        mut hides: impl FnMut(&Cell) -> bool,
    ) -> Self {
        let mut service = Self {
            protection,
            cells: Vec::new(),
            entries: BTreeMap::new(),
            views: BTreeMap::new(),
            tied: BTreeMap::new(),
        };
        for document in documents {
            let Some(cell) = Cell::read(&document, false) else { continue };
            let hidden = hides(&cell);
            let count = HeadCount::new(&document);
            let published = PublishedDocument::under(document.clone(), secrecy, hidden);
            let Some(cell) = Cell::read(published.as_document(), published.hides()) else { continue };
            let key = cell.key.clone();
            let count = count.filter(|_| key.maille != "etablissement");
            if let Some(count) = count {
                let count = if published.is_withheld() {
                    count.withheld()
                } else if published.hides() {
                    count.hidden()
                } else {
                    count
                };
                let place = match key.maille.as_str() {
                    "national" | "regionale" => key.place.clone(),
                    _ => keys::declared_place(&text(&document, MAILLE_FIELD), &text(&document, PLACE_FIELD)),
                };
                let (encoder, raw) = service.entries.entry(keys::pair(&place, &key.cfd)).or_default();
                count.encode(encoder);
                raw.push(document);
                let at = [key.maille.clone(), place, key.place.clone(), key.millesime.clone()];
                service.views.entry(at).or_default().insert(key.cfd.clone());
            }
            service.cells.push(cell);
        }
        service.tied = ties(&service.cells);
        service
    }

    /// The statistics that lists hold.
    #[must_use]
    pub fn cells(&self) -> Vec<Cell> {
        self.cells.clone()
    }

    /// The view of some CFDs: each filiere as it is shown.
    #[must_use]
    pub fn view(&self, at: &[String; 4], cfds: &[&str]) -> Vec<ViewAnswer> {
        self.view_under(self.protection, at, cfds)
    }

    fn view_under(&self, protection: Protection, at: &[String; 4], cfds: &[&str]) -> Vec<ViewAnswer> {
        let [maille, stored, place, millesime] = at;
        let entries = cfds
            .iter()
            .filter_map(|cfd| self.entries.get(&keys::pair(stored, cfd)).map(|entry| ((*cfd).to_owned(), entry)));
        let read = |filiere: Filiere, document: &Document| ViewAnswer::read(maille, place, filiere.as_str(), document);
        match protection {
            Protection::Sums => {
                let entries: Vec<(String, Vec<u8>)> = entries.map(|(cfd, (bytes, _))| (cfd, bytes.0.clone())).collect();
                let view = counts::view(&entries, |m| m == millesime, stored, 0).unwrap_or_default();
                view.0.iter().map(|(filiere, document)| read(*filiere, document.as_document())).collect()
            }
            Protection::None => {
                let entries: Vec<_> = entries.collect();
                let filieres = [Filiere::Pro, Filiere::Apprentissage].into_iter().filter_map(|filiere| {
                    let documents = || {
                        entries
                            .iter()
                            .flat_map(|(_, (_, raw))| raw)
                            .filter(|d| text(d, "millesime") == *millesime && text(d, "filiere") == filiere.as_str())
                    };
                    documents().next()?;
                    let mut sum = Document::new();
                    for (field, source) in [
                        ("codes_certifications", "code_certification"),
                        ("codes_formation_diplome", "code_formation_diplome"),
                    ] {
                        let texts: BTreeSet<String> = documents().map(|d| text(d, source)).collect();
                        sum.insert(field.into(), texts.into_iter().collect::<Vec<_>>().into());
                    }
                    sum.insert("millesime".into(), millesime.as_str().into());
                    for field in HEADCOUNTS {
                        let numbers: Vec<i64> = documents().filter_map(|d| d.get(field)?.as_i64()).collect();
                        let total = if numbers.is_empty() { Value::Null } else { numbers.iter().sum::<i64>().into() };
                        sum.insert(field.into(), total);
                    }
                    Some(read(filiere, PublishedDocument::new(sum).as_document()))
                });
                filieres.collect()
            }
        }
    }

    /// The views that an attacker asks for: of every CFD; of each beside one that is open, so that a difference is left; of
    /// neighbours, as a chain; of those that lent numbers tie together. Second: how many views of one CFD show a count, and
    /// how many lost theirs to the rule of sums.
    #[must_use]
    pub fn asked_views(&self) -> (Vec<ViewAnswer>, BTreeMap<String, ViewsOfOne>) {
        let mut answers = Vec::new();
        let mut of_one: BTreeMap<String, ViewsOfOne> = BTreeMap::new();
        for (at, cfds) in &self.views {
            let cfds: Vec<&str> = cfds.iter().map(String::as_str).collect();
            let ones: Vec<Vec<ViewAnswer>> = cfds.iter().map(|cfd| self.view(at, &[cfd])).collect();
            let [maille, ..] = at;
            let counted = of_one.entry(maille.clone()).or_default();
            for (cfd, view) in cfds.iter().zip(&ones) {
                let former = self.view_under(Protection::None, at, &[cfd]);
                let told = |view: &[ViewAnswer]| view.iter().filter(|answer| answer.tells()).count();
                counted.views += usize::from(told(&former) > 0);
                counted.closed += usize::from(told(view) < told(&former));
            }
            let [maille, _, place, millesime] = at.clone();
            let tied = self.tied.get(&ViewPlace { maille, place, millesime });
            let pairs = AskedViews { cfds: &cfds, ones: &ones, tied }.pairs();
            for pair in pairs {
                answers.extend(self.view(at, &pair));
            }
            answers.extend(ones.into_iter().flatten());
        }
        answers.retain(ViewAnswer::tells);
        (answers, of_one)
    }
}

/// What the treatment did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withholding {
    /// Documents that it hides and the threshold does not.
    pub further: usize,
    /// Hidden groups that nothing was left to protect with.
    pub exposed: usize,
}

/// Views of one CFD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViewsOfOne {
    /// Those that showed a count or a rate in the former service.
    pub views: usize,
    /// Those of them that show fewer filieres' figures now.
    pub closed: usize,
}
