//! How many logins an instance takes at once, and how soon a name may be tried again.
//!
//! A login costs 7 MiB and some tens of milliseconds of one core, which readers wait for. So an instance has
//! [`AT_ONCE`] under way at most, and after [`FREE_FAILURES`] wrong passwords for a name each further one makes it wait
//! longer, up to a minute. That is approximate: instances do not know each other's counts, and forget theirs when they
//! end. It makes guessing slow; it is no quota. A name is counted whether or not it has an account, else the answer would
//! tell.

use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Poll;

/// Logins under way in an instance.
const AT_ONCE: usize = 2;
/// How often a login steps back before its check, which nothing interrupts: what has come to the instance meanwhile is
/// looked at first. Without that no login ever meets another, and the gate is never full.
const STEPS_BACK: u32 = 8;
/// What they are told to wait who find it full, in seconds.
pub(crate) const FULL_S: u64 = 1;
/// Wrong passwords for a name before it has to wait.
const FREE_FAILURES: u32 = 10;
/// The longest wait after a wrong password, in milliseconds.
const WAIT_MAX_MS: u64 = 60_000;
/// A name without a wrong password for so long, in milliseconds, is forgotten.
const FORGOTTEN_MS: u64 = 15 * 60_000;
/// Names that are counted at once. Beyond, the one tried longest ago is forgotten.
const NAMES_MAX: usize = 1_000;

thread_local! {
    static GATE: Rc<Gate> = Rc::default();
}

/// The gate of an instance.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    under_way: Cell<usize>,
    names: RefCell<Vec<Name>>,
}

#[derive(Debug)]
struct Name {
    digest: [u8; 16],
    failures: u32,
    last_ms: u64,
}

/// A login under way; its place is free again once it is dropped.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    gate: &'a Gate,
    digest: [u8; 16],
}

/// How long a name waits after so many wrong passwords.
fn wait_ms(failures: u32) -> u64 {
    match failures.checked_sub(FREE_FAILURES) {
        None => 0,
        Some(beyond) => (1_000 << beyond.min(10)).min(WAIT_MAX_MS),
    }
}

impl Gate {
    pub(crate) fn of_this_instance() -> Rc<Self> {
        GATE.with(Rc::clone)
    }

    /// Lets a login in, or says how many seconds it should wait.
    pub(crate) fn enter(&self, user: &str, now_ms: u64) -> Result<Attempt<'_>, u64> {
        let mut digest = [0; 16];
        digest.iter_mut().zip(Sha256::digest(user.as_bytes())).for_each(|(byte, of)| *byte = of);
        let names = self.names.borrow();
        if let Some(name) = names.iter().find(|name| name.digest == digest) {
            let left = name.last_ms.saturating_add(wait_ms(name.failures)).saturating_sub(now_ms);
            if left > 0 {
                return Err(left.div_ceil(1_000));
            }
        }
        if self.under_way.get() >= AT_ONCE {
            return Err(FULL_S);
        }
        self.under_way.set(self.under_way.get() + 1);
        Ok(Attempt { gate: self, digest })
    }
}

impl Attempt<'_> {
    /// Lets every other request of the instance come as far as it can before this one is checked.
    pub(crate) async fn wait_for_others(&self) {
        let mut left = STEPS_BACK;
        std::future::poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// The password was wrong.
    pub(crate) fn failed(&self, now_ms: u64) {
        let mut names = self.gate.names.borrow_mut();
        names.retain(|name| now_ms.saturating_sub(name.last_ms) < FORGOTTEN_MS);
        // The latest lies last.
        let known = names.iter().position(|name| name.digest == self.digest).map(|rank| names.remove(rank));
        if names.len() >= NAMES_MAX {
            names.remove(0);
        }
        let failures = known.map_or(1, |name| name.failures.saturating_add(1));
        names.push(Name { digest: self.digest, failures, last_ms: now_ms });
    }

    /// The password was right: the count starts anew.
    pub(crate) fn succeeded(&self) {
        self.gate.names.borrow_mut().retain(|name| name.digest != self.digest);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.gate.under_way.set(self.gate.under_way.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Waker};

    #[test]
    fn a_few_logins_at_once_and_no_more() {
        let gate = Gate::default();
        let inside: Vec<_> = (0..AT_ONCE).map(|n| gate.enter(&format!("u{n}"), 0).unwrap()).collect();
        assert_eq!(gate.enter("autre", 0).err(), Some(FULL_S));
        drop(inside);
        assert!(gate.enter("autre", 0).is_ok());
    }

    /// The check itself is one piece of work: whoever comes meanwhile must have been looked at before it.
    #[test]
    fn those_that_come_together_meet_before_the_first_is_checked() {
        let gate = Gate::default();
        let login = async |n: usize| match gate.enter(&format!("u{n}"), 0) {
            Ok(attempt) => {
                attempt.wait_for_others().await;
                true
            }
            Err(_) => false,
        };
        let mut all: Vec<_> = (0..16).map(|n| Box::pin(login(n))).collect();
        let mut checked = 0;
        while !all.is_empty() {
            // As an instance does: each as far as it comes, one after the other.
            all.retain_mut(|one| match one.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => true,
                Poll::Ready(through) => {
                    checked += usize::from(through);
                    false
                }
            });
        }
        assert_eq!(checked, AT_ONCE);
    }

    #[test]
    fn each_wrong_password_makes_the_next_wait_longer_and_a_right_one_ends_that() {
        let gate = Gate::default();
        for _ in 0..FREE_FAILURES {
            gate.enter("u", 0).unwrap().failed(0);
        }
        assert_eq!(gate.enter("u", 0).err(), Some(1));
        assert!(gate.enter("autre", 0).is_ok(), "a name of its own");
        let mut now = 1_000;
        let mut waits = Vec::new();
        for _ in 0..8 {
            gate.enter("u", now).unwrap().failed(now);
            let wait = gate.enter("u", now).err().unwrap();
            waits.push(wait);
            now += wait * 1_000;
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60]);
        gate.enter("u", now).unwrap().succeeded();
        gate.enter("u", now).unwrap().failed(now);
        assert!(gate.enter("u", now).is_ok());
    }

    #[test]
    fn names_are_counted_in_bounded_room_and_forgotten_in_time() {
        let gate = Gate::default();
        for n in 0..NAMES_MAX * 2 {
            gate.enter(&n.to_string(), 0).unwrap().failed(0);
        }
        assert_eq!(gate.names.borrow().len(), NAMES_MAX);
        gate.enter("u", FORGOTTEN_MS).unwrap().failed(FORGOTTEN_MS);
        assert_eq!(gate.names.borrow().len(), 1);
    }
}
