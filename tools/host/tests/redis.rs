//! The store on a real Redis: each operation sends what Spin 4.1's provider sends, and fails as it fails.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod common;

use beside::{RedisServer, Watch};
use common::{config, get, request, text};
use host::{Config, Host};
use std::time::{Duration, Instant};

fn on(server: &RedisServer) -> Host {
    Host::start(Config { redis: Some(server.url()), ..config() }).unwrap()
}

/// What a request to the guest makes the host send; the opening of the store, one `PING` on the shared connection, aside.
async fn sent(host: &Host, server: &RedisServer, watch: &mut Watch, path: &str) -> (u16, String, Vec<String>) {
    let (status, answer) = get(host, path).await;
    let mut commands = watch.commands(server);
    assert_eq!(commands.remove(0), "0 PING", "{path}");
    (status, answer, commands)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_sends_what_spin_sends() {
    let Some(server) = RedisServer::start("each_operation_sends_what_spin_sends", &[]) else { return };
    let host = on(&server);
    assert!(host.store().is_none() && host.shown_store().starts_with("Redis at 127.0.0.1:"));
    let mut watch = server.watch();
    let refused =
        |reason: &str| format!("Error::Other(\"An error was signalled by the server - ResponseError: {reason}\")");
    let keys = refused("wrong number of arguments for 'keys' command");
    let text_value = refused("value is not an integer or out of range");
    let rows: [(&str, u16, &str, &[&str]); 17] = [
        ("/get/k", 200, "absent", &["0 GET k"]),
        ("/set/k?3", 200, "set", &["0 SET k vvv"]),
        ("/get/k", 200, "vvv", &["0 GET k"]),
        ("/exists/k", 200, "true", &["0 EXISTS k"]),
        ("/increment/n", 200, "3", &["0 INCRBY n 3"]),
        ("/increment/n", 200, "6", &["0 INCRBY n 3"]),
        ("/get/n", 200, "6", &["0 GET n"]),
        ("/increment/k", 502, &text_value, &["0 INCRBY k 3"]),
        ("/set-many/a,b", 200, "set", &["0 MSET a v b v"]),
        ("/get-many/a,b", 502, &keys, &[]),
        ("/get-many/absent", 200, "0", &["0 KEYS absent"]),
        ("/get-many/a", 500, "", &["0 KEYS a"]),
        ("/delete-many/a,absent", 200, "deleted", &["0 DEL a absent"]),
        ("/delete/b", 200, "deleted", &["0 DEL b"]),
        ("/list", 200, "k n", &["0 KEYS *"]),
        ("/keys", 200, "k n", &["0 SCAN 0"]),
        ("/open/other", 502, "Error::AccessDenied", &[]),
    ];
    for (path, status, answer, commands) in rows {
        if path == "/open/other" {
            let (status_read, answer_read) = get(&host, path).await;
            assert_eq!((status_read, answer_read.contains("AccessDenied")), (status, true), "{path}");
            assert_eq!(watch.commands(&server), [""; 0], "{path}");
            continue;
        }
        let (status_read, answer_read, sent) = sent(&host, &server, &mut watch, path).await;
        assert_eq!((status_read, answer_read.as_str()), (status, answer), "{path}");
        assert_eq!(sent, commands, "{path}");
    }
}

/// Two handles on one key: the first writes and reads as lost, the second is refused and reads as lost too.
#[tokio::test(flavor = "multi_thread")]
async fn a_swap_writes_and_reads_as_lost() {
    let Some(server) = RedisServer::start("a_swap_writes_and_reads_as_lost", &[]) else { return };
    let host = on(&server);
    let mut watch = server.watch();
    for before in ["absent", "there"] {
        let (_, answer, sent) = sent(&host, &server, &mut watch, "/swap/k").await;
        assert_eq!(answer, "lost to first, lost to first, first", "{before}");
        let commands = [
            "1 WATCH k",
            "1 GET k",
            "2 WATCH k",
            "2 GET k", // both look
            "1 MULTI",
            "1 SET k first",
            "1 EXEC",
            "3 WATCH k",
            "3 GET k",
            "3 WATCH k",
            "3 GET k", // the first swaps
            "2 MULTI",
            "2 EXEC",
            "4 WATCH k",
            "4 GET k",
            "4 WATCH k",
            "4 GET k", // the second
            "0 GET k",
        ];
        // The server shows no refused command: the second's SET, and UNWATCH with an argument.
        assert_eq!(sent, commands, "{before}");
    }
    let refused = server.ask("INFO commandstats").join("");
    assert!(refused.contains("cmdstat_unwatch:calls=0"), "refused before it is called: {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_costs_a_held_handle_one_command() {
    let Some(mut server) = RedisServer::start("a_lost_connection_costs_a_held_handle_one_command", &[]) else { return };
    let host = on(&server);
    assert_eq!(request(&host, "PUT", "/set/k", "kept").await.0, 200);
    assert_eq!(server.ask("CLIENT KILL TYPE normal").len(), 1);
    // Opening sends a PING, which takes the failure.
    assert_eq!(text(&host, "/get/k").await, "kept");
    server.start_again();
    let begun = Instant::now();
    assert_eq!(text(&host, "/get/k").await, "kept");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_drops_values_is_refused() {
    let options = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
    let Some(server) = RedisServer::start("a_server_that_drops_values_is_refused", &options) else { return };
    let config = Config { redis: Some(server.url()), ..config() };
    let refused = tokio::task::spawn_blocking(|| Host::start(config).err().unwrap().to_string()).await.unwrap();
    assert!(refused.contains("allkeys-lru") && refused.contains("noeviction"), "{refused}");
}
