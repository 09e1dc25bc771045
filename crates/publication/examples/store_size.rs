//! Bytes that a publication leaves in the store by family, and the most that lay there on the way.
//!
//! ```sh
//! cargo run --release -p dataset -- production --data ../shared/data --factor 0.1 --out /tmp/production
//! cargo run --release -p publication --example store_size -- /tmp/production
//! ```
//!
//! The folder is published into an empty store, then once more, changed in one document, over the first generation.
#![allow(clippy::unwrap_used, missing_docs, reason = "a measurement stops where it fails")]

use domain::Document;
use futures_executor::block_on;
use publication::{Environment, Job, JobStep, Opening, PublicationOptions, Staging, advance, clean_up, open};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::time::Instant;
use store::kv::{KeyValue, KeyValueWrite, StoreError};

#[derive(Default)]
struct Meter {
    values: RefCell<BTreeMap<String, Vec<u8>>>,
    bytes: Cell<usize>,
    peak: Cell<usize>,
    written: Cell<usize>,
    /// Values written by family, those that are gone included.
    writes: RefCell<BTreeMap<String, usize>>,
}

/// The family of a key without the numbers of attempts and orders.
fn family(key: &str) -> String {
    let family = key.split(':').nth(1).unwrap_or_default();
    let mut names: Vec<&str> = family.split('.').filter(|name| name.parse::<u64>().is_err()).collect();
    names.truncate(3);
    if names.is_empty() { key.split(':').take(2).collect::<Vec<_>>().join(":") } else { names.join(".") }
}

impl Meter {
    fn add(&self, more: usize, less: usize) {
        self.bytes.set(self.bytes.get() + more - less);
        self.peak.set(self.peak.get().max(self.bytes.get()));
    }
}

impl KeyValue for Meter {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.values.borrow().get(key).cloned())
    }
}

impl KeyValueWrite for Meter {
    async fn set_many_raw(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        for (key, value) in pairs {
            let (more, known) = (key.len() + value.len(), key.len());
            self.written.set(self.written.get() + more);
            *self.writes.borrow_mut().entry(family(&key)).or_default() += 1;
            let old = self.values.borrow_mut().insert(key, value);
            self.add(more, old.map_or(0, |old| old.len() + known));
        }
        Ok(())
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        for key in keys {
            let old = self.values.borrow_mut().remove(&key);
            self.add(0, old.map_or(0, |old| old.len() + key.len()));
        }
        Ok(())
    }

    async fn swap_raw(&self, key: &str, old: &[u8], new: Vec<u8>) -> Result<bool, StoreError> {
        let is_same = self.values.borrow().get(key).is_some_and(|value| value == old);
        if is_same {
            self.set_many_raw(vec![(key.to_owned(), new)]).await?;
        }
        Ok(is_same)
    }
}

struct Clocks(Instant, Cell<i64>);

impl Environment for Clocks {
    fn now_ms(&self) -> i64 {
        self.1.get()
    }
    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
    async fn user(&self, _: &Document) -> Result<(), StoreError> {
        Ok(())
    }
    fn batch(&self) -> usize {
        25
    }
}

fn publish(kv: &Meter, clocks: &Clocks, id: &str, folder: &str, change: bool) {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "ndjson"));
    files.sort();
    block_on(async {
        open(kv, id, Opening::default(), clocks.now_ms()).await.unwrap();
        let staging = Staging::new(kv, id, 25);
        let (mut parts, mut body) = (0, Vec::new());
        for file in files {
            for line in BufReader::new(std::fs::File::open(file).unwrap()).lines() {
                let mut line = line.unwrap();
                if change && parts == 0 && body.is_empty() {
                    line = line.replace("libelle\":\"", "libelle\":\"Autrement ");
                }
                if body.len() + line.len() > 7 * 1024 * 1024 {
                    staging.stage(parts, &body, &[]).await.unwrap();
                    (parts, body) = (parts + 1, Vec::new());
                }
                body.extend_from_slice(line.as_bytes());
                body.push(b'\n');
            }
        }
        staging.stage(parts, &body, &[]).await.unwrap();
        let options = PublicationOptions { parts: parts + 1, confirm_losses: true, ..PublicationOptions::default() };
        Job::publish(kv, id, PublicationOptions { accept_refusals: true, ..options }, clocks.now_ms()).await.unwrap();
        let (mut step, mut since) = (JobStep::Staging, Instant::now());
        loop {
            let job = advance(kv, clocks, id, 20_000, &[]).await.unwrap();
            if job.step != step {
                let (took, bytes, peak) = (since.elapsed().as_secs_f64(), kv.bytes.get(), kv.peak.get());
                (step, since) = (job.step, Instant::now());
                eprintln!("{took:.1} s, then {step:?}: {} MB, peak {} MB", bytes / 1_000_000, peak / 1_000_000);
            }
            if step.is_final() {
                assert_eq!(step, JobStep::Published, "{:?}", job.summary);
                break;
            }
        }
        while clean_up(kv, clocks).await.unwrap() {}
    });
}

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "data".into());
    let (kv, clocks) = (Meter::default(), Clocks(Instant::now(), Cell::new(0)));
    for (rank, id) in ["a", "b"].into_iter().enumerate() {
        let start = Instant::now();
        kv.peak.set(kv.bytes.get());
        kv.written.set(0);
        kv.writes.take();
        publish(&kv, &clocks, id, &folder, rank > 0);
        let peak = kv.peak.get();
        println!(
            "publication {id}: {:.1} s, {} bytes written, {peak} at the most",
            start.elapsed().as_secs_f64(),
            kv.written.get()
        );
        let writes = kv.writes.take();
        println!("{} values written:", writes.values().sum::<usize>());
        for (family, count) in writes {
            println!("{count:>8}  {family}");
        }
    }
    let mut families: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (key, value) in kv.values.borrow().iter().filter(|(key, _)| key.starts_with("g2:")) {
        let mut family = key.split(':').nth(1).unwrap_or_default();
        family = if family.starts_with("flux.sources") { "flux.sources" } else { family };
        let (count, bytes) = families.entry(family.to_owned()).or_default();
        (*count, *bytes) = (*count + 1, *bytes + key.len() + value.len());
    }
    let sources = families.get("flux.sources").map_or(0, |(_, bytes)| *bytes);
    let total: usize = families.values().map(|(_, bytes)| bytes).sum();
    println!("a generation: {} served, {total} with its sources", total - sources);
    for (family, (count, bytes)) in families {
        println!("{bytes:>12} bytes in {count:>6} values  {family}");
    }
}
