//! What is shipped is known: NOTICE lists it, and every licence is allowed.

use sbom::{notice, root, shipped};

#[test]
fn notice_lists_what_is_linked_into_the_components() {
    notice::check(&root()).unwrap();
}

#[test]
fn what_only_this_machine_runs_is_not_shipped() {
    let packages = shipped::packages(&root()).unwrap();
    let named = |name: &str| packages.iter().any(|package| package.name == name);
    assert!(named("serde_json") && named("spin-sdk"));
    // The bundled host, a procedural macro, a dependency of tests.
    for name in ["wasmtime", "tokio", "serde_derive", "proptest"] {
        assert!(!named(name), "{name}");
    }
}
