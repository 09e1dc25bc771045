//! Documents published into a store of memory, for the tests of what reads them. The steps of a publication are generic
//! over the store: here they are compiled once for all of those tests.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests stop where they fail")]

use futures_executor::block_on;
use publication::double::TurnedWorld;
use publication::{Job, JobStep, Opening, PublicationOptions, Staging, advance, open};
use serde_json::Value;
use std::path::Path;
use store::MemoryStore;

/// Bytes of a part, at most.
const PART: usize = 4 << 20;

/// How documents come, and what happens to them.
#[derive(Default)]
pub struct Push {
    /// What the job is opened with.
    pub opening: Opening,
    /// The time, and the rules by which documents are checked.
    pub world: TurnedWorld,
    /// What is asked of the publication; the number of parts is told by the documents.
    pub options: PublicationOptions,
    /// The file that the documents are said to come from.
    pub file: Option<&'static str>,
}

impl Push {
    /// Publishes the documents, a line each, by the job of this name. What it ends as, or where it awaits someone.
    ///
    /// # Panics
    /// Where a line is refused, or a step fails.
    pub fn publish(self, kv: &MemoryStore, id: &str, lines: &str) -> Job {
        let now = self.world.now.get();
        block_on(open(kv, id, self.opening, now)).expect("the job opens");
        let mut parts = 0;
        let mut rest = lines;
        while !rest.is_empty() {
            // A part ends with a line.
            let end = rest.get(..PART).and_then(|part| part.rfind('\n')).map_or(rest.len(), |end| end + 1);
            let (part, after) = rest.split_at(end);
            let mut staging = Staging::new(kv, id, self.world.batch);
            if let Some(rules) = &self.world.plausibility {
                staging = staging.with_rules(rules.clone());
            }
            if let Some(file) = self.file {
                staging = staging.from_file(file, 1);
            }
            let told = block_on(staging.stage(parts, part.as_bytes(), &[])).expect("the part is taken");
            assert_eq!(told.refused, 0, "{:?}", told.refusals);
            (parts, rest) = (parts + 1, after);
        }
        let options = PublicationOptions { parts, ..self.options };
        block_on(Job::publish(kv, id, options, now)).expect("the job is ordered");
        finish(kv, &self.world, id)
    }
}

/// Goes on with a job until it is over or awaits someone.
///
/// # Panics
/// Where a step fails.
pub fn finish(kv: &MemoryStore, world: &TurnedWorld, id: &str) -> Job {
    loop {
        let job = block_on(advance(kv, world, id, 1_000, &[])).expect("a step is taken");
        if job.step.is_final() || job.step.awaits_someone() {
            return job;
        }
    }
}

/// Publishes the documents, a line each, whatever is lost by it.
///
/// # Panics
/// Where a line is refused, or the job ends otherwise.
pub fn publish(kv: &MemoryStore, id: &str, lines: &str) -> Job {
    let options = PublicationOptions { confirm_losses: true, ..PublicationOptions::default() };
    let job = Push { options, ..Push::default() }.publish(kv, id, lines);
    assert_eq!(job.step, JobStep::Published, "{:?}", job.summary);
    job
}

/// Documents, a line each.
#[must_use]
pub fn lines(documents: &[Value]) -> String {
    documents.iter().map(|document| format!("{document}\n")).collect()
}

/// The lines of the sample.
///
/// # Panics
/// Where it cannot be read.
#[must_use]
pub fn sample() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data");
    let entries = std::fs::read_dir(folder).expect("the sample");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ndjson"));
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("a file of the sample")).collect()
}
