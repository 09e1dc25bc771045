//! The version before and this one on one store: its registry is plain, ours is framed; its job under way ends with a reason;
//! where its generation is served again, its registry is too (invariant 10).

use crate::common;
use futures_executor::block_on;
use publication::double::TurnedWorld;
use publication::*;
use serde_json::{Value, json};
use store::kv::{KeyValue, StoreError};
use store::{MemoryStore, frame};

const REGISTRY: &str = "work:generations";

fn body(n: usize) -> Vec<u8> {
    let row = |i: usize| {
        json!({"kind": "certification", "doc": {"code_certification": format!("{i:08}"), "millesime": "2020", "filiere": "pro",
            "code_formation_diplome": format!("{i:08}"), "nb_annee_term": 40}})
        .to_string()
    };
    (0..n).map(row).collect::<Vec<_>>().join("\n").into_bytes()
}

async fn publish(kv: &MemoryStore, world: &TurnedWorld, id: &str, n: usize) -> Job {
    common::publish(kv, world, id, &body(n)).await
}

fn stored(kv: &MemoryStore, key: &str) -> Option<Vec<u8>> {
    block_on(kv.get(key)).unwrap()
}

/// A value as the version before wrote it: JSON, without a frame.
fn unframe(kv: &MemoryStore, key: &str) {
    let value = stored(kv, key).unwrap();
    kv.corrupt(key, Some(frame::open(key, &value).unwrap().to_vec()));
}

fn is_plain(kv: &MemoryStore) -> bool {
    stored(kv, REGISTRY).unwrap().starts_with(b"{")
}

fn clean(kv: &MemoryStore, world: &TurnedWorld) {
    world.now.set(world.now.get() + 3_600_000);
    while block_on(clean_up(kv, world)).unwrap() {}
}

/// Whatever step the job of the version before stands at when the application is updated, it ends with that reason; what it
/// left goes, and the next job is published.
#[test]
fn invariant_10_a_job_of_the_version_before_ends_with_the_reason() {
    for advanced in 0..12 {
        let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
        block_on(async {
            publish(&kv, &world, "servi", 30).await;
        });
        clean(&kv, &world);
        let served = stored(&kv, "current").unwrap();
        block_on(async {
            open(&kv, "vieux", Opening::default(), world.now.get()).await.unwrap();
            Staging::new(&kv, "vieux", 25).stage(0, &body(40), &[]).await.unwrap();
            if advanced > 0 {
                let options = PublicationOptions { parts: 1, ..PublicationOptions::default() };
                Job::publish(&kv, "vieux", options, world.now.get()).await.unwrap();
            }
            for _ in 1..advanced {
                advance(&kv, &world, "vieux", 0, &[]).await.unwrap();
            }
        });
        if is_over(&kv, "vieux") {
            assert!(advanced > 5, "{advanced}");
            continue;
        }
        for key in [REGISTRY, "work:job:vieux", "work:part:vieux:info:0"] {
            if stored(&kv, key).is_some() {
                unframe(&kv, key);
            }
        }
        // The housekeeping and the next job come upon it, and whoever calls it is told.
        block_on(async {
            let told = Job::status(&kv, "vieux").await.unwrap();
            assert_eq!(told.step, JobStep::Failed);
            assert!(told.summary.failure.unwrap().contains("une autre version"), "{advanced}");
        });
        assert!(is_plain(&kv), "nothing of this version has begun yet");
        if advanced % 2 == 0 {
            block_on(advance(&kv, &world, "vieux", 1_000, &[])).unwrap();
        }
        assert_eq!(stored(&kv, "current").unwrap(), served);
        assert_eq!(block_on(publish(&kv, &world, "neuf", 50)).step, JobStep::Published);
        assert!(!is_plain(&kv), "the version before stops at it from now on");
        // Once to end it, once more when the ten minutes of what it wrote are over.
        clean(&kv, &world);
        clean(&kv, &world);
        let registry = block_on(Registry::read(&kv)).unwrap();
        assert!(registry.jobs.is_empty() && registry.to_delete.is_empty(), "{registry:?}");
        assert_eq!(registry.generations.len(), 2, "{registry:?}");
        let left: Vec<String> = kv.keys().into_iter().filter(|key| key.contains("vieux")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn is_over(kv: &MemoryStore, id: &str) -> bool {
    block_on(Job::status(kv, id)).is_ok_and(|job| job.step.is_final())
}

/// The registry of the version before is read; reading it, or housekeeping that finds nothing, does not take it over.
#[test]
fn invariant_10_a_plain_registry_stays_plain_until_a_job_opens() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    block_on(async { publish(&kv, &world, "a", 30).await });
    clean(&kv, &world);
    let framed = block_on(Registry::read(&kv)).unwrap();
    unframe(&kv, REGISTRY);
    let plain = block_on(Registry::read(&kv)).unwrap();
    assert_eq!((&plain.generations, plain.last), (&framed.generations, framed.last));
    clean(&kv, &world);
    assert!(is_plain(&kv));
    assert!(block_on(Registry::lost(&kv)).unwrap().is_none());
    block_on(open(&kv, "b", Opening::default(), 0)).unwrap();
    assert!(!is_plain(&kv));
}

/// What this version cannot know is another version's and is left alone; what is damage is made anew.
#[test]
fn invariant_10_the_registry_of_a_later_version_is_no_damage() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    block_on(async { publish(&kv, &world, "a", 30).await });
    let whole = stored(&kv, REGISTRY).unwrap();
    let lost = |value: Vec<u8>| {
        kv.corrupt(REGISTRY, Some(value));
        block_on(Registry::lost(&kv)).map(|lost| lost.is_some())
    };
    assert_eq!(lost(whole.clone()), Ok(false));
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            assert_eq!(lost(flipped), Ok(true), "bit {bit} of byte {at}");
        }
    }
    for value in [Vec::new(), b"{".to_vec(), b"{}".to_vec(), whole[..20].to_vec(), frame::seal("autre", b"{}".to_vec())]
    {
        assert_eq!(lost(value), Ok(true));
    }
    let mut later = frame::seal("un autre sceau", b"{}".to_vec());
    later[0] = 5;
    assert!(matches!(lost(later), Err(StoreError::OtherLayout { layout: 5, .. })));
    kv.corrupt(REGISTRY, None);
    assert!(block_on(Registry::lost(&kv)).unwrap().is_some(), "something is served");
    kv.corrupt("current", None);
    assert!(block_on(Registry::lost(&kv)).unwrap().is_none(), "an empty store");
}

/// Made anew from whatever is left, a registry lets nothing go that is served, and gives no number twice.
#[test]
fn invariant_11_what_is_served_survives_the_loss_of_the_registry() {
    for (with_copy, with_pointer) in [(true, true), (false, true), (true, false), (false, false)] {
        let (kv, world) = (MemoryStore::default(), TurnedWorld::at(1_700_000_000_000));
        block_on(async {
            publish(&kv, &world, "a", 30).await;
            publish(&kv, &world, "b", 31).await;
            kv.corrupt(REGISTRY, Some(b"abime".to_vec()));
            if !with_copy {
                kv.corrupt("work:generations:copie", None);
            }
            if !with_pointer {
                kv.corrupt("current", Some(b"abime".to_vec()));
            }
            let lost = Registry::lost(&kv).await.unwrap().unwrap();
            Registry::rebuild(&kv, lost, Vec::new(), Vec::new(), world.now.get()).await.unwrap();
        });
        assert!(block_on(Registry::lost(&kv)).unwrap().is_none());
        clean(&kv, &world);
        clean(&kv, &world);
        if !with_pointer {
            // What was served last is found by the copy of the pointer that lies in it.
            let pointer = block_on(roll_back(&kv, &world)).unwrap();
            assert_eq!(pointer.generation, "g2", "{with_copy}");
            clean(&kv, &world);
        }
        let served = |kv: &MemoryStore| {
            let mut count = 0;
            block_on(walk_served(kv, &[domain::Kind::Certification], |_, _| count += 1)).unwrap();
            count
        };
        assert_eq!(served(&kv), 31);
        let pointer = block_on(roll_back(&kv, &world)).unwrap();
        assert_eq!((pointer.generation.as_str(), served(&kv)), ("g1", 30));
        block_on(async {
            assert_eq!(publish(&kv, &world, "c", 32).await.step, JobStep::Published);
        });
        let registry = block_on(Registry::read(&kv)).unwrap();
        let new: Vec<&str> = registry.generations.iter().filter(|g| g.job == "c").map(|g| g.id.as_str()).collect();
        assert!(new.iter().all(|id| id.len() > 12), "{new:?}");
        assert!(stored(&kv, "current").unwrap().len() <= store::pointer::POINTER_MAX);
        clean(&kv, &world);
        clean(&kv, &world);
        let registry = block_on(Registry::read(&kv)).unwrap();
        assert_eq!(registry.generations.len(), 2, "{registry:?}");
        let known = |key: &String| registry.generations.iter().any(|g| key.starts_with(&format!("{}:", g.id)));
        let left: Vec<String> = kv.keys().into_iter().filter(|key| key.starts_with('g') && !known(key)).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// A rollback that cannot be done leaves no lease behind: the next caller need not wait.
#[test]
fn a_rollback_that_fails_gives_its_lease_back() {
    let (kv, world) = (MemoryStore::default(), TurnedWorld::default());
    block_on(async {
        assert!(roll_back(&kv, &world).await.is_err(), "nothing is published");
        publish(&kv, &world, "a", 30).await;
        assert!(matches!(roll_back(&kv, &world).await, Err(PublicationError::Refused(_))), "nothing is kept");
        let lease: Value = serde_json::from_slice(&kv.get("work:lease").await.unwrap().unwrap()).unwrap();
        assert_eq!(lease["job"], "", "{lease}");
        assert!(Lease::take(&kv, "suivant", 0).await.is_ok());
    });
}
