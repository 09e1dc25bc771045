//! `bench`: measures the built application. See `bench --help`, `scripts/bench`, docs/PERFORMANCE.md.
//!
//! Every figure is a ratio to a yardstick of the same run: an empty component and one that gets a value of 1 KB, served
//! by the same process as the application. The server has a core of its own, so has the load; rows are measured in
//! turn, round after round, each second after one of the yardstick; the median of all seconds is told with their spread.

mod counts;
mod gateway;
mod http;
mod load;
mod matching;
mod processor;
mod pull;
mod replicas;
mod report;
mod requests;
mod server;
mod soak;

use anyhow::{Context, bail, ensure};
use beside::RedisServer;
use lexopt::Arg::{Long, Short};
use lexopt::ValueExt;
use report::{Growth, ImportRow, Pair, Report, Row};
use requests::{Chance, Requests};
use serde_json::json;
use server::{Runtime, Server};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

const HELP: &str = "\
Measures the built application at production size. scripts/bench builds it first.

Usage: bench [--quick] [--factors F,F,…] [--rows TEXT,TEXT,…] [--counts|--caches] [--stored] [--rounds N] [--seconds N] [--data DIR]
             [--pull F] [--matching] [--replicas] [--gateway] [--soak MINUTES|--soak-requests N] [--redis]
             [--runtime host|spin]

  --quick       factors 0.05 and 0.5, two rounds of two seconds: some three minutes
  --factors     sizes of the data set, 1 is production (0.1,0.5,1). All are imported; routes are measured on the first
                and on the last, so that growth shows. 1,10 needs 60 GB of disk and half an hour.
  --rows        only the rows whose name holds one of these texts, and nothing but rates: for work on one of them; `cold` is
                first requests
  --counts      instead of rates: instructions of the server for a request of each row, under valgrind, which no
                neighbour disturbs; the first time it compiles for some minutes
  --caches      the same with caches simulated (32 KiB of code, 48 of data, 2 MiB of both): what they lack is counted too
  --stored      the stores of an earlier run, where they are there: no import
  --pull F      instead of all that: the import from staged answers, the services simulated at F times production (0 to 1)
  --matching    instead of all that: a catalogue of 25,000 rows, matched on the last of the factors
  --replicas    instead of all that: the last of the factors on a Redis server (valkey-server or redis-server): its memory, and what one, two
                and three replicas answer, with what a request costs the store
  --gateway     instead of all that: documents through nginx with the files of deploy/nginx, beside a static file of it
  --soak        instead of all that: so many minutes of campaign traffic while generations are published, rolled back and
                given up, on a data set of factor 0.05; every answer is checked, and that memory is flat
  --soak-requests  the same until so many requests have been answered
  --rounds      rounds of every row (5)
  --seconds     seconds of a row in a round, each after one of bare-get (3)
  --data        folder of reference data, for real keys (../shared/data from the project's root; else invented ones)
  --redis       everything, the yardsticks too, on a Redis server (valkey-server or redis-server) instead of the runtime's own
                file; nothing is kept for --stored
  --runtime     spin where it is installed at 4.1 or later, else host: the bundled one

Results: a table on standard output, and target/bench/results.json.
";

/// The core of the server while routes are measured.
pub const SERVER_CORE: &str = "0";
/// The core of the load.
pub const LOAD_CORE: &str = "1";
/// The row that others are ratios to.
const BARE_GET: &str = "bare-get";
/// The reuse count of the second pass and how long its instances wait, as docs/EXPLOITER.md advises.
const REUSE: usize = 100_000;
const REUSE_IDLE: &str = "30s";
/// Seconds of a row's own traffic before a row that is measured warm: twenty to thirty instances come of 32 connections,
/// and each fills a store of answers of its own, which takes them some 150,000 requests.
const CAMPAIGN_S: u32 = 60;
/// The size of the data set of a soak: small enough to be published every few seconds.
const SOAK_FACTOR: f64 = 0.05;
/// Longest that an instance without work is kept, and some.
const IDLE: Duration = Duration::from_millis(1_300);
/// What `--rows` calls first requests.
const COLD: &str = "cold";
/// What clients send: all of them take gzip.
const CLIENT: [(&str, &str); 1] = [("accept-encoding", "gzip")];
/// The share of bare-get's rate that the open-loop runs are held to.
const OPEN_SHARE: f64 = 0.4;

struct Options {
    factors: Vec<f64>,
    rounds: usize,
    seconds: u32,
    data: PathBuf,
    runtime: Runtime,
    pull: Option<f64>,
    matching: bool,
    replicas: bool,
    gateway: bool,
    redis: bool,
    soak: Option<soak::Length>,
    rows: Vec<String>,
    stored: bool,
    counts: Option<Runtime>,
}

impl Options {
    /// Whether a row is measured: those that were named, and the yardsticks; without reuse a few of them.
    fn asks_for(&self, case: &Case, reuse: Option<usize>) -> bool {
        let named = self.rows.is_empty() || self.rows.iter().any(|text| case.name.contains(text.as_str()));
        let fits = match reuse {
            None => true,
            // Instances wait longer there: none is cold.
            Some(REUSE) => case.before != Before::Nothing,
            Some(_) => case.off,
        };
        ["empty", BARE_GET].contains(&case.name) || named && fits
    }
}

/// The root of the project.
pub fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.ancestors().nth(2).unwrap_or(folder).to_owned()
}

fn main() -> ExitCode {
    match options(lexopt::Parser::from_env()).and_then(|o| o.map_or(Ok(()), |options| run(&options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut parser: lexopt::Parser) -> anyhow::Result<Option<Options>> {
    let mut options = Options {
        factors: vec![0.1, 0.5, 1.0],
        rounds: 5,
        seconds: 3,
        data: root().join("../shared/data"),
        runtime: installed_runtime(),
        pull: None,
        matching: false,
        replicas: false,
        gateway: false,
        redis: false,
        soak: None,
        rows: Vec::new(),
        stored: false,
        counts: None,
    };
    let list = |text: String| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            Long("quick") => {
                options.factors = vec![0.05, 0.5];
                (options.rounds, options.seconds) = (2, 2);
            }
            Long("factors") => {
                let factors = list(parser.value()?.string()?);
                options.factors = factors.iter().map(|factor| factor.parse()).collect::<Result<_, _>>()?;
            }
            Long("matching") => options.matching = true,
            Long("replicas") => options.replicas = true,
            Long("gateway") => options.gateway = true,
            Long("redis") => options.redis = true,
            Long("pull") => options.pull = Some(parser.value()?.parse()?),
            Long("soak") => options.soak = Some(soak::Length::Minutes(parser.value()?.parse()?)),
            Long("soak-requests") => options.soak = Some(soak::Length::Requests(parser.value()?.parse()?)),
            Long("rows") => options.rows = list(parser.value()?.string()?),
            Long("counts") => options.counts = Some(Runtime::Counted { caches: false }),
            Long("caches") => options.counts = Some(Runtime::Counted { caches: true }),
            Long("stored") => options.stored = true,
            Long("rounds") => options.rounds = parser.value()?.parse()?,
            Long("seconds") => options.seconds = parser.value()?.parse()?,
            Long("data") => options.data = parser.value()?.into(),
            Long("runtime") => {
                options.runtime = match parser.value()?.string()?.as_str() {
                    "host" => Runtime::Host,
                    "spin" => Runtime::Spin,
                    other => bail!("--runtime {other}: host or spin"),
                }
            }
            other => return Err(other.unexpected()).context("see --help"),
        }
    }
    ensure!(!options.factors.is_empty() && options.rounds > 0 && options.seconds > 0, "nothing to measure");
    Ok(Some(options))
}

/// Spin where it is new enough for `wasi:http@0.3.0`.
fn installed_runtime() -> Runtime {
    let version = Command::new("spin").arg("--version").output().ok();
    let text = version.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    let number = text.split_whitespace().nth(1).unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let new_enough = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) >= (4, 1);
    if new_enough { Runtime::Spin } else { Runtime::Host }
}

/// The data set of a factor, imported.
struct Site {
    factor: f64,
    folder: PathBuf,
    data: PathBuf,
    /// Where it lies, if not in the runtime's own file.
    redis: Option<RedisServer>,
}

impl Site {
    fn of(out: &Path, factor: f64) -> Self {
        let [folder, data] = ["store", "data"].map(|what| out.join(format!("{what}-{factor}")));
        Self { factor, folder, data, redis: None }
    }

    /// On a server of its own, where that is asked for.
    fn on(mut self, options: &Options) -> anyhow::Result<Self> {
        if options.redis {
            let started = RedisServer::start("bench --redis", &[]);
            self.redis = Some(started.context("valkey-server or redis-server is missing")?);
        }
        Ok(self)
    }

    /// Serves it.
    fn serve(&self, runtime: Runtime, cores: &str, reuse: Option<usize>) -> anyhow::Result<Server> {
        match &self.redis {
            None => Server::start(runtime, &self.folder, cores, reuse),
            Some(redis) => {
                let variables = [("store_profile".to_owned(), "redis".to_owned())].into();
                Server::start_with(runtime, &self.folder, cores, reuse, &variables, Some(&redis.url()))
            }
        }
    }

    /// Whether an earlier run imported it.
    fn is_imported(&self) -> bool {
        self.redis.is_none() && self.folder.join(".spin/sqlite_key_value.db").exists()
    }

    /// Makes its data, where they are not there.
    fn make(&self, options: &Options) -> anyhow::Result<()> {
        // Written last: where it is there, everything is.
        if !self.catalogue().exists() {
            eprintln!("making data × {} …", self.factor);
            let reference = options.data.join("bcn").is_dir().then_some(options.data.as_path());
            let production = dataset::production::Production::new(self.factor, reference)?;
            let catalogue = dataset::catalogue::FormationCatalogue::of(production.formations());
            dataset::write(&self.data, production.lines().chain(catalogue.links(matching::ROWS)), |_, _| ())?;
            std::fs::write(self.catalogue(), catalogue.file(matching::ROWS))?;
        }
        Ok(())
    }

    /// A catalogue of formations, to be matched.
    fn catalogue(&self) -> PathBuf {
        self.data.join("appariement.csv")
    }

    /// Imports them into a store made anew.
    fn import(&self, options: &Options) -> anyhow::Result<(Server, server::Import)> {
        eprintln!("importing data × {} …", self.factor);
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let server = self.serve(options.runtime, "0-1", None)?;
        let import = server.publish(&self.data)?;
        server.seed()?;
        Ok((server, import))
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let out = root().join("target/bench");
    std::fs::create_dir_all(&out)?;
    load::write_script(&out)?;
    server::freeze(&out.join("components"))?;
    if options.matching {
        let factor = options.factors.last().copied().unwrap_or(1.0);
        let site = Site::of(&out, factor);
        site.make(options)?;
        if !(options.stored && site.is_imported()) {
            site.import(options)?;
        }
        report::print_matched(&measure_matching(options, &site)?);
        return Ok(());
    }
    if options.gateway {
        let site = Site::of(&out, options.factors.last().copied().unwrap_or(1.0));
        site.make(options)?;
        if !(options.stored && site.is_imported()) {
            site.import(options)?;
        }
        report::print_gateway(&gateway::measure(options, &out, &site)?);
        return Ok(());
    }
    if let Some(factor) = options.pull {
        report::print_pull(&pull::measure(options.runtime, &out, factor)?);
        return Ok(());
    }
    if options.replicas {
        let site = Site::of(&out, options.factors.last().copied().unwrap_or(1.0));
        site.make(options)?;
        let (store, rows) = replicas::measure(options, &out, &site.data)?;
        report::print_replicas(site.factor, &store, &rows);
        return Ok(());
    }
    if let Some(length) = options.soak {
        let (folder, data) = (out.join("store-soak"), out.join("data-soak"));
        let site = Site { factor: SOAK_FACTOR, folder, data, redis: None };
        site.make(options)?;
        let server = site.import(options)?.0;
        return soak::run(&server, &site.data, length);
    }
    let mut report = Report { runtime: format!("{:?}", options.runtime).to_lowercase(), ..Report::default() };
    report.load_average = std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned();
    report.sizes = report::component_sizes(&root())?;

    let mut sites = Vec::new();
    for &factor in &options.factors {
        let site = Site::of(&out, factor).on(options)?;
        site.make(options)?;
        if options.stored && site.is_imported() {
            sites.push(site);
            continue;
        }
        let import = site.import(options)?.1;
        let lines = count_lines(&site.data)?;
        report.imports.push(ImportRow { factor, lines, import });
        sites.push(site);
    }
    let (Some(small), Some(large)) = (sites.first(), sites.last()) else { return Ok(()) };
    if let Some(runtime) = options.counts {
        return count_routes(options, runtime, &out, large);
    }
    let (mut requests, mut fewer) = (Requests::read(&large.data)?, Requests::read(&small.data)?);
    for reuse in [None, Some(REUSE), Some(1)] {
        measure_routes(options, &out, (large, &mut requests), (small, &mut fewer), reuse, &mut report)?;
    }
    if options.rows.is_empty() {
        measure_streams(options, large, &mut report)?;
        report.matched = Some(measure_matching(options, large)?);
        report.pull = Some(pull::measure(options.runtime, &out, large.factor.min(1.0))?);
    }
    report.print();
    std::fs::write(out.join("results.json"), serde_json::to_vec_pretty(&report.json())?)?;
    eprintln!("results: target/bench/results.json");
    Ok(())
}

fn count_lines(data: &Path) -> anyhow::Result<usize> {
    let mut lines = 0;
    for kind in server::kinds() {
        let file = data.join(dataset::file_name(kind));
        if file.exists() {
            let bytes = std::fs::read(file)?;
            lines += bytes.iter().filter(|b| **b == b'\n').count();
        }
    }
    Ok(lines)
}

/// A row to measure: its name, who answers it, its targets, headers, and whether it asks for what is not there.
struct Case {
    name: &'static str,
    component: &'static str,
    targets: Vec<String>,
    headers: Vec<(&'static str, &'static str)>,
    failing: bool,
    on_small: bool,
    /// Measured without reuse of instances as well.
    off: bool,
    /// What comes before it.
    before: Before,
}

/// What a component is asked before a row is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A moment of a few connections.
    Moment,
    /// The row's own traffic, long enough for instances to hold what is asked for again and again.
    Campaign,
    /// Nothing: all connections come at once, to a component without instances.
    Nothing,
}

impl Case {
    /// A second of it.
    fn load<'a>(&'a self, server: &'a Server, out: &'a Path, urls: &'a Path) -> load::Load<'a> {
        load::Load { folder: out, server, urls, headers: &self.headers, seconds: 1, failing: self.failing }
    }

    /// What comes before all of its seconds.
    fn warm_up(&self, load: load::Load<'_>) -> anyhow::Result<()> {
        match self.before {
            Before::Moment => load.warm_up(),
            Before::Campaign => {
                load.warm_up()?;
                load::Load { seconds: CAMPAIGN_S, ..load }.run().map(drop)
            }
            Before::Nothing => Ok(()),
        }
    }

    /// One second.
    fn measure(&self, load: load::Load<'_>) -> anyhow::Result<load::Rate> {
        if self.before == Before::Nothing {
            std::thread::sleep(IDLE);
        }
        load.run()
    }
}

fn cases(requests: &Requests, total: usize) -> Vec<Case> {
    let seeds = |route: &str| (0..server::SEEDS).map(|n| format!("/yardstick/bare-get/{route}/{n}")).collect();
    let list = "/api/inserjeunes/formations?items_par_page=10";
    let case = |name, targets| Case {
        name,
        component: "formations",
        targets,
        headers: CLIENT.to_vec(),
        failing: false,
        on_small: false,
        off: false,
        before: Before::Moment,
    };
    let with = |header| [CLIENT[0], header].to_vec();
    let yardstick = |name, route| Case { component: "yardstick-bare-get", ..case(name, seeds(route)) };
    let with_key = |name, targets| Case { headers: with(server::KEY), on_small: true, ..case(name, targets) };
    let mut chance = Chance::new();
    let deep = (0..2_000).map(|_| format!("{list}&page={}", 1 + chance.below((total / 10).max(1)))).collect();
    let campaign = |name| Case { before: Before::Campaign, ..case(name, requests.zipf.clone()) };
    vec![
        Case { off: true, component: "yardstick-empty", ..case("empty", vec!["/yardstick/empty/empty".into()]) },
        Case { off: true, ..yardstick(BARE_GET, "bare-get") },
        yardstick("get of 4 KiB", "get-4096"),
        yardstick("get of 12 KiB", "get-12288"),
        yardstick("get of 32 KiB", "get-32768"),
        yardstick("get of 72 KiB", "get-73728"),
        yardstick("get of 256 KiB", "get-262144"),
        Case { on_small: true, off: true, ..case("document, uniform", requests.documents.clone()) },
        campaign("document, Zipf"),
        Case { before: Before::Nothing, ..case("document, Zipf, all at once", requests.zipf.clone()) },
        case("document, kept", requests.documents.first().cloned().into_iter().collect()),
        case("document, final year looked up", requests.first_years.clone()),
        Case { component: "certifications", ..case("document, national", requests.national.clone()) },
        Case { failing: true, ..case("document, missing", requests.misses.clone()) },
        Case { headers: with(("if-none-match", "*")), ..case("document, 304", requests.documents.clone()) },
        Case { headers: Vec::new(), ..case("document, gzip not taken", requests.documents.clone()) },
        Case { component: "certifications", ..case("filieres view", requests.filieres.clone()) },
        Case { component: "recherche", ..case("search", requests.searches.clone()) },
        case("SVG", requests.svg.clone()),
        Case { off: true, ..with_key("list of 10", vec![list.to_owned()]) },
        Case { headers: vec![server::KEY], ..with_key("list of 10, gzip not taken", vec![list.to_owned()]) },
        with_key("list of 10, one filter", requests.one_filter.clone()),
        with_key("list of 10, three filters", requests.three_filters.clone()),
        with_key("list of 10, deep page", deep),
        with_key("list of 10, code filter", requests.code_filter.clone()),
        with_key("list of 10, UAI filter", requests.uai_filter.clone()),
        Case {
            on_small: false,
            ..with_key("page of 1,000", vec!["/api/inserjeunes/formations?items_par_page=1000".into()])
        },
    ]
}

fn total_rows(server: &Server) -> anyhow::Result<usize> {
    let target = "/api/inserjeunes/formations?items_par_page=1";
    let answer = server.client()?.send("GET", target, &[server::KEY], &[], true)?;
    ensure!(answer.status == 200, "{target}: {}", answer.status);
    let body: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let total = body.get("pagination").and_then(|p| p.get("total")).and_then(serde_json::Value::as_u64);
    Ok(usize::try_from(total.context("a list without total")?)?)
}

/// The targets that are answered with 200.
fn answered(server: &Server, targets: Vec<String>) -> anyhow::Result<Vec<String>> {
    let mut client = server.client()?;
    let mut answered = Vec::new();
    for target in targets {
        if client.send("GET", &target, &[], &[], false)?.status == 200 {
            answered.push(target);
        }
    }
    Ok(answered)
}

/// The rows, one request after the other, under callgrind.
fn count_routes(options: &Options, runtime: Runtime, out: &Path, site: &Site) -> anyhow::Result<()> {
    let (mut requests, total) = {
        let server = site.serve(Runtime::Host, SERVER_CORE, None)?;
        let mut requests = Requests::read(&site.data)?;
        requests.filieres = answered(&server, std::mem::take(&mut requests.filieres))?;
        (requests, total_rows(&server)?)
    };
    requests.zipf.clear();
    eprintln!("starting under callgrind …");
    let server = site.serve(runtime, SERVER_CORE, Some(REUSE))?;
    let mut counts = Vec::new();
    let rows = cases(&requests, total).into_iter().filter(|case| options.asks_for(case, None));
    for case in rows.filter(|case| !case.targets.is_empty()) {
        eprint!("\rcounting {:<40}", case.name);
        let count = counts::count(&server, &site.folder, case.component, &case.targets, &case.headers)?;
        counts.push((case.name.to_owned(), count));
    }
    eprintln!();
    report::print_counts(&counts);
    let of = |(name, c): &(String, report::Count)| {
        let misses = c.misses.map(|m| json!({"code": m.code, "data": m.data}));
        (name.clone(), json!({"instructions": c.instructions, "gets": c.gets, "bytes_read": c.bytes, "misses": misses}))
    };
    let counts: serde_json::Map<String, serde_json::Value> = counts.iter().map(of).collect();
    Ok(std::fs::write(out.join("counts.json"), serde_json::to_vec_pretty(&counts)?)?)
}

fn measure_routes(
    options: &Options,
    out: &Path,
    (large, requests): (&Site, &mut Requests),
    (small, fewer): (&Site, &mut Requests),
    reuse: Option<usize>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let server = large.serve(options.runtime, SERVER_CORE, reuse)?;
    let other = small.serve(options.runtime, SERVER_CORE, reuse)?;
    for (server, requests) in [(&server, &mut *requests), (&other, &mut *fewer)] {
        // Some certifications have no filieres view.
        requests.filieres = answered(server, std::mem::take(&mut requests.filieres))?;
    }
    let prepare = |cases: Vec<Case>, folder: &str| -> anyhow::Result<Vec<(Case, PathBuf)>> {
        let folder = out.join(folder);
        std::fs::create_dir_all(&folder)?;
        let file = |case: Case| {
            let path = folder.join(case.name.replace([',', ' '], "-") + ".txt");
            std::fs::write(&path, case.targets.join("\n") + "\n")?;
            Ok((case, path))
        };
        cases.into_iter().map(file).collect()
    };
    let asked = |cases: Vec<Case>, names: &[&str]| -> Vec<Case> {
        cases.into_iter().filter(|case| names.contains(&case.name) && options.asks_for(case, reuse)).collect()
    };
    let (ours, theirs) = (cases(requests, total_rows(&server)?), cases(fewer, total_rows(&other)?));
    // A small data set may hold nothing for a row: it is left out.
    let names: Vec<&str> = ours
        .iter()
        .zip(&theirs)
        .filter(|(a, b)| !a.targets.is_empty() && !b.targets.is_empty())
        .map(|(a, _)| a.name)
        .collect();
    let ours = prepare(asked(ours, &names), "requests")?;
    let theirs = prepare(asked(theirs, &names), "requests-small")?;
    let Some((bare_get, bare_urls)) = ours.iter().find(|(case, _)| case.name == BARE_GET) else { return Ok(()) };
    let mut rates: BTreeMap<&str, Vec<Pair>> = BTreeMap::new();
    let mut growth: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for round in 0..options.rounds {
        for ((case, urls), (_, urls_small)) in ours.iter().zip(&theirs) {
            let before = if case.before == Before::Nothing { Before::Nothing } else { Before::Moment };
            let bare_get = Case { before, targets: Vec::new(), headers: Vec::new(), ..*bare_get };
            let yardstick = bare_get.load(&server, out, bare_urls);
            let (load, load_small) = (case.load(&server, out, urls), case.load(&other, out, urls_small));
            bare_get.warm_up(yardstick)?;
            case.warm_up(load)?;
            let on_small = case.on_small && reuse.is_none();
            if on_small {
                case.warm_up(load_small)?;
            }
            let pairs = rates.entry(case.name).or_default();
            // The yardstick beside each second of a row: the machine is another one a moment later.
            for _ in 0..options.seconds {
                let bare_get = bare_get.measure(yardstick)?;
                let rate = case.measure(load)?;
                pairs.push(Pair { rate, bare_get });
                if on_small {
                    let on_small = case.measure(load_small)?;
                    growth.entry(case.name).or_default().push(on_small.cpu / rate.cpu);
                }
            }
            let reuse_count = reuse.map_or("default".to_owned(), |n| n.to_string());
            let (ratio, ..) = report::median(pairs.iter().map(|pair| pair.bare_get.cpu / pair.rate.cpu));
            eprintln!(
                "reuse {reuse_count}, after round {} of {}, {}: {ratio:.2}",
                round + 1,
                options.rounds,
                case.name
            );
        }
    }
    for (case, _) in &ours {
        let rates = rates.remove(case.name).unwrap_or_default();
        report.rows.push(Row { name: case.name.to_owned(), reuse, rates });
    }
    for (name, ratios) in growth {
        report.growth.push(Growth { name: name.to_owned(), from: small.factor, to: large.factor, ratios });
    }
    if reuse.is_none() && options.rows.is_empty() {
        open_loops(options, &server, &ours, report)?;
    }
    if reuse.is_none() && (options.rows.is_empty() || options.rows.iter().any(|row| row == COLD)) {
        cold_starts(&server, requests, report)?;
    }
    for id in report::COMPONENTS {
        if let Some(peak) = server.counter(id, "peak_memory") {
            let entry = report.memory.entry((*id).to_owned()).or_default();
            *entry = peak.max(*entry);
        }
    }
    Ok(())
}

/// Latencies at a fixed rate, the same for the yardstick and the routes, in turn.
fn open_loops(
    options: &Options,
    server: &Server,
    cases: &[(Case, PathBuf)],
    report: &mut Report,
) -> anyhow::Result<()> {
    let bare = report.median_rate("bare-get", None).context("bare-get was not measured")?;
    let rate = bare * OPEN_SHARE;
    report.open_rate = rate;
    let names = ["bare-get", "document, uniform", "document, Zipf", "list of 10"];
    for _ in 0..options.rounds {
        for (case, _) in cases.iter().filter(|(case, _)| names.contains(&case.name)) {
            let latencies = load::open(
                server.address,
                &case.targets,
                &case.headers,
                rate,
                Duration::from_secs(options.seconds.into()),
            )?;
            let of = |share| load::percentile(&latencies, share);
            report.open.entry(case.name.to_owned()).or_default().push([of(0.5), of(0.99), of(0.999)]);
        }
    }
    Ok(())
}

/// The first request after every instance has gone, against that of the empty component.
fn cold_starts(server: &Server, requests: &Requests, report: &mut Report) -> anyhow::Result<()> {
    let first = |list: &[String]| list.first().cloned().unwrap_or_default();
    let api = |path: &str| format!("/api/inserjeunes/{path}");
    let targets = [
        ("empty", "/yardstick/empty/empty".to_owned()),
        ("bare-get", "/yardstick/bare-get/bare-get/1".to_owned()),
        ("certifications", first(&requests.national)),
        ("regionales", api("regionales?items_par_page=10")),
        ("formations", first(&requests.documents)),
        ("mailles", api("mailles")),
        ("lists", api("formations.csv?items_par_page=10")),
        ("bcn", api("bcn?items_par_page=10")),
        ("recherche", first(&requests.searches)),
        ("status", "/api".to_owned()),
        ("documentation", "/api/doc".to_owned()),
        ("site", "/methode".to_owned()),
        ("import", "/internal/import/status".to_owned()),
    ];
    let bearer = server::bearer();
    let headers = [CLIENT[0], server::KEY, ("authorization", bearer.as_str())];
    let mut client = server.client()?;
    for _ in 0..7 {
        // Every instance has gone when its turn comes again.
        for (name, target) in &targets {
            std::thread::sleep(IDLE / 8);
            let answer = client.send("GET", target, &headers, &[], false)?;
            ensure!(answer.status == 200, "{} on {target}", answer.status);
            let cold = report.cold.entry((*name).to_owned()).or_default();
            cold.alone.push(answer.first_byte.as_secs_f64() * 1e6);
        }
        for (name, target) in &targets {
            std::thread::sleep(IDLE / 8);
            let cold = report.cold.entry((*name).to_owned()).or_default();
            cold.crowd.push(last_of_crowd(server, target, &headers)?);
        }
    }
    Ok(())
}

/// When the last of as many first requests as there are connections was answered, all sent at once, in microseconds.
fn last_of_crowd(server: &Server, target: &str, headers: &[(&str, &str)]) -> anyhow::Result<f64> {
    let start = std::sync::Barrier::new(load::CONNECTIONS);
    let one = || -> anyhow::Result<f64> {
        let client = server.client();
        start.wait();
        let answer = client?.send("GET", target, headers, &[], false)?;
        ensure!(answer.status == 200, "{} on {target}", answer.status);
        Ok(answer.whole.as_secs_f64() * 1e6)
    };
    std::thread::scope(|scope| {
        let crowd: Vec<_> = (0..load::CONNECTIONS).map(|_| scope.spawn(one)).collect();
        let answered = crowd.into_iter().map(|c| c.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?);
        answered.collect::<anyhow::Result<Vec<f64>>>().map(|times| times.into_iter().fold(0.0, f64::max))
    })
}

/// A catalogue of formations, matched on one core.
fn measure_matching(options: &Options, site: &Site) -> anyhow::Result<matching::Matched> {
    eprintln!("matching a catalogue × {} …", site.factor);
    let server = site.serve(options.runtime, SERVER_CORE, None)?;
    matching::measure(&server, &std::fs::read(site.catalogue())?, options.rounds)
}

/// The exports and the login: one at a time.
fn measure_streams(options: &Options, site: &Site, report: &mut Report) -> anyhow::Result<()> {
    let server = site.serve(options.runtime, SERVER_CORE, None)?;
    let csv = "/api/inserjeunes/formations.csv?items_par_page=1000000&millesimes=2018,2019,2020,2021,2022,2023";
    let login = json!({"username": server::ACCOUNT.0, "password": server::ACCOUNT.1}).to_string();
    let mut client = server.client()?;
    for _ in 0..options.rounds {
        for (name, headers) in [("CSV", vec![server::KEY]), ("CSV, gzip", vec![server::KEY, CLIENT[0]])] {
            let answer = client.send("GET", csv, &headers, &[], false)?;
            ensure!(answer.status == 200, "{} on {csv}", answer.status);
            report.streams.entry(name.to_owned()).or_default().push(answer.clone());
            report.csv_bytes = report.csv_bytes.max(answer.bytes);
        }
        let headers = [("content-type", "application/json")];
        let answer = client.send("POST", "/api/inserjeunes/auth/login", &headers, login.as_bytes(), true)?;
        ensure!(answer.status == 200, "login: {}", answer.status);
        report.streams.entry("login".to_owned()).or_default().push(answer);
        let answer = client.send("GET", "/yardstick/bare-get/bare-get/1", &[], &[], false)?;
        report.streams.entry("bare-get".to_owned()).or_default().push(answer);
    }
    report.csv_memory = server.counter("lists", "peak_memory");
    report.login_memory = server.counter("auth", "peak_memory");
    Ok(())
}
