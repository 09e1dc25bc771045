//! The three ways to schedule the import agree with each other, with the routes, and with the name of the secret.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};
use support::{Application, Request, Settings, root};
use wasmparser::{Parser, Payload};
use yaml_rust2::{Yaml, YamlLoader};

/// What a schedule calls, by the word that names it.
const CALLS: [(&str, &str); 2] = [("avancer", "/internal/import/run"), ("collecter", "/internal/import/pull")];
const SECRET: &str = "import_secret";

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// A program of this machine; `None` where it has none of this name.
fn run(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Option<Output> {
    let found = Command::new(program).args(arguments).envs(variables.iter().copied()).current_dir(root()).output();
    if found.is_err() {
        support::skipped(&format!("planification, what {program} checks"), program);
    }
    found.ok()
}

fn environment_name() -> String {
    format!("SPIN_VARIABLE_{}", SECRET.to_ascii_uppercase())
}

#[test]
fn the_script_calls_the_routes_with_the_applications_secret() {
    let script = read("deploy/schedule/appel.sh");
    for (word, path) in CALLS {
        assert!(script.contains(&format!("{word}) chemin={path} ;;")), "{word}");
    }
    assert!(script.contains("--request POST"));
    assert!(script.contains(&format!("\"${}\"", environment_name())));
    let known = root().join("spin.toml");
    let manifest: toml::Table = std::fs::read_to_string(known).unwrap().parse().unwrap();
    assert_eq!(manifest["variables"][SECRET]["secret"].as_bool(), Some(true));
}

#[test]
fn kubernetes_calls_every_minute_and_every_night_one_at_a_time() {
    let documents = YamlLoader::load_from_str(&read("deploy/schedule/cronjobs.yaml")).unwrap();
    let mut schedules = BTreeMap::new();
    for job in &documents {
        assert_eq!(job["kind"].as_str(), Some("CronJob"));
        let spec = &job["spec"];
        assert_eq!(spec["concurrencyPolicy"].as_str(), Some("Forbid"));
        assert_eq!(spec["timeZone"].as_str(), Some("Europe/Paris"));
        let pod = &spec["jobTemplate"]["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let command: Vec<&str> = container["command"].as_vec().unwrap().iter().filter_map(Yaml::as_str).collect();
        let [shell, script, word] = command.as_slice() else { panic!("{command:?}") };
        assert_eq!((*shell, *script), ("sh", "/appel/appel.sh"));
        assert_eq!(job["metadata"]["name"].as_str(), Some(format!("exposition-{word}").as_str()));
        let variables = container["env"].as_vec().unwrap();
        let named = |name: &str| variables.iter().find(|variable| variable["name"].as_str() == Some(name)).unwrap();
        assert!(named("EXPOSITION_ORIGINE")["value"].as_str().unwrap().starts_with("http"));
        let secret = &named(&environment_name())["valueFrom"]["secretKeyRef"];
        assert_eq!(secret["key"].as_str(), Some(SECRET), "from a Secret, never written down");
        // The script lies in a ConfigMap of this name, made of the one script there is.
        assert_eq!(pod["volumes"][0]["configMap"]["name"].as_str(), Some("exposition-appel"));
        assert_eq!(container["volumeMounts"][0]["mountPath"].as_str(), Some("/appel"));
        schedules.insert((*word).to_owned(), spec["schedule"].as_str().unwrap().to_owned());
    }
    let expected = [("avancer", "* * * * *"), ("collecter", "0 3 * * *")].map(|(w, s)| (w.to_owned(), s.to_owned()));
    assert_eq!(schedules, BTreeMap::from(expected));
    let folder = &YamlLoader::load_from_str(&read("deploy/schedule/kustomization.yaml")).unwrap()[0];
    assert_eq!(folder["resources"][0].as_str(), Some("cronjobs.yaml"));
    let map = &folder["configMapGenerator"][0];
    assert_eq!((map["name"].as_str(), map["files"][0].as_str()), (Some("exposition-appel"), Some("appel.sh")));
    if let Some(built) = run("kubectl", &["kustomize", "deploy/schedule"], &[]) {
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let text = String::from_utf8(built.stdout).unwrap();
        assert_eq!(YamlLoader::load_from_str(&text).unwrap().len(), 3, "the script and two jobs");
    }
}

/// The values of a key of a unit file.
fn unit<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| *name == key).map(|(_, v)| v).collect()
}

#[test]
fn systemd_calls_at_the_same_times() {
    let times = [("avancer", "*-*-* *:*:00"), ("collecter", "*-*-* 03:00:00 Europe/Paris")];
    let mut files = Vec::new();
    for (word, time) in times {
        let service = read(&format!("deploy/systemd/exposition-{word}.service"));
        let call = format!("/bin/sh /usr/local/lib/exposition/appel.sh {word}");
        assert_eq!(unit(&service, "ExecStart"), [call.as_str()]);
        // A service of this type is never started twice at once.
        assert_eq!(unit(&service, "Type"), ["oneshot"]);
        assert_eq!(unit(&service, "EnvironmentFile"), ["/etc/exposition/environnement"]);
        assert!(service.contains(&environment_name()), "the file's variables are named");
        let timer = read(&format!("deploy/systemd/exposition-{word}.timer"));
        assert_eq!(unit(&timer, "OnCalendar"), [time]);
        files.extend([
            format!("deploy/systemd/exposition-{word}.service"),
            format!("deploy/systemd/exposition-{word}.timer"),
        ]);
    }
    let arguments: Vec<&str> = std::iter::once("verify").chain(files.iter().map(String::as_str)).collect();
    if let Some(verified) = run("systemd-analyze", &arguments, &[]) {
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(verified.status.success(), "{said}");
    }
}

#[test]
fn spins_cron_trigger_calls_at_the_same_times() {
    let manifest: toml::Table = read("deploy/spin-cron/spin.toml").parse().unwrap();
    assert_eq!(manifest["variables"][SECRET]["secret"].as_bool(), Some(true));
    let triggers = manifest["trigger"]["cron"].as_array().unwrap();
    assert_eq!(manifest["trigger"].as_table().unwrap().len(), 1, "an application of its own: nothing but the clock");
    // In UTC: three o'clock in Paris is two in winter.
    let times = [("avancer", "0 * * * * *"), ("collecter", "0 0 2 * * *")];
    assert_eq!(triggers.len(), times.len());
    for ((trigger, (word, time)), (_, path)) in triggers.iter().zip(times).zip(CALLS) {
        assert_eq!(trigger["component"].as_str(), Some(word));
        assert_eq!(trigger["cron_expression"].as_str(), Some(time));
        let component = &manifest["component"][word];
        assert_eq!(component["variables"]["chemin"].as_str(), Some(path));
        assert_eq!(component["variables"][SECRET].as_str(), Some(format!("{{{{ {SECRET} }}}}").as_str()));
        let hosts = component["allowed_outbound_hosts"].as_array().unwrap();
        assert_eq!(hosts.iter().map(|h| h.as_str().unwrap()).collect::<Vec<_>>(), ["{{ exposition_origine }}"]);
        let source = component["source"].as_str().unwrap();
        assert!(source.ends_with("/target/wasm32-wasip2/release/cron.wasm"), "{source}");
        assert!(component.get("key_value_stores").is_none(), "it reads and writes nothing");
    }
    assert!(!read("spin.toml").contains("trigger.cron"), "`spin up` of the service needs no plugin");
}

#[test]
fn the_cron_component_has_the_triggers_handler_and_reaches_no_store() {
    let bytes = std::fs::read(support::guest("cron")).unwrap();
    let (mut imports, mut exports, mut depth) = (BTreeSet::new(), BTreeSet::new(), 0);
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= i32::from(depth > 0),
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                exports.extend(section.into_iter().map(|export| export.unwrap().name.name.to_owned()));
            }
            _ => {}
        }
    }
    assert_eq!(exports, BTreeSet::from(["handle-cron-event".to_owned()]));
    assert!(
        imports.contains("spin:cron/cron-types@3.0.0") && imports.contains("wasi:http/client@0.3.0"),
        "{imports:?}"
    );
    assert!(!imports.iter().any(|import| import.contains("key-value") || import.contains("keyvalue")), "{imports:?}");
}

/// What is scheduled, against the application itself.
#[test]
fn the_application_answers_what_is_scheduled() {
    let application = Application::start(Settings::default()).unwrap();
    for (word, path) in CALLS {
        let refused = application.send(&Request::new("POST", path)).unwrap();
        assert_eq!(refused.status, 401, "{path} without the secret");
        let answer =
            application.send(&application.import("POST", path.trim_start_matches("/internal/import/"))).unwrap();
        assert!(![401, 404, 405, 500].contains(&answer.status), "{word}: {} {}", answer.status, answer.json());
    }
}

/// The script itself: it gets through, repeats while there is work, and says what went wrong.
#[test]
fn the_script_runs_against_the_application() {
    let application = Application::start(Settings::default()).unwrap();
    let origin = format!("http://{}/", application.host.address());
    let name = environment_name();
    let call = |word: &str, secret: &str| {
        let variables = [("EXPOSITION_ORIGINE", origin.as_str()), (name.as_str(), secret)];
        run("sh", &["deploy/schedule/appel.sh", word], &variables).unwrap()
    };
    if run("curl", &["--version"], &[]).is_none() {
        return;
    }
    let secret = application.settings.import_secret.clone();
    let done = call("avancer", &secret);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(String::from_utf8_lossy(&done.stdout), "/internal/import/run: 200\n");
    let refused = call("avancer", "un-autre-secret");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).starts_with("/internal/import/run: 401 {"), "{refused:?}");
    assert_eq!(call("autre", &secret).status.code(), Some(2));
    // No service is configured: the call is refused, and the schedule fails where an operator sees it.
    let opened = call("collecter", &secret);
    let said = String::from_utf8_lossy(&opened.stderr).into_owned();
    assert!(said.starts_with("/internal/import/pull: 422 {") && said.contains("message"), "{said}");
    assert_eq!(opened.status.code(), Some(1));
}
