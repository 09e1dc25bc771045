//! What the tests of publications share: bodies, a publication from its opening to its end, and a day at which rules of plausibility are asked.

use domain::date;
use publication::double::TurnedWorld;
use publication::{Job, Opening, PlausibilityRules, PublicationError, PublicationOptions, Staging, advance, open};
use serde_json::Value;
use store::kv::KeyValueWrite;

/// The body of a part: a line each.
pub fn body(rows: &[Value]) -> Vec<u8> {
    rows.iter().map(|row| row.to_string() + "\n").collect::<String>().into_bytes()
}

/// Calls of so many milliseconds, until the job is over or awaits someone.
pub async fn finish<K: KeyValueWrite>(
    kv: &K,
    world: &TurnedWorld,
    id: &str,
    call_ms: u64,
) -> Result<Job, PublicationError> {
    for _ in 0..10_000 {
        let job = advance(kv, world, id, call_ms, &[]).await?;
        if job.step.is_final() || job.step.awaits_someone() {
            return Ok(job);
        }
    }
    panic!("the job does not end");
}

/// One part, published: what was lost is confirmed.
pub async fn publish<K: KeyValueWrite>(kv: &K, world: &TurnedWorld, id: &str, body: &[u8]) -> Job {
    let now = world.now.get();
    open(kv, id, Opening::default(), now).await.unwrap();
    Staging::new(kv, id, world.batch).stage(0, body, &[]).await.unwrap();
    let options = PublicationOptions { parts: 1, confirm_losses: true, ..PublicationOptions::default() };
    Job::publish(kv, id, options, now).await.unwrap();
    finish(kv, world, id, 20).await.unwrap()
}

/// The beginning of the day, in milliseconds since 1970.
pub fn midnight_ms() -> i64 {
    date::read_iso("2026-11-27").unwrap()
}

/// The rules of that year.
pub fn rules() -> PlausibilityRules {
    PlausibilityRules { year: Some(2026), ..PlausibilityRules::default() }
}

/// A world of that day, so many minutes after midnight.
pub fn minutes_after(minutes: i64) -> TurnedWorld {
    let midnight = TurnedWorld::at(midnight_ms() + minutes * 60_000);
    TurnedWorld { plausibility: Some(rules()), ..midnight }
}
