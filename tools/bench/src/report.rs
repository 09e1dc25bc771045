//! The table and the file: ratios, spreads, budgets.

use crate::gateway::Passed;
use crate::http::Answer;
use crate::load::Rate;
use crate::matching::Matched;
use crate::pull::Pull;
use crate::replicas::{Replicated, StoreMemory};
use crate::server::Import;
use anyhow::Context;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The components of the application whose memory is told.
pub const COMPONENTS: &[&str] =
    &["certifications", "regionales", "formations", "mailles", "bcn", "lists", "auth", "status", "import", "collecte"];

/// Budgets on rates, as shares of bare-get: row, whether with the raised reuse count, least.
const BUDGETS: &[(&str, bool, f64)] = &[
    ("document, uniform", false, 0.95),
    ("document, national", false, 0.95),
    ("document, Zipf", true, 1.5),
    ("search", false, 0.6),
    ("SVG", false, 0.6),
    ("filieres view", false, 0.6),
    ("list of 10, gzip not taken", false, 0.6),
    ("list of 10, one filter", false, 0.6),
    ("list of 10, three filters", false, 0.6),
    ("list of 10, deep page", false, 0.6),
    ("list of 10, code filter", false, 0.6),
    ("list of 10, UAI filter", false, 0.6),
];
/// The same as shares of the empty component.
const EMPTY_BUDGETS: &[(&str, bool, f64)] = &[("document, uniform", false, 0.6), ("document, Zipf", true, 0.85)];
/// A document without reuse of instances, as a share of bare-get.
const WITHOUT_REUSE: f64 = 0.8;
/// A first request, as a multiple of the empty component's.
const COLD: f64 = 2.0;
/// p99 of one document, as a multiple of that of bare-get.
const P99: f64 = 1.5;
/// What is left of a list's rate on the larger data set.
const GROWTH: f64 = 0.8;
/// First byte of the full CSV, in milliseconds.
const CSV_FIRST_BYTE_MS: f64 = 20.0;
/// Memory of an instance that streams it, in bytes.
const CSV_MEMORY: u64 = 16 << 20;
/// Seconds of a publication at factor 1, and of one whose answers have to be treated first.
const IMPORT_S: f64 = 60.0;
const PULL_S: f64 = 90.0;
/// The memory of either, in bytes.
const IMPORT_MEMORY: u64 = 96 << 20;
/// Writes of a publication, and with the answers that were staged.
const IMPORT_WRITES: u64 = 30_000;
const PULL_WRITES: u64 = 40_000;
/// The values of a generation with its sources, and the most at once, in MB; what Redis takes for them.
const STORE_MB: f64 = 450.0;
const STORE_PEAK_MB: f64 = 1_000.0;
const REDIS_SHARE: f64 = 1.1;
/// Seconds until the first row of a catalogue of 25,000, and until the last.
const MATCHED_FIRST_S: f64 = 0.3;
const MATCHED_WHOLE_S: f64 = 20.0;
/// Memory of an instance that matches it, in bytes.
const MATCHED_MEMORY: u64 = 32 << 20;
/// Size of a read component, in bytes.
pub const READ_SIZE: u64 = 600 << 10;
/// Size of the component that paints pictures, in bytes.
pub const IMAGES_SIZE: u64 = 1 << 20;
/// Size of the components that match catalogues and that answer assistants, in bytes.
pub const MATCHING_SIZE: u64 = 900 << 10;
/// Budget of the public site, in bytes.
pub const SITE_SIZE: u64 = 800 << 10;
/// Size of the import, in bytes.
pub const IMPORT_SIZE: u64 = 2 << 20;

/// A row of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// The reuse count; `None` is the runtime's own.
    pub reuse: Option<usize>,
    /// What each second came to.
    pub rates: Vec<Pair>,
}

/// What a row came to in a second, and bare-get in the one before.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The row.
    pub rate: Rate,
    /// The yardstick.
    pub bare_get: Rate,
}

impl Row {
    /// Ratios to bare-get, second by second.
    fn to_bare_get(&self, of: impl Fn(&Rate) -> f64) -> Vec<f64> {
        self.rates.iter().map(|pair| of(&pair.rate) / of(&pair.bare_get)).collect()
    }
}

/// What a request of a row takes.
#[derive(Debug, Clone, Copy)]
pub struct Count {
    /// Instructions of the server, outside of the kernel.
    pub instructions: f64,
    /// What the caches lacked, where they were simulated.
    pub misses: Option<Misses>,
    /// Gets of the store.
    pub gets: f64,
    /// Bytes that they brought.
    pub bytes: f64,
}

/// Cache lines that were not where they were looked for.
#[derive(Debug, Clone, Copy)]
pub struct Misses {
    /// Code that the first cache lacked.
    pub code: f64,
    /// Data that the second cache lacked, read or written.
    pub data: f64,
}

/// Prints an import from staged answers.
pub fn print_pull(pull: &Pull) {
    let Pull { factor, calls, documents, treatments, publication, writes, memory } = pull;
    let listed: Vec<String> = treatments.iter().map(|(step, s)| format!("{step} {s:.1}")).collect();
    let treated: f64 = treatments.values().sum();
    let seconds = treated + publication;
    println!("\n| import from staged answers × {factor} | measured | budget at × 1 |\n| --- | --- | --- |");
    println!("| calls staged before | {calls} | |\n| documents published | {documents} | |");
    println!("| treatments | {treated:.1} s ({}) | |\n| publication | {publication:.1} s | |", listed.join(", "));
    println!("| together | {seconds:.1} s | {} |", verdict(seconds <= PULL_S * factor, &format!("≤ {PULL_S} s")));
    let budget = verdict(*writes <= PULL_WRITES, &format!("≤ {PULL_WRITES}"));
    println!("| values written, staging of the answers included | {writes} | {budget} |");
    if let Some(memory) = memory {
        println!("| guest memory | {:.0} MiB | {} |", mib(*memory), verdict(*memory <= IMPORT_MEMORY, "≤ 96 MiB"));
    }
}

/// Prints the memory of the store at a factor, and what replicas answered, against one alone.
pub fn print_replicas(factor: f64, store: &StoreMemory, rows: &[Replicated]) {
    let StoreMemory { used, peak, values } = store;
    println!("\n| memory of Redis × {factor}, {values} values | measured | budget at × 1 |\n| --- | --- | --- |");
    for (what, bytes, budget) in
        [("a generation with its sources", used, STORE_MB), ("at the most", peak, STORE_PEAK_MB)]
    {
        let (mb, most) = (bytes / 1e6, budget * REDIS_SHARE * factor);
        println!("| {what} | {mb:.0} MB | {} |", verdict(mb <= most, &format!("≤ {budget} MB and a tenth")));
    }
    println!("\n| replicas on one Redis | replicas | of one alone | gets a request | bytes of the store a request |");
    println!("| --- | --- | --- | --- | --- |");
    let middle = |row: &Replicated| median(row.rates.iter().copied()).0;
    for row in rows {
        let alone = rows.iter().find(|one| one.row == row.row && one.replicas == 1).map_or(f64::NAN, middle);
        let (name, count, share) = (row.row, row.replicas, middle(row) / alone);
        println!("| {name} | {count} | {share:.2} | {:.2} | {:.0} |", row.gets, row.bytes);
    }
}

/// Prints what nginx answers, as a share of a static file of its own.
pub fn print_gateway(rows: &[Passed]) {
    println!("\n| before the application | rate / a static file of nginx, by its processor time | by the clock |");
    println!("| --- | --- | --- |");
    for Passed { row, rates } in rows {
        let cpu = median(rates.iter().map(|(row, file)| file.cpu / row.cpu));
        let clock = median(rates.iter().map(|(row, file)| row.rate / file.rate));
        println!(
            "| {row} | {:.2} ({:.2}–{:.2}) | {:.2} ({:.2}–{:.2}) |",
            cpu.0, cpu.1, cpu.2, clock.0, clock.1, clock.2
        );
    }
}

/// Prints what a catalogue took.
pub fn print_matched(matched: &Matched) {
    let Matched { sent, bytes, rows, covered, first_row, whole, cpu, memory } = matched;
    let first = median(first_row.iter().map(Duration::as_secs_f64)).0;
    let whole = median(whole.iter().map(Duration::as_secs_f64)).0;
    println!("\n| a catalogue of {rows} rows, {covered} of them covered | measured | budget |\n| --- | --- | --- |");
    println!(
        "| sent, answered | {} KiB, {} KiB | cut in the middle and taken up again: the same bytes ✓ |",
        sent >> 10,
        bytes >> 10
    );
    println!("| first row | {:.0} ms | {} |", first * 1e3, verdict(first <= MATCHED_FIRST_S, "≤ 300 ms"));
    let cpu = median(cpu.iter().copied()).0;
    println!(
        "| whole answer | {cpu:.2} s of one core, {whole:.2} s by the clock | {} |",
        verdict(cpu <= MATCHED_WHOLE_S, "≤ 20 s")
    );
    if let Some(memory) = memory {
        println!("| guest memory | {:.1} MiB | {} |", mib(*memory), verdict(*memory <= MATCHED_MEMORY, "≤ 32 MiB"));
    }
}

/// Prints what was counted, as shares of bare-get.
pub fn print_counts(counts: &[(String, Count)]) {
    let bare = counts.iter().find(|(name, _)| name == crate::BARE_GET).map_or(f64::NAN, |(_, c)| c.instructions);
    println!("| route | bare-get / instructions | instructions | gets | bytes read | misses of code | of data |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (name, Count { instructions, misses, gets, bytes }) in counts {
        let misses = misses.map_or("| ".to_owned(), |m| format!("{:.0} | {:.0}", m.code, m.data));
        println!("| {name} | {:.2} | {instructions:.0} | {gets:.2} | {bytes:.0} | {misses} |", bare / instructions);
    }
}

/// A route on two data sets.
#[derive(Debug, Clone)]
pub struct Growth {
    /// The row.
    pub name: String,
    /// The smaller factor.
    pub from: f64,
    /// The larger one.
    pub to: f64,
    /// Rate on the larger over rate on the smaller, one a round.
    pub ratios: Vec<f64>,
}

/// An import.
#[derive(Debug, Clone)]
pub struct ImportRow {
    /// Size of the data set.
    pub factor: f64,
    /// Documents pushed.
    pub lines: usize,
    /// What it took.
    pub import: Import,
}

/// First requests of a component without instances, in microseconds, one of each a round.
#[derive(Debug, Clone, Default)]
pub struct Cold {
    /// Until the first byte of one that comes alone.
    pub alone: Vec<f64>,
    /// Until the last of as many as there are connections, all at once, is answered.
    pub crowd: Vec<f64>,
}

/// Everything measured.
#[derive(Debug, Default)]
pub struct Report {
    /// What served.
    pub runtime: String,
    /// Load of the machine before the first row.
    pub load_average: String,
    /// Bytes of each component.
    pub sizes: BTreeMap<String, u64>,
    /// Imports, by rising factor.
    pub imports: Vec<ImportRow>,
    /// The import from staged answers.
    pub pull: Option<Pull>,
    /// A catalogue of formations.
    pub matched: Option<Matched>,
    /// Closed-loop rows.
    pub rows: Vec<Row>,
    /// Small against large.
    pub growth: Vec<Growth>,
    /// Requests a second of the open-loop runs.
    pub open_rate: f64,
    /// Open-loop p50, p99 and p99.9 in microseconds, one a round.
    pub open: BTreeMap<String, Vec<[f64; 3]>>,
    /// First requests, by component.
    pub cold: BTreeMap<String, Cold>,
    /// Exports, logins and their yardstick.
    pub streams: BTreeMap<String, Vec<Answer>>,
    /// Bytes of the full CSV.
    pub csv_bytes: usize,
    /// Peak memory of the instance that streamed it.
    pub csv_memory: Option<u64>,
    /// Peak memory of an instance that verified a password.
    pub login_memory: Option<u64>,
    /// Peak memory of an instance of each component under load.
    pub memory: BTreeMap<String, u64>,
}

/// The middle of some values, and where their middle half begins and ends; of three and fewer the least and the greatest.
pub fn median(values: impl IntoIterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let at = |rank: usize| values.get(rank).copied().unwrap_or(f64::NAN);
    let (half, quarter) = (values.len() / 2, values.len() / 4);
    (at(half), at(quarter), at(values.len().saturating_sub(1 + quarter)))
}

fn verdict(met: bool, budget: &str) -> String {
    if met { format!("{budget} ✓") } else { format!("{budget} **missed**") }
}

/// The size of every component that the manifest names.
pub fn component_sizes(root: &Path) -> anyhow::Result<BTreeMap<String, u64>> {
    let text = std::fs::read_to_string(root.join("spin.toml"))?;
    let sources = text.lines().filter_map(|line| line.strip_prefix("source = \"")?.strip_suffix('"'));
    sources
        .filter(|source| source.ends_with(".wasm"))
        .map(|source| {
            let file = root.join(source);
            let size = std::fs::metadata(&file).with_context(|| format!("{source} is not built"))?.len();
            let name = file.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            Ok((name, size))
        })
        .collect()
}

impl Report {
    fn row(&self, name: &str, reuse: Option<usize>) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name && row.reuse == reuse)
    }

    /// The median rate of a row.
    pub fn median_rate(&self, name: &str, reuse: Option<usize>) -> Option<f64> {
        Some(median(self.row(name, reuse)?.rates.iter().map(|r| r.rate.rate)).0)
    }

    /// Ratios of rates to the empty component, round by round.
    fn to_empty(&self, row: &Row) -> Vec<f64> {
        let Some(empty) = self.row("empty", row.reuse) else { return Vec::new() };
        row.rates.iter().zip(&empty.rates).map(|(a, b)| b.rate.cpu / a.rate.cpu).collect()
    }

    /// Prints the tables.
    pub fn print(&self) {
        println!(
            "Runtime: {}; load average before: {}; medians of seconds, (their middle half)\n",
            self.runtime, self.load_average
        );
        println!(
            "Rates count requests a second of the server's processor time: what others take from it does not count."
        );
        println!(
            "The clock's column is by the wall clock, `stolen` the most that others took in a round that counts.\n"
        );
        println!(
            "| route | reuse | rate / bare-get | by the clock | rate / empty | p99 / bare-get | stolen | budget |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
        for row in &self.rows {
            let bare = median(row.to_bare_get(|r| 1.0 / r.cpu));
            let clock = median(row.to_bare_get(|r| r.rate));
            let stolen = row.rates.iter().map(|pair| pair.rate.stolen.max(pair.bare_get.stolen)).fold(0.0, f64::max);
            let empty = median(self.to_empty(row));
            let p99 = median(row.to_bare_get(|r| r.p99));
            let raised = row.reuse.is_some();
            let budget = BUDGETS.iter().find(|(name, with, _)| *name == row.name && *with == raised);
            let mut cell = budget.map(|b| verdict(bare.0 >= b.2, &format!("≥ {}", b.2))).unwrap_or_default();
            if let Some((_, _, least)) =
                EMPTY_BUDGETS.iter().find(|(name, with, _)| *name == row.name && *with == raised)
            {
                cell.push_str(&verdict(empty.0 >= *least, &format!(", ≥ {least} of empty")));
            }
            if row.name == "document, uniform" && row.reuse == Some(1) {
                cell = verdict(bare.0 >= WITHOUT_REUSE, &format!("≥ {WITHOUT_REUSE}"));
            }
            if row.name == "document, uniform" && !raised {
                cell.push_str(&verdict(p99.0 <= P99, &format!(", p99 ≤ {P99} ×")));
            }
            println!(
                "| {} | {} | {:.2} ({:.2}–{:.2}) | {:.2} | {:.2} | {:.2} ({:.2}–{:.2}) | {:.0} % | {cell} |",
                row.name,
                row.reuse.map_or("default".to_owned(), |n| n.to_string()),
                bare.0,
                bare.1,
                bare.2,
                clock.0,
                empty.0,
                p99.0,
                p99.1,
                p99.2,
                stolen * 100.0
            );
        }
        println!("\n| route | data | rate on the larger / on the smaller | budget |\n| --- | --- | --- | --- |");
        for growth in &self.growth {
            let (middle, least, most) = median(growth.ratios.iter().copied());
            let cell = verdict(middle >= GROWTH, &format!("≥ {GROWTH}"));
            println!(
                "| {} | × {} against × {} | {middle:.2} ({least:.2}–{most:.2}) | {cell} |",
                growth.name, growth.to, growth.from
            );
        }
        if !self.open.is_empty() {
            self.print_open_loops();
        }
        if !self.cold.is_empty() {
            self.print_cold();
        }
        if !self.streams.is_empty() {
            self.print_streams();
        }
        if !self.imports.is_empty() {
            self.print_imports();
        }
        if let Some(pull) = &self.pull {
            print_pull(pull);
        }
        if let Some(matched) = &self.matched {
            print_matched(matched);
        }
        println!("\n| component | KiB | budget | memory under load, MiB |\n| --- | --- | --- | --- |");
        for (name, size) in &self.sizes {
            let budget = match name.as_str() {
                "import" | "collecte" | "apercu" | "comptes" | "rapports" => IMPORT_SIZE,
                "site" => SITE_SIZE,
                "appariement" | "mcp" => MATCHING_SIZE,
                "images" => IMAGES_SIZE,
                _ => READ_SIZE,
            };
            let memory = self.memory.get(name).filter(|m| **m > 0);
            let memory = memory.map_or("not measured".to_owned(), |m| format!("{:.1}", mib(*m)));
            let cell = match name.as_str() {
                "documentation" => "its assets included: none".to_owned(),
                _ => verdict(*size <= budget, &format!("≤ {} KiB", budget >> 10)),
            };
            println!("| {name} | {} | {cell} | {memory} |", size >> 10);
        }
    }

    fn print_open_loops(&self) {
        println!(
            "\nOpen loop, {:.0} % of bare-get's rate, latency from the instant a request was due, / bare-get:\n",
            crate::OPEN_SHARE * 100.0
        );
        println!("| route | p50 | p99 | p99.9 |\n| --- | --- | --- | --- |");
        if let Some(bare) = self.open.get("bare-get") {
            for (name, runs) in &self.open {
                let cell = |rank: usize| {
                    let of = |run: &[f64; 3]| run.get(rank).copied().unwrap_or_default();
                    let (middle, least, most) = median(runs.iter().zip(bare).map(|(a, b)| of(a) / of(b)));
                    format!("{middle:.2} ({least:.2}–{most:.2})")
                };
                println!("| {name} | {} | {} | {} |", cell(0), cell(1), cell(2));
            }
        }
    }

    fn print_cold(&self) {
        println!(
            "\n| first request of an instance | first byte / empty | {} at once, the last / empty | budget |",
            crate::load::CONNECTIONS
        );
        println!("| --- | --- | --- | --- |");
        let empty = self.cold.get("empty").cloned().unwrap_or_default();
        for (name, cold) in &self.cold {
            let of = |times: &Cold, which: fn(&Cold) -> &Vec<f64>| median(which(times).iter().copied()).0;
            let alone = of(cold, |c| &c.alone) / of(&empty, |c| &c.alone);
            let crowd = of(cold, |c| &c.crowd) / of(&empty, |c| &c.crowd);
            println!("| {name} | {alone:.2} | {crowd:.2} | {} |", verdict(alone <= COLD, &format!("≤ {COLD}")));
        }
    }

    fn print_streams(&self) {
        let times = |name: &str, of: fn(&Answer) -> f64| median(self.streams.get(name).into_iter().flatten().map(of)).0;
        let bare = times("bare-get", |a| a.whole.as_secs_f64());
        println!("\n| one at a time | first byte / bare-get | whole / bare-get | budget |\n| --- | --- | --- | --- |");
        for name in ["CSV", "CSV, gzip", "login"] {
            let first = times(name, |a| a.first_byte.as_secs_f64());
            let whole = times(name, |a| a.whole.as_secs_f64());
            let cell = match name {
                "CSV" => {
                    let memory = self.csv_memory.map_or("memory not measured".to_owned(), |m| {
                        verdict(m <= CSV_MEMORY, &format!("{:.1} MiB ≤ 16 MiB", mib(m)))
                    });
                    verdict(first * 1e3 <= CSV_FIRST_BYTE_MS, &format!("first byte {:.1} ms ≤ 20 ms", first * 1e3))
                        + ", "
                        + &memory
                }
                _ => String::new(),
            };
            println!("| {name} | {:.1} | {:.0} | {cell} |", first / bare, whole / bare);
        }
        #[expect(clippy::cast_precision_loss, reason = "megabytes")]
        let rate = self.csv_bytes as f64 / 1e6 / times("CSV", |a| a.whole.as_secs_f64());
        println!("\nThe full CSV: {} bytes, {rate:.0} MB/s on one core.", self.csv_bytes);
    }

    fn print_imports(&self) {
        println!(
            "\n| import × | documents | time / that of × {} per document | writes | memory, MiB | budget at × 1 |",
            self.imports.last().map_or(1.0, |i| i.factor)
        );
        println!("| --- | --- | --- | --- | --- | --- |");
        #[expect(clippy::cast_precision_loss, reason = "documents")]
        let per_line = |row: &ImportRow| row.import.seconds / row.lines as f64;
        let last = self.imports.last().map_or(1.0, per_line);
        for row in &self.imports {
            let import = &row.import;
            #[expect(clippy::float_cmp, reason = "as given on the command line")]
            let budget = if row.factor == 1.0 {
                [
                    verdict(import.seconds <= IMPORT_S, &format!("{:.0} s ≤ {IMPORT_S} s", import.seconds)),
                    verdict(import.writes <= IMPORT_WRITES, &format!("≤ {IMPORT_WRITES} writes")),
                    import
                        .peak_memory
                        .map_or("memory not measured".to_owned(), |m| verdict(m <= IMPORT_MEMORY, "≤ 96 MiB")),
                ]
                .join(", ")
            } else {
                String::new()
            };
            let memory = import.peak_memory.map_or("not measured".to_owned(), |m| format!("{:.0}", mib(m)));
            println!(
                "| {} | {} | {:.2} | {} | {memory} | {budget} |",
                row.factor,
                row.lines,
                per_line(row) / last,
                import.writes
            );
        }
    }

    /// Everything measured, raw.
    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "name": row.name, "reuse": row.reuse,
                    "rates": row.rates.iter().map(|pair| {
                        let of = |r: &Rate| {
                            json!({"rate": r.rate, "cpu_us": r.cpu, "p50_us": r.p50, "p99_us": r.p99, "stolen": r.stolen})
                        };
                        json!({"row": of(&pair.rate), "bare_get": of(&pair.bare_get)})
                    }).collect::<Vec<_>>(),
                    "to_bare_get": row.to_bare_get(|r| 1.0 / r.cpu),
                    "to_bare_get_by_the_clock": row.to_bare_get(|r| r.rate),
                    "to_empty": self.to_empty(row),
                })
            })
            .collect();
        let growth: Vec<Value> = self
            .growth
            .iter()
            .map(|g| json!({"name": g.name, "from": g.from, "to": g.to, "ratios": g.ratios}))
            .collect();
        let imports: Vec<Value> = self
            .imports
            .iter()
            .map(|row| {
                let i = &row.import;
                json!({
                    "factor": row.factor, "documents": row.lines, "parts": i.parts, "staging_s": i.staging,
                    "publication_s": i.seconds, "cleaning_s": i.cleaning, "writes": i.writes, "peak_memory": i.peak_memory,
                })
            })
            .collect();
        let streams: BTreeMap<&String, Vec<Value>> = self
            .streams
            .iter()
            .map(|(name, answers)| {
                let times = |a: &Answer| json!({"first_byte_s": a.first_byte.as_secs_f64(), "whole_s": a.whole.as_secs_f64(), "bytes": a.bytes});
                (name, answers.iter().map(times).collect())
            })
            .collect();
        json!({
            "pull": self.pull.as_ref().map(|p| json!({
                "factor": p.factor, "calls": p.calls, "documents": p.documents, "treatments_s": p.treatments,
                "publication_s": p.publication, "writes": p.writes, "peak_memory": p.memory,
            })),
            "matching": self.matched.as_ref().map(|m| json!({
                "sent": m.sent, "bytes": m.bytes, "rows": m.rows, "covered": m.covered, "peak_memory": m.memory,
                "first_row_s": m.first_row.iter().map(Duration::as_secs_f64).collect::<Vec<_>>(),
                "cpu_s": m.cpu,
                "whole_s": m.whole.iter().map(Duration::as_secs_f64).collect::<Vec<_>>(),
            })),
            "runtime": self.runtime, "load_average": self.load_average, "sizes": self.sizes, "imports": imports,
            "rows": rows, "growth": growth, "open": {"rate": self.open_rate, "p50_p99_p999_us": self.open},
            "cold_us": self.cold.iter().map(|(n, c)| (n, json!({"alone": c.alone, "crowd": c.crowd}))).collect::<BTreeMap<_, _>>(),
            "streams": streams, "csv_peak_memory": self.csv_memory,
            "login_peak_memory": self.login_memory, "peak_memory": self.memory,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
