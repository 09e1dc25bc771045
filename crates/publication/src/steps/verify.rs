//! The sixth step: every value that readers will read is read, must be whole, and their numbers must add up.

use super::JobStepper;
use super::state::Verified;
use crate::job::JobStep;
use crate::manifest::{MEFS, rendering};
use crate::{Environment, PublicationError};
use domain::{Kind, Maille};
use std::collections::BTreeMap;
use store::chain;
use store::fold::unfold;
use store::keys::{self, Family};
use store::kv::{KeyValueWrite, StoreError, to_json};
use store::list::{self, CodeEntry, Format, Order, UaiEntry};
use store::pointer::MillesimesInForce;
use store::public_record::DocumentCounts;
use store::version_set::VersionSet;

/// The share of a maille and millesime that may disappear unasked.
const TOLERATED_LOSS: f64 = 0.10;

/// What of a list is verified together.
#[derive(Clone, Copy)]
enum Pieces {
    Segments(Order, Format),
    Codes,
    Places,
}

impl<K: KeyValueWrite, E: Environment> JobStepper<'_, K, E> {
    /// Reads every value that readers will: each must be whole, and their numbers must add up.
    pub(super) async fn verify(&mut self) -> Result<Option<JobStep>, PublicationError> {
        self.writer.flush().await?;
        let (rank, departure) = self.state.cursor;
        let lists = self.state.lists.len();
        self.job.progress = (rank, Family::ALL.len() + lists + 2);
        if let Some(family) = Family::ALL.get(rank).copied() {
            for n in departure..self.state.bundles[family] {
                let value = self.shelf().get(self.kv, family.name(), n).await?;
                let damaged = || value.damaged();
                let entries = value.entries()?;
                if let Family::Documents(_) = family
                    && entries.iter().any(|(_, bytes)| VersionSet::decode(bytes).is_none())
                {
                    return Err(damaged().into());
                }
                if family == Family::Counts {
                    for (_, entry) in &entries {
                        let entry = chain::whole(self.kv, self.shelf(), family.name(), entry.to_vec()).await?;
                        unfold(&entry).ok_or_else(damaged)?;
                    }
                }
                // What was counted when it was built must be found: to zero over the whole family.
                let cards = &mut self.state.cards[family];
                *cards = cards.checked_sub(entries.len() as u64).ok_or_else(damaged)?;
                if !self.has_time() {
                    self.state.cursor = (rank, n + 1);
                    return Ok(None);
                }
            }
            if self.state.cards[family] != 0 {
                return Err(StoreError::Damaged(family.name().into()).into());
            }
            self.state.cursor = (rank + 1, 0);
            return Ok(None);
        }
        if let Some(list) = self.state.lists.get(rank - Family::ALL.len()) {
            let (name, maille, rows) = (list.name.clone(), list.maille, list.rows);
            if self.verify_list(&name, maille, rows, departure).await? {
                self.state.cursor = (rank + 1, 0);
                self.state.verified = Verified::default();
            }
            return Ok(None);
        }
        if rank == Family::ALL.len() + lists {
            if self.verify_index(departure).await? {
                self.state.cursor = (rank + 1, 0);
            }
            return Ok(None);
        }
        if rank == Family::ALL.len() + lists + 1 {
            if self.verify_matching(departure).await? {
                self.state.cursor = (rank + 1, 0);
            }
            return Ok(None);
        }
        for declared in self.declared().into_values() {
            self.count_whole(Kind::Maille, &to_json(keys::DECLARATIONS, &declared)?);
        }
        self.job.summary.digest = self.public_digest();
        if let Some(millesimes) = &self.job.options.millesimes {
            let read = std::mem::take(&mut self.state.millesimes.mailles);
            self.state.millesimes = MillesimesInForce { mailles: read, ..millesimes.clone() };
        }
        if let Some(base) = &self.state.base {
            let unchanged = base.digest == self.digest() && base.millesimes == self.state.millesimes;
            if unchanged && base.rendering == rendering(self.indicators, self.secrecy()) {
                return Ok(Some(JobStep::Unchanged));
            }
            self.job.summary.losses = losses(&base.documents, &self.job.summary.documents);
            self.job.summary.losses.extend(losses_of_tables(&base.tables, &self.state.tables));
        }
        self.compare().await?;
        self.guard().await?;
        if self.job.options.verify_only {
            self.job.ended_ms = Some(self.env.now_ms());
            return Ok(Some(JobStep::Verified));
        }
        if self.job.waits_for().is_some() {
            self.job.waits_since_ms = Some(self.env.now_ms());
            return Ok(Some(JobStep::AwaitConfirmation));
        }
        Ok(Some(JobStep::Switch))
    }

    /// Reads every value of a list again, from the one at `departure` on: `true` once all of them were read.
    async fn verify_list(
        &mut self,
        name: &str,
        maille: Option<Maille>,
        expected: u64,
        departure: usize,
    ) -> Result<bool, PublicationError> {
        let plan = self.read_plan(name).await?;
        let damaged = |what: &str| StoreError::Damaged(format!("{what} of {name}"));
        if plan.total as u64 != expected || plan.stretches.iter().map(|p| p.count).sum::<usize>() != plan.total {
            return Err(damaged("plan").into());
        }
        let mut pieces = Vec::new();
        for order in Order::ALL.into_iter().filter(|o| *o == Order::Places || maille.is_some()) {
            for format in [Format::Json, Format::Csv] {
                pieces.push((Pieces::Segments(order, format), plan.total.div_ceil(plan.rows(format))));
            }
        }
        pieces.extend([(Pieces::Codes, plan.pages_codes.len()), (Pieces::Places, plan.pages_uais.len())]);
        let values = pieces.into_iter().flat_map(|(what, count)| (0..count).map(move |n| (what, n, n + 1 == count)));
        for (rank, (what, n, last)) in values.enumerate().skip(departure) {
            match what {
                Pieces::Segments(order, format) => {
                    let family = list::family(name, order, format);
                    let value = self.shelf().get(self.kv, &family, n).await?;
                    self.state.verified.rows += value.verify_rows()?;
                    if last && std::mem::take(&mut self.state.verified.rows) != plan.total {
                        return Err(damaged("segments").into());
                    }
                }
                Pieces::Codes => {
                    for entry in self.page_entries(&list::codes_family(name), n).await? {
                        let entry = CodeEntry::decode(&entry).map_err(|_| damaged("codes"))?;
                        self.state.verified.by_code += entry.0.iter().map(|p| p.count).sum::<usize>();
                    }
                }
                Pieces::Places => {
                    for entry in self.page_entries(&list::uais_family(name), n).await? {
                        let entry = UaiEntry::decode(&entry).map_err(|_| damaged("uais"))?;
                        self.state.verified.by_uai += entry.0.iter().map(|(p, _)| p.count).sum::<usize>();
                    }
                }
            }
            if !self.has_time() {
                self.state.cursor.1 = rank + 1;
                return Ok(false);
            }
        }
        let all_expected = |present: bool| if present { plan.total } else { 0 };
        if self.state.verified.by_code != all_expected(maille.is_some())
            || self.state.verified.by_uai
                != all_expected(matches!(maille, Some(Maille::Etablissement | Maille::Declared)))
        {
            return Err(damaged("indexes").into());
        }
        Ok(true)
    }

    /// The entries of a page, each whole.
    async fn page_entries(&self, family: &str, n: usize) -> Result<Vec<Vec<u8>>, PublicationError> {
        let page = self.shelf().get(self.kv, family, n).await?;
        let read = page.entries()?;
        let mut entries = Vec::with_capacity(read.len());
        for (_, entry) in read {
            entries.push(chain::whole(self.kv, self.shelf(), family, entry.to_vec()).await?);
        }
        Ok(entries)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of documents are far below 2^53")]
fn is_loss(before: u64, after: u64) -> bool {
    (after as f64) < (before as f64) * (1.0 - TOLERATED_LOSS)
}

/// Where a kind without mailles (the nomenclature, what only treatments and the matching read) loses more than a tenth.
fn losses_of_tables(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> Vec<String> {
    let counts = before
        .iter()
        .filter(|(kind, _)| *kind != MEFS)
        .map(|(kind, a)| (kind, *a, after.get(kind).copied().unwrap_or(0)));
    counts.filter(|(_, a, b)| is_loss(*a, *b)).map(|(kind, a, b)| format!("{kind} : {a} → {b}")).collect()
}

/// Where a maille and millesime loses more than a tenth of its documents.
fn losses(before: &DocumentCounts, after: &DocumentCounts) -> Vec<String> {
    let total = |e: &DocumentCounts, maille: &str, millesime: &str| {
        e.get(maille).and_then(|m| m.get(millesime)).map_or(0, |s| s.values().sum::<u64>())
    };
    let mut losses = Vec::new();
    for (maille, by_millesime) in before {
        for millesime in by_millesime.keys() {
            let (a, b) = (total(before, maille, millesime), total(after, maille, millesime));
            if is_loss(a, b) {
                losses.push(format!("{maille} {millesime} : {a} → {b}"));
            }
        }
    }
    losses
}
