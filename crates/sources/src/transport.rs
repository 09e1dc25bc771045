//! Sending: five requests a second, five tries, backoff with jitter, `Retry-After`, time-outs.
//!
//! Rule: contract, "Sources".

use crate::call::Service;
use crate::config::Config;
use crate::error::SourceError;
use domain::date::days;
use outside::{Body, Clock, Fetch, FetchError, ServiceRequest, ServiceResponse, Sink};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::ops::RangeInclusive;
use std::pin::pin;
use std::task::Poll;

/// How hard the services are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Least time between two requests to one service, in milliseconds.
    pub interval_ms: u64,
    /// How often a call is tried.
    pub tries: u32,
    /// The wait before the second try, in milliseconds; it doubles with each further one.
    pub backoff_ms: u64,
    /// The longest wait between tries, in milliseconds. Where `Retry-After` asks for more, the
    /// call fails with [`SourceError::Wait`]: a step of a job is short, the job can come back.
    pub longest_wait_ms: u64,
    /// The longest wait for the head of an answer or for its next chunk, in milliseconds.
    pub timeout_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { interval_ms: 200, tries: 5, backoff_ms: 500, longest_wait_ms: 8_000, timeout_ms: 20_000 }
    }
}

/// What was sent to a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Requests, retries and logins included.
    pub requests: u64,
    /// Of these, retries.
    pub retries: u64,
    /// Bytes of the answers that were staged.
    pub bytes: u64,
    /// Time spent waiting for our turn or before a retry, in milliseconds.
    pub waited_ms: u64,
}

/// An answer whose body went to the sink (2xx) or is small enough to hold.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) cookies: Vec<String>,
    /// The body of an answer that is no success, cut at [`SMALL`].
    pub(crate) small: Vec<u8>,
}

/// How much of an error's body is read.
const SMALL: usize = 4_096;

pub(crate) struct Transport<F, C> {
    fetch: F,
    clock: C,
    limits: Limits,
    next_turn: RefCell<BTreeMap<Service, u64>>,
    tallies: RefCell<BTreeMap<Service, Tally>>,
}

impl<F: Fetch, C: Clock> Transport<F, C> {
    pub(crate) fn new(fetch: F, clock: C, limits: Limits) -> Self {
        Self { fetch, clock, limits, next_turn: RefCell::default(), tallies: RefCell::default() }
    }

    pub(crate) fn clock(&self) -> &C {
        &self.clock
    }

    pub(crate) fn tallies(&self) -> BTreeMap<Service, Tally> {
        self.tallies.borrow().clone()
    }

    fn tally(&self, service: Service, change: impl FnOnce(&mut Tally)) {
        change(self.tallies.borrow_mut().entry(service).or_default());
    }

    async fn wait(&self, service: Service, ms: u64) {
        if ms > 0 {
            self.tally(service, |t| t.waited_ms += ms);
            self.clock.sleep(ms).await;
        }
    }

    /// Waits for the service's next turn. Turns are taken before waiting, so that calls that run
    /// side by side keep their distance too.
    async fn turn(&self, service: Service) {
        let now = self.clock.now_ms();
        let turn = {
            let mut turns = self.next_turn.borrow_mut();
            let next = turns.entry(service).or_insert(0);
            let turn = now.max(*next);
            *next = turn + self.limits.interval_ms;
            turn
        };
        self.wait(service, turn - now).await;
    }

    /// The wait before the try after `tries`: half of it certain, half of it by chance, so that
    /// many callers do not come back at the same moment.
    fn backoff(&self, tries: u32) -> u64 {
        let full = self.limits.backoff_ms.saturating_mul(1 << tries.saturating_sub(1).min(16));
        let full = full.min(self.limits.longest_wait_ms);
        let share = self.clock.random().clamp(0.0, 1.0) * 1_000.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
        let thousandths = share as u64;
        full / 2 + full / 2 * thousandths / 1_000
    }

    /// Sends a request until it is answered, the body of a success goes to `sink`.
    pub(crate) async fn exchange(
        &self,
        service: Service,
        call: &str,
        request: &ServiceRequest,
        bytes_max: u64,
        sink: &mut impl Sink,
    ) -> Result<Answer, SourceError> {
        let mut tries = 0;
        loop {
            tries += 1;
            self.turn(service).await;
            self.tally(service, |t| {
                t.requests += 1;
                t.retries += u64::from(tries > 1);
            });
            let (failure, after) = match self.once(service, request, bytes_max, sink).await {
                Ok((answer, after)) if answer.status == 429 || answer.status >= 500 => {
                    let status = answer.status;
                    (SourceError::Status { service, call: call.to_owned(), status, message: None }, after)
                }
                Ok((answer, _)) => return Ok(answer),
                Err(SendFault::Network(fault)) => {
                    (SourceError::Network { service, call: call.to_owned(), fault, tries }, None)
                }
                Err(SendFault::TooLarge) => {
                    // The same call would bring the same again: nobody tries.
                    let reason = format!("elle dépasse {} Mio", bytes_max >> 20);
                    return Err(SourceError::Answer { service, call: call.to_owned(), reason });
                }
                Err(SendFault::Staging) => return Err(SourceError::Staging { service, call: call.to_owned() }),
            };
            if tries >= self.limits.tries {
                return Err(failure);
            }
            let wait = after.unwrap_or_else(|| self.backoff(tries));
            if wait > self.limits.longest_wait_ms {
                return Err(SourceError::Wait { service, call: call.to_owned(), seconds: wait.div_ceil(1_000) });
            }
            self.wait(service, wait).await;
        }
    }

    /// One try: the answer, and how long it asks to wait.
    async fn once(
        &self,
        service: Service,
        request: &ServiceRequest,
        bytes_max: u64,
        sink: &mut impl Sink,
    ) -> Result<(Answer, Option<u64>), SendFault> {
        let mut response = self.in_time(self.fetch.fetch(request)).await?;
        let after = response.header("retry-after").and_then(|v| retry_after(v, self.clock.now_ms()));
        let cookies = response.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case("set-cookie"));
        let cookies = cookies.map(|(_, v)| v.clone()).collect();
        let mut answer = Answer { status: response.status, cookies, small: Vec::new() };
        if !(200..300).contains(&response.status) {
            answer.small = self.small(&mut response).await;
            return Ok((answer, after));
        }
        // What is announced as too large is not begun; what is not announced is broken off.
        let announced = response.header("content-length").and_then(|length| length.trim().parse::<u64>().ok());
        if announced.is_some_and(|announced| announced > bytes_max) {
            return Err(SendFault::TooLarge);
        }
        let mut left = bytes_max;
        sink.restart().await.map_err(|_| SendFault::Staging)?;
        while let Some(chunk) = self.in_time(response.body.chunk()).await? {
            let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            left = left.checked_sub(length).ok_or(SendFault::TooLarge)?;
            self.tally(service, |t| t.bytes += length);
            sink.write(&chunk).await.map_err(|_| SendFault::Staging)?;
        }
        Ok((answer, after))
    }

    async fn small(&self, response: &mut ServiceResponse<F::Body>) -> Vec<u8> {
        let mut small = Vec::new();
        while small.len() < SMALL {
            match self.in_time(response.body.chunk()).await {
                Ok(Some(chunk)) => small.extend(chunk.into_iter().take(SMALL - small.len())),
                Ok(None) | Err(_) => break,
            }
        }
        small
    }

    /// A future, or [`FetchError::Timeout`].
    async fn in_time<T>(&self, future: impl Future<Output = Result<T, FetchError>>) -> Result<T, SendFault> {
        let mut future = pin!(future);
        let mut alarm = pin!(self.clock.sleep(self.limits.timeout_ms));
        let result = poll_fn(|context| {
            if let Poll::Ready(result) = future.as_mut().poll(context) {
                return Poll::Ready(Some(result));
            }
            if alarm.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await;
        result.unwrap_or(Err(FetchError::Timeout)).map_err(SendFault::Network)
    }
}

enum SendFault {
    Network(FetchError),
    Staging,
    TooLarge,
}

/// The longest wait that a service may ask for, in milliseconds: an hour. What asks for more, years or nonsense, is asked
/// again after that.
pub const RETRY_AFTER_MAX_MS: u64 = 60 * 60 * 1_000;

/// Reads `Retry-After`: seconds, or a date. In milliseconds from now, [`RETRY_AFTER_MAX_MS`] at most; `None` where it is
/// neither.
fn retry_after(value: &str, now_ms: u64) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than a number holds are a long wait too.
        let seconds = value.parse::<u64>().unwrap_or(u64::MAX);
        return Some(seconds.saturating_mul(1_000).min(RETRY_AFTER_MAX_MS));
    }
    // As in "Sun, 06 Nov 1994 08:49:37 GMT".
    let mut words = value.split_ascii_whitespace().skip(1);
    let within = |text: &str, range: RangeInclusive<i64>| text.parse::<i64>().ok().filter(|n| range.contains(n));
    let day = within(words.next()?, 1..=31)?;
    let name = words.next()?;
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = i64::try_from(month.iter().position(|m| *m == name)?).ok()? + 1;
    let year = within(words.next()?, 1970..=9999)?;
    let mut time = words.next()?.split(':');
    let (hour, minute) = (within(time.next()?, 0..=23)?, within(time.next()?, 0..=59)?);
    let seconds = hour * 3_600 + minute * 60 + within(time.next()?, 0..=60)?;
    let instant = u64::try_from((days(year, month, day) * 86_400 + seconds) * 1_000).ok()?;
    Some(instant.saturating_sub(now_ms).min(RETRY_AFTER_MAX_MS))
}

/// What a service says about an error: its `msg` or `message`, cleared of secrets.
pub(crate) fn message(config: &Config, body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = ["msg", "message"].into_iter().find_map(|name| value.get(name)?.as_str())?;
    Some(config.clear(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("7", 0), Some(7_000));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 20_000), Some(40_000));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 90_000), Some(0));
        assert_eq!(retry_after("soon", 0), None);
    }

    #[test]
    fn no_retry_after_asks_for_more_than_an_hour_and_none_is_misread() {
        for long in [
            "18446744073709551615",
            "99999999999999999999999999",
            "3601",
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Thu, 01 Jan 2071 00:01:00 GMT",
        ] {
            assert_eq!(retry_after(long, 20_000), Some(RETRY_AFTER_MAX_MS), "{long}");
        }
        for nonsense in [
            "-5",
            "+5",
            "1.5",
            "",
            " ",
            "1e9",
            "Thu, 01 Jan 9223372036854775807 00:00:00 GMT",
            "Thu, 9223372036854775807 Jan 2024 00:00:00 GMT",
            "Thu, 01 Jan 2024 9223372036854775807:00:00 GMT",
            "Thu, 01 Jan 2024 00:00:9223372036854775807 GMT",
            "Thu, -1 Jan 2024 00:00:00 GMT",
            "Thu, 01 Jan 0001 00:00:00 GMT",
            "Thursday, 01-Jan-24 00:00:00 GMT",
            "Thu Jan  1 00:00:00 2024",
        ] {
            assert_eq!(retry_after(nonsense, 0), None, "{nonsense}");
        }
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", u64::MAX), Some(0));
    }

    proptest::proptest! {
        #[test]
        fn any_retry_after_is_read_or_passed_by(value: String, now: u64, numbers: [i64; 5]) {
            let [day, year, hour, minute, second] = numbers;
            for value in [value, format!("Thu, {day} Feb {year} {hour}:{minute}:{second} GMT")] {
                proptest::prop_assert!(retry_after(&value, now).is_none_or(|ms| ms <= RETRY_AFTER_MAX_MS));
            }
        }
    }
}
