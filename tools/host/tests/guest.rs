//! A running application: what a guest sees of the runtime, and what a client sees of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod common;

use bytes::Bytes;
use common::{config, get, request, start, text};
use host::testing::{Effect, Fault, Faults, Operation};
use host::{Config, Host, Reuse};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use std::time::{Duration, Instant, SystemTime};

fn reusing(reuse: Reuse) -> Host {
    Host::start(Config { reuse, ..config() }).unwrap()
}

/// Tests may share a host.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Host>();
};

/// Gets the path this many times at once, or nearly: a burst finds every instance busy starting.
async fn at_once(host: &Host, path: &str, times: u32, apart: Duration) -> Vec<(u16, String)> {
    let requests = (0..times).map(|number| async move {
        tokio::time::sleep(apart * number).await;
        get(host, path).await
    });
    futures_util::future::join_all(requests).await
}

#[tokio::test]
async fn an_instance_answers_as_many_requests_as_allowed() {
    let host = reusing(Reuse { max_requests: 3, ..Reuse::default() });
    let mut served = Vec::new();
    for _ in 0..7 {
        served.push(text(&host, "/served").await);
    }
    assert_eq!(served, ["1", "2", "3", "1", "2", "3", "1"]);
    assert_eq!(host.counters()["guest"].instances, 3);
}

#[tokio::test]
async fn an_idle_instance_is_dropped() {
    let host = reusing(Reuse { idle: Duration::from_millis(500), ..Reuse::default() });
    assert_eq!(text(&host, "/served").await, "1");
    assert_eq!(text(&host, "/served").await, "2");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(text(&host, "/served").await, "1");
}

#[tokio::test]
async fn requests_share_an_instance_while_they_wait() {
    let alone = reusing(Reuse { max_concurrent: 1, ..Reuse::default() });
    assert!(at_once(&alone, "/sleep/300", 8, Duration::ZERO).await.iter().all(|(status, _)| *status == 200));
    assert_eq!(alone.counters()["guest"].instances, 8);
    let shared = start();
    text(&shared, "/empty").await;
    let apart = Duration::from_millis(20);
    assert!(at_once(&shared, "/sleep/600", 20, apart).await.iter().all(|(status, _)| *status == 200));
    let instances = shared.counters()["guest"].instances;
    assert!((2..16).contains(&instances), "{instances} instances for 20 requests, 16 at once each");
}

#[tokio::test]
async fn too_many_instances_are_an_error() {
    let host = reusing(Reuse { max_concurrent: 1, max_instances: 2, ..Reuse::default() });
    let mut answers = at_once(&host, "/sleep/500", 3, Duration::ZERO).await;
    answers.sort();
    let slept = (200, "slept".to_owned());
    assert_eq!(answers, [slept.clone(), slept, (500, String::new())]);
    assert_eq!(text(&host, "/empty").await, "ok");
}

#[tokio::test]
async fn a_trap_is_an_empty_500_and_ends_its_instance_only() {
    let host = start();
    assert_eq!(text(&host, "/second/served").await, "1");
    assert_eq!(text(&host, "/served").await, "1");
    for path in ["/trap", "/panic"] {
        assert_eq!(get(&host, path).await, (500, String::new()));
        assert_eq!(text(&host, "/served").await, "1", "a new instance");
    }
    assert_eq!(text(&host, "/second/served").await, "2");
}

#[tokio::test]
async fn routes_and_what_the_host_answers_itself() {
    let host = start();
    assert_eq!(get(&host, "/.well-known/spin/health").await, (200, "OK".to_owned()));
    let info: serde_json::Value = serde_json::from_str(&text(&host, "/.well-known/spin/info").await).unwrap();
    assert_eq!(info, serde_json::json!({"name": "guest", "version": "1.2.3"}));
    assert_eq!(get(&host, "/.well-known/spin/other").await, (404, String::new()));
    assert_eq!(get(&host, "/fixed").await, (418, "fixed".to_owned()));
    let headers = text(&host, "/headers/a%20b/c/d//e/?q=1").await;
    let address = host.address();
    for line in [
        format!("uri: http://{address}/headers/a%20b/c/d//e/?q=1"),
        format!("spin-full-url: http://{address}/headers/a%20b/c/d//e/?q=1"),
        "spin-path-info: /d//e/".to_owned(),
        "spin-matched-route: /headers/:first_name/:last/...".to_owned(),
        "spin-raw-component-route: /headers/:first_name/:last/...".to_owned(),
        "spin-component-route: /headers/:first_name/:last".to_owned(),
        "spin-base-path: /".to_owned(),
        "spin-path-match-first-name: a%20b".to_owned(),
        "spin-path-match-last: c".to_owned(),
    ] {
        assert!(headers.lines().any(|found| found == line), "{line} is not in\n{headers}");
    }
    assert!(headers.contains("spin-client-addr: 127.0.0.1:"));
}

#[tokio::test]
async fn a_path_without_a_route_is_an_empty_404() {
    let folder = common::app_folder();
    let manifest = std::fs::read_to_string(folder.join("spin.toml")).unwrap();
    std::fs::write(folder.join("spin.toml"), manifest.replace("\"/...\"", "\"/only/...\"")).unwrap();
    let mut config = Config::new(folder.join("spin.toml"));
    config.variables.insert("secret".to_owned(), "s".to_owned());
    let host = Host::start(config).unwrap();
    assert_eq!(get(&host, "/other").await, (404, String::new()));
}

#[tokio::test]
async fn keys_and_values() {
    let host = start();
    assert_eq!(text(&host, "/get/k").await, "absent");
    assert_eq!(request(&host, "PUT", "/set/k", "värde").await, (200, "set".to_owned()));
    assert_eq!(text(&host, "/get/k").await, "värde");
    assert_eq!(text(&host, "/bare-get/k").await, "värde");
    assert_eq!(text(&host, "/exists/k").await, "true");
    text(&host, "/set/large?1000000").await;
    assert_eq!(text(&host, "/get/large").await.len(), 1_000_000);
    assert_eq!(text(&host, "/keys").await, "k large");
    assert_eq!(text(&host, "/delete/k").await, "deleted");
    assert_eq!(text(&host, "/exists/k").await, "false");
    assert_eq!(host.store().unwrap().keys("default").unwrap(), ["large"]);
}

/// Two requests that swap on a key that is absent both win; one that is there has one winner.
#[tokio::test]
async fn batches_and_atomics() {
    let host = start();
    assert_eq!(text(&host, "/batch/5000").await, "5000 found, 0 left");
    assert_eq!(text(&host, "/increment/n").await, "3");
    assert_eq!(text(&host, "/increment/n").await, "6");
    assert_eq!(text(&host, "/swap/k").await, "won, won, second");
    assert_eq!(text(&host, "/swap/k").await, "won, lost to first, first");
    host.store().unwrap().set("default", "word", b"four").unwrap();
    assert_eq!(get(&host, "/increment/word").await, (500, String::new()));
}

#[tokio::test]
async fn a_store_that_is_not_granted_is_denied() {
    let host = start();
    for path in ["/open/other", "/second/open/default", "/second/get/k", "/second/increment/n"] {
        let (status, error) = get(&host, path).await;
        assert_eq!((status, error.ends_with("AccessDenied")), (502, true), "{path}: {error}");
    }
}

#[tokio::test]
async fn the_wall_clock_can_stand_still() {
    let host = start();
    let clocks = async || {
        let clocks = text(&host, "/clock").await;
        clocks.split(' ').map(|part| part.parse().unwrap()).collect::<Vec<u64>>()
    };
    for second in [1_000_000_000, 4_000_000_000] {
        host.set_clock(Some(SystemTime::UNIX_EPOCH + Duration::from_secs(second)));
        let clocks = clocks().await;
        assert_eq!(clocks[..2], [second, second]);
        assert!(clocks[2] >= 1_000_000, "the monotonic clock went on");
    }
    host.set_clock(None);
    let real = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert!(clocks().await[0].abs_diff(real) <= 2);
}

#[tokio::test]
async fn faults_strike_and_pass() {
    let host = start();
    host.store().unwrap().set("default", "old.1", b"value").unwrap();
    let failed = (502, "Error::Other(\"injected fault\")".to_owned());
    let found = (200, "value".to_owned());
    let absent = (200, "absent".to_owned());
    let fault = |on, effect| Fault { on, effect, ..Fault::default() };

    host.inject_faults(Faults::one(fault(Operation::Get, Effect::Fail)));
    assert_eq!(get(&host, "/get/old.1").await, failed);
    assert_eq!(text(&host, "/exists/old.1").await, "true");

    host.inject_faults(Faults::one(Fault { skip: 1, times: Some(1), ..fault(Operation::Any, Effect::Fail) }));
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(get(&host, "/get/old.1").await);
    }
    assert_eq!(answers, [found.clone(), failed.clone(), found.clone()]);

    host.inject_faults(Faults::one(Fault {
        prefix: Some("old.".to_owned()),
        ..fault(Operation::Read, Effect::Absent)
    }));
    assert_eq!(get(&host, "/get/old.1").await, absent);
    assert_eq!(text(&host, "/exists/old.1").await, "false");

    host.inject_faults(Faults::one(fault(Operation::Write, Effect::FailAfter)));
    assert_eq!(request(&host, "PUT", "/set/kept", "value").await, failed);
    assert_eq!(get(&host, "/get/kept").await, found);

    host.inject_faults(Faults::one(fault(Operation::Get, Effect::Delay(200))));
    let start = Instant::now();
    assert_eq!(get(&host, "/get/old.1").await, found);
    assert!(start.elapsed() >= Duration::from_millis(200));

    host.inject_faults(Faults::one(Fault { component: Some("second".to_owned()), ..Fault::default() }));
    assert_eq!(get(&host, "/get/old.1").await, found);

    host.inject_faults(Faults::one(fault(Operation::Open, Effect::Fail)));
    assert_eq!(get(&host, "/get/old.1").await, failed);
    host.inject_faults(Faults::default());
    assert_eq!(get(&host, "/get/old.1").await, found);
}

#[tokio::test]
async fn counters_count_and_reset() {
    let host = start();
    request(&host, "PUT", "/set/k", "12345").await;
    text(&host, "/get/k").await;
    text(&host, "/get/absent").await;
    text(&host, "/batch/2").await;
    let counters = host.counters()["guest"];
    assert_eq!((counters.requests, counters.opens), (4, 4));
    assert_eq!((counters.gets, counters.sets), (2, 1));
    assert_eq!((counters.batches, counters.batch_keys), (4, 11));
    assert_eq!((counters.bytes_read, counters.bytes_written), (5 + 2048, 5 + 2048));
    assert_eq!(host.counters()["second"].requests, 0);
    host.reset_counters();
    assert_eq!(host.counters()["guest"].gets, 0);
}

#[tokio::test]
async fn fuel_measures_work() {
    let config = Config { fuel: true, ..config() };
    let host = Host::start(config).unwrap();
    text(&host, "/spin/1").await;
    let mut used = Vec::new();
    for rounds in [1_000, 1_000, 1_000_000] {
        host.reset_counters();
        text(&host, &format!("/spin/{rounds}")).await;
        used.push(host.counters()["guest"].fuel);
    }
    assert!(used[0].abs_diff(used[1]) * 20 < used[0], "the same work takes the same fuel: {used:?}");
    assert!(used[2] > 1_000_000, "{used:?}");
}

#[tokio::test]
async fn a_large_answer_is_streamed() {
    let host = start();
    let request = http::Request::get("/stream/256")
        .header("host", "localhost")
        .body(http_body_util::Empty::<Bytes>::new())
        .unwrap();
    let mut body = common::send(host.address(), request).await.into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().into_data().map_or(0, |data| data.len());
    }
    assert_eq!(length, 256 << 20);
    let peak = host.counters()["guest"].peak_memory;
    assert!(peak < 96 << 20, "the guest held {peak} bytes");
}

/// The first piece comes back before the second is sent.
#[tokio::test]
async fn an_answer_that_a_neighbours_trap_cuts_does_not_end_well() {
    let host = reusing(Reuse { max_instances: 1, ..Reuse::default() });
    let request = http::Request::get("/stream/64")
        .header("host", "localhost")
        .body(http_body_util::Empty::<Bytes>::new())
        .unwrap();
    let mut answer = common::send(host.address(), request).await.into_body();
    assert!(answer.frame().await.unwrap().is_ok());
    // The client has not taken the rest yet: the instance waits, and takes its neighbour.
    let (status, _) = get(&host, "/trap").await;
    assert_eq!(status, 500);
    let (mut received, mut broken) = (0, false);
    while let (false, Some(frame)) = (broken, answer.frame().await) {
        match frame {
            Ok(frame) => received += frame.into_data().map_or(0, |data| data.len()),
            Err(_) => broken = true,
        }
    }
    assert!(received < 64 << 20, "the trap came too late to cut anything");
    assert!(broken, "{received} bytes ended as if they were all");
    // And an answer whose instance is well ends well.
    assert_eq!(text(&host, "/stream/1").await.len(), 1 << 20);
}

#[tokio::test]
async fn bodies_are_streamed_both_ways() {
    let host = start();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<&'static str>();
    let body = StreamBody::new(futures_util::stream::poll_fn(move |context| {
        let frame =
            |text: &'static str| Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(text.as_bytes())));
        receiver.poll_recv(context).map(|next| next.map(frame))
    }));
    sender.send("first").unwrap();
    let request = http::Request::post("/echo").header("host", "localhost").body(body).unwrap();
    let mut body = common::send(host.address(), request).await.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "first");
    sender.send("second").unwrap();
    drop(sender);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "second");
}

#[tokio::test]
async fn variables_reach_the_components_that_name_them() {
    let host = start();
    assert_eq!(text(&host, "/variable/greeting").await, "hello, s!");
    assert_eq!(text(&host, "/variable/plain").await, "as it is");
    for (path, error) in
        [("/variable/secret", "Undefined"), ("/second/variable/greeting", "Undefined"), ("/variable/No", "InvalidName")]
    {
        let (status, found) = get(&host, path).await;
        assert_eq!((status, found.contains(error)), (502, true), "{path}: {found}");
    }
}

#[tokio::test]
async fn outgoing_requests_are_checked() {
    let other = start();
    let mut config = config();
    config.variables.insert("port".to_owned(), other.address().port().to_string());
    let host = Host::start(config).unwrap();
    let url = format!("/fetch?http://{}/empty", other.address());
    assert_eq!(text(&host, &url).await, "200 ok");
    let denied = (502, "ErrorCode::HttpRequestDenied".to_owned());
    let itself = format!("/fetch?http://{}/empty", host.address());
    assert_eq!(get(&host, &itself).await, denied, "another port");
    assert_eq!(get(&host, &format!("/second{url}")).await, denied, "granted nothing");
    assert_eq!(get(&host, "/fetch?http://second.spin.internal/empty").await, denied);
    assert_eq!(text(&host, "/fetch?http://self.alt/empty").await, "200 ok");
    assert_eq!(host.counters()["guest"].denied, 2);
}

/// A server on loopback that sends these bytes on every connection, whatever it is asked, and closes; it hands out what it
/// was asked. An answer that ends with `…` is left open instead.
async fn raw_server(answer: &'static str) -> (std::net::SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut asked = vec![0; 4096];
                let length = stream.read(&mut asked).await.unwrap();
                let _ = sender.send(String::from_utf8_lossy(&asked[..length]).into_owned());
                stream.write_all(answer.trim_end_matches('…').as_bytes()).await.unwrap();
                // Open until the other side has enough: then it says so too.
                if answer.ends_with('…') && stream.read(&mut asked).await.is_ok_and(|read| read == 0) {
                    let _ = sender.send("closed".to_owned());
                }
            });
        }
    });
    (address, receiver)
}

async fn granted(port: u16) -> Host {
    let mut config = config();
    config.variables.insert("port".to_owned(), port.to_string());
    Host::start(config).unwrap()
}

#[tokio::test]
async fn the_imports_network_sends_and_streams() {
    let other = start();
    let host = granted(other.address().port()).await;
    let url = |path: &str| format!("/reseau?http://{}{path}", other.address());
    assert_eq!(text(&host, &url("/empty")).await, "200 0 - ok");
    assert_eq!(
        text(&host, &url("/none/of/these")).await,
        "200 0 - ok".replace("200 0 - ok", "404 0 - no such behaviour")
    );
    assert_eq!(text(&host, &url("/stream/8")).await, format!("200 0 - {}", 8 << 20), "in chunks of at most 64 KiB");
    assert_eq!(request(&host, "POST", &url("/echo"), "a login").await, (200, "200 0 - a login".to_owned()));
    let headers = request(&host, "POST", &url("/headers"), "a login").await.1;
    assert!(headers.contains("content-length: 7\n") && headers.contains("x-omogen-api-key: key\n"), "{headers}");
    let headers = request(&host, "POST", &url("/headers"), "").await.1;
    assert!(headers.contains("content-length: 0\n"), "a login without a body: {headers}");
}

#[tokio::test]
async fn the_imports_network_tells_faults_without_addresses() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it";
    let (server, _asked) = raw_server(cut).await;
    let host = granted(server.port()).await;
    let fault = async |url: String| get(&host, &format!("/reseau?{url}")).await;
    let told = |text: &str| (502, text.to_owned());
    assert_eq!(fault(format!("http://{server}/")).await, told("Interrupted: la réponse s'est interrompue"));
    assert_eq!(fault("http://127.0.0.1:1/".into()).await, told("Connection: pas de connexion"), "not granted");
    assert_eq!(host.counters()["guest"].denied, 1);
    for address in ["/empty", "127.0.0.1", "ftp://127.0.0.1/", "http://"] {
        assert_eq!(fault(address.into()).await, told("Address: l'adresse est mal formée"), "{address}");
    }
    let (gone, _asked) = raw_server(cut).await;
    let port = gone.port();
    drop(tokio::net::TcpStream::connect(gone).await);
    let refused = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    assert_ne!(refused, port);
    let host = granted(refused).await;
    let answer = get(&host, &format!("/reseau?http://127.0.0.1:{refused}/")).await;
    assert_eq!(answer, told("Connection: pas de connexion"), "nobody listens");
    let (silent, _asked) = raw_server("").await;
    let host = granted(silent.port()).await;
    let (status, answer) = get(&host, &format!("/reseau?http://{silent}/")).await;
    assert_eq!(
        (status, answer.starts_with("Interrupted") || answer.starts_with("Connection")),
        (502, true),
        "{answer}"
    );
}

/// The client's time-outs drop the exchange: the connection closes, the instance goes on, other requests are not held up.
#[tokio::test]
async fn an_exchange_that_is_dropped_is_cancelled() {
    let head = "…";
    let body = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it…";
    for answer in [head, body] {
        let (server, mut asked) = raw_server(answer).await;
        let host = granted(server.port()).await;
        assert_eq!(text(&host, "/served").await, "1");
        let begun = Instant::now();
        let path = format!("/reseau/600?http://{server}/");
        let (told, meanwhile) = tokio::join!(text(&host, &path), async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            (text(&host, "/empty").await, begun.elapsed())
        });
        assert_eq!(told, "given up");
        assert!(meanwhile.1 < Duration::from_millis(550), "held up for {:?}", meanwhile.1);
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(asked.recv().await.unwrap().starts_with("GET / HTTP/1.1\r\n"));
        let closed = tokio::time::timeout(Duration::from_secs(5), asked.recv()).await;
        assert_eq!(closed.unwrap().as_deref(), Some("closed"));
        let served: u32 = text(&host, "/served").await.parse().unwrap();
        assert!(served >= 3, "the instance lives on: {served}");
    }
}

#[tokio::test]
async fn a_private_component_is_reached_from_inside_only() {
    let host = start();
    assert_eq!(text(&host, "/fetch?http://hidden.spin.internal/empty").await, "200 ok");
    let call = |path: &str| http::Request::get(path).body(Bytes::new()).unwrap();
    let answer = host.call("hidden", call("/headers?q")).await.unwrap();
    let headers = String::from_utf8_lossy(answer.body()).into_owned();
    assert!(headers.starts_with("uri: http://hidden.spin.internal/headers?q\n"), "{headers}");
    assert!(headers.contains("spin-client-addr: 0.0.0.0:0\n"), "{headers}");
    assert!(host.call("nobody", call("/")).await.is_none());
    // One of its outbound hosts never resolves, so even the one that would do is refused.
    let fetch = call(&format!("/fetch?http://{}/", host.address()));
    let answer = host.call("hidden", fetch).await.unwrap();
    assert_eq!(answer.body(), "ErrorCode::HttpRequestDenied");
}

#[test]
fn what_is_missing_stops_the_start() {
    let message = |config: Config| Host::start(config).err().unwrap().to_string();
    let mut without_secret = config();
    without_secret.variables.clear();
    assert_eq!(
        message(without_secret),
        "required variables have no value: secret (set SPIN_VARIABLE_SECRET or --variable secret=…)"
    );
    let without_file = config();
    std::fs::remove_file(without_file.manifest.with_file_name("guest.wasm")).unwrap();
    let found = message(without_file);
    assert!(found.contains("guest.wasm is missing; run the build first: cargo build"), "{found}");
    let no_component = config();
    std::fs::write(no_component.manifest.with_file_name("guest.wasm"), "text").unwrap();
    let found = message(no_component);
    assert!(found.contains("guest.wasm is no usable component"), "{found}");
    let no_manifest = Config::new(common::folder("none").join("spin.toml"));
    assert!(message(no_manifest).contains("spin.toml: No such file"));
    let mut no_env_file = config();
    no_env_file.env_file = Some("nowhere.env".into());
    assert!(message(no_env_file).starts_with("nowhere.env: No such file"));
}

/// A component that imports a function `unknown`, written byte by byte.
#[test]
fn an_unknown_import_is_named() {
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    component.extend(b"\x07\x05\x01\x40\0\x01\0"); // one type: a function without parameters or result
    component.extend(b"\x0a\x0c\x01\0\x07unknown\x01\0"); // one import of that type
    let config = config();
    std::fs::write(config.manifest.with_file_name("guest.wasm"), component).unwrap();
    let found = Host::start(config).err().unwrap().to_string();
    assert!(found.contains("imports something this host does not offer"), "{found}");
    assert!(found.contains("`unknown`"), "{found}");
}

#[tokio::test]
async fn stopping_lets_requests_finish() {
    let host = start();
    let address = host.address();
    let request = http::Request::get("/sleep/1500")
        .header("host", "localhost")
        .body(http_body_util::Empty::<Bytes>::new())
        .unwrap();
    let running = tokio::spawn(async move {
        let body = common::send(address, request).await.into_body();
        body.collect().await.unwrap().to_bytes()
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    tokio::task::spawn_blocking(|| host.stop()).await.unwrap();
    assert_eq!(running.await.unwrap(), "slept");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn dropping_cuts_off_and_the_file_can_be_opened_again() {
    let config = config();
    let host = Host::start(config.clone()).unwrap();
    let address = host.address();
    request(&host, "PUT", "/set/k", "kept").await;
    let request = http::Request::get("/sleep/5000")
        .header("host", "localhost")
        .body(http_body_util::Empty::<Bytes>::new())
        .unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let stream = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let running = tokio::spawn(async move { sender.send_request(request).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    drop(host);
    assert!(running.await.unwrap().is_err());
    assert!(start.elapsed() < Duration::from_secs(2));
    let host = Host::start(config).unwrap();
    assert_eq!(text(&host, "/get/k").await, "kept");
}
