//! Publishes a folder of pushed documents into memory and answers the queries of the standard input, one a line: the first
//! results of each, with what it cost in gets.
//!
//! ```sh
//! cargo run --release -p dataset -- production --data ../shared/data --factor 0.2 --out /tmp/production
//! cargo run --release -p publication --example search -- /tmp/production < queries
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a measurement stops where it fails")]

use domain::Document;
use futures_executor::block_on;
use publication::{Environment, Job, Opening, PublicationOptions, Staging, advance, open};
use std::rc::Rc;
use std::time::Instant;
use store::finding::SearchDemand;
use store::kv::StoreError;
use store::reading::Cache;
use store::search::{SearchCard, Subject};
use store::{MemoryStore, Reader};

struct Machine(Instant);

impl Environment for Machine {
    fn now_ms(&self) -> i64 {
        0
    }
    fn monotonic_ms(&self) -> u64 {
        self.0.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }
    async fn user(&self, _: &Document) -> Result<(), StoreError> {
        Ok(())
    }
    fn batch(&self) -> usize {
        1_000
    }
}

fn show(card: &SearchCard) -> String {
    match card.subject {
        Subject::Certification => format!("{} [{}]", card.libelle, card.diplome),
        Subject::Etablissement => format!("@{} ({}, {})", card.libelle, card.uai, card.region),
    }
}

fn main() {
    let folder = std::env::args().nth(1).expect("a folder");
    let (kv, machine) = (MemoryStore::default(), Machine(Instant::now()));
    block_on(async {
        open(&kv, "a", Opening::default(), 0).await.unwrap();
        let mut parts = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            if !matches!(
                file.file_stem().and_then(|s| s.to_str()),
                Some("bcn" | "bcn_sise" | "etablissement" | "certification" | "regionale" | "formation" | "rncp")
            ) {
                continue;
            }
            let text = std::fs::read(&file).unwrap();
            let mut rest = text.as_slice();
            while !rest.is_empty() {
                let end = rest.len().min(4 << 20);
                let line = rest.iter().skip(end).position(|b| *b == b'\n').map_or(rest.len(), |more| end + more + 1);
                let (part, after) = rest.split_at(line);
                Staging::new(&kv, "a", 1_000).stage(parts, part, &[]).await.unwrap();
                parts += 1;
                rest = after;
            }
        }
        let options = PublicationOptions { parts, confirm_losses: true, ..PublicationOptions::default() };
        Job::publish(&kv, "a", options, 0).await.unwrap();
        loop {
            let job = advance(&kv, &machine, "a", 20_000, &[]).await.unwrap();
            if job.step.is_final() {
                eprintln!("{:?} after {:?}", job.step, machine.0.elapsed());
                break;
            }
        }
        for line in std::io::stdin().lines() {
            let q = line.unwrap();
            let before = kv.gets.get();
            let reader = Reader::open(&kv, Rc::new(Cache::new()), 0).await.unwrap();
            let start = Instant::now();
            let found = reader.find(&SearchDemand { q: &q, ..SearchDemand::default() }, 0, 3).await.unwrap();
            let cards: Vec<String> = found.cards.iter().map(show).collect();
            let near = if found.approximate { " ~" } else { "" };
            println!(
                "{q}\t{}{near}\t{} gets, {:?}\t{}",
                found.total,
                kv.gets.get() - before,
                start.elapsed(),
                cards.join(" | ")
            );
        }
    });
}
