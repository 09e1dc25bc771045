//! The `host up` command: its message, its sources of variables, its control port.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod common;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// A running command, ended with the test.
struct Up {
    child: Child,
    address: SocketAddr,
    control: SocketAddr,
    message: String,
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn up(folder: &std::path::Path, arguments: &[&str], environment: &[(&str, &str)]) -> Up {
    let mut child = Command::new(env!("CARGO_BIN_EXE_host"))
        .args(["up", "--listen", "127.0.0.1:0", "--control=127.0.0.1:0", "--fast-unsafe-store"])
        .args(arguments)
        .current_dir(folder)
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut message = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let control = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some(control) = line.strip_prefix("Control port http://") {
            break control.parse().unwrap();
        }
        message += &format!("{line}\n");
    };
    let serving = message.lines().find_map(|line| line.strip_prefix("Serving http://"));
    let address = serving.unwrap().parse().unwrap();
    Up { child, address, control, message }
}

async fn ask(address: SocketAddr, method: &str, path: &str, body: &'static str) -> (u16, String) {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap();
    let response = common::send(address, request).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn variables_come_from_the_command_the_environment_and_the_file() {
    let folder = common::app_folder();
    let greeting = async |arguments: &[&str], environment: &[(&str, &str)]| {
        let up = up(&folder, arguments, environment);
        ask(up.address, "GET", "/variable/greeting", "").await.1
    };
    std::fs::write(folder.join(".env"), "SPIN_VARIABLE_SECRET=file\n").unwrap();
    let environment = [("SPIN_VARIABLE_SECRET", "environment")];
    assert_eq!(greeting(&[], &[]).await, "hello, file!");
    assert_eq!(greeting(&[], &environment).await, "hello, environment!");
    assert_eq!(greeting(&["--variable", "secret=command"], &environment).await, "hello, command!");
}

#[tokio::test]
async fn it_says_what_it_serves_and_where_it_stores() {
    let folder = common::app_folder();
    let up = up(&folder, &["--variable=secret=s", "--sqlite", "elsewhere.db"], &[]);
    let address = up.address;
    assert_eq!(
        up.message,
        format!(
            "Storing default key-value data to \"elsewhere.db\".\n\nServing http://{address}\nAvailable Routes:\n  \
             guest: http://{address} (wildcard)\n    Shows one behaviour per path\n  \
             second: http://{address}/second (wildcard)\n  \
             guest: http://{address}/headers/:first_name/:last (wildcard)\n    Shows one behaviour per path\n  \
             hidden: private (http://hidden.spin.internal)\n  static: http://{address}/fixed\n"
        )
    );
    assert!(folder.join("elsewhere.db").exists());
}

#[tokio::test]
async fn the_control_port_turns_and_reads() {
    let up = up(&common::app_folder(), &["--variable=secret=s"], &[]);
    let (app, control) = (up.address, up.control);
    assert_eq!(ask(control, "PUT", "/clock", "2001-09-09T01:46:40Z").await.0, 204);
    assert!(ask(app, "GET", "/clock", "").await.1.starts_with("1000000000 1000000000 "));
    assert_eq!(ask(control, "PUT", "/clock", "yesterday").await.0, 400);
    assert_eq!(ask(control, "PUT", "/clock", "").await.0, 204);
    assert!(!ask(app, "GET", "/clock", "").await.1.starts_with("1000000000 "));

    let faults = r#"{"rules":[{"on":"get","prefix":"k","effect":"fail"}]}"#;
    assert_eq!(ask(control, "PUT", "/faults", faults).await.0, 204);
    assert_eq!(ask(app, "GET", "/get/k", "").await.0, 502);
    assert_eq!(ask(app, "GET", "/get/other", "").await.0, 200);
    assert_eq!(ask(control, "PUT", "/faults", "").await.0, 204);
    assert_eq!(ask(app, "GET", "/get/k", "").await.0, 200);
    assert_eq!(ask(control, "PUT", "/faults", "{}").await.0, 400);

    let counters = ask(control, "GET", "/counters", "").await.1;
    let counters: host::testing::AllCounters = serde_json::from_str(&counters).unwrap();
    assert_eq!(counters["guest"].gets, 3);
    assert_eq!(ask(control, "DELETE", "/counters", "").await.0, 204);
    assert!(ask(control, "GET", "/counters", "").await.1.contains("\"gets\": 0"));

    assert_eq!(ask(control, "GET", "/call/hidden/empty", "").await, (200, "ok".to_owned()));
    assert_eq!(ask(control, "GET", "/call/nobody/empty", "").await.0, 404);
    assert_eq!(ask(control, "GET", "/other", "").await.0, 404);
}

#[test]
fn mistakes_are_told() {
    let folder = common::folder("mistakes");
    let told = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_host")).args(arguments).current_dir(&folder).output();
        let output = output.unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told(&[]).starts_with("no command\n\nhost up: serves"));
    assert!(told(&["up", "--lissen", "1"]).starts_with("--lissen: no such option"));
    assert!(told(&["up", "--variable", "x"]).starts_with("--variable: is given as NAME=VALUE"));
    assert!(told(&["up", "--listen", "here"]).starts_with("--listen: cannot parse argument \"here\""));
    assert!(told(&["up"]).starts_with("spin.toml: No such file"));
}
