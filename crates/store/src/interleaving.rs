//! A double of Redis under Spin's provider, and every order in which callers of it may take their turns: for the tests of
//! every crate that keeps callers apart.
//!
//! Each command is a step. Between two steps anybody else may go on, and where a test allows it a caller dies, its
//! connection breaks, or its last command arrives after it has gone. [`every`] plays all orders, [`some`] seeded ones.

use crate::faulty::Chance;
use crate::kv::{KeyValue, KeyValueWrite, StoreError};
use crate::trail::{self, BlindSwap};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The decisions of one play.
#[derive(Debug)]
pub struct Choices {
    /// What was chosen, of how many.
    path: RefCell<Vec<(usize, usize)>>,
    at: Cell<usize>,
    chance: Option<Chance>,
}

impl Choices {
    fn choose(&self, of: usize) -> usize {
        if let Some(chance) = &self.chance {
            return usize::try_from(chance.below(of as u64)).unwrap_or(0);
        }
        let at = self.at.replace(self.at.get() + 1);
        let mut path = self.path.borrow_mut();
        if at == path.len() {
            path.push((0, of));
        }
        path.get(at).map_or(0, |(chosen, _)| *chosen)
    }

    /// Goes on to the next play; `false` after the last.
    fn advance(&self) -> bool {
        self.at.set(0);
        let mut path = self.path.borrow_mut();
        while let Some((chosen, of)) = path.pop() {
            if chosen + 1 < of {
                path.push((chosen + 1, of));
                return true;
            }
        }
        false
    }
}

/// Plays every sequence of decisions; how many there were.
pub fn every(mut play: impl FnMut(&Rc<Choices>)) -> u64 {
    let choices = Rc::new(Choices { path: RefCell::default(), at: Cell::new(0), chance: None });
    let mut plays = 0;
    loop {
        play(&choices);
        plays += 1;
        if !choices.advance() {
            return plays;
        }
    }
}

/// Plays so many sequences of decisions, drawn from seeds.
pub fn some(plays: u64, mut play: impl FnMut(&Rc<Choices>)) {
    for seed in 0..plays {
        play(&Rc::new(Choices { path: RefCell::default(), at: Cell::new(0), chance: Some(Chance::new(seed)) }));
    }
}

/// What a swap goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Believes {
    /// The trail that is read back.
    Trail,
    /// The answer of Spin 4.1: lost, always.
    Lost,
    /// The answer of a provider that takes a refused transaction for a won one.
    Won,
}

/// A caller that plays its part to the end unless it dies.
pub type Caller<'c, T> = Pin<Box<dyn Future<Output = T> + 'c>>;

/// A command that arrives after its client has gone: key, value, the version that the key must still have.
type Late = (String, Vec<u8>, u64);

/// The store.
#[derive(Debug)]
pub struct RedisDouble {
    values: RefCell<BTreeMap<String, Vec<u8>>>,
    /// How often each key was written, which is what a watch sees.
    versions: RefCell<BTreeMap<String, u64>>,
    late: RefCell<Vec<Late>>,
    choices: Rc<Choices>,
    believes: Believes,
    /// Connections that may still break.
    breaks: Cell<u32>,
    ids: Cell<u64>,
}

impl RedisDouble {
    /// An empty store of which so many connections break while they write.
    #[must_use]
    pub fn new(choices: &Rc<Choices>, believes: Believes, breaks: u32) -> Self {
        Self {
            values: RefCell::default(),
            versions: RefCell::default(),
            late: RefCell::default(),
            choices: Rc::clone(choices),
            believes,
            breaks: Cell::new(breaks),
            ids: Cell::new(1),
        }
    }

    /// The content of a key, past all steps.
    #[must_use]
    pub fn content(&self, key: &str) -> Option<Vec<u8>> {
        self.values.borrow().get(key).cloned().map(trail::strip)
    }

    /// Sets a key, past all steps.
    pub fn put(&self, key: &str, value: Vec<u8>) {
        self.values.borrow_mut().insert(key.to_owned(), value);
        *self.versions.borrow_mut().entry(key.to_owned()).or_default() += 1;
    }

    /// No connection breaks from now on.
    pub fn calm(&self) {
        self.breaks.set(0);
    }

    fn version(&self, key: &str) -> u64 {
        self.versions.borrow().get(key).copied().unwrap_or(0)
    }

    /// The server's end of a transaction.
    fn execute(&self, (key, value, version): Late) -> bool {
        let accepted = self.version(&key) == version;
        if accepted {
            self.put(&key, value);
        }
        accepted
    }

    /// Lets callers take their turns until all have ended. `None` for those that died, `deaths` of them at most.
    pub fn play<T>(&self, callers: Vec<Caller<'_, T>>, mut deaths: usize) -> Vec<Option<T>> {
        let mut ended: Vec<Option<T>> = callers.iter().map(|_| None).collect();
        let mut alive: Vec<(usize, Caller<'_, T>)> = callers.into_iter().enumerate().collect();
        loop {
            let late = self.late.borrow().len();
            if alive.is_empty() && late == 0 {
                return ended;
            }
            let dying = if deaths > 0 { alive.len() } else { 0 };
            let chosen = self.choices.choose(alive.len() + dying + late);
            if let Some((rank, caller)) = alive.get_mut(chosen) {
                if let Poll::Ready(output) = caller.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    if let Some(place) = ended.get_mut(*rank) {
                        *place = Some(output);
                    }
                    drop(alive.remove(chosen));
                }
            } else if chosen < alive.len() + dying {
                drop(alive.remove(chosen - alive.len()));
                deaths -= 1;
            } else {
                let command = self.late.borrow_mut().remove(chosen - alive.len() - dying);
                self.execute(command);
            }
        }
    }
}

/// Everybody else may go on here.
pub async fn step() {
    let mut waited = false;
    poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

impl KeyValue for RedisDouble {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.get_as_stored(key).await?.map(trail::strip))
    }
}

impl RedisDouble {
    /// What Spin's provider would say: whether the swap was made, as far as one may believe it.
    async fn attempt_and_tell(&self, key: &str, change: impl FnOnce(Option<&[u8]>) -> Option<Vec<u8>>) -> Option<bool> {
        step().await;
        let version = self.version(key);
        step().await;
        let seen = self.values.borrow().get(key).cloned();
        let command = (key.to_owned(), change(seen.as_deref())?, version);
        step().await;
        let fate = if self.breaks.get() > 0 { self.choices.choose(4) } else { 0 };
        self.breaks.set(self.breaks.get() - u32::from(fate > 0));
        match fate {
            0 => Some(self.execute(command)),
            // Done, and its answer lost.
            1 => {
                self.execute(command);
                Some(false)
            }
            // Never arrives.
            2 => Some(false),
            // Arrives some time.
            _ => {
                self.late.borrow_mut().push(command);
                Some(false)
            }
        }
    }
}

impl BlindSwap for RedisDouble {
    async fn attempt(
        &self,
        key: &str,
        change: impl FnOnce(Option<&[u8]>) -> Option<Vec<u8>>,
    ) -> Result<bool, StoreError> {
        Ok(self.attempt_and_tell(key, change).await.is_some())
    }

    async fn get_as_stored(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        step().await;
        Ok(self.values.borrow().get(key).cloned())
    }
}

impl RedisDouble {
    async fn exchange(&self, key: &str, old: Option<&[u8]>, new: Vec<u8>) -> Result<bool, StoreError> {
        if self.believes == Believes::Trail {
            let id = self.ids.replace(self.ids.get() + 1);
            return trail::swap(self, key, old, &new, id).await;
        }
        let sent = self.attempt_and_tell(key, |seen| (seen == old).then_some(new)).await;
        Ok(sent.is_some() && self.believes == Believes::Won)
    }
}

impl KeyValueWrite for RedisDouble {
    async fn set_many_raw(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        step().await;
        pairs.into_iter().for_each(|(key, value)| self.put(&key, value));
        Ok(())
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        step().await;
        for key in keys {
            if self.values.borrow_mut().remove(&key).is_some() {
                *self.versions.borrow_mut().entry(key).or_default() += 1;
            }
        }
        Ok(())
    }

    async fn swap_raw(&self, key: &str, old: &[u8], new: Vec<u8>) -> Result<bool, StoreError> {
        self.exchange(key, Some(old), new).await
    }

    async fn create_raw(&self, key: &str, value: Vec<u8>) -> Result<bool, StoreError> {
        self.exchange(key, None, value).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange;

    /// Swaps by several callers who all saw the same: how many were told that theirs was made, and what lies there.
    fn swaps(choices: &Rc<Choices>, believes: Believes, callers: u8, absent: bool) -> (usize, Vec<u8>) {
        let store = RedisDouble::new(choices, believes, 0);
        if !absent {
            store.put("k", b"0".to_vec());
        }
        let swap = |n: u8| -> Caller<'_, (u8, Result<bool, StoreError>)> {
            let store = &store;
            Box::pin(async move {
                let new = vec![b'0' + n];
                (n, if absent { store.create("k", new).await } else { store.swap("k", b"0", new).await })
            })
        };
        let ended = store.play((1..=callers).map(swap).collect(), 0);
        let told: Vec<_> = ended.into_iter().flatten().filter(|(_, won)| *won == Ok(true)).collect();
        let lies = store.content("k").unwrap();
        if let [(n, _)] = told[..] {
            assert_eq!(lies, [b'0' + n], "who is told so wrote it");
        }
        (told.len(), lies)
    }

    #[test]
    fn of_callers_who_saw_the_same_one_wins_in_every_order() {
        for absent in [false, true] {
            let plays = every(|choices| assert_eq!(swaps(choices, Believes::Trail, 2, absent).0, 1));
            assert!(plays > 50, "{plays}");
            some(20_000, |choices| assert_eq!(swaps(choices, Believes::Trail, 3, absent).0, 1));
        }
    }

    /// What this replaces does fail here: the double is no kinder than the real thing.
    #[test]
    fn the_answer_of_the_provider_means_nothing() {
        let mut most = 0;
        every(|choices| most = most.max(swaps(choices, Believes::Won, 2, false).0));
        assert_eq!(most, 2, "a refused transaction that reads as won");
        every(|choices| {
            let (won, lies) = swaps(choices, Believes::Lost, 2, false);
            assert!(won == 0 && lies != b"0", "written, and told as lost");
        });
    }

    /// Callers that count up by exchange: what is counted lies between those who know that they did and those who may have.
    fn counted(choices: &Rc<Choices>, callers: usize, (breaks, deaths): (u32, usize), absent: bool) {
        let store = RedisDouble::new(choices, Believes::Trail, breaks);
        if !absent {
            store.put("k", b"0".to_vec());
        }
        let count = |_| -> Caller<'_, Result<u64, StoreError>> {
            Box::pin(exchange::update(&store, "k", |n: &mut u64| {
                *n += 1;
                *n
            }))
        };
        let ended = store.play((0..callers).map(count).collect(), deaths);
        let mut sure: Vec<u64> = ended.iter().flatten().flatten().copied().collect();
        let counted: u64 = store.content("k").map_or(0, |bytes| serde_json::from_slice(&bytes).unwrap());
        let (least, most) = (sure.len() as u64, callers as u64);
        assert!((least..=most).contains(&counted), "{counted} of {ended:?}");
        sure.sort_unstable();
        sure.dedup();
        assert_eq!(sure.len() as u64, least, "no number is given twice: {ended:?}");
        if breaks == 0 && deaths == 0 {
            assert_eq!(counted, most, "{ended:?}");
        }
    }

    #[test]
    fn nothing_counts_twice_or_gets_lost_in_every_order() {
        let plays = every(|choices| counted(choices, 2, (0, 0), false));
        assert!(plays > 200, "{plays}");
        some(20_000, |choices| counted(choices, 3, (0, 0), true));
    }

    #[test]
    fn connections_break_and_callers_die_in_every_order() {
        every(|choices| counted(choices, 2, (1, 0), false));
        every(|choices| counted(choices, 2, (0, 1), false));
        some(50_000, |choices| counted(choices, 4, (2, 1), true));
    }

    /// More changes than a trail holds between a swap and its reading back: an error, never a wrong answer.
    #[test]
    fn a_reader_that_comes_too_late_is_told_that_nothing_is_known() {
        some(1, |choices| {
            let store = RedisDouble::new(choices, Believes::Trail, 0);
            store.put("k", b"0".to_vec());
            let mut slow: Caller<'_, _> = Box::pin(store.swap("k", b"0", b"slow".to_vec()));
            for _ in 0..4 {
                assert!(slow.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
            assert_eq!(store.content("k").unwrap(), b"slow", "written, not read back yet");
            let mut last = b"slow".to_vec();
            for n in 0..trail::LENGTH {
                let new = format!("{n}").into_bytes();
                let one: Caller<'_, _> = Box::pin(store.swap("k", &last, new.clone()));
                assert_eq!(store.play(vec![one], 0), [Some(Ok(true))]);
                last = new;
            }
            let told = store.play(vec![slow], 0);
            assert!(matches!(told[..], [Some(Err(StoreError::Unavailable(_)))]), "{told:?}");
        });
    }
}
