//! Metrics in Prometheus' text form, of the lines that come in and of what the application says of itself.
//!
//! They are counters of one process that reads a log from now on, so a restart begins at zero, which Prometheus knows how
//! to read. The application itself has none: its instances live for a moment and would each count their own part.

use crate::record::{Record, Source};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Upper ends of the classes of durations, in seconds.
const CLASSES: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// What components say before a fault on their standard error.
const FAULTS: [&str; 5] = ["store", "variables", "housekeeping", "limits", "appariement"];
/// Days ahead of its end from which a key is told to end.
const ENDING_DAYS: i64 = 30;

/// Every metric: its name, its kind, what it says.
pub const METRICS: [(&str, &str, &str); 14] = [
    ("exposition_requests_total", "counter", "Requests answered, by who logged them, route, status and cache."),
    (
        "exposition_request_duration_seconds",
        "histogram",
        "From the request to the last byte, by who logged it and route.",
    ),
    ("exposition_response_bytes_total", "counter", "Bytes of bodies, by who logged them and route."),
    ("exposition_broken_answers_total", "counter", "Answers whose body ended before its end."),
    ("exposition_faults_total", "counter", "Faults that components told on their standard error, by kind."),
    ("exposition_log_lines_unread_total", "counter", "Lines that are neither a request nor a known fault."),
    ("exposition_up", "gauge", "Whether the application answered /api/status."),
    ("exposition_data_readable", "gauge", "Whether it says that its data can be read."),
    ("exposition_generation_published_timestamp_seconds", "gauge", "When what is served was published."),
    ("exposition_last_import_failed", "gauge", "Whether the last import failed."),
    ("exposition_last_import_timestamp_seconds", "gauge", "When the last import ended."),
    ("exposition_keys", "gauge", "Personal keys that open something."),
    ("exposition_keys_ending", "gauge", "Personal keys that end within 30 days."),
    ("exposition_metrics_written_timestamp_seconds", "gauge", "When these metrics were written."),
];

/// Durations of one route.
#[derive(Clone, Copy, Debug, Default)]
struct Durations {
    classes: [u64; CLASSES.len()],
    sum_us: u64,
    count: u64,
}

/// What came in so far.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: BTreeMap<(&'static str, &'static str, u16, &'static str), u64>,
    bytes: BTreeMap<(&'static str, &'static str), u64>,
    durations: BTreeMap<(&'static str, &'static str), Durations>,
    broken: u64,
    faults: BTreeMap<&'static str, u64>,
    unread: u64,
    gauges: BTreeMap<&'static str, f64>,
}

/// What a cache did, in one of a few words.
fn cache(word: &str) -> &'static str {
    ["HIT", "MISS", "EXPIRED", "STALE", "UPDATING", "REVALIDATED", "BYPASS"]
        .into_iter()
        .find(|known| *known == word)
        .unwrap_or("none")
}

impl Metrics {
    /// Takes a line.
    pub fn line(&mut self, line: &str) {
        let Some(record) = Record::read(line) else {
            let known = FAULTS.into_iter().find(|kind| {
                line.find(kind).and_then(|at| line.get(at + kind.len()..)).is_some_and(|rest| rest.starts_with(": "))
            });
            match known {
                Some(kind) => *self.faults.entry(kind).or_default() += 1,
                None if line.trim().is_empty() => {}
                None => self.unread += 1,
            }
            return;
        };
        let source = match record.source {
            Source::Nginx => "nginx",
            Source::Application => "application",
        };
        let (route, cache) = (record.route, cache(&record.cache));
        *self.requests.entry((source, route, record.status, cache)).or_default() += 1;
        *self.bytes.entry((source, route)).or_default() += record.bytes;
        self.broken += u64::from(record.broken);
        if let Some(us) = record.duration_us {
            let durations = self.durations.entry((source, route)).or_default();
            #[expect(clippy::cast_precision_loss, reason = "a duration is far below 2^52 microseconds")]
            let seconds = us as f64 / 1e6;
            for (class, end) in durations.classes.iter_mut().zip(CLASSES) {
                *class += u64::from(seconds <= end);
            }
            durations.sum_us += us;
            durations.count += 1;
        }
    }

    /// Takes what the application says of itself (`/api/status`); `None` where it does not answer.
    pub fn state(&mut self, state: Option<&Value>) {
        let told = |yes: bool| if yes { 1.0 } else { 0.0 };
        self.gauges.insert("exposition_up", told(state.is_some()));
        let Some(state) = state else { return };
        self.gauges.insert("exposition_data_readable", told(state["etat"] == "ok"));
        if let Some(at) = seconds(&state["publication"]["mise_en_service_le"]) {
            self.gauges.insert("exposition_generation_published_timestamp_seconds", at);
        }
        if let Some(last) = state["imports"].get(0) {
            self.gauges.insert("exposition_last_import_failed", told(last["etape"] == "echec"));
            if let Some(at) = seconds(&last["fini_le"]) {
                self.gauges.insert("exposition_last_import_timestamp_seconds", at);
            }
        }
    }

    /// Takes the accounts (`/internal/import/users`), on this day counted from 1970: only how many keys end is told.
    pub fn accounts(&mut self, accounts: &Value, today: i64) {
        let users = accounts["users"].as_array().into_iter().flatten().filter(|user| user["desactive"] != true);
        let keys = users.flat_map(|user| user["cles"].as_array().into_iter().flatten());
        let (mut open, mut ending) = (0_u32, 0_u32);
        let (now, soon) = (crate::totals::write_day(today), crate::totals::write_day(today + ENDING_DAYS));
        for key in keys {
            let last = key["expire_le"].as_str();
            if last.is_none_or(|last| last >= now.as_str()) {
                open += 1;
                ending += u32::from(last.is_some_and(|last| last <= soon.as_str()));
            }
        }
        self.gauges.insert("exposition_keys", open.into());
        self.gauges.insert("exposition_keys_ending", ending.into());
    }

    /// The text form, written at this time.
    #[must_use]
    pub fn write(&self, now_s: u64) -> String {
        let mut text = String::new();
        for (name, kind, help) in METRICS {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            match name {
                "exposition_requests_total" => {
                    for ((source, route, status, cache), count) in &self.requests {
                        let _ = writeln!(
                            text,
                            "{name}{{source=\"{source}\",route=\"{route}\",status=\"{status}\",cache=\"{cache}\"}} {count}"
                        );
                    }
                }
                "exposition_response_bytes_total" => {
                    for ((source, route), bytes) in &self.bytes {
                        let _ = writeln!(text, "{name}{{source=\"{source}\",route=\"{route}\"}} {bytes}");
                    }
                }
                "exposition_request_duration_seconds" => {
                    for ((source, route), durations) in &self.durations {
                        histogram(&mut text, name, &format!("source=\"{source}\",route=\"{route}\""), durations);
                    }
                }
                "exposition_faults_total" => {
                    for kind in FAULTS {
                        let count = self.faults.get(kind).copied().unwrap_or_default();
                        let _ = writeln!(text, "{name}{{kind=\"{kind}\"}} {count}");
                    }
                }
                "exposition_broken_answers_total" => {
                    let _ = writeln!(text, "{name} {}", self.broken);
                }
                "exposition_log_lines_unread_total" => {
                    let _ = writeln!(text, "{name} {}", self.unread);
                }
                "exposition_metrics_written_timestamp_seconds" => {
                    let _ = writeln!(text, "{name} {now_s}");
                }
                gauge => {
                    if let Some(value) = self.gauges.get(gauge) {
                        let _ = writeln!(text, "{name} {value}");
                    }
                }
            }
        }
        text
    }
}

fn histogram(text: &mut String, name: &str, labels: &str, durations: &Durations) {
    for (end, count) in CLASSES.iter().zip(durations.classes) {
        let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{end}\"}} {count}");
    }
    let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", durations.count);
    let (whole, part) = (durations.sum_us / 1_000_000, durations.sum_us % 1_000_000);
    let _ = writeln!(text, "{name}_sum{{{labels}}} {whole}.{part:06}\n{name}_count{{{labels}}} {}", durations.count);
}

fn seconds(iso: &Value) -> Option<f64> {
    let ms = domain::date::read_iso(iso.as_str()?)?;
    #[expect(clippy::cast_precision_loss, reason = "an instant of these centuries")]
    let seconds = ms as f64 / 1e3;
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_and_the_state_become_metrics() {
        let mut metrics = Metrics::default();
        for line in [
            r#"{"date":"2026-11-27T09:48:05+00:00","chemin":"/api/inserjeunes/formations","statut":503,"octets":10,"duree_s":0.004,"cache":""}"#,
            r#"{"date":"2026-11-27T09:48:05+00:00","chemin":"/api/inserjeunes/formations","statut":503,"octets":10,"duree_s":20,"cache":""}"#,
            r#"{"journal":"requete","ms":1,"route":"etat","statut":200,"octets":10,"duree_ms":3,"cache":"MISS","rompu":"oui"}"#,
            "store: the store did not answer: time",
            "2026 exposition[1]: store: again",
            "Serving http://127.0.0.1:3000",
        ] {
            metrics.line(line);
        }
        metrics.state(Some(&json!({
            "etat": "ok", "publication": {"mise_en_service_le": "2026-11-27T00:00:00.000Z"},
            "imports": [{"etape": "echec", "fini_le": "2026-11-27T00:00:01.000Z"}, {"etape": "publie"}],
        })));
        let keys = json!({"users": [
            {"cles": [{"expire_le": "2026-11-30"}, {"expire_le": "2027-11-30"}, {"expire_le": "2026-11-01"}, {}]},
            {"desactive": true, "cles": [{"expire_le": "2026-11-30"}]},
        ]});
        metrics.accounts(&keys, domain::date::days(2026, 11, 27));
        let text = metrics.write(7);
        for expected in [
            r#"exposition_requests_total{source="nginx",route="formations",status="503",cache="none"} 2"#,
            r#"exposition_request_duration_seconds_bucket{source="nginx",route="formations",le="0.005"} 1"#,
            r#"exposition_request_duration_seconds_bucket{source="nginx",route="formations",le="+Inf"} 2"#,
            r#"exposition_request_duration_seconds_sum{source="nginx",route="formations"} 20.004000"#,
            r#"exposition_response_bytes_total{source="nginx",route="formations"} 20"#,
            r#"exposition_faults_total{kind="store"} 2"#,
            "exposition_broken_answers_total 1",
            "exposition_log_lines_unread_total 1",
            "exposition_up 1",
            "exposition_data_readable 1",
            "exposition_last_import_failed 1",
            "exposition_generation_published_timestamp_seconds 1795737600",
            "exposition_keys 3",
            "exposition_keys_ending 1",
            "exposition_metrics_written_timestamp_seconds 7",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected}\n{text}");
        }
        metrics.state(None);
        assert!(metrics.write(8).contains("exposition_up 0"));
    }
}
