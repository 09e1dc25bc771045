//! Counts of the built components against `limits.tsv`, never times: what a request of each kind reads and computes,
//! what an import of the sample writes, how large components are. Each limit is what was counted, and 10 % on top.
//!
//! A change that costs more on purpose writes the file anew: `BUDGETS_WRITE=1 cargo test -p budgets`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use anyhow::{Context, ensure};
use dataset::catalogue::FormationCatalogue;
use host::{Config, Host};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use support::client::{Request, send};
use support::{Folder, components_are_built, root};

const SECRET: &str = "secret-d-import-de-test";
const KEY: &str = "cle-partagee-de-test";
/// The largest component of the read routes, in bytes; assets are compiled into `documentation`.
const READ_MAX: u64 = 600 << 10;
/// The largest component of the public site, in bytes: its texts and the code that writes its pages lie in it.
const SITE_MAX: u64 = 800 << 10;
/// What is for operators alone; the preview of a generation is every read route and every page in one.
const INTERNAL_MAX: u64 = 2 << 20;
/// The tools of assistants: search, documents and comparison in one, in bytes.
const TOOLS_MAX: u64 = 900 << 10;
/// The largest component of the matching, in bytes.
const MATCHING_MAX: u64 = 900 << 10;
/// The component of pictures: what paints them, and a face, beside what a read route is.
const IMAGES_MAX: u64 = 1 << 20;
/// The largest import, and the largest pull, in bytes.
const IMPORT_MAX: u64 = 2 << 20;

fn limits_file() -> PathBuf {
    root().join("tests/budgets/limits.tsv")
}

fn documents(kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(root().join(format!("data/{kind}.ndjson"))).unwrap();
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["doc"].clone()).collect()
}

/// Targets of three documents of the latest millesime whose path `target` makes.
fn targets(kind: &str, target: impl Fn(&Value) -> String) -> Vec<String> {
    let documents = documents(kind);
    let final_year = |d: &&Value| {
        d.get("certificationsTerminales").is_none() && !d["code_certification_type"].as_str().unwrap().contains("sise")
    };
    let latest = documents.iter().filter(final_year).filter_map(|d| d["millesime"].as_str()).max().unwrap().to_owned();
    let mut targets: Vec<String> =
        documents.iter().filter(final_year).filter(|d| d["millesime"] == *latest).map(target).collect();
    targets.dedup();
    targets.truncate(3);
    targets
}

struct Application {
    host: Host,
    _folder: Folder,
}

impl Application {
    fn start() -> anyhow::Result<Self> {
        components_are_built()?;
        let folder = Folder::new("budgets")?;
        let env_file = folder.path().join("env");
        std::fs::write(&env_file, "")?;
        let mut config = Config::new(root().join("spin.toml"));
        config.store = Some(folder.path().join("store.db"));
        config.env_file = Some(env_file);
        config.fast_unsafe_store = true;
        config.fuel = true;
        let given = [("import_secret", SECRET), ("legacy_api_key", KEY), ("jwt_secret", "jwt")];
        config.variables = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Ok(Self { host: Host::start(config)?, _folder: folder })
    }

    fn call(&self, request: &Request) -> anyhow::Result<(u16, Value)> {
        let answer = send(self.host.address(), request)?;
        Ok((answer.status, answer.json()))
    }

    fn import(&self, method: &str, target: &str, body: impl Into<Vec<u8>>) -> anyhow::Result<Value> {
        let request = Request::new(method, &format!("/internal/import/{target}"))
            .header("authorization", &format!("Bearer {SECRET}"))
            .body(body);
        let (status, answer) = self.call(&request)?;
        ensure!(status < 300, "{method} {target}: {status} {answer}");
        Ok(answer)
    }

    /// Publishes the sample: the record of the job.
    fn publish(&self) -> anyhow::Result<Value> {
        let job = self.import("POST", "jobs", "{}")?;
        let id = job["id"].as_str().context("a job without id")?.to_owned();
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(root().join("data"))?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
        files.retain(|file| file.extension().is_some_and(|e| e == "ndjson"));
        files.sort();
        let mut lines = Vec::new();
        for file in files {
            lines.extend(std::fs::read(file)?);
        }
        self.import("PUT", &format!("jobs/{id}/parts/0"), lines)?;
        self.import("POST", &format!("jobs/{id}/publish"), r#"{"parties":1}"#)?;
        for _ in 0..1_000 {
            let job = self.import("POST", &format!("jobs/{id}/run"), "")?;
            match job["etape"].as_str() {
                Some("publie") => return Ok(job),
                Some("echec") => anyhow::bail!("{job}"),
                _ => {}
            }
        }
        anyhow::bail!("the job does not end")
    }

    /// What was counted, once nothing is any more: an instance goes on after its answer has left (its line of the log, what it
    /// keeps), and on a busy machine that would be counted with the next request.
    fn settled(&self) -> u64 {
        let fuel = || self.host.counters().values().map(|c| c.fuel).sum::<u64>();
        let (mut known, mut times) = (fuel(), 0);
        while times < 3 {
            std::thread::sleep(std::time::Duration::from_millis(5));
            let now = fuel();
            (known, times) = if now == known { (known, times + 1) } else { (now, 0) };
        }
        known
    }

    /// What the cheaper of the requests after the first one takes, each right behind the first: gets, bytes read, fuel.
    fn cost(&self, targets: &[String], header: Option<(&str, &str)>, status: u16) -> anyhow::Result<[u64; 3]> {
        let request = |target: &String| {
            let request = Request::get(target).header("x-api-key", KEY);
            match header {
                Some((name, value)) => request.header(name, value),
                None => request,
            }
        };
        self.cost_of(targets.iter().map(request), status)
    }

    fn cost_of(&self, requests: impl Iterator<Item = Request>, status: u16) -> anyhow::Result<[u64; 3]> {
        let ask = |request: &Request| -> anyhow::Result<()> {
            let answer = send(self.host.address(), request)?;
            let target = String::from_utf8_lossy(&request.target);
            ensure!(answer.status == status, "{target}: {} {}", answer.status, answer.text());
            Ok(())
        };
        let requests: Vec<Request> = requests.collect();
        let (first, others) = requests.split_first().context("no target")?;
        let mut costs = Vec::new();
        for request in others {
            // Makes the instance where it has gone, opens the store, and follows the pointer where a second has passed: which of
            // the requests would do that is a matter of the machine.
            ask(first)?;
            self.settled();
            self.host.reset_counters();
            ask(request)?;
            let fuel = self.settled();
            let counters = self.host.counters();
            let sum = |of: fn(&host::testing::Counters) -> u64| counters.values().map(of).sum::<u64>();
            costs.push([sum(|c| c.gets), sum(|c| c.bytes_read), fuel]);
        }
        costs.into_iter().min_by_key(|cost| (cost[0], cost[2])).context("no second target")
    }
}

/// Everything counted, by name.
fn count() -> anyhow::Result<BTreeMap<String, u64>> {
    let application = Application::start()?;
    let mut counted = BTreeMap::new();
    application.host.reset_counters();
    let job = application.publish()?;
    counted.insert("import of the sample: values written".to_owned(), job["bilan"]["ecritures"].as_u64().unwrap());
    counted.insert("import of the sample: fuel".to_owned(), application.host.counters()["import"].fuel);
    let api = "/api/inserjeunes";
    let field = |d: &Value, name: &str| d[name].as_str().unwrap_or_default().to_owned();
    let national = targets("certification", |d| format!("{api}/certifications/{}", field(d, "code_certification")));
    let regional = targets("regionale", |d| {
        format!(
            "{api}/regionales/{}/certifications/{}",
            d["region"]["code"].as_str().unwrap(),
            field(d, "code_certification")
        )
    });
    let formation =
        targets("formation", |d| format!("{api}/formations/{}-{}", field(d, "uai"), field(d, "code_certification")));
    let declared = targets("statistique", |d| {
        let place = d["academie"]["code"].as_str().unwrap();
        format!("{api}/mailles/academies/{place}/certifications/{}", field(d, "code_certification"))
    });
    let codes = targets("formation", |d| {
        format!("{api}/formations?items_par_page=10&code_certifications={}", field(d, "code_certification"))
    });
    let filieres: Vec<String> = national.iter().map(|target| format!("{target}?vue=filieres")).collect();
    let with = |targets: &[String], query: &str| -> Vec<String> {
        targets.iter().map(|target| format!("{target}?{query}")).collect()
    };
    let identifiers = ["MEF/2389901133", "MEF/2389901132", "MEF/2389901133"];
    let identifiers = identifiers.map(|identifier| format!("{api}/identifiants/{identifier}")).to_vec();
    let comparisons: Vec<String> = formation.iter().map(|t| t.replace("/inserjeunes/", "/comparaison/")).collect();
    let pictures =
        |ext: &str| -> Vec<String> { national.iter().map(|t| t.replace("/inserjeunes/", "/images/") + ext).collect() };
    let thrice = |target: &str| vec![format!("{api}/{target}"); 3];
    let not_there = vec![format!("{api}/certifications/99999999"); 3];
    for (name, targets, header, status) in [
        ("document, national", &national, None, 200),
        ("document, regional", &regional, None, 200),
        ("document, establishment", &formation, None, 200),
        ("document, declared maille", &declared, None, 200),
        ("document, gzip", &formation, Some(("accept-encoding", "gzip")), 200),
        (
            "document of every millesime, gzip",
            &with(&formation, "historique=1"),
            Some(("accept-encoding", "gzip")),
            200,
        ),
        ("document, three fields", &with(&formation, "champs=libelle,taux_en_formation,region.nom"), None, 200),
        ("document, every millesime", &with(&formation, "historique=1"), None, 200),
        ("comparison, establishment", &comparisons, None, 200),
        ("identifier of one code", &identifiers, None, 307),
        ("identifier of two codes", &thrice("identifiants/RNCP/RNCP99001"), None, 300),
        ("picture, SVG", &pictures(".svg"), None, 200),
        ("picture, PNG", &pictures(".png"), None, 200),
        ("document, hot", &vec![formation[0].clone(); 3], None, 200),
        ("document, 304", &vec![formation[0].clone(); 3], Some(("if-none-match", "*")), 304),
        ("document, missing", &not_there, None, 404),
        ("filieres view", &filieres, None, 200),
        ("list of 10", &thrice("formations?items_par_page=10"), None, 200),
        ("search", &["accueil", "exemple", "coiffure"].map(|q| format!("/api/recherche?q={q}")).to_vec(), None, 200),
        ("search, kept", &vec!["/api/recherche?q=accueil".to_owned(); 3], None, 200),
        ("list of 10, gzip", &thrice("formations?items_par_page=10"), Some(("accept-encoding", "gzip")), 200),
        ("list of 10, one filter", &thrice("formations?items_par_page=10&regions=11"), None, 200),
        ("list of 10, declared maille", &thrice("mailles/academies?items_par_page=10&lieux=28"), None, 200),
        ("list of 10, code filter", &codes, None, 200),
        (
            "list of 10, three fields",
            &thrice("formations?items_par_page=10&champs=libelle,taux_en_formation,region.nom"),
            None,
            200,
        ),
        ("page of 1,000", &thrice("formations?items_par_page=1000"), None, 200),
        ("CSV", &thrice("formations.csv?items_par_page=1000000"), None, 200),
    ] {
        let [gets, bytes, fuel] = application.cost(targets, header, status).with_context(|| name.to_owned())?;
        counted.extend([
            (format!("{name}: gets"), gets),
            (format!("{name}: bytes read"), bytes),
            (format!("{name}: fuel"), fuel),
        ]);
    }
    // Lots of one certification: its documents in regions and establishments.
    let code = "40099013";
    let places = documents("regionale").into_iter().map(|d| json!({"region": d["region"]["code"], "doc": d}));
    let places = places.chain(documents("formation").into_iter().map(|d| json!({"uai": d["uai"], "doc": d})));
    let pairs: Vec<Value> = places
        .filter(|place| place["doc"]["code_certification"] == code)
        .map(|mut place| {
            let millesime = place["doc"]["millesime"].clone();
            place.as_object_mut().unwrap().remove("doc");
            place["code_certification"] = code.into();
            place["millesime"] = millesime;
            place
        })
        .collect();
    for (name, count) in [("lot of 1", 1), ("lot of 100 of one certification", 100)] {
        let asked: Vec<&Value> = pairs.iter().cycle().take(count).collect();
        let post = Request::new("POST", "/api/inserjeunes/lots").header("x-api-key", KEY);
        let post = post.body(json!({"demandes": asked}).to_string());
        let [gets, bytes, fuel] = application.cost_of(std::iter::repeat_n(post, 3), 200).context(name)?;
        counted.extend([
            (format!("{name}: gets"), gets),
            (format!("{name}: bytes read"), bytes),
            (format!("{name}: fuel"), fuel),
        ]);
    }
    // Tools of assistants: the cost of their route, and of the message around it.
    let of_tool = |path: &String| {
        let (place, code) = path.rsplit_once('-').unwrap();
        json!({"uai": place.rsplit_once('/').unwrap().1, "code_certification": code})
    };
    let searched = ["accueil", "exemple", "accueil"].map(|q| json!({"q": q})).to_vec();
    for (name, tool, arguments) in [
        ("tool, document", "document", formation.iter().map(of_tool).collect()),
        ("tool, comparison", "comparaison", formation.iter().map(of_tool).collect()),
        ("tool, search", "rechercher", searched),
    ] {
        let messages = Vec::into_iter(arguments).map(|arguments| {
            let params = json!({"name": tool, "arguments": arguments});
            let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
            Request::new("POST", "/api/mcp").header("content-type", "application/json").body(message.to_string())
        });
        let [gets, bytes, fuel] = application.cost_of(messages, 200).context(name)?;
        counted.extend([
            (format!("{name}: gets"), gets),
            (format!("{name}: bytes read"), bytes),
            (format!("{name}: fuel"), fuel),
        ]);
    }
    // Pages are at hand from the first catalogue on: what is counted is reading, judging and writing rows.
    let catalogue = FormationCatalogue::of(dataset::sample::lines()).file(500);
    let post = Request::new("POST", "/api/appariement/formations?date_campagne=2025-08-31");
    let post = post.header("x-api-key", KEY).header("content-type", "text/csv").body(catalogue);
    let [gets, bytes, fuel] = application.cost_of(std::iter::repeat_n(post, 3), 200).context("matching")?;
    counted.extend([
        ("catalogue of 500 rows: gets".to_owned(), gets),
        ("catalogue of 500 rows: bytes read".to_owned(), bytes),
        ("catalogue of 500 rows: fuel".to_owned(), fuel),
    ]);
    Ok(counted)
}

#[test]
fn requests_and_imports_cost_no_more_than_they_did() {
    let counted = count().unwrap();
    if std::env::var_os("BUDGETS_WRITE").is_some() {
        let mut text =
            "# Most that is allowed: what was counted, and 10 %. BUDGETS_WRITE=1 cargo test -p budgets\n".to_owned();
        for (name, value) in &counted {
            // Gets are few and exact.
            let limit = if name.ends_with("gets") { *value } else { value + value / 10 };
            writeln!(text, "{name}\t{limit}").unwrap();
        }
        std::fs::write(limits_file(), text).unwrap();
    }
    let text = std::fs::read_to_string(limits_file()).unwrap();
    let limits: BTreeMap<&str, u64> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, limit)| (name, limit.parse().unwrap()))
        .collect();
    let over: Vec<String> = counted
        .iter()
        .filter_map(|(name, value)| match limits.get(name.as_str()) {
            Some(limit) if value <= limit => None,
            Some(limit) => Some(format!("{name}: {value}, at most {limit}")),
            None => Some(format!("{name}: {value}, no limit is written")),
        })
        .collect();
    assert!(over.is_empty(), "{}", over.join("\n"));
}

#[test]
fn components_stay_within_their_sizes() {
    components_are_built().unwrap();
    let manifest = host::manifest::Manifest::read(&root().join("spin.toml")).unwrap();
    for (id, component) in &manifest.components {
        let size = std::fs::metadata(&component.source).unwrap().len();
        let most = match id.as_str() {
            "import" | "collecte" => IMPORT_MAX,
            // Its pages and the description are assets: they come on top of the code.
            "documentation" => 2 * READ_MAX,
            "site" => SITE_MAX,
            "apercu" | "comptes" | "rapports" => INTERNAL_MAX,
            "mcp" => TOOLS_MAX,
            "appariement" => MATCHING_MAX,
            "images" => IMAGES_MAX,
            _ => READ_MAX,
        };
        assert!(size <= most, "{id}: {size} bytes, at most {most}");
    }
}

/// Places of panics name sources: by a path of the machine that built them, components would be larger on one machine than on
/// another, and tell how it is laid out.
#[test]
fn components_name_no_path_of_the_machine_that_built_them() {
    components_are_built().unwrap();
    let manifest = host::manifest::Manifest::read(&root().join("spin.toml")).unwrap();
    let home = std::env::var("HOME").unwrap();
    for (id, component) in &manifest.components {
        let bytes = std::fs::read(&component.source).unwrap();
        for path in ["/registry/src/", &format!("{home}/"), root().to_str().unwrap()] {
            let found = bytes.windows(path.len()).any(|window| window == path.as_bytes());
            assert!(!found, "{id} holds {path}: build it by scripts/build");
        }
    }
}
