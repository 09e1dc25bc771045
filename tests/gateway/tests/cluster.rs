//! What `kubectl kustomize` makes of both overlays is valid, and says what the rooms of the cluster may do.
//!
//! `schemas.json` holds, in the words of JSON Schema, the fields of the resources that are used here, as the documentation
//! of Kubernetes and of SpinKube has them: a field that is misspelt or misplaced is found, which a cluster would drop.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop where they fail")]

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::process::Command;
use support::root;
use yaml_rust2::{Yaml, YamlLoader};

const OVERLAYS: [&str; 2] = ["recette", "production"];

fn to_json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::String(text) => json!(text),
        Yaml::Integer(number) => json!(number),
        Yaml::Boolean(yes) => json!(yes),
        Yaml::Array(items) => items.iter().map(to_json).collect(),
        Yaml::Hash(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.as_str().unwrap().to_owned(), to_json(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Yaml::Null => Value::Null,
        other => panic!("{other:?} is no value of a manifest"),
    }
}

/// The resources of an overlay; `None` where the test is skipped.
fn resources(overlay: &str) -> Option<Vec<Value>> {
    // No package of Debian has it: it is told where it is missing, and never required.
    let kubectl = Command::new("kubectl").arg("version").arg("--client").output();
    if kubectl.is_err() {
        beside::skipped("the manifests of a cluster", "kubectl");
        return None;
    }
    let folder = format!("deploy/kubernetes/overlays/{overlay}");
    let built = Command::new("kubectl").args(["kustomize", &folder]).current_dir(root()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let text = String::from_utf8(built.stdout).unwrap();
    Some(YamlLoader::load_from_str(&text).unwrap().iter().map(to_json).collect())
}

fn schemas() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join("tests/gateway/schemas.json")).unwrap()).unwrap()
}

/// What of a value does not fit its schema, each with its place.
fn faults(schemas: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(part) = schema["$ref"].as_str() {
        assert!(schemas["parts"][part].is_object(), "no part {part}");
        return faults(schemas, &schemas["parts"][part], value, place, found);
    }
    let mut fault = |text: String| found.push(format!("{place}: {text}"));
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        other => panic!("{other} is no type here"),
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().map(|t| t.as_str().unwrap()).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|t| is(t)) {
        return fault(format!("{value} is no {types:?}"));
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        fault(format!("{value} is none of {}", schema["enum"]));
    }
    if value.as_i64().zip(schema["minimum"].as_i64()).is_some_and(|(value, least)| value < least) {
        fault(format!("{value} is too small"));
    }
    if let Some(items) = value.as_array() {
        if schema["minItems"].as_u64().is_some_and(|least| (items.len() as u64) < least) {
            fault("too few".to_owned());
        }
        for (rank, item) in items.iter().enumerate() {
            faults(schemas, &schema["items"], item, &format!("{place}[{rank}]"), found);
        }
    } else if let Some(fields) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap()) {
            if !fields.contains_key(name) {
                found.push(format!("{place}: {name} is missing"));
            }
        }
        for (name, value) in fields {
            let inside = format!("{place}.{name}");
            match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => found.push(format!("{inside}: no such field")),
                (Value::Null, other) => faults(schemas, other, value, &inside, found),
                (known, _) => faults(schemas, known, value, &inside, found),
            }
        }
    }
}

fn check(resource: &Value) -> Vec<String> {
    let (schemas, kind) = (schemas(), resource["kind"].as_str().unwrap());
    let schema = &schemas["kinds"][kind];
    let mut found = Vec::new();
    if schema.is_object() {
        faults(&schemas, schema, resource, kind, &mut found);
    } else {
        found.push(format!("{kind}: no schema"));
    }
    found
}

fn named<'a>(all: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = all.iter().find(|r| r["kind"] == kind && r["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

#[test]
fn both_overlays_are_valid_and_a_misspelt_field_is_found() {
    for overlay in OVERLAYS {
        let Some(all) = resources(overlay) else { return };
        for resource in &all {
            assert_eq!(check(resource), Vec::<String>::new(), "{overlay}");
            let namespace = format!("exposition-{overlay}");
            let own = resource["kind"] == "Namespace" || resource["metadata"]["namespace"] == namespace.as_str();
            assert!(own, "{overlay}: {}", resource["metadata"]);
        }
        let mut spelt = named(&all, "SpinApp", "exposition").clone();
        spelt["spec"]["replica"] = json!(2);
        spelt["spec"]["executor"] = json!(1);
        spelt["spec"].as_object_mut().unwrap().remove("image");
        assert_eq!(check(&spelt).len(), 3, "{:?}", check(&spelt));
    }
}

#[test]
fn two_replicas_at_least_read_and_one_imports() {
    let spin: Value = manifest();
    let components: BTreeSet<&str> = spin["component"].as_object().unwrap().keys().map(String::as_str).collect();
    for overlay in OVERLAYS {
        let Some(all) = resources(overlay) else { return };
        let (reads, imports) = (named(&all, "SpinApp", "exposition"), named(&all, "SpinApp", "exposition-import"));
        let scaling = named(&all, "HorizontalPodAutoscaler", "exposition");
        assert_eq!((&reads["spec"]["enableAutoscaling"], &reads["spec"]["replicas"]), (&json!(true), &Value::Null));
        let least = scaling["spec"]["minReplicas"].as_u64().unwrap();
        let budget = named(&all, "PodDisruptionBudget", "exposition")["spec"]["minAvailable"].as_u64().unwrap();
        assert!(least >= 2 && budget >= 1 && budget < least, "one may always be replaced");
        assert!(named(&all, "Deployment", "exposition-cache")["spec"]["replicas"].as_u64().unwrap() >= 2);
        assert_eq!(imports["spec"]["replicas"], 1);
        let of = |app: &Value| -> BTreeSet<String> {
            app["spec"]["components"].as_array().unwrap().iter().map(|c| c.as_str().unwrap().to_owned()).collect()
        };
        let (reading, importing) = (of(reads), of(imports));
        // The import calls the pull inside Spin, which two deployments could not; the preview knows the import's secret.
        assert_eq!(
            importing,
            BTreeSet::from(["apercu", "collecte", "comptes", "import", "rapports"].map(str::to_owned))
        );
        let both: BTreeSet<&str> = reading.union(&importing).map(String::as_str).collect();
        assert!(both == components && reading.is_disjoint(&importing), "each component runs in one of them");
        for app in [reads, imports] {
            assert_eq!(app["spec"]["runtimeConfig"]["loadFromSecret"], "exposition-runtime-config");
            assert!(app["spec"]["checks"]["readiness"]["httpGet"]["path"].is_string());
            for variable in app["spec"]["variables"].as_array().unwrap() {
                let name = variable["name"].as_str().unwrap();
                let known = &spin["variables"][name];
                assert!(known.is_object(), "{name} is no variable of the manifest");
                // A secret is never written down.
                let from = &variable["valueFrom"]["secretKeyRef"];
                assert_eq!(known["secret"] == true, from["name"] == "exposition" && from["key"] == name, "{name}");
            }
        }
        let profile = |app: &Value| {
            let variables = app["spec"]["variables"].as_array().unwrap();
            variables.iter().any(|v| v["name"] == "store_profile" && v["value"] == "redis")
        };
        assert!(profile(reads) && profile(imports), "logins write too");
    }
}

fn manifest() -> Value {
    // Values of the manifest are texts, numbers and lists: JSON has them all.
    let text = std::fs::read_to_string(root().join("spin.toml")).unwrap();
    serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
}

#[test]
fn only_the_import_goes_out_and_only_to_named_networks() {
    for overlay in OVERLAYS {
        let Some(all) = resources(overlay) else { return };
        let policies: Vec<&Value> = all.iter().filter(|r| r["kind"] == "NetworkPolicy").collect();
        let nothing = named(&all, "NetworkPolicy", "exposition-rien");
        assert_eq!(nothing["spec"]["podSelector"], json!({}));
        assert_eq!(nothing["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
        assert!(nothing["spec"]["ingress"].is_null() && nothing["spec"]["egress"].is_null(), "all is refused at first");
        for policy in policies {
            for rule in policy["spec"]["egress"].as_array().into_iter().flatten() {
                let peers = rule["to"].as_array().unwrap();
                assert!(rule["ports"].is_array(), "{policy}");
                for block in peers.iter().filter(|peer| peer["ipBlock"].is_object()) {
                    assert_eq!(policy["metadata"]["name"], "exposition-import", "only the import goes out");
                    let (_, size) = block["ipBlock"]["cidr"].as_str().unwrap().split_once('/').unwrap();
                    assert!(size.parse::<u8>().unwrap() >= 16, "a network, not the world");
                    assert_eq!(rule["ports"], json!([{"port": 443, "protocol": "TCP"}]));
                }
            }
        }
        let from =
            |policy: &str| -> Value { named(&all, "NetworkPolicy", policy)["spec"]["ingress"][0]["from"].clone() };
        assert_eq!(from("exposition").as_array().unwrap().len(), 1, "readers are called by the cache only");
        assert_eq!(
            from("exposition-import")[0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"],
            "exposition-appel"
        );
        // Whatever is named is there, and the schedule calls the import past the cache.
        let jobs: Vec<&Value> = all.iter().filter(|r| r["kind"] == "CronJob").collect();
        assert_eq!(jobs.len(), 2);
        for job in jobs {
            let template = &job["spec"]["jobTemplate"]["spec"]["template"];
            assert_eq!(template["metadata"]["labels"]["app.kubernetes.io/name"], "exposition-appel");
            let env = template["spec"]["containers"][0]["env"].as_array().unwrap();
            assert!(env.iter().any(|e| e["name"] == "EXPOSITION_ORIGINE" && e["value"] == "http://exposition-import"));
        }
        let ingress = &named(&all, "Ingress", "exposition")["spec"]["rules"][0];
        let service = ingress["http"]["paths"][0]["backend"]["service"]["name"].as_str().unwrap();
        assert_eq!(named(&all, "Service", service)["spec"]["selector"]["app.kubernetes.io/name"], "exposition-cache");
        let store = named(&all, "StatefulSet", "exposition-valkey").to_string();
        assert!(store.contains("noeviction") && store.contains("appendonly"), "the store drops nothing");
    }
}

#[test]
fn the_cache_of_a_cluster_is_the_one_that_is_tested() {
    let Some(all) = resources("production") else { return };
    let deployment = &named(&all, "Deployment", "exposition-cache")["spec"]["template"]["spec"];
    let map = deployment["volumes"][0]["configMap"]["name"].as_str().unwrap();
    let files = &named(&all, "ConfigMap", map)["data"];
    for file in ["exposition.conf", "routes.conf"] {
        let tested = std::fs::read_to_string(root().join("deploy/nginx").join(file)).unwrap();
        assert_eq!(files[file].as_str(), Some(tested.as_str()), "{file}");
    }
    assert!(files["nginx.conf"].as_str().unwrap().contains("include /etc/nginx/exposition/routes.conf;"));
    // Debian's nginx reads it, where names of the cluster are names of this machine.
    let Some(nginx) = beside::program("nginx", "the cache's configuration in a cluster") else { return };
    let folder = support::Folder::new("nginx-cluster").unwrap();
    let here = folder.path().display().to_string();
    std::fs::create_dir_all(folder.path().join("cache")).unwrap();
    for (name, text) in files.as_object().unwrap() {
        let mut text = text.as_str().unwrap().to_owned();
        // The container's tmp and its list of types first: what follows names places of this machine.
        for (there, here) in [
            (" /tmp/", format!(" {here}/")),
            ("include /etc/nginx/mime.types;", String::new()),
            ("/etc/nginx/exposition", here.clone()),
            ("/var/cache/nginx/exposition", format!("{here}/cache")),
            ("exposition:80;", "127.0.0.1:80;".to_owned()),
        ] {
            text = text.replace(there, &here);
        }
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let checked = Command::new(nginx).args(["-t", "-p", &here, "-c", &format!("{here}/nginx.conf")]).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
