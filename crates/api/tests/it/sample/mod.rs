//! The sample, and how lines are published into the in-memory store.

use futures_executor::block_on;
use publication::double::TurnedWorld;
use publication::{Job, Opening, PublicationOptions, Staging, advance, open};
use std::path::Path;
use store::MemoryStore;

/// The lines of the sample.
pub fn lines() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ndjson"));
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

/// Bytes of a part, at most.
const PART: usize = 4 << 20;

/// Publishes lines; a number names each job.
pub fn publish(kv: &MemoryStore, id: &str, lines: &str) {
    block_on(async {
        open(kv, id, Opening::default(), 0).await.unwrap();
        let mut parts = 0;
        let mut rest = lines;
        while !rest.is_empty() {
            // A part ends with a line.
            let end = rest.get(..PART).and_then(|part| part.rfind('\n')).map_or(rest.len(), |end| end + 1);
            let (part, after) = rest.split_at(end);
            Staging::new(kv, id, 25).stage(parts, part.as_bytes(), &[]).await.unwrap();
            (parts, rest) = (parts + 1, after);
        }
        let options = PublicationOptions { parts, confirm_losses: true, ..PublicationOptions::default() };
        Job::publish(kv, id, options, 0).await.unwrap();
        while !advance(kv, &TurnedWorld::default(), id, 1_000, &[]).await.unwrap().step.is_final() {}
    });
}
