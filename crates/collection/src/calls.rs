//! The first step: calls, lot by lot, into the staging of raw answers.

use crate::demand::Lot;
use crate::lookups;
use crate::record::{ASKED_WAIT_MAX_S, RunStep};
use crate::report::FailedCall;
use crate::staged::{LotReader, LotWriter, StagedLot, StagedLots, StreamedAnswer};
use crate::state::LotInProgress;
use crate::stepper::{Next, RunStepper, StepFault};
use futures_util::future::{Either, join_all, select};
use outside::{Clock, Fetch, FetchError};
use publication::{Environment, GenerationState, Journal, Registry, Writer};
use sources::{AnswerReader, Call, Outcome, ReadReport, SourceError, catalogue_total};
use std::collections::BTreeSet;
use std::pin::pin;
use store::KeyValueWrite;
use store::kv::StoreError;

/// How long calls may take from the start of a step on, in milliseconds: below the 25 s that a step
/// has, with room to save.
const DURATION_MAX_MS: u64 = 22_000;
/// Until when a step begins another call, in milliseconds.
const LAST_CALL_MS: u64 = 14_000;
/// Small calls under way at once. The clients keep their distance themselves.
const PARALLEL: usize = 4;
/// The longest wait before a call is taken up again, in seconds.
const WAIT_MAX_S: u64 = 900;
/// Failed calls that a lot of many may have, at least; beyond, one in fifty.
const FAILURES_TOLERATED: usize = 10;
/// How far ahead the marks of a lot are raised: its pieces are written a few a step.
const AHEAD: usize = 8;

/// A call that was made: what came, read once.
type CallOutcome = Result<(Option<Vec<u8>>, ReadReport), SourceError>;

impl<K: KeyValueWrite, E: Environment, F: Fetch, C: Clock> RunStepper<'_, K, E, F, C> {
    pub(crate) async fn collect(&mut self) -> Result<Next, StepFault> {
        let Some(lot) = self.state.to_call.get(self.state.rank).cloned() else {
            return Ok(Next::Step(RunStep::Nomenclature));
        };
        let mut in_progress = match self.state.lot.take() {
            Some(in_progress) => in_progress,
            None => match self.open_lot(&lot).await? {
                Ok(in_progress) => in_progress,
                Err(next) => return Ok(next),
            },
        };
        let next = self.call(&mut in_progress).await;
        if self.state.rank < self.state.to_call.len() && self.state.to_call.get(self.state.rank) == Some(&lot) {
            self.state.lot = Some(in_progress);
        }
        next
    }

    /// A prefix for the answers, and what the list of calls depends on.
    async fn open_lot(&mut self, lot: &Lot) -> Result<Result<LotInProgress, Next>, StepFault> {
        let mut total = 0;
        if *lot == Lot::Catalogue {
            let mut response = Vec::new();
            let elapsed = self.env.monotonic_ms().saturating_sub(self.start);
            let delay = DURATION_MAX_MS.saturating_sub(elapsed);
            if self.begun && elapsed >= LAST_CALL_MS {
                // The next call gives it all its time.
                self.end = 0;
                return Ok(Err(Next::More));
            }
            self.begun = true;
            let outcome = {
                let make = pin!(self.sources.make(&Call::CatalogueTotal, &mut response));
                match select(make, pin!(self.sources.clock().sleep(delay))).await {
                    Either::Left((outcome, _)) => outcome.map(|_| ()),
                    Either::Right(_) => {
                        let (call, fault) = (Call::CatalogueTotal.label(), FetchError::Timeout);
                        Err(SourceError::Network { service: lot.service(), call, fault, tries: 1 })
                    }
                }
            };
            let outcome = outcome.and_then(|()| catalogue_total(&response));
            match outcome {
                Ok(0) => return Err(StepFault::Failed(format!("{lot} : le catalogue est vide"))),
                Ok(n) => (total, self.state.rounds_of_total) = (n, 0),
                Err(error) => {
                    let mut rounds = self.state.rounds_of_total;
                    let next = self.postpone(&error, &mut rounds);
                    self.state.rounds_of_total = rounds;
                    return next.map(Err);
                }
            }
        }
        if matches!(lot, Lot::Etablissements(_)) && self.state.uais.is_none() {
            let acce = lookups::raw_acce(self).await?;
            let report = self.state.report.treatment(sources::Service::Acce);
            self.state.uais = Some(acce.to_ask(report).into_iter().map(str::to_owned).collect());
        }
        let now = self.env.now_ms();
        let prefix = Registry::new_prefix(self.kv, &self.run.id, GenerationState::InProgress, now).await?;
        self.calls = None;
        Ok(Ok(LotInProgress {
            lot: lot.clone(),
            prefix,
            journal: Journal::new("brut"),
            total,
            done: 0,
            rounds: 0,
            failures: Vec::new(),
            bytes: 0,
            resumed_at: None,
            resumed: BTreeSet::new(),
        }))
    }

    async fn call(&mut self, in_progress: &mut LotInProgress) -> Result<Next, StepFault> {
        let calls = match self.calls.take() {
            Some(calls) => calls,
            None => in_progress.lot.calls(self.state.uais.as_deref().unwrap_or_default(), in_progress.total),
        };
        let mut writer = Writer::open(self.kv, &in_progress.prefix, self.env.batch()).await?.with_ahead(AHEAD);
        let next = self.call_all(in_progress, &calls, &mut writer).await;
        in_progress.journal.flush(&mut writer, self.number).await?;
        writer.flush().await?;
        self.state.report.writes += writer.writes;
        let next = next?;
        if matches!(next, Next::More) && in_progress.done >= calls.len() {
            if self.resume(in_progress).await? {
                self.close_lot(in_progress).await?;
                self.state.rank += 1;
            } else {
                self.calls = Some(calls);
            }
        } else {
            self.calls = Some(calls);
        }
        Ok(next)
    }

    /// Makes calls until the lot or the time is over.
    async fn call_all(
        &mut self,
        in_progress: &mut LotInProgress,
        calls: &[Call],
        writer: &mut Writer<'_, K>,
    ) -> Result<Next, StepFault> {
        let at_once = if in_progress.lot.is_large() { 1 } else { PARALLEL };
        loop {
            self.progress(in_progress.done, calls.len(), &in_progress.lot.to_string());
            let remainder = calls.get(in_progress.done..).unwrap_or_default();
            let next_calls = remainder.get(..at_once.min(remainder.len())).unwrap_or_default();
            let elapsed = self.env.monotonic_ms().saturating_sub(self.start);
            let later = elapsed >= LAST_CALL_MS || !self.has_time();
            if next_calls.is_empty() || (self.begun && later) {
                return Ok(Next::More);
            }
            let first = !std::mem::replace(&mut self.begun, true);
            let delay = DURATION_MAX_MS.saturating_sub(elapsed);
            let done = match next_calls {
                [only] if at_once == 1 => vec![self.call_streaming(in_progress, only, writer, delay).await?],
                several => self.call_together(several, delay).await,
            };
            for (made, outcome) in next_calls.iter().zip(done) {
                match outcome {
                    None if !first => {
                        // It began late in the step: the next one gives it all its time.
                        self.end = 0;
                        return Ok(Next::More);
                    }
                    None => {
                        let service = in_progress.lot.service();
                        let (call, fault) = (made.label(), FetchError::Timeout);
                        let error = SourceError::Network { service, call, fault, tries: 1 };
                        return self.postpone(&error, &mut in_progress.rounds);
                    }
                    Some(outcome) => {
                        if let Some(next) = self.note(in_progress, made, outcome, writer).await? {
                            return Ok(next);
                        }
                    }
                }
            }
        }
    }

    /// One large answer, staged while it comes. `None`: it did not end in time.
    async fn call_streaming(
        &mut self,
        in_progress: &mut LotInProgress,
        call: &Call,
        writer: &mut Writer<'_, K>,
        delay: u64,
    ) -> Result<Option<CallOutcome>, StoreError> {
        let lot_writer = LotWriter { journal: &mut in_progress.journal, writer, number: self.number };
        let mut streamed = StreamedAnswer::open(lot_writer, call).await?;
        let made = {
            let make = pin!(self.sources.make(call, &mut streamed));
            match select(make, pin!(self.sources.clock().sleep(delay))).await {
                Either::Left((made, _)) => Some(made),
                Either::Right(_) => None,
            }
        };
        Ok(match made {
            Some(Ok(made)) if made.outcome == Outcome::Answer => {
                in_progress.bytes += made.tally.bytes;
                Some(streamed.close().await?.map(|read| (None, read)))
            }
            other => {
                streamed.forget();
                match other {
                    Some(Ok(_)) => Some(Ok((None, ReadReport::default()))),
                    Some(Err(error)) => Some(Err(error)),
                    None => None,
                }
            }
        })
    }

    /// A few small answers at once, held in memory.
    async fn call_together(&mut self, calls: &[Call], delay: u64) -> Vec<Option<CallOutcome>> {
        let (sources, clock) = (self.sources, self.sources.clock());
        let done = join_all(calls.iter().map(async |call| {
            let mut body = Vec::new();
            let made = {
                let make = pin!(sources.make(call, &mut body));
                match select(make, pin!(clock.sleep(delay))).await {
                    Either::Left((made, _)) => Some(made),
                    Either::Right(_) => None,
                }
            };
            made.map(|made| made.map(|made| (made, body)))
        }))
        .await;
        done.into_iter()
            .zip(calls)
            .map(|(outcome, call)| {
                outcome.map(|outcome| {
                    let (made, body) = outcome?;
                    if made.outcome == Outcome::NoData {
                        return Ok((None, ReadReport::default()));
                    }
                    let mut reader = AnswerReader::new(call);
                    reader.push(&body, |_| ())?;
                    Ok((Some(body), reader.finish(|_| ())?))
                })
            })
            .collect()
    }

    /// Counts a call that was made. `Some`: the step is over.
    async fn note(
        &mut self,
        in_progress: &mut LotInProgress,
        made: &Call,
        outcome: CallOutcome,
        writer: &mut Writer<'_, K>,
    ) -> Result<Option<Next>, StepFault> {
        let large = in_progress.lot.is_large();
        let outcome = outcome.and_then(|(body, read)| {
            let (service, call) = (made.service(), made.label());
            if read.rows == 0 && in_progress.lot.refuses_empty() {
                return Err(SourceError::Answer { service, call, reason: "elle ne contient aucune ligne".into() });
            }
            Ok((body, read))
        });
        match outcome {
            Ok((body, read)) => {
                let report = self.state.report.source(made.service());
                if !large && body.is_none() {
                    report.calls += 1;
                    report.without_data += 1;
                } else {
                    report.read(&read);
                }
                if !large {
                    in_progress.bytes += body.as_ref().map_or(0, |c| c.len() as u64);
                    let mut lot_writer = LotWriter { journal: &mut in_progress.journal, writer, number: self.number };
                    lot_writer.put(made, body.as_deref()).await?;
                }
            }
            Err(error) if error.is_transient() => {
                return self.postpone(&error, &mut in_progress.rounds).map(Some);
            }
            Err(error) => {
                let refusal = matches!(error, SourceError::Login { .. } | SourceError::NotConfigured { .. });
                if refusal || !in_progress.lot.tolerates_failures() {
                    return Err(self.failure(made, &error));
                }
                in_progress.failures.push((made.clone(), error.to_string()));
                let tolerated = FAILURES_TOLERATED.max(self.state.uais.as_ref().map_or(0, Vec::len) / 50);
                if in_progress.failures.len() > tolerated {
                    return Err(StepFault::Failed(format!(
                        "{} : plus de {tolerated} appels en échec ; le dernier : {error}",
                        in_progress.lot
                    )));
                }
            }
        }
        in_progress.done += 1;
        in_progress.rounds = 0;
        Ok(None)
    }

    fn failure(&mut self, call: &Call, error: &SourceError) -> StepFault {
        let reason = error.to_string();
        let failure = FailedCall { call: call.label(), reason: reason.clone(), resumed: false };
        self.state.report.source(call.service()).fail(failure);
        StepFault::Failed(reason)
    }

    /// A call that may succeed later: waits longer each time, then gives the run up.
    fn postpone(&mut self, error: &SourceError, rounds: &mut u32) -> Result<Next, StepFault> {
        if !error.is_transient() {
            return Err(StepFault::Failed(error.to_string()));
        }
        *rounds += 1;
        let configuration = self.configuration();
        if *rounds > configuration.retries {
            return Err(StepFault::Failed(format!("{error}, repris {} fois", configuration.retries)));
        }
        let wait = u64::from(configuration.wait_s) << (*rounds - 1).min(10);
        let pause = match error {
            SourceError::Wait { seconds, .. } => (*seconds).min(ASKED_WAIT_MAX_S),
            _ => wait.min(WAIT_MAX_S),
        };
        Ok(Next::Wait(pause, error.to_string()))
    }

    /// The lot is whole: older answers stand in for the calls that failed, then it takes the place
    /// of the older lot.
    async fn close_lot(&mut self, in_progress: &mut LotInProgress) -> Result<(), StepFault> {
        for (call, reason) in &in_progress.failures {
            let resumed = in_progress.resumed.contains(call);
            let failure = FailedCall { call: call.label(), reason: reason.clone(), resumed };
            self.state.report.source(call.service()).fail(failure);
        }
        let (now, journal) = (self.env.now_ms(), (self.number, &in_progress.journal));
        let (prefix, bytes) = (in_progress.prefix.as_str(), in_progress.bytes);
        let fresh = StagedLot::new(self.kv, self.env.batch(), prefix, now, bytes, journal).await?;
        let old = StagedLots::replace(self.kv, &in_progress.lot, fresh).await?;
        Registry::keep(self.kv, prefix).await?;
        if let Some(old) = old {
            Registry::give_up(self.kv, &old, now).await?;
        }
        Ok(())
    }

    /// Copies what an earlier run staged for the calls that failed: those that it had. `true` once all of it was looked
    /// through; it may be hundreds of megabytes, so the next call goes on where the time of this one is over.
    async fn resume(&mut self, in_progress: &mut LotInProgress) -> Result<bool, StepFault> {
        if in_progress.failures.is_empty() {
            return Ok(true);
        }
        let staged = StagedLots::read(self.kv).await?;
        let Some(old) = staged.lot(&in_progress.lot) else { return Ok(true) };
        let old = old.whole_number(self.kv).await?;
        let failed: BTreeSet<Call> = in_progress.failures.iter().map(|(call, _)| call.clone()).collect();
        let mut writer = Writer::open(self.kv, &in_progress.prefix, self.env.batch()).await?.with_ahead(AHEAD);
        let mut lot_writer = LotWriter { journal: &mut in_progress.journal, writer: &mut writer, number: self.number };
        let mut answers = LotReader::of(self.kv, &old, in_progress.resumed_at.unwrap_or_default());
        let mut finished = false;
        while self.env.monotonic_ms() < self.end {
            let Some((call, has_a_body)) = answers.next().await? else {
                finished = true;
                break;
            };
            if failed.contains(&call) && !in_progress.resumed.contains(&call) {
                let body = if has_a_body { Some(answers.body().await?) } else { None };
                lot_writer.put(&call, body.as_deref()).await?;
                in_progress.resumed.insert(call);
            }
        }
        in_progress.resumed_at = Some(answers.position());
        in_progress.journal.flush(&mut writer, self.number).await?;
        writer.flush().await?;
        Ok(finished)
    }
}
