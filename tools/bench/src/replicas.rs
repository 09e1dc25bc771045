//! Replicas on one store: what more of them answer, and what a request costs the store.

use crate::load::Load;
use crate::requests::Requests;
use crate::server::{self, Runtime, Server};
use crate::{LOAD_CORE, Options, SERVER_CORE};
use anyhow::Context;
use beside::RedisServer;
use std::collections::BTreeMap;
use std::path::Path;

/// Replicas at most.
const MOST: usize = 3;
/// The core of the load and those of the replicas: with fewer, all replicas share one.
const CORES: usize = MOST + 1;

/// A row with so many replicas.
pub struct Replicated {
    /// What was asked.
    pub row: &'static str,
    /// How many answered.
    pub replicas: usize,
    /// Requests a second of each round, all replicas together.
    pub rates: Vec<f64>,
    /// Values got from the store, a request.
    pub gets: f64,
    /// Bytes that the store sent, a request.
    pub bytes: f64,
}

/// What a publication takes of the store's memory, in bytes, as the server itself counts it.
pub struct StoreMemory {
    /// While nothing is published any more: a generation with its sources.
    pub used: f64,
    /// The most there was meanwhile.
    pub peak: f64,
    /// How many values lie there.
    pub values: f64,
}

/// A figure of `INFO`, by what stands before it.
fn told(redis: &RedisServer, section: &str, mark: &str) -> f64 {
    let text = redis.ask(&format!("INFO {section}")).concat();
    let after = text.split_once(mark).map_or("", |(_, rest)| rest);
    after.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// What the store has done since it started: values got, bytes sent.
fn store_work(redis: &RedisServer) -> (f64, f64) {
    let gets = ["cmdstat_get:calls=", "cmdstat_mget:calls="].map(|mark| told(redis, "commandstats", mark));
    (gets.iter().sum(), told(redis, "stats", "total_net_output_bytes:"))
}

/// The core of a replica.
fn core(rank: usize) -> String {
    let enough = std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= CORES);
    // The load's core is the second.
    let own = if rank == 0 { 0 } else { rank + 1 };
    if enough { own.to_string() } else { SERVER_CORE.to_owned() }
}

/// Publishes a folder on a server of its own, and measures one, two and three replicas.
pub fn measure(options: &Options, out: &Path, data: &Path) -> anyhow::Result<(StoreMemory, Vec<Replicated>)> {
    let redis = RedisServer::start("bench --replicas", &[]).context("valkey-server or redis-server is missing")?;
    let variables: BTreeMap<String, String> = [("store_profile".to_owned(), "redis".to_owned())].into();
    let runtime = if options.runtime == Runtime::Spin { Runtime::Spin } else { Runtime::Host };
    let start = |rank: usize, cores: &str| {
        let folder = out.join(format!("replica-{rank}"));
        Server::start_with(runtime, &folder, cores, None, &variables, Some(&redis.url()))
    };
    let memory = |of: &str| told(&redis, "memory", of);
    let empty = memory("used_memory:");
    let publisher = start(0, &format!("{SERVER_CORE},{LOAD_CORE}"))?;
    eprintln!("importing into Redis …");
    publisher.publish(data)?;
    drop(publisher);
    let store = StoreMemory {
        used: memory("used_memory:") - empty,
        peak: memory("used_memory_peak:") - empty,
        values: told(&redis, "keyspace", "keys="),
    };

    let requests = Requests::read(data)?;
    let list = vec!["/api/inserjeunes/formations?items_par_page=10".to_owned()];
    let rows = [
        ("document, uniform", requests.documents, vec![]),
        ("document, Zipf", requests.zipf, vec![]),
        ("list of 10", list, vec![server::KEY]),
    ];
    let mut measured = Vec::new();
    let mut servers = Vec::new();
    for replicas in 1..=MOST {
        servers.push(start(replicas, &core(replicas - 1))?);
        for (row, targets, headers) in &rows {
            let urls = out.join("replicas.urls");
            std::fs::write(&urls, targets.join("\n"))?;
            let load =
                |server| Load { folder: out, server, urls: &urls, headers, seconds: options.seconds, failing: false };
            servers.iter().try_for_each(|server| load(server).warm_up())?;
            let (mut rates, mut answered) = (Vec::new(), 0.0);
            let before = store_work(&redis);
            for _ in 0..options.rounds {
                let all = std::thread::scope(|scope| {
                    let load = &load;
                    let runs: Vec<_> = servers.iter().map(|server| scope.spawn(move || load(server).once())).collect();
                    let ended =
                        runs.into_iter().map(|run| run.join().map_err(|_| anyhow::anyhow!("a load ended early"))?);
                    ended.collect::<anyhow::Result<Vec<_>>>()
                })?;
                let rate: f64 = all.iter().map(|run| run.rate).sum();
                answered += rate * f64::from(options.seconds);
                rates.push(rate);
            }
            let after = store_work(&redis);
            let (gets, bytes) = ((after.0 - before.0) / answered, (after.1 - before.1) / answered);
            measured.push(Replicated { row, replicas, rates, gets, bytes });
        }
    }
    Ok((store, measured))
}
