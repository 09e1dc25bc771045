//! The attacker over HTTP: what a running service answers to whoever asks.
//!
//! Lists give the documents, as they leave; views are asked one by one. Nothing is known here of how they are made.

use crate::answers::{Cell, ViewAnswer};
use crate::views::{AskedViews, ViewPlace, ties};
use anyhow::{Context, ensure};
use domain::Document;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// How many views are asked for side by side.
const SIDE_BY_SIDE: usize = 8;
/// The most rows that a list gives at once, which is more than any has.
const ALL: usize = 1_000_000;
/// A list of production size takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest answer, in bytes.
const ANSWER_MAX: u64 = 1 << 30;

/// A running service.
#[derive(Debug)]
pub struct Site {
    agent: ureq::Agent,
    origin: String,
    key: String,
    asked: AtomicUsize,
}

/// What it told.
#[derive(Debug)]
pub struct Told {
    /// The statistics that lists hold.
    pub cells: Vec<Cell>,
    /// The views that tell a count or a rate.
    pub views: Vec<ViewAnswer>,
    /// How many requests that took.
    pub requests: usize,
}

impl Site {
    /// A service at an origin; `key` opens its lists.
    #[must_use]
    pub fn new(origin: &str, key: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        let origin = origin.trim_end_matches('/').to_owned();
        Self { agent: config.into(), origin, key: key.to_owned(), asked: AtomicUsize::new(0) }
    }

    fn get(&self, target: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        self.asked.fetch_add(1, Relaxed);
        let call = self.agent.get(format!("{}{target}", self.origin)).header("x-api-key", &self.key).call();
        let mut answer = call.with_context(|| target.to_owned())?;
        let body = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec();
        Ok((answer.status().as_u16(), body.with_context(|| target.to_owned())?))
    }

    fn json(&self, target: &str) -> anyhow::Result<Value> {
        let (status, body) = self.get(target)?;
        ensure!(status == 200, "{target}: {status}");
        serde_json::from_slice(&body).with_context(|| target.to_owned())
    }

    /// The statistics of every list, of every millesime that the status names.
    fn cells(&self) -> anyhow::Result<Vec<Cell>> {
        let status = self.json("/api/status")?;
        let documents = status.get("documents").and_then(Value::as_object).context("/api/status names no documents")?;
        let mut cells = Vec::new();
        for (maille, millesimes) in documents {
            let millesimes: Vec<&str> =
                millesimes.as_object().into_iter().flatten().map(|(millesime, _)| millesime.as_str()).collect();
            let list = match maille.as_str() {
                "certifications" | "regionales" | "formations" => maille.clone(),
                declared => format!("mailles/{declared}"),
            };
            let target =
                format!("/api/inserjeunes/{list}.ndjson?items_par_page={ALL}&millesimes={}", millesimes.join(","));
            let (status, body) = self.get(&target)?;
            ensure!(status == 200, "{target}: {status} {}", String::from_utf8_lossy(&body));
            for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let document: Document = serde_json::from_slice(line).with_context(|| target.clone())?;
                // Its messages say that something is hidden; where they say nothing, null is what nobody has.
                let messages = document.get("_meta").and_then(|meta| meta.get("messages")).and_then(Value::as_array);
                let words = messages.into_iter().flatten().filter_map(Value::as_str);
                let hidden = words.clone().any(|text| text.contains("moins de 20") || text.contains("pas assez"));
                cells.extend(Cell::read(&document, hidden));
            }
        }
        Ok(cells)
    }

    /// The view of some CFDs: each filiere as it is shown.
    fn view(&self, at: &ViewPlace, cfds: &[&str]) -> anyhow::Result<Vec<ViewAnswer>> {
        let place = match at.maille.as_str() {
            "national" => String::new(),
            "regionale" => format!("regionales/{}/", at.place),
            declared => format!("mailles/{declared}/{}/", at.place),
        };
        let target = format!(
            "/api/inserjeunes/{place}certifications/{}?vue=filieres&millesime={}",
            cfds.join("%7C"),
            at.millesime
        );
        let (status, body) = self.get(&target)?;
        if status == 404 {
            return Ok(Vec::new());
        }
        ensure!(status == 200, "{target}: {status}");
        let view: BTreeMap<String, Document> = serde_json::from_slice(&body).with_context(|| target.clone())?;
        Ok(view.iter().map(|(filiere, sum)| ViewAnswer::read(&at.maille, &at.place, filiere, sum)).collect())
    }

    /// Asks for many views, some side by side; in the order that they were named.
    fn all(&self, asked: &[(ViewPlace, Vec<String>)]) -> anyhow::Result<Vec<Vec<ViewAnswer>>> {
        let next = AtomicUsize::new(0);
        let answers: Mutex<BTreeMap<usize, anyhow::Result<Vec<ViewAnswer>>>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..SIDE_BY_SIDE {
                scope.spawn(|| {
                    while let rank = next.fetch_add(1, Relaxed)
                        && let Some((at, cfds)) = asked.get(rank)
                    {
                        let cfds: Vec<&str> = cfds.iter().map(String::as_str).collect();
                        let answer = self.view(at, &cfds);
                        if let Ok(mut answers) = answers.lock() {
                            answers.insert(rank, answer);
                        }
                    }
                });
            }
        });
        let answers = answers.into_inner().map_err(|_| anyhow::anyhow!("a thread that asks has stopped"))?;
        answers.into_values().collect()
    }

    /// Everything that the attacker asks for.
    ///
    /// # Errors
    /// Where the service does not answer as it should.
    pub fn ask(&self) -> anyhow::Result<Told> {
        let cells = self.cells()?;
        let mut places: BTreeMap<ViewPlace, BTreeSet<String>> = BTreeMap::new();
        for cell in cells.iter().filter(|cell| cell.key.maille != "etablissement") {
            places.entry(ViewPlace::of(cell)).or_default().insert(cell.key.cfd.clone());
        }
        let tied = ties(&cells);
        let ones: Vec<(ViewPlace, Vec<String>)> =
            places.iter().flat_map(|(at, cfds)| cfds.iter().map(move |cfd| (at.clone(), vec![cfd.clone()]))).collect();
        let mut singles: BTreeMap<ViewPlace, Vec<Vec<ViewAnswer>>> = BTreeMap::new();
        for ((at, _), view) in ones.iter().zip(self.all(&ones)?) {
            singles.entry(at.clone()).or_default().push(view);
        }
        let mut pairs = Vec::new();
        for (at, cfds) in &places {
            let cfds: Vec<&str> = cfds.iter().map(String::as_str).collect();
            let asked =
                AskedViews { cfds: &cfds, ones: singles.get(at).map_or(&[], Vec::as_slice), tied: tied.get(at) };
            pairs.extend(asked.pairs().into_iter().map(|pair| (at.clone(), pair.map(str::to_owned).to_vec())));
        }
        let mut views: Vec<ViewAnswer> = singles.into_values().flatten().flatten().collect();
        views.extend(self.all(&pairs)?.into_iter().flatten());
        views.retain(ViewAnswer::tells);
        Ok(Told { cells, views, requests: self.asked.load(Relaxed) })
    }
}
