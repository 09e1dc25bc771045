//! Reports of the last imports: whole for operators, without reasons and values for everyone.

use crate::error::AdminError;
use api::error::NotFound;
use collection::Run;
use plausibility::Rule;
use publication::{Job, JobStep};
use serde_json::{Map, Value, json};
use store::kv::{KeyValue, KeyValueWrite, to_json, to_value};
use store::{frame, keys, public_record};

/// Runs whose reports are kept.
const KEPT: usize = 20;
/// Generations whose coverage is kept.
const HISTORY_KEPT: usize = 100;
/// The ids of the kept reports, newest first, with what a list of them shows.
const LIST: &str = "work:reports";
/// Bytes of the public reports together, at most: they lie in one value.
const PUBLIC_MAX: usize = 250 * 1024;
/// Bytes of a report, at most.
const REPORT_MAX: usize = 250 * 1024;
/// Unknown fields and measures that a public report names, a service.
const PUBLIC_NAMES: usize = 20;

fn report_key(id: &str) -> String {
    format!("work:report:{id}")
}

/// The kept reports, newest first: id, times, where it ended.
pub async fn list<K: KeyValue>(kv: &K) -> Result<Vec<Value>, AdminError> {
    Ok(kv.get(LIST).await?.and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default())
}

/// A kept report.
pub async fn read<K: KeyValue>(kv: &K, id: &str) -> Result<Value, AdminError> {
    let unknown = AdminError::NotFound(NotFound::Report);
    if !list(kv).await?.iter().any(|r| r.get("id").and_then(Value::as_str) == Some(id)) {
        return Err(unknown);
    }
    kv.get(&report_key(id)).await?.and_then(|b| serde_json::from_slice(&b).ok()).ok_or(unknown)
}

/// Keeps the report of an ended import, once.
///
/// The report goes first and the list after it: killed in between, the next call does both again.
pub async fn keep<K: KeyValueWrite>(kv: &K, job: &Job, run: Option<&(Run, Option<Value>)>) -> Result<(), AdminError> {
    let mut list = list(kv).await?;
    if list.iter().any(|r| r.get("id").and_then(Value::as_str) == Some(job.id.as_str())) {
        return Ok(());
    }
    let run = run.filter(|(c, _)| c.id == job.id);
    let mut report = to_value(&report_key(&job.id), job)?;
    if let (Some((run, run_report)), Some(object)) = (run, report.as_object_mut()) {
        object.insert(
            "collecte".into(),
            json!({
                "demande": run.demand, "etape": run.step, "ouvert_ms": run.opened_ms, "fini_ms": run.ended_ms,
                "echec": run.failure, "rapport": run_report,
            }),
        );
        // A run that fails before its publication gives its job up: that is how the job ends, not the import.
        if run.failure.is_some() {
            object.insert("etape".into(), json!("echec"));
        }
    }
    let mut bytes = to_json(&report_key(&job.id), &report)?;
    if bytes.len() > REPORT_MAX {
        // What would not fit says what it is about, how it ended, and that the rest is left out.
        let mut shortened = choice(&report, &["id", "ouvert_ms", "fini_ms", "etape", "generation"]);
        let failure = report.get("bilan").and_then(|b| b.get("echec")).and_then(Value::as_str).unwrap_or_default();
        let failure: String = failure.chars().take(1_000).collect();
        if let Some(object) = shortened.as_object_mut() {
            object.insert("bilan".into(), json!({"echec": failure}));
            object.insert("abrege".into(), true.into());
        }
        report = shortened;
        bytes = to_json(&report_key(&job.id), &report)?;
    }
    kv.set(&report_key(&job.id), bytes).await?;
    show(kv, public(&report)).await?;
    if job.step == JobStep::Published {
        note_coverage(kv, &report).await?;
    }
    list.insert(0, choice(&report, &["id", "ouvert_ms", "fini_ms", "etape", "generation"]));
    let old_codes: Vec<String> = list
        .drain(KEPT.min(list.len())..)
        .filter_map(|r| r.get("id").and_then(Value::as_str).map(report_key))
        .collect();
    kv.set(LIST, to_json(LIST, &list)?).await?;
    Ok(kv.delete_many(old_codes).await?)
}

/// Lets everyone see that a publication waits, and for what kind of answer: no sentence, which may name a document.
pub(crate) async fn note_waiting<K: KeyValueWrite>(kv: &K, job: &Job) -> Result<(), AdminError> {
    let mut waiting = public(&to_value(&report_key(&job.id), job)?);
    let mut options: Vec<&str> = job.summary.unconfirmed(&job.options).into_iter().map(|(option, _)| option).collect();
    if job.step == JobStep::AwaitSignOff {
        options.push("valider");
    }
    if let Some(object) = waiting.as_object_mut() {
        object.insert("attend".into(), options.into());
    }
    show(kv, waiting).await
}

/// Lets everyone see that the generation before is served again.
pub(crate) async fn note_rollback<K: KeyValueWrite>(
    kv: &K,
    id: &str,
    generation: &str,
    now: i64,
) -> Result<(), AdminError> {
    let line =
        json!({"id": id, "ouvert_ms": now, "fini_ms": now, "etape": "retour", "generation": generation, "bilan": {}});
    show(kv, line).await
}

/// Puts a line among the public ones.
async fn show<K: KeyValueWrite>(kv: &K, line: Value) -> Result<(), AdminError> {
    put_first(kv, keys::REPORTS, line, KEPT).await
}

/// Keeps what a generation covers beside what those before it did. Counts of documents and of what exists, nothing else.
async fn note_coverage<K: KeyValueWrite>(kv: &K, report: &Value) -> Result<(), AdminError> {
    let mut line = choice(report, &["id", "generation", "fini_ms"]);
    let summary = report.get("bilan").map(|summary| choice(summary, &["couverture", "existants"]));
    if let (Some(line), Some(Value::Object(mut summary))) = (line.as_object_mut(), summary) {
        line.append(&mut summary);
    }
    put_first(kv, keys::HISTORY, line, HISTORY_KEPT).await
}

/// Puts a line at the beginning of an array that everyone sees, in place of the one of the same id. So many are kept at most,
/// and the oldest go where they would not fit into a value.
async fn put_first<K: KeyValueWrite>(kv: &K, key: &str, line: Value, kept: usize) -> Result<(), AdminError> {
    // What cannot be read is let go: each import says its own again.
    let stored = kv.get(key).await?.and_then(|value| public_record::open_shown(key, &value).ok());
    let lines: Option<Vec<Value>> = stored.and_then(|array| serde_json::from_slice(&array).ok());
    let mut lines = lines.unwrap_or_default();
    let id = line.get("id").cloned();
    lines.retain(|other| other.get("id") != id.as_ref());
    lines.insert(0, line);
    lines.truncate(kept);
    let mut bytes = to_json(key, &lines)?;
    while bytes.len() > PUBLIC_MAX && lines.len() > 1 {
        lines.pop();
        bytes = to_json(key, &lines)?;
    }
    Ok(kv.set(key, frame::seal(key, bytes)).await?)
}

fn choice(value: &Value, fields: &[&str]) -> Value {
    let chosen = fields.iter().map(|c| ((*c).to_owned(), value.get(*c).cloned().unwrap_or_default()));
    Value::Object(chosen.collect())
}

/// What everyone may see of a report: counts, names of fields, kinds of reasons. Neither examples
/// nor words of a service: they may name an establishment.
fn public(report: &Value) -> Value {
    let mut public = choice(report, &["id", "ouvert_ms", "fini_ms", "etape", "generation", "bilan"]);
    if let Some(summary) = public.get_mut("bilan").and_then(Value::as_object_mut) {
        // How many values were written depends on the lengths of hidden figures.
        for told in ["refus", "echec", "doublons", "anomalies_a_confirmer", "en_vigueur_a_confirmer", "ecritures"] {
            summary.remove(told);
        }
        // How often each rule was broken, without the sentences; of rules about figures it would say something of hidden ones.
        let rules = summary.get("anomalies").and_then(|a| a.get("regles")).and_then(Value::as_object);
        let counts = rules.map(|rules| {
            let count =
                |(rule, told): (&String, &Value)| (rule.clone(), told.get("nombre").cloned().unwrap_or_default());
            let public = |(rule, _): &(&String, &Value)| Rule::parse(rule).is_some_and(|rule| !rule.reads_figures());
            Value::Object(rules.iter().filter(public).map(count).collect())
        });
        match counts {
            Some(counts) => drop(summary.insert("anomalies".into(), counts)),
            None => drop(summary.remove("anomalies")),
        }
        if let Some(differences) = summary.get_mut("differences").and_then(Value::as_object_mut) {
            differences.remove("plus_grandes");
        }
    }
    let run = report.get("collecte");
    let latest_run = run.and_then(|c| c.get("rapport")).filter(|r| !r.is_null());
    if let (Some(latest_run), Some(object)) = (latest_run, public.as_object_mut()) {
        let mut copy = latest_run.clone();
        if let Some(copy) = copy.as_object_mut() {
            for source in copy.get_mut("sources").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
                if let Some(source) = source.as_object_mut() {
                    source.remove("echecs");
                    first(source.get_mut("champs_inconnus"));
                }
            }
            let treatments = copy.get_mut("traitements").and_then(Value::as_object_mut);
            for treatment in treatments.into_iter().flat_map(Map::values_mut) {
                first(treatment.get_mut("mesures_inconnues"));
                let rejections = treatment.get_mut("rejets").and_then(Value::as_object_mut);
                for rejection in rejections.into_iter().flat_map(Map::values_mut) {
                    *rejection = rejection.get("nombre").cloned().unwrap_or_default();
                }
            }
            copy.insert("demande".into(), run.and_then(|c| c.get("demande")).cloned().unwrap_or_default());
        }
        object.insert("collecte".into(), copy);
    }
    public
}

fn first(names: Option<&mut Value>) {
    if let Some(Value::Object(names)) = names {
        let too_much: Vec<String> = names.keys().skip(PUBLIC_NAMES).cloned().collect();
        for name in too_much {
            names.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_executor::block_on;
    use store::MemoryStore;

    #[test]
    fn twenty_reports_are_kept_and_the_public_ones_hold_no_example() {
        let kv = MemoryStore::default();
        block_on(async {
            for n in 0..25 {
                let mut job = Job::default();
                job.id = format!("j{n}");
                let mut run = Run::default();
                run.id.clone_from(&job.id);
                let mut report = collection::RunReport::default();
                let source = report.sources.entry(sources::Service::Bcn).or_default();
                source.calls = 9;
                source.failures.push(collection::FailedCall {
                    call: "/UAI/0750001U".into(),
                    reason: "status 404".into(),
                    resumed: true,
                });
                let mut treatment = treatments::TreatmentReport::default();
                treatment.reject(&treatments::Rejection::UaiIncorrect { uai: "0750001U".into() });
                report.treatments.insert(sources::Service::Bcn, treatment);
                let latest_run = (run, Some(to_value("report", &report).unwrap()));
                keep(&kv, &job, Some(&latest_run)).await.unwrap();
                keep(&kv, &job, Some(&latest_run)).await.unwrap();
            }
            assert_eq!(list(&kv).await.unwrap().len(), KEPT);
            assert!(read(&kv, "j24").await.unwrap().to_string().contains("0750001U"));
            assert!(read(&kv, "j0").await.is_err());
            assert_eq!(kv.keys().iter().filter(|k| k.starts_with("work:report:")).count(), KEPT);
            let reports_kept = kv.get(keys::REPORTS).await.unwrap().unwrap();
            let reports_kept =
                String::from_utf8(public_record::open_shown(keys::REPORTS, &reports_kept).unwrap()).unwrap();
            assert!(reports_kept.contains("\"appels\":9") && reports_kept.contains("uai_incorrect"), "{reports_kept}");
            assert!(!reports_kept.contains("0750001U") && !reports_kept.contains("404"), "{reports_kept}");
        });
    }

    /// Invariant 3: how often a rule about figures is broken follows from hidden ones too; a push of one document would tell one.
    #[test]
    fn invariant_3_everyone_is_told_of_no_rule_about_figures() {
        let kv = MemoryStore::default();
        let mut job = Job::default();
        for rule in Rule::ALL {
            let tally = publication::RuleTally { level: plausibility::Severity::Noted, count: 7, examples: Vec::new() };
            job.summary.anomalies.rules.insert(rule.text().name.to_owned(), tally);
        }
        block_on(keep(&kv, &job, None)).unwrap();
        block_on(note_waiting(&kv, &job)).unwrap();
        let bytes = block_on(kv.get(keys::REPORTS)).unwrap().unwrap();
        let lines: Vec<Value> =
            serde_json::from_slice(&public_record::open_shown(keys::REPORTS, &bytes).unwrap()).unwrap();
        for line in &lines {
            let told = line["bilan"]["anomalies"].as_object().unwrap();
            assert!(told["uai_lettre"] == 7 && told.len() > 10, "{line}");
            let of_figures =
                |name: &&String| name.starts_with("taux_") || name.starts_with("effectif_") || *name == "parts_somme";
            assert_eq!(told.keys().find(of_figures), None, "{line}");
        }
        assert!(!lines.is_empty());
    }
}
