//! Two schedulers on one Redis: who publishes, in every order of their commands, with connections that break and callers
//! that die. What the store's double does is what Spin's provider does there; why it holds: `store::trail`.

use publication::double::TurnedWorld;
use publication::*;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use store::interleaving::{Believes, Caller, Choices, RedisDouble, every, some, step};
use store::{Pointer, keys};

const FREE: &[u8] = br#"{"numero":7,"job":"","jusque_ms":0}"#;
const NOW: i64 = 1_000_000;
/// Longer than a lease holds.
const LATER: i64 = NOW + 61_000;

/// Two jobs ask for the lease; who has it stays in for a while. The numbers that were given.
fn ask(choices: &Rc<Choices>, (breaks, deaths): (u32, usize), absent: bool, giving_back: bool) -> Vec<u64> {
    let store = RedisDouble::new(choices, Believes::Trail, breaks);
    if !absent {
        store.put(keys::LEASE, FREE.to_vec());
    }
    let inside = Cell::new(0);
    let caller = |job: &'static str| -> Caller<'_, Option<u64>> {
        let (store, inside) = (&store, &inside);
        Box::pin(async move {
            let lease = Lease::take(store, job, NOW).await.ok()?;
            let number = lease.number;
            assert_eq!(inside.replace(1), 0, "two hold the lease at once");
            step().await;
            if giving_back {
                inside.set(0);
                // One that does not get it back to the store leaves it to its time.
                let _ = lease.give_back(store).await;
            }
            Some(number)
        })
    };
    let ended = store.play(vec![caller("a"), caller("b")], deaths);
    let given: Vec<u64> = ended.into_iter().flatten().flatten().collect();
    assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), given.len(), "a number given twice");
    // Whatever happened, its time ends it.
    store.calm();
    let after: Caller<'_, _> = Box::pin(Lease::take(&store, "c", LATER));
    let after = store.play(vec![after], 0).remove(0).unwrap().unwrap();
    assert!(given.iter().all(|number| *number < after.number), "{given:?}, then {}", after.number);
    given
}

#[test]
fn the_lease_has_one_holder_in_every_order() {
    let mut given = BTreeSet::new();
    let plays = every(|choices| {
        given.insert(ask(choices, (0, 0), false, false).len());
    });
    assert!(plays > 500, "{plays}");
    assert_eq!(given, BTreeSet::from([1]), "one of the two gets it");
    every(|choices| assert!(ask(choices, (1, 0), false, false).len() <= 1));
    every(|choices| assert!(ask(choices, (0, 1), false, false).len() <= 1));
    some(50_000, |choices| {
        ask(choices, (1, 0), true, true);
    });
}

fn rows() -> Vec<u8> {
    let row = |n: usize| -> Value {
        json!({"kind": "certification", "doc": {"code_certification": format!("{n:011}"), "millesime": "2020",
            "filiere": "pro", "code_formation_diplome": "40025214", "libelle": "CUISINE", "nb_annee_term": 20 + n, "nb_sortant": 30}})
    };
    (0..40).map(|n| row(n).to_string() + "\n").collect::<String>().into_bytes()
}

/// A whole publication by two schedulers that call at once, again and again, until it has ended.
fn publish(choices: &Rc<Choices>, breaks: u32, mut deaths: usize) -> (Job, Pointer) {
    let (store, world) = (RedisDouble::new(choices, Believes::Trail, breaks), TurnedWorld::striding(1));
    world.now.set(NOW);
    let alone = |future: Caller<'_, Job>| store.play(vec![future], 0).remove(0).unwrap();
    alone(Box::pin(async {
        // A call that cannot know what became of it is made again.
        while open(&store, "a", Opening::default(), NOW).await.is_err() {}
        Staging::new(&store, "a", 25).stage(0, &rows(), &[]).await.unwrap();
        loop {
            let options = PublicationOptions { parts: 1, ..PublicationOptions::default() };
            let _ = Job::publish(&store, "a", options, NOW).await;
            if let Ok(job) = Job::status(&store, "a").await
                && job.step != JobStep::Staging
            {
                return job;
            }
        }
    }));
    for _ in 0..300 {
        let call = |_| -> Caller<'_, _> { Box::pin(advance(&store, &world, "a", 6, &[])) };
        let ended = store.play((0..2).map(call).collect(), deaths.min(1));
        deaths = deaths.saturating_sub(ended.iter().filter(|end| end.is_none()).count());
        let job = alone(Box::pin(async { Job::status(&store, "a").await.unwrap() }));
        if job.step.is_final() {
            let pointer = store.content(keys::POINTER).unwrap_or_else(|| panic!("no pointer: {:?}", job.summary));
            return (job, Pointer::read(&pointer).unwrap());
        }
        world.now.set(world.now.get() + 1_000);
    }
    panic!("the job does not end");
}

#[test]
fn two_schedulers_publish_what_one_publishes() {
    let mut digests = BTreeSet::new();
    some(60, |choices| {
        for (breaks, deaths) in [(0, 0), (2, 0), (0, 3), (3, 3)] {
            let (job, pointer) = publish(choices, breaks, deaths);
            assert_eq!(job.step, JobStep::Published, "{:?}", job.summary.failure);
            assert_eq!(job.generation.as_deref(), Some(pointer.generation.as_str()), "the pointer is the job's");
            assert_eq!(pointer.previous, None, "it moved once");
            digests.insert(job.summary.digest);
        }
    });
    assert_eq!(digests.len(), 1, "{digests:?}");
}
