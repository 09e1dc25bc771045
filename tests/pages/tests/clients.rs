//! The clients of `clients/` are made from the description, compile, and call every operation that it tells.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops where it fails")]

use pages_tests::start;
use std::process::Command;
use support::root;

fn run(what: &str, command: &mut Command) -> String {
    let output = command.current_dir(root()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{what}:\n{out}\n{err}");
    out
}

#[test]
fn generated_clients_call_every_operation() {
    let there = Command::new("tests/pages/setup.sh").arg("reuse").current_dir(root()).output().unwrap();
    if !there.status.success() {
        support::skipped("generated_clients_call_every_operation", "tests/pages/setup.sh --install reuse");
        return;
    }
    let app = start().unwrap();
    let url = format!("http://{}", app.host.address());
    let with_server = |command: &mut Command| {
        command.env("URL", &url).env("CLE", &app.settings.legacy_api_key);
    };
    let folder = support::Folder::new("clients").unwrap();
    let made = run("clients/generate", Command::new("clients/generate").arg(folder.path()));
    let wheel = made.lines().find(|file| file.ends_with(".whl")).unwrap();
    assert!(made.lines().any(|file| file.ends_with(".tgz")), "{made}");

    let mut npm = Command::new("npm");
    with_server(npm.args(["test", "--silent", "--prefix", "clients/typescript"]));
    assert!(run("TypeScript", &mut npm).contains("operations called"));

    let mut python = Command::new(root().join(".cache/reuse/bin/python"));
    with_server(python.arg("clients/python/test/calls.py").env("PYTHONPATH", folder.path().join("site")));
    let mut install = Command::new(root().join(".cache/reuse/bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]);
    run("pip", install.arg(folder.path().join("site")).arg(wheel));
    assert!(run("Python", &mut python).contains("operations called"));
}
