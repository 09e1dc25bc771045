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

/// What the store has done since it started: values got, bytes sent.
fn store_work(redis: &RedisServer) -> (f64, f64) {
    let text = [redis.ask("INFO commandstats"), redis.ask("INFO stats")].concat().join("\n");
    let after = |mark: &str| {
        let at = text.find(mark)? + mark.len();
        let digits: String = text.get(at..)?.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<f64>().ok()
    };
    let gets = ["cmdstat_get:calls=", "cmdstat_mget:calls="].into_iter().filter_map(after).sum();
    (gets, after("total_net_output_bytes:").unwrap_or_default())
}

/// The core of a replica.
fn core(rank: usize) -> String {
    let enough = std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= CORES);
    // The load's core is the second.
    let own = if rank == 0 { 0 } else { rank + 1 };
    if enough { own.to_string() } else { SERVER_CORE.to_owned() }
}

/// Publishes a folder on a server of its own, and measures one, two and three replicas.
pub fn measure(options: &Options, out: &Path, data: &Path) -> anyhow::Result<Vec<Replicated>> {
    let redis = RedisServer::start("bench --replicas", &[]).context("valkey-server or redis-server is missing")?;
    let variables: BTreeMap<String, String> = [("store_profile".to_owned(), "redis".to_owned())].into();
    let runtime = if options.runtime == Runtime::Spin { Runtime::Spin } else { Runtime::Host };
    let start = |rank: usize, cores: &str| {
        let folder = out.join(format!("replica-{rank}"));
        Server::start_with(runtime, &folder, cores, None, &variables, Some(&redis.url()))
    };
    let publisher = start(0, &format!("{SERVER_CORE},{LOAD_CORE}"))?;
    publisher.publish(data)?;
    drop(publisher);

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
    Ok(measured)
}
