//! `deploy/watch`: rules and dashboard are what their readers take, and ask for metrics that there are.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests stop where they fail")]

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use usage::metrics::{METRICS, Metrics};
use yaml_rust2::{Yaml, YamlLoader};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn rules() -> Vec<Yaml> {
    let text = std::fs::read_to_string(root().join("deploy/watch/alertes.yml")).unwrap();
    let read = YamlLoader::load_from_str(&text).unwrap();
    read[0]["groups"].as_vec().unwrap().iter().flat_map(|group| group["rules"].as_vec().unwrap().clone()).collect()
}

fn expressions() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("deploy/watch/tableau.json")).unwrap();
    let board: Value = serde_json::from_str(&text).unwrap();
    let targets = board["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let of_board = targets.map(|target| target["expr"].as_str().unwrap().to_owned());
    of_board.chain(rules().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned())).collect()
}

/// The names of series that an expression asks for, and the labels that it matches or sums by.
fn asked(expression: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    // Texts between quotes are values of labels.
    let code: String = expression.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let names = words(&code).into_iter().filter(|word| word.starts_with("exposition_")).collect();
    let mut labels = BTreeSet::new();
    for matchers in code.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
        labels.extend(matchers.split(',').filter_map(|m| words(m).into_iter().next()));
    }
    for by in code.split(" by (").skip(1).filter_map(|rest| rest.split(')').next()) {
        labels.extend(words(by));
    }
    (names, labels)
}

/// What the program writes of lines of each kind and of a state that tells all.
fn written() -> String {
    let mut metrics = Metrics::default();
    for line in [
        r#"{"date":"2026-11-27T09:48:05+00:00","chemin":"/etat","statut":200,"octets":1,"duree_s":0.1,"cache":"HIT"}"#,
        r#"{"journal":"requete","route":"etat","ms":1,"statut":200,"octets":1,"duree_ms":3,"cache":"MISS"}"#,
    ] {
        metrics.line(line);
    }
    metrics.state(Some(&serde_json::json!({
        "etat": "ok", "publication": {"mise_en_service_le": "2026-11-27T00:00:00.000Z"},
        "imports": [{"etape": "publie", "fini_le": "2026-11-27T00:00:01.000Z"}],
    })));
    metrics.accounts(&serde_json::json!({"users": []}), 0);
    metrics.write(1)
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_there_are() {
    let written = written();
    let series: BTreeSet<&str> = written
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let expressions = expressions();
    let mut used = BTreeSet::new();
    for expression in &expressions {
        let (names, labels) = asked(expression);
        assert!(!names.is_empty(), "{expression}");
        for name in &names {
            assert!(series.contains(name.as_str()), "{name} is written by nobody: {expression}");
        }
        for label in labels {
            assert!(written.lines().any(|line| written_has(line, &names, &label)), "{label}: {expression}");
        }
        let (open, closed) = (expression.matches(['(', '{', '[']).count(), expression.matches([')', '}', ']']).count());
        assert_eq!(open, closed, "{expression}");
        used.extend(names);
    }
    // The other way round: what nobody looks at need not be counted.
    for (name, _, _) in METRICS {
        assert!(used.iter().any(|used| used.starts_with(name)), "{name} is looked at by nobody");
    }
}

fn written_has(line: &str, names: &BTreeSet<String>, label: &str) -> bool {
    names.iter().any(|name| line.starts_with(name)) && line.contains(&format!("{label}=\""))
}

#[test]
fn every_rule_says_what_is_wrong_and_what_to_do() {
    let mut names = BTreeSet::new();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap().to_owned();
        assert!(["page", "ticket"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        for text in ["summary", "action"] {
            assert!(rule["annotations"][text].as_str().is_some_and(|text| text.len() > 20), "{name}: {text}");
        }
        assert!(names.insert(name.clone()), "{name} stands twice");
    }
    for needed in ["ImportEnEchec", "GenerationAncienne", "Erreurs", "Lente", "FautesDuMagasin", "ClesEnFin"] {
        assert!(names.contains(&format!("Exposition{needed}")), "{needed}");
    }
}
